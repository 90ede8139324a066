// Small objects on a namenode's state in memory: published whole without a lease, many in one call, and read whole with their attributes.
// Each has an outcome of its own; counters and replay agree.

import { expect, test } from 'vitest'
import { mkdir, setAttributes } from '../../../../namenode/namespace/names.ts'
import { stat } from '../../../../namenode/namespace/read.ts'
import { publish, put } from '../../../../namenode/objects/mutations.ts'
import { objectRoutes } from '../../../../namenode/objects/routes.ts'
import { create } from '../../../../namenode/writing/mutations.ts'
import { GristmillError } from '../../../../src/base/errors.ts'
import { requestId } from '../../../../src/base/ids.ts'
import { limits } from '../../../../src/base/limits.ts'
import { contentOf as sent } from '../../../../src/file/small.ts'
import type { Message, ReplyOf, RequestOf } from '../../../../src/protocol/message.ts'
import * as protocol from '../../../../src/protocol/object.ts'
import type { Route } from '../../../../src/rpc/serve.ts'
import { as, differencesIn, file, limitUsage, replayed, root, sweepAll, type Bench } from '../kit.ts'
import { openObjects, upload } from './kit.ts'

const defaults = { replication: 2, blockBytes: 1 << 20 }
const attribute = (name: string, text: string) => ({ name, value: Buffer.from(text).toString('base64') })
const small = (to: string, text: string, number = 0, more: object = {}): protocol.SmallObject =>
  ({ to, number, content: sent(Buffer.from(text)), parents: true, ...more })

async function open() {
  const bench = await openObjects()
  const routes = objectRoutes({
    journal: bench.journal, clock: bench.clock, actor: user => ({ user, root: user === 'grace' }), inlineBytes: 10, defaults,
    registry: {} as never, map: {} as never, lifetimes: {} as never, invalidate: () => {},
  })
  const call = async <M extends Message>(message: M, request: RequestOf<M>, user = 'grace'): Promise<ReplyOf<M>> =>
    (routes.find((each: Route) => each.message === message)!.handler as (...of: unknown[]) => Promise<ReplyOf<M>>)(request, { user })
  return { bench, call }
}

async function sound(bench: Bench): Promise<void> {
  await sweepAll(bench)
  expect(differencesIn(bench)).toEqual([])
  await replayed(bench)
}

test('the objects of a call have their own outcomes, and a repeat gets the first answers', async () => {
  const { bench, call } = await open()
  const damaged = small('/damaged', 'rye', 4)
  const request = {
    requestId: requestId('c:1'), objects: [
      small('/b/x/y', 'rye', 0, { attributes: [attribute('user.a', 'one')] }), small('/b/x/y', 'oats', 1, { expect: { absent: true } }),
      small('/b/x', 'x', 2), small('/none/y', 'x', 3, { base: '/none' }),
      { ...damaged, content: { ...damaged.content, crc: damaged.content.crc ^ 1 } }, small('/long', 'more than ten', 5),
      small('/b/empty', '', 6), small('/.gristmill/trash/x', 'x', 7), small('/b/many', 'x', 8, {
        attributes: [attribute('user.a', 'b'), attribute('user.a', 'c')],
      }),
    ],
  }
  const { objects, inlineBytes } = await call(protocol.put, request)
  expect(objects.map(({ status, error, inBlocks }) => status?.length ?? error?.code ?? inBlocks))
    .toEqual([3, 'EEXIST', 'EISDIR', 'ENOENT', 'CORRUPT', true, 0, 'EACCES', 'TOO_LARGE'])
  expect(inlineBytes).toBe(10)
  expect(objects[0]!.status).toMatchObject({ path: '/b/x/y', owner: 'grace', inlined: true, blocks: 0, replication: 2 })
  const { appliedSeq } = bench.journal.view.counters
  expect((await call(protocol.put, request)).objects).toEqual(objects)
  expect(bench.journal.view.counters.appliedSeq).toBe(appliedSeq)
  await expect(call(protocol.put, { ...request, objects: [request.objects[0]!, request.objects[0]!] }))
    .rejects.toMatchObject({ code: 'EINVAL' })
  await sound(bench)
})

test('a small object replaces what the caller has seen and may replace, keeps its mode, and leaves no row of the former one', async () => {
  const { bench } = await open()
  const content = sent(Buffer.from('rye'))
  const first = await bench.do(publish, { ...await upload(bench, 2), to: '/b/k', parents: true, attributes: [attribute('user.a', '1')] })
  await bench.do(setAttributes, { path: '/b/k', mode: 0o600 })
  const refusal = (more: object = {}) => bench.do(put, { to: '/b/k', content, ...defaults, ...more })
    .then(() => 'ok', (error: GristmillError) => error.code)
  expect(await refusal({ expect: { id: first.status.id + 100 } })).toBe('ESTALE')
  expect(await refusal(as('ada'))).toBe('EACCES')
  await bench.do(create, { ...file('/b/busy'), overwrite: true })
  expect(await refusal({ to: '/b/busy' })).toBe('EBUSY')
  await limitUsage(bench, '/b', { bytes: 21 })
  expect(await refusal({ to: '/b/more', content: sent(Buffer.from('more than one')) })).toBe('EDQUOT')
  await limitUsage(bench, '/b', { bytes: 1000 })
  expect(await refusal({ expect: { id: first.status.id } })).toBe('ok')
  expect(stat(bench.journal.view, root, '/b/k')).toMatchObject({ length: 3, mode: 0o600, inlined: true })
  await bench.do(put, { to: '/b/k', content: sent(Buffer.from('oats')), ...defaults })
  expect([bench.journal.view.counters.contents, bench.journal.view.counters.contentBytes]).toEqual([1, 4])
  await sound(bench)
})

test('an upload is not begun where nothing could be published: in a snapshot and in the trash', async () => {
  const { bench, call } = await open()
  await bench.do(mkdir, { path: '/b', mode: 0o755 })
  let uploads = 0
  const begun = (to: string): Promise<string> => call(protocol.begin, {
    requestId: requestId(`c:${++uploads}`), upload: `${protocol.uploadsDirectory}/of-${uploads}`, attributes: [], to, base: '/b',
  }).then(() => 'ok', (error: { code: string }) => error.code)
  const targets = ['/b/.snapshot/s/k', '/b/.snapshot/k', '/b/x/.snapshot/y', '/.gristmill/trash/k', '/b/.snapshots']
  expect(await Promise.all(targets.map(begun))).toEqual(['EROFS', 'EROFS', 'EROFS', 'EACCES', 'ok'])
  await sound(bench)
})

test('objects are read with their attributes, and their bytes if these are asked for; the reply ends early', async () => {
  const { bench, call } = await open()
  const written = small('/b/k', 'rye', 0, { attributes: [attribute('user.a', 'one')] })
  await call(protocol.put, { requestId: requestId('c:1'), objects: [written] })
  await bench.do(mkdir, { path: '/b/private', mode: 0o700 })
  const { status: { id } } = await bench.do(publish, { ...await upload(bench), to: '/b/blocks' })
  const attributes = ['user.a', 'user.none']
  const ask = (path: string, content = false) => ({ path, attributes, content })
  const { objects } = await call(protocol.read, {
    objects: [ask('/b/k', true), ask('/b/k'), ask('/b/blocks', true), ask('/b/private'), ask('/b/none'), ask('/b/private/x')],
  }, 'ada')
  expect(objects.map(({ status, content, error }) => [status?.length ?? error?.code, content?.data])).toEqual([
    [3, Buffer.from('rye').toString('base64')], [3, undefined], [10, undefined], ['EACCES', undefined], ['ENOENT', undefined],
    ['EACCES', undefined],
  ])
  expect([objects[0]!.attributes, objects[2]!.status!.id]).toEqual([[attribute('user.a', 'one')], id])
  expect((await call(protocol.read, { objects: [ask('/b')] })).objects[0]).toMatchObject({ isKey: false })
  const deep = `/b${'/x'.repeat(limits.pageLevelsMax / 10)}`
  expect((await call(protocol.read, { objects: Array.from({ length: 30 }, () => ask(deep)) })).objects).toHaveLength(10)
})

test('a page of a list ends early when its attributes have enough text, and the next page goes on behind it', async () => {
  const { call } = await open()
  const large = attribute('user.a', 'x'.repeat(limits.attributeBytesMax))
  const keys = Array.from({ length: 60 }, (_, i) => `k${String(i).padStart(2, '0')}`)
  for (const [i, key] of keys.entries())
    await call(protocol.put, { requestId: requestId(`c:${i}`), objects: [small(`/b/${key}`, 'x', 0, { attributes: [large] })] })
  const found: string[] = []
  let pages = 0
  for (let after: string | undefined = ''; after !== undefined; pages++) {
    const page: ReplyOf<typeof protocol.list> = await call(protocol.list, {
      path: '/b', prefix: '', limit: 1000, attributes: ['user.a'], ...after !== '' && { after },
    })
    found.push(...page.entries.map(({ key }) => key))
    after = page.next
  }
  expect([found, pages]).toEqual([keys, 2])
})
