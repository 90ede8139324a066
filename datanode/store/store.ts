// All blocks of this node, over all of its directories. Who wants a block's bytes opens it here; who writes one receives it here.
// Changes are told to one listener, after they have become true on disk. A disk that fails takes its own blocks with it and nothing
// else; one that is full or takes nothing more is read from as before.
//
// A block that is damaged is unknown at once, and its files stay where they are until the namenode has heard of it: were this process
// to die before, the next one would find the damage again.

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

export interface StoreListener {
  added(replica: Replica): void
  removed(id: BlockId): void
  /** Found damaged. `told` is to be called when the namenode has heard of it. */
  bad(id: BlockId): void
  /** A directory has failed; its blocks are no longer known. `last`: no other one is left. */
  failed(storage: Storage, error: unknown, last: boolean): void
}

export interface BlockStoreOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly log: Log
  readonly dirs: ReadonlyArray<{ readonly dir: string; readonly id: StorageId }>
  /** Directories that could not even be taken: known as failed disks. */
  readonly unusable?: readonly string[] | undefined
  readonly listener: StoreListener
  readonly failpoints?: Failpoints | undefined
  /** Removed blocks stay in the trash for so long; none unless told. */
  readonly trashKeepMs?: number | undefined
}

/** A sealed block, open for reading; stays readable when the block is removed meanwhile. The opener closes it. */
export interface OpenBlock {
  readonly meta: Meta
  readonly data: DiskReader
  close(): Promise<void>
}

/** `gone`: this node does not have the block, or has it no more. */
export type Checked = 'sound' | 'damaged' | 'gone'

/** Removed one after the other; after so many, others get their turn. */
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
      // What was bad here is put aside without a word: there is a good one.
      void this.#removals.go(id).catch(() => {}) // at the next look
    },
  }
  /** Damaged blocks found since the start, for metrics. */
  badFound = 0

  /** Throws what the disks say if none of the directories can be read. */
  static async open(options: BlockStoreOptions): Promise<BlockStore> {
    const store = new BlockStore(options)
    const opened = await store.#disks.open()
    for (const { storage, found } of opened) {
      for (const { id, length, crc } of found.blocks) {
        if (store.#index.has(id)) {
          storage.subtract(length)
          store.#duplicates.add(id, { storage, length, crc })
          options.log.warn('a block lies in two directories; one of the two will go when the other has been found sound', {
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

  /** What is known about a block without touching the disk. */
  find(id: BlockId): Replica | undefined {
    const entry = this.#index.get(id)
    return entry && { id, length: entry.length, crc: entry.crc, storage: this.storages[entry.storage]!.id }
  }

  /** Ids of all blocks, rising. */
  ids(): Float64Array { return this.#index.ids() }

  /** Something else that was written to a directory has failed. */
  refused(dir: string, error: unknown): void {
    const storage = this.storages.find(each => each.dir === dir)
    const diskError = diskErrorOf(error)
    if (storage && diskError) this.#disks.diskError(storage, diskError, error)
  }

  /** Measures the free space of all directories and tells how they are. */
  state(): Promise<StorageState[]> { return this.#disks.state() }

  /** What is to be done now and then. */
  async tend(): Promise<void> {
    await this.#disks.tend()
    // What a disk that took no changes has kept.
    for (const id of this.#removals.held()) await this.#removals.go(id).catch(() => {}) // at the next look, or when the node starts again
    await this.#duplicates.tend(this.#replicas)
  }

  /** Starts a block of at most `bytesMax` bytes in the directory with the most room. Throws EEXIST, EBUSY, ENOSPC. */
  async receive(id: BlockId, bytesMax: number): Promise<Incoming> {
    if (this.#index.has(id)) throw new GristmillError('EEXIST', `this node has block ${blockName(id)} already`, { details: { block: id } })
    return this.#intake.begin(id, bytesMax)
  }

  /** Tells once more how it is with a block, for somebody believes that it is missing here, or that it is not. */
  announce(id: BlockId): void {
    const replica = this.find(id)
    if (replica) this.#listener.added(replica)
    else if (this.#removals.isBad(id)) this.#listener.bad(id) // its files wait until the namenode has heard of it
    else this.#listener.removed(id)
  }

  /** Where a block's files lie, for a reader on this host. Throws BLOCK_MISSING. */
  paths(id: BlockId): { data: string; meta: string } {
    const path = this.#storageOf(id).pathOf(id)
    return { data: path, meta: `${path}.meta` }
  }

  /**
   * Throws BLOCK_MISSING if this node has no such block, CORRUPT if its files are not what they should be, UNAVAILABLE if that cannot be
   * told.
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

  /** A check of this block has failed: it is unknown from now on, and reported. */
  async damaged(id: BlockId, why: unknown): Promise<void> {
    const entry = this.#index.get(id)
    if (!entry) return
    const storage = this.storages[entry.storage]!
    // One file that is gone is damage; when all are, it is the disk.
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
    // With a good one on another disk of this node it is put aside without a word: the namenode would take both for gone.
    if (this.#index.has(id)) void this.#removals.go(id).catch(() => {}) // at the next look
    else this.#listener.bad(id)
  }

  /** Tells again of damaged blocks that had no good replica anywhere when they were found: perhaps there is one now. */
  async remind(): Promise<void> {
    for (const { last, quarantine } of this.storages) {
      for (const id of last.ids()) {
        if (this.#index.has(id)) await last.pass(id, quarantine).catch(() => {}) // it is kept where it is until the next time
        else this.#listener.bad(id)
      }
    }
  }

  /** The namenode has heard that these are bad; of those in `only` it knows no good replica. They go into quarantine. */
  async told(bad: readonly BlockId[], only: ReadonlySet<BlockId>): Promise<void> {
    for (const id of bad) {
      try {
        this.#removals.redirect(id, only.has(id) ? 'last' : 'quarantine')
        await this.#removals.go(id)
        if (!only.has(id)) for (const { last, quarantine } of this.storages) await last.pass(id, quarantine)
      } catch (error) {
        this.#log.error('a damaged block cannot be put aside; it stays where it is and is not served', { error: asError(error), block: id })
      }
    }
    for (const { quarantine } of this.storages) await quarantine.trim()
  }

  /** Reads a block whole and compares; a damaged one is reported. Throws UNAVAILABLE if that cannot be told. */
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

  /** Removes blocks, known or damaged. They are unknown at once; their files go to the trash, one after the other. */
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
