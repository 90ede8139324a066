// Rows of COPY as lines of JSON: each form of a field, its escapes, and what is no row. What PostgreSQL itself makes of values of all
// types is compared by test/interop/postgreskinds.ts.

import { expect, test } from 'vitest'
import { fieldOf } from '../../../../src/connector/postgres/fields.ts'
import { dice } from '../../../kit/dice.ts'
import { RowLines, type FieldForm, type LineField } from '../../../../src/connector/postgres/rowlines.ts'

function linesOf(fields: readonly LineField[], text: string): string {
  const lines = new RowLines(fields, 'postgres://h/shop/grain')
  const bytes = Buffer.from(`##${text}`)
  const pieces: Uint8Array[] = []
  for (let at = 2, end: number; at < bytes.length; at = end) {
    end = bytes.indexOf('\n', at) + 1 || bytes.length
    lines.put(bytes, at, end)
    if (at % 3 === 0) pieces.push(...lines.take())
  }
  return Buffer.concat([...pieces, ...lines.take()]).toString()
}

test.each<[FieldForm, string, string]>([
  ['number', '-12', '-12'], ['number', '1e+20', '1e+20'], ['number', 'NaN', '"NaN"'], ['number', 'Infinity', '"Infinity"'],
  ['number', '-Infinity', '"-Infinity"'], ['number', '\\N', 'null'], ['boolean', 't', 'true'], ['boolean', 'f', 'false'],
  ['boolean', '\\N', 'null'], ['booleanText', 't', '"true"'], ['booleanText', 'f', '"false"'],
  ['text', '', '""'], ['text', '\\\\N', '"\\\\N"'], ['text', 'a"b', '"a\\"b"'],
  ['text', '\\b\\f\\n\\r\\t\\v\\\\', '"\\b\\f\\n\\r\\t\\u000b\\\\"'],
  ['text', '\x01\x1f\x7fü\u2028😀', '"\\u0001\\u001f\x7fü\u2028😀"'],
  ['json', '{"a":\\n\\r\\t1, "b":"\\\\"\\\\\\\\n"}', '{"a":  \t1, "b":"\\"\\\\n"}'],
  ['timestamp', '2026-11-27 10:00:00.5', '"2026-11-27T10:00:00.5"'], ['timestamp', 'infinity', '"infinity"'],
  ['timestamp', '0044-03-15 12:00:00 BC', '"0044-03-15T12:00:00 BC"'], ['timestamp', '12026-01-01 00:00:00', '"12026-01-01T00:00:00"'],
  ['timestamptz', '2026-11-27 10:00:00+00', '"2026-11-27T10:00:00+00:00"'], ['timestamptz', '-infinity', '"-infinity"'],
  ['timestamptz', '0044-03-15 12:00:00.25+00 BC', '"0044-03-15T12:00:00.25+00:00 BC"'],
  ['dated', '2026-11-27 10:00:00+00', '"2026-11-27 10:00:00+00"'], ['dated', '0044-03-15 BC', '"0044-03-15 (BC)"'],
  ['dated', '0044-03-15 12:00:00+00 BC', '"0044-03-15 (BC) 12:00:00+00"'], ['dated', 'infinity', '"infinity"'],
])('a field %s of the text %j becomes %s', (form, text, document) => {
  const field = { name: 'a "b\n', form }
  const name = '"a \\"b\\n"'
  expect(linesOf([field], `${text}\n`)).toBe(`{${name}:${document}}\n`)
  // Before and behind another field, and in a row of its own.
  const between = [{ name: 'n', form: 'number' }, field, { name: 't', form: 'text' }] as const
  expect(linesOf(between, `1\t${text}\tx\n\\N\t${text}\t\\N\n`))
    .toBe(`{"n":1,${name}:${document},"t":"x"}\n{"n":null,${name}:${document},"t":null}\n`)
})

test('many rows, and rows longer than a piece, are lines each; a table without columns has a line for each row', () => {
  const rows = Array.from({ length: 20_000 }, (_, i) => `${i}\t${'x'.repeat(i % 100)}\n`)
  const expected = Array.from({ length: 20_000 }, (_, i) => `{"n":${i},"t":"${'x'.repeat(i % 100)}"}\n`)
  const fields = [{ name: 'n', form: 'number' }, { name: 't', form: 'text' }] as const
  expect(linesOf(fields, rows.join(''))).toBe(expected.join(''))
  const long = '\x01"'.repeat(300_000)
  expect(linesOf(fields, `1\t${long}\n2\tb\n`)).toBe(`{"n":1,"t":"${'\\u0001\\"'.repeat(300_000)}"}\n{"n":2,"t":"b"}\n`)
  expect(linesOf([], '\n\n')).toBe('{}\n{}\n')
})

const escapes: Readonly<Record<string, string>> =
  { '\b': '\\b', '\f': '\\f', '\n': '\\n', '\r': '\\r', '\t': '\\t', '\v': '\\v', '\\': '\\\\' }
/** As COPY writes it. */
const copied = (text: string): string => [...text].map(letter => escapes[letter] ?? letter).join('')

test('drawn texts are their own documents, wherever the words of a row begin and end', () => {
  const die = dice(11)
  const letters = [
    'a', 'b', '0', ' ', '!', '#', '[', ']', '"', '\\', '\n', '\t', '\v', '\x01', '\x1f', '\x7f', 'é', '木', '😀', '\u2028',
  ]
  const letter = (): string => letters[die.below(die.below(2) === 0 ? 4 : letters.length)]!
  const drawn = (): string => Array.from({ length: die.below(14) }, letter).join('')
  const fields = [
    { name: 'n', form: 'number' }, { name: 't'.repeat(1 + die.below(9)), form: 'text' }, { name: 'at', form: 'timestamptz' },
    { name: 'é', form: 'text' },
  ] as const
  const rows = Array.from({ length: 30_000 }, () => ({
    n: die.below(1_000_000_000) % 10 ** (1 + die.below(9)), first: drawn(), last: drawn(),
    at: `2026-11-${10 + die.below(20)} 10:00:00${['', '.5', '.123456'][die.below(3)]}`,
  }))
  const lines = linesOf(fields, rows.map(({ n, first, at, last }) => `${n}\t${copied(first)}\t${at}+00\t${copied(last)}\n`).join(''))
  expect(lines.trimEnd().split('\n').map(line => Object.values(JSON.parse(line) as object)))
    .toEqual(rows.map(({ n, first, at, last }) => [n, first, `${at.replace(' ', 'T')}+00:00`, last]))
})

test.each(['1\n', '1\tb\tc\n', '1\tb', '\n', '1\t\\\n', '1\tb\\\n'])('%j is no row of two columns', text => {
  const fields = [{ name: 'n', form: 'number' }, { name: 't', form: 'text' }] as const
  const refused = { code: 'CORRUPT', message: expect.stringContaining('grain: ') as string }
  expect(() => linesOf(fields, text)).toThrow(expect.objectContaining(refused))
})

test('a type that the connector does not know, or a name that is not the server’s own, is a document or a cast of the server', () => {
  expect(fieldOf('a"b', 'int4', { isText: false })).toEqual({ name: 'a"b', form: 'number', select: 't."a""b"' })
  expect(fieldOf('a', 'bpchar', { isText: false })).toMatchObject({ form: 'text', select: 't."a"' })
  expect(fieldOf('a', 'bpchar', { isText: true })).toMatchObject({ form: 'text', select: 't."a"::text' })
  for (const type of ['', '_int4', 'toString', 'point']) {
    expect(fieldOf('a', type, { isText: false })).toMatchObject({ form: 'json', select: 'to_json(t."a")::text' })
    expect(fieldOf('a', type, { isText: true })).toMatchObject({ form: 'text', select: 't."a"::text' })
  }
})
