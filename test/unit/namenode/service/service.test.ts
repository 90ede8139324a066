// Service states of nodes, on a namenode's rooms with fake datanodes and manual time: a node goes only when its blocks have their replicas
// elsewhere, and its state outlives a restart.

import { expect, test } from 'vitest'
import { health } from '../../../../namenode/blocks/health.ts'
import { findNode } from '../../../../namenode/service/servicestates.ts'
import { forgetGone, knownNodes, noteNode } from '../../../../namenode/nodes/known.ts'
import { remove } from '../../../../namenode/namespace/names.ts'
import { address, type BlockId } from '../../../../src/base/ids.ts'
import { complete, create } from '../../../../namenode/writing/mutations.ts'
import type { NodeStatus } from '../../../../src/protocol/admin.ts'
import { decommission, forget, maintenance, recommission } from '../../../../src/protocol/service.ts'
import { place, times, Sim, type Fake } from '../house.ts'
import { ask } from '../kit.ts'

const take = (sim: Sim, node: Fake): Promise<NodeStatus> => sim.house.call(decommission, { ...ask(), node: node.id })
const back = (sim: Sim, node: Fake): Promise<NodeStatus> => sim.house.call(recommission, { ...ask(), node: node.id })
const excuse = (sim: Sim, node: Fake, forMs: number): Promise<NodeStatus> => sim.house.call(maintenance, { ...ask(), node: node.id, forMs })
const stateOf = (sim: Sim, node: Fake): string => sim.house.node(node).service.state
/** In service, with this block. */
const good = (sim: Sim, id: BlockId): number => sim.holders(id).filter(name => sim.house.registry.get(name as never)!.inService).length

test('a decommissioned node is emptied first, never below the target, is read from meanwhile, and gets nothing new', async () => {
  const sim = await Sim.calm(60, 5, 1)
  const { house } = sim
  const [leaver] = sim.nodes
  const ids: BlockId[] = []
  for (let i = 0; i < 80; i++) ids.push(await place(sim, 1 + i % 3, [0, 1 + i % 4, 1 + (i + 1) % 4].slice(0, 1 + i % 3)))
  await sim.pass(500)
  const before = leaver!.blocks.size
  const status = await take(sim, leaver!)
  expect([status.node, status.service]).toEqual(['n0', 'decommissioning'])
  for (let i = 0; stateOf(sim, leaver!) !== 'decommissioned'; i++) {
    expect(i, 'it ends').toBeLessThan(300)
    expect(leaver!.blocks.size, 'nothing is taken from it').toBe(before)
    for (const id of ids) expect(house.blocks.holders(id).some(node => node.node === leaver!.id), 'it is read from').toBe(true)
    expect(house.registry.open.map(node => node.node)).not.toContain(leaver!.id)
    await sim.pass(100)
  }
  for (const [i, id] of ids.entries()) expect(good(sim, id), `block ${id}`).toBe(1 + i % 3)
  expect(house.node(leaver!).held).toEqual({ blocks: 80, remaining: 0 })
  // It is switched off, without any effect.
  const copies = house.count('replicate')
  leaver!.kill()
  await sim.pass(times.nodeDeadMs + 5000)
  expect(house.count('replicate')).toBe(copies)
  expect(sim.unwell()).toEqual([])
  await house.stop()
})

test('a node does not count as empty while a file on it is still being written', async () => {
  const sim = await Sim.calm(72, 3, 1)
  const { house } = sim
  const [leaver] = sim.nodes
  const { lease, blocks: [id] } = await house.bench.do(create, { path: '/open', replication: 1, blockBytes: 4096, blocks: 1 })
  house.open.add(id!)
  leaver!.blocks.set(id!, { length: 100, crc: 7 })
  leaver!.changes.push(['added', id!])
  await sim.pass(500)
  await take(sim, leaver!)
  await sim.pass(5000)
  expect([stateOf(sim, leaver!), house.node(leaver!).held]).toEqual(['decommissioning', { blocks: 1, remaining: 1 }])
  await house.bench.do(complete, { lease, blocks: [{ id: id!, length: 100, crc: 7, aligned: true }] })
  house.open.delete(id!)
  house.blocks.map.know(id!, 1)
  await sim.until('it is empty', () => stateOf(sim, leaver!) === 'decommissioned', 5000)
  expect(good(sim, id!)).toBe(1)
  await house.stop()
})

test('a node does not count as empty while a block on it has no other replica', async () => {
  const sim = await Sim.calm(61, 3, 1)
  const { house } = sim
  for (const node of sim.nodes.slice(1)) node.refuses = true
  const id = await place(sim, 1, [0])
  await sim.pass(300)
  await take(sim, sim.nodes[0]!)
  await sim.pass(5000)
  expect([stateOf(sim, sim.nodes[0]!), house.node(sim.nodes[0]!).held]).toEqual(['decommissioning', { blocks: 1, remaining: 1 }])
  for (const node of sim.nodes) node.refuses = false
  await sim.until('it is empty', () => stateOf(sim, sim.nodes[0]!) === 'decommissioned', 60_000)
  expect(good(sim, id)).toBe(1)
  await house.stop()
})

test('a node may go when its blocks have a copy on each node that could have one, however many their files want', async () => {
  const sim = await Sim.calm(75, 4, 1)
  const { house } = sim
  const [leaver, other] = sim.nodes
  const id = await place(sim, 3, [0, 1, 2])
  await sim.pass(500)
  await take(sim, leaver!)
  // One of the three remaining nodes dies before the third copy exists.
  const held = () => house.node(leaver!).held
  for (const node of sim.nodes.slice(1)) node.refuses = true
  other!.kill()
  await sim.until('it is dead', () => house.node(other!).state === 'dead', times.nodeDeadMs + 5000)
  for (const node of sim.nodes.slice(1)) node.refuses = false
  await sim.until('there are two', () => good(sim, id) === 2, 60_000)
  await sim.pass(2000)
  expect([stateOf(sim, leaver!), held()], 'it may come back').toEqual(['decommissioning', { blocks: 1, remaining: 1 }])
  await sim.pass(600_000)
  await forgetGone({ journal: house.bench.journal, registry: house.registry, clock: house.bench.clock })
  await sim.until('it may go', () => stateOf(sim, leaver!) === 'decommissioned', 5000)
  expect(held()).toEqual({ blocks: 1, remaining: 0, short: 1 })
  await house.stop()
})

test('a replication that was raised beyond the nodes does not hold back one that leaves', async () => {
  const sim = await Sim.calm(76, 4, 1)
  const { house } = sim
  const [leaver] = sim.nodes
  const id = await place(sim, 2, [0, 1])
  await sim.pass(500)
  for (const node of sim.nodes.slice(1)) node.refuses = true
  await take(sim, leaver!)
  await sim.setrep(undefined, 4)
  await sim.pass(2000)
  expect([stateOf(sim, leaver!), house.node(leaver!).held]).toEqual(['decommissioning', { blocks: 1, remaining: 1 }])
  for (const node of sim.nodes) node.refuses = false
  await sim.until('it may go', () => stateOf(sim, leaver!) === 'decommissioned', 60_000)
  expect([good(sim, id), house.node(leaver!).held]).toEqual([3, { blocks: 1, remaining: 0, short: 1 }])
  await house.stop()
})

test('an order about a node that is repeated gets its first answer, whatever the node is by then', async () => {
  const sim = await Sim.calm(73, 3)
  const [a] = sim.nodes as [Fake, Fake, Fake]
  await place(sim, 2, [0, 1])
  const away = { ...ask(), node: a.id, forMs: 10_000 }
  await sim.house.call(maintenance, away)
  await back(sim, a)
  const out = { ...ask(), node: a.id }
  await sim.house.call(decommission, out)
  await expect(excuse(sim, a, 10_000)).rejects.toMatchObject({ code: 'EINVAL' })
  expect((await sim.house.call(maintenance, away)).service).not.toBe('maintenance')
  await back(sim, a)
  await place(sim, 3, [0, 1, 2])
  await expect(take(sim, a)).rejects.toMatchObject({ code: 'EINVAL' })
  expect((await sim.house.call(decommission, out)).service).toBe('in-service')
  await sim.house.stop()
})

test('a node is not let go when too few would be left, and the answer says what to do', async () => {
  const sim = await Sim.calm(62, 3, 1)
  const [a, b, c] = sim.nodes as [Fake, Fake, Fake]
  await place(sim, 3, [0, 1, 2])
  await expect(take(sim, a)).rejects.toMatchObject({
    code: 'EINVAL',
    message: expect.stringContaining('2 datanodes are in service, and 1 block wants up to 3 replicas'),
    details: { left: 2, target: 3, blocks: 1 },
  })
  expect(stateOf(sim, a)).toBe('in-service')
  await sim.house.bench.do(remove, { path: '/p0' })
  sim.house.blocks.invalidate([1 as BlockId])
  await take(sim, a)
  await take(sim, b)
  await expect(take(sim, c)).rejects.toMatchObject({ code: 'EINVAL', message: expect.stringContaining('the last datanode in service') })
  await sim.house.stop()
})

test('service states survive a restart of the namenode, and a node that comes back under its old id', async () => {
  const sim = await Sim.calm(63, 4, 1)
  const [leaver, away] = sim.nodes as [Fake, Fake]
  for (let i = 0; i < 10; i++) await place(sim, 2, [i % 4, (i + 1) % 4])
  await sim.pass(500)
  await take(sim, leaver)
  await excuse(sim, away, 600_000)
  await sim.restart()
  await sim.pass(3000)
  expect([stateOf(sim, leaver), stateOf(sim, away)]).toEqual(['decommissioned', 'maintenance'])
  expect(sim.house.registry.open.map(node => node.node).sort()).toEqual(['n2', 'n3'])
  leaver.kill()
  await sim.pass(times.nodeDeadMs + 1000)
  // It comes back at another address, which is recorded; nothing else changes.
  const { journal } = sim.house.bench
  const { sinceMs, service, ...facts } = [...knownNodes(journal.view)].find(known => known.node === leaver.id)!
  await journal.submit(noteNode, { ...facts, address: address('elsewhere:1'), sinceMs: sinceMs + 1 })
  expect([...knownNodes(journal.view)].find(known => known.node === leaver.id)).toEqual({
    ...facts, address: 'elsewhere:1', sinceMs, service,
  })
  sim.clock.pass(600_000)
  for (const node of sim.nodes) await node.step()
  await forgetGone({ journal: sim.house.bench.journal, registry: sim.house.registry, clock: sim.clock })
  expect([...knownNodes(sim.house.bench.journal.view)].find(known => known.node === leaver.id)?.service).toEqual({
    state: 'decommissioned',
  })
  leaver.up = true
  await sim.pass(1000)
  expect(stateOf(sim, leaver)).toBe('decommissioned')
  await sim.house.stop()
})

test('a node that was dead for so long that it was forgotten can be decommissioned, and is no longer reported as dead', async () => {
  const sim = await Sim.calm(61, 4, 1)
  const { house } = sim
  const [gone] = sim.nodes
  gone!.kill()
  await sim.pass(times.nodeDeadMs + 650_000)
  await forgetGone({ journal: house.bench.journal, registry: house.registry, clock: sim.clock })
  const known = (): unknown[] =>
    [...knownNodes(house.bench.journal.view)].filter(({ node }) => node === gone!.id).map(({ service }) => service)
  expect(known()).toEqual([])
  expect((await back(sim, gone!)).service ?? 'in-service').toBe('in-service')
  expect(known()).toEqual([])
  await take(sim, gone!)
  await sim.until('there is nothing to wait for', () => stateOf(sim, gone!) === 'decommissioned', 60_000)
  expect(known()).toEqual([{ state: 'decommissioned' }])
  expect(sim.unwell()).toEqual([])
  await house.stop()
})

test('a dead node is forgotten with its service state, in a namenode that starts again too, and joins as a new one', async () => {
  const sim = await Sim.calm(64, 4, 1)
  const { house } = sim
  const [leaver, lost] = sim.nodes as [Fake, Fake]
  for (let i = 0; i < 8; i++) await place(sim, 2, [i % 4, (i + 1) % 4])
  const drop = (node: Fake, more: { force?: boolean } = {}) => sim.house.call(forget, { ...ask(), node: node.id, ...more })
  const refused = (part: string): object => ({ code: 'EINVAL', message: expect.stringContaining(part) })
  await expect(drop(leaver)).rejects.toMatchObject(refused('is live'))
  await take(sim, leaver)
  await sim.until('it is empty', () => stateOf(sim, leaver) === 'decommissioned', 60_000)
  leaver.kill()
  await sim.pass(times.nodeStaleMs + 500)
  await expect(drop(leaver)).rejects.toMatchObject(refused('is not dead yet'))
  await sim.pass(times.nodeDeadMs + 1000)
  const once = { ...ask(), node: leaver.id }
  await house.call(forget, once)
  expect([...house.registry.all].map(({ node }) => node)).not.toContain(leaver.id)
  // The answer was lost: the same request again.
  expect(await house.call(forget, once)).toEqual({})
  await expect(drop(leaver)).rejects.toMatchObject({ code: 'ENOENT' })

  // Another one, whose blocks are not there yet.
  lost.kill()
  sim.nodes[2]!.kill()
  await sim.pass(times.nodeDeadMs + 1000)
  expect(house.blocks.unseen.missing).toBeGreaterThan(0)
  await expect(drop(lost)).rejects.toMatchObject(refused('have no replica'))
  await drop(lost, { force: true })
  await sim.restart()
  expect([...sim.house.registry.all].map(({ node }) => node).sort()).toEqual(['n2', 'n3'])
  for (const node of [leaver, lost, sim.nodes[2]!]) node.up = true
  await sim.until('all are there', () => sim.nodes.every(node => sim.house.registry.get(node.id)?.inService), 60_000)
  await sim.until('nothing is missing', () => sim.house.blocks.unseen.missing === 0, 60_000)
  expect([...knownNodes(sim.house.bench.journal.view)].map(({ node }) => node).sort()).toEqual(['n0', 'n1', 'n2', 'n3'])
  await sim.house.stop()
})

test('the last node that is known is not forgotten', async () => {
  const sim = await Sim.calm(65, 1, 1)
  sim.nodes[0]!.kill()
  await sim.pass(times.nodeDeadMs + 1000)
  await expect(sim.house.call(forget, { ...ask(), node: sim.nodes[0]!.id, force: true })).rejects.toMatchObject({
    code: 'EINVAL', message: expect.stringContaining('the last datanode'),
  })
  await sim.house.stop()
})

test('a node that is back in service keeps what it had, and what is too much is trimmed', async () => {
  const sim = await Sim.calm(64, 4, 1)
  const [leaver] = sim.nodes
  for (let i = 0; i < 20; i++) await place(sim, 2, [0, 1 + i % 3])
  await sim.pass(300)
  await take(sim, leaver!)
  await sim.until('it is empty', () => stateOf(sim, leaver!) === 'decommissioned')
  expect((await back(sim, leaver!)).service).toBe('in-service')
  await sim.pass(10_000)
  expect(sim.house.blocks.map.counts[health.healthy]).toBe(20)
  expect(sim.unwell()).toEqual([])
  expect(sim.house.registry.open).toHaveLength(4)
  await sim.house.stop()
})

test('while a node in maintenance is away nothing is copied; when its time is over without it, everything is', async () => {
  const sim = await Sim.calm(65, 4, 1)
  const { house } = sim
  const [away] = sim.nodes
  for (let i = 0; i < 20; i++) await place(sim, 2, [0, 1 + i % 3])
  await sim.pass(300)
  await excuse(sim, away!, 60_000)
  await sim.pass(1000)
  away!.kill()
  await sim.pass(50_000)
  expect(house.count('replicate')).toBe(0)
  expect(house.node(away!).state).toBe('away')
  expect(house.blocks.map.counts[health.healthy]).toBe(20)
  expect(house.blocks.holders(1 as BlockId).map(node => node.node), 'no reader is sent to it').not.toContain('n0')
  await sim.pass(12_000)
  expect([stateOf(sim, away!), house.node(away!).state]).toEqual(['in-service', 'dead'])
  await sim.pass(20_000)
  expect(house.count('replicate')).toBe(20)
  expect(sim.unwell()).toEqual([])
  await house.stop()
})

test('a node that is back from maintenance in time brings everything with it: nothing is copied, nothing is removed', async () => {
  const sim = await Sim.calm(66, 4, 1)
  const [away] = sim.nodes
  for (let i = 0; i < 20; i++) await place(sim, 2, [0, 1 + i % 3])
  await sim.pass(300)
  await excuse(sim, away!, 60_000)
  away!.kill()
  await sim.pass(20_000)
  away!.up = true
  await sim.pass(3000)
  await back(sim, away!)
  await sim.pass(10_000)
  expect(sim.house.given).toEqual([])
  expect(sim.unwell()).toEqual([])
  await sim.house.stop()
})

test('blocks held only by nodes in maintenance are copied before they stop, once', async () => {
  const sim = await Sim.calm(67, 4, 1)
  const { house } = sim
  const [away] = sim.nodes
  const single = await place(sim, 1, [0])
  for (let i = 0; i < 5; i++) await place(sim, 2, [0, 1])
  await sim.pass(300)
  await excuse(sim, away!, 60_000)
  await sim.until('nothing of it would be missed', () => house.node(away!).held?.remaining === 0, 5000)
  expect(good(sim, single)).toBe(1)
  expect(house.count('replicate')).toBe(1)
  away!.kill()
  await sim.pass(20_000)
  expect(house.blocks.unseen.missing).toBe(0)
  away!.up = true
  await sim.pass(2000)
  await back(sim, away!)
  await sim.pass(5000)
  expect(sim.holders(single)).toHaveLength(1)
  expect(sim.unwell()).toEqual([])
  await house.stop()
})

test('a namenode that starts while a node is in maintenance copies nothing because of it, but does what is urgent', async () => {
  const sim = await Sim.calm(68, 4, 1)
  const [away] = sim.nodes
  for (let i = 0; i < 12; i++) await place(sim, 3, [0, 1 + i % 3, 1 + (i + 1) % 3])
  const weak = await place(sim, 3, [0, 1])
  await sim.pass(20_000)
  expect(sim.holders(weak)).toHaveLength(3)
  await excuse(sim, away!, 300_000)
  away!.kill()
  await sim.restart()
  await sim.pass(30_000)
  expect(sim.house.count('replicate')).toBe(0)
  // Another node dies: blocks with one live replica get a second one.
  sim.nodes[1]!.kill()
  await sim.pass(times.nodeDeadMs + 20_000)
  expect(sim.house.count('replicate')).toBeGreaterThan(0)
  sim.nodes[1]!.up = true
  away!.up = true
  await sim.pass(3000)
  await back(sim, away!)
  await sim.pass(20_000)
  expect(sim.unwell()).toEqual([])
  await sim.house.stop()
})

test('blocks that only an absent node in maintenance can hold are awaited, and missing when its time is over', async () => {
  const sim = await Sim.calm(73, 2, 1)
  const [away, other] = sim.nodes as [Fake, Fake]
  await place(sim, 1, [0])
  other.refuses = true
  await sim.pass(300)
  await excuse(sim, away, 60_000)
  away.kill()
  await sim.restart()
  await sim.pass(30_000)
  expect(sim.house.blocks.unseen).toEqual({ missing: 0, corrupt: 0, awaited: 1 })
  await sim.pass(40_000)
  expect(sim.house.blocks.unseen).toEqual({ missing: 1, corrupt: 0, awaited: 0 })
  await sim.house.stop()
})

test('jumps of the wall clock neither end a maintenance nor lengthen it', async () => {
  const sim = await Sim.calm(69, 3, 1)
  const [node] = sim.nodes
  await excuse(sim, node!, 60_000)
  sim.clock.wallMs += 3_600_000
  await sim.pass(30_000)
  expect(stateOf(sim, node!)).toBe('maintenance')
  sim.clock.wallMs -= 7_200_000
  await sim.pass(31_000)
  expect(stateOf(sim, node!)).toBe('in-service')
  await sim.house.stop()
})

test('a request that is repeated after another operator has changed the state changes nothing', async () => {
  const sim = await Sim.calm(70, 3, 1)
  const [node] = sim.nodes
  const request = { ...ask(), node: node!.id }
  await sim.house.call(decommission, request)
  await back(sim, node!)
  await sim.house.call(decommission, request)
  expect(stateOf(sim, node!)).toBe('in-service')
  await sim.house.stop()
})

test('a node is named by its id, its address, or its host if that has no other', async () => {
  const sim = await Sim.calm(71, 3, 1)
  const { registry } = sim.house
  expect(findNode(registry, 'n1').node).toBe('n1')
  expect(findNode(registry, 'n1:1').node).toBe('n1')
  for (const fake of [sim.nodes[1]!, sim.nodes[2]!]) Object.assign(fake, { host: 'one', session: 0 })
  await sim.until('both have registered from one host', () => [...registry.all].filter(({ host }) => host === 'one').length === 2)
  expect(() => findNode(registry, 'one')).toThrow(/has 2 datanodes: n1 \(n1:1\), n2 \(n2:1\)/)
  expect(() => findNode(registry, 'nobody')).toThrow(/no datanode has the id/)
  await expect(
    excuse(sim, sim.nodes[0]!, 60_000)
      .then(() => take(sim, sim.nodes[0]!))
      .then(() => excuse(sim, sim.nodes[0]!, 60_000)),
  ).rejects.toMatchObject({ code: 'EINVAL' })
  await sim.house.stop()
})
