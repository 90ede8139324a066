// Small objects of one process: what is written or read at the same time travels in few calls; each has its own outcome; a namenode of an
// earlier version is asked in its own words; bytes that do not match their checksum are not returned.

import { expect, test } from 'vitest'
import { GristmillError } from '../../../../src/base/errors.ts'
import { address, inodeId, requestId } from '../../../../src/base/ids.ts'
import { SmallObjects } from '../../../../src/file/objects.ts'
import { contentOf, SmallFiles } from '../../../../src/file/small.ts'
import { uploadsDirectory } from '../../../../src/protocol/object.ts'

const clock = { yield: () => Promise.resolve() } as never
const rye = Buffer.from('rye')
const status = { path: '/a', id: inodeId(1), length: 3 }

/** A namenode that answers with what `answer` gives for each object. */
function against(answer: (object: { readonly to?: string; readonly path?: string }) => object, { former = false } = {}) {
  const calls: string[] = []
  let requests = 0
  const caller = {
    call: async (_: unknown, { name }: { name: string }, request: { objects?: readonly object[]; path?: string }) => {
      calls.push(name)
      await Promise.resolve()
      if (former && name !== 'object.get')
        throw new GristmillError('EINVAL', `this server does not know POST /v1/${name}; are both sides of the same version?`)
      if (name === 'object.get') return answer(request)
      return { inlineBytes: 4096, objects: request.objects!.map(answer) }
    },
  }
  const deps = { caller: caller as never, clock, namenode: address('n:1'), requestId: () => requestId(`c:${++requests}`) }
  return { calls, objects: new SmallObjects({ ...deps, small: new SmallFiles(deps, { inlineBytes: 4096 }) }) }
}

test('objects that are written at the same time share calls, and each has its own outcome', async () => {
  const { calls, objects } = against(({ to }) =>
    (to === '/1' ? { error: { code: 'EEXIST', message: 'there', details: { path: to } } } : { status: { ...status, path: to } }))
  const done = await Promise.allSettled(Array.from({ length: 600 }, (_, i) => objects.publish(rye, { to: `/${i}` })))
  expect(done[0]).toMatchObject({ value: { path: '/0' } })
  expect(done[1]).toMatchObject({ reason: { code: 'EEXIST', details: { path: '/1' } } })
  expect([done.filter(each => each.status === 'fulfilled').length, calls.length < 10]).toEqual([599, true])
})

test('an object that is long, one that the namenode puts in blocks, and a part of an upload are left to blocks', async () => {
  const { calls, objects } = against(() => ({ inBlocks: true }))
  expect(await objects.publish(Buffer.alloc(4097), { to: '/a' })).toBeUndefined()
  expect(await objects.publish(rye, { to: `${uploadsDirectory}/u/00001` })).toBeUndefined()
  expect(calls).toEqual([])
  expect(await objects.publish(rye, { to: '/a' })).toBeUndefined()
})

test('a namenode of an earlier version gets the messages that it knows', async () => {
  const { calls, objects } = against(({ path }) => {
    if (path === '/none') throw new GristmillError('ENOENT', 'no such file')
    return { status: { ...status, path }, attributes: [] }
  }, { former: true })
  expect(await objects.publish(rye, { to: '/a' })).toBeUndefined()
  expect(objects.bytesMax).toBe(0)
  expect(await objects.read({ path: '/a', attributes: [], content: true })).toEqual({ status, attributes: [] })
  await expect(objects.read({ path: '/none', attributes: [] })).rejects.toMatchObject({ code: 'ENOENT' })
  expect(calls).toEqual(['object.put', 'object.get', 'object.get'])
  const reading = against(({ path }) => ({ status: { ...status, path }, attributes: [] }), { former: true })
  expect(await reading.objects.read({ path: '/a', attributes: [] })).toEqual({ status, attributes: [] })
  expect(reading.calls).toEqual(['object.read', 'object.get'])
})

test('bytes that came damaged are not returned: the file is read by itself', async () => {
  const content = contentOf(rye)
  const whole = against(() => ({ status, attributes: [], content }))
  expect((await whole.objects.read({ path: '/a', attributes: [], content: true })).bytes).toEqual(rye)
  const damaged = against(() => ({ status, attributes: [], content: { ...content, crc: content.crc ^ 1 } }))
  expect((await damaged.objects.read({ path: '/a', attributes: [], content: true })).bytes).toBeUndefined()
})
