// Pages of a query over HTTP on a real listener, over local files, in this process and without a cluster: all rows come once and in order,
// whatever is asked for twice, given up, or left.

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

interface Served { readonly served: SqlOverHttp; readonly url: string; readonly stop: () => Promise<void> }

let on: Local
let main: Served
beforeAll(async () => {
  on = new Local()
  main = await serve({ queriesMax: 4 })
})
afterAll(async () => {
  await main.stop()
  on[Symbol.dispose]()
})

async function serve(options: { readonly queriesMax: number; readonly pageKeepMs?: number }): Promise<Served> {
  const as = (_: string, work: (mill: never) => Promise<unknown>) =>
    work({ sql: (text: string, params: SqlParams, own: SqlOptions) => on.query(text, params, own) } as never)
  const other = { name: 'webhdfs', answer: (exchange: Exchange) => exchange.send(200, {}), refuse: async () => {} }
  const served = new SqlOverHttp({
    users: { as } as never, trust: new Trust({ host: '127.0.0.1', proxies: new Set() }), clock: systemClock, random: systemRandom(),
    passwords: new UserPasswords({ clock: systemClock, find: async () => undefined }), accessKey: async () => undefined,
  }, other, options)
  const deps = { clock: systemClock, log: silent, net: systemNet(silent), dialect: served }
  const listener = await Listener.start(deps, { host: '127.0.0.1', port: 0 })
  return {
    served, url: `http://${listener.address}/sql`,
    async stop() {
      await served.stop()
      await listener.stop()
    },
  }
}

interface Answer { readonly status: number; readonly text: string; readonly next: string | undefined }

async function answerOf(response: Response): Promise<Answer> {
  return { status: response.status, text: await response.text(), next: response.headers.get('x-gristmill-next-page') ?? undefined }
}
const begin = async (sql: string, query: string, { url } = main): Promise<Answer> =>
  answerOf(await fetch(`${url}?user.name=ada&${query}`, { method: 'POST', body: sql }))
const page = async (token: string, { url } = main, { method = 'GET', user = 'ada' } = {}): Promise<Answer> =>
  answerOf(await fetch(`${url}?user.name=${user}&page=${token}`, { method }))

const numbers = (from: number, to: number): string => Array.from({ length: to - from }, (_, i) => `{"i":${from + i}}\n`).join('')

test('the pages of a query have all of its rows, once and in order, and the last one names no other', async () => {
  const found: string[] = []
  let answer = await begin('SELECT i FROM range(5000) t(i)', 'rows=1500')
  for (; answer.next !== undefined; answer = await page(answer.next)) found.push(answer.text)
  found.push(answer.text)
  expect(found).toEqual([numbers(0, 1500), numbers(1500, 3000), numbers(3000, 4500), numbers(4500, 5000)])
  await until('its query has ended', async () => main.served.load === 0)
  // As many rows as two pages have, none, and a page of CSV.
  const two = await begin('SELECT i FROM range(4) t(i)', 'rows=2')
  expect(await page(two.next!)).toEqual({ status: 200, text: numbers(2, 4), next: undefined })
  expect(await begin('SELECT 1 AS i WHERE false', 'rows=2&format=csv')).toEqual({ status: 200, text: 'i\n', next: undefined })
  const csv = await begin('SELECT i FROM range(3) t(i)', 'rows=2&format=csv')
  expect([csv.text, (await page(csv.next!)).text]).toEqual(['i\n0\n1\n', 'i\n2\n'])
})

test('a page may be asked for once more, also the last one; one before it is gone', async () => {
  const first = await begin('SELECT i FROM range(6) t(i)', 'rows=2')
  const second = await page(first.next!)
  expect(await page(first.next!)).toEqual(second)
  const [one, other] = await Promise.all([page(second.next!), page(second.next!)])
  expect(one).toEqual({ status: 200, text: numbers(4, 6), next: undefined })
  expect(other).toEqual(one)
  expect(await page(second.next!)).toEqual(one)
  expect((await page(first.next!)).status).toBe(404)
  expect(main.served.load).toBe(0)
})

test('a page is one of its user, and ends with its query', async () => {
  const first = await begin('SELECT i FROM range(6) t(i)', 'rows=2')
  expect((await page(first.next!, main, { user: 'bob' })).status).toBe(404)
  expect((await page(first.next!, main, { user: 'bob', method: 'DELETE' })).status).toBe(404)
  expect((await page(first.next!, main, { method: 'POST' })).status).toBe(400)
  expect((await page(first.next!, main, { method: 'DELETE' })).status).toBe(204)
  expect((await page(first.next!)).status).toBe(404)
  expect(main.served.load).toBe(0)
  for (const token of ['x', `${first.next!}0`, '', '../x']) expect((await page(token)).status).toBe(404)
})

test.each(['0', '-1', '1.5', '100001', 'all', ''])('%j is no number of rows', async rows => {
  expect(await begin('SELECT 1', `rows=${rows}`)).toMatchObject({ status: 400, text: expect.stringContaining('from 1 to 100000') })
})

test('formats that are no lines have no pages', async () => {
  for (const format of ['arrow', 'parquet'])
    expect(await begin('SELECT 1', `rows=5&format=${format}`)).toMatchObject({ status: 400, text: expect.stringContaining('comes whole') })
})

test('a query that fails behind its first page says so, and has no further pages', async () => {
  let answer = await begin(`SELECT CASE WHEN i = 200000 THEN error('late') ELSE i END AS i FROM range(300000) t(i)`, 'rows=50000')
  expect(answer.text === numbers(0, 50_000)).toBe(true)
  while (answer.next !== undefined) answer = await page(answer.next)
  expect(answer).toMatchObject({ status: 400, text: expect.stringContaining('late') })
  expect(main.served.load).toBe(0)
})

test('a long row ends a page early, and no page is without rows', async () => {
  const found: number[] = []
  let answer = await begin(`SELECT repeat('x', 3000000) AS s FROM range(5)`, 'rows=100')
  for (;; answer = await page(answer.next)) {
    found.push(answer.text.split('\n').length - 1)
    if (answer.next === undefined) break
  }
  expect(found).toEqual([2, 2, 1])
})

test('queries that wait for their clients take at most half of the places, and end when they are left', async () => {
  const own = await serve({ queriesMax: 2, pageKeepMs: 50 })
  try {
    const first = await begin('SELECT i FROM range(6) t(i)', 'rows=2', own)
    await until('it was left too long', async () => own.served.load === 0)
    expect((await page(first.next!, own)).status).toBe(404)
  } finally {
    await own.stop()
  }
  const [one, two] = [await begin('SELECT i FROM range(6) t(i)', 'rows=2'), await begin('SELECT i FROM range(6) t(i)', 'rows=2')]
  expect(await begin('SELECT i FROM range(6) t(i)', 'rows=2')).toMatchObject({ status: 429 })
  expect((await begin('SELECT 1 AS i', 'format=csv')).text).toBe('i\n1\n')
  // A query that has ended makes room.
  const last = await page((await page(one.next!)).next!)
  expect(last.next).toBeUndefined()
  const three = await begin('SELECT i FROM range(6) t(i)', 'rows=2')
  expect(three.status).toBe(200)
  for (const { next } of [two, three]) await page(next!, main, { method: 'DELETE' })
  expect(main.served.load).toBe(0)
})

test('a client that goes before its first page ends its query', async () => {
  const going = new AbortController()
  const waiting = fetch(`${main.url}?user.name=ada&rows=5`, {
    method: 'POST', body: 'SELECT count(*) FROM range(1000000000) a, range(1000000000) b', signal: going.signal,
  }).catch((error: unknown) => error)
  await until('it runs', async () => main.served.load === 1)
  going.abort()
  await waiting
  await until('it has ended', async () => main.served.load === 0)
})
