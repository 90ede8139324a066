// Mutations that remove objects: a key, which gets a delete marker in a bucket with versioning, or one version for good. Directories above
// go with their last key.

import { aclText } from '../../src/base/acl.ts'
import { GristmillError } from '../../src/base/errors.ts'
import type { InodeId } from '../../src/base/ids.ts'
import { isWithin, nameOf, parentOf } from '../../src/base/paths.ts'
import type { Expected } from '../../src/protocol/object.ts'
import type { Draft } from '../journal/draft.ts'
import { childKey, idKey } from '../journal/keys.ts'
import { mutation, type Actor, type AnyMutation, type UserOperation } from '../journal/operation.ts'
import type { View } from '../journal/view.ts'
import { outputs } from '../jobs/store/rows.ts'
import { checkMay, checkNotSystem, checkSticky, may, mayWrite, stickyBit } from '../namespace/access.ts'
import type { NameEntry } from '../namespace/entry.ts'
import { findVersion, nullVersion, olderOf, type Versioning } from '../namespace/keyversions.ts'
import { directoryIn, directoryMode } from '../namespace/inherit.ts'
import { removable } from '../namespace/names.ts'
import { child, entryAt, lowestAt, missingName, placeAt, type Directory } from '../namespace/resolve.ts'
import { detach, isEmpty, makeDirectories } from '../namespace/tree.ts'
import { usageAt } from '../quotas/usage.ts'
import { hasSnapshots } from '../snapshots/history.ts'
import { recordOf } from '../versions/rows.ts'
import { attributesOf, removeAttribute } from '../xattrs/rows.ts'
import { writerOf } from '../writing/lease.ts'
import {
  addMarker, dropEmptyShelf, dropNull, isCovering, isOnly, removeOlder, restoreCovered, restoreNewest, setAside, versioningAt,
} from './shelf.ts'
import { contentName, contentOf, isKey } from './walk.ts'

/** Throws EEXIST, ENOENT, ESTALE unless the path has what the caller has seen. */
export function checkExpected(expect: Expected | undefined, there: NameEntry | undefined, path: string): void {
  if (expect === undefined) return
  if ('absent' in expect) {
    if (there) throw new GristmillError('EEXIST', `${path} exists already; nothing was replaced`, { details: { path } })
  } else if (!there) throw new GristmillError('ENOENT', `there is no ${path} any more; nothing was changed`, { details: { path } })
  else if (there.id !== expect.id)
    throw new GristmillError('ESTALE', `${path} was replaced meanwhile; nothing was changed`, { details: { path } })
}

/** Object of the key of a directory now: its content, the directory itself, or none. */
export function keyAt(view: View, actor: Actor, path: string, attributes: readonly string[]): NameEntry | undefined {
  const { entry, path: at } = lowestAt(view, actor, path)
  if (at !== path) return undefined
  return contentOf(view, entry.id) ?? (isKey({ view, attributes }, entry.id) ? entry : undefined)
}

interface RemoveAsked extends UserOperation {
  readonly path: string
  /** Directory that stays, above the path. */
  readonly keep: string
  readonly directory: boolean
  /** Names of attributes that make a directory a key. */
  readonly attributes?: readonly string[] | undefined
  readonly expect?: Expected | undefined
  /** Directories above that have a list go too, if they have inherited it. Missing in operations of earlier versions. */
  readonly forgetsLists?: true | undefined
  /**
   * With attributes, the path of the content of a key stands for the key, which may be its directory. Missing in operations of earlier
   * versions, which removed a file there and nothing else.
   */
  readonly removesKey?: true | undefined
}

/** True if the directory has one of the attributes that make it a key. */
const isKeyBy = (view: View, directory: InodeId, attributes: readonly string[]): boolean =>
  view.counters.attributes > 0 && attributes.some(each => view.get('attributes', childKey(directory, each)) !== undefined)

/** Set if the key got a delete marker: its version. */
type Removed = { readonly marker: string } | undefined

export const remove = mutation<RemoveAsked, Removed>({
  kind: 'object.remove',
  mutate(draft, asked) {
    const { path, keep, directory, expect, forgetsLists, user, root } = asked
    const [actor, attributes] = [{ user, root }, asked.attributes ?? []]
    const state = directory ? undefined : versioningAt(draft, keep, path)
    if (state) return { marker: markDeleted(draft, asked, state) }
    const key = isOfKey(asked) ? keyAt(draft, actor, parentOf(path), attributes) : undefined
    if (isOfKey(asked)) checkExpected(expect, key, path)
    const [at, isDirectory] = key?.directory ? [parentOf(path), true] : [path, directory]
    const found = entryAt(draft, actor, at)
    if (found.directory !== isDirectory) throw missingName(path, path)
    if (isDirectory && asked.attributes && !isEmpty(draft, found.id)) {
      checkMay(actor, found, mayWrite, at)
      for (const each of attributes) removeAttribute(draft, found.id, each)
      return undefined
    }
    const { parent, name, entry } = removable(draft, actor, at, { recursive: false, searched: true })
    if (!isOfKey(asked)) checkExpected(expect, entry, path)
    drop(draft, { path: at, directory: parent.entry, name }, entry)
    // Content of a key that was stored as a directory before: none of the two is left.
    if (name === contentName && !isDirectory) for (const each of attributes) removeAttribute(draft, parent.entry.id, each)
    forgetAbove(draft, actor, parent, { keep, forgetsLists })
    return undefined
  },
})

/** True if the path stands for a key with a slash at its end, which is content or a directory. */
const isOfKey = ({ path, keep, directory, attributes, removesKey }: RemoveAsked): boolean =>
  removesKey === true && !directory && attributes !== undefined && nameOf(path) === contentName && parentOf(path) !== keep

interface NamedPlace { readonly path: string; readonly directory: NameEntry; readonly name: string }

/** Removes a name. A version that a directory of this name has kept from becoming the object becomes it. Throws EBUSY. */
function drop(draft: Draft, { path, ...place }: NamedPlace, entry: NameEntry): void {
  const isWaitedFor = entry.directory && isCovering(draft, place, entry.id)
  detach(draft, place.directory.id, place.name, entry)
  if (isWaitedFor) restoreCovered(draft, place, path)
}

/** Puts what the key has aside, and a delete marker in its place; also for a key that has nothing, as in S3. Returns the marker's id. */
function markDeleted(draft: Draft, asked: RemoveAsked, state: Versioning): string {
  const { path, expect, attributes = [], nowMs, user, root } = asked
  const actor = { user, root }
  checkNotSystem(path, 'remove')
  const isKeyAsked = isOfKey(asked)
  // Before directories are made: an empty one is a key.
  const key = isKeyAsked && expect ? keyAt(draft, actor, parentOf(path), attributes) : undefined
  const { adder } = makeDirectories(draft, actor, parentOf(path), { nowMs, asked: path })
  const { parent, name, entry } = placeAt(draft, adder, path)
  checkMay(adder, parent.entry, mayWrite, parent.path)
  const file = entry?.directory ? undefined : entry
  checkExpected(expect, isKeyAsked ? key : file, path)
  if (file) checkSticky(actor, parent.entry, file, path)
  const place = { directory: parent.entry, name }
  setAside(draft, place, file, { state, nowMs })
  if (isKeyAsked) for (const each of attributes) removeAttribute(draft, parent.entry.id, each)
  return addMarker(draft, place, { state, nowMs, owner: user })
}

interface RemoveVersionAsked extends UserOperation {
  readonly path: string
  /** Directory that stays, above the path. */
  readonly keep: string
  readonly version: string
  readonly only?: 'older' | 'marker' | undefined
  /**
   * Names of attributes that make a directory a key, whose content the path may be: then the directory is the version `null`, and no older
   * version becomes the object while it is. Missing in operations of earlier versions.
   */
  readonly attributes?: readonly string[] | undefined
  /** With the version `null`, one behind it goes that another door's write has hidden. Missing in operations of earlier versions. */
  readonly oneNull?: true | undefined
  /** A version that cannot become the object now becomes it later, or the removal is refused. Missing in operations of earlier versions. */
  readonly isOwed?: true | undefined
  readonly forgetsLists?: RemoveAsked['forgetsLists']
}

/** Removes one version for good; `marker`: it was a delete marker. */
export const removeVersion = mutation<RemoveVersionAsked, { readonly marker: boolean }>({
  kind: 'object.removeVersion',
  mutate(draft, { path, keep, version, only, attributes = [], oneNull, isOwed = false, forgetsLists, nowMs: _, ...actor }) {
    checkNotSystem(path, 'remove')
    const { parent, name } = placeAt(draft, actor, path)
    const isKey = name === contentName && isKeyBy(draft, parent.entry.id, attributes)
    const place = { directory: parent.entry, name }
    if (isKey && version === nullVersion && only === undefined) {
      checkMay(actor, parent.entry, mayWrite, parent.path)
      for (const each of attributes) removeAttribute(draft, parent.entry.id, each)
      restoreNewest(draft, place, { path, isOwed })
      dropEmptyShelf(draft, place)
      forgetAbove(draft, actor, parent, { keep, forgetsLists })
      return { marker: false }
    }
    const found = findVersion(draft, parent.entry.id, name, version)
    if (!found) throw missingName(path, path)
    checkMay(actor, parent.entry, mayWrite, parent.path)
    checkSticky(actor, parent.entry, found, path)
    const isObject = child(draft, parent.entry.id, name)?.id === found.id
    if (only && (only === 'older' ? isObject : !found.directory || !isOnly(draft, place, found)))
      throw new GristmillError('ESTALE', `the version ${version} of ${path} is no longer what it was; nothing was removed`,
        { details: { path, version } })
    if (isObject) {
      detach(draft, parent.entry.id, name, found)
      if (oneNull && version === nullVersion) dropNull(draft, place)
      restoreNewest(draft, place, { path, isOwed })
    } else if (isKey) detach(draft, olderOf(draft, parent.entry.id, name)!.id, version, found)
    else removeOlder(draft, place, { path, isOwed, version, entry: found })
    dropEmptyShelf(draft, place)
    forgetAbove(draft, actor, parent, { keep, forgetsLists })
    return { marker: found.directory }
  },
})

/** Removes directories that became empty, from this one up to `keep`. */
function forgetAbove(
  draft: Draft, actor: Actor, from: Directory, { keep, forgetsLists }: Pick<RemoveAsked, 'keep' | 'forgetsLists'>,
): void {
  for (let at = from; at.parent && at.path !== keep && isWithin(at.path, keep); at = at.parent) {
    if (at.entry.acl && !forgetsLists) return
    if (!isForgettable(draft, actor, at, at.parent)) return
    const place = { path: at.path, directory: at.parent.entry, name: nameOf(at.path) }
    if (isCovering(draft, place, at.entry.id) && writerOf(draft, place.directory.id, place.name) !== undefined) return
    drop(draft, place, at.entry)
  }
}

const isSameAcl = (one: NameEntry['acl'], other: NameEntry['acl']): boolean =>
  (one ?? []).map(aclText).join() === (other ?? []).map(aclText).join()

/**
 * True if writing a key below this empty directory again would make the same directory, or one that differs by a default list which the one
 * above got later, and nothing waits for it.
 */
function isForgettable(view: View, { user, root }: Actor, { path, entry }: Directory, above: Directory): boolean {
  const again = entry.acl ? directoryIn(above.entry, undefined) : { mode: directoryMode }
  if (!isEmpty(view, entry.id) || entry.mode !== again.mode || !isSameAcl(entry.acl, again.acl)) return false
  if (entry.owner !== user || entry.group !== above.entry.group) return false
  if (!may({ user, root }, above.entry, mayWrite) || (above.entry.mode & stickyBit && above.entry.owner !== user
    && entry.owner !== user)) return false
  for (const _ of attributesOf(view, entry.id)) return false
  for (const _ of view.range('writers', { start: childKey(entry.id, ''), end: idKey(entry.id + 1), limit: 1 })) return false
  if (usageAt(view, entry.id) || recordOf(view, entry.id) || hasSnapshots(view, entry.id)) return false
  for (const output of outputs(view)) if (isWithin(output.path, path)) return false
  return true
}

export const removalMutations: readonly AnyMutation[] = [remove, removeVersion]
