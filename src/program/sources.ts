// Sources of Datasets: what a program's function gets as its first argument. Part of every bundle, as dataset.ts is.

import type { InputOptions } from '../base/formats.ts'
import type { SqlValue } from '../base/sql.ts'
import { isTable, isTopic } from './actions.ts'
import { checkCount, checkPartitions, showGiven, type ShuffleOptions } from './arguments.ts'
import { Dataset } from './dataset.ts'
import type { Input, RecordOf, StandardSchema } from './definition.ts'
import { checkOptions } from './options.ts'
import { queried, type QueryTables } from './queries.ts'
import { at, type Flow, type QueryOptions, type Recipe } from './recipe.ts'

type Paths = string | readonly string[]
type OptionsOf<F extends InputOptions['format']> = Omit<Extract<Input, { format?: F }>, 'format' | 'path'>
type Schema<T> = { readonly schema: StandardSchema<T> }

/** The sources of Datasets: the first argument of a program's function. */
export class Sources {
  readonly #flow: Flow

  constructor(flow: Flow) { this.#flow = flow }

  /** A random number, at least 0 and less than 1. The numbers are the same wherever the program's function is called again. */
  random(): number { return this.#flow.random() }

  /** The time at which the program was started, in milliseconds since 1970. */
  get now(): number { return this.#flow.now }

  /** Lines of text files. Paths are files, directories and globs. */
  text(paths: Paths, options: OptionsOf<'lines'> = {}): Dataset<string> { return this.#read('text', 'lines', paths, options) }

  /** Values of JSON lines: unknown, or what a schema returns. */
  jsonl<T>(paths: Paths, options: OptionsOf<'jsonl'> & Schema<T>): Dataset<T>
  jsonl(paths: Paths, options?: OptionsOf<'jsonl'>): Dataset<unknown>
  jsonl(paths: Paths, options: OptionsOf<'jsonl'> = {}): Dataset<unknown> { return this.#read('jsonl', 'jsonl', paths, options) }

  /** Rows of CSV files: objects by the names in the header; with `header: false` arrays; or what a schema returns. */
  csv<T>(paths: Paths, options: OptionsOf<'csv'> & Schema<T>): Dataset<T>
  csv<const O extends OptionsOf<'csv'>>(paths: Paths, options?: O): Dataset<RecordOf<O & { format: 'csv' }>>
  csv(paths: Paths, options: OptionsOf<'csv'> = {}): Dataset<any> { return this.#read('csv', 'csv', paths, options) }

  /** Whole files: { path, text }, or { path, bytes } with `bytes: true`. */
  files<const O extends OptionsOf<'whole'>>(paths: Paths, options?: O): Dataset<RecordOf<O & { format: 'whole' }>>
  files(paths: Paths, options: OptionsOf<'whole'> = {}): Dataset<any> { return this.#read('files', 'whole', paths, options) }

  /**
   * Records of container files of Avro: objects, or what a schema returns. Integers beyond 2^53 are bigints, bytes are buffers; decimals,
   * dates, times, timestamps and UUIDs are texts with all their digits. Needs the package avsc beside gristmill.
   */
  avro<T>(paths: Paths, options: OptionsOf<'avro'> & Schema<T>): Dataset<T>
  avro(paths: Paths, options?: OptionsOf<'avro'>): Dataset<unknown>
  avro(paths: Paths, options: OptionsOf<'avro'> = {}): Dataset<unknown> { return this.#read('avro', 'avro', paths, options) }

  /**
   * Rows of a query in SQL, as objects with the values that `mill.sql` of the library gives. It runs once, as a job of its own, before the
   * first step that reads them. `tables`: Datasets that it names as tables. `options`: of its job; default: those of the program's run.
   */
  sql<Row = Record<string, SqlValue>>(text: string, tables: QueryTables = {}, options: QueryOptions = {}): Dataset<Row> {
    return new Dataset(this.#flow, queried(text, tables, options))
  }

  /** The integers from 0 to `count` - 1, computed by `partitions` tasks. */
  range(count: number, { partitions = 1 }: ShuffleOptions = {}): Dataset<number> {
    checkCount('count of range', count, 0, Number.MAX_SAFE_INTEGER)
    checkPartitions('range', partitions)
    function * values(part: number, parts: number): Generator<number> {
      const end = Math.floor(count / parts * (part + 1))
      for (let i = Math.floor(count / parts * part); i < (part + 1 === parts ? count : end); i++) yield i
    }
    return new Dataset(this.#flow, { kind: 'values', inputs: [], parts: partitions, fn: values, digest: `range ${count}` })
  }

  /** Values that the program has. For small data: they are part of the program, which every task builds again. */
  from<T>(values: Iterable<T>): Dataset<T> {
    if (typeof values !== 'object' || values === null || !(Symbol.iterator in values))
      throw new TypeError(`from was given ${showGiven(values)}; give an array or another iterable`)
    const all = [...values]
    return new Dataset(this.#flow, { kind: 'values', inputs: [], parts: 1, fn: () => all, digest: { values: all } })
  }

  /**
   * A value for functions of later steps, which use it as a variable. It is computed where the program is started, and every process that
   * runs tasks reads it once. Given a function, which may be asynchronous, only that machine calls it: for what others have not, such as
   * local files, a service, or another value each time.
   */
  broadcast<T>(compute: () => T | PromiseLike<T>): Promise<T>
  broadcast<T>(value: T): Promise<T>
  async broadcast(given: unknown): Promise<unknown> {
    if (typeof (given as { then?: unknown } | null | undefined)?.then === 'function')
      throw new TypeError('broadcast was given a promise; await it first, or give a function: mill.broadcast(async () => …)')
    const broadcast = typeof given === 'function' ? given as () => unknown : (): unknown => given
    const root: Recipe = { kind: 'broadcast', inputs: [], at: at('broadcast') }
    const [value] = await this.#flow.run({ method: 'broadcast', root, broadcast })
    return value
  }

  #read<T>(name: string, format: string, paths: unknown, given: object): Dataset<T> {
    const all = typeof paths === 'string' ? [paths] : paths
    if (!Array.isArray(all) || all.length === 0 || all.some(path => typeof path !== 'string' || path === ''))
      throw new TypeError(`${name} was given ${showGiven(paths)}; give a path of the cluster or several, in the program or with --input`)
    const table = all.find(path => isTable(path) || isTopic(path))
    if (table !== undefined && format !== 'jsonl')
      throw new TypeError(
        `a ${isTable(table) ? 'table of PostgreSQL' : 'topic of Kafka'} is read as JSON lines: mill.jsonl(${showGiven(table)})`,
      )
    checkOptions(`the options of ${name}`, { ...given, format }, 'input')
    const { schema, ...options } = given as { schema?: StandardSchema }
    const read: Recipe = { kind: 'read', inputs: [], options: { format, ...options }, paths: [...all as string[]] }
    return new Dataset(this.#flow, schema ? { kind: 'validate', inputs: [read], fn: validatorOf(schema) } : read)
  }
}

const validatorOf = (schema: StandardSchema) => (record: unknown): unknown => schema['~standard'].validate(record)
