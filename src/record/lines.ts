// Line reader. `\n` and `\r\n` both end a line; the last line may have no newline; empty lines are records.

import type { InputOptions } from '../base/formats.ts'
import type { Batch, ReadCounters } from './records.ts'
import type { Chunk } from './range.ts'
import { decode } from './utf8.ts'

const newline = 10
const carriageReturn = 13

/** The lines of a chunk, which holds whole lines. */
export function splitLines(chunk: Chunk, path: string, options: InputOptions, counters: ReadCounters): string[] {
  const { bytes } = chunk
  const lines = decode(chunk, path, options, counters).split('\n')
  const ended = bytes[bytes.length - 1] === newline
  if (ended) lines.pop()
  if (bytes.includes(carriageReturn)) stripReturns(lines, ended)
  return lines
}

function stripReturns(lines: string[], lastEnded: boolean): void {
  const count = lastEnded ? lines.length : lines.length - 1
  for (let i = 0; i < count; i++) {
    const line = lines[i]!
    if (line.charCodeAt(line.length - 1) === carriageReturn) lines[i] = line.slice(0, -1)
  }
}

/**
 * (index of a line of the chunk) → its offset in the file. Counts newline bytes, so that it does not depend on the decoding. Goes on from
 * the line that was asked for before, so that all lines in order cost one look at the bytes.
 */
export function lineOffsets({ bytes, position }: Chunk): (index: number) => number {
  let line = 0
  let from = 0
  return index => {
    if (index < line) line = from = 0
    for (; line < index; line++) from = bytes.indexOf(newline, from) + 1
    return position + from
  }
}

export function linesBatch(chunk: Chunk, path: string, options: InputOptions, counters: ReadCounters): Batch<string> {
  return { values: splitLines(chunk, path, options, counters), path, offset: lineOffsets(chunk) }
}
