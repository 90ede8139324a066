// Lines of a mapper before a combiner: which ones are combined together depends on the lines only, not on the pieces in which they come.

import { expect, test } from 'vitest'
import { CombineOutput } from '../../../../src/operator/commandlines.ts'

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
