// Reads a pinned file in order, through several ranges at a time. A range that breaks off is asked for again from the byte that it has
// reached; the caller sees each byte once.
// INVARIANT: at most `parallel` times `rangeBytes` are in memory, and a piece more of each range.

import { GristmillError, isTransient } from '../base/errors.ts'
import { again, type AskDeps } from './ask.ts'
import type { FilePin, FileSplit, OutsideFiles } from './connector.ts'

interface PullOptions {
  /** Default: 4. */
  readonly parallel?: number | undefined
  /** Default: 8 MiB. */
  readonly rangeBytes?: number | undefined
  readonly signal?: AbortSignal | undefined
}

export async function* pull(
  deps: AskDeps, source: OutsideFiles, pin: FilePin, { parallel = 4, rangeBytes = 8 * 1024 * 1024, signal }: PullOptions = {},
): AsyncGenerator<Uint8Array> {
  const splits = source.split(pin, rangeBytes)
  // A single range needs no order, and is not collected in memory.
  if (splits.length === 1) return yield* readSplit(deps, source, splits[0]!, signal)
  const ending = new AbortController()
  const both = signal ? AbortSignal.any([signal, ending.signal]) : ending.signal
  const running: Ahead[] = []
  let next = 0
  const begin = (): void => {
    if (next < splits.length) running.push(new Ahead(readSplit(deps, source, splits[next++]!, both), rangeBytes))
  }
  try {
    while (next < splits.length && running.length < parallel) begin()
    for (let range = running[0]; range; range = running[0]) {
      let isNextBegun = false
      for (;;) {
        const piece = await range.take()
        if (!isNextBegun && range.isRead) {
          isNextBegun = true
          begin()
        }
        if (!piece) break
        yield piece
      }
      running.shift()
    }
  } finally {
    ending.abort(new GristmillError('ABORTED', 'the file is no longer read'))
    await Promise.allSettled(running.map(range => range.end()))
  }
}

/** Reads a range ahead of the caller, and waits for it when more than `bytesMax` are there: a range of a topic has as many as it has. */
class Ahead {
  readonly #pieces: Uint8Array[] = []
  readonly #reading: Promise<void>
  #bytes = 0
  #failure: { readonly error: unknown } | undefined
  #isRead = false
  #isEnded = false
  #onChange = (): void => {}

  constructor(bytes: AsyncIterable<Uint8Array>, bytesMax: number) {
    this.#reading = this.#read(bytes, bytesMax).catch((error: unknown) => { this.#failure = { error } }).finally(() => {
      this.#isRead = true
      this.#onChange()
    })
  }

  /** All of it was read from the source. */
  get isRead(): boolean { return this.#isRead }

  /** The next piece; undefined behind the last one. */
  async take(): Promise<Uint8Array | undefined> {
    while (this.#pieces.length === 0 && !this.#isRead) await this.#change()
    const piece = this.#pieces.shift()
    if (piece) {
      this.#bytes -= piece.length
      this.#onChange()
    } else if (this.#failure) throw this.#failure.error
    return piece
  }

  async end(): Promise<void> {
    this.#isEnded = true
    this.#onChange()
    await this.#reading
  }

  async #read(bytes: AsyncIterable<Uint8Array>, bytesMax: number): Promise<void> {
    for await (const piece of bytes) {
      this.#pieces.push(piece)
      this.#bytes += piece.length
      this.#onChange()
      while (this.#bytes > bytesMax && !this.#isEnded) await this.#change()
      if (this.#isEnded) return
    }
  }

  /** Waits for the other side. INVARIANT: at most one of the two waits. */
  #change(): Promise<void> {
    return new Promise(resolve => { this.#onChange = resolve })
  }
}

/** The bytes of one split, with repeats. The bound on tries begins again with each byte that comes. */
export async function* readSplit(
  deps: AskDeps, source: OutsideFiles, split: FileSplit, signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let from = 0
  let reading: AsyncIterator<Uint8Array> | undefined
  const step = async (): Promise<IteratorResult<Uint8Array>> => {
    reading ??= source.read(split, from, signal)[Symbol.asyncIterator]()
    try {
      return await reading.next()
    } catch (error) {
      reading = undefined
      if (from > 0 && isTransient(error) && !source.resumes(split.pin))
        throw new GristmillError(
          'ESTALE', `${(error as Error).message}; the server cannot continue a file (it gives no ETag or no ranges): begin again`,
          { cause: error },
        )
      throw error
    }
  }
  try {
    for (;;) {
      const { value, done } = await again(deps, step, signal)
      if (done) return
      from += (value as Uint8Array).length
      yield value as Uint8Array
    }
  } finally {
    await reading?.return?.()
  }
}
