// Matrix factorisation for recommendations, by alternating least squares: users and items get vectors whose products are near to the
// ratings. The program holds the vectors of items; those of users are computed from their ratings when they are needed, by the equations
// of Hu, Koren and Volinsky ("Collaborative Filtering for Implicit Feedback Datasets", 2008) or, for ratings, of Zhou et al. ("Large-Scale
// Parallel Collaborative Filtering for the Netflix Prize", 2008), which Spark uses too.
// INVARIANT: terms are added in the order of users and items, or exactly, so that vectors do not depend on where the ratings lie.

import type { Dataset } from '../program/dataset.ts'
import { ExactSum } from '../base/exactsum.ts'
import { uniform } from './hash.ts'
import type { Estimator, Fitted } from './fitted.ts'
import {
  asRows, badValue, checkColumn, checkNames, checkNumber, compareLabels, labelOf, numberOf, type ClassLabel, type DataRow
} from './row.ts'
import { solveSymmetric, triangle } from './solve.ts'

export interface AlsOptions {
  /** Columns of the user and the item: texts, numbers or booleans. */
  readonly user: string
  readonly item: string
  /** Column of the rating, or, with `alpha`, of how often or how long: 0 or more. */
  readonly rating: string
  /** Numbers in a vector; default: 10. */
  readonly rank?: number | undefined
  /** Weight of the squared vectors, for each of their ratings; default: 0.1. */
  readonly l2?: number | undefined
  /** Set: a rating says by 1 + alpha * rating how sure it is that the user wants the item, and pairs without one count as unwanted. */
  readonly alpha?: number | undefined
  /** Default: 15. */
  readonly iterations?: number | undefined
  /** Change of the items' vectors in an iteration, relative to their length, at which the fit has converged; default: 1e-3. */
  readonly tolerance?: number | undefined
  /** Another number begins with other vectors; default: 0. */
  readonly seed?: number | undefined
}

export interface AlsModel extends Fitted {
  readonly kind: 'als'
  readonly user: string
  readonly item: string
  readonly rating: string
  readonly rank: number
  readonly l2: number
  readonly alpha: number | null
  /** In order. */
  readonly items: readonly ClassLabel[]
  /** The vector of each item. */
  readonly factors: ReadonlyArray<readonly number[]>
  /** Ratings that it was fitted to. */
  readonly rows: number
  /** Root of the mean squared error of these ratings; null with `alpha`. */
  readonly rmse: number | null
  readonly iterations: number
  readonly converged: boolean
}

/** Ratings of a user: places of items, which ascend, and their ratings. */
type Rated = readonly [user: ClassLabel, places: readonly number[], ratings: readonly number[]]

type Settings = Pick<AlsModel, 'rank' | 'l2' | 'alpha'>

/** Items whose vectors the program holds: a result of a step has at most 64 MiB. */
const itemsMax = 500_000

/**
 * Vectors of items from rows of user, item and rating; a pair of user and item has one row, or with `alpha` any number, which are added up.
 * As ALS of Spark. `recommend` applies the model.
 */
export function als(options: AlsOptions): Estimator<AlsModel> {
  checkNames('als', options, ['user', 'item', 'rating', 'rank', 'l2', 'alpha', 'iterations', 'tolerance', 'seed'])
  const { user, item, rating, alpha } = options
  for (const [name, column] of Object.entries({ user, item, rating })) checkColumn(`${name} of als`, column)
  const settings: Settings = {
    rank: checkNumber('rank of als', options.rank ?? 10, { min: 1, max: 500, isWhole: true }),
    l2: checkNumber('l2 of als', options.l2 ?? 0.1, { min: Number.MIN_VALUE, max: 1e300 }),
    alpha: alpha === undefined ? null : checkNumber('alpha of als', alpha, { min: 0, max: 1e300 }),
  }
  const most = checkNumber('iterations of als', options.iterations ?? 15, { min: 1, max: 400, isWhole: true })
  const tolerance = checkNumber('tolerance of als', options.tolerance ?? 1e-3, { min: 0, max: 1 })
  const seed = checkNumber('seed of als', options.seed ?? 0, { min: 0, max: 2 ** 20, isWhole: true })
  return {
    kind: 'als',
    async fit(rows) {
      const found = await asRows(rows).map(row => labelOf(row, item)).distinct().take(itemsMax + 1)
      if (found.length === 0) throw new TypeError('als was given no rows to fit')
      if (found.length > itemsMax)
        throw new TypeError(`column ${JSON.stringify(item)} has more than ${itemsMax} items, the most that als takes`)
      const items = found.toSorted(compareLabels)
      const named = { user, item, rating, ...settings, items }
      const users = ratedBy(named, rows).cache()
      let factors: ReadonlyArray<readonly number[]> = items.map(each => begun(each, settings.rank, seed))
      for (let iterations = 1; ; iterations++) {
        const next = await improved(users, settings, factors)
        const change = changeOf(factors, next.factors)
        factors = next.factors
        const converged = change <= tolerance
        if (converged || iterations >= most) {
          const rmse = settings.alpha === null ? next.rmse : null
          return { kind: 'als', version: 1, ...named, factors, rows: next.rows, rmse, iterations, converged }
        }
      }
    },
  }
}

/** First vector of an item, by its hash. */
function begun(item: ClassLabel, rank: number, seed: number): number[] {
  return Array.from({ length: rank }, (_, i) => (uniform(JSON.stringify(item), seed * 512 + i) - 0.5) * 2 / Math.sqrt(rank))
}

/** Ratings by user, in the order of items. */
function ratedBy(
  { user, item, rating, alpha, items }: Pick<AlsModel, 'user' | 'item' | 'rating' | 'alpha' | 'items'>, rows: Dataset<any>,
): Dataset<Rated> {
  const ratingIn = ratingsOf({ item, rating, alpha, items })
  return asRows(rows)
    .flatMap((row): Array<[ClassLabel, number, number]> => {
      const [place, value] = ratingIn(row)
      return place === undefined ? [] : [[labelOf(row, user), place, value]]
    })
    .groupBy(([its]) => its)
    .sortBy([([, place]) => place], [([, , value]) => value])
    .map((its, all): Rated => [its, ...merged(all, { alpha, items, of: `the user ${JSON.stringify(its)} has` })])
}

/** Reads an item's place, undefined for an item that the model does not have and that tells nothing about its vectors, and the rating. */
function ratingsOf(
  { item, rating, alpha, items }: Pick<AlsModel, 'item' | 'rating' | 'alpha' | 'items'>,
): (row: DataRow) => readonly [place: number | undefined, value: number] {
  const places = new Map(items.map((each, place) => [each, place]))
  return row => {
    const place = places.get(labelOf(row, item))
    const value = numberOf(row, rating)
    if (alpha !== null && value < 0) throw badValue(row, rating, `is ${value}; with alpha it is 0 or more`)
    return [place, value]
  }
}

/** One rating for each item of a user: counts are added up. REQUIRES: `all` in the order of places, then of values. */
function merged(
  all: Iterable<readonly [user: ClassLabel, place: number, value: number]>,
  { alpha, items, of }: Pick<AlsModel, 'alpha' | 'items'> & { readonly of: string },
): [places: number[], ratings: number[]] {
  const [found, ratings]: [number[], number[]] = [[], []]
  for (const [, place, value] of all) {
    if (place !== found.at(-1)) {
      found.push(place)
      ratings.push(value)
    } else if (alpha !== null) ratings[ratings.length - 1]! += value
    else throw new TypeError(`${of} two ratings of ${JSON.stringify(items[place])}; als takes one of each pair, or counts with alpha`)
  }
  return [found, ratings]
}

interface Improved { readonly factors: number[][]; readonly rmse: number; readonly rows: number }

/** Vectors of items by those of users, which are computed by the vectors that the items had. */
async function improved(users: Dataset<Rated>, settings: Settings, factors: ReadonlyArray<readonly number[]>): Promise<Improved> {
  const of = solverOf(settings, factors)
  const gram = settings.alpha === null ? undefined : await gramOf(users, of, settings.rank)
  const found = (await users
    .flatMap(function * ([user, places, ratings]): Generator<[place: number, user: ClassLabel, rating: number, vector: number[]]> {
      const vector = of(places, ratings)
      for (const [i, place] of places.entries()) yield [place, user, ratings[i]!, vector]
    })
    .groupBy(([place]) => place)
    .sortBy(([, user]) => user)
    .map((place, all): [place: number, vector: number[], squared: number, rows: number] => {
      const equations = new Equations(settings, gram)
      const terms: Array<readonly [number, readonly number[]]> = []
      for (const [, , rating, vector] of all) {
        equations.add(rating, vector)
        terms.push([rating, vector])
      }
      const vector = equations.solved()
      return [place, vector, terms.reduce((sum, [rating, its]) => sum + (rating - product(vector, its)) ** 2, 0), terms.length]
    })
    .collect()).toSorted(([a], [b]) => a - b)
  const rows = found.reduce((sum, [, , , count]) => sum + count, 0)
  const squared = found.reduce((sum, [, , each]) => sum + each, 0)
  return { factors: found.map(([, vector]) => vector), rmse: Math.sqrt(squared / rows), rows }
}

/** Sum of the products of all users' vectors with themselves, exact. */
async function gramOf(users: Dataset<Rated>, of: Solver, rank: number): Promise<number[]> {
  const parts = await users.mapPartitions(async function * (part): AsyncGenerator<number[][]> {
    const sums = Array.from({ length: triangle(rank, 0) }, () => new ExactSum())
    for await (const [, places, ratings] of part) eachProduct(of(places, ratings), (at, value) => sums[at]!.add(value))
    yield sums.map(sum => sum.parts)
  }).collect()
  const totals = Array.from({ length: triangle(rank, 0) }, () => new ExactSum())
  for (const sums of parts) for (const [at, numbers] of sums.entries()) for (const number of numbers) totals[at]!.add(number)
  return totals.map(total => total.value)
}

type Solver = (places: readonly number[], ratings: readonly number[]) => number[]

/** Vectors of users by those of the items. */
function solverOf(settings: Settings, factors: ReadonlyArray<readonly number[]>): Solver {
  let gram: number[] | undefined
  if (settings.alpha !== null) {
    gram = Array.from({ length: triangle(settings.rank, 0) }, () => 0)
    for (const vector of factors) eachProduct(vector, (at, value) => { gram![at]! += value })
  }
  return (places, ratings) => {
    const equations = new Equations(settings, gram)
    for (const [i, place] of places.entries()) equations.add(ratings[i]!, factors[place]!)
    return equations.solved()
  }
}

/** The equations of one vector, which each rating adds to. */
class Equations {
  readonly #settings: Settings
  readonly #matrix: number[]
  readonly #right: number[]
  #count = 0

  constructor(settings: Settings, gram: readonly number[] | undefined) {
    this.#settings = settings
    this.#matrix = gram ? [...gram] : Array.from({ length: triangle(settings.rank, 0) }, () => 0)
    this.#right = Array.from({ length: settings.rank }, () => 0)
  }

  /** `vector`: of the other side. */
  add(rating: number, vector: readonly number[]): void {
    const { alpha } = this.#settings
    this.#count++
    const weight = alpha === null ? 1 : alpha * rating
    eachProduct(vector, (at, value) => { this.#matrix[at]! += weight * value })
    const wanted = alpha === null ? rating : rating > 0 ? 1 + alpha * rating : 0
    for (let i = 0; i < vector.length; i++) this.#right[i]! += wanted * vector[i]!
  }

  solved(): number[] {
    const { rank, l2 } = this.#settings
    for (let i = 0; i < rank; i++) this.#matrix[triangle(i, i)]! += l2 * this.#count
    const solution = solveSymmetric(this.#matrix, this.#right)
    if ('dependent' in solution) throw new TypeError(`l2 of als is ${l2}, too little for vectors of ${rank} numbers; set a larger one, or a smaller rank`)
    return [...solution]
  }
}

/** Products of each two numbers of a vector, in the order of a triangle. */
function eachProduct(vector: readonly number[], fn: (at: number, value: number) => void): void {
  let at = 0
  for (let row = 0; row < vector.length; row++) for (let column = 0; column <= row; column++) fn(at++, vector[row]! * vector[column]!)
}

function product(a: readonly number[], b: readonly number[]): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

function changeOf(before: ReadonlyArray<readonly number[]>, after: ReadonlyArray<readonly number[]>): number {
  let [squared, length] = [0, 0]
  for (const [i, vector] of after.entries()) {
    for (const [k, value] of vector.entries()) {
      squared += (value - before[i]![k]!) ** 2
      length += value ** 2
    }
  }
  return Math.sqrt(squared / length)
}

export interface RecommendOptions {
  /** Items for each user; default: 10. */
  readonly count?: number | undefined
  /** Whether items that the user has rated count too; default: false. */
  readonly rated?: boolean | undefined
}

export interface Recommendation {
  readonly item: ClassLabel
  /** Rating that is expected; with `alpha` how likely the user wants it, about 0 to 1. */
  readonly score: number
}

/** For each user of the ratings the items with the highest scores, in order: pairs that `saveKeyValue` takes for users that are texts. */
export function recommend(model: AlsModel, rows: Dataset<any>, options: RecommendOptions = {}): Dataset<[ClassLabel, Recommendation[]]> {
  const best = bestOf(model, options)
  return ratedBy(model, rows).map((rated): [ClassLabel, Recommendation[]] => [rated[0], best(rated)])
}

/** The same for one user, by ratings of the user's own, who may be a new one. */
export function recommendRow(model: AlsModel, rows: readonly DataRow[], options: RecommendOptions = {}): Recommendation[] {
  const ratingIn = ratingsOf(model)
  const known = rows.map(row => ['', ...ratingIn(row)] as const)
    .filter((each): each is readonly ['', number, number] => each[1] !== undefined)
    .sort(([, a, x], [, b, y]) => a - b || x - y)
  return bestOf(model, options)(['', ...merged(known, { ...model, of: 'there are' })])
}

function bestOf(model: AlsModel, options: RecommendOptions): (rated: Rated) => Recommendation[] {
  checkNames('recommend', options, ['count', 'rated'])
  const count = checkNumber('count of recommend', options.count ?? 10, { min: 1, max: 10_000, isWhole: true })
  const { items, factors } = model
  const of = solverOf(model, factors)
  return ([, places, ratings]) => {
    // A user without a rating of a known item has no vector.
    if (places.length === 0) return []
    const vector = of(places, ratings)
    const rated = new Set(options.rated ? [] : places)
    const scores = factors.map((each, place) => [product(vector, each), place] as const).filter(([, place]) => !rated.has(place))
    return scores.sort(([a, i], [b, j]) => b - a || i - j).slice(0, count).map(([score, place]) => ({ item: items[place]!, score }))
  }
}
