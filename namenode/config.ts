// Configuration of a namenode: directory, address, secret, defaults of files, intervals, trash, backups, audit log. Made from the user's
// settings by client/process/namenode.ts and client/embedded/owner.ts.

import type { JobQueue } from '../src/base/jobqueues.ts'
import type { GristmillError } from '../src/base/errors.ts'
import type { Address } from '../src/base/ids.ts'
import type { Audit } from '../src/ports/audit.ts'
import type { Seen } from '../src/protocol/position.ts'
import type { ServerSetting } from '../src/protocol/server.ts'
import type { Registry } from '../src/rpc/metrics.ts'
import type { BackupPlan } from './backup/backups.ts'
import type { KeptBounds } from './jobs/store/jobindex.ts'
import type { NamenodeTimes } from './times.ts'

export interface NamenodeConfig {
  readonly dir: string
  readonly host: string
  readonly port: number
  /** Address at which others reach it; default: the address it listens on. */
  readonly advertise?: Address | undefined
  readonly secret: Buffer
  /** Accepted beside `secret`, while that is changed (home/secret.ts). */
  readonly otherSecret?: Buffer | undefined
  /** Defaults for writers. */
  readonly defaults: { readonly replication: number; readonly blockBytes: number }
  /** User that this process runs as: superuser, and owner of the root of a new cluster. */
  readonly user: string
  readonly pid?: number | undefined
  readonly version?: string | undefined
  /** Settings in effect, for operators. */
  readonly settings?: readonly ServerSetting[] | undefined
  /** Gets an entry for each call of a user. */
  readonly audit?: Audit | undefined
  /** Adds metrics of the process to those of the namenode. */
  readonly processMetrics?: ((registry: Registry) => void) | undefined
  /** false: operations are acknowledged before they are synced (profile `test-without-fsync`). */
  readonly sync?: boolean | undefined
  readonly times?: Partial<NamenodeTimes> | undefined
  /** Time that removed entries stay in the trash; 0: no trash. */
  readonly trashKeepMs?: number | undefined
  /** Time after its begin at which an upload in parts that was not ended is removed; 0: never. */
  readonly uploadKeepMs?: number | undefined
  /** Length up to which small files are stored here, without blocks; default: 0, all files have blocks. */
  readonly inlineBytes?: number | undefined
  /** Older versions of an output that are kept (0: none), and for how long (0: for ever). */
  readonly versions?: { readonly keep?: number | undefined; readonly keepMs?: number | undefined } | undefined
  /** Queues of jobs, beside the default one. */
  readonly queues?: readonly JobQueue[] | undefined
  /** Jobs of one user that have not ended; default: limits.jobsRunningMax. */
  readonly jobsPerUser?: number | undefined
  /** Files with the datanodes that may join, and with those that are decommissioned. */
  readonly hosts?: { readonly include?: string | undefined; readonly exclude?: string | undefined } | undefined
  /** Bounds of kept outputs of jobs. */
  readonly kept?: KeptBounds | undefined
  /** Periodic backups; default: none. */
  readonly backups?: BackupPlan | undefined
  /** Position remembered by a datanode of the same process, if known before it registers. */
  readonly beside?: Seen | undefined
  /** Called if the journal failed. The process must end, and can be started again. */
  readonly onFatal?: ((error: GristmillError) => void) | undefined
}
