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

/**
 * The value, in which each text has memory of its own. Arrays and objects are changed in place. REQUIRES: a tree of plain data that is the
 * caller's.
 */
export function ownTexts(value: unknown): unknown {
  if (typeof value === 'string') return ownText(value)
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array || value instanceof Date) return value
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) if (mayHaveTexts(value[i])) value[i] = ownTexts(value[i])
    return value
  }
  if (value instanceof Map) return new Map(Array.from(value, ([key, item]) => [ownTexts(key), ownTexts(item)]))
  if (value instanceof Set) return new Set(Array.from(value, ownTexts))
  const fields = value as Record<string, unknown>
  for (const name of Object.keys(fields)) {
    if (!mayHaveTexts(fields[name])) continue
    const own = ownTexts(fields[name])
    // An assignment to __proto__ would set the prototype.
    if (name === '__proto__') Object.defineProperty(fields, name, { value: own })
    else fields[name] = own
  }
  return value
}

const mayHaveTexts = (value: unknown): boolean =>
  (typeof value === 'string' ? value.length >= slicedFrom : typeof value === 'object' && value !== null)
