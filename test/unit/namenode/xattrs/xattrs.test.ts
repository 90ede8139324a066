// Extended attributes: changed with write permission only, bounded, moved with their inode, and deleted with it.

import { expect, test } from 'vitest'
import { attributesOf } from '../../../../namenode/xattrs/rows.ts'
import { mkdir, remove, rename, touch } from '../../../../namenode/namespace/names.ts'
import { stat } from '../../../../namenode/namespace/read.ts'
import { createSnapshot, removeSnapshot } from '../../../../namenode/snapshots/mutations.ts'
import { complete, create } from '../../../../namenode/writing/mutations.ts'
import { dropAttribute, setAttribute } from '../../../../namenode/xattrs/mutations.ts'
import { xattrRoutes } from '../../../../namenode/xattrs/routes.ts'
import { limits } from '../../../../src/base/limits.ts'
import { as, type Bench, file, openBench, replayed, root, sweepAll } from '../kit.ts'

const base64 = (text: string | Buffer): string => Buffer.from(text as string).toString('base64')

async function list(bench: Bench, path: string, user = 'grace'): Promise<Record<string, string>> {
  const route = xattrRoutes({ journal: bench.journal, actor: name => ({ user: name, root: name === 'grace' }) }).find(
    each => each.message.name === 'xattr.list',
  )!
  const { attributes } = await (
    route.handler as (request: object, context: object) => Promise<{ attributes: { name: string; value: string }[] }>
  )({ path }, { user })
  return Object.fromEntries(attributes.map(({ name, value }) => [name, Buffer.from(value, 'base64').toString()]))
}

const set = (bench: Bench, path: string, name: string, value: string | Buffer, actor = root) =>
  bench.do(setAttribute, { path, name, value: base64(value), ...actor })

test('attributes are set, replaced, listed in order and removed', async () => {
  const bench = await openBench()
  await bench.do(touch, file('/f'))
  await set(bench, '/f', 'user.b', 'two')
  await set(bench, '/f', 'user.a', 'one')
  await set(bench, '/f', 'user.a', 'ünø')
  await set(bench, '/f', 'user.empty', '')
  expect(Object.entries(await list(bench, '/f'))).toEqual([['user.a', 'ünø'], ['user.b', 'two'], ['user.empty', '']])
  await bench.do(dropAttribute, { path: '/f', name: 'user.b' })
  await expect(bench.do(dropAttribute, { path: '/f', name: 'user.b' })).rejects.toMatchObject({ code: 'ENOENT' })
  expect(bench.journal.view.counters.attributes).toBe(2)
  await replayed(bench)
})

test('names and sizes that cannot be are refused', async () => {
  const bench = await openBench()
  await bench.do(touch, file('/f'))
  for (const name of ['origin', 'user.', 'system.x', 'trusted.x'])
    await expect(set(bench, '/f', name, 'x'), name).rejects.toMatchObject({ code: 'EINVAL' })
  for (const name of ['user.a/b', 'user.\0', 'user.\ud800'])
    await expect(set(bench, '/f', name, 'x'), name).rejects.toMatchObject({ code: 'EINVAL' })
  await expect(set(bench, '/f', `user.${'x'.repeat(251)}`, 'x')).rejects.toMatchObject({ code: 'ENAMETOOLONG' })
  await expect(bench.do(setAttribute, { path: '/f', name: 'user.x', value: '%%%' })).rejects.toMatchObject({ code: 'EINVAL' })
  await expect(set(bench, '/f', 'user.x', Buffer.alloc(limits.attributeBytesMax + 1))).rejects.toMatchObject({ code: 'TOO_LARGE' })
  await expect(set(bench, '/none', 'user.x', 'x')).rejects.toMatchObject({ code: 'ENOENT' })
  for (const name of ['user.1', 'user.2', 'user.3']) await set(bench, '/f', name, Buffer.alloc(limits.attributeBytesMax))
  await expect(set(bench, '/f', 'user.4', Buffer.alloc(limits.attributeBytesMax))).rejects.toMatchObject({ code: 'TOO_LARGE' })
  // A replaced attribute is not counted twice.
  await set(bench, '/f', 'user.3', Buffer.alloc(limits.attributeBytesMax, 1))
  await bench.do(touch, file('/g'))
  for (let i = 0; i < limits.attributesMax; i++) await set(bench, '/g', `user.${i}`, '')
  await expect(set(bench, '/g', 'user.more', '')).rejects.toMatchObject({ code: 'TOO_LARGE' })
  await set(bench, '/g', 'user.7', 'x')
})

test('users with write permission set attributes, users with read permission see them, and the owner does both', async () => {
  const bench = await openBench()
  await bench.do(mkdir, { path: '/d', mode: 0o750, ...as('alice') })
  await bench.do(touch, { ...file('/d/f'), ...as('alice') })
  await set(bench, '/d', 'user.a', 'x', as('alice'))
  await expect(set(bench, '/d', 'user.a', 'y', as('bob'))).rejects.toMatchObject({ code: 'EACCES' })
  await expect(bench.do(dropAttribute, { path: '/d', name: 'user.a', ...as('bob') })).rejects.toMatchObject({ code: 'EACCES' })
  await expect(list(bench, '/d', 'bob')).rejects.toMatchObject({ code: 'EACCES' })
  await expect(list(bench, '/d/f', 'bob')).rejects.toMatchObject({ code: 'EACCES' })
  expect(await list(bench, '/d', 'alice')).toEqual({ 'user.a': 'x' })
})

test('they follow every rename, and go with their file or directory however it goes', async () => {
  const bench = await openBench()
  const { view } = bench.journal
  await bench.do(mkdir, { path: '/d/e', parents: true })
  await bench.do(touch, file('/d/empty'))
  for (const [path, blocks] of [['/d/e/small', 2], ['/d/large', 300]] as const) {
    const made = await bench.do(create, { path, replication: 1, blockBytes: 4096, blocks })
    await bench.do(complete, { lease: made.lease, blocks: made.blocks.map(id => ({ id, length: 1, crc: 1, aligned: false })) })
  }
  for (const path of ['/d', '/d/e', '/d/empty', '/d/e/small', '/d/large']) await set(bench, path, 'user.path', path)
  await bench.do(rename, { from: '/d', to: '/z' })
  expect(await list(bench, '/z/e/small')).toEqual({ 'user.path': '/d/e/small' })
  await bench.do(createSnapshot, { path: '/z', name: 's' })
  await bench.do(remove, { path: '/z/empty' })
  expect(await list(bench, '/z/.snapshot/s/empty')).toEqual({ 'user.path': '/d/empty' })
  await bench.do(removeSnapshot, { path: '/z', name: 's' })
  await sweepAll(bench, 10)
  expect(view.counters.attributes).toBe(4)
  await bench.do(touch, file('/z/empty'))
  expect(await list(bench, '/z/empty')).toEqual({})
  await set(bench, '/z/empty', 'user.x', 'x')
  await bench.do(remove, { path: '/z/empty' })
  expect(view.counters.attributes).toBe(4)
  const { id } = stat(view, root, '/z')
  await bench.do(remove, { path: '/z', recursive: true })
  await sweepAll(bench, 10)
  expect(view.counters).toMatchObject({ attributes: 0, files: 0, blocks: 0 })
  expect([...attributesOf(view, id)]).toEqual([])
  expect(bench.store.dump().split('\n').filter(line => line.startsWith('attributes '))).toEqual([])
})

test('settings of a bucket are for the owner of its directory, though others may write to it', async () => {
  const bench = await openBench()
  await bench.do(mkdir, { path: '/b', mode: 0o777, ...as('ada') })
  const routes = xattrRoutes({ journal: bench.journal, actor: name => ({ user: name, root: name === 'grace' }) })
  let requests = 0
  const ask = (name: string, request: object, user: string): Promise<unknown> => {
    const route = routes.find(each => each.message.name === name)!
    return (route.handler as (request: object, context: object) => Promise<unknown>)({ requestId: `r${requests++}`, path: '/b',
      ...request }, { user })
  }
  for (const name of ['user.s3.cors', 'user.s3.bucket.policy', 'user.s3.bucket.x']) {
    await expect(ask('xattr.set', { name, value: '' }, 'bob'), name).rejects.toMatchObject({ code: 'EACCES' })
    await ask('xattr.set', { name, value: '' }, 'ada')
    await expect(ask('xattr.remove', { name }, 'bob'), name).rejects.toMatchObject({ code: 'EACCES' })
    await ask('xattr.remove', { name }, 'grace')
  }
  await ask('xattr.set', { name: 'user.s3.tags', value: '' }, 'bob')
  // Journals of older versions have operations without the mark, and replay as they were.
  await bench.do(setAttribute, { path: '/b', name: 'user.s3.cors', value: '', ...as('bob') })
  await replayed(bench)
})
