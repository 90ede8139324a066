// Checks values against schemas without compiling these: for the small JSON parts on wires, and for the first HTTP messages of a schema
// (src/rpc/compile.ts); further ones are checked by the server's compiled validators.
// Supports only what schema.ts builds: an unknown keyword is a programming error.

import { assert } from '../base/assert.ts'
import { anyName, jsonOf, type Static, type TSchema } from './schema.ts'

export function fits<S extends TSchema>(schema: S, value: unknown): value is Static<S> {
  return matches(jsonOf(schema), value)
}

/** The keywords of a schema that are known here. */
export interface KnownSchema {
  readonly type?: string
  readonly const?: unknown
  readonly anyOf?: readonly KnownSchema[]
  readonly required?: readonly string[]
  readonly properties?: Readonly<Record<string, KnownSchema>>
  readonly patternProperties?: Readonly<Record<string, KnownSchema>>
  readonly items?: KnownSchema | readonly KnownSchema[]
  readonly minItems?: number
  readonly maxItems?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly additionalItems?: boolean
}

function matches(schema: KnownSchema, value: unknown): boolean {
  if (schema.anyOf) return schema.anyOf.some(one => matches(one, value))
  if (schema.const !== undefined) return value === schema.const
  switch (schema.type) {
    case undefined:
      return true
    case 'string':
      return typeof value === 'string' && within(lengthOf(value, schema), schema.minLength, schema.maxLength)
    case 'integer':
      return Number.isInteger(value) && within(value as number, schema.minimum, schema.maximum)
    case 'number':
      return Number.isFinite(value) && within(value as number, schema.minimum, schema.maximum)
    case 'null':
      return value === null
    case 'boolean':
      return typeof value === 'boolean'
    case 'array':
      return Array.isArray(value) && within(value.length, schema.minItems, schema.maxItems) && itemsMatch(schema, value)
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value) && fieldsMatch(schema, value as Record<string, unknown>)
    default:
      assert(false, `a schema of type ${schema.type}`)
  }
}

const within = (number: number, min = -Infinity, max = Infinity): boolean => number >= min && number <= max

/** Length in code points, as JSON Schema counts; they are counted only where the number of UTF-16 units does not decide. */
const lengthOf = (text: string, { minLength = 0, maxLength = Infinity }: KnownSchema): number =>
  (text.length <= maxLength && text.length >= minLength * 2 ? text.length : [...text].length)

function itemsMatch({ items }: KnownSchema, values: readonly unknown[]): boolean {
  if (items === undefined) return true
  if (!Array.isArray(items)) return values.every(value => matches(items as KnownSchema, value))
  return values.length <= items.length && values.every((value, i) => matches(items[i] as KnownSchema, value))
}

function fieldsMatch({ required, properties, patternProperties }: KnownSchema, value: Record<string, unknown>): boolean {
  if (required?.some(name => value[name] === undefined)) return false
  for (const [name, field] of Object.entries(properties ?? {})) {
    if (value[name] !== undefined && !matches(field, value[name])) return false
  }
  const every = patternProperties?.[anyName]
  return every === undefined || Object.values(value).every(field => matches(every, field))
}
