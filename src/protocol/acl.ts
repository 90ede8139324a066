// Messages about access control lists, client → namenode. Entries travel as text, `default:user:ada:rwx`.

import Type from './schema.ts'
import { aclEntriesMax } from '../base/acl.ts'
import { count, path, requestId, text } from './fields.ts'
import { message } from './message.ts'
import { fileStatus } from './namespace.ts'

/** Scope, type, a name of 255 bytes, and permissions. */
const entry = Type.String({ minLength: 1, maxLength: 280 })
export const aclEntries = Type.Array(entry, { minItems: 1, maxItems: 2 * aclEntriesMax })

/** Owner, group, mode, and the extended list: the entries beside owner, mask and others. Requires search permission above. */
export const get = message('acl.get', {
  callers: 'user',
  auditRead: ({ path }) => ({ path }),
  request: Type.Object({ path }),
  reply: Type.Object({ owner: text(255), group: text(255), mode: count, directory: Type.Boolean(), entries: Type.Array(entry) }),
})

/**
 * `set` replaces the access or the default list that the entries are of, `modify` adds and replaces entries, `remove` names entries without
 * permissions; `removeDefault` and `clear` take no entries. Requires the owner. EINVAL for a list that cannot be.
 */
export const change = message('acl.change', {
  callers: 'user',
  audit: ({ path, kind, entries }) => ({ path, kind, entries }),
  mutation: true, paths: 'checked',
  request: Type.Object({
    requestId, path, entries: Type.Optional(aclEntries),
    kind: Type.Union([
      Type.Literal('set'), Type.Literal('modify'), Type.Literal('remove'), Type.Literal('removeDefault'), Type.Literal('clear'),
    ]),
  }),
  reply: fileStatus,
})
