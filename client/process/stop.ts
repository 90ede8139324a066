// Ends processes that are listed in a file rather than started by this process: SIGTERM, time to drain, then SIGKILL. Before every
// signal the process is checked against its recorded start, since pids are reused.

import { limits } from '../../src/base/limits.ts'
import { waitUntil } from '../../src/base/retry.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Machine } from '../../src/ports/machine.ts'
import { isAlive, type RunningProcess } from '../discovery/running.ts'

const lookMs = 25
/** Time beyond the drain: closing stores, ending executors, on a machine that does much else. */
const slackMs = 10_000

export interface Stopped { readonly process: RunningProcess; readonly how: 'ended' | 'killed' | 'was gone' }

/** Gateways first, while their cluster answers; then datanodes: they tell the namenode that they leave, so that it does not miss them. */
export async function stopAll(
  world: { clock: Clock; machine: Machine }, processes: readonly RunningProcess[], graceMs = limits.drainMs + slackMs,
): Promise<Stopped[]> {
  const results: Stopped[] = []
  for (const role of ['gateway', 'datanode', 'namenode'] as const) {
    const those = processes.filter(process => process.role === role)
    results.push(...await Promise.all(those.map(process => stopOne(world, process, graceMs))))
  }
  return results
}

async function stopOne({ clock, machine }: { clock: Clock; machine: Machine }, process: RunningProcess, graceMs: number): Promise<Stopped> {
  if (!isAlive(machine, process)) return { process, how: 'was gone' }
  machine.signal(process.pid, 'SIGTERM')
  // A stopped process (Ctrl-Z) does not handle SIGTERM before it continues.
  machine.signal(process.pid, 'SIGCONT')
  const hasEnded = (): boolean => !isAlive(machine, process)
  if (await waitUntil(hasEnded, { clock, pauseMs: lookMs, untilMs: clock.mono() + graceMs })) return { process, how: 'ended' }
  if (!hasEnded()) machine.signal(process.pid, 'SIGKILL')
  await waitUntil(hasEnded, { clock, pauseMs: lookMs })
  return { process, how: 'killed' }
}
