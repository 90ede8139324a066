// Changes of replicas since the last report, one per block: the newest replaces older ones. A change stays until the report that
// contains it is acknowledged, so a lost call loses nothing.

import type { BlockId } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import type { Replica } from '../../src/protocol/report.ts'

type Change = { readonly kind: 'added'; readonly replica: Replica } | { readonly kind: 'removed' | 'bad' }

interface ChangeBatch {
  readonly added: Replica[]
  readonly removed: BlockId[]
  readonly bad: BlockId[]
}

export class Changes {
  readonly #waiting = new Map<BlockId, Change>()
  #next: PromiseWithResolvers<void> | undefined

  get size(): number { return this.#waiting.size }

  /** Resolves at the next change. */
  next(): Promise<void> { return (this.#next ??= Promise.withResolvers<void>()).promise }

  added(replica: Replica): void { this.#put(replica.id, { kind: 'added', replica }) }
  removed(id: BlockId): void { this.#put(id, { kind: 'removed' }) }
  bad(id: BlockId): void { this.#put(id, { kind: 'bad' }) }

  /** The oldest changes, as many as one report takes. They stay here until `settle`. */
  batch(): ChangeBatch {
    const batch: ChangeBatch = { added: [], removed: [], bad: [] }
    let room = limits.reportPageBlocksMax
    for (const [id, change] of this.#waiting) {
      if (room-- === 0) break
      if (change.kind === 'added') batch.added.push(change.replica)
      else batch[change.kind].push(id)
    }
    return batch
  }

  /** Removes an acknowledged batch; blocks that have changed again meanwhile stay. */
  settle({ added, removed, bad }: ChangeBatch): void {
    for (const replica of added) {
      const now = this.#waiting.get(replica.id)
      if (now?.kind === 'added' && now.replica === replica) this.#waiting.delete(replica.id)
    }
    for (const id of removed) if (this.#waiting.get(id)?.kind === 'removed') this.#waiting.delete(id)
    for (const id of bad) if (this.#waiting.get(id)?.kind === 'bad') this.#waiting.delete(id)
  }

  #put(id: BlockId, change: Change): void {
    this.#waiting.delete(id) // moves the block to the end: the order is that of the newest change
    this.#waiting.set(id, change)
    this.#next?.resolve()
    this.#next = undefined
  }
}
