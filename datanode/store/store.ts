// All blocks of this node, over all of its directories. Who wants a block's bytes opens it here; who writes one receives it here.
// Changes are told to one listener, after they have become true on disk.

import { decodeMeta, type Meta } from '../../src/block/meta.ts'
import { crcOf } from '../../src/block/checksum.ts'
import { asError, GristmillError, hasCode } from '../../src/base/errors.ts'
import { blockName, type BlockId, type StorageId } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Disk, DiskReader } from '../../src/ports/disk.ts'
import { unarmed, type Failpoints } from '../../src/ports/failpoints.ts'
import type { Log } from '../../src/ports/log.ts'
import type { StorageState } from '../../src/protocol/heartbeat.ts'
import type { Replica } from '../../src/protocol/report.ts'
import { Catalog } from './catalog.ts'
import { Incoming } from './incoming.ts'
import { Storage } from './storage.ts'

export interface StoreListener {
  added(replica: Replica): void
  removed(id: BlockId): void
  bad(id: BlockId): void
  /** A directory refused a sync; its blocks are no longer known. `last`: no other one is left. */
  failed(storage: Storage, error: unknown, last: boolean): void
}

export interface StoreOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly log: Log
  readonly dirs: ReadonlyArray<{ readonly dir: string; readonly id: StorageId }>
  readonly listener: StoreListener
  readonly failpoints?: Failpoints | undefined
}

/** A sealed block, open for reading; stays readable when the block is removed meanwhile. The opener closes it. */
export interface OpenBlock {
  readonly meta: Meta
  readonly data: DiskReader
  close(): Promise<void>
}

/** Removed one after the other; after so many, others get their turn. */
const removeBatch = 64

export class Store {
  readonly #disk: Disk
  readonly #clock: Clock
  readonly #log: Log
  readonly #listener: StoreListener
  readonly #failpoints: Failpoints
  readonly #storages: readonly Storage[]
  readonly #catalog = new Catalog()
  readonly #incoming = new Set<BlockId>()

  static async open(options: StoreOptions): Promise<Store> {
    const { disk, clock, log, dirs, listener } = options
    const store = new Store(options, dirs.map(({ dir, id }) => new Storage({ disk, clock, log, dir, id })))
    for (const [i, storage] of store.#storages.entries()) {
      const { blocks, bad } = await storage.open()
      for (const { id, length, crc } of blocks) {
        // The same block in two directories: copied there by a person. One is enough.
        if (store.#catalog.has(id)) { storage.subtract(length); log.warn('a block lies in two directories; one of them is ignored', { block: id, dir: storage.dir }) }
        else store.#catalog.set(id, { length, crc, storage: i })
      }
      for (const id of bad) listener.bad(id)
    }
    return store
  }

  private constructor({ disk, clock, log, listener, failpoints = unarmed }: StoreOptions, storages: readonly Storage[]) {
    this.#disk = disk
    this.#clock = clock
    this.#log = log
    this.#listener = listener
    this.#failpoints = failpoints
    this.#storages = storages
  }

  get blocks(): number { return this.#catalog.count }
  has(id: BlockId): boolean { return this.#catalog.has(id) }

  /** What is known about a block without touching the disk. */
  find(id: BlockId): Replica | undefined {
    const entry = this.#catalog.get(id)
    return entry && { id, length: entry.length, crc: entry.crc, storage: this.#storages[entry.storage]!.id }
  }

  /** Ids of all blocks, rising. */
  ids(): Float64Array { return this.#catalog.ids() }

  /** Measures the free space of all directories and tells how they are. */
  async state(): Promise<StorageState[]> {
    await Promise.all(this.#storages.map(storage => storage.measure()))
    return this.#storages.map(({ id, dir, capacityBytes, freeBytes, reservedBytes, usedBytes, blocks, failed }) => ({
      id, dir, capacityBytes, freeBytes: Math.max(0, freeBytes - reservedBytes), usedBytes: Math.max(0, usedBytes), blocks, failed,
    }))
  }

  /** Starts a block of at most `bytesMax` bytes in the directory with the most room. Throws EEXIST, EBUSY, ENOSPC. */
  async receive(id: BlockId, bytesMax: number): Promise<Incoming> {
    if (this.#catalog.has(id)) throw new GristmillError('EEXIST', `this node has block ${blockName(id)} already`, { details: { block: id } })
    if (this.#incoming.has(id)) throw new GristmillError('EBUSY', `block ${blockName(id)} is being written to this node already`, { details: { block: id } })
    const storage = this.#storages.reduce((best, other) => (other.roomBytes > best.roomBytes ? other : best))
    if (storage.roomBytes < bytesMax) {
      throw new GristmillError('ENOSPC', `no directory of this node has room for ${bytesMax} bytes; the best one, ${storage.dir}, has ${Math.max(0, storage.roomBytes)}`, { details: { block: id } })
    }
    this.#incoming.add(id)
    storage.reservedBytes += bytesMax
    const over = (): void => {
      this.#incoming.delete(id)
      storage.reservedBytes -= bytesMax
    }
    return Incoming.create({ disk: this.#disk, failpoints: this.#failpoints }, storage, { id, bytesMax, end: {
      sealed: (length, crc) => {
        over()
        storage.freeBytes -= length // until it is measured again
        storage.add(length)
        this.#catalog.set(id, { length, crc, storage: this.#storages.indexOf(storage) })
        this.#listener.added({ id, length, crc, storage: storage.id })
      },
      dropped: over,
      syncFailed: error => this.#fail(storage, error),
    } })
  }

  /** Tells once more about a block that somebody believes to be missing here. */
  announce(id: BlockId): void {
    const replica = this.find(id)
    if (replica) this.#listener.added(replica)
  }

  /** Where a block's files lie, for a reader on this host. Throws BLOCK_MISSING. */
  paths(id: BlockId): { data: string; meta: string } {
    const path = this.#storageOf(id).pathOf(id)
    return { data: path, meta: `${path}.meta` }
  }

  /** Throws BLOCK_MISSING if this node has no such block, CORRUPT if its files are not what they should be (then it has been put aside). */
  async open(id: BlockId): Promise<OpenBlock> {
    const path = this.#storageOf(id).pathOf(id)
    let data: DiskReader | undefined
    try {
      data = await this.#disk.openRead(path)
      const meta = decodeMeta(await this.#disk.readFile(`${path}.meta`), id)
      if (meta.length !== data.bytes) throw new GristmillError('CORRUPT', `the file of block ${blockName(id)} has ${data.bytes} bytes, it should have ${meta.length}`)
      const { close } = data
      return { meta, data, close: close.bind(data) }
    } catch (error) {
      await data?.close()
      if (!this.#catalog.has(id)) throw missing(id) // removed while it was opened
      const why = hasCode(error, 'CORRUPT') ? error : new GristmillError('CORRUPT', `the files of block ${blockName(id)} cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`, { cause: error })
      if (isDamage(error)) await this.damaged(id, why)
      throw why
    }
  }

  /** A check of this block has failed: it is put aside and reported. */
  async damaged(id: BlockId, why: unknown): Promise<void> {
    const entry = this.#catalog.delete(id)
    if (!entry) return
    const storage = this.#storages[entry.storage]!
    this.#log.error('a block is damaged; it is put aside', { error: asError(why), block: id, dir: storage.dir })
    storage.subtract(entry.length)
    this.#listener.bad(id)
    await storage.putAside(id)
  }

  /** Reads a block whole and compares. True if it is what it should be; otherwise it has been put aside. */
  async verify(id: BlockId, signal?: AbortSignal): Promise<boolean> {
    let block: OpenBlock
    try {
      block = await this.open(id)
    } catch (error) {
      if (hasCode(error, 'CORRUPT', 'BLOCK_MISSING')) return false
      throw error
    }
    try {
      const { chunkBytes, framePayloadBytesMax } = limits
      const buffer = Buffer.allocUnsafe(Math.min(framePayloadBytesMax, block.meta.length))
      for (let at = 0; at < block.meta.length; at += buffer.length) {
        signal?.throwIfAborted()
        const found = await block.data.read(buffer, at)
        if (found < Math.min(buffer.length, block.meta.length - at)) throw new GristmillError('CORRUPT', `block ${blockName(id)} ends at byte ${at + found}`)
        for (let i = 0; i < found; i += chunkBytes) {
          if (crcOf(buffer.subarray(i, Math.min(i + chunkBytes, found))) === block.meta.crcs[(at + i) / chunkBytes]) continue
          await this.damaged(id, new GristmillError('CORRUPT', `block ${blockName(id)} is damaged in its chunk at byte ${at + i}`))
          return false
        }
      }
      return true
    } catch (error) {
      signal?.throwIfAborted()
      await this.damaged(id, error)
      return false
    } finally {
      await block.close()
    }
  }

  /** Removes blocks, known or put aside. They are unknown at once; their files go one after the other. */
  async remove(ids: readonly BlockId[]): Promise<void> {
    const known: Array<{ id: BlockId; storage: Storage }> = []
    for (const id of ids) {
      const entry = this.#catalog.delete(id)
      if (entry) this.#storages[entry.storage]!.subtract(entry.length)
      this.#listener.removed(id)
      known.push(...(entry ? [{ id, storage: this.#storages[entry.storage]! }] : this.#storages.map(storage => ({ id, storage }))))
    }
    for (const [i, { id, storage }] of known.entries()) {
      try {
        await this.#failpoints.reach('block.delete.before')
        await storage.remove(id)
      } catch (error) {
        this.#log.error('a block cannot be removed', { error: asError(error), block: id })
      }
      if (i % removeBatch === removeBatch - 1) await this.#clock.yield()
    }
  }

  #storageOf(id: BlockId): Storage {
    const entry = this.#catalog.get(id)
    if (!entry) throw missing(id)
    return this.#storages[entry.storage]!
  }

  #fail(storage: Storage, error: unknown): void {
    if (storage.failed) return
    storage.failed = true
    const index = this.#storages.indexOf(storage)
    for (const id of this.#catalog.ids() as unknown as Iterable<BlockId>) {
      if (this.#catalog.get(id)!.storage !== index) continue
      this.#catalog.delete(id)
      this.#listener.removed(id)
    }
    this.#listener.failed(storage, error, this.#storages.every(other => other.failed))
  }
}

const missing = (id: BlockId): GristmillError => new GristmillError('BLOCK_MISSING', `this node has no block ${blockName(id)}`, { details: { block: id } })

/** Failures that will not go away: the files are wrong, gone, or their sectors cannot be read. Running out of descriptors is none. */
const isDamage = (error: unknown): boolean => hasCode(error, 'CORRUPT') || ['ENOENT', 'EIO', 'ELOOP', 'EISDIR'].includes((error as NodeJS.ErrnoException).code ?? '')
