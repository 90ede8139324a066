// File type detection by first bytes: text, compressed text, or data that must not be read as text. Content takes precedence over names: a
// plain file called `x.gz` is plain, and a compressed one called `x.log` is compressed.
// The magic numbers come from the specifications of the formats, as in file(1).

import { isUtf8 } from 'node:buffer'
import { GristmillError } from '../base/errors.ts'
import type { TextEncoding } from '../base/formats.ts'
import { KiB } from '../base/units.ts'

/** Compressions that are decompressed while reading. Such files cannot be read from the middle. */
export type Compression = 'gzip' | 'zstd'

/** Enough for every magic number and for some rows of CSV. */
export const headBytes = 64 * KiB

interface Kind { readonly name: string; readonly magic: Buffer; readonly at?: number; readonly binary?: boolean; readonly advice: string }

const unpack = 'unpack it before it is put, or put it with gzip or zstd instead, which jobs read'
const unpackTar = 'unpack it before it is put, and name the directory as the input'
const convert = 'convert it to CSV or JSON lines'
const kind = (name: string, hex: string, advice: string, rest: { at?: number; binary?: boolean } = {}): Kind => ({
  name, magic: Buffer.from(hex, 'hex'), advice, ...rest,
})

const compressed: ReadonlyArray<readonly [Compression, Buffer]> = [
  ['gzip', Buffer.from('1f8b', 'hex')], ['zstd', Buffer.from('28b52ffd', 'hex')],
]
/** A zstd file may begin with a skippable frame: 50 to 5f, then 2a4d18. */
const skippable = Buffer.from('2a4d18', 'hex')

/** `binary`: the magic consists of letters that a text may also begin with; it counts only with a zero byte in the first 512 bytes. */
const refused: readonly Kind[] = [
  // After "BZh" and a digit: the magic of the first block, or of the end of an empty file.
  kind('bzip2', '314159265359', unpack, { at: 4 }), kind('bzip2', '177245385090', unpack, { at: 4 }), kind('xz', 'fd377a585a00', unpack),
  kind('lzip', '4c5a495001', unpack), kind('7-Zip', '377abcaf271c', unpack), kind('LZ4', '04224d18', unpack),
  kind('LZ4', '02214c18', unpack), kind('compress (.Z)', '1f9d', unpack), kind('lzop', '894c5a4f000d0a1a0a', unpack),
  kind('framed Snappy', 'ff060000734e61507059', unpack),
  kind('RAR', '526172211a07', unpack),
  kind('ZIP (or an Office document)', '504b0304', 'unpack it, or save the sheet as CSV, before it is put'),
  kind('ZIP', '504b0506', unpack), kind('ZIP', '504b0708', unpack),
  kind('tar', '7573746172', unpackTar, { at: 257, binary: true }),
  kind('Parquet', '50415231', convert, { binary: true }),
  kind('Parquet', '50415245', convert, { binary: true }),
  kind('ORC', '4f5243', convert, { binary: true }), kind('Avro', '4f626a01', 'read it with mill.avro(path), or with the format "avro"'), kind('Arrow', '4152524f57310000', convert),
  kind('a Hadoop sequence file', '53455106', convert),
  kind('SQLite', '53514c69746520666f726d6174203300', convert),
  kind('an Office document (OLE)', 'd0cf11e0a1b11ae1', 'save the sheet as CSV before it is put'),
  kind('PDF', '255044462d312e', 'read it with the format "whole" and bytes: true'),
  kind('PNG', '89504e470d0a1a0a', 'read it with the format "whole" and bytes: true'),
  kind('JPEG', 'ffd8ff', 'read it with the format "whole" and bytes: true'),
  kind('an ELF program', '7f454c46', 'read it with the format "whole" and bytes: true'),
]

/** True for names of files of the kinds above, compressed or refused: a reader of text probably refuses them. */
export const isDoubtful = (path: string): boolean =>
  /\.(bz2|xz|lzma|lz|lz4|zip|7z|rar|tar|t[gbx]z|z|br|snappy|lzo|deflate|parquet|orc|avro|arrow|feather|xlsx?|ods|pdf)$/i.test(path)

/** Names of files with compressions that have no magic number. */
const namesOfUnmarked = /\.(br|deflate|zz|snappy|lzo)$/i

const marks: ReadonlyArray<readonly [string, Buffer]> = [
  ['utf32le', Buffer.from('fffe0000', 'hex')], ['utf32be', Buffer.from('0000feff', 'hex')],
  ['utf8', Buffer.from('efbbbf', 'hex')], ['utf16le', Buffer.from('fffe', 'hex')], ['utf16be', Buffer.from('feff', 'hex')],
]

interface SniffOptions {
  readonly path: string
  /** Encoding that the reader was given; default: UTF-8 without zero bytes. */
  readonly encoding?: TextEncoding | undefined
  /** Compression from which the head was decompressed. */
  readonly inside?: Compression | undefined
}

/** Compression of the file; undefined for plain text. Throws EINVAL, with advice, for data that would be misread. */
export function sniff(head: Buffer, { path, encoding: given, inside }: SniffOptions): Compression | undefined {
  const encoding = given ?? 'utf8'
  const refuse = (problem: string): GristmillError =>
    new GristmillError('EINVAL', `${path}${inside ? `, unpacked from ${inside},` : ''} ${problem}`, { details: { path } })
  for (const [codec, magic] of compressed) {
    if (!begins(head, magic)) continue
    if (inside) throw refuse(`is ${codec} again; unpack it once before it is put`)
    return codec
  }
  if (!inside && head.length >= 4 && head[0]! >> 4 === 5 && head.subarray(1, 4).equals(skippable)) return 'zstd'
  for (const { name, magic, at = 0, binary, advice } of refused) {
    if (begins(head, magic, at) && (!binary || head.subarray(0, 512).includes(0))) throw refuse(`is not text but ${name}; ${advice}`)
  }
  if (isTar(head)) throw refuse(`is not text but tar; ${unpackTar}`)
  const mark = marks.find(([, bytes]) => begins(head, bytes))?.[0] ?? guessWide(head)
  if (mark !== undefined && mark !== encoding) throw refuse(otherEncoding(mark, encoding))
  if (encoding === 'utf8' && namesOfUnmarked.test(path) && !isText(head))
    throw refuse(`seems to be compressed, as its name says, and not text; ${unpack}`)
  const zero = given === undefined ? head.indexOf(0) : -1
  if (zero >= 0)
    throw refuse(
      `is not text: its byte ${zero} is zero, as in UTF-16 (read it with encoding: "utf16le") and in files of other programs (read it with the format "whole" and bytes: true); if it is text with zero bytes in it, read it with encoding: "utf8"`,
    )
  return undefined
}

const begins = (head: Buffer, magic: Buffer, at = 0): boolean =>
  head.length >= at + magic.length && head.compare(magic, 0, magic.length, at, at + magic.length) === 0

/**
 * True for a tar header. Old ones have no magic number, but all have a checksum: the sum of all bytes, with its own counted as spaces.
 * One in some 100,000 texts with digits at that place has the sum, too; but a header is filled up with zero bytes.
 */
function isTar(head: Buffer): boolean {
  if (head.length < 512 || head[0] === 0 || !head.subarray(0, 512).includes(0)) return false
  const stored = /^ *([0-7]{1,7})[\0 ]/.exec(head.toString('latin1', 148, 156))?.[1]
  if (stored === undefined) return false
  let sum = 8 * 32
  for (let at = 0; at < 512; at++) if (at < 148 || at >= 156) sum += head[at]!
  return sum === parseInt(stored, 8)
}

function otherEncoding(found: string, encoding: TextEncoding): string {
  if (found.startsWith('utf32')) return 'is UTF-32; convert it to UTF-8 before it is put'
  const name = { utf8: 'UTF-8', utf16le: 'UTF-16 (little endian)', utf16be: 'UTF-16 (big endian)' }[found]
  return `is ${name}, by its first bytes, and would be read as ${encoding}; read it with encoding: "${found}"`
}

/** Detects UTF-16 without a byte order mark: in mostly ASCII text every other byte is zero. */
function guessWide(head: Buffer): string | undefined {
  const length = Math.min(head.length, 4 * KiB) & ~1
  const zeros = [0, 0]
  for (let i = 0; i < length; i++) if (head[i] === 0) zeros[i & 1]!++
  if (length < 16) return undefined
  const many = length / 4
  return zeros[0] === 0 && zeros[1]! >= many ? 'utf16le' : zeros[1] === 0 && zeros[0]! >= many ? 'utf16be' : undefined
}

/** True for UTF-8; the head may end within a character. */
const isText = (head: Buffer): boolean => [0, 1, 2, 3].some(cut => isUtf8(head.subarray(0, Math.max(0, head.length - cut))))
