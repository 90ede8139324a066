// Text of values in tables, CSV and JSON: no digit is lost, and texts can be told from NULL.

import { expect, test } from 'vitest'
import { csvField, jsonText, valueText } from '../../../../client/sql/text.ts'
import type { SqlType, SqlValue } from '../../../../src/base/sql.ts'

const plain = (name: string): SqlType => ({ kind: 'plain', name })
const list = (item: SqlType): SqlType => ({ kind: 'list', item })

test.each<[SqlType, SqlValue, string, string]>([
  [plain('BIGINT'), 9007199254740993n, '9007199254740993', '9007199254740993'],
  [plain('DECIMAL(38,3)'), '12345678901234567.890', '12345678901234567.890', '12345678901234567.890'],
  [plain('DOUBLE'), 1, '1.0', '1.0'], [plain('DOUBLE'), -0, '-0.0', '-0.0'], [plain('DOUBLE'), 1e21, '1e+21', '1e+21'],
  [plain('DOUBLE'), NaN, 'nan', '"NaN"'], [plain('DOUBLE'), -Infinity, '-inf', '"-Infinity"'],
  [plain('FLOAT'), Math.fround(0.1), '0.1', '0.1'], [plain('FLOAT'), Math.fround(16777217.1), '16777218.0', '16777218.0'],
  [plain('FLOAT'), Math.fround(1 / 3), '0.33333334', '0.33333334'], [plain('INTEGER'), 7, '7', '7'],
  [plain('BLOB'), Uint8Array.of(65, 92, 0), 'A\\x5C\\x00', '"A\\\\x5C\\\\x00"'], [plain('BOOLEAN'), true, 'true', 'true'],
  [plain('VARCHAR'), 'a"b', 'a"b', '"a\\"b"'], [list(plain('BIGINT')), [1n, null], '[1,null]', '[1,null]'],
  [{ kind: 'struct', fields: [{ name: 'a b', type: plain('DOUBLE') }] }, { 'a b': 2 }, '{"a b":2.0}', '{"a b":2.0}'],
  [{ kind: 'map', key: plain('BIGINT'), value: plain('VARCHAR') }, new Map([[1n, 'x']]), '{"1":"x"}', '{"1":"x"}'],
  [{ kind: 'union', fields: [] }, 5n, '5', '5'],
])('values of %o are %s', (type, value, text, json) => {
  expect(valueText(value as Exclude<SqlValue, null>, type)).toBe(text)
  expect(jsonText(value, type)).toBe(json)
})

test('fields of CSV are in quotes where a reader needs them', () => {
  const text = plain('VARCHAR')
  expect([null, '', 'a', 'a,b', 'a"b', ' a', 'a\nb'].map(value => csvField(value, text))).toEqual(
    ['', '""', 'a', '"a,b"', '"a""b"', '" a"', '"a\nb"'],
  )
})
