// Configuration of a datanode: directories, address, namenode, slots and intervals. Default of the intervals: src/base/limits.ts.

import type { Address, ClusterId } from '../src/base/ids.ts'
import type { ServerSetting } from '../src/protocol/server.ts'
import type { Registry } from '../src/rpc/metrics.ts'
import type { TaskHost, Tasks } from './ports.ts'

export interface DatanodeTimes {
  readonly heartbeatMs: number
  readonly nodeDeadMs: number
  readonly longPollMs: number
  readonly progressTimeoutMs: number
  readonly drainMs: number
  readonly scrubPeriodMs: number
  readonly blockTrashKeepMs: number
  readonly deleteGuardMs: number
  readonly tendMs: number
}

export interface DatanodeConfig {
  /** Data directories, one per disk. */
  readonly dirs: readonly string[]
  readonly host: string
  readonly port: number
  /** Address under which clients and other nodes reach this node; default: the address on which it listens. */
  readonly advertise?: Address | undefined
  readonly namenode: Address
  readonly rack: string
  /** Name of the machine: processes with the same name share its disks. */
  readonly hostName: string
  readonly secret: Buffer
  /** Accepted beside `secret`, while that is changed (home/secret.ts). */
  readonly otherSecret?: Buffer | undefined
  /** Cluster to which the node must belong; default: the one in its directories, or the first one that it joins. */
  readonly cluster?: ClusterId | undefined
  /** Tasks that run at the same time; 0: this node only stores blocks. */
  readonly slots: number
  readonly memoryBytes: number
  /** Memory of all tasks together; default, and at least: that of as many tasks as there are slots. */
  readonly memoryBytesAll?: number | undefined
  /** Programs that it drives at the same time; default: limits.nodeDrivesMin. */
  readonly drives?: number | undefined
  /** Limit of the background scrub, per disk. */
  readonly scrubBytesPerSecond?: number | undefined
  readonly pid?: number | undefined
  readonly version?: string | undefined
  /** Settings in effect, for operators. */
  readonly settings?: readonly ServerSetting[] | undefined
  /** Adds metrics of the process to those of the datanode. */
  readonly processMetrics?: ((registry: Registry) => void) | undefined
  readonly times?: Partial<DatanodeTimes> | undefined
  /** Runs tasks on this node. */
  readonly tasks?: ((host: TaskHost) => Promise<Tasks>) | undefined
  /** Aborts the wait for the namenode while the node starts. */
  readonly signal?: AbortSignal | undefined
}
