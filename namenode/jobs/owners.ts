// Calls of job owners that change something: submit (with splits sent in pages before), kill, publish and drop a kept output; and `watch`,
// which waits for a change.

import { GristmillError } from '../../src/base/errors.ts'
import type { JobId } from '../../src/base/ids.ts'
import type * as protocol from '../../src/protocol/job.ts'
import type { JobSpec, JobStatus } from '../../src/protocol/job.ts'
import type { RequestOf } from '../../src/protocol/message.ts'
import type { CallContext } from '../../src/rpc/context.ts'
import type { JobsDeps, JobStore } from './deps.ts'
import type { Engine } from './engine.ts'
import type { JobLookup } from './lookup.ts'
import { checkOutputPath, checkSpec, isResult } from './spec.ts'
import { Admission } from './splits/admission.ts'
import { splitsOf, unpacked } from './splits/input.ts'
import { placesOf } from './splits/locations.ts'
import { heldSpec } from './splits/splits.ts'
import type { StepWaits } from './stepwaits.ts'

export class OwnerCalls {
  readonly #engine: Engine
  readonly #deps: JobsDeps
  readonly #store: JobStore
  readonly #lookup: JobLookup
  readonly #waits: StepWaits
  readonly #admission: Admission

  constructor(engine: Engine, deps: JobsDeps, { lookup, waits }: { readonly lookup: JobLookup; readonly waits: StepWaits }) {
    this.#engine = engine
    this.#deps = deps
    this.#store = deps.store
    this.#lookup = lookup
    this.#waits = waits
    this.#admission = new Admission(
      { jobs: engine.scheduler.jobs, uploads: () => deps.store.uploads }, { jobsPerUser: deps.jobsPerUser },
    )
  }

  /**
   * The job of a repeated request is in the scheduler, has ended, or was begun by an earlier process and is taken over by `engine.start`,
   * which restores what it has done: here the scheduler is told only of a job that this call has put into the journal. (A repeat of a
   * request that is under way does not come here: src/rpc/repeats.ts.)
   */
  async submit(spec: JobSpec, context: CallContext): Promise<{ job: JobId }> {
    const { user } = context
    const requestId = context.requestId!
    checkSpec(spec)
    const { queues } = this.#engine.scheduler
    if (spec.queue !== undefined && !queues.has(spec.queue))
      throw new GristmillError(
        'EINVAL', `there is no queue ${spec.queue}; the queues are ${[...queues.keys()].join(', ')} (setting "queues" of the namenode)`,
      )
    const actor = this.#deps.actor(user)
    if (this.#store.hasAnswer(requestId)) return { job: await this.#store.submit({ requestId, actor, spec }) }
    const refused = this.#engine.scheduler.refusal(spec)
    if (refused !== undefined) throw new GristmillError('EINVAL', refused)
    return this.#waits.noting({ user, spec }, () => this.#admission.job({ user, spec }, async () => {
      const { whole, places } = await this.#planned(spec, user)
      const job = await this.#store.submit({ requestId, actor, spec })
      // Nothing is awaited between the journal's answer and the scheduler.
      this.#engine.feed({ kind: 'submitted', job, user, spec: whole, submittedMs: this.#store.head(job)!.submittedMs, places })
      return { job }
    }))
  }

  /** Checks the inputs as they are now. Throws ESTALE, ENOENT, EACCES, EBUSY, EINVAL. */
  async #planned(spec: JobSpec, user: string): Promise<{ whole: JobSpec; places: Awaited<ReturnType<typeof placesOf>> }> {
    await this.#deps.checkSplits(this.#deps.actor(user), splitsOf(spec), spec.output.path)
    const whole = await this.#store.whole(spec)
    return { whole: heldSpec(whole), places: await placesOf(whole, this.#deps) }
  }

  /** Takes a page of the splits of a job that is still to be submitted. */
  async addPage({ requestId, ...page }: RequestOf<typeof protocol.splits>, { user }: CallContext): Promise<Record<string, never>> {
    const actor = this.#deps.actor(user)
    const add = (): Promise<void> => this.#store.addPage({ requestId, actor, ...page })
    if (this.#store.hasAnswer(requestId)) await add()
    else {
      if (!isResult(page.output)) checkOutputPath(page.output)
      await this.#admission.page({ user, upload: page.id, splits: page.splits }, async () => {
        await this.#deps.checkSplits(actor, unpacked(page.splits), page.output)
        await add()
      })
    }
    return {}
  }

  async watch(id: JobId, after: number | undefined, context: CallContext): Promise<JobStatus> {
    const status = this.#lookup.statusOf(id)
    if (after === undefined || status.state !== 'running') return status
    // A version above this one was seen before the namenode restarted. A job that is not taken over yet has no version.
    await this.#engine.watchers.wait(id, context.signal, status.version !== after)
    return this.#lookup.statusOf(id)
  }

  async kill(id: JobId, context: CallContext): Promise<JobStatus> {
    const { user } = this.#lookup.statusOf(id)
    if (user !== context.user && !this.#deps.actor(context.user).root) {
      throw new GristmillError('EACCES', `job ${id} is ${user}'s; only ${user} or the cluster's superuser may kill it`, {
        details: { job: id },
      })
    }
    this.#engine.feed({ kind: 'kill', job: id })
    await this.#engine.over(id, context.signal)
    return this.#lookup.statusOf(id)
  }

  async publish(
    { requestId, job, output: { path, overwrite = false, force }, despiteCheck }: RequestOf<typeof protocol.publish>,
    { user }: CallContext,
  ): Promise<JobStatus> {
    checkOutputPath(path)
    await this.#store.publishKept({
      requestId, actor: this.#deps.actor(user), job, output: { path, overwrite, ...(force && { force }) }, despiteCheck,
    })
    return this.#lookup.statusOf(job)
  }

  async drop({ requestId, job }: RequestOf<typeof protocol.drop>, { user }: CallContext): Promise<JobStatus> {
    await this.#store.dropKept({ requestId, actor: this.#deps.actor(user), job })
    return this.#lookup.statusOf(job)
  }
}
