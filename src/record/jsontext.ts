// Lossless JSON text of values: a value that JSON cannot represent is either written in one documented way (docs/reference/outputs.md) or
// refused with its path and type. JSON.stringify alone writes {} for a Map and null for NaN, without an error.
//
//   unchanged            null, booleans, strings, finite numbers, arrays, plain objects (undefined fields are omitted)
//   fields of an object  the enumerable ones with a string as their name; one with a symbol is refused
//   items of an array    other properties are ignored, except the named groups of a match: these are refused
//   bigint               the integer, of any size
//   Date                 its ISO text; an invalid one is refused
//   Uint8Array, Buffer   base64, as a string
//   a toJSON method      its result
//   anything else        refused: NaN, ±Infinity, undefined, functions, symbols, Map, Set, RegExp, Error, instances of classes

import { digits } from '../base/exactjson.ts'
import { limits } from '../base/limits.ts'

/** Error for a value that cannot be written, with its path and advice. */
export class Unwritable extends Error {
  override name = 'Unwritable'
  /** `.tags[0]`; empty for the value itself. */
  readonly path: string
  readonly what: string
  readonly advice: string

  constructor(path: string, what: string, advice: string) {
    super(`${what} cannot be written as JSON`)
    this.path = path
    this.what = what
    this.advice = advice
  }
}

interface Mode {
  /** Accept only values that JSON.parse gives back unchanged: no Date, no bytes, no bigint, no toJSON. */
  readonly strict: boolean
  /** Set when a value was found that needs `replace`. */
  special: boolean
}

/** Throws Unwritable. */
export function jsonText(value: unknown): string {
  // Fast path for the most common values.
  if (typeof value === 'string') return JSON.stringify(value)
  const mode: Mode = { strict: false, special: false }
  check(value, mode, 0)
  return mode.special ? JSON.stringify(value, replace) : JSON.stringify(value)
}

/** Throws Unwritable unless JSON.parse(JSON.stringify(value)) is the same value. */
export function checkJson(value: unknown): void { check(value, { strict: true, special: false }, 0) }

/** `this[name]` is the value before its toJSON (which Buffer has) was called. */
function replace(this: unknown, name: string, item: unknown): unknown {
  const raw = (this as Record<string, unknown>)[name]
  if (raw instanceof Uint8Array) return base64(raw)
  return digits(name, item)
}

export const base64 = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')

function check(value: unknown, mode: Mode, depth: number): void {
  switch (typeof value) {
    case 'string': case 'boolean': return
    case 'number':
      if (Number.isFinite(value)) return
      throw new Unwritable('', String(value), `use null, or the text "${value}"`)
    case 'bigint':
      if (mode.strict) throw new Unwritable('', 'a bigint', 'use its text')
      mode.special = true
      return
    case 'object': return value === null ? undefined : checkObject(value, mode, depth + 1)
    case 'undefined': throw new Unwritable('', 'undefined', 'use null for "no value"')
    default: throw new Unwritable('', `a ${typeof value}`, 'only data can be written')
  }
}

function checkObject(value: object, mode: Mode, depth: number): void {
  if (depth > limits.jsonDepthMax)
    throw new Unwritable('', `a value nested over ${limits.jsonDepthMax} levels deep, or one that contains itself,`, 'use fewer levels')
  if (value instanceof Uint8Array) {
    if (mode.strict) throw new Unwritable('', `a ${nameOf(value)}`, 'use its base64 text')
    mode.special = true
    return
  }
  const { toJSON } = value as { toJSON?: unknown }
  if (typeof toJSON === 'function') {
    if (value instanceof Date && Number.isNaN(value.getTime())) throw new Unwritable('', 'an invalid Date', 'use null')
    if (mode.strict) throw new Unwritable('', `a ${nameOf(value)}`, 'use its text')
    return check(toJSON.call(value, ''), mode, depth)
  }
  if (Array.isArray(value)) {
    checkArray(value)
    for (let i = 0; i < value.length; i++) {
      const item: unknown = value[i]
      if (typeof item === 'string') continue
      try {
        check(item, mode, depth)
      } catch (error) {
        throw within(error, `[${i}]`)
      }
    }
    return
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) throw new Unwritable('', `a ${nameOf(value)}`, adviceOn(value))
  checkFields(value)
  for (const name of Object.keys(value)) {
    const field = (value as Record<string, unknown>)[name]
    // JSON.stringify omits undefined fields: to a reader a missing field is the same.
    if (field === undefined || typeof field === 'string') continue
    try {
      check(field, mode, depth)
    } catch (error) {
      throw within(error, /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`)
    }
  }
}

/** Throws Unwritable for an array with data beside its items. */
export function checkArray(value: readonly unknown[]): void {
  if ((value as { groups?: unknown }).groups !== undefined)
    throw new Unwritable('', 'the result of a match with named groups', 'use { ...match.groups }, or [...match]')
  if (Object.getPrototypeOf(value) !== Array.prototype) throw new Unwritable('', `a ${nameOf(value)}`, 'use [...it]')
}

/** Throws Unwritable for a field with a symbol as its name. */
export function checkFields(value: object): void {
  const symbols = Object.getOwnPropertySymbols(value)
  if (symbols.length > 0)
    throw new Unwritable(`[${String(symbols[0])}]`, 'a field with a symbol as its name', 'give the field a text as its name')
}

const within = (error: unknown, step: string): unknown =>
  error instanceof Unwritable ? new Unwritable(`${step}${error.path}`, error.what, error.advice) : error

const nameOf = (value: object): string => value.constructor?.name || 'instance of an unnamed class'

function adviceOn(value: object): string {
  if (value instanceof Map) return 'use Object.fromEntries(map), or [...map]'
  if (value instanceof Set) return 'use [...set]'
  if (value instanceof RegExp) return 'use its source'
  if (value instanceof Error) return 'use its message'
  if (value instanceof Promise) return 'await it first'
  if (ArrayBuffer.isView(value)) return 'use Array.from(it)'
  if (value instanceof ArrayBuffer) return 'use new Uint8Array(it)'
  return 'make it a plain object with its fields, or give it a toJSON method'
}
