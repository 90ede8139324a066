// Doubt of a namenode that has just started, on virtual time with state in memory: which datanodes end it, how long the others have to
// register, and which namenodes have none.

import { expect, test } from 'vitest'
import { recovered } from '../../../../namenode/succession/recovered.ts'
import { becameSure, started } from '../../../../namenode/succession/starts.ts'
import { AwakeClock } from '../../../../namenode/nodes/awakeclock.ts'
import { giveUp } from '../../../../namenode/nodes/known.ts'
import type { NodeRegistry } from '../../../../namenode/nodes/registry.ts'
import { Succession } from '../../../../namenode/succession/succession.ts'
import { hadNodes } from '../../../../namenode/succession/witnesses.ts'
import { create } from '../../../../namenode/writing/mutations.ts'
import { nodeId } from '../../../../src/base/ids.ts'
import { nothingSeen, type Seen } from '../../../../src/protocol/position.ts'
import { openBench } from '../kit.ts'
import { world } from './lives.ts'

interface Doubting {
  readonly succession: Succession
  /** Evidence of a datanode that was there in the last epoch. */
  readonly own: Seen
  readonly sure: () => number
  /** Lets time pass in steps; returns true if the doubt is over. */
  pass(ms: number): Promise<boolean>
  /** Lets the monotonic clock advance without a step of this process. */
  pause(ms: number): void
}

/** A namenode that has just started, on virtual time. */
async function doubting(witnesses: readonly string[], { hadNodes = true } = {}): Promise<Doubting> {
  const { journal, clock, disk } = await openBench()
  await journal.submit(started, { incarnation: 'own', nowMs: 1, lineage: true })
  await journal.submit(becameSure, { nowMs: 1 })
  const { epoch, appliedSeq: seq, nextBlock } = journal.view.counters
  const awake = new AwakeClock(clock, { nodeStaleMs: 2_500 })
  let sure = 0
  const succession = await (await Succession.begin({ dir: '/nn', journal, world: { ...world, clock, disk } }))({
    awake, witnesses: witnesses.map(nodeId), hadNodes, nodeDeadMs: 9_500,
  })
  succession.listen({ sure: async () => { sure++ } })
  await succession.look()
  return {
    succession, own: { epoch, incarnation: 'own', seq, nextBlock }, sure: () => sure,
    async pass(ms) {
      for (let passed = 0; passed < ms; passed += 500) {
        clock.pass(500)
        await succession.look()
      }
      return succession.doubt === undefined
    },
    pause: ms => { clock.pass(ms) },
  }
}

test('time in which the namenode was paused does not count as time to register', async () => {
  const { succession, own, sure, pass, pause } = await doubting(['n1', 'n2'])
  await succession.meet(nodeId('n1'), own)
  pause(20_000)
  expect(succession.doubt?.code).toBe('SAFE_MODE')
  expect(await pass(9_000)).toBe(false)
  expect(await pass(500)).toBe(true)
  expect(sure()).toBe(1)
})

const hourMs = 3_600_000

test('no datanode but one in the journal that remembers the namenode ends its doubt, and the others have their time from then on', async () => {
  const { succession, own, sure, pass } = await doubting(['n1', 'n2'])
  const meet = (node: string, seen: Seen | undefined): Promise<void> => succession.meet(nodeId(node), seen)
  // New ones, one of an older version, and one that was decommissioned or removed from the journal.
  await meet('n3', nothingSeen)
  await meet('n4', undefined)
  await meet('n5', own)
  expect(await pass(hourMs)).toBe(false)
  // In the journal, but its disks are new.
  await meet('n1', nothingSeen)
  expect(await pass(hourMs)).toBe(false)
  expect(succession.command.provisional).toBe(true)
  await meet('n2', own)
  expect([succession.doubt, sure()]).toEqual([undefined, 1])
})

test('datanodes that are started long after their namenode have the same time to register as others', async () => {
  const { succession, own, sure, pass } = await doubting(['n1', 'n2'])
  expect(await pass(hourMs)).toBe(false)
  await succession.meet(nodeId('n1'), own)
  expect(await pass(9_000)).toBe(false)
  expect(await pass(500)).toBe(true)
  expect(sure()).toBe(1)
})

test('a namenode that had datanodes and knows none any more waits for one that remembers it; a new one for none', async () => {
  const { succession, own, sure, pass } = await doubting([])
  await succession.meet(nodeId('n1'), nothingSeen)
  expect(await pass(hourMs)).toBe(false)
  expect(succession.doubt?.message).toMatch(/knows no datanode any more, and n1, .*gristmill safemode leave/)
  await succession.meet(nodeId('n2'), own)
  expect(await pass(9_000)).toBe(false)
  expect(await pass(500)).toBe(true)
  expect(sure()).toBe(1)
  expect((await doubting([], { hadNodes: false })).succession.doubt).toBeUndefined()
})

test('block ids that were given out show that there were datanodes, and ids that a recovery has skipped do not', async () => {
  const { journal, do: act } = await openBench()
  const lose = (): Promise<unknown> => journal.submit(recovered, { epoch: 9, lossy: true, nowMs: 1, incarnation: 'x', lineage: true })
  expect(hadNodes(journal.view)).toBe(false)
  await lose()
  expect(hadNodes(journal.view)).toBe(false)
  await act(create, { path: '/f', replication: 1, blockBytes: 4096, blocks: 1 })
  expect(hadNodes(journal.view)).toBe(true)
  await lose()
  expect(hadNodes(journal.view)).toBe(true)
  await giveUp({ journal, registry: { get: () => undefined } as unknown as NodeRegistry }, [])
  expect(hadNodes(journal.view)).toBe(false)
  await act(create, { path: '/g', replication: 1, blockBytes: 4096, blocks: 1 })
  expect(hadNodes(journal.view)).toBe(true)
})
