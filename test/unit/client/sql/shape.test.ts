// How tasks read CSV and JSON: the rows are those that the engine finds in the files, or there is an error that names the file. Files are
// cut where blocks would end; no cluster is needed.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import type { DateForms } from '../../../../client/sql/exacttexts.ts'
import { sampleTable } from '../../../../client/sql/sample.ts'
import { shapeOf } from '../../../../client/sql/shape.ts'
import { strictColumns } from '../../../../client/sql/strict.ts'
import { LineScanner, lookAtCsv } from '../../../../src/operator/csvparts.ts'
import { columnsOfTable, tableSelect, type TablePart } from '../../../../src/operator/sqltable.ts'
import type { Database } from '../../../../src/ports/database.ts'
import type { FileStatus } from '../../../../src/protocol/namespace.ts'
import { localDisk } from '../../../../src/world/disk.ts'
import { openDuckDB } from '../../../../src/world/duckdb.ts'
import { Local } from './kit.ts'

const root = mkdtempSync(join(tmpdir(), 'gristmill-shape-'))
let next = 0

afterAll(() => rmSync(root, { recursive: true, force: true }))

type Files = Readonly<Record<string, string | readonly string[]>>

const spaceAt = (directory: string) => ({ samples: async () => directory, names: () => {} })

type Claim = Partial<Pick<FileStatus, 'format' | 'delimiter' | 'header'>>

/** Rows of the table as tasks read them. A file that is a list has a block for each text. `claim`: what the metadata of CSV say. */
async function rowsOf(
  kind: 'csv' | 'json', files: Files, claim?: Claim | ((path: string) => Claim),
): Promise<{ columns: string[]; rows: unknown[][] }> {
  const dir = join(root, String(next++))
  const db = await openDuckDB({ memoryBytes: 64 << 20, threads: 1 })
  try {
    const parts: TablePart[] = []
    for (const [path, text] of Object.entries(files)) {
      const blocks = typeof text === 'string' ? [text] : text
      for (const [i, block] of blocks.entries()) {
        const local = join(dir, path, `${i}.file`)
        mkdirSync(dirname(local), { recursive: true })
        writeFileSync(local, block)
        parts.push({ path, local, isFirst: i === 0 })
      }
    }
    const directory = join(dir, 'samples')
    mkdirSync(directory)
    const bytesOf = (path: string): Buffer => Buffer.from([files[path]!].flat().join(''))
    const tools = {
      disk: localDisk, space: spaceAt(directory), signal: undefined, footers: 1,
      files: { read: async function* (path: unknown, { end }: { end?: number } = {}) { yield bytesOf(path as string).subarray(0, end) } },
    }
    const table = { name: '/t', kind, files: Object.keys(files).map(path => ({
      path, bytes: bytesOf(path).length, ...claim !== undefined && {
        status: { format: 'csv', ...typeof claim === 'function' ? claim(path) : claim } as FileStatus,
      },
    })) }
    const shape = await shapeOf(db, await sampleTable(table, 0, tools as never))
    const looked = []
    for (const part of parts)
      looked.push({ ...part, ...kind === 'csv' && await lookAtCsv(part, { db, disk: localDisk, shape, pause: () => undefined }) })
    const result = await db.query(tableSelect(shape, looked))
    const rows = []
    for await (const batch of result.batches()) rows.push(...batch.map(row => [...row]))
    return { columns: columnsOfTable(shape).map(({ name, type }) => `${name} ${type}`), rows }
  } finally {
    db.close()
  }
}

/** The first 16 files, whose beginnings fix the shape, and one more. */
const behind = (head: string, last: string, extension = 'csv'): Files => ({
  ...Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`/t/${10 + i}.${extension}`, head])), [`/t/26.${extension}`]: last,
})

test.each([
  ['1.5', /"1\.5" of the column "a" to BIGINT[^]*26/], ['15e-1', /15e-1/], ['zz', /zz/], ['99999999999999999999', /9999/],
])('CSV: a later %s in a column of integers is an error, and not another integer', async (value, message) => {
  await expect(rowsOf('csv', behind('a,b\n1,x\n', `a,b\n${value},y\n`))).rejects.toThrow(message)
})

test('CSV: integers with a sign or blanks are read, and NULL is empty', async () => {
  const { rows, columns } = await rowsOf('csv', behind('a,b\n1,x\n', 'a,b\n0,y\n-0,y\n-9,y\n,y\n" 8",y\n"8 ",y\n"",y\n'))
  expect(columns).toEqual(['a BIGINT', 'b VARCHAR'])
  expect(rows.slice(16).map(([a]) => a)).toEqual([0n, 0n, -9n, null, 8n, 8n, null])
})

test('CSV: a value that a number would change is a text, and an error in a later file', async () => {
  for (const value of ['007', '+5', '-007', '0x10', ' 007', '00', '99999999999999999999999999999999999999999']) {
    const { columns, rows } = await rowsOf('csv', { '/t/1.csv': `a,b\n1,x\n"${value}",y\n` })
    expect([columns[0], ...rows.map(([a]) => a)], value).toEqual(['a VARCHAR', '1', value])
    if (!['007', '+5', '0x10'].includes(value)) continue
    const file = `a,b\n5,"two\nlines"\n\n"${value}",y\n`
    await expect(rowsOf('csv', behind('a,b\n1,x\n', file)), value).rejects.toThrow(
      new RegExp(`"${value.replace('+', '.')}" of the column "a" to BIGINT[^]*26.*; [^]*CREATE EXTERNAL TABLE name \\("a" VARCHAR\\)`))
  }
  for (const value of ['007', '+5', '007.5', '+1.5']) {
    const { columns, rows } = await rowsOf('csv', { '/t/1.csv': `a,b\n1.5,x\n${value},y\n` })
    expect([columns[0], ...rows.map(([a]) => a)], value).toEqual(['a VARCHAR', '1.5', value])
    if (!value.includes('7')) continue
    await expect(rowsOf('csv', behind('a,b\n1.5,x\n', `a,b\n${value},y\n`)), value).rejects.toThrow(/of the column "a" to DOUBLE/)
  }
  const { rows } = await rowsOf('csv', behind('a,b\n1.5,x\n', 'a,b\n0.5,x\n-.5,x\n.5,x\n0,x\n-1,x\n1e3,x\n,x\n'))
  expect(rows.slice(16).map(([a]) => a)).toEqual([0.5, -0.5, 0.5, 0, -1, 1000, null])
})

interface StrictCase {
  readonly type: string
  readonly value: string
  readonly kept: ReadonlyArray<readonly [text: string, value: unknown]>
  readonly others: readonly string[]
  readonly forms?: DateForms
}

/** Values that a column whose values are like the first keeps, and those that would be others in it. */
const strict: readonly StrictCase[] = [
  {
    type: 'DATE', value: '2024-01-31', kept: [['infinity', 'infinity'], ['-infinity', '-infinity'], ['2024-2-1', '2024-02-01']],
    others: ['epoch', '24-01-02', '2024-01-02 10:00:00', '2024-01-02x', 'Infinity'],
  },
  {
    type: 'DATE', value: '31.01.2024', kept: [['infinity', 'infinity'], ['1.2.2024', '2024-02-01']],
    others: ['epoch', '01.02.24', '2024-01-02'], forms: { dateFormat: '%d.%m.%Y' },
  },
  {
    type: 'TIMESTAMP', value: '2024-01-01 00:00:00', kept: [
      ['infinity', 'infinity'], ['2024-01-02', '2024-01-02 00:00:00'], ['2024-01-01T10:00:00.123456000', '2024-01-01 10:00:00.123456'],
    ],
    others: [
      '2024-01-01T01:00:00+05:30', '2024-01-01 01:00:00Z', '2024-01-01 00:00:00.123456789', 'epoch', '2024-01-01 24:00:00',
    ],
  },
  {
    type: 'TIMESTAMP WITH TIME ZONE', value: '2024-01-01 00:00:00+00',
    kept: [['2024-01-01T01:00:00+05:30', '2023-12-31 19:30:00+00'], ['infinity', 'infinity']],
    others: ['2024-01-01 00:00:00.123456789+00', 'epoch'],
  },
  {
    type: 'TIME', value: '10:00:00', kept: [['9:00', '09:00:00'], ['10:00:00.123456', '10:00:00.123456']],
    others: ['10:00:00+02', '10:00:00.123456789', '24:00:01'],
  },
  { type: 'BOOLEAN', value: 'true', kept: [['True', true], ['FALSE', false]], others: ['1', '0', 'n', 'y', 'on', 'F', 't', 'yes', 'no'] },
]

/** Rows of a file behind those that fix the shape: columns a, b, … of the given types. */
async function laterRows(db: Database, types: readonly string[], text: string, forms: DateForms = {}): Promise<unknown[][]> {
  const local = join(root, `later-${next++}.csv`)
  writeFileSync(local, text)
  const columns = strictColumns(types.map((name, i) => ({ name: 'abcdefgh'[i]!, type: { kind: 'plain', name } })), 'csv', { forms })
  const format = { kind: 'csv' as const, delimiter: ',', quote: '"', escape: '"', comment: '', header: true, skip: 0, ...forms as object }
  const rows = []
  const result = await db.query(tableSelect({ name: '/t', format, columns, partitions: [] }, [{ path: '/t/9.csv', local, isFirst: true }]))
  for await (const batch of result.batches()) rows.push(...batch.map(row => [...row]))
  return rows
}

test.each(strict)('CSV: $type, as of $value, has exactly the values of the texts, or the column is of texts, and a later text an error', async ({
  type, value, kept, others, forms,
}) => {
  // With an offset or infinity beside it, every timestamp of the file has a zone.
  const isZoned = (text: string): boolean => type === 'TIMESTAMP' && /^2024-01-01.01.*[:Z]/.test(text)
  const looked = [
    ...kept.map(([text]) => text).filter(text => type !== 'TIMESTAMP' || text.length > 10), ...others.filter(text => !isZoned(text)),
  ]
  const names = looked.map((_, i) => `c${i}`)
  const lines = [names, looked.map(() => value), looked].map(row => row.join(','))
  const { columns, rows } = await rowsOf('csv', { '/t/1.csv': `${lines.join('\n')}\n` })
  for (const [i, text] of looked.entries()) {
    const found = kept.find(([own]) => own === text)
    const expected = found ? [`c${i} ${type}`, found[1]] : [`c${i} VARCHAR`, text]
    expect([columns[i], rows[1]![i]], text).toEqual(expected)
  }
  const db = await openDuckDB({ memoryBytes: 64 << 20, threads: 1 })
  try {
    expect(await laterRows(db, [type], `a\n${kept.map(([text]) => `${text}\n`).join('')}`, forms)).toEqual(kept.map(([, found]) => [found]))
    for (const text of others)
      await expect(laterRows(db, [type], `a\n${text}\n`, forms), text).rejects.toThrow(
        new RegExp(`"${text.replaceAll(/[+.]/g, '.')}" of the column "a" to ${type}[^]*declare it: CREATE EXTERNAL TABLE name \\("a" VARCHAR\\)`))
  } finally {
    db.close()
  }
})

test('CSV: an empty text has quotes, and NULL none; in columns of other types both are NULL', async () => {
  const text = 's,n,d\n"",1,2024-01-01\n,"",""\nx,3,\n'
  const rows = [['', 1n, '2024-01-01'], [null, null, null], ['x', 3n, null]]
  expect(await rowsOf('csv', { '/t/1.csv': text })).toEqual({ columns: ['s VARCHAR', 'n BIGINT', 'd DATE'], rows })
  const db = await openDuckDB({ memoryBytes: 64 << 20, threads: 1 })
  try {
    expect(await laterRows(db, ['VARCHAR', 'BIGINT', 'DATE'], text)).toEqual(rows)
  } finally {
    db.close()
  }
  // A file with quotes around every field says nothing about a column without values.
  const { columns } = await rowsOf('csv', { '/t/1.csv': '"s","n"\n"x",""\n', '/t/2.csv': '"s","n"\n"x","5"\n' })
  expect(columns).toEqual(['s VARCHAR', 'n BIGINT'])
})

test.each([
  ['"a": 1.5', /"1\.5" of the column "a" to BIGINT[^]*26/], ['"a": "77"', /77/], ['"a": true', /true/], ['"s": {"n": 1.5}', /1\.5/],
  ['"l": [1, 2.5]', /2\.5/], ['"b": 5', /"5" of the column "b" to BOOLEAN/], ['"d": "2024-01-01 12:00:00"', /12:00:00/], ['"f": "7"', /7/],
])('JSON: a later %s does not fit and is an error', async (value, message) => {
  const head = '{"a": 1, "s": {"n": 1, "t": "x"}, "l": [1], "b": true, "d": "2024-01-01", "f": 1.5}\n'
  await expect(rowsOf('json', behind(head, `{${value}}\n`, 'jsonl'))).rejects.toThrow(message)
})

test('JSON: values of all strict types come as they are, with nulls inside', async () => {
  const line = '{"a": 9007199254740993, "s": {"n": null, "t": "x"}, "l": [1, null], "b": false, "d": "2024-02-29", "f": -0.5, "m": [{"k": 3}]}\n'
  const { rows } = await rowsOf('json', behind(line, `${line}{"a": null}\n`, 'jsonl'))
  const found = [9_007_199_254_740_993n, { n: null, t: 'x' }, [1n, null], false, '2024-02-29', -0.5, [{ k: 3n }]]
  expect(rows.at(-2)).toMatchObject(found)
  expect(rows.at(-1)).toEqual([null, null, null, null, null, null, null])
})

test.each([
  ['TIMESTAMP', '2024-01-01T00:00:00Z', '2024-01-01 00:00:00', [
    ['2024-01-01T10:00:00+05:30', 'TIMESTAMP WITH TIME ZONE', '2024-01-01 04:30:00+00'], ['2024-01-01T10:00:00.123456789Z', 'VARCHAR'],
  ]],
  ['TIME', '10:00:00', '10:00:00', [['10:00:00+02', 'VARCHAR'], ['10:00:00.123456789', 'VARCHAR']]],
  ['DATE', '2024-01-01', '2024-01-01', [['24-01-02', 'VARCHAR'], ['2024-01-02 10:00:00', 'TIMESTAMP', '2024-01-02 10:00:00']]],
] as const)('JSON: a later value that is no %s is an error, and in a whole file a column of what it is', async (type, value, read, others) => {
  const line = (text: string, nested = text): string => `${JSON.stringify({ t: text, s: { l: [nested] } })}\n`
  const [[other], [nested]] = others
  await expect(rowsOf('json', behind(line(value), line(other), 'jsonl'))).rejects.toThrow(`"${other}" of the column "t" to ${type}`)
  await expect(rowsOf('json', behind(line(value), line(value, nested), 'jsonl'))).rejects.toThrow(`"${nested}" of the column "s"`)
  const plain = await rowsOf('json', behind(line(value), line(value), 'jsonl'))
  expect(plain.columns).toEqual([`t ${type}`, `s STRUCT("l" ${type}[])`])
  expect(plain.rows.at(-1)).toEqual([read, { l: [read] }])
  for (const [text, found, now = text] of others) {
    const { columns, rows } = await rowsOf('json', { '/t/1.jsonl': line(text).repeat(2) })
    expect([columns[0], rows[0]![0]]).toEqual([`t ${found}`, now])
    // Inside of others an offset has no type.
    expect((rows[0]![1] as { l: string[] }).l).toEqual([found === 'TIMESTAMP' ? now : text])
  }
})

test('JSON: keys that differ in case only are an error, and not a column without values', async () => {
  await expect(rowsOf('json', { '/t/1.jsonl': '{"a": 1, "A": 2}\n' })).rejects.toThrow('differ in case only (A, a)')
  expect((await rowsOf('json', { '/t/1.jsonl': '{"a": 1, "a_1": 2}\n' })).rows).toEqual([[1n, 2n]])
})

test('CSV: whether the first row has names is what the metadata say, and found out by the values only where they say nothing', async () => {
  const words = 'ann,x\nbob,y\n'
  expect((await rowsOf('csv', { '/t/1.csv': words })).rows).toEqual([['bob', 'y']])
  expect((await rowsOf('csv', { '/t/1.csv': words }, { header: true })).columns).toEqual(['ann VARCHAR', 'x VARCHAR'])
  expect(await rowsOf('csv', { '/t/1.csv': words, '/t/2.csv': [words, 'cy,z\n'] }, { delimiter: ',', header: false })).toEqual({
    columns: ['column0 VARCHAR', 'column1 VARCHAR'],
    rows: [['ann', 'x'], ['bob', 'y'], ['ann', 'x'], ['bob', 'y'], ['cy', 'z']],
  })
  // Years as names: by the values it is a row.
  const years = '2024,2025\n1,2\n3,4\n'
  expect((await rowsOf('csv', { '/t/1.csv': years })).rows).toHaveLength(3)
  expect(await rowsOf('csv', { '/t/1.csv': years }, { header: true })).toEqual({
    columns: ['2024 BIGINT', '2025 BIGINT'], rows: [[1n, 2n], [3n, 4n]],
  })
  expect((await rowsOf('csv', { '/t/1.csv': 'one\ntwo\n' }, { delimiter: ',', header: false })).rows).toEqual([['one'], ['two']])
})

test.each([',', ';'])('CSV: the beginning that is looked at ends at the end of a row, also where a cell has hundreds of lines: %j', async delimiter => {
  const row = (i: number, text: string): string => `${i}${delimiter}"${text}"${delimiter}${i / 2}\n`
  const cell = Array.from({ length: 400 }, (_, i) => `line ${i}${delimiter} a ""word""`).join('\n')
  let text = `id${delimiter}t${delimiter}x\n`
  let count = 0
  for (; text.length < (1 << 20) - 3_000; count++) text += row(count, 'x'.repeat(40))
  text += row(count++, cell)
  expect(text.length - cell.length).toBeLessThan((1 << 20) - 2_000)
  const { columns, rows } = await rowsOf('csv', { '/t/1.csv': `${delimiter === ';' ? '\ufeff' : ''}${text}${row(count, 'last')}` })
  expect(columns).toEqual(['id BIGINT', 't VARCHAR', 'x DOUBLE'])
  expect(rows.length).toBe(count + 1)
  expect(rows.at(-2)![1]).toBe(cell.replaceAll('""', '"'))
})

test('CSV: a file of more than the beginning whose lines end in carriage returns is read', async () => {
  const count = 12_000
  const { columns, rows } = await rowsOf('csv', { '/t/1.csv': `a,b\r${`1,${'x'.repeat(100)}\r`.repeat(count)}` })
  expect([columns, rows.length, rows.at(-1)]).toEqual([['a BIGINT', 'b VARCHAR'], count, [1n, 'x'.repeat(100)]])
})

test.each(['sep=;\n\n', 'sep=;\nMy title\n\n', 'sep=;\r\nMy title\r\n', 'sep=;\n# made by x\n', 'sep=;\n\nMy title\n\n'])(
  'CSV: a title may stand behind the line that names the delimiter: %j', async head => {
    const end = head.includes('\r') ? '\r\n' : '\n'
    const { columns, rows } = await rowsOf('csv', { '/t/1.csv': head + ['a;b', '1;2', '3;4', ''].join(end) })
    expect(columns).toEqual(['a BIGINT', 'b BIGINT'])
    expect(rows).toEqual([[1n, 2n], [3n, 4n]])
  })

test('CSV: files of other layouts or columns are refused, and not read by places', async () => {
  await expect(rowsOf('csv', { '/t/1.csv': 'report\na,b\n1,2\n', '/t/2.csv': 'a,b\n5,6\n7,8\n' })).rejects.toThrow(/2\.csv .*lines before/)
  await expect(rowsOf('csv', { '/t/1.csv': 'a,b\n1,2\n', '/t/2.csv': 'a;b\n5;6\n' })).rejects.toThrow(/columns a;b|delimiter/)
  await expect(rowsOf('csv', behind('a,b\n1,100\n', 'b,a\n100,1\n'))).rejects.toThrow(/26\.csv has the columns b, a/)
  await expect(rowsOf('csv', behind('a,b\n1,100\n', '5,6\n7,8\n'))).rejects.toThrow(/26\.csv has the columns 5, 6/)
  await expect(rowsOf('csv', behind('report\na,b\n1,100\n', 'a,b\n5,6\n7,8\n'))).rejects.toThrow(/26\.csv has the columns 5, 6/)
  expect((await rowsOf('csv', behind('a,b\n1,100\n', '"a","b"\r\n2,200\r\n'))).rows.at(-1)).toEqual([2n, 200n])
})

test('CSV: a file that is not UTF-8 is an error that names its line and a way to convert it, and no option that is refused', async () => {
  using on = new Local()
  const latin = (text: string): Buffer => Buffer.from(text, 'latin1')
  on.write('near.csv', latin('name;city\nJos\xe9;K\xf6ln\n'))
  on.write('far.csv', Buffer.concat([Buffer.from(`name,city\n${'Ada,Ulm\n'.repeat(200_000)}`), latin('Jos\xe9,K\xf6ln\n')]))
  on.write('wide.csv', Buffer.from('\ufeffname,city\nAda,Ulm\n', 'utf16le'))
  const said = (text: string): Promise<string> => on.rows(text).then(() => 'rows', (error: Error) => error.message)
  const advice = (name: string, line: number): RegExp =>
    new RegExp(`^\\S*${name} is not UTF-8 \\(line ${line}\\); convert .* iconv -f latin1 -t utf-8 old\\.csv > new\\.csv$`)
  expect(await said(`FROM './near.csv'`)).toMatch(advice('near.csv', 2))
  expect(await said(`FROM read_csv('./near.csv', delim = ';', header = false)`)).toMatch(advice('near.csv', 2))
  expect(await said(`SELECT max(name) FROM './far.csv'`)).toMatch(advice('far.csv', 200_002))
  expect(await said(`FROM './wide.csv'`)).toMatch(/wide\.csv is UTF-16; convert .*: iconv -f utf-16 -t utf-8/)
})

test('CSV: files and columns without values do not change types', async () => {
  const { columns, rows } = await rowsOf('csv', { '/t/1.csv': 'a,n,d\n', '/t/2.csv': 'a,n,d\n9,,2024-01-01\n10,,2024-01-02\n', '/t/3.csv': 'a,n,d\n,,\n' })
  expect(columns).toEqual(['a BIGINT', 'n VARCHAR', 'd DATE'])
  expect(rows).toEqual([[9n, null, '2024-01-01'], [10n, null, '2024-01-02'], [null, null, null]])
})

test.each([
  ['a,b,c\n' + '1,2,3\n'.repeat(1_000) + '7,8,9,10\n', 'line 1002 has 4, and the rows before it have 3 (delimiter ",")'],
  ['a,b,c\n1,2,3\n4,5\n6,7,8,9\n', 'line 3 has 2'], ['a,b\n' + '1,2\n'.repeat(5) + '1,2,3\n'.repeat(6), 'line 7 has 3'],
  ['a,b,c\n1,2,3\n4,5\n', 'line 3 has 2'], ['a,b\n1,2\n3,4\nTotal\n', 'line 4 has 1'], ['a,b\n1,2\n3,4\n\nTotal: 2 rows\n', 'line 5 has 1'],
  ['a,b\n1,2\n3,4,\n', 'line 3 has 3'], ['a;b\n1;"x\ny"\n3\n', 'line 4 has 1'], ['sep=;\na;b\n1;2\n3\n', 'line 4 has 1'],
  ['comment\ngood\nfine\nok\nyes\nno\nbad, really\n', 'line 7 has 2'], ['price\n1,5\n2\n', 'line 2 has 2'],
])('CSV: rows of another width are an error that names the line, and no lines before a header: %j', async (text, message) => {
  await expect(rowsOf('csv', { '/t/1.csv': text })).rejects.toMatchObject({
    code: 'EINVAL', message: expect.stringContaining(`/t/1.csv has rows of different numbers of fields: ${message}`),
  })
})

test('CSV: a title with empty fields behind it is no header, unless values stand below it', async () => {
  const of = async (head: string, rows = 'id;shop;amount\n1;a;2.5\n2;b;3\n') => rowsOf('csv', { '/t/a.csv': head + rows })
  for (const head of ['Sales;;\n', 'Sales;;\r\n;;\r\n', 'Sales;;\nof 2024;;\n', ';;\nSales;;\n;;\n'])
    expect(await of(head, head.includes('\r') ? 'id;shop;amount\r\n1;a;2.5\r\n2;b;3\r\n' : undefined), head)
      .toEqual({ columns: ['id BIGINT', 'shop VARCHAR', 'amount DOUBLE'], rows: [[1n, 'a', 2.5], [2n, 'b', 3]] })
  // Columns without names.
  expect((await of('id;;\n', '1;2;3\n4;5;6\n')).rows).toEqual([[1n, 2n, 3n], [4n, 5n, 6n]])
  // Two columns, of which one has no name, are a table.
  expect((await of(';n\n', '1;2\n3;4\n')).rows).toHaveLength(2)
  for (const [head, rows] of [['Sales;;\n', 'a;b;c\nx;y;z\n'], ['"Sales\nof 2024";;\n']] as const)
    await expect(of(head, rows), head).rejects.toMatchObject({
      code: 'EINVAL', message: expect.stringMatching(/^\/t\/a\.csv begins with a row of one value[^]*begin each line of a title with #/),
    })
  expect((await rowsOf('csv', { '/t/a.csv': 'Sales;;\na;b;c\nx;y;z\n' }, { header: true })).rows).toHaveLength(2)
})

test('CSV: a row that begins with # is a row; a title and blank lines are before the header', async () => {
  expect(await rowsOf('csv', { '/t/1.csv': 'a,b\n1,2\n#3,4\n5,6\n' })).toEqual({
    columns: ['a VARCHAR', 'b BIGINT'], rows: [['1', 2n], ['#3', 4n], ['5', 6n]],
  })
  for (const head of ['# made by x\n', '# made by x\n#\n\n', 'My report\n\n', 'My report\nof May\n\n', 'My report\n', '\n\n'])
    expect((await rowsOf('csv', { '/t/1.csv': `${head}a,b\n1,2\n#3,4\n` })).rows, head).toEqual([['1', 2n], ['#3', 4n]])
  // Too few rows are split by the semicolon for a table.
  expect((await rowsOf('csv', { '/t/1.csv': 'a\nb\nc\nx;y\n1;2\n' })).rows).toEqual([['b'], ['c'], ['x;y'], ['1;2']])
  expect((await rowsOf('csv', { '/t/1.csv': 'Report of May, 2024\n\na;b\n1;2\n3;4\n' })).rows).toEqual([[1n, 2n], [3n, 4n]])
})

test.each([
  // A column of texts with separators in some, and a table with one title or more.
  'comment\ngood\nfine\nbad, really\nso, so\nso, la\n', 'note\nfoo, bar\nso, so\n',
  'one\ntwo\nthree\na,b\n1,2\n3,4\n', 'one\ntwo\n\nname,city\nx,ulm\n', '"My\nreport"\n\na,b\n1,2\n3,4\n', '"My\nreport"\na,b\n1,2\n3,4\n',
  'sep=;\n"My\nreport"\na;b\n1;2\n',
  // The same with a semicolon; with a tab or a bar, which texts have more often, from three fields on.
  'My report\na;b\nv;x\nw;y\n', 'My report\nof May\n\na;b\nv;x\n', 'My; own; report\n1;2\n3;4\n', 'one\ntwo\nthree\na;b\n1;2\n3;4\n',
  '# made by; x\na;b;c\n1;2;3\n', 'My report\na\tb\tc\nv\tx\tq\n', 'My report\na|b|c\nv|x|q\nw|y|r\n',
  // Two delimiters that fit.
  '1,5;2,5\n3,5;4,5\n', 'name;price, EUR\nrye;1,50\noat;2,00\n',
])('CSV: %j may be read in two ways, and is refused', async text => {
  await expect(rowsOf('csv', { '/t/1.csv': text })).rejects.toMatchObject({
    code: 'EINVAL',
    message: expect.stringMatching(/^\/t\/1\.csv has (rows of different numbers|no clear delimiter)[^]*(sep=|begin each line of a title with #)/),
  })
})

test('CSV: a file whose metadata name the delimiter is read by it, with the quotes that jobs write', async () => {
  for (const [text, column, values] of [
    ['x\na\nb\nx;y\nz;w\n', 'x VARCHAR', ['a', 'b', 'x;y', 'z;w']], ['x\nb|c\nd|e\n', 'x VARCHAR', ['b|c', 'd|e']],
    [`x\n'a'\n'b'\n`, 'x VARCHAR', [`'a'`, `'b'`]], ['x\n"a\\"\n"b, c\\"\n', 'x VARCHAR', ['a\\', 'b, c\\']],
    ['x\n\n1\n', 'x BIGINT', [null, 1n]], ['x\n""\n"1"\n', 'x BIGINT', [null, 1n]],
  ] as const)
    expect(await rowsOf('csv', { '/t/1.csv': text }, { delimiter: ',' }), text)
      .toEqual({ columns: [column], rows: values.map(value => [value]) })
  // An apostrophe is a character for jobs.
  expect((await rowsOf('csv', { '/t/1.csv': `w,n\nrock 'n',1\n'x','y'\n` })).rows).toEqual([[`rock 'n'`, '1'], [`'x'`, `'y'`]])
  await expect(rowsOf('csv', { '/t/1.csv': 'sep=;\na;b\n' }, { delimiter: ',' })).rejects.toThrow('names the delimiter ";" in its first line')
})

test('CSV: one column whose values have marks of other delimiters is one column, and no title before a table', async () => {
  const many = (line: string): string => `${line}\n`.repeat(50)
  for (const [text, ...values] of [
    ['name\nx|y\nz|w\n', 'x|y', 'z|w'], ['name\na|b\n', 'a|b'], ['name\nx|1\ny|2\n', 'x|1', 'y|2'],
    ['note\na;b\nc\nd;e;f\n', 'a;b', 'c', 'd;e;f'],
    [`name\nab\n${many('x|y')}`, 'ab', ...Array<string>(50).fill('x|y')], ['name\n"x|y"\n"z|w"\n', 'x|y', 'z|w'],
    ['name\nx\ty\nz\tw\n', 'x\ty', 'z\tw'],
  ] as const) {
    const { columns, rows } = await rowsOf('csv', { '/t/1.csv': text })
    expect([columns, rows], text.slice(0, 30)).toEqual([[`${text.slice(0, 4)} VARCHAR`], values.map(value => [value])])
  }
  expect(await rowsOf('csv', { '/t/1.csv': 'x|y\nabc\nde|f\nab\n' }))
    .toEqual({ columns: ['x|y VARCHAR'], rows: [['abc'], ['de|f'], ['ab']] })
  expect((await rowsOf('csv', { '/t/1.csv': 'a,b\nx|y,1\nz|w,2\n' })).rows).toEqual([['x|y', 1n], ['z|w', 2n]])
  expect((await rowsOf('csv', { '/t/1.tsv': 'name\nSmith, John\nDoe, Jane\n' })).rows).toEqual([['Smith, John'], ['Doe, Jane']])
  // Each line has as many fields as the others, or there is a title.
  expect(await rowsOf('csv', { '/t/1.csv': 'x|y\na|b\nc|d\n' })).toEqual({
    columns: ['x VARCHAR', 'y VARCHAR'], rows: [['a', 'b'], ['c', 'd']],
  })
  for (const head of ['My report\n', 'My report\nof today\n', '# made by x\n'])
    expect((await rowsOf('csv', { '/t/1.csv': `${head}a;b\n1;x\n2;y\n` })).rows, head).toEqual([[1n, 'x'], [2n, 'y']])
  for (const head of ['My report\n\n', '# made by x\n'])
    expect((await rowsOf('csv', { '/t/1.csv': `${head}a;b\nv;x\nw;y\n` })).rows, head).toEqual([['v', 'x'], ['w', 'y']])
})

test.each([['sep=;', '\r\n'], ['"sep=;"', '\n'], ['\ufeffsep=;', '\n']])('CSV: %j names the delimiter', async (first, end) => {
  expect(await rowsOf('csv', { '/t/1.csv': [first, 'a;b', '1;2,5', '3;4,5', ''].join(end) })).toEqual({
    columns: ['a BIGINT', 'b VARCHAR'], rows: [[1n, '2,5'], [3n, '4,5']],
  })
})

const wide = ['12345678901234567890', '12345678901234567891', '9007199254740993']

test('CSV and JSON: whole numbers beyond 2^53 are what they are, also beside fractions and in later files', async () => {
  const csv = (...ids: string[]): string => `id,x\n${ids.map(id => `${id},1\n`).join('')}`
  const json = (...ids: string[]): string => ids.map(id => `{"id":${id},"x":1}\n`).join('')
  for (const [kind, text] of [['csv', csv], ['json', json]] as const) {
    const path = `/t/1.${kind === 'csv' ? 'csv' : 'jsonl'}`
    const of = async (...ids: string[]) => {
      const { columns: [column], rows } = await rowsOf(kind, { [path]: text(...ids) })
      return [column, ...rows.map(([id]) => id)]
    }
    expect(await of(...wide)).toEqual(['id HUGEINT', ...wide.map(BigInt)])
    expect(await of(wide[0]!, kind === 'csv' ? '' : 'null')).toEqual(['id HUGEINT', BigInt(wide[0]!), null])
    expect(await of('1.5', wide[2]!)).toEqual(['id DECIMAL(38,1)', '1.5', `${wide[2]}.0`])
    // Texts of doubles, as programs write them.
    expect(await of('0.1', '12345678901234567000', '1e22', '-5')).toEqual(['id DOUBLE', 0.1, 12_345_678_901_234_567_000, 1e22, -5])
    const later = behind(text('1.5'), text(wide[2]!), kind === 'csv' ? 'csv' : 'jsonl')
    await expect(rowsOf(kind, later)).rejects.toThrow(/"9007199254740993" of the column "id" to DOUBLE/)
    expect(await of('1.5', '1e999')).toEqual(['id VARCHAR', '1.5', '1e999'])
    await expect(rowsOf(kind, behind(text('1.5'), text('1e999'), kind === 'csv' ? 'csv' : 'jsonl')))
      .rejects.toThrow(/"1e999" of the column "id" to DOUBLE/)
  }
  await expect(rowsOf('json', { '/t/1.jsonl': '{"s":{"n":[0.5,9007199254740993]}}\n' })).rejects.toThrow(/9007199254740993/)
  expect((await rowsOf('csv', { '/t/1.csv': 'x\n1.5\ninf\n-Infinity\nNaN\n' })).rows).toEqual([[1.5], [Infinity], [-Infinity], [NaN]])
})

test.each([
  [['12345678901234567.25', '12345678901234567.75'], 'DECIMAL(38,2)'],
  [['0.12345678901234567891', '-0.12345678901234567892'], 'DECIMAL(38,20)'],
  [['99999999999999999999999999999999999999.', '0.5'], 'VARCHAR'], [['0.12345678901234567891', '1e5'], 'VARCHAR'],
  [['0.12345678901234567891', 'inf'], 'VARCHAR'], [['0.5', '1e-400'], 'VARCHAR'], [['0.5', '1234567890123456.75e-3'], 'VARCHAR'],
])('CSV: fractions of more digits than a DOUBLE holds, %j, are exact: %s', async (values, type) => {
  const { columns: [column], rows } = await rowsOf('csv', { '/t/1.csv': `x\n${values.map(value => `${value}\n`).join('')}` })
  expect([column, ...rows.map(([x]) => x)]).toEqual([`x ${type}`, ...values])
})

test('CSV: texts with which programs print a DOUBLE are one, and a later value of more digits is an error', async () => {
  // Shortest texts, and those of 17 digits, 19 digits and all digits.
  const texts = [
    '0.30000000000000004', '0.10000000000000001', '1.000000000000000056e-01', '0.1000000000000000055511151231257827', '1e22', '4.94e-324',
  ]
  const { columns, rows } = await rowsOf('csv', { '/t/1.csv': `x\n${texts.map(text => `${text}\n`).join('')}` })
  expect([columns, rows]).toEqual([['x DOUBLE'], texts.map(text => [Number(text)])])
  for (const later of ['0.10000000000000004', '0.12345678901234567891', '1e-400'])
    await expect(rowsOf('csv', behind('x,y\n0.5,a\n', `x,y\n${later},a\n`)), later).rejects
      .toThrow(`"${later}" of the column "x" to DOUBLE`)
  const head = 'x,y\n0.12345678901234567891,a\n'
  const later = await rowsOf('csv', behind(head, 'x,y\n7,a\n-.5,a\n123456789012345678,a\n0.50000000000000000000000,a\n'))
  expect(later.rows.slice(16).map(([x]) => String(x).replace(/\.?0+$/, ''))).toEqual(['7', '-0.5', '123456789012345678', '0.5'])
  for (const value of ['0.123456789012345678912', '1e5', '007', '+5', '1234567890123456789'])
    await expect(rowsOf('csv', behind(head, `x,y\n${value},a\n`)), value).rejects.toThrow('of the column "x" to DECIMAL(38,20)')
})

test('CSV: files with numbers of different digits have one DECIMAL for all of them', async () => {
  const files = (...texts: string[]): Files => Object.fromEntries(texts.map((text, i) => [`/t/${i}.csv`, `x,y\n${text},a\n`]))
  const [long, wider] = ['0.12345678901234567891', '12345678901234567.25']
  const { columns, rows } = await rowsOf('csv', files(long, wider))
  expect([columns[0], ...rows.map(([x]) => x)]).toEqual(['x DECIMAL(38,20)', long, `${wider}${'0'.repeat(18)}`])
  expect((await rowsOf('csv', files(wider, '7'))).columns[0]).toBe('x DECIMAL(38,2)')
  // 19 digits before the point and 20 behind it are too many.
  expect((await rowsOf('csv', files(long, '7'))).rows.map(([x]) => x)).toEqual([long, '7'])
})

test('CSV: a text that no DOUBLE is makes its column one of texts', async () => {
  const rows = [['1.5', 'a'], ['0x1F', 'b']]
  expect(await rowsOf('csv', { '/t/1.csv': 'x,y\n1.5,a\n0x1F,b\n' })).toEqual({ columns: ['x VARCHAR', 'y VARCHAR'], rows })
})

test.each(['sep=;\n', '\n', '\n\n'])('CSV: without a header, %j before the first row is skipped in files that have it, and no row of others', async lines => {
  const rows = 'f;1\nf;2\n'
  const files = behind(lines + rows, lines + rows)
  expect((await rowsOf('csv', files, { delimiter: ';', header: false })).rows.length).toBe(34)
  await expect(rowsOf('csv', behind(lines + rows, rows), { delimiter: ';', header: false })).rejects
    .toThrow('/t/26.csv has other lines before its first row than the first files of /t')
  if (lines.startsWith('sep'))
    await expect(rowsOf('csv', behind(rows, lines + rows), { delimiter: ';', header: false })).rejects
      .toThrow('other lines before its first row')
})

/** A file for each list of values in the column d. */
const days = (...files: ReadonlyArray<readonly string[]>): Files =>
  Object.fromEntries(files.map((values, i) => [`/t/${i}.csv`, `n,d\n${values.map(value => `a,${value}\n`).join('')}`]))

test.each([
  [['01/02/2024', '03/04/2024']], [['1.2.2024']], [['01-02-2024', '']], [['10-11-12', '01-02-03']], [['31/12/99']], [['99-12-31']],
  [['01/02/2024 10:00:00 PM']], [['12/31/99 10:00:00 AM']],
])('CSV: dates in one of several forms, none of which the values exclude, are texts: %j', async values => {
  const { columns, rows } = await rowsOf('csv', days(values))
  expect([columns[1], ...rows.map(([, d]) => d)]).toEqual(['d VARCHAR', ...values.map(value => value || null)])
})

test('CSV: a date has the form that values of its column prove, in any of the files that are looked at', async () => {
  const found = async (...files: ReadonlyArray<readonly string[]>) => {
    const { columns, rows } = await rowsOf('csv', days(...files))
    return [columns[1], ...rows.map(([, d]) => d)]
  }
  expect(await found(['01/02/2024', '13/02/2024'])).toEqual(['d DATE', '2024-02-01', '2024-02-13'])
  expect(await found(['01/02/2024', '02/13/2024'])).toEqual(['d DATE', '2024-01-02', '2024-02-13'])
  expect(await found(['01/02/2024 10:00:00 PM', '02/13/2024 10:00:00 AM']))
    .toEqual(['d TIMESTAMP', '2024-01-02 22:00:00', '2024-02-13 10:00:00'])
  expect(await found(['2024/01/02'])).toEqual(['d DATE', '2024-01-02'])
  // The first file is read in the form that the second one proves.
  expect(await found(['01/02/2024'], ['02/13/2024'])).toEqual(['d DATE', '2024-01-02', '2024-02-13'])
  expect(await found(['01/02/2024'], ['13/02/2024'])).toEqual(['d DATE', '2024-02-01', '2024-02-13'])
  expect(await found(['01/02/2024'], ['2024-02-13'])).toEqual(['d VARCHAR', '01/02/2024', '2024-02-13'])
  expect(await found(['01.02.2024'], ['02/13/2024'])).toEqual(['d VARCHAR', '01.02.2024', '02/13/2024'])
  await expect(rowsOf('csv', behind('n,d\na,13/02/2024\n', 'n,d\na,02/13/2024\n'))).rejects.toThrow('"02/13/2024" of the column "d" to DATE')
})

test('CSV: a column proves nothing about another one, whose dates of ISO 8601 stay dates', async () => {
  const { columns, rows } = await rowsOf('csv', { '/t/1.csv': 'a,b,c\n01/02/2024,2024-01-02,2024-01-02 10:00:00\n' })
  expect([columns, rows]).toEqual([['a VARCHAR', 'b DATE', 'c TIMESTAMP'], [['01/02/2024', '2024-01-02', '2024-01-02 10:00:00']]])
  expect((await rowsOf('csv', { '/t/1.csv': 'n,a,b\nx,01/02/2024,14/02/2024\n' })).columns).toEqual(['n VARCHAR', 'a VARCHAR', 'b DATE'])
})

test.each(['\n', '\r\n'])('CSV: blocks with other line ends in quotes than behind rows, %j', async end => {
  const inner = end === '\n' ? '\r\n' : '\n'
  const block = (from: number): string => Array.from({ length: 20 }, (_, i) => `${from + i},"x${inner}y ""z"""${end}`).join('')
  const { rows } = await rowsOf('csv', { '/t/1.csv': [`id,t${end}${block(0)}`, block(20), block(40)] })
  expect(rows).toEqual(Array.from({ length: 60 }, (_, i) => [BigInt(i), `x${inner}y "z"`]))
})

test('CSV: lines of different ends behind quotes are an error', async () => {
  const files = { ...behind('id,t\n1,"x\r\ny"\n', ''), '/t/26.csv': ['id,t\n', '2,"x\r\ny"\n3,z\n4,z\r\n'] }
  await expect(rowsOf('csv', files)).rejects.toThrow(/different ends/)
})

test.each([
  ['1,"x\r\ny"\n2', '\n', false], ['a\r\n"b\n"\r\n', '\r\n', false], ['a"b\n"c\n', '\n', false], ['"a""\n""b"\r\n', '\r\n', false],
  ['"a"x\n"y"\n', '\n', false], ['"a\\"\n', '\n', false], ['a\rb\r', '\r', false], ['a\nb\r\n', '\n', true],
  ['a\rb\n', '\r', true], ['"a\n', undefined, false],
] as const)('line ends outside of quotes in %j', (text, first, isMixed) => {
  for (const size of [1, 2, 100]) {
    const scanner = new LineScanner({ quote: '"', escape: '"', delimiter: ',' })
    const bytes = Buffer.from(text)
    for (let at = 0; at < bytes.length; at += size) scanner.add(bytes.subarray(at, at + size))
    expect([scanner.first, scanner.isMixed]).toEqual([first, isMixed])
  }
})

test('values of directories have the type that the engine gives them, at the place of a column of the file', async () => {
  const files = { '/t/m=01/k=1/x.csv': 'q,k,r\n1,9,2\n', '/t/m=02/k=2/x.csv': 'q,k,r\n3,9,4\n' }
  expect(await rowsOf('csv', files)).toEqual({
    columns: ['q BIGINT', 'k BIGINT', 'r BIGINT', 'm VARCHAR'], rows: [[1n, 1n, 2n, '01'], [3n, 2n, 4n, '02']],
  })
})

test('a table whose columns are known may have a first line of any length; that of another one is not known', async () => {
  const text = `{"list": ["${'x'.repeat(1_100_000)}"]}\n{"list": ["y"]}\n`
  const directory = join(root, 'long')
  mkdirSync(directory)
  const files = { read: async function* (_: unknown, { end }: { end?: number } = {}) { yield Buffer.from(text).subarray(0, end) } }
  const tools = { disk: localDisk, space: spaceAt(directory), signal: undefined, footers: 1, files }
  const table = { name: 'rows', kind: 'json' as const, files: [{ path: '/t/a.jsonl', bytes: text.length }] }
  await expect(sampleTable(table, 0, tools as never)).rejects.toThrow('/t/a.jsonl has no line end in its first 1048576 bytes')
  const known = {
    name: 'rows', kind: 'table' as const, columns: [{ name: 'list', type: 'VARCHAR[]' }], owner: '', createdMs: 0, changedMs: 0,
    format: JSON.stringify({ kind: 'json', layout: 'newline_delimited', isText: true }),
  }
  const db = await openDuckDB({ memoryBytes: 64 << 20, threads: 1 })
  try {
    const { columns } = await shapeOf(db, await sampleTable({ ...table, known }, 1, tools as never))
    expect(columns.map(({ name, type }) => [name, type])).toEqual([['list', 'VARCHAR[]']])
  } finally {
    db.close()
  }
})

test('what the writer of a file has said about it holds in any format, such as that of .tsv files and compressed ones', async () => {
  for (const format of ['lines', 'bytes'] as const)
    expect(await rowsOf('csv', { '/t.tsv': 'alice\tx\nbob\ty\ncarol\tz\n' }, { format, header: false, delimiter: '\t' }))
      .toMatchObject({ rows: [['alice', 'x'], ['bob', 'y'], ['carol', 'z']] })
  expect(await rowsOf('csv', { '/t.tsv': '2023;2024\n1;2\n' }, { format: 'lines', header: true, delimiter: ';' }))
    .toMatchObject({ columns: ['2023 BIGINT', '2024 BIGINT'], rows: [[1n, 2n]] })
})

test('a file that is no sample is refused if its writer has said the opposite about its first row', async () => {
  const files = Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`/t/a${String(i).padStart(2, '0')}.csv`, `alice${i},x\n`]))
  const all = { ...files, '/t/b.csv': 'name,kind\nlast,y\n' }
  const unlike = /^\/t\/b\.csv and \/t\/a00\.csv are CSV of different layouts \(has a header: true and false\)/
  await expect(rowsOf('csv', all, path => ({ header: path === '/t/b.csv' }))).rejects.toThrow(unlike)
  expect((await rowsOf('csv', all, path => (path === '/t/b.csv' ? {} : { header: false }))).rows).toHaveLength(18)
  expect((await rowsOf('csv', { ...files, '/t/b.csv': '' }, path => ({ header: path === '/t/b.csv' }))).rows).toHaveLength(16)
})

test('a file that is no sample is refused if its writer has said another delimiter', async () => {
  const files = Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`/t/a${String(i).padStart(2, '0')}.csv`, `alice${i},x\n`]))
  const written = (path: string) => ({ header: false, delimiter: path === '/t/b.csv' ? ';' : ',' })
  await expect(rowsOf('csv', { ...files, '/t/b.csv': 'x,1;y\n' }, written)).rejects
    .toThrow('/t/b.csv and /t/a00.csv are CSV of different layouts (delimiter: ";" and ",")')
})

test('files of a table of the catalogue are refused if a writer has said something else than how the table is read', async () => {
  const format = {
    kind: 'csv', delimiter: ',', quote: '"', escape: '"', comment: '', header: false, skip: 0,
  }
  const known = {
    name: 'e', kind: 'table' as const, columns: [{ name: 'a', type: 'VARCHAR' }, { name: 'b', type: 'VARCHAR' }], owner: '', createdMs: 0,
    changedMs: 0, format: JSON.stringify(format),
  }
  const shapeFrom = (statuses: ReadonlyArray<{ header?: boolean; delimiter?: string }>) => {
    const files = statuses.map((status, i) => ({ path: `/c/f${i}`, bytes: i === 3 ? 0 : 8, status }))
    const columns = known.columns.map(({ name, type }) => ({ name, type: { kind: 'plain', name: type } }))
    return shapeOf({ columnsOf: async () => columns } as never, { table: { name: 'e', kind: 'csv', known, files } as never, samples: [] })
  }
  const unlike = (file: number, what: string) =>
    `/c/f${file} is CSV of another layout than the table e (${what}); remove the file, or drop the table and create it again`
  await expect(shapeFrom([{ header: false }, { header: true }])).rejects.toThrow(unlike(1, 'has a header: true and false'))
  await expect(shapeFrom([{ header: true }])).rejects.toThrow(unlike(0, 'has a header: true and false'))
  await expect(shapeFrom([{}, { delimiter: ';' }])).rejects.toThrow(unlike(1, 'delimiter: ";" and ","'))
  // The fourth file is empty.
  expect((await shapeFrom([{}, { header: false }, { delimiter: ',' }, { header: true }])).format).toEqual(format)
})
