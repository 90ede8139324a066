// Builds schemas of messages: JSON Schema at run time, static types at compile time. The types are typebox's, and the schemas equal
// those that typebox would build (a test compares them); its own code, 700 modules, would take a fifth of a command's start-up
// time, so only tests and the compiler load it.

import type TypeBox from 'typebox'
import type { TSchema } from 'typebox'

export type { Static, TSchema } from 'typebox'

type Json = Record<string | symbol, unknown>
type Options = Readonly<Record<string, unknown>>

/** Marks a property's schema as optional. A symbol, so that it does not appear in JSON. */
const optional = Symbol('optional')

const typeOfLiteral = (value: unknown): string => (value === null ? 'null' : typeof value)

/** Names of a record: any text. typebox's own `^.*$` does not match a line end, and validators remove names that do not match. */
export const anyName = '^[\\s\\S]*$'

const builders = {
  Object(properties: Record<string, Json>, options?: Options): Json {
    const required = Object.keys(properties).filter(name => !properties[name]![optional])
    return { type: 'object', ...required.length > 0 && { required }, properties, ...options }
  },
  Array: (items: Json, options?: Options): Json => ({ type: 'array', items, ...options }),
  Tuple: (items: Json[], options?: Options): Json => ({ type: 'array', additionalItems: false, items, minItems: items.length, ...options }),
  Record: (_key: Json, value: Json, options?: Options): Json => ({ type: 'object', patternProperties: { [anyName]: value }, ...options }),
  Union: (anyOf: Json[], options?: Options): Json => ({ anyOf, ...options }),
  Literal: (value: unknown, options?: Options): Json => ({ type: typeOfLiteral(value), const: value, ...options }),
  String: (options?: Options): Json => ({ type: 'string', ...options }),
  Integer: (options?: Options): Json => ({ type: 'integer', ...options }),
  Number: (options?: Options): Json => ({ type: 'number', ...options }),
  Null: (options?: Options): Json => ({ type: 'null', ...options }),
  Boolean: (options?: Options): Json => ({ type: 'boolean', ...options }),
  Unknown: (options?: Options): Json => ({ ...options }),
  Optional: (schema: Json): Json => ({ ...schema, [optional]: true }),
  Unsafe: (schema: Json): Json => ({ ...schema }),
}

/** The part of typebox's `Type` that messages use. */
const Type = Object.freeze(builders) as unknown as Pick<typeof TypeBox, keyof typeof builders>
export default Type

/** The run-time JSON of a schema. */
export const jsonOf = (schema: TSchema): Readonly<Record<string, unknown>> => schema as unknown as Json
