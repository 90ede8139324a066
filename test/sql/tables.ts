// Small random tables with what is hard: nulls, NaN, infinities, -0.0, decimals, dates at the ends of months, empty texts, lists,
// structs; some tables have no rows. Numbers of type DOUBLE are quarters, so that sums are exact in any order.

import type { DuckDBConnection } from '@duckdb/node-api'
import type { TableInfo } from '../../src/sql/query.ts'
import type { Random } from './draw.ts'

export type Kind = 'int' | 'dec' | 'dbl' | 'date' | 'ts' | 'str' | 'bool' | 'list' | 'struct'

const types: Readonly<Record<Kind, readonly string[]>> = {
  int: ['INTEGER', 'BIGINT', 'SMALLINT'],
  dec: ['DECIMAL(9,2)', 'DECIMAL(20,3)'],
  dbl: ['DOUBLE'],
  date: ['DATE'],
  ts: ['TIMESTAMP'],
  str: ['VARCHAR'],
  bool: ['BOOLEAN'],
  list: ['INTEGER[]'],
  struct: ['STRUCT(x INTEGER, y VARCHAR)'],
}

/** The kind of a column by its name, which is the kind and a number. */
export const kindOf = (name: string): Kind => name.replace(/\d+$/, '') as Kind

/** Three tables; `id` is unique in each. */
export function randomTables(random: Random): TableInfo[] {
  return ['t', 'u', 'v'].map(name => {
    const kinds: Kind[] = [
      'int',
      'int',
      'dec',
      'dbl',
      'date',
      'str',
      ...(['ts', 'bool', 'list', 'struct', 'str', 'int', 'dec'] as const).filter(() => random.chance(0.5)),
    ]
    return {
      name,
      columns: [{ name: 'id', type: 'INTEGER' }, ...kinds.map((kind, i) => ({ name: `${kind}${i}`, type: random.pick(types[kind]) }))],
    }
  })
}

export async function makeTables(connection: DuckDBConnection, tables: readonly TableInfo[], random: Random): Promise<void> {
  for (const { name, columns } of tables) {
    await connection.run(`CREATE TABLE ${name} (${columns.map(column => `${column.name} ${column.type}`).join(', ')})`)
    const count = random.pick([0, 1, 7, 30, 60, 60])
    if (count === 0) continue
    const cell = (column: string, id: number): string =>
      column === 'id' ? String(id) : random.chance(0.15) ? 'NULL' : literal(kindOf(column), random)
    const rows = Array.from({ length: count }, (_, id) => `(${columns.map(column => cell(column.name, id)).join(', ')})`)
    await connection.run(`INSERT INTO ${name} VALUES ${rows.join(', ')}`)
  }
}

/** A value of the kind as SQL. Few values are used, so that groups and joins find partners. */
export function literal(kind: Kind, random: Random): string {
  switch (kind) {
    case 'int':
      return String(random.int(-3, 8))
    case 'dec':
      return random.pick(['0.00', '1.50', '-2.25', '10.10', '99.99', '3'])
    case 'dbl':
      return random.pick([
        '0.0',
        '-0.0',
        '1.25',
        '-2.5',
        '7.75',
        '100.5',
        '3',
        ...(random.chance(0.3) ? ["'nan'::DOUBLE"] : []),
        ...(random.chance(0.05) ? ["'inf'::DOUBLE"] : []),
      ])
    case 'date':
      return random.pick(["DATE '2020-02-29'", "DATE '2020-01-31'", "DATE '1969-12-31'", "DATE '2021-03-01'", "DATE '2020-02-01'"])
    case 'ts':
      return random.pick(["TIMESTAMP '2020-02-29 23:59:59.999999'", "TIMESTAMP '1970-01-01 00:00:00'", "TIMESTAMP '2020-01-31 12:00:00'"])
    case 'str':
      return random.pick(["''", "'a'", "'b'", "'ab'", "'A'", "'%_'", "'it''s'", "'é'", "'abc'"])
    case 'bool':
      return random.pick(['true', 'false'])
    case 'list':
      return random.pick(['[]::INTEGER[]', '[1, 2]::INTEGER[]', '[1, NULL]::INTEGER[]', '[3]::INTEGER[]'])
    case 'struct':
      return random.pick(["{'x': 1, 'y': 'a'}", "{'x': 2, 'y': NULL}", "{'x': NULL, 'y': 'b'}"])
  }
}
