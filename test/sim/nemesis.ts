// Carries out the faults of a plan, as far as the ledger allows, ends each after its time, and in the end makes everything whole.
// A node suffers one fault of its process at a time; what a fault cannot be done to now is left out, and counted as such.

import type { Cluster, ClusterNode, DataNode, Party } from '../kit/contract.ts'
import { Ledger } from './ledger.ts'
import type { Fault, FaultAction } from './plan.ts'

export class Nemesis {
  readonly #cluster: Cluster
  readonly #ledger: Ledger
  readonly #busy = new Set<string>()
  readonly #running = new Set<Promise<void>>()
  #over = false
  /** Faults that happened, by kind. */
  readonly done = new Map<string, number>()
  skipped = 0

  constructor(cluster: Cluster) {
    this.#cluster = cluster
    this.#ledger = new Ledger(cluster)
  }

  /** Resolves when the last fault has begun. */
  async run(faults: readonly Fault[]): Promise<void> {
    let now = 0
    for (const { atMs, action } of faults) {
      if (atMs > now) await this.#cluster.advance(atMs - now)
      now = Math.max(now, atMs)
      if (this.#over) return
      await this.#begin(action)
    }
  }

  /** Ends everything that lasts, and starts whatever does not run. Throws if a node cannot be started. */
  async heal(): Promise<void> {
    this.#over = true
    this.#cluster.heal()
    const nodes = [this.#cluster.namenode, ...this.#cluster.datanodes]
    for (const node of nodes) node.resume()
    for (const node of nodes) await node.healDisks()
    // Datanodes that are about to start wait for it.
    if (!this.#cluster.namenode.running) await this.#cluster.namenode.start()
    await Promise.allSettled(this.#running)
    this.#cluster.heal()
    for (const node of nodes) {
      node.resume()
      await node.healDisks()
    }
    if (!this.#cluster.namenode.running) await this.#cluster.namenode.start()
    await Promise.all(this.#cluster.datanodes.map(async node => { if (!node.running) await node.start() }))
  }

  async #begin(action: FaultAction): Promise<void> {
    const key = 'other' in action ? [action.node, action.other].sort().join('+') : action.node
    if (this.#busy.has(key) || !await this.#strike(action)) {
      this.skipped++
      return
    }
    this.done.set(action.kind, (this.done.get(action.kind) ?? 0) + 1)
    if (!('ms' in action)) return
    this.#busy.add(key)
    const ended: Promise<void> = this.#cluster.advance(action.ms).then(() => (this.#over ? undefined : this.#undo(action))).catch(() => {
      // A node that could not be started now is started when all is healed.
    }).finally(() => {
      this.#busy.delete(key)
      this.#running.delete(ended)
    })
    this.#running.add(ended)
  }

  /** false: not now. */
  async #strike(action: FaultAction): Promise<boolean> {
    const node = this.#node(action.node)
    switch (action.kind) {
      case 'cut':
        this.#cluster.cut(this.#party(action.node), this.#party(action.other), { oneWay: action.oneWay })
        return true
      case 'spoil':
        this.#cluster.spoil(this.#party(action.node), this.#party(action.other), action.how)
        return true
      case 'damage': return this.#damage(node as DataNode, action)
      default:
    }
    if (!node?.running) return false
    switch (action.kind) {
      case 'kill': return node.kill().then(() => true)
      case 'stop': return node.stop().then(() => true)
      case 'powerCut': return node.powerCut().then(() => true)
      case 'pause':
        node.pause()
        return true
      case 'fillDisk': return node.fillDisk().then(() => true)
      case 'failSync': return node.failSync({ nth: action.nth }).then(() => true)
      case 'failpoint': return node.failpoint(action.point, action.action, action.nth).then(() => true)
      case 'wipe': {
        // Down first: what it is given between the look and the deed would be lost.
        await node.kill()
        const may = await this.#ledger.mayWipe(node as DataNode)
        if (may) await (node as DataNode).wipe()
        else void node.start().catch(() => {})
        return may
      }
    }
  }

  async #damage(node: DataNode, { pick, how }: Extract<FaultAction, { kind: 'damage' }>): Promise<boolean> {
    const replicas = await node.replicas()
    const replica = replicas[pick % Math.max(1, replicas.length)]
    if (!replica || !await this.#ledger.mayLose(replica)) return false
    if (how !== 'swap') {
      await replica.damage(how)
      return true
    }
    const other = replicas.find(each => each.block !== replica.block)
    if (!other || !await this.#ledger.mayLose(other)) return false
    await replica.swap(other)
    return true
  }

  async #undo(action: FaultAction): Promise<void> {
    const node = this.#node(action.node)
    switch (action.kind) {
      case 'cut':
      case 'spoil': return this.#cluster.heal(this.#party(action.node), this.#party(action.other))
      case 'pause': return node!.resume()
      case 'fillDisk':
      case 'failSync':
        await node!.healDisks()
        break
      default:
    }
    if (!node!.running) await node!.start()
  }

  #node(name: string): ClusterNode | undefined {
    return name === 'namenode' ? this.#cluster.namenode : this.#cluster.datanodes.find(node => node.name === name)
  }

  #party(name: string): Party { return name === 'client' ? 'client' : this.#node(name)! }
}
