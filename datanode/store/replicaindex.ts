// In-memory index of a datanode's replicas: length, checksum and storage by block id. About 60 bytes per block, most of them the map's.

import { assertKept } from '../../src/base/assert.ts'
import type { BlockId } from '../../src/base/ids.ts'

interface IndexEntry {
  readonly length: number
  /** CRC32C of the whole block. */
  readonly crc: number
  /** Index of its storage in the node's list of storages. */
  readonly storage: number
}

const countFirst = 1024

export class ReplicaIndex {
  readonly #slots = new Map<BlockId, number>()
  readonly #free: number[] = []
  #lengths = new Uint32Array(countFirst) // blocks are shorter than 2 GiB
  #crcs = new Uint32Array(countFirst)
  #storages = new Uint8Array(countFirst)

  get count(): number { return this.#slots.size }
  has(id: BlockId): boolean { return this.#slots.has(id) }

  get(id: BlockId): IndexEntry | undefined {
    const slot = this.#slots.get(id)
    return slot === undefined ? undefined : { length: this.#lengths[slot]!, crc: this.#crcs[slot]!, storage: this.#storages[slot]! }
  }

  set(id: BlockId, { length, crc, storage }: IndexEntry): void {
    const slot = this.#slots.get(id) ?? this.#free.pop() ?? this.#slots.size
    if (slot >= this.#lengths.length) this.#grow()
    this.#slots.set(id, slot)
    this.#lengths[slot] = length
    this.#crcs[slot] = crc
    this.#storages[slot] = storage
  }

  /** Returns the removed entry; undefined if there was none. */
  delete(id: BlockId): IndexEntry | undefined {
    const entry = this.get(id)
    if (!entry) return undefined
    this.#free.push(this.#slots.get(id)!)
    this.#slots.delete(id)
    return entry
  }

  /** All ids in ascending order: a full report is sent in this order, page by page, while blocks are added and removed. */
  ids(): Float64Array {
    const ids = new Float64Array(this.#slots.size)
    let i = 0
    for (const id of this.#slots.keys()) ids[i++] = id
    return ids.sort()
  }

  /** Throws AssertionFailed unless each slot that was ever used belongs to one block or is free. For tests and simulations. */
  checkState(): void {
    const slots = new Set(this.#free)
    let highest = this.#free.reduce((most, slot) => Math.max(most, slot), -1)
    for (const slot of this.#slots.values()) {
      slots.add(slot)
      highest = Math.max(highest, slot)
    }
    assertKept('slots of the replica index', this.#slots.size + this.#free.length, slots.size)
    assertKept('highest slot of the replica index', highest, slots.size - 1)
  }

  /** Entries in no order. */
  * entries(): Iterable<IndexEntry> { for (const id of this.#slots.keys()) yield this.get(id)! }

  #grow(): void {
    const larger = this.#lengths.length * 2
    const [lengths, crcs, storages] = [new Uint32Array(larger), new Uint32Array(larger), new Uint8Array(larger)]
    lengths.set(this.#lengths)
    crcs.set(this.#crcs)
    storages.set(this.#storages)
    this.#lengths = lengths
    this.#crcs = crcs
    this.#storages = storages
  }
}
