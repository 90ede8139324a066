// Rows of a query as text: a table, CSV, JSON or Markdown. Rows are printed as they come; a table takes the widths of its columns from the
// first thousand rows. On a terminal a table has its width: texts are cut, numbers never are.

import type { SqlColumn, SqlType, SqlValue } from '../../../src/base/sql.ts'
import { cellsOf, csvField, isNumber, oneLine, rowJson } from '../../sql/text.ts'
import { uniqueNames } from '../../sql/running.ts'
import type { Printer } from '../printer.ts'
import { cut, pad, widthOf, type Column } from '../table.ts'

export const rowFormats = ['table', 'csv', 'jsonl', 'json', 'parquet', 'arrow', 'markdown'] as const
export type RowFormat = typeof rowFormats[number]
/** Formats of bytes, which are not for a terminal. */
type BinaryFormat = 'parquet' | 'arrow'
export type TextFormat = Exclude<RowFormat, BinaryFormat>
export const isBinary = (format: RowFormat): format is BinaryFormat => format === 'parquet' || format === 'arrow'

type Batches = AsyncIterable<ReadonlyArray<readonly SqlValue[]>>
interface Rows { readonly columns: readonly SqlColumn[]; batches(): Batches }

/** Prints all rows; returns their number. */
export async function printRows(printer: Printer, format: TextFormat, given: Rows): Promise<number> {
  const rows = { columns: given.columns, batches: () => given.batches() }
  switch (format) {
    case 'table': return printTable(printer, rows)
    case 'csv': return printCsv(printer, rows)
    case 'markdown': return printMarkdown(printer, rows)
    default: return printJson(printer, rows, format === 'json')
  }
}

async function printCsv(printer: Printer, { columns, batches }: Rows): Promise<number> {
  const text: SqlType = { kind: 'plain', name: 'VARCHAR' }
  await printer.text(`${columns.map(({ name }) => csvField(name, text)).join(',')}\n`)
  return each(batches, row => printer.text(`${row.map((value, i) => csvField(value, columns[i]!.type)).join(',')}\n`))
}

async function printJson(printer: Printer, { columns, batches }: Rows, isList: boolean): Promise<number> {
  const names = uniqueNames(columns)
  let isFirst = true
  if (isList) await printer.raw('[')
  const count = await each(batches, row => {
    const before = isList ? isFirst ? '\n  ' : ',\n  ' : ''
    isFirst = false
    return printer.text(`${before}${rowJson(names, columns, row)}${isList ? '' : '\n'}`)
  })
  if (isList) await printer.raw(count === 0 ? ']\n' : '\n]\n')
  return count
}

async function printMarkdown(printer: Printer, { columns, batches }: Rows): Promise<number> {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map(cell => cell.replaceAll('|', '\\|').replaceAll(/\r?\n/g, '<br>')).join(' | ')} |\n`
  await printer.text(line(columns.map(({ name }) => name)))
  await printer.text(`|${columns.map(({ type }) => (isNumber(type) ? ' ---: |' : ' --- |')).join('')}\n`)
  return each(batches, row => printer.text(line(cellsOf(row, columns))))
}

/** Rows of which the widths of a table's columns are taken. */
const measuredRows = 1000

async function printTable(printer: Printer, { columns, batches }: Rows): Promise<number> {
  const titles = columns.map(({ name }) => name)
  const shape: Column[] = columns.map(({ type }) => ({ align: isNumber(type) ? 'right' : 'left' }))
  let widths: number[] | undefined
  /** Texts are cut to these. */
  let room: readonly number[] = []
  let isCut = false
  const held: string[][] = []
  const line = (cells: readonly string[], isTitle = false): Promise<void> => {
    const shown = cells.map((cell, i) => {
      const text = shape[i]!.align === 'right' && !isTitle ? cell : cut(cell, room[i]!)
      isCut ||= text !== cell
      return pad(text, widths![i]!, shape[i]!.align)
    })
    return printer.line(shown.join('  ').trimEnd())
  }
  const start = async (): Promise<void> => {
    const cellWidths = titles.map((_, i) => held.reduce((most, cells) => Math.max(most, widthOf(cells[i]!)), 0))
    const whole = titles.map((title, i) => Math.max(cellWidths[i]!, widthOf(title)))
    widths = fitted(whole, shape.map(({ align }, i) => (align === 'right' ? cellWidths[i]! : 0)), printer.tableWidth)
    const free = (printer.tableWidth ?? Infinity) - widths.reduce((sum, width) => sum + width, 2 * (widths.length - 1))
    room = widths.map((width, i) => (i === titles.length - 1 || free === Infinity ? width + Math.max(0, free) : width))
    await line(titles, true)
    await line(widths.map(width => '-'.repeat(width)))
    for (const cells of held.splice(0)) await line(cells)
  }
  const count = await each(batches, async row => {
    const cells = cellsOf(row, columns).map(oneLine)
    if (widths) return line(cells)
    held.push(cells)
    if (held.length >= measuredRows) await start()
  })
  if (!widths) await start()
  if (isCut) printer.note('cells that end with … were cut to the width of the terminal; the formats csv, json and jsonl have all of them')
  return count
}

/** A text column is not made narrower than this. */
const narrowest = 8

/** Widths of columns that fit the terminal, if their least ones do; the widest columns lose first. */
function fitted(widths: readonly number[], least: readonly number[], terminal = Infinity): number[] {
  const found = [...widths]
  const leastOf = (i: number): number => Math.min(widths[i]!, Math.max(least[i]!, narrowest))
  let over = found.reduce((sum, width) => sum + width, 2 * (found.length - 1)) - terminal
  while (over > 0) {
    const free = found.map((_, i) => i).filter(i => found[i]! > leastOf(i))
    if (free.length === 0) break
    const most = Math.max(...free.map(i => found[i]!))
    const widest = free.filter(i => found[i] === most)
    // All that are as wide lose together, down to the next width, so that a cell of a megabyte takes one step.
    const next = Math.max(...widest.map(leastOf), ...free.map(i => found[i]!).filter(width => width < most))
    const step = Math.max(1, Math.min(most - next, Math.floor(over / widest.length)))
    for (const i of widest) {
      if (over <= 0) break
      found[i]! -= step
      over -= step
    }
  }
  return found
}

async function each(batches: () => Batches, print: (row: readonly SqlValue[]) => Promise<void>): Promise<number> {
  let count = 0
  for await (const rows of batches())
    for (const row of rows) {
      await print(row)
      count++
    }
  return count
}
