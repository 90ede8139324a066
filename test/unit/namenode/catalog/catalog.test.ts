// The catalogue of tables behind its routes and on a namenode's state in memory: names, owners, what others see, what the journal keeps.

import { expect, test } from 'vitest'
import { createTable } from '../../../../namenode/catalog/mutations.ts'
import { catalogRoutes } from '../../../../namenode/catalog/routes.ts'
import { actors } from '../../../../namenode/journal/actors.ts'
import { mkdir } from '../../../../namenode/namespace/names.ts'
import type { Message, ReplyOf, RequestOf } from '../../../../src/protocol/message.ts'
import * as protocol from '../../../../src/protocol/table.ts'
import type { NewTable } from '../../../../src/protocol/table.ts'
import { ask, openBench, replayed, root, type Bench } from '../kit.ts'

const callsOf = ({ journal, clock }: Bench) => {
  const routes = catalogRoutes({ journal, clock, actor: actors('grace') })
  return async <M extends Message>(message: M, request: Omit<RequestOf<M>, 'requestId'>, user = 'ada'): Promise<ReplyOf<M>> => {
    const { handler } = routes.find(each => each.message.name === message.name)!
    return await handler({ ...message.mutation && ask(), ...request } as never, { user } as never) as ReplyOf<M>
  }
}

const flights: NewTable = {
  name: 'Flights', kind: 'table', path: '/data/flights', columns: [{ name: 'day', type: 'DATE' }, { name: 'delay', type: 'BIGINT' }],
}
const late: NewTable = { name: 'late', kind: 'view', sql: 'FROM flights WHERE delay > 30', columns: flights.columns }

test('tables are found without regard to case; their owner changes, renames and drops them', async () => {
  const bench = await openBench()
  const call = callsOf(bench)
  const found = async (...names: string[]) => (await call(protocol.get, { names })).tables
  expect(await call(protocol.create, { table: flights })).toMatchObject({ ...flights, owner: 'ada' })
  await call(protocol.create, { table: late })
  await expect(call(protocol.create, { table: { ...late, name: 'FLIGHTS' } })).rejects.toMatchObject({ code: 'EEXIST' })
  await expect(call(protocol.create, { table: { ...late, name: 'flights' }, replace: true })).rejects.toMatchObject({ code: 'EEXIST' })
  expect((await found('FLIGHTS', 'none', 'late')).map(({ name }) => name)).toEqual(['Flights', 'late'])
  const statistics = { rows: 9, bytes: 100, atMs: 5, distinct: [3, 2] }
  await call(protocol.alter, { name: 'flights', comment: 'all of them', columnComment: { column: 'DAY', comment: 'local' }, statistics })
  expect(await found('flights')).toMatchObject([{
    comment: 'all of them', columns: [{ name: 'day', comment: 'local' }, { name: 'delay' }], statistics,
  }])
  await call(protocol.alter, { name: 'flights', comment: '', columnComment: { column: 'day', comment: '' }, rename: 'Trips' })
  expect(await found('flights', 'trips')).toMatchObject([{ name: 'Trips', path: '/data/flights', columns: flights.columns, statistics }])
  expect((await found('trips'))[0]).not.toHaveProperty('comment')
  await call(protocol.alter, { name: 'trips', rename: 'TRIPS' })
  await expect(call(protocol.alter, { name: 'trips', rename: 'late' })).rejects.toMatchObject({ code: 'EEXIST' })
  const unknown = { column: 'x', comment: 'y' }
  await expect(call(protocol.alter, { name: 'late', columnComment: unknown })).rejects.toMatchObject({ code: 'ENOENT' })
  await expect(call(protocol.drop, { name: 'trips', kind: 'view' })).rejects.toThrow('DROP TABLE TRIPS')
  expect(await call(protocol.drop, { name: 'trips', kind: 'table' })).toMatchObject({ name: 'TRIPS' })
  await expect(call(protocol.drop, { name: 'trips', kind: 'table' })).rejects.toMatchObject({ code: 'ENOENT' })
  await replayed(bench)
})

test('others change nothing, and see tables only if they may read the path', async () => {
  const bench = await openBench()
  const call = callsOf(bench)
  await bench.do(mkdir, { path: '/data', parents: false, mode: 0o700, ...root })
  await call(protocol.create, { table: flights }, 'grace')
  await call(protocol.create, { table: { ...flights, name: 'pattern', path: '/data/*/x.csv' } }, 'grace')
  await call(protocol.create, { table: { ...flights, name: 'nowhere', path: '/none' } }, 'grace')
  await call(protocol.create, { table: late }, 'grace')
  const denied = { code: 'EACCES' }
  await expect(call(protocol.create, { table: flights, replace: true })).rejects.toMatchObject(denied)
  await expect(call(protocol.drop, { name: 'flights', kind: 'table' })).rejects.toMatchObject(denied)
  await expect(call(protocol.alter, { name: 'flights', rename: 'x' })).rejects.toMatchObject(denied)
  expect((await call(protocol.list, {})).tables.map(({ name }) => name)).toEqual(['late', 'nowhere'])
  expect((await call(protocol.get, { names: ['flights', 'pattern', 'late'] })).tables.map(({ name }) => name)).toEqual(['late'])
  expect((await call(protocol.list, {}, 'grace')).tables).toHaveLength(4)
})

test('columns of another version take the places of the old ones, and keep the comments of their names', async () => {
  const bench = await openBench()
  const call = callsOf(bench)
  await call(protocol.create, { table: { ...flights, version: 1, partitions: ['day'] } })
  const statistics = { rows: 9, bytes: 100, atMs: 5, distinct: [3, 2] }
  await call(protocol.alter, { name: 'flights', columnComment: { column: 'delay', comment: 'in minutes' }, statistics })
  const described = { columns: [{ name: 'Delay', type: 'DOUBLE' }, { name: 'city', type: 'VARCHAR' }], version: 4 }
  const now = await call(protocol.alter, { name: 'flights', described, columnComment: { column: 'city', comment: 'of departure' } })
  expect(now).toMatchObject({
    version: 4, columns: [{ name: 'Delay', type: 'DOUBLE', comment: 'in minutes' }, { name: 'city', comment: 'of departure' }],
  })
  for (const field of ['statistics', 'partitions', 'stale']) expect(now).not.toHaveProperty(field)
  await expect(call(protocol.alter, { name: 'flights', described }, 'eve')).rejects.toMatchObject({ code: 'EACCES' })
  await replayed(bench)
})

test('names that SQL would have to quote, tables without a path and huge ones are refused', async () => {
  const bench = await openBench()
  const make = (table: Partial<NewTable>) => bench.do(createTable, { table: { ...flights, ...table }, replace: false })
  for (const name of ['', 'a b', '1a', 'a.b', 'a"', 'ä', 'x'.repeat(129)])
    await expect(make({ name })).rejects.toMatchObject({ code: 'EINVAL' })
  await expect(bench.do(createTable, { table: { name: 'x', kind: 'table', columns: flights.columns }, replace: false })).rejects
    .toThrow('needs a path')
  await expect(make({ kind: 'view' })).rejects.toThrow('needs a query')
  await expect(make({ columns: [] })).rejects.toThrow('no columns')
  const columns = Array.from({ length: 1000 }, (_, i) => ({ name: `c${i}`, type: 'x'.repeat(900) }))
  await expect(make({ columns })).rejects.toMatchObject({ code: 'TOO_LARGE' })
})

test('pages of the list together are all tables, in order of their names', async () => {
  const bench = await openBench()
  const call = callsOf(bench)
  const columns = Array.from({ length: 50 }, (_, i) => ({ name: `c${i}`, type: 'x'.repeat(900) }))
  const names = Array.from({ length: 60 }, (_, i) => `t${String(i).padStart(3, '0')}`)
  await Promise.all(names.map(name => call(protocol.create, { table: { ...flights, name, columns } })))
  const seen: string[] = []
  let pages = 0
  for (let after: string | undefined; ;) {
    const { tables, next } = await call(protocol.list, after === undefined ? {} : { after })
    seen.push(...tables.map(({ name }) => name))
    pages++
    if (next === undefined) break
    after = next
  }
  expect(seen).toEqual(names)
  expect(pages).toBeGreaterThan(1)
})
