// Lines, JSON lines and whole files, compared with a byte-by-byte oracle on random texts: each record once, at its offset, wherever the
// file is cut; invalid ones are errors or counted.

import { describe, expect, test } from 'vitest'
import { limits } from '../../../../src/base/limits.ts'
import { Boundary } from '../../../../src/record/boundary.ts'
import { newReadCounters } from '../../../../src/record/records.ts'
import { dice, type Dice } from '../../../kit/dice.ts'
import { rangeOf, readAll, type Found } from './ranges.ts'

const words = ['', 'a', 'grain', 'é', '磨坊', '😀', ' ', '\t', 'x\ry', '\u0000', '"']

function randomText(random: Dice): string {
  let text = ''
  const count = random.below(30)
  for (let i = 0; i < count; i++) {
    for (let k = random.below(6); k > 0; k--) text += random.pick(words)
    if (i < count - 1 || random.below(2) === 0) text += random.pick(['\n', '\n', '\r\n', '\n\n'])
  }
  return text
}

/** Oracle: scans the bytes one by one. */
function linesOf(bytes: Buffer): Array<{ value: string; offset: number }> {
  const found: Array<{ value: string; offset: number }> = []
  let from = bytes.subarray(0, 3).equals(Buffer.from([0xef, 0xbb, 0xbf])) ? 3 : 0
  for (let i = from; i < bytes.length; i++) {
    if (bytes[i] !== 10) continue
    const to = i > from && bytes[i - 1] === 13 ? i - 1 : i
    found.push({ value: bytes.toString('utf8', from, to), offset: from })
    from = i + 1
  }
  if (from < bytes.length) found.push({ value: bytes.toString('utf8', from), offset: from })
  return found
}

const plain = (found: Found[]) => found.map(({ value, offset }) => ({ value, offset }))

describe('lines', () => {
  test('the lines of all ranges are the lines of the file, each once and at its offset, wherever it is cut', async () => {
    const seed = Number(process.env['SEED'] ?? 20_260)
    console.info(`seed ${seed}`)
    const random = dice(seed)
    for (let round = 0; round < 400; round++) {
      const bytes = Buffer.from((random.below(4) === 0 ? '\ufeff' : '') + randomText(random))
      const cuts = [...new Set([0, bytes.length, ...Array.from({ length: random.below(8) }, () => random.below(bytes.length + 1))])].sort(
        (a, b) => a - b,
      )
      const ranges = cuts
        .slice(1)
        .map((end, index) => rangeOf(bytes, { start: cuts[index]!, end, aligned: false }, random, 1 + random.below(50)))
      expect(plain(await readAll(ranges, { format: 'lines', encoding: 'utf8' })), `round ${round} of seed ${seed}`).toEqual(linesOf(bytes))
      expect(ranges.every(range => range.closed())).toBe(true)
    }
  })

  test('aligned blocks as put cuts them need no byte of each other', async () => {
    const random = dice(7)
    for (let round = 0; round < 200; round++) {
      const bytes = Buffer.from(randomText(random))
      const blockBytes = 20 + random.below(100)
      const found: Found[] = []
      let aligned = true
      for (let start = 0; start < bytes.length;) {
        const boundary = new Boundary('lines', { atFileStart: start === 0 })
        const limit = Math.min(start + blockBytes, bytes.length)
        for (let at = start; at < limit;) {
          const to = Math.min(limit, at + 1 + random.below(30))
          boundary.push(bytes.subarray(at, to))
          at = to
        }
        const whole = limit === bytes.length ? limit : start + boundary.last
        const end = whole > start ? whole : limit
        const fits = aligned && whole > start
        aligned = whole > start
        // An aligned block gets only its own bytes.
        const source = fits ? bytes.subarray(0, end) : bytes
        found.push(...await readAll([rangeOf(source, { start, end, aligned: fits }, random)], { format: 'lines', encoding: 'utf8' }))
        start = end
      }
      expect(plain(found)).toEqual(linesOf(bytes))
    }
  })

  test('files in one split never join, even where one lacks its last newline', async () => {
    const random = dice(1)
    const found = await readAll([
      rangeOf(Buffer.from('one\ntwo'), { path: '/a' }, random),
      rangeOf(Buffer.from(''), { path: '/empty' }, random),
      rangeOf(Buffer.from('\n'), { path: '/b' }, random),
      rangeOf(Buffer.from('\ufeffthree'), { path: '/c' }, random),
    ], { format: 'lines' })
    expect(found).toEqual([
      { value: 'one', offset: 0, path: '/a' }, { value: 'two', offset: 4, path: '/a' }, { value: '', offset: 0, path: '/b' },
      { value: 'three', offset: 3, path: '/c' },
    ])
  })

  test('a carriage return belongs to the line unless a newline follows it', async () => {
    for (const pieceMax of [1, 2, 100]) {
      const found = await readAll([rangeOf(Buffer.from('a\r\nb\rc\r\r\n\r\nd\r'), {}, dice(2), pieceMax)], { format: 'lines' })
      expect(found.map(({ value }) => value)).toEqual(['a', 'b\rc\r', '', 'd\r'])
    }
  })

  test('invalid UTF-8 is replaced and its lines are counted, or it is an error with the offset', async () => {
    const bytes = Buffer.concat([Buffer.from('fine é\n'), Buffer.from([0x61, 0xff, 0x62, 10]), Buffer.from('ok\n'), Buffer.from([0xc3])])
    const counters = newReadCounters()
    const found = await readAll([rangeOf(bytes, {}, dice(1), 1000)], { format: 'lines' }, counters)
    expect(plain(found)).toEqual([
      { value: 'fine é', offset: 0 }, { value: 'a\ufffdb', offset: 8 }, { value: 'ok', offset: 12 }, { value: '\ufffd', offset: 15 },
    ])
    expect(counters.invalidUtf8Records).toBe(2)
    await expect(readAll([rangeOf(bytes, {}, dice(1), 1000)], { format: 'lines', invalidUtf8: 'error' })).rejects.toMatchObject({
      code: 'EINVAL', details: { path: '/file', offset: 8 },
    })
  })

  test('a line as long as the limit is read over many pieces, one byte more is an error with its offset', async () => {
    const line = Buffer.alloc(limits.recordBytesMax, 0x61)
    line[line.length - 1] = 10
    const head = Buffer.from('head\n')
    const fits = await readAll([rangeOf(Buffer.concat([head, line, Buffer.from('tail')]), {}, dice(3), 3_000_000)], { format: 'lines' })
    expect(fits.map(({ value }) => (value as string).length)).toEqual([4, limits.recordBytesMax - 1, 4])
    const tooLong = Buffer.concat([head, Buffer.from('b'), line])
    await expect(readAll([rangeOf(tooLong, {}, dice(3), 3_000_000)], { format: 'lines' })).rejects.toMatchObject({
      code: 'EINVAL', details: { offset: 5 },
    })
  })

  test('a source that ends before its range does is reported as corrupt', async () => {
    const range = { ...rangeOf(Buffer.from('a\nb\n'), {}, dice(1)), end: 9 }
    await expect(readAll([range], { format: 'lines' })).rejects.toMatchObject({ code: 'CORRUPT' })
  })

  test('a reader that stops early closes its source, and an aborted one says why', async () => {
    const { readRecords } = await import('../../../../src/record/reader.ts')
    const range = rangeOf(Buffer.from('a\n'.repeat(500)), {}, dice(1))
    for await (const batch of readRecords([range], { input: { format: 'lines' }, counters: newReadCounters() })) {
      expect(batch.values[0]).toBe('a')
      break
    }
    expect(range.closed()).toBe(true)
    const reason = new Error('enough')
    await expect(
      readRecords([range], { input: { format: 'lines' }, counters: newReadCounters(), signal: AbortSignal.abort(reason) }).next(),
    ).rejects.toBe(reason)
  })
})

describe('json lines', () => {
  test('each line that is not blank is a value with its offset', async () => {
    const text = '{"a":"é"}\n\n  \r\n[1,2]\r\nnull\n"x"'
    const found = await readAll([rangeOf(Buffer.from(text), {}, dice(5))], { format: 'jsonl' })
    expect(plain(found)).toEqual([
      { value: { a: 'é' }, offset: 0 }, { value: [1, 2], offset: 16 }, { value: null, offset: 23 }, { value: 'x', offset: 28 },
    ])
  })

  test('a bad line is an error that names the file, the offset and what the parser said, or is counted', async () => {
    const range = () => rangeOf(Buffer.from('1\n{"a":\n2\n'), { path: '/in.jsonl' }, dice(1), 1000)
    const failure = await readAll([range()], { format: 'jsonl' }).catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'EINVAL', details: { path: '/in.jsonl', offset: 2 } })
    expect((failure as Error).message).toMatch(/^\/in\.jsonl, byte 2: .*JSON.*; correct it, or have a program of your own skip such lines \([^;]*$/)
    const csv = readAll([rangeOf(Buffer.from('a,b\n1,2\n'), {}, dice(1), 1000)], { format: 'jsonl' })
    await expect(csv).rejects.toThrow(/byte 0: .*; for CSV, set format: "csv" there, or give a program without code --param format=csv$/)
    const counters = newReadCounters()
    expect(plain(await readAll([range()], { format: 'jsonl', badRecords: 'skip' }, counters))).toEqual([
      { value: 1, offset: 0 }, { value: 2, offset: 8 },
    ])
    expect(counters).toMatchObject({ badRecords: 1, records: 2, bytes: 10 })
  })
})

describe('whole files', () => {
  test('a file is one record, as text without its mark or as bytes', async () => {
    const bytes = Buffer.from('\ufefftwo\nlines')
    expect((await readAll([rangeOf(bytes, { path: '/w' }, dice(1))], { format: 'whole' }))[0]!.value).toEqual({
      path: '/w', text: 'two\nlines',
    })
    expect((await readAll([rangeOf(bytes, { path: '/w' }, dice(1))], { format: 'whole', bytes: true }))[0]!.value).toEqual({
      path: '/w', bytes,
    })
    expect(await readAll([rangeOf(Buffer.alloc(0), { path: '/w' }, dice(1))], { format: 'whole' })).toHaveLength(1)
  })
})
