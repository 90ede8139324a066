import { describe, expect, test } from 'vitest'
import { createWriter, extensionOf, type OutputFormat, type OutputOptions } from '../../../src/record/writer.ts'
import { dice } from '../../kit/dice.ts'
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

  test('a record that text refuses leaves nothing behind', () => {
    const writer = createWriter({ format: 'text' })
    expect(() => writer.write('key', () => 1)).toThrow(/function/)
    writer.write('a', 1)
    expect(writer.take().toString()).toBe('a\t1\n')
  })

  test('JSON lines come back as what was written', async () => {
    const pairs = [['k\n"', { a: [1, 'é\u2028'] }], [null, 'alone'], [5, null]] as const
    const text = written({ format: 'jsonl' }, pairs)
    expect((await readAll([rangeOf(Buffer.from(text), {}, dice(1))], { format: 'jsonl' })).map(({ value }) => value)).toEqual([{ key: 'k\n"', value: { a: [1, 'é\u2028'] } }, 'alone', { key: 5, value: null }])
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

  test('CSV columns are named after what the first record is made of', () => {
    expect(written({ format: 'csv' }, [['a', 1], ['b', null]])).toBe('key,value\na,1\nb,\n')
    expect(written({ format: 'csv' }, [[null, [1, 'x']]])).toBe('value1,value2\n1,x\n')
    expect(written({ format: 'csv' }, [['k', { n: 1, list: [1, 2] }]])).toBe('key,n,list\nk,1,"[1,2]"\n')
    expect(written({ format: 'csv', header: false }, [[null, '']])).toBe('""\n')
    expect(written({ format: 'csv' }, [])).toBe('')
  })

  test.each<[string, unknown, unknown]>([['a value of another width', 'k', [1, 2, 3]], ['no key', null, [1, 2]], ['an object', 'k', { a: 1, b: 2 }]])('CSV refuses %s than the first record, and writes nothing of it', (_, key, value) => {
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
    for (const value of [undefined, () => 1, Symbol('s')]) expect(() => written({ format }, [['k', value]])).toThrow(/cannot be written as JSON/)
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
