// Handle of a job. It holds only the id: any process may watch, await or kill any job, and a handle outlives restarts of the
// namenode.

import { GristmillError, isTransient } from '../../src/base/errors.ts'
import { outputFormatDefault } from '../../src/base/formats.ts'
import type { JobId } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import { retry } from '../../src/base/retry.ts'
import * as protocol from '../../src/protocol/job.ts'
import type { JobStatus, TaskStatus } from '../../src/protocol/job.ts'
import { checkKeptApart } from './overlap.ts'
import type { Cluster } from '../call/cluster.ts'
import { callbackOf, flagsOf, optionsOf, pathOf, signalOption, textOf, type CallOptions, type Path } from '../call/arguments.ts'
import { during, perform } from '../call/perform.ts'
import { checkInteger } from '../call/integers.ts'
import { paged } from '../call/pages.ts'
import { readLogs, type LogOptions, type LogPiece } from './logs.ts'

export interface WaitOptions {
  readonly signal?: AbortSignal | undefined
  /** Called with each new status. */
  readonly onStatus?: ((status: JobStatus) => void) | undefined
}

interface PublishOptions extends CallOptions {
  /** Replaces the output of an earlier job, which is kept as a version. */
  readonly overwrite?: boolean | undefined
  /** With `overwrite`: replaces any directory. */
  readonly force?: boolean | undefined
  /** Publishes an output that the program's check has refused. */
  readonly despiteCheck?: boolean | undefined
}

interface TaskOptions extends CallOptions {
  /** Only tasks of this stage. */
  readonly stage?: number | undefined
}

/** True if the job has ended. */
export const isOver = (status: JobStatus): boolean =>
  status.state === 'succeeded' || status.state === 'failed' || status.state === 'cancelled'

export class Job {
  readonly id: JobId
  readonly #cluster: Cluster
  #unbind: (() => void) | undefined

  constructor(cluster: Cluster, id: JobId) {
    this.id = id
    this.#cluster = cluster
  }

  /** Current status. Takes options, or a signal alone. Throws ENOENT if there is no such job. */
  status(options?: AbortSignal | CallOptions | null): Promise<JobStatus> {
    return perform('job', undefined, () => ({ signal: signalOption(options, 'status') }), async ({ signal }) => this.#status(signal))
  }

  /** Yields each status that differs from the previous one, up to and including the last. Takes options, or a signal alone. */
  async *watch(options?: AbortSignal | CallOptions | null): AsyncGenerator<JobStatus, void, undefined> {
    const signal = await during('job', undefined, async () => signalOption(options, 'watch'))
    let status = await during('job', undefined, () => this.#status(signal), signal)
    yield status
    while (!isOver(status)) {
      const { version } = status
      const next = await during('job', undefined, () => this.#next(version, signal), signal)
      if (next.version !== version || isOver(next)) yield next
      status = next
    }
  }

  /**
   * Waits for the end. Throws JOB_FAILED with the failure of the task that caused it (`details.failure`: message, the user's
   * stack, the record), CHECK_REFUSED if the program's check has refused the output, or JOB_CANCELLED. An abort ends the wait, not the job.
   */
  async wait(options?: WaitOptions | null): Promise<JobStatus> {
    const { signal, onStatus } = await during('job', undefined, async () => {
      const given = optionsOf<WaitOptions>(options, 'wait', { signal: true, onStatus: true })
      callbackOf(given.onStatus, 'onStatus')
      return given
    })
    let last: JobStatus | undefined
    for await (const status of this.watch({ signal })) {
      last = status
      onStatus?.(status)
    }
    this.#unbind?.()
    const { state, failure } = last!
    if (state === 'succeeded') return last!
    const details = { job: this.id, ...failure && { failure } }
    if (state === 'cancelled') throw new GristmillError('JOB_CANCELLED', failure?.message ?? `job ${this.id} was cancelled`, { details })
    if (failure?.code === 'CHECK_REFUSED')
      throw new GristmillError('CHECK_REFUSED', `job ${this.id} has published nothing: ${failure.message}`, { details })
    throw new GristmillError('JOB_FAILED', `job ${this.id} failed: ${failure?.message ?? 'no reason was kept'}`, { details })
  }

  /**
   * Cancels the job; its output is not published. A job that has ended does not change. Returns the final status. Takes options,
   * or a signal alone.
   */
  kill(options?: AbortSignal | CallOptions | null): Promise<JobStatus> {
    return perform(
      'kill', undefined, () => ({ signal: signalOption(options, 'kill') }),
      async ({ signal }) => this.#cluster.ask(protocol.kill, { job: this.id }, signal),
    )
  }

  /**
   * Publishes the kept output of the job (`status.kept`), which could not be published before. Throws EINVAL if nothing is kept, or its
   * check has refused it, and EEXIST, ENOTEMPTY, EBUSY, EDQUOT or EACCES like a submit; the output is then still kept. Returns the status.
   */
  publish(output: Path, options?: PublishOptions | null): Promise<JobStatus> {
    const read = (): Partial<PublishOptions> => {
      const given = optionsOf<PublishOptions>(options, 'publish', { overwrite: true, force: true, despiteCheck: true, signal: true })
      flagsOf(given, 'overwrite', 'force', 'despiteCheck')
      return given
    }
    return perform('publish', output, read, async ({ overwrite = false, force = false, despiteCheck = false, signal }) => {
      const path = pathOf(output, 'output')
      const { kept } = await this.#status(signal)
      const { patterns } = kept?.patternCount
        ? await this.#cluster.ask(protocol.patterns, { job: this.id }, signal)
        : { patterns: kept?.patterns ?? [] }
      const format = kept?.format ?? outputFormatDefault
      if (patterns.length > 0) await checkKeptApart(this.#cluster.ask, { patterns, output: path, format }, signal)
      return this.#cluster.ask(protocol.publish, {
        job: this.id, output: { path, overwrite, force }, ...despiteCheck && { despiteCheck },
      }, signal)
    })
  }

  /**
   * Deletes the kept output and frees its space; the job can no longer be published. Throws EINVAL if nothing is kept. Returns the
   * status.
   */
  drop(options?: CallOptions | null): Promise<JobStatus> {
    return perform(
      'drop', undefined, () => ({ signal: signalOption(options, 'drop') }),
      async ({ signal }) => this.#cluster.ask(protocol.drop, { job: this.id }, signal),
    )
  }

  /** From now on an abort of `signal` kills the job, until `wait` has seen its end. */
  killOn(signal: AbortSignal): void {
    const kill = (): void => {
      // Not awaited: the caller that aborted learns the end from `wait`; if the namenode is unreachable, the job keeps running.
      this.kill().catch(() => undefined)
    }
    if (signal.aborted) return kill()
    signal.addEventListener('abort', kill, { once: true })
    this.#unbind = () => signal.removeEventListener('abort', kill)
  }

  /** Tasks with their attempts, in order of stage and task. */
  async *tasks(options?: TaskOptions | null): AsyncGenerator<TaskStatus, void, undefined> {
    const { stage, signal } = await during('tasks', undefined, async () => {
      const given = optionsOf<TaskOptions>(options, 'tasks', { stage: true, signal: true })
      checkInteger('number of the stage', given.stage, 0)
      return given
    })
    const ask = (from?: number) =>
      this.#cluster.ask(
        protocol.tasks, { job: this.id, ...(stage !== undefined && { stage }), ...(from !== undefined && { from }) }, signal,
      )
    for await (const page of paged((from?: number) => during('tasks', undefined, () => ask(from), signal))) yield* page.tasks
  }

  /** Log output of the attempts, attempt by attempt, from all reachable nodes. */
  async *logs(options?: LogOptions | null): AsyncGenerator<LogPiece, void, undefined> {
    const given = await during('logs', undefined, async () => {
      const read = optionsOf<LogOptions>(options, 'logs', { stage: true, task: true, attempt: true, follow: true, signal: true })
      checkInteger('number of the stage', read.stage, 0)
      checkInteger('number of the task', read.task, 0)
      if (read.attempt !== undefined) textOf(read.attempt, 'id of the attempt', { max: 128 })
      flagsOf(read, 'follow')
      return read
    })
    yield* readLogs(this.#cluster, this.id, given)
  }

  #status(signal: AbortSignal | undefined): Promise<JobStatus> {
    return this.#cluster.ask(protocol.watch, { job: this.id }, signal)
  }

  /** The next status; retries across a restart of the namenode for limits.requestRetryMs. */
  async #next(after: number, signal?: AbortSignal): Promise<JobStatus> {
    const { ask, clock } = this.#cluster
    return retry(() => ask(protocol.watch, { job: this.id, after }, signal), {
      clock, signal, pauseMs: 200, untilMs: clock.mono() + limits.requestRetryMs,
      again: isTransient,
    })
  }
}

/** The newest jobs first, ended ones included. */
export async function listJobs(cluster: Cluster, limit = 100, signal?: AbortSignal): Promise<JobStatus[]> {
  const wanted = Math.min(1000, Math.max(1, limit))
  const found: JobStatus[] = []
  const ask = (before?: JobId) =>
    cluster.ask(protocol.jobs, { limit: wanted - found.length, ...before !== undefined && { before } }, signal)
  for await (const page of paged(ask)) {
    found.push(...page.jobs)
    if (found.length >= wanted) break
  }
  return found
}
