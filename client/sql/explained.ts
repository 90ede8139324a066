// Explanation of a query, for people and programs: the stages of its job, the tables and exchanges that they read, why a part is gathered,
// and, once the job has run, the bytes, rows and time of each stage.

import { formatBytes } from '../../src/base/units.ts'
import type { JobStatus, StageStatus } from '../../src/protocol/job.ts'
import { exchangeText, explainQuery } from '../../src/sql/explain.ts'
import type { QueryColumn, QueryInput, QueryPlan, QueryStage } from '../../src/sql/query.ts'
import type { PlannedQuery } from './planning.ts'
import type { LaidStage } from './stages.ts'

export interface SqlExplanation {
  /** `process`: in the process that asks. `job`: by tasks of the cluster. */
  readonly place: 'process' | 'job'
  /** Those of a job, the last one gives the result; a query in this process has none. */
  readonly stages: readonly SqlStageExplanation[]
  /** The whole as text, a tree that begins with the result; for a query in this process, the engine's own plan. */
  readonly text: string
}

export interface SqlStageExplanation {
  readonly name: string
  readonly tasks: number
  /** Earlier stages whose rows it reads. */
  readonly sources: readonly number[]
  readonly inputs: readonly SqlInputExplanation[]
  /** Names and types of the rows that it writes. */
  readonly columns: readonly QueryColumn[]
  /** The query that each of its tasks runs. */
  readonly sql: string
  /** Why one task reads all rows of the stage. */
  readonly gathered?: string
  readonly measured?: StageMeasure
}

/** Input of a stage: files of a table, or rows of an earlier stage. */
export type SqlInputExplanation =
  /** `all`: each of its tasks reads all rows; else they divide the files. */
  | { readonly kind: 'table'; readonly table: string; readonly columns: readonly string[]; readonly all: boolean }
  /** `how`: such as `exchange by hash`, `gather in one task`, `broadcast to all tasks`. */
  | { readonly kind: 'stage'; readonly stage: number; readonly how: string }

interface StageMeasure {
  readonly rows: number
  /** From files and from earlier stages. */
  readonly bytesIn: number
  readonly bytesOut: number
  /** Bytes that its tasks have read from their own hosts. */
  readonly bytesLocal: number
  readonly seconds: number
  readonly failedAttempts: number
}

/** `status`: of the job, once it has ended. */
export function explanationOf({ plan, stages }: PlannedQuery, status?: JobStatus): SqlExplanation {
  const found = plan.stages.map((stage, i): SqlStageExplanation => {
    const reason = plan.gathered.find(each => each.stage === i)?.reason
    const ended = status?.stages[i]
    return {
      name: stage.name, sources: sourcesOf(stage.inputs), inputs: stage.inputs.map(input => inputOf(input, stage, plan)),
      columns: stage.columns, tasks: ended?.tasks ?? tasksOf(stages[i]!), sql: stage.sql,
      ...reason !== undefined && { gathered: reason },
      ...ended && { measured: measureOf(ended) },
    }
  })
  const text = explainQuery(plan, {
    stages: found.map(({ tasks, measured }) => ({ tasks, lines: measured ? [measuredText(measured)] : [] })),
  })
  return { place: 'job', stages: found, text }
}

const sourcesOf = (inputs: readonly QueryInput[]): number[] =>
  [...new Set(inputs.flatMap(({ from }) => (from.kind === 'stage' ? [from.stage] : [])))]

function inputOf(input: QueryInput, reader: QueryStage, { stages }: QueryPlan): SqlInputExplanation {
  const { from, how } = input
  if (from.kind === 'table') return { kind: 'table', table: from.table, columns: from.columns, all: how !== 'split' }
  return { kind: 'stage', stage: from.stage, how: exchangeText(input, reader, stages[from.stage]!.output) }
}

const tasksOf = ({ input }: LaidStage): number => (input.kind === 'splits' ? input.splits.length : input.partitions)

function measureOf({ counters, startedMs, finishedMs, failedAttempts }: StageStatus): StageMeasure {
  const { recordsOut = 0, bytesIn = 0, bytesOut = 0, bytesReadLocal = 0, shuffleBytesLocal = 0 } = counters
  const seconds = startedMs === undefined || finishedMs === undefined ? 0 : (finishedMs - startedMs) / 1000
  return { rows: recordsOut, bytesIn, bytesOut, bytesLocal: bytesReadLocal + shuffleBytesLocal, seconds, failedAttempts }
}

function measuredText({ rows, bytesIn, bytesOut, bytesLocal, seconds, failedAttempts }: StageMeasure): string {
  const local = bytesIn === 0 ? '' : ` (${Math.round(100 * bytesLocal / bytesIn)}% from the task's own host)`
  const failed = failedAttempts === 0 ? '' : `, ${failedAttempts} failed attempts`
  return `took ${seconds.toFixed(2)} s, read ${formatBytes(bytesIn)}${local}, wrote ${rows} rows in ${formatBytes(bytesOut)}${failed}`
}
