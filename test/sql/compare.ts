// Comparison of the answers of two runs: types and rows, numbers that are no integers up to a tolerance, the order only where it is
// declared.

import type { Answer } from './duckdb.ts'

/** Of values of DOUBLE and FLOAT: sums of other orders differ in the last digits. */
const relative = 1e-9
const absolute = 1e-9

/** What differs, or undefined. */
export function difference(found: Answer, expected: Answer, isOrdered: boolean): string | undefined {
  if (found.types.join() !== expected.types.join()) return `types ${found.types.join()} instead of ${expected.types.join()}`
  if (found.names.join() !== expected.names.join()) return `names ${found.names.join()} instead of ${expected.names.join()}`
  if (found.rows.length !== expected.rows.length) return `${found.rows.length} rows instead of ${expected.rows.length}`
  const [a, b] = isOrdered ? [found.rows, expected.rows] : [sorted(found.rows), sorted(expected.rows)]
  const at = a.findIndex((row, i) => !isSame(row, b[i]))
  if (at < 0 || (!isOrdered && isMatched(a, b))) return undefined
  return `row ${at}: ${JSON.stringify(a[at])} instead of ${JSON.stringify(b[at])}`
}

const sorted = (rows: Answer['rows']): Answer['rows'] =>
  rows
    .map(row => ({ row, key: JSON.stringify(row, (_, value: unknown) => (typeof value === 'number' ? value.toPrecision(6) : value)) }))
    .sort((x, y) => (x.key < y.key ? -1 : x.key > y.key ? 1 : 0))
    .map(({ row }) => row)

function isSame(a: unknown, b: unknown): boolean {
  if (typeof a === 'number' && typeof b === 'number')
    return a === b || Math.abs(a - b) <= absolute + relative * Math.max(Math.abs(a), Math.abs(b))
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((each, i) => isSame(each, b[i]))
  if (typeof a === 'object' && typeof b === 'object' && a !== null && b !== null) return isSame(Object.entries(a), Object.entries(b))
  return a === b
}

/** For rows that rounding has sorted otherwise. */
function isMatched(a: Answer['rows'], b: Answer['rows']): boolean {
  if (a.length > 5000) return false
  const left = [...b]
  return a.every(row => {
    const i = left.findIndex(other => isSame(row, other))
    if (i >= 0) left.splice(i, 1)
    return i >= 0
  })
}
