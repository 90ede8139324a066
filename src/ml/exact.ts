// Exact moments of numbers: count, sum and sum of squares are kept without rounding, so that mean and variance are the same however the
// numbers are divided among tasks, and do not lose digits where the mean is large and the spread small.

import { ExactSum } from '../base/exactsum.ts'

/** Squares of larger numbers, and sums of them, could exceed the range of a number. */
export const magnitudeMax = 1e150

/** What a task found: exact sums as lists of numbers, which are added without rounding. */
export interface MomentParts {
  readonly count: number
  readonly min: number
  readonly max: number
  readonly sum: readonly number[]
  readonly squares: readonly number[]
}

export class Moments {
  count = 0
  min = Infinity
  max = -Infinity
  readonly #sum = new ExactSum()
  readonly #squares = new ExactSum()

  /** REQUIRES: |value| <= magnitudeMax. */
  add(value: number): void {
    this.count++
    if (value < this.min) this.min = value
    if (value > this.max) this.max = value
    this.#sum.add(value)
    const square = value * value
    this.#squares.add(square)
    // Exact for integers up to 2^26, which most columns hold.
    if (!(Number.isInteger(value) && Math.abs(value) <= 0x4000000)) this.#squares.add(squareError(value, square))
  }

  addParts({ count, min, max, sum, squares }: MomentParts): void {
    this.count += count
    this.min = Math.min(this.min, min)
    this.max = Math.max(this.max, max)
    for (const part of sum) this.#sum.add(part)
    for (const part of squares) this.#squares.add(part)
  }

  get parts(): MomentParts {
    return { count: this.count, min: this.min, max: this.max, sum: this.#sum.parts, squares: this.#squares.parts }
  }

  /** The mean of `count` numbers, of which those that were not added are 0. */
  mean(count = this.count): number { return this.#sum.value / count }

  /** Sum of squared differences from the mean. `count` as in `mean`. */
  deviation(count = this.count): number {
    const sum = bigOf(this.#sum.parts)
    const squares = bigOf(this.#squares.parts)
    // squares - sum² / count, over one denominator.
    const exponent = Math.min(squares.exponent, 2 * sum.exponent)
    const difference = (squares.units << BigInt(squares.exponent - exponent)) * BigInt(count)
      - (sum.units ** 2n << BigInt(2 * sum.exponent - exponent))
    return quotient(difference, BigInt(count), exponent)
  }
}

/** Rounding error of value * value (Dekker's product). */
function squareError(value: number, square: number): number {
  const split = 134_217_729 * value
  const high = split - (split - value)
  const low = value - high
  return low * low - (square - high * high - 2 * high * low)
}

/** units * 2 ** exponent. */
interface Big { readonly units: bigint; readonly exponent: number }

const view = new DataView(new ArrayBuffer(8))

/** Exact sum of numbers. */
function bigOf(numbers: readonly number[]): Big {
  const all = numbers.filter(number => number !== 0).map(number => {
    view.setFloat64(0, number)
    const bits = view.getBigUint64(0)
    const biased = Number(bits >> 52n & 0x7ffn)
    const fraction = bits & 0xf_ffff_ffff_ffffn
    const units = biased === 0 ? fraction : fraction | 1n << 52n
    return { units: number < 0 ? -units : units, exponent: Math.max(biased, 1) - 1075 }
  })
  const exponent = all.reduce((least, each) => Math.min(least, each.exponent), 0)
  return { units: all.reduce((sum, each) => sum + (each.units << BigInt(each.exponent - exponent)), 0n), exponent }
}

/** a / b * 2 ** exponent as a number. REQUIRES: a >= 0, b > 0. */
function quotient(a: bigint, b: bigint, exponent: number): number {
  if (a <= 0n) return 0
  // 64 more bits than the result has.
  const shift = Math.max(0, 128 - (a.toString(16).length - b.toString(16).length) * 4)
  const units = (a << BigInt(shift)) / b
  const dropped = Math.max(0, units.toString(2).length - 64)
  const power = exponent - shift + dropped
  const half = Math.trunc(power / 2)
  return Number(units >> BigInt(dropped)) * 2 ** half * 2 ** (power - half)
}
