// One directory (disk) of a datanode: where its files lie, how much room there is, and what was found at the start.
//
//   blocks/<xx>/<id> and <id>.meta   sealed blocks; <xx> are the last two hex digits of the id
//   incoming/<id> and <id>.meta      being written, unknown to everybody, removed at the next start
//   bad/<id> and <id>.meta           damaged ones, kept aside for a person, the last few of them
//
// Invariant: a block is known only after both its files and their names are durable. Files that are not ours are left alone.

import { decodeMetaHeader, metaBytes, metaHeaderBytes, type MetaHeader } from '../../src/block/meta.ts'
import { asError } from '../../src/base/errors.ts'
import { blockName, parseBlockName, type BlockId, type StorageId } from '../../src/base/ids.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { Log } from '../../src/ports/log.ts'

/** Damaged blocks kept per directory: enough to look into a dying disk, too few to fill it. */
const badMax = 16

export interface StorageOptions { readonly disk: Disk; readonly clock: Clock; readonly log: Log; readonly dir: string; readonly id: StorageId }

export interface Found { readonly blocks: readonly MetaHeader[]; readonly bad: readonly BlockId[] }

export class Storage {
  readonly id: StorageId
  readonly dir: string
  readonly #disk: Disk
  readonly #clock: Clock
  readonly #log: Log
  /** Those of the 256 directories of blocks that are there. */
  readonly #directories = new Set<string>()
  /** It refused a sync or cannot be read any more: nothing new goes there. */
  failed = false
  capacityBytes = 0
  freeBytes = 0
  /** Bytes of sealed blocks and their meta files. */
  usedBytes = 0
  blocks = 0
  /** Bytes that blocks being received may still take. */
  reservedBytes = 0

  constructor({ disk, clock, log, dir, id }: StorageOptions) {
    this.#disk = disk
    this.#clock = clock
    this.#log = log.child({ dir })
    this.dir = dir
    this.id = id
  }

  get roomBytes(): number { return this.failed ? 0 : this.freeBytes - this.reservedBytes }

  directoryOf(id: BlockId): string { return `${this.dir}/blocks/${blockName(id).slice(-2)}` }
  pathOf(id: BlockId): string { return `${this.directoryOf(id)}/${blockName(id)}` }
  incomingPathOf(id: BlockId): string { return `${this.dir}/incoming/${blockName(id)}` }

  /** Makes the directories, removes what interrupted writes left, and finds the sealed blocks. */
  async open(): Promise<Found> {
    await this.#disk.mkdir(`${this.dir}/incoming`)
    await this.#disk.mkdir(`${this.dir}/bad`)
    await this.#disk.mkdir(`${this.dir}/blocks`)
    for (const { name, kind } of await this.#disk.list(`${this.dir}/incoming`)) {
      if (kind === 'file' && parseBlockName(name.replace(/\.meta$/, '')) !== undefined) await this.#disk.remove(`${this.dir}/incoming/${name}`)
    }
    const blocks: MetaHeader[] = []
    const bad: BlockId[] = []
    let foreign = 0
    for (const { name, kind } of await this.#disk.list(`${this.dir}/blocks`)) {
      if (kind !== 'directory' || !/^[0-9a-f]{2}$/.test(name)) { foreign++; continue }
      this.#directories.add(name)
      foreign += await this.#scan(name, blocks, bad)
    }
    await this.#disk.syncDir(this.dir)
    if (foreign > 0) this.#log.warn('files that are not gristmill\'s lie among the blocks; they are left alone', { foreign })
    await this.measure()
    return { blocks, bad }
  }

  /** Makes sure that a block has a directory to go to, and that its name is durable; `sync` makes names in a directory so. */
  async prepare(id: BlockId, sync: (directory: string) => Promise<void>): Promise<void> {
    const name = blockName(id).slice(-2)
    if (this.#directories.has(name)) return
    await this.#disk.mkdir(`${this.dir}/blocks/${name}`)
    await sync(`${this.dir}/blocks`)
    this.#directories.add(name)
  }

  /** One of the up to 256 directories. Returns how many files were not ours. */
  async #scan(directory: string, blocks: MetaHeader[], bad: BlockId[]): Promise<number> {
    const path = `${this.dir}/blocks/${directory}`
    const entries = await this.#disk.list(path)
    const files = new Set(entries.filter(({ kind }) => kind === 'file').map(({ name }) => name))
    let foreign = entries.length - files.size
    for (const name of files) {
      const id = parseBlockName(name.endsWith('.meta') ? name.slice(0, -5) : name)
      if (id === undefined || !name.startsWith(directory, 14)) { foreign++; continue }
      if (name.endsWith('.meta')) {
        // Renaming them begins with the meta file; alone, it is what a crash between the two left.
        if (!files.has(name.slice(0, -5))) await this.#disk.remove(`${path}/${name}`)
        continue
      }
      try {
        const header = this.#header(id)
        this.add(header.length)
        blocks.push(header)
      } catch (error) {
        this.#log.error('a block is damaged; it is put aside', { error: asError(error), block: id })
        await this.putAside(id)
        bad.push(id)
      }
    }
    await this.#clock.yield()
    return foreign
  }

  /** Sizes and headers only: the bytes are checked whenever they are read. */
  #header(id: BlockId): MetaHeader {
    const path = this.pathOf(id)
    const meta = this.#disk.openReadSync(`${path}.meta`)
    try {
      const bytes = Buffer.allocUnsafe(metaHeaderBytes)
      const header = decodeMetaHeader(bytes.subarray(0, meta.readSync(bytes, 0)), id)
      const data = this.#disk.openReadSync(path)
      void data.close()
      if (data.bytes !== header.length) throw new Error(`the block file has ${data.bytes} bytes, its meta file says ${header.length}`)
      if (meta.bytes !== metaBytes(header.length)) throw new Error(`the meta file has ${meta.bytes} bytes instead of ${metaBytes(header.length)}`)
      return header
    } finally {
      void meta.close()
    }
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
    try {
      const { capacityBytes, freeBytes } = await this.#disk.space(this.dir)
      this.capacityBytes = capacityBytes
      this.freeBytes = freeBytes
    } catch (error) {
      this.#log.warn('the free space cannot be told', { error: asError(error) })
    }
  }

  /** Moves a damaged block out of the way; it is never served or reported again. */
  async putAside(id: BlockId): Promise<void> {
    const path = this.pathOf(id)
    const aside = `${this.dir}/bad/${blockName(id)}`
    for (const suffix of ['', '.meta']) {
      try {
        await this.#disk.rename(path + suffix, aside + suffix)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#log.error('a damaged block cannot be put aside', { error: asError(error), block: id })
      }
    }
    await this.#trimBad()
  }

  async #trimBad(): Promise<void> {
    const names = (await this.#disk.list(`${this.dir}/bad`)).filter(({ name, kind }) => kind === 'file' && parseBlockName(name) !== undefined).map(({ name }) => name).sort()
    for (const name of names.slice(0, Math.max(0, names.length - badMax))) await this.#removePair(`${this.dir}/bad/${name}`)
  }

  /** Removes a sealed block, and one of this id that was put aside. */
  async remove(id: BlockId): Promise<void> {
    await this.#removePair(this.pathOf(id))
    await this.#removePair(`${this.dir}/bad/${blockName(id)}`)
  }

  async #removePair(path: string): Promise<void> {
    await this.#disk.remove(path)
    await this.#disk.remove(`${path}.meta`)
  }
}
