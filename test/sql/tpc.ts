// TPC-H and TPC-DS through the planner: `npm run test:tpc -- [--scale 0.01,0.1] [--query 5] [--only h|ds] [--explain] [--minutes 8]`. Data
// and queries come from DuckDB's signed extensions, which pip fetches once. TPC-H is compared with the published answers, TPC-DS with
// plain DuckDB. With --cluster TPC-H runs on a cluster of real processes, and is compared with plain DuckDB; --explain then adds what each
// stage took. With --kill a datanode of that cluster is killed in the middle of each query.
// Without python3 and pip the run is skipped, and says so. Queries that --minutes leaves no time for are named, and do not fail the run; a
// query that does not end does.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { DuckDBConnection } from '@duckdb/node-api'
import { explainQuery } from '../../src/sql/explain.ts'
import { planQuery } from '../../src/sql/plan.ts'
import type { TableInfo } from '../../src/sql/query.ts'
import { difference } from './compare.ts'
import { openDuckDB, oracleOf, read, type Answer } from './duckdb.ts'
import { Deadline } from './deadline.ts'
import { randomOf } from './draw.ts'
import { extension } from './extension.ts'
import { runPlan } from './runner.ts'
import { runTpchOnCluster } from './tpccluster.ts'

async function tablesOf(connection: DuckDBConnection): Promise<TableInfo[]> {
  const sql =
    'SELECT table_name, column_name, data_type, estimated_size FROM duckdb_columns() JOIN duckdb_tables() USING (table_name) WHERE NOT duckdb_columns.internal'
  const rows = (await read(connection, sql)).rows.map(row => row.map(String))
  return [...new Set(rows.map(([name]) => name!))].map(name => {
    const own = rows.filter(([table]) => table === name)
    return { name, rows: Number(own[0]![3]), columns: own.map(([, column, type]) => ({ name: column!, type: type! })) }
  })
}

/** Rows of a published answer, text with `|` between values, as values of the types that DuckDB has found. */
function published(text: string, like: Answer): Answer {
  const [, ...lines] = text.replace(/\n$/, '').split('\n')
  const isNumber = (type: string): boolean => /^(?:DOUBLE|DECIMAL|BIGINT|INTEGER|HUGEINT)/.test(type)
  const valueOf = (value: string, type: string): unknown => (value === '' ? null : isNumber(type) ? Number(value) : value.trimEnd())
  return { ...like, rows: lines.map(line => line.split('|').map((value, i) => valueOf(value, like.types[i]!))) }
}

const numbers = (answer: Answer): Answer => ({
  ...answer,
  rows: answer.rows.map(row =>
    row.map((value, i) => {
      if (typeof value !== 'string') return value
      return /^(?:DOUBLE|DECIMAL|BIGINT|INTEGER|HUGEINT)/.test(answer.types[i]!) ? Number(value) : value.trimEnd()
    }),
  ),
})

interface Score {
  same: number
  gathered: number
  queries: number
  /** Of all runs, with their planning. */
  ms: number
}

async function runAll(
  suite: 'h' | 'ds',
  scale: string,
  file: string,
  options: { query?: string; explain?: boolean; deadline: Deadline },
): Promise<Score> {
  const connection = await openDuckDB()
  // Some queries of TPC-DS need more than its memory beside the tables.
  const spill = mkdtempSync(join(tmpdir(), 'gristmill-tpc-'))
  process.once('exit', () => { rmSync(spill, { recursive: true, force: true }) })
  await connection.run(`SET temp_directory = '${spill}'; SET max_temp_directory_size = '4GB'`)
  const oracle = oracleOf(await openDuckDB())
  await connection.run(`LOAD '${file}'`)
  await connection.run(`CALL ${suite === 'h' ? 'dbgen' : 'dsdgen'}(sf=${scale})`)
  const tables = await tablesOf(connection)
  const queries = (await read(connection, `SELECT query_nr, query FROM tpc${suite}_queries() ORDER BY 1`)).rows.map(
    ([number, sql]) => [Number(number), String(sql)] as const,
  )
  const answers =
    suite === 'h'
      ? (await read(connection, `SELECT query_nr, answer FROM tpch_answers() WHERE scale_factor = ${scale} ORDER BY 1`)).rows
      : []
  const score: Score = { same: 0, gathered: 0, queries: 0, ms: 0 }
  for (const [number, sql] of queries) {
    if (options.query !== undefined && Number(options.query) !== number) continue
    if (options.deadline.isOver(`TPC-${suite.toUpperCase()} ${number}`)) continue
    for (const broadcastBytes of [0, 1 << 20]) {
      const startMs = performance.now()
      const plan = await planQuery(sql, tables, oracle, { broadcastBytes })
      const found = await runPlan(connection, plan, { splits: 3, partitions: 3, random: randomOf(number).next })
        .catch((error: unknown) => error as Error)
      score.ms += performance.now() - startMs
      const answer = answers.find(([each]) => Number(each) === number)?.[1]
      const fault =
        found instanceof Error ? `error: ${found.message}`
        : answer === undefined ? difference(found, await read(connection, sql), false)
        : difference(numbers(found), published(String(answer), found), false)
      score.queries++
      if (fault === undefined) score.same++
      if (plan.gathered.length > 0) score.gathered++
      const reasons = plan.gathered.map(({ reason }) => reason).join('; ')
      if (fault !== undefined || (reasons !== '' && broadcastBytes === 0))
        console.log(`TPC-${suite.toUpperCase()} ${number}: ${fault ?? 'same'}${reasons && `; gathered: ${reasons}`}`)
      if (options.explain) console.log(explainQuery(plan, { sql: true }))
    }
  }
  connection.closeSync()
  return score
}

const twice = '(each query is run twice: by exchange, and by broadcast)'
const { values } = parseArgs({
  options: {
    scale: { type: 'string' }, query: { type: 'string' }, only: { type: 'string' }, explain: { type: 'boolean' },
    cluster: { type: 'boolean' }, kill: { type: 'boolean' }, minutes: { type: 'string' },
  },
})
const deadline = new Deadline(values.minutes === undefined ? undefined : Number(values.minutes))
const scales = (values.scale ?? '0.1').split(',')
for (const suite of ['h', 'ds'] as const) {
  const isOnCluster = values.cluster === true || values.kill === true
  if ((values.only ?? (isOnCluster ? 'h' : suite)) !== suite) continue
  const file = extension(suite === 'h' ? 'tpch' : 'tpcds')
  if (file === undefined) continue
  for (const scale of scales) {
    if (isOnCluster) {
      const { query: only, explain: isAnalyzed = false, kill: isKilled = false } = values
      if (!await runTpchOnCluster({ scale, extension: file, only, isAnalyzed, isKilled, deadline })) process.exitCode = 1
      continue
    }
    const { same, gathered, queries, ms } = await runAll(suite, scale, file, { ...values, deadline })
    const rows = `${same} of ${queries} runs have the expected rows, ${gathered} have a gathered part`
    console.log(`TPC-${suite.toUpperCase()} at scale ${scale}: ${rows} ${twice}, ${(ms / 1000).toFixed(1)} s`)
    if (same < queries) process.exitCode = 1
  }
}
deadline.end()
