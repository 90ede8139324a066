// Values in the binary formats of PostgreSQL: numbers in network order, times as microseconds since 2000, numeric as digits of base 10,000.

import { GristmillError } from '../../../src/base/errors.ts'
import type { SqlType, SqlValue } from '../../../src/base/sql.ts'
import { oids, pgText, type PgType } from './types.ts'
import { int16, int32 } from './wire.ts'

const dayMs = 86_400_000
const epochMs = Date.UTC(2000, 0, 1)

/** Throws EINVAL for a type that has no binary format here. */
export function binaryOf(value: Exclude<SqlValue, null>, type: SqlType, pg: PgType): Buffer {
  switch (pg.oid) {
    case oids.bool: return Buffer.from([value === true ? 1 : 0])
    case oids.int2: return int16(Number(value))
    case oids.int4: return int32(Number(value))
    case oids.int8: return int64(BigInt(value as bigint))
    case oids.float4: { const bytes = Buffer.alloc(4); bytes.writeFloatBE(value as number); return bytes }
    case oids.float8: { const bytes = Buffer.alloc(8); bytes.writeDoubleBE(value as number); return bytes }
    case oids.bytea: return Buffer.from(value as Uint8Array)
    case oids.date: return int32(dateOf(String(value)))
    case oids.time: return int64(timeOf(String(value)))
    case oids.timestamp: case oids.timestamptz: return int64(timestampOf(String(value)))
    case oids.numeric: return numericOf(String(value))
    case oids.uuid: return Buffer.from(String(value).replaceAll('-', ''), 'hex')
    case oids.text: case oids.json: return Buffer.from(pgText(value, type, pg))
    default:
      if (pg.item && Array.isArray(value)) return arrayOf(value as readonly SqlValue[], pg.item)
      throw new GristmillError(
        'EINVAL', `values of the type ${type.kind === 'plain' ? type.name : type.kind} have no binary format here; ask for them as text, or cast them to VARCHAR`,
        { details: { sqlstate: '0A000' } },
      )
  }
}

const int64 = (value: bigint): Buffer => { const bytes = Buffer.allocUnsafe(8); bytes.writeBigInt64BE(value); return bytes }

/** Days since 2000-01-01. */
function dateOf(text: string): number {
  if (text === 'infinity') return 0x7fffffff
  if (text === '-infinity') return -0x80000000
  const [, year, month, day, before] = /^(\d+)-(\d\d)-(\d\d)( \(BC\))?/.exec(text)!
  const at = new Date(0)
  at.setUTCFullYear(before === undefined ? Number(year) : 1 - Number(year), Number(month) - 1, Number(day))
  return Math.round((at.getTime() - epochMs) / dayMs)
}

/** Microseconds of the day. */
function timeOf(text: string): bigint {
  const [, hours, minutes, seconds, part = ''] = /^(\d+):(\d\d):(\d\d)(?:\.(\d{1,6}))?/.exec(text)!
  return (BigInt(hours!) * 3600n + BigInt(minutes!) * 60n + BigInt(seconds!)) * 1_000_000n + BigInt(part.padEnd(6, '0'))
}

/** Microseconds since 2000-01-01 00:00 UTC. */
function timestampOf(text: string): bigint {
  if (text === 'infinity') return 0x7fffffffffffffffn
  if (text === '-infinity') return -0x8000000000000000n
  // 0044-03-15 (BC) 10:00:00
  const [day = '', time = ''] = text.replace(' (BC)', '').split(' ')
  return BigInt(dateOf(text.includes('(BC)') ? `${day} (BC)` : day)) * 86_400_000_000n + timeOf(time)
}

function numericOf(text: string): Buffer {
  const [, minus, whole = '', part = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text)!
  const own = whole.replace(/^0+/, '')
  const padded = own.padStart(Math.ceil(own.length / 4) * 4, '0') + part.padEnd(Math.ceil(part.length / 4) * 4, '0')
  const digits = (padded.match(/\d{4}/g) ?? []).map(Number)
  let weight = Math.ceil(own.length / 4) - 1
  while (digits[0] === 0) { digits.shift(); weight-- }
  while (digits.at(-1) === 0) digits.pop()
  const sign = minus !== '' && digits.length > 0 ? 0x4000 : 0
  return Buffer.concat([int16(digits.length), int16(digits.length === 0 ? 0 : weight), int16(sign), int16(part.length),
    ...digits.map(int16)])
}

function arrayOf(items: readonly SqlValue[], { pg, type }: NonNullable<PgType['item']>): Buffer {
  const cells = items.flatMap(value => {
    if (value === null) return [int32(-1)]
    const bytes = binaryOf(value, type, pg)
    return [int32(bytes.length), bytes]
  })
  const head = [int32(items.length > 0 ? 1 : 0), int32(items.includes(null) ? 1 : 0), int32(pg.oid)]
  return Buffer.concat([...head, ...items.length > 0 ? [int32(items.length), int32(1)] : [], ...cells])
}
