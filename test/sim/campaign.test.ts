// Simulation campaign of `npm test`: the seeds fixed in this file, all plans that ever found something, and every planted bug. The
// verdict depends on the commit alone; new seeds are run by `npm run test:sim -- --fresh N`. Two processes at a time use two cores until
// the end (`maxConcurrency` of the project).

import { expect, test } from 'vitest'
import { canaries, type Bug } from './canary/index.ts'
import { runMs, runScript } from './script.ts'

const seeds = 300
const parts = 2
const each = seeds / parts

const simulate = (...args: string[]) => runScript('run.ts', ...args)

test.concurrent.each(Array.from({ length: parts }, (_, part) => [1 + part * each, (part + 1) * each]))(
  'seeds %i to %i: every acknowledged change is kept and all invariants hold', { timeout: runMs },
  async from => {
    const { code, text } = await simulate('--seeds', String(each), '--from', String(from))
    console.log(text.trim())
    expect(code, text).toBe(0)
    expect(text).toMatch(new RegExp(`^${each} seeds, .*findings: 0$`, 'm'))
  },
)

test.concurrent('no plan that ever found something finds it again', { timeout: runMs }, async () => {
  const { code, text } = await simulate('--kept')
  expect(code, text).toBe(0)
})

// Starts at the seed known to catch it: if a change of the sources moves that seed, the following ones are tried.
test.concurrent.each(Object.entries<Bug>(canaries))('a planted bug is caught: %s', { timeout: runMs }, async (canary, { caughtBy = 1 }) => {
  const { code, text } = await simulate('--canary', canary, '--from', String(caughtBy), '--seeds', '50')
  expect(code, text).toBe(0)
  expect(text).toContain(`--canary ${canary}`)
})
