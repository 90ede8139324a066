// Fresh seeds each day, all seeds that ever found something, and bugs planted in rotation. Runs in processes of its own, for
// nothing but the simulation's own events may happen there, and for two processors do twice the seeds.

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { canaries } from './canary/index.ts'

const seeds = 300
const day = Math.floor(Date.now() / 86_400_000)
/** The same all day, so that a failure is found again; another one tomorrow. */
const first = day * 1000

/** Longer than any run on a busy machine; a simulation that hangs is ended, and fails. */
const runMs = 500_000

interface Run { readonly code: number; readonly text: string }

function simulate(...args: string[]): Promise<Run> {
  return new Promise(resolve => {
    execFile(process.execPath, [join(import.meta.dirname, 'run.ts'), ...args], { maxBuffer: 16 << 20, timeout: runMs, killSignal: 'SIGKILL' }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : 1, text: `${stdout}${stderr}` })
    })
  })
}

test(`nothing that was acknowledged is lost, and all invariants hold, under ${seeds} fresh seeds`, { timeout: 600_000 }, async () => {
  const halves = await Promise.all([0, 1].map(half => simulate('--seeds', String(seeds / 2), '--from', String(first + half * (seeds / 2)))))
  for (const { code, text } of halves) {
    console.log(text.trim())
    expect(code, text).toBe(0)
    expect(text).toMatch(new RegExp(`^${seeds / 2} seeds, .*findings: 0$`, 'm'))
  }
})

test('what was found once is not there any more', { timeout: 300_000 }, async () => {
  const { code, text } = await simulate('--kept')
  expect(code, text).toBe(0)
})

const names = Object.keys(canaries)
const today = [0, 1].map(i => names[(day * 2 + i) % names.length]!)

test.each(today)('a planted bug is caught within 50 seeds: %s', { timeout: 300_000 }, async canary => {
  const { code, text } = await simulate('--canary', canary, '--seeds', '50')
  expect(code, text).toBe(0)
  expect(text).toContain(`${canary} was caught by seed`)
})
