// Bodies of requests in all their forms, cut into pieces at random: the object's bytes come out, and every lie about them is an error.

import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { newChecksum } from '../../../../../client/gateway/s3/checksum.ts'
import { Payload, type PayloadOptions } from '../../../../../client/gateway/s3/payload.ts'
import { seeded } from '../../../../../src/world/random.ts'
import { sha256 } from '../../../../cluster/s3client.ts'
import { newSigner, signedBody, unsignedBody } from './chunks.ts'

const random = seeded(3)

function payloadOf(body: string, headers: Record<string, string>, payload: string, options?: PayloadOptions): Payload {
  const bytes = Buffer.from(body)
  async function* pieces({ reuse = false }: { reuse?: boolean } = {}): AsyncGenerator<Buffer> {
    for (let at = 0; at < bytes.length;) {
      const length = random.below(3) === 0 ? 1 : 1 + random.below(40)
      const piece = Buffer.from(bytes.subarray(at, at + length))
      yield piece
      if (reuse) piece.fill('#')
      at += length
    }
  }
  return new Payload({ exchange: { body: pieces } as never, verified: { user: 'ada', payload, chunks: newSigner() }, headers }, options)
}

const text = 'rye and oats, '.repeat(20)
const md5 = createHash('md5').update(text).digest()
const crc32 = ((): string => { const sum = newChecksum('CRC32'); sum.update(Buffer.from(text)); return sum.digest() })()
const length = String(text.length)
const decoded = { 'content-length': '999', 'x-amz-decoded-content-length': length }
const cut = [text.slice(0, 100), text.slice(100, 101), text.slice(101)]
const trailer = { ...decoded, 'x-amz-trailer': 'x-amz-checksum-crc32' }

const streams = { unsigned: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER', signed: 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
  both: 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER' }

test.each([
  ['whole, with its hash', text, { 'content-length': length }, sha256(text)],
  ['whole, unsigned', text, { 'content-length': length, 'content-md5': md5.toString('base64') }, 'UNSIGNED-PAYLOAD'],
  ['with a checksum in a header', text, { 'content-length': length, 'x-amz-checksum-crc32': crc32 }, 'UNSIGNED-PAYLOAD'],
  ['in signed chunks', signedBody(cut), decoded, streams.signed],
  ['in signed chunks with a trailer', signedBody(cut, { 'x-amz-checksum-crc32': crc32 }), trailer, streams.both],
  ['in unsigned chunks with a trailer', unsignedBody(cut, { 'x-amz-checksum-crc32': crc32 }), trailer, streams.unsigned],
  ['in unsigned chunks without a checksum', unsignedBody(cut), decoded, streams.unsigned],
])('a body %s is its bytes', async (_, body, headers, payload) => {
  for (let i = 0; i < 20; i++) {
    const read = payloadOf(body, headers, payload)
    expect(await read.text()).toBe(text)
    expect([read.md5, read.length]).toEqual([md5.toString('hex'), text.length])
    expect(read.checksum).toBe(JSON.stringify(headers).includes('crc32') ? crc32 : undefined)
  }
})

test.each([
  ['whole', text, { 'content-length': length }, 'UNSIGNED-PAYLOAD'],
  ['in signed chunks with a trailer', signedBody(cut, { 'x-amz-checksum-crc32': crc32 }), trailer, streams.both],
])('of a body %s whose pieces are used again, each piece is right until the next one is asked for', async (_, body, headers, payload) => {
  for (let i = 0; i < 20; i++) {
    const read = payloadOf(body, headers, payload)
    let found = ''
    for await (const piece of read.bytes({ reuse: true })) found += piece.toString()
    expect(found).toBe(text)
  }
})

test('an empty body is one in every form', async () => {
  for (const [body, headers, payload] of [
    ['', { 'content-length': '0' }, sha256('')], [signedBody([]), { 'x-amz-decoded-content-length': '0' }, streams.signed],
    [unsignedBody([]), { 'x-amz-decoded-content-length': '0' }, streams.unsigned],
  ] as const) expect(await payloadOf(body, headers, payload).text()).toBe('')
})

const other = Buffer.alloc(4).toString('base64')
const bentSignature = (body: string): string => body.replace(/(chunk-signature=)(.)/,
  (_, name: string, first: string) => name + (first === '0' ? '1' : '0'))

test.each([
  ['another hash', text, { 'content-length': length }, sha256('x'), 'XAmzContentSHA256Mismatch'],
  ['another MD5', text, { 'content-length': length, 'content-md5': createHash('md5').digest('base64') }, 'UNSIGNED-PAYLOAD', 'BadDigest'],
  ['another checksum', text, { 'content-length': length, 'x-amz-checksum-crc32': other }, 'UNSIGNED-PAYLOAD', 'BadDigest'],
  ['another trailing checksum', unsignedBody(cut, { 'x-amz-checksum-crc32': other }), trailer, streams.unsigned, 'BadDigest'],
  ['a trailer that does not come', unsignedBody(cut), trailer, streams.unsigned, 'InvalidRequest'],
  ['fewer bytes', text.slice(1), { 'content-length': length }, 'UNSIGNED-PAYLOAD', 'IncompleteBody'],
  ['fewer bytes in chunks', unsignedBody(cut.slice(1)), decoded, streams.unsigned, 'IncompleteBody'],
  ['more bytes in chunks', unsignedBody([...cut, 'x']), decoded, streams.unsigned, 'IncompleteBody'],
  ['no last chunk', unsignedBody(cut).replace(/0\r\n\r\n$/, ''), decoded, streams.unsigned, 'IncompleteBody'],
  ['an end inside of a chunk', unsignedBody(cut).slice(0, 60), decoded, streams.unsigned, 'IncompleteBody'],
  ['an end inside of a head', `${unsignedBody(cut).slice(0, 1)}`, decoded, streams.unsigned, 'IncompleteBody'],
  ['a chunk longer than its size', unsignedBody(cut).replace('64\r\n', '63\r\n'), decoded, streams.unsigned, 'IncompleteBody'],
  ['a size that is none', `xyz\r\n${text}`, decoded, streams.unsigned, 'IncompleteBody'],
  ['a huge size', `fffffffffffffff\r\n${text}`, decoded, streams.unsigned, 'IncompleteBody'],
  ['a head without an end', 'f'.repeat(10_000), decoded, streams.unsigned, 'IncompleteBody'],
  ['many trailers', unsignedBody(cut, Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`t${i}`, 'v']))), decoded, streams.unsigned,
    'IncompleteBody'],
  ['a bent signature of a chunk', bentSignature(signedBody(cut)), decoded, streams.signed, 'SignatureDoesNotMatch'],
  ['chunks in another order', ((): string => { const [a = '', b = '',
    ...rest] = signedBody(['aaaa', 'bbbb']).split(/(?<=a\r\n|b\r\n)/); return [b, a, ...rest].join('') })(),
      { 'x-amz-decoded-content-length': '8' }, streams.signed, 'SignatureDoesNotMatch'],
  ['bytes that are not those of the signature', signedBody(cut).replace('rye', 'rya'), decoded, streams.signed, 'SignatureDoesNotMatch'],
  ['chunks without signatures', unsignedBody(cut), decoded, streams.signed, 'SignatureDoesNotMatch'],
  ['a bent trailer', signedBody(cut, { 'x-amz-checksum-crc32': crc32 }).replace(`:${crc32}`, `:${other}`), trailer, streams.both,
    'SignatureDoesNotMatch'],
  ['a trailer without a signature', signedBody(cut, { 'x-amz-checksum-crc32': crc32 }).replace(/x-amz-trailer-signature.*\r\n/, ''),
    trailer, streams.both, 'SignatureDoesNotMatch'],
])('a body with %s is refused at its end at the latest', async (_, body, headers, payload, name3) => {
  for (let i = 0; i < 5; i++) await expect(payloadOf(body, headers, payload).text()).rejects.toMatchObject({ name3 })
})

test.each([
  ['no length', {}, 'UNSIGNED-PAYLOAD', 'MissingContentLength'],
  ['no decoded length', { 'content-length': '5' }, streams.signed, 'MissingContentLength'],
  ['a length that is none', { 'content-length': '-5' }, 'UNSIGNED-PAYLOAD', 'InvalidArgument'],
  ['more than 5 GiB', { 'content-length': String(5 * 2 ** 30 + 1) }, 'UNSIGNED-PAYLOAD', 'EntityTooLarge'],
  ['an unknown form', { 'content-length': '5' }, 'STREAMING-OTHER', 'InvalidArgument'],
  ['an MD5 that is none', { 'content-length': '5', 'content-md5': 'x' }, 'UNSIGNED-PAYLOAD', 'InvalidDigest'],
  ['a checksum that is none', { 'content-length': '5', 'x-amz-checksum-sha1': 'x' }, 'UNSIGNED-PAYLOAD', 'InvalidRequest'],
  ['two checksums', { 'content-length': '5', 'x-amz-checksum-crc32': crc32, 'x-amz-checksum-crc32c': crc32 }, 'UNSIGNED-PAYLOAD',
    'InvalidRequest'],
  ['an unknown trailer', { 'x-amz-decoded-content-length': '5', 'x-amz-trailer': 'x-amz-checksum-md4' }, streams.unsigned,
    'InvalidRequest'],
])('a request with %s is refused before its body is read', (_, headers, payload, name3) => {
  expect(() => payloadOf('', headers as Record<string, string>, payload)).toThrow(expect.objectContaining({ name3 }))
})
