// Reports progress and outcomes of attempts to the namenode. An outcome is sent until the namenode acknowledges it, across restarts of
// the namenode, so that finished work is not lost during an outage. Until then the attempt counts as running. A report that the namenode
// refuses permanently is replaced by a failure of the attempt, with the reason.

import { asError } from '../../src/base/errors.ts'
import type { Address, AttemptId, NodeId } from '../../src/base/ids.ts'
import { backoffMs } from '../../src/base/backoff.ts'
import { retry } from '../../src/base/retry.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Log } from '../../src/ports/log.ts'
import type { Random } from '../../src/ports/random.ts'
import type { Counters } from '../../src/protocol/fields.ts'
import { finished, progress } from '../../src/protocol/task.ts'
import type { Caller } from '../../src/rpc/call.ts'
import { failed, type AttemptOutcome } from './messages.ts'

interface ReporterOptions {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly node: NodeId
  readonly namenode: Address
  readonly caller: () => Caller
  readonly session: () => number
  /** Attempts that run now. */
  readonly running: () => ReadonlyArray<{ readonly attempt: AttemptId; readonly counters: Counters; readonly fraction: number }>
  /** The namenode wants this attempt killed. */
  readonly onKill: (attempt: AttemptId) => void
}

/** Interval of progress reports: often enough for a progress bar, rarely enough for a namenode with 1000 nodes. */
const progressMs = 500
const backoff = { firstMs: 100, maxMs: 2_000 }
/** Longest message and stack, both of which come from the user's program; the schema refuses longer ones. */
const textMax = 15_000
/** Limits of the schemas: attempts in one progress report, and missing map outputs in one outcome. */
const progressMax = 1000
const missingMax = 1000

export class Reporter {
  readonly #options: ReporterOptions
  readonly #unacknowledged = new Map<AttemptId, AttemptOutcome>()
  readonly #stopping = new AbortController()
  #cancel: (() => void) | undefined

  constructor(options: ReporterOptions) { this.#options = options }

  /** Attempts that have ended and whose outcome is not acknowledged yet. */
  get telling(): AttemptId[] { return [...this.#unacknowledged.keys()] }

  /** Starts progress reports; they end when no attempt is left. */
  watch(): void {
    if (this.#cancel || this.#stopping.signal.aborted) return
    this.#cancel = this.#options.clock.after(progressMs, () => {
      void this.#reportProgress().finally(() => {
        this.#cancel = undefined
        if (this.#options.running().length > 0 || this.#unacknowledged.size > 0) this.watch()
      })
    })
  }

  /** Reports an outcome. True if the attempt was committed; false also if the node stops before the namenode answers. Never rejects. */
  async tell(attempt: AttemptId, outcome: AttemptOutcome): Promise<boolean> {
    const { clock, random, log, node, namenode, caller } = this.#options
    const { signal } = this.#stopping
    let report = boundedOutcome(outcome)
    let refused = false
    let pauseMs = 0
    this.#unacknowledged.set(attempt, report)
    /** False if the report is refused for the second time; a refused one is replaced by a failure first. */
    const again = (thrown: unknown, tries: number): boolean => {
      const error = asError(thrown)
      pauseMs = error.retryableIfIdempotent ? backoffMs(tries, backoff, random) : 0
      if (error.retryableIfIdempotent) {
        if (tries === 1) log.warn('the end of an attempt could not be reported to the namenode; trying again', { error, attempt })
        return true
      }
      log.error('the namenode refuses the report of an attempt', { error, attempt })
      if (refused) return false
      refused = true
      report = boundedOutcome(
        failed('system', `the namenode refused the report of this attempt, which was "${report.kind}" (${error.code}: ${error.message})`),
      )
      this.#unacknowledged.set(attempt, report)
      return true
    }
    try {
      const { committed } = await retry(
        () => caller().call(namenode, finished, { node, attempt, outcome: report }, { signal, peer: 'namenode' }),
        { clock, signal, pauseMs: () => pauseMs, again },
      )
      return committed
    } catch {
      return false // refused twice, or this node stops
    } finally {
      this.#unacknowledged.delete(attempt)
    }
  }

  async #reportProgress(): Promise<void> {
    const { node, namenode, caller, session, running, onKill, log } = this.#options
    const all = [
      ...running().map(({ attempt, counters, fraction }) => ({
        attempt, counters: finite(counters),
        fraction: Number.isFinite(fraction) ? fraction : 0,
      })),
      ...[...this.#unacknowledged].map(([attempt, { counters }]) => ({ attempt, counters: finite(counters), fraction: 1 })),
    ]
    try {
      for (let at = 0; at < all.length; at += progressMax) {
        const attempts = all.slice(at, at + progressMax)
        const { kill } = await caller().call(
          namenode, progress, { node, session: session(), attempts },
          { signal: this.#stopping.signal, retry: false, peer: 'namenode' },
        )
        for (const attempt of kill) onKill(attempt)
      }
    } catch (error) {
      // Not retried: the next report comes after `progressMs`.
      if (!this.#stopping.signal.aborted) log.debug('progress could not be reported', { error })
    }
  }

  stop(): void {
    this.#stopping.abort()
    this.#cancel?.()
  }
}

/** Truncates texts of the program and the list of missing outputs to the limits of the schema. */
function boundedOutcome(outcome: AttemptOutcome): AttemptOutcome {
  if (outcome.kind !== 'failed') return outcome
  const { failure, missing } = outcome
  return {
    ...outcome, counters: finite(outcome.counters),
    failure: {
      ...failure, message: failure.message.slice(0, textMax),
      ...(failure.stack !== undefined && { stack: failure.stack.slice(0, textMax) }),
    },
    ...(missing && { missing: missing.slice(0, missingMax) }),
  }
}

/** Drops counters that JSON cannot represent, so that one of them does not get the whole report refused. */
const finite = (counters: Counters): Counters => Object.fromEntries(Object.entries(counters).filter(([, value]) => Number.isFinite(value)))
