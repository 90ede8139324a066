// One data directory (disk) of a datanode: paths of its files, free space, state of the disk.
//
//   blocks/<xx>/<id> and <id>.meta   sealed blocks; <xx> are the last two hex digits of the id
//   incoming/<id> and <id>.meta      being received, not reported; aborted ones are removed, at the next start at the latest
//   trash/                           removed by order, kept for a limited time
//   quarantine/                      damaged replicas, the newest ones
//   quarantine/last/                 damaged replicas of blocks of which no good replica is known
//
// Invariant: a file below `blocks/` is synced, and its name is, before its block is sealed (replicas.ts). `replicas.ts` alone counts
// blocks, `disks.ts` alone sets `failed` and `closed`; bytes are counted here (`reserve`, `release`, `consume`, `exhaust`).

import { metaBytes } from '../../src/block/meta.ts'
import { assert, assertKept } from '../../src/base/assert.ts'
import { asError } from '../../src/base/errors.ts'
import { isExhaustion } from '../../src/base/exhaustion.ts'
import { blockName, parseBlockName, type BlockId, type StorageId } from '../../src/base/ids.ts'
import { GiB } from '../../src/base/units.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { Log } from '../../src/ports/log.ts'
import type { StorageState } from '../../src/protocol/heartbeat.ts'
import { scan, type ScannedBlock } from './scan.ts'
import { RetentionDirectory } from './retention.ts'
import { diskErrorOf, type DiskError } from './diskerror.ts'

/** Enough to investigate a dying disk, too few to fill it. */
const quarantine = { keepMs: 30 * 86_400_000, countMax: 100, bytesMax: 4 * GiB }
/** Share of the disk that stays free for other writers (map outputs, logs): below it the trash is emptied, then the quarantine. */
const shortShare = 0.05

interface StorageOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly log: Log
  readonly dir: string
  readonly id: StorageId
  readonly trashKeepMs: number
  /** The directory could not be opened when the process started. */
  readonly failed?: boolean
}

export class Storage {
  readonly id: StorageId
  readonly dir: string
  readonly trash: RetentionDirectory
  readonly quarantine: RetentionDirectory
  /** Damaged replicas of blocks without a good one. They are never removed by age or size: an operator may still salvage data. */
  readonly last: RetentionDirectory
  readonly #disk: Disk
  readonly #clock: Clock
  readonly #log: Log
  /** Those of the 256 directories below `blocks/` that exist. */
  readonly #directories = new Set<string>()
  /** Files of aborted blocks that the disk refused to remove. */
  readonly #leftovers = new Set<string>()
  #sweeping: Promise<void> = Promise.resolve()
  /** The disk is neither read nor written any more, until the process restarts. */
  failed: boolean
  /** The disk refuses writes for now; its blocks can be read. */
  closed = false
  /** 0 until the first measurement: by the first reservation or state request. */
  #capacityBytes = 0
  #filesystem: string | undefined
  /** As measured, with estimates of what has changed since. */
  #freeBytes = 0
  /** Bytes of sealed blocks and their meta files. */
  #usedBytes = 0
  #blocks = 0
  /** Maximum sizes of the blocks being received, and their sum. */
  readonly #reserved = new Map<BlockId, number>()
  #reservedBytes = 0

  constructor({ disk, clock, log, dir, id, trashKeepMs, failed = false }: StorageOptions) {
    this.#disk = disk
    this.#clock = clock
    this.#log = log.child({ dir })
    this.dir = dir
    this.id = id
    this.failed = failed
    const shared = { disk, clock, log: this.#log }
    this.trash = new RetentionDirectory({ ...shared, dir: `${dir}/trash`, keepMs: trashKeepMs })
    this.quarantine = new RetentionDirectory({ ...shared, dir: `${dir}/quarantine`, ...quarantine })
    this.last = new RetentionDirectory({ ...shared, dir: `${dir}/quarantine/last`, keepMs: Infinity })
  }

  /** Bytes available to new blocks; the trash counts as free. */
  get roomBytes(): number { return this.failed || this.closed ? 0 : this.#freeBytes + this.trash.bytes - this.#reservedBytes }

  get reservedBytes(): number { return this.#reservedBytes }
  get usedBytes(): number { return this.#usedBytes }

  get state(): StorageState {
    const { id, dir, failed, closed, trash, quarantine, last } = this
    return {
      id, dir, capacityBytes: this.#capacityBytes, freeBytes: Math.max(0, this.roomBytes), usedBytes: Math.max(0, this.#usedBytes),
      blocks: this.#blocks, failed, ...this.#filesystem !== undefined && { filesystem: this.#filesystem },
      ...closed && { closed }, trashBytes: trash.bytes, quarantined: quarantine.count + last.count,
    }
  }

  directoryOf(id: BlockId): string { return `${this.dir}/blocks/${blockName(id).slice(-2)}` }
  pathOf(id: BlockId): string { return `${this.directoryOf(id)}/${blockName(id)}` }
  incomingPathOf(id: BlockId): string { return `${this.dir}/incoming/${blockName(id)}` }

  /** Makes the directories, removes leftovers of interrupted writes, and scans the blocks. Throws the disk's error. */
  async open(): Promise<ScannedBlock> {
    const disk = this.#disk
    for (const name of ['incoming', 'blocks']) await disk.mkdir(`${this.dir}/${name}`)
    await disk.syncDir(`${this.dir}/blocks`)
    for (const { name, kind } of await disk.list(`${this.dir}/incoming`)) {
      if (kind === 'file' && parseBlockName(name.replace(/\.meta$/, '')) !== undefined) await disk.remove(`${this.dir}/incoming/${name}`)
    }
    const found = await scan({ disk, clock: this.#clock, log: this.#log }, `${this.dir}/blocks`)
    for (const name of found.directories) this.#directories.add(name)
    for (const directory of [this.trash, this.quarantine, this.last]) await directory.open()
    await disk.syncDir(this.dir)
    return found
  }

  /** Makes the directory of a block, if missing, and its name durable; `sync` must sync the names in a directory. */
  async prepare(id: BlockId, sync: (directory: string) => Promise<void>): Promise<void> {
    const name = blockName(id).slice(-2)
    const path = `${this.dir}/blocks/${name}`
    // Checked for each block: the directory may have been removed from outside.
    if (this.#directories.has(name) && await this.#disk.stat(path)) return
    await this.#disk.mkdir(path)
    await sync(`${this.dir}/blocks`)
    this.#directories.add(name)
  }

  /** Counts a sealed block. */
  add(length: number): void {
    this.#blocks++
    this.#usedBytes += length + metaBytes(length)
  }

  /** A sealed block is no longer one. */
  subtract(length: number): void {
    this.#blocks--
    this.#usedBytes -= length + metaBytes(length)
  }

  /** Keeps room for a block that is being received, until `release`. */
  reserve(id: BlockId, bytes: number): void {
    assert(!this.#reserved.has(id), 'a block is received once at a time')
    this.#reserved.set(id, bytes)
    this.#reservedBytes += bytes
  }

  release(id: BlockId): void {
    const bytes = this.#reserved.get(id)
    assert(bytes !== undefined, 'what is released has been reserved')
    this.#reserved.delete(id)
    this.#reservedBytes -= bytes
  }

  /**
   * Throws AssertionFailed if a sum differs: from the sealed blocks on this disk and their bytes with meta files, from the reservations, or
   * from the blocks that are retained. `isIncoming`: the block is being received. For tests and simulations.
   */
  checkState(sealed: { readonly blocks: number; readonly bytes: number }, isIncoming: (id: BlockId) => boolean): void {
    assertKept('blocks', this.#blocks, sealed.blocks, this.dir)
    assertKept('used bytes', this.#usedBytes, sealed.bytes, this.dir)
    assertKept('reserved bytes', this.#reservedBytes, this.#reserved.values().reduce((sum, bytes) => sum + bytes, 0), this.dir)
    for (const id of this.#reserved.keys()) assert(isIncoming(id), `${this.dir} reserves room for block ${id}, which is not being received`)
    assert(!Number.isNaN(this.#freeBytes), `${this.dir} has ${this.#freeBytes} free bytes`)
    for (const directory of [this.trash, this.quarantine, this.last]) directory.checkState()
  }

  /** Counts written bytes as not free any more, until the next measurement. */
  consume(bytes: number): void { this.#freeBytes -= bytes }

  /** The disk has said that it is full: nothing is free until the next measurement. */
  exhaust(): void { this.#freeBytes = 0 }

  async measure(): Promise<void> {
    if (this.failed) return
    try {
      const { capacityBytes, freeBytes, filesystem } = await this.#disk.space(this.dir)
      this.#capacityBytes = capacityBytes
      this.#filesystem = filesystem
      this.#freeBytes = freeBytes
    } catch (error) {
      this.#log.warn('the free space cannot be measured', { error: asError(error) })
    }
  }

  /** Removes trash, oldest first, until the reserved bytes fit or the trash is empty. */
  async makeRoom(): Promise<void> {
    while (this.#freeBytes < this.#reservedBytes) {
      const bytes = await this.trash.dropOldest()
      if (bytes === undefined) return
      this.#freeBytes += bytes // until it is measured again
    }
  }

  /** Removes files of an aborted block. Those that the disk refuses to remove are tried again by `tidy`. Never throws. */
  async discard(paths: readonly string[]): Promise<void> {
    for (const path of paths) await this.#disk.remove(path).catch(() => { this.#leftovers.add(path) })
  }

  /** Removes leftovers with the names of a block that is about to be received. Throws the disk's error. */
  async vacate(id: BlockId): Promise<void> {
    const taken = [this.incomingPathOf(id), this.pathOf(id)]
      .flatMap(path => [path, `${path}.meta`])
      .filter(path => this.#leftovers.delete(path))
    // They are off the list, so a new sweep skips them; a running sweep must end first, or it could remove the new files.
    await this.#sweeping
    for (const [i, path] of taken.entries()) {
      try {
        await this.clear(path)
      } catch (error) {
        for (const left of taken.slice(i)) this.#leftovers.add(left)
        throw error
      }
    }
  }

  /** Removes what is in the way of a block's file. A directory is nothing of ours: it is put aside, for an operator to look at. */
  async clear(path: string): Promise<void> {
    try {
      await this.#disk.remove(path)
    } catch (error) {
      if ((await this.#disk.stat(path))?.kind !== 'directory') throw error
      const aside = `${this.dir}/quarantine/${path.slice(path.lastIndexOf('/') + 1)}.directory-${Math.floor(this.#clock.now())}`
      await this.#disk.rename(path, aside)
      this.#log.warn("a directory was in the place of a block's file, and was put aside; look what it has, and remove it", { path, aside })
    }
  }

  async #sweep(): Promise<void> {
    for (const path of this.#leftovers) {
      try {
        await this.clear(path)
        this.#leftovers.delete(path)
      } catch {
        return // the disk still refuses
      }
    }
  }

  /** Removes leftovers and blocks past their retention limits, and more of the latter if the disk is nearly full. */
  async tidy(): Promise<void> {
    await (this.#sweeping = this.#sweep())
    for (const directory of [this.trash, this.quarantine]) await directory.trim()
    await this.measure()
    for (const directory of [this.trash, this.quarantine]) {
      while (this.#freeBytes < this.#capacityBytes * shortShare) {
        const bytes = await directory.dropOldest()
        if (bytes === undefined) break
        this.#freeBytes += bytes
      }
    }
  }

  /** True if the disk is still mounted: the directory of a removed disk is empty, or cannot be read. */
  async present(): Promise<boolean> {
    try {
      return (await this.#disk.stat(`${this.dir}/blocks`))?.kind === 'directory'
    } catch (error) {
      return isExhaustion(error)
    }
  }

  /** Tests whether the disk accepts a new file. Returns the state that follows from its refusal; undefined if it accepts. */
  async probe(): Promise<DiskError | undefined> {
    const path = `${this.dir}/incoming/probe`
    try {
      await (await this.#disk.create(path, { exclusive: false })).close()
      await this.#disk.remove(path)
      return undefined
    } catch (error) {
      return diskErrorOf(error) ?? 'closed'
    }
  }
}
