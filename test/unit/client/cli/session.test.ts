// One call of the command line: exit codes, usage errors, help, and what happens when output cannot be written.

import { expect, test } from 'vitest'
import { GristmillError, type ErrorCode } from '../../../../src/base/errors.ts'
import type { FileStatus } from '../../../../src/protocol/namespace.ts'
import { commandNames } from '../../../../client/cli/catalog.ts'
import { CommandContext } from '../../../../client/cli/context.ts'
import { FakeMill, runFake, someFiles } from './fake.ts'

test('one bad operand of several is complained of, the others are done, and the exit code is 1', async () => {
  const seen = await runFake(someFiles(), ['cat', '/logs/a.log', '/nope', '/logs', '/logs/b.log'])
  expect(seen.out).toBe('one\ntwo\nthree\nno newline at the end')
  expect(seen.err).toBe('gristmill: cat: /nope: no such file or directory\ngristmill: cat: /logs: is a directory\n')
  expect(seen.code).toBe(1)
  expect(seen.mill.closed).toBe(1)
})

test('the exit code of a command whose only operand fails is that of the error; of several operands, also by a pattern, it is 1', async () => {
  const failing = (code: ErrorCode, ...paths: string[]) => {
    const mill = someFiles()
    const fail = (path: string): void => { if (paths.includes(path)) throw new GristmillError(code, 'no answer came') }
    return Object.assign(mill, {
      async rm(path: string): Promise<void> { fail(path) },
      createReadStream(...given: Parameters<FakeMill['createReadStream']>) {
        fail(given[0])
        return FakeMill.prototype.createReadStream.apply(mill, given)
      },
      async *list(path: string): AsyncGenerator<FileStatus> {
        fail(path)
        yield* FakeMill.prototype.list.call(mill, path)
      },
    })
  }
  const cases: [ErrorCode, string, string[], number][] = [
    ['OUTCOME_UNKNOWN', '/zero.bin', ['rm', '/zero.bin'], 75], ['TIMEOUT', '/zero.bin', ['rm', 'zero.bin'], 75],
    ['TIMEOUT', '/zero.bin', ['rm', '/zero.b*'], 75], ['OVERLOADED', '/zero.bin', ['rm', '/zero.bin', '--json'], 75],
    ['CORRUPT', '/logs/a.log', ['cat', '/logs/a.log'], 74], ['TIMEOUT', '/logs', ['ls', '/logs'], 75],
    ['EACCES', '/zero.bin', ['rm', '/zero.bin'], 1], ['UNAVAILABLE', '/zero.bin', ['rm', '/zero.bin'], 69],
    ['OUTCOME_UNKNOWN', '/zero.bin', ['rm', '/zero.bin', '/logs/a.log'], 1],
    ['OUTCOME_UNKNOWN', '/logs/a.log', ['rm', '/zero.bin', '/logs/a.log'], 1],
    ['TIMEOUT', '/logs/a.log', ['rm', '/logs/*.log'], 1], ['CORRUPT', '/logs/b.log', ['cat', '/logs/a.log', '/logs/b.log'], 1],
    ['TIMEOUT', '/logs', ['ls', '/logs', '/zero.bin'], 1],
  ]
  for (const [code, path, words, exit] of cases) {
    const seen = await runFake(failing(code, path), words)
    const phrase = code === 'EACCES' ? 'permission denied' : 'no answer came'
    expect([seen.code, seen.err], `${code} ${words.join(' ')}`).toEqual([exit, expect.stringContaining(phrase)])
  }
})

test('with --json, listings are lines and errors are objects on stderr', async () => {
  const seen = await runFake(someFiles(), ['--json', 'ls', '/logs/deep', '/nope'])
  expect(
    seen.out
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as { path: string })
      .map(entry => entry.path),
  ).toEqual(['/logs/deep/c.txt'])
  expect(JSON.parse(seen.err)).toEqual({
    error: { code: 'ENOENT', message: '/nope: no such file or directory', command: 'ls', operand: '/nope', details: { path: '/nope' } },
  })
})

test('a usage error exits with 2 and points to the help', async () => {
  const cases: [string[], string][] = [
    [['--quiet'], 'no command given'],
    [['lss'], 'no such command: lss (did you mean ls?)'],
    [['ls', '--nope'], "unknown option '--nope'"], [['cat'], 'missing operand <path...>'],
    [['chmod', '-R', '711', ''], 'operand 2 of chmod is empty; is a variable not set?'],
    [['put', '', '/x'], 'operand 1 of put is empty'],
    [['xattr', 'set', '', 'user.a', ''], 'operand 1 of xattr set is empty'],
    [['put', 'x'], 'missing operand <remote>'], [['df', 'x'], 'unexpected operand "x"'],
    [['head', '-n', '-3', '/a'], 'is not a whole number of at least 0'],
    [['put', '--block-size', 'huge', 'a', 'b'], 'not a size'],
    [['run', 'a.ts', '--param', 'x'], 'name=value'],
  ]
  for (const [words, said] of cases) {
    const seen = await runFake(someFiles(), words)
    expect([seen.code, seen.err.startsWith('gristmill: '), seen.err.includes('--help'), seen.out], words.join(' ')).toEqual([
      2, true, true, '',
    ])
    expect(seen.err).toContain(said)
  }
})

test('a misspelt option before the command, and a long option with one dash, are named, with the nearest one', async () => {
  const said = async (...words: string[]) => (await runFake(someFiles(), words)).err
  expect(await said('--clster', 'embedded', 'ls')).toBe(
    "gristmill: unknown option '--clster' (did you mean --cluster?); gristmill --help lists the options of every command\n",
  )
  expect(await said('--nix', 'nox')).toMatch(/^gristmill: unknown option '--nix'; /)
  expect(await said('--home', '/h', 'nox')).toMatch(/^gristmill: no such command: nox/)
  expect(await said('fsck', '-files')).toMatch(/unknown option '-files' \(did you mean --files\?\)/)
  expect(await said('fsck', '-blocks', '/')).toMatch(/unknown option '-blocks' \(did you mean --blocks\?\)/)
  expect(await said('ls', '-recursive', '/')).toMatch(/unknown option '-recursive' \(did you mean --recursive\?\)/)
  expect(await said('ls', '-Rq', '/')).toMatch(/unknown option '-q'; /)
})

test('with GRISTMILL_DEBUG each error is followed by its stack, also that of one operand', async () => {
  for (const words of [['ls', '/none'], ['cat', '/none', '/zero.bin'], ['ls', '--json', '/none'], ['sl'], ['put']]) {
    const isJson = words.includes('--json')
    const stack = isJson ? /^\{"stack":".* at .*\.ts:\d+:\d+/m : /^ +at .*\.ts:\d+:\d+\)?$/m
    const { err } = await runFake(someFiles(), words, { env: { GRISTMILL_DEBUG: '1' } })
    expect(err, words.join(' ')).toMatch(stack)
    if (isJson) for (const line of err.trim().split('\n')) JSON.parse(line)
    for (const env of [{}, { GRISTMILL_DEBUG: '' }, { GRISTMILL_DEBUG: 'false' }, { GRISTMILL_DEBUG: '0' }])
      expect((await runFake(someFiles(), words, { env })).err).not.toMatch(stack)
  }
})

test('a command that ends does not wait for a cluster that is still being opened', async () => {
  const context = new CommandContext({
    signal: new AbortController().signal, commandNames: [],
    open: (_: unknown, { signal }: { signal: AbortSignal }) => new Promise((_done, reject) => {
      signal.addEventListener('abort', () => reject(new GristmillError('ABORTED', 'the command has ended')))
    }),
  } as unknown as ConstructorParameters<typeof CommandContext>[0])
  const opening = context.mill()
  await context.close()
  await expect(opening).rejects.toMatchObject({ code: 'ABORTED' })
})

test('help and version come on stdout with code 0', async () => {
  expect(await runFake(someFiles(), ['--version'])).toMatchObject({ code: 0, out: '1.2.3\n', err: '' })
  for (const words of [['--help'], ['help'], ['-h'], ['help', 'ls'], ['ls', '--help']]) {
    const seen = await runFake(someFiles(), words)
    expect([seen.code, seen.err, seen.out.startsWith('Usage: gristmill')], words.join(' ')).toEqual([0, '', true])
  }
})

test('the general help names every command, each in one line of 80 columns', async () => {
  const { out } = await runFake(someFiles(), ['--help'], { terminal: { columns: 80 } })
  const list = out.slice(out.indexOf('\nFiles:'), out.indexOf('\nTopics of'))
  const lines = list.split('\n').filter(line => line.startsWith(' '))
  expect(lines.filter(line => line.length > 80 || !/^ {2}\w.* {2}\S/.test(line))).toEqual([])
  expect(lines.map(line => /[\w-]+/.exec(line)![0])).toEqual([...commandNames, 'help'])
})

test('gristmill alone prints its help on stderr, and fails; -v alone prints the version', async () => {
  const { code, out, err } = await runFake(someFiles(), [])
  expect([code, out]).toEqual([2, ''])
  expect(err).toMatch(/^Usage: gristmill COMMAND \[options\]\n[\s\S]*\ngristmill: no command given; gristmill --help lists them\n$/)
  expect(await runFake(someFiles(), ['-v'])).toMatchObject({ code: 0, out: '1.2.3\n', err: '' })
  expect((await runFake(someFiles(), ['ls', '-v'])).code).toBe(2)
})

test('when the reader of its output has gone, the command ends quietly with 141', async () => {
  const seen = await runFake(new FakeMill({ '/long': 'x'.repeat(1000) }), ['cat', '/long'], { broken: 'EPIPE' })
  expect([seen.code, seen.out, seen.err, seen.mill.closed]).toEqual([141, '', '', 1])
  // Bytes read before the command notices must be few.
  expect(seen.mill.reads.length).toBeLessThan(20)
})

test('output that cannot be written is an error, even of one short line', async () => {
  for (const words of [['ls', '/'], ['cat', '/logs/a.log'], ['stat', '/logs']]) {
    const seen = await runFake(someFiles(), words, { broken: 'ENOSPC' })
    expect([seen.code, seen.err, seen.mill.closed], words.join(' ')).toEqual([
      1,
      `gristmill: ${words[0]}: standard output: no space left on device\n`,
      1,
    ])
  }
})

test('an interruption is neither success nor a complaint', async () => {
  const seen = await runFake(someFiles(), ['cat', '/logs/a.log'], { signal: AbortSignal.abort(new Error('stop')) })
  expect([seen.code, seen.err]).toEqual(['interrupted', ''])
})
