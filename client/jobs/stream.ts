// Jobs whose mapper and reducer are Unix commands: reads the options, splits the commands into words, reads the files to send along, and
// runs the program of such jobs (docs/examples/programs/stream.ts) with all of it as parameters.

import { basename, isAbsolute, join } from 'node:path'
import { GristmillError } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import { formatBytes } from '../../src/base/units.ts'
import type { CommandWords } from '../../src/plan/node.ts'
import type { Disk } from '../../src/ports/disk.ts'
import { assetHash } from '../../src/program/assets.ts'
import type { CommandParams } from '../../src/program/stream.ts'
import { flagsOf, optionsOf, shown, textOf, type Known } from '../call/arguments.ts'
import { checkInteger } from '../call/integers.ts'
import type { ShippedAsset } from '../load/shipping.ts'
import { streamProgram } from './builtins.ts'
import { commandWords } from './commandwords.ts'
import { readRunOptions, type RunOptions } from './options.ts'
import { runProgram, type RunTools } from './run.ts'
import type { Run } from './running.ts'

/** A command as one text, which is split into words or given to a shell, or as its words. */
export type CommandText = string | readonly string[]

export interface StreamOptions
  extends Omit<
    RunOptions,
    'params' | 'paramTexts' | 'encoding' | 'delimiter' | 'reducers' | 'partitionBytes' | 'withoutRules' | 'detach' | 'onOutput'
  > {
  readonly input: string | readonly string[]
  readonly output: string
  /** Reads lines of the input, and writes lines. Default: the lines pass unchanged. */
  readonly map?: CommandText | undefined
  /**
   * Reads the lines of the map tasks in the order of their keys, and writes lines of the output. Without it, and without `reducers`, the
   * lines of the map tasks are the output. `aggregate`: keys are FUNCTION:KEY, such as LongValueSum:word, as in Hadoop's aggregate package.
   */
  readonly reduce?: CommandText | undefined
  /** Reads lines of one map task in the order of their keys before the shuffle, and writes lines in their place. */
  readonly combine?: CommandText | undefined
  /** Commands that are texts are given to /bin/sh, also those without shell syntax. */
  readonly shell?: boolean | undefined
  /** Local files that the commands find in their working directory, under their base names or the name after a `#`. */
  readonly files?: readonly string[] | undefined
  /** Reduce tasks, and output files; default: 1 with `reduce`. 0: there is no shuffle. */
  readonly reducers?: number | undefined
  /** Where input is cut: at lines (`text`, default), rows of CSV, or JSON lines. The bytes are the same. */
  readonly inputFormat?: 'text' | 'csv' | 'jsonl' | undefined
  /** Between the fields of a line that a mapper writes; default: a tab. */
  readonly fieldSeparator?: string | undefined
  /** Between key and value in a line that a reducer reads; default: `fieldSeparator`. */
  readonly reduceSeparator?: string | undefined
  /** Fields of a line that are its key; default: 1. */
  readonly keyFields?: number | undefined
  /** Fields of the key, from the first, that choose the reduce task; default: the whole key. */
  readonly partitionFields?: number | undefined
  /** Order of the keys, as keys of sort(1): '2nr', '1,2'. Default: by their bytes. */
  readonly order?: string | readonly string[] | undefined
}

const names: Known<StreamOptions> = {
  input: true, output: true, map: true, reduce: true, combine: true, shell: true, files: true, reducers: true, inputFormat: true,
  fieldSeparator: true, reduceSeparator: true, keyFields: true, partitionFields: true, order: true, replication: true, overwrite: true,
  name: true, memoryBytes: true, cpu: true, taskTimeoutMs: true, attemptsMax: true, seed: true, signal: true, onProgress: true, force: true,
  onNote: true, env: true, queue: true, priority: true,
}

/** Parts of a run of commands. */
interface Streamed {
  readonly signal?: AbortSignal | undefined
  readonly run: RunOptions
  readonly params: CommandParams
  readonly files: readonly string[]
}

/** Reads and checks the options of `stream`. Throws EINVAL. */
export function readStreamOptions(given: StreamOptions | null | undefined): Streamed {
  const {
    map, reduce, combine, shell, files = [], reducers, inputFormat = 'text', fieldSeparator, reduceSeparator, keyFields, partitionFields,
    order, ...others
  } = optionsOf<StreamOptions>(given, 'stream', names)
  const run = readRunOptions({ name: 'stream', ...others })
  if (run.input === undefined || run.input.length === 0)
    throw new GristmillError('EINVAL', 'stream has no input; give the files to read (--input)')
  if (run.output === undefined) throw new GristmillError('EINVAL', 'stream has no output; give the directory to publish (--output)')
  flagsOf({ shell }, 'shell')
  checkInteger('number of reducers', reducers, 0, 20_000)
  checkInteger('number of key fields', keyFields, 1, fieldsMax)
  checkInteger('number of fields of a partition', partitionFields, 1, fieldsMax)
  if (!['text', 'csv', 'jsonl'].includes(inputFormat))
    throw new GristmillError('EINVAL', `the input format is ${shown(inputFormat)}; it is text, csv or jsonl`)
  if (!Array.isArray(files)) throw new GristmillError('EINVAL', `the files are ${shown(files)}; they are an array of local paths`)
  const shuffle = reducers === undefined ? reduce !== undefined : reducers > 0
  if (combine !== undefined && !shuffle)
    throw new GristmillError('EINVAL', 'a combiner has no effect without reducers; give a reducer, or a number of reducers')
  const words = (text: CommandText | undefined, name: string): { readonly [Name in string]?: CommandWords } =>
    (text === undefined ? {} : { [name]: wordsOf(text, { name: roles[name]!, shell }) })
  const separator = fieldSeparator === undefined ? undefined : separatorOf(fieldSeparator, 'field separator')
  const { signal } = run
  return {
    signal, run,
    files: files.map(file => textOf(file, 'path of a file', { max: limits.pathBytesMax })),
    params: {
      ...words(map, 'map'), ...shuffle && (reduce === 'aggregate' ? { aggregates: true } : words(reduce, 'reduce')),
      ...words(combine, 'combine'), shuffle,
      format: inputFormat === 'text' ? 'lines' : inputFormat,
      ...separator !== undefined && { separator },
      ...reduceSeparator !== undefined && { joiner: separatorOf(reduceSeparator, 'separator of reducers') },
      ...keyFields !== undefined && { keyFields }, ...partitionFields !== undefined && { partitionFields },
      ...reducers !== undefined && reducers > 0 && { reducers },
      ...order !== undefined && { order: [order].flat().map(orderOf) },
    },
  }
}

/** A line with more fields in its key is hardly meant. */
const fieldsMax = 1000
const roles: Readonly<Record<string, string>> = { map: 'mapper', reduce: 'reducer', combine: 'combiner' }

function wordsOf(given: CommandText, { name, shell }: { readonly name: string; readonly shell: boolean | undefined }): CommandWords {
  if (typeof given === 'string') return commandWords(given, { name, shell })
  if (!Array.isArray(given) || given.length === 0 || given.some(word => typeof word !== 'string' || word.includes('\0')) || given[0] === '')
    throw new GristmillError('EINVAL', `the ${name} is ${shown(given)}; it is a text, or an array of a program and its arguments`)
  return [...given] as unknown as CommandWords
}

function separatorOf(given: unknown, name: string): string {
  if (typeof given === 'string' && given !== '' && given.length <= 100 && !given.includes('\n')) return given
  throw new GristmillError('EINVAL', `the ${name} is ${shown(given)}; it is a text without line ends, such as a tab or a comma`)
}

/** Key of sort(1): first field, last field, `n` for numbers, `r` for the opposite order. */
function orderOf(text: unknown): NonNullable<CommandParams['order']>[number] {
  const found = typeof text === 'string' ? /^(?:-k\s*)?(\d+)([nr]*)(?:,(\d+)([nr]*))?$/.exec(text.trim()) : null
  const [, first, flags = '', last, more = ''] = found ?? []
  if (first === undefined || Number(first) < 1 || Number(first) > fieldsMax || (last !== undefined && Number(last) < Number(first)))
    throw new GristmillError('EINVAL', `the order ${shown(text)} is not known; it is a field such as 2, or fields 1,2, with n for numbers and r for the opposite order: 2nr`)
  const all = flags + more
  return {
    first: Number(first), ...last !== undefined && { last: Number(last) }, numeric: all.includes('n'), reverse: all.includes('r'),
  }
}

export async function runStream(tools: RunTools, { run, params, files }: Streamed): Promise<Run> {
  const shipped = await readFiles(tools.disk, tools.workingDirectory, files)
  const own = { ...params, files: shipped.map(({ name, executable }) => ({ name, executable })) }
  return runProgram(tools, streamProgram, { ...run, params: own }, { shipped })
}

interface ShippedFile extends ShippedAsset { readonly executable: boolean }

async function readFiles(disk: Disk, directory: string, files: readonly string[]): Promise<ShippedFile[]> {
  const read = new Map<string, ShippedFile>()
  let total = 0
  for (const file of files) {
    const { path, name } = placeOf(file, directory)
    const found = await disk.stat(path, { follow: true })
    if (!found) throw new GristmillError('ENOENT', `there is no file ${path} to send along; check its path`, { details: { path } })
    if (found.kind !== 'file')
      throw new GristmillError('EINVAL', `${path} cannot be sent along: it is no file; name the files of a directory one by one`, { details: { path } })
    if (read.has(name))
      throw new GristmillError('EINVAL', `two files to send along have the name ${name}; give one of them another name: ${path}#NAME`)
    total += found.bytes
    if (total > limits.assetsBytesMax || read.size >= limits.assetsMax)
      throw new GristmillError(
        'TOO_LARGE',
        `the files to send along may have ${formatBytes(limits.assetsBytesMax)} in ${limits.assetsMax} files; put larger ones on the datanodes`,
        { details: { path } },
      )
    const content = await disk.readFile(found.path ?? path)
    read.set(name, { name, id: assetHash(content), bytes: content.length, content, executable: ((found.mode ?? 0) & 0o111) !== 0 })
  }
  return [...read.values()]
}

/** Path and name of `path` or `path#name`. */
function placeOf(file: string, directory: string): { path: string; name: string } {
  const [, named, alias] = /^(.+)#([^#/]+)$/s.exec(file) ?? [undefined, file, undefined]
  const name = alias ?? basename(named!)
  if (name === '' || name === '.' || name === '..' || name === 'tmp')
    throw new GristmillError('EINVAL', `the file ${file} cannot have the name ${JSON.stringify(name)} in the working directory; give it another one: ${named!}#NAME`)
  return { path: isAbsolute(named!) ? named! : join(directory, named!), name }
}
