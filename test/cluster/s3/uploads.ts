// Multipart uploads: parts in any order, checksums, and uploads that are never finished. Registered by
// test/cluster/s3.test.ts, in its cluster.

import { createHash, randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { until } from '../../kit/cluster.ts'
import type { S3Reply, S3Request } from '../s3client.ts'
import { ada, answerTo, bad, begin, cluster, completion, elements, grete, headOf, left, md5, mill, ok, other, partBytes } from './bench.ts'

test('parts come in any order, through any gateway and more than once; their blocks become the object\'s', async () => {
  const [one, two, three] = [randomBytes(partBytes), randomBytes(partBytes + 1), randomBytes(1000)]
  const upload = await begin('/grain/parts', { 'x-amz-meta-a': 'b' })
  const send = async (number: number, body: Buffer, client = ada): Promise<void> => {
    const { headers } = await ok('PUT', '/grain/parts', { query: { uploadId: upload, partNumber: String(number) }, body }, client)
    expect(headers['etag']).toBe(`"${md5(body)}"`)
  }
  await send(3, three, other)
  await send(1, three)
  await Promise.all([send(2, two), send(1, one, other)])
  const listed = (await ok('GET', '/grain/parts', { query: { uploadId: upload, 'max-parts': '2' } })).text
  expect([elements(listed, 'PartNumber'), elements(listed, 'IsTruncated')]).toEqual([['1', '2'], ['true']])
  expect(elements((await ok('GET', '/grain', { query: { uploads: '' } })).text, 'UploadId')).toEqual([upload])
  expect(elements((await ok('GET', '/grain', { query: { uploads: '' } }, grete)).text, 'UploadId')).toEqual([])
  const all = [[1, md5(one)], [2, md5(two)], [3, md5(three)]] as const
  const complete = (parts: readonly (readonly [number, string])[], client = ada) =>
    client.ask('POST', '/grain/parts', { query: { uploadId: upload }, body: completion(parts) })
  const refusals: [readonly (readonly [number, string])[], string][] = [
    [[all[1], all[0]], 'InvalidPartOrder'], [[[1, md5('x')]], 'InvalidPart'], [[all[0], [9, md5('x')]], 'InvalidPart'],
    [[], 'MalformedXML'],
    [Array.from({ length: 10_001 }, (_, i) => [i + 1, md5('x')] as const), 'MalformedXML'],
  ]
  for (const [parts, code] of refusals) expect((await complete(parts)).code).toBe(code)
  await bad('PUT', '/grain/parts', 400, 'InvalidArgument', { query: { uploadId: upload, partNumber: '10001' }, body: 'x' })
  await bad('PUT', '/grain/parts', 403, 'AccessDenied', { query: { uploadId: upload, partNumber: '1' }, body: 'x' }, grete)
  await bad('PUT', '/grain/else', 404, 'NoSuchUpload', { query: { uploadId: upload, partNumber: '1' }, body: 'x' })
  await bad('GET', '/grain/parts', 404, 'NoSuchKey')
  // Of many completions at the same time one makes the object, and all are told so.
  const done = await Promise.all(Array.from({ length: 20 }, (_, i) => complete(all, i % 2 === 0 ? ada : other)))
  const etag = `${md5(Buffer.concat([one, two, three].map(part => createHash('md5').update(part).digest())))}-3`
  expect([...new Set(done.map(({ status, text }) => `${status} ${elements(text, 'ETag')[0]}`))]).toEqual([`200 &quot;${etag}&quot;`])
  const whole = await ok('GET', '/grain/parts', {}, other)
  expect(whole.bytes.equals(Buffer.concat([one, two, three]))).toBe(true)
  expect(whole.headers).toMatchObject({ etag: `"${etag}"`, 'x-amz-meta-a': 'b' })
  const second = await ok('GET', '/grain/parts', { query: { partNumber: '2' } })
  expect([second.status, second.headers['x-amz-mp-parts-count'], second.bytes.equals(two)]).toEqual([206, '3', true])
  expect((await mill.status('/grain/parts')).blocks).toBe(3)
  expect(await left()).toEqual([[]])

  const aborted = await begin('/grain/aborted')
  await ok('PUT', '/grain/aborted', { query: { uploadId: aborted, partNumber: '1' }, body: three })
  await ok('PUT', '/grain/aborted', { query: { uploadId: aborted, partNumber: '2' }, body: three })
  const small = await ada.ask('POST', '/grain/aborted',
    { query: { uploadId: aborted }, body: completion([[1, md5(three)], [2, md5(three)]]) })
  expect(small.code).toBe('EntityTooSmall')
  const turned = await ada.ask('POST', '/grain/aborted',
    { query: { uploadId: aborted }, body: completion([[2, md5(three)], [1, md5(three)]]) })
  expect(turned.code).toBe('InvalidPartOrder')
  await ok('DELETE', '/grain/aborted', { query: { uploadId: aborted } })
  await bad('DELETE', '/grain/aborted', 404, 'NoSuchUpload', { query: { uploadId: aborted } })
  expect(await left()).toEqual([[]])
})

test('pages of open uploads have each upload and each common prefix once', async () => {
  const uploads = new Map<string, string>()
  for (const key of ['pages/a', 'pages/b/1', 'pages/b/2', 'pages/c', 'pages/d/1']) uploads.set(key, await begin(`/grain/${key}`))
  for (const max of ['1', '2', '3', '1000']) {
    const seen: string[] = []
    let marker: Record<string, string> | undefined = {}
    while (marker) {
      const query = { uploads: '', prefix: 'pages/', delimiter: '/', 'max-uploads': max, ...marker }
      const { text } = await ok('GET', '/grain', { query })
      const prefixes = [...text.matchAll(/<CommonPrefixes><Prefix>([^<]*)</g)].map(match => match[1]!)
      seen.push(...[...elements(text, 'Key'), ...prefixes].sort())
      expect(seen.length).toBeLessThan(6)
      const [key, id] = [elements(text, 'NextKeyMarker')[0], elements(text, 'NextUploadIdMarker')[0]]
      expect(elements(text, 'IsTruncated')).toEqual([String(key !== undefined)])
      marker = key === undefined ? undefined : { 'key-marker': key, ...id !== undefined && { 'upload-id-marker': id } }
    }
    expect(seen).toEqual(['pages/a', 'pages/b/', 'pages/c', 'pages/d/'])
  }
  const none = (await ok('GET', '/grain', { query: { uploads: '', prefix: 'pages/', 'max-uploads': '0' } })).text
  expect([elements(none, 'IsTruncated'), elements(none, 'Key')]).toEqual([['false'], []])
  for (const [key, id] of uploads) await ok('DELETE', `/grain/${key}`, { query: { uploadId: id } })
  expect(await left()).toEqual([[]])
})

test('the attributes of an object are those that are asked for', async () => {
  const upload = await begin('/grain/described', { 'x-amz-checksum-algorithm': 'CRC32C', 'x-amz-checksum-type': 'FULL_OBJECT' })
  const first = Buffer.alloc(partBytes, 'rye ')
  for (const [i, body] of [first, Buffer.from('oat')].entries())
    await ok('PUT', '/grain/described', { query: { uploadId: upload, partNumber: String(i + 1) }, body })
  await ok('POST', '/grain/described', { query: { uploadId: upload }, body: completion([[1, md5(first)], [2, md5('oat')]]) })
  const head = await ok('HEAD', '/grain/described', { headers: { 'x-amz-checksum-mode': 'ENABLED' } })
  const asked = (names: string): S3Request => ({ query: { attributes: '' }, headers: { 'x-amz-object-attributes': names } })
  const { text, headers } = await ok('GET', '/grain/described', asked('ETag,Checksum,ObjectParts,StorageClass,ObjectSize'))
  expect(['ETag', 'ChecksumCRC32C', 'ChecksumType', 'PartsCount', 'StorageClass',
    'ObjectSize'].map(name => elements(text, name)[0])).toEqual([
    String(head.headers['etag']).replaceAll('"', ''), head.headers['x-amz-checksum-crc32c'], 'FULL_OBJECT', '2', 'STANDARD',
    String(partBytes + 3),
  ])
  expect(headers['last-modified']).toBe(head.headers['last-modified'])
  const some = (await ok('GET', '/grain/described', asked('ObjectSize'))).text
  expect([elements(some, 'ObjectSize'), elements(some, 'ETag')]).toEqual([[String(partBytes + 3)], []])
  await bad('GET', '/grain/described', 400, 'InvalidArgument', asked('ETag,Colour'))
  await bad('GET', '/grain/described', 400, 'InvalidRequest', { query: { attributes: '' } })
  await bad('GET', '/grain/none', 404, 'NoSuchKey', asked('ETag'))
  await ok('DELETE', '/grain/described')
})

test('the checksum of an upload\'s parts is that of the object, with or without their number; another one is refused', async () => {
  const upload = await begin('/grain/summed', { 'x-amz-checksum-algorithm': 'SHA256' })
  const part = createHash('sha256').update('part').digest()
  const stored = await ok('PUT', '/grain/summed', { query: { uploadId: upload, partNumber: '1' }, body: 'part' })
  expect(stored.headers['x-amz-checksum-sha256']).toBe(part.toString('base64'))
  const whole = createHash('sha256').update(part).digest('base64')
  const complete = (sum: string): Promise<S3Reply> => ada.ask('POST', '/grain/summed', {
    query: { uploadId: upload }, body: completion([[1, md5('part')]]), headers: { 'x-amz-checksum-sha256': sum },
  })
  for (const wrong of [part.toString('base64'), `${whole}-2`]) expect((await complete(wrong)).code).toBe('BadDigest')
  // As minio's clients send it.
  expect(elements((await complete(whole)).text, 'ChecksumSHA256')).toEqual([`${whole}-1`])
  expect((await complete(`${whole}-1`)).status).toBe(200)
  await ok('DELETE', '/grain/summed')
})

test('unfinished uploads are shown with their age and what they hold, and removed; one without the right to write is not begun',
  async () => {
  const [mine, old] = [await begin('/grain/mine'), await begin('/grain/deep/old key')]
  await ok('PUT', '/grain/deep/old key', { query: { uploadId: old, partNumber: '1' }, body: 'x'.repeat(10_000) })
  await bad('POST', '/grain/by-grete', 403, 'AccessDenied', { query: { uploads: '' } }, grete)
  await bad('POST', '/grain/oats/below', 409, 'KeyConflict', { query: { uploads: '' } })
  const lines = (await cluster.ok(['upload', 'ls', '--json'])).trim().split('\n').map(line => JSON.parse(line) as object)
  expect(lines).toEqual(expect.arrayContaining([
    expect.objectContaining({ id: old, user: 'ada', bucket: 'grain', key: 'deep/old key', parts: 1, bytes: 10_000 }),
    expect.objectContaining({ id: mine, parts: 0, bytes: 0 }),
  ]))
  expect(await cluster.ok(['upload', 'ls', '--older-than', '1h'])).toBe('')
  await cluster.ok(['upload', 'rm', old])
  await bad('PUT', '/grain/deep/old key', 404, 'NoSuchUpload', { query: { uploadId: old, partNumber: '2' }, body: 'x' })
  expect(await cluster.ok(['upload', 'rm', '--older-than', '0s'])).toBe(`removed ${mine}\n`)
  expect(await left()).toEqual([[]])
})

test('what does not fit into a quota is refused before its bytes are read, and a part when it passes the quota', async () => {
  await ok('PUT', '/narrow')
  await mill.quotas.set('/narrow', { bytes: 2 * partBytes, names: 2 })
  // A quota holds once its directory is counted.
  await until('the quota is counted', async () => (await mill.quotas.get('/narrow'))?.counting === false)
  const refused = async (reply: S3Reply): Promise<void> => {
    expect([reply.status, reply.code, elements(reply.text, 'Message')[0]]).toEqual(
      [403, 'QuotaExceeded', expect.stringMatching(/^\/narrow may have .* in it/)])
  }
  const part = randomBytes(partBytes)
  const send = (path: string, upload: string, number: number, body: Buffer) =>
    ada.ask('PUT', path, { query: { uploadId: upload, partNumber: String(number) }, body })
  const upload = await begin('/narrow/a')
  for (const number of [1, 2, 2]) expect((await send('/narrow/a', upload, number, part)).status).toBe(200)
  await refused(await send('/narrow/a', upload, 3, part))
  await ok('PUT', '/grain/third', { body: part })
  await refused(await ada.ask('PUT', '/narrow/a', {
    query: { uploadId: upload, partNumber: '3' }, headers: { 'x-amz-copy-source': 'grain/third' } }))
  // Another object may take the room: then the end is refused, and the upload stays.
  for (let copies = 0; copies < 2; copies++) await ok('PUT', '/narrow/copy', { headers: { 'x-amz-copy-source': 'grain/third' } })
  await refused(await ada.ask('POST', '/narrow/a', { query: { uploadId: upload }, body: completion([[1, md5(part)], [2, md5(part)]]) }))
  await ok('DELETE', '/narrow/copy')
  await ok('POST', '/narrow/a', { query: { uploadId: upload }, body: completion([[1, md5(part)], [2, md5(part)]]) })
  // Now it is full, and an object that takes the place of another one fits.
  await refused(await ada.ask('POST', '/narrow/b', { query: { uploads: '' } }))
  expect(await answerTo(await headOf('PUT', '/narrow/b', {}, 10 * partBytes))).toMatch(/^HTTP\/1.1 403 [^]*<Code>QuotaExceeded</)
  await ok('PUT', '/narrow/a', { body: randomBytes(2 * partBytes) })
  await refused(await ada.ask('PUT', '/narrow/a', { body: randomBytes(2 * partBytes + 1) }))
  await ok('PUT', '/narrow', { query: { versioning: '' },
    body: '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>' })
  await refused(await ada.ask('PUT', '/narrow/a', { body: randomBytes(partBytes) }))
  await ok('DELETE', '/narrow/a', { query: { versionId: 'null' } })
  await ok('PUT', '/narrow/a', { body: 'x' })
  await ok('PUT', '/narrow/b', { body: 'x' })
  await refused(await ada.ask('POST', '/narrow/c', { query: { uploads: '' } }))
  await ok('DELETE', '/grain/third')
  expect(await left()).toEqual([[]])
})

test('CRC64NVME is the checksum where a client asks for one of the object and names no other', async () => {
  const [text, sum] = ['123456789', 'rosUhgp5mIg=']
  const header = 'x-amz-checksum-crc64nvme'
  const shown = async (key: string): Promise<unknown[]> => {
    const { headers } = await ok('HEAD', key, { headers: { 'x-amz-checksum-mode': 'ENABLED' } })
    return [headers[header], headers['x-amz-checksum-type']]
  }
  const asked = { 'x-amz-sdk-checksum-algorithm': 'CRC64NVME' }
  expect((await ok('PUT', '/grain/asked', { body: text, headers: asked })).headers[header]).toBe(sum)
  expect(await shown('/grain/asked')).toEqual([sum, 'FULL_OBJECT'])
  const upload = async (begun: Record<string, string>, part: Record<string, string>, end: Record<string, string>) => {
    const { text: answer } = await ok('POST', '/grain/asked', { query: { uploads: '' }, headers: begun })
    const query = { uploadId: elements(answer, 'UploadId')[0]! }
    await ok('PUT', '/grain/asked', { query: { ...query, partNumber: '1' }, body: text, headers: part })
    const { code } = await ada.ask('POST', '/grain/asked', { query, body: completion([[1, md5(text)]]), headers: end })
    if (code !== undefined) await ok('DELETE', '/grain/asked', { query })
    return code ?? shown('/grain/asked')
  }
  const [right, wrong] = [{ [header]: sum }, { [header]: 'AAAAAAAAAAA=' }]
  expect(await upload({ 'x-amz-checksum-type': 'FULL_OBJECT' }, {}, {})).toEqual([sum, 'FULL_OBJECT'])
  expect(await upload({ 'x-amz-checksum-type': 'FULL_OBJECT' }, right, wrong)).toBe('BadDigest')
  expect(await upload({}, right, right)).toEqual([sum, 'FULL_OBJECT'])
  expect(await upload({}, right, wrong)).toBe('BadDigest')
  // What cannot be checked does not count as checked.
  expect(await upload({}, {}, right)).toBe('InvalidRequest')
  expect(await upload({ 'x-amz-checksum-algorithm': 'CRC32' }, {}, right)).toBe('InvalidRequest')
  await ok('DELETE', '/grain/asked')
  expect(await left()).toEqual([[]])
})
