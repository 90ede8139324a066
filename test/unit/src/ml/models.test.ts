// k-means, boosted stumps and matrix factorisation: figures of scikit-learn and numpy on real data, the same bits however the rows are
// divided among tasks, and rows that nothing can be learnt from.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe as group, expect, test } from 'vitest'
import {
  als, boostedStumps, kMeans, predict, recommend, recommendRow, transform, transformRow, type AlsModel
} from '../../../../src/ml/index.ts'
import { root } from '../../../tidy/source.ts'
import { complete, engine } from './cars.ts'
import { fitted, fittedAlike } from './kit.ts'

const read = (name: string): string => readFileSync(join(root, `node_modules/vega-datasets/data/${name}`), 'utf8')

function expectNear(found: unknown, expected: readonly number[], digits = 9): void {
  const all = (found as number[][]).flat()
  expect(all).toHaveLength(expected.length)
  for (const [i, value] of expected.entries()) expect(all[i], `number ${i}`).toBeCloseTo(value, digits)
}

/** Message of a fit that fails, with those of its causes. */
async function failure(rows: readonly object[], estimator: { fit(rows: any): Promise<unknown> }): Promise<string> {
  const error = await fitted<object, unknown>(rows, data => estimator.fit(data)).then(() => undefined, (thrown: Error) => thrown)
  return `${error?.message} ${(error?.cause as Error | undefined)?.message ?? ''}`
}

group('k-means', () => {
  const features = ['Beak Length (mm)', 'Beak Depth (mm)', 'Flipper Length (mm)']
  const penguins = (JSON.parse(read('penguins.json')) as Array<Record<string, number>>).filter(row => row['Body Mass (g)'] !== null)

  test('moves first centres to those of KMeans', async () => {
    const centres = [0, 160, 280].map(i => features.map(feature => penguins[i]![feature]!))
    const model = await fittedAlike(penguins, data => kMeans({ features, k: 3, centres, tolerance: 0 }).fit(data))
    expect(model).toMatchObject({ sizes: [120, 93, 129], converged: true, rows: 342 })
    expectNear(model.centres, [
      38.4275, 18.02166666666667, 186.99166666666665, 45.95483870967742, 18.701075268817206, 196.73118279569894,
      47.56744186046512, 15.224031007751938, 216.88372093023256,
    ])
    expect(model.inertia).toBeCloseTo(14619.76894192298, 7)
    const [first] = await fitted(penguins, async data => transform(model, data).take(1))
    expect(first).toMatchObject({ prediction: predict(model, penguins[0]!), distance: expect.closeTo(6.0, 0) })
  })

  test('draws first centres by the seed, which lead to the best clusters', async () => {
    const model = await fittedAlike(penguins, data => kMeans({ features, k: 3, seed: 4 }).fit(data))
    expect(model.inertia / 14619.76894192298).toBeCloseTo(1, 2)
    const sparse = penguins.map(row => ({ vector: { size: 4, indices: [0, 1, 3], values: features.map(feature => row[feature]!) } }))
    const centres = model.centres.map(([a, b, c]) => [a!, b!, 0, c!])
    const alike = await fitted(sparse, data => kMeans({ features: ['vector'], k: 3, centres }).fit(data))
    expect(alike).toMatchObject({ inertia: model.inertia, sizes: model.sizes })
    // 50 points at each of eight places: a draw that did not look at distances would find all eight in one of 400 trials.
    const eight = Array.from({ length: 400 }, (_, i) => ({ x: 100 * (i % 8) + i / 1e4, y: i % 3 }))
    expect((await fitted(eight, data => kMeans({ features: ['x'], k: 8 }).fit(data))).sizes).toEqual(Array(8).fill(50))
  })

  test('refuses more clusters than there are different rows, says that it has not converged, and names bad values', async () => {
    const rows = [{ x: 1 }, { x: 1 }, { x: 2 }]
    expect(await failure(rows, kMeans({ features: ['x'], k: 3 }))).toContain('k of kMeans is 3, and the 3 rows have only 2 different values')
    const model = await fitted(penguins, data => kMeans({ features, k: 3, iterations: 1, tolerance: 0 }).fit(data))
    expect(model).toMatchObject({ converged: false, iterations: 1 })
    // As KMeans of scikit-learn with max_iter=1: the centres have moved once.
    const six = [0, 1, 2, 10, 11, 12].map(x => ({ x }))
    const moved = await fitted(six, data => kMeans({ features: ['x'], k: 2, centres: [[0], [1]], iterations: 1 }).fit(data))
    expect(moved).toMatchObject({ centres: [[0], [7.2]], sizes: [3, 3], inertia: expect.closeTo(50.32, 9) })
    expect(await failure([{ x: 1 }, { x: null }], kMeans({ features: ['x'], k: 1 }))).toContain('column "x" is null, in the row {"x":null}')
  })
})

group('boosted stumps', () => {
  test('are those of GradientBoostingRegressor where each value has a bin', async () => {
    const model = await fittedAlike(complete, data => boostedStumps({
      features: engine, label: 'Miles_per_Gallon', rounds: 20, learningRate: 0.3, bins: 512,
    }).fit(data))
    expect(model.stumps.map(({ place }) => place)).toEqual([1, 2, 3, 3, 2, 2, 2, 3, 2, 2, 4, 1, 3, 2, 2, 1, 4, 2, 2, 2])
    expect(model.stumps.slice(0, 3).map(({ threshold }) => threshold)).toEqual([190.5, 84.5, 3085.5])
    expectNear(model.stumps.slice(0, 3).map(({ low, high }) => [low, high]), [
      1.558927192498627, -2.0357755102040827, 1.8773618111618133, -0.9531221502821505, 0.8915757825443285, -1.3065230020932654,
    ])
    expect(model.loss).toBeCloseTo(12.332149874184841, 8)
    const first = complete.slice(0, 3).map(car => predict(model, car) as number)
    expectNear([first], [16.764764395016172, 15.560616859212102, 16.018872471921814])
  })

  test('are those of GradientBoostingClassifier, and nearly so with few bins', async () => {
    const options = { features: engine, label: 'isAmerican', rounds: 20, learningRate: 0.3 }
    const model = await fitted(complete, data => boostedStumps({ ...options, bins: 512 }).fit(data))
    expect(model.stumps.slice(0, 3).map(({ place, threshold }) => [place, threshold])).toEqual([[1, 134.5], [1, 169.5], [1, 121.5]])
    expect(model.loss).toBeCloseTo(0.25711313119678636, 8)
    expect(transformRow<any>(model, complete[0]!)).toMatchObject({ probability: expect.closeTo(0.9696661725240718, 8), prediction: true })
    expect(complete.filter(car => predict(model, car) === car.isAmerican).length / 392).toBeCloseTo(0.8801020408163265, 12)
    const few = await fitted(complete, data => boostedStumps({ ...options, bins: 16 }).fit(data))
    expect(few.loss).toBeLessThan(0.29)
    expect(new Set(few.stumps.map(({ place, threshold }) => `${place} ${threshold}`)).size).toBeGreaterThan(5)
  })

  test('end when nothing is left to learn, and refuse labels of which nothing can be learnt', async () => {
    const rows = [1, 2, 3, 4].map(x => ({ x, y: x > 2 ? 5 : 1 }))
    const model = await fitted(rows, data => boostedStumps({ features: ['x'], label: 'y', rounds: 9, learningRate: 1 }).fit(data))
    expect(model).toMatchObject({ converged: true, loss: 0, stumps: [{ threshold: 2.5 }] })
    const fit = boostedStumps({ features: ['x'], label: 'y' })
    expect(await failure([{ x: 1, y: 'a' }, { x: 2, y: 'a' }], fit)).toContain('the label "y" of boostedStumps has one class')
    expect(await failure([{ x: 1, y: 3 }, { x: 2, y: 3 }], fit)).toContain('is 3 in all rows; there is nothing to learn')
    expect(await failure([{ x: 1, y: 3 }, { x: 2, y: 'a' }], fit)).toContain('is a number in some rows, and a text or a boolean in others')
  })
})

group('matrix factorisation', () => {
  const routes = read('flights-airport.csv').trim().split('\n').slice(1).map(line => line.trim().split(','))
    .map(([origin, destination, count]) => ({ origin: origin!, destination: destination!, count: Number(count) }))
  const totals = new Map<string, number>()
  for (const { origin, count } of routes) totals.set(origin, (totals.get(origin) ?? 0) + count)
  const busiest = new Set([...totals].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1)).slice(0, 25).map(([origin]) => origin))
  const rows = routes.filter(({ origin, destination }) => busiest.has(origin) && busiest.has(destination))
    .map(row => ({ ...row, rating: Math.log10(row.count) }))
  const options = { user: 'origin', item: 'destination', rating: 'rating', rank: 3, l2: 0.05, iterations: 5, tolerance: 0 }

  test('of ratings has the vectors of the same equations in numpy', async () => {
    const model = await fittedAlike(rows, data => als(options).fit(data))
    expect(model).toMatchObject({ rows: 563, iterations: 5, converged: false })
    expect(model.rmse).toBeCloseTo(0.26424773447093824, 9)
    expectNear([model.factors[model.items.indexOf('ATL')]!], [0.4731213416925527, 0.44495772285181684, 1.172064597108399], 8)
  })

  test('of counts has them too, and recommends what a user has not had', async () => {
    const { model, best } = await fittedAlike(rows, async data => {
      const made: AlsModel = await als({ ...options, alpha: 2 }).fit(data)
      const found = new Map((await recommend(made, data, { count: 2 }).collect()))
      return { model: made, best: [...found].sort(([a], [b]) => (a < b ? -1 : 1)) }
    })
    expectNear([model.factors[model.items.indexOf('ATL')]!], [0.3014303155861833, 0.32178095951593005, 0.594369822100798], 8)
    const [user, items] = best[0]!
    expect(user).toBe('ATL')
    expect(items).toEqual([{ item: 'ATL', score: expect.closeTo(0.9710022338677807, 8) }])
    const own = rows.filter(({ origin }) => origin === 'ATL')
    expect(recommendRow(model, own, { count: 1 })[0]!.score).toBeCloseTo(items[0]!.score, 9)
    expect(recommendRow(model, own, { count: 30, rated: true })).toHaveLength(model.items.length)
    expect(recommendRow(model, [])).toEqual([])
  })

  test('recommends for one user as for many: counts of one item are added up, and two grades of one are refused', () => {
    const model: AlsModel = {
      kind: 'als', version: 1, user: 'u', item: 'i', rating: 'r', rank: 2, l2: 0.1, alpha: 3, items: ['a', 'b', 'c'],
      factors: [[0.8, 0.1], [0.2, 0.9], [0.6, 0.5]], rows: 3, rmse: null, iterations: 1, converged: true,
    }
    const once = recommendRow(model, [{ i: 'a', r: 5 }, { i: 'b', r: 1 }])
    expect(once).toMatchObject([{ item: 'c' }])
    expect(recommendRow(model, [{ i: 'a', r: 2 }, { i: 'b', r: 1 }, { i: 'x', r: 7 }, { i: 'a', r: 3 }])).toEqual(once)
    expect(() => recommendRow(model, [{ i: 'a', r: -1 }])).toThrow('with alpha it is 0 or more')
    expect(() => recommendRow({ ...model, alpha: null }, [{ i: 'a', r: 2 }, { i: 'a', r: 3 }])).toThrow('there are two ratings of "a"')
  })

  test('refuses a pair that has two ratings, and names bad values', async () => {
    const fit = als({ user: 'u', item: 'i', rating: 'r' })
    expect(await failure([{ u: 1, i: 'a', r: 1 }, { u: 1, i: 'a', r: 2 }], fit)).toContain('the user 1 has two ratings of "a"')
    expect(await failure([{ u: 1, i: 'a', r: NaN }], fit)).toContain('column "r" is')
    expect(await failure([{ u: 1, i: 'a', r: -1 }], als({ user: 'u', item: 'i', rating: 'r', alpha: 1 }))).toContain('column "r" is -1; with alpha it is 0 or more')
  })
})
