// State of one datanode, changed by its methods: sessions, signs of life, deaths, reports, and copies in progress.

import { expect, test } from 'vitest'
import { CopyLoad } from '../../../../namenode/nodes/copyload.ts'
import { DataNode } from '../../../../namenode/nodes/node.ts'
import { OrderQueue } from '../../../../namenode/nodes/orders.ts'
import { address, nodeId, storageId } from '../../../../src/base/ids.ts'
import { ManualClock } from '../../../kit/manual-clock.ts'

const place = { node: nodeId('n1'), address: address('n1:1'), rack: '/r', host: 'n1' }
const orders = (): OrderQueue => new OrderQueue(new ManualClock(), 1000)
const said = { ...place, pid: 7, version: '1', slots: 2, storages: [], attempts: [] }

function registered(): DataNode {
  const node = new DataNode(place, orders(), 0)
  node.begin(said, { session: 1, reportId: 10, orders: orders(), nowMs: 5 })
  return node
}

test('a node is dead until it registers; a session begins without what the one before has reported', () => {
  const node = new DataNode(place, orders(), 3)
  expect([node.state, node.holds, node.serves, node.session, node.contactMs]).toEqual(['dead', false, false, 0, 3])
  node.begin(said, { session: 1, reportId: 10, orders: orders(), nowMs: 5 })
  expect([node.state, node.earlier, node.reportId, node.reported]).toEqual(['live', [], 10, false])
  node.took(4)
  expect(node.completeReport()).toEqual([])
  const before = node.orders
  node.begin({ ...said, host: 'other', slots: 3 }, { session: 2, reportId: 11, orders: orders(), nowMs: 9 })
  // Its replicas count under the earlier id until the full report of the session is complete.
  expect([node.earlier, node.reportId, node.reported, node.seq, node.contactMs]).toEqual([[10], 11, false, 0, 9])
  expect([node.host, node.slots, node.place.host, node.orders === before]).toEqual(['other', 3, 'other', false])
  node.reportAgain(12)
  expect([node.earlier, node.reportId]).toEqual([[10, 11], 12])
  expect([node.completeReport(), node.earlier, node.reported]).toEqual([[10, 11], [], true])
})

test('a node has the features that it tells, of those that this version knows', () => {
  const node = registered()
  expect(node.features).toEqual([])
  node.begin({ ...said, features: ['later', 'parts'] }, { session: 2, reportId: 11, orders: orders(), nowMs: 9 })
  expect(node.features).toEqual(['parts'])
})

test('a node that dies twice within an hour is unsteady until it has lived for an hour; its report ids are void at its death', () => {
  const node = registered()
  const again = (nowMs: number): void => node.begin(said, { session: 2, reportId: nowMs, orders: orders(), nowMs })
  expect([node.die(100), node.unsteady]).toEqual([[10], false])
  again(200)
  // The report ids of a dead node are retired already.
  expect(node.earlier).toEqual([])
  expect([node.die(300), node.unsteady]).toEqual([[200], true])
  again(400)
  node.age(300 + 3_600_000)
  expect(node.unsteady).toBe(true)
  node.age(301 + 3_600_000)
  expect(node.unsteady).toBe(false)
})

test('a sign of life ends silence: a stale node is live again, one that has left stays so', () => {
  const node = registered()
  node.becomeStale()
  node.hangUp()
  expect([node.serves, node.contact(7), node.state, node.hungUp, node.contactMs]).toEqual([true, true, 'live', false, 7])
  expect(node.contact(8)).toBe(false)
  node.leave()
  expect([node.contact(9), node.state, node.holds, node.serves]).toEqual([false, 'left', true, false])
  const storage = { id: storageId('s'), dir: '/d', failed: false, freeBytes: 5, usedBytes: 1, capacityBytes: 6, blocks: 1 }
  node.beat({ storages: [storage, { ...storage, freeBytes: 9, failed: true }], transfers: 1, running: 2 })
  expect([node.beatMs, node.freeBytes, node.blocks, node.transfers, node.running, node.refused]).toEqual([9, 5, 2, 1, 2, 0])
})

test('a pause of the namenode is no silence of nodes that live, and its end is never ahead of the clock', () => {
  const node = registered()
  node.excuse(100, 50)
  expect(node.contactMs).toBe(50)
  node.die(60)
  node.excuse(100, 500)
  expect(node.contactMs).toBe(50)
})

test('drain counts belong to a service state', () => {
  const node = registered()
  node.assign({ state: 'decommissioning' }, 0)
  node.setHeld({ blocks: 3, remaining: 1 })
  expect([node.inService, node.held?.remaining]).toEqual([false, 1])
  node.assign({ state: 'maintenance', untilMs: 9 }, 70)
  expect([node.inMaintenance, node.maintenanceUntilMs, node.held]).toEqual([true, 70, undefined])
})

test('copies of a node are counted, and the end of one that has not begun is a defect', () => {
  const load = new CopyLoad()
  load.begin(5)
  load.begin(7)
  load.end(5)
  expect([load.count, load.bytes]).toEqual([1, 7])
  load.checkState('n', [7])
  expect(() => load.checkState('n', [])).toThrow('copies of n: 1 kept, 0 found')
  expect(() => load.checkState('n', [8])).toThrow('bytes of copies of n: 7 kept, 8 found')
  expect(() => load.end(8)).toThrow('a copy of 8 bytes ends that has not begun')
  load.end(7)
  expect(() => load.end(0)).toThrow('has not begun')
})
