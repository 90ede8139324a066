// Values of a program as texts of columns of SQL: those that a column holds whole, and the messages for others.

import { describe, expect, test } from 'vitest'
import { rowTexts } from '../../../../src/program/rowtext.ts'

const textOf = (type: string, value: unknown): unknown => rowTexts({ c: type })({ c: value })['c']

describe('rowTexts', () => {
  test.each<readonly [string, unknown, unknown]>([
    ['INTEGER', -1, '-1'], ['tinyint', 127n, '127'], ['BIGINT', 2n ** 63n - 1n, '9223372036854775807'],
    ['UBIGINT', 2n ** 64n - 1n, `${2n ** 64n - 1n}`],
    ['HUGEINT', -(2n ** 127n), `${-(2n ** 127n)}`], ['DOUBLE', -0, '-0'], ['DOUBLE', Number.NaN, 'NaN'],
    ['FLOAT', -Infinity, '-Infinity'], ['FLOAT', -3.4e38, '-3.4e+38'], ['REAL', 0.1, '0.1'], ['DOUBLE', 1e300, '1e+300'],
    ['UINT8', 255, '255'], ['INT16', -32768, '-32768'], ['INT64', 2n ** 63n - 1n, '9223372036854775807'], ['UINT128', 7, '7'],
    ['DECIMAL(38, 10)', 1e-7, '0.0000001'], ['DECIMAL(38, 10)', -1.5e-7, '-0.00000015'],
    ['DECIMAL(38, 0)', 1.5e21, '1500000000000000000000'],
    ['DECIMAL(9, 2)', '1.500', '1.500'], ['DECIMAL', 1.125, '1.125'], ['NUMERIC(5)', 7n, '7'], ['decimal(3,1)', '.5', '.5'],
    ['BOOLEAN', false, 'false'], ['VARCHAR', 'ö\n\0', 'ö\n\0'], ['VARCHAR(3)', 'abcd', 'abcd'],
    ['BLOB', Buffer.from([0, 255]), '\\x00\\xff'],
    ['DATE', '2024-05-31', '2024-05-31'], ['DATE', new Date('2024-05-31T00:00:00Z'), '2024-05-31'],
    ['DATE', '0044-03-15 (BC)', '0044-03-15 (BC)'],
    ['TIMESTAMP', new Date('2024-05-31T12:00:00.25Z'), '2024-05-31 12:00:00.250'],
    ['TIMESTAMP', '2024-05-31 12:00:00.1234560', '2024-05-31 12:00:00.1234560'],
    ['TIMESTAMPTZ', new Date(0), '1970-01-01 00:00:00.000+00'], ['TIMESTAMP WITH TIME ZONE', new Date(0), '1970-01-01 00:00:00.000+00'],
    ['TIMESTAMP_S', new Date(1000), '1970-01-01 00:00:01.000'],
    ['TIMESTAMP_NS', '2024-05-31 12:00:00.123456789', '2024-05-31 12:00:00.123456789'],
    ['TIMESTAMP(9)', '2024-05-31 12:00:00.123456789', '2024-05-31 12:00:00.123456789'],
    ['TIMESTAMP(1)', '2024-05-31 12:00:00.123', '2024-05-31 12:00:00.123'],
    ['TIMESTAMP(3)', new Date(1), '1970-01-01 00:00:00.001'], ['TIMESTAMP', 'infinity', 'infinity'],
    ['TIMESTAMP', '2024-05-31T12:00:00.5+00:00', '2024-05-31T12:00:00.5+00:00'],
    ['TIMESTAMP', '2024-05-31 12:00:00Z', '2024-05-31 12:00:00Z'],
    ['TIMESTAMPTZ', '2024-05-31 12:00:00+02', '2024-05-31 12:00:00+02'], ['TIMETZ', '12:00:00-03', '12:00:00-03'],
    ['TIME_NS', '12:00:00.123456789', '12:00:00.123456789'],
    ['TIME', '12:00:00.5', '12:00:00.5'], ['UUID', 'x', 'x'], ['INTEGER[]', [1, null, undefined], ['1', null, null]],
    ['INTEGER[2]', [1, 2], ['1', '2']],
    ['DATE[][]', [['2024-05-31'], []], [['2024-05-31'], []]],
    ['STRUCT(a INTEGER, "b c" VARCHAR[])', { 'b c': ['x'] }, { a: null, 'b c': ['x'] }],
    ['MAP(VARCHAR, DECIMAL(4, 1))', new Map([['k', 1.5]]), { k: '1.5' }], ['INTEGER', null, null], ['INTEGER', undefined, null],
  ])('%s takes %s', (type, value, text) => { expect(textOf(type, value)).toEqual(text) })

  test.each<readonly [string, unknown, string]>([
    ['INTEGER', 1.5, 'whole numbers'], ['INTEGER', 2 ** 31, 'whole numbers from -2147483648 to 2147483647'],
    ['UTINYINT', -1, 'from 0 to 255'],
    ['INTEGER', '1', 'whole numbers'], ['BIGINT', 2n ** 63n, 'whole numbers from'], ['DOUBLE', 1n, 'numbers'], ['DOUBLE', '1', 'numbers'],
    ['DECIMAL(9, 2)', '1.505', 'at most 2 digits'], ['DECIMAL(9, 2)', 1e-7, 'at most 2 digits'],
    ['DECIMAL(9, 2)', 'x', 'at most 2 digits'],
    ['FLOAT', 1e300, 'numbers up to 3.4e38'], ['FLOAT4', -1e39, 'numbers up to 3.4e38'], ['FLOAT[]', [1, 3.5e38], 'numbers up to'],
    ['UINT8', 256, 'from 0 to 255'], ['INT16', 40_000, 'from -32768'], ['INT128', 1.5, 'whole numbers'],
    ['TIMESTAMP(0)', '2024-01-01 00:00:00.9', 'at most 0 digits'], ['TIMESTAMP(0)', new Date(900), 'at most 0 digits'],
    ['TIMESTAMP(3)', '2024-01-01 00:00:00.123456', 'at most 3 digits'], ['DATETIME(6)', '2024-01-01 00:00:00.1234567', 'at most 6 digits'],
    ['TIMESTAMP', '2024-05-31 12:00:00+02', 'without an offset from UTC, which a TIMESTAMPTZ takes'],
    ['TIMESTAMP', '2024-05-31T12:00:00.25 -00:30', 'without an offset'], ['TIMESTAMP_NS', '2024-05-31 12:00:00+02:00', 'without an offset'],
    ['TIMESTAMP_S', 'infinity', 'times'], ['TIMESTAMP(9)', '-infinity', 'times'],
    ['TIME', '12:00:00+02', 'without an offset from UTC, which a TIMETZ takes'], ['TIME', '2024-05-31 12:00:00-11', 'without an offset'],
    ['DECIMAL(9)', 0.5, 'at most 0 digits'], ['DECIMAL(9, 2)', '.', 'at most 2 digits'],
    ['BOOLEAN', 1, 'true and false'], ['VARCHAR', 1, 'texts'], ['VARCHAR', '\ud800', 'texts of whole characters'], ['BLOB', 'x', 'bytes'],
    ['DATE', new Date('2024-05-31T01:00:00Z'), 'days'], ['DATE', '2024-05-31 10:00', 'days'], ['DATE', new Date(Number.NaN), 'days'],
    ['DATE', new Date('-000044-03-15T00:00:00Z'), 'days'], ['TIMESTAMP', '2024-05-31 12:00:00.1234567', 'at most 6 digits'],
    ['TIMESTAMP_S', new Date(1), 'at most 0 digits'], ['TIMESTAMP', 0, 'times'], ['TIME', new Date(0), 'times'],
    ['INTEGER[]', 1, 'an array'], ['INTEGER[2]', [1], 'an array of 2'], ['INTEGER[]', [1, 'x'], 'whole numbers'],
    ['STRUCT(a INTEGER)', { b: 1 }, 'the field "b", which it does not have'], ['STRUCT(a INTEGER)', { a: 'x' }, 'field a was given "x"'],
    ['STRUCT(a INTEGER)', [], 'an object'], ['MAP(VARCHAR, INTEGER)', {}, 'a Map'],
    ['MAP(VARCHAR, INTEGER)', new Map([[1, 1]]), 'a text'],
  ])('%s refuses %s', (type, value, message) => {
    expect(() => textOf(type, value)).toThrow(`the column c (${type})`)
    expect(() => textOf(type, value)).toThrow(message)
  })

  test.each([
    '', 'INTEGER[', 'INTEGER[]]', 'DECIMAL(a)', 'STRUCT()', 'STRUCT(a INTEGER, a INTEGER)', 'MAP(INTEGER, INTEGER)', '1', 'a; b', 7,
  ])('%s is no type', type => { expect(() => rowTexts({ c: type as string })).toThrow('the column c has the type') })

  test('refuses rows that are no objects, and fields that are no columns; fields that are missing are NULL', () => {
    const row = rowTexts({ a: 'INTEGER', b: 'VARCHAR' })
    expect(row({ a: 1 })).toEqual({ a: '1', b: null })
    expect(() => row({ a: 1, c: 2 })).toThrow('a row has the field "c", which is no column; the columns are a, b')
    for (const given of [1, null, [1], new Map(), 'x']) expect(() => row(given)).toThrow('a row was given')
  })
})
