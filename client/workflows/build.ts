// Builds datasets of a workflow: computes those that are stale, in the order of their dependencies, several at a time. A failure stops what
// depends on it and nothing else. The state is in the outputs alone, so that the next build goes on where this one ended, however it ended.

import { isAbsolute, join } from 'node:path'
import { throwIfAborted } from '../../src/base/abort.ts'
import { asError, GristmillError, hasCode } from '../../src/base/errors.ts'
import { priorityMax, queueNameMax } from '../../src/base/jobqueues.ts'
import { jobId, type JobId } from '../../src/base/ids.ts'
import { Semaphore } from '../../src/base/queue.ts'
import type { WorkflowDefinition } from '../../src/program/workflow.ts'
import { isOutputChanged } from '../../src/protocol/job.ts'
import { callbackOf, flagsOf, optionsOf, shown, textOf, type CallOptions } from '../call/arguments.ts'
import { checkInteger } from '../call/integers.ts'
import { loadWorkflowFile } from '../jobs/compile.ts'
import { Job } from '../jobs/job.ts'
import { runProgram, type RunTools } from '../jobs/run.ts'
import { parseDay, yesterday } from './day.ts'
import { checkDeclaration, type Declaration } from './declaration.ts'
import { graphOf, type Node } from './graph.ts'
import { runOptionsOf, Comparison, type BuildReason, type ProgramsOf } from './stale.ts'

export type { BuildReason } from './stale.ts'

export interface BuildOptions extends CallOptions {
  /** Paths and patterns of the datasets to build, with all that they depend on; default: all. */
  readonly targets?: readonly string[] | undefined
  /** First and last day of datasets with a day, as `2026-11-27`; default: from the start of the workflow to the last day that is over. */
  readonly from?: string | undefined
  readonly to?: string | undefined
  /** Builds nothing, and tells what would be built. */
  readonly dryRun?: boolean | undefined
  /** Builds the targets, or everything, also where it is up to date. */
  readonly force?: boolean | undefined
  /** Programs that run at the same time; default: 4. */
  readonly concurrency?: number | undefined
  /** Queue of the jobs; default: `default`. */
  readonly queue?: string | undefined
  /** Jobs of the queue with a lower one get slots after these; -100 to 100, default: 0. */
  readonly priority?: number | undefined
  /** Time limit of one attempt of a task; default: none. */
  readonly taskTimeoutMs?: number | undefined
  /** Called when the state of a dataset changes; first with `waiting`, for all. */
  readonly onDataset?: ((dataset: BuiltDataset) => void) | undefined
  readonly onNote?: ((line: string) => void) | undefined
  /** Called with what a program over Datasets prints where it runs its steps. */
  readonly onOutput?: ((text: string, stream: 'stdout' | 'stderr') => void) | undefined
}

/**
 * `planned` and `fresh` end a dry run: it would be built, or is up to date. `skipped`: something that it depends on has failed.
 */
export type BuildState = 'waiting' | 'building' | 'built' | 'fresh' | 'planned' | 'failed' | 'skipped'

export interface BuiltDataset {
  readonly path: string
  readonly state: BuildState
  /** Why it is, or would be, built. */
  readonly reasons: readonly BuildReason[]
  readonly after: readonly string[]
  readonly job?: JobId | undefined
  readonly durationMs?: number | undefined
  readonly error?: GristmillError | undefined
}

export interface BuildResult {
  readonly datasets: readonly BuiltDataset[]
}

const concurrencyDefault = 4
/** Failures that the error of a build tells. */
const failuresTold = 100
/** Datasets that are compared with what is stored at the same time. */
const comparisonsAtOnce = 8

export function readBuildOptions(given: BuildOptions | null | undefined): BuildOptions {
  const options = optionsOf<BuildOptions>(given, 'build', {
    targets: true, from: true, to: true, dryRun: true, force: true, concurrency: true, queue: true, priority: true, taskTimeoutMs: true,
    onDataset: true, onNote: true, onOutput: true, signal: true,
  })
  const { targets } = options
  if (targets !== undefined) {
    if (!Array.isArray(targets)) throw new GristmillError('EINVAL', `the targets are ${shown(targets)}; they must be an array of paths`)
    for (const target of targets as unknown[]) {
      if (!textOf(target, 'target').startsWith('/'))
        throw new GristmillError('EINVAL', `the target ${shown(target)} is no path of the cluster; it begins with /`)
    }
    if (targets.length === 0) throw new GristmillError('EINVAL', 'the targets are an empty array; leave them out to build everything')
  }
  for (const name of ['from', 'to'] as const) if (options[name] !== undefined) parseDay(textOf(options[name], name), `"${name}"`)
  flagsOf(options, 'dryRun', 'force')
  if (options.queue !== undefined) textOf(options.queue, 'queue', { max: queueNameMax })
  checkInteger('priority', options.priority, -priorityMax, priorityMax)
  checkInteger('time of a task in milliseconds', options.taskTimeoutMs, 0)
  checkInteger('number of programs at a time', options.concurrency, 1, 1000)
  callbackOf(options.onDataset, 'onDataset')
  callbackOf(options.onNote, 'onNote')
  callbackOf(options.onOutput, 'onOutput')
  return options
}

/** The workflow that a local file declares. Throws PROGRAM_INVALID, EINVAL. */
export async function readWorkflow(tools: RunTools, file: string, signal: AbortSignal | undefined): Promise<Declaration> {
  const { definition, local } = await readWorkflowFile(tools, file, signal)
  return checkDeclaration(definition, local)
}

/** The same as its module gives it, with the absolute name of the file. */
export async function readWorkflowFile(
  tools: RunTools, file: string, signal: AbortSignal | undefined,
): Promise<{ readonly definition: WorkflowDefinition; readonly local: string }> {
  const { clock, random } = tools.cluster
  const local = isAbsolute(file) ? file : join(tools.workingDirectory, file)
  return { definition: await loadWorkflowFile({ ...tools, clock, random }, local, signal), local }
}

const told = ({ path, error }: BuiltDataset): object => ({ path, code: error!.code, message: error!.message })

/**
 * Throws JOB_FAILED if a dataset could not be built, when all others are; its details tell of each. Throws PROGRAM_INVALID and EINVAL for
 * a workflow that is wrong, and for a target that it does not have.
 */
export async function buildWorkflow(tools: RunTools, file: string, options: BuildOptions): Promise<BuildResult> {
  return buildDeclared(tools, await readWorkflow(tools, file, options.signal), options)
}

/** The same for a workflow that was read before. `programsOf`: programs that are stored in the cluster. */
export async function buildDeclared(
  tools: RunTools, declaration: Declaration, options: BuildOptions, programsOf: ProgramsOf = () => undefined,
): Promise<BuildResult> {
  const { targets, from, to } = options
  const nodes = graphOf(declaration, {
    targets, from: from === undefined ? undefined : parseDay(from, '"from"'), to: to === undefined ? undefined : parseDay(to, '"to"'),
    yesterday: yesterday(tools.cluster.clock.now(), declaration.timeZone),
  })
  return new Build(tools, nodes, options, programsOf).run()
}

class Build {
  readonly #tools: RunTools
  readonly #nodes: readonly Node[]
  readonly #options: BuildOptions
  readonly #comparison: Comparison
  readonly #programsOf: ProgramsOf
  readonly #states = new Map<Node, BuiltDataset>()
  readonly #comparing = new Semaphore(comparisonsAtOnce)
  readonly #running: Semaphore
  /** Aborted by the caller's signal, or by an error of the caller's functions. */
  readonly #signal: AbortSignal
  readonly #ending = new AbortController()

  constructor(tools: RunTools, nodes: readonly Node[], options: BuildOptions, programsOf: ProgramsOf) {
    this.#tools = tools
    this.#programsOf = programsOf
    this.#nodes = nodes
    this.#options = options
    this.#signal = AbortSignal.any([this.#ending.signal, ...options.signal ? [options.signal] : []])
    this.#comparison = new Comparison(tools, programsOf)
    this.#running = new Semaphore(options.concurrency ?? concurrencyDefault)
  }

  async run(): Promise<BuildResult> {
    for (const node of this.#nodes)
      this.#tell(node, { path: node.path, state: 'waiting', reasons: [], after: node.after.map(({ path }) => path) })
    this.#throwIfEnded()
    const ends = new Map<Node, Promise<void>>()
    for (const node of this.#nodes) ends.set(node, this.#follow(node, node.after.map(each => ends.get(each)!)))
    // Programs are killed by the signal; their ends are waited for.
    await Promise.all(ends.values())
    this.#throwIfEnded()
    const datasets = this.#nodes.map(node => this.#states.get(node)!)
    const failed = datasets.filter(({ state }) => state === 'failed')
    if (failed.length === 0) return { datasets }
    const [{ path, error }] = failed as [BuiltDataset]
    const skipped = datasets.filter(({ state }) => state === 'skipped').length
    throw new GristmillError(
      'JOB_FAILED',
      `${failed.length} of ${datasets.length} datasets could not be built`
      + `${skipped > 0 ? `, and ${skipped} that depend on them were left out` : ''}; ${path}: ${error!.message}`,
      { cause: error, details: { failed: failed.slice(0, failuresTold).map(told) } },
    )
  }

  async #follow(node: Node, before: ReadonlyArray<Promise<void>>): Promise<void> {
    const { dryRun } = this.#options
    const signal = this.#signal
    await Promise.all(before)
    if (signal.aborted) return
    const states = node.after.map(each => this.#states.get(each)!)
    if (states.some(({ state }) => state === 'failed' || state === 'skipped')) return this.#tell(node, { state: 'skipped' })
    try {
      const planned = states.filter(({ state }) => state === 'planned')
      const reasons = planned.length > 0
        ? planned.map(({ path }): BuildReason => ({ kind: 'after', path, message: `${path} is built before` }))
        : await this.#reasons(node)
      if (reasons.length === 0) this.#tell(node, { state: 'fresh' })
      else if (dryRun) {
        await this.#comparing.run(() => this.#comparison.checkSources(node, signal), signal)
        this.#tell(node, { state: 'planned', reasons })
      }
      else await this.#compute(node)
    } catch (error) {
      if (!signal.aborted) this.#tell(node, { state: 'failed', error: asError(error) })
    }
  }

  async #reasons(node: Node): Promise<readonly BuildReason[]> {
    const { force } = this.#options
    const signal = this.#signal
    const reasons = await this.#comparing.run(() => this.#comparison.of(node, signal), signal)
    return force && node.asked && reasons.length === 0 ? [{ kind: 'forced', message: 'it is built in any case' }] : reasons
  }

  async #compute(node: Node): Promise<void> {
    const signal = this.#signal
    await this.#running.run(async () => {
      for (;;) {
        // Read before the reasons: if another build publishes after they are read, this one does not replace what it has published.
        const before = await this.#comparison.published(node, signal) ?? 0
        // Asked again: another build may have computed it while this one waited for its turn.
        const why = await this.#reasons(node)
        if (why.length === 0) break
        throwIfAborted(signal)
        this.#tell(node, { state: 'building', reasons: why })
        const other = await this.#run(node, before)
        if (!other) return
        if (other === 'published') continue
        // Another build computes it now. What that leaves is looked at afterwards.
        this.#options.onNote?.(`${node.path}: waiting for ${other}, which will publish it`)
        await new Job(this.#tools.cluster, other).wait({ signal }).catch((error: unknown) => {
          if (!hasCode(error, 'JOB_FAILED', 'JOB_CANCELLED', 'ENOENT')) throw error
        })
      }
      this.#tell(node, { state: 'fresh', reasons: [] })
    }, signal)
  }

  /**
   * Runs the program of a dataset, whose newest version is `before`; 0: it has none. Returns another job that will publish it, if there
   * is one, and `published` if one has published it since.
   */
  async #run(node: Node, before: number): Promise<JobId | 'published' | undefined> {
    const { onNote, onOutput, queue, priority, taskTimeoutMs } = this.#options
    const signal = this.#signal
    const { clock } = this.#tools.cluster
    const startedMs = clock.mono()
    // Before the program reads them: what changes while it runs makes the dataset stale.
    const needs = await this.#comparison.needs(node, signal)
    let isSubmitted = false
    try {
      const run = await runProgram(this.#tools, node.dataset.program, {
        ...runOptionsOf(node), overwrite: true, queue, priority, taskTimeoutMs, signal, onOutput,
        onNote: line => onNote?.(`${node.path}: ${line}`),
      }, { needs, ifVersion: { path: node.path, number: before }, stored: this.#programsOf(node.dataset) })
      isSubmitted = true
      this.#tell(node, { job: run.id })
      await run.wait({ signal })
    } catch (error) {
      if (isOutputChanged(error, node.path)) return 'published'
      const { job, path } = error instanceof GristmillError ? error.details : {}
      if (!isSubmitted && hasCode(error, 'EBUSY') && typeof job === 'string' && path === node.path) return jobId(job)
      throw error
    }
    const version = await this.#comparison.published(node, signal)
    if (version === undefined || version <= before)
      throw new GristmillError('JOB_FAILED', `${node.dataset.program} has ended, and has not published ${node.path}`)
    this.#tell(node, { state: 'built', durationMs: Math.round(clock.mono() - startedMs) })
    return undefined
  }

  /** Throws what one of the caller's functions has thrown, as it is. */
  #throwIfEnded(): void {
    if (this.#ending.signal.aborted) throw this.#ending.signal.reason
    throwIfAborted(this.#signal)
  }

  #tell(node: Node, change: BuiltDataset | Partial<BuiltDataset>): void {
    const dataset = { ...this.#states.get(node), ...change } as BuiltDataset
    this.#states.set(node, dataset)
    try {
      this.#options.onDataset?.(dataset)
    } catch (error) {
      this.#ending.abort(error)
    }
  }
}
