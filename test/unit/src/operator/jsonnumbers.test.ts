// Numbers of JSON that a DOUBLE does not hold: they are found in all texts of them, and in no strings.

import { expect, test } from 'vitest'
import { JsonNumbers } from '../../../../src/operator/jsonnumbers.ts'

/** Looks at the text in pieces of `size` bytes. */
function look(text: string, size = 1 << 20, isFirst = true): void {
  const numbers = new JsonNumbers('x.jsonl', { isFirst })
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += size) numbers.add(bytes.subarray(at, at + size))
  numbers.end()
}

test.each([
  '1234567890.123456789012', '0.12345678901234567891', '-0.10000000000000004', '12345678901234567.25', '1e-400', '1.23456789012345678e5',
])(
  '%s is refused with its line, in objects and lists, at the end of the text, and across pieces', number => {
    for (const value of [number, `[1, ${number}]`, `{"k": ${number}}`, `"\\"", "b": ${number}`]) {
      const line = `{"a": ${value}}`
      for (const text of [`{"a": "${number}"}\n${line}\n{"a": 1}\n`, `{"a": 1}\n${line}`])
        for (const size of [1, 7, 1 << 20])
          expect(() => look(text, size), text)
            .toThrow(new RegExp(`the number ${number.replace(/^-/, '')} has more digits [^]*\\(in x\\.jsonl, line 2\\)$`))
    }
    expect(() => look(`{"a": ${number}}\n`, 100, false)).toThrow('line 1 from there')
  })

test('numbers that a DOUBLE or an integer holds are read, and so are texts of all digits', () => {
  for (const number of [
    '1234567890123456789012345678901234567890', '0.30000000000000004', '0.10000000000000001', '1.000000000000000056e-01', '0.00000000000000000000',
    '0.1000000000000000055511151231257827', '1e400', '4.94e-324', '0e-999', '12345678901234567000.0',
  ])
    expect(() => look(`{"a": ${number}, "b": [${number}]}\n`), number).not.toThrow()
  const text = '0.12345678901234567891'
  for (const string of [`"${text}"`, `"\\"${text}"`, `"\\\\", "b": "${text}"`, `"2024-01-01 ${text}"`])
    expect(() => look(`{"a": ${string}}\n`.repeat(3)), string).not.toThrow()
  // Each text is looked at once, also in one long line.
  expect(() => look(`[${Array.from({ length: 50_000 }, () => `"${text}"`).join(',')}]`)).not.toThrow()
})

test('a run of zeros inside of a number, or of a text, takes a time that is linear in its length; an error shows its beginning', () => {
  // Each of them took minutes.
  const long = `1.${'0'.repeat(400_000)}1`
  expect(() => look(`{"a": "${long}"}\n`)).not.toThrow()
  expect(() => look(`{"a": ${long}}\n`)).toThrow(/^the number 1\.0{98}… has more digits than SQL keeps of a fraction in JSON; .{1,60}1\.0{98}…" \(in x\.jsonl, line 1\)$/)
  expect(() => look(`{"a": ${long}e1}\n`)).toThrow('more digits')
  expect(() => look(`{"a": ${`${long}-`.repeat(3)}}\n`)).toThrow('more digits')
  expect(() => look(`{"a": 1.${'0'.repeat(400_000)}}\n`)).not.toThrow()
})
