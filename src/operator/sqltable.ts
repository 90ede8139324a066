// Tables of a query: how their files are read, fixed once by the submitter so that all tasks read them alike, and the SQL of a view over
// files of this machine.

import { literalOf, literalsOf, quotedName } from '../base/sql.ts'

export interface ShapeColumn {
  readonly name: string
  readonly type: string
  /** Type with which the reader gives it, and the value of the column's type as SQL. Default: the reader gives the column's type. */
  readonly read?: { readonly type: string; readonly sql: string }
}

export interface TableShape {
  readonly name: string
  readonly format:
    | {
        readonly kind: 'csv'
        readonly delimiter: string
        /** Empty: fields have no quotes. */
        readonly quote: string
        readonly escape: string
        readonly comment: string
        readonly header: boolean
        /** Lines before the header. */
        readonly skip: number
        readonly dateFormat?: string
        readonly timestampFormat?: string
        /** Texts without quotes that are NULL. Default: the empty one. */
        readonly nulls?: readonly string[]
        /** Bytes of the header, if it is the first line of the file and has no quotes: a file that begins with it has these columns. */
        readonly headerLine?: string
      }
    | { readonly kind: 'json'; readonly layout: 'newline_delimited' | 'array' | 'unstructured' }
    | { readonly kind: 'parquet' }
    /** Files of it are made into JSON lines before the engine reads them (linefile.ts). */
    | { readonly kind: 'arrow' | 'avro' }
  /** Columns of the files. */
  readonly columns: readonly ShapeColumn[]
  /** Columns whose values are in names of directories. */
  readonly partitions: readonly ShapeColumn[]
}

/** A file, or a part of one that begins and ends at records. */
export interface TablePart {
  /** Path of the file, whose directories may hold values of columns. */
  readonly path: string
  readonly local: string
  /** False: a part behind the beginning of its file, without a header. */
  readonly isFirst: boolean
  /** End of the lines of a CSV part, as the engine names it, if the engine would take another one: the first line end is in quotes. */
  readonly lineEnd?: '\\n' | '\\r' | '\\r\\n' | undefined
  /** Types of the columns of a Parquet file, if they are not those of the table. */
  readonly types?: string | undefined
  /** Rows of a part of a Parquet file: the number of the first one, and of the one behind the last. Default: all. */
  readonly rows?: { readonly first: number; readonly end: number } | undefined
}

/** Columns of a table: those of its files, and those in names of directories. */
export function columnsOfTable({ columns, partitions }: TableShape): ShapeColumn[] {
  const inFile = (partition: ShapeColumn): boolean => columns.some(({ name }) => isSame(name, partition.name))
  // The value in the name of the directory counts, at the place that the column has in the file.
  return [
    ...columns.map(column => partitions.find(({ name }) => isSame(name, column.name)) ?? column),
    ...partitions.filter(each => !inFile(each)),
  ]
}

const isSame = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase()

/** SELECT over all parts, in their order, with the columns of the shape. */
export function tableSelect(shape: TableShape, parts: readonly TablePart[]): string {
  const columns = columnsOfTable(shape)
  if (parts.length === 0)
    return `SELECT ${columns.map(({ name, type }) => `CAST(NULL AS ${type}) AS ${quotedName(name)}`).join(', ')} WHERE false`
  const arms: string[] = []
  for (let at = 0; at < parts.length;) {
    const first = parts[at]!
    let end = at + 1
    while (end < parts.length && isAlike(shape, first, parts[end]!)) end++
    arms.push(armOf(shape, columns, parts.slice(at, end)))
    at = end
  }
  return arms.join('\nUNION ALL ')
}

const isPartition = ({ partitions }: TableShape, name: string): boolean =>
  partitions.some(column => isSame(column.name, name))

/** One read covers both. */
const isAlike = ({ format, partitions }: TableShape, a: TablePart, b: TablePart): boolean =>
  (a.isFirst === b.isFirst || format.kind !== 'csv')
  && a.lineEnd === b.lineEnd
  // The engine reads all files of one call in the types of the first.
  && a.types === b.types
  && a.rows === undefined && b.rows === undefined
  && compressionOf(a.path) === compressionOf(b.path)
  && partitions.every(({ name }) => valueIn(a.path, name) === valueIn(b.path, name))

function armOf(shape: TableShape, columns: readonly ShapeColumn[], parts: readonly TablePart[]): string {
  const values = columns.map(({ name, type, read }) => {
    const value = isPartition(shape, name) ? valueIn(parts[0]!.path, name) ?? null : undefined
    const from = value === undefined ? read?.sql ?? quotedName(name) : value === null ? 'NULL' : literalOf(value)
    return `CAST(${from} AS ${type}) AS ${quotedName(name)}`
  })
  return `SELECT ${values.join(', ')} FROM ${readerOf(shape, parts)}`
}

function readerOf({ format, columns }: TableShape, parts: readonly TablePart[]): string {
  const files = literalsOf(parts.map(({ local }) => escapedPath(local)))
  const types = `{${columns.map(({ name, type, read }) => `${literalOf(name)}: ${literalOf(read?.type ?? type)}`).join(', ')}}`
  const compression = compressionOf(parts[0]!.path)
  switch (format.kind) {
    case 'csv': {
      const { delimiter, quote, escape, comment, header, skip, dateFormat, timestampFormat, nulls } = format
      const { isFirst, lineEnd } = parts[0]!
      const options = [
        'auto_detect = false', `delim = ${literalOf(delimiter)}`, `quote = ${literalOf(quote)}`, `escape = ${literalOf(escape)}`,
        `comment = ${literalOf(comment)}`, `header = ${isFirst && header}`, `skip = ${isFirst ? skip : 0}`, `columns = ${types}`,
        `compression = ${literalOf(compression ?? 'none')}`, 'hive_partitioning = false',
        // An empty text has quotes, and NULL none.
        'allow_quoted_nulls = false',
        // The engine takes a blank line for a row of one column only if an empty field is NULL.
        ...nulls === undefined ? [] : [`nullstr = ${literalsOf(columns.length > 1 || nulls.includes('') ? nulls : [...nulls, ''])}`],
        ...dateFormat === undefined ? [] : [`dateformat = ${literalOf(dateFormat)}`],
        ...lineEnd === undefined ? [] : [`new_line = ${literalOf(lineEnd)}`],
        ...timestampFormat === undefined ? [] : [`timestampformat = ${literalOf(timestampFormat)}`],
      ]
      return `read_csv(${files}, ${options.join(', ')})`
    }
    case 'json': case 'arrow': case 'avro':
      return `read_json(${files}, format = ${literalOf(format.kind === 'json' ? format.layout : 'newline_delimited')}, columns = ${types}, `
        + `compression = ${literalOf(compression ?? 'uncompressed')}, hive_partitioning = false)`
    default: {
      const { rows } = parts[0]!
      if (rows === undefined) return `read_parquet(${files}, hive_partitioning = false)`
      // Row groups whose rows have other numbers are not read.
      return `(SELECT * EXCLUDE (file_row_number) FROM read_parquet(${files}, hive_partitioning = false, file_row_number = true)`
        + ` WHERE file_row_number >= ${rows.first} AND file_row_number < ${rows.end})`
    }
  }
}

export function compressionOf(path: string): 'gzip' | 'zstd' | undefined {
  const name = path.toLowerCase()
  return name.endsWith('.gz') ? 'gzip' : name.endsWith('.zst') ? 'zstd' : undefined
}

/** Directories of the form `name=value` in a path. */
export function partitionsIn(path: string): Map<string, string> {
  const found = new Map<string, string>()
  for (const directory of path.split('/').slice(0, -1)) {
    const [, name, value] = /^([^=]+)=(.*)$/.exec(directory) ?? []
    if (name !== undefined) found.set(name, decoded(value!))
  }
  return found
}

function valueIn(path: string, name: string): string | undefined {
  const value = partitionsIn(path).get(name)
  return value === '__HIVE_DEFAULT_PARTITION__' ? undefined : value
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** The path as a pattern of the engine that matches only this file. */
export const escapedPath = (path: string): string => path.replaceAll(/[*?[]/g, char => `[${char}]`)
