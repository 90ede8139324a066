// Where a test can take hold of a process. Production code passes points by name and knows nothing of what is done there.

import type { Failpoint } from '../base/failpoints.ts'

/** What a datanode does by itself now and then, and a test may want at once. */
export type Trigger = 'heartbeat' | 'report' | 'scrub'

export interface Failpoints {
  /** Does nothing unless the point is armed; then it may throw, or not return at all. */
  pass(name: Failpoint): void
  /** The same where the caller can wait: may also hold it until it is released. */
  reach(name: Failpoint): Promise<void> | undefined
  /** Tells how something is caused at once; a test may ask for it as long as the process lives. */
  offer?(what: Trigger, work: () => Promise<unknown>): void
}

/** Nothing is ever armed. */
export const unarmed: Failpoints = Object.freeze({ pass() {}, reach: () => undefined })
