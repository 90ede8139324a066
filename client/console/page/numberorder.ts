// Order of numbers that are given as texts, also of those that differ behind the digits of a double. Pure.

const plain = /^-?\d+(?:\.\d+)?$/

/** For sorting: -inf, numbers, inf, NaN, and then what is no number. */
export function compareNumbers(a: string, b: string): number {
  const [x, y] = [read(a), read(b)]
  if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(x)) - Number(Number.isNaN(y))
  if (x !== y) return x < y ? -1 : 1
  if (!plain.test(a) || !plain.test(b)) return 0
  const decimals = Math.max(decimalsOf(a), decimalsOf(b))
  const [m, n] = [scaled(a, decimals), scaled(b, decimals)]
  return m < n ? -1 : m > n ? 1 : 0
}

const infinite = /^([-+]?)inf(?:inity)?$/i

function read(text: string): number {
  const sign = infinite.exec(text)?.[1]
  return sign === undefined ? Number(text) : sign === '-' ? -Infinity : Infinity
}

const decimalsOf = (text: string): number => text.length - 1 - (text.includes('.') ? text.indexOf('.') : text.length - 1)

/** The number times a power of ten, which is whole. */
const scaled = (text: string, decimals: number): bigint => BigInt(text.replace('.', '') + '0'.repeat(decimals - decimalsOf(text)))
