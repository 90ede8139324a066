// Tables of PostgreSQL without a server: addresses, headers of CSV, the sessions of a source, and what an export asks for before it begins.
// The real server is tested by test/interop/postgres.ts.

import { expect, test } from 'vitest'
import { CopyText } from '../../../../src/connector/postgres/copytext.ts'
import { inFile } from '../../../../src/connector/postgres/documents.ts'
import { headed } from '../../../../src/connector/postgres/header.ts'
import { quoted, tableAddressOf } from '../../../../src/connector/postgres/names.ts'
import { PostgresRows } from '../../../../src/connector/postgres/sink.ts'
import { PostgresTable } from '../../../../src/connector/postgres/source.ts'
import { sqlType } from '../../../../src/connector/postgres/types.ts'
import { pull } from '../../../../src/connector/pull.ts'
import { GristmillError } from '../../../../src/base/errors.ts'
import type { OpenPostgres } from '../../../../src/ports/postgres.ts'
import { depsOf } from './outside.ts'

test('an address names a table, and is shown without user and password', () => {
  expect(tableAddressOf('postgres://ada:p%40ss@db:5433/shop/stock.Grain%20%22x')).toEqual({
    server: { host: 'db', port: 5433, user: 'ada', password: 'p@ss', database: 'shop' }, schema: 'stock', table: 'Grain "x',
    shown: 'postgres://db:5433/shop/stock.Grain "x',
  })
  expect(tableAddressOf('postgresql:///shop/grain')).toEqual({
    server: { database: 'shop' }, schema: 'public', table: 'grain', shown: 'postgres:///shop/public.grain',
  })
  expect(quoted('Grain "x')).toBe('"Grain ""x"')
  for (const bad of [
    'postgres://u:hunter2@h/shop', 'postgres://u:hunter2@h/', 'postgres://u:hunter2@h/a/b.c.d', 'postgres://u:hunter2@h/a/b/c',
    'postgres://u:hunter2@h/a/b?sslmode=disable', 'postgres://u:hunter2@h/a/%ff', `postgres://u:hunter2@h/a/${'x'.repeat(64)}`,
    'postgres://u:hunter2@h:x/a/b', 'postgres://u:1234/hunter2@h/b',
  ]) {
    const work = (): unknown => tableAddressOf(bad)
    expect(work, bad).toThrow(expect.objectContaining({ code: 'EINVAL', message: expect.not.stringContaining('hunter2') as string }))
  }
})

test('the header of a CSV file is taken off wherever its pieces end, and the rows stay as they are', async () => {
  const text = '\ufeff"a ""b"",\nc",plain,\r\n1,"x\ny",3\n'
  for (let size = 1; size < 12; size++) {
    const pieces = async function* () {
      const bytes = Buffer.from(text)
      for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
    }
    const { columns, rows } = await headed(pieces(), 'f.csv')
    expect([columns, Buffer.concat(await Array.fromAsync(rows)).toString()]).toEqual([['a "b",\nc', 'plain', ''], '1,"x\ny",3\n'])
  }
  const of = async (...pieces: string[]) => headed((async function* () { for (const piece of pieces) yield Buffer.from(piece) })(), 'f.csv')
  expect((await of()).columns).toBeUndefined()
  expect((await of('a,b')).columns).toEqual(['a', 'b'])
  await expect(of('a"b,c\n')).rejects.toMatchObject({ code: 'EINVAL' })
  await expect(of('x'.repeat(300_000))).rejects.toMatchObject({ code: 'EINVAL' })
})

async function* cut(text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

test.each([
  ['a\n\\.\nb\n', 'a\n"\\."\nb\n', 3], ['\\.', '"\\."', 1], ['\\.\r\n\\', '"\\."\r\n\\', 2], ['a\r\\.\rb', 'a\r"\\."\rb', 3],
  ['"a\n\\.\n"\n\\.x\nx\\.\n\\,\\.\n', '"a\n\\.\n"\n\\.x\nx\\.\n\\,\\.\n', 4], ['a""b\n\n\n', 'a""b\n\n\n', 3], ['', '', 0],
  ['\\\\.\n\\.\n\\.\n', '\\\\.\n"\\."\n"\\."\n', 3],
])('a record %j of CSV that older servers take for the end is sent in quotes, wherever its pieces end', async (text, sent, records) => {
  for (let size = 1; size <= text.length + 1; size++) {
    const copy = new CopyText()
    const pieces = await Array.fromAsync(copy.csv(cut(text, size)))
    expect([Buffer.concat(pieces).toString(), copy.records]).toEqual([sent, records])
    expect(() => copy.check(records - 1, 'f.csv')).toThrow(expect.objectContaining({ code: 'CORRUPT' }))
  }
})

test('records are counted in pieces with and without quotes, wherever a piece ends', async () => {
  // Long runs without a quote, and long runs with some.
  const records = Array.from({ length: 3000 }, (_, i) => (i % 1000 < 700 ? `${i},${'y'.repeat(i % 40)}` : `"${i}\n",\\.`))
  const text = `${'\n'.repeat(3000)}${records.join('\n')}\n\\.\n`
  for (const size of [1, 3, 7, 1000, 1015, 1016, 1017, 1020, 4096, 70_000]) {
    const copy = new CopyText()
    const pieces = await Array.fromAsync(copy.csv(cut(text, size)))
    expect(Buffer.concat(pieces).toString() === `${text.slice(0, -3)}"\\."\n`).toBe(true)
    expect(copy.records).toBe(6001)
  }
})

test('blank lines between lines of JSON are sent empty, and a line that would end the data is refused', async () => {
  const text = '{"a":" \\. "}\n \t\n\r\n  {"a":2} \r\n{"a":"\r\r\n \r{}'
  for (let size = 1; size <= text.length; size++) {
    const copy = new CopyText()
    const pieces = await Array.fromAsync(copy.jsonLines(cut(text, size), 'f.jsonl'))
    expect([Buffer.concat(pieces).toString(), copy.records]).toEqual(['{"a":" \\. "}\n\n\n{"a":2} \n{"a":"\r\n\r{}', 6])
  }
  await expect(Array.fromAsync(new CopyText().jsonLines(cut('{}\n\n\\.\n{}\n', 4), 'f.jsonl')))
    .rejects.toMatchObject({ code: 'EINVAL', message: expect.stringContaining('f.jsonl, line 3') })
})

test('an error of the server names the file, and its line with those of the header', () => {
  const of = (where: string | undefined, reason = 'invalid'): unknown =>
    inFile(new GristmillError('EINVAL', `PostgreSQL: ${reason}`, { details: { sqlstate: '22P02', reason, where } }), 'f.csv', 2)
  expect(of('COPY _gristmill_stage_b7, line 3, column points: "x"')).toMatchObject({ message: 'f.csv, line 5, column points: invalid: "x"' })
  expect(of('COPY s, line 3, column points: "x"', 'invalid: "x"')).toMatchObject({ message: 'f.csv, line 5, column points: invalid: "x"' })
  expect(of('JSON data, line 1: {x...\nCOPY s, line 3, column a: "{x:\nCOPY s, line 9}"', 'no JSON'))
    .toMatchObject({ message: 'f.csv, line 5, column a: no JSON: "{x:\\nCOPY s, line 9}"' })
  expect(of('COPY _gristmill_stage_b7, line 3: "x,1, line 9"')).toMatchObject({ message: 'f.csv, line 5: invalid' })
  expect(of(undefined)).toMatchObject({ message: 'f.csv: PostgreSQL: invalid' })
  expect(inFile('other', 'f.csv', 2)).toBe('other')
})

/** A server with one table of `pages` pages, each of which is one row; reads break off as the test says. */
function serverOf(pages: number, kind: string | undefined, breaks: (read: number) => boolean = () => false) {
  let open = 0
  let openMax = 0
  let reads = 0
  const statements: string[] = []
  const server: OpenPostgres = async () => {
    openMax = Math.max(openMax, ++open)
    return {
      async query(sql) {
        statements.push(sql)
        if (/relkind/.test(sql)) return kind === undefined ? [] : [[kind]]
        if (/export_snapshot/.test(sql)) return [['snap-1']]
        if (/relation_size/.test(sql)) return [[String(pages * 8192)]]
        return /pg_attribute/.test(sql) ? [['page', 'int4', 'integer']] : []
      },
      async copyIn() { return 0 },
      async * copyOut(sql, target) {
        statements.push(sql)
        const [, from = '0'] = /ctid >= '\((\d+),/.exec(sql) ?? []
        const [, to = String(pages || 3)] = /ctid < '\((\d+),/.exec(sql) ?? []
        const isBroken = breaks(reads++)
        for (let page = Number(from); page < Math.min(Number(to), pages || 3); page++) {
          if (isBroken && page > Number(from)) throw new GristmillError('UNAVAILABLE', 'the server restarts')
          const row = Buffer.from(`${page}\n`)
          target.put(row, 0, row.length)
          yield* target.take()
        }
      },
      async close() { open-- },
    }
  }
  return { server, statements, left: () => open, most: () => openMax }
}

const address = tableAddressOf('postgres://h/shop/grain')
const lines = (pages: number): string => Array.from({ length: pages }, (_, page) => `{"page":${page}}\n`).join('')

async function read({ server }: ReturnType<typeof serverOf>): Promise<string> {
  const source = new PostgresTable({ open: server }, address)
  try {
    const [pin] = await Array.fromAsync(source.pin())
    const deps = depsOf(() => Promise.reject(new Error()))
    const pieces = await Array.fromAsync(pull(deps, source, pin!, { rangeBytes: 3 * 8192, parallel: 2 }))
    return Buffer.concat(pieces).toString()
  } finally {
    await source.close()
  }
}

test('a table is read by ranges of pages under one snapshot, with a bounded number of sessions, and each row once', async () => {
  const of = serverOf(10, 'r', count => count % 2 === 0)
  expect(await read(of)).toBe(lines(10))
  const begun = of.statements.filter(sql => sql.includes('SET TRANSACTION SNAPSHOT'))
  expect(begun.every(sql => sql.endsWith(`'snap-1'`))).toBe(true)
  expect([of.most(), of.left()]).toEqual([3, 0])
  // Sessions that have read a range read the next one.
  const calm = serverOf(30, 'r')
  expect(await read(calm)).toBe(lines(30))
  expect(calm.statements.filter(sql => sql.includes('SET TRANSACTION SNAPSHOT'))).toHaveLength(2)
  expect([calm.most(), calm.left()]).toEqual([3, 0])
  const empty = serverOf(0, 'r')
  expect(await read({ ...empty })).toBe(lines(3))
  await expect(read(serverOf(0, undefined))).rejects.toMatchObject({ code: 'ENOENT', message: 'postgres://h/shop/public.grain does not exist' })
})

test('the lock is there before the snapshot; as texts each column is cast, and has the type that holds its values', async () => {
  const of = serverOf(2, 'r')
  await read(of)
  const at = (form: RegExp): number => of.statements.findIndex(sql => form.test(sql))
  expect(at(/^LOCK TABLE "public"\."grain" IN ACCESS SHARE MODE$/)).toBeGreaterThan(at(/^BEGIN/))
  expect(at(/export_snapshot/)).toBeGreaterThan(at(/^LOCK/))
  const columns = [['n', 'int8', 'bigint'], ['a "b', 'numeric', 'numeric(9,2)'], ['free', 'numeric', 'numeric'], ['t', '_text', 'text[]']]
  const server: OpenPostgres = async (...given) => {
    const real = await of.server(...given)
    return {
      ...real, query: async sql => (/pg_attribute/.test(sql) ? columns : real.query(sql)),
      async * copyOut(sql) {
        of.statements.push(sql)
        yield* []
      },
    }
  }
  const source = new PostgresTable({ open: server }, address, { isText: true })
  const [pin] = await Array.fromAsync(source.pin())
  expect(source.columns.map(({ type }) => type)).toEqual(['BIGINT', 'DECIMAL(9,2)', 'VARCHAR', 'VARCHAR'])
  await Array.fromAsync(source.read(source.split(pin!, 1e9)[0]!, 0))
  expect(of.statements.at(-1)).toContain('SELECT t."n", t."a ""b", t."free", t."t"::text FROM "public"."grain" AS t WHERE')
  await source.close()
  columns.length = 0
  const none = new PostgresTable({ open: server }, address, { isText: true })
  await expect(Array.fromAsync(none.pin())).rejects.toMatchObject({ code: 'EINVAL' })
})

test.each([
  ['numeric', 'numeric(38,38)', 'DECIMAL(38,38)'], ['numeric', 'numeric(39,2)', 'VARCHAR'], ['numeric', 'numeric(3,-2)', 'VARCHAR'],
  ['numeric', 'numeric(2,5)', 'VARCHAR'], ['bytea', 'bytea', 'VARCHAR'],
  ['timestamptz', 'timestamp with time zone', 'TIMESTAMP WITH TIME ZONE'],
])('values of %s %s are %s', (name, form, type) => expect(sqlType(name, form)).toBe(type))

test('a view has no order: a read that breaks off in the middle is refused, and not continued with other rows', async () => {
  expect(await read(serverOf(0, 'v'))).toBe(lines(3))
  await expect(read(serverOf(0, 'v', () => true))).rejects.toMatchObject({ code: 'ESTALE' })
})

test('an upsert needs a key and other modes none; a table that does not exist is refused before anything is staged', async () => {
  const { server, left } = serverOf(0, undefined)
  const { clock } = depsOf(() => Promise.reject(new Error()))
  for (const [mode, key] of [['upsert', undefined], ['upsert', []], ['swap', ['a']]] as const)
    expect(() => new PostgresRows({ open: server, clock }, address, { mode, key })).toThrow('an upsert needs')
  const sink = new PostgresRows({ open: server, clock }, address, { mode: 'swap' })
  await expect(sink.committed('t')).rejects.toMatchObject({ code: 'ENOENT' })
  await expect(sink.stage('t', { name: 'a.txt', bytes: 1 }, (async function* () {})())).rejects.toMatchObject({ code: 'EINVAL' })
  expect(left()).toBe(0)
})

test('rows that are staged by several sessions keep to one rate, and none is lost or sent before its time', async () => {
  const times: number[] = []
  const { clock } = depsOf(() => Promise.reject(new Error()))
  const taken: string[] = []
  const all: string[] = []
  const server: OpenPostgres = async () => ({
    query: async sql => (/relkind/.test(sql) ? [['r']] : /RETURNING part/.test(sql) ? [['p']] : []),
    async copyIn(_sql, items) {
      let own = ''
      for await (const piece of items) {
        const rows = Buffer.from(piece).toString()
        taken.push(rows)
        own += rows
        times.push(clock.mono())
      }
      all.push(own)
      return own.split('\n').length - 1
    },
    copyOut: () => { throw new Error() },
    close: async () => {},
  })
  const sink = new PostgresRows({ open: server, clock }, address, { mode: 'append', rate: 40 })
  const text = Array.from({ length: 100 }, (_, i) => `${i}\n`).join('')
  await Promise.all(['a.csv', 'b.csv'].map(name => sink.stage('t', { name, bytes: 1 }, cut(`n\n${text}`, 64))))
  expect(all).toEqual([text, text])
  // 200 rows, of which the first steps wait for nothing.
  expect(Math.max(...times)).toBeGreaterThan(4_000)
  expect(Math.max(...taken.map(rows => rows.split('\n').length - 1))).toBeLessThanOrEqual(10)
})
