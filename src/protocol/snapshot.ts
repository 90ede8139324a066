// Messages about snapshots, client → namenode. A snapshot is a directory at one moment; every reading message works below
// PATH/.snapshot/NAME, and no message changes it.

import Type, { type Static } from './schema.ts'
import { empty, instant, name, path, requestId, text } from './fields.ts'
import { message } from './message.ts'

export const snapshot = Type.Object({
  /** The directory. */
  path,
  name,
  createdMs: instant,
  owner: text(255),
})
export type Snapshot = Static<typeof snapshot>

/** Takes constant time for a directory of any size. Allowed for the directory's owner. Default name: the current time. */
export const create = message('snapshot.create', {
  callers: 'user',
  audit: ({ path, name }, reply) => ({ path, name: reply?.name ?? name }),
  mutation: true, paths: 'checked',
  request: Type.Object({ requestId, path, name: Type.Optional(name) }),
  reply: snapshot,
})

/** Snapshots of one directory, oldest first; without a path all of the cluster, which requires the superuser. */
export const list = message('snapshot.list', {
  callers: 'user',
  auditRead: ({ path }) => ({ path }),
  request: Type.Object({ path: Type.Optional(path), after: Type.Optional(Type.String({ maxLength: 40 })) }),
  reply: Type.Object({ snapshots: Type.Array(snapshot), next: Type.Optional(Type.String({ maxLength: 40 })) }),
})

/** Removes a snapshot; blocks that only it used are freed in the background. */
export const remove = message('snapshot.remove', {
  callers: 'user',
  audit: ({ path, name }) => ({ path, name }),
  mutation: true, paths: 'unchecked',
  request: Type.Object({ requestId, path, name }),
  reply: empty,
})
