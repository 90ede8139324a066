// Ends processes that were found in a file rather than started here: each is asked to end, given time to drain, and killed
// if it does not. Before every signal the process is compared with the one that was meant.

import { limits } from '../../src/base/limits.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Machine } from '../../src/ports/machine.ts'
import { isAlive, type RunningProcess } from '../running.ts'

const lookMs = 25
/** Beside the drain itself: closing stores, ending executors. */
const slackMs = 3_000

export interface Stopped { readonly process: RunningProcess; readonly how: 'ended' | 'killed' | 'was gone' }

/** Datanodes first: they tell the namenode that they leave, which then has nobody left to miss. */
export async function stopAll(
  world: { clock: Clock; machine: Machine }, processes: readonly RunningProcess[], graceMs = limits.drainMs + slackMs,
): Promise<Stopped[]> {
  const datanodes = processes.filter(process => process.role === 'datanode')
  const others = processes.filter(process => process.role !== 'datanode')
  const results = await Promise.all(datanodes.map(process => stopOne(world, process, graceMs)))
  results.push(...(await Promise.all(others.map(process => stopOne(world, process, graceMs)))))
  return results
}

async function stopOne({ clock, machine }: { clock: Clock; machine: Machine }, process: RunningProcess, graceMs: number): Promise<Stopped> {
  if (!isAlive(machine, process)) return { process, how: 'was gone' }
  machine.signal(process.pid, 'SIGTERM')
  // One that was stopped (Ctrl-Z) could not hear it.
  machine.signal(process.pid, 'SIGCONT')
  const until = clock.mono() + graceMs
  while (clock.mono() < until) {
    if (!isAlive(machine, process)) return { process, how: 'ended' }
    await clock.sleep(lookMs)
  }
  if (isAlive(machine, process)) machine.signal(process.pid, 'SIGKILL')
  while (isAlive(machine, process)) await clock.sleep(lookMs)
  return { process, how: 'killed' }
}
