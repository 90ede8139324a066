// Types of DataFrames, checked by the compiler: names and types of columns through each step. Running the tests only shows that the frames
// can be made.

import { expectTypeOf, test } from 'vitest'
import { frameOver, type DataFrame } from '../../../../client/frame/dataframe.ts'
import * as f from '../../../../client/frame/index.ts'
import type { SqlRow } from '../../../../client/sql/query.ts'
import type { SqlValue } from '../../../../src/base/sql.ts'
import type { Dataset } from '../../../../src/program/dataset.ts'
import type { Sources } from '../../../../src/program/sources.ts'

const { col, count, desc, lit, max, mean, sql, sum, when } = f
const tools = { query: () => { throw new Error('not run') }, print: () => {} }

interface Flight {
  readonly carrier: string; readonly delay: number; readonly seats: bigint; readonly price: string; readonly on: boolean | null
}
const flights = frameOver(tools, '/flights') as unknown as DataFrame<Flight>
const any = frameOver(tools, '/any')

type RowOf<F> = F extends DataFrame<infer Row> ? { [K in keyof Row]: Row[K] } : never

test('select gives the columns and their types; a name that is no column is refused', () => {
  expectTypeOf<RowOf<ReturnType<typeof made>>>().toEqualTypeOf<{
    readonly carrier: string; readonly delay: number; readonly late: boolean; readonly half: number
  }>()
  const made = () => flights.select('carrier', col('delay').add(1), col('delay').gt(30).as('late'), col('seats').div(2).as('half'))
  // @ts-expect-error: there is no such column
  flights.select('carier')
  // @ts-expect-error: the expression reads a column that is not there
  flights.select(col('dely').add(1))
  // @ts-expect-error: a condition on a column that is not there
  flights.filter(col('nope').gt(1))
  // @ts-expect-error: as an operand too
  flights.filter(col('delay').gt(col('nope')))
  // @ts-expect-error: after select a column is gone
  flights.select('carrier').sort('delay')
})

test('aggregates have names and types of their own', () => {
  const made = () => flights.groupBy('carrier').agg(mean('delay'), count(), sum('seats'), max(col('price')),
    sum('delay').as('total')).sort(desc('count')).limit(10)
  expectTypeOf<RowOf<ReturnType<typeof made>>>().toEqualTypeOf<{
    readonly carrier: string; readonly mean_delay: number; readonly count: bigint; readonly sum_seats: bigint; readonly max_price: string
    readonly total: number | bigint
  }>()
  // @ts-expect-error: a key that is no column
  flights.groupBy('nope')
  // @ts-expect-error: an aggregate of what is no column
  flights.groupBy('carrier').agg(mean('nope'))
})

test('columns are added, replaced, renamed, dropped', () => {
  const made = () => flights.withColumns(col('delay').cast('VARCHAR'), lit(1).as('one')).drop('seats', 'price').rename({ on: 'active' })
  expectTypeOf<RowOf<ReturnType<typeof made>>>().toEqualTypeOf<{
    readonly carrier: string; readonly delay: string; readonly one: number; readonly active: boolean | null
  }>()
  // @ts-expect-error: no such column
  flights.drop('nope')
  // @ts-expect-error: no such column
  flights.rename({ nope: 'x' })
})

test('values of branches, casts, windows and fragments', () => {
  const made = () => flights.select(
    when(col('delay').gt(1), 'late').otherwise(null).as('a'), col('delay').cast('BIGINT').as('b'),
      f.lag('delay').over({ orderBy: ['carrier'] }).as('c'),
    sql<boolean>`${col('delay')} > 1`.as('d'), f.year('price').as('e'), col('on').as('f'), f.collectList('delay').over().as('g'),
      lit(null).as('h'),
  )
  expectTypeOf<RowOf<ReturnType<typeof made>>>().toEqualTypeOf<{
    readonly a: string | null; readonly b: bigint; readonly c: number | null; readonly d: boolean;
    readonly e: bigint; readonly f: boolean | null
    readonly g: readonly number[]; readonly h: null
  }>()
})

test('a join has the columns of both sides: keys once, and equal names with a number', () => {
  const airlines = frameOver(tools, '/airlines') as unknown as DataFrame<{ carrier: string; name: string; delay: boolean }>
  const using = () => flights.select('carrier', 'delay').join(airlines, 'carrier')
  expectTypeOf<RowOf<ReturnType<typeof using>>>().toEqualTypeOf<{
    readonly carrier: string; readonly delay: number; readonly name: string; readonly delay_1: boolean
  }>()
  const on = () => flights.select('carrier').join(airlines, (l, r) => l.carrier.eq(r.name), 'left')
  expectTypeOf<RowOf<ReturnType<typeof on>>>().toEqualTypeOf<{
    readonly carrier: string; readonly carrier_1: string; readonly name: string; readonly delay: boolean
  }>()
  const semi = () => flights.select('carrier').join(airlines, 'carrier', 'semi')
  expectTypeOf<RowOf<ReturnType<typeof semi>>>().toEqualTypeOf<{ readonly carrier: string }>()
  // @ts-expect-error: not a column of both
  flights.join(airlines, 'name')
  // @ts-expect-error: not a column of the side
  flights.join(airlines, (l, r) => l.nope.eq(r.name))
})

test('without a type of rows every name is allowed, and values are those of SQL', () => {
  expectTypeOf<RowOf<typeof any>>().toEqualTypeOf<SqlRow>()
  const made = () => any.filter(col('delay').gt(30)).groupBy('carrier').agg(mean('delay'), count())
  expectTypeOf<RowOf<ReturnType<typeof made>>>().toEqualTypeOf<{
    readonly carrier: SqlValue; readonly mean_delay: number; readonly count: bigint
  }>()
})

test('a column of the right side gets the first number that is free, as at run time', () => {
  const left = frameOver(tools, '/l') as unknown as DataFrame<{ readonly k: number; readonly x: number; readonly x_1: number }>
  const right = frameOver(tools, '/r') as unknown as DataFrame<{ readonly k: number; readonly X: string; readonly y: string }>
  const made = () => left.join(right, 'k')
  expectTypeOf<RowOf<ReturnType<typeof made>>>().toEqualTypeOf<{
    readonly k: number; readonly x: number; readonly x_1: number; readonly X_2: string; readonly y: string
  }>()
})

test('a frame becomes a Dataset of its rows; a Dataset becomes a frame whose columns have the types of SQL', () => {
  interface Sale { readonly day: Date; readonly n: number; readonly price: string | null; readonly note?: string }
  const sources = {} as Sources
  const sales = {} as Dataset<Sale>
  const made = () => flights.select('carrier', 'seats').toDataset(sources)
  expectTypeOf<ReturnType<typeof made>>().toEqualTypeOf<Dataset<{ readonly carrier: string; readonly seats: bigint }>>()
  const back = () => f.fromDataset(sales, { day: 'DATE', n: 'BIGINT', price: 'DECIMAL(9, 2)', note: 'VARCHAR' })
  expectTypeOf<RowOf<ReturnType<typeof back>>>().toEqualTypeOf<{
    readonly day: string; readonly n: bigint; readonly price: string | null; readonly note: string | null
  }>()
  const rows = () => sources.sql<{ n: bigint }>('SELECT 1 AS n', { t: { dataset: sales, columns: { n: 'INTEGER' } } })
  expectTypeOf<ReturnType<typeof rows>>().toEqualTypeOf<Dataset<{ n: bigint }>>()
  const refused = () => [
    // @ts-expect-error: a column is missing
    f.fromDataset(sales, { day: 'DATE', n: 'BIGINT', price: 'DECIMAL(9, 2)' }),
    // @ts-expect-error: the values of n are no texts
    f.fromDataset(sales, { day: 'DATE', n: 'VARCHAR', price: 'DECIMAL(9, 2)', note: 'VARCHAR' }),
    // @ts-expect-error: there is no such field
    f.fromDataset(sales, { day: 'DATE', n: 'BIGINT', price: 'DECIMAL(9, 2)', note: 'VARCHAR', more: 'VARCHAR' }),
    // @ts-expect-error: no Dataset
    f.fromDataset([{ n: 1 }], { n: 'INTEGER' }),
  ]
  expectTypeOf(refused).toBeFunction()
})

test('a function of SQL gets values of the types of its arguments, and returns its own', () => {
  const made = () => [
    f.scalar(['VARCHAR', 'BIGINT', 'DECIMAL(9, 2)'], 'DOUBLE', (text, n, price) => text.length + Number(n) + Number(price)),
    f.scalar(['INTEGER'], 'BIGINT', n => { expectTypeOf(n).toEqualTypeOf<number>(); return n }),
    f.scalar(['INTEGER'], 'VARCHAR', n => { expectTypeOf(n).toEqualTypeOf<number | null>(); return null }, { takesNull: true }),
    // @ts-expect-error: a text in place of a number
    f.scalar(['INTEGER'], 'INTEGER', n => String(n)),
    // @ts-expect-error: a promise
    f.scalar(['INTEGER'], 'INTEGER', async n => n),
    // @ts-expect-error: a type that functions do not return
    f.scalar(['INTEGER'], 'DATE', () => '2024-05-31'),
  ]
  expectTypeOf(made).toBeFunction()
})
