// SQL over HTTP on a real listener, over local files, in this process and without a cluster: answers and their formats, users, bounds,
// errors, and the end of a query whose client has gone.

import { tableFromIPC } from 'apache-arrow'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Exchange } from '../../../../../client/gateway/exchange.ts'
import { Trust } from '../../../../../client/gateway/identity.ts'
import { Listener } from '../../../../../client/gateway/listener.ts'
import { SqlOverHttp } from '../../../../../client/gateway/sql/sql.ts'
import { UserPasswords } from '../../../../../client/gateway/userpasswords.ts'
import type { SqlOptions } from '../../../../../client/sql/query.ts'
import type { SqlParams } from '../../../../../client/sql/statement.ts'
import { silent } from '../../../../../src/ports/log.ts'
import { systemClock } from '../../../../../src/world/clock.ts'
import { systemNet } from '../../../../../src/world/net.ts'
import { systemRandom } from '../../../../../src/world/random.ts'
import { until } from '../../../../kit/cluster.ts'
import { Local } from '../../sql/kit.ts'

let on: Local
let listener: Listener
let served: SqlOverHttp
let url: string
const users: string[] = []
const log: unknown[] = []

beforeAll(async () => {
  on = new Local()
  on.write('a.csv', 'n,s\n1,x\n2,"a ""b"""\n')
  const as = async (user: string, work: (mill: never) => Promise<unknown>) => {
    users.push(user)
    return work({ sql: (text: string, params: SqlParams, options: SqlOptions) => on.query(text, params, options) } as never)
  }
  const other = {
    name: 'webhdfs', answer: (exchange: Exchange) => exchange.send(200, {}, `other ${exchange.target}`),
    refuse: (exchange: Exchange) => exchange.send(500, {}, 'other'),
  }
  served = new SqlOverHttp({
    users: { as } as never, trust: new Trust({ host: '127.0.0.1', proxies: new Set() }), clock: systemClock,
    passwords: new UserPasswords({ clock: systemClock, find: async () => undefined }),
    random: systemRandom(),
    accessKey: async id => (id === 'key' ? { user: 'grace', secret: 'secret' } : undefined),
  }, other, { queriesMax: 2 })
  const deps = { clock: systemClock, log: silent, net: systemNet(silent), dialect: served, access: (entry: unknown) => { log.push(entry) } }
  listener = await Listener.start(deps, { host: '127.0.0.1', port: 0 })
  url = `http://${listener.address}/sql`
})
afterAll(async () => {
  await listener.stop()
  on[Symbol.dispose]()
})

async function post(body: string | object, query = '?user.name=ada', headers: Record<string, string> = {}): Promise<Response> {
  // The place of a query is free a moment after its answer has ended.
  await until('no query runs', async () => served.load === 0)
  return fetch(url + query, {
    method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body),
    headers: { 'content-type': typeof body === 'string' ? 'application/sql' : 'application/json', ...headers },
  })
}
const failed = async (answer: Promise<Response>): Promise<unknown[]> => {
  const response = await answer
  const { error: { code, message } } = await response.json() as { error: { code: string; message: string } }
  return [response.status, code, message]
}

test('rows come as lines of JSON, CSV, Parquet or Arrow, by the parameter or the header', async () => {
  const lines = await post(`FROM './a.csv' ORDER BY n`)
  expect([lines.status, lines.headers.get('content-type'), await lines.text()])
    .toEqual([200, 'application/x-ndjson', '{"n":1,"s":"x"}\n{"n":2,"s":"a \\"b\\""}\n'])
  expect(await (await post(`FROM './a.csv' ORDER BY n`, '?user.name=ada&format=csv')).text()).toBe('n,s\n1,x\n2,"a ""b"""\n')
  expect(await (await post('SELECT 1 AS a WHERE false', '?user.name=ada', { accept: 'text/csv' })).text()).toBe('a\n')
  expect(await (await post('SELECT 1 AS a WHERE false')).text()).toBe('')
  const parquet = await post('SELECT 2::HUGEINT AS h', '?user.name=ada&format=parquet')
  on.write('back.parquet', new Uint8Array(await parquet.arrayBuffer()))
  expect(await on.rows(`FROM './back.parquet'`)).toEqual([{ h: '2' }])
  for (const arrow of [
    await post('SELECT 2::HUGEINT AS h', '?user.name=ada&format=arrow'),
    await post('SELECT 2 AS h', '?user.name=ada', { accept: 'application/vnd.apache.arrow.stream' }),
  ]) {
    expect(arrow.headers.get('content-type')).toBe('application/vnd.apache.arrow.stream')
    expect((await tableFromIPC(arrow)).toString()).toBe('[\n  {"h": 2}\n]')
  }
  expect(await failed(post("SELECT 'infinity'::DATE AS d", '?user.name=ada&format=arrow')))
    .toEqual([400, 'EINVAL', expect.stringContaining('the column d has an infinite date')])
  const many = await (await post('SELECT i FROM range(5000) t(i)')).text()
  expect(many.split('\n')).toHaveLength(5001)
})

test('parameters keep all digits of their integers', async () => {
  const text = '{"sql": "SELECT $1 AS a, $2 AS b, $3 AS c", "params": [9007199254740993, 1.5, ["x", null]]}'
  expect(await (await post(text, '?user.name=ada', { 'content-type': 'application/json' })).text())
    .toBe('{"a":9007199254740993,"b":1.5,"c":["x",null]}\n')
  expect(await (await post({ sql: 'SELECT $who AS w', params: { who: `o'x` } })).text()).toBe(`{"w":"o'x"}\n`)
})

test('the user is named on a connection that is believed, or proved by an access key', async () => {
  users.length = 0
  const basic = (secret: string) => ({ authorization: `Basic ${Buffer.from(`key:${secret}`).toString('base64')}` })
  await post('SELECT 1')
  await post('SELECT 1', '', basic('secret'))
  await post('SELECT 1', '?user.name=key', basic('secret'))
  expect(users).toEqual(['ada', 'grace', 'grace'])
  expect(await failed(post('SELECT 1', '', basic('wrong')))).toEqual([401, 'UNAUTHENTICATED', expect.any(String)])
  expect(await failed(post('SELECT 1', ''))).toEqual([401, 'UNAUTHENTICATED', expect.stringContaining('user.name')])
  expect(await failed(post('SELECT 1', '?user.name=ada', basic('secret')))).toEqual([403, 'EACCES', expect.any(String)])
  expect(await failed(post('SELECT 1', '?user.name=ada', { origin: 'http://page' }))).toEqual([403, 'EACCES', expect.any(String)])
  expect(users).toHaveLength(3)
  await until('the log has them', async () => log.some(entry => (entry as { user?: string }).user === 'grace'))
})

const deep: unknown = JSON.parse(`${'['.repeat(80)}${']'.repeat(80)}`)

test.each<[what: string, body: string | object, query: string, found: unknown[]]>([
  ['a column that is not there', `SELECT nope FROM './a.csv'`, '', [400, 'EINVAL', expect.stringMatching(/nope[^]*LINE 1/)]],
  ['an error in the first rows', `SELECT error('bad') FROM './a.csv'`, '&format=csv', [400, 'EINVAL', expect.stringContaining('bad')]],
  ['a file that is not there', `FROM './none.csv'`, '', [404, 'ENOENT', expect.any(String)]],
  ['two statements', 'SELECT 1; SELECT 2', '', [400, 'EINVAL', expect.stringContaining('2 statements')]],
  ['no query', {}, '', [400, 'EINVAL', expect.stringContaining('no query')]],
  ['another field', { sql: 'SELECT 1', parms: [] }, '', [400, 'EINVAL', expect.stringContaining('"parms"')]],
  ['params of another type', { sql: 'SELECT 1', params: 7 }, '', [400, 'EINVAL', expect.stringContaining('params is')]],
  ['a list', [1], '', [400, 'EINVAL', expect.stringContaining('no object')]],
  ['deep lists', { sql: 'x', params: deep }, '', [400, 'EINVAL', expect.stringContaining('64')]],
  ['another format', 'SELECT 1', '&format=xml', [400, 'EINVAL', expect.stringContaining('jsonl, csv, parquet, arrow')]],
  ['a long body', 'x'.repeat(5_000_000), '', [413, 'TOO_LARGE', expect.any(String)]],
])('%s is an error with a status', async (_, body, query, found) => {
  expect(await failed(post(body, `?user.name=ada${query}`))).toEqual(found)
})

test('other methods are refused, and other paths are those of the other dialect', async () => {
  expect(await failed(fetch(`${url}?user.name=ada`))).toEqual([400, 'EINVAL', expect.stringContaining('POST')])
  for (const path of ['/webhdfs/v1/sql', '/sqlx', '/sql/'])
    expect(await (await fetch(new URL(path, url))).text()).toBe(`other ${path}`)
})

test('a client that goes ends its query, and too many at a time are refused', async () => {
  const going = new AbortController()
  const long = 'SELECT count(*) FROM range(1000000000) a, range(1000000000) b'
  const waiting = Array.from({ length: 2 }, () =>
    fetch(`${url}?user.name=ada`, { method: 'POST', body: long, signal: going.signal }).catch((error: unknown) => error))
  await until('all of them run', async () => served.load === 2)
  const refused = await fetch(`${url}?user.name=ada`, { method: 'POST', body: 'SELECT 1' })
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1'])
  await refused.text()
  going.abort()
  await Promise.all(waiting)
  await until('all of them have ended', async () => served.load === 0)
  expect(await (await post('SELECT 1 AS a')).text()).toBe('{"a":1}\n')
})

test('an error behind the first rows breaks the connection: no answer looks whole', async () => {
  const query = `SELECT CASE WHEN i = 200000 THEN error('late') ELSE i END AS i FROM range(300000) t(i)`
  await expect(post(query).then(async answer => answer.text())).rejects.toThrow()
})
