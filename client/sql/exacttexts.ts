// Texts of CSV and JSON that are values of a type without loss: the engine's casts drop the offset of a timestamp, its digits beyond a
// microsecond, the time behind a date, and read `epoch` as a day. The same rules choose the type of a column and check its values.

import { literalOf } from '../../src/base/sql.ts'

/** Forms of dates and timestamps in the files of a table, for strptime. Default: those of ISO 8601. */
export interface DateForms {
  readonly dateFormat?: string | undefined
  readonly timestampFormat?: string | undefined
  /** Forms that the query gives, which values need not prove. */
  readonly told?: ReadonlyArray<string | undefined>
  /** A timestamp may end in Z, which says that it is one of UTC, as all of JSON are. */
  readonly isUtc?: boolean
}

export const zoned = 'TIMESTAMP WITH TIME ZONE'

const isoDay = '[0-9]{4,}[-/][0-9]{1,2}[-/][0-9]{1,2}( [(]BC[)])?'
// The engine keeps microseconds.
const seconds = '(:[0-9]{1,2}([.][0-9]{1,6}0*)?)?'
const isoTime = `[0-9]{1,2}:[0-9]{1,2}${seconds}`
/** Hour 24 would be one of the next day. */
const isoMoment = `${isoDay}([T ] *([01]?[0-9]|2[0-3]):[0-9]{1,2}${seconds})?`
const zone = ' *([A-Za-z+-][A-Za-z0-9:/_+-]*)?'

/**
 * SQL: the value of a text, NULL for a text that would become another value. `text`: SQL, computed several times. undefined: other rules
 * hold for the type (strict.ts).
 */
export function exactValue(type: string, text: string, { dateFormat, timestampFormat, isUtc = false }: DateForms = {}): string | undefined {
  const when = (condition: string, value: string): string => `WHEN ${condition} THEN ${value}`
  const cast = (form: string): string =>
    when(`regexp_full_match(${text}, ${literalOf(`\\s*${form}\\s*`)})`, `TRY_CAST(${text} AS ${type})`)
  const parsed = (format: string): string => when(isFormed(text, format), `CAST(try_strptime(${text}, ${literalOf(format)}) AS ${type})`)
  const moment = (form: string, format: string | undefined): string =>
    `CASE WHEN ${text} IN ('infinity', '-infinity') THEN CAST(${text} AS ${type})`
    + ` ${format === undefined || format === '%Y-%m-%d' ? cast(form) : parsed(format)} END`
  switch (type) {
    case 'BOOLEAN':
      // F may be a sex, and no a country.
      return `CASE WHEN lower(${text}) = 'true' THEN true WHEN lower(${text}) = 'false' THEN false END`
    case 'DATE': return moment(isoDay, dateFormat)
    case 'TIME': return `CASE ${cast(isoTime)} END`
    case 'TIMESTAMP': return moment(`${isoMoment}(${isUtc ? 'Z|' : ''} UTC)?`, timestampFormat)
    case zoned: return moment(isoMoment + zone, timestampFormat)
    default: return undefined
  }
}

/** True for a form whose order of year, month and day nothing else is written in. */
export const isOrdered = (format: string): boolean => /^%Y([-/. ])%m\1%d/.test(format)

/**
 * The form with day and month in each other's places, in which the same values may be meant. undefined: the form has no such order, or says
 * too little of it, as with years of two digits, whose century no value tells.
 */
export function otherOrder(format: string): string | undefined {
  const [, first, mark, second, rest] = /^%([dm])(\D)%([dm])(\2%Y.*)$/.exec(format) ?? []
  return first === undefined || first === second ? undefined : `%${second!}${mark!}%${first}${rest!}`
}

/** SQL: true for a text that strptime reads as it is meant: no word such as `epoch`, and no year of two digits for one of four. */
function isFormed(text: string, format: string): string {
  const digits = literalOf(format.includes('%Y') ? '[0-9]{4}' : '[0-9]')
  return `regexp_matches(${text}, ${digits}) AND try_strptime(${text}, ${literalOf(format)}) IS NOT NULL`
}
