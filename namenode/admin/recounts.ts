// Runs recounts (recount.ts), one at a time for all callers: a caller that comes during a recount joins it. Each reads a snapshot of the
// state, slice by slice between other work. The result of the last one is kept for the caller that asks again with its number.

import { asError, GristmillError } from '../../src/base/errors.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { RecountProgress, RecountResult } from '../../src/protocol/safety.ts'
import type { Journal } from '../journal/journal.ts'
import { recount } from './recount.ts'

/** Wait of one call; well below the deadline of calls. */
const waitMs = 5_000

interface RecountsDeps {
  readonly journal: Pick<Journal, 'snapshot'>
  readonly clock: Clock
}

interface Running {
  readonly recount: number
  rows: number
  result?: RecountResult
  /** Throws the error of the recount. */
  readonly done: Promise<void>
}

export class Recounts {
  readonly #deps: RecountsDeps
  #last: Running | undefined
  #count = 0
  #stopped = false

  constructor(deps: RecountsDeps) { this.#deps = deps }

  /** Waits for some seconds. `number` undefined: joins the recount that runs, or starts one. Throws CORRUPT. */
  async ask(number: number | undefined): Promise<RecountProgress> {
    const last = this.#last
    const one = last && (last.result === undefined || last.recount === number) ? last : this.#start()
    await this.#wait(one.done)
    return { recount: one.recount, rows: one.rows, ...one.result && { result: one.result } }
  }

  /** Ends the running recount. The snapshot must be closed before the store. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#last?.done.catch(() => {})
  }

  #start(): Running {
    const one: Running = { recount: ++this.#count, rows: 0, done: Promise.resolve().then(() => this.#run(one)) }
    // Callers get the error; without one it is dropped.
    one.done.catch(() => { if (this.#last === one) this.#last = undefined })
    return this.#last = one
  }

  async #run(one: Running): Promise<void> {
    const { journal, clock } = this.#deps
    const snapshot = journal.snapshot()
    try {
      const steps = recount(snapshot.view)
      for (let step = steps.next(); ; step = steps.next()) {
        if (step.done) {
          one.result = step.value
          return
        }
        if (this.#stopped) throw new GristmillError('UNAVAILABLE', 'the namenode is stopping')
        one.rows = step.value
        await clock.yield()
      }
    } finally {
      snapshot.close()
    }
  }

  async #wait(done: Promise<void>): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const cancel = this.#deps.clock.after(waitMs, resolve)
    done.then(resolve, error => reject(asError(error)))
    try {
      await promise
    } finally {
      cancel()
    }
  }
}
