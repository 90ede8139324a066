// Safe mode by hand, effects of lost operations, and fsck, on a namenode's rooms with manual time.

import { crc32c } from '@node-rs/crc32'
import { expect, test } from 'vitest'
import { fsckPage, noCounts } from '../../../../namenode/admin/fsck.ts'
import { Authority, type Precedence } from '../../../../namenode/succession/authority.ts'
import type { Answered } from '../../../../namenode/room.ts'
import { lostRoutes } from '../../../../namenode/admin/lost.ts'
import { recovered } from '../../../../namenode/succession/recovered.ts'
import { mkdir, remove, rename, touch } from '../../../../namenode/namespace/names.ts'
import { sweep } from '../../../../namenode/namespace/sweep.ts'
import { put as putObject } from '../../../../namenode/objects/mutations.ts'
import { remove as removeObject } from '../../../../namenode/objects/removal.ts'
import { setVersioning } from '../../../../namenode/objects/versioning.ts'
import { createSnapshot } from '../../../../namenode/snapshots/mutations.ts'
import { complete, create } from '../../../../namenode/writing/mutations.ts'
import { GristmillError } from '../../../../src/base/errors.ts'
import { blockId, requestId } from '../../../../src/base/ids.ts'
import { silent } from '../../../../src/ports/log.ts'
import * as namespace from '../../../../src/protocol/namespace.ts'
import type { CheckCounts, CheckedFile, FsckPage, LostState } from '../../../../src/protocol/safety.ts'
import { decommission } from '../../../../src/protocol/service.ts'
import { route } from '../../../../src/rpc/serve.ts'
import { place, Sim } from '../house.ts'
import { as, root } from '../kit.ts'

async function fsck(
  sim: Sim, path: string,
  {
    actor = root, healthy = true, between = async () => {},
  }: { actor?: typeof root; healthy?: boolean; between?: (page: FsckPage) => Promise<void> } = {},
): Promise<{ files: Map<string, CheckedFile>; counts: CheckCounts; pages: number }> {
  const { blocks, bench } = sim.house
  const files = new Map<string, CheckedFile>()
  const counts = noCounts()
  let pages = 0
  for (let after: FsckPage['next']; ;) {
    const page = await fsckPage(
      { view: bench.journal.view, map: blocks.map, isCorrupt: id => blocks.reports.isCorrupt(id), yield: () => sim.clock.yield() },
      actor, { path, healthy, ...(after && { after }) },
    )
    pages++
    for (const file of page.files) {
      const before = files.get(file.path)
      if (before && !file.continued) throw new Error(`${file.path} is told twice`)
      files.set(file.path, before ? { ...file, found: [...before.found, ...file.found] } : file)
    }
    for (const key of Object.keys(counts) as (keyof CheckCounts)[]) counts[key] = (counts[key] ?? 0) + (page.counts[key] ?? 0)
    if (!page.next) return { files, counts, pages }
    await between(page)
    after = page.next
  }
}

test('in safe mode by hand nothing is copied, trimmed or deleted; afterwards all of it is', async () => {
  const sim = await Sim.calm(1, 4)
  const { house } = sim
  const gone = await place(sim, 2, [0, 1])
  const weak = await place(sim, 3, [1, 2])
  const many = await place(sim, 1, [0, 2, 3])
  house.blocks.enterSafeMode()
  expect([house.blocks.safe.on, house.blocks.authority.state]).toEqual([true, 'safemode'])
  await house.bench.do(remove, { path: '/p0' })
  house.blocks.invalidate((await house.bench.journal.submit(sweep, { limit: 10 })).blocks)
  const given = house.given.length
  await sim.pass(20_000)
  expect(house.given.slice(given).filter(({ order }) => order.kind === 'delete' || order.kind === 'replicate')).toEqual([])
  expect([gone, weak, many].map(id => sim.holders(id).length)).toEqual([2, 2, 3])
  house.blocks.leaveSafeMode()
  await sim.until('everything is as it should be', () => [gone, weak, many].map(id => sim.holders(id).length).join() === '0,3,1')
  expect(house.blocks.safe.on).toBe(false)
  await house.stop()
})

test('leaving ends the safe mode of a start, too, which would have waited for what does not come', async () => {
  const sim = await Sim.calm(2, 3)
  const alone = await place(sim, 1, [0])
  const gone = await place(sim, 1, [1])
  sim.nodes[0]!.kill()
  await sim.restart()
  await sim.pass(10_000)
  expect([sim.house.blocks.safe.on, sim.house.blocks.authority.state]).toEqual([true, 'active'])
  await sim.house.bench.do(remove, { path: '/p1' })
  sim.house.blocks.invalidate((await sim.house.bench.journal.submit(sweep, { limit: 10 })).blocks)
  await sim.pass(5_000)
  expect(sim.holders(gone)).toHaveLength(1)
  sim.house.blocks.leaveSafeMode()
  await sim.until('what was removed goes', () => sim.holders(gone).length === 0)
  // Missing blocks stay missing, and come back with their node.
  sim.nodes[0]!.up = true
  await sim.until('the node is back', () => sim.house.blocks.map.present === 1)
  expect(sim.holders(alone)).toHaveLength(1)
  await sim.house.stop()
})

test('mutations are refused, reads are not', async () => {
  const authority = new Authority()
  authority.hold()
  const journal = { hasAnswer: () => false }
  const [change, look] = [route(namespace.touch, () => ({}) as never), route(namespace.stat, () => ({}) as never)].map(
    each => authority.guard(each, journal),
  )
  expect(() => change!.handler({} as never, {} as never)).toThrow(expect.objectContaining({ code: 'SAFE_MODE', details: { final: true } }))
  expect(look!.handler({} as never, {} as never)).toEqual({})
  authority.release()
  expect(change!.handler({} as never, {} as never)).toEqual({})
})

const state = (text: string): GristmillError => new GristmillError('SAFE_MODE', text)

/** state | precedence, safe mode by hand | answers, changes, changes of operators, keeps records, acts on blocks and jobs */
test.each<[string, Precedence, boolean, boolean[]]>([
  ['active', {}, false, [true, true, true, true, true]],
  ['safemode', {}, true, [true, false, true, true, false]],
  ['takeover', { takeover: state('just started') }, false, [true, false, false, false, true]],
  ['takeover', { takeover: state('just started') }, true, [true, false, false, false, false]],
  ['doubt', { doubt: state('an old copy?') }, false, [true, false, false, false, false]],
  ['behind', { behind: state('an old copy'), doubt: state('an old copy?') }, false, [false, false, false, false, false]],
])('a namenode in the state %s (%j, by hand: %s)', async (named, precedence, manual, may) => {
  const authority = new Authority(precedence)
  if (manual) authority.hold()
  const journal = { hasAnswer: () => false }
  const allowed = (message: Parameters<typeof route>[0], answered: Answered): boolean => {
    const guarded = authority.guard({ ...route(message, () => ({}) as never), answered }, journal)
    try {
      void guarded.handler({} as never, {} as never)
      return true
    } catch (error) {
      expect(error).toMatchObject({ code: 'SAFE_MODE' })
      return false
    }
  }
  let recorded = false
  let worked = false
  await authority.guardChore({ name: 'records', everyMs: 1, records: true, work: () => { recorded = true } }).work()
  await authority.guardChore({ name: 'no records', everyMs: 1, work: () => { worked = true } }).work()
  expect([worked, allowed(namespace.stat, 'always'), allowed(namespace.touch, 'always')]).toEqual([true, true, true])
  expect([
    authority.state,
    [
      allowed(namespace.stat, 'active'), allowed(namespace.touch, 'active'), allowed(namespace.touch, 'safemode'), recorded,
      !authority.frozen,
    ],
  ]).toEqual([named, may])
})

test('in safe mode a repeat of a change that was accepted before gets the first answer, one that still waits for its answer too, and nothing changes', async () => {
  const sim = await Sim.calm(7, 1)
  const { journal, clock } = sim.house.bench
  let behind: GristmillError | undefined
  const authority = new Authority({ get behind() { return behind } })
  const handle = authority.guard(
    route(namespace.mkdir, ({ requestId: id, path }) => journal.submit(mkdir, { requestId: id, path, nowMs: clock.now(), ...root })),
    journal,
  )
  const ask = async (id: string, path: string): Promise<unknown> =>
    await handle.handler({ requestId: requestId(id), path } as never, {} as never)
  const first = await ask('c:1', '/a')
  const waits = ask('c:2', '/b')
  authority.hold()
  expect(
    await Promise.all([ask('c:1', '/a'), ask('c:2', '/b'), waits].map(each => each.then(status => (status as { path: string }).path))),
  ).toEqual(['/a', '/b', '/b'])
  const { appliedSeq } = journal.view.counters
  expect(await ask('c:1', '/a')).toEqual(first)
  await expect(ask('c:3', '/c')).rejects.toMatchObject({ code: 'SAFE_MODE' })
  expect(journal.view.counters.appliedSeq).toBe(appliedSeq)
  // Unknown blocks recorded by a namenode that is behind its cluster belong to an old state, like all its data.
  behind = new GristmillError('SAFE_MODE', 'this namenode is behind its cluster')
  await expect(ask('c:1', '/a')).rejects.toThrow('behind')
  await sim.house.stop()
})

test('blocks that lost operations may have made are left where they are; garbage beside them goes', async () => {
  const sim = await Sim.calm(3, 3)
  const { bench } = sim.house
  await place(sim, 1, [0])
  const { nextBlock } = bench.journal.view.counters
  const garbage = blockId(nextBlock)
  await bench.do(create, { path: '/given-up', replication: 1, blockBytes: 4096, blocks: 1 })
  await bench.journal.submit(recovered, { epoch: 5, lossy: true, nowMs: 1 })
  const after = await bench.do(create, { path: '/after', replication: 1, blockBytes: 4096, blocks: 1 })
  const lost = [blockId(garbage + 1), blockId(garbage + 2 ** 29), blockId(after.blocks[0]! - 1)]
  const later = after.blocks[0]!
  for (const id of [garbage, ...lost, later]) sim.nodes[1]!.blocks.set(id, { length: 100, crc: 7 })
  sim.nodes[1]!.fullDue = true
  await sim.until('the garbage goes', () => !sim.nodes[1]!.blocks.has(garbage) && !sim.nodes[1]!.blocks.has(later))
  await sim.pass(60_000)
  expect([...sim.nodes[1]!.blocks.keys()]).toEqual(lost)
  expect(sim.house.blocks.reports.unknown.blocks).toBe(3)
  // A second recovery keeps the loss recorded by the first.
  await bench.journal.submit(recovered, { epoch: 0, lossy: true, nowMs: 1 })
  sim.nodes[1]!.fullDue = true
  await sim.pass(10_000)
  expect([...sim.nodes[1]!.blocks.keys()]).toEqual(lost)
  expect(bench.journal.view.counters.epoch).toBe(6)

  // An operator checks and releases the blocks; blocks given out elsewhere stay even then.
  const foreign = blockId(bench.journal.view.counters.nextBlock + 5)
  sim.nodes[2]!.blocks.set(foreign, { length: 100, crc: 7 })
  sim.nodes[2]!.fullDue = true
  await sim.pass(500)
  const { journal } = bench
  const routes = lostRoutes({ journal, blocks: sim.house.blocks, log: silent, actor: user => ({ user, root: user === 'grace' }) })
  const ask = async (name: string, user = 'grace') =>
    (await routes.find(each => each.message.name === name)!.handler({ requestId: 'ops:1' } as never, { user } as never)) as LostState
  const kept = [
    { node: 'n1', address: 'n1:1', blocks: 3, bytes: 300, foreign: 0 },
    { node: 'n2', address: 'n2:1', blocks: 0, bytes: 0, foreign: 1 },
  ]
  expect((await ask('safety.lost')).nodes).toEqual(kept)
  for (const name of ['safety.lost', 'safety.releaseLost']) await expect(ask(name, 'ada')).rejects.toMatchObject({ code: 'EACCES' })
  expect((await ask('safety.releaseLost')).nodes).toEqual(kept)
  await sim.until('they are gone', () => sim.nodes[1]!.blocks.size === 0)
  await sim.pass(20_000)
  expect([...sim.nodes[2]!.blocks.keys()]).toEqual([foreign])
  expect(await ask('safety.lost')).toEqual({ ranges: [], nodes: [{ node: 'n2', address: 'n2:1', blocks: 0, bytes: 0, foreign: 1 }] })
  await sim.house.stop()
})

test('fsck tells how every block stands', async () => {
  const sim = await Sim.calm(4, 4)
  const good = await place(sim, 2, [0, 1])
  const under = await place(sim, 3, [0, 1])
  const over = await place(sim, 1, [0, 1])
  const misplaced = await place(sim, 2, [0, 2])
  const missing = await place(sim, 1, [])
  const { files, counts } = await fsck(sim, '/')
  const health = new Map([...files.values()].flatMap(file => file.found).map(block => [block.block, block.health]))
  expect([good, under, over, misplaced, missing].map(id => health.get(id))).toEqual(['healthy', 'under', 'over', 'misplaced', 'missing'])
  expect(counts).toMatchObject({ blocks: 5, bytes: 500, replicas: 8, missing: 1, corrupt: 0, under: 1, over: 1, misplaced: 1 })
  const bad = await fsck(sim, '/', { healthy: false })
  expect([...bad.files.keys()]).toEqual(['/p1', '/p2', '/p3', '/p4'])
  expect(bad.counts).toEqual(counts)
  const one = await fsck(sim, '/p1')
  expect(one.counts).toMatchObject({ files: 1, directories: 0, blocks: 1, under: 1 })
  await expect(fsck(sim, '/nowhere')).rejects.toMatchObject({ code: 'ENOENT' })
  await sim.house.stop()
})

test('fsck tells replicas on nodes that are being emptied from those that count', async () => {
  const sim = await Sim.calm(14, 4)
  const id = await place(sim, 2, [0, 1])
  const blockNow = async () => [...(await fsck(sim, '/')).files.values()].flatMap(file => file.found)[0]
  expect(await blockNow()).toMatchObject({ health: 'healthy', live: 2, target: 2 })
  expect(await blockNow()).not.toHaveProperty('leaving')
  await sim.house.call(decommission, { requestId: requestId('op:1'), node: sim.nodes[0]!.id })
  expect(await blockNow()).toMatchObject({ live: 2, leaving: 1 })
  await sim.until('another node has it', () => sim.holders(id).length === 3)
  expect(await blockNow()).toMatchObject({ health: 'healthy', live: 3, leaving: 1 })
  await sim.house.stop()
})

test('fsck names a block of which only bad replicas are known', async () => {
  const sim = await Sim.calm(5, 3)
  const id = await place(sim, 1, [0])
  sim.nodes[0]!.blocks.set(id, { length: 100, crc: 8 })
  sim.nodes[0]!.fullDue = true
  await sim.until('its node has said so', () => sim.house.blocks.reports.isCorrupt(id))
  expect((await fsck(sim, '/')).counts).toMatchObject({ corrupt: 1, missing: 0 })
  await sim.house.stop()
})

test('fsck shows older versions of objects, from page to page, and those of a directory that holds nothing else', async () => {
  const sim = await Sim.calm(6, 1)
  const { bench } = sim.house
  await bench.do(mkdir, { path: '/b' })
  await bench.do(setVersioning, { path: '/b', state: 'Enabled' })
  const keys = ['gone/k', 'last', ...Array.from({ length: 700 }, (_, n) => `${n % 2 === 0 ? 'd/' : ''}k${n}`)]
  const content = { data: Buffer.from('x').toString('base64'), crc: crc32c(Buffer.from('x')) }
  const plain = { base: '/b', parents: true, content, replication: 1, blockBytes: 4096 }
  const write = (key: string) => bench.do(putObject, { ...plain, to: `/b/${key}` })
  for (let i = 0; i < 2; i++) await Promise.all(keys.map(write))
  for (const key of keys.slice(0, 2)) await bench.do(removeObject, { path: `/b/${key}`, keep: '/b', directory: false })
  const { files, counts, pages } = await fsck(sim, '/b')
  const older = [...files.keys()].filter(path => path.includes('/.snapshot/.objects/'))
  const names = keys.map(key => `/b/${key.includes('/') ? `${key.split('/')[0]}/` : ''}.snapshot/.objects/${key.split('/').at(-1)}`)
  // Two of each of the deleted keys, one of each other key.
  expect(older.map(path => path.slice(0, path.lastIndexOf('/'))).sort()).toEqual([...names, ...names.slice(0, 2)].sort())
  expect(files.size).toBe(older.length + keys.length - 2)
  expect(counts.files).toBe(files.size)
  expect(pages).toBeGreaterThan(1)
})

test('fsck goes on from page to page over deep trees and long files, and shows each file and block once', async () => {
  const sim = await Sim.calm(6, 1)
  const { bench } = sim.house
  const wanted = new Set<string>()
  for (let i = 0; i < 60; i++) {
    const directory = `/${'d/'.repeat(i % 7)}x${i}`
    await bench.do(mkdir, { path: directory, parents: true })
    await Promise.all(Array.from({ length: i === 30 ? 1500 : 60 }, (_, n) => {
      wanted.add(`${directory}/f${n}`)
      return bench.do(touch, { path: `${directory}/f${n}`, replication: 1, blockBytes: 4096 })
    }))
  }
  // Names with a common beginning that sort differently as names than as paths.
  for (const path of ['/x1-', '/x1.txt', '/d.', '/d-/a', '/d/d/z']) {
    await bench.do(mkdir, { path: path.slice(0, path.lastIndexOf('/')) || '/', parents: true }).catch(() => {})
    await bench.do(touch, { path, replication: 1, blockBytes: 4096 })
    wanted.add(path)
  }
  const blocks = 9_000
  const { lease } = await bench.do(create, { path: '/d/long', replication: 1, blockBytes: 4096, blocks: 1 })
  await bench.do(complete, { lease, blocks: [] }).catch(() => {})
  const long = await bench.do(create, { path: '/d/longer', replication: 1, blockBytes: 4096, blocks: 1 })
  const first = long.blocks[0]!
  const { putBlocks } = await import('../../../../namenode/namespace/file.ts')
  await bench.do(complete, { lease: long.lease, blocks: [{ id: first, length: 100, crc: 7, aligned: true }] })
  const { files: before } = await fsck(sim, '/d/longer')
  const { id } = before.get('/d/longer')!
  // As a file of many appends would be.
  await bench.journal.submit(
    {
      kind: 'test.long',
      mutate: draft =>
        putBlocks(
          draft, id, 1,
          Array.from({ length: blocks }, (_, i) => ({ id: blockId(1_000 + i), length: 1, crc: 1, aligned: true })),
        ),
    },
    {},
  )
  wanted.add('/d/longer').add('/d/long')
  const { files, counts, pages } = await fsck(sim, '/')
  const own = [...files.keys()].filter(path => !path.startsWith('/.gristmill'))
  expect(new Set(own)).toEqual(wanted)
  expect(files.get('/d/longer')!.found.map(block => block.block)).toEqual(Array.from({ length: blocks }, (_, i) => 1_000 + i))
  expect(counts.files).toBe(files.size)
  expect(counts).toMatchObject({ blocks, missing: blocks })
  expect(pages).toBeGreaterThan(4)
  await sim.house.stop()
})

test('fsck goes on when what it has seen last is renamed or removed meanwhile', async () => {
  const sim = await Sim.calm(7, 1)
  const { bench } = sim.house
  for (let i = 0; i < 12; i++) {
    await bench.do(mkdir, { path: `/d${String(i).padStart(2, '0')}` })
    await Promise.all(
      Array.from({ length: 500 }, (_, n) =>
        bench.do(touch, { path: `/d${String(i).padStart(2, '0')}/f${n}`, replication: 1, blockBytes: 4096 }),
      ),
    )
  }
  const removed: string[] = []
  const { files } = await fsck(sim, '/', { between: async page => {
    const directory = page.next!.path.split('/').slice(0, 2).join('/')
    removed.push(directory)
    await bench.do(remove, { path: directory, recursive: true })
  } })
  expect(removed.length).toBeGreaterThan(1)
  for (let i = 0; i < 12; i++) {
    const directory = `/d${String(i).padStart(2, '0')}`
    const seen = [...files.keys()].filter(path => path.startsWith(`${directory}/`)).length
    if (removed.includes(directory)) expect(seen).toBeLessThanOrEqual(500)
    else expect(seen, directory).toBe(500)
  }
  await sim.house.stop()
})

test('fsck looks into a snapshot by its path, and finds what only it has', async () => {
  const sim = await Sim.calm(9, 2)
  const { bench } = sim.house
  const id = await place(sim, 2, [0, 1])
  await bench.do(mkdir, { path: '/kept' })
  await bench.do(rename, { from: '/p0', to: '/kept/a' })
  await bench.do(createSnapshot, { path: '/kept', name: 'monday' })
  await bench.do(remove, { path: '/kept/a' })
  expect([...(await fsck(sim, '/')).files.keys()]).toEqual([])
  const { files, counts } = await fsck(sim, '/kept/.snapshot/monday')
  expect([...files.values()].map(({ path, found }) => [path, found.map(block => [block.block, block.health])])).toEqual([
    ['/kept/.snapshot/monday/a', [[id, 'healthy']]],
  ])
  expect(counts).toMatchObject({ files: 1, blocks: 1 })
  expect([...(await fsck(sim, '/kept/.snapshot')).files.keys()]).toEqual(['/kept/.snapshot/monday/a'])
  await sim.house.stop()
})

test('fsck looks at what the system keeps for itself', async () => {
  const sim = await Sim.calm(10, 1)
  const { bench } = sim.house
  await Promise.all(
    Array.from({ length: 3000 }, (_, i) => bench.do(touch, { path: `/.gristmill/programs/p${i}`, replication: 1, blockBytes: 4096 })),
  )
  await Promise.all(Array.from({ length: 2500 }, (_, i) => bench.do(touch, { path: `/!${i}`, replication: 1, blockBytes: 4096 })))
  const { files, counts } = await fsck(sim, '/')
  expect(files.size).toBe(5500)
  expect(counts.files).toBe(5500)
  await sim.house.stop()
})

test('fsck counts directories that may not be read as such, without what is in them', async () => {
  const sim = await Sim.calm(8, 1)
  const { bench } = sim.house
  await bench.do(mkdir, { path: '/private', mode: 0o700 })
  await bench.do(touch, { path: '/private/f', replication: 1, blockBytes: 4096 })
  await bench.do(touch, { path: '/public', replication: 1, blockBytes: 4096 })
  const seen = await fsck(sim, '/', { actor: as('ada') })
  expect([...seen.files.keys()].filter(path => !path.startsWith('/.gristmill'))).toEqual(['/public'])
  const { counts } = await fsck(sim, '/private', { actor: as('ada') })
  expect([counts.directories, counts.files, counts.unread]).toEqual([1, 0, 1])
  expect(seen.counts.unread).toBeGreaterThanOrEqual(1)
  expect((await fsck(sim, '/')).counts.unread).toBe(0)
  await sim.house.stop()
})
