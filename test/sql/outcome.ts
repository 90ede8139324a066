// Outcome of one random query, and the comparison of its answer with plain DuckDB's.

import { difference } from './compare.ts'
import type { Answer } from './duckdb.ts'

export interface Outcome {
  readonly seed: number
  readonly sql: string
  readonly fault?: string
  readonly gathered: readonly string[]
  readonly failed: boolean
}

/** Errors are compared by their kind: of several wrong rows the first one to be seen decides about the text. */
export function faultOf(found: Answer | Error, expected: Answer | Error, isOrdered: boolean): string | undefined {
  const kind = (error: Error): string => error.message.split(':')[0]!
  if (found instanceof Error) return expected instanceof Error && kind(found) === kind(expected) ? undefined : `error: ${found.message}`
  // A fault of DuckDB's own optimizer, which the stages of the plan did not meet.
  if (expected instanceof Error && kind(expected) === 'INTERNAL Error') return undefined
  // DuckDB plans BETWEEN over lists and cannot run it; the two comparisons that the plan has in its place it can.
  if (expected instanceof Error && /Invalid type for BETWEEN/.test(expected.message)) return undefined
  return expected instanceof Error ? `no error, but DuckDB's: ${expected.message}` : difference(found, expected, isOrdered)
}
