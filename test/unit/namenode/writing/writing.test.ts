// Placement of a writer's blocks: on nodes in service, with space for the announced size. Limits of a lease without renewals, and replies
// to a writer whose path has changed meanwhile.

import { expect, test } from 'vitest'
import { Lifetimes } from '../../../../namenode/writing/lifetimes.ts'
import { expireLeases, writingRoutes } from '../../../../namenode/writing/routes.ts'
import { timesFrom } from '../../../../namenode/times.ts'
import type { Actor } from '../../../../namenode/journal/operation.ts'
import { mkdir, remove, rename, setAttributes, touch } from '../../../../namenode/namespace/names.ts'
import { stat } from '../../../../namenode/namespace/read.ts'
import { sweep } from '../../../../namenode/namespace/sweep.ts'
import { discard, restore } from '../../../../namenode/trash/mutations.ts'
import { complete as completing, create as creating } from '../../../../namenode/writing/mutations.ts'
import { nodeId, type Address, type BlockId, type LeaseId } from '../../../../src/base/ids.ts'
import { limits } from '../../../../src/base/limits.ts'
import { MiB } from '../../../../src/base/units.ts'
import type { Message, ReplyOf, RequestOf } from '../../../../src/protocol/message.ts'
import { decommission, maintenance, recommission } from '../../../../src/protocol/service.ts'
import { abandon, allocate, complete, create, renew } from '../../../../src/protocol/writing.ts'
import { BlockTokens } from '../../../../src/rpc/token.ts'
import { ManualClock } from '../../../kit/manual-clock.ts'
import { as, ask, openBench, root } from '../kit.ts'
import { Sim } from '../house.ts'
import { checked } from '../../checked.ts'

type Write = <M extends Message>(message: M, request: RequestOf<M>) => Promise<ReplyOf<M>>

async function writing(
  seed: number, nodes: number, actor: (user: string) => Actor = () => root, replication = 2,
): Promise<{ sim: Sim; write: Write; lifetimes: Lifetimes; discarded: BlockId[] }> {
  const sim = await Sim.calm(seed, nodes, 1)
  const { bench, registry, blocks } = sim.house
  const { journal, clock } = bench
  const lifetimes = checked(new Lifetimes({ clock: registry.awake, view: journal.view, times: timesFrom() }))
  const discarded: BlockId[] = []
  const routes = writingRoutes({
    journal, registry, clock, map: blocks.map, lifetimes,
    tokens: new BlockTokens({ secret: Buffer.alloc(32), clock }),
    random: sim.random,
    inlineBytes: 0, defaults: { replication, blockBytes: 128 * MiB },
    actor,
    invalidate: ids => {
      discarded.push(...ids)
      blocks.invalidate(ids)
    },
  })
  const write: Write = async (message, request) => {
    const handler = routes.find(each => each.message.name === message.name)!.handler as unknown as (
      request: unknown, context: unknown,
    ) => unknown
    return (await handler(request, { user: 'grace' })) as never
  }
  return { sim, write, lifetimes, discarded }
}

test('on nodes with less room than a whole block small files are still written, and large ones refused', async () => {
  const { sim, write } = await writing(90, 2)
  for (const node of sim.nodes) node.capacityBytes = 10 * MiB
  await sim.pass(500)
  const small = await write(create, { ...ask(), path: '/small', blocks: 1, bytes: 1000 })
  expect(small.blocks[0]!.targets).toHaveLength(2)
  await expect(write(create, { ...ask(), path: '/large', blocks: 1, bytes: 100 * MiB })).rejects.toMatchObject({
    code: 'ENOSPC', details: { blockBytes: 100 * MiB },
  })
  // A stream does not announce a size: it gets what is available.
  const stream = await write(create, { ...ask(), path: '/stream', blocks: 1 })
  expect(stream.blocks[0]!.targets).toHaveLength(2)
  expect((await write(allocate, { ...ask(), lease: stream.lease as LeaseId, count: 1, bytes: 5 * MiB })).blocks[0]!.targets).toHaveLength(2)
  await expect(write(allocate, { ...ask(), lease: stream.lease as LeaseId, count: 1, bytes: 20 * MiB })).rejects.toMatchObject({
    code: 'ENOSPC',
  })
  for (const node of sim.nodes) node.capacityBytes = MiB / 2
  await sim.pass(500)
  await expect(write(create, { ...ask(), path: '/stream2', blocks: 1 })).rejects.toMatchObject({
    code: 'ENOSPC', details: { blockBytes: MiB },
  })
  await sim.house.stop()
})

test('a stored program gets no more replicas than there are datanodes, and other files get the default', async () => {
  const { sim, write } = await writing(92, 2, undefined, 3)
  const replicationOf = async (path: string, asked?: number): Promise<number> =>
    (await write(create, { ...ask(), path, parents: true, ...asked !== undefined && { replication: asked } })).replication
  expect(await replicationOf('/.gristmill/programs/a.js')).toBe(2)
  expect(await replicationOf('/.gristmill/programs/a/b.txt')).toBe(2)
  expect(await replicationOf('/.gristmill/programs/asked.js', 3)).toBe(3)
  // Staged output becomes a file of the user, and parts of an upload become an object.
  for (const path of ['/f', '/.gristmill/jobs/j/output/p', '/.gristmill/uploads/u/1']) expect(await replicationOf(path), path).toBe(3)
  // A datanode that is dead takes none.
  sim.nodes[0]!.kill()
  await sim.pass(60_000)
  expect(await replicationOf('/.gristmill/programs/c.js')).toBe(1)
  await sim.house.stop()
})

test('after a restart of the namenode a stored program gets a replica for each datanode that is expected to register', async () => {
  const { sim, write } = await writing(93, 1, undefined, 3)
  const place = (name: string) => ({ node: nodeId(name), address: `${name}:1` as Address, rack: '/r', host: name, sinceMs: 0 })
  sim.house.registry.expect(place('late'))
  sim.house.registry.expect({ ...place('leaving'), service: { state: 'decommissioning' } })
  expect((await write(create, { ...ask(), path: '/.gristmill/programs/a.js', parents: true })).replication).toBe(2)
  await sim.house.stop()
})

test('while no datanode is live a write is tried again, and not refused for lack of space', async () => {
  const { sim, write } = await writing(91, 2)
  const { lease } = await write(create, { ...ask(), path: '/f', blocks: 1, bytes: 10 })
  for (const node of sim.nodes) node.kill()
  await sim.pass(20_000)
  const unavailable = { code: 'UNAVAILABLE', message: expect.stringContaining('no datanode in service is live') }
  await expect(write(create, { ...ask(), path: '/g', blocks: 1, bytes: 10 })).rejects.toMatchObject(unavailable)
  await expect(write(allocate, { ...ask(), lease, count: 1, bytes: 10 })).rejects.toMatchObject(unavailable)
  await sim.house.stop()
})

test('a create or an allocation that is repeated gets its first answer, however full disks and the file are by then', async () => {
  const { sim, write } = await writing(96, 2)
  const { bench } = sim.house
  for (const node of sim.nodes) node.capacityBytes = 1000 * MiB
  await sim.pass(500)
  const made = { ...ask(), path: '/f', blocks: 1, bytes: 1000 }
  const created = await write(create, made)
  const more = { ...ask(), lease: created.lease, count: limits.fileBlocksMax * 2 - 1, bytes: 1000 }
  const ids = ({ blocks }: { blocks: ReadonlyArray<{ id: BlockId }> }): BlockId[] => blocks.map(({ id }) => id)
  const allocated = await write(allocate, more)
  // The file has its maximal number of blocks now.
  await expect(write(allocate, { ...ask(), lease: created.lease, count: 1 })).rejects.toMatchObject({ code: 'TOO_LARGE' })
  expect(ids(await write(allocate, more))).toEqual(ids(allocated))
  for (const node of sim.nodes) node.capacityBytes = 1
  await sim.pass(500)
  await expect(write(create, { ...made, ...ask(), path: '/g' })).rejects.toMatchObject({
    code: 'ENOSPC',
    message: expect.stringContaining('free some space'),
  })
  // It exists; only the placement of its block is not possible now.
  await expect(write(create, made)).rejects.toMatchObject({ code: 'ENOSPC', message: expect.stringContaining('try again in a moment') })
  const { appliedSeq } = bench.journal.view.counters
  for (const node of sim.nodes) node.capacityBytes = 1000 * MiB
  await sim.pass(500)
  expect(ids(await write(create, made))).toEqual(ids(created))
  expect(bench.journal.view.counters.appliedSeq).toBe(appliedSeq)
  await sim.house.stop()
})

test('a full node is passed over for what does not fit on it, and taken for what does', async () => {
  const { sim, write } = await writing(91, 2)
  sim.nodes[0]!.capacityBytes = 10 * MiB
  await sim.pass(500)
  const targets = async (path: string, bytes: number): Promise<string[]> =>
    (await write(create, { ...ask(), path, blocks: 1, bytes })).blocks[0]!.targets.map(each => each.node as string).sort()
  expect(await targets('/a', 1000)).toEqual(['n0', 'n1'])
  expect(await targets('/b', 64 * MiB)).toEqual(['n1'])
  await sim.house.stop()
})

test('writers are never sent to nodes that are being emptied or are in maintenance', async () => {
  const { sim, write } = await writing(92, 4)
  const [a, b] = sim.nodes
  await sim.house.call(decommission, { ...ask(), node: a!.id })
  await sim.house.call(maintenance, { ...ask(), node: b!.id, forMs: 60_000 })
  for (let i = 0; i < 20; i++) {
    const { blocks } = await write(create, {
      ...ask(), path: `/f${i}`, replication: 3, blocks: 1, bytes: 10, host: i % 2 === 0 ? 'n0' : 'n1',
    })
    expect(blocks[0]!.targets.map(each => each.node).sort()).toEqual(['n2', 'n3'])
  }
  await sim.house.call(recommission, { ...ask(), node: a!.id })
  expect(
    (await write(create, { ...ask(), path: '/g', replication: 3, blocks: 1, bytes: 10, host: 'n0' })).blocks[0]!.targets[0]!.node,
  ).toBe('n0')
  await sim.house.stop()
})

const { leaseSoftMs, leaseHardMs } = limits

test('a writer that renews its lease keeps it, and one that does not may be replaced', async () => {
  const { sim, write, lifetimes, discarded } = await writing(93, 2)
  const { clock, journal } = sim.house.bench
  const mine = await write(create, { ...ask(), path: '/mine', blocks: 1, bytes: 10 })
  const other = await write(create, { ...ask(), path: '/other', blocks: 1, bytes: 10 })
  clock.pass(leaseSoftMs - 1)
  const gone = 99_999 as LeaseId
  expect(await write(renew, { leases: [mine.lease, gone] })).toEqual({ lost: [gone] })
  clock.pass(1)
  expect([lifetimes.isSoft(mine.lease as LeaseId), lifetimes.isSoft(other.lease as LeaseId)]).toEqual([false, true])
  await expect(write(create, { ...ask(), path: '/mine' })).rejects.toMatchObject({ code: 'EBUSY' })
  const second = await write(create, { ...ask(), path: '/other' })
  expect(discarded).toEqual(other.blocks.map(block => block.id))
  expect(await write(renew, { leases: [mine.lease, other.lease, second.lease] })).toEqual({ lost: [other.lease] })
  await expect(write(complete, { ...ask(), lease: other.lease, blocks: [] })).rejects.toMatchObject({ code: 'LEASE_EXPIRED' })
  // A renewal after the lease has ended is ignored: it creates nothing that would never expire.
  clock.pass(leaseHardMs)
  expect(lifetimes.expired(100)).toEqual([mine.lease, second.lease])
  const given: BlockId[] = []
  expect(await expireLeases({ journal, lifetimes, invalidate: blocks => { given.push(...blocks) } })).toBe(2)
  expect(given).toEqual(mine.blocks.map(block => block.id))
  expect(lifetimes.expired(100)).toEqual([])
  expect(journal.view.counters.leases).toBe(0)
  await sim.house.stop()
})

test('a silent writer whose directory was removed for good has lost its file at the soft limit; one in the trash may come back', async () => {
  const { sim, write, lifetimes } = await writing(94, 2)
  const { bench, bench: { clock, journal } } = sim.house
  for (const path of ['/removed', '/trashed', '/there', '/removed/deep']) await bench.do(mkdir, { path })
  const opened = new Map<string, { lease: number; blocks: BlockId[] }>()
  for (const path of ['/removed/deep/f', '/removed/g', '/trashed/f', '/there/f']) {
    const { lease, blocks } = await write(create, { ...ask(), path, blocks: 1, bytes: 10 })
    opened.set(path, { lease, blocks: blocks.map(each => each.id as BlockId) })
  }
  const of = (path: string) => opened.get(path)!
  await bench.do(remove, { path: '/removed', recursive: true })
  await bench.do(discard, { path: '/trashed', recursive: true })
  const given: BlockId[] = []
  const expire = () => expireLeases({ journal, lifetimes, invalidate: blocks => { given.push(...blocks) } })
  clock.pass(leaseSoftMs - 1)
  expect(await expire()).toBe(0)
  // One of them lives, and is told the reason when it completes the file.
  expect(await write(renew, { leases: [of('/removed/g').lease as LeaseId] })).toEqual({ lost: [] })
  clock.pass(1)
  expect([await expire(), given]).toEqual([1, of('/removed/deep/f').blocks])
  const sealing = write(complete, { ...ask(), lease: of('/removed/g').lease as LeaseId, blocks: [] })
  await expect(sealing).rejects.toMatchObject({ code: 'ENOENT' })
  clock.pass(leaseHardMs)
  await expire()
  expect(journal.view.counters.leases).toBe(0)
  await sim.house.stop()
})

test('a file that replaces another one is as private as that was, unless its writer says otherwise', async () => {
  const { sim, write } = await writing(99, 2)
  const { bench } = sim.house
  const modeOf = async (path: string, asked: object): Promise<number> => {
    const { lease } = await write(create, { ...ask(), path, ...asked })
    return (await write(complete, { ...ask(), lease, blocks: [] })).mode
  }
  expect(await modeOf('/f', {})).toBe(0o644)
  expect(await modeOf('/f', { overwrite: true, mode: 0o600 })).toBe(0o600)
  expect(await modeOf('/f', { overwrite: true })).toBe(0o600)
  expect(await modeOf('/new', { overwrite: true })).toBe(0o644)
  expect(await modeOf('/g', { mode: 0o640 })).toBe(0o640)
  expect(await modeOf('/f', { overwrite: true, mode: 0o777 })).toBe(0o777)
  await bench.do(mkdir, { path: '/d', mode: 0o700 })
  await expect(write(create, { ...ask(), path: '/d', overwrite: true })).rejects.toMatchObject({ code: 'EISDIR' })
  await expect(write(create, { ...ask(), path: '/f/x', overwrite: true })).rejects.toMatchObject({ code: 'ENOTDIR' })
  await expect(write(create, { ...ask(), path: '/none/x', overwrite: true })).rejects.toMatchObject({ code: 'ENOENT' })
  // A new state of a file has the mode which that has.
  for (const other of [{ overwrite: false }, { mode: 0o600 }, { unmasked: 0o666 }])
    await expect(write(create, { ...ask(), path: '/f', keepsOwner: true, ...other })).rejects.toMatchObject({ code: 'EINVAL' })
  expect(await modeOf('/f', { keepsOwner: true })).toBe(0o777)
  await sim.house.stop()
})

test('a block that lies nowhere completes no file, and the last datanodes that failed a writer are named as such', async () => {
  const { sim, write, discarded } = await writing(100, 2)
  const { lease, blocks: [block] } = await write(create, { ...ask(), path: '/f', blocks: 1, bytes: 10 })
  const sealed = { id: block!.id, length: 10, crc: 1, aligned: true }
  await expect(write(complete, { ...ask(), lease, blocks: [{ ...sealed, nodes: [] }] })).rejects.toMatchObject({
    code: 'EINVAL', details: { block: block!.id },
  })
  const [n0, n1] = [nodeId('n0'), nodeId('n1')]
  expect(
    (await write(allocate, { ...ask(), lease, count: 2, exclude: [n0] })).blocks.map(({ targets }) => targets.map(({ node }) => node)),
  ).toEqual([[n1], [n1]])
  await expect(write(allocate, { ...ask(), lease, count: 1, exclude: [n0, n1] })).rejects.toMatchObject({
    code: 'ENOSPC',
    message: expect.stringContaining('2 have just failed for this writer'),
    details: { nodes: 2, blockBytes: MiB },
  })
  await expect(write(allocate, { ...ask(), lease: 99_999 as LeaseId, count: 1 })).rejects.toMatchObject({ code: 'LEASE_EXPIRED' })
  const { blocks: [more] } = await write(allocate, { ...ask(), lease, count: 1, bytes: 10, host: 'n1' })
  expect(more!.targets.map(({ node }) => node)).toEqual([n1, n0])
  await write(complete, { ...ask(), lease, blocks: [{ ...sealed, nodes: [n0] }] })
  expect(discarded).toHaveLength(3)
  expect(discarded).not.toContain(block!.id)
  await sim.house.stop()
})

test('a writer that is given up at the very moment when another one takes its place is no hindrance to that', async () => {
  const { sim, write, discarded } = await writing(98, 2)
  const old = await write(create, { ...ask(), path: '/f', blocks: 1, bytes: 10 })
  sim.house.bench.clock.pass(leaseSoftMs)
  const [second] = await Promise.all([write(create, { ...ask(), path: '/f' }), write(abandon, { ...ask(), lease: old.lease })])
  expect(discarded).toEqual(old.blocks.map(({ id }) => id))
  expect(await write(complete, { ...ask(), lease: second.lease, blocks: [] })).toMatchObject({ path: '/f' })
  await sim.house.stop()
})

test('a namenode that was paused expires no lease because of it, and still finds those that are expired', async () => {
  const { sim, write, lifetimes } = await writing(97, 2)
  const { clock } = sim.house.bench
  const asked = { path: '/f' }
  const { lease } = await write(create, { ...ask(), ...asked })
  clock.pass(leaseSoftMs - 1000)
  // Timers and other calls come before unread renewals: nothing else runs in between.
  clock.ms += leaseHardMs * 2
  expect(lifetimes.expired(9)).toEqual([])
  await expect(write(create, { ...ask(), ...asked })).rejects.toMatchObject({ code: 'EBUSY' })
  clock.pass(900)
  clock.ms += leaseSoftMs
  await expect(write(create, { ...ask(), ...asked })).rejects.toMatchObject({ code: 'EBUSY' })
  clock.pass(100)
  expect([lifetimes.isSoft(lease as LeaseId), lifetimes.expired(9)]).toEqual([true, []])
  clock.pass(leaseHardMs - leaseSoftMs)
  expect(lifetimes.expired(9)).toEqual([lease])
  await sim.house.stop()
})

test('leases expire when they have not been renewed for the hard bound, however old others are', () => {
  const clock = new ManualClock()
  const lifetimes = checked(new Lifetimes({ clock, view: { range: () => [] } as never, times: { leaseSoftMs: 100, leaseHardMs: 1000 } }))
  const [a, b, c] = [1, 2, 3] as unknown as [LeaseId, LeaseId, LeaseId]
  const blocks = (...ids: number[]) => ids as unknown as BlockId[]
  for (const [i, lease] of [a, b, c].entries()) {
    lifetimes.opened(lease, blocks(10 * i, 10 * i + 1))
    clock.pass(10)
  }
  expect(lifetimes.isSoft(9 as unknown as LeaseId)).toBe(false)
  clock.pass(69)
  expect(lifetimes.isSoft(a)).toBe(false)
  clock.pass(1)
  expect([lifetimes.isSoft(a), lifetimes.isSoft(b)]).toEqual([true, false])
  clock.pass(500)
  lifetimes.renewed(a) // the oldest is the youngest now, with all its blocks
  lifetimes.opened(b, blocks(12))
  lifetimes.opened(c, blocks(10)) // b's already
  clock.pass(999)
  expect(lifetimes.expired(9)).toEqual([])
  clock.pass(1)
  expect(lifetimes.expired(2)).toEqual([a, b])
  expect(lifetimes.expired(9)).toEqual([a, b, c])
  lifetimes.renewed(b)
  expect(lifetimes.expired(9)).toEqual([a, c])
  lifetimes.closed(c)
  expect([0, 1, 10, 11, 12, 20, 21].filter(id => lifetimes.isOpen(id as unknown as BlockId))).toEqual([0, 1, 10, 11, 12])
  lifetimes.closed(a)
  expect([0, 1, 10].filter(id => lifetimes.isOpen(id as unknown as BlockId))).toEqual([10])
})

test('a namenode that starts gives every lease a fresh term, and knows the blocks of each', async () => {
  const bench = await openBench()
  const { lease, blocks } = await bench.do(creating, { path: '/f', replication: 1, blockBytes: 4096, blocks: 2, ...root })
  bench.clock.pass(leaseHardMs)
  const lifetimes = checked(new Lifetimes({ clock: bench.clock, view: bench.journal.view, times: timesFrom() }))
  expect(blocks.map(id => lifetimes.isOpen(id))).toEqual([true, true])
  bench.clock.pass(leaseHardMs - 1)
  expect(lifetimes.expired(9)).toEqual([])
  bench.clock.pass(1)
  expect(lifetimes.expired(9)).toEqual([lease])
})

test('a file whose directory goes to the trash while it is written is not acknowledged, and its writer hears of it before it sends more', async () => {
  const { sim, write, discarded } = await writing(94, 2)
  const { bench } = sim.house
  await bench.do(mkdir, { path: '/a/b', parents: true })
  const {
    lease, blocks: [block],
  } = await write(create, { ...ask(), path: '/a/b/f', blocks: 1, bytes: 10 })
  const done = { lease, blocks: [{ id: block!.id, length: 10, crc: 1, aligned: true, nodes: block!.targets.map(each => each.node) }] }
  const item = await bench.do(discard, { path: '/a', recursive: true })
  const gone = {
    code: 'ENOENT',
    message: expect.stringMatching(
      /directory of f has been removed while it was written \(it is in the trash, as .*\/a\/b\); nothing was stored/,
    ),
  }
  await expect(write(complete, { ...ask(), ...done })).rejects.toMatchObject(gone)
  await expect(write(allocate, { ...ask(), lease, count: 1 })).rejects.toMatchObject(gone)
  const inTrash = `/.gristmill/trash/grace/${item}/a/b/f`
  await expect(write(create, { ...ask(), path: inTrash.replace('grace', 'gristmill') })).rejects.toMatchObject({
    code: 'EACCES', message: expect.stringContaining('trash restore'),
  })
  // Restored in time, nothing is lost.
  await bench.do(restore, { item })
  expect(await write(complete, { ...ask(), ...done })).toMatchObject({ path: '/a/b/f', length: 10 })
  const late = await write(create, { ...ask(), path: '/a/b/g', blocks: 1, bytes: 10 })
  await bench.do(discard, { path: '/a/b', recursive: true })
  await write(abandon, { ...ask(), lease: late.lease })
  expect(discarded).toEqual(late.blocks.map(each => each.id))
  await sim.house.stop()
})

test('a file whose directory is renamed while it is written is where the directory is', async () => {
  const bench = await openBench()
  await bench.do(mkdir, { path: '/a' })
  const { lease } = await bench.do(creating, { path: '/a/f', replication: 1, blockBytes: 4096 })
  await bench.do(rename, { from: '/a', to: '/b' })
  await bench.do(mkdir, { path: '/a' })
  expect((await bench.do(completing, { lease, blocks: [] })).status.path).toBe('/b/f')
})

test('a writer that may replace a file does not replace one that another user has created meanwhile', async () => {
  const bench = await openBench()
  const [ann, bob] = [as('ann'), as('bob')]
  const writer = { path: '/f', overwrite: true, replication: 1, blockBytes: 4096 }
  const { lease } = await bench.do(creating, { ...writer, ...ann })
  await bench.do(touch, { path: '/g', replication: 1, blockBytes: 4096, ...bob })
  await bench.do(rename, { from: '/g', to: '/f', ...bob })
  await expect(bench.do(completing, { lease, blocks: [], ...ann })).rejects.toMatchObject({ code: 'EACCES' })
  await bench.do(setAttributes, { path: '/f', mode: 0o666, ...bob })
  await expect(bench.do(completing, { lease, blocks: [], ...ann })).rejects.toMatchObject({
    code: 'EACCES', message: expect.stringContaining('sticky'),
  })
  expect(stat(bench.journal.view, root, '/f').owner).toBe('bob')
  await bench.do(setAttributes, { path: '/f', owner: 'ann', ...root })
  expect((await bench.do(completing, { lease, blocks: [], ...ann })).status.owner).toBe('ann')
})
test('what separates the fields of a CSV file, and whether it has names, is kept with it, over every change of its lease, in any format', async () => {
  const { sim, write } = await writing(95, 2)
  for (const [path, format, said, kept] of [
    ['/a.csv', 'csv', { delimiter: ';' }, { delimiter: ';' }], ['/b.csv', 'csv', { delimiter: '\t', header: false }, undefined],
    ['/c.csv', 'csv', {}, {}], ['/d.csv', 'csv', { header: true, unmasked: 0o640 }, { header: true }],
    ['/e.csv', 'csv', { header: false, delimiter: '|', unmasked: 0o640 }, { header: false, delimiter: '|' }],
    ['/f.tsv', 'lines', { delimiter: ';', header: false }, undefined], ['/g.csv.gz', 'bytes', { header: true }, undefined],
    ['/h.csv.gz', 'bytes', { delimiter: ';' }, undefined],
  ] as const) {
    const { lease } = await write(create, { ...ask(), path, format, ...said })
    await write(allocate, { ...ask(), lease, count: 1, bytes: 10 })
    const status = await write(complete, { ...ask(), lease, blocks: [] })
    const { delimiter, header } = status
    expect({ path, format: status.format, ...delimiter !== undefined && { delimiter }, ...header !== undefined && { header } })
      .toEqual({ path, format, ...kept ?? said })
  }
  for (const delimiter of ['"', '\n', 'é'])
    await expect(write(create, { ...ask(), path: '/e.csv', format: 'csv', delimiter })).rejects.toMatchObject({ code: 'EINVAL' })
  await sim.house.stop()
})

test('locations of a completed file are known at once, and a repeated request restores nothing', async () => {
  const { sim, write, lifetimes } = await writing(95, 2)
  const { bench, blocks, registry } = sim.house
  const asked = { ...ask(), path: '/f', blocks: 1, bytes: 10 }
  const { lease, blocks: [block] } = await write(create, asked)
  const away = registry.get(nodeId('n1'))!
  Object.defineProperty(away, 'serves', { get: () => false, configurable: true })
  const done = {
    ...ask(), lease,
    blocks: [{ id: block!.id, length: 10, crc: 1, aligned: true, nodes: [nodeId('n0'), nodeId('n1'), nodeId('gone')] }],
  }
  const status = await write(complete, done)
  const holders = (): string[] => blocks.map.holders(block!.id).map(each => each.node as string)
  expect(holders()).toEqual(['n0'])
  expect(lifetimes.isOpen(block!.id)).toBe(false)
  expect(await write(create, asked)).toMatchObject({ lease })
  expect([lifetimes.isOpen(block!.id), lifetimes.expired(9)]).toEqual([false, []])
  await bench.do(remove, { path: '/f' })
  const { blocks: gone } = await bench.journal.submit(sweep, { limit: 100 })
  blocks.invalidate(gone)
  expect(holders()).toEqual([])
  expect(await write(complete, done)).toEqual(status)
  expect(holders()).toEqual([])
  await sim.house.stop()
})
