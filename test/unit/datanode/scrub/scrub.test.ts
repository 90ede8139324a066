// Scrubber over a real block store in a temporary directory, on a manual clock: all blocks are read once in a period at the allowed rate,
// damage is found, and a restart resumes.

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { KiB } from '../../../../src/base/units.ts'
import { silent } from '../../../../src/ports/log.ts'
import { localDisk } from '../../../../src/world/disk.ts'
import { Scrubber } from '../../../../datanode/scrub/scrubber.ts'
import type { BlockStore } from '../../../../datanode/store/store.ts'
import { ManualClock } from '../../../kit/manual-clock.ts'
import { noise } from '../../src/block/kit.ts'
import { openStore, placeOf, write } from '../store/storekit.ts'

let dir: string
beforeEach(() => { dir = mkdtempSync(join(tmpdir(), 'gristmill-scrub-')) })
afterEach(() => { rmSync(dir, { recursive: true, force: true }) })

const periodMs = 100_000
const flip = (id: number): void => {
  const bytes = readFileSync(join(dir, placeOf(id)))
  bytes[bytes.length >> 1]! ^= 4
  writeFileSync(join(dir, placeOf(id)), bytes)
}
const scrubber = (store: BlockStore, clock: ManualClock, more: object = {}): Promise<Scrubber> =>
  Scrubber.open({
    store, storage: store.storages[0]!, disk: localDisk, clock, log: silent, periodMs, bytesPerSecond: 1e12, busy: () => false, ...more,
  })

/** Moves time in small steps, each only when the scrubber waits for time again, however long its disk takes. */
async function pass(clock: ManualClock, ms: number, stepMs = 1000): Promise<void> {
  const rests = async (): Promise<void> => { while (clock.waiting === 0) await new Promise(resolve => { setImmediate(resolve) }) }
  await rests()
  for (let past = 0; past < ms; past += stepMs) {
    clock.pass(stepMs)
    await rests()
  }
}

async function running(scrub: Scrubber, work: () => Promise<void>): Promise<void> {
  const stopping = new AbortController()
  const run = scrub.run(stopping.signal)
  try {
    await work()
  } finally {
    stopping.abort(new Error('the test is over'))
    await run
  }
}

test('all blocks are read within the period, spread over it, and damage is found', async () => {
  const clock = new ManualClock()
  const { store, bad } = await openStore([dir], { clock })
  for (let id = 1; id <= 10; id++) await write(store, id, noise(1000, id))
  flip(7)
  const scrub = await scrubber(store, clock)
  await running(scrub, async () => {
    await pass(clock, periodMs * 0.4)
    expect(scrub.blocks).toBeGreaterThanOrEqual(4)
    expect(scrub.blocks).toBeLessThanOrEqual(6)
    expect(scrub.passedMs).toBeUndefined()
    await pass(clock, periodMs * 0.5)
    expect([scrub.blocks >= 10, scrub.bad, bad]).toEqual([true, 1, [7]])
    expect(scrub.passedMs).toBeDefined()
  })
})

test('a restarted scrubber continues at the saved position, and time without a process counts', async () => {
  const clock = new ManualClock()
  const { store, bad } = await openStore([dir], { clock })
  for (let id = 1; id <= 4; id++) await write(store, id, noise(1000, id))
  const first = await scrubber(store, clock)
  await running(first, () => pass(clock, periodMs * 0.5))
  expect(first.blocks).toBe(2)
  flip(1)
  flip(3)
  clock.ms += periodMs // no scrubber runs
  const second = await scrubber(store, clock)
  await running(second, () => pass(clock, 2000))
  // The third block is due at once; the first was already read in this round.
  expect([second.blocks, bad]).toEqual([1, [3]])
})

test('within a block it keeps to its rate, and to a quarter of it while others move blocks', async () => {
  const clock = new ManualClock()
  const { store } = await openStore([dir], { clock })
  await write(store, 1, noise(4096 * KiB))
  let busy = false
  const readBy = async (): Promise<number> => {
    rmSync(join(dir, 'scrub.json'), { force: true })
    const scrub = await scrubber(store, clock, { bytesPerSecond: 1024 * KiB, busy: () => busy, periodMs: 10 })
    let seconds = 0
    await running(scrub, async () => { while (scrub.blocks === 0 && ++seconds < 60) await pass(clock, 1000) })
    return seconds
  }
  const idle = await readBy()
  busy = true
  const disturbed = await readBy()
  expect(idle).toBeGreaterThanOrEqual(4)
  expect(idle).toBeLessThanOrEqual(6)
  expect(disturbed).toBeGreaterThanOrEqual(15)
})

test('on request it reads everything at once', async () => {
  const clock = new ManualClock()
  const { store, bad } = await openStore([dir], { clock })
  for (let id = 1; id <= 30; id++) await write(store, id, noise(100, id))
  flip(30)
  rmSync(join(dir, placeOf(4)))
  const scrub = await scrubber(store, clock)
  await scrub.all(new AbortController().signal)
  expect([scrub.blocks, scrub.bad, bad, store.blocks]).toEqual([30, 2, [4, 30], 28])
  expect(existsSync(join(dir, placeOf(30)))).toBe(true)
})

test('an invalid saved position costs one more pass and nothing else', async () => {
  const clock = new ManualClock()
  const { store } = await openStore([dir], { clock })
  await write(store, 1, noise(100))
  for (const text of ['', '{', '{"after":"x"}', 'null', '[]']) {
    writeFileSync(join(dir, 'scrub.json'), text)
    expect((await scrubber(store, clock)).passedMs).toBeUndefined()
  }
})
