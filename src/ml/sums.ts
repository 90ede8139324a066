// Sums of many vectors that do not depend on the order of additions, at the speed of plain additions. Each term is rounded to a multiple of
// a unit that is so large that no sum of `count` terms within the bound needs more than 53 bits; what the rounding leaves is summed in the
// same way with a second, smaller unit. Additions are then exact, and the same for each division of the rows among tasks. (Demmel and
// Nguyen, "Fast Reproducible Floating-Point Summation", 2013, with bounds that are known before.)
// REQUIRES: at most `count` terms for each sum, each of at most its bound.

import type { Dataset } from '../program/dataset.ts'

/** Sums of more numbers are merged by tasks, in blocks of this size; of fewer by the program. */
const blockNumbers = 4096

interface BoundedSumsOptions {
  /** Largest magnitude of a term of each sum. */
  readonly bounds: ArrayLike<number>
  readonly count: number
}

/** Makes sums of one shape; its rounding constants are computed once. */
export class BoundedSums {
  readonly size: number
  /** Adding such a constant to a term, and subtracting it, rounds the term to a multiple of the unit. */
  readonly #coarse: Float64Array
  readonly #fine: Float64Array

  constructor({ bounds, count }: BoundedSumsOptions) {
    this.size = bounds.length
    this.#coarse = new Float64Array(bounds.length)
    this.#fine = new Float64Array(bounds.length)
    for (let i = 0; i < bounds.length; i++) {
      const power = powerAbove(bounds[i]! * count) + 1
      this.#coarse[i] = 1.5 * 2 ** power
      // A rest has at most half of the unit 2^(power - 52).
      this.#fine[i] = 1.5 * 2 ** (powerAbove(2 ** (power - 53) * count) + 1)
    }
  }

  /** Sums of which all are zero: two numbers for each. */
  zero(): Float64Array { return new Float64Array(2 * this.size) }

  add(sums: Float64Array, i: number, term: number): void {
    const coarse = this.#coarse[i]!
    const rounded = term + coarse - coarse
    sums[2 * i]! += rounded
    const fine = this.#fine[i]!
    sums[2 * i + 1]! += term - rounded + fine - fine
  }
}

/** Least power of two above a number that is not negative. */
const powerAbove = (value: number): number => (value > 0 ? Math.max(Math.ceil(Math.log2(value)) + 1, -900) : -900)

/** Values of the sums. */
export function valuesOf(sums: Float64Array): Float64Array {
  const values = new Float64Array(sums.length / 2)
  for (let i = 0; i < values.length; i++) values[i] = sums[2 * i]! + sums[2 * i + 1]!
  return values
}

/** Adds up what `add` adds for each value of the Dataset. Runs one job. `shape` of the same bounds on every machine. */
export async function summed<T>(
  values: Dataset<T>, shape: BoundedSums, add: (value: T, sums: Float64Array) => void,
): Promise<Float64Array> {
  const blocks = values.mapPartitions(async function * (part): AsyncGenerator<[number, Uint8Array]> {
    const sums = shape.zero()
    for await (const value of part) add(value, sums)
    for (let from = 0; from < sums.length; from += 2 * blockNumbers)
      yield [from, bytesOf(sums.subarray(from, Math.min(sums.length, from + 2 * blockNumbers)))]
  })
  const merged = shape.size > blockNumbers ? blocks.reduceByKey(mergedBytes) : blocks
  const total = shape.zero()
  for (const [from, bytes] of await merged.collect()) addTo(total.subarray(from), numbersOf(bytes))
  return valuesOf(total)
}

function mergedBytes(a: Uint8Array, b: Uint8Array): Uint8Array {
  const total = numbersOf(a)
  addTo(total, numbersOf(b))
  return bytesOf(total)
}

function addTo(total: Float64Array, more: Float64Array): void {
  for (let i = 0; i < more.length; i++) total[i]! += more[i]!
}

const bytesOf = (numbers: Float64Array): Uint8Array => new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength)

/** A copy: bytes of a value may begin at any address. */
const numbersOf = (bytes: Uint8Array): Float64Array => new Float64Array(Uint8Array.from(bytes).buffer)
