// Random queries over lists and structs: unnest in FROM and in SELECT, with and without the rows of empty lists; lists and structs that
// aggregates make; functions with lambdas.

import { condition, value, type Field } from './expressions.ts'
import type { Making, Query, Source } from './scope.ts'
import type { Kind } from './tables.ts'

const inner: readonly Kind[] = ['int', 'int', 'str', 'dec', 'date']

/** The source with a column that has the items of a list of each row. */
export function unnestedSource(making: Making, source: Source): Source {
  const { random } = making
  const list = listOf(source.fields, making)
  const alias = making.alias()
  const item: Field = { sql: `${alias}.x`, kind: list.kind }
  const place: Field = { sql: `${alias}.n`, kind: 'int' }
  const one = [...source.fields, item]
  const both = [...one, place]
  const placed = source.unique.length > 0 ? [...source.unique, place.sql] : []
  return random.pick<() => Source>([
    () => ({ from: `${source.from}, unnest(${list.sql}) AS ${alias}(x)`, fields: one, unique: [] }),
    () => ({ from: `${source.from} CROSS JOIN LATERAL (SELECT unnest(${list.sql}) AS x) AS ${alias}`, fields: one, unique: [] }),
    () => ({ from: `${source.from} LEFT JOIN LATERAL (SELECT unnest(${list.sql}) AS x) AS ${alias} ON true`, fields: one, unique: [] }),
    () => ({ from: `${source.from}, unnest(${list.sql}) WITH ORDINALITY AS ${alias}(x, n)`, fields: both, unique: placed }),
    () => ({
      from: `${source.from}, LATERAL (SELECT unnest(${list.sql}) AS x, generate_subscripts(${list.sql}, 1) AS n) AS ${alias}`,
      fields: both, unique: placed,
    }),
  ])()
}

const pairOf = (fields: readonly Field[], { random }: Making): string =>
  `{'x': ${value('int', fields, random, 0)}::INTEGER, 'y': ${value('str', fields, random, 0)}}`

/** A list, and the kind of its items. */
function listOf(fields: readonly Field[], making: Making): Field {
  const { random } = making
  if (random.chance(0.5)) return { sql: value('list', fields, random, 1), kind: 'int' }
  const kind = random.pick(inner)
  const of = (): string => value(kind, fields, random, 1)
  return random.pick<() => Field>([
    () => ({ sql: `[${of()}, ${of()}]`, kind }),
    () => ({ sql: `string_split(${value('str', fields, random, 1)}, 'b')`, kind: 'str' }),
    () => ({ sql: `range(least(${value('int', fields, random, 0)}, 3))`, kind: 'int' }),
    () => ({ sql: `list_value(${pairOf(fields, making)})`, kind: 'struct' }),
  ])()
}

/** Lists and structs in the list of a SELECT: unnest beside other columns, and fields of structs as columns. */
export function unnestedQuery(making: Making, depth: number): Query {
  const { random } = making
  const source = making.source(depth)
  const where = making.where(source, depth)
  const kept = random.pick(inner)
  const beside = value(kept, source.fields, random, 1)
  const list = listOf(source.fields, making)
  return random.pick<() => Query>([
    () => ({
      sql: `SELECT ${beside} AS o0, unnest(${list.sql}) AS o1 FROM ${source.from}${where}`, kinds: [kept, list.kind], isExact: true,
    }),
    () => {
      // The shorter list is filled with nulls.
      const other = listOf(source.fields, making)
      return {
        sql: `SELECT unnest(${list.sql}) AS o0, unnest(${other.sql}) AS o1 FROM ${source.from}${where}`,
        kinds: [list.kind, other.kind], isExact: true,
      }
    },
    () => ({
      sql: `SELECT x AS o0, y AS o1, k AS o2 FROM (SELECT unnest(${value('struct', source.fields, random, 1)}), ${beside} AS k
        FROM ${source.from}${where}) AS ${making.alias()}`,
      kinds: ['int', 'str', kept], isExact: true,
    }),
    () => {
      const rows = unnestedSource(making, source)
      return {
        sql: `SELECT count(*) AS o0, ${random.pick(['min', 'max'])}(${rows.fields.at(-1)!.sql}) AS o1, ${beside} AS o2
          FROM ${rows.from} WHERE ${condition(rows.fields, random, 1)} GROUP BY 3`,
        kinds: ['int', rows.fields.at(-1)!.kind, kept], isExact: true,
      }
    },
  ])()
}

/** Rows that go into lists, structs and maps, and come out of them. */
export function collectedQuery(making: Making, depth: number): Query {
  const { random } = making
  const source = making.source(depth)
  const [key, item] = [random.pick<Kind>(['int', 'str', 'date', 'struct', 'list']), random.pick(inner)]
  const group = value(key, source.fields, random, 1)
  const what = value(item, source.fields, random, 1)
  const struct = value('struct', source.fields, random, 1)
  const order = source.unique.length > 0 ? source.unique.join(', ') : `${what} NULLS FIRST`
  const collected = random.pick<() => readonly [string, Kind]>([
    () => [`len(list(${what} ORDER BY ${order}))`, 'int'],
    () => [`list_contains(list(${what}), ${value(item, [], random, 0)})`, 'bool'],
    () => [`list_sort(list(DISTINCT ${what}))[1]`, item],
    () => [`${random.pick(['min', 'max'])}(${struct})`, 'struct'],
    () => [`list_sort(list(${value('int', source.fields, random, 0)}::INTEGER))`, 'list'],
    () => [`len(list(${what}) FILTER (WHERE ${condition(source.fields, random, 1)}))`, 'int'],
    () => [`(list(${pairOf(source.fields, making)} ORDER BY ${order}))[1].x`, 'int'],
    () => [`cardinality(histogram(${what}))`, 'int'],
    () => [`count(DISTINCT ${struct})`, 'int'],
  ])
  const [made, kind] = collected()
  // Of equal keys any row may come first.
  const isExact = source.unique.length > 0 || !made.endsWith('.x')
  return {
    sql: `SELECT ${group} AS o0, ${made} AS o1 FROM ${source.from}${making.where(source, depth)} GROUP BY ${group}`,
    kinds: [key, kind], isExact,
  }
}

/** Functions with lambdas over lists. Parameters of lambdas have names that columns have, too. */
export function lambdaQuery(making: Making, depth: number): Query {
  const { random } = making
  const source = making.source(depth)
  const list = (): string => value('list', source.fields, random, 1)
  const number = value('int', source.fields, random, 0)
  const column = random.chance(0.3) ? 'id' : 'x'
  const calls: readonly (() => readonly [string, Kind])[] = [
    () => [`list_transform(${list()}, lambda ${column}: (${column} + 1)::INTEGER)`, 'list'],
    () => [`list_transform(${list()}, lambda ${column}: (${column} + ${number})::INTEGER)`, 'list'],
    () => [`list_filter(${list()}, lambda ${column}: ${column} > ${number})`, 'list'],
    () => [`list_filter(${list()}, lambda ${column}, i: i <= 1 AND ${column} IS NOT NULL)`, 'list'],
    () => [`list_reduce(list_prepend(0, ${list()}), lambda a, b: coalesce(a, 0) + coalesce(b, 0))`, 'int'],
    () => [`[(${column} * 2)::INTEGER FOR ${column} IN (${list()}) IF ${column} IS NOT NULL]`, 'list'],
  ]
  const [first, kind] = random.pick(calls)()
  const [second, other] = random.pick(calls)()
  return random.chance(0.6)
    ? {
      sql: `SELECT ${first} AS o0, ${second} AS o1 FROM ${source.from}${making.where(source, depth)}`, kinds: [kind, other], isExact: true,
    }
    : {
      sql: `SELECT ${first} AS o0, count(*) AS o1 FROM ${source.from}${making.where(source, depth)} GROUP BY ALL`,
      kinds: [kind, 'int'], isExact: true,
    }
}
