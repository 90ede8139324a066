// The plan that gathers a whole query, and the partition of a hash.

import { expect, test } from 'vitest'
import { gatherPlan } from '../../../../src/sql/gather.ts'
import { hashSql, partitionOf } from '../../../../src/sql/partition.ts'
import type { Gathered, QueryColumn, QueryInput, QueryOutput, QueryPlan, QueryStage, TableInfo } from '../../../../src/sql/query.ts'
import { nameSql, textSql } from '../../../../src/sql/quote.ts'

test('a gathered query is one task over all rows of its tables, with its own text', () => {
  const table: TableInfo = { name: 't', columns: [{ name: 'a', type: 'INTEGER' }] }
  const columns: QueryColumn[] = [{ name: 'count_star()', type: 'BIGINT' }]
  const input: QueryInput = { view: 't', from: { kind: 'table', table: 't', columns: ['a'] }, how: 'all' }
  const output: QueryOutput = { kind: 'result', ordered: true }
  const stage: QueryStage = { name: 'gather', sql: 'SELECT count(*) FROM t', columns, tasks: 'one', output, inputs: [input] }
  const gathered: Gathered[] = [{ stage: 0, reason: 'asked for' }]
  const plan: QueryPlan = { stages: [stage], columns, gathered }
  expect(gatherPlan('SELECT count(*) FROM t', [table], columns, 'asked for')).toEqual(plan)
})

test('a partition comes from the hash of keys; names and texts are quoted', () => {
  expect(hashSql(['"a"', '"b"::BIGINT'])).toBe('hash("a", "b"::BIGINT)')
  expect(hashSql([])).toBe('0::UBIGINT')
  expect(partitionOf('h"h', 4)).toBe('("h""h" % 4)')
  expect(nameSql('a"b')).toBe('"a""b"')
  expect(textSql("it's")).toBe("'it''s'")
})
