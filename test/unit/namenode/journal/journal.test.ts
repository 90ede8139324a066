// Journal in memory: operations in groups, one reply each, repeated requests with one effect, and queues within their limits.

import { expect, test } from 'vitest'
import { mutation } from '../../../../namenode/journal/operation.ts'
import { mkdir } from '../../../../namenode/namespace/names.ts'
import { list } from '../../../../namenode/namespace/read.ts'
import { create } from '../../../../namenode/writing/mutations.ts'
import { GristmillError } from '../../../../src/base/errors.ts'
import { requestId } from '../../../../src/base/ids.ts'
import { limits } from '../../../../src/base/limits.ts'
import { scopedId } from '../../../../src/rpc/repeats.ts'
import { openBench, root, type Bench } from '../kit.ts'
import { make, names, outcome, slowly } from './journalkit.ts'

test('operations that wait together are one group: one commit for all of them, and each gets its own answer', async () => {
  const bench = await openBench()
  const before = bench.store.commits
  const outcomes = await Promise.all([make(bench, '/a'), make(bench, '/b'), make(bench, '/a'), make(bench, '/a/c')].map(outcome))
  expect(outcomes).toEqual(['ok', 'ok', 'EEXIST', 'ok'])
  expect(bench.store.commits).toBe(before + 1)
  expect(names(bench)).toEqual(['/a', '/b'])
  expect(names(bench, '/a')).toEqual(['/a/c'])
})

test('no reply is sent before the log is synced and the store has committed', async () => {
  const bench = await openBench()
  const events: string[] = []
  bench.disk.onSync = () => events.push('sync')
  bench.store.onCommit = () => events.push('commit')
  await make(bench, '/a').then(() => events.push('answer'))
  expect(events).toEqual(['sync', 'commit', 'answer'])
})

test('a repeated request has one effect and one answer: in the same group, later, and after a restart', async () => {
  const bench = await openBench()
  const ask = (at: Bench): Promise<unknown> =>
    at.do(create, { path: '/f', replication: 3, blockBytes: 4096, blocks: 2, requestId: requestId('c1:7') })
  const [first, speculative] = await Promise.all([ask(bench), ask(bench)])
  expect(speculative).toEqual(first)
  expect(first).toMatchObject({ blocks: [1, 2] })
  expect(await ask(bench)).toEqual(first)
  const again = await openBench({ store: bench.store.reopened(), disk: bench.disk.cut() })
  expect(await ask(again)).toEqual(first)
  expect(again.journal.view.counters.nextBlock).toBe(3)
})

test('a repeat of a request that is queued gets its outcome, a refusal too, and never runs by itself', async () => {
  const bench = await openBench()
  await make(bench, '/a')
  let runs = 0
  const counted = { ...mkdir, mutate: (...given: Parameters<typeof mkdir.mutate>) => { runs++; return mkdir.mutate(...given) } }
  const ask = (path: string): Promise<unknown> => bench.journal.submit(counted, { requestId: requestId('c:9'), path, nowMs: 1, ...root })
  const first = ask('/a')
  expect(bench.journal.hasAnswer(requestId('c:9'))).toBe(true)
  // Unchecked by a route, because the request is known.
  const repeat = ask('/a/b')
  expect(await Promise.allSettled([first, repeat])).toMatchObject([{ reason: { code: 'EEXIST' } }, { reason: { code: 'EEXIST' } }])
  expect([runs, bench.journal.hasAnswer(requestId('c:9'))]).toEqual([1, false])
  expect(names(bench)).toEqual(['/a'])
})

test('an answer that an earlier version kept, under the id as it came, is found by the scoped id; one of another caller is not', async () => {
  const bench = await openBench()
  const before = await make(bench, '/a', 'c:1')
  expect(await make(bench, '/a', scopedId('namespace.mkdir', 'ann', requestId('c:1')))).toEqual(before)
  await make(bench, '/b', scopedId('namespace.mkdir', 'ann', requestId('c:2')))
  expect(await outcome(make(bench, '/b', scopedId('namespace.mkdir', 'bob', requestId('c:2'))))).toBe('EEXIST')
  // Nor if that caller sends the scoped id of the other one, with whatever message.
  const crafted = scopedId('namespace.remove', 'bob', scopedId('namespace.mkdir', 'ann', requestId('c:2')))
  expect(bench.journal.hasAnswer(crafted)).toBe(false)
  expect(await outcome(make(bench, '/b', crafted))).toBe('EEXIST')
})

test('a group ends when its operations have taken long; the others wait for the next one, and others are served in between', async () => {
  const bench = await openBench()
  let commits = 0
  bench.store.onCommit = () => { commits++ }
  await Promise.all(['/a', '/b', '/a', '/c', '/d'].map(path => outcome(slowly(bench, path, 7))))
  expect(commits).toBe(3)
  // A slow operation is a group of its own.
  await Promise.all([slowly(bench, '/e', 500), slowly(bench, '/f', 500)])
  expect(commits).toBe(5)
  await Promise.all(['/g', '/h', '/i'].map(path => make(bench, path)))
  expect(commits).toBe(6)
  expect(names(await openBench({ store: bench.store.reopened(), disk: bench.disk.cut() }))).toHaveLength(9)
})

test('old segments go, the newest stay', async () => {
  const bench = await openBench({ segmentLimits: { segmentBytes: 200, heldBytes: 1e9, keptBytes: 1e9, keptFiles: 3 } })
  for (let i = 0; i < 20; i++) await make(bench, `/d${i}`)
  expect(bench.disk.files.size).toBeLessThanOrEqual(4)
  const again = await openBench({ store: bench.store.reopened(), disk: bench.disk.cut() })
  expect(names(again)).toHaveLength(20)
})

test('an operation of a newer version is refused by its name', async () => {
  const bench = await openBench()
  const strange = { kind: 'future.fly', mutate: () => undefined }
  await bench.journal.submit(strange, {})
  await expect(openBench({ disk: bench.disk.cut(), fresh: false })).rejects.toMatchObject({
    code: 'CORRUPT', message: expect.stringContaining('future.fly'),
  })
})

test('a queue that is full refuses what is new, and answers repeats of what has happened and of what waits', async () => {
  const bench = await openBench()
  const before = await make(bench, '/a', 'c:0')
  const first = make(bench, '/b', 'c:1')
  const others: Array<Promise<string>> = []
  while (bench.journal.waiting < limits.mutationQueueMax) others.push(outcome(make(bench, '/b/c')))
  const answers = [make(bench, '/a', 'c:0'), make(bench, '/b', 'c:1')]
  const refused = outcome(make(bench, '/c', 'c:2'))
  expect([bench.journal.hasAnswer(requestId('c:1')), bench.journal.hasAnswer(requestId('c:2'))]).toEqual([true, false])
  expect(await Promise.all(answers)).toEqual([before, await first])
  expect(await refused).toBe('OVERLOADED')
  await Promise.all(others)
})

test('a mistake in one mutation fails that operation only', async () => {
  const bench = await openBench()
  const broken = { kind: 'test.broken', mutate: (): undefined => { throw new TypeError('oops') } }
  const outcomes = await Promise.allSettled([make(bench, '/a'), bench.journal.submit(broken, {}), make(bench, '/b')])
  expect(outcomes.map(each => each.status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  expect(names(bench)).toEqual(['/a', '/b'])
})

test('a journal that has been closed says so, to those who read and to those who write, and calls nothing a failure', async () => {
  const bench = await openBench()
  await make(bench, '/a')
  await bench.journal.close()
  expect(await outcome(make(bench, '/b'))).toBe('UNAVAILABLE')
  expect(() => names(bench)).toThrow(expect.objectContaining({ code: 'UNAVAILABLE' }))
  expect(bench.fatal).toEqual([])
  expect([...bench.disk.cut().files.keys()]).toHaveLength(1)
})

test('a group of more than one frame has its operations numbered one after the other', async () => {
  const bench = await openBench()
  const pad = 'x'.repeat(17 * 2 ** 20)
  await Promise.all(['/a', '/b', '/c'].map(path => bench.do(mkdir, { path, pad } as never)))
  await make(bench, '/d')
  const again = await openBench({ disk: bench.disk.cut(), fresh: false })
  expect(again.store.dump()).toBe(bench.store.dump())
})

test('directories that a refused operation would have made are not there for the next one', async () => {
  const bench = await openBench()
  const half = mutation<{ path: string; nowMs: number; user: string; root: boolean }, undefined>({
    kind: 'test.half',
    mutate(draft, operation) {
      mkdir.mutate(draft, operation as never)
      list(draft, root, { path: operation.path }) // looked up, and so cached
      throw new GristmillError('EINVAL', 'and now it is refused')
    },
  })
  expect(await outcome(bench.do(half, { path: '/a' }))).toBe('EINVAL')
  expect(await outcome(make(bench, '/a/b'))).toBe('ENOENT')
})
