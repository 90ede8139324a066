// Mutations of names: mkdir, rename, remove, attributes, touch. Semantics and error codes as in POSIX.

import { GristmillError } from '../../src/base/errors.ts'
import { faultOfName } from '../../src/base/username.ts'
import type { RecordFormat } from '../../src/base/formats.ts'
import { inodeId, type InodeId } from '../../src/base/ids.ts'
import { isWithin, systemDirectory } from '../../src/base/paths.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'
import { childKey, idKey, nameOfKey } from '../journal/keys.ts'
import { mutation, type Actor, type AnyMutation, type UserOperation } from '../journal/operation.ts'
import type { View } from '../journal/view.ts'
import { checkMay, checkNotSystem, checkOwner, checkSticky, may, maySearch, mayWrite } from './access.ts'
import { checkInstant, keepStatus, recallStatus, statusOf, type NameEntry } from './entry.ts'
import { putTarget } from './file.ts'
import { directoryIn, fileIn } from './inherit.ts'
import { isShelf, placeAt, type NamePlace } from './resolve.ts'
import { addDirectory, addFile, checkNoSnapshots, detach, isEmpty, makeDirectories, move, replaceEntry } from './tree.ts'

interface Asked extends UserOperation { readonly path: string }

const missing = (path: string): GristmillError => new GristmillError('ENOENT', `there is no ${path}`, { details: { path } })
const exists = (path: string, entry: NameEntry): GristmillError =>
  new GristmillError('EEXIST', `${path} exists already and is a ${entry.directory ? 'directory' : 'file'}`, { details: { path } })

interface MkdirAsked extends Asked {
  readonly parents?: boolean | undefined
  readonly mode?: number | undefined
  /** Missing in operations of earlier versions. */
  readonly unmasked?: number | undefined
  /** With missing parents, requires search permission on the directory above them. Missing in operations of earlier versions. */
  readonly searched?: true | undefined
}

export const mkdir = mutation<MkdirAsked, FileStatus>({
  kind: 'namespace.mkdir',
  keep: keepStatus,
  recall: recallStatus,
  mutate(draft, { path, parents, mode, unmasked, searched = false, nowMs, ...actor }) {
    let place
    try {
      place = placeAt(draft, actor, path)
    } catch (error) {
      if (!parents || !(error instanceof GristmillError) || error.code !== 'ENOENT') throw error
    }
    if (place?.entry) {
      if (parents && place.entry.directory) return statusOf(path, place.entry)
      throw exists(path, place.entry)
    }
    const { directory: above, adder } = parents
      ? makeDirectories(draft, actor, path.slice(0, path.lastIndexOf('/')) || '/', { nowMs, asked: path, searched })
      : { directory: place!.parent, adder: actor }
    checkMay(adder, above.entry, mayWrite, above.path)
    const name = path.slice(path.lastIndexOf('/') + 1)
    const made = { owner: actor.user, group: above.entry.group, ...directoryIn(above.entry, mode, unmasked), nowMs }
    return statusOf(path, addDirectory(draft, above.entry.id, name, made))
  },
})

export const rename = mutation<Omit<Asked, 'path'> & { from: string; to: string; overwrite?: boolean | undefined }, undefined>({
  kind: 'namespace.rename',
  mutate(draft, { from, to, overwrite, nowMs: _, ...actor }) {
    checkNotSystem(from, 'rename')
    const source = placeAt(draft, actor, from)
    if (!source.entry) throw missing(from)
    if (source.entry.directory && from !== to && isWithin(to, from)) {
      throw new GristmillError('EINVAL', `cannot move ${from} to ${to}: a directory cannot be moved into itself`, {
        details: { path: from, to },
      })
    }
    if (source.entry.directory && isWithin(to, systemDirectory)) checkNoSnapshots(draft, source.entry.id, from, `moved to ${to}`)
    checkNotSystem(to, 'replace')
    const target = placeAt(draft, actor, to)
    checkMay(actor, source.parent.entry, mayWrite, source.parent.path)
    checkMay(actor, target.parent.entry, mayWrite, target.parent.path)
    checkSticky(actor, source.parent.entry, source.entry, from)
    if (from === to) return undefined
    if (target.entry) {
      if (!overwrite) throw exists(to, target.entry)
      if (source.entry.directory && !target.entry.directory)
        throw new GristmillError('ENOTDIR', `cannot move the directory ${from} over ${to}, which is a file`, { details: { path: to } })
      if (!source.entry.directory && target.entry.directory)
        throw new GristmillError('EISDIR', `cannot move the file ${from} over ${to}, which is a directory`, { details: { path: to } })
      if (target.entry.directory && !isEmpty(draft, target.entry.id))
        throw new GristmillError('ENOTEMPTY', `cannot move ${from} over ${to}: that directory is not empty`, { details: { path: to } })
      checkSticky(actor, target.parent.entry, target.entry, to)
      detach(draft, target.parent.entry.id, target.name, target.entry)
    }
    move(draft, { parent: source.parent.entry.id, name: source.name }, { parent: target.parent.entry.id, name: target.name }, source.entry)
    return undefined
  },
})

export interface Removing {
  readonly recursive?: boolean | undefined
  /**
   * Also requires search permission on the directory. Missing in operations of earlier versions, which checked write permission only.
   */
  readonly searched?: boolean | undefined
}

/** Finds an entry that the actor may remove. Throws ENOENT, ENOTEMPTY, EACCES. */
export function removable(
  view: View, actor: Actor, path: string, { recursive, searched }: Removing,
): NamePlace & { readonly entry: NameEntry } {
  checkNotSystem(path, 'remove')
  const place = placeAt(view, actor, path)
  const { parent, entry } = place
  if (!entry) throw missing(path)
  checkMay(actor, parent.entry, mayWrite, parent.path)
  checkSticky(actor, parent.entry, entry, path)
  if (entry.directory && !isEmpty(view, entry.id)) {
    if (!recursive)
      throw new GristmillError(
        'ENOTEMPTY',
        `${path} is a directory that ${holdsShelfOnly(view, entry.id) ? 'holds older versions of objects (.snapshot/.objects)' : 'is not empty'}; ` +
        'removing it with all that is in it must be asked for (recursive)',
        { details: { path } },
      )
    // Emptying a directory needs write permission on it. Permissions deeper in the tree are not checked, because that would take
    // as long as the removal.
    checkMay(actor, entry, mayWrite, path)
    if (searched) checkMay(actor, entry, maySearch, path)
  }
  return { ...place, entry }
}

/** True for a directory that no list shows anything in. */
function holdsShelfOnly(view: View, directory: InodeId): boolean {
  for (const { key } of view.range('children', { start: childKey(directory, ''), end: idKey(directory + 1), limit: 3 }))
    if (!isShelf(nameOfKey(key))) return false
  return true
}

/** Removes without trash; see trash/mutations.ts for removal into the trash. */
export const remove = mutation<Asked & Removing, undefined>({
  kind: 'namespace.remove',
  mutate(draft, { path, recursive, searched, nowMs: _, ...actor }) {
    const { parent, name, entry } = removable(draft, actor, path, { recursive, searched })
    detach(draft, parent.entry.id, name, entry)
    return undefined
  },
})

interface Attributes {
  readonly mode?: number | undefined
  readonly owner?: string | undefined
  readonly group?: string | undefined
  readonly mtimeMs?: number | undefined
  readonly replication?: number | undefined
}

export const setAttributes = mutation<Asked & Attributes, FileStatus>({
  kind: 'namespace.attributes',
  keep: keepStatus,
  recall: recallStatus,
  mutate(draft, { path, nowMs: _, user, root, requestId: __, ...wanted }) {
    const actor = { user, root }
    const place = placeAt(draft, actor, path)
    const { entry } = place
    if (!entry) throw missing(path)
    checkOwner(actor, entry, path)
    if (!root && wanted.owner !== undefined && wanted.owner !== entry.owner)
      throw new GristmillError('EACCES', `only the cluster's superuser may give ${path} to ${wanted.owner}`, { details: { path } })
    if (!root && wanted.group !== undefined && wanted.group !== entry.group && wanted.group !== user)
      throw new GristmillError(
        'EACCES',
        `${user} is not in the group ${wanted.group}; only the cluster's superuser may give ${path} to it`,
        { details: { path } },
      )
    for (const name of [wanted.owner, wanted.group]) {
      // Files of earlier versions may have such a name, and keep it.
      const fault = name === undefined || name === entry.owner || name === entry.group ? undefined : faultOfName(name)
      if (fault !== undefined)
        throw new GristmillError('EINVAL', `${JSON.stringify(name)} cannot be the name of an owner or a group: ${fault}`, { details: { path } })
    }
    if (wanted.mtimeMs !== undefined) checkInstant(wanted.mtimeMs)
    if (wanted.replication !== undefined && entry.directory)
      throw new GristmillError('EISDIR', `${path} is a directory; only files have replicas`, { details: { path } })
    const changed: NameEntry = {
      ...entry,
      mode: wanted.mode ?? entry.mode,
      owner: wanted.owner ?? entry.owner,
      group: wanted.group ?? entry.group,
      mtimeMs: wanted.mtimeMs ?? entry.mtimeMs,
      replication: wanted.replication ?? entry.replication,
    }
    replaceEntry(draft, place, changed)
    if (changed.replication !== entry.replication) putTarget(draft, entry.id, changed.replication)
    return statusOf(path, changed)
  },
})

export const touch = mutation<
  Asked & { mtimeMs?: number | undefined; replication: number; blockBytes: number; format?: RecordFormat },
  FileStatus
>({
  kind: 'namespace.touch', keep: keepStatus, recall: recallStatus,
  mutate(draft, { path, mtimeMs, nowMs, replication, blockBytes, format = 'bytes', ...actor }) {
    const mtime = Math.floor(mtimeMs ?? nowMs)
    checkInstant(mtime)
    const place = placeAt(draft, actor, path)
    const { parent, name, entry } = place
    if (entry) {
      if (!may(actor, entry, mayWrite)) checkOwner(actor, entry, path)
      const changed = { ...entry, mtimeMs: mtime }
      replaceEntry(draft, place, changed)
      return statusOf(path, changed)
    }
    checkMay(actor, parent.entry, mayWrite, parent.path)
    if (draft.counters.leases > 0 && draft.has('writers', childKey(parent.entry.id, name)))
      throw new GristmillError('EBUSY', `${path} is being written; it appears when its writer is done`, { details: { path } })
    const made: NameEntry = {
      id: inodeId(draft.take('nextInode')), directory: false, ...fileIn(parent.entry, undefined), owner: actor.user,
      group: parent.entry.group, mtimeMs: mtime, replication, blockBytes, format, length: 0, blocks: 0,
    }
    addFile(draft, parent.entry.id, name, made)
    return statusOf(path, made)
  },
})

export const nameMutations: readonly AnyMutation[] = [mkdir, rename, remove, setAttributes, touch]
