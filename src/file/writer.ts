// Writer of a stream. Data is collected in a spool; a full spool is ended (between records, if the format has any) and uploaded while the
// next one fills. If the length of the file is known, and no block ends at a record, a block that is too large for memory is sent on from
// its spool while it still comes. The file exists only once `close` has returned; a writer that aborts, or whose process dies, leaves
// nothing.
// REQUIRES: one `write` or `close` at a time, each awaited; finally exactly one of `close` and `abort`.

import { Boundary, asBuffer } from '../record/boundary.ts'
import { assert } from '../base/assert.ts'
import { asError, GristmillError } from '../base/errors.ts'
import type { RecordFormat } from '../base/formats.ts'
import type { LeaseId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { MiB } from '../base/units.ts'
import { Semaphore } from '../base/queue.ts'
import type { FileStatus } from '../protocol/namespace.ts'
import type { SealedBlock } from '../protocol/writing.ts'
import type { GrowingSource } from './source.ts'
import { Spool, type SpoolPlace } from './spool.ts'
import type { WrittenBody, OpenFile, PublishOptions } from './open.ts'
import { contentOf, needsBlocks } from './small.ts'

export interface CutOptions {
  readonly format: RecordFormat
  /** csv: field separator. */
  readonly delimiter?: string | undefined
  /** false: in blocks, however small the file is. */
  readonly inline?: boolean | undefined
  /** Length of the file, if it is expected to be that, and places for blocks that are sent while they come. */
  readonly coming?: { readonly bytes: number; readonly places: Semaphore } | undefined
}

/** Less than this of a block still to come: it is sent when it has come. */
const comingBytesMin = 4 * MiB

export class ClusterFileWriter {
  readonly path: string
  readonly #file: OpenFile
  readonly #place: SpoolPlace
  readonly #cut: CutOptions
  readonly #blockBytes: number
  readonly #slots = new Semaphore(limits.parallelBlocks)
  readonly #sealed: Array<Promise<SealedBlock>> = []
  readonly #spools = new Set<Spool>()
  #spool: Spool
  /** The current block, if it is sent while it comes. */
  #coming: GrowingSource | undefined
  #boundary: Boundary | undefined
  /** Offset of the current block among the bytes that the boundary scanner has seen. */
  #base = 0
  /** True if the current block starts at a record. */
  #startsAligned = true
  #failure: GristmillError | undefined
  #ended = false
  /** Bytes accepted so far. */
  bytes = 0

  constructor(file: OpenFile, place: SpoolPlace, cut: CutOptions) {
    this.path = file.path
    this.#file = file
    this.#place = place
    this.#cut = cut
    this.#blockBytes = file.blockBytes
    this.#spool = this.#newSpool()
    this.#boundary = this.#newBoundary()
  }

  /** For reading the file whose new state is written, if its owner is kept: permission to write it suffices for that. */
  get lease(): LeaseId { return this.#file.lease }

  /** Accepts the bytes; the buffer may be reused once it returns. Waits while two blocks are in flight. */
  async write(bytes: Uint8Array): Promise<void> {
    assert(!this.#ended, 'the writer is closed')
    for (let at = 0; at < bytes.length;) {
      if (this.#failure) throw this.#failure
      if (this.#spool.bytes === this.#blockBytes) await this.#next()
      const piece = bytes.subarray(at, at + this.#blockBytes - this.#spool.bytes)
      await this.#spool.append(piece)
      this.#boundary?.push(asBuffer(piece))
      at += piece.length
      this.bytes += piece.length
      if (!this.#coming && this.#spool.hasFile) await this.#sendComing()
    }
    // A failure of an upload in flight is reported here rather than at the end.
    if (this.#failure) throw this.#failure
  }

  /** Makes the file visible. After an error nothing is visible, and the writer is aborted. */
  close({ mtimeMs }: { mtimeMs?: number | undefined } = {}): Promise<FileStatus> {
    return this.#finish(body => this.#file.complete(body, mtimeMs), this.#cut.inline === false ? 0 : this.#file.inlineBytes)
  }

  /** Makes the file visible at another path than the one at which it was created. After an error the writer is aborted. */
  publish(options: PublishOptions): Promise<FileStatus> {
    return this.#finish(body => this.#file.publish(body, options), needsBlocks(options.to) ? 0 : this.#file.inlineBytes)
  }

  /** A file of up to `inlineBytes` has no blocks: its bytes are stored with its name. */
  async #finish(end: (body: WrittenBody) => Promise<FileStatus>, inlineBytes: number): Promise<FileStatus> {
    assert(!this.#ended, 'the writer is closed')
    this.#ended = true
    try {
      if (this.bytes > 0 && this.bytes <= inlineBytes && this.#sealed.length === 0) return await end(await this.#inlined())
      if (this.#spool.bytes > 0) await this.#send(this.#spool.bytes, true)
      const blocks = await Promise.all(this.#sealed)
      // A single block begins and ends at records, whatever the format.
      return await end({ blocks: blocks.length === 1 ? [{ ...blocks[0]!, aligned: true }] : blocks })
    } catch (error) {
      const abandoned = this.#file.abandon()
      // After an abort the caller does not wait for the namenode.
      if (!this.#file.givenUp) await abandoned
      throw this.#failure ?? error
    } finally {
      await this.#cleanUp()
    }
  }

  async #inlined(): Promise<WrittenBody> {
    const bytes = Buffer.alloc(this.bytes)
    const source = await this.#spool.source(bytes.length)
    source.fill(bytes, 0)
    return { blocks: [], content: contentOf(bytes) }
  }

  /** Aborts the file; resolves once the namenode knows. Never rejects. */
  async abort(): Promise<void> {
    await this.drop()
    await this.#file.abandon()
  }

  /**
   * Aborts the file; resolves once nothing of it is left on this machine. Informs the namenode in the background. Never rejects.
   */
  async drop(): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    void this.#file.abandon()
    await this.#cleanUp()
  }

  async [Symbol.asyncDispose](): Promise<void> { await this.abort() }

  /** Ends the full block, after its last record if it has one, and starts the next block with the rest. */
  async #next(): Promise<void> {
    const full = this.#spool
    const last = this.#boundary ? this.#boundary.last - this.#base : 0
    const cut = last > 0 ? last : full.bytes
    const spool = this.#newSpool()
    if (this.#boundary && last > 0) {
      this.#boundary = this.#newBoundary(false)
      this.#base = 0
    } else {
      this.#base += cut // in the middle of a record: the scanner keeps its state
    }
    for await (const piece of full.from(cut)) {
      await spool.append(piece)
      this.#boundary?.push(piece)
    }
    await this.#send(cut, last > 0)
    this.#spool = spool
  }

  /** Uploads the first `bytes` of the spool in the background, as soon as a slot is free. */
  async #send(bytes: number, endsAligned: boolean): Promise<void> {
    const spool = this.#spool
    const aligned = this.#startsAligned && endsAligned && this.#cut.format !== 'bytes'
    this.#startsAligned = endsAligned
    if (this.#coming) {
      await spool.source(bytes)
      this.#coming.end(bytes)
      this.#coming = undefined
      return
    }
    const release = await this.#slots.acquire(this.#file.signal)
    const sealed = (async () => {
      try {
        return { ...await this.#file.upload(await spool.source(bytes)), aligned }
      } catch (error) {
        this.#failure ??= asError(error)
        throw error
      } finally {
        this.#spools.delete(spool)
        await spool.close()
        release()
      }
    })()
    sealed.catch(() => {}) // reported by the next write, or by close
    this.#sealed.push(sealed)
  }

  /** Begins to send the current block, which comes from a file by now, if its length is known and a place is free. */
  async #sendComing(): Promise<void> {
    const { coming, format } = this.#cut
    const spool = this.#spool
    if (!coming || format !== 'bytes') return
    const bytes = Math.min(this.#blockBytes, coming.bytes - (this.bytes - spool.bytes))
    if (bytes - spool.bytes < comingBytesMin) return
    const place = coming.places.tryAcquire()
    if (!place) return
    const slot = this.#slots.tryAcquire()
    if (!slot) return place()
    const release = (): void => { slot(); place() }
    // If its file cannot be opened a second time now, the block goes when it is there as a whole.
    const source = await spool.growing(bytes).catch(release)
    if (!source) return
    this.#coming = source
    const sealed = (async () => {
      try {
        return { ...await this.#uploadComing(spool, source), aligned: false }
      } catch (error) {
        this.#failure ??= asError(error)
        throw error
      } finally {
        release()
      }
    })()
    sealed.catch(() => {}) // reported by the next write, or by close
    this.#sealed.push(sealed)
  }

  /** The spool is closed once it is neither written nor read any more; after a failure that is the end of the writer. */
  async #uploadComing(spool: Spool, source: GrowingSource): Promise<Omit<SealedBlock, 'aligned'>> {
    let sealed = await this.#file.upload(source).catch((error: unknown) => {
      if (!source.isShort) throw error
      return undefined
    })
    const bytes = await source.whole
    // The stream had another length than was expected.
    if (sealed?.length !== bytes) sealed = await this.#file.upload(await spool.source(bytes))
    this.#spools.delete(spool)
    await spool.close()
    return sealed
  }

  #newSpool(): Spool {
    const spool = new Spool(this.#place)
    this.#spools.add(spool)
    return spool
  }

  #newBoundary(atFileStart = true): Boundary | undefined {
    const { format, delimiter } = this.#cut
    return format === 'bytes' ? undefined : new Boundary(format, { delimiter, atFileStart })
  }

  async #cleanUp(): Promise<void> {
    this.#coming?.giveUp(this.#failure ?? new GristmillError('ABORTED', `writing ${this.path} was given up`))
    await Promise.allSettled(this.#sealed)
    await Promise.allSettled([...this.#spools].map(spool => spool.close()))
  }
}
