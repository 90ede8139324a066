// Access control lists of entries: the mutation that changes one, and the routes `acl.*`. The list is a part of the entry, so that it goes
// with it through renames, the trash and snapshots, and the one check of permissions (access.ts) sees it.

import { aclText, changeAcl, parseAcl, type AclChange } from '../../src/base/acl.ts'
import { GristmillError } from '../../src/base/errors.ts'
import { faultOfName } from '../../src/base/username.ts'
import type { Clock } from '../../src/ports/clock.ts'
import * as protocol from '../../src/protocol/acl.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'
import { userNameBytesMax } from '../../src/protocol/user.ts'
import { route, type Route } from '../../src/rpc/serve.ts'
import type { Journal } from '../journal/journal.ts'
import { mutation, type Actor, type UserOperation } from '../journal/operation.ts'
import { checkOwner } from './access.ts'
import { find } from './asof.ts'
import { keepStatus, recallStatus, statusOf, type NameEntry } from './entry.ts'
import { checkFree } from './reserved.ts'
import { missingName, placeAt } from './resolve.ts'
import { replaceEntry } from './tree.ts'

interface AskedChange {
  readonly kind: AclChange['kind']
  readonly entries?: readonly string[] | undefined
}

interface Asked extends AskedChange, UserOperation { readonly path: string }

/** Mode and list of an entry after a change. Throws EINVAL. */
export function aclAfter(
  entry: Pick<NameEntry, 'directory' | 'mode' | 'acl'>, { kind, entries }: AskedChange,
): Pick<NameEntry, 'mode' | 'acl'> {
  const { mode, acl } = changeAcl(entry, changeOf(kind, entries), entry.directory)
  return { mode, acl: acl.length > 0 ? acl : undefined }
}

export const setAcl = mutation<Asked, FileStatus>({
  kind: 'namespace.acl',
  keep: keepStatus,
  recall: recallStatus,
  mutate(draft, { path, kind, entries, user, root }) {
    const place = placeAt(draft, { user, root }, path)
    const { entry } = place
    if (!entry) throw missingName(path, path)
    checkOwner({ user, root }, entry, path)
    const changed: NameEntry = { ...entry, ...aclAfter(entry, { kind, entries }) }
    replaceEntry(draft, place, changed)
    return statusOf(path, changed)
  },
})

/** Throws EINVAL. */
function changeOf(kind: Asked['kind'], texts: readonly string[] | undefined): AclChange {
  if (kind === 'removeDefault' || kind === 'clear') {
    if (texts !== undefined) throw new GristmillError('EINVAL', `a change of an ACL of the kind ${kind} takes no entries`)
    return { kind }
  }
  const entries = parseAcl((texts ?? []).join(','), kind !== 'remove')
  for (const { name } of entries) {
    const fault = name === undefined ? undefined : Buffer.byteLength(name) > userNameBytesMax ? 'it is too long' : faultOfName(name)
    if (fault !== undefined)
      throw new GristmillError('EINVAL', `${JSON.stringify(name)} cannot be the name of a user or a group: ${fault}`)
  }
  return { kind, entries }
}

interface AclOptions { readonly journal: Journal; readonly clock: Clock; readonly actor: (user: string) => Actor }

export const aclRoutes = ({ journal, clock, actor }: AclOptions): Route[] => [
  route(protocol.get, ({ path }, { user }) => {
    const { entry: { owner, group, mode, directory, acl = [] } } = find(journal.view, actor(user), path)
    return { owner, group, mode, directory, entries: acl.map(aclText) }
  }),
  route(protocol.change, ({ requestId, path, kind, entries }, { user }) => {
    checkFree(path)
    return journal.submit(setAcl, { requestId, path, kind, entries, nowMs: clock.now(), ...actor(user) })
  }),
]
