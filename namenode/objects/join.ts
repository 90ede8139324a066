// Mutation that joins the parts of an upload to one file, without copying bytes, and removes the upload.
// INVARIANT: blocks move from the parts to the file; each block belongs to one file before and after. The operation costs two reads and two
// edits for each part; entries and attributes of the parts, which have no blocks any more, are left to the sweep.

import { GristmillError } from '../../src/base/errors.ts'
import { inodeId, type InodeId } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import { parentOf } from '../../src/base/paths.ts'
import { uploadsDirectory } from '../../src/protocol/object.ts'
import type { Draft } from '../journal/draft.ts'
import { childKey } from '../journal/keys.ts'
import { mutation, type Actor, type AnyMutation } from '../journal/operation.ts'
import type { View } from '../journal/view.ts'
import { checkMay, checkOwner, mayRead } from '../namespace/access.ts'
import { isInlined, type NameEntry } from '../namespace/entry.ts'
import { fileMode } from '../namespace/inherit.ts'
import { heldBlocks, releaseBlocks, type Block } from '../namespace/file.ts'
import { child, placeAt, type NamePlace } from '../namespace/resolve.ts'
import { detach } from '../namespace/tree.ts'
import { isKept } from '../snapshots/history.ts'
import { writerOf } from '../writing/lease.ts'
import { bodyOf } from '../writing/mutations.ts'
import { attributesOf } from '../xattrs/rows.ts'
import { appear, keptPublished, type PublishAsked, type Published } from './mutations.ts'

interface JoinAsked extends PublishAsked {
  readonly upload: string
  readonly parts: ReadonlyArray<{ readonly name: string; readonly id: InodeId }>
  /**
   * Missing in operations of earlier versions, which removed entries and attributes of the parts themselves, and took files that others
   * had moved among them, whatever these were.
   */
  readonly leavesParts?: true | undefined
}

export const join = mutation<JoinAsked, Published>({
  kind: 'object.join', ...keptPublished,
  mutate(draft, asked) {
    const { upload, user, root, leavesParts } = asked
    const { parent, name, entry } = uploadAt(draft, { user, root }, upload)
    const found = partsOf(draft, entry.id, asked)
    if (leavesParts) for (const part of found) checkPart(draft, { user, root }, entry.id, { ...part, path: `${upload}/${part.name}` })
    // Lookups first: one behind the edits of ten thousand parts would take as long as all of them.
    const attributes = leavesParts ? [] : found.map(part => [...attributesOf(draft, part.entry.id)].map(each => each.name))
    const blocks: Block[] = []
    for (const { held } of found) for (const block of held.blocks) blocks.push(block.aligned ? { ...block, aligned: false } : block)
    if (blocks.length > limits.fileBlocksMax)
      throw new GristmillError(
        'TOO_LARGE', `the parts have ${blocks.length} blocks, and a file may have ${limits.fileBlocksMax}; upload larger parts`,
        { details: { path: asked.to } },
      )
    detach(draft, parent.entry.id, name, entry)
    const { replication, blockBytes, format } = found[0]!.entry
    const made = { id: inodeId(draft.take('nextInode')), owner: entry.owner, mode: fileMode, replication, blockBytes, format }
    const status = appear(draft, asked, made, bodyOf({ blocks }))
    for (const { held } of found) releaseBlocks(draft, held)
    if (!leavesParts) for (const [i, part] of found.entries()) dissolve(draft, entry.id, part, attributes[i]!)
    return { status, unused: [] }
  },
})

interface FoundPart {
  readonly name: string
  readonly entry: NameEntry
  readonly held: ReturnType<typeof heldBlocks>
}

/** Reads the parts. Throws ESTALE for one that is missing, named twice, or another file than the caller has seen. */
function partsOf(view: View, directory: InodeId, { upload, parts }: JoinAsked): FoundPart[] {
  const names = new Set<string>()
  return parts.map(({ name, id }) => {
    const entry = child(view, directory, name)
    if (!entry || entry.directory || entry.id !== id || names.has(name))
      throw new GristmillError('ESTALE', `the part ${name} of ${upload} was replaced meanwhile; list the parts again`, {
        details: { path: upload, name },
      })
    names.add(name)
    // Its bytes are no block, and a file has either.
    if (isInlined(entry))
      throw new GristmillError(
        'EINVAL', `the part ${name} of ${upload} was written elsewhere and moved there: it has no block that could be joined; upload it again`,
        { details: { path: upload, name } },
      )
    return { name, entry, held: heldBlocks(view, id, entry.blocks) }
  })
}

/**
 * A file may have been moved among the parts: it is joined as `concat` would. Throws EACCES for one that the user may not read, EBUSY for
 * one that a snapshot keeps or that is being written. Looks nothing up while there are no snapshots and no writers.
 */
function checkPart(view: View, actor: Actor, directory: InodeId, { path, name, entry }: FoundPart & { readonly path: string }): void {
  checkMay(actor, entry, mayRead, path)
  const writer = writerOf(view, directory, name)
  if (writer !== undefined)
    throw new GristmillError('EBUSY', `${path} is being written; try again when its writer is done`, { details: { path, lease: writer } })
  if (isKept(view, directory, name, entry.id))
    throw new GristmillError('EBUSY', `${path} is in a snapshot, which keeps its blocks; upload it again`, { details: { path } })
}

/**
 * Removes a part whose blocks belong to another file now. Looks up nothing, so that the cost of many parts grows with their number. No
 * snapshot and no quota sees the directory of uploads, which is the system's.
 */
function dissolve(draft: Draft, directory: InodeId, { name, entry }: FoundPart, attributes: readonly string[]): void {
  draft.remove('children', childKey(directory, name))
  for (const each of attributes) draft.remove('attributes', childKey(entry.id, each))
  draft.count('attributes', -attributes.length)
  draft.count('files', -1)
}

/** Finds the directory of an upload of this user. Throws ENOENT, EACCES. */
function uploadAt(draft: Draft, actor: Actor, path: string): NamePlace & { readonly entry: NameEntry } {
  const gone = new GristmillError('ENOENT', `there is no upload ${path}: it was completed or aborted`, { details: { path } })
  if (parentOf(path) !== uploadsDirectory) throw gone
  const place = placeAt(draft, actor, path)
  if (!place.entry?.directory) throw gone
  checkOwner(actor, place.entry, path)
  return { ...place, entry: place.entry }
}

export const joinMutations: readonly AnyMutation[] = [join]
