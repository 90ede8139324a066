// Simulation campaign of `npm test`: the seeds fixed in this file, all plans that ever found something, and every planted bug. The
// verdict depends on the commit alone; new seeds are run by `npm run test:sim -- --fresh N`. Each run has its own process: a simulation
// tolerates no events but its own, and two processes use two cores.

import { execFile } from 'node:child_process'
import { constants, setPriority } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { canaries, type Bug } from './canary/index.ts'

const seeds = 300
const first = 1
const halves = [0, 1].map(half => first + half * (seeds / 2))

/** Longer than any run takes on a busy machine; a simulation that hangs is killed, and the test fails. */
const runMs = 1_500_000

interface Run { readonly code: number; readonly text: string }

function simulate(...args: string[]): Promise<Run> {
  return new Promise(resolve => {
    const child = execFile(
      process.execPath, [join(import.meta.dirname, 'run.ts'), ...args],
      { maxBuffer: 16 << 20, timeout: runMs, killSignal: 'SIGKILL' },
      (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : 1, text: `${stdout}${stderr}` })
      },
    )
    // Low priority: tests of real processes, which run at the same time, have real deadlines; this one has none.
    setPriority(child.pid!, constants.priority.PRIORITY_LOW)
  })
}

test(`${seeds} seeds: every acknowledged change is kept and all invariants hold`, { timeout: runMs }, async () => {
  for (const { code, text } of await Promise.all(halves.map(from => simulate('--seeds', String(seeds / 2), '--from', String(from))))) {
    console.log(text.trim())
    expect(code, text).toBe(0)
    expect(text).toMatch(new RegExp(`^${seeds / 2} seeds, .*findings: 0$`, 'm'))
  }
})

test('no plan that ever found something finds it again', { timeout: runMs }, async () => {
  const { code, text } = await simulate('--kept')
  expect(code, text).toBe(0)
})

// Starts at the seed known to catch it: if a change of the sources moves that seed, the following ones are tried.
test.concurrent.each(Object.entries<Bug>(canaries))('a planted bug is caught: %s', { timeout: runMs }, async (canary, { caughtBy = 1 }) => {
  const { code, text } = await simulate('--canary', canary, '--from', String(caughtBy), '--seeds', '50')
  expect(code, text).toBe(0)
  expect(text).toContain(`--canary ${canary}`)
})
