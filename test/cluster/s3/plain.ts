// Answers that tell a person what is wrong: clocks, names of buckets, ports, a root that is missing; and the metrics of a gateway.
// Registered by test/cluster/s3.test.ts, in its cluster.

import net from 'node:net'
import { expect, test } from 'vitest'
import { until } from '../../kit/cluster.ts'
import { ServerProcess } from '../../kit/process/server.ts'
import { S3TestClient } from '../s3client.ts'
import { ada, at, bad, cluster, elements, keys, mill, ok, webhdfs } from './bench.ts'

const messageOf = (text: string): string => elements(text, 'Message')[0] ?? ''

test('a request with a wrong clock is told both times, and one with a wrong name of a bucket the rule', async () => {
  const skewed = await ada.ask('GET', '/grain', { date: new Date(Date.now() - 3_600_000) })
  expect([skewed.code, messageOf(skewed.text)]).toEqual(['RequestTimeTooSkewed',
    expect.stringMatching(/the client signed at [\dT:-]+Z, and the clock of this gateway shows [\dT:-]+Z; they may differ by 15 minutes/)])
  const early = await ada.presigned('GET', '/grain/x', 60, new Date(Date.now() + 3_600_000))
  expect(messageOf((await ada.send('GET', early, {})).text)).toMatch(/not valid yet: the client signed at /)
  const old = await ada.presigned('GET', '/grain/x', 1, new Date(Date.now() - 60_000))
  expect(messageOf((await ada.send('GET', old, {})).text)).toMatch(/has expired: at [\dT:-]+Z, and the clock of this gateway shows /)
  for (const name of ['Wrong_Name', 'ab', 'a..b', '10.0.0.1']) {
    const { code, text } = await ada.ask('PUT', `/${name}`)
    expect([code, messageOf(text)]).toEqual(['InvalidBucketName',
      expect.stringMatching(new RegExp(`is not valid: .*${name}.*3 to 63 characters: lower-case letters, digits, hyphens and dots`))])
  }
})

test('a client at the port of another protocol is told so, in its own form', async () => {
  const url = new URL(webhdfs)
  for (const [host, where] of [[url.host, 'answers WebHDFS'], [cluster.namenode.address, 'gateway'],
    [cluster.datanodes[0]!.address, 'gateway']] as const) {
    const client = new S3TestClient(host, keys.ada)
    for (const path of ['/', '/grain', '/grain/rye']) {
      const { status, code, text, headers } = await client.ask('GET', path)
      expect([host, path, status, code, headers['content-type'], messageOf(text)]).toEqual(
        [host, path, 400, 'InvalidRequest', 'application/xml', expect.stringContaining(where)])
    }
    await client.close()
  }
  for (const host of [at, cluster.namenode.address, cluster.datanodes[0]!.address]) {
    const reply = await fetch(`http://${host}/webhdfs/v1/grain?op=LISTSTATUS&user.name=ada`)
    const { RemoteException: { message } } = await reply.json() as { RemoteException: { message: string } }
    expect([host, reply.status, message]).toEqual([host, 400, expect.stringMatching(/is one of WebHDFS: send it to /)])
  }
  // A bucket may have this name all the same.
  await ok('PUT', '/webhdfs')
  await ok('PUT', '/webhdfs/v1/x', { body: 'x' })
  expect((await ok('GET', '/webhdfs/v1/x')).text).toBe('x')
  await ok('DELETE', '/webhdfs/v1/x')
  await ok('DELETE', '/webhdfs')
})

test('a gateway starts before its root, says so, and has buckets once it is made', async () => {
  const gateway = new ServerProcess({ role: 'gateway', args: ['--s3', '0', '--s3-root', '/later/root'], env: cluster.env })
  const { address } = await gateway.ready() as { address: string }
  expect(gateway.errors).toMatch(/\/later\/root \(--s3-root\) does not exist yet.*gristmill mkdir \/later\/root/)
  const client = new S3TestClient(address, keys.ada)
  const asked = [['GET', '/'], ['PUT', '/bucket'], ['PUT', '/bucket/key'], ['GET', '/bucket/key'], ['GET', '/bucket']] as const
  for (const [method, path] of asked) {
    const { status, code, text } = await client.ask(method, path)
    expect([method, path, status, code]).toEqual([method, path, 404, 'NoSuchBucket'])
    expect(messageOf(text)).toContain('(--s3-root)')
  }
  await mill.mkdir('/later/root', { recursive: true })
  expect((await client.ask('GET', '/bucket')).text).toContain('The specified bucket does not exist<')
  await mill.chmod('/later/root', 0o777)
  await ok('PUT', '/bucket', {}, client)
  await ok('PUT', '/bucket/key', { body: 'x' }, client)
  expect(elements((await ok('GET', '/', {}, client)).text, 'Name')).toEqual(['bucket'])
  expect((await mill.readFile('/later/root/bucket/key')).toString()).toBe('x')
  await client.close()
  await gateway.end('SIGTERM')
  await mill.rm('/later', { recursive: true, skipTrash: true })
})

/** Value of a metric with these labels, in any order. */
async function metricAt(host: string, name: string, labels: Record<string, string>): Promise<number> {
  const text = await (await fetch(`http://${host}/metrics`)).text()
  const line = text.split('\n').find(each => each.startsWith(`${name}{`)
    && Object.entries(labels).every(([label, value]) => each.includes(`${label}="${value}"`)))
  return line === undefined ? 0 : Number(line.split(' ').at(-1))
}

test('/metrics has the requests of a gateway by operation and status, with their times, bytes and connections', async () => {
  const host = at
  const requests = (operation: string, status: number): Promise<number> =>
    metricAt(host, 'gristmill_gateway_requests_total', { dialect: 's3', operation, status: String(status) })
  const bytes = (direction: string): Promise<number> => metricAt(host, 'gristmill_gateway_bytes_total', { dialect: 's3', direction })
  const before = { puts: await requests('PutObject', 200), in: await bytes('in'), out: await bytes('out') }
  const body = Buffer.alloc(100_000, 'x')
  await ok('PUT', '/grain/counted', { body })
  await ok('GET', '/grain/counted')
  await bad('GET', '/grain/uncounted', 404, 'NoSuchKey')
  await ada.send('GET', '/grain/counted', {})
  const socket = net.connect({ host: '127.0.0.1', port: Number(at.split(':')[1]) })
  await until('the counts', async () => await requests('PutObject', 200) === before.puts + 1
    && await bytes('in') >= before.in + 100_000 && await bytes('out') >= before.out + 100_000)
  expect(await requests('GetObject', 404)).toBeGreaterThan(0)
  expect(await requests('GetObject', 403)).toBeGreaterThan(0)
  expect(await metricAt(host, 'gristmill_gateway_request_seconds_count', { dialect: 's3', operation: 'PutObject' })).toBeGreaterThan(0)
  const connections = (): Promise<number> => metricAt(host, 'gristmill_gateway_connections', { dialect: 's3' })
  await until('the connection', async () => await connections() >= 3)
  socket.destroy()
  const text = await (await fetch(`http://${host}/metrics`)).text()
  expect(text).toMatch(/^gristmill_build_info\{version="/m)
  expect(text).toMatch(/^process_resident_memory_bytes \d/m)
  await ok('DELETE', '/grain/counted')
  await fetch(`${webhdfs}/?op=LISTSTATUS&user.name=ada`)
  await until('the count of WebHDFS', async () => await metricAt(new URL(webhdfs).host, 'gristmill_gateway_requests_total',
    { dialect: 'webhdfs', operation: 'LISTSTATUS', status: '200' }) === 1)
})

test('a name that lists of rights cannot have is no user, and a secret in the place of its file is not repeated', async () => {
  for (const name of ['Bad Name', 'a:b', 'a,b', 'a/b', 'no\u00a0break']) {
    const { code, stderr } = await cluster.run(['user', 'add', name])
    expect([name, code, stderr]).toEqual([name, 1, expect.stringMatching(/cannot be the name of a user: it has .*use letters, digits/)])
  }
  for (const name of ['ada.l-2@EXAMPLE.org', 'jürgen']) {
    await cluster.ok(['user', 'add', name])
    await cluster.ok(['user', 'rm', name])
  }
  const { code, stderr } = await cluster.run(['user', 'key', 'ada', '--id', 'GMOTHER', '--secret-key', 'wJalrXUtnFEMI/K7MDENG'])
  expect([code, stderr]).toEqual([1, expect.stringContaining('--secret-key names a local file with the secret')])
  expect(stderr).not.toContain('wJalrXUtnFEMI')
})
