// Datanodes that hold the blocks of a file, and how each block stands. Pure.

import type { ClusterStatus, NodeStatus } from '../../../src/protocol/admin.ts'
import type { LocatedBlock } from '../../../src/protocol/namespace.ts'

type Placed = Pick<LocatedBlock, 'length'> & { readonly nodes: readonly Pick<LocatedBlock['nodes'][number], 'node' | 'address'>[] }

export interface Holder {
  readonly node: string
  readonly address: string
  /** Places of its blocks in the file, ascending. */
  readonly blocks: readonly number[]
}

type Replicas = Pick<ClusterStatus, 'missing' | 'underReplicated' | 'overReplicated'> & {
  readonly nodes: readonly Pick<NodeStatus, 'node' | 'state'>[]
}

/** Differs when replicas may have come or gone: nodes have, or the number of blocks that lack some. */
export const replicasKey = ({ nodes, missing, underReplicated, overReplicated }: Replicas): string =>
  JSON.stringify([nodes.map(({ node, state }) => [node, state]), missing, underReplicated, overReplicated])

/** In the order of their addresses. */
export function holdersOf(blocks: readonly Placed[]): readonly Holder[] {
  const found = new Map<string, { node: string; address: string; blocks: number[] }>()
  blocks.forEach(({ nodes }, i) => {
    for (const { node, address } of nodes) {
      const holder = found.get(node)
      if (holder) holder.blocks.push(i)
      else found.set(node, { node, address, blocks: [i] })
    }
  })
  return [...found.values()].sort((a, b) => a.address.localeCompare(b.address, 'en', { numeric: true }))
}

/** `target`: replicas that the file asks for. */
export const standOf = ({ nodes }: Placed, target: number): 'good' | 'warn' | 'bad' =>
  (nodes.length === 0 ? 'bad' : nodes.length < target ? 'warn' : 'good')

/** The block at a part of the file, 0 to 1. */
export function blockAt(blocks: readonly Placed[], part: number): number {
  let left = part * blocks.reduce((sum, { length }) => sum + length, 0)
  const found = blocks.findIndex(({ length }) => (left -= length) < 0)
  return found < 0 ? blocks.length - 1 : found
}
