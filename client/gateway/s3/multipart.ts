// Multipart uploads. An upload is a directory of the cluster, with the bucket and the key in an attribute; a part is a file in it, whose
// blocks become those of the object in one operation, without moving a byte. Any gateway answers any request of an upload.

import { createHash } from 'node:crypto'
import { hasCode } from '../../../src/base/errors.ts'
import { limits } from '../../../src/base/limits.ts'
import type { InodeId } from '../../../src/base/ids.ts'
import { uploadsDirectory } from '../../../src/protocol/object.ts'
import { compareKeys } from '../../../src/protocol/objectkey.ts'
import type { ObjectAttributes } from '../../files/objects.ts'
import {
  checksumOf, describedBy, etagName, etagOf, partsMax, uploadName, withChecksum, withEtag, withParts, type StoredChecksum,
} from './attributes.ts'
import { checkBucket, ownerOf, timeOf } from './buckets.ts'
import {
  canCombine, checksumHeader, checksumKinds, combined, composite, kindOf, type ChecksumKind, type ChecksumType,
} from './checksum.ts'
import { expectedAt } from './conditions.ts'
import { S3Error } from './errors.ts'
import type { S3Answer, S3Call, S3Operation } from './operation.ts'
import { bucketOf, fileOf } from './paths.ts'
import { openSource, store, sumOf } from './storing.ts'
import { Summed } from './summed.ts'
import { checkSupported } from './supported.ts'
import { tagsOfHeader } from './tags.ts'
import { document, type XmlContent } from './xml.ts'
import { elementsOf, parse, textOf } from './xmlreader.ts'

const partBytesMinDefault = 5 * 2 ** 20
/** Body of a completion: 10,000 parts with a checksum each. */
const completionBytesMax = 4 * 2 ** 20

/** The list itself, and for each part its own element, its number, its entity tag and a checksum of each kind. */
const completionElementsMax = 1 + partsMax * (3 + checksumKinds.length)

/** Description of the object that an upload will be, in an attribute of its directory. */
interface Upload {
  readonly bucket: string
  readonly key: string
  readonly kind?: ChecksumKind | undefined
  readonly type?: ChecksumType | undefined
  readonly attributes: ObjectAttributes
}

const noUpload = (cause?: unknown): S3Error =>
  new S3Error('NoSuchUpload', 'The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.', { cause })

const pathOf = (id: string): string => {
  if (!/^[0-9a-f]{24}$/.test(id)) throw noUpload()
  return `${uploadsDirectory}/${id}`
}

/** Names sort as their numbers. */
const nameOf = (part: number): string => String(part).padStart(5, '0')

interface FoundUpload extends Upload { readonly path: string; readonly id: string }

/** Description in the attributes of an upload's directory; undefined if no gateway has written it. */
function uploadIn(attributes: ObjectAttributes): Upload | undefined {
  try {
    const upload = JSON.parse(attributes[uploadName] ?? '{}') as Partial<Upload> | null
    return typeof upload?.bucket === 'string' && typeof upload.key === 'string' ? { attributes: {}, ...upload } as Upload : undefined
  } catch {
    return undefined
  }
}

/** The upload that a request names. Throws NoSuchUpload. */
async function uploadOf({ mill, bucket, key, query, signal }: S3Call): Promise<FoundUpload> {
  const id = query.get('uploadId') ?? ''
  const path = pathOf(id)
  try {
    const { attributes } = await mill.objects.get(path, { attributes: [uploadName], signal })
    const upload = uploadIn(attributes)
    if (upload?.bucket === bucket && upload.key === key) return { ...upload, path, id }
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw error
  }
  throw noUpload()
}

async function createUpload(call: S3Call): Promise<S3Answer> {
  const { mill, bucket, key, headers, signal } = call
  checkSupported(headers)
  await checkBucket(call)
  fileOf(bucketOf(call), key)
  const named = headers['x-amz-checksum-algorithm']
  const kind = named === undefined ? undefined : kindOf(String(named))
  if (named !== undefined && kind === undefined) throw new S3Error('InvalidRequest', 'Checksum algorithm provided is unsupported.')
  const type = (headers['x-amz-checksum-type'] as string | undefined)?.toUpperCase() as ChecksumType | undefined
    ?? (kind === undefined ? undefined : kind === 'CRC64NVME' ? 'FULL_OBJECT' : 'COMPOSITE')
  if (type !== undefined && kind !== undefined && (type === 'FULL_OBJECT' ? !canCombine(kind) : kind === 'CRC64NVME'
    || type !== 'COMPOSITE'))
    throw new S3Error('InvalidRequest', `The ${type} checksum type cannot be used with the ${kind} checksum algorithm.`)
  const id = call.newId()
  const path = pathOf(id)
  const upload: Upload = { bucket, key, kind, type, attributes: { ...describedBy(headers), ...tagsOfHeader(headers['x-amz-tagging']) } }
  await mill.objects.begin(path, { attributes: { [uploadName]: JSON.stringify(upload) }, signal })
  return {
    headers: kind ? { 'x-amz-checksum-algorithm': kind, 'x-amz-checksum-type': type! } : {},
    xml: document('InitiateMultipartUploadResult', { Bucket: bucket, Key: key, UploadId: id }),
  }
}

const partNumberOf = ({ query }: S3Call): number => {
  const text = query.get('partNumber') ?? ''
  const part = /^\d{1,6}$/.test(text) ? Number(text) : 0
  if (part >= 1 && part <= partsMax) return part
  throw new S3Error('InvalidArgument', `Part number must be an integer between 1 and ${partsMax}, inclusive`)
}

/** Publishes a part. An upload that has ended meanwhile is NoSuchUpload. */
const published = (work: Promise<unknown>): Promise<unknown> => work.catch((error: unknown) => {
  throw hasCode(error, 'ENOENT') ? noUpload(error) : error
})

async function uploadPart(call: S3Call): Promise<S3Answer> {
  const part = partNumberOf(call)
  const { path, kind } = await uploadOf(call)
  const payload = call.payload({ kind })
  if (kind !== undefined && payload.kind !== undefined && payload.kind !== kind)
    throw new S3Error('InvalidRequest', `Checksum Type mismatch occurred, expected checksum Type: ${kind.toLowerCase()}, actual checksum Type: ${payload.kind.toLowerCase()}`)
  return store({ mill: call.mill, signal: call.signal, bytes: payload.length }, payload.bytes(), async writer => {
    const sum = sumOf(payload, payload.kind ?? kind)
    await published(writer.publish(`${path}/${nameOf(part)}`,
      { attributes: { ...withEtag(payload.md5, payload.length), ...withChecksum(sum) } }))
    return { headers: { etag: `"${payload.md5}"`, ...sum && { [checksumHeader(sum.kind)]: sum.value } } }
  })
}

async function uploadPartCopy(call: S3Call): Promise<S3Answer> {
  const part = partNumberOf(call)
  const { path, kind } = await uploadOf(call)
  const source = await openSource(call)
  const { start, end } = copiedRange(call.headers['x-amz-copy-source-range'], source.length)
  const copy = new Summed(source.read(start, end), kind)
  return store(call, copy.bytes(), async writer => {
    await published(writer.publish(`${path}/${nameOf(part)}`, { attributes: copy.attributes }))
    return { xml: document('CopyPartResult', { LastModified: timeOf(call.nowMs()), ...copy.elements }) }
  })
}

/** Range of a part's source: unlike that of a read, it has a first and a last byte, and lies in the source. */
function copiedRange(header: string | string[] | undefined, length: number): { readonly start: number; readonly end: number } {
  if (header === undefined) return { start: 0, end: length }
  const [, first, last] = /^bytes=(\d{1,15})-(\d{1,15})$/.exec(String(header)) ?? []
  if (first === undefined || Number(last) < Number(first))
    throw new S3Error('InvalidArgument', 'The x-amz-copy-source-range value must be of the form bytes=first-last')
  if (Number(last) >= length)
    throw new S3Error('InvalidRange', `The range ${String(header)} is not in the source, which has ${length} bytes: a part of another length than you asked for would be stored`)
  return { start: Number(first), end: Number(last) + 1 }
}

interface Part {
  readonly number: number
  readonly id: InodeId
  readonly bytes: number
  readonly mtimeMs: number
  readonly etag: string
  readonly sum: StoredChecksum | undefined
}

const partNames = [etagName, 'user.s3.checksum']

/** A page of the parts of an upload, in order. */
async function partsAfter({ mill, signal }: S3Call, path: string, after: number, limit: number): Promise<{ parts: Part[]; more: boolean }> {
  const { entries, next } = await mill.objects.list(path,
    { after: after > 0 ? nameOf(after) : undefined, limit, attributes: partNames, signal })
  const parts = entries.filter(({ key, status }) => status?.type === 'file'
    && /^\d{5}$/.test(key)).map(({ key, status, attributes }): Part => ({
    number: Number(key), id: status!.id, bytes: status!.length, mtimeMs: status!.mtimeMs, etag: etagOf(status!, attributes, mill.cluster),
    sum: checksumOf(attributes, status!.length),
  }))
  return { parts, more: next !== undefined }
}

async function allParts(call: S3Call, path: string): Promise<Map<number, Part>> {
  const found = new Map<number, Part>()
  for (let after = 0, more = true; more;) {
    const page = await partsAfter(call, path, after, limits.listPageMax)
    for (const part of page.parts) found.set(part.number, part)
    after = page.parts.at(-1)?.number ?? partsMax
    more = page.more
  }
  return found
}

async function listParts(call: S3Call): Promise<S3Answer> {
  const { bucket, key, user, query } = call
  const { path, id, kind, type } = await uploadOf(call)
  const max = Math.min(query.integer('max-parts', 0, 2 ** 31 - 1) ?? limits.listPageMax, limits.listPageMax)
  const marker = query.integer('part-number-marker', 0, 2 ** 31 - 1) ?? 0
  const { parts, more } = max === 0 ? { parts: [], more: false } : await partsAfter(call, path, Math.min(marker, 99_999), max)
  return {
    xml: document('ListPartsResult', {
      Bucket: bucket, Key: key, UploadId: id, Initiator: ownerOf(user), Owner: ownerOf(user), StorageClass: 'STANDARD',
      PartNumberMarker: marker, NextPartNumberMarker: parts.at(-1)?.number ?? 0, MaxParts: max, IsTruncated: more,
      ChecksumAlgorithm: kind, ChecksumType: type,
      Part: parts.map(({ number, mtimeMs, etag, bytes, sum }) => ({
        PartNumber: number, LastModified: timeOf(mtimeMs), ETag: `"${etag}"`, Size: bytes, ...sum && { [`Checksum${sum.kind}`]: sum.value },
      })),
    }),
  }
}

/** The parts that a completion names, in its order. Throws MalformedXML, InvalidPart, InvalidPartOrder, EntityTooSmall. */
function chosen(text: string, stored: ReadonlyMap<number, Part>, partBytesMin = partBytesMinDefault): Part[] {
  const asked = elementsOf(parse(text, 'CompleteMultipartUpload', { elementsMax: completionElementsMax }), 'Part')
  if (asked.length === 0 || asked.length > partsMax)
    throw new S3Error('MalformedXML', `The XML you provided was not well-formed or did not validate against our published schema: 1 to ${partsMax} parts`)
  let before = 0
  return asked.map((element, index) => {
    const number = Number(textOf(element, 'PartNumber'))
    const etag = textOf(element, 'ETag')?.trim().replaceAll('"', '')
    if (!Number.isInteger(number) || number < 1 || number > partsMax || etag === undefined)
      throw new S3Error('MalformedXML', 'The XML you provided was not well-formed or did not validate against our published schema: a part without its number or its ETag')
    if (number <= before) throw new S3Error('InvalidPartOrder',
      'The list of parts was not in ascending order. The parts list must be specified in order by part number.')
    before = number
    const part = stored.get(number)
    const wrong = part && checksumKinds.some(kind => {
      const sum = textOf(element, `Checksum${kind}`)
      return sum !== undefined && (part.sum?.kind !== kind || part.sum.value !== sum)
    })
    if (!part || part.etag !== etag || wrong)
      throw new S3Error('InvalidPart', `One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag: part ${number}.`)
    if (part.bytes < partBytesMin && index < asked.length - 1)
      throw new S3Error(
        'EntityTooSmall',
        `Your proposed upload is smaller than the minimum allowed size: part ${number} has ${part.bytes} bytes, and all parts but the last need ${partBytesMin}`,
      )
    return part
  })
}

function sumOfParts({ kind, type }: Upload, parts: readonly Part[]): StoredChecksum | undefined {
  if (kind === undefined || parts.some(({ sum }) => sum?.kind !== kind)) return undefined
  if (type === 'FULL_OBJECT') return { kind, type, value: combined(kind, parts.map(({ sum, bytes }) => ({ checksum: sum!.value, bytes }))) }
  return { kind, type: 'COMPOSITE', value: composite(kind, parts.map(({ sum }) => sum!.value)) }
}

async function completeUpload(call: S3Call): Promise<S3Answer> {
  const text = await call.payload({ bytesMax: completionBytesMax }).text()
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
  const parts = chosen(text, await allParts(call, upload.path), call.partBytesMin)
  const expect = await expectedAt(call, to)
  const bytes = parts.reduce((total, part) => total + part.bytes, 0)
  const size = headers['x-amz-mp-object-size']
  if (size !== undefined && Number(size) !== bytes)
    throw new S3Error('InvalidRequest', `The provided 'x-amz-mp-object-size' header does not match the size of the parts: ${bytes}`)
  const etag = `${createHash('md5').update(Buffer.concat(parts.map(part => Buffer.from(part.etag, 'hex')))).digest('hex')}-${parts.length}`
  const sum = sumOfParts(upload, parts)
  checkWhole(headers, sum)
  const attributes = {
    ...upload.attributes, ...withEtag(etag, bytes), ...withChecksum(sum), ...withParts(parts.map(part => part.bytes)),
      [uploadName]: upload.id,
  }
  try {
    await mill.objects.join(upload.path, to, {
      base, parents: true, parts: parts.map(({ number, id }) => ({ name: nameOf(number), id })), attributes, expect, signal,
    })
  } catch (error) {
    if (!hasCode(error, 'ESTALE') || expect !== undefined) throw error
    throw new S3Error('InvalidPart', 'A part was replaced while the upload was completed; list the parts again.', { cause: error })
  }
  return completed(bucket, key, etag, sum)
}

/** A checksum of the whole object that the client names must be the one of its parts. */
function checkWhole(headers: S3Call['headers'], sum: StoredChecksum | undefined): void {
  for (const kind of checksumKinds) {
    const value = headers[checksumHeader(kind)]
    if (value === undefined) continue
    if (sum?.kind === kind && sum.value !== String(value)) throw new S3Error('BadDigest',
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
  const found = await mill.objects.get(path, { attributes: [uploadName, etagName, 'user.s3.checksum'], signal }).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  })
  if (found?.status.type !== 'file' || found.attributes[uploadName] !== query.get('uploadId')) return undefined
  const { status, attributes } = found
  return completed(bucket, key, etagOf(status, attributes, mill.cluster), checksumOf(attributes, status.length))
}

async function abortUpload(call: S3Call): Promise<S3Answer> {
  const { path } = await uploadOf(call)
  await published(call.mill.rm(path, { recursive: true, skipTrash: true, signal: call.signal }))
  return { status: 204 }
}

interface OpenUpload {
  readonly key: string
  readonly id: string
  readonly mtimeMs: number
  readonly owner: string
  readonly kind?: ChecksumKind | undefined
}

/** Uploads of this user that are open, in the order of their keys and ids. Looks at all uploads of the cluster. */
async function listUploads(call: S3Call): Promise<S3Answer> {
  const { mill, bucket, query, signal } = call
  await checkBucket(call)
  const max = Math.min(query.integer('max-uploads', 0, 2 ** 31 - 1) ?? limits.listPageMax, limits.listPageMax)
  const [prefix, delimiter, keyMarker, idMarker] =
    ['prefix', 'delimiter', 'key-marker', 'upload-id-marker'].map(name => query.get(name) || undefined)
  const open: OpenUpload[] = []
  const order = (a: OpenUpload, b: OpenUpload): number => compareKeys(a.key, b.key) || compareKeys(a.id, b.id)
  let after: string | undefined
  do {
    const page = await mill.objects.list(uploadsDirectory,
      { delimiter: '/', after, attributes: [uploadName], signal }).catch((error: unknown) => {
      if (hasCode(error, 'ENOENT')) return { entries: [], next: undefined }
      throw error
    })
    for (const { key: name, status, attributes } of page.entries) {
      const upload = uploadIn(attributes)
      if (upload?.bucket !== bucket || !upload.key.startsWith(prefix ?? '')) continue
      const one = { key: upload.key, id: name.slice(0, -1), mtimeMs: status!.mtimeMs, owner: status!.owner, kind: upload.kind }
      const isBefore = keyMarker !== undefined
        && (compareKeys(one.key, keyMarker) < 0 || (one.key === keyMarker && (idMarker === undefined || one.id <= idMarker)))
      if (!isBefore) open.push(one)
    }
    // A page is what is kept: uploads of all users are too many for memory.
    if (open.length > 10 * limits.listPageMax) open.sort(order).splice(max + 1)
    after = page.next
  } while (after !== undefined)
  open.sort(order)
  const prefixes = new Set<string>()
  const shown: OpenUpload[] = []
  for (const one of open) {
    const end = delimiter === undefined ? -1 : one.key.indexOf(delimiter, prefix?.length ?? 0)
    if (end < 0) shown.push(one)
    else prefixes.add(one.key.slice(0, end + delimiter!.length))
    if (shown.length + prefixes.size > max) break
  }
  const truncated = shown.length + prefixes.size > max
  if (truncated) shown.pop()
  const last = shown.at(-1)
  return {
    xml: document('ListMultipartUploadsResult', {
      Bucket: bucket, KeyMarker: keyMarker ?? '', UploadIdMarker: idMarker ?? '', NextKeyMarker: truncated ? last?.key : undefined,
      NextUploadIdMarker: truncated ? last?.id : undefined, Prefix: prefix, Delimiter: delimiter, MaxUploads: max, IsTruncated: truncated,
      Upload: shown.map(({ key, id, mtimeMs, owner, kind }): XmlContent => ({
        Key: key, UploadId: id, Initiator: ownerOf(owner), Owner: ownerOf(owner), StorageClass: 'STANDARD', Initiated: timeOf(mtimeMs),
        ChecksumAlgorithm: kind,
      })),
      CommonPrefixes: [...prefixes].map(each => ({ Prefix: each })),
    }),
  }
}

export const multipartOperations: readonly S3Operation[] = [
  { name: 'CreateMultipartUpload', method: 'POST', on: 'object', with: ['uploads'], answer: createUpload },
  { name: 'UploadPart', method: 'PUT', on: 'object', with: ['uploadId'], missing: 'NoSuchUpload', answer: uploadPart },
  {
    name: 'UploadPartCopy', method: 'PUT', on: 'object', with: ['uploadId'], header: 'x-amz-copy-source', missing: 'NoSuchUpload',
    limits: 'the bytes pass through the gateway', answer: uploadPartCopy,
  },
  { name: 'CompleteMultipartUpload', method: 'POST', on: 'object', with: ['uploadId'], missing: 'NoSuchUpload', answer: completeUpload },
  { name: 'AbortMultipartUpload', method: 'DELETE', on: 'object', with: ['uploadId'], missing: 'NoSuchUpload', answer: abortUpload },
  { name: 'ListParts', method: 'GET', on: 'object', with: ['uploadId'], missing: 'NoSuchUpload', answer: listParts },
  { name: 'ListMultipartUploads', method: 'GET', on: 'bucket', with: ['uploads'], limits: 'those that the user may read',
    answer: listUploads },
]
