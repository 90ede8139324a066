// The console behind a real listener, with a cluster of the test: who is answered, what a change needs, and what a browser may do with the
// answers.

import { request } from 'node:http'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Console } from '../../../../client/console/console.ts'
import { sealLink } from '../../../../client/console/sessions.ts'
import { Gateway } from '../../../../client/gateway/gateway.ts'
import type { Mill } from '../../../../client/mill.ts'
import { keepCluster } from '../../../../client/sql/cluster.ts'
import type { SqlOptions } from '../../../../client/sql/query.ts'
import { GristmillError } from '../../../../src/base/errors.ts'
import { clusterId } from '../../../../src/base/ids.ts'
import type { Disk } from '../../../../src/ports/disk.ts'
import { silent } from '../../../../src/ports/log.ts'
import type { Message } from '../../../../src/protocol/message.ts'
import { Vault } from '../../../../src/rpc/vault.ts'
import { systemClock as clock } from '../../../../src/world/clock.ts'
import { systemNet } from '../../../../src/world/net.ts'
import { systemRandom } from '../../../../src/world/random.ts'
import { until } from '../../../kit/cluster.ts'

const noSecrets = { accessKey: async () => undefined, password: async () => undefined, isValidToken: async () => {} }

const random = systemRandom()
const vault = new Vault({ secret: Buffer.from('secret of the cluster') }, random)
const assets = {
  page: { type: 'text/html', bytes: Buffer.from('<!doctype html>') },
  files: new Map([['/assets/a.js', { type: 'text/javascript', bytes: Buffer.from('1') }]]),
}
const tools = { clock, random, disk: {} as Disk, openDatabase: undefined, scratchDir: '' }
/** Calls that reached the cluster: user, message, request. */
const calls: unknown[][] = []
const stored = new Map<string, string>()
let gateway: Gateway
let url = ''

/** Queries that began and have not ended. */
let open = 0
const integer = { kind: 'plain', name: 'INTEGER' } as const
const texts = { kind: 'plain', name: 'VARCHAR' } as const

/** `ROWS n`, `FAIL`, `WAIT`: until its signal. */
function queryOf(text: string, { signal, onJob }: SqlOptions) {
  const [word, number = '0'] = text.split(' ')
  async function* batches() {
    if (word === 'LATE') throw new GristmillError('EINVAL', 'division by <b>zero</b>')
    for (let at = 0; at < Number(number); at += 1000)
      yield Array.from({ length: Math.min(1000, Number(number) - at) }, (_, i) => [at + i, i % 2 === 0 ? '<i>' : null])
  }
  return {
    async run() {
      open++
      onJob?.({ id: 'job-7' } as never)
      const dispose = async () => { open-- }
      try {
        if (word === 'FAIL') throw new GristmillError('EINVAL', 'no such table <script>')
        if (word === 'WAIT') await new Promise((_, reject) => { signal!.addEventListener('abort', () => reject(signal!.reason as Error)) })
      } catch (error) {
        await dispose()
        throw error
      }
      const columns = [{ name: 'n', type: integer }, { name: 'n', type: texts }]
      return { columns, isExplanation: false, batches, [Symbol.asyncDispose]: dispose }
    },
    explain: async ({ analyze }: { analyze: boolean }) => ({ place: 'process', stages: [], text: analyze ? 'plan with times' : 'plan' }),
  }
}

/** A cluster with one file, which only ada may read. */
function millOf(user: string): Mill {
  const mill = {
    clusterStatus: async () => ({ nodes: [], nowMs: 1 }), jobs: async () => [],
    status: async () => {
      if (user !== 'ada') throw new GristmillError('EACCES', `${user} may not read it`)
      return { type: 'file', length: 5 }
    },
    open: async () => ({ createReadStream: () => Readable.from([Buffer.from('<b>hi')]) }),
    writeFile: async (path: string, chunks: AsyncIterable<Buffer>) => {
      stored.set(path, Buffer.concat(await Array.fromAsync(chunks)).toString())
    },
    sql: (text: string, _params: undefined, options: SqlOptions) => queryOf(text, options),
    rerun: async (job: string) => ({ id: `${job} again`, wait: async () => {} }),
    lineage: async (path: string) => ({ user, lineage: path }),
    users: {
      addKey: async (name: string) => {
        if (name !== user) throw new GristmillError('EACCES', `${user} may not make a key of ${name}`)
        return { id: 'ID', secret: `secret of ${name}` }
      },
    },
    close: async () => {},
  }
  const ask = async (message: Message, request: unknown) => {
    calls.push([user, message.name, request])
    if (message.name === 'namespace.locate') return { blocks: [{ id: 1, token: 'rights to read' }] }
    return { done: true }
  }
  keepCluster(mill, { cluster: { ask } } as never)
  return mill as unknown as Mill
}

beforeAll(async () => {
  const mills = { of: millOf, own: 'grace', ...noSecrets, cluster: clusterId('c1'), vault, close: async () => {} }
  gateway = await Gateway.start({ world: { clock, log: silent, net: systemNet(silent) }, mills }, {
    host: '127.0.0.1', proxies: { has: () => false },
    dialects: [{ port: 0, make: deps => new Console({ ...deps, ...tools, assets }) }],
  })
  url = `http://${gateway.addresses[0]}`
})

afterAll(() => gateway.stop())

const linkFor = (user: string, at = new URL(url).host): string => sealLink({ clock, random, vault }, { user, at })

interface Login { readonly cookie: string; readonly token: string; readonly attributes: string }

async function login(user: string): Promise<Login> {
  const reply = await fetch(`${url}/api/login`, { method: 'POST', body: JSON.stringify({ link: linkFor(user) }) })
  const [cookie = '', ...attributes] = reply.headers.get('set-cookie')!.split('; ')
  return { cookie, token: (await reply.json() as { token: string }).token, attributes: attributes.join('; ') }
}

const ask = async (path: string, { cookie, token }: Partial<Login>, init: RequestInit = {}) => {
  const headers = { ...cookie !== undefined && { cookie }, ...token !== undefined && { 'x-gristmill-token': token }, ...init.headers }
  const reply = await fetch(`${url}${path}`, { ...init, headers })
  const text = await reply.text()
  const isJson = reply.headers.get('content-type')?.startsWith('application/json')
  const code = (isJson ? JSON.parse(text) as { error?: { code: string } } : {}).error?.code
  return { status: reply.status, headers: reply.headers, text, code }
}

const call = (name: string, given: Partial<Login>, request: unknown = {}, headers: Record<string, string> = {}) =>
  ask(`/api/call/${name}`, given, { method: 'POST', body: JSON.stringify(request), headers })

test('each page is the same file, which needs no login and lets nothing else run', async () => {
  for (const path of ['/', '/files/a%2Fb', '/jobs/job-1?x=%zz', '/login']) {
    const { status, headers, text } = await ask(path, {})
    expect([path, status, text]).toEqual([path, 200, '<!doctype html>'])
    const policy = headers.get('content-security-policy')!
    for (const part of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"])
      expect(policy).toContain(part)
    expect(policy).not.toMatch(/unsafe|\*|http|data:/)
    expect(headers.get('x-content-type-options')).toBe('nosniff')
  }
  expect((await ask('/assets/a.js', {})).headers.get('cache-control')).toContain('immutable')
  expect((await ask('/assets/old.js', {})).status).toBe(404)
})

test('without a session nothing of the cluster is answered', async () => {
  calls.length = 0
  for (const path of ['/api/session', '/api/live', '/api/content?path=/a', '/api/logs/job-1', '/api/call/admin.status', '/api/nothing'])
    for (const method of ['GET', 'POST', 'PUT'])
      expect((await ask(path, { cookie: 'gristmill-c1=v1.AAAA' }, { method })).code).toBe('UNAUTHENTICATED')
  expect(calls).toEqual([])
})

test('a login gives a cookie that scripts and other sites do not get, and never the secret', async () => {
  const { cookie, attributes } = await login('ada')
  expect(attributes).toBe('Path=/; HttpOnly; SameSite=Strict')
  const { text } = await ask('/api/session', { cookie })
  expect(JSON.parse(text)).toMatchObject({ user: 'ada', cluster: 'c1' })
  expect(text).not.toContain(cookie.split('=')[1])
})

test('a link is taken once', async () => {
  const link = linkFor('ada')
  const send = () => ask('/api/login', {}, { method: 'POST', body: JSON.stringify({ link }) })
  expect((await send()).status).toBe(200)
  expect(await send()).toMatchObject({ status: 401, code: 'UNAUTHENTICATED' })
  const other = await ask('/api/login', {}, { method: 'POST', body: JSON.stringify({ link: linkFor('ada', 'elsewhere:1') }) })
  expect(other.code).toBe('UNAUTHENTICATED')
})

test('calls are made as the user of the session', async () => {
  calls.length = 0
  for (const user of ['ada', 'eve']) await call('namespace.stat', await login(user), { path: '/a' })
  expect(calls).toEqual([['ada', 'namespace.stat', { path: '/a' }], ['eve', 'namespace.stat', { path: '/a' }]])
  expect(await ask('/api/content?path=/a', await login('eve'))).toMatchObject({ status: 403, code: 'EACCES' })
})

test('a change needs the token of its own session', async () => {
  const [ada, eve] = [await login('ada'), await login('eve')]
  calls.length = 0
  for (const token of ['', 'x', eve.token]) {
    expect(await call('job.kill', { cookie: ada.cookie, token }, { job: 'job-1' })).toMatchObject({ status: 403, code: 'EACCES' })
    expect((await ask('/api/content?path=/b', { cookie: ada.cookie, token }, { method: 'PUT', body: 'x' })).code).toBe('EACCES')
    expect((await ask('/api/logout', { cookie: ada.cookie, token }, { method: 'POST' })).code).toBe('EACCES')
  }
  expect([calls, stored.size]).toEqual([[], 0])
  expect((await call('job.kill', ada, { job: 'job-1' })).status).toBe(200)
  expect((await ask('/api/content?path=/b', ada, { method: 'PUT', body: 'x' })).status).toBe(200)
  expect(stored.get('/b')).toBe('x')
})

test('a page of another site is refused, whatever it knows, and so is a foreign host name', async () => {
  const ada = await login('ada')
  calls.length = 0
  const foreign: Record<string, string>[] = [
    ...['cross-site', 'same-site', 'none'].map(site => ({ 'sec-fetch-site': site })),
    ...['https://evil.example', 'null'].map(origin => ({ origin })),
  ]
  for (const headers of foreign)
    expect(await call('job.kill', ada, { job: 'job-1' }, headers)).toMatchObject({ status: 403, code: 'EACCES' })
  expect(calls).toEqual([])
  const own = { 'sec-fetch-site': 'same-origin', origin: url }
  expect((await call('job.kill', ada, { job: 'job-1' }, own)).status).toBe(200)
  const status = await new Promise((resolve, reject) => {
    request(url, { headers: { host: 'evil.example' } }, reply => { reply.resume(); resolve(reply.statusCode) }).on('error', reject).end()
  })
  expect(status).toBe(403)
})

test('a logout ends the session, also for a copy of its cookie', async () => {
  const ada = await login('ada')
  const { headers } = await ask('/api/logout', ada, { method: 'POST' })
  expect(headers.get('set-cookie')).toMatch(/^gristmill-c1=; .*Max-Age=0$/)
  expect((await ask('/api/session', ada)).code).toBe('UNAUTHENTICATED')
})

test('only the calls of the pages are known', async () => {
  const ada = await login('ada')
  for (const name of ['heartbeat.beat', 'user.key', 'job.submit', 'user.addKey', 'constructor', '__proto__', 'toString'])
    expect(await call(name, ada)).toMatchObject({ status: 400, code: 'EINVAL' })
})

test('a reply has no tokens of blocks', async () => {
  const { text } = await call('namespace.locate', await login('ada'), { path: '/a' })
  expect(JSON.parse(text)).toEqual({ blocks: [{ id: 1, token: '' }] })
})

test('a file is sent in a form that no browser runs', async () => {
  const ada = await login('ada')
  const { headers, text } = await ask(`/api/content?path=${encodeURIComponent('/d/a "b"\r\n<x>.html')}`, ada)
  expect(text).toBe('<b>hi')
  expect(headers.get('content-type')).toBe('application/octet-stream')
  expect(headers.get('content-disposition')).toBe("attachment; filename*=UTF-8''a%20%22b%22%0D%0A%3Cx%3E.html")
  expect(headers.get('content-security-policy')).toContain('sandbox')
  expect((await ask('/api/content?as=image&path=/a.svg', ada)).code).toBe('EINVAL')
  expect((await ask('/api/content?as=image&path=/a.PNG', ada)).headers.get('content-type')).toBe('image/png')
})

const sql = (what: string, given: Partial<Login>, body: object) =>
  ask(`/api/sql/${what}`, given, { method: 'POST', body: JSON.stringify(body) })
const linesOf = (text: string) => text.trim().split('\n').map(line => JSON.parse(line) as any).filter(({ kind }) => kind !== 'running')

test('a query needs the token, because it may change something', async () => {
  const ada = await login('ada')
  for (const what of ['rows', 'plan', 'export'])
    expect(await sql(what, { cookie: ada.cookie }, { sql: 'ROWS 1' })).toMatchObject({ status: 403, code: 'EACCES' })
  expect((await ask('/api/sql/rows?sql=ROWS', ada)).code).toBe('EINVAL')
})

test('rows come as texts, with NULL told apart, columns each once, and the job', async () => {
  const { text, headers } = await sql('rows', await login('ada'), { sql: 'ROWS 3' })
  expect(linesOf(text)).toEqual([
    { kind: 'job', job: 'job-7' },
    {
      kind: 'columns', isPlan: false,
      columns: [{ name: 'n', type: 'INTEGER', isNumber: true }, { name: 'n_1', type: 'VARCHAR', isNumber: false }],
    },
    { kind: 'rows', rows: [['0', '<i>'], ['1', null], ['2', '<i>']] },
    { kind: 'end', cut: false, long: 0, ms: expect.any(Number) },
  ])
  expect(headers.get('content-security-policy')).toContain('sandbox')
  expect((await sql('plan', await login('ada'), { sql: 'ROWS 3' })).text).toBe('{"place":"process","stages":[],"text":"plan"}')
  expect((await sql('plan', await login('ada'), { sql: 'ROWS 3', analyze: true })).text).toContain('plan with times')
})

test('an access key is made for a request with the token, as its user, and its secret is in that answer only', async () => {
  const ada = await login('ada')
  const make = (given: Partial<Login>, body: object) => ask('/api/key', given, { method: 'POST', body: JSON.stringify(body) })
  const made = await make(ada, { name: 'ada' })
  expect([made.text, made.headers.get('cache-control')]).toEqual(['{"id":"ID","secret":"secret of ada"}', 'no-store'])
  expect(await make({ cookie: ada.cookie }, { name: 'ada' })).toMatchObject({ status: 403, code: 'EACCES' })
  expect((await make(ada, { name: 'grace' })).code).toBe('EACCES')
  expect((await make(ada, {})).code).toBe('EINVAL')
  expect((await make({}, { name: 'ada' })).code).toBe('UNAUTHENTICATED')
})

test('ten thousand rows are sent whole, and of more the first ten thousand, with a mark', async () => {
  const ada = await login('ada')
  for (const [count, cut] of [[10_000, false], [10_001, true]] as const) {
    const lines = linesOf((await sql('rows', ada, { sql: `ROWS ${count}` })).text)
    expect([lines.flatMap(({ rows = [] }) => rows).length, lines.at(-1)]).toMatchObject([10_000, { kind: 'end', cut }])
  }
  expect(open).toBe(0)
})

test('an export has all rows, and a statement that changes something is not exported', async () => {
  const ada = await login('ada')
  const { text } = await sql('export', ada, { sql: 'ROWS 10001', format: 'csv' })
  expect([text.split('\n').length, text.slice(0, 16)]).toEqual([10_003, 'n,n\n0,<i>\n1,\n2,<'])
  expect((await sql('export', ada, { sql: 'ROWS 1', format: 'jsonl' })).text).toBe('{"n":0,"n_1":"<i>"}\n')
  const nested = `SELECT 1 ${'/*'.repeat(500)}`
  for (const body of [{ sql: 'DROP TABLE t' }, { sql: 'ROWS 1', format: 'xml' }, { sql: '  ' }, { sql: 7 }, {}, { sql: nested }])
    expect([body, (await sql('export', ada, body)).code]).toEqual([body, 'EINVAL'])
  await expect(sql('export', ada, { sql: 'LATE' })).rejects.toThrow()
})

test('an error of a query is its last line, also after rows have begun', async () => {
  const ada = await login('ada')
  for (const [text, message] of [['FAIL', 'no such table <script>'], ['LATE', 'division by <b>zero</b>']] as const)
    expect(linesOf((await sql('rows', ada, { sql: text })).text).at(-1)).toEqual({ kind: 'error', code: 'EINVAL', message })
})

test('a query ends when its page goes away, and a user has three at a time', async () => {
  const [ada, eve] = [await login('ada'), await login('eve')]
  // Connections of their own: fetch opens others in the place of those that it breaks.
  const headers = { cookie: ada.cookie, 'x-gristmill-token': ada.token }
  const waiting = [1, 2, 3].map(() => request(`${url}/api/sql/rows`, { method: 'POST', headers, agent: false }).on('error', () => {}))
  for (const each of waiting) each.end(JSON.stringify({ sql: 'WAIT' }))
  await until('the queries to run', async () => open === 3)
  const full = await sql('rows', ada, { sql: 'ROWS 1' })
  expect([full.code, full.status]).toEqual(['OVERLOADED', 429])
  expect(linesOf((await sql('rows', eve, { sql: 'ROWS 1' })).text).at(-1)).toMatchObject({ kind: 'end' })
  for (const each of waiting) each.destroy()
  await until('the queries to end', async () => open === 0)
  await until('room for more', async () => (await sql('rows', ada, { sql: 'ROWS 1' })).status === 200)
})

test('a gateway starts no program again, and the console of a user only those of this user', async () => {
  expect(await ask('/api/rerun/job-1', await login('ada'), { method: 'POST' })).toMatchObject({ status: 403, code: 'EACCES' })
  const mills = { of: millOf, own: 'ada', ...noSecrets, cluster: clusterId('c1'), vault, close: async () => {} }
  const own = await Gateway.start({ world: { clock, log: silent, net: systemNet(silent) }, mills }, {
    host: '127.0.0.1', proxies: { has: () => false },
    dialects: [{ port: 0, make: deps => new Console({ ...deps, ...tools, assets, isOwn: true }) }],
  })
  const again = async ({ cookie, token }: Login) => {
    const headers = { cookie, 'x-gristmill-token': token }
    return (await fetch(`http://${own.addresses[0]}/api/rerun/job-1?latest=true`, { method: 'POST', headers })).text()
  }
  expect(await again(await login('ada'))).toBe('{"job":"job-1 again"}')
  expect(await again(await login('eve'))).toContain('EACCES')
  expect(await again({ ...await login('ada'), token: '' })).toContain('EACCES')
  await own.stop()
})

test('a console at a port that is taken gets any other one, if it may, with the connection that it was given', async () => {
  const taken = Number(gateway.addresses[0]!.split(':').at(-1))
  let closed = 0
  const mills = { of: millOf, own: 'ada', ...noSecrets, cluster: clusterId('c1'), vault, close: async () => { closed++ } }
  const start = (orAny: boolean) => Gateway.start({ world: { clock, log: silent, net: systemNet(silent) }, mills }, {
    host: '127.0.0.1', proxies: { has: () => false },
    dialects: [{ port: taken, orAny, make: deps => new Console({ ...deps, ...tools, assets }) }],
  })
  const other = await start(true)
  expect([other.addresses[0] === gateway.addresses[0], closed]).toEqual([false, 0])
  const { cookie } = await login('ada')
  expect((await fetch(`http://${other.addresses[0]}/api/live`, { headers: { cookie } })).status).toBe(200)
  await other.stop()
  await expect(start(false)).rejects.toMatchObject({ code: 'EADDRINUSE' })
  expect(closed).toBe(2)
})

test('questions are answered as the user, and only those that are known', async () => {
  const ada = await login('ada')
  const { text } = await ask('/api/ask/lineage?path=/out', ada)
  expect(JSON.parse(text)).toEqual({ user: 'ada', lineage: '/out' })
  for (const question of ['lineage', 'diff?from=/a', 'parquet', 'snapshot?path=/a', 'constructor?path=/a', '?path=/a'])
    expect([question, (await ask(`/api/ask/${question}`, ada)).code]).toEqual([question, 'EINVAL'])
})

test('requests that are too long or wrong are refused', async () => {
  const ada = await login('ada')
  expect((await call('namespace.stat', ada, { path: 'x'.repeat(70_000) })).code).toBe('TOO_LARGE')
  for (const body of ['[]', '{', '1', 'null'])
    expect((await ask('/api/call/namespace.stat', ada, { method: 'POST', body })).code).toBe('EINVAL')
  for (const path of ['/api/content', '/api/content?path=/a&as=html', '/api/live?after=-1', '/api/call/admin.status'])
    expect((await ask(path, ada)).code).toBe('EINVAL')
})

test('a page that waits is answered when the console ends', async () => {
  const mills = { of: millOf, own: 'grace', ...noSecrets, cluster: clusterId('c1'), vault, close: async () => {} }
  const other = await Gateway.start({ world: { clock, log: silent, net: systemNet(silent) }, mills }, {
    host: '127.0.0.1', proxies: { has: () => false },
    dialects: [{ port: 0, make: deps => new Console({ ...deps, ...tools, assets }) }],
  })
  const { cookie } = await login('ada')
  const live = (after: number) => fetch(`http://${other.addresses[0]}/api/live?after=${after}`, { headers: { cookie } })
  const { version } = await (await live(0)).json() as { version: number }
  const waiting = live(version)
  // The request has arrived once another one, sent later, is answered.
  await live(0)
  const [reply] = await Promise.all([waiting, other.stop()])
  expect(reply.status).toBe(200)
})
