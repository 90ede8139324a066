// Journal of a single namenode: operations in segment files, state in the store beside them.
// All waiting operations form one group. Within one transaction of the store each operation is checked against the state that
// the ones before it leave, and the group is appended to the log and synced; then the transaction commits, durably; only then
// are the callers answered. The store records the number of the last operation that it holds.
//   Crash before the sync: no caller was answered, nothing happened (at most a torn end remains).
//   Crash between sync and commit: the next start replays the group from the log.
//   Crash after the commit: the store already holds the log's tail.
// A failed sync or commit ends the process: the content of the disk is then unknown until a restart reads it. Exception: a
// commit that fails with ENOSPC has changed nothing, and the log holds the group (fulldisk.ts). A damaged store ends the
// process as well, and no further read is answered.

import { asError, GristmillError, hasCode } from '../../src/base/errors.ts'
import { fullNamenode } from '../../src/base/exhaustion.ts'
import { limits } from '../../src/base/limits.ts'
import { Queue } from '../../src/base/queue.ts'
import type { RequestId } from '../../src/base/ids.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Disk } from '../../src/ports/disk.ts'
import { unarmed, type Failpoints } from '../../src/ports/failpoints.ts'
import type { Log } from '../../src/ports/log.ts'
import type { Store } from '../../src/ports/store.ts'
import { unseal } from './codec.ts'
import { countersKey, decodeCounters, emptyCounters } from './counters.ts'
import { answerBefore, decideGroup, type PendingOperation } from './group.ts'
import type { Journal, StateSnapshot } from './journal.ts'
import type { AnyMutation, Mutation, MutationRegistry } from './operation.ts'
import { FullDisk } from './fulldisk.ts'
import { Segments, SyncFailure, type SegmentLimits } from './segments.ts'
import { JournalState } from './state.ts'
import type { View } from './view.ts'

/**
 * Operations per group: enough that the share of a sync per operation is negligible, few enough that reads between two groups wait only
 * some milliseconds.
 */
const groupMax = 1024
/** Time bound for deciding a group: some operations take 30 ms each (a file of 10,000 blocks). At least one is decided. */
const groupMs = 10

interface JournalOptions {
  readonly store: Store
  readonly disk: Disk
  readonly clock: Clock
  readonly log: Log
  /** Directory of the segment files. */
  readonly dir: string
  readonly registry: MutationRegistry
  /** false: operations are acknowledged before they are synced (profile `test-without-fsync`). */
  readonly sync?: boolean | undefined
  readonly segmentLimits?: SegmentLimits | undefined
  readonly failpoints?: Failpoints | undefined
  /** Called once, if the journal can no longer be trusted. The process must end. */
  readonly onFatal: (error: GristmillError) => void
}

export class LocalJournal implements Journal {
  readonly #options: JournalOptions
  readonly #segments: Segments
  readonly #state: JournalState
  readonly #sync: boolean
  readonly #failpoints: Failpoints
  readonly #queue = new Queue<PendingOperation>('mutation', limits.mutationQueueMax)
  /** Unanswered operations by request id. A repeat gets the answer of the first, even a refusal: it never runs by itself. */
  readonly #asked = new Map<RequestId, PendingOperation>()
  /**
   * Origin of the journal's clock: wall-clock time at the start, monotonic from there. Setting the system's clock does not affect it.
   */
  readonly #originMs: number
  #pumping: Promise<void> | undefined
  #failed: GristmillError | undefined
  readonly #room: FullDisk
  readonly #closing = new AbortController()

  private constructor(options: JournalOptions, segments: Segments, state: JournalState) {
    this.#options = options
    this.#segments = segments
    this.#state = state
    this.#room = new FullDisk(options)
    this.#sync = options.sync ?? true
    this.#failpoints = options.failpoints ?? unarmed
    this.#originMs = options.clock.now() - options.clock.mono()
  }

  /** Opens the state and replays the operations of the log that the store lacks. Throws CORRUPT. */
  static async open(options: JournalOptions): Promise<LocalJournal> {
    const { store, registry, log } = options
    const segments = await Segments.open(options, options.dir, options.segmentLimits)
    const sealed = store.table('meta').get(countersKey)
    const counters = sealed ? decodeCounters(unseal('meta', countersKey, sealed)) : emptyCounters()
    let journal: LocalJournal | undefined
    const state = new JournalState(store, counters, registry, error => { if (journal) journal.#damaged(error) })
    const { appliedSeq } = counters
    let replayed = 0
    for await (const frame of segments.after(appliedSeq)) {
      state.replay(frame)
      replayed += frame.operations.length
    }
    if (replayed > 0)
      log.info('operations of the journal that were not in the store have been applied', { replayed, appliedSeq: counters.appliedSeq })
    return journal = new LocalJournal(options, segments, state)
  }

  get view(): View { return this.#state.view }
  snapshot(): StateSnapshot { return this.#state.snapshot() }
  get waiting(): number { return this.#queue.size }
  get full(): GristmillError | undefined { return this.#room.full }
  nowMs(): number { return Math.floor(this.#originMs + this.#options.clock.mono()) }

  hold(seq: number): void { this.#segments.hold(seq) }
  get firstSeq(): number | undefined { return this.#segments.firstSeq }
  bytesAfter(seq: number): number { return this.#segments.bytesAfter(seq) }

  submit<O extends object, R>(mutation: Mutation<O, R>, operation: O): Promise<R> {
    if (this.#failed) return Promise.reject(this.#failed)
    if (this.#closing.signal.aborted) return Promise.reject(stopping())
    const { requestId } = operation as { requestId?: RequestId }
    const first = requestId === undefined ? undefined : this.#asked.get(requestId)
    if (first) return first.done as Promise<R>
    if (this.#room.full) {
      return this.#firstAnswer({ mutation, operation }) as Promise<R> | undefined ?? Promise.reject(this.#room.full)
    }
    const waiting = this.#waiting(mutation, operation, requestId)
    try {
      this.#queue.push(waiting)
    } catch (error) {
      // OVERLOADED. A repeat of a request that has happened needs no place in the queue.
      return this.#firstAnswer({ mutation, operation }) as Promise<R> | undefined ?? Promise.reject(error)
    }
    if (requestId !== undefined) this.#asked.set(requestId, waiting)
    this.#pumping ??= this.#pump()
    return waiting.done as Promise<R>
  }

  #waiting(mutation: AnyMutation, operation: object, requestId: RequestId | undefined): PendingOperation {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    const answered = (): void => { if (requestId !== undefined) this.#asked.delete(requestId) }
    return {
      mutation, operation, done: promise, result: undefined, error: undefined,
      resolve: result => { answered(); resolve(result) },
      reject: error => { answered(); reject(error) },
    }
  }

  hasAnswer(requestId: RequestId | undefined): boolean {
    if (requestId === undefined || this.#failed) return false
    return this.#asked.has(requestId) || this.#state.keptAnswer(requestId) !== undefined
  }

  async close(): Promise<void> {
    this.#closing.abort()
    while (this.#pumping) await this.#pumping
    this.#state.end(stopping())
    await this.#segments.end().catch((error: unknown) => this.#options.log.warn('the journal\'s last segment did not close', { error }))
  }

  async #pump(): Promise<void> {
    let rest: PendingOperation[] = []
    try {
      for (;;) {
        // Requests that have arrived but are not yet parsed join this group. No timer: a lone request does not wait.
        await this.#options.clock.yield()
        if (rest.length === 0) rest = this.#queue.drain()
        if (rest.length === 0 || this.#failed) break
        const group = rest.length <= groupMax ? rest : rest.slice(0, groupMax)
        const done = await this.#commit(group)
        rest = done === rest.length ? [] : rest.slice(done)
      }
    } finally {
      this.#pumping = undefined
      for (const each of [...rest, ...this.#queue.drain()]) each.reject(this.#failed)
    }
  }

  /** Commits the first operations of `waiting`; returns how many were answered. */
  async #commit(waiting: readonly PendingOperation[]): Promise<number> {
    let done = waiting.length
    await this.#commitSome(waiting, decided => { done = decided })
    return done
  }

  /** `cut` gets the number of decided operations before they become durable; the remaining ones wait for the next group. */
  async #commitSome(waiting: readonly PendingOperation[], cut: (decided: number) => void): Promise<void> {
    let group = waiting
    const { store, clock } = this.#options
    const state = this.#state
    const failpoints = this.#failpoints
    try {
      await this.#segments.prepare(state.view.counters.appliedSeq + 1)
    } catch (error) {
      return error instanceof SyncFailure ? this.#fail(group, error) : this.#refuse(group, error)
    }
    // The stage of a failure decides its outcome: up to appending, nothing has happened; once the log is synced, the group will
    // happen, in this process or the next; during the sync the outcome is unknown.
    const at: { stage: 'applying' | 'appending' | 'syncing' | 'committing' } = { stage: 'applying' }
    const timeMs = this.nowMs()
    try {
      store.transact(() => {
        const untilMs = clock.mono() + groupMs
        const { frames, decided } = this.#decide(group, timeMs, () => clock.mono() >= untilMs)
        if (decided < group.length) {
          group = group.slice(0, decided)
          cut(decided)
        }
        if (frames.length === 0) return
        failpoints.pass('journal.append.before')
        at.stage = 'appending'
        for (const frame of frames) this.#segments.append(frame)
        at.stage = 'syncing'
        failpoints.pass('journal.append.after')
        if (this.#sync) this.#segments.sync()
        at.stage = 'committing'
        failpoints.pass('journal.commit.before')
      })
    } catch (error) {
      state.rollback()
      if (at.stage === 'committing' && hasCode(error, 'ENOSPC')) {
        cut(waiting.length)
        return this.#whenThereIsRoom(group, { timeMs, cause: error, later: waiting.slice(group.length) })
      }
      if (at.stage === 'syncing' || at.stage === 'committing') return this.#fail(group, error)
      // A torn end stays in the old segment. An error of `end` is dropped: the first failure is the one to report.
      if (at.stage === 'appending') await this.#segments.end().catch(() => {})
      return this.#refuse(group, error)
    }
    this.#answer(group)
  }

  #answer(group: readonly PendingOperation[]): void {
    try {
      this.#failpoints.pass('journal.commit.after')
      this.#state.committed()
      this.#failpoints.pass('journal.reply.before')
    } catch (error) {
      return this.#fail(group, error)
    }
    for (const each of group) {
      if (each.error === undefined) each.resolve(each.result)
      else each.reject(each.error)
    }
  }

  /** The group is in the log. It commits once the store has space; the same operations at the same time make the same edits. */
  async #whenThereIsRoom(
    group: readonly PendingOperation[],
    { timeMs, cause, later }: { timeMs: number; cause: GristmillError; later: readonly PendingOperation[] },
  ): Promise<void> {
    const commit = (): void => {
      try {
        this.#options.store.transact(() => this.#decide(group, timeMs))
      } catch (error) {
        this.#state.rollback()
        throw error
      }
      // Answered while the group still counts as waiting, so that no mutation comes between.
      this.#answer(group)
    }
    try {
      await this.#room.wait(group, cause, {
        commit,
        waiting: [...later, ...this.#queue.drain()].filter(each => !this.#answerAgain(each)),
        signal: this.#closing.signal,
      })
    } catch (error) {
      this.#fail(group, error)
    }
  }

  #decide(group: readonly PendingOperation[], timeMs: number, enough?: () => boolean): { frames: Buffer[]; decided: number } {
    return decideGroup(this.#state, group, {
      timeMs, log: this.#options.log, ...(enough && { enough }),
      damage: () => (this.#failed?.code === 'CORRUPT' ? this.#failed : undefined),
    })
  }

  /** Rejects a group of which nothing has happened. */
  #refuse(group: readonly PendingOperation[], cause: unknown): void {
    if (cause === this.#failed) {
      for (const each of group) each.reject(cause)
      return
    }
    const code = (cause as NodeJS.ErrnoException).code
    const { dir, log } = this.#options
    const error =
      code === 'ENOSPC' || code === 'EDQUOT'
        ? new GristmillError('ENOSPC', `the disk under ${dir} is full, nothing was changed; free some space on the namenode's disk`, {
            cause, details: fullNamenode,
          })
        : new GristmillError(
            'UNAVAILABLE',
            `the journal in ${dir} cannot be written (${code ?? asError(cause).message}), nothing was changed`,
            { cause },
          )
    log.error('a group of operations was refused because the journal could not take it', { error: cause, operations: group.length })
    for (const each of group) if (!this.#answerAgain(each)) each.reject(error)
  }

  /** The answer given to this request before; undefined if it is not a repeat. */
  #firstAnswer(repeat: Pick<PendingOperation, 'mutation' | 'operation'>): Promise<unknown> | undefined {
    const before = answerBefore(this.#state, repeat)
    return before && Promise.resolve(before.result)
  }

  /** Answers a repeat, for which "nothing was changed" would be false. Returns false if it is not a repeat. */
  #answerAgain(each: PendingOperation): boolean {
    const first = this.#firstAnswer(each)
    first?.then(each.resolve, each.reject)
    return first !== undefined
  }

  #fail(group: readonly PendingOperation[], cause: unknown): void {
    const why = asError(cause).message
    this.#failed ??= new GristmillError(
      'TIMEOUT',
      `the namenode's journal failed (${why}); it may or may not have happened; the namenode stops and must be started again`,
      { cause },
    )
    this.#options.log.error('the journal failed; the process stops, because the content of the disk is unknown', { error: cause })
    for (const each of group) each.reject(this.#failed)
    if (!this.#closing.signal.aborted) this.#options.onFatal(this.#failed)
  }

  /** Called during a read. No further read of this store is answered. */
  #damaged(error: GristmillError): void {
    if (this.#failed) return
    this.#failed = error
    this.#state.end(error)
    this.#options.log.error('the store is damaged; the process stops, because no answer of it can be trusted', { error })
    this.#options.onFatal(error)
  }
}

const stopping = (): GristmillError => new GristmillError('UNAVAILABLE', 'the namenode is stopping; try again in a moment')
