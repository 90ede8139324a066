// Levels of a cluster that the charts of the last hour show, out of its status. The page shows the present ones by the same sums. Pure.

import type { ClusterStatus } from '../../src/protocol/admin.ts'
import { clusterSpace } from '../../src/protocol/space.ts'

export interface Levels {
  readonly tasks: number
  /** Bytes of blocks and their checksums. */
  readonly usedBytes: number
  /** Blocks without a live replica, or with too few. */
  readonly unhealthy: number
}

export const levelsOf = ({ nodes, missing, underReplicated }: ClusterStatus): Levels => ({
  tasks: nodes.reduce((sum, { state, running }) => sum + (state === 'dead' ? 0 : running), 0),
  usedBytes: clusterSpace(nodes).usedBytes,
  unhealthy: missing + underReplicated,
})

/** Slots of the datanodes that get tasks, which are live and in service, and the tasks on them and on the others. */
export function slotsOf(nodes: ClusterStatus['nodes']): { readonly slots: number; readonly busy: number; readonly elsewhere: number } {
  let [slots, busy, elsewhere] = [0, 0, 0]
  for (const { state, service = 'in-service', slots: own, running } of nodes) {
    if (state === 'dead') continue
    if (state === 'live' && service === 'in-service') {
      slots += own
      busy += running
    } else {
      elsewhere += running
    }
  }
  return { slots, busy, elsewhere }
}
