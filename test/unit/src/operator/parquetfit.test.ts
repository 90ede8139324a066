// Types of columns of Parquet files: which hold all values of which, and which would bend some.

import { expect, test } from 'vitest'
import { isHeld } from '../../../../src/operator/parquetfit.ts'
import type { SqlType } from '../../../../src/base/sql.ts'

const plain = (name: string): SqlType => ({ kind: 'plain', name })

test.each([
  ['INTEGER', 'BIGINT'], ['UINTEGER', 'BIGINT'], ['UTINYINT', 'USMALLINT'], ['INTEGER', 'DOUBLE'], ['SMALLINT', 'FLOAT'],
  ['FLOAT', 'DOUBLE'], ['DECIMAL(5,2)', 'DECIMAL(7,3)'], ['BIGINT', 'DECIMAL(19,0)'], ['INTEGER', 'DECIMAL(12, 2)'], ['DATE', 'TIMESTAMP'],
  ['TIMESTAMP_MS', 'TIMESTAMP'], ['TIMESTAMP', 'TIMESTAMP_NS'], ['"NULL"', 'DATE'], ["ENUM('a', 'b')", 'VARCHAR'], ['BLOB', 'BLOB'],
])('%s fits into %s, and not the other way round', (type, wider) => {
  expect(isHeld(plain(type), plain(wider))).toBe(true)
  if (type !== wider) expect(isHeld(plain(wider), plain(type))).toBe(false)
})

test.each([
  ['BIGINT', 'DOUBLE'], ['INTEGER', 'FLOAT'], ['INTEGER', 'UBIGINT'], ['UBIGINT', 'BIGINT'], ['DECIMAL(6,3)', 'DECIMAL(6,2)'],
  ['DECIMAL(6,2)', 'DECIMAL(6,3)'], ['BIGINT', 'DECIMAL(18,0)'], ['VARCHAR', 'BIGINT'], ['BIGINT', 'VARCHAR'],
  ['TIMESTAMP', 'TIMESTAMP WITH TIME ZONE'],
  ['BOOLEAN', 'INTEGER'], ['BLOB', 'VARCHAR'], ['TIME', 'TIMESTAMP'], ['DECIMAL(4,0)', 'BIGINT'],
])('%s does not fit into %s', (type, wider) => {
  expect(isHeld(plain(type), plain(wider))).toBe(false)
})

test('nested types fit by their parts; fields of a struct by their names', () => {
  const struct = (...fields: Array<[string, SqlType]>): SqlType =>
    ({ kind: 'struct', fields: fields.map(([name, type]) => ({ name, type })) })
  const list = (item: SqlType, length?: number): SqlType => ({ kind: 'list', item, ...length !== undefined && { length } })
  const [int, big] = [plain('INTEGER'), plain('BIGINT')]
  expect(isHeld(list(int), list(big))).toBe(true)
  expect(isHeld(list(big), list(int))).toBe(false)
  expect(isHeld(list(int, 2), list(big))).toBe(false)
  expect(isHeld(struct(['b', int], ['a', int]), struct(['a', big], ['B', int]))).toBe(true)
  expect(isHeld(struct(['a', int]), struct(['a', int], ['b', int]))).toBe(false)
  expect(isHeld(struct(['a', int], ['b', int]), struct(['a', int]))).toBe(false)
  expect(isHeld({ kind: 'map', key: int, value: int }, { kind: 'map', key: int, value: big })).toBe(true)
  expect(isHeld(int, list(int))).toBe(false)
  expect(isHeld(list(int), int)).toBe(false)
  expect(isHeld(plain('"NULL"'), list(int))).toBe(true)
})
