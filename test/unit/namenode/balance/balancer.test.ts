// Balancer: moves replicas from full nodes to empty ones, copy first, within the rules of racks and the allowed bandwidth, and over
// restarts of the namenode.

import { expect, test } from 'vitest'
import { helps, shareOf, utilizationOf, type Filled } from '../../../../namenode/balance/policy.ts'
import { balanceRequest } from '../../../../namenode/balance/request.ts'
import { nodeId, type BlockId } from '../../../../src/base/ids.ts'
import { balance, balanceStatus, stopBalance, type BalanceState } from '../../../../src/protocol/service.ts'
import { place, Sim, times } from '../house.ts'
import { ask } from '../kit.ts'

const begin = (sim: Sim, threshold = 5, bytesPerSecond = 10_000): Promise<BalanceState> =>
  sim.house.call(balance, { ...ask(), threshold, bytesPerSecond })
const state = (sim: Sim): Promise<BalanceState> => sim.house.call(balanceStatus, {})

const filled = (name: string, used: number, free: number): Filled => ({ node: nodeId(name), usedBytes: used, freeBytes: free })

/** Useful moves of 1 byte, as `from>to`. */
function moves(nodes: readonly Filled[], threshold: number): string[] {
  const spread = utilizationOf(nodes, threshold)
  return nodes.flatMap(from => nodes.filter(to => to !== from && helps(spread, from, to, 1)).map(to => `${from.node}>${to.node}`))
}

test('a move helps a node that is out of balance, by its utilization and not its bytes, and unbalances no other node', () => {
  expect(moves([filled('a', 50, 50), filled('b', 55, 45)], 0.1)).toEqual([])
  expect(moves([filled('a', 90, 10), filled('b', 10, 90), filled('c', 50, 50)], 0.1)).toEqual(['a>b', 'a>c', 'c>b'])
  // A new empty node among many equally full ones: all of those give.
  expect(moves([filled('a', 55, 45), filled('b', 52, 48), filled('c', 50, 50), filled('new', 0, 100)], 0.2)).toEqual([
    'a>new', 'b>new', 'c>new',
  ])
  expect(moves([filled('small', 9, 1), filled('large', 100, 900)], 0.1)).toEqual(['small>large'])
  // A block as large as the difference would only swap the two nodes' roles.
  const spread = utilizationOf([filled('a', 60, 40), filled('b', 40, 60)], 0.05)
  expect([helps(spread, spread.nodes[0]!, spread.nodes[1]!, 10), helps(spread, spread.nodes[0]!, spread.nodes[1]!, 11)]).toEqual([
    true, false,
  ])
  expect(shareOf(filled('none', 0, 0))).toBe(0)
  expect(utilizationOf([], 0.1)).toMatchObject({ average: 0, over: [], below: [] })
})

/** Five nodes of 10,000 bytes in two racks; the first three are full of pairs, the last two empty. */
async function lopsided(seed: number): Promise<{ sim: Sim; ids: BlockId[] }> {
  const sim = await Sim.calm(seed, 5)
  for (const node of sim.nodes) node.capacityBytes = 10_000
  const ids: BlockId[] = []
  // n0 and n2 are in one rack, n1 in the other: each pair lies in both.
  for (let i = 0; i < 60; i++) ids.push(await place(sim, 2, [i % 2 === 0 ? 0 : 2, 1]))
  await sim.pass(1000)
  return { sim, ids }
}

const used = (sim: Sim): number[] => sim.nodes.map(node => node.blocks.size)
const racks = (sim: Sim, id: BlockId): number => new Set(sim.holders(id).map(name => Number(name.slice(1)) % 2)).size

test('blocks move from full nodes to empty ones until all are near the average, and no block is ever without its replicas or its racks', async () => {
  const { sim, ids } = await lopsided(80)
  expect(used(sim)).toEqual([30, 60, 30, 0, 0])
  // Half of all replicas must stay in the rack of two nodes: 30 each, where the average is 24.
  const { balancer } = sim.house
  expect(balancer.progress).toBeUndefined()
  await begin(sim, 7)
  const { repair } = sim.house.blocks
  let most = 0
  for (let i = 0, now = await state(sim); now.running; i++, now = await state(sim)) {
    const { sinceMs, moves: moved, movedBytes, pending } = now
    // Moves are copies, and no repair.
    expect(repair.moving).toBe(repair.pending)
    most = Math.max(most, repair.moving)
    expect(balancer.progress).toEqual({ sinceMs, moves: moved, movedBytes, pending })
    expect(i, 'it ends').toBeLessThan(1200)
    await sim.pass(100)
    for (const id of ids) {
      expect(sim.holders(id).length, `replicas of ${id}`).toBeGreaterThanOrEqual(2)
      expect(racks(sim, id), `racks of ${id}`).toBe(2)
    }
  }
  await sim.pass(5000)
  const now = await state(sim)
  expect(now.remark).toMatch(/^balanced/)
  expect(balancer.progress).toBeUndefined()
  expect(most).toBeGreaterThan(1)
  expect(now.moves).toBeGreaterThan(20)
  expect(now.movedBytes).toBe(now.moves * 100)
  expect(now.pending).toBe(0)
  for (const blocks of used(sim)) expect(Math.abs(blocks - 24)).toBeLessThanOrEqual(7)
  expect(sim.wrongs).toEqual([])
  expect(sim.unwell()).toEqual([])
  expect(balanceRequest(sim.house.bench.journal.view)).toBeUndefined()
  await sim.house.stop()
})

test('moves ordered in one round count in that round: an empty node does not become the full one', async () => {
  const sim = await Sim.calm(86, 2, 1)
  for (const node of sim.nodes) node.capacityBytes = 10_000
  for (let i = 0; i < 30; i++) await place(sim, 1, [0])
  await sim.pass(1000)
  await begin(sim, 1, 1_000_000)
  let most = 0
  for (let i = 0; i < 100; i++) {
    await sim.pass(100)
    most = Math.max(most, sim.nodes[1]!.blocks.size)
  }
  expect((await state(sim)).running).toBe(false)
  expect(most).toBeLessThanOrEqual(16)
  expect(used(sim)[0]! + used(sim)[1]!).toBe(30)
  await sim.house.stop()
})

test('no node moves more than it is allowed', async () => {
  const { sim } = await lopsided(81)
  await begin(sim, 5, 200)
  const bytes = (): Map<string, number> => {
    const sums = new Map<string, number>()
    for (const { node, order } of sim.house.given) {
      if (order.kind !== 'replicate') continue
      for (const name of [node, ...order.targets.map(target => target.node)]) sums.set(name, (sums.get(name) ?? 0) + order.length)
    }
    return sums
  }
  for (let second = 1; second <= 12; second++) {
    await sim.pass(1000)
    // At the start of the allowance one block more may be in transit, and the allowance of one second may have accumulated.
    for (const [node, sum] of bytes()) expect(sum, node).toBeLessThanOrEqual(200 * (second + 1) + 100)
  }
  expect(Math.max(...bytes().values()), 'and not much less').toBeGreaterThan(200 * 12 * 0.7)
  await sim.house.stop()
})

test('a restarted namenode continues balancing, and stops on request', async () => {
  const { sim } = await lopsided(82)
  await begin(sim, 2, 200)
  await sim.pass(3000)
  const before = used(sim)[1]!
  expect(before).toBeLessThan(60)
  await sim.restart()
  await sim.pass(5000)
  expect((await state(sim)).running).toBe(true)
  expect(used(sim)[1]!).toBeLessThan(before)
  await sim.house.call(stopBalance, ask())
  await sim.pass(5000)
  const rest = used(sim)
  expect((await state(sim))).toMatchObject({ running: false, pending: 0, remark: 'stopped by an operator' })
  await sim.pass(10_000)
  expect(used(sim)).toEqual(rest)
  expect(sim.unwell()).toEqual([])
  await sim.restart()
  await sim.pass(1000)
  expect((await state(sim)).running).toBe(false)
  await sim.house.stop()
})

test('repairs come first', async () => {
  const { sim } = await lopsided(83)
  sim.nodes[0]!.kill()
  for (const node of sim.nodes) node.refuses = true
  await sim.pass(times.nodeDeadMs + 1000)
  await begin(sim)
  await sim.pass(3000)
  expect(await state(sim)).toMatchObject({ running: true, moves: 0, pending: 0, remark: 'waiting for repairs' })
  for (const node of sim.nodes) node.refuses = false
  sim.nodes[0]!.up = true
  await sim.until('it begins', () => sim.house.balancer.state.moves > 0, 120_000)
  await sim.house.stop()
})

test('when no move would improve the balance, balancing ends and says so', async () => {
  const sim = await Sim.calm(84, 2, 1)
  for (const node of sim.nodes) node.capacityBytes = 10_000
  sim.nodes[1]!.capacityBytes = 100_000
  // Every block is on both nodes: no other place exists.
  for (let i = 0; i < 50; i++) await place(sim, 2, [0, 1])
  await sim.pass(1000)
  await begin(sim)
  await sim.pass(5000)
  const now = await state(sim)
  expect(now).toMatchObject({ running: false, moves: 0 })
  expect(now.remark).toMatch(/^as balanced as possible/)
  expect(now.highest - now.lowest).toBeGreaterThan(40)
  await sim.house.stop()
})

test('a move whose copy fails leaves the block where it was', async () => {
  const { sim } = await lopsided(85)
  for (const i of [3, 4]) sim.nodes[i]!.refuses = true
  await begin(sim)
  await sim.pass(10_000)
  const now = await state(sim)
  expect(now.failures).toBeGreaterThan(0)
  expect(now.moves).toBe(0)
  expect(used(sim).slice(3)).toEqual([0, 0])
  expect(sim.unwell()).toEqual([])
  await sim.house.stop()
})
