// Translates user settings (heartbeat, scrub, trash, deletion guard) into a datanode's configuration. Used by every entry point that
// starts a datanode: command line, embedded cluster, tests.

import type { Settings } from '../src/base/settings.ts'
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

/** Memory of all tasks of a datanode which has so many of the machine's cores as slots; default: all. */
export const tasksMemory = ({ cores, memoryBytes }: { readonly cores: number; readonly memoryBytes: number }, slots = cores): number =>
  Math.floor(memoryBytes * memoryShare * Math.min(1, slots / cores))
