import { expect, test } from 'vitest'
import { FakeMill, nowMs, runFake } from './fake.ts'

const files = () =>
  new FakeMill({
    '/logs/a.log': 'one\ntwo\nthree\n', '/logs/b.log': 'no newline at the end', '/logs/.hidden': 'x', '/logs/deep/c.txt': 'c\n',
    '/empty': {}, '/zero.bin': '',
  })

test('ls lists names, hides dotted ones, and titles directories when there are several', async () => {
  expect((await runFake(files(), ['ls'])).out).toBe('empty\nlogs\nzero.bin\n')
  expect((await runFake(files(), ['ls', '/logs'])).out).toBe('a.log\nb.log\ndeep\n')
  expect((await runFake(files(), ['ls', '-a', '/logs'])).out).toBe('.hidden\na.log\nb.log\ndeep\n')
  expect((await runFake(files(), ['ls', '/logs', '/zero.bin', 'empty'])).out).toBe('/zero.bin\n\n/logs:\na.log\nb.log\ndeep\n\n/empty:\n')
  expect((await runFake(files(), ['ls', '-d', '/logs'])).out).toBe('/logs\n')
  expect((await runFake(files(), ['ls', '-R', '/logs'])).out).toBe('/logs:\na.log\nb.log\ndeep\n\n/logs/deep:\nc.txt\n')
})

test('ls -l lines up mode, replicas, owner, size, time and name', async () => {
  const { out } = await runFake(files(), ['ls', '-l', '/logs'])
  expect(out.split('\n')[0]).toMatch(/^-rw-r--r-- {2}3 {2}ada {2}staff {2}14 {2}Nov 22 \d\d:\d\d {2}a\.log$/)
  expect(out.split('\n')[2]).toMatch(/^drwxr-xr-x {2}- {2}ada {2}staff {3}0 {2}Nov 22 \d\d:\d\d {2}deep$/)
})

test('ls sorts by size and time, reversed or not', async () => {
  const mill = new FakeMill({
    '/d/a': { type: 'file', length: 5, mtimeMs: nowMs - 10 },
    '/d/b': { type: 'file', length: 9, mtimeMs: nowMs - 30 },
    '/d/c': { type: 'file', length: 1, mtimeMs: nowMs - 20 },
  })
  const order = async (...words: string[]) => (await runFake(mill, ['ls', ...words, '/d'])).out.trim().replaceAll('\n', '')
  expect(await order('-S')).toBe('bac')
  expect(await order('-t')).toBe('acb')
  expect(await order('-tr')).toBe('bca')
  expect(await order('-r')).toBe('cba')
})

test('on a terminal names come in columns and directories are coloured, unless NO_COLOR is set', async () => {
  expect((await runFake(files(), ['ls', '/'], { terminal: { columns: 60 }, env: { NO_COLOR: '1' } })).out).toBe('empty  logs  zero.bin\n')
  expect((await runFake(files(), ['ls', '/'], { terminal: { columns: 60 } })).out).toContain('\u001b[1m\u001b[34mempty')
})

test('one bad operand of several is complained of, the others are done, and the exit code is 1', async () => {
  const seen = await runFake(files(), ['cat', '/logs/a.log', '/nope', '/logs', '/logs/b.log'])
  expect(seen.out).toBe('one\ntwo\nthree\nno newline at the end')
  expect(seen.err).toBe('gristmill: cat: /nope: no such file or directory\ngristmill: cat: /logs: is a directory\n')
  expect(seen.code).toBe(1)
  expect(seen.mill.closed).toBe(1)
})

test('globs are expanded in the cluster, and one without a match is an error', async () => {
  expect((await runFake(files(), ['cat', '/logs/*.log'])).out).toBe('one\ntwo\nthree\nno newline at the end')
  expect((await runFake(files(), ['cat', '/logs/{a.log,deep/c.txt}'])).out).toBe('one\ntwo\nthree\nc\n')
  const seen = await runFake(files(), ['ls', '/logs/*.csv'])
  expect([seen.code, seen.err]).toEqual([1, 'gristmill: ls: /logs/*.csv: no such file or directory\n'])
})

test('head and tail show lines or bytes, from the right end, over pieces', async () => {
  const long = Array.from({ length: 40_000 }, (_, i) => `line ${i}\n`).join('')
  const mill = new FakeMill({ '/long': long, '/a': 'one\ntwo\nthree\n', '/b': 'x\ny' })
  const show = async (...words: string[]) => (await runFake(mill, words)).out
  expect(await show('head', '-n', '2', '/a')).toBe('one\ntwo\n')
  expect(await show('head', '-c', '5', '/a')).toBe('one\nt')
  expect(await show('head', '-n', '0', '/a')).toBe('')
  expect(await show('head', '-2', '/a')).toBe('one\ntwo\n')
  expect(await show('tail', '-1', '/a')).toBe('three\n')
  expect(await show('head', '-n', '1', '/a', '/b')).toBe('==> /a <==\none\n\n==> /b <==\nx\n')
  expect(await show('tail', '-n', '1', '/a')).toBe('three\n')
  expect(await show('tail', '-n', '1', '/b')).toBe('y')
  expect(await show('tail', '-n', '9', '/a')).toBe('one\ntwo\nthree\n')
  expect(await show('tail', '-n', '+2', '/a')).toBe('two\nthree\n')
  expect(await show('tail', '-c', '4', '/a')).toBe('ree\n')
  expect(await show('tail', '-n', '0', '/a')).toBe('')
  expect(await show('tail', '-n', '3', '/long')).toBe('line 39997\nline 39998\nline 39999\n')
  expect(await show('tail', '-n', '20000', '/long')).toBe(long.slice(long.indexOf('line 20000\n')))
})

test('head reads no more of a long file than it shows', async () => {
  const mill = new FakeMill({ '/long': 'x\n'.repeat(1_000_000) })
  await runFake(mill, ['head', '/long'])
  expect(Math.max(...mill.reads.map(read => read.end))).toBeLessThanOrEqual(4 * 64 * 1024)
})

test('find combines its tests, with one dash or two', async () => {
  const mill = new FakeMill({
    '/a/big.LOG': { type: 'file', length: 3 << 20 },
    '/a/small.log': { type: 'file', length: 10, mtimeMs: nowMs - 9 * 86_400_000 },
    '/a/b/.x.log': { type: 'file', length: 1 }, '/a/e': {},
  })
  const find = async (...words: string[]) => (await runFake(mill, ['find', ...words])).out.trim().split('\n')
  expect(await find('/a', '-name', '*.log')).toEqual(['/a/b/.x.log', '/a/small.log'])
  expect(await find('/a', '-iname', '*.log', '-size', '+1m')).toEqual(['/a/big.LOG'])
  expect(await find('/a', '--type', 'd')).toEqual(['/a', '/a/b', '/a/e'])
  expect(await find('/', '-type', 'd', '-empty')).toEqual(['/a/e'])
  expect(await find('/', '-mtime', '+7')).toEqual(['/a/small.log'])
  expect(await find('/', '-mtime', '-1', '-type', 'f')).toEqual(['/a/b/.x.log', '/a/big.LOG'])
  expect(await find('/', '-maxdepth', '1')).toEqual(['/', '/a'])
  expect(await find('/', '-mindepth', '3')).toEqual(['/a/b/.x.log'])
  expect(await find('/', '-size', '10c')).toEqual(['/a/small.log'])
  expect((await runFake(mill, ['find', '/a/e', '-print0'])).out).toBe('/a/e\0')
  expect((await runFake(mill, ['find', '/', '-size', 'big'])).code).toBe(2)
})

test('du prints directories after what is in them, or one total, or every replica', async () => {
  expect((await runFake(files(), ['du', '/logs'])).out).toBe('2\t/logs/deep\n38\t/logs\n')
  expect((await runFake(files(), ['du', '-s', '/logs', '/zero.bin'])).out).toBe('38\t/logs\n0\t/zero.bin\n')
  expect((await runFake(files(), ['du', '-d', '1', '/'])).out).toBe('0\t/empty\n38\t/logs\n38\t/\n')
  expect((await runFake(files(), ['du', '-s', '--stored', '-c', '/logs'])).out).toBe('114\t/logs\n114\ttotal\n')
})

test('count sums up directories, files and bytes', async () => {
  expect((await runFake(files(), ['count', '/logs'])).out).toBe('2  4  38  /logs\n')
  expect(JSON.parse((await runFake(files(), ['count', '--json', '/logs'])).out)).toEqual({
    path: '/logs', files: 4, directories: 2, bytes: 38, stored: 114,
  })
})

test('rm wants -r for directories, heeds -f for missing files, and never removes the root', async () => {
  const mill = files()
  expect((await runFake(mill, ['rm', '/logs'])).err).toBe(
    'gristmill: rm: /logs: is a directory; add -r to remove it recursively\n',
  )
  expect((await runFake(mill, ['rm', '-f', '/nope', '/zero.bin', '/no*such'])).code).toBe(0)
  expect((await runFake(mill, ['rm', '/nope'])).code).toBe(1)
  expect((await runFake(mill, ['rm', '-rf', '/'])).code).toBe(1)
  for (const path of ['/logs/..', '/logs/.', '/nope/../', '/logs/*/..'])
    expect((await runFake(mill, ['rm', '-rf', path])).err).toContain('"." and ".." are not removed; name the directory itself')
  expect((await runFake(mill, ['rm', '-r', '/logs/*'])).code).toBe(0)
  expect(mill.paths()).toEqual(['/empty', '/logs', '/logs/.hidden'])
})

test('no character beyond the documented language means anything in an operand', async () => {
  const mill = new FakeMill({
    '/n/old': 'o', '/n/new': 'n', '/n/!o1': 'x', '/n/+(a)b': 'y', [`/n/${'a'.repeat(41)}`]: 'z', '/d/f': 'f', '/d/sub/g': 'g',
  })
  expect((await runFake(mill, ['rm', '/n/!o*'])).code).toBe(0)
  expect(mill.paths().filter(path => path.startsWith('/n/'))).toEqual(['/n/+(a)b', `/n/${'a'.repeat(41)}`, '/n/new', '/n/old'])
  expect((await runFake(mill, ['ls', '/n/+(a*)b'])).out).toBe('/n/+(a)b\n')
  expect((await runFake(mill, ['rm', '-r', '/d/*/'])).code).toBe(0)
  expect(mill.paths().filter(path => path.startsWith('/d'))).toEqual(['/d', '/d/f'])
  expect(await runFake(mill, ['rm', '/d/f/'])).toMatchObject({ code: 1, err: 'gristmill: rm: /d/f/: not a directory\n' })
  expect(await runFake(mill, ['cat', '/d/f/'])).toMatchObject({ code: 1, out: '', err: 'gristmill: cat: /d/f/: not a directory\n' })
  expect((await runFake(mill, ['find', '/n', '-name', '{old,n*}'])).out).toBe('/n\n/n/new\n/n/old\n')
})

test('mv renames, moves into directories, and replaces only when told', async () => {
  const mill = files()
  await runFake(mill, ['mv', '/zero.bin', '/empty'])
  await runFake(mill, ['mv', '/logs/*.log', '/empty/'])
  await runFake(mill, ['mv', '/logs/deep', '/other'])
  expect(mill.paths()).toEqual([
    '/empty', '/empty/a.log', '/empty/b.log', '/empty/zero.bin', '/logs', '/logs/.hidden', '/other', '/other/c.txt',
  ])
  const refused = await runFake(mill, ['mv', '/empty/a.log', '/empty/b.log'])
  expect([refused.code, refused.err]).toEqual([1, 'gristmill: mv: /empty/b.log: file exists; add -f to replace it\n'])
  expect((await runFake(mill, ['mv', '-f', '/empty/a.log', '/empty/b.log'])).code).toBe(0)
  expect((await runFake(mill, ['mv', '/empty', '/empty/inside'])).err).toContain('cannot be moved into itself')
  expect((await runFake(mill, ['mv', '/empty/b.log', '/other', '/nowhere'])).err).toContain('no such directory; write /nowhere/ to create it')
})

test('chmod changes letters below a directory, directories after their entries', async () => {
  const mill = files()
  await runFake(mill, ['chmod', '-R', 'go-r,a+X', '/logs'])
  expect([mill.mode('/logs'), mill.mode('/logs/deep'), mill.mode('/logs/a.log')]).toEqual(['711', '711', '600'])
  await runFake(mill, ['chmod', '-w', '/zero.bin'])
  expect(mill.mode('/zero.bin')).toBe('444')
  expect((await runFake(mill, ['chmod', 'rubbish', '/logs'])).code).toBe(2)
})

test('with --json, listings are lines and errors are objects on stderr', async () => {
  const seen = await runFake(files(), ['--json', 'ls', '/logs/deep', '/nope'])
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
    [[], 'no command given'],
    [['lss'], 'no such command: lss (did you mean ls?)'],
    [['ls', '--nope'], "unknown option '--nope'"], [['cat'], 'missing operand <path...>'],
    [['chmod', '-R', '711', ''], 'operand 2 of chmod is empty; is a variable not set?'],
    [['put', '', '/x'], 'operand 1 of put is empty'],
    [['xattr', 'set', '', 'user.a', ''], 'operand 2 of xattr is empty'],
    [['put', 'x'], 'missing operand <remote>'], [['df', 'x'], 'unexpected operand "x"'],
    [['head', '-n', '-3', '/a'], 'is not a whole number of at least 0'],
    [['put', '--block-size', 'huge', 'a', 'b'], 'not a size'],
    [['run', 'a.ts', '--param', 'x'], 'name=value'],
  ]
  for (const [words, said] of cases) {
    const seen = await runFake(files(), words)
    expect([seen.code, seen.err.startsWith('gristmill: '), seen.err.includes('--help'), seen.out], words.join(' ')).toEqual([
      2, true, true, '',
    ])
    expect(seen.err).toContain(said)
  }
})

test('help and version come on stdout with code 0', async () => {
  expect(await runFake(files(), ['--version'])).toMatchObject({ code: 0, out: '1.2.3\n', err: '' })
  for (const words of [['--help'], ['help'], ['-h'], ['help', 'ls'], ['ls', '--help']]) {
    const seen = await runFake(files(), words)
    expect([seen.code, seen.err, seen.out.startsWith('Usage: gristmill')], words.join(' ')).toEqual([0, '', true])
  }
})

test('when nobody reads the output any more, the command ends quietly with 141', async () => {
  const seen = await runFake(new FakeMill({ '/long': 'x'.repeat(1000) }), ['cat', '/long'], { broken: 'EPIPE' })
  expect([seen.code, seen.out, seen.err, seen.mill.closed]).toEqual([141, '', '', 1])
  // Bytes read before the command notices must be few.
  expect(seen.mill.reads.length).toBeLessThan(20)
})

test('output that cannot be written is an error, even of one short line', async () => {
  for (const words of [['ls', '/'], ['cat', '/logs/a.log'], ['stat', '/logs']]) {
    const seen = await runFake(files(), words, { broken: 'ENOSPC' })
    expect([seen.code, seen.err, seen.mill.closed], words.join(' ')).toEqual([
      1,
      `gristmill: ${words[0]}: standard output: no space left on device\n`,
      1,
    ])
  }
})

test('an interruption is neither success nor a complaint', async () => {
  const seen = await runFake(files(), ['cat', '/logs/a.log'], { signal: AbortSignal.abort(new Error('stop')) })
  expect([seen.code, seen.err]).toEqual(['interrupted', ''])
})
