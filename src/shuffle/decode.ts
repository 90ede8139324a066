// Decoding of values: the reader of what value.ts writes. The objects of an input mostly have the same fields in the same order, and making
// a string of each name again would take longer than the values do: a name is compared with the bytes of the one that came at its place
// before, and only decoded if it is another one.
// INVARIANT: what is decoded depends on the bytes alone, and not on what was decoded before.

import { GristmillError } from '../base/errors.ts'
import { readText } from './text.ts'
import { smallBase, tags } from './value.ts'

const noBytes = Buffer.alloc(0)

/** A name of a field, and those that were read behind it: of the same object, and of the object that is the field's value. */
class Name {
  readonly name: string
  /** Its encoding, which does not begin another one. */
  readonly encoded: Buffer
  next: Name | undefined = undefined
  inner: Name | undefined = undefined
  constructor(name: string, encoded: Buffer) {
    this.name = name
    this.encoded = encoded
  }
}

/** Stands for the field in which a value lies that is no field's. */
const topNames = new Name('', noBytes)

/** A name that is the expected one raises the credit by 1, up to this. */
const creditMax = 64
/** Another name lowers it by this. Below 0 names are not learned, because they differ from object to object. */
const missCosts = 4
/** At a credit below the negative of this, names are learned again: the input may be another one by now. */
const debtMax = 1000
/** Names that are remembered at a time. When there are as many, all are forgotten. */
const namesMax = 10_000
/** Longer names are not remembered. */
const nameBytesMax = 256

/** The value whose encoding is bytes[start, end). Binary values are copied. */
export function decodeValue(bytes: Buffer, start: number, end: number): unknown {
  const tag = bytes[start]!
  if (tag >= smallBase) return tag - smallBase
  const reader = valueReader
  reader.begin()
  reader.bytes = bytes
  reader.at = start
  reader.end = end
  const value = reader.value()
  if (reader.at !== end) throw new GristmillError('CORRUPT', `a value of ${end - start} bytes ends after ${reader.at - start}`)
  return value
}

/** Start of the text that the value bytes[start, end) consists of; -1 if it is another kind of value. */
export function textStart(bytes: Buffer, start: number, end: number): number {
  if (bytes[start] !== tags.text) return -1
  let at = start + 1
  let byte = bytes[at++]!
  let length = byte & 0x7f
  for (let scale = 0x80; byte >= 0x80; scale *= 0x80) {
    byte = bytes[at++]!
    length += (byte & 0x7f) * scale
  }
  return at + length === end ? at : -1
}

class ValueReader {
  bytes: Buffer = noBytes
  at = 0
  end = 0
  /** The name of the field whose value is read. */
  names = topNames
  #credit = creditMax
  #learned = 0

  /** An error may have ended the value before at any place. */
  begin(): void {
    this.names = topNames
    if (this.#learned < namesMax) return
    this.#learned = 0
    topNames.inner = undefined
  }

  value(): unknown {
    const tag = this.bytes[this.at++]!
    if (tag >= smallBase) return tag - smallBase
    switch (tag) {
      case tags.undefined: return undefined
      case tags.null: return null
      case tags.false: return false
      case tags.true: return true
      case tags.varint: return this.varint()
      case tags.negative: return -this.varint()
      case tags.double: {
        const value = this.bytes.readDoubleBE(this.at)
        this.at += 8
        return value
      }
      case tags.text: return this.text('utf8')
      case tags.wide: return this.text('utf16le')
      case tags.bytes: {
        const count = this.length()
        const copy = Buffer.from(this.bytes.subarray(this.at, this.at + count))
        this.at += count
        return copy
      }
      case tags.date: return new Date(this.value() as number)
      case tags.bigint: return BigInt(this.value() as string)
      case tags.array: {
        const count = this.length()
        const items: unknown[] = []
        for (let i = 0; i < count; i++) items.push(this.value())
        return items
      }
      case tags.object: return this.object()
      case tags.map: {
        const items = new Map<unknown, unknown>()
        for (let i = this.length(); i > 0; i--) { const key = this.value(); items.set(key, this.value()) }
        return items
      }
      case tags.set: {
        const items = new Set<unknown>()
        for (let i = this.length(); i > 0; i--) items.add(this.value())
        return items
      }
      default: throw new GristmillError('CORRUPT', `no value begins with byte ${tag}`)
    }
  }

  object(): Record<string, unknown> {
    const result: Record<string, unknown> = {}
    const outer = this.names
    let last: Name = outer.inner ??= new Name('', noBytes)
    for (let i = this.length(); i > 0; i--) {
      last = this.#nameAfter(last)
      this.names = last
      const { name } = last
      if (name === '__proto__')
        Object.defineProperty(result, name, { value: this.value(), enumerable: true, configurable: true, writable: true })
      else result[name] = this.value()
    }
    this.names = outer
    return result
  }

  /** The name that is encoded here: mostly the one that came behind `last` before. */
  #nameAfter(last: Name): Name {
    const { next } = last
    const { bytes } = this
    const start = this.at
    if (next !== undefined) {
      const { encoded } = next
      let same = 0
      while (same < encoded.length && bytes[start + same] === encoded[same]) same++
      if (same === encoded.length) {
        this.at += same
        if (this.#credit < creditMax) this.#credit++
        return next
      }
      this.#credit -= missCosts
    }
    const name = this.value() as string
    if (this.#credit < -debtMax) this.#credit = creditMax
    if (this.#credit < 0 || this.#learned === namesMax || this.at - start > nameBytesMax) return new Name(name, noBytes)
    this.#learned++
    return last.next = new Name(name, Buffer.from(bytes.subarray(start, this.at)))
  }

  text(encoding: 'utf8' | 'utf16le'): string {
    const count = this.length()
    const from = this.at
    this.at += count
    return encoding === 'utf8' ? readText(this.bytes, from, this.at) : this.bytes.toString('utf16le', from, this.at)
  }

  varint(): number {
    let value = 0
    for (let scale = 1; ; scale *= 0x80) {
      const byte = this.bytes[this.at++]!
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
      if (scale > Number.MAX_SAFE_INTEGER) throw new GristmillError('CORRUPT', 'a number in a value has no end')
    }
  }

  /** A count of bytes or items, each of which takes at least one byte. */
  length(): number {
    const count = this.varint()
    if (count > this.end - this.at)
      throw new GristmillError('CORRUPT', `a value claims ${count} parts where ${this.end - this.at} bytes are left`)
    return count
  }
}

// One shared reader: decoding never calls foreign code, so it is never re-entered.
const valueReader = new ValueReader()
