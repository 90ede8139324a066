// `mill.nodes`: operations of an operator on datanodes: decommission, maintenance, forgetting, balance. A node is named by its id, its
// address, or its host if that runs only one datanode.

import { GristmillError } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import { MiB } from '../../src/base/units.ts'
import type { NodeStatus } from '../../src/protocol/admin.ts'
import * as service from '../../src/protocol/service.ts'
import type { BalanceState } from '../../src/protocol/service.ts'
import { callOptions, flagsOf, optionsOf, shown, textOf, type CallOptions } from '../call/arguments.ts'
import { perform } from '../call/perform.ts'
import type { CallMessage } from '../call/cluster.ts'
import { checkInteger } from '../call/integers.ts'

interface BalanceOptions extends CallOptions {
  /** Percentage points by which a node's usage may differ from the average; default: 10. */
  readonly threshold?: number | undefined
  /** Average bytes per second that one node sends, and receives; default: 50 MiB. */
  readonly bytesPerSecond?: number | undefined
}

interface MaintenanceOptions extends CallOptions {
  /** Duration of the maintenance, in milliseconds. */
  readonly forMs: number
}

interface ForgetOptions extends CallOptions {
  /** Also while blocks have no replica that may be on it. */
  readonly force?: boolean | undefined
}

const balanceDefaults = { threshold: 10, bytesPerSecond: 50 * MiB } as const

export class Nodes {
  readonly #ask: CallMessage

  constructor(ask: CallMessage) { this.#ask = ask }

  /**
   * Returns at once; the node is `decommissioned` once its blocks have been copied elsewhere. Throws ENOENT, EACCES, EINVAL,
   * SAFE_MODE.
   */
  decommission(node: string, options?: CallOptions | null): Promise<NodeStatus> {
    return perform('decommission', undefined, callOptions('decommission', options), async ({ signal }) =>
      this.#ask(service.decommission, { node: nodeOf(node) }, signal),
    )
  }

  /** Puts a node back into service from any state. Throws ENOENT, EACCES. */
  recommission(node: string, options?: CallOptions | null): Promise<NodeStatus> {
    return perform('recommission', undefined, callOptions('recommission', options), async ({ signal }) =>
      this.#ask(service.recommission, { node: nodeOf(node) }, signal),
    )
  }

  /** For this time the node may be away without its blocks being copied. Throws ENOENT, EACCES, EINVAL. */
  maintenance(node: string, options: MaintenanceOptions): Promise<NodeStatus> {
    return perform(
      'maintenance', undefined,
      () => optionsOf<MaintenanceOptions>(options, 'maintenance', { forMs: true, signal: true }),
      async ({ forMs, signal }) => {
        checkInteger('time of a maintenance in milliseconds', forMs ?? Number.NaN, 1000, limits.maintenanceMsMax)
        return this.#ask(service.maintenance, { node: nodeOf(node), forMs: forMs! }, signal)
      },
    )
  }

  /**
   * Removes a dead datanode from the list, with its service state. If it is started again, it joins in service. Throws ENOENT, EACCES, and
   * EINVAL for one that is not dead, for the last one, and without `force` while blocks have no replica.
   */
  async forget(node: string, options?: ForgetOptions | null): Promise<void> {
    const read = (): ForgetOptions => {
      const given = optionsOf<ForgetOptions>(options, 'forget', { force: true, signal: true })
      flagsOf(given, 'force')
      return given
    }
    await perform('forget', undefined, read, async ({ force, signal }) =>
      this.#ask(service.forget, { node: nodeOf(node), ...force && { force } }, signal))
  }

  /** Starts moving blocks from full nodes to empty ones; ends by itself. Throws EINVAL, EACCES. */
  balance(options?: BalanceOptions | null): Promise<BalanceState> {
    const read = () => optionsOf<BalanceOptions>(options, 'balance', { threshold: true, bytesPerSecond: true, signal: true })
    return perform(
      'balance', undefined, read,
      async ({ threshold = balanceDefaults.threshold, bytesPerSecond = balanceDefaults.bytesPerSecond, signal }) => {
        if (!(typeof threshold === 'number' && threshold >= 0 && threshold <= 100))
          throw new GristmillError(
            'EINVAL',
            `the threshold is ${typeof threshold === 'number' ? threshold : shown(threshold)}; it must be a number of percent from 0 to 100`,
          )
        checkInteger('number of bytes a second', bytesPerSecond ?? Number.NaN, 1)
        return this.#ask(service.balance, { threshold, bytesPerSecond }, signal)
      },
    )
  }

  stopBalance(options?: CallOptions | null): Promise<BalanceState> {
    return perform('balance', undefined, callOptions('stopBalance', options), async ({ signal }) =>
      this.#ask(service.stopBalance, {}, signal),
    )
  }

  balanceStatus(options?: CallOptions | null): Promise<BalanceState> {
    return perform('balance', undefined, callOptions('balanceStatus', options), async ({ signal }) =>
      this.#ask(service.balanceStatus, {}, signal),
    )
  }
}

function nodeOf(node: unknown): string {
  if (typeof node !== 'string' || node === '')
    throw new GristmillError(
      'EINVAL',
      `a datanode is named by its id, its address or its host, not by ${node === '' ? 'an empty text' : shown(node)}`,
    )
  return textOf(node, 'name of the datanode', { max: 300 })
}
