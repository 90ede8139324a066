// Block store of a datanode: all blocks over all of its directories. Readers open blocks here, writers receive them here. One listener
// is told of each change after the change is on disk. A failed disk loses only its own blocks; a full or closed disk can still be read.
//
// A damaged block leaves the index at once, but its files stay in place until the namenode has acknowledged the report: if this process
// dies before, the next one finds the damage again.

import { decodeMeta, metaBytes, type Meta } from '../../src/block/meta.ts'
import { asError, GristmillError, hasCode } from '../../src/base/errors.ts'
import { blockName, storageId, type BlockId, type StorageId } from '../../src/base/ids.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Disk, DiskReader } from '../../src/ports/disk.ts'
import { unarmed, type Failpoints } from '../../src/ports/failpoints.ts'
import type { Log } from '../../src/ports/log.ts'
import type { StorageState } from '../../src/protocol/heartbeat.ts'
import type { Replica } from '../../src/protocol/report.ts'
import { ReplicaIndex } from './replicaindex.ts'
import { Removals } from './removals.ts'
import { Duplicates, type Replicas } from './duplicates.ts'
import { Disks } from './disks.ts'
import type { Incoming } from './incoming.ts'
import { Intake } from './intake.ts'
import { Storage } from './storage.ts'
import { isDamage, diskErrorOf } from './diskerror.ts'
import { readWhole, type VerifyOptions } from './verify.ts'

interface StoreListener {
  added(replica: Replica): void
  removed(id: BlockId): void
  /** A damaged block was found. `told` must be called when the namenode has acknowledged it. */
  bad(id: BlockId): void
  /** A directory has failed; its blocks are out of the index. `last`: all directories have failed now. */
  failed(storage: Storage, error: unknown, last: boolean): void
}

interface BlockStoreOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly log: Log
  readonly dirs: ReadonlyArray<{ readonly dir: string; readonly id: StorageId }>
  /** Directories that could not be opened; they are listed as failed disks. */
  readonly unusable?: readonly string[] | undefined
  readonly listener: StoreListener
  readonly failpoints?: Failpoints | undefined
  /** Time for which removed blocks stay in the trash; default: 0, no trash. */
  readonly trashKeepMs?: number | undefined
}

/** A sealed block, open for reading; stays readable when the block is removed meanwhile. The caller closes it. */
export interface OpenBlock {
  readonly meta: Meta
  readonly data: DiskReader
  close(): Promise<void>
}

/** `gone`: this node does not have the block. */
export type Checked = 'sound' | 'damaged' | 'gone'

/** Blocks removed in a row before the event loop is yielded. */
const removeBatch = 64

export class BlockStore {
  readonly #disk: Disk
  readonly #clock: Clock
  readonly #log: Log
  readonly #listener: StoreListener
  readonly #failpoints: Failpoints
  readonly #disks: Disks
  readonly #index = new ReplicaIndex()
  readonly #intake: Intake
  readonly #removals = new Removals()
  readonly #duplicates = new Duplicates()
  readonly #replicas: Replicas = {
    storageOf: id => this.storages[this.#index.get(id)?.storage ?? -1],
    incoming: id => this.#intake.has(id),
    check: id => this.check(id),
    adopt: (id, { storage, length, crc }) => {
      storage.add(length)
      this.#index.set(id, { length, crc, storage: this.storages.indexOf(storage) })
      this.#listener.added({ id, length, crc, storage: storage.id })
      // A damaged replica of it is quarantined without a report: this node has a good one now.
      void this.#removals.go(id).catch(() => {}) // `tend` tries again
    },
  }
  /** Damaged blocks found since the start, for metrics. */
  badFound = 0

  /** Throws the last disk's error if none of the directories can be read. */
  static async open(options: BlockStoreOptions): Promise<BlockStore> {
    const store = new BlockStore(options)
    const opened = await store.#disks.open()
    for (const { storage, found } of opened) {
      for (const { id, length, crc } of found.blocks) {
        if (store.#index.has(id)) {
          storage.subtract(length)
          store.#duplicates.add(id, { storage, length, crc })
          options.log.warn('a block is in two directories; one copy is moved to the trash when the other has been verified', {
            block: id, dir: storage.dir,
          })
        } else store.#index.set(id, { length, crc, storage: store.storages.indexOf(storage) })
      }
    }
    for (const { storage, found } of opened) for (const id of found.bad) store.#bad(id, storage, 0)
    return store
  }

  private constructor({ disk, clock, log, listener, dirs, unusable = [], failpoints = unarmed, trashKeepMs = 0 }: BlockStoreOptions) {
    this.#disk = disk
    this.#clock = clock
    this.#log = log
    this.#listener = listener
    this.#failpoints = failpoints
    const storages = dirs.map(({ dir, id }) => new Storage({ disk, clock, log, dir, id, trashKeepMs }))
    const lost = unusable.map((dir, i) => {
      const storage = new Storage({ disk, clock, log, dir, id: storageId(`unusable-${i}`), trashKeepMs })
      storage.failed = true
      return storage
    })
    this.#disks = new Disks([...storages, ...lost], { log, onFailed: (storage, error) => this.#lose(storage, error) })
    this.#intake = new Intake({ disk, failpoints, disks: this.#disks, removals: this.#removals, sealed: (id, storage, length, crc) => {
      storage.freeBytes -= length // until it is measured again
      storage.add(length)
      this.#index.set(id, { length, crc, storage: this.storages.indexOf(storage) })
      this.#listener.added({ id, length, crc, storage: storage.id })
    } })
  }

  get blocks(): number { return this.#index.count }
  get storages(): readonly Storage[] { return this.#disks.all }
  has(id: BlockId): boolean { return this.#index.has(id) }

  /** Index entry of a block, without access to the disk; undefined if this node does not have it. */
  find(id: BlockId): Replica | undefined {
    const entry = this.#index.get(id)
    return entry && { id, length: entry.length, crc: entry.crc, storage: this.storages[entry.storage]!.id }
  }

  /** Ids of all blocks, in ascending order. */
  ids(): Float64Array { return this.#index.ids() }

  /** Reports that another write to a directory, such as the epoch, has failed. */
  refused(dir: string, error: unknown): void {
    const storage = this.storages.find(each => each.dir === dir)
    const diskError = diskErrorOf(error)
    if (storage && diskError) this.#disks.diskError(storage, diskError, error)
  }

  /** Measures the free space of all directories and returns their states. */
  state(): Promise<StorageState[]> { return this.#disks.state() }

  /** Periodic maintenance: disk checks, retention limits, failed removals, duplicates. */
  async tend(): Promise<void> {
    await this.#disks.tend()
    for (const id of this.#removals.held()) await this.#removals.go(id).catch(() => {}) // again at the next `tend` or the next start
    await this.#duplicates.tend(this.#replicas)
  }

  /** Starts a block of at most `bytesMax` bytes in the directory with the most room. Throws EEXIST, EBUSY, ENOSPC. */
  async receive(id: BlockId, bytesMax: number): Promise<Incoming> {
    if (this.#index.has(id)) throw new GristmillError('EEXIST', `this node has block ${blockName(id)} already`, { details: { block: id } })
    return this.#intake.begin(id, bytesMax)
  }

  /** Reports the state of a block again, because a client or the namenode has acted on a wrong one. */
  announce(id: BlockId): void {
    const replica = this.find(id)
    if (replica) this.#listener.added(replica)
    else if (this.#removals.isBad(id)) this.#listener.bad(id) // its files stay until the namenode has acknowledged it
    else this.#listener.removed(id)
  }

  /** Paths of a block's files, for a reader on this host. Throws BLOCK_MISSING. */
  paths(id: BlockId): { data: string; meta: string } {
    const path = this.#storageOf(id).pathOf(id)
    return { data: path, meta: `${path}.meta` }
  }

  /**
   * Opens a block for reading. Throws BLOCK_MISSING if this node does not have it, CORRUPT if its files are damaged, UNAVAILABLE if they
   * cannot be read now.
   */
  async open(id: BlockId): Promise<OpenBlock> {
    const storage = this.#storageOf(id)
    const path = storage.pathOf(id)
    let data: DiskReader | undefined
    try {
      data = await this.#disk.openRead(path)
      const meta = decodeMeta(await this.#disk.readFile(`${path}.meta`), id)
      if (meta.length !== data.bytes)
        throw new GristmillError('CORRUPT', `the file of block ${blockName(id)} has ${data.bytes} bytes, it should have ${meta.length}`)
      const { close } = data
      return { meta, data, close: close.bind(data) }
    } catch (error) {
      await data?.close()
      if (!this.#index.has(id)) throw missing(id) // removed while it was opened
      const why = `the files of block ${blockName(id)} cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`
      if (!isDamage(error)) throw new GristmillError('UNAVAILABLE', `${why}; try again, or take another replica`, { cause: error })
      const damage = hasCode(error, 'CORRUPT') ? error : new GristmillError('CORRUPT', why, { cause: error })
      await this.damaged(id, damage)
      throw damage
    }
  }

  /** Removes a block that failed a check from the index and reports it. */
  async damaged(id: BlockId, why: unknown): Promise<void> {
    const entry = this.#index.get(id)
    if (!entry) return
    const storage = this.storages[entry.storage]!
    // A single missing file is damage; if the whole directory is missing, the disk has failed.
    const saidByDisk = !hasCode(why, 'CORRUPT') || why.cause !== undefined
    if (saidByDisk && !await storage.present()) return this.#disks.fail(storage, why)
    if (!this.#index.delete(id)) return
    this.#log.error('a block is damaged', { error: asError(why), block: id, dir: storage.dir })
    storage.subtract(entry.length)
    this.#bad(id, storage, entry.length + metaBytes(entry.length))
  }

  #bad(id: BlockId, storage: Storage, bytes: number): void {
    this.badFound++
    this.#removals.add(id, { storage, bytes, to: 'quarantine' })
    // If another disk of this node has a good replica, it is quarantined without a report: the namenode would drop both.
    if (this.#index.has(id)) void this.#removals.go(id).catch(() => {}) // `tend` tries again
    else this.#listener.bad(id)
  }

  /** Reports again the damaged replicas of blocks that had no good one when they were found: there may be one now. */
  async remind(): Promise<void> {
    for (const { last, quarantine } of this.storages) {
      for (const id of last.ids()) {
        if (this.#index.has(id)) await last.pass(id, quarantine).catch(() => {}) // the next reminder tries again
        else this.#listener.bad(id)
      }
    }
  }

  /** Quarantines damaged blocks that the namenode has acknowledged; of those in `only` it knows no good replica. */
  async told(bad: readonly BlockId[], only: ReadonlySet<BlockId>): Promise<void> {
    for (const id of bad) {
      try {
        this.#removals.redirect(id, only.has(id) ? 'last' : 'quarantine')
        await this.#removals.go(id)
        if (!only.has(id)) for (const { last, quarantine } of this.storages) await last.pass(id, quarantine)
      } catch (error) {
        this.#log.error('a damaged block cannot be moved to quarantine; its files stay in place and are not served', {
          error: asError(error), block: id,
        })
      }
    }
    for (const { quarantine } of this.storages) await quarantine.trim()
  }

  /** Reads a whole block and compares its checksums; reports a damaged one. Throws UNAVAILABLE if it cannot be read now. */
  async check(id: BlockId, options: VerifyOptions = {}): Promise<Checked> {
    let block: OpenBlock
    try {
      block = await this.open(id)
    } catch (error) {
      if (hasCode(error, 'CORRUPT')) return 'damaged'
      if (hasCode(error, 'BLOCK_MISSING')) return 'gone'
      throw error
    }
    try {
      await readWhole(block, options)
      return 'sound'
    } catch (error) {
      options.signal?.throwIfAborted()
      if (!isDamage(error)) throw new GristmillError('UNAVAILABLE', `block ${blockName(id)} cannot be read now`, { cause: error })
      if (!this.has(id)) return 'gone'
      await this.damaged(id, error)
      return 'damaged'
    } finally {
      await block.close()
    }
  }

  /** Removes blocks, also damaged ones. They leave the index at once; then their files are moved to the trash, one by one. */
  async remove(ids: readonly BlockId[]): Promise<void> {
    for (const id of ids) {
      const entry = this.#index.delete(id)
      this.#duplicates.doom(id)
      if (entry) {
        const storage = this.storages[entry.storage]!
        storage.subtract(entry.length)
        this.#removals.add(id, { storage, bytes: entry.length + metaBytes(entry.length), to: 'trash' })
      } else {
        this.#removals.redirect(id, 'trash')
      }
      this.#listener.removed(id)
    }
    for (const [i, id] of ids.entries()) {
      try {
        await this.#failpoints.reach('block.delete.before')
        await this.#removals.go(id)
        for (const { quarantine, last } of this.storages) {
          await quarantine.drop(id)
          await last.drop(id)
        }
      } catch (error) {
        this.#log.error('a block cannot be removed', { error: asError(error), block: id })
      }
      if (i % removeBatch === removeBatch - 1) await this.#clock.yield()
    }
  }

  #storageOf(id: BlockId): Storage {
    const entry = this.#index.get(id)
    if (!entry) throw missing(id)
    return this.storages[entry.storage]!
  }

  #lose(storage: Storage, error: unknown): void {
    const index = this.storages.indexOf(storage)
    for (const id of this.#index.ids() as unknown as Iterable<BlockId>) {
      if (this.#index.get(id)!.storage !== index) continue
      this.#index.delete(id)
      this.#listener.removed(id)
    }
    this.#listener.failed(storage, error, this.#disks.noneLeft)
  }
}

const missing = (id: BlockId): GristmillError =>
  new GristmillError('BLOCK_MISSING', `this node has no block ${blockName(id)}`, { details: { block: id } })
