// stream: runs Unix commands as mapper and reducer of a job. Accepts the options of Hadoop Streaming, too (hadoop.ts).

import { GristmillError } from '../../../src/base/errors.ts'
import { priorityMax } from '../../../src/base/jobqueues.ts'
import { limits } from '../../../src/base/limits.ts'
import { normalise } from '../../../src/base/paths.ts'
import { parseBytes, parseDuration } from '../../../src/base/units.ts'
import type { StreamOptions } from '../../jobs/stream.ts'
import type { CommandContext } from '../context.ts'
import { oneOf, option, whole, type CommandSpec } from '../spec.ts'
import { asHadoopWords, settingsOf, type HadoopSetting } from './hadoop.ts'
import { advised, checkForce, environmentOf, follow } from './run.ts'

export const stream: CommandSpec = {
  name: 'stream', args: '',
  about: 'run Unix commands as mapper and reducer',
  notes:
    'The mapper reads lines of the input and writes lines; the text before the first tab of such a line is its key. The reducer reads the lines in the order of their keys, all lines of a key in one process, and writes the output. Without a reducer the lines of the mapper are the output.\n'
    + 'A command is split at spaces outside of quotes; one with pipes, redirections or variables outside of quotes is run by /bin/sh. Exit code 0 means success; the end of stderr is shown if a command fails, and all of it is in `gristmill logs`.\n'
    + 'The options of Hadoop Streaming are accepted: -mapper -reducer -combiner -input -output -file -files -numReduceTasks -cmdenv -partitioner -D. See gristmill help streaming.',
  options: [
    option('-i, --input <path>', 'file, directory or glob to read; may be repeated', { repeat: true }),
    option('-o, --output <path>', 'output directory'),
    option('--map <command>', 'mapper (default: the lines pass unchanged)'),
    option('--reduce <command>', 'reducer, or aggregate (default: none; with --reducers, the lines in the order of their keys)'),
    option('--combine <command>', 'combiner: reduces the lines of one map task before they are sent'),
    option('--shell', 'run all commands by /bin/sh'),
    option('--file <path[#name]>', 'local file for the working directory of the commands; may be repeated', { repeat: true }),
    option('--reducers <n>', 'number of reduce tasks and output parts; 0 for none (default: 1 with a reducer)', { parse: whole(0, 20_000) }),
    option('--input-format <name>', 'where input is cut: text, csv or jsonl; the bytes stay as they are (default: text)', {
      parse: oneOf('text', 'csv', 'jsonl'),
    }),
    option('--field-separator <text>', 'what separates the fields of a mapper\'s lines; \\t for a tab (default: a tab)', { parse: separator }),
    option('--reduce-separator <text>', 'what separates key and value in a reducer\'s lines (default: the field separator)', { parse: separator }),
    option('--key-fields <n>', 'number of fields, from the first, that are the key (default: 1)', { parse: whole(1, 1000) }),
    option('--partition-fields <n>', 'number of fields of the key that choose the reduce task (default: the whole key)', { parse: whole(1, 1000) }),
    option('--order <field>', 'order of keys by a field, as in sort(1): 2, 1,2 or 2nr for numbers in reverse; may be repeated', { repeat: true }),
    option('--env <name[=value]>', 'environment variable of the commands; without a value, taken from this shell; may be repeated', {
      repeat: true,
    }),
    option('--define <name=value>', 'setting with its name in Hadoop (-D); may be repeated', { parse: definition, repeat: true }),
    option('--overwrite', 'atomically replace the output of an earlier job, if it exists'),
    option('--force', 'with --overwrite: replace any directory, also one without _SUCCESS or with subdirectories'),
    option('--name <name>', 'name of the job (default: stream)'),
    option('--memory <size>', 'memory limit of one executor, for instance 512MiB; commands are not counted', { parse: parseBytes }),
    option('--cpu <n>', 'slots of a datanode that each task takes (default: 1)', { parse: whole(1, limits.taskSlotsMax) }),
    option('--task-timeout <time>', 'time limit of one attempt, for instance 10m', { parse: parseDuration }),
    option('--queue <name>', 'queue by which its tasks get slots (default: default)'),
    option('--priority <n>', 'jobs of its queue with a lower one get slots after it; -100 to 100 (default: 0)', {
      parse: whole(-priorityMax, priorityMax),
    }),
    option('--attempts <n>', 'maximum attempts of one task before the job fails', { parse: whole(1, 100) }),
    option('--detach', "print the job's id and do not wait"),
  ],
  examples: [
    [`gristmill stream -i /logs -o /hits --map "awk '{ print \\$1 }'" --reduce 'uniq -c'`, 'requests of each address'],
    ['gristmill stream -i /logs -o /errors --map "grep -a ERROR || true"', 'without a reducer; grep alone fails where nothing matches'],
    ['gristmill stream -i /books -o /words --map map.py --reduce red.py --file map.py --file red.py --reducers 4', 'own programs, sent along'],
    ['gristmill stream -input /books -output /words -mapper map.py -reducer red.py -file map.py -file red.py', 'as for Hadoop Streaming'],
  ],
  rewrite: asHadoopWords,
  run: runStream,
}

function separator(text: string): string {
  return text === '\\t' || text === 'tab' ? '\t' : text
}

function definition(text: string): HadoopSetting {
  const at = text.indexOf('=')
  if (at < 1) throw new GristmillError('EINVAL', `"${text}" is no setting; write NAME=VALUE`)
  return [text.slice(0, at), text.slice(at + 1)]
}

interface StreamFlags {
  input?: string[]
  output?: string
  map?: string
  reduce?: string
  combine?: string
  shell?: boolean
  file?: string[]
  reducers?: number
  inputFormat?: 'text' | 'csv' | 'jsonl'
  fieldSeparator?: string
  reduceSeparator?: string
  keyFields?: number
  partitionFields?: number
  order?: string[]
  env?: string[]
  define?: HadoopSetting[]
  overwrite?: boolean
  force?: boolean
  name?: string
  memory?: number
  cpu?: number
  taskTimeout?: number
  attempts?: number
  queue?: string
  priority?: number
  detach?: boolean
}

async function runStream(context: CommandContext, _operands: readonly string[], flags: StreamFlags): Promise<void> {
  checkForce(flags)
  const { input, output } = flags
  if (input === undefined) throw new GristmillError('USAGE', 'give the files to read: --input PATH')
  if (output === undefined) throw new GristmillError('USAGE', 'give the directory to publish: --output PATH')
  const mill = await context.mill()
  const { environment, ...defined } = settingsOf(flags.define ?? [])
  const env = { ...environment, ...environmentOf(flags.env ?? [], context.env) }
  const { map, reduce, combine, shell, file, reducers, inputFormat, fieldSeparator, reduceSeparator, keyFields } = flags
  const { partitionFields, order, name, memory, cpu, taskTimeout, attempts, queue, priority } = flags
  const options: StreamOptions = {
    ...defined, ...given({ map, reduce, combine, shell, files: file, reducers, inputFormat, fieldSeparator, reduceSeparator, keyFields }),
    ...given({
      partitionFields, order, name, memoryBytes: memory, cpu, taskTimeoutMs: taskTimeout, attemptsMax: attempts, queue, priority,
    }),
    input, output: normalise(output), env, overwrite: flags.overwrite === true, force: flags.force === true,
    onNote: line => context.note(line),
    // A detached job must outlive this process.
    ...flags.detach ? {} : { signal: context.signal },
  }
  await follow(context, await advised(mill.stream(options)), 'stream', flags)
}

/** The options that are given. */
const given = (options: Partial<StreamOptions>): Partial<StreamOptions> =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
