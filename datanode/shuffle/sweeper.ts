// Removes the map outputs of jobs that are over. The namenode says so when a job ends, but not to a node that was away then, if
// the namenode itself was restarted before that node came back. So now and then a node asks about the jobs whose outputs it has.

import { asError, hasCode } from '../../src/base/errors.ts'
import type { Address, JobId } from '../../src/base/ids.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Log } from '../../src/ports/log.ts'
import { watch } from '../../src/protocol/job.ts'
import type { Caller } from '../../src/rpc/call.ts'
import type { MapOutputs } from './outputs.ts'

export interface OutputSweeperOptions {
  readonly clock: Clock
  readonly log: Log
  readonly namenode: Address
  readonly caller: () => Caller
  /** 0 while there is no contact: then nobody is asked. */
  readonly session: () => number
  readonly outputs: MapOutputs
}

/** Soon after a start, when there may be something; afterwards what is found is an accident. */
const firstMs = 30_000
const everyMs = 600_000

export class OutputSweeper {
  readonly #options: OutputSweeperOptions
  readonly #stopping = new AbortController()
  #cancel: () => void
  #sweeping: Promise<void> = Promise.resolve()

  constructor(options: OutputSweeperOptions) {
    this.#options = options
    this.#cancel = this.#later(firstMs)
  }

  #later(ms: number): () => void {
    return this.#options.clock.after(ms, () => {
      this.#sweeping = this.sweep().finally(() => { if (!this.#stopping.signal.aborted) this.#cancel = this.#later(everyMs) })
    })
  }

  /** Never rejects. */
  async sweep(): Promise<void> {
    const { outputs, session, log } = this.#options
    try {
      for (const job of await outputs.jobs()) {
        if (session() === 0 || this.#stopping.signal.aborted) return
        if (!await this.#isOver(job)) continue
        log.info('the map outputs of a job that is over are removed', { job })
        // One that cannot be removed keeps no others.
        await outputs
          .forget(job)
          .catch((error: unknown) =>
            log.warn('the map outputs of a job that is over cannot be removed; it is tried again', { job, error: asError(error) }),
          )
      }
    } catch (error) {
      // What cannot be asked now is asked next time; nothing is removed on a guess.
      if (!this.#stopping.signal.aborted) log.warn('it is not known which map outputs are still wanted', { error: asError(error) })
    }
  }

  async #isOver(job: JobId): Promise<boolean> {
    const { caller, namenode } = this.#options
    try {
      const { finishedMs } = await caller().call(namenode, watch, { job }, { signal: this.#stopping.signal, peer: 'namenode' })
      return finishedMs !== undefined
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return true // so long over that it is forgotten
      throw error
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#cancel()
    await this.#sweeping
  }
}
