// The conversation about snapshots: client → namenode. A snapshot is a directory as it was at one moment; it is read below
// PATH/.snapshot/NAME by every message that reads, and no message changes it.

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

/** Takes the same time for a directory of any size. The directory's owner may. Without a name it is named after the time. */
export const create = message('snapshot.create', {
  mutation: true,
  request: Type.Object({ requestId, path, name: Type.Optional(name) }),
  reply: snapshot,
})

/** Snapshots of one directory, the oldest first; without a path all there are, for the superuser. */
export const list = message('snapshot.list', {
  request: Type.Object({ path: Type.Optional(path), after: Type.Optional(Type.String({ maxLength: 40 })) }),
  reply: Type.Object({ snapshots: Type.Array(snapshot), next: Type.Optional(Type.String({ maxLength: 40 })) }),
})

/** What only this snapshot held is taken apart in the background. */
export const remove = message('snapshot.remove', {
  mutation: true,
  request: Type.Object({ requestId, path, name }),
  reply: empty,
})
