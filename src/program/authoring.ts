// Authoring module: the functions and types of `import { mapReduce, … } from 'gristmill'` in a program.
// This file is part of every bundle: it may import only iterables.ts and src/base/formats.ts and has no side effects.

import {
  badRecordsModes, inputFormats, inputsWith, invalidUtf8Modes, largeIntegersModes, outputFormats, outputsWith, textEncodings, type formats,
  type InputFormat, type inputFormatDefault, type InputOptions, type OutputOptions,
} from '../base/formats.ts'
import type { Emit, Key } from '../base/pair.ts'

export type { Emit, Key } from '../base/pair.ts'
export { average, count, first, max, min, sum, take } from './iterables.ts'

/** Result types of `line && emit(line, 1)`. */
export type Nothing = void | undefined | null | false | 0 | 0n | ''

/** Results of `map`, `reduce` and `teardown`: nothing, or pairs to emit; each of them may also be a generator function. */
export type Returned<K, V> = Nothing | Iterable<readonly [K, V] | Nothing> | AsyncIterable<readonly [K, V] | Nothing>

export type Params = Readonly<Record<string, unknown>>

interface CommonInput extends Pick<InputOptions, 'encoding' | 'invalidUtf8' | 'badRecords'> {
  /** Files, directories or globs to read if the run names none. */
  readonly path?: string | readonly string[]
}

/** Options that only the format has. */
type OwnOptions<F extends InputFormat> = Pick<InputOptions, (typeof formats)[F]['input']['options'][number]>

/** Format of the input files, and its options. */
export type Input = CommonInput & (
  | { readonly format?: typeof inputFormatDefault } & OwnOptions<typeof inputFormatDefault>
  | { [F in InputFormat]: { readonly format: F } & OwnOptions<F> }[Exclude<InputFormat, typeof inputFormatDefault>]
)

type Given<T> = { readonly [K in keyof T]?: Exclude<T[K], undefined> }

/** `format`: `text` (default) is key, tab, value; the value alone where the key is null. */
export interface Output extends Given<OutputOptions> {
  /** Path of the result if the run names none. */
  readonly path?: string
  /** Replicas of the output files; default: the cluster's. */
  readonly replication?: number
  readonly blockBytes?: number
}

/** The record that `map` gets, by the input's format. */
export type RecordOf<I> =
  I extends { format: 'jsonl' } ? any
    : I extends { format: 'csv'; header: false } ? string[]
      : I extends { format: 'csv' } ? Record<string, string>
        : I extends { format: 'whole'; bytes: true } ? { path: string; bytes: Uint8Array }
          : I extends { format: 'whole' } ? { path: string; text: string }
            : string

/** Facts about the run, passed to the functions of a program. */
export interface Context<P = Params> {
  /** The program's parameters, overridden by those of the run. */
  readonly params: P
  /**
   * Adds to a counter of the job; only committed attempts count. Sums are rounded only when displayed, so the order of calls does not
   * matter.
   */
  counter(name: string, by?: number): void
  /** Local path of an asset of the program. Throws for an asset that the program does not list. */
  asset(name: string): string
  /** Writes a line to the attempt's log, as `console.log` does. */
  log(...parts: unknown[]): void
  readonly job: string
  /** `<stage>.<task>`: the same in every attempt of a task. */
  readonly task: string
  /** Function that this task calls: `map` over a part of the input, or `reduce` over a partition of the shuffle. */
  readonly phase: 'map' | 'reduce'
  /** File of the current record; '' in `reduce`. */
  readonly path: string
  /** Uniform in [0, 1), the same numbers in every attempt of a task: use it instead of Math.random. */
  random(): number
  /** Submission time of the job, in milliseconds since 1970: use it instead of Date.now. */
  readonly now: number
}

export interface Definition<I extends Input = Input, K extends Key = any, V = any, P extends Params = any> {
  readonly input?: I
  readonly output?: Output
  /** Defaults of the run's parameters. */
  readonly params?: P
  /** Files that the program reads, relative to it; a directory stands for all files in it. Tasks get them with `context.asset(name)`. */
  readonly assets?: readonly string[]
  /** Partitions of the shuffle, one output file each; the run may override it. Default: 1. */
  readonly reducers?: number
  /** Called once in each task, before its first record. Tasks of one job may share a process, and so the module's own variables. */
  setup?(context: Context<P>): void | Promise<void>
  /** Called once per record, in order. */
  map(record: RecordOf<I>, emit: Emit<K, V>, context: Context<P>): Returned<K, V> | Promise<Returned<K, V>>
  /** Merges several values into one. Associative, commutative and synchronous: it is called on its own results, any number of times. */
  combine?(key: K, values: Iterable<V>): V
  /** Partition of a key, an integer in [0, partitions); must depend only on the key. Default: a hash of the key. */
  partition?(key: K, partitions: number): number
  /** Called once per key, in the order of keys. `values` can be iterated once and need not fit in memory. */
  reduce?(key: K, values: Iterable<V>, emit: Emit, context: Context<P>): Returned<Key, any> | Promise<Returned<Key, any>>
  /** Called once in each task, after its last record, unless the task has failed. It may emit, as the task's `map` or `reduce` does. */
  teardown?(emit: Emit, context: Context<P>): Returned<Key, any> | Promise<Returned<Key, any>>
}

export interface MapReduce {
  readonly kind: 'mapReduce'
  readonly definition: Definition
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

/** Options of `input` and `output` beside `path` and `format`. */
const inputRules: Readonly<Record<string, OptionRule>> = {
  encoding: { values: textEncodings },
  invalidUtf8: { values: invalidUtf8Modes },
  badRecords: { values: badRecordsModes },
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
export function mapReduce<const I extends Input = { format: 'lines' }, K extends Key = any, V = any, P extends Params = Params>(
  definition: Definition<I, K, V, P>,
): MapReduce {
  check(definition as Definition)
  const program = { kind: 'mapReduce', definition }
  Object.defineProperty(program, mark, { value: true })
  return Object.freeze(program) as MapReduce
}

export const isMapReduce = (value: unknown): value is MapReduce => typeof value === 'object' && value !== null && mark in value

function check(definition: Definition): void {
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
