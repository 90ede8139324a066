// Causes the faults of a plan, as far as the ledger allows, ends each after its time, and heals everything at the end. A node has one
// fault at a time; a fault that is not possible is skipped and counted as such.

import type { Cluster, ClusterNode, DataNode, Party } from '../kit/contract.ts'
import type { SimDataNode, SimNode } from '../kit/sim/node.ts'
import type { Acks, Mark } from './acks.ts'
import type { Site } from './fault/family.ts'
import { handlerOf, victimOf, type Fault, type FaultAction } from './fault/index.ts'
import { runsCopy } from './fault/metadata.ts'
import { Ledger } from './ledger.ts'

/** Fewer than a task has attempts. */
const misbehavioursMax = 3

export class Nemesis implements Site {
  readonly cluster: Cluster
  readonly ledger: Ledger
  readonly acks: Acks
  readonly lame = new Set<string>()
  misbehaviours = misbehavioursMax
  restoring = false
  restored: Mark | undefined
  readonly apart = new Set<string>()
  readonly informed = new Set<string>()
  /** Fault of each affected node or pair. */
  readonly #busy = new Map<string, FaultAction>()
  readonly #running = new Set<Promise<void>>()
  #over = false
  /** Faults whose end failed when it was due. */
  readonly #unended: FaultAction[] = []
  /** All faults have been undone, and all nodes run. */
  healed = false
  /** Pending start of the namenode, which takes a while if it has to be rebuilt. */
  #namenodeReturns: Promise<unknown> = Promise.resolve()
  /** Pending end of a run of an old copy. */
  #copyEnds: Promise<unknown> = Promise.resolve()
  /** Number of faults that happened, by kind. */
  readonly done = new Map<string, number>()
  skipped = 0
  readonly problems: string[] = []

  constructor(cluster: Cluster, acks: Acks, options: { readonly bounded: boolean }) {
    this.cluster = cluster
    this.acks = acks
    this.ledger = new Ledger(cluster, options)
  }

  readonly node = (name: string): ClusterNode | undefined => (name === 'namenode' ? this.cluster.namenode : this.datanode(name))
  readonly datanode = (name: string): DataNode | undefined => this.cluster.datanodes.find(node => node.name === name)
  readonly party = (name: string): Party => (name === 'client' ? 'client' : this.node(name)!)
  readonly simulated = (name: string): SimNode | undefined =>
    this.cluster.mode === 'sim' ? (this.node(name) as SimNode | undefined) : undefined
  readonly simulatedDatanode = (name: string): SimDataNode | undefined =>
    this.cluster.mode === 'sim' ? (this.datanode(name) as SimDataNode | undefined) : undefined

  /** Resolves when the last fault has begun. */
  async run(faults: readonly Fault[]): Promise<void> {
    let now = 0
    for (const { atMs, action } of faults) {
      if (atMs > now) await this.cluster.advance(atMs - now)
      now = Math.max(now, atMs)
      if (this.#over) return
      await this.#begin(action)
    }
  }

  /** Ends all faults and starts all stopped nodes. Throws if a node cannot be started. */
  async heal(): Promise<void> {
    this.#over = true
    // While a copy of the namenode's directory runs in its place, clients are cut off from it: healing would let them read the copy.
    await this.#copyEnds
    const nodes = [this.cluster.namenode, ...this.cluster.datanodes]
    const calm = async (): Promise<void> => {
      this.cluster.heal()
      for (const node of nodes) node.resume()
      for (const node of nodes) await node.healDisks()
      await this.#namenodeReturns
      // Datanodes that are starting wait for it.
      if (!this.cluster.namenode.running) await this.cluster.namenode.start()
    }
    await calm()
    await Promise.allSettled(this.#running)
    // Faults with a duration are not undone by their timers once `#over` is set.
    for (const action of this.#busy.values()) await handlerOf(action).undo?.(this, action)
    await calm()
    // Another fault may have kept them from ending in time; now nothing does.
    for (const action of this.#unended) await this.#endAgain(action)
    await Promise.all(this.cluster.datanodes.map(async node => {
      if (!node.running) await node.start()
      else if (this.lame.has(node.name)) await node.restart()
    }))
    this.healed = true
  }

  async #endAgain(action: FaultAction): Promise<void> {
    try {
      await handlerOf(action).undo?.(this, action)
    } catch (error) {
      this.problems.push(`the fault ${JSON.stringify(action)} cannot be ended, though all else is healed: ${(error as Error).message}`)
    }
  }

  async #begin(action: FaultAction): Promise<void> {
    const victim = victimOf(action)
    if (this.#busy.has(victim) || this.informed.has(victim) || !await handlerOf(action).strike(this, action)) {
      this.skipped++
      return
    }
    const { kind } = action
    this.done.set(kind, (this.done.get(kind) ?? 0) + 1)
    if (!('ms' in action)) return
    this.#busy.set(victim, action)
    const ended: Promise<void> = this.cluster.advance(action.ms).then(async () => {
      if (this.#over) return
      const undoing = Promise.resolve(handlerOf(action).undo?.(this, action))
      if (action.node === 'namenode') this.#namenodeReturns = undoing.catch(() => {})
      if (runsCopy(kind)) this.#copyEnds = undoing.catch(() => {})
      await undoing
      this.#busy.delete(victim)
    }).catch((error: unknown) => {
      // Heal starts nodes that could not be started here; one that could not be rebuilt is lost.
      if (kind === 'restore') this.problems.push(`the namenode could not be brought back: ${(error as Error).message}`)
      else if (runsCopy(kind)) this.problems.push(`an old copy was obeyed: ${(error as Error).message}`)
      else this.#unended.push(action)
      this.#busy.delete(victim)
    }).finally(() => { this.#running.delete(ended) })
    this.#running.add(ended)
  }
}
