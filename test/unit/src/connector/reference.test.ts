// References to files outside of the cluster: what they say in the clear, where they open, and which content they give.

import { expect, test } from 'vitest'
import type { FilePin } from '../../../../src/connector/connector.ts'
import { HttpFile } from '../../../../src/connector/http/http.ts'
import { openerOf, referenceTo, referredBytes } from '../../../../src/connector/reference.ts'
import { S3Client } from '../../../../src/connector/s3/client.ts'
import { S3Objects } from '../../../../src/connector/s3/source.ts'
import { Vault } from '../../../../src/rpc/vault.ts'
import { systemRandom } from '../../../../src/world/random.ts'
import { depsOf, Service, Web } from './outside.ts'

const vault = new Vault({ secret: Buffer.alloc(32, 1) }, systemRandom())
const path = '/.outside/x/ref/rye.csv'
const content = Buffer.from(Array.from({ length: 9_000 }, (_, i) => `${i},rye\n`).join(''))

const bytesOf = async (pieces: AsyncIterable<Uint8Array>): Promise<string> => Buffer.concat(await Array.fromAsync(pieces)).toString()

async function pinned(web: Web): Promise<FilePin> {
  const [pin] = await Array.fromAsync(new HttpFile(depsOf(web.fetch), 'http://h/rye.csv').pin())
  return pin!
}

test('a reference gives any range of the pinned file, also over connections that break, and no byte of another one', async () => {
  const web = new Web(content)
  const reference = referenceTo(path, { pin: await pinned(web) }, vault)
  expect(referredBytes(reference)).toBe(content.length)
  const file = await openerOf({ ...depsOf(web.fetch), vault })(reference, path)
  expect([file.bytes, file.shown]).toEqual([content.length, 'http://h/rye.csv'])
  web.requests.length = 0
  web.fault = (_request, count) => (count < 3 ? { cut: 2_000 } : undefined)
  expect(await bytesOf(file.read(1_000, 9_000))).toBe(content.toString('latin1', 1_000, 9_000))
  expect(web.requests.map(({ headers }) => headers!['range'])).toEqual(['bytes=1000-8999', 'bytes=3000-8999', 'bytes=5000-8999'])
  expect(web.requests.every(({ headers }) => headers!['if-match'] !== undefined)).toBe(true)
  web.fault = () => undefined
  expect(await bytesOf(file.read(content.length - 5, content.length + 100))).toBe(content.toString('latin1', content.length - 5))
  expect(await bytesOf(file.read(content.length, content.length + 1))).toBe('')
  web.content = Buffer.from('another')
  await expect(bytesOf(file.read(0, 10))).rejects.toMatchObject({
    code: 'ESTALE', message: 'http://h/rye.csv was replaced while it was read; run it again',
  })
})

test('a caller that is slower than the bound on a silent server loses no connection', async () => {
  const web = new Web(content)
  const timers = new Set<() => void>()
  const deps = depsOf(web.fetch)
  const clock = { ...deps.clock, after: (_ms: number, work: () => void) => {
    timers.add(work)
    return () => { timers.delete(work) }
  } }
  const file = await openerOf({ ...deps, clock, vault })(referenceTo(path, { pin: await pinned(web) }, vault), path)
  web.requests.length = 0
  for await (const _ of file.read(0, 5_000)) expect(timers.size).toBe(0)
  expect(web.requests).toHaveLength(1)
})

test('keys of S3 are sealed, and a reference opens at its own path and with the secret of its cluster only', async () => {
  const service = new Service()
  service.objects.set('a/rye.csv', { bytes: content, etag: '"1"', meta: {} })
  const access = { region: 'r', accessKeyId: 'AKIAGRISTMILL', secretAccessKey: 'hunter2hunter2', endpoint: 'http://h:9000' }
  const deps = depsOf(service.fetch)
  const [pin] = await Array.fromAsync(new S3Objects(new S3Client(deps, access, 'grain'), 'a/').pin())
  const reference = referenceTo(path, { pin: pin!, access }, vault)
  expect(reference).not.toMatch(/hunter2|AKIA|h:9000|grain/)
  const file = await openerOf({ ...deps, vault })(reference, path)
  expect(await bytesOf(file.read(7, 70))).toBe(content.toString('latin1', 7, 70))
  const refused = { code: 'CORRUPT', message: expect.stringContaining('cannot be opened') as string }
  await expect(openerOf({ ...deps, vault })(reference, `${path}2`)).rejects.toMatchObject(refused)
  const other = new Vault({ secret: Buffer.alloc(32, 2) }, systemRandom())
  await expect(openerOf({ ...deps, vault: other })(reference, path)).rejects.toMatchObject(refused)
  await expect(openerOf({ ...deps, vault })(reference.replace(/"bytes":\d+/, '"bytes":7'), path)).rejects.toMatchObject(refused)
  for (const text of ['', '{}', '{"v":2,"bytes":1,"sealed":""}', '[1]']) expect(() => referredBytes(text), text).toThrow('cannot be opened')
})
