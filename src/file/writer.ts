// Writes a file of unknown length. Bytes gather in a spool; a full one is cut (between records, where the format has any) and
// uploaded while the next one fills. The file exists only once `close` has returned; a writer that is aborted, or dies, leaves nothing.
// REQUIRES: one `write` or `close` at a time, each awaited; then `close` or `abort`, exactly one of them for sure.

import { Boundary, asBuffer } from '../record/boundary.ts'
import { assert } from '../base/assert.ts'
import { asError, GristmillError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { Semaphore } from '../base/queue.ts'
import type { RecordFormat } from '../protocol/fields.ts'
import type { FileStatus } from '../protocol/namespace.ts'
import type { SealedBlock } from '../protocol/writing.ts'
import { Spool, type SpoolPlace } from './spool.ts'
import type { OpenFile } from './open.ts'

export interface CutOptions {
  readonly format: RecordFormat
  /** csv: the character between fields. */
  readonly delimiter?: string | undefined
}

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
  #boundary: Boundary | undefined
  /** Where the current block starts among the bytes that the boundary has seen. */
  #base = 0
  /** The current block starts at a record. */
  #startsAligned = true
  #failure: GristmillError | undefined
  #ended = false
  /** Bytes taken so far. */
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

  /** Takes the bytes; the buffer may be used again when it returns. Waits while two blocks are on their way already. */
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
    }
    // A failure that came meanwhile is told now rather than at the end.
    if (this.#failure) throw this.#failure
  }

  /** Publishes the file. After an error nothing is visible and the writer is aborted. */
  async close({ mtimeMs }: { mtimeMs?: number | undefined } = {}): Promise<FileStatus> {
    assert(!this.#ended, 'the writer is closed')
    this.#ended = true
    try {
      if (this.#spool.bytes > 0) await this.#send(this.#spool.bytes, true)
      const blocks = await Promise.all(this.#sealed)
      // One block from the first byte to the last needs no other, whatever the format.
      return await this.#file.complete(blocks.length === 1 ? [{ ...blocks[0]!, aligned: true }] : blocks, mtimeMs)
    } catch (error) {
      const told = this.#file.abandon()
      // Who has given up does not wait for the namenode.
      if (!this.#file.givenUp) await told
      throw this.#failure ?? error
    } finally {
      await this.#cleanUp()
    }
  }

  /** Gives the file up; resolves when the namenode has been told. Never rejects. */
  async abort(): Promise<void> {
    await this.drop()
    await this.#file.abandon()
  }

  /** Gives the file up; resolves when nothing of it is left on this machine. The namenode is told in the background. Never rejects. */
  async drop(): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    void this.#file.abandon()
    await this.#cleanUp()
  }

  async [Symbol.asyncDispose](): Promise<void> { await this.abort() }

  /** Ends the full block, at its last record if it has one, and starts the next one with what lies behind. */
  async #next(): Promise<void> {
    const full = this.#spool
    const last = this.#boundary ? this.#boundary.last - this.#base : 0
    const cut = last > 0 ? last : full.bytes
    const spool = this.#newSpool()
    if (this.#boundary && last > 0) {
      this.#boundary = this.#newBoundary(false)
      this.#base = 0
    } else {
      this.#base += cut // in the middle of a record: the scanner must not forget where it is
    }
    for await (const piece of full.from(cut)) {
      await spool.append(piece)
      this.#boundary?.push(piece)
    }
    await this.#send(cut, last > 0)
    this.#spool = spool
  }

  /** Uploads the first `bytes` of the spool in the background, as soon as there is a place. */
  async #send(bytes: number, endsAligned: boolean): Promise<void> {
    const spool = this.#spool
    const aligned = this.#startsAligned && endsAligned && this.#cut.format !== 'bytes'
    this.#startsAligned = endsAligned
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
    sealed.catch(() => {}) // told by the next write, or by close
    this.#sealed.push(sealed)
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
    await Promise.allSettled(this.#sealed)
    await Promise.allSettled([...this.#spools].map(spool => spool.close()))
  }
}
