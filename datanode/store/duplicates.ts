// Blocks that lie on two disks of this node: on one that had failed, say, and on the one that took the copy which replaced it. One
// of the two is the node's replica; the other is a double, which nobody is told of and nobody reads. Once the replica has been read and
// is sound, the double goes to the trash; if the replica turns out to be bad, or its disk fails, the double takes its place.
// Invariant: a double never goes before its replica was found sound, unless the block was to be removed.

import { metaBytes } from '../../src/block/meta.ts'
import type { BlockId } from '../../src/base/ids.ts'
import type { Storage } from './storage.ts'

interface Double {
  readonly storage: Storage
  readonly length: number
  readonly crc: number
  /** The block was to be removed. */ doomed: boolean
}

export interface Replicas {
  /** Where this node's replica of the block lies; undefined if it has none. */
  storageOf(id: BlockId): Storage | undefined
  /** A copy of the block is coming in. */
  incoming(id: BlockId): boolean
  /** Reads it. Throws if that cannot be told now. */
  check(id: BlockId): Promise<'sound' | 'damaged' | 'gone'>
  /** The double is the replica from now on. */
  adopt(id: BlockId, double: { readonly storage: Storage; readonly length: number; readonly crc: number }): void
}

export class Duplicates {
  readonly #duplicates: Array<{ readonly id: BlockId; readonly double: Double }> = []

  add(id: BlockId, double: Omit<Double, 'doomed'>): void { this.#duplicates.push({ id, double: { ...double, doomed: false } }) }

  /** The block is to be removed, and its doubles with it: at the next look. */
  doom(id: BlockId): void { for (const each of this.#duplicates) if (each.id === id) each.double.doomed = true }

  /** Sees to each of them, as far as its disk lets it. */
  async tend(replicas: Replicas): Promise<void> {
    for (const each of [...this.#duplicates])
      if (await settled(each, replicas).catch(() => false)) this.#duplicates.splice(this.#duplicates.indexOf(each), 1)
  }
}

/** Is there nothing more to be done about it? Throws what its disk says. */
async function settled({ id, double }: { readonly id: BlockId; readonly double: Double }, replicas: Replicas): Promise<boolean> {
  const { storage, length, crc } = double
  if (storage.failed) return true // its next start will find it
  const there = replicas.storageOf(id)
  // Written here anew, in its place.
  if (there === storage) return true
  const sound = !double.doomed && there !== undefined && await replicas.check(id) === 'sound'
  // What comes in now may come in here; and while the replica was read, all may have changed.
  if (replicas.incoming(id)) return false
  if (double.doomed || (sound && replicas.storageOf(id) === there)) {
    await storage.trash.take(id, storage.pathOf(id), length + metaBytes(length))
    return true
  }
  if (replicas.storageOf(id) !== undefined) return false
  replicas.adopt(id, { storage, length, crc })
  return true
}
