// Finds the object of a key: a file, or for a key with a slash at the end a directory that is a key. Opens its bytes at the version that
// was found: a file that is replaced meanwhile is found again.

import { hasCode } from '../../../src/base/errors.ts'
import type { FileStatus } from '../../../src/protocol/namespace.ts'
import type { FoundObject, ObjectAttributes } from '../../files/objects.ts'
import type { BodyChunks } from '../exchange.ts'
import { objectVersionPath } from '../../files/objectarguments.ts'
import { etagOf, objectNames, versionName } from './attributes.ts'
import { S3Error } from './errors.ts'
import type { S3Call } from './operation.ts'
import { directoryOf, fileOf, isDirectoryKey } from './paths.ts'
import { isMarker, noVersion, nullVersion } from './versioning.ts'

export interface S3Object {
  readonly path: string
  readonly status: FileStatus
  readonly attributes: ObjectAttributes
  readonly etag: string
  /** 0 for a directory. */
  readonly length: number
  readonly isDirectory: boolean
  /** Id of the version; undefined in a bucket without versioning. */
  readonly version: string | undefined
  /** Bytes of a small object, if they were asked for. */
  readonly bytes?: Buffer
}

const noDirectoryKey = (): S3Error => new S3Error('NoSuchKey', 'The specified key does not exist.')

const foundNames = [...objectNames, versionName]

type Finding = Pick<S3Call, 'mill' | 'signal' | 'versioning'>

function unlessMissing(error: unknown): undefined {
  if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw error
}

interface FindOptions {
  /** Also the bytes of a small object. */
  readonly content?: boolean
  /** Id of the version that is meant; default: the object as it is. */
  readonly version?: string | undefined
}

/**
 * `bucket`: path of the bucket. Throws ENOENT if there is nothing at the path, NoSuchKey for a directory that is no key, NoSuchVersion, and
 * MethodNotAllowed for a delete marker.
 */
export async function findObject(call: Finding, bucket: string, key: string, options: FindOptions = {}): Promise<S3Object> {
  const { mill, signal, versioning } = call
  const { content = false, version } = options
  const get = (path: string): Promise<FoundObject> => mill.objects.get(path, { attributes: foundNames, content, signal })
  const described = (path: string, { status, attributes, bytes }: FoundObject): S3Object => {
    const isDirectory = status.type === 'directory'
    const length = isDirectory ? 0 : status.length
    return {
      path, status, attributes, length, isDirectory, etag: etagOf({ id: status.id, length }, attributes, mill.cluster),
      version: version ?? attributes[versionName] ?? (versioning === undefined ? undefined : nullVersion), ...bytes && { bytes },
    }
  }
  const file = fileOf(bucket, key)
  const directory = isDirectoryKey(key) ? directoryOf(bucket, key) : undefined
  if (version !== undefined) {
    const isNull = directory !== undefined && version === nullVersion
    const current = isNull ? await get(directory).catch(unlessMissing) : undefined
    if (current?.isKey) return described(directory!, current)
    const path = objectVersionPath(file, version)
    const found = await get(path).catch((error: unknown) => { throw hasCode(error, 'ENOENT', 'ENOTDIR') ? noVersion(error) : error })
    if (found.status.type === 'directory') throw isMarker(version, found.status.mtimeMs)
    return described(path, found)
  }
  try {
    const found = await get(file)
    if (found.status.type === 'file') return described(file, found)
  } catch (error) {
    if (directory === undefined) throw error
    unlessMissing(error)
  }
  if (directory === undefined) throw noDirectoryKey()
  const found = await get(directory)
  if (!found.isKey) throw noDirectoryKey()
  return described(directory, found)
}

/** Times that a file is looked for again, because it was replaced between the look at it and its opening. */
const triesMax = 10

/** An object with a function that reads a range of exactly its bytes; `end` is exclusive. */
export async function openObject(
  call: Finding, bucket: string, key: string, version?: string,
): Promise<S3Object & { readonly read: (start: number, end: number) => BodyChunks }> {
  const { mill, signal } = call
  for (let tries = 1; ; tries++) {
    const object = await findObject(call, bucket, key, { content: true, version })
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
