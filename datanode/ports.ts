// Interfaces between the datanode and the parts that it hosts: running tasks (datanode/executor) and serving map outputs
// (datanode/shuffle). The datanode hands them orders and wires and does not depend on their implementation.

import type { NodeMemory } from '../src/protocol/heartbeat.ts'
import type { Channel } from '../src/block/channel.ts'
import type { Address, AttemptId, ClusterId, JobId, NodeId } from '../src/base/ids.ts'
import type { World } from '../src/ports/world.ts'
import type { TaskWork } from '../src/protocol/task.ts'
import type { TransferRequest } from '../src/protocol/transfer.ts'
import type { Caller } from '../src/rpc/call.ts'
import type { Route } from '../src/rpc/serve.ts'
import type { BlockStore } from './store/store.ts'

export interface Runner {
  /** Maximum number of tasks that run at the same time. */
  readonly slots: number
  /** Memory of a task that asks for none, and of all tasks together; undefined: it runs none. */
  readonly memory: NodeMemory | undefined
  /** Programs that it drives at the same time; undefined: it runs no tasks. */
  readonly drives: number | undefined
  freeSlots(): number
  /** Number of attempts that have ended. */
  readonly ended: number
  running(): AttemptId[]
  /** Accepts the task; the runner itself reports its end. */
  run(work: TaskWork): void
  kill(attempt: AttemptId): void
  /** A job has ended: removes its map outputs and cached state. */
  forget(job: JobId): Promise<void>
  /** Kills running attempts. */
  stop(): Promise<void>
}

export type ShuffleRequest = Extract<TransferRequest, { op: 'shuffle' }>

export interface SegmentServer {
  /**
   * Answers one request whose token and cluster were checked: (REPLY segment · DATA*)* · END. An error thrown before the first frame
   * is sent as REPLY error and the wire stays open; a later one closes the wire.
   */
  serve(request: ShuffleRequest, channel: Channel): Promise<void>
}

/** Parts and facts of a datanode that its task runner needs. Those known only after the first registration are functions. */
export interface TaskHost {
  readonly world: World
  readonly node: NodeId
  /** The node's home: programs, logs, map outputs and scratch files are stored below it. */
  readonly dir: string
  /** The node's other directories. One of them may have been the home earlier, while the home's disk was unusable. */
  readonly others: readonly string[]
  readonly namenode: Address
  readonly host: string
  readonly rack: string
  readonly slots: number
  /** Memory of one task. */
  readonly memoryBytes: number
  /** Memory of all tasks together. */
  readonly memoryBytesAll: number
  /** Programs that it drives at the same time. */
  readonly drives: number
  readonly secret: Buffer
  readonly otherSecret: Buffer | undefined
  readonly store: BlockStore
  readonly address: () => Address
  readonly cluster: () => ClusterId
  readonly caller: () => Caller
  /** Number of the session with the namenode; 0 while there is none. */
  readonly session: () => number
  /** The namenode's time, used for the expiry of tokens. */
  readonly nowMs: () => number
}

/** Parts that only a datanode with task slots has. */
export interface Tasks {
  readonly runner: Runner
  readonly segments: SegmentServer
  /** Calls of the protocol that it serves, such as `task.log`. */
  readonly routes: readonly Route[]
  /** Called once the node has registered: starts an executor in advance. Doing it earlier would only delay the node's start. */
  warm(): void
  /** Throws AssertionFailed if state that is kept by hand differs from a recount. For tests and simulations. */
  checkState(): void
}

/** Runner of a node without slots. */
export const noRunner: Runner = Object.freeze({
  slots: 0,
  memory: undefined,
  drives: undefined,
  freeSlots: () => 0,
  ended: 0,
  running: () => [],
  run() {},
  kill() {},
  async forget() {},
  async stop() {},
})
