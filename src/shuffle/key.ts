// Order-preserving encoding of keys: comparing the encodings as unsigned bytes, shorter first, orders
//   null < false < true < numbers and bigints < strings (by code point) < arrays (element by element, then by length);
//   a key made by `descending` in the opposite order. Keys of both kinds are not compared with each other.
// Byte table: docs/format/key.md. Encodings are canonical: equal keys have equal bytes; -0 is encoded as 0, and all NaNs are the same.
// A bigint is never equal to a number: it sorts directly after the number of the same value.

import { GristmillError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Key } from '../base/pair.ts'
import { double, type GrowingBuffer } from './buffer.ts'
import { readText } from './text.ts'

const terminator = 0x00
const escaped = 0xff
const tagNull = 0x01
const tagFalse = 0x02
const tagTrue = 0x03
const tagNumber = 0x04
export const tagString = 0x05
const tagArray = 0x06
/**
 * Follows the eight bytes of a number in the encoding of a bigint: the number is the largest double not above the bigint, and the
 * difference follows. Greater than all tags that may follow a number.
 */
const tagBeyond = 0x07
/** First byte of the content of an array that holds one key in descending order: the inverted bytes of the key and a terminator follow. */
const tagDescending = 0x08
/** Up to here at most 2^971 integers lie between two doubles: the difference has at most 122 bytes. */
const bigintMax = BigInt(Number.MAX_VALUE)

/** A key that sorts in the opposite order, alone or as an item of an array. */
class Descending {
  readonly key: Key
  constructor(key: Key) { this.key = key }
}

/** The key for a sort in descending order. Decoded, it is the given key. */
export const descending = (key: Key): Key => new Descending(key) as unknown as Key

/** Appends the encoding. Throws EINVAL for a value that cannot be a key. */
export function encodeKey(key: Key, to: GrowingBuffer): void {
  if (typeof key === 'string') {
    to.byte(tagString)
    // The end of the key is the end of the string: no escapes, no terminator.
    if (to.utf8(key) !== key.length) checkKeyText(key)
    if (key.length * 3 > limits.recordBytesMax) checkLength(Buffer.byteLength(key))
    return
  }
  const start = to.length
  encodePart(key, to, 0)
  checkLength(to.length - start)
}

function checkLength(bytes: number): void {
  if (bytes > limits.recordBytesMax) {
    throw new GristmillError(
      'EINVAL',
      `emit was given a key of ${bytes} bytes; at most ${limits.recordBytesMax} are allowed. Emit a digest of it, and the rest as the value`,
    )
  }
}

function checkKeyText(key: string): void {
  if (!key.isWellFormed()) {
    throw new GristmillError(
      'EINVAL',
      `emit was given a key with half a surrogate pair: ${JSON.stringify(key.slice(0, 60))}; apply toWellFormed() to it`,
    )
  }
}

function encodePart(key: unknown, to: GrowingBuffer, depth: number): void {
  switch (typeof key) {
    case 'string': {
      to.byte(tagString)
      if (key.includes('\0')) {
        for (const part of key.split('\0')) {
          encodeText(part, to)
          to.byte(terminator)
          to.byte(escaped)
        }
        // One escaped zero too many was written after the last part.
        to.length -= 2
      } else {
        encodeText(key, to)
      }
      to.byte(terminator)
      return
    }
    case 'number': return encodeNumber(key, to)
    case 'bigint': return encodeBigint(key, to)
    case 'boolean': return to.byte(key ? tagTrue : tagFalse)
    case 'object':
      if (key === null) return to.byte(tagNull)
      if (Array.isArray(key) && depth < limits.jsonDepthMax) {
        if ((key as { groups?: unknown }).groups !== undefined)
          throw new GristmillError(
            'EINVAL',
            'emit was given the result of a match with named groups as a key, which an array of its texts would lose; emit [...match], or the groups that are meant',
          )
        to.byte(tagArray)
        for (const part of key) encodePart(part, to, depth + 1)
        return to.byte(terminator)
      }
      if (key instanceof Descending) return encodeDescending(key, to, depth)
  }
  throw notKey(key, depth)
}

function encodeDescending({ key }: Descending, to: GrowingBuffer, depth: number): void {
  to.byte(tagArray)
  to.byte(tagDescending)
  const start = to.length
  encodePart(key, to, depth + 1)
  // If one key begins with another, the longer one has to sort first: a number, and the bigint of the same value.
  to.byte(terminator)
  invert(to.bytes, start, to.length)
}

function invert(bytes: Uint8Array, start: number, end: number): void {
  for (let i = start; i < end; i++) bytes[i] = ~bytes[i]! & 0xff
}

function encodeText(text: string, to: GrowingBuffer): void {
  if (to.utf8(text) !== text.length) checkKeyText(text)
}

function encodeNumber(value: number, to: GrowingBuffer): void {
  to.byte(tagNumber)
  double.setFloat64(0, Number.isNaN(value) ? NaN : value + 0)
  let high = double.getUint32(0)
  let low = double.getUint32(4)
  // Positive: set the sign bit. Negative: invert all bits, so that larger magnitudes sort first.
  if (high >= 0x8000_0000) { high = ~high; low = ~low } else { high |= 0x8000_0000 }
  to.reserve(8)
  to.bytes.writeUInt32BE(high >>> 0, to.length)
  to.bytes.writeUInt32BE(low >>> 0, to.length + 4)
  to.length += 8
}

/** The largest double not above the bigint, the tag, then the difference: its number of bytes, and the bytes, big-endian. */
function encodeBigint(value: bigint, to: GrowingBuffer): void {
  if (value > bigintMax || value < -bigintMax) {
    throw new GristmillError(
      'EINVAL',
      `emit was given a bigint of ${value.toString().replace('-', '').length} digits as a key: as keys they reach to ${Number.MAX_VALUE}; emit its digits as a string`,
    )
  }
  let below = Number(value)
  if (BigInt(below) > value) below = doubleBelow(below)
  encodeNumber(below, to)
  const rest = value - BigInt(below)
  const hex = rest === 0n ? '' : rest.toString(16)
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex')
  to.byte(tagBeyond)
  to.byte(bytes.length)
  to.copy(bytes, 0, bytes.length)
}

/** The next double towards negative infinity. REQUIRES: not 0; no integer is rounded up to 0. */
function doubleBelow(value: number): number {
  double.setFloat64(0, value)
  double.setBigUint64(0, double.getBigUint64(0) + (value > 0 ? -1n : 1n))
  return double.getFloat64(0)
}

function notKey(key: unknown, depth: number): GristmillError {
  if (depth >= limits.jsonDepthMax)
    return new GristmillError('EINVAL', `emit was given a key nested over ${limits.jsonDepthMax} levels deep`)
  const what = typeof key === 'object' ? (key as object).constructor?.name ?? 'object' : typeof key
  const advice: Readonly<Record<string, string>> = {
    undefined: 'is a field missing? Use null for "no key"',
    Date: 'use key.toISOString() or key.getTime()',
    Promise: 'await it before emitting',
  }
  return new GristmillError(
    'EINVAL',
    `emit was given ${what} ${depth > 0 ? 'inside of a key' : 'as a key'}: ${advice[what] ?? 'keys are strings, numbers, bigints, booleans, null and arrays of these'}`,
  )
}

/** Start of the text that the key that begins at `start` consists of; -1 if it is another kind of key. */
export const keyTextStart = (bytes: Buffer, start: number): number => (bytes[start] === tagString ? start + 1 : -1)

/** The key whose encoding is bytes[start, end). */
export function decodeKey(bytes: Buffer, start: number, end: number): Key {
  if (bytes[start] === tagString) return readText(bytes, start + 1, end)
  return new KeyReader(bytes, start, end).part()
}

class KeyReader {
  readonly #bytes: Buffer
  #at: number
  readonly #end: number

  constructor(bytes: Buffer, at: number, end: number) {
    this.#bytes = bytes
    this.#at = at
    this.#end = end
  }

  part(): Key {
    const tag = this.#bytes[this.#at++]
    switch (tag) {
      case tagNull: return null
      case tagFalse: return false
      case tagTrue: return true
      case tagNumber: return this.#number()
      case tagString: return this.#text()
      case tagArray: {
        if (this.#bytes[this.#at] === tagDescending) return this.#descending()
        const parts: Key[] = []
        while (this.#at < this.#end && this.#bytes[this.#at] !== terminator) parts.push(this.part())
        this.#at++
        return parts
      }
      default: throw new GristmillError('CORRUPT', `no key begins with byte ${tag}`)
    }
  }

  #descending(): Key {
    const from = this.#at + 1
    const inverted = Buffer.from(this.#bytes.subarray(from, this.#end))
    invert(inverted, 0, inverted.length)
    const reader = new KeyReader(inverted, 0, inverted.length)
    const key = reader.part()
    this.#at = from + reader.#at + 1
    return key
  }

  #number(): number | bigint {
    let high = this.#bytes.readUInt32BE(this.#at)
    let low = this.#bytes.readUInt32BE(this.#at + 4)
    this.#at += 8
    if (high >= 0x8000_0000) { high &= 0x7fff_ffff } else { high = ~high; low = ~low }
    double.setUint32(0, high >>> 0)
    double.setUint32(4, low >>> 0)
    const number = double.getFloat64(0)
    if (this.#at >= this.#end || this.#bytes[this.#at] !== tagBeyond) return number
    const from = this.#at + 2
    this.#at = from + this.#bytes[this.#at + 1]!
    return BigInt(number) + BigInt(`0x0${this.#bytes.toString('hex', from, this.#at)}`)
  }

  #text(): string {
    let text = ''
    for (;;) {
      const end = this.#bytes.indexOf(terminator, this.#at)
      if (end < 0) throw new GristmillError('CORRUPT', 'a string inside of a key has no end')
      text += this.#bytes.toString('utf8', this.#at, end)
      this.#at = end + 1
      if (this.#bytes[this.#at] !== escaped) return text
      text += '\0'
      this.#at++
    }
  }
}

/** Bytes [aStart, aEnd) of `a` against [bStart, bEnd) of `b`: negative, 0 or positive. */
export function compareKeys(a: Uint8Array, aStart: number, aEnd: number, b: Uint8Array, bStart: number, bEnd: number): number {
  const common = Math.min(aEnd - aStart, bEnd - bStart)
  for (let i = 0; i < common; i++) {
    const difference = a[aStart + i]! - b[bStart + i]!
    if (difference !== 0) return difference
  }
  return aEnd - aStart - (bEnd - bStart)
}

/** The first seven bytes as a number, padded with zeros: unequal prefixes have the same order as the keys. */
export function keyPrefix(bytes: Uint8Array, start: number, end: number): number {
  if (end - start >= 7) {
    // Tags are below 32, so this stays under 2^53.
    return ((bytes[start]! * 256 + bytes[start + 1]!) * 256 + bytes[start + 2]!) * 0x1_0000_0000 +
      ((bytes[start + 3]! << 24 | bytes[start + 4]! << 16 | bytes[start + 5]! << 8 | bytes[start + 6]!) >>> 0)
  }
  let prefix = 0
  for (let i = 0; i < 7; i++) prefix = prefix * 256 + (start + i < end ? bytes[start + i]! : 0)
  return prefix
}
