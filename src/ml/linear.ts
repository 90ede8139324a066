// Linear regression by least squares, with an optional ridge penalty: one pass finds means and spreads, a second one the products of
// centred and scaled columns, whose equations are solved in the program.

import type { Estimator, Fitted } from './fitted.ts'
import { profiled, rangeOf, refuseConstant, vectorIn, type Profile } from './points.ts'
import { checkLearning, checkNames, checkNumber, numberOf, type DataRow } from './row.ts'
import { solveSymmetric, triangle } from './solve.ts'
import { BoundedSums, summed } from './sums.ts'
import { denseOf, dot, placeName, sizeOf, vectorOf, type VectorLayout } from './vector.ts'

export interface LinearRegressionOptions {
  /** Columns of numbers, booleans or vectors. */
  readonly features: readonly string[]
  /** Column of the number that is learnt. */
  readonly label: string
  /** Weight of the squared coefficients, without the intercept, beside the sum of squared errors; default: 0. */
  readonly ridge?: number | undefined
}

export interface LinearModel extends Fitted, VectorLayout {
  readonly kind: 'linearRegression'
  readonly label: string
  /** One for each place of the vector: columns in their order. */
  readonly coefficients: readonly number[]
  readonly intercept: number
  readonly rows: number
  /** Part of the label's variance that the model explains, in the rows that it was fitted to. */
  readonly r2: number
}

/** The products of places are as many as the square of their number. */
const placesMax = 1000

/**
 * Least squares, as `LinearRegression` and, with `ridge`, `Ridge` of scikit-learn. The model adds the column `prediction`. Throws for
 * columns that are constant or depend on each other; with `ridge` the latter is allowed.
 */
export function linearRegression(options: LinearRegressionOptions): Estimator<LinearModel> {
  checkNames('linearRegression', options, ['features', 'label', 'ridge'])
  const { features, label } = checkLearning('linearRegression', options)
  const ridge = checkNumber('ridge of linearRegression', options.ridge ?? 0, { min: 0, max: 1e300 })
  return {
    kind: 'linearRegression',
    async fit(rows) {
      const profile = await profiled(rows, { name: 'linearRegression', features, labelOf: row => numberOf(row, label) })
      const size = sizeOf(profile.layout)
      if (size > placesMax)
        throw new TypeError(`the features of linearRegression have ${size} places; it takes ${placesMax}: hash them into fewer`)
      refuseConstant('linearRegression', profile)
      return solved(profile, { label, ridge })
    },
  }
}

async function solved(profile: Profile<number>, { label, ridge }: { label: string; ridge: number }): Promise<LinearModel> {
  const { count, layout, places, label: labels } = profile
  const size = places.length
  const means = [...places, labels].map(each => each.mean(count))
  const deviations = [...places, labels].map(each => each.deviation(count))
  /** 0 for a place that is constant, and therefore part of a vector: its coefficient is 0. */
  const scales = deviations.map(each => (each > 0 ? Math.sqrt(count / each) : 0))
  const bounds = [...places, labels].map((each, i) =>
    scales[i]! * Math.max(...rangeOf(each, count).map(value => Math.abs(value - means[i]!))))
  const shape = new BoundedSums({
    bounds: bounds.flatMap((bound, row) => bounds.slice(0, row + 1).map(other => bound * other)), count,
  })
  const products = await summed(profile.points, shape, (point, sums) => {
    const all = denseOf(vectorIn(point), size + 1)
    all[size] = point[0]
    for (let row = 0, at = 0; row <= size; row++) {
      const value = all[row] = (all[row]! - means[row]!) * scales[row]!
      for (let column = 0; column <= row; column++) shape.add(sums, at++, value * all[column]!)
    }
  })
  const matrix = products.slice(0, triangle(size, 0))
  for (let row = 0; row < size; row++)
    matrix[triangle(row, row)] = scales[row] === 0 ? 1 : matrix[triangle(row, row)]! + ridge * scales[row]! ** 2
  const right = products.slice(triangle(size, 0), triangle(size, size))
  const solution = solveSymmetric(matrix, right)
  if ('dependent' in solution)
    throw new TypeError(`column ${placeName(layout, solution.dependent)} depends on the columns before it, so that linearRegression has no single solution; leave it out, or set ridge`)
  const labelScale = scales[size]!
  const coefficients = Array.from(solution, (value, i) => (labelScale === 0 ? 0 : value * scales[i]! / labelScale))
  const intercept = means[size]! - coefficients.reduce((sum, value, i) => sum + value * means[i]!, 0)
  return {
    kind: 'linearRegression', version: 1, ...layout, label, coefficients, intercept, rows: count,
    r2: explained({ matrix: products, right, solution, total: products[triangle(size, size)]! }),
  }
}

/** 1 - squared errors / squared differences from the mean. */
function explained(
  { matrix, right, solution, total }: { matrix: Float64Array; right: Float64Array; solution: Float64Array; total: number },
): number {
  if (total === 0) return 1
  let errors = total
  for (let row = 0; row < solution.length; row++) {
    errors -= 2 * solution[row]! * right[row]!
    for (let column = 0; column < solution.length; column++)
      errors += solution[row]! * solution[column]! * matrix[triangle(Math.max(row, column), Math.min(row, column))]!
  }
  return 1 - errors / total
}

export const linearScore = ({ coefficients, intercept, ...layout }: LinearModel, row: DataRow): number =>
  dot(vectorOf(row, layout), coefficients) + intercept
