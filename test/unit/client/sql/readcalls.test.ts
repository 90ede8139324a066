// Calls that say how files are read: read_csv('x.csv', header = false). The rows are those of plain files that say the same themselves.

import { afterAll, expect, test } from 'vitest'
import { callOf } from '../../../../client/sql/readcalls.ts'
import { Local } from './kit.ts'

const on = new Local()
afterAll(() => on[Symbol.dispose]())

on.write('texts.csv', 'rye,ulm\noats,bern\n')
on.write('numbers.csv', '1,2\n3,4\n')
on.write('quoted.txt', `id;name\n007;'a;b'\n8;'"c"'\n`)
on.write('none.csv', 'a,b\nNA,1\n-,2\n,3\n"NA",4\n')
on.write('lines.json.bak', '{"n": 1}\n{"n": 2}\n')
on.write('blank.csv', 'd\nx\n\nNA\n""\n')
on.write('one.csv', 'd\n1;2\n3|4\n')
on.write('days.csv', 'n,day,seen,sum\na,01/02/2024,1.2.24 3 PM,1.50\n')

const rowsOf = async (text: string, params?: Parameters<Local['rows']>[1]): Promise<unknown[][]> =>
  (await on.rows(text, params)).map(row => Object.values(row))

test.each([
  [`FROM read_csv('./texts.csv', header = false)`, [['rye', 'ulm'], ['oats', 'bern']]],
  [`SELECT read_csv.column1 FROM read_csv('./texts.csv', header := false)`, [['ulm'], ['bern']]],
  [`SELECT city FROM Read_CSV_auto('./texts.csv', HEADER => FALSE) AS t(grain, city)`, [['ulm'], ['bern']]],
  [`FROM read_csv('./texts.csv')`, [['oats', 'bern']]],
  [`FROM read_csv('./numbers.csv', header = true)`, [[3n, 4n]]],
  [`FROM read_csv('./numbers.csv', all_varchar = true, header = false)`, [['1', '2'], ['3', '4']]],
  [`SELECT b, a FROM read_csv('./numbers.csv', columns = {'a': 'VARCHAR', b: 'INTEGER'})`, [[2, '1'], [4, '3']]],
  [`FROM read_csv('./quoted.txt', quote = '''', sep = ';')`, [['007', 'a;b'], ['8', '"c"']]],
  [`FROM read_csv('./quoted.txt', quote = '''', delim = ';', columns = {'ID': 'VARCHAR'})`, [['007', 'a;b'], ['8', '"c"']]],
  [`FROM read_csv('./none.csv', nullstr = 'NA')`, [[null, 1n], ['-', 2n], ['', 3n], ['NA', 4n]]],
  [`FROM read_csv('./none.csv', nullstr = ['', '-'])`, [['NA', 1n], [null, 2n], [null, 3n], ['NA', 4n]]],
  [`FROM read_csv('./blank.csv', nullstr = 'NA')`, [['x'], [null], [null], ['']]],
  [`FROM read_csv('./blank.csv')`, [['x'], [null], ['NA'], ['']]],
  [`FROM read_csv('./texts.csv', delim = '|', header = false)`, [['rye,ulm'], ['oats,bern']]],
  [`FROM read_csv('./one.csv', columns = {'d': 'VARCHAR'})`, [['1;2'], ['3|4']]],
  [`FROM read_csv('./one.csv', columns = {'v': 'VARCHAR'})`, [['d'], ['1;2'], ['3|4']]],
  [`SELECT typeof(day), day FROM read_csv('./days.csv', dateformat = '%m/%d/%Y')`, [['DATE', '2024-01-02']]],
  [`SELECT day, seen FROM read_csv('./days.csv', dateformat = '%d/%m/%Y', timestampformat = '%d.%m.%y %I %p')`, [['2024-02-01', '2024-02-01 15:00:00']]],
  [`SELECT day, seen FROM read_csv('./days.csv')`, [['01/02/2024', '1.2.24 3 PM']]],
  [`SELECT day, typeof(sum), sum FROM read_csv('./days.csv', columns = {'day': 'DATE', 'sum': 'DECIMAL(9, 3)'}, dateformat = '%d/%m/%Y')`,
    [['2024-02-01', 'DECIMAL(9,3)', '1.500']]],
  [`FROM read_json('./lines.json.bak')`, [[1n], [2n]]],
  [`SELECT count(*) FROM read_csv('./t*.csv', header = false) a, read_csv('./t*.csv', header = false) b, './texts.csv' c`, [[4n]]],
  [`WITH t AS (FROM read_csv('./texts.csv', header = false)) SELECT column0 FROM t WHERE column0 IN (SELECT column0 FROM t)`, [['rye'], ['oats']]],
  [`SELECT column_name, column_type FROM (DESCRIBE FROM read_csv('./numbers.csv', header = false))`, [['column0', 'BIGINT'], ['column1', 'BIGINT']]],
] as const)('%s', async (text, rows) => {
  expect(await rowsOf(text)).toEqual(rows)
})

test('a path and options may be parameters', async () => {
  const text = 'SELECT column1 FROM read_csv($file, header = $header, delim = $mark) WHERE column0 = $grain'
  expect(await rowsOf(text, { file: './texts.csv', header: false, mark: ',', grain: 'oats' })).toEqual([['bern']])
})

test.each([
  ['skip = 1', 'read_csv has no option skip here; it has header, delim, sep, quote, nullstr, columns, all_varchar, dateformat and timestampformat'],
  ['header = 1', 'the option header of read_csv is a text, true or false'], [`header = 'x'`, 'the option header of read_csv is true or false'],
  [`delim = ';;'`, 'is one ASCII character'], [`delim = ''`, 'is one ASCII character'], [`quote = 'é'`, 'is one ASCII character, or empty'],
  [`quote = ','`, 'is another character than the delimiter'], [`sep = ';', delim = ','`, 'both delim and sep'],
  [`header = true, header = false`, 'the option header twice'], [`columns = {'a': 'UUID'}`, 'a is declared as UUID'],
  [`columns = ['a']`, 'is types by names'], [`columns = {'a': 'DATE'}, all_varchar = true`, 'both columns and all_varchar'],
  [`columns = {'x': 'VARCHAR'}`, 'has to name all 2'], [`header = true, columns = {'x': 'VARCHAR'}`, 'has no column x; its header has rye, ulm'],
  [`dateformat = '%d/%m'`, 'dateformat of read_csv is a form with day, month and year'], [`dateformat = '%d/%m/%Y %H'`, 'is a form with'],
  [`dateformat = 'auto'`, 'is a form with'], [`dateformat = true`, 'is a form with'], [`dateformat = '%d/%m/%Q/%Y'`, 'is a form with'],
  [`timestampformat = '%d/%m/%Y'`, 'a form with day, month, year and hour'], [`timestampformat = '%d/%m/%Y %I:%M'`, 'year and hour'],
  [`timestampformat = '%d/%m/%Y %H:%M:%S.%n'`, 'year and hour'],
  [`nullstr = true`, 'is a text, or a list of texts'], [`'./numbers.csv'`, 'reads one path'],
  [`header = lower('x')`, 'is a text, true or false'],
])('read_csv(…, %s) is refused: %s', async (options, message) => {
  await expect(on.rows(`FROM read_csv('./texts.csv', ${options})`)).rejects
    .toMatchObject({ code: 'EINVAL', message: expect.stringContaining(message) })
})

test.each([
  [`FROM read_csv(['./texts.csv'])`, 'reads one path'], [`FROM read_csv(path = './texts.csv')`, 'reads one path'],
  ['FROM read_csv()', 'reads one path'],
  [`FROM read_json('./lines.json.bak', lines = true)`, 'has no option'], [`FROM read_csv('s3://b/x.csv')`, 's3'],
  [`FROM read_csv('./none')`, 'no such file'], [`FROM read_csv('/x.csv')`, 'there is no cluster'],
])('%s is refused: %s', async (text, message) => {
  await expect(on.rows(text)).rejects.toThrow(message)
})

test('a value that does not fit a declared type is an error with its line', async () => {
  await expect(on.rows(`FROM read_csv('./texts.csv', header = false, columns = {'a': 'VARCHAR', 'b': 'INTEGER'})`))
    .rejects.toThrow(/"ulm" of the column "b" to INTEGER.*texts\.csv, line 1/)
})

test('the name of a call has all of it', () => {
  expect(callOf(`read_csv('/it''s', header = true, columns = {'a, b': 'DATE', 'c': 'TIME'}, nullstr = ['', ']'])`)).toEqual({
    path: `/it's`, kind: 'csv',
    csv: { header: true, columns: [{ name: 'a, b', type: 'DATE' }, { name: 'c', type: 'TIME' }], nulls: ['', ']'] },
  })
  expect(callOf('read_csv')).toBeUndefined()
})
