// Text of a reply by its schema, without compiling the schema: for the first replies of a process. A command makes three calls, and to
// compile the schemas of their messages took a third of the processor time of a job in an embedded cluster.
// INVARIANT: a text equals that of the compiled serialiser, and of no more properties than the schema has. Where that is not certain,
// the answer is undefined, and the caller compiles: a value that does not fit, or a keyword that this file does not know.

import { fits, type KnownSchema } from '../protocol/check.ts'
import { anyName, type TSchema } from '../protocol/schema.ts'

const keywords = new Set([
  'type', 'const', 'anyOf', 'required', 'properties', 'patternProperties', 'items', 'additionalItems', 'minItems', 'maxItems', 'minLength',
  'maxLength', 'minimum', 'maximum',
])

/** Has no keyword but those that `fits` checks. */
export function isPlain(schema: object): boolean {
  const { anyOf = [], properties = {}, patternProperties = {}, items = [] } = schema as KnownSchema
  return Object.keys(schema).every(keyword => keywords.has(keyword))
    && Object.keys(patternProperties).every(pattern => pattern === anyName)
    && [...anyOf, ...Object.values(properties), ...Object.values(patternProperties), ...[items].flat()].every(isPlain)
}

/** REQUIRES: `isPlain(schema)`. */
export const textOf = (schema: object, value: unknown): string | undefined => text(schema, value)

function text(schema: KnownSchema, value: unknown): string | undefined {
  if (schema.anyOf) {
    const one = schema.anyOf.find(each => fits(each as TSchema, value))
    return one && text(one, value)
  }
  if (schema.const !== undefined) return value === schema.const ? JSON.stringify(value) : undefined
  switch (schema.type) {
    case undefined: return JSON.stringify(value)
    case 'string': return typeof value === 'string' ? JSON.stringify(value) : undefined
    case 'integer': return Number.isInteger(value) ? String(value) : undefined
    case 'number': return Number.isFinite(value) ? String(value) : undefined
    case 'boolean': return typeof value === 'boolean' ? String(value) : undefined
    case 'null': return value === null ? 'null' : undefined
    case 'array': return Array.isArray(value) ? arrayText(schema, value) : undefined
    case 'object': return isObject(value) ? objectText(schema, value) : undefined
    default: return undefined
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && typeof (value as { toJSON?: unknown }).toJSON !== 'function'

function arrayText({ items }: KnownSchema, values: readonly unknown[]): string | undefined {
  if (items === undefined || Array.isArray(items)) return undefined
  const texts: string[] = []
  for (const value of values) {
    const one = text(items as KnownSchema, value)
    if (one === undefined) return undefined
    texts.push(one)
  }
  return `[${texts.join(',')}]`
}

function objectText({ required = [], properties, patternProperties }: KnownSchema, value: Record<string, unknown>): string | undefined {
  if (properties && patternProperties || required.some(name => value[name] === undefined)) return undefined
  const every = patternProperties?.[anyName]
  const texts: string[] = []
  const add = (name: string, schema: KnownSchema): boolean => {
    const one = text(schema, value[name])
    if (one !== undefined) texts.push(`${JSON.stringify(name)}:${one}`)
    return one !== undefined
  }
  if (every) return Object.keys(value).every(name => add(name, every)) ? `{${texts.join(',')}}` : undefined
  // The compiled serialiser writes required properties first.
  for (const isFirst of [true, false]) {
    for (const [name, schema] of Object.entries(properties ?? {})) {
      if (required.includes(name) === isFirst && value[name] !== undefined && !add(name, schema)) return undefined
    }
  }
  return `{${texts.join(',')}}`
}
