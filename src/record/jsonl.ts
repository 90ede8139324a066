// JSON lines: one JSON value a line. Lines of nothing but white space are no records. Integers beyond 2^53 become bigints, or what
// `largeIntegers` says; of a name that an object has twice, the last one counts.

import { GristmillError } from '../base/errors.ts'
import { recordError, type Batch, type InputOptions, type ReadCounters } from './format.ts'
import { mayLose, parseExact } from './integers.ts'
import { lineOffset, splitLines } from './lines.ts'
import type { Chunk } from './range.ts'

export function jsonBatch(chunk: Chunk, path: string, options: InputOptions, counters: ReadCounters): Batch {
  const lines = splitLines(chunk, path, options, counters)
  const values: unknown[] = []
  /** Line numbers of the values, once they differ from their indexes. */
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
        // A number that cannot be kept says for itself what to do.
        const problem = error instanceof GristmillError ? error.message : `the line is not JSON: ${(error as Error).message}; correct it`
        throw recordError(`${problem}, or read with badRecords: "skip"`, { path, offset: lineOffset(chunk, i) }, error)
      }
      counters.badRecords++
    }
  }
  return { values, path, offset: index => lineOffset(chunk, numbers ? numbers[index]! : index) }
}
