// Backups of a running namenode, on request and periodically. A copy is made from one committed state while requests are
// served; every value of the copy is verified before it counts as a backup. The journal is kept from the oldest of the last
// few backups on, so that each of them can be replayed to the present.

import { asError, GristmillError, hasCode } from '../../src/base/errors.ts'
import type { ClusterId } from '../../src/base/ids.ts'
import { GiB, MiB } from '../../src/base/units.ts'
import type { Store } from '../../src/ports/store.ts'
import type { World } from '../../src/ports/world.ts'
import type { Chore } from '../chores.ts'
import type { TableName } from '../journal/keys.ts'
import type { Journal } from '../journal/journal.ts'
import { factsOf } from './digest.ts'
import { backupPath, backupsIn, claim, partialName, removeBackup, writeManifest, type Backup, type Manifest } from './backupdir.ts'

export interface BackupPlan {
  readonly dir: string
  /** 0: no periodic backups. */
  readonly everyMs: number
  /** Number of backups that are kept in `dir`, and back to which the journal is kept. */
  readonly keep: number
  /** Also makes a due backup at the end if the store is small, because a short-lived process has no other time for it. */
  readonly atEnd?: boolean | undefined
}

interface BackupsOptions {
  readonly world: Pick<World, 'disk' | 'clock' | 'log' | 'inspectStore'>
  readonly store: Store
  readonly journal: Journal
  readonly cluster: ClusterId
  /** Id of the namenode; `dir`: its directory. */
  readonly namenode: string
  readonly dir: string
  readonly plan: BackupPlan | undefined
  /** True if this namenode is, or may be, behind its cluster: its state must not be stored among the cluster's backups. */
  readonly unsure?: (() => boolean) | undefined
}

const lookMs = 10_000
/** Wait after the start of the namenode. */
const firstMs = 60_000
/**
 * A backup is due early if the journal has grown by this much since the last one: recovery must read it, and it is kept for the last
 * few.
 */
const journalBytesMax = 2 * GiB
/** Wait after a failure. */
const againMs = 600_000
const keepDefault = 3
/** Copied and verified within some hundred milliseconds, which is acceptable once a day. */
const atEndBytesMax = 64 * MiB

/** File that lists the directories of a namenode's backups. */
const knownName = 'backups.json'

export class Backups {
  readonly chore: Chore
  readonly #options: BackupsOptions
  readonly #keep: number
  #known: Backup[] = []
  #working: Promise<Backup> | undefined
  #notBeforeMs: number

  constructor(options: BackupsOptions) {
    this.#options = options
    this.#keep = options.plan?.keep ?? keepDefault
    this.#notBeforeMs = options.world.clock.mono() + firstMs
    this.chore = { name: 'back up the metadata', everyMs: lookMs, work: () => this.#byItself() }
  }

  /** Finds existing backups. */
  async start(): Promise<void> {
    const { world: { disk }, dir, plan, cluster } = this.#options
    const dirs = new Set(await knownDirs(disk, dir))
    if (plan) dirs.add(plan.dir)
    for (const each of dirs) this.#known.push(...(await this.#durablyIn(each).catch(() => [])).filter(backup => backup.cluster === cluster))
    this.#hold()
  }

  /**
   * A backup counts, and releases older journal segments, only once its name is durable: the process that made it may have died before
   * the sync.
   */
  async #durablyIn(dir: string): Promise<Backup[]> {
    const { disk } = this.#options.world
    const found = await backupsIn(disk, dir)
    if (found.length > 0) await disk.syncDir(dir)
    return found
  }

  /** Wall-clock time of the newest backup; undefined if there is none. */
  get newestMs(): number | undefined { return this.#known[0]?.createdMs }
  /** Newest first. */
  get known(): readonly Backup[] { return this.#known }

  /**
   * Makes a backup in `dir`; returns the existing one if nothing has changed since. Throws DIR_FOREIGN, ENOSPC, EACCES, CORRUPT; EBUSY
   * while another is being made.
   */
  async take(dir: string): Promise<Backup> {
    if (this.#working) throw new GristmillError('EBUSY', 'a backup is being made; try again when it is done')
    this.#working = this.#make(dir)
    try {
      return await this.#working
    } finally {
      this.#working = undefined
    }
  }

  /** Makes a last backup if one is due. REQUIRES: no more changes; store and journal are still open. */
  async stop(): Promise<void> {
    await this.#working?.catch(() => {})
    const { plan, world: { disk, log }, dir, journal, unsure } = this.#options
    if (unsure?.()) return
    // A journal with all operations from the first on makes a backup unnecessary.
    if (!plan?.atEnd || plan.everyMs <= 0 || (journal.firstSeq ?? 1) <= 1 || !this.#due(plan)) return
    if (((await disk.stat(`${dir}/store/data.mdb`))?.bytes ?? 0) > atEndBytesMax) return
    try {
      await this.take(plan.dir)
      await this.#prune(plan)
    } catch (error) {
      log.warn('the metadata could not be backed up at the end', { dir: plan.dir, error })
    }
  }

  async #make(dir: string): Promise<Backup> {
    const { world, store, cluster, namenode } = this.#options
    const { disk, clock, log } = world
    await claim(disk, dir, cluster)
    const there = (await backupsIn(disk, dir)).find(backup => backup.seq === this.#seq)
    if (there) return there
    const partial = `${dir}/${partialName}`
    await disk.removeTree(partial)
    try {
      const createdMs = Math.floor(clock.now())
      await store.backup(partial)
      const { digest, rows, counters } = await factsOf(world, partial).catch((error: unknown) => { throw this.#compared(error) })
      if (!counters) throw new GristmillError('CORRUPT', `the copy of the store in ${partial} has no counters`)
      const { appliedSeq: seq, epoch, files, directories, blocks } = counters
      const bytes = (await disk.stat(`${partial}/data.mdb`))?.bytes ?? 0
      const manifest: Manifest = { format: 1, cluster, namenode, epoch, seq, createdMs, rows, digest, files, directories, blocks, bytes }
      await writeManifest(disk, partial, manifest)
      const path = backupPath(dir, seq)
      await disk.removeTree(path)
      await disk.rename(partial, path)
      await disk.syncDir(dir)
      const made = { ...manifest, path }
      await this.#remember(made)
      log.info('a backup of the metadata has been made and verified', { path, seq, rows, bytes })
      return made
    } catch (error) {
      await disk.removeTree(partial).catch(() => {})
      throw translated(error, dir)
    }
  }

  /** Reads a bad row of the copy in the original store: if it is bad there too, the read ends the namenode. */
  #compared(error: unknown): unknown {
    if (!hasCode(error, 'CORRUPT')) return error
    const { table, key } = error.details as { table?: TableName; key?: string }
    if (table === undefined || key === undefined) return error
    this.#options.journal.view.get(table, Buffer.from(key, 'hex'))
    return new GristmillError('CORRUPT', `${error.message}; only the copy is damaged: check the disk of the backup`, {
      cause: error, details: error.details,
    })
  }

  get #seq(): number { return this.#options.journal.view.counters.appliedSeq }

  async #remember(made: Backup): Promise<void> {
    const { world: { disk }, dir } = this.#options
    this.#known = [made, ...this.#known.filter(({ path }) => path !== made.path)].sort((a, b) => b.seq - a.seq)
    this.#hold()
    const dirs = [...new Set(this.#known.map(({ path }) => path.slice(0, path.lastIndexOf('/'))))]
    await disk.writeFileDurable(`${dir}/${knownName}`, Buffer.from(`${JSON.stringify({ format: 1, dirs })}\n`), { mode: 0o600 })
  }

  #hold(): void {
    this.#known.sort((a, b) => b.seq - a.seq)
    const last = this.#known[Math.min(this.#keep, this.#known.length) - 1]
    this.#options.journal.hold(last?.seq ?? Infinity)
  }

  async #byItself(): Promise<void> {
    const { world: { clock, log }, plan, unsure } = this.#options
    if (unsure?.() || !plan || plan.everyMs <= 0 || this.#working || clock.mono() < this.#notBeforeMs || !this.#due(plan)) return
    try {
      await this.take(plan.dir)
      await this.#prune(plan)
    } catch (error) {
      this.#notBeforeMs = clock.mono() + againMs
      log.error('the metadata could not be backed up; it is tried again later', { dir: plan.dir, error })
    }
  }

  #due({ dir, everyMs }: BackupPlan): boolean {
    const { journal, world: { clock } } = this.#options
    const newest = this.#known.find(({ path }) => path.startsWith(`${dir}/`))
    if (!newest) return true
    if (newest.seq === this.#seq) return false
    // Without the operations in between, no later state than the newest backup can be restored.
    if ((journal.firstSeq ?? 0) > newest.seq + 1 || journal.bytesAfter(newest.seq) > journalBytesMax) return true
    const ageMs = clock.now() - newest.createdMs
    return ageMs >= everyMs || ageMs < -everyMs // the clock was set back
  }

  /** Removes old backups in the plan's directory. */
  async #prune({ dir, keep }: BackupPlan): Promise<void> {
    const { disk } = this.#options.world
    const own = this.#known.filter(({ path }) => path.startsWith(`${dir}/`))
    for (const { path } of own.slice(keep)) {
      await removeBackup(disk, path)
      this.#known = this.#known.filter(backup => backup.path !== path)
    }
    this.#hold()
  }
}

/** Directories in which a namenode has made backups. An unreadable list is ignored: the backups themselves remain. */
export async function knownDirs(disk: World['disk'], dir: string): Promise<string[]> {
  try {
    const { dirs } = JSON.parse((await disk.readFile(`${dir}/${knownName}`)).toString('utf8')) as { dirs: unknown }
    return Array.isArray(dirs) ? dirs.filter(each => typeof each === 'string') : []
  } catch {
    return []
  }
}

function translated(error: unknown, dir: string): unknown {
  if (error instanceof GristmillError) return error
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ENOSPC' || code === 'EDQUOT' || /No space left/.test(asError(error).message))
    return new GristmillError('ENOSPC', `the disk under ${dir} is full, no backup was made`, { cause: error, details: { dir } })
  return new GristmillError(
    code === 'EACCES' || code === 'EROFS' ? 'EACCES' : 'INTERNAL',
    `no backup could be made in ${dir}: ${asError(error).message}`,
    { cause: error, details: { dir } },
  )
}
