// Columns of a table as its files have them now, and of a view as its query gives them. The catalogue keeps the columns of one version of
// an output; after a rollback, or after a job that has published other columns there, they are read from the files again.

import { GristmillError, hasCode } from '../../src/base/errors.ts'
import { normalise } from '../../src/base/paths.ts'
import { columnsOfTable, type TableShape } from '../../src/operator/sqltable.ts'
import type { CatalogTable, NewTable } from '../../src/protocol/table.ts'
import { list as versionList } from '../../src/protocol/version.ts'
import type { CallMessage } from '../call/cluster.ts'
import { isPattern } from '../glob/pattern.ts'
import { engineOf, workspaceIn, type SqlTools } from './asked.ts'
import { shapeOfTable } from './planning.ts'
import type { CsvReading } from './readcalls.ts'
import { namingIn } from './running.ts'
import { checkName, clusterTable, localName } from './tables.ts'
import { currentView, type ColumnsOf } from './viewcolumns.ts'

/** Files of a path, and how they are read. `csv`: what a statement says of CSV; EINVAL for files of another kind. */
export type ShapeAt = (path: string, csv?: CsvReading) => Promise<{ readonly shape: TableShape; readonly bytes: number }>

interface DescribeTools {
  readonly ask: CallMessage
  readonly shape: ShapeAt
  /** Columns of the queries of views. Default: a view has those of the catalogue. */
  readonly columns?: ColumnsOf
  readonly signal: AbortSignal | undefined
}

/** REQUIRES: the cluster of the tools is there. */
export const shapesIn = (tools: SqlTools, signal: AbortSignal | undefined): ShapeAt => async (path, csv) => {
  checkPath(path, tools)
  const { cluster, files } = await tools.cluster()
  const table = { ...await clusterTable(cluster.ask, path, signal), ...csv && { csv } }
  if (csv && table.kind !== 'csv')
    throw new GristmillError('EINVAL', `dateformat and timestampformat are for CSV; the files of ${path} are ${table.kind}, so leave them out`)
  await using space = workspaceIn(tools)
  const shape = await namingIn(space, () =>
    shapeOfTable(table, { disk: tools.disk, files, space, openDatabase: engineOf(tools), signal }))
  return { shape, bytes: table.files.reduce((sum, file) => sum + file.bytes, 0) }
}

/** Throws EINVAL for what is no path of the cluster. */
export function checkPath(path: string, tools: SqlTools): void {
  checkName(path)
  if (localName(path, tools) !== undefined) throw new GristmillError('EINVAL', `${path} is no path of the cluster`)
}

type Described = Pick<NewTable, 'columns' | 'partitions' | 'version'>

/** Number of the newest version at a path; undefined if no job has published it. */
export async function headOf(path: string, { ask, signal }: Pick<DescribeTools, 'ask' | 'signal'>): Promise<number | undefined> {
  if (isPattern(path) || path.includes('@')) return undefined
  try {
    const { versions } = await ask(versionList, { path: normalise(path) }, signal)
    return versions.find(each => each.head)?.number
  } catch (error) {
    // A path that is there, and no output.
    if (hasCode(error, 'EINVAL', 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  }
}

/** Entry of the catalogue for the files at a path, without a name. */
export async function describedAt(
  path: string, tools: DescribeTools, csv?: CsvReading,
): Promise<Described & Pick<NewTable, 'path' | 'format'>> {
  const head = await headOf(path, tools)
  const { shape } = await tools.shape(head === undefined ? path : `${normalise(path)}@${head}`, csv)
  return {
    path: normalise(path), ...columnsIn(shape),
    // CSV and JSON are read with the columns of the catalogue, in whatever version.
    ...shape.format.kind === 'parquet' ? head !== undefined && { version: head } : { format: JSON.stringify(shape.format) },
  }
}

const columnsIn = (shape: TableShape): Pick<NewTable, 'columns' | 'partitions'> => ({
  columns: columnsOfTable(shape).map(({ name, type }) => ({ name, type })),
  ...shape.partitions.length > 0 && { partitions: shape.partitions.map(each => each.name) },
})

/** Columns of this version of a table, with the comments that the catalogue has. */
export async function tableAt(
  table: CatalogTable, version: number, { shape: shapeAt }: Pick<DescribeTools, 'shape'>,
): Promise<CatalogTable> {
  const { stale: _, ...kept } = table
  if (table.version === version) return kept
  const { shape } = await shapeAt(`${table.path!}@${version}`)
  const { partitions: _before, statistics: _counted, ...others } = kept
  const { columns, ...more } = columnsIn(shape)
  const commentOf = (name: string) => table.columns.find(each => each.name.toLowerCase() === name.toLowerCase())?.comment
  return {
    ...others, ...more, version,
    columns: columns.map(column => ({ ...column, ...commentOf(column.name) !== undefined && { comment: commentOf(column.name)! } })),
  }
}

/** The table with the columns that its files have now, or the view with those of its query. */
export async function currentTable(table: CatalogTable, tools: DescribeTools): Promise<CatalogTable> {
  const { columns } = tools
  if (table.kind === 'view') return columns ? currentView(table, { ...tools, columns }) : table
  if (!table.stale) return table
  const head = await headOf(table.path!, tools)
  if (head !== undefined) return tableAt(table, head, tools)
  const { stale: _, version: _before, statistics: _counted, ...kept } = table
  return { ...kept, ...columnsIn((await tools.shape(table.path!)).shape) }
}

/** Field of `table.alter` that gives the catalogue these columns. */
export const describedOf = ({ columns, partitions, version }: CatalogTable): Described => ({
  columns: columns.map(({ name, type }) => ({ name, type })), ...partitions && { partitions }, ...version !== undefined && { version },
})
