// Writers of text, JSON lines and CSV: outputs read back as what was written, values that a format cannot hold are refused with their
// place, and a refused record leaves no bytes.

import { extensionOf, type OutputFormat, type OutputOptions } from '../../../../src/base/formats.ts'
import { describe, expect, test } from 'vitest'
import { createWriter } from '../../../../src/record/writer.ts'
import { dice } from '../../../kit/dice.ts'
import { rangeOf, readAll } from './ranges.ts'

function written(options: OutputOptions, pairs: ReadonlyArray<readonly [unknown, unknown]>): string {
  const writer = createWriter(options)
  for (const [key, value] of pairs) writer.write(key, value)
  const text = writer.take().toString()
  expect(writer.pendingBytes).toBe(0)
  return text
}

describe('output', () => {
  test('text is key, tab and value; strings as they are, the rest as JSON, no key no tab', () => {
    expect(written({ format: 'text' }, [['the', 3], [null, 'alone'], [['a', 1], { n: null }], [undefined, NaN], [true, 'é😀']]))
      .toBe('the\t3\nalone\n["a",1]\t{"n":null}\nNaN\ntrue\té😀\n')
  })

  test('numbers are written as JavaScript writes them', () => {
    const numbers = [0, -0, 7, 9, 10, 99, 100, 12_345, 2 ** 31 - 1, 2 ** 31, 1e21, 0.1, -5, NaN, -Infinity, 999_999_999, 1_000_000_000]
    expect(written({ format: 'text' }, numbers.map(n => [null, n]))).toBe(numbers.map(n => `${n}\n`).join(''))
  })

  test('a number that does not fit into the room that is left is written whole', () => {
    for (let left = 0; left < 14; left++) {
      const text = 'x'.repeat(256 * 1024 - 1 - left)
      const writer = createWriter({ format: 'text' })
      writer.write(null, text)
      for (const n of [1_234_567_890, 7]) writer.write(null, n)
      expect(writer.take().toString('latin1', text.length), `${left} bytes left`).toBe('\n1234567890\n7\n')
    }
  })

  test('a record that text refuses leaves nothing behind', () => {
    const writer = createWriter({ format: 'text' })
    expect(() => writer.write('key', () => 1)).toThrow(/function/)
    writer.write('a', 1)
    expect(writer.take().toString()).toBe('a\t1\n')
  })

  test('JSON lines come back as what was written', async () => {
    const pairs = [['k\n"', { a: [1, 'é\u2028'] }], [null, 'alone'], [5, null]] as const
    const text = written({ format: 'jsonl' }, pairs)
    expect((await readAll([rangeOf(Buffer.from(text), {}, dice(1))], { format: 'jsonl' })).map(({ value }) => value)).toEqual([
      { key: 'k\n"', value: { a: [1, 'é\u2028'] } }, 'alone', { key: 5, value: null },
    ])
  })

  test('CSV comes back as what was written, whatever the fields hold', async () => {
    const random = dice(8)
    const atoms = ['a', ',', '"', '\n', '\r', ';', ' ', 'é', '']
    const field = () => Array.from({ length: random.below(5) }, () => random.pick(atoms)).join('')
    for (const delimiter of [',', ';', '\t', ']']) {
      const rows = Array.from({ length: 200 }, () => ({ one: field(), 'two, "2"': field() }))
      const keys = rows.map(field)
      const text = written({ format: 'csv', delimiter }, rows.map((row, i) => [keys[i], row]))
      const found = await readAll([rangeOf(Buffer.from(text), {}, random)], { format: 'csv', delimiter })
      expect(found.map(({ value }) => value)).toEqual(rows.map((row, i) => ({ key: keys[i], ...row })))
    }
  })

  const back = async (options: OutputOptions, pairs: ReadonlyArray<readonly [unknown, unknown]>) =>
    (
      await readAll([rangeOf(Buffer.from(written(options, pairs)), { delimiter: options.delimiter ?? ',' }, dice(1), 4)], {
        format: options.format === 'text' ? 'lines' : options.format,
        ...(options.header === false && { header: false }),
      })
    ).map(({ value }) => value)

  test('a record that begins with U+FEFF keeps it, at the start of a file too', async () => {
    const marked = '\ufeffname'
    for (const header of [true, false]) {
      expect(
        await back({ format: 'csv', header }, [
          [null, [marked, 1]], [null, [marked, 2]],
        ]),
      ).toEqual(
        header
          ? [
              { value1: marked, value2: '1' }, { value1: marked, value2: '2' },
            ]
          : [
              [marked, '1'], [marked, '2'],
            ],
      )
    }
    expect(await back({ format: 'csv' }, [[null, { [marked]: 1 }]])).toEqual([{ [marked]: '1' }])
    expect(await back({ format: 'text' }, [[null, marked], [marked, 1]])).toEqual([marked, `${marked}\t1`])
    expect(await back({ format: 'text' }, [[marked, 1]])).toEqual([`${marked}\t1`])
    expect(await back({ format: 'jsonl' }, [[null, marked]])).toEqual([marked])
  })

  test.each<[string, unknown, unknown, OutputOptions, RegExp]>([
    [
      "a field named like the key's column", 'k', { key: 1 }, { format: 'csv' },
      /two CSV columns would be named "key".* emit null as the key, rename the field, or write jsonl/,
    ],
    ['the same, declared', 'k', { key: 1 }, { format: 'csv', columns: ['key'] }, /two CSV columns would be named "key"/],
    [
      'a column declared twice', null, [1, 2], { format: 'csv', columns: ['a', 'a'] },
      /two CSV columns would be named "a"; declare each once/,
    ],
    ['an object without fields', null, {}, { format: 'csv' }, /an object without fields .*without any column; emit a field .*or write jsonl/],
    ['an array without items', null, [], { format: 'csv' }, /an empty array .*without any column/],
    ['the same, without a header', null, [], { format: 'csv', header: false }, /an empty array .*without any column/],
    ['a field without a name', null, { '': 1 }, { format: 'csv' }, /cannot be named "".* rename the field/],
    ['a field that no object can have', null, JSON.parse('{"__proto__":1}'), { format: 'csv' }, /cannot be named "__proto__"/],
    [
      'a name that reads as the line for the separator',
      null, { 'sep=;': 1 }, { format: 'csv' },
      /would be sep=;, which readers take for the line that names the separator/,
    ],
    ['such a cell', null, 'sep=,', { format: 'csv', header: false }, /would be "sep=,", which readers take/],
  ])('CSV that could not be read back is refused with its first record: %s', (_, key, value, options, message) => {
    const writer = createWriter(options)
    expect(() => writer.write(key, value)).toThrow(message)
    expect([writer.records, writer.take().length]).toEqual([0, 0])
  })

  test('columns without a header row, and cells that look like the `sep=` line, are read back', async () => {
    expect(await back({ format: 'csv', header: false, columns: ['key'] }, [['k', { key: 1 }]])).toEqual([['k', '1']])
    for (const delimiter of [',', ';']) {
      expect(
        await back({ format: 'csv', header: false, delimiter }, [
          [null, ['sep=', '']], [null, ['SEP=', '']],
        ]),
      ).toEqual([
        ['sep=', ''], ['SEP=', ''],
      ])
      expect(await back({ format: 'csv', delimiter }, [[null, { 'sep=': 1, 'b': 2 }]])).toEqual([{ 'sep=': '1', 'b': '2' }])
    }
  })

  test('CSV columns are named after what the first record is made of', () => {
    expect(written({ format: 'csv' }, [['a', 1], ['b', null]])).toBe('key,value\na,1\nb,\n')
    expect(written({ format: 'csv' }, [[null, [1, 'x']]])).toBe('value1,value2\n1,x\n')
    expect(written({ format: 'csv' }, [['k', { n: 1, list: [1, 2] }]])).toBe('key,n,list\nk,1,"[1,2]"\n')
    expect(written({ format: 'csv', header: false }, [[null, '']])).toBe('""\n')
    expect(written({ format: 'csv' }, [])).toBe('')
  })

  test.each<[string, unknown, unknown]>([
    ['a value of another width', 'k', [1, 2, 3]], ['no key', null, [1, 2]], ['an object', 'k', { a: 1, b: 2 }],
  ])('CSV refuses %s than the first record, and writes nothing of it', (_, key, value) => {
    const writer = createWriter({ format: 'csv' })
    writer.write('k', [1, 2])
    expect(() => writer.write(key, value)).toThrow(/record 2 .* write jsonl/)
    expect(writer.take().toString()).toBe('key,value1,value2\nk,1,2\n')
  })

  test('a field that the header does not name is refused, a missing one is empty', () => {
    const writer = createWriter({ format: 'csv' })
    writer.write(null, { a: 1, b: 2 })
    writer.write(null, { b: 3 })
    expect(() => writer.write(null, { a: 1, c: 2 })).toThrow(/"c"/)
    expect(writer.take().toString()).toBe('a,b\n1,2\n,3\n')
  })

  test.each<OutputFormat>(['text', 'jsonl'])('%s refuses what is no data, with a reason', format => {
    for (const value of [undefined, () => 1, Symbol('s')])
      expect(() => written({ format }, [['k', value]])).toThrow(/cannot be written as JSON/)
  })

  const odd: Array<[string, unknown, string, RegExp]> = [
    ['a Map', { tags: new Map([['a', 1]]) }, '.tags', /a Map.*Object\.fromEntries/],
    ['a Set', [1, new Set([1])], '[1]', /a Set.*\[\.\.\.set\]/],
    ['a RegExp', { 'a b': /x/ }, '["a b"]', /a RegExp/],
    ['an Error', { e: [new RangeError('x')] }, '.e[0]', /a RangeError.*its message/],
    ['NaN', { n: NaN }, '.n', /NaN.*use null/], ['-Infinity', [-Infinity], '[0]', /-Infinity/],
    ['an invalid Date', { at: new Date(NaN) }, '.at', /an invalid Date/],
    ['undefined in a list', [1, undefined], '[1]', /undefined.*use null/],
    ['a hole in a list', [1, , 2], '[1]', /undefined/], // eslint-disable-line no-sparse-arrays
    ['a function', { f() {} }, '.f', /a function/],
    ['a symbol', { s: Symbol('s') }, '.s', /a symbol/],
    ['a Float64Array', { v: new Float64Array(2) }, '.v', /a Float64Array.*Array\.from/],
    ['the named groups of a match', { m: /(?<year>\d+)/.exec('in 1984') }, '.m', /named groups.*match\.groups/],
    ['a list of a class', { l: new (class Row extends Array {})() }, '.l', /a Row.*\[\.\.\.it\]/],
    ['a field with a symbol as its name', { a: { [Symbol('s')]: 1 } }, '.a[Symbol(s)]', /symbol as its name/],
    [
      'a hidden class',
      {
        p: new (class {
          get x() {
            return 1
          }
        })(),
      },
      '.p', /unnamed class|instance/,
    ],
    [
      'an instance',
      {
        p: new (class Point {
          readonly x = 1
        })(),
      },
      '.p', /a Point.*plain object/,
    ],
    ['a boxed number', { b: Object(1) as unknown }, '.b', /a Number/],
    ['a promise', { p: Promise.resolve(1) }, '.p', /a Promise.*await/],
  ]
  test.each(odd)('%s is refused by each format, with the key, its place and its type', (_, value, place, message) => {
    for (const format of ['text', 'jsonl', 'csv'] as const) {
      const inner = format === 'csv' ? [null, value] : value
      const writer = createWriter({ format })
      const error = (() => { try { writer.write('the key', inner) } catch (thrown) { return thrown as Error } })()
      expect(error, format).toMatchObject({ code: 'EINVAL', message: expect.stringMatching(message) })
      expect(error!.message).toContain('for the key "the key"')
      expect(error!.message).toContain(` at ${place}`)
      writer.write('k', format === 'csv' ? [1, 2] : 1)
      expect(writer.take().toString().includes('the key')).toBe(false)
    }
    expect(() => written({ format: 'jsonl' }, [[null, 1], [null, value]])).toThrow(/as record 2/)
    expect(() => written({ format: 'jsonl' }, [[value, 1]])).toThrow(message)
  })

  test('bytes are base64 everywhere, big integers are digits, dates are ISO texts, and toJSON is asked', () => {
    const bytes = Buffer.from('grain')
    const value = {
      bytes, view: new Uint8Array(bytes), big: 12345678901234567890n, at: new Date(0), url: new URL('http://a.b/c'), none: undefined,
      nested: [{ big: -1n, ok: 'é' }],
    }
    const json =
      '{"bytes":"Z3JhaW4=","view":"Z3JhaW4=","big":12345678901234567890,"at":"1970-01-01T00:00:00.000Z","url":"http://a.b/c","nested":[{"big":-1,"ok":"é"}]}'
    expect(written({ format: 'jsonl' }, [['k', value], [5n, bytes]])).toBe(`{"key":"k","value":${json}}\n{"key":5,"value":"Z3JhaW4="}\n`)
    expect(written({ format: 'text' }, [['k', value], ['b', bytes], ['n', 7n]])).toBe(`k\t${json}\nb\tZ3JhaW4=\nn\t7\n`)
    expect(written({ format: 'csv' }, [['k', { bytes, n: 7n, none: undefined, x: NaN }]])).toBe('key,bytes,n,none,x\nk,Z3JhaW4=,7,,NaN\n')
    expect(written({ format: 'csv' }, [['k', new Uint8Array(bytes)]])).toBe('key,value\nk,Z3JhaW4=\n')
  })

  test('of an object enumerable fields are written, getters by their values, and of an array its items', () => {
    const object = Object.defineProperty({ get double() { return 2 } }, 'hidden', { value: 1, enumerable: false })
    expect(written({ format: 'jsonl' }, [[null, [object]]])).toBe('[{"double":2}]\n')
    expect(written({ format: 'csv' }, [[null, object]])).toBe('double\n2\n')
    expect(written({ format: 'jsonl' }, [[null, /(\d)(\d)/.exec('12')]])).toBe('["12","1","2"]\n')
    expect(written({ format: 'csv' }, [[null, /(\d)(\d)/.exec('12')]])).toBe('value1,value2,value3\n12,1,2\n')
    const asked = Object.assign([1, 2], { toJSON: () => 'a list' })
    expect(written({ format: 'jsonl' }, [[null, asked]])).toBe('"a list"\n')
    expect(() => written({ format: 'jsonl' }, [[null, Object.assign([1], { toJSON: () => NaN })]])).toThrow(/NaN/)
  })

  test('a row of CSV loses neither named groups nor fields with symbols as names', () => {
    expect(() => written({ format: 'csv' }, [['k', /(?<n>\d)/.exec('1')]])).toThrow(
      /named groups was emitted for the key "k".*match\.groups/,
    )
    expect(() => written({ format: 'csv' }, [['k', { a: 1, [Symbol('s')]: 2 }]])).toThrow(/at \[Symbol\(s\)\] was emitted for the key "k"/)
    expect(written({ format: 'csv' }, [['k', { .../(?<n>\d)/.exec('1')!.groups }]])).toBe('key,n\nk,1\n')
  })

  test('half of a surrogate pair is refused where it would become another character, and kept where JSON can say it', () => {
    for (const format of ['text', 'csv'] as const)
      expect(() => written({ format }, [['k', '\ud83d']])).toThrow(/half of a surrogate pair.*toWellFormed/)
    expect(() => written({ format: 'text' }, [['\udc00', 1]])).toThrow(/half of a surrogate pair/)
    expect(() => written({ format: 'csv' }, [[null, { '\ud83d': 1 }]])).toThrow(/the column "\\ud83d" with half of a surrogate pair/)
    expect(() => written({ format: 'csv', columns: ['\udc00'] }, [[null, [1]]])).toThrow(/the column "\\udc00" with half/)
    expect(written({ format: 'jsonl' }, [[null, '\ud83d']])).toBe('"\\ud83d"\n')
  })

  test('a Map is no row of CSV', () => {
    expect(() => written({ format: 'csv' }, [['k', new Map([['a', 1]])]])).toThrow(/a Map was emitted for the key "k"/)
  })

  test('a key beside declared columns is named, because its column is none of these', () => {
    const options: OutputOptions = { format: 'csv', columns: ['w', 'n'] }
    const beside = (record: number, found: number): RegExp => new RegExp(
      `^record ${record} has a key, which makes a CSV column "key" of its own, and ${found} more for its value, where 2 are declared; emit null as the key .* emit\\(null, \\[key, …\\]\\)`,
    )
    expect(() => written(options, [['rye', 1]])).toThrow(beside(1, 1))
    expect(() => written(options, [['rye', [1, 2, 3]]])).toThrow(beside(1, 3))
    expect(() => written(options, [[null, ['oat', 1]], ['rye', 1]])).toThrow(beside(2, 1))
    expect(written(options, [['rye', ['a', 1]]])).toBe('key,w,n\nrye,a,1\n')
    expect(() => written(options, [['rye', { w: 1, n: 2 }], [null, { w: 1, n: 2 }]])).toThrow(/^record 2 has no key, and the first record has one: /)
    expect(() => written({ format: 'csv' }, [[null, ['a', 1]], ['a', 1]])).toThrow(/^record 2 has a key, and the first record has none: .* null, /)
    // The key is not what is wrong.
    expect(() => written(options, [['rye', { w: 1, n: 2 }], ['rye', [1, 2]]])).toThrow(/than those declared/)
  })

  test('declared columns have their order in every part, whatever its first record', () => {
    const options: OutputOptions = { format: 'csv', columns: ['a', 'b', 'c'] }
    expect(written(options, [['k', { b: 2, a: 1 }], ['l', { c: 3 }]])).toBe('key,a,b,c\nk,1,2,\nl,,,3\n')
    expect(written({ ...options, header: false }, [[null, { c: 3, b: 2, a: 1 }], [null, { a: 4, b: 5, c: 6 }]])).toBe('1,2,3\n4,5,6\n')
    expect(written(options, [[null, [1, 2, 3]]])).toBe('a,b,c\n1,2,3\n')
    expect(written({ format: 'csv', columns: ['n'] }, [['k', 1]])).toBe('key,n\nk,1\n')
    expect(() => written(options, [['k', { a: 1, d: 4 }]])).toThrow(/the field "d", which the declared columns do not have/)
    expect(() => written(options, [[null, [1, 2]]])).toThrow(/record 1 makes 2 CSV columns of another kind than those declared, which are 3/)
    expect(() => written({ format: 'csv', header: false }, [['k', { a: 1 }]])).toThrow(/declare them \(output: \{ columns/)
    expect(written({ format: 'csv', header: false }, [['k', [1, 2]]])).toBe('k,1,2\n')
  })

  test('any amount may be written before it is taken', () => {
    const writer = createWriter({ format: 'text' })
    let expected = ''
    for (let i = 0; i < 60_000; i++) { writer.write(`é${i}`, 'x'.repeat(i % 40)); expected += `é${i}\t${'x'.repeat(i % 40)}\n` }
    expect(writer.pendingBytes).toBe(Buffer.byteLength(expected))
    expect(writer.take().toString()).toBe(expected)
    expect(extensionOf('text') + extensionOf('csv') + extensionOf('jsonl')).toBe('.txt.csv.jsonl')
  })
})
