// Large integers in JSON lines and in outputs, compared with JSON.parse and Python: no digit is lost, and the program's choice of type is
// kept.

import { execFileSync, spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { newReadCounters } from '../../../../src/record/records.ts'
import { mayLose, parseExact } from '../../../../src/record/integers.ts'
import { jsonText } from '../../../../src/record/jsontext.ts'
import { createWriter } from '../../../../src/record/writer.ts'
import { dice, type Dice } from '../../../kit/dice.ts'
import { rangeOf, readAll } from './ranges.ts'

const read = async (text: string, options: Partial<Parameters<typeof readAll>[1]> = {}) =>
  (await readAll([rangeOf(Buffer.from(text), { path: '/in.jsonl' }, dice(4), 1000)], { format: 'jsonl', ...options })).map(
    ({ value }) => value,
  )

describe('integers of JSON lines', () => {
  test('a run of zeros inside of a number takes a time that is linear in its length', async () => {
    // It took minutes.
    const text = `12345678901234567890.1${'0'.repeat(400_000)}1`
    expect(await read(`{"a":${text}}\n`, { badRecords: 'skip' })).toEqual([{ a: 12345678901234567000 }])
  })

  test('up to 2^53 - 1 they are numbers, beyond it bigints: three ids stay three', async () => {
    expect(
      await read(
        '9007199254740991\n9007199254740992\n9007199254740993\n-9007199254740991\n-9007199254740992\n{"id":[12345678901234567890]}\n100000000000000000000000\n',
      ),
    ).toEqual([
      9_007_199_254_740_991, 9_007_199_254_740_992n, 9_007_199_254_740_993n, -9_007_199_254_740_991, -9_007_199_254_740_992n,
      { id: [12_345_678_901_234_567_890n] }, 100_000_000_000_000_000_000_000n,
    ])
  })

  test('as strings, or as errors with their place, where the program says so', async () => {
    expect(await read('{"id":12345678901234567890,"n":5}', { largeIntegers: 'string' })).toEqual([{ id: '12345678901234567890', n: 5 }])
    await expect(read('1\n{"id":12345678901234567890}', { largeIntegers: 'error' })).rejects.toMatchObject({
      code: 'EINVAL', details: { path: '/in.jsonl', offset: 2 },
      message: expect.stringMatching(/12345678901234567890 is beyond 2\^53.*largeIntegers: "bigint"/) as string,
    })
    const counters = newReadCounters()
    expect(
      (
        await readAll(
          [rangeOf(Buffer.from('1\n12345678901234567890\n2\n'), {}, dice(1))],
          { format: 'jsonl', largeIntegers: 'error', badRecords: 'skip' },
          counters,
        )
      ).map(({ value, offset }) => [value, offset]),
    ).toEqual([
      [1, 0], [2, 23],
    ])
    expect(counters.badRecords).toBe(1)
  })

  test.each(['1e999', '-1e400', '[1E+309]', `1${'0'.repeat(300)}e10`, `${'9'.repeat(320)}.5`])(
    '%s, which no double can hold, is an error and never Infinity',
    async text => {
      await expect(read(text)).rejects.toMatchObject({
        code: 'EINVAL',
        message: expect.stringMatching(/larger than a double can hold/) as string,
      })
    },
  )

  test('fractions, exponents and digits in strings are what JSON.parse makes of them', async () => {
    for (const text of [
      '0.14285714285714285', '1.7976931348623157e308', '1e308', '5e-324', '1e-999', '-0', '12345678901234567890.5',
      '1.2345678901234567890e5', '"12345678901234567890"', '{"12345678901234567890":"1e999"}', '[null,true,"e999"]',
      '{"__proto__":{"a":1},"n":9007199254740991}',
    ]) {
      expect(parseExact(text), text).toEqual(JSON.parse(text))
      expect(await read(text), text).toEqual([JSON.parse(text)])
    }
    expect(Object.keys(parseExact('{"__proto__":12345678901234567890}') as object)).toEqual(['__proto__'])
    expect(await read('{"a":1,"a":2}')).toEqual([{ a: 2 }])
  })

  test('integers with a point or an exponent are those integers, unless a double holds what is written', async () => {
    for (const [text, value] of [
      ['12345678901234567890.0', 12_345_678_901_234_567_890n],
      ['9007199254740993e0', 9_007_199_254_740_993n], ['9.007199254740993e15', 9_007_199_254_740_993n],
      ['-9.007199254740993E+15', -9_007_199_254_740_993n],
      ['900719925474099.3e1', 9_007_199_254_740_993n], ['90071992547409930e-1', 9_007_199_254_740_993n],
      ['1.00000000000000000001e25', 10_000_000_000_000_000_000_100_000n],
      // A double has these digits.
      ['1E20', 1e20], ['1e23', 1e23], ['6.02214076e23', 6.02214076e23], ['1.7976931348623157e+308', Number.MAX_VALUE],
      ['9007199254740992.0', 2 ** 53], ['9.9999999999999992e22', 1e23], ['1.8446744073709552e+19', 2 ** 64],
    ] as const) {
      expect([text, ...(await read(`{"id":${text}}`))]).toEqual([text, { id: value }])
      expect(await read(`[${text}]`, { largeIntegers: 'string' })).toEqual([[typeof value === 'bigint' ? String(value) : value]])
      const strict = read(text, { largeIntegers: 'error' })
      if (typeof value === 'bigint')
        await expect(strict).rejects.toMatchObject({ code: 'EINVAL', message: expect.stringContaining('beyond 2^53') as string })
      else expect(await strict).toEqual([value])
    }
  })

  test('whatever is written, an integer is itself, or the double that has its digits', () => {
    const seed = Number(process.env['SEED'] ?? 64)
    const random = dice(seed)
    let large = 0
    for (let round = 0; round < 20_000; round++) {
      const some = (least: number): string => Array.from({ length: least + random.below(20) }, () => random.below(10)).join('')
      const text = `${random.pick(['', '-'])}${1 + random.below(9)}${some(0)}.${some(1)}e${random.below(60) - 20}`
      const [digits, power] = [text.replace(/[-.]|e.*/g, ''), Number(text.split('e')[1]) - text.split('e')[0]!.split('.')[1]!.length]
      const found = parseExact(text)
      if (typeof found === 'number') { expect(found, `${text}, seed ${seed}`).toBe(Number(text)); continue }
      large++
      const whole = BigInt(digits) * 10n ** BigInt(Math.max(0, power)) / 10n ** BigInt(Math.max(0, -power))
      expect(found, `${text}, seed ${seed}`).toBe(text.startsWith('-') ? -whole : whole)
    }
    expect(large).toBeGreaterThan(1000)
  })

  test('the quick check never returns false where digits would be lost', () => {
    const seed = Number(process.env['SEED'] ?? 53)
    console.info(`seed ${seed}`)
    const random = dice(seed)
    let slow = 0
    for (let round = 0; round < 20_000; round++) {
      const text = Array.from({ length: 1 + random.below(3) }, () => randomPart(random)).join(random.pick([',', ' ', '":"', '']))
      if (mayLose(text)) { slow++; continue }
      for (const [number] of text.matchAll(/(?<![0-9.eE+-])-?(?:0|[1-9]\d*)(?:\.\d+)?([eE][+-]?\d+)?/g)) {
        const value = Number(number)
        if (!Number.isFinite(value) || (/^-?\d+$/.test(number) && !Number.isSafeInteger(value)) || typeof parseExact(number) === 'bigint')
          expect.fail(`${number} of ${text}, seed ${seed}`)
      }
    }
    expect(slow).toBeGreaterThan(1000)
    expect(slow).toBeLessThan(19_000)
    // Digits of usual doubles must not trigger the slow path.
    expect(mayLose('{"us":1700000000000000,"max":9007199254740991}')).toBe(false)
    expect(mayLose('{"id":9007199254740992}')).toBe(true)
    expect(mayLose('{"a":0.14285714285714285,"b":-3.3333333333333335,"t":1700000000000}')).toBe(false)
  })

  const noPython = spawnSync('python3', ['--version']).status !== 0
  test.skipIf(noPython)('Python reads the same integers, and what is written is what Python reads', async () => {
    // because not every machine has Python
    const random = dice(99)
    const texts = Array.from(
      { length: 300 },
      () => `${random.pick(['', '-'])}${1 + random.below(9)}${Array.from({ length: random.below(60) }, () => random.below(10)).join('')}`,
    )
    const values = await read(texts.map(text => `{"id":${text}}\n`).join(''))
    const writer = createWriter({ format: 'jsonl' })
    for (const value of values) writer.write((value as { id: bigint | number }).id, value)
    const script = 'import json,sys\nfor line in sys.stdin: r=json.loads(line); assert r["key"]==r["value"]["id"]; print(r["key"])'
    const output = execFileSync('python3', ['-c', script], { input: writer.take() }).toString()
    expect(output.trim().split('\n')).toEqual(texts)
  })
})

function randomPart(random: Dice): string {
  const digits = (most: number) => Array.from({ length: 1 + random.below(most) }, () => random.below(10)).join('').replace(/^0+(?=\d)/, '')
  return random.pick(['', '-']) + digits(22) + random.pick(['', '', `.${digits(22)}`])
    + random.pick(['', '', `e${digits(4)}`, `E+${digits(3)}`, `e-${digits(4)}`])
}

describe('bigints in outputs', () => {
  test('they are written as the integers that they are, alone, as keys and inside of values', () => {
    const big = 12_345_678_901_234_567_890n
    const written = (format: 'text' | 'jsonl' | 'csv') => {
      const writer = createWriter({ format })
      writer.write(big, { id: -big, list: [big, 'x'] })
      return writer.take().toString()
    }
    expect(written('jsonl')).toBe(`{"key":${big},"value":{"id":-${big},"list":[${big},"x"]}}\n`)
    expect(written('text')).toBe(`${big}\t{"id":-${big},"list":[${big},"x"]}\n`)
    expect(written('csv')).toBe(`key,id,list\n${big},-${big},"[${big},""x""]"\n`)
    expect(jsonText({ a: undefined, d: new Date(0), b: 5n })).toBe('{"d":"1970-01-01T00:00:00.000Z","b":5}')
  })
})
