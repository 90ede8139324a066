// One direction of a connection through a proxy. Without faults, bytes pass straight through. A cut behaves as it does in TCP: nothing
// arrives, neither side is notified, and the data arrives late, after the cut is healed, or never, if a side has given up. No byte is ever
// left out of a stream that continues.

import type { Socket } from 'node:net'
import type { Random } from '../../../src/ports/random.ts'
import type { Links, Rule } from './links.ts'

/** Limit of delayed bytes per direction; beyond it the sender has to wait. */
const heldBytesMax = 4 << 20

export interface FlowOptions {
  readonly source: Socket
  readonly target: Socket
  readonly from: () => string
  readonly to: () => string
  readonly links: Links
  readonly random: Random
  /** True for block data, covered by checksums. Calls are not corrupted: loopback calls are unsigned, so that would prove nothing. */
  readonly wire: boolean
  /** Called with a whole request that the network delivers twice. */
  readonly repeat?: (request: Buffer) => void
  readonly reset: () => void
}

export class Flow {
  readonly #options: FlowOptions
  /** Delayed pieces leave in order, one after the other. */
  #late: Promise<void> | undefined
  #held = 0
  #blocked = false
  #first = true
  /** Time at which the last byte of a slowed connection is through. */
  #busyUntil = 0
  #ended = false
  #gone = false
  #wake: (() => void) | undefined

  constructor(options: FlowOptions) {
    this.#options = options
    const { source, target, links } = options
    const forget = links.onChange(() => { this.#wake?.(); this.#steer() })
    source.on('data', (piece: Buffer) => this.#take(piece))
    source.on('end', () => { this.#ended = true; this.#after(() => { target.end() }) })
    source.on('close', () => { if (!this.#ended) this.#after(() => { target.destroy() }) })
    target.on('drain', () => { this.#blocked = false; this.#steer() })
    // Data on its way to `source` in the other direction is not lost: that direction closes the socket itself.
    target.on('close', () => { forget(); this.#gone = true; this.#wake?.(); source.resume() })
    this.#steer()
  }

  /** Takes a piece that was read before the flow existed. */
  take(piece: Buffer): void { this.#take(piece) }

  #rule(): Rule | undefined { return this.#options.links.rule(this.#options.from(), this.#options.to()) }

  #steer(): void {
    if (this.#gone) return
    const { source } = this.#options
    if (this.#blocked || this.#held > heldBytesMax || this.#rule()?.cut) source.pause()
    else source.resume()
  }

  #take(piece: Buffer): void {
    if (this.#gone) return void this.#options.source.resetAndDestroy()
    const rule = this.#rule()
    if (!rule && !this.#late) return this.#write(piece)
    const arrived = performance.now()
    this.#held += piece.length
    this.#after(async () => {
      await this.#due(arrived, piece.length)
      this.#held -= piece.length
      if (!this.#options.target.destroyed) this.#deliver(piece)
      this.#steer()
    })
    this.#steer()
  }

  /** Waits for the end of a cut and for the delay of a slow connection. */
  async #due(arrived: number, bytes: number): Promise<void> {
    const { target } = this.#options
    while (this.#rule()?.cut && !target.destroyed) await new Promise<void>(resolve => { this.#wake = resolve })
    const { delayMs = 0, bytesPerSecond = Infinity } = this.#rule()?.spoil ?? {}
    const now = performance.now()
    this.#busyUntil = Math.max(now, this.#busyUntil) + (bytes / bytesPerSecond) * 1000
    const waitMs = Math.max(arrived + delayMs, this.#busyUntil) - now
    if (waitMs > 0) await new Promise(resolve => setTimeout(resolve, waitMs).unref())
  }

  #deliver(piece: Buffer): void {
    const { random, wire, repeat, reset } = this.#options
    const { corrupt = 0, duplicate = 0, reset: resets = 0 } = this.#rule()?.spoil ?? {}
    if (resets > 0 && random.float() < resets) return reset()
    // The first piece of a wire is its HTTP request or reply.
    if (wire && !this.#first && corrupt > 0 && random.float() < corrupt) {
      piece = Buffer.from(piece)
      piece[random.below(piece.length)]! ^= 1 << random.below(8)
    }
    this.#write(piece)
    if (!wire && duplicate > 0 && random.float() < duplicate && isWholeRequest(piece)) repeat?.(piece)
  }

  #write(piece: Buffer): void {
    this.#first = false
    if (this.#options.target.write(piece)) return
    this.#blocked = true
    this.#steer()
  }

  #after(work: () => void | Promise<void>): void {
    if (!this.#late && !this.#rule()) return void work()
    const late: Promise<void> = (this.#late ?? Promise.resolve()).then(work).finally(() => {
      if (this.#late === late) this.#late = undefined
    })
    this.#late = late
  }
}

/** True for a POST with all of its body and nothing after it. */
function isWholeRequest(piece: Buffer): boolean {
  const text = piece.toString('latin1', 0, 4096)
  const end = text.indexOf('\r\n\r\n')
  const length = /\r\ncontent-length: *(\d+)\r\n/i.exec(text)?.[1]
  return text.startsWith('POST ') && end > 0 && length !== undefined && piece.length === end + 4 + Number(length)
}
