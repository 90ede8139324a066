// Parts of an upload: stored from a body or from another object, and listed in the order of their numbers.

import type { InodeId } from '../../../src/base/ids.ts'
import { limits } from '../../../src/base/limits.ts'
import { checksumOf, etagName, etagOf, partsMax, withChecksum, withEtag, type StoredChecksum } from './attributes.ts'
import { ownerOf, timeOf } from './buckets.ts'
import { checksumHeader } from './checksum.ts'
import { S3Error } from './errors.ts'
import type { S3Answer, S3Call } from './operation.ts'
import { openSource, sourceVersion, store, sumOf } from './storing.ts'
import { Summed } from './summed.ts'
import { checkNotEncrypted } from './supported.ts'
import { nameOf, unlessEnded, uploadOf } from './upload.ts'
import { document } from './xml.ts'

const partNumberOf = ({ query }: S3Call): number => {
  const text = query.get('partNumber') ?? ''
  const part = /^\d{1,6}$/.test(text) ? Number(text) : 0
  if (part >= 1 && part <= partsMax) return part
  throw new S3Error('InvalidArgument', `Part number must be an integer between 1 and ${partsMax}, inclusive`)
}

export async function uploadPart(call: S3Call): Promise<S3Answer> {
  checkNotEncrypted(call.headers)
  const part = partNumberOf(call)
  const { path, kind } = await uploadOf(call)
  const payload = call.payload({ kind })
  if (kind !== undefined && payload.kind !== undefined && payload.kind !== kind)
    throw new S3Error('InvalidRequest', `Checksum Type mismatch occurred, expected checksum Type: ${kind.toLowerCase()}, actual checksum Type: ${payload.kind.toLowerCase()}`)
  const { mill, signal } = call
  const to = `${path}/${nameOf(part)}`
  return store({ mill, signal, bytes: payload.length, to }, payload.bytes({ reuse: true }), async writer => {
    const sum = sumOf(payload, payload.kind ?? kind)
    await unlessEnded(writer.publish(to,
      { attributes: { ...withEtag(payload.md5, payload.length), ...withChecksum(sum) } }))
    return { headers: { etag: `"${payload.md5}"`, ...sum && { [checksumHeader(sum.kind)]: sum.value } } }
  })
}

export async function uploadPartCopy(call: S3Call): Promise<S3Answer> {
  checkNotEncrypted(call.headers)
  const part = partNumberOf(call)
  const { path, kind } = await uploadOf(call)
  const source = await openSource(call)
  const { start, end } = copiedRange(call.headers['x-amz-copy-source-range'], source.length)
  const copy = new Summed(source.read(start, end), kind)
  const to = `${path}/${nameOf(part)}`
  return store({ mill: call.mill, signal: call.signal, bytes: end - start, to }, copy.bytes(), async writer => {
    await unlessEnded(writer.publish(to, { attributes: copy.attributes }))
    return { headers: sourceVersion(source), xml: document('CopyPartResult', { LastModified: timeOf(call.nowMs()), ...copy.elements }) }
  })
}

/** Range of a part's source: unlike that of a read, it has a first and a last byte, and lies in the source. */
function copiedRange(header: string | string[] | undefined, length: number): { readonly start: number; readonly end: number } {
  if (header === undefined) return { start: 0, end: length }
  const [, first, last] = /^bytes=(\d{1,15})-(\d{1,15})$/.exec(String(header)) ?? []
  if (first === undefined || Number(last) < Number(first))
    throw new S3Error('InvalidArgument', 'The x-amz-copy-source-range value must be of the form bytes=first-last')
  if (Number(last) >= length)
    throw new S3Error('InvalidArgument', `Range specified is not valid for source object of size: ${length}`)
  return { start: Number(first), end: Number(last) + 1 }
}

export interface UploadedPart {
  readonly number: number
  readonly id: InodeId
  readonly bytes: number
  readonly mtimeMs: number
  readonly etag: string
  readonly sum: StoredChecksum | undefined
}

const partNames = [etagName, 'user.s3.checksum']

/** A page of the parts of an upload, in order. */
async function partsAfter(
  { mill, signal }: S3Call, path: string, after: number, limit: number,
): Promise<{ parts: UploadedPart[]; more: boolean }> {
  const { entries, next } = await mill.objects.list(path,
    { after: after > 0 ? nameOf(after) : undefined, limit, attributes: partNames, signal })
  const parts = entries.filter(({ key, status }) => status?.type === 'file'
    && /^\d{5}$/.test(key)).map(({ key, status, attributes }): UploadedPart => ({
    number: Number(key), id: status!.id, bytes: status!.length, mtimeMs: status!.mtimeMs, etag: etagOf(status!, attributes, mill.cluster),
    sum: checksumOf(attributes, status!.length),
  }))
  return { parts, more: next !== undefined }
}

export async function allParts(call: S3Call, path: string): Promise<Map<number, UploadedPart>> {
  const found = new Map<number, UploadedPart>()
  for (let after = 0, more = true; more;) {
    const page = await partsAfter(call, path, after, limits.listPageMax)
    for (const part of page.parts) found.set(part.number, part)
    after = page.parts.at(-1)?.number ?? partsMax
    more = page.more
  }
  return found
}

export async function listParts(call: S3Call): Promise<S3Answer> {
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
