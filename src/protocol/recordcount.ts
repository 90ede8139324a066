// Number of records that an attempt, a stage or a job has read or written, from its counters. Pure.

import type { Counters } from './fields.ts'

/**
 * undefined if it has moved bytes and has not counted their records: DuckDB reads the files of a query by itself. A counter without events
 * is missing, so that it is 0 where there are no bytes.
 */
export function recordsOf(counters: Counters, side: 'In' | 'Out'): number | undefined {
  return counters[`records${side}`] ?? (counters[`bytes${side}`] ? undefined : 0)
}
