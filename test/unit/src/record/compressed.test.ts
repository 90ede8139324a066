// Compressed inputs, on files in memory: damage anywhere is an error with file and place, never fewer records; content decides, not the
// name.

import { deflateRawSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { limits } from '../../../../src/base/limits.ts'
import { decompressed } from '../../../../src/record/decompress.ts'
import { claimOf } from '../../../../src/record/source.ts'
import { dice } from '../../../kit/dice.ts'
import { rangeOf } from './ranges.ts'
import { read } from './samples.ts'

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
    // One text of many has digits at the checksum's place which are the sum of its bytes.
    const digits = Buffer.from(`${'w71120 '.repeat(146)}\n`)
    const sum = (from: number, to: number) => digits.subarray(from, to).reduce((all, byte) => all + byte, 0)
    expect(parseInt(digits.toString('latin1', 148, 156), 8)).toBe(sum(0, 148) + 8 * 32 + sum(156, 512))
    expect(await read(digits, { format: 'lines' })).toEqual([digits.toString().slice(0, -1)])
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
