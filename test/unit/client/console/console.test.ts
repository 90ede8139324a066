// The console behind a real listener, with a cluster of the test: who is answered, what a change needs, and what a browser may do with the
// answers.

import { Readable } from 'node:stream'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Console } from '../../../../client/console/console.ts'
import { sealLink } from '../../../../client/console/sessions.ts'
import { Gateway } from '../../../../client/gateway/gateway.ts'
import type { Mill } from '../../../../client/mill.ts'
import { keepCluster } from '../../../../client/sql/cluster.ts'
import { GristmillError } from '../../../../src/base/errors.ts'
import { clusterId } from '../../../../src/base/ids.ts'
import { silent } from '../../../../src/ports/log.ts'
import type { Message } from '../../../../src/protocol/message.ts'
import { Vault } from '../../../../src/rpc/vault.ts'
import { systemClock as clock } from '../../../../src/world/clock.ts'
import { systemNet } from '../../../../src/world/net.ts'
import { systemRandom } from '../../../../src/world/random.ts'

const random = systemRandom()
const vault = new Vault(Buffer.from('secret of the cluster'), random)
const assets = {
  page: { type: 'text/html', bytes: Buffer.from('<!doctype html>') },
  files: new Map([['/assets/a.js', { type: 'text/javascript', bytes: Buffer.from('1') }]]),
}
/** Calls that reached the cluster: user, message, request. */
const calls: unknown[][] = []
const stored = new Map<string, string>()
let gateway: Gateway
let url = ''

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
  const mills = { of: millOf, own: 'grace', accessKey: async () => undefined, cluster: clusterId('c1'), vault, close: async () => {} }
  gateway = await Gateway.start({ world: { clock, log: silent, net: systemNet(silent) }, mills }, {
    host: '127.0.0.1', proxies: { has: () => false },
    dialects: [{ port: 0, make: deps => new Console({ ...deps, clock, random, assets }) }],
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
  const code = (text.startsWith('{') ? JSON.parse(text) as { error?: { code: string } } : {}).error?.code
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
  const { request } = await import('node:http')
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
  for (const name of ['heartbeat.beat', 'user.key', 'job.submit', 'quota.set', 'constructor', '__proto__', 'toString'])
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

test('requests that are too long or wrong are refused', async () => {
  const ada = await login('ada')
  expect((await call('namespace.stat', ada, { path: 'x'.repeat(70_000) })).code).toBe('TOO_LARGE')
  for (const body of ['[]', '{', '1', 'null'])
    expect((await ask('/api/call/namespace.stat', ada, { method: 'POST', body })).code).toBe('EINVAL')
  for (const path of ['/api/content', '/api/content?path=/a&as=html', '/api/live?after=-1', '/api/call/admin.status'])
    expect((await ask(path, ada)).code).toBe('EINVAL')
})

test('a page that waits is answered when the console ends', async () => {
  const mills = { of: millOf, own: 'grace', accessKey: async () => undefined, cluster: clusterId('c1'), vault, close: async () => {} }
  const other = await Gateway.start({ world: { clock, log: silent, net: systemNet(silent) }, mills }, {
    host: '127.0.0.1', proxies: { has: () => false },
    dialects: [{ port: 0, make: deps => new Console({ ...deps, clock, random, assets }) }],
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
