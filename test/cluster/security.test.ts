// What docs/security.md says, sentence by sentence, as far as it shows from outside; in this order. Signatures, nonces and tokens in all
// their forms are in test/unit/rpc, stamps and locks in test/unit/home, epochs in test/unit/datanode, bounds in test/unit/rpc/body.test.ts
// and serve.test.ts.

import { spawnSync } from 'node:child_process'
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { clusterId, requestId } from '../../src/base/ids.ts'
import { silent } from '../../src/ports/log.ts'
import { mkdir } from '../../src/protocol/namespace.ts'
import { bearerOf, Credentials } from '../../src/rpc/auth.ts'
import { systemClock } from '../../src/world/clock.ts'
import { systemNet } from '../../src/world/net.ts'
import { systemRandom } from '../../src/world/random.ts'
import { run, startCluster, type TestCluster } from '../kit/cluster.ts'

let cluster: TestCluster
let dir = ''
const here = systemNet(silent)
const local = (name: string): string => join(dir, name)

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gristmill-security-'))
  cluster = await startCluster({ datanodes: 1, settings: { GRISTMILL_REPLICATION: '1' } })
  await cluster.ok(['mkdir', '-p', '/in'])
  await cluster.ok(['put', '-', '/in/a'], 'one\n')
})
afterAll(async () => {
  await cluster?.stop()
  await here.close()
  await rm(dir, { recursive: true, force: true })
})

const secret = async (): Promise<Buffer> => Buffer.from((await readFile(cluster.secretFile, 'utf8')).trim())
const home = (): string => cluster.datanodes[0]!.dir
let outputs = 0

/** What a program with this body of `map` emits. */
async function emitted(map: string, head = ''): Promise<string[]> {
  const file = local(`program${++outputs}.mjs`)
  await writeFile(file, `import { mapReduce } from 'gristmill'\n${head}\nexport default mapReduce({ input: { format: 'lines' }, async map(line, emit) { ${map} } })\n`)
  await cluster.ok(['run', file, '-i', '/in/a', '-o', `/out${outputs}`])
  return (await cluster.ok(['cat', `/out${outputs}/part-*`])).trim().split('\n')
}

describe('who can connect at all', () => {
  test('every process listens on the loopback interface unless told otherwise', async () => {
    for (const { address } of [cluster.namenode, ...cluster.datanodes]) expect(address).toMatch(/^127\./)
  })

  test('any other address needs a secret of at least 32 bytes in a file that only its owner can read; without it the process refuses to start', async () => {
    const { GRISTMILL_SECRET_FILE: _, ...open } = cluster.env
    const start = (...more: string[]) => run(['namenode', '--dir', local('nn'), '--host', '0.0.0.0', '--port', '0', ...more], { ...open, GRISTMILL_HOME: local('home') })
    expect(await start()).toMatchObject({ code: 78, stderr: expect.stringContaining('secret') })
    await writeFile(local('short'), 'a'.repeat(31), { mode: 0o600 })
    expect(await start('--secret-file', local('short'))).toMatchObject({ code: 78, stderr: expect.stringContaining('32') })
    await writeFile(local('open'), 'a'.repeat(64))
    await chmod(local('open'), 0o644)
    expect((await start('--secret-file', local('open'))).code).toBe(78)
  })
})

describe('every call', () => {
  const ask = (headers: Record<string, string>, method = 'POST'): Promise<Response> =>
    fetch(`http://${cluster.namenode.address}${mkdir.path}`, { method, headers, ...method === 'POST' && { body: '{"requestId":"web:1","path":"/web"}' } })

  test('even on loopback a request must carry a token; web pages cannot send one', async () => {
    const json = { 'content-type': 'application/json' }
    expect((await ask(json)).status).toBe(401)
    expect((await ask({ ...json, authorization: `Bearer ${'0'.repeat(64)}`, 'x-gristmill-user': 'root' })).status).toBe(401)
    // What a page may send without asking, and what it would be told if it asked.
    expect((await ask({ 'content-type': 'text/plain' })).status).toBe(401)
    const asked = await ask({ origin: 'http://elsewhere', 'access-control-request-method': 'POST' }, 'OPTIONS')
    expect([asked.ok, asked.headers.get('access-control-allow-origin')]).toEqual([false, null])
    expect((await ask({ ...json, authorization: bearerOf(await secret()), 'x-gristmill-user': 'root' })).status).toBe(200)
  })

  test('the secret that is made on loopback lies in a file with mode 0600', async () => {
    const { GRISTMILL_SECRET_FILE: _, GRISTMILL_CLUSTER: __, ...open } = cluster.env
    expect(await run(['ls', '/', '--cluster', 'embedded'], { ...open, GRISTMILL_HOME: local('own') })).toMatchObject({ code: 0 })
    const secrets = (await readdir(local('own'), { recursive: true })).filter(name => /(^|\/)secret$/.test(name))
    expect(secrets.length).toBeGreaterThan(0)
    for (const name of secrets) expect((await stat(join(local('own'), name))).mode & 0o777).toBe(0o600)
  })

  test('a signed request that is repeated is refused; after a restart it is taken once more, and a change has no second effect', async () => {
    const { cluster: { cluster: id } } = JSON.parse(await cluster.ok(['status', '--json'])) as { cluster: { cluster: string } }
    const credentials = new Credentials({ secret: await secret(), user: 'root', cluster: clusterId(id), clock: systemClock, random: systemRandom() })
    const body = JSON.stringify({ requestId: requestId('replay:1'), path: '/replayed' })
    const headers = { 'content-type': 'application/json', ...credentials.sign({ method: 'POST', path: mkdir.path, body }) }
    const send = async () => {
      const answer = await fetch(`http://${cluster.namenode.address}${mkdir.path}`, { method: 'POST', headers, body })
      return [answer.status, ((await answer.json()) as { path?: string }).path]
    }
    expect(await send()).toEqual([200, '/replayed'])
    expect((await send())[0]).toBe(401)
    await cluster.ok(['rm', '-r', '--skip-trash', '/replayed'])
    await cluster.namenode.kill()
    await cluster.namenode.start()
    // The first answer again, and nothing is made.
    const again = await send()
    expect([[200, '/replayed'], [401, undefined]]).toContainEqual(again)
    expect(await run(['stat', '/replayed'], cluster.env)).toMatchObject({ code: 1 })
  })
})

describe('blocks', () => {
  test('a block is written with its own token only; over plain HTTP the token of the cluster is enough to read', async () => {
    const blocks = (await readdir(join(home(), 'blocks'), { recursive: true })).filter(name => /[0-9a-f]{16}$/.test(name))
    const texts = await Promise.all(blocks.map(name => readFile(join(home(), 'blocks', name), 'utf8')))
    const block = blocks[texts.indexOf('one\n')]!.split('/').at(-1)!
    const at = `http://${cluster.datanodes[0]!.address}/v1/block/${block}`
    const token = { authorization: bearerOf(await secret()), 'x-gristmill-user': 'somebody' }
    expect((await fetch(at)).status).toBe(401)
    expect((await fetch(at, { method: 'PUT', body: 'other', headers: token })).status).toBe(401)
    const read = await fetch(at, { headers: token })
    expect([read.status, await read.text()]).toEqual([200, 'one\n'])
    // A wire carries nothing without the block's token.
    const wire = await here.connect(cluster.datanodes[0]!.address as never, { path: '/v1/transfer', headers: { authorization: 'Bearer 0' } }).catch((error: { code: string }) => error.code)
    expect(wire).toBe('UNAUTHENTICATED')
  })
})

describe('mix-ups and files', () => {
  test('a data directory is locked by the process that uses it, and belongs to its cluster', async () => {
    expect(await run(['datanode', '--dir', home(), '--port', '0'], cluster.env)).toMatchObject({ code: 73 })
  })

  test('owner, group and mode are enforced for every user but the one who runs the namenode, and the name is taken on trust', async () => {
    await cluster.ok(['mkdir', '-m', '0700', '/own'])
    expect(await run(['ls', '/own'], { ...cluster.env, GRISTMILL_USER: 'mallory' })).toMatchObject({ code: 1, stderr: expect.stringContaining('permission denied') })
    const { owner } = JSON.parse(await cluster.ok(['stat', '/own', '--json'])) as { owner: string }
    expect(await run(['ls', '/own'], { ...cluster.env, GRISTMILL_USER: owner })).toMatchObject({ code: 0 })
  })
})

describe('the servers', () => {
  test('a slow sender is given up, whatever it has sent', async () => {
    const [host, port] = cluster.namenode.address.split(':')
    const gone = ['', 'POST / HTTP/1.1\r\nhost: x\r\n'].map(text => new Promise(resolve => {
      const socket = net.connect({ host: host!, port: Number(port) }, () => socket.write(text))
      socket.on('error', () => {})
      socket.on('data', () => {})
      socket.once('close', resolve)
    }))
    await Promise.all(gone)
  })

  test('a path is a key and never reaches the operating system', async () => {
    await cluster.ok(['put', '-', '/etc/passwd', '--parents'], 'mine').catch(async () => { await cluster.ok(['mkdir', '-p', '/etc']); await cluster.ok(['put', '-', '/etc/passwd'], 'mine') })
    expect(await cluster.ok(['cat', '/etc/passwd'])).toBe('mine')
    expect(await readFile('/etc/passwd', 'utf8')).not.toBe('mine')
  })
})

describe('the datanode from a task', () => {
  test('a task has a process of its own, in a group of its own, with little in its environment', async () => {
    const [pid, group, names] = (await emitted(`const stat = readFileSync('/proc/self/stat', 'latin1'); emit('', [process.pid, stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2], Object.keys(process.env).sort().join()].join(' '))`, 'import { readFileSync } from \'node:fs\'')).join(' ').trim().split(/\s+/)
    expect(Number(pid)).not.toBe(cluster.datanodes[0]!.pid)
    expect(group).toBe(pid)
    expect(names).toBe('TMPDIR')
  })

  test('Node\'s permissions keep a task\'s own JavaScript from the blocks; a process that it starts is not held by them', async () => {
    const blocks = join(home(), 'blocks')
    const found = await emitted(`
      let own = 'written'
      try { writeFileSync(${JSON.stringify(join(blocks, 'js'))}, '') } catch (error) { own = error.code }
      const { status } = spawnSync('touch', [${JSON.stringify(join(blocks, 'spawned'))}])
      emit('', own + ' ' + status + ' ' + readdirSync(${JSON.stringify(blocks)}).includes('js'))`, 'import { readdirSync, writeFileSync } from \'node:fs\'\nimport { spawnSync } from \'node:child_process\'')
    expect(found.join('').trim()).toBe('ERR_ACCESS_DENIED 0 false')
    expect(await readdir(blocks)).toContain('spawned')
  })

  test('what somebody has put under the hash of a program keeps it from running for nobody', async () => {
    const file = local('mine.mjs')
    await writeFile(file, 'import { mapReduce } from \'gristmill\'\nexport default mapReduce({ input: { format: \'lines\' }, map(line, emit) { emit(\'\', line) } })\n')
    await cluster.ok(['run', file, '-i', '/in/a', '-o', '/mine1'])
    const programs = (await cluster.ok(['ls', '/.gristmill/programs'])).trim().split('\n').map(line => line.split(/\s+/).at(-1)!)
    const bytes = new Map(await Promise.all(programs.map(async path => [path, await cluster.ok(['cat', path.startsWith('/') ? path : `/.gristmill/programs/${path}`])] as const)))
    for (const [path, text] of bytes) {
      const full = path.startsWith('/') ? path : `/.gristmill/programs/${path}`
      await cluster.ok(['rm', '--skip-trash', full])
      // The same length, so that only the bytes tell.
      expect(await run(['put', '-', full], { ...cluster.env, GRISTMILL_USER: 'mallory' }, text.replaceAll(/[a-z]/g, 'x'))).toMatchObject({ code: 0 })
    }
    // So that no node has it any more.
    await rm(join(home(), 'programs'), { recursive: true })
    await cluster.ok(['run', file, '-i', '/in/a', '-o', '/mine2'])
    expect(await cluster.ok(['cat', '/mine2/part-*'])).toContain('one')
  })

  test('a directory of the datanode that somebody removes is made again for the next task', async () => {
    for (const name of ['programs', 'logs', 'shuffle', 'executor']) await rm(join(home(), name), { recursive: true, force: true })
    expect((await emitted('emit(\'\', line + \'!\')')).join('').trim()).toBe('one!')
  })

  test('a datanode whose block files have been replaced by pipes ends when it is told to', async () => {
    const files = (await readdir(join(home(), 'blocks'), { recursive: true })).filter(name => /[0-9a-f]{16}$/.test(name)).map(name => join(home(), 'blocks', name))
    for (const file of files) {
      await rm(file)
      expect(spawnSync('mkfifo', [file]).status).toBe(0)
    }
    const reads = Array.from({ length: 6 }, () => run(['cat', '/in/a'], cluster.env))
    for (const { code } of await Promise.all(reads)) expect(code).not.toBe(0)
    await cluster.datanodes[0]!.end('SIGTERM')
    expect(cluster.datanodes[0]!.running).toBe(false)
  })
})
