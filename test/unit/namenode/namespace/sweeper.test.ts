// Sweeper: removed directories are deleted in the background, completely, in small steps; a refused step is tried again.

import { expect, test } from 'vitest'
import { mkdir, remove, rename, touch } from '../../../../namenode/namespace/names.ts'
import { sweep } from '../../../../namenode/namespace/sweep.ts'
import { NamespaceSweeper } from '../../../../namenode/namespace/sweeper.ts'
import type { Journal } from '../../../../namenode/journal/journal.ts'
import { hasStale } from '../../../../namenode/snapshots/historysweep.ts'
import { createSnapshot, removeSnapshot } from '../../../../namenode/snapshots/mutations.ts'
import { GristmillError } from '../../../../src/base/errors.ts'
import type { BlockId } from '../../../../src/base/ids.ts'
import { silent } from '../../../../src/ports/log.ts'
import { until } from '../../datanode/kit.ts'
import { type Bench, file, openBench, writeFile } from '../kit.ts'


/** A sweeper; `refuse` may throw at its steps. */
function sweeping(bench: Bench, refuse: () => void = () => {}) {
  const gone: BlockId[] = []
  const errors: unknown[] = []
  const seen = { steps: 0, atOnce: 0 }
  const journal = {
    view: bench.journal.view,
    submit: async (...args: Parameters<Journal['submit']>) => {
      seen.steps++
      seen.atOnce++
      try {
        refuse()
        return await bench.journal.submit(...args)
      } finally { seen.atOnce-- }
    },
  } as unknown as Journal
  const sweeper = new NamespaceSweeper({
    journal, clock: bench.clock,
    log: {
      ...silent,
      error: (_, details) => {
        errors.push(details!['error'])
      },
    },
    onBlocksFreed: blocks => {
      gone.push(...blocks)
    },
  })
  return { sweeper, gone, errors, seen }
}

const idle = ({ journal: { view } }: Bench): boolean => view.counters.doomed === 0 && !hasStale(view)

test('all removed entries are swept, their blocks are reported, and then the sweeper rests', async () => {
  const bench = await openBench()
  const blocks = [...await writeFile(bench, '/a/f', 600), ...await writeFile(bench, '/a/b/g', 3)]
  await bench.do(createSnapshot, { path: '/a', name: 's' })
  await bench.do(remove, { path: '/a/b', recursive: true })
  await bench.do(removeSnapshot, { path: '/a', name: 's' })
  await bench.do(remove, { path: '/a', recursive: true })
  const { sweeper, gone, seen } = sweeping(bench)
  sweeper.wake()
  sweeper.wake()
  await until('all is swept', () => idle(bench))
  await sweeper.stop()
  expect([...gone].sort((a, b) => a - b)).toEqual([...blocks].sort((a, b) => a - b))
  expect(bench.journal.view.counters).toMatchObject({ files: 0, blocks: 0, history: 0 })
  expect(seen.steps).toBeGreaterThan(2)
  const { steps } = seen
  await bench.do(mkdir, { path: '/c' })
  await bench.do(remove, { path: '/c' })
  // It has been stopped.
  sweeper.wake()
  await bench.clock.yield()
  expect([seen.steps, bench.journal.view.counters.doomed]).toEqual([steps, 1])
})

test('without work it asks the journal nothing; one that has come to its end goes to work again', async () => {
  const bench = await openBench()
  const { sweeper, gone, seen } = sweeping(bench)
  sweeper.wake()
  await bench.clock.yield()
  expect(seen.steps).toBe(0)
  for (let round = 1; round <= 2; round++) {
    const blocks = await writeFile(bench, '/f', 1)
    await bench.do(remove, { path: '/f' })
    sweeper.wake()
    await until('it is swept', () => gone.length === round && seen.atOnce === 0)
    expect(gone.at(-1)).toBe(blocks[0])
    for (let i = 0; i < 5; i++) await bench.clock.yield()
  }
  await sweeper.stop()
})

test('a step that finds the journal\'s queue or its disk full is tried again after a pause; another failure is logged and ends the work', async () => {
  const bench = await openBench()
  const [block] = await writeFile(bench, '/f', 1)
  await bench.do(remove, { path: '/f' })
  const failures = ['OVERLOADED', 'ENOSPC', 'ENOSPC'] as const
  let tries = 0
  const { sweeper, gone, errors, seen } = sweeping(bench, () => {
    const code = failures[tries++]
    if (code) throw new GristmillError(code, 'not now')
  })
  sweeper.wake()
  for (let i = 1; i <= failures.length; i++) {
    await until('it waits', () => bench.clock.waiting === 1)
    bench.clock.pass(199)
    for (let turn = 0; turn < 5; turn++) await bench.clock.yield()
    expect([tries, gone]).toEqual([i, []])
    bench.clock.pass(1)
    await until('it has tried again', () => tries === i + 1)
  }
  await until('it is swept', () => gone.length === 1 && seen.atOnce === 0)
  expect([gone, errors]).toEqual([[block], []])
  await sweeper.stop()

  await writeFile(bench, '/g', 1)
  await bench.do(remove, { path: '/g' })
  const why = new GristmillError('CORRUPT', 'the store is damaged')
  const broken = sweeping(bench, () => {
    throw why
  })
  broken.sweeper.wake()
  await until('it is told', () => broken.errors.length === 1)
  expect([broken.errors, broken.seen.steps]).toEqual([[why], 1])
  const ending = sweeping(bench, () => {
    void ending.sweeper.stop()
    throw why
  })
  ending.sweeper.wake()
  await ending.sweeper.stop()
  expect([ending.errors, ending.seen.steps]).toEqual([[], 1])
})

test.each([1, 2, 3, 5, 8])(
  'a directory with history goes in steps of %i, each no larger than that, and takes its history along',
  async limit => {
    const bench = await openBench()
    const { view } = bench.journal
    for (let i = 0; i < 3; i++) await bench.do(mkdir, { path: `/s/d/sub${i}`, parents: true })
    for (let i = 0; i < 4; i++) await bench.do(touch, file(`/s/d/f${i}`))
    await bench.do(createSnapshot, { path: '/s', name: 's' })
    for (let i = 0; i < 4; i++) await bench.do(rename, { from: `/s/d/f${i}`, to: `/s/g${i}` })
    await bench.do(removeSnapshot, { path: '/s', name: 's' })
    const rows = (): number =>
      bench.store
        .dump()
        .split('\n')
        .filter(line => /^(children|history|doomed) /.test(line)).length
    await bench.do(remove, { path: '/s/d', recursive: true })
    const { directories } = view.counters
    for (let more = true; more;) {
      const before = rows()
      more = (await bench.journal.submit(sweep, { limit })).more
      expect(before - rows()).toBeLessThanOrEqual(2 * limit)
    }
    expect(view.counters).toMatchObject({ doomed: 0, history: 0, files: 4, directories: directories - 4 })
  },
)
