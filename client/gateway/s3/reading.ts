// GetObject and HeadObject: conditions, ranges, parts, and the headers that describe the object.

import { hasCode } from '../../../src/base/errors.ts'
import { checksumFields, checksumOf, fieldsOf, headerValue, partsMax, partsOf } from './attributes.ts'
import { isUnchanged } from './conditions.ts'
import { S3Error } from './errors.ts'
import { expirationHeader } from './expiration.ts'
import { findObject, nothing, openObject, type S3Object } from './found.ts'
import type { S3Answer, S3Call, S3Operation } from './operation.ts'
import { bucketOf } from './paths.ts'
import { checkNotEncrypted } from './supported.ts'
import { noKey, versionAsked, versionHeader } from './versioning.ts'

interface Range { readonly start: number; readonly end: number }

const unsatisfiable = (length: number): S3Error =>
  new S3Error('InvalidRange', `The requested range is not satisfiable: the object has ${length} bytes`, {
    headers: { 'content-range': `bytes */${length}` },
  })

/** Range of a header; undefined: the whole object, also for a header that is malformed or has several ranges, as in S3. */
export function rangeOf(header: string | undefined, length: number): Range | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '')
  if (!match || (match[1] === '' && match[2] === '')) return undefined
  const [first, last] = [match[1]!, match[2]!]
  const start = first === '' ? Math.max(0, length - Number(last)) : Number(first)
  const end = first === '' || last === '' ? length : Math.min(length, Number(last) + 1)
  if (first !== '' && last !== '' && Number(last) < Number(first)) return undefined
  if (start >= length || (first === '' && Number(last) === 0)) throw unsatisfiable(length)
  return { start, end }
}

/** Range of a part. Throws InvalidPartNumber for a part that the object does not have. */
function partRange({ attributes, length }: S3Object, number: number): Range & { readonly count: number | undefined } {
  const sizes = partsOf(attributes, length)
  if (!sizes) {
    if (number !== 1) throw new S3Error('InvalidPartNumber', 'The requested partnumber is not satisfiable')
    return { start: 0, end: length, count: undefined }
  }
  if (number > sizes.length) throw new S3Error('InvalidPartNumber',
    `The requested partnumber is not satisfiable: the object has ${sizes.length} parts`)
  const start = sizes.slice(0, number - 1).reduce((sum, size) => sum + size, 0)
  return { start, end: start + sizes[number - 1]!, count: sizes.length }
}

/** Parameters by which a signed request overrides headers of the answer. */
const overrides = ['content-type', 'content-language', 'expires', 'cache-control', 'content-disposition', 'content-encoding'] as const

function headersFor(call: S3Call, object: S3Object, whole: boolean): Record<string, string> {
  const { query, headers } = call
  const isAsked = whole && headers['x-amz-checksum-mode']?.toString().toUpperCase() === 'ENABLED'
  const sum = isAsked ? checksumOf(object.attributes, object.length) : undefined
  const fields: Record<string, string> = {
    ...fieldsOf(object.attributes), etag: `"${object.etag}"`, 'last-modified': new Date(object.status.mtimeMs).toUTCString(),
    'accept-ranges': 'bytes', ...object.version !== undefined && { [versionHeader]: object.version },
    ...sum && checksumFields(sum) as Record<string, string>,
    ...expirationHeader(call, { bytes: object.length, mtimeMs: object.status.mtimeMs, attributes: object.attributes }),
  }
  for (const name of overrides) {
    const value = query.get(`response-${name}`)
    if (value === undefined) continue
    if (!headerValue.test(value)) throw new S3Error('InvalidArgument', `response-${name} is no value of a header`)
    fields[name] = value
  }
  return fields
}

interface Shown { readonly status: number; readonly headers: Record<string, string>; readonly range: Range }

/** Status, headers and bytes of the answer about an object; 304: the client has it. */
function shown(call: S3Call, object: S3Object): Shown {
  const { headers, query } = call
  const { etag, status: { mtimeMs }, length } = object
  if (isUnchanged(headers, { etag, mtimeMs })) {
    const { etag: tag, 'last-modified': modified } = headersFor(call, object, false)
    return { status: 304, headers: { etag: tag!, 'last-modified': modified! }, range: { start: 0, end: 0 } }
  }
  const part = query.integer('partNumber', 1, partsMax)
  if (part !== undefined) {
    if (headers.range !== undefined) throw new S3Error('InvalidRequest', 'Cannot specify both Range header and partNumber query parameter')
    const { start, end, count } = partRange(object, part)
    const fields = headersFor(call, object, count === undefined)
    const length = { 'content-length': String(end - start), ...count !== undefined && { 'x-amz-mp-parts-count': String(count) } }
    if (object.length === 0) return { status: 200, headers: { ...fields, ...length }, range: { start, end } }
    return { status: 206, headers: { ...fields, ...length, 'content-range': `bytes ${start}-${end - 1}/${object.length}` },
      range: { start, end } }
  }
  // A range of another state of the object would be of no use to the client.
  const tag = headers['if-range']
  const range = tag === undefined || tag === `"${etag}"` ? rangeOf(headers.range, length) : undefined
  if (!range) return { status: 200, headers: { ...headersFor(call, object, true), 'content-length': String(length) },
    range: { start: 0, end: length } }
  const { start, end } = range
  return {
    status: 206, range,
    headers: { ...headersFor(call, object, false), 'content-length': String(end - start),
      'content-range': `bytes ${start}-${end - 1}/${length}` },
  }
}

/** Finds an object as the request names it. Throws NoSuchKey with the delete marker of a key that was deleted. */
export async function found<T>(call: S3Call, find: (version: string | undefined) => Promise<T>): Promise<T> {
  const version = versionAsked(call.query.get('versionId'))
  try {
    return await find(version)
  } catch (error) {
    const isMissing = hasCode(error, 'ENOENT') || (error instanceof S3Error && error.name3 === 'NoSuchKey')
    if (version !== undefined || call.versioning === undefined || !isMissing) throw error
    throw await noKey(call, error)
  }
}

async function getObject(call: S3Call): Promise<S3Answer> {
  checkNotEncrypted(call.headers)
  const object = await found(call, version => openObject(call, bucketOf(call), call.key, version))
  const { status, headers, range: { start, end } } = shown(call, object)
  // An answer without a body has no length.
  if (object.bytes && status !== 304) return { status, headers, bytes: object.bytes.subarray(start, end) }
  return { status, headers, chunks: object.read(start, end) }
}

async function headObject(call: S3Call): Promise<S3Answer> {
  checkNotEncrypted(call.headers)
  const { status, headers } = shown(call, await found(call, version => findObject(call, bucketOf(call), call.key, { version })))
  return { status, headers, chunks: nothing() }
}

export const readingOperations: readonly S3Operation[] = [
  { name: 'GetObject', method: 'GET', on: 'object', missing: 'NoSuchKey',
    limits: 'several ranges in one request: the whole object, as in S3', answer: getObject },
  { name: 'HeadObject', method: 'HEAD', on: 'object', missing: 'NoSuchKey', answer: headObject },
]
