// Border between a simulation and the real world: it refuses all access by the product's code, and no other access.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { systemClock } from '../../../../src/world/clock.ts'
import { localDisk } from '../../../../src/world/disk.ts'
import { seeded, systemRandom } from '../../../../src/world/random.ts'
import { excuse, NotSimulated, programsPrefix, raiseBorder } from '../../../kit/sim/border.ts'

const directory = mkdtempSync(join(tmpdir(), programsPrefix))
afterAll(() => { rmSync(directory, { recursive: true, force: true }) })

test('the product is refused real time, randomness and files while a simulation runs, and the error names the place', () => {
  const refused: string[] = []
  const release = raiseBorder(what => refused.push(what))
  try {
    expect(() => systemClock.now()).toThrow(/Date\.now.*src\/world\/clock\.ts/)
    expect(() => systemClock.mono()).toThrow(NotSimulated)
    expect(() => systemClock.after(1, () => {})).toThrow(/setTimeout/)
    expect(() => systemRandom().id()).toThrow(/random/)
    expect(() => localDisk.openReadSync(directory)).toThrow(/fs\.openSync.*src\/world\/disk\.ts/)
  } finally {
    release()
  }
  expect(refused.map(what => what.split(' ')[0])).toEqual([
    'Date.now', 'performance.now', 'setTimeout', 'crypto.randomFillSync', 'fs.openSync',
  ])
  expect(systemClock.now()).toBeGreaterThan(1e12)
  expect(systemRandom().id()).toMatch(/^[0-9a-f]{24}$/)
})

test('a program that looks at the clock, or rolls dice, is refused', async () => {
  const file = join(directory, 'program.mjs')
  writeFileSync(
    file,
    "import { randomUUID } from 'node:crypto'\nexport const looks = [() => Date.now(), () => new Date(), () => Math.random(), () => performance.now(), () => randomUUID(), () => crypto.randomUUID(), () => process.hrtime.bigint(), () => AbortSignal.timeout(5)]\n",
  )
  const { looks } = await import(/* @vite-ignore */ pathToFileURL(file).href) as { looks: Array<() => unknown> }
  for (const look of looks) look()
  const release = raiseBorder(() => {})
  try {
    for (const look of looks) expect(look, String(look)).toThrow(NotSimulated)
  } finally {
    release()
  }
  for (const look of looks) look()
})

test('tests, packages and a seeded generator go on inside the border', () => {
  const real = { Date, random: Math.random, setTimeout: globalThis.setTimeout }
  const release = raiseBorder(() => {})
  try {
    expect(Date.now()).toBeGreaterThan(1e12)
    expect(new Date()).toBeInstanceOf(Date)
    expect(new Date(5).getTime()).toBe(5)
    expect(Math.random()).toBeLessThan(1)
    expect(seeded('x').id()).toBe(seeded('x').id())
  } finally {
    release()
  }
  expect({ Date, random: Math.random, setTimeout: globalThis.setTimeout }).toEqual(real)
})

test('the border stands until the last of two simulations has ended, and real work is excused', async () => {
  const [one, two] = [raiseBorder(() => {}), raiseBorder(() => {})]
  one()
  one()
  expect(() => systemClock.now()).toThrow(NotSimulated)
  await excuse(async () => {
    await Promise.resolve()
    expect(systemClock.now()).toBeGreaterThan(1e12)
  })
  two()
  expect(systemClock.now()).toBeGreaterThan(1e12)
})
