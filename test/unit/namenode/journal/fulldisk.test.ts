// Journal on a full disk or a full store, in memory: changes are refused or wait, reads go on, and all that the log has happens once there
// is room.

import { expect, test } from 'vitest'
import { GristmillError } from '../../../../src/base/errors.ts'
import { isOfFullNamenode } from '../../../../src/base/exhaustion.ts'
import { openBench } from '../kit.ts'
import { make, names, outcome, slowly } from './journalkit.ts'

test('a request that has been answered is answered again, however full the disk is now', async () => {
  const first = await openBench()
  const answer = await make(first, '/a', 'client:1')
  // After a restart the next group needs a new segment, which the disk refuses.
  const bench = await openBench({ disk: first.disk.cut(), fresh: false })
  bench.disk.freeBytes = 0
  expect(await make(bench, '/a', 'client:1')).toEqual(answer)
  expect(await outcome(make(bench, '/b', 'client:2'))).toBe('ENOSPC')
  expect(await make(bench, '/a', 'client:1')).toEqual(answer)
  expect(names(bench)).toEqual(['/a'])
})

test('a full disk refuses a group, nothing of it happens, and all is well again once there is space', async () => {
  const bench = await openBench()
  await make(bench, '/before')
  bench.disk.freeBytes = 50
  expect(await outcome(make(bench, '/a'))).toBe('ENOSPC')
  expect(await outcome(make(bench, '/a'))).toBe('ENOSPC')
  expect(bench.fatal).toEqual([])
  expect(names(bench)).toEqual(['/before'])
  bench.disk.freeBytes = Infinity
  await make(bench, '/a')
  const again = await openBench({ disk: bench.disk.cut(), fresh: false })
  expect(names(again)).toEqual(['/a', '/before'])
  expect(again.store.dump()).toBe(bench.store.dump())
})

test('operations waiting behind a group that finds no space in the store are refused, and not kept waiting', async () => {
  const bench = await openBench()
  bench.store.onCommit = () => { throw full() }
  const [first, second] = [slowly(bench, '/a', 50), outcome(slowly(bench, '/b', 50))]
  expect(await second).toBe('ENOSPC')
  bench.store.onCommit = undefined
  bench.clock.pass(500)
  await first
  expect(names(bench)).toEqual(['/a'])
})

test('each refusal for want of room says that it is the namenode that has none: those who can wait for that do', async () => {
  const bench = await openBench()
  const refusal = (work: Promise<unknown>): Promise<unknown> => work.then(() => 'none', (error: unknown) => error)
  bench.disk.freeBytes = 50
  expect(isOfFullNamenode(await refusal(make(bench, '/a')))).toBe(true)
  bench.disk.freeBytes = Infinity
  bench.store.onCommit = () => { throw full() }
  const waits = make(bench, '/b')
  await bench.clock.yield()
  await bench.clock.yield()
  expect(isOfFullNamenode(await refusal(make(bench, '/c')))).toBe(true)
  bench.store.onCommit = undefined
  bench.clock.pass(500)
  await waits
  expect(isOfFullNamenode(full())).toBe(false)
})

const full = (): Error => new GristmillError('ENOSPC', 'the disk under /store is full, nothing was written')

test('a store without room for a commit: reads go on, changes are refused, and what the log has happens once there is room', async () => {
  const bench = await openBench()
  await make(bench, '/before')
  bench.store.onCommit = () => { throw full() }
  const waits = make(bench, '/a', 'c1:1')
  const also = make(bench, '/b')
  await bench.clock.yield()
  await bench.clock.yield()
  expect(names(bench)).toEqual(['/before'])
  expect(await outcome(make(bench, '/c'))).toBe('ENOSPC')
  const retry = make(bench, '/a', 'c1:1')
  for (let i = 0; i < 3; i++) {
    bench.clock.pass(500)
    await bench.clock.yield()
  }
  expect(names(bench)).toEqual(['/before'])
  expect(bench.fatal).toEqual([])
  bench.store.onCommit = undefined
  bench.clock.pass(500)
  const [first, again] = await Promise.all([waits, retry, also])
  expect(again).toEqual(first)
  expect(names(bench)).toEqual(['/a', '/b', '/before'])
  await make(bench, '/c')
  // The log contains each operation once, and gives the same state to the byte, including the times of kept replies.
  const rebuilt = await openBench({ disk: bench.disk.cut(), fresh: false })
  expect(rebuilt.store.dump()).toBe(bench.store.dump())
})

test('repeats that wait while a group finds no room get the answers of their first copies', async () => {
  const bench = await openBench()
  const before = await make(bench, '/before', 'c:0')
  let late: Array<Promise<unknown>> | undefined
  bench.store.onCommit = () => {
    late ??= [make(bench, '/before', 'c:0'), make(bench, '/a', 'c:1')]
    throw full()
  }
  const first = make(bench, '/a', 'c:1')
  while (!late) await new Promise(resolve => { setImmediate(resolve) })
  expect(await late[0]).toEqual(before)
  bench.store.onCommit = undefined
  bench.clock.pass(500)
  expect(await late[1]).toEqual(await first)
  expect(names(bench)).toEqual(['/a', '/before'])
})

test('a namenode that ends while its disk is full says that the outcome is unknown, and the next one has it', async () => {
  const bench = await openBench()
  const before = bench.store.reopened()
  bench.store.onCommit = () => { throw full() }
  const waits = outcome(make(bench, '/a'))
  await bench.clock.yield()
  await bench.clock.yield()
  await bench.journal.close()
  expect(await waits).toBe('TIMEOUT')
  expect(bench.fatal).toEqual([])
  const again = await openBench({ store: before, disk: bench.disk.cut() })
  expect(names(again)).toEqual(['/a'])
})

test('a commit that fails for another reason after the disk was full ends the process', async () => {
  const bench = await openBench()
  let error = full()
  bench.store.onCommit = () => { throw error }
  const waits = outcome(make(bench, '/a'))
  await bench.clock.yield()
  await bench.clock.yield()
  error = new Error('MDB_EIO')
  bench.clock.pass(500)
  expect(await waits).toBe('TIMEOUT')
  expect(bench.fatal).toHaveLength(1)
  expect(await outcome(make(bench, '/b'))).toBe('TIMEOUT')
})

test('an operation that comes while a group finds no room is refused, and does not wait for ever', async () => {
  const bench = await openBench()
  let late: Promise<string> | undefined
  bench.store.onCommit = () => {
    late ??= outcome(make(bench, '/late'))
    bench.store.failCommit ??= { error: new GristmillError('ENOSPC', 'full'), kept: false }
  }
  const first = outcome(make(bench, '/a'))
  while (!late) await new Promise(resolve => { setImmediate(resolve) })
  expect(await late).toBe('ENOSPC')
  bench.store.onCommit = undefined
  bench.store.failCommit = undefined
  for (let tries = 0; tries < 100 && bench.journal.view.counters.appliedSeq < 2; tries++) {
    bench.clock.pass(500)
    await new Promise(resolve => { setImmediate(resolve) })
  }
  expect(await first).toBe('ok')
  expect(names(bench)).toEqual(['/a'])
})
