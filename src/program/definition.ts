// Types of a program: what `mapReduce` takes, and what it passes to the program's functions. Types only, without code.

import type { formats, InputFormat, inputFormatDefault, InputOptions, OutputOptions } from '../base/formats.ts'
import type { Emit, Key } from '../base/pair.ts'
import type { Resources } from './resources.ts'

/** Result types of `line && emit(line, 1)`. */
export type Nothing = void | undefined | null | false | 0 | 0n | ''

/** Results of `map`, `reduce` and `teardown`: nothing, or pairs to emit; each of them may also be a generator function. */
export type Returned<K, V> = Nothing | Iterable<readonly [K, V] | Nothing> | AsyncIterable<readonly [K, V] | Nothing>

export type Params = Readonly<Record<string, unknown>>

/**
 * Validator of one value, as defined by Standard Schema version 1 (https://standardschema.dev): schemas of Zod, Valibot, ArkType and
 * others. `validate` returns the value, which it may convert, or what is wrong with it.
 */
export interface StandardSchema<T = unknown> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => Validated<T> | Promise<Validated<T>>
    readonly types?: { readonly input: unknown; readonly output: T } | undefined
  }
}

/** Result of a schema: the record, or the reasons why it is refused. */
export type Validated<T> = { readonly value: T; readonly issues?: undefined } | { readonly issues: readonly Issue[] }

interface Issue {
  readonly message: string
  readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined
}

interface CommonInput extends Pick<InputOptions, 'encoding' | 'invalidUtf8' | 'badRecords'> {
  /** Files, directories or globs to read if the run names none. */
  readonly path?: string | readonly string[]
  /** Validates each record before `map`, which gets what it returns. A record that it refuses is a bad record (`badRecords`). */
  readonly schema?: StandardSchema | undefined
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

/** The record that `map` gets: what the schema returns, else by the input's format. */
export type RecordOf<I> =
  I extends { schema: StandardSchema<infer T> } ? T
    : I extends { format: 'jsonl' | 'avro' } ? unknown
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
  /** Function that this task calls: `map` over a part of the input, `reduce` over a partition of the shuffle, or `check`. */
  readonly phase: 'map' | 'reduce' | 'check'
  /** File of the current record; '' in `reduce`. */
  readonly path: string
  /**
   * Byte at which the current record begins in `path`, in its decompressed content; undefined where `path` is ''. It does not depend on
   * how the file is cut into blocks: `path` and `offset` together name the record.
   */
  readonly offset: number | undefined
  /** Uniform in [0, 1), the same numbers in every attempt of a task: use it instead of Math.random. */
  random(): number
  /** Submission time of the job, in milliseconds since 1970: use it instead of Date.now. */
  readonly now: number
}

/** Files of an output, with their rows. */
export interface OutputContents {
  /** Path of the directory, or PATH@VERSION of an older version. */
  readonly path: string
  readonly files: number
  readonly bytes: number
  /** Number of rows. */
  count(): Promise<number>
  /** The lines of all files, one file after the other. */
  lines(): AsyncIterable<string>
  /**
   * The rows of all files: values of JSON lines; rows of CSV as objects by the names in the header, or arrays without one; lines of text.
   * With a schema what it returns; it throws for a row that the schema refuses.
   */
  rows(): AsyncIterable<unknown>
  rows<T>(schema: StandardSchema<T>): AsyncIterable<T>
  /** Types of the fields in the first thousand rows, such as `number` or `null or string`; nothing for text. */
  schema(): Promise<Readonly<Record<string, string>>>
}

/** An output that a job has computed and not published. */
export interface ComputedOutput extends OutputContents {
  /** The output that it will replace; undefined if there is none. */
  readonly previous: OutputContents | undefined
}

/**
 * Decides whether an output is published: returns nothing, or the reason why it is not; what it throws is a reason, too. An output that is
 * refused is kept for a week.
 */
export type Check<P = Params> = (output: ComputedOutput, context: Context<P>) => Verdict | Promise<Verdict>

type Verdict = string | void | undefined | null

export interface Definition<I extends Input = Input, K extends Key = Key, V = unknown, P extends Params = Params> {
  readonly input?: I
  readonly output?: Output
  /** Defaults of the run's parameters. */
  readonly params?: P
  /** Files that the program reads, relative to it; a directory stands for all files in it. Tasks get them with `context.asset(name)`. */
  readonly assets?: readonly string[]
  /** Partitions of the shuffle, one output file each; the run may override it. Default: 1. */
  readonly reducers?: number
  /** Slots and memory of each task that runs `map` or `reduce`; default: one slot, and the memory of the run or of the datanode. */
  readonly resources?: { readonly map?: Resources; readonly reduce?: Resources }
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
  /** Looks at the whole output before it is published, in a task of its own, without `setup` and `teardown`. */
  check?: Check<P>
  /** Called once in each task, after its last record, unless the task has failed. It may emit, as the task's `map` or `reduce` does. */
  teardown?(emit: Emit, context: Context<P>): Returned<Key, any> | Promise<Returned<Key, any>>
}

/** A definition whose types are not known: its functions take the records, keys and values that the others give. */
export type AnyDefinition = Definition<any, any, any, any>
