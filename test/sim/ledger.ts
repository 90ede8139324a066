// What the nemesis may not do: it never takes the last good copy of a block, and never touches a block of which another copy
// is bad already, for the system may be removing a good one at that very moment, in good faith. Looked up on the disks
// themselves each time: what the cluster believes is what is being tested.

import type { Cluster, DataNode, Replica } from '../kit/contract.ts'

export class Ledger {
  readonly #cluster: Cluster
  readonly #bounded: boolean
  /** Not `bounded`: last copies may go as well. */
  constructor(cluster: Cluster, { bounded = true }: { bounded?: boolean } = {}) {
    this.#cluster = cluster
    this.#bounded = bounded
  }

  /** May this one copy go bad? */
  async mayLose(replica: Replica): Promise<boolean> {
    return this.#othersAreGood([replica], await this.#all())
  }

  /** May all of this node's copies go? */
  async mayWipe(node: DataNode): Promise<boolean> {
    const all = await this.#all()
    return this.#othersAreGood(all.filter(replica => replica.node === node), all)
  }

  /** May all copies on one of its disks go? */
  async mayLoseDisk(node: DataNode, disk: number): Promise<boolean> {
    const all = await this.#all()
    return this.#othersAreGood(all.filter(replica => replica.node === node && replica.disk === disk), all)
  }

  async #othersAreGood(going: readonly Replica[], all: readonly Replica[]): Promise<boolean> {
    if (!this.#bounded) return true
    for (const { block, node } of going) {
      const others = all.filter(other => other.block === block && other.node !== node)
      if (others.length === 0) return false
      for (const other of others) if (!await other.sound()) return false
    }
    return true
  }

  async #all(): Promise<Replica[]> {
    return (await Promise.all(this.#cluster.datanodes.map(node => node.replicas()))).flat()
  }
}
