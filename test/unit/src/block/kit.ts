// Bytes for tests: pseudo-random ones from a seed, and the hex examples of the format documents.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export function noise(length: number, seed = 1): Buffer {
  const bytes = Buffer.allocUnsafe(length)
  let state = seed >>> 0 || 1
  for (let i = 0; i < length; i++) {
    state ^= state << 13; state >>>= 0
    state ^= state >>> 17
    state ^= state << 5; state >>>= 0
    bytes[i] = state & 0xff
  }
  return bytes
}

/** Bytes of the example at the end of a page in docs/format. */
export function exampleOf(page: string): Buffer {
  const text = readFileSync(join(import.meta.dirname, '../../../../docs/format', page), 'utf8')
  const lines = text.slice(text.indexOf('## Example')).split('\n').filter(line => /^ {4}[0-9a-f]{2}( |$)/.test(line))
  return Buffer.from(lines.join('').replaceAll(' ', ''), 'hex')
}
