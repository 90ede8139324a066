// Statistics, splits, features and joins over time: figures of scikit-learn and numpy on real data, plain JavaScript over made data, and
// the same results to the last bit however the rows are divided among tasks.

import { describe as group, expect, test } from 'vitest'
import {
  bucketizer, describe, featureHasher, imputer, joinAsOf, loadModel, oneHot, pipeline, saveModel, slidingWindow, splitByKey, standardScaler,
  tfIdf, transform, transformRow, words
} from '../../../../src/ml/index.ts'
import { Moments } from '../../../../src/ml/exact.ts'
import { murmur3, uniform } from '../../../../src/ml/hash.ts'
import { BoundedSums, valuesOf } from '../../../../src/ml/sums.ts'
import { dice } from '../../../kit/dice.ts'
import { cars, complete } from './cars.ts'
import { fitted, fittedAlike } from './kit.ts'

/** For what is fitted without rows. */
const noRows = undefined as never

group('statistics', () => {
  test('describe has the figures of numpy', async () => {
    const found = await fittedAlike(cars, data =>
      describe(data, { columns: ['Miles_per_Gallon', 'Horsepower', 'Weight_in_lbs'], quantiles: [0.1, 0.5, 0.9] }))
    expect(found['Miles_per_Gallon']).toMatchObject({
      count: 398, missing: 8, min: 9, max: 46.6, quantiles: { 0.1: 14, 0.5: 23, 0.9: 34.33 },
    })
    expect(found['Miles_per_Gallon']!.mean).toBeCloseTo(23.514572864321607, 12)
    expect(found['Miles_per_Gallon']!.stddev).toBeCloseTo(7.815984312565782, 12)
    expect(found['Horsepower']).toMatchObject({ count: 400, mean: 105.0825, quantiles: { 0.9: 160.5000000000001 } })
    expect(found['Horsepower']!.stddev).toBeCloseTo(38.768779183105195, 11)
    expect(found['Weight_in_lbs']!.stddev).toBeCloseTo(847.0043282393509, 10)
    expect(Object.keys(await fitted(cars, data => describe(data, { quantiles: [] })))).toEqual(
      ['Acceleration', 'Cylinders', 'Displacement', 'Horsepower', 'Miles_per_Gallon', 'Weight_in_lbs'],
    )
  })

  test('a spread far below the mean keeps its digits', () => {
    const moments = new Moments()
    for (const part of [0.1, 0.2, 0.3, 0.7]) moments.add(1e9 + part)
    const mean = [0.1, 0.2, 0.3, 0.7].map(part => 1e9 + part - 1e9)
    const centre = mean.reduce((a, b) => a + b) / 4
    expect(moments.deviation()).toBeCloseTo(mean.reduce((sum, each) => sum + (each - centre) ** 2, 0), 14)
    const tiny = new Moments()
    for (const each of [1e-140, 3e-140]) tiny.add(each)
    expect(tiny.deviation() / 2e-280).toBeCloseTo(1, 12)
  })

  test('bounded sums do not depend on the order, and are as near as exact ones', () => {
    const random = dice(3)
    const terms = Array.from({ length: 2000 }, () => (random.below(2 ** 30) / 2 ** 30 - 0.5) * 10 ** -random.below(12))
    const sum = (all: readonly number[]): number => {
      const shape = new BoundedSums({ bounds: [0.5], count: terms.length })
      const sums = shape.zero()
      for (const term of all) shape.add(sums, 0, term)
      return valuesOf(sums)[0]!
    }
    const exact = new Moments()
    for (const term of terms) exact.add(term)
    expect(sum(terms.toReversed())).toBe(sum(terms))
    expect(sum(terms.toSorted((a, b) => a - b))).toBe(sum(terms))
    expect(Math.abs(sum(terms) - exact.mean() * terms.length)).toBeLessThan(1e-14)
  })

  test('errors name the row and the column', async () => {
    const rows = [{ id: 1, a: 1 }, { id: 2, a: 'x' }, { id: 3, a: null }]
    const failing = (what: (data: any) => Promise<unknown>) => fitted(rows, what).then(() => 'no error', (error: Error) => chain(error))
    expect(await failing(data => describe(data, { columns: ['a'] })))
      .toContain('column "a" is the text "x", and a number is wanted: convert it with Number(), in the row {"id":2,"a":"x"}')
    expect(await failing(data => describe(data, { columns: ['b'] }))).toContain('column "b" has no number in the 3 rows')
    expect(await failing(data => tfIdf({ column: 'a' }).fit(data))).toContain('column "a" is a number, and a text is wanted')
    expect(await failing(data => oneHot({ column: 'a' }).fit(data))).toContain('column "a" is null; it holds')
  })
})

const chain = (error: Error): string => `${error.message} ${error.cause instanceof Error ? chain(error.cause) : ''}`

group('splits and joins over time', () => {
  test('rows with equal keys come to one side, in the wanted part, and stay there', async () => {
    const rows = Array.from({ length: 4000 }, (_, id) => ({ id, user: `u${id % 1000}` }))
    const split = (seed: number) => fittedAlike(rows, async data => {
      const [train, test] = splitByKey(data, row => row.user, { test: 0.25, seed })
      const users = async (part: typeof train): Promise<string[]> => (await part.map(row => row.user).distinct().collect()).sort()
      return { train: await users(train), test: await users(test) }
    })
    const { train, test } = await split(1)
    expect(new Set([...train, ...test]).size).toBe(train.length + test.length)
    expect(train.length + test.length).toBe(1000)
    expect(Math.abs(test.length - 250)).toBeLessThan(50)
    expect((await split(2)).test).not.toEqual(test)
    // The division is part of what users keep: it stays the same in later versions.
    expect(test.slice(0, 6)).toEqual(['u105', 'u111', 'u119', 'u12', 'u13', 'u133'])
  })

  test('three sides have each row once, and a side is not divided again by the seed that made it', async () => {
    const rows = Array.from({ length: 1000 }, (_, id) => ({ id }))
    const found = await fitted(rows, async data => {
      const sides = splitByKey(data, row => row.id, { test: 0.2, validation: 0.1 })
      const [train, test] = sides
      for (const side of sides) expect(() => splitByKey(side, row => row.id)).toThrow('one side of a split with the seed 0')
      const again = splitByKey(train, row => row.id, { test: 0.5, seed: 1 })
      expect(() => splitByKey(data, row => row.id, { test: 0.7, validation: 0.4 })).toThrow('together more than all keys')
      const [, alone] = splitByKey(data, row => row.id, { test: 0.2 })
      const ids = (side: typeof train): Promise<number[]> => side.map(row => row.id).collect()
      const [tests, agains] = [[await ids(test), await ids(alone)], await Promise.all(again.map(ids))]
      return { sides: await Promise.all(sides.map(ids)), again: agains, tests }
    })
    expect(found.sides.flat().sort((a, b) => a - b)).toEqual(rows.map(row => row.id))
    const [train, test, validation] = found.sides
    expect(Math.abs(test!.length - 200)).toBeLessThan(50)
    expect(Math.abs(validation!.length - 100)).toBeLessThan(40)
    expect(found.again.flat().toSorted((a, b) => a - b)).toEqual(train!.toSorted((a, b) => a - b))
    expect(Math.abs(found.again[0]!.length - train!.length / 2)).toBeLessThan(80)
    expect(found.tests[0]).toEqual(found.tests[1])
  })

  test('joinAsOf gives each row the last one before it, by key', async () => {
    const random = dice(5)
    const rows = Array.from({ length: 300 }, (_, id) =>
      ({ id, side: random.pick(['left', 'right']), key: random.below(5), at: random.below(60) }))
    for (const [within, sameTime] of [[Infinity, true], [7, false]] as const) {
      const expected = rows.filter(row => row.side === 'left').map(left => {
        const before = rows.filter(row => row.side === 'right' && row.key === left.key && (sameTime ? row.at <= left.at : row.at < left.at))
        const last = before.toSorted((a, b) => a.at - b.at || (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)).at(-1)
        return [left, last && left.at - last.at <= within ? last : null]
      })
      const found = await fittedAlike(rows, async data => (await joinAsOf(
        data.filter(row => row.side === 'left'), data.filter(row => row.side === 'right'),
        { key: row => row.key, rightKey: row => row.key, time: row => row.at, rightTime: row => row.at, within, sameTime },
      ).collect()).sort(([a], [b]) => a.id - b.id))
      expect(found).toEqual(expected)
    }
  })

  test('joinAsOf chooses among rows of one time by their texts, which may hold big integers', async () => {
    const rows = [{ at: 2, n: 0n }, { at: 1, n: 2n }, { at: 1, n: 9007199254740993n }]
    const found = await fittedAlike(rows, data => joinAsOf(
      data.filter(row => row.at === 2), data.filter(row => row.at === 1),
      { key: () => 1, rightKey: () => 1, time: row => row.at, rightTime: row => row.at },
    ).collect())
    expect(found).toEqual([[rows[0], rows[2]]])
  })

  test('slidingWindow has the rows of the time before, and not the row itself unless it is asked for', async () => {
    const random = dice(8)
    const rows = Array.from({ length: 300 }, (_, id) =>
      ({ id, key: random.below(4), at: random.below(100), n: random.below(8) === 0 ? null : random.below(1000) / 10 }))
    for (const sameTime of [false, true]) {
      const expected = rows.map(row => {
        const values = rows.filter(each => each.key === row.key && each.n !== null && row.at - each.at < 20
          && (sameTime ? each.at <= row.at : each.at < row.at)).map(each => each.n!)
        return [values.length, values.length === 0 ? null : Math.min(...values), values.length === 0 ? null : Math.max(...values)]
      })
      const found = await fittedAlike(rows, async data => (await slidingWindow(
        data, { key: row => row.key, time: row => row.at, length: 20, value: row => row.n, sameTime },
      ).collect()).sort(([a], [b]) => a.id - b.id))
      expect(found.map(([, { count, min, max }]) => [count, min, max])).toEqual(expected)
      for (const [, { count, sum, mean }] of found) expect(mean).toBe(count === 0 ? null : sum / count)
    }
  })
})

group('features', () => {
  test('hashes and hashed features are those of scikit-learn', async () => {
    expect(['', 'a', 'grain', 'rye oats', 'Müsli 😀'].map(text => murmur3(text)))
      .toEqual([0, 1009084850, -1478114979, -501927978, -66713695])
    const hasher = await featureHasher({ columns: ['Origin', 'Cylinders', 'Name'], into: 'hashed', size: 32 }).fit(noRows)
    expect(cars.slice(0, 3).map(car => transformRow<any>(hasher, car).hashed)).toEqual([
      { size: 32, indices: [0, 22, 28], values: [-8, -1, 1] }, { size: 32, indices: [0, 16, 22], values: [-8, 1, -1] },
      { size: 32, indices: [0, 14, 22], values: [-8, -1, -1] },
    ])
    const numbers = Array.from({ length: 10_000 }, (_, i) => uniform(String(i), 3))
    expect(numbers.reduce((sum, each) => sum + each, 0) / numbers.length).toBeCloseTo(0.5, 1)
    expect(numbers.every(each => each > 0 && each < 1)).toBe(true)
  })

  test('tfIdf is that of scikit-learn', async () => {
    const model = await fittedAlike(cars, data => tfIdf({ column: 'Name', into: 'words', size: 256 }).fit(data))
    const { words: vector } = transformRow<any>(model, cars[0]!)
    expect(vector.indices).toEqual([15, 20, 169])
    for (const [i, value] of [0.6797166282492003, 0.6358046832768309, 0.3657016680366489].entries())
      expect(vector.values[i]).toBeCloseTo(value, 12)
    expect(words('Müsli, 2 oat-cakes_x')).toEqual(['müsli', 'oat', 'cakes_x'])
  })

  test('scaler, imputer, buckets and one-hot places', async () => {
    const scaler = await fittedAlike(complete, data => standardScaler({ columns: ['Horsepower'] }).fit(data))
    const scaled = complete.map(car => transformRow<any>(scaler, car).Horsepower as number)
    expect(scaled.reduce((sum, each) => sum + each, 0)).toBeCloseTo(0, 9)
    expect(scaled.reduce((sum, each) => sum + each * each, 0) / complete.length).toBeCloseTo(1, 12)
    const median = await fitted(cars, data => imputer({ columns: ['Horsepower'], value: 'median' }).fit(data))
    expect(transformRow(median, { Horsepower: null })).toEqual({ Horsepower: 95 })
    const buckets = await bucketizer({ column: 'delay', into: 'late', splits: [0, 15, 60] }).fit(noRows)
    expect([-1, 0, 14.9, 15, 600].map(delay => transformRow<any>(buckets, { delay }).late)).toEqual([0, 1, 1, 2, 3])
    const quarters = await fittedAlike(cars, data => bucketizer({ column: 'Weight_in_lbs', buckets: 4 }).fit(data))
    expect(quarters.splits).toHaveLength(3)
    const origin = await fittedAlike(cars, data => oneHot({ column: 'Origin', into: 'origin' }).fit(data))
    expect(origin.categories).toEqual(['Europe', 'Japan', 'USA'])
    expect(transformRow<any>(origin, { Origin: 'Japan' }).origin).toEqual({ size: 3, indices: [1], values: [1] })
    expect(() => transformRow(origin, { Origin: 'Mars' })).toThrow(/"Origin" is "Mars", which no row had .* in the row \{"Origin":"Mars"\}/)
  })

  test('a pipeline is plain JSON, is saved and read again, and applies to rows as to a Dataset', async () => {
    const { model, rows } = await fittedAlike(complete, async (data, mill) => {
      const made = await pipeline(oneHot({ column: 'Origin' }), standardScaler({ columns: ['Horsepower'] })).fit(data)
      await saveModel(mill, made, '/model')
      const read = await loadModel(mill, '/model')
      expect(read).toEqual(made)
      const inOrder = transform<any>(read, data).sortBy((row: any) => `${row.Name} ${row.Year} ${row.Weight_in_lbs}`)
      return { model: read, rows: await inOrder.collect() }
    })
    expect(JSON.parse(JSON.stringify(model))).toEqual(model)
    const byName = new Map(complete.map(car => [JSON.stringify([car.Name, car.Weight_in_lbs]), transformRow<any>(model, car).Origin]))
    expect(rows).toHaveLength(complete.length)
    for (const row of rows) expect(row['Origin']).toEqual(byName.get(JSON.stringify([row['Name'], row['Weight_in_lbs']])))
    expect(() => transformRow({ kind: 'oneHot', version: 2 } as never, {})).toThrow('the oneHot has version 2; this version of gristmill reads 1')
    expect(() => transformRow(oneHot({ column: 'a' }) as never, {})).toThrow('An estimator is fitted first')
  })

  test.each([
    [() => standardScaler({ columns: [] }), 'columns of standardScaler takes names of columns'],
    [() => oneHot({ column: 'a', dropfirst: true } as never), 'oneHot does not know "dropfirst"; it knows column, into, dropFirst, unknown'],
    [() => bucketizer({ column: 'a', splits: [3, 2] }), 'numbers that ascend'],
    [() => tfIdf({ column: 'a', size: 0 }), 'size of tfIdf is 0; it is an integer from 1 to 1048576'],
    [() => pipeline({} as never), 'pipeline takes estimators'],
  ])('options that cannot be meant are refused: %#', (make, message) => { expect(make).toThrow(message) })
})
