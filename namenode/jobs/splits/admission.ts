// Admits jobs and their splits, which lie in the namenode's memory while jobs run. Splits that come in pages before their job (uploads)
// and splits that come with it are held against one bound. What is admitted counts from then on, also before the journal has it.
// INVARIANT: the splits of running jobs, of uploads and of requests under way take limits.splitsHeldBytesMax at most, and running jobs
// with those under way are limits.jobsRunningMax at most. A restart may find more, of earlier versions: then nothing is admitted.

import { GristmillError } from '../../../src/base/errors.ts'
import type { SplitsId } from '../../../src/base/ids.ts'
import { limits } from '../../../src/base/limits.ts'
import type { JobSpec } from '../../../src/protocol/job.ts'
import type { UploadsPort } from '../deps.ts'
import { splitChars } from './splits.ts'

export interface AdmissionDeps {
  /** Jobs that run. */
  readonly jobs: { readonly size: number; values(): Iterable<{ readonly spec: JobSpec }> }
  readonly uploads: () => UploadsPort
}

export interface AdmissionOptions {
  readonly heldBytesMax?: number | undefined
}

/** A request under way: a job, or a page of an upload. */
interface Coming { readonly user: string; readonly bytes: number; readonly upload?: SplitsId }

export class Admission {
  readonly #deps: AdmissionDeps
  readonly #heldBytesMax: number
  readonly #coming = new Set<Coming>()

  constructor(deps: AdmissionDeps, { heldBytesMax = limits.splitsHeldBytesMax }: AdmissionOptions = {}) {
    this.#deps = deps
    this.#heldBytesMax = heldBytesMax
  }

  /** `work` puts the job into the journal and the scheduler. Throws OVERLOADED before it is called. */
  job<T>({ user, spec }: { readonly user: string; readonly spec: JobSpec }, work: () => Promise<T>): Promise<T> {
    return this.#admit({ user, bytes: splitChars(spec) }, work)
  }

  /** `work` puts a page of splits into the journal. Throws OVERLOADED before it is called. */
  page<T>(
    { user, upload, splits }: { readonly user: string; readonly upload: SplitsId; readonly splits: readonly string[] },
    work: () => Promise<T>,
  ): Promise<T> {
    return this.#admit({ user, upload, bytes: splits.reduce((sum, { length }) => sum + length, 0) }, work)
  }

  async #admit<T>(coming: Coming, work: () => Promise<T>): Promise<T> {
    const { jobs, uploads } = this.#deps
    const jobsComing = [...this.#coming].filter(({ upload }) => upload === undefined).length
    if (jobs.size + jobsComing >= limits.jobsRunningMax)
      throw new GristmillError('OVERLOADED', `${limits.jobsRunningMax} jobs are running already; wait for one to end, or kill one`)
    if (coming.upload !== undefined) this.#checkUser(coming.user, coming.upload, coming.bytes)
    const held =
      [...jobs.values()].reduce((sum, { spec }) => sum + splitChars(spec), 0) + bytesOf(uploads().values()) + bytesOf(this.#coming)
    // A job that brings nothing with it has its splits here already.
    if (coming.bytes > 0 && held + coming.bytes > this.#heldBytesMax) {
      throw new GristmillError(
        'OVERLOADED',
        'the inputs of the jobs that run or are being submitted take all the memory that the namenode has for them; wait for a job to end, or kill one',
      )
    }
    this.#coming.add(coming)
    try {
      return await work()
    } finally {
      this.#coming.delete(coming)
    }
  }

  /** No user takes all the room that there is for uploads. */
  #checkUser(user: string, upload: SplitsId, bytes: number): void {
    const uploads = this.#deps.uploads()
    const coming = [...this.#coming].filter(each => each.upload !== undefined)
    const own = [...uploads.values(), ...coming].filter(each => each.user === user)
    if (bytesOf(own) + bytes > limits.uploadBytesPerUserMax) throw tooMany(user)
    if (uploads.has(upload)) return
    const ids = new Set([...uploads.keys(), ...coming.map(each => each.upload!)])
    if (ids.has(upload)) return
    const ownIds = new Set(
      [...uploads]
        .flatMap(([id, each]) => (each.user === user ? [id] : []))
        .concat(coming.flatMap(each => (each.user === user ? [each.upload!] : []))),
    )
    if (ownIds.size >= limits.uploadsPerUserMax) throw tooMany(user)
    if (ids.size >= limits.jobsRunningMax)
      throw new GristmillError(
        'OVERLOADED',
        `the inputs of ${limits.jobsRunningMax} jobs are being sent already; try again when one of them has been submitted`,
      )
  }
}

const bytesOf = (all: Iterable<{ readonly bytes: number }>): number => [...all].reduce((sum, { bytes }) => sum + bytes, 0)

const tooMany = (user: string): GristmillError =>
  new GristmillError(
    'OVERLOADED',
    `${user} sends the inputs of as many large jobs as one user may at a time; try again when one of them has been submitted (those of submissions that were given up are forgotten after ${limits.splitsKeptMs / 60_000} minutes)`,
  )
