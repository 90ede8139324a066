// Reader of whole files: one file becomes one record, `{ path, text }` or `{ path, bytes }`.

import { isUtf8 } from 'node:buffer'
import { assert } from '../base/assert.ts'
import { GristmillError } from '../base/errors.ts'
import type { InputOptions } from '../base/formats.ts'
import { MiB } from '../base/units.ts'
import { recordError, type Batch, type ReadCounters, type RecordRange } from './records.ts'
import { ownedPieces } from './range.ts'
import { openSource, type TextSource } from './source.ts'
import { markBytes } from './utf8.ts'

/** Half of V8's longest string: a file's text and its bytes are in memory at the same time. */
export const wholeBytesMax = 256 * MiB

export async function wholeBatch(range: RecordRange, options: InputOptions, counters: ReadCounters): Promise<Batch> {
  const { path } = range
  assert(range.start === 0 && range.aligned, 'a file that is one record is read from its start to its end')
  if (range.end > wholeBytesMax) {
    throw new GristmillError(
      'TOO_LARGE',
      `${path} has ${range.end} bytes; as one record a file may have ${wholeBytesMax}. Read it as lines, jsonl or csv`,
      { details: { path } },
    )
  }
  if (options.bytes) return { values: [{ path, bytes: await exactly(range, counters) }], path, offset: () => 0 }
  const text = await textOf(range, options, counters)
  return { values: [{ path, text }], path, offset: () => 0 }
}

async function exactly(range: RecordRange, counters: ReadCounters): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(range.end)
  for await (const piece of ownedPieces(range, counters)) piece.bytes.copy(bytes, piece.position)
  return bytes
}

async function textOf(range: RecordRange, options: InputOptions, counters: ReadCounters): Promise<string> {
  const { path } = range
  const source = await openSource(range, options, counters)
  try {
    const bytes = source.range.end === Infinity ? await unpacked(source) : await exactly(source.range, counters)
    if (options.encoding === 'latin1') return bytes.toString('latin1')
    if (!isUtf8(bytes)) {
      if (options.invalidUtf8 === 'error')
        throw recordError('the file is not valid UTF-8; convert it, or read it as bytes', { path, offset: 0 })
      counters.invalidUtf8Records++
    }
    return bytes.toString('utf8', markBytes(bytes))
  } finally {
    await source.close()
  }
}

async function unpacked({ range, counters }: TextSource): Promise<Buffer> {
  const pieces: Buffer[] = []
  let length = 0
  for await (const { bytes } of ownedPieces(range, counters)) {
    length += bytes.length
    if (length > wholeBytesMax)
      throw new GristmillError(
        'TOO_LARGE',
        `${range.path} becomes more than ${wholeBytesMax} bytes of text; as one record a file may have that many. Read it as lines, jsonl or csv`,
        { details: { path: range.path } },
      )
    pieces.push(Buffer.from(bytes))
  }
  return Buffer.concat(pieces)
}
