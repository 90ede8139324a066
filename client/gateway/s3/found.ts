// Finds the object of a key: a file, or for a key with a slash at the end a directory that is a key. Opens its bytes at the version that
// was found: a file that is replaced meanwhile is found again.

import { hasCode } from '../../../src/base/errors.ts'
import type { FileStatus } from '../../../src/protocol/namespace.ts'
import type { FoundObject, ObjectAttributes } from '../../files/objects.ts'
import type { BodyChunks } from '../exchange.ts'
import { etagOf, objectNames } from './attributes.ts'
import { S3Error } from './errors.ts'
import type { S3Call } from './operation.ts'
import { directoryOf, fileOf, isDirectoryKey } from './paths.ts'

export interface S3Object {
  readonly path: string
  readonly status: FileStatus
  readonly attributes: ObjectAttributes
  readonly etag: string
  /** 0 for a directory. */
  readonly length: number
  readonly isDirectory: boolean
  /** Bytes of a small object, if they were asked for. */
  readonly bytes?: Buffer
}

const noKey = (): S3Error => new S3Error('NoSuchKey', 'The specified key does not exist.')

/** `bucket`: path of the bucket. Throws ENOENT if there is nothing at the path, NoSuchKey for a directory that is no key. */
export async function findObject(
  { mill, signal }: Pick<S3Call, 'mill' | 'signal'>, bucket: string, key: string, { content = false } = {},
): Promise<S3Object> {
  const get = (path: string): Promise<FoundObject> => mill.objects.get(path, { attributes: objectNames, content, signal })
  const file = fileOf(bucket, key)
  try {
    const found = await get(file)
    if (found.status.type === 'file') return described(file, found, mill.cluster)
  } catch (error) {
    if (!isDirectoryKey(key) || !hasCode(error, 'ENOENT', 'ENOTDIR')) throw error
  }
  if (!isDirectoryKey(key)) throw noKey()
  const directory = directoryOf(bucket, key)
  const found = await get(directory)
  if (!found.isKey) throw noKey()
  return described(directory, found, mill.cluster)
}

function described(path: string, { status, attributes, bytes }: FoundObject, cluster: string): S3Object {
  const isDirectory = status.type === 'directory'
  const length = isDirectory ? 0 : status.length
  return { path, status, attributes, length, isDirectory, etag: etagOf({ id: status.id, length }, attributes, cluster),
    ...bytes && { bytes } }
}

/** Times that a file is looked for again, because it was replaced between the look at it and its opening. */
const triesMax = 10

/** An object with a function that reads a range of exactly its bytes; `end` is exclusive. */
export async function openObject(
  call: Pick<S3Call, 'mill' | 'signal'>, bucket: string, key: string,
): Promise<S3Object & { readonly read: (start: number, end: number) => BodyChunks }> {
  const { mill, signal } = call
  for (let tries = 1; ; tries++) {
    const object = await findObject(call, bucket, key, { content: true })
    const { length, bytes } = object
    if (length === 0) return { ...object, read: nothing }
    if (bytes) return { ...object, read: (start, end) => whole(bytes.subarray(start, end)) }
    const handle = await mill.open(object.path, 'r', { signal })
    const { ino } = await handle.stat()
    if (ino === object.status.id)
      return { ...object, read: (start, end) => (end > start
        ? handle.createReadStream({ start, end: end - 1, signal }) as BodyChunks : nothing()) }
    if (tries === triesMax) throw new S3Error('OperationAborted',
      'A conflicting conditional operation is currently in progress against this resource. Please try again.')
  }
}

async function* whole(bytes: Buffer): AsyncGenerator<Buffer, void, undefined> { if (bytes.length > 0) yield bytes }

// oxlint-disable-next-line require-yield
export async function* nothing(): AsyncGenerator<Buffer, void, undefined> { /* an object of no bytes */ }
