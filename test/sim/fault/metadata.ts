// Operations on a namenode's directory. `restore`: its disk is lost and the state restored from an earlier backup; only later
// acknowledged writes may be missing. `oldCopy`: an earlier copy of the directory is started by mistake, without a recovery; it must accept
// no write: neither when all datanodes with newer knowledge reach it, nor when the first one to register was stopped before the copy was
// made (`leftEarly`) or is new (`freshFirst`).

import type { DataNode, Party } from '../../kit/contract.ts'
import type { SimCluster } from '../../kit/sim/cluster.ts'
import type { DiskCopy, SimDataNode, SimNameNode } from '../../kit/sim/node.ts'
import type { Mark } from '../acks.ts'
import { bringUp, lasts, pairOf, type Deeds, type Draw, type Site } from './family.ts'

/** A backup is made now; after `ms` the disk is lost, and the namenode is rebuilt from the backup. */
export type MetadataFault = { readonly kind: 'restore'; readonly node: 'namenode'; readonly ms: number }
  /** The directory is copied now; after `ms` the copy runs in its place for a while, and then the current one again. */
  | { readonly kind: 'oldCopy'; readonly node: 'namenode'; readonly ms: number }
  /**
   * A datanode is stopped and the directory copied now; after `ms` the copy and that datanode are started, which is alone with the copy
   * for a while.
   */
  | { readonly kind: 'leftEarly'; readonly node: 'namenode'; readonly datanode: string; readonly ms: number }
  /**
   * The directory is copied now; after `ms` the copy runs in its place, and a datanode with new disks and a new identity is alone with it
   * for longer than others take to be dead. That datanode stays in the cluster.
   */
  | { readonly kind: 'freshFirst'; readonly node: 'namenode'; readonly datanode: string; readonly ms: number }

/** Faults that run a copy of the namenode's directory in its place. */
export const runsCopy = (kind: string): boolean => kind === 'oldCopy' || kind === 'leftEarly' || kind === 'freshFirst'

export const metadataDraws = {
  restore: random => ({ kind: 'restore', node: 'namenode', ms: lasts(random, 100, 15_000) }),
  oldCopy: random => ({ kind: 'oldCopy', node: 'namenode', ms: lasts(random, 500, 10_000) }),
  leftEarly: (random, { datanode }) => ({ kind: 'leftEarly', node: 'namenode', datanode: datanode(), ms: lasts(random, 1_500, 10_000) }),
  freshFirst: (random, { datanode }) => ({ kind: 'freshFirst', node: 'namenode', datanode: datanode(), ms: lasts(random, 1_500, 10_000) }),
} as const satisfies Record<string, Draw<MetadataFault>>

/** Not on the namenode's own disk. */
const backups = '/backups'
const backupMs = 15_000

/** Longer than datanodes take to register and report. */
const copyMs = 10_000
/** Time limit of each write to the copy. */
const strayMs = 5_000
/** Time for which the datanode is alone with the copy: it registers, and the other nodes are not declared dead yet. */
const aloneMs = 3_000
/** Time for which a new datanode is alone with the copy: the other nodes would be dead by then. */
const freshMs = 11_000

/** `path`: of the backup. */
const marks = new WeakMap<MetadataFault, { readonly mark: Mark; readonly path: string }>()
const copies = new WeakMap<MetadataFault, DiskCopy>()

export const metadataHandlers: Deeds<MetadataFault> = {
  restore: {
    async strike(site, action) {
      const { cluster, acks } = site
      // Two namenodes rebuilt from the same backup would have the same epoch.
      if (!site.simulated('namenode')?.running || acks.restored || site.restoring) return false
      const mark = acks.mark()
      const patience = new AbortController()
      void cluster.advance(backupMs).then(() => patience.abort())
      try {
        const { path } = await cluster.mill.backup(backups, { signal: patience.signal })
        marks.set(action, { mark, path })
      } catch {
        return false // the namenode has another fault; no backup was made
      }
      acks.markEnds(mark)
      site.restoring = true
      return true
    },
    async undo(site, action) {
      const namenode = site.simulated('namenode') as SimNameNode
      const { mark, path } = marks.get(action)!
      await namenode.healDisks()
      await namenode.loseDisk()
      // A request that has arrived twice has made a second backup, which knows more than the model.
      await namenode.offline(async ({ disk }) => {
        for (const { name } of await disk.list(backups)) if (`${backups}/${name}` !== path) await disk.removeTree(`${backups}/${name}`)
      })
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
      // If no datanode has newer knowledge than the copy, the two cannot be distinguished, and the copy may accept writes.
      const able = cluster.datanodes.filter(node => node.running && !node.paused)
      if (able.length < 2 || !able.every(node => (node as SimDataNode).seenSeq > copy.seq)) return
      const taken = await inItsPlace(site, copy, able, () => strayWrites(site, copyMs))
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
      const copy = copies.get(action)!
      const left = site.simulatedDatanode(action.datanode)!
      const others = informed(site, copy, left)
      if (left.running || !others) return bringUp(site, { node: action.datanode }).catch(() => {})
      const taken = await inItsPlace(site, copy, others, () => aloneWith(site, left, others, 0, aloneMs))
      if (taken > 0)
        throw new Error(`an old copy of the namenode's directory has taken ${taken} files of a datanode that had been switched off before`)
    },
  },
  freshFirst: {
    strike(site, action) {
      const namenode = site.simulated('namenode') as SimNameNode | undefined
      if (!namenode?.running || site.restoring || !site.simulatedDatanode(action.datanode)) return false
      copies.set(action, namenode.copyDisk())
      return true
    },
    async undo(site, action) {
      const copy = copies.get(action)!
      const fresh = site.simulatedDatanode(action.datanode)!
      const others = informed(site, copy, fresh)
      // A datanode that has been off since before the copy may return now. It remembers the copy's history, so that the copy may take
      // itself for the latest once the others have been away for the time after which they are dead.
      if (!others || others.length < site.cluster.datanodes.length - 1 || !fresh.running || fresh.paused) return
      // Killed first: replicas written between the check and the wipe would be lost.
      await fresh.kill()
      if (!await site.ledger.mayWipe(fresh)) return bringUp(site, { node: action.datanode }).catch(() => {})
      const taken = await inItsPlace(site, copy, others, async () => {
        await fresh.wipe()
        return aloneWith(site, fresh, others, freshMs, strayMs)
      })
      if (taken > 0) throw new Error(`an old copy of the namenode's directory has taken ${taken} files of a datanode that is new`)
    },
  },
}

/**
 * The datanodes other than `node`, if they are at least two, all run, and know more than the copy; else the two directories cannot be
 * distinguished, and the copy may accept writes.
 */
function informed({ cluster }: Site, copy: DiskCopy, node: SimDataNode): SimDataNode[] | undefined {
  const others = (cluster as SimCluster).datanodes.filter(each => each !== node && each.running && !each.paused)
  return others.length >= 2 && others.every(each => each.seenSeq > copy.seq) ? others : undefined
}

/**
 * Starts `node`, which is alone with the copy for `waitMs` and during writes of `patienceMs`, and then the others reach it. Returns the
 * number of accepted files.
 */
async function aloneWith(
  site: Site, node: SimDataNode, others: readonly SimDataNode[], waitMs: number, patienceMs: number,
): Promise<number> {
  const cluster = site.cluster as SimCluster
  for (const each of others) keepApart(site, each)
  // Another fault may stop it again.
  await Promise.race([bringUp(site, { node: node.name }).catch(() => {}), cluster.advance(aloneMs)])
  const early = await strayWrites(site, waitMs, patienceMs)
  for (const each of others) bringTogether(site, each)
  return early + await strayWrites(site, copyMs)
}

const nameOf = (party: Party): string => (party === 'client' ? party : party.name)

function keepApart({ cluster, apart }: Site, party: Party): void {
  apart.add(pairOf('namenode', nameOf(party)))
  cluster.cut(party, cluster.namenode)
}

function bringTogether({ cluster, apart }: Site, party: Party): void {
  apart.delete(pairOf('namenode', nameOf(party)))
  cluster.heal(party, cluster.namenode)
}

/** Runs the copy in place of the namenode during `work`, and then the current state again. `informed`: datanodes that know more. */
async function inItsPlace<T>(site: Site, copy: DiskCopy, informed: readonly DataNode[], work: () => Promise<T>): Promise<T> {
  const namenode = site.cluster.namenode as SimNameNode
  for (const { name } of informed) site.informed.add(name)
  await namenode.kill()
  const present = namenode.copyDisk()
  namenode.useDisk(copy)
  // Clients are cut off: until a datanode has reported, the copy may give them old answers.
  keepApart(site, 'client')
  await namenode.start()
  try {
    return await work()
  } finally {
    await namenode.kill()
    namenode.useDisk(present)
    bringTogether(site, 'client')
    site.informed.clear()
    await namenode.start()
  }
}

/** Writes files to the copy; returns the number of accepted ones. */
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
