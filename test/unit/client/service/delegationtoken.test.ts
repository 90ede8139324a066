// Delegation tokens in Hadoop's layout: the bytes of one that was put together by hand from the description of the format, and texts that
// are no token.

import { expect, test } from 'vitest'
import { decodeToken, encodeToken, tokenDigest } from '../../../../client/service/delegationtoken.ts'

const secret = Buffer.alloc(20, 7)
const issued = { owner: 'ada', renewer: 'yarn', realUser: '', issuedMs: 1_700_000_000_000, maxMs: 1_700_604_800_000, number: 300 }
const labels = { kind: 'WEBHDFS delegation', service: '127.0.0.1:9870' }
// Version, `ada`, `yarn`, an empty text; 8a (-118): a positive number of six bytes follows; 8e (-114): of two; the key of the secret.
const identifier = Buffer.from('00 03616461 047961726e 00 8a018bcfe56800 8a018bf3f1ec00 8e012c 00'.replaceAll(' ', ''), 'hex')
const whole = Buffer.concat([
  Buffer.of(identifier.length), identifier, Buffer.of(20), secret, Buffer.of(18), Buffer.from('WEBHDFS delegation'), Buffer.of(14),
  Buffer.from('127.0.0.1:9870'),
])

test('a token is the bytes that Hadoop reads, and is read from those that it sends', () => {
  expect(Buffer.from(encodeToken(issued, secret, labels), 'base64url').toString('hex')).toBe(whole.toString('hex'))
  expect(encodeToken(issued, secret, labels)).not.toMatch(/[=+/]/)
  expect(decodeToken(whole.toString('base64url'))).toEqual({ ...issued, digest: tokenDigest(secret) })
  // Clients may add the padding, and set another service.
  const other = encodeToken(issued, secret, { ...labels, service: 'gateway.example:443' })
  expect(decodeToken(`${other}==`)).toEqual(decodeToken(other))
})

test('numbers of every length and names of every kind come back', () => {
  for (const number of [0, 1, 127, 128, 255, 256, 65_535, 2 ** 31, 2 ** 48, 2 ** 53 - 2])
    for (const names of [
      { owner: 'ä'.repeat(127), renewer: 'x'.repeat(255), realUser: 'proxy' }, { owner: 'a', renewer: 'b', realUser: '' },
    ]) {
      const token = { ...issued, ...names, number, issuedMs: -1 - number }
      expect(decodeToken(encodeToken(token, secret, labels))).toEqual({ ...token, digest: tokenDigest(secret) })
    }
})

test('what is no token is refused, wherever it is cut', () => {
  for (let length = 0; length < whole.length; length++)
    expect(() => decodeToken(whole.subarray(0, length).toString('base64url')), String(length)).toThrow(/cannot be read/)
  const later = Buffer.from(whole)
  later[1] = 1
  const wrong = ['', '!', 'a b', 'x'.repeat(5000), Buffer.concat([whole, Buffer.of(0)]).toString('base64url'), later.toString('base64url'),
    Buffer.from('ff'.repeat(40), 'hex').toString('base64url')]
  for (const text of wrong) expect(() => decodeToken(text), text).toThrow(expect.objectContaining({ code: 'EINVAL' }))
  // Bytes that are no UTF-8.
  const bent = Buffer.from(whole)
  bent[3] = 0xff
  expect(() => decodeToken(bent.toString('base64url'))).toThrow(expect.objectContaining({ code: 'EINVAL' }))
})
