// Limits of the nemesis: it never takes the last good replica of a block, and never touches a block of which another replica is bad
// already, because the system may be deleting a good one at that moment. It reads the disks each time, because the cluster's own
// knowledge is under test.

import type { Cluster, DataNode, Replica } from '../kit/contract.ts'

export class Ledger {
  readonly #cluster: Cluster
  readonly #bounded: boolean
  /** `bounded: false`: last replicas may be destroyed as well. */
  constructor(cluster: Cluster, { bounded = true }: { bounded?: boolean } = {}) {
    this.#cluster = cluster
    this.#bounded = bounded
  }

  /** True if this replica may be damaged. */
  async mayLose(replica: Replica): Promise<boolean> {
    return this.#othersAreGood([replica], await this.#all())
  }

  /** True if all of this node's replicas may be destroyed. */
  async mayWipe(node: DataNode): Promise<boolean> {
    const all = await this.#all()
    return this.#othersAreGood(all.filter(replica => replica.node === node), all)
  }

  /** True if all replicas on one of its disks may be destroyed. */
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
