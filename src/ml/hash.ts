// Hashes of texts: MurmurHash3 with 32 bits, the same as in scikit-learn, and uniform numbers made of it. The same text gives the same
// number on each machine and in each run.

const bytesOf = new TextEncoder()

/** MurmurHash3_x86_32 of the UTF-8 bytes, as a signed integer. */
export function murmur3(text: string, seed = 0): number {
  const bytes = bytesOf.encode(text)
  let hash = seed | 0
  const whole = bytes.length & ~3
  for (let i = 0; i < whole; i += 4)
    hash = turned(hash ^ mixed(bytes[i]! | bytes[i + 1]! << 8 | bytes[i + 2]! << 16 | bytes[i + 3]! << 24))
  let rest = 0
  for (let i = bytes.length - 1; i >= whole; i--) rest = rest << 8 | bytes[i]!
  if (bytes.length > whole) hash ^= mixed(rest)
  hash ^= bytes.length
  hash = Math.imul(hash ^ hash >>> 16, 0x85ebca6b)
  hash = Math.imul(hash ^ hash >>> 13, 0xc2b2ae35)
  return hash ^ hash >>> 16
}

function mixed(block: number): number {
  const k = Math.imul(block, 0xcc9e2d51)
  return Math.imul(k << 15 | k >>> 17, 0x1b873593)
}

const turned = (hash: number): number => Math.imul(hash << 13 | hash >>> 19, 5) + 0xe6546b64 | 0

/** A number in (0, 1) that depends on the text and the seed alone; its 52 bits come from two hashes. */
export function uniform(text: string, seed: number): number {
  const high = murmur3(text, Math.imul(seed, 2) + 1) >>> 0
  const low = murmur3(text, Math.imul(seed, 2)) >>> 12
  return (high * 2 ** 20 + low + 0.5) / 2 ** 52
}
