// Admission of jobs and their splits, which are held in the namenode's memory while jobs run. Uploaded splits and splits
// inside job requests share one bound. An admitted request counts at once, before it is journalled.
// INVARIANT: splits of running jobs, uploads and requests in progress take at most limits.splitsHeldBytesMax, and running jobs
// plus those in progress are at most limits.jobsRunningMax, and those of one user at most `jobsPerUser`. After a restart, jobs of
// earlier versions may exceed this: then nothing is admitted.
// Jobs that drive programs are counted apart, under the same two bounds: if they took places of other jobs, they could take all of them,
// and wait for steps that are never admitted.

import { GristmillError } from '../../../src/base/errors.ts'
import type { SplitsId } from '../../../src/base/ids.ts'
import { limits } from '../../../src/base/limits.ts'
import type { JobSpec } from '../../../src/protocol/job.ts'
import { isDrive } from '../../../src/protocol/task.ts'
import type { UploadsPort } from '../deps.ts'
import type { RunningJob } from '../scheduler/state.ts'
import { splitChars } from './splits.ts'

interface AdmissionDeps {
  /** Running jobs. */
  readonly jobs: { values(): Iterable<Pick<RunningJob, 'user' | 'spec'>> }
  readonly uploads: () => UploadsPort
}

interface AdmissionOptions {
  readonly heldBytesMax?: number | undefined
  /** Running jobs of one user, and running drives. */
  readonly jobsPerUser?: number | undefined
}

/** A request in progress: a job, or a page of an upload. */
interface Coming {
  readonly user: string
  readonly bytes: number
  readonly upload?: SplitsId
  /** The job drives a program. */
  readonly drives?: boolean
}

export class Admission {
  readonly #deps: AdmissionDeps
  readonly #heldBytesMax: number
  readonly #jobsPerUser: number
  readonly #coming = new Set<Coming>()

  constructor(
    deps: AdmissionDeps, { heldBytesMax = limits.splitsHeldBytesMax, jobsPerUser = limits.jobsRunningMax }: AdmissionOptions = {},
  ) {
    this.#deps = deps
    this.#heldBytesMax = heldBytesMax
    this.#jobsPerUser = jobsPerUser
  }

  /** `work` writes the job to the journal and the scheduler. Throws OVERLOADED before calling it. */
  job<T>({ user, spec }: { readonly user: string; readonly spec: JobSpec }, work: () => Promise<T>): Promise<T> {
    return this.#admit({ user, bytes: splitChars(spec), drives: isDrive(spec) }, work)
  }

  /** `work` writes a page of splits to the journal. Throws OVERLOADED before calling it. */
  page<T>(
    { user, upload, splits }: { readonly user: string; readonly upload: SplitsId; readonly splits: readonly string[] },
    work: () => Promise<T>,
  ): Promise<T> {
    return this.#admit({ user, upload, bytes: splits.reduce((sum, { length }) => sum + length, 0) }, work)
  }

  async #admit<T>(coming: Coming, work: () => Promise<T>): Promise<T> {
    const { jobs, uploads } = this.#deps
    this.#checkJobs(coming)
    if (coming.upload !== undefined) this.#checkUser(coming.user, coming.upload, coming.bytes)
    const held =
      [...jobs.values()].reduce((sum, { spec }) => sum + splitChars(spec), 0) + bytesOf(uploads().values()) + bytesOf(this.#coming)
    // A job without own splits has its splits counted as uploads already.
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

  /** Throws OVERLOADED if there are as many jobs as there may be, or the user has as many as one may have. */
  #checkJobs({ user, upload, drives = false }: Coming): void {
    const users = [
      ...[...this.#deps.jobs.values()].filter(({ spec }) => isDrive(spec) === drives),
      ...[...this.#coming].filter(each => each.upload === undefined && each.drives === drives),
    ].map(each => each.user)
    if (users.length >= limits.jobsRunningMax) {
      const what = drives ? 'detached programs' : 'jobs'
      throw new GristmillError('OVERLOADED', `${limits.jobsRunningMax} ${what} are running already; wait for one to end, or kill one`)
    }
    const own = users.filter(each => each === user).length
    if (upload !== undefined || own < this.#jobsPerUser) return
    const [one, many] = drives ? ['a detached program', 'detached programs'] : ['a job', 'jobs']
    throw new GristmillError(
      'OVERLOADED',
      `${user} has ${own === 1 ? `${one} that has` : `${own} ${many} that have`} not ended, as many as one user may have (setting jobsPerUser of the namenode); wait for one to end, or kill one`,
    )
  }

  /** Bounds one user's share of the space for uploads. Throws OVERLOADED. */
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
