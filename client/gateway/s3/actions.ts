// Actions of AWS's policies that the operations are, by the operation's name; the same as the name unless it is listed here. Pure.

import type { S3Operation } from './operation.ts'
import type { Headers } from './payload.ts'

const named: Readonly<Record<string, string>> = {
  HeadBucket: 'ListBucket', ListObjects: 'ListBucket', ListObjectsV2: 'ListBucket', ListObjectVersions: 'ListBucketVersions',
  ListMultipartUploads: 'ListBucketMultipartUploads', ListParts: 'ListMultipartUploadParts', CreateMultipartUpload: 'PutObject',
  UploadPart: 'PutObject', UploadPartCopy: 'PutObject', CompleteMultipartUpload: 'PutObject', CopyObject: 'PutObject',
  PostObject: 'PutObject', HeadObject: 'GetObject', GetBucketCors: 'GetBucketCORS', PutBucketCors: 'PutBucketCORS',
  DeleteBucketCors: 'PutBucketCORS', DeleteBucketTagging: 'PutBucketTagging', PutBucketLifecycleConfiguration: 'PutLifecycleConfiguration',
  GetBucketLifecycleConfiguration: 'GetLifecycleConfiguration', DeleteBucketLifecycle: 'PutLifecycleConfiguration',
  GetBucketAccelerateConfiguration: 'GetAccelerateConfiguration', GetBucketEncryption: 'GetEncryptionConfiguration',
  GetBucketNotificationConfiguration: 'GetBucketNotification', GetObjectLockConfiguration: 'GetBucketObjectLockConfiguration',
  GetPublicAccessBlock: 'GetBucketPublicAccessBlock', GetBucketReplication: 'GetReplicationConfiguration',
}

/** Actions on one version have names of their own: GetObjectVersion, GetObjectVersionTagging. */
const versioned = (name: string): string => name.replace(/^(Get|Put|Delete)Object(|Tagging|Acl|Attributes)$/, '$1ObjectVersion$2')

/** Second action of an operation, for what else it reads or writes. */
function beside(name: string, headers: Headers): string | undefined {
  if (name === 'GetObjectAttributes') return 'GetObject'
  return name === 'PutObject' && headers['x-amz-tagging'] !== undefined ? 'PutObjectTagging' : undefined
}

/** All of them must be allowed. None for an operation whose keys are decided about one by one, or that has no bucket. */
export function actionsOf({ name, on }: Pick<S3Operation, 'name' | 'on'>, headers: Headers, ofVersion = false): readonly string[] {
  if (on === 'service' || name === 'DeleteObjects' || name === 'CreateBucket') return []
  const action = named[name] ?? name
  const second = beside(action, headers)
  return [action, ...second === undefined ? [] : [second]].map(each => `s3:${ofVersion && on === 'object' ? versioned(each) : each}`)
}

/** Operations by which the owner of a bucket gets rid of a policy that denies everything. */
export const isAboutPolicy = ({ name }: Pick<S3Operation, 'name'>): boolean => /^(?:Get|Put|Delete)BucketPolicy$/.test(name)
