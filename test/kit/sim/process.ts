// One simulated process on a host: its clock, and its life. Awaited results from the world arrive while it is alive, or never.

import type { Clock } from '../../../src/ports/clock.ts'
import { Dead, type Kernel, type Subject } from './kernel.ts'
import type { Host } from './host.ts'

/** Wall time at the start of a simulation: a day in 2026. */
const epochMs = 1_780_000_000_000

/** Events of a process between two looks at its state. A look after each one would take a third of a run's time. A prime number. */
const checkedEvery = 17

export class Process implements Subject {
  readonly kernel: Kernel
  readonly name: string
  readonly host: Host
  readonly clock: Clock
  alive = true
  #paused = false
  #stalls = 0
  #events = 0
  #checkState: (() => void) | undefined
  readonly #ends = new Set<() => void>()

  constructor(kernel: Kernel, name: string, host: Host) {
    this.kernel = kernel
    this.name = name
    this.host = host
    this.clock = clockOf(this)
  }

  /** From now on `checkState` looks at the state of the program that runs here, after some of its events; it throws for a finding. */
  watch(checkState: () => void): void { this.#checkState = checkState }

  rested(): void { if (++this.#events % checkedEvery === 0) this.checkState() }

  /** Looks now. The first finding becomes an error of the kernel; the state is not looked at again. */
  checkState(): void {
    if (!this.alive) return
    try {
      this.#checkState?.()
    } catch (error) {
      this.#checkState = undefined
      this.kernel.fail(`${this.name}: its state is wrong at ${this.kernel.now.toFixed(3)} ms: ${String((error as Error).stack)}`)
    }
  }

  /** True while its events are held back: it was paused, or its event loop is stalled. */
  get paused(): boolean { return this.#paused || this.#stalls > 0 }

  /** Throws `Dead` if the process is dead. */
  must(): void { if (!this.alive) throw new Dead(`${this.name} is dead`) }

  /** `work` runs when the process ends in any way; returns the function that removes it. */
  onEnd(work: () => void): () => void {
    this.#ends.add(work)
    return () => { this.#ends.delete(work) }
  }

  /** Immediate end, as by SIGKILL. */
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

  /** Blocks its event loop for `ms`. */
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
 * Shortest timer, as in the real world. Without it, code that waits for the rest of a period would wait for nothing again and again, when
 * a clock rate leaves less than a number can hold.
 */
const leastMs = 0.001

/** Time services correct what the rate of a wall clock adds up to: two of them stay within a minute, as signatures need it. */
const driftMaxMs = 5_000

function clockOf(process: Process): Clock {
  const { kernel } = process
  const startMs = kernel.now
  const { time } = process.host
  const after = (ms: number, work: () => void): (() => void) =>
    process.alive ? kernel.schedule(Math.max(leastMs, ms / time.rate), process, 'timer', work) : () => {}
  return {
    now: () => epochMs + Math.floor(kernel.now + time.offsetMs + Math.max(-driftMaxMs, Math.min(kernel.now * (time.rate - 1), driftMaxMs))),
    mono: () => (kernel.now - startMs) * time.rate + 1,
    after,
    sleep: (ms, signal) => new Promise((resolve, reject) => {
      if (!process.alive) return // never settles
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
