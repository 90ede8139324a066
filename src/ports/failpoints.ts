// Port: failpoints, at which a test can stop, fail or hold a process. Production code only passes their names.

import type { Failpoint } from '../base/failpointnames.ts'

/** Periodic work of a datanode that a test may trigger at once. */
export type Trigger = 'heartbeat' | 'report' | 'scrub'

export interface Failpoints {
  /** Does nothing unless the point is armed; then it may throw, or never return. */
  pass(name: Failpoint): void
  /** Like pass, for callers that can wait: the point may also hold the caller until it is released. */
  reach(name: Failpoint): Promise<void> | undefined
  /** Registers the work of a trigger, for tests; stays registered for the life of the process. */
  offer?(what: Trigger, work: () => Promise<unknown>): void
}

/** Implementation without armed points. */
export const unarmed: Failpoints = Object.freeze({ pass() {}, reach: () => undefined })
