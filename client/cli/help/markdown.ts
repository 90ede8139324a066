// Formats a page of the docs for a terminal: paragraphs and lists wrapped to its width, tables with aligned and wrapped cells, code as it
// is. Understands the Markdown that the docs use, which is no more than this. Pure.

import { withoutEnd } from '../../../src/base/withoutend.ts'
import { fitTable, wrapText } from '../table.ts'

/** Paints what Markdown marks; the text itself stays. */
interface Paint {
  heading(text: string): string
  code(text: string): string
  strong(text: string): string
}

/** A list item, with its mark and its own lines. */
const itemForm = /^(\s*)([-*]|\d+\.) +/

export function formatMarkdown(page: string, width: number, paint: Paint): string[] {
  const lines: string[] = []
  const source = withoutEnd(page, '\n').split('\n')
  for (let at = 0; at < source.length;) {
    const end = endOfBlock(source, at)
    lines.push(...formatBlock(source.slice(at, end), width, paint))
    at = end
  }
  return lines
}

const isTable = (line: string): boolean => line.startsWith('|')
const isFence = (line: string): boolean => line.startsWith('```')

/** Index of the first line of the next block: a heading, a blank line, a code block, a table, a list item, or a paragraph. */
function endOfBlock(lines: readonly string[], start: number): number {
  const first = lines[start]!
  let at = start + 1
  if (isFence(first)) {
    while (at < lines.length && !isFence(lines[at]!)) at++
    return Math.min(at + 1, lines.length)
  }
  if (isTable(first)) {
    while (at < lines.length && isTable(lines[at]!)) at++
    return at
  }
  if (first.trim() === '' || first.startsWith('#') || first.startsWith('    ')) return at
  while (at < lines.length && lines[at]!.trim() !== '' && !itemForm.test(lines[at]!) && !isTable(lines[at]!) && !isFence(lines[at]!)) at++
  return at
}

function formatBlock(block: readonly string[], width: number, paint: Paint): string[] {
  const first = block[0]!
  if (first.trim() === '') return ['']
  if (isFence(first)) return block.slice(1, -1).map(line => `    ${line}`)
  if (isTable(first)) return formatTable(block, width, paint)
  const heading = /^(#+) +(.*)$/.exec(first)
  if (heading) return [paint.heading(plain(heading[2]!))]
  if (first.startsWith('    ') && !itemForm.test(first)) return [first]
  const item = itemForm.exec(first)
  const mark = item ? `${item[1]}${item[2] === '*' ? '-' : item[2]} ` : ''
  const text = block.map((line, i) => (i === 0 && item ? line.slice(item[0].length) : line).trim()).join(' ')
  const indent = ' '.repeat(mark.length)
  return wrapText(inline(text, paint), width - mark.length).map((line, i) => `${i === 0 ? mark : indent}${line}`)
}

/** Cells of `| a | b |`. A bar after a backslash belongs to the cell. */
const cellsOf = (row: string): string[] =>
  row.trim().replace(/^\||\|$/g, '').split(/(?<!\\)\|/).map(cell => cell.trim().replaceAll('\\|', '|'))

function formatTable(block: readonly string[], width: number, paint: Paint): string[] {
  const [titles, , ...rows] = block.map(cellsOf)
  const cells = rows.map(row => row.map(cell => inline(cell.replaceAll('<br>', ' / '), paint)))
  const named = titles!.some(title => title !== '')
  const columns = titles!.map(title => (named ? { title: paint.strong(plain(title)) } : {}))
  const fitted = fitTable(columns, cells, width)
  if (fitted) return fitted
  // Too many columns for the width: one paragraph for each row, its first cell as the heading.
  return cells.flatMap(([head, ...rest]) => [
    paint.strong(head!),
    ...rest.flatMap((cell, i) =>
      (cell === '' ? [] : wrapText(`${plain(titles![i + 1]!)}: ${cell}`, width - 4).map((line, n) => `${n === 0 ? '  ' : '    '}${line}`))),
    '',
  ]).slice(0, -1)
}

/** Links become their text; what looks like a link in code is left as it is. */
const withoutLinks = (text: string): string =>
  text.replaceAll(/(``.+?``|`[^`]+`)|!?\[((?:`[^`]*`|[^\]`])*)\]\([^)]*\)/g, (_, code: string | undefined, link: string | undefined) =>
    code ?? link ?? '')

const plain = (text: string): string => withoutLinks(text).replaceAll(/\*\*([^*]+)\*\*/g, '$1').replaceAll('`', '')

/** Paints code and emphasis. What stands in code is left as it is. */
function inline(text: string, paint: Paint): string {
  return withoutLinks(text).split(/(``.+?``|`[^`]+`)/).map((part, i) => (i % 2 === 1
    ? part.replace(/^`+ ?| ?`+$/g, '').split(' ').map(word => paint.code(word)).join(' ')
    : part.replaceAll(/\*\*([^*]+)\*\*/g, (_, words: string) => words.split(' ').map(word => paint.strong(word)).join(' '))
        .replaceAll(/(?<![\w*])\*([^*\s][^*]*)\*(?![\w*])/g, '$1'))).join('')
}
