// Rows of a query while its stages are being made: SQL that still can grow, and the stages that it reads.
//
// Rows have branches, one for each stage that will write them (a UNION ALL has several). A branch is SQL over views; its tasks are those of
// the stage that it will become. Rows are `local` if they have one branch with one task: all tasks of another stage could compute the same.

import type { PlanColumn } from './expression.ts'
import { hashSql } from './partition.ts'
import type { Gathered, QueryColumn, QueryInput, QueryOutput, QueryStage, TableInfo } from './query.ts'
import { nameSql } from './quote.ts'
import type { SqlRule } from './rules.ts'

interface StageBranch {
  readonly sql: string
  readonly inputs: readonly QueryInput[]
  readonly tasks: QueryStage['tasks']
  /** It reads views as they are and computes next to nothing, so that a join may repeat it in each task. */
  readonly bare?: true
}

/** A key of an exchange, as SQL over columns. */
export interface HashKey {
  readonly sql: string
  readonly columns: ReadonlySet<string>
  readonly type: string
}

export interface Rows {
  readonly branches: readonly StageBranch[]
  readonly columns: readonly PlanColumn[]
  /** Lists of keys; by each list, rows with equal keys are in one task. */
  readonly partitionings: readonly (readonly HashKey[])[]
  /** Estimates: rows, and rows before conditions were applied. */
  readonly count: number
  readonly base: number
}

export interface PlannerOptions {
  /** Rules that are not applied. */
  readonly off?: ReadonlySet<SqlRule>
  /** Estimated bytes of a side of a join up to which it is broadcast. */
  readonly broadcastBytes?: number
  /** Bytes of a table up to which each task reads it as a whole. */
  readonly smallBytes?: number
}

/** Columns as a select list; rows without columns get one that nothing reads. */
export const columnList = (columns: readonly PlanColumn[]): string =>
  columns.length === 0 ? '0 AS c0' : columns.map(({ name }) => name).join(', ')

export const isLocal = ({ branches }: Rows): boolean => branches.length === 1 && branches[0]!.tasks === 'one'

/** Inputs of several branches that become one. What two of them read is one input. */
export const inputsOf = (branches: readonly StageBranch[]): QueryInput[] => [
  ...new Map(branches.flatMap(({ inputs }) => inputs).map(input => [input.view, input])).values(),
]

const fixed: Readonly<Record<string, number>> = {
  BOOLEAN: 1,
  TINYINT: 1,
  SMALLINT: 2,
  INTEGER: 4,
  DATE: 4,
  FLOAT: 4,
  BIGINT: 8,
  DOUBLE: 8,
  TIMESTAMP: 8,
  HUGEINT: 16,
  VARCHAR: 24,
}
export const bytesOf = ({ count, columns }: Rows): number =>
  count * columns.reduce((sum, { type }) => sum + (fixed[type] ?? (type.startsWith('DECIMAL') ? 8 : 32)), 4)

export class Stages {
  readonly stages: QueryStage[] = []
  readonly gathered: Gathered[] = []
  readonly tables: ReadonlyMap<string, TableInfo>
  readonly options: PlannerOptions
  /** Distinct values of columns, at most, by name: an estimate. */
  readonly distinct = new Map<string, number>()
  #views = 0

  constructor(tables: readonly TableInfo[], options: PlannerOptions) {
    this.tables = new Map(tables.map(table => [table.name.toLowerCase(), table]))
    this.options = options
  }

  isOn(rule: SqlRule): boolean {
    return this.options.off?.has(rule) !== true
  }

  view(): string {
    return `v${++this.#views}`
  }

  /** The rows through more SQL in the same tasks. */
  narrow(rows: Rows, columns: readonly PlanColumn[], sql: (input: string) => string, change: Partial<Rows> = {}): Rows {
    const names = new Set(columns.map(({ name }) => name))
    const partitionings = rows.partitionings.filter(keys => keys.every(key => [...key.columns].every(name => names.has(name))))
    const branches = rows.branches.map(({ sql: input, inputs, tasks }) => ({ sql: sql(`(${input}) AS t`), inputs, tasks }))
    return { ...rows, branches, columns, partitionings, ...change }
  }

  /** Writes the rows to partitions by their keys; without keys they stay together as they are. */
  exchange(rows: Rows, keys: readonly HashKey[] | undefined, name: string): Rows {
    const output = { kind: 'exchange', ...(keys && { hash: 'h' }) } as const
    return { ...this.#write(rows, output, 'partition', name, keys), partitionings: keys ? [keys] : [] }
  }

  /** Writes all rows to one partition. */
  single(rows: Rows, name: string): Rows {
    return { ...this.#write(rows, { kind: 'single' }, 'all', name), partitionings: [] }
  }

  #write(rows: Rows, output: QueryOutput, how: 'partition' | 'all', name: string, keys?: readonly HashKey[]): Rows {
    const columns: QueryColumn[] =
      rows.columns.length === 0 ? [{ name: 'c0', type: 'INTEGER' }] : rows.columns.map(({ name, type }) => ({ name, type }))
    const views = rows.branches.map(({ sql, inputs, tasks }) => {
      const hash = keys ? `, ${hashSql(keys.map(key => key.sql))} AS h` : ''
      const text = keys || rows.columns.length > 0 ? `SELECT ${columnList(rows.columns)}${hash} FROM (${sql}) AS t` : sql
      const stage = this.stages.push({ name, inputs, sql: text, columns, tasks, output }) - 1
      return { view: this.view(), from: { kind: 'stage', stage }, how } as const
    })
    const sql = views.map(({ view }) => `SELECT ${columnList(rows.columns)} FROM ${nameSql(view)}`).join(' UNION ALL ')
    return { ...rows, branches: [{ sql, inputs: views, tasks: how === 'all' ? 'one' : 'partition', bare: true }] }
  }

  /** All rows in one task. */
  local(rows: Rows, name: string): Rows {
    return isLocal(rows) ? rows : this.single(rows, name)
  }

  /** Local rows that a stage of several tasks may repeat in each. */
  shareable(rows: Rows, name: string): Rows {
    return isLocal(rows) && rows.branches[0]!.bare ? rows : this.single(rows, name)
  }

  /** Says that the stage that is made next gets raw rows because of the reason. */
  gather(reason: string): void {
    this.gathered.push({ stage: this.stages.length, reason })
  }
}
