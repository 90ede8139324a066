// Blocks that are out of the index while their files are still in `blocks/`: they wait for their move to the trash, or to the
// quarantine once the namenode has acknowledged that they are damaged.
// Invariant: a new block with the same id is received only after the old files were moved; so a good replica is never quarantined or
// removed in place of the old one.

import type { BlockId } from '../../src/base/ids.ts'
import type { Storage } from './storage.ts'

interface Departure {
  readonly storage: Storage
  /** Size of its files. */
  readonly bytes: number
  /** Directory to which its files will be moved. */
  to: 'trash' | 'quarantine' | 'last'
  going: Promise<void> | undefined
  /** A move was tried and failed. */
  held: boolean
}

export class Removals {
  readonly #waiting = new Map<BlockId, Departure>()

  /** True if the block is damaged and its files were not moved yet. */
  isBad(id: BlockId): boolean {
    const departure = this.#waiting.get(id)
    return departure !== undefined && departure.to !== 'trash'
  }

  add(id: BlockId, departure: Pick<Departure, 'storage' | 'bytes' | 'to'>): void {
    this.#waiting.set(id, { ...departure, going: undefined, held: false })
  }

  /** Changes the target directory of a block whose files were not moved yet. */
  redirect(id: BlockId, to: Departure['to']): void {
    const departure = this.#waiting.get(id)
    if (departure) departure.to = to
  }

  /** Blocks whose move has failed. */
  held(): BlockId[] { return [...this.#waiting].flatMap(([id, { held }]) => (held ? [id] : [])) }

  /** Moves the block's old files; returns at once if there are none. Throws the disk's error; may be called again. */
  async go(id: BlockId): Promise<void> {
    const departure = this.#waiting.get(id)
    if (!departure) return
    await (departure.going ??= this.#move(id, departure).finally(() => { departure.going = undefined }))
  }

  async #move(id: BlockId, departure: Departure): Promise<void> {
    const { storage, bytes, to } = departure
    departure.held = true
    await storage[to].take(id, storage.pathOf(id), bytes)
    if (this.#waiting.get(id) === departure) this.#waiting.delete(id)
  }
}
