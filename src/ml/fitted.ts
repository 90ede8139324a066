// Fitted transformers and models: plain JSON, which a program saves as any other value, and which applies to a row or to a Dataset.
// INVARIANT: a fitted object of one kind and version keeps its meaning, because it is saved: a new meaning has a new version.

import type { Dataset } from '../program/dataset.ts'
import type { DataRow } from './row.ts'

/** Fields that all fitted objects have. */
export interface Fitted {
  readonly kind: string
  readonly version: number
}

/** Makes a fitted object from rows, as `fit` of scikit-learn and Spark do. */
export interface Estimator<F extends Fitted> {
  readonly kind: F['kind']
  fit(rows: Dataset<any>): Promise<F>
}

/** Applies a fitted object of one kind to a row: returns it with more or other columns. Made once for many rows. */
export type Apply = (row: DataRow) => DataRow
