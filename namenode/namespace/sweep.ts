// Sweep of removed entries. A removed directory has no name, but its entries, files and blocks are still in the store; they
// are removed in steps of bounded size, each a journalled operation, between other operations.
// INVARIANT: a block leaves the table "blocks" here and nowhere else.

import { inodeId, type BlockId, type InodeId } from '../../src/base/ids.ts'
import type { Draft } from '../journal/draft.ts'
import { childKey, idKey, readId } from '../journal/keys.ts'
import { mutation, type AnyMutation } from '../journal/operation.ts'
import { dropContent } from './content.ts'
import { decodeEntry } from './entry.ts'
import { chunkBlocks, removeLastChunk } from './file.ts'
import { dropAttributes } from '../xattrs/rows.ts'
import { dropUsage } from '../quotas/usage.ts'
import { noteStale } from '../snapshots/historysweep.ts'
import { dropRecord } from '../versions/rows.ts'
import { decodeVersion, doom, forgetVersion, orphan, unmark } from '../snapshots/history.ts'

interface Swept {
  /** Blocks that no longer belong to a file. */
  readonly blocks: BlockId[]
  /** True if the sweep has more work. */
  readonly more: boolean
}

/** Removes about `limit` entries or blocks. */
export const sweep = mutation<{ limit: number }, Swept>({
  kind: 'namespace.sweep',
  mutate(draft, { limit }) {
    const blocks: BlockId[] = []
    let left = limit
    while (left > 0) {
      const first = firstDoomed(draft)
      if (!first) return { blocks, more: false }
      const { id, directory } = first
      if (directory) left = sweepDirectory(draft, id, blocks, left)
      else left = sweepFile(draft, id, blocks, left)
    }
    return { blocks, more: firstDoomed(draft) !== undefined }
  },
})

function firstDoomed(draft: Draft): { id: InodeId; directory: boolean } | undefined {
  for (const { key, value } of draft.range('doomed', { limit: 1 })) return { id: inodeId(readId(key)), directory: value[0] === 1 }
  return undefined
}

function drop(draft: Draft, id: InodeId): void {
  draft.remove('doomed', idKey(id))
  draft.count('doomed', -1)
}

/** Removes the last chunk first, so that the rest is always the beginning of a file. */
function sweepFile(draft: Draft, id: InodeId, blocks: BlockId[], left: number): number {
  while (left > 0) {
    const gone = removeLastChunk(draft, id)
    if (!gone) {
      drop(draft, id)
      dropAttributes(draft, id)
      dropContent(draft, id)
      draft.count('files', -1)
      return left - 1
    }
    blocks.push(...gone)
    left -= gone.length
  }
  return left
}

/** Subdirectories become doomed themselves, so that a step is bounded for any depth. */
function sweepDirectory(draft: Draft, id: InodeId, blocks: BlockId[], left: number): number {
  const rows = [...draft.range('children', { start: childKey(id, ''), end: idKey(id + 1), limit: left })]
  for (const { key, value } of rows) {
    const entry = decodeEntry(value)
    draft.remove('children', Buffer.from(key))
    left--
    if (entry.directory) draft.remove('directories', idKey(entry.id))
    if (orphan(draft, entry.id)) {
      // A snapshot sees it under another name.
    } else if (entry.directory || entry.blocks > chunkBlocks) {
      doom(draft, entry.id, entry.directory)
    } else {
      const gone = removeLastChunk(draft, entry.id)
      if (gone) blocks.push(...gone)
      left -= gone?.length ?? 0
      dropAttributes(draft, entry.id)
      dropContent(draft, entry.id)
      draft.count('files', -1)
    }
    if (left <= 0) return 0
  }
  left = sweepHistoryOf(draft, id, left)
  if (left > 0) {
    drop(draft, id)
    unmark(draft, id)
    dropUsage(draft, id)
    if (dropRecord(draft, id)) noteStale(draft)
    dropAttributes(draft, id)
    draft.count('directories', -1)
  }
  return left - 1
}

/** Removes the history of a directory's names: snapshots can no longer reach it through this directory. */
function sweepHistoryOf(draft: Draft, id: InodeId, left: number): number {
  if (draft.counters.history === 0 || left <= 0) return left
  const rows = [...draft.range('history', { start: childKey(id, ''), end: idKey(id + 1), limit: left })]
  for (const { key, value } of rows) forgetVersion(draft, key, decodeVersion(value).entry)
  return left - rows.length
}

export const sweepMutations: readonly AnyMutation[] = [sweep]
