// Cursor over the entries of one segment, in order, frame by frame. An entry's bytes are valid until `next`.
// Each frame is verified before its first entry is returned; the digest of the segment is verified after its last entry.

import { addToDigest, corrupt, frameHeaderBytes, openFrame, readFrameHeader } from './segmentframe.ts'
import { keyPrefix } from './key.ts'
import type { Segment } from './segment.ts'
import { TextWindow } from './window.ts'

export class Cursor {
  /** Number of the input to which the segment belongs, in a merge of several inputs. */
  readonly side: number
  readonly #segment: Segment
  #position: number
  readonly #end: number
  #records = 0
  #digest = 0
  readonly #header = Buffer.alloc(frameHeaderBytes)
  readonly #window = new TextWindow()
  #stored = Buffer.alloc(0)
  /** Entries of the current frame: another object for each frame. */
  bytes = Buffer.alloc(0)
  #at = 0
  #left = 0
  keyStart = 0
  keyEnd = 0
  valueStart = 0
  valueEnd = 0
  /** True: the entry has the same key as the one before. False: not known without comparing. */
  same = false
  /** Prefix of the key (see keyPrefix); Infinity at the end of the segment. */
  prefix = -1

  constructor(segment: Segment, side = 0) {
    this.side = side
    this.#segment = segment
    this.#position = segment.offset
    this.#end = segment.offset + segment.bytes
  }

  /** Moves to the next entry; false at the end. The first call moves to the first entry. */
  next(): boolean {
    if (this.#left === 0 && !this.#nextFrame()) {
      this.prefix = Infinity
      return false
    }
    const first = this.#at === 0
    this.#left--
    const head = this.#varint()
    if (head === 0) {
      if (first) throw this.#corrupt('a frame whose first entry has no key')
      this.same = true
    } else {
      this.same = false
      this.keyStart = this.#at
      this.keyEnd = this.#at += head - 1
    }
    const length = this.#varint()
    this.valueStart = this.#at
    this.valueEnd = this.#at += length
    if (this.#at > this.bytes.length) throw this.#corrupt('an entry that leaves its frame')
    if (head !== 0) this.prefix = keyPrefix(this.bytes, this.keyStart, this.keyEnd)
    return true
  }

  /** The text whose UTF-8 is bytes[start, end). */
  text(start: number, end: number): string { return this.#window.read(this.bytes, start, end) }

  #varint(): number {
    const bytes = this.bytes
    let byte = bytes[this.#at++]!
    if (byte < 0x80) return byte
    let value = byte & 0x7f
    for (let scale = 0x80; ; scale *= 0x80) {
      byte = bytes[this.#at++]!
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
      if (byte === undefined || scale > 0xffff_ffff) throw this.#corrupt('a number without an end')
    }
  }

  #nextFrame(): boolean {
    if (this.#at !== this.bytes.length) throw this.#corrupt('a frame with more bytes than entries')
    const left = this.#end - this.#position
    if (left === 0) {
      if (this.#records !== this.#segment.records || this.#digest !== this.#segment.crc)
        throw this.#corrupt('other records than its index says')
      return false
    }
    if (left < frameHeaderBytes) throw this.#corrupt('a frame cut short')
    this.#fill(this.#header)
    const facts = readFrameHeader(this.#header, left, this.#segment.name)
    if (this.#stored.length < facts.stored) this.#stored = Buffer.allocUnsafeSlow(facts.stored + (facts.stored >> 2))
    const payload = this.#stored.subarray(0, facts.stored)
    this.#fill(payload)
    this.bytes = openFrame(this.#header, payload, facts, this.#segment.name) as Buffer<ArrayBuffer>
    if (facts.records === 0 || this.bytes.length === 0) throw this.#corrupt('an empty frame')
    this.#digest = addToDigest(this.#digest, facts.crc)
    this.#records += facts.records
    this.#left = facts.records
    this.#at = 0
    return true
  }

  #fill(target: Buffer): void {
    for (let filled = 0; filled < target.length;) {
      const count = this.#segment.source.readSync(target.subarray(filled), this.#position + filled)
      if (count === 0) throw this.#corrupt('fewer bytes than its index says')
      filled += count
    }
    this.#position += target.length
  }

  #corrupt(problem: string): Error {
    return corrupt(this.#segment.name, problem)
  }
}
