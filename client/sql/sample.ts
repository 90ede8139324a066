// Beginnings of the files of a table, which fix the way in which all its files are read: first lines of CSV and JSON, footers of Parquet
// files.

import { join } from 'node:path'
import { throwIfAborted } from '../../src/base/abort.ts'
import { GristmillError } from '../../src/base/errors.ts'
import { Semaphore } from '../../src/base/queue.ts'
import { formatBytes, KiB, MiB } from '../../src/base/units.ts'
import type { FileClient } from '../../src/file/client.ts'
import { LineScanner } from '../../src/operator/csvparts.ts'
import { isLineKind, lineColumns, localColumns } from '../../src/operator/linefile.ts'
import { compressionOf } from '../../src/operator/sqltable.ts'
import type { LoadAvro } from '../../src/ports/avro.ts'
import type { Disk } from '../../src/ports/disk.ts'
import { decompressed } from '../../src/record/decompress.ts'
import { examine } from '../../src/record/dialect.ts'
import { headBytes } from '../../src/record/sniff.ts'
import { markBytes } from '../../src/record/utf8.ts'
import type { FileSample } from './csvshape.ts'
import { settled } from '../jobs/splits.ts'
import type { CsvReading } from './readcalls.ts'
import type { SqlFile, SqlTable } from './tables.ts'
import type { Workspace } from './workspace.ts'

interface SampleTools {
  readonly disk: Disk
  /** Has the directory for samples, in which nothing else is. */
  readonly space: Pick<Workspace, 'samples' | 'names'>
  /** Types of Avro. Default: no table is of it. */
  readonly loadAvro?: LoadAvro | undefined
  readonly signal: AbortSignal | undefined
}

interface ShapeTools extends SampleTools {
  readonly files: Pick<FileClient, 'read' | 'locate'>
  /** Footers of a Parquet table that are read, at least one. */
  readonly footers: number
}

/** Files of a table that are looked at. The engine looks at ten by itself. */
const sampledFiles = 16
/** Bytes of a file that are looked at, decompressed. */
const sampleBytes = 1 * MiB
/** JSON without an object in each line is looked at, and read, as a whole. The engine takes no larger object. */
const jsonBytesMax = 16 * MiB
const tailBytes = 64 * KiB
const readsAtOnce = 8

/** A table whose beginnings of files are in local files. */
export interface SampledTable { readonly table: SqlTable; readonly samples: readonly FileSample[] }

export async function sampleTable(table: SqlTable, index: number, tools: ShapeTools): Promise<SampledTable> {
  const { kind } = table
  const wanted = kind === 'parquet'
    ? table.files.slice(0, Math.max(1, tools.footers))
    : table.files.filter(({ bytes }) => bytes > 0).slice(0, isLineKind(kind) ? 1 : sampledFiles)
  const gate = new Semaphore(readsAtOnce)
  const samples = await settled(wanted.map((file, i) => gate.run(async (): Promise<FileSample> => {
    if (isLineKind(kind)) {
      const read = async (start: number, end: number): Promise<Buffer> =>
        Buffer.concat(await Array.fromAsync(tools.files.read(file.path, { start, end, signal: tools.signal })))
      const columns = await lineColumns(kind, { path: file.path, bytes: file.bytes, read }, { loadAvro: tools.loadAvro })
      return lineSample({ file, index, i }, columns, tools)
    }
    const head = kind === 'parquet'
      ? await footerOf(file, tools)
      : await headOf(file, end => tools.files.read(file.path, { ...end !== undefined && { end }, signal: tools.signal }), table)
    return sampleOf(table, file, head, await kept(head.bytes, { file, index, i }, tools))
  }, tools.signal)))
  return { table, samples }
}

/** The same for files of this machine. One that is looked at as a whole is no copy. `locals`: their paths. */
export async function sampleHere(table: SqlTable, index: number, locals: readonly string[], tools: SampleTools): Promise<SampledTable> {
  const wanted = table.files.map((file, i) => ({ file, local: locals[i]! })).filter(({ file }) => file.bytes > 0).slice(0, sampledFiles)
  const samples: FileSample[] = []
  for (const [i, { file, local }] of wanted.entries()) {
    throwIfAborted(tools.signal)
    if (isLineKind(table.kind)) {
      const { disk, loadAvro } = tools
      const columns = await localColumns({ kind: table.kind, disk, path: file.path, local, loadAvro })
      samples.push(await lineSample({ file, index, i }, columns, tools))
      continue
    }
    const read = (end: number | undefined): AsyncIterable<Buffer> => bytesOf(tools.disk, local, end)
    const head = await (table.kind === 'json' ? beginningOf(file, read, sampleBytes) : headOf(file, read, table))
    const isWhole = head.isWhole || (table.kind === 'json' && !isLined(file.path, head.bytes))
    const isCopied = !isWhole || compressionOf(file.path) !== undefined
    const place = isCopied && head.isWhole === isWhole
      ? await kept(head.bytes, { file, index, i }, tools) : local
    samples.push(sampleOf(table, file, { ...head, isWhole }, place))
  }
  return { table, samples }
}

/** Its columns are what is known of it: the engine reads nothing of the sample. */
const lineSample = async (place: SamplePlace, columns: FileSample['columns'], tools: SampleTools): Promise<FileSample> =>
  ({ path: place.file.path, local: await kept(Buffer.alloc(0), place, tools), isWhole: false, bytes: 0, lines: 0, columns })

interface Head extends Pick<FileSample, 'blocks'> { readonly bytes: Buffer; readonly isWhole: boolean }

function sampleOf(table: SqlTable, file: SqlFile, { bytes, isWhole, blocks }: Head, local: string): FileSample {
  const firstLine = table.kind === 'csv' ? lineOf(bytes) : undefined
  const lines = table.kind === 'parquet' ? 0 : bytes.reduce((sum, byte) => (byte === 10 ? sum + 1 : sum), 0)
  return {
    path: file.path, local, isWhole, bytes: isWhole ? file.bytes : bytes.length, lines, blocks, ...firstLine !== undefined && { firstLine },
    ...table.kind === 'csv' && { head: bytes, delimiter: table.csv?.delimiter ?? delimiterOf(file), header: headerOf(file) },
  }
}

/** A file of a table by the numbers of both. */
interface SamplePlace { readonly file: SqlFile; readonly index: number; readonly i: number }

async function kept(bytes: Buffer, { file, index, i }: SamplePlace, { disk, space }: SampleTools): Promise<string> {
  const local = join(await space.samples(), `${index}-${i}.sample`)
  space.names(local, file.path)
  const writer = await disk.create(local, { mode: 0o600 })
  try {
    writer.writeSync(bytes)
  } finally {
    await writer.close()
  }
  return local
}

const pieceBytes = 256 * KiB

async function* bytesOf(disk: Disk, local: string, end = Infinity): AsyncGenerator<Buffer, void, void> {
  const file = await disk.openRead(local)
  try {
    const length = Math.min(end, file.bytes)
    for (let at = 0; at < length;) {
      const piece = Buffer.alloc(Math.min(pieceBytes, length - at))
      const read = await file.read(piece, at)
      if (read === 0) return
      at += read
      yield piece.subarray(0, read)
    }
  } finally {
    await file.close()
  }
}

/** Objects of JSON, each in a line of its own. */
function isLined(path: string, head: Buffer): boolean {
  if (/\.(jsonl|ndjson)(\.\w+)?$/i.test(path)) return true
  try {
    const first: unknown = JSON.parse(head.toString('utf8', 0, head.indexOf(10)))
    return typeof first === 'object' && !Array.isArray(first)
  } catch {
    return false
  }
}

/** The first line, if it ends, and has nothing that could be a quote or lie outside of ASCII. */
function lineOf(bytes: Buffer): string | undefined {
  const line = bytes.toString('latin1', 0, Math.max(0, bytes.indexOf(10))).replace(/\r$/, '')
  return /^[\x20-\x21\x23-\x26\x28-\x7e\t]+$/.test(line) ? line : undefined
}

/**
 * The beginning of a file, up to the end of a line; all of a file of JSON whose objects have no lines of their own. Throws TOO_LARGE for a
 * first line that does not end in it, unless the columns of the table are known.
 */
async function headOf(
  file: SqlFile, read: (end: number | undefined) => AsyncIterable<Buffer>, { kind, known, csv }: Pick<SqlTable, 'kind' | 'known' | 'csv'>,
): Promise<Head> {
  const { path } = file
  // The engine does not take the mark in JSON; tasks read the file without it, too (unmarked.ts).
  const unmarked = (found: Head): Head => (kind === 'json' ? { ...found, bytes: found.bytes.subarray(markBytes(found.bytes)) } : found)
  const head = unmarked(await beginningOf(file, read, sampleBytes, kind === 'csv' ? bytes => rowsEnd(bytes, file, csv) : linesEnd))
  if (kind === 'json' && !head.isWhole && !isLined(path, head.bytes)) {
    const whole = unmarked(await beginningOf(file, read, jsonBytesMax))
    if (whole.isWhole) return whole
    throw new GristmillError(
      'EINVAL', `${path} is JSON of more than ${formatBytes(jsonBytesMax)} without an object in each line; store an object in each line (.jsonl)`,
      { details: { path } },
    )
  }
  if (head.bytes.length === 0 && !head.isWhole && known?.format === undefined)
    throw new GristmillError('TOO_LARGE', `${path} has no line end in its first ${sampleBytes} bytes, so its columns are not known`, {
      details: { path },
    })
  return head
}

/** Length of the lines that end in the bytes. */
const linesEnd = (bytes: Buffer): number => bytes.lastIndexOf(lineFeed) + 1

const [lineFeed, carriageReturn] = [10, 13]

/** Length of the rows of CSV that end in the bytes: a line end in quotes ends no row. */
function rowsEnd(bytes: Buffer, file: SqlFile, { delimiter: told, quote = '"' }: CsvReading = {}): number {
  if (quote === '') return linesEnd(bytes)
  const marked = markBytes(bytes)
  const sample = { path: file.path, bytes: bytes.subarray(marked, marked + headBytes), isAll: false }
  const found = examine(sample, { claimed: told ?? delimiterOf(file) })
  const scanner = new LineScanner({ delimiter: 'delimiter' in found ? found.delimiter : ',', quote, escape: quote })
  scanner.add(bytes.subarray(marked))
  if (scanner.lineBytes > 0) return marked + scanner.lineBytes
  // A quote that is never closed is an ordinary character; without a line feed, a carriage return ends each line.
  return bytes.includes(lineFeed) ? linesEnd(bytes) : bytes.lastIndexOf(carriageReturn) + 1
}

/** The delimiter that the metadata of a file name. */
const delimiterOf = ({ status }: SqlFile): string | undefined => status?.delimiter

/** The metadata of a file may say whether its first row has names. */
const headerOf = ({ status }: SqlFile): boolean | undefined => status?.header

/** The whole file, or its first bytes up to the end of a line: none, if no line ends in them. */
async function beginningOf(
  { path, bytes: length }: SqlFile, read: (end: number | undefined) => AsyncIterable<Buffer>, bytesMax: number,
  endOf: (bytes: Buffer) => number = linesEnd,
): Promise<Head> {
  const compression = compressionOf(path)
  const pieces: Buffer[] = []
  let count = 0
  const source = read(compression === undefined ? Math.min(length, bytesMax) : undefined)
  for await (const piece of compression === undefined ? source : decompressed(source, compression, path)) {
    pieces.push(Buffer.from(piece))
    count += piece.length
    if (compression !== undefined && count >= bytesMax) break
  }
  const bytes = Buffer.concat(pieces)
  const isWhole = compression === undefined ? count >= length : count < bytesMax
  return { bytes: isWhole ? bytes : bytes.subarray(0, endOf(bytes)), isWhole }
}

/** The footer of a Parquet file, as a file of its own: enough to know its columns. */
async function footerOf({ path, bytes: length, status }: SqlFile, { files, signal }: ShapeTools): Promise<Head> {
  const located = await files.locate(path, { signal })
  const tail = async (bytes: number): Promise<Buffer> =>
    Buffer.concat(await Array.fromAsync(files.read(located, { start: Math.max(0, length - bytes), signal })))
  const last = await tail(tailBytes)
  const damaged = (): GristmillError =>
    new GristmillError('EINVAL', `${path} is no Parquet file: it does not end as one`, { details: { path } })
  if (last.length < 12 || last.toString('latin1', last.length - 4) !== 'PAR1') throw damaged()
  const footer = last.readUInt32LE(last.length - 8) + 8
  if (footer + 4 > length)
    throw new GristmillError(
      'EINVAL', `${path} is no Parquet file, or a damaged one: its end gives its footer ${footer - 8} bytes, and the file has ${length}`,
      { details: { path } },
    )
  const whole = footer <= last.length ? last : await tail(footer)
  const isSame = located.status.id === status?.id && located.status.length === length && !located.outside
  return {
    bytes: Buffer.concat([Buffer.from('PAR1'), whole.subarray(whole.length - footer)]), isWhole: false,
    blocks: isSame && located.next === undefined ? located.blocks : undefined,
  }
}
