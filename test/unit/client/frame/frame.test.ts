// DataFrames over local files, in this process with the real engine: what each step gives, what is refused, and that no value, name or type
// becomes SQL.

import { tableFromIPC } from 'apache-arrow'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { frameOver, type DataFrame } from '../../../../client/frame/dataframe.ts'
import * as f from '../../../../client/frame/index.ts'
import { Local } from '../sql/kit.ts'

const { asc, col, count, desc, lit, mean, sql, sum, when } = f

let on: Local
let printed = ''
let sales: DataFrame<{ id: bigint; city: string; tonnes: number; day: string }>
const frame = (source: Parameters<typeof frameOver>[1]): DataFrame<Record<string, unknown>> =>
  frameOver({ query: text => on.query(text), print: text => { printed += text } }, source) as unknown as DataFrame<Record<string, unknown>>
const rows = (source: { collect(): Promise<unknown[]> }): Promise<unknown[]> => source.collect()

beforeAll(() => {
  on = new Local()
  on.write('sales.csv', 'id,city,tonnes,day\n1,ulm,12.5,2024-05-01\n2,ulm,,2024-05-02\n3,bern,7.25,2024-05-01\n4,bern,9,2024-06-02\n')
  on.write('cities.jsonl',
    '{"city": "ulm", "country": "de", "tags": ["a", "b"], "at": {"x": 1}}\n{"city": "rome", "country": "it", "tags": []}\n')
  sales = frame('./sales.csv') as unknown as typeof sales
})
afterAll(() => on[Symbol.dispose]())

test('filter, groups, aggregates, order and limit', async () => {
  expect(await rows(sales.filter(col('tonnes').gt(1)).groupBy('city').agg(mean('tonnes'), count(),
    sum('tonnes')).sort(desc('count')).limit(10))).toEqual([
    { city: 'bern', mean_tonnes: 8.125, count: 2n, sum_tonnes: 16.25 }, { city: 'ulm', mean_tonnes: 12.5, count: 1n, sum_tonnes: 12.5 },
  ])
  expect(await rows(sales.agg(
    f.median('tonnes'), f.quantile('tonnes', 0).as('q'), f.countDistinct('city'), f.collectList('id', { orderBy: [desc('id')] }),
    f.joinText('city', '+', { orderBy: ['id'] }), f.argMax('day', 'tonnes'), f.first('id', { orderBy: [desc('day'), 'id'] }),
    count('tonnes'), sum('id').where(col('city').eq('ulm')).as('ulm'), f.anyTrue(col('id').gt(3)).as('any'),
  ))).toEqual([{
    median_tonnes: 9, q: 7.25, count_distinct_city: 2n, list_id: [4n, 3n, 2n, 1n], text_city: 'ulm+ulm+bern+bern',
      arg_max_day: '2024-05-01',
    first_id: 4n, count_tonnes: 3n, ulm: 3n, any: true,
  }])
})

test('columns are added, replaced, dropped and renamed; a text is a value, and the name of a column is col', async () => {
  const made = sales.withColumns(col('tonnes').mul(1000).as('kg'), f.upper('city'),
    when(col('tonnes').isNull(), 'none').when(col('tonnes').ge(10), 'much').otherwise(col('city')).as('size')).drop('day',
    'tonnes').rename({ id: 'Number' }).sort('Number').limit(2)
  expect(await rows(made)).toEqual([{ Number: 1n, kg: 12500, city: 'ULM', size: 'much' },
    { Number: 2n, kg: null, city: 'ULM', size: 'none' }])
  expect(await rows(sales.select(lit('city'), col('id').neg().as('m')).limit(1))).toEqual([{ literal: 'city', m: -1n }])
})

test('an order reaches the rows through steps that keep its columns, and NULL comes last', async () => {
  const ids = async (of: { collect(): Promise<readonly object[]> }): Promise<unknown[]> =>
    (await of.collect()).map(row => Object.values(row)[0])
  const sorted = sales.sort(desc('tonnes'))
  expect(await ids(sorted)).toEqual([1n, 4n, 3n, 2n])
  expect(await ids(sales.sort(asc('tonnes', { nulls: 'first' })))).toEqual([2n, 3n, 4n, 1n])
  expect(await ids(sorted.select('id'))).toEqual([1n, 4n, 3n, 2n])
  expect(await ids(sorted.limit(3).filter(col('city').eq('bern')))).toEqual([4n, 3n])
  expect(await ids(sorted.filter(col('city').eq('bern')).withColumns(f.rowNumber().over({ orderBy: ['id'] })))).toEqual([4n, 3n])
  expect(await ids(sales.sort('id').sort('city'))).toEqual([3n, 4n, 1n, 2n])
  expect(await ids(sales.sort('id').limit(3, 1).sort(desc('id')).limit(1))).toEqual([4n])
})

test('joins, sets, windows and lists', async () => {
  const [thrice] = await sales.join(sales, 'id').join(sales.select('id', sql`1`.as('City')), 'id').filter(col('id').eq(1)).collect()
  expect(Object.keys(thrice!)).toEqual(['id', 'city', 'tonnes', 'day', 'city_1', 'tonnes_1', 'day_1', 'City_2'])
  const cities = frame('./cities.jsonl')
  expect(await rows(sales.join(cities.select('city', 'country'), 'city').select('id', 'country').sort('id'))).toEqual([{ id: 1n,
    country: 'de' }, { id: 2n, country: 'de' }])
  expect(await rows(sales.join(cities, 'city', 'anti').select('id').sort('id'))).toEqual([{ id: 3n }, { id: 4n }])
  expect(await rows(sales.join(sales, (l, r) => l.id.eq(r.id.add(1)), 'left').sort('id').select('id', 'id_1').limit(2)))
    .toEqual([{ id: 1n, id_1: null }, { id: 2n, id_1: 1n }])
  expect(await sales.crossJoin(cities).count()).toBe(8)
  expect(await sales.union(sales).distinct().count()).toBe(4)
  expect(await rows(sales.select('city').intersect(cities.select('city') as never))).toEqual([{ city: 'ulm' }])
  expect(await rows(sales.select('id').except(sales.filter(col('id').gt(1)).select('id')))).toEqual([{ id: 1n }])
  expect(await rows(sales.filter(f.rowNumber().over({ partitionBy: ['city'], orderBy: [desc('tonnes')] }).eq(1)).select('id').sort('id')))
    .toEqual([{ id: 1n }, { id: 4n }])
  expect(await rows(sales.select('id', f.lag('id').over({ orderBy: ['id'] }).as('before'),
    sum('id').over({ orderBy: ['id'], rows: [-1, 0] }).as('two')).sort('id').limit(2)))
    .toEqual([{ id: 1n, before: null, two: 1n }, { id: 2n, before: 1n, two: 3n }])
  expect(await rows(cities.explode('tags').select('city', 'tags', col('at').field('x').as('x')).sort('tags')))
    .toEqual([{ city: 'ulm', tags: 'a', x: 1n }, { city: 'ulm', tags: 'b', x: 1n }])
})

test('functions on texts, times, numbers, lists and structs', async () => {
  const row = await sales.filter(col('id').eq(1)).select(
    f.truncate('day', 'month').as('month'), f.year('day').as('year'), f.weekday('day').as('weekday'),
      f.addTime('day', -1, 'month').as('before'),
    f.timeBetween('day', lit('2024-05-09').cast('DATE'), 'day').as('days'), f.formatTime('day', '%d.%m.').as('text'),
    f.concat('city', '-', col('id')).as('joined'), f.substring('city', 2).as('part'), f.replaceMatches('city', '[lm]', '_').as('replaced'),
    f.split('city', 'l').as('split'), f.round('tonnes').as('round'), f.coalesce('tonnes', 0).as('or'), f.nullIf('city', 'ulm').as('null'),
    f.struct({ a: 'id', 'b c': 'city' }).as('s'), f.list('id', col('id').add(1)).as('l'), col('tonnes').cast('DECIMAL(9, 3)').as('d'),
    col('city').tryCast('INTEGER').as('no'), col('city').like('u%').as('like'), col('tonnes').div(0).as('div'),
      col('id').intDiv(2).as('half'),
    f.listSum(f.list('id', col('id').add(1))).as('sum'), f.greatest('id', 5).as('most'),
  ).first()
  expect(row).toEqual({
    month: '2024-05-01 00:00:00', year: 2024n, weekday: 3n, before: '2024-04-01 00:00:00', days: 8n, text: '01.05.', joined: 'ulm-1',
      part: 'lm', replaced: 'u__',
    split: ['u', 'm'], round: 13, or: 12.5, null: null, s: { a: 1n, 'b c': 'ulm' }, l: [1n, 2n], d: '12.500', no: null, like: true,
      div: Infinity,
    half: 0n, sum: 3n, most: 5n,
  })
})

test('values, names and types are never SQL', async () => {
  const words = [`'; DROP TABLE x; --`, `' OR 1=1 --`, `\\' OR ''='`, '"', '$1', '?', '/* ', '${x}', 'a\0b', 'ö\u{1F33E}']
  for (const word of words) {
    expect(await rows(frame(sql`SELECT ${word} AS v`)), word).toEqual([{ v: word }])
    const name = word.replaceAll('\0', '')
    expect(await rows(frame(sql`SELECT 1 AS n`).select(col('n').as(name)).filter(col(name).eq(1)).sort(name)),
      word).toEqual([{ [name]: 1 }])
    expect(await sales.filter(col('city').eq(word).or(col('city').contains(word), col('city').isIn([word]),
      col('city').like(word))).count()).toBe(0)
  }
  for (const type of ['INTEGER) FROM x --', 'INTEGER; DROP', "VARCHAR' ", 'INT) + (1', '', 'a-b', 'INT]', '(INT', "ENUM('a')) --"])
    expect(() => col('a').cast(type), type).toThrow(/is no type of SQL/)
  expect(await frame(sql`SELECT 'a' AS x`).select(col('x').cast(`ENUM('a', 'it''s')`).as('e'),
    lit(1).cast('STRUCT("x y" INTEGER)[]').isNull().as('n'))
    .toSQL()).toContain(`ENUM('a', 'it''s')`)
  expect(() => col('a\0')).toThrow(/name of a column/)
  expect(() => col('')).toThrow(/name of a column/)
  for (const wrong of [Number.NaN, -1, 1.5, '1; DROP TABLE x']) expect(() => sales.limit(wrong as number)).toThrow(/number of rows/)
  expect(() => f.truncate('day', `day'` as 'day')).toThrow(/unit of time/)
  expect(() => sales.join(sales, 'id', 'inner; DROP' as never)).toThrow(/a join is one of/)
  await expect(rows(frame(sql`SELECT 1 AS a; SELECT 2 AS b`))).rejects.toThrow(/syntax error/)
  await expect(rows(frame(sql`SELECT content FROM read_text('/etc/passwd')`))).rejects.toThrow(/Permission Error/)
})

test.each([
  ['a comparison with NULL', () => col('a').eq(null as never), /isNull\(\)/],
    ['a list that is none', () => col('a').isIn('x' as never), /list of values/],
  ['two columns of one name', () => sales.select('id', col('tonnes').as('ID')), /two columns would have the name/],
  ['a key and an aggregate of one name', () => sales.groupBy('city').agg(count().as('city')), /two columns would have the name city/],
  ['a fragment without a name', () => sales.select(sql`1` as never), /has no name/],
    ['no column', () => sales.select(), /at least one column/],
  ['a value in place of an expression', () => sales.filter('id > 1' as never), /takes an expression/],
  ['an aggregate as a condition', () => sales.filter(count().gt(1)), /filter behind agg/],
  ['a value without a type', () => lit({ a: () => 1 } as never), /no type for/], ['no tag', () => sql('x' as never), /sql is a tag/],
  ['another object as a frame', () => sales.join({} as never, 'id' as never), /takes a frame/],
    ['a source that is none', () => frame(7 as never), /a table is the path/],
])('%s is refused when the frame is made', (_, make, message) => {
  expect(make).toThrow(message)
})

test('errors of a run name the column; a frame is the same after a run, and a loop that is left ends the query', async () => {
  await expect(rows(sales.select(col('nope' as 'id')))).rejects.toMatchObject({ code: 'EINVAL', message: expect.stringContaining('nope') })
  await expect(rows(sales.select(col('city').cast('INTEGER')))).rejects.toThrow(/Could not convert string 'ulm'/)
  expect(await sales.filter(col('city').isIn([])).count()).toBe(0)
  for await (const row of sales.sort('id')) {
    expect(row.id).toBe(1n)
    break
  }
  expect(await sales.count()).toBe(4)
})

test('show prints the first rows as a table, describe a summary, explain the plan, and arrow gives the rows as Arrow', async () => {
  printed = ''
  await sales.sort('id').show(2)
  expect(printed).toBe('id  city  tonnes  day\n--  ----  ------  ----------\n 1  ulm     12.5  2024-05-01\n 2  ulm     NULL  2024-05-02\n… the first 2 rows\n')
  const [, city] = await sales.describe().select('column_name', 'column_type', 'min', 'max', 'count').collect()
  expect(city).toEqual({ column_name: 'city', column_type: 'VARCHAR', min: 'bern', max: 'ulm', count: 4n })
  expect((await sales.explain()).text).toContain('in this process')
  const table = await tableFromIPC(sales.select('city').sort('city').limit(1).arrow())
  expect(table.toArray().map(row => ({ ...row }))).toEqual([{ city: 'bern' }])
})
