// Block store of a datanode: all blocks over all of its directories. Readers open blocks here, writers receive them here, and the
// namenode's orders remove them here. A failed disk loses only its own blocks; a full or closed disk can still be read.
//
// The files of this folder call each other in one direction: store > duplicates > incoming, reader > disks > replicas > storage. The
// lifecycle of a replica is in replicas.ts. Other folders of the datanode learn of a change from one listener, after the change is on
// disk.

import { asError } from '../../src/base/errors.ts'
import { storageId, type BlockId, type StorageId } from '../../src/base/ids.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Disk } from '../../src/ports/disk.ts'
import { unarmed, type Failpoints } from '../../src/ports/failpoints.ts'
import type { Log } from '../../src/ports/log.ts'
import type { StorageState } from '../../src/protocol/heartbeat.ts'
import type { Replica } from '../../src/protocol/report.ts'
import { diskErrorOf } from './diskerror.ts'
import { Disks, type DiskListener } from './disks.ts'
import { settleDuplicate } from './duplicates.ts'
import { Incoming, type IncomingDeps } from './incoming.ts'
import { ReplicaReader, type Checked, type OpenBlock, type VerifyOptions } from './reader.ts'
import { Replicas, type ReplicaListener } from './replicas.ts'
import { Storage } from './storage.ts'

interface BlockStoreOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly log: Log
  readonly dirs: ReadonlyArray<{ readonly dir: string; readonly id: StorageId }>
  /** Directories that could not be opened; they are listed as failed disks. */
  readonly unusable?: readonly string[] | undefined
  readonly listener: ReplicaListener & DiskListener
  readonly failpoints?: Failpoints | undefined
  /** Time for which removed blocks stay in the trash; default: 0, no trash. */
  readonly trashKeepMs?: number | undefined
}

/** Blocks removed in a row before the event loop is yielded. */
const removeBatch = 64

export class BlockStore {
  readonly #clock: Clock
  readonly #log: Log
  readonly #failpoints: Failpoints
  readonly #replicas: Replicas
  readonly #disks: Disks
  readonly #reader: ReplicaReader
  /** Moves of the files of removed blocks, one call of `remove` after another. */
  #clearing: Promise<void> = Promise.resolve()
  readonly #incomingDeps: IncomingDeps

  /** Throws the last disk's error if none of the directories can be read. */
  static async open(options: BlockStoreOptions): Promise<BlockStore> {
    const store = new BlockStore(options)
    const replicas = store.#replicas
    const opened = await store.#disks.open()
    for (const { storage, found } of opened) {
      for (const block of found.blocks) {
        if (replicas.found(storage, block)) continue
        options.log.warn('a block is in two directories; one copy is moved to the trash when the other has been verified', {
          block: block.id, dir: storage.dir,
        })
      }
    }
    for (const { storage, found } of opened) for (const id of found.bad) replicas.foundBad(id, storage)
    return store
  }

  private constructor({ disk, clock, log, listener, dirs, unusable = [], failpoints = unarmed, trashKeepMs = 0 }: BlockStoreOptions) {
    this.#clock = clock
    this.#log = log
    this.#failpoints = failpoints
    const shared = { disk, clock, log, trashKeepMs }
    const storages = [
      ...dirs.map(({ dir, id }) => new Storage({ ...shared, dir, id })),
      ...unusable.map((dir, i) => new Storage({ ...shared, dir, id: storageId(`unusable-${i}`), failed: true })),
    ]
    const replicas = this.#replicas = new Replicas(storages, listener)
    const disks = this.#disks = new Disks(storages, { log, replicas, listener })
    this.#reader = new ReplicaReader({ disk, log, disks, replicas })
    this.#incomingDeps = { disk, failpoints, disks, replicas }
  }

  get blocks(): number { return this.#replicas.count }
  /** Damaged blocks found since the start, for metrics. */
  get badFound(): number { return this.#replicas.badFound }
  get storages(): readonly Storage[] { return this.#disks.all }
  has(id: BlockId): boolean { return this.#replicas.has(id) }
  /** Index entry of a block, without access to the disk; undefined if this node does not have it. */
  find(id: BlockId): Replica | undefined { return this.#replicas.find(id) }
  /** Ids of all blocks, in ascending order. */
  ids(): Float64Array { return this.#replicas.ids() }

  /** Starts a block of at most `bytesMax` bytes in the directory with the most room. Throws EEXIST, EBUSY, ENOSPC. */
  receive(id: BlockId, bytesMax: number): Promise<Incoming> {
    return Incoming.begin(this.#incomingDeps, { id, bytesMax })
  }

  /** Paths of a block's files, for a reader on this host. Throws BLOCK_MISSING. */
  paths(id: BlockId): { data: string; meta: string } { return this.#reader.paths(id) }

  /** Throws BLOCK_MISSING if this node does not have it, CORRUPT if it is damaged, UNAVAILABLE if it cannot be read now. */
  open(id: BlockId): Promise<OpenBlock> { return this.#reader.open(id) }

  /** Reads a whole block and compares its checksums; reports a damaged one. Throws UNAVAILABLE if it cannot be read now. */
  check(id: BlockId, options?: VerifyOptions): Promise<Checked> { return this.#reader.check(id, options) }

  /** Removes a block that failed a check from the index and reports it. */
  damaged(id: BlockId, why: unknown): Promise<void> { return this.#reader.damaged(id, why) }

  /** Reports the state of a block again, because a client or the namenode has acted on a wrong one. */
  announce(id: BlockId): void { this.#replicas.announce(id) }

  /** Reports again the damaged replicas of blocks that had no good one when they were found: there may be one now. */
  remind(): Promise<void> { return this.#replicas.remind() }

  /** Quarantines damaged blocks that the namenode has acknowledged; of those in `only` it knows no good replica. */
  async acknowledged(bad: readonly BlockId[], only: ReadonlySet<BlockId>): Promise<void> {
    for (const id of bad) {
      const last = only.has(id)
      try {
        this.#replicas.acknowledged(id, { last })
        await this.#replicas.clear(id)
        if (!last) for (const storage of this.storages) await storage.last.pass(id, storage.quarantine)
      } catch (error) {
        this.#log.error('a damaged block cannot be moved to quarantine; its files stay in place and are not served', {
          error: asError(error), block: id,
        })
      }
    }
    for (const { quarantine } of this.storages) await quarantine.trim()
  }

  /**
   * Removes blocks, also damaged ones. They leave the index at once, so that no report lists a block that is about to go. Then their files
   * are moved to the trash, one by one, after those of earlier calls: a large deletion must not starve readers of the disk.
   */
  remove(ids: readonly BlockId[]): Promise<void> {
    for (const id of ids) this.#replicas.remove(id)
    return this.#clearing = this.#clearing.catch(() => {}).then(() => this.#clear(ids))
  }

  async #clear(ids: readonly BlockId[]): Promise<void> {
    for (const [i, id] of ids.entries()) {
      try {
        await this.#failpoints.reach('block.delete.before')
        await this.#replicas.clear(id)
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

  /** Reports that another write to a directory, such as the epoch, has failed. */
  refused(dir: string, error: unknown): void {
    const storage = this.storages.find(each => each.dir === dir)
    const diskError = diskErrorOf(error)
    if (storage && diskError) this.#disks.diskError(storage, diskError, error)
  }

  /** Measures the free space of all directories and returns their states. */
  state(): Promise<StorageState[]> { return this.#disks.state() }

  /** Throws AssertionFailed if counts of blocks and bytes differ from the blocks. For tests and simulations. */
  checkState(): void { this.#replicas.checkState() }

  /** Periodic maintenance: disk checks, retention limits, failed removals, duplicates. Never rejects because of a single block. */
  async tend(): Promise<void> {
    const deps = { replicas: this.#replicas, reader: this.#reader }
    await this.#disks.tend()
    for (const id of deps.replicas.held()) await deps.replicas.clear(id).catch(() => {}) // again at the next `tend` or the next start
    for (const duplicate of deps.replicas.duplicates()) await settleDuplicate(deps, duplicate).catch(() => {}) // again at the next `tend`
  }
}
