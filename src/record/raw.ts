// Bytes of the records of a range, without parsing them: for commands, which read lines themselves. They are the bytes of the file,
// decompressed, and converted to UTF-8 if the input has another encoding.

import type { InputOptions } from '../base/formats.ts'
import type { ReadCounters, RecordRange } from './records.ts'
import { ownedPieces } from './range.ts'
import { openSource } from './source.ts'

const newline = 10

/**
 * Pieces of whole and partial lines; a piece is valid until the next one is requested. A last line without a newline gets one. Counts lines
 * as records. Throws EINVAL for a file that is no text, CORRUPT if the source ends early.
 */
export async function* readRaw(range: RecordRange, input: InputOptions, counters: ReadCounters): AsyncGenerator<Buffer> {
  const source = await openSource(range, input, counters)
  let last = newline
  try {
    for await (const { bytes } of ownedPieces(source.range, source.counters)) {
      if (bytes.length === 0) continue
      counters.records += newlinesIn(bytes)
      last = bytes[bytes.length - 1]!
      yield bytes
    }
  } finally {
    await source.close()
  }
  if (last === newline) return
  counters.records++
  yield Buffer.from('\n')
}

export function newlinesIn(bytes: Buffer): number {
  let count = 0
  for (let at = bytes.indexOf(newline); at >= 0; at = bytes.indexOf(newline, at + 1)) count++
  return count
}
