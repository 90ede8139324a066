// Facts of an object beside its bytes, in extended attributes of the file: entity tag, content headers and user metadata, checksum, sizes
// of the parts. A file that was not written through S3 has none, and gets an entity tag from its identity: a file never changes.
// INVARIANT: every user who may write a file may set its attributes, to anything. What is read here has the form that was written, or is
// left out; facts about the bytes hold for a file of the length that stands beside the entity tag.

import { createHash } from 'node:crypto'
import type { FileStatus } from '../../../src/protocol/namespace.ts'
import type { ObjectAttributes } from '../../files/objects.ts'
import type { HeaderFields } from '../exchange.ts'
import { checksumHeader, isChecksum, kindOf, type ChecksumKind, type ChecksumType } from './checksum.ts'
import { S3Error } from './errors.ts'
import type { Headers } from './payload.ts'

const names = {
  /** Entity tag and length: of a file that was written again by other means, with the old attributes, the tag is not used. */
  etag: 'user.s3.etag', headers: 'user.s3.headers', checksum: 'user.s3.checksum', parts: 'user.s3.parts', tags: 'user.s3.tags',
  upload: 'user.s3.upload', cors: 'user.s3.cors', policy: 'user.s3.bucket.policy', bucketTags: 'user.s3.bucket.tags',
  lifecycle: 'user.s3.bucket.lifecycle', version: 'system.s3.version', versioning: 'system.s3.versioning',
} as const

export const etagName = names.etag
export const uploadName = names.upload
export const tagsName = names.tags
/** Of the directory of a bucket: only its owner sets them (src/protocol/xattr.ts). */
export const corsName = names.cors
export const policyName = names.policy
export const bucketTagsName = names.bucketTags
export const lifecycleName = names.lifecycle
/** Of the system: no user sets them (namenode/namespace/keyversions.ts). */
export const versionName = names.version
export const versioningName = names.versioning
/** Attributes that an answer about one object needs. */
export const objectNames: readonly string[] = [names.etag, names.headers, names.checksum, names.parts, names.tags]

const contentHeaders = [
  'content-type', 'cache-control', 'content-disposition', 'content-encoding', 'content-language', 'expires',
] as const

/** User metadata: names and values together, as in S3. */
const metadataBytesMax = 2048
/** Parts of an upload, at most. */
export const partsMax = 10_000
const metadataPrefix = 'x-amz-meta-'
/** Content headers together. */
const headerBytesMax = 8192

/** What Node's server sends as the value of a header. */
export const headerValue = /^[\t\x20-\x7e\x80-\xff]*$/ // oxlint-disable-line no-control-regex

/** Content headers and user metadata of a request that stores an object. Throws MetadataTooLarge. */
export function describedBy(headers: Headers): ObjectAttributes {
  const kept: Record<string, string> = {}
  let [metadata, bytes] = [0, 0]
  for (const name of contentHeaders) {
    const value = headers[name]
    // `aws-chunked` encodes the request, not the object.
    const text = name === 'content-encoding' ? withoutChunked(value) : value
    if (typeof text === 'string' && text !== '') {
      kept[name] = text
      bytes += text.length
    }
  }
  for (const [name, value] of Object.entries(headers)) {
    if (!name.startsWith(metadataPrefix) || value === undefined) continue
    kept[name] = Array.isArray(value) ? value.join(',') : value
    metadata += name.length - metadataPrefix.length + kept[name].length
  }
  if (metadata > metadataBytesMax || bytes > headerBytesMax)
    throw new S3Error('MetadataTooLarge', 'Your metadata headers exceed the maximum allowed metadata size.')
  return Object.keys(kept).length === 0 ? {} : { [names.headers]: JSON.stringify(kept) }
}

const withoutChunked = (value: string | string[] | undefined): string | undefined =>
  value === undefined ? undefined : String(value).split(',').map(each => each.trim()).filter(each =>
    each.toLowerCase() !== 'aws-chunked').join(',')

export const withEtag = (etag: string, length: number): ObjectAttributes => ({ [names.etag]: `${etag} ${length}` })

export interface StoredChecksum { readonly kind: ChecksumKind; readonly value: string; readonly type: ChecksumType }

export const withChecksum = (sum: StoredChecksum | undefined): ObjectAttributes =>
  (sum ? { [names.checksum]: `${sum.kind} ${sum.value} ${sum.type}` } : {})

/** Checksum of a file of this length; undefined if it has none. */
export function checksumOf(attributes: ObjectAttributes, length: number): StoredChecksum | undefined {
  const [name = '', value = '', type] = attributes[names.checksum]?.split(' ') ?? []
  const kind = kindOf(name)
  if (kind === undefined || (type !== 'FULL_OBJECT' && type !== 'COMPOSITE') || !isAbout(attributes, length)) return undefined
  return isChecksum(kind, type === 'COMPOSITE' ? value.replace(/-\d{1,5}$/, '') : value) ? { kind, value, type } : undefined
}

export const checksumFields = ({ kind, value, type }: StoredChecksum): HeaderFields =>
  ({ [checksumHeader(kind)]: value, 'x-amz-checksum-type': type })

/** Sizes of the parts of an object; left out if they do not fit into an attribute. */
export function withParts(sizes: readonly number[]): ObjectAttributes {
  const runs: [size: number, count: number][] = []
  for (const size of sizes) {
    const last = runs.at(-1)
    if (last?.[0] === size) last[1]++
    else runs.push([size, 1])
  }
  const text = runs.map(([size, count]) => (count === 1 ? `${size}` : `${size}*${count}`)).join(' ')
  return text.length > 8192 ? {} : { [names.parts]: text }
}

/** Sizes of the parts of a file of this length. */
export function partsOf(attributes: ObjectAttributes, length: number): number[] | undefined {
  const text = attributes[names.parts]
  if (text === undefined || !isAbout(attributes, length)) return undefined
  const sizes: number[] = []
  for (const run of text.split(' ')) {
    const [, size, count = '1'] = /^(\d{1,15})(?:\*(\d{1,5}))?$/.exec(run) ?? []
    if (size === undefined || sizes.length + Number(count) > partsMax) return undefined
    for (let i = 0; i < Number(count); i++) sizes.push(Number(size))
  }
  return sizes.reduce((sum, size) => sum + size, 0) === length ? sizes : undefined
}

const tagForm = /^([0-9a-f]{32}(?:-\d{1,5})?) (\d{1,15})$/

function tagOf(attributes: ObjectAttributes): { readonly etag: string; readonly length: number } | undefined {
  const [, etag, length] = tagForm.exec(attributes[names.etag] ?? '') ?? []
  return etag === undefined ? undefined : { etag, length: Number(length) }
}

/** False for a file that was written again by other means since, for instance with an append, and has kept its attributes. */
const isAbout = (attributes: ObjectAttributes, length: number): boolean => tagOf(attributes)?.length === length

/** Entity tag without quotes. */
export function etagOf({ id, length }: Pick<FileStatus, 'id' | 'length'>, attributes: ObjectAttributes, cluster: string): string {
  const tag = tagOf(attributes)
  if (tag?.length === length) return tag.etag
  // Not the form of an MD5, so that no client compares it with one.
  return `${createHash('md5').update(`${cluster} ${id}`).digest('hex')}-1`
}

/** Headers that describe an object. */
export function fieldsOf(attributes: ObjectAttributes): Record<string, string> {
  const tags = attributes[names.tags]
  const count = tags === undefined ? 0 : [...new URLSearchParams(tags)].length
  return {
    'content-type': 'binary/octet-stream', ...keptHeaders(attributes[names.headers]),
    ...count > 0 && { 'x-amz-tagging-count': String(count) },
  }
}

function keptHeaders(text: string | undefined): Record<string, string> {
  let kept: unknown
  try {
    kept = JSON.parse(text ?? '{}')
  } catch {
    return {}
  }
  // No other header: one about the connection would bend the answer.
  return Object.fromEntries(Object.entries(kept ?? {}).filter(([name, value]) =>
    (name.startsWith(metadataPrefix) ? /^[\w!#$%&'*+.^`|~-]+$/.test(name) : (contentHeaders as readonly string[]).includes(name))
    && typeof value === 'string' && headerValue.test(value)))
}

/** The attributes that describe an object, for a copy of it. */
export const describing = (attributes: ObjectAttributes): ObjectAttributes => ({
  ...attributes[names.headers] !== undefined && { [names.headers]: attributes[names.headers] },
  ...attributes[names.tags] !== undefined && { [names.tags]: attributes[names.tags] },
})
