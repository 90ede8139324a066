// Pages of a full report: every block, in ascending order of ids over all pages, as of the first page. Changes made meanwhile are
// reported by the change reports that follow, which have higher sequence numbers.

import type { BlockId, StorageId } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import type { BlockStore } from '../store/store.ts'

interface ReportPage {
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
      // Removed since the first page: a change report follows.
      const replica = store.find(ids[i] as BlockId)
      if (!replica) continue
      let blocks = storages.get(replica.storage)
      if (!blocks) storages.set(replica.storage, blocks = [])
      blocks.push([replica.id, replica.length, replica.crc])
    }
    yield { first: from === 0, last: at === ids.length, storages: [...storages].map(([id, blocks]) => ({ id, blocks })) }
  } while (at < ids.length)
}
