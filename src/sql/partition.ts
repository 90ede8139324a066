// The hash that decides the partition of a row, and the partition of a hash. No other file computes either.

import { nameSql } from './quote.ts'

/**
 * Column that decides the partition of a row. Keys that have to meet (both sides of a join, both phases of an aggregation) are given with
 * one type each: DuckDB's `hash` of 1 differs for INTEGER and DOUBLE. It is never null, and rows with equal keys have equal hashes; -0.0
 * and 0.0, and all NaN, have one hash.
 */
export const hashSql = (keys: readonly string[]): string => (keys.length === 0 ? '0::UBIGINT' : `hash(${keys.join(', ')})`)

/** Partition of a row, 0 to `partitions` - 1, from the hash that its stage has computed in `column`. */
export const partitionOf = (column: string, partitions: number): string => `(${nameSql(column)} % ${partitions})`
