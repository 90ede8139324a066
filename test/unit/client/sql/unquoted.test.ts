// Paths without quotes in SQL: they are found where a table is named, and nowhere else.

import { expect, test } from 'vitest'
import { unquotedPath, withQuotingAdvice } from '../../../../client/sql/unquoted.ts'
import { GristmillError } from '../../../../src/base/errors.ts'

test.each([
  ['FROM sales.csv', 'sales.csv'], ['SELECT * FROM /sales.csv WHERE n > 1', '/sales.csv'], ['FROM ./a.csv', './a.csv'],
  ['from ../a.csv', '../a.csv'], ['FROM ~/a.csv', '~/a.csv'], ['FROM data/a.csv, b', 'data/a.csv'], ['FROM /logs/*.csv', '/logs/*.csv'],
  ['FROM s3://b/a.csv', 's3://b/a.csv'], ["FROM 'a.csv' JOIN /b.csv.gz USING (n)", '/b.csv.gz'], ['FROM sales-2026.csv;', 'sales-2026.csv'],
  ['DESCRIBE sales.parquet', 'sales.parquet'], ['FROM -- a file\n x.jsonl', 'x.jsonl'],
  ["FROM '/a.csv'", undefined], ['FROM "a.csv"', undefined], ['FROM towns', undefined], ["SELECT 'FROM /a.csv'", undefined],
  ['FROM (SELECT 1)', undefined], ['SELECT 1 -- FROM /a', undefined], ['SELECT a FROM', undefined],
])('%s', (text, path) => {
  expect(unquotedPath(text)).toBe(path)
})

test('errors of the syntax get the advice, others stay as they are', () => {
  const said = (message: string, text: string) => (withQuotingAdvice(new GristmillError('EINVAL', message), text) as Error).message
  expect(said('Permission Error: Cannot access file "a.csv"', 'FROM a.csv')).toBe("a path is written in single quotes: 'a.csv'")
  expect(said('Parser Error: syntax error', 'FROM /a.csv')).toBe("a path is written in single quotes: '/a.csv'\nParser Error: syntax error")
  expect(said('Parser Error: syntax error', 'FROM towns WHEN 1')).toBe('Parser Error: syntax error')
  expect(said('Binder Error: no column', 'FROM a.csv')).toBe('Binder Error: no column')
})
