// Decides what becomes of a duplicate: a second replica of a block on another disk of this node, for example on a disk that had failed
// while the block was copied to another one. Once the served replica was verified, the duplicate is moved to the trash; if the replica is
// damaged, or its disk fails, the duplicate is served in its place.
// Invariant: a duplicate is moved only after its replica was verified, unless the block was removed.

import { metaBytes } from '../../src/block/meta.ts'
import type { ReplicaReader } from './reader.ts'
import type { Duplicate, Replicas } from './replicas.ts'

/** Leaves the duplicate as it is if nothing can be decided now. Throws the disk's error; may be repeated. */
export async function settleDuplicate(
  { replicas, reader }: { readonly replicas: Replicas; readonly reader: ReplicaReader }, duplicate: Duplicate,
): Promise<void> {
  const { id, storage, length } = duplicate
  if (storage.failed) return // it failed during this round, and its duplicates are dropped
  const served = replicas.sealedOf(id)?.storage
  // The block was written to this storage again, over the duplicate.
  if (served === storage) return replicas.dropDuplicate(duplicate)
  const sound = !duplicate.removed && served !== undefined && await reader.check(id) === 'sound'
  // A block that is being received may go to this storage; and the replica may have changed while it was read.
  if (replicas.isIncoming(id)) return
  if (duplicate.removed || (sound && replicas.sealedOf(id)?.storage === served)) {
    await storage.trash.take(id, storage.pathOf(id), length + metaBytes(length))
    replicas.dropDuplicate(duplicate)
  } else if (!replicas.has(id)) {
    replicas.adopt(duplicate)
  }
}
