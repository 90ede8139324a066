// The journal of a namenode that is alone: operations in segment files, state in the store beside them.
// Everything that waits becomes one group. In one transaction of the store each operation is checked against the state
// that the ones before it leave, and the group is appended to the log and synced; then the transaction commits, which is
// durable too; only then do the callers hear of it. The store knows the number of the last operation that it holds.
//   Death before the sync: nobody was told, nothing happened (at most a torn end is there).
//   Death between sync and commit: the next start replays the group from the log.
//   Death after the commit: the log's tail is in the store already.
// A sync or a commit that fails ends the process: what is on the disk is then unknown, and only a restart finds out.

import { AssertionFailed } from '../../src/base/assert.ts'
import { asError, GristmillError } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import { Queue } from '../../src/base/queue.ts'
import { MiB } from '../../src/base/units.ts'
import type { RequestId } from '../../src/base/ids.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { Log } from '../../src/ports/log.ts'
import type { Store } from '../../src/ports/store.ts'
import { unseal } from './codec.ts'
import { countersKey, decodeCounters, emptyCounters } from './counters.ts'
import { encodeFrame } from './frame.ts'
import type { Journal } from './journal.ts'
import type { AnyMutation, Mutation, Registry } from './operation.ts'
import { Segments, type SegmentLimits } from './segments.ts'
import { State } from './state.ts'
import type { View } from './view.ts'

/** Operations in one group: enough that a sync costs each of them next to nothing, few enough that reads between two groups wait some milliseconds only. */
const groupMax = 1024
/** A frame is closed when it has this many bytes. */
const frameBytes = 16 * MiB

export interface JournalOptions {
  readonly store: Store
  readonly disk: Disk
  readonly clock: Clock
  readonly log: Log
  /** Of the segment files. */
  readonly dir: string
  readonly registry: Registry
  /** false: the test profile that answers before the disk has it. */
  readonly sync?: boolean | undefined
  readonly segmentLimits?: SegmentLimits | undefined
  /** Called once, when the journal can no longer be trusted. The process must end. */
  readonly onFatal: (error: GristmillError) => void
}

interface Waiting {
  readonly mutation: AnyMutation
  readonly operation: object
  readonly resolve: (result: unknown) => void
  readonly reject: (error: unknown) => void
  result: unknown
  error: unknown
}

export class LocalJournal implements Journal {
  readonly #options: JournalOptions
  readonly #segments: Segments
  readonly #state: State
  readonly #sync: boolean
  readonly #queue = new Queue<Waiting>('mutation', limits.mutationQueueMax)
  /** The journal's clock: wall-clock time at the start, monotonic from there. A clock that is set changes nothing. */
  readonly #originMs: number
  #pumping: Promise<void> | undefined
  #closed = false
  #failed: GristmillError | undefined

  private constructor(options: JournalOptions, segments: Segments, state: State) {
    this.#options = options
    this.#segments = segments
    this.#state = state
    this.#sync = options.sync ?? true
    this.#originMs = options.clock.now() - options.clock.mono()
  }

  /** Opens the state and replays what the log has and the store has not. Throws CORRUPT. */
  static async open(options: JournalOptions): Promise<LocalJournal> {
    const { store, registry, log } = options
    const segments = await Segments.open(options, options.dir, options.segmentLimits)
    const sealed = store.table('meta').get(countersKey)
    const counters = sealed ? decodeCounters(unseal('meta', countersKey, sealed)) : emptyCounters()
    const state = new State(store, counters, registry)
    const { appliedSeq } = counters
    let replayed = 0
    for await (const frame of segments.after(appliedSeq)) {
      state.replay(frame)
      replayed += frame.operations.length
    }
    if (replayed > 0) log.info('operations of the journal that were not in the store have been applied', { replayed, appliedSeq: counters.appliedSeq })
    return new LocalJournal(options, segments, state)
  }

  get view(): View { return this.#state.view }
  get waiting(): number { return this.#queue.size }
  /** Milliseconds that never jump while this process lives; what answers to requests are dated by. */
  nowMs(): number { return Math.floor(this.#originMs + this.#options.clock.mono()) }

  submit<O extends object, R>(mutation: Mutation<O, R>, operation: O): Promise<R> {
    if (this.#failed) return Promise.reject(this.#failed)
    if (this.#closed) return Promise.reject(new GristmillError('UNAVAILABLE', 'the namenode is stopping; ask again in a moment'))
    return new Promise<R>((resolve, reject) => {
      // Queue throws OVERLOADED, which rejects.
      this.#queue.push({ mutation, operation, resolve: resolve as (result: unknown) => void, reject, result: undefined, error: undefined })
      this.#pumping ??= this.#pump()
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    while (this.#pumping) await this.#pumping
    this.#state.view.close()
    await this.#segments.end().catch((error: unknown) => this.#options.log.warn('the journal\'s last segment did not close', { error }))
  }

  async #pump(): Promise<void> {
    let rest: Waiting[] = []
    try {
      for (;;) {
        // Requests that have arrived but were not yet looked at come into this group too. No timer: a lone request waits for nobody.
        await this.#options.clock.yield()
        if (rest.length === 0) rest = this.#queue.drain()
        if (rest.length === 0 || this.#failed) break
        const group = rest.length <= groupMax ? rest : rest.slice(0, groupMax)
        rest = rest.length <= groupMax ? [] : rest.slice(groupMax)
        await this.#commit(group)
      }
    } finally {
      this.#pumping = undefined
      for (const each of [...rest, ...this.#queue.drain()]) each.reject(this.#failed)
    }
  }

  async #commit(group: readonly Waiting[]): Promise<void> {
    const { store } = this.#options
    const state = this.#state
    try {
      await this.#segments.prepare(state.view.counters.appliedSeq + 1)
    } catch (error) {
      return this.#refuse(group, error)
    }
    // Where it fails decides what is known: while appending, nothing has happened; after that, nobody can tell.
    const at: { stage: 'applying' | 'appending' | 'syncing' } = { stage: 'applying' }
    try {
      store.transact(() => {
        const frames = this.#apply(group)
        if (frames.length === 0) return
        at.stage = 'appending'
        for (const frame of frames) this.#segments.append(frame)
        at.stage = 'syncing'
        if (this.#sync) this.#segments.sync()
      })
    } catch (error) {
      state.rollback()
      if (at.stage === 'syncing') return this.#fail(group, error)
      // A torn end stays behind in the old segment; the failure that matters is the first.
      if (at.stage === 'appending') await this.#segments.end().catch(() => {})
      return this.#refuse(group, error)
    }
    state.committed()
    for (const each of group) {
      if (each.error === undefined) each.resolve(each.result)
      else each.reject(each.error)
    }
  }

  /** Runs each operation and gives the frames of those that succeeded. Only inside of the transaction. */
  #apply(group: readonly Waiting[]): Buffer[] {
    const state = this.#state
    const frames: Buffer[] = []
    const timeMs = this.nowMs()
    let operations: string[] = []
    let bytes = 0
    let seq = state.begin()
    const close = (): void => {
      if (operations.length === 0) return
      frames.push(encodeFrame({ seq, epoch: state.counters.epoch, timeMs, operations }))
      seq += operations.length
      operations = []
      bytes = 0
    }
    for (const each of group) {
      const { mutation, operation } = each
      try {
        const requestId = (operation as { requestId?: RequestId }).requestId
        const kept = requestId && state.keptAnswer(requestId)
        if (kept) {
          each.result = mutation.recall ? mutation.recall(kept.value, operation as never) : kept.value
          continue
        }
        each.result = state.decide(mutation, operation, timeMs)
      } catch (error) {
        if (error instanceof GristmillError && error.code !== 'CORRUPT') {
          each.error = error
          continue
        }
        // A mistake of ours, or damage: it concerns this operation, none of whose edits happened; the state is as it was.
        each.error = error instanceof AssertionFailed ? asError(error) : error
        this.#options.log.error('an operation failed for a reason that nobody foresaw; nothing of it happened', { kind: mutation.kind, error })
        continue
      }
      state.write()
      const json = JSON.stringify([mutation.kind, operation])
      operations.push(json)
      bytes += json.length
      if (bytes > frameBytes) close()
    }
    close()
    state.finish()
    return frames
  }

  /** Nothing has happened. */
  #refuse(group: readonly Waiting[], cause: unknown): void {
    const code = (cause as NodeJS.ErrnoException).code
    const { dir, log } = this.#options
    const error = code === 'ENOSPC' || code === 'EDQUOT'
      ? new GristmillError('ENOSPC', `the disk under ${dir} is full, nothing was changed; free some space on the namenode's disk`, { cause })
      : new GristmillError('UNAVAILABLE', `the journal in ${dir} cannot be written (${code ?? asError(cause).message}), nothing was changed`, { cause })
    log.error('a group of operations was refused because the journal could not take it', { error: cause, operations: group.length })
    for (const each of group) each.reject(error)
  }

  #fail(group: readonly Waiting[], cause: unknown): void {
    const why = asError(cause).message
    this.#failed = new GristmillError('TIMEOUT', `the namenode's journal failed (${why}); it may or may not have happened; the namenode stops and must be started again`, { cause })
    this.#options.log.error('the journal failed; the process stops, because nobody knows what the disk has', { error: cause })
    for (const each of group) each.reject(this.#failed)
    this.#options.onFatal(this.#failed)
  }
}
