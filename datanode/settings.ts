// What a person may say about how a datanode keeps time and looks after its disks, as its configuration. The same wherever
// datanodes are started.

import type { Settings } from '../src/base/settings.ts'
import type { DatanodeConfig, DatanodeTimes } from './config.ts'

export function careOf(settings: Partial<Settings>): Pick<DatanodeConfig, 'times' | 'scrubBytesPerSecond'> {
  const { heartbeat, nodeDead, scrubPeriod, scrubRate, blockTrashKeep, deleteGuard } = settings
  const said: { [Name in keyof DatanodeTimes]?: number | undefined } = {
    heartbeatMs: heartbeat, nodeDeadMs: nodeDead, scrubPeriodMs: scrubPeriod, blockTrashKeepMs: blockTrashKeep, deleteGuardMs: deleteGuard,
  }
  const times = Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined)) as Partial<DatanodeTimes>
  return { times, ...scrubRate !== undefined && { scrubBytesPerSecond: Math.max(1, scrubRate) } }
}
