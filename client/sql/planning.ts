// From a query to the stages of its job: fixes how its tables are read, decides by their sizes whether tasks divide it, has the planner
// divide it, and lays the plan out. A query that is not divided is gathered: one task reads all tables and runs the text as it was written.

import { GristmillError, hasCode } from '../../src/base/errors.ts'
import { Semaphore } from '../../src/base/queue.ts'
import { typeText, type SqlColumn } from '../../src/base/sql.ts'
import { MiB } from '../../src/base/units.ts'
import type { RowGroup } from '../../src/operator/parquet.ts'
import { columnsOfTable, type TableShape } from '../../src/operator/sqltable.ts'
import type { SqlWork } from '../../src/operator/sqlwork.ts'
import type { Database, OpenDatabase } from '../../src/ports/database.ts'
import type { Disk } from '../../src/ports/disk.ts'
import { gatherPlan } from '../../src/sql/gather.ts'
import type { QueryPlan, ScanCondition, TableInfo, TableScan } from '../../src/sql/query.ts'
import type { SplitPiece } from '../jobs/pack.ts'
import { blocksOf, settled } from '../jobs/splits.ts'
import type { SqlCluster } from './cluster.ts'
import {
  divisionOf, mayChoose, reasonOfBytes, slotsOfTask, taskNodes, type Distribute, type Division, type ReadBytes,
} from './division.ts'
import type { Workspace } from './workspace.ts'
import { defineEmpty, dropEmpty, piecesOf } from './job.ts'
import type { WholeQuery } from './nearby.ts'
import { plannedBy, scannedBy } from './oracle.ts'
import { neededPieces, rowGroupsOf } from './pruning.ts'
import { sampleTable, type SampledTable } from './sample.ts'
import { shapeOf } from './shape.ts'
import { columnShares, knownStatistics, statisticsOf } from './statistics.ts'
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
  /** Present if one task runs it as it was written, by its size. */
  readonly whole?: WholeQuery | undefined
}

const plannerBytes = 256 * MiB
/** Footers of a table that are read, each by some calls; further files are read as a whole. */
const footersMax = 1_000
/** Calls to the namenode at a time, for the blocks of files. */
const callsAtOnce = 16

/** In an engine of its own. */
export async function planJob(parts: PlanningParts): Promise<PlannedQuery> {
  const db = await parts.space.open(parts.openDatabase, plannerBytes, 1)
  try {
    return await planJobIn(db, parts)
  } finally {
    db.close()
  }
}

/** Confines the engine, which may be used then for the rows of the job: it reaches those in the workspace. REQUIRES: it is new. */
export async function planJobIn(db: Database, parts: Omit<PlanningParts, 'openDatabase'>): Promise<PlannedQuery> {
  const { sql, tables, distribute, space, cluster: { cluster }, signal } = parts
  const { sampled, shapes, infos } = await tablesOf(db, parts)
  const columns = await db.columnsOf(sql)
  // The planner makes tables of their names: a view has no statistics, and no row numbers.
  await dropEmpty(db, shapes)
  const groups = await rowGroupsOf(db, sampled, shapes)
  const gate = new Semaphore(callsAtOnce)
  const found = await settled(tables.map((table, i) => {
    const located = new Map(sampled[i]!.samples.map(({ path, blocks }) => [path, blocks]))
    return settled(table.files.map(({ path, status }) => gate.run(async () => {
      const blocks = located.get(path) ?? await blocksOf(cluster.ask, status!, signal)
      return { blocks, ...piecesOf(status!, shapes[i]!, { groups: groups[i]!.get(path), blocks }) }
    }, signal)))
  }))
  const pieces = found.map(own => own.flatMap(each => each.parts))
  const wholes = found.map(own => own.flatMap(each => each.whole))
  const request = { sql, tables: infos, columns: columns.map(({ name, type }) => ({ name, type: typeText(type) })) }
  const isGiven = distribute === 'always' && parts.partitions !== undefined && parts.splitBytes !== undefined
  const nodes = isGiven ? [] : await taskNodes({ cluster, signal })
  let dividing = parts
  let division = divisionOf({ ...dividing, nodes }, infos, pieces)
  const needed = (table: number, conditions: readonly ScanCondition[]): Promise<readonly SplitPiece[]> =>
    neededPieces(db, { sampled: sampled[table]!, shape: shapes[table]!, groups: groups[table]!, pieces: pieces[table]!, conditions })
  const isAuto = distribute !== 'always' && !parts.plan
  const scans = isAuto && mayChoose(parts, tables) ? await scannedBy(db, request) : undefined
  const read = await bytesRead(db, { sampled, infos, needed, scans })
  // The last stage of a plan has names of its own.
  const last: LayoutParts['last'] = (text, own) => parts.last(text, own.map(({ type }, i) => ({ name: columns[i]!.name, type })))
  const slots = space.isCalling ? 1 : slotsOfTask(nodes, read.parquet + read.other)
  const layOut = async (plan: QueryPlan): Promise<PlannedQuery> =>
    ({ columns, ...await layOutQuery({ plan, shapes, pieces, wholes, db, last, needed, slots, ...division }) })
  const gathered = (reason: string): Promise<PlannedQuery> => layOut(gatherPlan(sql, infos, request.columns, reason, scans))
  const reason = division.reason ?? (isAuto ? reasonOfBytes(read, nodes) : undefined)
  const planned = reason === undefined ? undefined : await gathered(reason).catch((error: unknown) => {
    // So many files that one task cannot have them, however small they are: more tasks can.
    if (distribute !== 'auto' || !hasCode(error, 'TOO_LARGE')) throw error
    dividing = { ...parts, distribute: 'always' }
    division = divisionOf({ ...dividing, nodes }, infos, pieces)
    return undefined
  })
  if (planned) {
    const blocks = new Map(found.flat().flatMap(each => each.blocks.map(block => [block.id, block] as const)))
    return { ...planned, ...distribute === 'auto' && isAuto && { whole: wholeOf(planned, { sampled, groups, blocks, read }) } }
  }
  const plan = await (parts.plan ?? (each => plannedBy(db, each, dividing)))(request)
  try {
    return await layOut(plan)
  } catch (error) {
    // A type that no exchange carries, or more inputs than a task may have: one task may still do it.
    if (!(error instanceof GristmillError) || plan.stages.length === 1) throw error
    return await gathered(`a stage that cannot be laid out: ${error.message}`)
  }
}

/** REQUIRES: one task reads all tables. */
function wholeOf(
  { work: { tables, stages: [stage] }, stages: [laid] }: PlannedQuery,
  { sampled, groups, blocks, read }: {
    readonly sampled: readonly SampledTable[]; readonly groups: ReadonlyArray<ReadonlyMap<string, readonly RowGroup[]>>
    readonly blocks: WholeQuery['blocks']; readonly read: ReadBytes
  },
): WholeQuery {
  const ranges = laid!.input.kind === 'splits' ? laid!.input.splits.flatMap(split => split.ranges) : []
  let at = 0
  const inputs = stage!.inputs.flatMap(input => {
    if (input.kind !== 'table') return []
    const start = at
    at = input.ranges === undefined ? ranges.length : at + input.ranges
    return [{ view: input.view, shape: tables[input.table]!, columns: input.columns, ranges: ranges.slice(start, at) }]
  })
  const footers = new Map(sampled.flatMap(({ samples }, i) => samples.flatMap(({ path, local }) => {
    const own = groups[i]!.get(path)
    return own ? [[path, { groups: own, local }] as const] : []
  })))
  return { bytes: read.parquet + read.other, inputs, footers, blocks }
}

interface Reading {
  readonly sampled: readonly SampledTable[]
  readonly infos: readonly TableInfo[]
  readonly needed: LayoutParts['needed']
  /** Default: all columns of all rows are read. */
  readonly scans: ReadonlyMap<string, TableScan> | undefined
}

/** Bytes of the columns that a query reads, in the parts of files that can have rows which it needs. */
async function bytesRead(db: Database, { sampled, infos, needed, scans }: Reading): Promise<ReadBytes> {
  const sum = { parquet: 0, other: 0 }
  for (const [i, { table, samples }] of sampled.entries()) {
    const { name, bytes: all } = infos[i]!
    const scan = scans?.get(name)
    const bytes = scan?.conditions
      ? (await needed(i, scan.conditions)).reduce((total, { range }) => total + range.end - range.start, 0) : all!
    if (table.kind !== 'parquet') {
      sum.other += bytes
      continue
    }
    const shares = scan ? await columnShares(db, { table, samples }) : new Map<string, number>()
    const share = shares.size === 0 ? 1 : scan!.columns.reduce((total, column) => total + (shares.get(column.toLowerCase()) ?? 0), 0)
    sum.parquet += Math.round(bytes * Math.min(1, share))
  }
  return sum
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
  db: Database, parts: Omit<PlanningParts, 'openDatabase'>,
): Promise<{ sampled: SampledTable[]; shapes: TableShape[]; infos: TableInfo[] }> {
  const { tables, disk, space, cluster: { files }, signal } = parts
  const footers = mayChoose(parts, tables) ? footersMax : 1
  const sampled = await settled(tables.map((table, i) =>
    sampleTable(table, i, { disk, files, space, loadAvro: space.loadAvro, signal, footers })))
  // The planner switches optimizers off. No statement of the user is run here.
  const own = sampled.flatMap(({ samples }) => samples.map(({ local }) => local))
  await db.confine([...own, space.result], { isLocked: false, directory: space.rows })
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
