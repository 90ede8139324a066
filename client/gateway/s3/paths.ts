// Paths of buckets and keys. A bucket is a directory of the gateway's root, and a key is a path below it; a key with a slash at the end is
// a directory, or a file under the stand-in of an empty part if it has content.

import { join } from '../../../src/base/paths.ts'
import { namesOfKey } from '../../../src/protocol/objectkey.ts'
import type { S3Call } from './operation.ts'
import { invalidBucket, isBucketName } from './target.ts'

export function bucketPath(root: string, bucket: string): string {
  if (!isBucketName(bucket)) throw invalidBucket(bucket)
  return join(root, bucket)
}

export const bucketOf = ({ root, bucket }: Pick<S3Call, 'root' | 'bucket'>): string => bucketPath(root, bucket)

/** Path of a file with this key. Throws InvalidArgument and KeyTooLongError in the cluster's words. */
export const fileOf = (bucket: string, key: string): string => `${bucket}/${namesOfKey(key).join('/')}`

/** Path of the directory that a key with a slash at the end names. */
export const directoryOf = (bucket: string, key: string): string => `${bucket}/${namesOfKey(key).slice(0, -1).join('/')}`

export const isDirectoryKey = (key: string): boolean => key.endsWith('/')

/** Directory that a key with a slash at its end may be. */
export const directoryIn = (bucket: string, key: string): string | undefined => (isDirectoryKey(key) ? directoryOf(bucket, key) : undefined)
