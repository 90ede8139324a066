// Executors that cannot be started on a node: what the namenode is told, and what comes after it. Real processes.

import { expect, test } from 'vitest'
import { bundledProcesses } from '../../../tidy/bundled.ts'
import type { Processes } from '../../../../src/ports/process.ts'
import { Bench, program } from './kit.ts'

const identity = program('  input: { format: \'lines\' }, map: (line, emit) => emit(line, 1), output: { format: \'text\' },')

const nowhere = new URL('./no-such-main.ts', import.meta.url)
const broken: readonly (readonly [string, Processes['start'], RegExp])[] = [
  [
    'a process that ends at once', options => bundledProcesses.start({ ...options, main: nowhere }),
    /executors cannot be started on datanode .*exit code 1 before it took a task: Error.*no-such-main/,
  ],
  [
    'no process to be had', () => { throw new Error('too many open files') },
    /executors cannot be started on datanode .*: too many open files/,
  ],
]

test.each(broken)('an attempt that no executor could take is not counted and names node and error, and later ones run: %s', async (_, start, why) => {
  let current = start
  await using bench = await Bench.start({ processes: { ...bundledProcesses, start: options => current(options) } })
  await bench.file('/in', 'a\nb\n')
  const failure = { kind: 'failed', cause: 'killed', failure: { code: 'UNAVAILABLE', message: expect.stringMatching(why) } }
  expect(await bench.fails(identity, '/in')).toMatchObject(failure)
  current = bundledProcesses.start
  // A spare of before the repair may be ending while it is given the attempt: the next attempt runs, as the namenode would order it.
  for (;;) {
    const work = await bench.work(identity, '/in')
    const outcome = await bench.run(work)
    if (outcome.kind === 'done') {
      expect(await bench.outputOf({ ...outcome, work })).toBe('a\t1\nb\t1\n')
      break
    }
    expect(outcome).toMatchObject(failure)
  }
})

test('a task that waits because executors cannot be started can be killed, and its node stopped', async () => {
  const processes: Processes = { ...bundledProcesses, start: () => { throw new Error('no process for you') } }
  await using bench = await Bench.start({ processes })
  await bench.file('/in', 'a\n')
  for (let i = 0; i < 4; i++) expect((await bench.fails(identity, '/in')).cause).toBe('killed')
  const work = await bench.work(identity, '/in')
  const outcome = bench.run(work)
  await expect.poll(() => bench.runner().isOver(work.attempt), { timeout: 120_000 }).toBe(false)
  bench.runner().kill(work.attempt)
  expect(await outcome).toMatchObject({ cause: 'killed', failure: { code: 'ABORTED' } })
  bench.mill.namenode.give(bench.mill.datanodes[0]!.node, { kind: 'run', work: await bench.work(identity, '/in') })
})
