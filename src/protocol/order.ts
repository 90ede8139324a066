// What a namenode tells its datanodes to do. A datanode keeps one waiting call open; the answer comes as soon as
// there is something. Orders are numbered within a session and repeated until acknowledged; a datanode runs each
// number once, and refuses orders of a namenode that is behind what it has seen (position.ts).

import Type, { type Static } from './schema.ts'
import { limits } from '../base/limits.ts'
import { attemptId, blockId, count, empty, jobId, nodeId, nodePlace, text } from './fields.ts'
import { message } from './message.ts'
import { position } from './position.ts'
import { taskWork } from './task.ts'

export const order = Type.Union([
  /** Copy a block that this node holds to others, in one pipeline. */
  Type.Object({ kind: Type.Literal('replicate'), block: blockId, length: count, targets: Type.Array(nodePlace), token: text(300) }),
  Type.Object({ kind: Type.Literal('delete'), blocks: Type.Array(blockId) }),
  /** Read a block whole and compare its checksums; report it as it is: there, bad, or not there. */
  Type.Object({ kind: Type.Literal('verify'), block: blockId }),
  /** An operator says that what this namenode wants removed may go, young as it is (datanode/orders/guard.ts). */
  Type.Object({ kind: Type.Literal('trust') }),
  /** Send a full report. */
  Type.Object({ kind: Type.Literal('report') }),
  Type.Object({ kind: Type.Literal('run'), work: taskWork }),
  Type.Object({ kind: Type.Literal('kill'), attempt: attemptId }),
  /** A job is over: drop its map outputs, its cached state; its logs stay. */
  Type.Object({ kind: Type.Literal('forget'), job: jobId }),
])
export type Order = Static<typeof order>

/** A copy that was ordered came to nothing, for these targets: said at once and once; what is not heard is found out by time. */
export const copyFailed = message('order.copyFailed', {
  request: Type.Object({
    node: nodeId,
    session: count,
    block: blockId,
    targets: Type.Array(nodeId, { maxItems: limits.replicationMax }),
    /** The node's own replica is to blame, not the targets. */
    source: Type.Boolean(),
    message: text(1000),
  }),
  reply: empty,
})
export type CopyFailed = Omit<Static<typeof copyFailed.request>, 'node' | 'session'>

export const orders = message('order.wait', {
  waits: true,
  request: Type.Object({
    node: nodeId, session: count,
    /** The highest order number carried out or taken over; 0 at first. */
    acknowledged: count,
    /** Slots that could start a task now; the scheduler offers no more than this. */
    freeSlots: count,
  }),
  reply: Type.Object({
    epoch: count, at: Type.Optional(position), provisional: Type.Optional(Type.Boolean()),
    orders: Type.Array(Type.Object({ seq: count, order })),
  }),
})
