// Requests that are wrong, too long, presigned, or end early. Registered by test/cluster/s3.test.ts, in its cluster.

import { createHash } from 'node:crypto'
import net from 'node:net'
import { expect, test } from 'vitest'
import { limits } from '../../../src/base/limits.ts'
import { until } from '../../kit/cluster.ts'
import { S3TestClient } from '../s3client.ts'
import { ada, answerTo, at, bad, begin, elements, headOf, keys, left, metric, mill, ok } from './bench.ts'

test('a flood of headers is refused', async () => {
  const flood = Array.from({ length: 3000 }, (_, i) => `x-amz-meta-${i}: ${i}\r\n`).join('')
  const answer = await new Promise<string>(resolve => {
    const socket = net.connect({ host: '127.0.0.1', port: Number(at.split(':')[1]) }, () => {
      socket.write(`PUT /grain/flood HTTP/1.1\r\nHost: ${at}\r\n${flood}\r\n`)
    })
    let seen = ''
    socket.on('data', bytes => { seen += bytes.toString() })
    socket.on('error', () => resolve(seen))
    socket.on('close', () => resolve(seen))
  })
  expect(answer).toMatch(/^HTTP\/1.1 431 /)
})

test('bad input is an error of its own, and nothing of it is stored', async () => {
  await bad('GET', '/no-such-bucket/k', 404, 'NoSuchBucket')
  await bad('PUT', '/no-such-bucket/k', 404, 'NoSuchBucket', { body: 'x' })
  expect(await mill.exists('/no-such-bucket')).toBe(false)
  await bad('PUT', '/Wrong_Name', 400, 'InvalidBucketName')
  await bad('PUT', '/grain/bad', 400, 'XAmzContentSHA256Mismatch', { body: 'x', payload: createHash('sha256').update('y').digest('hex') })
  await bad('PUT', '/grain/bad', 400, 'BadDigest', { body: 'x',
    headers: { 'content-md5': createHash('md5').update('y').digest('base64') } })
  await bad('PUT', '/grain/bad', 400, 'BadDigest', { body: 'x', headers: { 'x-amz-checksum-crc32': 'AAAAAA==' } })
  await bad('PUT', '/grain/bad', 501, 'NotImplemented', { body: 'x', headers: { 'x-amz-server-side-encryption': 'AES256' } })
  await bad('PUT', '/grain/bad', 400, 'AccessControlListNotSupported', { body: 'x', headers: { 'x-amz-acl': 'public-read' } })
  await bad('PUT', '/grain/bad', 400, 'InvalidArgument', { body: 'x', headers: { 'x-amz-acl': 'none' } })
  await bad('PUT', '/grain/bad', 400, 'AccessControlListNotSupported', { body: 'x', headers: { 'x-amz-grant-read': 'id=all' } })
  await bad('PUT', '/grain/bad', 400, 'MetadataTooLarge', { body: 'x', headers: { 'x-amz-meta-a': 'x'.repeat(3000) } })
  await bad('PUT', '/grain/bad', 403, 'RequestTimeTooSkewed', { body: 'x', date: new Date(Date.now() - 3_600_000) })
  await bad('PUT', '/grain/bad', 501, 'NotImplemented', { query: { retention: '' }, body: 'x' })
  for (const query of [{ prefix: 'p'.repeat(5000) }, { prefix: `${'p'.repeat(5000)}/x` }, { 'start-after': 'z'.repeat(3000) }])
    expect(elements((await ok('GET', '/grain', { query: { 'list-type': '2', ...query } })).text, 'Key')).toEqual([])
  const bomb = '<!DOCTYPE d [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><Delete><Object><Key>&b;</Key></Object></Delete>'
  await bad('POST', '/grain', 400, 'MalformedXML', { query: { delete: '' }, body: bomb,
    headers: { 'content-md5': createHash('md5').update(bomb).digest('base64') } })
  const unsigned = await ada.send('GET', '/grain/oats', {})
  expect([unsigned.status, unsigned.code, unsigned.headers['content-type']]).toEqual([403, 'AccessDenied', 'application/xml'])
  const stranger = new S3TestClient(at, { id: 'GMNONE', secret: 'x'.repeat(40) })
  const forger = new S3TestClient(at, { ...keys.ada, secret: 'x'.repeat(40) })
  await bad('GET', '/', 403, 'InvalidAccessKeyId', {}, stranger)
  await bad('GET', '/', 403, 'SignatureDoesNotMatch', {}, forger)
  await Promise.all([stranger.close(), forger.close()])
  expect(await answerTo(await headOf('PUT', '/grain/bad', {}, 5 * 2 ** 40))).toMatch(/^HTTP\/1.1 400 [^]*<Code>EntityTooLarge</)
  expect(await mill.exists('/grain/bad')).toBe(false)
  expect(await left()).toEqual([[]])
})

test('a presigned URL works without a key, until it expires', async () => {
  const put = await ada.presigned('PUT', '/grain/pre signed', 60)
  expect((await ada.send('PUT', put, {}, 'by a link')).status).toBe(200)
  const get = await ada.presigned('GET', '/grain/pre signed', 60)
  expect((await ada.send('GET', get, {})).text).toBe('by a link')
  expect((await ada.send('DELETE', get, {})).code).toBe('SignatureDoesNotMatch')
  const old = await ada.presigned('GET', '/grain/pre signed', 1, new Date(Date.now() - 60_000))
  expect((await ada.send('GET', old, {})).code).toBe('AccessDenied')
})

test('clients that disconnect at every stage leave no object, no upload, no lease, and a gateway that answers', async () => {
  const upload = await begin('/grain/cut')
  const heads = [
    await headOf('PUT', '/grain/cut', {}, 10_000_000), await headOf('PUT', '/grain/cut', { partNumber: '1', uploadId: upload }, 10_000_000),
    await headOf('PUT', '/grain/cut', {}, 0), await headOf('GET', '/grain/parts', {}, 0),
  ]
  const cuts = heads.flatMap(head => [head.slice(0, 30), head, head + 'x'.repeat(100), head + 'x'.repeat(3_000_000)])
  await Promise.all(cuts.map(text => new Promise<void>(resolve => {
    const socket = net.connect({ host: '127.0.0.1', port: Number(at.split(':')[1]) }, () => {
      socket.write(text, () => { setImmediate(() => { socket.destroy() }) })
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve())
  })))
  await ok('DELETE', '/grain/cut', { query: { uploadId: upload } })
  await ok('DELETE', '/grain/cut')
  await until('the end of all leases', async () => (await metric('gristmill_leases')) === 0)
  expect(await left()).toEqual([[]])
  expect((await fetch(`http://${at}/healthz`)).status).toBe(200)
})

test('forms whose senders are slow to say who they are take no place of users, however many they are', async () => {
  const head = [
    'POST /grain HTTP/1.1', `Host: ${at}`, 'Content-Type: multipart/form-data; boundary=xx', 'Content-Length: 15000', '',
    '--xx\r\nContent-Disposition: form-data; name="key"\r\n\r\nk',
  ].join('\r\n')
  const sockets = new Set<net.Socket>()
  let refused = 0
  const send = (): void => {
    const socket = net.connect({ host: '127.0.0.1', port: Number(at.split(':')[1]) }, () => { socket.write(head) })
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('data', bytes => { if (/^HTTP\/1.1 503 [^]*<Code>SlowDown/.test(bytes.toString())) refused++ })
    socket.on('close', () => sockets.delete(socket))
  }
  try {
    // The last ones end the first ones. On a busy machine the first ones may have used up their time before the last ones are here.
    await until('more forms than places', async () => {
      while (refused === 0 && sockets.size < limits.gatewayRequestsMax + 10) send()
      return refused > 0
    })
    await ok('GET', '/')
    await ok('PUT', '/grain/beside forms', { body: 'x' })
    await until('the end of the slow ones', async () => sockets.size === 0)
  } finally {
    for (const socket of sockets) socket.destroy()
  }
})
