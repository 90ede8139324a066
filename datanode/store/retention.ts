// Directory that keeps blocks which are no longer replicas for a limited time: the trash, and the quarantine of damaged replicas. The
// oldest are removed first, when they exceed the age, count or byte limit, or when the disk needs their space.
//
// Age is measured on the monotonic clock; across a restart, by the modification time of the file. A jump of the wall clock keeps a block
// longer, or removes it at the next start; neither loses a replica.

import { metaBytes } from '../../src/block/meta.ts'
import { assertKept } from '../../src/base/assert.ts'
import { asError } from '../../src/base/errors.ts'
import { blockName, parseBlockName, type BlockId } from '../../src/base/ids.ts'
import { makeDirectory } from '../../src/home/directory.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { Log } from '../../src/ports/log.ts'

interface RetentionOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly log: Log
  readonly dir: string
  /** 0: blocks are removed at once. */
  readonly keepMs: number
  readonly countMax?: number
  readonly bytesMax?: number
}

/** Blocks removed in a row before the event loop is yielded. */
const removeBatch = 64
/** Blocks whose files cannot be removed, after which a round ends: its disk refuses more than single files. */
const refusedMax = 8

export class RetentionDirectory {
  readonly #options: RetentionOptions
  /** Oldest first. INVARIANT: a block whose files are here is in it, also while they are being removed. */
  readonly #blocks = new Map<BlockId, { readonly bytes: number; readonly sinceMs: number }>()
  readonly #removing = new Map<BlockId, Promise<void>>()
  bytes = 0

  constructor(options: RetentionOptions) { this.#options = options }

  get count(): number { return this.#blocks.size }
  has(id: BlockId): boolean { return this.#blocks.has(id) }
  ids(): BlockId[] { return [...this.#blocks.keys()] }

  /** Creates the directory, and loads the blocks that an earlier process kept in it. */
  async open(): Promise<void> {
    const { disk, clock, dir, keepMs } = this.#options
    await makeDirectory(disk, dir)
    const found = new Map<BlockId, { bytes: number; sinceMs: number }>()
    for (const { name, kind } of await disk.list(dir)) {
      const id = kind === 'file' ? parseBlockName(name.replace(/\.meta$/, '')) : undefined
      if (id === undefined || (found.has(id) && name.endsWith('.meta'))) continue
      const stat = await disk.stat(`${dir}/${name}`)
      if (!stat) continue
      const ageMs = Math.min(keepMs, Math.max(0, clock.now() - stat.mtimeMs))
      found.set(id, { bytes: name.endsWith('.meta') ? 0 : stat.bytes + metaBytes(stat.bytes), sinceMs: clock.mono() - ageMs })
    }
    for (const [id, block] of [...found].sort(([, a], [, b]) => a.sinceMs - b.sinceMs)) this.#note(id, block)
  }

  /** Moves a block's files here, as far as they exist; `bytes`: their size. Throws the disk's error. */
  async take(id: BlockId, path: string, bytes: number): Promise<void> {
    const { disk, clock, dir, keepMs } = this.#options
    if (keepMs === 0) return removePair(disk, path)
    await this.drop(id)
    const to = `${dir}/${blockName(id)}`
    let found = false
    try {
      for (const suffix of ['', '.meta']) found = await moved(disk, path + suffix, to + suffix) || found
    } finally {
      if (found) this.#note(id, { bytes, sinceMs: clock.mono() })
    }
    if (!found) return
    await disk.setModified(to, clock.now()).catch(() => {}) // only a restart reads it: the block is then removed too early
  }

  /** Moves a block, if it is here, to another retention directory of the same disk. */
  async pass(id: BlockId, to: RetentionDirectory): Promise<void> {
    const block = this.#blocks.get(id)
    if (!block) return
    await to.take(id, `${this.#options.dir}/${blockName(id)}`, block.bytes)
    this.#forget(id)
  }

  /** Removes a block, if it is here. A block whose files cannot be removed stays. Throws the disk's error. */
  async drop(id: BlockId): Promise<void> {
    if (!this.#blocks.has(id)) return
    const running = this.#removing.get(id)
    if (running) return running
    const removed = removePair(this.#options.disk, `${this.#options.dir}/${blockName(id)}`)
      .then(() => { this.#forget(id) })
      .finally(() => { this.#removing.delete(id) })
    this.#removing.set(id, removed)
    return removed
  }

  /** Removes the oldest block whose files can be removed, and returns its bytes; undefined if there is none. */
  async dropOldest(): Promise<number | undefined> {
    for (const [id, { bytes }] of this.#oldest()) if (await this.#dropped(id)) return bytes
    return undefined
  }

  /** Removes the oldest blocks until age, count and byte limits hold. Never rejects. */
  async trim(): Promise<void> {
    const { clock, keepMs, countMax = Infinity, bytesMax = Infinity } = this.#options
    let removed = 0
    for (const [id, { sinceMs }] of this.#oldest()) {
      if (clock.mono() - sinceMs < keepMs && this.count <= countMax && this.bytes <= bytesMax) return
      await this.#dropped(id)
      if (++removed % removeBatch === 0) await clock.yield()
    }
  }

  /** Blocks to be removed, oldest first, until some could not be removed. */
  * #oldest(): Iterable<[BlockId, { readonly bytes: number; readonly sinceMs: number }]> {
    let refused = 0
    for (const [id, block] of this.#blocks) {
      yield [id, block]
      if (this.#blocks.has(id) && ++refused >= refusedMax) return
    }
  }

  /** Removes a block. Returns false if the disk refuses; the block is tried again in the next round. */
  async #dropped(id: BlockId): Promise<boolean> {
    try {
      await this.drop(id)
      return true
    } catch (error) {
      this.#options.log.warn('a block in the trash or quarantine cannot be removed now', { error: asError(error), block: id })
      return false
    }
  }

  /** Throws AssertionFailed if `bytes` is not the sum over the blocks. For tests and simulations. */
  checkState(): void {
    const { dir } = this.#options
    assertKept('bytes', this.bytes, this.#blocks.values().reduce((sum, { bytes }) => sum + bytes, 0), dir)
    for (const id of this.#removing.keys()) assertKept('block that is being removed', id, this.#blocks.has(id) ? id : 0, dir)
  }

  #forget(id: BlockId): boolean {
    this.bytes -= this.#blocks.get(id)?.bytes ?? 0
    return this.#blocks.delete(id)
  }

  #note(id: BlockId, block: { bytes: number; sinceMs: number }): void {
    this.#forget(id) // two callers may have moved one file of it each
    this.#blocks.set(id, block)
    this.bytes += block.bytes
  }
}

async function moved(disk: Disk, from: string, to: string): Promise<boolean> {
  try {
    await disk.rename(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    if (!await disk.stat(from)) return false
    // The file exists, so the target directory is missing: it was removed from outside.
    await disk.mkdir(to.slice(0, to.lastIndexOf('/')))
    await disk.rename(from, to)
    return true
  }
}

/** Removes the meta file last: the scan at start removes a meta file without its data file. */
async function removePair(disk: Disk, path: string): Promise<void> {
  await disk.remove(path)
  await disk.remove(`${path}.meta`)
}
