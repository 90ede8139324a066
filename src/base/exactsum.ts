// Exact sum of floating-point numbers, independent of the order of additions: kept without rounding, rounded once when read.
// Subtracting an added number restores the previous sum exactly. Integers are added directly while their sum is exact; the rest is
// kept as Shewchuk's nonoverlapping partials ("Adaptive Precision Floating-Point Arithmetic", 1997; as in Python's math.fsum), one
// to three of them in practice and 39 at most.
// REQUIRES: finite numbers whose sums stay finite in every order.

export class ExactSum {
  #whole = 0
  /** Ascending; no two share a bit; their sum is exact. */
  readonly #partials: number[] = []

  add(by: number): void {
    const whole = this.#whole + by
    if (Number.isSafeInteger(by) && Number.isSafeInteger(whole)) this.#whole = whole
    else grow(this.#partials, by)
  }

  subtract(by: number): void { this.add(-by) }

  addAll(other: ExactSum): void {
    this.add(other.#whole)
    for (const each of other.#partials) this.add(each)
  }

  /** Numbers whose exact sum this is: another sum that adds them adds this one. */
  get parts(): number[] { return this.#whole === 0 ? [...this.#partials] : [this.#whole, ...this.#partials] }

  /** The number nearest to the exact sum; ties go to the even one. */
  get value(): number {
    if (this.#partials.length === 0) return this.#whole
    const partials = [...this.#partials]
    grow(partials, this.#whole)
    return rounded(partials)
  }
}

/** Adds a number: each partial is replaced by the rounding error of its addition. */
function grow(partials: number[], by: number): void {
  let high = by
  let kept = 0
  for (const each of partials) {
    const [large, small] = Math.abs(high) < Math.abs(each) ? [each, high] : [high, each]
    high = large + small
    const lost = small - (high - large)
    if (lost !== 0) partials[kept++] = lost
  }
  partials.length = kept
  if (high !== 0) partials.push(high)
}

function rounded(partials: readonly number[]): number {
  let at = partials.length - 1
  if (at < 0) return 0
  let high = partials[at]!
  let lost = 0
  while (at > 0 && lost === 0) {
    const small = partials[--at]!
    const sum = high + small
    lost = small - (sum - high)
    high = sum
  }
  // A tie was rounded to even, but the next lower partial shows that the exact value is on the other side.
  if (at > 0 && lost !== 0 && Math.sign(lost) === Math.sign(partials[at - 1]!)) {
    const twice = lost * 2
    const next = high + twice
    if (next - high === twice) return next
  }
  return high
}
