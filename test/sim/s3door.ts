// A request of a client of S3 in the simulation: the dialect's own operation, as it answers once the signature was verified, without HTTP.

import { createHash } from 'node:crypto'
import type { Mill } from 'gristmill'
import { S3Error } from '../../client/gateway/s3/errors.ts'
import type { S3Answer, S3Call, S3Operation } from '../../client/gateway/s3/operation.ts'
import { operationOf } from '../../client/gateway/s3/operations.ts'
import { Query } from '../../client/gateway/s3/target.ts'
import { codeOf } from './change.ts'

export interface S3Asked {
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Buffer | string
}

interface S3DoorDeps {
  readonly mill: Mill
  /** A number that no other call of the run has. */
  readonly next: () => number
  /** State of the bucket, as the gateway knows it. */
  readonly versioning?: 'Enabled' | undefined
}

/** Smallest part but the last: objects of the simulation are small. */
const partBytesMin = 1

/** `path`: bucket and key. */
export async function askS3(
  { mill, next, versioning }: S3DoorDeps, method: S3Operation['method'], path: string,
  { query = {}, headers = {}, body = '' }: S3Asked = {},
): Promise<S3Answer> {
  const [, bucket = '', ...names] = path.split('/')
  const key = names.join('/')
  const asked = new Query(new Map(Object.entries(query)))
  const bytes = Buffer.from(body)
  const payload = {
    length: bytes.length, kind: undefined, checksum: undefined, hasDigest: true, md5: md5(bytes), text: async () => bytes.toString(),
    async *bytes() { yield bytes },
  }
  const operation = operationOf(method, { bucket, key: key || undefined, query: asked, rawPath: path }, headers)
  const call = {
    mill, user: 'root', bucket, key, root: '/', query: asked, headers, signal: new AbortController().signal, versioning,
    payload: () => payload, newId: () => md5(String(next())).slice(0, 24), nowMs: () => 0, pause: async () => {}, partBytesMin,
  }
  return operation.answer(call as unknown as S3Call)
}

/** Body of the answer of a read. Throws if it has none: a reader that took that for no bytes would compare nothing. */
export async function bodyOf({ bytes, chunks }: S3Answer): Promise<Buffer> {
  if (bytes) return Buffer.from(bytes)
  if (!chunks) throw new Error('an answer of a read has no body')
  const pieces: Buffer[] = []
  for await (const piece of chunks) pieces.push(Buffer.from(piece))
  return Buffer.concat(pieces)
}

export const md5 = (bytes: string | Buffer): string => createHash('md5').update(bytes).digest('hex')

/** Name of an error of the dialect, or the code of one that its border has not mapped yet. */
export const s3NameOf = (error: unknown): string => (error instanceof S3Error ? error.name3 : codeOf(error))
