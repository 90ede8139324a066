// Idle connections from outside the cluster: more than a process may have open, without a byte or with half a request. The cluster must
// not suffer: no disk is taken for failed, no process ends, members are served, and what users of a gateway have begun goes on.

import { request } from 'node:http'
import net from 'node:net'
import { readdirSync } from 'node:fs'
import { afterEach, describe, expect, test } from 'vitest'
import { until } from '../kit/cluster.ts'
import { ServerProcess } from '../kit/process/server.ts'
import { startClusterHere } from './inprocess.ts'
import { S3TestClient, type TestKey } from './s3client.ts'

const openFiles = 256
const strangersMax = openFiles + 100

const sockets = new Set<net.Socket>()
afterEach(() => { for (const socket of sockets) socket.destroy() })

/** First bytes of a connection: none, half a request, or a request without authentication. */
const words = ['', 'POST /v1/namespace/list HTTP/1.1\r\nhost: x\r\n', 'GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n']
const againMs = 200

/** Keeps `count` idle connections open; a closed one is opened again. */
async function crowd(address: string, count: number): Promise<{ leave(): void }> {
  const colon = address.lastIndexOf(':')
  const at = { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) }
  let staying = true
  let opened = 0
  const mine = new Set<net.Socket>()
  const open = (): void => {
    if (!staying) return
    const word = words[opened % words.length]!
    const socket = net.connect(at, () => { opened++; if (word !== '') socket.write(word) })
    sockets.add(socket)
    mine.add(socket)
    socket.on('error', () => {})
    socket.on('data', () => {})
    socket.once('close', () => { sockets.delete(socket); mine.delete(socket); setTimeout(open, againMs) })
  }
  for (let i = 0; i < count; i++) open()
  await until('the strangers are there', async () => opened >= count)
  return { leave() { staying = false; for (const socket of mine) socket.destroy() } }
}

const content = 'rye and oats'

/** An upload of `content` whose body has begun; `end` sends the rest, and gives the status of the answer. */
async function begin(host: string, target: string): Promise<{ end(): Promise<number> }> {
  const [name, port] = host.split(':')
  const asked = request({
    host: name, port, path: target, method: 'PUT', headers: { 'content-length': content.length, expect: '100-continue' }, agent: false,
  })
  const answered = new Promise<number>((resolve, reject) => {
    asked.on('response', answer => { answer.resume(); resolve(answer.statusCode!) }).on('error', reject)
  })
  answered.catch(() => {})
  // The gateway asks for a body once it knows whose it is.
  const called = new Promise<void>(resolve => { asked.once('continue', resolve) })
  asked.flushHeaders()
  await Promise.race([called, answered])
  asked.write(content.slice(0, 3))
  return { end: () => { asked.end(content.slice(3)); return answered } }
}

const descriptorsOf = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length

describe.skipIf(process.platform !== 'linux')('with a limit of open files', () => {
  // because descriptors of another process are counted in /proc
  test('idle connections take nothing from members of the cluster, and no disk is blamed for them', async () => {
    await using cluster = await startClusterHere({ datanodes: 2, openFiles, settings: { GRISTMILL_REPLICATION: '2' } })
    const members = [cluster.namenode, ...cluster.datanodes]
    await cluster.ok(['put', '-', '/before'], 'before')
    const crowds = await Promise.all(members.map(member => crowd(member.address, strangersMax)))
    for (let i = 0; i < 3; i++) {
      await cluster.ok(['put', '-', `/file${i}`], `text ${i}`)
      expect(await cluster.ok(['cat', `/file${i}`])).toBe(`text ${i}`)
    }
    for (const member of members) {
      expect(member.running, member.errors).toBe(true)
      expect(descriptorsOf(member.pid)).toBeLessThan(openFiles - 20)
      expect(member.errors).not.toMatch(/has failed|EMFILE/)
    }
    for (const each of crowds) each.leave()
    expect(await cluster.ok(['cat', '/before'])).toBe('before')
    // A connection between datanodes that is not known yet may be closed for one of the crowd: the block has one replica less for a moment.
    await until('every block has its replicas', async () => (await cluster.run(['fsck', '/'])).code === 0)
  })

  test('idle connections to a gateway end no upload of a user, at each of its ports', async () => {
    await using cluster = await startClusterHere({ datanodes: 1, settings: { GRISTMILL_REPLICATION: '1' } })
    await cluster.ok(['user', 'add', 'ada'])
    const key = JSON.parse(await cluster.ok(['user', 'key', 'ada', '--json'])) as TestKey
    const args = ['--s3', '0', '--webhdfs', '0', '--pg', '0']
    const gateway = new ServerProcess({ role: 'gateway', args, env: cluster.env, openFiles })
    try {
      const { endpoints } = await gateway.ready() as { endpoints?: Record<string, string> }
      const hostOf = (dialect: string): string => new URL(endpoints![dialect]!).host
      const client = new S3TestClient(hostOf('s3'), key)
      expect((await client.ask('PUT', '/grain')).status).toBe(200)
      const uploads = [
        await begin(hostOf('s3'), await client.presigned('PUT', '/grain/rye', 600)),
        await begin(hostOf('webhdfs'), '/webhdfs/v1/oats?op=CREATE&user.name=ada&data=true'),
      ]
      const crowds = await Promise.all(['s3', 'webhdfs', 'pg'].map(dialect => crowd(hostOf(dialect), strangersMax)))
      expect(await Promise.all(uploads.map(upload => upload.end()))).toEqual([200, 201])
      for (const each of crowds) each.leave()
      expect(await cluster.ok(['cat', '/grain/rye', '/oats'])).toBe(content + content)
      await client.close()
    } finally {
      await gateway.end('SIGTERM')
    }
  })

  test('a process that may open too few files does not begin to serve, and says what to raise', async () => {
    await expect(startClusterHere({ datanodes: 0, openFiles: 100 })).rejects.toThrow(/100 files open[^]*ulimit -n/)
  })
})
