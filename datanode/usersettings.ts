// Translates user settings (heartbeat, scrub, trash, deletion guard) into a datanode's configuration. Used by every entry point that
// starts a datanode: command line, embedded cluster, tests.

import { limits } from '../src/base/limits.ts'
import type { Settings } from '../src/base/settings.ts'
import { MiB } from '../src/base/units.ts'
import type { DatanodeConfig, DatanodeTimes } from './config.ts'

export function configFrom(settings: Partial<Settings>): Pick<DatanodeConfig, 'times' | 'scrubBytesPerSecond'> {
  const { heartbeat, nodeDead, scrubPeriod, scrubRate, blockTrashKeep, deleteGuard } = settings
  const given: { [Name in keyof DatanodeTimes]?: number | undefined } = {
    heartbeatMs: heartbeat, nodeDeadMs: nodeDead, scrubPeriodMs: scrubPeriod, blockTrashKeepMs: blockTrashKeep, deleteGuardMs: deleteGuard,
  }
  const times = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Partial<DatanodeTimes>
  return { times, ...scrubRate !== undefined && { scrubBytesPerSecond: Math.max(1, scrubRate) } }
}

/** Share of the machine's memory that its tasks may have together. */
const memoryShare = 3 / 4

/** Share of the processes that drive programs: half of what tasks leave. */
const drivesShare = 1 / 8
/** Of one of them: two processes of Node, of which one holds the program and the results that it has got. */
const driveBytes = 256 * MiB

interface Machine { readonly cores: number; readonly memoryBytes: number }

/** Memory of all tasks of a datanode which has so many of the machine's cores as slots; default: all. */
export const tasksMemory = (machine: Machine, slots?: number): number => Math.floor(memoryOf(machine, slots) * memoryShare)

/** Programs that such a datanode drives at the same time. */
export const drivesOf = (machine: Machine, slots?: number): number =>
  Math.min(limits.jobsRunningMax, Math.max(limits.nodeDrivesMin, Math.floor(memoryOf(machine, slots) * drivesShare / driveBytes)))

const memoryOf = ({ cores, memoryBytes }: Machine, slots = cores): number => memoryBytes * Math.min(1, slots / cores)
