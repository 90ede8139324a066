// Parses request bodies of untrusted callers: bounds their nesting and number of parts, then parses JSON, and refuses keys that
// reach into prototypes. The cost of parsing depends on the number of parts, not of bytes. Small requests are cheap: under 128
// characters nothing can be nested 64 deep, and keys are inspected one by one only if the text contains a suspicious pattern.

import { GristmillError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'

/** Each level needs an opening and a closing bracket. */
const harmlessChars = limits.jsonDepthMax * 2

/** `__proto__` may be spelled with escapes; only escapes of ASCII characters can hide it. */
const suspicious = /__proto__|"constructor"|\\u00/

export function parseJson(text: string): unknown {
  if (text.length > harmlessChars) checkShape(text)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new GristmillError('EINVAL', `the body is not JSON: ${(error as Error).message}`, { cause: error })
  }
  if (suspicious.test(text)) refusePoison(value)
  return value
}

/** Counts brackets, keys and commas outside of strings. Invalid JSON may be miscounted here; the parser refuses it anyway. */
function checkShape(text: string): void {
  const { jsonDepthMax, jsonBracketsMax, jsonPartsMax, jsonKeysMax } = limits
  /** Number of keys of each open object. */
  const keys = new Int32Array(jsonDepthMax + 1)
  let depth = 0
  let brackets = 0
  let parts = 0
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case quote: i = endOfString(text, i); break
      case openObject: case openArray:
        if (++depth > jsonDepthMax) throw new GristmillError('EINVAL', `the body is nested over ${jsonDepthMax} levels deep`)
        keys[depth] = 0
        if (++brackets > jsonBracketsMax)
          throw new GristmillError('TOO_LARGE', `the body has over ${jsonBracketsMax} objects and arrays; send it in parts`)
        break
      case closeObject: case closeArray: depth--; break
      case colon:
        if (++keys[depth]! > jsonKeysMax)
          throw new GristmillError('TOO_LARGE', `the body has an object of over ${jsonKeysMax} keys; send it in parts`)
        parts++
        break
      case comma: parts++
    }
    if (parts > jsonPartsMax) throw new GristmillError('TOO_LARGE', `the body has over ${jsonPartsMax} keys and values; send it in parts`)
  }
}

const [quote, openObject, closeObject, openArray, closeArray, colon, comma] = [...'"{}[]:,'].map(char => char.charCodeAt(0))

/** Index of the quote that closes the string opened at `start`, or the end of the text. */
function endOfString(text: string, start: number): number {
  for (let quote = text.indexOf('"', start + 1); quote !== -1; quote = text.indexOf('"', quote + 1)) {
    let back = quote
    while (text.charCodeAt(back - 1) === 0x5c) back--
    if ((quote - back) % 2 === 0) return quote
  }
  return text.length
}

/** REQUIRES: the value comes from JSON.parse, which makes every key an own property. */
function refusePoison(value: unknown): void {
  const poisoned = poisonedKey(value)
  if (poisoned !== undefined) throw new GristmillError('EINVAL', `the body has the key "${poisoned}", which is not allowed anywhere`)
}

/** The first key in a value that no body may have, since a careless copy of it would change a prototype. Looks at own keys only. */
export function poisonedKey(value: unknown): string | undefined {
  const open = [value]
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    if (typeof at !== 'object' || at === null) continue
    if (!Array.isArray(at)) {
      const { constructor } = at
      const poisoned = Object.hasOwn(at, '__proto__')
        ? '__proto__'
        : Object.hasOwn(at, 'constructor')
            && typeof constructor === 'object'
            && constructor !== null
            && Object.hasOwn(constructor, 'prototype')
          ? 'constructor'
          : undefined
      if (poisoned !== undefined) return poisoned
    }
    for (const below of Array.isArray(at) ? at : Object.values(at)) if (typeof below === 'object' && below !== null) open.push(below)
  }
}
