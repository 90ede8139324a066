// Orders of a namenode to its datanodes. A datanode keeps one long poll open, which is answered as soon as there are orders. Orders
// are numbered within a session and repeated until acknowledged; a datanode carries out each number once, and refuses orders of a
// namenode that is behind what it has seen (position.ts).

import Type, { type Static } from './schema.ts'
import { limits } from '../base/limits.ts'
import { attemptId, blockId, count, empty, jobId, nodeId, nodePlace, text } from './fields.ts'
import { message } from './message.ts'
import { position } from './position.ts'
import { logLevel } from './server.ts'
import { taskWork } from './task.ts'

export const order = Type.Union([
  /** Copy a block that this node holds to other nodes, in one pipeline. */
  Type.Object({ kind: Type.Literal('replicate'), block: blockId, length: count, targets: Type.Array(nodePlace), token: text(300) }),
  Type.Object({ kind: Type.Literal('delete'), blocks: Type.Array(blockId) }),
  /** Verify a block completely against its checksums, and report it as present, bad, or missing. */
  Type.Object({ kind: Type.Literal('verify'), block: blockId }),
  /** An operator allows the deletions ordered by this recently started namenode (datanode/orders/guard.ts). */
  Type.Object({ kind: Type.Literal('trust') }),
  /** Send a full report. */
  Type.Object({ kind: Type.Literal('report') }),
  /** Log at this level from now on. Only for a node that has told its level. */
  Type.Object({ kind: Type.Literal('log'), level: logLevel }),
  Type.Object({ kind: Type.Literal('run'), work: taskWork }),
  Type.Object({ kind: Type.Literal('kill'), attempt: attemptId }),
  /** A job has ended: drop its map outputs and cached state; keep its logs. */
  Type.Object({ kind: Type.Literal('forget'), job: jobId }),
])
export type Order = Static<typeof order>

/** An ordered copy failed, for these targets: sent at once and only once; if it is lost, a timeout detects the failure. */
export const copyFailed = message('order.copyFailed', {
  callers: 'node',
  request: Type.Object({
    node: nodeId,
    session: count,
    block: blockId,
    targets: Type.Array(nodeId, { maxItems: limits.replicationMax }),
    /** The node's own replica failed, not the targets. */
    source: Type.Boolean(),
    message: text(1000),
  }),
  reply: empty,
})
export type CopyFailed = Omit<Static<typeof copyFailed.request>, 'node' | 'session'>

export const orders = message('order.wait', {
  callers: 'node',
  waits: true,
  request: Type.Object({
    node: nodeId, session: count,
    /** The highest order number carried out or accepted; 0 at first. */
    acknowledged: count,
    /** Slots that could start a task now; the scheduler offers no more. */
    freeSlots: count,
  }),
  reply: Type.Object({
    epoch: count, at: Type.Optional(position), provisional: Type.Optional(Type.Boolean()),
    orders: Type.Array(Type.Object({ seq: count, order })),
  }),
})
