// The namenode's disk is lost, and its state brought back from a backup that was made a while before: what was acknowledged since is
// honestly gone, and nothing else.

import type { SimNameNode } from '../../kit/sim/node.ts'
import type { Mark } from '../acks.ts'
import { lasts, type Deeds, type Draw } from './family.ts'

/** A backup is made now; after `ms` the disk is lost, and the namenode is rebuilt from the backup. */
export type MetadataFault = { readonly kind: 'restore'; readonly node: 'namenode'; readonly ms: number }

export const metadataDraws = {
  restore: random => ({ kind: 'restore', node: 'namenode', ms: lasts(random, 100, 15_000) }),
} as const satisfies Record<string, Draw<MetadataFault>>

/** On another disk than the namenode's own. */
const backups = '/backups'
const backupMs = 15_000

const marks = new WeakMap<MetadataFault, Mark>()

export const metadataDeeds: Deeds<MetadataFault> = {
  restore: {
    async strike(site, action) {
      const { cluster, acks } = site
      // Two namenodes that were rebuilt from the same backup would speak for the same epoch.
      if (!site.simulated('namenode')?.running || acks.restored || site.restoring) return false
      const mark = acks.mark()
      const patience = new AbortController()
      void cluster.advance(backupMs).then(() => patience.abort())
      try {
        await cluster.mill.backup(backups, { signal: patience.signal })
      } catch {
        return false // the namenode has another fault, and no backup
      }
      acks.markEnds(mark)
      marks.set(action, mark)
      site.restoring = true
      return true
    },
    async undo(site, action) {
      const namenode = site.simulated('namenode') as SimNameNode
      const mark = marks.get(action)!
      await namenode.healDisks()
      await namenode.loseDisk()
      const { outcome } = await namenode.recover({ backup: backups })
      if (outcome !== 'recovered') throw new Error(`a lost namenode was not rebuilt: ${outcome}`)
      site.acks.restore(mark)
      site.restored = mark
      await namenode.start()
    },
  },
}
