// Wires to datanodes, kept for the next transfer. A wire is used by one transfer at a time; only one whose last operation
// ended in good order comes back. A kept wire may have died meanwhile (its server was restarted): whoever fails on a wire that
// was `used` before has learnt nothing about the server and tries once more with a fresh one.

import { Channel } from '../block/channel.ts'
import { throwIfAborted } from '../base/abort.ts'
import type { Address } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { Clock } from '../ports/clock.ts'
import type { Net } from '../ports/net.ts'
import { transferPath } from '../protocol/transfer.ts'
import type { Caller } from '../rpc/call.ts'

/** Shorter than the server's own patience with an idle wire, so that the keeper closes first. */
const idleMsDefault = 15_000
const idlePerServerMax = 8
const connectMs = 5_000

export interface WiresOptions {
  readonly net: Net
  readonly caller: Pick<Caller, 'admission'>
  readonly clock: Clock
  readonly idleMs?: number
}

export interface HeldWire {
  readonly address: Address
  readonly channel: Channel
  /** It has served before. */
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

  /** REQUIRES: the last operation on it is over, on both sides. */
  give({ address, channel }: HeldWire): void {
    let idle = this.#idle.get(address)
    if (!idle) this.#idle.set(address, idle = [])
    if (this.#closed || idle.length >= idlePerServerMax)
      return void channel.wire
        .end()
        .catch(() => {})
        .finally(() => channel.wire.destroy())
    const forget = (): void => {
      const at = idle.findIndex(other => other.channel === channel)
      if (at >= 0) idle.splice(at, 1)
      if (idle.length === 0 && this.#idle.get(address) === idle) this.#idle.delete(address)
    }
    const cancel = this.#clock.after(this.#idleMs, () => { forget(); channel.wire.destroy() })
    idle.push({ channel, cancel })
    void channel.wire.closed.then(() => { cancel(); forget() })
  }

  /** Ends the idle wires; those in use end when they are given back. */
  close(): void {
    this.#closed = true
    for (const idle of this.#idle.values()) {
      for (const { channel, cancel } of idle) { cancel(); channel.wire.destroy() }
    }
    this.#idle.clear()
  }
}
