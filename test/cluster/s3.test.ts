// S3 on real processes: a cluster and two gateways, asked by signed requests. The files in test/cluster/s3 register their tests here, so
// that one cluster serves all of them; here are gateways as processes, keys that end, and the guides.

import { execFile, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Agent, request } from 'undici'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { run, until } from '../kit/cluster.ts'
import { ServerProcess } from '../kit/process/server.ts'
import { root } from '../tidy/source.ts'
import { first } from '../unit/client/gateway/certificates.ts'
import { runHere } from './inprocess.ts'
import { S3TestClient, type TestKey } from './s3client.ts'
import './s3/objects.ts'
import './s3/slashes.ts'
import './s3/uploads.ts'
import './s3/races.ts'
import './s3/older.ts'
import './s3/plain.ts'
import './s3/requests.ts'
import './s3/pages.ts'
import './s3/buckets.ts'
import './s3/versions.ts'
import { closeS3, openS3, at, cluster, elements, keys, mill, ok } from './s3/bench.ts'

beforeAll(openS3)
afterAll(closeS3)

test('a key that was removed is refused; the access log names users and no secrets', async () => {
  const key = JSON.parse(await cluster.ok(['user', 'key', 'grete', '--json'])) as TestKey
  const client = new S3TestClient(at, key)
  await ok('GET', '/', {}, client)
  await cluster.ok(['user', 'key', 'grete', '--rm', key.id])
  await until('the end of the key', async () => (await client.ask('GET', '/')).code === 'InvalidAccessKeyId')
  await client.close()
  const log = await readFile(join(cluster.dir, 'access.log'), 'utf8')
  expect(log).toMatch(/ - ada \[.*"PUT \/grain\/a\/b\/rye HTTP\/1\.1" 200/)
  expect(log).toMatch(/X-Amz-Signature=\*\*\*/)
  expect(log).not.toMatch(/X-Amz-Signature=[0-9a-f]/)
})

test('a gateway of S3 listens where other machines reach it with a cluster secret only', async () => {
  const { GRISTMILL_SECRET_FILE: _, ...env } = cluster.env
  const refused = await run(['gateway', '--s3', '0', '--host', '0.0.0.0'], { ...env, GRISTMILL_CLUSTER: '127.0.0.1:1' } as Record<string,
    string>)
  expect([refused.code, refused.stderr]).toEqual([78, expect.stringContaining('without a cluster secret')])
})

test('with a certificate and its key a gateway serves TLS; with one of them it does not start', async () => {
  const [cert, key] = [join(cluster.dir, 'gateway.crt'), join(cluster.dir, 'gateway.key')]
  await Promise.all([writeFile(cert, first.cert), writeFile(key, first.key)])
  const half = new ServerProcess({ role: 'gateway', args: ['--s3', '0', '--tls-cert', cert], env: cluster.env })
  await expect(half.ready()).rejects.toThrow(/name both, with --tls-cert and --tls-key/)
  const gateway = new ServerProcess({ role: 'gateway', args: ['--s3', '0', '--tls-cert', cert, '--tls-key', key], env: cluster.env })
  const { endpoints } = await gateway.ready() as { endpoints?: Record<string, string> }
  expect(endpoints!['s3']).toMatch(/^https:/)
  const { statusCode, body } = await request(`${endpoints!['s3']}/grain`, { dispatcher: new Agent({ connect: { ca: first.cert } }) })
  expect([statusCode, await body.text()]).toEqual([403, expect.stringContaining('<Code>AccessDenied</Code>')])
  await gateway.end('SIGTERM')
})

const hasAws = spawnSync('aws', ['--version']).status === 0

test.skipIf(!hasAws)('every command of the guide does what it says', async () => {
  // because the AWS command line is not on every machine
  const guide = await readFile(join(root, 'docs/guide/s3.md'), 'utf8')
  const blocks = (kind: string): string =>
    [...guide.matchAll(new RegExp(`^\`\`\`${kind}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(match => match[1]!).join('')
  const [commands, output] = [blocks('sh'), blocks('text')]
  const script = commands.replace('http://127.0.0.1:9000', `http://${at}`)
    .replaceAll('gristmill ', `${process.execPath} ${join(root, 'client/cli/gristmill.js')} `)
  const env = { ...process.env, ...cluster.env, PATH: process.env['PATH'] ?? '', AWS_EC2_METADATA_DISABLED: 'true' }
  const { stdout } = await promisify(execFile)('bash', ['-ec', script], { cwd: cluster.dir, env })
  expect(stdout).toBe(output)
})

test('the commands of the guide to connectors copy files to a service of S3 and back, and a repeat moves nothing', async () => {
  const { id, secret } = keys.ada
  const env = { ...cluster.env, AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret, AWS_ENDPOINT_URL: `http://${at}` }
  const guide = await readFile(join(root, 'docs/guide/connectors.md'), 'utf8')
  const [commands, printed] = [/^```sh s3\n([\s\S]*?)^```$/gm, /^```text s3\n([\s\S]*?)^```$/gm]
    .map(form => [...guide.matchAll(form)].map(([, text]) => text).join(''))
  await mill.mkdir('/reports/2026', { recursive: true })
  await mill.writeFile('/reports/2026/rye.csv', 'field,tons\n7,12\n')
  await mill.writeFile('/reports/2026/oats.csv', randomBytes(300_000))
  await mill.writeFile('/reports/none', '')
  await ok('PUT', '/mill-reports')
  let out = ''
  for (const line of commands!.trim().split('\n')) {
    const words = [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, word]) => quoted ?? word!)
    const { code, stdout, stderr } = await runHere(words.slice(1), env)
    expect([line, code, code === 0 ? '' : stderr]).toEqual([line, 0, ''])
    out += stdout
  }
  expect(out).toBe(printed)
  const record = JSON.parse((await ok('GET', '/mill-reports/2026/_gristmill_commit.json')).text) as unknown
  expect(record).toMatchObject({ parts: ['oats.csv', 'rye.csv'] })
  const again = async (...words: string[]): Promise<unknown> => JSON.parse((await runHere([...words, '--json'], env)).stdout)
  expect(await again('export', '/reports/2026', 's3://mill-reports/2026/')).toEqual({ files: 2, bytes: 0, unchanged: 2 })
  expect(await again('import', 's3://mill-reports/2026/', '/copies/')).toEqual({ files: 3, bytes: 0, unchanged: 3 })
  expect((await mill.readFile('/copies/oats.csv')).equals(await mill.readFile('/reports/2026/oats.csv'))).toBe(true)
  expect(await mill.status('/copies/rye.csv')).toMatchObject({ format: 'csv' })
  expect(await again('export', '/reports/none', 's3://mill-reports/')).toEqual({ files: 1, bytes: 0, unchanged: 0 })
  expect(await again('export', '/reports/none', 's3://mill-reports/')).toMatchObject({ unchanged: 1 })
  // Other content, and bad input.
  await mill.writeFile('/reports/2026/rye.csv', 'field,tons\n8,12\n')
  const fails = async (words: string[], code: number, message: RegExp, more: object = {}): Promise<void> => {
    const result = await runHere(words, { ...env, ...more })
    expect([words, result.code, result.stderr]).toEqual([words, code, expect.stringMatching(message)])
    expect(result.stderr).not.toContain(secret)
  }
  await fails(['import', 's3://mill-reports/2062/', '/copies/'], 1, /there is no object below this prefix/)
  await fails(['export', '/reports/2026', 's3://mill-reports/2026/'], 1, /other content is there; add -f/)
  await cluster.ok(['rm', '/copies/rye.csv'])
  await cluster.ok(['touch', '/copies/rye.csv'])
  await fails(['import', 's3://mill-reports/2026/rye.csv', '/copies/'], 1, /\/copies\/rye\.csv: file exists; add -f/)
  await fails(['import', 's3://mill-reports/nothing', '/copies/'], 1, /s3:\/\/mill-reports\/nothing does not exist/)
  await fails(['import', 's3://no-such-bucket/', '/copies/'], 1, /NoSuchBucket/)
  await fails(['import', 's3://mill-reports/', '/copies/'], 77, /there is no access key for S3/, { AWS_ACCESS_KEY_ID: '' })
  await fails(['import', 's3://mill-reports/', '/copies/'], 77, /SignatureDoesNotMatch/, { AWS_SECRET_ACCESS_KEY: `${secret}x` })
  await fails(['export', '/reports', 's3://mill-reports/x'], 1, /is a directory/)
  await fails(['export', '/reports', 'https://u:pw@h/x'], 1, /^(?!.*pw).*exported to s3/)
  await fails(['import', './local', '/copies/'], 2, /is no address/)
  const part = await ok('GET', '/mill-reports', { query: { uploads: '' } })
  expect(elements(part.text, 'UploadId')).toEqual([])
})

test('lineage names the places to which an output, or what was computed from it, was sent, and of the version that was sent', async () => {
  const { id, secret } = keys.ada
  const env = { ...cluster.env, AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret, AWS_ENDPOINT_URL: `http://${at}` }
  await ok('PUT', '/mill-lineage')
  const program = async (name: string, body: string): Promise<string> => {
    const file = join(cluster.dir, name)
    await writeFile(file, `import { program } from 'gristmill'\nexport default program(async (mill, { input, output }: any) => {\n${body}\n})\n`)
    return file
  }
  const does = async (words: string[], more: object = {}): Promise<string> => {
    const { code, stdout, stderr } = await runHere(words, { ...env, ...more })
    expect([words, code, code === 0 ? '' : stderr]).toEqual([words, 0, ''])
    return stdout
  }
  const sums = await program('sums.ts', 'await mill.range(9).save(output)')
  await does(['run', sums, '--output', '/sums'])
  await does(['export', '/sums', 's3://mill-lineage/sums/'])
  await does(['export', '/sums/part-00000.txt', 's3://mill-lineage/one.txt'])
  // A user who may not write to the output sends it all the same.
  await does(['export', '/sums', 's3://mill-lineage/guest/'], { GRISTMILL_USER: 'grete' })
  const sends = await program('sends.ts', 'await mill.text(input).map(n => Number(n) + 1).save(\'s3://mill-lineage/more/\')')
  await does(['run', sends, '--input', '/sums'])
  const outside = async (path: string): Promise<string[]> => {
    const { nodes, edges } = JSON.parse(await does(['lineage', path, '--json'])) as
      { nodes: Array<{ id: string; kind: string }>; edges: Array<{ from: string; to: string }> }
    return edges.flatMap(({ from, to }) => (nodes.some(node => node.id === to && node.kind === 'outside') ? [`${from} > ${to}`] : []))
  }
  const all = ['more/', 'one.txt', 'sums/'].map(place => `/sums@1 > s3://mill-lineage/${place}`)
  expect((await outside('/sums')).sort()).toEqual(all)
  expect(await does(['lineage', '/sums'])).toMatch(/^ {2}into s3:\/\/mill-lineage\/sums\/ {2}exported {2}/m)
  expect(await does(['lineage', '/sums'])).toMatch(/^ {2}into s3:\/\/mill-lineage\/more\/ {2}job-\d+ \(sends\) {2}/m)
  expect(await does(['lineage', '/sums', '--mermaid'])).toContain('[("s3://mill-lineage/sums/")]')
  const events = (await does(['lineage', '/sums', '--openlineage'])).trim().split('\n')
    .map(line => JSON.parse(line) as { job: { name: string }; inputs: object[]; outputs: Array<{ namespace: string; name: string }> })
  const namespace = `gristmill://${mill.cluster}`
  expect(events.filter(({ outputs }) => outputs[0]!.namespace === 's3://mill-lineage')
    .map(({ job, inputs, outputs }) => [job.name, inputs, outputs[0]!.name])).toEqual(['more/', 'one.txt', 'sums/'].map(name => [
    name === 'more/' ? 'sends' : `export to s3://mill-lineage/${name}`, [{ namespace, name: '/sums@1' }], name,
  ]))
  // The next version was sent nowhere, until it is.
  await does(['run', sums, '--output', '/sums', '--overwrite', '--param', 'x=1'])
  expect(await outside('/sums')).toEqual([])
  expect((await outside('/sums@1')).sort()).toEqual(all)
  await does(['export', '/sums@1', 's3://mill-lineage/old/'])
  await does(['export', '/sums', 's3://mill-lineage/sums/', '-f'])
  expect(await outside('/sums')).toEqual(['/sums@2 > s3://mill-lineage/sums/'])
  expect(await outside('/sums@1')).toContain('/sums@1 > s3://mill-lineage/old/')
  // A file of no job.
  await mill.writeFile('/plain', 'a\n')
  await does(['export', '/plain', 's3://mill-lineage/plain'])
  expect(await outside('/plain')).toEqual(['/plain > s3://mill-lineage/plain'])
})
