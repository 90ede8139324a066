// The loss of logistic regression over cached points, with its gradient and curvature: what one pass computes. Its variables are the
// coefficients of scaled places and, last, the intercept. Places are centred too where no vector is sparse.

import type { Evaluated } from './minimize.ts'
import { rangeOf, vectorIn, type Point, type Profile } from './points.ts'
import type { ClassLabel } from './row.ts'
import { triangle } from './solve.ts'
import { BoundedSums, summed } from './sums.ts'
import { denseOf, eachPlace, type VectorLayout } from './vector.ts'

interface Curved extends Evaluated {
  /** Lower triangle of the second derivatives. */
  readonly curvature: Float64Array
}

export class LogisticLoss {
  readonly layout: VectorLayout
  readonly #profile: Profile<ClassLabel>
  readonly #positive: ClassLabel
  readonly #l2: number
  readonly #size: number
  /** What is subtracted from each place, and then the factor; 0 for a constant place. */
  readonly #centres: Float64Array
  readonly #scales: Float64Array
  /** Largest magnitude of each scaled place, and 1 for the intercept. */
  readonly #bounds: readonly number[]

  constructor(profile: Profile<ClassLabel>, positive: ClassLabel, l2: number) {
    const { places, count, layout } = profile
    this.layout = layout
    this.#profile = profile
    this.#positive = positive
    this.#l2 = l2
    this.#size = places.length
    const isCentred = places.every(place => place.count === count)
    this.#centres = Float64Array.from(places, place => (isCentred ? place.mean(count) : 0))
    // With these the curvature by each variable, the penalty included, is about count / 4 at the beginning, as it is by the intercept.
    this.#scales = Float64Array.from(places, place => {
      const deviation = place.deviation(count)
      return deviation > 0 ? Math.sqrt(count / (deviation + 4 * l2)) : 0
    })
    this.#bounds = [...places.map((place, i) =>
      this.#scales[i]! * Math.max(...rangeOf(place, count).map(value => Math.abs(value - this.#centres[i]!)))), 1]
  }

  /** Curvature by each variable at the beginning, about. */
  get curvature(): number { return this.#profile.count / 4 }

  async at(variables: Float64Array): Promise<Evaluated> {
    const size = this.#size
    const shape = new BoundedSums({ bounds: [...this.#bounds, this.#lossBound(variables)], count: this.#profile.count })
    const [scales, centres, positive] = [this.#scales, this.#centres, this.#positive]
    // Centres of sparse places are 0: the score of a point needs its own places only.
    const shift = variables.subarray(0, size).reduce((sum, value, i) => sum - value * scales[i]! * centres[i]!, variables[size]!)
    const sums = await summed(this.#profile.points, shape, (point, to) => {
      const vector = vectorIn(point)
      let score = shift
      eachPlace(vector, (place, value) => { score += variables[place]! * scales[place]! * value })
      const { loss, slope } = lossOf(score, point[0] === positive)
      eachPlace(vector, (place, value) => shape.add(to, place, slope * ((value - centres[place]!) * scales[place]!)))
      shape.add(to, size, slope)
      shape.add(to, size + 1, loss)
    })
    return this.#penalized(variables, sums.slice(0, size + 1), sums[size + 1]!)
  }

  async withCurvature(variables: Float64Array): Promise<Curved> {
    const size = this.#size
    const bounds = this.#bounds
    const pairs = bounds.flatMap((bound, row) => bounds.slice(0, row + 1).map(other => bound * other / 4))
    const shape = new BoundedSums({ bounds: [...pairs, ...bounds, this.#lossBound(variables)], count: this.#profile.count })
    const [scales, centres, positive] = [this.#scales, this.#centres, this.#positive]
    const sums = await summed(this.#profile.points, shape, (point: Point<ClassLabel>, to) => {
      const all = denseOf(vectorIn(point), size + 1)
      let score = variables[size]!
      for (let i = 0; i < size; i++) score += variables[i]! * (all[i] = (all[i]! - centres[i]!) * scales[i]!)
      all[size] = 1
      const { loss, slope, weight } = lossOf(score, point[0] === positive)
      let place = 0
      for (let row = 0; row <= size; row++) {
        const value = weight * all[row]!
        for (let column = 0; column <= row; column++) shape.add(to, place++, value * all[column]!)
      }
      for (let row = 0; row <= size; row++) shape.add(to, place++, slope * all[row]!)
      shape.add(to, place, loss)
    })
    const curvature = sums.slice(0, pairs.length)
    for (let i = 0; i < size; i++) {
      const scale = scales[i]!
      curvature[triangle(i, i)] = scale === 0 ? 1 : curvature[triangle(i, i)]! + this.#l2 * scale * scale
    }
    return { curvature, ...this.#penalized(variables, sums.slice(pairs.length, pairs.length + size + 1), sums[pairs.length + size + 1]!) }
  }

  /** Coefficients of places as the rows have them. */
  weightsOf(variables: Float64Array): { readonly coefficients: number[]; readonly intercept: number; readonly penalty: number } {
    const coefficients = Array.from(this.#scales, (scale, i) => variables[i]! * scale)
    const intercept = coefficients.reduce((sum, value, i) => sum - value * this.#centres[i]!, variables[this.#size]!)
    return { coefficients, intercept, penalty: this.#l2 / 2 * coefficients.reduce((sum, value) => sum + value * value, 0) }
  }

  #penalized(variables: Float64Array, gradient: Float64Array, loss: number): Evaluated {
    const { penalty } = this.weightsOf(variables)
    for (let i = 0; i < this.#size; i++) gradient[i]! += this.#l2 * this.#scales[i]! ** 2 * variables[i]!
    return { loss: loss + penalty, gradient }
  }

  /** A loss is at most log 2 and the magnitude of the score. */
  #lossBound(variables: Float64Array): number {
    return 1 + variables.reduce((sum, value, i) => sum + Math.abs(value) * this.#bounds[i]!, 0)
  }
}

/** Loss of a point, its derivative by the score, and its second derivative, which is at most 1/4. */
function lossOf(score: number, isPositive: boolean): { readonly loss: number; readonly slope: number; readonly weight: number } {
  const odds = Math.exp(-Math.abs(score))
  const sure = 1 / (1 + odds)
  const probability = score >= 0 ? sure : odds * sure
  const margin = isPositive ? score : -score
  return {
    loss: Math.log1p(odds) + Math.max(0, -margin),
    slope: isPositive ? -(score >= 0 ? odds * sure : sure) : probability,
    weight: odds * sure * sure,
  }
}
