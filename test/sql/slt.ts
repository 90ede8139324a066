// Text files of SQL with expected rows, in the format of sqllogictest as DuckDB has it: `node test/sql/slt.ts FOLDER` runs each `.slt` and
// `.test` file below a folder (default: test/sql/slt). Statements run in plain DuckDB; each query over tables is planned, run in tasks, and
// has to have the rows of plain DuckDB. In `.slt` files, which are our own, these are the expected ones too; DuckDB's `.test` files have
// other forms of rows. A file with a directive that is not known here is run up to there.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { planQuery } from '../../src/sql/plan.ts'
import type { TableInfo } from '../../src/sql/query.ts'
import { openDuckDB, oracleOf, read, type Answer } from './duckdb.ts'
import { randomOf } from './draw.ts'
import { faultOf } from './outcome.ts'
import { runPlan } from './runner.ts'

interface SltRecord {
  readonly line: number
  readonly kind: 'ok' | 'error' | 'query'
  readonly sql: string
  /** Lines behind `----`. */
  readonly expected: readonly string[]
  /** Order of the expected rows counts. */
  readonly isOrdered: boolean
}

interface SltOutcome {
  readonly queries: number
  readonly planned: number
  readonly faults: readonly string[]
  /** Line and word of the first directive that is not known, if any. */
  readonly stopped?: string
}

/** Parts that this DuckDB has, and properties of another runner. */
const isAlways: ReadonlySet<string> = new Set(['icu', 'json', 'noforcestorage', 'parquet', 'skip_reload', 'vector_size'])

/** Records of a file, up to the first directive that is not known. */
export function parseSlt(text: string): { readonly records: SltRecord[]; readonly stopped?: string } {
  const lines = text.split(/\r?\n/)
  const records: SltRecord[] = []
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!
    const head = line.trim().split(/\s+/)
    if (line.trim() === '' || line.startsWith('#') || (head[0] === 'require' && isAlways.has(head[1]!))) continue
    const isStatement = head[0] === 'statement' && (head[1] === 'ok' || head[1] === 'error')
    if (!isStatement && head[0] !== 'query') return { records, stopped: `line ${i + 1}: ${line}` }
    const start = i + 1
    const block: string[] = []
    while (i + 1 < lines.length && lines[i + 1]!.trim() !== '') block.push(lines[++i]!)
    const end = block.findIndex(each => each.trim() === '----')
    records.push({
      line: start, kind: head[0] === 'query' ? 'query' : head[1] as 'ok' | 'error', isOrdered: !head.includes('rowsort'),
      sql: block.slice(0, end < 0 ? undefined : end).join('\n'), expected: end < 0 ? [] : block.slice(end + 1),
    })
  }
  return { records }
}

type Connection = Awaited<ReturnType<typeof openDuckDB>>

/** Tables of the database, without sizes: the planner divides each. */
async function tablesOf(connection: Connection): Promise<TableInfo[]> {
  const { rows } = await read(connection, `SELECT table_name, column_name, data_type FROM duckdb_columns()
    JOIN duckdb_tables() USING (database_name, schema_name, table_name)
    WHERE schema_name = 'main' AND database_name = 'memory' ORDER BY table_name, column_index`)
  const all = Map.groupBy(rows.map(row => row.map(String)), ([table]) => table!)
  return [...all].map(([name, own]) => ({ name, columns: own.map(([, column, type]) => ({ name: column!, type: type! })) }))
}

/** The answer of the plan's tasks; an error of either, or `not over tables` for a query that reads something else too. */
async function planFor(
  sql: string, tables: readonly TableInfo[], connection: Connection, oracle: ReturnType<typeof oracleOf>,
): Promise<{ readonly answer: Answer; readonly isDivided: boolean } | Error | 'not over tables'> {
  try {
    const plan = await planQuery(sql, tables, oracle, { broadcastBytes: 0 })
    const answer = await runPlan(connection, plan, { splits: 3, partitions: 3, random: randomOf(1).next })
    return { answer, isDivided: plan.gathered.length === 0 }
  } catch (error) {
    // Views, other schemas, settings and functions of the connection are not known where the query is planned.
    return /^(?:Catalog|Parser|Not implemented) Error/.test((error as Error).message) ? 'not over tables' : error as Error
  }
}

/** `isExpected`: the rows in the file are compared, too. */
export async function runSlt(text: string, { isExpected }: { readonly isExpected: boolean }): Promise<SltOutcome> {
  const { records, stopped } = parseSlt(text)
  const [connection, oracle] = [await openDuckDB(), oracleOf(await openDuckDB())]
  const faults: string[] = []
  let [queries, planned] = [0, 0]
  try {
    for (const { line, kind, sql, expected, isOrdered } of records) {
      const fault = (text: string): void => void faults.push(`line ${line}: ${text}\n${sql}`)
      const plain = await read(connection, sql).catch((error: unknown) => error as Error)
      if (kind === 'ok' && plain instanceof Error) fault(plain.message)
      if (kind !== 'query' && !/^\s*(?:SELECT|FROM|WITH)\b/i.test(sql)) continue
      const tables = await tablesOf(connection)
      if (tables.length === 0) continue
      const found = await planFor(sql, tables, connection, oracle)
      if (found === 'not over tables') continue
      queries++
      if (!(found instanceof Error) && found.isDivided) planned++
      const isSorted = isOrdered && /\bORDER\s+BY\b[^()]*$/i.test(sql)
      const different = faultOf(found instanceof Error ? found : found.answer, plain, isSorted)
      if (different !== undefined) fault(different)
      if (kind === 'error' && !(plain instanceof Error)) fault('no error')
      if (!isExpected || kind !== 'query' || plain instanceof Error) continue
      const rows = plain.rows.map(row => row.map(shown).join('\t'))
      const [a, b] = isSorted ? [rows, expected] : [rows.toSorted(), expected.toSorted()]
      if (a.join('\n') !== b.join('\n')) fault(`rows\n${a.join('\n')}\ninstead of\n${b.join('\n')}`)
    }
  } finally {
    connection.closeSync()
  }
  return { queries, planned, faults, ...stopped !== undefined && { stopped } }
}

const shown = (value: unknown): string =>
  value === null ? 'NULL' : value === '' ? '(empty)' : typeof value === 'string' ? value : JSON.stringify(value)

export const sltFiles = (folder: string): string[] =>
  readdirSync(folder, { recursive: true }).map(String).filter(name => /\.(?:slt|test)$/.test(name)).sort().map(name => join(folder, name))

async function main(folder: string): Promise<void> {
  let [queries, planned, faults, stops] = [0, 0, 0, 0]
  const files = sltFiles(folder)
  for (const file of files) {
    const outcome = await runSlt(readFileSync(file, 'utf8'), { isExpected: file.endsWith('.slt') })
    queries += outcome.queries
    planned += outcome.planned
    faults += outcome.faults.length
    if (outcome.stopped !== undefined) stops++
    for (const fault of outcome.faults) console.log(`${file}, ${fault}`)
    if (outcome.stopped !== undefined) console.log(`${file} is run up to ${outcome.stopped}`)
  }
  const ran = `${files.length} files, ${stops} of them in part`
  console.log(`${ran}; ${queries} queries over tables, ${planned} without a gathered part, ${faults} faults`)
  process.exitCode = faults > 0 ? 1 : 0
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main(process.argv[2] ?? join(import.meta.dirname, 'slt'))
