// Fixes how the files of a table are read, from the beginnings of some of them, so that every task reads them alike: delimiter, quotes,
// columns and types of CSV, columns of JSON, and those of the first Parquet file.

import { join } from 'node:path'
import { GristmillError } from '../../src/base/errors.ts'
import { literalOf, literalsOf, quotedName, typeText, type SqlColumn } from '../../src/base/sql.ts'
import { Semaphore } from '../../src/base/queue.ts'
import { KiB, MiB } from '../../src/base/units.ts'
import type { FileClient } from '../../src/file/client.ts'
import { compressionOf, partitionsIn, type TableShape } from '../../src/operator/sqltable.ts'
import type { Database } from '../../src/ports/database.ts'
import type { Disk } from '../../src/ports/disk.ts'
import { decompressed } from '../../src/record/decompress.ts'
import { csvShape, oneValue, type FileSample } from './csvshape.ts'
import { strictColumns } from './strict.ts'
import { settled } from '../jobs/splits.ts'
import type { SqlFile, SqlTable } from './tables.ts'

interface ShapeTools {
  readonly disk: Disk
  readonly files: Pick<FileClient, 'read' | 'locate'>
  /** Directory for samples. REQUIRES: it exists, and nothing else is in it. */
  readonly directory: string
  readonly signal: AbortSignal | undefined
  /** Footers of a Parquet table that are read, at least one. */
  readonly footers: number
}

/** Files of a table that are looked at. The engine looks at ten by itself. */
const sampledFiles = 16
/** Bytes of a file that are looked at, decompressed. */
const sampleBytes = 1 * MiB
const tailBytes = 64 * KiB
const readsAtOnce = 8

type Column = TableShape['columns'][number]

/** A table whose beginnings of files are in local files. */
export interface SampledTable { readonly table: SqlTable; readonly samples: readonly FileSample[] }

export async function sampleTable(table: SqlTable, index: number, tools: ShapeTools): Promise<SampledTable> {
  const wanted = table.kind === 'parquet'
    ? table.files.slice(0, Math.max(1, tools.footers))
    : table.files.filter(({ bytes }) => bytes > 0).slice(0, sampledFiles)
  const gate = new Semaphore(readsAtOnce)
  const samples = await settled(wanted.map((file, i) => gate.run(async (): Promise<FileSample> => {
    const local = join(tools.directory, `${index}-${i}.sample`)
    const { bytes, isWhole } = table.kind === 'parquet' ? await footerOf(file, tools) : await headOf(file, tools)
    const writer = await tools.disk.create(local, { mode: 0o600 })
    try {
      writer.writeSync(bytes)
    } finally {
      await writer.close()
    }
    const firstLine = table.kind === 'csv' ? lineOf(bytes) : undefined
    const lines = table.kind === 'parquet' ? 0 : bytes.reduce((sum, byte) => (byte === 10 ? sum + 1 : sum), 0)
    const read = isWhole ? file.bytes : bytes.length
    return { path: file.path, local, isWhole, bytes: read, lines, ...firstLine !== undefined && { firstLine } }
  }, tools.signal)))
  return { table, samples }
}

/** The first line, if it ends, and has nothing that could be a quote or lie outside of ASCII. */
function lineOf(bytes: Buffer): string | undefined {
  const line = bytes.toString('latin1', 0, Math.max(0, bytes.indexOf(10))).replace(/\r$/, '')
  return /^[\x20-\x21\x23-\x26\x28-\x7e\t]+$/.test(line) ? line : undefined
}

/** The beginning of a file, up to the end of a line. */
async function headOf({ path, bytes: length }: SqlFile, { files, signal }: ShapeTools): Promise<{ bytes: Buffer; isWhole: boolean }> {
  const compression = compressionOf(path)
  const pieces: Buffer[] = []
  let read = 0
  const source = files.read(path, { ...compression === undefined && { end: Math.min(length, sampleBytes) }, signal })
  for await (const piece of compression === undefined ? source : decompressed(source, compression, path)) {
    pieces.push(Buffer.from(piece))
    read += piece.length
    if (compression !== undefined && read >= sampleBytes) break
  }
  const bytes = Buffer.concat(pieces)
  const isWhole = compression === undefined ? read >= length : read < sampleBytes
  const end = isWhole ? bytes.length : bytes.lastIndexOf(10) + 1
  if (end === 0 && bytes.length > 0)
    throw new GristmillError('TOO_LARGE', `${path} has no line end in its first ${sampleBytes} bytes, so its columns are not known`, {
      details: { path },
    })
  return { bytes: bytes.subarray(0, end), isWhole }
}

/** The footer of a Parquet file, as a file of its own: enough to know its columns. */
async function footerOf({ path, bytes: length }: SqlFile, { files, signal }: ShapeTools): Promise<{ bytes: Buffer; isWhole: boolean }> {
  const tail = async (bytes: number): Promise<Buffer> =>
    Buffer.concat(await Array.fromAsync(files.read(path, { start: Math.max(0, length - bytes), signal })))
  const last = await tail(tailBytes)
  const damaged = (): GristmillError =>
    new GristmillError('EINVAL', `${path} is no Parquet file: it does not end as one`, { details: { path } })
  if (last.length < 12 || last.toString('latin1', last.length - 4) !== 'PAR1') throw damaged()
  const footer = last.readUInt32LE(last.length - 8) + 8
  if (footer + 4 > length) throw damaged()
  const whole = footer <= last.length ? last : await tail(footer)
  return { bytes: Buffer.concat([Buffer.from('PAR1'), whole.subarray(whole.length - footer)]), isWhole: false }
}

/** Throws EINVAL for files whose columns do not agree. REQUIRES: `db` reaches the samples. */
export async function shapeOf(db: Database, { table, samples }: SampledTable): Promise<TableShape> {
  const fixed = await fixedShape(db, table)
  if (fixed) return fixed
  const partitions = partitionsOf(table)
  const [first] = samples
  if (!first)
    throw new GristmillError('EINVAL', `${table.name} has only empty files, so its columns are not known`, {
      details: { path: table.name },
    })
  switch (table.kind) {
    case 'csv': {
      const { format, columns } = await csvShape(db, samples).catch((error: unknown) => { throw named(error, samples) })
      const own = isAll(table, samples) ? plainColumns(columns) : strictColumns(columns, 'csv')
      return { name: table.name, format, columns: own, partitions }
    }
    case 'json': {
      const layout = await layoutOf(db, first)
      const options = `sample_size = -1, format = '${layout}', hive_partitioning = false`
      const columns = await columnsOf(db, `read_json(${literalsOf(samples.map(({ local }) => local))}, ${options})`, samples)
      await checkKeys(db, columns, layout, samples)
      const own = isAll(table, samples) ? plainColumns(columns) : strictColumns(columns, 'json')
      return { name: table.name, format: { kind: 'json', layout }, columns: own, partitions }
    }
    default: {
      const columns = await columnsOf(db, `read_parquet(${literalOf(first.local)}, hive_partitioning = false)`, samples)
      return { name: table.name, format: { kind: 'parquet' }, columns: plainColumns(columns), partitions }
    }
  }
}

/** Shape of a table whose way of being read is in the catalogue: CSV and JSON. REQUIRES: `db` knows types by their text. */
export async function fixedShape(db: Database, { name, known }: Pick<SqlTable, 'name' | 'known'>): Promise<TableShape | undefined> {
  if (known?.format === undefined) return undefined
  const format = JSON.parse(known.format) as Extract<TableShape['format'], { kind: 'csv' | 'json' }>
  const list = known.columns.map(({ type }, i) => `CAST(NULL AS ${type}) AS c${i}`)
  const types = await db.columnsOf(`SELECT ${list.join(', ')}`)
  const isPartition = (column: string): boolean => known.partitions?.includes(column) === true
  const columns = known.columns.map((column, i) => ({ name: column.name, type: types[i]!.type }))
  return {
    name, format, columns: strictColumns(columns.filter(column => !isPartition(column.name)), format.kind),
    partitions: plainColumns(columns.filter(column => isPartition(column.name))),
  }
}

async function columnsOf(db: Database, source: string, samples: readonly FileSample[]): Promise<readonly SqlColumn[]> {
  return db.columnsOf(`SELECT * FROM ${source}`).catch((error: unknown) => { throw named(error, samples) })
}

/** The engine renames a key that differs from another one in case only, and does not find it again under the new name. */
async function checkKeys(db: Database, columns: readonly SqlColumn[], layout: string, samples: readonly FileSample[]): Promise<void> {
  const names = new Set(columns.map(({ name }) => name.toLowerCase()))
  for (const { name } of columns) {
    const [, base] = /^(.+)_\d+$/.exec(name) ?? []
    if (base === undefined || !names.has(base.toLowerCase())) continue
    const options = `format = '${layout}', columns = {${literalOf(name)}: 'JSON'}, hive_partitioning = false`
    const count = await oneValue(db, `SELECT count(*) FROM read_json(${literalsOf(samples.map(({ local }) => local))}, ${options})
      WHERE ${quotedName(name)} IS NOT NULL`)
    if (Number(count) > 0) continue
    const { path } = samples[0]!
    throw new GristmillError(
      'EINVAL', `objects of ${path} or the files like it have keys that differ from ${base} in case only, which SQL takes for one name`,
      { details: { path } },
    )
  }
}

const plainColumns = (columns: readonly SqlColumn[]): Column[] => columns.map(({ name, type }) => ({ name, type: typeText(type) }))

/** All bytes of the table have been looked at, so that every value fits the type of its column. */
const isAll = ({ files }: SqlTable, samples: readonly FileSample[]): boolean =>
  samples.length === files.filter(({ bytes }) => bytes > 0).length && samples.every(({ isWhole }) => isWhole)

/** JSON in one array, or objects one after the other. */
async function layoutOf(db: Database, { local, path, isWhole }: FileSample): Promise<'newline_delimited' | 'array' | 'unstructured'> {
  const text = await oneValue(db, `SELECT left(ltrim(content), 1) FROM read_text(${literalOf(local)})`)
  if (text === '[') {
    if (isWhole) return 'array'
    throw new GristmillError('EINVAL', `${path} is one large array of JSON; store an object in each line (.jsonl)`, { details: { path } })
  }
  return /\.(jsonl|ndjson)(\.\w+)?$/i.test(path) || !isWhole ? 'newline_delimited' : 'unstructured'
}

/** Columns whose values are in names of directories: those that all files have. */
function partitionsOf({ files }: SqlTable): Column[] {
  const all = files.map(({ path }) => partitionsIn(path))
  return [...all[0]!.keys()].filter(name => all.every(each => each.has(name))).map(name => {
    const values = all.map(each => each.get(name)!).filter(value => value !== '__HIVE_DEFAULT_PARTITION__')
    const isAll = (shape: RegExp): boolean => values.length > 0 && values.every(value => shape.test(value))
    const type = isAll(/^\d{4}-\d\d-\d\d$/) ? 'DATE' : isAll(/^-?(0|[1-9]\d{0,17})$/) ? 'BIGINT' : 'VARCHAR'
    return { name, type }
  })
}

/** The error with the names of files as the user knows them. */
function named(error: unknown, samples: readonly FileSample[]): unknown {
  if (!(error instanceof GristmillError)) return error
  let { message } = error
  for (const { local, path } of samples) message = message.replaceAll(local, path)
  return new GristmillError(error.code, message, { cause: error.cause, details: error.details })
}
