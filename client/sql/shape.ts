// Fixes how the files of a table are read, from the beginnings of some of them, so that every task reads them alike: delimiter, quotes,
// columns and types of CSV, columns of JSON, and those of the first Parquet file.

import { GristmillError } from '../../src/base/errors.ts'
import { literalOf, literalsOf, typeText, type SqlColumn, type SqlType } from '../../src/base/sql.ts'
import { isLineKind, lineColumn } from '../../src/operator/linefile.ts'
import { escapedPath, partitionsIn, type TableShape } from '../../src/operator/sqltable.ts'
import type { Database } from '../../src/ports/database.ts'
import { csvShape, oneValue, type FileSample } from './csvshape.ts'
import { roomyType } from './decimals.ts'
import { aboutFile } from './localnames.ts'
import type { SampledTable } from './sample.ts'
import { strictColumns } from './strict.ts'
import type { SqlTable } from './tables.ts'
import { unbent } from './wholenumbers.ts'

type Column = TableShape['columns'][number]

/** Throws EINVAL for files whose columns do not agree. REQUIRES: `db` reaches the samples. */
export async function shapeOf(db: Database, { table, samples }: SampledTable): Promise<TableShape> {
  const fixed = await fixedShape(db, table)
  if (fixed) {
    if (fixed.format.kind === 'csv') checkWriters(table.files, { ...fixed.format, table: table.name })
    return fixed
  }
  const partitions = partitionsOf(table)
  const [first] = samples
  if (!first)
    throw new GristmillError('EINVAL', `${table.name} has only empty files, so its columns are not known`, {
      details: { path: table.name },
    })
  switch (table.kind) {
    case 'csv': {
      const { format, columns } = await csvShape(db, samples, table.csv).catch((error: unknown) => { throw named(error, samples) })
      checkWriters(table.files, { ...format, path: first.path }, table.csv)
      const own = strictColumns(columns, 'csv', { forms: format })
      return { name: table.name, format, columns: own, partitions }
    }
    case 'json': {
      const layout = await layoutOf(db, first)
      const options = `sample_size = -1, format = '${layout}', hive_partitioning = false`
      const found = await columnsOf(db, `read_json(${filesOf(samples)}, ${options})`, samples)
      const columns = await unbentJson(db, found, own => {
        const types = own.map(({ name, type }) => `${literalOf(name)}: ${literalOf(type)}`)
        return `read_json(${filesOf(samples)}, ${options}, columns = {${types.join(', ')}})`
      })
      await checkKeys(db, columns, layout, samples)
      const own = strictColumns(columns, 'json', { isAll: isAll(table, samples) })
      return { name: table.name, format: { kind: 'json', layout }, columns: own, partitions }
    }
    case 'arrow': case 'avro': return { name: table.name, format: { kind: table.kind }, columns: first.columns!, partitions }
    default: {
      const columns = await columnsOf(db, `read_parquet(${literalOf(first.local)}, hive_partitioning = false)`, samples)
        .catch((error: unknown) => { throw aboutFile(error, first.path, [first.local]) })
      return { name: table.name, format: { kind: 'parquet' }, columns: plainColumns(columns), partitions }
    }
  }
}

/** Layout of a file of CSV, as far as its writer says it, or the one that a table of the catalogue is read by. */
interface Written {
  readonly path?: string
  readonly table?: string
  readonly header?: boolean | undefined
  readonly delimiter?: string | undefined
}

/**
 * Throws EINVAL for a file, also one that is no sample, whose writer has said something else of its first row or its delimiter than `read`.
 * No statement that declares a table says either of them, so the writer knows better.
 */
function checkWriters(files: SqlTable['files'], read: Written, told: SqlTable['csv'] = {}): void {
  const known: { header: Written | undefined; delimiter: Written | undefined } = { header: read, delimiter: read }
  for (const file of files) {
    if (file.bytes === 0) continue
    const written: Written = { path: file.path, header: file.status?.header, delimiter: file.status?.delimiter }
    for (const [key, word] of [['header', 'has a header'], ['delimiter', 'delimiter']] as const) {
      if (written[key] === undefined || told[key] !== undefined) continue
      const before = known[key] ??= written
      if (before[key] === written[key]) continue
      const layouts = `${word}: ${JSON.stringify(written[key])} and ${JSON.stringify(before[key])}`
      throw new GristmillError('EINVAL', before.table === undefined
        ? `${file.path} and ${before.path} are CSV of different layouts (${layouts}); name files that are alike`
        : `${file.path} is CSV of another layout than the table ${before.table} (${layouts}); remove the file, or drop the table and create `
          + 'it again', { details: { path: file.path } })
    }
  }
}

/** Shape of a table that is in the catalogue: of CSV and JSON, and of one without files. REQUIRES: `db` knows types by their text. */
async function fixedShape(
  db: Database, { name, known, files }: Pick<SqlTable, 'name' | 'known' | 'files'>,
): Promise<TableShape | undefined> {
  if (known?.format === undefined && (files.length > 0 || !known)) return undefined
  const { isText, ...format } = known.format === undefined
    ? { kind: 'parquet' as const, isText: undefined } : JSON.parse(known.format) as TableShape['format'] & { readonly isText?: true }
  const list = known.columns.map(({ type }, i) => `CAST(NULL AS ${type}) AS c${i}`)
  const types = await db.columnsOf(`SELECT ${list.join(', ')}`)
  const isPartition = (column: string): boolean => known.partitions?.includes(column) === true
  const columns = known.columns.map((column, i) => ({ name: column.name, type: types[i]!.type }))
  const own = columns.filter(column => !isPartition(column.name))
  return {
    name, format,
    columns: isText ? lineColumns(columns) : isLineKind(format.kind) ? lineColumns(own) : format.kind === 'parquet' ? plainColumns(own)
      : strictColumns(own, format.kind, format.kind === 'csv' ? { forms: format } : {}),
    partitions: plainColumns(columns.filter(column => isPartition(column.name))),
  }
}

async function columnsOf(db: Database, source: string, samples: readonly FileSample[]): Promise<readonly SqlColumn[]> {
  return db.columnsOf(`SELECT * FROM ${source}`).catch((error: unknown) => { throw named(error, samples) })
}

/** The engine renames a key that differs from another one in case only, to a_1, and does not find it again under that name. */
async function checkKeys(db: Database, columns: readonly SqlColumn[], layout: string, samples: readonly FileSample[]): Promise<void> {
  const names = new Set(columns.map(({ name }) => name.toLowerCase()))
  const isRenamed = (name: string): boolean => names.has(/^(.+)_\d+$/.exec(name)?.[1]?.toLowerCase() ?? '')
  if (!columns.some(({ name }) => isRenamed(name))) return
  const objects = `read_json_objects(${filesOf(samples)}, format = '${layout}', hive_partitioning = false)`
  const two = await oneValue(db, `SELECT list(DISTINCT key ORDER BY key) FROM (SELECT unnest(json_keys(json)) AS key FROM ${objects})
    GROUP BY lower(key) HAVING count(DISTINCT key) > 1 LIMIT 1`)
  if (two === undefined) return
  const { path } = samples[0]!
  throw new GristmillError(
    'EINVAL', `objects of ${path} or the files like it have keys that differ in case only (${(two as string[]).join(', ')}), which SQL `
    + 'takes for one name', { details: { path } },
  )
}

const filesOf = (samples: readonly FileSample[]): string => literalsOf(samples.map(({ local }) => escapedPath(local)))

/** Columns whose values are texts of their types. */
const lineColumns = (columns: readonly SqlColumn[]): Column[] => columns.map(({ name, type }) => lineColumn(name, typeText(type)))

async function unbentJson(
  db: Database, columns: readonly SqlColumn[], from: (columns: readonly Column[]) => string,
): Promise<SqlColumn[]> {
  const asTexts = (names: readonly string[]): string => from(names.map(name => ({ name, type: 'VARCHAR' })))
  const types = await unbent(db, columns.map(({ name, type }) => ({ name, type: typeText(type) })), asTexts)
  const plain = columns.map(({ name, type }, i): SqlColumn => {
    const found = types[i]!.type
    return { name, type: found === typeText(type) ? type : { kind: 'plain', name: roomyType(found) } }
  })
  const unbentColumns: SqlColumn[] = []
  for (const column of plain) unbentColumns.push(await withTexts(db, column, from))
  return unbentColumns
}

/** A nested column with dates and times that would become others has texts in their places. */
async function withTexts(db: Database, column: SqlColumn, from: (columns: readonly Column[]) => string): Promise<SqlColumn> {
  const { name, type } = column
  if (type.kind === 'plain' || !/DATE|TIME/.test(typeText(type))) return column
  const [{ read }] = strictColumns([column], 'json') as [Column]
  if (!read) return column
  const source = from([{ name, type: read.type }])
  const isExact = await oneValue(db, `SELECT count(${read.sql}) FROM ${source}`).then(() => true, () => false)
  return isExact ? column : { name, type: textType(type) }
}

/** The type with VARCHAR for dates and times. */
function textType(type: SqlType): SqlType {
  switch (type.kind) {
    case 'plain': return /^(?:DATE|TIME)/.test(type.name) ? { kind: 'plain', name: 'VARCHAR' } : type
    case 'list': return { ...type, item: textType(type.item) }
    case 'struct': return { ...type, fields: type.fields.map(field => ({ ...field, type: textType(field.type) })) }
    case 'map': return { ...type, value: textType(type.value) }
    default: return type
  }
}

const plainColumns = (columns: readonly SqlColumn[]): Column[] => columns.map(({ name, type }) => ({ name, type: typeText(type) }))

/** All bytes of the table have been looked at, so that every value fits the type of its column. */
const isAll = ({ files }: SqlTable, samples: readonly FileSample[]): boolean =>
  samples.length === files.filter(({ bytes }) => bytes > 0).length && samples.every(({ isWhole }) => isWhole)

/** JSON in one array, or objects one after the other. */
async function layoutOf(db: Database, { local, path, isWhole }: FileSample): Promise<'newline_delimited' | 'array' | 'unstructured'> {
  const text = await oneValue(db, `SELECT left(ltrim(content), 1) FROM read_text(${literalOf(escapedPath(local))})`)
  if (text === '[') {
    if (isWhole) return 'array'
    throw new GristmillError('EINVAL', `${path} is one large array of JSON; store an object in each line (.jsonl)`, { details: { path } })
  }
  return /\.(jsonl|ndjson)(\.\w+)?$/i.test(path) || !isWhole ? 'newline_delimited' : 'unstructured'
}

/** Columns whose values are in names of directories: those that all files have. */
export function partitionsOf({ files }: Pick<SqlTable, 'files'>): Column[] {
  const all = files.map(({ path, named = path }) => partitionsIn(named))
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
