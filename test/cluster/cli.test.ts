// Command lines on a cluster of real processes and on an embedded one, with equal results: bytes, directories, modes, jobs, Ctrl-C and
// closed pipes behave as documented on both.

import { execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmod, lstat, mkdir, mkdtemp, readFile, readdir, readlink, realpath, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { run, startCluster, type Result, type TestCluster } from '../kit/cluster.ts'
import { runHere } from './inprocess.ts'

const bin = join(import.meta.dirname, '../../client/cli/gristmill.js')

describe.each(['cluster', 'embedded'] as const)('%s', kind => {
  let cluster: TestCluster | undefined
  let env: Record<string, string>
  let dir: string
  let area = ''
  let tests = 0

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'gristmill-cli-'))
    if (kind === 'cluster') {
      cluster = await startCluster({ datanodes: 3 })
      env = cluster.env
    } else {
      env = {
        PATH: process.env['PATH'] ?? '', HOME: join(dir, 'home'), GRISTMILL_HOME: join(dir, 'home'), GRISTMILL_CLUSTER: 'embedded',
        NO_COLOR: '1',
      }
    }
  })

  afterAll(async () => {
    await cluster?.stop()
    await rm(dir, { recursive: true, force: true })
  })

  /** Each test has a directory of its own, in the cluster and on the disk. */
  beforeEach(async () => {
    area = `/t${++tests}`
    await mkdir(join(dir, area))
    await ok('mkdir', area)
  })

  /** Runs a command in this process, which is faster. Jobs, commands with much on stdin and commands that are ended run as processes. */
  const mill = (...args: string[]): Promise<Result> => (args[0] === 'run' ? run : runHere)(args, env)
  const ok = async (...args: string[]): Promise<string> => {
    const result = await mill(...args)
    if (result.code !== 0) throw new Error(`gristmill ${args.join(' ')} exited with ${result.code}: ${result.stderr}`)
    return result.stdout
  }
  const local = (name: string): string => join(dir, area, name)
  /** For commands that cannot depend on the kind of cluster. */
  const once = (title: string, work: () => Promise<void>): void => { if (kind === 'cluster') test(title, work) }

  test('get returns the bytes of put, in blocks, under the same name or another', async () => {
    const bytes = createHash('shake256', { outputLength: 3_000_001 }).update('seed').digest()
    await writeFile(local('random.bin'), bytes)
    await ok('put', '--block-size', '1MiB', local('random.bin'), area)
    await ok('put', local('random.bin'), `${area}/made/for/it/`)
    expect(await ok('find', area, '-type', 'f')).toBe(`${area}/made/for/it/random.bin\n${area}/random.bin\n`)
    const facts = JSON.parse(await ok('stat', '--blocks', '--json', `${area}/random.bin`)) as {
      length: number
      blocks: number
      located: { nodes: unknown[] }[]
    }
    expect(facts).toMatchObject({ length: 3_000_001, blocks: 3 })
    expect(facts.located.map(block => block.nodes.length)).toEqual(kind === 'cluster' ? [3, 3, 3] : [1, 1, 1])
    await ok('get', `${area}/random.bin`, local('back.bin'))
    expect((await readFile(local('back.bin'))).equals(bytes)).toBe(true)
    const sums = (
      await Promise.all([
        ok('checksum', `${area}/random.bin`), ok('checksum', `${area}/made/for/it/random.bin`),
        ok('checksum', '--local', local('random.bin')),
      ])
    ).map(line => line.split(' ')[0])
    expect(new Set(sums).size).toBe(1)
  })

  test('stdin is stored and stdout gets it back', async () => {
    const text = 'line\n'.repeat(50_000)
    expect(await run(['put', '--format', 'lines', '--block-size', '64KiB', '-', `${area}/in.txt`], env, text)).toMatchObject({
      code: 0, stderr: '',
    })
    expect(await ok('cat', `${area}/in.txt`)).toBe(text)
    expect(await ok('get', `${area}/in.txt`, '-')).toBe(text)
    expect(await ok('tail', '-n', '2', `${area}/in.txt`)).toBe('line\nline\n')
    expect(await ok('head', '-c', '7', `${area}/in.txt`)).toBe('line\nli')
    // Blocks of lines end at lines.
    const { located } = JSON.parse(await ok('stat', '-b', '--json', `${area}/in.txt`)) as { located: { length: number }[] }
    expect(located.length).toBeGreaterThan(3)
    expect(located.filter(block => block.length % 5 !== 0)).toEqual([])
  })

  test('directories go there and back with -r, and only with it', async () => {
    await mkdir(local('tree/deep/empty'), { recursive: true })
    for (const [name, text] of [
      ['tree/a.txt', 'a'], ['tree/deep/b.csv', 'x,y\n1,2\n'], ['tree/deep/ü 小.txt', 'u'], ['tree/zero', ''],
    ] as const)
      await writeFile(local(name), text)
    const refused = await mill('put', local('tree'), area)
    expect([refused.code, refused.stderr]).toEqual([
      1,
      `gristmill: put: ${local('tree')}: is a directory; add -r to put it recursively\n`,
    ])
    await ok('put', '-r', local('tree'), area)
    expect(await ok('find', `${area}/tree`)).toBe(
      ['', '/a.txt', '/deep', '/deep/b.csv', '/deep/empty', '/deep/ü 小.txt', '/zero'].map(name => `${area}/tree${name}\n`).join(''),
    )
    expect(JSON.parse(await ok('stat', '--json', `${area}/tree/deep/b.csv`))).toMatchObject({ format: 'csv' })
    await ok('get', '-r', `${area}/tree`, local('back'))
    expect((await stat(local('back/deep'))).mode & 0o777).toBe(0o777 & ~process.umask())
    await promisify(execFile)('diff', ['-r', local('tree'), local('back')])
    await ok('cp', '-r', `${area}/tree`, `${area}/copy`)
    expect(await ok('cat', `${area}/copy/deep/b.csv`)).toBe('x,y\n1,2\n')
    expect((await ok('count', `${area}/copy`)).trim()).toBe(`3  4  10  ${area}/copy`)
    await ok('rm', '-r', `${area}/tree`)
    expect(await ok('ls', area)).toBe('copy\n')
  })

  once('local globs that the shell left alone are expanded, and links are followed, but not in circles', async () => {
    await mkdir(local('in/sub'), { recursive: true })
    for (const name of ['a.log', 'b.log', 'c.txt']) await writeFile(local(`in/${name}`), name)
    await symlink('a.log', local('in/link.log'))
    await ok('put', local('in/*.log'), `${area}/logs/`)
    expect(await ok('ls', `${area}/logs`)).toBe('a.log\nb.log\nlink.log\n')
    expect(await ok('cat', `${area}/logs/link.log`)).toBe('a.log')
    await symlink('..', local('in/sub/up'))
    await symlink('nowhere', local('in/dangling'))
    const { code, stderr } = await mill('put', '-r', local('in'), `${area}/in`)
    expect([code, stderr.split('\n')]).toEqual([1, [
      `gristmill: put: ${local('in/dangling')}: dangling symbolic link`,
      `gristmill: put: ${local('in/sub/up')}: symbolic link to a directory that contains it (${await realpath(local('in'))}); skipped`, '',
    ]])
    expect(await ok('find', `${area}/in`, '-type', 'f')).toBe(
      ['a.log', 'b.log', 'c.txt', 'link.log'].map(name => `${area}/in/${name}\n`).join(''),
    )
  })

  once('get and getmerge write into a pipe or through a link, and leave them what they are', async () => {
    await writeFile(local('f'), 'through')
    await ok('put', local('f'), `${area}/f`)
    await promisify(execFile)('mkfifo', [local('pipe')])
    await writeFile(local('real'), 'old', { mode: 0o640 })
    await symlink('real', local('link'))
    for (const command of ['get', 'getmerge']) {
      const reader = promisify(execFile)('cat', [local('pipe')])
      await ok(command, `${area}/f`, local('pipe'))
      expect((await reader).stdout, command).toBe('through')
      expect((await lstat(local('pipe'))).isFIFO(), command).toBe(true)
      await writeFile(local('real'), 'old')
      expect((await mill(command, `${area}/f`, local('link'))).stderr).toBe(
        `gristmill: ${command}: ${local('link')}: file exists; add -f to replace it\n`,
      )
      await ok(command, '-f', `${area}/f`, local('link'))
      expect([await readFile(local('real'), 'utf8'), await readlink(local('link'))], command).toEqual(['through', 'real'])
      expect((await stat(local('real'))).mode & 0o777, command).toBe(0o640)
      expect((await mill(command, `${area}/f`, local('no/such/f'))).stderr).toBe(
        `gristmill: ${command}: ${local('no/such/f')}: the local directory ${local('no/such')} does not exist; `
        + `create it with: mkdir -p ${local('no/such')}\n`,
      )
    }
  })

  once('names that the cluster cannot have, and two things for one name, are told apart from what can be put', async () => {
    const odd = Buffer.concat([Buffer.from(local('odd-')), Buffer.from([0xff])])
    await mkdir(local('x'))
    for (const name of [odd, local('fine'), local('x/fine')]) await writeFile(name, 'x')
    const result = await mill('put', local('odd*'), local('fine'), local('fine'), local('x/fine'), `${area}/`)
    expect([result.code, result.stderr]).toEqual([
      1,
      `gristmill: put: ${local('x/fine')}: its destination ${area}/fine is taken by ${local('fine')}; give it another name\n`
        + `gristmill: put: ${local('odd-')}\ufffd: the name is not UTF-8, which names in the cluster are; rename it\n`,
    ])
    expect(await ok('ls', area)).toBe('fine\n')
  })

  once('nothing is replaced without -f, on either side', async () => {
    await writeFile(local('one'), 'first')
    await ok('put', local('one'), `${area}/one`)
    await writeFile(local('one'), 'second')
    expect(await mill('put', local('one'), `${area}/one`)).toMatchObject({
      code: 1,
      stderr: `gristmill: put: ${area}/one: file exists; add -f to replace it\n`,
    })
    expect(await mill('get', `${area}/one`, local('one'))).toMatchObject({
      code: 1,
      stderr: `gristmill: get: ${local('one')}: file exists; add -f to replace it\n`,
    })
    expect([await ok('cat', `${area}/one`), await readFile(local('one'), 'utf8')]).toEqual(['first', 'second'])
    await ok('put', '-f', local('one'), `${area}/one`)
    expect(await ok('cat', `${area}/one`)).toBe('second')
    await ok('cp', `${area}/one`, `${area}/two`)
    expect((await mill('mv', `${area}/one`, `${area}/two`)).code).toBe(1)
    await ok('mv', '-f', `${area}/one`, `${area}/two`)
    expect(await ok('ls', area)).toBe('two\n')
  })

  test('mode and time survive a round trip with -p', async () => {
    await writeFile(local('kept'), 'x')
    await chmod(local('kept'), 0o640)
    await utimes(local('kept'), 1_700_000_000, 1_700_000_000)
    await ok('put', '-p', local('kept'), area)
    expect(await ok('stat', '-c', '%a %Y', `${area}/kept`)).toBe('640 1700000000\n')
    await ok('get', '-p', `${area}/kept`, local('back'))
    const { mode, mtimeMs } = await stat(local('back'))
    expect([mode & 0o777, mtimeMs]).toEqual([0o640, 1_700_000_000_000])
  })

  once('modes, owners, times and replicas are changed and shown', async () => {
    await ok('touch', '-d', '2026-11-22T10:00:00Z', `${area}/flag`)
    await ok('chmod', 'u=rw,go=', `${area}/flag`)
    await ok('chown', 'ada:analysts', `${area}/flag`)
    expect(await ok('stat', '-c', '%F %s %a %A %U:%G %Y', `${area}/flag`)).toBe('file 0 600 -rw------- ada:analysts 1795341600\n')
    await ok('touch', '-c', `${area}/not-there`)
    await writeFile(local('f'), 'replicated')
    await ok('put', '--replication', '1', local('f'), `${area}/f`)
    await ok('setrep', '2', `${area}/f`)
    expect(await ok('stat', '-c', '%r', `${area}/f`)).toBe('2\n')
    if (kind === 'cluster') {
      await ok('setrep', '-w', '3', `${area}/f`)
      const { located } = JSON.parse(await ok('stat', '-b', '--json', `${area}/f`)) as { located: { nodes: unknown[] }[] }
      expect(located[0]!.nodes).toHaveLength(3)
    }
    expect(await ok('ls', '-l', area)).toMatch(/^-rw------- {2}\d {2}ada +analysts +0 {2}.* {2}flag$/m)
  })

  test('df and du tell of space', async () => {
    await writeFile(local('k'), 'k'.repeat(10_000))
    await ok('put', local('k'), `${area}/d/`)
    expect(await ok('du', '-s', `${area}/d`)).toBe(`10000\t${area}/d\n`)
    const { nodes, total } = JSON.parse(await ok('df', '--json')) as {
      nodes: { state: string; capacityBytes: number }[]
      total: { capacityBytes: number; usedBytes: number }
    }
    expect(nodes.map(node => node.state)).toEqual(kind === 'cluster' ? ['live', 'live', 'live'] : ['live'])
    expect(total.capacityBytes).toBeGreaterThan(total.usedBytes)
    // All datanodes of this test are on one disk.
    for (const { capacityBytes } of nodes) expect(capacityBytes).toBe(total.capacityBytes)
    expect(await ok('df', '-h')).toMatch(/^DATANODE .*\n(.*\n)+total/)
  })

  test('a reader that goes away ends the command quietly with 141', async () => {
    await run(['put', '--format', 'lines', '-', `${area}/long`], env, 'some line\n'.repeat(500_000))
    const child = spawn(process.execPath, [bin, 'cat', `${area}/long`], { env, stdio: ['ignore', 'pipe', 'pipe'] })
    let errors = ''
    child.stderr.on('data', (bytes: Buffer) => { errors += bytes.toString() })
    child.stdout.once('data', () => child.stdout.destroy())
    const code = await new Promise(resolve => child.once('close', resolve))
    expect([code, errors]).toEqual([141, ''])
  })

  test('Ctrl-C during a put leaves nothing visible and exits with 130', async () => {
    const child = spawn(process.execPath, [bin, 'put', '-', `${area}/endless`], { env, stdio: ['pipe', 'ignore', 'pipe'] })
    child.stdin.on('error', () => {})
    const piece = Buffer.alloc(1 << 20, 7)
    for (let i = 0; i < 20; i++) if (!child.stdin.write(piece)) await new Promise(resolve => child.stdin.once('drain', resolve))
    const ended = new Promise(resolve => child.once('close', resolve))
    child.kill('SIGINT')
    expect(await ended).toBe(130)
    expect(await ok('ls', area)).toBe('')
  })

  test('a job runs from the command line: parts, counters, locality, logs', async () => {
    await writeFile(local('words.ts'), [
      `import { mapReduce, sum } from 'gristmill'`,
      `export default mapReduce({`,
      `  map(line: string, emit, context) {`,
      `    console.log('saw', line.length)`,
      `    context.counter('lines')`,
      `    for (const word of line.split(' ')) if (word !== context.params.skip) emit(word, 1)`,
      `  },`,
      `  combine: (_word, counts) => sum(counts),`,
      `  reduce(word, counts, emit) { emit(word, sum(counts)) },`,
      `})`,
    ].join('\n'))
    await ok('mkdir', `${area}/in`)
    await run(['put', '--format', 'lines', '--block-size', '4KiB', '-', `${area}/in/text`], env, 'rye oats rye\nwheat rye\n'.repeat(1000))
    const shown = await mill(
      'run', local('words.ts'), '--input', `${area}/in`, '--output', `${area}/out`, '--reducers', '2', '--param', 'skip=wheat',
    )
    expect([shown.code, shown.stderr]).toEqual([0, expect.stringMatching(/^job \S+\n/)])
    expect(shown.stdout).toMatch(/^succeeded in .*: read 2,000 records \(.*\), wrote 2 records \(.*\) to \S+\/out\n {2}user\.lines +2,000\noutput: gristmill cat '\S+\/out\/part-\*'; stages and counters: gristmill job \S+\n$/)
    const last = await ok('job', 'last')
    expect(last).toMatch(/state +succeeded/)
    expect(last).toMatch(/read +local .* \(100%\)|read +local/)
    expect(last).toMatch(/user\.lines +2,000/)
    expect(
      (await ok('ls', '-a', `${area}/out`))
        .trim()
        .split('\n')
        .filter(name => !/^part-0000[01]\.txt$/.test(name)),
    ).toEqual(['_SUCCESS'])
    expect((await ok('cat', `${area}/out/part-*`)).trim().split('\n').sort()).toEqual(['oats\t1000', 'rye\t3000'])
    const job = JSON.parse(await ok('job', 'last', '--json')) as { job: string; state: string; tasks: unknown[] }
    expect(job.state).toBe('succeeded')
    expect(await ok('jobs')).toContain(job.job)
    expect(await ok('logs', 'last', '--task', '0.0')).toMatch(/^==> 0\.0\.\d <==\n.*saw \d+/)
    // A reduce task of this program prints nothing.
    expect(await mill('logs', 'last', '--task', '1.0')).toMatchObject({
      code: 0, stdout: '', stderr: expect.stringMatching(/^gristmill: logs: 1\.0 of (\S+) has printed nothing; gristmill job \1 shows/),
    })
    expect(await mill('run', local('words.ts'), '--input', `${area}/in`, '--output', `${area}/out`)).toMatchObject({ code: 1, stdout: '' })
    await ok('run', local('words.ts'), '--input', `${area}/in`, '--output', `${area}/out`, '--overwrite', '--json')
    expect((await ok('cat', `${area}/out/part-*`)).trim().split('\n').sort()).toEqual(['oats\t1000', 'rye\t3000', 'wheat\t1000'])
  })

  once('a job is killed, and nothing of it is published', async () => {
    await writeFile(local('slow.ts'), `import { mapReduce } from 'gristmill'\nexport default mapReduce({ map() { for (;;) {} } })\n`)
    await run(['put', '-', `${area}/in`], env, 'x\n')
    const id = (await ok('run', '--detach', local('slow.ts'), '--input', `${area}/in`, '--output', `${area}/out`)).trim()
    expect(await ok('jobs', '--running')).toContain(id)
    expect(await ok('kill', id)).toBe(`${id}: cancelled\n`)
    expect(await ok('ls', area)).toBe('in\n')
  })

  test('a directory that is copied into one of its own name is noted, with the command that copies over it', async () => {
    await mkdir(local('tree'))
    await writeFile(local('tree/a'), 'one')
    expect((await mill('put', '-r', local('tree'), `${area}/tree`)).stderr).toBe('')
    const says = async (from: string, to: string, over: string, ...words: string[]): Promise<void> => {
      const { code, stderr } = await mill(...words)
      expect([code, stderr]).toEqual([0, expect.stringContaining(`${from} is copied into the directory ${to}, as `)])
      expect(stderr).toContain(`${to.replace(/\/$/, '')}/tree; to copy its files over those of ${to}: gristmill ${over}`)
    }
    await says(local('tree'), `${area}/tree`, `put -rf ${local('tree')} ${area}`, 'put', '-r', local('tree'), `${area}/tree`)
    await ok('rm', '-r', `${area}/tree/tree`)
    await says(local('tree'), `${area}/tree/`, `put -rf ${local('tree')} ${area}`, 'put', '-r', local('tree'), `${area}/tree/`)
    await ok('rm', '-r', `${area}/tree/tree`)
    const above = join(dir, area)
    await says(`${area}/tree`, local('tree'), `get -rf ${area}/tree ${above}`, 'get', '-r', `${area}/tree`, local('tree'))
    await ok('mkdir', `${area}/else`)
    await ok('cp', '-r', `${area}/tree`, `${area}/else/tree`)
    await says(`${area}/tree`, `${area}/else/tree`, `cp -rf ${area}/tree ${area}/else`, 'cp', '-r', `${area}/tree`, `${area}/else/tree`)
    // The command of the note does it, without another note; a file of the name is no directory.
    await writeFile(local('tree/a'), 'two')
    expect(await mill('put', '-rf', local('tree'), area)).toMatchObject({ code: 0, stderr: '' })
    expect(await ok('cat', `${area}/tree/a`)).toBe('two')
    await writeFile(local('else'), 'x')
    expect(await mill('put', '-r', local('else'), `${area}/else`)).toMatchObject({ code: 0, stderr: '' })
  })

  test('no temporary file is left on the local side', async () => {
    await writeFile(local('a'), 'x'.repeat(100_000))
    await ok('put', local('a'), `${area}/a`)
    await mkdir(local('out'))
    await ok('get', `${area}/a`, local('out'))
    expect(await readdir(local('out'))).toEqual(['a'])
  })
})
