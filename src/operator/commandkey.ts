// Key of a line in the shuffle: the text of its key fields; or, if the job orders keys by some of their fields, an array of what is
// compared and that text. Texts have one character for each byte, so that they compare as their bytes do.

import type { Key } from '../base/pair.ts'
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
  const part = numeric ? numberOf(text) : text
  return reverse ? descending(part) : part
}

/** The number at the start of a text, as sort(1) takes it; 0 for none. */
function numberOf(text: string): number {
  const value = Number(/^\s*-?(?:\d+(?:\.\d*)?|\.\d+)/.exec(text)?.[0] ?? 0)
  return value === 0 ? 0 : value
}
