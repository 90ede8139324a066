// A new file of the cluster as a Node stream. It is visible, whole, once the stream has finished; a stream that is destroyed
// before, by whatever error, leaves nothing. What was there under the path stays until then.

import { Writable } from 'node:stream'
import { GristmillError } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import { normalise } from '../../src/base/paths.ts'
import { MiB } from '../../src/base/units.ts'
import type { RecordFormat } from '../../src/protocol/fields.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'
import type { FileClient } from '../../src/file/client.ts'
import type { FileWriter } from '../../src/file/writer.ts'
import { described } from './describe.ts'
import { within } from '../within.ts'

export interface WriteOptions {
  /** Replaces a file that is there; as in node:fs it does unless told not to. */
  readonly overwrite?: boolean | undefined
  /** As in node:fs, and another way to say `overwrite`: `w` replaces, `wx` does not. There are no others: files are written once and whole. */
  readonly flag?: 'w' | 'wx' | undefined
  /** Makes missing directories of the path. */
  readonly parents?: boolean | undefined
  /** Permission bits; 0o644 unless told. */
  readonly mode?: number | undefined
  /** Replicas of each block; the cluster's default unless told. */
  readonly replication?: number | undefined
  /** Most bytes of a block; the cluster's default unless told. */
  readonly blockSize?: number | undefined
  /** Cuts blocks between records, so that each can be ground where it lies: `lines`, `jsonl`, `csv`; `bytes` cuts anywhere. */
  readonly format?: RecordFormat | undefined
  /** csv: the character between fields. */
  readonly delimiter?: string | undefined
  readonly signal?: AbortSignal | undefined
}

export interface WriteStreamOptions extends WriteOptions {
  /** Bytes that wait in the stream before `write` returns false; 1 MiB unless told. */
  readonly highWaterMark?: number | undefined
  /** Of strings that are written. */
  readonly encoding?: BufferEncoding | undefined
  /** `flag` as node:fs calls it here. */
  readonly flags?: WriteOptions['flag']
}

/** The options of the room that does the work. Throws EINVAL, before anything is asked for. */
export function createOptions({ blockSize, flag = 'w', overwrite = flag === 'w', parents, mode, replication, format, delimiter, signal }: WriteOptions) {
  // One who says `a` in JavaScript, where no type is checked, must not lose the file that he wants to add to.
  if (flag !== 'w' && flag !== 'wx') throw new GristmillError('EINVAL', `files are written with "w" or "wx", not with "${String(flag)}": a file is written once and whole, and never changed`)
  within('block size', blockSize, limits.blockBytesMin, limits.blockBytesMax)
  within('number of replicas', replication, 1, limits.replicationMax)
  return { overwrite, parents, mode, replication, format, delimiter, signal, blockBytes: blockSize }
}

export class WriteStream extends Writable {
  readonly path: string
  /** Bytes taken so far. */
  bytesWritten = 0
  /** Facts of the file, once it is there. */
  status: FileStatus | undefined
  readonly #opening: Promise<FileWriter>
  /** Ends what waits when the stream is destroyed. */
  readonly #ending = new AbortController()
  #work: Promise<unknown>

  constructor(files: FileClient, path: string, { highWaterMark = MiB, encoding, signal, flags, ...options }: WriteStreamOptions) {
    super({ highWaterMark, ...encoding && { defaultEncoding: encoding } })
    this.path = path
    // Opened at once, so that a path that cannot be written is told before anything is.
    const both = signal ? AbortSignal.any([signal, this.#ending.signal]) : this.#ending.signal
    this.#opening = (async () => files.create(normalise(path), { ...createOptions({ ...options, ...flags !== undefined && { flag: flags } }), signal: both }))()
    this.#work = this.#opening
    if (signal) {
      const onAbort = (): void => { this.destroy(described(signal.reason, 'write', path) as Error) }
      if (signal.aborted) onAbort()
      else {
        signal.addEventListener('abort', onAbort, { once: true })
        this.once('close', () => signal.removeEventListener('abort', onAbort))
      }
    }
  }

  override _construct(done: (error?: Error | null) => void): void {
    this.#opening.then(() => done(), (error: unknown) => done(described(error, 'open', this.path) as Error))
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#do(async writer => {
      await writer.write(chunk)
      this.bytesWritten += chunk.length
    }, done)
  }

  override _writev(chunks: Array<{ chunk: Buffer }>, done: (error?: Error | null) => void): void {
    this.#do(async writer => {
      for (const { chunk } of chunks) {
        await writer.write(chunk)
        this.bytesWritten += chunk.length
      }
    }, done)
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#do(async writer => { this.status = await writer.close() }, done)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    // After a finish there is nothing to give up; a writer that is still at work has to come to rest first.
    const finished = this.writableFinished
    if (!finished) this.#ending.abort(error ?? new GristmillError('ABORTED', 'the stream was destroyed before it had finished', { details: { path: this.path } }))
    void this.#work.catch(() => {}).then(() => this.#opening).then(
      writer => (finished ? undefined : writer.abort()), () => {},
    ).catch(() => {}).then(() => done(error))
  }

  #do(work: (writer: FileWriter) => Promise<void>, done: (error?: Error | null) => void): void {
    this.#work = this.#opening.then(work)
    this.#work.then(() => done(), (error: unknown) => done(described(error, 'write', this.path) as Error))
  }
}

/** Whatever writeFile accepts, as bytes. */
export async function* bytesOf(data: FileData, encoding: BufferEncoding): AsyncGenerator<Uint8Array, void, undefined> {
  if (typeof data === 'string') yield Buffer.from(data, encoding)
  else if (ArrayBuffer.isView(data)) yield asBytes(data)
  else {
    if (!isIterable(data)) throw new GristmillError('EINVAL', `a file is written from strings and bytes, or from an iterable of them, not from ${data === null ? 'null' : typeof data}`)
    for await (const chunk of data as AsyncIterable<string | NodeJS.ArrayBufferView>) {
      if (typeof chunk === 'string') yield Buffer.from(chunk, encoding)
      else if (ArrayBuffer.isView(chunk)) yield asBytes(chunk)
      else throw new GristmillError('EINVAL', `a file is written from strings and bytes, not from ${typeof chunk}`)
    }
  }
}

export type FileData = string | NodeJS.ArrayBufferView | Iterable<string | NodeJS.ArrayBufferView> | AsyncIterable<string | NodeJS.ArrayBufferView>

const isIterable = (data: unknown): boolean => typeof data === 'object' && data !== null && (Symbol.asyncIterator in data || Symbol.iterator in data)

const asBytes = (view: NodeJS.ArrayBufferView): Uint8Array => (view instanceof Uint8Array ? view : new Uint8Array(view.buffer, view.byteOffset, view.byteLength))
