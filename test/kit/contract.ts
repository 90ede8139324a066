// Interfaces of a test cluster, the same for real processes and for a simulation in this process. Tests, the nemesis, the checkers
// and users' own tests use only these interfaces, so the same test runs in both modes.

import type { Mill } from '../../client/mill.ts'
import type { FailAction, Failpoint } from '../../src/base/failpointnames.ts'

/** `process`: real processes, sockets and disks. `sim`: everything in this process, on virtual time, from a seed. */
export type Mode = 'process' | 'sim'

export interface StartOptions {
  /** Default: 3. */
  readonly datanodes?: number
  /** Rack of datanode i; the list is repeated when it is shorter than the number of datanodes. Default: one rack for all. */
  readonly racks?: readonly string[]
  /** Source of all randomness in a simulated cluster, and of the kit's own choices in both modes. Default: 1. */
  readonly seed?: number
  readonly mode?: Mode
  /** Disks of each datanode; default: 1. */
  readonly disks?: number
  /**
   * Allows power cuts in process mode: each disk becomes a file system of its own. A simulated cluster always allows them. Throws on a
   * machine that cannot do that; check `Cluster.canCutPower()` first.
   */
  readonly powerCuts?: boolean
  /** Additional settings for every process, as in docs/reference/settings.md: `{ blockSize: '1MiB', nodeDead: '3s' }`. */
  readonly settings?: Readonly<Record<string, string>>
  /** Additional settings of single datanodes, by their number (from 1). */
  readonly nodeSettings?: Readonly<Record<number, Readonly<Record<string, string>>>>
}

/** One end of a connection that a test can cut or spoil. */
export type Party = ClusterNode | 'client'

export interface Cluster {
  readonly mode: Mode
  readonly seed: number
  readonly namenode: ClusterNode
  readonly datanodes: readonly DataNode[]
  /** The test's own connection to the cluster: the library's main object. */
  readonly mill: Mill
  /** Opens one more connection; closed with the cluster. */
  connect(options?: { readonly user?: string; readonly hostName?: string }): Promise<Mill>

  /** Cuts connections between two parties and blocks new ones until `heal`. `oneWay`: only data from `from` to `to` is lost. */
  cut(from: Party, to: Party, options?: { readonly oneWay?: boolean }): void
  /** Degrades connections between two parties. Replaces an earlier `spoil` of the pair. */
  spoil(from: Party, to: Party, how: Spoil): void
  /** Undoes cuts and spoils: of this pair, of one party, or (without arguments) all. */
  heal(from?: Party, to?: Party): void

  /** Cuts the power of these nodes at the same moment; default: all nodes. */
  powerCut(nodes?: readonly ClusterNode[], options?: PowerCut): Promise<void>

  /** Waits for `ms` of virtual time (sim) or real time (process). Concurrent calls wait independently of each other. */
  advance(ms: number): Promise<void>
  /** Waits until all running datanodes are registered and have reported, and safe mode is over. */
  waitActive(timeoutMs?: number): Promise<void>
  /** Waits until every block has its number of live replicas. */
  waitReplicated(timeoutMs?: number): Promise<void>
  /** Waits until the cluster is replicated, and no copy, deletion of replicas, lease or job is pending. */
  waitQuiet(timeoutMs?: number): Promise<void>
  /** Checks all invariants. Meant for a cluster that is healed and quiet. */
  check(): Promise<Verdict>

  /** Ends all processes and removes all data. Also runs automatically after a failed test. */
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export interface ClusterNode {
  readonly role: 'namenode' | 'datanode'
  /** `namenode`, `datanode1`, `datanode2`… */
  readonly name: string
  readonly running: boolean
  /** Graceful stop, as by SIGTERM. */
  stop(): Promise<void>
  /** Immediate end, as by SIGKILL. */
  kill(): Promise<void>
  /**
   * Power failure: data that was not synced is lost, and the node is down until `start`. REQUIRES, in process mode: the cluster was
   * started with `powerCuts`.
   */
  powerCut(options?: PowerCut): Promise<void>
  start(): Promise<void>
  restart(): Promise<void>
  /** Pauses and resumes the process, as by SIGSTOP and SIGCONT. */
  pause(): void
  resume(): void
  /**
   * Blocks its event loop for `ms`, as a long computation or an overloaded machine does; its pending disk and socket operations go on in
   * the operating system. Resolves when the stall is over or the process has ended.
   */
  stall(ms: number): Promise<void>
  /** Acts when the failpoint is reached the n-th time from now (default: 1). Undone by `heal` of the cluster and by a restart. */
  failpoint(name: Failpoint, action: FailAction, nth?: number): Promise<void>
  /** Fills its disk: writes fail with ENOSPC. Undone by `healDisks`. */
  fillDisk(disk?: number): Promise<void>
  /** Makes its disk read-only: nothing in it can be written, renamed or removed. Undone by `healDisks`. */
  lockDisk(disk?: number): Promise<void>
  /** The n-th sync from now fails (default: 1). */
  failSync(options?: { readonly nth?: number; readonly disk?: number }): Promise<void>
  /** Adds `ms` to each sync of its disk, as on an overloaded disk. Undone by `healDisks`. */
  slowSync(options: { readonly ms: number; readonly disk?: number }): Promise<void>
  healDisks(): Promise<void>
}

export interface PowerCut {
  /**
   * true (default): processes stop before their disks do, as in a machine that loses power. false: the disk fails first, and its
   * process lives on for a moment with a disk that refuses every call. A simulated machine always stops at once.
   */
  readonly freeze?: boolean
}

export interface Ability {
  readonly can: boolean
  /** Reason and missing requirement; '' if `can` is true. */
  readonly why: string
}

export interface DataNode extends ClusterNode {
  readonly number: number
  /** Node id in the cluster. */
  readonly id: string
  /** Kills it, if it runs, and empties its disks. `identity`: also removes its identity; default: false. */
  wipe(options?: { readonly identity?: boolean }): Promise<void>
  triggerHeartbeat(): Promise<void>
  triggerReport(): Promise<void>
  triggerScrub(): Promise<void>
  /** Replicas on its disks now, whether it runs or not. */
  replicas(): Promise<Replica[]>
}

export interface Replica {
  readonly node: DataNode
  /** 16 hex digits. */
  readonly block: string
  readonly disk: number
  readonly bytes: number
  /** True if data and meta file exist and their checksums agree. Reads the disk, without asking the node. */
  sound(): Promise<boolean>
  /** Damages the file without the node's knowledge. `lengthen` adds bytes; `zero` empties a sector; `unreadable` makes reads fail. */
  damage(kind: Damage): Promise<void>
  /** Exchanges its file with another replica's, as a misdirected write would. */
  swap(other: Replica): Promise<void>
}

export type Damage = 'flip' | 'zero' | 'truncate' | 'lengthen' | 'remove' | 'unreadable' | 'meta'

export interface Spoil {
  /** Delay of each piece of data. */
  readonly delayMs?: number
  readonly bytesPerSecond?: number
  /** Probabilities per piece, 0 to 1: one byte is changed; it is sent twice; the connection is reset. */
  readonly corrupt?: number
  readonly duplicate?: number
  readonly reset?: number
}

export interface Verdict {
  readonly ok: boolean
  /** One line for each violation: number and name of the invariant, and the finding. */
  readonly broken: readonly string[]
  /** Human-readable text. */
  toString(): string
}
