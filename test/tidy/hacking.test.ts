// Pages for contributors against the tree: paths, tests, scripts, ranks, metrics and decision numbers that docs name exist, and test/unit
// mirrors the folders it tests.

import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { ranks } from './rooms.ts'
import { filesBelow, root } from './source.ts'

const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const hacking = read('docs/HACKING.md')
const pages = ['docs/HACKING.md', 'docs/ARCHITECTURE.md', 'docs/glossary.md', ...filesBelow(['docs/decisions'], ['.md'])]

/** Project paths between backquotes, in a diagram, or in a command. */
const pathPattern = /(?<![\w./-])(?:src|namenode|datanode|client|test|docs)\/[\w./-]*\w|(?<![\w./-])\.ci\/run\b/g

test('every path that HACKING, ARCHITECTURE, the glossary and the decisions name exists', () => {
  const named = pages.flatMap(page =>
    [
      ...read(page)
        .replaceAll(/\]\([^)]*\)/g, ']')
        .matchAll(pathPattern),
    ].map(match => ({ page, path: match[0] })),
  )
  expect(named.length).toBeGreaterThan(100)
  expect(named.filter(({ path }) => !existsSync(join(root, path)))).toEqual([])
})

test('every test that the museum, the guides and the other pages name exists', () => {
  const named = filesBelow(['docs'], ['.md']).flatMap(page =>
    [...read(page).matchAll(/(?<![\w./-])test\/[\w./-]+\.test\.ts\b/g)].map(match => ({ page, path: match[0] })))
  expect(named.length).toBeGreaterThan(200)
  expect(named.filter(({ path }) => !existsSync(join(root, path)))).toEqual([])
})

/** Test files of `test/unit` that use a whole house, or the library as a whole. */
const ofAHouse = /^test\/unit\/(?:namenode|datanode|client)\/[\w-]+\.ts$/

test('a unit test lies in the folder of test/unit that mirrors the folder it tests', () => {
  const files = filesBelow(['test/unit'], ['.ts']).filter(path => !ofAHouse.test(path) && !path.startsWith('test/unit/src/world/child/'))
  expect(files.length).toBeGreaterThan(150)
  expect(files.filter(path => !existsSync(join(root, dirname(path).slice('test/unit/'.length))))).toEqual([])
})

test('every npm script that HACKING names exists, and every script for tests is named there', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
  const named = new Set([...hacking.matchAll(/\bnpm run (?:-s )?([\w:]+)/g)].map(match => match[1]!))
  expect([...named].filter(script => !(script in scripts))).toEqual([])
  expect(Object.keys(scripts).filter(script => script.startsWith('test:') && !named.has(script) && script !== 'test:unit')).toEqual([])
})

test('the example of a message lies in each of the places that HACKING lists', () => {
  const section = /^## Add a message\n([\s\S]*?)^## /m.exec(hacking)![1]!
  const listed = [...section.matchAll(/`((?:src|namenode|client|test|docs)\/[^`]+)`/g)].map(match => match[1]!)
  const expected: Record<string, RegExp> = {
    'src/protocol/quota.ts': /export const get = message\('quota\.get'/,
    'namenode/quotas/routes.ts': /route\(protocol\.get,/,
    'namenode/quotas/room.ts': /quotaRoutes\(/,
    'namenode/room.ts': /export const answered\b/,
    'test/unit/namenode/rooms.test.ts': /of\('safemode'\)/,
    'namenode/jobs/publish/reservations.ts': /^const (?:made|harmful)\b/m,
    'client/files/quotas.ts': /protocol\.get,/,
    'client/files/names.ts': /new Quotas\(/,
    'client/index.ts': /quotas\.ts'/,
    'test/bench/bare/rows.ts': /quota\.get/,
    'test/tidy/pauses.test.ts': /every message has a row/,
    'test/unit/client/aborts.test.ts': /'mill\.quotas\.get':/,
    'test/unit/client/fuzz.test.ts': /'mill\.quotas\.get':/,
    'test/unit/namenode/quotas/quotas.test.ts': /quota/,
    'docs/guide/quotas.md': /^# Quotas/,
  }
  expect(listed.sort()).toEqual(Object.keys(expected).sort())
  expect(Object.entries(expected).filter(([path, pattern]) => !pattern.test(read(path))).map(([path]) => path)).toEqual([])
})

test('the glossary is in alphabetical order, each term once', () => {
  const terms = [
    ...read('docs/glossary.md')
      .split('\n## ')[0]!
      .matchAll(/^\| ([^|]+?) \|/gm),
  ]
    .map(match => match[1]!.toLowerCase())
    .slice(1)
  expect(terms.length).toBeGreaterThan(100)
  expect(terms).toEqual([...new Set(terms)].sort((a, b) => (a < b ? -1 : 1)))
})

test('decisions are numbered without gaps, in their names and in their titles', () => {
  const names = filesBelow(['docs/decisions'], ['.md'])
  expect(names.map(name => /\/(\d{4})-[\w-]+\.md$/.exec(name)?.[1])).toEqual(names.map((_, i) => String(i + 1).padStart(4, '0')))
  for (const [i, name] of names.entries()) expect(read(name)).toMatch(new RegExp(`^# ${i + 1}\\. `))
})

test('the ranks that ARCHITECTURE shows for the rooms of namenode, datanode and client are those of the tidy test', () => {
  const rows = [...read('docs/ARCHITECTURE.md').matchAll(/^\| `(namenode|datanode|client)` \| (.* 7\.\d+) \|$/gm)]
  expect(rows).toHaveLength(3)
  for (const [, house, text] of rows) {
    const shown = text!.split(' · ').flatMap(part => {
      const [, names, rank] = /^(?:the root, )?(.+?),? ([\d.]+)$/.exec(part)!
      return names!.split(', ').map(name => [name.startsWith('`') ? house! : `${house}/${name}`, Number(rank)] as const)
    })
    const folders = Object.entries(ranks).filter(
      ([room, rank]) => rank < 8 && (room === house || room.startsWith(`${house}/`)) && !room.endsWith('.ts'),
    )
    expect(Object.fromEntries(shown)).toEqual(Object.fromEntries(folders))
  }
})

test('every metric that a guide names is one of a namenode, a datanode, a gateway or any server', () => {
  const exposed = new Set(
    ['namenode/admin/status.ts', 'datanode/metrics.ts', 'client/gateway/metrics.ts', 'src/rpc/metrics.ts'].flatMap(path =>
      [...read(path).matchAll(/'?\b(gristmill_\w+)/g)].map(match => match[1]!),
    ),
  )
  const named = filesBelow(['docs/guide'], ['.md']).flatMap(page => [...read(page).matchAll(/\bgristmill_\w+/g)].map(match => match[0]))
  expect(named.length).toBeGreaterThan(10)
  expect(named.filter(metric => !exposed.has(metric))).toEqual([])
})
