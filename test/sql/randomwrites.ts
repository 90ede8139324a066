// Random statements that write a table of the catalogue, on a cluster of real processes: rows are inserted, overwritten, and overwritten by
// partition; after each statement the table has the rows of a table of plain DuckDB, to which the same was done.
// `node test/sql/random.ts --writes --seeds 5`.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type Mill } from '../../client/index.ts'
import { startClusterHere } from '../cluster/inprocess.ts'
import { openDuckDB, read } from './duckdb.ts'
import { randomOf, type Random } from './draw.ts'
import { faultOf, type Outcome } from './outcome.ts'
import { plainValue } from './plain.ts'
import { kindOf, literal, type Kind } from './tables.ts'

const statementsEach = 8
const types: Readonly<Partial<Record<Kind, string>>> = {
  int: 'INTEGER', str: 'VARCHAR', date: 'DATE', dec: 'DECIMAL(9,2)', bool: 'BOOLEAN', list: 'INTEGER[]',
  struct: 'STRUCT(x INTEGER, y VARCHAR)',
}

interface Write {
  /** For the cluster. */
  readonly sql: string
  /** The same for the model. */
  readonly model: readonly string[]
}

export async function* writeRuns(seeds: readonly number[]): AsyncGenerator<Outcome> {
  const dir = mkdtempSync(join(tmpdir(), 'gristmill-writes-'))
  const cluster = await startClusterHere({ datanodes: 2, settings: { GRISTMILL_SLOTS: '2', GRISTMILL_REPLICATION: '1' } })
  try {
    await using mill = await connect({ address: cluster.namenode.address, secretFile: cluster.secretFile })
    for (const seed of seeds) yield* writesOf(mill, seed)
  } finally {
    await cluster.stop()
    rmSync(dir, { recursive: true, force: true })
  }
}

async function* writesOf(mill: Mill, seed: number): AsyncGenerator<Outcome> {
  const random = randomOf(seed)
  const connection = await openDuckDB()
  const columns = Array.from({ length: random.int(2, 4) }, (_, i) => `${random.pick(Object.keys(types))}${i}`)
  const list = columns.map(name => `${name} ${types[kindOf(name)]!}`).join(', ')
  const table = `w${seed}`
  const none = columns.map(name => `CAST(NULL AS ${types[kindOf(name)]!}) AS ${name}`).join(', ')
  await connection.run(`CREATE TABLE ${table} (${list})`)
  await mill.sql(`CREATE TABLE ${table} AS SELECT ${none} WHERE false`).collect()
  for (let i = 0; i < statementsEach; i++) {
    const { sql, model } = randomWrite(random, table, columns)
    const failed = async (work: () => Promise<unknown>): Promise<Error | undefined> =>
      work().then(() => undefined, (error: unknown) => error as Error)
    const expected = await failed(async () => {
      await connection.run('BEGIN')
      for (const statement of model) await connection.run(statement)
      await connection.run('COMMIT')
    })
    if (expected) await connection.run('ROLLBACK')
    const found = await failed(() => mill.sql(sql).collect())
    const different = !found !== !expected ? `${found?.message ?? 'no error'} instead of ${expected?.message ?? 'no error'}` : undefined
    const rows = await read(connection, `FROM ${table}`)
    const answer = await mill.sql(`FROM ${table}`).collect()
    const fault = different ?? faultOf({ ...rows, rows: answer.map(row => Object.values(row).map(plainValue)) }, rows, false)
    yield { seed, sql, gathered: [], failed: expected !== undefined, ...fault !== undefined && { fault } }
    if (fault !== undefined) break
  }
  await mill.sql(`DROP TABLE ${table}`).collect()
  connection.closeSync()
}

/** Rows as VALUES; some values are of another type, which is cast. */
function rowsOf(random: Random, columns: readonly string[], least = 0): string {
  const value = (name: string): string => {
    const kind = kindOf(name)
    if (random.chance(0.15)) return 'NULL'
    if (kind === 'int' && random.chance(0.1)) return random.pick(['1.5', `'7'`, '2.4::DOUBLE'])
    return kind === 'dec' && random.chance(0.2) ? random.pick(['1.005', '7', `'3.1'`]) : literal(kind, random)
  }
  const typed = (name: string): string => `CAST(${value(name)} AS ${types[kindOf(name)]!})`
  const row = (): string => `SELECT ${columns.map((name, i) => `${typed(name)} AS c${i}`).join(', ')}`
  const rows = Array.from({ length: random.int(least, 6) }, row)
  const empty = `SELECT ${columns.map((name, i) => `CAST(NULL AS ${types[kindOf(name)]!}) AS c${i}`).join(', ')} WHERE false`
  return rows.length === 0 ? empty : rows.join(' UNION ALL ')
}

function randomWrite(random: Random, table: string, columns: readonly string[]): Write {
  const all = columns.join(', ')
  const plain = columns.filter(name => !/^(?:list|struct)/.test(name))
  const keys = plain.filter(() => random.chance(0.5)).slice(0, columns.length - 1)
  return random.pick<() => Write>([
    () => {
      const query = rowsOf(random, columns)
      return { sql: `INSERT INTO ${table} ${query}`, model: [`INSERT INTO ${table} ${query}`] }
    },
    () => {
      const some = columns.filter(() => random.chance(0.6))
      const named = some.length > 0 ? some : columns
      const query = rowsOf(random, named)
      const sql = `INSERT INTO ${table} (${named.join(', ')}) ${query}`
      return { sql, model: [sql] }
    },
    () => {
      const query = rowsOf(random, columns)
      return { sql: `INSERT OVERWRITE ${table} ${query}`, model: [`DELETE FROM ${table}`, `INSERT INTO ${table} ${query}`] }
    },
    () => ({ sql: `OPTIMIZE TABLE ${table}`, model: [] }),
    ...keys.length === 0 ? [] : [() => {
      // Some of the columns have a constant, which the query does not give. It is a number, a text,
      // a word, or a date, as a text or with its type.
      const constant = (name: string): string => literal(kindOf(name), random).replace(/^DATE /, random.pick(['', 'DATE ']))
      const fixed = new Map(keys.filter(() => random.chance(0.6)).map(name => [name, constant(name)]))
      const given = columns.filter(name => !fixed.has(name))
      const query = rowsOf(random, given)
      const partition = keys.map(name => (fixed.has(name) ? `${name} = ${fixed.get(name)!}` : name)).join(', ')
      const typed = (name: string): string => `CAST(${fixed.get(name)!} AS ${types[kindOf(name)]!})`
      const made = columns.map(name => (fixed.has(name) ? `${typed(name)} AS ${name}` : `c${given.indexOf(name)} AS ${name}`))
      const rows = `SELECT ${made.join(', ')} FROM (${query}) AS q`
      const isFixed = keys.every(name => fixed.has(name))
      const meets = keys.map(name => `t.${name} IS NOT DISTINCT FROM ${fixed.has(name) ? typed(name) : `n.${name}`}`).join(' AND ')
      return {
        sql: `INSERT OVERWRITE ${table} PARTITION (${partition}) ${query}`,
        model: [
          `CREATE TEMP TABLE made AS ${rows}`,
          isFixed ? `DELETE FROM ${table} AS t WHERE ${meets}` : `DELETE FROM ${table} AS t WHERE EXISTS (FROM made AS n WHERE ${meets})`,
          `INSERT INTO ${table} (${all}) SELECT ${all} FROM made`, 'DROP TABLE made',
        ],
      }
    }],
  ])()
}
