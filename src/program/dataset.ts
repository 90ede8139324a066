// Dataset API of programs: describes a computation as a graph of recipes, which the engine turns into a plan. Nothing is computed here.
// This file is part of every bundle: it imports only options.ts and has no side effects; types may come from anywhere.
//
// A recipe is a node of a plan (src/plan/node.ts) with functions in place of their numbers. Bundles outlive the version that made them, so
// recipes are a format: a field keeps its meaning, and the engine refuses kinds that it does not know.

import type { InputOptions, OutputOptions } from '../base/formats.ts'
import type { Key } from '../base/pair.ts'
import { checkOptions } from './options.ts'
import type { Context, Input, RecordOf, StandardSchema } from './definition.ts'

export interface Recipe {
  readonly kind: string
  readonly inputs: readonly Recipe[]
  /** Method that the program has called, and the stack of the call. */
  readonly at?: { readonly step: string; readonly stack: string }
  readonly [field: string]: unknown
}

/** Key of a sort: one function for each part, with its order. */
export interface SortRecipe { readonly sort: ReadonlyArray<{ readonly by: ValueFunction; readonly descending: boolean }> }

type ValueFunction = (value: any, context: Context) => unknown
export type SortOrder = 'asc' | 'desc'
/** Key of one part of a sort, and its order. */
export type SortPart<T> = readonly [by: (value: T, context: Context) => Key, order?: SortOrder]

export interface ShuffleOptions {
  /** Number of partitions; default: by the size of the job's input, and at least 1. */
  readonly partitions?: number | undefined
}

/** Aggregation of the values of each key: `add` and `merge` may change and return their first argument. */
export interface Aggregate<T, A> {
  zero(): A
  add(total: A, value: T): A
  /** Merges two totals of one key. Associative and commutative. */
  merge(a: A, b: A): A
}

/** Options of `save`, beside the output's path. */
export interface SaveOptions {
  /** `text` (default): a value a line; a pair [key, value] as key, tab, value. `jsonl`; `csv`. */
  readonly format?: OutputOptions['format'] | undefined
  readonly delimiter?: string | undefined
  readonly header?: boolean | undefined
  readonly columns?: readonly string[] | undefined
  /** Replicas of the output files; default: the cluster's. */
  readonly replication?: number | undefined
}

/** `as const` makes the 1 of a count a type of its own, which no sum has. */
type Widened<V> = V extends number ? number : V extends string ? string : V extends boolean ? boolean : V extends bigint ? bigint : V

type Paths = string | readonly string[]
type OptionsOf<F extends InputOptions['format']> = Omit<Extract<Input, { format?: F }>, 'format' | 'path'>
type Schema<T> = { readonly schema: StandardSchema<T> }

/** Collects what a program describes. */
interface Flow { save(root: Recipe): void }

/** Recipe of a Dataset; `name`: of the method that was given it. */
let nodeOf: (dataset: unknown, name: string) => Recipe

type JoinKind = 'inner' | 'left' | 'right' | 'full' | 'semi' | 'anti' | 'group'

/**
 * Values of one type, in partitions on the machines of the cluster. A Dataset is a description: each method returns a new one, and `save`
 * makes the job that computes it. Functions must give the same result each time: a task may run again on another machine.
 */
export class Dataset<T> {
  readonly #flow: Flow
  readonly #node: Recipe

  /** Made by the sources and methods of Datasets, not by programs. */
  constructor(flow: Flow, node: Recipe) {
    this.#flow = flow
    this.#node = node
  }

  map<U>(fn: (value: T, context: Context) => U): Dataset<U> { return this.#each('map', fn) }

  filter<U extends T>(fn: (value: T, context: Context) => value is U): Dataset<U>
  filter(fn: (value: T, context: Context) => unknown): Dataset<T>
  filter(fn: (value: T, context: Context) => unknown): Dataset<T> { return this.#each('filter', fn) }

  /** Any number of values for each value: an array, a generator or another iterable. */
  flatMap<U>(fn: (value: T, context: Context) => Iterable<U>): Dataset<U> { return this.#each('flatMap', fn) }

  /** Calls the function for each value, and passes the value on. */
  peek(fn: (value: T, context: Context) => void): Dataset<T> { return this.#each('peek', fn) }

  /** Results keep the order of the values. `concurrency`: calls in progress at a time in each task; default: 8. */
  mapAsync<U>(
    fn: (value: T, context: Context) => Promise<U> | U, { concurrency = 8 }: { readonly concurrency?: number } = {},
  ): Dataset<U> {
    checkCount('concurrency of mapAsync', concurrency, 1, 10_000)
    const own = { op: 'mapAsync', fn: checkFunction('mapAsync', fn), concurrency, at: at('mapAsync') }
    return this.#next({ kind: 'each', inputs: [this.#node], ...own })
  }

  /** All values of a task, as one sequence; what the function returns or yields goes on. */
  mapPartitions<U>(
    fn: (values: AsyncIterable<T>, context: Context) => AsyncIterable<U> | Iterable<U> | Promise<Iterable<U> | AsyncIterable<U>>,
  ): Dataset<U> {
    return this.#next({ kind: 'partition', inputs: [this.#node], fn: checkFunction('mapPartitions', fn), at: at('mapPartitions') })
  }

  /** Each value with the probability `fraction`: the same values in every attempt of a task, and whenever tasks read the same splits. */
  sample(fraction: number): Dataset<T> {
    if (!(fraction >= 0 && fraction <= 1)) throw new TypeError(`the fraction of sample is ${String(fraction)}; it is a number from 0 to 1`)
    return this.#next({ kind: 'sample', inputs: [this.#node], fraction })
  }

  /** The values of this Dataset and of the others, in any order. */
  union(...others: ReadonlyArray<Dataset<T>>): Dataset<T> {
    return this.#next({ kind: 'union', inputs: [this, ...others].map(each => nodeOf(each, 'union')) })
  }

  /** Pairs of each value's key and the value. */
  keyBy<K extends Key>(key: (value: T, context: Context) => K): Dataset<[K, T]> {
    checkFunction('keyBy', key)
    return this.map((value, context): [K, T] => [key(value, context), value])
  }

  /** The values by their keys; see Grouped. */
  groupBy<K extends Key>(key: (value: T, context: Context) => K, options: ShuffleOptions = {}): Grouped<K, T> {
    const shuffled = { ...checkShuffle('groupBy', options), at: at('groupBy') }
    return new Grouped(this.#flow, this.#node, checkFunction('groupBy', key), undefined, shuffled)
  }

  /** Merges the values of pairs with equal keys. `merge` is associative and commutative. */
  reduceByKey<K extends Key, V>(
    this: Dataset<readonly [K, V]>, merge: (a: Widened<V>, b: Widened<V>) => Widened<V>, options: ShuffleOptions = {},
  ): Dataset<[K, Widened<V>]> {
    const shuffled = { ...checkShuffle('reduceByKey', options), at: at('reduceByKey') }
    return new Grouped<K, Widened<V>>(this.#flow, this.#node, firstOf, secondOf, shuffled).reduce(merge)
  }

  /** Pairs of each key and the number of its values, in the order of keys within a partition. */
  countBy<K extends Key>(key: (value: T, context: Context) => K, options: ShuffleOptions = {}): Dataset<[K, number]> {
    checkFunction('countBy', key)
    return this.groupBy(key, options).count()
  }

  /** Each value once. Values are keys: texts, numbers, booleans, null and arrays of these; for others: `distinctBy`. */
  distinct<K extends Key>(this: Dataset<K>, options: ShuffleOptions = {}): Dataset<K> {
    const shuffled = { ...checkShuffle('distinct', options), at: at('distinct') }
    const grouped = new Grouped<K, null>(this.#flow, this.#node, itself, nothing, shuffled)
    return grouped.reduce(nothing).map(firstOf) as Dataset<K>
  }

  /** One value of each key. */
  distinctBy(key: (value: T, context: Context) => Key, options: ShuffleOptions = {}): Dataset<T> {
    checkFunction('distinctBy', key)
    return this.groupBy(key, options).reduce(first => first).map(secondOf) as Dataset<T>
  }

  /**
   * Sorts by one key, or by several parts: sortBy(by, 'desc'), sortBy([by, 'desc'], [by]). The output's files, one after the other, are in
   * order. Texts are ordered by code points. The order of values with equal keys is not defined.
   */
  sortBy(by: (value: T, context: Context) => Key, order?: SortOrder, options?: ShuffleOptions): Dataset<T>
  sortBy(...parts: ReadonlyArray<SortPart<T>>): Dataset<T>
  sortBy(...given: readonly unknown[]): Dataset<T> {
    const { key, options } = sortOf<T>('sortBy', given)
    const partitions = checkShuffle('sortBy', options)
    const place = { at: at('sortBy') }
    const samples: Recipe = { kind: 'sampleKeys', inputs: [this.#node], key, ...place }
    const sample: Recipe = { kind: 'shuffle', inputs: [samples], partitions: 1, exact: true }
    const pairs: Recipe = { kind: 'key', inputs: [this.#node], key, ...place }
    return this.#values({ kind: 'shuffle', inputs: [pairs, sample], ranges: true, ...partitions })
  }

  /** The `count` values with the largest keys (or the smallest, with 'asc'), in order. */
  top(count: number, by: (value: T, context: Context) => Key, order: SortOrder = 'desc'): Dataset<T> {
    checkCount('count of top', count, 0, 1_000_000)
    const { key } = sortOf<T>('top', [by, order])
    const best: Recipe = { kind: 'top', inputs: [this.#node], key, count, at: at('top') }
    const all: Recipe = { kind: 'ungroup', inputs: [{ kind: 'shuffle', inputs: [best], partitions: 1, exact: true }] }
    return this.#next({ kind: 'limit', inputs: [all], count })
  }

  /** Spreads the values over this number of partitions, and so of output files. */
  repartition(partitions: number): Dataset<T> {
    checkPartitions('repartition', partitions)
    const pairs: Recipe = { kind: 'key', inputs: [this.#node], at: at('repartition') }
    return this.#values({ kind: 'shuffle', inputs: [pairs], partitions, exact: true, partition: inTurn })
  }

  /** Brings values with equal keys into one partition, in the order of keys. */
  partitionBy(key: (value: T, context: Context) => Key, partitions: number): Dataset<T> {
    checkPartitions('partitionBy', partitions)
    const pairs: Recipe = { kind: 'key', inputs: [this.#node], key: checkFunction('partitionBy', key), at: at('partitionBy') }
    return this.#values({ kind: 'shuffle', inputs: [pairs], partitions, exact: true })
  }

  /** Pairs of a value of this Dataset and one of `right` with equal keys. */
  join<R, K extends Key>(right: Dataset<R>, key: (value: T) => K, rightKey: (value: R) => K, options?: ShuffleOptions): Dataset<[T, R]> {
    return this.#join('inner', right, key, rightKey, options)
  }

  /** As `join`, and values of this Dataset without a partner, with null in its place. */
  leftJoin<R, K extends Key>(
    right: Dataset<R>, key: (value: T) => K, rightKey: (value: R) => K, options?: ShuffleOptions,
  ): Dataset<[T, R | null]> {
    return this.#join('left', right, key, rightKey, options)
  }

  rightJoin<R, K extends Key>(
    right: Dataset<R>, key: (value: T) => K, rightKey: (value: R) => K, options?: ShuffleOptions,
  ): Dataset<[T | null, R]> {
    return this.#join('right', right, key, rightKey, options)
  }

  fullJoin<R, K extends Key>(
    right: Dataset<R>, key: (value: T) => K, rightKey: (value: R) => K, options?: ShuffleOptions,
  ): Dataset<[T, R] | [T, null] | [null, R]> {
    return this.#join('full', right, key, rightKey, options)
  }

  /** Values of this Dataset whose key occurs in `right`. */
  semiJoin<R, K extends Key>(right: Dataset<R>, key: (value: T) => K, rightKey: (value: R) => K, options?: ShuffleOptions): Dataset<T> {
    return this.#join('semi', right, key, rightKey, options)
  }

  /** Values of this Dataset whose key does not occur in `right`. */
  antiJoin<R, K extends Key>(right: Dataset<R>, key: (value: T) => K, rightKey: (value: R) => K, options?: ShuffleOptions): Dataset<T> {
    return this.#join('anti', right, key, rightKey, options)
  }

  /** All pairs of a value of this Dataset and one of `right`, computed by one task. */
  cross<R>(right: Dataset<R>): Dataset<[T, R]> { return this.#join('inner', right, nothing, nothing, { partitions: 1 }) }

  /**
   * The values of both Datasets by key. `left` can be iterated once, `right` any number of times; neither need fit in memory.
   */
  coGroup<R, K extends Key, U>(
    right: Dataset<R>, key: (value: T) => K, rightKey: (value: R) => K,
    fn: (key: K, left: Iterable<T>, right: Iterable<R>, context: Context) => Iterable<U>, options?: ShuffleOptions,
  ): Dataset<U> {
    return this.#join('group', right, key, rightKey, options, checkFunction('coGroup', fn))
  }

  /** Publishes the values as files in a new directory, in one step when all of them are computed. A program saves one Dataset. */
  async save(path: string, options: SaveOptions = {}): Promise<void> {
    if (typeof path !== 'string' || path === '')
      throw new TypeError(`save was given the path ${showGiven(path)}; give a directory of the cluster, in the program or with --output`)
    checkOptions('the options of save', options, 'output')
    const { format = 'text', replication, ...output } = options
    this.#flow.save({
      kind: 'write', inputs: [this.#node], path, output: { format, ...output, ...replication !== undefined && { replication } },
    })
  }

  #each<U>(op: string, fn: unknown): Dataset<U> {
    return this.#next({ kind: 'each', inputs: [this.#node], op, fn: checkFunction(op, fn), at: at(op) })
  }

  #next<U>(node: Recipe): Dataset<U> { return new Dataset(this.#flow, node) }
  #values(shuffle: Recipe): Dataset<T> { return this.#next({ kind: 'ungroup', inputs: [shuffle] }) }

  #join<U>(
    how: JoinKind, right: unknown, key: unknown, rightKey: unknown, options: ShuffleOptions | undefined,
    fn?: unknown,
  ): Dataset<U> {
    const name = how === 'group' ? 'coGroup' : how === 'inner' ? 'join' : `${how}Join`
    const partitions = checkShuffle(name, options)
    const place = { at: at(name) }
    const side = (node: Recipe, by: unknown): Recipe => ({
      kind: 'shuffle', inputs: [{ kind: 'key', inputs: [node], key: checkFunction(name, by), ...place }], ...partitions,
    })
    return this.#next({
      kind: 'join', inputs: [side(this.#node, key), side(nodeOf(right, name), rightKey)], how, ...place, ...fn !== undefined && { fn },
    })
  }

  static {
    nodeOf = (dataset, name) => {
      if (typeof dataset !== 'object' || dataset === null || !(#node in dataset))
        throw new TypeError(`${name} was given ${showGiven(dataset)} in place of a Dataset`)
      return dataset.#node
    }
  }
}

/** Values by their keys. */
export class Grouped<K extends Key, T> {
  readonly #flow: Flow
  readonly #node: Recipe
  readonly #key: unknown
  readonly #value: unknown
  /** Options of the shuffle, and the place of the call that has made this. */
  readonly #shuffled: { readonly at: NonNullable<Recipe['at']> }

  /** Made by `groupBy`. */
  constructor(flow: Flow, node: Recipe, key: unknown, value: unknown, shuffled: { readonly at: NonNullable<Recipe['at']> }) {
    this.#flow = flow
    this.#node = node
    this.#key = key
    this.#value = value
    this.#shuffled = shuffled
  }

  /** One value for each key. `values` can be iterated once, during the call, and need not fit in memory. */
  map<U>(fn: (key: K, values: Iterable<T>, context: Context) => U): Dataset<U> { return this.#group(fn, 'map', false) }

  /** Any number of values for each key. */
  flatMap<U>(fn: (key: K, values: Iterable<T>, context: Context) => Iterable<U>): Dataset<U> { return this.#group(fn, 'flatMap', true) }

  /** Pairs of the key and its values, merged two at a time, before the shuffle too. `merge` is associative and commutative. */
  reduce(merge: (a: T, b: T) => T): Dataset<[K, T]> {
    checkFunction('reduce', merge)
    return this.#fold(this.#value, merge)
  }

  /** Pairs of the key and the number of its values. */
  count(): Dataset<[K, number]> { return this.#fold(one, add) }

  /** Pairs of the key and the total of its values. */
  aggregate<A>({ zero, add: addTo, merge }: Aggregate<T, A>): Dataset<[K, A]> {
    checkFunction('aggregate (zero)', zero)
    checkFunction('aggregate (add)', addTo)
    checkFunction('aggregate (merge)', merge)
    const value = this.#value as ValueFunction | undefined
    return this.#fold((each: T, context: Context) => addTo(zero(), (value ? value(each, context) : each) as T), merge)
  }

  #fold<V>(value: unknown, merge: (a: V, b: V) => V): Dataset<[K, V]> {
    const combine = (_key: Key, values: Iterable<V>): V => {
      let total: V | undefined
      let isFirst = true
      for (const each of values) {
        total = isFirst ? each : merge(total as V, each)
        isFirst = false
      }
      return total as V
    }
    const pairs: Recipe = { kind: 'combine', inputs: [this.#pairs(value)], fn: combine }
    return new Dataset(this.#flow, { kind: 'fold', inputs: [this.#shuffle(pairs)], fn: combine, at: this.#shuffled.at })
  }

  #group<U>(fn: unknown, name: string, flat: boolean): Dataset<U> {
    return new Dataset(this.#flow, {
      kind: 'group', inputs: [this.#shuffle(this.#pairs(this.#value))], fn: checkFunction(`${name} of groups`, fn), flat, at: at(name),
    })
  }

  #pairs(value: unknown): Recipe {
    return { kind: 'key', inputs: [this.#node], key: this.#key, at: this.#shuffled.at, ...value !== undefined && { value } }
  }
  #shuffle(pairs: Recipe): Recipe {
    const { at: _, ...partitions } = this.#shuffled
    return { kind: 'shuffle', inputs: [pairs], ...partitions }
  }
}

/** The sources of Datasets: the first argument of a program's function. */
export class Sources {
  readonly #flow: Flow

  constructor(flow: Flow) { this.#flow = flow }

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

  #read<T>(name: string, format: string, paths: unknown, given: object): Dataset<T> {
    const all = typeof paths === 'string' ? [paths] : paths
    if (!Array.isArray(all) || all.length === 0 || all.some(path => typeof path !== 'string' || path === ''))
      throw new TypeError(`${name} was given ${showGiven(paths)}; give a path of the cluster or several, in the program or with --input`)
    checkOptions(`the options of ${name}`, { ...given, format }, 'input')
    const { schema, ...options } = given as { schema?: StandardSchema }
    const read: Recipe = { kind: 'read', inputs: [], options: { format, ...options }, paths: [...all as string[]] }
    return new Dataset(this.#flow, schema ? { kind: 'validate', inputs: [read], fn: validatorOf(schema) } : read)
  }
}

const at = (step: string): NonNullable<Recipe['at']> => ({ step, stack: new Error(step).stack ?? '' })
const validatorOf = (schema: StandardSchema) => (record: unknown): unknown => schema['~standard'].validate(record)
const itself = (value: unknown): unknown => value
const nothing = (): null => null
const one = (): number => 1
const add = (a: number, b: number): number => a + b
const firstOf = <K>(pair: readonly [K, unknown]): K => pair[0]
const secondOf = <V>(pair: readonly [unknown, V]): V => pair[1]
const inTurn = (key: number, partitions: number): number => key % partitions

function sortOf<T>(name: string, given: readonly unknown[]): { key: SortRecipe; options: ShuffleOptions | undefined } {
  const isParts = Array.isArray(given[0])
  const parts = (isParts ? given : [[given[0], given[1]]]) as ReadonlyArray<SortPart<T>>
  const sort = parts.map(part => {
    if (!Array.isArray(part)) throw new TypeError(`${name} was given ${showGiven(part)} as a part; a part is [value => key, 'asc' or 'desc']`)
    const [by, order = 'asc'] = part as unknown as SortPart<T>
    if (order !== 'asc' && order !== 'desc') throw new TypeError(`${name} was given the order ${showGiven(order)}; it is 'asc' or 'desc'`)
    return { by: checkFunction(name, by) as ValueFunction, descending: order === 'desc' }
  })
  return { key: { sort }, options: isParts ? undefined : given[2] as ShuffleOptions | undefined }
}

function checkFunction(name: string, fn: unknown): unknown {
  if (typeof fn !== 'function') throw new TypeError(`${name} was given ${showGiven(fn)} in place of a function`)
  return fn
}

function checkShuffle(name: string, options: ShuffleOptions | undefined): object {
  if (options === undefined) return { auto: true }
  if (typeof options !== 'object' || options === null)
    throw new TypeError(`${name} was given the options ${showGiven(options)}; they are an object, such as { partitions: 4 }`)
  const unknown = Object.keys(options).find(each => each !== 'partitions')
  if (unknown !== undefined) throw new TypeError(`${name} does not know the option ${JSON.stringify(unknown)}; it knows partitions`)
  const { partitions } = options
  if (partitions === undefined) return { auto: true }
  checkPartitions(name, partitions)
  return { partitions, exact: true }
}

const checkPartitions = (name: string, partitions: unknown): void => checkCount(`number of partitions of ${name}`, partitions, 1, 20_000)

function checkCount(what: string, value: unknown, min: number, max: number): void {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max)
    throw new TypeError(`the ${what} is ${showGiven(value)}; it is an integer from ${min} to ${max}`)
}

function showGiven(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 80))
  return typeof value === 'object' && value !== null ? `an object of class ${value.constructor?.name ?? 'Object'}` : String(value)
}
