// Authoring module: the functions and types of `import { mapReduce, … } from 'gristmill'` in a program.
// This file is part of every bundle: it may import only dataflow.ts, dataset.ts, iterables.ts and src/base/formats.ts, and has no side
// effects; types may come from anywhere.

import {
  badRecordsModes, inputFormats, inputsWith, invalidUtf8Modes, largeIntegersModes, outputFormats, outputsWith, textEncodings,
} from '../base/formats.ts'
import type { Key } from '../base/pair.ts'
import type { AnyDefinition, Definition, Input, Output, Params, StandardSchema } from './definition.ts'

export type { Emit, Key } from '../base/pair.ts'
export type * from './definition.ts'
export { program, type Dataflow, type ProgramOptions } from './dataflow.ts'
export {
  Dataset, Grouped, Sources, type Aggregate, type SaveOptions, type ShuffleOptions, type SortOrder, type SortPart
} from './dataset.ts'
export { average, count, first, max, min, sum, take } from './iterables.ts'

export interface MapReduce {
  readonly kind: 'mapReduce'
  readonly definition: AnyDefinition
}

/** Marks objects of `mapReduce`; the same symbol in every copy of this file. */
const mark = Symbol.for('gristmill.program')

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

function isSchema(value: unknown): boolean {
  const facts = (value as Partial<StandardSchema> | null)?.['~standard']
  return typeof facts?.validate === 'function'
}

/** Options of `input` and `output` beside `path` and `format`. */
const inputRules: Readonly<Record<string, OptionRule>> = {
  encoding: { values: textEncodings },
  invalidUtf8: { values: invalidUtf8Modes },
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
  replication: {},
  blockBytes: {},
}

const known = new Set(['input', 'output', 'params', 'assets', 'reducers', 'setup', 'map', 'combine', 'partition', 'reduce', 'teardown'])

/**
 * A map-reduce job: `map` turns each record into any number of key-value pairs, `combine` merges values before the shuffle,
 * `reduce` gets each key with all its values. Without `reduce`, the pairs of `map` are the output.
 */
export function mapReduce<const I extends Input = { format: 'lines' }, K extends Key = Key, V = unknown, P extends Params = Params>(
  definition: Definition<I, K, V, P>,
): MapReduce {
  check(definition)
  const program = { kind: 'mapReduce', definition }
  Object.defineProperty(program, mark, { value: true })
  return Object.freeze(program) as MapReduce
}

export const isMapReduce = (value: unknown): value is MapReduce => typeof value === 'object' && value !== null && mark in value

function check(definition: AnyDefinition): void {
  if (typeof definition !== 'object' || definition === null)
    throw new TypeError('mapReduce takes an object: mapReduce({ map(record, emit) { … }, … })')
  for (const name of Object.keys(definition)) {
    if (!known.has(name)) throw new TypeError(`mapReduce does not know "${name}"; it knows ${[...known].join(', ')}`)
  }
  if (typeof definition.map !== 'function') throw new TypeError('mapReduce needs a map function: map(record, emit) { … }')
  for (const name of ['setup', 'combine', 'partition', 'reduce', 'teardown'] as const) {
    if (definition[name] !== undefined && typeof definition[name] !== 'function')
      throw new TypeError(`${name} of mapReduce is not a function`)
  }
  if (!definition.reduce && (definition.combine || definition.partition)) {
    throw new TypeError(`${definition.combine ? 'combine' : 'partition'} of mapReduce has no meaning without reduce: nothing is shuffled`)
  }
  checkPart('input', definition.input, inputRules, inputFormats)
  checkPart('output', definition.output, outputRules, outputFormats)
  checkColumns(definition.output)
  const { assets } = definition
  if (assets !== undefined && (!Array.isArray(assets) || assets.some(name => typeof name !== 'string' || name === '')))
    throw new TypeError("assets of mapReduce are paths relative to the program, such as ['words.txt', 'data']")
  const { reducers } = definition
  if (reducers !== undefined && (!Number.isInteger(reducers) || reducers < 1 || reducers > 65_535)) {
    throw new TypeError(`reducers of mapReduce must be an integer from 1 to 65535, not ${String(reducers)}`)
  }
}

function checkColumns({ columns, header }: Output = {}): void {
  if (columns === undefined) return
  if (
    !Array.isArray(columns)
    || columns.length === 0
    || columns.some(name => typeof name !== 'string')
    || new Set(columns).size < columns.length
  ) {
    throw new TypeError("columns of mapReduce's output are different names, such as ['id', 'count']")
  }
  const unreadable = header === false ? undefined : columns.find(name => name === '' || name === '__proto__')
  if (unreadable !== undefined)
    throw new TypeError(
      `columns of mapReduce's output cannot have the name ${JSON.stringify(unreadable)}, which a header cannot say; rename it, or write no header (header: false)`,
    )
}

function checkPart(
  part: 'input' | 'output', given: unknown, rules: Readonly<Record<string, OptionRule>>, formats: readonly string[],
): void {
  if (given === undefined) return
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw new TypeError(`${part} of mapReduce is an object, such as { format: '${formats.at(-1)}' }, not ${JSON.stringify(given)}`)
  const names = ['path', 'format', ...Object.keys(rules)]
  for (const name of Object.keys(given))
    if (!names.includes(name)) throw new TypeError(`${part} of mapReduce does not know "${name}"; it knows ${names.join(', ')}`)
  const { format = formats[0]! } = given as { format?: string }
  if (!formats.includes(format))
    throw new TypeError(`${part} of mapReduce has no format ${JSON.stringify(format)}; there are ${formats.join(', ')}`)
  for (const [name, rule] of Object.entries(rules)) {
    const value = (given as Record<string, unknown>)[name]
    if (value !== undefined) checkOption(`${name} of mapReduce's ${part}`, value, rule, format)
  }
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
