// Aggregates in two phases: what a task keeps of its rows, and how the results of all tasks are merged. An aggregate without a rule here
// needs all rows of its group in one task.
//
// A task without rows gives the partial of no rows, and there may be no task at all: a merge over nothing has to give what DuckDB gives
// over nothing. Variances are merged by Chan's formula around the mean of all rows, because sums of squares lose all digits at large means.

import { filterSql } from './aggregate.ts'
import type { AggregateCall } from './aggregate.ts'

interface Partial {
  readonly sql: string
  readonly type: string
}

export interface TwoPhase {
  readonly partials: readonly Partial[]
  /** Values of the whole group that the merge needs beside each partial, as window functions: `over` is their window. */
  centers?(names: readonly string[], over: string): readonly string[]
  /** The result, from columns of the partials and of the centers; `centers` are their names. */
  merge(names: readonly string[], centers: readonly string[]): string
}

const integers = /^U?(?:TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)$/
const exact = (type: string): boolean => integers.test(type) || type.startsWith('DECIMAL') || type === 'BOOLEAN'
const numeric = (type: string): boolean => exact(type) || type === 'DOUBLE' || type === 'FLOAT'

const same = new Set(['min', 'max', 'bool_and', 'bool_or', 'bit_and', 'bit_or', 'bit_xor', 'product', 'any_value', 'arbitrary'])
const counts = new Set(['count_star', 'count', 'count_if', 'countif', 'regr_count'])

export function twoPhase(call: AggregateCall): TwoPhase | undefined {
  const { name, args, type } = call
  if (call.distinct || call.orders.length > 0) return undefined
  const [first] = args
  const cast = (sql: string): string => `CAST(${sql} AS ${type})`
  if (counts.has(name)) {
    return { partials: [{ sql: call.sql, type }], merge: ([p]) => cast(`COALESCE(sum(${p}), 0)`) }
  }
  if ((name === 'first' || name === 'last') && args.length === 1) {
    const count = { sql: `count(*)${filterSql(call.filter)}`, type: 'BIGINT' }
    return { partials: [{ sql: call.sql, type }, count], merge: ([p, n]) => `${name}(${p}) FILTER (WHERE ${n} > 0)` }
  }
  if (same.has(name) && args.length === 1) return { partials: [{ sql: call.sql, type }], merge: ([p]) => cast(`${name}(${p})`) }
  if ((name === 'sum' || name === 'fsum' || name === 'kahan_sum' || name === 'sumkahan') && numeric(first!.type))
    return { partials: [{ sql: call.sql, type }], merge: ([p]) => cast(`${name}(${p})`) }
  if ((name === 'avg' || name === 'mean' || name === 'favg') && numeric(first!.type) && type === 'DOUBLE') return average(call)
  if (/^(?:arg_min|arg_max|argmin|argmax|min_by|max_by)$/.test(name) && args.length === 2) return extreme(call)
  if (type === 'DOUBLE' && args.length === 1 && name in spreads) return spread(call)
  if (type === 'DOUBLE' && args.length === 2 && name in pairs) return pair(call)
  return undefined
}

function average({ args, filter }: AggregateCall): TwoPhase {
  const arg = args[0]!
  const sum = arg.type.startsWith('DECIMAL')
    ? { sql: `sum(${arg.sql})`, type: `DECIMAL(38,${/,(\d+)\)$/.exec(arg.type)![1]})` }
    : { sql: `sum(${arg.sql})`, type: exact(arg.type) ? 'HUGEINT' : 'DOUBLE' }
  const count = { sql: `count(${arg.sql})`, type: 'BIGINT' }
  return {
    partials: [sum, count].map(({ sql, type }) => ({ sql: sql + filterSql(filter), type })),
    merge: ([s, n]) => `CASE WHEN sum(${n}) > 0 THEN CAST(sum(${s}) AS DOUBLE) / CAST(sum(${n}) AS DOUBLE) END`,
  }
}

/** The value at the smallest or largest key. DuckDB leaves out rows in which either is null, and takes the first of equal keys. */
function extreme(call: AggregateCall): TwoPhase {
  const [value, key] = call.args as [(typeof call.args)[0], (typeof call.args)[0]]
  const isMin = call.name.includes('min')
  const has = `${value!.sql} IS NOT NULL${call.filter ? ` AND ${call.filter.sql}` : ''}`
  return {
    partials: [
      { sql: call.sql, type: call.type },
      { sql: `${isMin ? 'min' : 'max'}(${key!.sql}) FILTER (WHERE ${has})`, type: key!.type },
    ],
    merge: ([v, k]) => `${isMin ? 'arg_min' : 'arg_max'}(${v}, ${k})`,
  }
}

/** Result from the number of rows `n` and the sum of squared distances from the mean `m2`. */
const spreads: Readonly<Record<string, (n: string, m2: string) => string>> = {
  var_pop: (n, m2) => `CASE WHEN ${n} > 0 THEN ${m2} / ${n} END`,
  var_samp: (n, m2) => `CASE WHEN ${n} > 1 THEN ${m2} / (${n} - 1) END`,
  variance: (n, m2) => `CASE WHEN ${n} > 1 THEN ${m2} / (${n} - 1) END`,
  stddev_pop: (n, m2) => `CASE WHEN ${n} > 0 THEN sqrt(${m2} / ${n}) END`,
  stddev_samp: (n, m2) => `CASE WHEN ${n} > 1 THEN sqrt(${m2} / (${n} - 1)) END`,
  stddev: (n, m2) => `CASE WHEN ${n} > 1 THEN sqrt(${m2} / (${n} - 1)) END`,
  sem: (n, m2) => `CASE WHEN ${n} > 0 THEN sqrt(${m2} / ${n}) / sqrt(${n}) END`,
}

/** DuckDB refuses a result that is infinite or no number. */
const inRange = (sql: string, name: string): string =>
  `CASE WHEN isfinite(${sql}) OR (${sql}) IS NULL THEN ${sql} ELSE error('${name.toUpperCase()} is out of range!') END`

const weighted = (m: string, n: string, over: string): string => `sum(${m} * ${n}) OVER ${over} / nullif(sum(${n}) OVER ${over}, 0)`

function spread({ name, args, filter }: AggregateCall): TwoPhase {
  const x = args[0]!.sql
  const filtered = (sql: string): string => sql + filterSql(filter)
  return {
    partials: [
      { sql: `CAST(${filtered(`count(${x})`)} AS DOUBLE)`, type: 'DOUBLE' },
      { sql: filtered(`avg(${x})`), type: 'DOUBLE' },
      { sql: `${filtered(`var_pop(${x})`)} * ${filtered(`count(${x})`)}`, type: 'DOUBLE' },
    ],
    centers: ([n, m], over) => [weighted(m!, n!, over)],
    merge: ([n, m, m2], [center]) =>
      inRange(spreads[name]!(`sum(${n})`, `(sum(${m2}) + sum(${n} * (${m} - ${center}) * (${m} - ${center})))`), name),
  }
}

/** Results of pairs (y, x), from the number of pairs, the means, and the sum of squares or products around the means. */
interface PairRule {
  /** The two axes of the sum; without them the result is a mean. */
  readonly axes?: readonly ['x' | 'y', 'x' | 'y']
  readonly result: (of: { readonly n: string; readonly mx: string; readonly my: string; readonly sum: string }) => string
}

const pairs: Readonly<Record<string, PairRule>> = {
  covar_pop: { axes: ['x', 'y'], result: ({ n, sum }) => `CASE WHEN ${n} > 0 THEN ${sum} / ${n} END` },
  covar_samp: { axes: ['x', 'y'], result: ({ n, sum }) => `CASE WHEN ${n} > 1 THEN ${sum} / (${n} - 1) END` },
  regr_avgx: { result: ({ n, mx }) => `CASE WHEN ${n} > 0 THEN ${mx} END` },
  regr_avgy: { result: ({ n, my }) => `CASE WHEN ${n} > 0 THEN ${my} END` },
  regr_sxx: { axes: ['x', 'x'], result: ({ n, sum }) => `CASE WHEN ${n} > 0 THEN ${sum} END` },
  regr_syy: { axes: ['y', 'y'], result: ({ n, sum }) => `CASE WHEN ${n} > 0 THEN ${sum} END` },
  regr_sxy: { axes: ['x', 'y'], result: ({ n, sum }) => `CASE WHEN ${n} > 0 THEN ${sum} END` },
}

function pair({ name, args, filter }: AggregateCall): TwoPhase {
  const { axes, result } = pairs[name]!
  const both = args.map(({ sql }) => sql).join(', ')
  const of = (fn: string): string => `CAST(${fn}(${both})${filterSql(filter)} AS DOUBLE)`
  const sums = { xy: `${of('covar_pop')} * ${of('regr_count')}`, xx: of('regr_sxx'), yy: of('regr_syy'), yx: '' }
  const around = axes && sums[`${axes[0]}${axes[1]}`]
  const texts = [of('regr_count'), of('regr_avgx'), of('regr_avgy'), ...(around ? [around] : [])]
  return {
    partials: texts.map(sql => ({ sql, type: 'DOUBLE' })),
    centers: ([n, mx, my], over) => [weighted(mx!, n!, over), weighted(my!, n!, over)],
    merge: ([n, mx, my, s], [cx, cy]) => {
      const distance = { x: `(${mx} - ${cx})`, y: `(${my} - ${cy})` }
      const sum = axes ? `(sum(${s}) + sum(${n} * ${distance[axes[0]]} * ${distance[axes[1]]}))` : ''
      return result({ n: `sum(${n})`, mx: `any_value(${cx})`, my: `any_value(${cy})`, sum })
    },
  }
}
