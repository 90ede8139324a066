// Unpacks one block of Snappy, without frames: the number of unpacked bytes, then elements, which are bytes as they are (literals), or
// copies of bytes that were unpacked before. The two low bits of an element's first byte are its kind.
// INVARIANT: no byte outside of the block is read or written, and memory is in proportion to the packed bytes.

/** A copy of 64 bytes takes 3: more than 22 times the packed bytes are not to be had. */
const ratioMax = 22
/** Literals up to this length have it in their first byte. */
const shortLiteralMax = 60

/** Throws Error for bytes that are no block; its code is ERR_BUFFER_TOO_LARGE if it has more than `bytesMax` unpacked. */
export function unpackSnappy(packed: Buffer, bytesMax: number): Buffer {
  const reader = new Reader(packed)
  const length = reader.varint()
  if (length > bytesMax)
    throw Object.assign(new Error(`they have ${length} bytes unpacked`), { code: 'ERR_BUFFER_TOO_LARGE' })
  if (length > packed.length * ratioMax) throw broken('they are fewer than the unpacked length needs')
  const out = Buffer.allocUnsafe(length)
  let at = 0
  while (reader.left > 0) {
    const tag = reader.uint(1)
    const kind = tag & 3
    if (kind === 0) {
      const short = (tag >> 2) + 1
      const literal = reader.bytes(short <= shortLiteralMax ? short : reader.uint(short - shortLiteralMax) + 1)
      if (literal.length > length - at) throw broken('they have more than the unpacked length')
      at += literal.copy(out, at)
      continue
    }
    const count = kind === 1 ? ((tag >> 2) & 7) + 4 : (tag >> 2) + 1
    const back = kind === 1 ? ((tag >> 5) << 8) | reader.uint(1) : reader.uint(kind === 2 ? 2 : 4)
    if (back === 0 || back > at) throw broken('a copy begins before the first byte')
    if (count > length - at) throw broken('they have more than the unpacked length')
    // A copy may reach into itself, and then repeats.
    for (const end = at + count; at < end; at++) out[at] = out[at - back]!
  }
  if (at < length) throw broken('they have less than the unpacked length')
  return out
}

class Reader {
  readonly #packed: Buffer
  #at = 0

  constructor(packed: Buffer) { this.#packed = packed }

  get left(): number { return this.#packed.length - this.#at }

  bytes(count: number): Buffer {
    if (count > this.left) throw broken('they end within an element')
    this.#at += count
    return this.#packed.subarray(this.#at - count, this.#at)
  }

  /** Little-endian. */
  uint(bytes: number): number { return this.bytes(bytes).readUIntLE(0, bytes) }

  varint(): number {
    let value = 0
    for (let factor = 1; factor <= 128 ** 4; factor *= 128) {
      const byte = this.uint(1)
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
    }
    throw broken('they begin with no length')
  }
}

const broken = (why: string): Error => new Error(`they are no block of Snappy: ${why}`)
