// The pages of a full report: every block, ids rising over all pages, as they were when the first page was asked for. What changes
// meanwhile is told by the changes that follow, whose numbers are higher.

import type { BlockId, StorageId } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import type { BlockStore } from '../store/store.ts'

export interface ReportPage {
  readonly first: boolean
  readonly last: boolean
  readonly storages: Array<{ id: StorageId; blocks: Array<[BlockId, number, number]> }>
}

export function* pagesOf(store: BlockStore, pageBlocks = limits.reportPageBlocksMax): Generator<ReportPage, void, void> {
  const ids = store.ids()
  let at = 0
  do {
    const from = at
    at = Math.min(ids.length, at + pageBlocks)
    const storages = new Map<StorageId, Array<[BlockId, number, number]>>()
    for (let i = from; i < at; i++) {
      // Removed since the first page: a change will say so.
      const replica = store.find(ids[i] as BlockId)
      if (!replica) continue
      let blocks = storages.get(replica.storage)
      if (!blocks) storages.set(replica.storage, blocks = [])
      blocks.push([replica.id, replica.length, replica.crc])
    }
    yield { first: from === 0, last: at === ids.length, storages: [...storages].map(([id, blocks]) => ({ id, blocks })) }
  } while (at < ids.length)
}
