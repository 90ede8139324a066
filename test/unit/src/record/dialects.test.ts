// Dialects of CSV, on files in memory: the delimiter is found from the first rows, the same in every kind of reading, and rows that fit no
// dialect are errors or counted.

import type { InputOptions } from '../../../../src/base/formats.ts'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { knownDelimiter } from '../../../../src/record/dialect.ts'
import { newReadCounters } from '../../../../src/record/records.ts'
import { parseCsvHeader } from '../../../../src/record/rows.ts'
import { claimOf } from '../../../../src/record/source.ts'
import { dice } from '../../../kit/dice.ts'
import { rangeOf, readAll } from './ranges.ts'
import { read, utf16, values } from './samples.ts'

describe('dialects of CSV', () => {
  const rows = [
    { id: '1', text: 'two\nlines, "quoted"; and\tmore', n: '3' },
    { id: '2', text: '', n: '' }, { id: '3', text: 'x|y', n: '5' },
  ]
  const quoted = (text: string) => (/^[a-z0-9]*$/.test(text) ? text : `"${text.replaceAll('"', '""')}"`)
  const written = (delimiter: string, end = '\n') =>
    ['id,text,n'.split(','), ...rows.map(({ id, text, n }) => [id, text, n])].map(row => row.map(quoted).join(delimiter) + end).join('')

  test.each([
    [',', '\n'], [';', '\r\n'], ['\t', '\n'], ['|', '\n'], [';', '\r'], [',', '\r'],
  ])('%j between fields and %j at the end of rows are found by themselves', async (delimiter, end) => {
    for (const mark of ['', '\ufeff']) {
      const text = mark + written(delimiter, end)
      expect(await read(Buffer.from(text), { format: 'csv' })).toEqual(rows)
      expect(await read(Buffer.from(text), { format: 'csv' }, { pieceMax: 3 })).toEqual(rows)
      expect(await read(gzipSync(text), { format: 'csv' })).toEqual(rows)
      expect(await read(utf16.utf16le(text), { format: 'csv', encoding: 'utf16le' })).toEqual(rows)
      expect(await read(Buffer.from(text), { format: 'csv', delimiter })).toEqual(rows)
    }
  })

  test('the line that names the separator is no row, and must not be contradicted', async () => {
    for (const line of ['sep=;\r\n', '\ufeffsep=;\n', '"sep=;"\n', 'SEP=;\n']) {
      const bytes = Buffer.from(line + written(';'))
      const found = await readAll([rangeOf(bytes, {}, dice(1))], { format: 'csv' })
      expect(values(found)).toEqual(rows)
      expect(bytes.toString('utf8', found[0]!.offset, found[0]!.offset + 3)).toBe('1;"')
      expect(await read(bytes, { format: 'csv', delimiter: ';' })).toEqual(rows)
      expect(await read(bytes, { format: 'csv', header: false })).toHaveLength(4)
      await expect(read(bytes, { format: 'csv', delimiter: ',' })).rejects.toThrow(/names the delimiter ";" in its first line/)
      expect(parseCsvHeader(bytes, { path: '/in', delimiter: ';', isAll: true })).toEqual(['id', 'text', 'n'])
    }
    // Cells that only resemble that line: it has no quotes around a part of it, and it is the first line.
    expect(await read(Buffer.from('"sep=",""\n1,2\n'), { format: 'csv', header: false })).toEqual([['sep=', ''], ['1', '2']])
    expect(await read(Buffer.from('\nsep=,\n1,2\n'), { format: 'csv', header: false })).toEqual([['sep=', ''], ['1', '2']])
    expect(parseCsvHeader(Buffer.from('"sep=",b\n'), { path: '/in', isAll: true })).toEqual(['sep=', 'b'])
    // A separator that cannot be detected.
    expect(await read(Buffer.from(`sep=~\n${written('~')}`), { format: 'csv' })).toEqual(rows)
    // Further down it is an ordinary row.
    expect(await read(Buffer.from('a,b\nsep=,\n'), { format: 'csv' })).toEqual([{ a: 'sep=', b: '' }])
  })

  test('a bad row does not change the dialect of its file, and is reported or counted', async () => {
    const text = `a;b\n${'1;2\n'.repeat(9)}bad, row\n`
    await expect(read(Buffer.from(text), { format: 'csv' })).rejects.toThrow(
      /split by ";", the row has 1 field, the header names 2 .*delimiter/,
    )
    const counters = newReadCounters()
    expect(await readAll([rangeOf(Buffer.from(text), {}, dice(1))], { format: 'csv', badRecords: 'skip' }, counters)).toHaveLength(9)
    expect(counters.badRecords).toBe(1)
  })

  test('a file of one column contains no separator, and may contain what could be one', async () => {
    expect(await read(Buffer.from('word\nother word\n'), { format: 'csv' })).toEqual([{ word: 'other word' }])
    expect(await read(Buffer.from('word\n"one, two; three"\nplain\n'), { format: 'csv' })).toEqual([
      { word: 'one, two; three' }, { word: 'plain' },
    ])
    expect(await read(Buffer.from('word\nfour; five\nsix\nseven\n'), { format: 'csv' })).toEqual([
      { word: 'four; five' }, { word: 'six' }, { word: 'seven' },
    ])
    await expect(read(Buffer.from('price\n1,5\n2\n'), { format: 'csv' })).rejects.toThrow(/the row has 2 fields, the header names 1/)
    expect(await read(Buffer.from(''), { format: 'csv' })).toEqual([])
    for (const end of ['\n', '\r\n', '\r'])
      expect(await read(Buffer.from(`word${end}"two\nlines"${end}x${end}`), { format: 'csv' })).toEqual([
        { word: 'two\nlines' }, { word: 'x' },
      ])
  })

  test('commas in numbers and texts do not outweigh a header and rows that another separator explains', async () => {
    expect(await read(Buffer.from('a;b\n1,5;2,5\n3,5;4,5\n'), { format: 'csv' })).toEqual([{ a: '1,5', b: '2,5' }, { a: '3,5', b: '4,5' }])
    expect(await read(Buffer.from('name;price, EUR\nrye;1,50\noat;2\n'), { format: 'csv' })).toEqual([
      { name: 'rye', 'price, EUR': '1,50' }, { name: 'oat', 'price, EUR': '2' },
    ])
    expect(await read(Buffer.from('id,place\n1,52.1;13.4\n2,50.9;6.9\n'), { format: 'csv' })).toEqual([
      { id: '1', place: '52.1;13.4' }, { id: '2', place: '50.9;6.9' },
    ])
    expect(await read(Buffer.from('1;2;3'), { format: 'csv', header: false })).toEqual([['1', '2', '3']])
    // Quotes fit only one of them.
    expect(await read(Buffer.from('1;"Rye, Ltd"\n2;"Oat, Ltd"\n'), { format: 'csv', header: false })).toEqual([
      ['1', 'Rye, Ltd'], ['2', 'Oat, Ltd'],
    ])
    // A row that is wider than the detection window.
    const wide = Array.from({ length: 9000 }, (_, i) => `column${i}`)
    expect(
      await read(Buffer.from(`${wide.join(';')}\n${wide.map(() => '1,5').join(';')}\n`), { format: 'csv' }, { pieceMax: 1e6 }),
    ).toEqual([Object.fromEntries(wide.map(name => [name, '1,5']))])
  })

  test('rows that do not fit are bad rows of the separator in the header, however many they are: never rows of another one', async () => {
    const text = `a;b\n${'1;2\n'.repeat(6)}${'only one\n'.repeat(4)}`
    await expect(read(Buffer.from(text), { format: 'csv' })).rejects.toThrow(/the row has 1 field, the header names 2/)
    const counters = newReadCounters()
    expect(values(await readAll([rangeOf(Buffer.from(text), {}, dice(1))], { format: 'csv', badRecords: 'skip' }, counters))).toEqual(
      Array.from({ length: 6 }, () => ({ a: '1', b: '2' })),
    )
    expect(counters.badRecords).toBe(4)
    // Arrays of any length are valid rows.
    expect(await read(Buffer.from('a;b\nc\nd;e;f\n'), { format: 'csv', header: false })).toEqual([['a', 'b'], ['c'], ['d', 'e', 'f']])
  })

  test.each<[string, string, Partial<InputOptions>, string[]]>([
    ['decimal commas without a header', '1,5;2,5\n3,5;4,5\n', { header: false }, [',', ';']],
    ['a comma and a semicolon in the header and in each row', 'name;price, EUR\nrye;1,50\noat;2,00\n', {}, [',', ';']],
    ['tabs behind commas', 'a,\tb\n1,\t2\n', {}, [',', '\\t']],
    ['a title above the header', 'Report of May\n\na;b\n1;2\n3;4\n', {}, [',', ';']],
    ['a title without a header', 'Report of May\n1|2\n3|4\n', { header: false }, [',', '|']],
    ['a title with a comma', 'Report of May, 2024\na;b;c\n1;2;3\n', {}, [',', ';']],
    [
      'a log whose times have a comma, and messages with bars',
      '2026-11-26 04:20:11,123|INFO|started\n2026-11-26 04:20:12,004|WARN|retry|attempt 2\n2026-11-26 04:20:12,900|INFO|done|42|ms\n',
      { header: false }, [',', '|'],
    ],
    [
      'prices with decimal commas in rows of any length',
      'milk;bread;1,50\nrye;2,20\noats;salt;butter;9,99\n',
      { header: false }, [',', ';'],
    ],
    ['rows of which one is not cut by the other separator', '7,5\n3;1,5\n4;x;2,5\n', { header: false }, [',', ';']],
    ['rows of one width, of which all but one hold another separator', `${'a|b,1\n'.repeat(9)}c|d\n`, { header: false }, ['|', ',']],
    ['ragged rows with two separators in them', 'a;b\nc, d\ne\nf, g, h\n', { header: false }, [';', ',']],
  ])("%s: refused with the evidence for each, and read as the options or the file's metadata say", async (_, text, options, both) => {
    for (const badRecords of ['error', 'skip'] as const) {
      const failure = await read(Buffer.from(text), { format: 'csv', badRecords, ...options }, { path: '/d/x.csv' }).catch(
        (error: unknown) => error,
      )
      expect(failure).toMatchObject({ code: 'EINVAL', details: { path: '/d/x.csv' } })
      expect((failure as Error).message).toMatch(
        /^\/d\/x.csv has no clear delimiter in its first rows: .*delimiter: ".*--delimiter/,
      )
      for (const one of both) expect((failure as Error).message).toContain(`"${one}" splits`)
      // The message names every delimiter that fits; the reader decides.
      const advice = /Set it: delimiter: (.*?) in the program/.exec((failure as Error).message)![1]!.split(' or ')
      for (const one of both) if (text.includes(one === '\\t' ? '\t' : one)) expect(advice).toContain(`"${one}"`)
    }
    const delimiter = both[1] === '\\t' ? '\t' : both[1]!
    const expected = text
      .split('\n')
      .filter(line => line !== '')
      .map(line => line.split(delimiter))
    expect(await read(Buffer.from(text), { format: 'csv', header: false, delimiter })).toEqual(expected)
    expect(values(await readAll([rangeOf(Buffer.from(text), { delimiter }, dice(1))], { format: 'csv', header: false }))).toEqual(expected)
    expect(await read(Buffer.from(`sep=${delimiter}\n${text}`), { format: 'csv', header: false })).toEqual(expected)
    expect(claimOf(Buffer.from(text), { path: 'x.csv', isAll: true, format: 'csv', delimiter })).toEqual({ format: 'csv', delimiter })
  })

  test('the advice on the delimiter begins with the most likely one', async () => {
    for (const [text, first] of [
      ['Report of May\n\na;b\n1;2\n3;4\n', ';'], ['Report of May, 2024\na;b;c\n1;2;3\n', ';'], [`${'a|b,1\n'.repeat(9)}c|d\n`, '|'],
    ] as const) {
      await expect(read(Buffer.from(text), { format: 'csv', header: false }), text).rejects.toThrow(`Set it: delimiter: "${first}"`)
    }
  })

  test('a file with only a header has no rows, whatever the delimiter', async () => {
    expect(await read(Buffer.from('name;price, EUR\n'), { format: 'csv' })).toEqual([])
    await expect(read(Buffer.from('name;price, EUR\n'), { format: 'csv', header: false })).rejects.toThrow(/first rows/)
  })

  test('the reader\'s options take precedence over the metadata, and these over the rows', async () => {
    const bytes = Buffer.from('a;b,c|d\n')
    const fields = async (input: Partial<InputOptions>, delimiter?: string) =>
      values(await readAll([rangeOf(bytes, { delimiter }, dice(1))], { format: 'csv', header: false, ...input }))
    expect(await fields({ delimiter: '|' }, ',')).toEqual([['a;b,c', 'd']])
    expect(await fields({}, ',')).toEqual([['a;b', 'c|d']])
    expect(knownDelimiter({ asked: '|', claimed: ',' })).toBe('|')
  })

  test('ends of rows of both kinds in one file are refused, unless one kind is within fields', async () => {
    expect(await read(Buffer.from('a,b\n1,x\ry\n'), { format: 'csv' })).toEqual([{ a: '1', b: 'x\ry' }])
    expect(await read(Buffer.from('a,b\r1,"x\r\ny"\r'), { format: 'csv' })).toEqual([{ a: '1', b: 'x\r\ny' }])
    expect(await read(Buffer.from('"a\r\nb"\t"c\nd"\r'), { format: 'csv', header: false })).toEqual([['a\r\nb', 'c\nd']])
    expect(await read(Buffer.from('a\nb;c\r1;2\r3;x\ny\r'), { format: 'csv' })).toEqual([
      { 'a\nb': '1', c: '2' }, { 'a\nb': '3', c: 'x\ny' },
    ])
    for (const text of ['name\rone\rtwo\nthree\n', 'a,b\r1,2\n3,4\n'])
      await expect(read(Buffer.from(text), { format: 'csv' })).rejects.toThrow(
        /newlines and others that end with carriage returns alone; .*before it is put/,
      )
  })

  test('no delimiter is stored for rows that could be split in two ways, nor for rows that hardly fit', () => {
    const claim = (text: string) => claimOf(Buffer.from(text), { path: 'x.csv', isAll: true, format: 'csv' })
    expect(claim('1,5;2,5\n3,5;4,5\n')).toEqual({ format: 'bytes', ambiguity: expect.stringContaining('--delimiter') as string })
    expect(claim('a;b\n1;2\n')).toEqual({ format: 'csv', delimiter: ';' })
    expect(claim('a;b\n1;2\nx\ny\n')).toEqual({ format: 'csv' })
    expect(claim('word\nx\n')).toEqual({ format: 'csv' })
    // With a header these would have two columns each: only without one they are ambiguous, and put does not know.
    expect(claim('20:11,123|INFO|started\n20:12,004|WARN|retry|attempt 2\n')).toEqual({
      format: 'bytes',
      ambiguity: expect.stringContaining('"|" splits') as string,
    })
    expect(claim('7,5\n3;1,5\n4;x;2,5\n')).toMatchObject({ format: 'bytes' })
    // A header shows the separator: another one does not split it.
    expect(claim('name;price\nrye;1,50\noats;2,20\n')).toEqual({ format: 'csv', delimiter: ';' })
    expect(claim('id,place\n1,52.1;13.4\n2,50.9;6.9;x\n')).toEqual({ format: 'csv', delimiter: ',' })
    expect(claim('name\rone\rtwo\nthree\n')).toMatchObject({ format: 'bytes' })
  })

  test('the rows at the beginning decide, however large the file is, and the same ones in every kind of reading', async () => {
    const text = `a;b\n${`1;${'2'.repeat(97)}\n`.repeat(1000)}x,y\n`
    await expect(read(Buffer.from(text), { format: 'csv' }, { pieceMax: 100_000 })).rejects.toMatchObject({ details: { offset: 100_004 } })
  })
})
