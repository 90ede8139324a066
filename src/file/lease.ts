// Leases of the files that this process writes, renewed together while there are any. A lease that the namenode no longer
// knows is lost for good: its writer is told and must give up.

import type { Address, LeaseId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import { renew } from '../protocol/writing.ts'
import type { Caller } from '../rpc/call.ts'

export interface LeasesOptions {
  readonly caller: Caller
  readonly clock: Clock
  readonly log: Log
  readonly namenode: Address
  readonly renewMs?: number | undefined
}

export class Leases {
  readonly #options: LeasesOptions
  readonly #renewMs: number
  readonly #held = new Map<LeaseId, () => void>()
  #cancel: (() => void) | undefined

  constructor(options: LeasesOptions) {
    this.#options = options
    this.#renewMs = options.renewMs ?? limits.leaseRenewMs
  }

  holds(lease: LeaseId): boolean { return this.#held.has(lease) }

  /** Keeps a lease alive until `drop`; `onLost` is called at most once, if that fails. */
  hold(lease: LeaseId, onLost: () => void): void {
    this.#held.set(lease, onLost)
    this.#schedule()
  }

  drop(lease: LeaseId): void {
    this.#held.delete(lease)
    if (this.#held.size === 0) this.close()
  }

  close(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  #schedule(): void {
    this.#cancel ??= this.#options.clock.after(this.#renewMs, () => { void this.#renew() })
  }

  async #renew(): Promise<void> {
    const { caller, namenode, log } = this.#options
    const leases = [...this.#held.keys()]
    try {
      for (let at = 0; at < leases.length; at += 10_000) {
        const { lost } = await caller.call(namenode, renew, { leases: leases.slice(at, at + 10_000) }, { peer: 'namenode', timeoutMs: this.#renewMs * 2 })
        for (const lease of lost) {
          const onLost = this.#held.get(lease)
          this.#held.delete(lease)
          onLost?.()
        }
      }
    } catch (error) {
      // A lease lasts six renewals and more; the next one may get through.
      log.warn('leases could not be renewed; trying again', { error, leases: leases.length })
    }
    this.#cancel = undefined
    if (this.#held.size > 0) this.#schedule()
  }
}
