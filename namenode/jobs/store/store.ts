// The journalled part of jobs over the namenode's journal. What the scheduler wants written is written in the order in
// which it was wanted, and is never given up for want of room in the journal's queue: a scheduler that has decided
// cannot take it back.

import { asError, hasCode, type ErrorCode } from '../../../src/base/errors.ts'
import type { AttemptId, JobId, RequestId } from '../../../src/base/ids.ts'
import { limits } from '../../../src/base/limits.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import { unarmed, type Failpoints } from '../../../src/ports/failpoints.ts'
import type { Failure } from '../../../src/protocol/fields.ts'
import type { JobSpec, JobStatus } from '../../../src/protocol/job.ts'
import type { Journal } from '../../journal/journal.ts'
import type { Mutation } from '../../journal/operation.ts'
import { checkFree } from '../../namespace/reserved.ts'
import { JobIndex, type KeptBounds } from './jobindex.ts'
import {
  commitTask, dropKept, finishJob, forgetJob, loseOutput, publishJob, publishKept, resumeJob, submitJob, sweepStaging, trimJob,
} from './mutations.ts'
import type { JobRecord, TaskRecord } from './record.ts'
import type { JobStore, SplitsPage, UploadsPort } from '../deps.ts'
import { headOf, heads, jobName, jobNumber, pageOf, paramsOf, specOf, tasksOf } from './rows.ts'
import { forgetSplits } from '../splits/pages.ts'
import { wholeSpec } from '../splits/splits.ts'
import { hasStaging, staged } from '../publish/staging.ts'
import { SplitUploads } from '../splits/uploads.ts'

/** The scheduler leaves room in the journal's queue for everybody else. */
const waitingMax = limits.mutationQueueMax / 2
/** How long to let the journal write before looking again. */
const pauseMs = 5
/** A full disk is looked at again after this long. */
const fullMs = 1_000

/** Not the mutation's refusal but the journal's end. */
const noAnswer: ReadonlySet<ErrorCode> = new Set(['TIMEOUT', 'UNAVAILABLE'])

export interface JobStoreOptions {
  readonly journal: TimedJournal
  readonly clock: Clock
  readonly failpoints?: Failpoints | undefined
  /** A replaced output goes to the trash; else for good. */
  readonly trash?: boolean | undefined
  /** Of outputs that are kept because they could not be published. */
  readonly kept?: KeptBounds | undefined
  /** All packed splits of one job; default: limits.jobSplitsBytesMax. */
  readonly splitsBytesMax?: number | undefined
}

/** By its time things leave the trash again, and what is kept of jobs goes. */
type TimedJournal = Journal & { nowMs(): number }

export class JournalJobStore implements JobStore {
  readonly #journal: TimedJournal
  readonly #clock: Clock
  readonly #failpoints: Failpoints
  readonly #trash: boolean
  readonly #index: JobIndex
  /** Settles when everything wanted so far has been handed to the journal. */
  #handed: Promise<void> | undefined
  readonly #sent: SplitUploads
  #closed = false
  /** Parameters of running jobs, for as long as an order needs them: all tasks of a job share one object. */
  readonly #params = new Map<JobId, WeakRef<JobSpec['params']>>()

  constructor({ journal, clock, failpoints = unarmed, trash = true, kept, splitsBytesMax }: JobStoreOptions) {
    this.#index = new JobIndex(journal.view, kept)
    this.#sent = new SplitUploads({ journal, clock }, { splitsBytesMax })
    this.#journal = journal
    this.#clock = clock
    this.#failpoints = failpoints
    this.#trash = trash
  }

  /** Nothing is tried again from now on. */
  close(): void { this.#closed = true }

  async submit({ requestId, actor, spec }: Parameters<JobStore['submit']>[0]): Promise<JobId> {
    checkFree(spec.output.path)
    if (!this.hasAnswer(requestId)) this.#sent.check(spec)
    const job = await this.#journal.submit(submitJob, { requestId, actor, spec, nowMs: this.#clock.now(), clear: true, apart: true })
    this.#sent.taken(spec)
    this.#changed(job)
    this.#params.set(job, new WeakRef(spec.params))
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
      return this.#write(commitTask, { job, record })
    })
  }

  async publish(job: JobId, status: JobStatus): Promise<Failure | undefined> {
    const refused = await this.#refusable(() => {
      this.#failpoints.pass('job.publish.before')
      return this.#write(publishJob, { job, status, nowMs: this.#clock.now(), trashMs: this.#trashMs() })
    })
    this.#changed(job)
    return refused
  }

  async publishKept({ requestId, actor, job, output }: Parameters<JobStore['publishKept']>[0]): Promise<void> {
    checkFree(output.path)
    await this.#journal.submit(publishKept, { requestId, actor, job, output, nowMs: this.#clock.now(), trashMs: this.#trashMs() })
    this.#changed(job)
  }

  async dropKept(request: Parameters<JobStore['dropKept']>[0]): Promise<void> {
    await this.#journal.submit(dropKept, request)
    this.#changed(request.job)
  }

  #changed(job: JobId): void {
    const number = jobNumber(job)
    if (number === undefined) return
    this.#index.note(number)
    if (!this.#index.isRunning(number)) this.#params.delete(job)
  }

  #trashMs(): number | undefined { return this.#trash ? this.#journal.nowMs() : undefined }

  async lose(job: JobId, attempt: AttemptId): Promise<void> { await this.#insist(loseOutput, { job, attempt }) }

  async finish(job: JobId, status: JobStatus, failed: TaskRecord | undefined, keep?: { readonly bytes: number }): Promise<void> {
    const nowMs = this.#journal.nowMs()
    // Where nothing may be kept, the failure does not promise it either.
    await this.#insist(finishJob, {
      job, status, ...(failed && { failed }),
      ...(keep && this.#index.keeps && { keep: { nowMs, untilMs: nowMs + limits.unpublishedKeepMs, bytes: keep.bytes } }),
    })
    this.#changed(job)
  }

  async tidy(): Promise<boolean> {
    await this.#sent.forget(id => this.#write(forgetSplits, { id }))
    const index = this.#index
    const { view } = this.#journal
    const due = index.due(this.#journal.nowMs())
    // What is kept may have been removed by the superuser: then it is kept no longer, and the head says so.
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
    if (params) this.#params.set(job, new WeakRef(params))
    return params
  }

  tasks(job: JobId, from?: { stage: number; task: number }): Iterable<TaskRecord> {
    const number = jobNumber(job)
    return number === undefined ? [] : tasksOf(this.#journal.view, number, from)
  }

  newest(before?: JobId): ReturnType<JobStore['newest']> {
    return heads(this.#journal.view, { reverse: true, before: before && jobNumber(before) })
  }

  running(): JobId[] {
    this.#index.load()
    return this.#index.running.map(jobName)
  }

  /** Hands an operation to the journal after those wanted before it, as soon as there is room. */
  #write<O extends object, R>(mutation: Mutation<O, R>, operation: O): Promise<R> {
    if (!this.#handed && this.#journal.waiting < waitingMax) return this.#journal.submit(mutation, operation)
    const before = this.#handed
    let written: Promise<R>
    const handed = (async () => {
      await before
      while (this.#journal.waiting >= waitingMax && !this.#closed) await this.#clock.sleep(pauseMs)
      written = this.#journal.submit(mutation, operation)
      written.catch(() => undefined) // whoever wanted it hears of it below
    })()
    this.#handed = handed
    return handed.then(() => {
      if (this.#handed === handed) this.#handed = undefined
      return written
    })
  }

  /** The mutation's refusal as a value; a journal that is gone is an error. */
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

  /** Something that must be written at last. */
  async #insist<O extends object, R>(mutation: Mutation<O, R>, operation: O): Promise<void> {
    await this.#patient(() => this.#write(mutation, operation))
  }

  /**
   * A disk that is full, or takes nothing for another reason, is waited out: what has been computed is not thrown away for want of a
   * megabyte. No mutation of jobs says any of these itself.
   */
  async #patient(write: () => Promise<unknown>): Promise<void> {
    for (;;) {
      try {
        await write()
        return
      } catch (error) {
        if (this.#closed || !hasCode(error, 'ENOSPC', 'OVERLOADED', 'UNAVAILABLE')) throw error
      }
      await this.#clock.sleep(fullMs)
    }
  }
}
