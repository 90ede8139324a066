// Reads the sealed replicas of a datanode: opens the files of one, or verifies all of its bytes against the checksums that were stored
// when the block was written. A replica whose files turn out to be damaged leaves the index and is reported.

import { crcOf } from '../../src/block/checksum.ts'
import { decodeMeta, type Meta } from '../../src/block/meta.ts'
import { asError, GristmillError, hasCode } from '../../src/base/errors.ts'
import { blockName, type BlockId } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import type { Disk, DiskReader } from '../../src/ports/disk.ts'
import type { Log } from '../../src/ports/log.ts'
import { isDamage } from './diskerror.ts'
import type { Disks } from './disks.ts'
import type { Replicas } from './replicas.ts'
import type { Storage } from './storage.ts'

/** A sealed block, open for reading; stays readable when the block is removed meanwhile. The caller closes it. */
export interface OpenBlock {
  readonly meta: Meta
  readonly data: DiskReader
  close(): Promise<void>
}

/** `gone`: this node does not have the block. */
export type Checked = 'sound' | 'damaged' | 'gone'

export interface VerifyOptions {
  readonly signal?: AbortSignal | undefined
  /** Called after each read with its number of bytes; the next read waits until it settles. */
  readonly pace?: ((bytes: number) => Promise<void>) | undefined
}

interface ReplicaReaderDeps {
  readonly disk: Disk
  readonly log: Log
  readonly disks: Disks
  readonly replicas: Replicas
}

export class ReplicaReader {
  readonly #deps: ReplicaReaderDeps

  constructor(deps: ReplicaReaderDeps) { this.#deps = deps }

  /** Paths of a block's files, for a reader on this host. Throws BLOCK_MISSING. */
  paths(id: BlockId): { data: string; meta: string } {
    const path = this.#storageOf(id).pathOf(id)
    return { data: path, meta: `${path}.meta` }
  }

  /**
   * Opens a block for reading. Throws BLOCK_MISSING if this node does not have it, CORRUPT if its files are damaged, UNAVAILABLE if they
   * cannot be read now.
   */
  async open(id: BlockId): Promise<OpenBlock> {
    const { disk, replicas } = this.#deps
    const path = this.#storageOf(id).pathOf(id)
    let data: DiskReader | undefined
    try {
      data = await disk.openRead(path)
      const meta = decodeMeta(await disk.readFile(`${path}.meta`), id)
      if (meta.length !== data.bytes)
        throw new GristmillError('CORRUPT', `the file of block ${blockName(id)} has ${data.bytes} bytes, it should have ${meta.length}`)
      const { close } = data
      return { meta, data, close: close.bind(data) }
    } catch (error) {
      await data?.close()
      if (!replicas.has(id)) throw missing(id) // removed while it was opened
      const why = `the files of block ${blockName(id)} cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`
      if (!isDamage(error)) throw new GristmillError('UNAVAILABLE', `${why}; try again, or take another replica`, { cause: error })
      const damage = hasCode(error, 'CORRUPT') ? error : new GristmillError('CORRUPT', why, { cause: error })
      await this.damaged(id, damage)
      throw damage
    }
  }

  /** Reads a whole block and compares its checksums; reports a damaged one. Throws UNAVAILABLE if it cannot be read now. */
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
      if (!this.#deps.replicas.has(id)) return 'gone'
      await this.damaged(id, error)
      return 'damaged'
    } finally {
      await block.close()
    }
  }

  /** Removes a block that failed a check from the index and reports it. */
  async damaged(id: BlockId, why: unknown): Promise<void> {
    const { log, disks, replicas } = this.#deps
    const storage = replicas.sealedOf(id)?.storage
    if (!storage) return
    // A single missing file is damage; if the whole directory is missing, the disk has failed.
    const saidByDisk = !hasCode(why, 'CORRUPT') || why.cause !== undefined
    if (saidByDisk && !await storage.present()) return disks.fail(storage, why)
    // It may have been removed meanwhile, and received again by another disk.
    if (replicas.sealedOf(id)?.storage !== storage) return
    log.error('a block is damaged', { error: asError(why), block: id, dir: storage.dir })
    replicas.damaged(id)
  }

  #storageOf(id: BlockId): Storage {
    const sealed = this.#deps.replicas.sealedOf(id)
    if (!sealed) throw missing(id)
    return sealed.storage
  }
}

const missing = (id: BlockId): GristmillError =>
  new GristmillError('BLOCK_MISSING', `this node has no block ${blockName(id)}`, { details: { block: id } })

/** Throws CORRUPT if the block is damaged, or the disk's error if it cannot be read. */
async function readWhole({ meta, data }: OpenBlock, { signal, pace }: VerifyOptions): Promise<void> {
  const { chunkBytes, framePayloadBytesMax } = limits
  const name = blockName(meta.id)
  const buffer = Buffer.allocUnsafe(Math.min(framePayloadBytesMax, meta.length))
  for (let at = 0; at < meta.length; at += buffer.length) {
    signal?.throwIfAborted()
    const expected = Math.min(buffer.length, meta.length - at)
    const found = await data.read(buffer.subarray(0, expected), at)
    if (found < expected) throw new GristmillError('CORRUPT', `block ${name} ends at byte ${at + found}`)
    for (let i = 0; i < found; i += chunkBytes) {
      if (crcOf(buffer.subarray(i, Math.min(i + chunkBytes, found))) !== meta.crcs[(at + i) / chunkBytes])
        throw new GristmillError('CORRUPT', `block ${name} is damaged in its chunk at byte ${at + i}`)
    }
    await pace?.(found)
  }
}
