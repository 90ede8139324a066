// Work of the cluster that goes on by itself: repair, deletions, balance, decommission and maintenance, out of its status. Pure.

import type { ClusterStatus, NodeStatus } from '../../../src/protocol/admin.ts'
import { formatBytes, formatCount, plural } from './format.ts'

interface Work {
  readonly title: string
  readonly text: string
  readonly url: string
  /** Missing where the end is not known. */
  readonly done?: { readonly part: number; readonly whole: number } | undefined
}

/** Copies under way that are no moves of the balancer. */
export const repairsOf = ({ pendingReplications, pendingMoves = 0 }: Pick<ClusterStatus, 'pendingReplications' | 'pendingMoves'>): number =>
  pendingReplications - pendingMoves

export function underWay(status: ClusterStatus): readonly Work[] {
  const { pendingDeletions: deletions, underReplicated, balancing } = status
  const copies = repairsOf(status)
  const work: Work[] = []
  if (copies > 0) {
    const text = `${plural(copies, 'copy', 'copies')} under way; ${plural(underReplicated, 'block lacks', 'blocks lack')} replicas`
    work.push({ title: 'Repair', text, url: '/nodes' })
  }
  if (deletions > 0) work.push({ title: 'Deletion', text: `${plural(deletions, 'replica')} to be deleted`, url: '/nodes' })
  if (balancing) {
    const { moves, movedBytes, pending } = balancing
    const text = `${plural(moves, 'block')} moved (${formatBytes(movedBytes)}), ${formatCount(pending)} on the way`
    work.push({ title: 'Balance', text, url: '/nodes' })
  }
  return [...work, ...status.nodes.flatMap(ofNode)]
}

function ofNode({ node, address, service, held }: NodeStatus): Work[] {
  const url = `/nodes/${node}`
  if (service === 'maintenance') return [{ title: 'Maintenance', text: `${address} may be away`, url }]
  if (service !== 'decommissioning') return []
  if (!held) return [{ title: 'Decommission', text: `${address} begins`, url }]
  const { blocks, remaining, short = 0 } = held
  const waits = short > 0 ? `; ${plural(short, 'block')} cannot be copied: there are too few datanodes` : ''
  const text = `${address}: ${plural(remaining, 'block')} of ${formatCount(blocks)} still to be copied elsewhere${waits}`
  return [{ title: 'Decommission', text, url, done: { part: blocks - remaining, whole: blocks } }]
}
