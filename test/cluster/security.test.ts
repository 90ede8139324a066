// Statements of docs/security.md that can be tested from outside, in the order of the page. The tests of each sentence are listed in
// test/tidy/security.test.ts. One file although long: all sentences are tested on one cluster of real processes, which starts once.

import { spawnSync } from 'node:child_process'
import { chmod, mkdir as mkdirLocal, mkdtemp, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connect } from '../../client/index.ts'
import { clusterId, requestId } from '../../src/base/ids.ts'
import { silent } from '../../src/ports/log.ts'
import { mkdir } from '../../src/protocol/namespace.ts'
import { bearerOf, Credentials, skewMs } from '../../src/rpc/auth.ts'
import { systemClock } from '../../src/world/clock.ts'
import { systemNet } from '../../src/world/net.ts'
import { systemRandom } from '../../src/world/random.ts'
import { run as runProcess, type TestCluster } from '../kit/cluster.ts'
import { runHere as run, startClusterHere } from './inprocess.ts'

let cluster: TestCluster
let dir = ''
const here = systemNet(silent)
const local = (name: string): string => join(dir, name)

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gristmill-security-'))
  cluster = await startClusterHere({ datanodes: 1, settings: { GRISTMILL_REPLICATION: '1' } })
  await cluster.ok(['mkdir', '-p', '/in'])
  await cluster.ok(['put', '-', '/in/a'], 'one\n')
})
afterAll(async () => {
  await cluster?.stop()
  await here.close()
  await rm(dir, { recursive: true, force: true })
})

const mallory = async (args: readonly string[], input = ''): Promise<void> => {
  expect(await run(args, { ...cluster.env, GRISTMILL_USER: 'mallory' }, input)).toMatchObject({ code: 0 })
}
const secret = async (): Promise<Buffer> => Buffer.from((await readFile(cluster.secretFile, 'utf8')).trim())
const home = (): string => cluster.datanodes[0]!.dir
let outputs = 0

/** Records that a program with this body of `map` emits. With an environment of its own, the command is a process. */
async function emitted(
  map: string, head = '', args: readonly string[] = [], env?: Readonly<Record<string, string>>,
): Promise<string[]> {
  const file = local(`program${++outputs}.mjs`)
  await writeFile(
    file,
    `import { mapReduce } from 'gristmill'\n${head}\nexport default mapReduce({ input: { format: 'lines' }, async map(line, emit) { ${map} } })\n`,
  )
  const words = ['run', file, '-i', '/in/a', '-o', `/out${outputs}`, ...args]
  const done = env === undefined ? await run(words, cluster.env) : await runProcess(words, { ...cluster.env, ...env })
  if (done.code !== 0) throw new Error(done.stderr)
  return (await cluster.ok(['cat', `/out${outputs}/part-*`])).trim().split('\n')
}

describe('who can connect at all', () => {
  test('every process listens on the loopback interface by default', async () => {
    for (const { address } of [cluster.namenode, ...cluster.datanodes]) expect(address).toMatch(/^127\./)
  })

  test('any other address needs a secret of at least 32 bytes in a file that only its owner can read; without it the process refuses to start', async () => {
    const { GRISTMILL_SECRET_FILE: _, ...open } = cluster.env
    const start = (...more: string[]) =>
      run(['namenode', '--dir', local('nn'), '--host', '0.0.0.0', '--port', '0', ...more], { ...open, GRISTMILL_HOME: local('home') })
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
    fetch(`http://${cluster.namenode.address}${mkdir.path}`, {
      method, headers,
      ...(method === 'POST' && { body: '{"requestId":"web:1","path":"/web"}' }),
    })

  test('even on loopback a request must carry a token; web pages cannot send one', async () => {
    const json = { 'content-type': 'application/json' }
    expect((await ask(json)).status).toBe(401)
    expect((await ask({ ...json, authorization: `Bearer ${'0'.repeat(64)}`, 'x-gristmill-user': 'root' })).status).toBe(401)
    // A page can send this request without asking; a request for permission is refused too.
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
    const {
      cluster: { cluster: id },
    } = JSON.parse(await cluster.ok(['status', '--json'])) as { cluster: { cluster: string } }
    // Dated ahead, as by a fast clock: valid for nearly two minutes, in which a busy machine restarts a namenode.
    const aheadMs = 50_000
    const clock = { ...systemClock, now: () => Date.now() + aheadMs }
    const credentials = new Credentials({ secret: await secret(), user: 'root', cluster: clusterId(id), clock, random: systemRandom() })
    for (let tries = 1; ; tries++) {
      const path = `/replayed${tries}`
      const body = JSON.stringify({ requestId: requestId(`replay:${tries}`), path })
      const signedMs = Date.now()
      const headers = { 'content-type': 'application/json', ...credentials.sign({ method: 'POST', path: mkdir.path, body }) }
      const send = async () => {
        const answer = await fetch(`http://${cluster.namenode.address}${mkdir.path}`, { method: 'POST', headers, body })
        return [answer.status, ((await answer.json()) as { path?: string }).path]
      }
      expect(await send()).toEqual([200, path])
      expect((await send())[0]).toBe(401)
      await cluster.ok(['rm', '-r', '--skip-trash', path])
      await cluster.namenode.kill()
      await cluster.namenode.start()
      const again = await send()
      if (Date.now() - signedMs > aheadMs + skewMs) continue // expired by now
      // The first reply again; nothing new is created.
      expect(again).toEqual([200, path])
      expect((await send())[0]).toBe(401)
      expect(await run(['stat', path], cluster.env)).toMatchObject({ code: 1 })
      return
    }
  })
})

describe('what is open', () => {
  test('what is open tells no names of files and no contents', async () => {
    await cluster.ok(['put', '-', '/in/named-like-this'], 'contents-like-these')
    for (const { address } of [cluster.namenode, ...cluster.datanodes]) {
      for (const path of ['/healthz', '/metrics']) {
        const answer = await fetch(`http://${address}${path}`)
        const text = await answer.text()
        expect([answer.status, text.length > 0, /named-like-this|contents-like-these/.test(text)]).toEqual([200, true, false])
      }
    }
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
    // A wire carries no data without the block's token.
    const wire = await here
      .connect(cluster.datanodes[0]!.address as never, { path: '/v1/transfer', headers: { authorization: 'Bearer 0' } })
      .catch((error: { code: string }) => error.code)
    expect(wire).toBe('UNAUTHENTICATED')
  })
})

describe('mix-ups and files', () => {
  test('a data directory is locked by the process that uses it, and belongs to its cluster', async () => {
    expect(await run(['datanode', '--dir', home(), '--port', '0'], cluster.env)).toMatchObject({ code: 73 })
  })

  test('owner, group and mode are enforced for every user but the one who runs the namenode, and the name is taken on trust', async () => {
    await cluster.ok(['mkdir', '-m', '0700', '/own'])
    expect(await run(['ls', '/own'], { ...cluster.env, GRISTMILL_USER: 'mallory' })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('permission denied'),
    })
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
    await cluster.ok(['put', '-', '/etc/passwd', '--parents'], 'mine').catch(async () => {
      await cluster.ok(['mkdir', '-p', '/etc'])
      await cluster.ok(['put', '-', '/etc/passwd'], 'mine')
    })
    expect(await cluster.ok(['cat', '/etc/passwd'])).toBe('mine')
    expect(await readFile('/etc/passwd', 'utf8')).not.toBe('mine')
  })

  test('users\' code runs in children of the datanode, never in the namenode', async () => {
    const [parent, own] = (await emitted('emit(process.ppid, process.pid)')).join('').trim().split('\t').map(Number)
    expect(parent).toBe(cluster.datanodes[0]!.pid)
    expect([cluster.namenode.pid, cluster.datanodes[0]!.pid]).not.toContain(own)
  })
})

describe('the datanode from a task', () => {
  test('a task has a process of its own, in a group of its own, with little in its environment', async () => {
    const [pid, group, names] = (
      await emitted(
        `const stat = readFileSync('/proc/self/stat', 'latin1'); emit('', [process.pid, stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2], Object.keys(process.env).sort().join()].join(' '))`,
        "import { readFileSync } from 'node:fs'",
      )
    )
      .join(' ')
      .trim()
      .split(/\s+/)
    expect(Number(pid)).not.toBe(cluster.datanodes[0]!.pid)
    expect(group).toBe(pid)
    expect(names).toBe('TMPDIR')
  })

  test('a task gets what the run gives with --env, and nothing else of the submitter\'s environment', async () => {
    const names = await emitted(
      "emit('', [Object.keys(process.env).sort().join(), process.env.TOKEN, process.env.MINE].join(' '))",
      '', ['--env', 'TOKEN=of-the-run', '--env', 'MINE'], { MINE: 'mine', OTHER: 'not given' },
    )
    expect(names.join('').trim()).toBe('MINE,TMPDIR,TOKEN of-the-run mine')
  })

  test('Node\'s permissions let a task write to its scratch, and to what all tasks of the node share', async () => {
    const tried = ['shuffle', 'logs', 'programs', 'cache', 'blocks', 'incoming', '.'].map(name => join(home(), name, 'tried'))
    const found = await emitted(`
      const open = path => { try { writeFileSync(path, ''); rmSync(path); return true } catch (error) { if (error.code !== 'ERR_ACCESS_DENIED') throw error; return false } }
      emit('', [process.env.TMPDIR + '/tried', 'here', ...${JSON.stringify(tried)}, '/tmp/gristmill-tried'].map(open).join())`, 'import { rmSync, writeFileSync } from \'node:fs\'')
    expect(found.join('').trim()).toBe([true, true, ...[true, true, true, true], ...[false, false, false], false].join())
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

  test('Node that a task starts is held by the permissions if it gets the NODE_OPTIONS of a child, and by none without them', async () => {
    const blocks = join(home(), 'blocks')
    const found = await emitted(`
      const child = (name, ...before) => spawnSync('env', [...before, process.execPath, '-e', 'require("node:fs").writeFileSync(process.argv[1], "")', ${JSON.stringify(blocks)} + '/' + name]).status
      emit('', [child('held'), child('free', '-u', 'NODE_OPTIONS')].join(' '))`, 'import { spawnSync } from \'node:child_process\'')
    expect(found.join('').trim()).toBe('1 0')
    expect((await readdir(blocks)).filter(name => ['held', 'free'].includes(name))).toEqual(['free'])
    await rm(join(blocks, 'free'))
  })

  test('the permissions do not hold a native addon', async () => {
    const target = local('native')
    await mkdirLocal(target)
    const found = await emitted(`
      let own = 'written'
      try { writeFileSync(${JSON.stringify(join(target, 'js'))}, '') } catch (error) { own = error.code }
      const db = createRequire(${JSON.stringify(import.meta.filename)})('lmdb').open({ path: ${JSON.stringify(target)} })
      await db.put('key', 'of a task')
      await db.close()
      emit('', own)`, 'import { createRequire } from \'node:module\'\nimport { writeFileSync } from \'node:fs\'')
    expect(found.join('').trim()).toBe('ERR_ACCESS_DENIED')
    expect((await readFile(join(target, 'data.mdb'))).includes('of a task')).toBe(true)
  })

  test('a task can read what the datanode\'s user can, the blocks too, and use the network', async () => {
    await writeFile(local('private'), 'of that user', { mode: 0o600 })
    const server = createServer((_, answer) => answer.end('of the network'))
    await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
    const at = `127.0.0.1:${(server.address() as net.AddressInfo).port}`
    try {
      const found = await emitted(`
        const names = readdirSync(${JSON.stringify(join(home(), 'blocks'))}, { recursive: true }).filter(name => /[0-9a-f]{16}$/.test(name))
        const texts = names.map(name => readFileSync(${JSON.stringify(join(home(), 'blocks'))} + '/' + name, 'utf8'))
        const own = readFileSync(${JSON.stringify(local('private'))}, 'utf8')
        emit('', [own, texts.includes('one\\n'), await (await fetch('http://${at}')).text()].join())
      `, 'import { readdirSync, readFileSync } from \'node:fs\'')
      expect(found.join('').trim()).toBe('of that user,true,of the network')
    } finally {
      server.close()
    }
  })

  test('other bytes that a user has stored under the hash of a program keep no user from running it', async () => {
    const file = local('mine.mjs')
    await writeFile(
      file,
      "import { mapReduce } from 'gristmill'\nexport default mapReduce({ input: { format: 'lines' }, map(line, emit) { emit('', line) } })\n",
    )
    await cluster.ok(['run', file, '-i', '/in/a', '-o', '/mine1'])
    const programs = (await cluster.ok(['ls', '/.gristmill/programs'])).trim().split('\n').map(line => line.split(/\s+/).at(-1)!)
    const bytes = new Map(
      await Promise.all(
        programs.map(
          async path => [path, await cluster.ok(['cat', path.startsWith('/') ? path : `/.gristmill/programs/${path}`])] as const,
        ),
      ),
    )
    for (const [path, text] of bytes) {
      const full = path.startsWith('/') ? path : `/.gristmill/programs/${path}`
      await cluster.ok(['rm', '--skip-trash', full])
      // The same length, so that only the content differs.
      expect(await run(['put', '-', full], { ...cluster.env, GRISTMILL_USER: 'mallory' }, text.replaceAll(/[a-z]/g, 'x'))).toMatchObject({
        code: 0,
      })
    }
    // Removes all local copies of it.
    await rm(join(home(), 'programs'), { recursive: true })
    await cluster.ok(['run', file, '-i', '/in/a', '-o', '/mine2'])
    expect(await cluster.ok(['cat', '/mine2/part-*'])).toContain('one')
  })

  test.each<[string, (place: string) => Promise<() => Promise<unknown>>]>([
    ['a file that the user may not read', async place => {
      await mallory(['put', '-', place], 'mine')
      await mallory(['chmod', '600', place])
      return async () => {}
    }],
    ['a directory', async place => {
      await mallory(['mkdir', place])
      return async () => {}
    }],
    ['a file that is being written and never ends', async place => {
      const mill = await connect({ address: cluster.namenode.address, secretFile: cluster.secretFile, user: 'mallory' })
      const stream = mill.createWriteStream(place)
      stream.on('error', () => {})
      await new Promise<void>(resolve => { stream.write('x', () => resolve()) })
      return async () => {
        stream.destroy()
        await mill.close()
      }
    }],
  ])('what lies under the hash of a program and cannot be it makes no difference: %s', async (_, squat) => {
    const file = local(`squat${++outputs}.mjs`)
    await writeFile(
      file,
      `import { mapReduce } from 'gristmill'\nexport default mapReduce({ input: { format: 'lines' }, map(line, emit) { emit('', line + '${outputs}') } })\n`,
    )
    const env = { ...cluster.env, GRISTMILL_USER: 'ada' }
    await cluster.ok(['mkdir', '-m', '0777', '-p', '/ada'])
    const listed = async (): Promise<string[]> =>
      (await cluster.ok(['ls', '/.gristmill/programs']))
        .trim()
        .split('\n')
        .map(line => line.split(/\s+/).at(-1)!)
    const before = await listed()
    expect(await run(['run', file, '-i', '/in/a', '-o', `/ada/first${outputs}`], env)).toMatchObject({ code: 0 })
    const name = (await listed()).find(each => !before.includes(each) && each.endsWith('.js'))!
    const place = name.startsWith('/') ? name : `/.gristmill/programs/${name}`
    await cluster.ok(['rm', '--skip-trash', place])
    const end = await squat(place)
    try {
      expect(await run(['run', file, '-i', '/in/a', '-o', `/ada/second${outputs}`], env)).toMatchObject({ code: 0 })
      expect(await cluster.ok(['cat', `/ada/second${outputs}/part-*`])).toContain(`one${outputs}`)
    } finally {
      await end()
    }
  })

  test('a directory that is removed below a running datanode is made again for the next task', async () => {
    for (const name of ['programs', 'logs', 'shuffle', 'executor']) await rm(join(home(), name), { recursive: true, force: true })
    expect((await emitted('emit(\'\', line + \'!\')')).join('').trim()).toBe('one!')
  })

  test('a disk whose blocks are behind a link counts as failed, and is whole when the link is gone', async () => {
    const [datanode] = cluster.datanodes
    const blocks = join(home(), 'blocks')
    await datanode!.end()
    await rename(blocks, local('blocks'))
    await symlink(local('blocks'), blocks)
    const failed = await datanode!.start().then(async () => {
      const {
        cluster: { nodes },
      } = JSON.parse(await cluster.ok(['status', '--json'])) as { cluster: { nodes: Array<{ storages: Array<{ failed: boolean }> }> } }
      const answer = nodes.flatMap(({ storages }) => storages.map(each => each.failed))
      await datanode!.end()
      return answer
    }, () => [true])
    expect(failed).toEqual([true])
    await rm(blocks)
    await rename(local('blocks'), blocks)
    await datanode!.start()
    expect(await cluster.ok(['cat', '/in/a'])).toBe('one\n')
  })
})

describe('what is not protected', () => {
  test('what a run gives with --env lies in the namenode\'s directory, in the clear, after the job', async () => {
    const value = `not-a-secret-${process.pid}`
    await emitted('emit(\'\', line)', '', ['--env', `TOKEN=${value}`])
    const journal = (await readdir(join(cluster.namenode.dir, 'journal'))).filter(name => name.endsWith('.log'))
    const texts = await Promise.all(journal.map(name => readFile(join(cluster.namenode.dir, 'journal', name), 'latin1')))
    expect(texts.some(text => text.includes(value))).toBe(true)
  })

  test('every user may read the status and the logs of a job, and its log is written as it is', async () => {
    await emitted('console.log(\'\\u001b[31mred\'); emit(\'\', line)')
    const env = { ...cluster.env, GRISTMILL_USER: 'mallory' }
    const { job } = JSON.parse((await run(['jobs', '--json', '--limit', '1'], env)).stdout.split('\n')[0]!) as { job: string }
    expect(JSON.parse((await run(['job', job, '--json'], env)).stdout)).toMatchObject({
      output: expect.stringMatching(/^\/out/), counters: { recordsIn: expect.any(Number) },
    })
    expect((await run(['logs', job], env)).stdout).toContain('\u001b[31mred')
  })

  test('names and contents lie on the disks as they are', async () => {
    await cluster.ok(['put', '-', '/in/in-the-clear'], 'a text in the clear')
    const journal = (await readdir(join(cluster.namenode.dir, 'journal'))).filter(name => name.endsWith('.log'))
    expect(
      (await Promise.all(journal.map(name => readFile(join(cluster.namenode.dir, 'journal', name), 'latin1')))).some(text =>
        text.includes('in-the-clear'),
      ),
    ).toBe(true)
    const blocks = (await readdir(join(home(), 'blocks'), { recursive: true })).filter(name => /[0-9a-f]{16}$/.test(name))
    expect(await Promise.all(blocks.map(name => readFile(join(home(), 'blocks', name), 'utf8')))).toContain('a text in the clear')
  })

  test('what goes over a connection can be read by who listens', async () => {
    const [host, port] = cluster.namenode.address.split(':')
    const heard: Buffer[] = []
    const listener = net.createServer(socket => {
      const real = net.connect({ host: host!, port: Number(port) })
      socket.on('data', bytes => { heard.push(bytes); real.write(bytes) })
      real.on('data', bytes => { heard.push(bytes); socket.write(bytes) })
      for (const [one, other] of [[socket, real], [real, socket]] as const) one.on('error', () => {}).on('close', () => other.destroy())
    })
    await new Promise<void>(resolve => { listener.listen(0, '127.0.0.1', resolve) })
    try {
      expect(
        await run(['stat', '/in/in-the-clear', '--cluster', `127.0.0.1:${(listener.address() as net.AddressInfo).port}`], cluster.env),
      ).toMatchObject({ code: 0 })
      expect(Buffer.concat(heard).includes('in-the-clear')).toBe(true)
    } finally {
      listener.close()
    }
  })

  test('the secret is changed in a cluster that is stopped; then the old one is worth nothing', async () => {
    const old = await secret()
    await cluster.datanodes[0]!.end()
    await cluster.namenode.end()
    await writeFile(cluster.secretFile, 'b'.repeat(64), { mode: 0o600 })
    await cluster.namenode.start()
    await cluster.datanodes[0]!.start()
    expect(await cluster.ok(['cat', '/in/in-the-clear'])).toBe('a text in the clear')
    await writeFile(local('old'), old, { mode: 0o600 })
    expect(await run(['ls', '/'], { ...cluster.env, GRISTMILL_SECRET_FILE: local('old') })).toMatchObject({
      code: expect.not.stringMatching('^0$'), stderr: expect.stringContaining('secret'),
    })
  })
})

describe('files of the servers', () => {
  test('a datanode whose block files have been replaced by pipes ends on SIGTERM', async () => {
    const files = (await readdir(join(home(), 'blocks'), { recursive: true }))
      .filter(name => /[0-9a-f]{16}$/.test(name))
      .map(name => join(home(), 'blocks', name))
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
