// World: all ports of a process in one object; real ones come from src/world, simulated ones from the test kit.

import type { Clock } from './clock.ts'
import type { OpenDatabase } from './database.ts'
import type { Disk } from './disk.ts'
import type { Failpoints } from './failpoints.ts'
import type { HttpFetch } from './httpfetch.ts'
import type { LevelControl, Log } from './log.ts'
import type { Net } from './net.ts'
import type { LoadAvro } from './avro.ts'
import type { OpenKafka } from './kafka.ts'
import type { OpenPostgres } from './postgres.ts'
import type { Processes } from './process.ts'
import type { Random } from './random.ts'
import type { RowCheck, Store } from './store.ts'

export interface World {
  readonly clock: Clock
  readonly random: Random
  readonly disk: Disk
  readonly net: Net
  readonly log: Log
  /** Level of `log`, if it can be changed. */
  readonly logControl?: LevelControl | undefined
  readonly processes: Processes
  readonly failpoints: Failpoints
  /**
   * Recomputes and checks redundant state after every event, at a cost proportional to its size. Simulations only; default: false.
   */
  readonly checked?: boolean
  /** Opens (or creates) a store in a directory. `tables`: those that it will have; new ones share one sync. */
  openStore(directory: string, options?: { mapBytes?: number; sync?: boolean; tables?: readonly string[] }): Promise<Store>
  /**
   * Checks a closed store completely, without trusting its file: its structure, and each row in key order. Throws CORRUPT with the
   * first problem, or the error of `row`. A missing store has no rows.
   */
  inspectStore(directory: string, row?: RowCheck): Promise<void>
  /** Opens an SQL engine. A simulation has none. */
  readonly openDatabase?: OpenDatabase | undefined
  /** Writes to the standard output, for a person who asks to see something. */
  readonly print?: ((text: string) => void) | undefined
  /** Sends HTTP requests to servers outside of the cluster. A simulation has none. */
  readonly httpFetch?: HttpFetch | undefined
  /** Opens connections to PostgreSQL. A simulation has none. */
  readonly openPostgres?: OpenPostgres | undefined
  /** Opens clients of Kafka. A simulation has none. */
  readonly openKafka?: OpenKafka | undefined
  readonly loadAvro?: LoadAvro | undefined
}
