// The commands on jobs, as the command line offers them.

import { GristmillError } from '../../../src/base/errors.ts'
import { parseBytes, parseDuration } from '../../../src/base/units.ts'
import { isKept } from '../../../src/record/integers.ts'
import { textEncodings } from '../../../src/record/sniff.ts'
import { option, oneOf, whole, type CommandSpec, type CommandGroup } from '../spec.ts'
import { parseDelimiter } from './files.ts'

/**
 * `k=v`. A value that is JSON (true, a list, an object) is taken as such; a number is, if it is written as JavaScript writes it: `1.10`,
 * `1e999` and integers beyond 2^53 stay text. Lists and objects with a number that no double holds, or a name twice, are refused.
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

/** Of the names of each object in the text, which is JSON, the first that is there twice, as it is written. */
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
    'The program is a TypeScript or JavaScript module whose default export is mapReduce({…}); its npm imports come along.\n'
    + 'The output directory appears whole when the job has succeeded, and not at all otherwise. Ctrl-C kills the job.\n'
    + 'Files whose names begin with _ or . are no input unless a path or glob names them so; the run says which it left out.\n'
    + 'An output that contains an input, or lies in one under a name that is read, is refused. What --overwrite replaces goes to the trash; its mode, owner, quota and attributes stay.\n'
    + 'If the output cannot be published when all is computed, it is kept for a week: `job publish` gives it another place.',
  options: [
    option('-i, --input <path>', 'file, directory or glob to read; may be repeated', { repeat: true }),
    option('-o, --output <path>', 'directory to publish'),
    option(
      '--encoding <name>',
      "of the input's text: utf8, latin1, windows1252, utf16le or utf16be (default: as the program says, else utf8)",
      { parse: oneOf(...textEncodings) },
    ),
    option(
      '--delimiter <character>',
      'what separates fields of CSV input, tab or \\t for a tab (default: as the program, the files or their first rows say)',
      { parse: parseDelimiter },
    ),
    option('--overwrite', 'replace the output of an earlier job if it is there, in one step'),
    option('--force', 'with --overwrite: replace any directory, also one without _SUCCESS or with directories in it'),
    option('--reducers <n>', 'reduce tasks, and so output parts; a program without reduce has none', { parse: whole(1, 20_000) }),
    option('--param <name=value>', 'a parameter of the program: JSON if that keeps it as typed, else text; may be repeated', {
      parse: parseParam, repeat: true,
    }),
    option('--env <name[=value]>', 'an environment variable of the program; without a value, the one of this shell; may be repeated', {
      repeat: true,
    }),
    option('--name <name>', "what the job is called (default: the program's file name)"),
    option('--memory <size>', 'of one executor, for instance 512MiB', { parse: parseBytes }),
    option('--task-timeout <time>', 'one attempt may take this long, for instance 10m', { parse: parseDuration }),
    option('--attempts <n>', 'tries of one task before the job fails', { parse: whole(1, 100) }),
    option('--detach', "print the job's id and do not wait"),
  ],
  examples: [
    ['gristmill run wordcount.ts --input /speeches --output /words', 'count words'],
    [
      "gristmill run sales.ts -i /old/sales.csv -o /sums --encoding latin1 --delimiter ';'",
      'CSV of which the files themselves do not say what they are',
    ],
    [`gristmill run join.ts -i '/left/*.csv' -i /right -o /joined --param key=id --reducers 8`, 'two inputs, a parameter, eight parts'],
  ],
  load: () => import('../commands/run.ts'),
}

const jobs: CommandSpec = {
  name: 'jobs', args: '', about: 'list jobs, newest first',
  options: [
    option('-n, --limit <n>', 'this many (default 20)', { parse: whole(1, 1000) }),
    option('--running', 'only those that have not ended'),
  ],
  examples: [['gristmill jobs --running', 'what runs now']],
  load: () => import('../commands/jobs.ts'),
}

const jobNote = 'A job is named by its id, a beginning of it that fits one job only, or `last`.'

const job: CommandSpec = {
  name: 'job', args: '[publish|drop] <id>',
  about: 'stages, tasks, attempts, counters, locality and times of a job',
  notes: `${jobNote}\n\n\`publish\` gives a place to the output of a job that was computed and could not be published where it was to be; it is kept for a week.\n\`drop\` gives back the room of what is kept; the job cannot be published then.`,
  options: [
    option('--tasks', 'every task with its attempts'),
    option('-o, --output <path>', 'publish: the directory to publish'),
    option('--overwrite', 'publish: replace the output of an earlier job if it is there'),
    option('--force', 'publish, with --overwrite: replace any directory'),
  ],
  examples: [
    ['gristmill job last', 'the newest job'],
    ['gristmill job publish job-7 --output /words-2', 'what job-7 has computed, elsewhere'],
    ['gristmill job drop job-7', 'what job-7 has computed is not needed'],
  ],
  load: () => import('../commands/job.ts'),
}

const logs: CommandSpec = {
  name: 'logs', args: '<id>',
  about: 'what the tasks of a job wrote with console.log',
  notes: `${jobNote}\nWhat a program wrote is shown as it is, on a terminal too: its colours, and whatever else it makes a terminal do.`,
  options: [
    option('--task <task>', 'only this one: stage.task, or an attempt as `job --tasks` shows it'),
    option('-f, --follow', 'go on until the job ends'),
  ],
  examples: [['gristmill logs last --task 0.3', 'task 3 of the first stage']],
  load: () => import('../commands/logs.ts'),
}

const kill: CommandSpec = {
  name: 'kill', args: '<id...>', about: 'cancel jobs; nothing of them is published',
  notes: jobNote,
  options: [],
  examples: [['gristmill kill last', 'the newest job']],
  load: () => import('../commands/kill.ts'),
}

export const jobsGroup: CommandGroup = { title: 'Jobs', commands: [run, jobs, job, logs, kill] }
