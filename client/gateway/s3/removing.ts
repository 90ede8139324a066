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
import { document, elementsOf, parse, textOf, type Parsed, type XmlContent } from './xml.ts'

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
  if (file || !isDirectoryKey(key)) return file
  // A directory with keys below it stays, and is no key itself any more.
  return ifThere(() => mill.objects.rm(directoryOf(bucket, key), { keep: bucket, directory: true, attributes: [etagName], signal }))
}

async function deleteObject(call: S3Call): Promise<S3Answer> {
  checkVersion(call)
  const bucket = bucketOf(call)
  const expect = await expectedAt(call, fileOf(bucket, call.key))
  if (!await remove(call, bucket, call.key, expect)) await checkBucket(call)
  return { status: 204 }
}

const keysMax = 1000
/** Bounds of the body: names and versions of 1,000 keys of 1 KiB, in which each character may be escaped. */
const bytesMax = 8 * 2 ** 20
/** Removals at a time. */
const concurrency = 16

async function deleteObjects(call: S3Call): Promise<S3Answer> {
  const payload = call.payload({ bytesMax })
  if (!payload.hasDigest) throw new S3Error('InvalidRequest', 'Missing required header for this request: Content-MD5 OR x-amz-checksum-*')
  const body = parse(await payload.text(), 'Delete')
  const objects = elementsOf(body, 'Object')
  if (objects.length === 0 || objects.length > keysMax)
    throw new S3Error('MalformedXML', `The XML you provided was not well-formed or did not validate against our published schema: 1 to ${keysMax} objects`)
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

async function removeOne(call: S3Call, bucket: string, object: Parsed): Promise<XmlContent> {
  const [key, version, etag] = ['Key', 'VersionId', 'ETag'].map(name => textOf(object, name))
  if (!key) return { Error: { Code: 'MalformedXML', Message: 'An object without a key' } }
  try {
    if (version !== undefined && version !== 'null') throw new S3Error('NoSuchVersion', 'The specified version does not exist.')
    const expect = etag === undefined ? undefined : await expectedAt({ ...call, headers: { 'if-match': etag } }, fileOf(bucket, key))
    await remove(call, bucket, key, expect)
    return { Deleted: { Key: key, ...version !== undefined && { VersionId: version } } }
  } catch (thrown) {
    if (call.signal.aborted) throw thrown
    const error: GristmillError = asError(thrown)
    return { Error: { Key: key, Code: s3ErrorOf(error), Message: error.message } }
  }
}

export const removingOperations: readonly S3Operation[] = [
  { name: 'DeleteObject', method: 'DELETE', on: 'object', missing: 'NoSuchKey', limits: 'without trash', answer: deleteObject },
  { name: 'DeleteObjects', method: 'POST', on: 'bucket', with: ['delete'], limits: 'without trash', answer: deleteObjects },
]
