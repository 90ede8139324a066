// Bodies of requests as they come from a stranger: bounded nesting, no keys that reach into prototypes, then JSON.
// Small requests must not pay for it: under 128 characters nothing can be nested 64 deep, and keys are looked at one by
// one only if the text holds something suspicious.

import { GristmillError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'

/** Each level needs an opening and a closing bracket. */
const harmlessChars = limits.jsonDepthMax * 2

/** `__proto__` may be spelled with escapes; only those of ASCII characters can hide it. */
const suspicious = /__proto__|"constructor"|\\u00/

export function parseJson(text: string): unknown {
  if (text.length > harmlessChars) checkDepth(text)
  try {
    return suspicious.test(text) ? JSON.parse(text, refusePoison) : JSON.parse(text)
  } catch (error) {
    if (error instanceof GristmillError) throw error
    throw new GristmillError('EINVAL', `the body is not JSON: ${(error as Error).message}`, { cause: error })
  }
}

/** Counts brackets outside of strings. Text that is not JSON may be misjudged here; the parser refuses it anyway. */
function checkDepth(text: string): void {
  let depth = 0
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i)
    if (char === 0x22) i = endOfString(text, i)
    else if (char === 0x7b || char === 0x5b) {
      if (++depth > limits.jsonDepthMax) throw new GristmillError('EINVAL', `the body is nested over ${limits.jsonDepthMax} levels deep`)
    } else if (char === 0x7d || char === 0x5d) depth--
  }
}

/** The index of the quote that closes the string opened at `start`, or the end of the text. */
function endOfString(text: string, start: number): number {
  for (let quote = text.indexOf('"', start + 1); quote !== -1; quote = text.indexOf('"', quote + 1)) {
    let back = quote
    while (text.charCodeAt(back - 1) === 0x5c) back--
    if ((quote - back) % 2 === 0) return quote
  }
  return text.length
}

function refusePoison(key: string, value: unknown): unknown {
  const poisoned = key === '__proto__' || (key === 'constructor' && typeof value === 'object' && value !== null && Object.hasOwn(value, 'prototype'))
  if (poisoned) throw new GristmillError('EINVAL', `the body has the key "${key}", which is not allowed anywhere`)
  return value
}
