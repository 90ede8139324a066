// Rebuilds the state of a namenode while none runs. Candidates for the base are the store itself if it is sound, the backups that are
// found, and an empty state if the journal has every operation. The base from which the journal leads furthest wins; the journal's
// operations are applied to it, and the result is compared with that of a second base, if there is one.
// INVARIANT: nothing is deleted; damaged files are moved to `damaged-N` beside the store.

import { GristmillError, hasCode } from '../../src/base/errors.ts'
import { clusterId, type ClusterId } from '../../src/base/ids.ts'
import { openHome, stampName } from '../../src/home/home.ts'
import type { World } from '../../src/ports/world.ts'
import type { Seen } from '../../src/protocol/position.ts'
import { allMutations } from '../rooms.ts'
import { unseal } from '../journal/codec.ts'
import { countersKey, decodeCounters, emptyCounters } from '../journal/counters.ts'
import { evidenceOf } from '../succession/evidence.ts'
import { LocalJournal } from '../journal/local.ts'
import { MutationRegistry } from '../journal/operation.ts'
import { leap, recovered } from '../succession/recovered.ts'
import { reach, salvage, type Salvage } from '../journal/salvage.ts'
import { Memo, StoreView } from '../journal/view.ts'
import { quarantineIn, beginUnfinished, mendJournal, unfinishedIn, unfinishedName } from './quarantine.ts'
import { knownDirs } from './backups.ts'
import { factsOf, type Facts } from './digest.ts'
import { replay } from './replay.ts'
import { dropSeen, seenIn, seenName } from '../succession/seen.ts'
import { backupsIn, verifyBackup, type Backup } from './backupdir.ts'

export interface RecoverOptions {
  /** The namenode's directory. */
  readonly dir: string
  /** Another place to look for backups: a directory of them, or one backup. */
  readonly backup?: string | undefined
  /** Says what would be done. */
  readonly dryRun?: boolean | undefined
  /** The epoch rises to this one, if it is not higher by itself: datanodes have seen an earlier one that nothing here knows of. */
  readonly epoch?: number | undefined
  /** The cluster that the directory belonged to, if it has lost its stamp. */
  readonly cluster?: ClusterId | undefined
  /** Memory of those datanodes of this cluster whose directories lie beside it. */
  readonly beside?: readonly Seen[] | undefined
}

export interface Recovery {
  /** `nothing`: store and journal are sound. */
  readonly outcome: 'nothing' | 'planned' | 'recovered'
  readonly cluster: string
  /** Damage that was found, one sentence each. */
  readonly damage: readonly string[]
  /** Backups that could not be used, and why. */
  readonly passedOver: readonly string[]
  readonly base: 'store' | 'backup' | 'journal'
  /** Path of the backup that the state was built from. */
  readonly backup: string | undefined
  /** The last operation of the base, and of the state that was reached. */
  readonly baseSeq: number
  readonly seq: number
  /** Operations known to have happened that could not be read. */
  readonly lost: number
  /** More may have been lost than is known. */
  readonly uncertain: boolean
  /** The highest position that datanodes have seen and that is not in the history of the state that was reached. */
  readonly behind?: { readonly epoch: number; readonly seq: number } | undefined
  readonly epoch: number
  /** Digest of the state at `seq`; undefined if it was only planned. */
  readonly digest: string | undefined
  /** The same state was reached from a second base. */
  readonly confirmed: boolean
  readonly files: number
  readonly directories: number
  readonly blocks: number
  /** Directory into which the damaged files were moved. */
  readonly aside: string | undefined
}

interface Base {
  readonly kind: 'store' | 'backup' | 'journal'
  readonly seq: number
  readonly path: string | undefined
  readonly facts: Facts | undefined
  readonly reach: number
}

/** A second fold for comparison costs as much as the first: not for more operations than this (a minute or so). */
const confirmMax = 2_000_000

/** Throws DIR_IN_USE, DIR_FOREIGN, and CORRUPT if there is nothing to rebuild from. */
export async function recover(world: World, options: RecoverOptions): Promise<Recovery> {
  const { dir, dryRun = false } = options
  const { disk } = world
  // A directory that is not there yet is not made by looking at it.
  const home = dryRun && !await disk.stat(`${dir}/${stampName}`) ? undefined : await openHome(world, dir, { role: 'namenode' })
  try {
    const plan = await planOf(world, options, home?.cluster ?? options.cluster)
    // A note that holds no longer.
    if (plan.sound && !dryRun && await seenIn(disk, dir)) await dropSeen(disk, dir)
    if (plan.sound || dryRun)
      return reportOf(plan, {
        outcome: plan.sound ? 'nothing' : 'planned',
        epoch: plan.sound ? (plan.best.facts?.counters?.epoch ?? plan.epoch) : plan.epoch,
        facts: plan.best.facts,
        digest: plan.sound ? plan.best.facts?.digest : undefined,
      })
    const done = await carryOut(world, dir, plan)
    await home!.stamp(clusterId(done.facts.cluster!))
    return reportOf(plan, done)
  } finally {
    await home?.release()
  }
}

interface Plan {
  readonly sound: boolean
  readonly damage: string[]
  readonly passedOver: string[]
  readonly journal: Salvage
  readonly best: Base
  readonly second: Base | undefined
  readonly lost: number
  readonly uncertain: boolean
  readonly behind: Recovery['behind']
  readonly epoch: number
}

async function planOf(world: World, { dir, backup, epoch, beside = [] }: RecoverOptions, cluster: ClusterId | undefined): Promise<Plan> {
  const { disk } = world
  const damage: string[] = []
  const passedOver: string[] = []
  const unfinished = await unfinishedIn(disk, dir)
  if (unfinished) damage.push('an earlier recovery was cut off')
  const noted = await seenIn(disk, dir)
  const journal = await salvage(disk, `${dir}/journal`)
  for (const { path, at, why } of journal.damages) damage.push(`${path}: at byte ${at}, ${why}`)

  const { bases, store, wanted } = await basesOf(world, { dir, backup, cluster }, journal, { damage, passedOver })
  const [best, second] = bases
  if (!best) {
    throw new GristmillError(
      'CORRUPT',
      `nothing in ${dir} can be rebuilt: ${damage.join('; ') || 'there is neither a store nor a journal'}; ` +
      `${passedOver.length > 0 ? passedOver.join('; ') : 'and no backup was found'}. Give a good backup with --backup`,
      { details: { dir } },
    )
  }
  const behind = await missingIn(world, { dir, best, journal }, { noted, beside })
  const epochs = [
    unfinished?.epoch ?? 0, store?.counters?.epoch ?? 0, behind?.epoch ?? 0,
    ...journal.stretches.map(stretch => stretch.epoch),
  ]
  if (behind)
    damage.push(
      `datanodes have seen operation ${behind.seq} of epoch ${behind.epoch}, of which this state knows nothing` +
      `${noted ? ` (${seenName})` : ''}`,
    )
  else if (epoch !== undefined && epoch > Math.max(...epochs))
    damage.push(`epoch ${epoch} is asked for, and this state knows of ${Math.max(...epochs)}`)
  const last = Math.max(store?.counters?.appliedSeq ?? 0, ...journal.stretches.map(({ to }) => to - 1), ...wanted.map(({ seq }) => seq))
  const journalEnd = Math.max(0, ...journal.stretches.map(({ to }) => to - 1))
  const storeSeq = store?.counters?.appliedSeq ?? 0
  const headed = Math.max(journalEnd, (journal.files.at(-1)?.firstSeq ?? 1) - 1)
  if (journal.files.length > 0 && headed < storeSeq) damage.push(`the journal ends at operation ${headed}, and the store holds ${storeSeq}`)
  if (best.reach < last) damage.push(`nothing leads from operation ${best.reach} to ${last}, the last that is known`)
  // A sound store has everything that was acknowledged, but for what the journal's torn end or a missing journal may have had.
  const sound = best.kind === 'store' && damage.length === 0 && best.reach === last
  const outranked = behind !== undefined || (epoch !== undefined && epoch > Math.max(...epochs))
  const uncertain =
    outranked
    || unfinished?.lossy === true
    || best.reach < last
    || journal.damages.length > 0
    || (best.kind !== 'store' && (journal.torn !== undefined || journalEnd < best.reach))
  const next = 1 + Math.max(...epochs, ...bases.map(({ facts }) => facts?.counters?.epoch ?? 0))
  return {
    sound, damage, passedOver, journal, best, second: second?.reach === best.reach ? second : undefined,
    // Ids of operations go on where the copy was made: what datanodes have seen beyond is known to have happened.
    lost: Math.max(last, behind?.seq ?? 0) - best.reach,
    uncertain,
    behind,
    // Starts of which neither store nor journal knows have raised it as well; only an operator may know how often.
    epoch: Math.max(epoch ?? 0, epoch === undefined && uncertain && !unfinished ? next + leap : next),
  }
}

/** Every state that the journal can be applied to: the store, up to two sound backups, nothing. Sorted by how far the journal leads. */
async function basesOf(
  world: World,
  { dir, backup, cluster }: { dir: string; backup: string | undefined; cluster: ClusterId | undefined },
  journal: Salvage,
  { damage, passedOver }: { damage: string[]; passedOver: string[] },
): Promise<{ bases: Base[]; store: Facts | undefined; wanted: Backup[] }> {
  const bases: Base[] = []
  let store: Facts | undefined
  try {
    store = await factsOf(world, `${dir}/store`)
  } catch (error) {
    if (!hasCode(error, 'CORRUPT')) throw error
    damage.push(error.message)
  }
  if (store?.counters) bases.push(baseOf('store', journal, store.counters.appliedSeq, undefined, store))
  else if (store && journal.files.length > 0) damage.push(`there is no store in ${dir}`)

  const found = await candidates(world, dir, backup)
  const wanted = found.filter(one => {
    const ours = cluster === undefined || one.cluster === cluster
    if (!ours) passedOver.push(`${one.path}: it is of cluster ${one.cluster}, and ${dir} of ${cluster}`)
    return ours
  })
  // Looked at in the order in which they would be used; two good ones are enough.
  const inOrder = wanted.map(one => ({ one, reach: reach(journal, one.seq) })).sort((a, b) => b.reach - a.reach || b.one.seq - a.one.seq)
  for (const { one } of inOrder) {
    if (bases.filter(base => base.kind === 'backup').length === 2) break
    try {
      bases.push(baseOf('backup', journal, one.seq, one.path, await verifyBackup(world, one)))
    } catch (error) {
      if (!hasCode(error, 'CORRUPT')) throw error
      passedOver.push(error.message)
    }
  }
  if (reach(journal, 0) > 0) bases.push(baseOf('journal', journal, 0, undefined, undefined))
  bases.sort((a, b) => b.reach - a.reach)
  return { bases, store, wanted }
}

/** The highest position that datanodes have seen, if the best state that can be had does not have it in its own history. */
async function missingIn(
  world: World,
  { dir, best, journal }: { dir: string; best: Base; journal: Salvage },
  { noted, beside }: { noted: Seen | undefined; beside: readonly Seen[] },
): Promise<Seen | undefined> {
  if (!noted && beside.length === 0) return undefined
  const into = `${dir}/store.look`
  try {
    await replay(world, {
      base: best.path ?? (best.kind === 'store' ? `${dir}/store` : undefined),
      baseSeq: best.seq, until: best.reach, journal, into,
    })
    const store = await world.openStore(into, { sync: false })
    try {
      const sealed = store.table('meta').get(countersKey)
      const view = new StoreView(
        store,
        sealed ? decodeCounters(unseal('meta', countersKey, sealed)) : emptyCounters(),
        new Memo(),
        error => {
          throw error
        },
      )
      const missing = [
        ...(noted && evidenceOf(view, noted, view.counters.nextBlock).verdict !== 'own' ? [noted] : []),
        ...beside.filter(seen => ['behind', 'unknown'].includes(evidenceOf(view, seen, view.counters.nextBlock).verdict)),
      ]
      return missing.sort((a, b) => b.epoch - a.epoch || b.seq - a.seq)[0]
    } finally {
      await store.close()
    }
  } finally {
    await world.disk.removeTree(into)
  }
}

const baseOf = (kind: Base['kind'], journal: Salvage, seq: number, path: string | undefined, facts: Facts | undefined): Base => ({
  kind, seq, path, facts, reach: reach(journal, seq),
})

async function candidates({ disk }: World, dir: string, backup: string | undefined): Promise<Backup[]> {
  if (backup !== undefined) {
    const found = await backupsIn(disk, backup)
    if (found.length === 0) throw new GristmillError('ENOENT', `${backup} holds no backup`, { details: { path: backup } })
    return found
  }
  const found = new Map<string, Backup>()
  for (const each of [`${dir}/backups`, ...(await knownDirs(disk, dir))])
    for (const one of await backupsIn(disk, each).catch(() => [])) found.set(one.path, one)
  return [...found.values()]
}

interface Done {
  readonly outcome: Recovery['outcome']
  readonly epoch: number
  readonly facts: Facts | undefined
  readonly digest: string | undefined
  readonly confirmed?: boolean
  readonly aside?: string
}

async function carryOut(
  world: World, dir: string,
  { best, second, journal, epoch, uncertain, damage }: Plan,
): Promise<Done & { facts: Facts }> {
  const { disk, log, clock, random } = world
  const fresh = `${dir}/store.new`
  await disk.removeTree(fresh)
  let digest = best.facts?.digest
  if (best.kind !== 'store' || best.reach > best.seq) {
    digest = await replay(world, {
      base: best.path ?? (best.kind === 'store' ? `${dir}/store` : undefined),
      baseSeq: best.seq, until: best.reach, journal, into: fresh,
    })
  }
  let confirmed = false
  if (second && best.reach - second.seq <= confirmMax) {
    const other = `${dir}/store.check`
    try {
      const again = await replay(world, {
        base: second.path ?? (second.kind === 'store' ? `${dir}/store` : undefined),
        baseSeq: second.seq, until: best.reach, journal, into: other,
      })
      if (again !== digest)
        throw new GristmillError(
          'CORRUPT',
          `two ways to the state at operation ${best.reach} gave two states (${digest} and ${again}); nothing was changed; choose a backup with --backup`,
          { details: { dir } },
        )
      confirmed = true
    } finally {
      await disk.removeTree(other)
    }
  }
  await beginUnfinished(disk, dir, { lossy: uncertain, epoch })
  const aside = await quarantineIn(world, dir)
  if (await disk.stat(fresh)) {
    if (await disk.stat(`${dir}/store`)) await disk.rename(`${dir}/store`, `${aside}/store`)
    await disk.rename(fresh, `${dir}/store`)
    await disk.syncDir(aside)
    await disk.syncDir(dir)
  }
  await mendJournal(world, { dir, aside, journal, seq: best.reach })
  log.info('a state has been rebuilt', { dir, base: best.kind, seq: best.reach, damage })
  const store = await world.openStore(`${dir}/store`)
  try {
    const registry = new MutationRegistry(allMutations)
    const opened = await LocalJournal.open({
      store, disk, clock, log, dir: `${dir}/journal`, registry,
      onFatal: error => log.error('the rebuilt state cannot be written', { error }),
    })
    await opened.submit(recovered, {
      epoch, lossy: uncertain, nowMs: Math.floor(clock.now()), incarnation: random.id().slice(0, 16), lineage: true,
    })
    await opened.close()
  } finally {
    await store.close()
  }
  const facts = await factsOf(world, `${dir}/store`)
  await disk.remove(`${dir}/${unfinishedName}`)
  await dropSeen(disk, dir)
  return { outcome: 'recovered', epoch: facts.counters!.epoch, facts, digest, confirmed, aside }
}

function reportOf(
  { best, damage, passedOver, journal, lost, uncertain, behind }: Plan,
  { outcome, epoch, facts, digest, confirmed = false, aside }: Done,
): Recovery {
  const torn = journal.torn && outcome !== 'nothing' ? [`${journal.torn.path}: ends inside of a group (${journal.torn.why})`] : []
  return {
    outcome, cluster: facts?.cluster ?? '', damage: [...damage, ...torn], passedOver, base: best.kind, backup: best.path, baseSeq: best.seq,
    seq: best.reach, lost, uncertain: outcome !== 'nothing' && uncertain,
    ...(behind && { behind: { epoch: behind.epoch, seq: behind.seq } }),
    epoch, digest, confirmed, files: facts?.counters?.files ?? 0, directories: facts?.counters?.directories ?? 0,
    blocks: facts?.counters?.blocks ?? 0, aside,
  }
}
