// Texts that are decoded together are those that are decoded alone, whatever is read in whatever order; and a program that keeps few of
// many pays for those.

import { expect, test } from 'vitest'
import { TextWindow } from '../../../../src/shuffle/window.ts'
import { dice } from '../../../kit/dice.ts'
import { keptBytes } from '../../collector.ts'

test('each text is that of its bytes: ASCII or not, at the border of a window, longer than one, read again, and of another buffer', () => {
  const die = dice(3)
  for (let round = 0; round < 60; round++) {
    const letters = round % 3 === 0 ? ['a', 'b', ' '] : ['a', 'é', '木', '😀', '\0', 'z'.repeat(30), 'y'.repeat(400)]
    const texts = Array.from({ length: 300 }, () => {
      const size = [3, 12, 13, 40, 600][die.below(5)]!
      return Array.from({ length: die.below(size) }, () => letters[die.below(letters.length)]!).join('')
    })
    const window = new TextWindow()
    for (const bytes of [Buffer.from(texts.join('')), Buffer.from(texts.join('').toUpperCase())]) {
      let at = 0
      for (const text of texts) {
        const end = at + Buffer.byteLength(text)
        expect(window.read(bytes, at, end)).toBe(bytes.toString('utf8', at, end))
        if (die.below(4) === 0) expect(window.read(bytes, at, end)).toBe(bytes.toString('utf8', at, end))
        at = end
      }
    }
  }
})

test('a text that is kept of each few kilobytes takes at most four times its bytes, besides what any text takes', () => {
  const [bytes, entry] = [Buffer.alloc(16_000_000, 'abcdefgh'), 800]
  for (const length of [13, 21, 100]) {
    const window = new TextWindow()
    const kept = keptBytes(() => {
      const texts: string[] = []
      for (let at = 0; at < bytes.length; at += entry) {
        texts.push(window.read(bytes, at, at + length))
        for (let value = at + length; value + 90 <= at + entry; value += 90) window.read(bytes, value, value + 90)
      }
      return texts
    })
    expect(kept / (bytes.length / entry), `${length} bytes`).toBeLessThan(4 * length + 120)
  }
})
