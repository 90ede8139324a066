// Layout of the groups of a table (table.ts), and reading of groups that are in memory.

import type { Key } from '../base/pair.ts'
import type { GrowingBuffer } from './buffer.ts'
import { decodeKey } from './key.ts'
import { decodeValue } from './decode.ts'

export const lengthBytes = 4
/** In place of a length: the group ends. */
export const endMark = 0xffffffff

/** A group with its place in the table. */
export interface PlacedGroup { readonly at: number; readonly key: Key; readonly values: Iterable<unknown> }

interface KeyedGroup extends PlacedGroup { readonly keyStart: number; readonly keyEnd: number }

export function appendLength(to: GrowingBuffer, length: number): void {
  to.reserve(lengthBytes)
  to.bytes.writeUInt32LE(length, to.length)
  to.length += lengthBytes
}

/** Values of the group whose key ends at `start`. */
export const valuesIn = (bytes: Buffer, start: number): Iterable<unknown> => ({
  * [Symbol.iterator]() {
    let at = start
    for (let length = bytes.readUInt32LE(at); length !== endMark; length = bytes.readUInt32LE(at)) {
      at += lengthBytes + length
      yield decodeValue(bytes, at - length, at)
    }
  },
})

/** The groups of these bytes; `base`: place of the first one. */
export function * groupsIn(bytes: Buffer, end: number, base = 0): Generator<KeyedGroup> {
  for (let at = 0; at < end;) {
    const keyStart = at + lengthBytes
    const keyEnd = keyStart + bytes.readUInt32LE(at)
    yield { at: base + at, keyStart, keyEnd, get key() { return decodeKey(bytes, keyStart, keyEnd) }, values: valuesIn(bytes, keyEnd) }
    at = keyEnd
    for (let length = bytes.readUInt32LE(at); length !== endMark; length = bytes.readUInt32LE(at)) at += lengthBytes + length
    at += lengthBytes
  }
}
