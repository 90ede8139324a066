// Partition of a key, as Kafka's own producers choose it: the same key goes to the same partition whichever program writes it. The hash is
// MurmurHash2 of 32 bits with the seed 0x9747b28c (org.apache.kafka.common.utils.Utils.murmur2). Pure.

const seed = 0x9747b28c
const factor = 0x5bd1e995

/** 32 bits with sign. */
export function murmur2(key: Uint8Array): number {
  const { length } = key
  let hash = seed ^ length
  const whole = length & ~3
  for (let at = 0; at < whole; at += 4) {
    let word = key[at]! | key[at + 1]! << 8 | key[at + 2]! << 16 | key[at + 3]! << 24
    word = Math.imul(word, factor)
    word = Math.imul(word ^ word >>> 24, factor)
    hash = Math.imul(hash, factor) ^ word
  }
  if (length > whole) {
    for (let at = length - 1; at >= whole; at--) hash ^= key[at]! << 8 * (at - whole)
    hash = Math.imul(hash, factor)
  }
  hash = Math.imul(hash ^ hash >>> 13, factor)
  return hash ^ hash >>> 15
}

export const partitionOf = (key: Uint8Array, partitions: number): number => (murmur2(key) & 0x7fffffff) % partitions
