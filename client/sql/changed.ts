// Statements that change the catalogue or write tables, with what they need of queries: each of their steps is a query of its own. What
// they return is a row that says what was done.

import { GristmillError } from '../../src/base/errors.ts'
import { literalOf, quotedName, type SqlColumn } from '../../src/base/sql.ts'
import { MiB } from '../../src/base/units.ts'
import type { Job } from '../jobs/job.ts'
import type { Run } from '../jobs/running.ts'
import { engineOf, workspaceIn, type SqlTools } from './asked.ts'
import type { SqlExportOptions } from './cluster.ts'
import type { SqlCommand } from './command.ts'
import { runCommand } from './commands.ts'
import { checkPath, shapesIn } from './current.ts'
import { asQueryError } from './job.ts'
import type { SqlParams } from './statement.ts'
import { RunningQuery } from './running.ts'
import type { CommandRows, RowsSaved } from './writing.ts'

/** A query of one step. */
interface StepQuery {
  run(): Promise<RunningQuery>
  save(path: string, options: RowsSaved): Promise<Run>
  export(url: string, options: SqlExportOptions): Promise<unknown>
}

interface ChangeParts {
  readonly tools: SqlTools
  readonly params: SqlParams | undefined
  readonly signal: AbortSignal | undefined
  /** A query with the options of the statement. */
  readonly query: (text: string, params: SqlParams | undefined) => StepQuery
  readonly onJob: ((job: Job) => void) | undefined
  /** Columns of the query of a view. */
  readonly columns: (text: string, params: SqlParams | undefined) => Promise<readonly SqlColumn[]>
}

/** Runs the statement, and begins a query that gives its rows. */
export async function changed(command: SqlCommand, parts: ChangeParts): Promise<RunningQuery> {
  const { tools, params, signal } = parts
  const isQuery = 'query' in command
  if (!isQuery && params !== undefined && Object.keys(params).length > 0)
    throw new GristmillError('EINVAL', 'this statement has no parameters')
  const given = isQuery ? params : undefined
  const { cluster } = await tools.cluster()
  const rows = await runCommand(command, {
    cluster, signal,
    save: async (text, path, options) => {
      checkPath(path, tools)
      const run = await parts.query(text, given).save(path, options)
      parts.onJob?.(run)
      await run.wait({ signal }).catch((error: unknown) => { throw asQueryError(error) })
    },
    export: (text, url, options) => parts.query(text, given).export(url, options),
    row: async text => {
      await using running = await parts.query(text, given).run()
      for await (const [row] of running.batches()) return row!
      throw new GristmillError('INTERNAL', 'the query has returned no row')
    },
    columns: text => parts.columns(text, given),
    shape: shapesIn(tools, signal),
  })
  return begun(rows, tools, signal)
}

const valuesBytes = 1024 * MiB

/** A query that gives these rows. */
async function begun({ names, rows }: CommandRows, tools: SqlTools, signal: AbortSignal | undefined): Promise<RunningQuery> {
  const space = workspaceIn(tools)
  try {
    const running = new RunningQuery(await space.open(engineOf(tools), valuesBytes, 1), space, signal)
    return await running.begin(async db => {
      await db.confine([space.result])
      const texts = (row: readonly (string | null)[]): string =>
        `(${row.map(each => `CAST(${each === null ? 'NULL' : literalOf(each)} AS VARCHAR)`).join(', ')})`
      const none = names.map(() => null)
      const list = [...rows.map(texts), ...rows.length === 0 ? [texts(none)] : []].join(', ')
      const sql = `SELECT * FROM (VALUES ${list}) AS t(${names.map(quotedName).join(', ')})${rows.length === 0 ? ' WHERE false' : ''}`
      return { sql, columns: await db.columnsOf(sql) }
    })
  } catch (error) {
    await space.close()
    throw error
  }
}
