// Runs the chores of the namenode, each at its interval, from one timer. A chore is short; a failed one is logged and runs
// again at its next turn; a running one is not started a second time.

import type { Clock } from '../src/ports/clock.ts'
import type { Log } from '../src/ports/log.ts'

const beatMs = 100

export interface Chore {
  /** Name for the log. */
  readonly name: string
  readonly everyMs: number
  /** true: it writes records of this namenode, and runs only once this namenode is known to be the latest (succession/authority.ts). */
  readonly records?: boolean
  work(): void | Promise<unknown>
}

export class Chores {
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

  /** Returns when no chore runs any more. */
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
    const failed = (error: unknown): void => {
      if (!this.#stopped) this.#log.error('a chore failed; it is tried again', { chore: each.chore.name, error })
    }
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
