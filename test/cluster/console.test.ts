// The console on real processes: a gateway of a cluster, asked as its page asks; and the console of an embedded cluster. The page itself is
// tested in a browser by `npm run test:console`.

import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, symlink, mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openMills } from '../../client/embedded/open.ts'
import { runConsole } from '../../client/process/console.ts'
import { localMachine } from '../../src/world/machine.ts'
import { realWorld } from '../../src/world/world.ts'
import type { TestCluster } from '../kit/cluster.ts'
import { ServerProcess } from '../kit/process/server.ts'
import { root } from '../tidy/source.ts'
import { bin } from './homes.ts'
import { runHere, startClusterHere } from './inprocess.ts'

let cluster: TestCluster
let gateway: ServerProcess
let url = ''

beforeAll(async () => {
  cluster = await startClusterHere({ datanodes: 1, settings: { GRISTMILL_REPLICATION: '1' } })
  gateway = new ServerProcess({ role: 'gateway', args: ['--console', '0'], env: cluster.env })
  url = (await gateway.ready() as unknown as { endpoints: { console: string } }).endpoints.console
})

afterAll(async () => {
  await gateway.end('SIGTERM')
  await cluster[Symbol.asyncDispose]()
})

/** Logs in by a link of the command line. Returns functions that ask as the page does. */
async function login(user?: string) {
  const env = { ...cluster.env, ...user !== undefined && { GRISTMILL_USER: user } }
  const { stdout } = await runHere(['console', '--at', url, '--json'], env)
  const { link } = JSON.parse(stdout) as { link: string }
  const reply = await fetch(`${url}/api/login`, { method: 'POST', body: JSON.stringify({ link: link.split('#')[1] }) })
  const headers = {
    cookie: reply.headers.get('set-cookie')!.split(';')[0]!, 'x-gristmill-token': (await reply.json() as { token: string }).token,
  }
  const ask = async (path: string, init: RequestInit = {}): Promise<any> => {
    const answer = await fetch(`${url}/api/${path}`, { ...init, headers })
    return answer.headers.get('content-type')!.startsWith('application/json') ? answer.json() : answer.text()
  }
  return { ask, call: (name: string, request: object = {}) => ask(`call/${name}`, { method: 'POST', body: JSON.stringify(request) }) }
}

test('a page sees the cluster, and follows it', async () => {
  const { ask, call } = await login()
  const { version, status } = await ask('live')
  expect(status.nodes).toMatchObject([{ state: 'live' }])
  expect(await call('admin.status')).toMatchObject({ cluster: status.cluster })
  const news = ask(`live?after=${version}`)
  await cluster.ok(['mkdir', '/news'])
  // A sample of the charts is news, too.
  let seen = await news
  while (seen.status.directories === status.directories) seen = await ask(`live?after=${seen.version}`)
  expect(seen.status.directories).toBe(status.directories + 1)
})

test('files come and go: upload, list, preview, download, trash, restore', async () => {
  const { ask, call } = await login()
  const name = '<img src=x onerror=alert(1)> ünï.csv'
  const path = `/news/${name}`
  const url = `content?path=${encodeURIComponent(path)}`
  expect(await ask(url, { method: 'PUT', body: 'a,b\n1,2\n' })).toEqual({})
  expect(await ask(url, { method: 'PUT', body: 'x' })).toMatchObject({ error: { code: 'EEXIST' } })
  expect(await ask(url)).toBe('a,b\n1,2\n')
  expect(await ask(`${url}&as=head`)).toBe('a,b\n1,2\n')
  const { entries } = await call('namespace.list', { path: '/news' })
  expect(entries).toMatchObject([{ path, format: 'csv', length: 8 }])
  expect((await call('namespace.locate', { path })).blocks).toMatchObject([{ length: 8, token: '', nodes: [{}] }])
  await call('namespace.remove', { path })
  const { items: [item] } = await call('trash.list')
  expect(item.from).toBe(path)
  await call('trash.restore', { item: item.item })
  expect(await cluster.ok(['cat', path])).toBe('a,b\n1,2\n')
})

test('another user sees what this user may see, and changes nothing else', async () => {
  await cluster.ok(['mkdir', '/private'])
  await cluster.ok(['chmod', '700', '/private'])
  const { ask, call } = await login('eve')
  expect(await call('namespace.list', { path: '/private' })).toMatchObject({ error: { code: 'EACCES' } })
  expect(await ask('content?path=/private/x', { method: 'PUT', body: 'x' })).toMatchObject({ error: { code: 'EACCES' } })
  const { status } = await ask('live')
  expect(await call('service.decommission', { node: status.nodes[0].node })).toMatchObject({ error: { code: 'EACCES' } })
  for (const server of ['namenode', status.nodes[0].node]) {
    expect(await ask(`serverlog/${server}`)).toMatchObject({ error: { code: 'EACCES' } })
    expect(await (await login()).ask(`serverlog/${server}`)).toMatch(/^\d{4}-\d\d-\d\dT\S+ (?:INFO|WARN) {2}\S/)
  }
})

test('a job is followed to its end, with the graph of its stages, its tasks and its logs', async () => {
  const { ask, call } = await login()
  await cluster.ok(['run', 'gristmill:wordcount', '--input', '/news', '--output', '/counts'])
  const { jobs } = await call('job.list')
  expect(jobs).toMatchObject([{ name: 'wordcount', state: 'succeeded', stages: [{ name: 'map' }, { name: 'reduce', sources: [0] }] }])
  const { job } = jobs[0]
  expect(await call('job.watch', { job })).toMatchObject({ state: 'succeeded', output: '/counts' })
  expect((await call('job.tasks', { job })).tasks).toMatchObject([{ attempts: [{ state: 'done' }] }, { attempts: [{ state: 'done' }] }])
  expect(typeof await ask(`logs/${job}`)).toBe('string')
})

test('a query gives the rows that the command gives, and reads no file of the machine that serves the console', async () => {
  const { ask } = await login()
  const sql = (what: string, text: string, more: object = {}) =>
    ask(`sql/${what}`, { method: 'POST', body: JSON.stringify({ sql: text, ...more }) })
  const rows = async (text: string) => (await sql('rows', text) as string).trim().split('\n').map(line => JSON.parse(line))
  await cluster.ok(['put', '-', '/grain.csv'], 'grain,tonnes\nrye,-2.5\n"o,ats",\n')
  const query = "SELECT * FROM '/grain.csv' ORDER BY grain"
  const shown = [['o,ats', null], ['rye', '-2.5']]
  expect((await rows(query)).filter(({ kind }) => kind === 'rows')).toEqual([{ kind: 'rows', rows: shown }])
  expect(await sql('export', query, { format: 'csv' })).toBe(await cluster.ok(['sql', '--format', 'csv', query]))
  expect(await sql('export', query, { format: 'jsonl' })).toBe(await cluster.ok(['sql', '--format', 'jsonl', query]))
  expect((await sql('export', query, { format: 'parquet' })).slice(0, 4)).toBe('PAR1')
  expect(await sql('export', query, { format: 'arrow' })).toContain('tonnes')
  expect((await sql('plan', query)).text).toContain('READ_CSV')
  // A file that this process could read.
  const local = join(root, 'package.json')
  const refused = { kind: 'error', code: 'EACCES', message: expect.stringContaining('of the machine that runs the query') }
  for (const name of [`file://${local}`, `file:${local}`, './package.json', '../package.json'])
    expect([name, (await rows(`SELECT name FROM '${name}'`)).at(-1)]).toEqual([name, refused])
  expect((await rows(`SELECT * FROM read_csv('${local}')`)).at(-1)).toMatchObject({ kind: 'error' })
  expect((await rows(`SELECT * FROM '${local}'`)).at(-1)).toMatchObject({ kind: 'error', code: 'ENOENT' })
})

test('a query runs with the rights of its user', async () => {
  await cluster.ok(['put', '-', '/private/a.csv'], 'a\n1\n')
  const { ask } = await login('eve')
  const lines = await ask('sql/rows', { method: 'POST', body: JSON.stringify({ sql: "FROM '/private/a.csv'" }) }) as string
  expect(JSON.parse(lines.trim().split('\n').at(-1)!)).toMatchObject({ kind: 'error', code: 'EACCES' })
})

test('an output has its history: versions, their difference, a rollback, and its lineage', async () => {
  const { ask, call } = await login()
  const make = (where: string) =>
    cluster.ok(['sql', '-o', '/heavy', '--overwrite', '--format', 'csv', `SELECT * FROM '/heavy-in.csv' WHERE tonnes > ${where}`])
  await cluster.ok(['put', '-', '/heavy-in.csv'], 'grain,tonnes\nrye,8\noats,2\n')
  await make('1')
  await make('5')
  const { versions } = await call('version.list', { path: '/heavy' })
  expect(versions).toMatchObject([{ number: 2, head: true, rows: 1 }, { number: 1, rows: 2 }])
  expect(await ask('ask/diff?from=/heavy@1&to=/heavy@2')).toMatchObject({ kept: 1, added: 0, removed: 1 })
  expect(await call('version.rollback', { path: '/heavy', to: '1' })).toMatchObject({ version: 3, from: 1 })
  expect((await ask('content?path=/heavy/part-00000.csv')).split('\n').length).toBe(4)
  expect(await ask('ask/lineage?path=/heavy')).toMatchObject({
    root: '/heavy@3', nodes: expect.arrayContaining([expect.objectContaining({ id: '/heavy-in.csv', kind: 'input' })]),
  })
  expect(await ask('ask/why?path=/heavy')).toMatchObject({ stale: false })
  await cluster.ok(['put', '--overwrite', '-', '/heavy-in.csv'], 'grain,tonnes\n')
  expect(await ask('ask/why?path=/heavy')).toMatchObject({ stale: true, reasons: [{ kind: 'input-changed' }] })
})

test('snapshots, quotas, attributes, and the structure of a Parquet file', async () => {
  const { ask, call } = await login()
  await cluster.ok(['sql', '-o', '/kept', "SELECT range AS n, {'a': 1, 'b': ['x']} AS s FROM range(3)"])
  await call('snapshot.create', { path: '/kept', name: 'one' })
  expect((await call('snapshot.list', { path: '/kept' })).snapshots).toMatchObject([{ name: 'one' }])
  await cluster.ok(['put', '-', '/kept/more.txt'], 'x')
  const created = { kind: 'created', type: 'file', path: '/more.txt' }
  expect(await ask('ask/snapshot?path=/kept&name=one')).toMatchObject({ entries: [created], cut: false })
  await call('xattr.set', { path: '/kept', name: 'user.a', value: Buffer.from('b').toString('base64') })
  expect(await call('xattr.list', { path: '/kept' })).toEqual({ attributes: [{ name: 'user.a', value: 'Yg==' }] })
  await call('quota.set', { path: '/kept', names: 100 })
  expect((await call('quota.get', { path: '/kept' })).quota.limit).toEqual({ names: 100 })
  expect(await (await login('eve')).call('quota.set', { path: '/kept', names: 1 })).toMatchObject({ error: { code: 'EACCES' } })
  expect(await call('namespace.attributes', { path: '/kept', mode: 0o750 })).toMatchObject({ mode: 0o750 })
  const eve = await login('eve')
  expect(await eve.call('namespace.attributes', { path: '/kept', mode: 0o777 })).toMatchObject({ error: { code: 'EACCES' } })
  const { entries } = await call('namespace.list', { path: '/kept' })
  const { path } = entries.find((entry: { path: string }) => entry.path.endsWith('.parquet'))
  expect(await ask(`ask/parquet?path=${path}`)).toMatchObject({
    rows: 3, groupCount: 1, groups: [{ rows: 3 }],
    columns: [['n', 0], ['s', 0], ['a', 1], ['b', 1], ['list', 2], ['element', 3]].map(([name, depth]) => ({ name, depth })),
  })
  expect(await ask('ask/parquet?path=/kept/more.txt')).toMatchObject({ error: { code: 'EINVAL' } })
})

test('queues, tables, users and the balance are shown; the log of a job is followed to its end', async () => {
  const { ask, call } = await login()
  expect(await call('job.queues')).toMatchObject({ slots: expect.any(Number) })
  expect(await call('service.balanceStatus')).toMatchObject({ running: false })
  await cluster.ok(['sql', "CREATE EXTERNAL TABLE grain LOCATION '/grain.csv'"])
  expect(await call('table.list')).toMatchObject({ tables: [{ name: 'grain', kind: 'table' }] })
  expect(await call('table.get', { names: ['grain'] })).toMatchObject({ tables: [{ columns: [{ name: 'grain' }, { name: 'tonnes' }] }] })
  await call('user.add', { name: 'bob' })
  expect(await call('user.list')).toMatchObject({ users: [{ name: 'bob', keys: [] }] })
  expect(await (await login('eve')).call('user.remove', { name: 'bob' })).toMatchObject({ error: { code: 'EACCES' } })
  await call('user.remove', { name: 'bob' })
  const { jobs: [{ job }] } = await call('job.list')
  expect(typeof await ask(`logs/${job}?follow=true`)).toBe('string')
})

test('where a console listens already, the command that prints a link to it is named', async () => {
  const { code, stderr } = await runHere(['console', '--port', new URL(url).port], cluster.env)
  expect([code === 0, stderr]).toEqual([false, expect.stringContaining(`gristmill console --at ${url}`)])
})

test('every sample of the guide does what it says', async () => {
  const guide = await readFile(join(root, 'docs/guide/console.md'), 'utf8')
  const dir = await mkdtemp(join(tmpdir(), 'gristmill-console-'))
  try {
    await mkdir(join(dir, 'bin'))
    await symlink(bin, join(dir, 'bin/gristmill'))
    const env = { ...cluster.env, PATH: `${join(dir, 'bin')}:${process.env['PATH']}` }
    const samples = [...guide.matchAll(/```sh\n([^]*?)```\n\n```text\n([^]*?)```/g)]
    expect(samples.length).toBe(2)
    for (const [, commands, printed] of samples) {
      const { stdout } = await promisify(execFile)('bash', ['-ec', commands!.replaceAll('http://127.0.0.1:8610', url)], { cwd: dir, env })
      expect(stdout).toBe(printed)
    }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
})

test('the console of an embedded cluster is served by the process that opens it', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'gristmill-console-'))
  try {
    const ending = new AbortController()
    const world = realWorld({ name: 'console', logLevel: 'silent' })
    const parts = { settings: { home: dir }, world, machine: localMachine, signal: ending.signal }
    await runConsole(parts, 0, {
      open: () => openMills({ ...parts, settings: { ...parts.settings, cluster: 'embedded' } }),
      opened: async ({ url: at, link }) => {
        const reply = await fetch(`${at}/api/login`, { method: 'POST', body: JSON.stringify({ link: link.split('#')[1] }) })
        const cookie = reply.headers.get('set-cookie')!.split(';')[0]!
        const live = await fetch(`${at}/api/live`, { headers: { cookie } })
        expect(await live.json()).toMatchObject({ status: { files: 0 } })
        ending.abort()
      },
    })
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
})
