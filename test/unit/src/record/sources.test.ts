// Storage independence of records, on random files in memory: they are the same for every block size, as a whole or in parts, compressed or
// in another encoding.

import type { InputOptions } from '../../../../src/base/formats.ts'
import { deflateRawSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, test, vi } from 'vitest'
import { limits } from '../../../../src/base/limits.ts'
import { decompressed } from '../../../../src/record/decompress.ts'
import { knownDelimiter } from '../../../../src/record/dialect.ts'
import { newReadCounters, type RecordRange } from '../../../../src/record/format.ts'
import { parseCsvHeader } from '../../../../src/record/rows.ts'
import { claimOf } from '../../../../src/record/source.ts'
import { dice, type Dice } from '../../../kit/dice.ts'
import { blocksOf, rangeOf, readAll, type Found } from './ranges.ts'

const values = (found: Found[]): unknown[] => found.map(({ value }) => value)
const read = async (bytes: Buffer, input: InputOptions, { path = '/in', pieceMax = 1000 } = {}) =>
  values(await readAll([rangeOf(bytes, { path }, dice(1), pieceMax)], input))
const utf16 = {
  utf16le: (text: string) => Buffer.from(text, 'utf16le'),
  utf16be: (text: string) => Buffer.from(text, 'utf16le').swap16(),
} as const

interface Sample { readonly bytes: Buffer; readonly records: unknown[]; readonly input: InputOptions }

const atoms = ['', 'a', 'rye', 'é', '磨坊', '😀', ' ', '\t', '\u0000', '0', ',', ';', '|', '\'', '\\']

function someText(random: Dice, more: readonly string[] = []): string {
  let text = ''
  for (let k = random.below(6); k > 0; k--) text += random.pick(random.below(4) === 0 && more.length > 0 ? more : atoms)
  return text
}

/** A record's text cannot end in bytes that belong to the line end. */
function lines(random: Dice): Sample {
  const records = Array.from({ length: random.below(40) }, () => someText(random, ['"', '\r', '\r\r']).replace(/\r$/, '!'))
  return { records: unended(records), input: { format: 'lines', encoding: 'utf8' }, bytes: joined(random, records) }
}

function jsonl(random: Dice): Sample {
  const any = (depth: number): unknown =>
    random.pick([
      () => someText(random, ['"', '\n', '\r', '\u2028']),
      () => random.below(1000) / 8,
      () => BigInt(random.below(1e9)) * 10n ** 12n + 2n ** 60n,
      () => null, () => true,
      () => (depth > 2 ? [] : Array.from({ length: random.below(4) }, () => any(depth + 1))),
      () =>
        depth > 2
          ? {}
          : Object.fromEntries(Array.from({ length: random.below(4) }, (_, i) => [`k${i}${someText(random)}`, any(depth + 1)])),
    ])()
  const records = Array.from({ length: random.below(40) }, () => any(0))
  // Writes bigints as digits, independently of the library.
  const text = (value: unknown): string =>
    JSON.stringify(value, (_key, item: unknown) => (typeof item === 'bigint' ? `#${item}#` : item)).replaceAll(/"#(\d+)#"/g, '$1')
  const padded = records.map(record => `${random.pick(['', ' ', '\r\n', '\n'])}${text(record)}${random.pick(['', ' '])}`)
  return { records, input: { format: 'jsonl' }, bytes: joined(random, padded) }
}

function csv(random: Dice): Sample {
  const delimiter = random.pick([',', ';', '\t', '|'])
  const header = random.below(2) === 0
  const width = 1 + random.below(4)
  const field = () => someText(random, ['"', '\n', '\r', '\r\n', '""'])
  const rows = Array.from({ length: random.below(25) }, () => Array.from({ length: width }, field))
  const names = Array.from({ length: width }, (_, i) => `n${i}${field()}`)
  const quoted = (text: string) =>
    /["\n\r]/.test(text) || text.includes(delimiter) || random.below(4) === 0 || (width === 1 && text === '')
      ? `"${text.replaceAll('"', '""')}"`
      : text
  const table = (header ? [names, ...rows] : rows).map(row => row.map(quoted).join(delimiter))
  return {
    records: header ? rows.map(row => Object.fromEntries(row.map((text, i) => [names[i]!, text]))) : rows,
    input: { format: 'csv', delimiter, header, encoding: 'utf8' }, bytes: joined(random, table),
  }
}

/** An empty record at the end of a file without a last newline does not count. */
const unended = (records: string[]): string[] => { if (records.at(-1) === '') records[records.length - 1] = 'end'; return records }

function joined(random: Dice, records: readonly string[]): Buffer {
  const ends = records.map((_, i) => (i < records.length - 1 || random.below(2) === 0 ? random.pick(['\n', '\n', '\r\n']) : ''))
  const marked = records.length > 0 && random.below(4) === 0
  return Buffer.from((marked ? '\ufeff' : '') + records.map((record, i) => record + ends[i]).join(''))
}

/** Compresses in one go, or in members and frames of any lengths. */
function compressed(random: Dice, bytes: Buffer, by: (part: Buffer) => Buffer): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; at < bytes.length || parts.length === 0;) {
    const to = random.below(2) === 0 ? bytes.length : Math.min(bytes.length, at + random.below(200))
    parts.push(by(bytes.subarray(at, to)))
    at = to
  }
  return Buffer.concat(parts)
}

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

describe('compressed files', () => {
  const text = Array.from({ length: 500 }, (_, i) => `line ${i} ${(i * 7919) % 1000}\n`).join('')
  const stored = { gzip: gzipSync(text), zstd: zstdCompressSync(Buffer.from(text)) }

  test.each(['gzip', 'zstd'] as const)('%s that was cut off anywhere is an error with file and place, never fewer records', async codec => {
    const bytes = stored[codec]
    const seed = Number(process.env['SEED'] ?? 12)
    const random = dice(seed)
    const two = Buffer.concat([bytes, bytes])
    const lengths = [
      4, 5, 10, 18, bytes.length - 1, bytes.length - 4, bytes.length - 9,
      ...Array.from({ length: 12 }, () => 4 + random.below(bytes.length - 5)),
      ...[1, 3, 4, 17, 100].map(more => bytes.length + more),
    ]
    for (const length of lengths) {
      for (const pieceMax of [97, 1e6]) {
        const failure = await read(two.subarray(0, length), { format: 'lines' }, { path: '/logs/x.gz', pieceMax }).catch(
          (error: unknown) => error,
        )
        expect(failure, `${length} bytes of ${bytes.length}, seed ${seed}`).toMatchObject({
          code: 'EINVAL',
          details: { path: '/logs/x.gz', offset: expect.any(Number) as number },
        })
        expect((failure as Error).message).toMatch(
          new RegExp(`^/logs/x.gz, byte \\d+: the ${codec} data cannot be read from here on: it (ends in the middle|is damaged)`),
        )
      }
    }
    expect(await read(two, { format: 'lines' })).toHaveLength(1000)
  })

  test.each(['gzip', 'zstd'] as const)('%s with a flipped bit is an error', async codec => {
    const checked = codec === 'gzip' ? stored.gzip : zstdCompressSync(Buffer.from(text), { params: { 201: 1 } }) // ZSTD_c_checksumFlag
    const random = dice(5)
    for (let round = 0; round < 30; round++) {
      // After gzip's header, which contains nothing of the text.
      const at = 12 + random.below(checked.length - 12)
      const bytes = Buffer.from(checked)
      bytes[at]! ^= 1 << random.below(8)
      await expect(read(bytes, { format: 'lines' }), `byte ${at}`).rejects.toMatchObject({ code: 'EINVAL' })
    }
  })

  test.each(['gzip', 'zstd'] as const)('%s with something behind it is an error; gzip may be padded with zeros', async codec => {
    for (const pieceMax of [13, 200, 1e6]) {
      await expect(
        read(Buffer.concat([stored[codec], Buffer.from('more lines\n')]), { format: 'lines' }, { pieceMax }),
      ).rejects.toMatchObject({ code: 'EINVAL', details: { path: '/in' } })
      const padded = read(Buffer.concat([stored[codec], Buffer.alloc(500)]), { format: 'lines' }, { pieceMax })
      if (codec === 'gzip') expect(await padded).toHaveLength(500)
      else await expect(padded).rejects.toThrow(/damaged/)
      await expect(
        read(Buffer.concat([stored[codec], Buffer.alloc(300), Buffer.from('x')]), { format: 'lines' }, { pieceMax }),
      ).rejects.toMatchObject({ code: 'EINVAL' })
    }
  })

  test('zstd may begin with a frame that is to be skipped, as parallel compressors write it', async () => {
    const skipped = Buffer.concat([Buffer.from('502a4d1803000000', 'hex'), Buffer.from('abc')])
    expect(await read(Buffer.concat([skipped, stored.zstd, skipped]), { format: 'lines' })).toHaveLength(500)
  })

  test('an extreme compression ratio is refused', async () => {
    const part = zstdCompressSync(Buffer.alloc(32 << 20))
    const bomb = Buffer.concat(Array.from({ length: 20 }, () => part))
    let bytes = 0
    const reading = (async () => {
      for await (const piece of decompressed(rangeOf(bomb, {}, dice(1), 1e6).open(0), 'zstd', '/bomb')) bytes += piece.length
    })()
    await expect(reading).rejects.toMatchObject({
      code: 'EINVAL',
      message: expect.stringMatching(/^\/bomb, byte \d+: .*more than 2000 times as large/) as string,
    })
    expect(bytes).toBeGreaterThanOrEqual(limits.unpackedFreeBytes - (1 << 20))
    expect(bytes).toBeLessThan(bomb.length * limits.unpackedRatioMax + limits.unpackedFreeBytes)
  })

  test('a record that is too long is too long inside of them, too', async () => {
    await expect(read(gzipSync(Buffer.alloc(limits.recordBytesMax + 10, 97)), { format: 'lines' })).rejects.toThrow(/no end within/)
  })

  test('as one record they are their text, or their own bytes where bytes are asked for', async () => {
    expect(await read(gzipSync('\ufefftwo\nlines'), { format: 'whole' })).toEqual([{ path: '/in', text: 'two\nlines' }])
    expect(await read(stored.zstd, { format: 'whole', bytes: true })).toEqual([{ path: '/in', bytes: stored.zstd }])
    await expect(read(stored.gzip.subarray(0, -1), { format: 'whole' })).rejects.toThrow(/ends in the middle/)
  })

  test('the content decides, not the name', async () => {
    expect(await read(Buffer.from('plain\n'), { format: 'lines' }, { path: '/plain.gz' })).toEqual(['plain'])
    expect(await read(gzipSync('packed\n'), { format: 'lines' }, { path: '/packed.log' })).toEqual(['packed'])
  })

  test.each([
    ['bzip2', '425a6839314159265359aabb'], ['bzip2', '425a683917724538509000000000'], ['xz', 'fd377a585a000004'],
    ['ZIP', '504b030414000000'], ['7-Zip', '377abcaf271c0004'], ['LZ4', '04224d186040'], ['Parquet', '5041523115041500'],
    ['ORC', '4f52430a0b0a0300'], ['Avro', '4f626a0104'], ['Arrow', '4152524f573100000000'], ['SQLite', '53514c69746520666f726d6174203300'],
    ['compress', '1f9d90'],
    ['tar', Buffer.concat([Buffer.from('name'), Buffer.alloc(253), Buffer.from('ustar\u000000')]).toString('hex')],
    ['PDF', '255044462d312e37'], ['UTF-16 \\(little', 'fffe61000a00'], ['UTF-16 \\(big', 'feff0061000a'], ['UTF-32', 'fffe000061000000'],
    ['UTF-16 \\(little', Buffer.from('no mark, but wide\n', 'utf16le').toString('hex')],
  ])('%s is refused with advice under every format of text', async (name, hex) => {
    for (const format of ['lines', 'jsonl', 'csv', 'whole'] as const) {
      for (const badRecords of ['error', 'skip'] as const) {
        await expect(read(Buffer.from(hex, 'hex'), { format, badRecords }, { path: '/d/x' })).rejects.toMatchObject({
          code: 'EINVAL', details: { path: '/d/x' },
          message: expect.stringMatching(new RegExp(`^/d/x is .*${name}.*(unpack|convert|save|read it with)`)) as string,
        })
      }
    }
    expect(await read(Buffer.from(hex, 'hex'), { format: 'whole', bytes: true })).toEqual([{ path: '/in', bytes: Buffer.from(hex, 'hex') }])
  })

  test('archives in gzip, gzip in gzip, and names that promise what no magic number tells, are refused', async () => {
    const tar = Buffer.concat([Buffer.from('name'), Buffer.alloc(253), Buffer.from('ustar\u000000')])
    await expect(read(gzipSync(tar), { format: 'lines' })).rejects.toThrow(/^\/in, unpacked from gzip, is not text but tar/)
    await expect(read(gzipSync(gzipSync('x')), { format: 'lines' })).rejects.toThrow(/is gzip again/)
    await expect(read(deflateRawSync(text), { format: 'lines' }, { path: '/x.deflate' })).rejects.toThrow(/seems to be compressed/)
    expect(await read(Buffer.from('é\n'), { format: 'lines' }, { path: '/x.br' })).toEqual(['é'])
  })

  test('tar is known by its checksum, with and without a magic number; a text with its word at that place is text', async () => {
    const header = (magic: string) => {
      const block = Buffer.alloc(512)
      block.write('logs/access.log')
      for (const [at, digits] of [
        [100, '0000644'], [108, '0001750'], [116, '0001750'], [124, '00000000012'], [136, '14700000000'],
      ] as const)
        block.write(digits, at)
      block.write(magic, 257)
      block.fill(' ', 148, 156)
      block.write(`${block.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, '0')}\0 `, 148)
      return block
    }
    for (const magic of ['', 'ustar\u000000', 'ustar  \0']) {
      const tar = Buffer.concat([header(magic), Buffer.from('ten bytes\n'), Buffer.alloc(1014)])
      // Text declared as UTF-8 may contain zero bytes, and a tar is detected all the same.
      for (const encoding of [undefined, 'utf8'] as const)
        await expect(read(tar, { format: 'lines', ...(encoding && { encoding }) })).rejects.toThrow(/^\/in is not text but tar; unpack it/)
      await expect(read(gzipSync(tar), { format: 'csv' })).rejects.toThrow(/unpacked from gzip, is not text but tar/)
      expect(claimOf(tar, { path: 'x', isAll: true, format: 'lines' })).toEqual({ format: 'bytes' })
    }
    const text = `${'x'.repeat(257)}ustar is a word\n`
    expect(await read(Buffer.from(text), { format: 'lines' })).toEqual([text.trimEnd()])
  })

  test('zero bytes are no text, unless the reader says that it is text', async () => {
    const samples: [Buffer, RegExp][] = [
      [Buffer.from('name\0\u0001\u0002 of something\n'), /its byte 4 is zero/],
      [Buffer.concat([Buffer.from('a line\n'.repeat(5000)), Buffer.from([0])]), /its byte 35000 is zero/],
      // In Cyrillic text only spaces and line ends have zero bytes.
      [Buffer.from('мельница мелет зерно\n'.repeat(20), 'utf16le'), /UTF-16 .*encoding: "utf16le"/],
    ]
    for (const [bytes, message] of samples) {
      for (const stored of [bytes, gzipSync(bytes)]) {
        for (const format of ['lines', 'csv', 'jsonl', 'whole'] as const)
          await expect(read(stored, { format, badRecords: 'skip' }), format).rejects.toThrow(message)
      }
      expect(claimOf(bytes, { path: 'x', isAll: true, format: 'lines' })).toEqual({ format: 'bytes' })
      expect(await read(bytes, { format: 'whole', bytes: true })).toHaveLength(1)
    }
    for (const encoding of ['utf8', 'latin1'] as const)
      expect(await read(Buffer.from('a\0b\nc\n'), { format: 'lines', encoding })).toEqual(['a\0b', 'c'])
    expect(await read(samples[2]![0], { format: 'lines', encoding: 'utf16le' })).toHaveLength(20)
  })

  test('texts that begin like something else are texts', async () => {
    for (const line of ['BZh is no magic', 'PAR1 of 18 holes', 'ORCs and elves', 'PK', 'Obj', 'Rar', 'LZIP', '%PDF', ''])
      expect(await read(Buffer.from(`${line}\n`), { format: 'lines' })).toEqual([line])
  })
})

describe('encodings', () => {
  test('latin1 is one character a byte, in every format', async () => {
    const bytes = Buffer.from('caf\u00e9;\u00fc\r\n\u0080\u00ff;2\n', 'latin1')
    expect(await read(bytes, { format: 'lines', encoding: 'latin1' })).toEqual(['café;ü', '\u0080ÿ;2'])
    expect(await read(bytes, { format: 'csv', encoding: 'latin1' })).toEqual([{ café: '\u0080ÿ', ü: '2' }])
    expect(parseCsvHeader(bytes, { path: '/in', delimiter: ';', isAll: true, encoding: 'latin1' })).toEqual(['café', 'ü'])
    expect(await read(Buffer.from('"\u00e9"\n', 'latin1'), { format: 'jsonl', encoding: 'latin1' })).toEqual(['é'])
    expect(await read(bytes, { format: 'whole', encoding: 'latin1' })).toEqual([{ path: '/in', text: 'café;ü\r\n\u0080ÿ;2\n' }])
    expect(await read(gzipSync(bytes), { format: 'lines', encoding: 'latin1' })).toEqual(['café;ü', '\u0080ÿ;2'])
    const counters = newReadCounters()
    await readAll([rangeOf(bytes, {}, dice(1))], { format: 'lines', encoding: 'latin1', invalidUtf8: 'error' }, counters)
    expect(counters.invalidUtf8Records).toBe(0)
  })

  test('windows1252 is what the Encoding standard says, byte for byte, in every format', async () => {
    const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i).filter(i => i !== 10 && i !== 13 && i !== 0))
    const [line] = await read(all, { format: 'lines', encoding: 'windows1252' }) as [string]
    expect(line.slice(0, 125)).toBe(all.toString('latin1', 0, 125))
    expect(line.slice(125, 157)).toBe(
      '\u20ac\u0081\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u008d\u017d\u008f\u0090\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u009d\u017e\u0178',
    )
    expect(line.slice(157)).toBe(all.toString('latin1', 157))
    const bytes = Buffer.from('name;price\r\n"M\u00fcller;\n\u0093x\u0094";5 \u0080\r\n', 'latin1')
    for (const stored of [bytes, gzipSync(bytes)]) {
      expect(await read(stored, { format: 'csv', encoding: 'windows1252' }, { pieceMax: 5 })).toEqual([
        { name: 'Müller;\n“x”', price: '5 €' },
      ])
      expect(await read(stored, { format: 'whole', encoding: 'windows1252' })).toMatchObject([
        { text: expect.stringContaining('5 €') as string },
      ])
    }
  })

  test.each(['utf16le', 'utf16be'] as const)(
    '%s with half a pair or half a character in it is counted or refused like bad UTF-8',
    async encoding => {
      const bytes = Buffer.concat([utf16[encoding]('fine 😀\nbad \ud83d\nbad \ude00 too\n\ud83d\ud83d\ude00\nlast'), Buffer.from([0x61])])
      for (const pieceMax of [1, 2, 3, 1000]) {
        const counters = newReadCounters()
        expect(values(await readAll([rangeOf(bytes, {}, dice(3), pieceMax)], { format: 'lines', encoding }, counters))).toEqual([
          'fine 😀', 'bad \ufffd', 'bad \ufffd too', '\ufffd😀', 'last\ufffd',
        ])
        expect(counters.invalidUtf8Records).toBe(4)
        await expect(read(bytes, { format: 'lines', encoding, invalidUtf8: 'error' })).rejects.toMatchObject({
          code: 'EINVAL', details: { offset: 10 },
        })
      }
    },
  )

  test('a mark that says otherwise than the program is an error that names both', async () => {
    await expect(read(Buffer.from('\ufeffa\n'), { format: 'lines', encoding: 'latin1' })).rejects.toThrow(
      /is UTF-8, by its first bytes, and would be read as latin1; read it with encoding: "utf8"/,
    )
    await expect(read(Buffer.from('\ufeffa\n'), { format: 'lines', encoding: 'utf16le' })).rejects.toThrow(/UTF-8/)
    await expect(read(utf16.utf16be('\ufeffa\n'), { format: 'lines', encoding: 'utf16le' })).rejects.toThrow(/big endian/)
    expect(await read(utf16.utf16be('\ufeffa\n'), { format: 'lines', encoding: 'utf16be' })).toEqual(['a'])
  })
})

describe('dialects of CSV', () => {
  const rows = [
    { id: '1', text: 'two\nlines, "quoted"; and\tmore', n: '3' },
    { id: '2', text: '', n: '' }, { id: '3', text: 'x|y', n: '5' },
  ]
  const quoted = (text: string) => (/^[a-z0-9]*$/.test(text) ? text : `"${text.replaceAll('"', '""')}"`)
  const written = (delimiter: string, end = '\n') =>
    ['id,text,n'.split(','), ...rows.map(({ id, text, n }) => [id, text, n])].map(row => row.map(quoted).join(delimiter) + end).join('')

  test.each([
    [',', '\n'], [';', '\r\n'], ['\t', '\n'], ['|', '\n'], [';', '\r'], [',', '\r'],
  ])('%j between fields and %j at the end of rows are found by themselves', async (delimiter, end) => {
    for (const mark of ['', '\ufeff']) {
      const text = mark + written(delimiter, end)
      expect(await read(Buffer.from(text), { format: 'csv' })).toEqual(rows)
      expect(await read(Buffer.from(text), { format: 'csv' }, { pieceMax: 3 })).toEqual(rows)
      expect(await read(gzipSync(text), { format: 'csv' })).toEqual(rows)
      expect(await read(utf16.utf16le(text), { format: 'csv', encoding: 'utf16le' })).toEqual(rows)
      expect(await read(Buffer.from(text), { format: 'csv', delimiter })).toEqual(rows)
    }
  })

  test('the line that names the separator is no row, and must not be contradicted', async () => {
    for (const line of ['sep=;\r\n', '\ufeffsep=;\n', '"sep=;"\n', 'SEP=;\n']) {
      const bytes = Buffer.from(line + written(';'))
      const found = await readAll([rangeOf(bytes, {}, dice(1))], { format: 'csv' })
      expect(values(found)).toEqual(rows)
      expect(bytes.toString('utf8', found[0]!.offset, found[0]!.offset + 3)).toBe('1;"')
      expect(await read(bytes, { format: 'csv', delimiter: ';' })).toEqual(rows)
      expect(await read(bytes, { format: 'csv', header: false })).toHaveLength(4)
      await expect(read(bytes, { format: 'csv', delimiter: ',' })).rejects.toThrow(/names the delimiter ";" in its first line/)
      expect(parseCsvHeader(bytes, { path: '/in', delimiter: ';', isAll: true })).toEqual(['id', 'text', 'n'])
    }
    // Cells that only resemble that line: it has no quotes around a part of it, and it is the first line.
    expect(await read(Buffer.from('"sep=",""\n1,2\n'), { format: 'csv', header: false })).toEqual([['sep=', ''], ['1', '2']])
    expect(await read(Buffer.from('\nsep=,\n1,2\n'), { format: 'csv', header: false })).toEqual([['sep=', ''], ['1', '2']])
    expect(parseCsvHeader(Buffer.from('"sep=",b\n'), { path: '/in', isAll: true })).toEqual(['sep=', 'b'])
    // A separator that cannot be detected.
    expect(await read(Buffer.from(`sep=~\n${written('~')}`), { format: 'csv' })).toEqual(rows)
    // Further down it is an ordinary row.
    expect(await read(Buffer.from('a,b\nsep=,\n'), { format: 'csv' })).toEqual([{ a: 'sep=', b: '' }])
  })

  test('a bad row does not change the dialect of its file, and is reported or counted', async () => {
    const text = `a;b\n${'1;2\n'.repeat(9)}bad, row\n`
    await expect(read(Buffer.from(text), { format: 'csv' })).rejects.toThrow(
      /split by ";", the row has 1 field, the header names 2 .*delimiter/,
    )
    const counters = newReadCounters()
    expect(await readAll([rangeOf(Buffer.from(text), {}, dice(1))], { format: 'csv', badRecords: 'skip' }, counters)).toHaveLength(9)
    expect(counters.badRecords).toBe(1)
  })

  test('a file of one column contains no separator, and may contain what could be one', async () => {
    expect(await read(Buffer.from('word\nother word\n'), { format: 'csv' })).toEqual([{ word: 'other word' }])
    expect(await read(Buffer.from('word\n"one, two; three"\nplain\n'), { format: 'csv' })).toEqual([
      { word: 'one, two; three' }, { word: 'plain' },
    ])
    expect(await read(Buffer.from('word\nfour; five\nsix\nseven\n'), { format: 'csv' })).toEqual([
      { word: 'four; five' }, { word: 'six' }, { word: 'seven' },
    ])
    await expect(read(Buffer.from('price\n1,5\n2\n'), { format: 'csv' })).rejects.toThrow(/the row has 2 fields, the header names 1/)
    expect(await read(Buffer.from(''), { format: 'csv' })).toEqual([])
    for (const end of ['\n', '\r\n', '\r'])
      expect(await read(Buffer.from(`word${end}"two\nlines"${end}x${end}`), { format: 'csv' })).toEqual([
        { word: 'two\nlines' }, { word: 'x' },
      ])
  })

  test('commas in numbers and texts do not outweigh a header and rows that another separator explains', async () => {
    expect(await read(Buffer.from('a;b\n1,5;2,5\n3,5;4,5\n'), { format: 'csv' })).toEqual([{ a: '1,5', b: '2,5' }, { a: '3,5', b: '4,5' }])
    expect(await read(Buffer.from('name;price, EUR\nrye;1,50\noat;2\n'), { format: 'csv' })).toEqual([
      { name: 'rye', 'price, EUR': '1,50' }, { name: 'oat', 'price, EUR': '2' },
    ])
    expect(await read(Buffer.from('id,place\n1,52.1;13.4\n2,50.9;6.9\n'), { format: 'csv' })).toEqual([
      { id: '1', place: '52.1;13.4' }, { id: '2', place: '50.9;6.9' },
    ])
    expect(await read(Buffer.from('1;2;3'), { format: 'csv', header: false })).toEqual([['1', '2', '3']])
    // Quotes fit only one of them.
    expect(await read(Buffer.from('1;"Rye, Ltd"\n2;"Oat, Ltd"\n'), { format: 'csv', header: false })).toEqual([
      ['1', 'Rye, Ltd'], ['2', 'Oat, Ltd'],
    ])
    // A row that is wider than the detection window.
    const wide = Array.from({ length: 9000 }, (_, i) => `column${i}`)
    expect(
      await read(Buffer.from(`${wide.join(';')}\n${wide.map(() => '1,5').join(';')}\n`), { format: 'csv' }, { pieceMax: 1e6 }),
    ).toEqual([Object.fromEntries(wide.map(name => [name, '1,5']))])
  })

  test('rows that do not fit are bad rows of the separator in the header, however many they are: never rows of another one', async () => {
    const text = `a;b\n${'1;2\n'.repeat(6)}${'only one\n'.repeat(4)}`
    await expect(read(Buffer.from(text), { format: 'csv' })).rejects.toThrow(/the row has 1 field, the header names 2/)
    const counters = newReadCounters()
    expect(values(await readAll([rangeOf(Buffer.from(text), {}, dice(1))], { format: 'csv', badRecords: 'skip' }, counters))).toEqual(
      Array.from({ length: 6 }, () => ({ a: '1', b: '2' })),
    )
    expect(counters.badRecords).toBe(4)
    // Arrays of any length are valid rows.
    expect(await read(Buffer.from('a;b\nc\nd;e;f\n'), { format: 'csv', header: false })).toEqual([['a', 'b'], ['c'], ['d', 'e', 'f']])
  })

  test.each<[string, string, Partial<InputOptions>, string[]]>([
    ['decimal commas without a header', '1,5;2,5\n3,5;4,5\n', { header: false }, [',', ';']],
    ['a comma and a semicolon in the header and in each row', 'name;price, EUR\nrye;1,50\noat;2,00\n', {}, [',', ';']],
    ['tabs behind commas', 'a,\tb\n1,\t2\n', {}, [',', '\\t']],
    ['a title above the header', 'Report of May\n\na;b\n1;2\n3;4\n', {}, [',', ';']],
    ['a title without a header', 'Report of May\n1|2\n3|4\n', { header: false }, [',', '|']],
    ['a title with a comma', 'Report of May, 2024\na;b;c\n1;2;3\n', {}, [',', ';']],
    [
      'a log whose times have a comma, and messages with bars',
      '2026-11-26 04:20:11,123|INFO|started\n2026-11-26 04:20:12,004|WARN|retry|attempt 2\n2026-11-26 04:20:12,900|INFO|done|42|ms\n',
      { header: false }, [',', '|'],
    ],
    [
      'prices with decimal commas in rows of any length',
      'milk;bread;1,50\nrye;2,20\noats;salt;butter;9,99\n',
      { header: false }, [',', ';'],
    ],
    ['rows of which one is not cut by the other separator', '7,5\n3;1,5\n4;x;2,5\n', { header: false }, [',', ';']],
    ['rows of one width, of which all but one hold another separator', `${'a|b,1\n'.repeat(9)}c|d\n`, { header: false }, ['|', ',']],
    ['ragged rows with two separators in them', 'a;b\nc, d\ne\nf, g, h\n', { header: false }, [';', ',']],
  ])("%s: refused with the evidence for each, and read as the options or the file's metadata say", async (_, text, options, both) => {
    for (const badRecords of ['error', 'skip'] as const) {
      const failure = await read(Buffer.from(text), { format: 'csv', badRecords, ...options }, { path: '/d/x.csv' }).catch(
        (error: unknown) => error,
      )
      expect(failure).toMatchObject({ code: 'EINVAL', details: { path: '/d/x.csv' } })
      expect((failure as Error).message).toMatch(
        /^\/d\/x.csv has no clear delimiter in its first rows: .*delimiter: ".*--delimiter/,
      )
      for (const one of both) expect((failure as Error).message).toContain(`"${one}" splits`)
      // The message names every delimiter that fits; the reader decides.
      const advice = /Set it: delimiter: (.*?) in the program/.exec((failure as Error).message)![1]!.split(' or ')
      for (const one of both) if (text.includes(one === '\\t' ? '\t' : one)) expect(advice).toContain(`"${one}"`)
    }
    const delimiter = both[1] === '\\t' ? '\t' : both[1]!
    const expected = text
      .split('\n')
      .filter(line => line !== '')
      .map(line => line.split(delimiter))
    expect(await read(Buffer.from(text), { format: 'csv', header: false, delimiter })).toEqual(expected)
    expect(values(await readAll([rangeOf(Buffer.from(text), { delimiter }, dice(1))], { format: 'csv', header: false }))).toEqual(expected)
    expect(await read(Buffer.from(`sep=${delimiter}\n${text}`), { format: 'csv', header: false })).toEqual(expected)
    expect(claimOf(Buffer.from(text), { path: 'x.csv', isAll: true, format: 'csv', delimiter })).toEqual({ format: 'csv', delimiter })
  })

  test('the advice on the delimiter begins with the most likely one', async () => {
    for (const [text, first] of [
      ['Report of May\n\na;b\n1;2\n3;4\n', ';'], ['Report of May, 2024\na;b;c\n1;2;3\n', ';'], [`${'a|b,1\n'.repeat(9)}c|d\n`, '|'],
    ] as const) {
      await expect(read(Buffer.from(text), { format: 'csv', header: false }), text).rejects.toThrow(`Set it: delimiter: "${first}"`)
    }
  })

  test('a file with only a header has no rows, whatever the delimiter', async () => {
    expect(await read(Buffer.from('name;price, EUR\n'), { format: 'csv' })).toEqual([])
    await expect(read(Buffer.from('name;price, EUR\n'), { format: 'csv', header: false })).rejects.toThrow(/first rows/)
  })

  test('the reader\'s options take precedence over the metadata, and these over the rows', async () => {
    const bytes = Buffer.from('a;b,c|d\n')
    const fields = async (input: Partial<InputOptions>, delimiter?: string) =>
      values(await readAll([rangeOf(bytes, { delimiter }, dice(1))], { format: 'csv', header: false, ...input }))
    expect(await fields({ delimiter: '|' }, ',')).toEqual([['a;b,c', 'd']])
    expect(await fields({}, ',')).toEqual([['a;b', 'c|d']])
    expect(knownDelimiter({ asked: '|', claimed: ',' })).toBe('|')
  })

  test('ends of rows of both kinds in one file are refused, unless one kind is within fields', async () => {
    expect(await read(Buffer.from('a,b\n1,x\ry\n'), { format: 'csv' })).toEqual([{ a: '1', b: 'x\ry' }])
    expect(await read(Buffer.from('a,b\r1,"x\r\ny"\r'), { format: 'csv' })).toEqual([{ a: '1', b: 'x\r\ny' }])
    expect(await read(Buffer.from('"a\r\nb"\t"c\nd"\r'), { format: 'csv', header: false })).toEqual([['a\r\nb', 'c\nd']])
    expect(await read(Buffer.from('a\nb;c\r1;2\r3;x\ny\r'), { format: 'csv' })).toEqual([
      { 'a\nb': '1', c: '2' }, { 'a\nb': '3', c: 'x\ny' },
    ])
    for (const text of ['name\rone\rtwo\nthree\n', 'a,b\r1,2\n3,4\n'])
      await expect(read(Buffer.from(text), { format: 'csv' })).rejects.toThrow(
        /newlines and others that end with carriage returns alone; .*before it is put/,
      )
  })

  test('no delimiter is stored for rows that could be split in two ways, nor for rows that hardly fit', () => {
    const claim = (text: string) => claimOf(Buffer.from(text), { path: 'x.csv', isAll: true, format: 'csv' })
    expect(claim('1,5;2,5\n3,5;4,5\n')).toEqual({ format: 'bytes', doubt: expect.stringContaining('--delimiter') as string })
    expect(claim('a;b\n1;2\n')).toEqual({ format: 'csv', delimiter: ';' })
    expect(claim('a;b\n1;2\nx\ny\n')).toEqual({ format: 'csv' })
    expect(claim('word\nx\n')).toEqual({ format: 'csv' })
    // With a header these would have two columns each: only without one they are ambiguous, and put does not know.
    expect(claim('20:11,123|INFO|started\n20:12,004|WARN|retry|attempt 2\n')).toEqual({
      format: 'bytes',
      doubt: expect.stringContaining('"|" splits') as string,
    })
    expect(claim('7,5\n3;1,5\n4;x;2,5\n')).toMatchObject({ format: 'bytes' })
    // A header shows the separator: another one does not split it.
    expect(claim('name;price\nrye;1,50\noats;2,20\n')).toEqual({ format: 'csv', delimiter: ';' })
    expect(claim('id,place\n1,52.1;13.4\n2,50.9;6.9;x\n')).toEqual({ format: 'csv', delimiter: ',' })
    expect(claim('name\rone\rtwo\nthree\n')).toMatchObject({ format: 'bytes' })
  })

  test('the rows at the beginning decide, however large the file is, and the same ones in every kind of reading', async () => {
    const text = `a;b\n${`1;${'2'.repeat(97)}\n`.repeat(1000)}x,y\n`
    await expect(read(Buffer.from(text), { format: 'csv' }, { pieceMax: 100_000 })).rejects.toMatchObject({ details: { offset: 100_004 } })
  })
})

vi.setConfig({ testTimeout: 60_000 })
