// Versioning of buckets, as AWS documents it: ids, delete markers, lists, and what other doors do. Registered by
// test/cluster/s3.test.ts, in its cluster.

import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { until } from '../../kit/cluster.ts'
import { S3TestClient, type S3Reply } from '../s3client.ts'
import { ada, at, bad, begin, cluster, completion, elements, grete, keys, md5, mill, ok, other } from './bench.ts'

const configuration = (state: string): string =>
  `<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>${state}</Status></VersioningConfiguration>`

const version = ({ headers }: S3Reply): string => String(headers['x-amz-version-id'])
const put = async (path: string, body: string): Promise<string> => version(await ok('PUT', path, { body }))
const get = (path: string, versionId?: string): Promise<S3Reply> =>
  ada.ask('GET', path, versionId === undefined ? {} : { query: { versionId } })

async function make(bucket: string): Promise<string> {
  await ok('PUT', `/${bucket}`)
  await ok('PUT', `/${bucket}`, { query: { versioning: '' }, body: configuration('Enabled') })
  return `/${bucket}`
}

interface Listed { readonly key: string; readonly id: string; readonly latest: boolean; readonly marker: boolean }

/** Versions of a page, in the order of their kinds. */
const listed = (text: string): Listed[] =>
  [...text.matchAll(/<(Version|DeleteMarker)>.*?<Key>([^<]*)<\/Key><VersionId>([^<]*)<\/VersionId><IsLatest>(true|false)/g)]
    .map(([, kind, key, id, latest]) => ({ key: key!, id: id!, latest: latest === 'true', marker: kind === 'DeleteMarker' }))

const versions = async (bucket: string, query: Record<string, string> = {}): Promise<Listed[]> =>
  listed((await ok('GET', bucket, { query: { versions: '', ...query } })).text)

test('in a bucket with versioning each write has an id, and each version is read, described, copied and removed by it', async () => {
  await ok('PUT', '/versions')
  const state = async (): Promise<string[]> => elements((await ok('GET', '/versions', { query: { versioning: '' } })).text, 'Status')
  expect(await state()).toEqual([])
  expect((await ok('PUT', '/versions/k', { body: 'none' })).headers['x-amz-version-id']).toBeUndefined()
  await ok('PUT', '/versions', { query: { versioning: '' }, body: configuration('Enabled') })
  expect(await state()).toEqual(['Enabled'])
  expect(version(await get('/versions/k'))).toBe('null')
  const one = await put('/versions/k', 'one')
  const two = await put('/versions/k', 'x'.repeat(10_000))
  expect(new Set([one, two, 'null']).size).toBe(3)
  expect([await get('/versions/k', 'null'), await get('/versions/k', one)].map(reply => [version(reply), reply.text]))
    .toEqual([['null', 'none'], [one, 'one']])
  // One that has blocks.
  const three = await put('/versions/k', 'three')
  const older = await get('/versions/k', two)
  expect([older.text.length, older.headers['etag']]).toEqual([10_000, `"${md5('x'.repeat(10_000))}"`])
  expect((await ok('HEAD', '/versions/k', { query: { versionId: one } })).headers['content-length']).toBe('3')
  expect(await versions('/versions')).toEqual([three, two, one, 'null'].map(id => ({ key: 'k', id, latest: id === three, marker: false })))
  // Tags are of one version.
  const tagging = (value: string): string => `<Tagging><TagSet><Tag><Key>t</Key><Value>${value}</Value></Tag></TagSet></Tagging>`
  await ok('PUT', '/versions/k', { query: { tagging: '', versionId: one }, body: tagging('old') })
  await ok('PUT', '/versions/k', { query: { tagging: '' }, body: tagging('new') })
  const tags = async (query: Record<string, string>): Promise<string[]> =>
    elements((await ok('GET', '/versions/k', { query: { tagging: '', ...query } })).text, 'Value')
  expect([await tags({ versionId: one }), await tags({ versionId: two }), await tags({})]).toEqual([['old'], [], ['new']])
  await ok('DELETE', '/versions/k', { query: { tagging: '', versionId: one } })
  expect(await tags({ versionId: one })).toEqual([])
  // A copy of an older version onto the object brings it back.
  const copy = await ok('PUT', '/versions/k', { headers: { 'x-amz-copy-source': `/versions/k?versionId=${one}` } })
  expect(copy.headers['x-amz-copy-source-version-id']).toBe(one)
  expect([(await get('/versions/k')).text, version(await get('/versions/k'))]).toEqual(['one', version(copy)])
  // The one before a removed latest version is the object again.
  const removed = await ok('DELETE', '/versions/k', { query: { versionId: version(copy) } })
  expect([removed.status, version(removed), removed.headers['x-amz-delete-marker']]).toEqual([204, version(copy), undefined])
  expect([(await get('/versions/k')).text, version(await get('/versions/k'))]).toEqual(['three', three])
  // Parts.
  const upload = await begin('/versions/parts')
  const part = await ok('PUT', '/versions/parts', { query: { uploadId: upload, partNumber: '1' }, body: 'all' })
  const request = { query: { uploadId: upload }, body: completion([[1, String(part.headers['etag'])]]) }
  const joined = await ok('POST', '/versions/parts', request)
  expect(version(joined)).toBe(version(await get('/versions/parts')))
  expect(version(await ok('POST', '/versions/parts', request))).toBe(version(joined))
})

test('a deleted key has a delete marker, and is there again without it; a bucket with versions is not empty', async () => {
  const bucket = await make('markers')
  const one = await put('/markers/d/k', 'one')
  const deleted = await ok('DELETE', '/markers/d/k')
  const marker = version(deleted)
  expect(deleted.headers['x-amz-delete-marker']).toBe('true')
  const gone = await get('/markers/d/k')
  expect([gone.status, gone.code, version(gone), gone.headers['x-amz-delete-marker']]).toEqual([404, 'NoSuchKey', marker, 'true'])
  expect((await ada.ask('HEAD', '/markers/d/k')).headers['x-amz-delete-marker']).toBe('true')
  const refused = await get('/markers/d/k', marker)
  expect([refused.status, refused.code, refused.headers['allow']]).toEqual([405, 'MethodNotAllowed', 'DELETE'])
  await bad('PUT', '/markers/copy', 400, 'InvalidRequest', { headers: { 'x-amz-copy-source': `/markers/d/k?versionId=${marker}` } })
  expect(await versions(bucket)).toEqual([
    { key: 'd/k', id: one, latest: false, marker: false }, { key: 'd/k', id: marker, latest: true, marker: true },
  ])
  for (const query of [{ 'list-type': '2' }, { 'list-type': '2', delimiter: '/' }, { delimiter: '/' }])
    expect((await ok('GET', bucket, { query })).text).not.toMatch(/<Key>|<CommonPrefixes>/)
  await bad('DELETE', bucket, 409, 'BucketNotEmpty')
  const unmarked = await ok('DELETE', '/markers/d/k', { query: { versionId: marker } })
  expect([version(unmarked), unmarked.headers['x-amz-delete-marker']]).toEqual([marker, 'true'])
  expect((await get('/markers/d/k')).text).toBe('one')
  // Many in one request: a key, a version that is there, one that is not, and one that is none.
  const objects = [['d/k'], ['d/k', one], ['d/k', 'ffffffffffff'], ['d/k', 'nonsense'], ['never']]
  const body = `<Delete>${objects.map(([key, id]) =>
    `<Object><Key>${key}</Key>${id ? `<VersionId>${id}</VersionId>` : ''}</Object>`).join('')}</Delete>`
  const headers = { 'content-md5': createHash('md5').update(body).digest('base64') }
  const { text } = await ok('POST', bucket, { query: { delete: '' }, body, headers })
  const of = (name: string): string[] => [...text.matchAll(new RegExp(`<${name}>(.*?)</${name}>`, 'g'))].map(([, inner]) => inner!)
  expect(of('Error')).toEqual([expect.stringMatching(/^<Key>d\/k<\/Key><VersionId>nonsense<\/VersionId><Code>NoSuchVersion</)])
  // Each of them has its answer; a key that never was gets a marker too.
  expect(of('Deleted').filter(each => each.includes('<DeleteMarker>true')).map(each => /<Key>([^<]*)/.exec(each)![1]).sort())
    .toEqual(['d/k', 'never'])
  expect(of('Deleted').filter(each => each.includes('<VersionId>'))).toEqual([
    `<Key>d/k</Key><VersionId>${one}</VersionId>`, '<Key>d/k</Key><VersionId>ffffffffffff</VersionId>',
  ])
  for (const { key, id } of await versions(bucket)) await ok('DELETE', `/markers/${key}`, { query: { versionId: id } })
  expect((await ok('DELETE', bucket)).status).toBe(204)
})

test('an object whose delete marker was removed while there were keys below its own is there again when these are gone', async () => {
  await make('covered')
  await put('/covered/a', 'one')
  const marker = version(await ok('DELETE', '/covered/a'))
  const below = await put('/covered/a/b', 'below')
  await ok('DELETE', '/covered/a', { query: { versionId: marker } })
  await bad('GET', '/covered/a', 404, 'NoSuchKey')
  await ok('DELETE', '/covered/a/b', { query: { versionId: below } })
  expect((await get('/covered/a')).text).toBe('one')
})

test('lists of versions by pages, prefix and delimiter are those of one page', async () => {
  const bucket = await make('paged')
  for (const key of ['a', 'a/b', 'c d', 'c/e', 'f']) {
    if (key === 'a/b') await ok('DELETE', '/paged/a')
    await put(`/paged/${key}`, '1')
    await put(`/paged/${key}`, '2')
  }
  const byKind = (all: Listed[]): Listed[] => [...all.filter(({ marker }) => !marker), ...all.filter(({ marker }) => marker)]
  const whole = await versions(bucket)
  expect(whole.map(({ key }) => key)).toEqual(['a', 'a', 'a/b', 'a/b', 'c d', 'c d', 'c/e', 'c/e', 'f', 'f', 'a'])
  for (const max of ['1', '3']) {
    const seen: Listed[] = []
    for (let query: Record<string, string> = {}; ;) {
      const { text } = await ok('GET', bucket, { query: { versions: '', 'max-keys': max, ...query } })
      seen.push(...listed(text))
      if (elements(text, 'IsTruncated')[0] === 'false') break
      query = { 'key-marker': elements(text, 'NextKeyMarker')[0]!, 'version-id-marker': elements(text, 'NextVersionIdMarker')[0]! }
    }
    expect(byKind(seen)).toEqual(whole)
  }
  const rolled = await ok('GET', bucket, { query: { versions: '', delimiter: '/', 'encoding-type': 'url' } })
  expect(elements(rolled.text, 'Prefix')).toEqual(['a/', 'c/'])
  expect(listed(rolled.text).map(({ key }) => key)).toEqual(['a', 'a', 'c%20d', 'c%20d', 'f', 'f', 'a'])
  expect((await versions(bucket, { prefix: 'c' })).map(({ key }) => key)).toEqual(['c d', 'c d', 'c/e', 'c/e'])
  expect((await versions(bucket, { 'key-marker': 'c d' })).map(({ key }) => key)).toEqual(['c/e', 'c/e', 'f', 'f'])
})

test('suspended versioning writes the version null; conditions and concurrent writers lose no version', async () => {
  const bucket = await make('suspended')
  const one = await put('/suspended/k', 'one')
  await ok('PUT', bucket, { query: { versioning: '' }, body: configuration('Suspended') })
  expect([await put('/suspended/k', 'two'), await put('/suspended/k', 'three')]).toEqual(['null', 'null'])
  expect((await versions(bucket)).map(({ id }) => id)).toEqual(['null', one])
  expect(version(await ok('DELETE', '/suspended/k'))).toBe('null')
  expect((await versions(bucket)).map(({ id, marker }) => [id, marker])).toEqual([[one, false], ['null', true]])
  await ok('DELETE', '/suspended/k', { query: { versionId: 'null' } })
  expect((await get('/suspended/k')).text).toBe('one')
  await ok('PUT', bucket, { query: { versioning: '' }, body: configuration('Enabled') })
  await bad('PUT', '/suspended/k', 412, 'PreconditionFailed', { body: 'x', headers: { 'if-none-match': '*' } })
  await bad('DELETE', '/suspended/k', 412, 'PreconditionFailed', { headers: { 'if-match': '"0"' } })
  await bad('DELETE', '/suspended/k', 412, 'PreconditionFailed', { query: { versionId: one }, headers: { 'if-match': '"0"' } })
  // Of many with one condition one succeeds; without a condition each has a version.
  const bodies = Array.from({ length: 8 }, (_, i) => `body ${i}`)
  const clients = bodies.map(() => new S3TestClient(at, keys.ada))
  const headers = { 'if-none-match': '*' }
  const replies = await Promise.all(clients.map((client, i) => client.ask('PUT', '/suspended/new', { body: bodies[i]!, headers })))
  expect(replies.filter(({ status }) => status === 200)).toHaveLength(1)
  const all = await Promise.all(clients.map((client, i) => client.ask('PUT', '/suspended/many', { body: bodies[i]! })))
  const kept = await Promise.all(all.map(async reply => (await get('/suspended/many', version(reply))).text))
  expect(kept).toEqual(bodies)
  const removed = await Promise.all(clients.map((client, i) =>
    client.ask('DELETE', '/suspended/many', { query: { versionId: version(all[i]!) } })))
  expect(removed.map(({ status }) => status)).toEqual(bodies.map(() => 204))
  expect(await versions(bucket, { prefix: 'many' })).toEqual([])
  await Promise.all(clients.map(client => client.close()))
})

test('versions at other doors: read below .snapshot, never written there; what another door writes is the version null', async () => {
  await make('doors')
  const one = await put('/doors/d/k', 'one')
  const two = await put('/doors/d/k', 'two')
  const path = `/doors/d/.snapshot/.objects/k/${one}`
  expect((await mill.readFile(path)).toString()).toBe('one')
  expect(await cluster.ok(['cat', path])).toBe('one')
  expect(await cluster.ok(['ls', '/doors/d/.snapshot/.objects/k'])).toContain(one)
  expect(await cluster.ok(['ls', '/doors/d'])).not.toContain('.snapshot')
  await expect(mill.writeFile(path, 'x')).rejects.toMatchObject({ code: 'EROFS' })
  await mill.writeFile('/doors/d/k', 'elsewhere')
  expect([version(await get('/doors/d/k')), (await get('/doors/d/k', two)).status]).toEqual(['null', 404])
  await cluster.ok(['rm', '/doors/d/k'])
  const gone = await get('/doors/d/k')
  expect([gone.status, gone.headers['x-amz-delete-marker']]).toEqual([404, undefined])
  expect((await versions('/doors')).map(({ id, latest }) => [id, latest])).toEqual([[one, false]])
  // A directory takes its versions with it.
  await cluster.ok(['mv', '/doors/d', '/doors/moved'])
  expect((await get('/doors/moved/k', one)).text).toBe('one')
})

test('versioning is for the owner of a bucket; wrong ids, markers and documents are errors of their own', async () => {
  const bucket = await make('strict')
  const one = await put('/strict/k', 'one')
  await bad('PUT', bucket, 403, 'AccessDenied', { query: { versioning: '' }, body: configuration('Suspended') }, grete)
  await bad('DELETE', '/strict/k', 403, 'AccessDenied', { query: { versionId: one } }, grete)
  await bad('PUT', '/no-such-bucket', 404, 'NoSuchBucket', { query: { versioning: '' }, body: configuration('Enabled') })
  await bad('GET', '/no-such-bucket', 404, 'NoSuchBucket', { query: { versions: '' } })
  for (const [body, status, code] of [
    ['<VersioningConfiguration/>', 400, 'IllegalVersioningConfigurationException'], [configuration('enabled'), 400, 'MalformedXML'],
    ['<Versioning><Status>Enabled</Status></Versioning>', 400, 'MalformedXML'], ['', 400, 'MalformedXML'],
    [configuration('Enabled').replace('<Status>', '<MfaDelete>Enabled</MfaDelete><Status>'), 501, 'NotImplemented'],
    [configuration('Enabled').replace('<Status>', '<MfaDelete>yes</MfaDelete><Status>'), 400, 'MalformedXML'],
  ] as const) await bad('PUT', bucket, status, code, { query: { versioning: '' }, body })
  for (const versionId of ['', 'x', '../k', `${one}0`, one.toUpperCase().replace(/^f/i, 'G')]) {
    for (const method of ['GET', 'DELETE']) await bad(method, '/strict/k', 400, 'InvalidArgument', { query: { versionId } })
    expect((await ada.ask('HEAD', '/strict/k', { query: { versionId } })).status).toBe(400)
  }
  await bad('PUT', '/strict/copy', 400, 'InvalidArgument', { headers: { 'x-amz-copy-source': '/strict/k?versionId=x' } })
  await bad('PUT', '/strict/copy', 404, 'NoSuchVersion', { headers: { 'x-amz-copy-source': '/strict/k?versionId=ffffffffffff' } })
  await bad('GET', '/strict/k', 404, 'NoSuchVersion', { query: { versionId: 'ffffffffffff' } })
  await bad('GET', '/strict/none', 404, 'NoSuchVersion', { query: { versionId: one } })
  await bad('GET', '/strict/k', 404, 'NoSuchVersion', { query: { versionId: 'null' } })
  // There is nothing to remove.
  for (const versionId of ['ffffffffffff', 'null']) expect((await ok('DELETE', '/strict/k', { query: { versionId } })).status).toBe(204)
  await bad('GET', bucket, 400, 'InvalidArgument', { query: { versions: '', 'version-id-marker': one } })
  await bad('GET', bucket, 400, 'InvalidArgument', { query: { versions: '', 'key-marker': 'k', 'version-id-marker': 'x' } })
  await bad('GET', bucket, 400, 'InvalidArgument', { query: { versions: '', 'max-keys': '-1' } })
  expect((await ok('GET', '/strict/k', {}, other)).text).toBe('one')
})

test('the lifecycle of a bucket removes delete markers that nothing is behind; a list that gives others rights is refused', async () => {
  const bucket = await make('lifecycle')
  const one = await put('/lifecycle/a', 'one')
  await put('/lifecycle/b', 'two')
  for (const key of ['a', 'b']) await ok('DELETE', `/lifecycle/${key}`)
  await ok('DELETE', '/lifecycle/a', { query: { versionId: one } })
  expect(await versions(bucket)).toHaveLength(3)
  const expiration = '<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>'
  const body = `<LifecycleConfiguration><Rule><Status>Enabled</Status><Filter/>${expiration}</Rule></LifecycleConfiguration>`
  await ok('PUT', bucket, { query: { lifecycle: '' }, body, headers: { 'content-md5': createHash('md5').update(body).digest('base64') } })
  await until('the end of the marker', async () => (await versions(bucket)).length === 2)
  expect((await versions(bucket)).map(({ key }) => key)).toEqual(['b', 'b'])
  // Access control lists: what GetObjectAcl answers is taken, and nothing that would change a right.
  await put('/lifecycle/c', 'x')
  const own = (await ok('GET', '/lifecycle/c', { query: { acl: '' } })).text
  await ok('PUT', '/lifecycle/c', { query: { acl: '' }, body: own })
  await ok('PUT', bucket, { query: { acl: '' }, body: (await ok('GET', bucket, { query: { acl: '' } })).text })
  await ok('PUT', '/lifecycle/c', { query: { acl: '' }, headers: { 'x-amz-acl': 'bucket-owner-full-control' } })
  for (const [more, code] of [
    [{ headers: { 'x-amz-acl': 'public-read' } }, 'AccessControlListNotSupported'], [{ headers: { 'x-amz-acl': 'x' } }, 'InvalidArgument'],
    [{ body: own.replaceAll('ada', 'grete') }, 'AccessControlListNotSupported'], [{}, 'MissingSecurityHeader'],
    [{ body: own.replace('FULL_CONTROL', 'READ') }, 'AccessControlListNotSupported'], [{ body: '<AccessControlPolicy/>' }, 'MalformedXML'],
  ] as const) await bad('PUT', '/lifecycle/c', 400, code, { query: { acl: '' }, ...more })
  await bad('PUT', '/lifecycle/none', 404, 'NoSuchKey', { query: { acl: '' }, body: own })
})
