// What is below directories that have a quota, kept true by every change of the tree, in the same operation: so a bound is
// never exceeded, not even for a moment. One row for each such directory; where there are none it costs the look at a counter.
// What one thing counts: itself, and its bytes times its replicas. What moves over the border of a quota is counted on the
// spot; if too much leaves at once, the directory is counted anew in the background (quotas/counter.ts), and until then
// more is taken to be there than is. INVARIANT: a row that is `known` says at least what is there.

import { GristmillError } from '../../src/base/errors.ts'
import { inodeId, type InodeId } from '../../src/base/ids.ts'
import { nameOf, systemDirectory } from '../../src/base/paths.ts'
import { formatBytes } from '../../src/base/units.ts'
import { decodeValue, encodeValue } from '../journal/codec.ts'
import type { Draft } from '../journal/draft.ts'
import { childKey, idKey, pairKey } from '../journal/keys.ts'
import type { View } from '../journal/view.ts'
import { encodeSnapshot } from './snapshotrows.ts'
import { decodeEntry, type NameEntry } from './entry.ts'
import { hookOf, pathOf, rootId } from './resolve.ts'

export interface Amounts { readonly names: number; readonly bytes: number }

export interface Usage {
  readonly limit: { readonly names?: number; readonly bytes?: number }
  readonly used: Amounts
  /** false until it has been counted for the first time. */
  readonly known: boolean
  /** It is being counted as it was after this operation; and what has come (or gone) since. */
  readonly counting?: Amounts & { readonly seq: number }
}

/**
 * Entries that are counted on the spot, at 0.8 µs each: what leaves, some 8 ms of work; what comes, some 40 ms, for the output of the
 * largest jobs.
 */
const leavingMax = 10_000
const comingMax = 50_000

export function usageAt(view: View, directory: InodeId): Usage | undefined {
  const bytes = view.get('quotas', idKey(directory))
  return bytes && decodeValue<Usage>(bytes)
}

export const putUsage = (draft: Draft, directory: InodeId, usage: Usage): void => draft.put('quotas', idKey(directory), encodeValue(usage))

export const amountsOf = (entry: NameEntry): Amounts => ({ names: 1, bytes: entry.length * entry.replication })

/** Directories with a quota that bounds what is in this one. */
function boundedBy(view: View, directory: InodeId): readonly InodeId[] {
  if (view.counters.quotas === 0) return []
  const memo = `quotas:${directory}`
  const known = view.memo.get<readonly InodeId[]>(memo)
  if (known) return known
  const found: InodeId[] = []
  for (let at = directory; ;) {
    if (view.get('quotas', idKey(at))) found.push(at)
    const hook = hookOf(view, at)
    // What the system keeps is nobody's.
    if (!hook || (hook.parent === rootId && hook.name === nameOf(systemDirectory))) break
    at = hook.parent
  }
  view.memo.set(memo, found)
  return found
}

/** Throws EDQUOT if so much may not come into the directory. Changes nothing. */
export function checkQuota(view: View, directory: InodeId, more: Amounts): void {
  for (const each of boundedBy(view, directory)) checkOne(view, each, usageAt(view, each)!, more)
}

function checkOne(view: View, directory: InodeId, { limit, used, known }: Usage, more: Amounts, at?: string): void {
  if (!known) return
  const refuse = (what: string): GristmillError => {
    // Only now: to find it costs a read for each level.
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
    // A count that begins with this operation will find what the operation leaves.
    const { counting } = usage
    const beside = counting && counting.seq <= draft.counters.appliedSeq ? add(counting) : counting
    putUsage(draft, each, { ...usage, used: usage.known ? add(usage.used) : usage.used, ...beside && { counting: beside } })
  }
}

/** Something comes into a directory. Throws EDQUOT. */
export function charge(draft: Draft, parent: InodeId, amounts: Amounts): void {
  if (draft.counters.quotas > 0) change(draft, boundedBy(draft, parent), 1, amounts)
}

/** A file in it takes more or less than before. */
export function recharge(draft: Draft, parent: InodeId, before: NameEntry, after: NameEntry): void {
  if (draft.counters.quotas === 0 || before.directory) return
  const bytes = amountsOf(after).bytes - amountsOf(before).bytes
  if (bytes !== 0) change(draft, boundedBy(draft, parent), 1, { names: 0, bytes })
}

/** A thing leaves its directory, with all that is in it. REQUIRES: it still hangs where it did. */
export function discharge(draft: Draft, parent: InodeId, entry: NameEntry): void {
  if (draft.counters.quotas > 0) leave(draft, boundedBy(draft, parent), entry)
}

/**
 * A thing goes from one directory to another. Throws EDQUOT, and EINVAL if too much comes at once. REQUIRES: it still hangs where it did.
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

/** A thing with all that is in it; undefined if that is more than `max` names. */
function totalOf(view: View, entry: NameEntry, max: number): Amounts | undefined {
  if (!entry.directory) return amountsOf(entry)
  const own = usageAt(view, entry.id)
  if (own?.known && !own.counting) return { names: own.used.names + 1, bytes: own.used.bytes }
  let names = 1
  let bytes = 0
  const open = [entry.id]
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    for (const { value } of view.range('children', { start: childKey(at, ''), end: idKey(at + 1) })) {
      const below = decodeEntry(value)
      if (++names > max) return undefined
      bytes += amountsOf(below).bytes
      if (below.directory) open.push(below.id)
    }
  }
  return { names, bytes }
}

/** The owner of the snapshots that a count reads from: nobody else sees those. */
export const countingOwner = ''

/** From the state after this operation on. */
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

/** The directory is gone. */
export function dropUsage(draft: Draft, directory: InodeId): void {
  if (draft.counters.quotas === 0) return
  const usage = usageAt(draft, directory)
  if (!usage) return
  endCount(draft, directory, usage)
  draft.remove('quotas', idKey(directory))
  draft.count('quotas', -1)
}

/**
 * A directory is about to take the place of another one at `path`, and gets its quota with it, counted on the spot. Throws EDQUOT
 * if it holds more than the quota allows, and EINVAL if that is too much to be counted at once. True if a count was ended by it.
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

/** Directories that are to be counted. */
export function* toCount(view: View): Iterable<{ readonly directory: InodeId; readonly seq: number }> {
  if (view.counters.quotas === 0) return
  for (const { key, value } of view.range('quotas', {})) {
    const { counting } = decodeValue<Usage>(value)
    if (counting) yield { directory: inodeId(key.readUInt32BE(0) * 2 ** 32 + key.readUInt32BE(4)), seq: counting.seq }
  }
}
