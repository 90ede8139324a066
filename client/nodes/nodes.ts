// The datanodes of a cluster, as an operator directs them: which are to be emptied, which are away for a while, and that bytes
// are to be spread. A node is named by its id, its address, or its host if there is only one on it.

import { GristmillError } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import { MiB } from '../../src/base/units.ts'
import type { NodeStatus } from '../../src/protocol/admin.ts'
import * as service from '../../src/protocol/service.ts'
import type { BalanceState } from '../../src/protocol/service.ts'
import type { CallOptions } from '../files/names.ts'
import type { Ask } from '../jobs/ask.ts'
import { within } from '../within.ts'

export interface BalanceOptions extends CallOptions {
  /** Points of a hundred by which a node may differ from the average; 10 unless told. */
  readonly threshold?: number
  /** That one node sends, and receives, on average; 50 MiB unless told. */
  readonly bytesPerSecond?: number
}

export const balanceDefaults = { threshold: 10, bytesPerSecond: 50 * MiB } as const

export class Nodes {
  readonly #ask: Ask

  constructor(ask: Ask) { this.#ask = ask }

  /** Returns at once; the node is `decommissioned` when its blocks have been copied away. Throws ENOENT, EACCES, EINVAL, SAFE_MODE. */
  async decommission(node: string, { signal }: CallOptions = {}): Promise<NodeStatus> {
    named(node)
    return this.#ask(service.decommission, { node }, signal)
  }

  /** Puts a node back into service, whatever it was. Throws ENOENT, EACCES. */
  async recommission(node: string, { signal }: CallOptions = {}): Promise<NodeStatus> {
    named(node)
    return this.#ask(service.recommission, { node }, signal)
  }

  /** Its blocks are not copied while it is away, for so long. Throws ENOENT, EACCES, EINVAL. */
  async maintenance(node: string, { forMs, signal }: CallOptions & { readonly forMs: number }): Promise<NodeStatus> {
    named(node)
    within('time of a maintenance in milliseconds', forMs ?? Number.NaN, 1000, limits.maintenanceMsMax)
    return this.#ask(service.maintenance, { node, forMs }, signal)
  }

  /** Begins to move blocks from full nodes to empty ones; it ends by itself. Throws EINVAL, EACCES. */
  async balance({ threshold = balanceDefaults.threshold, bytesPerSecond = balanceDefaults.bytesPerSecond, signal }: BalanceOptions = {}): Promise<BalanceState> {
    if (!(typeof threshold === 'number' && threshold >= 0 && threshold <= 100)) throw new GristmillError('EINVAL', `the threshold is ${threshold}; it must be a number of percent from 0 to 100`)
    within('number of bytes a second', bytesPerSecond, 1)
    return this.#ask(service.balance, { threshold, bytesPerSecond }, signal)
  }

  stopBalance({ signal }: CallOptions = {}): Promise<BalanceState> { return this.#ask(service.stopBalance, {}, signal) }
  balanceStatus({ signal }: CallOptions = {}): Promise<BalanceState> { return this.#ask(service.balanceStatus, {}, signal) }
}

function named(node: unknown): void {
  if (typeof node !== 'string' || node === '') throw new GristmillError('EINVAL', `a datanode is named by its id, its address or its host, not by ${node === '' ? 'an empty text' : node === null ? 'null' : typeof node}`)
}
