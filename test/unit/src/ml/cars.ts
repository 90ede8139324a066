// Cars of vega-datasets: 406 rows, some without fuel consumption or power. Real data for tests of machine learning, whose figures were
// computed with scikit-learn 1.9.1 and numpy 2.4.6.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../../../tidy/source.ts'

export interface Car {
  readonly Name: string
  readonly Miles_per_Gallon: number | null
  readonly Cylinders: number
  readonly Displacement: number
  readonly Horsepower: number | null
  readonly Weight_in_lbs: number
  readonly Acceleration: number
  readonly Origin: string
}

export const cars = JSON.parse(readFileSync(join(root, 'node_modules/vega-datasets/data/cars.json'), 'utf8')) as readonly Car[]

/** The 392 rows that have all numbers. */
export const complete = cars.filter(car => car.Miles_per_Gallon !== null && car.Horsepower !== null)
  .map(car => ({ ...car, isAmerican: car.Origin === 'USA' }))

export const engine = ['Cylinders', 'Displacement', 'Horsepower', 'Weight_in_lbs', 'Acceleration']
