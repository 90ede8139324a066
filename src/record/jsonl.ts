// JSON lines reader: one JSON value per line. Lines with only white space are no records. Integers beyond 2^53 become bigints, unless
// `largeIntegers` sets another treatment; if an object has a name twice, the last value counts.

import { GristmillError } from '../base/errors.ts'
import type { InputOptions } from '../base/formats.ts'
import { recordError, skipping, type Batch, type ReadCounters } from './records.ts'
import { mayLose, parseExact } from './integers.ts'
import { lineOffsets, splitLines } from './lines.ts'
import type { Chunk } from './range.ts'

/** Advice at the first line of a file. */
const isCsv = '; for CSV, set format: "csv" there, or give a program without code --param format=csv'

export function jsonBatch(chunk: Chunk, path: string, options: InputOptions, counters: ReadCounters): Batch {
  const lines = splitLines(chunk, path, options, counters)
  const offsetOf = lineOffsets(chunk)
  const values: unknown[] = []
  /** Line numbers of the values; undefined while they equal the indexes. */
  let numbers: number[] | undefined
  const exact = mayLose(chunk.bytes.toString('latin1'))
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!
    try {
      values.push(exact ? parseExact(line, options.largeIntegers) : JSON.parse(line))
      numbers?.push(i)
    } catch (error) {
      numbers ??= values.map((_, index) => index)
      if (line.trim() === '') continue
      if (options.badRecords !== 'skip') {
        // The message about an unrepresentable number already contains advice.
        const problem = error instanceof GristmillError ? error.message : `the line is not JSON: ${(error as Error).message}; correct it`
        const offset = offsetOf(i)
        throw recordError(`${problem}, or ${skipping('lines')}${offset === 0 ? isCsv : ''}`, { path, offset }, error)
      }
      counters.badRecords++
    }
  }
  return { values, path, offset: index => offsetOf(numbers ? numbers[index]! : index) }
}
