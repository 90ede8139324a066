// Block table against a model, properties of placement, orders that are lost on the way.

import { MiB } from '../../../../src/base/units.ts'
import { expect, test } from 'vitest'
import { place, surplus, type Candidate } from '../../../../namenode/blocks/placement.ts'
import { BlockTable } from '../../../../namenode/blocks/table.ts'
import { OrderQueue } from '../../../../namenode/nodes/orders.ts'
import { blockId, nodeId } from '../../../../src/base/ids.ts'
import { seeded } from '../../../../src/world/random.ts'
import { ManualClock } from '../../../kit/manual-clock.ts'

test('the block table holds what a map of sets would', () => {
  const random = seeded(5)
  const table = new BlockTable()
  const model = new Map<number, { target: number; reportIds: Set<number> }>()
  for (let step = 0; step < 60_000; step++) {
    const id = blockId(1 + random.below(4000))
    const reportId = random.below(8)
    const known = model.get(id)
    switch (random.below(8)) {
      case 0: case 1: case 2: case 3: {
        const slot = table.add(id)
        if (!known) model.set(id, { target: 0, reportIds: new Set() })
        const there = model.get(id)!
        const old = random.below(4) === 0 ? [random.below(8), random.below(8)].filter(each => each !== reportId) : []
        const changed = table.addReportId(slot, reportId, old)
        expect(changed).toBe(!there.reportIds.has(reportId))
        if (changed) for (const each of old) there.reportIds.delete(each)
        there.reportIds.add(reportId)
        table.setTarget(slot, there.target = random.below(10))
        break
      }
      case 4: case 5: {
        const slot = table.slot(id)
        expect(slot >= 0).toBe(known !== undefined)
        if (slot >= 0) expect(table.removeReportId(slot, reportId)).toBe(known!.reportIds.delete(reportId))
        break
      }
      default:
        table.remove(id)
        model.delete(id)
    }
    expect(table.size).toBe(model.size)
    if (step % 101 === 0) table.checkState()
  }
  table.checkState()
  for (const [id, { target, reportIds }] of model) {
    const slot = table.slot(blockId(id))
    expect(table.target(slot)).toBe(target)
    expect(new Set(table.reportIds(slot))).toEqual(reportIds)
    expect(table.reportIds(slot)).toHaveLength(reportIds.size)
  }
  let seen = 0
  for (let slot = 0; slot < table.capacity; slot++) if (table.at(slot) !== undefined) seen++
  expect(seen).toBe(model.size)
})

test('a walk downwards sees every block that stays, whatever is removed meanwhile', () => {
  const random = seeded(6)
  for (let round = 0; round < 50; round++) {
    const table = new BlockTable()
    for (let id = 1; id <= 650; id++) table.add(blockId(id + round * 1000))
    const { generation } = table
    const seen = new Set<number>()
    const removed = new Set<number>()
    for (let slot = table.capacity - 1; slot >= 0; slot--) {
      const id = table.at(slot)
      if (id !== undefined) seen.add(id)
      if (slot % 3 === 0) {
        const victim = blockId(1 + random.below(650) + round * 1000)
        table.remove(victim)
        removed.add(victim)
      }
    }
    if (table.generation !== generation) continue // then the walker walks again
    for (let id = 1; id <= 650; id++) if (!removed.has(id + round * 1000)) expect(seen.has(id + round * 1000)).toBe(true)
  }
})

const gib = 1024 ** 3
function cluster(racks: number, perRack: number, change: (node: Candidate, index: number) => Partial<Candidate> = () => ({})): Candidate[] {
  return Array.from({ length: racks * perRack }, (_, i) => {
    const node: Candidate = {
      node: nodeId(`n${i}`), rack: `/r${i % racks}`, host: `h${i}`, freeBytes: 100 * gib, capacityBytes: 200 * gib, transfers: 0,
    }
    return { ...node, ...change(node, i) }
  })
}
const want = { count: 3, blockBytes: gib, held: [], exclude: new Set<never>() }
const racksOf = (nodes: readonly Candidate[]): number => new Set(nodes.map(each => each.rack)).size

test('replicas go to the writer first, then to another rack, then beside the second; never twice to a node', () => {
  const random = seeded(1)
  const nodes = cluster(3, 4)
  for (let i = 0; i < 500; i++) {
    const host = `h${i % 15}` // some writers are on no datanode's host
    const chosen = place(nodes, { ...want, host }, random)
    expect(new Set(chosen.map(each => each.node)).size).toBe(3)
    if (i % 15 < 12) expect(chosen[0]!.host).toBe(host)
    expect(chosen[1]!.rack).not.toBe(chosen[0]!.rack)
    expect(chosen[2]!.rack).toBe(chosen[1]!.rack)
  }
})

test('with one rack, few nodes or many replicas, as many different nodes as there are take part', () => {
  const random = seeded(2)
  for (const [racks, perRack, count] of [[1, 5, 3], [1, 2, 3], [2, 1, 3], [4, 4, 16], [4, 4, 9], [2, 8, 7], [3, 1, 16]] as const) {
    const chosen = place(cluster(racks, perRack), { ...want, count }, random)
    expect(new Set(chosen.map(each => each.node)).size).toBe(Math.min(count, racks * perRack))
    if (racks > 1 && count > 1) expect(racksOf(chosen)).toBeGreaterThan(1)
    for (const rack of new Set(chosen.map(each => each.rack))) {
      if (chosen.length > 2 && racks > 1 && perRack >= count)
        expect(chosen.filter(each => each.rack === rack).length).toBeLessThan(chosen.length)
    }
  }
})

test('nodes without room, and nodes that failed the writer, are left out', () => {
  const random = seeded(3)
  const nodes = cluster(2, 3, (_, i) => (i === 0 ? { freeBytes: gib } : {}))
  for (let i = 0; i < 100; i++) {
    const chosen = place(nodes, { ...want, host: 'h0', exclude: new Set([nodeId('n1')]) }, random)
    expect(chosen).toHaveLength(3)
    expect(chosen.some(each => each.node === 'n0' || each.node === 'n1')).toBe(false)
  }
  expect(place(nodes, { ...want, blockBytes: 1000 * gib }, random)).toEqual([])
})

test('emptier and idler nodes get more, but no node gets everything', () => {
  const random = seeded(4)
  const nodes = cluster(1, 4, (_, i) => ({ freeBytes: i === 0 ? 180 * gib : 60 * gib, transfers: i === 3 ? 20 : 0 }))
  const counts = new Map<string, number>()
  for (let i = 0; i < 2000; i++)
    for (const each of place(nodes, { ...want, count: 1 }, random)) counts.set(each.node, (counts.get(each.node) ?? 0) + 1)
  expect(counts.get('n0')!).toBeGreaterThan(counts.get('n1')!)
  expect(counts.get('n0')!).toBeLessThan(1200)
  expect(counts.get('n3') ?? 0).toBeLessThan(counts.get('n1')!)
})

test('several datanodes on one machine do not get replicas of one block while other machines are free', () => {
  const random = seeded(7)
  const nodes = cluster(1, 6, (_, i) => ({ host: `h${Math.floor(i / 2)}` }))
  for (let i = 0; i < 200; i++) expect(new Set(place(nodes, want, random).map(each => each.host)).size).toBe(3)
})

test('a copy for a block that lost its other rack goes to another rack', () => {
  const random = seeded(8)
  const nodes = cluster(2, 4)
  const held = nodes.filter(each => each.rack === '/r0').slice(0, 2)
  for (let i = 0; i < 100; i++) expect(place(nodes, { ...want, count: 1, held }, random)[0]!.rack).toBe('/r1')
})

test('an excess replica is deleted in the most crowded rack, and the number of racks stays', () => {
  const random = seeded(9)
  const nodes = cluster(2, 3)
  for (let i = 0; i < 100; i++) {
    const held = [...nodes.filter(each => each.rack === '/r0'), nodes.find(each => each.rack === '/r1')!]
    const gone = surplus(held, random)!
    expect(gone.rack).toBe('/r0')
  }
  const full = cluster(1, 4, (_, i) => (i === 2 ? { freeBytes: gib } : {}))
  expect(surplus(full, random)!.node).toBe('n2')
})

test('an excess replica is deleted on an unsteady node first', () => {
  const random = seeded(11)
  const held = ['a', 'b', 'c', 'd'].map((name, i): Candidate => ({
    node: nodeId(name), rack: '/r', host: name, freeBytes: i === 0 ? 1 : 90, capacityBytes: 100, transfers: 0, unsteady: i > 1,
  }))
  for (let i = 0; i < 20; i++) expect(['c', 'd']).toContain(surplus(held, random)!.node)
})

test('orders are numbered, repeated until they are acknowledged, and never lost with an answer', async () => {
  const clock = new ManualClock()
  const orders = new OrderQueue(clock, 1000)
  const { signal } = new AbortController()
  const kill = (n: number) => ({ kind: 'verify' as const, block: blockId(n) })
  orders.push(kill(1))
  orders.push(kill(2))
  const first = await orders.wait(signal)
  expect(first.map(each => each.seq)).toEqual([1, 2])
  // The reply was lost: the node asks again without having acknowledged anything.
  orders.acknowledge(0)
  expect(await orders.wait(signal)).toEqual(first)
  expect(orders.acknowledge(1).map(each => each.seq)).toEqual([1])
  expect((await orders.wait(signal)).map(each => each.seq)).toEqual([2])
  orders.acknowledge(2)
  const waiting = orders.wait(signal)
  orders.push(kill(3))
  expect((await waiting).map(each => each.seq)).toEqual([3])
})

test('a reply is never larger than a node accepts: tasks with large parameters go one by one, and later orders arrive', async () => {
  const orders = new OrderQueue(new ManualClock(), 1000)
  const { signal } = new AbortController()
  const run = (chars: number) => ({
    kind: 'run' as const,
    work: { params: { text: 'x'.repeat(chars) }, input: { kind: 'shuffle', stage: 0 } } as never,
  })
  for (const chars of [9 * MiB, 5 * MiB, 2 * MiB, 2 * MiB]) orders.push(run(chars))
  for (let n = 0; n < 150; n++) orders.push({ kind: 'verify', block: blockId(n + 1) })
  const counts: number[] = []
  for (let last = 0; orders.size > 0; orders.acknowledge(last)) {
    const answer = await orders.wait(signal)
    expect(answer[0]!.seq).toBe(last + 1)
    last = answer.at(-1)!.seq
    counts.push(answer.length)
  }
  expect(counts).toEqual([1, 2, 100, 51])
})

test('a waiting call is answered empty after a while, by a second one, by its caller going away, and at the end', async () => {
  const clock = new ManualClock()
  const orders = new OrderQueue(clock, 1000)
  const controller = new AbortController()
  const late = orders.wait(controller.signal)
  clock.pass(1000)
  expect(await late).toEqual([])
  const first = orders.wait(controller.signal)
  const second = orders.wait(controller.signal)
  expect(await first).toEqual([])
  controller.abort()
  expect(await second).toEqual([])
  const last = orders.wait(new AbortController().signal)
  orders.close()
  expect(await last).toEqual([])
})
