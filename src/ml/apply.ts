// Applies fitted objects of all kinds, to a row or to a Dataset.

import type { Dataset } from '../program/dataset.ts'
import type { AlsModel } from './als.ts'
import {
  bucketizerApply, hasherApply, imputerApply, oneHotApply, scalerApply, type Bucketizer, type FeatureHasher, type Imputer, type OneHot,
  type StandardScaler
} from './features.ts'
import type { Apply, Fitted } from './fitted.ts'
import { clusterOf, type KMeansModel } from './kmeans.ts'
import { linearScore, type LinearModel } from './linear.ts'
import { probabilityOf, sigmoid, type LogisticModel } from './logistic.ts'
import { asRows, type ClassLabel, type DataRow } from './row.ts'
import { stumpsScore, type BoostedStumpsModel } from './stumps.ts'
import { tfIdfApply, type TfIdf } from './text.ts'

/** All kinds of fitted objects. */
export type AnyFitted =
  | StandardScaler | Imputer | Bucketizer | OneHot | FeatureHasher | TfIdf | LinearModel | LogisticModel
  | KMeansModel | BoostedStumpsModel | AlsModel | Pipeline

/** Fitted objects that are applied one after the other. Made by `pipeline`. */
export interface Pipeline extends Fitted {
  readonly kind: 'pipeline'
  readonly stages: readonly AnyFitted[]
}

/** Columns that a classifier of two classes adds. */
export interface Classified {
  readonly prediction: ClassLabel
  readonly probability: number
}

const appliers: { readonly [K in AnyFitted['kind']]: (fitted: Extract<AnyFitted, { kind: K }>) => Apply } = {
  standardScaler: scalerApply,
  imputer: imputerApply,
  bucketizer: bucketizerApply,
  oneHot: oneHotApply,
  featureHasher: hasherApply,
  tfIdf: tfIdfApply,
  linearRegression: model => row => ({ ...row, prediction: linearScore(model, row) }),
  logisticRegression: model => row => {
    const probability = probabilityOf(model, row)
    return { ...row, probability, prediction: model.classes[probability > 0.5 ? 1 : 0] }
  },
  kMeans: model => row => ({ ...row, ...clusterOf(model, row) }),
  boostedStumps: model => row => {
    const score = stumpsScore(model, row)
    if (model.classes === null) return { ...row, prediction: score }
    return { ...row, probability: sigmoid(score), prediction: model.classes[score > 0 ? 1 : 0] }
  },
  als: () => { throw new TypeError('a model of als is applied by recommend(model, ratings), or recommendRow for one user') },
  pipeline: ({ stages }) => {
    const all = stages.map(applyOf)
    return row => all.reduce((made, apply) => apply(made), row)
  },
}

/** Functions that were made for fitted objects. */
const prepared = new WeakMap<Fitted, Apply>()

function applyOf(fitted: Fitted): Apply {
  checkFitted(fitted)
  const known = prepared.get(fitted)
  if (known) return known
  const made = (appliers[fitted.kind as AnyFitted['kind']] as (fitted: Fitted) => Apply)(fitted)
  prepared.set(fitted, made)
  return made
}

/** Throws TypeError for what is no fitted object, or one of a kind or version that is not known. */
export function checkFitted(fitted: unknown): asserts fitted is Fitted {
  const { kind, version } = (fitted ?? {}) as { readonly kind?: unknown; readonly version?: unknown }
  if (typeof kind !== 'string' || typeof version !== 'number')
    throw new TypeError('this is no fitted model or transformer: it has no kind and version. An estimator is fitted first: await linearRegression({ … }).fit(rows)')
  if (!Object.hasOwn(appliers, kind))
    throw new TypeError(`a fitted object of the kind ${JSON.stringify(kind)} is not known; there are ${Object.keys(appliers).join(', ')}`)
  if (version !== 1) throw new TypeError(`the ${kind} has version ${version}; this version of gristmill reads 1`)
}

/** Rows with the columns that a fitted object adds or changes. */
export function transform<T extends object>(fitted: LogisticModel, rows: Dataset<T>): Dataset<T & Classified>
export function transform<T extends object>(
  fitted: KMeansModel, rows: Dataset<T>,
): Dataset<T & { readonly prediction: number; readonly distance: number }>
export function transform<T extends object>(fitted: LinearModel, rows: Dataset<T>): Dataset<T & { readonly prediction: number }>
export function transform<U extends object = DataRow, T extends object = DataRow>(fitted: AnyFitted, rows: Dataset<T>): Dataset<T & U>
export function transform(fitted: AnyFitted, rows: Dataset<any>): Dataset<any> {
  const apply = applyOf(fitted)
  return asRows(rows).map(row => apply(row))
}

/** The same for one row, such as a request that is to be answered. */
export function transformRow<U extends object = DataRow>(fitted: AnyFitted, row: object): U { return applyOf(fitted)(row as DataRow) as U }

/** The prediction for one row: a number, or a class. */
export function predict(fitted: LinearModel | KMeansModel, row: object): number
export function predict(fitted: LogisticModel, row: object): ClassLabel
export function predict(fitted: AnyFitted, row: object): ClassLabel
export function predict(fitted: AnyFitted, row: object): ClassLabel {
  const { prediction } = applyOf(fitted)(row as DataRow)
  if (prediction === undefined) throw new TypeError(`${fitted.kind} predicts nothing; use transformRow`)
  return prediction as ClassLabel
}
