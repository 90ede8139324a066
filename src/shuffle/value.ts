// Serialisation of values: a tag and a payload. A value is decoded (decode.ts) exactly as it was emitted, or `emit` throws at once with the
// reason.
// `copyValue` returns the value that encoding and decoding would give, without the bytes, for values that stay in memory.
// Numbers and strings have the shortest code paths. Byte table: docs/format/segment.md.
// Functions, symbols, promises and instances of classes are refused: they have no meaning on another machine. An object is encoded with
// its enumerable fields, an array with its items; other data that they carry is refused (docs/reference/outputs.md).

import { GristmillError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { double, varintBytes, type GrowingBuffer } from './buffer.ts'
import { refuseChange } from './unchangeable.ts'

export const tags = {
  undefined: 0, null: 1, false: 2, true: 3, varint: 4, negative: 5, double: 6, text: 7, wide: 8,
  bytes: 9, date: 10, bigint: 11, array: 12, object: 13, map: 14, set: 15,
} as const

/** Integers from 0 to 191 take one byte: the tags from 64 on. */
export const smallBase = 64
const smallMax = 255 - smallBase

export function encodeValue(value: unknown, to: GrowingBuffer): void {
  if (value === undefined) throw undefinedValue()
  encode(value, to, 0)
}

export const undefinedValue = () => new GristmillError('EINVAL', 'emit was given undefined as a value; use null for "no value"')

function encode(value: unknown, to: GrowingBuffer, depth: number): void {
  switch (typeof value) {
    case 'number': return encodeNumber(value, to)
    case 'string': return encodeText(value, to)
    case 'boolean': return to.byte(value ? tags.true : tags.false)
    case 'undefined': return to.byte(tags.undefined)
    case 'bigint': {
      to.byte(tags.bigint)
      return encodeText(value.toString(), to)
    }
    case 'object':
      if (value === null) return to.byte(tags.null)
      if (depth < limits.jsonDepthMax) return encodeObject(value, to, depth + 1)
      throw new GristmillError(
        'EINVAL',
        `emit was given a value nested over ${limits.jsonDepthMax} levels deep, or one that contains itself`,
      )
  }
  throw new GristmillError(
    'EINVAL',
    `emit was given a ${typeof value} ${depth > 0 ? 'inside of' : 'as'} a value: only data can travel between machines`,
  )
}

function encodeNumber(value: number, to: GrowingBuffer): void {
  if (Number.isInteger(value) && !Object.is(value, -0) && Number.isSafeInteger(value)) {
    if (value >= 0) {
      if (value <= smallMax) return to.byte(smallBase + value)
      to.byte(tags.varint)
      return to.varint(value)
    }
    to.byte(tags.negative)
    return to.varint(-value)
  }
  to.byte(tags.double)
  to.reserve(8)
  double.setFloat64(0, value)
  for (let i = 0; i < 8; i++) to.bytes[to.length + i] = double.getUint8(i)
  to.length += 8
}

function encodeText(value: string, to: GrowingBuffer): void {
  const start = to.length
  to.byte(tags.text)
  // Space for the length is estimated from the number of characters; the text is moved if the estimate was wrong, which is rare.
  to.varint(value.length)
  const room = to.length - start - 1
  const written = to.utf8(value)
  if (written === value.length) return
  if (!value.isWellFormed()) {
    to.length = start
    to.byte(tags.wide)
    to.varint(value.length * 2)
    to.reserve(value.length * 2)
    to.length += to.bytes.write(value, to.length, 'utf16le')
    return
  }
  const needed = varintBytes(written)
  to.reserve(needed)
  if (needed !== room) to.bytes.copyWithin(start + 1 + needed, start + 1 + room, start + 1 + room + written)
  to.length = start + 1
  to.varint(written)
  to.length = start + 1 + needed + written
}

function encodeObject(value: object, to: GrowingBuffer, depth: number): void {
  if (Array.isArray(value)) {
    checkArray(value, 'emit was given')
    to.byte(tags.array)
    to.varint(value.length)
    for (let i = 0; i < value.length; i++) encode(value[i], to, depth)
    return
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) {
    checkFields(value, 'emit was given')
    const names = Object.keys(value)
    to.byte(tags.object)
    to.varint(names.length)
    for (const name of names) {
      encodeText(name, to)
      encode((value as Record<string, unknown>)[name], to, depth)
    }
    return
  }
  checkBuiltIn(value, prototype, 'emit was given')
  if (value instanceof Uint8Array) {
    to.byte(tags.bytes)
    to.varint(value.length)
    to.reserve(value.length)
    to.bytes.set(value, to.length)
    to.length += value.length
    return
  }
  if (value instanceof Date) {
    to.byte(tags.date)
    return encodeNumber(value.getTime(), to)
  }
  if (value instanceof Map) {
    to.byte(tags.map)
    to.varint(value.size)
    for (const [key, item] of value) { encode(key, to, depth); encode(item, to, depth) }
    return
  }
  if (value instanceof Set) {
    to.byte(tags.set)
    to.varint(value.size)
    for (const item of value) encode(item, to, depth)
    return
  }
  throw foreignInstance(value, 'emit was given')
}

const matchGroups =
  'the result of a match with named groups, which an array of its texts would lose; emit { ...match.groups }, or [...match]'

/**
 * Throws EINVAL for a match with named groups or a subclass of Array. Checks `groups` by name: a search for any extra property would
 * double the cost of a pair of numbers.
 */
function checkArray(value: unknown[], whose: string): void {
  if ((value as { groups?: unknown }).groups !== undefined) throw new GristmillError('EINVAL', `${whose} ${matchGroups}`)
  if (Object.getPrototypeOf(value) !== Array.prototype) throw foreignInstance(value, whose)
}

/** Throws EINVAL for a field with a symbol as its name, which would be lost. About 25 ns. */
function checkFields(value: object, whose: string): void {
  const symbols = Object.getOwnPropertySymbols(value)
  if (symbols.length > 0)
    throw new GristmillError(
      'EINVAL',
      `${whose} a value with a field named ${String(symbols[0])}: symbols have no meaning on another machine; give the field a text as its name`,
    )
}

const builtIns: ReadonlySet<unknown> = new Set([Uint8Array.prototype, Buffer.prototype, Date.prototype, Map.prototype, Set.prototype])

/**
 * Throws EINVAL for an instance of another class, also of a subclass of these, and for one with own fields: class and fields would be
 * lost.
 */
function checkBuiltIn(value: object, prototype: unknown, whose: string): void {
  if (!builtIns.has(prototype)) throw foreignInstance(value, whose)
  if (value instanceof Uint8Array) return
  const name = Reflect.ownKeys(value).find(each => Reflect.get(value, each) !== refuseChange)
  if (name !== undefined)
    throw new GristmillError(
      'EINVAL',
      `${whose} a ${value.constructor.name} with a field ${String(name)} of its own, which would be lost: emit a plain object with both`,
    )
}

function foreignInstance(value: object, whose: string): GristmillError {
  const name = value.constructor?.name || 'an unknown class'
  const advice = name === 'Promise' ? 'await it first' : 'make it a plain object with its fields'
  return new GristmillError('EINVAL', `${whose} an instance of ${name} in a value: ${advice}`)
}

/**
 * A copy that shares nothing with `value`, equal to the value that a reducer would decode. Throws EINVAL for a value that cannot be
 * serialised; `whose` begins the message, such as "emit was given". Primitives are returned unchanged.
 */
export function copyValue(value: unknown, whose: string): unknown {
  if (typeof value === 'object' && value !== null) return copyObject(value, whose, 1)
  if (typeof value === 'function' || typeof value === 'symbol')
    throw new GristmillError('EINVAL', `${whose} a ${typeof value} as a value: only data can travel between machines`)
  return value
}

function copyPart(value: unknown, whose: string, depth: number): unknown {
  if (typeof value === 'object' && value !== null) {
    if (depth < limits.jsonDepthMax) return copyObject(value, whose, depth + 1)
    throw new GristmillError('EINVAL', `${whose} a value nested over ${limits.jsonDepthMax} levels deep, or one that contains itself`)
  }
  if (typeof value === 'function' || typeof value === 'symbol')
    throw new GristmillError('EINVAL', `${whose} a ${typeof value} inside of a value: only data can travel between machines`)
  return value
}

function copyObject(value: object, whose: string, depth: number): unknown {
  if (Array.isArray(value)) {
    checkArray(value, whose)
    const items: unknown[] = [...(value as unknown[])]
    for (let i = 0; i < items.length; i++) {
      const part = items[i]
      if (typeof part !== 'number' && typeof part !== 'string') items[i] = copyPart(part, whose, depth)
    }
    return items
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) {
    checkFields(value, whose)
    // Spread first: V8 copies an object of a known shape faster as a whole than field by field.
    const copy: Record<string, unknown> = { ...value }
    for (const name in copy) {
      const part = copy[name]
      if (typeof part === 'number' || typeof part === 'string') continue
      const own = copyPart(part, whose, depth)
      if (own === part) continue
      // An assignment to __proto__ would set the prototype.
      if (name === '__proto__') Object.defineProperty(copy, name, { value: own })
      else copy[name] = own
    }
    return copy
  }
  checkBuiltIn(value, prototype, whose)
  if (value instanceof Uint8Array) return Buffer.from(value)
  if (value instanceof Date) return new Date(value.getTime())
  if (value instanceof Map) return new Map(Array.from(value, ([key, item]) => [copyPart(key, whose, depth), copyPart(item, whose, depth)]))
  if (value instanceof Set) return new Set(Array.from(value, item => copyPart(item, whose, depth)))
  throw foreignInstance(value, whose)
}
