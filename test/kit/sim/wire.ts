// Wire between two simulated processes: bytes written at one end arrive at the other, in order, after some time, unless the simulated
// network holds or resets the connection.

import { crc32c } from '@node-rs/crc32'
import { assert } from '../../../src/base/assert.ts'
import { GristmillError } from '../../../src/base/errors.ts'
import type { Wire } from '../../../src/ports/net.ts'
import type { Process } from './process.ts'

/** Fate of a piece on its way. */
export interface Passage {
  readonly ms: number
  /** Transmission time on a slow line; later pieces wait for it. */ readonly sendMs: number
  readonly fate: 'pass' | 'hold' | 'reset'
  readonly flip: boolean
  readonly at: number
}

export interface Way {
  /** Called for each piece. */
  passage(from: Process, to: Process, bytes: number): Passage
  /** Runs `work` when the direction is no longer cut. */
  clear(from: Process, to: Process, work: () => void): void
}

interface Pending {
  readonly target: Uint8Array
  filled: number
  readonly resolve: (whole: boolean) => void
  readonly reject: (error: Error) => void
}

export class SimWire implements Wire {
  readonly remote: string
  readonly closed: Promise<void>
  readonly #way: Way
  readonly #own: Process
  readonly #other: Process
  /** The other end. Used by wire ends only. */
  peer!: SimWire
  #gone!: () => void
  #chunks: Buffer[] = []
  #pending: Pending | undefined
  #ended = false
  #error: Error | undefined
  /** Functions that reject writes whose bytes have not left. */
  readonly #sending = new Set<(error: Error) => void>()
  #progressMs = 0
  #cancelProgress: (() => void) | undefined
  #writing = 0
  /** Pieces keep their order: each event, whichever runs first, delivers the first piece. */
  readonly #flight: Array<() => void> = []
  #arrivesAt = 0
  #stuck: Array<() => void> | undefined

  static pair(way: Way, a: { process: Process; address: string }, b: { process: Process; address: string }): [SimWire, SimWire] {
    const first = new SimWire(way, a.process, b.process, b.address)
    const second = new SimWire(way, b.process, a.process, a.address)
    first.peer = second
    second.peer = first
    for (const [own, other] of [[first, second], [second, first]] as const) {
      own.#own.onEnd(() => {
        own.#close(new GristmillError('UNAVAILABLE', 'this process has ended'), true)
        own.#send('reset', 0, () => other.#lost('ECONNRESET'))
      })
    }
    return [first, second]
  }

  private constructor(way: Way, own: Process, other: Process, remote: string) {
    this.#way = way
    this.#own = own
    this.#other = other
    this.remote = remote
    this.closed = new Promise(resolve => { this.#gone = resolve })
  }

  read(target: Uint8Array): Promise<boolean> {
    this.#own.must()
    assert(!this.#pending, 'one read at a time')
    if (target.length === 0) return Promise.resolve(true)
    return new Promise((resolve, reject) => {
      this.#pending = { target, filled: 0, resolve, reject }
      this.#serve()
      this.#watch()
    })
  }

  write(...parts: Uint8Array[]): Promise<void> {
    this.#own.must()
    if (this.#error) return Promise.reject(this.#error)
    const bytes = Buffer.concat(parts)
    if (bytes.length === 0) return Promise.resolve()
    this.#writing++
    this.#watch()
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => {
        if (!this.#sending.delete(fail)) return
        this.#writing--
        reject(error)
      }
      this.#sending.add(fail)
      this.#send(`wire ${bytes.length} ${crc32c(bytes).toString(16)}`, bytes.length, flip => {
        if (flip >= 0) bytes[Math.floor(flip * bytes.length)]! ^= 1
        this.peer.#arrived(bytes)
        // The sender's completion is an event of its own.
        this.#own.kernel.schedule(0, this.#own, 'wire sent', () => {
          if (!this.#sending.delete(fail)) return
          this.#writing--
          this.#moved()
          resolve()
        })
      }, fail)
    })
  }

  end(): Promise<void> {
    this.#own.must()
    if (this.#error) return Promise.reject(this.#error)
    // The end is on its way after all written data; the caller does not wait for the peer to receive it.
    this.#send('wire end', 0, () => this.peer.#finish())
    return Promise.resolve()
  }

  destroy(error?: Error): void {
    if (this.#error) return
    this.#close(error ?? new GristmillError('ABORTED', `the connection to ${this.remote} was dropped by this side`), true)
    if (this.#own.alive) this.#send('wire reset', 0, () => this.peer.#lost('ECONNRESET'))
  }

  setProgressTimeout(ms: number): void {
    this.#progressMs = ms
    this.#moved()
  }

  /** Delivers after everything sent before; a process that dies meanwhile has still sent it. */
  #send(label: string, bytes: number, deliver: (flip: number) => void, fail: (error: Error) => void = () => {}): void {
    const { kernel } = this.#own
    const { ms, sendMs, fate, flip, at } = this.#way.passage(this.#own, this.#other, bytes)
    const go = (): void => {
      this.#arrivesAt = Math.max(this.#arrivesAt, kernel.now + ms) + sendMs
      this.#flight.push(() => deliver(flip ? at : -1))
      kernel.schedule(this.#arrivesAt - kernel.now, undefined, `${this.#own.name}>${this.#other.name} ${label}`, () => {
        if (!this.#other.alive) return
        // A paused process receives nothing; the data stays in system buffers until it is resumed.
        if (this.#other.paused) kernel.schedule(0, this.#other, `held ${label}`, () => this.#flight.shift()!())
        else this.#flight.shift()!()
      })
    }
    if (fate === 'reset') {
      const error = this.#lostError('ECONNRESET')
      this.#close(error, false)
      kernel.schedule(ms, this.#other, `${this.#own.name}>${this.#other.name} wire reset`, () => this.peer.#lost('ECONNRESET'))
      fail(error)
    } else if (fate === 'pass' && !this.#stuck) {
      go()
    } else if (this.#stuck) {
      this.#stuck.push(go)
    } else {
      this.#stuck = [go]
      this.#way.clear(this.#own, this.#other, () => {
        const stuck = this.#stuck ?? []
        this.#stuck = undefined
        for (const each of stuck) each()
      })
    }
  }

  #arrived(bytes: Buffer): void {
    if (this.#error) return
    this.#chunks.push(bytes)
    this.#own.kernel.touch()
    this.#moved()
    this.#serve()
  }

  #finish(): void {
    this.#ended = true
    this.#serve()
    if (this.peer.#ended) {
      this.#close(undefined, true)
      this.#own.kernel.schedule(0, this.#other, 'wire closed', () => this.peer.#close(undefined, true))
    }
  }

  #lost(why: string): void { this.#close(this.#lostError(why), true) }

  #lostError(why: string): Error {
    return new GristmillError('UNAVAILABLE', `the connection to ${this.remote} was lost (${why})`, { details: { remote: this.remote } })
  }

  #close(error: Error | undefined, tell: boolean): void {
    this.#cancelProgress?.()
    this.#cancelProgress = undefined
    this.#own.kernel.touch()
    if (error && !this.#error) {
      this.#error = error
      const pending = this.#pending
      this.#pending = undefined
      pending?.reject(error)
      for (const fail of [...this.#sending]) fail(error)
    }
    if (tell || error) this.#gone()
  }

  #serve(): void {
    const pending = this.#pending
    if (!pending) return
    while (pending.filled < pending.target.length && this.#chunks.length > 0) {
      const chunk = this.#chunks[0]!
      const count = Math.min(chunk.length, pending.target.length - pending.filled)
      pending.target.set(chunk.subarray(0, count), pending.filled)
      pending.filled += count
      if (count === chunk.length) this.#chunks.shift()
      else this.#chunks[0] = chunk.subarray(count)
    }
    if (pending.filled === pending.target.length) {
      this.#pending = undefined
      pending.resolve(true)
    } else if (this.#error || this.#ended) {
      this.#pending = undefined
      if (this.#error) pending.reject(this.#error)
      else if (pending.filled === 0) pending.resolve(false)
      else
        pending.reject(
          new GristmillError(
            'UNAVAILABLE',
            `the connection to ${this.remote} ended inside a message (${pending.filled} bytes of it had come)`,
          ),
        )
    }
  }

  #moved(): void {
    this.#cancelProgress?.()
    this.#cancelProgress = undefined
    this.#watch()
  }

  #watch(): void {
    if (this.#progressMs === 0 || this.#cancelProgress || this.#error || (!this.#pending && this.#writing === 0) || !this.#own.alive) return
    this.#cancelProgress = this.#own.clock.after(this.#progressMs, () => {
      this.#cancelProgress = undefined
      if (!this.#pending && this.#writing === 0) return
      this.destroy(
        new GristmillError('TIMEOUT', `the connection to ${this.remote} moved no byte for ${this.#progressMs} ms; it was given up`, {
          details: { remote: this.remote },
        }),
      )
    })
  }
}
