// Record reader of a split: reads any number of ranges of any number of files, in order. A record never spans two files. The source of
// each range is closed before the next one is opened, and also when the caller stops early.

import { unreachable } from '../base/assert.ts'
import { recordEnd, type InputOptions } from '../base/formats.ts'
import type { LoadAvro } from '../ports/avro.ts'
import { avroBatches } from './avroreader.ts'
import { createScanner, type Dialect } from './boundary.ts'
import type { Batch, ReadCounters, RecordRange } from './records.ts'
import { jsonBatch } from './jsonl.ts'
import { linesBatch } from './lines.ts'
import { wholeRecords, type Chunk } from './range.ts'
import { RowReader } from './rows.ts'
import { openSource, type TextSource } from './source.ts'
import { withoutMark } from './utf8.ts'
import { wholeBatch } from './whole.ts'

interface RecordReadOptions {
  readonly input: InputOptions
  readonly counters: ReadCounters
  readonly signal?: AbortSignal | undefined
  /** Required for files of Avro. */
  readonly loadAvro?: LoadAvro | undefined
}

/** Yields non-empty batches. Throws EINVAL with path and offset for a bad record, CORRUPT if a source ends early. */
export async function* readRecords(
  ranges: Iterable<RecordRange> | AsyncIterable<RecordRange>,
  options: RecordReadOptions,
): AsyncGenerator<Batch> {
  for await (const range of ranges) {
    options.signal?.throwIfAborted()
    yield* readOne(range, options)
  }
}

function readOne(range: RecordRange, options: RecordReadOptions): AsyncGenerator<Batch> {
  switch (recordEnd(options.input.format)) {
    case 'file': return readWhole(range, options)
    case 'marker': return avroBatches(range, options)
    default: return readRange(range, options)
  }
}

async function* readWhole(range: RecordRange, { input, counters }: RecordReadOptions): AsyncGenerator<Batch> {
  const batch = await wholeBatch(range, input, counters)
  counters.records++
  yield batch
}

async function* readRange(range: RecordRange, options: RecordReadOptions): AsyncGenerator<Batch> {
  const { input, counters } = options
  const source = await openSource(range, input, counters)
  try {
    yield* readSource(source, options)
  } finally {
    await source.close()
  }
}

async function* readSource(
  { range, counters: bytes, dialect }: TextSource, { input, counters, signal }: RecordReadOptions,
): AsyncGenerator<Batch> {
  const scanner = createScanner(input.format, { ...dialect, atFileStart: range.start === 0 && input.encoding !== 'latin1' })
  const toBatch = batcher(range, { input, dialect, counters })
  for await (const whole of wholeRecords(range, scanner, bytes)) {
    signal?.throwIfAborted()
    const chunk = input.encoding === 'latin1' ? whole : withoutMark(whole)
    if (chunk.bytes.length === 0) continue
    const batch = toBatch(chunk)
    if (batch.values.length === 0) continue
    counters.records += batch.values.length
    yield batch
  }
}

function batcher(
  range: RecordRange,
  { input, dialect, counters }: { input: InputOptions; dialect: Dialect; counters: ReadCounters },
): (chunk: Chunk) => Batch {
  const { path } = range
  switch (input.format) {
    case 'lines':
      return chunk => linesBatch(chunk, path, input, counters)
    case 'jsonl':
      return chunk => jsonBatch(chunk, path, input, counters)
    case 'csv': {
      const rows = new RowReader(range, dialect, input, counters)
      return chunk => rows.batch(chunk)
    }
    case 'whole': case 'avro':
      throw new Error(`${input.format} is not read in chunks of text`)
    default:
      return unreachable(input.format)
  }
}
