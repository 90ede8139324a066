// A fixed part of the random queries of test/sql/random.ts: planned, run in tasks, and compared with plain DuckDB. Native DuckDB, in
// process.

import { expect, test } from 'vitest'
import { randomRuns } from '../../../sql/random.ts'

test('300 random queries give the rows of plain DuckDB, most of them without a gathered part', async () => {
  const outcomes = await randomRuns(Array.from({ length: 300 }, (_, i) => 500_000 + i))
  expect(outcomes.flatMap(({ seed, sql, fault }) => (fault === undefined ? [] : [{ seed, fault, sql }]))).toEqual([])
  expect(outcomes.filter(({ gathered }) => gathered.length === 0).length).toBeGreaterThan(180)
  // Queries that DuckDB itself refuses compare nothing but the kind of the error.
  expect(outcomes.filter(({ failed }) => failed).length).toBeLessThan(15)
})
