// JSON lines: one JSON value a line. Lines of nothing but white space are no records.

import { recordError, type Batch, type InputOptions, type ReadCounters } from './format.ts'
import { lineOffset, splitLines } from './lines.ts'
import type { Chunk } from './range.ts'

export function jsonBatch(chunk: Chunk, path: string, options: InputOptions, counters: ReadCounters): Batch {
  const lines = splitLines(chunk, path, options, counters)
  const values: unknown[] = []
  /** Line numbers of the values, once they differ from their indexes. */
  let numbers: number[] | undefined
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!
    try {
      values.push(JSON.parse(line))
      numbers?.push(i)
    } catch (error) {
      numbers ??= values.map((_, index) => index)
      if (line.trim() === '') continue
      if (options.badRecords !== 'skip') {
        throw recordError(`the line is not JSON: ${(error as Error).message}; correct it, or read with badRecords: "skip"`, { path, offset: lineOffset(chunk, i) }, error)
      }
      counters.badRecords++
    }
  }
  return { values, path, offset: index => lineOffset(chunk, numbers ? numbers[index]! : index) }
}
