// Faults of one disk, while the other disks of its machine work: changed bytes, failing or slow syncs, no space, read-only, only errors,
// or replacement by a new disk.

import type { Damage } from '../../kit/contract.ts'
import { bringUp, lasts, toRunning, type Deeds, type Draw, type Site } from './family.ts'

export type DiskFault =
  | { readonly kind: 'damage'; readonly node: string; readonly pick: number; readonly how: Damage | 'swap' }
  | { readonly kind: 'failSync'; readonly node: string; readonly disk?: number; readonly nth: number; readonly ms: number }
  /** Each sync takes `byMs` longer. */
  | { readonly kind: 'slowSync'; readonly node: string; readonly disk?: number; readonly byMs: number; readonly ms: number }
  | { readonly kind: 'fillDisk' | 'lockDisk' | 'breakDisk'; readonly node: string; readonly disk?: number; readonly ms: number }
  /** Node down for `ms`, while an empty disk replaces one of its disks. */
  | { readonly kind: 'newDisk'; readonly node: string; readonly disk: number; readonly ms: number }

type OneDisk<Kind extends string> = { readonly kind: Kind; readonly node: string; readonly disk?: number; readonly ms: number }
export type EachDiskFault =
  Exclude<DiskFault, { kind: 'fillDisk' | 'lockDisk' | 'breakDisk' }> | OneDisk<'fillDisk'> | OneDisk<'lockDisk'> | OneDisk<'breakDisk'>

const damages: readonly (Damage | 'swap')[] = ['flip', 'zero', 'truncate', 'lengthen', 'remove', 'unreadable', 'meta', 'swap']

/** A namenode has one disk, number 0. */
const diskOf = (node: string, disk: number): number => (node === 'namenode' ? 0 : disk)

export const diskDraws = {
  damage: (random, nodes) => ({
    kind: 'damage', node: nodes.datanode(), pick: random.below(1000), how: damages[random.below(damages.length)]!,
  }),
  failSync: (random, nodes) => {
    const node = nodes.any()
    return { kind: 'failSync', node, disk: diskOf(node, nodes.disk()), nth: 1 + random.below(6), ms: lasts(random, 500, 8_000) }
  },
  slowSync: (random, nodes) => {
    const node = nodes.any()
    return { kind: 'slowSync', node, disk: diskOf(node, nodes.disk()), byMs: lasts(random, 200, 6_000), ms: lasts(random, 1_000, 15_000) }
  },
  fillDisk: (random, nodes) => {
    const node = nodes.any()
    return { kind: 'fillDisk', node, disk: diskOf(node, nodes.disk()), ms: lasts(random, 500, 10_000) }
  },
  lockDisk: (random, nodes) => {
    const node = nodes.any()
    return { kind: 'lockDisk', node, disk: diskOf(node, nodes.disk()), ms: lasts(random, 500, 15_000) }
  },
  breakDisk: (random, nodes) => ({ kind: 'breakDisk', node: nodes.datanode(), disk: nodes.disk(), ms: lasts(random, 500, 30_000) }),
  newDisk: (random, nodes) => ({ kind: 'newDisk', node: nodes.datanode(), disk: nodes.disk(), ms: lasts(random, 100, 5_000) }),
} as const satisfies Record<string, Draw<EachDiskFault>>

export const diskHandlers: Deeds<EachDiskFault> = {
  damage: {
    async strike({ datanode, ledger }, { node, pick, how }) {
      const replicas = await datanode(node)!.replicas()
      const replica = replicas[pick % Math.max(1, replicas.length)]
      if (!replica || !await ledger.mayLose(replica)) return false
      if (how !== 'swap') {
        await replica.damage(how)
        return true
      }
      const other = replicas.find(each => each.block !== replica.block)
      if (!other || !await ledger.mayLose(other)) return false
      await replica.swap(other)
      return true
    },
  },
  failSync: {
    strike: (site, { node, nth, disk = 0 }) => toRunning(site, node, each => {
      site.lame.add(node)
      return each.failSync({ nth, disk })
    }),
    undo: mend,
  },
  slowSync: { strike: (site, { node, byMs, disk = 0 }) => toRunning(site, node, each => each.slowSync({ ms: byMs, disk })), undo: mend },
  fillDisk: { strike: (site, { node, disk = 0 }) => toRunning(site, node, each => each.fillDisk(disk)), undo: mend },
  lockDisk: { strike: (site, { node, disk = 0 }) => toRunning(site, node, each => each.lockDisk(disk)), undo: mend },
  breakDisk: {
    strike(site, { node, disk }) {
      const machine = site.simulated(node)
      if (!machine?.running) return false
      site.lame.add(node)
      machine.breakDisk(disk)
      return true
    },
    undo: mend,
  },
  newDisk: {
    async strike({ simulatedDatanode, ledger }, { node, disk }) {
      const machine = simulatedDatanode(node)
      if (!machine?.running || machine.mounts.length < 2) return false
      // Killed first: replicas written between the check and the wipe would be lost.
      await machine.kill()
      const may = await ledger.mayLoseDisk(machine, disk)
      if (may) machine.wipeDisk(disk)
      else void machine.start().catch(() => {})
      return may
    },
    undo: bringUp,
  },
}

/** Heals the disk. A datanode that gave its disk up uses it again only after a restart. */
async function mend(site: Site, action: { readonly node: string }): Promise<void> {
  const node = site.node(action.node)!
  await node.healDisks()
  if (node.running && node.role === 'datanode' && site.lame.delete(action.node)) await node.restart()
  else await bringUp(site, action)
}
