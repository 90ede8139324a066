// Space of datanodes together. Directories on one filesystem of a host, of one datanode or of several, share its space, which is counted
// once. Pure.

import type { NodeStatus } from './admin.ts'
import type { StorageState } from './heartbeat.ts'

interface Space {
  readonly capacityBytes: number
  /** Bytes of blocks and their checksums. */
  readonly usedBytes: number
  readonly freeBytes: number
}

/** Failed directories do not count. A directory whose filesystem is not known counts as a disk of its own. */
export function spaceOf(nodes: ReadonlyArray<Pick<NodeStatus, 'host' | 'storages'>>): Space {
  const disks = new Map<string, Pick<Space, 'capacityBytes' | 'freeBytes'>>()
  let usedBytes = 0
  for (const { host, storages } of nodes) {
    for (const storage of storages) {
      if (storage.failed) continue
      usedBytes += storage.usedBytes
      const disk = diskOf(host, storage)
      const other = disks.get(disk)
      disks.set(disk, {
        capacityBytes: Math.max(storage.capacityBytes, other?.capacityBytes ?? 0),
        // Each directory reports what is free at its last measurement, without what it has reserved.
        freeBytes: Math.max(storage.freeBytes, other?.freeBytes ?? 0),
      })
    }
  }
  const sum = (of: 'capacityBytes' | 'freeBytes'): number => [...disks.values()].reduce((total, disk) => total + disk[of], 0)
  return { capacityBytes: sum('capacityBytes'), usedBytes, freeBytes: sum('freeBytes') }
}

/** Space of a cluster: that of the datanodes that are not dead, whose last reports are known. */
export const clusterSpace = (nodes: readonly NodeStatus[]): Space => spaceOf(nodes.filter(({ state }) => state !== 'dead'))

const diskOf = (host: string, { id, filesystem }: StorageState): string =>
  (filesystem === undefined ? `directory ${id}` : `filesystem ${filesystem} of ${host}`)
