// The conversation about quotas: client → namenode. A quota bounds what is below a directory: names (files and directories),
// and bytes with all their replicas. What would go over it is refused with EDQUOT, by every message that adds something.

import Type, { type Static } from './schema.ts'
import { count, inodeId, path, requestId } from './fields.ts'
import { message } from './message.ts'

const amounts = Type.Object({ names: count, bytes: count })

export const quota = Type.Object({
  path,
  /** What may be below the directory; a bound that is missing is none. */
  limit: Type.Object({ names: Type.Optional(count), bytes: Type.Optional(count) }),
  /** What is below it. While it is `counting` for the first time this is not known, and the quota does not hold yet. */
  used: amounts,
  counting: Type.Boolean(),
})
export type Quota = Static<typeof quota>

const bound = Type.Union([count, Type.Null()])

/** Sets bounds, or with null takes them away; what is not named stays. For the superuser. */
export const set = message('quota.set', {
  mutation: true,
  request: Type.Object({ requestId, path, names: Type.Optional(bound), bytes: Type.Optional(bound) }),
  reply: Type.Object({}),
})

/** The quota of a directory itself; none if it has none. */
export const get = message('quota.get', {
  request: Type.Object({ path }),
  reply: Type.Object({ quota: Type.Optional(quota) }),
})

/** All there are, for the superuser. */
export const list = message('quota.list', {
  request: Type.Object({ after: Type.Optional(inodeId) }),
  reply: Type.Object({ quotas: Type.Array(quota), next: Type.Optional(inodeId) }),
})
