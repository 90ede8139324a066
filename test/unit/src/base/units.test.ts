// Sizes and durations as text, both directions: accepted spellings, refused ones, and rounding in output.

import { expect, test } from 'vitest'
import { formatBytes, formatDuration, GiB, KiB, MiB, parseBytes, parseDuration } from '../../../../src/base/units.ts'

test.each<[string, number]>([
  ['0', 0], ['4096', 4096], ['7b', 7], ['64k', 65_536], ['64K', 65_536], ['1KiB', 1024], ['1kb', 1000], ['128MiB', 134_217_728],
  ['2m', 2_097_152], ['3MB', 3_000_000], ['1g', 2 ** 30], ['1GiB', 2 ** 30], ['1.5GB', 1_500_000_000], ['2t', 2 ** 41], ['1TiB', 2 ** 40],
  ['1tb', 1e12], [' 12 MiB ', 12 * MiB], ['0.5k', 512], ['1.0001k', 1024], ['0.3b', 0],
])('the size %j is %d bytes', (text, bytes) => {
  expect(parseBytes(text)).toBe(bytes)
})

test.each<[string, number]>([
  ['250', 250], ['250ms', 250], ['30s', 30_000], ['5m', 300_000], ['5min', 300_000], ['2h', 7_200_000], ['1d', 86_400_000], ['1.5S', 1500],
  ['0.0004s', 0],
])('the duration %j is %d ms', (text, ms) => {
  expect(parseDuration(text)).toBe(ms)
})

test.each(['', 'k', '-1', '+1', '1e3', '1.', '.5', '1,5', '1 k b', '5x', '5kk', '0x10', 'NaN', '1constructor', '1toString', '5 min'])(
  '%j is no size; some of them are no duration either',
  text => {
    expect(() => parseBytes(text)).toThrow(
      expect.objectContaining({ code: 'EINVAL', message: `"${text}" is not a size; write for instance 128MiB` }),
    )
    if (text !== '5 min')
      expect(() => parseDuration(text)).toThrow(
        expect.objectContaining({ code: 'EINVAL', message: `"${text}" is not a duration; write for instance 30s` }),
      )
  },
)

test.each<[number, string]>([
  [0, '0 B'], [1023, '1023 B'], [1024, '1.0 KiB'], [1536, '1.5 KiB'], [99 * KiB, '99.0 KiB'], [99.4 * KiB, '99.4 KiB'],
  [99.5 * KiB, '100 KiB'], [1023 * KiB, '1023 KiB'], [1023.4 * KiB, '1023 KiB'], [1023.5 * KiB, '1.0 MiB'], [MiB, '1.0 MiB'],
  [1.25 * GiB, '1.3 GiB'], [1024 * GiB, '1.0 TiB'], [2 ** 50, '1.0 PiB'], [2 ** 60, '1024 PiB'], [2 ** 61, '2048 PiB'],
])('%d bytes are shown as %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text)
})

test.each<[number, string]>([
  [0, '0 ms'], [0.4, '0 ms'], [999, '999 ms'], [1000, '1.0 s'], [2449, '2.4 s'], [59_949, '59.9 s'], [59_950, '1m 00s'], [60_000, '1m 00s'],
  [61_499, '1m 01s'], [192_000, '3m 12s'], [3_599_499, '59m 59s'], [3_599_500, '1h 00m'], [3_600_000, '1h 00m'], [7_500_000, '2h 05m'],
  [86_400_000, '24h 00m'], [360_000_000, '100h 00m'],
])('%d ms are shown as %s', (ms, text) => {
  expect(formatDuration(ms)).toBe(text)
})
