// Copies of texts that are kept for long. A text that was cut out of another one keeps all of that in memory.

import { KiB } from './units.ts'

/** V8 copies shorter substrings; longer ones keep their whole source in memory. */
export const slicedFrom = 13

const scratch = Buffer.allocUnsafeSlow(4 * KiB)

/** The same text, with memory of its own. */
export function ownText(text: string): string {
  if (text.length < slicedFrom) return text
  if (text.length * 3 <= scratch.length) {
    const bytes = scratch.write(text, 0, 'utf8')
    if (bytes === text.length) return scratch.toString('latin1', 0, bytes)
  } else if (Buffer.byteLength(text) === text.length) {
    return Buffer.from(text, 'latin1').toString('latin1')
  }
  return Buffer.from(text, 'utf16le').toString('utf16le')
}
