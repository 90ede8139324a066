// Measures how evenly datanodes are filled and decides which moves help. Pure. A node's share is used / (used + free) bytes. A node is out
// of balance if its share differs from the average by more than the threshold. A move must help such a node, must put neither node out of
// balance, and must leave the source at least as full as the target, so that no two moves undo each other.

import type { NodeId } from '../../src/base/ids.ts'

export interface Filled {
  readonly node: NodeId
  readonly usedBytes: number
  readonly freeBytes: number
}

/** Shares are fractions of 1. */
export interface Utilization<N extends Filled> {
  readonly threshold: number
  readonly average: number
  readonly lowest: number
  readonly highest: number
  /** Fullest first. */
  readonly nodes: readonly N[]
  readonly over: readonly N[]
  readonly below: readonly N[]
}

export const shareOf = ({ usedBytes, freeBytes }: Filled): number => usedBytes / Math.max(1, usedBytes + freeBytes)

export function utilizationOf<N extends Filled>(unsorted: readonly N[], threshold: number): Utilization<N> {
  const nodes = [...unsorted].sort((a, b) => shareOf(b) - shareOf(a))
  const used = nodes.reduce((sum, node) => sum + node.usedBytes, 0)
  const average = shareOf({ node: '' as NodeId, usedBytes: used, freeBytes: nodes.reduce((sum, node) => sum + node.freeBytes, 0) })
  return {
    threshold, average, nodes,
    highest: nodes.length > 0 ? shareOf(nodes[0]!) : 0,
    lowest: nodes.length > 0 ? shareOf(nodes.at(-1)!) : 0,
    over: nodes.filter(node => shareOf(node) > average + threshold),
    below: nodes.filter(node => shareOf(node) < average - threshold),
  }
}

export function helps({ average, threshold }: Utilization<Filled>, from: Filled, to: Filled, bytes: number): boolean {
  if (shareOf(from) <= average + threshold && shareOf(to) >= average - threshold) return false
  const left = shareOf({ ...from, usedBytes: from.usedBytes - bytes, freeBytes: from.freeBytes + bytes })
  const grown = shareOf({ ...to, usedBytes: to.usedBytes + bytes, freeBytes: to.freeBytes - bytes })
  return grown <= left && left >= average - threshold && grown <= average + threshold
}
