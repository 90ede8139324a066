// A block that is being received. It becomes a replica when `seal` returns; on any earlier end its files are removed.
// Seal: sync data, write and sync meta, rename both (meta first), sync the directory. The block is reported only after that.
//
// Data is synced every 32 MiB while more arrives: the last sync is then short, and dirty pages do not pile up until the kernel blocks
// the whole process.

import { encodeMeta } from '../../src/block/meta.ts'
import type { ChunkTable } from '../../src/block/checksum.ts'
import { assert } from '../../src/base/assert.ts'
import { GristmillError } from '../../src/base/errors.ts'
import { blockName, type BlockId } from '../../src/base/ids.ts'
import { MiB } from '../../src/base/units.ts'
import type { Disk, DiskWriter } from '../../src/ports/disk.ts'
import type { Failpoints } from '../../src/ports/failpoints.ts'
import type { Storage } from './storage.ts'
import { refusalOf, syncErrorOf, diskErrorOf, type DiskError } from './diskerror.ts'

const syncBytes = 32 * MiB

export interface IncomingTools { readonly disk: Disk; readonly failpoints: Failpoints }

interface IncomingEnd {
  /** The block is durable. */
  sealed(length: number, crc: number): void
  /** Its files were removed, or will be at the next start. */
  dropped(): void
  /** The disk refused an operation; `diskError` is the state that follows for the disk. */
  diskError(diskError: DiskError, error: unknown): void
}

export class Incoming {
  readonly id: BlockId
  readonly bytesMax: number
  readonly #disk: Disk
  readonly #failpoints: Failpoints
  readonly #storage: Storage
  readonly #writer: DiskWriter
  readonly #end: IncomingEnd
  #syncing: Promise<void> | undefined
  #syncedBytes = 0
  #syncError: { error: unknown } | undefined
  #ended = false

  static async create(
    { disk, failpoints }: IncomingTools, storage: Storage,
    { id, bytesMax, end }: { id: BlockId; bytesMax: number; end: IncomingEnd },
  ): Promise<Incoming> {
    try {
      await failpoints.reach('block.receive')
      await storage.vacate(id)
      const path = storage.incomingPathOf(id)
      const writer = await createAnew(disk, path).catch(async (error: unknown) => {
        // The directory was removed from outside. If the disk itself is gone, no directory is made on its mount point.
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || !(await storage.present())) throw error
        await disk.mkdir(path.slice(0, path.lastIndexOf('/')))
        return createAnew(disk, path)
      })
      return new Incoming({ disk, failpoints }, storage, { id, bytesMax, writer, end })
    } catch (error) {
      end.dropped()
      tell(end, error)
      throw refusalOf(error, storage.dir, id)
    }
  }

  private constructor(
    { disk, failpoints }: IncomingTools, storage: Storage,
    { id, bytesMax, writer, end }: { id: BlockId; bytesMax: number; writer: DiskWriter; end: IncomingEnd },
  ) {
    this.id = id
    this.bytesMax = bytesMax
    this.#disk = disk
    this.#failpoints = failpoints
    this.#storage = storage
    this.#writer = writer
    this.#end = end
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
      tell(this.#end, error)
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
    const failpoints = this.#failpoints
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
      await this.#disk.rename(`${from}.meta`, `${to}.meta`)
      await failpoints.reach('block.rename.between')
      await this.#disk.rename(from, to)
      await failpoints.reach('block.rename.after')
      await this.#syncDirectory(this.#storage.directoryOf(id))
      await failpoints.reach('block.syncdir.after')
    } catch (error) {
      await this.#drop([from, to])
      tell(this.#end, error)
      throw refusalOf(error instanceof SyncFailed ? error.cause : error, this.#storage.dir, id)
    }
    this.#end.sealed(table.bytes, table.crc)
  }

  /** Removes the unfinished block. Never throws; may be called at any time. */
  async abort(): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    await this.#drop([this.#storage.incomingPathOf(this.id)])
  }

  async #writeMeta(path: string, table: ChunkTable): Promise<void> {
    const writer = await createAnew(this.#disk, path)
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
      await this.#disk.syncDir(path)
    } catch (error) {
      throw new SyncFailed(error)
    }
  }

  async #drop(paths: readonly string[]): Promise<void> {
    await this.#syncing
    await this.#writer.close().catch(() => {})
    await this.#storage.discard(paths.flatMap(path => [path, `${path}.meta`]))
    this.#end.dropped()
  }
}

class SyncFailed extends Error {
  override name = 'SyncFailed'
  constructor(cause: unknown) { super('a sync failed', { cause }) }
}

/** Removes a leftover of an earlier attempt first: an existing file, which may have other hard links, is never written into. */
async function createAnew(disk: Disk, path: string): Promise<DiskWriter> {
  await disk.remove(path)
  return disk.create(path)
}

/** Reports the disk state that follows from an error, if any does. */
function tell(end: IncomingEnd, error: unknown): void {
  const synced = error instanceof SyncFailed
  const diskError = synced ? syncErrorOf(error.cause) : diskErrorOf(error)
  if (diskError) end.diskError(diskError, synced ? error.cause : error)
}
