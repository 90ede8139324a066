// Blocks that this node has on two disks: for example on a disk that had failed, and on the disk that took the copy that replaced it.
// One of the two is the node's replica; the other is a duplicate, which is not reported to the namenode and not read. Once the replica
// was verified, the duplicate is moved to the trash; if the replica is damaged, or its disk fails, the duplicate becomes the replica.
// Invariant: a duplicate is moved only after its replica was verified, unless the block is to be removed.

import { metaBytes } from '../../src/block/meta.ts'
import type { BlockId } from '../../src/base/ids.ts'
import type { Storage } from './storage.ts'

interface Duplicate {
  readonly storage: Storage
  readonly length: number
  readonly crc: number
  /** The block is to be removed. */ doomed: boolean
}

export interface Replicas {
  /** Storage of this node's replica of the block; undefined if it has none. */
  storageOf(id: BlockId): Storage | undefined
  /** True while the block is being received. */
  incoming(id: BlockId): boolean
  /** Verifies the replica. Throws if it cannot be read now. */
  check(id: BlockId): Promise<'sound' | 'damaged' | 'gone'>
  /** Makes the duplicate the replica. */
  adopt(id: BlockId, duplicate: { readonly storage: Storage; readonly length: number; readonly crc: number }): void
}

export class Duplicates {
  readonly #duplicates: Array<{ readonly id: BlockId; readonly duplicate: Duplicate }> = []

  add(id: BlockId, duplicate: Omit<Duplicate, 'doomed'>): void {
    this.#duplicates.push({ id, duplicate: { ...duplicate, doomed: false } })
  }

  /** Marks the duplicates of a block that is to be removed; the next `tend` removes them. */
  doom(id: BlockId): void { for (const each of this.#duplicates) if (each.id === id) each.duplicate.doomed = true }

  /** Resolves each duplicate; those whose disk refuses stay for the next call. Never rejects. */
  async tend(replicas: Replicas): Promise<void> {
    for (const each of [...this.#duplicates])
      if (await settled(each, replicas).catch(() => false)) this.#duplicates.splice(this.#duplicates.indexOf(each), 1)
  }
}

/** True if the duplicate needs no more work. Throws the disk's error. */
async function settled(
  { id, duplicate }: { readonly id: BlockId; readonly duplicate: Duplicate }, replicas: Replicas,
): Promise<boolean> {
  const { storage, length, crc } = duplicate
  if (storage.failed) return true // the scan at the next start finds it
  const replica = replicas.storageOf(id)
  // The block was written to this storage again, over the duplicate.
  if (replica === storage) return true
  const sound = !duplicate.doomed && replica !== undefined && await replicas.check(id) === 'sound'
  // A block that is being received may go to this storage; and the replica may have changed while it was read.
  if (replicas.incoming(id)) return false
  if (duplicate.doomed || (sound && replicas.storageOf(id) === replica)) {
    await storage.trash.take(id, storage.pathOf(id), length + metaBytes(length))
    return true
  }
  if (replicas.storageOf(id) !== undefined) return false
  replicas.adopt(id, { storage, length, crc })
  return true
}
