// Dataset API of programs: describes a computation as a graph of recipes. Nothing is computed here. This file is part of every bundle: it
// and what it imports import only files of this folder, src/base/formats.ts and src/base/pair.ts, and have no side effects; types may come
// from anywhere.

import type { Key } from '../base/pair.ts'
import { add, counting, merging, returning, saving, visiting, type SaveOptions } from './actions.ts'
import { checkCount, checkFunction, checkPartitions, checkShuffle, showGiven, type JoinOptions, type ShuffleOptions } from './arguments.ts'
import type { Context } from './definition.ts'
import { fresh, freshZero } from './fresh.ts'
import { keyValueSaving, type KeyValueOptions, type StoredKey } from './keyvalue.ts'
import { at, type Flow, type KeyFunction, type Recipe } from './recipe.ts'
import { checkResources, type Resources } from './resources.ts'
import {
  folded, grouped, joined, joinName, sorted, sortedGroups, spread, topmost, type Grouping, type Joining, type SortOrder, type SortPart
} from './wide.ts'

/** Aggregation of the values of each key: `add` and `merge` may change and return their first argument. */
export interface Aggregate<T, A> {
  zero(): A
  add(total: A, value: T): A
  /** Merges two totals of one key. Associative and commutative. */
  merge(a: A, b: A): A
}

/** `as const` makes the 1 of a count a type of its own, which no sum has. */
type Widened<V> = V extends number ? number : V extends string ? string : V extends boolean ? boolean : V extends bigint ? bigint : V

/** Refuses the result of an asynchronous function, in the words of the compiler's message: such functions belong into mapAsync. */
type Sync<R> = [Extract<R, PromiseLike<unknown>>] extends [never] ? unknown : 'a function that returns a promise belongs into mapAsync'
/** The same for results whose type is a parameter of a generic function, of which the compiler cannot tell whether it is a promise. */
type NoPromise = string | number | bigint | boolean | symbol | null | undefined | (object & { readonly then?: undefined })

/** Recipe of a Dataset; `name`: of the method that was given it. */
let nodeOf: (dataset: unknown, name: string) => Recipe
let ownFlow: (dataset: Dataset<any>) => Flow

/** Recipe of a Dataset. Throws TypeError for another value; `name`: what was given it. */
export const recipeOf = (dataset: unknown, name: string): Recipe => nodeOf(dataset, name)

/** Flow of a Dataset. */
export const flowOf = (dataset: Dataset<any>): Flow => ownFlow(dataset)

/**
 * Values of one type, in partitions on the machines of the cluster. A Dataset is a description: most methods return a new one. The actions,
 * which return promises, run a job that computes it. Functions must give the same result each time: a task may run again on another
 * machine.
 */
export class Dataset<T> {
  readonly #flow: Flow
  readonly #node: Recipe

  /** Made by the sources and methods of Datasets, not by programs. */
  constructor(flow: Flow, node: Recipe) {
    this.#flow = flow
    this.#node = node
  }

  map<U>(fn: (value: T, context: Context) => U & Sync<U>): Dataset<U>
  map<U extends NoPromise>(fn: (value: T, context: Context) => U): Dataset<U>
  map<U>(fn: (value: T, context: Context) => U): Dataset<U> { return this.#each('map', fn) }

  filter<U extends T>(fn: (value: T, context: Context) => value is U): Dataset<U>
  filter<R>(fn: (value: T, context: Context) => R & Sync<R>): Dataset<T>
  filter(fn: (value: T, context: Context) => unknown): Dataset<T> { return this.#each('filter', fn) }

  /** Any number of values for each value: an array, a generator or another iterable. */
  flatMap<U>(fn: (value: T, context: Context) => Iterable<U>): Dataset<U> { return this.#each('flatMap', fn) }

  /** Calls the function for each value, and passes the value on. */
  peek<R>(fn: (value: T, context: Context) => R & Sync<R>): Dataset<T> { return this.#each('peek', fn) }

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

  /**
   * The same values, computed once, by a step of their own, before the first step of the program that needs them. Later steps read them
   * from files of the cluster, which stay until the program ends. It pays where several steps read what is costly to compute.
   */
  cache(): Dataset<T> { return this.#next({ kind: 'cache', inputs: [this.#node], at: at('cache') }) }

  /**
   * The same values. Each task of the stage that computes them needs so many slots and so much memory of its datanode. A stage takes the
   * most that one of its steps declares; steps behind the next shuffle belong to another stage.
   */
  resources(needs: Resources): Dataset<T> {
    return this.#next({ kind: 'resources', inputs: [this.#node], ...checkResources('resources', needs), at: at('resources') })
  }

  /** Pairs of each value's key and the value. */
  keyBy<K extends Key>(key: (value: T, context: Context) => K): Dataset<[K, T]> {
    checkFunction('keyBy', key)
    return this.map((value, context): [K, T] => [key(value, context), value])
  }

  /** The values by their keys; see Grouped. */
  groupBy<K extends Key>(key: (value: T, context: Context) => K, options: ShuffleOptions = {}): Grouped<K, T> {
    const partitions = checkShuffle('groupBy', options)
    return new Grouped(this.#flow, this.#node, { key: checkFunction('groupBy', key), at: at('groupBy'), partitions })
  }

  /** Merges the values of pairs with equal keys. `merge` is associative and commutative. */
  reduceByKey<K extends Key, V>(
    this: Dataset<readonly [K, V]>, merge: (a: Widened<V>, b: Widened<V>) => Widened<V>, options: ShuffleOptions = {},
  ): Dataset<[K, Widened<V>]> {
    const grouping = { key: firstOf, value: secondOf, at: at('reduceByKey'), partitions: checkShuffle('reduceByKey', options) }
    return new Grouped<K, Widened<V>>(this.#flow, this.#node, grouping).reduce(merge)
  }

  /** Pairs of each key and the number of its values, in the order of keys within a partition. */
  countBy<K extends Key>(key: (value: T, context: Context) => K, options: ShuffleOptions = {}): Dataset<[K, number]> {
    checkFunction('countBy', key)
    return this.groupBy(key, options).count()
  }

  /** Each value once. Values are keys: texts, numbers, booleans, null and arrays of these; for others: `distinctBy`. */
  distinct<K extends Key>(this: Dataset<K>, options: ShuffleOptions = {}): Dataset<K> {
    const grouping = { key: itself, value: nothing, at: at('distinct'), partitions: checkShuffle('distinct', options) }
    return new Grouped<K, null>(this.#flow, this.#node, grouping).reduce(nothing).map<K>(firstOf as never)
  }

  /** One value of each key. */
  distinctBy(key: (value: T, context: Context) => Key, options: ShuffleOptions = {}): Dataset<T> {
    checkFunction('distinctBy', key)
    return this.groupBy(key, options).reduce(first => first).map<T>(secondOf as never)
  }

  /**
   * Sorts by one key, or by several parts: sortBy(by, 'desc'), sortBy([by, 'desc'], [by]). The output's files, one after the other, are in
   * order. Texts are ordered by code points. The order of values with equal keys is not defined.
   */
  sortBy(by: (value: T, context: Context) => Key, order?: SortOrder, options?: ShuffleOptions): Dataset<T>
  sortBy(...parts: ReadonlyArray<SortPart<T>>): Dataset<T>
  sortBy(...given: readonly unknown[]): Dataset<T> { return this.#next(sorted<T>(this.#node, given)) }

  /** The `count` values with the largest keys (or the smallest, with 'asc'), in order. */
  top(count: number, by: (value: T, context: Context) => Key, order: SortOrder = 'desc'): Dataset<T> {
    checkCount('count of top', count, 0, 1_000_000)
    return this.#next(topmost<T>(this.#node, count, [by, order]))
  }

  /** Spreads the values over this number of partitions, and so of output files. */
  repartition(partitions: number): Dataset<T> {
    checkPartitions('repartition', partitions)
    return this.#next(spread('repartition', this.#node, partitions))
  }

  /** Brings values with equal keys into one partition, in the order of keys. */
  partitionBy(key: (value: T, context: Context) => Key, partitions: number): Dataset<T> {
    checkPartitions('partitionBy', partitions)
    return this.#next(spread('partitionBy', this.#node, partitions, checkFunction('partitionBy', key)))
  }

  /** Pairs of a value of this Dataset and one of `right` with equal keys. */
  join<R, K extends Key>(right: Dataset<R>, key: (value: T) => K, rightKey: (value: R) => K, options?: JoinOptions): Dataset<[T, R]> {
    return this.#join('inner', right, key, rightKey, options)
  }

  /** As `join`, and values of this Dataset without a partner, with null in its place. */
  leftJoin<R, K extends Key>(
    right: Dataset<R>, key: (value: T) => K, rightKey: (value: R) => K, options?: JoinOptions,
  ): Dataset<[T, R | null]> {
    return this.#join('left', right, key, rightKey, options)
  }

  rightJoin<R, K extends Key>(
    right: Dataset<R>, key: (value: T) => K, rightKey: (value: R) => K, options?: JoinOptions,
  ): Dataset<[T | null, R]> {
    return this.#join('right', right, key, rightKey, options)
  }

  fullJoin<R, K extends Key>(
    right: Dataset<R>, key: (value: T) => K, rightKey: (value: R) => K, options?: JoinOptions,
  ): Dataset<[T, R] | [T, null] | [null, R]> {
    return this.#join('full', right, key, rightKey, options)
  }

  /** Values of this Dataset whose key occurs in `right`. */
  semiJoin<R, K extends Key>(right: Dataset<R>, key: (value: T) => K, rightKey: (value: R) => K, options?: JoinOptions): Dataset<T> {
    return this.#join('semi', right, key, rightKey, options)
  }

  /** Values of this Dataset whose key does not occur in `right`. */
  antiJoin<R, K extends Key>(right: Dataset<R>, key: (value: T) => K, rightKey: (value: R) => K, options?: JoinOptions): Dataset<T> {
    return this.#join('anti', right, key, rightKey, options)
  }

  /** All pairs of a value of this Dataset and one of `right`: by one task, unless one of them is small enough for a broadcast. */
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

  /**
   * All values, in the order of partitions. They travel to the program whole: a million of them and 64 MiB at most; `save` larger results.
   */
  async collect(): Promise<T[]> { return await this.#flow.run(returning('collect', this.#node)) as T[] }

  /**
   * The first `count` values, in the order of partitions; fewer if there are not so many. Of a Dataset that is read and mapped alone, the
   * first task is run, and the others only if it has too few values; a task ends when it has enough.
   */
  async take(count: number): Promise<T[]> {
    checkCount('count of take', count, 1, 1_000_000)
    const limited: Recipe = { kind: 'limit', inputs: [this.#node], count }
    return await this.#flow.run(returning('take', limited, count)) as T[]
  }

  /** The first value; undefined if there is none. */
  async first(): Promise<T | undefined> {
    const [value] = await this.#flow.run(returning('first', { kind: 'limit', inputs: [this.#node], count: 1 }, 1)) as T[]
    return value
  }

  /** The number of values. */
  async count(): Promise<number> { return (await this.#flow.run(counting(this.#node)) as number[]).reduce(add, 0) }

  /**
   * The values merged two at a time, in the order of partitions: `merge` is associative. Of no values: undefined, or `initial`, which is
   * otherwise merged first. A copy of `initial` is used; of an instance of a class the instance itself.
   */
  reduce(merge: (a: T, b: T) => T): Promise<T | undefined>
  reduce(merge: (a: T, b: T) => T, initial: T): Promise<T>
  async reduce(merge: (a: T, b: T) => T, ...initial: readonly T[]): Promise<T | undefined> {
    const totals = await this.#flow.run(merging('reduce', this.#node, merge)) as T[]
    const all = [...initial.map(fresh), ...totals]
    return all.length === 0 ? undefined : all.reduce((a, b) => merge(a, b))
  }

  /**
   * Calls the function in the tasks, once for the values of each, for its effects outside of the cluster. A task that fails or is lost runs
   * again: effects must bear being repeated.
   */
  async forEachPartition(fn: (values: AsyncIterable<T>, context: Context) => void | Promise<void>): Promise<void> {
    await this.#flow.run(visiting(this.#node, fn))
  }

  /** Publishes the values as files in a new directory, in one step when all of them are computed. */
  async save(path: string, options: SaveOptions = {}): Promise<void> { await this.#flow.run(saving(this.#node, path, options)) }

  /**
   * Publishes pairs [key, value] as a key-value store: sorted files that `gristmill serve-kv` serves. Keys are texts or numbers, each once;
   * values are bytes, or what JSON can hold.
   */
  async saveKeyValue(this: Dataset<readonly [StoredKey, unknown]>, path: string, options: KeyValueOptions = {}): Promise<void> {
    await this.#flow.run(keyValueSaving(this.#node, path, options))
  }

  #each<U>(op: string, fn: unknown): Dataset<U> {
    return this.#next({ kind: 'each', inputs: [this.#node], op, fn: checkFunction(op, fn), at: at(op) })
  }

  #next<U>(node: Recipe): Dataset<U> { return new Dataset(this.#flow, node) }

  #join<U>(
    how: Joining['how'], right: unknown, key: unknown, rightKey: unknown, options: JoinOptions | undefined, fn?: unknown,
  ): Dataset<U> {
    return this.#next(joined(this.#node, nodeOf(right, joinName(how)), { how, key, rightKey, options, fn }))
  }

  static {
    ownFlow = dataset => dataset.#flow
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
  readonly #grouping: Grouping

  /** Made by `groupBy`. */
  constructor(flow: Flow, node: Recipe, grouping: Grouping) {
    this.#flow = flow
    this.#node = node
    this.#grouping = grouping
  }

  /** One value for each key. `values` can be iterated once, during the call, and need not fit in memory. */
  map<U>(fn: (key: K, values: Iterable<T>, context: Context) => U & Sync<U>): Dataset<U>
  map<U extends NoPromise>(fn: (key: K, values: Iterable<T>, context: Context) => U): Dataset<U>
  map<U>(fn: (key: K, values: Iterable<T>, context: Context) => U): Dataset<U> {
    return this.#next(grouped(this.#node, this.#grouping, 'map', fn))
  }

  /** Any number of values for each key. */
  flatMap<U>(fn: (key: K, values: Iterable<T>, context: Context) => Iterable<U>): Dataset<U> {
    return this.#next(grouped(this.#node, this.#grouping, 'flatMap', fn))
  }

  /**
   * The values of each key in order (secondary sort), by one key or by several parts, as `sortBy` of a Dataset has them. They are sorted
   * with the keys, on the disk where they are many: `values` need not fit in memory.
   */
  sortBy(by: (value: T, context: Context) => Key, order?: SortOrder): SortedGroups<K, T>
  sortBy(...parts: ReadonlyArray<SortPart<T>>): SortedGroups<K, T>
  sortBy(...given: readonly unknown[]): SortedGroups<K, T> {
    return new SortedGroups((name, fn) => this.#next(sortedGroups<T>(this.#node, this.#grouping, given, name, fn)))
  }

  /** Pairs of the key and its values, merged two at a time, before the shuffle too. `merge` is associative and commutative. */
  reduce(merge: (a: T, b: T) => T): Dataset<[K, T]> {
    checkFunction('reduce', merge)
    return this.#next(folded(this.#node, this.#grouping, merge))
  }

  /** Pairs of the key and the number of its values. */
  count(): Dataset<[K, number]> { return this.#next(folded(this.#node, { ...this.#grouping, value: one }, add)) }

  /** Pairs of the key and the total of its values. */
  aggregate<A>({ zero, add: addTo, merge }: Aggregate<T, A>): Dataset<[K, A]> {
    checkFunction('aggregate (zero)', zero)
    checkFunction('aggregate (add)', addTo)
    checkFunction('aggregate (merge)', merge)
    const value = this.#grouping.value as KeyFunction | undefined
    const zeroOf = freshZero(zero)
    const first = (each: T, context: Context): A => addTo(zeroOf(), (value ? value(each, context) : each) as T)
    return this.#next(folded(this.#node, { ...this.#grouping, value: first }, merge))
  }

  #next<U>(node: Recipe): Dataset<U> { return new Dataset(this.#flow, node) }
}

/** Values by their keys, those of each key in an order. */
export class SortedGroups<K extends Key, T> {
  readonly #next: (name: string, fn: unknown) => Dataset<never>

  /** Made by `sortBy` of groups. */
  constructor(next: (name: string, fn: unknown) => Dataset<never>) { this.#next = next }

  /** One value for each key. `values` can be iterated once, during the call, and need not fit in memory. */
  map<U>(fn: (key: K, values: Iterable<T>, context: Context) => U & Sync<U>): Dataset<U>
  map<U extends NoPromise>(fn: (key: K, values: Iterable<T>, context: Context) => U): Dataset<U>
  map<U>(fn: (key: K, values: Iterable<T>, context: Context) => U): Dataset<U> { return this.#next('map', fn) }

  /** Any number of values for each key. */
  flatMap<U>(fn: (key: K, values: Iterable<T>, context: Context) => Iterable<U>): Dataset<U> { return this.#next('flatMap', fn) }
}

const itself = (value: unknown): unknown => value
const nothing = (): null => null
const one = (): number => 1
const firstOf = <K>(pair: readonly [K, unknown]): K => pair[0]
const secondOf = <V>(pair: readonly [unknown, V]): V => pair[1]
