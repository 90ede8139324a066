// Lays out the plan of a query as the stages of a job: splits of tables, exchanges between stages, and the SQL of each task, whose columns
// have the types in which they travel.

import { assert } from '../../src/base/assert.ts'
import { GristmillError } from '../../src/base/errors.ts'
import { quotedName, type SqlColumn } from '../../src/base/sql.ts'
import { MiB } from '../../src/base/units.ts'
import { columnsOfTable, type TableShape } from '../../src/operator/sqltable.ts'
import type { SqlInput, SqlStage, SqlWork } from '../../src/operator/sqlwork.ts'
import type { Database } from '../../src/ports/database.ts'
import type { StageInput, StageSpec } from '../../src/protocol/job.ts'
import { splitRangesMax } from '../../src/protocol/packed.ts'
import type { Split } from '../../src/protocol/task.ts'
import type { QueryColumn, QueryInput, QueryPlan, QueryStage, ScanCondition } from '../../src/sql/query.ts'
import { pack, rangesOf, type SplitPiece } from '../jobs/pack.ts'
import { noRows, receivedColumns, sentQuery } from './carriedtypes.ts'

/** A stage whose splits are not sent yet. */
export type LaidStage = Pick<StageSpec, 'name' | 'output' | 'broadcasts' | 'cpu'> & { readonly input: LaidInput }
type LaidInput = { readonly kind: 'splits'; readonly splits: readonly Split[] } | Extract<StageInput, { kind: 'shuffle' | 'join' }>

export interface LayoutParts {
  readonly plan: QueryPlan
  readonly shapes: readonly TableShape[]
  /** Parts of the files of each table. */
  readonly pieces: ReadonlyArray<readonly SplitPiece[]>
  /** The same for tasks that read all parts of a table. */
  readonly wholes: ReadonlyArray<readonly SplitPiece[]>
  /** Parts of the files of a table that can have rows that meet all conditions; at least one. */
  readonly needed: (table: number, conditions: readonly ScanCondition[]) => Promise<readonly SplitPiece[]>
  /** Knows types by their text. */
  readonly db: Database
  /** Partitions of all exchanges. */
  readonly partitions: number
  /** Bytes of a split. */
  readonly splitBytes?: number | undefined
  /** Slots that the task of a plan of one task takes, a thread of its engine for each. Default: one. */
  readonly slots?: number | undefined
  /** SQL of the last stage around the query of its plan. */
  readonly last: (sql: string, columns: readonly SqlColumn[]) => Pick<SqlStage, 'sql' | 'output'>
}

const splitBytesDefault = 128 * MiB

interface Laid {
  /** The plan with the stages of the job. */
  readonly plan: QueryPlan
  readonly work: SqlWork
  readonly stages: readonly LaidStage[]
}

export async function layOutQuery(parts: LayoutParts): Promise<Laid> {
  const { db, shapes } = parts
  const plan = withScans(parts.plan, shapes)
  const columns: SqlColumn[][] = []
  for (const stage of plan.stages) columns.push(await typed(db, stage.columns))
  const needed = new Map<QueryInput, readonly SplitPiece[]>()
  for (const { tasks, inputs } of plan.stages) {
    for (const input of inputs) {
      const { from, how } = input
      if (from.kind !== 'table' || !from.conditions || (how !== 'split' && tasks !== 'one')) continue
      const table = shapes.indexOf(shapeNamed(shapes, from.table))
      const found = await parts.needed(table, from.conditions)
      if (how === 'split' || bytesOf(found) < bytesOf(parts.wholes[table]!) / 2) needed.set(input, found)
    }
  }
  const threads = plan.stages.length === 1 && plan.stages[0]!.tasks === 'one' ? parts.slots ?? 1 : 1
  const made = plan.stages.map((stage, i) => {
    const inputs = inputsOf(stage, { ...parts, plan, columns, chosen: needed })
    const own = columns[i]!
    const { output } = stage
    const end = output.kind === 'result'
      ? parts.last(stage.sql, own)
      : { sql: sentQuery(stage.sql, own, hashOf(stage)), output: exchangeOf(stage) }
    return {
      task: { inputs: inputs.inputs, ...end, ...threads > 1 && { threads } },
      laid: {
        name: stage.name.slice(0, 100), ...inputs.laid, output: outputOf(stage, parts.partitions), ...threads > 1 && { cpu: threads },
      },
    }
  })
  return { plan, work: { tables: shapes, stages: made.map(({ task }) => task) }, stages: made.map(({ laid }) => laid) }
}

const bytesOf = (pieces: readonly SplitPiece[]): number => pieces.reduce((sum, { range }) => sum + range.end - range.start, 0)

const hashOf = ({ output }: QueryStage): string | undefined => (output.kind === 'exchange' ? output.hash : undefined)

function exchangeOf(stage: QueryStage): SqlStage['output'] {
  const hash = hashOf(stage)
  return { kind: 'exchange', ...hash !== undefined && { hash } }
}

function outputOf({ output }: QueryStage, partitions: number): StageSpec['output'] {
  switch (output.kind) {
    case 'exchange': return { kind: 'shuffle', partitions }
    case 'single': return { kind: 'shuffle', partitions: 1 }
    default: return { kind: 'files', format: 'text' }
  }
}

async function typed(db: Database, columns: readonly QueryColumn[]): Promise<SqlColumn[]> {
  if (columns.length === 0) return []
  const found = await db.columnsOf(`SELECT ${columns.map(({ type }, i) => `CAST(NULL AS ${type}) AS c${i}`).join(', ')}`)
  return columns.map(({ name }, i) => ({ name, type: found[i]!.type }))
}

/** Tables that tasks of partitions read whole come from a stage of one task: a task reads files or partitions. */
function withScans(plan: QueryPlan, shapes: readonly TableShape[]): QueryPlan {
  const stages: QueryStage[] = []
  const numbers: number[] = []
  for (const stage of plan.stages) {
    const inputs: QueryInput[] = []
    for (const input of stage.inputs) {
      if (input.from.kind === 'stage') {
        inputs.push({ ...input, from: { kind: 'stage', stage: numbers[input.from.stage]! } })
        continue
      }
      if (stage.tasks !== 'partition') {
        inputs.push(input)
        continue
      }
      const { table, columns: read } = input.from
      const isRead = (name: string): boolean => read.some(each => each.toLowerCase() === name.toLowerCase())
      const own = columnsOfTable(shapeNamed(shapes, table)).filter(({ name }) => isRead(name))
      const number = stages.push({
        name: `read ${table}`.slice(0, 100), tasks: 'one', columns: own, output: { kind: 'single' },
        inputs: [{ ...input, view: 'scanned' }],
        sql: `SELECT ${own.map(({ name }) => quotedName(name)).join(', ')} FROM scanned`,
      }) - 1
      inputs.push({ view: input.view, from: { kind: 'stage', stage: number }, how: 'all' })
    }
    numbers.push(stages.push({ ...stage, inputs }) - 1)
  }
  return { ...plan, stages, gathered: plan.gathered.map(each => ({ ...each, stage: numbers[each.stage]! })) }
}

function shapeNamed(shapes: readonly TableShape[], name: string): TableShape {
  const found = shapes.find(shape => shape.name.toLowerCase() === name.toLowerCase())
  assert(found, `the plan reads the table ${name}, which the query has`)
  return found
}

interface Laying extends LayoutParts {
  readonly columns: ReadonlyArray<readonly SqlColumn[]>
  /** Parts that an input with conditions needs. */
  readonly chosen: ReadonlyMap<QueryInput, readonly SplitPiece[]>
}

interface Inputs { readonly inputs: SqlInput[]; readonly laid: Pick<LaidStage, 'input' | 'broadcasts'> }

function inputsOf(stage: QueryStage, parts: Laying): Inputs {
  const { shapes, pieces, wholes, columns, chosen } = parts
  const whole: SqlInput[] = []
  const split: SqlInput[] = []
  const ahead: Split['ranges'] = []
  let divided: readonly SplitPiece[] | undefined
  const byPartition: number[] = []
  const byAll: number[] = []
  for (const stageInput of stage.inputs) {
    const { view, from, how } = stageInput
    if (from.kind === 'table') {
      const table = shapes.indexOf(shapeNamed(shapes, from.table))
      if (how === 'split') {
        divided = chosen.get(stageInput) ?? pieces[table]!
        split.push({ kind: 'table', view, table, ...columnsRead(shapes[table]!, from.columns) })
      } else {
        const read = chosen.get(stageInput) ?? wholes[table]!
        // Blocks of text are read in place one by one.
        const ranges = shapes[table]!.format.kind === 'parquet' ? rangesOf(read) : read.map(({ range }) => range)
        whole.push({ kind: 'table', view, table, ranges: ranges.length, ...columnsRead(shapes[table]!, from.columns) })
        ahead.push(...ranges)
      }
      continue
    }
    const found = columns[from.stage]!
    split.push({
      kind: 'stage', view, stage: from.stage, how: how === 'partition' ? 'partition' : 'all',
      columns: receivedColumns(found), none: noRows(found),
    })
    ;(how === 'partition' ? byPartition : byAll).push(from.stage)
  }
  const inputs = [...whole, ...split.sort((a, b) => (a.kind === b.kind ? 0 : a.kind === 'table' ? -1 : 1))]
  return { inputs, laid: laidOf(stage, parts, { ahead, divided, byPartition: [...new Set(byPartition)], byAll: [...new Set(byAll)] }) }
}

/** Columns in the files, if a stage reads only some of them. */
function columnsRead({ format, columns, partitions }: TableShape, read: readonly string[]): { readonly columns?: readonly string[] } {
  const isRead = (name: string): boolean => read.some(each => each.toLowerCase() === name.toLowerCase())
  const isPartition = (name: string): boolean => partitions.some(each => each.name.toLowerCase() === name.toLowerCase())
  const own = columns.map(({ name }) => name).filter(name => isRead(name) && !isPartition(name))
  return format.kind === 'parquet' && own.length < columns.length ? { columns: own } : {}
}

interface Read {
  readonly ahead: Split['ranges']
  readonly divided: readonly SplitPiece[] | undefined
  readonly byPartition: readonly number[]
  readonly byAll: readonly number[]
}

function laidOf(
  { tasks }: QueryStage, { partitions, splitBytes = splitBytesDefault }: Laying, { ahead, divided, byPartition, byAll }: Read,
): Pick<LaidStage, 'input' | 'broadcasts'> {
  const all = (stages: readonly number[]) => (stages.length > 0 ? { broadcasts: [...stages] } : {})
  const bytes = ahead.reduce((sum, { start, end }) => sum + end - start, 0)
  if (tasks === 'split') {
    assert(divided, 'a stage of splits divides a table')
    const packed = pack(divided, splitBytes)
    // A table without files has one task, which gives no rows.
    const splits = (packed.length > 0 ? packed : [{ ranges: [], bytes: 0 }]).map(each =>
      ({ ranges: checked([...ahead, ...each.ranges]), bytes: bytes + each.bytes }))
    return { input: { kind: 'splits', splits }, ...all(byAll) }
  }
  if (tasks === 'partition') {
    const [first, ...more] = byPartition
    assert(first !== undefined, 'a stage of partitions reads an exchange')
    const input = more.length > 0
      ? { kind: 'join' as const, stages: [...byPartition], partitions }
      : { kind: 'shuffle' as const, stage: first, partitions }
    return { input, ...all(byAll) }
  }
  if (ahead.length > 0 || byAll.length === 0)
    return { input: { kind: 'splits', splits: [{ ranges: checked(ahead), bytes }] }, ...all(byAll) }
  const [first, ...more] = byAll
  return { input: { kind: 'shuffle', stage: first!, partitions: 1 }, ...all(more) }
}

function checked(ranges: Split['ranges']): Split['ranges'] {
  if (ranges.length <= splitRangesMax) return ranges
  throw new GristmillError(
    'TOO_LARGE',
    `a task of the query reads ${ranges.length} files and blocks, and can read ${splitRangesMax}; join small files, or name fewer`,
  )
}
