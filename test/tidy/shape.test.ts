// Shape of the sources: no line over 140 columns except in quoted text, and no product function over 70 lines, measured on parsed sources.

import { parseSync } from 'oxc-parser'
import { expect, test } from 'vitest'
import { lineOf, readSources } from './source.ts'

const columnsMax = 140
const functionLinesMax = 70

const product = readSources(['src', 'namenode', 'datanode', 'client'])
const sources = [...product, ...readSources(['test'])]

interface File { readonly path: string; readonly text: string }
interface Node { readonly type: string; readonly start: number; readonly end: number }

const functions = new Set(['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression'])
/** The text of a template counts, the expressions in it do not. */
const quoted = new Set(['Literal', 'TemplateElement'])

function nodesOf({ path, text }: File, types: ReadonlySet<string>): Node[] {
  const found: Node[] = []
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) return value.forEach(visit)
    if (typeof value !== 'object' || value === null) return
    if (types.has((value as Node).type)) found.push(value as Node)
    for (const each of Object.values(value)) visit(each)
  }
  visit(parseSync(path, text).program)
  return found
}

/** Lines over the limit. One piece of quoted text may exceed it: folding a title or a regular expression helps no reader. */
function longLines(file: File): string[] {
  const lines = file.text.split('\n')
  if (!lines.some(line => line.length > columnsMax)) return []
  const literals = nodesOf(file, quoted)
  let offset = 0
  return lines.flatMap((line, i) => {
    const from = offset
    const to = offset += line.length + 1
    if (line.length <= columnsMax) return []
    const literal = literals.reduce((most, { start, end }) => Math.max(most, Math.min(end, to) - Math.max(start, from)), 0)
    return line.length - literal > columnsMax || literal < 40 ? [`${file.path}:${i + 1}: ${line.length} columns`] : []
  })
}

const longFunctions = (file: File): string[] => nodesOf(file, functions).flatMap(({ start, end }) => {
  const lines = file.text.slice(start, end).split('\n').length
  return lines > functionLinesMax ? [`${file.path}:${lineOf(file.text, start)}: ${lines} lines`] : []
})

test('no line is longer than 140 columns, but for what stands between quotes', () => {
  const columns = (text: string): number => longLines({ path: 'x.ts', text }).length
  expect(columns(`f(${'a + '.repeat(40)}1)`)).toBe(1)
  expect(columns(`// ${'word '.repeat(40)}`)).toBe(1)
  expect(columns(`f('${'word '.repeat(40)}')`)).toBe(0)
  expect(columns(`f(\`${'word '.repeat(40)}\`)`)).toBe(0)
  expect(columns(`f(\`${'word ${a} '.repeat(20)}\`)`)).toBe(1)
  expect(sources.flatMap(longLines)).toEqual([])
})

test('no function of the product is longer than 70 lines', () => {
  expect(longFunctions({ path: 'x.ts', text: `function f() {\n${'  g()\n'.repeat(70)}}` })).toHaveLength(1)
  expect(product.flatMap(longFunctions)).toEqual([])
})

test('no test file shortens the time limits of its project, which only end what hangs', () => {
  // As options of a test, in a configuration, or after the function of a test or a hook.
  const shortens = ({ text }: { readonly text: string }): boolean => /\b(?:test|hook)Timeout: ?[\d_]+|^ *\}, [1-9][\d_]+\)$|^  \{ timeout: /m.test(text)
  expect(shortens({ text: 'vi.setConfig({ testTimeout: 60_000 })' })).toBe(true)
  expect(shortens({ text: "test('t', () => {\n}, 60_000)\n" })).toBe(true)
  const tests = sources.filter(({ path }) => path.endsWith('.test.ts') && !path.startsWith('test/tidy/'))
  expect(tests.filter(shortens).map(({ path }) => path)).toEqual([])
})
