// build: computes what is missing or stale of the datasets that a workflow declares.

import { isAbsolute, join } from 'node:path'
import { GristmillError, hasCode } from '../../../src/base/errors.ts'
import { priorityMax } from '../../../src/base/jobqueues.ts'
import { showText } from '../../../src/base/quote.ts'
import { formatDuration, parseDuration } from '../../../src/base/units.ts'
import type { BuildOptions, BuiltDataset, BuildState } from '../../workflows/build.ts'
import type { CommandContext } from '../context.ts'
import { plural } from '../display.ts'
import { Refusal } from '../errors.ts'
import type { Bar } from '../progress.ts'
import { option, whole, type CommandSpec } from '../spec.ts'
import { detached } from './detached.ts'
import { ProgramOutput } from './programoutput.ts'

const fileDefault = 'workflow.ts'

export const build: CommandSpec = {
  name: 'build', args: '[path...]',
  about: 'build what is stale in a workflow',
  operands: [['[path...]', 'datasets to build, with all that they depend on; patterns may be used (default: all)']],
  notes:
    `The workflow is a module whose default export is workflow({ datasets: { … } }), by default ${fileDefault} in this directory. It declares datasets of the cluster with their inputs and the programs that compute them; a path with {day} is a dataset for each day.\n`
    + 'A dataset is stale if an input, the program, a parameter or an option is not what its job has had, or if its files were changed. Inputs are built before what reads them. Each dataset is published as by `gristmill run --overwrite`: the old one is kept as a version.\n'
    + 'A failure stops what depends on it and nothing else; the exit code is then 1. The next build goes on where this one ended. Ctrl-C kills the running programs.',
  options: [
    option('-f, --file <workflow>', `file of the workflow (default: ${fileDefault})`),
    option('--from <day>', 'first day of the datasets to build, as 2026-11-27; earlier days are built if they are inputs'),
    option('--to <day>', 'last day (default: the last day that is over in the time zone of the workflow)'),
    option('-n, --dry-run', 'build nothing, and print what would be built, and why'),
    option('--force', 'build the named datasets, or all, also if they are up to date'),
    option('--schedule', 'stay, and build again at the times of the schedule of the workflow; begins with a build'),
    option('--detach', "with --schedule: print a job's id and do not stay; the cluster builds from then on, until `gristmill kill`"),
    option('--name <name>', "with --detach: name of the schedule (default: the file's name)"),
    option('--replace', 'with --detach: end the schedule of this name that the cluster follows'),
    option('--queue <name>', 'queue by which the tasks of the programs get slots (default: default)'),
    option('--priority <n>', 'jobs of its queue with a lower one get slots after these; -100 to 100 (default: 0)', {
      parse: whole(-priorityMax, priorityMax),
    }),
    option('--task-timeout <time>', 'time limit of one attempt of a task, for instance 10m', { parse: parseDuration }),
    option('-j, --jobs <n>', 'number of programs that run at the same time (default: 4)', { parse: whole(1, 1000) }),
  ],
  examples: [
    ['gristmill build', 'everything that is stale'],
    ['gristmill build /report --dry-run', 'what /report needs'],
    ["gristmill build '/sessions/*' --from 2026-11-01 --to 2026-11-07", 'one week of a dataset'],
    ['gristmill build -f etl/workflow.ts -j 8', 'another file, eight programs at a time'],
    ['gristmill build --schedule', 'now, and whenever the schedule says so'],
    ['gristmill build --schedule --detach --replace', 'the same by the cluster, with the files as they are now'],
  ],
  run: runBuild,
}

interface BuildFlags {
  file?: string
  from?: string
  to?: string
  dryRun?: boolean
  force?: boolean
  schedule?: boolean
  detach?: boolean
  name?: string
  replace?: boolean
  jobs?: number
  queue?: string
  priority?: number
  taskTimeout?: number
}

async function runBuild(context: CommandContext, targets: readonly string[], flags: BuildFlags): Promise<void> {
  if (flags.detach) return detachSchedule(context, targets, flags)
  if (flags.name !== undefined || flags.replace)
    throw new GristmillError('USAGE', '--name and --replace are for a schedule that the cluster follows: add --schedule --detach')
  if (flags.schedule) return followSchedule(context, targets, flags)
  const { printer } = context
  const { file = fileDefault, dryRun = false } = flags
  const mill = await context.mill()
  const progress = await context.progress(dryRun)
  const printed = new ProgramOutput(context)
  const report = new Report(context, progress.drawn ? total => progress.bar('datasets', 'tasks', total) : undefined)
  try {
    await mill.build(...callOf(context, targets, flags, { report: () => report, printed }))
  } catch (error) {
    // Each failure is reported already.
    if (!hasCode(error, 'JOB_FAILED') || report.count('failed') === 0) throw named(error, file, flags.file === undefined)
    context.exitCode = 1
  } finally {
    printed.end()
    progress.stop()
  }
  await report.end()
  if (!context.json) await printer.line(report.summary(dryRun))
}

/** Arguments of the library's call. */
function callOf(
  context: CommandContext, targets: readonly string[],
  { file = fileDefault, from, to, dryRun = false, force = false, jobs, queue, priority, taskTimeout }: BuildFlags,
  { report, printed }: { readonly report: () => Report; readonly printed: ProgramOutput },
): [string, BuildOptions] {
  return [isAbsolute(file) ? file : join(context.cwd, file), {
    ...targets.length > 0 && { targets }, ...from !== undefined && { from }, ...to !== undefined && { to }, dryRun, force,
    ...jobs !== undefined && { concurrency: jobs }, ...queue !== undefined && { queue },
    ...priority !== undefined && { priority }, ...taskTimeout !== undefined && { taskTimeoutMs: taskTimeout },
    onDataset: dataset => report().take(dataset),
    onNote: line => context.note(line), onOutput: printed.take, signal: context.signal,
  }]
}

/** Builds at each time of the schedule, until a signal ends the command. */
async function followSchedule(context: CommandContext, targets: readonly string[], flags: BuildFlags): Promise<void> {
  const { file = fileDefault } = flags
  checkScheduled(flags)
  const mill = await context.mill()
  const printed = new ProgramOutput(context)
  let report = new Report(context, undefined)
  try {
    const builds = mill.buildOnSchedule(...callOf(context, targets, flags, { report: () => report, printed }))
    for await (const { error, skipped, next } of builds) {
      if (error && report.count('failed') === 0) context.complain(error)
      await report.end()
      if (!context.json && report.size > 0) await context.printer.line(report.summary(false))
      if (skipped > 0) context.note(`no build began at ${plural(skipped, 'time')} of the schedule that passed meanwhile`)
      context.note(`the next build is at ${next.toISOString()}`)
      report = new Report(context, undefined)
    }
  } catch (error) {
    throw named(error, file, flags.file === undefined)
  } finally {
    printed.end()
  }
}

/** Has the cluster build at each time of the schedule. */
async function detachSchedule(context: CommandContext, targets: readonly string[], flags: BuildFlags): Promise<void> {
  const { file = fileDefault, schedule, name, replace, force, jobs, queue, priority, taskTimeout } = flags
  if (!schedule) throw new GristmillError('USAGE', '--detach is for a schedule that the cluster follows: add --schedule')
  checkScheduled(flags)
  const mill = await context.mill()
  const job = await mill.scheduleBuild(isAbsolute(file) ? file : join(context.cwd, file), {
    ...targets.length > 0 && { targets }, ...name !== undefined && { name }, ...replace && { replace }, ...force && { force },
    ...jobs !== undefined && { concurrency: jobs }, ...queue !== undefined && { queue }, ...priority !== undefined && { priority },
    ...taskTimeout !== undefined && { taskTimeoutMs: taskTimeout }, signal: context.signal,
  }).catch((error: unknown) => { throw named(error, file, flags.file === undefined) })
  return detached(context, job)
}

function checkScheduled({ dryRun, from, to }: Pick<BuildFlags, 'dryRun' | 'from' | 'to'>): void {
  if (dryRun || from !== undefined || to !== undefined)
    throw new GristmillError('USAGE', '--schedule builds up to the last day that is over; leave out --dry-run, --from and --to')
}

/** Says which file was looked for, if the user has not named one. */
function named(error: unknown, file: string, isDefault: boolean): unknown {
  return isDefault && hasCode(error, 'ENOENT') && String(error.details['path']).endsWith(file)
    ? new Refusal('ENOENT', `there is no ${file} in this directory; name the file of the workflow: --file FILE`, { cause: error })
    : error
}

/** The error with the dataset before it, whatever path it is about. */
function unbuilt(path: string, { code, message, details, cause }: GristmillError): GristmillError {
  const { path: about, ...others } = details
  const isNamed = typeof about !== 'string' || message.includes(about)
  return new GristmillError(code, `${path} could not be built: ${isNamed ? '' : `${about}: `}${message}`, { details: others, cause })
}

/** States in which a dataset stays. */
const ended: readonly BuildState[] = ['built', 'fresh', 'planned', 'failed', 'skipped']

/** Reports datasets that are built as they are done, the others at the end; on a terminal with a bar over all. */
class Report {
  readonly #context: CommandContext
  readonly #states = new Map<string, BuildState>()
  readonly #barOf: ((total: number) => Bar) | undefined
  #bar: Bar | undefined
  readonly #later = new Map<string, BuiltDataset>()
  #printed: Promise<unknown> = Promise.resolve()

  constructor(context: CommandContext, barOf: ((total: number) => Bar) | undefined) {
    this.#context = context
    this.#barOf = barOf
  }

  take(dataset: BuiltDataset): void {
    const { path, state, error } = dataset
    const before = this.#states.get(path)
    this.#states.set(path, state)
    if (state === 'waiting' || state === before) return
    const building = [...this.#states].filter(([, each]) => each === 'building').map(([each]) => each)
    this.#bar ??= this.#barOf?.(this.#states.size)
    this.#bar?.update(ended.reduce((sum, each) => sum + this.count(each), 0), this.#states.size, building.slice(0, 2).join(' '))
    if (!ended.includes(state)) return
    if (error) this.#context.complain(unbuilt(path, error))
    if (state === 'planned' || state === 'skipped' || state === 'fresh') this.#later.set(path, dataset)
    else this.#printed = this.#printed.then(() => this.#print(dataset))
  }

  /** Prints what was not built, in the order of the workflow. */
  async end(): Promise<void> {
    await this.#printed
    for (const path of this.#states.keys()) {
      const dataset = this.#later.get(path)
      if (dataset) await this.#print(dataset)
    }
  }

  get size(): number { return this.#states.size }

  count(state: BuildState): number { return [...this.#states.values()].filter(each => each === state).length }

  async #print(dataset: BuiltDataset): Promise<void> {
    const { printer, json } = this.#context
    const { path, state, reasons, job, durationMs = 0, after, error } = dataset
    if (json)
      return printer.json({
        path, state, reasons, after, ...job !== undefined && { job, durationMs },
        ...error && { error: { code: error.code, message: error.message } },
      }, { compact: true })
    const why = reasons.map(({ message }) => showText(message)).join('; ')
    const name = printer.name(path)
    if (state === 'built') await printer.line(`${name}: built in ${formatDuration(durationMs)} by ${job}`)
    else if (state === 'planned') await printer.line(`${name}: ${why}`)
    else if (state === 'skipped') await printer.line(`${name}: not built, because it depends on a dataset that could not be built`)
  }

  summary(dryRun: boolean): string {
    const parts: ReadonlyArray<readonly [BuildState, string]> = [
      ['built', 'built'], ['planned', 'to build'], ['failed', 'failed'], ['skipped', 'not built'], ['fresh', 'up to date'],
    ]
    const told = parts.flatMap(([state, word]) => (this.count(state) > 0 ? [`${this.count(state)} ${word}`] : []))
    return `${plural(this.#states.size, 'dataset')}: ${told.join(', ')}${dryRun ? '; nothing was done' : ''}`
  }
}
