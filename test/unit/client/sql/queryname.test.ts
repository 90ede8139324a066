// Names of the jobs of queries: they tell queries apart, fit a line, and hold nothing that messages would not show.

import { expect, test } from 'vitest'
import { nameOfQuery } from '../../../../client/sql/queryname.ts'

test.each([
  ['SELECT 1', 'sql: SELECT 1'],
  [`-- cities\nSELECT city,\n\tcount(*) /* of\nthem */ AS n\nFROM '/data/a  b.csv';\n`, `sql: SELECT city, count(*) AS n FROM '/data/a b.csv'`],
  ['', 'sql'], ['/* only this', 'sql'],
  [`SELECT '${'é'.repeat(200)}'`, `sql: SELECT '${'é'.repeat(91)}…`],
  [`SELECT '${'😀'.repeat(200)}'`, `sql: SELECT '${'😀'.repeat(91)}…`],
  [`FROM 'postgres://ada:se''cret@db/shop/t'`, `sql: FROM 'postgres://db/shop/t'`],
  [`FROM $$s3://k:se@cret@b/x.csv$$`, 'sql: FROM $$s3://b/x.csv$$'],
  [`FROM "https://h/x.csv?X-Amz-Signature=secret#secret" t`, `sql: FROM "https://h/x.csv" t`],
  [`COPY (SELECT 1) TO 'postgres://ada:secret@`, `sql: COPY (SELECT 1) TO 'postgres://'`],
  [`FROM E'postgres://u:secret@h/d/t' -- secret`, `sql: FROM E'postgres://h/d/t'`],
  ['SELECT \u0007\u009b1\ud800', 'sql: SELECT 1\ufffd'],
])('%j', (text, name) => {
  expect(nameOfQuery(text)).toBe(name)
  expect(nameOfQuery(text)).not.toContain('secret')
})

test('the name of a long statement takes as little as one of its beginning', () => {
  const name = nameOfQuery(`SELECT * FROM t WHERE n IN (${'1, '.repeat(100_000)}2)`)
  expect([name.length, name.slice(0, 30)]).toEqual([105, 'sql: SELECT * FROM t WHERE n I'])
})
