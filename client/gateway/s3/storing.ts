// PutObject and CopyObject. The bytes stream into a file of their own, which appears under the key with all its attributes once the whole
// body was received and checked. Writers of one key do not wait for each other; the last one wins.

import { createHash } from 'node:crypto'
import { hasCode } from '../../../src/base/errors.ts'
import type { StoredStatus } from '../../../src/protocol/object.ts'
import type { ObjectAttributes, ObjectWriter, PublishObjectOptions } from '../../files/objects.ts'
import type { HeaderFields } from '../exchange.ts'
import {
  checksumFields, checksumOf, describedBy, describing, objectNames, tagsName, withChecksum, withEtag, type StoredChecksum,
} from './attributes.ts'
import { checkBucket, timeOf } from './buckets.ts'
import { kindOf, type ChecksumKind } from './checksum.ts'
import { expectedAt, isUnchanged, keyAttributesOf } from './conditions.ts'
import { S3Error } from './errors.ts'
import { expirationHeader } from './expiration.ts'
import { openObject, type S3Object } from './found.ts'
import type { S3Answer, S3Call, S3Operation } from './operation.ts'
import { bucketOf, bucketPath, directoryIn, directoryOf, fileOf, isDirectoryKey } from './paths.ts'
import type { Payload } from './payload.ts'
import { Summed } from './summed.ts'
import { checkNoKey, checkSupported } from './supported.ts'
import { tagsOfHeader } from './tags.ts'
import { sourceOf } from './target.ts'
import { storedVersion, versionAsked } from './versioning.ts'
import { document } from './xml.ts'

interface Stored extends Pick<S3Call, 'mill' | 'signal'> {
  readonly bytes?: number | undefined
  readonly csv?: CsvFacts | undefined
  /** Where it will be, below which bucket: one that does not fit into the quotas there is refused before its bytes are read. */
  readonly to?: string | undefined
  readonly base?: string | undefined
}

/**
 * Writes a body, of `bytes` if that is known, and publishes what it became; a piece is not used any more when the next one is asked for. On
 * any error nothing is stored.
 */
export async function store<T>(
  { mill, signal, bytes, csv, to, base }: Stored,
  pieces: AsyncIterable<Buffer>, publish: (writer: ObjectWriter) => Promise<T>,
): Promise<T> {
  const writer = await mill.objects.open({ signal, bytes, to, base, ...csv })
  try {
    for await (const piece of pieces) await writer.write(piece)
    return await publish(writer)
  } catch (error) {
    await writer.abort()
    throw error
  }
}

interface Body {
  readonly pieces: AsyncIterable<Buffer>
  /** Their number, or a bound of it. */
  readonly bytes: number
  /** Bucket, if `bytes` is the number: whether the object fits into its quotas is looked at first. */
  readonly base?: string | undefined
  /** A copy has those of its source. */
  readonly csv?: CsvFacts | undefined
}

/** Facts that the writer of a file has told about it as CSV. */
interface CsvFacts { readonly delimiter?: string; readonly header?: boolean }

const csvOf = ({ delimiter, header }: CsvFacts): CsvFacts | undefined =>
  (delimiter === undefined && header === undefined ? undefined
    : { ...delimiter !== undefined && { delimiter }, ...header !== undefined && { header } })

/**
 * Stores a body under a key, with what `described` says once the body was read: a small one in one call, once its bytes are here and were
 * checked. On any error nothing is stored.
 */
export async function storeAt(
  { mill, signal }: S3Call, path: string, { pieces, bytes, csv, base }: Body, described: () => PublishObjectOptions,
): Promise<StoredStatus> {
  if (bytes > mill.objects.smallBytes || csv)
    return store(
      { mill, signal, bytes, csv, ...base !== undefined && { to: path, base } }, pieces, writer => writer.publish(path, described()),
    )
  const read: Buffer[] = []
  for await (const piece of pieces) read.push(piece)
  return mill.objects.put(path, read.length === 1 ? read[0]! : Buffer.concat(read), { ...described(), signal })
}

export const sumOf = (payload: Payload, kind: ChecksumKind | undefined): StoredChecksum | undefined =>
  (kind === undefined ? undefined : { kind, value: payload.checksum!, type: 'FULL_OBJECT' })

/** Kind of checksum that a header names; undefined: it names none. Throws InvalidRequest. */
function kindAsked(headers: S3Call['headers'], header: string): ChecksumKind | undefined {
  const name = headers[header]
  if (name === undefined) return undefined
  const kind = kindOf(String(name))
  if (kind === undefined) throw new S3Error('InvalidRequest', `Value for ${header} header is invalid.`)
  return kind
}

/** A part whose upload was left out would become the object. */
function checkWhole({ query }: S3Call): void {
  if (query.has('partNumber')) throw new S3Error('InvalidArgument', 'This operation does not accept partNumber without uploadId')
}

async function putObject(call: S3Call): Promise<S3Answer> {
  const { key, headers } = call
  checkSupported(headers)
  checkWhole(call)
  const bucket = bucketOf(call)
  const described = { ...describedBy(headers), ...tagsOfHeader(headers['x-amz-tagging']) }
  const asked = kindAsked(headers, 'x-amz-sdk-checksum-algorithm')
  const payload = call.payload({ kind: asked })
  if (isDirectoryKey(key) && payload.length === 0) return putDirectory(call, bucket, payload, described)
  const path = fileOf(bucket, key)
  const expect = await expectedAt(call, path, directoryIn(bucket, key))
  const reuse = payload.length > call.mill.objects.smallBytes
  const stored = await storeAt(call, path, { pieces: payload.bytes({ reuse }), bytes: payload.length, base: bucket }, () => ({
    base: bucket, parents: true, expect, ...keyAttributesOf(key),
    attributes: { ...described, ...withEtag(payload.md5, payload.length), ...withChecksum(sumOf(payload, payload.kind ?? asked)) },
  }))
  const sum = sumOf(payload, payload.kind ?? asked)
  const expiration = expirationHeader(call, { bytes: payload.length, mtimeMs: stored.mtimeMs, attributes: described })
  return { headers: { etag: `"${payload.md5}"`, ...storedVersion(call, stored), ...sum && checksumFields(sum), ...expiration } }
}

/** A key with a slash at the end and no content is a directory. */
async function putDirectory(call: S3Call, bucket: string, payload: Payload, described: ObjectAttributes): Promise<S3Answer> {
  await payload.text()
  const { etag } = await storeDirectory(call, directoryOf(bucket, call.key), described)
  return { headers: { etag: `"${etag}"` } }
}

/**
 * Makes the directory, and gives it these attributes and no other ones of an object. Throws KeyConflict, and what a condition of the
 * request throws.
 */
async function storeDirectory(
  call: S3Call, path: string, described: ObjectAttributes,
): Promise<{ readonly etag: string; readonly mtimeMs: number }> {
  const { mill, key, signal } = call
  const bucket = bucketOf(call)
  const expect = await expectedAt(call, fileOf(bucket, key), path)
  const etag = createHash('md5').digest('hex')
  const attributes = { ...described, ...withEtag(etag, 0) }
  const { mtimeMs } = await mill.objects.mkdir(path, { attributes, replaces: objectNames, base: bucket, expect, signal })
  return { etag, mtimeMs }
}

/** Object to copy from, with the conditions about it checked. Throws NoSuchKey, NoSuchBucket, PreconditionFailed, InvalidRequest. */
export async function openSource(call: S3Call) {
  checkNoKey(call.headers)
  const { bucket: name, key, version: asked } = sourceOf(call.headers)
  const version = versionAsked(asked)
  const bucket = bucketPath(call.root, name)
  try {
    // Whether the bucket of the source has versioning is not known here: only an id of its own is told.
    const source = await openObject({ ...call, versioning: undefined }, bucket, key, version)
    if (isUnchanged(call.headers, { etag: source.etag, mtimeMs: source.status.mtimeMs }, 'x-amz-copy-source-'))
      throw new S3Error('PreconditionFailed', 'At least one of the pre-conditions you specified did not hold: about the source')
    return { ...source, bucket, key, isOlder: version !== undefined }
  } catch (error) {
    // As AWS answers it.
    if (error instanceof S3Error && error.name3 === 'MethodNotAllowed')
      throw new S3Error('InvalidRequest', 'The source of a copy request may not specifically refer to a delete marker by version id.', { cause: error })
    if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw error
    await checkBucket({ ...call, bucket: name })
    throw new S3Error('NoSuchKey', 'The specified key does not exist.', { cause: error })
  }
}

export const sourceVersion = ({ version }: Pick<S3Object, 'version'>): HeaderFields =>
  (version === undefined ? {} : { 'x-amz-copy-source-version-id': version })

/** Copies of an object onto itself that are begun because the object was replaced meanwhile. */
const copiesMax = 5

/** A copy onto itself replaces what it has read, and nothing that was written since. */
async function copyObject(call: S3Call): Promise<S3Answer> {
  checkSupported(call.headers)
  checkWhole(call)
  for (let copies = 1; ; copies++) {
    const source = await openSource(call)
    const isItself = source.bucket === bucketOf(call) && source.key === call.key && !source.isOlder
    try {
      return await copyFrom(call, source, isItself)
    } catch (error) {
      if (!isItself || !hasCode(error, 'ESTALE')) throw error
      if (copies === copiesMax) throw new S3Error('OperationAborted',
        'A conflicting conditional operation is currently in progress against this resource. Please try again.', { cause: error })
    }
  }
}

type Source = Awaited<ReturnType<typeof openSource>>

/** True if the copy gets what the request sends, and false if it gets what its source has. Throws InvalidArgument. */
function isReplaced(headers: S3Call['headers'], of: 'metadata' | 'tagging'): boolean {
  const directive = headers[`x-amz-${of}-directive`]
  if (directive !== undefined && directive !== 'COPY' && directive !== 'REPLACE')
    throw new S3Error('InvalidArgument', `Unknown ${of} directive: it is COPY or REPLACE`)
  return directive === 'REPLACE'
}

/** `isItself`: the source is the object that is written. */
async function copyFrom(call: S3Call, source: Source, isItself: boolean): Promise<S3Answer> {
  const { key, headers } = call
  const replaces = isReplaced(headers, 'metadata')
  if (!replaces && isItself)
    throw new S3Error('InvalidRequest',
      'This copy request is illegal because it is trying to copy an object to itself without changing the object\'s metadata, storage class, website redirect location or encryption attributes.')
  const tags = isReplaced(headers, 'tagging') ? tagsOfHeader(headers['x-amz-tagging']) : undefined
  const { [tagsName]: sourceTags, ...sourceHeaders } = describing(source.attributes)
  const described = { ...replaces ? describedBy(headers) : sourceHeaders,
    ...tags ?? (sourceTags !== undefined && { [tagsName]: sourceTags }) }
  const bucket = bucketOf(call)
  if (isDirectoryKey(key) && source.length === 0) {
    const { etag, mtimeMs } = await storeDirectory(call, directoryOf(bucket, key), described)
    return { xml: document('CopyObjectResult', { LastModified: timeOf(mtimeMs), ETag: `"${etag}"` }) }
  }
  const path = fileOf(bucket, key)
  const kind = kindAsked(headers, 'x-amz-checksum-algorithm') ?? checksumOf(source.attributes, source.length)?.kind
  const expect = await expectedAt(call, path, directoryIn(bucket, key)) ?? (isItself ? { id: source.status.id } : undefined)
  const copy = new Summed(source.read(0, source.length), kind)
  const stored = await storeAt(call, path, { pieces: copy.bytes(), bytes: source.length, csv: csvOf(source.status), base: bucket }, () =>
    ({ base: bucket, parents: true, attributes: { ...described, ...copy.attributes }, expect, ...keyAttributesOf(key) }))
  return {
    headers: {
      ...storedVersion(call, stored), ...sourceVersion(source),
      ...expirationHeader(call, { bytes: source.length, mtimeMs: stored.mtimeMs, attributes: described }),
    },
    xml: document('CopyObjectResult', { LastModified: timeOf(stored.mtimeMs), ...copy.elements }),
  }
}

export const storingOperations: readonly S3Operation[] = [
  {
    name: 'CopyObject', method: 'PUT', on: 'object', header: 'x-amz-copy-source', answer: copyObject,
    limits: 'the bytes pass through the gateway',
  },
  {
    name: 'PutObject', method: 'PUT', on: 'object', answer: putObject,
    limits: 'no encryption, object lock, storage classes other than STANDARD, and ACLs other than `private`',
  },
]
