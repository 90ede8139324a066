// A whole file as one record: `{ path, text }`, or `{ path, bytes }`.

import { isUtf8 } from 'node:buffer'
import { assert } from '../base/assert.ts'
import { GristmillError } from '../base/errors.ts'
import { MiB } from '../base/units.ts'
import { recordError, type Batch, type InputOptions, type ReadCounters, type RecordRange } from './format.ts'
import { ownedPieces } from './range.ts'

/** Half of what one string can hold in V8: a file's text and its bytes lie in memory at once. */
export const wholeBytesMax = 256 * MiB

export async function wholeBatch(range: RecordRange, options: InputOptions, counters: ReadCounters): Promise<Batch> {
  const { path } = range
  assert(range.start === 0 && range.aligned, 'a file that is one record is read from its start to its end')
  if (range.end > wholeBytesMax) {
    throw new GristmillError('TOO_LARGE', `${path} has ${range.end} bytes; as one record a file may have ${wholeBytesMax}. Read it as lines, jsonl or csv`, { details: { path } })
  }
  const bytes = Buffer.allocUnsafeSlow(range.end)
  for await (const piece of ownedPieces(range, counters)) piece.bytes.copy(bytes, piece.position)
  if (options.bytes) return { values: [{ path, bytes }], path, offset: () => 0 }
  if (!isUtf8(bytes)) {
    if (options.invalidUtf8 === 'error') throw recordError('the file is not valid UTF-8; convert it, or read it as bytes', { path, offset: 0 })
    counters.invalidUtf8Records++
  }
  const marked = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf
  return { values: [{ path, text: bytes.toString('utf8', marked ? 3 : 0) }], path, offset: () => 0 }
}
