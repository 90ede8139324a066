// Numbers of columns: when two are equal, and which is larger. A number is its decimal digits, and a double of JSON lines stands for the
// digits with which it is printed: two numbers are equal if all their digits are.
import type { Key } from 'gristmill'

/**
 * The key of a value. Numbers of JSON lines are bigints if they are written as integers beyond 2^53, and doubles else; a whole double that
 * large becomes a bigint, too: 1e20 and 100000000000000000000 are one key.
 */
export function sameNumber(key: Key): Key {
  if (typeof key === 'number') return Number.isInteger(key) && !Number.isSafeInteger(key) ? BigInt(digitsOf(key)) : key
  return Array.isArray(key) ? key.map(sameNumber) : key
}

/** All digits of a whole double, which is printed with an exponent from 1e21. */
function digitsOf(whole: number): string {
  const [, first, rest = '', power = '0'] = /^(-?\d+)(?:\.(\d+))?(?:e\+(\d+))?$/.exec(String(whole))!
  return `${first}${rest.padEnd(Number(power), '0')}`
}

const decimal = /^([+-]?)(?:(\d+)(?:\.(\d*))?|\.(\d+))(?:e([+-]?\d+))?$/i

/** Largest exponent that is written as zeros: those of doubles end before. */
const powerMax = 400

/**
 * A text that sorts as the number does; equal numbers have equal texts. undefined for a text that is no number.
 *
 *   sign      p, or n below 0
 *   length    number of digits before the point, and before it how many digits that number has
 *   digits    without zeros in front and at the end
 *
 * 12.5 is p12125. Below 0 each digit is subtracted from 9, and a `~` stands at the end, because -1.5 is above -1.55.
 */
export function orderOf(number: string | number | bigint): string | undefined {
  const text = String(number).trim()
  const [, sign, before = '', behind = '', bare = '', power = '0'] = decimal.exec(text) ?? []
  if (sign === undefined || Math.abs(Number(power)) > powerMax) return text === '' ? undefined : orderOfDouble(Number(text))
  const all = `${before}${behind}${bare}`
  const zeros = /^0*/.exec(all)![0].length
  if (zeros === all.length) return 'p10'
  const point = before.length + Number(power)
  const places = String(Math.max(0, point - zeros))
  let end = all.length
  while (all[end - 1] === '0') end--
  const order = `${places.length}${places}${'0'.repeat(Math.max(0, zeros - point))}${all.slice(zeros, end)}`
  return sign === '-' ? `n${order.replaceAll(/\d/g, digit => String(9 - Number(digit)))}~` : `p${order}`
}

/** For texts as 0x10, Infinity and 1e999. */
const orderOfDouble = (value: number): string | undefined =>
  Number.isNaN(value) ? undefined : Number.isFinite(value) ? orderOf(value) : value > 0 ? 'p~' : 'n'
