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

/** Offset in the file of line `index` of the chunk. Counts newline bytes, so that it does not depend on the decoding. */
export function lineOffset({ bytes, position }: Chunk, index: number): number {
  let from = 0
  for (let i = 0; i < index; i++) from = bytes.indexOf(newline, from) + 1
  return position + from
}

export function linesBatch(chunk: Chunk, path: string, options: InputOptions, counters: ReadCounters): Batch<string> {
  return { values: splitLines(chunk, path, options, counters), path, offset: index => lineOffset(chunk, index) }
}
