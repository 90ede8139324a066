// Sink of a stage that ends in files: formats records and writes them to one output file of the cluster. The file is created with its
// first byte, so a task that emits nothing leaves no file.

import type { OutputOptions } from '../base/formats.ts'
import type { TextOrigins } from '../base/origin.ts'
import type { Emit, Key } from '../base/pair.ts'
import { crc32c } from '@node-rs/crc32'
import { KiB } from '../base/units.ts'
import { createWriter, type RecordWriter } from '../record/writer.ts'
import { isDiskError, SinkFailed, type Sink } from './operator.ts'
import type { Overflow } from './overflow.ts'

/** A file being written. REQUIRES: one call at a time. */
export interface SinkFile<Written> {
  write(bytes: Uint8Array): Promise<void>
  /** Completes the file and makes it visible. */
  close(): Promise<Written>
  /** Abandons the file; never throws. */
  abort(): Promise<void>
}

interface FileSinkOptions<Written> {
  /** Default: by the format of `output`. */
  readonly writer?: RecordWriter | undefined
  readonly output: OutputOptions
  readonly open: () => Promise<SinkFile<Written>>
  /** Buffer for bytes emitted between two calls of `settle`; the sink closes it. */
  readonly overflow: Overflow
}

interface FileSinkResult<Written> {
  readonly file: Written
  /** CRC32C of all its bytes. */
  readonly crc: number
}

/** Large enough that the cost per call and checksum is negligible. */
const pieceBytes = 256 * KiB

export class FileSink<Written> implements Sink<FileSinkResult<Written> | undefined> {
  readonly emit: Emit<Key, unknown>
  readonly #options: FileSinkOptions<Written>
  readonly #writer: RecordWriter
  #file: SinkFile<Written> | undefined
  #failure: SinkFailed | undefined
  #finished = false
  #crc = 0
  /** Bytes written to the file. */
  bytes = 0

  constructor(options: FileSinkOptions<Written>) {
    this.#options = options
    this.#writer = options.writer ?? createWriter(options.output)
    this.emit = (key, value) => this.#take(key, value)
  }

  get origins(): TextOrigins | undefined { return this.#writer.origins }
  get records(): number { return this.#writer.records }
  get isUnsettled(): boolean { return this.#failure !== undefined || !this.#options.overflow.isEmpty }

  #take(key: Key, value: unknown): void {
    if (this.#finished) throw new Error('emit was called when the task had ended; await what the function starts')
    this.#writer.write(key, value)
    if (this.#writer.pendingBytes >= pieceBytes) this.#putAside()
  }

  #putAside(): void {
    try {
      // Copied, because the writer reuses its buffer.
      this.#options.overflow.push(Buffer.from(this.#writer.take()))
    } catch (error) {
      if (!isDiskError(error)) throw error
      throw (this.#failure ??= new SinkFailed(`emitted records could not be stored on this machine's disk: ${(error as Error).message}`, {
        cause: error,
      }))
    }
  }

  settle(): Promise<void> | undefined {
    if (this.#failure) throw this.#failure
    return this.#options.overflow.isEmpty ? undefined : this.#drain()
  }

  async #drain(): Promise<void> {
    await this.#options.overflow.drain(async piece => {
      this.#file ??= await this.#options.open()
      this.#crc = crc32c(piece, this.#crc)
      await this.#file.write(piece)
      this.bytes += piece.length
    })
  }

  async finish(): Promise<FileSinkResult<Written> | undefined> {
    this.#finished = true
    if (this.#writer.pendingBytes > 0) this.#putAside()
    await this.settle()
    const file = await this.#file?.close()
    this.#file = undefined
    await this.#options.overflow.close()
    return file === undefined ? undefined : { file, crc: this.#crc }
  }

  async discard(): Promise<void> {
    this.#finished = true
    try {
      await this.#file?.abort()
    } finally {
      await this.#options.overflow.close()
    }
  }
}
