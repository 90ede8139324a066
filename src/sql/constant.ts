// Constants of DuckDB's plans as SQL writes them, each with its type. Integers, decimals, dates and times come as whole numbers.

import { listOf, only, textOf, type Json, type JsonObject } from './json.ts'
import { nameSql, textSql } from './quote.ts'
import { fieldsOf, typeSql } from './types.ts'
import { unsupported } from './unsupported.ts'

export function constantSql(value: Json | undefined): string {
  const { type, is_null, value: of } = only(value, ['type', 'is_null', 'value'])
  const sql = typeSql(type)
  if (is_null === true) return sql === '"NULL"' ? 'NULL' : `CAST(NULL AS ${sql})`
  return of === undefined ? unsupported(`a constant of type ${sql}`) : literal(type as JsonObject, sql, of)
}

function literal(type: JsonObject, sql: string, value: Json): string {
  const id = textOf(type.id)
  const cast = (text: string): string => `CAST(${textSql(text)} AS ${sql})`
  switch (id) {
    case 'BOOLEAN':
      return value === true ? 'true' : 'false'
    case 'TINYINT':
    case 'SMALLINT':
    case 'INTEGER':
    case 'BIGINT':
    case 'UTINYINT':
    case 'USMALLINT':
    case 'UINTEGER':
    case 'UBIGINT':
      return cast(String(wholeOf(value)))
    case 'HUGEINT':
      return cast(String(wide(value)))
    case 'DECIMAL':
      return cast(decimalText(wide(value), Number((type.type_info as JsonObject).scale)))
    // JavaScript writes a double with the digits that give the same one again.
    case 'FLOAT':
    case 'DOUBLE':
      return cast(Object.is(value, -0) ? '-0.0' : String(value))
    case 'VARCHAR':
      return textOf(value).includes('\0') ? unsupported('a text with a zero byte') : textSql(textOf(value))
    case 'DATE':
      return `CAST(${textSql(dateText(wholeOf(value)))} AS DATE)`
    case 'TIMESTAMP':
      return cast(timestampText(wholeOf(value)))
    case 'TIMESTAMP WITH TIME ZONE':
      return cast(`${timestampText(wholeOf(value))}+00`)
    case 'INTERVAL': {
      const { months, days, micros } = only(value, ['months', 'days', 'micros'])
      return cast(`${wholeOf(months)} months ${wholeOf(days)} days ${wholeOf(micros)} microseconds`)
    }
    case 'LIST':
    case 'ARRAY':
      return `CAST([${listOf(only(value, ['children']).children)
        .map(constantSql)
        .join(', ')}] AS ${sql})`
    case 'STRUCT': {
      const children = listOf(only(value, ['children']).children)
      const fields = fieldsOf((type.type_info as JsonObject).child_types)
      return `{${fields.map(([name], i) => `${nameSql(name)}: ${constantSql(children[i])}`).join(', ')}}`
    }
    default:
      return unsupported(`a constant of type ${sql}`)
  }
}

const wholeOf = (value: Json | undefined): bigint =>
  typeof value === 'bigint' ? value : typeof value === 'number' && Number.isInteger(value) ? BigInt(value) : unsupported('an odd number')

/** A number of up to 128 bits: DuckDB writes the wider ones as two halves. */
function wide(value: Json): bigint {
  if (typeof value !== 'object') return wholeOf(value)
  const { upper, lower } = only(value, ['upper', 'lower'])
  return (wholeOf(upper) << 64n) + wholeOf(lower)
}

function decimalText(units: bigint, scale: number): string {
  const digits = String(units < 0n ? -units : units).padStart(scale + 1, '0')
  return `${units < 0n ? '-' : ''}${digits.slice(0, digits.length - scale)}${scale > 0 ? `.${digits.slice(-scale)}` : ''}`
}

/** Years that are written with four digits; others are rare enough to be gathered. */
const timeText = (millis: number): string => {
  const date = new Date(millis)
  const year = Number.isNaN(millis) ? 0 : date.getUTCFullYear()
  return year >= 1 && year <= 9999 ? date.toISOString() : unsupported('a date outside of the years 1 to 9999')
}

const dateText = (days: bigint): string => timeText(Number(days) * 86_400_000).slice(0, 10)

function timestampText(micros: bigint): string {
  const rest = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n
  return `${timeText(Number((micros - rest) / 1000n)).slice(0, 19)}.${String(rest).padStart(6, '0')}`
}
