// Pattern language, on in-memory trees: every construct of the page of the language, bounded work for any pattern, and one listing per
// directory.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { alternatives } from '../../../../client/glob/braces.ts'
import { expand, type GlobEntry, type GlobTree } from '../../../../client/glob/expand.ts'
import { isPattern, namePattern, textPattern } from '../../../../client/glob/pattern.ts'

/** `{ dir: { file: null } }`, with a count of listings. */
type Nested = { [name: string]: Nested | null }
function treeOf(root: Nested): GlobTree & { listed: string[] } {
  const at = (path: string): Nested | null | undefined =>
    path
      .split('/')
      .filter(Boolean)
      .reduce<Nested | null | undefined>((node, name) => node?.[name], root)
  const listed: string[] = []
  return {
    listed,
    start: () => '/',
    join: (directory, name) => `${directory === '/' ? '' : directory}/${name}`,
    async *list(directory) {
      listed.push(directory)
      for (const [name, node] of Object.entries(at(directory) ?? {}).sort()) yield { name, directory: node !== null }
    },
    find: async path => (at(path) === undefined ? undefined : { name: path.split('/').at(-1)!, directory: at(path) !== null }),
  }
}

const pathsOf = async <E extends GlobEntry>(pattern: string, tree: GlobTree<E>): Promise<string[]> =>
  (await Array.fromAsync(expand(pattern, tree))).map(found => found.path)

test.each([
  // Syntax of picomatch's own is literal here.
  ['!o*', '!old', true], ['!o*', 'a', false], ['export (1)*', 'export (1).csv', true], ['+(a*)b', '+(aa)b', true], ['+(a*)b', 'aab', false],
  ['@(a|b)*', '@(a|b)c', true], ['@(a|b)*', 'ac', false], ['*', 'with\nnewline', true], ['?', '😀', true], ['??', '😀', false],
  ['[😀-😂]', '😁', true], ['[a-c]', 'b', true], ['[!a-c]', 'd', true], ['[!a-c]', '😀', true], ['[z-a]', 'b', false], ['[a', '[a', true],
  ['[]', '[]', true], ['[]]', ']', true], ['[a\\]]', ']', true], ['\\*', '*', true], ['\\*', 'a', false], ['a\\', 'a\\', true],
  ['[[:upper:]]*', 'Abc', true], ['[[:upper:]]*', 'abc', false], ['#*', '#1', true], ['$*', '$x', true], ['~', '~', true],
  ['[[=a=]]', 'a', true], ['[[=a=]]', '=', false], ['[[.a.]]', 'a', true], ['[[.a.]]', '.', false], ['[[.-.]a]', '-', true],
  ['[[.a.]-[.c.]]', 'b', true], ['[[=a=]b]', 'b', true], ['[[=a]', '=', true], ['[[.]', '.', true], ['\\[[:foo:]]', '[:]', true],
] as const)('%j on %j: %j', (pattern, name, matched) => {
  expect(namePattern(pattern).matches(name)).toBe(matched)
})

test.each(['[[:foo:]]', 'a[[:Alpha:]x]', '[[.ab.]]', '[[=ab=]]', '[[.hyphen.]]', '[a-[.bc.]]'])(
  '%s names no characters, and is refused',
  pattern => {
    const refusal = expect.objectContaining({ code: 'EINVAL', message: expect.stringMatching(/names the characters? \[.*write \\\[/) })
    expect(() => namePattern(pattern)).toThrow(refusal)
    expect(() => textPattern(pattern)).toThrow(refusal)
  },
)

test('numbers in braces are numbers, with steps and widths', () => {
  const written = (pattern: string): string[] => [...alternatives(pattern)]
  expect(written('day{8..10}')).toEqual(['day8', 'day9', 'day10'])
  expect(written('{08..10}')).toEqual(['08', '09', '10'])
  expect(written('{1..9..4}')).toEqual(['1', '5', '9'])
  expect(written('{10..1..3}')).toEqual(['10', '7', '4', '1'])
  expect(written('{-1..1}')).toEqual(['-1', '0', '1'])
  expect(written('{a,b/{c,d}}.csv')).toEqual(['a.csv', 'b/c.csv', 'b/d.csv'])
  expect(written('{a}{}{1..x}')).toEqual(['{a}{}{1..x}'])
  expect(written('\\{a,b\\}')).toEqual(['\\{a,b\\}'])
  expect(written('{W..b}').map(one => one.at(-1)).join('')).toBe('WXYZ[\\]^_`ab')
})

test('braces that stand for too many names are refused before they are written out', () => {
  expect(() => alternatives('{1..1000000000}')).toThrow('more than 10000')
  expect(() => alternatives('{a,b}'.repeat(40))).toThrow('more than 10000')
  expect(() => alternatives('*'.repeat(10_000))).toThrow('characters')
  expect([...alternatives('{'.repeat(4000))]).toHaveLength(1)
  expect([...alternatives(`${'{a,'.repeat(1000)}b${'}'.repeat(1000)}`)]).toHaveLength(1001)
  for (const pattern of [
    `${'{a,'.repeat(2000)}b${'}'.repeat(2000)}`, '{'.repeat(4000) + '}'.repeat(4000),
    `${'{'.repeat(2000)},${'{'.repeat(2000)}${'}'.repeat(2000)}`,
  ]) {
    expect(() => alternatives(pattern)).toThrow('too many braces, one within the other')
  }
})

test('no pattern takes more steps than its length times that of the name', () => {
  // A backtracking engine would need years for these.
  const name = 'a'.repeat(255)
  expect(namePattern(`+(${'a*'.repeat(60)})b`).matches(name)).toBe(false)
  expect(namePattern(`${'*a'.repeat(100)}b`).matches(name)).toBe(false)
  expect(textPattern(`${'**/a*'.repeat(100)}b`)(`${'a/'.repeat(2000)}a`)).toBe(false)
})

test('a directory is listed once, however many ways lead into it, and each path comes once', async () => {
  let deep: Nested = { f: null }
  for (let i = 0; i < 40; i++) deep = { d: deep }
  const tree = treeOf(deep)
  expect(await pathsOf('/**/d/**/d/**/d/**/f', tree)).toHaveLength(1)
  expect(tree.listed.length).toBe(41)
  expect(await pathsOf('/{d,*}/{*,d}', tree)).toEqual(['/d/d'])
})

test('only what the pattern can reach is looked at', async () => {
  const tree = treeOf({ a: { b: { 'x.txt': null }, c: {} }, z: {} })
  expect(await pathsOf('/a/b/*.txt', tree)).toEqual(['/a/b/x.txt'])
  expect(tree.listed).toEqual(['/a/b'])
  expect(await pathsOf('/a/../{z,a/c}', tree)).toEqual([])
})

test('the error names hidden files where they alone would match', async () => {
  const tree = treeOf({ d: { a: null, _b: null, '.c': null, _e: { f: null } } })
  const hidden: string[] = []
  const run = async (pattern: string): Promise<string[]> => {
    hidden.length = 0
    return (await Array.fromAsync(expand(pattern, tree, { hidden: '._', onHidden: ({ path }) => hidden.push(path) }))).map(
      found => found.path,
    )
  }
  expect([await run('/d/*'), [...hidden]]).toEqual([['/d/a'], ['/d/.c', '/d/_b', '/d/_e']])
  expect([await run('/d/_*'), [...hidden]]).toEqual([['/d/_b', '/d/_e'], []])
  expect([await run('/d/?'), [...hidden]]).toEqual([['/d/a'], []])
  expect([await run('/**/f'), [...hidden]]).toEqual([[], ['/d/_e']])
  expect(await run('/d/_e/f')).toEqual(['/d/_e/f'])
})

describe('a whole path, as find --path has it', () => {
  test.each([
    ['/a/*', '/a/b/c', true], ['/a/**/x', '/a/x', true], ['/a/**/x', '/a/b/c/x', true], ['/a/**/x', '/a/bx', false], ['**/x', 'x', true],
    ['/**', '/a/b', true], ['/a/**', '/a', false], ['*/.*', '/a/.b', true], ['/a[!b]c', '/a/c', true],
  ] as const)('%j on %j: %j', (pattern, text, matched) => {
    expect(textPattern(pattern)(text)).toBe(matched)
  })

  test('upper and lower case are one where it is asked for', () => {
    const matches = (pattern: string, text: string): boolean => textPattern(pattern, true)(text)
    expect([
      matches('*.LOG', 'a.log'), matches('[a-c]*', 'Big'), matches('[A-C]*', 'big'), matches('Ü', 'ü'), matches('[!A]', 'a'),
    ]).toEqual([true, true, true, true, false])
  })
})

test('the page tells the language, and its examples are true', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../../docs/reference/patterns.md'), 'utf8')
  const rows = [...page.matchAll(/^\| `(.+?)` \| (?:`(.*?)`|nothing) \| (.*?) \|$/gm)].map(([, pattern, yes, no]) => ({
    pattern: pattern!, yes: yes?.split('` `') ?? [], no: [...no!.matchAll(/`(.*?)`/g)].map(match => match[1]!),
  }))
  expect(rows.length).toBeGreaterThan(12)
  for (const { pattern, yes, no } of rows) {
    const names = [...alternatives(pattern)].map(namePattern)
    for (const name of yes) expect(names.some(one => one.matches(name)), `${pattern} on ${name}`).toBe(true)
    for (const name of no) expect(names.some(one => one.matches(name)), `${pattern} on ${name}`).toBe(false)
  }
  expect(['a*', 'a?', '[a', '{a'].map(isPattern)).toEqual([true, true, true, true])
  expect(['a]', '!a', '+(a)', 'a}b', '#', '\\a'].map(isPattern)).toEqual([false, false, false, false, false, false])
})
