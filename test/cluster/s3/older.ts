// Lists of older states of keys: below .snapshot, and in versions of outputs. Registered by test/cluster/s3.test.ts, in its cluster.

import { expect, test } from 'vitest'
import { bad, elements, grete, mill, ok } from './bench.ts'

interface Page { readonly keys: string[]; readonly prefixes: string[]; readonly next: string | undefined }

async function page(bucket: string, query: Record<string, string>): Promise<Page> {
  const { text } = await ok('GET', bucket, { query: { 'list-type': '2', ...query } })
  return {
    keys: elements(text, 'Key'), next: elements(text, 'NextContinuationToken')[0],
    prefixes: [...text.matchAll(/<CommonPrefixes><Prefix>([^<]*)</g)].map(match => match[1]!),
  }
}

/** Keys and prefixes of all pages, of so many each. */
async function all(bucket: string, query: Record<string, string>, max = 1000): Promise<string[]> {
  const found: string[] = []
  for (let token: string | undefined, pages = 0; pages < 100; pages++) {
    const from = token === undefined ? {} : { 'continuation-token': token }
    const { keys, prefixes, next } = await page(bucket, { ...query, 'max-keys': String(max), ...from })
    found.push(...keys, ...prefixes)
    token = next
    if (token === undefined) break
  }
  return found
}

test('lists below .snapshot have the keys of the snapshot, by pages, prefix and delimiter, and no other list has them', async () => {
  await ok('PUT', '/older')
  for (const key of ['a', 'a.b', 'a-dir/x', 'a-dir/y', 'z/deep/er', 'gone']) await ok('PUT', `/older/${key}`, { body: key })
  await ok('PUT', '/older/empty/')
  await mill.snapshots.create('/older', 'one')
  await ok('DELETE', '/older/gone')
  await ok('DELETE', '/older/z/deep/er')
  await ok('PUT', '/older/empty/now', { body: 'x' })
  await ok('PUT', '/older/new', { body: 'x' })
  await mill.snapshots.create('/older', 'two')
  const then = ['a', 'a-dir/x', 'a-dir/y', 'a.b', 'empty/', 'gone', 'z/deep/er'].map(key => `.snapshot/one/${key}`)
  for (const max of [1, 2, 3, 1000]) {
    expect(await all('/older', { prefix: '.snapshot/one/' }, max)).toEqual(then)
    expect(await all('/older', { prefix: '.snapshot/one/', delimiter: '/' }, max)).toEqual(
      expect.arrayContaining(['a', 'a-dir/', 'a.b', 'empty/', 'gone', 'z/'].map(key => `.snapshot/one/${key}`)))
    expect((await all('/older', { prefix: '.snapshot/' }, max)).slice(0, then.length)).toEqual(then)
  }
  expect(await page('/older', { prefix: '.snapshot/', delimiter: '/' })).toEqual(
    { keys: [], prefixes: ['.snapshot/one/', '.snapshot/two/'], next: undefined })
  expect(await all('/older', { prefix: '.snapshot/t', delimiter: '/' })).toEqual(['.snapshot/two/'])
  expect(await all('/older', { prefix: '.snapshot/one/a-' })).toEqual(['.snapshot/one/a-dir/x', '.snapshot/one/a-dir/y'])
  expect(await all('/older', { prefix: '.snapshot/one/', 'start-after': '.snapshot/one/a.b' })).toEqual(then.slice(4))
  expect(await all('/older', { prefix: '.snapshot/three/' })).toEqual([])
  expect(await all('/older', {})).toEqual(['a', 'a-dir/x', 'a-dir/y', 'a.b', 'empty/', 'empty/now', 'new'])
  // What is listed is there.
  for (const key of then) await ok('GET', `/older/${key}`)
  // Nothing is written there, in parts neither.
  for (const key of ['.snapshot/one/a', '.snapshot/one/b/c', '.snapshot/x']) {
    await bad('PUT', `/older/${key}`, 403, 'AccessDenied', { body: 'x' })
    await bad('POST', `/older/${key}`, 403, 'AccessDenied', { query: { uploads: '' } })
  }
  await mill.chmod('/older', 0o700)
  await bad('GET', '/older', 403, 'AccessDenied', { query: { 'list-type': '2', prefix: '.snapshot/one/' } }, grete)
  await mill.chmod('/older', 0o755)
  for (const name of ['one', 'two']) await mill.snapshots.rm('/older', name)
  for (const key of ['a', 'a.b', 'a-dir/x', 'a-dir/y', 'empty/now', 'empty/', 'new']) await ok('DELETE', `/older/${key}`)
  await ok('DELETE', '/older')
})

test('lists below .snapshot/.objects have the older versions of keys that can be read', async () => {
  await ok('PUT', '/kept')
  await ok('PUT', '/kept', { query: { versioning: '' },
    body: '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>' })
  for (const body of ['1', '2', '3']) await ok('PUT', '/kept/d/k', { body })
  await ok('DELETE', '/kept/d/k')
  await ok('PUT', '/kept/d/other', { body: 'x' })
  await ok('DELETE', '/kept/d/other')
  const listed = await all('/kept', { prefix: 'd/.snapshot/.objects/' }, 2)
  expect(listed.map(key => key.replace(/[^/]*$/, ''))).toEqual(
    [...Array.from({ length: 3 }, () => 'd/.snapshot/.objects/k/'), 'd/.snapshot/.objects/other/'])
  const bodies = await Promise.all(listed.map(async key => (await ok('GET', `/kept/${key}`)).text))
  expect(bodies.toSorted()).toEqual(['1', '2', '3', 'x'])
  expect(await all('/kept', { prefix: 'd/.snapshot/.objects/', delimiter: '/' })).toEqual(
    ['d/.snapshot/.objects/k/', 'd/.snapshot/.objects/other/'])
  expect(await all('/kept', { prefix: 'd/.snapshot/.objects/k/' })).toEqual(listed.slice(0, 3))
})
