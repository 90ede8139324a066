import { expect, test } from 'vitest'
import { parseDelimiter } from '../../../client/cli/catalog/files.ts'
import { environmentOf, onceEach } from '../../../client/cli/commands/run.ts'
import { parseParam } from '../../../client/cli/catalog/jobs.ts'
import { endOfLines } from '../../../client/cli/commands/head.ts'
import { formatOfName } from '../../../src/base/formats.ts'
import { printf } from '../../../client/cli/commands/stat.ts'
import { errorLineOf, exitCodeOf, Refusal } from '../../../client/cli/errors.ts'
import { expandGlob, type Tree } from '../../../client/cli/glob.ts'
import { parseMode } from '../../../client/cli/mode.ts'
import { inodeId } from '../../../src/base/ids.ts'
import { GristmillError } from '../../../src/base/errors.ts'

test('modes are octal, or letters that change what is there as chmod does', () => {
  const cases: [string, number, boolean, number][] = [
    ['640', 0o777, false, 0o640], ['1777', 0o755, true, 0o1777], ['u+x', 0o644, false, 0o744], ['go-w', 0o666, false, 0o644],
    ['a=r', 0o777, false, 0o444], ['+x', 0o644, false, 0o755], ['u=rwx,go=rx', 0, false, 0o755], ['a+X', 0o644, false, 0o644],
    ['a+X', 0o644, true, 0o755], ['a+X', 0o744, false, 0o755], ['+t', 0o755, true, 0o1755], ['-t', 0o1755, true, 0o755],
    ['o=', 0o777, false, 0o770], ['ug+rw,o-rwx', 0o007, false, 0o660],
  ]
  for (const [text, before, directory, after] of cases) expect(parseMode(text)(before, directory).toString(8), text).toBe(after.toString(8))
  for (const bad of ['', '999', '12345', 'u+q', 'x+r', 'u', '2777']) expect(() => parseMode(bad), bad).toThrow('is not a mode')
})

test('parameters keep their text unless it is JSON', () => {
  expect(parseParam('k=5')).toEqual(['k', 5])
  expect(parseParam('name=a=b')).toEqual(['name', 'a=b'])
  expect(parseParam('list=[1,"x"]')).toEqual(['list', [1, 'x']])
  expect(parseParam('empty=')).toEqual(['empty', ''])
  // A number that would print differently stays the text that was typed.
  for (const kept of ['12345678901234567890', '9007199254740993', '1.10', '1.0', '1e999', '1e3', '-0', '007', '0.10000000000000000001'])
    expect(parseParam(`v=${kept}`)).toEqual(['v', kept])
  for (const number of [0, -5, 1.1, 9_007_199_254_740_991, 1e21, 5e-324]) expect(parseParam(`v=${number}`)).toEqual(['v', number])
  expect(parseParam('ids=["12345678901234567890"]')).toEqual(['ids', ['12345678901234567890']])
  expect(() => parseParam('ids=[1,12345678901234567890]')).toThrow(
    /12345678901234567890 of the parameter ids would be changed to 12345678901234567000; put it in quotes/,
  )
  expect(() => parseParam('o={"a":{"b":1e999}}')).toThrow(/1e999 of the parameter o/)
  // Within lists and objects the notation of a number does not matter, as long as a double holds it.
  expect(parseParam('o={"a":0.50,"b":[1.0,1e3,-0.0],"c":1E20}')).toEqual(['o', { a: 0.5, b: [1, 1000, -0], c: 1e20 }])
  expect(() => parseParam('o=[0.10000000000000000001]')).toThrow(/would be changed to 0\.1/)
  for (const twice of ['{"a":1,"a":2}', '{"a":1,"\\u0061":1}', '[{"b":{"c":"{","x":":","c":[]}}]'])
    expect(() => parseParam(`o=${twice}`), twice).toThrow(/the parameter o has an object with the name ".*" twice/)
  expect(parseParam('o={"a":{"a":[{"a":1},{"a":":"}]},"b":"a"}')).toEqual(['o', { a: { a: [{ a: 1 }, { a: ':' }] }, b: 'a' }])
  expect(onceEach('--param', [['a', 1], ['b', 2]])).toEqual({ a: 1, b: 2 })
  expect(() => onceEach('--param', [['a', 1], ['b', 2], ['a', 1]])).toThrow('--param a is given twice')
  expect(() => environmentOf(['A=1', 'A'], { A: '1' })).toThrow('--env A is given twice')
  expect(() => parseParam('=5')).toThrow('name=value')
})

test('the kind of records is guessed from the name, and bytes are not cut', () => {
  expect(['a.csv', 'b.NDJSON', 'c.jsonl', 'd.log', 'e.txt.gz', 'f', 'g.bin'].map(formatOfName)).toEqual([
    'csv', 'jsonl', 'jsonl', 'lines', 'bytes', 'bytes', 'bytes',
  ])
})

test('head finds the end of the n-th line, over several pieces', () => {
  expect(endOfLines(Buffer.from('a\nb\nc'), 2)).toEqual({ bytes: 4, lines: 2 })
  expect(endOfLines(Buffer.from('a\nb\nc'), 5)).toEqual({ bytes: 5, lines: 2 })
  expect(endOfLines(Buffer.from(''), 1)).toEqual({ bytes: 0, lines: 0 })
})

/** `{ dir: { file: null } }` */
type Nested = { [name: string]: Nested | null }

function treeOf(root: Nested): Tree {
  const at = (path: string): Nested | null | undefined =>
    path
      .split('/')
      .filter(Boolean)
      .reduce<Nested | null | undefined>((node, name) => node?.[name], root)
  return {
    async *list(directory) {
      for (const [name, node] of Object.entries(at(directory) ?? {}).sort()) yield { name, directory: node !== null }
    },
    find: async path => (at(path) === undefined ? undefined : { name: path.split('/').at(-1)!, directory: at(path) !== null }),
    join: (directory, name) => `${directory === '/' ? '' : directory}/${name}`,
    start: () => '/',
  }
}

test('globs match names in order, skip hidden ones, go deep with **, and an existing name is itself', async () => {
  const tree = treeOf({
    logs: { 'a.log': null, 'b.log': null, 'c.txt': null, '.hidden.log': null, deep: { 'd.log': null } },
    'odd[1]': null, other: { x: { 'y.log': null } },
  })
  const expand = (pattern: string) => Array.fromAsync(expandGlob(pattern, tree))
  expect(await expand('/logs/*.log')).toEqual(['/logs/a.log', '/logs/b.log'])
  expect(await expand('/logs/.*.log')).toEqual(['/logs/.hidden.log'])
  expect(await expand('/logs/[ac]*')).toEqual(['/logs/a.log', '/logs/c.txt'])
  expect(await expand('/logs/{a,c}.{log,txt}')).toEqual(['/logs/a.log', '/logs/c.txt'])
  expect(await expand('/**/*.log')).toEqual(['/logs/a.log', '/logs/b.log', '/logs/deep/d.log', '/other/x/y.log'])
  expect(await expand('/*/x/y.log')).toEqual(['/other/x/y.log'])
  expect(await expand('/odd[1]')).toEqual(['/odd[1]'])
  expect(await expand('/not/there')).toEqual(['/not/there'])
  expect(await expand('/logs/**')).toEqual(['/logs/a.log', '/logs/b.log', '/logs/c.txt', '/logs/deep', '/logs/deep/d.log'])
  await expect(expand('/logs/*.csv')).rejects.toThrow('/logs/*.csv: no such file or directory')
})

test('a slash at the end asks for a directory, with a pattern and without', async () => {
  const tree = treeOf({ d: { f: null, sub: { g: null } }, 'odd*': null })
  const expand = (pattern: string) => Array.fromAsync(expandGlob(pattern, tree))
  expect(await expand('/d/*/')).toEqual(['/d/sub'])
  expect(await expand('/**/')).toEqual(['/d', '/d/sub'])
  expect(await expand('/d/')).toEqual(['/d/'])
  await expect(expand('/d/f/')).rejects.toMatchObject({ code: 'ENOTDIR', message: '/d/f/: not a directory' })
  await expect(expand('/odd*/')).rejects.toMatchObject({ code: 'ENOTDIR' })
  await expect(expand('/d/f*/')).rejects.toMatchObject({ code: 'ENOENT' })
})

test('complaints name the path as Unix does, and keep messages that advise', () => {
  expect(errorLineOf(new GristmillError('ENOENT', '"/nope" does not exist', { details: { path: '/nope' } }), 'nope')).toBe(
    '/nope: no such file or directory',
  )
  expect(errorLineOf(new GristmillError('ENOENT', 'x'), '/a')).toBe('/a: no such file or directory')
  expect(errorLineOf(new GristmillError('ENOSPC', 'no datanode has room for a block of 128 MiB'), '/a')).toBe(
    '/a: no datanode has room for a block of 128 MiB',
  )
  expect(errorLineOf(new Refusal('EISDIR', '/d: is a directory; add -r'), '/d')).toBe('/d: is a directory; add -r')
  expect(errorLineOf(Object.assign(new Error("ENOENT: no such file, open 'x'"), { code: 'ENOENT', path: 'x', syscall: 'open' }))).toBe(
    'x: no such file or directory',
  )
  expect(exitCodeOf(Object.assign(new Error('x'), { code: 'EACCES', syscall: 'open' }))).toBe(1)
  expect(exitCodeOf(new GristmillError('UNAVAILABLE', 'x'))).toBe(69)
  expect(exitCodeOf(new TypeError('x'))).toBe(70)
})

test('stat --printf fills in facts and escapes', () => {
  const status = {
    path: '/a b', id: inodeId(7), type: 'file', length: 12, replication: 3, blockBytes: 4096, blocks: 1, format: 'lines', owner: 'ada',
    group: 'staff', mode: 0o640, mtimeMs: 1_000_999,
  } as const
  expect(printf('%n %s %F %a %A %U:%G %r %b %o %Y %%', status)).toBe('/a b 12 file 640 -rw-r----- ada:staff 3 1 4096 1000 %\n')
  expect(printf('%s\\t%q\\0', status)).toBe('12\t%q\0')
})

test('what separates fields is one ASCII character; a tab can be written out', () => {
  expect([';', '|', ' ', 'tab', '\\t', '\t'].map(parseDelimiter)).toEqual([';', '|', ' ', '\t', '\t', '\t'])
  for (const text of ['', ';;', 'é', '"', '\n']) expect(() => parseDelimiter(text)).toThrow(/cannot separate CSV columns/)
})
