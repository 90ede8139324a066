// Key of a line in the shuffle: the text of its key fields; or, if the job orders keys by some of their fields, an array of what is
// compared and that text. Texts have one character for each byte, so that they compare as their bytes do.

import type { Key } from '../base/pair.ts'
import { withoutEnd } from '../base/withoutend.ts'
import type { FieldOrder, LineFields } from '../plan/node.ts'
import { descending } from '../shuffle/key.ts'

/** Makes the key of a shuffle from the key of a line. */
export function shuffleKey({ separator, order }: LineFields): (text: string) => Key {
  if (!order || order.length === 0) return text => text
  return text => {
    const fields = text.split(separator)
    return [...order.map(part => partOf(fields, part, separator)), text]
  }
}

/** The key of a line from the key of a shuffle. */
export const lineKey = (key: Key): string => (Array.isArray(key) ? key.at(-1) : key) as string

function partOf(fields: readonly string[], { first, last, numeric, reverse }: FieldOrder, separator: string): Key {
  const text = fields.slice(first - 1, last).join(separator)
  const part = numeric ? numberKey(text) : text
  return reverse ? descending(part) : part
}

/**
 * Key of the number at the start of a text, as sort(1) takes it; 0 for none. Exact for any number of digits: sign, length of the whole
 * part, its digits, those behind the point. Digits of a negative number are complemented, and their end sorts behind all digits.
 */
function numberKey(text: string): Key {
  const [, minus, whole = '', rest = ''] = /^[ \t\n]*(-?)0*(\d*)(?:\.(\d*))?/.exec(text)!
  const fraction = withoutEnd(rest, '0')
  if (whole === '' && fraction === '') return [0]
  return minus === '' ? [1, whole.length, whole, fraction] : [-1, 0 - whole.length, complement(whole), `${complement(fraction)}~`]
}

const complement = (digits: string): string => digits.replace(/\d/g, digit => String(9 - Number(digit)))
