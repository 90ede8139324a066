// The end of an upload: the parts that the client names become the object, in one operation. A completion that is repeated is answered from
// the object that it had made.
// INVARIANT: other requests do not wait for a completion of 10,000 parts: its document is read in slices (S3Call.pause).

import { createHash } from 'node:crypto'
import { hasCode } from '../../../src/base/errors.ts'
import {
  checksumOf, etagName, etagOf, partsMax, uploadName, versionName, withChecksum, withEtag, withParts, type StoredChecksum,
} from './attributes.ts'
import { canCombine, checksumHeader, checksumKinds, combined, composite } from './checksum.ts'
import { expectedAt, keyAttributesOf } from './conditions.ts'
import { S3Error } from './errors.ts'
import { expirationHeader } from './expiration.ts'
import type { S3Answer, S3Call } from './operation.ts'
import { allParts, type UploadedPart } from './parts.ts'
import { bucketOf, directoryIn, fileOf } from './paths.ts'
import { nameOf, uploadOf, type Upload } from './upload.ts'
import { storedVersion } from './versioning.ts'
import { document } from './xml.ts'
import { elementsOf, parseInSlices, textOf, type Element } from './xmlreader.ts'

const partBytesMinDefault = 5 * 2 ** 20
/** Body of a completion: 10,000 parts with a checksum each. */
const completionBytesMax = 4 * 2 ** 20
/** The list itself, and for each part its own element, its number, its entity tag and a checksum of each kind. */
const completionElementsMax = 1 + partsMax * (3 + checksumKinds.length)
/** Parts that are compared in one piece: some milliseconds. */
const sliceParts = 1000

/** The parts that a completion names, in its order. Throws MalformedXML, InvalidPart, InvalidPartOrder, EntityTooSmall. */
async function chosen(
  { pause, partBytesMin = partBytesMinDefault }: S3Call, text: string, stored: ReadonlyMap<number, UploadedPart>,
): Promise<UploadedPart[]> {
  const list = await parseInSlices(text, 'CompleteMultipartUpload', { elementsMax: completionElementsMax }, pause)
  const asked = elementsOf(list, 'Part')
  if (asked.length === 0 || asked.length > partsMax)
    throw new S3Error('MalformedXML', `The XML you provided was not well-formed or did not validate against our published schema: 1 to ${partsMax} parts`)
  await checkOrder(asked, pause)
  const parts: UploadedPart[] = []
  for (const element of asked) {
    const part = partNamed(element, stored)
    parts.push(part)
    if (part.bytes < partBytesMin && parts.length < asked.length)
      throw new S3Error(
        'EntityTooSmall',
        `Your proposed upload is smaller than the minimum allowed size: part ${part.number} has ${part.bytes} bytes, and all parts but the last need ${partBytesMin}`,
      )
    if (parts.length % sliceParts === 0) await pause()
  }
  return parts
}

/** Before any part is looked at. Throws InvalidPartOrder. */
async function checkOrder(asked: readonly Element[], pause: S3Call['pause']): Promise<void> {
  let before = 0
  for (const [i, element] of asked.entries()) {
    const number = Number(textOf(element, 'PartNumber'))
    if (number <= before && number >= 1) throw new S3Error('InvalidPartOrder',
      'The list of parts was not in ascending order. The parts list must be specified in order by part number.')
    before = number
    if (i % sliceParts === sliceParts - 1) await pause()
  }
}

function partNamed(element: Element, stored: ReadonlyMap<number, UploadedPart>): UploadedPart {
  const number = Number(textOf(element, 'PartNumber'))
  const etag = textOf(element, 'ETag')?.trim().replaceAll('"', '')
  if (!Number.isInteger(number) || number < 1 || number > partsMax || etag === undefined)
    throw new S3Error('MalformedXML', 'The XML you provided was not well-formed or did not validate against our published schema: a part without its number or its ETag')
  const part = stored.get(number)
  const wrong = part && checksumKinds.some(kind => {
    const sum = textOf(element, `Checksum${kind}`)
    return sum !== undefined && (part.sum?.kind !== kind || part.sum.value !== sum)
  })
  if (!part || part.etag !== etag || wrong)
    throw new S3Error('InvalidPart', `One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag: part ${number}.`)
  return part
}

function sumOfParts({ kind, type }: Upload, parts: readonly UploadedPart[]): StoredChecksum | undefined {
  if (kind === undefined || parts.some(({ sum }) => sum?.kind !== kind)) return undefined
  if (type === 'FULL_OBJECT') return { kind, type, value: combined(kind, parts.map(({ sum, bytes }) => ({ checksum: sum!.value, bytes }))) }
  return { kind, type: 'COMPOSITE', value: composite(kind, parts.map(({ sum }) => sum!.value)) }
}

export async function completeUpload(call: S3Call): Promise<S3Answer> {
  const text = await call.payload({ bytesMax: completionBytesMax, ofObject: true }).text()
  try {
    return await complete(call, text)
  } catch (error) {
    // Another request may have completed the upload, before or meanwhile: then what is in the way of this one is its own object.
    const mayBeDone = hasCode(error, 'ENOENT', 'EEXIST', 'ESTALE')
      || (error instanceof S3Error && ['NoSuchUpload', 'PreconditionFailed', 'InvalidPart'].includes(error.name3))
    const done = mayBeDone ? await completedBefore(call) : undefined
    if (done) return done
    throw error
  }
}

async function complete(call: S3Call, text: string): Promise<S3Answer> {
  const { mill, bucket, key, headers, signal } = call
  const base = bucketOf(call)
  const to = fileOf(base, key)
  const upload = await uploadOf(call)
  const parts = await chosen(call, text, await allParts(call, upload.path))
  const expect = await expectedAt(call, to, directoryIn(base, key))
  const bytes = parts.reduce((total, part) => total + part.bytes, 0)
  const size = headers['x-amz-mp-object-size']
  if (size !== undefined && Number(size) !== bytes)
    throw new S3Error('InvalidRequest', `The provided 'x-amz-mp-object-size' header does not match the size of the parts: ${bytes}`)
  const etag = `${createHash('md5').update(Buffer.concat(parts.map(part => Buffer.from(part.etag, 'hex')))).digest('hex')}-${parts.length}`
  const sum = sumOfParts(upload.kind === undefined ? { ...upload, ...named(headers) } : upload, parts)
  checkWhole(headers, sum)
  const attributes = {
    ...upload.attributes, ...withEtag(etag, bytes), ...withChecksum(sum), ...withParts(parts.map(part => part.bytes)),
      [uploadName]: upload.id,
  }
  try {
    const stored = await mill.objects.join(upload.path, to, {
      base, parents: true, parts: parts.map(({ number, id }) => ({ name: nameOf(number), id })), attributes, expect,
      ...keyAttributesOf(key), signal,
    })
    const expiration = expirationHeader(call, { bytes, mtimeMs: stored.mtimeMs, attributes })
    return { ...completed(bucket, key, etag, sum), headers: { ...storedVersion(call, stored), ...expiration } }
  } catch (error) {
    if (!hasCode(error, 'ESTALE') || expect !== undefined) throw error
    throw new S3Error('InvalidPart', 'A part was replaced while the upload was completed; list the parts again.', { cause: error })
  }
}

/**
 * Kind of the checksum of the object that the client names for an upload that was begun without one: its parts may have theirs all the
 * same, as AWS takes it.
 */
function named(headers: S3Call['headers']): Pick<Upload, 'kind' | 'type'> {
  const kind = checksumKinds.find(each => headers[checksumHeader(each)] !== undefined)
  if (kind === undefined) return {}
  const isComposite = !canCombine(kind) || /-\d+$/.test(String(headers[checksumHeader(kind)]))
  return { kind, type: isComposite ? 'COMPOSITE' : 'FULL_OBJECT' }
}

/**
 * A checksum of the whole object that the client names must be the one of its parts. Of a composite one minio's clients leave out the
 * number of parts at its end.
 */
function checkWhole(headers: S3Call['headers'], sum: StoredChecksum | undefined): void {
  for (const kind of checksumKinds) {
    const value = headers[checksumHeader(kind)]
    if (value === undefined) continue
    if (sum?.kind !== kind) {
      const why = sum ? `the upload was begun with ${sum.kind}` : 'not every part was sent with one'
      throw new S3Error('InvalidRequest', `The ${kind} of the object cannot be checked: ${why}.`)
    }
    const bare = sum.type === 'COMPOSITE' ? sum.value.replace(/-\d+$/, '') : sum.value
    if (value !== sum.value && value !== bare) throw new S3Error('BadDigest',
      `The ${kind} you specified did not match the calculated checksum.`)
  }
}

const completed = (bucket: string, key: string, etag: string, sum: StoredChecksum | undefined): S3Answer => ({
  xml: document('CompleteMultipartUploadResult', {
    Location: `/${bucket}/${key.split('/').map(encodeURIComponent).join('/')}`, Bucket: bucket, Key: key, ETag: `"${etag}"`,
    ...sum && { [`Checksum${sum.kind}`]: sum.value, ChecksumType: sum.type },
  }),
})

/**
 * S3Answer to a completion that is repeated because its first answer was lost: the object tells by which upload it was made. Throws what
 * the look at it throws: without it the upload may have been completed or aborted, and the client must ask again.
 */
async function completedBefore(call: S3Call): Promise<S3Answer | undefined> {
  const { mill, bucket, key, query, signal } = call
  const path = fileOf(bucketOf(call), key)
  const attributesOf = [uploadName, etagName, versionName, 'user.s3.checksum']
  const found = await mill.objects.get(path, { attributes: attributesOf, signal }).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  })
  if (found?.status.type !== 'file' || found.attributes[uploadName] !== query.get('uploadId')) return undefined
  const { status, attributes } = found
  return {
    ...completed(bucket, key, etagOf(status, attributes, mill.cluster), checksumOf(attributes, status.length)),
    headers: storedVersion(call, { objectVersion: attributes[versionName] }),
  }
}
