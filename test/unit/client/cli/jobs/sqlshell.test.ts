// The shell of `gristmill sql`: lines become statements and commands, answers are printed, and errors and Ctrl-C end what one
// line has asked.
// Queries run in this process over local files.

import { Writable } from 'node:stream'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { CommandContext } from '../../../../../client/cli/context.ts'
import { completionsOf, openPath, SqlLines } from '../../../../../client/cli/jobs/sqllines.ts'
import { SqlShell } from '../../../../../client/cli/jobs/sqlshell.ts'
import { Printer } from '../../../../../client/cli/printer.ts'
import { systemClock } from '../../../../../src/world/clock.ts'
import { localDisk } from '../../../../../src/world/disk.ts'
import { MemoryDisk } from '../../../../kit/memory-disk.ts'
import { Local } from '../../sql/kit.ts'
import { FakeMill, runFake } from '../fake.ts'

let on: Local
beforeAll(() => {
  on = new Local()
  on.write('a.csv', 'day,tonnes\n1,2.5\n2,7\n')
  on.write('q.sql', `SELECT 1 AS one;\nSELECT 'a;b' AS two -- the end\n`)
})
afterAll(() => on[Symbol.dispose]())

function shell(): { shell: SqlShell; said: () => string; type: (...lines: string[]) => Promise<string> } {
  let text = ''
  const sink = new Writable({ write(chunk: Buffer, _encoding, done) { text += chunk.toString(); done() } })
  const printer = new Printer({ stdin: process.stdin, stdout: sink, stderr: sink } as never, {})
  const context = {
    printer, signal: new AbortController().signal, cwd: on.dir, json: false, world: async () => ({ clock: systemClock, disk: localDisk }),
    progress: async () => ({ drawn: false, bar: () => ({ update() {} }), stop() {} }),
    complain: (error: Error) => printer.complain(`failed: ${error.message}`),
    mill: async () => ({
      async *list(path: string) {
        for (const name of ['logs', 'log.csv', 'x']) yield { path: `${path}/${name}`, type: name === 'logs' ? 'directory' : 'file' }
      },
    }),
  } as unknown as CommandContext
  const made = new SqlShell({
    context, format: 'csv', history: undefined, hasCluster: () => true, query: (sql, signal) => on.query(sql, undefined, { signal }),
  })
  return {
    shell: made, said: () => text,
    async type(...lines) {
      const before = text.length
      await made.serve((async function* () { yield* lines })(), prompt => { text += prompt })
      return text.slice(before)
    },
  }
}

test('lines become statements at their semicolons, outside of quotes and comments; commands are lines of their own', () => {
  const lines = new SqlLines()
  const statement = (text: string) => ({ kind: 'statement', text })
  expect(lines.add(`select ';`)).toEqual([])
  expect(lines.add('\\d')).toEqual([])
  expect(lines.add(`' as a; select 2 -- ;`)).toEqual([statement(`select ';\n\\d\n' as a`)])
  expect(lines.isOpen).toBe(true)
  expect(lines.add('; select 3; select 4;')).toEqual([statement('select 2 -- ;'), statement('select 3'), statement('select 4')])
  expect([lines.isOpen, lines.add('   '), lines.isOpen]).toEqual([false, [], false])
  expect(lines.add('  \\d  sales ;')).toEqual([{ kind: 'command', word: 'd', rest: 'sales' }])
  expect(lines.add('.help')).toEqual([{ kind: 'command', word: 'help', rest: '' }])
  expect([lines.add('from x'), lines.end(), lines.end()]).toEqual([[], [statement('from x')], []])
})

test('statements are answered one after the other, and an error ends its own only', async () => {
  const { type } = shell()
  expect(await type('SELECT sum(tonnes) AS t', `FROM './a.csv'; SELECT 2 AS n;`, 'selec;', 'SELECT 3 AS last'))
    .toMatch(/^sql> \.\.\.> t\n9\.5\nn\n2\nsql> failed: .*syntax error[^]*sql> \.\.\.> last\n3\n$/)
  expect(await type('\\d ./a.csv', '\\format jsonl', 'SELECT 1 AS a;', '\\format nope', '\\nope', '\\i ./q.sql')).toMatch(
    /column_name,[^]*tonnes,DOUBLE[^]*\{"a":1\}\n[^]*formats are table[^]*there is no command \\nope[^]*\{"one":1\}\n\{"two":"a;b"\}/)
  expect(await type('\\timing', 'SELECT 1;', '\\q', 'SELECT 5;')).toMatch(/timing is on[^]*Time: \d+ ms\nsql> $/)
  expect(await type('explain select 1;')).toContain('in this process')
})

test('after an error or Ctrl-C the rest of its line, and of its file, does not run', async () => {
  const { shell: made, type, said } = shell()
  on.write('bad.sql', `SELECT 1 AS first;\nSELECT * FROM nosuch;\nSELECT 3 AS third;\n`)
  expect(await type('\\i ./bad.sql', 'SELECT 4 AS next;')).toMatch(/^sql> first\n1\nfailed: [^]*nosuch[^]*sql> next\n4\nsql> $/)
  expect(await type('selec; SELECT 5 AS five; SELECT', 'SELECT 6 AS six;')).toMatch(/^sql> failed: [^]*sql> six\n6\nsql> $/)
  expect(said()).not.toMatch(/third|five/)
  const long = type('SELECT count(*) FROM range(10000000) a, range(100000) b; SELECT 7 AS seven;', 'SELECT 8 AS eight;')
  const again = setInterval(() => { if (!said().includes('cancelled')) made.interrupt() }, 20)
  try {
    expect(await long).toMatch(/failed: the statement was cancelled\nsql> eight\n8\n/)
  } finally {
    clearInterval(again)
  }
  expect(said()).not.toContain('seven')
})

test('Ctrl-C cancels the statement that runs, or drops the lines that were typed', async () => {
  const { shell: made, type, said } = shell()
  const long = type('SELECT count(*) FROM range(10000000) a, range(100000) b;', 'SELECT 7 AS after;')
  // The statement is asked for in the turns after the line; an interrupt before has nothing to cancel.
  const again = setInterval(() => { if (!said().includes('cancelled')) made.interrupt() }, 20)
  try {
    expect(await long).toMatch(/failed: the statement was cancelled\nsql> after\n7\n/)
  } finally {
    clearInterval(again)
  }
  const lines = ['SELECT 1,', 'SELECT 2 AS two;']
  const typed = made.serve((async function* () {
    yield lines[0]!
    made.interrupt()
    yield lines[1]!
  })(), () => {})
  await typed
  expect(said()).toMatch(/two\n2\n$/)
})

test('words, functions, columns of named tables and paths are completed', async () => {
  const { shell: made } = shell()
  expect(completionsOf('sel', { words: ['SELECT'], columns: [] })).toEqual([['select'], 'sel'])
  expect(completionsOf('SELECT to', { words: ['TOTAL'], columns: ['tonnes'] })).toEqual([['tonnes', 'total'], 'to'])
  expect((await made.complete('SELECT approx_count_d'))[0]).toEqual(['approx_count_distinct'])
  expect(await made.complete(`FROM './a.csv' WHERE to`)).toEqual([expect.arrayContaining(['tonnes']), 'to'])
  expect(await made.complete(`FROM '/data/lo`)).toEqual([['logs/', 'log.csv'], 'lo'])
  expect([openPath(`FROM '/a/b`), openPath(`FROM '/a/b'`), openPath('FROM x')])
    .toEqual([{ directory: '/a', prefix: 'b' }, undefined, undefined])
  expect(await made.complete('')).toEqual([[], ''])
})

test('several statements run one after the other, and the first error ends them, with its line in the whole', async () => {
  const run = (text: string, ...words: string[]) => runFake(new FakeMill({}), ['sql', ...words], { input: text, disk: new MemoryDisk() })
  expect(await run(`SELECT 1 AS a;\n-- the second\nSELECT ';' AS b;\n`)).toMatchObject({ code: 0, out: 'a\n1\n\nb\n;\n' })
  expect(await run('SELECT 1 AS a; SELECT 2 AS a', '--format', 'jsonl')).toMatchObject({ code: 0, out: '{"a":1}\n{"a":2}\n' })
  const failed = await run('SELECT 1 AS a;\n\nSELECT nope; SELECT 3')
  expect(failed).toMatchObject({ code: 1, out: 'a\n1\n\n', err: expect.stringMatching(/"nope" was not found[^]*LINE 3/) })
  for (const words of [['-o', '/out'], ['--explain'], ['--format', 'json'], ['--param', 'a=1']])
    expect(await run('SELECT 1; SELECT 2', ...words)).toMatchObject({ out: '', err: expect.stringContaining('2') })
})
