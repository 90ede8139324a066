// The beginning of a file is looked at before its records are: unpacked and in UTF-8, so that nothing behind this knows of anything else.
// Positions and offsets count the bytes of that text. Whoever reads the text to its end, or stops, closes the file.

import { asBuffer, type Dialect } from './boundary.ts'
import { decompressed } from './decompress.ts'
import { examine, findDialect, toldDelimiter } from './dialect.ts'
import { newReadCounters, type InputOptions, type ReadCounters, type RecordRange } from './format.ts'
import { ownedPieces, type Chunk } from './range.ts'
import { headBytes, sniff } from './sniff.ts'
import { isForeign, utf8From } from './transcode.ts'
import { markBytes } from './utf8.ts'

export interface TextSource {
  /** As it is to be read; its end is infinite where only the end of the file tells. */
  readonly range: RecordRange
  /** Bytes of the range's pieces are added here. */
  readonly counters: ReadCounters
  readonly dialect: Dialect
}

/**
 * May a file of which this is the beginning be read in parts, and how are its rows written? Pure, for whoever cuts files into ranges.
 * `delimiter`: what the file's metadata claim. Throws EINVAL for what no reader would take.
 */
export function inspect(
  head: Buffer,
  { path, isAll, input, delimiter }: { path: string; isAll: boolean; input: InputOptions; delimiter?: string | undefined },
): { divisible: boolean; dialect: Dialect } {
  const { encoding } = input
  const codec = sniff(head, { path, encoding })
  if (codec || isForeign(encoding)) return { divisible: false, dialect: {} }
  if (input.format !== 'csv') return { divisible: true, dialect: {} }
  const dialect = findDialect(
    { path, bytes: head.subarray(markBytes(head)), isAll, encoding, header: input.header },
    { asked: input.delimiter, claimed: delimiter },
  )
  return { divisible: dialect.rowEnd !== '\r', dialect }
}

export interface Claim {
  readonly format: 'bytes' | 'lines' | 'jsonl' | 'csv'
  readonly delimiter?: string | undefined
  /** csv: why nothing is claimed of its rows, without the subject. */
  readonly doubt?: string
}

/**
 * What may be said of a file that is stored as text of a format, by its beginning: its blocks are cut between records only if these can be
 * told from its bytes as they are. `delimiter`: csv, if it is known. Throws EINVAL for a delimiter that the file itself denies.
 */
export function claimOf(
  head: Buffer,
  { path, isAll, format, delimiter }: { path: string; isAll: boolean; format: 'lines' | 'jsonl' | 'csv'; delimiter?: string | undefined },
): Claim {
  try {
    if (sniff(head, { path })) return { format: 'bytes' }
  } catch {
    // Stored as it is; whoever reads it as text is told.
    return { format: 'bytes' }
  }
  if (format !== 'csv') return { format }
  const found = examine({ path, bytes: head.subarray(markBytes(head)), isAll, forAll: true }, { asked: delimiter })
  if ('doubt' in found) return { format: 'bytes', doubt: found.doubt }
  if (found.rowEnd === '\r') return { format: 'bytes' }
  return found.sure ? { format, delimiter: found.delimiter } : { format }
}

/** What to read of a range, and how. REQUIRES: `close` in the end. */
export async function openSource(
  range: RecordRange, input: InputOptions, counters: ReadCounters,
): Promise<TextSource & { close(): Promise<void> }> {
  const told = { asked: input.delimiter, claimed: range.delimiter }
  const plain = (): Dialect => ({ delimiter: toldDelimiter(told) })
  if (range.partial || range.start > 0 || range.end === 0) return { range, counters, dialect: plain(), close: async () => {} }
  const { path, end } = range
  const { encoding } = input
  const raw = new Beginning(range.open(0))
  let text = raw
  // Outermost first. A generator that was never asked does not close what it would have read from.
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
    if (input.format === 'csv') {
      const head = await text.look(isText ? headBytes : Math.min(headBytes, end))
      const isAll = text.ended || (!isText && head.length >= end)
      const bytes = head.subarray(encoding === 'latin1' ? 0 : markBytes(head))
      dialect = findDialect({ path, bytes, isAll, encoding, header: input.header }, told)
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

/** The file's bytes as they are stored: as many as it must have. */
async function* stored(range: RecordRange, raw: Beginning, counters: ReadCounters): AsyncGenerator<Uint8Array> {
  const pieces: AsyncGenerator<Chunk> = ownedPieces({ ...range, open: () => raw }, counters)
  for await (const { bytes } of pieces) yield bytes
}

/** Pieces of which the first ones can be looked at before they are read. */
class Beginning implements AsyncIterable<Uint8Array> {
  readonly #source: AsyncIterator<Uint8Array>
  /** Looked at and not read. */
  #kept: Buffer[] = []
  /** The source has no more. */
  ended = false

  constructor(source: AsyncIterable<Uint8Array>) { this.#source = source[Symbol.asyncIterator]() }

  /** At least so many bytes from the start, if there are. */
  async look(bytes: number): Promise<Buffer> {
    let length = this.#kept.reduce((sum, piece) => sum + piece.length, 0)
    while (length < bytes && !this.ended) {
      const { value, done } = await this.#source.next()
      if (done) { this.ended = true; break }
      // The source may use the piece again.
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
