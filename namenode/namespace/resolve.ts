// Resolution of paths. Directories are cached by path (Memo), together with their ancestors, so that a lookup in a known
// directory is one read; permissions are checked each time.

import { assert } from '../../src/base/assert.ts'
import { GristmillError } from '../../src/base/errors.ts'
import { inodeId, type InodeId } from '../../src/base/ids.ts'
import { checkPath, join, nameOf, parentOf } from '../../src/base/paths.ts'
import { childKey, idKey } from '../journal/keys.ts'
import { Packer, Unpacker } from '../journal/codec.ts'
import type { Actor } from '../journal/operation.ts'
import type { View } from '../journal/view.ts'
import { checkMay, maySearch } from './access.ts'
import { decodeEntry, type NameEntry } from './entry.ts'

export const rootId = inodeId(1)
/** The root's own entry has no parent and no name. */
export const rootKey = childKey(0, '')

/**
 * Name of the directory in an output that holds its older versions (versions/rows.ts). No path leads to it: the names of a path have no
 * slash.
 */
export const shelfName = '/versions'

/** Name of the directory that holds the older versions of the objects in a directory (keyversions.ts). No path leads to it either. */
export const objectShelfName = '/objects'

/** Name below which they are read, in the snapshots of that directory: `.snapshot/.objects/NAME/VERSION`. */
export const objectsName = '.objects'
const objectsPath = `.snapshot/${objectsName}`

/** Names that no list shows. */
export const isShelf = (name: string): boolean => name === shelfName || name === objectShelfName

export interface Directory {
  readonly path: string
  readonly entry: NameEntry
  readonly parent: Directory | undefined
}

/** A name in an existing directory; `entry` undefined: the name does not exist. */
export interface NamePlace {
  readonly path: string
  readonly parent: Directory
  readonly name: string
  readonly entry: NameEntry | undefined
}

/** `first`: the first name on the path that does not exist. */
export const missingName = (path: string, first: string): GristmillError =>
  new GristmillError('ENOENT', first === path ? `there is no ${path}` : `there is no ${path}: ${first} does not exist`, {
    details: { path, ...(first !== path && { missing: first }) },
  })

export const notDirectory = (path: string, file: string): GristmillError =>
  new GristmillError(
    'ENOTDIR',
    path === file ? `${path} is a file, not a directory` : `there is no ${path}: ${file} is a file, not a directory`,
    { details: { path, ...(path !== file && { file }) } },
  )

/** undefined if the name does not exist. */
export function child(view: View, parent: InodeId, name: string): NameEntry | undefined {
  const bytes = view.get('children', childKey(parent, name))
  return bytes && decodeEntry(bytes)
}

/**
 * The directory at a normalized path. `asked`: path given by the user, for messages. Throws ENOENT or ENOTDIR; checks no permissions.
 */
function locate(view: View, path: string, asked: string): Directory {
  const found = lowest(view, path, asked)
  if (found.path !== path) throw missingName(asked, path.slice(0, nextSlash(path, found)))
  return found
}

/** End of the name after this directory in a path through it. */
const nextSlash = (path: string, { path: above }: Directory): number => {
  const end = path.indexOf('/', above === '/' ? 1 : above.length + 1)
  return end < 0 ? path.length : end
}

/**
 * The deepest existing directory on a normalized path. Throws ENOTDIR. Walks up to the nearest cached directory and down from there: at
 * most n reads for n levels.
 */
function lowest(view: View, path: string, asked: string): Directory {
  let at = path
  let found = view.memo.get<Directory>(at)
  while (!found && at !== '/') found = view.memo.get<Directory>(at = parentOf(at))
  if (!found) {
    const bytes = view.get('children', rootKey)
    assert(bytes, 'the namespace has a root')
    view.memo.set('/', found = { path: '/', entry: decodeEntry(bytes), parent: undefined })
  }
  while (found.path !== path) {
    const next: string = path.slice(0, nextSlash(path, found))
    const entry = child(view, found.entry.id, nameOf(next))
    if (!entry) return found
    if (!entry.directory) throw notDirectory(asked, next)
    view.memo.set(next, found = { path: next, entry, parent: found })
  }
  return found
}

/** The deepest existing directory on a path, whose ancestors the actor may search. Throws ENOTDIR, EACCES. */
export function lowestAt(view: View, actor: Actor, path: string, asked = path): Directory {
  const directory = lowest(view, path, asked)
  if (directory.parent) checkSearch(actor, directory.parent)
  return directory
}

function checkSearch(actor: Actor, directory: Directory): void {
  if (actor.root) return
  for (let each: Directory | undefined = directory; each; each = each.parent) checkMay(actor, each.entry, maySearch, each.path)
}

/** Throws EINVAL or ENAMETOOLONG if the path is not in normal form. */
export function checkAsked(path: string): void {
  checkPath(path)
  if (!path.isWellFormed())
    throw new GristmillError('EINVAL', `the path ${JSON.stringify(path)} is not valid Unicode`, { details: { path } })
}

/** The directory at a path, whose ancestors the actor may search. Throws ENOENT, ENOTDIR, EACCES. */
export function directoryAt(view: View, actor: Actor, path: string, asked = path): Directory {
  const directory = locate(view, path, asked)
  if (directory.parent) checkSearch(actor, directory.parent)
  return directory
}

/** The place of a name, existing or not. The root is its own parent, with the name ''. */
export function placeAt(view: View, actor: Actor, path: string): NamePlace {
  checkAsked(path)
  if (path === '/') {
    const root = locate(view, '/', path)
    return { path, parent: root, name: '', entry: root.entry }
  }
  const parent = locate(view, parentOf(path), path)
  checkSearch(actor, parent)
  const name = nameOf(path)
  return { path, parent, name, entry: child(view, parent.entry.id, name) }
}

/** The entry at a path. Throws ENOENT. */
export function entryAt(view: View, actor: Actor, path: string): NameEntry {
  const { entry } = placeAt(view, actor, path)
  if (!entry) throw missingName(path, path)
  return entry
}

/** Key of a place in the table "children". */
export const keyOf = ({ parent, name }: NamePlace): Buffer => (name === '' ? rootKey : childKey(parent.entry.id, name))

const packer = new Packer()

/** Value in the table "directories": parent and name of a directory. */
export const encodeHook = (parent: InodeId, name: string): Buffer => packer.u48(parent).text(name).done()

/** Parent and name of a directory; undefined for the root, and for a removed one. */
export function hookOf(view: View, id: InodeId): { readonly parent: InodeId; readonly name: string } | undefined {
  const bytes = view.get('directories', idKey(id))
  if (!bytes) return undefined
  const unpacker = new Unpacker(bytes)
  return { parent: inodeId(unpacker.u48()), name: unpacker.text() }
}

/** Entry of a directory by its id; undefined if it was removed. */
export function directoryOfId(view: View, id: InodeId): NameEntry | undefined {
  const hook = hookOf(view, id)
  const bytes = id === rootId ? view.get('children', rootKey) : hook && view.get('children', childKey(hook.parent, hook.name))
  return bytes && decodeEntry(bytes)
}

/**
 * Path of a directory by its id, resolved upwards; undefined if it, or one above it, was removed. An older version of an output has the
 * path under which it is read, `PATH@NUMBER`.
 */
export function pathOf(view: View, id: InodeId): string | undefined {
  if (id === rootId) return '/'
  const hook = hookOf(view, id)
  const above = hook && pathOf(view, hook.parent)
  if (above === undefined || hook!.name === shelfName) return above
  if (hook!.name === objectShelfName) return join(above, objectsPath)
  const isVersion = view.counters.versions > 0 && hookOf(view, hook!.parent)?.name === shelfName
  return isVersion ? `${above}@${hook!.name}` : join(above, hook!.name)
}

/** True if a directory is an older version of an output, or in one: a version never changes. */
export function isInVersion(view: View, id: InodeId): boolean {
  if (view.counters.versions === 0) return false
  for (let hook = hookOf(view, id); hook; hook = hookOf(view, hook.parent)) if (hook.name === shelfName) return true
  return false
}
