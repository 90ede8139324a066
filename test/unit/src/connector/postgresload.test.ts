// Loads into tables of PostgreSQL without a server: the statements of a swap and of an upsert, their order, and what is refused before any
// of them. That a server does what they say is tested by test/interop/postgreskept.ts.

import { expect, test } from 'vitest'
import { GristmillError } from '../../../../src/base/errors.ts'
import { differenceOf, type Description } from '../../../../src/connector/postgres/description.ts'
import { asideName, tableAddressOf } from '../../../../src/connector/postgres/names.ts'
import { grantsOf, type Right } from '../../../../src/connector/postgres/rights.ts'
import { PostgresRows } from '../../../../src/connector/postgres/sink.ts'
import { swapIn } from '../../../../src/connector/postgres/swap.ts'
import { checkSets, conflictClause, givenText } from '../../../../src/connector/postgres/upsert.ts'
import { exportFiles } from '../../../../client/transfer/export.ts'
import type { PostgresConnection } from '../../../../src/ports/postgres.ts'

const clock = { mono: () => 0, sleep: async () => {} }

type Rows = ReadonlyArray<readonly (string | null)[]>

/** Answers a statement by the first form that fits; others have no rows. `$1` of a query is shown behind it. */
function serverOf(answers: ReadonlyArray<readonly [form: RegExp, rows: Rows | ((asked: string) => Rows)]>) {
  const statements: string[] = []
  const connection: PostgresConnection = {
    async query(sql, params = []) {
      const asked = `${sql}${params.length > 0 ? ` -- ${params[0]}` : ''}`
      statements.push(asked)
      const rows = answers.find(([form]) => form.test(asked))?.[1] ?? []
      return typeof rows === 'function' ? rows(asked) : rows
    },
    async copyIn(sql, bytes) {
      statements.push(sql)
      return Buffer.concat(await Array.fromAsync(bytes)).toString().split('\n').length - 1
    },
    async * copyOut() {},
    async close() { statements.push('close') },
  }
  const at = (form: RegExp): number => statements.findIndex(sql => form.test(sql))
  return { connection, statements, at }
}

const address = tableAddressOf('postgres://h/shop/grain')
const stage = '"public"."_gristmill_stage_t"'
const describing = /jsonb_each_text/
const holding = /pg_policy/

const right = (given: Partial<Right>): Right =>
  ({ on: 'TABLE t', privilege: 'UPDATE', column: undefined, grantor: undefined, grantee: 'ada', isGrantable: false, ...given })

test('rights are given by the roles that have given them, each behind the right that allows it to', () => {
  expect(grantsOf([
    right({ grantor: 'bob', grantee: 'eve', column: '"n"' }), right({ grantor: 'ada', grantee: 'bob', isGrantable: true }),
    right({ grantee: 'PUBLIC', privilege: 'SELECT' }), right({ isGrantable: true }),
  ])).toEqual([
    'GRANT SELECT ON TABLE t TO PUBLIC', 'GRANT UPDATE ON TABLE t TO ada WITH GRANT OPTION',
    'SET LOCAL ROLE ada; GRANT UPDATE ON TABLE t TO bob WITH GRANT OPTION; RESET ROLE',
    'SET LOCAL ROLE bob; GRANT UPDATE ("n") ON TABLE t TO eve; RESET ROLE',
  ])
  // One whose basis is gone is the server's to refuse.
  expect(grantsOf([right({ grantor: 'bob', column: '"m"' }), right({ grantee: 'bob', column: '"n"', isGrantable: true })])).toHaveLength(2)
})

test('what a swap puts aside has a name of at most 63 bytes, which ends with _old and is another one', () => {
  expect([asideName('grain'), asideName('grain', 2), asideName('grain_old')]).toEqual(['grain_old', 'grain_old2', 'grain_old_old'])
  expect(asideName('x'.repeat(63))).toBe(`${'x'.repeat(59)}_old`)
  expect(asideName('é'.repeat(31))).toBe(`${'é'.repeat(29)}_old`)
  expect(asideName(`${'x'.repeat(59)}_old`)).toBe(`${'x'.repeat(58)}_old1`)
})

test('two descriptions differ in a property that one has alone or otherwise; names of parts count when they should be there', () => {
  const before: Description = [
    ['the table', 'relrowsecurity', 'true'], ['the table', 'comment', null], ['index btree (n)', 'name', 'public.by_n'],
  ]
  const without = { withNames: false }
  const renamed: Description = [before[0]!, ['index btree (n)', 'name', 'public.stage_n_idx']]
  expect(differenceOf(before, before, { withNames: true })).toBeUndefined()
  expect(differenceOf(before, renamed, without)).toBeUndefined()
  expect(differenceOf(before, renamed, { withNames: true })).toBe('name of index btree (n)')
  expect(differenceOf(before, [['the table', 'relrowsecurity', 'false']], without)).toBe('relrowsecurity of the table')
  expect(differenceOf(before, [...before, ['the table', 'right SELECT of ada by bob', 'false']], without))
    .toBe('right SELECT of ada by bob of the table')
})

const parts: Rows = [['INDEX', 'public', 'my_key', 'public', 'stage_pkey']]

test('a swap locks the table before it reads it, takes rights away before it gives some, and keeps the names of indexes', async () => {
  const { connection, statements, at } = serverOf([
    [describing, [['the table', 'relrowsecurity', 'true']]], [holding, []],
    [/SELECT DISTINCT word/, [[`TABLE ${stage}`, 'reader'], [`TABLE ${stage}`, 'PUBLIC']]],
    [/SELECT word, privilege_type/, [[`TABLE ${stage}`, 'SELECT', null, null, 'bob', 'f']]],
    [/stage_space, stage_name FROM same/, parts],
    [/FORCE ROW LEVEL/, [['1', `ALTER TABLE ${stage} ENABLE ROW LEVEL SECURITY`]]],
    [/SET UNLOGGED/, sql => (sql.startsWith('SELECT') ? [[`ALTER TABLE ${stage} SET UNLOGGED`]] : [])],
  ])
  await swapIn(connection, address, stage)
  const order = [
    /^ALTER TABLE .* SET UNLOGGED/, /^ANALYZE/, /^LOCK TABLE "public"."grain" IN ACCESS EXCLUSIVE MODE/, holding, describing,
    /^ALTER TABLE .* ENABLE ROW LEVEL SECURITY/, /^REVOKE ALL ON TABLE .* FROM reader CASCADE/, /^GRANT SELECT ON TABLE .* TO bob/,
    /^DROP TABLE IF EXISTS "public"."grain_old"/, /^ALTER INDEX "public"."my_key" RENAME TO "my_key_old"/,
    /^ALTER INDEX "public"."stage_pkey" RENAME TO "my_key"/, /^ALTER TABLE "public"."grain" RENAME TO "grain_old"/,
    /^ALTER TABLE "public"."_gristmill_stage_t" RENAME TO "grain"/,
  ].map(at)
  expect(order).toEqual([...order].sort((a, b) => a - b))
  expect(order).not.toContain(-1)
  expect(statements.filter(sql => /^(?:REVOKE|GRANT)/.test(sql))).toHaveLength(3)
  expect(describing.test(statements.at(-1)!)).toBe(true)
})

test('a swap whose new table is not described as the one before fails, and so does one of a table that others hold', async () => {
  let asked = 0
  const changed = serverOf([[describing, () => [['the table', 'relrowsecurity', String(asked++ > 0)]]]])
  await expect(swapIn(changed.connection, address, stage))
    .rejects.toMatchObject({ code: 'ESTALE', message: expect.stringContaining('(relrowsecurity of the table); begin again') as string })
  const held = serverOf([[holding, [['the policy p']]]])
  await expect(swapIn(held.connection, address, stage)).rejects.toMatchObject({
    code: 'EINVAL', message: 'postgres://h/shop/public.grain cannot be swapped: the policy p would stay with the table before; use upsert',
  })
  expect(held.at(/RENAME|REVOKE|DROP/)).toBe(-1)
  // A table that no swap has put aside is not dropped.
  const foreign = serverOf([[/^SELECT 1 FROM pg_class/, [['1']]]])
  await expect(swapIn(foreign.connection, address, stage)).rejects.toThrow('there is a table public.grain_old already')
  expect(foreign.at(/RENAME|REVOKE|DROP/)).toBe(-1)
})

const text = async function* (content: string): AsyncGenerator<Uint8Array> { yield Buffer.from(content) }

test('a table that a swap would change is refused when its stage is made, and nothing is committed', async () => {
  let asked = 0
  const of = serverOf([[describing, () => [['column n', 'attstorage', String(asked++)]]]])
  const sink = new PostgresRows({ open: async () => of.connection, clock }, address, { mode: 'swap' })
  await expect(sink.stage('t', { name: 'a.csv', bytes: 4 }, text('n\n1\n'))).rejects.toMatchObject({
    code: 'EINVAL',
    message: expect.stringContaining('cannot be swapped: the new table would not have this as the table before: attstorage of column n'),
  })
  expect(of.at(/CREATE TABLE .* \(LIKE "public"."grain" INCLUDING ALL\)/)).toBeGreaterThan(0)
  expect(of.at(/^COMMIT|^COPY|^INSERT/)).toBe(-1)
  expect(of.statements.at(-1)).toBe('close')
})

test('indexes are built when the rows are there; rows that do not fit into them are staged again, into a table that has them', async () => {
  const duplicate = new GristmillError('EINVAL', 'PostgreSQL: twice', { details: { sqlstate: '23505', reason: 'twice' } })
  const of = serverOf([
    [/^SELECT relkind/, [['r']]], [/^INSERT INTO .*_gristmill_parts/, [['a.csv']]], [/count.*_gristmill_parts/, [['1']]],
    [/ALTER TABLE %s DROP CONSTRAINT/, [['DROP INDEX of_stage']]], [/, missing AS/, [['CREATE UNIQUE INDEX of_stage']]],
    [/^CREATE UNIQUE/, () => {
      if (of.at(/^COPY/) < 0) return []
      throw duplicate
    }],
  ])
  const status = { path: '/grain.csv', id: 7, type: 'file', length: 4, mtimeMs: 1 } as never
  await expect(exportFiles({
    cluster: 'c' as never, list: async function* () {},
    files: { locate: async () => ({ status }) as never, read: (() => text('n\n1\n')) as never },
  }, {
    sink: new PostgresRows({ open: async () => of.connection, clock }, address, { mode: 'swap' }),
    from: status, overwrite: false, parallel: 1,
  })).rejects.toMatchObject({ code: 'EINVAL', message: 'postgres://h/shop/public.grain (swap): twice' })
  // Made to see whether it can be, before the rows; and for good, behind them.
  const all = (form: RegExp): number[] => of.statements.flatMap((sql, i) => (form.test(sql) ? [i] : []))
  const [dropped, made, copied] = [all(/^DROP INDEX/), all(/^CREATE UNIQUE/), all(/^COPY/)]
  expect([dropped.length, made.length, copied.length]).toEqual([1, 3, 2])
  const order = [dropped[0], made[0], copied[0], made[1], of.at(/; DROP TABLE IF EXISTS/), copied[1], made[2]]
  expect(order).toEqual([...order].sort((a, b) => a! - b!))
  expect(of.at(/RENAME/)).toBe(-1)
})

test('a file whose writer has said that it has no row of names is refused, and none of its rows is taken for one', async () => {
  const of = serverOf([[/relkind/, [['r']]]])
  const status = { path: '/grain.csv', id: 7, type: 'file', length: 4, mtimeMs: 1, header: false } as never
  await expect(exportFiles({
    cluster: 'c' as never, list: async function* () {},
    files: { locate: async () => ({ status }) as never, read: (() => text('1,2\n')) as never },
  }, {
    sink: new PostgresRows({ open: async () => of.connection, clock }, address, { mode: 'swap' }),
    from: status, overwrite: false, parallel: 1,
  })).rejects.toMatchObject({ code: 'EINVAL', message: expect.stringContaining('grain.csv: its writer has said') as string })
  expect(of.at(/\(LIKE|^COPY/)).toBe(-1)
})

/** A table with the columns id, a and b. */
const columns: readonly [RegExp, Rows] = [/SELECT attname FROM pg_attribute/, [['id'], ['a'], ['b']]]
const isNew: readonly [RegExp, Rows] = [/^INSERT INTO .*_gristmill_parts/, [['part']]]

const upsertOf = ({ connection }: ReturnType<typeof serverOf>): PostgresRows =>
  new PostgresRows({ open: async () => connection, clock }, address, { mode: 'upsert', key: ['id'] })

test('a row of an upsert says which columns its file has; a file without the key is refused before it is sent', async () => {
  const of = serverOf([columns, isNew])
  await upsertOf(of).stage('t', { name: 'a.csv', bytes: 9 }, text('b,id\n1,2\n'))
  expect(of.statements.find(sql => sql.startsWith('CREATE TABLE')))
    .toContain(`, "_gristmill_given" text NOT NULL DEFAULT current_setting('gristmill.given'))`)
  expect(of.at(/set_config\('gristmill.given', '101', true\)/)).toBeLessThan(of.at(/^COPY .* \("b", "id"\)/))
  expect(of.at(/set_config/)).toBeGreaterThan(0)
  const none = serverOf([columns, isNew])
  await expect(upsertOf(none).stage('t', { name: 'a.csv', bytes: 9 }, text('a,b\n1,2\n')))
    .rejects.toMatchObject({ code: 'EINVAL', message: 'a.csv has no column "id", which is part of the key' })
  expect(none.at(/^COPY/)).toBe(-1)
  const marked = serverOf([columns, isNew])
  await expect(upsertOf(marked).stage('t', { name: 'a.csv', bytes: 9 }, text('id,_gristmill_given\n1,2\n')))
    .rejects.toThrow('has no column')
  // A stage of an earlier version is made again.
  const old = serverOf([[/NOT EXISTS \(SELECT FROM pg_attribute/, [['1']]], columns, isNew])
  await upsertOf(old).stage('t', { name: 'a.csv', bytes: 9 }, text('id\n1\n'))
  expect(old.at(/^DROP TABLE .*DELETE FROM .*_gristmill_parts/)).toBeGreaterThan(0)
})

test('lines of JSON are staged by the columns that they have; one without the key is refused with its number', async () => {
  const of = serverOf([columns, isNew, [/SELECT columns, min\(n\)/, [['["a", "id"]', '1'], ['["b", "id"]', '3']]]])
  await upsertOf(of).stage('t', { name: 'a.jsonl', bytes: 9 }, text('{"id":1,"a":1}\n{"id":2,"a":2}\n{"id":3,"b":1}\n'))
  const inserts = of.statements.filter(sql => /^INSERT INTO "public"."_gristmill_stage/.test(sql))
  expect(inserts.map(sql => /\((".*")\) OVER/.exec(sql)![1])).toEqual(['"a", "id", "_gristmill_given"', '"b", "id", "_gristmill_given"'])
  expect(inserts.map(sql => /'([01]+)'/.exec(sql)![1])).toEqual(['110', '101'])
  const none = serverOf([columns, isNew, [/SELECT columns, min\(n\)/, [['["a", "id"]', '1'], ['["a"]', '2']]]])
  await expect(upsertOf(none).stage('t', { name: 'a.jsonl', bytes: 9 }, text('{"id":1,"a":1}\n{"a":2}\n')))
    .rejects.toThrow('a.jsonl, line 2 has no column "id", which is part of the key')
  expect(none.at(/^INSERT INTO "public"."_gristmill_stage/)).toBe(-1)
})

test('the commit of an upsert changes the columns that each set of rows has, and refuses a key of two sets', async () => {
  const sets: readonly [RegExp, Rows] = [/SELECT DISTINCT "_gristmill_given"/, [['110'], ['101'], ['100']]]
  const of = serverOf([columns, sets, [/count\(\*\) FROM .*_parts/, [['1']]], [/count\(\*\) FROM "public"."_gristmill_stage/, [['3']]]])
  await upsertOf(of).commit('t', [{ name: 'a.csv' }], undefined)
  const inserts = of.statements.filter(sql => /^INSERT INTO "public"."grain"/.test(sql))
  expect(inserts.map(sql => /= '(\d+)' ON CONFLICT \("id"\) (.*)$/.exec(sql)!.slice(1))).toEqual([
    ['110', 'DO UPDATE SET "a" = excluded."a"'], ['101', 'DO UPDATE SET "b" = excluded."b"'], ['100', 'DO NOTHING'],
  ])
  const twice = serverOf([columns, sets, [/HAVING count/, [['7']]], [/count\(\*\) FROM/, [['1']]]])
  await expect(upsertOf(twice).commit('t', [{ name: 'a.csv' }], undefined)).rejects.toThrow('the key (id) = (7) comes a second time')
  expect(twice.at(/^INSERT INTO "public"."grain"|^COMMIT/)).toBe(-1)
  expect(conflictClause(['id', 'a"b'], '11', ['id'])).toBe('ON CONFLICT ("id") DO UPDATE SET "a""b" = excluded."a""b"')
  expect(givenText(['a', 'b', 'c'], ['c', 'a'])).toBe('101')
  expect(() => checkSets('f.jsonl', 1_001)).toThrow('more than 1000 different sets of columns')
})
