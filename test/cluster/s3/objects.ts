// Objects and keys: stored, listed, copied, described and deleted, under conditions and by the rights of their users.
// Registered by test/cluster/s3.test.ts, in its cluster.

import { createHash, randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { until } from '../../kit/cluster.ts'
import { ada, bad, begin, cluster, elements, grete, left, md5, metric, mill, ok, other, webhdfs } from './bench.ts'

test('an object is stored with its metadata, read in ranges, and is the same file at every door', async () => {
  const bytes = randomBytes(300_000)
  const put = await ok('PUT', '/grain/a/b/rye', {
    body: bytes, headers: { 'content-type': 'text/x', 'x-amz-meta-field': '7',
      'content-md5': createHash('md5').update(bytes).digest('base64') },
  })
  expect(put.headers['etag']).toBe(`"${md5(bytes)}"`)
  const got = await ok('GET', '/grain/a/b/rye', {}, other)
  expect(got.bytes.equals(bytes)).toBe(true)
  expect(got.headers).toMatchObject({ etag: `"${md5(bytes)}"`, 'content-type': 'text/x', 'x-amz-meta-field': '7',
    'content-length': '300000' })
  const part = await ok('GET', '/grain/a/b/rye', { headers: { range: 'bytes=100-199' } })
  expect([part.status, part.headers['content-range'], part.bytes.equals(bytes.subarray(100, 200))]).toEqual([206, 'bytes 100-199/300000',
    true])
  const head = await ok('HEAD', '/grain/a/b/rye')
  expect([head.headers['content-length'], head.bytes.length]).toEqual(['300000', 0])
  expect((await ada.ask('GET', '/grain/a/b/rye', { headers: { 'if-none-match': `"${md5(bytes)}"` } })).status).toBe(304)
  await bad('GET', '/grain/a/b/rye', 416, 'InvalidRange', { headers: { range: 'bytes=300000-' } })
  expect((await ada.ask('GET', '/grain/a/b/rye', { headers: { range: 'bytes=300000-' } })).headers['content-range']).toBe('bytes */300000')
  await bad('GET', '/grain/a/b/rye', 416, 'InvalidPartNumber', { query: { partNumber: '2' } })
  await bad('GET', '/grain/a/b/rye', 400, 'InvalidRequest', { query: { partNumber: '1' }, headers: { range: 'bytes=0-9' } })
  // The command line and the library.
  expect((await mill.readFile('/grain/a/b/rye')).equals(bytes)).toBe(true)
  const status = await mill.status('/grain/a/b/rye')
  expect(status).toMatchObject({ owner: 'ada', mode: 0o644, length: 300_000 })
  expect(new Date(status.mtimeMs).toUTCString()).toBe(got.headers['last-modified'])
  expect(String(await mill.xattrs.get('/grain/a/b/rye', 'user.s3.etag'))).toBe(`${md5(bytes)} 300000`)
  // A file of another door.
  await mill.writeFile('/grain/oats', 'made elsewhere')
  const foreign = await ok('GET', '/grain/oats')
  expect([foreign.text, foreign.headers['content-type']]).toEqual(['made elsewhere', 'binary/octet-stream'])
  expect(foreign.headers['etag']).toMatch(/^"[0-9a-f]{32}-1"$/)
  // And WebHDFS on the other gateway.
  const opened = await fetch(`${webhdfs}/grain/a/b/rye?op=OPEN&user.name=ada`)
  expect(Buffer.from(await opened.arrayBuffer()).equals(bytes)).toBe(true)
  // Of a replaced object a reader has the old bytes or the new ones.
  await ok('PUT', '/grain/a/b/rye', { body: 'new' })
  expect((await ok('GET', '/grain/a/b/rye')).text).toBe('new')
})

test('keys of all forms are stored, listed in byte order by pages, and deleted with the directories that they made', async () => {
  await ok('PUT', '/forms')
  const names = ['a', 'a.b', 'b/c', 'b-c', 'b/d/e', 'x//y', 'x/./z', 'x/../w', 'dir/', 'ü/ñ+ =&?%', 'tr//', '\u{1f33e}', '\uff5e', 'full/',
    'full/k', '/lead', 'q"\'<>&']
  for (const key of names) await ok('PUT', `/forms/${key}`, { body: key.endsWith('/') ? '' : key })
  for (const key of names) expect((await ok('GET', `/forms/${key}`)).text, key).toBe(key.endsWith('/') ? '' : key)
  const sorted = [...names].sort((a, b) => Buffer.from(a).compare(Buffer.from(b)))
  const seen: string[] = []
  for (let token: string | undefined; ;) {
    const { text } = await ok('GET', '/forms', {
      query: { 'list-type': '2', 'max-keys': '3', 'encoding-type': 'url', ...token !== undefined && { 'continuation-token': token } },
    })
    seen.push(...elements(text, 'Key').map(decodeURIComponent))
    ;[token] = elements(text, 'NextContinuationToken')
    if (token === undefined) break
  }
  expect(seen).toEqual(sorted)
  const top = (await ok('GET', '/forms', { query: { delimiter: '/', 'encoding-type': 'url' } })).text
  expect(elements(top.replaceAll(/<Contents>.*?<\/Contents>/g, ''), 'Prefix').map(decodeURIComponent))
    .toEqual([...new Set(sorted.filter(key => key.includes('/')).map(key => `${key.split('/')[0]}/`))])
  await bad('PUT', '/forms/a/below', 409, 'KeyConflict', { body: 'x' })
  await bad('PUT', '/forms/b', 409, 'KeyConflict', { body: 'x' })
  await bad('PUT', `/forms/${'x'.repeat(256)}`, 400, 'KeyTooLongError')
  await bad('PUT', `/forms/${'x/'.repeat(513)}`, 400, 'KeyTooLongError')
  await bad('GET', '/forms/b', 404, 'NoSuchKey')
  await bad('DELETE', '/forms', 409, 'BucketNotEmpty')
  const body = `<Delete>${[...names, 'never'].map(key => `<Object><Key>${key.replaceAll('&', '&amp;').replaceAll('<',
    '&lt;')}</Key></Object>`).join('')}</Delete>`
  await bad('POST', '/forms', 400, 'InvalidRequest', { query: { delete: '' }, body })
  const deleted = await ok('POST', '/forms', {
    query: { delete: '' }, body, headers: { 'content-md5': createHash('md5').update(body).digest('base64') },
  })
  expect([elements(deleted.text, 'Key').length, elements(deleted.text, 'Code')]).toEqual([names.length + 1, []])
  expect(elements((await ok('GET', '/forms')).text, 'Key')).toEqual([])
  expect(await mill.readdir('/forms')).toEqual([])
  await ok('DELETE', '/forms')
  await bad('GET', '/forms', 404, 'NoSuchBucket')
})

test('conditions hold among many writers, and copies keep or replace what describes an object', async () => {
  const claims = await Promise.all(Array.from({ length: 10 }, (_, i) =>
    ada.ask('PUT', '/grain/claim', { body: `by ${i}`, headers: { 'if-none-match': '*' } })))
  expect(claims.map(({ status }) => status).sort()).toEqual([200, ...Array.from({ length: 9 }, () => 412)])
  const etag = String((await ok('HEAD', '/grain/claim')).headers['etag'])
  await bad('PUT', '/grain/claim', 412, 'PreconditionFailed', { body: 'x', headers: { 'if-match': '"0"' } })
  await bad('PUT', '/grain/nothing', 404, 'NoSuchKey', { body: 'x', headers: { 'if-match': etag } })
  await ok('PUT', '/grain/claim', { body: 'next', headers: { 'if-match': etag } })
  await bad('DELETE', '/grain/claim', 412, 'PreconditionFailed', { headers: { 'if-match': etag } })

  await ok('PUT', '/grain/source', { body: 'bytes', headers: { 'x-amz-meta-a': 'b', 'x-amz-tagging': 'c=d' } })
  await ok('PUT', '/grain/deep/copy', { headers: { 'x-amz-copy-source': '/grain/source' } })
  expect((await ok('GET', '/grain/deep/copy')).headers).toMatchObject({ 'x-amz-meta-a': 'b', 'x-amz-tagging-count': '1',
    etag: `"${md5('bytes')}"` })
  await ok('PUT', '/grain/source', {
    headers: { 'x-amz-copy-source': 'grain/source', 'x-amz-metadata-directive': 'REPLACE', 'x-amz-meta-n': '1' },
  })
  const replaced = (await ok('GET', '/grain/source')).headers
  expect([replaced['x-amz-meta-n'], replaced['x-amz-meta-a']]).toEqual(['1', undefined])
  await bad('PUT', '/grain/source', 400, 'InvalidRequest', { headers: { 'x-amz-copy-source': 'grain/source' } })
  await bad('PUT', '/grain/copy', 404, 'NoSuchKey', { headers: { 'x-amz-copy-source': 'grain/none' } })
  await bad('PUT', '/grain/copy', 404, 'NoSuchBucket', { headers: { 'x-amz-copy-source': 'none-such/none' } })
  await ok('PUT', '/grain/source', { query: { tagging: '' },
    body: '<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>' })
  expect(elements((await ok('GET', '/grain/source', { query: { tagging: '' } })).text, 'Value')).toEqual(['v'])
})

test('conditions hold on keys with a slash at their end, whether they are directories or have content', async () => {
  const [absent, other] = [{ 'if-none-match': '*' }, { 'if-match': '"00000000000000000000000000000000"' }]
  const source = { 'x-amz-copy-source': 'grain/from/' }
  await ok('PUT', '/grain/from/')
  await bad('PUT', '/grain/d/', 404, 'NoSuchKey', { headers: other })
  const { headers: { etag } } = await ok('PUT', '/grain/d/', { headers: absent })
  for (const body of ['', 'content']) await bad('PUT', '/grain/d/', 412, 'PreconditionFailed', { headers: absent, body })
  await bad('PUT', '/grain/d/', 412, 'PreconditionFailed', { headers: { ...absent, ...source } })
  await bad('PUT', '/grain/d/', 412, 'PreconditionFailed', { headers: other })
  await ok('PUT', '/grain/d/', { headers: { 'if-match': String(etag), 'x-amz-meta-a': 'b' } })
  await ok('PUT', '/grain/d/', { headers: { 'if-match': String(etag) }, body: 'content' })
  for (const body of ['', 'content']) await bad('PUT', '/grain/d/', 412, 'PreconditionFailed', { headers: absent, body })
  await bad('PUT', '/grain/d/', 412, 'PreconditionFailed', { headers: { 'if-match': String(etag) } })
  await ok('PUT', '/grain/d/', { headers: { 'if-match': `"${md5('content')}"` } })
  expect((await ok('GET', '/grain/d/')).text).toBe('')
  // A directory that holds other keys, and was not stored as one, is none.
  await ok('PUT', '/grain/e/x', { body: 'x' })
  await ok('PUT', '/grain/e/', { headers: { ...absent, ...source } })
  await bad('PUT', '/grain/e/', 412, 'PreconditionFailed', { headers: absent })
  // Of many writers one makes it.
  const made = await Promise.all(Array.from({ length: 10 }, () => ada.ask('PUT', '/grain/f/', { headers: absent })))
  expect(made.map(({ status }) => status).toSorted()).toEqual([200, ...Array.from({ length: 9 }, () => 412)])
  for (const key of ['d/', 'e/x', 'e/', 'f/', 'from/']) await ok('DELETE', `/grain/${key}`)
})

test('of writers and deletions of a key with a slash at its end that come at once one succeeds, with content and without', async () => {
  const absent = { 'if-none-match': '*' }
  const large = 'x'.repeat(10_000)
  for (const state of ['', 'Enabled', 'Suspended']) {
    const bucket = `/slashed${state.toLowerCase()}`
    await ok('PUT', bucket)
    if (state) await ok('PUT', bucket,
      { query: { versioning: '' }, body: `<VersioningConfiguration><Status>${state}</Status></VersioningConfiguration>` })
    for (let i = 0; i < 10; i++) {
      const [key, body] = [`${bucket}/${i}/`, i % 2 ? 'small' : large]
      const made = await Promise.all([ada.ask('PUT', key, { headers: absent }), other.ask('PUT', key, { headers: absent, body })])
      expect(made.map(({ status }) => status).toSorted(), key).toEqual([200, 412])
      expect((await ok('GET', key)).text).toBe(made[0]!.status === 200 ? '' : body)
      const { headers: { etag } } = await ok('PUT', key)
      const match = { 'if-match': String(etag) }
      const [put, gone] = await Promise.all([other.ask('PUT', key, { headers: match, body }), ada.ask('DELETE', key)])
      expect([put.status, put.code, gone.status], key).toEqual(put.status === 200 ? [200, undefined, 204] : [404, 'NoSuchKey', 204])
      // A write that saw the directory came before the deletion, which took its content.
      expect((await ada.ask('HEAD', key)).status, key).toBe(404)
      await ok('PUT', key)
      const both = await Promise.all([other.ask('PUT', key, { headers: match, body }), ada.ask('DELETE', key, { headers: match })])
      expect(both.filter(({ status }) => status < 300), key).toHaveLength(1)
      expect((await ada.ask('HEAD', key)).status, key).toBe(both[0].status === 200 ? 200 : 404)
      await ok('DELETE', key)
    }
  }
  await mill.rm('/slashed', { recursive: true, skipTrash: true })
})

test('a copy of an object onto itself takes nothing back that was stored meanwhile', async () => {
  const old = randomBytes(20_000_000)
  await ok('PUT', '/grain/self', { body: old })
  const copied = ok('PUT', '/grain/self', {
    headers: { 'x-amz-copy-source': 'grain/self', 'x-amz-metadata-directive': 'REPLACE', 'x-amz-meta-n': '1' },
  })
  let ended = false
  void copied.finally(() => { ended = true }).catch(() => {})
  await until('the copy', async () => ended || (await metric('gristmill_leases')) > 0)
  await ok('PUT', '/grain/self', { body: 'newer' })
  expect((await copied).text).toContain(ended ? 'ETag' : md5('newer'))
  expect((await ok('GET', '/grain/self')).text).toBe('newer')
  await ok('DELETE', '/grain/self')
})

test('what describes an object does not outlive its bytes, and cannot be made to bend an answer', async () => {
  const first = createHash('sha256').update('one\n').digest('base64')
  await ok('PUT', '/grain/log', { body: 'one\n', headers: { 'x-amz-checksum-sha256': first } })
  const sum = async (): Promise<unknown> =>
    (await ok('GET', '/grain/log', { headers: { 'x-amz-checksum-mode': 'ENABLED' } })).headers['x-amz-checksum-sha256']
  expect(await sum()).toBe(first)
  const appended = await fetch(`${webhdfs}/grain/log?op=APPEND&user.name=ada&data=true`, { method: 'POST', body: 'two\n' })
  expect(appended.status).toBe(200)
  expect([await sum(), (await ok('GET', '/grain/log')).text]).toEqual([undefined, 'one\ntwo\n'])
  await mill.xattrs.set('/grain/log', 'user.s3.headers', '{"transfer-encoding":"chunked","x-amz-meta-a":"b"}')
  await mill.xattrs.set('/grain/log', 'user.s3.parts', '1*4000000000')
  const { headers } = await ok('HEAD', '/grain/log', { query: { partNumber: '1' } })
  expect([headers['transfer-encoding'], headers['content-length'], headers['x-amz-meta-a']]).toEqual([undefined, '8', 'b'])
  await ok('PUT', '/grain/shelf/', { headers: { 'x-amz-meta-a': 'b' } })
  await ok('PUT', '/grain/shelf/')
  expect((await ok('HEAD', '/grain/shelf/')).headers['x-amz-meta-a']).toBeUndefined()
  await bad('PUT', '/grain/log/', 409, 'KeyConflict')
  for (const key of ['log', 'shelf/']) await ok('DELETE', `/grain/${key}`)
})

test('a condition, a checksum, an owner or a part that is not here is refused, and not left out', async () => {
  await ok('PUT', '/grain/kept', { body: '0123456789' })
  await bad('DELETE', '/grain/kept', 501, 'NotImplemented', { headers: { 'x-amz-if-match-size': '5' } })
  await bad('DELETE', '/grain/kept', 403, 'AccessDenied', { headers: { 'x-amz-expected-bucket-owner': '111122223333' } })
  await bad('PUT', '/grain/copy', 403, 'AccessDenied', {
    headers: { 'x-amz-copy-source': 'grain/kept', 'x-amz-source-expected-bucket-owner': '111122223333' },
  })
  const list = '<Delete><Object><Key>kept</Key><Size>5</Size></Object></Delete>'
  const answer = await ok('POST', '/grain', { query: { delete: '' }, body: list,
    headers: { 'content-md5': createHash('md5').update(list).digest('base64'), 'x-amz-expected-bucket-owner': 'ada' } })
  expect(elements(answer.text, 'Code')).toEqual(['NotImplemented'])
  await bad('PUT', '/grain/bad', 400, 'InvalidRequest', { body: 'x', headers: { 'x-amz-checksum-sha512': 'AAAA' } })
  await bad('PUT', '/grain/bad', 400, 'InvalidRequest', { body: 'x', headers: { 'x-amz-sdk-checksum-algorithm': 'MD4' } })
  for (const directive of ['metadata', 'tagging'])
    await bad('PUT', '/grain/bad', 400, 'InvalidArgument', {
      headers: { 'x-amz-copy-source': 'grain/kept', [`x-amz-${directive}-directive`]: 'SOME' },
    })
  await bad('PUT', '/grain/bad', 400, 'InvalidArgument', { body: 'x', query: { partNumber: '1' } })
  const key = { 'x-amz-server-side-encryption-customer-key': 'a2V5' }
  await bad('PUT', '/grain/bad', 400, 'InvalidArgument', { body: 'x', headers: key })
  await bad('GET', '/grain/kept', 400, 'InvalidRequest', { headers: key })
  await bad('PUT', '/locked', 501, 'NotImplemented', { headers: { 'x-amz-bucket-object-lock-enabled': 'true' } })
  const upload = await begin('/grain/ranges')
  for (const [range, status, code] of [['bytes=0-10', 400, 'InvalidArgument'], ['bytes=5-', 400, 'InvalidArgument'],
    ['bytes=-3', 400, 'InvalidArgument'], ['bytes=3-2', 400, 'InvalidArgument']] as const)
    await bad('PUT', '/grain/ranges', status, code, {
      query: { partNumber: '1', uploadId: upload }, headers: { 'x-amz-copy-source': 'grain/kept', 'x-amz-copy-source-range': range },
    })
  await ok('DELETE', '/grain/ranges', { query: { uploadId: upload } })
  await mill.writeFile('/plain-file', '')
  await bad('PUT', '/plain-file', 409, 'BucketAlreadyExists')
  expect((await ok('GET', '/grain/kept')).text).toBe('0123456789')
  await ok('DELETE', '/grain/kept')
  expect(await left()).toEqual([[]])
})

test('a directory that was stored as a key goes with its last key, whatever was stored with it', async () => {
  for (const inOrder of [true, false]) {
    for (const key of ['marked/', 'marked/deep/'])
      await ok('PUT', `/grain/${key}`, {
        headers: { 'content-type': 'application/x-directory', 'x-amz-meta-a': 'b', 'x-amz-tagging': 'a=b' },
      })
    await ok('PUT', '/grain/marked/deep/x', { body: 'rye' })
    const keys = ['marked/', 'marked/deep/', 'marked/deep/x']
    for (const key of inOrder ? keys : keys.reverse()) await ok('DELETE', `/grain/${key}`)
    await expect(mill.status('/grain/marked')).rejects.toMatchObject({ code: 'ENOENT' })
  }
})

test('a user has the rights that the user has everywhere', async () => {
  await bad('PUT', '/grain/by-grete', 403, 'AccessDenied', { body: 'x' }, grete)
  await bad('DELETE', '/grain/oats', 403, 'AccessDenied', {}, grete)
  await bad('PUT', '/grain', 409, 'BucketAlreadyExists', {}, grete)
  await bad('PUT', '/grain', 409, 'BucketAlreadyOwnedByYou')
  await mill.chmod('/grain/a/b/rye', 0o600).catch(() => {})
  await ok('PUT', '/private')
  await ok('PUT', '/private/secret', { body: 'x' })
  await cluster.ok(['chmod', '700', '/private'])
  await bad('GET', '/private/secret', 403, 'AccessDenied', {}, grete)
  await bad('GET', '/private', 403, 'AccessDenied', {}, grete)
  await cluster.ok(['quota', 'set', '/private', '--names', '1'])
  await bad('PUT', '/private/second', 403, 'QuotaExceeded', { body: 'x' })
  expect(elements((await ok('GET', '/')).text, 'Name')).toEqual(expect.arrayContaining(['grain', 'private']))
})
