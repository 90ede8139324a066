// Types of Avro as types of SQL, and values of Avro as texts from which the engine casts them (Avro specification 1.12, sections Schema
// Declaration and Logical Types). Values are read as the types below the logical ones, so that no digit is lost on the way; texts are
// read as bytes.
// INVARIANT: a value that SQL has no place for is refused with its field; no value is rounded, wrapped or cut.

import { isUtf8 } from 'node:buffer'
import { GristmillError } from '../base/errors.ts'
import { quotedName } from '../base/sql.ts'
import { bytesText, clockText, dateText, decimalText, floatText, instantText, type SecondDigits } from './sqltexts.ts'

interface AvroColumn {
  /** As SQL. */
  readonly type: string
  /** The value as JSON. */
  readonly encode: (value: unknown) => string
}

/** Columns of a file whose records have this schema. Throws EINVAL for fields that SQL has no types for. */
export function avroColumns(schema: unknown, path: string): Array<AvroColumn & { readonly name: string }> {
  const types = new SchemaTypes(path)
  const record = typeof schema === 'object' && schema !== null && (schema as Schema).type === 'record' ? schema as Schema : undefined
  if (!record)
    throw new GristmillError('EINVAL', `${path} holds values of Avro that are no records, so it has no columns`, { details: { path } })
  return types.fieldsOf(record, { field: '', namespace: types.define(record, { field: '', namespace: '', depth: 0 }), depth: 0 })
}

/** The schema without logical types, with bytes in place of texts: of the same encoding. Defaults do not count for a reader. */
export function rawSchema(schema: unknown): unknown {
  if (schema === 'string') return 'bytes'
  if (Array.isArray(schema)) return schema.map(rawSchema)
  if (typeof schema !== 'object' || schema === null) return schema
  const { logicalType: _, type, items, values, fields, ...others } = schema as Schema
  return {
    ...others, type: rawSchema(type), ...items !== undefined && { items: rawSchema(items) },
    ...values !== undefined && { values: rawSchema(values) },
    ...Array.isArray(fields) && {
      fields: fields.map(({ default: _default, ...field }: Schema) => ({ ...field, type: rawSchema(field.type) })),
    },
  }
}

interface Schema {
  readonly type?: unknown
  readonly name?: unknown
  readonly namespace?: unknown
  readonly logicalType?: unknown
  readonly items?: unknown
  readonly values?: unknown
  readonly fields?: unknown
  readonly default?: unknown
  readonly size?: unknown
  readonly precision?: unknown
  readonly scale?: unknown
}

interface Place {
  /** Names of fields down to the type, with points between them. */
  readonly field: string
  /** Namespace of names without one. */
  readonly namespace: string
  readonly depth: number
}

/** Types in types. */
const depthMax = 100
const precisionMax = 38

const quoted = (text: string): string => JSON.stringify(text)

class SchemaTypes {
  readonly #path: string
  readonly #named = new Map<string, { readonly schema: Schema; readonly namespace: string }>()
  /** Records around the type. */
  readonly #open = new Set<Schema>()

  constructor(path: string) { this.#path = path }

  /** Keeps a named type. Returns the namespace of names within it. */
  define(schema: Schema, { namespace: around }: Place): string {
    const { name, namespace: own } = schema
    if (typeof name !== 'string') return around
    const given = name.includes('.') ? name.slice(0, name.lastIndexOf('.')) : typeof own === 'string' ? own : around
    this.#named.set(fullName(name, given), { schema, namespace: given })
    return given
  }

  fieldsOf(record: Schema, place: Place): Array<AvroColumn & { readonly name: string }> {
    const fields = Array.isArray(record.fields) ? record.fields as Schema[] : []
    const of = place.field === '' ? this.#path : `the field ${place.field} of ${this.#path}`
    if (fields.length === 0) throw this.#fault(`${of} is a record without fields, and SQL has no place for one`)
    const names = new Set<string>()
    this.#open.add(record)
    const columns = fields.map(({ name, type }) => {
      if (typeof name !== 'string' || name === '') throw this.#fault(`${of} has a field without a name`)
      if (names.has(name.toLowerCase())) throw this.#fault(`${of} has two fields of the name ${name}, which SQL takes for one`)
      names.add(name.toLowerCase())
      const field = place.field === '' ? name : `${place.field}.${name}`
      return { name, ...this.#typeOf(type, { ...place, field, depth: place.depth + 1 }) }
    })
    this.#open.delete(record)
    return columns
  }

  #typeOf(schema: unknown, place: Place): AvroColumn {
    const { type, encode } = this.#kindOf(schema, place)
    return { type, encode: value => (value === null || value === undefined ? 'null' : encode(value)) }
  }

  #kindOf(schema: unknown, place: Place): AvroColumn {
    if (place.depth > depthMax) throw this.#refused(place, `types that are nested more than ${depthMax} times`)
    if (Array.isArray(schema)) return this.#unionOf(schema, place)
    if (typeof schema === 'string') return this.#plainOf(schema, place)
    if (typeof schema !== 'object' || schema === null) throw this.#refused(place, 'no type')
    const own = schema as Schema
    if (typeof own.type !== 'string') return this.#typeOf(own.type, { ...place, depth: place.depth + 1 })
    const inner = { ...place, depth: place.depth + 1 }
    switch (own.type) {
      case 'record': case 'error': return this.#recordOf(own, { ...inner, namespace: this.define(own, place) })
      case 'enum':
        this.define(own, place)
        return { type: 'VARCHAR', encode: value => JSON.stringify(value) }
      case 'array': {
        const item = this.#typeOf(own.items, inner)
        return { type: `${item.type}[]`, encode: value => `[${(value as unknown[]).map(item.encode).join(',')}]` }
      }
      case 'map': {
        const item = this.#typeOf(own.values, inner)
        return {
          type: `MAP(VARCHAR, ${item.type})`,
          encode: value => `{${Object.entries(value as object).map(([key, each]) => `${quoted(key)}:${item.encode(each)}`).join(',')}}`,
        }
      }
      case 'fixed': this.define(own, place)
    }
    return this.#logicalOf(own, place) ?? (own.type === 'fixed' ? bytes : this.#plainOf(own.type, place))
  }

  #recordOf(schema: Schema, place: Place): AvroColumn {
    if (this.#open.has(schema)) throw this.#refused(place, 'a record that holds itself')
    const fields = this.fieldsOf(schema, place)
    return {
      type: `STRUCT(${fields.map(({ name, type }) => `${quotedName(name)} ${type}`).join(', ')})`,
      encode: value =>
        `{${fields.map(({ name, encode }) => `${quoted(name)}:${encode((value as Record<string, unknown>)[name])}`).join(',')}}`,
    }
  }

  /** A type without parts, or one that was defined before. */
  #plainOf(name: string, place: Place): AvroColumn {
    if (name === 'string') return { type: 'VARCHAR', encode: value => quoted(this.#textOf(value as Uint8Array, place)) }
    return plain.get(name) ?? this.#known(name, place)
  }

  #known(name: string, place: Place): AvroColumn {
    const known = this.#named.get(fullName(name, place.namespace)) ?? this.#named.get(name)
    if (!known) throw this.#refused(place, `the type ${name}, which the schema does not define`)
    const { schema, namespace } = known
    return schema.type === 'record' || schema.type === 'error' ? this.#recordOf(schema, { ...place, namespace, depth: place.depth + 1 })
      : this.#kindOf(schema, { ...place, namespace, depth: place.depth + 1 })
  }

  #unionOf(branches: readonly unknown[], place: Place): AvroColumn {
    const others = branches.filter(branch => branch !== 'null' && (branch as Schema | null)?.type !== 'null')
    const wider = others.length > 1 ? widerOf(others.map(numberName)) : undefined
    if (wider) {
      const { type, encode } = plain.get(wider)!
      // Two numbers that JavaScript does not tell apart are read with the names of their types.
      return { type, encode: value => encode(typeof value === 'object' ? Object.values(value!)[0] : value) }
    }
    if (others.length > 1) throw this.#refused(place, `a union of several types (${others.map(nameOf).join(', ')})`)
    return others.length === 0 ? plain.get('null')! : this.#typeOf(others[0], { ...place, depth: place.depth + 1 })
  }

  /** undefined: the schema has no logical type, or one that does not count, as the specification has it. */
  #logicalOf(schema: Schema, place: Place): AvroColumn | undefined {
    const { type, logicalType, size } = schema
    const over = `${String(logicalType)} ${String(type)}`
    const refuse = (what: string): never => { throw this.#refused(place, what) }
    const instant = (digits: SecondDigits, isZoned: boolean): AvroColumn => ({
      type: isZoned ? 'TIMESTAMP WITH TIME ZONE' : digits === 9 ? 'TIMESTAMP_NS' : digits === 3 ? 'TIMESTAMP_MS' : 'TIMESTAMP',
      encode(value) {
        const units = BigInt(value as number | bigint)
        if (isZoned && digits === 9 && units % 1000n !== 0n) refuse('an instant in nanoseconds')
        return quoted(instantText(units, digits, isZoned))
      },
    })
    const clock = (digits: SecondDigits): AvroColumn => ({
      type: 'TIME',
      encode(value) {
        const units = BigInt(value as number | bigint)
        if (units < 0n || units > 86_400n * 10n ** BigInt(digits)) refuse(`the time of day ${units}, which is not within a day`)
        return quoted(clockText(units, digits))
      },
    })
    const ofSize = (wanted: number, column: AvroColumn): AvroColumn | undefined => (size === wanted ? column : undefined)
    switch (over) {
      case 'decimal bytes': case 'decimal fixed': return this.#decimalOf(schema, place)
      case 'uuid string': return { ...this.#plainOf('string', place), type: 'UUID' }
      case 'uuid fixed': return ofSize(16, { type: 'UUID', encode: value => quoted(uuidText(value as Uint8Array)) })
      case 'date int': return { type: 'DATE', encode: value => quoted(dateText(BigInt(value as number))) }
      case 'time-millis int': return clock(3)
      case 'time-micros long': return clock(6)
      case 'timestamp-millis long': return instant(3, true)
      case 'timestamp-micros long': return instant(6, true)
      case 'timestamp-nanos long': return instant(9, true)
      case 'local-timestamp-millis long': return instant(3, false)
      case 'local-timestamp-micros long': return instant(6, false)
      case 'local-timestamp-nanos long': return instant(9, false)
      case 'duration fixed': return ofSize(12, { type: 'INTERVAL', encode: value => quoted(durationText(value as Uint8Array)) })
      default: return undefined
    }
  }

  #decimalOf({ precision, scale = 0 }: Schema, place: Place): AvroColumn | undefined {
    const isWhole = (value: unknown): value is number => Number.isInteger(value) && (value as number) >= 0
    if (!isWhole(precision) || !isWhole(scale) || precision === 0 || scale > precision) return undefined
    if (precision > precisionMax) throw this.#refused(place, `decimals of ${precision} digits, and a DECIMAL has at most ${precisionMax}`)
    return { type: `DECIMAL(${precision}, ${scale})`, encode: value => quoted(decimalText(unitsOf(value as Uint8Array), scale)) }
  }

  #textOf(value: Uint8Array, place: Place): string {
    if (!isUtf8(value)) throw this.#refused(place, 'a text that is no UTF-8')
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString()
  }

  #refused({ field }: Place, what: string): GristmillError {
    const advice = 'which SQL has no place for here; read the file by a program: mill.avro'
    return this.#fault(`the field ${field} of ${this.#path} has ${what}, ${advice}`)
  }

  #fault(message: string): GristmillError { return new GristmillError('EINVAL', message, { details: { path: this.#path } }) }
}

const fullName = (name: string, namespace: string): string => (name.includes('.') || namespace === '' ? name : `${namespace}.${name}`)

function nameOf(schema: unknown): string {
  if (typeof schema !== 'object' || schema === null) return String(schema)
  const { type, name, logicalType } = schema as Schema
  return String(logicalType ?? name ?? type)
}

function numberName(schema: unknown): unknown {
  if (typeof schema !== 'object' || schema === null) return schema
  const { type, logicalType } = schema as Schema
  return logicalType === undefined ? type : undefined
}

/** Type of numbers that holds each value of these types; undefined: there is none. */
function widerOf(types: readonly unknown[]): 'long' | 'double' | undefined {
  const among = (...names: readonly unknown[]): boolean => types.every(type => names.includes(type))
  return among('int', 'long') ? 'long' : among('int', 'float', 'double') ? 'double' : undefined
}

const bytes: AvroColumn = { type: 'BLOB', encode: value => quoted(bytesText(value as Uint8Array)) }

/** Types without parts, but for texts. */
const plain: ReadonlyMap<string, AvroColumn> = new Map<string, AvroColumn>([
  // A column without values.
  ['null', { type: 'VARCHAR', encode: () => 'null' }],
  ['boolean', { type: 'BOOLEAN', encode: value => (value === true ? '"true"' : '"false"') }],
  ['int', { type: 'INTEGER', encode: value => quoted(String(value)) }],
  ['long', { type: 'BIGINT', encode: value => quoted(String(value)) }],
  ['float', { type: 'FLOAT', encode: value => quoted(floatText(value as number)) }],
  ['double', { type: 'DOUBLE', encode: value => quoted(floatText(value as number)) }],
  ['bytes', bytes],
])

/** A number in two's complement, big-endian. */
function unitsOf(value: Uint8Array): bigint {
  let units = 0n
  for (const byte of value) units = (units << 8n) | BigInt(byte)
  return BigInt.asIntN(8 * value.length, units)
}

const uuidText = (value: Uint8Array): string =>
  Buffer.from(value).toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')

/** Months, days and milliseconds, each of 32 bits, little-endian. */
function durationText(value: Uint8Array): string {
  const [months, days, millis] = [0, 4, 8].map(at => Buffer.from(value).readUInt32LE(at))
  return `${months!} months ${days!} days ${millis!} milliseconds`
}
