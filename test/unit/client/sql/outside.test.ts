// Places outside of the cluster in the text of a query: which functions are tables, what is refused, and the end of each copy.
// Real servers: test/cluster/sql.test.ts, test/cluster/s3.test.ts, test/interop/postgressql.ts.

import { afterAll, beforeAll, expect, test } from 'vitest'
import type { OutsidePlaces } from '../../../../client/sql/cluster.ts'
import { readCommand } from '../../../../client/sql/command.ts'
import { runCommand } from '../../../../client/sql/commands.ts'
import { errorLineOf } from '../../../../client/cli/errors.ts'
import { shownText } from '../../../../client/sql/job.ts'
import { checkOutside, plainPlaces } from '../../../../client/sql/outside.ts'
import { SqlQuery, type SqlOptions } from '../../../../client/sql/query.ts'
import { newStage } from '../../../../client/transfer/stage.ts'
import { GristmillError } from '../../../../src/base/errors.ts'
import { list, mkdir, remove, stat } from '../../../../src/protocol/namespace.ts'
import { show } from '../../../../src/protocol/version.ts'
import { set } from '../../../../src/protocol/xattr.ts'
import { localDisk } from '../../../../src/world/disk.ts'
import { openDuckDB } from '../../../../src/world/duckdb.ts'
import { systemRandom } from '../../../../src/world/random.ts'
import { Local } from './kit.ts'

let on: Local
beforeAll(() => { on = new Local() })
afterAll(() => on[Symbol.dispose]())

test('an address behind FROM or JOIN takes the place of the function around it, and the rest keeps its line and column', () => {
  const text = `SELECT a FROM Postgres ( -- here\n 'postgres://h/d/t''x' ) p JOIN s3('s3://b/k.csv') USING (a) WHERE a = 's3(''s3://b/k'')'`
  const plain = plainPlaces(text)
  expect(plain).toBe(`SELECT a FROM                   \n 'postgres://h/d/t''x'   p JOIN    's3://b/k.csv'  USING (a) WHERE a = 's3(''s3://b/k'')'`)
  expect(plain.length).toBe(text.length)
  expect(plainPlaces(`SELECT postgres('postgres://h/d/t'), http FROM t`)).toBe(`SELECT postgres('postgres://h/d/t'), http FROM t`)
  expect(() => plainPlaces(`FROM s3('postgres://u:pw@h/d/t')`)).toThrow(expect.objectContaining({
    code: 'EINVAL', message: `s3('postgres://h/d/t'): the address begins with s3://`,
  }))
  // Options become part of the address.
  const topic = `FROM kafka('kafka://h/t', from => 17, value = 'avro', to := '2026-11-27 10:00+01') x`
  expect(plainPlaces(topic).replaceAll(/ +/g, ' ')).toBe(`FROM 'kafka://h/t?from=17&value=avro&to=2026-11-27%2010:00%2b01' x`)
  expect(plainPlaces(topic)).toHaveLength(topic.length)
  const lines = `FROM kafka('kafka://h/t',\n from => 17) x`
  expect(plainPlaces(lines)).toBe(`FROM       'kafka://h/t?from=17'\n             x`)
  for (const other of [`FROM kafka('kafka://h/t', 17)`, `FROM kafka('kafka://h/t', a => b)`]) expect(plainPlaces(other)).toBe(other)
  expect(() => plainPlaces(`FROM kafka('kafka://h/t', from => 1, from => 2)`)).toThrow('twice')
  expect(() => plainPlaces(`FROM s3('s3://b/k', from => 1)`)).toThrow('has no options')
  // It would be a text: FROM of a comparison, and of trim.
  expect(() => checkOutside(`SELECT 1 IS DISTINCT FROM s3('s3://b/k')`, [])).toThrow('is not read as a table')
})

const queryOf = (text: string, outside: OutsidePlaces | undefined, options: SqlOptions = {}): SqlQuery => new SqlQuery({
  disk: localDisk, random: systemRandom(), openDatabase: openDuckDB, scratchDir: on.scratchDir, cwd: on.dir, home: on.dir,
  cluster: async () => ({ cluster: { ask: () => Promise.reject(new Error('asked the cluster')) }, files: {}, outside }) as never,
}, text, undefined, options)

test('a query that is asked for others, and one of a gateway, opens no connection; a password is in no message', async () => {
  const asked: string[] = []
  const outside: OutsidePlaces = {
    read: async url => { asked.push(url); throw new Error('opened') },
    write: async url => { asked.push(url); throw new Error('opened') },
  }
  const secret = `postgres://ada:hunter2@h/d/t`
  const refused = { code: 'EACCES', message: expect.stringMatching(/^(?!.*hunter2)postgres:\/\/h\/d\/t is outside of the cluster/) as string }
  for (const from of [`FROM '${secret}'`, `FROM postgres('${secret}')`, `COPY (SELECT 1) TO '${secret}'`, `DESCRIBE FROM '${secret}'`]) {
    await expect(queryOf(from, outside, { localFiles: false }).collect(), from).rejects.toMatchObject(refused)
    await expect(queryOf(from, undefined).collect(), from).rejects.toMatchObject(refused)
  }
  await expect(queryOf(`SELECT 1`, outside, { localFiles: false }).export(secret)).rejects.toMatchObject(refused)
  const unsaved = { code: 'EINVAL', message: expect.not.stringContaining('hunter2') as string }
  await expect(queryOf(`SELECT 1`, outside).save(secret)).rejects.toMatchObject(unsaved)
  expect(asked).toEqual([])
  await expect(queryOf(`FROM '${secret}'`, outside).collect()).rejects.toThrow('opened')
  await expect(queryOf(`SELECT 1`, outside).export(secret, { format: 'csv' })).rejects.toMatchObject({ code: 'EINVAL' })
  expect(asked).toEqual([secret])
})

test('the copy of a place is removed when its query fails', async () => {
  let dropped = 0
  const outside = { read: async () => ({ path: '/x.csv', drop: async () => { dropped++ } }), write: () => Promise.reject(new Error()) }
  await expect(queryOf(`FROM 'http://h/x.csv'`, outside).collect()).rejects.toThrow('asked the cluster')
  await expect(queryOf(`FROM 'http://h/x.csv'`, outside).save('/y')).rejects.toThrow('asked the cluster')
  expect(dropped).toBe(2)
})

test('COPY names a place as text or function, with its options, which a path of the cluster has not', async () => {
  const copy = (rest: string) => readCommand(`COPY (SELECT 1) TO ${rest}`)
  expect(copy(`postgres('postgres://h/d/t') (mode upsert, key (a, "b c"));`))
    .toMatchObject({ kind: 'copy', path: 'postgres://h/d/t', mode: 'upsert', key: ['a', 'b c'] })
  expect(copy(`kafka('kafka://h/t', rate => 10, value => 'avro') (KEY (a))`))
    .toMatchObject({ path: 'kafka://h/t?rate=10&value=avro', key: ['a'] })
  expect(copy(`'s3://b/p/' (OVERWRITE, FORMAT csv)`)).toMatchObject({ path: 's3://b/p/', format: 'csv', overwrite: true })
  expect(() => copy(`s3('postgres://u:pw@h/d/t')`)).toThrow(`s3('postgres://h/d/t'): the address begins with s3://`)
  expect(copy(`'postgres://h/d/t' (RATE 1000)`)).toMatchObject({ rate: 1000 })
  for (const rate of ['0', '1.5', `'x'`, '-1'])
    expect(() => copy(`'postgres://h/d/t' (RATE ${rate})`), rate).toThrow('RATE is a whole number')
  expect(copy(`kafka('kafka://h/t') (KEY (a), VIA '/kept/1')`)).toMatchObject({ key: ['a'], via: '/kept/1' })
  expect(() => copy(`'/p' (MODE everything)`)).toThrow('needs SWAP or APPEND or UPSERT')
  const moved: unknown[] = []
  const tools = {
    cluster: { ask: () => Promise.reject(new Error()) }, signal: undefined,
    export: async (...given: unknown[]) => { moved.push(given) }, save: async (...given: unknown[]) => { moved.push(given) },
  } as unknown as Parameters<typeof runCommand>[1]
  expect(await runCommand(copy(`'postgres://h/d/t'`)!, tools)).toEqual({ names: ['result'], rows: [['wrote postgres://h/d/t']] })
  await runCommand(copy(`'/p'`)!, tools)
  const select = expect.stringMatching(/^\s+SELECT 1$/) as string
  expect(moved).toEqual([[select, 'postgres://h/d/t', {}], [select, '/p', {}]])
  await expect(runCommand(copy(`'/p' (OVERWRITE)`)!, tools)).rejects.toMatchObject({ code: 'EINVAL' })
  await expect(runCommand(copy(`'/p' (VIA '/kept')`)!, tools)).rejects.toMatchObject({ code: 'EINVAL' })
  // A topic gets the rows again, which is said, unless they are kept.
  const said = async (rest: string): Promise<unknown> => (await runCommand(copy(rest)!, tools)).rows[0]![0]
  expect(await said(`'kafka://h/t'`)).toMatch(/^wrote kafka:\/\/h\/t; the same statement would add its rows again/)
  expect(await said(`'kafka://h/t' (VIA '/kept')`)).toBe('wrote kafka://h/t')
})

test('rows that are kept at a path are moved from there, and computed once; anything else there is refused', async () => {
  const kept = new Map<string, { sql: string; rows?: string; functions?: string; intact?: boolean }>()
  const moved: string[] = []
  const outside: OutsidePlaces = {
    read: () => Promise.reject(new Error()),
    write: async (_, make, { via }) => {
      await make(via!)
      moved.push(via!)
      return { files: 1 }
    },
  }
  const ask = async (message: unknown, { path }: { path: string }) => {
    if (path === '/a') throw new Error('computed')
    const found = kept.get(path)
    if (message === stat && !found) throw new GristmillError('ENOENT', 'no')
    if (message === stat) return { path }
    if (message !== show) throw new Error('another call')
    if (!found || found.sql === '') throw new GristmillError('ENOENT', 'no output')
    const { intact, ...params } = { rows: 'document', ...found }
    return { version: {}, made: { params: { ...params, query: {} } }, ...intact !== undefined && { intact } }
  }
  const query = (text: string, params?: object): SqlQuery => new SqlQuery({
    disk: localDisk, random: systemRandom(), openDatabase: openDuckDB, scratchDir: on.scratchDir, cwd: on.dir, home: on.dir,
    cluster: async () => ({ cluster: { ask }, files: {}, outside }) as never,
  }, text, params as never, {})
  const long = `SELECT '${'x'.repeat(2000)}'`
  await expect(query('FROM \'/a\'').export('kafka://h/t', { via: '/kept/1' })).rejects.toThrow('computed')
  kept.set('/kept/1', { sql: 'FROM \'/a\'' })
  expect(await query('FROM \'/a\'').export('kafka://h/t', { via: '/kept//1' })).toEqual({ files: 1 })
  kept.set('/long', { sql: shownText(long) })
  await query(long).export('kafka://h/t', { via: '/long' })
  expect(moved).toEqual(['/kept/1', '/long'])
  const refused = { code: 'EEXIST', message: expect.stringContaining('name another path') as string }
  const error = await query(`${long} `).export('kafka://h/t', { via: '/long' }).catch((thrown: unknown) => thrown)
  expect(error).toMatchObject(refused)
  expect(errorLineOf(error)).toMatch(/^\/long is there, [^]* name another path, or remove it$/)
  await expect(query('FROM \'/b\'').export('kafka://h/t', { via: '/kept/1' })).rejects.toMatchObject(refused)
  kept.set('/kept/1', { sql: 'FROM \'/a\'', intact: false })
  kept.set('/plain', { sql: '' })
  for (const via of ['/kept/1', '/plain']) await expect(query('FROM \'/a\'').export('kafka://h/t', { via })).rejects.toMatchObject(refused)
  await expect(query('FROM \'/a\'', [1]).export('kafka://h/t', { via: '/kept/1' })).rejects.toMatchObject({ code: 'EINVAL' })
  // Rows for another kind of place, of other functions, and of a job that has not said what its rows are for.
  kept.set('/kept/1', { sql: 'FROM \'/a\'' })
  const places = ['postgres://h/d/t', 's3://b/p/', 'kafka://h/t'] as const
  for (const [i, rows] of ['document', 'text', 'parquet'].entries()) {
    kept.set('/kept/1', { sql: 'FROM \'/a\'', rows })
    await expect(query('FROM \'/a\'').export(places[i]!, { via: '/kept/1' })).rejects.toMatchObject(refused)
  }
  for (const other of [{ functions: 'f1' }, { rows: undefined as never }]) {
    kept.set('/kept/1', { sql: 'FROM \'/a\'', ...other })
    await expect(query('FROM \'/a\'').export('kafka://h/t', { via: '/kept/1' })).rejects.toMatchObject(refused)
  }
  expect(moved).toHaveLength(2)
})

test('a new stage is of its user alone, and removes those that the user has left, and no others', async () => {
  const week = 7 * 24 * 3_600_000
  const asked: unknown[] = []
  const entries = [['own-old', 'ada', 0], ['own-new', 'ada', week], ['other', 'eve', 0]]
    .map(([name, owner, mtimeMs]) => ({ path: `/.outside/${name}`, owner, mtimeMs }))
  const ask = async (message: unknown, request: { path: string; mode?: number; value?: string }) => {
    if (message === mkdir) asked.push([request.path, request.mode?.toString(8)])
    if (message === remove) asked.push(['removed', request.path])
    if (message === set) asked.push([request.path, Buffer.from(request.value!, 'base64').toString()])
    return message === list ? { entries } : request.path === '/.outside' ? above : { owner: 'ada' }
  }
  let above = { owner: 'system:gristmill', mode: 0o1777 }
  const deps = { ask: ask as never, clock: { now: () => week + 1, after: () => () => {} }, random: { id: () => 'x' } }
  const stage = await newStage(deps, 'postgres://ada@h:5433/d/t', undefined)
  expect(asked).toEqual([
    ['/.outside', '1777'], ['/.outside/x', '700'], ['/.outside/x', 'postgres://h:5433/d/public.t'], ['removed', '/.outside/own-old'],
  ])
  await stage.drop()
  expect(asked.at(-1)).toEqual(['removed', '/.outside/x'])

  // Where another user could replace the stage nothing is kept; in a directory of one's own it is.
  for (const place of [{ owner: 'eve', mode: 0o1777 }, { owner: 'system:gristmill', mode: 0o777 }, { owner: 'ada', mode: 0o777 }]) {
    above = place
    await expect(newStage(deps, 'postgres://ada@h:5433/d/t', undefined)).rejects.toMatchObject({
      code: 'EACCES',
      message: expect.stringContaining(`/.outside belongs to ${place.owner} and has mode ${place.mode.toString(8)}`) as string,
    })
    expect(asked.slice(-2)).toEqual([['/.outside/x', '700'], ['removed', '/.outside/x']])
  }
  above = { owner: 'ada', mode: 0o1777 }
  await newStage(deps, 'postgres://ada@h:5433/d/t', undefined)
})
