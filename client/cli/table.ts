// Text tables with aligned cells, and lists of names laid out as `ls` does. Widths are counted in terminal columns, so that wide
// and combining characters align.

import { stripVTControlCharacters } from 'node:util'

export interface Column {
  readonly title?: string
  readonly align?: 'left' | 'right'
}

const segmenter = new Intl.Segmenter()
const wide = /^[\p{Emoji_Presentation}\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\uFF01-\uFF60]/u
const plain = /^[\x20-\x7e]*$/

/** Terminal columns of a text; escape sequences take none. */
export function widthOf(text: string): number {
  if (plain.test(text)) return text.length
  let width = 0
  for (const { segment } of segmenter.segment(stripVTControlCharacters(text))) width += wide.test(segment) ? 2 : 1
  return width
}

export function pad(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const gap = ' '.repeat(Math.max(0, width - widthOf(text)))
  return align === 'left' ? text + gap : gap + text
}

/** Lines of a table, titles (if any) first. The last column is not padded unless it is right-aligned. */
export function tabulate(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const all = columns.some(column => column.title !== undefined) ? [columns.map(column => column.title ?? ''), ...rows] : rows
  const widths = columns.map((_, i) => all.reduce((width, row) => Math.max(width, widthOf(row[i] ?? '')), 0))
  return all.map(row => columns
    .map((column, i) => (i === columns.length - 1 && column.align !== 'right' ? row[i] ?? '' : pad(row[i] ?? '', widths[i]!, column.align)))
    .join('  ')
    .trimEnd())
}

/** Names in as many columns as fit into `width`, filled downwards. */
export function layOut(names: readonly string[], width: number): string[] {
  const widths = names.map(widthOf)
  for (let columns = Math.min(names.length, Math.floor(width / 3)); columns > 1; columns--) {
    const rows = Math.ceil(names.length / columns)
    const columnWidths: number[] = []
    for (let at = 0; at < names.length; at += rows) columnWidths.push(Math.max(...widths.slice(at, at + rows)))
    if (columnWidths.reduce((sum, one) => sum + one, 2 * (columnWidths.length - 1)) > width) continue
    return Array.from({ length: rows }, (_, row) =>
      columnWidths.map((columnWidth, column) => {
        const at = column * rows + row
        return at < names.length ? pad(names[at]!, columnWidth) : ''
      }).join('  ').trimEnd())
  }
  return [...names]
}
