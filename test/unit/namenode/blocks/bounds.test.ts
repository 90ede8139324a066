// Block room's records of nodes and blocks (backoffs, claims, deletions, suspects, unknown blocks, safe mode), each alone and at its
// bounds. Their interaction is tested in repair.test.ts, replication.test.ts and safety.test.ts.

import { expect, test } from 'vitest'
import { Claims } from '../../../../namenode/blocks/claims.ts'
import { Deletions } from '../../../../namenode/blocks/deletions.ts'
import { Authority } from '../../../../namenode/succession/authority.ts'
import { SafeMode } from '../../../../namenode/blocks/safemode.ts'
import { CopyBackoff } from '../../../../namenode/blocks/copybackoff.ts'
import { UnknownBlocks } from '../../../../namenode/blocks/unknown.ts'
import { Suspects } from '../../../../namenode/blocks/suspects.ts'
import { encodeValue } from '../../../../namenode/journal/codec.ts'
import type { View } from '../../../../namenode/journal/view.ts'
import type { DataNode } from '../../../../namenode/nodes/node.ts'
import { GristmillError } from '../../../../src/base/errors.ts'
import { blockId, type BlockId } from '../../../../src/base/ids.ts'
import { silent } from '../../../../src/ports/log.ts'
import type { Order } from '../../../../src/protocol/order.ts'
import { ManualClock } from '../../../kit/manual-clock.ts'
import { checked } from '../../checked.ts'

type Given = DataNode & { readonly given: Order[]; serves: boolean }

function node(name: string): Given {
  const given: Order[] = []
  return {
    node: name, address: `${name}:1`, serves: true, given,
    orders: { push: (order: Order) => given.push(order) },
  } as unknown as Given
}

const ids = (from: number, count: number): BlockId[] => Array.from({ length: count }, (_, i) => blockId(from + i))
const sizes = ({ given }: Given): Array<number | string> => given.map(order => (order.kind === 'delete' ? order.blocks.length : order.kind))

test('the wait after failures is half a minute at most, and five minutes without one make a block as good as new', () => {
  const setbacks = new CopyBackoff()
  const [a, id] = [node('a'), blockId(1)]
  for (let i = 0; i < 40; i++) setbacks.note(id, [a], 1000)
  expect([setbacks.ready(id, 30_999), setbacks.ready(id, 31_000)]).toEqual([false, true])
  expect([setbacks.ready(id, 301_000), setbacks.has(id, a), setbacks.size]).toEqual([true, true, 1])
  expect([setbacks.ready(id, 301_001), setbacks.has(id, a), setbacks.size]).toEqual([true, false, 0])
  setbacks.note(id, [a], 400_000)
  expect([setbacks.ready(id, 400_499), setbacks.ready(id, 400_500)]).toEqual([false, true])
})

test('a block is tried on nodes that never failed it, else on those that did not fail it last, else on any', () => {
  const setbacks = new CopyBackoff()
  const [a, b, c] = [node('a'), node('b'), node('c')]
  const id = blockId(1)
  expect(setbacks.best(id, [a, b])).toEqual([a, b])
  setbacks.note(id, [a, c], 0)
  setbacks.note(id, [b], 0)
  expect(setbacks.best(id, [a, b, node('d')]).map(each => each.node)).toEqual(['d'])
  expect(setbacks.best(id, [a, b, c])).toEqual([a, c])
  expect(setbacks.best(id, [b])).toEqual([b])
  expect([a, b, c, node('a')].map(each => setbacks.has(id, each))).toEqual([true, true, true, false])
})

test('of more than ten thousand blocks with setbacks those are forgotten that failed longest ago', () => {
  const setbacks = new CopyBackoff()
  const a = node('a')
  for (const id of ids(1, 10_000)) setbacks.note(id, [a], 0)
  setbacks.note(blockId(1), [a], 0)
  expect(setbacks.size).toBe(10_000)
  setbacks.note(blockId(10_001), [a], 0)
  expect(setbacks.size).toBe(10_000)
  expect([1, 2, 3, 10_000, 10_001].map(id => setbacks.has(blockId(id), a))).toEqual([true, false, true, true, true])
})

test('deletions go out in two orders of a thousand at a time, and more as they are taken over', () => {
  const deletions = checked(new Deletions({ may: () => true, isKept: () => true }))
  const [a, b] = [node('a'), node('b')]
  deletions.add(a, ids(1, 2_300))
  deletions.add(b, ids(1, 1))
  expect([sizes(a), sizes(b), deletions.pending]).toEqual([[], [], 2_301])
  deletions.open()
  expect([sizes(a), sizes(b), deletions.pending]).toEqual([[1000, 1000], [1], 2_301])
  deletions.taken(a, [99])
  expect([sizes(a), deletions.pending]).toEqual([[1000, 1000], 2_301])
  deletions.taken(a, [1])
  expect([sizes(a), deletions.pending]).toEqual([[1000, 1000, 300], 1_301])
  deletions.taken(a, [2, 3])
  deletions.taken(node('stranger'), [1])
  expect([sizes(a), deletions.pending]).toEqual([[1000, 1000, 300], 1])
  expect(new Set(a.given.flatMap(order => (order.kind === 'delete' ? order.blocks : []))).size).toBe(2_300)
  deletions.close()
  deletions.add(a, ids(1, 5))
  expect([sizes(a).length, deletions.pending]).toEqual([3, 6])
  deletions.reset(b)
  deletions.reset(a)
  deletions.reset(node('stranger'))
  expect(deletions.pending).toBe(0)
  deletions.open()
  expect(sizes(a)).toHaveLength(3)
})

test('a replica that may not be deleted any more when its order is sent is left out, and no longer waits', () => {
  const deletions = checked(new Deletions({ may: (_, block) => block % 2 === 0, isKept: () => true }))
  const [a, b] = [node('a'), node('b')]
  deletions.open()
  deletions.add(a, ids(1, 10))
  expect([a.given, deletions.pending]).toEqual([[{ kind: 'delete', blocks: [2, 4, 6, 8, 10] }], 5])
  deletions.add(a, [blockId(11)])
  expect([sizes(a), deletions.pending]).toEqual([[5], 5])
  b.serves = false
  deletions.add(b, ids(1, 2))
  expect([sizes(b), deletions.pending]).toEqual([[], 7])
})

test('a replica in an order is condemned until its node reports on it after it took the order, or begins a session', () => {
  const deletions = checked(new Deletions({ may: () => true, isKept: block => block !== 9 }))
  const [a, b] = [node('a'), node('b')]
  const condemned = (...blocks: number[]) => blocks.map(block => deletions.isCondemned(a, blockId(block)))
  deletions.add(a, ids(1, 2))
  expect(condemned(1, 2)).toEqual([false, false])
  deletions.open()
  deletions.add(a, [blockId(9)])
  expect([condemned(1, 2, 3, 9), deletions.isCondemned(b, blockId(1))]).toEqual([[true, true, false, false], false])
  // The replica was found damaged, or was there when the report was made; the order is still on its way.
  deletions.told(a, blockId(1), 0)
  deletions.reported(a, 0)
  deletions.taken(a, [1])
  expect(condemned(1, 2)).toEqual([true, true])
  deletions.told(a, blockId(1), 1)
  expect(condemned(1, 2)).toEqual([false, true])
  deletions.reported(a, 1)
  expect(condemned(2)).toEqual([false])
  deletions.add(a, [blockId(3)])
  expect(condemned(3)).toEqual([true])
  deletions.reset(a)
  expect(condemned(3)).toEqual([false])
})

test('a node for which more than a million deletions wait is asked to report what it has, when those are done', () => {
  const deletions = checked(new Deletions({ may: () => true, isKept: () => true }))
  const a = node('a')
  deletions.add(a, ids(1, 600_000))
  deletions.add(a, ids(1, 400_000))
  deletions.add(a, [])
  deletions.add(a, [blockId(7)])
  deletions.add(a, ids(1, 2))
  expect(deletions.pending).toBe(1_000_000)
  deletions.open()
  for (let taken = 1; taken <= 1_000; taken++) deletions.taken(a, [taken])
  expect(deletions.pending).toBe(0)
  expect([sizes(a).length, sizes(a).at(-1), sizes(a).filter(each => each === 'report')]).toEqual([1_001, 'report', ['report']])
  const enough = node('enough')
  deletions.add(enough, ids(1, 1_000_000))
  for (let taken = 1; taken <= 1_000; taken++) deletions.taken(enough, [taken])
  expect(sizes(enough)).not.toContain('report')
})

test('a node is asked about a replica once a minute, about a thousand at a time, and about others when it has answered or does not', () => {
  const clock = new ManualClock()
  const suspects = new Suspects(clock)
  const a = node('a')
  expect([suspects.accuse(a, blockId(1)), suspects.accuse(a, blockId(1)), suspects.accuse(node('b'), blockId(1))]).toEqual([
    true, false, true,
  ])
  clock.pass(59_999)
  expect(suspects.accuse(a, blockId(1))).toBe(false)
  clock.pass(1)
  expect(suspects.accuse(a, blockId(1))).toBe(true)
  expect(a.given).toEqual([{ kind: 'verify', block: 1 }, { kind: 'verify', block: 1 }])
  for (const id of ids(2, 999)) expect(suspects.accuse(a, id)).toBe(true)
  expect(suspects.accuse(a, blockId(1001))).toBe(false)
  suspects.answered(a, blockId(500))
  expect([suspects.accuse(a, blockId(1001)), suspects.accuse(a, blockId(1002))]).toEqual([true, false])
  clock.pass(30_000)
  suspects.answered(a, blockId(2))
  expect(suspects.accuse(a, blockId(1002))).toBe(true)
  clock.pass(30_000)
  // All but the last have expired.
  expect([suspects.accuse(a, blockId(1003)), suspects.accuse(a, blockId(1002)), suspects.accuse(a, blockId(3))]).toEqual([
    true, false, true,
  ])
  suspects.reset(a)
  expect(suspects.accuse(a, blockId(1003))).toBe(true)
})

test('claims of writers are overdue after ten seconds, in the order in which they were made, and no longer once their node has told', () => {
  const clock = new ManualClock()
  const claims = checked(new Claims(clock))
  const [a, b] = [node('a'), node('b')]
  const overdue = () => [...claims.overdue()].flatMap(([{ node: name }, late]) => late.map(id => `${name} ${id}`))
  for (const id of ids(1, 4)) claims.add(a, id)
  claims.add(b, blockId(1))
  clock.pass(5_000)
  claims.add(a, blockId(2))
  claims.add(a, blockId(9))
  claims.told(a, blockId(3))
  claims.told(node('c'), blockId(1))
  clock.pass(4_999)
  expect(overdue()).toEqual([])
  clock.pass(1)
  expect(overdue()).toEqual(['a 1', 'a 4', 'b 1'])
  claims.told(b, blockId(1))
  clock.pass(5_000)
  claims.add(b, blockId(3))
  claims.told(b, blockId(3))
  expect([overdue(), overdue()]).toEqual([['a 2', 'a 9'], []])
  expect(claims.nodes).toBe(0)
})

test('claims on a node are bounded, and one of them is renewed at the bound', () => {
  const clock = new ManualClock()
  const claims = new Claims(clock)
  const a = node('a')
  for (const id of ids(1, 100_001)) claims.add(a, id)
  clock.pass(1)
  claims.add(a, blockId(1))
  clock.pass(9_999)
  const late = claims.overdue().get(a)!
  expect([late.length, late[0], late.at(-1)]).toEqual([99_999, blockId(2), blockId(100_000)])
  clock.pass(1)
  claims.checkState()
  expect([...claims.overdue()]).toEqual([[a, [blockId(1)]]])
})

test('blocks of others are counted by node, those in lost ranges apart from foreign ones, until they are released', () => {
  const told: object[] = []
  const unknown = new UnknownBlocks({ ...silent, error: (_, details) => { told.push(details!) } })
  const lost = encodeValue([{ from: 10, to: 20 }, { from: 40, to: 50 }])
  const view = { get: () => lost } as unknown as View
  const [a, b] = [node('a'), node('b')]
  for (const id of [9, 10, 19, 20, 45]) unknown.note(a, { id: blockId(id), length: id, crc: 0 })
  unknown.note(b, { id: blockId(1), length: 1, crc: 0 })
  unknown.removed(b, blockId(1))
  unknown.removed(node('c'), blockId(1))
  expect(told).toEqual([{ node: 'a', first: 9 }, { node: 'b', first: 1 }])
  expect(unknown.summary(view)).toEqual([{ node: 'a', address: 'a:1', blocks: 3, bytes: 74, foreign: 2 }])
  for (const id of ids(1000, 100_000)) unknown.note(b, { id, length: 1, crc: 0 })
  unknown.note(b, { id: blockId(5), length: 1, crc: 0 })
  expect(unknown.blocks).toBe(100_005)
  expect(unknown.summary(view)[1]).toEqual({ node: 'b', address: 'b:1', blocks: 0, bytes: 0, foreign: 100_000, more: true })
  unknown.reset(b)
  expect(unknown.blocks).toBe(5)
  expect(unknown.release()).toEqual([a])
  expect([unknown.blocks, unknown.summary(view), unknown.release()]).toEqual([0, [], []])
})

function safeMode(known: { total: number; present: number; awaited: number; doubt?: GristmillError; behind?: GristmillError }) {
  const clock = new ManualClock()
  const authority = new Authority(known)
  const happened: string[] = []
  const safe = new SafeMode({
    clock, nodeDeadMs: 1000, blocks: () => known.total, present: () => known.present, awaited: () => known.awaited, authority,
    onCopies: () => happened.push('copies'), onOver: () => happened.push('over'),
  })
  return { clock, safe, authority, happened, known }
}

test('safe mode ends when all nodes have reported and 99.9 % of the blocks are there, and does not come back', () => {
  const { safe, authority, happened, known } = safeMode({ total: 1000, present: 998, awaited: 1 })
  safe.check()
  expect([safe.on, safe.settled, authority.frozen, happened]).toEqual([true, false, false, []])
  known.awaited = 0
  safe.check()
  safe.check()
  expect([safe.on, safe.settled, happened]).toEqual([true, true, ['copies']])
  known.present = 999
  safe.check()
  expect([safe.on, authority.frozen, happened]).toEqual([false, false, ['copies', 'over']])
  Object.assign(known, { present: 0, awaited: 3 })
  safe.check()
  expect([safe.on, happened]).toEqual([false, ['copies', 'over']])
})

test('copies begin when the nodes that are awaited have had their time, and at once where there are no blocks', () => {
  const { safe, clock, happened } = safeMode({ total: 1000, present: 10, awaited: 1 })
  clock.pass(999)
  safe.check()
  expect(happened).toEqual([])
  clock.pass(1)
  safe.check()
  expect([safe.on, happened]).toEqual([true, ['copies']])
  const empty = safeMode({ total: 0, present: 0, awaited: 1 })
  empty.safe.check()
  expect([empty.safe.on, empty.happened]).toEqual([false, ['copies', 'over']])
})

test('an operator enters safe mode and leaves it, with that of the start; a namenode that is behind never leaves it', () => {
  const { safe, authority, happened, known } = safeMode({ total: 10, present: 0, awaited: 1 })
  safe.enter()
  expect([safe.on, authority.frozen, authority.manual]).toEqual([true, true, true])
  safe.leave()
  safe.leave()
  expect([safe.on, authority.frozen, authority.manual, safe.settled, happened]).toEqual([false, false, false, true, ['copies', 'over']])
  safe.enter()
  safe.check()
  expect([safe.on, authority.frozen]).toEqual([true, true])
  const late = safeMode({ ...known, awaited: 0 })
  late.safe.check()
  late.safe.leave()
  expect(late.happened).toEqual(['copies', 'over'])
  const behind = safeMode({ total: 0, present: 0, awaited: 0 })
  behind.known.behind = new GristmillError('SAFE_MODE', 'why')
  behind.safe.check()
  expect(() => behind.safe.leave()).toThrow('why')
  expect([behind.safe.on, behind.authority.frozen, behind.authority.manual, behind.authority.state, behind.happened]).toEqual([
    true, true, false, 'behind', [],
  ])
})

test('while a namenode may be behind its cluster nothing changes and nothing ends', () => {
  const doubt = new GristmillError('SAFE_MODE', 'nobody has said so far')
  const { safe, authority, happened, known } = safeMode({ total: 0, present: 0, awaited: 0, doubt })
  safe.check()
  expect([safe.on, authority.frozen, authority.state, authority.doubt, happened]).toEqual([true, true, 'doubt', doubt, []])
  delete known.doubt
  expect([safe.on, authority.frozen]).toEqual([true, false])
  safe.check()
  expect([safe.on, happened]).toEqual([false, ['copies', 'over']])
})
