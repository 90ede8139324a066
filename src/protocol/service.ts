// What operators say of datanodes: which of them are to be emptied, which are away for a while, and that bytes are to be
// spread evenly. All of it is the superuser's alone.

import Type, { type Static } from './schema.ts'
import { limits } from '../base/limits.ts'
import { nodeStatus } from './admin.ts'
import { count, instant, requestId, text } from './fields.ts'
import { message } from './message.ts'

/** An id, an address, or a host that has one datanode. */
const node = text(300)

/**
 * Copies a node's blocks elsewhere; then it may be switched off. EINVAL if too few nodes would be left; SAFE_MODE while that is not known.
 */
export const decommission = message('service.decommission', {
  mutation: true,
  request: Type.Object({ requestId, node }),
  reply: nodeStatus,
})

/** Back in service, whatever it was: decommissioned, about to be, or in maintenance. */
export const recommission = message('service.recommission', {
  mutation: true,
  request: Type.Object({ requestId, node }),
  reply: nodeStatus,
})

/** Its blocks are not copied while it is away, until the time is over. Said again, it sets another time. */
export const maintenance = message('service.maintenance', {
  mutation: true,
  request: Type.Object({ requestId, node, forMs: Type.Integer({ minimum: 1000, maximum: limits.maintenanceMsMax }) }),
  reply: nodeStatus,
})

export const balanceState = Type.Object({
  running: Type.Boolean(),
  /** Nodes may differ from the average by so many points of a hundred. */
  threshold: Type.Number(),
  /** That one node sends, and receives, on average. */
  bytesPerSecond: count,
  sinceMs: Type.Optional(instant),
  moves: count,
  movedBytes: count,
  failures: count,
  pending: count,
  /** Of a hundred, over the nodes that take part. */
  average: Type.Number(),
  lowest: Type.Number(),
  highest: Type.Number(),
  /** What it is doing, or why it has ended. */
  remark: text(300),
})
export type BalanceState = Static<typeof balanceState>

export const balance = message('service.balance', {
  mutation: true,
  request: Type.Object({ requestId, threshold: Type.Number({ minimum: 0, maximum: 100 }), bytesPerSecond: Type.Integer({ minimum: 1 }) }),
  reply: balanceState,
})

/** Copies on their way still end, and their sources are trimmed. */
export const stopBalance = message('service.stopBalance', { mutation: true, request: Type.Object({ requestId }), reply: balanceState })

export const balanceStatus = message('service.balanceStatus', { request: Type.Object({}), reply: balanceState })
