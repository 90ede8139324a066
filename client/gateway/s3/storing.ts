// PutObject and CopyObject. The bytes stream into a file of their own, which appears under the key with all its attributes once the whole
// body was received and checked. Writers of one key do not wait for each other; the last one wins.

import { hasCode } from '../../../src/base/errors.ts'
import type { ObjectAttributes, ObjectWriter } from '../../files/objects.ts'
import {
  checksumFields, checksumOf, describedBy, describing, tagsName, withChecksum, withEtag, type StoredChecksum,
} from './attributes.ts'
import { checkBucket, timeOf } from './buckets.ts'
import { kindOf, newChecksum, type ChecksumKind } from './checksum.ts'
import { expectedAt, isUnchanged } from './conditions.ts'
import { S3Error } from './errors.ts'
import { openObject } from './found.ts'
import type { S3Answer, S3Call, S3Operation } from './operation.ts'
import { bucketOf, bucketPath, directoryOf, fileOf, isDirectoryKey } from './paths.ts'
import type { Headers, Payload } from './payload.ts'
import { tagsOfHeader } from './tags.ts'
import { decoded } from './target.ts'
import { document } from './xml.ts'
import { createHash } from 'node:crypto'

/** Headers that ask for what is not here, with the values that ask for nothing. */
const unsupported: Readonly<Record<string, readonly string[]>> = {
  'x-amz-acl': ['private', 'bucket-owner-full-control', 'bucket-owner-read'],
  'x-amz-grant-full-control': [], 'x-amz-grant-read': [], 'x-amz-grant-read-acp': [], 'x-amz-grant-write': [], 'x-amz-grant-write-acp': [],
  'x-amz-server-side-encryption': [], 'x-amz-server-side-encryption-customer-algorithm': [],
  'x-amz-website-redirect-location': [], 'x-amz-object-lock-mode': [], 'x-amz-object-lock-retain-until-date': [],
  'x-amz-object-lock-legal-hold': ['OFF'], 'x-amz-write-offset-bytes': [],
}

/** Throws NotImplemented for a header that asks for what is not here, InvalidStorageClass. */
export function checkSupported(headers: Headers): void {
  for (const [name, harmless] of Object.entries(unsupported)) {
    const value = headers[name]
    if (value !== undefined && !harmless.includes(String(value)))
      throw new S3Error('NotImplemented', `A header you provided implies functionality that is not implemented: ${name}`)
  }
  const storage = headers['x-amz-storage-class']
  if (storage !== undefined && storage !== 'STANDARD')
    throw new S3Error('InvalidStorageClass', 'The storage class you specified is not valid: all objects are STANDARD.')
}

/** Writes a body and publishes what it became. On any error nothing is stored. */
export async function store<T>(
  { mill, signal }: Pick<S3Call, 'mill' | 'signal'>, pieces: AsyncIterable<Buffer>, publish: (writer: ObjectWriter) => Promise<T>,
): Promise<T> {
  const writer = await mill.objects.open({ signal })
  try {
    for await (const piece of pieces) await writer.write(piece)
    return await publish(writer)
  } catch (error) {
    await writer.abort()
    throw error
  }
}

export const sumOf = (payload: Payload, kind: ChecksumKind | undefined): StoredChecksum | undefined =>
  (kind === undefined ? undefined : { kind, value: payload.checksum!, type: 'FULL_OBJECT' })

async function putObject(call: S3Call): Promise<S3Answer> {
  const { key, headers } = call
  checkSupported(headers)
  const bucket = bucketOf(call)
  const described = { ...describedBy(headers), ...tagsOfHeader(headers['x-amz-tagging']) }
  const asked = headers['x-amz-sdk-checksum-algorithm']
  const payload = call.payload({ kind: asked === undefined ? undefined : kindOf(String(asked)) })
  if (isDirectoryKey(key) && payload.length === 0) return putDirectory(call, bucket, payload, described)
  const path = fileOf(bucket, key)
  const expect = await expectedAt(call, path)
  return store(call, payload.bytes(), async writer => {
    const sum = sumOf(payload, payload.kind)
    const attributes = { ...described, ...withEtag(payload.md5, payload.length), ...withChecksum(sum) }
    await writer.publish(path, { base: bucket, parents: true, attributes, expect })
    return { headers: { etag: `"${payload.md5}"`, ...sum && checksumFields(sum) } }
  })
}

/** A key with a slash at the end and no content is a directory. */
async function putDirectory(call: S3Call, bucket: string, payload: Payload, described: ObjectAttributes): Promise<S3Answer> {
  const { mill, key, signal } = call
  await checkBucket(call)
  await payload.text()
  const path = directoryOf(bucket, key)
  if (await expectedAt(call, fileOf(bucket, key))) throw new S3Error('NotImplemented',
    'Conditions on a key with a slash at its end are not implemented.')
  await mill.mkdir(path, { recursive: true, signal })
  for (const [name, value] of Object.entries({ ...described, ...withEtag(payload.md5, 0) })) await mill.xattrs.set(path, name, value,
    { signal })
  return { headers: { etag: `"${payload.md5}"` } }
}

/** Path of the bucket and key of a header `x-amz-copy-source`. */
function sourceOf({ headers, root }: S3Call): { readonly bucket: string; readonly key: string; readonly name: string } {
  const header = String(headers['x-amz-copy-source'])
  const [text = '', version] = header.split('?versionId=')
  if (version !== undefined && version !== 'null') throw new S3Error('NoSuchVersion', 'The specified version does not exist.')
  const [, name, key] = /^\/?([^/]+)\/(.+)$/s.exec(decoded(text)) ?? []
  if (name === undefined || key === undefined) throw new S3Error('InvalidArgument',
    'Copy Source must mention the source bucket and key: sourcebucket/sourcekey')
  return { bucket: bucketPath(root, name), key, name }
}

/** Object to copy from, with the conditions about it checked. Throws NoSuchKey, NoSuchBucket, PreconditionFailed. */
export async function openSource(call: S3Call) {
  const { bucket, key, name } = sourceOf(call)
  try {
    const source = await openObject(call, bucket, key)
    if (isUnchanged(call.headers, { etag: source.etag, mtimeMs: source.status.mtimeMs }, 'x-amz-copy-source-'))
      throw new S3Error('PreconditionFailed', 'At least one of the pre-conditions you specified did not hold: about the source')
    return { ...source, bucket, key }
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw error
    await checkBucket({ ...call, bucket: name })
    throw new S3Error('NoSuchKey', 'The specified key does not exist.', { cause: error })
  }
}

async function copyObject(call: S3Call): Promise<S3Answer> {
  const { key, headers, mill, signal } = call
  checkSupported(headers)
  const bucket = bucketOf(call)
  const replaces = headers['x-amz-metadata-directive'] === 'REPLACE'
  const source = await openSource(call)
  if (!replaces && source.bucket === bucket && source.key === key)
    throw new S3Error('InvalidRequest', 'This copy request is illegal because it is trying to copy an object to itself without changing the object\'s metadata, storage class, website redirect location or encryption attributes.')
  const tags = headers['x-amz-tagging-directive'] === 'REPLACE' ? tagsOfHeader(headers['x-amz-tagging']) : undefined
  const kept = describing(source.attributes)
  const { [tagsName]: sourceTags, ...sourceHeaders } = kept
  const described = { ...replaces ? describedBy(headers) : sourceHeaders,
    ...tags ?? (sourceTags !== undefined && { [tagsName]: sourceTags }) }
  if (isDirectoryKey(key) && source.length === 0) {
    await checkBucket(call)
    const path = directoryOf(bucket, key)
    await mill.mkdir(path, { recursive: true, signal })
    const md5 = createHash('md5').digest('hex')
    for (const [name, value] of Object.entries({ ...described, ...withEtag(md5, 0) })) await mill.xattrs.set(path, name, value, { signal })
    return { xml: document('CopyObjectResult', { LastModified: timeOf((await mill.status(path, { signal })).mtimeMs), ETag: `"${md5}"` }) }
  }
  const path = fileOf(bucket, key)
  const expect = await expectedAt(call, path)
  const asked = headers['x-amz-checksum-algorithm']
  const kind = asked === undefined ? checksumOf(source.attributes)?.kind : kindOf(String(asked))
  const sum = kind && newChecksum(kind)
  const md5 = createHash('md5')
  async function* bytes(): AsyncGenerator<Buffer, void, undefined> {
    for await (const piece of source.read(0, source.length) as AsyncIterable<Buffer>) {
      md5.update(piece)
      sum?.update(piece)
      yield piece
    }
  }
  return store(call, bytes(), async writer => {
    const etag = md5.digest('hex')
    const checksum: StoredChecksum | undefined = sum && kind && { kind, value: sum.digest(), type: 'FULL_OBJECT' }
    const attributes = { ...described, ...withEtag(etag, source.length), ...withChecksum(checksum) }
    const status = await writer.publish(path, { base: bucket, parents: true, attributes, expect })
    return {
      xml: document('CopyObjectResult', {
        LastModified: timeOf(status.mtimeMs), ETag: `"${etag}"`, ...checksum && { [`Checksum${checksum.kind}`]: checksum.value },
      }),
    }
  })
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
