// Leases of the files that this process writes, renewed together. A lease that the namenode no longer knows is lost: its writer is
// informed and must abort. The lease of an aborted writer is given back in the background; the next `create` of the same path by
// this process waits for that, so that it does not fail with EBUSY on its own old lease.

import type { Background } from '../base/background.ts'
import { asError } from '../base/errors.ts'
import type { Address, LeaseId, RequestId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import { abandon, renew } from '../protocol/writing.ts'
import type { Caller } from '../rpc/call.ts'

interface LeasesOptions {
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
  /** Calls in flight that give leases back, by path. */
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

  /** Gives a lease back. If the namenode is unreachable, the lease expires. Never rejects. */
  giveBack(path: string, lease: LeaseId): Promise<void> {
    const { caller, namenode, log, requestId } = this.#options
    this.drop(lease)
    const call = caller.call(namenode, abandon, { requestId: requestId(), lease }, { peer: 'namenode' }).then(
      () => {},
      (error: unknown) => { log.warn('a file could not be abandoned; its lease will run out', { error: asError(error), path }) },
    )
    this.ending(path, call)
    return call
  }

  /** Registers `work` that gives back a lease of `path`. */
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

  /** Resolves when no call of this process gives back a lease of `path` any more. */
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
      // A lease lasts at least six renewal intervals; the next attempt may succeed.
      log.warn('leases could not be renewed; trying again', { error, leases: leases.length })
    }
    this.#cancel = undefined
    if (this.#held.size > 0) this.#schedule()
  }
}
