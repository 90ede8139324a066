// Timing settings of a namenode, for tests and for slow networks. Defaults: src/base/limits.ts; the relations asserted there
// hold here as well.

import { GristmillError } from '../src/base/errors.ts'
import { limits } from '../src/base/limits.ts'

export interface NamenodeTimes {
  readonly heartbeatMs: number
  readonly nodeStaleMs: number
  readonly nodeDeadMs: number
  readonly leaseSoftMs: number
  readonly leaseHardMs: number
  readonly longPollMs: number
  readonly drainMs: number
}

/** Throws CONFIG_INVALID if they contradict each other. */
export function timesFrom(given: Partial<NamenodeTimes> = {}): NamenodeTimes {
  const nodeDeadMs = given.nodeDeadMs ?? limits.nodeDeadMs
  const times: NamenodeTimes = {
    heartbeatMs: given.heartbeatMs ?? limits.heartbeatMs,
    nodeStaleMs: given.nodeStaleMs ?? Math.min(limits.nodeStaleMs, nodeDeadMs / 3),
    nodeDeadMs,
    leaseSoftMs: given.leaseSoftMs ?? limits.leaseSoftMs,
    leaseHardMs: given.leaseHardMs ?? limits.leaseHardMs,
    longPollMs: given.longPollMs ?? limits.longPollMs,
    drainMs: given.drainMs ?? limits.drainMs,
  }
  const smaller = (a: keyof NamenodeTimes, b: keyof NamenodeTimes): void => {
    if (times[a] >= times[b]) throw new GristmillError('CONFIG_INVALID', `${a} (${times[a]}) must be less than ${b} (${times[b]})`)
  }
  smaller('heartbeatMs', 'nodeStaleMs')
  smaller('nodeStaleMs', 'nodeDeadMs')
  smaller('leaseSoftMs', 'leaseHardMs')
  return times
}
