// What operators do to a namenode's directory. Its disk is lost, and the state brought back from a backup that was made a while
// before: what was acknowledged since is honestly gone, and nothing else. Or a copy of the directory that was made a while before is
// started by mistake, without a recovery, and nothing at all may come of it: neither when all datanodes that know better reach it, nor
// when the first one to come was switched off before the copy was made.

import type { SimCluster } from '../../kit/sim/cluster.ts'
import type { DiskCopy, SimDataNode, SimNameNode } from '../../kit/sim/node.ts'
import type { Mark } from '../acks.ts'
import { bringUp, lasts, type Deeds, type Draw, type Site } from './family.ts'

/** A backup is made now; after `ms` the disk is lost, and the namenode is rebuilt from the backup. */
export type MetadataFault = { readonly kind: 'restore'; readonly node: 'namenode'; readonly ms: number }
  /** The directory is copied now; after `ms` the copy is started in its place for a while, and then the true one again. */
  | { readonly kind: 'oldCopy'; readonly node: 'namenode'; readonly ms: number }
  /**
   * A datanode is switched off and the directory copied now; after `ms` the copy is started and that datanode too, which is alone with it
   * for a while.
   */
  | { readonly kind: 'leftEarly'; readonly node: 'namenode'; readonly datanode: string; readonly ms: number }

export const metadataDraws = {
  restore: random => ({ kind: 'restore', node: 'namenode', ms: lasts(random, 100, 15_000) }),
  oldCopy: random => ({ kind: 'oldCopy', node: 'namenode', ms: lasts(random, 500, 10_000) }),
  leftEarly: (random, { datanode }) => ({ kind: 'leftEarly', node: 'namenode', datanode: datanode(), ms: lasts(random, 1_500, 10_000) }),
} as const satisfies Record<string, Draw<MetadataFault>>

/** On another disk than the namenode's own. */
const backups = '/backups'
const backupMs = 15_000

/** Longer than datanodes take to register, and to report. */
const copyMs = 10_000
/** What the copy may have for each write before it is given up. */
const strayMs = 5_000
/** For which a datanode is alone with the copy: it registers meanwhile, and nobody else would be dead. */
const aloneMs = 3_000

const marks = new WeakMap<MetadataFault, Mark>()
const copies = new WeakMap<MetadataFault, DiskCopy>()

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
  oldCopy: {
    strike(site, action) {
      const namenode = site.simulated('namenode') as SimNameNode | undefined
      if (!namenode?.running || site.restoring) return false
      copies.set(action, namenode.copyDisk())
      return true
    },
    async undo(site, action) {
      const cluster = site.cluster as SimCluster
      const copy = copies.get(action)!
      // If no datanode has heard of anything since, nobody can tell the two apart, and the copy is as good as the other.
      const able = cluster.datanodes.filter(node => node.running && !node.paused)
      if (able.length < 2 || !able.every(node => (node as SimDataNode).seenSeq > copy.seq)) return
      const taken = await inItsPlace(site, copy, () => strayWrites(site, copyMs))
      if (taken > 0) throw new Error(`an old copy of the namenode's directory has taken ${taken} files`)
    },
  },
  leftEarly: {
    async strike(site, action) {
      const namenode = site.simulated('namenode') as SimNameNode | undefined
      const left = site.simulatedDatanode(action.datanode)
      if (!namenode?.running || site.restoring || !left?.running || left.paused) return false
      await left.stop()
      if (!namenode.running) return false
      copies.set(action, namenode.copyDisk())
      return true
    },
    async undo(site, action) {
      const cluster = site.cluster as SimCluster
      const copy = copies.get(action)!
      const left = site.simulatedDatanode(action.datanode)!
      const others = cluster.datanodes.filter(node => node !== left && node.running && !node.paused) as SimDataNode[]
      if (left.running || others.length < 2 || !others.every(node => node.seenSeq > copy.seq))
        return bringUp(site, { node: action.datanode }).catch(() => {})
      const taken = await inItsPlace(site, copy, async () => {
        for (const each of others) cluster.cut(each, cluster.namenode)
        // Another fault may end it again.
        await Promise.race([bringUp(site, { node: action.datanode }).catch(() => {}), cluster.advance(aloneMs)])
        const early = await strayWrites(site, 0, aloneMs)
        for (const each of others) cluster.heal(each, cluster.namenode)
        return early + await strayWrites(site, copyMs)
      })
      if (taken > 0)
        throw new Error(`an old copy of the namenode's directory has taken ${taken} files of a datanode that had been switched off before`)
    },
  },
}

/** Starts the copy where the namenode is, and after `work` the true one again. */
async function inItsPlace<T>({ cluster }: Site, copy: DiskCopy, work: () => Promise<T>): Promise<T> {
  const namenode = cluster.namenode as SimNameNode
  await namenode.kill()
  const present = namenode.copyDisk()
  namenode.useDisk(copy)
  // What the copy tells clients is another matter: it does not know better before it has heard a datanode.
  cluster.cut(namenode, 'client')
  await namenode.start()
  try {
    return await work()
  } finally {
    await namenode.kill()
    namenode.useDisk(present)
    cluster.heal(namenode, 'client')
    await namenode.start()
  }
}

/** Somebody writes to the copy. How many files it has taken. */
async function strayWrites({ cluster }: Site, waitMs: number, patienceMs = strayMs): Promise<number> {
  const sim = cluster as SimCluster
  const mill = await sim.connect({ party: 'operator' })
  await sim.advance(waitMs)
  let taken = 0
  await Promise.all(['/stray1', '/stray2', '/stray3'].map(async name => {
    const patience = new AbortController()
    void sim.advance(patienceMs).then(() => patience.abort())
    await mill.writeFile(name, 'of an old copy', { signal: patience.signal }).then(() => { taken++ }, () => {})
  }))
  return taken
}
