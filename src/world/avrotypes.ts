// Types of Avro in place of those of the package avsc, which changes or drops some values without an error: a text with half of a
// surrogate pair becomes bytes that are no UTF-8, the key `__proto__` of a map is lost, and any object is a record, or a map of its
// enumerable fields. Bytes that are no UTF-8 become U+FFFD, and the number of items of a list is believed.
// INVARIANT: a value that passes the check of its type is written as it is. Only a `float` is rounded.
// INVARIANT: what is read takes memory in proportion to its bytes, and to a bounded number of items without bytes.

import { isUtf8 } from 'node:buffer'
import type * as Package from 'avsc'
import { showValue } from '../base/show.ts'

interface Tap {
  pos: number
  readonly buf: Buffer
  readLong(): number
  writeLong(value: number): void
  writeString(text: string): void
}

type Hook = (value: unknown, type: Package.Type) => void
type Check = (value: unknown, flags: number, hook?: Hook, path?: string[]) => boolean

/** Methods of types by which the package calls them. */
interface Inner extends Package.Type {
  _check(...given: Parameters<Check>): boolean
  _read(tap: Tap): unknown
  _write(tap: Tap, value: unknown): void
}

type MadeOf<T = object> = new (schema: unknown, options: unknown) => Inner & T

interface OwnTypes {
  /** Types by the names of primitive ones. */
  readonly registry: Readonly<Record<string, Package.Type>>
  /** Makes the named and the nested types. */
  readonly typeHook: (schema: unknown, options: unknown) => Package.Type | undefined
}

/** Counters that the types add to while they read a value. The caller sets them back before each value. */
export interface ReadNotes {
  /** Texts and keys that are not UTF-8. */
  badTexts: number
  emptyItems: number
}

/** A list of 2^20 `null` takes 8 MiB. */
const emptyItemsMax = 2 ** 20

/** REQUIRES: the registry and the hook are given to the package together. */
export function ownTypes(avsc: typeof Package, notes: ReadNotes): OwnTypes {
  const { types } = avsc
  /** A primitive type that refuses some of its values. */
  const stricter = (base: unknown, isHeld: (value: unknown) => boolean): Package.Type =>
    new class extends (base as MadeOf) {
      override _check(value: unknown, flags: number, hook?: Hook): boolean {
        if (isHeld(value)) return super._check(value, flags, hook)
        hook?.(value, this)
        return false
      }
    }({}, {})
  const isNumber = (value: unknown): value is number => typeof value === 'number'
  const string = new class extends (types.StringType as unknown as MadeOf) {
    override _check(value: unknown, flags: number, hook?: Hook): boolean {
      if (typeof value !== 'string' || value.isWellFormed()) return super._check(value, flags, hook)
      hook?.(value, this)
      return false
    }

    override _read(tap: Tap): string { return textIn(tap, notes) }
  }({}, {})

  class RecordType extends (types.RecordType as unknown as MadeOf<{ _createChecker(): Check }>) {
    constructor(schema: unknown, options: unknown) {
      super(schema, options)
      if ((this as unknown as Package.types.RecordType).fields.some(({ name }) => name === '__proto__'))
        throw new Error('the record has a field __proto__, which no object in JavaScript can have')
    }

    override _createChecker(): Check {
      const check = super._createChecker()
      return function (this: RecordType, value, flags, hook, path) {
        if (isPlain(value)) return check.call(this, value, flags, hook, path)
        hook?.(value, this)
        return false
      }
    }
  }

  class EnumType extends (types.EnumType as unknown as MadeOf<{ readonly _indices: object }>) {
    override _check(value: unknown, _flags: number, hook?: Hook): boolean {
      if (typeof value === 'string' && Object.hasOwn(this._indices, value)) return true
      hook?.(value, this)
      return false
    }
  }

  const own: Readonly<Record<string, MadeOf>> = {
    record: RecordType, error: RecordType, map: mapTypeOf(avsc, notes), enum: EnumType, array: arrayTypeOf(avsc, notes),
  }
  return {
    registry: {
      string, int: stricter(types.IntType, isNumber), double: stricter(types.DoubleType, isNumber),
      float: stricter(types.FloatType, value => isNumber(value) && Number.isFinite(value) === Number.isFinite(Math.fround(value))),
    },
    typeHook(schema, options) {
      const name = typeof schema === 'object' && schema !== null ? (schema as { readonly type?: unknown }).type : undefined
      const Own = typeof name === 'string' && Object.hasOwn(own, name) ? own[name] : undefined
      return Own && new Own(schema, options)
    },
  }
}

/** Bytes that are not UTF-8 become U+FFFD. */
function textIn(tap: Tap, notes: ReadNotes): string {
  const length = tap.readLong()
  if (length < 0) throw new Error('a text has a length below 0')
  const from = tap.pos
  tap.pos += length
  // The caller sees that the bytes end before.
  if (tap.pos > tap.buf.length) return ''
  const text = tap.buf.toString('utf8', from, tap.pos)
  if (text.includes('\ufffd') && !isUtf8(tap.buf.subarray(from, tap.pos))) notes.badTexts++
  return text
}

/** Lists that end with their bytes, whatever their number of items says. */
function arrayTypeOf({ types }: typeof Package, notes: ReadNotes): MadeOf {
  return class ArrayType extends (types.ArrayType as unknown as MadeOf<{ readonly itemsType: Inner }>) {
    override _read(tap: Tap): unknown {
      const read: unknown[] = []
      for (;;) {
        const count = tap.readLong()
        if (count === 0) return read
        // A negative number of items has their size behind it.
        if (count < 0) tap.readLong()
        for (let left = Math.abs(count); left > 0; left--) {
          const from = tap.pos
          read.push(this.itemsType._read(tap))
          if (tap.pos > tap.buf.length) throw new Error('the bytes end within a list')
          if (tap.pos === from && ++notes.emptyItems > emptyItemsMax)
            throw new Error(`its lists have more than ${emptyItemsMax} items without bytes`)
        }
      }
    }
  }
}

/** Maps with each of their keys, as plain objects; they are written from a Map too. */
function mapTypeOf({ types }: typeof Package, notes: ReadNotes): MadeOf {
  return class MapType extends (types.MapType as unknown as MadeOf<{ readonly valuesType: Inner }>) {
    override _check(value: unknown, flags: number, hook?: Hook, path?: string[]): boolean {
      const map = value instanceof Map ? value : isPlain(value) ? new Map(Object.entries(value)) : undefined
      if (map && wrongKeyOf(map) === undefined) return super._check(Object.fromEntries(map), flags, hook, path)
      hook?.(value, this)
      return false
    }

    override _write(tap: Tap, value: unknown): void {
      const entries = value instanceof Map ? [...value as Map<string, unknown>] : Object.entries(value as object)
      if (entries.length > 0) tap.writeLong(entries.length)
      for (const [key, each] of entries) {
        tap.writeString(key)
        this.valuesType._write(tap, each)
      }
      tap.writeLong(0)
    }

    override _read(tap: Tap): unknown {
      const read: Record<string, unknown> = {}
      for (;;) {
        const count = tap.readLong()
        if (count === 0) return read
        // A negative number of entries has their size behind it.
        if (count < 0) tap.readLong()
        for (let left = Math.abs(count); left > 0; left--) {
          const key = textIn(tap, notes)
          const value = this.valuesType._read(tap)
          if (tap.pos > tap.buf.length) throw new Error('the bytes end within a map')
          if (key === '__proto__') Object.defineProperty(read, key, { value, enumerable: true, configurable: true, writable: true })
          else read[key] = value
        }
      }
    }
  }
}

/** Why the value does not pass the check of the type, behind the name of its place. */
export function reasonOf(value: unknown, type: Package.Type): string {
  if (typeof value === 'string' && !value.isWellFormed()) return `is ${showValue(value)}, which has ${halfPair}`
  if (type.typeName === 'map' && (isPlain(value) || value instanceof Map)) {
    const key = wrongKeyOf(value instanceof Map ? value : new Map(Object.entries(value)))
    if (typeof key === 'string') return `has the key ${showValue(key)}, which has ${halfPair}`
    if (key !== undefined) return `has the key ${showValue(key)}, and keys of a map are texts`
  }
  const [symbol] = typeof value === 'object' && value !== null ? Object.getOwnPropertySymbols(value) : []
  if (symbol) return `has the field ${String(symbol)}, and names of fields are texts`
  const isKnown = typeof value !== 'object' || value === null || Array.isArray(value) || isPlain(value) || value instanceof Date
    || value instanceof Uint8Array
  return `is ${isKnown ? showValue(value) : `a ${value.constructor?.name || 'instance of a class'}`}, and not ${String(type)}`
}

const halfPair = 'half of a surrogate pair, and UTF-8 has no such text; cut texts between characters ([...text]), or call toWellFormed()'

/** Undefined: there is none. Otherwise the key is no text, or none that UTF-8 has. */
function wrongKeyOf(map: ReadonlyMap<unknown, unknown>): unknown {
  for (const key of map.keys()) if (typeof key !== 'string' || !key.isWellFormed()) return key ?? null
  return undefined
}

/** True for an object whose fields are all of its data. */
export function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return (prototype === Object.prototype || prototype === null) && Object.getOwnPropertySymbols(value).length === 0
}
