// The dialect of Hadoop Streaming: its options in the words of `gristmill stream`, and its settings (-D) as options. Option names and
// settings are those of Hadoop's documentation, with the names of old releases. Pure.

import { GristmillError } from '../../../src/base/errors.ts'
import type { StreamOptions } from '../../jobs/stream.ts'

export type HadoopSetting = readonly [name: string, value: string]

/** Options with a value, and the option that has the same meaning. */
const valued: Readonly<Record<string, string>> = {
  mapper: '--map', reducer: '--reduce', combiner: '--combine', input: '--input', output: '--output', file: '--file',
  numReduceTasks: '--reducers', cmdenv: '--env', D: '--define', jobconf: '--define',
}
/** Options without effect here. */
const ignored: ReadonlySet<string> = new Set(['verbose', 'lazyOutput', 'debug'])
/** Classes that stand for what happens in any case, by the last part of their names. */
const usual: Readonly<Record<string, readonly string[]>> = {
  inputformat: ['TextInputFormat', 'KeyValueTextInputFormat'], outputformat: ['TextOutputFormat'],
  partitioner: ['HashPartitioner', 'KeyFieldBasedPartitioner'], io: ['text'],
}
const reduceNames = /^mapred(?:uce\.job\.reduces|\.reduce\.tasks)=/

/**
 * Words of the command line with Hadoop's options replaced. Without a reducer Hadoop sorts the lines of the mapper, unless it is told not
 * to.
 */
export function asHadoopWords(words: readonly string[]): string[] {
  const made: string[] = []
  let isHadoop = false
  let hasReduce = false
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!
    const [, name, attached] = /^-(D)(.+)$/s.exec(word) ?? /^-([A-Za-z]{2,}|D)$/.exec(word) ?? []
    if (name === undefined) {
      made.push(word)
      // The value of an option may look like one of Hadoop's.
      if (/^(?:--[a-z-]+|-[io])$/.test(word) && !flags.has(word) && i + 1 < words.length) made.push(words[++i]!)
      continue
    }
    isHadoop = true
    if (ignored.has(name)) continue
    if (name === 'background') {
      made.push('--detach')
      continue
    }
    const value = attached ?? words[++i]
    if (value === undefined) throw new GristmillError('USAGE', `-${name} needs a value`)
    hasReduce ||= decidesReduce(name, value)
    made.push(...translated(name, value))
  }
  return isHadoop && !hasReduce ? [...made, '--reducers=1'] : made
}

/** The option says whether there is a reducer. */
function decidesReduce(name: string, value: string): boolean {
  if (name === 'reducer') return !/\bIdentityReducer$/.test(value)
  return name === 'numReduceTasks' || ((name === 'D' || name === 'jobconf') && reduceNames.test(value))
}

/** Our options without values, which are followed by no value. */
const flags: ReadonlySet<string> = new Set(['--shell', '--overwrite', '--force', '--detach', '--json', '--quiet', '--help', '--verbose'])

function translated(name: string, value: string): string[] {
  const last = value.split('.').at(-1)!
  if (name === 'files') return value.split(',').map(file => `--file=${file.replace(/^file:(?:\/\/(?=\/))?/, '')}`)
  if (name === 'input') return value.split(',').map(path => `--input=${path}`)
  if (name === 'reducer' && value === 'NONE') return ['--reducers=0']
  if (name === 'reducer' && value === 'org.apache.hadoop.mapred.lib.aggregate.ValueAggregatorReducer') return ['--reduce=aggregate']
  if (last === 'IdentityMapper' || last === 'IdentityReducer') return []
  const known = valued[name]
  if (known !== undefined) {
    if (value.startsWith('org.apache.hadoop.'))
      throw new GristmillError('USAGE', `-${name} ${value}: a Java class cannot be run here; give a command`)
    return [`${known}=${value}`]
  }
  const names = usual[name]
  if (names?.includes(last)) return []
  throw new GristmillError(
    'USAGE',
    names
      ? `-${name} ${value} is not supported; supported: ${names.join(', ')}`
      : `-${name} is no option of stream; ${advice[name] ?? 'see gristmill help streaming for the options of Hadoop that are accepted'}`,
  )
}

const advice: Readonly<Record<string, string>> = {
  archives: 'send the files along one by one (-files), or unpack an archive in the mapper',
  cacheArchive: 'send the files along one by one (-files), or unpack an archive in the mapper',
  cacheFile: 'send a local file along (-file), or read a file of the cluster as input',
  libjars: 'Java classes cannot be run here; give commands',
  mapdebug: 'stderr of a command is in gristmill logs', reducedebug: 'stderr of a command is in gristmill logs',
}

type Settings = Pick<StreamOptions, 'name' | 'reducers' | 'fieldSeparator' | 'reduceSeparator' | 'keyFields' | 'partitionFields' | 'order'>

/**
 * Options for Hadoop's settings, and the environment that commands get of all of them: their names with `_` for other characters. Throws
 * USAGE for a setting that would change the result and is not supported.
 */
export function settingsOf(definitions: readonly HadoopSetting[]): Settings & { readonly environment: Record<string, string> } {
  const options: { -readonly [K in keyof Settings]: Settings[K] } = {}
  const environment: Record<string, string> = {}
  for (const [name, value] of definitions) {
    environment[name.replace(/[^A-Za-z0-9_]/g, '_')] = value
    const known = settings[name]
    if (known) Object.assign(options, known(value, name))
    // Hadoop's reducers read a tab between key and value, whatever the mappers write.
    if (name === 'stream.map.output.field.separator') options.reduceSeparator ??= '\t'
  }
  return { ...options, environment }
}

function count(value: string, name: string): number {
  if (/^\d{1,6}$/.test(value)) return Number(value)
  throw new GristmillError('USAGE', `-D ${name}=${value}: the value must be a whole number`)
}

function partitionOf(value: string, name: string): Settings {
  const found = /^\s*-k\s*1,(\d+)\s*$/.exec(value)
  if (found) return { partitionFields: Number(found[1]) }
  throw new GristmillError('USAGE', `-D ${name}=${value} is not supported; whole fields from the first one are: -k1,2`)
}

function orderOf(value: string): Settings {
  const keys = value.match(/-k\s*\S+/g)?.map(key => key.replace(/^-k\s*/, '')) ?? []
  const common = value.replace(/-k\s*\S+/g, '').replace(/[^nr]/g, '')
  return { order: keys.length === 0 ? [`1${common}`] : keys.map(key => (/[nr]/.test(key) ? key : `${key}${common}`)) }
}

function comparatorOf(value: string, name: string): Settings {
  if (/(?:^|\.)(?:KeyFieldBasedComparator|Text(?:\$Comparator)?)$/.test(value)) return {}
  throw new GristmillError('USAGE', `-D ${name}=${value}: a Java class cannot be run here; supported: KeyFieldBasedComparator`)
}

const settings: Readonly<Record<string, (value: string, name: string) => Settings>> = {
  'mapreduce.job.name': name => ({ name }), 'mapred.job.name': name => ({ name }),
  'mapreduce.job.reduces': (value, name) => ({ reducers: count(value, name) }),
  'mapred.reduce.tasks': (value, name) => ({ reducers: count(value, name) }),
  'stream.num.map.output.key.fields': (value, name) => ({ keyFields: count(value, name) }),
  'stream.map.output.field.separator': fieldSeparator => ({ fieldSeparator }),
  'stream.reduce.input.field.separator': reduceSeparator => ({ reduceSeparator }),
  'num.key.fields.for.partition': (value, name) => ({ partitionFields: count(value, name) }),
  'mapreduce.partition.keypartitioner.options': partitionOf, 'mapred.text.key.partitioner.options': partitionOf,
  'mapreduce.partition.keycomparator.options': orderOf, 'mapred.text.key.comparator.options': orderOf,
  'mapreduce.job.output.key.comparator.class': comparatorOf, 'mapred.output.key.comparator.class': comparatorOf,
}
