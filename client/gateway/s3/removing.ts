// DeleteObject and DeleteObjects. A key that does not exist counts as deleted. Objects are removed at once, without trash; directories
// above them go with their last key.
// INVARIANT: other requests do not wait for a request that names a thousand keys, whatever they are: it is read, worked on and answered in
// pieces (Pace).

import { hasCode, type GristmillError } from '../../../src/base/errors.ts'
import { asError } from '../../../src/base/errors.ts'
import type { Expected } from '../../../src/protocol/object.ts'
import { isObjectVersion } from '../../files/objectarguments.ts'
import { objectNames } from './attributes.ts'
import { checkBucket } from './buckets.ts'
import { expectedAt, isUnchanged } from './conditions.ts'
import { S3Error, s3ErrorOf } from './errors.ts'
import { findObject } from './found.ts'
import type { S3Answer, S3Call, S3Operation } from './operation.ts'
import { bucketOf, directoryIn, directoryOf, fileOf, isDirectoryKey } from './paths.ts'
import { Pace } from './pace.ts'
import { noVersion, nullVersion, versionAsked, versionHeader } from './versioning.ts'
import { documentInPieces, type XmlContent } from './xml.ts'
import { charsIn, elementsOf, parseInSlices, textOf, type Element } from './xmlreader.ts'

/** Runs work of which "there is nothing" is a good end; undefined: there was nothing. */
async function ifThere<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  }
}

interface Removal {
  readonly bucket: string
  readonly key: string
  readonly expect?: Expected | undefined
  /** Id of the version that is removed for good; default: the key. */
  readonly version?: string | undefined
}

interface Removed {
  /** There was such a key or version. */
  readonly was: boolean
  /** Delete marker that was made, or removed. */
  readonly marker?: string | undefined
}

type Removing = Pick<S3Call, 'mill' | 'signal'>

async function remove(call: Removing, removal: Removal): Promise<Removed> {
  const { mill, signal } = call
  const { bucket, key, expect, version } = removal
  const isDirectory = isDirectoryKey(key)
  const [path, options] = [fileOf(bucket, key), { keep: bucket, signal, ...isDirectory && { attributes: objectNames } }]
  if (version === undefined) {
    const removed = await ifThere(() => mill.objects.rm(path, { ...options, expect }))
    // The same answer as a moment later: of several deletions with one condition one succeeds.
    if (!removed && expect) throw new S3Error('NoSuchKey', 'The specified key does not exist.')
    return { was: removed !== undefined, marker: removed?.marker }
  }
  const found = await ifThere(() => mill.objects.rmVersion(path, version, options))
  if (found || version !== nullVersion || !isDirectory)
    return { was: found !== undefined, marker: found?.marker ? version : undefined }
  // A directory with keys below it stays, and is no key itself any more. Nothing that was stored with it may stay, or it would not go with
  // the last of them.
  return { was: await ifThere(() => mill.objects.rm(directoryOf(bucket, key), { ...options, directory: true })) !== undefined }
}

/** Throws NotImplemented for a condition that is not here: without it more would be deleted than was meant. */
function checkConditions({ headers }: S3Call): void {
  const unknown = ['x-amz-if-match-size', 'x-amz-if-match-last-modified-time'].find(name => headers[name] !== undefined)
  if (unknown !== undefined)
    throw new S3Error('NotImplemented', `A header you provided implies functionality that is not implemented: ${unknown}`)
}

async function deleteObject(call: S3Call): Promise<S3Answer> {
  const version = versionAsked(call.query.get('versionId'))
  checkConditions(call)
  const { key } = call
  const bucket = bucketOf(call)
  const expect = version === undefined ? await expectedAt(call, fileOf(bucket, key), directoryIn(bucket, key))
    : await checkVersion(call, { bucket, key, version })
  const { was, marker } = await remove(call, { bucket, key, expect, version })
  if (!was) await checkBucket(call)
  const named = version ?? marker
  return {
    status: 204,
    headers: { ...named !== undefined && { [versionHeader]: named }, ...marker !== undefined && { 'x-amz-delete-marker': 'true' } },
  }
}

/** Checks a condition about a version that is removed: its bytes never change. Throws PreconditionFailed, NoSuchVersion. */
async function checkVersion(call: S3Call, { bucket, key, version }: Removal): Promise<undefined> {
  if (call.headers['if-match'] === undefined) return
  const { etag, status: { mtimeMs } } = await findObject(call, bucket, key, { version })
  isUnchanged({ 'if-match': call.headers['if-match'] }, { etag, mtimeMs })
}

const keysMax = 1000
/** Bounds of the body: names and versions of 1,000 keys of 1 KiB, in which each character may be escaped. */
const bytesMax = 8 * 2 ** 20
/** The element itself, and for each object its own and the six that it may have. */
const elementsMax = 2 + 7 * keysMax
/** Removals at a time. */
const concurrency = 16

async function deleteObjects(call: S3Call): Promise<S3Answer> {
  const payload = call.payload({ bytesMax })
  checkConditions(call)
  if (!payload.hasDigest) throw new S3Error('InvalidRequest', 'Missing required header for this request: Content-MD5 OR x-amz-checksum-*')
  const body = await parseInSlices(await payload.text(), 'Delete', { elementsMax }, call.pause)
  const objects = elementsOf(body, 'Object')
  if (objects.length === 0 || objects.length > keysMax)
    throw new S3Error('MalformedXML',
      `The XML you provided was not well-formed or did not validate against our published schema: 1 to ${keysMax} objects`)
  const quiet = textOf(body, 'Quiet') === 'true'
  await checkBucket(call)
  const bucket = bucketOf(call)
  const results: RemovalResult[] = Array.from({ length: objects.length })
  const pace = new Pace(call.pause)
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < objects.length) {
      const index = next++
      await pace.spend(charsIn(objects[index]!))
      results[index] = await removeOne(call, bucket, objects[index]!)
    }
  }
  await Promise.all(Array.from({ length: Math.min(concurrency, objects.length) }, worker))
  const [deleted, failed] = [results.filter(result => 'Deleted' in result), results.filter(result => 'Error' in result)]
  return { xml: await documentInPieces('DeleteResult', [...quiet ? [] : deleted, ...failed], pace) }
}

type RemovalResult = { readonly Deleted: XmlContent } | { readonly Error: XmlContent }

/** A longer key cannot exist: its beginning tells the client which one is meant. */
const shownCharsMax = 1024
const shown = (text: string | undefined): string | undefined => text?.slice(0, shownCharsMax)

async function removeOne(call: S3Call, bucket: string, object: Element): Promise<RemovalResult> {
  let key: string | undefined
  let version: string | undefined
  try {
    key = textOf(object, 'Key')
    if (!key) throw new S3Error('MalformedXML', 'An object without a key')
    // An empty one is none, as SDKs send it.
    version = textOf(object, 'VersionId') || undefined
    const etag = textOf(object, 'ETag')
    const unknown = ['LastModifiedTime', 'Size'].find(name => elementsOf(object, name).length > 0)
    if (unknown !== undefined) throw new S3Error('NotImplemented', `A condition you provided is not implemented: ${unknown}`)
    if (version !== undefined && !isObjectVersion(version)) throw noVersion()
    const asked = { ...call, headers: etag === undefined ? {} : { 'if-match': etag } }
    const expect = version === undefined ? await expectedAt(asked, fileOf(bucket, key), directoryIn(bucket, key))
      : await checkVersion(asked, { bucket, key, version })
    const removal = { bucket, key, expect, version }
    const action = version === undefined ? 's3:DeleteObject' : 's3:DeleteObjectVersion'
    const { marker } = await call.forKey({ action, key }, mill => remove({ mill, signal: call.signal }, removal))
    return { Deleted: { Key: key, VersionId: version, ...marker !== undefined && { DeleteMarker: true, DeleteMarkerVersionId: marker } } }
  } catch (thrown) {
    if (call.signal.aborted) throw thrown
    const error: GristmillError = asError(thrown)
    return { Error: { Key: shown(key), VersionId: shown(version), Code: s3ErrorOf(error), Message: shown(error.message) } }
  }
}

export const removingOperations: readonly S3Operation[] = [
  { name: 'DeleteObject', method: 'DELETE', on: 'object', missing: 'NoSuchKey', limits: 'without trash; no conditions on size and time',
    answer: deleteObject },
  { name: 'DeleteObjects', method: 'POST', on: 'bucket', with: ['delete'], limits: 'without trash; no conditions on size and time',
    answer: deleteObjects },
]
