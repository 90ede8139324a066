// Job engine: feeds the scheduler its events one at a time, in order of arrival, and carries out its effects. It decides
// nothing itself. Journal entries are written in the order of the effects; while nothing may be changed (succession/authority.ts),
// they wait.
// INVARIANT: no event is fed while another is processed; all effects of an event are carried out before the next event.

import { assert, assertKept, unreachable } from '../../src/base/assert.ts'
import { asError, GristmillError } from '../../src/base/errors.ts'
import { attemptParts, type AttemptId, type JobId, type NodeId } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import type { Failure } from '../../src/protocol/fields.ts'
import { outputStage } from '../../src/protocol/job.ts'
import type { TaskFinished } from '../../src/protocol/task.ts'
import type { Effect, Event, JobFacts } from './scheduler/event.ts'
import { Scheduler } from './scheduler/scheduler.ts'
import { placesOf } from './splits/locations.ts'
import type { LayoutRecord, TaskRecord } from './store/record.ts'
import { OutputReservations, type Outputs } from './publish/outputs.ts'
import type { JobsDeps } from './deps.ts'
import { heldSpec } from './splits/splits.ts'
import { Watchers } from './watch.ts'
import { workFor } from './work.ts'

export class Engine {
  readonly scheduler: Scheduler
  readonly watchers: Watchers
  readonly #deps: JobsDeps
  readonly #events: Event[] = []
  #working = false
  /** Reports that the scheduler has not answered yet. */
  readonly #answers = new Map<AttemptId, Array<(committed: boolean) => void>>()
  readonly #kills = new Map<NodeId, AttemptId[]>()
  /**
   * Journal entries to write, in order. Empty except while changes are forbidden; then at most a few per task, because attempts are not
   * acknowledged.
   */
  readonly #entries: Array<() => void> = []
  /** Output paths reserved by running jobs. */
  readonly #outputs = new OutputReservations()
  #cancelTick: (() => void) | undefined
  /** True while a tick is scheduled for tasks that wait for a better node. */
  #hurried = false
  #cancelPlaces: (() => void) | undefined
  /** Settles when all requested lookups of block locations are done. */
  #looked: Promise<void> = Promise.resolve()
  /** Duration of the last lookup. */
  #lookMs = 0
  #stopped = false

  constructor(deps: JobsDeps) {
    this.#deps = deps
    this.scheduler = new Scheduler({ checked: deps.checked, queues: deps.queues })
    this.watchers = new Watchers(deps.clock)
  }

  get outputs(): Outputs { return this.#outputs }

  /**
   * Takes over the jobs that ran when the last namenode ended; may be called again after a failure. No task starts before `feed({ kind:
   * 'opened' })`. A job that cannot be taken over fails; the others continue.
   */
  async start(): Promise<void> {
    const { store } = this.#deps
    for (const job of store.running()) {
      if (this.scheduler.jobs.has(job)) continue
      const facts = await this.#read(job)
      if (!facts) continue
      const term = await store.resume(job)
      this.feed({ kind: 'resumed', term, ...facts })
    }
    this.#tick()
  }

  /**
   * Reads a running job from the store. A job that cannot be read is ended as failed, and undefined is returned. Throws errors of the
   * journal.
   */
  async #read(
    job: JobId,
  ): Promise<JobFacts & { readonly tasks: readonly TaskRecord[]; readonly layouts: readonly LayoutRecord[] } | undefined> {
    const { store, clock, log } = this.#deps
    const { user, submittedMs, status } = store.head(job)!
    try {
      const stored = store.spec(job)
      if (!stored) throw new GristmillError('CORRUPT', `the spec of job ${job} is not in the store`, { details: { job } })
      const spec = heldSpec(await store.whole(stored))
      const places = await placesOf(spec, this.#deps)
      return { job, user, spec, submittedMs, places, tasks: [...store.tasks(job)], layouts: store.layouts(job) }
    } catch (thrown) {
      const error = asError(thrown)
      log.error('a job cannot be taken over, and has failed', { job, error })
      const failure = { code: error.code, message: `the namenode was started again and could not go on with the job: ${error.message}` }
      await store.giveUp(job, { ...status, state: 'failed', version: status.version + 1, finishedMs: Math.floor(clock.now()), failure })
      this.watchers.changed(job, true)
      return undefined
    }
  }

  stop(): void {
    this.#stopped = true
    this.#cancelTick?.()
    this.#cancelPlaces?.()
    this.watchers.stop()
  }

  /** Throws AssertionFailed if reservations or answers do not agree with the scheduler. For tests and simulations. */
  checkState(): void {
    const { jobs } = this.scheduler
    this.scheduler.checkState()
    this.#outputs.checkState(jobs)
    assertKept('events that wait', this.#events.length, 0)
    assertKept('nodes whose kills are gathered', this.#kills.size, 0)
    for (const attempt of this.#answers.keys()) {
      const { job, stage, task } = attemptParts(attempt)
      assertKept('attempt whose report waits for an answer', attempt, jobs.get(job)?.stages[stage]?.tasks[task]?.committing ?? 'none commits')
    }
  }

  feed(event: Event): void {
    this.#events.push(event)
    if (this.#working) return
    this.#working = true
    try {
      for (let next = this.#events.shift(); next; next = this.#events.shift()) {
        const { clock, awake } = this.#deps
        const effects = this.scheduler.apply(next, { nowMs: clock.now(), monoMs: awake.mono() })
        this.#reserve(next)
        for (const effect of effects) this.#carryOut(effect)
      }
    } finally {
      this.#working = false
    }
    this.#hurry()
  }

  #reserve(event: Event): void {
    if (event.kind === 'submitted' || event.kind === 'resumed') this.#outputs.reserve(event.spec.output.path, event.job, event.user)
    else if (event.kind === 'ended') this.#outputs.release(event.job)
  }

  /** Feeds a report and waits for its answer, which may include a journalled commit. */
  report(report: TaskFinished): Promise<boolean> {
    return new Promise(resolve => {
      const waiting = this.#answers.get(report.attempt)
      if (waiting) waiting.push(resolve)
      else this.#answers.set(report.attempt, [resolve])
      this.feed({ kind: 'finished', ...report })
    })
  }

  /** Feeds a progress report; returns the attempts that the node must kill. */
  progress(node: NodeId, attempts: (Event & { kind: 'progressed' })['attempts']): AttemptId[] {
    this.#kills.set(node, [])
    this.feed({ kind: 'progressed', node, attempts })
    const kill = this.#kills.get(node) ?? []
    this.#kills.delete(node)
    return kill
  }

  /** The locations of blocks are known well enough: tasks may start near their input. */
  async open(): Promise<void> {
    await this.placesChanged()
    this.feed({ kind: 'opened' })
  }

  /**
   * Blocks were reported or lost. A lookup costs per block, so many reports share one, and lookups take at most a tenth of the time.
   */
  blocksChanged(): void {
    if (this.#cancelPlaces || this.#stopped) return
    this.#cancelPlaces = this.#deps.clock.after(Math.max(limits.heartbeatMs, this.#lookMs * 10), () => {
      void this.placesChanged().then(() => { this.#cancelPlaces = undefined })
    })
  }

  /** Updates the input locations of waiting tasks. */
  placesChanged(): Promise<void> {
    return this.#looked = this.#looked.then(() => this.#look())
  }

  async #look(): Promise<void> {
    const { clock, log } = this.#deps
    const before = clock.mono()
    for (const job of [...this.scheduler.jobs.values()]) {
      if (this.#stopped) return
      if (!job.stages.some(stage => stage.places && stage.waiting > 0)) continue
      try {
        const found = await placesOf(job.spec, this.#deps)
        if (this.scheduler.jobs.get(job.id) !== job) continue
        for (const [stage, places] of found.entries()) if (places) this.feed({ kind: 'placed', job: job.id, stage, places })
      } catch (error) {
        if (!this.#stopped) log.error('the input locations of a job could not be updated', { job: job.id, error: asError(error) })
      }
    }
    this.#lookMs = clock.mono() - before
  }

  /** Waits until the job has ended. */
  async over(job: JobId, signal: AbortSignal): Promise<void> {
    while (this.scheduler.jobs.has(job) && !signal.aborted && !this.#stopped) await this.watchers.wait(job, signal)
  }

  #carryOut(effect: Effect): void {
    const { nodes, store } = this.#deps
    switch (effect.kind) {
      case 'run': {
        const { clock } = this.#deps
        const job = this.scheduler.jobs.get(attemptParts(effect.attempt).job)
        if (!job) return
        const params = store.params(job.id)
        assert(params, 'the parameters of a job that runs are in the store')
        const work = workFor(job, effect.attempt, effect.node, { ...this.#deps, params, nowMs: clock.now() })
        return nodes.order(effect.node, { kind: 'run', work })
      }
      case 'kill':
        this.#kills.get(effect.node)?.push(effect.attempt)
        return nodes.order(effect.node, { kind: 'kill', attempt: effect.attempt })
      case 'forget':
        return nodes.order(effect.node, { kind: 'forget', job: effect.job })
      case 'answer': {
        const waiting = this.#answers.get(effect.attempt)
        this.#answers.delete(effect.attempt)
        for (const resolve of waiting ?? []) resolve(effect.committed)
        return
      }
      case 'changed':
        return this.watchers.changed(effect.job, effect.urgent)
      case 'commit':
        return this.#journal(
          () => store.commit(effect.job, effect.record),
          refused => ({ kind: 'committed', record: effect.record, ...(refused && { refused }) }),
        )
      case 'tried':
        return this.#journal(
          () => store.tried(effect.job, effect.record), () => undefined,
        )
      case 'lose':
        return this.#journal(
          () => store.lose(effect.job, effect.attempt), () => undefined,
        )
      case 'rewrite':
        return this.#journal(
          () => store.rewrite(effect.job, { stage: effect.stage, layout: effect.layout }),
          () => ({ kind: 'rewritten', job: effect.job, stage: effect.stage }),
        )
      case 'finish':
        return this.#journal(
          () => store.finish(
            effect.job, effect.status,
            {
              failed: effect.failed, unfinished: effect.unfinished,
              ...effect.keep && { keep: { bytes: this.#outputBytes(effect.job) } },
            },
          ),
          () => ({ kind: 'ended', job: effect.job }),
        )
      case 'publish':
        return this.#journal(
          () => store.publish(effect.job, effect.status),
          failure => (failure ? { kind: 'unpublished', job: effect.job, failure } : { kind: 'ended', job: effect.job }),
        )
      default:
        unreachable(effect)
    }
  }

  /** Bytes of the output files of a computed job. */
  #outputBytes(job: JobId): number {
    const stages = this.scheduler.jobs.get(job)?.stages ?? []
    const files = stages[outputStage(stages.map(({ spec }) => spec))]?.tasks
      .flatMap(({ won }) => (won?.output.kind === 'files' ? won.output.files : [])) ?? []
    return files.reduce((sum, { length }) => sum + length, 0)
  }

  /**
   * Feeds the result of a journal entry. A failed journal stops the process: nothing is fed then, and the next process continues from
   * the disk.
   */
  #journal<T extends Failure | undefined | void>(work: () => Promise<T>, answer: (result: T) => Event | undefined): void {
    this.#entries.push(() => {
      work().then(result => {
        const event = answer(result)
        if (event) this.feed(event)
      }, thrown => {
        if (!this.#stopped) this.#deps.log.error('a change of a job did not reach the journal', { error: asError(thrown) })
      })
    })
    this.#flush()
  }

  #flush(): void {
    if (this.#deps.frozen()) return
    for (const entry of this.#entries.splice(0)) entry()
  }

  /** Schedules the regular ticks; #hurry adds faster ones while a task waits for a better node. */
  #tick(): void {
    if (this.#stopped) return
    const { clock, store, log, frozen } = this.#deps
    this.#cancelTick = clock.after(limits.nodeStaleMs, () => {
      this.feed({ kind: 'tick' })
      this.#flush()
      if (!frozen())
        store.tidy().catch((error: unknown) => {
          if (!this.#stopped) log.warn('ended jobs could not be tidied up', { error: asError(error) })
        })
      this.#tick()
    })
  }

  #hurry(): void {
    if (this.#hurried || this.#stopped || !this.scheduler.hasRunnable) return
    this.#hurried = true
    this.#deps.clock.after(limits.offerMs, () => {
      this.#hurried = false
      if (!this.#stopped) this.feed({ kind: 'tick' })
    })
  }
}
