// run: submits a program, shows its stages while they run, then prints counters and locality. On a terminal with one bar per stage;
// elsewhere with one line when a stage begins and one when it ends. Ctrl-C kills the job.

import { basename, isAbsolute, join } from 'node:path'
import { isUrl } from '../../../src/base/url.ts'
import { GristmillError, hasCode } from '../../../src/base/errors.ts'
import { textEncodings, type TextEncoding } from '../../../src/base/formats.ts'
import { priorityMax } from '../../../src/base/jobqueues.ts'
import { limits } from '../../../src/base/limits.ts'
import { nameOf, normalise } from '../../../src/base/paths.ts'
import { parseBytes, parseDuration } from '../../../src/base/units.ts'
import type { JobStatus } from '../../../src/protocol/job.ts'
import { isDrive } from '../../../src/protocol/task.ts'
import { ruleNames } from '../../../src/plan/rules.ts'
import { builtinFile, builtins, isBuiltin } from '../../jobs/builtins.ts'
import { explanationLines } from '../../jobs/explaintext.ts'
import type { RunOptions } from '../../jobs/options.ts'
import type { Run } from '../../jobs/running.ts'
import { Preparation } from '../../load/preparation.ts'
import { checkedEnvironment } from '../../jobs/environment.ts'
import type { CommandContext } from '../context.ts'
import { Refusal } from '../errors.ts'
import { parseDelimiter } from '../files/options.ts'
import { oneOf, option, whole, type CommandSpec } from '../spec.ts'
import { shellWord } from '../target.ts'
import { detached } from './detached.ts'
import { onceEach, parseParam } from './params.ts'
import { ProgramOutput } from './programoutput.ts'
import { counterLines, ownCounters, summaryLines } from './view.ts'
import { barsFor, linesFor, lossesFor, stepsFor, waitsFor } from './watch.ts'

export const run: CommandSpec = {
  name: 'run', args: '<program>',
  about: 'run a program and wait for it',
  notes:
    'The program is a TypeScript or JavaScript module whose default export is mapReduce({…}) or program(…); its npm imports are bundled with it (`gristmill init` writes one to start from). Or it is the name of one that comes with gristmill, gristmill:NAME, in the list below.\n'
    + 'The output directory appears complete when the job has succeeded, otherwise not at all. Ctrl-C kills the job.\n'
    + 'A program(…) may run several jobs, its steps, and go on with their results: each is reported in a line, and this process has to run until the end. With --detach a process of the cluster runs them in place of this one, and goes on elsewhere if its node fails: `gristmill job last --follow` shows its steps, `gristmill logs last --follow` what it prints, and `gristmill kill` ends it with its steps. The exit code is that of the failure that ended it.\n'
    + 'Files whose names begin with _ or . are skipped unless a path or glob names them explicitly; the skipped files are reported.\n'
    + 'An output that contains an input, or that would itself be read as input, is refused. If the output exists and was computed by a job with the same program, parameters and inputs, `run` says so and returns that job. An output replaced by --overwrite is kept as a version (gristmill history --help); the new one keeps its mode, owner, quota and attributes.\n'
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
    option('--partition-size <size>', 'bytes of input for each partition of a shuffle whose number of partitions is open (default: 64MiB)', {
      parse: parseBytes,
    }),
    option('--param <name=value>', 'parameter of the program, converted to the type of its default there; without a default it is JSON if that loses nothing, else text; may be repeated', {
      parse: parseParam, repeat: true,
    }),
    option('--env <name[=value]>', 'environment variable of the program; without a value, taken from this shell; may be repeated', {
      repeat: true,
    }),
    option('--name <name>', "name of the job (default: the program's file name)"),
    option('--memory <size>', 'memory limit of one executor, for instance 512MiB', { parse: parseBytes }),
    option('--cpu <n>', 'slots of a datanode that each task takes (default: what the program declares, else 1)', {
      parse: whole(1, limits.taskSlotsMax),
    }),
    option('--task-timeout <time>', 'time limit of one attempt, for instance 10m', { parse: parseDuration }),
    option('--queue <name>', 'queue by which its tasks get slots (default: default)'),
    option('--priority <n>', 'jobs of its queue with a lower one get slots after it; -100 to 100 (default: 0)', {
      parse: whole(-priorityMax, priorityMax),
    }),
    option('--attempts <n>', 'maximum attempts of one task before the job fails', { parse: whole(1, 100) }),
    option('--without-rule <name>', 'do not apply this rule of the optimizer; the result is the same; may be repeated', {
      parse: oneOf(...ruleNames), repeat: true,
    }),
    option('--explain', 'do not run: print the plan, what the optimizer does, and the stages with their tasks'),
    option('--detach', "print the job's id and do not wait; the steps of a program run on in the cluster"),
  ],
  examples: [
    ['gristmill run wordcount.ts --input /speeches --output /words', 'count words'],
    [
      "gristmill run sales.ts -i /old/sales.csv -o /sums --encoding latin1 --delimiter ';'",
      'CSV with a given encoding and separator',
    ],
    [`gristmill run join.ts -i '/left/*.csv' -i /right -o /joined --param key=id --reducers 8`, 'two inputs, a parameter, eight parts'],
    ['gristmill run join.ts -i /left -i /right -o /joined --explain', 'how it would run: stages, exchanges, joins, and why'],
    ['gristmill run gristmill:top -i /sales -o /top --param columns=town --param n=3', 'without code: the three most frequent towns'],
  ],
  appendix: builtinsHelp(),
  surplus: ([program, input, output]) =>
    `input and output are options: gristmill run ${shellWord(program!)} --input ${shellWord(input!)} --output ${shellWord(output ?? '/PATH')}`,
  run: runProgram,
}

function builtinsHelp(): string {
  const lines = builtins.flatMap(({ name, about, params }) => [
    `  ${`gristmill:${name}`.padEnd(21)}${about}`,
    ...Object.entries(params).map(([param, meaning]) => `      ${param.padEnd(12)}${meaning}`),
  ])
  return ['Programs that come with gristmill, and their parameters (--param NAME=VALUE):', ...lines].join('\n')
}

interface RunFlags {
  input?: string[]
  output?: string
  overwrite?: boolean
  force?: boolean
  encoding?: TextEncoding
  delimiter?: string
  partitionSize?: number
  reducers?: number
  param?: (readonly [string, string])[]
  env?: string[]
  name?: string
  memory?: number
  cpu?: number
  taskTimeout?: number
  attempts?: number
  queue?: string
  priority?: number
  withoutRule?: string[]
  explain?: boolean
  detach?: boolean
}

async function runProgram(context: CommandContext, operands: readonly string[], options: RunFlags): Promise<void> {
  const { printer, signal } = context
  const program = operands[0]!
  checkForce(options)
  const output = new ProgramOutput(context)
  const file = isBuiltin(program) || isAbsolute(program) ? program : join(context.cwd, program)
  const given: RunOptions = {
    ...(options.input ? { input: options.input } : {}),
    ...(options.output === undefined ? {} : { output: isUrl(options.output) ? options.output : normalise(options.output) }),
    overwrite: options.overwrite === true,
    onNote: line => context.note(line),
    force: options.force === true,
    paramTexts: onceEach('--param', options.param ?? []),
    ...(options.env ? { env: environmentOf(options.env, context.env) } : {}),
    ...(options.encoding === undefined ? {} : { encoding: options.encoding }),
    ...(options.delimiter === undefined ? {} : { delimiter: options.delimiter }),
    ...(options.reducers === undefined ? {} : { reducers: options.reducers }),
    ...(options.partitionSize === undefined ? {} : { partitionBytes: options.partitionSize }),
    ...(options.name === undefined ? {} : { name: options.name }),
    ...(options.memory === undefined ? {} : { memoryBytes: options.memory }),
    ...(options.cpu === undefined ? {} : { cpu: options.cpu }),
    ...(options.taskTimeout === undefined ? {} : { taskTimeoutMs: options.taskTimeout }),
    ...(options.attempts === undefined ? {} : { attemptsMax: options.attempts }),
    ...(options.queue === undefined ? {} : { queue: options.queue }),
    ...(options.priority === undefined ? {} : { priority: options.priority }),
    ...(options.withoutRule ? { withoutRules: options.withoutRule } : {}),
    // A detached job must outlive this process.
    ...(options.detach ? { detach: true } : { signal, onOutput: output.take }),
  }
  if (options.explain) {
    const explanation = await advised((await context.mill()).explain(file, given), file)
    if (context.json) return printer.json(explanation)
    for (const line of explanationLines(explanation)) await printer.line(line)
    return
  }
  const prepared = new Preparation({
    file: isBuiltin(file) ? builtinFile(file) : file, env: given.env ?? {}, memoryBytes: given.memoryBytes, onOutput: given.onOutput,
  })
  try {
    const mill = await context.mill(prepared)
    await follow(context, await advised(mill.run(file, given), file), 'run', options)
  } finally {
    await prepared.end()
    output.end()
  }
}

interface FollowOptions {
  /** Prints the id of the job, and does not wait. */
  readonly detach?: boolean | undefined
  /** Another process has submitted it: an interrupt ends this command alone. */
  readonly isAttached?: boolean | undefined
}

/** A job, or a program of several. */
type Followed = Pick<Run, 'id' | 'status' | 'watch' | 'wait' | 'kill'> & Partial<Pick<Run, 'steps'>>

/** Shows a job while it runs, and then its result. */
export async function follow(
  context: CommandContext, job: Followed, command: string, { detach = false, isAttached = false }: FollowOptions = {},
): Promise<void> {
  const { printer, signal } = context
  const { clock } = await context.world()
  if (detach) return detached(context, job)

  if (!context.json) printer.note(`job ${job.id}`)
  const progress = await context.progress()
  const lines: Array<Promise<void>> = []
  try {
    const say = (text: string): void => { if (!context.json) printer.note(context.hint(text)) }
    const mono = (): number => clock.mono()
    const show = stepsFor({
      first: progress.drawn ? barsFor(progress.bar) : linesFor(say, mono), losses: () => lossesFor(say, mono),
      line: text => { if (!context.json) lines.push(printer.line(text)) },
    })
    const showWaits = waitsFor(say)
    for await (const status of job.watch(signal)) {
      showWaits(status)
      if (!isDrive(status)) show(status)
    }
  } catch (error) {
    if (isAttached || !signal.aborted || hasCode(signal.reason, 'EPIPE')) throw error
    progress.stop()
    printer.note(`gristmill: ${command}: interrupted; killing job ${job.id}`)
    await job.kill()
    throw error
  } finally {
    progress.stop()
  }
  await Promise.all(lines)
  const steps = await Promise.all((job.steps ?? [job]).map(step => step.status()))
  const status = await job.status({ signal })
  const isOne = steps.length === 1 && !isDrive(status) && (status.driver?.method ?? 'save') === 'save'
  const counters = ownCounters(...steps)
  if (context.json) await printer.json(isOne ? status : { driver: status.driver?.id, state: status.state, counters, steps })
  else if (!isOne) for (const line of counterLines(counters)) await printer.line(line)
  else if (status.state === 'succeeded')
    for (const line of summaryLines(status, await partOf(context, status))) await printer.line(context.hint(line))
  // Throws the failure of the job, with the user's stack.
  await job.wait({ signal })
}

/** Path of a file of the output; undefined if it has none, or cannot be listed. */
async function partOf(context: CommandContext, { output }: Pick<JobStatus, 'output'>): Promise<string | undefined> {
  const mill = await context.mill()
  try {
    for await (const { path } of mill.list(output, { signal: context.signal })) if (nameOf(path).startsWith('part-')) return path
  } catch (error) {
    // The job has succeeded, and another one may have replaced its output.
    if (!(error instanceof GristmillError)) throw error
  }
  return undefined
}

/**
 * Parses `NAME=VALUE`, or `NAME` for the value in the environment `own`. Throws USAGE for a variable that is not set there, and for one
 * that tasks cannot be given.
 */
export function environmentOf(given: readonly string[], own: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const environment = onceEach('--env', given.map(text => {
    const at = text.indexOf('=')
    if (at >= 0) return [text.slice(0, at), text.slice(at + 1)]
    const value = own[text]
    if (value === undefined)
      throw new GristmillError('USAGE', `--env ${text}: the variable is not set here; set it, or write ${text}=value`)
    return [text, value]
  }))
  try {
    return checkedEnvironment(environment)
  } catch (error) {
    throw hasCode(error, 'EINVAL') ? new GristmillError('USAGE', `--env: ${error.message}`, { cause: error }) : error
  }
}

/** Throws USAGE for `--force` without `--overwrite`, which would have no effect. */
export function checkForce({ overwrite, force }: { readonly overwrite?: boolean | undefined; readonly force?: boolean | undefined }): void {
  if (force && !overwrite) throw new GristmillError('USAGE', '--force extends --overwrite; give both')
}

/** Advises on an output that exists already and a missing program that has the name of a built-in one. */
export async function advised<T>(submitted: Promise<T>, program?: string): Promise<T> {
  try {
    return await submitted
  } catch (error) {
    const builtin = builtins.find(({ name }) => program !== undefined && basename(program, '.ts') === name)
    if (builtin && hasCode(error, 'ENOENT') && error.details['path'] === program)
      throw new Refusal('ENOENT', `${error.message} (did you mean gristmill:${builtin.name}?)`, { cause: error })
    if (hasCode(error, 'ENOTEMPTY')) throw new Refusal('ENOTEMPTY', error.message, { cause: error, details: error.details })
    if (!hasCode(error, 'EEXIST')) throw error
    throw new Refusal(
      'EEXIST',
      `${String(error.details['path'] ?? 'the output')}: file exists; add --overwrite to replace it atomically`,
      { cause: error, details: error.details },
    )
  }
}
