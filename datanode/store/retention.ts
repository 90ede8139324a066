// A directory of blocks that are nobody's any more and stay for a while: the trash, and the quarantine of damaged ones. The oldest go
// first, when they have been there long enough, when they are too many, or when their room is wanted.
//
// How long a block has been here is counted on the monotonic clock; over a restart, by the time that its file carries. A wall clock
// that jumps makes it stay longer, or go at the next start: it is nobody's block in either case.

import { metaBytes } from '../../src/block/meta.ts'
import { asError } from '../../src/base/errors.ts'
import { blockName, parseBlockName, type BlockId } from '../../src/base/ids.ts'
import { makeDirectory } from '../../src/home/directory.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { Log } from '../../src/ports/log.ts'

export interface RetentionOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly log: Log
  readonly dir: string
  /** 0: nothing is kept at all. */
  readonly keepMs: number
  readonly countMax?: number
  readonly bytesMax?: number
}

/** Removed one after the other; after so many, others get their turn. */
const removeBatch = 64

export class RetentionDirectory {
  readonly #options: RetentionOptions
  /** The oldest first. */
  readonly #blocks = new Map<BlockId, { readonly bytes: number; readonly sinceMs: number }>()
  bytes = 0

  constructor(options: RetentionOptions) { this.#options = options }

  get count(): number { return this.#blocks.size }
  has(id: BlockId): boolean { return this.#blocks.has(id) }
  ids(): BlockId[] { return [...this.#blocks.keys()] }

  /** Finds what an earlier process has left here. */
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

  /** Takes a block's files, as far as they are there, from where they lie; `bytes` is what they take. Throws what the disk says. */
  async take(id: BlockId, path: string, bytes: number): Promise<void> {
    const { disk, clock, dir, keepMs } = this.#options
    if (keepMs === 0) return removePair(disk, path)
    await this.drop(id)
    const to = `${dir}/${blockName(id)}`
    let there = false
    for (const suffix of ['', '.meta']) there = await moved(disk, path + suffix, to + suffix) || there
    if (!there) return
    this.#note(id, { bytes, sinceMs: clock.mono() })
    await disk.setModified(to, clock.now()).catch(() => {}) // it stays as long as this process lives, or goes at its next start
  }

  /** Gives a block, if it is here, to another shelf of the same disk. */
  async pass(id: BlockId, to: RetentionDirectory): Promise<void> {
    const block = this.#blocks.get(id)
    if (!block) return
    await to.take(id, `${this.#options.dir}/${blockName(id)}`, block.bytes)
    this.#forget(id)
  }

  /** Removes a block, if it is here. */
  async drop(id: BlockId): Promise<void> {
    if (!this.#forget(id)) return
    await removePair(this.#options.disk, `${this.#options.dir}/${blockName(id)}`)
  }

  /** Removes the oldest. Gives the bytes that it took; undefined if nothing is left. */
  async dropOldest(): Promise<number | undefined> {
    const [oldest] = this.#blocks
    if (!oldest) return undefined
    await this.drop(oldest[0])
    return oldest[1].bytes
  }

  /** Removes what is too old, and what is too much. */
  async trim(): Promise<void> {
    const { clock, log, keepMs, countMax = Infinity, bytesMax = Infinity } = this.#options
    for (let removed = 0; ; removed++) {
      const [oldest] = this.#blocks
      if (!oldest || (clock.mono() - oldest[1].sinceMs < keepMs && this.count <= countMax && this.bytes <= bytesMax)) return
      try {
        await this.drop(oldest[0])
      } catch (error) {
        log.warn('a block that nobody wants any more cannot be removed', { error: asError(error), block: oldest[0] })
      }
      if (removed % removeBatch === removeBatch - 1) await clock.yield()
    }
  }

  #forget(id: BlockId): boolean {
    this.bytes -= this.#blocks.get(id)?.bytes ?? 0
    return this.#blocks.delete(id)
  }

  #note(id: BlockId, block: { bytes: number; sinceMs: number }): void {
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
    // It is there: so the directory that it goes to is not, for somebody has removed it.
    await disk.mkdir(to.slice(0, to.lastIndexOf('/')))
    await disk.rename(from, to)
    return true
  }
}

/** The meta file last: alone, it is what the next start removes. */
async function removePair(disk: Disk, path: string): Promise<void> {
  await disk.remove(path)
  await disk.remove(`${path}.meta`)
}
