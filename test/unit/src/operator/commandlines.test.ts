// Lines of a mapper before a shuffle: their order by the numbers in them is that of sort(1); which ones are combined together depends on
// the lines only, not on the pieces in which they come.

import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { shuffleKey } from '../../../../src/operator/commandkey.ts'
import { CombineOutput } from '../../../../src/operator/commandlines.ts'
import { GrowingBuffer } from '../../../../src/shuffle/buffer.ts'
import { encodeKey } from '../../../../src/shuffle/key.ts'
import { dice } from '../../../kit/dice.ts'

async function combined(pieces: readonly Buffer[]): Promise<string[][]> {
  const runs: string[][] = []
  const output = new CombineOutput({ separator: '\t', joiner: '\t', keyFields: 1 }, async lines => { runs.push([...lines]) }, 16)
  for (const piece of pieces) await output.take(piece)
  await output.end()
  return runs
}

test('lines are combined whenever there are enough, sorted by the bytes of their keys, with equal keys in their order', async () => {
  const bytes = Buffer.from('b\t1\na\t9\nb\t0\n\u00e4\t1\nz\t1\nab\nlast', 'utf8')
  const whole = await combined([bytes])
  expect(whole).toEqual([['a\t9', 'b\t1', 'b\t0', 'z\t1', '\xc3\xa4\t1'], ['ab', 'last']])
  for (let size = 1; size < 8; size++) {
    const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size))
    expect(await combined(pieces), String(size)).toEqual(whole)
  }
})

test('numbers of any length are ordered as sort -n orders them, in both directions', () => {
  const draw = dice(11)
  const digits = (most: number): string => Array.from({ length: draw.below(most + 1) }, () => draw.pick([...'00123459'])).join('')
  const drawn = Array.from({ length: 400 }, () =>
    [draw.pick(['', ' ', '-', '-']), digits(4), draw.pick(['', '.', `.${digits(3)}`]), draw.pick(['', 'x', '-1'])].join(''))
  const around = (middle: bigint): string[] =>
    [-2n, -1n, 0n, 1n, 2n].flatMap(by => [`${middle + by}`, `-${middle + by}`, `${middle + by}.5`])
  const special = ['', '-', '.', '-.', '-0', '0', '00.00', '+5', '--3', '1e5', '0x10', '\t7', '9'.repeat(400), `-${'9'.repeat(401)}`]
  const lines = [...drawn, ...special, ...around(2n ** 53n), ...around(2n ** 63n), ...around(10n ** 40n)]
  for (const reverse of [false, true]) {
    const keyOf = shuffleKey({ separator: '|', joiner: '|', keyFields: 1, order: [{ first: 1, last: 1, numeric: true, reverse }] })
    const wanted = execFileSync('sort', ['-t', '|', `-k1,1n${reverse ? 'r' : ''}`, '-k1,1'], {
      input: `${lines.join('\n')}\n`, encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' },
    })
    const bytesOf = (line: string): Buffer => {
      const buffer = new GrowingBuffer()
      encodeKey(keyOf(line), buffer)
      return Buffer.from(buffer.bytes.subarray(0, buffer.length))
    }
    const sorted = lines.map(line => ({ line, key: bytesOf(line) })).sort((a, b) => Buffer.compare(a.key, b.key))
    expect(`${sorted.map(({ line }) => line).join('\n')}\n`).toBe(wanted)
  }
})
