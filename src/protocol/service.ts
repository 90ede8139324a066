// Messages of operators about datanodes: decommission, maintenance, forgetting, balance. All require the superuser.

import Type, { type Static } from './schema.ts'
import { limits } from '../base/limits.ts'
import { nodeStatus } from './admin.ts'
import { count, instant, requestId, text } from './fields.ts'
import { message } from './message.ts'

/** An id, an address, or a host that has one datanode. */
const node = text(300)

/**
 * Copies a node's blocks elsewhere; then it may be switched off. EINVAL if too few nodes would remain; SAFE_MODE while that is
 * unknown.
 */
export const decommission = message('service.decommission', {
  callers: 'user',
  audit: ({ node }) => ({ node }),
  mutation: true, paths: 'unchecked',
  request: Type.Object({ requestId, node }),
  reply: nodeStatus,
})

/** Puts a node back into service: from decommissioning, decommissioned or maintenance. */
export const recommission = message('service.recommission', {
  callers: 'user',
  audit: ({ node }) => ({ node }),
  mutation: true, paths: 'unchecked',
  request: Type.Object({ requestId, node }),
  reply: nodeStatus,
})

/** A node in maintenance may be away without its blocks being copied, until the time is over. A repeat sets a new time. */
export const maintenance = message('service.maintenance', {
  callers: 'user',
  audit: ({ node, forMs }) => ({ node, forMs }),
  mutation: true, paths: 'unchecked',
  request: Type.Object({ requestId, node, forMs: Type.Integer({ minimum: 1000, maximum: limits.maintenanceMsMax }) }),
  reply: nodeStatus,
})

/**
 * Removes a dead datanode from the list, with its service state. If it is started again, it joins in service, with the blocks that it has.
 * EINVAL for one that is not dead, for the last one, and without `force` while blocks have no replica that may be on it.
 */
export const forget = message('service.forget', {
  callers: 'user',
  audit: ({ node, force }) => ({ node, ...force && { force } }),
  mutation: true, paths: 'unchecked',
  request: Type.Object({ requestId, node, force: Type.Optional(Type.Boolean()) }),
  reply: Type.Object({}),
})

const balanceState = Type.Object({
  running: Type.Boolean(),
  /** Percentage points by which a node may differ from the average. */
  threshold: Type.Number(),
  /** Average bytes per second that one node sends, and receives. */
  bytesPerSecond: count,
  sinceMs: Type.Optional(instant),
  moves: count,
  movedBytes: count,
  failures: count,
  pending: count,
  /** Percent full, over the nodes that take part. */
  average: Type.Number(),
  lowest: Type.Number(),
  highest: Type.Number(),
  /** Current activity, or the reason why it ended. */
  remark: text(300),
})
export type BalanceState = Static<typeof balanceState>

export const balance = message('service.balance', {
  callers: 'user',
  audit: ({ threshold }) => ({ threshold }),
  mutation: true, paths: 'unchecked',
  request: Type.Object({ requestId, threshold: Type.Number({ minimum: 0, maximum: 100 }), bytesPerSecond: Type.Integer({ minimum: 1 }) }),
  reply: balanceState,
})

/** Stops balancing. Copies in flight complete, and their source replicas are deleted. */
export const stopBalance = message('service.stopBalance', {
  callers: 'user',
  audit: () => ({}),
  mutation: true, paths: 'unchecked',
  request: Type.Object({ requestId }),
  reply: balanceState,
})

export const balanceStatus = message('service.balanceStatus', {
  callers: 'user', auditRead: () => ({}), request: Type.Object({}), reply: balanceState,
})
