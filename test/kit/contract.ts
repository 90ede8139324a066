// What a test cluster can do, whichever way it runs: as real processes, or simulated in this one. Tests, the nemesis, the
// checkers and users' own tests speak to these interfaces only, so that the same test runs both ways.

import type { Mill } from '../../client/mill.ts'
import type { Failpoint } from '../../src/base/failpoints.ts'

/** `process`: real processes, sockets and disks. `sim`: everything in this process, on virtual time, from a seed. */
export type Mode = 'process' | 'sim'

export interface StartOptions {
  /** 3 unless told. */
  readonly datanodes?: number
  /** Rack of datanode i, counted on from the start when there are fewer racks than nodes; all in one unless told. */
  readonly racks?: readonly string[]
  /** Everything random in a simulated cluster comes from it, and the kit's own choices in both. 1 unless told. */
  readonly seed?: number
  readonly mode?: Mode
  /** Disks of each datanode; 1 unless told. */
  readonly disks?: number
  /**
   * The power of nodes will be cut (process mode; a simulated cluster is always ready for it): each disk becomes a file system of its
   * own. Throws where the machine cannot do that; `Cluster.canCutPower()` tells before.
   */
  readonly powerCuts?: boolean
  /** More settings for every process, as in docs/reference/settings.md: `{ blockSize: '1MiB', nodeDead: '3s' }`. */
  readonly settings?: Readonly<Record<string, string>>
  /** Settings of single datanodes, by their number. */
  readonly nodeSettings?: Readonly<Record<number, Readonly<Record<string, string>>>>
}

/** Who can be cut off from whom. */
export type Party = ClusterNode | 'client'

export interface Cluster {
  readonly mode: Mode
  readonly seed: number
  readonly namenode: ClusterNode
  readonly datanodes: readonly DataNode[]
  /** A connection of the test's own: the library's one object. */
  readonly mill: Mill
  /** One more connection; closed with the cluster. */
  connect(options?: { readonly user?: string; readonly hostName?: string }): Promise<Mill>

  /** Cuts connections between two parties, and forbids new ones until `heal`. `oneWay`: only what `from` sends to `to` is lost. */
  cut(from: Party, to: Party, options?: { readonly oneWay?: boolean }): void
  /** Makes connections between two parties bad. Replaces what was said of them before. */
  spoil(from: Party, to: Party, how: Spoil): void
  /** Undoes cuts and spoils: of this pair, or all. */
  heal(from?: Party, to?: Party): void

  /** Cuts the power of these nodes at the same moment; of all, unless told. */
  powerCut(nodes?: readonly ClusterNode[], options?: PowerCut): Promise<void>

  /** Waits until so much virtual time (sim) or real time (process) has passed. Many may wait at once, each for its own time. */
  advance(ms: number): Promise<void>
  /** All datanodes that should run are registered and have reported, and safe mode is over. */
  waitActive(timeoutMs?: number): Promise<void>
  /** Every block has its number of live replicas. */
  waitReplicated(timeoutMs?: number): Promise<void>
  /** Replicated, and nothing is left to copy, trim, delete, expire or run. */
  waitQuiet(timeoutMs?: number): Promise<void>
  /** Looks at all invariants. Meant for a cluster that is healed and quiet. */
  check(): Promise<Verdict>

  /** Ends everything and removes everything. Happens by itself after a failed test. */
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export interface ClusterNode {
  readonly role: 'namenode' | 'datanode'
  /** `namenode`, `datanode1`, `datanode2`… */
  readonly name: string
  readonly running: boolean
  /** In good order, as with SIGTERM. */
  stop(): Promise<void>
  /** At once, as with SIGKILL. */
  kill(): Promise<void>
  /**
   * As the power goes: what was not synced is lost, and the node is down until `start`. In process mode the cluster must have been started
   * with `powerCuts`.
   */
  powerCut(options?: PowerCut): Promise<void>
  start(): Promise<void>
  restart(): Promise<void>
  /** Freezes and thaws the process, as with SIGSTOP and SIGCONT. */
  pause(): void
  resume(): void
  /**
   * Its event loop stands still for so long, as under a long computation or on a machine that gives it no time; what its system does for
   * it (disks, sockets) goes on. Resolves when that is over, or the process has ended.
   */
  stall(ms: number): Promise<void>
  /** Fires when the point is reached the n-th time from now (1 unless told). Undone by `heal` of the cluster and by a restart. */
  failpoint(name: Failpoint, action: FailAction, nth?: number): Promise<void>
  /** Its disk takes no more bytes. Undone by `healDisks`. */
  fillDisk(disk?: number): Promise<void>
  /** Its disk has become read-only: nothing in it can be written, renamed or removed. Undone by `healDisks`. */
  lockDisk(disk?: number): Promise<void>
  /** The n-th sync from now fails (1 unless told). */
  failSync(options?: { readonly nth?: number; readonly disk?: number }): Promise<void>
  /** Each sync of its disk takes so much longer, as on one that many write to. Undone by `healDisks`. */
  slowSync(options: { readonly ms: number; readonly disk?: number }): Promise<void>
  healDisks(): Promise<void>
}

export interface PowerCut {
  /**
   * true, unless told: processes stop before their disks do, as in a machine that goes dark. false: the disk goes first, so that its
   * process lives for a moment with a disk that refuses everything. A simulated machine always goes dark at once.
   */
  readonly freeze?: boolean
}

export interface Ability {
  readonly can: boolean
  /** Why not, and what it would need; '' if it can. */
  readonly why: string
}

export interface DataNode extends ClusterNode {
  readonly number: number
  /** The cluster's name for it. */
  readonly id: string
  /** Stops it, if it runs, and empties its disks; its identity stays unless told. */
  wipe(options?: { readonly identity?: boolean }): Promise<void>
  triggerHeartbeat(): Promise<void>
  triggerReport(): Promise<void>
  triggerScrub(): Promise<void>
  /** What lies on its disks now, whether it runs or not. */
  replicas(): Promise<Replica[]>
}

export interface Replica {
  readonly node: DataNode
  /** 16 hex digits. */
  readonly block: string
  readonly disk: number
  readonly bytes: number
  /** Are data and meta there, and do they agree, byte by byte? Asks the disk, not the node. */
  sound(): Promise<boolean>
  /** Changes the file under the node's hands. `lengthen` adds bytes; `zero` empties a sector; `unreadable` makes reads fail. */
  damage(kind: Damage): Promise<void>
  /** Exchanges its file with another's, as a misdirected write would. */
  swap(other: Replica): Promise<void>
}

export type Damage = 'flip' | 'zero' | 'truncate' | 'lengthen' | 'remove' | 'unreadable' | 'meta'
export type FailAction = 'kill' | 'throw' | 'pause'

export interface Spoil {
  /** Added to each piece of data. */
  readonly delayMs?: number
  readonly bytesPerSecond?: number
  /** Of each piece, from 0 to 1: one byte is changed, it is sent twice, the connection is reset. */
  readonly corrupt?: number
  readonly duplicate?: number
  readonly reset?: number
}

export interface Verdict {
  readonly ok: boolean
  /** One line each: the invariant's number and name, and what was found. */
  readonly broken: readonly string[]
  /** For people. */
  toString(): string
}
