// Partition of a key: the reduce task that gets it. Default: a hash of the key's encoding, the same on every machine and in every version.

import type { Key } from '../base/pair.ts'
import { showValue } from '../base/show.ts'
import { wrongUse } from '../base/wronguse.ts'

/** User function; returns an integer in [0, partitions). Must depend only on the key. */
export type Partitioner = (key: never, partitions: number) => number

/** FNV-1a over the bytes, then mixed so that the low bits depend on all of it (docs/format/key.md). 32 bits, unsigned. */
export function hashKey(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c_9dc5
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x0100_0193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** Calls the user's function and validates its result. Throws EINVAL. */
export function askPartitioner(partitioner: Partitioner, key: Key, partitions: number): number {
  const chosen = partitioner(key as never, partitions)
  if (!Number.isInteger(chosen) || chosen < 0 || chosen >= partitions) {
    throw wrongUse(
      `the partition function returned ${String(chosen)} for the key ${showValue(key)}; it must return an integer from 0 to ${partitions - 1}`,
    )
  }
  return chosen
}
