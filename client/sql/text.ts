// Values of SQL as text: for tables and CSV the text that a cast would give, for JSON numbers with all their digits. No digit is rounded.

import type { SqlColumn, SqlType, SqlValue } from '../../src/base/sql.ts'

/** Text of a value that is not NULL. Nested values are JSON. */
export function valueText(value: Exclude<SqlValue, null>, type: SqlType): string {
  if (type.kind !== 'plain') return jsonText(value, type)
  if (typeof value === 'number') return numberText(value, type)
  return value instanceof Uint8Array ? blobText(value) : String(value)
}

/** The value as JSON. Values that JSON has no form for are texts: NaN, infinities, dates, bytes. */
export function jsonText(value: SqlValue, type: SqlType): string {
  if (value === null) return 'null'
  switch (type.kind) {
    case 'list': return `[${(value as readonly SqlValue[]).map(item => jsonText(item, type.item)).join(',')}]`
    case 'struct': return objectText(type.fields.map(field => [field.name, (value as Record<string, SqlValue>)[field.name]!, field.type]))
    case 'map':
      return objectText([...value as ReadonlyMap<SqlValue, SqlValue>].map(([key, item]) => [textOfKey(key, type.key), item, type.value]))
    // The type of the member is not known any more: only its text is sure.
    case 'union': return typeof value === 'bigint' ? String(value) : JSON.stringify(value)
    default:
  }
  if (typeof value === 'boolean' || typeof value === 'bigint') return String(value)
  if (typeof value === 'number') {
    if (Number.isNaN(value)) return '"NaN"'
    return Number.isFinite(value) ? numberText(value, type) : value > 0 ? '"Infinity"' : '"-Infinity"'
  }
  if (value instanceof Uint8Array) return JSON.stringify(blobText(value))
  return type.name.startsWith('DECIMAL') ? value as string : JSON.stringify(value)
}

const textOfKey = (key: SqlValue, type: SqlType): string => (key === null ? 'NULL' : valueText(key, type))

const objectText = (fields: ReadonlyArray<readonly [string, SqlValue, SqlType]>): string =>
  `{${fields.map(([name, value, type]) => `${JSON.stringify(name)}:${jsonText(value, type)}`).join(',')}}`

/** A row as an object. */
export const rowJson = (names: readonly string[], columns: readonly SqlColumn[], row: readonly SqlValue[]): string =>
  objectText(columns.map(({ type }, i) => [names[i]!, row[i]!, type]))

function numberText(value: number, type: SqlType): string {
  const name = type.kind === 'plain' ? type.name : ''
  if (name !== 'FLOAT' && name !== 'DOUBLE') return String(value)
  if (Number.isNaN(value)) return 'nan'
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf'
  if (Object.is(value, -0)) return '-0.0'
  const text = name === 'FLOAT' ? shortest(value) : String(value)
  return /[.e]/.test(text) ? text : `${text}.0`
}

/** The shortest text that is this number of 32 bits. */
function shortest(value: number): string {
  for (let digits = 6; digits < 9; digits++) {
    const text = String(Number(value.toPrecision(digits)))
    if (Math.fround(Number(text)) === value) return text
  }
  return String(Number(value.toPrecision(9)))
}

const blobText = (bytes: Uint8Array): string =>
  Array.from(bytes, byte => (byte >= 32 && byte < 127 && byte !== 92 ? String.fromCharCode(byte) : `\\x${hex(byte)}`)).join('')
const hex = (byte: number): string => byte.toString(16).toUpperCase().padStart(2, '0')

/** A field of CSV. NULL is empty, and the empty text is in quotes. */
export function csvField(value: SqlValue, type: SqlType): string {
  if (value === null) return ''
  const text = valueText(value, type)
  return text === '' || /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** The values of a row for a table. */
export const cellsOf = (row: readonly SqlValue[], columns: readonly SqlColumn[]): string[] =>
  row.map((value, i) => (value === null ? 'NULL' : valueText(value, columns[i]!.type)))

/** A text in one line of a terminal. */
export const oneLine = (cell: string): string =>
  cell.replaceAll(/[\n\r\t]/g, char => (char === '\n' ? '\\n' : char === '\r' ? '\\r' : '\\t'))

/** True for types whose values are aligned to the right. */
export const isNumber = (type: SqlType): boolean =>
  type.kind === 'plain' && /^(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|BIGNUM|FLOAT|DOUBLE|DECIMAL.*)$/.test(type.name)
