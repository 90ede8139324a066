// The text files of test/sql/slt: semantics of nulls, numbers and times, run by plans in tasks, with the rows that the files say. Native
// DuckDB, in process.

import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { expect, test } from 'vitest'
import { parseSlt, runSlt, sltFiles } from '../../../sql/slt.ts'

const files = sltFiles(join(import.meta.dirname, '../../../sql/slt'))

test.each(files.map(file => [basename(file), file] as const))('the queries of %s have the expected rows, most of them without a gathered part', async (_, file) => {
  const { queries, planned, faults, stopped } = await runSlt(readFileSync(file, 'utf8'), { isExpected: true })
  expect(faults).toEqual([])
  expect(stopped).toBe(undefined)
  expect(queries).toBeGreaterThan(4)
  expect(planned / queries).toBeGreaterThan(0.6)
})

test('rows other than the expected ones, missing errors and failing statements are faults, and an unknown directive ends a file', async () => {
  const text = `require parquet

statement ok
CREATE TABLE t AS SELECT 1 AS i

query I
SELECT i FROM t
----
2

statement error
SELECT i FROM t

statement ok
SELECT nope FROM t

loop i 0 3

query I
SELECT i FROM t
----
3`
  const { faults, stopped, queries } = await runSlt(text, { isExpected: true })
  expect(faults.map(fault => fault.split('\n')[0]))
    .toEqual(['line 6: rows', 'line 11: no error', expect.stringMatching(/^line 14: Binder Error/)])
  expect(stopped).toBe('line 17: loop i 0 3')
  expect(queries).toBe(3)
  expect((await runSlt(text, { isExpected: false })).faults).toHaveLength(2)
  expect(parseSlt(text).records).toHaveLength(4)
})
