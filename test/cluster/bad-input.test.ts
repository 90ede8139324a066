import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmdirSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Member, run, startCluster, until, type TestCluster } from '../kit/cluster.ts'

// Whatever a person or a program does wrong: a clear message, the right exit code, healthy processes, nothing half-visible.

const bin = join(import.meta.dirname, '../../client/cli/gristmill.js')

let cluster: TestCluster
let dir: string
let area = ''
let tests = 0

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gristmill-bad-'))
  cluster = await startCluster({ datanodes: 2, settings: { GRISTMILL_REPLICATION: '2' } })
})

afterAll(async () => {
  await cluster?.stop()
  await rm(dir, { recursive: true, force: true })
})

beforeEach(async () => {
  area = `/t${++tests}`
  await mkdir(join(dir, area))
  await cluster.ok(['mkdir', area])
})

/** After every case: all processes live and well, still the same ones, and a file can be written and read. */
afterEach(async () => {
  for (const member of [cluster.namenode, ...cluster.datanodes]) {
    expect(member.running, `${member.role} is still the process that it was: ${member.errors}`).toBe(true)
    const answer = await fetch(`http://${member.address}/healthz`)
    expect([answer.status, await answer.json()]).toEqual([200, expect.objectContaining({ status: 'ok' })])
  }
  await cluster.ok(['put', '-f', '-', '/well.txt'], 'well')
  expect(await cluster.ok(['cat', '/well.txt'])).toBe('well')
})

const local = (name: string): string => join(dir, area, name)
const mill = (...args: string[]) => cluster.run(args)
const listing = (): Promise<string> => cluster.ok(['ls', '-R', '-a', area])

const program = async (name: string, body: string): Promise<string> => {
  await writeFile(local(name), body)
  return local(name)
}

/** Runs a job over `text` that must fail; nothing may be published, and nothing left in the area but its input. */
async function failing(body: string, text = 'good\nbad\n', ...more: string[]) {
  const file = await program('program.ts', body)
  await cluster.ok(['put', '--format', 'lines', '-', `${area}/in`], text)
  const result = await mill('run', file, '--input', `${area}/in`, '--output', `${area}/out`, '--attempts', '2', ...more)
  expect(await listing()).toBe(`${area}:\nin\n`)
  return result
}

describe('files', () => {
  test('a missing file', async () => {
    expect(await mill('cat', `${area}/nope`)).toMatchObject({ code: 1, stdout: '', stderr: `gristmill: cat: ${area}/nope: no such file or directory\n` })
    expect(await mill('put', local('nope'), area)).toMatchObject({ code: 1, stderr: `gristmill: put: ${local('nope')}: no such file or directory\n` })
    expect(await mill('get', `${area}/nope`, local('x'))).toMatchObject({ code: 1, stderr: `gristmill: get: ${area}/nope: no such file or directory\n` })
    expect(await listing()).toBe(`${area}:\n`)
  })

  test('a directory where a file is needed, a file where a directory is needed', async () => {
    expect(await mill('cat', area)).toMatchObject({ code: 1, stderr: `gristmill: cat: ${area}: is a directory\n` })
    await cluster.ok(['touch', `${area}/file`])
    expect(await mill('mkdir', `${area}/file/below`)).toMatchObject({ code: 1, stderr: expect.stringMatching(/^gristmill: mkdir: \S+: not a directory\n$/) })
    expect(await mill('put', local('.'), `${area}/dir`)).toMatchObject({ code: 1, stderr: expect.stringContaining('is a directory; add -r') })
    expect(await listing()).toBe(`${area}:\nfile\n`)
  })

  test('a missing parent directory is named', async () => {
    expect(await cluster.run(['put', '-', `${area}/no/such/file`], 'x')).toMatchObject({ code: 1, stderr: expect.stringMatching(/^gristmill: put: \/t\d+\/no[\w/]*: no such file or directory\n$/) })
    expect(await listing()).toBe(`${area}:\n`)
  })

  test('a name that is too long, and a name that cannot be', async () => {
    expect(await mill('mkdir', `${area}/${'n'.repeat(256)}`)).toMatchObject({ code: 1, stderr: expect.stringContaining('the name has 256 bytes, at most 255 are allowed') })
    // Dots are resolved before the namenode sees them: this is the root.
    expect(await mill('mkdir', `${area}/..`, `${area}/ok`)).toMatchObject({ code: 1, stderr: expect.stringContaining('file exists') })
    expect(await cluster.ok(['ls', area])).toBe('ok\n')
  })

  test('more replicas than a file can have', async () => {
    expect(await cluster.run(['put', '--replication', '99', '-', `${area}/f`], 'x')).toMatchObject({ code: 2, stderr: expect.stringContaining('from 1 to 16') })
    expect(await listing()).toBe(`${area}:\n`)
  })
})

describe('addresses', () => {
  test('a wrong address: nobody listens there', async () => {
    const port = await freePort()
    const result = await run(['ls', '/', '--cluster', `127.0.0.1:${port}`], cluster.env)
    expect(result).toMatchObject({ code: 69, stdout: '' })
    expect(result.stderr).toMatch(new RegExp(`^gristmill: ls: .*127\\.0\\.0\\.1:${port}.*\n$`))
  })

  test('an address that is none, and a host that does not exist', async () => {
    expect(await run(['ls', '/', '--cluster', 'not an address'], cluster.env)).toMatchObject({ code: expect.toBeOneOf([1, 2, 78]), stderr: expect.stringContaining('not an address') })
    expect(await run(['ls', '/', '--cluster', 'no-such-host.invalid:8620'], cluster.env)).toMatchObject({ code: 69, stderr: expect.stringContaining('no-such-host.invalid') })
  })

  test('the address of something that is not gristmill', async () => {
    const server = createServer(socket => { socket.on('error', () => {}); socket.end('220 mail.example ESMTP\r\n') })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    try {
      const { port } = server.address() as { port: number }
      const result = await run(['ls', '/', '--cluster', `127.0.0.1:${port}`], cluster.env)
      expect(result).toMatchObject({ code: 69, stdout: '', stderr: expect.stringContaining(`127.0.0.1:${port}`) })
    } finally {
      server.close()
    }
  })

  test('a datanode\'s address given for the namenode\'s', async () => {
    const result = await run(['ls', '/', '--cluster', cluster.datanodes[0]!.address], cluster.env)
    expect([result.code === 0, result.stdout, result.stderr.includes(cluster.datanodes[0]!.address)]).toEqual([false, '', true])
  })

  test('the wrong secret, and one that others can read', async () => {
    await writeFile(local('secret'), 'f'.repeat(64), { mode: 0o600 })
    expect(await run(['ls', '/', '--secret-file', local('secret')], cluster.env)).toMatchObject({ code: 77, stdout: '' })
    expect(await run(['ls', '/', '--secret-file', local('nope')], cluster.env)).toMatchObject({ code: expect.toBeOneOf([1, 78]), stderr: expect.stringContaining(local('nope')) })
  })

  test('a port in use', async () => {
    const result = await run(['namenode', '--dir', local('nn'), '--port', cluster.namenode.address.split(':')[1]!], { ...cluster.env, GRISTMILL_CLUSTER: '' })
    expect(result).toMatchObject({ code: 69, stdout: '' })
    expect(result.stderr).toContain(cluster.namenode.address)
    expect(result.stderr).toContain('another process')
  })

  test('a namenode that is down: commands say so, and work again when it is back', async () => {
    const down = await startCluster({ datanodes: 1 })
    try {
      await down.ok(['put', '-', '/kept'], 'kept')
      await down.namenode.kill()
      const result = await down.run(['cat', '/kept'])
      expect(result).toMatchObject({ code: 69, stdout: '', stderr: expect.stringContaining(down.namenode.address) })
      await down.namenode.start()
      expect(await until('the file can be read', async () => { const again = await down.run(['cat', '/kept']); return again.code === 0 && again.stdout })).toBe('kept')
    } finally {
      await down.stop()
    }
  })
})

describe('settings', () => {
  test('an unknown setting is named with its nearest known one', async () => {
    await writeFile(local('config.json'), '{ "replicaton": 2 }')
    expect(await run(['ls', '/', '--config', local('config.json')], cluster.env)).toMatchObject({ code: 78, stderr: expect.stringMatching(/replicaton.*replication/s) })
    expect(await run(['ls', '/'], { ...cluster.env, GRISTMILL_REPLICATON: '2' })).toMatchObject({ code: 78, stderr: expect.stringContaining('GRISTMILL_REPLICATON') })
  })

  test('a setting that cannot be', async () => {
    await writeFile(local('config.json'), 'not json')
    expect(await run(['ls', '/', '--config', local('config.json')], cluster.env)).toMatchObject({ code: 78, stderr: expect.stringContaining('config.json') })
    expect(await run(['namenode', '--dir', local('nn')], { ...cluster.env, GRISTMILL_PORT: 'eighty' })).toMatchObject({ code: 78, stderr: expect.stringContaining('eighty') })
  })

  test('a directory that is in use, and one that belongs to another', async () => {
    expect(await run(['namenode', '--dir', cluster.namenode.dir, '--port', '0'], cluster.env)).toMatchObject({ code: 73, stderr: expect.stringContaining(cluster.namenode.dir) })
    const stranger = new Member('datanode', cluster.datanodes[0]!.dir, [], cluster.env)
    await expect(stranger.start()).rejects.toThrow(cluster.datanodes[0]!.dir)
    await stranger.end()
  })

  test('any interface but loopback without a secret is refused', async () => {
    const { GRISTMILL_SECRET_FILE: _, ...open } = cluster.env
    expect(await run(['namenode', '--dir', local('nn'), '--host', '0.0.0.0', '--port', '0'], open)).toMatchObject({ code: 78, stderr: expect.stringContaining('secret') })
  })
})

describe('programs', () => {
  test('a program that is not there', async () => {
    await cluster.ok(['put', '-', `${area}/in`], 'x\n')
    const result = await mill('run', local('nope.ts'), '--input', `${area}/in`, '--output', `${area}/out`)
    expect([result.code === 0, result.stderr.includes('nope.ts')]).toEqual([false, true])
  })

  test('a program that does not compile shows the compiler\'s message with file and line', async () => {
    const result = await failing(`import { mapReduce } from 'gristmill'\nexport default mapReduce({\n  map(line) { const = 5 },\n})\n`)
    expect(result.code).toBe(65)
    expect(result.stderr).toMatch(/program\.ts:3:\d+/)
    expect(result.stderr).toContain('const = 5')
  })

  test('a program that imports what does not exist', async () => {
    const result = await failing(`import { nothing } from 'no-such-package'\nexport default nothing\n`)
    expect(result).toMatchObject({ code: 65, stderr: expect.stringMatching(/no-such-package[\s\S]*program\.ts:1:\d+|program\.ts:1:\d+[\s\S]*no-such-package/) })
  })

  test('a program without a job in it', async () => {
    expect(await failing(`export const job = 5\n`)).toMatchObject({ code: 65, stderr: expect.stringContaining('default') })
  })

  test('a program that throws while it is loaded', async () => {
    expect(await failing(`throw new Error('at load')\nexport default 5\n`)).toMatchObject({ code: 65, stderr: expect.stringContaining('at load') })
  })

  test('a program that throws: the user\'s stack, the record\'s file and offset', async () => {
    const result = await failing([
      `import { mapReduce } from 'gristmill'`,
      `function check(line: string): void {`,
      `  if (line === 'bad') throw new RangeError('cannot grind ' + line)`,
      `}`,
      `export default mapReduce({ map(line: string, emit) { check(line); emit(line, 1) } })`,
    ].join('\n'))
    expect(result.code).toBe(1)
    expect(result.stderr).toContain('cannot grind bad')
    expect(result.stderr).toMatch(/check \(.*program\.ts:3:\d+\)/)
    expect(result.stderr).toMatch(/map \(.*program\.ts:5:\d+\)/)
    expect(result.stderr).toContain(`${area}/in, byte 5`)
  })

  test('a program that throws in reduce, and one that rejects', async () => {
    const reduce = await failing(`import { mapReduce } from 'gristmill'\nexport default mapReduce({\n  map(line: string, emit) { emit(line, 1) },\n  reduce() { throw new Error('in reduce') },\n})\n`)
    expect(reduce).toMatchObject({ code: 1, stderr: expect.stringMatching(/in reduce[\s\S]*program\.ts:4:\d+/) })
    await cluster.ok(['rm', `${area}/in`])
    const reject = await failing(`import { mapReduce } from 'gristmill'\nexport default mapReduce({\n  async map(line: string) { await null; throw new Error('later') },\n})\n`)
    expect(reject).toMatchObject({ code: 1, stderr: expect.stringMatching(/later[\s\S]*program\.ts:3:\d+/) })
  })

  test('a program that forgets a promise which rejects', async () => {
    const result = await failing(`import { mapReduce } from 'gristmill'\nexport default mapReduce({\n  map(_line: string) { void Promise.reject(new Error('forgotten')) },\n})\n`)
    expect(result).toMatchObject({ code: 1, stderr: expect.stringContaining('forgotten') })
  })

  test('a program that exits', async () => {
    const result = await failing(`import { mapReduce } from 'gristmill'\nexport default mapReduce({ map() { process.exit(0) } })\n`)
    expect(result).toMatchObject({ code: 1, stderr: expect.stringMatching(/exit/) })
  })

  test('a program that never ends is stopped by the time limit', async () => {
    const result = await failing(`import { mapReduce } from 'gristmill'\nexport default mapReduce({ map() { for (;;) {} } })\n`, 'x\n', '--task-timeout', '2s')
    expect(result).toMatchObject({ code: 1, stderr: expect.stringMatching(/2\.0 s|2 s|2000 ms|longer/) })
  })

  test('a program that eats all memory, on the heap and beside it', async () => {
    const heap = await failing(`import { mapReduce } from 'gristmill'\nconst kept: unknown[] = []\nexport default mapReduce({ map() { for (;;) kept.push(new Array(1000).fill({})) } })\n`, 'x\n', '--memory', '128MiB')
    expect(heap).toMatchObject({ code: 1, stderr: expect.stringMatching(/memory/) })
    await cluster.ok(['rm', `${area}/in`])
    const buffers = await failing(`import { mapReduce } from 'gristmill'\nconst kept: Buffer[] = []\nexport default mapReduce({ async map() { for (;;) { kept.push(Buffer.alloc(8 << 20, 1)); await new Promise(resolve => setTimeout(resolve, 2)) } } })\n`, 'x\n', '--memory', '128MiB')
    expect(buffers).toMatchObject({ code: 1, stderr: expect.stringMatching(/memory/) })
  })

  test('an output that exists is refused before anything runs, and stays as it was', async () => {
    const file = await program('p.ts', `import { mapReduce } from 'gristmill'\nexport default mapReduce({ map(line: string, emit) { emit(line, 1) } })\n`)
    await cluster.ok(['put', '-', `${area}/in`], 'x\n')
    await cluster.ok(['mkdir', `${area}/out`])
    await cluster.ok(['put', '-', `${area}/out/precious`], 'keep')
    const result = await mill('run', file, '--input', `${area}/in`, '--output', `${area}/out`)
    expect(result).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(new RegExp(`${area}/out.*(exists|--overwrite)`)) })
    expect(await listing()).toBe(`${area}:\nin\nout\n\n${area}/out:\nprecious\n`)
  })

  test('an input that does not exist', async () => {
    const file = await program('p.ts', `import { mapReduce } from 'gristmill'\nexport default mapReduce({ map(line: string, emit) { emit(line, 1) } })\n`)
    const result = await mill('run', file, '--input', `${area}/nope`, '--output', `${area}/out`)
    expect(result).toMatchObject({ code: 1, stderr: expect.stringContaining(`${area}/nope`) })
    expect(await listing()).toBe(`${area}:\n`)
  })

  test('no input or no output given', async () => {
    const file = await program('p.ts', `import { mapReduce } from 'gristmill'\nexport default mapReduce({ map(line: string, emit) { emit(line, 1) } })\n`)
    const result = await mill('run', file)
    expect([result.code === 0, result.stderr]).toEqual([false, expect.stringMatching(/input|output/)])
  })
})

describe('records', () => {
  const lengths = `import { mapReduce } from 'gristmill'\nexport default mapReduce({ map(line: string, emit) { emit(String(line.length), 1) } })\n`

  test('lines longer than a block are read whole, each once', async () => {
    const file = await program('p.ts', lengths)
    const text = `${'a'.repeat(100)}\n${'b'.repeat(30_000)}\nshort\n${'c'.repeat(9_000)}\n`
    await cluster.ok(['put', '--format', 'lines', '--block-size', '4KiB', '-', `${area}/in`], text)
    await cluster.ok(['run', file, '--input', `${area}/in`, '--output', `${area}/out`])
    expect((await cluster.ok(['cat', `${area}/out/part-*`])).trim().split('\n').map(line => line.split('\t')[0]).sort()).toEqual(['100', '30000', '5', '9000'])
    expect(await cluster.ok(['cat', `${area}/in`])).toBe(text)
  })

  test('a line over the limit is an error with its offset', async () => {
    const result = await failing(lengths, `ok\n${'x'.repeat(17 * 1024 * 1024)}\n`)
    expect(result).toMatchObject({ code: 1, stderr: expect.stringContaining(`${area}/in`) })
    expect(result.stderr).toMatch(/\b3\b/)
  })

  test('bytes that are not UTF-8 are replaced and counted', async () => {
    const file = await program('p.ts', `import { mapReduce } from 'gristmill'\nexport default mapReduce({ map(line: string, emit) { emit(line, 1) } })\n`)
    expect((await cluster.run(['put', '--format', 'lines', '-', `${area}/in`], Buffer.from([0x61, 0xff, 0x62, 0x0a, 0x63, 0x0a]))).code).toBe(0)
    const shown = await cluster.ok(['run', file, '--input', `${area}/in`, '--output', `${area}/out`])
    expect(shown).toMatch(/invalidUtf8Records +1\b/)
    expect((await cluster.ok(['cat', `${area}/out/part-*`])).trim().split('\n').sort()).toEqual(['a\ufffdb\t1', 'c\t1'])
  })
})

describe('full disks', () => {
  // A small disk of its own needs the right to mount one: root has it, and so it is in most containers.
  const small = (path: string, bytes: string): boolean => spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', path]).status === 0
  const canMount = ((): boolean => {
    const path = mkdtempSync(join(tmpdir(), 'gristmill-mount-'))
    const mounted = small(path, '1m')
    if (mounted) spawnSync('umount', [path])
    rmdirSync(path)
    return mounted
  })()

  /** Does the work with a directory on a disk of that size. */
  async function onSmallDisk(bytes: string, work: (path: string) => Promise<void>): Promise<void> {
    const path = local('disk')
    await mkdir(path)
    if (!small(path, bytes)) throw new Error('could be mounted before, and not now')
    try {
      await work(path)
    } finally {
      spawnSync('umount', ['-l', path])
    }
  }

  test('output that does not fit is an error, even of one short line', async () => {
    const child = spawn('bash', ['-c', '"$0" "$1" ls / > /dev/full', process.execPath, bin], { env: cluster.env, stdio: ['ignore', 'ignore', 'pipe'] })
    let errors = ''
    child.stderr.on('data', (bytes: Buffer) => { errors += bytes.toString() })
    expect(await new Promise(resolve => child.once('close', resolve))).toBe(1)
    expect(errors).toBe('gristmill: ls: standard output: no space left on device\n')
  })

  test.skipIf(!canMount)('a full local disk: get says so and leaves no part of a file', async () => { // because mounting needs a right that not everybody has
    await cluster.run(['put', '-', `${area}/big`], Buffer.alloc(3_000_000, 'x'))
    await onSmallDisk('1m', async disk => {
      expect(await mill('get', `${area}/big`, join(disk, 'big'))).toMatchObject({ code: 1, stderr: expect.stringContaining('no space left on device') })
      expect(await readdir(disk)).toEqual([])
    })
  })

  test.skipIf(!canMount)('a full datanode: put says so, the file is not there, its blocks are taken back, and smaller ones still fit', async () => { // because of the same
    await onSmallDisk('40m', async disk => {
      const alone = await startCluster({ datanodes: 0, settings: { GRISTMILL_REPLICATION: '1' } })
      const datanode = new Member('datanode', join(disk, 'datanode'), [], alone.env)
      try {
        await datanode.start()
        const result = await alone.run(['put', '--block-size', '4MiB', '-', '/big'], Buffer.alloc(64 << 20, 'x'))
        expect(result).toMatchObject({ code: 1, stderr: expect.stringMatching(/^gristmill: put: .*(datanode|space).*\n$/) })
        expect(await alone.ok(['ls', '/'])).toBe('')
        for (const { address } of [alone.namenode, datanode]) expect((await fetch(`http://${address}/healthz`)).status).toBe(200)
        const used = async () => (JSON.parse(await alone.ok(['df', '--json'])) as { total: { usedBytes: number } }).total.usedBytes
        await until('what was written of it is gone', async () => await used() < 4 << 20)
        await alone.ok(['put', '--block-size', '4MiB', '-', '/small'], 'small')
        expect(await alone.ok(['cat', '/small'])).toBe('small')
      } finally {
        await datanode.end()
        await alone.stop()
      }
    })
  })

  test.skipIf(!canMount)('a full disk of the namenode: no false success, and all that was acknowledged is there when there is room again', async () => { // because of the same
    await onSmallDisk('8m', async disk => {
      const secret = local('secret')
      await writeFile(secret, 'a'.repeat(64), { mode: 0o600 })
      const env: Record<string, string> = { ...cluster.env, GRISTMILL_SECRET_FILE: secret, GRISTMILL_CLUSTER: '' }
      const namenode = new Member('namenode', join(disk, 'namenode'), [], env)
      await namenode.start()
      env['GRISTMILL_CLUSTER'] = namenode.address
      try {
        expect(await run(['mkdir', '/before'], env)).toMatchObject({ code: 0 })
        await writeFile(join(disk, 'filler'), Buffer.alloc(9 << 20)).catch((error: NodeJS.ErrnoException) => expect(error.code).toBe('ENOSPC'))
        const made: string[] = []
        const refused: string[] = []
        for (let i = 0; i < 3; i++) {
          const result = await run(['mkdir', `/full${i}`], env)
          if (result.code === 0) made.push(`full${i}`)
          else refused.push(result.stderr)
        }
        expect(refused.length).toBeGreaterThan(0)
        for (const message of refused) expect(message).toMatch(/full|may or may not have happened/)
        // It stays, and what it has can be read.
        expect((await run(['ls', '/'], env)).stdout).toContain('before')
        expect(namenode.running).toBe(true)
        await rm(join(disk, 'filler'))
        let after = await run(['mkdir', '/after'], env)
        for (let tries = 0; after.code !== 0 && /full/.test(after.stderr) && tries < 50; tries++) {
          await new Promise(resolve => { setTimeout(resolve, 100) })
          after = await run(['mkdir', '/after'], env)
        }
        expect(after).toMatchObject({ code: 0 })
        expect((await run(['ls', '/'], env)).stdout.trim().split('\n')).toEqual(expect.arrayContaining(['before', 'after', ...made]))
        expect(namenode.running).toBe(true)
      } finally {
        await namenode.end()
      }
    })
  })
})

test('a job that is interrupted is killed, and publishes nothing', async () => {
  const file = await program('slow.ts', `import { mapReduce } from 'gristmill'\nexport default mapReduce({ map() { for (;;) {} } })\n`)
  await cluster.ok(['put', '-', `${area}/in`], 'x\n')
  const child = spawn(process.execPath, [bin, 'run', file, '--input', `${area}/in`, '--output', `${area}/out`], { env: cluster.env, stdio: ['ignore', 'pipe', 'pipe'] })
  let errors = ''
  child.stderr.on('data', (bytes: Buffer) => { errors += bytes.toString() })
  await until('the job runs', async () => /map: 1 tasks/.test(errors))
  child.kill('SIGINT')
  expect(await new Promise(resolve => child.once('close', resolve))).toBe(130)
  expect(JSON.parse(await cluster.ok(['job', 'last', '--json']))).toMatchObject({ state: 'cancelled' })
  expect(await listing()).toBe(`${area}:\nin\n`)
})

const freePort = (): Promise<number> => new Promise(resolve => {
  const server = createServer()
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address() as { port: number }
    server.close(() => resolve(port))
  })
})
