// Operations on buckets: list, create, look, remove; and the answers about settings that a bucket here does not have.

import { hasCode } from '../../../src/base/errors.ts'
import { limits } from '../../../src/base/limits.ts'
import { nameOf } from '../../../src/base/paths.ts'
import { openPaths } from '../dialect.ts'
import { S3Error, type S3ErrorName } from './errors.ts'
import type { S3Answer, S3Call, S3Operation } from './operation.ts'
import { bucketOf } from './paths.ts'
import { checkSupported } from './supported.ts'
import { decoded, isBucketName, reservedBucket } from './target.ts'
import { document, type XmlContent } from './xml.ts'

/** Region of all buckets. */
const region = 'us-east-1'

export const ownerOf = (user: string): XmlContent => ({ ID: user, DisplayName: user }) as XmlContent

const dayMs = 86_400_000
/** The day of the last time that was written, and its text: a page of a list has a thousand times. */
let [day, dayText] = [NaN, '']
const padded = (value: number, digits: number): string => String(value).padStart(digits, '0')

/** As `toISOString`, at a third of its cost. */
export function timeOf(ms: number): string {
  const days = Math.floor(ms / dayMs)
  if (days !== day) [day, dayText] = [days, new Date(days * dayMs).toISOString().slice(0, -13)]
  const rest = Math.floor(ms) - days * dayMs
  const seconds = Math.floor(rest / 1000)
  const minutes = Math.floor(seconds / 60)
  const clock = [Math.floor(minutes / 60), minutes % 60, seconds % 60].map(part => padded(part, 2)).join(':')
  return `${dayText}${clock}.${padded(rest % 1000, 3)}Z`
}

/** Error for a root that is no directory, or not yet: each bucket would be missing for a reason that no client sees. */
const noRoot = (root: string): S3Error => new S3Error(
  'NoSuchBucket', `This gateway's buckets are the directories of ${root} (--s3-root), which is no directory of the cluster yet: create it with gristmill mkdir`,
)

async function checkRoot({ mill, root, signal }: Pick<S3Call, 'mill' | 'root' | 'signal'>): Promise<void> {
  if (root === '/') return
  const found = await mill.status(root, { signal }).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined
    if (hasCode(error, 'EACCES')) return { type: 'directory' }
    throw error
  })
  if (found?.type !== 'directory') throw noRoot(root)
}

async function listBuckets({ mill, user, root, query, signal }: S3Call): Promise<S3Answer> {
  const prefix = query.get('prefix') ?? ''
  const buckets: XmlContent[] = []
  let after: string | undefined
  do {
    const page = await mill.listPage(root, { after, limit: limits.listPageMax, signal }).catch((error: unknown) => {
      throw hasCode(error, 'ENOENT', 'ENOTDIR') ? noRoot(root) : error
    })
    for (const { path, type, mtimeMs } of page.entries) {
      const name = nameOf(path)
      if (type === 'directory' && isBucketName(name) && name.startsWith(prefix)) buckets.push({ Name: name, CreationDate: timeOf(mtimeMs) })
    }
    after = page.next
  } while (after !== undefined)
  return { xml: document('ListAllMyBucketsResult', { Owner: ownerOf(user), Buckets: { Bucket: buckets } }) }
}

async function createBucket(call: S3Call): Promise<S3Answer> {
  const { mill, user, bucket, signal } = call
  const path = bucketOf(call)
  if (openPaths.has(`/${bucket}`)) throw reservedBucket(bucket)
  checkSupported(call.headers)
  // A region of the client's choice is a word only.
  await call.payload({ bytesMax: 64 * 1024 }).text()
  try {
    await mill.mkdir(path, { signal })
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) throw noRoot(call.root)
    if (!hasCode(error, 'EEXIST')) throw error
    const { owner, type } = await mill.status(path, { signal })
    if (type === 'directory' && owner === user)
      throw new S3Error('BucketAlreadyOwnedByYou', 'Your previous request to create the named bucket succeeded and you already own it.')
    throw new S3Error('BucketAlreadyExists',
      'The requested bucket name is not available: another user has this bucket, or it is the name of a file.')
  }
  return { headers: { location: `/${bucket}` } }
}

/** Throws NoSuchBucket. */
export async function checkBucket({ mill, root, bucket, signal }: Pick<S3Call, 'mill' | 'root' | 'bucket' | 'signal'>): Promise<void> {
  const found = await mill.status(bucketOf({ root, bucket }), { signal }).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  })
  if (found?.type === 'directory') return
  await checkRoot({ mill, root, signal })
  throw new S3Error('NoSuchBucket', 'The specified bucket does not exist')
}

/** Throws AccessDenied if a bucket is not of the owner whom the client has named, so that nothing gets into the wrong one. */
export async function checkOwners(call: S3Call): Promise<void> {
  const { mill, root, headers, bucket, signal } = call
  const expected = headers['x-amz-expected-bucket-owner']
  const source = headers['x-amz-source-expected-bucket-owner']
  const named = [[expected, bucket], [source, sourceBucket(headers['x-amz-copy-source'])]] as const
  for (const [owner, name] of named) {
    if (owner === undefined || name === undefined || name === '') continue
    await checkBucket({ ...call, bucket: name })
    if ((await mill.status(bucketOf({ root, bucket: name }), { signal })).owner !== owner)
      throw new S3Error('AccessDenied', `Access Denied: the bucket ${name} does not belong to ${String(owner).slice(0, 100)}`)
  }
}

const sourceBucket = (header: string | string[] | undefined): string | undefined =>
  (header === undefined ? undefined : decoded(/^\/?([^/?]*)/.exec(String(header))?.[1] ?? ''))

async function headBucket(call: S3Call): Promise<S3Answer> {
  await checkBucket(call)
  return { headers: { 'x-amz-bucket-region': region } }
}

async function deleteBucket(call: S3Call): Promise<S3Answer> {
  const { mill, root, signal } = call
  await mill.objects.rm(bucketOf(call), { keep: root, directory: true, signal })
  return { status: 204 }
}

/** A setting that a bucket here has never: an empty document, or an error. */
const setting = (name: string, parameter: string, answer: { xml: string } | { error: S3ErrorName; message: string }): S3Operation => ({
  name, method: 'GET', on: 'bucket', with: [parameter],
  limits: 'xml' in answer ? 'answers that nothing is set' : `always \`${answer.error}\`: it cannot be set`,
  answer: async call => {
    await checkBucket(call)
    if ('error' in answer) throw new S3Error(answer.error, answer.message)
    return answer
  },
})

async function bucketAcl(call: S3Call): Promise<S3Answer> {
  await checkBucket(call)
  return { xml: aclOf((await call.mill.status(bucketOf(call), { signal: call.signal })).owner) }
}

/** The canned list `private`. */
export const aclOf = (owner: string): string => document('AccessControlPolicy', {
  Owner: ownerOf(owner),
  AccessControlList: {
    Grant: {
      Grantee: {
        '@xmlns:xsi': 'http://www.w3.org/2001/XMLSchema-instance', '@xsi:type': 'CanonicalUser', ID: owner, DisplayName: owner,
      },
      Permission: 'FULL_CONTROL',
    },
  },
})

export const bucketOperations: readonly S3Operation[] = [
  { name: 'ListBuckets', method: 'GET', on: 'service', answer: listBuckets },
  {
    name: 'CreateBucket', method: 'PUT', on: 'bucket',
    limits: 'all regions are one; not `metrics`, `healthz` and `readyz`; no object lock, and no ACL but `private`',
    answer: createBucket,
  },
  { name: 'HeadBucket', method: 'HEAD', on: 'bucket', answer: headBucket },
  { name: 'DeleteBucket', method: 'DELETE', on: 'bucket', answer: deleteBucket },
  setting('GetBucketLocation', 'location', { xml: document('LocationConstraint', {}) }),
  { name: 'GetBucketAcl', method: 'GET', on: 'bucket', with: ['acl'], limits: 'always `private`, though rights are those of the directory',
    answer: bucketAcl },
  setting('GetBucketAccelerateConfiguration', 'accelerate', { xml: document('AccelerateConfiguration', {}) }),
  setting('GetBucketLogging', 'logging', { xml: document('BucketLoggingStatus', {}) }),
  setting('GetBucketNotificationConfiguration', 'notification', { xml: document('NotificationConfiguration', {}) }),
  setting('GetBucketRequestPayment', 'requestPayment', { xml: document('RequestPaymentConfiguration', { Payer: 'BucketOwner' }) }),
  setting('GetBucketEncryption', 'encryption', {
    error: 'ServerSideEncryptionConfigurationNotFoundError', message: 'The server side encryption configuration was not found',
  }),
  setting('GetObjectLockConfiguration', 'object-lock', {
    error: 'ObjectLockConfigurationNotFoundError', message: 'Object Lock configuration does not exist for this bucket',
  }),
  setting('GetPublicAccessBlock', 'publicAccessBlock', {
    error: 'NoSuchPublicAccessBlockConfiguration', message: 'The public access block configuration was not found',
  }),
  setting('GetBucketOwnershipControls', 'ownershipControls', {
    error: 'OwnershipControlsNotFoundError', message: 'The bucket ownership controls were not found',
  }),
  setting('GetBucketReplication', 'replication', {
    error: 'ReplicationConfigurationNotFoundError', message: 'The replication configuration was not found',
  }),
  setting('GetBucketWebsite', 'website', {
    error: 'NoSuchWebsiteConfiguration', message: 'The specified bucket does not have a website configuration',
  }),
]
