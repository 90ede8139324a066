// Rows of a query as a table: on a terminal it has at most its width, in a pipe all cells are whole.

import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { printRows } from '../../../../../client/cli/jobs/rows.ts'
import { Printer } from '../../../../../client/cli/printer.ts'
import { widthOf } from '../../../../../client/cli/table.ts'
import type { SqlValue } from '../../../../../src/base/sql.ts'

const text = { kind: 'plain', name: 'VARCHAR' } as const
const number = { kind: 'plain', name: 'BIGINT' } as const

async function printed(
  columns: Array<[name: string, type: typeof text | typeof number]>, rows: SqlValue[][], width: number | undefined,
): Promise<{ lines: string[]; notes: string }> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  if (width !== undefined) Object.assign(stdout, { isTTY: true, columns: width })
  const printer = new Printer({ stdin: new PassThrough(), stdout, stderr } as never, {})
  const batches = async function* () { for (const row of rows) yield [row] }
  await printRows(printer, 'table', { columns: columns.map(([name, type]) => ({ name, type })), batches })
  await printer.flush()
  return { lines: String(stdout.read() ?? '').trimEnd().split('\n'), notes: String(stderr.read() ?? '') }
}

const columns: Array<[string, typeof text | typeof number]> = [['city', text], ['a title longer than its numbers', number], ['note', text]]
const rows: SqlValue[][] = [['ulm', 12n, 'x'.repeat(60)], ['bern', 9_007_199_254_740_993n, '粟'.repeat(40)], [null, 1n, 'short']]

test('a table is cut to the width of the terminal: texts and titles end with …, numbers stay whole, and a note says so', async () => {
  const { lines, notes } = await printed(columns, rows, 60)
  expect(Math.max(...lines.map(widthOf))).toBe(60)
  expect(lines.map(line => line.replaceAll(/(.)\1{5,}/gu, '$1+'))).toEqual([
    'city  a title longer than its n…  note', '----  -+  -+', 'ulm +12  x+…', 'bern +9007199254740993  粟+…', 'NULL +1  short',
  ])
  expect(notes).toContain('were cut to the width of the terminal')
  const narrow = await printed(columns, rows, 20)
  expect(narrow.lines.join('\n')).toContain('9007199254740993')
})

test('a table that fits, and one in a pipe, are whole', async () => {
  for (const width of [140, undefined]) {
    const { lines, notes } = await printed(columns, rows, width)
    expect([lines.join('\n').includes('…'), notes]).toEqual([false, ''])
    expect(lines[2]).toContain('x'.repeat(60))
  }
})

test('rows behind the measured ones are cut on a terminal, too', async () => {
  const many: SqlValue[][] = [...Array.from({ length: 1000 }, (): SqlValue[] => ['a', 1n]), ['b'.repeat(100), 2n]]
  const { lines } = await printed([['name', text], ['n', number]], many, 40)
  expect(lines.at(-1)).toBe('bbb…  2')
  // The last column has the rest of the line.
  const last = await printed([['n', number], ['name', text]], many.map(([name, n]) => [n!, name!]), 40)
  expect(last.lines.at(-1)).toBe(`2  ${'b'.repeat(36)}…`)
  expect((await printed([['name', text], ['n', number]], many, undefined)).lines.at(-1)).toBe(`${'b'.repeat(100)}  2`)
})
