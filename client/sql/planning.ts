// From a query to the stages of its job: fixes how its tables are read, decides by their sizes whether tasks divide it, has the planner
// divide it, and lays the plan out. A query that is not divided is gathered: one task reads all tables and runs the text as it was written.

import { GristmillError } from '../../src/base/errors.ts'
import { typeText, type SqlColumn } from '../../src/base/sql.ts'
import { MiB } from '../../src/base/units.ts'
import { columnsOfTable, type TableShape } from '../../src/operator/sqltable.ts'
import type { SqlWork } from '../../src/operator/sqlwork.ts'
import type { Database, OpenDatabase } from '../../src/ports/database.ts'
import type { Disk } from '../../src/ports/disk.ts'
import { gatherPlan } from '../../src/sql/gather.ts'
import type { QueryPlan, ScanCondition, TableInfo } from '../../src/sql/query.ts'
import type { SplitPiece } from '../jobs/pack.ts'
import type { SqlCluster } from './cluster.ts'
import { divisionOf, mayDivide, type Distribute, type Division } from './division.ts'
import type { Workspace } from './workspace.ts'
import { defineEmpty, piecesOf } from './job.ts'
import { plannedBy } from './oracle.ts'
import { neededPieces, rowGroupsOf } from './pruning.ts'
import { sampleTable, type SampledTable } from './sample.ts'
import { shapeOf } from './shape.ts'
import { knownStatistics, statisticsOf } from './statistics.ts'
import { layOutQuery, type LaidStage, type LayoutParts } from './stages.ts'
import type { SqlTable } from './tables.ts'

interface PlanningParts extends Division {
  readonly sql: string
  readonly tables: readonly SqlTable[]
  readonly distribute: Distribute
  readonly disk: Disk
  readonly openDatabase: OpenDatabase
  readonly space: Workspace
  readonly cluster: SqlCluster
  readonly last: LayoutParts['last']
  readonly signal: AbortSignal | undefined
}

export interface PlannedQuery {
  readonly columns: readonly SqlColumn[]
  readonly plan: QueryPlan
  readonly work: SqlWork
  readonly stages: readonly LaidStage[]
}

const plannerBytes = 256 * MiB
/** Footers of a table that are read, each by some calls; further files are read as a whole. */
const footersMax = 1_000

export async function planJob(parts: PlanningParts): Promise<PlannedQuery> {
  const { sql, tables, openDatabase, space, cluster: { cluster }, signal } = parts
  const db = await space.open(openDatabase, plannerBytes, 1)
  try {
    const { sampled, shapes, infos } = await tablesOf(db, parts)
    const columns = await db.columnsOf(sql)
    const groups = await rowGroupsOf(db, sampled, shapes)
    const pieces: SplitPiece[][] = []
    const wholes: SplitPiece[][] = []
    for (const [i, table] of tables.entries()) {
      const own = []
      for (const { path, status } of table.files) own.push(await piecesOf(cluster, status!, shapes[i]!, groups[i]!.get(path), signal))
      pieces.push(own.flatMap(each => each.parts))
      wholes.push(own.flatMap(each => each.whole))
    }
    const request = { sql, tables: infos, columns: columns.map(({ name, type }) => ({ name, type: typeText(type) })) }
    const division = await divisionOf({ ...parts, cluster }, infos, pieces)
    const needed = (table: number, conditions: readonly ScanCondition[]): Promise<readonly SplitPiece[]> =>
      neededPieces(db, { sampled: sampled[table]!, shape: shapes[table]!, groups: groups[table]!, pieces: pieces[table]!, conditions })
    // The last stage of a plan has names of its own.
    const last: LayoutParts['last'] = (text, own) => parts.last(text, own.map(({ type }, i) => ({ name: columns[i]!.name, type })))
    const layOut = async (plan: QueryPlan): Promise<PlannedQuery> =>
      ({ columns, ...await layOutQuery({ plan, shapes, pieces, wholes, db, last, needed, ...division }) })
    const gathered = (reason: string): Promise<PlannedQuery> => layOut(gatherPlan(sql, infos, request.columns, reason))
    if (division.reason !== undefined) return await gathered(division.reason)
    const plan = await (parts.plan ?? (each => plannedBy(space, openDatabase, each, parts)))(request)
    try {
      return await layOut(plan)
    } catch (error) {
      // A type that no exchange carries, or more inputs than a task may have: one task may still do it.
      if (!(error instanceof GristmillError) || plan.stages.length === 1) throw error
      return await gathered(`a stage that cannot be laid out: ${error.message}`)
    }
  } finally {
    db.close()
  }
}

/** Fixes the way in which the files of a table are read. */
export async function shapeOfTable(
  table: SqlTable,
  { disk, files, space, openDatabase, signal }:
    Pick<PlanningParts, 'disk' | 'space' | 'openDatabase' | 'signal'> & { readonly files: SqlCluster['files'] },
): Promise<TableShape> {
  const db = await space.open(openDatabase, plannerBytes, 1)
  try {
    const sampled = await sampleTable(table, 0, {
      disk, files, space, loadAvro: space.loadAvro, signal, footers: 1,
    })
    await db.confine(sampled.samples.map(({ local }) => local))
    return await shapeOf(db, sampled)
  } finally {
    db.close()
  }
}

/** Shapes of the tables, which are views without rows from now on, and what is known of their rows. */
async function tablesOf(
  db: Database, { tables, distribute, disk, space, cluster: { files }, signal }: PlanningParts,
): Promise<{ sampled: SampledTable[]; shapes: TableShape[]; infos: TableInfo[] }> {
  const footers = mayDivide(distribute, tables) ? footersMax : 1
  const sampled = []
  for (const [i, table] of tables.entries())
    sampled.push(await sampleTable(table, i, { disk, files, space, loadAvro: space.loadAvro, signal, footers }))
  await db.confine(sampled.flatMap(({ samples }) => samples.map(({ local }) => local)))
  const shapes: TableShape[] = []
  const infos: TableInfo[] = []
  for (const each of sampled) {
    const shape = await shapeOf(db, each)
    shapes.push(shape)
    const bytes = each.table.files.reduce((sum, file) => sum + file.bytes, 0)
    const statistics = { ...await statisticsOf(db, each, bytes), ...knownStatistics(each, bytes) }
    infos.push({ name: shape.name, columns: columnsOfTable(shape), bytes, ...statistics })
  }
  await defineEmpty(db, shapes)
  return { sampled, shapes, infos }
}
