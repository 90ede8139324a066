// Replication under faults: a namenode's rooms with fake datanodes and manual time. Nodes die, come back with or without their disks, lose
// replies, corrupt blocks; files are created, removed and change their replication. Afterwards the rules hold: every block has its replicas
// on different nodes, no more, no replica without a file remains, and the last good replica of a block was never deleted.

import { expect, test } from 'vitest'
import { remove } from '../../../../namenode/namespace/names.ts'
import { sweep } from '../../../../namenode/namespace/sweep.ts'
import { confirmMs } from '../../../../namenode/blocks/claims.ts'
import type { DataNode } from '../../../../namenode/nodes/node.ts'
import { forgetGone, knownNodes } from '../../../../namenode/nodes/known.ts'
import { create } from '../../../../namenode/writing/mutations.ts'
import { blockId, type BlockId } from '../../../../src/base/ids.ts'
import { limits } from '../../../../src/base/limits.ts'
import type { Order } from '../../../../src/protocol/order.ts'
import { place, Sim, times } from '../house.ts'

for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
  test(`after nodes and namenodes have died and disks have lied, every block has its replicas and nothing is left over (seed ${seed})`, async () => {
    const sim = new Sim(seed, 6)
    const { random, nodes } = sim
    await sim.start()
    await sim.pass(500)
    for (let i = 0; i < 10; i++) await sim.put(3, 1 + random.below(3))
    for (let round = 0; round < 40; round++) {
      const victim = nodes[random.below(nodes.length)]!
      const away = nodes.filter(node => !node.up)
      switch (random.below(9)) {
        case 0: if (away.length < 2) victim.kill(); break
        case 1: for (const node of away) node.up = true; break
        case 2: await sim.rm(); break
        case 3: await sim.setrep(); break
        case 4: await sim.restart(); break
        case 5: {
          // A block rots and a reader notices; only where another good replica exists, because otherwise it would rightly be lost.
          const id = [...victim.blocks.keys()][random.below(Math.max(1, victim.blocks.size))]
          if (id !== undefined && nodes.some(node => node !== victim && node.up && node.blocks.get(id)?.crc === 7)) {
            victim.blocks.set(id, { length: 100, crc: 8 })
            sim.house.blocks.suspect(id, `${victim.id}:1`, 'it is wrong')
            if (!victim.up) victim.blocks.delete(id)
          }
          break
        }
        case 6: {
          // It restarts: a new session with the same blocks, except for one that its disk has lost.
          victim.session = 0
          const lost = [...victim.blocks.keys()].find(id =>
            nodes.some(node => node !== victim && node.up && node.blocks.get(id)?.crc === 7),
          )
          if (lost !== undefined) victim.blocks.delete(lost)
          break
        }
        default: await sim.put(1 + random.below(4), 1 + random.below(3))
      }
      await sim.pass(200 + random.below(3000))
    }
    for (const node of nodes) node.up = true
    await sim.pass(60_000)
    for (const [what, count] of Object.entries(sim.stats))
      if (what !== 'restarts' && what !== 'bad') expect(count, what).toBeGreaterThan(10)
    expect(sim.unwell()).toEqual([])
    expect(sim.house.blocks.safe.on).toBe(false)
    expect(sim.house.blocks.deletions.pending).toBe(0)
    expect(sim.house.blocks.repair.pending).toBe(0)
    for (const node of sim.house.registry.all) expect([node.sending.count, node.receiving.count]).toEqual([0, 0])
    await sim.house.stop()
  })
}

test('a report that is older than the order to delete its replica is no reason to delete the other one', async () => {
  const sim = await Sim.calm(22, 2)
  const { house: { registry }, nodes } = sim
  const id = await place(sim, 2, [0, 1])
  // Orders stay on their way until both nodes hear again.
  for (const node of nodes) node.deaf = true
  await sim.pass(limits.longPollMs)
  await sim.setrep('/p0', 1)
  const queued = () => nodes.filter(node => registry.get(node.id)!.orders.size > 0)
  await sim.until('one is to be deleted', () => queued().length > 0)
  const [chosen] = queued()
  // It was written down when the replica arrived, and is delivered now.
  chosen!.changes.push(['added', id])
  await sim.pass(1_000)
  expect(queued()).toEqual([chosen])
  for (const node of nodes) node.deaf = false
  await sim.pass(times.nodeDeadMs)
  expect(sim.holders(id)).toEqual(nodes.filter(node => node !== chosen).map(node => node.id))
  expect([sim.wrongs, sim.unwell()]).toEqual([[], []])
  await sim.house.stop()
})

test('a replica that was deleted and copied again before its node could report counts among those of which one is deleted', async () => {
  const sim = await Sim.calm(23, 3)
  const { house: { registry }, nodes } = sim
  const id = await place(sim, 2, [0, 1])
  for (const node of nodes) node.deaf = true
  await sim.pass(limits.longPollMs)
  await sim.setrep('/p0', 1)
  const queued = () => nodes.filter(node => registry.get(node.id)!.orders.size > 0)
  await sim.until('one is to be deleted', () => queued().length > 0)
  const [chosen] = queued()
  const { seq } = registry.get(chosen!.id)!.orders.acknowledge(0)[0] ?? { seq: 1 }
  // Its node has carried out the order, and has received a copy; the reports say only what is there now.
  chosen!.acknowledged = seq
  chosen!.changes.push(['removed', id], ['added', id])
  for (const node of nodes) node.deaf = false
  await sim.until('one replica is left', () => sim.holders(id).length === 1)
  await sim.pass(times.nodeDeadMs)
  expect([sim.wrongs, sim.unwell()]).toEqual([[], []])
  await sim.house.stop()
})

test('blocks of a dead node are copied, those with one replica left before the others, however many hands are free', async () => {
  const sim = await Sim.calm(20, 4)
  const { house, nodes } = sim
  const dead = nodes[0]!
  // All have their replicas; then some lose one of three, and some one of two.
  for (const on of [[0, 1, 2], [0, 2, 3], [0, 1, 3]]) await place(sim, 3, on)
  const weak = [await place(sim, 2, [0, 1]), await place(sim, 2, [0, 3])]
  await sim.pass(300)
  expect(house.blocks.map.counts).toEqual([0, 0, 0, 5, 0, 0])
  // Orders are not carried out, so each round orders the maximum.
  for (const node of nodes.slice(1)) node.deaf = true
  dead.kill()
  await sim.until('copies are ordered', () => house.count('replicate') > 0)
  const ordered = house.given.flatMap(({ order }) => (order.kind === 'replicate' ? [order.block] : []))
  expect(ordered).toHaveLength(5)
  expect(new Set(ordered.slice(0, 2))).toEqual(new Set(weak))
  for (const node of nodes.slice(1)) node.deaf = false
  await sim.pass(60_000)
  expect(sim.unwell()).toEqual([])
  expect(house.blocks.map.counts).toEqual([0, 0, 0, 5, 0, 0])
  await house.stop()
})

test('after a restart nothing is deleted or copied before it is known where blocks lie', async () => {
  const sim = new Sim(21, 4)
  await sim.start()
  await sim.pass(300)
  for (let i = 0; i < 20; i++) await place(sim, 2, [i % 4, (i + 1) % 4])
  await sim.pass(1000)
  const given: Order[] = []
  for (const node of sim.nodes) node.kill()
  await sim.restart()
  expect(sim.house.blocks.safe.on).toBe(true)
  const listen = (node: DataNode): void => {
    const push = node.orders.push.bind(node.orders)
    node.orders.push = order => { given.push(order); return push(order) }
  }
  sim.house.registry.listen({ joined: listen })
  // Garbage on the first node, and half of all replicas on nodes that have not registered yet.
  for (let i = 0; i < 5; i++) await sim.house.bench.do(create, { path: `/g${i}`, replication: 1, blockBytes: 4096, blocks: 1 })
  sim.nodes[0]!.blocks.set(blockId(21), { length: 1, crc: 1 })
  sim.nodes[0]!.up = true
  await sim.pass(1500)
  expect(given).toEqual([])
  expect(sim.house.settled).toBe(0)
  for (const node of sim.nodes) node.up = true
  await sim.pass(3000)
  expect(sim.house.blocks.safe.on).toBe(false)
  expect(sim.house.settled).toBe(1)
  expect(given).toEqual([{ kind: 'delete', blocks: [21] }])
  expect(sim.unwell()).toEqual([])
  await sim.house.stop()
})

test('a cluster that has lost files copies what it has, and deletes nothing until the lost files are removed', async () => {
  const sim = new Sim(22, 3)
  await sim.start()
  await sim.pass(300)
  await place(sim, 1, [0])
  await place(sim, 3, [0, 1])
  await sim.pass(1000)
  for (const node of sim.nodes) node.kill()
  await sim.restart()
  sim.nodes[1]!.up = true
  sim.nodes[2]!.up = true
  sim.nodes[2]!.blocks.set(blockId(9), { length: 1, crc: 1 })
  await sim.house.bench.do(create, { path: '/g', replication: 1, blockBytes: 4096, blocks: 8 })
  await sim.pass(times.nodeDeadMs + 5000)
  const { blocks } = sim.house
  expect(blocks.safe.on).toBe(true)
  expect(sim.nodes[2]!.blocks.has(blockId(2)), 'copied').toBe(true)
  expect(sim.nodes[2]!.blocks.has(blockId(9)), 'not deleted').toBe(true)
  expect(blocks.map.counts.slice(1)).toEqual([1, 1, 0, 0, 0])
  await sim.house.bench.do(remove, { path: '/p0' })
  blocks.invalidate((await sim.house.bench.journal.submit(sweep, { limit: 100 })).blocks)
  await sim.pass(3000)
  expect(blocks.safe.on).toBe(false)
  expect(sim.nodes[2]!.blocks.has(blockId(9)), 'deleted').toBe(false)
  await sim.house.stop()
})

test('a replica on a stale node does not allow deleting the other one', async () => {
  const sim = new Sim(26, 2)
  await sim.start()
  await sim.pass(300)
  const ids: BlockId[] = []
  for (let i = 0; i < 20; i++) ids.push(await place(sim, 2, [0, 1]))
  await sim.pass(500)
  sim.nodes[0]!.kill()
  await sim.pass(times.nodeStaleMs + 500)
  for (const id of ids) sim.house.blocks.map.know(id, 1)
  await sim.pass(times.nodeDeadMs + 2000)
  expect([...sim.nodes[1]!.blocks.keys()]).toEqual(ids)
  await sim.house.stop()
})

test('no excess replica of a block is deleted while a copy of the block is under way: it may be the source', async () => {
  const sim = await Sim.calm(36, 4, 1)
  const { house, nodes } = sim
  const id = await place(sim, 3, [0, 1])
  for (const node of nodes) node.deaf = true
  await sim.until('a copy is ordered', () => house.count('replicate') === 1)
  await sim.setrep('/p0', 1)
  await sim.pass(2_000)
  expect(house.blocks.repair.isCopying(id)).toBe(true)
  expect(house.blocks.map.holders(id)).toHaveLength(2)
  expect(house.count('delete')).toBe(0)
  for (const node of nodes) node.deaf = false
  await sim.until('one is left', () => sim.holders(id).length === 1 && !house.blocks.repair.isCopying(id))
  await sim.pass(5_000)
  expect(sim.holders(id)).toHaveLength(1)
  await house.stop()
})

test('a replica that was to go stays when the others have died before the order went out', async () => {
  const sim = new Sim(27, 3)
  await sim.start()
  await sim.pass(300)
  const [a, b] = [sim.nodes[0]!, sim.nodes[1]!]
  const ids: BlockId[] = []
  for (let i = 0; i < 20; i++) ids.push(await place(sim, 2, [0, 1]))
  await sim.pass(500)
  // b has its limit of deletions, which it does not acknowledge.
  b.deaf = true
  const { blocks, registry } = sim.house
  for (const id of [100_001, 100_002, 100_003]) blocks.deletions.add(registry.get(b.id)!, [blockId(id)])
  for (const id of ids) blocks.map.know(id, 1)
  await sim.pass(800)
  const kept = [...a.blocks.keys()]
  expect(kept.length, 'some are to go from each').toBeGreaterThan(0)
  expect(kept.length).toBeLessThan(20)
  a.kill()
  await sim.pass(times.nodeDeadMs + 1000)
  b.deaf = false
  await sim.pass(5000)
  expect([...b.blocks.keys()].sort((x, y) => x - y)).toEqual(ids)
  expect(sim.wrongs).toEqual([])
  await sim.house.stop()
})

test('a replica missing in a full report counts as lost, and is copied to the node or elsewhere', async () => {
  const sim = new Sim(28, 3)
  await sim.start()
  await sim.pass(300)
  for (let i = 0; i < 5; i++) await place(sim, 3, [0, 1, 2])
  await sim.pass(500)
  const node = sim.nodes[1]!
  node.session = 0
  node.blocks.clear()
  await sim.pass(60_000)
  expect(node.blocks.size).toBe(5)
  expect(sim.unwell()).toEqual([])
  await sim.house.stop()
})

test('a replica of which a writer has told, and its node has not, is looked for, and copied if it is not there', async () => {
  const sim = await Sim.calm(31, 2)
  const { house: { registry, blocks }, nodes } = sim
  const id = await place(sim, 2, [0, 1])
  const [first, second] = nodes.map(node => registry.get(node.id)!)
  // Its disk was set back while the writer went on, who knows nothing of that.
  nodes[1]!.blocks.delete(id)
  blocks.reports.removed(second!, id, 0)
  blocks.map.sealed(id, 2, [first!, second!])
  await sim.pass(confirmMs - 1_000)
  expect([blocks.map.holders(id).length, sim.holders(id)]).toEqual([2, [nodes[0]!.id]])
  await sim.until('it is copied', () => sim.holders(id).length === 2)
  // One that its node tells of in time is not looked for.
  blocks.reports.removed(second!, id, 0)
  blocks.map.sealed(id, 2, [first!, second!])
  blocks.reports.held(second!, { id, length: 100, crc: 7 }, 0)
  nodes[1]!.blocks.delete(id)
  await sim.pass(3 * confirmMs)
  expect([blocks.map.holders(id).length, sim.holders(id)]).toEqual([2, [nodes[0]!.id]])
  await sim.house.stop()
})

test('a node is not asked for a claimed replica that it has denied, or in a later session, or that counts no more', async () => {
  const sim = await Sim.calm(32, 2)
  const { house: { registry, blocks }, nodes } = sim
  const id = await place(sim, 2, [0, 1])
  const [first, second] = nodes.map(node => registry.get(node.id)!)
  let asked = 0
  const push = second!.orders.push.bind(second!.orders)
  second!.orders.push = order => {
    if (order.kind === 'verify') asked++
    return push(order)
  }
  const claimed = async (then: () => void, when = confirmMs + 2_000): Promise<number> => {
    asked = 0
    blocks.map.drop(id, second!)
    blocks.map.sealed(id, 2, [first!, second!])
    then()
    await sim.pass(when)
    return asked
  }
  expect(await claimed(() => {})).toBe(1)
  expect(await claimed(() => { blocks.reports.removed(second!, id, 0) })).toBe(0)
  expect(await claimed(() => { nodes[1]!.session = 0 })).toBe(0)
  expect(await claimed(() => { blocks.map.forget(id) })).toBe(0)
  await sim.house.stop()
})

test('a block that was never given out is never deleted', async () => {
  const sim = new Sim(23, 2)
  await sim.start()
  sim.nodes[0]!.blocks.set(blockId(999), { length: 1, crc: 1 })
  await sim.pass(10_000)
  expect(sim.nodes[0]!.blocks.has(blockId(999))).toBe(true)
  expect(sim.house.blocks.reports.unknown.blocks).toBe(1)
  await sim.house.stop()
})

test('a replica with another checksum does not count, and goes as soon as there is a good one', async () => {
  const sim = new Sim(24, 4)
  await sim.start()
  await sim.pass(300)
  const id = await place(sim, 3, [0, 1])
  sim.nodes[2]!.blocks.set(id, { length: 100, crc: 99 })
  sim.nodes[2]!.changes.push(['added', id])
  await sim.pass(60_000)
  expect(sim.nodes.filter(node => node.blocks.get(id)?.crc === 7)).toHaveLength(3)
  expect(sim.nodes.some(node => node.blocks.get(id)?.crc === 99)).toBe(false)
  await sim.house.stop()
})

test('a node that is gone for good is not waited for after the next restart; one that comes back is', async () => {
  const sim = new Sim(29, 3)
  await sim.start()
  await sim.pass(300)
  const expected = (): string[] => [...knownNodes(sim.house.bench.journal.view)].map(known => known.node)
  const forget = (): Promise<void> => forgetGone({ journal: sim.house.bench.journal, registry: sim.house.registry, clock: sim.clock })
  sim.nodes[0]!.kill()
  await sim.pass(times.nodeDeadMs + 1000)
  await forget()
  expect(expected()).toEqual(['n0', 'n1', 'n2'])
  sim.clock.pass(600_000)
  for (const node of sim.nodes) await node.step()
  await forget()
  expect(expected()).not.toContain('n0')
  // Those that died last are shown; which ones are forgotten is told to all rooms.
  await sim.pass(1000)
  const { registry } = sim.house
  const told: string[] = []
  registry.listen({ forgotten: ({ node }) => told.push(node) })
  registry.trim(1)
  expect([...registry.all].map(({ node }) => node)).toEqual(['n0', 'n1', 'n2'])
  registry.trim(0)
  expect([[...registry.all].map(({ node }) => node), told]).toEqual([['n1', 'n2'], ['n0']])
  sim.nodes[0]!.up = true
  await sim.pass(1000)
  expect(expected()).toContain('n0')
  await sim.house.stop()
})

test('nodes that are all gone are waited for after the next restart, and no longer once another one is there', async () => {
  const sim = new Sim(40, 3)
  await sim.start()
  await sim.pass(300)
  const expected = (): string[] => [...knownNodes(sim.house.bench.journal.view)].map(known => known.node)
  const forget = (): Promise<void> => forgetGone({ journal: sim.house.bench.journal, registry: sim.house.registry, clock: sim.clock })
  for (const node of sim.nodes) node.kill()
  await sim.pass(times.nodeDeadMs + 1000)
  sim.clock.pass(600_000)
  await forget()
  expect(expected()).toEqual(['n0', 'n1', 'n2'])
  sim.nodes[2]!.up = true
  await sim.pass(1000)
  await forget()
  expect(expected()).toEqual(['n2'])
  await sim.house.stop()
})

test('a node whose wrong replica has been replaced by a good one holds the block, and is not told to delete it', async () => {
  const sim = await Sim.calm(61, 3)
  const { house } = sim
  const { blocks } = house
  const id = await place(sim, 3, [0, 1])
  const [first, , last] = sim.nodes.map(node => house.node(node)) as [DataNode, DataNode, DataNode]
  for (const node of sim.nodes) node.deaf = true
  blocks.reports.held(last, { id, length: 100, crc: 99 }, 0)
  expect([blocks.map.holders(id).includes(last), house.count('delete')]).toEqual([false, 1])
  // It was deleted and copied again before the node reported that it is gone: the report of the new replica replaces that one.
  blocks.reports.held(last, { id, length: 100, crc: 7 }, 0)
  blocks.checkState()
  blocks.reports.held(first, { id, length: 100, crc: 7 }, 0)
  expect([blocks.map.holders(id).includes(last), house.count('delete')]).toEqual([true, 1])
  await house.stop()
})

test('a block whose excess replicas have gone by themselves no longer waits for their deletion', async () => {
  const sim = await Sim.calm(62, 3)
  const { blocks } = sim.house
  const nodes = sim.nodes.map(node => sim.house.node(node))
  const id = await place(sim, 1, [0, 1])
  expect(blocks.excess.waiting).toBe(1)
  blocks.map.drop(id, nodes[1]!)
  blocks.checkState()
  expect([blocks.excess.waiting, sim.house.count('delete')]).toEqual([0, 0])
  await sim.house.stop()
})
