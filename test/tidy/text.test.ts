// Text of sources and docs: every source and test file opens with a comment, no test is focused or skipped without a reason, links lead
// somewhere, the table of errors matches its page, and no text names the machine it was written on.

import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { codes } from '../../src/base/errors.ts'
import { filesBelow, lineOf, readSources, root } from './source.ts'

const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const sources = readSources(['src', 'namenode', 'datanode', 'client', 'test'])
const pages = ['README.md', ...filesBelow(['docs'], ['.md'])]

/** Lines that match, as `file:line: text`. */
const matches = (path: string, text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].map(match => `${path}:${lineOf(text, match.index)}: ${match[0].trim()}`)

test('every source file and every test file opens with a comment that says its duty', () => {
  const silent = sources.filter(({ text }) => !/^(#!.*\n)?(\/\/ \S|\/\*\*? ?\S)/.test(text))
  expect(sources.length).toBeGreaterThan(40)
  expect(silent.map(source => source.path)).toEqual([])
})

test('no test is focused, and none is skipped without a reason beside it', () => {
  const pattern = /\b(?:test|it|describe|suite)(?:\.\w+)*\.(?:only|skip|todo|skipIf|fails)\b.*$/gm
  const found = sources.filter(({ path }) => path.endsWith('.test.ts')).flatMap(({ path, text, code }) =>
    [...code.matchAll(pattern)]
      .filter(match => /\.only\b/.test(match[0]) || !/\/\/ because \S/.test(text.slice(match.index).split('\n', 4).join('\n')))
      .map(match => `${path}:${lineOf(text, match.index)}`))
  expect(found).toEqual([])
})

/** Parties have names (caller, writer, namenode, operator), and a sentence begins with its noun. */
const vague = [
  [/\b(?:nobody|somebody|anybody|everybody|whoever)\b/gi, 'names no party'],
  [/(?<!\w[ ,]*\n\s*)(?:\/\/|\/\*\*) +(?:What|Who|Whose|Of|How|Where|Whoever|Nobody)\b/g, 'opens with a fragment'],
] as const

const vagueIn = (path: string, text: string): string[] =>
  vague.flatMap(([pattern, fault]) => matches(path, text, pattern).map(line => `${line}: ${fault}`))

test('comments, messages and test titles name the parties, and do not open with fragments', () => {
  expect(vagueIn('x.ts', '// What nobody sees.\nf() // How\n// a sentence that goes on\n// Of two lines')).toHaveLength(3)
  const product = sources.filter(({ path }) => !path.startsWith('test/') || path.startsWith('test/kit/'))
  expect(product.flatMap(({ path, text }) => vagueIn(path, text))).toEqual([])
  const titles = sources.filter(({ path }) => path.endsWith('.test.ts')).flatMap(({ path, text }) =>
    [...text.matchAll(/^ *(?:test|it|describe)\b.*$/gm)].flatMap(({ 0: line }) => vagueIn(path, line)))
  expect(titles).toEqual([])
})

test('no message of the product names a page by its path in docs: a user of the package has no such path, and `gristmill help` prints pages', () => {
  const product = sources.filter(({ path }) => !path.startsWith('test/') || path.startsWith('test/kit/'))
  const named = product.flatMap(({ path, code }) => matches(path, code, /\bdocs\/[\w/-]+\.md\b.*$/gm))
  expect(matches('x.ts', "throw invalid('docs/reference/settings.md lists them all')", /\bdocs\/[\w/-]+\.md\b/g)).toHaveLength(1)
  expect(named).toEqual([])
})

/**
 * A repeated character, class or group at the beginning of an expression that ends with the text: each run is looked at from each of its
 * characters. Texts come from users, so its time is that of a text which was made for it.
 */
const square =
  /(?<![\w)\]])\/(?:\\.|[^\\/[\](){}|*+?\n ]|\[(?:\\.|[^\]\\\n])+\]|\(\?:(?:\\.|[^()\\\n])*\))[+*](?:\\?[^*+?|/\\\n]\?)?\$\/[a-z]*(?=[.,);])/g

test('no expression takes characters from the end of a text in a time that grows with the square of its length', () => {
  const written = [
    "x.replace(/0+$/, '')", "x.replace(/(?:;\\s*)+$/, '')", "x.replace(/[ \\t]*$/u, '')", "x.replace(/\\/+\\.?$/, '')", '/\\s+$/.test(x)',
  ]
  expect(written.filter(line => matches('x.ts', line, square).length === 0)).toEqual([])
  expect(matches('x.ts', "/^0+$/.test(x); /-\\d+$/.exec(x); x.replace(/0+/g, ''); a / b + $x", square)).toEqual([])
  const product = sources.filter(({ path }) => !path.startsWith('test/'))
  expect(product.flatMap(({ path, text }) => matches(path, text, square))).toEqual([])
})

/** Paths and hosts of a development machine: they work nowhere else. */
const places =
  /(?<![\w.])\/(?:work|root)\/[\w./-]+|https?:\/\/(?:localhost|127\.0\.0\.1|[\w.-]*(?:verdaccio|artifactory|nexus|npm-mirror)[\w.-]*)[:/]\S*/g
const placesAllowed = /127\.0\.0\.1:\d+|localhost:\d+/

test('docs, sources and manifests name no path or host of the machine they were written on', () => {
  const texts = [
    ...pages.map(path => [path, read(path)] as const),
    ...sources.filter(({ path }) => path !== 'test/tidy/text.test.ts').map(({ path, text }) => [path, text] as const),
    ...['package.json', '.npmrc', 'Dockerfile', 'docker-compose.yml', '.ci/run'].map(path => [path, read(path)] as const),
  ]
  expect(texts.flatMap(([path, text]) => matches(path, text, places)).filter(line => !placesAllowed.test(line))).toEqual([])
})

test('the lockfile takes packages from the public registry or names no host at all', () => {
  const resolved = [...read('package-lock.json').matchAll(/"resolved": "([^"]+)"/g)].map(match => match[1]!)
  expect([...new Set(resolved.map(url => new URL(url).host))].filter(host => host !== 'registry.npmjs.org')).toEqual([])
})

test('the README leads to every page and room of the docs, and to none twice', () => {
  const links = [...read('README.md').matchAll(/\]\((docs\/[^)#]+)\)/g)].map(match => match[1]!)
  const rooms = links.filter(link => link.endsWith('/'))
  expect(pages.filter(page => page !== 'README.md' && !links.includes(page) && !rooms.some(room => page.startsWith(room)))).toEqual([])
  expect(links.filter((link, i) => links.indexOf(link) !== i)).toEqual([])
})

test('every relative link of the docs leads somewhere', () => {
  expect(pages.length).toBeGreaterThan(3)
  const broken: string[] = []
  for (const page of pages) {
    const text = read(page).replaceAll(/```[\s\S]*?```/g, block => block.replaceAll(/[^\n]/g, ' '))
    for (const match of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      const [path, anchor] = match[1]!.split('#') as [string, string?]
      if (/^[a-z]+:/.test(path)) continue
      const target = path === '' ? join(root, page) : join(root, dirname(page), path)
      if (!existsSync(target)) broken.push(`${page}:${lineOf(text, match.index)} → ${path}`)
      else if (anchor && statSync(target).isFile() && !anchorsOf(readFileSync(target, 'utf8')).has(anchor))
        broken.push(`${page} → ${match[1]}`)
    }
  }
  expect(broken).toEqual([])
})

const anchorsOf = (text: string): Set<string> =>
  new Set([...text.matchAll(/^#+ (.+)$/gm)].map(match => match[1]!.toLowerCase().replaceAll(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-')))

test('the table of errors and its page say the same, in both directions', () => {
  const rows = [...read('docs/reference/errors.md').matchAll(/^\| `([A-Z_]+)` \| (\d+) \| (yes|no) \| (\d+) \| (.+) \|$/gm)]
  const documented = Object.fromEntries(
    rows.map(row => [row[1]!, { status: Number(row[2]), retryable: row[3] === 'yes', exit: Number(row[4]) }]),
  )
  expect(codes).toMatchObject(documented)
  expect(rows).toHaveLength(Object.keys(codes).length)
})
