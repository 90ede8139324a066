// Text for terminals: modes, sizes, times, names, tables, columns and the progress bar. Pure functions; output fits the terminal and holds
// no control character of a name.

import { expect, test } from 'vitest'
import { showText } from '../../../../src/base/quote.ts'
import { formatHuman, formatMode, formatTime } from '../../../../client/cli/display.ts'
import { layOut, tableLines, tabulate, widthOf } from '../../../../client/cli/table.ts'
import { drawBar } from '../../../../client/cli/progress.ts'

test('modes read as in ls, the sticky bit in its place', () => {
  expect(formatMode(0o644, 'file')).toBe('-rw-r--r--')
  expect(formatMode(0o1777, 'directory')).toBe('drwxrwxrwt')
  expect(formatMode(0o1750, 'directory')).toBe('drwxr-x--T')
})

test('sizes for people are rounded up, as ls -h does, and never take more than five characters', () => {
  const cases: [number, string][] = [
    [0, '0'], [1023, '1023'], [1024, '1.0K'], [1025, '1.1K'], [10 * 1024, '10K'], [10 * 1024 + 1, '11K'], [1023 * 1024, '1023K'],
    [1024 * 1024, '1.0M'], [1024 ** 2 - 1, '1.0M'], [123_456_789, '118M'], [5 * 1024 ** 4, '5.0T'],
  ]
  for (const [bytes, text] of cases) expect(formatHuman(bytes), String(bytes)).toBe(text)
  for (let bits = 0; bits < 53; bits += 0.1) expect(formatHuman(Math.floor(2 ** bits)).length).toBeLessThanOrEqual(5)
})

test('recent times show the clock, older and future ones the year', () => {
  const now = new Date(2026, 10, 22, 12, 0).getTime()
  expect(formatTime(new Date(2026, 10, 2, 9, 5).getTime(), now)).toBe('Nov  2 09:05')
  expect(formatTime(new Date(2025, 0, 31, 9, 5).getTime(), now)).toBe('Jan 31  2025')
  expect(formatTime(new Date(2027, 0, 31, 9, 5).getTime(), now)).toBe('Jan 31  2027')
})

test('names cannot send control characters to a terminal', () => {
  expect(showText('a\u001b[2Jb\nc\u009bd')).toBe('a\\x1b[2Jb\\nc\\x9bd')
  expect(showText('grüße 小麦')).toBe('grüße 小麦')
  // Invisible characters: Hangul fillers, a joiner of graphemes, the empty pattern of Braille, selectors with nothing to select.
  expect(showText('a\u3164b\u115fc\u034fd\u2800e\ufe0ff\u{e0100}g\u180b')).toBe(
    'a\\u3164b\\u115fc\\u034fd\\u2800e\\ufe0ff\\U000e0100g\\u180b',
  )
  for (const picture of ['\u2764\ufe0f', '1\ufe0f\u20e3', '\u{1f3f3}\ufe0f\u200d\u{1f308}', '\u845b\u{e0100}'])
    expect(showText(picture)).toBe(picture)
})

test('tables line up, also with wide characters, combining marks and colours', () => {
  expect(
    tabulate(
      [{ title: 'NAME' }, { title: 'N', align: 'right' }, {}],
      [
        ['小麦', '1', 'x'], ['e\u0301', '22', ''], ['\u001b[1mrye\u001b[22m', '333', 'y'],
      ],
    ),
  ).toEqual(['NAME    N', '小麦    1  x', 'e\u0301      22', '\u001b[1mrye\u001b[22m   333  y'])
  expect(widthOf('👩‍🌾')).toBe(2)
})

test('names are laid out downwards in as many columns as fit', () => {
  expect(layOut(['a', 'bb', 'ccc', 'd', 'e'], 12)).toEqual(['a   ccc  e', 'bb  d'])
  expect(layOut(['a-very-long-name', 'b'], 10)).toEqual(['a-very-long-name', 'b'])
  expect(layOut([], 80)).toEqual([])
})

test('tables and lists have more rows than a call of a function takes arguments', () => {
  const names = Array.from({ length: 260_000 }, () => '')
  expect(layOut(names, 6)).toHaveLength(130_000)
  expect(tableLines([{}, {}], names.map(name => [name, name]), 80)).toHaveLength(names.length)
})

test('a bar shows share, bytes, rate and time left, and fits the terminal', () => {
  const state = { label: 'access.log', unit: 'bytes', done: 512 * 1024, total: 1024 * 1024, elapsedMs: 1000, note: '' } as const
  const line = drawBar(state, 120)
  expect(line).toMatch(/^access\.log +\[=+> +\] +50% {2}512 KiB of 1\.0 MiB {2}512 KiB\/s {2}1\.0 s left$/)
  for (const columns of [20, 40, 60, 80]) expect(drawBar(state, columns).length).toBeLessThan(columns)
  expect(drawBar({ ...state, total: undefined }, 120)).toMatch(/512 KiB {2}512 KiB\/s$/)
  expect(drawBar({ ...state, unit: 'tasks', done: 3, total: 12 }, 120)).toMatch(/25% {2}3 of 12$/)
  expect(drawBar({ ...state, done: 0, total: 0 }, 120)).toContain('100%')
})

test('the bar of a stage has whole facts at any width: the bar itself goes first, then the end of the label, then the last facts', () => {
  const note = '12 of 34 tasks, 4 running, 1 failed attempt'
  const state = { label: 'read → countBy', unit: 'tasks', done: 12, total: 34, elapsedMs: 1000, note } as const
  const shown = (columns: number, more = {}) => drawBar({ ...state, ...more }, columns)
  // At this width the bar left one column too few.
  for (const text of ['0 of 1 task, 1 running', '0 of 2 tasks, 1 running', note])
    expect(shown(80, { note: text })).toMatch(new RegExp(`${text}$`))
  expect(shown(80, { note: '0 of 1 task, 1 running' })).toMatch(/ \[=+> +\] +35% {2}0 of 1 task, 1 running$/)
  expect(shown(76)).toMatch(new RegExp(`^read → countBy {10} {3}35%  ${note}$`))
  expect(shown(64)).toBe(`…d → countBy   35%  ${note}`)
  expect(shown(50)).toMatch(/^read → countBy +35% {2}12 of 34 tasks, 4 running$/)
  expect(shown(12, { label: '語'.repeat(20) })).toBe(`…${'語'.repeat(5)}`)
  const ends = [note, '12 of 34 tasks, 4 running', '12 of 34 tasks'].map(text => ` 35%  ${text}`)
  for (let columns = 2; columns < 130; columns++) {
    for (const label of ['read → countBy', 'x', '語'.repeat(20)]) {
      const line = shown(columns, { label })
      expect(widthOf(line), `${columns} columns`).toBeLessThan(columns)
      expect([...ends, ' 35%'].some(end => line.endsWith(end)) || !/\d/.test(line), line).toBe(true)
    }
  }
})

const wideTable = [
  [{ title: 'ROLE' }, { title: 'PID', align: 'right' }, { title: 'DIRECTORY' }],
  [['namenode', '12345', '/home/ada/.gristmill/cluster/namenode'], ['datanode', '7', '/x']],
] as const

test('a table that is too wide for the terminal divides no path that fits into a line; in a pipe each row is one line', () => {
  expect(tableLines(...wideTable, undefined)).toEqual(tabulate(...wideTable))
  expect(tableLines(...wideTable, 60)).toEqual(tabulate(...wideTable))
  expect(tableLines(...wideTable, 45)).toEqual([
    'namenode', '    PID 12345  DIRECTORY', '    /home/ada/.gristmill/cluster/namenode', 'datanode', '    PID 7  DIRECTORY /x',
  ])
  // One that does not is divided behind a slash.
  expect(tableLines(...wideTable, 30)).toContain('    /home/ada/.gristmill/')
})

test('a table with too many columns becomes one paragraph for each row, and no fact is divided', () => {
  const numbers = Array.from({ length: 8 }, (_, i) => ({ title: `COUNT ${i}`, align: 'right' as const }))
  const lines = tableLines([{ title: 'STAGE' }, ...numbers], [['0 map', ...Array.from({ length: 8 }, (_, i) => String(i * 1000))]], 40)
  expect(lines).toEqual([
    '0 map', '    COUNT 0 0  COUNT 1 1000', '    COUNT 2 2000  COUNT 3 3000', '    COUNT 4 4000  COUNT 5 5000',
    '    COUNT 6 6000  COUNT 7 7000',
  ])
})

test('no line of a wrapped table is wider than the terminal, also with wide characters and colours', () => {
  const cells = ['\u001b[32mlive\u001b[39m', '小麦'.repeat(30), 'word '.repeat(20).trim(), '/a/b'.repeat(20)]
  for (const width of [50, 60, 80]) {
    const lines = tableLines([{ title: 'A' }, { title: 'B' }, { title: 'C' }, { title: 'D' }], [cells], width)
    expect(Math.max(...lines.map(widthOf))).toBeLessThanOrEqual(width)
    expect(lines.join('').replaceAll(/\s/g, '').length).toBeGreaterThan(60 + 80 + 80)
  }
})
