// Bodies in the form aws-chunked, with the signatures of their chunks, as clients of S3 make them.

import { createHmac, createSecretKey } from 'node:crypto'
import { ChunkSigner } from '../../../../../client/gateway/s3/signature.ts'
import { sha256 } from '../../../../cluster/s3client.ts'

const signingKey = Buffer.alloc(32, 7)
const context = '20261127T010203Z\n20261127/us-east-1/s3/aws4_request'
const seed = sha256('seed')

export const newSigner = (): ChunkSigner => new ChunkSigner(createSecretKey(signingKey), context, seed)

const hmac = (text: string): string => createHmac('sha256', signingKey).update(text).digest('hex')

/** Chunks of a body, and trailing headers with their signature. */
export function signedBody(chunks: readonly string[], trailers?: Readonly<Record<string, string>>): string {
  let before = seed
  const parts = [...chunks, ''].map(chunk => {
    before = hmac(`AWS4-HMAC-SHA256-PAYLOAD\n${context}\n${before}\n${sha256('')}\n${sha256(chunk)}`)
    return `${Buffer.byteLength(chunk).toString(16)};chunk-signature=${before}\r\n${chunk === '' ? '' : `${chunk}\r\n`}`
  })
  if (!trailers) return `${parts.join('')}\r\n`
  const lines = Object.entries(trailers).map(([name, value]) => `${name}:${value}\n`).join('')
  const signature = hmac(`AWS4-HMAC-SHA256-TRAILER\n${context}\n${before}\n${sha256(lines)}`)
  return `${parts.join('')}${lines.replaceAll('\n', '\r\n')}x-amz-trailer-signature:${signature}\r\n\r\n`
}

export const unsignedBody = (chunks: readonly string[], trailers: Readonly<Record<string, string>> = {}): string =>
  `${chunks.map(chunk => `${Buffer.byteLength(chunk).toString(16)}\r\n${chunk}\r\n`).join('')}0\r\n${
    Object.entries(trailers).map(([name, value]) => `${name}:${value}\r\n`).join('')}\r\n`
