// Checks of the options of a program's input and output, by the table of record formats. Part of every bundle, as authoring.ts is.

import {
  avroCodecs, badRecordsModes, inputFormats, inputsWith, invalidUtf8Modes, isBinary, largeIntegersModes, outputFormats, outputsWith,
  textEncodings,
} from '../base/formats.ts'
import type { Output, StandardSchema } from './definition.ts'

interface OptionRule {
  /** Formats to which the option applies; default: all. */
  readonly formats?: readonly string[]
  readonly values?: readonly unknown[]
  /** Description and check of valid values, for options whose values cannot be listed. */
  readonly kind?: readonly [string, (value: unknown) => boolean]
}

const oneAscii: OptionRule['kind'] = [
  "one ASCII character other than a quote or a line end, such as ';' or '\\t'",
  value => typeof value === 'string' && value.length === 1 && value > '\0' && value < '\x80' && !'"\r\n'.includes(value),
]
const flag = [true, false]

/** The package for Avro, which only tasks load, reads it. */
function isAvroSchema(value: unknown): boolean {
  if (typeof value === 'object') return value !== null
  try {
    const parsed = JSON.parse(String(value)) as unknown
    return typeof parsed === 'object' && parsed !== null
  } catch {
    return false
  }
}

function isSchema(value: unknown): boolean {
  const facts = (value as Partial<StandardSchema> | null)?.['~standard']
  return typeof facts?.validate === 'function'
}

const texts = inputFormats.filter(format => !isBinary(format))

/** Options of `input` and `output` beside `path` and `format`. */
const inputRules: Readonly<Record<string, OptionRule>> = {
  encoding: { formats: texts, values: textEncodings },
  invalidUtf8: { formats: [...texts, 'avro'], values: invalidUtf8Modes },
  badRecords: { values: badRecordsModes },
  schema: { kind: ["a schema with the property ~standard, such as one of Zod's, Valibot's or ArkType's", isSchema] },
  delimiter: { formats: inputsWith('delimiter'), kind: oneAscii },
  header: { formats: inputsWith('header'), values: flag },
  bytes: { formats: inputsWith('bytes'), values: flag },
  largeIntegers: { formats: inputsWith('largeIntegers'), values: largeIntegersModes },
}
const outputRules: Readonly<Record<string, OptionRule>> = {
  delimiter: { formats: outputsWith('delimiter'), kind: oneAscii },
  header: { formats: outputsWith('header'), values: flag },
  columns: { formats: outputsWith('columns') },
  schema: { formats: outputsWith('schema'), kind: ['a schema of Avro, as an object or as its JSON', isAvroSchema] },
  codec: { formats: outputsWith('codec'), values: avroCodecs },
  replication: { kind: ['an integer from 1 to 16', value => Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 16] },
  blockBytes: { kind: ['a number of bytes, an integer', value => Number.isInteger(value) && (value as number) > 0] },
}

function checkColumns(what: string, { columns, header }: Output = {}): void {
  if (columns === undefined) return
  if (
    !Array.isArray(columns)
    || columns.length === 0
    || columns.some(name => typeof name !== 'string')
    || new Set(columns).size < columns.length
  ) {
    throw new TypeError(`columns of ${what} are different names, such as ['id', 'count']`)
  }
  const unreadable = header === false ? undefined : columns.find(name => name === '' || name === '__proto__')
  if (unreadable !== undefined)
    throw new TypeError(
      `columns of ${what} cannot have the name ${JSON.stringify(unreadable)}, which a header cannot say; rename it, or write no header (header: false)`,
    )
}

/** Throws TypeError for options of an input or an output that are invalid. `what`, `whole`: in messages about one of them, or about all. */
export function checkOptions(what: string, given: unknown, part: 'input' | 'output', whole = what): void {
  if (given === undefined) return
  const rules = part === 'input' ? inputRules : outputRules
  const formats: readonly string[] = part === 'input' ? inputFormats : outputFormats
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw new TypeError(`${whole} is an object, such as { format: '${formats.at(-1)}' }, not ${JSON.stringify(given)}`)
  const names = ['path', 'format', ...Object.keys(rules)]
  for (const name of Object.keys(given))
    if (!names.includes(name)) throw new TypeError(`${whole} does not know "${name}"; it knows ${names.join(', ')}`)
  const { format = formats[0]! } = given as { format?: string }
  if (!formats.includes(format)) throw new TypeError(`${whole} has no format ${JSON.stringify(format)}; there are ${formats.join(', ')}`)
  for (const [name, rule] of Object.entries(rules)) {
    const value = (given as Record<string, unknown>)[name]
    if (value !== undefined) checkOption(`${name} of ${what}`, value, rule, format)
  }
  if (part === 'output') checkColumns(what, given as Output)
  if (part === 'output' && format === 'avro' && (given as Output).schema === undefined)
    throw new TypeError(
      `${what} has no schema, which Avro needs: { format: 'avro', schema: `
      + "{ type: 'record', name: 'Row', fields: [{ name: 'id', type: 'long' }] } }",
    )
}

/** Throws TypeError for an option that is invalid or has no effect for the format: the result would not show the mistake. */
function checkOption(what: string, value: unknown, { formats, values, kind }: OptionRule, format: string): void {
  const shown = typeof value === 'string' ? JSON.stringify(value) : String(value)
  if (formats && !formats.includes(format))
    throw new TypeError(`${what} belongs to the format ${formats.join(', ')}, not to ${format}; say the format, or leave it out`)
  if (values && !values.includes(value))
    throw new TypeError(
      `${what} is ${shown}; it is one of ${values.map(one => (typeof one === 'string' ? `'${one}'` : String(one))).join(', ')}`,
    )
  if (kind && !kind[1](value)) throw new TypeError(`${what} is ${shown}; it is ${kind[0]}`)
}
