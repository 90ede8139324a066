// Minimum of a smooth convex function whose evaluation is a job: L-BFGS (Nocedal and Wright, "Numerical Optimization", algorithm 7.5) with
// a line search that asks for one evaluation more only if a step is too long. `curvature` is that of the function at the beginning, about.

export interface Evaluated { readonly loss: number; readonly gradient: Float64Array }

export interface Minimum {
  readonly at: Float64Array
  readonly loss: number
  readonly iterations: number
  /** The gradient is at most `tolerance` of the loss in each place. */
  readonly converged: boolean
}

/** Pairs of steps and changes of the gradient that are remembered. */
const memory = 10
/** A step is taken if it brings this part of what the gradient promises. */
const decreaseMin = 1e-4
const halvingsMax = 30

export async function minimize(
  evaluate: (at: Float64Array) => Promise<Evaluated>, start: Float64Array,
  { iterations: most, tolerance, curvature }: { readonly iterations: number; readonly tolerance: number; readonly curvature: number },
): Promise<Minimum> {
  let at = start
  let found = await evaluate(at)
  const pairs: Array<{ readonly step: Float64Array; readonly change: Float64Array; readonly scale: number }> = []
  for (let iterations = 0; ; iterations++) {
    const converged = isFlat(found, tolerance)
    if (converged || iterations >= most) return { at, loss: found.loss, iterations, converged }
    const direction = directionOf(found.gradient, pairs)
    const slope = product(direction, found.gradient)
    let length = pairs.length === 0 ? 1 / curvature : 1
    let next: Float64Array | undefined
    let there: Evaluated | undefined
    for (let halvings = 0; halvings < halvingsMax; halvings++) {
      next = at.map((value, i) => value + length * direction[i]!)
      there = await evaluate(next)
      if (there.loss <= found.loss + decreaseMin * length * slope) break
      length *= shortened(length, { slope, before: found.loss, after: there.loss })
      there = undefined
    }
    // Rounding errors of the loss are larger than what is left to gain.
    if (!next || !there) return { at, loss: found.loss, iterations, converged: false }
    const step = next.map((value, i) => value - at[i]!)
    const change = there.gradient.map((value, i) => value - found.gradient[i]!)
    const bent = product(step, change)
    if (bent > 0) pairs.push({ step, change, scale: 1 / bent })
    if (pairs.length > memory) pairs.shift()
    at = next
    found = there
  }
}

/** Factor for a step that was too long: the minimum of the parabola through what is known, within bounds. */
function shortened(length: number, { slope, before, after }: { slope: number; before: number; after: number }): number {
  const best = -slope * length / (2 * (after - before - slope * length))
  return Number.isFinite(best) ? Math.min(0.5, Math.max(0.1, best)) : 0.5
}

function directionOf(
  gradient: Float64Array, pairs: ReadonlyArray<{ readonly step: Float64Array; readonly change: Float64Array; readonly scale: number }>,
): Float64Array {
  const direction = gradient.map(value => -value)
  const parts: number[] = []
  for (const { step, change, scale } of pairs.toReversed()) {
    const part = scale * product(step, direction)
    parts.push(part)
    for (let i = 0; i < direction.length; i++) direction[i]! -= part * change[i]!
  }
  const last = pairs.at(-1)
  if (last) {
    const factor = 1 / (last.scale * product(last.change, last.change))
    for (let i = 0; i < direction.length; i++) direction[i]! *= factor
  }
  for (const { step, change, scale } of pairs) {
    const rest = parts.pop()! - scale * product(change, direction)
    for (let i = 0; i < direction.length; i++) direction[i]! += rest * step[i]!
  }
  return direction
}

function product(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

/** Relative to the loss: one that falls towards 0 for ever, and its gradient with it, is not at its minimum. */
export const isFlat = ({ loss, gradient }: Evaluated, tolerance: number): boolean =>
  gradient.every(value => Math.abs(value) <= tolerance * loss)
