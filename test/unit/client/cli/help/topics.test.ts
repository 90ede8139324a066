// help TOPIC: pages of the docs, formatted for a terminal or a pipe; the general help lists the topics.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { commandNames } from '../../../../../client/cli/catalog.ts'
import { formatMarkdown } from '../../../../../client/cli/help/markdown.ts'
import { topicNames, topics } from '../../../../../client/cli/help/topics.ts'
import { codes } from '../../../../../src/base/errors.ts'
import { root } from '../../../../tidy/source.ts'
import { runFake, someFiles, type Given } from '../fake.ts'

const help = (words: readonly string[], given: Given = {}) => runFake(someFiles(), ['help', ...words], given)

test.each(topicNames)('the page of %s fits 80 columns, but for code and long words', async name => {
  const { code, out, err } = await help([name])
  expect([code, err]).toEqual([0, ''])
  const page = readFileSync(join(root, 'docs', topics[name]!.page), 'utf8')
  expect(out.split('\n')[0]).toBe(/^# (.*)$/m.exec(page)![1]!.toUpperCase().replaceAll('`', ''))
  const long = out.split('\n').filter(line => line.length > 80 && !line.startsWith('    ') && / /.test(line.trim().slice(0, 60)))
  expect(long.filter(line => !page.includes(line.trim()))).toEqual([])
  // No mark of Markdown is left over, outside of code.
  expect(out.split('\n').filter(line => /^#+ |^\|---|\]\(\w+\.md/.test(line))).toEqual([])
})

test('a topic is no command, so that help of a command stays what it is', async () => {
  expect(topicNames.filter(name => commandNames.includes(name))).toEqual([])
  expect((await help(['ls'])).out).toMatch(/^Usage: gristmill ls/)
  expect((await help(['trash', 'ls'])).out).toMatch(/^Usage: gristmill trash ls/)
})

test('the general help lists every topic, in 80 columns', async () => {
  for (const words of [[], ['--quiet']]) {
    const { out } = await help(words)
    for (const [name, { about }] of Object.entries(topics)) expect(out).toMatch(new RegExp(`^  ${name} +${about}$`, 'm'))
    expect(out.split('\n').filter(line => line.length > 80)).toEqual([])
  }
})

test.each([['erors', 'errors'], ['exit-codez', 'exit-codes'], ['lss', 'ls'], ['setings', 'settings']])(
  'the unknown topic %s is answered with %s',
  async (word, near) => {
    const { code, out, err } = await help([word])
    expect([code, out]).toEqual([2, ''])
    expect(err).toBe(`gristmill: no such command or topic: ${word} (did you mean ${near}?); gristmill help lists them\n`)
  },
)

test('other words for a topic lead to it', async () => {
  expect((await help(['patterns'])).out).toBe((await help(['glob'])).out)
  expect((await help(['SETTINGS'])).out).toBe((await help(['settings'])).out)
})

test('--json prints the page as it is', async () => {
  const { out } = await help(['errors', '--json'])
  const page = 'docs/reference/errors.md'
  expect(JSON.parse(out)).toEqual({ topic: 'errors', page, text: readFileSync(join(root, page), 'utf8') })
})

test('on a terminal headings and code are painted, and the width is that of the terminal', async () => {
  const { out } = await help(['exit-codes'], { terminal: { columns: 50 } })
  expect(out).toMatch(/^\u001b\[1mExit codes\u001b\[22m\n/) // oxlint-disable-line no-control-regex
  expect(out).toContain('\u001b[36msysexits.h\u001b[39m')
  const plain = out.replaceAll(/\u001b\[\d+m/g, '') // oxlint-disable-line no-control-regex
  expect(plain.split('\n').filter(line => line.length > 50)).toEqual([])
})

test('the page of exit codes has each exit of the table of errors, with the errors that end a command with it', () => {
  const page = readFileSync(join(root, 'docs/reference/exit-codes.md'), 'utf8')
  const rows = [...page.matchAll(/^\| (\d+) \|.*\| ([^|]*)\|$/gm)].map(([, exit, errors]) => [Number(exit), errors!.trim()] as const)
  // fsck ends with 3 by itself, and signals have no error.
  const known = new Map<number, string[]>([0, 3, 129, 143].map(exit => [exit, []]))
  for (const [code, { exit }] of Object.entries(codes)) known.set(exit, [...known.get(exit) ?? [], code])
  known.set(1, ['all others'])
  const told = rows.map(([exit, errors]) => [exit, errors === '' ? [] : errors.replaceAll('`', '').split(', ').sort()])
  expect(told).toEqual([...known].sort(([a], [b]) => a - b).map(([exit, errors]) => [exit, errors.sort()]))
})

const paint = { heading: (text: string) => `<${text}>`, code: (text: string) => `{${text}}`, strong: (text: string) => `!${text}!` }
const formatted = (page: string, width = 30): string => formatMarkdown(page, width, paint).join('\n')

test('paragraphs and lists are wrapped, code is not', () => {
  expect(formatted('# A `b`\n\nOne `two three` [four](x.md) **five six** and\nmore words *here*.\n')).toBe(
    '<A b>\n\nOne {two} {three} four !five!\n!six! and more words here.')
  expect(formatted('- a list with an item of several\n  lines and\n1. another\n\n```sh\n$ a line | that is longer than the width\n```')).toBe(
    '- a list with an item of\n  several lines and\n1. another\n\n    $ a line | that is longer than the width')
  expect(formatted('`a [b](c)`, `` d`e ``')).toBe('{a} {[b](c)}, {d`e}')
})

test('a table is wrapped in its widest cells, and one with too many columns becomes a list', () => {
  expect(formatted('| a | b |\n|---|---|\n| `x \\| y` | some words that are too many |\n', 30)).toBe(
    '!a!          !b!\n{x} {|} {y}  some words that\n             are too many')
  expect(formatted('| a | b | c |\n|---|---|---|\n| first cell of many | second cell of many | third cell |\n', 30)).toBe(
    '!first cell of many!\n  b: second cell of many\n  c: third cell')
})
