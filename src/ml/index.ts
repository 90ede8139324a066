// Machine learning on Datasets, exported as 'gristmill/ml': statistics, features, models, and what is fitted as plain JSON. Part of each
// bundle that imports it, and of no other. Docs: docs/guide/machine-learning.md.

export { predict, transform, transformRow, type AnyFitted, type Classified, type Pipeline } from './apply.ts'
export { joinAsOf, type AsOfOptions } from './asof.ts'
export { describe, type ColumnSummary, type DescribeOptions } from './describe.ts'
export { bucketizer, featureHasher, imputer, oneHot, standardScaler } from './features.ts'
export type { Bucketizer, FeatureHasher, Imputer, OneHot, StandardScaler } from './features.ts'
export type { Estimator, Fitted } from './fitted.ts'
export { linearRegression, type LinearModel, type LinearRegressionOptions } from './linear.ts'
export { logisticRegression, type LogisticModel, type LogisticRegressionOptions } from './logistic.ts'
export { loadModel, pipeline, saveModel } from './pipeline.ts'
export type { ClassLabel, DataRow } from './row.ts'
export { splitByKey, type SplitOptions } from './split.ts'
export { tfIdf, words, type TfIdf } from './text.ts'
export type { SparseVector } from './vector.ts'
export { slidingWindow, type WindowOptions, type WindowSummary } from './window.ts'
