// Objects of S3 as a source and as a sink, against a model of the service. An export is killed before and behind the effect of every
// request that it sends, and begun again: each object is there once, with the right bytes, and no upload is left.

import { expect, test } from 'vitest'
import { exportFiles, type ExportDeps } from '../../../../client/transfer/export.ts'
import { findAccess } from '../../../../src/connector/s3/access.ts'
import { S3Client } from '../../../../src/connector/s3/client.ts'
import { S3Files } from '../../../../src/connector/s3/sink.ts'
import { S3Objects } from '../../../../src/connector/s3/source.ts'
import { pull } from '../../../../src/connector/pull.ts'
import { depsOf, Service } from './outside.ts'

const access = { endpoint: 'http://store.example', region: 'us-east-1', accessKeyId: 'key-id', secretAccessKey: 'secret-key' }
const clientOf = (service: Service): S3Client => new S3Client(depsOf(service.fetch), access, 'grain')

const files: Record<string, Buffer> = { '/d/a': Buffer.from('rye\n'), '/d/empty': Buffer.alloc(0), '/d/e/big': Buffer.alloc(2500, 'x') }
const statusOf = (path: string) =>
  ({ path, id: path.length, type: path === '/d' ? 'directory' : 'file', length: files[path]?.length ?? 0, mtimeMs: 1 }) as never

const deps = (changed?: string): ExportDeps => ({
  cluster: 'c' as never,
  list: async function* () { for (const path of Object.keys(files)) yield statusOf(path) },
  files: {
    locate: async (path: string) => ({ status: { ...statusOf(path) as object, ...path === changed && { id: -1 } } }) as never,
    read: (async function* ({ status: { path } }: { status: { path: string } }) {
      const bytes = files[path]!
      for (let at = 0; at < bytes.length; at += 700) yield bytes.subarray(at, at + 700)
    }) as never,
  },
})

const run = (service: Service, { key = 'out/', from = '/d', overwrite = false, isOnce = false, changed = '' } = {}) =>
  exportFiles(deps(changed), {
    sink: new S3Files(clientOf(service), key, { partBytes: 1000 }), from: statusOf(from), as: key.split('/').at(-1), overwrite, isOnce,
    parallel: 2,
  })

const record = 'out/_gristmill_commit.json'

function check(service: Service): void {
  expect([...service.objects.keys()].sort()).toEqual([record, 'out/a', 'out/e/big', 'out/empty'])
  for (const [path, bytes] of Object.entries(files))
    expect(service.objects.get(path.replace('/d/', 'out/'))!.bytes.equals(bytes), path).toBe(true)
  expect(service.uploads.size).toBe(0)
}

test('a directory is exported whole: objects appear when all bytes are sent, the record last, and a repeat sends nothing', async () => {
  const service = new Service()
  const order: string[] = []
  service.after = ({ method, url }) => { if (/uploadId/.test(url) || method === 'PUT') order.push(method) }
  expect(await run(service)).toEqual({ files: 3, bytes: 2504, unchanged: 0 })
  check(service)
  expect(order.join(' ')).toBe('PUT PUT PUT PUT PUT POST POST POST PUT')
  const before = service.requests
  expect(await run(service)).toEqual({ files: 3, bytes: 0, unchanged: 3 })
  expect(service.requests - before).toBe(1)
})

test('an export that is killed at any request, and begun again, leaves each object once', async () => {
  const whole = new Service()
  await run(whole)
  for (const side of ['before', 'after'] as const) {
    for (let at = 1; at <= whole.requests; at++) {
      const service = new Service()
      // The process is killed: nothing that it would send later arrives, its own cleaning included.
      service[side] = () => { if (service.requests >= at) throw new KilledError() }
      await expect(run(service), `${side} ${at}`).rejects.toThrow()
      if (service.objects.has(record)) check(service)
      service[side] = () => {}
      await run(service)
      check(service)
    }
  }
})

class KilledError extends Error {}

test('a commit whose reply is lost is completed by its repeat; one whose upload another has dropped is refused', async () => {
  const service = new Service()
  let lost = 0
  service.after = ({ method, url }) => { if (method === 'POST' && /uploadId/.test(url) && lost++ % 2 === 0) throw new TypeError('reset') }
  await run(service)
  check(service)
  const other = new Service()
  other.before = ({ method, url }) => { if (method === 'POST' && /uploadId/.test(url)) other.uploads.clear() }
  await expect(run(other)).rejects.toMatchObject({ code: 'ESTALE' })
  expect(other.objects.size).toBe(0)
})

test('a commit that fails keeps what is staged for a repeat, unless the files were made for this export alone', async () => {
  for (const isOnce of [false, true]) {
    const service = new Service()
    let commits = 0
    service.before = ({ method, url }) => {
      if (method === 'POST' && /uploadId/.test(url) && ++commits >= 2) throw new TypeError('reset')
    }
    await expect(run(service, { isOnce })).rejects.toThrow('reset')
    expect(service.uploads.size).toBe(isOnce ? 0 : 2)
  }
})

test('other content is not replaced unless the caller says so; then objects of the earlier export go', async () => {
  const service = new Service()
  service.objects.set(record, { bytes: Buffer.from('{"token":"t","parts":["a","old"]}'), etag: '"r"', meta: {} })
  service.objects.set('out/old', { bytes: Buffer.from('old'), etag: '"o"', meta: {} })
  service.objects.set('out/foreign', { bytes: Buffer.from('f'), etag: '"f"', meta: {} })
  await expect(run(service)).rejects.toMatchObject({ code: 'EEXIST' })
  expect([service.uploads.size, service.objects.size]).toEqual([0, 3])
  await run(service, { overwrite: true })
  expect(service.objects.delete('out/foreign')).toBe(true)
  check(service)
  service.objects.get(record)!.bytes = Buffer.from('no record')
  await expect(run(service, { overwrite: true })).rejects.toMatchObject({ code: 'EINVAL' })
})

test('one file becomes one object, which carries the token; a file that changes meanwhile is refused and leaves nothing', async () => {
  const service = new Service()
  await run(service, { key: 'x/one', from: '/d/a' })
  expect([...service.objects].map(([key, { bytes }]) => [key, bytes.toString()])).toEqual([['x/one', 'rye\n']])
  expect(await run(service, { key: 'x/one', from: '/d/a' })).toMatchObject({ unchanged: 1 })
  await expect(run(service, { key: 'x/one', from: '/d/empty' })).rejects.toMatchObject({ code: 'EEXIST' })
  const other = new Service()
  await expect(run(other, { changed: '/d/a' })).rejects.toMatchObject({ code: 'ESTALE' })
  expect([other.objects.size, other.uploads.size]).toEqual([0, 0])
})

test('objects below a prefix are pinned page by page and read in ranges; a replaced object is refused', async () => {
  const service = new Service()
  const keys = ['p/a', 'p/b c', 'p/d/ü&<', 'p/dir/', 'q']
  for (const key of keys) service.objects.set(key, { bytes: Buffer.from(`${key} `.repeat(1000)), etag: `"${key.length}"`, meta: {} })
  const source = new S3Objects(clientOf(service), 'p/')
  const pins = await Array.fromAsync(source.pin())
  expect(pins.map(({ name }) => name)).toEqual(['a', 'b c', 'd/ü&<'])
  for (const pin of pins) {
    const pieces = await Array.fromAsync(pull(depsOf(service.fetch), source, pin, { rangeBytes: 1024 }))
    expect(Buffer.concat(pieces).toString()).toBe(`p/${pin.name} `.repeat(1000))
  }
  service.objects.get('p/a')!.etag = '"other"'
  await expect(Array.fromAsync(source.read({ pin: pins[0]!, start: 0 }, 0))).rejects.toMatchObject({ code: 'ESTALE' })
})

test('errors of the service have codes, and no key, secret or signature in them', async () => {
  const service = new Service()
  const missing = await Array.fromAsync(new S3Objects(clientOf(service), 'none').pin()).catch((error: unknown) => error)
  expect(missing).toMatchObject({ code: 'ENOENT', message: expect.stringContaining('s3://grain/none') as string })
  const nowhere = new S3Client(depsOf(service.fetch), access, 'oats')
  const refused = await Array.fromAsync(new S3Objects(nowhere, '').pin()).catch((error: unknown) => error) as Error
  expect(refused).toMatchObject({ code: 'ENOENT', details: { s3: 'NoSuchBucket' } })
  expect(refused.message).not.toContain('secret-key')
  expect(JSON.stringify(clientOf(service))).not.toContain('secret-key')
})

test('keys are found in the environment and in the files of AWS, in its order', async () => {
  const texts: Record<string, string> = {
    '/home/.aws/credentials': '[default]\naws_access_key_id = d\naws_secret_access_key = ds\n[mill]\naws_access_key_id=m\naws_secret_access_key=ms\naws_session_token=t\n',
    '/home/.aws/config': '[default]\nregion=eu-west-1\n# note\n[profile mill]\nregion = eu-north-1\nendpoint_url = http://mill:1\n',
  }
  const find = (env: Record<string, string>, options = {}) =>
    findAccess({ env, userDirectory: '/home', readText: async path => texts[path] }, options)
  expect(await find({})).toEqual({ region: 'eu-west-1', accessKeyId: 'd', secretAccessKey: 'ds' })
  const mill = { region: 'eu-north-1', accessKeyId: 'm', secretAccessKey: 'ms', sessionToken: 't', endpoint: 'http://mill:1' }
  expect(await find({ AWS_PROFILE: 'mill' })).toEqual(mill)
  const env = { AWS_ACCESS_KEY_ID: 'e', AWS_SECRET_ACCESS_KEY: 'es', AWS_ENDPOINT_URL: 'http://e:1', AWS_REGION: 'r-1' }
  expect(await find(env)).toEqual({ region: 'r-1', accessKeyId: 'e', secretAccessKey: 'es', endpoint: 'http://e:1' })
  expect(await find(env, { profile: 'mill', endpoint: 'https://o' })).toEqual({ ...mill, region: 'r-1', endpoint: 'https://o' })
  await expect(find({}, { profile: 'none' })).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  delete texts['/home/.aws/credentials']
  await expect(find({})).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
  await expect(find(env, { endpoint: 'mill:9000' })).rejects.toMatchObject({ code: 'EINVAL' })
})
