// Types of SQL as types of PostgreSQL, and their values as texts. What PostgreSQL has no type for is sent as the text of JSON (structs,
// maps) or as text, never as another value.

import type { SqlType, SqlValue } from '../../../src/base/sql.ts'
import { jsonText, valueText } from '../../sql/text.ts'

export interface PgType {
  readonly oid: number
  /** Bytes of a value; -1: it varies. */
  readonly size: number
  readonly modifier: number
  /** Element of an array. */
  readonly item?: { readonly pg: PgType; readonly type: SqlType }
}

const plain = (oid: number, size: number, modifier = -1): PgType => ({ oid, size, modifier })

export const oids = {
  bool: 16, bytea: 17, int8: 20, int2: 21, int4: 23, text: 25, json: 114, float4: 700, float8: 701, unknown: 705, varchar: 1043, date: 1082,
  time: 1083, timestamp: 1114, timestamptz: 1184, interval: 1186, timetz: 1266, numeric: 1700, uuid: 2950,
} as const

const text = plain(oids.text, -1)
const byName: Readonly<Record<string, PgType>> = {
  BOOLEAN: plain(oids.bool, 1), TINYINT: plain(oids.int2, 2), UTINYINT: plain(oids.int2, 2), SMALLINT: plain(oids.int2, 2),
  USMALLINT: plain(oids.int4, 4), INTEGER: plain(oids.int4, 4), UINTEGER: plain(oids.int8, 8), BIGINT: plain(oids.int8, 8),
  UBIGINT: plain(oids.numeric, -1), HUGEINT: plain(oids.numeric, -1), UHUGEINT: plain(oids.numeric, -1), BIGNUM: plain(oids.numeric, -1),
  FLOAT: plain(oids.float4, 4), DOUBLE: plain(oids.float8, 8), VARCHAR: text, BLOB: plain(oids.bytea, -1), DATE: plain(oids.date, 4),
  TIME: plain(oids.time, 8), TIMESTAMP: plain(oids.timestamp, 8), TIMESTAMP_S: plain(oids.timestamp, 8),
    TIMESTAMP_MS: plain(oids.timestamp, 8),
  'TIMESTAMP WITH TIME ZONE': plain(oids.timestamptz, 8), INTERVAL: plain(oids.interval, 16), UUID: plain(oids.uuid, 16),
  'TIME WITH TIME ZONE': plain(oids.timetz, 12), JSON: plain(oids.json, -1),
}

/** Arrays by their elements. */
const arrays: Readonly<Record<number, number>> = {
  [oids.bool]: 1000, [oids.bytea]: 1001, [oids.int8]: 1016, [oids.int2]: 1005, [oids.int4]: 1007, [oids.text]: 1009, [oids.json]: 199,
  [oids.float4]: 1021, [oids.float8]: 1022, [oids.date]: 1182, [oids.time]: 1183, [oids.timestamp]: 1115, [oids.timestamptz]: 1185,
  [oids.interval]: 1187, [oids.timetz]: 1270, [oids.numeric]: 1231, [oids.uuid]: 2951,
}
export const itemOf = (array: number): number | undefined => {
  const found = Object.entries(arrays).find(([, oid]) => oid === array)
  return found && Number(found[0])
}

export function pgType(type: SqlType): PgType {
  if (type.kind === 'list') {
    const pg = pgType(type.item)
    return type.item.kind === 'plain' ? { oid: arrays[pg.oid]!, size: -1, modifier: -1, item: { pg, type: type.item } }
      : plain(oids.json, -1)
  }
  if (type.kind !== 'plain') return plain(oids.json, -1)
  const [, width, scale] = /^DECIMAL\((\d+), ?(\d+)\)$/.exec(type.name) ?? []
  if (width !== undefined) return plain(oids.numeric, -1, ((Number(width) << 16) | Number(scale)) + 4)
  return byName[type.name] ?? text
}

/** The text that PostgreSQL would write for a value that is not NULL. */
export function pgText(value: Exclude<SqlValue, null>, type: SqlType, { item }: PgType): string {
  if (item && Array.isArray(value)) return arrayText(value as readonly SqlValue[], item)
  if (type.kind !== 'plain') return jsonText(value, type)
  if (typeof value === 'boolean') return value ? 't' : 'f'
  if (typeof value === 'number') return numberText(value, type)
  if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString('hex')}`
  const own = valueText(value, type)
  switch (type.name) {
    // PostgreSQL has no such letters for units.
    case 'INTERVAL': return own.replaceAll(/\bmonth(s?)\b/g, 'mon$1')
    case 'DATE': case 'TIMESTAMP': case 'TIMESTAMP WITH TIME ZONE': return own.replace(/^(.*) \(BC\)(.*)$/, '$1$2 BC')
    default: return own
  }
}

function numberText(value: number, type: SqlType): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? 'Infinity' : '-Infinity'
  return valueText(value, type).replace(/\.0$/, '')
}

function arrayText(items: readonly SqlValue[], item: NonNullable<PgType['item']>): string {
  const cells = items.map(value => {
    if (value === null) return 'NULL'
    const own = pgText(value, item.type, item.pg)
    return own === '' || /[\s"\\{},]|^null$/i.test(own) ? `"${own.replaceAll(/["\\]/g, '\\$&')}"` : own
  })
  return `{${cells.join(',')}}`
}
