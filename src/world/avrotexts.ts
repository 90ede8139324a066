// Texts of Avro's logical types, and the numbers that stand for them in its bytes. Each text has all digits of its number, and a text that
// has more than the type can hold is undefined: nothing is rounded. Pure.

import { withoutEnd } from '../base/withoutend.ts'

const dayMs = 86_400_000
const daySeconds = 86_400n

/** Digits behind the second. */
export type Digits = 3 | 6 | 9

/** ISO date of a number of days since 1970. Throws Error beyond the years -271821 to 275760. */
export const dateText = (days: number): string => isoOf(days * dayMs, `date ${days}`).split('T')[0]!

export function daysOf(given: unknown): number | undefined {
  const text = given instanceof Date ? textOfDate(given)?.replace('T00:00:00.000Z', '') : given
  const ms = typeof text === 'string' ? midnightOf(text) : undefined
  return ms === undefined ? undefined : ms / dayMs
}

/** Time of a day: HH:MM:SS with all digits. Throws Error for what is no time. */
export function timeText(value: bigint, digits: Digits): string {
  const unit = 10n ** BigInt(digits)
  if (value < 0n || value >= daySeconds * unit) throw new Error(`the time of day ${value} is not within a day`)
  return `${new Date(Number(value / unit) * 1000).toISOString().slice(11, 19)}.${padded(value % unit, digits)}`
}

export function timeOf(given: unknown, digits: Digits): bigint | undefined {
  const clock = typeof given === 'string' ? clockOf(given, digits) : undefined
  return clock?.zone === '' ? clock.value : undefined
}

/** ISO text of a number of units since 1970. `zone`: Z, or nothing for local times. Throws Error beyond the years of Date. */
export function instantText(value: bigint, digits: Digits, zone: 'Z' | ''): string {
  const unit = 10n ** BigInt(digits)
  const below = ((value % unit) + unit) % unit
  return `${isoOf(Number((value - below) / unit) * 1000, `timestamp ${value}`).replace(/\.000Z$/, '')}.${padded(below, digits)}${zone}`
}

/** `zone`: Z: a text without a zone is in UTC; nothing: a text has none. */
export function instantOf(given: unknown, digits: Digits, zone: 'Z' | ''): bigint | undefined {
  const text = given instanceof Date ? textOfDate(given)?.slice(0, zone === '' ? -1 : undefined) : given
  const [, date, rest] = typeof text === 'string' ? /^([+-]\d{6}-\d\d-\d\d|\d{4}-\d\d-\d\d)(?:[T ](.+))?$/.exec(text) ?? [] : []
  const ms = date === undefined ? undefined : midnightOf(date)
  const clock = rest === undefined ? { value: 0n, zone: '' } : clockOf(rest, digits)
  if (ms === undefined || !clock || (zone === '' && clock.zone !== '')) return undefined
  const minutes = clock.zone === '' || clock.zone === 'Z' ? 0n : offsetOf(clock.zone)
  return minutes === undefined ? undefined : (BigInt(ms / 1000) - minutes * 60n) * 10n ** BigInt(digits) + clock.value
}

/** Digits of the number in bytes of two's complement. */
export function decimalText(bytes: Uint8Array, scale: number): string {
  const value = bytes.length === 0 ? 0n : BigInt.asIntN(bytes.length * 8, BigInt(`0x${Buffer.from(bytes).toString('hex')}`))
  const digits = String(value < 0n ? -value : value).padStart(scale + 1, '0')
  const [whole, part] = [digits.slice(0, digits.length - scale), digits.slice(digits.length - scale)]
  return `${value < 0n ? '-' : ''}${whole}${part === '' ? '' : `.${part}`}`
}

/** `size`: of a fixed type; undefined: as few bytes as the number needs. */
export function decimalBytes(
  given: unknown, { precision, scale, size }: { readonly precision: number; readonly scale: number; readonly size: number | undefined },
): Buffer | undefined {
  if (typeof given !== 'string' && typeof given !== 'number' && typeof given !== 'bigint') return undefined
  const [, sign, whole, part = ''] = /^(-?)(\d+)(?:\.(\d+?)0*)?$/.exec(String(given)) ?? []
  if (whole === undefined || part.length > scale && part !== '0') return undefined
  const digits = `${whole}${scale === 0 ? '' : part.padEnd(scale, '0')}`
  if (digits.replace(/^0+/, '').length > precision) return undefined
  const value = BigInt(`${sign}${digits}`)
  let length = size ?? 1
  while (size === undefined && BigInt.asIntN(length * 8, value) !== value) length++
  if (BigInt.asIntN(length * 8, value) !== value) return undefined
  return Buffer.from(BigInt.asUintN(length * 8, value).toString(16).padStart(length * 2, '0'), 'hex')
}

const hyphens = /^([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})$/i

export const uuidText = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex').replace(hyphens, '$1-$2-$3-$4-$5')

export const isUuid = (given: unknown): given is string => typeof given === 'string' && given.length === 36 && hyphens.test(given)

function isoOf(ms: number, what: string): string {
  const date = new Date(ms)
  if (Number.isNaN(date.getTime())) throw new Error(`the ${what} is beyond the years that dates have`)
  return date.toISOString()
}

const textOfDate = (date: Date): string | undefined => (Number.isNaN(date.getTime()) ? undefined : date.toISOString())

const padded = (value: bigint, digits: Digits): string => String(value).padStart(digits, '0')

/** Milliseconds since 1970; undefined for what is no date of the calendar. */
function midnightOf(date: string): number | undefined {
  if (!/^(?:[+-]\d{6}|\d{4})-\d\d-\d\d$/.test(date)) return undefined
  const ms = Date.parse(`${date}T00:00:00Z`)
  return Number.isFinite(ms) && new Date(ms).toISOString().startsWith(date) ? ms : undefined
}

function clockOf(text: string, digits: Digits): { readonly value: bigint; readonly zone: string } | undefined {
  const [, hours, minutes, seconds = '00', given = '', zone = ''] =
    /^([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(?:\.(\d+))?)?(Z|[+-]\d\d(?::?\d\d)?)?$/.exec(text) ?? []
  const fraction = withoutEnd(given, '0')
  if (hours === undefined || fraction.length > digits) return undefined
  const whole = BigInt(Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds))
  return { value: whole * 10n ** BigInt(digits) + BigInt(fraction.padEnd(digits, '0')), zone }
}

/** Minutes east of Greenwich. */
function offsetOf(zone: string): bigint | undefined {
  const [, sign, hours, minutes = '00'] = /^([+-])([01]\d|2[0-3]):?([0-5]\d)?$/.exec(zone) ?? []
  return hours === undefined ? undefined : BigInt(`${sign}${Number(hours) * 60 + Number(minutes)}`)
}
