// Messages about quotas, client → namenode. A quota limits the names (files and directories) below a directory, and their bytes
// with all replicas. Every message that would exceed it fails with EDQUOT.

import Type, { type Static } from './schema.ts'
import { count, inodeId, path, requestId } from './fields.ts'
import { message } from './message.ts'

const amounts = Type.Object({ names: count, bytes: count })

export const quota = Type.Object({
  path,
  /** Limits; a missing one is unlimited. */
  limit: Type.Object({ names: Type.Optional(count), bytes: Type.Optional(count) }),
  /** Usage. Unknown while it is `counting` for the first time; the quota is not in force yet. */
  used: amounts,
  counting: Type.Boolean(),
})
export type Quota = Static<typeof quota>

const bound = Type.Union([count, Type.Null()])

/** Sets limits, or removes them with null; omitted ones do not change. Requires the superuser. */
export const set = message('quota.set', {
  callers: 'user',
  audit: ({ path, names, bytes }) => ({ path, names, bytes }),
  mutation: true, paths: 'unchecked',
  request: Type.Object({ requestId, path, names: Type.Optional(bound), bytes: Type.Optional(bound) }),
  reply: Type.Object({}),
})

/** The quota of the directory itself, if it has one. */
export const get = message('quota.get', {
  callers: 'user',
  auditRead: ({ path }) => ({ path }),
  request: Type.Object({ path }),
  reply: Type.Object({ quota: Type.Optional(quota) }),
})

/** All quotas; requires the superuser. */
export const list = message('quota.list', {
  callers: 'user',
  auditRead: () => ({}),
  request: Type.Object({ after: Type.Optional(inodeId) }),
  reply: Type.Object({ quotas: Type.Array(quota), next: Type.Optional(inodeId) }),
})
