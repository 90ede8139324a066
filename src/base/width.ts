// Widths of texts in columns of a terminal, so that wide and combining characters align.

import { stripVTControlCharacters } from 'node:util'

/** Made when a text needs it: that takes 10 ms, a tenth of the start of a command. */
let segmenter: Intl.Segmenter | undefined
export const segmentsOf = (text: string): Intl.Segments => (segmenter ??= new Intl.Segmenter()).segment(text)
const wide = /^[\p{Emoji_Presentation}\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\uFF01-\uFF60]/u
const plain = /^[\x20-\x7e]*$/

/** Terminal columns of a text; escape sequences take none. */
export function widthOf(text: string): number {
  if (plain.test(text)) return text.length
  let width = 0
  for (const { segment } of segmentsOf(stripVTControlCharacters(text))) width += wide.test(segment) ? 2 : 1
  return width
}

export function pad(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const gap = ' '.repeat(Math.max(0, width - widthOf(text)))
  return align === 'left' ? text + gap : gap + text
}
