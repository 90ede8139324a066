// Random queries over the tables of tables.ts: joins, aggregations, windows, set operations, subqueries and CTEs, nested. What DuckDB
// leaves open is avoided: LIMIT comes with an order over all columns, and aggregates that see an order have one that is complete.

import type { TableInfo } from '../../src/sql/query.ts'
import type { Random } from './draw.ts'
import { aggregate, condition, value, type Field } from './expressions.ts'
import { collectedQuery, lambdaQuery, unnestedQuery, unnestedSource } from './nested.ts'
import type { Making, Query, Source } from './scope.ts'
import { groupingSets, pivoted, qualified } from './shapes.ts'
import { kindOf, type Kind } from './tables.ts'

export function randomQuery(random: Random, tables: readonly TableInfo[]): { readonly sql: string; readonly isOrdered: boolean } {
  const generator = new Generator(random, tables)
  const { sql, kinds, isExact } = generator.query(2)
  const names = kinds.map((_, i) => `o${i}`)
  const way = (): string => random.pick(['', ' DESC', ' NULLS FIRST', ' DESC NULLS LAST'])
  const order = ` ORDER BY ${names.map(name => name + way()).join(', ')}`
  if (!isExact || random.chance(0.4)) return { sql, isOrdered: false }
  const limit = random.chance(0.6) ? ` LIMIT ${random.int(0, 12)}${random.chance(0.3) ? ` OFFSET ${random.int(0, 5)}` : ''}` : ''
  return { sql: `SELECT * FROM (${sql}) AS q${order}${limit}`, isOrdered: true }
}

class Generator {
  readonly #random: Random
  readonly #tables: readonly TableInfo[]
  readonly #making: Making
  #names = 0

  constructor(random: Random, tables: readonly TableInfo[]) {
    this.#random = random
    this.#tables = tables
    this.#making = {
      random, source: depth => this.#source(depth), where: (source, depth) => this.#where(source, depth),
      alias: () => `a${++this.#names}`,
    }
  }

  /** A query whose columns are o0, o1, … */
  query(depth: number): Query {
    const random = this.#random
    const shapes = [
      () => this.#plain(depth),
      () => this.#grouped(depth),
      () => this.#grouped(depth),
      () => this.#windowed(depth),
      () => random.pick([groupingSets, qualified, pivoted, unnestedQuery, collectedQuery])(this.#making, depth),
      ...(random.chance(0.1) ? [() => lambdaQuery(this.#making, depth)] : []),
      ...(depth > 0 ? [() => this.#set(depth), () => this.#cte(depth)] : []),
    ]
    return random.pick(shapes)()
  }

  #source(depth: number): Source {
    const random = this.#random
    const share = random.next()
    if (depth > 0 && share < 0.2) return this.#derived(depth)
    if (share < 0.55) return this.#table()
    if (share < 0.62) return unnestedSource(this.#making, this.#table())
    const left = random.chance(0.2) ? this.#source(depth) : this.#table()
    const right = depth > 0 && random.chance(0.3) ? this.#derived(depth) : this.#table()
    return this.#joined(left, right)
  }

  #table(): Source {
    const { name, columns } = this.#random.pick(this.#tables)
    const alias = `a${++this.#names}`
    const fields = columns.map(column => ({
      sql: `${alias}.${column.name}`,
      kind: column.name === 'id' ? ('int' as const) : kindOf(column.name),
    }))
    return { from: `${name} AS ${alias}`, fields, unique: [`${alias}.id`] }
  }

  #derived(depth: number): Source {
    const { sql, kinds } = this.query(depth - 1)
    const alias = `a${++this.#names}`
    return { from: `(${sql}) AS ${alias}`, fields: kinds.map((kind, i) => ({ sql: `${alias}.o${i}`, kind })), unique: [] }
  }

  #joined(left: Source, right: Source): Source {
    const random = this.#random
    const fields = [...left.fields, ...right.fields]
    const kind = random.pick<Kind>(['int', 'int', 'dec', 'dbl', 'date', 'str'])
    const other = random.chance(0.15) ? random.pick<Kind>(['dbl', 'dec', 'int']) : kind
    const isNumber = (each: Kind): boolean => ['int', 'dec', 'dbl'].includes(each)
    const [a, b] = [value(kind, left.fields, random, 1), value(isNumber(kind) ? other : kind, right.fields, random, 1)]
    const key = `${a} ${random.chance(0.1) ? 'IS NOT DISTINCT FROM' : '='} ${b}`
    const more = random.chance(0.25) ? ` AND ${condition(fields, random, 1)}` : ''
    const type = random.pick(['JOIN', 'JOIN', 'LEFT JOIN', 'RIGHT JOIN', 'FULL JOIN', 'SEMI JOIN', 'ANTI JOIN', 'CROSS JOIN', 'THETA'])
    const unique = left.unique.length > 0 && right.unique.length > 0 ? [...left.unique, ...right.unique] : []
    switch (type) {
      case 'CROSS JOIN':
        return { from: `${left.from} CROSS JOIN ${right.from}`, fields, unique }
      case 'THETA':
        return {
          from: `${left.from} ${random.pick(['JOIN', 'LEFT JOIN'])} ${right.from} ON ${condition(fields, random, 1)}`,
          fields,
          unique,
        }
      case 'SEMI JOIN':
      case 'ANTI JOIN':
        return { from: `${left.from} ${type} ${right.from} ON ${key}`, fields: left.fields, unique: left.unique }
      default:
        return { from: `${left.from} ${type} ${right.from} ON ${key}${more}`, fields, unique }
    }
  }

  #where(source: Source, depth: number): string {
    const random = this.#random
    const parts = [
      ...(random.chance(0.5) ? [condition(source.fields, random)] : []),
      ...(depth > 0 && random.chance(0.3) ? [this.#subquery(source, depth)] : []),
    ]
    return parts.length > 0 ? ` WHERE ${parts.join(' AND ')}` : ''
  }

  /** A condition with a subquery, correlated or not. */
  #subquery(source: Source, depth: number): string {
    const random = this.#random
    const kind = random.pick<Kind>(['int', 'str', 'date', 'dec'])
    const outer = value(kind, source.fields, random, 1)
    const { from, fields } = random.chance(0.7) ? this.#table() : this.#source(depth - 1)
    const inner = value(kind, fields, random, 1)
    const link = random.chance(0.6)
      ? ` WHERE ${value('int', fields, random, 0)} ${random.pick(['=', '=', '>'])} ${value('int', source.fields, random, 0)}`
      : random.chance(0.5)
        ? ` WHERE ${condition(fields, random, 1)}`
        : ''
    return random.pick([
      () => `${outer} ${random.pick(['IN', 'NOT IN'])} (SELECT ${inner} FROM ${from}${link})`,
      () => `${random.pick(['', 'NOT '])}EXISTS (SELECT 1 FROM ${from}${link})`,
      () => `${outer} ${random.pick(['=', '<', '>'])} (SELECT ${random.pick(['min', 'max'])}(${inner}) FROM ${from}${link})`,
      () => `(${outer} IN (SELECT ${inner} FROM ${from}${link})) IS ${random.pick(['NOT TRUE', 'NULL', 'FALSE'])}`,
      () => `${random.int(0, 5)} < (SELECT count(*) FROM ${from}${link})`,
    ])()
  }

  #plain(depth: number): Query {
    const random = this.#random
    const source = this.#source(depth)
    const kinds = Array.from({ length: random.int(1, 4) }, () =>
      random.pick<Kind>(['int', 'int', 'dec', 'dbl', 'date', 'str', 'ts', 'bool', 'list', 'struct']),
    )
    const list = kinds.map((kind, i) => `${value(kind, source.fields, random)} AS o${i}`)
    const distinct = random.chance(0.2) ? 'DISTINCT ' : ''
    return { sql: `SELECT ${distinct}${list.join(', ')} FROM ${source.from}${this.#where(source, depth)}`, kinds, isExact: true }
  }

  #grouped(depth: number): Query {
    const random = this.#random
    const source = this.#source(depth)
    const groups = Array.from({ length: random.int(0, 3) }, () => random.pick<Kind>(['int', 'str', 'date', 'dbl', 'dec', 'bool'])).map(
      kind => ({ kind, sql: random.chance(0.6) ? value(kind, source.fields, random, 0) : value(kind, source.fields, random, 1) }),
    )
    const calls = Array.from({ length: random.int(1, 4) }, () => aggregate(source.fields, random, source.unique))
    const names = groups.map((_, i) => String(i + 1))
    const list = [...groups, ...calls].map(({ sql }, i) => `${sql} AS o${i}`)
    const sets =
      groups.length === 0
        ? ''
        : random.chance(0.8)
          ? ` GROUP BY ${names.join(', ')}`
          : ` GROUP BY ${random.pick(['ROLLUP', 'CUBE', 'GROUPING SETS'])} (${groups.map(({ sql }) => sql).join(', ')})`
    const having =
      groups.length > 0 && random.chance(0.25)
        ? ` HAVING ${random.pick([`count(*) > ${random.int(1, 3)}`, `min(${value('int', source.fields, random, 0)}) < 4`])}`
        : ''
    return {
      sql: `SELECT ${list.join(', ')} FROM ${source.from}${this.#where(source, depth)}${sets}${having}`,
      kinds: [...groups, ...calls].map(({ kind }) => kind),
      isExact: calls.every(({ isExact }) => isExact),
    }
  }

  #windowed(depth: number): Query {
    const random = this.#random
    const source = this.#source(depth)
    const kinds = Array.from({ length: random.int(1, 2) }, () => random.pick<Kind>(['int', 'str', 'date']))
    const list = kinds.map(kind => value(kind, source.fields, random, 0))
    const part = value(random.pick<Kind>(['int', 'str', 'date']), source.fields, random, 1)
    const by = random.chance(0.85) ? `PARTITION BY ${part}` : ''
    const order = `ORDER BY ${value('int', source.fields, random, 0)}`
    const total = source.unique.length > 0 ? `${order}, ${source.unique.join(', ')}` : undefined
    const calls = Array.from({ length: random.int(1, 2) }, () =>
      random.pick([
        () => `rank() OVER (${by} ${order})`,
        () => `dense_rank() OVER (${by} ${order} DESC)`,
        () => `count(*) OVER (${by})`,
        () => `sum(${value('int', source.fields, random, 0)}) OVER (${by} ${order})`,
        () => `CAST(max(${value('dec', source.fields, random, 0)}) OVER (${by}) AS INTEGER)`,
        ...(total === undefined
          ? []
          : [
              () => `row_number() OVER (${by} ${total})`,
              () => `lag(${value('int', source.fields, random, 0)}, 1, 7) OVER (${by} ${total})`,
              () => `sum(${value('int', source.fields, random, 0)}) OVER (${by} ${total} ROWS BETWEEN 1 PRECEDING AND 2 FOLLOWING)`,
              () => `first_value(${value('int', source.fields, random, 0)}) OVER (${by} ${total})`,
              () => `ntile(3) OVER (${by} ${total})`,
            ]),
      ])(),
    )
    const all = [...list, ...calls].map((sql, i) => `${sql} AS o${i}`)
    const qualify = total !== undefined && random.chance(0.2) ? ` QUALIFY row_number() OVER (${by} ${total}) <= 2` : ''
    return {
      sql: `SELECT ${all.join(', ')} FROM ${source.from}${this.#where(source, depth)}${qualify}`,
      kinds: [...kinds, ...calls.map(() => 'int' as const)],
      isExact: true,
    }
  }

  #set(depth: number): Query {
    const random = this.#random
    const kinds = Array.from({ length: random.int(1, 3) }, () => random.pick<Kind>(['int', 'dec', 'dbl', 'date', 'str']))
    const side = (): string => {
      const source = this.#source(depth - 1)
      const list = kinds.map((kind, i) => `${value(kind, source.fields, random, 1)} AS o${i}`)
      return `(SELECT ${list.join(', ')} FROM ${source.from}${this.#where(source, depth - 1)})`
    }
    const word = (): string => random.pick(['UNION ALL', 'UNION ALL', 'UNION', 'EXCEPT', 'EXCEPT ALL', 'INTERSECT', 'INTERSECT ALL'])
    const sql = `${side()} ${word()} ${side()}${random.chance(0.2) ? ` ${word()} ${side()}` : ''}`
    return {
      sql: random.chance(0.7)
        ? `SELECT * FROM (${sql}) AS s`
        : `SELECT ${kinds.map((_, i) => `o${i}`).join(', ')} FROM (${sql}) AS s GROUP BY ALL`,
      kinds,
      isExact: true,
    }
  }

  #cte(depth: number): Query {
    const { sql, kinds } = this.query(depth - 1)
    const name = `w${++this.#names}`
    const fields = (alias: string): Field[] => kinds.map((kind, i) => ({ sql: `${alias}.o${i}`, kind }))
    const joined = this.#joined(
      { from: `${name} AS x${name}`, fields: fields(`x${name}`), unique: [] },
      this.#random.chance(0.6) ? { from: `${name} AS y${name}`, fields: fields(`y${name}`), unique: [] } : this.#table(),
    )
    const list = Array.from({ length: 2 }, () => this.#random.pick<Kind>(['int', 'str', 'dec']))
    const texts = list.map((kind, i) => `${value(kind, joined.fields, this.#random, 1)} AS o${i}`)
    const word = this.#random.pick(['', ' MATERIALIZED', ' NOT MATERIALIZED'])
    return { sql: `WITH ${name} AS${word} (${sql}) SELECT ${texts.join(', ')} FROM ${joined.from}`, kinds: list, isExact: true }
  }
}
