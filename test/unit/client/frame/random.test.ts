// Random DataFrames: the rows are those of their steps done one by one in plain DuckDB, both where the engine runs the frame's SQL and
// where the planner divides it among tasks. Native DuckDB, in process.

import { expect, test } from 'vitest'
import { planQuery } from '../../../../src/sql/plan.ts'
import { difference } from '../../../sql/compare.ts'
import { randomOf } from '../../../sql/draw.ts'
import { openDuckDB, oracleOf, read, type Answer } from '../../../sql/duckdb.ts'
import { randomFrame } from '../../../sql/frames.ts'
import { runPlan } from '../../../sql/runner.ts'
import { makeTables, randomTables } from '../../../sql/tables.ts'

const [first, frames] = [7_000_000, 120]
/** The frames are one test: on a machine with many other programs they take longer than the limit that only ends what hangs. */
const timeout = 1_500_000

test('120 random frames give the rows of their steps in plain DuckDB, in one task and divided', { timeout }, async () => {
  const connection = await openDuckDB()
  const oracle = oracleOf(await openDuckDB())
  const tables = randomTables(randomOf(first))
  await makeTables(connection, tables, randomOf(first + 1))
  let [failed, divided] = [0, 0]
  for (let seed = first; seed < first + frames; seed++) {
    const random = randomOf(seed)
    const { frame, isOrdered, steps } = randomFrame(random, tables)
    const text = frame.toSQL()
    const answer = async (work: () => Promise<Answer>): Promise<Answer | string> =>
      work().catch((error: Error) => `error: ${error.message}`)
    const expected = await answer(async () => {
      for (const [i, step] of steps.entries()) await connection.run(`CREATE OR REPLACE TEMP TABLE step_${i} AS ${step(`step_${i - 1}`)}`)
      return read(connection, `FROM step_${steps.length - 1}`)
    })
    const whole = await answer(() => read(connection, text))
    const inStages = await answer(async () => {
      const plan = await planQuery(text, tables, oracle, { broadcastBytes: random.pick([0, 1e9]) })
      if (plan.gathered.length === 0 && plan.stages.length > 1) divided++
      return runPlan(connection, plan, { splits: 3, partitions: 3, random: random.next })
    })
    for (const found of [whole, inStages]) {
      const fault = typeof found === 'string' || typeof expected === 'string'
        ? (typeof found === typeof expected ? undefined : `${String(found)} in place of ${String(expected)}`)
        : difference(found, expected, isOrdered)
      expect(fault, `seed ${seed}: ${text}\n${steps.map((step, i) => step(`step_${i - 1}`)).join('\n')}`).toBeUndefined()
    }
    if (typeof expected === 'string') failed++
  }
  expect(failed).toBeLessThan(10)
  expect(divided).toBeGreaterThan(40)
  connection.closeSync()
})
