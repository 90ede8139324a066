// Records of TeraSort: 100 bytes with the newline, of which the first 10 are a random key. The generator and the validator share this file.
import { crc32 } from 'node:zlib'

/** A mix of 32 bits (MurmurHash3's finalizer). */
function mix(seed: number): number {
  let h = seed | 0
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

const filler = 'ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWX'

/** Record `i`, without its newline: key, number, filler. */
export function record(i: number): string {
  let key = ''
  for (let part = 0; part < 2; part++) {
    let bits = mix(i + Math.imul(part + 1, 0x9e3779b9))
    for (let n = 0; n < 5; n++, bits = Math.floor(bits / 64)) key += String.fromCharCode(48 + bits % 64)
  }
  return `${key} ${i.toString(16).padStart(11, '0')} ${filler}`
}

export const checksumOf = (line: string | Uint8Array): number => crc32(line)

/** Sum of checksums: the same for the same records in any order. */
export const added = (a: number, b: number): number => (a + b) % 2 ** 48
