// Linear and logistic regression: figures of scikit-learn on real data, the same bits however the rows are divided among tasks, and rows
// that nothing can be learnt from.

import { describe as group, expect, test } from 'vitest'
import {
  linearRegression, logisticRegression, oneHot, pipeline, predict, standardScaler, tfIdf, transform, transformRow, type LogisticModel
} from '../../../../src/ml/index.ts'
import { cars, complete, engine } from './cars.ts'
import { fitted, fittedAlike } from './kit.ts'

function expectNear(found: readonly number[], expected: readonly number[], relative: number): void {
  expect(found).toHaveLength(expected.length)
  for (const [i, value] of expected.entries())
    expect(Math.abs(found[i]! - value), `${found[i]} for ${value}`).toBeLessThan(Math.abs(value) * relative)
}

const label = 'Miles_per_Gallon'

group('linear regression', () => {
  test('has the coefficients of LinearRegression', async () => {
    const model = await fittedAlike(complete, data => linearRegression({ features: engine, label }).fit(data))
    expectNear(model.coefficients, [
      -0.39792835906421914, -8.313012222573111e-05, -0.04525708015083988, -0.005186917347611087, -0.02910471399018415,
    ], 1e-9)
    const found = [model.intercept, model.r2, predict(model, complete[0]!)]
    expectNear(found, [46.264307852571136, 0.7076926326770515, 18.64772465901344], 1e-11)
    expect(model.rows).toBe(392)
  })

  test('has those of Ridge, and of one-hot columns', async () => {
    const ridge = await fitted(complete, data => linearRegression({ features: engine, label, ridge: 1000 }).fit(data))
    expectNear(ridge.coefficients, [
      -0.0382350956674253, -0.005392051439476894, -0.04232921324895513, -0.005315173408297574, -0.010985208862863381,
    ], 1e-9)
    expectNear([ridge.intercept, ridge.r2], [45.12262590359241, 0.7071029108852516], 1e-11)
    const { stages: [, model] } = await fittedAlike(complete, data => pipeline(
      oneHot({ column: 'Origin', dropFirst: true }), linearRegression({ features: ['Weight_in_lbs', 'Origin'], label }),
    ).fit(data)) as any
    expectNear(model.coefficients, [-0.0070270833117300775, 1.3562443176901346, -0.9709055850118115], 1e-9)
    expectNear([model.intercept], [44.703141736644824], 1e-11)
  })

  test.each([
    [[{ x: 1, y: 2 }, { x: NaN, y: 1 }], 'column "x" is NaN, in the row {"x":"NaN","y":1}'],
    [[{ x: 1, y: 2 }, { y: 1 }], 'column "x" is missing, in the row {"y":1}'],
    [[{ x: 1, y: 2 }, { x: 2, y: null }], 'column "y" is null, in the row {"x":2,"y":null}'],
    [[{ x: 1, y: 2 }, { x: 2, y: 1e200 }], 'the label is 1e+200, and may have a magnitude of 1e+150'],
    [[{ x: 9007199254740993n, y: 2 }], 'column "x" is a bigint, and a number is wanted, in the row {"x":"9007199254740993n","y":2}'],
    [[{ x: '1', y: 2 }], 'column "x" is the text "1", and a number is wanted: convert it with Number(), in the row'],
    [[{ x: 1, y: 2 }, { x: 1, y: 3 }], 'column "x" has the same value in all rows (1), so that linearRegression can learn nothing from it'],
    [[{ x: [1, 2], y: 2 }, { x: [1], y: 3 }], 'column "x" has 2 places in some rows, and 1 in others'],
    [[{ x: [1, 2], y: 2 }, { x: [2, 4], y: 3 }, { x: [4, 8], y: 3 }], 'column "x"[1] depends on the columns before it'],
    [[{ x: { size: 2, indices: [2], values: [1] }, y: 2 }], 'column "x" is no sparse vector'],
    [[], 'linearRegression was given no rows to fit'],
  ])('rows that it cannot be fitted to are named: %#', async (rows, message) => {
    const failed = fitted<object, unknown>(rows, data => linearRegression({ features: ['x'], label: 'y' }).fit(data))
    const error = await failed.then(() => undefined, (thrown: Error) => thrown)
    expect(`${error?.message} ${(error?.cause as Error | undefined)?.message ?? ''}`).toContain(message)
  })
})

test('a label among the features is refused, before anything runs', () => {
  expect(() => linearRegression({ features: ['x', 'y'], label: 'y' })).toThrow('linearRegression has "y" as its label and among its features')
})

group('logistic regression', () => {
  const scaled = pipeline(standardScaler({ columns: engine }), logisticRegression({ features: engine, label: 'isAmerican' }))

  test('has the coefficients of LogisticRegression, by few passes', async () => {
    const fittedPipeline = await fittedAlike(complete, data => scaled.fit(data))
    const model = fittedPipeline.stages[1] as LogisticModel
    expect(model).toMatchObject({ converged: true, classes: [false, true], rows: 392 })
    expect(model.iterations).toBeLessThan(12)
    expectNear(model.coefficients, [
      -0.46830845606513, 4.8003067172985, -0.8217091644560972, -0.28515299801965915, -0.06836023005663602,
    ], 1e-6)
    expectNear([model.intercept, model.loss], [1.9836494344366333, 0.2979796475692796], 1e-6)
    const found = complete.map(car => transformRow<{ probability: number; prediction: boolean }>(fittedPipeline, car))
    expectNear(found.slice(0, 3).map(row => row.probability), [0.9970565127615306, 0.9990898593496, 0.9974025372435333], 1e-6)
    expect(found.filter((row, i) => row.prediction === complete[i]!.isAmerican).length / 392).toBeCloseTo(0.8826530612244898, 12)
  })

  test('learns from texts of many places, by L-BFGS', async () => {
    const rows = cars.map(car => ({ Name: car.Name, origin: car.Origin === 'USA' ? 'domestic' : 'foreign' }))
    const { stages } = await fittedAlike(rows, data => pipeline(
      tfIdf({ column: 'Name', size: 256 }), logisticRegression({ features: ['Name'], label: 'origin', positive: 'domestic' }),
    ).fit(data))
    const [text, model] = stages as [any, LogisticModel]
    expect(model.converged).toBe(true)
    expectNear([model.intercept, model.loss, model.coefficients[87]!], [0.2591880646064039, 0.25016726335421036, 2.755315673066497], 1e-3)
    const classified = await fitted(rows, async data => transform(model, transform<object, any>(text, data)).collect())
    expect(classified.filter(row => row.prediction === row.origin).length / 406).toBeCloseTo(0.9827586206896551, 12)
  })

  test('says that it has not converged, and does not go on for ever where the classes can be told apart', async () => {
    const few = await fitted(complete, data => logisticRegression({ features: engine, label: 'isAmerican', iterations: 1 }).fit(data))
    expect(few).toMatchObject({ converged: false, iterations: 1 })
    const rows = Array.from({ length: 40 }, (_, x) => ({ x, y: x > 20 }))
    const free = await fitted(rows, data => logisticRegression({ features: ['x'], label: 'y', l2: 0, iterations: 15 }).fit(data))
    expect(free.converged).toBe(false)
    expect(rows.every(row => predict(free, row) === row.y)).toBe(true)
  })

  test.each([
    [[{ x: 1, y: 'a' }, { x: 2, y: 'a' }], 'the label "y" of logisticRegression is "a" in all rows; there is nothing to tell apart'],
    [[{ x: 1, y: 'a' }, { x: 2, y: 'b' }, { x: 3, y: 'c' }], 'has more than two classes, such as "a", "b", "c"'],
    [[{ x: 1, y: 'a' }, { x: 2, y: null }], 'column "y" is null; it holds texts, numbers or booleans, in the row {"x":2,"y":null}'],
  ])('labels that it cannot be fitted to are named: %#', async (rows, message) => {
    const failed = fitted<object, unknown>(rows, data => logisticRegression({ features: ['x'], label: 'y' }).fit(data))
    const error = await failed.then(() => undefined, (thrown: Error) => thrown)
    expect(`${error?.message} ${(error?.cause as Error | undefined)?.message ?? ''}`).toContain(message)
  })
})
