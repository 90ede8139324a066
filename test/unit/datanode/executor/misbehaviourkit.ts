// One datanode with real executor processes for misbehaving programs. After each test the next task runs, and nothing of the failed attempt
// is left.

import { readdir } from 'node:fs/promises'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { Bench, program } from './kit.ts'

export let bench: Bench

/** One datanode for the calling file. After each misbehaviour the next task runs, and nothing of the failed attempt is left. */
export function eachLeavesTheNodeWell(): void {
  beforeAll(async () => {
    bench = await Bench.start({ datanodes: 1, prestart: true })
    await bench.file('/in', 'good\nbad\nlast\n')
  })
  afterAll(() => bench[Symbol.asyncDispose]())
  afterEach(async () => {
    const done = await bench.done(program(`map(line: string, emit) { emit(null, line) }`), '/in')
    expect(await bench.outputOf(done)).toBe('good\nbad\nlast\n')
    const shuffle = await readdir(`${bench.mill.dirOf(0)}/shuffle`, { recursive: true })
    expect(shuffle.filter(name => name.includes('.'))).toEqual([])
    // One that ends may still be there beside the next one.
    await expect.poll(() => bench.runner().pids.length, { timeout: 120_000 }).toBeLessThanOrEqual(2)
  })
}

export const alive = (pid: number): boolean => {
  try { process.kill(pid, 0); return true } catch { return false }
}
