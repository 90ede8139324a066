// What a namenode is started with.

import type { GristmillError } from '../src/base/errors.ts'
import type { Address } from '../src/base/ids.ts'
import type { Seen } from '../src/protocol/position.ts'
import type { BackupPlan } from './backup/backups.ts'
import type { KeptBounds } from './jobs/store/jobindex.ts'
import type { NamenodeTimes } from './times.ts'

export interface NamenodeConfig {
  readonly dir: string
  readonly host: string
  readonly port: number
  /** Where others reach it; where it listens unless told. */
  readonly advertise?: Address | undefined
  readonly secret: Buffer
  /** What a writer gets that does not say. */
  readonly defaults: { readonly replication: number; readonly blockBytes: number }
  /** The user that this process runs as: superuser, and owner of the root of a new cluster. */
  readonly user?: string | undefined
  readonly pid?: number | undefined
  readonly version?: string | undefined
  /** false: answers before the disk has it. Only the named test profile says so. */
  readonly sync?: boolean | undefined
  readonly times?: Partial<NamenodeTimes> | undefined
  /** How long removed things stay in the trash; 0: they do not go there. */
  readonly trashKeepMs?: number | undefined
  /** Bounds of what is kept of jobs that could not be published. */
  readonly kept?: KeptBounds | undefined
  /** Backups that it makes by itself; none unless told. */
  readonly backups?: BackupPlan | undefined
  /** What a datanode of the same process remembers of its namenodes, if it is known before that datanode registers. */
  readonly beside?: Seen | undefined
  /** The namenode cannot go on: its journal failed. The process must end, and can be started again. */
  readonly onFatal?: ((error: GristmillError) => void) | undefined
}
