// Runs seeds that were never tried before, one process per core. They are no part of `npm test`, whose verdict depends on the commit
// alone; each plan that fails is filed in kept/, which `npm test` runs.

import { spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { join } from 'node:path'
import { availableParallelism } from 'node:os'

export interface FreshOptions {
  /** Seeds to run, over all processes. */
  readonly count: number
  /** First seed; default: drawn at random. */
  readonly from?: string | undefined
  readonly minutes?: string | undefined
  readonly workload?: string | undefined
  readonly profile?: string | undefined
}

/** Above all seeds that are fixed in the tests, with room for any count below 2^53. */
const firstSeed = { min: 1_000_000, max: 2 ** 47 }

/** Resolves to the exit code: 0 when no seed has a finding, 1 otherwise. Prints the range first, so that a run can be repeated. */
export async function runFresh({ count, from, minutes, workload, profile }: FreshOptions): Promise<number> {
  const first = from === undefined ? randomInt(firstSeed.min, firstSeed.max) : Number(from)
  const processes = Math.max(1, Math.min(availableParallelism(), count))
  const each = Math.ceil(count / processes)
  console.log(
    `seeds ${first} to ${first + count - 1}, in ${processes} processes; the same again: node test/sim/run.ts --fresh ${count} --from ${first}`,
  )
  const extra = Object.entries({ minutes, workload, profile }).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}`, value]))
  const codes = await Promise.all(Array.from({ length: processes }, (_, i) => {
    const seeds = Math.min(each, count - i * each)
    return seeds <= 0 ? 0 : run(['--seeds', String(seeds), '--from', String(first + i * each), '--keep', ...extra])
  }))
  return codes.every(code => code === 0) ? 0 : 1
}

function run(args: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'run.ts'), ...args], { stdio: ['ignore', 'inherit', 'inherit'] })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', code => resolve(code ?? 1))
  })
}
