// Whether tasks divide a query, and into how many parts: by the bytes that it reads of its tables, the parts in which their files can be
// read, and the cluster's slots. A job of several stages costs some time of its own, so small queries run in one task, which may take
// several slots of a datanode.

import { limits } from '../../src/base/limits.ts'
import { formatBytes, GiB, MiB } from '../../src/base/units.ts'
import { status as clusterStatus, type NodeStatus } from '../../src/protocol/admin.ts'
import type { PlannerOptions } from '../../src/sql/fragment.ts'
import type { QueryColumn, QueryPlan, TableInfo } from '../../src/sql/query.ts'
import type { Cluster } from '../call/cluster.ts'
import { pack, type SplitPiece } from '../jobs/pack.ts'
import type { SqlTable } from './tables.ts'

/** Whether tasks divide a query. `auto`: where the bytes that it reads say that it pays. */
export type Distribute = 'auto' | 'always' | 'never'

/** Internal: how queries are divided. */
export interface Division {
  /** Divides a query into stages. Default: the planner. */
  readonly plan?: ((request: DivisionRequest) => Promise<QueryPlan>) | undefined
  readonly planner?: PlannerOptions | undefined
  /** Partitions of the exchanges between stages. Default: by the sizes of tables, and the cluster's slots. */
  readonly partitions?: number | undefined
  /** Bytes of a table that one task reads, where tasks divide it. The same default. */
  readonly splitBytes?: number | undefined
  /** Bytes of tables from which on tasks may divide a query. Default: 64 MiB; the columns that it needs are looked for from 16 MiB on. */
  readonly plannedBytes?: number | undefined
}

export interface DivisionRequest {
  readonly sql: string
  readonly tables: readonly TableInfo[]
  readonly columns: readonly QueryColumn[]
}

/** Smaller tables are not divided. */
const plannedBytesMin = 64 * MiB
/** The columns that a query needs of smaller tables are not looked for. */
const chosenBytesMin = 16 * MiB
/**
 * Tasks divide a query that reads as much. A job of several stages takes up to a second more than one task, whose engine reads this much of
 * Parquet in some two seconds with one thread, and has as many threads as the task takes slots. Text takes longer to read.
 */
const dividedBytesMin = { parquet: 256 * MiB, other: 64 * MiB } as const
/** The same where one datanode has all slots of the cluster: other tasks would have no more of its processors than its threads have. */
const wholeBytesMax = 2 * GiB
/** A thread with less to read is no faster. */
const threadBytesMin = 8 * MiB
/** A task with less to do takes longer to start than to run. */
const splitBytesMin = 16 * MiB
const splitBytesMax = 128 * MiB
/** Sorts and joins of a partition of this size fit into the memory of a task. */
const partitionBytesMax = 256 * MiB
const partitionsMax = 256

/** Datanodes that run tasks. */
export type TaskNodes = ReadonlyArray<Pick<NodeStatus, 'slots' | 'running'>>

interface Dividing extends Pick<Division, 'partitions' | 'splitBytes' | 'plannedBytes'> {
  readonly distribute: Distribute
  readonly nodes: TaskNodes
}

interface Divided {
  readonly partitions: number
  readonly splitBytes: number | undefined
  /** Why one task runs the query. */
  readonly reason?: string
}

/** Bytes that a query reads of its tables. */
export interface ReadBytes { readonly parquet: number; readonly other: number }

/** False: one task or process reads all columns. */
export const mayChoose = (
  { distribute, plannedBytes = chosenBytesMin }: Pick<Dividing, 'distribute' | 'plannedBytes'>,
  tables: ReadonlyArray<Pick<SqlTable, 'files'>>,
): boolean => distribute === 'always' || bytesOf(tables) >= Math.min(chosenBytesMin, plannedBytes)

const bytesOf = (tables: ReadonlyArray<Pick<SqlTable, 'files'>>): number =>
  tables.flatMap(({ files }) => files).reduce((sum, { bytes }) => sum + bytes, 0)

export async function taskNodes({ cluster, signal }: Pick<SubmitTools, 'cluster' | 'signal'>): Promise<TaskNodes> {
  const { nodes } = await cluster.ask(clusterStatus, {}, signal)
  return nodes.filter(({ state, slots }) => state === 'live' && slots > 0)
}

interface SubmitTools { readonly cluster: Pick<Cluster, 'ask'>; readonly signal: AbortSignal | undefined }

export function divisionOf(
  { distribute, partitions, splitBytes, plannedBytes = plannedBytesMin, nodes }: Dividing,
  infos: readonly TableInfo[], pieces: ReadonlyArray<readonly SplitPiece[]>,
): Divided {
  const one = (reason: string): Divided => ({ partitions: 1, splitBytes, reason })
  if (distribute === 'never') return one('it was asked for (distribute: never)')
  const bytes = infos.reduce((sum, table) => sum + table.bytes!, 0)
  const isForced = distribute === 'always'
  if (!isForced && bytes < plannedBytes) return one(`its tables have ${formatBytes(bytes)}, and ${fromText}`)
  const slots = Math.max(1, slotsIn(nodes))
  if (!isForced && slots === 1) return one('the cluster runs one task at a time')
  const most = Math.max(...infos.map(table => table.bytes!))
  const split = splitBytes ?? clamped(Math.ceil(most / slots), isForced ? 1 : splitBytesMin, splitBytesMax)
  if (!isForced && pieces.every(own => pack(own, split).length < 2))
    return one('none of its tables has parts that two tasks could read: a table is divided at its files, Parquet also at its row groups, CSV and JSON lines at their blocks')
  const count = Math.max(Math.min(slots, Math.ceil(bytes / splitBytesMin)), Math.ceil(bytes / partitionBytesMax))
  return { partitions: partitions ?? clamped(count, isForced ? 2 : 1, partitionsMax), splitBytes: split }
}

/** Why one task runs a query that reads so much of its tables; undefined: tasks divide it. */
export function reasonOfBytes({ parquet, other }: ReadBytes, nodes: TaskNodes): string | undefined {
  if (other >= dividedBytesMin.other) return undefined
  const read = `it reads ${formatBytes(parquet + other)} of its tables`
  if (parquet < dividedBytesMin.parquet) return `${read}, and ${fromText}`
  if (nodes.length > 1 || parquet >= wholeBytesMax) return undefined
  return `${read}, and one datanode has all slots, which divides a query from ${formatBytes(wholeBytesMax)} on`
}

const fromText = `tasks divide a query that reads ${formatBytes(dividedBytesMin.parquet)} of Parquet, or `
  + `${formatBytes(dividedBytesMin.other)} of other files`

/**
 * Slots of one datanode that the only task of a query takes, a thread for each: no more than each datanode has, so that another one can run
 * it again, and than one has free.
 */
export function slotsOfTask(nodes: TaskNodes, bytes: number): number {
  const least = Math.min(...nodes.map(({ slots }) => slots))
  const free = Math.max(...nodes.map(({ slots, running }) => slots - running))
  return nodes.length === 0 ? 1 : clamped(Math.min(least, free, Math.ceil(bytes / threadBytesMin)), 1, limits.taskSlotsMax)
}

const slotsIn = (nodes: TaskNodes): number => nodes.reduce((sum, { slots }) => sum + slots, 0)

const clamped = (value: number, least: number, most: number): number => Math.min(most, Math.max(least, value))
