// Runs of programs step by step, and their replay: random programs with steps at the same time ask for the same steps wherever the results
// come in the same order. Histories are written and read.

import { setImmediate } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { limits } from '../../../../src/base/limits.ts'
import { cachedStep } from '../../../../src/plan/cached.ts'
import { decodeEntry, encodeEntry, isSmall, keptFailure, type HistoryEntry } from '../../../../src/plan/history.ts'
import { nodesOf } from '../../../../src/plan/node.ts'
import { lowerStep } from '../../../../src/plan/planof.ts'
import { ProgramRun, type ProgramStep } from '../../../../src/plan/programrun.ts'
import { program } from '../../../../src/program/dataflow.ts'
import type { Sources } from '../../../../src/program/sources.ts'
import { LineEncoder, valuesOfLines } from '../../../../src/shuffle/lines.ts'
import { dice } from '../../../kit/dice.ts'

type Describe = (mill: Sources) => unknown

function runOf(describe: Describe, { isReplay = false, seed = 1 } = {}): { run: ProgramRun; steps: ProgramStep[] } {
  const steps: ProgramStep[] = []
  const run = new ProgramRun({
    dataflow: program(describe), params: {}, seed, nowMs: 5, rest: () => setImmediate(), isReplay, onStep: step => steps.push(step),
  })
  run.start()
  return { run, steps }
}

describe('a run', () => {
  test('goes on with results in the order of their delivery, and numbers its steps as it asks for them', async () => {
    const got: unknown[] = []
    const { run, steps } = runOf(async mill => {
      const [a, b] = await Promise.all([
        mill.range(1).collect().then(async first => [...first, ...await mill.range(2).take(3)]),
        mill.range(3).count(),
      ])
      got.push(a, b, await mill.range(4).first())
    })
    expect(steps.map(({ number, method, after }) => [number, method, after])).toEqual([[1, 'collect', 0], [2, 'count', 0]])
    await run.deliver(2, { values: [3, 4] })
    await run.deliver(1, { values: ['x'] })
    expect(steps.at(-1)).toMatchObject({ number: 3, method: 'take', after: 2, first: 3 })
    await run.deliver(3, { values: ['y'] })
    await run.deliver(4, { values: [] })
    await run.ended
    expect(got).toEqual([['x', 'y'], 7, undefined])
  })

  test('ends with an error of its function, and when all its steps have results; a failure that it handles is none of its own', async () => {
    await expect(runOf(async () => { throw new RangeError('own') }).run.ended).rejects.toThrow('own')
    const failing = runOf(async mill => { await mill.range(1).save('/a') })
    await failing.run.deliver(1, { error: new Error('step') })
    await expect(failing.run.ended).rejects.toThrow('step')
    const open = runOf(mill => { mill.range(1).save('/a').catch(() => {}) })
    let isOver = false
    void open.run.ended.then(() => { isOver = true })
    await setImmediate()
    expect(isOver).toBe(false)
    await open.run.deliver(1, { error: new Error('late') })
    await open.run.ended
    await expect(runOf(() => undefined).run.ended).rejects.toThrow('the program saves nothing; end it with .save(output)')
    const handled = runOf(async mill => { await mill.range(1).save('/a').catch(() => mill.range(2).save('/b')) })
    await handled.run.deliver(1, { error: new Error('handled') })
    await handled.run.deliver(2, { values: [] })
    await handled.run.ended
  })

  test('computes a cached Dataset once, before the first step that reads it, and those within it first', async () => {
    const { run, steps } = runOf(async mill => {
      const inner = mill.range(3).cache()
      const outer = inner.map(n => n + 1).cache()
      await Promise.all([outer.collect(), inner.count()])
      await outer.union(inner).save('/a')
    })
    const asked = (): unknown[] => steps.map(({ number, method, after }) => [number, method, after])
    const rest = async (number: number): Promise<void> => { await run.deliver(number, { values: [] }) }
    await setImmediate()
    expect(asked()).toEqual([[1, 'cache', 0]])
    await rest(1)
    expect(asked().slice(1)).toEqual([[2, 'cache', 1], [3, 'count', 1]])
    await rest(3)
    await rest(2)
    expect(asked().slice(3)).toEqual([[4, 'collect', 3]])
    await rest(4)
    expect(asked().slice(4)).toEqual([[5, 'save', 4]])
    const readsOf = (step: ProgramStep): unknown[] =>
      nodesOf(lowerStep(step).root).flatMap(node => (node.kind === 'read' ? node.paths : []))
    expect(steps.map(step => readsOf(step).map(path => cachedStep(path as string)))).toEqual([[], [1], [1], [2], [2, 1]])
    await rest(5)
    await run.ended
  })

  test('computes a cached Dataset again that has failed, for the next step that reads it', async () => {
    const { run, steps } = runOf(async mill => {
      const cached = mill.range(3).cache()
      await cached.count().catch(() => undefined)
      await cached.save('/a')
    })
    await run.deliver(1, { error: new Error('first') })
    await run.deliver(2, { values: [] })
    await run.deliver(3, { values: [] })
    await run.ended
    expect(steps.map(({ method }) => method)).toEqual(['cache', 'cache', 'save'])
    const failing = runOf(async mill => { await mill.range(3).cache().count() })
    await failing.run.deliver(1, { error: new Error('only') })
    await expect(failing.run.ended).rejects.toThrow('only')
  })

  test('has an end: a step more than it may have fails', async () => {
    const { run, steps } = runOf(async mill => { for (;;) await mill.range(1).save('/a') })
    for (let number = 1; number <= limits.programStepsMax; number++) await run.deliver(number, { values: [] })
    await expect(run.ended).rejects.toMatchObject({ code: 'TOO_LARGE' })
    expect(steps).toHaveLength(limits.programStepsMax)
    expect(await run.reached(limits.programStepsMax + 1)).toBeUndefined()
  })

  test('draws the same numbers for the same seed', async () => {
    const drawn = (seed: number): number[] => {
      const numbers: number[] = []
      const { run } = runOf(mill => {
        for (let i = 0; i < 100; i++) numbers.push(mill.random())
        void mill.range(1).save('/a')
        return mill.now
      }, { seed })
      expect(run.usesStart).toBe(true)
      return numbers
    }
    expect(drawn(7)).toEqual(drawn(7))
    expect(drawn(7)).not.toEqual(drawn(8))
    const numbers = drawn(9)
    expect(numbers.every(number => number >= 0 && number < 1)).toBe(true)
    expect(Math.abs(numbers.reduce((a, b) => a + b) / 100 - 0.5)).toBeLessThan(0.2)
  })
})

/** A program of a few strands that run at the same time; which steps a strand asks for depends on the results, and on what others did. */
function strands(seed: number): { describe: Describe; seen: unknown[] } {
  const seen: unknown[] = []
  const random = dice(seed)
  const plans = Array.from({ length: 1 + random.below(4) }, () => Array.from({ length: 1 + random.below(4) }, () => random.below(4)))
  const describe: Describe = async mill => {
    let total = 0
    const cached = mill.range(9).cache()
    await Promise.all(plans.map(async plan => {
      for (const kind of plan) {
        const before = total
        const n = kind === 0 ? await mill.range(before).count() : kind === 1 ? (await mill.range(before + 1).collect()).length : 1
        if (kind === 3) await cached.save('/cached')
        if (kind === 2) await mill.range(before).save(`/${before}`)
        // Several turns of the microtask queue.
        for (let i = 0; i < kind * 3; i++) await null
        total += n + kind
        seen.push([before, n, total])
      }
    }))
  }
  return { describe, seen }
}

test('the replay of any history asks for the steps that the program has asked for, with the same values in its functions', async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = dice(seed * 7919)
    const live = strands(seed)
    const { run, steps } = runOf(live.describe)
    const history: Array<[number, unknown[]]> = []
    for (const open = [...steps]; open.length > 0;) {
      const [step] = open.splice(random.below(open.length), 1)
      const values = step!.method === 'count' ? [random.below(5)] : Array.from({ length: random.below(4) }, () => 1)
      history.push([step!.number, values])
      const known = steps.length
      await run.deliver(step!.number, { values })
      open.push(...steps.slice(known))
    }
    await run.ended
    const again = strands(seed)
    const replay = runOf(again.describe, { isReplay: true })
    // All at once: the run itself lets the function rest in between.
    await Promise.all(history.map(([number, values]) => replay.run.deliver(number, { values })))
    await replay.run.ended
    expect(again.seen, `seed ${seed}`).toEqual(live.seen)
    const shape = (all: readonly ProgramStep[]): unknown =>
      all.map(({ number, method, after, root }) => [number, method, after, root['path']])
    expect(shape(replay.steps), `seed ${seed}`).toEqual(shape(steps))
  }
})

describe('a history', () => {
  const encoder = new LineEncoder()
  const head = { number: 12, method: 'collect', fingerprint: '0123456789ab', job: 'job-7' }

  test.each<HistoryEntry>([
    { ...head, result: { kind: 'lines', lines: [] } },
    { ...head, result: { kind: 'lines', lines: ['a, b', undefined, 0, ''].map(value => encoder.encode(value)) } },
    { ...head, result: { kind: 'stored' } },
    { ...head, job: '-', result: { kind: 'file', path: '/.gristmill/uploads/a=@b', hash: '0a1b' } },
    { ...head, job: '-', result: { kind: 'failed', code: 'ENOENT', message: 'no "such"\nfile, =@!' } },
    { ...head, job: '-', result: { kind: 'failed', code: 'ENOENT', message: 'no', details: { path: '/in', failure: { line: 3 } } } },
  ])('is read as it was written: %j', entry => {
    expect(decodeEntry(encodeEntry({ ...entry, fingerprint: `${entry.fingerprint}${'f'.repeat(52)}` }))).toEqual(entry)
  })

  test('has a failure with its details, of which long ones are cut', () => {
    const stack = 'at f\n'.repeat(2_000)
    const details = { job: 'job-7', failure: { code: 'TASK_FAILED', stack, line: 3 }, list: [stack], last: true }
    const kept = keptFailure({ message: 'm'.repeat(2_000), details })
    const { stack: cut } = kept.details['failure'] as { stack: string }
    expect(kept).toEqual({
      message: 'm'.repeat(1_000), details: { job: 'job-7', failure: { code: 'TASK_FAILED', stack: cut, line: 3 }, last: true },
    })
    expect([cut.length > 200, stack.startsWith(cut), JSON.stringify(kept.details).length <= 2_000]).toEqual([true, true, true])
    const entry: HistoryEntry = { ...head, result: { kind: 'failed', code: 'JOB_FAILED', message: 'm'.repeat(2_000), details } }
    expect(decodeEntry(encodeEntry(entry)).result).toEqual({ kind: 'failed', code: 'JOB_FAILED', ...kept })
    expect(keptFailure(kept)).toEqual(kept)
  })

  test('has small results in it, and refuses what is no entry', () => {
    expect(isSmall(['x'.repeat(limits.historyResultBytesMax - 1)])).toBe(true)
    expect(isSmall(['x'.repeat(limits.historyResultBytesMax)])).toBe(false)
    expect(() => decodeEntry('1 collect')).toThrow('the history of a program has an entry "1 collect"')
  })
})

test('lines keep every value that a shuffle keeps', () => {
  const values = [
    undefined, null, true, -0, NaN, Infinity, 2 ** 53, -1.5, 10n ** 30n, '', 'ü\ud800\n,', new Date(5), Buffer.from([0, 255]), [1, [2]],
    { a: { __proto: 1 } }, new Map<unknown, unknown>([[{ k: 1 }, new Set([null])]]),
  ]
  const encoder = new LineEncoder()
  expect(valuesOfLines(values.map(value => encoder.encode(value)))).toStrictEqual(values)
  expect(() => valuesOfLines(['AAAA'])).toThrow()
})
