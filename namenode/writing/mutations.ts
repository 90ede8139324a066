// Mutations of files being written: create, allocate, complete, abandon. A file becomes visible, whole, when `complete`
// commits. Block ids come from a counter of the state: no id is given out twice.

import { GristmillError } from '../../src/base/errors.ts'
import type { RecordFormat } from '../../src/base/formats.ts'
import { blockId, inodeId, leaseId, type BlockId, type InodeId, type LeaseId } from '../../src/base/ids.ts'
import { isWithin, join, parentOf } from '../../src/base/paths.ts'
import type { FileContent } from '../../src/protocol/fields.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'
import type { Appearance } from '../../src/protocol/writing.ts'
import type { Draft } from '../journal/draft.ts'
import { mutation, systemActor, type Actor, type AnyMutation, type Requested, type UserOperation } from '../journal/operation.ts'
import { checkMay, checkSticky, mayWrite } from '../namespace/access.ts'
import { checkInstant, keepPlaced, recallPlaced, statusOf, type NameEntry } from '../namespace/entry.ts'
import { putContent } from '../namespace/content.ts'
import { putBlocks, type Block } from '../namespace/file.ts'
import { fileIn, fileInPlaceOf, fileMode, hasDefaults } from '../namespace/inherit.ts'
import { child, directoryAt, directoryOfId, isInVersion, pathOf, placeAt, type NamePlace } from '../namespace/resolve.ts'
import { checkQuota } from '../quotas/usage.ts'
import { addFile, detach, makeDirectories } from '../namespace/tree.ts'
import type { View } from '../journal/view.ts'
import { trashDirectory } from '../trash/items.ts'
import { attributesGiven, dress, rightsGiven } from './appearance.ts'
import { csvOf, type AnyFormat } from './csvfacts.ts'
import { changeLease, closeLease, leaseAt, openLease, writerOf, type Lease } from './lease.ts'


export interface Created {
  readonly lease: LeaseId
  readonly blockBytes: number
  readonly replication: number
  readonly blocks: readonly BlockId[]
}

interface CreateAsked extends UserOperation {
  readonly path: string
  readonly overwrite?: boolean | undefined
  readonly parents?: boolean | undefined
  readonly mode?: number | undefined
  /** Missing in operations of earlier versions. */
  readonly unmasked?: number | undefined
  /** Missing in operations of earlier versions: the file is a new state of the one at the path. */
  readonly keepsOwner?: true | undefined
  readonly replication: number
  readonly blockBytes: number
  readonly format?: RecordFormat | undefined
  readonly delimiter?: string | undefined
  /** Missing in operations of earlier versions. */
  readonly header?: boolean | undefined
  readonly anyFormat?: AnyFormat | undefined
  readonly blocks?: number | undefined
  /** Lease past its soft limit that this writer takes over. */
  readonly replace?: LeaseId | undefined
}

function takeBlocks(draft: Draft, count: number): BlockId[] {
  return Array.from({ length: count }, () => blockId(draft.take('nextBlock')))
}

export const create = mutation<CreateAsked, Created>({
  kind: 'writing.create',
  keep: ({ lease, blockBytes, replication, blocks }) => [lease, blockBytes, replication, ...blocks],
  recall: kept => {
    const [lease, blockBytes, replication, ...blocks] = kept as number[]
    return { lease: leaseId(lease!), blockBytes: blockBytes!, replication: replication!, blocks: blocks.map(blockId) }
  },
  mutate(
    draft,
    {
      path, overwrite = false, parents, mode, unmasked, replication, blockBytes, format = 'bytes', delimiter, header,
      blocks: count = 0, replace, nowMs, user, root, keepsOwner, anyFormat,
    },
  ) {
    const actor = { user, root }
    const { parent, name, entry } = keepsOwner ? sameFile(draft, actor, path) : newPlace(draft, actor, { path, overwrite, parents, nowMs })
    // Bytes are charged at completion; a write that cannot complete is refused here.
    if (draft.counters.quotas > 0) checkQuota(draft, parent.entry.id, { names: entry ? 0 : 1, bytes: entry ? 0 : 1 })
    endOther(draft, { parent: parent.entry.id, name, path }, replace)
    const lease: Lease = {
      id: leaseId(draft.take('nextInode')), parent: parent.entry.id, name, owner: user, group: parent.entry.group,
      mode: mode ?? (entry?.acl || hasDefaults(parent.entry) ? unsaid : fileMode), replication, blockBytes, format,
      ...unmasked !== undefined && { unmasked }, ...csvOf({ format, delimiter, header, anyFormat }), ...keepsOwner && { keepsOwner },
      overwrite: overwrite || keepsOwner === true, openedMs: Math.floor(nowMs), blocks: takeBlocks(draft, count),
    }
    openLease(draft, lease)
    return { lease: lease.id, blockBytes, replication, blocks: lease.blocks }
  },
})

interface NewPlace {
  readonly path: string
  readonly overwrite: boolean
  readonly parents?: boolean | undefined
  readonly nowMs: number
}

/** Place of a file that the actor may create or replace. Throws EISDIR, EEXIST, EACCES, and ENOENT without `parents`. */
export function newPlace(draft: Draft, actor: Actor, { path, overwrite, parents, nowMs }: NewPlace): NamePlace {
  const { adder } = parents ? makeDirectories(draft, actor, parentOf(path), { nowMs, asked: path }) : { adder: actor }
  const place = placeAt(draft, adder, path)
  const { parent, entry } = place
  if (entry?.directory) throw new GristmillError('EISDIR', `${path} is a directory; give the name of a file`, { details: { path } })
  if (entry && !overwrite)
    throw new GristmillError('EEXIST', `${path} exists already; to replace it, overwriting must be asked for`, { details: { path } })
  checkMay(adder, parent.entry, mayWrite, parent.path)
  if (entry) {
    checkMay(actor, entry, mayWrite, path)
    checkSticky(actor, parent.entry, entry, path)
  }
  return place
}

/** Place of a file that gets a new state. Who may write it needs no permission for its directory. Throws ENOENT, EISDIR, EACCES. */
function sameFile(draft: Draft, actor: Actor, path: string): NamePlace {
  const place = placeAt(draft, actor, path)
  const { entry } = place
  if (!entry) throw new GristmillError('ENOENT', `there is no file ${path}, whose owner a new state could keep`, { details: { path } })
  if (entry.directory) throw new GristmillError('EISDIR', `${path} is a directory; give the name of a file`, { details: { path } })
  checkMay(actor, entry, mayWrite, path)
  return place
}

/** Throws EBUSY if the path has a writer, other than the one past its soft limit that may be replaced. */
export function endOther(
  draft: Draft, { parent, name, path }: { parent: InodeId; name: string; path: string }, replace: LeaseId | undefined,
): void {
  const writer = writerOf(draft, parent, name)
  if (writer === undefined) return
  const other = leaseAt(draft, writer)
  if (writer !== replace || !other)
    throw new GristmillError(
      'EBUSY',
      `${path} is being written by ${other?.owner ?? 'another user'}; wait for its end, or until the writer has been silent for long`,
      { details: { path, lease: writer } },
    )
  closeLease(draft, other)
}

/** Finds a lease that the actor may use. Throws LEASE_EXPIRED or EACCES. */
export function ownLease(draft: Draft, id: LeaseId, { user, root }: Actor): Lease {
  const lease = leaseAt(draft, id)
  if (!lease)
    throw new GristmillError(
      'LEASE_EXPIRED',
      `the file being written (lease ${id}) is no longer open: it was completed or abandoned, or its writer was silent for too long; write it again`,
      { details: { lease: id } },
    )
  if (!root && lease.owner !== user)
    throw new GristmillError('EACCES', `${user} may not write ${lease.name}: ${lease.owner} has opened it`, { details: { lease: id } })
  return lease
}

export const allocate = mutation<
  UserOperation & { lease: LeaseId; count: number },
  { readonly blocks: readonly BlockId[]; readonly replication: number; readonly blockBytes: number }
>({
  kind: 'writing.allocate',
  mutate(draft, { lease: id, count, ...actor }) {
    const lease = ownLease(draft, id, actor)
    const blocks = takeBlocks(draft, count)
    changeLease(draft, { ...lease, blocks: [...lease.blocks, ...blocks] })
    return { blocks, replication: lease.replication, blockBytes: lease.blockBytes }
  },
})

interface Completed {
  readonly status: FileStatus
  /** Allocated blocks that are not part of the file. */
  readonly unused: readonly BlockId[]
}

/** The appearance of the file is missing in operations of earlier versions. */
type CompleteAsked = UserOperation & Appearance & { lease: LeaseId; blocks: readonly Block[]; mtimeMs?: number | undefined }

const keepCompleted = ({ status }: Completed): unknown => keepPlaced(status)
const recallCompleted = (kept: unknown): Completed => ({ status: recallPlaced(kept), unused: [] })

/**
 * Makes the file visible. Its directory is looked up by id: if it was renamed, the file moves with it; if it was removed (deleted, or
 * in the trash) or is in an older version of an output now, ENOENT; a file that has appeared under the name is replaced only if the
 * writer may replace it.
 */
export const complete = mutation<CompleteAsked, Completed>({
  kind: 'writing.seal',
  keep: keepCompleted,
  recall: recallCompleted,
  mutate: completed,
})

function completed(draft: Draft, asked: CompleteAsked | InlineAsked): Completed {
  const { lease: id, user, root } = asked
  const actor = { user, root }
  const lease = ownLease(draft, id, actor)
  const directory = directoryOf(draft, lease)
  const there = child(draft, lease.parent, lease.name)
  if (there && !there.directory && lease.overwrite) {
    const path = join(directory, lease.name)
    checkMay(actor, there, mayWrite, path)
    if (!lease.keepsOwner) checkSticky(actor, directoryAt(draft, systemActor, directory).entry, there, path)
  }
  return seal(draft, lease, directory, asked)
}

type InlineAsked = UserOperation & Appearance & { lease: LeaseId; content: FileContent; mtimeMs?: number | undefined }

/**
 * As `complete`, for a small file: its bytes are in the operation. A kind of its own, because earlier versions would take the file for an
 * empty one.
 */
export const completeInline = mutation<InlineAsked, Completed>({
  kind: 'writing.inline',
  keep: keepCompleted,
  recall: recallCompleted,
  mutate: completed,
})

/**
 * Operation of earlier versions: treated a directory in the trash like any other, and replaced an existing file without a check of its
 * owner.
 */
const formerComplete = mutation<CompleteAsked, Completed>({
  kind: 'writing.complete',
  keep: keepCompleted,
  recall: recallCompleted,
  mutate(draft, asked) {
    const { lease: id, user, root } = asked
    const lease = ownLease(draft, id, { user, root })
    const directory = pathOf(draft, lease.parent)
    if (directory === undefined) throw gone(lease, 'has been removed')
    return seal(draft, lease, directory, asked)
  },
})


const gone = (lease: Lease, what: string): GristmillError =>
  new GristmillError('ENOENT', `the directory of ${lease.name} ${what}; nothing was stored`, {
    details: { lease: lease.id },
  })

/** Current directory of a lease's file. Throws ENOENT if it was removed, or replaced as the head of an output. */
export function directoryOf(view: View, lease: Lease): string {
  const directory = pathOf(view, lease.parent)
  if (directory === undefined) throw gone(lease, 'has been removed while it was written')
  if (isWithin(directory, trashDirectory)) throw gone(lease, `has been removed while it was written (it is in the trash, as ${directory})`)
  if (isInVersion(view, lease.parent))
    throw gone(lease, `was replaced while it was written (it is ${directory} now, and a version never changes)`)
  return directory
}

function seal(draft: Draft, lease: Lease, directory: string, asked: CompleteAsked | InlineAsked): Completed {
  const { mtimeMs, nowMs } = asked
  const mtime = Math.floor(mtimeMs ?? nowMs)
  checkInstant(mtime)
  const path = join(directory, lease.name)
  const stored = bodyOf(asked)
  const unused = checkBlocks(lease, stored.blocks, path)
  const there = child(draft, lease.parent, lease.name)
  const attributes = attributesGiven(draft, asked, there)
  const rights = rightsOf(draft, lease, there, asked)
  if (there) {
    if (there.directory)
      throw new GristmillError('EISDIR', `${path} has become a directory while the file was written`, { details: { path } })
    if (!lease.overwrite)
      throw new GristmillError('EEXIST', `${path} was created while this file was written; nothing was replaced`, {
        details: { path },
      })
    detach(draft, lease.parent, lease.name, there)
  }
  const entry: NameEntry = {
    id: inodeId(lease.id), directory: false, ...rights,
    mtimeMs: mtime, replication: lease.replication, blockBytes: lease.blockBytes, format: lease.format,
    ...(lease.delimiter !== undefined && { delimiter: lease.delimiter }), ...lease.header !== undefined && { header: lease.header },
    length: stored.length, blocks: stored.blocks.length,
  }
  addFile(draft, lease.parent, lease.name, entry)
  putBody(draft, entry, stored)
  dress(draft, entry, attributes, path)
  closeLease(draft, lease)
  return { status: statusOf(path, entry), unused }
}

/** Owner, group, mode and list of the file. Throws ENOENT if it should have those of a file that is no longer there. */
function rightsOf(
  draft: Draft, lease: Lease, there: NameEntry | undefined, asked: Appearance,
): Pick<NameEntry, 'owner' | 'group' | 'mode' | 'acl'> {
  const { owner, group, name, id, keepsOwner } = lease
  if (!keepsOwner) return { owner, group, ...rightsGiven(asked, guardOf(draft, lease, there)) }
  if (!there)
    throw new GristmillError('ENOENT', `${name} was removed while its new state was written; nothing was stored`, {
      details: { lease: id },
    })
  // Only its owner changes them.
  if (asked.acl)
    throw new GristmillError('EINVAL', `${name} keeps its access control list, and is given another one`, { details: { lease: id } })
  return { owner: there.owner, group: there.group, mode: there.mode, ...there.acl && { acl: there.acl } }
}

/** Mode of a lease whose writer has asked for none, where the list of the directory or of the replaced file decides. */
const unsaid = 0o100000

function guardOf(draft: Draft, { mode: written, unmasked, parent }: Lease, there: NameEntry | undefined): Pick<NameEntry, 'mode' | 'acl'> {
  const mode = written === unsaid ? undefined : written
  return there ? fileInPlaceOf(there, mode) : fileIn(directoryOfId(draft, parent) ?? {}, mode, unmasked)
}

/** Bytes of a new file: in blocks, or in the operation. */
type GivenBody = { readonly blocks: readonly Block[] } | { readonly content: FileContent }

export interface FileBody { readonly length: number; readonly blocks: readonly Block[]; readonly content?: FileContent }

export function bodyOf(given: GivenBody): FileBody {
  if ('content' in given) return { length: Buffer.byteLength(given.content.data, 'base64'), blocks: [], content: given.content }
  return { length: given.blocks.reduce((sum, block) => sum + block.length, 0), blocks: given.blocks }
}

/** Stores the body of a file that has been added. */
export function putBody(draft: Draft, { id, replication }: NameEntry, { blocks, content }: FileBody): void {
  if (content) putContent(draft, id, content)
  else putBlocks(draft, id, replication, blocks)
}

/** Throws EINVAL if these are not distinct blocks of the lease, or one is too long. Returns the unused blocks. */
export function checkBlocks(lease: Lease, blocks: readonly Block[], path: string): BlockId[] {
  const open = new Set(lease.blocks)
  for (const { id, length } of blocks) {
    if (!open.delete(id))
      throw new GristmillError('EINVAL', `block ${id} was not given out for ${path}, or is named twice`, { details: { path, block: id } })
    if (length < 1 || length > lease.blockBytes)
      throw new GristmillError('EINVAL', `block ${id} of ${path} has ${length} bytes; it must have between 1 and ${lease.blockBytes}`, {
        details: { path, block: id },
      })
  }
  return [...open]
}

/** Ends a lease without a file: its writer gave up or expired. Returns the allocated blocks. */
export const abandon = mutation<Requested & Actor & { lease: LeaseId }, { readonly unused: readonly BlockId[] }>({
  kind: 'writing.abandon',
  keep: () => undefined,
  recall: () => ({ unused: [] }),
  mutate(draft, { lease: id, user, root }) {
    const lease = leaseAt(draft, id)
    // The lease is closed already: nothing to do.
    if (!lease) return { unused: [] }
    ownLease(draft, id, { user, root })
    closeLease(draft, lease)
    return { unused: lease.blocks }
  },
})

export const writingMutations: readonly AnyMutation[] = [create, allocate, complete, completeInline, formerComplete, abandon]
