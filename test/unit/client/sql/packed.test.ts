// Compressed tables: a file that is damaged or cut off is refused wherever the damage is, and never answered from what is left of it.

import { gzipSync, zstdCompressSync } from 'node:zlib'
import { afterAll, expect, test } from 'vitest'
import { Local } from './kit.ts'

const on = new Local()
afterAll(() => on[Symbol.dispose]())

/** More than the beginning that fixes how the table is read. */
const count = 300_000
const csv = `i\n${Array.from({ length: count }, (_, i) => `${i}\n`).join('')}`
const json = Array.from({ length: count }, (_, i) => `{"i":${i}}\n`).join('')

const cut = (bytes: Buffer, share: number): Buffer => bytes.subarray(0, Math.floor(bytes.length * share))

const flipped = (bytes: Buffer, at: number): Buffer => {
  const copy = Buffer.from(bytes)
  copy[copy.length + at]! ^= 1
  return copy
}

test('compressed CSV and JSON lines are read to their end, also in several members', async () => {
  on.write('whole.csv.gz', Buffer.concat([gzipSync(csv), gzipSync('7\n')]))
  on.write('whole.jsonl.zst', zstdCompressSync(json))
  const counts = await on.rows(`SELECT (SELECT count(*) FROM './whole.csv.gz') AS a, (SELECT count(*) FROM './whole.jsonl.zst') AS b`)
  expect(counts).toEqual([{ a: BigInt(count) + 1n, b: BigInt(count) }])
})

test.each([
  ['cut.csv.gz', () => cut(gzipSync(csv), 0.7)], ['cut.csv.zst', () => cut(zstdCompressSync(csv), 0.8)],
  ['cut.jsonl.gz', () => cut(gzipSync(json), 0.7)], ['no-trailer.csv.gz', () => gzipSync(csv).subarray(0, -8)],
  // The checksum is in the last eight bytes, before the length.
  ['checksum.csv.gz', () => flipped(gzipSync(csv), -8)], ['checksum.jsonl.gz', () => flipped(gzipSync(json), -8)],
] as const)('%s, which is damaged behind its beginning, is refused', async (name, bytes) => {
  on.write(name, bytes())
  await expect(on.rows(`SELECT count(*) FROM './${name}'`)).rejects
    .toMatchObject({ code: 'EINVAL', message: expect.stringMatching(/(gzip|zstd) data cannot be read from here on: it (ends in the middle|is damaged)/) })
})
