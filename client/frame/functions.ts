// Functions on the values of a row: numbers, texts, dates, lists, structs. A text in the place of a column is its name; every other text is
// a value. The result has the name of the first column.

import { GristmillError } from '../../src/base/errors.ts'
import type { SqlValue } from '../../src/base/sql.ts'
import { shown } from '../call/arguments.ts'
import {
  exprOf, identifier, inputOf, operandOf, separated, templateParts, type AnyExpr, type Expr, type ColumnInput, type NameOf, type NeedsOf,
    type Operand,
  type ValueOf,
} from './expr.ts'

type Of<Value, I, More extends string = never> = Expr<Value, NeedsOf<I> | More, NameOf<I>>

const call = <V, N extends string, As extends string>(name: string, input: ColumnInput, ...others: readonly unknown[]): Expr<V, N, As> =>
  exprOf([`${name}(`, ...separated([inputOf(input), ...others.map(operandOf)]), ')'], inputOf(input).shape.name)

const parts = (texts: TemplateStringsArray, ...values: readonly unknown[]) => templateParts(texts, values)
const one = <Value>(name: string) => <const I extends ColumnInput>(input: I): Of<Value, I> => call(name, input)
const same = (name: string) => <const I extends ColumnInput>(input: I): Of<ValueOf<I>, I> => call(name, input)

// Any type.
/** The first value that is not NULL. */
export const coalesce = <const I extends ColumnInput, const N extends string = never>(input: I, ...others: readonly Operand<N>[]):
  Of<ValueOf<I>, I, N> => call('coalesce', input, ...others)
export const greatest = <const I extends ColumnInput, const N extends string = never>(input: I, ...others: readonly Operand<N>[]):
  Of<ValueOf<I>, I, N> => call('greatest', input, ...others)
export const least = <const I extends ColumnInput, const N extends string = never>(input: I, ...others: readonly Operand<N>[]):
  Of<ValueOf<I>, I, N> => call('least', input, ...others)
/** NULL in place of a value. */
export const nullIf = <const I extends ColumnInput, const N extends string = never>(input: I, other: Operand<N>): Of<ValueOf<I> | null, I,
  N> =>
  call('nullif', input, other)

// Numbers.
export const abs = same('abs')
export const floor = same('floor')
export const ceil = same('ceil')
export const sqrt = one<number>('sqrt')
export const ln = one<number>('ln')
export const exp = one<number>('exp')
/** Rounded to decimal places, of which a negative number means places before the point. */
export const round = <const I extends ColumnInput>(input: I, places = 0): Of<ValueOf<I>, I> => call('round', input, integer(places))
export const pow = <const I extends ColumnInput, const N extends string = never>(input: I, power: Operand<N>): Of<number, I, N> =>
  call('pow', input, power)

// Texts.
export const lower = one<string>('lower')
export const upper = one<string>('upper')
export const trim = one<string>('trim')
export const reverse = one<string>('reverse')
/** Number of characters. */
export const textLength = one<bigint>('length')
/** A part of a text, from its first character (1) on; negative numbers count from its end. */
export const substring = <const I extends ColumnInput>(input: I, start: number, length?: number): Of<string, I> =>
  call('substring', input, integer(start), ...length === undefined ? [] : [integer(length)])
/** All places of a text replaced. */
export const replace = <const I extends ColumnInput>(input: I, from: string, to: string): Of<string, I> => call('replace', input, from, to)
/** All matches of a regular expression (RE2) replaced; \1 is the first group. */
export const replaceMatches = <const I extends ColumnInput>(input: I, pattern: string, to: string): Of<string, I> =>
  call('regexp_replace', input, pattern, to, 'g')
/** The first match of a regular expression, or of its group of this number; the empty text if there is none. */
export const extract = <const I extends ColumnInput>(input: I, pattern: string, group = 0): Of<string, I> =>
  call('regexp_extract', input, pattern, integer(group))
export const split = <const I extends ColumnInput>(input: I, separator: string): Of<readonly string[], I> =>
  call('string_split', input, separator)
export const padStart = <const I extends ColumnInput>(input: I, length: number, fill = ' '): Of<string, I> =>
  call('lpad', input, integer(length), fill)
/** Texts of several columns and values, joined; NULL is left out. */
export const concat = <const I extends ColumnInput, const N extends string =
  never>(input: I, ...others: readonly Operand<N>[]): Of<string, I, N> =>
  call('concat', input, ...others)

// Dates and times.
const units = [
  'microsecond', 'millisecond', 'second', 'minute', 'hour', 'day', 'week', 'month', 'quarter', 'year', 'decade', 'century',
] as const
type TimeUnit = typeof units[number]

export const year = one<bigint>('year')
export const quarter = one<bigint>('quarter')
export const month = one<bigint>('month')
export const day = one<bigint>('day')
/** From Monday (1) to Sunday (7). */
export const weekday = one<bigint>('isodow')
export const dayOfYear = one<bigint>('dayofyear')
export const hour = one<bigint>('hour')
export const minute = one<bigint>('minute')
export const second = one<bigint>('second')
/** Seconds since 1970. */
export const epoch = one<number>('epoch')
export const toDate = <const I extends ColumnInput>(input: I): Of<string, I> =>
  exprOf(parts`CAST(${inputOf(input)} AS DATE)`, nameOf(input))
/** The beginning of the hour, day, month … of a date or time. */
export const truncate = <const I extends ColumnInput>(input: I, unit: TimeUnit): Of<string, I> =>
  exprOf(parts`date_trunc(${unitOf(unit)}, ${inputOf(input)})`, nameOf(input))
/** A time some units later; a negative number means earlier. */
export const addTime = <const I extends ColumnInput>(input: I, amount: number, unit: TimeUnit): Of<string, I> =>
  exprOf(parts`(${inputOf(input)} + ${integer(amount)} * CAST(${`1 ${unitOf(unit)}`} AS INTERVAL))`, nameOf(input))
/** The number of boundaries of a unit between two times: from 23:59 to 0:01 is one day. */
export const timeBetween = <const I extends ColumnInput, const N extends string =
  never>(from: I, to: ColumnInput<N>, unit: TimeUnit): Of<bigint, I, N> =>
  exprOf(parts`date_diff(${unitOf(unit)}, ${inputOf(from)}, ${inputOf(to)})`, nameOf(from))
/** The time as a text, by a format such as %Y-%m-%d %H:%M. */
export const formatTime = <const I extends ColumnInput>(input: I, format: string): Of<string, I> => call('strftime', input, format)
/** A text as a time, by such a format. */
export const parseTime = <const I extends ColumnInput>(input: I, format: string): Of<string, I> => call('strptime', input, format)

// Lists and structs.
export const listLength = one<bigint>('len')
export const listContains = <const I extends ColumnInput, const N extends string = never>(input: I, value: Operand<N>): Of<boolean, I, N> =>
  call('list_contains', input, value)
export const listSort = same('list_sort')
export const listDistinct = same('list_distinct')
export const listSum = one<SqlValue>('list_sum')
export const listMin = one<SqlValue>('list_min')
export const listMax = one<SqlValue>('list_max')
export const listMean = one<number>('list_avg')
export const listText = <const I extends ColumnInput>(input: I, separator = ','): Of<string, I> => call('array_to_string', input, separator)
/** A row for each element; rows with an empty list, or none, are left out. */
export const unnest = <const I extends ColumnInput>(input: I): Of<SqlValue, I> =>
  exprOf(['unnest(', inputOf(input), ')'], nameOf(input), 'unnest')

/** A LIST of the values of columns. */
export const list = <const I extends readonly ColumnInput[]>(...inputs: I): Expr<readonly SqlValue[], NeedsOf<I[number]>, 'list'> =>
  exprOf(['[', ...separated(inputs.map(inputOf)), ']'], 'list')

/** A STRUCT of columns under names. */
export function struct<const F extends Readonly<Record<string, ColumnInput>>>(
  fields: F,
): Expr<{ readonly [K in keyof F]: SqlValue }, NeedsOf<F[keyof F]>, 'struct'> {
  const parts = Object.entries(fields).flatMap(([name, input], i): (string | AnyExpr)[] =>
    [i === 0 ? '' : ', ', operandOf(identifier(name)), ': ', inputOf(input)])
  if (parts.length === 0) throw new GristmillError('EINVAL', 'a struct has at least one field')
  return exprOf(['{', ...parts, '}'], 'struct')
}

const nameOf = (input: ColumnInput): string | undefined => inputOf(input).shape.name

function integer(value: number): number {
  if (!Number.isSafeInteger(value)) throw new GristmillError('EINVAL', `${shown(value)} is given where a whole number is needed`)
  return value
}

function unitOf(unit: TimeUnit): string {
  if (!units.includes(unit)) throw new GristmillError('EINVAL', `${shown(unit)} is no unit of time; give one of ${units.join(', ')}`)
  return unit
}
