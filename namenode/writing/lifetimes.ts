// Expiry of leases: time since each writer's last renewal, without pauses of this namenode. After the soft limit another writer may take
// the lease over. A chore (`expireLeases` in routes.ts) abandons the file after the hard limit, or after the soft limit if its directory
// was removed. Soft state: after a restart every lease starts anew, because no writer could renew it in between. Also maps open blocks to
// their leases.

import { assert, assertKept } from '../../src/base/assert.ts'
import type { BlockId, LeaseId } from '../../src/base/ids.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { View } from '../journal/view.ts'
import { leases } from './lease.ts'

interface LeaseTimes {
  readonly leaseSoftMs: number
  readonly leaseHardMs: number
}

export class Lifetimes {
  readonly #clock: Pick<Clock, 'mono'>
  readonly #times: LeaseTimes
  /** In order of the last renewal, oldest first. */
  readonly #leases = new Map<LeaseId, { heardMs: number; readonly blocks: BlockId[] }>()
  readonly #blocks = new Map<BlockId, LeaseId>()

  constructor({ clock, view, times }: { clock: Pick<Clock, 'mono'>; view: View; times: LeaseTimes }) {
    this.#clock = clock
    this.#times = times
    for (const lease of leases(view)) this.opened(lease.id, lease.blocks)
  }

  isOpen(block: BlockId): boolean { return this.#blocks.has(block) }

  /** A lease is opened or renewed; `blocks` are added to it. */
  opened(lease: LeaseId, blocks: readonly BlockId[]): void {
    const heardMs = this.#clock.mono()
    const known = this.#leases.get(lease)?.blocks ?? []
    for (const block of blocks) {
      if (this.#blocks.has(block)) continue
      this.#blocks.set(block, lease)
      known.push(block)
    }
    this.#leases.delete(lease)
    this.#leases.set(lease, { heardMs, blocks: known })
  }

  /** Renews a lease. */
  renewed(lease: LeaseId): void { this.opened(lease, []) }

  closed(lease: LeaseId): void {
    for (const block of this.#leases.get(lease)?.blocks ?? []) this.#blocks.delete(block)
    this.#leases.delete(lease)
  }

  /** True if the soft limit has passed: another writer may take the lease over. */
  isSoft(lease: LeaseId): boolean { return this.#silent(lease) >= this.#times.leaseSoftMs }

  /** Leases past the hard limit, at most `max`. */
  expired(max: number): LeaseId[] { return this.#silentFor(this.#times.leaseHardMs, max) }

  /** Leases past the soft limit, at most `max`, those past the hard limit among them. */
  soft(max: number): LeaseId[] { return this.#silentFor(this.#times.leaseSoftMs, max) }

  #silentFor(ms: number, max: number): LeaseId[] {
    const found: LeaseId[] = []
    for (const lease of this.#leases.keys()) {
      if (found.length === max || this.#silent(lease) < ms) break
      found.push(lease)
    }
    return found
  }

  /** Throws AssertionFailed if leases and open blocks do not name each other. For tests and simulations. */
  checkState(): void {
    let blocks = 0
    let beforeMs = 0
    for (const [lease, known] of this.#leases) {
      blocks += known.blocks.length
      for (const block of known.blocks) assertKept('lease', this.#blocks.get(block) ?? 0, lease, `block ${block}`)
      assert(known.heardMs >= beforeMs, `lease ${lease} was renewed at ${known.heardMs} ms and is behind one renewed at ${beforeMs} ms`)
      beforeMs = known.heardMs
    }
    assertKept('open blocks', this.#blocks.size, blocks)
  }

  #silent(lease: LeaseId): number {
    const known = this.#leases.get(lease)
    return known === undefined ? 0 : this.#clock.mono() - known.heardMs
  }
}
