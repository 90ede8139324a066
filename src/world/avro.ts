// The real Avro: the package avsc, loaded when the first schema is read. It is not a dependency of the package: few users need it.

import type * as Package from 'avsc'
import { GristmillError } from '../base/errors.ts'
import { showValue } from '../base/show.ts'
import type { Avro, AvroType, AvroUse, LoadAvro } from '../ports/avro.ts'
import { isPlain, ownTypes, reasonOf, type ReadNotes } from './avrotypes.ts'
import {
  dateText, daysOf, decimalBytes, decimalText, instantOf, instantText, isUuid, timeOf, timeText, uuidText, type Digits,
} from './avrotexts.ts'
import { installing } from './installing.ts'

export const loadAvro: LoadAvro = async () => {
  let avsc: typeof Package
  // A variable: the package is no part of the bundles.
  const name: string = 'avsc'
  try {
    const loaded = await import(name) as typeof Package & { default?: typeof Package }
    avsc = loaded.default ?? loaded
  } catch (error) {
    throw new GristmillError('CONFIG_INVALID', `Avro needs the package avsc beside gristmill; add it: ${installing(name)}`, { cause: error })
  }
  return avroOf(avsc)
}

function avroOf(avsc: typeof Package): Avro {
  const { types, Type } = avsc
  /** Integers of 64 bits, with all their digits. */
  const longOf = (read: (value: bigint) => bigint | number): Package.Type => types.LongType.__with({
    fromBuffer: (bytes: Buffer) => read(bytes.readBigInt64LE()),
    toBuffer: (value: bigint | number) => {
      const bytes = Buffer.alloc(8)
      bytes.writeBigInt64LE(BigInt(value))
      return bytes
    },
    fromJSON: BigInt, toJSON: Number, compare: (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0),
    // -0 is a floating-point number alone, for unions of both.
    isValid: (value: unknown) => typeof value === 'bigint' ? isLong(value) : Number.isSafeInteger(value) && !Object.is(value, -0),
  })
  const exact = longOf(value => value)
  const short = longOf(value => (isSafe(value) ? Number(value) : value))
  const notes: ReadNotes = { badTexts: 0, emptyItems: 0 }
  const { registry, typeHook } = ownTypes(avsc, notes)
  const logicalTypes = logicalTypesOf(avsc, { long: exact, string: registry['string']! })
  const noting = <T>(read: () => T): T => {
    notes.badTexts = notes.emptyItems = 0
    return read()
  }
  return {
    typeOf(schema, use = 'message', named = []) {
      const long = use === 'message' ? exact : short
      // A new registry for each schema: the package adds its names, and two versions of a schema have the same ones.
      const options = { registry: { ...registry, long }, logicalTypes, typeHook }
      const typeFor = (each: unknown): Package.Type => Type.forSchema(plain(each, use) as Package.Schema, options as never)
      for (const each of named) typeFor(each)
      const type = typeFor(schema)
      const converted = (use === 'message' ? undefined : converterOf(type, 'read')) ?? same
      const fitting = (use === 'read' ? undefined : converterOf(type, 'write')) ?? same
      return {
        fromBuffer(bytes) {
          const value: unknown = noting(() => type.fromBuffer(bytes))
          if (notes.badTexts > 0) throw new Error('a text or a key of a map is not UTF-8')
          return converted(value)
        },
        read(bytes, offset) {
          const { value, offset: end } = noting(() => type.decode(bytes, offset)) as { value: unknown; offset: number }
          if (end < 0) throw new Error('the bytes end within a value')
          return { value: converted(value), end, isUtf8: notes.badTexts === 0, emptyItems: notes.emptyItems }
        },
        encode(given) {
          const value = fitting(given)
          const wrong = misfitOf(type, value)
          if (wrong !== undefined) throw new GristmillError('EINVAL', wrong)
          return type.toBuffer(value)
        },
      } satisfies AvroType
    },
  }
}

const isLong = (value: bigint): boolean => BigInt.asIntN(64, value) === value

const isSafe = (value: bigint): boolean => value <= Number.MAX_SAFE_INTEGER && value >= Number.MIN_SAFE_INTEGER

interface Logical {
  /** Avro's names of the types that it stands over. Over others the logical type does not count, as the specification has it. */
  readonly over: readonly unknown[]
  /** Throws Error for a schema without what the logical type needs. */
  readonly of?: (schema: Record<string, unknown>) => Pick<Logical, 'from' | 'to'>
  readonly from?: (value: never) => unknown
  /** Undefined: it does not fit. */
  readonly to?: (given: unknown) => unknown
}

const instant = (over: string, digits: Digits, zone: 'Z' | ''): Logical => ({
  over: [over], from: (value: bigint) => instantText(value, digits, zone), to: given => instantOf(given, digits, zone),
})

const logicals: Readonly<Record<string, Logical>> = {
  decimal: {
    over: ['bytes', 'fixed'],
    of({ precision, scale = 0, size }) {
      const isWhole = (value: unknown): value is number => Number.isInteger(value) && (value as number) >= 0
      if (!isWhole(precision) || !isWhole(scale) || precision === 0 || scale > precision) throw new Error('a decimal without its digits')
      const facts = { precision, scale, size: size as number | undefined }
      return { from: (bytes: Buffer) => decimalText(bytes, scale), to: given => decimalBytes(given, facts) }
    },
  },
  uuid: {
    over: ['string', 'fixed'],
    of({ type, size }) {
      if (type === 'string') return { from: (text: string) => text, to: given => (isUuid(given) ? given : undefined) }
      if (size !== 16) throw new Error('a UUID has 16 bytes')
      return { from: uuidText, to: given => (isUuid(given) ? Buffer.from(given.replaceAll('-', ''), 'hex') : undefined) }
    },
  },
  date: { over: ['int'], from: dateText, to: daysOf },
  'time-millis': {
    over: ['int'], from: (value: number) => timeText(BigInt(value), 3),
    to(given) {
      const value = timeOf(given, 3)
      return value === undefined ? undefined : Number(value)
    },
  },
  'time-micros': { over: ['long'], from: (value: bigint) => timeText(value, 6), to: given => timeOf(given, 6) },
  'timestamp-millis': instant('long', 3, 'Z'), 'timestamp-micros': instant('long', 6, 'Z'), 'timestamp-nanos': instant('long', 9, 'Z'),
  'local-timestamp-millis': instant('long', 3, ''), 'local-timestamp-micros': instant('long', 6, ''),
  'local-timestamp-nanos': instant('long', 9, ''),
}

/** `own`: types below the logical ones in place of the package's. */
function logicalTypesOf({ types }: typeof Package, own: Readonly<Record<string, Package.Type>>): object {
  return Object.fromEntries(Object.entries(logicals).map(([name, { over, of, from, to }]) => [name, class extends types.LogicalType {
    readonly #from: (value: never) => unknown
    readonly #to: (given: unknown) => unknown
    constructor(schema: Record<string, unknown>, options?: object) {
      super(schema as never, options as never)
      // The package makes another type of it without a logical type.
      if (!over.includes(schema['type'])) throw new Error(`${name} does not stand over ${String(schema['type'])}`)
      const facts = of?.(schema) ?? { from, to }
      this.#from = facts.from!
      this.#to = facts.to!
      // The package's own integers of 64 bits are refused beyond 2^53: in microseconds, the year 2255.
      const below = own[schema['type'] as string]
      if (below) Object.assign(this, { _underlyingType: below })
    }
    override _fromValue(value: unknown): unknown { return this.#from(value as never) }
    override _toValue(given: unknown): unknown { return this.#to(given) }
  }]))
}

const primitives: ReadonlySet<unknown> = new Set(['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string'])

/** `{"type": "long"}` as `"long"`: the package has its own integers for the first. A logical type that does not count is left out. */
function plain(schema: unknown, use: AvroUse): unknown {
  if (Array.isArray(schema)) return schema.map(each => plain(each, use))
  if (typeof schema !== 'object' || schema === null) return schema
  const { type, logicalType, fields, items, values } = schema as Record<string, unknown>
  const logical = typeof logicalType === 'string' && Object.hasOwn(logicals, logicalType) ? logicals[logicalType] : undefined
  if (primitives.has(type) && !logical?.over.includes(type)) return type
  const field = (given: Record<string, unknown>): object => {
    const { default: own, ...rest } = given
    return { ...rest, type: plain(given['type'], use), ...own !== undefined && use !== 'read' && { default: own } }
  }
  return {
    ...schema, ...typeof type === 'object' && { type: plain(type, use) }, ...items !== undefined && { items: plain(items, use) },
    ...values !== undefined && { values: plain(values, use) }, ...Array.isArray(fields) && { fields: fields.map(field) },
  }
}

type Convert = (value: unknown) => unknown

const same: Convert = value => value

/**
 * Makes records plain objects, bytes buffers, and numbers those of the type by which they are written. Undefined: there are none. A value
 * that does not fit stays one.
 */
function converterOf(root: Package.Type, use: 'read' | 'write'): Convert | undefined {
  // The package reads instances of classes.
  const isRecord = (value: unknown): value is Record<string, unknown> =>
    (use === 'write' ? isPlain(value) : typeof value === 'object' && value !== null && !Array.isArray(value))
  const made = new Map<Package.Type, Convert>()
  const of = (type: Package.Type): Convert | undefined => {
    const { typeName } = type
    if (typeName === 'bytes' || typeName === 'fixed') return asBuffer
    if (use === 'write' && numbers.has(typeName)) return asNumber
    if (use === 'write' && typeName === longName) return asLong
    if (typeName === 'record' || typeName === 'error') return made.get(type) ?? ofRecord(type as Package.types.RecordType)
    if (typeName === 'array') {
      const item = of((type as Package.types.ArrayType).itemsType)
      return item && (value => (Array.isArray(value) ? value.map(item) : value))
    }
    if (typeName === 'map') {
      const each = of((type as Package.types.MapType).valuesType)
      return each && (value => (value instanceof Map ? new Map(Array.from(value, ([key, own]) => [key as unknown, each(own)]))
        : isPlain(value) ? Object.fromEntries(Object.entries(value).map(([key, own]) => [key, each(own)])) : value))
    }
    return typeName.startsWith('union:') ? ofUnion(type as Package.types.UnwrappedUnionType) : undefined
  }
  const ofRecord = (type: Package.types.RecordType): Convert => {
    const fields: Array<readonly [string, Convert]> = []
    const convert: Convert = value => {
      if (!isRecord(value)) return value
      const record: Record<string, unknown> = { ...value }
      for (const [name, each] of fields) if (Object.hasOwn(record, name)) record[name] = each(record[name])
      return record
    }
    made.set(type, convert)
    for (const { name, type: own } of type.fields) {
      const each = of(own)
      if (each) fields.push([name, each])
    }
    return convert
  }
  const ofUnion = ({ typeName, types }: { readonly typeName: string; readonly types: readonly Package.Type[] }): Convert => {
    if (typeName === 'union:wrapped') {
      const branches = new Map(types.map(type => [type.branchName, of(type)]))
      return value => (isRecord(value)
        ? Object.fromEntries(Object.entries(value).map(([name, own]) => [name, branches.get(name)?.(own) ?? own])) : value)
    }
    // At most one branch has lists, and one has objects.
    const [object, list] = [['record', 'error', 'map'], ['array']].map(names => types.find(type => names.includes(type.typeName)))
    const [ofObject, ofList] = [object && of(object), list && of(list)]
    const has = (isOne: (name: string) => boolean): boolean => use === 'write' && types.some(type => isOne(type.typeName))
    const [hasNumber, hasLong] = [has(name => numbers.has(name)), has(name => name === longName)]
    const ofNumber: Convert = hasNumber ? hasLong ? asNumberOrLong : asNumber : hasLong ? asLong : same
    return value => {
      if (typeof value === 'bigint' || typeof value === 'number') return ofNumber(value)
      if (Array.isArray(value)) return ofList?.(value) ?? value
      if (value instanceof Uint8Array) return asBuffer(value)
      return typeof value === 'object' && value !== null ? ofObject?.(value) ?? value : value
    }
  }
  return of(root)
}

/** The package's name of integers that are not its own. */
const longName = 'abstract:long'
const numbers: ReadonlySet<string> = new Set(['int', 'float', 'double'])

/** A bigint that no double holds stays one, which is refused. */
const asNumber: Convert = value => {
  if (typeof value !== 'bigint') return value
  const number = Number(value)
  return Number.isFinite(number) && BigInt(number) === value ? number : value
}

/** A long has no -0. */
const asLong: Convert = value => (value === 0 ? 0 : value)

/** In a union with both, integers are bigints, which only the branch of 64 bits takes, and others only the branch of the other numbers. */
const asNumberOrLong: Convert = value =>
  (typeof value === 'bigint' ? isLong(value) ? value : asNumber(value)
    : Number.isSafeInteger(value) && !Object.is(value, -0) ? BigInt(value as number) : value)

const asBuffer: Convert = value =>
  value instanceof Uint8Array && !Buffer.isBuffer(value) ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : value

function undeclaredIn(type: Package.Type, value: unknown): string | undefined {
  if ((type.typeName !== 'record' && type.typeName !== 'error') || !isPlain(value)) return undefined
  const known = new Set((type as Package.types.RecordType).fields.map(({ name }) => name))
  return Object.keys(value).find(name => !known.has(name))
}

function misfitOf(type: Package.Type, value: unknown): string | undefined {
  let found: string | undefined
  const errorHook = (path: readonly string[], each: unknown, wanted: Package.Type): void => {
    if (found !== undefined) return
    const place = path.length === 0 ? 'the value' : path.join('.')
    const more = undeclaredIn(wanted, each)
    found = more === undefined
      ? `${place} ${reasonOf(each, wanted)}` : `${place} has the field ${JSON.stringify(more)}, which the schema does not have`
  }
  try {
    return type.isValid(value, { errorHook, noUndeclaredFields: true } as never) ? undefined : found ?? 'it does not fit the schema'
  } catch (error) {
    // A value that several branches of a union take.
    return found ?? `${showValue(value)} does not fit one branch of its union: ${(error as Error).message}`
  }
}
