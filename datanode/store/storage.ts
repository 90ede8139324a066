// One directory (disk) of a datanode: where its files lie, how much room there is, and how the disk is.
//
//   blocks/<xx>/<id> and <id>.meta   sealed blocks; <xx> are the last two hex digits of the id
//   incoming/<id> and <id>.meta      being written, unknown to everybody; what is given up is removed, at the next start at the latest
//   trash/                           removed by order, kept for a while
//   quarantine/                      found damaged, the last few of them; quarantine/last/: of their blocks no good replica is known
//
// Invariant: a block is known only after both its files and their names are durable.

import { metaBytes } from '../../src/block/meta.ts'
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

/** Enough to look into a dying disk, too few to fill it. */
const quarantine = { keepMs: 30 * 86_400_000, countMax: 100, bytesMax: 4 * GiB }
/** Whatever else writes to this disk (map outputs, logs) finds room: the trash gives way, and then the quarantine. */
const shortShare = 0.05

export interface StorageOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly log: Log
  readonly dir: string
  readonly id: StorageId
  readonly trashKeepMs: number
}

export class Storage {
  readonly id: StorageId
  readonly dir: string
  readonly trash: RetentionDirectory
  readonly quarantine: RetentionDirectory
  /** Damaged replicas of blocks without a good one. They never go by themselves: a person may still save something. */
  readonly last: RetentionDirectory
  readonly #disk: Disk
  readonly #clock: Clock
  readonly #log: Log
  /** Those of the 256 directories of blocks that are there. */
  readonly #directories = new Set<string>()
  /** Files of blocks that were given up, which the disk did not let go. */
  readonly #leftovers = new Set<string>()
  #sweeping: Promise<void> = Promise.resolve()
  /** Nothing of it is believed any more, and nothing new goes there, as long as this process lives. */
  failed = false
  /** It takes nothing new for now; what it has can be read. */
  closed = false
  /** 0 until it is measured: by the first who wants room, or to know. */
  capacityBytes = 0
  freeBytes = 0
  /** Bytes of sealed blocks and their meta files. */
  usedBytes = 0
  blocks = 0
  /** Bytes that blocks being received may still take. */
  reservedBytes = 0

  constructor({ disk, clock, log, dir, id, trashKeepMs }: StorageOptions) {
    this.#disk = disk
    this.#clock = clock
    this.#log = log.child({ dir })
    this.dir = dir
    this.id = id
    const shared = { disk, clock, log: this.#log }
    this.trash = new RetentionDirectory({ ...shared, dir: `${dir}/trash`, keepMs: trashKeepMs })
    this.quarantine = new RetentionDirectory({ ...shared, dir: `${dir}/quarantine`, ...quarantine })
    this.last = new RetentionDirectory({ ...shared, dir: `${dir}/quarantine/last`, keepMs: Infinity })
  }

  /** What new blocks may take: the trash gives way to them. */
  get roomBytes(): number { return this.failed || this.closed ? 0 : this.freeBytes + this.trash.bytes - this.reservedBytes }

  get state(): StorageState {
    const { id, dir, capacityBytes, usedBytes, blocks, failed, closed, trash, quarantine, last } = this
    return {
      id, dir, capacityBytes, freeBytes: Math.max(0, this.roomBytes), usedBytes: Math.max(0, usedBytes), blocks, failed,
      ...closed && { closed }, trashBytes: trash.bytes, quarantined: quarantine.count + last.count,
    }
  }

  directoryOf(id: BlockId): string { return `${this.dir}/blocks/${blockName(id).slice(-2)}` }
  pathOf(id: BlockId): string { return `${this.directoryOf(id)}/${blockName(id)}` }
  incomingPathOf(id: BlockId): string { return `${this.dir}/incoming/${blockName(id)}` }

  /** Makes the directories, removes what interrupted writes left, and finds the blocks. Throws what the disk says. */
  async open(): Promise<ScannedBlock> {
    const disk = this.#disk
    for (const name of ['incoming', 'blocks']) await disk.mkdir(`${this.dir}/${name}`)
    await disk.syncDir(`${this.dir}/blocks`)
    for (const { name, kind } of await disk.list(`${this.dir}/incoming`)) {
      if (kind === 'file' && parseBlockName(name.replace(/\.meta$/, '')) !== undefined) await disk.remove(`${this.dir}/incoming/${name}`)
    }
    const found = await scan({ disk, clock: this.#clock, log: this.#log }, `${this.dir}/blocks`)
    for (const name of found.directories) this.#directories.add(name)
    for (const { length } of found.blocks) this.add(length)
    for (const retained of [this.trash, this.quarantine, this.last]) await retained.open()
    await disk.syncDir(this.dir)
    return found
  }

  /** Makes sure that a block has a directory to go to, and that its name is durable; `sync` makes names in a directory so. */
  async prepare(id: BlockId, sync: (directory: string) => Promise<void>): Promise<void> {
    const name = blockName(id).slice(-2)
    const path = `${this.dir}/blocks/${name}`
    // One look for each block: somebody may have removed it.
    if (this.#directories.has(name) && await this.#disk.stat(path)) return
    await this.#disk.mkdir(path)
    await sync(`${this.dir}/blocks`)
    this.#directories.add(name)
  }

  add(length: number): void {
    this.blocks++
    this.usedBytes += length + metaBytes(length)
  }

  subtract(length: number): void {
    this.blocks--
    this.usedBytes -= length + metaBytes(length)
  }

  async measure(): Promise<void> {
    if (this.failed) return
    try {
      const { capacityBytes, freeBytes } = await this.#disk.space(this.dir)
      this.capacityBytes = capacityBytes
      this.freeBytes = freeBytes
    } catch (error) {
      this.#log.warn('the free space cannot be told', { error: asError(error) })
    }
  }

  /** Lets the trash go until what is reserved fits; at its end, nothing more can be done. */
  async makeRoom(): Promise<void> {
    while (this.freeBytes < this.reservedBytes) {
      const bytes = await this.trash.dropOldest()
      if (bytes === undefined) return
      this.freeBytes += bytes // until it is measured again
    }
  }

  /** Removes files of a block that was given up. What the disk does not let go now goes when it does. Never throws. */
  async discard(paths: readonly string[]): Promise<void> {
    for (const path of paths) await this.#disk.remove(path).catch(() => { this.#leftovers.add(path) })
  }

  /** A block is to come in under names that leftovers may have still. Throws what the disk says. */
  async vacate(id: BlockId): Promise<void> {
    const taken = [this.incomingPathOf(id), this.pathOf(id)]
      .flatMap(path => [path, `${path}.meta`])
      .filter(path => this.#leftovers.delete(path))
    // From here on no sweep begins with them; one that has begun must not take what comes after.
    await this.#sweeping
    for (const [i, path] of taken.entries()) {
      try {
        await this.#disk.remove(path)
      } catch (error) {
        for (const left of taken.slice(i)) this.#leftovers.add(left)
        throw error
      }
    }
  }

  async #sweep(): Promise<void> {
    for (const path of this.#leftovers) {
      try {
        await this.#disk.remove(path)
        this.#leftovers.delete(path)
      } catch {
        return // the disk still holds on
      }
    }
  }

  /** Removes what has been kept for long enough, and more where the disk is nearly full. */
  async tidy(): Promise<void> {
    await (this.#sweeping = this.#sweep())
    for (const retained of [this.trash, this.quarantine]) await retained.trim()
    await this.measure()
    for (const retained of [this.trash, this.quarantine]) {
      while (this.freeBytes < this.capacityBytes * shortShare) {
        const bytes = await retained.dropOldest()
        if (bytes === undefined) break
        this.freeBytes += bytes
      }
    }
  }

  /** Is the directory still what it was? One whose disk was taken away is empty, or cannot be asked. */
  async present(): Promise<boolean> {
    try {
      return (await this.#disk.stat(`${this.dir}/blocks`))?.kind === 'directory'
    } catch (error) {
      return isExhaustion(error)
    }
  }

  /** Does it take files now? What it says if not. */
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
