// put, get, cp and mv of the library and of the command line, over an embedded cluster and a real disk: the same walk, the same rules.

import { execFileSync } from 'node:child_process'
import { constants, existsSync } from 'node:fs'
import {
  chmod, lstat, mkdir, mkdtemp, open as openLocal, readFile, readdir, realpath,
  rm, stat, symlink, utimes, writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Writable } from 'node:stream'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { open, type Mill } from '../../client/index.ts'
import { Printer } from '../../client/cli/printer.ts'
import { runWords } from '../../client/cli/session.ts'
import { realWorld } from '../../src/world/world.ts'

let dir: string
let mill: Mill
let area = ''
let tests = 0

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gristmill-copies-'))
  mill = await open(join(dir, 'mill'))
})
afterAll(async () => {
  await mill?.close()
  await rm(dir, { recursive: true, force: true })
})
beforeEach(async () => {
  area = `/t${++tests}`
  await mkdir(join(dir, area))
  await chmod(join(dir, area), 0o755)
  await mill.mkdir(area)
})

const at = (name: string): string => `${area}/${name}`
const local = (name: string): string => join(dir, area, name)

/** Runs a command in this process, with the local area as working directory. */
async function cli(...words: string[]): Promise<{ code: number | 'interrupted'; out: string; err: string }> {
  const texts = { out: '', err: '' }
  const sink = (name: 'out' | 'err') => new Writable({ write(chunk: Buffer, _encoding, done) { texts[name] += chunk.toString(); done() } })
  const printer = new Printer({ stdin: new PassThrough(), stdout: sink('out'), stderr: sink('err') } as never, {})
  // A command closes the cluster that it opened; this one must stay open.
  const lent = new Proxy(mill, {
    get(target, key) {
      const value: unknown = key === 'close' ? async () => {} : Reflect.get(target, key, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const code = await runWords({
    words, printer, signal: new AbortController().signal, cwd: join(dir, area), env: {}, version: '0',
    settings: async () => ({ home: dir }) as never,
    machine: async () => {
      throw new Error('not asked for')
    },
    world: async () => realWorld({ name: 'test', logLevel: 'silent' }),
    open: async () => lent,
  })
  return { code, ...texts }
}
const ok = async (...words: string[]): Promise<string> => {
  const { code, out, err } = await cli(...words)
  expect({ words, code, err }).toEqual({ words, code: 0, err: '' })
  return out
}
const modeOf = async (path: string): Promise<string> => (await mill.status(path)).mode.toString(8)
const localMode = async (name: string): Promise<string> => ((await stat(local(name))).mode & 0o7777).toString(8)

test('a name of 255 bytes goes in and out', async () => {
  const name = 'n'.repeat(255)
  await writeFile(local(name), 'long')
  await ok('put', name, `${area}/`)
  await rm(local(name))
  await ok('get', at(name), '.')
  expect(await readFile(local(name), 'utf8')).toBe('long')
  await mill.get(at(name), local(name), { overwrite: true })
  expect(await readdir(local(''))).toEqual([name])
})

test('modes and times of directories come along with -p, there, around and back', async () => {
  await mkdir(local('d/closed'), { recursive: true })
  await writeFile(local('d/closed/f'), 'x')
  await chmod(local('d/closed/f'), 0o4660)
  for (const [name, mode] of [['d/closed', 0o500], ['d', 0o1770]] as const) {
    await chmod(local(name), mode)
    await utimes(local(name), 1000, 1000)
  }
  await ok('put', '-rp', 'd', at('in'))
  await ok('cp', '-rp', at('in'), at('copy'))
  await ok('get', '-rp', at('copy'), 'back')
  const all = async (path: string): Promise<unknown> =>
    Promise.all(['', '/closed'].map(async name => [await modeOf(path + name), (await mill.status(path + name)).mtimeMs]))
  const wanted = [['1770', 1_000_000], ['500', 1_000_000]]
  expect([await all(at('in')), await all(at('copy'))]).toEqual([wanted, wanted])
  expect(await Promise.all(['back', 'back/closed', 'back/closed/f'].map(localMode))).toEqual(['1770', '500', '660'])
  expect(await Promise.all(['back', 'back/closed'].map(async name => (await stat(local(name))).mtimeMs))).toEqual([1_000_000, 1_000_000])
  await mill.put(local('d'), at('library'), { recursive: true, preserve: true })
  expect(await all(at('library'))).toEqual(wanted)
  for (const name of ['d/closed', 'back/closed']) await chmod(local(name), 0o700)
})

test('with -p a time before 1970, which the cluster does not keep, is 1970, and the tree is copied', async () => {
  await mkdir(local('old'))
  await writeFile(local('old/f'), 'x')
  for (const name of ['old/f', 'old']) await utimes(local(name), new Date(-600_000_000), new Date(-600_000_000))
  await ok('put', '-rp', 'old', at('old'))
  expect(await Promise.all(['old', 'old/f'].map(async name => (await mill.status(at(name))).mtimeMs))).toEqual([0, 0])
})

test('access control lists come along with -p; without it the group gets no more than its own entry permits', async () => {
  await mill.mkdir(at('in/sub'), { recursive: true })
  for (const [name, text] of [['small', 'x'], ['large', 'x'.repeat(200_000)]] as const) await mill.writeFile(at(`in/${name}`), text)
  const names = ['in', 'in/sub', 'in/small', 'in/large']
  for (const name of names) await mill.acls.set(at(name), ['user::rwx', 'user:bob:r-x', 'group::--x', 'other::---'])
  await mill.acls.modify(at('in'), ['default:user:eve:rwx'])
  await ok('cp', '-rp', at('in'), at('kept'))
  await ok('cp', '-r', at('in'), at('plain'))
  const all = async (path: string) => ({ mode: await modeOf(path), entries: (await mill.acls.get(path)).entries })
  for (const name of names) {
    expect(await all(at(name.replace('in', 'kept'))), name).toEqual(await all(at(name)))
    expect([name, await modeOf(at(name.replace('in', 'plain')))]).toEqual([name, '710'])
    expect((await mill.status(at(name.replace('in', 'plain')))).acl).toBeUndefined()
  }
})

test('with -p a copy has no list that its source does not have: neither an inherited one nor that of the file that it replaces', async () => {
  const whole = ['user::rw-', 'user:bob:rw-', 'group::rw-', 'other::rw-']
  const lists = async (path: string) => (await mill.acls.get(path)).extended
  await mkdir(local('in/sub'), { recursive: true })
  const texts = [['small', 'x'], ['large', 'x'.repeat(200_000)]] as const
  for (const [name, text] of texts) {
    await writeFile(local(`in/${name}`), text)
    await chmod(local(`in/${name}`), 0o640)
  }
  for (const name of ['in', 'in/sub']) await chmod(local(name), 0o750)
  await ok('put', '-rp', 'in', at('in'))
  const names = ['', '/sub', '/small', '/large']
  const modes = ['750', '750', '640', '640']
  const checked = async (top: string) =>
    expect([top, await Promise.all(names.map(name => modeOf(top + name))), await Promise.all(names.map(name => lists(top + name)))])
      .toEqual([top, modes, [[], [], [], []]])
  await mill.mkdir(at('def'))
  await mill.acls.modify(at('def'), ['default:user:bob:rwx', 'default:other::rwx'])
  await ok('cp', '-rp', at('in'), at('def/copy'))
  await checked(at('def/copy'))
  await ok('put', '-rp', 'in', at('def/put'))
  await checked(at('def/put'))
  // In place of files and directories with lists of their own.
  await ok('cp', '-r', at('in'), at('out'))
  for (const [name] of texts) await mill.acls.set(at(`out/${name}`), whole)
  await mill.acls.modify(at('out/sub'), ['user:bob:rwx', 'default:user:bob:rwx'])
  for (const [name] of texts) await ok('cp', '-pf', at(`in/${name}`), at(`out/${name}`))
  await ok('cp', '-rpf', at('in/sub'), `${at('out')}/`)
  await checked(at('out'))
  for (const [name] of texts) await mill.acls.set(at(`out/${name}`), whole)
  for (const [name] of texts) await ok('put', '-pf', `in/${name}`, at(`out/${name}`))
  await checked(at('out'))
  // A source with a list for itself only: the inherited default list goes.
  await mill.acls.modify(at('in/sub'), ['user:eve:r-x'])
  await ok('cp', '-rp', at('in/sub'), at('def/sub'))
  expect(await lists(at('def/sub'))).toEqual(await lists(at('in/sub')))
})

test('below a default list a copy is not more public than its source, whatever the mode of that is', async () => {
  await mill.mkdir(at('def'))
  await mill.acls.modify(at('def'), ['default:user:bob:rwx', 'default:other::rw-'])
  for (const [size, text] of [['small', 'x'], ['large', 'x'.repeat(200_000)]] as const) {
    for (const [mode, shown] of [[0o644, '644'], [0o640, '640'], [0o600, '600'], [0o666, '644'], [0o755, '754']] as const) {
      const name = `${size}-${mode.toString(8)}`
      await writeFile(local(name), text)
      await chmod(local(name), mode)
      await ok('put', name, at(`def/${name}`))
      await ok('put', name, at(name))
      await ok('cp', at(name), at(`def/${name}-copy`))
      for (const copy of [name, `${name}-copy`]) {
        expect([copy, await modeOf(at(`def/${copy}`))]).toEqual([copy, shown])
        expect((await mill.status(at(`def/${copy}`))).acl).toBe(true)
      }
    }
  }
})

test('without -p a copy is not more public than what it is made of, and what is replaced keeps its mode', async () => {
  await mkdir(local('d'))
  await writeFile(local('d/secret'), 'x')
  await writeFile(local('open'), 'x')
  await chmod(local('d/secret'), 0o600)
  await chmod(local('d'), 0o700)
  await chmod(local('open'), 0o666)
  await ok('put', '-r', 'd', 'open', `${area}/`)
  expect(await Promise.all([at('d'), at('d/secret'), at('open')].map(modeOf))).toEqual(['700', '600', '644'])
  await ok('cp', '-r', at('d'), at('d2'))
  expect(await Promise.all([at('d2'), at('d2/secret')].map(modeOf))).toEqual(['700', '600'])
  await ok('get', '-r', at('d'), 'back')
  expect(await Promise.all(['back', 'back/secret'].map(localMode))).toEqual(['700', '600'])
  // Replaced by a file that every user may read.
  await ok('put', '-f', 'open', at('d/secret'))
  await ok('cp', '-f', at('open'), at('d2/secret'))
  await ok('get', '-f', at('open'), 'back/secret')
  expect(await Promise.all([at('d/secret'), at('d2/secret')].map(modeOf))).toEqual(['600', '600'])
  expect(await localMode('back/secret')).toBe('600')
  await mill.writeFile(at('d/secret'), 'again')
  expect([await modeOf(at('d/secret')), await mill.readFile(at('d/secret'), 'utf8')]).toEqual(['600', 'again'])
  await mill.writeFile(at('d/secret'), 'again', { mode: 0o640 })
  expect(await modeOf(at('d/secret'))).toBe('640')
  await mill.get(at('open'), local('back/secret'), { overwrite: true })
  expect(await localMode('back/secret')).toBe('600')
})

test('two sources with one target name: the second is refused, by every command that creates files', async () => {
  for (const name of ['a/x', 'b/x']) await mill.writeFile(at(name), name, { parents: true })
  await mill.mkdir(at('dst'))
  const refusals = [
    await cli('mv', '-f', at('a/x'), at('b/x'), at('dst/')),
    await cli('cp', '-f', at('dst/x'), at('b/x'), at('dst2/')),
    await cli('get', '-f', at('dst/x'), at('b/x'), './'),
  ]
  expect(refusals.map(({ code, err }) => [code, err.includes('is taken by')])).toEqual([[1, true], [1, true], [1, true]])
  expect(refusals[0]!.err).toBe(
    `gristmill: mv: ${at('b/x')}: its destination ${at('dst/x')} is taken by ${at('a/x')}; give it another name\n`,
  )
  expect([await mill.readFile(at('dst/x'), 'utf8'), await mill.readFile(at('b/x'), 'utf8')]).toEqual(['a/x', 'b/x'])
  expect((await cli('mv', '-f', at('b/x'), at('b/x'))).err).toBe(`gristmill: mv: ${at('b/x')}: is the same file\n`)
  expect((await cli('cp', '-f', at('b/x'), at('b/x'))).err).toBe(`gristmill: cp: ${at('b/x')}: is the same file\n`)
})

test('what is put as .. or . gets the name of what it leads to, and never lands beside its target', async () => {
  await mkdir(local('outer/inner/deep'), { recursive: true })
  await writeFile(local('outer/f'), 'x')
  await symlink(local('outer/inner/deep'), local('link'))
  await mill.mkdir(at('dst/below'), { recursive: true })
  await ok('put', '-r', 'outer/inner/..', at('dst/below'))
  await ok('put', '-r', 'outer/.', at('dst/other/'))
  // `..` below a link is the parent of the link's target.
  await ok('put', '-r', 'link/..', at('dst/third/'))
  expect(
    (await ok('find', at('dst'), '-type', 'd'))
      .trim()
      .split('\n')
      .map(path => path.slice(at('dst').length)),
  ).toEqual([
    '', '/below', '/below/outer', '/below/outer/inner', '/below/outer/inner/deep', '/other', '/other/outer', '/other/outer/inner',
    '/other/outer/inner/deep', '/third', '/third/inner', '/third/inner/deep',
  ])
  expect(await cli('put', '-r', '/', at('dst/'))).toMatchObject({
    code: 1,
    err: 'gristmill: put: /: the root directory has no name of its own; name its entries (/*)\n',
  })
  expect(await cli('get', '-r', '/', './')).toMatchObject({ code: 1 })
  expect(await cli('cp', '-r', '/', at('dst/'))).toMatchObject({ code: 1 })
  await ok('get', '-r', `${at('dst/below')}/..`, './')
  expect(existsSync(local('dst/below/outer/f'))).toBe(true)
})

test('CSV that could be cut in two ways is put, with a line about it; a delimiter that is said is kept', async () => {
  await writeFile(local('prices.csv'), 'rye;1,50\noat;2,25\n')
  const { code, err } = await cli('put', 'prices.csv', at('prices.csv'))
  expect([code, err]).toEqual([
    0,
    expect.stringMatching(
      /^gristmill: put: prices\.csv has no clear delimiter in its first rows: "," splits .*, ";" splits .*--delimiter.*\. The file is stored\n$/,
    ),
  ])
  expect(await ok('put', '-f', '--delimiter', ';', 'prices.csv', at('prices.csv'))).toBe('')
  expect(await mill.stat(at('prices.csv'))).toMatchObject({ format: 'csv', delimiter: ';' })
})

test('a copy to a pipe that no process reads, or reads on, is ended by an abort', async () => {
  await mill.writeFile(at('big'), Buffer.alloc(1 << 20))
  execFileSync('mkfifo', [local('unread')])
  const ending = new AbortController()
  const got = mill.get(at('big'), local('unread'), { signal: ending.signal })
  setTimeout(() => ending.abort(), 50)
  await expect(got).rejects.toMatchObject({ code: 'ABORTED' })
  const reader = await openLocal(local('unread'), constants.O_RDONLY | constants.O_NONBLOCK)
  const again = new AbortController()
  const stuck = mill.get(at('big'), local('unread'), { signal: again.signal })
  setTimeout(() => again.abort(), 50)
  await expect(stuck).rejects.toMatchObject({ code: 'ABORTED' })
  await reader.close()
})

test('what is said of the first row of CSV is kept, also by copies, and SQL obeys it', async () => {
  await writeFile(local('words.csv'), 'ann,x\nbob,y\n')
  const count = async (path: string) => {
    for await (const row of mill.sql(`select count(*) n from '${path}'`)) return String((row as { n: bigint }).n)
  }
  const path = at('words.csv')
  await ok('put', '--header', 'no', 'words.csv', path)
  expect(await mill.stat(path)).toMatchObject({ format: 'csv', header: false })
  expect(await ok('stat', path)).toContain('without a row of names')
  expect(await count(path)).toBe('2')
  await ok('cp', path, at('copied.csv'))
  expect(await mill.stat(at('copied.csv'))).toMatchObject({ header: false })
  await ok('put', '-f', '--header', 'yes', 'words.csv', path)
  expect(await count(path)).toBe('1')
  await ok('put', '-f', 'words.csv', path)
  expect(await mill.stat(path)).not.toHaveProperty('header')
})

test('a file that says that it is empty and is not is put as it is read', async () => {
  if (!existsSync('/proc/version')) return
  const version = await readFile('/proc/version', 'utf8')
  await ok('put', '/proc/version', at('version'))
  expect(await mill.readFile(at('version'), 'utf8')).toBe(version)
  await mill.put('/proc/version', at('again'))
  expect((await mill.status(at('again'))).length).toBe(Buffer.byteLength(version))
  const tiny = '/sys/kernel/mm/transparent_hugepage/enabled'
  if (existsSync(tiny)) {
    await ok('put', tiny, at('tiny'))
    expect(await mill.readFile(at('tiny'), 'utf8')).toBe(await readFile(tiny, 'utf8'))
  }
  await writeFile(local('empty'), '')
  await ok('put', 'empty', at('empty'))
  expect((await mill.status(at('empty'))).length).toBe(0)
})

test('a directory does not replace a file, nor a file a directory, on either side', async () => {
  await mkdir(local('d/x'), { recursive: true })
  await writeFile(local('d/x/f'), 'x')
  await mill.writeFile(at('d/x'), 'file', { parents: true })
  expect((await cli('put', '-rf', 'd', `${area}/`)).err).toContain(`${at('d/x')}: not a directory`)
  expect((await cli('get', '-f', at('d/x'), 'd')).err).toBe(`gristmill: get: ${local('d/x')}: is a directory, and ${at('d/x')} is a file\n`)
  expect([await mill.readFile(at('d/x'), 'utf8'), (await lstat(local('d/x'))).isDirectory()]).toEqual(['file', true])
})

test('a file goes to no path that names a directory, and a directory does', async () => {
  await mkdir(local('d'))
  for (const name of ['f', 'd/x']) await writeFile(local(name), 'x')
  await mill.writeFile(at('f'), 'x')
  const refused = (at: string) => ({ code: 'EISDIR', message: expect.stringContaining(at) })
  for (const slash of ['/', '//', '/.']) {
    await expect(mill.put(local('f'), at(`g${slash}`))).rejects.toMatchObject(refused(at('g')))
    await expect(mill.cp(at('f'), at(`g${slash}`))).rejects.toMatchObject(refused(at('g')))
    await expect(mill.get(at('f'), `${local('g')}${slash}`)).rejects.toMatchObject(refused(local('g')))
  }
  expect([(await mill.readdir(area)), (await readdir(local(''))).sort()]).toEqual([['f'], ['d', 'f']])
  await mill.put(local('d'), at('e/'), { recursive: true })
  await mill.cp(at('e'), at('h/'), { recursive: true })
  await mill.get(at('h'), local('h/'), { recursive: true })
  expect(await readFile(local('h/x'), 'utf8')).toBe('x')
})

test('what was a file is restored, and looked at, under no name of a directory', async () => {
  for (const name of ['a', 'd/x']) await mill.writeFile(at(name), 'x', { parents: true })
  await mill.rm(at('a'))
  await mill.rm(at('d'), { recursive: true })
  const items = new Map<string, string>()
  for await (const { from, item } of mill.trash.list()) items.set(from, item)
  for (const asked of [
    () => mill.trash.restore(at('a'), { to: at('b/') }),
    () => mill.trash.restore(items.get(at('a'))!, { to: at('b/') }),
    () => mill.trash.restore(at('a/')),
  ]) {
    await expect(asked()).rejects.toMatchObject({ code: 'ENOTDIR' })
  }
  expect(await mill.trash.restore(at('d/'), { to: at('e/') })).toBe(at('e'))
  expect(await mill.trash.restore(items.get(at('a'))!, { to: at('b') })).toBe(at('b'))
  await expect(mill.fsck(at('b/')).next()).rejects.toMatchObject({ code: 'ENOTDIR' })
  expect((await mill.fsck(at('e/')).next()).done).toBe(false)
})

test('failures in a tree are reported, the other files are copied, and the exit code is 1', async () => {
  await mkdir(local('d/e'), { recursive: true })
  for (const name of ['d/a', 'd/e/b', 'd/z']) await writeFile(local(name), name)
  execFileSync('mkfifo', [local('d/e/pipe')])
  const { code, err } = await cli('put', '-r', 'd', `${area}/`)
  expect([code, err]).toEqual([
    1,
    `gristmill: put: d/e/pipe: neither a file nor a directory; to store its output: gristmill put - ${at('d/e/pipe')} < d/e/pipe\n`,
  ])
  expect((await mill.readdir(at('d'), { recursive: true })).sort()).toEqual(['a', 'e', 'e/b', 'z'])
  const again = await cli('put', '-r', 'd', `${area}/`)
  expect([again.code, again.err.split('\n').filter(line => line.includes('file exists; add -f to replace it')).length]).toEqual([1, 3])
})

test('an executable that replaces a private file is private, and the other refusals hold on both sides', async () => {
  await mkdir(local('d/e'), { recursive: true })
  await writeFile(local('d/tool'), 'new')
  await chmod(local('d/tool'), 0o755)
  await utimes(local('d/tool'), 1000, 1000)
  await mill.writeFile(at('tool'), 'old', { mode: 0o600 })
  await ok('put', '-f', 'd/tool', at('tool'))
  expect([await modeOf(at('tool')), await mill.readFile(at('tool'), 'utf8')]).toEqual(['600', 'new'])
  await ok('put', '-p', 'd/tool', at('kept'))
  await ok('get', '-p', at('kept'), 'back')
  expect([await localMode('back'), (await stat(local('back'))).mtimeMs]).toEqual(['755', 1_000_000])
  expect(await cli('get', at('kept'), 'back')).toMatchObject({
    code: 1,
    err: `gristmill: get: ${local('back')}: file exists; add -f to replace it\n`,
  })
  await symlink('..', local('d/e/up'))
  expect((await cli('put', '-r', 'd', `${area}/`)).err).toBe(
    `gristmill: put: d/e/up: symbolic link to a directory that contains it (${await realpath(local('d'))}); skipped\n`,
  )
  expect((await cli('cp', '-r', at('d'), at('d/e/in'))).err).toBe(
    `gristmill: cp: ${at('d')}: cannot be copied into itself (${at('d/e/in')})\n`,
  )
  expect(await mill.exists(at('d/e/in'))).toBe(false)
})

test('a new name needs the directory that it is in, for every command: what is missing is named, with what makes it, and nothing is left behind', async () => {
  await writeFile(local('f'), 'x')
  await mkdir(join(local('d'), 'below'), { recursive: true })
  await mill.writeFile(at('f'), 'x')
  await mill.mkdir(at('d/below'), { recursive: true })
  const here = new Set(['d', 'f'])
  const clean = async (): Promise<void> => {
    expect(new Set(await mill.readdir(area))).toEqual(here)
    expect(new Set(await readdir(join(dir, area)))).toEqual(here)
  }
  const made = `the directory ${at('it is/new')} does not exist; create it with: gristmill mkdir -p '${at('it is/new')}'`
  const to = at('it is/new/x')
  for (const words of [
    ['put', 'f', to], ['put', '-r', 'd', to], ['put', '-', to], ['cp', at('f'), to], ['cp', '-r', at('d'), to], ['mv', at('f'), to],
    ['mv', at('d'), to], ['touch', to],
  ]) {
    expect(await cli(...words), words.join(' ')).toEqual({ code: 1, out: '', err: `gristmill: ${words[0]}: ${to}: ${made}\n` })
    await clean()
  }
  for (const words of [['get', at('f'), 'new/x'], ['get', '-r', at('d'), 'new/x']]) {
    expect(await cli(...words)).toEqual({
      code: 1, out: '',
      err: 'gristmill: get: new/x: the local directory new does not exist; create it with: mkdir -p new\n',
    })
    await clean()
  }
  expect((await cli('mkdir', at('new/x'))).err).toBe(
    `gristmill: mkdir: ${at('new/x')}: the directory ${at('new')} does not exist; add -p to create it as well\n`,
  )
  expect((await cli('cat', at('new/x/y'))).err).toBe(
    `gristmill: cat: ${at('new/x/y')}: no such file or directory (there is no ${at('new')})\n`,
  )
  // A file where a directory should be.
  for (const words of [['put', 'f', at('f/x')], ['cp', '-r', at('d'), at('f/x')], ['mv', at('d'), at('f/x')]]) {
    expect((await cli(...words)).err).toBe(`gristmill: ${words[0]}: ${at('f/x')}: ${at('f')} is a file, not a directory\n`)
  }
  // A trailing slash creates the directory once there is something to copy, and not before.
  const missing = [
    ['put', 'gone', at('new/')], ['put', 'd', at('new/')], ['put', '-', at('new/')], ['cp', at('gone'), at('new/')],
    ['cp', '-r', at('gone'), at('new/')], ['cp', at('d'), at('new/')], ['mv', at('gone'), at('new/')], ['get', at('gone'), 'new/'],
    ['get', at('d'), 'new/'],
  ]
  for (const words of missing) {
    expect((await cli(...words)).code, words.join(' ')).toBe(1)
    await clean()
  }
  await ok('put', '-r', 'd', `${at('new/deep')}/`)
  await ok('get', '-r', at('d'), 'new/deep/')
  expect([await mill.readdir(at('new/deep/d')), await readdir(local('new/deep/d'))]).toEqual([['below'], ['below']])
})

test('touch -c of a file under the name of a directory is an error, and of nothing none', async () => {
  await mill.writeFile(at('f'), 'x')
  for (const words of [['touch', '-c'], ['touch']]) {
    expect(await cli(...words, `${at('f')}/`)).toEqual({ code: 1, out: '', err: `gristmill: touch: ${at('f')}/: not a directory\n` })
    expect((await cli(...words, at('f/x'))).code).toBe(1)
  }
  await ok('touch', '-c', at('gone'))
  expect(await mill.readdir(area)).toEqual(['f'])
})
