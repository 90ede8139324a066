// Values of parameters, as a client sends them: texts or binary, of a type that it names or leaves open. A value of an open type is a text,
// which the statement casts to what it needs.

import { isUtf8 } from 'node:buffer'
import { GristmillError } from '../../../src/base/errors.ts'
import { OpenList } from './openlists.ts'
import { itemOf, oids } from './types.ts'

/** Number of the type of an array whose elements have an open type (in PostgreSQL: anyarray). */
export const openArray = 2277

/** A value for a parameter of `mill.sql`. Throws EINVAL for one that its type does not have. */
export function parameterOf(bytes: Buffer | null, oid: number, isBinary: boolean): unknown {
  if (bytes === null) return null
  return isBinary ? fromBinary(bytes, oid) : fromText(textOf(bytes), oid)
}

function textOf(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString('utf8')
  throw new GristmillError('EINVAL', 'a text that is a parameter is not in UTF-8; bytes are a parameter of the type bytea: $1::bytea', {
    details: { sqlstate: '22021' },
  })
}

const invalid = (what: string): GristmillError =>
  new GristmillError('EINVAL', `the value of a parameter is no ${what}`, { details: { sqlstate: '22P02' } })

function fromText(text: string, oid: number): unknown {
  switch (oid) {
    case oids.bool: {
      if (/^(t|true|1|on|y|yes)$/i.test(text)) return true
      if (/^(f|false|0|off|n|no)$/i.test(text)) return false
      throw invalid('boolean')
    }
    case oids.int2: case oids.int4: case oids.int8: {
      if (!/^ *[-+]?\d{1,40} *$/.test(text)) throw invalid('whole number')
      return BigInt(text.trim().replace(/^\+/, ''))
    }
    case oids.float4: case oids.float8: {
      const value = /^ *-?inf(inity)? *$/i.test(text) ? (text.includes('-') ? -Infinity : Infinity) : Number(text)
      if (text.trim() === '' || (Number.isNaN(value) && !/^ *nan *$/i.test(text))) throw invalid('number')
      return value
    }
    case oids.bytea: return bytesOf(text)
    case openArray: return new OpenList(itemsOf(text))
    default: {
      const item = itemOf(oid)
      return item === undefined ? text : itemsOf(text).map(each => (each === null ? null : fromText(each, item)))
    }
  }
}

/** Bytes in hexadecimal form, or in the older one: characters, `\\\\` for a backslash, and `\\` with three octal digits. */
function bytesOf(text: string): Uint8Array {
  const [, hex] = /^\\x((?:[0-9a-f]{2})*)$/i.exec(text) ?? []
  if (hex !== undefined) return new Uint8Array(Buffer.from(hex, 'hex'))
  if (text.startsWith('\\x')) throw invalid('bytea in hexadecimal form')
  const parts = text.match(/[^\\]+|\\\\|\\[0-3][0-7]{2}|\\/g) ?? []
  return new Uint8Array(Buffer.concat(parts.map(part => {
    if (part === '\\') throw invalid('bytea')
    if (part === '\\\\') return Buffer.from('\\')
    return part.startsWith('\\') ? Buffer.from([Number.parseInt(part.slice(1), 8)]) : Buffer.from(part)
  })))
}

/** Elements of an array of one dimension in its text form. */
function itemsOf(text: string): (string | null)[] {
  if (!/^\{[^]*\}$/.test(text)) throw invalid('array')
  const items: (string | null)[] = []
  const form = /\s*(?:"((?:[^"\\]|\\[^])*)"|([^",{}\\]*))\s*(,|$)/y
  const inner = text.slice(1, -1)
  if (inner.trim() === '') return items
  for (form.lastIndex = 0; ;) {
    const found = form.exec(inner)
    if (!found) throw invalid('array of one dimension')
    const [, quoted, bare = '', end] = found
    items.push(quoted === undefined ? (/^null$/i.test(bare.trim()) ? null : bare.trim()) : quoted.replaceAll(/\\([^])/g, '$1'))
    if (end === '') return items
  }
}

function fromBinary(bytes: Buffer, oid: number): unknown {
  const fixed = (length: number, what: string): Buffer => {
    if (bytes.length !== length) throw invalid(`${what} in binary form`)
    return bytes
  }
  switch (oid) {
    case oids.bool: return fixed(1, 'boolean')[0] !== 0
    case oids.int2: return BigInt(fixed(2, 'int2').readInt16BE())
    case oids.int4: return BigInt(fixed(4, 'int4').readInt32BE())
    case oids.int8: return fixed(8, 'int8').readBigInt64BE()
    case oids.float4: return fixed(4, 'float4').readFloatBE()
    case oids.float8: return fixed(8, 'float8').readDoubleBE()
    case oids.bytea: return new Uint8Array(bytes)
    case oids.text: case oids.varchar: case oids.json: case oids.unknown: case 0: return textOf(bytes)
    case oids.uuid: return fixed(16, 'uuid').toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
    case oids.date: return new Date(Date.UTC(2000, 0, 1) + fixed(4, 'date').readInt32BE() * 86_400_000).toISOString().slice(0, 10)
    case oids.timestamp: case oids.timestamptz: return timeText(fixed(8, 'timestamp').readBigInt64BE(), oid === oids.timestamptz)
    case oids.numeric: return numericText(bytes)
    default:
      throw new GristmillError(
        'EINVAL', `a parameter of the type ${oid} has no binary format here; send it as text`, { details: { sqlstate: '0A000' } },
      )
  }
}

function timeText(micros: bigint, isZoned: boolean): string {
  const rest = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n
  const seconds = (micros - rest) / 1_000_000n
  const at = new Date(Date.UTC(2000, 0, 1) + Number(seconds) * 1000)
  if (Number.isNaN(at.getTime())) throw invalid('timestamp in a range that is known here')
  return `${at.toISOString().slice(0, 19).replace('T', ' ')}.${String(rest).padStart(6, '0')}${isZoned ? '+00' : ''}`
}

function numericText(bytes: Buffer): string {
  if (bytes.length < 8 || bytes.length !== 8 + 2 * bytes.readUInt16BE(0)) throw invalid('numeric in binary form')
  const [count, weight, sign, scale] = [bytes.readUInt16BE(0), bytes.readInt16BE(2), bytes.readUInt16BE(4), bytes.readUInt16BE(6)]
  if (sign !== 0 && sign !== 0x4000) throw invalid('finite numeric')
  if (weight > 32 || scale > 100) throw invalid('numeric in a range that is known here')
  const digit = (i: number): string => String(i >= 0 && i < count ? bytes.readUInt16BE(8 + 2 * i) : 0).padStart(4, '0')
  let whole = ''
  for (let i = 0; i <= weight; i++) whole += digit(i)
  let part = ''
  for (let i = weight + 1; part.length < scale; i++) part += digit(i)
  return `${sign === 0 ? '' : '-'}${whole.replace(/^0+(?=\d)/, '') || '0'}${scale > 0 ? `.${part.slice(0, scale)}` : ''}`
}
