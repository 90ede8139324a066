// Repair of blocks: priorities, racks, pace, failed copies, nodes that restart or come back after days, and reports of blocks without a
// replica.

import { expect, test } from 'vitest'
import { healthOf, lacking, levelOf, health, type ReplicaCounts } from '../../../../namenode/blocks/health.ts'
import { Queues } from '../../../../namenode/blocks/queues.ts'
import { CopyBackoff } from '../../../../namenode/blocks/copybackoff.ts'
import { RoomShortage } from '../../../../namenode/blocks/shortage.ts'
import { create } from '../../../../namenode/writing/mutations.ts'
import { blockId, type BlockId } from '../../../../src/base/ids.ts'
import { place, Sim, times } from '../house.ts'
import { checked } from '../../checked.ts'

const counts = (live: number, inMaintenance = 0, decommissioning = 0, racks = 2): ReplicaCounts => ({
  live, inMaintenance, decommissioning, racks,
})
const around = { racks: 2, unregistered: 0 }

test('health of a block follows from its replicas, its target and the racks', () => {
  const table: Array<[string, ReplicaCounts, number, keyof typeof health, number]> = [
    ['all there', counts(3), 3, 'healthy', 0],
    ['none', counts(0), 3, 'missing', 3],
    ['one left', counts(1), 3, 'under', 2],
    ['one too many', counts(4), 3, 'over', 0],
    ['enough in one rack', counts(3, 0, 0, 1), 3, 'misplaced', 0],
    ['a single one has one rack, and that is fine', counts(1, 0, 0, 1), 1, 'healthy', 0],
    ['nodes that leave do not count', counts(2, 0, 1), 3, 'under', 1],
    ['only on a node that leaves', counts(0, 0, 1), 1, 'under', 1],
    ['its copy is elsewhere', counts(1, 0, 1, 1), 1, 'healthy', 0],
    ['nodes in maintenance count', counts(2, 1), 3, 'healthy', 0],
    ['but not alone', counts(0, 1), 1, 'under', 1],
    ['and what was copied because of that is not too much', counts(1, 1), 1, 'healthy', 0],
  ]
  for (const [what, held, target, wanted, copies] of table) {
    expect(healthOf(held, target, around), what).toBe(health[wanted])
    if (wanted !== 'over') expect(lacking(held, target, around), what).toBe(copies)
  }
  expect(healthOf(counts(3, 0, 0, 1), 3, { racks: 1, unregistered: 0 }), 'there is no other rack').toBe(health.healthy)
  expect(healthOf(counts(2), 3, { racks: 2, unregistered: 1 }), 'a node in maintenance that was not heard of may have it').toBe(health.healthy)
  expect(healthOf(counts(1), 3, { racks: 2, unregistered: 1 })).toBe(health.under)
})

test('the last replica hurries most, then less than a third, then the rest, then racks', () => {
  const level = (held: ReplicaCounts, target: number): number => levelOf(held, target, healthOf(held, target, around))
  expect(level(counts(1), 3)).toBe(0)
  expect(level(counts(0, 0, 2), 3)).toBe(0)
  expect(level(counts(0, 2), 3)).toBe(0)
  expect(level(counts(2), 7)).toBe(1)
  expect(level(counts(2), 3)).toBe(2)
  expect(level(counts(3, 0, 0, 1), 3)).toBe(3)
})

test('a block waits in one level, those of a level take turns, and a full level takes no more', () => {
  const unchecked = new Queues(3)
  const queues = checked(unchecked, { check: () => unchecked.checkState(() => true) })
  for (const id of [1, 2, 3]) expect(queues.put(blockId(id), 2)).toBe(true)
  expect(queues.put(blockId(4), 2)).toBe(false)
  expect(queues.put(blockId(2), 0)).toBe(true)
  expect(queues.sizes).toEqual([1, 0, 2, 0, 0])
  const seen: BlockId[] = []
  queues.put(blockId(5), 2)
  for (let i = 0; i < 3; i++) queues.offer(2, 2, id => { seen.push(id); return id === 3 })
  expect(seen).toEqual([1, 3, 5, 1, 5, 1].map(blockId))
  expect(queues.sizes).toEqual([1, 0, 2, 0, 0])
})

test('each failure doubles the wait, and a success or time forgets it', () => {
  const setbacks = new CopyBackoff()
  const id = blockId(1)
  const waits: number[] = []
  for (let now = 0, i = 0; i < 4; i++) {
    setbacks.note(id, [], now)
    let at = now
    while (!setbacks.ready(id, at)) at += 100
    waits.push(at - now)
    now = at
  }
  expect(waits).toEqual([500, 1000, 2000, 4000])
  setbacks.forget(id)
  expect(setbacks.ready(id, 0)).toBe(true)
})

test('a node that only restarts, with its reports coming in pages, causes no copy and no deletion', async () => {
  const sim = await Sim.calm(40, 5)
  for (let i = 0; i < 60; i++) await place(sim, 3, [i % 5, (i + 1) % 5, (i + 2) % 5])
  await sim.pass(1000)
  const { house } = sim
  expect(house.count('replicate') + house.count('delete')).toBe(0)
  for (const node of sim.nodes) {
    node.kill()
    await sim.pass(times.nodeDeadMs - 500)
    node.up = true
    await sim.pass(1500)
  }
  expect(house.given).toEqual([])
  expect(sim.unwell()).toEqual([])
  await house.stop()
})

test('a node that comes back after days gives back nothing that was removed, and keeps none of it', async () => {
  const sim = await Sim.calm(41, 4)
  const { house } = sim
  const ids: BlockId[] = []
  for (let i = 0; i < 6; i++) ids.push(await place(sim, 2, [0, 1 + i % 3]))
  await sim.pass(500)
  const old = sim.nodes[0]!
  old.kill()
  await sim.pass(times.nodeDeadMs + 5000)
  for (let i = 0; i < 3; i++) await sim.rm()
  await sim.pass(5000)
  old.up = true
  await sim.pass(10_000)
  expect([...old.blocks.keys()].filter(id => !house.blocks.map.has(id))).toEqual([])
  for (const id of ids) if (house.blocks.map.target(id) === 0) expect(house.blocks.holders(id)).toEqual([])
  expect(sim.unwell()).toEqual([])
  await house.stop()
})

test('blocks that lie in one rack get a replica in another one, and lose one where there are most', async () => {
  const sim = await Sim.calm(42, 6)
  const ids: BlockId[] = []
  for (let i = 0; i < 20; i++) ids.push(await place(sim, 3, [0, 2, 4])) // all even nodes are in one rack
  expect(sim.house.blocks.map.counts[health.misplaced]).toBe(20)
  await sim.pass(20_000)
  expect(sim.house.blocks.map.counts[health.misplaced]).toBe(0)
  for (const id of ids) expect(new Set(sim.holders(id).map(name => Number(name.slice(1)) % 2)).size).toBe(2)
  expect(sim.unwell()).toEqual([])
  await sim.house.stop()
})

test('when the other rack is full, blocks of one rack stay as they are: nothing is copied to and fro', async () => {
  const sim = await Sim.calm(43, 6)
  for (const i of [1, 3, 5]) sim.nodes[i]!.capacityBytes = 50
  await sim.pass(1000)
  for (let i = 0; i < 5; i++) await place(sim, 2, [0, 2])
  await sim.pass(70_000)
  expect(sim.house.count('replicate')).toBe(0)
  expect(sim.house.count('delete')).toBe(0)
  await sim.house.stop()
})

test('a block for which no node had room is copied soon after a heartbeat shows room for it, again and again', async () => {
  const sim = await Sim.calm(58, 3, 1)
  const { house } = sim
  const roomy = sim.nodes[1]!.capacityBytes
  const full = (bytes: number | undefined): void => { for (const node of sim.nodes.slice(1)) node.capacityBytes = bytes }
  // Three rounds take less than the minute after which all blocks are looked at anyway, so that one round at most can be helped by that.
  for (let round = 1; round <= 3; round++) {
    full(50)
    await sim.pass(1500)
    const id = await place(sim, 2, [0])
    await sim.pass(3000)
    expect(sim.holders(id), `round ${round}: no node has room`).toHaveLength(1)
    full(roomy)
    await sim.until(`round ${round}: there is room, and a copy`, () => sim.holders(id).length === 2, 12_000)
  }
  await house.stop()
})

test('more room on a node causes a review only if a block fits that did not fit before', () => {
  const room = (freeBytes: number) => ({ freeBytes, capacityBytes: 1000 })
  const shortage = new RoomShortage()
  const changed = (before: number, after: number): boolean => {
    shortage.roomChanged(room(before), room(after))
    return shortage.takeRelief()
  }
  expect(changed(0, 900), 'no block waits for room').toBe(false)
  shortage.note(100)
  shortage.note(300)
  // One percent of a disk is kept free.
  expect(changed(0, 109), 'too little for the shortest').toBe(false)
  expect(changed(200, 150), 'less than before').toBe(false)
  expect(changed(310, 900), 'as much for the longest as before').toBe(false)
  expect(changed(0, 110), 'the shortest fits').toBe(true)
  expect(changed(0, 900), 'all are looked at again').toBe(false)
  shortage.note(300)
  shortage.note(100)
  expect(changed(250, 310), 'the longest fits, the shortest did before').toBe(true)
})

test('no node sends or receives more at a time than its pace allows, and all have their part', async () => {
  const sim = await Sim.calm(44, 6, 1)
  const { house } = sim
  for (let i = 0; i < 600; i++) await place(sim, 2, [0, 1 + i % 5])
  await sim.pass(500)
  sim.nodes[0]!.kill()
  let most = 0
  for (let i = 0; i < 200; i++) {
    await sim.pass(100)
    for (const node of house.registry.all) most = Math.max(most, node.sending.count, node.receiving.count)
  }
  const senders = new Set(house.given.filter(({ order }) => order.kind === 'replicate').map(({ node }) => node))
  const receivers = new Set(house.given.flatMap(({ order }) => (order.kind === 'replicate' ? order.targets.map(({ node }) => node) : [])))
  expect(most).toBeLessThanOrEqual(32)
  expect(most).toBeGreaterThan(8)
  expect([senders.size, receivers.size]).toEqual([5, 5])
  expect(sim.unwell()).toEqual([])
  await house.stop()
})

test('a copy that its sender says has failed is tried elsewhere at once, not when its time is over', async () => {
  const sim = await Sim.calm(45, 4, 1)
  const { house } = sim
  sim.nodes[2]!.refuses = true
  const ids: BlockId[] = []
  for (let i = 0; i < 12; i++) ids.push(await place(sim, 2, [0]))
  await sim.pass(3000)
  for (const id of ids) expect(sim.holders(id), `block ${id}`).toHaveLength(2)
  for (const node of house.registry.all)
    expect([node.sending.count, node.receiving.count, node.sending.bytes, node.receiving.bytes]).toEqual([0, 0, 0, 0])
  await house.stop()
})

test('a copy that is never heard of is given up after its time, and made by another node', async () => {
  const sim = await Sim.calm(53, 3, 1)
  // This node receives no orders, and is alive.
  sim.nodes[0]!.deaf = true
  const ids = await Promise.all(Array.from({ length: 6 }, () => place(sim, 3, [0, 1])))
  const ordered = (): number => sim.house.given.filter(({ node, order }) => node === 'n0' && order.kind === 'replicate').length
  await sim.until('the deaf one has been asked', () => ordered() > 0)
  await sim.pass(10_000)
  expect(ids.every(id => sim.holders(id).length === 3)).toBe(false)
  expect(sim.house.blocks.repair.pending).toBe(ordered())
  await sim.until('all have their three', () => ids.every(id => sim.holders(id).length === 3), 20_000)
  const asked = ordered()
  await sim.pass(60_000)
  expect([ordered(), sim.house.blocks.repair.pending]).toEqual([asked, 0])
  const { sending } = sim.house.node(sim.nodes[0]!)
  expect([sending.count, sending.bytes]).toEqual([0, 0])
  await sim.house.stop()
})

test('a block that no node can take is tried ever more rarely, and does not hold up the others', async () => {
  const sim = await Sim.calm(46, 3, 1)
  const { house } = sim
  sim.nodes[1]!.refuses = true
  sim.nodes[2]!.refuses = true
  for (let i = 0; i < 40; i++) await place(sim, 2, [0])
  await sim.pass(60_000)
  // 40 blocks with 10 attempts per second would be 24,000 orders.
  expect(house.count('replicate')).toBeLessThan(40 * 10)
  sim.nodes[1]!.refuses = false
  await sim.until('all copied', () => sim.unwell().length === 0, 120_000)
  await house.stop()
})

test('after a restart blocks without a report are awaited, not missing; those without one in the end are missing', async () => {
  const sim = await Sim.calm(47, 3)
  for (let i = 0; i < 6; i++) await place(sim, 2, [i % 2, 2])
  await place(sim, 1, [0])
  await sim.pass(500)
  for (const node of sim.nodes) node.kill()
  await sim.restart()
  await sim.pass(500)
  const { blocks } = sim.house
  expect(blocks.unseen).toEqual({ missing: 0, corrupt: 0, awaited: 7 })
  for (const i of [1, 2]) sim.nodes[i]!.up = true
  await sim.pass(1000)
  expect(blocks.unseen).toEqual({ missing: 0, corrupt: 0, awaited: 1 })
  await sim.pass(times.nodeDeadMs + 1000)
  expect(blocks.unseen).toEqual({ missing: 1, corrupt: 0, awaited: 0 })
  await sim.house.stop()
})

test('a block of which only bad replicas are known is corrupt, waits without hope, and is well again when a good one comes', async () => {
  const sim = await Sim.calm(48, 3)
  const { house } = sim
  const [a, b] = [sim.nodes[0]!, sim.nodes[1]!]
  const id = await place(sim, 1, [0])
  a.blocks.delete(id)
  a.changes.push(['bad', id])
  await sim.pass(500)
  expect(house.blocks.unseen).toEqual({ missing: 1, corrupt: 1, awaited: 0 })
  b.blocks.set(id, { length: 99, crc: 7 }) // truncated
  b.changes.push(['added', id])
  await sim.pass(500)
  expect(house.blocks.unseen).toEqual({ missing: 1, corrupt: 1, awaited: 0 })
  expect(house.blocks.repair.levels).toEqual([0, 0, 0, 0, 1])
  expect(house.blocks.repair.idle).toBe(true)
  expect(b.blocks.has(id), 'what people may want to look at is left').toBe(true)
  sim.nodes[2]!.blocks.set(id, { length: 100, crc: 7 })
  sim.nodes[2]!.changes.push(['added', id])
  await sim.pass(2000)
  expect(house.blocks.unseen).toEqual({ missing: 0, corrupt: 0, awaited: 0 })
  expect(house.blocks.repair.levels).toEqual([0, 0, 0, 0, 0])
  expect(sim.unwell()).toEqual([])
  await house.stop()
})

test('a node that finds a replica bad which it had not even reported makes its block corrupt, not just missing', async () => {
  const sim = await Sim.calm(52, 2)
  const id = await place(sim, 1, [])
  sim.nodes[0]!.changes.push(['bad', id])
  await sim.pass(500)
  expect(sim.house.blocks.unseen).toEqual({ missing: 1, corrupt: 1, awaited: 0 })
  expect(sim.house.blocks.repair.levels).toEqual([0, 0, 0, 0, 1])
  await sim.house.stop()
})

test('after a restart a corrupt block leaves the level without hope when a good replica is reported, also while nothing is copied yet', async () => {
  const sim = await Sim.calm(57, 3)
  const id = await place(sim, 2, [0, 1])
  await sim.pass(500)
  for (const node of sim.nodes) node.kill()
  await sim.restart()
  sim.nodes[1]!.blocks.set(id, { length: 99, crc: 7 }) // truncated
  sim.nodes[1]!.up = true
  await sim.pass(500)
  const { repair } = sim.house.blocks
  expect(repair.levels).toEqual([0, 0, 0, 0, 1])
  sim.nodes[0]!.up = true
  await sim.pass(500)
  expect(repair.levels).toEqual([0, 0, 0, 0, 0])
  expect(sim.house.blocks.unseen).toEqual({ missing: 0, corrupt: 0, awaited: 0 })
  // The third node does not come back: once that is clear the block is copied.
  sim.nodes[1]!.blocks.delete(id)
  await sim.pass(times.nodeDeadMs + 2000)
  expect(sim.nodes[1]!.blocks.get(id)).toEqual({ length: 100, crc: 7 })
  await sim.house.stop()
})

test('the hands of nodes are free at once when the block that they were copying is removed', async () => {
  const sim = await Sim.calm(53, 3, 1)
  const { house } = sim
  sim.nodes[0]!.deaf = true
  const id = await place(sim, 2, [0])
  await sim.pass(500)
  expect(house.node(sim.nodes[0]!).sending.count).toBe(1)
  house.blocks.invalidate([id])
  for (const { sending, receiving } of house.registry.all)
    expect([sending.count, receiving.count, sending.bytes, receiving.bytes]).toEqual([0, 0, 0, 0])
  expect(house.blocks.repair.pending).toBe(0)
  await house.stop()
})

test('a replica that its node has put aside as bad is no source and does not count, and the node may have a good one again', async () => {
  const sim = await Sim.calm(49, 2, 1)
  const id = await place(sim, 2, [0, 1])
  await sim.pass(300)
  sim.nodes[0]!.blocks.delete(id)
  sim.nodes[0]!.changes.push(['bad', id])
  await sim.pass(3000)
  expect(sim.house.given.filter(({ order }) => order.kind === 'replicate').map(({ node }) => node)).toEqual(['n1'])
  expect(sim.holders(id)).toEqual(['n0', 'n1'])
  await sim.house.stop()
})

test('a replica that a reader did not find where it should be is looked for by its node, and made anew', async () => {
  const sim = await Sim.calm(52, 3, 1)
  const id = await place(sim, 2, [0, 1])
  await sim.pass(300)
  sim.nodes[0]!.blocks.delete(id) // without a report
  await sim.pass(5_000)
  expect(sim.house.blocks.holders(id).map(({ node }) => node)).toEqual(['n0', 'n1'])
  sim.house.blocks.suspect(id, 'n0:1', 'this node has no such block')
  await sim.until('there are two again', () => sim.holders(id).length === 2)
  await sim.pass(1_000)
  expect(sim.house.blocks.holders(id).map(({ node }) => node as string).sort()).toEqual(sim.holders(id).sort())
  // A replica that exists is not lost by a reader's complaint.
  for (const name of sim.holders(id)) sim.house.blocks.suspect(id, `${name}:1`, 'this node has no such block')
  await sim.pass(1_000)
  expect(sim.house.blocks.holders(id)).toHaveLength(2)
  expect(sim.stats.copied).toBe(1)
  await sim.house.stop()
})

test('however many readers report a replica, a node verifies it once, and a bounded number of them', async () => {
  const sim = await Sim.calm(50, 2, 1)
  const { house } = sim
  const [node] = sim.nodes
  node!.deaf = true
  const id = await place(sim, 1, [0])
  for (let i = 0; i < 500; i++) house.blocks.suspect(id, 'n0:1', 'it is wrong')
  expect(house.count('verify')).toBe(1)
  const more: BlockId[] = []
  for (let i = 0; i < 40; i++)
    more.push(...(await house.bench.do(create, { path: `/o${i}`, replication: 1, blockBytes: 4096, blocks: 50 })).blocks)
  for (const other of more) {
    house.blocks.map.add(other, house.node(node!))
    house.blocks.suspect(other, 'n0:1', 'it is wrong')
  }
  expect(house.count('verify')).toBe(1000)
  await house.stop()
})

test('replication that is raised and lowered again and again comes to rest at the last number', async () => {
  const sim = await Sim.calm(51, 6)
  const id = await place(sim, 1, [0])
  for (const target of [3, 1, 5, 2, 6, 3]) {
    await sim.setrep('/p0', target)
    await sim.pass(700)
  }
  await sim.pass(10_000)
  expect(sim.holders(id)).toHaveLength(3)
  expect(sim.wrongs).toEqual([])
  await sim.house.stop()
})
