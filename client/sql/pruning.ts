// Leaves out the parts of a table's files in which no row meets the conditions of a scan: by the values in names of directories, and by the
// statistics of row groups in Parquet footers. What is not known, or could be meant otherwise by the writer of a file, is read.

import { literalOf, literalsOf } from '../../src/base/sql.ts'
import { readRowGroups, type RowGroup } from '../../src/operator/parquet.ts'
import { partitionsIn, type TableShape } from '../../src/operator/sqltable.ts'
import type { Database } from '../../src/ports/database.ts'
import type { ScanCondition } from '../../src/sql/query.ts'
import type { SplitPiece } from '../jobs/pack.ts'
import type { SampledTable } from './sample.ts'

/** Row groups of a table's files, by path. */
type FileGroups = ReadonlyMap<string, readonly RowGroup[]>

/** Row groups of each table by files, as far as their footers are known. A table whose tasks could not number its rows has none. */
export async function rowGroupsOf(db: Database, sampled: readonly SampledTable[], shapes: readonly TableShape[]): Promise<FileGroups[]> {
  const found: FileGroups[] = []
  for (const [i, { table, samples }] of sampled.entries()) {
    const isNumbered = !shapes[i]!.columns.some(({ name }) => name.toLowerCase() === 'file_row_number')
    const locals = table.kind === 'parquet' && isNumbered ? samples.map(({ local }) => local) : []
    const groups = await readRowGroups(db, locals)
    found.push(new Map(samples.flatMap(({ path, local }) => (groups.has(local) ? [[path, groups.get(local)!] as const] : []))))
  }
  return found
}

interface Pruned {
  readonly sampled: SampledTable
  readonly shape: TableShape
  readonly groups: FileGroups
  readonly pieces: readonly SplitPiece[]
  readonly conditions: readonly ScanCondition[]
}

/** More files are not looked at one by one. */
const filesMax = 10_000

/** The pieces in which rows can meet all conditions, at least one of them. */
export async function neededPieces(db: Database, pruned: Pruned): Promise<readonly SplitPiece[]> {
  const { sampled, shape, groups, pieces, conditions } = pruned
  const columns = [...new Set(conditions.flatMap(columnsIn))]
  const partitions = shape.partitions.filter(({ name }) => columns.includes(name))
  const measured = shape.columns.filter(({ name }) => columns.includes(name) && isMeasured(shape, name))
  const paths = [...new Set(pieces.map(({ range }) => range.path))]
  if (partitions.length + measured.length === 0 || paths.length === 0 || paths.length > filesMax) return pieces
  const read = measured.length === 0 ? [] : sampled.samples.filter(({ path }) => groups.has(path))
  const footers = new Map(read.map(({ path, local }) => [path, local]))
  const indexIn = (list: readonly Column[]) => (column: string): number | undefined => {
    const at = list.findIndex(({ name }) => name === column)
    return at < 0 ? undefined : at
  }
  const bounds = { partition: indexIn(partitions), statistics: indexIn(measured) }
  const test = conditions.map(each => `coalesce(${testOf(each, bounds)}, true)`).join(' AND ')
  const sql = `SELECT f.path, ${test} FROM ${filesSql(paths, footers, partitions)}
    LEFT JOIN ${await statisticsSql(db, [...footers.values()], measured)} AS s ON f.local = s.file_name ORDER BY f.path, s.row_group_id`
  const needs = new Map<string, boolean[]>(paths.map(path => [path, []]))
  for await (const rows of (await db.query(sql)).batches())
    for (const [path, isNeeded] of rows) needs.get(path as string)!.push(isNeeded as boolean)
  const kept = pieces.filter(({ range: { path, start, end } }) => {
    const own = needs.get(path)!
    const parts = groups.get(path)
    if (!parts || parts.length !== own.length) return own.some(Boolean)
    return parts.some((part, i) => part.start >= start && part.start < end && own[i])
  })
  return kept.length > 0 ? kept : pieces.slice(0, 1)
}

type Column = TableShape['columns'][number]

/** Files as rows: path, local path of the footer if it is known, and values of directories p0, p1… */
function filesSql(paths: readonly string[], footers: ReadonlyMap<string, string>, partitions: readonly Column[]): string {
  const rows = paths.map(path => {
    const values = partitionsIn(path)
    const own = partitions.map(({ name, type }) => {
      const value = values.get(name)
      return `CAST(${value === undefined || value === '__HIVE_DEFAULT_PARTITION__' ? 'NULL' : literalOf(value)} AS ${type})`
    })
    return `(${[literalOf(path), literalOf(footers.get(path) ?? ''), ...own].join(', ')})`
  })
  return `(VALUES ${rows.join(', ')}) AS f(path, local${partitions.map((_, i) => `, p${i}`).join('')})`
}

/** Row groups as rows: least and greatest value of each column, l0, h0, and how many nulls it has, n0. */
async function statisticsSql(db: Database, locals: readonly string[], measured: readonly Column[]): Promise<string> {
  if (locals.length === 0) {
    const none = measured.map(({ type }, i) => `, CAST(NULL AS ${type}) AS l${i}, CAST(NULL AS ${type}) AS h${i}, 0 AS n${i}`).join('')
    return `(SELECT '' AS file_name, 0 AS row_group_id, 0 AS rows${none} WHERE false)`
  }
  const alike = await alikeColumns(db, locals, measured.map(({ name }) => name))
  const list = measured.map(({ name, type }, i) => {
    const files = literalsOf(alike.get(name) ?? [])
    const of = `FILTER (WHERE path_in_schema = ${literalOf(name)} AND list_contains(CAST(${files} AS VARCHAR[]), file_name))`
    const bound = (which: 'min' | 'max'): string => {
      const text = `any_value(stats_${which}_value) ${of}`
      if (type !== 'VARCHAR') return `TRY_CAST(${text} AS ${type})`
      // A text that is shortened may be no bound; one with a backslash may be bytes in another form.
      return `CASE WHEN any_value(${which}_is_exact) ${of} IS NOT false AND NOT contains(${text}, '\\') THEN ${text} END`
    }
    // A column and a field of a struct that have one path cannot be told apart.
    const known = (value: string): string => `CASE WHEN count(*) ${of} = 1 THEN ${value} END`
    return `, ${known(bound('min'))} AS l${i}, ${known(bound('max'))} AS h${i}, ${known(`any_value(stats_null_count) ${of}`)} AS n${i}`
  })
  return `(SELECT file_name, row_group_id, any_value(row_group_num_rows) AS rows${list.join('')}
    FROM parquet_metadata(${literalsOf(locals)}) WHERE row_group_num_rows > 0 GROUP BY file_name, row_group_id)`
}

const columnsIn = (condition: ScanCondition): string[] => {
  switch (condition.kind) {
    case 'compare': case 'null': return [condition.column]
    default: return condition.conditions.flatMap(columnsIn)
  }
}

/** Types whose bounds are exact as texts. Floating-point numbers are left out: bounds say nothing about NaN. */
const measuredTypes = /^(U?(TINYINT|SMALLINT|INTEGER|BIGINT)|DATE|TIMESTAMP|TIMESTAMP WITH TIME ZONE|VARCHAR|DECIMAL\(\d+,\d+\))$/

const isMeasured = ({ format, columns }: TableShape, name: string): boolean => {
  if (format.kind !== 'parquet') return false
  const found = columns.filter(each => each.name.toLowerCase() === name.toLowerCase())
  return found.length === 1 && found[0]!.name === name && measuredTypes.test(found[0]!.type)
}

/** Files whose columns of these names have the type that the column has in the first file, which is that of the table. */
async function alikeColumns(db: Database, locals: readonly string[], names: readonly string[]): Promise<Map<string, string[]>> {
  const alike = new Map<string, string[]>()
  if (locals.length === 0 || names.length === 0) return alike
  const sql = `SELECT file_name, name, coalesce(num_children, 0),
      concat_ws('|', type, coalesce(converted_type, ''), coalesce(logical_type, ''), coalesce(scale, -1), coalesce(precision, -1))
    FROM parquet_schema(${literalsOf(locals)})`
  const types = new Map<string, string>()
  let file: unknown
  /** Elements of the groups that are open, the root first: the elements of a file are in the order of a walk. */
  let open: number[] = []
  for await (const rows of (await db.query(sql)).batches())
    for (const [name, element, children, type] of rows) {
      if (name !== file) [file, open] = [name, []]
      else {
        open[open.length - 1]!--
        if (open.length === 1 && Number(children) === 0 && names.includes(element as string) && !(type as string).startsWith('INT96')) {
          if (file === locals[0]) types.set(element as string, type as string)
          if (types.get(element as string) === type) alike.set(element as string, [...alike.get(element as string) ?? [], file as string])
        }
      }
      if (Number(children) > 0) open.push(Number(children))
      while (open.length > 0 && open.at(-1) === 0) open.pop()
    }
  return alike
}

interface Bounds {
  readonly partition: (column: string) => number | undefined
  readonly statistics: (column: string) => number | undefined
}

/** SQL that is false where no row can meet the condition; NULL: not known. */
function testOf(condition: ScanCondition, bounds: Bounds): string {
  switch (condition.kind) {
    case 'and': case 'or': {
      const parts = condition.conditions.map(each => `coalesce(${testOf(each, bounds)}, true)`)
      return `(${parts.join(condition.kind === 'and' ? ' AND ' : ' OR ')})`
    }
    case 'null': {
      const [partition, at] = [bounds.partition(condition.column), bounds.statistics(condition.column)]
      if (partition !== undefined) return `f.p${partition} IS ${condition.isNull ? '' : 'NOT '}NULL`
      if (at === undefined) return 'NULL'
      return condition.isNull ? `s.n${at} > 0` : `s.n${at} < s.rows`
    }
    default: {
      const { column, comparison, constant } = condition
      const [partition, at] = [bounds.partition(column), bounds.statistics(column)]
      if (partition !== undefined) return `coalesce(f.p${partition} ${comparison} ${constant}, false)`
      if (at === undefined) return 'NULL'
      const low = `s.l${at} ${comparison === '=' ? '<=' : comparison} ${constant}`
      const high = `s.h${at} ${comparison === '=' ? '>=' : comparison} ${constant}`
      // NULL AND false is false: one bound may be enough.
      return comparison === '=' ? `(${low} AND ${high})` : comparison.startsWith('<') ? low : high
    }
  }
}
