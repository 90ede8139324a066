// All that a process gets from outside, in one object: real ones come from src/world, simulated ones from the test kit.

import type { Clock } from './clock.ts'
import type { Disk } from './disk.ts'
import type { Failpoints } from './failpoints.ts'
import type { Log } from './log.ts'
import type { Net } from './net.ts'
import type { Processes } from './process.ts'
import type { Random } from './random.ts'
import type { RowCheck, Store } from './store.ts'

export interface World {
  readonly clock: Clock
  readonly random: Random
  readonly disk: Disk
  readonly net: Net
  readonly log: Log
  readonly processes: Processes
  readonly failpoints: Failpoints
  /**
   * State that is kept by hand is counted anew after every event, which costs time in proportion to it. Simulations only; default: false.
   */
  readonly checked?: boolean
  /** Opens (or creates) a store in a directory. */
  openStore(directory: string, options?: { mapBytes?: number; sync?: boolean }): Promise<Store>
  /**
   * Looks at all of a store that nobody has open, without trusting its file: its structure, and each row in key order.
   * Throws CORRUPT with what is wrong, or what `row` throws. No store has no rows.
   */
  inspectStore(directory: string, row?: RowCheck): Promise<void>
}
