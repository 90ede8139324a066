// Small files on a cluster whose namenode inlines them: written and read many in one call by commands, the library, jobs and gateways;
// moved out to a block when they grow; durable over a restart, and the same to every caller as files in blocks.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32c } from '@node-rs/crc32'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connect, type Mill } from '../../client/index.ts'
import type { TestCluster } from '../kit/cluster.ts'
import { ServerProcess } from '../kit/process/server.ts'
import { startClusterHere } from './inprocess.ts'
import { S3TestClient, type S3Request, type TestKey } from './s3client.ts'

const bound = 100
const former = process.env['GRISTMILL_INLINE_BYTES']
let cluster: TestCluster
let mill: Mill
const local = (name: string): string => join(cluster.dir, name)

beforeAll(async () => {
  process.env['GRISTMILL_INLINE_BYTES'] = String(bound)
  cluster = await startClusterHere({ datanodes: 1, settings: { GRISTMILL_INLINE_BYTES: String(bound), GRISTMILL_REPLICATION: '1' } })
  mill = await connect({ address: `gristmill://${cluster.namenode.address}`, secretFile: cluster.secretFile })
  // On both sides of the bound, in two directories.
  for (const name of ['a', 'b']) mkdirSync(local(`tree/${name}`), { recursive: true })
  for (let i = 0; i < 150; i++) writeFileSync(local(`tree/${i % 2 ? 'a' : 'b'}/f${i}`), textOf(i))
})

afterAll(async () => {
  process.env['GRISTMILL_INLINE_BYTES'] = former
  await mill.close()
  await cluster[Symbol.asyncDispose]()
})

/** Lengths 0 to 149. */
const textOf = (i: number): string => `${'grain '.repeat(30).slice(0, Math.max(0, i - 1))}${i > 0 ? '\n' : ''}`
const isInlined = (i: number): boolean => i > 0 && i <= bound
const pathOf = (i: number): string => `/tree/${i % 2 ? 'a' : 'b'}/f${i}`


test('put and get of a tree give the same bytes, small files in few calls and without a block', async () => {
  await cluster.ok(['put', '-r', local('tree'), '/tree'])
  for (let i = 0; i < 150; i++) {
    const status = await mill.status(pathOf(i))
    expect([i, status.length, status.inlined ?? false, status.blocks]).toEqual([i, textOf(i).length, isInlined(i), i > bound ? 1 : 0])
  }
  await cluster.ok(['get', '-r', '/tree', local('back')])
  await cluster.ok(['cp', '-r', '/tree', '/copy'])
  expect(await mill.status('/copy/a/f99')).toMatchObject({ inlined: true, length: 99 })
  await cluster.ok(['get', '-r', '/copy', local('copied')])
  for (const name of ['a', 'b']) {
    expect(readdirSync(local(`back/${name}`)).length).toBe(75)
    for (const file of readdirSync(local(`tree/${name}`))) {
      const wanted = readFileSync(local(`tree/${name}/${file}`), 'utf8')
      expect(readFileSync(local(`back/${name}/${file}`), 'utf8')).toBe(wanted)
      expect(readFileSync(local(`copied/${name}/${file}`), 'utf8')).toBe(wanted)
    }
  }
})

test('each file of a put that is refused is named, and the others are stored', async () => {
  await mill.mkdir('/some/a', { recursive: true })
  await mill.writeFile('/some/a/f1', 'there before')
  const { code, stderr } = await cluster.run(['put', '-r', local('tree'), '/some/'])
  expect([code, stderr]).toEqual([0, ''])
  const again = await cluster.run(['put', '-r', local('tree'), '/some/'])
  expect(again.code).toBe(1)
  expect(again.stderr.match(/file exists/g)?.length).toBe(150)
})

test('checksum, ranges, lines and handles of an inlined file are those of its bytes', async () => {
  const text = textOf(77)
  const { crc, length } = await mill.checksum(pathOf(77))
  expect([crc, length]).toEqual([crc32c(Buffer.from(text)), 77])
  const pieces = await mill.createReadStream(pathOf(77), { start: 5, end: 9 }).toArray() as Buffer[]
  expect(Buffer.concat(pieces).toString()).toBe(text.slice(5, 10))
  const handle = await mill.open(pathOf(77))
  const target = Buffer.alloc(10)
  expect([(await handle.read(target, 0, 10, 70)).bytesRead, target.toString('utf8', 0, 7)]).toEqual([7, text.slice(70)])
  await handle.close()
  expect(await Array.fromAsync(mill.lines(pathOf(77)))).toEqual([text.trimEnd()])
  expect(await Array.fromAsync(mill.locate(pathOf(77)))).toEqual([])
  expect(JSON.parse(await cluster.ok(['stat', '--json', '--blocks', pathOf(77)]))).toMatchObject({ inlined: true, blocks: 0, located: [] })
  expect(await cluster.ok(['stat', pathOf(77)])).toMatch(/blocks +none: its bytes are in the namenode/)
})

test('a file that grows moves out to a block, and one that is written smaller moves in', async () => {
  await mill.writeFile('/grows', 'x'.repeat(90), { mode: 0o640 })
  await mill.xattrs.set('/grows', 'user.kept', 'yes')
  await cluster.ok(['append', '-', '/grows'], 'y'.repeat(20))
  expect(await mill.status('/grows')).toMatchObject({ length: 110, blocks: 1, mode: 0o640 })
  expect(await mill.status('/grows')).not.toHaveProperty('inlined')
  expect(await mill.readFile('/grows', 'utf8')).toBe('x'.repeat(90) + 'y'.repeat(20))
  expect((await mill.xattrs.get('/grows', 'user.kept')).toString()).toBe('yes')
  await mill.writeFile('/grows', 'small')
  expect(await mill.status('/grows')).toMatchObject({ length: 5, blocks: 0, inlined: true })
  const stream = mill.createWriteStream('/streamed')
  for (let i = 0; i < 10; i++) stream.write('0123456789')
  await new Promise<void>((resolve, reject) => stream.end((error?: Error | null) => (error ? reject(error) : resolve())))
  expect(stream.status).toMatchObject({ length: 100, inlined: true })
  await cluster.ok(['setrep', '3', '/streamed'])
  expect(await mill.status('/streamed')).toMatchObject({ replication: 3, inlined: true })
})

test('sums count it with its replicas; fsck finds it healthy, and the namenode\'s totals right', async () => {
  await mill.writeFile('/three', 'abc', { replication: 3 })
  expect(await mill.summary('/three')).toMatchObject({ bytes: 3, stored: 9 })
  const checked = await cluster.run(['fsck', '/tree'])
  expect(checked.stdout).toMatch(/^small files, in the namenode +100$/m)
  expect((await mill.recount()).differences).toEqual([])
})

test('trash, restore and a snapshot keep the bytes', async () => {
  await mill.mkdir('/kept')
  await mill.writeFile('/kept/f', 'first')
  await mill.snapshots.create('/kept', 's')
  await mill.writeFile('/kept/f', 'second')
  await mill.rm('/kept/f')
  expect(await mill.readFile('/kept/.snapshot/s/f', 'utf8')).toBe('first')
  const [item] = await Array.fromAsync(mill.trash.list())
  await mill.trash.restore(item!.item)
  expect(await mill.readFile('/kept/f', 'utf8')).toBe('second')
})

test('a job reads many of them in a few calls, and its small parts are inlined', async () => {
  const run = await cluster.ok(['run', 'gristmill:wordcount', '--input', '/tree', '--output', '/words', '--json'])
  expect(run).toContain('"done"')
  const parts = (await Array.fromAsync(mill.list('/words'))).filter(({ path, length }) => path.includes('part-') && length > 0)
  const lines = await Promise.all(parts.map(async ({ path }) => (await mill.readFile(path, 'utf8')).trim().split('\n')))
  const words = Object.fromEntries(lines.flat().map(line => line.split('\t')))
  const wanted = Array.from({ length: 150 }, (_, i) => textOf(i).match(/grain/g)?.length ?? 0).reduce((sum, count) => sum + count, 0)
  expect(Number(words['grain'])).toBe(wanted)
  expect(parts).toMatchObject(parts.map(() => ({ inlined: true })))
  expect(parts.length).toBeGreaterThan(0)
})

test('they are there after a restart, without any datanode', async () => {
  const gone = cluster.datanodes[0]!
  await gone.end()
  await cluster.namenode.kill()
  await cluster.namenode.start()
  // The namenode waits for the reports of blocks; reads go on.
  expect(await mill.readFile(pathOf(50), 'utf8')).toBe(textOf(50))
  await gone.start()
})

test('objects of S3 are inlined, and parts of uploads are not: the whole is joined from blocks', async () => {
  await cluster.ok(['user', 'add', 'ada'])
  const key = JSON.parse(await cluster.ok(['user', 'key', 'ada', '--json'])) as TestKey
  const gateway = new ServerProcess({ role: 'gateway', args: ['--s3', '0'], env: cluster.env })
  const ada = new S3TestClient(((await gateway.ready()) as { address: string }).address, key)
  try {
    const ask = async (method: string, path: string, request: S3Request = {}) => {
      const reply = await ada.ask(method, path, request)
      expect([method, path, reply.status < 300 ? '' : reply.text]).toEqual([method, path, ''])
      return reply
    }
    await ask('PUT', '/grain')
    await ask('PUT', '/grain/small', { body: 'rye' })
    expect((await ask('GET', '/grain/small')).text).toBe('rye')
    expect(await mill.status('/grain/small')).toMatchObject({ inlined: true })
    const uploadId = /<UploadId>(.*?)<\/UploadId>/.exec((await ask('POST', '/grain/joined', { query: { uploads: '' } })).text)![1]!
    const part = await ask('PUT', '/grain/joined', { query: { partNumber: '1', uploadId }, body: 'a small part' })
    await ask('POST', '/grain/joined', {
      query: { uploadId },
      body: '<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>'
        + `<ETag>${String(part.headers['etag'])}</ETag></Part></CompleteMultipartUpload>`,
    })
    expect((await ask('GET', '/grain/joined')).text).toBe('a small part')
    expect(await mill.status('/grain/joined')).toMatchObject({ blocks: 1 })
  } finally {
    await ada.close()
    await gateway.end('SIGTERM')
  }
})
