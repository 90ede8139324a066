// A block that is being received: the choice of its disk, its files until they are durable, and their removal after an error or abort.
// If a disk refuses the block at its start, the next one is tried. Its `bytesMax` bytes stay reserved on the disk until its end.
// Seal: sync data, write and sync meta, rename both (meta first), sync the directory. The block is reported only after that.
//
// Data is synced every 32 MiB while more arrives: the last sync is then short, and dirty pages do not pile up until the kernel blocks
// the whole process.

import { encodeMeta } from '../../src/block/meta.ts'
import type { ChunkTable } from '../../src/block/checksum.ts'
import { assert } from '../../src/base/assert.ts'
import { GristmillError, hasCode } from '../../src/base/errors.ts'
import { isExhaustion } from '../../src/base/exhaustion.ts'
import { blockName, type BlockId } from '../../src/base/ids.ts'
import { MiB } from '../../src/base/units.ts'
import type { Disk, DiskWriter } from '../../src/ports/disk.ts'
import type { Failpoints } from '../../src/ports/failpoints.ts'
import { refusalOf, syncErrorOf, diskErrorOf } from './diskerror.ts'
import type { Disks } from './disks.ts'
import type { Replicas } from './replicas.ts'
import type { Storage } from './storage.ts'

const syncBytes = 32 * MiB

export interface IncomingDeps {
  readonly disk: Disk
  readonly failpoints: Failpoints
  readonly disks: Disks
  readonly replicas: Replicas
}

interface IncomingOptions { readonly id: BlockId; readonly bytesMax: number }

export class Incoming {
  readonly id: BlockId
  readonly bytesMax: number
  readonly #deps: IncomingDeps
  readonly #storage: Storage
  readonly #writer: DiskWriter
  #syncing: Promise<void> | undefined
  #syncedBytes = 0
  #syncError: { error: unknown } | undefined
  #ended = false

  /** Starts a block of at most `bytesMax` bytes on the disk with the most room. Throws EEXIST, EBUSY, ENOSPC. */
  static async begin(deps: IncomingDeps, options: IncomingOptions): Promise<Incoming> {
    const { disks, replicas } = deps
    const { id, bytesMax } = options
    replicas.begin(id)
    try {
      for (const tried = new Set<Storage>(); ;) {
        const storage = await disks.reserve(id, bytesMax, tried)
        tried.add(storage)
        try {
          await makeRoom(deps, storage, id)
          return new Incoming(deps, storage, { ...options, writer: await openWriter(deps, storage, id) })
        } catch (error) {
          storage.release(id)
          // This disk refuses the block; another one may take it.
          if (!hasCode(error, 'ENOSPC') || tried.size === disks.all.length) throw error
        }
      }
    } catch (error) {
      replicas.aborted(id)
      throw error
    }
  }

  private constructor(deps: IncomingDeps, storage: Storage, { id, bytesMax, writer }: IncomingOptions & { writer: DiskWriter }) {
    this.id = id
    this.bytesMax = bytesMax
    this.#deps = deps
    this.#storage = storage
    this.#writer = writer
  }

  /** Throws ENOSPC if the disk refuses the bytes; the caller must then abort the block. */
  write(bytes: Uint8Array): void {
    assert(!this.#ended, 'a block that has ended takes no bytes')
    if (this.#writer.bytes + bytes.length > this.bytesMax) {
      throw new GristmillError('TOO_LARGE', `block ${blockName(this.id)} was announced with at most ${this.bytesMax} bytes and has more`)
    }
    try {
      this.#writer.writeSync(bytes)
    } catch (error) {
      note(this.#deps.disks, this.#storage, error)
      throw refusalOf(error, this.#storage.dir, this.id)
    }
    if (this.#writer.bytes - this.#syncedBytes >= syncBytes && !this.#syncing) this.#flush()
  }

  #flush(): void {
    this.#syncedBytes = this.#writer.bytes
    this.#syncing = this.#writer.sync()
      .catch((error: unknown) => { this.#syncError = { error } })
      .finally(() => { this.#syncing = undefined })
  }

  /** Makes the block durable and reports it. `table`: checksums of exactly the written bytes. After an error its files are removed. */
  async seal(table: ChunkTable): Promise<void> {
    assert(!this.#ended, 'a block is sealed once')
    assert(table.bytes === this.#writer.bytes, 'the table covers what was written')
    this.#ended = true
    const { id } = this
    const { disk, failpoints, disks } = this.#deps
    const from = this.#storage.incomingPathOf(id)
    const to = this.#storage.pathOf(id)
    try {
      await this.#syncing
      await failpoints.reach('block.finalise.before')
      if (this.#syncError) throw new SyncFailed(this.#syncError.error)
      const [data, meta] = await Promise.allSettled([this.#sync(this.#writer), this.#writeMeta(`${from}.meta`, table)])
      if (data.status === 'rejected') throw data.reason
      if (meta.status === 'rejected') throw meta.reason
      await this.#writer.close()
      await this.#storage.prepare(id, directory => this.#syncDirectory(directory))
      await failpoints.reach('block.rename.before')
      await disk.rename(`${from}.meta`, `${to}.meta`)
      await failpoints.reach('block.rename.between')
      await disk.rename(from, to)
      await failpoints.reach('block.rename.after')
      await this.#syncDirectory(this.#storage.directoryOf(id))
      await failpoints.reach('block.syncdir.after')
    } catch (error) {
      await this.#drop([from, to])
      note(disks, this.#storage, error)
      throw refusalOf(error instanceof SyncFailed ? error.cause : error, this.#storage.dir, id)
    }
    this.#sealed(table)
  }

  #sealed({ bytes: length, crc }: ChunkTable): void {
    const { replicas } = this.#deps
    const storage = this.#storage
    storage.release(this.id)
    if (storage.failed) {
      replicas.aborted(this.id)
      throw new GristmillError('ENOSPC', `the disk of ${storage.dir} has failed while block ${blockName(this.id)} was written to it`, {
        details: { block: this.id },
      })
    }
    storage.consume(length)
    replicas.sealed(this.id, { storage, length, crc })
  }

  /** Removes the unfinished block. Never throws; may be called at any time. */
  async abort(): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    await this.#drop([this.#storage.incomingPathOf(this.id)])
  }

  async #writeMeta(path: string, table: ChunkTable): Promise<void> {
    const writer = await createAnew(this.#storage, this.#deps.disk, path)
    try {
      writer.writeSync(encodeMeta({ id: this.id, length: table.bytes, crc: table.crc, crcs: table.crcs }))
      await this.#sync(writer)
    } finally {
      await writer.close()
    }
  }

  async #sync(writer: DiskWriter): Promise<void> {
    try {
      await writer.sync()
    } catch (error) {
      throw new SyncFailed(error)
    }
  }

  async #syncDirectory(path: string): Promise<void> {
    try {
      await this.#deps.disk.syncDir(path)
    } catch (error) {
      throw new SyncFailed(error)
    }
  }

  async #drop(paths: readonly string[]): Promise<void> {
    await this.#syncing
    await this.#writer.close().catch(() => {})
    await this.#storage.discard(paths.flatMap(path => [path, `${path}.meta`]))
    this.#storage.release(this.id)
    this.#deps.replicas.aborted(this.id)
  }
}

class SyncFailed extends Error {
  override name = 'SyncFailed'
  constructor(cause: unknown) { super('a sync failed', { cause }) }
}

/** Moves older files of the block out of `blocks/`, and removes trash until the reserved bytes fit. */
async function makeRoom({ replicas }: IncomingDeps, storage: Storage, id: BlockId): Promise<void> {
  try {
    await replicas.clear(id)
    await storage.makeRoom()
  } catch (error) {
    if (isExhaustion(error)) throw refusalOf(error, storage.dir, id)
    throw new GristmillError('ENOSPC', `the disk of ${storage.dir} refuses to remove deleted blocks`, {
      cause: error, details: { block: id },
    })
  }
}

async function openWriter({ disk, failpoints, disks }: IncomingDeps, storage: Storage, id: BlockId): Promise<DiskWriter> {
  try {
    await failpoints.reach('block.receive')
    await storage.vacate(id)
    const path = storage.incomingPathOf(id)
    return await createAnew(storage, disk, path).catch(async (error: unknown) => {
      // The directory was removed from outside. If the disk itself is gone, no directory is made on its mount point.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || !(await storage.present())) throw error
      await disk.mkdir(path.slice(0, path.lastIndexOf('/')))
      return createAnew(storage, disk, path)
    })
  } catch (error) {
    note(disks, storage, error)
    throw refusalOf(error, storage.dir, id)
  }
}

/** Removes a leftover of an earlier attempt first: an existing file, which may have other hard links, is never written into. */
async function createAnew(storage: Storage, disk: Disk, path: string): Promise<DiskWriter> {
  await storage.clear(path)
  return disk.create(path)
}

/** Sets the state of the disk that follows from an error, if any does. */
function note(disks: Disks, storage: Storage, error: unknown): void {
  const synced = error instanceof SyncFailed
  const diskError = synced ? syncErrorOf(error.cause) : diskErrorOf(error)
  if (diskError) disks.diskError(storage, diskError, synced ? error.cause : error)
}
