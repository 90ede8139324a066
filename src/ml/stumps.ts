// Gradient-boosted stumps: a sum of decisions, each by one feature and one threshold, which are found one after the other from histograms
// of what those before leave over. Each round is one pass over the points, whose features are numbers of bins.

import type { Dataset } from '../program/dataset.ts'
import type { Estimator, Fitted } from './fitted.ts'
import { profiled, vectorIn, type Profile } from './points.ts'
import { checkLearning, checkNames, checkNumber, labelOf, type ClassLabel, type DataRow } from './row.ts'
import { BoundedSums, summed } from './sums.ts'
import { denseOf, sizeOf, vectorOf, type VectorLayout } from './vector.ts'

export interface BoostedStumpsOptions {
  /** Columns of numbers, booleans or vectors. */
  readonly features: readonly string[]
  /** Column of a number, which is predicted, or of two texts or booleans, of which the later one in order is. */
  readonly label: string
  /** Default: 100. */
  readonly rounds?: number | undefined
  /** Part of each decision that is added; default: 0.1. */
  readonly learningRate?: number | undefined
  /** Ranges of values that a feature is divided into, at most; all values if there are no more. Default: 64. */
  readonly bins?: number | undefined
}

export interface Stump {
  /** Place in the vector of features. */
  readonly place: number
  /** A value of at most this adds `low`, another one `high`. */
  readonly threshold: number
  readonly low: number
  readonly high: number
}

export interface BoostedStumpsModel extends Fitted, VectorLayout {
  readonly kind: 'boostedStumps'
  readonly label: string
  /** null: the label is a number. */
  readonly classes: readonly [negative: ClassLabel, positive: ClassLabel] | null
  /** Score of a row without any decision. */
  readonly base: number
  readonly stumps: readonly Stump[]
  readonly rows: number
  /** Mean loss of the rows it was fitted to: squared error, or log loss. */
  readonly loss: number
  /** True: no decision could make the loss smaller, and there are fewer than `rounds`. */
  readonly converged: boolean
}

/** A histogram has so many bins for each place. */
const placesMax = 1000

/** A point in bins. The score of earlier rounds is computed again in each round: less work than keeping it. */
type Binned = readonly [label: number, bins: readonly number[]]

interface Decision extends Stump {
  /** Bins below this one have values of at most the threshold. */
  readonly bin: number
}

/**
 * As `GradientBoostingRegressor` and `GradientBoostingClassifier` of scikit-learn with trees of depth 1. The model adds `prediction`, and
 * for classes `probability`, of the later one in order.
 */
export function boostedStumps(options: BoostedStumpsOptions): Estimator<BoostedStumpsModel> {
  checkNames('boostedStumps', options, ['features', 'label', 'rounds', 'learningRate', 'bins'])
  const { features, label } = checkLearning('boostedStumps', options)
  const rounds = checkNumber('rounds of boostedStumps', options.rounds ?? 100, { min: 1, max: 900, isWhole: true })
  const rate = checkNumber('learningRate of boostedStumps', options.learningRate ?? 0.1, { min: 1e-6, max: 1 })
  const bins = checkNumber('bins of boostedStumps', options.bins ?? 64, { min: 2, max: 1024, isWhole: true })
  return {
    kind: 'boostedStumps',
    async fit(rows) {
      const profile = await profiled(rows, { name: 'boostedStumps', features, labelOf: row => labelOf(row, label), classesMax: 2 })
      const size = sizeOf(profile.layout)
      if (size > placesMax)
        throw new TypeError(`the features of boostedStumps have ${size} places; it takes ${placesMax}: hash them into fewer`)
      const classes = classesOf(label, profile)
      const thresholds = await thresholdsOf(profile, bins)
      const points = binned(profile, thresholds, classes)
      const boosting = new Boosting(profile, points, thresholds, classes !== null)
      await boosting.run(rounds, rate)
      const { base, stumps, loss } = boosting
      return {
        kind: 'boostedStumps', version: 1, ...profile.layout, label, classes, base,
        stumps: stumps.map(({ place, threshold, low, high }) => ({ place, threshold, low, high })),
        rows: profile.count, loss, converged: stumps.length < rounds,
      }
    },
  }
}

function classesOf(label: string, { label: numbers, count, classes }: Profile<ClassLabel>): readonly [ClassLabel, ClassLabel] | null {
  const column = `the label ${JSON.stringify(label)} of boostedStumps`
  if (numbers.count === count) {
    if (numbers.min === numbers.max) throw new TypeError(`${column} is ${numbers.min} in all rows; there is nothing to learn`)
    return null
  }
  if (numbers.count > 0) throw new TypeError(`${column} is a number in some rows, and a text or a boolean in others`)
  if (classes.length !== 2)
    throw new TypeError(`${column} has ${classes.length === 1 ? 'one class' : 'more than two classes'}; it takes numbers, or two classes`)
  return [classes[0]!, classes[1]!]
}

/** Thresholds of each place, between values that follow each other: all of them, or those that divide the rows into equal parts. */
async function thresholdsOf({ points, places, count }: Profile<ClassLabel>, bins: number): Promise<number[][]> {
  const size = places.length
  const found = await points
    .flatMap(point => [...denseOf(vectorIn(point), size)].map((value, place): [number, number] => [place, value]))
    .groupBy(([place]) => place)
    .sortBy(([, value]) => value)
    .map((place, values): [number, number[]] => [place, cuts(values, bins, count)])
    .collect()
  const all = places.map((): number[] => [])
  for (const [place, cutsOfPlace] of found) all[place] = cutsOfPlace
  return all
}

function cuts(values: Iterable<readonly [number, number]>, bins: number, count: number): number[] {
  const all: number[] = []
  const even: number[] = []
  let rank = 0
  let passed = 0
  let last: number | undefined
  for (const [, value] of values) {
    if (last !== undefined && value !== last) {
      const between = last + (value - last) / 2
      if (all.length < bins) all.push(between)
      // The first cut behind each part of the rows.
      const part = Math.floor(rank * bins / count)
      if (part > passed) even.push(between)
      passed = Math.max(part, passed)
    }
    last = value
    rank++
  }
  return all.length < bins ? all : even
}

function binned(
  { points, places }: Profile<ClassLabel>, thresholds: readonly number[][], classes: readonly [ClassLabel, ClassLabel] | null,
): Dataset<Binned> {
  const size = places.length
  const positive = classes?.[1]
  return points.map((point): Binned => {
    const bins = Array.from(denseOf(vectorIn(point), size), (value, place) => binOf(thresholds[place]!, value))
    return [positive === undefined ? point[0] as number : Number(point[0] === positive), bins]
  }).cache()
}

/** Number of thresholds below the value. */
function binOf(thresholds: readonly number[], value: number): number {
  let low = 0
  let high = thresholds.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (thresholds[middle]! < value) low = middle + 1
    else high = middle
  }
  return low
}

class Boosting {
  readonly #count: number
  readonly #points: Dataset<Binned>
  readonly #thresholds: readonly number[][]
  readonly #isClassifier: boolean
  /** Index of the first bin of each place, and the number of all bins. */
  readonly #starts: readonly number[]
  readonly #bins: number
  /** Largest difference between a label and the base; grows by what decisions can add. */
  #reach: number
  base: number
  stumps: readonly Decision[] = []
  loss = NaN

  constructor({ count, label }: Profile<ClassLabel>, points: Dataset<Binned>, thresholds: readonly number[][], isClassifier: boolean) {
    this.#count = count
    this.#points = points
    this.#thresholds = thresholds
    this.#isClassifier = isClassifier
    let bins = 0
    this.#starts = thresholds.map(each => (bins += each.length + 1) - each.length - 1)
    this.#bins = bins
    // The base of a classifier is set by the first pass.
    this.base = isClassifier ? NaN : label.mean(count)
    this.#reach = isClassifier ? 0 : Math.max(label.max - this.base, this.base - label.min)
  }

  async run(rounds: number, rate: number): Promise<void> {
    const ones = new BoundedSums({ bounds: new Float64Array(this.#bins + 1).fill(1), count: this.#count })
    const starts = this.#starts
    const counts = await summed(this.#points, ones, ([label, bins], sums) => {
      for (let place = 0; place < bins.length; place++) ones.add(sums, starts[place]! + bins[place]!, 1)
      if (label > 0) ones.add(sums, ones.size - 1, 1)
    })
    if (this.#isClassifier) {
      const positive = counts[this.#bins]!
      this.base = Math.log(positive / (this.#count - positive))
      this.#reach = Math.abs(this.base)
    }
    for (;;) {
      const { residuals, curvatures, loss } = await this.#pass()
      this.loss = loss
      const next = this.stumps.length < rounds ? this.#best(counts, residuals, curvatures, rate) : undefined
      if (!next) return
      this.stumps = [...this.stumps, next]
      this.#reach += Math.max(Math.abs(next.low), Math.abs(next.high))
    }
  }

  /** Sums by bins of what the decisions so far leave over, and of the curvature of the loss; the mean loss. */
  async #pass(): Promise<{ readonly residuals: Float64Array; readonly curvatures: Float64Array; readonly loss: number }> {
    const { base, stumps } = this
    const [bins, starts, isClassifier, reach] = [this.#bins, this.#starts, this.#isClassifier, this.#reach]
    const residualMax = isClassifier ? 1 : reach
    const lossMax = isClassifier ? 1 + reach : reach ** 2
    const bounds = new Float64Array(2 * bins + 1).fill(residualMax, 0, bins).fill(0.25, bins).fill(lossMax, 2 * bins)
    const shape = new BoundedSums({ bounds, count: this.#count })
    const sums = await summed(this.#points, shape, ([label, its], to) => {
      let score = base
      for (const { place, bin, low, high } of stumps) score += its[place]! < bin ? low : high
      const probability = 1 / (1 + Math.exp(-score))
      const residual = isClassifier ? label - probability : label - score
      for (let place = 0; place < its.length; place++) {
        const at = starts[place]! + its[place]!
        shape.add(to, at, residual)
        if (isClassifier) shape.add(to, bins + at, probability * (1 - probability))
      }
      const margin = label > 0 ? score : -score
      shape.add(to, 2 * bins, isClassifier ? Math.log1p(Math.exp(-Math.abs(score))) + Math.max(0, -margin) : residual * residual)
    })
    return { residuals: sums.subarray(0, bins), curvatures: sums.subarray(bins, 2 * bins), loss: sums[2 * bins]! / this.#count }
  }

  /** The decision after which the residuals vary least; undefined: none makes them vary less. */
  #best(counts: Float64Array, residuals: Float64Array, curvatures: Float64Array, rate: number): Decision | undefined {
    let best: { readonly gain: number; readonly place: number; readonly bin: number } | undefined
    for (const [place, thresholds] of this.#thresholds.entries()) {
      const [from, to] = [this.#starts[place]!, this.#starts[place]! + thresholds.length + 1]
      const total = sumOf(residuals, from, to)
      let [below, rows] = [0, 0]
      for (let bin = 1; bin <= thresholds.length; bin++) {
        below += residuals[from + bin - 1]!
        rows += counts[from + bin - 1]!
        const gain = below ** 2 / rows + (total - below) ** 2 / (this.#count - rows) - total ** 2 / this.#count
        if (gain > (best?.gain ?? 1e-12 * this.#count * this.loss)) best = { gain, place, bin }
      }
    }
    if (!best) return undefined
    const { place, bin } = best
    const start = this.#starts[place]!
    const leaf = (from: number, to: number): number => {
      const weight = sumOf(this.#isClassifier ? curvatures : counts, start + from, start + to)
      return weight > 0 ? rate * sumOf(residuals, start + from, start + to) / weight : 0
    }
    const { [place]: thresholds } = this.#thresholds
    return { place, bin, threshold: thresholds![bin - 1]!, low: leaf(0, bin), high: leaf(bin, thresholds!.length + 1) }
  }
}

function sumOf(values: Float64Array, from: number, to: number): number {
  let sum = 0
  for (let i = from; i < to; i++) sum += values[i]!
  return sum
}

/** Sum of the decisions about a row. */
export function stumpsScore({ base, stumps, columns, widths }: BoostedStumpsModel, row: DataRow): number {
  const layout = { columns, widths }
  const all = denseOf(vectorOf(row, layout), sizeOf(layout))
  return stumps.reduce((sum, { place, threshold, low, high }) => sum + (all[place]! <= threshold ? low : high), base)
}
