// Actions of Datasets: the steps that they ask the engine for. Part of every bundle, as dataset.ts is.

import { checkFunction, showGiven } from './arguments.ts'
import type { Check, Context } from './definition.ts'
import { checkOptions } from './options.ts'
import { at, type Action, type OutsideOptions, type Recipe } from './recipe.ts'
import type { OutputOptions } from '../base/formats.ts'

/** Options of `save`, beside the output's path. */
export interface SaveOptions {
  /** `text` (default): a value a line; a pair [key, value] as key, tab, value. `jsonl`; `csv`; `avro`, with its `schema`. */
  readonly format?: OutputOptions['format'] | undefined
  readonly delimiter?: string | undefined
  readonly header?: boolean | undefined
  readonly columns?: readonly string[] | undefined
  /** avro: the schema of a value, as an object or as its JSON. */
  readonly schema?: object | string | undefined
  /** avro: `deflate` (default) or `null`. */
  readonly codec?: OutputOptions['codec']
  /** Replicas of the output files; default: the cluster's. */
  readonly replication?: number | undefined
  /** Of a table of PostgreSQL: rows take the places of all others (swap, default), are added, or replace those of the same `key`. */
  readonly mode?: OutsideOptions['mode']
  /** Also the columns of the key of messages of Kafka. */
  readonly key?: readonly string[] | undefined
  /** Looks at the whole output before it is published, in a task of its own. */
  readonly check?: Check | undefined
}

/** Files in a new directory. */
export function saving(node: Recipe, path: string, options: SaveOptions): Action {
  if (typeof path !== 'string' || path === '')
    throw new TypeError(`save was given the path ${showGiven(path)}; give a directory of the cluster, in the program or with --output`)
  const { check, mode, key, ...others } = options
  checkOptions('the options of save', others, 'output')
  const isRows = isTable(path) || isTopic(path)
  if (!isRows && (mode !== undefined || key !== undefined))
    throw new TypeError(`mode and key of save belong to a table of PostgreSQL, postgres://HOST/DATABASE/TABLE, and the path is ${showGiven(path)}`)
  if (isTopic(path) && mode !== undefined) throw new TypeError('mode of save belongs to a table of PostgreSQL; a topic of Kafka gets messages more')
  const { format = isRows ? 'jsonl' : 'text', replication, ...output } = others
  if (isRows && (format === 'text' || format === 'avro'))
    throw new TypeError(
      `a ${isTable(path) ? 'table of PostgreSQL' : 'topic of Kafka'} takes objects, as jsonl (default) or csv, and not ${format}`,
    )
  const root: Recipe = {
    kind: 'write', inputs: [node], path, output: { format, ...output, ...replication !== undefined && { replication } },
    ...check !== undefined && { check: checkFunction('the check of save', check) },
  }
  return { method: 'save', root, ...isRows && { outside: { mode, key } } }
}

/** True for the address of a table of PostgreSQL. */
export const isTable = (path: string): boolean => /^postgres(?:ql)?:\/\//i.test(path)

/** True for the address of a topic of Kafka. */
export const isTopic = (path: string): boolean => /^kafka:\/\//i.test(path)

/** Values that are returned to the program; `first`: only so many of them. */
export function returning(method: string, node: Recipe, first?: number): Action {
  // Text: a line for each value, which holds its encoding.
  const lines: Recipe = { kind: 'encode', inputs: [node], at: at(method) }
  const root: Recipe = { kind: 'write', inputs: [lines], result: true, output: { format: 'text' } }
  return { method, root, ...first !== undefined && { first } }
}

/** One value of each task: its values merged two at a time, in order. */
export const merging = (method: string, node: Recipe, merge: unknown): Action =>
  returning(method, { kind: 'total', inputs: [node], fn: checkFunction(method, merge), at: at(method) })

/** The number of values of each task. */
export const counting = (node: Recipe): Action =>
  merging('count', { kind: 'each', inputs: [node], op: 'map', fn: one, at: at('count') }, add)

/** A function that is called once in each task. */
export function visiting(node: Recipe, fn: unknown): Action {
  checkFunction('forEachPartition', fn)
  const visit = async (values: AsyncIterable<unknown>, context: Context): Promise<readonly unknown[]> => {
    await (fn as (values: AsyncIterable<unknown>, context: Context) => unknown)(values, context)
    return []
  }
  return returning('forEachPartition', { kind: 'partition', inputs: [node], fn: visit, at: at('forEachPartition') })
}

const one = (): number => 1
export const add = (a: number, b: number): number => a + b
