// Streaming decompression of gzip and zstd: piece by piece, all members and frames in order, with memory for one piece and the format's
// window. Truncated or damaged data, trailing data and an extreme compression ratio are errors with an offset in the compressed file;
// nothing is left out silently.
//
// Node's streams end silently after the first zstd frame, and at zeros or other data after gzip. Therefore the decoder here reports how
// much of its input it has consumed, and the rest is checked.

import { createGunzip, createZstdDecompress, constants, type Gunzip, type ZstdDecompress } from 'node:zlib'
import { limits } from '../base/limits.ts'
import { KiB } from '../base/units.ts'
import { asBuffer } from './boundary.ts'
import { recordError } from './records.ts'
import type { Compression } from './sniff.ts'

/** Input per call of the decoder, and so the precision of an error's offset. */
const inputBytes = 64 * KiB
const outputBytes = 256 * KiB

/** Decompresses `source`. The caller owns each piece. */
export async function* decompressed(source: AsyncIterable<Uint8Array>, codec: Compression, path: string): AsyncGenerator<Buffer> {
  const decoder = new Decoder(codec, path)
  try {
    for await (const piece of source) {
      const bytes = asBuffer(piece)
      for (let from = 0; from < bytes.length; from += inputBytes) yield* decoder.push(bytes.subarray(from, from + inputBytes))
    }
    yield* decoder.end()
  } finally {
    decoder.close()
  }
}

class Decoder {
  readonly #codec: Compression
  readonly #path: string
  #engine: Engine | undefined
  /** gzip: its last member has ended, and only zeros may follow, as padding by tapes and block devices. */
  #padding = false
  /** Bytes of the source consumed so far. */
  #read = 0
  #written = 0

  constructor(codec: Compression, path: string) {
    this.#codec = codec
    this.#path = path
  }

  async *push(bytes: Buffer): AsyncGenerator<Buffer> {
    for (let rest = bytes; rest.length > 0;) {
      if (this.#padding) {
        const other = rest.findIndex(byte => byte !== 0)
        if (other >= 0) throw this.#fault(`something that is not ${this.#codec} follows its end`, this.#read + other)
        this.#read += rest.length
        return
      }
      this.#engine ??= new Engine(this.#codec)
      const taken = yield* this.#through(this.#engine.write(rest))
      this.#read += taken
      rest = rest.subarray(taken)
      // Bytes that the engine has not consumed follow the end of its member or frame.
      if (rest.length === 0) return
      this.close()
      this.#padding = this.#codec === 'gzip'
    }
  }

  async *end(): AsyncGenerator<Buffer> {
    if (this.#engine) yield* this.#through(this.#engine.end())
  }

  close(): void {
    this.#engine?.close()
    this.#engine = undefined
  }

  async *#through(output: AsyncGenerator<Buffer, number>): AsyncGenerator<Buffer, number> {
    try {
      for (;;) {
        const { value, done } = await output.next()
        if (done) return value
        this.#written += value.length
        if (this.#written > limits.unpackedFreeBytes && this.#written > (this.#read + inputBytes) * limits.unpackedRatioMax) {
          throw this.#fault(
            `it has become more than ${limits.unpackedRatioMax} times as large; if that is intended, decompress it before it is put`,
            this.#read,
          )
        }
        yield value
      }
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      if (code === 'Z_BUF_ERROR') throw this.#fault('it ends in the middle; the file was cut off: put it again', this.#read, error)
      if (typeof code === 'string' && /^(Z_|ZSTD_)/.test(code))
        throw this.#fault(`it is damaged (${message}); put it again`, this.#read, error)
      throw error
    } finally {
      await output.return(0)
    }
  }

  #fault(problem: string, offset: number, cause?: unknown): Error {
    return recordError(`the ${this.#codec} data cannot be read from here on: ${problem}`, { path: this.#path, offset }, cause)
  }
}

/** Pull interface to one of Node's decoder streams. */
class Engine {
  readonly #stream: Gunzip | ZstdDecompress
  #wake: () => void = () => {}
  #failure: unknown
  #ended = false

  constructor(codec: Compression) {
    this.#stream = codec === 'gzip' ? createGunzip({ chunkSize: outputBytes })
      // 2^27 = 128 MiB, the window of zstd's level 22 with "--ultra"; files made with "--long" may need more and are refused.
      : createZstdDecompress({ chunkSize: outputBytes, params: { [constants.ZSTD_d_windowLogMax]: 27 } })
    this.#stream.on('readable', () => this.#wake())
    this.#stream.on('end', () => { this.#ended = true; this.#wake() })
    this.#stream.on('error', error => { this.#failure = error; this.#wake() })
  }

  /** Yields the output; returns the number of bytes consumed, which is less than `bytes.length` if the compressed data has ended. */
  async *write(bytes: Buffer): AsyncGenerator<Buffer, number> {
    const before = this.#stream.bytesWritten
    let done = false
    this.#stream.write(bytes, () => { done = true; this.#wake() })
    yield* this.#output(() => done)
    // Read only now: the order of the stream's end and the write callback depends on the speed of the reader.
    return this.#stream.bytesWritten - before
  }

  async *end(): AsyncGenerator<Buffer, number> {
    this.#stream.end()
    yield* this.#output(() => false)
    return 0
  }

  async *#output(done: () => boolean): AsyncGenerator<Buffer> {
    for (;;) {
      for (let piece: Buffer | null; (piece = this.#stream.read() as Buffer | null) !== null;) yield piece
      if (this.#failure) throw this.#failure
      if (this.#ended || done()) return
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#wake = resolve
      await promise
    }
  }

  close(): void { this.#stream.destroy() }
}
