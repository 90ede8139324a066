// Text tables with aligned cells, and lists of names laid out as `ls` does. Widths are counted in terminal columns, so that wide
// and combining characters align.

import { pad, segmentsOf, widthOf } from '../../src/base/width.ts'

export { pad, widthOf } from '../../src/base/width.ts'

export interface Column {
  readonly title?: string
  readonly align?: 'left' | 'right'
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

/**
 * Lines of a table for a terminal of this width: cells are wrapped between words if the table is too wide, and each row becomes a paragraph
 * if that is not enough. Without a width, as in a pipe, each row is one line.
 */
export function tableLines(columns: readonly Column[], rows: readonly (readonly string[])[], width: number | undefined): string[] {
  if (width === undefined) return tabulate(columns, rows)
  // Words stay whole: ids and paths are copied.
  const fitted = fitTable(columns, rows, width)
  if (fitted) return fitted
  // A fact is not divided: a number stands behind its title. A longer one is divided behind the title, so that an id or a path stays whole.
  const factOf = (title: string, cell: string): string => {
    const fact = `${title} ${cell}`.trim()
    return widthOf(fact) <= width - 4 ? fact.replaceAll(' ', '\u00a0') : fact
  }
  const factsOf = (cells: readonly string[]): string =>
    cells.flatMap((cell, i) => (cell === '' ? [] : [factOf(columns[i + 1]!.title ?? '', cell)])).join('  ')
  return rows.flatMap(([head = '', ...cells]) =>
    [head, ...wrapText(factsOf(cells), width - 4, true).map(line => `    ${line.trim().replaceAll('\u00a0', ' ')}`)])
}

/** A column is not made narrower than this: a text of one or two words a line is hard to read. */
const narrowest = 16

/**
 * Lines of a table that is at most `width` wide: cells are wrapped, those of the widest columns first. undefined if it has too many
 * columns. Right-aligned columns, which hold numbers, are not wrapped.
 */
export function fitTable(
  columns: readonly Column[], rows: readonly (readonly string[])[], width: number,
): string[] | undefined {
  const all = columns.some(column => column.title !== undefined) ? [columns.map(column => column.title ?? ''), ...rows] : rows
  const widths = columns.map((_, i) => all.reduce((most, row) => Math.max(most, widthOf(row[i] ?? '')), 0))
  const least = columns.map(({ align }, i) =>
    (align === 'right'
      ? widths[i]!
      : Math.min(widths[i]!, all.reduce((most, row) => Math.max(most, longestWord(row[i] ?? '')), narrowest))))
  let over = widths.reduce((sum, one) => sum + one, 2 * (columns.length - 1)) - width
  for (; over > 0; over--) {
    const at = widths.reduce((best, one, i) => (one > least[i]! && (best < 0 || one > widths[best]!) ? i : best), -1)
    if (at < 0) return undefined
    widths[at]!--
  }
  return all.flatMap(row => {
    const cells = columns.map((_, i) => wrapText(row[i] ?? '', widths[i]!))
    return Array.from({ length: Math.max(...cells.map(lines => lines.length)) }, (_, n) =>
      columns.map(({ align }, i) => pad(cells[i]![n] ?? '', widths[i]!, align)).join('  ').trimEnd())
  })
}

const longestWord = (text: string): number => text.split(' ').reduce((most, word) => Math.max(most, widthOf(word)), 0)

/** Pieces of a long word that are at most `width` wide; a path is divided behind a slash. */
function piecesOf(word: string, width: number): string[] {
  const pieces: string[] = []
  let piece = ''
  for (const { segment } of segmentsOf(word)) {
    if (piece !== '' && widthOf(piece) + widthOf(segment) > width) {
      const end = piece.lastIndexOf('/') + 1 || piece.length
      pieces.push(piece.slice(0, end))
      piece = piece.slice(end)
    }
    piece += segment
  }
  return [...pieces, piece]
}

/** Lines of at most `width` columns, divided between words; a longer word has a line of its own, or several with `breakWords`. */
export function wrapText(text: string, width: number, breakWords = false): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ').flatMap(one => (breakWords && widthOf(one) > width ? piecesOf(one, width) : [one]))) {
    if (line !== '' && widthOf(line) + 1 + widthOf(word) > width) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}

/** The text, or its beginning and `…`, in at most `width` columns of the terminal. */
export function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text
  let shown = ''
  let room = width - 1
  for (const { segment } of segmentsOf(text)) {
    room -= widthOf(segment)
    if (room < 0) break
    shown += segment
  }
  return `${shown}…`
}

/** Names in as many columns as fit into `width`, filled downwards. */
export function layOut(names: readonly string[], width: number): string[] {
  const widths = names.map(widthOf)
  for (let columns = Math.min(names.length, Math.floor(width / 3)); columns > 1; columns--) {
    const rows = Math.ceil(names.length / columns)
    const columnWidths: number[] = []
    for (let at = 0; at < names.length; at += rows)
      columnWidths.push(widths.slice(at, at + rows).reduce((most, one) => Math.max(most, one), 0))
    if (columnWidths.reduce((sum, one) => sum + one, 2 * (columnWidths.length - 1)) > width) continue
    return Array.from({ length: rows }, (_, row) =>
      columnWidths.map((columnWidth, column) => {
        const at = column * rows + row
        return at < names.length ? pad(names[at]!, columnWidth) : ''
      }).join('  ').trimEnd())
  }
  return [...names]
}
