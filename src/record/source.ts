// Text source of a record reader: inspects the beginning of a file, decompresses it and converts it to UTF-8, so that later stages see
// only UTF-8 text (or latin1). Positions and offsets count bytes of that text. The file is closed when the text was read to its end or
// the reader stops.

import { isDelimited, type InputOptions, type RecordFormat } from '../base/formats.ts'
import { asBuffer, type Dialect } from './boundary.ts'
import { decompressed } from './decompress.ts'
import { examine, findDialect, knownDelimiter } from './dialect.ts'
import { newReadCounters, type ReadCounters, type RecordRange } from './records.ts'
import { ownedPieces, type Chunk } from './range.ts'
import { headBytes, sniff } from './sniff.ts'
import { isForeign, utf8From } from './transcode.ts'
import { markBytes } from './utf8.ts'

export interface TextSource {
  /** Range of the text; its end is Infinity if the length is known only at the end of the file. */
  readonly range: RecordRange
  /** Counters for the bytes of the text; separate from the caller's if the text is decompressed or converted. */
  readonly counters: ReadCounters
  readonly dialect: Dialect
}

/**
 * Decides from the beginning of a file whether it can be read in parts, and finds its dialect. Pure; used to split files into ranges.
 * `delimiter`: from the file's metadata. Throws EINVAL for a file that every reader would refuse.
 */
export function inspect(
  head: Buffer,
  { path, isAll, input, delimiter }: { path: string; isAll: boolean; input: InputOptions; delimiter?: string | undefined },
): { divisible: boolean; dialect: Dialect } {
  const { encoding } = input
  const codec = sniff(head, { path, encoding })
  if (codec || isForeign(encoding)) return { divisible: false, dialect: {} }
  if (!isDelimited(input.format)) return { divisible: true, dialect: {} }
  const dialect = findDialect(
    { path, bytes: head.subarray(markBytes(head)), isAll, encoding, header: input.header },
    { asked: input.delimiter, claimed: delimiter },
  )
  return { divisible: dialect.rowEnd !== '\r', dialect }
}

interface Claim {
  readonly format: RecordFormat
  readonly delimiter?: string | undefined
  /** csv: reason why its dialect is unknown, a sentence without its subject. */
  readonly ambiguity?: string
}

/**
 * Metadata for a file that is stored as text of a format, from its beginning: its blocks end at record boundaries only if these can be
 * found in the bytes as stored. `delimiter`: csv, if it is known. Throws EINVAL for a delimiter that the file's `sep=` line contradicts.
 */
export function claimOf(
  head: Buffer,
  { path, isAll, format, delimiter }: {
    path: string; isAll: boolean; format: Exclude<RecordFormat, 'bytes'>; delimiter?: string | undefined
  },
): Claim {
  try {
    if (sniff(head, { path })) return { format: 'bytes' }
  } catch {
    // Stored unchanged; a reader that reads it as text gets the error.
    return { format: 'bytes' }
  }
  if (!isDelimited(format)) return { format }
  const found = examine({ path, bytes: head.subarray(markBytes(head)), isAll, forAll: true }, { asked: delimiter })
  if ('ambiguity' in found) return { format: 'bytes', ambiguity: found.ambiguity }
  if (found.rowEnd === '\r') return { format: 'bytes' }
  return found.sure ? { format, delimiter: found.delimiter } : { format }
}

/** Opens the text of a range and finds its dialect. REQUIRES: the caller calls `close`. */
export async function openSource(
  range: RecordRange, input: InputOptions, counters: ReadCounters,
): Promise<TextSource & { close(): Promise<void> }> {
  const given = { asked: input.delimiter, claimed: range.delimiter }
  const plain = (): Dialect => ({ delimiter: knownDelimiter(given) })
  if (range.partial || range.start > 0 || range.end === 0) return { range, counters, dialect: plain(), close: async () => {} }
  const { path, end } = range
  const { encoding } = input
  const raw = new Beginning(range.open(0))
  let text = raw
  // Outermost first. A generator that was never started does not close its source, so both are closed here.
  const close = async (): Promise<void> => {
    await text.close()
    await raw.close()
  }
  try {
    const codec = sniff(await raw.look(Math.min(headBytes, end)), { path, encoding })
    if (codec) {
      text = new Beginning(decompressed(stored(range, raw, counters), codec, path))
      sniff(await text.look(headBytes), { path, encoding, inside: codec })
    }
    if (isForeign(encoding)) text = new Beginning(utf8From(codec ? text : stored(range, raw, counters), encoding))
    const isText = codec !== undefined || isForeign(encoding)
    let dialect = plain()
    if (isDelimited(input.format)) {
      const head = await text.look(isText ? headBytes : Math.min(headBytes, end))
      const isAll = text.ended || (!isText && head.length >= end)
      const bytes = head.subarray(encoding === 'latin1' ? 0 : markBytes(head))
      dialect = findDialect({ path, bytes, isAll, encoding, header: input.header }, given)
    }
    return {
      range: { ...range, open: () => text, ...(isText && { start: 0, end: Infinity, aligned: true }) },
      counters: isText ? newReadCounters() : counters, dialect, close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** The file's bytes as stored. Throws CORRUPT if there are fewer than the range requires. */
async function* stored(range: RecordRange, raw: Beginning, counters: ReadCounters): AsyncGenerator<Uint8Array> {
  const pieces: AsyncGenerator<Chunk> = ownedPieces({ ...range, open: () => raw }, counters)
  for await (const { bytes } of pieces) yield bytes
}

/** Stream of pieces with lookahead: its beginning can be inspected before it is read. */
class Beginning implements AsyncIterable<Uint8Array> {
  readonly #source: AsyncIterator<Uint8Array>
  /** Pieces that were inspected and not read yet. */
  #kept: Buffer[] = []
  /** The source has ended. */
  ended = false

  constructor(source: AsyncIterable<Uint8Array>) { this.#source = source[Symbol.asyncIterator]() }

  /** The first `bytes` bytes; fewer only if the source ends before. */
  async look(bytes: number): Promise<Buffer> {
    let length = this.#kept.reduce((sum, piece) => sum + piece.length, 0)
    while (length < bytes && !this.ended) {
      const { value, done } = await this.#source.next()
      if (done) { this.ended = true; break }
      // Copied, because the source may reuse the piece.
      const kept = Buffer.from(asBuffer(value as Uint8Array))
      this.#kept.push(kept)
      length += kept.length
    }
    return Buffer.concat(this.#kept).subarray(0, bytes)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      while (this.#kept.length > 0) yield this.#kept.shift()!
      while (!this.ended) {
        const { value, done } = await this.#source.next()
        if (done) this.ended = true
        else yield value as Uint8Array
      }
    } finally {
      await this.close()
    }
  }

  async close(): Promise<void> {
    this.ended = true
    await this.#source.return?.()
  }
}
