// Leases of the files that this process writes, renewed together while there are any. A lease that the namenode no longer
// knows is lost for good: its writer is told and must give up. A lease whose writer has given up is given back in the background;
// the next `create` of the same path by this process waits for that, so that it does not meet its own old lease as EBUSY.

import type { Background } from '../base/background.ts'
import { asError } from '../base/errors.ts'
import type { Address, LeaseId, RequestId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import { abandon, renew } from '../protocol/writing.ts'
import type { Caller } from '../rpc/call.ts'

export interface LeasesOptions {
  readonly caller: Caller
  readonly clock: Clock
  readonly log: Log
  readonly namenode: Address
  readonly renewMs?: number | undefined
  readonly background: Background
  requestId(): RequestId
}

export class Leases {
  readonly #options: LeasesOptions
  readonly #renewMs: number
  readonly #held = new Map<LeaseId, () => void>()
  /** By path: what gives leases back. */
  readonly #ending = new Map<string, Set<Promise<unknown>>>()
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

  /** Gives a lease back. If the namenode cannot be told, the lease runs out. Never rejects. */
  giveBack(path: string, lease: LeaseId): Promise<void> {
    const { caller, namenode, log, requestId } = this.#options
    this.drop(lease)
    const told = caller.call(namenode, abandon, { requestId: requestId(), lease }, { peer: 'namenode' }).then(
      () => {},
      (error: unknown) => { log.warn('a file could not be abandoned; its lease will run out', { error: asError(error), path }) },
    )
    this.ending(path, told)
    return told
  }

  /** `work` ends in a lease of `path` given back. */
  ending(path: string, work: Promise<unknown>): void {
    const { background } = this.#options
    const known = this.#ending.get(path) ?? new Set()
    this.#ending.set(path, known)
    const ended = work.then(() => {}, () => {}).finally(() => {
      known.delete(ended)
      if (known.size === 0) this.#ending.delete(path)
    })
    known.add(ended)
    background.add(ended)
  }

  /** Resolves when this process gives no lease of `path` back any more. */
  async settled(path: string): Promise<void> {
    for (let known = this.#ending.get(path); known; known = this.#ending.get(path)) await Promise.all(known)
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
        const { lost } = await caller.call(
          namenode, renew, { leases: leases.slice(at, at + 10_000) },
          { peer: 'namenode', timeoutMs: this.#renewMs * 2 },
        )
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
