// `quality`: a check of an output by rules for its columns, with a report of what was found. It reads each row once. Part of every bundle,
// as authoring.ts is.
// INVARIANT: a rule that could not be looked at refuses the output.

import { digits } from '../base/exactjson.ts'
import type { Check, ComputedOutput, Context } from './definition.ts'

/** Rules for a column. A value that is missing, null, or an empty text is none. */
export interface ColumnRules {
  /** Rows that may have no value; default: any number of them. */
  readonly nulls?: number | undefined
  /** Least and largest value. Numbers: the values are numbers, or texts of numbers. Texts: compared by code units, such as dates. */
  readonly min?: number | bigint | string | undefined
  readonly max?: number | bigint | string | undefined
  /** No value occurs twice. */
  readonly unique?: boolean | undefined
  /** Each value is one of these, compared as texts: keys of another table, which the program has collected. */
  readonly in?: Iterable<string | number | bigint | boolean> | undefined
  /** Each value, as a text, matches. */
  readonly matches?: RegExp | undefined
}

export interface QualityRules {
  /** Least and largest number of rows. */
  readonly rows?: { readonly min?: number | undefined; readonly max?: number | undefined } | undefined
  /** By the names of columns. */
  readonly columns?: Readonly<Record<string, ColumnRules>> | undefined
}

const known = ['nulls', 'min', 'max', 'unique', 'in', 'matches']
/** A task may have 200 counters. */
const columnsMax = 40
/** Different values of a column that are kept, to find one that occurs twice: some 200 MB. */
const distinctMax = 2_000_000

/** A check of `save` or `mapReduce` by rules for its columns: jsonl, or csv with a header. The report is in the counters of the job. */
export function quality(rules: QualityRules): Check<any> {
  const { rows = {}, columns = {}, ...others } = rules
  const [other] = Object.keys(others)
  if (other !== undefined) throw new TypeError(`quality does not know ${JSON.stringify(other)}; it knows rows and columns`)
  const names = Object.keys(columns)
  if (names.length > columnsMax) throw new TypeError(`quality was given rules for ${names.length} columns; it takes ${columnsMax}`)
  for (const name of names) checkRules(name, columns[name]!)
  checkRows(rows)
  return async (output: ComputedOutput, context: Context) => {
    const found = names.map(name => new Column(name, columns[name]!))
    let count = 0
    for await (const row of output.rows()) {
      if (typeof row !== 'object' || row === null || Array.isArray(row))
        return `row ${count + 1} has no names of columns; quality looks at jsonl with objects, and at csv with a header`
      count++
      for (const column of found) column.take(row as Readonly<Record<string, unknown>>, count)
    }
    report(context, count, found)
    const faults = found.flatMap(column => column.faults(count))
    if (rows.min !== undefined && count < rows.min) faults.unshift(`it has ${count} rows, and ${rows.min} at least are wanted`)
    if (rows.max !== undefined && count > rows.max) faults.unshift(`it has ${count} rows, and ${rows.max} at most are wanted`)
    return faults.length === 0 ? undefined : faults.join('; ')
  }
}

function checkRows(rows: NonNullable<QualityRules['rows']>): void {
  for (const [rule, count] of Object.entries(rows)) {
    if (rule !== 'min' && rule !== 'max') throw new TypeError(`rows of quality do not know ${JSON.stringify(rule)}; they know min and max`)
    if (count !== undefined && !(Number.isInteger(count) && count >= 0)) throw new TypeError(`${rule} of rows is a number of rows, 0 or more`)
  }
}

function checkRules(name: string, rules: ColumnRules): void {
  const of = `the rules for ${JSON.stringify(name)}`
  for (const rule of Object.keys(rules))
    if (!known.includes(rule)) throw new TypeError(`${of} do not know ${JSON.stringify(rule)}; they know ${known.join(', ')}`)
  const { nulls, min, max, unique, in: among, matches } = rules
  if (nulls !== undefined && !(Number.isInteger(nulls) && nulls >= 0)) throw new TypeError(`nulls of ${of} is a number of rows, 0 or more`)
  for (const bound of [min, max])
    if (bound !== undefined && !['string', 'bigint'].includes(typeof bound) && !Number.isFinite(bound))
      throw new TypeError(`min and max of ${of} are numbers or texts`)
  if (min !== undefined && max !== undefined && (typeof min === 'string') !== (typeof max === 'string'))
    throw new TypeError(`min and max of ${of} are of one type`)
  if (unique !== undefined && typeof unique !== 'boolean') throw new TypeError(`unique of ${of} is true or false`)
  if (among !== undefined && (typeof among === 'string' || typeof among[Symbol.iterator] !== 'function'))
    throw new TypeError(`in of ${of} is a list of values`)
  if (matches !== undefined && !(matches instanceof RegExp)) throw new TypeError(`matches of ${of} is a regular expression`)
}

/** A number, or the text of one; undefined for other values. Whole numbers keep their digits. */
function amountOf(value: unknown): number | bigint | undefined {
  if (typeof value === 'bigint') return value
  if (typeof value === 'string' && /^[+-]?\d{16,}$/.test(value)) return BigInt(value.replace('+', ''))
  const amount = typeof value === 'number' ? value : typeof value === 'string' && value.trim() !== '' ? Number(value) : NaN
  return Number.isFinite(amount) ? amount : undefined
}

/** Values against one rule: how many, and the first of them. */
interface Found { count: number; first: string }

class Column {
  readonly #name: string
  readonly #rules: ColumnRules
  readonly #among: ReadonlySet<string> | undefined
  readonly #matches: RegExp | undefined
  readonly #seen: Set<string> | undefined
  readonly #found = new Map<string, Found>()
  #present = 0
  nulls = 0
  least: number | undefined
  most: number | undefined

  constructor(name: string, rules: ColumnRules) {
    this.#name = name
    this.#rules = rules
    this.#among = rules.in && new Set([...rules.in].map(String))
    // Without its flags g and y, which have a regular expression go on behind its last match.
    this.#matches = rules.matches && new RegExp(rules.matches.source, rules.matches.flags.replaceAll(/[gy]/g, ''))
    this.#seen = rules.unique ? new Set() : undefined
  }

  get name(): string { return this.#name }

  get distinct(): number | undefined { return this.#seen?.size }

  take(row: Readonly<Record<string, unknown>>, number: number): void {
    if (Object.hasOwn(row, this.#name)) this.#present++
    const value = Object.hasOwn(row, this.#name) ? row[this.#name] : undefined
    if (value === undefined || value === null || value === '') return void this.nulls++
    const text = typeof value === 'string' ? value : JSON.stringify(value, digits)
    const against = (rule: string): void => this.#against(rule, text, number)
    const amount = amountOf(value)
    if (amount !== undefined) {
      this.least = Math.min(this.least ?? Infinity, Number(amount))
      this.most = Math.max(this.most ?? -Infinity, Number(amount))
    }
    const { min, max } = this.#rules
    if (['number', 'bigint'].includes(typeof (min ?? max))) {
      if (amount === undefined) against('are no number')
      else if (min !== undefined && amount < (min as number)) against(`are below ${min}`)
      else if (max !== undefined && amount > (max as number)) against(`are above ${max}`)
    } else if (min !== undefined && text < (min as string)) against(`are before ${min}`)
    else if (max !== undefined && text > (max as string)) against(`are behind ${max}`)
    if (this.#among && !this.#among.has(text)) against('are none of the values that are allowed')
    if (this.#matches && !this.#matches.test(text)) against(`do not match ${String(this.#matches)}`)
    // The number 1 and the text "1" differ.
    const own = typeof value === 'string' ? `"${text}` : text
    if (this.#seen?.has(own)) against('are there already')
    else if (this.#seen && this.#seen.size < distinctMax) this.#seen.add(own)
    else if (this.#seen) against(`are more than the ${distinctMax} different ones that can be compared; count them in a step of the program`)
  }

  #against(rule: string, text: string, number: number): void {
    const found = this.#found.get(rule)
    if (found) found.count++
    else this.#found.set(rule, { count: 1, first: `${JSON.stringify(text.slice(0, 60))} in row ${number}` })
  }

  /** `rows`: of the output. */
  faults(rows: number): string[] {
    const name = JSON.stringify(this.#name)
    if (rows > 0 && this.#present === 0) return [`no row has the column ${name}`]
    const { nulls } = this.#rules
    return [
      ...nulls !== undefined && this.nulls > nulls ? [`${this.nulls} of ${rows} rows have no ${name}, and ${nulls} may have none`] : [],
      ...[...this.#found].map(([rule, { count, first }]) => `${count} values of ${name} ${rule}, first ${first}`),
    ]
  }
}

/** Counters: rows, and of each column its nulls, its least and largest number, and its different values if they are counted. */
function report(context: Context, rows: number, columns: readonly Column[]): void {
  context.counter('quality.rows', rows)
  for (const { name, nulls, least, most, distinct } of columns) {
    const of = `quality.${name.toWellFormed().slice(0, 60)}`
    context.counter(`${of}.nulls`, nulls)
    if (least !== undefined && most !== undefined) {
      context.counter(`${of}.min`, least)
      context.counter(`${of}.max`, most)
    }
    if (distinct !== undefined) context.counter(`${of}.distinct`, distinct)
  }
}
