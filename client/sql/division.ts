// Whether tasks divide a query, and into how many parts: by the sizes of its tables, the parts in which their files can be read, and the
// cluster's slots. A job of several stages costs some time of its own, so small queries run in one task.

import { formatBytes, MiB } from '../../src/base/units.ts'
import { status as clusterStatus } from '../../src/protocol/admin.ts'
import type { PlannerOptions } from '../../src/sql/fragment.ts'
import type { QueryColumn, QueryPlan, TableInfo } from '../../src/sql/query.ts'
import type { Cluster } from '../call/cluster.ts'
import { pack, type SplitPiece } from '../jobs/pack.ts'
import type { SqlTable } from './tables.ts'

/** Whether tasks divide a query. `auto`: where the sizes of its tables say that it pays. */
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
}

export interface DivisionRequest {
  readonly sql: string
  readonly tables: readonly TableInfo[]
  readonly columns: readonly QueryColumn[]
}

/** A job of several stages takes some hundred milliseconds more than one task, which reads this much in about a second. */
const dividedBytesMin = 64 * MiB
/** A task with less to do takes longer to start than to run. */
const splitBytesMin = 16 * MiB
const splitBytesMax = 128 * MiB
/** Sorts and joins of a partition of this size fit into the memory of a task. */
const partitionBytesMax = 256 * MiB
const partitionsMax = 256

interface Dividing extends Pick<Division, 'partitions' | 'splitBytes'> {
  readonly distribute: Distribute
  readonly cluster: Pick<Cluster, 'ask'>
  readonly signal: AbortSignal | undefined
}

interface Divided {
  readonly partitions: number
  readonly splitBytes: number | undefined
  /** Why one task runs the query. */
  readonly reason?: string
}

/** False: one task runs a query over these tables. */
export const mayDivide = (distribute: Distribute, tables: ReadonlyArray<Pick<SqlTable, 'files'>>): boolean =>
  distribute === 'always'
  || (distribute === 'auto' && tables.flatMap(({ files }) => files).reduce((sum, { bytes }) => sum + bytes, 0) >= dividedBytesMin)

export async function divisionOf(
  { distribute, partitions, splitBytes, cluster, signal }: Dividing,
  infos: readonly TableInfo[], pieces: ReadonlyArray<readonly SplitPiece[]>,
): Promise<Divided> {
  const one = (reason: string): Divided => ({ partitions: 1, splitBytes, reason })
  if (distribute === 'never') return one('it was asked for (distribute: never)')
  const bytes = infos.reduce((sum, table) => sum + table.bytes!, 0)
  const isForced = distribute === 'always'
  if (!isForced && bytes < dividedBytesMin)
    return one(`its tables have ${formatBytes(bytes)}, and tasks divide a query from ${formatBytes(dividedBytesMin)} on`)
  const isGiven = isForced && partitions !== undefined && splitBytes !== undefined
  const { nodes } = isGiven ? { nodes: [] } : await cluster.ask(clusterStatus, {}, signal)
  const slots = Math.max(1, nodes.filter(({ state }) => state === 'live').reduce((sum, node) => sum + node.slots, 0))
  if (!isForced && slots === 1) return one('the cluster runs one task at a time')
  const most = Math.max(...infos.map(table => table.bytes!))
  const split = splitBytes ?? clamped(Math.ceil(most / slots), isForced ? 1 : splitBytesMin, splitBytesMax)
  if (!isForced && pieces.every(own => pack(own, split).length < 2))
    return one('none of its tables has parts that two tasks could read: a table is divided at its files, Parquet also at its row groups, CSV and JSON lines at their blocks')
  const count = Math.max(Math.min(slots, Math.ceil(bytes / splitBytesMin)), Math.ceil(bytes / partitionBytesMax))
  return { partitions: partitions ?? clamped(count, isForced ? 2 : 1, partitionsMax), splitBytes: split }
}

const clamped = (value: number, least: number, most: number): number => Math.min(most, Math.max(least, value))
