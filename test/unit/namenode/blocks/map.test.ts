// Blocks of a completed file in the block map: all nodes of a block are noted at once, with the state that they give one by one.

import { expect, test } from 'vitest'
import { health, type Health, type ReplicaCounts } from '../../../../namenode/blocks/health.ts'
import { BlockMap } from '../../../../namenode/blocks/map.ts'
import { DataNode } from '../../../../namenode/nodes/node.ts'
import { OrderQueue } from '../../../../namenode/nodes/orders.ts'
import { ReportIds } from '../../../../namenode/nodes/reportids.ts'
import { address, blockId, nodeId, type BlockId } from '../../../../src/base/ids.ts'
import { limits } from '../../../../src/base/limits.ts'
import { seeded } from '../../../../src/world/random.ts'
import { ManualClock } from '../../../kit/manual-clock.ts'
import { checked } from '../../checked.ts'

interface Told { readonly id: BlockId; readonly now: Health; readonly live: number }

/** A block map over live nodes in two racks, which notes what it tells of health. */
function mapOf(nodeCount: number): { map: BlockMap; nodes: DataNode[]; told: Told[]; reportIds: ReportIds } {
  const reportIds = new ReportIds()
  const clock = new ManualClock()
  const nodes = Array.from({ length: nodeCount }, (_, i) => {
    const orders = new OrderQueue(clock, 1000)
    const place = { node: nodeId(`n${i}`), address: address(`n${i}:1`), rack: `/r${i % 2}`, host: `n${i}` }
    const node = new DataNode(place, orders, 0)
    const said = { ...place, pid: 1, version: '', slots: 1, storages: [], attempts: [] }
    node.begin(said, { session: i + 1, reportId: reportIds.grant(node), orders, nowMs: 0 })
    return node
  })
  const map = checked(new BlockMap(reportIds))
  expect(map.setTopology({ racks: 2, unregistered: 0 })).toBe(true)
  expect(map.setTopology({ racks: 2, unregistered: 0 })).toBe(false)
  const told: Told[] = []
  map.listen((id: BlockId, now: Health, { live }: ReplicaCounts) => void told.push({ id, now, live }))
  return { map, nodes, told, reportIds }
}

const id = blockId(5)
const namesOf = (nodes: readonly DataNode[]): string[] => nodes.map(({ node }) => node as string).sort()

test('a block that was written to every node is noted on each of them once, and its health is reported once', () => {
  const { map, nodes, told } = mapOf(limits.replicationMax)
  map.sealed(id, nodes.length, [...nodes, nodes[0]!, nodes.at(-1)!])
  expect(told).toEqual([{ id, now: health.healthy, live: nodes.length }])
  expect(namesOf(map.holders(id))).toEqual(namesOf(nodes))
  expect(map.table.reportIds(map.table.slot(id))).toHaveLength(nodes.length)
  expect([map.target(id), map.health(id), map.present, map.known]).toEqual([nodes.length, health.healthy, 1, 1])
  expect([map.targets[0], map.targets[nodes.length]]).toEqual([0, 1])
})

test('a block that its nodes have reported already gets its target, and one that is completed again is not reported again', () => {
  const { map, nodes, told } = mapOf(3)
  for (const node of nodes) map.add(id, node)
  expect([map.health(id), map.targets[0], told]).toEqual([health.open, 1, []])
  map.sealed(id, 3, nodes)
  expect([map.health(id), map.targets[0], map.targets[3], told]).toEqual([health.healthy, 0, 1, [{ id, now: health.healthy, live: 3 }]])
  map.sealed(id, 3, nodes)
  expect([map.counts[health.healthy], map.targets[3], told.length]).toEqual([1, 1, 1])
  // A repeat that knows of no node more, and one that does.
  const few = blockId(6)
  for (let repeat = 0; repeat < 3; repeat++) map.sealed(few, 2, [nodes[0]!])
  map.sealed(few, 2, [nodes[0]!, nodes[1]!])
  expect(told.slice(1)).toEqual([{ id: few, now: health.under, live: 1 }, { id: few, now: health.healthy, live: 2 }])
})

test('a block whose nodes have all gone when its file completes is missing', () => {
  const { map, nodes, told } = mapOf(2)
  map.sealed(id, 2, [])
  expect([map.health(id), map.known, map.present, told]).toEqual([health.missing, 1, 0, [{ id, now: health.missing, live: 0 }]])
  const dead = blockId(6)
  nodes[0]!.die(0)
  map.sealed(dead, 1, [nodes[0]!])
  expect([map.health(dead), map.holders(dead)]).toEqual([health.missing, []])
})

test('the health of a completed block counts the service and the racks of its nodes', () => {
  const { map, nodes } = mapOf(4)
  nodes[2]!.assign({ state: 'maintenance' }, 1000)
  nodes[3]!.assign({ state: 'decommissioning' }, 0)
  const standings = [[0, 2], [0, 1], [1, 2], [1, 3], [3]].map((on, i) => {
    const block = blockId(i + 1)
    map.sealed(block, 2, on.map(n => nodes[n]!))
    return [map.health(block), map.tally(block)]
  })
  const tally = { live: 1, inMaintenance: 0, decommissioning: 0, racks: 1, lacking: 0 }
  expect(standings).toEqual([
    [health.misplaced, { ...tally, inMaintenance: 1 }],
    [health.healthy, { ...tally, live: 2, racks: 2 }],
    [health.healthy, { ...tally, inMaintenance: 1, racks: 2 }],
    [health.under, { ...tally, decommissioning: 1, lacking: 1 }],
    [health.under, { ...tally, live: 0, decommissioning: 1, racks: 0, lacking: 2 }],
  ])
})

test('while a node sends a full report, its replica of a completed block is noted under the id of that report alone', () => {
  const { map, nodes: [node], reportIds } = mapOf(1)
  map.add(id, node!)
  node!.reportAgain(reportIds.grant(node!))
  map.sealed(id, 1, [node!])
  expect(map.table.reportIds(map.table.slot(id))).toEqual([node!.reportId])
  expect(map.tally(id)).toMatchObject({ live: 1, lacking: 0 })
})

test('noting target and nodes at once leaves the same state as noting them one by one', () => {
  const random = seeded(12)
  const [once, single] = [mapOf(8), mapOf(8)]
  // Among these blocks is 2455, whose slot is 0.
  const first = 2300
  for (let step = 0; step < 3000; step++) {
    const block = blockId(first + random.below(200))
    const target = 1 + random.below(4)
    const chosen = Array.from({ length: random.below(7) }, () => random.below(8))
    const lost = random.below(8)
    switch (random.below(4)) {
      case 0:
        for (const { map } of [once, single]) map.forget(block)
        break
      case 1:
        for (const { map, nodes } of [once, single]) map.drop(block, nodes[lost]!)
        break
      default:
        once.map.sealed(block, target, chosen.map(i => once.nodes[i]!))
        single.map.know(block, target)
        for (const i of chosen) single.map.add(block, single.nodes[i]!)
    }
    const stateOf = ({ map }: typeof once) => [map.target(block), map.health(block), map.tally(block), namesOf(map.holders(block))]
    expect(stateOf(once), `step ${step}`).toEqual(stateOf(single))
    expect([once.map.counts, once.map.targets]).toEqual([single.map.counts, single.map.targets])
    for (const counts of [once.map.counts, once.map.targets]) expect(counts.reduce((sum, n) => sum + n, 0)).toBe(once.map.table.size)
  }
  expect(once.map.table.at(0)).toBe(2455)
})
