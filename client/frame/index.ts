// Expressions of DataFrames, exported as 'gristmill/frame': columns, values, aggregates, window functions and functions on values.

export * from './aggregates.ts'
export * from './functions.ts'
export * from './windows.ts'
export { asc, col, desc, lit, type Expr, type SortKey } from './expr.ts'
export { sql } from './fragment.ts'
export { fromDataset, table } from './programframe.ts'
export type { DataFrame } from './dataframe.ts'
export { scalar, type ScalarFunction } from '../../src/program/functions.ts'
export { when } from './when.ts'
