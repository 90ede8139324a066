// Access control lists: each object has the canned list `private`. Rights are those of the file, which its owner changes by other means.

import { aclOf, checkBucket } from './buckets.ts'
import { S3Error } from './errors.ts'
import { findObject, type S3Object } from './found.ts'
import type { S3Answer, S3Call, S3Operation } from './operation.ts'
import { bucketOf } from './paths.ts'
import { versionAsked } from './versioning.ts'

const named = (call: S3Call): Promise<S3Object> =>
  findObject(call, bucketOf(call), call.key, { version: versionAsked(call.query.get('versionId')) })

async function getAcl(call: S3Call): Promise<S3Answer> {
  return { xml: aclOf((await named(call)).status.owner) }
}

/** Accepts the list that everything has. */
async function putAcl(call: S3Call): Promise<S3Answer> {
  await call.payload({ bytesMax: 64 * 1024 }).text()
  if (call.headers['x-amz-acl'] !== 'private')
    throw new S3Error('NotImplemented', 'Access control lists other than `private` are not implemented; change the mode of the file.')
  if (call.key === '') await checkBucket(call)
  else await named(call)
  return {}
}

const limits = 'only the canned list `private`'

export const aclOperations: readonly S3Operation[] = [
  { name: 'GetObjectAcl', method: 'GET', on: 'object', with: ['acl'], missing: 'NoSuchKey', limits: 'always `private`', answer: getAcl },
  { name: 'PutObjectAcl', method: 'PUT', on: 'object', with: ['acl'], missing: 'NoSuchKey', limits, answer: putAcl },
  { name: 'PutBucketAcl', method: 'PUT', on: 'bucket', with: ['acl'], limits, answer: putAcl },
]
