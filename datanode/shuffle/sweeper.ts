// Removes map outputs of jobs that have ended. The namenode orders that at the end of a job, but a node misses the order if it was away
// then and the namenode was restarted before the node came back. So the node asks the namenode about each job whose outputs it has: soon
// after each registration, until it has the answers, and rarely after that.

import { asError, hasCode } from '../../src/base/errors.ts'
import type { Address, JobId } from '../../src/base/ids.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Log } from '../../src/ports/log.ts'
import { watch } from '../../src/protocol/job.ts'
import type { Caller } from '../../src/rpc/call.ts'
import type { MapOutputs } from './mapoutputs.ts'

interface OutputSweeperOptions {
  readonly clock: Clock
  readonly log: Log
  readonly namenode: Address
  readonly caller: () => Caller
  /** 0 while there is no session: then no call is sent. */
  readonly session: () => number
  readonly outputs: MapOutputs
}

/** Between two looks whether a sweep is due. */
const lookMs = 30_000
/** A sweep in the same session rarely finds anything. */
const everyMs = 600_000

export class OutputSweeper {
  readonly #options: OutputSweeperOptions
  readonly #stopping = new AbortController()
  #cancel: () => void
  #sweeping: Promise<void> = Promise.resolve()
  /** Session and monotonic time of the last sweep that went through. */
  #swept: { readonly session: number; readonly monoMs: number } | undefined

  constructor(options: OutputSweeperOptions) {
    this.#options = options
    this.#cancel = this.#later()
  }

  #later(): () => void {
    return this.#options.clock.after(lookMs, () => {
      this.#sweeping = (this.#isDue() ? this.sweep() : Promise.resolve())
        .finally(() => { if (!this.#stopping.signal.aborted) this.#cancel = this.#later() })
    })
  }

  #isDue(): boolean {
    const { session, clock } = this.#options
    return session() !== 0 && (session() !== this.#swept?.session || clock.mono() - this.#swept.monoMs >= everyMs)
  }

  /** Never rejects. */
  async sweep(): Promise<void> {
    const { outputs, session, log, clock } = this.#options
    const begun = session()
    try {
      for (const job of await outputs.jobs()) {
        if (session() !== begun || begun === 0 || this.#stopping.signal.aborted) return
        if (!await this.#isOver(job)) continue
        log.info('removing the map outputs of a job that has ended', { job })
        // A job whose outputs cannot be removed does not stop the sweep.
        await outputs
          .forget(job)
          .catch((error: unknown) =>
            log.warn('the map outputs of a job that has ended cannot be removed; trying again later', { job, error: asError(error) }),
          )
      }
      this.#swept = { session: begun, monoMs: clock.mono() }
    } catch (error) {
      // Without an answer nothing is removed; the next sweep asks again.
      if (!this.#stopping.signal.aborted)
        log.warn('the namenode cannot be asked which map outputs are still needed', { error: asError(error) })
    }
  }

  async #isOver(job: JobId): Promise<boolean> {
    const { caller, namenode } = this.#options
    try {
      const { finishedMs } = await caller().call(namenode, watch, { job }, { signal: this.#stopping.signal, peer: 'namenode' })
      return finishedMs !== undefined
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return true // ended so long ago that the namenode has forgotten it
      throw error
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#cancel()
    await this.#sweeping
  }
}
