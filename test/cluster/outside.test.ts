// Files of web servers and of S3 that tasks read where they are, on real processes: each byte once, in ranges, by several tasks; one that
// is replaced meanwhile; keys in no record of the job.

import { createHash } from 'node:crypto'
import { readFile, readdir, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connect, type Mill } from '../../client/index.ts'
import type { JobStatus } from '../../src/protocol/job.ts'
import { openDuckDB } from '../../src/world/duckdb.ts'
import { startCluster, until, type TestCluster } from '../kit/cluster.ts'
import { runHere } from './inprocess.ts'

const KiB = 1024

interface Asked { readonly url: string; readonly range: string | undefined; readonly match: string | undefined }

/** A web server of files with ETags and ranges. */
const files = new Map<string, Buffer>()
const asked: Asked[] = []
/** Files with a weak ETag, and files that come whole where a part was asked for. */
const odd = new Map<string, 'weak' | 'whole'>()
/** Called before a reply to a GET. */
let before: (request: IncomingMessage) => void | Promise<void> = () => {}

async function answer(request: IncomingMessage, response: Parameters<Parameters<typeof createServer>[1] & object>[1]): Promise<void> {
  const { method, url = '', headers: { range, 'if-match': match } } = request
  if (method === 'GET') {
    asked.push({ url, range, match })
    await before(request)
  }
  const content = files.get(url)
  if (!content) return void response.writeHead(404).end()
  const etag = `"${createHash('md5').update(content).digest('hex')}"`
  if (match !== undefined && match !== etag) return void response.writeHead(412).end()
  const kind = odd.get(url)
  const tags = kind === 'weak' ? { etag: `W/${etag}`, 'last-modified': new Date(0).toUTCString() } : { etag }
  const headers = { 'accept-ranges': 'bytes', ...tags }
  if (kind === 'whole' && method === 'GET')
    return void response.writeHead(200, { ...headers, 'content-length': content.length }).end(content)
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? []
  const part = first === undefined ? content : content.subarray(Number(first), Number(last) + 1)
  response.writeHead(first === undefined ? 200 : 206, {
    ...headers, 'content-length': part.length,
    ...first !== undefined && { 'content-range': `bytes ${first}-${Number(first) + part.length - 1}/${content.length}` },
  }).end(method === 'HEAD' ? undefined : part)
}

let cluster: TestCluster
let mill: Mill
let server: Server
let at: string

beforeAll(async () => {
  server = createServer((request, response) => void answer(request, response))
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  const { address, port } = server.address() as AddressInfo
  at = `http://${address}:${port}`
  cluster = await startCluster({ datanodes: 1, settings: { GRISTMILL_BLOCK_SIZE: `${64 * KiB}` }, runner: runHere })
  mill = await connect({ address: `gristmill://${cluster.namenode.address}`, secretFile: cluster.secretFile })
})

afterAll(async () => {
  await mill?.close()
  await cluster?.stop()
  server?.closeAllConnections()
  server?.close()
})

const begin = (): void => {
  asked.length = 0
  before = () => {}
}

async function program(name: string, body: string): Promise<string> {
  const file = join(cluster.dir, name)
  await writeFile(file, `import { program } from 'gristmill'\nexport default program(async (mill, { input, output }) => {\n${body}\n})\n`)
  return file
}

const newest = async (): Promise<JobStatus> => JSON.parse((await cluster.ok(['jobs', '--json'])).split('\n')[0]!) as JobStatus

const rows = Array.from({ length: 20_000 }, (_, i) => ({ id: i, grain: i % 3 === 0 ? 'rye' : 'oats', text: `l\u00e4nge ${i}` }))
const lines = Buffer.from(rows.map(row => `${JSON.stringify(row)}\n`).join(''))

test('tasks read lines of a web server in ranges, each once, and nothing is copied into the cluster', async () => {
  begin()
  files.set('/rows.jsonl', lines)
  const file = await program('lines.ts', `await mill.jsonl(input).map(row => row.id).save(output)`)
  await cluster.ok(['run', file, '--input', `${at}/rows.jsonl`, '--output', '/lines'])
  const { counters, stages } = await newest()
  expect(stages[0]!.tasks).toBe(Math.ceil(lines.length / (64 * KiB)))
  expect(counters).toMatchObject({ recordsIn: rows.length, recordsOut: rows.length, bytesReadLocal: 0, bytesReadRemote: 0 })
  // Beside its own bytes a task reads a byte before them, and the rest of its last line.
  expect(counters['bytesReadOutside']).toBeGreaterThanOrEqual(lines.length)
  const sum = [...(await cluster.ok(['cat', '/lines/part-*'])).matchAll(/\d+/g)].reduce((total, [id]) => total + Number(id), 0)
  expect(sum).toBe(rows.reduce((total, { id }) => total + id, 0))
  expect(asked.every(({ match }) => match !== undefined)).toBe(true)
  expect(asked.filter(({ range }) => range !== undefined).length).toBeGreaterThan(stages[0]!.tasks)
  expect(await cluster.ok(['ls', '/.outside'])).toBe('')
  const page = await readFile(new URL('../../docs/reference/counters.md', import.meta.url), 'utf8')
  for (const name of Object.keys(counters)) expect(page).toContain(`\`${name}\``)
})

test('a map-reduce program reads there, too, unless it is detached: nothing would tell when the job has ended', async () => {
  begin()
  files.set('/words.txt', Buffer.from('rye oats rye\n'.repeat(9_000)))
  await cluster.ok(['run', 'gristmill:wordcount', '--input', `${at}/words.txt`, '--output', '/words'])
  expect((await cluster.ok(['cat', '/words/part-*'])).split('\n').sort().join(' ').trim()).toBe('oats\t9000 rye\t18000')
  expect(await cluster.ok(['ls', '/.outside'])).toBe('')
  expect(await cluster.run(['run', '--detach', 'gristmill:wordcount', '--input', `${at}/words.txt`, '--output', '/words-2']))
    .toMatchObject({ code: 1, stderr: expect.stringContaining('a detached run reads nothing there') as string })
})

test('a file without a strong ETag, and one whose server does not give the ranges that it promises, is copied', async () => {
  for (const kind of ['weak', 'whole'] as const) {
    begin()
    files.set(`/${kind}.jsonl`, lines)
    odd.set(`/${kind}.jsonl`, kind)
    const file = await program(`${kind}.ts`, `await mill.jsonl(input).map(row => row.id).save(output)`)
    await cluster.ok(['run', file, '--input', `${at}/${kind}.jsonl`, '--output', `/copied-${kind}`])
    const { counters } = await newest()
    expect(counters).toMatchObject({ recordsIn: rows.length, recordsOut: rows.length })
    expect(counters['bytesReadOutside']).toBeUndefined()
  }
})

test('an import leaves a file whose source seems to be the same, and with -f only one whose source is', async () => {
  files.set('/weak.csv', Buffer.from('a\n1\n'))
  files.set('/strong.csv', Buffer.from('a\n1\n'))
  odd.set('/weak.csv', 'weak')
  for (const [name, again] of [['weak', 0], ['strong', 1]] as const) {
    const moved = (overwrite: boolean) => mill.import(`${at}/${name}.csv`, `/imported-${name}.csv`, { overwrite })
    expect(await moved(false)).toMatchObject({ unchanged: 0, bytes: 4 })
    expect(await moved(false)).toMatchObject({ unchanged: 1, bytes: 0 })
    expect(await moved(true), name).toMatchObject({ unchanged: again, bytes: 4 * (1 - again) })
  }
})

test('references are removed with their run, also if it is watched or killed', async () => {
  begin()
  files.set('/kept.txt', Buffer.from('rye\n'.repeat(50_000)))
  const start = (output: string) => mill.run('gristmill:wordcount', { input: `${at}/kept.txt`, output, reducers: 1 })
  for await (const _ of (await start('/watched')).watch());
  expect(await cluster.ok(['ls', '/.outside'])).toBe('')
  await (await start('/killed')).kill()
  expect(await cluster.ok(['ls', '/.outside'])).toBe('')
})

test('CSV with line ends in quotes is read by one task, and compressed files as a whole', async () => {
  begin()
  const csv = `id,text\n${rows.map(({ id, text }) => `${id},"${text}\n,""x"`).join('\n')}\n`
  files.set('/rows.csv', Buffer.from(csv))
  files.set('/rows.jsonl.gz', gzipSync(lines))
  for (const [i, [kind, name]] of ([['csv', 'rows.csv'], ['jsonl', 'rows.jsonl.gz']] as const).entries()) {
    const file = await program(`${kind}.ts`, `await mill.${kind}(input).map(row => row.text.length).save(output)`)
    await cluster.ok(['run', file, '--input', `${at}/${name}`, '--output', `/whole-${i}`])
    const { counters, stages } = await newest()
    expect([name, stages[0]!.tasks, counters['recordsIn']]).toEqual([name, 1, rows.length])
    const sql = `SELECT count(*)::INT AS n, sum(length(text))::INT AS l FROM '${at}/${name}'`
    expect(await mill.sql(sql, undefined, { localBytes: 0 }).collect())
      .toEqual([{ n: rows.length, l: rows.reduce((sum, { text }) => sum + text.length + (kind === 'csv' ? 4 : 0), 0) }])
  }
})

test('SQL divides JSON lines and Parquet there among tasks, and its copies of small ones are local', async () => {
  files.set('/rows.jsonl', lines)
  const db = await openDuckDB({ memoryBytes: 256 << 20 })
  try {
    const local = join(cluster.dir, 'made.parquet')
    await db.run(`COPY (SELECT range AS id, CASE WHEN range % 3 = 0 THEN 'rye' ELSE 'oats' END AS grain, hash(range) AS h
      FROM range(20000)) TO '${local}' (FORMAT parquet, ROW_GROUP_SIZE 2048)`)
    files.set('/rows.parquet', await readFile(local))
  } finally {
    db.close()
  }
  for (const name of ['rows.jsonl', 'rows.parquet']) {
    const query = `SELECT grain, count(*)::INT AS n, sum(id)::INT AS ids FROM '${at}/${name}' GROUP BY grain ORDER BY grain`
    const expected = ['oats', 'rye'].map(grain => {
      const own = rows.filter(row => row.grain === grain)
      return { grain, n: own.length, ids: own.reduce((sum, { id }) => sum + id, 0) }
    })
    begin()
    expect(await mill.sql(query).collect()).toEqual(expected)
    begin()
    expect(await mill.sql(query, undefined, { localBytes: 0, distribute: 'always' }).collect()).toEqual(expected)
    const { stages } = await newest()
    expect([name, stages[0]!.tasks > 1]).toEqual([name, true])
    expect(await Array.fromAsync(mill.list('/.outside'))).toEqual([])
  }
  // The rows of one group need a part of the file.
  begin()
  const few = `SELECT count(*)::INT AS n FROM '${at}/rows.parquet' WHERE id < 100`
  expect(await mill.sql(few, undefined, { localBytes: 0, distribute: 'always' }).collect()).toEqual([{ n: 100 }])
  const lengths = asked.map(({ range }) => /(\d+)-(\d+)/.exec(range ?? '')).map(found => (found ? Number(found[2]) - Number(found[1]) : 0))
  expect(lengths.reduce((sum, length) => sum + length, 0)).toBeLessThan(files.get('/rows.parquet')!.length)
})

test('a file that is replaced while its tasks read ends the job with its address, and is read anew by the next run', async () => {
  begin()
  files.set('/changing.jsonl', lines)
  const other = Buffer.from(lines.toString().replaceAll('rye', 'eye'))
  before = ({ url }) => {
    if (asked.filter(each => each.url === url && each.range !== undefined).length > 3) files.set('/changing.jsonl', other)
  }
  const file = await program('changing.ts', `await mill.jsonl(input).map(row => row.grain).save(output)`)
  const words = ['run', file, '--input', `${at}/changing.jsonl`, '--output', '/changing']
  expect(await cluster.run(words)).toMatchObject({
    code: 1, stderr: expect.stringContaining(`${at}/changing.jsonl was replaced while it was read`) as string,
  })
  expect(await cluster.ok(['ls', '/.outside'])).toBe('')
  begin()
  await cluster.ok(words)
  expect(await cluster.ok(['cat', '/changing/part-*'])).not.toContain('rye')
})

test('a server that fails for a moment, and one that breaks off, is asked again from the byte that was reached', async () => {
  begin()
  let faults = 0
  before = request => {
    if (asked.length % 3 !== 0) return
    faults++
    request.socket.destroy()
  }
  const file = await program('faults.ts', `await mill.jsonl(input).map(row => row.id).save(output)`)
  await cluster.ok(['run', file, '--input', `${at}/rows.jsonl`, '--output', '/faults'])
  expect((await newest()).counters['recordsIn']).toBe(rows.length)
  expect(faults).toBeGreaterThan(0)
})

test('objects of S3 are read with keys that are in no record of the job, no file of the namenode, and gone with the query', async () => {
  begin()
  const key = 'AKIAMILLTEST'
  const secret = 'not-to-be-found-anywhere'
  for (const i of [1, 2]) files.set(`/grain/rows/${i}.jsonl`, lines)
  // A list of objects as a service of S3 gives it; the signature is not looked at.
  const etag = createHash('md5').update(lines).digest('hex')
  const list = (): Buffer => Buffer.from(`<ListBucketResult>${[1, 2].map(i =>
    `<Contents><Key>rows/${i}.jsonl</Key><ETag>"${etag}"</ETag><Size>${lines.length}</Size></Contents>`)
    .join('')}<IsTruncated>false</IsTruncated></ListBucketResult>`)
  files.set('/grain/?encoding-type=url&list-type=2&prefix=rows%2F', list())
  files.set('/grain/?list-type=2&prefix=rows%2F&encoding-type=url', list())
  const env = { ...cluster.env, AWS_ACCESS_KEY_ID: key, AWS_SECRET_ACCESS_KEY: secret, AWS_ENDPOINT_URL: at }
  let held = ''
  let references = ''
  before = async ({ url }) => {
    if (!url!.endsWith('2.jsonl') || held !== '') return
    const [stage] = await Array.fromAsync(mill.list('/.outside'))
    held = stage!.path
    references = Buffer.from(await mill.xattrs.get(`${held}/ref/2.jsonl`, 'user.source.reference')).toString()
  }
  const file = await program('objects.ts', `await mill.jsonl(input).map(row => row.id).save(output)`)
  const { code, stderr } = await runHere(['run', file, '--input', 's3://grain/rows/', '--output', '/objects'], env)
  expect([code, code === 0 ? '' : stderr]).toEqual([0, ''])
  const job = await newest()
  expect(job.counters['recordsIn']).toBe(2 * rows.length)
  expect(references).toContain(`"bytes":${lines.length}`)
  for (const text of [JSON.stringify(job), references, await cluster.ok(['history', '/objects', '--json'])])
    for (const each of [key, secret]) expect(text).not.toContain(each)
  // Neither the namenode's journal and store, nor what tasks have left on the datanode.
  const stored = (await readdir(cluster.dir, { recursive: true, withFileTypes: true })).filter(each => each.isFile())
  for (const { parentPath, name } of stored) {
    const bytes = await readFile(join(parentPath, name)).catch(() => Buffer.alloc(0))
    expect([name, bytes.includes(secret)]).toEqual([name, false])
  }
  await until('the references are gone', async () => (await Array.fromAsync(mill.list('/.outside'))).length === 0)
})

test('errors of tasks, of queries here and of planning name a file by its address', async () => {
  begin()
  files.set('/bad.jsonl', Buffer.from('{"id":1}\n{"id":\n'))
  files.set('/bad.parquet', Buffer.from('PAR1 and no more'))
  const file = await program('bad.ts', `await mill.jsonl(input).map(row => row.id).save(output)`)
  const errors = [(await cluster.run(['run', file, '--input', `${at}/bad.jsonl`, '--output', '/bad'])).stderr]
  for (const sql of [`SELECT sum(id) FROM '${at}/bad.jsonl'`, `SELECT * FROM '${at}/bad.parquet'`]) {
    for (const options of [{}, { localBytes: 0 }])
      errors.push(await mill.sql(sql, undefined, options).collect().then(() => 'no error', (error: Error) => error.message))
  }
  expect(errors.filter(error => !error.includes(`${at}/bad.`) || error.includes('/.outside'))).toEqual([])
  const { failure } = await newest() as { failure?: { message: string } }
  expect(failure?.message ?? '').not.toContain('/.outside')
})

test('a task over many small files asks for some at a time', async () => {
  begin()
  const count = 60
  let open = 0
  let openMax = 0
  for (let i = 0; i < count; i++) files.set(`/grain/small/${i}.jsonl`, Buffer.from(`{"id":${i}}\n`))
  const etag = (i: number): string => createHash('md5').update(files.get(`/grain/small/${i}.jsonl`)!).digest('hex')
  const list = Buffer.from(`<ListBucketResult>${Array.from({ length: count }, (_, i) => `<Contents><Key>small/${i}.jsonl</Key>`
    + `<ETag>"${etag(i)}"</ETag><Size>${files.get(`/grain/small/${i}.jsonl`)!.length}</Size></Contents>`).join('')}`
    + `<IsTruncated>false</IsTruncated></ListBucketResult>`)
  for (const query of ['encoding-type=url&list-type=2&prefix=small%2F', 'list-type=2&prefix=small%2F&encoding-type=url']) files.set(`/grain/?${query}`, list)
  before = async ({ url }) => {
    if (!url!.endsWith('.jsonl')) return
    openMax = Math.max(openMax, ++open)
    // Until others have come, or none comes any more.
    for (let turns = 0; turns < 200 && open < 8; turns++) await new Promise(resolve => { setImmediate(resolve) })
    open--
  }
  const env = { ...cluster.env, AWS_ACCESS_KEY_ID: 'k', AWS_SECRET_ACCESS_KEY: 's', AWS_ENDPOINT_URL: at }
  const file = await program('small.ts', `await mill.jsonl(input).map(row => row.id).save(output)`)
  const { code, stderr } = await runHere(['run', file, '--input', 's3://grain/small/', '--output', '/small-files'], env)
  expect([code, code === 0 ? '' : stderr]).toEqual([0, ''])
  const job = await newest()
  expect([job.stages[0]!.tasks, job.counters['recordsIn']]).toEqual([1, count])
  expect(openMax).toBe(8)
})
