// Simulation campaign of `npm test`: the fixed seeds (fixed.json, which choose.ts writes), all plans that ever found something, every
// planted bug, and the determinism gate. The verdict depends on the commit alone; new seeds are run by `npm run test:sim -- --fresh N`. Two
// processes at a time use two cores until the end (`maxConcurrency` of the project).

import { expect, test } from 'vitest'
import { canaries, type Bug } from './canary/index.ts'
import { fixedSeeds } from './fixed.ts'
import { runMs, runScript, type Run } from './script.ts'

const simulate = (...args: string[]) => runScript('run.ts', ...args)

/** Output of a half of the fixed seeds: a line for each, which ends with the hash of its trace. */
const halves = new Map<number, Promise<Run>>()
function runHalf(half: number): Promise<Run> {
  let run = halves.get(half)
  if (!run) halves.set(half, run = simulate('--fixed', '--half', String(half), '--show'))
  return run
}
const tracesIn = ({ text }: Run): string[] => text.split('\n').filter(line => /^seed .* trace \w{8}$/.test(line))

test.concurrent.each([1, 2])(
  'fixed seeds, half %i: every acknowledged change is kept and all invariants hold', { timeout: runMs },
  async half => {
    const run = await runHalf(half)
    console.log(run.text.trim().split('\n').at(-1))
    expect(run.code, run.text).toBe(0)
    expect(run.text).toMatch(/^\d+ seeds, .*findings: 0$/m)
    expect(tracesIn(run).map(line => Number(/^seed (\d+),/.exec(line)![1]))).toEqual(fixedSeeds(half))
  },
)

test.concurrent('the fixed seeds reach every combination of workload, faults and calls that they have to', { timeout: runMs }, async () => {
  const { code, text } = await runScript('choose.ts', '--check')
  expect(code, text).toBe(0)
})

test.concurrent('no plan that ever found something finds it again', { timeout: runMs }, async () => {
  const { code, text } = await simulate('--kept')
  expect(code, text).toBe(0)
})

// Starts at the seed known to catch it: if a change of the sources moves that seed, the following ones are tried.
test.concurrent.each(Object.entries<Bug>(canaries))('a planted bug is caught: %s', { timeout: runMs }, async (canary, bug) => {
  const { caughtBy = 1, plan } = bug
  const search = plan === undefined ? ['--from', String(caughtBy), '--seeds', '50'] : ['--plan', `test/sim/kept/${plan}.json`]
  const { code, text } = await simulate('--canary', canary, ...search)
  expect(code, text).toBe(0)
  expect(text).toContain(`--canary ${canary}`)
  // Each seed takes half a second.
  const { seed, attempt = '1' } = /by seed (?<seed>\d+), attempt (?<attempt>\d+)/.exec(text)?.groups ?? {}
  if (attempt !== '1') console.log(`seed ${caughtBy} no longer catches ${canary}: write caughtBy: ${seed} into test/sim/canary/index.ts`)
})

// The gate: equal seeds give equal traces. All simulation tests depend on it: without it a failure could not be replayed, and the
// shrinker could not work. These two come last: the first half of the seeds has ended then.
test.concurrent('equal seeds give equal traces, however long each event is given to come to rest', { timeout: runMs }, async () => {
  const count = 20
  const again = await simulate('--fixed', '--half', '1', '--seeds', String(count), '--turns', '5', '--show')
  expect(again.code, again.text).toBe(0)
  const traces = tracesIn(again)
  expect(traces).toHaveLength(count)
  expect(traces).toEqual(tracesIn(await runHalf(1)).slice(0, count))
  // Different seeds must give different traces; otherwise equal hashes would prove nothing.
  expect(new Set(traces.map(line => line.split(' ').at(-1))).size).toBe(count)
})

test.concurrent('a seed does the same after other seeds as it does first', { timeout: runMs }, async () => {
  const at = 32
  const [trace] = tracesIn(await simulate('--seed', String(fixedSeeds(1)[at])))
  expect(trace).toBeDefined()
  expect(tracesIn(await runHalf(1))[at]).toBe(trace)
})
