// Logistic regression for two classes: Newton's method where the features have few places, L-BFGS where they have many. Each evaluation is
// one pass over the points.

import type { Estimator, Fitted } from './fitted.ts'
import { LogisticLoss } from './logisticloss.ts'
import { isFlat, minimize, type Minimum } from './minimize.ts'
import { profiled, refuseConstant } from './points.ts'
import { checkLearning, checkNames, checkNumber, labelOf, type ClassLabel, type DataRow } from './row.ts'
import { solveSymmetric } from './solve.ts'
import { dot, placeName, sizeOf, vectorOf, type VectorLayout } from './vector.ts'

export interface LogisticRegressionOptions {
  /** Columns of numbers, booleans or vectors. */
  readonly features: readonly string[]
  /** Column of the class: two different texts, numbers or booleans. */
  readonly label: string
  /** The class whose probability is learnt; default: the later one in order, such as true, 1, or 'spam' beside 'ham'. */
  readonly positive?: ClassLabel | undefined
  /** Weight of half the squared coefficients, without the intercept, beside the sum of losses: 1 / C of scikit-learn; default: 1. */
  readonly l2?: number | undefined
  /** Default: 100. */
  readonly iterations?: number | undefined
  /**
   * Largest gradient by scaled features, relative to the loss, at which the fit has converged; default: 1e-8 for features of up to 64
   * places, else 1e-6.
   */
  readonly tolerance?: number | undefined
}

export interface LogisticModel extends Fitted, VectorLayout {
  readonly kind: 'logisticRegression'
  readonly label: string
  /** The other class, and the one whose probability is given. */
  readonly classes: readonly [negative: ClassLabel, positive: ClassLabel]
  readonly coefficients: readonly number[]
  readonly intercept: number
  readonly rows: number
  /** Mean loss of a row (log loss), without the penalty. */
  readonly loss: number
  readonly iterations: number
  /** False: the iterations ended before the gradient was small enough. Raise `iterations`, or `l2`. */
  readonly converged: boolean
}

/** Newton's method computes the products of all pairs of places for each row, and comes to its end in fewer passes. */
const newtonPlacesMax = 64

/**
 * As `LogisticRegression` of scikit-learn. The model adds the columns `probability`, of the positive class, and `prediction`, the class.
 * Throws if the label has one class only, or more than two.
 */
export function logisticRegression(options: LogisticRegressionOptions): Estimator<LogisticModel> {
  checkNames('logisticRegression', options, ['features', 'label', 'positive', 'l2', 'iterations', 'tolerance'])
  const { features, label } = checkLearning('logisticRegression', options)
  const l2 = checkNumber('l2 of logisticRegression', options.l2 ?? 1, { min: 0, max: 1e300 })
  const iterations = checkNumber('iterations of logisticRegression', options.iterations ?? 100, { min: 1, max: 900, isWhole: true })
  if (options.tolerance !== undefined) checkNumber('tolerance of logisticRegression', options.tolerance, { min: 0, max: 1 })
  return {
    kind: 'logisticRegression',
    async fit(rows) {
      const profile = await profiled(rows, {
        name: 'logisticRegression', features, labelOf: row => labelOf(row, label), classesMax: 2,
      })
      refuseConstant('logisticRegression', profile)
      const classes = twoClasses(label, profile.classes, options.positive)
      const { layout, count } = profile
      const loss = new LogisticLoss(profile, classes[1], l2)
      const isNewton = sizeOf(layout) <= newtonPlacesMax
      const ending = { iterations, tolerance: options.tolerance ?? (isNewton ? 1e-8 : 1e-6) }
      const start = new Float64Array(sizeOf(layout) + 1)
      const found = isNewton
        ? await newton(loss, start, ending)
        : await minimize(at => loss.at(at), start, { ...ending, curvature: loss.curvature })
      const { coefficients, intercept, penalty } = loss.weightsOf(found.at)
      return {
        kind: 'logisticRegression', version: 1, ...layout, label, classes, coefficients, intercept, rows: count,
        loss: (found.loss - penalty) / count, iterations: found.iterations, converged: found.converged,
      }
    },
  }
}

/** Minimum by Newton's steps, halved where the loss would grow. */
async function newton(
  loss: LogisticLoss, start: Float64Array, { iterations: most, tolerance }: { readonly iterations: number; readonly tolerance: number },
): Promise<Minimum> {
  let at = start
  let found = await loss.withCurvature(at)
  for (let iterations = 0; ; iterations++) {
    const converged = isFlat(found, tolerance)
    const unsettled = { at, loss: found.loss, iterations, converged }
    if (converged || iterations >= most) return unsettled
    const step = solveSymmetric(found.curvature, found.gradient)
    if ('dependent' in step) {
      // Later the curvature vanishes where the classes can be told apart without an error: the coefficients would grow for ever.
      if (iterations > 0) return unsettled
      throw new TypeError(`column ${placeName(loss.layout, step.dependent)} depends on the columns before it, so that logisticRegression has no single solution; leave it out, or set l2`)
    }
    let length = 1
    for (;;) {
      const next = at.map((value, i) => value - length * step[i]!)
      const there = await loss.withCurvature(next)
      if (there.loss <= found.loss) {
        at = next
        found = there
        break
      }
      length /= 2
      // Rounding errors of the loss are larger than what is left to gain.
      if (length < 1e-6) return unsettled
    }
  }
}

function twoClasses(label: string, classes: readonly ClassLabel[], positive: ClassLabel | undefined): readonly [ClassLabel, ClassLabel] {
  const column = `the label ${JSON.stringify(label)} of logisticRegression`
  if (classes.length === 1) throw new TypeError(`${column} is ${JSON.stringify(classes[0])} in all rows; there is nothing to tell apart`)
  if (classes.length > 2)
    throw new TypeError(`${column} has more than two classes, such as ${classes.map(each => JSON.stringify(each)).join(', ')}; fit a model for each class against the others`)
  const [first, second] = classes as readonly [ClassLabel, ClassLabel]
  if (positive === undefined || positive === second) return [first, second]
  if (positive === first) return [second, first]
  const [a, b] = [JSON.stringify(first), JSON.stringify(second)]
  throw new TypeError(`${column} is never ${JSON.stringify(positive)}, the positive class; it is ${a} or ${b}`)
}

/** Probability of the positive class. */
export const probabilityOf = ({ coefficients, intercept, ...layout }: LogisticModel, row: DataRow): number =>
  sigmoid(dot(vectorOf(row, layout), coefficients) + intercept)

/** 1 / (1 + e^-score), without overflow. */
export function sigmoid(score: number): number {
  if (score >= 0) return 1 / (1 + Math.exp(-score))
  const odds = Math.exp(score)
  return odds / (1 + odds)
}
