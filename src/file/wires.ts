// Wires to datanodes, kept for later transfers. A wire serves one transfer at a time, and is kept only if its last operation ended
// cleanly. A kept wire may have been closed meanwhile (its server was restarted): a failure on a wire that was `used` before says
// nothing about the server, and the caller tries again with a fresh one.

import { Channel } from '../block/channel.ts'
import { assert } from '../base/assert.ts'
import { throwIfAborted } from '../base/abort.ts'
import type { Address } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { Clock } from '../ports/clock.ts'
import type { Net } from '../ports/net.ts'
import { transferPath } from '../protocol/transfer.ts'
import type { Caller } from '../rpc/call.ts'

/** Shorter than the server's timeout for an idle wire, so that this side closes first. */
const idleMsDefault = 15_000
const idlePerServerMax = 8
const connectMs = 5_000

interface WiresOptions {
  readonly net: Net
  readonly caller: Pick<Caller, 'admission'>
  readonly clock: Clock
  readonly idleMs?: number
}

export interface HeldWire {
  readonly address: Address
  readonly channel: Channel
  /** True if the wire served an earlier transfer. */
  readonly used: boolean
}

interface Idle { readonly channel: Channel; readonly cancel: () => void }

export class Wires {
  readonly #net: Net
  readonly #caller: Pick<Caller, 'admission'>
  readonly #clock: Clock
  readonly #idleMs: number
  readonly #idle = new Map<Address, Idle[]>()
  #closed = false

  constructor({ net, caller, clock, idleMs = idleMsDefault }: WiresOptions) {
    this.#net = net
    this.#caller = caller
    this.#clock = clock
    this.#idleMs = idleMs
  }

  /** A wire to a datanode; the caller gives it back or destroys it. `progressMs`: see Wire.setProgressTimeout. */
  async take(
    to: Address,
    {
      signal, fresh = false, progressMs = limits.progressTimeoutMs,
    }: { signal?: AbortSignal | undefined; fresh?: boolean; progressMs?: number } = {},
  ): Promise<HeldWire> {
    throwIfAborted(signal)
    const kept = fresh ? undefined : this.#idle.get(to)?.pop()
    if (kept) {
      kept.cancel()
      kept.channel.wire.setProgressTimeout(progressMs)
      return { address: to, channel: kept.channel, used: true }
    }
    const wire = await this.#net.connect(
      to,
      { path: transferPath, headers: this.#caller.admission(transferPath) },
      { ...(signal && { signal }), timeoutMs: connectMs },
    )
    wire.setProgressTimeout(progressMs)
    return { address: to, channel: new Channel(wire), used: false }
  }

  /** Keeps a wire. REQUIRES: the last operation on it has ended, on both sides. */
  give({ address, channel }: HeldWire): void {
    const idle = this.#idle.get(address) ?? []
    if (this.#closed || idle.length >= idlePerServerMax)
      return void channel.wire
        .end()
        .catch(() => {})
        .finally(() => channel.wire.destroy())
    this.#idle.set(address, idle)
    const forget = (): void => {
      const at = idle.findIndex(other => other.channel === channel)
      if (at >= 0) idle.splice(at, 1)
      if (idle.length === 0 && this.#idle.get(address) === idle) this.#idle.delete(address)
    }
    const cancel = this.#clock.after(this.#idleMs, () => { forget(); channel.wire.destroy() })
    idle.push({ channel, cancel })
    void channel.wire.closed.then(() => { cancel(); forget() })
  }

  /** Throws AssertionFailed if a wire is kept twice, or more are kept for a datanode than allowed. For tests and simulations. */
  checkState(): void {
    for (const [address, idle] of this.#idle) {
      assert(idle.length <= idlePerServerMax, `${idle.length} idle wires to ${address} are kept, at most ${idlePerServerMax} may be`)
      assert(new Set(idle.map(({ channel }) => channel)).size === idle.length, `an idle wire to ${address} is kept twice`)
    }
    assert(!this.#closed || this.#idle.size === 0, `wires to ${this.#idle.size} datanodes are kept after the end`)
  }

  /** Closes idle wires; wires in use are closed when they are given back. */
  close(): void {
    this.#closed = true
    for (const idle of this.#idle.values()) {
      for (const { channel, cancel } of idle) { cancel(); channel.wire.destroy() }
    }
    this.#idle.clear()
  }
}
