// Command specifications of group Jobs.

import { GristmillError } from '../../../src/base/errors.ts'
import { textEncodings } from '../../../src/base/formats.ts'
import { parseBytes, parseDuration } from '../../../src/base/units.ts'
import { isKept } from '../../../src/record/integers.ts'
import { option, oneOf, whole, type CommandSpec, type CommandGroup } from '../spec.ts'
import { parseDelimiter } from './files.ts'

/**
 * Parses `name=value`. A value that is JSON (true, a list, an object) is taken as JSON. A number is taken as a number only if it
 * is written as JavaScript writes it: `1.10`, `1e999` and integers beyond 2^53 stay text. Lists and objects with a number that no
 * double holds exactly, or with a repeated name, are refused.
 */
export function parseParam(text: string): readonly [string, unknown] {
  const at = text.indexOf('=')
  if (at < 1) throw new GristmillError('EINVAL', `"${text}" is not a parameter; write name=value`)
  const name = text.slice(0, at)
  const value = text.slice(at + 1)
  let bent: string | undefined
  let parsed: unknown
  try {
    parsed = JSON.parse(value, ((_key: string, item: unknown, { source }: { source?: string }) => {
      if (typeof item === 'number' && !isKept(source!, item)) bent ??= source
      return item
    }) as (key: string, item: unknown) => unknown)
  } catch {
    return [name, value]
  }
  if (typeof parsed === 'number') return [name, String(parsed) === value.trim() ? parsed : value]
  const twice = repeatedName(value)
  if (twice !== undefined)
    throw new GristmillError('EINVAL', `the parameter ${name} has an object with the name ${twice} twice; leave one of them out`)
  if (bent === undefined) return [name, parsed]
  throw new GristmillError(
    'EINVAL',
    `the number ${bent} of the parameter ${name} would be changed to ${Number(bent)}; put it in quotes, and the program gets a string`,
  )
}

/** The first name that occurs twice in one object of a JSON text, as written there; undefined if there is none. */
function repeatedName(text: string): string | undefined {
  const open: (Set<string> | undefined)[] = []
  let string = ''
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]:]/g)) {
    if (token === '{') open.push(new Set())
    else if (token === '[') open.push(undefined)
    else if (token === '}' || token === ']') open.pop()
    else if (token === ':') {
      const name = JSON.parse(string) as string
      if (open.at(-1)!.has(name)) return string
      open.at(-1)!.add(name)
    } else string = token
  }
  return undefined
}

const run: CommandSpec = {
  name: 'run', args: '<program>',
  about: 'run a map-reduce program and wait for it',
  notes:
    'The program is a TypeScript or JavaScript module whose default export is mapReduce({…}); its npm imports are bundled with it.\n'
    + 'The output directory appears complete when the job has succeeded, otherwise not at all. Ctrl-C kills the job.\n'
    + 'Files whose names begin with _ or . are skipped unless a path or glob names them explicitly; the skipped files are reported.\n'
    + 'An output that contains an input, or that would itself be read as input, is refused. A directory replaced by --overwrite goes to the trash; the new one keeps its mode, owner, quota and attributes.\n'
    + 'If the computed output cannot be published, it is kept for one week: `job publish` publishes it at another path.',
  options: [
    option('-i, --input <path>', 'file, directory or glob to read; may be repeated', { repeat: true }),
    option('-o, --output <path>', 'output directory'),
    option(
      '--encoding <name>',
      "encoding of the input: utf8, latin1, windows1252, utf16le or utf16be (default: set by the program, else utf8)",
      { parse: oneOf(...textEncodings) },
    ),
    option(
      '--delimiter <character>',
      'field separator of CSV input, tab or \\t for a tab (default: set by the program or the files, else detected)',
      { parse: parseDelimiter },
    ),
    option('--overwrite', 'atomically replace the output of an earlier job, if it exists'),
    option('--force', 'with --overwrite: replace any directory, also one without _SUCCESS or with subdirectories'),
    option('--reducers <n>', 'number of reduce tasks and output parts; not for programs without reduce', { parse: whole(1, 20_000) }),
    option('--param <name=value>', 'parameter of the program, parsed as JSON if that loses nothing, else text; may be repeated', {
      parse: parseParam, repeat: true,
    }),
    option('--env <name[=value]>', 'environment variable of the program; without a value, taken from this shell; may be repeated', {
      repeat: true,
    }),
    option('--name <name>', "name of the job (default: the program's file name)"),
    option('--memory <size>', 'memory limit of one executor, for instance 512MiB', { parse: parseBytes }),
    option('--task-timeout <time>', 'time limit of one attempt, for instance 10m', { parse: parseDuration }),
    option('--attempts <n>', 'maximum attempts of one task before the job fails', { parse: whole(1, 100) }),
    option('--detach', "print the job's id and do not wait"),
  ],
  examples: [
    ['gristmill run wordcount.ts --input /speeches --output /words', 'count words'],
    [
      "gristmill run sales.ts -i /old/sales.csv -o /sums --encoding latin1 --delimiter ';'",
      'CSV with a given encoding and separator',
    ],
    [`gristmill run join.ts -i '/left/*.csv' -i /right -o /joined --param key=id --reducers 8`, 'two inputs, a parameter, eight parts'],
  ],
  load: () => import('../commands/run.ts'),
}

const jobs: CommandSpec = {
  name: 'jobs', args: '', about: 'list jobs, newest first',
  options: [
    option('-n, --limit <n>', 'maximum number of jobs (default 20)', { parse: whole(1, 1000) }),
    option('--running', 'only jobs that have not ended'),
  ],
  examples: [['gristmill jobs --running', 'running jobs']],
  load: () => import('../commands/jobs.ts'),
}

const jobNote = 'A job is named by its id, a unique prefix of the id, or `last`.'

const job: CommandSpec = {
  name: 'job', args: '[publish|drop] <id>',
  about: 'show stages, tasks, attempts, counters, locality and times of a job',
  notes: `${jobNote}\n\n\`publish\` publishes the kept output of a job that was computed but could not be published; such output is kept for one week.\n\`drop\` deletes the kept output and frees its space; the job can no longer be published.`,
  options: [
    option('--tasks', 'every task with its attempts'),
    option('-o, --output <path>', 'publish: the directory to publish'),
    option('--overwrite', 'publish: replace the output of an earlier job, if it exists'),
    option('--force', 'publish, with --overwrite: replace any directory'),
  ],
  examples: [
    ['gristmill job last', 'the newest job'],
    ['gristmill job publish job-7 --output /words-2', 'publish the output of job-7 at another path'],
    ['gristmill job drop job-7', 'delete the kept output of job-7'],
  ],
  load: () => import('../commands/job.ts'),
}

const logs: CommandSpec = {
  name: 'logs', args: '<id>',
  about: 'print what the tasks of a job wrote with console.log',
  notes: `${jobNote}\nThe output of a program is printed unchanged, also on a terminal: colours and all other escape sequences take effect.`,
  options: [
    option('--task <task>', 'only this task (stage.task), or an attempt as shown by `job --tasks`'),
    option('-f, --follow', 'follow the logs until the job ends'),
  ],
  examples: [['gristmill logs last --task 0.3', 'task 3 of the first stage']],
  load: () => import('../commands/logs.ts'),
}

const kill: CommandSpec = {
  name: 'kill', args: '<id...>', about: 'cancel jobs; their output is not published',
  notes: jobNote,
  options: [],
  examples: [['gristmill kill last', 'the newest job']],
  load: () => import('../commands/kill.ts'),
}

export const jobsGroup: CommandGroup = { title: 'Jobs', commands: [run, jobs, job, logs, kill] }
