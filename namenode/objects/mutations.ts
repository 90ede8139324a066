// Mutations that write objects: publish a written file under its key. A file appears in one operation together with its directories and
// attributes, and replaces a file that the caller may replace; in a bucket with versioning that one becomes an older version (shelf.ts).

import { GristmillError } from '../../src/base/errors.ts'
import { inodeId, type BlockId, type LeaseId } from '../../src/base/ids.ts'
import { nameOf, parentOf, systemDirectory } from '../../src/base/paths.ts'
import type { FileContent } from '../../src/protocol/fields.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'
import { uploadsDirectory, type Expected } from '../../src/protocol/object.ts'
import type { Draft } from '../journal/draft.ts'
import { mutation, systemActor, type AnyMutation, type Requested, type UserOperation } from '../journal/operation.ts'
import { checkMay, checkSticky, mayWrite } from '../namespace/access.ts'
import { checkInstant, keepPlaced, keepStatus, recallPlaced, recallStatus, statusOf, type NameEntry } from '../namespace/entry.ts'
import type { Block } from '../namespace/file.ts'
import { fileIn, fileInPlaceOf, fileMode } from '../namespace/inherit.ts'
import { child, directoryAt, placeAt } from '../namespace/resolve.ts'
import { addDirectory, addFile, detach, makeDirectories } from '../namespace/tree.ts'
import { closeLease, writerOf } from '../writing/lease.ts'
import { bodyOf, checkBlocks, ownLease, putBody, type FileBody } from '../writing/mutations.ts'
import { putAttribute } from '../xattrs/rows.ts'
import { checkExpected, keyAt } from './removal.ts'
import { nameVersion, setAside, versioningAt } from './shelf.ts'
import { contentName } from './walk.ts'

export interface PublishAsked extends UserOperation {
  readonly to: string
  readonly base?: string | undefined
  readonly parents?: boolean | undefined
  /** Values in base64. */
  readonly attributes?: ReadonlyArray<{ readonly name: string; readonly value: string }> | undefined
  readonly expect?: Expected | undefined
  /** Missing in operations of earlier versions, whose expectations were about the file at the path. */
  readonly keyAttributes?: readonly string[] | undefined
  readonly mtimeMs?: number | undefined
}

export interface Published {
  readonly status: FileStatus
  /** Allocated blocks that are not part of the file. */
  readonly unused: readonly BlockId[]
}

export const keptPublished = {
  keep: ({ status }: Published): unknown => keepPlaced(status),
  recall: (stored: unknown): Published => ({ status: recallPlaced(stored), unused: [] }),
}

export const prepare = mutation<Requested & { readonly nowMs: number }, undefined>({
  kind: 'object.prepare',
  mutate(draft, { nowMs }) {
    const above = directoryAt(draft, systemActor, systemDirectory).entry
    if (child(draft, above.id, nameOf(uploadsDirectory))) return undefined
    // Writable for all users and sticky, as the directories of programs and jobs.
    addDirectory(draft, above.id, nameOf(uploadsDirectory), { owner: above.owner, group: above.group, mode: 0o1777, nowMs })
    return undefined
  },
})

/** Missing in operations of earlier versions, whose files lost the delimiter that their writer had named. */
interface PublishedCsv { readonly keepsCsv?: true | undefined }

export const publish = mutation<
  PublishAsked & PublishedCsv & { readonly lease: LeaseId; readonly blocks: readonly Block[] }, Published
>({
  kind: 'object.publish', ...keptPublished,
  mutate(draft, asked) {
    return published(draft, asked, bodyOf(asked))
  },
})

/** As `publish`, for a small object, whose bytes are in the operation. */
export const publishInline = mutation<
  PublishAsked & PublishedCsv & { readonly lease: LeaseId; readonly content: FileContent }, Published
>({
  kind: 'object.inline', ...keptPublished,
  mutate(draft, asked) {
    return published(draft, asked, bodyOf(asked))
  },
})

function published(draft: Draft, asked: PublishAsked & PublishedCsv & { readonly lease: LeaseId }, body: FileBody): Published {
  const lease = ownLease(draft, asked.lease, asked)
  const unused = checkBlocks(lease, body.blocks, asked.to)
  closeLease(draft, lease)
  const { owner, mode, replication, blockBytes, format, delimiter, header } = lease
  const csv = asked.keepsCsv ? { ...delimiter !== undefined && { delimiter }, ...header !== undefined && { header } } : {}
  const status = appear(draft, asked, { id: inodeId(lease.id), owner, mode, replication, blockBytes, format, ...csv }, body)
  return { status, unused }
}

interface PutAsked extends PublishAsked {
  readonly content: FileContent
  readonly replication: number
  readonly blockBytes: number
}

/** A small object in one operation, without a lease. */
export const put = mutation<PutAsked, FileStatus>({
  kind: 'object.put',
  keep: keepStatus,
  recall: (kept, { to }) => recallStatus(kept, { path: to }),
  mutate(draft, asked) {
    const { replication, blockBytes, user } = asked
    const made = { id: inodeId(draft.take('nextInode')), owner: user, mode: fileMode, replication, blockBytes, format: 'bytes' as const }
    return appear(draft, asked, made, bodyOf({ content: asked.content }))
  },
})

type NewFile = Pick<NameEntry, 'id' | 'owner' | 'mode' | 'replication' | 'blockBytes' | 'format' | 'delimiter' | 'header'>

/** Adds the file at its path. */
export function appear(draft: Draft, asked: PublishAsked, made: NewFile, body: FileBody): FileStatus {
  const { to, base, parents, attributes = [], expect, keyAttributes, mtimeMs, nowMs, user, root } = asked
  const actor = { user, root }
  const mtime = Math.floor(mtimeMs ?? nowMs)
  checkInstant(mtime)
  if (base !== undefined) directoryAt(draft, actor, base)
  const state = versioningAt(draft, base, to)
  const isOfKey = keyAttributes !== undefined && nameOf(to) === contentName
  // Before directories are made: an empty one is a key.
  const key = isOfKey && expect ? keyAt(draft, actor, parentOf(to), keyAttributes) : undefined
  const { adder } = parents ? makeDirectories(draft, actor, parentOf(to), { nowMs, asked: to }) : { adder: actor }
  const { parent, name, entry: there } = placeAt(draft, adder, to)
  checkMay(adder, parent.entry, mayWrite, parent.path)
  if (there?.directory) throw new GristmillError('EISDIR', `${to} is a directory`, { details: { path: to } })
  const writer = writerOf(draft, parent.entry.id, name)
  if (writer !== undefined)
    throw new GristmillError('EBUSY', `${to} is being written; try again when its writer is done`, { details: { path: to, lease: writer } })
  checkExpected(expect, isOfKey ? key : there, to)
  if (there) {
    checkMay(actor, there, mayWrite, to)
    checkSticky(actor, parent.entry, there, to)
  }
  if (state) setAside(draft, { directory: parent.entry, name }, there, { state, nowMs })
  else if (there) detach(draft, parent.entry.id, name, there)
  const entry: NameEntry = {
    ...made, directory: false, group: parent.entry.group, mtimeMs: mtime,
    // Mode and list of the replaced file, so that it stays as private as it was.
    ...there ? fileInPlaceOf(there, there.mode) : fileIn(parent.entry, undefined),
    length: body.length, blocks: body.blocks.length,
  }
  addFile(draft, parent.entry.id, name, entry)
  for (const { name: attribute, value } of attributes) putAttribute(draft, entry.id,
    { name: attribute, value: Buffer.from(value, 'base64') })
  if (state === 'Enabled') nameVersion(draft, entry)
  putBody(draft, entry, body)
  return statusOf(to, entry)
}

export const objectMutations: readonly AnyMutation[] = [prepare, publish, publishInline, put]
