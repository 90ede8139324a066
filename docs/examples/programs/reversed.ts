// Keys in reverse order: `reversed(a)` sorts before `reversed(b)` if `a` sorts after `b`.
import type { Key } from 'gristmill'

/** Kinds of keys, in their order. */
const rankOf = (key: Key): number =>
  key === null ? 0 : typeof key === 'boolean' ? 1 : typeof key === 'number' || typeof key === 'bigint' ? 2 : typeof key === 'string' ? 3 : 4

export const reversed = (key: Key): Key => [-rankOf(key), inverted(key)]

function inverted(key: Key): Key {
  if (typeof key === 'string') return invertedText(key)
  if (typeof key === 'number' || typeof key === 'bigint') return -key
  if (typeof key === 'boolean') return !key
  // A longer list sorts after its beginning: the last item stands after every other one.
  return key === null ? null : [...key.map(reversed), [1]]
}

/** Code points that a text may contain: all but the surrogates. */
const points = 0x110000 - 0x800
const last = String.fromCodePoint(0x10ffff)
/** Sorts after each inverted character, as a text sorts before those that it begins. U+0000 is inverted to `last`, so that two follow it. */
const end = `${last}\u0001`

function invertedText(text: string): string {
  let inverse = ''
  for (const character of text) {
    const point = character.codePointAt(0)!
    const other = points - 1 - (point < 0xd800 ? point : point - 0x800)
    inverse += point === 0 ? `${last}\0` : String.fromCodePoint(other < 0xd800 ? other : other + 0x800)
  }
  return inverse + end
}
