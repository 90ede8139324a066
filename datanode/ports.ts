// What the datanode asks of the rooms that it only hosts: running tasks (datanode/executor) and serving map outputs
// (datanode/shuffle). It hands them orders and wires, and knows nothing of what they do with them.

import type { Channel } from '../src/block/channel.ts'
import type { Address, AttemptId, ClusterId, JobId, NodeId } from '../src/base/ids.ts'
import type { World } from '../src/ports/world.ts'
import type { TaskWork } from '../src/protocol/task.ts'
import type { TransferRequest } from '../src/protocol/transfer.ts'
import type { Caller } from '../src/rpc/call.ts'
import type { Route } from '../src/rpc/serve.ts'
import type { BlockStore } from './store/store.ts'

export interface Runner {
  /** Tasks that it runs at a time. */
  readonly slots: number
  freeSlots(): number
  running(): AttemptId[]
  /** Takes the task over; its end is reported by the runner itself. */
  run(work: TaskWork): void
  kill(attempt: AttemptId): void
  /** A job is over: its map outputs and cached state go. */
  forget(job: JobId): Promise<void>
  /** Called whenever a slot becomes free. */
  onFree(callback: () => void): void
  /** Kills what runs. */
  stop(): Promise<void>
}

export type ShuffleRequest = Extract<TransferRequest, { op: 'shuffle' }>

export interface SegmentServer {
  /**
   * Answers one request, token and cluster checked: (REPLY segment · DATA*)* · END. What it throws before the first frame is
   * sent as REPLY error and the wire lives on; later, the wire is dropped.
   */
  serve(request: ShuffleRequest, channel: Channel): Promise<void>
}

/** What running tasks needs from its node. What is known only after the first registration is a function. */
export interface TaskHost {
  readonly world: World
  readonly node: NodeId
  /** The node's home: programs, logs, map outputs and scratch files go below it. */
  readonly dir: string
  /** Its other directories. One of them was the home for a while, if the home's disk was away. */
  readonly others: readonly string[]
  readonly namenode: Address
  readonly host: string
  readonly rack: string
  readonly slots: number
  /** For one task. */
  readonly memoryBytes: number
  readonly secret: Buffer
  readonly store: BlockStore
  readonly address: () => Address
  readonly cluster: () => ClusterId
  readonly caller: () => Caller
  /** The session with the namenode; 0 while there is none. */
  readonly session: () => number
  /** The namenode's time, by which tokens go. */
  readonly nowMs: () => number
}

/** What a node with tasks has more than one without. */
export interface Tasks {
  readonly runner: Runner
  readonly segments: SegmentServer
  /** Calls that it answers, such as `task.log`. */
  readonly routes: readonly Route[]
  /** The node is part of its cluster: what makes the first task quicker may begin. Before, it would only make the node's start slower. */
  warm(): void
}

/** A node that stores blocks and runs nothing. */
export const noRunner: Runner = Object.freeze({
  slots: 0,
  freeSlots: () => 0,
  running: () => [],
  run() {},
  kill() {},
  async forget() {},
  onFree() {},
  async stop() {},
})
