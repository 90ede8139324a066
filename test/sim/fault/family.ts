// What a family of faults is made of: how each is drawn for a plan, how it is done to a cluster, and how it ends. A deed stands by
// itself, whatever else goes on: it looks whether it can be done now, and says so.

import type { Random } from '../../../src/ports/random.ts'
import type { Cluster, ClusterNode, DataNode, Party } from '../../kit/contract.ts'
import type { SimDataNode, SimNode } from '../../kit/sim/node.ts'
import type { Acks, Mark } from '../acks.ts'
import type { Ledger } from '../ledger.ts'

/** Whom it may hit. */
export interface Nodes {
  any(): string
  datanode(): string
  pair(): [string, string]
  /** One of a datanode's. */
  disk(): number
}

export type Draw<Action> = (random: Random, nodes: Nodes) => Action

/** A kind that is nothing but a node and a time. */
export type Lasting<Kind extends string> = Kind extends string ? { readonly kind: Kind; readonly node: string; readonly ms: number } : never

/** Where it happens. */
export interface Site {
  readonly cluster: Cluster
  readonly ledger: Ledger
  readonly acks: Acks
  readonly node: (name: string) => ClusterNode | undefined
  readonly datanode: (name: string) => DataNode | undefined
  readonly party: (name: string) => Party
  /** undefined where the cluster is made of real processes: some things can be done to simulated ones only. */
  readonly simulated: (name: string) => SimNode | undefined
  readonly simulatedDatanode: (name: string) => SimDataNode | undefined
  /** Nodes of which a disk has failed for as long as their process lives: it has to begin anew in the end. */
  readonly lame: Set<string>
  /** How often users' functions may still misbehave: fewer times than a task has attempts, or its job fails, and is right to. */
  misbehaviours: number
  /** A backup has been made from which the namenode will be rebuilt; and it has been. */
  restoring: boolean
  restored: Mark | undefined
}

export interface Deed<Action> {
  /** false: not now. */
  strike(site: Site, action: Action): boolean | Promise<boolean>
  undo?(site: Site, action: Action): void | Promise<void>
}

export type Deeds<Action extends { readonly kind: string }> = {
  readonly [Kind in Action['kind']]: Deed<Extract<Action, { readonly kind: Kind }>>
}

export const lasts = (random: Random, least: number, most: number): number => least + random.below(most - least)

/** Does something to a node that runs. */
export function toRunning(site: Site, name: string, work: (node: ClusterNode) => unknown): boolean | Promise<boolean> {
  const node = site.node(name)
  if (!node?.running) return false
  return Promise.resolve(work(node)).then(() => true)
}

export async function bringUp(site: Site, { node: name }: { readonly node: string }): Promise<void> {
  const node = site.node(name)
  if (node && !node.running) await node.start()
}
