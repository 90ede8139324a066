// Joining of files: the blocks of several become those of one, in the place of the first, in one operation and without moving a byte.
// Permissions are those of HDFS: to write the first file, whatever its directory allows; to read each source, and to remove it.
// INVARIANT: each block belongs to one file before and after. A file that a snapshot keeps is refused: it needs its blocks for as long as
// the snapshot lives.

import { GristmillError } from '../../src/base/errors.ts'
import { inodeId, type InodeId } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'
import type { Draft } from '../journal/draft.ts'
import { childKey } from '../journal/keys.ts'
import { mutation, type Actor, type UserOperation } from '../journal/operation.ts'
import { checkMay, checkSticky, mayRead, mayWrite } from '../namespace/access.ts'
import { isInlined, keepStatus, recallStatus, statusOf, type NameEntry } from '../namespace/entry.ts'
import { heldBlocks, putBlocks, releaseBlocks } from '../namespace/file.ts'
import { placeAt, type NamePlace } from '../namespace/resolve.ts'
import { addFile } from '../namespace/tree.ts'
import { discharge } from '../quotas/usage.ts'
import { isKept } from '../snapshots/history.ts'
import { copyAttributes, dropAttributes } from '../xattrs/rows.ts'
import { writerOf } from './lease.ts'

interface Named { readonly path: string; readonly id: InodeId }
interface ConcatAsked extends UserOperation, Named { readonly sources: readonly Named[] }

export const concat = mutation<ConcatAsked, FileStatus>({
  kind: 'writing.concat',
  keep: keepStatus,
  recall: recallStatus,
  mutate(draft, { path, id, sources, nowMs, user, root }) {
    const actor = { user, root }
    const [first, ...others] = [{ path, id }, ...sources].map((each, i) => joined(draft, actor, each, i === 0 ? checkTarget : checkSource))
    for (const each of others) checkFits(each, first!)
    if (new Set([first!, ...others].map(({ entry }) => entry.id)).size <= sources.length)
      throw new GristmillError('EINVAL', `${path} or one of its sources is named twice`, { details: { path } })
    const blocks = [first!, ...others].flatMap(each => each.held.blocks.map(block => ({ ...block, aligned: false })))
    if (blocks.length > limits.fileBlocksMax)
      throw new GristmillError('TOO_LARGE', `${path} would have ${blocks.length} blocks, and a file may have ${limits.fileBlocksMax}`,
        { details: { path } })
    for (const each of [first!, ...others]) vacate(draft, each)
    const entry: NameEntry = {
      ...first!.entry, id: inodeId(draft.take('nextInode')), mtimeMs: Math.floor(nowMs), blocks: blocks.length,
      length: blocks.reduce((sum, { length }) => sum + length, 0),
    }
    addFile(draft, first!.place.parent.entry.id, first!.place.name, entry)
    putBlocks(draft, entry.id, entry.replication, blocks)
    copyAttributes(draft, first!.entry.id, entry.id)
    for (const each of [first!, ...others]) dropAttributes(draft, each.entry.id)
    return statusOf(path, entry)
  },
})

interface Joined {
  readonly path: string
  readonly place: NamePlace
  readonly entry: NameEntry
  readonly held: ReturnType<typeof heldBlocks>
}

type Check = (actor: Actor, file: Pick<Joined, 'path' | 'place' | 'entry'>) => void

/** Who may write a file may append to it, and needs no permission to read it. Throws EACCES. */
const checkTarget: Check = (actor, { path, entry }) => checkMay(actor, entry, mayWrite, path)

/** Its bytes become readable elsewhere, and its name is removed. Throws EACCES. */
const checkSource: Check = (actor, { path, place: { parent }, entry }) => {
  checkMay(actor, parent.entry, mayWrite, parent.path)
  checkMay(actor, entry, mayRead, path)
  checkSticky(actor, parent.entry, entry, path)
}

/** A file whose blocks may become another's. Throws ENOENT, EISDIR, EACCES, ESTALE, EBUSY, EINVAL. */
function joined(draft: Draft, actor: Actor, { path, id }: Named, check: Check): Joined {
  const place = placeAt(draft, actor, path)
  const { parent, name, entry } = place
  const details = { details: { path } }
  if (!entry) throw new GristmillError('ENOENT', `there is no ${path}`, details)
  if (entry.directory) throw new GristmillError('EISDIR', `${path} is a directory; only files can be joined`, details)
  check(actor, { path, place, entry })
  if (entry.id !== id) throw new GristmillError('ESTALE', `${path} was replaced meanwhile; nothing was changed`, details)
  const writer = writerOf(draft, parent.entry.id, name)
  if (writer !== undefined)
    throw new GristmillError('EBUSY', `${path} is being written; try again when its writer is done`, { details: { path, lease: writer } })
  if (isInlined(entry))
    throw new GristmillError('EINVAL', `${path} has no blocks, because the namenode has its bytes; write it in blocks first`, details)
  if (isKept(draft, parent.entry.id, name, entry.id))
    throw new GristmillError('EBUSY', `${path} is in a snapshot, which keeps its blocks; join copies of the files`, details)
  return { path, place, entry, held: heldBlocks(draft, entry.id) }
}

function checkFits({ path, entry }: Joined, first: Joined): void {
  if (entry.blockBytes <= first.entry.blockBytes) return
  throw new GristmillError(
    'EINVAL',
    `${path} has blocks of up to ${entry.blockBytes} bytes, and ${first.path}, which it is joined to, of up to ${first.entry.blockBytes}`,
    { details: { path } },
  )
}

/** Removes the name of a file whose blocks belong to another one now; its attributes stay until they were copied. */
function vacate(draft: Draft, { place: { parent, name }, entry, held }: Joined): void {
  discharge(draft, parent.entry.id, entry)
  draft.remove('children', childKey(parent.entry.id, name))
  releaseBlocks(draft, held)
  draft.count('files', -1)
}
