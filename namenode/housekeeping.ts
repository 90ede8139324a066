// What a namenode does by itself, now and then: looks who has been silent, ends leases, copies and trims blocks, collects
// garbage, forgets old answers. One beat for all of it; each step is short, and what fails is tried at the next beat.

import type { Clock } from '../src/ports/clock.ts'
import type { Log } from '../src/ports/log.ts'
import { forgetRequests, oldAnswers } from './journal/requests.ts'
import type { LocalJournal } from './journal/local.ts'

const beatMs = 100
/** Answers looked at in one step, and how long to rest between two rounds over all of them. */
const answersMax = 1_000
const roundMs = 30_000

export interface Chore {
  /** For the log. */
  readonly name: string
  readonly everyMs: number
  work(): void | Promise<unknown>
}

export class Housekeeping {
  readonly #clock: Clock
  readonly #log: Log
  readonly #chores: Array<{ readonly chore: Chore; nextMs: number; busy: boolean }>
  #cancel: (() => void) | undefined
  #stopped = false
  readonly #running = new Set<Promise<unknown>>()

  constructor(clock: Clock, log: Log, chores: readonly Chore[]) {
    this.#clock = clock
    this.#log = log
    this.#chores = chores.map(chore => ({ chore, nextMs: 0, busy: false }))
  }

  start(): void {
    this.#beat()
  }

  /** Returns when nothing of it runs any more. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancel?.()
    await Promise.allSettled(this.#running)
  }

  #beat(): void {
    if (this.#stopped) return
    const now = this.#clock.mono()
    for (const each of this.#chores) {
      if (each.busy || each.nextMs > now) continue
      each.nextMs = now + each.chore.everyMs
      this.#do(each)
    }
    this.#cancel = this.#clock.after(beatMs, () => this.#beat())
  }

  #do(each: { readonly chore: Chore; busy: boolean }): void {
    const failed = (error: unknown): void => { if (!this.#stopped) this.#log.error('a chore failed; it is tried again', { chore: each.chore.name, error }) }
    try {
      const work = each.chore.work()
      if (!(work instanceof Promise)) return
      each.busy = true
      const done: Promise<unknown> = work.catch(failed).finally(() => {
        each.busy = false
        this.#running.delete(done)
      })
      this.#running.add(done)
    } catch (error) {
      failed(error)
    }
  }
}

/** Forgets answers that nobody asks for any more: a look at some of them each time, an operation only if some are old. */
export function forgetting(journal: LocalJournal, clock: Clock): Chore {
  let from = ''
  let restUntilMs = 0
  return {
    name: 'forget old answers',
    everyMs: beatMs,
    async work() {
      if (clock.mono() < restUntilMs) return
      const { any, next, beforeMs } = oldAnswers(journal.view, { from, limit: answersMax, nowMs: journal.nowMs() })
      if (any) await journal.submit(forgetRequests, { from, limit: answersMax, beforeMs })
      from = next ?? ''
      if (next === undefined) restUntilMs = clock.mono() + roundMs
    },
  }
}
