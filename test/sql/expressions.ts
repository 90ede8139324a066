// Random expressions over the columns of a scope.

import type { Random } from './draw.ts'
import { literal, type Kind } from './tables.ts'

export interface Field {
  /** As SQL. */
  readonly sql: string
  readonly kind: Kind
}

export function value(kind: Kind, fields: readonly Field[], random: Random, depth = 2): string {
  const own = fields.filter(field => field.kind === kind)
  if (depth === 0 || random.chance(0.4)) return own.length > 0 && random.chance(0.85) ? random.pick(own).sql : constant(kind, random)
  const of = (other: Kind): string => value(other, fields, random, depth - 1)
  const any = random.pick([
    () => `CASE WHEN ${condition(fields, random, depth - 1)} THEN ${of(kind)} ELSE ${of(kind)} END`,
    () => `coalesce(${of(kind)}, ${of(kind)})`,
    () => special(kind, of, random),
    () => special(kind, of, random),
  ])
  return any()
}

const casts: Readonly<Record<Kind, string>> = {
  int: 'INTEGER',
  dec: 'DECIMAL(12,2)',
  dbl: 'DOUBLE',
  date: 'DATE',
  ts: 'TIMESTAMP',
  str: 'VARCHAR',
  bool: 'BOOLEAN',
  list: 'INTEGER[]',
  struct: 'STRUCT(x INTEGER, y VARCHAR)',
}

const constant = (kind: Kind, random: Random): string => `CAST(${random.chance(0.1) ? 'NULL' : literal(kind, random)} AS ${casts[kind]})`

function special(kind: Kind, of: (kind: Kind) => string, random: Random): string {
  const choices: Record<Kind, (() => string)[]> = {
    int: [
      () => `(${of('int')} + ${of('int')})`,
      () => `(${of('int')} % 3)`,
      () => `length(${of('str')})`,
      () => `year(${of('date')})`,
      () => `abs(${of('int')})`,
      () => `len(${of('list')})`,
      () => `(${of('struct')}).x`,
      () => `(${of('int')} // 2)`,
      () => `date_diff('day', ${of('date')}, ${of('date')})`,
      () => `CAST(${of('bool')} AS INTEGER)`,
      () => `greatest(${of('int')}, ${of('int')})`,
      () => `(${of('list')})[1]`,
      () => `CAST(${of('dec')} AS INTEGER)`,
    ],
    dec: [
      () => `(${of('dec')} + ${of('dec')})`,
      () => `round(${of('dec')}, 1)`,
      () => `CAST(${of('int')} AS DECIMAL(12,2))`,
      () => `(${of('dec')} * 2)`,
      () => `(1 - ${of('dec')})`,
      () => `(- ${of('dec')})`,
    ],
    dbl: [
      () => `(${of('dbl')} + ${of('dbl')})`,
      () => `(${of('dbl')} * 0.5)`,
      () => `(- ${of('dbl')})`,
      () => `CAST(${of('int')} AS DOUBLE)`,
      () => `(${of('int')} / 4)`,
    ],
    date: [() => `(${of('date')} + ${random.int(1, 40)})`, () => `CAST(${of('ts')} AS DATE)`, () => `last_day(${of('date')})`],
    ts: [() => `date_trunc('month', ${of('ts')})`, () => `(${of('ts')} + INTERVAL 1 MONTH)`, () => `CAST(${of('date')} AS TIMESTAMP)`],
    str: [
      () => `upper(${of('str')})`,
      () => `substr(${of('str')}, 1, 1)`,
      () => `(${of('str')} || ${of('str')})`,
      () => `CAST(${of('int')} AS VARCHAR)`,
      () => `replace(${of('str')}, 'a', 'x')`,
      () => `(${of('struct')}).y`,
      () => `strftime(${of('date')}, '%Y-%m')`,
    ],
    bool: [() => `(${of('int')} > ${of('int')})`],
    list: [() => `list_concat(${of('list')}, ${of('list')})`, () => `[${of('int')}, ${of('int')}]::INTEGER[]`],
    struct: [() => `{'x': ${of('int')}::INTEGER, 'y': ${of('str')}}`],
  }
  return random.pick(choices[kind])()
}

const patterns = ["'a%'", "'%b'", "'_'", "'%a%'", "'%_'"]
const pairs = ['covar_pop', 'covar_samp', 'regr_count', 'regr_avgx', 'regr_sxy', 'regr_syy', 'corr', 'regr_slope']

export function condition(fields: readonly Field[], random: Random, depth = 2): string {
  const kind = random.pick<Kind>(['int', 'int', 'dec', 'dbl', 'date', 'str', 'ts', 'list', 'struct'])
  const of = (): string => value(kind, fields, random, Math.max(0, depth - 1))
  const op = random.pick(['=', '<>', '<', '>', '<=', '>=', 'IS DISTINCT FROM', 'IS NOT DISTINCT FROM'])
  const simple = [
    () => `(${of()} ${op} ${of()})`,
    () => `(${of()} ${op} ${of()})`,
    () => `(${of()} IS ${random.pick(['', 'NOT '])}NULL)`,
    () => `(${of()} ${random.pick(['', 'NOT '])}IN (${Array.from({ length: random.int(1, 3) }, () => constant(kind, random)).join(', ')}))`,
    () => `(${of()} BETWEEN ${constant(kind, random)} AND ${constant(kind, random)})`,
    () => `(${value('str', fields, random, 0)} ${random.pick(['LIKE', 'NOT LIKE', 'ILIKE'])} ${random.pick(patterns)})`,
    () => value('bool', fields, random, 0),
  ]
  if (depth <= 0 || random.chance(0.6)) return random.pick(simple)()
  const inner = (): string => condition(fields, random, depth - 1)
  return random.pick([() => `(${inner()} AND ${inner()})`, () => `(${inner()} OR ${inner()})`, () => `(NOT ${inner()})`])()
}

/** An aggregate; `unique` are columns that together give one order of all rows. */
export function aggregate(fields: readonly Field[], random: Random, unique: readonly string[]): Field & { readonly isExact: boolean } {
  const of = (kind: Kind): string => value(kind, fields, random, 1)
  const kind = random.pick<Kind>(['int', 'dec', 'dbl', 'date', 'str'])
  const number = random.pick<Kind>(['int', 'dec', 'dbl'])
  const by = unique.length > 0 ? unique.join(', ') : undefined
  const made = random.pick<() => [sql: string, kind: Kind, isExact: boolean]>([
    () => ['count(*)', 'int', true],
    () => [`count(${of(kind)})`, 'int', true],
    () => [`sum(${of('int')})`, 'int', true],
    () => [`sum(${of('dec')})`, 'dec', true],
    () => [`sum(${of('dbl')})`, 'dbl', true],
    () => [`avg(${of(number)})`, 'dbl', false],
    () => [`min(${of(kind)})`, kind, true],
    () => [`max(${of(kind)})`, kind, true],
    () => [`${random.pick(['bool_and', 'bool_or'])}(${condition(fields, random, 1)})`, 'bool', true],
    () => [`${random.pick(['bit_and', 'bit_or', 'bit_xor'])}(${of('int')})`, 'int', true],
    () => [`${random.pick(['stddev', 'stddev_pop', 'var_samp', 'var_pop', 'sem'])}(${of(number)})`, 'dbl', false],
    () => [`${random.pick(pairs)}(${of('dbl')}, ${of('dbl')})`, 'dbl', false],
    () => [`count(DISTINCT ${of(kind)})`, 'int', true],
    () => [`sum(DISTINCT ${of('int')})`, 'int', true],
    () => [`median(${of(number)})`, 'dbl', false],
    () => [`quantile_cont(${of('dbl')}, 0.25)`, 'dbl', false],
    () => [`quantile_disc(${of('int')}, 0.5)`, 'int', true],
    () => (by ? [`arg_${random.pick(['min', 'max'])}(${of(kind)}, (${by}))`, kind, true] : ['count(*)', 'int', true]),
    () => (by ? [`len(list(${of(kind)} ORDER BY ${by}))`, 'int', true] : ['count(*)', 'int', true]),
    () => (by ? [`string_agg(${of('str')}, '-' ORDER BY ${by})`, 'str', true] : ['count(*)', 'int', true]),
    () => (by ? [`first(${of(kind)} ORDER BY ${by})`, kind, true] : ['count(*)', 'int', true]),
    () => [`approx_count_distinct(${of(kind)})`, 'int', true],
    () => [`list_sum(min(${of('int')}, 2))`, 'int', true],
  ])
  const [call, type, isExact] = made()
  const filter =
    random.chance(0.15) && /^\w+\((?!DISTINCT|.*\(.*\()/.test(call) && !call.startsWith('len(') && !call.startsWith('list_sum')
      ? ` FILTER (WHERE ${condition(fields, random, 1)})`
      : ''
  return { sql: call + filter, kind: type, isExact }
}
