// Replays of a run, in process: the functions of a step see the variables of the program as they were when it had asked for the step,
// whatever other steps this process works for.

import { expect, test } from 'vitest'
import { encodeEntry } from '../../../../src/plan/history.ts'
import { fingerprintOf } from '../../../../src/plan/fingerprint.ts'
import { outlineOf } from '../../../../src/plan/outline.ts'
import { lowerStep, planJob, type PlannedProgram } from '../../../../src/plan/planof.ts'
import { ProgramReplay, type ReplayTarget } from '../../../../src/plan/replay.ts'
import { program } from '../../../../src/program/dataflow.ts'
import type { Program } from '../../../../src/program/load.ts'
import type { Action } from '../../../../src/program/recipe.ts'
import { LineEncoder } from '../../../../src/shuffle/lines.ts'
import { systemClock } from '../../../../src/world/clock.ts'
import { Replays } from '../../../../datanode/executor/replays.ts'

/** Saves beside the search for the next centre: two steps at a time, three times. */
const searching = program(async mill => {
  let centre = 0
  const saved: Array<Promise<void>> = []
  for (let i = 0; i < 3; i++) {
    saved.push(mill.range(3).map(() => centre).save(`/out/${i}`))
    centre = (await mill.range(3).map(n => n + i).reduce((a, b) => Math.max(a, b)))!
  }
  await Promise.all(saved)
})

/** What the driver asks for: step 2 is reduced to 2, step 4 to 3, step 6 to 4; the saves end last. */
async function targets(): Promise<ReplayTarget[]> {
  const made: ReplayTarget[] = []
  const history: string[] = []
  const lines = new LineEncoder()
  const run = async ({ method, root }: Action): Promise<readonly unknown[]> => {
    const plan = lowerStep({ root })
    const step = made.length + 1
    made.push({ step, method, fingerprint: planJob(plan).fingerprint, plan: undefined, outline: outlineOf(plan), history: [...history] })
    if (method === 'save') return new Promise(() => undefined)
    const result = step / 2 + 1
    history.push(encodeEntry({
      number: step, method, fingerprint: fingerprintOf(plan), job: `job-${step}`, result: { kind: 'lines', lines: [lines.encode(result)] },
    }))
    return [result]
  }
  void searching.drive({}, { run, random: () => 0, now: 0 })
  while (made.length < 6) await new Promise(resolve => { setImmediate(resolve) })
  return made
}

/** The centre that the functions of a save see. */
function centreOf({ plan }: PlannedProgram): unknown {
  const results = plan.functions.map(fn => { try { return (fn as () => unknown)() } catch { return undefined } })
  return results.find(result => typeof result === 'number')
}

test('a step that runs beside later ones sees the variables as it had asked for it, and so does each later one', async () => {
  const begun: number[] = []
  const replays = new Replays(async number => {
    begun.push(number)
    const loaded = { job: { kind: 'dataflow', dataflow: searching }, params: {} } as unknown as Program
    const replay = new ProgramReplay({
      clock: systemClock, readResult: async () => [], readFile: async () => Buffer.alloc(0),
    }, { program: loaded, seed: 0, nowMs: 0 })
    return { program: loaded, replay }
  })
  const all = await targets()
  const at = async (step: number): Promise<unknown> => centreOf(await replays.plan(`job-${step}`, all[step - 1]!))
  // Forward: one replay.
  expect([await at(1), await at(3), await at(5), begun]).toEqual([0, 2, 3, [0]])
  expect(replays.has('job-3')).toBe(true)
  // Back, and forth again: the replay of each state stays there, as long as no step needs it to go on.
  expect([await at(3), await at(5), await at(3), await at(1), begun]).toEqual([2, 3, 2, 0, [0, 1, 2]])
  expect([await at(5), await at(3), await at(1), begun]).toEqual([3, 2, 0, [0, 1, 2]])
})

test('a replay that fails is begun again by the next attempt', async () => {
  const replays = new Replays(async () => { throw new Error('not loaded') })
  const [target] = await targets()
  for (let i = 0; i < 2; i++) await expect(replays.plan('job-1', target!)).rejects.toThrow('not loaded')
  expect(replays.has('job-1')).toBe(false)
})
