// Wire on a socket. In raw mode the kernel writes directly into the reader's buffer; a scratch holds bytes that arrive while no
// read is pending, and serves small reads. If a socket cannot be read raw, 'data' events feed the same code.
// Invariant: Node's onread keeps one buffer in flight, the one returned last. It is either a part of the outstanding target or free
// space of the scratch, and never undefined: Node would reuse the previous one and overwrite bytes being read.

import { Socket, type OnReadOpts } from 'node:net'
import { assert } from '../base/assert.ts'
import { GristmillError } from '../base/errors.ts'
import type { Wire } from '../ports/net.ts'
import { Scratch, scratchBytes } from './scratch.ts'

/**
 * Consecutive checks without a moved byte before a wire is aborted: after 1 to 1.25 times the progress timeout, as the first check
 * may come early.
 */
const looks = 5

const yes = Promise.resolve(true)
const no = Promise.resolve(false)

interface Pending {
  readonly target: Uint8Array
  readonly resolve: (whole: boolean) => void
  readonly reject: (error: Error) => void
}

export class SocketWire implements Wire {
  readonly remote: string
  readonly closed: Promise<void>
  /** Reads go directly into the caller's buffers; false: through 'data' events. */
  readonly raw: boolean
  readonly #socket: Socket
  readonly #scratch: Scratch
  #pending: Pending | undefined
  #filled = 0
  /** The buffer in flight belongs to the pending target, not to the scratch. */
  #direct = false
  #paused = false
  #ended = false
  #error: Error | undefined
  #writing = 0
  #progressMs = 0
  #timer: NodeJS.Timeout | undefined

  /**
   * `open` creates the socket with the given reading hooks (raw), or without (undefined: 'data' events). `head`: bytes received
   * before.
   */
  constructor(open: (onread: OnReadOpts | undefined) => Socket, { remote, raw, head }: { remote: string; raw: boolean; head?: Buffer }) {
    this.remote = remote
    this.raw = raw
    this.#scratch = new Scratch(head)
    this.#paused = this.#scratch.blocked
    const socket = open(raw ? { buffer: () => this.#next(), callback: count => this.#arrived(count) } : undefined)
    this.#socket = socket
    this.closed = new Promise(resolve => { socket.once('close', () => { this.#gone(); resolve() }) })
    socket.on('error', error => { this.#error ??= this.#lost(error) })
    socket.on('end', () => { this.#ended = true; this.#finish() })
    if (!raw) socket.on('data', (chunk: Buffer) => this.#chunk(chunk))
    if (this.#paused) socket.pause()
    else socket.resume()
  }

  read(target: Uint8Array): Promise<boolean> {
    assert(!this.#pending, 'one read at a time')
    this.#filled = 0
    if (target.length === 0) return yes
    this.#drain(target)
    if (this.#filled === target.length) return yes
    if (this.#error) return Promise.reject(this.#error)
    if (this.#ended) return this.#filled === 0 ? no : Promise.reject(this.#short())
    if (this.#socket.destroyed) return Promise.reject(this.#lost())
    return new Promise((resolve, reject) => {
      this.#pending = { target, resolve, reject }
      this.#watch()
    })
  }

  write(...parts: Uint8Array[]): Promise<void> {
    if (this.#error) return Promise.reject(this.#error)
    if (parts.length === 0) return Promise.resolve()
    return new Promise((resolve, reject) => {
      this.#writing++
      this.#watch()
      const done = (error?: Error | null): void => {
        this.#writing--
        if (error) reject(this.#error ?? this.#lost(error))
        else resolve()
      }
      const last = parts.length - 1
      if (last > 0) this.#socket.cork()
      for (let i = 0; i < last; i++) this.#socket.write(parts[i]!)
      this.#socket.write(parts[last]!, done)
      if (last > 0) this.#socket.uncork()
    })
  }

  end(): Promise<void> {
    if (this.#error) return Promise.reject(this.#error)
    if (this.#socket.writableFinished) return Promise.resolve()
    return new Promise((resolve, reject) => {
      this.#socket.end((error?: Error | null) => {
        if (error) reject(this.#error ?? this.#lost(error))
        else resolve()
      })
    })
  }

  destroy(error?: Error): void {
    this.#error ??= error ?? new GristmillError('ABORTED', `the connection to ${this.remote} was dropped by this side`)
    this.#socket.destroy()
    this.#fail(this.#error)
  }

  setProgressTimeout(ms: number): void {
    this.#progressMs = ms
    this.#unwatch()
    this.#watch()
  }

  /** Moves buffered bytes into a target, and resumes the socket once the scratch has room. */
  #drain(target: Uint8Array): void {
    this.#filled = this.#scratch.drain(target, this.#filled)
    if (this.#paused && !this.#scratch.blocked) {
      this.#paused = false
      this.#socket.resume()
    }
  }

  /** Raw: `count` bytes arrived in the buffer in flight. Returning false pauses the socket. */
  #arrived(count: number): boolean {
    if (this.#direct) this.#filled += count
    else this.#scratch.grew(count)
    this.#serve()
    this.#paused = this.#scratch.full
    return !this.#paused
  }

  /** Raw: buffer for the next bytes. Called once at the start and after each arrival. */
  #next(): Buffer {
    const target = this.#pending?.target
    // Large reads bypass the scratch; for small ones reading ahead is better.
    this.#direct = target !== undefined && this.#scratch.empty && target.length - this.#filled >= scratchBytes
    if (this.#direct) return Buffer.from(target!.buffer, target!.byteOffset + this.#filled, target!.length - this.#filled)
    return this.#scratch.space()
  }

  /** Not raw: a buffer allocated by Node. */
  #chunk(chunk: Buffer): void {
    this.#scratch.push(chunk)
    this.#serve()
    if (this.#scratch.blocked && !this.#paused) {
      this.#paused = true
      this.#socket.pause()
    }
  }

  #serve(): void {
    if (!this.#pending) return
    this.#drain(this.#pending.target)
    if (this.#filled === this.#pending.target.length) this.#settle()
  }

  #settle(): void {
    const { resolve } = this.#pending!
    this.#pending = undefined
    resolve(true)
  }

  /** The peer sends no more. */
  #finish(): void {
    if (!this.#pending) return
    if (this.#filled > 0) return this.#fail(this.#short())
    const { resolve } = this.#pending
    this.#pending = undefined
    resolve(false)
  }

  #fail(error: Error): void {
    const pending = this.#pending
    this.#pending = undefined
    pending?.reject(error)
  }

  #gone(): void {
    this.#unwatch()
    if (!this.#ended) this.#error ??= this.#lost()
    if (this.#error) this.#fail(this.#error)
    else this.#finish()
  }

  /** Starts the progress timer if a read or write waits. No cost per byte: it reads the system's counters. */
  #watch(): void {
    if (this.#progressMs === 0 || this.#timer || (!this.#pending && this.#writing === 0)) return
    let before = movedBytes(this.#socket)
    let still = 0
    this.#timer = setInterval(() => {
      if (!this.#pending && this.#writing === 0) return this.#unwatch()
      const now = movedBytes(this.#socket)
      still = now === before ? still + 1 : 0
      before = now
      if (still < looks) return
      this.destroy(
        new GristmillError('TIMEOUT', `the connection to ${this.remote} moved no byte for ${this.#progressMs} ms; it was given up`, {
          details: { remote: this.remote },
        }),
      )
    }, this.#progressMs / (looks - 1))
    this.#timer.unref()
  }

  #unwatch(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #short(): GristmillError {
    return new GristmillError(
      'UNAVAILABLE',
      `the connection to ${this.remote} ended inside a message (${this.#filled} bytes of it had come)`,
      { details: { remote: this.remote } },
    )
  }

  #lost(cause?: Error): GristmillError {
    const why = (cause as NodeJS.ErrnoException | undefined)?.code ?? cause?.message
    return new GristmillError('UNAVAILABLE', `the connection to ${this.remote} was lost${why ? ` (${why})` : ''}`, {
      cause, details: { remote: this.remote },
    })
  }
}

/** Bytes that the kernel has delivered or accepted. A large write counts while in progress, not only at its end. */
function movedBytes(socket: Socket): number {
  const handle = (socket as unknown as { _handle?: { bytesRead?: number; bytesWritten?: number; writeQueueSize?: number } | null })._handle
  return (handle?.bytesRead ?? socket.bytesRead) + (handle?.bytesWritten ?? 0) - (handle?.writeQueueSize ?? socket.writableLength)
}
