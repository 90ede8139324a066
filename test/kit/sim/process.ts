// One simulated process on a host: its clock, and whether it lives. What it awaits from the world comes while it lives, or never.

import type { Clock } from '../../../src/ports/clock.ts'
import { Dead, type Kernel, type Subject } from './kernel.ts'
import type { Host } from './host.ts'

/** Wall time at the start of a simulation: some day in 2026. */
const epochMs = 1_780_000_000_000

export class Process implements Subject {
  readonly kernel: Kernel
  readonly name: string
  readonly host: Host
  readonly clock: Clock
  alive = true
  #paused = false
  #stalls = 0
  readonly #ends = new Set<() => void>()

  constructor(kernel: Kernel, name: string, host: Host) {
    this.kernel = kernel
    this.name = name
    this.host = host
    this.clock = clockOf(this)
  }

  /** Nothing happens to it now: somebody has stopped it, or its event loop stands still. */
  get paused(): boolean { return this.#paused || this.#stalls > 0 }

  /** Throws into what is dead. */
  must(): void { if (!this.alive) throw new Dead(`${this.name} is dead`) }

  /** What others do when it ends, in whatever way; gives its undoing. */
  onEnd(work: () => void): () => void {
    this.#ends.add(work)
    return () => { this.#ends.delete(work) }
  }

  /** At once, as by SIGKILL. */
  end(): void {
    if (!this.alive) return
    this.alive = false
    this.#paused = false
    this.#stalls = 0
    this.kernel.note(`${this.name} ends`)
    const works = [...this.#ends]
    this.#ends.clear()
    for (const work of works) work()
    this.host.released(this)
  }

  pause(): void { if (this.alive) this.#paused = true }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    if (!this.paused) this.kernel.resumed(this)
  }

  /** Its event loop stands still for so long. */
  stall(ms: number): Promise<void> {
    if (!this.alive) return Promise.resolve()
    this.#stalls++
    return new Promise(resolve => {
      const over = (): void => {
        cancel()
        forget()
        resolve()
        if (!this.alive) return
        this.#stalls--
        if (!this.paused) this.kernel.resumed(this)
      }
      const cancel = this.kernel.schedule(ms, undefined, `${this.name} runs again`, over)
      const forget = this.onEnd(over)
    })
  }

  later<T>(ms: number, label: string, work: () => T): Promise<T> {
    this.must()
    return new Promise<T>((resolve, reject) => {
      this.kernel.schedule(ms, this, label, () => {
        try {
          resolve(work())
        } catch (error) {
          if (error instanceof Dead) throw error
          reject(error as Error)
        }
      })
    })
  }
}

/**
 * No timer is shorter, as in the world: whoever waits for what is left of a time would else wait for nothing, again and again, where a rate
 * left less than a number can hold.
 */
const leastMs = 0.001

function clockOf(process: Process): Clock {
  const { kernel } = process
  const startMs = kernel.now
  const { time } = process.host
  const after = (ms: number, work: () => void): (() => void) =>
    process.alive ? kernel.schedule(Math.max(leastMs, ms / time.rate), process, 'timer', work) : () => {}
  return {
    now: () => epochMs + Math.floor(time.offsetMs + kernel.now * time.rate),
    mono: () => (kernel.now - startMs) * time.rate + 1,
    after,
    sleep: (ms, signal) => new Promise((resolve, reject) => {
      if (!process.alive) return // for ever
      if (signal?.aborted) return reject(signal.reason as Error)
      const onAbort = (): void => {
        cancel()
        reject(signal!.reason as Error)
      }
      const cancel = after(ms, () => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      })
      signal?.addEventListener('abort', onAbort, { once: true })
    }),
    deadline(ms, signal) {
      const controller = new AbortController()
      after(ms, () => controller.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError')))
      return signal ? AbortSignal.any([signal, controller.signal]) : controller.signal
    },
    yield: () => new Promise(resolve => { after(0, resolve) }),
  }
}
