// Files of web servers: what comes is what was pinned, whole and once, whatever breaks; a file that changes is refused; and no message has
// a password or a signature in it.

import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { checked, parseChecksum, sumsOf } from '../../../../src/connector/checksum.ts'
import type { FilePin } from '../../../../src/connector/connector.ts'
import { HttpFile } from '../../../../src/connector/http/http.ts'
import { locationOf, nameOfUrl } from '../../../../src/connector/location.ts'
import { pull } from '../../../../src/connector/pull.ts'
import { depsOf, reply, Web } from './outside.ts'

const content = Buffer.from(Array.from({ length: 20_000 }, (_, i) => `${i}\n`).join(''))
const url = 'http://ada:pass%20word@mill.example/d/a%20b.csv?X-Amz-Signature=secret'
const rangeBytes = 10_000

const pinOf = async (file: HttpFile): Promise<FilePin> => {
  for await (const pin of file.pin()) return pin
  throw new Error('no pin')
}

async function read(web: Web, more: { between?: () => void; signal?: AbortSignal } = {}): Promise<Buffer> {
  const deps = depsOf(web.fetch)
  const file = new HttpFile(deps, url)
  const pin = await pinOf(file)
  more.between?.()
  const pieces: Uint8Array[] = []
  for await (const piece of pull(deps, file, pin, { rangeBytes, ...more })) pieces.push(piece)
  return Buffer.concat(pieces)
}

const failure = async (work: Promise<unknown>): Promise<{ code: string; message: string }> =>
  work.then(() => { throw new Error('it did not fail') }, (error: { code: string; message: string }) => error)

test('a file is read whole through ranges, by servers of every kind', async () => {
  const nothing = { etag: false, length: false, ranges: false }
  for (const options of [{}, { head: false }, { etag: false, modified: true }, { ranges: false }, nothing])
    expect((await read(new Web(content, options))).equals(content), JSON.stringify(options)).toBe(true)
  expect((await read(new Web(''))).length).toBe(0)
  expect((await read(new Web('', { head: false }))).length).toBe(0)
  const web = new Web(content)
  await read(web)
  expect(web.requests).toHaveLength(1 + Math.ceil(content.length / rangeBytes))
  // User and password are sent as a header, and are no part of the address.
  expect(web.requests[3]).toMatchObject({
    url: 'http://mill.example/d/a%20b.csv?X-Amz-Signature=secret',
    headers: { authorization: `Basic ${Buffer.from('ada:pass word').toString('base64')}`, 'if-match': expect.any(String) },
  })
})

test('a range that breaks off goes on from its last byte, and each byte is given once', async () => {
  const web = new Web(content)
  const seen = new Map<string, number>()
  web.fault = ({ headers }) => {
    const range = headers!['range']!
    seen.set(range, (seen.get(range) ?? 0) + 1)
    if (seen.get(range) === 1) return { cut: 3333 }
    return seen.get(range)! <= 3 ? { status: 503 } : undefined
  }
  expect((await read(web)).equals(content)).toBe(true)
  expect(web.requests.some(({ headers }) => headers!['range'] === 'bytes=3333-9999')).toBe(true)
  // A file of one request is continued in the same way.
  const small = new Web(content.subarray(0, 9000))
  small.fault = (_, count) => (count === 2 ? { cut: 4000 } : undefined)
  expect((await read(small)).equals(small.content)).toBe(true)
  expect(small.requests.at(-1)!.headers!['range']).toBe('bytes=4000-8999')
})

test('a file that has changed is refused, whatever the server does about conditions', async () => {
  for (const options of [{}, { etag: false, modified: true }, { ranges: false }]) {
    const web = new Web(content, options)
    const { code } = await failure(read(web, { between: () => { web.content = Buffer.from(content.toString().replace('7', '8')) } }))
    expect([options, code]).toEqual([options, 'ESTALE'])
  }
  // A server without any validator is caught by the length that it says.
  const web = new Web(content, { etag: false, ranges: false })
  expect((await failure(read(web, { between: () => { web.content = Buffer.concat([content, content]) } }))).code).toBe('ESTALE')
  // A file that breaks off where it cannot be continued: the caller begins again.
  const old = new Web(content, { ranges: false })
  old.fault = () => ({ cut: 5000 })
  const { code, message } = await failure(read(old))
  expect([code, message]).toEqual(['ESTALE', expect.stringContaining('cannot continue')])
})

test('a file without a strong ETag is read by one request: ranges of it may be of two contents', async () => {
  for (const options of [{ weak: true }, { weak: true, kept: true }, { kept: true }, { etag: false, modified: true }]) {
    const web = new Web(content, options)
    // It is replaced by one of the same length behind the first reply.
    web.fault = (_, count) => {
      if (count > 2) web.content = Buffer.from(content.toString().replaceAll('7', '8'))
      return undefined
    }
    expect([options, (await read(web)).equals(content)]).toEqual([options, true])
    expect(web.requests.map(({ method, headers }) => [method, headers?.['range']])).toEqual([['HEAD', undefined], ['GET', undefined]])
  }
  // Before it, another weak ETag tells, also where the time of the last change is the same.
  const web = new Web(content, { weak: true, kept: true })
  const other = (): void => { web.content = Buffer.from(content.toString().replaceAll('7', '8')) }
  expect((await failure(read(web, { between: other }))).code).toBe('ESTALE')
})

test('refusals have a code and say what to do; passing failures are repeated with pauses, and end', async () => {
  const codes: string[] = []
  for (const status of [401, 403, 404, 410, 400, 416, 429, 500, 503]) {
    const web = new Web(content)
    web.fault = () => ({ status })
    const error = await failure(read(web))
    codes.push(error.code)
    expect(error.message).toContain('http://mill.example/d/a%20b.csv')
    expect(error.message).not.toMatch(/pass|secret|ada/)
  }
  expect(codes).toEqual([
    'UNAUTHENTICATED', 'EACCES', 'ENOENT', 'ENOENT', 'EINVAL', 'EINVAL', 'OVERLOADED', 'UNAVAILABLE', 'OVERLOADED',
  ])
  const deps = depsOf(async () => { throw new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED') }) })
  const { code, message } = await failure(pinOf(new HttpFile(deps, url)))
  expect([code, message]).toEqual(['UNAVAILABLE', 'http://mill.example/d/a%20b.csv cannot be reached: connect ECONNREFUSED'])
  expect(deps.slept()).toBeGreaterThan(10_000)
  const encoded = depsOf(async () => reply(200, { 'content-encoding': 'gzip' }))
  expect((await failure(pinOf(new HttpFile(encoded, url)))).code).toBe('EINVAL')
})

test('a server that is overloaded gets the pause that it asks for, up to a minute', async () => {
  const date = 'Fri, 27 Nov 2026 10:00:00 GMT'
  const cases: ReadonlyArray<readonly [headers: Record<string, string>, leastMs: number, mostMs: number]> = [
    [{ 'retry-after': '9' }, 9000, 9000], [{ 'retry-after': 'Fri, 27 Nov 2026 10:00:20 GMT', date }, 20_000, 20_000],
    [{ 'retry-after': '86400' }, 60_000, 60_000], [{}, 1, 1000],
    [{ 'retry-after': 'soon' }, 1, 1000], [{ 'retry-after': date, date }, 1, 1000],
  ]
  for (const [headers, leastMs, mostMs] of cases) {
    for (const status of [429, 503]) {
      const web = new Web(content)
      web.fault = (_, count) => (count === 2 ? { status, headers } : undefined)
      const deps = depsOf(web.fetch)
      const file = new HttpFile(deps, url)
      const pieces = await Array.fromAsync(pull(deps, file, await pinOf(file)))
      expect(Buffer.concat(pieces)).toEqual(content)
      expect(deps.slept(), JSON.stringify(headers)).toBeGreaterThanOrEqual(leastMs)
      expect(deps.slept(), JSON.stringify(headers)).toBeLessThanOrEqual(mostMs)
    }
  }
})

test('redirects are followed without the password, never from https to http, and not for ever', async () => {
  const asked: { url: string; authorization: string | undefined }[] = []
  const to: Record<string, string> = {
    'https://a.example/x': 'https://b.example/y', 'https://b.example/y': '/z', 'https://a.example/down': 'http://a.example/x',
    'https://a.example/loop': '/loop',
  }
  const deps = depsOf(async ({ url, headers }) => {
    asked.push({ url, authorization: headers!['authorization'] })
    return to[url] === undefined ? reply(200, { 'content-length': '0' }) : reply(302, { location: to[url] })
  })
  expect(await pinOf(new HttpFile(deps, 'https://u:p@a.example/x'))).toMatchObject({ name: 'x', url: 'https://a.example/x' })
  expect(asked.map(({ authorization }) => authorization !== undefined)).toEqual([true, false, false])
  for (const path of ['down', 'loop']) expect((await failure(pinOf(new HttpFile(deps, `https://a.example/${path}`)))).code).toBe('EINVAL')
})

test('checksums of the server and of the user are compared with the bytes', async () => {
  const sha256 = createHash('sha256').update(content).digest()
  expect((await pinOf(new HttpFile(depsOf(new Web(content, { sums: true }).fetch), url))).sums)
    .toEqual([{ algorithm: 'sha256', hex: sha256.toString('hex') }])
  expect(sumsOf({ 'x-goog-hash': 'crc32c=yZRlqg==,md5=XrY7u+Ae7tCTyyK7j1rNww==', 'x-amz-checksum-sha1': 'AAAA-3', digest: 'md5=AA==' }))
    .toEqual([{ algorithm: 'crc32c', hex: 'c99465aa' }, { algorithm: 'md5', hex: '5eb63bbbe01eeed093cb22bb8f5acdc3' }])
  const through = async (sum: string): Promise<number> => {
    let bytes = 0
    const pieces = async function* () { yield Buffer.from('hello '); yield Buffer.from('world') }
    for await (const piece of checked(pieces(), [parseChecksum(sum)], 'x')) bytes += piece.length
    return bytes
  }
  for (const sum of ['md5:5EB63BBBE01EEED093CB22BB8F5ACDC3', 'crc32c:c99465aa', 'sha-1:2aae6c35c94fcfb415dbe95f408b9ce91ee846ed'])
    expect(await through(sum)).toBe(11)
  expect((await failure(through('crc32c:c99465ab'))).code).toBe('CORRUPT')
  for (const bad of ['', 'md5:12', 'sha512:00', 'crc32c:c99465zz']) expect(() => parseChecksum(bad)).toThrow('is no checksum')
})

test('an abort ends a read at once, and addresses are taken apart without their secrets', async () => {
  const web = new Web(content)
  const ending = new AbortController()
  web.fault = (_, count) => { if (count === 3) ending.abort(); return undefined }
  expect((await failure(read(web, { signal: ending.signal }))).code).toBe('ABORTED')
  for (const place of ['https://ada:se/cret@host', 'https://ada:se#cret@host', 's3://AKIA:se@bucket', 's3://AKIA:se/cret@bucket']) {
    const { message } = await failure((async () => locationOf(`${place}/x`))())
    expect(message).not.toMatch(/:se|cret@|AKIA/)
  }
  expect(locationOf('s3://grain/a b/%41')).toEqual({ kind: 's3', bucket: 'grain', key: 'a b/%41' })
  expect([nameOfUrl('http://h/a%20b?x'), nameOfUrl('http://h/d/'), nameOfUrl('http://h/%2F')]).toEqual(['a b', undefined, undefined])
  for (const bad of ['ftp://u:hunter2@h/x', 's3://B/x', 's3:///x', 'http://', 'plain'])
    expect((await failure((async () => locationOf(bad))())).message).not.toContain('hunter2')
})
