// `commands`: the program behind `gristmill stream`, whose steps are Unix commands. All of it are parameters of the run. Part of every
// bundle, as authoring.ts is.

import { dataflow, type Dataflow } from './dataflow.ts'
import type { Recipe } from './recipe.ts'
import type { Params } from './definition.ts'

/** Parameters of `commands`, beside `input` and `output`. A command is its program and arguments. */
export interface CommandParams {
  /** Default: lines pass unchanged. */
  readonly map?: readonly string[]
  /** Reads the lines of the map tasks in the order of their keys. Default: the lines themselves in that order. */
  readonly reduce?: readonly string[]
  /** In place of `reduce`: keys are FUNCTION:KEY, such as LongValueSum:word. */
  readonly aggregates?: boolean
  /** Default: true. False: the lines of the map tasks are the output. */
  readonly shuffle?: boolean
  readonly combine?: readonly string[]
  /** Partitions of the shuffle. Default: 1. */
  readonly reducers?: number
  /** Where input is cut: `lines` (default), `csv`, `jsonl`. */
  readonly format?: 'lines' | 'csv' | 'jsonl'
  /** Between the fields of a line. Default: a tab. */
  readonly separator?: string
  /** Between key and value in the lines that the reducer reads. Default: `separator`. */
  readonly joiner?: string
  /** Fields of the key. Default: 1. */
  readonly keyFields?: number
  /** Fields of the key, from the first, that choose the partition. Default: the whole key. */
  readonly partitionFields?: number
  /** Order of keys by their fields; default: by their bytes. */
  readonly order?: ReadonlyArray<{ readonly first: number, readonly last?: number, readonly numeric: boolean, readonly reverse: boolean }>
  readonly files?: ReadonlyArray<{ readonly name: string; readonly executable: boolean }>
}

export const commands = (): Dataflow => dataflow({ params: undefined, assets: [], build: async params => recipeOf(params) })

function recipeOf(given: Params): Recipe {
  const { input, output } = given
  const {
    map, reduce, combine, shuffle = true, format = 'lines', separator = '\t', joiner = separator, keyFields = 1, partitionFields, reducers,
    order, files = [], aggregates = false,
  } = given as CommandParams
  if (input === undefined) throw new TypeError('there is no input: give the files to read (--input)')
  if (typeof output !== 'string') throw new TypeError('there is no output: give the directory to publish (--output)')
  // UTF-8 is not checked: the commands get the bytes as they are. A file that is UTF-16 has no lines, and is refused.
  const options = { format, encoding: 'utf8', ...format === 'csv' && { header: false } }
  const read: Recipe = { kind: 'read', inputs: [], options, paths: Array.isArray(input) ? input : [input] }
  const fields = { separator: bytesOf(separator), joiner: bytesOf(joiner), keyFields, ...order && { order } }
  const command = { kind: 'command', fields, files }
  const mapped: Recipe = { ...command, inputs: [read], role: 'map', ...map && { argv: map }, ...combine && { combine } }
  const write = (from: Recipe): Recipe => ({ kind: 'write', inputs: [from], path: output, output: { format: 'text', raw: true } })
  if (!shuffle) return write(mapped)
  const shuffled: Recipe = {
    kind: 'shuffle', inputs: [mapped], partitions: reducers,
    partition: partitionFields === undefined ? undefined : byFields(partitionFields, fields.separator),
  }
  return write({ ...command, inputs: [shuffled], role: 'reduce', ...reduce && { argv: reduce }, ...aggregates && { aggregates } })
}

/** Text of which each character is a byte, as the keys and values of commands are. */
const bytesOf = (text: string): string => Buffer.from(text, 'utf8').toString('latin1')

/** Partition by the first fields of the key. */
const byFields = (count: number, separator: string) => (given: string | readonly unknown[], partitions: number): number => {
  // With an order of fields, the text is the last item.
  const key = typeof given === 'string' ? given : given.at(-1) as string
  const end = fieldsEnd(key, separator, count)
  return hashOf(key, end < 0 ? key.length : end) % partitions
}

/** Position of the separator after the first `count` fields; -1 if none follows them. REQUIRES: count is at least 1. */
export function fieldsEnd(line: string, separator: string, count: number): number {
  let at = line.indexOf(separator)
  for (let i = 1; i < count && at >= 0; i++) at = line.indexOf(separator, at + separator.length)
  return at
}

/** FNV-1a, with its bits mixed so that the low ones depend on all. */
function hashOf(text: string, end: number): number {
  let hash = 0x811c_9dc5
  for (let i = 0; i < end; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x0100_0193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b)
  return (hash ^ (hash >>> 13)) >>> 0
}
