// A file that is being written: its lease, the blocks allocated ahead, and its two ends, `complete` and `abandon`.
// Invariant: after either, nothing of it is left in this process, and its signal is aborted. An abort of the caller's signal at any
// step leads to `abandon`, also while `create` is in flight.

import { abortable, abortError, throwIfAborted } from '../base/abort.ts'
import { GristmillError } from '../base/errors.ts'
import type { LeaseId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { FileContent } from '../protocol/fields.ts'
import type { FileStatus } from '../protocol/namespace.ts'
import type { RequestOf } from '../protocol/message.ts'
import { publish } from '../protocol/object.ts'
import { complete, create, type AllocatedBlock, type Appearance, type Publishing, type SealedBlock } from '../protocol/writing.ts'
import type { CreateOptions } from './createoptions.ts'
import type { Leases } from './lease.ts'
import type { BlockSource } from './source.ts'
import { namenodeMs, namenodeTryMs, upload, type UploadTools } from './upload.ts'

/** Target of a file that is published, and what appears with it. */
export type PublishOptions = Omit<RequestOf<typeof publish>, 'requestId' | 'lease' | 'blocks' | 'content'>

/** Blocks of a file, or in place of any the bytes of a small one. */
export interface WrittenBody { readonly blocks: SealedBlock[]; readonly content?: FileContent }

export class OpenFile {
  readonly path: string
  readonly blockBytes: number
  readonly replication: number
  /** Up to so many bytes may be given in place of blocks. */
  readonly inlineBytes: number
  readonly #tools: UploadTools
  readonly #leases: Leases
  readonly #lease: LeaseId
  readonly #ahead: AllocatedBlock[]
  readonly #appearance: Appearance | undefined
  readonly #ending = new AbortController()
  readonly #givenUp: AbortSignal | undefined
  #completing = false
  #blocks = 0
  #abandoned: Promise<void> | undefined
  /** Aborts when the caller aborts, the lease is lost, or the file has ended. */
  readonly signal: AbortSignal

  /** `blocks`: number of blocks to allocate at once; `bytes`: length of the longest of them, if known. */
  static async create(
    tools: UploadTools, leases: Leases, path: string,
    options: CreateOptions & { blocks: number; bytes?: number | undefined; publishes?: Publishing | undefined },
  ): Promise<OpenFile> {
    const {
      signal, overwrite, parents, mode, unmasked, replication, blockBytes, format, delimiter, header, blocks, bytes, appearance, keepsOwner,
      publishes,
    } = options
    await abortable(leases.settled(path), signal)
    const reply = await tools.caller.callOrUndo(
      tools.namenode, create,
      {
        requestId: tools.requestId(), path, host: tools.host, blocks, ...(overwrite !== undefined && { overwrite }),
        ...(parents !== undefined && { parents }), ...(mode !== undefined && { mode }), ...(bytes !== undefined && { bytes }),
        ...(unmasked !== undefined && { unmasked }), ...(keepsOwner && { keepsOwner: true as const }),
        ...(replication !== undefined && { replication }), ...(blockBytes !== undefined && { blockBytes }),
        ...(format !== undefined && { format }),
        ...delimiter !== undefined && { delimiter }, ...header !== undefined && { header }, ...publishes && { publishes },
      },
      {
        signal, peer: 'namenode', timeoutMs: namenodeMs, tryMs: namenodeTryMs, undo: ({ lease }) => leases.giveBack(path, lease),
        background: { add: work => leases.ending(path, work) },
      },
    )
    if (signal?.aborted) {
      void leases.giveBack(path, reply.lease)
      throw abortError(signal)
    }
    return new OpenFile(tools, leases, {
      path, lease: reply.lease, blockBytes: reply.blockBytes, replication: reply.replication, ahead: reply.blocks, signal,
      inlineBytes: tools.small.boundOf(reply.inlineBytes), appearance,
    })
  }

  private constructor(
    tools: UploadTools, leases: Leases,
    { path, lease, blockBytes, replication, inlineBytes, ahead, appearance, signal }: {
      path: string; lease: LeaseId; blockBytes: number; replication: number; inlineBytes: number; ahead: AllocatedBlock[]
      appearance: Appearance | undefined; signal: AbortSignal | undefined
    },
  ) {
    this.#tools = tools
    this.#leases = leases
    this.#lease = lease
    this.#ahead = [...ahead]
    this.#appearance = appearance
    this.path = path
    this.blockBytes = blockBytes
    this.replication = replication
    this.inlineBytes = inlineBytes
    this.#givenUp = signal
    this.signal = signal ? AbortSignal.any([signal, this.#ending.signal]) : this.#ending.signal
    // After an abort the caller does not call `abandon`.
    signal?.addEventListener(
      'abort',
      () => {
        void this.abandon()
      },
      { once: true, signal: this.#ending.signal },
    )
    leases.hold(lease, () => {
      // The lease may be gone because the file is complete and the reply was lost: the retried call will show it.
      if (this.#completing) return
      this.#ending.abort(
        new GristmillError(
          'LEASE_EXPIRED',
          `${path} is no longer this writer's: its lease ran out, or another writer has replaced it; write the file again`,
          { details: { path } },
        ),
      )
    })
  }

  get lease(): LeaseId { return this.#lease }

  /** True if the caller's signal was aborted. */
  get givenUp(): boolean { return this.#givenUp?.aborted === true }

  /** Throws TOO_LARGE for more blocks than a file can have. */
  checkBlocks(blocks: number): void {
    if (blocks <= limits.fileBlocksMax) return
    throw new GristmillError(
      'TOO_LARGE',
      `a file has at most ${limits.fileBlocksMax} blocks, and ${this.path} would have more; write it with larger blocks than ${this.blockBytes} bytes (--block-size)`,
      { details: { path: this.path } },
    )
  }

  async upload(source: BlockSource, onSent?: (bytes: number) => void): Promise<Omit<SealedBlock, 'aligned'>> {
    this.checkBlocks(++this.#blocks)
    return upload(this.#tools, source, { lease: this.#lease, block: this.#ahead.shift(), signal: this.signal, onSent })
  }

  /** Makes the file visible. */
  async complete(body: WrittenBody, mtimeMs?: number): Promise<FileStatus> {
    throwIfAborted(this.signal)
    this.#completing = true
    const status = await this.#tools.caller.call(this.#tools.namenode, complete, {
      requestId: this.#tools.requestId(), lease: this.#lease, ...body, ...this.#appearance,
      ...(mtimeMs !== undefined && { mtimeMs: Math.round(mtimeMs) }),
    }, { signal: this.signal, peer: 'namenode', timeoutMs: namenodeMs, tryMs: namenodeTryMs })
    this.#end()
    return status
  }

  /** Makes the file visible at another path, with its attributes, under a condition. */
  async publish(body: WrittenBody, options: PublishOptions): Promise<FileStatus> {
    throwIfAborted(this.signal)
    this.#completing = true
    const status = await this.#tools.caller.call(
      this.#tools.namenode, publish, { requestId: this.#tools.requestId(), lease: this.#lease, ...body, ...options },
      { signal: this.signal, peer: 'namenode', timeoutMs: namenodeMs, tryMs: namenodeTryMs },
    )
    this.#end()
    return status
  }

  /** Abandons the file; resolves once the namenode knows. If it is unreachable, the lease expires. Never rejects. */
  abandon(): Promise<void> {
    if (this.#abandoned) return this.#abandoned
    if (this.#ending.signal.aborted && !this.#leases.holds(this.#lease)) return Promise.resolve()
    this.#end()
    return this.#abandoned = this.#leases.giveBack(this.path, this.#lease)
  }

  #end(): void {
    this.#leases.drop(this.#lease)
    this.#ending.abort(new GristmillError('ABORTED', `writing ${this.path} has ended`))
  }
}
