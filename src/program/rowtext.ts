// Records of a program as rows of a table of SQL: each value becomes the text that a cast to the type of its column reads, or null. A value
// that its column does not hold whole is refused with its column. Part of every bundle, as dataset.ts is.

import { withoutEnd } from '../base/withoutend.ts'
import { showGiven } from './arguments.ts'

type TextValue = string | null | readonly TextValue[] | { readonly [name: string]: TextValue }
type Column = (value: unknown, where: string) => TextValue

/** Texts of the columns of a record. */
type RowText = Readonly<Record<string, TextValue>>

/** Makes rows of records. Throws TypeError for a type that no column of a Dataset has. `columns`: types of SQL by name. */
export function rowTexts(columns: Readonly<Record<string, string>>): (record: unknown) => RowText {
  const fields = Object.entries(columns).map(([name, type]) => ({ name, type, column: columnOf(type, name) }))
  const names = new Set(Object.keys(columns))
  return record => {
    if (!isPlain(record)) throw new TypeError(`a row was given ${showGiven(record)}; it is an object: { ${[...names].join(', ')} }`)
    for (const name of Object.keys(record)) {
      if (names.has(name)) continue
      throw new TypeError(`a row has the field ${JSON.stringify(name)}, which is no column; the columns are ${[...names].join(', ')}`)
    }
    return Object.fromEntries(fields.map(({ name, type, column }) => {
      const value = record[name]
      return [name, value === null || value === undefined ? null : column(value, `the column ${name} (${type})`)]
    }))
  }
}

const isPlain = (value: unknown): value is Readonly<Record<string, unknown>> => {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

const refused = (where: string, value: unknown, takes: string): TypeError =>
  new TypeError(`${where} was given ${showGiven(value)}; it takes ${takes}`)

function columnOf(type: string, name: string): Column {
  const reader = new TypeReader(type)
  const column = reader.type()
  if (column && reader.isDone) return column
  throw new TypeError(`the column ${name} has the type ${showGiven(type)}; a type is such as BIGINT, DECIMAL(10, 2), VARCHAR[], STRUCT(a INTEGER)`)
}

/** Reads a type of SQL: NAME, NAME(1, 2), TYPE[], TYPE[3], STRUCT(name TYPE, …), MAP(VARCHAR, TYPE). Undefined: it is none. */
class TypeReader {
  readonly #tokens: readonly string[]
  #at = 0

  constructor(text: unknown) {
    this.#tokens = typeof text === 'string' ? text.match(/"(?:[^"]|"")+"|\w+|\S/g) ?? [] : []
  }

  get isDone(): boolean { return this.#at === this.#tokens.length }

  type(): Column | undefined {
    const name = this.#next()?.toUpperCase()
    if (name === undefined || !/^[A-Z_]\w*$/.test(name)) return undefined
    let column = name === 'STRUCT' ? this.#struct() : name === 'MAP' ? this.#map() : this.#plain(name)
    while (column && this.#takes('[')) {
      const length = this.#takes(']') ? undefined : Number(this.#next())
      if (length !== undefined && !(length > 0 && this.#takes(']'))) return undefined
      column = listOf(column, length)
    }
    return column
  }

  #next(): string | undefined { return this.#tokens[this.#at++] }

  #takes(token: string): boolean {
    if (this.#tokens[this.#at] !== token) return false
    this.#at++
    return true
  }

  #struct(): Column | undefined {
    const fields = new Map<string, Column>()
    if (!this.#takes('(')) return undefined
    do {
      const given = this.#next() ?? ''
      const name = given.startsWith('"') ? given.slice(1, -1).replaceAll('""', '"') : given
      const field = this.type()
      if (!field || name === '' || fields.has(name)) return undefined
      fields.set(name, field)
    } while (this.#takes(','))
    return this.#takes(')') ? structOf(fields) : undefined
  }

  #map(): Column | undefined {
    if (!this.#takes('(') || !/^(VARCHAR|TEXT|STRING)$/i.test(this.#next() ?? '') || !this.#takes(',')) return undefined
    const item = this.type()
    return item && this.#takes(')') ? mapOf(item) : undefined
  }

  #plain(name: string): Column | undefined {
    const numbers: number[] = []
    if (this.#takes('(')) {
      do numbers.push(Number(this.#next()))
      while (this.#takes(','))
      if (!this.#takes(')') || numbers.some(number => !Number.isInteger(number))) return undefined
    }
    // TIMESTAMP WITH TIME ZONE and the like.
    let words = name
    while (/^\w+$/.test(this.#tokens[this.#at] ?? '')) words += ` ${this.#next()!.toUpperCase()}`
    return plainColumn(words, numbers)
  }
}

const part = (column: Column, value: unknown, where: string): TextValue =>
  (value === null || value === undefined ? null : column(value, where))

const listOf = (item: Column, length: number | undefined): Column => (value, where) => {
  if (!Array.isArray(value)) throw refused(where, value, 'an array')
  if (length !== undefined && value.length !== length) throw refused(where, value, `an array of ${length}`)
  return Array.from(value, each => part(item, each, where))
}

const structOf = (fields: ReadonlyMap<string, Column>): Column => (value, where) => {
  if (!isPlain(value)) throw refused(where, value, 'an object')
  const unknown = Object.keys(value).find(name => !fields.has(name))
  if (unknown !== undefined) throw new TypeError(`${where} was given the field ${JSON.stringify(unknown)}, which it does not have`)
  return Object.fromEntries([...fields].map(([name, column]) => [name, part(column, value[name], `${where}, field ${name}`)]))
}

const mapOf = (item: Column): Column => (value, where) => {
  if (!(value instanceof Map)) throw refused(where, value, 'a Map')
  return Object.fromEntries([...value].map(([key, each]) => {
    if (typeof key !== 'string') throw refused(`a key of ${where}`, key, 'a text')
    return [wellFormed(key, where), part(item, each, where)]
  }))
}

/** Bits of integers with a sign. */
const signedBits: Readonly<Record<string, number>> = {
  TINYINT: 8, INT1: 8, SMALLINT: 16, INT2: 16, INT16: 16, SHORT: 16, INTEGER: 32, INT: 32, INT4: 32, INT32: 32, INTEGRAL: 32, SIGNED: 32,
  BIGINT: 64, INT8: 64, INT64: 64, LONG: 64, OID: 64, HUGEINT: 128, INT128: 128,
}

/** Bits of integers without one. The number in UINT8 is one of bits, and that in INT8 one of bytes. */
const unsignedBits: Readonly<Record<string, number>> = {
  UTINYINT: 8, UINT8: 8, USMALLINT: 16, UINT16: 16, UINTEGER: 32, UINT32: 32, UBIGINT: 64, UINT64: 64, UHUGEINT: 128, UINT128: 128,
}

/** Digits of a second that a TIMESTAMP holds. `precision`: the number that the type may have, which the engine rounds up. */
function secondDigits(name: string, precision: number | undefined): number {
  if (precision !== undefined) return precision === 0 ? 0 : Math.min(9, Math.ceil(precision / 3) * 3)
  return name === 'TIMESTAMP_S' ? 0 : name === 'TIMESTAMP_MS' ? 3 : name === 'TIMESTAMP_NS' ? 9 : 6
}

function plainColumn(name: string, numbers: readonly number[]): Column {
  const signed = signedBits[name]
  const integer = signed ?? unsignedBits[name]
  if (integer !== undefined) return integerColumn(integer, signed === undefined)
  if (/^(DECIMAL|NUMERIC|DEC)$/.test(name)) return decimalColumn(numbers[1] ?? (numbers.length === 1 ? 0 : 3))
  if (/^(FLOAT|REAL|FLOAT4)$/.test(name)) return float
  if (/^(DOUBLE|FLOAT8|DOUBLE PRECISION)$/.test(name)) return number
  if (/^BOOL(EAN)?$/.test(name)) return truth
  if (/^(VARCHAR|TEXT|STRING|CHAR|BPCHAR)$/.test(name)) return text
  if (/^(BLOB|BYTEA|BINARY|VARBINARY)$/.test(name)) return bytes
  if (name === 'DATE') return date
  const isZoned = /TZ$|WITH TIME ZONE$/.test(name)
  if (/^(TIMESTAMP|DATETIME)/.test(name)) return timestamp(isZoned, secondDigits(name, numbers[0]))
  return name.startsWith('TIME') ? time(isZoned, name === 'TIME_NS' ? 9 : 6) : text
}

function integerColumn(size: number, isUnsigned: boolean): Column {
  const end = 1n << BigInt(isUnsigned ? size : size - 1)
  const least = isUnsigned ? 0n : -end
  return (value, where) => {
    const isWhole = typeof value === 'bigint' || (typeof value === 'number' && Number.isInteger(value))
    if (!isWhole) throw refused(where, value, 'whole numbers')
    const whole = BigInt(value)
    if (whole < least || whole >= end) throw refused(where, value, `whole numbers from ${least} to ${end - 1n}`)
    return String(whole)
  }
}

/** A digit that the type does not have would be rounded away. */
const decimalColumn = (scale: number): Column => (value, where) => {
  const given = typeof value === 'number' || typeof value === 'bigint' ? plainDigits(String(value)) : value
  const isDecimal = typeof given === 'string' && /^[+-]?(?=\.?\d)\d*(?:\.\d*)?$/.test(given)
  if (!isDecimal || digitsBehind(given) > scale) throw refused(where, value, `numbers with at most ${scale} digits behind the point`)
  return given
}

/** The text of a number without an exponent: 1e-7 is 0.0000001. */
function plainDigits(number: string): string {
  const [, sign, whole, fraction = '', exponent] = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(number) ?? []
  if (exponent === undefined) return number
  const digits = `${whole!}${fraction}`
  const point = 1 + Number(exponent)
  return point <= 0 ? `${sign!}0.${'0'.repeat(-point)}${digits}` : `${sign!}${digits.padEnd(point, '0')}`
}

/** Finite numbers that are infinite among those of 32 bits are refused; others become the nearest one. */
const float: Column = (value, where) => {
  if (typeof value === 'number' && Number.isFinite(value) && !Number.isFinite(Math.fround(value)))
    throw refused(where, value, 'numbers up to 3.4e38; a DOUBLE has larger ones')
  return number(value, where)
}

const number: Column = (value, where) => {
  if (typeof value !== 'number') throw refused(where, value, 'numbers')
  return Object.is(value, -0) ? '-0' : String(value)
}

const truth: Column = (value, where) => {
  if (typeof value !== 'boolean') throw refused(where, value, 'true and false')
  return String(value)
}

const text: Column = (value, where) => {
  if (typeof value !== 'string') throw refused(where, value, 'texts')
  return wellFormed(value, where)
}

/** Half of a pair of surrogates is no text in UTF-8. */
function wellFormed(value: string, where: string): string {
  if (!value.isWellFormed()) throw refused(where, value, 'texts of whole characters')
  return value
}

const bytes: Column = (value, where) => {
  if (!(value instanceof Uint8Array)) throw refused(where, value, 'bytes (Uint8Array)')
  return Array.from(value, byte => `\\x${byte.toString(16).padStart(2, '0')}`).join('')
}

const dayForm = /^(-?\d+-\d\d-\d\d( \(BC\))?|-?infinity)$/
const midnight = 'T00:00:00.000Z'

const date: Column = (value, where) => {
  const given = value instanceof Date ? isoOf(value) : value
  const day = typeof given === 'string' && given.endsWith(midnight) ? given.slice(0, -midnight.length) : given
  if (typeof day !== 'string' || !dayForm.test(day)) throw refused(where, value, "days, as '2024-05-31' or a Date at midnight in UTC")
  return day
}

/** `digits`: of a second, behind the point. */
const timestamp = (isZoned: boolean, digits: number): Column => (value, where) => {
  const iso = value instanceof Date ? isoOf(value) : undefined
  if (iso !== undefined && (digits >= 3 || iso.endsWith('.000Z'))) return iso.replace('T', ' ').replace('Z', isZoned ? '+00' : '')
  // The types of other numbers of digits have no infinity: the engine makes a time of it.
  const isTime = typeof value === 'string' && digitsBehind(value) <= digits && (digits === 6 || !/infinity/i.test(value))
  if (isTime && (isZoned || !hasOffset(value))) return value
  throw refused(where, value, `times, as '2024-05-31 12:00:00'${ownZone(isZoned, 'TIMESTAMPTZ')}, with at most ${digits} digits behind the `
    + 'second, or a Date')
}

const time = (isZoned: boolean, digits: number): Column => (value, where) => {
  if (typeof value === 'string' && digitsBehind(value) <= digits && (isZoned || !hasOffset(value))) return value
  throw refused(where, value, `times, as '12:00:00'${ownZone(isZoned, 'TIMETZ')}, with at most ${digits} digits behind the second`)
}

const ownZone = (isZoned: boolean, zoned: string): string => (isZoned ? '' : ` without an offset from UTC, which a ${zoned} takes`)

/** True for a time with an offset from UTC that is not zero: a type without time zones would drop it. */
const hasOffset = (time: string): boolean => /:\d+(?:\.\d*)?\s*[+-][\d:]*[1-9]/.test(time)

/** Digits behind the point, without zeros at the end. */
const digitsBehind = (text: string): number => withoutEnd(/\.(\d*)/.exec(text)?.[1] ?? '', '0').length

/** ISO text of a time that SQL writes alike; undefined: it is none, or in a year before 1 or after 9999. */
function isoOf(value: Date): string | undefined {
  const year = value.getUTCFullYear()
  return year >= 1 && year <= 9999 ? value.toISOString() : undefined
}
