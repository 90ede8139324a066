// Order-independent sums, compared with exact sums in unbounded integers.

import { expect, test } from 'vitest'
import { ExactSum } from '../../../../src/base/exactsum.ts'
import { seeded } from '../../../../src/world/random.ts'

const sumOf = (numbers: readonly number[]): number => {
  const sum = new ExactSum()
  for (const each of numbers) sum.add(each)
  return sum.value
}

/** Exact sum of multiples of 2^-1074, rounded by the parser of decimal numbers. */
function exact(numbers: readonly number[]): number {
  const scale = 1074n
  const units = numbers.reduce((sum, each) => {
    const bits = new BigUint64Array(Float64Array.of(each).buffer)[0]!
    const exponent = bits >> 52n & 0x7ffn
    const mantissa = (bits & 0xfffffffffffffn) + (exponent > 0n ? 1n << 52n : 0n)
    const magnitude = mantissa << (exponent > 0n ? exponent - 1n : 0n)
    return bits >> 63n ? sum - magnitude : sum + magnitude
  }, 0n)
  // units × 2^-1074 = units × 5^1074 × 10^-1074, written in full.
  return Number(`${units * 5n ** scale}e-${scale}`)
}

test('sums are exact, rounded once, whatever the order', () => {
  const random = seeded(7)
  for (let round = 0; round < 200; round++) {
    const numbers = Array.from({ length: 1 + random.below(30) }, () => {
      const size = [1, 1e-3, 1e16, 1e-300, 1e300, 2 ** 53][random.below(6)]!
      const each = (random.float() - 0.5) * size
      return random.below(3) === 0 ? Math.round(each) : each
    })
    const wanted = exact(numbers)
    expect(sumOf(numbers)).toBe(wanted)
    expect(sumOf(numbers.toReversed())).toBe(wanted)
    expect(sumOf(numbers.toSorted((a, b) => Math.abs(a) - Math.abs(b)))).toBe(wanted)
    // In two halves, with a number that is added and subtracted again.
    const [one, two] = [new ExactSum(), new ExactSum()]
    for (const [index, each] of numbers.entries()) (index % 2 ? one : two).add(each)
    one.add(numbers[0]! * 3.3)
    two.addAll(one)
    two.subtract(numbers[0]! * 3.3)
    expect(two.value).toBe(wanted)
  }
})

test.each([
  [[], 0],
  [[-0], 0],
  [[0.1, 0.2, 0.3], 0.6],
  [Array.from({ length: 10 }, () => 0.1), 1],
  [[1e16, 1, 1e-16, -1e16], 1],
  [[1e300, 1, -1e300], 1],
  [[Number.MAX_SAFE_INTEGER, 1, 1, -1, -1], Number.MAX_SAFE_INTEGER],
  // Halfway between two numbers: the even one, unless a smaller term decides.
  [[2 ** 53, 1], 2 ** 53],
  [[2 ** 53, 1, 2 ** -80], 2 ** 53 + 2],
  [[2 ** 53, 3, -(2 ** -80)], 2 ** 53 + 2],
  [[-(2 ** 53), -1, -(2 ** -80)], -(2 ** 53) - 2],
])('%j is %d', (numbers, wanted) => { expect(sumOf(numbers)).toBe(wanted) })
