// Interface of a family of faults: `Draw` draws one for a plan; a handler causes it (`strike`) and ends it (`undo`). A handler is
// independent of other faults: it checks whether it is possible now, and returns false if not.

import type { Random } from '../../../src/ports/random.ts'
import type { Cluster, ClusterNode, DataNode, Party } from '../../kit/contract.ts'
import type { SimDataNode, SimNode } from '../../kit/sim/node.ts'
import type { Acks, Mark } from '../acks.ts'
import type { Ledger } from '../ledger.ts'

/** Draws of a fault's target. */
export interface Nodes {
  any(): string
  datanode(): string
  pair(): [string, string]
  /** Number of one of a datanode's disks. */
  disk(): number
}

export type Draw<Action> = (random: Random, nodes: Nodes) => Action

/** Fault kinds that need only a node and a duration. */
export type Lasting<Kind extends string> = Kind extends string ? { readonly kind: Kind; readonly node: string; readonly ms: number } : never

/** State of the run that handlers act on. */
export interface Site {
  readonly cluster: Cluster
  readonly ledger: Ledger
  readonly acks: Acks
  readonly node: (name: string) => ClusterNode | undefined
  readonly datanode: (name: string) => DataNode | undefined
  readonly party: (name: string) => Party
  /** undefined for real processes: some faults are possible in a simulation only. */
  readonly simulated: (name: string) => SimNode | undefined
  readonly simulatedDatanode: (name: string) => SimDataNode | undefined
  /** Nodes with a disk that stays failed until their process restarts; `mend` and `heal` restart them. */
  readonly lame: Set<string>
  /** Number of misbehaving calls of users' functions that remain: fewer than a task has attempts, because more would rightly fail a job. */
  misbehaviours: number
  /** `restoring`: a backup was made, from which the namenode will be rebuilt. `restored`: it was. */
  restoring: boolean
  restored: Mark | undefined
  /** Pairs (`pairOf`) that are cut while a copy of the namenode's directory runs: no other fault heals them before it ends. */
  readonly apart: Set<string>
  /**
   * Datanodes that know more than the copy of the namenode's directory that runs now. No other fault strikes them meanwhile: a namenode
   * that they do not reach for `nodeDead` rightly takes itself for the latest.
   */
  readonly informed: Set<string>
}

export const pairOf = (a: string, b: string): string => [a, b].sort().join(' ')

export interface FaultHandler<Action> {
  /** Returns false if it is not possible now. */
  strike(site: Site, action: Action): boolean | Promise<boolean>
  undo?(site: Site, action: Action): void | Promise<void>
}

export type Deeds<Action extends { readonly kind: string }> = {
  readonly [Kind in Action['kind']]: FaultHandler<Extract<Action, { readonly kind: Kind }>>
}

export const lasts = (random: Random, least: number, most: number): number => least + random.below(most - least)

/** Runs `work` on a node; returns false if the node does not run. */
export function toRunning(site: Site, name: string, work: (node: ClusterNode) => unknown): boolean | Promise<boolean> {
  const node = site.node(name)
  if (!node?.running) return false
  return Promise.resolve(work(node)).then(() => true)
}

export async function bringUp(site: Site, { node: name }: { readonly node: string }): Promise<void> {
  const node = site.node(name)
  if (node && !node.running) await node.start()
}
