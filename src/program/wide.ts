// Recipes of the wide methods of Datasets, those that move values between tasks: sorts, joins, folds by key. Each is several nodes of a
// plan. Part of every bundle, as dataset.ts is.

import type { Key } from '../base/pair.ts'
import { checkFunction, checkJoin, checkShuffle, showGiven, type JoinOptions, type ShuffleOptions } from './arguments.ts'
import type { Context } from './definition.ts'
import { at, type Place, type Recipe, type SortRecipe, type KeyFunction } from './recipe.ts'

export type SortOrder = 'asc' | 'desc'
/** Key of one part of a sort, and its order. */
export type SortPart<T> = readonly [by: (value: T, context: Context) => Key, order?: SortOrder]

/** Pairs and shuffle of `groupBy`. */
export interface Grouping {
  readonly key: unknown
  /** Value of a pair; default: the value itself. */
  readonly value?: unknown
  readonly at: Place
  /** Fields of the shuffle. */
  readonly partitions: object
}

const ungrouped = (shuffle: Recipe): Recipe => ({ kind: 'ungroup', inputs: [shuffle] })

/** Values of `node` in order: sampled keys divide them into ranges. `given`: arguments of `sortBy`. */
export function sorted<T>(node: Recipe, given: readonly unknown[]): Recipe {
  const { key, options } = sortOf<T>('sortBy', given)
  const partitions = checkShuffle('sortBy', options)
  const place = { at: at('sortBy') }
  const samples: Recipe = { kind: 'sampleKeys', inputs: [node], key, ...place }
  const sample: Recipe = { kind: 'shuffle', inputs: [samples], partitions: 1, exact: true }
  const pairs: Recipe = { kind: 'key', inputs: [node], key, ...place }
  return ungrouped({ kind: 'shuffle', inputs: [pairs, sample], ranges: true, ...partitions })
}

/** The first `count` values of an order. `given`: arguments of `top` after its count. */
export function topmost<T>(node: Recipe, count: number, given: readonly unknown[]): Recipe {
  const { key } = sortOf<T>('top', given)
  const best: Recipe = { kind: 'top', inputs: [node], key, count, at: at('top') }
  const all = ungrouped({ kind: 'shuffle', inputs: [best], partitions: 1, exact: true })
  return { kind: 'limit', inputs: [all], count }
}

/** Values of `node` in this number of partitions: in turn, or by a key. */
export function spread(name: string, node: Recipe, partitions: number, key?: unknown): Recipe {
  const pairs: Recipe = { kind: 'key', inputs: [node], ...key !== undefined && { key }, at: at(name) }
  const shuffle: Recipe = { kind: 'shuffle', inputs: [pairs], partitions, exact: true }
  return ungrouped(key === undefined ? { ...shuffle, partition: inTurn } : shuffle)
}

export interface Joining {
  readonly how: 'inner' | 'left' | 'right' | 'full' | 'semi' | 'anti' | 'group'
  readonly key: unknown
  readonly rightKey: unknown
  readonly options?: JoinOptions | undefined
  /** Function of `coGroup`. */
  readonly fn?: unknown
}

export const joinName = (how: Joining['how']): string => (how === 'group' ? 'coGroup' : how === 'inner' ? 'join' : `${how}Join`)

export function joined(left: Recipe, right: Recipe, { how, key, rightKey, options, fn }: Joining): Recipe {
  const name = joinName(how)
  const { shuffle, join } = checkJoin(name, how, options)
  const place = { at: at(name) }
  const side = (node: Recipe, by: unknown): Recipe => ({
    kind: 'shuffle', inputs: [{ kind: 'key', inputs: [node], key: checkFunction(name, by), ...place }], ...shuffle,
  })
  return { kind: 'join', inputs: [side(left, key), side(right, rightKey)], how, ...join, ...place, ...fn !== undefined && { fn } }
}

/** One pair of each key: its values merged two at a time, before the shuffle too. */
export function folded<V>(node: Recipe, grouping: Grouping, merge: (a: V, b: V) => V): Recipe {
  const combine = (_key: Key, values: Iterable<V>): V => {
    let total: V | undefined
    let isFirst = true
    for (const each of values) {
      total = isFirst ? each : merge(total as V, each)
      isFirst = false
    }
    return total as V
  }
  const pairs: Recipe = { kind: 'combine', inputs: [pairsOf(node, grouping)], fn: combine }
  return { kind: 'fold', inputs: [{ kind: 'shuffle', inputs: [pairs], ...grouping.partitions }], fn: combine, at: grouping.at }
}

/** Results of a function of each key and its values: one, or any number for `flatMap`. */
export function grouped(node: Recipe, grouping: Grouping, name: string, fn: unknown): Recipe {
  const shuffle: Recipe = { kind: 'shuffle', inputs: [pairsOf(node, grouping)], ...grouping.partitions }
  return { kind: 'group', inputs: [shuffle], fn: checkFunction(`${name} of groups`, fn), flat: name === 'flatMap', at: at(name) }
}

/** Results of a function of each key and its values in an order. `parts`: arguments of `sortBy`. */
export function sortedGroups<T>(
  node: Recipe, { key, at: place, partitions }: Grouping, parts: readonly unknown[], name: string, fn: unknown,
): Recipe {
  const { sort } = sortOf<T>('sortBy', parts).key
  const whole: SortRecipe = { sort: [{ by: key as KeyFunction, descending: false }, ...sort] }
  const pairs: Recipe = { kind: 'key', inputs: [node], key: whole, at: place }
  const shuffle: Recipe = { kind: 'shuffle', inputs: [pairs], ...partitions, partition: { byFirst: true } }
  return { kind: 'sortedGroup', inputs: [shuffle], fn: checkFunction(`${name} of groups`, fn), flat: name === 'flatMap', at: at(name) }
}

const pairsOf = (node: Recipe, { key, value, at: place }: Grouping): Recipe =>
  ({ kind: 'key', inputs: [node], key, at: place, ...value !== undefined && { value } })

const inTurn = (key: number, partitions: number): number => key % partitions

function sortOf<T>(name: string, given: readonly unknown[]): { key: SortRecipe; options: ShuffleOptions | undefined } {
  const isParts = Array.isArray(given[0])
  const parts = (isParts ? given : [[given[0], given[1]]]) as ReadonlyArray<SortPart<T>>
  const sort = parts.map(part => {
    if (!Array.isArray(part)) throw new TypeError(`${name} was given ${showGiven(part)} as a part; a part is [value => key, 'asc' or 'desc']`)
    const [by, order = 'asc'] = part as unknown as SortPart<T>
    if (order !== 'asc' && order !== 'desc') throw new TypeError(`${name} was given the order ${showGiven(order)}; it is 'asc' or 'desc'`)
    return { by: checkFunction(name, by) as KeyFunction, descending: order === 'desc' }
  })
  return { key: { sort }, options: isParts ? undefined : given[2] as ShuffleOptions | undefined }
}
