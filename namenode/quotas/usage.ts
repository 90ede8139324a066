// Usage below directories with a quota, updated by every change of the tree in the same operation, so that a bound is never
// exceeded. One row per directory with a quota; without any, the cost is one counter read. An entry counts as one name and its
// bytes times its replication. Entries that move across the border of a quota are counted at once; if too many leave at once,
// the directory is recounted in the background (counter.ts), and until then its usage is overestimated.
// INVARIANT: a row that is `known` has at least the actual usage.

import { GristmillError } from '../../src/base/errors.ts'
import { inodeId, type InodeId } from '../../src/base/ids.ts'
import { nameOf, systemDirectory } from '../../src/base/paths.ts'
import { formatBytes } from '../../src/base/units.ts'
import { decodeValue, encodeValue } from '../journal/codec.ts'
import type { Draft } from '../journal/draft.ts'
import { childKey, idKey, pairKey } from '../journal/keys.ts'
import type { View } from '../journal/view.ts'
import { encodeSnapshot } from '../snapshots/rows.ts'
import { decodeSize, type NameEntry } from '../namespace/entry.ts'
import { hookOf, pathOf, rootId } from '../namespace/resolve.ts'

export interface Amounts { readonly names: number; readonly bytes: number }

export interface Usage {
  readonly limit: { readonly names?: number; readonly bytes?: number }
  readonly used: Amounts
  /** false until the first count has ended. */
  readonly known: boolean
  /** Set during a count of the state after operation `seq`: amounts added (or removed) since. */
  readonly counting?: Amounts & { readonly seq: number }
}

/**
 * Entries that are counted within one operation, at 0.8 µs each: leaving ones, about 8 ms; coming ones, about 40 ms, for the output of
 * the largest jobs.
 */
const leavingMax = 10_000
const comingMax = 50_000

export function usageAt(view: View, directory: InodeId): Usage | undefined {
  const bytes = view.get('quotas', idKey(directory))
  return bytes && decodeValue<Usage>(bytes)
}

export const putUsage = (draft: Draft, directory: InodeId, usage: Usage): void => draft.put('quotas', idKey(directory), encodeValue(usage))

export const amountsOf = ({ length, replication }: Pick<NameEntry, 'length' | 'replication'>): Amounts =>
  ({ names: 1, bytes: length * replication })

/** Directories with a quota at or above this one. */
function boundedBy(view: View, directory: InodeId): readonly InodeId[] {
  if (view.counters.quotas === 0) return []
  const memo = `quotas:${directory}`
  const known = view.memo.get<readonly InodeId[]>(memo)
  if (known) return known
  const found: InodeId[] = []
  for (let at = directory; ;) {
    if (view.get('quotas', idKey(at))) found.push(at)
    const hook = hookOf(view, at)
    // Quotas of the root do not include the system directory.
    if (!hook || (hook.parent === rootId && hook.name === nameOf(systemDirectory))) break
    at = hook.parent
  }
  view.memo.set(memo, found)
  return found
}

/** Throws EDQUOT if these amounts do not fit. Changes nothing. */
export function checkQuota(view: View, directory: InodeId, more: Amounts): void {
  for (const each of boundedBy(view, directory)) checkOne(view, each, usageAt(view, each)!, more)
}

function checkOne(view: View, directory: InodeId, { limit, used, known }: Usage, more: Amounts, at?: string): void {
  if (!known) return
  const refuse = (what: string): GristmillError => {
    // Resolved only for the message: it costs a read per level.
    const path = at ?? pathOf(view, directory) ?? '?'
    return new GristmillError(
      'EDQUOT',
      `${path} ${what}; remove something that is in it (what is in the trash is not), or have its quota raised`,
      { details: { path, limit, used } },
    )
  }
  if (more.names > 0 && limit.names !== undefined && used.names + more.names > limit.names)
    throw refuse(
      `may have ${limit.names} files and directories in it, and has ${used.names}${more.names > 1 ? `; ${more.names} more do not fit` : ''}`,
    )
  if (more.bytes > 0 && limit.bytes !== undefined && used.bytes + more.bytes > limit.bytes)
    throw refuse(
      `may have ${formatBytes(limit.bytes)} in it, counting all replicas, and has ${formatBytes(used.bytes)}; ${formatBytes(more.bytes)} more do not fit`,
    )
}

function change(draft: Draft, directories: readonly InodeId[], sign: 1 | -1, { names, bytes }: Amounts): void {
  for (const each of directories) {
    const usage = usageAt(draft, each)!
    const more = { names: sign * names, bytes: sign * bytes }
    checkOne(draft, each, usage, more)
    const add = <T extends Amounts>(to: T): T => ({ ...to, names: to.names + more.names, bytes: to.bytes + more.bytes })
    // A count that begins with this operation sees the operation's result already.
    const { counting } = usage
    const beside = counting && counting.seq <= draft.counters.appliedSeq ? add(counting) : counting
    putUsage(draft, each, { ...usage, used: usage.known ? add(usage.used) : usage.used, ...beside && { counting: beside } })
  }
}

/** Adds amounts to a directory. Throws EDQUOT. */
export function charge(draft: Draft, parent: InodeId, amounts: Amounts): void {
  if (draft.counters.quotas > 0) change(draft, boundedBy(draft, parent), 1, amounts)
}

/** Accounts for a changed length or replication of a file. */
export function recharge(draft: Draft, parent: InodeId, before: NameEntry, after: NameEntry): void {
  if (draft.counters.quotas === 0 || before.directory) return
  const bytes = amountsOf(after).bytes - amountsOf(before).bytes
  if (bytes !== 0) change(draft, boundedBy(draft, parent), 1, { names: 0, bytes })
}

/** Subtracts an entry with its contents. REQUIRES: the entry is still in its place. */
export function discharge(draft: Draft, parent: InodeId, entry: NameEntry): void {
  if (draft.counters.quotas > 0) leave(draft, boundedBy(draft, parent), entry)
}

/**
 * Moves the amounts of an entry from one directory to another. Throws EDQUOT, and EINVAL if there are too many entries to count.
 * REQUIRES: the entry is still in its place.
 */
export function recount(draft: Draft, from: InodeId, to: InodeId, entry: NameEntry): void {
  if (draft.counters.quotas === 0 || from === to) return
  const [old, now] = [boundedBy(draft, from), boundedBy(draft, to)]
  const coming = now.filter(each => !old.includes(each))
  if (coming.length > 0) {
    const amounts = totalOf(draft, entry, comingMax)
    if (!amounts)
      throw new GristmillError(
        'EINVAL',
        `more than ${comingMax} files and directories are too many to be moved into ${pathOf(draft, coming[0]!) ?? 'a directory'} at once, which has a quota; move what is in it part by part`,
        { details: { path: pathOf(draft, coming[0]!) } },
      )
    change(draft, coming, 1, amounts)
  }
  leave(draft, old.filter(each => !now.includes(each)), entry)
}

function leave(draft: Draft, directories: readonly InodeId[], entry: NameEntry): void {
  if (directories.length === 0) return
  const amounts = totalOf(draft, entry, leavingMax)
  if (amounts) change(draft, directories, -1, amounts)
  else for (const each of directories) countAnew(draft, each, usageAt(draft, each)!)
}

/** Amounts of an entry with its contents; undefined if there are more than `max` names. */
function totalOf(view: View, entry: NameEntry, max: number): Amounts | undefined {
  if (!entry.directory) return amountsOf(entry)
  const own = usageAt(view, entry.id)
  if (own?.known && !own.counting) return { names: own.used.names + 1, bytes: own.used.bytes }
  let names = 1
  let bytes = 0
  const open = [entry.id]
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    for (const { value } of view.range('children', { start: childKey(at, ''), end: idKey(at + 1) })) {
      const below = decodeSize(value)
      if (++names > max) return undefined
      bytes += amountsOf(below).bytes
      if (below.directory) open.push(below.id)
    }
  }
  return { names, bytes }
}

/** Owner of the snapshots that counts read from; these are not shown to users. */
const countingOwner = ''

/** Starts a count of the state after this operation. */
export function countAnew(draft: Draft, directory: InodeId, usage: Usage): void {
  endCount(draft, directory, usage)
  const seq = draft.counters.appliedSeq + 1
  draft.put('snapshots', pairKey(directory, seq), encodeSnapshot({ name: '', createdMs: 0, owner: countingOwner }))
  draft.count('snapshots', 1)
  putUsage(draft, directory, { ...usage, counting: { seq, names: 0, bytes: 0 } })
  draft.forgetDirectories()
}

export function endCount(draft: Draft, directory: InodeId, { counting }: Usage): void {
  if (!counting) return
  draft.remove('snapshots', pairKey(directory, counting.seq))
  draft.count('snapshots', -1)
  draft.forgetDirectories()
}

/** The directory is removed. */
export function dropUsage(draft: Draft, directory: InodeId): void {
  if (draft.counters.quotas === 0) return
  const usage = usageAt(draft, directory)
  if (!usage) return
  endCount(draft, directory, usage)
  draft.remove('quotas', idKey(directory))
  draft.count('quotas', -1)
}

/**
 * Passes the quota of a directory at `path` to the one that replaces it, counting its contents at once. Throws EDQUOT if they exceed
 * the quota, EINVAL if there are too many to count. Returns true if this ended a running count.
 */
export function inheritUsage(
  draft: Draft,
  { from, to, path }: { readonly from: InodeId; readonly to: NameEntry; readonly path: string },
): boolean {
  if (draft.counters.quotas === 0) return false
  const old = usageAt(draft, from)
  if (!old) return false
  const total = totalOf(draft, to, comingMax)
  if (!total)
    throw new GristmillError(
      'EINVAL',
      `${path} has a quota, and more than ${comingMax} files and directories are too many to come under it at once`,
      { details: { path } },
    )
  const held = { names: total.names - 1, bytes: total.bytes }
  checkOne(draft, to.id, { limit: old.limit, used: { names: 0, bytes: 0 }, known: true }, held, path)
  dropUsage(draft, from)
  draft.count('quotas', 1)
  putUsage(draft, to.id, { limit: old.limit, used: held, known: true })
  draft.forgetDirectories()
  return old.counting !== undefined
}

/** Directories with a running count. */
export function* toCount(view: View): Iterable<{ readonly directory: InodeId; readonly seq: number }> {
  if (view.counters.quotas === 0) return
  for (const { key, value } of view.range('quotas', {})) {
    const { counting } = decodeValue<Usage>(value)
    if (counting) yield { directory: inodeId(key.readUInt32BE(0) * 2 ** 32 + key.readUInt32BE(4)), seq: counting.seq }
  }
}
