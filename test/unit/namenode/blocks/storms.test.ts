// Nodes that repeatedly die and return, on a namenode's rooms with fake datanodes and manual time: copies and deletions stay few, and
// reports leave time for other calls.

import { expect, test } from 'vitest'
import { health } from '../../../../namenode/blocks/health.ts'
import { blockId, storageId, type BlockId } from '../../../../src/base/ids.ts'
import * as report from '../../../../src/protocol/report.ts'
import { place, Sim, times } from '../house.ts'

/** Six nodes in two racks, with `blocks` blocks of three replicas, all reported, none to be copied. */
async function filled(seed: number, blocks: number): Promise<Sim> {
  const sim = await Sim.calm(seed, 6)
  for (let i = 0; i < blocks; i++) await place(sim, 3, [i % 6, (i + 1) % 6, (i + 3) % 6])
  await sim.pass(2_000)
  expect(sim.stats).toMatchObject({ copied: 0, deleted: 0 })
  return sim
}

async function away(sim: Sim, node: number, ms: number): Promise<void> {
  sim.nodes[node]!.kill()
  await sim.pass(ms)
  sim.nodes[node]!.up = true
}

test('a restart of one node after the other copies nothing and removes nothing', async () => {
  const sim = await filled(61, 60)
  for (let node = 0; node < 6; node++) {
    await away(sim, node, times.nodeDeadMs - 700)
    await sim.pass(1_500)
  }
  expect(sim.stats).toMatchObject({ copied: 0, deleted: 0 })
  await sim.house.stop()
})

test('a node that comes and goes every few seconds and is never dead copies nothing and removes nothing', async () => {
  const sim = await filled(62, 60)
  for (let i = 0; i < 30; i++) {
    await away(sim, 2, 2_500)
    await sim.pass(700)
  }
  expect(sim.stats).toMatchObject({ copied: 0, deleted: 0 })
  await sim.house.stop()
})

test('a node that dies again and again costs little more than one death', async () => {
  const sim = await filled(63, 60)
  const own = sim.nodes[2]!.blocks.size
  const copies: number[] = []
  for (let i = 0; i < 12; i++) {
    const before = sim.stats.copied
    await away(sim, 2, times.nodeDeadMs + 3_000)
    await sim.pass(6_000)
    copies.push(sim.stats.copied - before)
  }
  // From its second death on it loses only its own replicas of blocks that are elsewhere: nothing is copied for it any more.
  expect(copies[0]).toBe(own)
  expect(copies[1]).toBeLessThan(own)
  expect(copies.slice(2).reduce((sum, each) => sum + each, 0)).toBe(0)
  expect(sim.house.node(sim.nodes[2]!).unsteady).toBe(true)
  await sim.pass(20_000)
  expect(sim.unwell()).toEqual([])
  await sim.house.stop()
})

test('five hundred nodes that report at once to a namenode which has just started cause no copy and no deletion', async () => {
  const sim = await Sim.calm(64, 500)
  for (let i = 0; i < 1_000; i++) await place(sim, 3, [i % 500, (i + 1) % 500, (i + 250) % 500])
  await sim.pass(500)
  await sim.restart()
  await sim.pass(500)
  const { blocks, registry } = sim.house
  expect(blocks.safe.on).toBe(false)
  expect([...registry.all].every(node => node.reported)).toBe(true)
  expect(blocks.map.counts[health.healthy]).toBe(1_000)
  await sim.pass(2_000)
  expect(sim.stats).toMatchObject({ copied: 0, deleted: 0 })
  await sim.house.stop()
})

test('long reports, however many come together, let others have their turn after a thousand blocks', async () => {
  const sim = await Sim.calm(65, 8, 1)
  const { house, clock } = sim
  let rows = 0
  let most = 0
  const { reports } = house.blocks
  const held = reports.held.bind(reports)
  reports.held = (node, replica, taken) => {
    most = Math.max(most, ++rows)
    held(node, replica, taken)
  }
  const { yield: passOn } = clock
  clock.yield = () => {
    rows = 0
    return passOn.call(clock)
  }
  const next = house.bench.journal.view.counters.nextBlock
  const pages = sim.nodes.map(({ id, session }, n) =>
    house.call(report.full, {
      node: id, session, seq: 1_000, taken: 0, first: true, last: true,
      storages: [
        {
          id: storageId('s'),
          blocks: Array.from({ length: 5_000 }, (_, i) => [blockId(next + n * 5_000 + i), 100, 7] as [BlockId, number, number]),
        },
      ],
    }),
  )
  await Promise.all(pages)
  expect(house.blocks.reports.unknown.blocks).toBe(40_000)
  expect(most).toBe(1_000)
  await house.stop()
})
