// Pieces of the body of a request as they come. Those that have come are taken without a promise for each: a body of 1 GiB has 16,000.
// INVARIANT: at most `queuedBytesMax` and one piece wait here; then the connection is not read.

import type { IncomingMessage } from 'node:http'
import { KiB } from '../../src/base/units.ts'

/** Pieces have 64 KiB: a connection is paused and resumed, with a call of the system for each, once for several of them. */
const queuedBytesMax = 256 * KiB

export class IncomingBody {
  readonly #request: IncomingMessage
  readonly #queue: Buffer[] = []
  #queued = 0
  #hasEnded = false
  #error: Error | undefined
  #awaited: (() => void) | undefined

  readonly #listeners: ReadonlyArray<readonly [event: string, listener: (given?: unknown) => void]> = [
    ['data', piece => this.#take(piece as Buffer)],
    ['end', () => this.#end()],
    ['error', error => this.#end(error as Error)],
    // A connection that breaks has no `end`.
    ['close', () => this.#end()],
  ]

  /** REQUIRES: nothing else reads the request; finally `close`. */
  constructor(request: IncomingMessage) {
    this.#request = request
    if (request.readableEnded || request.destroyed) this.#hasEnded = true
    for (const [event, listener] of this.#listeners) request.on(event, listener)
  }

  /** The next piece that has come; undefined: `more` waits for one. */
  take(): Buffer | undefined {
    const piece = this.#queue.shift()
    if (!piece) return undefined
    this.#queued -= piece.length
    if (this.#queued < queuedBytesMax && this.#request.isPaused()) this.#request.resume()
    return piece
  }

  /** True once there is a piece, and false at the end. Throws the error of the connection. REQUIRES: one call at a time. */
  async more(): Promise<boolean> {
    while (this.#queue.length === 0) {
      if (this.#error) throw this.#error
      if (this.#hasEnded) return false
      await new Promise<void>(resolve => { this.#awaited = resolve })
    }
    return true
  }

  /** The request is read no further; a waiting `more` never ends. */
  close(): void {
    for (const [event, listener] of this.#listeners) this.#request.off(event, listener)
    this.#request.pause()
    this.#queue.length = 0
  }

  #take(piece: Buffer): void {
    this.#queue.push(piece)
    this.#queued += piece.length
    if (this.#queued >= queuedBytesMax) this.#request.pause()
    this.#wake()
  }

  #end(error?: Error): void {
    this.#hasEnded = true
    this.#error ??= error
    this.#wake()
  }

  #wake(): void {
    const awaited = this.#awaited
    this.#awaited = undefined
    awaited?.()
  }
}

/**
 * Gives the memory of a piece back at once. The engine counts the memory of buffers and collects all of its heap for each 64 MiB of them,
 * which took a third of the processor time of an upload. REQUIRES: the piece is not used any more.
 */
export function release({ buffer, byteLength }: Buffer): void {
  // A piece that shares its memory with others is left to the collector.
  if (byteLength === buffer.byteLength && buffer instanceof ArrayBuffer) buffer.transfer(0)
}
