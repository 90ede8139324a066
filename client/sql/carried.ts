// Types that Parquet bends: it has no integers of 128 bits (they become DOUBLE), no bits, enums or microseconds in intervals. A query's
// Parquet has decimals or texts in their place.

import { documentColumn } from '../../src/connector/kafka/rows.ts'
import { quotedName, typeText, type SqlColumn, type SqlType } from '../../src/base/sql.ts'

const plain: Readonly<Record<string, string>> = {
  // 38 digits: a larger number is an error, and not another number.
  HUGEINT: 'DECIMAL(38, 0)', UHUGEINT: 'DECIMAL(38, 0)', BIGNUM: 'VARCHAR', BIT: 'VARCHAR', INTERVAL: 'VARCHAR', GEOMETRY: 'VARCHAR',
  'TIME WITH TIME ZONE': 'VARCHAR', TIME_NS: 'VARCHAR', VARIANT: 'VARCHAR', '"NULL"': 'INTEGER',
}

/** The type that holds all values of `type` in Parquet. */
function parquetType(type: SqlType): SqlType {
  switch (type.kind) {
    case 'list': return { kind: 'list', item: parquetType(type.item) }
    case 'struct': return { kind: 'struct', fields: type.fields.map(({ name, type: of }) => ({ name, type: parquetType(of) })) }
    case 'map': return { kind: 'map', key: parquetType(type.key), value: parquetType(type.value) }
    case 'union': return { kind: 'plain', name: 'VARCHAR' }
    default: return { kind: 'plain', name: type.name.startsWith('ENUM') ? 'VARCHAR' : plain[type.name] ?? type.name }
  }
}

/** The query with columns that Parquet holds, under the names given. */
export function parquetQuery(sql: string, columns: readonly SqlColumn[], names: readonly string[]): string {
  const inner = columns.map((_, i) => `c${i}`)
  const outer = columns.map(({ type }, i) => `CAST(c${i} AS ${typeText(parquetType(type))}) AS ${quotedName(names[i]!)}`)
  return `SELECT ${outer.join(', ')} FROM (${sql}\n) AS t(${inner.join(', ')})`
}

/** The query as one column of documents of JSON, for messages: bytes in base64. */
export function documentQuery(sql: string, columns: readonly SqlColumn[], names: readonly string[]): string {
  const inner = columns.map((_, i) => `c${i}`)
  const fields = columns.map(({ type }, i) => {
    const value = type.kind === 'plain' && type.name === 'BLOB' ? `base64(c${i})` : `c${i}`
    return `${quotedName(names[i]!)} := ${value}`
  })
  return `SELECT CAST(to_json(struct_pack(${fields.join(', ')})) AS VARCHAR) AS ${documentColumn} FROM (${sql}\n) AS t(${inner.join(', ')})`
}

/** The query with columns whose CSV PostgreSQL reads as the same values: bytes in hexadecimal, lists and structs as JSON. */
export function textQuery(sql: string, columns: readonly SqlColumn[], names: readonly string[]): string {
  const texts = columns.map(({ type }, i) => {
    if (type.kind !== 'plain') return `CAST(to_json(c${i}) AS VARCHAR) AS ${quotedName(names[i]!)}`
    if (type.name === 'BLOB') return `'\\x' || lower(hex(c${i})) AS ${quotedName(names[i]!)}`
    return `CAST(c${i} AS ${typeText(parquetType(type))}) AS ${quotedName(names[i]!)}`
  })
  return `SELECT ${texts.join(', ')} FROM (${sql}\n) AS t(${columns.map((_, i) => `c${i}`).join(', ')})`
}
