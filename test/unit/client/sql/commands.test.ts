// Statements that write a table again: over the version that they have read, and anew if another statement has published meanwhile.

import { expect, test } from 'vitest'
import { readCommand } from '../../../../client/sql/command.ts'
import { runCommand } from '../../../../client/sql/commands.ts'
import { GristmillError } from '../../../../src/base/errors.ts'
import * as namespace from '../../../../src/protocol/namespace.ts'
import * as protocol from '../../../../src/protocol/table.ts'
import * as versions from '../../../../src/protocol/version.ts'

const table = { name: 'T', kind: 'table', managed: true, path: '/tables/t', owner: 'ada', createdMs: 1, changedMs: 1,
  columns: [{ name: 'a', type: 'BIGINT' }, { name: 'b', type: 'DATE' }] }

/** Runs the statement while another one publishes a version before each of the first `others` tries. */
async function run(text: string, others: number): Promise<{ saved: Array<readonly [sql: string, options: unknown]>; error?: unknown }> {
  let head = 3
  let left = others
  const saved: Array<readonly [string, unknown]> = []
  const ask = async (message: unknown) =>
    (message === versions.list ? { path: '/tables/t', versions: [{ number: head, head: true }] } : { tables: [table] })
  const save = async (sql: string, path: string, options: { ifVersion?: number }): Promise<void> => {
    saved.push([sql, options])
    if (left-- > 0) head++
    if (options.ifVersion === head) return
    throw new GristmillError('ESTALE', 'changed', { details: { path, version: head } })
  }
  const shape = async () => ({ shape: { format: { kind: 'parquet' }, columns: table.columns, partitions: [] } })
  const tools = { cluster: { ask }, signal: undefined, save, shape } as unknown as Parameters<typeof runCommand>[1]
  return runCommand(readCommand(text)!, tools).then(() => ({ saved }), (error: unknown) => ({ saved, error }))
}

test('INSERT INTO and OPTIMIZE read the newest version and publish only over it', async () => {
  const { saved } = await run('INSERT INTO t (B) SELECT 1', 0)
  expect(saved).toEqual([[expect.stringMatching(/^SELECT "a", "b" FROM "T@3" UNION ALL \(SELECT CAST\(NULL AS BIGINT\) AS "a", CAST\(c0 AS DATE\)/),
    { overwrite: true, ifVersion: 3 }]])
  expect((await run('optimize table t;', 2)).saved.map(([sql]) => sql)).toEqual([
    'SELECT "a", "b" FROM "T@3"', 'SELECT "a", "b" FROM "T@4"', 'SELECT "a", "b" FROM "T@5"',
  ])
  expect((await run('OPTIMIZE t', 100)).error).toMatchObject({ code: 'ESTALE' })
})

test('the columns of INSERT INTO are told apart from a query in parentheses', () => {
  expect(readCommand('insert into t (a, "b c") values (1, 2); -- end'))
    .toMatchObject({ kind: 'insert into', name: 't', columns: ['a', 'b c'], query: expect.stringMatching(/^\s+values \(1, 2\)$/) })
  for (const query of ['(select 1)', '((select 1))', '(from x)', 'values (1)'])
    expect(readCommand(`insert into t ${query}`)).toEqual({ kind: 'insert into', name: 't', query: expect.stringMatching(/^\s+[(v]/) })
})

test('a query of INSERT that leaves the parentheses around it is refused', () => {
  for (const query of [`select 3, 'p') union all (select 4, 'p'`, 'select 1)', '(select 1', 'values (1'])
    for (const verb of ['into', 'overwrite'])
      expect(() => readCommand(`insert ${verb} t ${query}`), query).toThrow('the SQL cannot be read')
  expect(readCommand(`insert into t select ')', (1) -- (`)).toMatchObject({ kind: 'insert into' })
})

test('an external table may declare types of its columns', () => {
  expect(readCommand(`create external table t (Zip varchar, "a b" timestamp) location '/x'`)).toEqual({
    kind: 'create external table', name: 't', replace: false, ifNotExists: false, path: '/x',
    columns: [{ name: 'Zip', type: 'varchar' }, { name: 'a b', type: 'timestamp' }],
  })
  expect(readCommand(`create external table t location '/x' (dateformat = '%d/%m/%Y', TimestampFormat '%d/%m/%Y %H:%M')`)).toMatchObject({
    kind: 'create external table', path: '/x', csv: { dateFormat: '%d/%m/%Y', timestampFormat: '%d/%m/%Y %H:%M' },
  })
  for (const [options, message] of [
    [`dateformat = '%d/%m'`, 'the option dateformat of CREATE EXTERNAL TABLE is a form with day, month and year'],
    [`dateformat = '%d/%m/%Y', dateformat = '%Y-%m-%d'`, 'twice'], ['', 'cannot be read'], [`delim = ';'`, 'DATEFORMAT or TIMESTAMPFORMAT'],
  ] as const) expect(() => readCommand(`create external table t location '/x' (${options})`), options).toThrow(message)
  for (const text of ['()', '(a)', '(a VARCHAR', '(a VARCHAR,)', '(a 7)'])
    expect(() => readCommand(`create external table t ${text} location '/x'`), text).toThrow('cannot be read')
})

test('PARTITION has columns with constants, and without', () => {
  expect(readCommand(`insert overwrite table t partition (Day = '2024-01-01', n = -1.5, "x y") select 1`)).toEqual({
    kind: 'insert overwrite', name: 't', query: expect.stringMatching(/^\s+select 1$/),
    partition: [{ column: 'Day', value: `'2024-01-01'` }, { column: 'n', value: '-1.5' }, { column: 'x y' }],
  })
  for (const text of ['', '()', '(a = )', '(a = b)', `(a = -'x')`, '(a = b) select \'c\' union'])
    expect(() => readCommand(`insert overwrite t partition ${text} select 1`), text).toThrow('cannot be read')
})

test('a constant of PARTITION may have its type, or a cast, and calls and computes nothing', () => {
  const constants = [
    `DATE '2026-01-01'`, `timestamp '2026-01-01 10:00:00'`, `TIMESTAMP WITH TIME ZONE '2026-01-01 10:00:00+02'`, `DECIMAL(4, 1) '1.5'`,
    `'2026-01-01'::DATE`, `('7'::VARCHAR(3))::INTEGER`, '-7::BIGINT', '-128', '+7', '1e-5', '.5', '-1.5e+3', 'NULL', 'NULL::DATE',
    'true', `DATE 'it''s, (x)'`, `DOUBLE PRECISION '1.5'`, `'[1]'::INTEGER[]`,
  ]
  for (const value of constants)
    expect(readCommand(`insert overwrite t partition (a = ${value}, b) select 'x'`), value)
      .toMatchObject({ partition: [{ column: 'a', value }, { column: 'b' }], query: expect.stringMatching(/^\s+select 'x'$/) })
  expect(readCommand(`insert overwrite t partition (a = CAST ( '7' AS integer )) select 1`))
    .toMatchObject({ partition: [{ column: 'a', value: `cast('7' AS integer)` }] })
  for (const value of [
    'current_date', 'now()', '1 + 1', '(SELECT 1)', `DATE '2026-01-01' + 1`, '1e -5', '1e', '- -1', `DATE 'x' 'y'`, `cast('1')`,
    '1::', '1: :DATE',
    `'a' || 'b'`, `E'x'`, `DATE $$x$$`, `${'('.repeat(100)}1${')'.repeat(100)}`,
    `1${'::BIGINT'.repeat(100)}`, `DATE 'x') SELECT 1; ('`, 'null \'x\'',
    `(SELECT 'zz')`, `(FROM '/x.csv')`, `(TABLE '/x.csv')`, `NOT 'true'`, `FROM '/x'`, `VALUES ('x')`, `notype 'x'`,
  ]) expect(() => readCommand(`insert overwrite t partition (a = ${value}) select 1`), value).toThrow('cannot be read')
  expect(() => readCommand('insert overwrite t partition (a = now()) select 1'))
    .toThrow(`name the column alone, PARTITION (day), and give the value as a column of the query`)
})

/** Runs a statement over a catalogue with these tables and outputs; `done`: what it has asked for that changes something. */
async function changed(
  text: string, tables: readonly object[], outputs: Readonly<Record<string, ReadonlyArray<{ number: number; madeMs: number }>>> = {},
  { intact = true, files = [] }: { intact?: boolean | 'unknown'; files?: readonly object[] } = {},
): Promise<{ done: unknown[]; said?: unknown; error?: unknown }> {
  const done: unknown[] = []
  const isNamed = ({ name }: { name?: string }, wanted: string): boolean => name!.toLowerCase() === wanted.toLowerCase()
  interface Given { names?: string[]; name?: string; path?: string; table?: { path?: string; managed?: boolean } }
  const ask = async (message: unknown, given: Given) => {
    switch (message) {
      case protocol.get: return { tables: tables.filter(each => isNamed(each, given.names![0]!)) }
      case protocol.list: return { tables }
      case versions.list: {
        const own = outputs[given.path!]
        if (!own) throw new GristmillError('ENOENT', 'no output')
        return { path: given.path, versions: own.toReversed().map((each, i) => ({ ...each, head: i === 0 })) }
      }
      case versions.show: return { version: outputs[given.path!]!.at(-1), made: {}, ...intact !== 'unknown' && { intact } }
      case namespace.list: return { entries: files }
      case protocol.drop:
        done.push(['drop', given.name])
        return tables.find(each => isNamed(each, given.name!))
      case protocol.create:
        done.push(['create', given.table!.path, given.table!.managed])
        return {}
      default: done.push(['remove', given.path])
    }
    return {}
  }
  const save = async (_: string, path: string, { overwrite }: { overwrite?: boolean }): Promise<void> => {
    if (outputs[path] && !overwrite) throw new GristmillError('EEXIST', 'is there')
    done.push(['save', path])
  }
  const shape = async () => ({ shape: { format: { kind: 'parquet' }, columns: [{ name: 'a', type: 'BIGINT' }], partitions: [] } })
  const tools = { cluster: { ask }, signal: undefined, save, shape } as unknown as Parameters<typeof runCommand>[1]
  return runCommand(readCommand(text)!, tools).then(({ rows }) => ({ done, said: rows[0]![0] }), (error: unknown) => ({ done, error }))
}

const made = { name: 't', kind: 'table', managed: true, path: '/tables/t', changedMs: 100, columns: [] }

test('DROP TABLE moves only the directory that the statements of the table have made to the trash', async () => {
  const own = { '/tables/t': [{ number: 1, madeMs: 90.5 }, { number: 2, madeMs: 500 }] }
  expect(await changed('DROP TABLE T', [made], own))
    .toEqual({ done: [['drop', 'T'], ['remove', '/tables/t']], said: 'dropped table T; its files are in the trash' })
  // The first versions are no longer kept.
  expect((await changed('DROP TABLE t', [made], { '/tables/t': [{ number: 7, madeMs: 500 }] })).done)
    .toContainEqual(['remove', '/tables/t'])
  // Files of the user under a name, and what a user has put in the place of the rows: files, nothing, and the output of a job.
  const { managed: _, ...external } = made
  for (const [table, outputs] of [
    [external, own], [made, {}], [made, { '/tables/t': [{ number: 1, madeMs: 101 }, { number: 2, madeMs: 102 }] }],
  ] as const) {
    const { done, said } = await changed('DROP TABLE t', [table], outputs)
    expect(done).toEqual([['drop', 't']])
    const why = '; the rows that it has made are no longer at /tables/t, where nothing is removed'
    expect(said).toBe(`dropped table t${table === external ? '' : why}`)
  }
  for (const path of ['/tables/t', '/tables/t/*.parquet', '/tables/t@1']) {
    const { done, said } = await changed('DROP TABLE t', [made, { ...external, name: 'u', path }], own)
    expect([done, said]).toEqual([[['drop', 't']], 'dropped table t; its files stay in /tables/t, because the table u reads them'])
  }
  expect((await changed('DROP TABLE t', [made, { ...external, name: 'u', path: '/tables/t2' }], own)).done).toHaveLength(2)
})

test('DROP TABLE is refused, before anything is dropped, where a file in the directory is not one of the table', async () => {
  const own = { '/tables/t': [{ number: 1, madeMs: 90 }] }
  const file = (name: string, more: object = {}) => ({ path: `/tables/t/${name}`, type: 'file', mtimeMs: 80, ...more })
  const rows = [file('_SUCCESS', { mtimeMs: 91 }), file('part-00000.parquet')]
  for (const intact of [false, 'unknown'] as const)
    for (const other of [
      file('notes.txt'), file('part-1.parquet'), file('part-00001.parquet', { mtimeMs: 95 }), file('part-00002', { type: 'directory' }),
    ]) {
      const { done, error } = await changed('DROP TABLE t', [made], own, { intact, files: [...rows, other] })
      const message = expect.stringMatching(`^${other.path} is in the directory of the table t`)
      expect([done, error]).toMatchObject([[], { code: 'EINVAL', message }])
    }
  // One that is moved there keeps its time.
  const moved = await changed('DROP TABLE t', [made], own, { intact: false, files: [...rows, file('part-00007.parquet')] })
  const message = expect.stringMatching('^the files in /tables/t are not those')
  expect([moved.done, moved.error]).toMatchObject([[], { code: 'EINVAL', message }])
  for (const intact of [true, 'unknown'] as const)
    expect((await changed('DROP TABLE t', [made], own, { intact, files: rows })).done).toEqual([['drop', 't'], ['remove', '/tables/t']])
})

test('CREATE OR REPLACE TABLE replaces what a table has made, and no other output that is at its path', async () => {
  const outputs = { '/tables/t': [{ number: 1, madeMs: 90 }] }
  expect((await changed('CREATE OR REPLACE TABLE t AS SELECT 1', [made], outputs)).done)
    .toEqual([['save', '/tables/t'], ['create', '/tables/t', true]])
  for (const replace of ['', 'OR REPLACE ']) {
    const { done, error } = await changed(`CREATE ${replace}TABLE t AS SELECT 1`, [], outputs)
    expect(done).toEqual([])
    expect(error).toMatchObject({ code: 'EEXIST', message: expect.stringContaining('no table has made it; CREATE EXTERNAL TABLE t') })
  }
  const { managed: _, ...external } = made
  expect((await changed('CREATE OR REPLACE TABLE t AS SELECT 1', [external], outputs)).done)
    .toEqual([['save', '/tables/t_2'], ['create', '/tables/t_2', true]])
})
