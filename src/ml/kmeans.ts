// k-means: centres of clusters, begun by k-means++ and moved to the means of their rows until they stay. Each centre of the beginning and
// each round is one pass over the points.
// INVARIANT: the choice of the first centres depends on the seed and on the rows alone. Where k-means++ draws a row with a probability in
// proportion to a weight, here the row with the least -log(u) / weight is taken: u is a hash of the row, so that any division of the rows
// among tasks finds the same one.

import type { Estimator, Fitted } from './fitted.ts'
import { uniform } from './hash.ts'
import { profiled, rangeOf, vectorIn, type Point, type Profile } from './points.ts'
import { checkColumns, checkNames, checkNumber, type DataRow } from './row.ts'
import { BoundedSums, summed } from './sums.ts'
import { denseOf, sizeOf, vectorOf, type Vector, type VectorLayout } from './vector.ts'

export interface KMeansOptions {
  /** Columns of numbers, booleans or vectors. */
  readonly features: readonly string[]
  /** Number of clusters. */
  readonly k: number
  /** Another number begins with other centres; default: 0. */
  readonly seed?: number | undefined
  /** First centres, in place of those that are drawn. */
  readonly centres?: ReadonlyArray<readonly number[]> | undefined
  /** Default: 100. */
  readonly iterations?: number | undefined
  /** Squared way of all centres in a round, in parts of the mean variance of a feature, at which the fit has converged; default: 1e-4. */
  readonly tolerance?: number | undefined
}

export interface KMeansModel extends Fitted, VectorLayout {
  readonly kind: 'kMeans'
  readonly centres: ReadonlyArray<readonly number[]>
  /** Rows of each cluster. */
  readonly sizes: readonly number[]
  /** Sum of the squared distances of rows from their centres. */
  readonly inertia: number
  readonly rows: number
  readonly iterations: number
  readonly converged: boolean
}

/**
 * As `KMeans` of scikit-learn. The model adds `prediction`, the number of the nearest centre, and `distance` from it. A cluster that loses
 * its last row keeps its centre.
 */
export function kMeans(options: KMeansOptions): Estimator<KMeansModel> {
  checkNames('kMeans', options, ['features', 'k', 'seed', 'centres', 'iterations', 'tolerance'])
  const features = checkColumns('features of kMeans', options.features)
  const k = checkNumber('k of kMeans', options.k, { min: 1, max: 10_000, isWhole: true })
  const seed = checkNumber('seed of kMeans', options.seed ?? 0, { min: 0, max: 8191, isWhole: true })
  const most = checkNumber('iterations of kMeans', options.iterations ?? 100, { min: 1, max: 900, isWhole: true })
  const tolerance = checkNumber('tolerance of kMeans', options.tolerance ?? 1e-4, { min: 0, max: 1 })
  return {
    kind: 'kMeans',
    async fit(rows) {
      const profile = await profiled(rows, { name: 'kMeans', features, labelOf: () => null })
      const size = sizeOf(profile.layout)
      let centres = options.centres ? checkCentres(options.centres, k, size) : await drawn(profile, k, seed)
      const variance = profile.places.reduce((sum, place) => sum + place.deviation(profile.count), 0) / profile.count / size
      for (let iterations = 1; ; iterations++) {
        const found = await round(profile, centres)
        const moved = found.means.reduce((sum, mean, i) => sum + distance({ indices: null, values: mean }, centres[i]!), 0)
        const converged = moved <= tolerance * variance
        centres = found.means
        if (!converged && iterations < most) continue
        // The round has found the sizes and the inertia of the centres that it began with.
        const { sizes, inertia } = moved === 0 ? found : await round(profile, centres)
        return { kind: 'kMeans', version: 1, ...profile.layout, centres, sizes, inertia, rows: profile.count, iterations, converged }
      }
    },
  }
}

async function round(
  { points, places, count }: Profile<null>, centres: ReadonlyArray<readonly number[]>,
): Promise<{ readonly means: number[][]; readonly sizes: number[]; readonly inertia: number }> {
  const size = places.length
  const ranges = places.map(place => rangeOf(place, count))
  const farthest = ranges.reduce((sum, [min, max], i) =>
    sum + Math.max(...centres.map(centre => Math.max(Math.abs(min - centre[i]!), Math.abs(max - centre[i]!)))) ** 2, 0)
  const bounds = ranges.map(([min, max]) => Math.max(Math.abs(min), Math.abs(max)))
  const shape = new BoundedSums({ bounds: [...centres.flatMap(() => [...bounds, 1]), farthest], count })
  const sums = await summed(points, shape, (point, to) => {
    const vector = vectorIn(point)
    const { cluster, squared } = nearest(vector, centres)
    const from = cluster * (size + 1)
    const { indices, values } = vector
    for (let i = 0; i < values.length; i++) shape.add(to, from + (indices === null ? i : indices[i]!), values[i]!)
    shape.add(to, from + size, 1)
    shape.add(to, shape.size - 1, squared)
  })
  const sizes = centres.map((_, cluster) => sums[cluster * (size + 1) + size]!)
  const means = centres.map((centre, cluster) =>
    (sizes[cluster] === 0 ? [...centre] : Array.from({ length: size }, (_, i) => sums[cluster * (size + 1) + i]! / sizes[cluster]!)))
  return { means, sizes, inertia: sums[shape.size - 1]! }
}

/**
 * Centres of k-means++: each one a row, the likelier the farther it is from those before. As in scikit-learn several rows are drawn for
 * each centre, and the one is taken that leaves the least squared distances.
 */
async function drawn(profile: Profile<null>, k: number, seed: number): Promise<number[][]> {
  const centres: number[][] = []
  const trials = 2 + Math.floor(Math.log(k))
  for (let i = 0; i < k; i++) {
    const seeds = Array.from({ length: i === 0 ? 1 : trials }, (_, trial) => (seed * 16_384 + i) * 16 + trial)
    const found = await draw(profile, [...centres], seeds)
    if (found.length === 0) throw new TypeError(`k of kMeans is ${k}, and the ${profile.count} rows have only ${i} different values`)
    centres.push(found.length === 1 ? found[0]! : await best(profile, [...centres], found))
  }
  return centres
}

type Candidate = readonly [rank: number, text: string, point: Point<null>]

/** One row for each seed; none if all rows are centres. */
async function draw(
  { points, places }: Profile<null>, centres: ReadonlyArray<readonly number[]>, seeds: readonly number[],
): Promise<number[][]> {
  const parts = await points.mapPartitions(async function * (part): AsyncGenerator<Array<Candidate | null>> {
    const found: Array<Candidate | null> = seeds.map(() => null)
    for await (const point of part) {
      const vector = vectorIn(point)
      const weight = centres.length === 0 ? 1 : nearest(vector, centres).squared
      if (weight === 0) continue
      const text = JSON.stringify([vector.indices, vector.values])
      for (const [i, seed] of seeds.entries()) found[i] = first(found[i]!, [-Math.log(uniform(text, seed)) / weight, text, point])
    }
    yield found
  }).collect()
  const all = seeds.map((_, i) => parts.map(part => part[i]!).reduce(first, null)).filter(candidate => candidate !== null)
  const texts = all.map(([, text]) => text)
  return all.filter(([, text], i) => texts.indexOf(text) === i).map(([, , point]) => [...denseOf(vectorIn(point), places.length)])
}

function first(a: Candidate | null, b: Candidate | null): Candidate | null {
  if (!a || !b) return a ?? b
  return b[0] < a[0] || (b[0] === a[0] && b[1] < a[1]) ? b : a
}

/** The candidate that leaves the least sum of squared distances. */
async function best(
  { points, places, count }: Profile<null>, centres: ReadonlyArray<readonly number[]>, candidates: readonly number[][],
): Promise<number[]> {
  const farthest = places.reduce((sum, place) => {
    const [min, max] = rangeOf(place, count)
    return sum + (max - min) ** 2
  }, 0)
  const shape = new BoundedSums({ bounds: candidates.map(() => farthest), count })
  const left = await summed(points, shape, (point, sums) => {
    const vector = vectorIn(point)
    const { squared } = nearest(vector, centres)
    for (const [i, candidate] of candidates.entries()) shape.add(sums, i, Math.min(squared, distance(vector, candidate)))
  })
  return candidates[left.indexOf(Math.min(...left))]!
}

/** The nearest centre, of equally near ones the first. */
function nearest(vector: Vector, centres: ReadonlyArray<readonly number[]>): { readonly cluster: number; readonly squared: number } {
  let cluster = 0
  let squared = Infinity
  for (let i = 0; i < centres.length; i++) {
    const its = distance(vector, centres[i]!)
    if (its < squared) [cluster, squared] = [i, its]
  }
  return { cluster, squared }
}

/** Squared distance. */
function distance({ indices, values }: Vector, centre: readonly number[]): number {
  let sum = 0
  if (indices === null) {
    for (let i = 0; i < values.length; i++) sum += (values[i]! - centre[i]!) ** 2
    return sum
  }
  let next = 0
  for (let place = 0; place < centre.length; place++) {
    const value = indices[next] === place ? values[next++]! : 0
    sum += (value - centre[place]!) ** 2
  }
  return sum
}

function checkCentres(centres: ReadonlyArray<readonly number[]>, k: number, size: number): number[][] {
  if (!Array.isArray(centres) || centres.length !== k || centres.some(each =>
    !Array.isArray(each) || each.length !== size || !(each as readonly unknown[]).every(Number.isFinite)))
    throw new TypeError(`centres of kMeans are ${k} arrays of ${size} numbers`)
  return centres.map(each => [...each])
}

/** Number of the nearest centre, and the distance from it. */
export function clusterOf({ centres, ...layout }: KMeansModel, row: DataRow): { readonly prediction: number; readonly distance: number } {
  const { cluster, squared } = nearest(vectorOf(row, layout), centres)
  return { prediction: cluster, distance: Math.sqrt(squared) }
}
