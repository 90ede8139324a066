// Streaming conversion of UTF-16 and Windows-1252 to UTF-8, so that later stages handle only UTF-8. A lone surrogate, and an odd last
// byte, become the byte FF, which is invalid in UTF-8, so that the record reader counts or refuses them like other invalid text.

import type { TextEncoding } from '../base/formats.ts'
import { asBuffer } from './boundary.ts'

const invalid = Buffer.from([0xff])

/** Encodings that are converted to UTF-8 before any other processing. */
type Foreign = 'utf16le' | 'utf16be' | 'windows1252'
export const isForeign = (encoding: TextEncoding | undefined): encoding is Foreign =>
  encoding === 'utf16le' || encoding === 'utf16be' || encoding === 'windows1252'

/** Converts `source`, including a byte order mark. The caller owns each piece. */
export function utf8From(source: AsyncIterable<Uint8Array>, encoding: Foreign): AsyncGenerator<Buffer> {
  return encoding === 'windows1252' ? utf8FromWindows(source) : utf8FromUtf16(source, encoding)
}

/**
 * Characters of the bytes 80 to 9f. Five bytes are undefined and become the control characters of ISO 8859-1, as in the WHATWG Encoding
 * standard.
 */
const windowsCharacters = '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ'

async function* utf8FromWindows(source: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  for await (const piece of source) {
    yield Buffer.from(
      asBuffer(piece)
        .toString('latin1')
        .replaceAll(/[\x80-\x9f]/g, character => windowsCharacters[character.charCodeAt(0) - 0x80]!),
    )
  }
}

async function* utf8FromUtf16(source: AsyncIterable<Uint8Array>, encoding: 'utf16le' | 'utf16be'): AsyncGenerator<Buffer> {
  /** Rest of the previous bytes: an odd byte, or the first half of a surrogate pair. */
  let rest: Buffer = Buffer.alloc(0)
  for await (const piece of source) {
    let bytes = Buffer.concat([rest, asBuffer(piece)])
    if (bytes.length < 2) { rest = bytes; continue }
    const even = bytes.length & ~1
    const keep = isHigh(unitAt(bytes, even - 2, encoding)) ? even - 2 : even
    rest = bytes.subarray(keep)
    bytes = bytes.subarray(0, keep)
    if (bytes.length === 0) continue
    yield encoded(bytes, encoding)
  }
  if (rest.length >= 2) yield encoded(rest.subarray(0, 2), encoding)
  if (rest.length % 2 === 1) yield invalid
}

const unitAt = (bytes: Buffer, at: number, encoding: 'utf16le' | 'utf16be'): number =>
  encoding === 'utf16le' ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at)
const isHigh = (unit: number): boolean => unit >= 0xd800 && unit < 0xdc00

function encoded(bytes: Buffer, encoding: 'utf16le' | 'utf16be'): Buffer {
  const text = (encoding === 'utf16le' ? bytes : Buffer.from(bytes).swap16()).toString('utf16le')
  if (text.isWellFormed()) return Buffer.from(text)
  // Split at lone surrogates.
  const parts = text.split(/(?<![\ud800-\udbff])[\udc00-\udfff]|[\ud800-\udbff](?![\udc00-\udfff])/)
  return Buffer.concat(parts.flatMap((part, index) => (index === 0 ? [Buffer.from(part)] : [invalid, Buffer.from(part)])))
}
