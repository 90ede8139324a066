// DuckDB in the test's process: the oracle of the planner, and the engine of the tasks that a test runs. One thread, so that a run repeats,
// and a bounded memory, so that a plan with a huge intermediate result is an error of the run and not the end of the machine.

import { DuckDBInstance, DuckDBResultReader, ResultReturnType, type DuckDBConnection } from '@duckdb/node-api'
import { taskSettings } from '../../src/sql/optimizers.ts'
import type { SqlOracle } from '../../src/sql/query.ts'

const memoryDefault = '2GB'

export async function openDuckDB({ threads = 1, memory = memoryDefault } = {}): Promise<DuckDBConnection> {
  const instance = await DuckDBInstance.create(':memory:', {
    threads: String(threads),
    memory_limit: memory,
    temp_directory: '',
    autoinstall_known_extensions: 'false',
  })
  const connection = await instance.connect()
  for (const setting of taskSettings) await connection.run(setting)
  return connection
}

/** An oracle over its own empty database. */
export function oracleOf(connection: DuckDBConnection): SqlOracle {
  return {
    rows: async sql => {
      const { rows } = await read(connection, sql)
      return rows.map(row => row.map(value => (value === null ? null : typeof value === 'string' ? value : JSON.stringify(value))))
    },
  }
}

export interface Answer {
  readonly names: readonly string[]
  readonly types: readonly string[]
  readonly rows: readonly (readonly unknown[])[]
}

/** A random query may join all with all: its rows would not fit into this process. */
const rowsMax = 300_000

/** Throws for an answer of more than `rowsMax` rows. */
export async function read(connection: DuckDBConnection, sql: string): Promise<Answer> {
  const result = await connection.stream(sql)
  const reader = new DuckDBResultReader(result)
  await reader.readUntil(rowsMax + 1)
  if (reader.currentRowCount > rowsMax) throw new Error(`Too many rows: more than ${rowsMax}`)
  // An error behind the first rows ends them as if they were all.
  if (result.returnType === ResultReturnType.INVALID) throw new Error('an error behind the first rows')
  return { names: reader.columnNames(), types: reader.columnTypes().map(String), rows: reader.getRowsJson() as unknown[][] }
}
