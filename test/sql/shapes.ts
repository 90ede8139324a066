// Random queries of further shapes: grouping sets inside of one another, windows over groups with QUALIFY, PIVOT and UNPIVOT.

import { aggregate, condition, value, type Field } from './expressions.ts'
import type { Making, Query, Source } from './scope.ts'
import { literal, type Kind } from './tables.ts'

const keys: readonly Kind[] = ['int', 'int', 'str', 'date', 'bool', 'dec']

/** A derived table whose columns g0, g1, … and m0, m1 are those of the source: groups and values by plain names. */
function named(making: Making, depth: number, groups: readonly Kind[], values: readonly Kind[]): Source {
  const { random } = making
  const source = making.source(depth)
  const alias = making.alias()
  const columns = [...groups.map((kind, i) => [kind, `g${i}`] as const), ...values.map((kind, i) => [kind, `m${i}`] as const)]
  const list = columns.map(([kind, name]) => `${value(kind, source.fields, random, 1)} AS ${name}`)
  const ids = source.unique.map((name, i) => `${name} AS r${i}`)
  return {
    from: `(SELECT ${[...list, ...ids].join(', ')} FROM ${source.from}${making.where(source, depth)}) AS ${alias}`,
    fields: columns.map(([kind, name]): Field => ({ sql: `${alias}.${name}`, kind })),
    unique: source.unique.map((_, i) => `${alias}.r${i}`),
  }
}

/** One to three grouping sets, cubes and rollups side by side and in one another, with GROUPING and HAVING. */
export function groupingSets(making: Making, depth: number): Query {
  const { random } = making
  const kinds = Array.from({ length: random.int(2, 3) }, () => random.pick(keys))
  const source = named(making, depth, kinds, ['int', 'dec', 'str'])
  const names = kinds.map((_, i) => source.fields[i]!.sql)
  const bracket = (list: readonly string[]): string => `(${list.join(', ')})`
  const some = (): string => bracket(names.filter(() => random.chance(0.6)))
  const [first, ...rest] = names as [string, ...string[]]
  const one = (inner: number): string =>
    random.pick([
      some,
      () => `${random.pick(['ROLLUP', 'CUBE'])} ${bracket(random.chance(0.5) ? names : [random.pick(names)])}`,
      ...(inner > 0 ? [() => `GROUPING SETS (${some()}, ${one(inner - 1)})`] : []),
    ])()
  // Each column is in a set: others may not be named.
  const sets = random.pick([
    () => `GROUPING SETS (${[bracket(names), ...Array.from({ length: random.int(1, 2) }, () => one(1))].join(', ')})`,
    () => `${first}, ${random.pick(['ROLLUP', 'CUBE'])} ${bracket(rest)}`,
    () => `ROLLUP (${bracket(names.slice(0, 2))}${names.length > 2 ? `, ${names[2]!}` : ''})`,
    () => `ROLLUP (${first}), CUBE ${bracket(rest)}`,
  ])()
  const calls = Array.from({ length: random.int(1, 3) }, () => aggregate(source.fields, random, source.unique))
  const grouping = `GROUPING(${random.chance(0.5) ? names.join(', ') : random.pick(names)})`
  const least = `min(${source.fields[kinds.length]!.sql}) < 4`
  const having = random.chance(0.25) ? ` HAVING ${random.pick(['count(*) > 1', `${grouping} = 0`, least])}` : ''
  const list = [...names, grouping, ...calls.map(({ sql }) => sql)].map((sql, i) => `${sql} AS o${i}`)
  return {
    sql: `SELECT ${list.join(', ')} FROM ${source.from} GROUP BY ${sets}${having}`,
    kinds: [...kinds, 'int', ...calls.map(({ kind }) => kind)],
    isExact: calls.every(({ isExact }) => isExact),
  }
}

/** Windows over the rows of a GROUP BY, named windows, frames of all kinds, and QUALIFY with and without windows of its own. */
export function qualified(making: Making, depth: number): Query {
  const { random } = making
  const group = random.pick(keys)
  const source = named(making, depth, [group, 'int'], ['int', 'dec'])
  const [g, h, m, d] = source.fields.map(({ sql }) => sql) as [string, string, string, string]
  if (random.chance(0.4)) {
    const by = random.chance(0.7) ? `PARTITION BY ${g}` : ''
    const rank = `${random.pick(['rank', 'dense_rank'])}() OVER (${by} ORDER BY sum(${m}), ${h})`
    return {
      sql: `SELECT ${g} AS o0, ${h} AS o1, sum(${m}) AS o2, ${rank} AS o3 FROM ${source.from} GROUP BY ${g}, ${h}
        ${random.chance(0.3) ? `HAVING count(*) < ${random.int(2, 9)}` : ''}
        QUALIFY ${random.pick([`o3 <= ${random.int(1, 3)}`, `sum(count(*)) OVER (${by}) > 2`, `${rank} = 1 OR o2 > 3`])}`,
      kinds: [group, 'int', 'int', 'int'], isExact: true,
    }
  }
  const total = [m, h, ...source.unique].join(', ')
  const isTotal = source.unique.length > 0
  const frames = [`RANGE BETWEEN ${random.int(0, 2)} PRECEDING AND ${random.int(0, 2)} FOLLOWING`,
    'RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW EXCLUDE TIES', 'GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW',
    'RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING EXCLUDE GROUP']
  const calls: readonly string[] = [
    `count(*) OVER w`, `sum(${m}) OVER (PARTITION BY ${g} ORDER BY ${m} ${random.pick(frames)})`, `max(${d}) OVER w`,
    `CAST(1000 * percent_rank() OVER w AS INTEGER)`, `CAST(1000 * cume_dist() OVER w AS INTEGER)`,
    `count(DISTINCT ${h}) OVER (PARTITION BY ${g})`, `sum(${m}) FILTER (WHERE ${condition(source.fields, random, 1)}) OVER w`,
    ...isTotal ? [
      `lead(${m}, 2) OVER (PARTITION BY ${g} ORDER BY ${total})`, `nth_value(${h}, 2) OVER (PARTITION BY ${g} ORDER BY ${total})`,
      `last_value(${h} IGNORE NULLS) OVER (PARTITION BY ${g} ORDER BY ${total})`,
      `sum(${m}) OVER (PARTITION BY ${g} ORDER BY ${total} ROWS BETWEEN 2 PRECEDING AND CURRENT ROW EXCLUDE CURRENT ROW)`,
    ] : [],
  ]
  const [first, second] = [random.pick(calls), random.pick(calls)]
  const qualify = random.pick([`o2 >= ${random.int(0, 3)}`, `rank() OVER w <= ${random.int(1, 3)}`,
    'dense_rank() OVER w = 1 AND o0 IS NOT NULL', `count(*) OVER (PARTITION BY ${g}) BETWEEN 2 AND 9`])
  return {
    sql: `SELECT ${g} AS o0, ${h} AS o1, ${first} AS o2, ${second} AS o3 FROM ${source.from}
      WINDOW w AS (PARTITION BY ${g} ORDER BY ${m}) QUALIFY ${qualify}`,
    kinds: [group, 'int', 'int', 'int'], isExact: true,
  }
}

/** PIVOT with the values of its columns, in both forms, and UNPIVOT. */
export function pivoted(making: Making, depth: number): Query {
  const { random } = making
  const [on, by] = [random.pick<Kind>(['int', 'str', 'date', 'bool']), random.pick(keys)]
  const source = named(making, depth, [by, on], ['int', 'int'])
  const values = [...new Set(Array.from({ length: random.int(1, 3) }, () => literal(on, random)))]
  const call = random.pick(['sum(m0)', 'count(*)', 'max(m1)', 'count(m0)', 'min(m0)', 'count(DISTINCT m1)'])
  const inner = source.from.slice(0, source.from.lastIndexOf(') AS ') + 1).replace(/, \S+ AS r\d/g, '')
  const alias = making.alias()
  const columns = Array.from({ length: values.length + 1 }, (_, i) => `o${i}`)
  if (random.chance(0.7)) {
    const pivot = random.pick([
      `(PIVOT ${inner} ON g1 IN (${values.join(', ')}) USING ${call} GROUP BY g0)`,
      `(SELECT * FROM ${inner} AS p PIVOT (${call} FOR g1 IN (${values.join(', ')}) GROUP BY g0))`,
    ])
    return {
      sql: `SELECT * FROM ${pivot} AS ${alias}(${columns.join(', ')})`, kinds: [by, ...values.map(() => 'int' as const)], isExact: true,
    }
  }
  const nulls = random.chance(0.5) ? 'INCLUDE NULLS ' : ''
  const unpivot = `(FROM ${inner} AS p UNPIVOT ${nulls}(v FOR n IN (m0, m1)))`
  return random.chance(0.5)
    ? { sql: `SELECT g0 AS o0, n AS o1, v AS o2 FROM ${unpivot} AS ${alias}`, kinds: [by, 'str', 'int'], isExact: true }
    : {
      sql: `SELECT n AS o0, count(v) AS o1, sum(v) AS o2 FROM ${unpivot} AS ${alias} GROUP BY n`, kinds: ['str', 'int', 'int'],
      isExact: true,
    }
}
