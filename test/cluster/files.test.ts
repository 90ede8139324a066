// Library calls for files, the same on a cluster of three real datanodes and on an embedded one: contents, ranges, streams, listings,
// globs, checksums, copies, aborts and typed errors are equal.

import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readFile, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { buffer, text } from 'node:stream/consumers'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { connect, GristmillError, open, type Mill } from '../../client/index.ts'
import { startCluster, type TestCluster } from '../kit/cluster.ts'

const random = (bytes: number, seed: string): Buffer => createHash('shake256', { outputLength: bytes }).update(seed).digest()

/** CRC32C bit by bit: slow, and independent of the library in use. */
function crc32c(bytes: Uint8Array): number {
  let crc = ~0
  for (const byte of bytes) {
    crc ^= byte
    for (let i = 0; i < 8; i++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0)
  }
  return ~crc >>> 0
}

describe.each(['cluster', 'embedded'] as const)('%s', kind => {
  let cluster: TestCluster | undefined
  let mill: Mill
  let dir: string
  let area = ''
  let tests = 0

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'gristmill-files-'))
    if (kind === 'cluster') {
      cluster = await startCluster({ datanodes: 3 })
      mill = await connect({ address: `gristmill://${cluster.namenode.address}`, secretFile: cluster.secretFile })
    } else {
      mill = await open(join(dir, 'mill'))
    }
  })

  afterAll(async () => {
    await mill?.close()
    await cluster?.stop()
    await rm(dir, { recursive: true, force: true })
  })

  beforeEach(async () => {
    area = `/t${++tests}`
    await mkdir(join(dir, area))
    await mill.mkdir(area)
  })

  const at = (name: string): string => `${area}/${name}`
  const local = (name: string): string => join(dir, area, name)

  test('a file is read as it was written, as bytes and as text', async () => {
    await mill.writeFile(at('text'), 'grain ü 小\n')
    expect(await mill.readFile(at('text'), 'utf8')).toBe('grain ü 小\n')
    expect(await mill.readFile(at('text'))).toEqual(Buffer.from('grain ü 小\n'))
    await mill.writeFile(at('text'), new Uint16Array([258, 772]))
    expect([...await mill.readFile(at('text'))]).toEqual([2, 1, 4, 3])
    await mill.writeFile(at('text'), (async function* () { yield 'a'; yield Buffer.from('b') })())
    expect(await mill.readFile(at('text'), { encoding: 'latin1' })).toBe('ab')
    await mill.writeFile(at('text'), '')
    expect(await mill.readFile(at('text'), 'utf8')).toBe('')
  })

  test('ranges over block borders are those of the bytes, ends included', async () => {
    const bytes = random(100_000, 'ranges')
    await mill.writeFile(at('f'), bytes, { blockSize: 16_384 })
    expect((await mill.stat(at('f'))).blocks).toBe(7)
    for (const [start, end] of [
      [0, 0], [0, 99_999], [16_383, 16_384], [1, 65_536], [99_999, 99_999], [50_000, 200_000], [99_998, Infinity],
    ] as const) {
      expect((await buffer(mill.createReadStream(at('f'), { start, end }))).equals(bytes.subarray(start, end + 1)), `${start}-${end}`).toBe(
        true,
      )
    }
    expect((await buffer(mill.createReadStream(at('f'), { start: 100_000 }))).length).toBe(0)
    const sizes: number[] = []
    for await (const chunk of mill.createReadStream(at('f'), { highWaterMark: 1000 })) sizes.push((chunk as Buffer).length)
    expect([Math.max(...sizes), sizes.reduce((a, b) => a + b)]).toEqual([1000, 100_000])
    expect(await text(mill.createReadStream(at('f'), { encoding: 'hex', end: 3 }))).toBe(bytes.subarray(0, 4).toString('hex'))
  })

  test('a stream is a file once it has finished, and nothing when it is destroyed before', async () => {
    const bytes = random(300_000, 'stream')
    const stream = mill.createWriteStream(at('f'), { blockSize: 65_536 })
    stream.write(bytes.subarray(0, 200_000))
    expect(await mill.exists(at('f'))).toBe(false)
    await new Promise<void>((resolve, reject) => { stream.end(bytes.subarray(200_000), () => resolve()); stream.once('error', reject) })
    expect((await mill.readFile(at('f'))).equals(bytes)).toBe(true)
    expect(stream).toMatchObject({ bytesWritten: 300_000, status: { length: 300_000 } })

    const failing = Readable.from((async function* () { yield bytes; throw new Error('the source broke') })())
    await expect(pipeline(failing, mill.createWriteStream(at('g'), { blockSize: 65_536 }))).rejects.toThrow('the source broke')
    expect(await mill.readdir(area)).toEqual(['f'])
    // The path is available again at once.
    await mill.writeFile(at('g'), 'free')

    await pipeline(mill.createReadStream(at('f')), mill.createWriteStream(at('h'), { blockSize: 4096 * 3 }))
    expect(await mill.checksum(at('h'))).toEqual(await mill.checksum(at('f')))
  })

  test('an existing file stays until the new one is complete', async () => {
    await mill.writeFile(at('f'), 'old')
    const stream = mill.createWriteStream(at('f'))
    stream.write('new and long')
    await new Promise(resolve => stream.once('drain', resolve).write(Buffer.alloc(2_000_000)))
    expect(await mill.readFile(at('f'), 'utf8')).toBe('old')
    stream.destroy()
    await new Promise(resolve => stream.once('close', resolve))
    expect(await mill.readFile(at('f'), 'utf8')).toBe('old')
    await expect(mill.writeFile(at('f'), 'x', { overwrite: false })).rejects.toMatchObject({ code: 'EEXIST' })
  })

  test('an open file is read at any place', async () => {
    const bytes = random(50_000, 'handle')
    await mill.writeFile(at('f'), bytes, { blockSize: 8192 })
    await using file = await mill.open(at('f'))
    const target = Buffer.alloc(100)
    expect(await file.read(target, { position: 8150, length: 90, offset: 10 })).toMatchObject({ bytesRead: 90 })
    expect(target.subarray(10).equals(bytes.subarray(8150, 8240))).toBe(true)
    expect((await file.read(target, { position: 49_990 })).bytesRead).toBe(10)
    expect((await file.read(target, { position: 60_000 })).bytesRead).toBe(0)
    expect((await file.read(target)).bytesRead).toBe(100)
    await file.read(target)
    expect(target.equals(bytes.subarray(100, 200))).toBe(true)
    expect((await file.readFile()).equals(bytes.subarray(200))).toBe(true)
    expect((await buffer(file.createReadStream({ start: 5, end: 9, autoClose: false }))).equals(bytes.subarray(5, 10))).toBe(true)
    expect((await file.stat()).size).toBe(50_000)
    await expect(mill.open(at('f'), 'w' as 'r')).rejects.toMatchObject({
      code: 'EINVAL',
      message: expect.stringContaining('createWriteStream'),
    })
    await expect(mill.open(area)).rejects.toMatchObject({ code: 'EISDIR' })
  })

  test('lines come one by one, whatever their ends and the blocks', async () => {
    const lines = Array.from({ length: 3000 }, (_, i) => `line ${i} ${'ü'.repeat(i % 50)}`)
    await mill.writeFile(at('f'), `${lines.join('\n')}\r\n\nlast`, { blockSize: 4096, format: 'lines' })
    expect(await Array.fromAsync(mill.lines(at('f')))).toEqual([...lines, '', 'last'])
    for await (const line of mill.lines(at('f'))) {
      expect(line).toBe('line 0 ')
      break
    }
    const { format, blocks } = await mill.stat(at('f'))
    expect([format, blocks > 20]).toEqual(['lines', true])
  })

  test('directories are made, listed, walked and removed as in node:fs', async () => {
    await mill.mkdir(at('a/b/c'), { recursive: true })
    await mill.mkdir(at('a/b/c'), { recursive: true })
    await expect(mill.mkdir(at('a'))).rejects.toMatchObject({ code: 'EEXIST' })
    await expect(mill.mkdir(at('x/y'))).rejects.toMatchObject({ code: 'ENOENT' })
    await mill.writeFile(at('a/b/file.txt'), 'x')
    await mill.writeFile(at('a/Z'), 'x')
    expect(await mill.readdir(at('a'))).toEqual(['Z', 'b'])
    expect(await mill.readdir(at('a'), { recursive: true })).toEqual(['Z', 'b', 'b/c', 'b/file.txt'])
    const entries = await mill.readdir(at('a/b'), { withFileTypes: true })
    expect(entries.map(entry => [entry.name, entry.isFile(), entry.isDirectory(), entry.parentPath])).toEqual([
      ['c', false, true, at('a/b')], ['file.txt', true, false, at('a/b')],
    ])
    await expect(mill.readdir(at('a/Z'))).rejects.toMatchObject({ code: 'ENOTDIR' })
    await expect(mill.readdir(at('nope'))).rejects.toMatchObject({ code: 'ENOENT', details: { path: at('nope'), syscall: 'scandir' } })
    await expect(mill.rm(at('a'))).rejects.toMatchObject({ code: 'ENOTEMPTY' })
    await mill.rm(at('a'), { recursive: true })
    await expect(mill.rm(at('a'))).rejects.toMatchObject({ code: 'ENOENT' })
    await mill.rm(at('a'), { force: true })
    expect(await mill.readdir(area)).toEqual([])
    expect(await mill.summary(area)).toMatchObject({ files: 0, bytes: 0 })
  })

  test('a directory of many pages is listed whole and in order', async () => {
    const names = Array.from({ length: 1203 }, (_, i) => `f${String(i).padStart(5, '0')}`)
    await Promise.all(names.map(name => mill.touch(at(name))))
    expect(await mill.readdir(area)).toEqual(names)
    expect(await Array.fromAsync(mill.glob(at('f00?00')))).toEqual(
      ['f00000', 'f00100', 'f00200', 'f00300', 'f00400', 'f00500', 'f00600', 'f00700', 'f00800', 'f00900'].map(at),
    )
  })

  test('globs reach what they say, and nothing hidden', async () => {
    for (const name of ['a.txt', 'b.csv', 'deep/c.txt', 'deep/er/d.txt', '.hidden/e.txt'])
      await mill.writeFile(at(name), '', { parents: true })
    const found = async (pattern: string): Promise<string[]> =>
      (await Array.fromAsync(mill.glob(at(pattern)))).map(path => path.slice(area.length + 1))
    expect(await found('*.txt')).toEqual(['a.txt'])
    expect(await found('**/*.txt')).toEqual(['a.txt', 'deep/c.txt', 'deep/er/d.txt'])
    expect(await found('deep/**')).toEqual(['deep/c.txt', 'deep/er', 'deep/er/d.txt'])
    expect(await found('{a,b}.*')).toEqual(['a.txt', 'b.csv'])
    expect(await found('.hidden/*')).toEqual(['.hidden/e.txt'])
    expect(await found('nope/*')).toEqual([])
  })

  test('names and facts are changed in one step each', async () => {
    await mill.writeFile(at('a'), 'x', { mode: 0o600, replication: 1 })
    const before = await mill.stat(at('a'))
    expect([before.mode & 0o777, before.isFile(), before.replication, before.size]).toEqual([0o600, true, 1, 1])
    await mill.chmod(at('a'), '640')
    await mill.utimes(at('a'), 0, new Date(1_000_000))
    await mill.setReplication(at('a'), 2)
    await mill.chown(at('a'), { owner: 'ada', group: 'staff' })
    expect(
      await mill
        .stat(at('a'))
        .then(({ mode, mtimeMs, replication, owner, group, ino }) => ({ mode: mode & 0o777, mtimeMs, replication, owner, group, ino })),
    ).toEqual({ mode: 0o640, mtimeMs: 1_000_000, replication: 2, owner: 'ada', group: 'staff', ino: before.ino })
    await mill.writeFile(at('b'), 'y')
    await expect(mill.rename(at('a'), at('b'), { overwrite: false })).rejects.toMatchObject({ code: 'EEXIST' })
    await mill.rename(at('a'), at('b'))
    expect([await mill.readFile(at('b'), 'utf8'), await mill.exists(at('a'))]).toEqual(['x', false])
    await mill.mkdir(at('d'))
    await expect(mill.rename(at('d'), at('d/e'))).rejects.toMatchObject({ code: 'EINVAL' })
    await mill.access(at('b'))
    await expect(mill.access(at('a'))).rejects.toMatchObject({ code: 'ENOENT', details: { path: at('a'), syscall: 'access' } })
  })

  test('the checksum is that of the bytes, whatever the block size', async () => {
    const bytes = random(40_000, 'checksum')
    await mill.writeFile(at('a'), bytes, { blockSize: 4096 })
    await mill.writeFile(at('b'), bytes)
    await mill.writeFile(at('empty'), '')
    const expected = { crc: crc32c(bytes), length: 40_000 }
    expect([await mill.checksum(at('a')), await mill.checksum(at('b')), await mill.checksum(at('empty'))]).toEqual([
      expected, expected, { crc: 0, length: 0 },
    ])
    await expect(mill.checksum(area)).rejects.toMatchObject({ code: 'EISDIR' })
  })

  test('files and trees go in, around and out again', async () => {
    await mkdir(local('tree/deep/empty'), { recursive: true })
    const bytes = random(200_000, 'tree')
    await writeFile(local('tree/big'), bytes)
    await writeFile(local('tree/deep/small.csv'), 'a,b\n1,"x\ny"\n')
    await utimes(local('tree/big'), 1000, 1000)
    const told: number[] = []
    await expect(mill.put(local('tree'), at('tree'))).rejects.toMatchObject({ code: 'EISDIR' })
    expect(
      await mill.put(local('tree'), at('tree'), {
        recursive: true, preserve: true, blockSize: 65_536,
        onProgress: ({ bytes: moved }) => told.push(moved),
      }),
    ).toEqual({ files: 2, bytes: 200_012 })
    expect(told.at(-1)).toBe(200_012)
    expect((await mill.stat(at('tree/big'))).mtimeMs).toBe(1_000_000)
    await expect(mill.put(local('tree/big'), at('tree/big'))).rejects.toMatchObject({ code: 'EEXIST' })

    await expect(mill.cp(at('tree'), at('copy'))).rejects.toMatchObject({ code: 'EISDIR' })
    await expect(mill.cp(at('tree'), at('tree/deep/in'), { recursive: true })).rejects.toMatchObject({ code: 'EINVAL' })
    expect(await mill.cp(at('tree'), at('copy'), { recursive: true, preserve: true })).toEqual({ files: 2, bytes: 200_012 })
    expect(await mill.stat(at('copy/big')).then(({ mtimeMs, blksize, blocks }) => ({ mtimeMs, blksize, blocks }))).toEqual({
      mtimeMs: 1_000_000, blksize: 65_536, blocks: 4,
    })

    await mill.get(at('copy'), local('back'), { recursive: true, preserve: true })
    expect((await readdir(local('back'), { recursive: true })).sort()).toEqual(['big', 'deep', 'deep/empty', 'deep/small.csv'])
    expect((await readFile(local('back/big'))).equals(bytes)).toBe(true)
    expect((await stat(local('back/big'))).mtimeMs).toBe(1_000_000)
    await expect(mill.get(at('copy/big'), local('back/big'))).rejects.toMatchObject({ code: 'EEXIST' })
    await mill.get(at('copy/deep/small.csv'), local('back/big'), { overwrite: true })
    expect(await readFile(local('back/big'), 'utf8')).toBe('a,b\n1,"x\ny"\n')
    await expect(mill.get(at('nope'), local('nope'))).rejects.toMatchObject({ code: 'ENOENT' })
    expect((await readdir(dir + area)).sort()).toEqual(['back', 'tree'])
  })

  test('an abort ends a read, a write and a copy, and leaves nothing half', async () => {
    const bytes = random(3_000_000, 'abort')
    await mill.writeFile(at('f'), bytes, { blockSize: 65_536 })
    const reading = new AbortController()
    const seen: number[] = []
    await expect((async () => {
      for await (const chunk of mill.createReadStream(at('f'), { signal: reading.signal, highWaterMark: 65_536 })) {
        seen.push((chunk as Buffer).length)
        reading.abort()
      }
    })()).rejects.toMatchObject({ code: 'ABORTED' })
    expect(seen.length).toBeLessThan(5)

    const writing = new AbortController()
    const stream = mill.createWriteStream(at('g'), { signal: writing.signal })
    stream.write('x')
    writing.abort()
    await expect(new Promise((_, reject) => stream.once('error', reject))).rejects.toMatchObject({ code: 'ABORTED' })

    const copying = new AbortController()
    await expect(mill.get(at('f'), local('f'), { signal: copying.signal, onProgress: () => copying.abort() })).rejects.toMatchObject({
      code: 'ABORTED',
    })
    await expect(mill.cp(at('f'), at('h'), { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' })
    expect([await mill.readdir(area), await readdir(dir + area)]).toEqual([['f'], []])
  })

  test('errors are typed, and name the path and the call', async () => {
    const error = await mill.readFile(at('nope')).then(() => undefined, (thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(GristmillError)
    expect(error).toMatchObject({
      code: 'ENOENT', details: { path: at('nope'), syscall: 'open' }, message: expect.stringContaining(at('nope')),
    })
    await expect(mill.readFile(area)).rejects.toMatchObject({ code: 'EISDIR' })
    await expect(mill.writeFile(area, 'x')).rejects.toMatchObject({ code: 'EISDIR' })
    await expect(mill.writeFile(at('no/such'), 'x')).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(buffer(mill.createReadStream(at('nope')))).rejects.toMatchObject({ code: 'ENOENT', details: { syscall: 'open' } })
    expect(() => mill.createReadStream(at('f'), { start: 5, end: 4 })).toThrow(expect.objectContaining({ code: 'EINVAL' }))
    await expect(mill.stat(`/${'n'.repeat(256)}`)).rejects.toMatchObject({ code: 'ENAMETOOLONG' })
    expect(await mill.exists('/../../t1/../')).toBe(true)
  })

  test('the cluster tells how it is', async () => {
    const status = await mill.clusterStatus()
    expect(status).toMatchObject({ cluster: mill.cluster, missing: 0, nodes: { length: kind === 'cluster' ? 3 : 1 } })
    expect(await mill.jobs()).toEqual([])
  })
})

test('connecting to an address without a server, or with a wrong secret, is an error that says so', async () => {
  await using cluster = await startCluster({ datanodes: 0 })
  await expect(connect({ address: cluster.namenode.address, secret: 'x'.repeat(64) })).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
  await expect(connect({ address: cluster.namenode.address, secretFile: '/does/not/exist' })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
  })
  await expect(connect({ address: '127.0.0.1:1', secretFile: cluster.secretFile })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  await expect(connect('not an address')).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
})
