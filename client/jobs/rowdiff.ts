// Difference of two outputs: rows that only one of them has, counted as often as they occur, in any order. Rows are compared by hashes, in
// passes over parts of the hash space, so that memory is bounded for outputs of any size.

import { hash } from 'node:crypto'
import type { FileStatus } from '../../src/protocol/namespace.ts'
import { markBytes } from '../../src/record/utf8.ts'
import { newReadCounters } from '../../src/record/records.ts'
import { openSource } from '../../src/record/source.ts'
import { ColumnOrder } from './columnorder.ts'
import { plainName, rowsOf } from './rows.ts'
import { SchemaSample, type SchemaChange } from './schemasample.ts'

/** Hashes in memory, about 100 bytes each. */
const hashesMax = 1_000_000
const passesMax = 4096
const samplesMax = 5
const sampleChars = 200

export interface OutputDifference {
  /** Rows that both have, that only the second has, and that only the first has. */
  readonly kept: number
  readonly added: number
  readonly removed: number
  /** The first few of them. */
  readonly addedRows: readonly string[]
  readonly removedRows: readonly string[]
  /** Fields of JSON lines or columns of CSV that differ; empty for text. */
  readonly schema: readonly SchemaChange[]
}

/** One side: its files, and their bytes. */
export interface Side {
  readonly files: readonly FileStatus[]
  read(file: FileStatus): AsyncIterable<Buffer>
}

class TooMany extends Error {}

/** `memory`: hashes held at a time; for tests. */
export async function diffRows(from: Side, to: Side, memory = hashesMax): Promise<OutputDifference> {
  for (let passes = 1; ; passes *= 4) {
    try {
      return await inPasses(from, to, passes, memory)
    } catch (error) {
      if (!(error instanceof TooMany) || passes >= passesMax) throw error
    }
  }
}

async function inPasses(from: Side, to: Side, passes: number, memory: number): Promise<OutputDifference> {
  const result = { kept: 0, added: 0, removed: 0, addedRows: [] as string[], removedRows: [] as string[] }
  const schemas = [new SchemaSample(), new SchemaSample()] as const
  for (let pass = 0; pass < passes; pass++) {
    const counts = new Map<string, number>()
    for await (const { key, row, file } of hashed(from, passes, pass, names => schemas[0].header(names))) {
      if (pass === 0) schemas[0].note(file, row)
      counts.set(key, (counts.get(key) ?? 0) + 1)
      if (counts.size > memory) throw new TooMany('more rows than fit into memory')
    }
    for await (const { key, row, file } of hashed(to, passes, pass, names => schemas[1].header(names))) {
      if (pass === 0) schemas[1].note(file, row)
      const count = counts.get(key) ?? 0
      if (count > 0) {
        result.kept++
        if (count === 1) counts.delete(key)
        else counts.set(key, count - 1)
      } else {
        result.added++
        if (result.addedRows.length < samplesMax) result.addedRows.push(shown(row))
      }
    }
    for (const count of counts.values()) result.removed += count
    // Rows are not kept, so samples of removed ones are read again.
    if (counts.size > 0 && result.removedRows.length < samplesMax)
      for await (const { key, row } of hashed(from, passes, pass)) {
        const count = counts.get(key)
        if (count === undefined) continue
        if (count === 1) counts.delete(key)
        else counts.set(key, count - 1)
        result.removedRows.push(shown(row))
        if (result.removedRows.length === samplesMax) break
      }
  }
  return { ...result, schema: schemas[0].compare(schemas[1]) }
}

const shown = (row: Buffer): string => row.toString('utf8').slice(0, sampleChars)

interface Hashed { readonly key: string; readonly row: Buffer; readonly file: FileStatus }

/**
 * Rows whose hashes are in this part. The first row of a CSV file is its header, and no row, unless its writer said that it has none;
 * fields are compared by their names.
 */
async function* hashed(
  side: Side, parts: number, part: number, onHeader?: (names: readonly string[]) => void,
): AsyncGenerator<Hashed, void, undefined> {
  for (const file of side.files) {
    const isTable = isCsv(file)
    const isNamed = isTable && file.header !== false
    let columns: ColumnOrder | undefined
    for await (const row of rowsIn(side, file, isTable)) {
      if (isNamed && !columns) {
        columns = new ColumnOrder(row, file)
        onHeader?.(columns.names)
        continue
      }
      const key = hash('sha256', columns ? columns.keyOf(row) : row, 'latin1' as 'hex').slice(0, 16)
      if (parts === 1 || (key.charCodeAt(0) * 256 + key.charCodeAt(1)) % parts === part) yield { key, row, file }
    }
  }
}

/**
 * Rows of a file, which is decompressed as jobs do it, without a byte order mark. Throws EINVAL for a file of another kind, for instance
 * Parquet, RECORD_INVALID for compressed data that is damaged.
 */
async function* rowsIn({ read }: Side, file: FileStatus, quoted: boolean): AsyncGenerator<Buffer, void, undefined> {
  const range = { path: file.path, start: 0, end: file.length, aligned: true, open: () => read(file) }
  // The encoding is given, so that zero bytes in a row are not refused.
  const source = await openSource(range, { format: 'lines', encoding: 'utf8' }, newReadCounters())
  try {
    let isFirst = true
    for await (const row of rowsOf(source.range.open(0) as AsyncIterable<Buffer>, quoted)) {
      yield isFirst ? row.subarray(markBytes(row)) : row
      isFirst = false
    }
  } finally {
    await source.close()
  }
}

const isCsv = ({ path, format }: FileStatus): boolean => format === 'csv' || plainName(path).endsWith('.csv')
