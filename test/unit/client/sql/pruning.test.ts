// Pruning of row groups and directories: what is left out has no row that the engine finds. Files are local, and their own footers.

import { statSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { SplitPiece } from '../../../../client/jobs/pack.ts'
import { neededPieces, rowGroupsOf } from '../../../../client/sql/pruning.ts'
import type { SampledTable } from '../../../../client/sql/sample.ts'
import { inodeId } from '../../../../src/base/ids.ts'
import { typeText } from '../../../../src/base/sql.ts'
import { columnBytes, partsOf, readRowGroups, rowsWithin } from '../../../../src/operator/parquet.ts'
import { tableSelect, type TableShape } from '../../../../src/operator/sqltable.ts'
import type { Database } from '../../../../src/ports/database.ts'
import { planQuery } from '../../../../src/sql/plan.ts'
import type { ScanCondition, SqlOracle } from '../../../../src/sql/query.ts'
import { openDuckDB } from '../../../../src/world/duckdb.ts'
import { randomOf } from '../../../sql/draw.ts'
import { openDuckDB as openOracle, oracleOf } from '../../../sql/duckdb.ts'
import { condition } from '../../../sql/expressions.ts'
import { kindOf, literal } from '../../../sql/tables.ts'

let dir: string
let db: Database
let oracle: SqlOracle
let kinds: Made

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gristmill-pruning-'))
  db = await openDuckDB({ memoryBytes: 128 << 20, threads: 1 })
  oracle = oracleOf(await openOracle())
  kinds = await tableOf({ 'kinds.parquet': `${values} FROM range(8192) r(i)` })
})
afterAll(async () => {
  db?.close()
  await rm(dir, { recursive: true, force: true })
})

interface Made { readonly shape: TableShape; readonly sampled: SampledTable; readonly pieces: SplitPiece[] }

/** Parquet files by their paths below the directory. */
async function tableOf(files: Readonly<Record<string, string>>, partitions: TableShape['partitions'] = []): Promise<Made> {
  const paths = Object.keys(files)
  for (const [path, select] of Object.entries(files)) {
    await mkdir(join(dir, path, '..'), { recursive: true })
    await db.run(`COPY (${select}) TO '${join(dir, path)}' (FORMAT parquet, ROW_GROUP_SIZE 2048)`)
  }
  const locals = paths.map(path => join(dir, path))
  const columns = (await db.columnsOf(`SELECT * FROM read_parquet('${locals[0]}', hive_partitioning = false)`))
    .map(({ name, type }) => ({ name, type: typeText(type) }))
  const groups = await readRowGroups(db, locals)
  const pieces = paths.flatMap((path, i) => {
    const own = groups.get(locals[i]!)
    const fileBytes = statSync(locals[i]!).size
    const ranges = own && partsOf(own, fileBytes) || [[0, fileBytes] as const]
    return ranges.map(([start, end]): SplitPiece => ({
      range: { path: `/${path}`, inode: inodeId(1), fileBytes, start, end, aligned: true, blocks: [] }, nodes: [],
    }))
  })
  const samples = paths.map((path, i) => ({ path: `/${path}`, local: locals[i]!, isWhole: false, bytes: 1, lines: 0 }))
  const table = { name: '/t', kind: 'parquet' as const, files: paths.map(path => ({ path: `/${path}`, bytes: 1 })) }
  return { shape: { name: '/t', format: { kind: 'parquet' }, columns, partitions }, sampled: { table, samples }, pieces }
}

/** Conditions of the scan as the planner finds them. */
async function conditionsOf({ shape }: Made, where: string): Promise<readonly ScanCondition[]> {
  const columns = [...shape.columns.filter(({ name }) => !shape.partitions.some(each => each.name === name)), ...shape.partitions]
  const plan = await planQuery(`SELECT * FROM t WHERE ${where}`, [{ name: 't', columns }], oracle)
  expect(plan.gathered).toEqual([])
  const { from } = plan.stages[0]!.inputs[0] ?? {}
  // A condition that no row meets leaves no table to read.
  if (!from) return []
  return from.kind === 'table' ? from.conditions ?? [] : []
}

/** Rows that the condition gives in all pieces, in the pieces that are left, and how many those are. */
async function pruned(made: Made, where: string): Promise<{ all: number; left: number; pieces: number }> {
  const [groups] = await rowGroupsOf(db, [made.sampled], [made.shape])
  const kept = await neededPieces(db, {
    ...made, groups: groups!, conditions: await conditionsOf(made, where),
  })
  const rows = async (pieces: readonly SplitPiece[]): Promise<number> => {
    const parts = pieces.map(({ range: { path, start, end } }) => {
      const own = groups!.get(path)
      return { path, local: join(dir, path), isFirst: start === 0, rows: own && rowsWithin(own, start, end) }
    })
    const result = await db.query(`SELECT count(*) FROM (${tableSelect(made.shape, parts)}) AS t WHERE ${where}`)
    for await (const [row] of result.batches()) return Number(row![0])
    return -1
  }
  return { all: await rows(made.pieces), left: await rows(kept), pieces: kept.length }
}

const values = `SELECT i, (i / 8)::DECIMAL(30, 3) AS d, CASE WHEN i % 5 > 0 THEN 'w' || lpad((i // 50)::VARCHAR, 5, '0') END AS s,
  CASE WHEN i >= 4096 THEN NULL ELSE i END AS n, CASE WHEN i % 11 = 0 THEN 'nan'::DOUBLE ELSE i / 3 END AS f,
  DATE '1969-12-01' + (i // 100)::INT AS day, TIMESTAMP '1969-12-31 00:00:00.000001' + to_minutes(i) AS ts,
  TIMESTAMPTZ '1969-12-31 00:00:00.000001+02' + to_minutes(i) AS t, {'i': i % 3, 's': 'x'} AS st, repeat('a', 300) || i AS long,
  (i % 256)::UTINYINT AS u, -i AS m, i::VARCHAR::BLOB AS b`

test.each([
  ['i = 5000', 1], ['i BETWEEN 2000 AND 2100', 2], ['i < 0', 1], ['i >= 4096 AND i < 6144', 1], ['m > -10', 1], ['i IN (1, 7000)', 2],
  ['d >= 700.125', 2], ['d = 5.125', 1], ["s = 'w00100'", 1], ["s > 'w00120' OR s IS NULL", 4], ["s LIKE 'w0000%'", 1], ['s IS NULL', 4],
  ['n IS NULL', 2], ['n IS NOT NULL', 2], ['n = 5000', 2], ['f > 2000', 4], ['f < 100', 4], ["f = 'nan'::DOUBLE", 4],
  ["day < DATE '1969-12-05'", 1], ["ts >= TIMESTAMP '1970-01-05 00:00:00'", 1], ["t < TIMESTAMPTZ '1970-01-01 00:00:00+02'", 1],
  ['long IS NULL', 1], [`long < 'aab'`, 4], ['u = 255', 4], ['i = 1 OR i = 8000', 2], ['i <> 3', 4],
  ['(i < 10 AND d < 5) OR i > 8100', 2], ['i + 1 = 5', 1],
] as const)('of four row groups with all kinds of values, %s needs %i', async (where, pieces) => {
  const found = await pruned(kinds, where)
  expect(found.left).toBe(found.all)
  expect(found.pieces).toBe(pieces)
})

test('directories leave out files, and files of another type are read', async () => {
  const made = await tableOf({
    'day=2024-01-01/k=a/x.parquet': 'SELECT range AS i FROM range(10)',
    'day=2024-01-02/k=b/x.parquet': 'SELECT range AS i FROM range(10, 20)',
    'day=2024-01-03/k=__HIVE_DEFAULT_PARTITION__/x.parquet': `SELECT range::VARCHAR AS i FROM range(5, 105)`,
    'day=2024-01-04/k=c%20d/x.parquet': 'SELECT range AS i FROM range(0)',
  }, [{ name: 'day', type: 'DATE' }, { name: 'k', type: 'VARCHAR' }])
  const counts = async (where: string) => {
    const found = await pruned(made, where)
    expect(found.left).toBe(found.all)
    return found.pieces
  }
  expect(await counts("day = '2024-01-02'")).toBe(1)
  expect(await counts("k = 'c d'")).toBe(1)
  expect(await counts('k IS NULL')).toBe(1)
  expect(await counts("day > '2024-01-01' AND i < 5")).toBe(2)
  expect(await counts('i = 15')).toBe(3)
  expect(await counts("day = '2030-01-01'")).toBe(1)
})

const keys = ['a', 'ab', 'it%27s']
const days = ['2020-01-31', '2020-02-29', '1969-12-31', '__HIVE_DEFAULT_PARTITION__']

test('random conditions over columns and names of directories leave no row out', async () => {
  const random = randomOf(1141)
  const files = keys.flatMap(key => days.map((day, i) => [
    `random/str0=${key}/date0=${day}/int0=${i * 3 - 4}/x.parquet`,
    `SELECT (range % ${random.int(3, 9)} - 3)::INTEGER AS int1, CASE WHEN range % 7 > 0 THEN ${random.pick(["'b'", "chr(97 + range::INT % 3)"])} END AS str1,
      (range % 40 / 4)::DECIMAL(9, 2) AS dec0, DATE '2020-01-01' + (range % 60)::INT AS date1, TIMESTAMP '2020-01-31 12:00:00' AS ts0,
      range / 4.0 AS dbl0 FROM range(${random.int(0, 60)})`,
  ] as const))
  const made = await tableOf(Object.fromEntries(files),
    [{ name: 'str0', type: 'VARCHAR' }, { name: 'date0', type: 'DATE' }, { name: 'int0', type: 'BIGINT' }])
  const fields = [...made.shape.columns, ...made.shape.partitions].map(({ name }) => ({ sql: name, kind: kindOf(name) }))
  const simple = (): string => {
    const { sql, kind } = random.pick(fields)
    return random.chance(0.15) ? `${sql} IS NULL` : `${sql} ${random.pick(['=', '=', '<', '>', '<=', '>='])} ${literal(kind, random)}`
  }
  const either = (): string => `(${simple()} OR ${simple()})`
  const any = (): string => random.pick([simple, simple, either, () => condition(fields, random, 1)])()
  let kept = 0
  for (let i = 0; i < 60; i++) {
    const where = Array.from({ length: random.int(1, 3) }, any).join(' AND ')
    const found = await pruned(made, where)
    expect(found.left, where).toBe(found.all)
    kept += found.pieces
  }
  expect(kept).toBeLessThan(60 * files.length * 0.9)
})

test('row groups of an unusual order, or far from their bloom filters, are no parts', () => {
  const group = (start: number, end: number, blooms?: readonly [number, number]) => ({ rows: 1, start, end, blooms })
  expect(partsOf([group(4, 50), group(60, 90)], 200)).toEqual([[0, 60], [60, 200]])
  expect(partsOf([group(4, 50, [55, 58]), group(60, 90, [95, 99])], 200)).toHaveLength(2)
  expect(partsOf([group(4, 50, [55, 61]), group(60, 90)], 200)).toBeUndefined()
  expect(partsOf([group(60, 90), group(4, 50)], 200)).toBeUndefined()
  expect(partsOf([group(4, 61), group(60, 90)], 200)).toBeUndefined()
  expect(partsOf([group(4, 50)], 200)).toBeUndefined()
  expect(partsOf([group(4, 50), group(60, 90)], 100)).toBeUndefined()
  // A large tail would be read with each part.
  expect(partsOf([group(4, 50), group(60, 90)], 4 << 20)).toBeUndefined()
})

test('the bytes of columns are those of all their fields in each row group, and are not known for a column that a row group lacks', async () => {
  const file = join(dir, 'columns.parquet')
  await db.run(`COPY (SELECT i AS a, {'x': i, 'y': hash(i)} AS "S", [i] AS l, i AS "b, c" FROM range(8192) r(i)) TO '${file}' (ROW_GROUP_SIZE 2048)`)
  const groups = (await readRowGroups(db, [file])).get(file)!
  const of = async (...columns: string[]) => (await columnBytes(db, [{ file, groups, columns }])).get(file)
  const all = (await of('A', 's', 'l'))!
  expect((await of('a'))!.length).toBe(groups.length)
  expect((await of('S'))!.length).toBe(2 * groups.length)
  expect(all.length).toBe(4 * groups.length)
  for (const [i, { start, end }] of all.entries()) {
    expect(start < end && end <= (all[i + 1]?.start ?? groups.at(-1)!.end), String(i)).toBe(true)
    expect(groups.some(group => start >= group.start && end <= group.end), String(i)).toBe(true)
  }
  // A path with a comma may be a field of a group.
  for (const columns of [['none'], ['a', 'none'], ['b, c']]) expect(await of(...columns), columns.join()).toBeUndefined()
  expect(await columnBytes(db, [{ file, groups: groups.slice(1), columns: ['a'] }])).toEqual(new Map())
  // Several files at once: each has its own columns.
  const copy = join(dir, 'copy.parquet')
  await db.run(`COPY (SELECT i AS z, i AS a FROM range(10) r(i)) TO '${copy}'`)
  const other = (await readRowGroups(db, [copy])).get(copy)!
  const both = await columnBytes(db, [{ file: copy, groups: other, columns: ['z', 'a'] }, { file, groups, columns: ['A'] }])
  expect([both.get(copy)!.length, both.get(file)]).toEqual([2, await of('a')])
})
