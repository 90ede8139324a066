// Rows of a query as an Arrow IPC stream, one record batch for each batch of rows. The package apache-arrow is loaded by the first query
// that asks for it. INVARIANT: a value that Arrow has no place for (an infinite date, an integer of more than 38 digits) is refused with
// its column; no value is rounded or wrapped.

import type { Data, DataType, TimeUnit } from 'apache-arrow'
import { GristmillError } from '../../src/base/errors.ts'
import { quotedName, typeText, type SqlColumn, type SqlType, type SqlValue } from '../../src/base/sql.ts'

type Arrow = typeof import('apache-arrow')
type Values = readonly SqlValue[]
/** Puts the values of one column, or of the fields inside of it, into Arrow's buffers. */
type Encode = (values: Values) => Data

interface ArrowType {
  /** Type of the engine that has the values; default: that of the column. */
  readonly from?: SqlType
  readonly type: DataType
  readonly encode: Encode
}

interface Wanted { readonly arrow: Arrow; readonly type: SqlType; readonly column: string }

interface ArrowRows {
  /** The query with columns of the types that `stream` takes. */
  readonly sql: string
  /** `batches`: rows of that query, with values in their units. Pieces of the stream. */
  stream(batches: AsyncIterable<ReadonlyArray<Values>>): AsyncGenerator<Uint8Array, void, undefined>
}

/** `names`: of the columns, each once. */
export async function arrowRows(sql: string, columns: readonly SqlColumn[], names: readonly string[]): Promise<ArrowRows> {
  const arrow = await import('apache-arrow')
  const types = columns.map(({ type }, i) => arrowType({ arrow, type, column: names[i]! }))
  const outer = columns.map(({ type }, i) => `CAST(c${i} AS ${typeText(types[i]!.from ?? type)}) AS ${quotedName(names[i]!)}`)
  return {
    sql: `SELECT ${outer.join(', ')} FROM (${sql}\n) AS t(${columns.map((_, i) => `c${i}`).join(', ')})`,
    stream: batches => streamOf(arrow, { types, names }, batches),
  }
}

interface Shape { readonly types: readonly ArrowType[]; readonly names: readonly string[] }

async function* streamOf(
  arrow: Arrow, { types, names }: Shape, batches: AsyncIterable<ReadonlyArray<Values>>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const fields = types.map(({ type }, i) => new arrow.Field(names[i]!, type, true))
  const schema = new arrow.Schema(fields)
  const pieces: Uint8Array[] = []
  // The queue of the writer has no bound that a producer could wait for.
  const sink = new class extends arrow.AsyncByteQueue {
    override write(piece: Uint8Array): void { pieces.push(piece) }
  }()
  const writer = new arrow.RecordBatchStreamWriter()
  writer.reset(sink, schema)
  const taken = (): Uint8Array => Buffer.concat(pieces.splice(0))
  for await (const rows of batches) {
    if (rows.length === 0) continue
    const children = types.map(({ encode }, i) => encode(rows.map(row => row[i]!)))
    const data = arrow.makeData({ type: new arrow.Struct(fields), length: rows.length, nullCount: 0, children })
    writer.write(new arrow.RecordBatch(schema, data))
    // The schema goes with the first rows: a query that fails before them has no answer that begins.
    yield taken()
  }
  writer.finish()
  yield taken()
}

const text: SqlType = { kind: 'plain', name: 'VARCHAR' }

function arrowType(wanted: Wanted): ArrowType {
  const { arrow, type, column } = wanted
  switch (type.kind) {
    case 'list': return listType(wanted, type)
    case 'struct': return structType(wanted, type)
    case 'map': return mapType(wanted, type)
    case 'union': return { ...textType(arrow, column), from: text }
    case 'plain': return plainType(wanted, type.name)
  }
}

function listType({ arrow, column }: Wanted, { item: of, length }: Extract<SqlType, { kind: 'list' }>): ArrowType {
  const item = arrowType({ arrow, type: of, column })
  const field = new arrow.Field('item', item.type, true)
  const from = { kind: 'list' as const, item: item.from ?? of, ...length !== undefined && { length } }
  if (length === undefined) {
    const type = new arrow.List(field)
    const encode: Encode = values => {
      const items = values.flatMap(value => (value === null ? [] : value as Values))
      const valueOffsets = offsetsOf(values, value => (value as Values).length)
      return arrow.makeData({ type, length: values.length, ...nullsOf(values), valueOffsets, child: item.encode(items) })
    }
    return { from, type, encode }
  }
  const type = new arrow.FixedSizeList(length, field)
  const none = Array.from({ length }, () => null)
  const encode: Encode = values => {
    const child = item.encode(values.flatMap(value => (value === null ? none : value as Values)))
    return arrow.makeData({ type, length: values.length, ...nullsOf(values), child })
  }
  return { from, type, encode }
}

function structType({ arrow, column }: Wanted, { fields: all }: Extract<SqlType, { kind: 'struct' }>): ArrowType {
  const inner = all.map(({ type }) => arrowType({ arrow, type, column }))
  const fields = all.map(({ name }, i) => new arrow.Field(name, inner[i]!.type, true))
  const type = new arrow.Struct(fields)
  const encode: Encode = values => {
    const children = all.map(({ name }, i) =>
      inner[i]!.encode(values.map(value => (value === null ? null : (value as Readonly<Record<string, SqlValue>>)[name]!))))
    return arrow.makeData({ type, length: values.length, ...nullsOf(values), children })
  }
  const from = { kind: 'struct' as const, fields: all.map((field, i) => ({ name: field.name, type: inner[i]!.from ?? field.type })) }
  return { from, type, encode }
}

function mapType({ arrow, column }: Wanted, given: Extract<SqlType, { kind: 'map' }>): ArrowType {
  const [key, value] = [arrowType({ arrow, type: given.key, column }), arrowType({ arrow, type: given.value, column })]
  const entries = new arrow.Struct([new arrow.Field('key', key.type, false), new arrow.Field('value', value.type, true)])
  const type = new arrow.Map_(new arrow.Field('entries', entries, false) as never, false)
  const encode: Encode = values => {
    const pairs = values.flatMap(map => (map === null ? [] : [...map as ReadonlyMap<SqlValue, SqlValue>]))
    const children = [key.encode(pairs.map(([each]) => each)), value.encode(pairs.map(([, each]) => each))]
    const child = arrow.makeData({ type: entries, length: pairs.length, nullCount: 0, children })
    const valueOffsets = offsetsOf(values, map => (map as ReadonlyMap<SqlValue, SqlValue>).size)
    return arrow.makeData({ type, length: values.length, ...nullsOf(values), valueOffsets, child }) as Data
  }
  return { from: { kind: 'map', key: key.from ?? given.key, value: value.from ?? given.value }, type, encode }
}

const numbers = {
  TINYINT: ['Int8', Int8Array], SMALLINT: ['Int16', Int16Array], INTEGER: ['Int32', Int32Array], BIGINT: ['Int64', BigInt64Array],
  UTINYINT: ['Uint8', Uint8Array], USMALLINT: ['Uint16', Uint16Array], UINTEGER: ['Uint32', Uint32Array],
  UBIGINT: ['Uint64', BigUint64Array], FLOAT: ['Float32', Float32Array], DOUBLE: ['Float64', Float64Array],
} as const

/** Names of types whose values are instants, and their units; those of the zone UTC have it. */
const instants: Readonly<Record<string, readonly [unit: keyof typeof TimeUnit, zone?: string]>> = {
  TIMESTAMP_S: ['SECOND'], TIMESTAMP_MS: ['MILLISECOND'], TIMESTAMP: ['MICROSECOND'], TIMESTAMP_NS: ['NANOSECOND'],
  'TIMESTAMP WITH TIME ZONE': ['MICROSECOND', 'UTC'],
}

function plainType({ arrow, column }: Wanted, name: string): ArrowType {
  if (Object.hasOwn(numbers, name)) {
    const [kind, Typed] = numbers[name as keyof typeof numbers]
    const isLong = Typed === BigInt64Array || Typed === BigUint64Array
    const zero = isLong ? 0n : 0
    return flat(arrow, new arrow[kind](), values => new Typed(values.map(value => value ?? zero) as never))
  }
  const [, digits, scale] = /^DECIMAL\((\d+),\s*(\d+)\)$/.exec(name) ?? []
  if (digits !== undefined) return decimalType(arrow, { digits: Number(digits), scale: Number(scale), column })
  const instant = Object.hasOwn(instants, name) ? instants[name] : undefined
  if (instant) {
    const [unit, zone] = instant
    return flat(arrow, new arrow.Timestamp(arrow.TimeUnit[unit], zone ?? null), values => longs(values, value =>
      ((value as bigint) >= infinite || (value as bigint) <= -infinite ? refuse(column, 'an infinite instant') : value as bigint)))
  }
  switch (name) {
    case 'HUGEINT': case 'UHUGEINT': return decimalType(arrow, { digits: 38, scale: 0, column })
    case 'BOOLEAN': return flat(arrow, new arrow.Bool(), values => bitsOf(values, value => value === true))
    case 'DATE': return flat(arrow, new arrow.DateDay(), values => Int32Array.from(values, value =>
      (Math.abs(Number(value)) >= infiniteDays ? refuse(column, 'an infinite date') : Number(value))))
    case 'TIME': return flat(arrow, new arrow.TimeMicrosecond(), values => longs(values, value => timeOf(value, 86_400_000_000n, column)))
    case 'TIME_NS':
      return flat(arrow, new arrow.TimeNanosecond(), values => longs(values, value => timeOf(value, 86_400_000_000_000n, column)))
    case 'INTERVAL': return intervalType(arrow, column)
    case 'BLOB': return bytesType(arrow, new arrow.Binary(), column)
    case '"NULL"': return { ...plainType({ arrow, type: text, column }, 'INTEGER'), from: { kind: 'plain', name: 'INTEGER' } }
    case 'VARCHAR': return textType(arrow, column)
    // Enums, UUIDs, bits, times with a zone, JSON and whatever the engine adds: the text that a cast gives.
    default: return { ...textType(arrow, column), from: text }
  }
}

function flat(arrow: Arrow, type: DataType, dataOf: (values: Values) => ArrayBufferView): ArrowType {
  return { type, encode: values => arrow.makeData({ type, length: values.length, ...nullsOf(values), data: dataOf(values) } as never) }
}

/** Stands for an infinite instant, in both directions. */
const infinite = 2n ** 63n - 1n
const infiniteDays = 2_147_483_647

function refuse(column: string, what: string, instead = 'leave it out, or cast the column to VARCHAR'): never {
  throw new GristmillError('EINVAL', `the column ${column} has ${what}, which Arrow has no place for; ${instead}`)
}

const longs = (values: Values, read: (value: SqlValue) => bigint): BigInt64Array =>
  BigInt64Array.from(values, value => (value === null ? 0n : read(value)))

/** Midnight at the end of the day is a time of the engine, and none of Arrow. */
const timeOf = (value: SqlValue, day: bigint, column: string): bigint =>
  ((value as bigint) >= day ? refuse(column, 'the time 24:00:00') : value as bigint)

function decimalType(arrow: Arrow, { digits, scale, column }: { digits: number; scale: number; column: string }): ArrowType {
  const bound = 10n ** BigInt(digits)
  return flat(arrow, new arrow.Decimal(scale, digits, 128), values => {
    const data = new BigInt64Array(values.length * 2)
    for (const [i, value] of values.entries()) {
      const units = (value ?? 0n) as bigint
      if (units >= bound || units <= -bound) refuse(column, `an integer of more than ${digits} digits`)
      data[2 * i] = BigInt.asIntN(64, units)
      data[2 * i + 1] = units >> 64n
    }
    return new Uint32Array(data.buffer)
  })
}

interface Interval { readonly months: number; readonly days: number; readonly micros: bigint }

function intervalType(arrow: Arrow, column: string): ArrowType {
  return flat(arrow, new arrow.IntervalMonthDayNano(), values => {
    const data = new DataView(new ArrayBuffer(values.length * 16))
    for (const [i, value] of values.entries()) {
      if (value === null) continue
      const { months, days, micros } = value as unknown as Interval
      const nanos = micros * 1000n
      if (BigInt.asIntN(64, nanos) !== nanos) refuse(column, 'an interval of more than 292 years in hours or smaller units')
      data.setInt32(16 * i, months, true)
      data.setInt32(16 * i + 4, days, true)
      data.setBigInt64(16 * i + 8, nanos, true)
    }
    return new Int32Array(data.buffer)
  })
}

function textType(arrow: Arrow, column: string): ArrowType {
  const type = new arrow.Utf8()
  const piece = (value: SqlValue): Uint8Array => Buffer.from((value ?? '') as string)
  return { type, encode: values => bytesData(arrow, type, { values, column, pieces: values.map(piece) }) }
}

function bytesType(arrow: Arrow, type: DataType, column: string): ArrowType {
  const none = new Uint8Array()
  return { type, encode: values => bytesData(arrow, type, { values, column, pieces: values.map(value => (value ?? none) as Uint8Array) }) }
}

interface Pieces { readonly values: Values; readonly column: string; readonly pieces: readonly Uint8Array[] }

function bytesData(arrow: Arrow, type: DataType, { values, column, pieces }: Pieces): Data {
  const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0)
  if (bytes >= 2 ** 31)
    throw new GristmillError('TOO_LARGE', `the column ${column} has 2 GiB in ${values.length} rows: too much for Arrow; leave it out`)
  const valueOffsets = new Int32Array(pieces.length + 1)
  for (const [i, piece] of pieces.entries()) valueOffsets[i + 1] = valueOffsets[i]! + piece.length
  return arrow.makeData({ type, length: values.length, ...nullsOf(values), valueOffsets, data: Buffer.concat(pieces) } as never)
}

function offsetsOf(values: Values, lengthOf: (value: SqlValue) => number): Int32Array {
  const offsets = new Int32Array(values.length + 1)
  for (const [i, value] of values.entries()) offsets[i + 1] = offsets[i]! + (value === null ? 0 : lengthOf(value))
  return offsets
}

function nullsOf(values: Values): { readonly nullCount: number; readonly nullBitmap?: Uint8Array } {
  const nullCount = values.reduce<number>((sum, value) => sum + (value === null ? 1 : 0), 0)
  return nullCount === 0 ? { nullCount } : { nullCount, nullBitmap: bitsOf(values, value => value !== null) }
}

/** One bit for each value, the first one in the lowest bit. */
function bitsOf(values: Values, isSet: (value: SqlValue) => boolean): Uint8Array {
  const bits = new Uint8Array((values.length + 7) >> 3)
  for (const [i, value] of values.entries()) if (isSet(value)) bits[i >> 3]! |= 1 << (i & 7)
  return bits
}
