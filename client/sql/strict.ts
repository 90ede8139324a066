// Values of CSV and JSON that do not fit the type of their column. The engine's readers bend them: 1.5 becomes the integer 2, a time of day
// is cut from a date, the offset from a timestamp, "77" of JSON becomes a number. Columns of such types are read as texts, and a cast of
// this program takes what fits.

import { literalOf, quotedName, typeText, type SqlColumn, type SqlType } from '../../src/base/sql.ts'
import { misfitSql } from '../../src/operator/misfit.ts'
import type { ShapeColumn } from '../../src/operator/sqltable.ts'
import { decimalValue } from './decimals.ts'
import { exactValue, type DateForms } from './exacttexts.ts'
import { integers, isBent, isPadded, isShort, isWhole, textIn } from './wholenumbers.ts'

interface Strict { readonly type: string; readonly sql: string }

type Format = 'csv' | 'json'

/**
 * Columns of a table, each with its cast if the engine's reader is not strict enough. `isAll`: their types were found in all values, so
 * that of JSON only a DOUBLE, a date or a time can bend some. `forms`: of CSV.
 */
export function strictColumns(
  columns: readonly SqlColumn[], format: Format, { isAll = false, forms }: { readonly isAll?: boolean; readonly forms?: DateForms } = {},
): ShapeColumn[] {
  const isNamed = !columns.some(({ name }) => name.toLowerCase() === 'filename')
  return columns.map(({ name, type }) => {
    const fault = (text: string, wanted: string): string =>
      misfitSql(name, { text, type: wanted, file: isNamed ? 'filename' : undefined, isAll: wanted === typeText(type) })
    const isFree = isAll && format === 'json' && !/DOUBLE|DECIMAL|DATE|TIME/.test(typeText(type))
    const sql = format === 'csv' ? textIn(name) : quotedName(name)
    const read = isFree ? undefined : strictOf(type, { format, forms, sql, fault, depth: 0 })
    return { name, type: typeText(type), ...read && { read } }
  })
}

interface Value {
  readonly format: Format
  readonly forms: DateForms | undefined
  /** The value as it is read. */
  readonly sql: string
  /** Throws for a text that has not the type. */
  readonly fault: (text: string, type: string) => string
  readonly depth: number
}

/** Type with which the value is read, and the value; undefined: the reader takes no other values. */
function strictOf(type: SqlType, value: Value): Strict | undefined {
  switch (type.kind) {
    case 'plain': return leafOf(type.name, value)
    case 'list': {
      const item = `e${value.depth}`
      const own = strictOf(type.item, { ...value, sql: item, depth: value.depth + 1 })
      return own && { type: `${own.type}[]`, sql: `list_transform(${value.sql}, lambda ${item}: ${own.sql})` }
    }
    case 'struct': {
      const fields = type.fields.map(({ name, type: of }) => {
        const sql = `struct_extract(${value.sql}, ${literalOf(name)})`
        return { name, of, sql, own: strictOf(of, { ...value, sql }) }
      })
      if (fields.every(({ own }) => own === undefined)) return undefined
      const types = fields.map(({ name, of, own }) => `${quotedName(name)} ${own?.type ?? typeText(of)}`)
      const values = fields.map(({ name, sql, own }) => `${literalOf(name)}: ${own?.sql ?? sql}`)
      return { type: `STRUCT(${types.join(', ')})`, sql: `CASE WHEN ${value.sql} IS NOT NULL THEN {${values.join(', ')}} END` }
    }
    case 'map': {
      const entry = `e${value.depth}`
      const own = strictOf(type.value, { ...value, sql: `${entry}.value`, depth: value.depth + 1 })
      const entries = `list_transform(map_entries(${value.sql}), lambda ${entry}: {'key': ${entry}.key, 'value': ${own?.sql}})`
      return own && { type: `MAP(${typeText(type.key)}, ${own.type})`, sql: `map_from_entries(${entries})` }
    }
    default: return undefined
  }
}

function leafOf(type: string, { format, forms, sql, fault }: Value): Strict | undefined {
  const text = format === 'json' ? `CAST(${sql} AS VARCHAR)` : sql
  const checked = (cases: string): string => `CASE ${cases} WHEN ${text} IS NULL THEN NULL ELSE ${fault(text, type)} END`
  if (integers.test(type)) {
    // Most texts are those of their numbers; others are looked at.
    const own = `WHEN CAST(TRY_CAST(${text} AS ${type}) AS VARCHAR) = ${text} THEN CAST(${text} AS ${type})`
    const value = `CAST(${text} AS ${type})`
    const other = format === 'json' ? '' : ` WHEN ${isWhole(text)} AND TRY_${value} IS NOT NULL THEN ${value}`
    return { type: format === 'json' ? 'JSON' : 'VARCHAR', sql: checked(own + other) }
  }
  const exact = decimalValue(type, text)
  if (exact !== undefined) return { type: format === 'json' ? 'JSON' : 'VARCHAR', sql: valueOr(exact, text, fault(text, type)) }
  if (format === 'csv') {
    if (type === 'DOUBLE') return { type: 'VARCHAR', sql: doubleOf(text, fault(text, type), { isCsv: true }) }
    return exactly(type, text, { forms, fault })
  }
  switch (type) {
    case 'BOOLEAN': return { type: 'JSON', sql: checked(`WHEN ${text} = 'true' THEN true WHEN ${text} = 'false' THEN false`) }
    // Numbers of JSON begin with a digit or a minus; texts with a quote, true and false with a letter.
    case 'DOUBLE': return { type: 'JSON', sql: checked(`WHEN ${text}[1] BETWEEN '-' AND '9' THEN ${doubleOf(text, fault(text, type))}`) }
    default: return exactly(type, sql, { forms: { isUtc: true }, fault })
  }
}

/** A date, a time or a truth value. */
function exactly(type: string, text: string, { forms, fault }: Pick<Value, 'forms' | 'fault'>): Strict | undefined {
  const value = exactValue(type, text, forms)
  return value === undefined ? undefined
    : { type: 'VARCHAR', sql: valueOr(value, text, fault(text, type)) }
}

const valueOr = (value: string, text: string, fault: string): string =>
  `coalesce(${value}, CASE WHEN ${text} IS NOT NULL THEN ${fault} END)`

/** Most texts are short, or the shortest ones of their values, and are read at once. */
function doubleOf(text: string, fault: string, { isCsv = false } = {}): string {
  const value = `TRY_CAST(${text} AS DOUBLE)`
  const read = `coalesce(${isCsv ? `CASE WHEN NOT ${isPadded(text)} THEN ${value} END` : value}, ${fault})`
  return `CASE WHEN ${isShort(text)} OR CAST(${value} AS VARCHAR) = ${text} THEN ${read} WHEN ${text} IS NULL THEN NULL`
    + ` WHEN NOT ${isBent(text)} THEN ${read} ELSE ${fault} END`
}
