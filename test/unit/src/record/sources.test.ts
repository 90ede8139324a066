// Storage independence of records, on random files in memory: they are the same for every block size, as a whole or in parts, compressed or
// in another encoding.

import type { InputOptions } from '../../../../src/base/formats.ts'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { newReadCounters, type RecordRange } from '../../../../src/record/records.ts'
import { parseCsvHeader } from '../../../../src/record/rows.ts'
import { dice } from '../../../kit/dice.ts'
import { blocksOf, rangeOf, readAll } from './ranges.ts'
import { compressed, csv, jsonl, lines, utf16, values } from './samples.ts'

describe('the records of a file', () => {
  test.each([
    ['lines', lines], ['jsonl', jsonl], ['csv', csv],
  ] as const)(
    '%s: the same in every block size and number of splits, aligned or not, compressed or not, in UTF-8 and UTF-16',
    async (format, sample) => {
      const seed = Number(process.env['SEED'] ?? 4711)
      console.info(`seed ${seed}`)
      const random = dice(seed)
      const check = async (what: string, ranges: RecordRange[], input: InputOptions, expected: unknown[]) => {
        const counters = newReadCounters()
        const found = await readAll(ranges, input, counters)
        expect(values(found), `${what}, seed ${seed}`).toEqual(expected)
        expect(counters).toMatchObject({ records: expected.length, badRecords: 0, invalidUtf8Records: 0 })
      }
      for (let round = 0; round < 25; round++) {
        const { bytes, records, input } = sample(random)
        const pieces = () => 1 + random.below(60)
        const own = (stored: Buffer) => [rangeOf(stored, {}, random, 1 + random.below(400))]
        await check(`round ${round}, whole`, own(bytes), input, records)
        for (const blockBytes of [3 + random.below(8), 10 + random.below(40), 100 + random.below(400)]) {
          const blocks = blocksOf(bytes, format, { delimiter: input.delimiter, blockBytes, random })
          const all = format !== 'csv' || blocks.every(block => block.aligned) ? blocks : [{ start: 0, end: bytes.length, aligned: true }]
          const header =
            format === 'csv' && input.header !== false
              ? parseCsvHeader(bytes, { path: '/in', delimiter: input.delimiter, isAll: true })
              : undefined
          await check(
            `round ${round}, blocks of ${blockBytes}`,
            all.map(block =>
              rangeOf(
                block.aligned ? bytes.subarray(0, block.end) : bytes,
                { ...block, header, partial: all.length > 1 }, random, pieces(),
              ),
            ),
            input, records,
          )
        }
        if (format !== 'csv') {
          const cuts = [
            ...new Set([0, bytes.length, ...Array.from({ length: random.below(9) }, () => random.below(bytes.length + 1))]),
          ].sort((a, b) => a - b)
          await check(
            `round ${round}, cut at ${cuts.join()}`,
            cuts.slice(1).map((end, i) => rangeOf(bytes, { start: cuts[i]!, end, aligned: false, partial: true }, random, pieces())),
            input, records,
          )
        }
        await check(`round ${round}, gzip`, own(compressed(random, bytes, part => gzipSync(part))), input, records)
        await check(`round ${round}, zstd`, own(compressed(random, bytes, part => zstdCompressSync(part))), input, records)
        if (bytes.length === 0) continue
        for (const encoding of ['utf16le', 'utf16be'] as const) {
          const wide = utf16[encoding](bytes.toString())
          await check(`round ${round}, ${encoding}`, own(wide), { ...input, encoding }, records)
          await check(`round ${round}, ${encoding} in gzip`, own(gzipSync(wide)), { ...input, encoding }, records)
        }
      }
    },
  )

  test('offsets of records in compressed files and in UTF-16 count the bytes of their text', async () => {
    const text = 'é\nsecond\nthird\n'
    for (const [stored, encoding] of [[gzipSync(text), 'utf8'], [utf16.utf16le(text), 'utf16le']] as const) {
      expect(await readAll([rangeOf(stored, {}, dice(1))], { format: 'lines', encoding })).toMatchObject([
        { value: 'é', offset: 0 }, { value: 'second', offset: 3 }, { value: 'third', offset: 10 },
      ])
    }
  })

  test('bytes are counted as they are stored, once, and sources are closed, also when the reader stops early', async () => {
    const { readRecords } = await import('../../../../src/record/reader.ts')
    const stored = gzipSync('line\n'.repeat(10_000))
    const counters = newReadCounters()
    await readAll([rangeOf(stored, {}, dice(1))], { format: 'lines' }, counters)
    expect(counters).toMatchObject({ bytes: stored.length, records: 10_000 })
    for (const [bytes, encoding] of [
      [stored, 'utf8'], [utf16.utf16le('line\n'.repeat(1000)), 'utf16le'],
      [gzipSync(utf16.utf16le('line\n'.repeat(1000))), 'utf16le'],
    ] as const) {
      for (const format of ['lines', 'csv'] as const) {
        const range = rangeOf(bytes, {}, dice(1))
        for await (const _ of readRecords([range], { input: { format, encoding, header: false }, counters: newReadCounters() })) break
        expect(range.closed()).toBe(true)
        const refused = rangeOf(Buffer.concat([Buffer.from('fd377a585a00', 'hex'), bytes]), {}, dice(1))
        await expect(readAll([refused], { format, encoding })).rejects.toThrow(/xz/)
        expect(refused.closed()).toBe(true)
      }
    }
  })
})
