// One session of a datanode with a namenode: from a registration to the reply UNREGISTERED. Three loops run concurrently: heartbeats,
// reports (the full one first, then changes) and long polls for orders. An error that ends one loop ends the session; the node then
// registers again.
// Invariant: when the session ends, every wait of its loops ends at once. `run` waits for all loops, so a wait that only the end of
// `run` could settle would keep this node out of its cluster forever.

import { asError, GristmillError, hasCode, type ErrorCode } from '../../src/base/errors.ts'
import type { Address, NodeId } from '../../src/base/ids.ts'
import { backoffMs } from '../../src/base/backoff.ts'
import { retry } from '../../src/base/retry.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Log } from '../../src/ports/log.ts'
import type { Random } from '../../src/ports/random.ts'
import { beat, leave, type NodeWork } from '../../src/protocol/heartbeat.ts'
import type { Message, ReplyOf, RequestOf } from '../../src/protocol/message.ts'
import { copyFailed, orders, type CopyFailed } from '../../src/protocol/order.ts'
import { changes as changesMessage, full } from '../../src/protocol/report.ts'
import type { RpcOptions, Caller } from '../../src/rpc/call.ts'
import type { OrderRunner } from '../orders/orders.ts'
import type { Changes } from './changes.ts'
import { pagesOf } from './fullreport.ts'
import type { Runner } from '../ports.ts'
import type { BlockStore } from '../store/store.ts'
import type { EpochFence } from './epoch.ts'
import type { ClusterTime } from './time.ts'

export interface SessionTools {
  readonly caller: () => Caller
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly namenode: Address
  readonly node: NodeId
  readonly store: BlockStore
  readonly changes: Changes
  readonly runner: Runner
  readonly orders: OrderRunner
  readonly fence: EpochFence
  readonly time: ClusterTime
  readonly heartbeatMs: number
  readonly longPollMs: number
  readonly transfers: () => number
  /** Number of blocks whose deletion the guard has refused. */
  readonly refused: () => number
  readonly done: () => NodeWork
  /** The namenode has answered a call that was sent at this time of the monotonic clock. */
  contact(askedMs: number): void
}

/** Concurrent calls about failed copies. */
const failureReportsMax = 8
/** Polls that fail in a row while heartbeats are answered; after them a new session is started, with new orders. */
const pollFailuresMax = 10
const backoff = { firstMs: 100, maxMs: 2_000 }
/** Codes with which the namenode rejects the message itself. */
const refusals: readonly ErrorCode[] = ['EINVAL', 'TOO_LARGE']

/** A promise that may reject without a listener. */
function awaitable(): PromiseWithResolvers<void> {
  const awaited = Promise.withResolvers<void>()
  awaited.promise.catch(() => {})
  return awaited
}

export class Session {
  readonly #tools: SessionTools
  readonly id: number
  readonly #ending = new AbortController()
  #seq = 0
  #acknowledged = 0
  #fullWanted = true
  /** Settles when the next full report has arrived. */
  #fullAwaited = awaitable()
  /** Settles when the full report that is being sent has arrived. */
  #fullSending = this.#fullAwaited
  #wakeReports: () => void = () => {}
  #failureReports = 0
  /** Number of heartbeats answered. */
  #beatsAnswered = 0
  readonly #reported = awaitable()

  constructor(tools: SessionTools, id: number) {
    this.#tools = tools
    this.id = id
  }

  /** Resolves when the first full report has arrived; rejects if the session ends before. */
  get reported(): Promise<void> { return this.#reported.promise }

  /** Runs until the session ends or `signal` aborts; throws the reason. */
  async run(signal: AbortSignal): Promise<never> {
    const stop = (): void => this.#end(signal.reason)
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { once: true })
    const loops = [this.#beats(), this.#reports(), this.#orders()].map(loop => loop.catch((error: unknown) => this.#end(error)))
    await Promise.all(loops)
    signal.removeEventListener('abort', stop)
    throw this.#ending.signal.reason
  }

  /** Ends all loops and rejects all waits for a report: one of the loops may be waiting for one. */
  #end(reason: unknown): void {
    this.#ending.abort(reason)
    for (const waiting of [this.#reported, this.#fullSending, this.#fullAwaited]) waiting.reject(this.#ending.signal.reason)
  }

  /** Sends a full report. Resolves when it has arrived; rejects when the session ends before. */
  report(): Promise<void> {
    // After the end of the session this is the promise that `#end` rejected.
    this.#fullWanted = true
    this.#wakeReports()
    return this.#fullAwaited.promise
  }

  /** Sends a heartbeat now. */
  async beat(): Promise<void> {
    const { node, store, runner, transfers, refused, done, fence, time, clock, heartbeatMs } = this.#tools
    const askedMs = clock.mono()
    const reply = await this.#call(
      beat,
      {
        node, session: this.id, storages: await store.state(), transfers: transfers(), running: runner.running().length, refused: refused(),
        done: done(),
      },
      { retry: false, timeoutMs: heartbeatMs * 4 },
    )
    this.#beatsAnswered++
    time.sample(reply.nowMs, askedMs)
    await fence.pass(reply)
  }

  /** Reports a failed copy. Best effort, and at most `failureReportsMax` at a time: the namenode's timeout finds the others. */
  async copyFailed(failure: CopyFailed): Promise<void> {
    if (this.#failureReports >= failureReportsMax || this.#ending.signal.aborted) return
    this.#failureReports++
    try {
      await this.#call(copyFailed, { node: this.#tools.node, session: this.id, ...failure }, { retry: false, timeoutMs: 5_000 })
    } catch (error) {
      this.#tools.log.debug('a failed copy could not be reported to the namenode', { error: asError(error) })
    } finally {
      this.#failureReports--
    }
  }

  /** Tells the namenode that this node stops. Best effort. */
  async leave(): Promise<void> {
    try {
      await this.#tools
        .caller()
        .call(
          this.#tools.namenode, leave, { node: this.#tools.node, session: this.id },
          { peer: 'namenode', timeoutMs: 2_000, retry: false },
        )
    } catch (error) {
      this.#tools.log.debug('the namenode could not be told that this node stops', { error: asError(error) })
    }
  }

  async #beats(): Promise<void> {
    const { clock, heartbeatMs, log } = this.#tools
    for (;;) {
      const started = clock.mono()
      try {
        await this.beat()
      } catch (error) {
        if (this.#endsSession(error)) throw error
        log.debug('a heartbeat was not answered', { error: asError(error) })
      }
      await clock.sleep(Math.max(0, started + heartbeatMs - clock.mono()), this.#ending.signal)
    }
  }

  async #reports(): Promise<void> {
    const { clock, node, store, changes } = this.#tools
    for (;;) {
      this.#ending.signal.throwIfAborted() // a wait for a report that is created after the end would never settle
      if (this.#fullWanted) {
        this.#fullWanted = false
        const awaited = this.#fullSending = this.#fullAwaited
        this.#fullAwaited = awaitable()
        // The pages include all changes up to now except damaged blocks.
        const taken = this.#acknowledged
        for (const page of pagesOf(store)) await this.#deliver(full, { node, session: this.id, seq: ++this.#seq, taken, ...page })
        this.#reported.resolve()
        awaited.resolve()
        await store.remind()
      }
      if (changes.size > 0) {
        const batch = changes.batch()
        const taken = this.#acknowledged
        const reply = await this.#deliver(changesMessage, { node, session: this.id, seq: ++this.#seq, taken, ...batch }, refusals)
        changes.settle(batch)
        // A refused batch would be refused again: a full report, with reminders of damaged blocks after it, replaces it.
        if (!reply) this.#fullWanted = true
        else await store.acknowledged(batch.bad, new Set(reply.only))
      } else if (!this.#fullWanted) {
        await new Promise<void>((resolve, reject) => {
          const { signal } = this.#ending
          const onAbort = (): void => reject(signal.reason as Error)
          if (signal.aborted) return onAbort()
          signal.addEventListener('abort', onAbort, { once: true })
          this.#wakeReports = () => { signal.removeEventListener('abort', onAbort); resolve() }
          void changes.next().then(() => this.#wakeReports())
        })
        this.#wakeReports = () => {}
        await clock.yield() // changes of one turn go into one report
      }
    }
  }

  async #orders(): Promise<void> {
    const { clock, random, node, runner, fence, orders: work, longPollMs, log } = this.#tools
    await this.reported
    for (let failures = 0, answered = 0; ;) {
      try {
        const reply = await this.#call(
          orders,
          { node, session: this.id, acknowledged: this.#acknowledged, freeSlots: runner.freeSlots() },
          { retry: false, timeoutMs: longPollMs + 10_000 },
        )
        await fence.pass(reply)
        for (const { seq, order } of reply.provisional ? [] : reply.orders) {
          if (seq <= this.#acknowledged) continue
          this.#acknowledged = seq
          work.take(order)
        }
        failures = 0
      } catch (error) {
        if (this.#ending.signal.aborted || this.#endsSession(error)) throw error
        log.debug('the namenode could not be asked for orders', { error: asError(error) })
        if (failures === 0) answered = this.#beatsAnswered
        // The namenode answers heartbeats but its orders (kills, deletions, copies) do not arrive: start a new session.
        if (failures + 1 >= pollFailuresMax && this.#beatsAnswered > answered && !hasCode(error, 'OVERLOADED')) {
          log.error('polls for orders fail although heartbeats are answered; registering again', {
            error: asError(error), failures: failures + 1,
          })
          throw error
        }
        await clock.sleep(backoffMs(++failures, backoff, random), this.#ending.signal)
      }
    }
  }

  /** Sends until acknowledged; throws when the session ends. undefined: the message was refused with one of the codes in `final`. */
  async #deliver<M extends Message>(message: M, request: RequestOf<M>, final: readonly ErrorCode[] = []): Promise<ReplyOf<M> | undefined> {
    const { clock, random, log } = this.#tools
    const { signal } = this.#ending
    try {
      return await retry(() => this.#call(message, request, {}), {
        clock, signal, pauseMs: attempt => backoffMs(attempt, backoff, random),
        again: error => {
          if (this.#endsSession(error) || hasCode(error, ...final)) return false
          log.warn('a report was not acknowledged; sending it again', { error: asError(error), report: message.name })
          return true
        },
      })
    } catch (error) {
      if (this.#endsSession(error) || !hasCode(error, ...final)) throw error
      log.error('the namenode refuses a report permanently', { error, report: message.name })
      return undefined
    }
  }

  async #call<M extends Message>(message: M, request: RequestOf<M>, options: RpcOptions): Promise<ReplyOf<M>> {
    const { caller, clock, namenode, contact } = this.#tools
    const askedMs = clock.mono()
    const reply = await caller().call(namenode, message, request, { signal: this.#ending.signal, peer: 'namenode', ...options })
    contact(askedMs)
    return reply
  }

  #endsSession(error: unknown): error is GristmillError {
    return this.#ending.signal.aborted || hasCode(error, 'UNREGISTERED', 'STALE_EPOCH', 'WRONG_CLUSTER', 'UNAUTHENTICATED')
  }
}
