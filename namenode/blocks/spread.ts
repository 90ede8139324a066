// How evenly bytes lie on datanodes, and who should give to whom. Pure. A node's share is what its blocks use of what they
// could use; one that is more than the threshold above the average gives, one as far below takes, and the others help
// where only one side is out of balance.

import type { NodeId } from '../../src/base/ids.ts'

export interface Filled {
  readonly node: NodeId
  readonly usedBytes: number
  readonly freeBytes: number
}

export interface Spread<N extends Filled> {
  /** Shares of 1. */
  readonly average: number
  readonly lowest: number
  readonly highest: number
  /** Fullest first, and emptiest first. Both empty: balanced. */
  readonly givers: readonly N[]
  readonly takers: readonly N[]
}

export const shareOf = ({ usedBytes, freeBytes }: Filled): number => usedBytes / Math.max(1, usedBytes + freeBytes)

/** `threshold`: of 1. */
export function spreadOf<N extends Filled>(nodes: readonly N[], threshold: number): Spread<N> {
  if (nodes.length === 0) return { average: 0, lowest: 0, highest: 0, givers: [], takers: [] }
  const used = nodes.reduce((sum, node) => sum + node.usedBytes, 0)
  const all = nodes.reduce((sum, node) => sum + node.usedBytes + node.freeBytes, 0)
  const average = used / Math.max(1, all)
  const shares = nodes.map(node => ({ node, share: shareOf(node) })).sort((a, b) => a.share - b.share)
  const over = shares.filter(({ share }) => share > average + threshold)
  const below = shares.filter(({ share }) => share < average - threshold)
  const some = over.length > 0 || below.length > 0
  const givers = over.length > 0 ? over : some ? shares.filter(({ share }) => share > average) : []
  const takers = below.length > 0 ? below : some ? shares.filter(({ share }) => share < average) : []
  return {
    average, lowest: shares[0]!.share, highest: shares.at(-1)!.share,
    givers: givers.map(({ node }) => node).reverse(), takers: takers.map(({ node }) => node),
  }
}
