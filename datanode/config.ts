// What a datanode is started with: its directories, address, namenode, slots, and the times it keeps (default: src/base/limits.ts).

import type { Address, ClusterId } from '../src/base/ids.ts'
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
  /** Data directories, one a disk. */
  readonly dirs: readonly string[]
  readonly host: string
  readonly port: number
  /** Where others reach this node; where it listens unless told. */
  readonly advertise?: Address | undefined
  readonly namenode: Address
  readonly rack: string
  /** Processes with the same one are on the same machine. */
  readonly hostName: string
  readonly secret: Buffer
  /** Must be this one, if told. */
  readonly cluster?: ClusterId | undefined
  /** Tasks at a time; 0: this node only stores. */
  readonly slots: number
  readonly memoryBytes: number
  /** Of each disk, in the background. */
  readonly scrubBytesPerSecond?: number | undefined
  readonly pid?: number | undefined
  readonly version?: string | undefined
  readonly times?: Partial<DatanodeTimes> | undefined
  /** Runs tasks on this node. */
  readonly tasks?: ((host: TaskHost) => Promise<Tasks>) | undefined
  /** Gives up waiting for the namenode while the node starts. */
  readonly signal?: AbortSignal | undefined
}
