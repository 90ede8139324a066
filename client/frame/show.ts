// The first rows of a frame as a table for a terminal.

import type { SqlColumn, SqlValue } from '../../src/base/sql.ts'
import { pad, widthOf } from '../../src/base/width.ts'
import { cellsOf, isNumber, oneLine } from '../sql/text.ts'

interface Shown {
  readonly columns: readonly SqlColumn[]
  batches(): AsyncIterable<ReadonlyArray<readonly SqlValue[]>>
}

/** Longer cells are cut: a table is for a look. */
const cellCharsMax = 80

/** The table with its number of rows, or a line that says that there are more than `rowsMax`. */
export async function showRows(given: Shown, rowsMax: number): Promise<string> {
  const rows: string[][] = []
  const { columns } = given
  for await (const batch of given.batches()) for (const row of batch) rows.push(cellsOf(row, columns).map(cut))
  const shown = rows.slice(0, rowsMax)
  const titles = columns.map(({ name }) => cut(name))
  const widths = titles.map((title, i) => shown.reduce((most, cells) => Math.max(most, widthOf(cells[i]!)), widthOf(title)))
  const line = (cells: readonly string[]): string =>
    cells.map((cell, i) => pad(cell, widths[i]!, isNumber(columns[i]!.type) ? 'right' : 'left')).join('  ').trimEnd()
  const last = rows.length > rowsMax ? `… the first ${rowsMax} rows` : `${rows.length} ${rows.length === 1 ? 'row' : 'rows'}`
  return [line(titles), line(widths.map(width => '-'.repeat(width))), ...shown.map(line), last, ''].join('\n')
}

function cut(cell: string): string {
  const text = oneLine(cell)
  return text.length > cellCharsMax ? `${text.slice(0, cellCharsMax - 1)}…` : text
}
