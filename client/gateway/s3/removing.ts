// DeleteObject and DeleteObjects. A key that does not exist counts as deleted. Objects are removed at once, without trash; directories
// above them go with their last key.

import { hasCode, type GristmillError } from '../../../src/base/errors.ts'
import { asError } from '../../../src/base/errors.ts'
import type { Expected } from '../../../src/protocol/object.ts'
import { etagName } from './attributes.ts'
import { checkBucket } from './buckets.ts'
import { expectedAt } from './conditions.ts'
import { S3Error, s3ErrorOf } from './errors.ts'
import type { S3Answer, S3Call, S3Operation } from './operation.ts'
import { bucketOf, directoryOf, fileOf, isDirectoryKey } from './paths.ts'
import { checkVersion } from './reading.ts'
import { document, type XmlContent } from './xml.ts'
import { elementsOf, parse, textOf, type Element } from './xmlreader.ts'

/** Runs work of which "there is nothing" is a good end; returns whether there was something. */
async function ifThere(work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work()
    return true
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return false
    throw error
  }
}

/** Returns whether there was such a key. */
async function remove({ mill, signal }: Pick<S3Call, 'mill' | 'signal'>, bucket: string, key: string, expect?: Expected): Promise<boolean> {
  const file = await ifThere(() => mill.objects.rm(fileOf(bucket, key), { keep: bucket, expect, signal }))
  // The same answer as a moment later: of several deletions with one condition one succeeds.
  if (!file && expect) throw new S3Error('NoSuchKey', 'The specified key does not exist.')
  if (file || !isDirectoryKey(key)) return file
  // A directory with keys below it stays, and is no key itself any more.
  return ifThere(() => mill.objects.rm(directoryOf(bucket, key), { keep: bucket, directory: true, attributes: [etagName], signal }))
}

/** Throws NotImplemented for a condition that is not here: without it more would be deleted than was meant. */
function checkConditions({ headers }: S3Call): void {
  const unknown = ['x-amz-if-match-size', 'x-amz-if-match-last-modified-time'].find(name => headers[name] !== undefined)
  if (unknown !== undefined)
    throw new S3Error('NotImplemented', `A header you provided implies functionality that is not implemented: ${unknown}`)
}

async function deleteObject(call: S3Call): Promise<S3Answer> {
  checkVersion(call)
  checkConditions(call)
  const bucket = bucketOf(call)
  const expect = await expectedAt(call, fileOf(bucket, call.key))
  if (!await remove(call, bucket, call.key, expect)) await checkBucket(call)
  return { status: 204 }
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
  const body = parse(await payload.text(), 'Delete', { elementsMax })
  const objects = elementsOf(body, 'Object')
  if (objects.length === 0 || objects.length > keysMax)
    throw new S3Error('MalformedXML',
      `The XML you provided was not well-formed or did not validate against our published schema: 1 to ${keysMax} objects`)
  const quiet = textOf(body, 'Quiet') === 'true'
  await checkBucket(call)
  const bucket = bucketOf(call)
  const results: XmlContent[] = Array.from({ length: objects.length })
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < objects.length) {
      const index = next++
      results[index] = await removeOne(call, bucket, objects[index]!)
    }
  }
  await Promise.all(Array.from({ length: Math.min(concurrency, objects.length) }, worker))
  const of = (name: string): XmlContent[] =>
    results.flatMap(result => { const found = (result as Record<string, XmlContent>)[name]; return found === undefined ? [] : [found] })
  return { xml: document('DeleteResult', { ...!quiet && { Deleted: of('Deleted') }, Error: of('Error') }) }
}

async function removeOne(call: S3Call, bucket: string, object: Element): Promise<XmlContent> {
  let key: string | undefined
  try {
    key = textOf(object, 'Key')
    if (!key) throw new S3Error('MalformedXML', 'An object without a key')
    const [version, etag] = ['VersionId', 'ETag'].map(name => textOf(object, name))
    const unknown = ['LastModifiedTime', 'Size'].find(name => elementsOf(object, name).length > 0)
    if (unknown !== undefined) throw new S3Error('NotImplemented', `A condition you provided is not implemented: ${unknown}`)
    if (version !== undefined && version !== 'null') throw new S3Error('NoSuchVersion', 'The specified version does not exist.')
    const expect = etag === undefined ? undefined : await expectedAt({ ...call, headers: { 'if-match': etag } }, fileOf(bucket, key))
    const named = key
    await call.forKey({ action: 's3:DeleteObject', key }, mill => remove({ mill, signal: call.signal }, bucket, named, expect))
    return { Deleted: { Key: key, ...version !== undefined && { VersionId: version } } }
  } catch (thrown) {
    if (call.signal.aborted) throw thrown
    const error: GristmillError = asError(thrown)
    return { Error: { Key: key, Code: s3ErrorOf(error), Message: error.message } }
  }
}

export const removingOperations: readonly S3Operation[] = [
  { name: 'DeleteObject', method: 'DELETE', on: 'object', missing: 'NoSuchKey', limits: 'without trash; no conditions on size and time',
    answer: deleteObject },
  { name: 'DeleteObjects', method: 'POST', on: 'bucket', with: ['delete'], limits: 'without trash; no conditions on size and time',
    answer: deleteObjects },
]
