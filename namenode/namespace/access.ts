// Permissions as in POSIX: owner, group, others and access control lists; read, write, search. Each user has one group, named like the
// user; new names get the group of their directory. `root` may do everything.

import { permits } from '../../src/base/acl.ts'
import { GristmillError } from '../../src/base/errors.ts'
import { isWithin, systemDirectory } from '../../src/base/paths.ts'
import type { Actor } from '../journal/operation.ts'
import type { NameEntry } from './entry.ts'

export const mayRead = 4
export const mayWrite = 2
export const maySearch = 1
type AccessRequest = typeof mayRead | typeof mayWrite | typeof maySearch

export const stickyBit = 0o1000

type Guarded = Pick<NameEntry, 'owner' | 'group' | 'mode' | 'acl'>

export function may({ user, root }: Actor, guarded: Guarded, access: AccessRequest): boolean {
  return root || permits(user, guarded, access)
}

const verbs: Record<AccessRequest, string> = { 4: 'read', 2: 'write to', 1: 'look into' }

/** Throws EACCES if the actor lacks the permission. */
export function checkMay(actor: Actor, entry: Guarded, access: AccessRequest, path: string): void {
  if (!may(actor, entry, access)) throw denied(actor, `${verbs[access]} ${path}`, entry, path)
}

/** In a sticky directory only the owner of a name, or of the directory, may remove or rename it. Throws EACCES. */
export function checkSticky(actor: Actor, parent: Guarded, entry: Guarded, path: string): void {
  if (actor.root || (parent.mode & stickyBit) === 0 || actor.user === entry.owner || actor.user === parent.owner) return
  throw new GristmillError(
    'EACCES',
    `${actor.user} may not remove or rename ${path}: its directory is sticky, and it belongs to ${entry.owner}`,
    { details: { path } },
  )
}

/** Only the owner may change mode, times and replication. Throws EACCES. */
export function checkOwner(actor: Actor, entry: Guarded, path: string): void {
  if (actor.root || actor.user === entry.owner) return
  throw new GristmillError('EACCES', `${actor.user} may not change ${path}: it belongs to ${entry.owner}`, { details: { path } })
}

/**
 * Refuses operations on the system's own directories, for every user. Throws EACCES, EINVAL for `/`. Their contents have normal
 * permissions.
 */
export function checkNotSystem(path: string, what: string): void {
  if (isWithin(systemDirectory, path) || (isWithin(path, systemDirectory) && path.split('/').length <= 3)) {
    throw new GristmillError(
      path === '/' ? 'EINVAL' : 'EACCES',
      path === '/' ? `cannot ${what} the root directory /` : `cannot ${what} ${path}: the system needs it`,
      { details: { path } },
    )
  }
}

const octal = (mode: number): string => mode.toString(8).padStart(4, '0')

const denied = (actor: Actor, what: string, entry: Guarded, path: string): GristmillError =>
  new GristmillError(
    'EACCES',
    `${actor.user} may not ${what}: it belongs to ${entry.owner}, group ${entry.group}, with mode ${octal(entry.mode)}` +
    (entry.acl ? ' and an ACL' : ''),
    { details: { path } },
  )

/** Throws EACCES: changes that concern the whole cluster are for the superuser. */
export function checkSuperuser({ user, root }: Actor, what: string): void {
  if (!root)
    throw new GristmillError('EACCES', `${user} may not ${what}; that is for the user that the namenode runs as`, { details: { user } })
}
