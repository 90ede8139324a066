// Packed splits as text: the released text stays readable, any split comes back unchanged, and invalid text is refused.

import { expect, test } from 'vitest'
import { GristmillError } from '../../../../src/base/errors.ts'
import { blockId, inodeId } from '../../../../src/base/ids.ts'
import { packSplit, splitRangesMax, unpackSplit } from '../../../../src/protocol/packed.ts'
import type { Split, SplitRange } from '../../../../src/protocol/task.ts'
import { dice } from '../../../kit/dice.ts'

const block = (id: number, offset: number, length: number, crc = 1) => ({ id: blockId(id), offset, length, crc })
const range = (path: string, more: Partial<SplitRange> = {}): SplitRange =>
  ({ path, inode: inodeId(7), fileBytes: 100, start: 0, end: 100, aligned: true, blocks: [block(9, 0, 100)], ...more })

const example: Split = {
  bytes: 8296,
  ranges: [
    range('/logs/2026-11-25.log', { inode: inodeId(1017), blocks: [block(70_001, 0, 100, 4_294_967_295)] }),
    range('/logs/2026-11-26.log', {
      inode: inodeId(1019), fileBytes: 12_288, start: 4096, end: 8192, aligned: false,
      blocks: [block(70_002, 0, 4096, 5), block(70_003, 4096, 4096, 6), block(70_004, 8192, 4096, 7)],
    }),
    range('/logs/rows.csv', {
      inode: inodeId(12), fileBytes: 5000, start: 0, end: 4100, delimiter: ';',
      blocks: [block(12, 0, 4000, 0), block(13, 4000, 100, 1)],
    }),
  ],
}
const packed =
  '6eg.3.0.k./logs/2026-11-25.logb.s9.2s.1.1i0h.1z141z3.f.5.6.log0.2.9hc.35s.35s.3.1.5.0.35s.1.6.35s.35s.1.7.6bk.35s.6.8.rows.csvd.-rz.3uw.0.35w.1n.2.-1i08.0.334.1.1.'

test('the text of a packed split stays readable, in journals of today too', () => {
  expect(packSplit(example)).toBe(packed)
  expect(unpackSplit(packed)).toEqual(example)
})

test('any split comes back as it was, whatever its paths hold', () => {
  const { below, pick } = dice(20_261_126)
  const letters = ['a', 'b', '.', '-', ' ', '\t', '\n', '"', '\\', '\u00e9', '\u{1f600}', '\u{1f601}', '\u{1f4a9}', 'z9.']
  const name = () => Array.from({ length: 1 + below(6) }, () => pick(letters)).join('').replace(/^\.+$/, 'x')
  const path = () => `/${Array.from({ length: 1 + below(3) }, name).join('/')}`
  for (let i = 0; i < 300; i++) {
    const ranges = Array.from({ length: below(8) }, (): SplitRange => {
      const lengths = Array.from({ length: below(5) }, () => below(2 ** 31))
      const fileBytes = lengths.reduce((sum, length) => sum + length, 0)
      const whole = below(2) === 0
      const start = whole ? 0 : below(fileBytes + 1)
      let offset = 0
      const blocks = lengths.map(length => block(below(2 ** 40), (offset += length) - length, length, below(2 ** 32)))
      return {
        path: path(), inode: inodeId(below(2 ** 47)), fileBytes, start,
        end: whole ? fileBytes : start + below(fileBytes - start + 1),
        aligned: below(2) === 0,
        ...(below(3) === 0 && { delimiter: pick([',', ';', '\t', '\u00a6']) }),
        blocks: pick([blocks, blocks.slice(1), []]),
      }
    })
    const split = { bytes: below(2 ** 50), ranges }
    const text = packSplit(split)
    // As sent over a wire, and written to the journal.
    expect(unpackSplit(Buffer.from(text).toString()), `split ${i}`).toEqual(split)
  }
})

test('a text that is no packed split, or one that cannot be, is refused', () => {
  for (let end = 0; end < packed.length; end++)
    expect(() => unpackSplit(packed.slice(0, end)), packed.slice(0, end)).toThrow(GristmillError)
  for (const text of [
    '', 'x', '-1.0.', '0.1.', `${packed}0.`, '0.-1.', '0.0.1.', '0..', 'zzzzzzzzzzzzz.0.', '0.zzz.', '0.1.0.2.ab3.0.0.0.',
    '0.1.0.3./..3.0.0.0.', '0.1.0.2./a1.0.5.3.3.0.', '0.1.0.2./a3.-1.0.0.',
  ]) {
    expect(() => unpackSplit(text), text).toThrow(expect.objectContaining({ code: 'EINVAL' }))
  }
  const { below, pick } = dice(20_261_126)
  for (let i = 0; i < 2000; i++) {
    const at = below(packed.length)
    const text = packed.slice(0, at) + pick([...'0az.-/']) + packed.slice(at + 1)
    try { unpackSplit(text) } catch (error) { expect(error, text).toBeInstanceOf(GristmillError) }
  }
})

test('a small file takes some forty characters', () => {
  const ranges = Array.from({ length: splitRangesMax }, (_, i) =>
    range(`/warehouse/events/2026/11/26/part-${String(i).padStart(6, '0')}.jsonl`, {
      inode: inodeId(5_000_000 + i * 3), fileBytes: 900_000 + i, end: 900_000 + i,
      blocks: [block(7_000_000 + i * 2, 0, 900_000 + i, (i * 2_654_435_761) % 2 ** 32)],
    }),
  )
  expect(packSplit({ bytes: 1, ranges }).length / ranges.length).toBeLessThan(45)
})

test('a path that shares its beginning with the one before it is checked where it differs', () => {
  const deep = `/${Array.from({ length: 900 }, (_, i) => `d${i}`).join('/')}`
  const paths = [deep, deep, `${deep}/a`, `${deep}/b`, `${deep.slice(0, 100)}x`, '/']
  const split: Split = { bytes: 0, ranges: paths.map(path => range(path)) }
  expect(unpackSplit(packSplit(split))).toEqual(split)
  for (const path of [`${deep}/.`, `${deep}/..`, `${deep}/`, `${deep}//a`, `${deep}/${'n'.repeat(256)}`, `${deep}/\0`]) {
    expect(() => unpackSplit(packSplit({ bytes: 0, ranges: [range(deep), range(path)] }))).toThrow(GristmillError)
    expect(() => unpackSplit(packSplit({ bytes: 0, ranges: [range(path), range(path)] }))).toThrow(GristmillError)
  }
})
