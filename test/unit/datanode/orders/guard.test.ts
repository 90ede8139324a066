// Guard against mass deletion by a namenode with lost state, on a manual clock: a new namenode process may delete a bounded share of the
// blocks, the rest waits or needs an operator.

import { expect, test } from 'vitest'
import { silent, type Log } from '../../../../src/ports/log.ts'
import { DeletionGuard } from '../../../../datanode/orders/guard.ts'
import { PauseDetector } from '../../../../datanode/heartbeat/pausedetector.ts'
import { ManualClock } from '../../../kit/manual-clock.ts'
import { checked } from '../../checked.ts'

const minute = 60_000

function guarded(count: number | (() => number)): { clock: ManualClock; guard: DeletionGuard; told: string[]; reports: () => number } {
  const clock = new ManualClock()
  const told: string[] = []
  let reports = 0
  const log: Log = { ...silent, error: text => { told.push(text) } }
  const guard = checked(new DeletionGuard({
    clock, log, youngMs: 10 * minute,
    blocks: typeof count === 'number' ? () => count : count,
    report: () => {
      reports++
    },
  }))
  return { clock, guard, told, reports: () => reports }
}

test('a namenode that has just started may have a tenth removed, or some hundred, and not in many small steps more', () => {
  const { guard, told } = guarded(20_000)
  guard.sessionBegan(0)
  expect([1000, 900].map(count => guard.admit(count))).toEqual([true, true])
  expect(guard.admit(1000)).toBe(false)
  expect([guard.refused, guard.refusedTotal]).toEqual([1000, 1000])
  expect(told).toHaveLength(1)
  expect(told[0]).toContain('allow-deletions')
  const small = guarded(30)
  small.guard.sessionBegan(0)
  expect([30, 470, 1].map(count => small.guard.admit(count))).toEqual([true, true, false])
})

test('the tenth is of the blocks that were there when the namenode started, however few are left by now', () => {
  let left = 10_000
  const { guard } = guarded(() => left)
  guard.sessionBegan(0)
  for (const count of [600, 400]) {
    expect(guard.admit(count)).toBe(true)
    left -= count
  }
  expect(guard.admit(1)).toBe(false)
})

test('refused deletions are requested again when the namenode is old enough, and executed then', () => {
  const { clock, guard, reports } = guarded(20_000)
  guard.sessionBegan(2 * minute)
  expect(guard.admit(5000)).toBe(false)
  clock.pass(8 * minute - 1)
  expect(guard.admit(5000)).toBe(false)
  expect(reports()).toBe(0)
  clock.pass(minute)
  guard.checkState()
  expect([reports(), guard.refused, guard.refusedTotal]).toEqual([1, 0, 10_000])
  expect(guard.admit(5000)).toBe(true)
})

test('an operator may allow all deletions of one namenode process, and that counts for no other one', () => {
  const { guard, reports } = guarded(20_000)
  guard.sessionBegan(0)
  expect(guard.admit(5000)).toBe(false)
  guard.trust()
  expect([reports(), guard.refused, guard.admit(5000), guard.admit(9000)]).toEqual([1, 0, true, true])
  guard.trust()
  expect(reports()).toBe(1)
  const other = guarded(20_000)
  other.guard.sessionBegan(0)
  other.guard.trust()
  other.clock.pass(minute)
  other.guard.sessionBegan(0)
  expect(other.guard.admit(5000)).toBe(false)
})

test('another session with the same namenode process does not reset the guard, another process does', () => {
  const { clock, guard } = guarded(20_000)
  guard.sessionBegan(0)
  expect(guard.admit(2000)).toBe(true)
  clock.pass(minute)
  guard.sessionBegan(minute - 300)
  expect(guard.admit(500)).toBe(false)
  clock.pass(20 * minute)
  expect(guard.admit(10_000)).toBe(true)
  guard.sessionBegan(0)
  expect(guard.admit(3500)).toBe(false)
})

test('a running process is steady; one that was paused for long is not, whichever check comes first', () => {
  for (const who of ['its own look', 'the one who asks'] as const) {
    const clock = new ManualClock()
    const pulse = new PauseDetector(clock, 5000)
    pulse.start()
    const startedMs = clock.mono()
    clock.pass(60_000)
    expect(pulse.steadySince(startedMs)).toBe(true)
    clock.ms += 4000 // no timer fires while it is paused
    expect(pulse.steadySince(startedMs)).toBe(true)
    clock.ms += 6000
    if (who === 'its own look') clock.pass(1)
    expect(pulse.steadySince(startedMs)).toBe(false)
    expect(pulse.steadySince(clock.mono())).toBe(true)
    pulse.stop()
  }
})
