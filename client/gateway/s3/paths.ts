// Paths of buckets and keys. A bucket is a directory of the gateway's root, and a key is a path below it; a key with a slash at the end is
// a directory, or a file under the stand-in of an empty part if it has content.

import { join } from '../../../src/base/paths.ts'
import { namesOfKey } from '../../../src/protocol/objectkey.ts'
import { S3Error } from './errors.ts'
import type { S3Call } from './operation.ts'
import { isBucketName } from './target.ts'

export function bucketPath(root: string, bucket: string): string {
  if (!isBucketName(bucket)) throw new S3Error('InvalidBucketName', 'The specified bucket is not valid.')
  return join(root, bucket)
}

export const bucketOf = ({ root, bucket }: Pick<S3Call, 'root' | 'bucket'>): string => bucketPath(root, bucket)

/** Path of a file with this key. Throws InvalidArgument and KeyTooLongError in the cluster's words. */
export const fileOf = (bucket: string, key: string): string => `${bucket}/${namesOfKey(key).join('/')}`

/** Path of the directory that a key with a slash at the end names. */
export const directoryOf = (bucket: string, key: string): string => `${bucket}/${namesOfKey(key).slice(0, -1).join('/')}`

export const isDirectoryKey = (key: string): boolean => key.endsWith('/')
