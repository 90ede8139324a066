// Settings of a bucket as extended attributes of its directory, for the operations that read and change them. The namenode lets only the
// owner of the bucket, and the superuser, change them (src/protocol/xattr.ts).

import { hasCode } from '../../../src/base/errors.ts'
import { limits } from '../../../src/base/limits.ts'
import { checkBucket } from './buckets.ts'
import { S3Error } from './errors.ts'
import type { S3Call } from './operation.ts'
import { bucketOf } from './paths.ts'

/** undefined: it is not set. Throws NoSuchBucket. */
export async function settingOf(call: S3Call, name: string): Promise<string | undefined> {
  await checkBucket(call)
  const { attributes } = await call.mill.objects.get(bucketOf(call), { attributes: [name], signal: call.signal })
  return attributes[name]
}

/** Throws NoSuchBucket, AccessDenied, InvalidRequest. */
export async function putSetting(call: S3Call, name: string, text: string): Promise<void> {
  await checkBucket(call)
  if (Buffer.byteLength(text) > limits.attributeBytesMax)
    throw new S3Error('InvalidRequest', `The configuration takes more than ${limits.attributeBytesMax} bytes`)
  await call.mill.xattrs.set(bucketOf(call), name, text, { signal: call.signal })
}

/** Throws NoSuchBucket, AccessDenied. */
export async function dropSetting(call: S3Call, name: string): Promise<void> {
  await checkBucket(call)
  await clear(call, bucketOf(call), name)
}

/** Removes an attribute, which need not be there. */
export async function clear({ mill, signal }: Pick<S3Call, 'mill' | 'signal'>, path: string, name: string): Promise<void> {
  await mill.xattrs.rm(path, name, { signal }).catch((error: unknown) => { if (!hasCode(error, 'ENOENT')) throw error })
}
