// Namespace calls as a client sees them: operations sent to the journal, removals to the trash, wake-ups of the sweeper, and changes of
// replication that reach the blocks of a file.

import { expect, test } from 'vitest'
import { namespaceRoutes, type NamespaceOptions } from '../../../../namenode/namespace/routes.ts'
import { blocksOf } from '../../../../namenode/namespace/file.ts'
import * as names from '../../../../namenode/namespace/names.ts'
import { complete, create } from '../../../../namenode/writing/mutations.ts'
import type { BlockId } from '../../../../src/base/ids.ts'
import { silent } from '../../../../src/ports/log.ts'
import type { Message, ReplyOf, RequestOf } from '../../../../src/protocol/message.ts'
import { list, locate, mkdir, remove, rename, reportBad, setAttributes, stat, summary, touch } from '../../../../src/protocol/namespace.ts'
import { seeded } from '../../../../src/world/random.ts'
import { until } from '../../datanode/kit.ts'
import { as, ask, openBench, root } from '../kit.ts'

async function conversation({ trashKeepMs = 1000, user = 'grace' }: { trashKeepMs?: number; user?: string } = {}) {
  const bench = await openBench()
  const seen = { removed: 0, suspects: [] as unknown[], targets: new Map<BlockId, number[]>(), errors: [] as unknown[] }
  let onKnow = (): void => {}
  const { journal, clock } = bench
  const routes = namespaceRoutes({
    journal, view: journal.view, clock,
    log: {
      ...silent,
      error: (_: string, details: unknown) => {
        seen.errors.push(details)
      },
    },
    random: seeded(1), trashKeepMs, defaults: { replication: 2, blockBytes: 4096 },
    map: {
      holders: () => [],
      know: (id: BlockId, target: number) => {
        seen.targets.set(id, [...(seen.targets.get(id) ?? []), target])
        onKnow()
      },
    },
    registry: { all: [] }, tokens: { issue: () => 'token' },
    actor: (name: string) => (name === 'grace' ? root : as(name)),
    removed: () => {
      seen.removed++
    },
    suspect: (...what: unknown[]) => {
      seen.suspects.push(what)
    },
  } as unknown as NamespaceOptions)
  const call = async <M extends Message>(message: M, request: Partial<RequestOf<M>>): Promise<ReplyOf<M>> => {
    const handler = routes.find(each => each.message.name === message.name)!.handler as unknown as (
      request: unknown, context: unknown,
    ) => unknown
    return await handler(request, { user, signal: new AbortController().signal }) as never
  }
  return { bench, seen, call, onKnow: (work: () => void) => { onKnow = work } }
}

test('names are made, listed, changed and found, with the defaults of the cluster', async () => {
  const { bench, call } = await conversation()
  bench.clock.pass(77)
  expect(await call(mkdir, { ...ask(), path: '/a/b', parents: true, mode: 0o750 })).toMatchObject({
    path: '/a/b', mode: 0o750, owner: 'grace', mtimeMs: bench.clock.now(),
  })
  expect(await call(touch, { ...ask(), path: '/a/b/f' })).toMatchObject({ replication: 2, blockBytes: 4096, mtimeMs: bench.clock.now() })
  expect(await call(touch, { ...ask(), path: '/a/b/f', mtimeMs: 5 })).toMatchObject({ mtimeMs: 5 })
  expect(await call(stat, { path: '/a/b/f' })).toMatchObject({ type: 'file', mtimeMs: 5 })
  expect((await call(list, { path: '/a/b' })).entries.map(({ path }) => path)).toEqual(['/a/b/f'])
  expect(await call(locate, { path: '/a/b/f' })).toMatchObject({ status: { path: '/a/b/f' }, blocks: [] })
  expect(await call(summary, { path: '/a' })).toEqual({ files: 1, directories: 2, bytes: 0, stored: 0 })
  expect(await call(setAttributes, { ...ask(), path: '/a/b/f', mode: 0o600, owner: 'ann' })).toMatchObject({ mode: 0o600, owner: 'ann' })
})

test('the directory of references and copies of other places belongs to no user, also if one makes it first', async () => {
  const { call } = await conversation({ user: 'mallory' })
  for (let again = 0; again < 2; again++)
    expect(await call(mkdir, { ...ask(), path: '/.outside', parents: true, mode: 0o777 })).toMatchObject({
      owner: 'system:gristmill', mode: 0o1777,
    })
  await call(mkdir, { ...ask(), path: '/.outside/mine', mode: 0o700 })
  await expect(call(rename, { ...ask(), from: '/.outside', to: '/theirs', overwrite: false })).rejects.toMatchObject({ code: 'EACCES' })
})

test('calls with the same request id have one effect and one answer', async () => {
  const { bench, call } = await conversation()
  const asked = { ...ask(), path: '/a' }
  const made = await call(mkdir, asked)
  expect(await call(mkdir, asked)).toEqual(made)
  const moved = { ...ask(), from: '/a', to: '/b' }
  for (let i = 0; i < 2; i++) expect(await call(rename, moved)).toEqual({})
  const touched = { ...ask(), path: '/f' }
  const { id } = await call(touch, touched)
  expect((await call(touch, touched)).id).toBe(id)
  const gone = { ...ask(), path: '/b' }
  expect(await call(remove, gone)).toEqual(await call(remove, gone))
  expect(bench.journal.view.counters).toMatchObject({ files: 1 })
})

test('nothing is changed that lies in a snapshot or too deep, by any call', async () => {
  const { call } = await conversation()
  const deep = '/d'.repeat(5_000)
  for (const [path, code] of [['/.snapshot/s', 'EROFS'], [deep, 'ENAMETOOLONG']] as const) {
    const refused = { code }
    await expect(call(mkdir, { ...ask(), path })).rejects.toMatchObject(refused)
    await expect(call(rename, { ...ask(), from: path, to: '/x' })).rejects.toMatchObject(refused)
    await expect(call(rename, { ...ask(), from: '/x', to: path })).rejects.toMatchObject(refused)
    await expect(call(remove, { ...ask(), path })).rejects.toMatchObject(refused)
    await expect(call(setAttributes, { ...ask(), path, mode: 0 })).rejects.toMatchObject(refused)
    await expect(call(touch, { ...ask(), path })).rejects.toMatchObject(refused)
  }
})

test('what is removed goes to the trash at the time of the journal; for good, with the sweeper woken, if so asked, from the trash, and without one', async () => {
  const { bench, seen, call } = await conversation()
  const inTrash = async (): Promise<string[]> =>
    (await call(list, { path: '/.gristmill/trash/grace' }).catch(() => ({ entries: [] }))).entries.map(({ path }) => path)
  for (const path of ['/a', '/b', '/c']) await call(touch, { ...ask(), path })
  bench.clock.wallMs += 1e9 // a clock change, which the journal ignores
  const { item } = await call(remove, { ...ask(), path: '/a' })
  expect(await inTrash()).toEqual([`/.gristmill/trash/grace/${item!}`])
  expect(bench.store.dump()).toContain(Buffer.from('/a').toString('hex'))
  expect(seen.removed).toBe(0)
  expect(await call(remove, { ...ask(), path: '/b', skipTrash: true })).toEqual({})
  expect(await call(remove, { ...ask(), path: `/.gristmill/trash/grace/${item!}`, recursive: true })).toEqual({})
  expect([seen.removed, await inTrash()]).toEqual([2, []])
  await call(mkdir, { ...ask(), path: '/d/e', parents: true })
  await expect(call(remove, { ...ask(), path: '/d' })).rejects.toMatchObject({ code: 'ENOTEMPTY' })
  const without = await conversation({ trashKeepMs: 0 })
  await without.call(touch, { ...ask(), path: '/a' })
  expect(await without.call(remove, { ...ask(), path: '/a' })).toEqual({})
  expect(without.seen.removed).toBe(1)
})

test('a directory that its user may write to and not look into is not removed with what is in it', async () => {
  const { bench, call } = await conversation({ user: 'bob' })
  await call(mkdir, { ...ask(), path: '/b/c', parents: true })
  await call(setAttributes, { ...ask(), path: '/b', mode: 0o200 })
  for (const skipTrash of [true, false])
    await expect(call(remove, { ...ask(), path: '/b', recursive: true, skipTrash })).rejects.toMatchObject({ code: 'EACCES' })
  expect(bench.journal.view.counters.doomed).toBe(0)
})

test('a rename wakes the sweeper if it may have replaced something', async () => {
  const { seen, call } = await conversation()
  for (const path of ['/a', '/b']) await call(touch, { ...ask(), path })
  await call(rename, { ...ask(), from: '/a', to: '/c' })
  expect(seen.removed).toBe(0)
  await expect(call(rename, { ...ask(), from: '/c', to: '/b' })).rejects.toMatchObject({ code: 'EEXIST' })
  await call(rename, { ...ask(), from: '/c', to: '/b', overwrite: true })
  expect(seen.removed).toBe(1)
})

test('a new replication reaches every block of a large file, in turns; what holds at the end counts', async () => {
  const { bench, seen, call, onKnow } = await conversation()
  const { lease, blocks } = await bench.do(create, { path: '/f', replication: 1, blockBytes: 4096, blocks: 600 })
  await bench.do(complete, { lease, blocks: blocks.map(id => ({ id, length: 10, crc: 1, aligned: false })) })
  expect(await call(setAttributes, { ...ask(), path: '/f', mode: 0o640 })).toMatchObject({ mode: 0o640 })
  for (let i = 0; i < 5; i++) await bench.clock.yield()
  expect(seen.targets.size).toBe(0)
  await call(setAttributes, { ...ask(), path: '/f', replication: 3 })
  await until('all know it', () => seen.targets.size === 600)
  expect([...seen.targets.values()].every(told => told.join() === '3')).toBe(true)
  expect([...blocksOf(bench.journal.view, (await call(stat, { path: '/f' })).id)].map(chunk => chunk.length)).toEqual([256, 256, 88])
  // Changed again while the first chunk is being updated, and removed during the second.
  seen.targets.clear()
  let told = 0
  onKnow(() => {
    told++
    if (told === 1) void bench.do(names.setAttributes, { path: '/f', replication: 1 })
  })
  await call(setAttributes, { ...ask(), path: '/f', replication: 2 })
  await until('all know it', () => told === 600)
  const last = [...seen.targets.values()].map(each => each.at(-1))
  expect([last[0], last[599], new Set(last).size]).toEqual([2, 1, 2])
  expect(seen.errors).toEqual([])
})

test('a replica of which a reader says that it is bad is suspected', async () => {
  const { seen, call } = await conversation()
  expect(await call(reportBad, { block: 7 as BlockId, address: 'a:1' as never, proof: { message: 'crc' } as never })).toEqual({})
  expect(seen.suspects).toEqual([[7, 'a:1', 'crc']])
})
