// Types of Arrow as types of SQL, and values of Arrow as texts from which the engine casts them: JSON lines carry them, lists and structs
// as JSON, everything else as a text of its type. The package apache-arrow is loaded by the first file that needs it.
// INVARIANT: a value that SQL has no place for is refused with its column; no value is rounded, wrapped or cut.

import type { Data, DataType, Vector } from 'apache-arrow'
import { GristmillError } from '../base/errors.ts'
import { quotedName } from '../base/sql.ts'
import { bytesText, clockText, dateText, decimalText, floatText, instantText, type SecondDigits } from './sqltexts.ts'

type Arrow = typeof import('apache-arrow')
/** The value at a place as JSON. */
type Encode = (vector: Vector, at: number) => string

interface ArrowColumn {
  /** As SQL. */
  readonly type: string
  /** Lists and structs are JSON; other values are texts. */
  readonly isNested: boolean
  readonly encode: Encode
}

interface Wanted { readonly arrow: Arrow; readonly path: string; readonly column: string }

/** Throws EINVAL for a type that SQL has no place for. */
export function arrowColumn(type: DataType, wanted: Wanted): ArrowColumn {
  const own = kindOf(type, wanted)
  return { ...own, encode: (vector, at) => (vector.isValid(at) ? own.encode(vector, at) : 'null') }
}

function kindOf(type: DataType, wanted: Wanted): ArrowColumn {
  const { arrow: { DataType: is, Type } } = wanted
  if (is.isDictionary(type)) return dictionaryColumn(type.dictionary as DataType, wanted)
  if (is.isList(type) || is.isLargeList(type) || is.isFixedSizeList(type)) {
    const item = arrowColumn(type.children[0]!.type as DataType, wanted)
    return {
      type: `${item.type}[${is.isFixedSizeList(type) ? type.listSize : ''}]`, isNested: true,
      encode: (vector, at) => listText(vector.get(at) as Vector, item),
    }
  }
  if (is.isStruct(type)) return structColumn(type, wanted)
  if (is.isMap(type)) return mapColumn(type, wanted)
  const name = plainName(type, wanted)
  if (name === undefined)
    throw new GristmillError(
      'EINVAL', `the column ${wanted.column} of ${wanted.path} has the type ${type.toString()} of Arrow, which SQL has no type for here; `
      + 'leave the column out, or write the file as Parquet', { details: { path: wanted.path } },
    )
  const text = plainText(type, wanted)
  const isPlain = type.typeId === Type.Bool
  return { type: name, isNested: false, encode: isPlain ? text : (vector, at) => JSON.stringify(text(vector, at)) }
}

const listText = (items: Vector, item: ArrowColumn): string => {
  const texts: string[] = []
  for (let i = 0; i < items.length; i++) texts.push(item.encode(items, i))
  return `[${texts.join(',')}]`
}

/** Values are in a dictionary, by their number. */
function dictionaryColumn(values: DataType, wanted: Wanted): ArrowColumn {
  const own = arrowColumn(values, wanted)
  return {
    ...own,
    encode(vector, at) {
      const { chunk, index } = chunkAt(vector, at)
      const dictionary = chunk.dictionary as Vector | undefined
      const number = Number((chunk.values as ArrayLike<number | bigint>)[index])
      if (!dictionary || number >= dictionary.length)
        throw new GristmillError(
          'EINVAL', `${wanted.path} has rows before the dictionary of their column ${wanted.column}; write the file without dictionaries`,
          { details: { path: wanted.path } },
        )
      return own.encode(dictionary, number)
    },
  }
}

function structColumn(type: DataType, wanted: Wanted): ArrowColumn {
  const fields = type.children.map((field, i) => {
    if (field.name === '' || type.children.some((other, j) => j < i && other.name.toLowerCase() === field.name.toLowerCase()))
      throw new GristmillError(
        'EINVAL', `the column ${wanted.column} of ${wanted.path} is a struct with two fields of the name ${JSON.stringify(field.name)}, `
        + 'or one without a name', { details: { path: wanted.path } },
      )
    return { name: field.name, own: arrowColumn(field.type as DataType, wanted) }
  })
  if (fields.length === 0)
    throw new GristmillError('EINVAL', `the column ${wanted.column} of ${wanted.path} is a struct without fields`)
  return {
    type: `STRUCT(${fields.map(({ name, own }) => `${quotedName(name)} ${own.type}`).join(', ')})`, isNested: true,
    encode(vector, at) {
      const { chunk, index } = chunkAt(vector, at)
      const texts = fields.map(({ name, own }, i) =>
        `${JSON.stringify(name)}:${own.encode(new wanted.arrow.Vector([chunk.children[i]!]), index)}`)
      return `{${texts.join(',')}}`
    },
  }
}

/** Keys are texts of JSON: a key that is a list or a struct has none. */
function mapColumn(type: DataType, wanted: Wanted): ArrowColumn {
  const entry = type.children[0]!.type as DataType
  const [key, value] = entry.children.map(field => arrowColumn(field.type as DataType, wanted)) as [ArrowColumn, ArrowColumn]
  if (key.isNested)
    throw new GristmillError('EINVAL', `the column ${wanted.column} of ${wanted.path} is a map whose keys are lists or structs`)
  return {
    type: `MAP(${key.type}, ${value.type})`, isNested: true,
    encode(vector, at) {
      const { chunk, index } = chunkAt(vector, at)
      const entries = chunk.children[0]!
      const [keys, values] = entries.children.map(each => new wanted.arrow.Vector([each])) as [Vector, Vector]
      const offsets = chunk.valueOffsets as Int32Array
      const texts: string[] = []
      for (let i = offsets[index]!; i < offsets[index + 1]!; i++) {
        const text = key.encode(keys, i)
        texts.push(`${text.startsWith('"') ? text : JSON.stringify(text)}:${value.encode(values, i)}`)
      }
      return `{${texts.join(',')}}`
    },
  }
}

interface Chunk {
  readonly values: unknown
  readonly valueOffsets: unknown
  readonly dictionary?: unknown
  readonly children: readonly Data[]
  readonly length: number
  readonly stride: number
}

function chunkAt(vector: Vector, at: number): { readonly chunk: Chunk; readonly index: number } {
  let index = at
  for (const data of vector.data) {
    if (index < data.length) return { chunk: data as unknown as Chunk, index }
    index -= data.length
  }
  throw new RangeError(`a vector of ${vector.length} values has no place ${at}`)
}

/** undefined: SQL has no type for it. */
function plainName(type: DataType, { arrow: { DataType: is, TimeUnit, IntervalUnit } }: Wanted): string | undefined {
  if (is.isNull(type)) return 'INTEGER'
  if (is.isBool(type)) return 'BOOLEAN'
  if (is.isInt(type)) return `${type.isSigned ? '' : 'U'}${({ 8: 'TINYINT', 16: 'SMALLINT', 32: 'INTEGER', 64: 'BIGINT' })[type.bitWidth]}`
  if (is.isFloat(type)) return type.precision === 2 ? 'DOUBLE' : 'FLOAT'
  if (is.isUtf8(type) || is.isLargeUtf8(type)) return 'VARCHAR'
  if (is.isBinary(type) || is.isLargeBinary(type) || is.isFixedSizeBinary(type)) return 'BLOB'
  if (is.isDecimal(type))
    return type.bitWidth === 128 && type.precision <= 38 && type.scale >= 0 && type.scale <= type.precision
      ? `DECIMAL(${type.precision},${type.scale})` : undefined
  if (is.isDate(type)) return 'DATE'
  if (is.isTime(type)) return type.unit === TimeUnit.NANOSECOND ? 'TIME_NS' : 'TIME'
  if (is.isTimestamp(type)) {
    if (type.timezone) return 'TIMESTAMP WITH TIME ZONE'
    return ['TIMESTAMP_S', 'TIMESTAMP_MS', 'TIMESTAMP', 'TIMESTAMP_NS'][type.unit]
  }
  if (is.isDuration(type) || (is.isInterval(type) && type.unit !== IntervalUnit.DAY_TIME)) return 'INTERVAL'
  return undefined
}

/** Digits of a second behind the point, by unit. */
const places: readonly SecondDigits[] = [0, 3, 6, 9]
const dayMs = 86_400_000n

function plainText(type: DataType, { arrow: { DataType: is }, path, column }: Wanted): Encode {
  const raw = (vector: Vector, at: number): bigint => {
    const { chunk, index } = chunkAt(vector, at)
    return BigInt((chunk.values as ArrayLike<number | bigint>)[index]!)
  }
  const refuse = (what: string): never => {
    throw new GristmillError('EINVAL', `the column ${column} of ${path} has ${what}, which SQL has no place for`, { details: { path } })
  }
  if (is.isFloat(type)) return (vector, at) => floatText(vector.get(at) as number)
  if (is.isBinary(type) || is.isLargeBinary(type) || is.isFixedSizeBinary(type))
    return (vector, at) => bytesText(vector.get(at) as Uint8Array)
  if (is.isDecimal(type)) return (vector, at) => decimalText(unitsAt(vector, at), type.scale)
  if (is.isDate(type))
    return type.unit === 0 ? (vector, at) => dateText(raw(vector, at))
      : (vector, at) => (raw(vector, at) % dayMs === 0n ? dateText(raw(vector, at) / dayMs) : refuse('a date with a time of day'))
  if (is.isTime(type)) return (vector, at) => clockText(raw(vector, at), places[type.unit]!)
  if (is.isTimestamp(type)) {
    const digits = places[type.unit]!
    const isZoned = Boolean(type.timezone)
    return (vector, at) => {
      const value = raw(vector, at)
      if (isZoned && digits === 9 && value % 1000n !== 0n) refuse('an instant in nanoseconds with a time zone')
      return instantText(value, digits, isZoned)
    }
  }
  if (is.isDuration(type)) {
    const digits = places[type.unit]!
    return (vector, at) => {
      const value = raw(vector, at)
      if (digits === 9 && value % 1000n !== 0n) refuse('a duration in nanoseconds')
      return `${digits === 9 ? value / 1000n : value * 10n ** BigInt(6 - digits)} microseconds`
    }
  }
  if (is.isInterval(type)) return (vector, at) => intervalText(vector, at, refuse)
  return (vector, at) => String(vector.get(at))
}

/** A number of 128 bits, as four words. */
function unitsAt(vector: Vector, at: number): bigint {
  const { chunk, index } = chunkAt(vector, at)
  const words = (chunk.values as Uint32Array).subarray(4 * index, 4 * index + 4)
  return BigInt.asIntN(128, words.reduceRight((sum, word) => (sum << 32n) | BigInt(word), 0n))
}

/** Months, or months, days and nanoseconds. */
function intervalText(vector: Vector, at: number, refuse: (what: string) => never): string {
  const { chunk, index } = chunkAt(vector, at)
  const words = chunk.values as Int32Array
  if (chunk.stride === 1) return `${words[index]!} months`
  const [months, days, low, high] = words.subarray(4 * index, 4 * index + 4)
  const nanos = (BigInt(high!) << 32n) | BigInt(low! >>> 0)
  if (nanos % 1000n !== 0n) refuse('an interval in nanoseconds')
  return `${months!} months ${days!} days ${nanos / 1000n} microseconds`
}
