// Access control lists of files and directories, as HDFS has them after POSIX.1e: the access list says who may do what, the default list of
// a directory is what new entries in it get. Owner, others and the mask are permission bits of the entry (mode); everything else is the
// entry's *extended list*, which this file computes. Pure.
// INVARIANT: an extended list is in order and has no two entries of one scope, type and name; its access part is empty, or has the entry of
// the group.

import { GristmillError } from './errors.ts'

const scopes = ['access', 'default'] as const
const types = ['user', 'group', 'mask', 'other'] as const
type AclScope = (typeof scopes)[number]
type AclType = (typeof types)[number]

export interface AclEntry {
  readonly scope: AclScope
  readonly type: AclType
  /** undefined: the owner, the group of the entry, the mask, or others. */
  readonly name?: string | undefined
  /** Bits 4 read, 2 write, 1 execute. */
  readonly perm: number
}

/** Names one entry of a list. */
type AclPlace = Omit<AclEntry, 'perm'>

/** In each of the two lists, as in HDFS. */
export const aclEntriesMax = 32

const places = [...scopes.flatMap(scope => types.map(type => ({ scope, type })))]

/** Number of a scope and a type in stored lists, 0 to 7. */
export const codeOf = ({ scope, type }: AclPlace): number => scopes.indexOf(scope) * 4 + types.indexOf(type)
export const placeOf = (code: number): Pick<AclPlace, 'scope' | 'type'> => places[code]!

const invalid = (message: string): GristmillError => new GristmillError('EINVAL', message)

export const permText = (perm: number): string => `${perm & 4 ? 'r' : '-'}${perm & 2 ? 'w' : '-'}${perm & 1 ? 'x' : '-'}`

const placeText = ({ scope, type, name = '' }: AclPlace): string => `${scope === 'default' ? 'default:' : ''}${type}:${name}:`

/** `default:user:ada:rwx`. */
export const aclText = (entry: AclEntry): string => `${placeText(entry)}${permText(entry.perm)}`

/** Parses one entry; without `perms` it names a place only, and its permissions are 0. Throws EINVAL. */
function parseEntry(text: string, perms: boolean): AclEntry {
  const parts = text.trim().split(':')
  const scope = parts[0] === 'default' ? 'default' : 'access'
  const [word = '', name = '', perm, ...more] = scope === 'default' ? parts.slice(1) : parts
  const type = types.find(each => each === word.toLowerCase())
  if (type === undefined)
    throw invalid(`the ACL entry ${JSON.stringify(text)} is not of the form [default:](user|group|mask|other):[NAME]:PERMISSIONS`)
  if (more.length > 0 || (!perms && perm !== undefined && perm !== ''))
    throw invalid(
      `the ACL entry ${JSON.stringify(text)} has a part too many${perms ? '' : ': to remove an entry, name it without permissions'}`,
    )
  if (name !== '' && (type === 'mask' || type === 'other')) throw invalid(`Invalid ACL: this entry type must not have a name: ${text}`)
  const place = { scope, type, ...name !== '' && { name } } as const
  if (!perms) return { ...place, perm: 0 }
  const bits = /^([r-])([w-])([x-])$/.exec(perm ?? '')
  if (!bits) throw invalid(`the ACL entry ${JSON.stringify(text)} ends with permissions of the form rwx, r-x or ---`)
  return { ...place, perm: bits.slice(1).reduce((sum, bit) => sum * 2 + (bit === '-' ? 0 : 1), 0) }
}

/** Parses entries between commas. `perms` false: they name places only. Throws EINVAL. */
export function parseAcl(spec: string, perms = true): AclEntry[] {
  const entries = spec.split(',').filter(text => text.trim() !== '').map(text => parseEntry(text, perms))
  if (entries.length === 0) throw invalid('the list of ACL entries is empty; an entry is, for instance, user:ada:rw-')
  return entries
}

/** Owner, group and others with their bits, of a mode or of a list. */
const base = (scope: AclScope, owner: number, group: number, other: number): AclEntry[] =>
  [{ scope, type: 'user', perm: owner }, { scope, type: 'group', perm: group }, { scope, type: 'other', perm: other }]

const accessOf = (list: readonly AclEntry[]): AclEntry[] => list.filter(({ scope }) => scope === 'access')
export const defaultsOf = (list: readonly AclEntry[] | undefined): AclEntry[] => (list ?? []).filter(({ scope }) => scope === 'default')

/** Mode and extended list as one list with all entries, in order. */
export function wholeAcl(mode: number, extended: readonly AclEntry[] = []): AclEntry[] {
  const [owner, group, other] = [mode >> 6 & 7, mode >> 3 & 7, mode & 7]
  const access = accessOf(extended)
  const own: AclEntry[] = access.length === 0
    ? base('access', owner, group, other)
    : [
      { scope: 'access', type: 'user', perm: owner }, ...access, { scope: 'access', type: 'mask', perm: group },
      { scope: 'access', type: 'other', perm: other },
    ]
  return sorted([...own, ...defaultsOf(extended)])
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
const sorted = (list: readonly AclEntry[]): AclEntry[] =>
  [...list].sort((a, b) => codeOf(a) - codeOf(b) || compare(a.name ?? '', b.name ?? ''))

const keyOf = ({ scope, type, name = '' }: AclPlace): string => `${scope}:${type}:${name}`

export type AclChange =
  /** Replaces the list of each scope that the entries name. */
  | { readonly kind: 'set'; readonly entries: readonly AclEntry[] }
  /** Adds entries, and replaces those of the same place. */
  | { readonly kind: 'modify'; readonly entries: readonly AclEntry[] }
  | { readonly kind: 'remove'; readonly entries: readonly AclPlace[] }
  /** Removes the default list. */
  | { readonly kind: 'removeDefault' }
  /** Leaves owner, group and others. */
  | { readonly kind: 'clear' }

interface Guard { readonly mode: number; readonly acl?: readonly AclEntry[] | undefined }
interface Guarded { readonly mode: number; readonly acl: readonly AclEntry[] }

/**
 * Applies a change by the rules of HDFS: the mask of a changed list is given or computed anew, a default list gets the base entries that it
 * lacks from the access list. Throws EINVAL for a list that cannot be.
 */
export function changeAcl({ mode, acl }: Guard, change: AclChange, isDirectory: boolean): Guarded {
  const before = wholeAcl(mode, acl)
  if (change.kind === 'clear') {
    // The group gets back what it had; the mask goes with the named entries.
    const group = before.find(({ scope, type, name }) => scope === 'access' && type === 'group' && name === undefined)!
    return { mode: mode & ~0o070 | group.perm << 3, acl: [] }
  }
  if ('entries' in change) checkEntries(change)
  const { kept, masks, dirty, changedMasks } = edited(before, change)
  const whole = withMasks(withDefaults(kept), { masks, dirty, changedMasks })
  return stored(checked(whole, isDirectory), mode)
}

/** Throws EINVAL for entries that are given twice, and for too many. */
function checkEntries({ entries }: Extract<AclChange, { entries: unknown }>): void {
  if (entries.length > 2 * aclEntriesMax)
    throw invalid(`Invalid ACL: a change has ${entries.length} entries, which exceeds maximum of ${2 * aclEntriesMax}.`)
  if (new Set(entries.map(keyOf)).size < entries.length) throw invalid('Invalid ACL: multiple entries with same scope, type and name.')
}

interface Masks {
  readonly masks: ReadonlyMap<AclScope, AclEntry>
  /** Lists that the change touches. */
  readonly dirty: ReadonlySet<AclScope>
  /** Lists whose mask the change names. */
  readonly changedMasks: ReadonlySet<AclScope>
}

/** Entries after the change, without masks; `masks`: those that were there or are given. */
function edited(before: readonly AclEntry[], change: Exclude<AclChange, { kind: 'clear' }>): Masks & { readonly kept: AclEntry[] } {
  if (change.kind === 'removeDefault') {
    const access = accessOf(before)
    const mask = access.find(({ type }) => type === 'mask')
    const none = new Set<AclScope>()
    return { kept: access.filter(each => each !== mask), masks: new Map(mask && [['access', mask]]), dirty: none, changedMasks: none }
  }
  const named = new Set(change.entries.map(keyOf))
  const dirty = new Set<AclScope>()
  const changedMasks = new Set<AclScope>()
  const masks = new Map<AclScope, AclEntry>()
  const kept: AclEntry[] = []
  const scopesNamed = new Set(change.entries.map(({ scope }) => scope))
  for (const entry of before) {
    const goes = change.kind === 'set' ? scopesNamed.has(entry.scope) : named.has(keyOf(entry))
    if (goes) {
      dirty.add(entry.scope)
      if (entry.type === 'mask' && change.kind !== 'set') changedMasks.add(entry.scope)
    } else if (entry.type === 'mask') masks.set(entry.scope, entry)
    else kept.push(entry)
  }
  if (change.kind === 'remove') return { kept, masks, dirty, changedMasks }
  for (const entry of change.entries) {
    dirty.add(entry.scope)
    if (entry.type === 'mask') {
      changedMasks.add(entry.scope)
      masks.set(entry.scope, entry)
    } else kept.push(entry)
  }
  return { kept, masks, dirty, changedMasks }
}

/** A default list has entries for owner, group and others: those that are missing are those of the access list. */
function withDefaults(list: readonly AclEntry[]): AclEntry[] {
  if (defaultsOf(list).length === 0) return [...list]
  const has = (type: AclType): boolean => list.some(each => each.scope === 'default' && each.type === type && each.name === undefined)
  const own = list.filter(({ scope, type, name }) => scope === 'access' && type !== 'mask' && name === undefined && !has(type))
  return [...list, ...own.map(({ type, perm }): AclEntry => ({ scope: 'default', type, perm }))]
}

/** Adds the mask of each list that has named entries, or had a mask: as given, as it was if nothing else changed, or the union. */
function withMasks(list: readonly AclEntry[], { masks, dirty, changedMasks }: Masks): AclEntry[] {
  const added: AclEntry[] = []
  for (const scope of scopes) {
    const own = list.filter(each => each.scope === scope)
    if (own.length === 0) continue
    const needed = own.some(({ name }) => name !== undefined)
    const mask = masks.get(scope)
    if (!mask && needed && changedMasks.has(scope)) throw invalid('Invalid ACL: mask is required and cannot be deleted.')
    if (mask && (!dirty.has(scope) || changedMasks.has(scope))) added.push(mask)
    else if (needed || mask) {
      const union = own.reduce((sum, { type, name, perm }) => (type === 'group' || name !== undefined ? sum | perm : sum), 0)
      added.push({ scope, type: 'mask', perm: union })
    }
  }
  return [...list, ...added]
}

/** Throws EINVAL. */
function checked(list: readonly AclEntry[], isDirectory: boolean): AclEntry[] {
  for (const scope of scopes) {
    const own = list.filter(each => each.scope === scope)
    if (own.length > aclEntriesMax)
      throw invalid(`Invalid ACL: ACL has ${own.length} ${scope} entries, which exceeds maximum of ${aclEntriesMax}.`)
    const has = (type: AclType): boolean => own.some(each => each.type === type && each.name === undefined)
    if ((scope === 'access' || own.length > 0) && !(has('user') && has('group') && has('other')))
      throw invalid('Invalid ACL: the user, group and other entries are required.')
  }
  if (!isDirectory && defaultsOf(list).length > 0) throw invalid('Invalid ACL: only directories may have a default ACL.')
  return sorted(list)
}

/** A whole list as mode and extended list. */
function stored(list: readonly AclEntry[], mode: number): Guarded {
  const access = accessOf(list)
  const permOf = (type: AclType): number => access.find(each => each.type === type && each.name === undefined)?.perm ?? 0
  const masked = access.some(({ type }) => type === 'mask')
  const bits = permOf('user') << 6 | permOf(masked ? 'mask' : 'group') << 3 | permOf('other')
  const extended = masked ? access.filter(({ type, name }) => name !== undefined || type === 'group') : []
  return { mode: mode & ~0o777 | bits, acl: [...extended, ...defaultsOf(list)] }
}

/**
 * Mode and list of a new entry in a directory with this default list, by the rules of HDFS: `mode`, which the creator has asked for, bounds
 * owner, mask and others. A directory gets the default list too.
 */
export function inheritedAcl(above: readonly AclEntry[] | undefined, mode: number, isDirectory: boolean): Guard {
  const defaults = defaultsOf(above)
  if (defaults.length === 0) return { mode }
  const minimal = !defaults.some(({ type }) => type === 'mask')
  const access = defaults.map(({ type, name, perm }): AclEntry => {
    const isFree = name !== undefined || (type === 'group' && !minimal)
    const bound = type === 'user' ? mode >> 6 : type === 'other' ? mode : mode >> 3
    return { scope: 'access', type, name, perm: isFree ? perm : perm & bound }
  })
  const own = stored(sorted(isDirectory ? [...access, ...defaults] : access), mode)
  return own.acl.length > 0 ? own : { mode: own.mode }
}

/** Permissions of an entry that the mask of its list leaves. Owner and others have no mask. `list`: all entries of both lists. */
export function permittedBy({ scope, type, name, perm }: AclEntry, list: readonly AclEntry[]): number {
  if (name === undefined && type !== 'group') return perm
  const mask = list.find(each => each.scope === scope && each.type === 'mask')
  return mask ? perm & mask.perm : perm
}

const grants = (perm: number, wanted: number): boolean => (perm & wanted) === wanted

/**
 * True if a user who is not the superuser has all bits of `wanted`, by the order of POSIX.1e: owner, named user, groups, others. One of the
 * entries of the user's groups has to grant all of them: two that grant a part each do not.
 */
export function permits(
  user: string, { owner, group, mode, acl }: Guard & { readonly owner: string; readonly group: string }, wanted: number,
): boolean {
  if (user === owner) return grants(mode >> 6, wanted)
  const mask = mode >> 3
  if (acl?.[0]?.scope !== 'access') return grants(user === group ? mask : mode, wanted)
  let isMember = false
  for (const { scope, type, name, perm } of acl) {
    if (scope !== 'access') break
    if (type === 'user' && name === user) return grants(perm & mask, wanted)
    // The user is in one group only, but several entries may name it: that of the entry's own group, and one by its name.
    if (type === 'group' && (name ?? group) === user) {
      if (grants(perm & mask, wanted)) return true
      isMember = true
    }
  }
  return !isMember && grants(mode, wanted)
}
