// Bounds the TLS handshakes of a process that have begun and not ended. Each holds tens of kilobytes and has cost a computation with the
// key, and the limit of open files (connections.ts) may allow a million of them. At the bound, a new one ends the oldest handshake of the
// address that has the most, so that a client with many displaces its own.
// INVARIANT: at most `max` handshakes are open; an address loses none while another has more.

import type { Socket } from 'node:net'
import { assert, assertKept } from '../base/assert.ts'

/** Some 30 MB. A client ends a handshake within two round trips. */
const maxDefault = 512

type Begun = Pick<Socket, 'remoteAddress' | 'destroyed' | 'destroy' | 'once'>

export class Handshakes {
  readonly #max: number
  /** By address of the client; oldest first. */
  readonly #open = new Map<string, Set<Begun>>()
  #count = 0
  /** Handshakes that were ended for others. */
  displaced = 0

  constructor(max = maxDefault) { this.#max = max }

  get count(): number { return this.#count }

  /** Called with a connection whose client begins a handshake. */
  begin(socket: Begun): void {
    if (socket.destroyed) return
    if (this.#count >= this.#max) this.#displace()
    const address = socket.remoteAddress ?? ''
    const own = this.#open.get(address) ?? new Set()
    this.#open.set(address, own.add(socket))
    this.#count++
    socket.once('close', () => this.#drop(address, socket))
  }

  /** Called when the handshake of the connection has ended. May be called again. */
  end(socket: Begun): void { this.#drop(socket.remoteAddress ?? '', socket) }

  /** Throws AssertionFailed if the count is not that of the handshakes, or above the bound. For tests. */
  checkState(): void {
    assertKept('handshakes', this.#count, [...this.#open.values()].reduce((sum, { size }) => sum + size, 0))
    assert(this.#count <= this.#max, `${this.#count} handshakes are open, at most ${this.#max} may be`)
  }

  #displace(): void {
    let [address, most]: [string, ReadonlySet<Begun>] = ['', new Set()]
    for (const [each, own] of this.#open) if (own.size > most.size) [address, most] = [each, own]
    const [oldest] = most
    if (!oldest) return
    this.displaced++
    this.#drop(address, oldest)
    oldest.destroy()
  }

  #drop(address: string, socket: Begun): void {
    const own = this.#open.get(address)
    if (!own?.delete(socket)) return
    this.#count--
    if (own.size === 0) this.#open.delete(address)
  }
}

let shared: Handshakes | undefined
/** All listeners of a process share its memory. */
export const processHandshakes = (): Handshakes => shared ??= new Handshakes()
