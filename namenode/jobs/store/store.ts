// Journalled part of jobs, over the namenode's journal. The scheduler's entries are written in order and are never refused
// because the journal's queue is full: the scheduler cannot take back a decision.

import { assert } from '../../../src/base/assert.ts'
import { asError, hasCode, type ErrorCode } from '../../../src/base/errors.ts'
import type { AttemptId, JobId, RequestId } from '../../../src/base/ids.ts'
import { limits } from '../../../src/base/limits.ts'
import { retry } from '../../../src/base/retry.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import { unarmed, type Failpoints } from '../../../src/ports/failpoints.ts'
import type { Failure } from '../../../src/protocol/fields.ts'
import type { JobSpec, JobStatus } from '../../../src/protocol/job.ts'
import type { OutputFile } from '../../../src/protocol/task.ts'
import type { Journal } from '../../journal/journal.ts'
import type { Mutation } from '../../journal/operation.ts'
import { checkFree } from '../../namespace/reserved.ts'
import { JobIndex, type KeptBounds } from './jobindex.ts'
import {
  commitTask, dropKept, finishJob, forgetJob, loseOutput, publishJob, publishKept, recordTries, resumeJob, rewriteStage, submitJob,
  sweepStaging, trimJob,
} from './mutations.ts'
import type { JobRecord, LayoutRecord, TaskRecord } from './record.ts'
import type { FinishFacts, JobStore, SplitsPage, UploadsPort } from '../deps.ts'
import { filesOf, headOf, heads, jobName, jobNumber, firstWriter, layoutsOf, pageOf, paramsOf, specOf, tasksOf } from './rows.ts'
import { forgetSplits } from '../splits/pages.ts'
import { wholeSpec } from '../splits/splits.ts'
import type { KeepVersions } from '../publish/publish.ts'
import { digestOf, hasStaging, staged } from '../publish/staging.ts'
import { SplitUploads } from '../splits/uploads.ts'

/** Half of the journal's queue is left to other callers. */
const waitingMax = limits.mutationQueueMax / 2
/** Wait before checking the journal's queue again. */
const pauseMs = 5
/** Wait before retrying on a full disk. */
const fullMs = 1_000

/** Task records that are read without a pause, about 5 µs each. */
const recordsMax = 1000

/** Codes that mean a failed journal, not a refused mutation. */
const noAnswer: ReadonlySet<ErrorCode> = new Set(['TIMEOUT', 'UNAVAILABLE'])

interface JobStoreOptions {
  /** Its time governs the expiry of trash and of kept outputs. */
  readonly journal: Journal
  readonly clock: Clock
  readonly failpoints?: Failpoints | undefined
  /** true: a replaced output goes to the trash; false: it is deleted. */
  readonly trash?: boolean | undefined
  /** Older versions of an output that are kept; 0: none; undefined: outputs have no versions at all. */
  readonly versions?: number | undefined
  /** Bounds of kept outputs. */
  readonly kept?: KeptBounds | undefined
  /** All packed splits of one job; default: limits.jobSplitsBytesMax. */
  readonly splitsBytesMax?: number | undefined
}

export class JournalJobStore implements JobStore {
  readonly #journal: Journal
  readonly #clock: Clock
  readonly #failpoints: Failpoints
  readonly #trash: boolean
  readonly #versions: number | undefined
  readonly #index: JobIndex
  /** Settles when all entries so far have been submitted to the journal. */
  #handed: Promise<void> | undefined
  readonly #sent: SplitUploads
  #closed = false
  /** Parameters of running jobs, cached while an order holds them: all tasks of a job share one object. */
  readonly #params = new Map<JobId, WeakRef<JobSpec['params']>>()

  constructor({ journal, clock, failpoints = unarmed, trash = true, versions, kept, splitsBytesMax }: JobStoreOptions) {
    this.#index = new JobIndex(journal.view, kept)
    this.#sent = new SplitUploads({ journal, clock }, { splitsBytesMax })
    this.#journal = journal
    this.#clock = clock
    this.#failpoints = failpoints
    this.#trash = trash
    this.#versions = versions
  }

  /** Throws AssertionFailed if what is kept in memory differs from the journalled state. For tests and simulations. */
  checkState(): void {
    this.#index.checkState()
    this.#sent.checkState()
    for (const job of this.#params.keys())
      assert(this.#index.isRunning(jobNumber(job)!), `parameters of ${job} are kept, and it does not run`)
  }

  /** Ends all retries. */
  close(): void { this.#closed = true }

  async submit({ requestId, actor, spec }: Parameters<JobStore['submit']>[0]): Promise<JobId> {
    checkFree(spec.output.path)
    if (!this.hasAnswer(requestId)) this.#sent.check(spec)
    const job = await this.#journal.submit(submitJob, { requestId, actor, spec, nowMs: this.#clock.now(), clear: true, apart: true })
    this.#sent.taken(spec)
    this.#changed(job)
    this.#keepParams(job, spec.params)
    return job
  }

  get uploads(): UploadsPort { return this.#sent.uploads }

  addPage(page: SplitsPage): Promise<void> { return this.#sent.addPage(page) }

  whole(spec: JobSpec): Promise<JobSpec> {
    return wholeSpec(spec, { page: (id, page) => pageOf(this.#journal.view, id, page), pause: () => this.#clock.yield() })
  }

  hasAnswer(requestId: RequestId): boolean { return this.#journal.hasAnswer(requestId) }

  resume(job: JobId): Promise<number> { return this.#journal.submit(resumeJob, { job, apart: true }) }

  async giveUp(job: JobId, status: JobStatus): Promise<void> {
    await this.#journal.submit(finishJob, { job, status })
    this.#changed(job)
  }

  async commit(job: JobId, record: TaskRecord): Promise<Failure | undefined> {
    return this.#refusable(() => {
      this.#failpoints.pass('task.commit.before')
      return this.#write(commitTask, { job, record, inherits: true })
    })
  }

  async publish(job: JobId, status: JobStatus): Promise<Failure | undefined> {
    const digest = await this.#committed(job)
    const refused = await this.#refusable(() => {
      this.#failpoints.pass('job.publish.before')
      return this.#write(publishJob, {
        job, status, nowMs: this.#clock.now(), trashMs: this.#trashMs(), digest, keptMs: this.#journal.nowMs(), ...this.#version(),
        inherits: true,
      })
    })
    this.#changed(job)
    return refused
  }

  async publishKept({ requestId, actor, job, output, despiteCheck }: Parameters<JobStore['publishKept']>[0]): Promise<void> {
    checkFree(output.path)
    const digest = await this.#committed(job)
    await this.#journal.submit(publishKept, {
      requestId, actor, job, output, nowMs: this.#clock.now(), trashMs: this.#trashMs(), digest, ...this.#version(), sealed: true,
      inherits: true,
      ...despiteCheck && { despiteCheck },
    })
    this.#changed(job)
  }

  async dropKept(request: Parameters<JobStore['dropKept']>[0]): Promise<void> {
    await this.#journal.submit(dropKept, request)
    this.#changed(request.job)
  }

  /** Digest of the files that the tasks of a job have committed; these do not change any more. Reading all records takes many pauses. */
  async #committed(job: JobId): Promise<string> {
    const files: OutputFile[] = []
    const head = this.head(job)
    for (let from = head && firstWriter(head); from;) {
      const page = [...tasksOf(this.#journal.view, jobNumber(job)!, from, recordsMax)]
      files.push(...page.flatMap(filesOf))
      const last = page.length === recordsMax ? page.at(-1) : undefined
      from = last && { stage: last.stage, task: last.task + 1 }
      if (from) await this.#clock.yield()
    }
    return digestOf(files)
  }

  #changed(job: JobId): void {
    const number = jobNumber(job)
    if (number === undefined) return
    this.#index.note(number)
    if (!this.#index.isRunning(number)) this.#params.delete(job)
  }

  /** A repeated request to submit may be answered after its job has ended. */
  #keepParams(job: JobId, params: JobSpec['params']): void {
    if (this.#index.isRunning(jobNumber(job)!)) this.#params.set(job, new WeakRef(params))
  }

  #version(): { version?: KeepVersions } {
    return this.#versions === undefined ? {} : { version: { keep: this.#versions, nowMs: this.#journal.nowMs() } }
  }

  #trashMs(): number | undefined { return this.#trash ? this.#journal.nowMs() : undefined }

  async tried(job: JobId, record: TaskRecord): Promise<void> { await this.#insist(recordTries, { job, record }) }

  async lose(job: JobId, attempt: AttemptId): Promise<void> { await this.#insist(loseOutput, { job, attempt }) }

  async rewrite(job: JobId, record: LayoutRecord): Promise<void> { await this.#insist(rewriteStage, { job, ...record }) }

  async finish(job: JobId, status: JobStatus, { failed, unfinished = [], keep }: FinishFacts = {}): Promise<void> {
    const nowMs = this.#journal.nowMs()
    // If no outputs are kept, the failure message must not promise it.
    await this.#insist(finishJob, {
      job, status, ...(failed && { failed }), ...(unfinished.length > 0 && { unfinished }),
      ...(keep && this.#index.keeps && {
        keep: {
          nowMs, untilMs: nowMs + limits.unpublishedKeepMs, bytes: keep.bytes,
          // checkCommitted is the only refusal of publishing with this code.
          ...(status.failure?.code === 'CORRUPT' && { altered: true }),
        },
      }),
    })
    this.#changed(job)
  }

  async tidy(): Promise<boolean> {
    await this.#sent.forget(id => this.#write(forgetSplits, { id }))
    const index = this.#index
    const { view } = this.#journal
    const due = index.due(this.#journal.nowMs())
    // A superuser may have removed a kept output: then the head is updated.
    for (const number of index.kept) if (!hasStaging(view, jobName(number))) due.add(number)
    for (const job of new Set([...staged(view), ...[...due].map(jobName)])) {
      const number = jobNumber(job)
      if (number !== undefined && (index.isRunning(number) || (index.isKept(number) && !due.has(number)))) continue
      await this.#write(sweepStaging, { job })
      this.#changed(job)
    }
    for (const number of index.heavy) {
      await this.#write(trimJob, { job: jobName(number) })
      index.note(number)
    }
    const ended = index.ended
    const [oldest] = ended
    if (oldest === undefined || ended.length <= limits.jobsKept) return false
    await this.#write(forgetJob, { number: oldest })
    index.note(oldest)
    return true
  }

  head(job: JobId): JobRecord | undefined {
    const number = jobNumber(job)
    return number === undefined ? undefined : headOf(this.#journal.view, number)
  }

  spec(job: JobId): JobSpec | undefined {
    const number = jobNumber(job)
    return number === undefined ? undefined : specOf(this.#journal.view, number)
  }

  params(job: JobId): JobSpec['params'] | undefined {
    const known = this.#params.get(job)?.deref()
    if (known) return known
    const number = jobNumber(job)
    const params = number === undefined ? undefined : paramsOf(this.#journal.view, number)
    if (params) this.#keepParams(job, params)
    return params
  }

  tasks(job: JobId, from?: { stage: number; task: number }): Iterable<TaskRecord> {
    const number = jobNumber(job)
    return number === undefined ? [] : tasksOf(this.#journal.view, number, from)
  }

  layouts(job: JobId): LayoutRecord[] {
    const number = jobNumber(job)
    return number === undefined ? [] : [...layoutsOf(this.#journal.view, number)]
  }

  newest(before?: JobId): ReturnType<JobStore['newest']> {
    return heads(this.#journal.view, { reverse: true, before: before && jobNumber(before) })
  }

  running(): JobId[] {
    this.#index.load()
    return this.#index.running.map(jobName)
  }

  /** Submits an operation after all earlier ones, as soon as the journal's queue has space. */
  #write<O extends object, R>(mutation: Mutation<O, R>, operation: O): Promise<R> {
    if (!this.#handed && this.#journal.waiting < waitingMax) return this.#journal.submit(mutation, operation)
    const before = this.#handed
    let written: Promise<R>
    const handed = (async () => {
      await before
      while (this.#journal.waiting >= waitingMax && !this.#closed) await this.#clock.sleep(pauseMs)
      written = this.#journal.submit(mutation, operation)
      written.catch(() => undefined) // the caller handles it through the returned promise
    })()
    this.#handed = handed
    return handed.then(() => {
      if (this.#handed === handed) this.#handed = undefined
      return written
    })
  }

  /** Returns a refusal as a value; throws if the journal has failed. */
  async #refusable(write: () => Promise<unknown>): Promise<Failure | undefined> {
    try {
      await this.#patient(write)
      return undefined
    } catch (thrown) {
      const error = asError(thrown)
      if (noAnswer.has(error.code)) throw error
      return { code: error.code, message: error.message }
    }
  }

  /** Submits an operation that must not be given up. */
  async #insist<O extends object, R>(mutation: Mutation<O, R>, operation: O): Promise<void> {
    await this.#patient(() => this.#write(mutation, operation))
  }

  /**
   * Retries while the disk is full or the journal unavailable: computed results are not discarded for lack of a megabyte. No mutation
   * of jobs throws these codes itself.
   */
  async #patient(write: () => Promise<unknown>): Promise<void> {
    const again = (error: unknown): boolean => !this.#closed && hasCode(error, 'ENOSPC', 'OVERLOADED', 'UNAVAILABLE')
    await retry(write, { clock: this.#clock, pauseMs: fullMs, again })
  }
}
