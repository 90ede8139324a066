// Blocks that are unknown already and whose files still lie where known ones lie: on their way to the trash, or to the quarantine
// as soon as the namenode has heard that they are bad.
// Invariant: a block that comes in under the same id waits until the old files are out of its way; so nothing that has become good
// is ever taken for what was bad, nor removed in place of what was to go.

import type { BlockId } from '../../src/base/ids.ts'
import type { Storage } from './storage.ts'

interface Departure {
  readonly storage: Storage
  /** What its files take. */
  readonly bytes: number
  /** Where to, when it goes. */
  to: 'trash' | 'quarantine' | 'last'
  going: Promise<void> | undefined
  /** It was to go, and its disk did not let it. */
  held: boolean
}

export class Removals {
  readonly #waiting = new Map<BlockId, Departure>()

  /** Its files are where they were, and are damaged. */
  isBad(id: BlockId): boolean {
    const departure = this.#waiting.get(id)
    return departure !== undefined && departure.to !== 'trash'
  }

  add(id: BlockId, departure: Pick<Departure, 'storage' | 'bytes' | 'to'>): void {
    this.#waiting.set(id, { ...departure, going: undefined, held: false })
  }

  /** It goes elsewhere than was thought, if it has not gone yet. */
  redirect(id: BlockId, to: Departure['to']): void {
    const departure = this.#waiting.get(id)
    if (departure) departure.to = to
  }

  /** Those whose disk did not let them go when they were to. */
  held(): BlockId[] { return [...this.#waiting].flatMap(([id, { held }]) => (held ? [id] : [])) }

  /** Settles when the block's old files are out of the way; at once if there are none. Throws what the disk says; it may be asked again. */
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
