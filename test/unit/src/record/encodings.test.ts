// Text encodings of inputs, on files in memory: each byte has the character of its standard, in every format, and marks that contradict the
// program are errors.

import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { newReadCounters } from '../../../../src/record/records.ts'
import { parseCsvHeader } from '../../../../src/record/rows.ts'
import { dice } from '../../../kit/dice.ts'
import { rangeOf, readAll } from './ranges.ts'
import { read, utf16, values } from './samples.ts'

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
