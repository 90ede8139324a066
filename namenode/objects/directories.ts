// Mutations of directories that stand for something in an object store: an upload, which is begun and expires, and a key with a slash at
// its end. Each is one operation, attributes included: no crash leaves an upload that belongs to no key, or a key that is half described.

import { GristmillError } from '../../src/base/errors.ts'
import { join, nameOf, parentOf } from '../../src/base/paths.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'
import { uploadsDirectory, type Expected } from '../../src/protocol/object.ts'
import type { Draft } from '../journal/draft.ts'
import { mutation, systemActor, type Actor, type AnyMutation, type Requested, type UserOperation } from '../journal/operation.ts'
import type { View } from '../journal/view.ts'
import { checkMay, checkSticky, mayWrite } from '../namespace/access.ts'
import { keepStatus, recallStatus, statusOf, type NameEntry } from '../namespace/entry.ts'
import { child, directoryAt, lowestAt, placeAt } from '../namespace/resolve.ts'
import { addDirectory, detach, makeDirectories } from '../namespace/tree.ts'
import { putAttributes, removeAttribute, type GivenAttributes } from '../xattrs/rows.ts'
import { checkExpected, keyAt } from './removal.ts'
import { dropEmptyShelf, setAside, versioningAt } from './shelf.ts'
import { contentName, contentOf } from './walk.ts'

interface BeginAsked extends UserOperation {
  readonly upload: string
  readonly attributes: GivenAttributes
  readonly to?: string | undefined
  readonly base?: string | undefined
}

export const begin = mutation<BeginAsked, undefined>({
  kind: 'object.begin',
  mutate(draft, { upload, attributes, to, base, nowMs, user, root }) {
    const actor = { user, root }
    if (parentOf(upload) !== uploadsDirectory)
      throw new GristmillError('EINVAL', `an upload is a directory in ${uploadsDirectory}, not ${upload}`, { details: { path: upload } })
    const { parent, name, entry: there } = placeAt(draft, actor, upload)
    if (there) throw new GristmillError('EEXIST', `there is an upload ${upload} already`, { details: { path: upload } })
    if (base !== undefined) directoryAt(draft, actor, base)
    if (to !== undefined) checkMayPublish(draft, actor, to)
    checkMay(actor, parent.entry, mayWrite, parent.path)
    const made = addDirectory(draft, parent.entry.id, name, { owner: user, group: parent.entry.group, mode: 0o700, nowMs })
    putAttributes(draft, made.id, attributes, upload)
    return undefined
  },
})

/** Throws what publishing at the path would throw now: the bytes of an upload are not sent in vain. */
function checkMayPublish(view: View, actor: Actor, to: string): void {
  const { entry, path } = lowestAt(view, actor, parentOf(to), to)
  checkMay(actor, entry, mayWrite, path)
  const there = path === parentOf(to) ? child(view, entry.id, nameOf(to)) : undefined
  if (!there) return
  if (there.directory) throw new GristmillError('EISDIR', `${to} is a directory`, { details: { path: to } })
  checkMay(actor, there, mayWrite, to)
  checkSticky(actor, entry, there, to)
}

interface DirectoryAsked extends UserOperation {
  readonly path: string
  readonly base?: string | undefined
  readonly attributes: GivenAttributes
  readonly replaces: readonly string[]
  readonly expect?: Expected | undefined
  /** Content that the key had is replaced. Missing in operations of earlier versions, which left it. */
  readonly replacesContent?: true | undefined
}

export const storeDirectory = mutation<DirectoryAsked, FileStatus>({
  kind: 'object.directory',
  keep: keepStatus,
  recall: recallStatus,
  mutate(draft, { path, base, attributes, replaces, replacesContent, expect, nowMs, user, root }) {
    const actor = { user, root }
    if (base !== undefined) directoryAt(draft, actor, base)
    if (expect !== undefined) checkExpected(expect, keyAt(draft, actor, path, replaces), path)
    const { directory: { entry }, adder } = makeDirectories(draft, actor, path, { nowMs, searched: false })
    checkMay(adder, entry, mayWrite, path)
    if (replacesContent) replaceContent(draft, { path, base, entry, nowMs }, actor)
    for (const name of replaces) removeAttribute(draft, entry.id, name)
    putAttributes(draft, entry.id, attributes, path)
    return statusOf(path, entry)
  },
})

interface ReplacedContent extends Pick<DirectoryAsked, 'path' | 'base' | 'nowMs'> { readonly entry: NameEntry }

/**
 * The key has no content from now on, and is the version `null`: content is an older version, where the bucket has versioning. Content that
 * is a version `null`, too, is kept and not seen until the key is removed as this version.
 */
function replaceContent(draft: Draft, { path, base, entry, nowMs }: ReplacedContent, actor: Actor): void {
  const file = contentOf(draft, entry.id)
  const at = join(path, contentName)
  if (file) {
    checkMay(actor, file, mayWrite, at)
    checkSticky(actor, entry, file, at)
  }
  const place = { directory: entry, name: contentName }
  const state = versioningAt(draft, base, path)
  if (state) {
    setAside(draft, place, file, { state, nowMs })
    dropEmptyShelf(draft, place)
  } else if (file) detach(draft, entry.id, contentName, file)
}

/** Names of uploads; each that was begun before the time is removed with its parts. */
export const expire = mutation<Requested & { readonly names: readonly string[]; readonly beforeMs: number }, undefined>({
  kind: 'object.expire',
  mutate(draft, { names, beforeMs }) {
    const above = directoryAt(draft, systemActor, uploadsDirectory).entry
    for (const name of names) {
      const entry = child(draft, above.id, name)
      if (entry && isExpired(entry, beforeMs)) detach(draft, above.id, name, entry)
    }
    return undefined
  },
})

export const isExpired = ({ directory, mtimeMs }: NameEntry, beforeMs: number): boolean => directory && mtimeMs < beforeMs

export const directoryMutations: readonly AnyMutation[] = [begin, storeDirectory, expire]
