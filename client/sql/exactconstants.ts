// Constants of PARTITION: each is exactly a value of its column, or refused. A cast that rounds it would replace the rows of a partition
// that the statement does not name.

import { GristmillError } from '../../src/base/errors.ts'
import type { SqlValue } from '../../src/base/sql.ts'
import { withoutEnd } from '../../src/base/withoutend.ts'
import type { PartitionValue } from './command.ts'

/** The first row of a query. */
type Row = (sql: string) => Promise<readonly SqlValue[]>

/** Throws EINVAL for a constant that a cast to the type of its column, or the cast of its text to the type that it names, would change. */
export async function checkConstants(
  columns: ReadonlyArray<{ readonly name: string; readonly type: string }>, partition: readonly PartitionValue[], row: Row,
): Promise<void> {
  for (const { column, value, typed } of partition) {
    const found = columns.find(each => each.name.toLowerCase() === column.toLowerCase())
    if (!found || value === undefined) continue
    const near = typed && await nearest(row, typed.text, typed.type)
    if (near !== undefined) throw new GristmillError('EINVAL', `${typed!.text} is no value of ${typed!.type}; the nearest one is ${near}`)
    const other = await nearest(row, value, found.type)
    if (other !== undefined)
      throw new GristmillError('EINVAL', `${value} is no value of the column ${found.name} (${found.type}); the nearest one is ${other}`)
  }
}

/** Text of the value that the constant becomes by a cast to the type; undefined: it has the value of the constant. */
async function nearest(row: Row, value: string, type: string): Promise<string | undefined> {
  const cast = `CAST(${value} AS ${type})`
  const [given, text, own] = await row(`SELECT typeof(${value}), CAST(${value} AS VARCHAR), typeof(CAST(NULL AS ${type}))`)
  const constant = { given: String(given), value, text: text === null ? '' : String(text) }
  const number = given === 'VARCHAR' && exact.test(String(own)) ? plainNumber(constant.text) : undefined
  const condition = number === undefined ? unchangedSql(constant, String(own), cast) : 'true'
  const [isSame, found] = await row(`SELECT ${condition}, CAST(${cast} AS VARCHAR)`)
  const near = String(found)
  return isSame === false || (number !== undefined && plainNumber(near) !== number) ? near : undefined
}

interface TypedConstant { readonly given: string; readonly value: string; readonly text: string }

const wholes = /^U?(?:TINY|SMALL|BIG|HUGE)?INT(?:EGER)?$/
/** Types of numbers that hold no nearest one for another. */
const exact = new RegExp(`${wholes.source}|^DECIMAL`)

/** Condition: the cast of the constant to the type has the value of the constant. */
function unchangedSql({ given, value, text }: TypedConstant, type: string, cast: string): string {
  if (type === 'FLOAT' || type === 'DOUBLE') return nearSql({ given, value, text }, cast)
  // Texts that are no plain numbers are rounded to none.
  if (given === 'VARCHAR') return exact.test(type) || isTimeKept(text, type) ? timeSql(value, type, cast) : 'false'
  if (exact.test(type)) return `${cast} IS NOT DISTINCT FROM ${value}`
  // A number of 32 or 64 bits stands for the decimal number that it is nearest to.
  if (type === 'VARCHAR' || given.includes('NULL')) return 'true'
  return `TRY_CAST(${cast} AS ${given}) IS NOT DISTINCT FROM ${value}`
}

/** A fraction stands for the number that is nearest to it; a whole number does not, nor a finite one for infinity, or one for 0. */
function nearSql({ given, value, text }: TypedConstant, cast: string): string {
  const isText = given === 'VARCHAR'
  if (isText ? /^\s*[-+]?\d{1,38}\s*$/.test(text) : wholes.test(given))
    return `TRY_CAST(${cast} AS HUGEINT) IS NOT DISTINCT FROM ${isText ? `CAST(${value} AS HUGEINT)` : value}`
  // The engine has made 1e400 infinite already.
  const written = /^[-+(\s]*[\d.]/.test(value) ? value : text
  const isFinite = !/inf/i.test(written)
  const isZero = !/[1-9]/.test(/[\d._]+/.exec(written)?.[0] ?? '0')
  return `NOT (${isFinite ? `isinf(${cast})` : 'false'}${isZero ? '' : ` OR ${cast} = 0`})`
}

/** The number in a text, in one form for equal numbers; undefined: other texts. */
function plainNumber(text: string): string | undefined {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^\s*([-+]?)(?=\.?\d)(\d*)(?:\.(\d*))?(?:e([-+]?\d{1,3}))?\s*$/i.exec(text.replaceAll('_', '')) ?? []
  const digits = whole + fraction
  if (digits === '') return undefined
  const point = whole.length + Number(exponent)
  const padded = digits.padStart(digits.length + Math.max(0, -point), '0').padEnd(point, '0')
  const at = Math.max(0, point)
  const plain = `${padded.slice(0, at).replace(/^0+/, '') || '0'}.${withoutEnd(padded.slice(at), '0') || '0'}`
  return sign === '-' && plain !== '0.0' ? `-${plain}` : plain
}

/** Digits behind the second that a type holds. */
const fractions: Readonly<Record<string, number>> = { TIMESTAMP_S: 0, TIMESTAMP_MS: 3, TIMESTAMP_NS: 9, TIME_NS: 9 }

/** The text of a time has no more digits, and no day or offset, that its type has no place for. */
function isTimeKept(text: string, type: string): boolean {
  if (!type.startsWith('TIME')) return true
  const digits = withoutEnd(/:\d{1,2}\.(\d+)/.exec(text)?.[1] ?? '', '0').length
  return digits <= (fractions[type] ?? 6) && (!/^TIME(?:_NS)?$/.test(type) || /^\s*[\d:.]+\s*$/.test(text))
}

/** Condition: the day, or the moment without an offset, is that of the text. */
function timeSql(value: string, type: string, cast: string): string {
  if (!/^(?:DATE|TIMESTAMP(?:_S|_MS|_NS)?)$/.test(type)) return 'true'
  // Nanoseconds hold fewer years.
  const times = ['TIMESTAMP_NS', 'TIMESTAMP'].map(each => `TRY_CAST(${value} AS ${each}) = ${cast}`)
  return `(coalesce(${times.join(', ')}, true) AND coalesce(TRY_CAST(${value} AS TIMESTAMPTZ) = CAST(${cast} AS TIMESTAMPTZ), true))`
}
