// Client that acts as an operator of a cluster in use: snapshots, restores from trash, quotas, decommissioning, maintenance and balancing.
// The model gives the expected content of a snapshot: all states that its directory may have had while it was taken.

import type { Mill } from 'gristmill'
import { absent, type State } from './acks.ts'
import { change, codeOf, isOneOf, notNow, type ClientParts } from './change.ts'
import type { Action } from './plan.ts'

export type CareAction = Extract<
  Action,
  { readonly kind: 'snapshot' | 'unsnapshot' | 'restore' | 'quota' | 'drain' | 'maintain' | 'balance' }
>

const triesMax = 20
const againMs = 2_000

export class Care {
  readonly #parts: ClientParts
  constructor(parts: ClientParts) { this.#parts = parts }

  async act(action: CareAction): Promise<void> {
    const { mill, cluster } = this.#parts
    switch (action.kind) {
      case 'snapshot': return this.#snapshot(action.path, action.name)
      case 'unsnapshot': return this.#unsnapshot(action.path, action.name)
      case 'restore': return this.#restore(action.path)
      case 'quota': return this.#quota(action.path, action.names)
      case 'balance':
        await this.#ask('balance', '', () => mill.nodes.balance({ threshold: 1 }))
        await cluster.advance(action.ms)
        return this.#ask('stop to balance', '', () => mill.nodes.stopBalance())
      case 'drain':
      case 'maintain': {
        const node = cluster.datanodes.find(each => each.name === action.path)
        if (!node) return
        await this.#ask(action.kind, action.path, () =>
          action.kind === 'drain'
            ? mill.nodes.decommission(node.id)
            : mill.nodes.maintenance(node.id, { forMs: Math.max(1_000, action.ms) }),
        )
        await cluster.advance(action.ms)
        return this.#ask('recommission', action.path, () => mill.nodes.recommission(node.id))
      }
    }
  }

  /** Afterwards each path below the snapshot has one of the states that it may have had in the directory during the call. */
  async #snapshot(path: string, name: string): Promise<void> {
    const { acks, mill, findings } = this.#parts
    const below = (): string[] => acks.paths.filter(each => each.startsWith(`${path}/`) && !each.includes('/.snapshot/'))
    const seen = new Map(below().map(each => [each, acks.observe(each)]))
    const top = `${path}/.snapshot/${name}`
    const ended = await change({ acks, findings, changes: new Map(), call: () => mill.snapshots.create(path, name), may: ['ENOENT'] })
    const states = new Map(
      below().map(each => [`${top}${each.slice(path.length)}`, seen.get(each)?.() ?? [absent, ...acks.possible(each)]]),
    )
    for (const stop of seen.values()) stop()
    if (ended === 'acknowledged') acks.derive(states)
  }

  /** Paths below the removed snapshot are no longer compared. */
  async #unsnapshot(path: string, name: string): Promise<void> {
    const { acks, mill, findings } = this.#parts
    const top = `${path}/.snapshot/${name}/`
    const inside = acks.paths.filter(each => each.startsWith(top))
    if (inside.length === 0) return
    const ended = await change({ acks, findings, changes: new Map(), call: () => mill.snapshots.rm(path, name) })
    if (ended === 'acknowledged') acks.derive(new Map(inside.map(each => [each, [absent]])))
    else if (ended === 'unknown') acks.forget(inside)
  }

  /** State of the path before its last removal, if that is certain. */
  async #restore(path: string): Promise<void> {
    const { acks, mill, findings } = this.#parts
    const state = acks.removed(path)
    if (!state || acks.certain(path)?.kind !== 'absent') return
    await change({ acks, findings, changes: new Map<string, State>([[path, state]]), call: () => mill.trash.restore(path) })
  }

  async #quota(path: string, names: number): Promise<void> {
    const { acks, mill, findings } = this.#parts
    acks.bound(path)
    await change({ acks, findings, changes: new Map(), call: () => mill.quotas.set(path, { names }), may: ['ENOENT'] })
  }

  /**
   * Retries until there is a reply. A repeated request has its effect once. One that is refused again and again in a healed cluster is a
   * finding; during faults it is repeated as long as they last.
   */
  async #ask(what: string, name: string, call: () => Promise<unknown>): Promise<void> {
    const { cluster, findings, healed } = this.#parts
    for (let tries = 0, calm = 0; ; tries++) {
      try {
        await call()
        return
      } catch (error) {
        const code = codeOf(error)
        // EINVAL is right when too few other nodes remain, or the node is lost or being decommissioned.
        if (code === 'EINVAL' && isOneOf(['drain', 'maintain', 'balance'], what)) return
        if (!isOneOf(notNow, code)) return findings.add(`${what} ${name}: refused with ${code}: ${(error as Error).message}`)
        if (healed() && ++calm >= triesMax)
          return findings.add(
            `${what} ${name}: refused ${tries + 1} times, also ${calm} times after all was healed, with ${code}: ` +
            `${(error as Error).message}`,
          )
        await cluster.advance(againMs)
      }
    }
  }
}

/** Checks quotas of a cluster at rest: the counts equal the sums over the namespace, and no usage grew past an existing bound. */
export async function checkQuotas(mill: Mill, advance: (ms: number) => Promise<void>, add: (finding: string) => void): Promise<void> {
  for await (const { path } of mill.quotas.list()) {
    let quota = await mill.quotas.get(path)
    for (let tries = 0; quota?.counting && tries < triesMax; tries++) {
      await advance(againMs)
      quota = await mill.quotas.get(path)
    }
    if (!quota || quota.counting) {
      add(`the quota of ${path} is still being counted`)
      continue
    }
    const { names, bytes } = await amounts(mill, path)
    if (names !== quota.used.names || bytes !== quota.used.bytes)
      add(`the quota of ${path} counts ${quota.used.names} names and ${quota.used.bytes} bytes; there are ${names} and ${bytes}`)
  }
}

async function amounts(mill: Mill, path: string): Promise<{ names: number; bytes: number }> {
  const sum = { names: 0, bytes: 0 }
  for await (const status of mill.list(path)) {
    const below = status.type === 'directory' ? await amounts(mill, status.path) : { names: 0, bytes: status.length * status.replication }
    sum.names += 1 + below.names
    sum.bytes += below.bytes
  }
  return sum
}
