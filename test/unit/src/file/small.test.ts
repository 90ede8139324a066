// Small files of one process: what is asked for at the same time travels in few calls; each file has its own outcome; the namenode's bound
// is learnt; bytes that do not match their checksum are not returned.

import { getEventListeners } from 'node:events'
import { expect, test } from 'vitest'
import { GristmillError } from '../../../../src/base/errors.ts'
import { address, inodeId, requestId } from '../../../../src/base/ids.ts'
import { limits } from '../../../../src/base/limits.ts'
import { CallBatch } from '../../../../src/file/callbatch.ts'
import { bytesOf, contentOf, SmallFiles } from '../../../../src/file/small.ts'
import type { FileStatus } from '../../../../src/protocol/namespace.ts'
import type { SmallFile } from '../../../../src/protocol/writing.ts'

const clock = { yield: () => Promise.resolve() } as never
const statusOf = (path: string, length: number): FileStatus => ({
  path, id: inodeId(1), type: 'file', length, replication: 1, blockBytes: 4096, blocks: 0, inlined: true, format: 'bytes', owner: 'a',
  group: 'a', mode: 0o644, mtimeMs: 1,
})

interface Asked { readonly files: readonly (SmallFile & { id?: number })[] }

/** A namenode that answers with what `answer` gives for each file. */
function against(answer: (file: SmallFile) => object, { inlineBytes = 4096, own = 4096 }: { inlineBytes?: number; own?: number } = {}) {
  const calls: number[] = []
  let requests = 0
  const caller = {
    call: async (_: unknown, message: { name: string }, { files }: Asked) => {
      calls.push(files.length)
      await Promise.resolve()
      if (message.name === 'writing.put' && inlineBytes < 0)
        throw new GristmillError('EINVAL', 'this server does not know POST /v1/writing/put; are both sides of the same version?')
      return { inlineBytes, files: files.map(answer) }
    },
  }
  const deps = { caller: caller as never, clock, namenode: address('n:1'), requestId: () => requestId(`c:${++requests}`) }
  return { calls, small: new SmallFiles(deps, { inlineBytes: own }) }
}

const rye = Buffer.from('rye')

test('files that are written at the same time share calls, and each has its own outcome', async () => {
  const { calls, small } = against(({ path, content }) =>
    (path === '/1'
      ? { error: { code: 'EEXIST', message: 'there', details: { path } } }
      : { status: statusOf(path, bytesOf(content, statusOf(path, 3)).length) }))
  const done = await Promise.allSettled(Array.from({ length: 600 }, (_, i) => small.write(`/${i}`, rye, {})))
  expect(done[0]).toMatchObject({ value: { path: '/0' } })
  expect(done[1]).toMatchObject({ reason: { code: 'EEXIST', details: { path: '/1' } } })
  expect(done.filter(({ status }) => status === 'fulfilled')).toHaveLength(599)
  expect([Math.max(...calls) <= limits.inlinePutFilesMax, calls.length < 10]).toEqual([true, true])
})

test('a small file with an option that only a lease has is left to one, and nothing is sent', async () => {
  const { calls, small } = against(({ path }) => ({ status: statusOf(path, 3) }))
  for (const options of [{ keepsOwner: true }, { inline: false }, { appearance: { keepsAttributes: true as const } }])
    expect(await small.write('/a', rye, options)).toBeUndefined()
  expect(calls).toEqual([])
  expect(await small.write('/a', rye, { keepsOwner: false, inline: true })).toMatchObject({ path: '/a' })
})

test('a file that is longer than the namenode takes is left to blocks, and the next one is not sent', async () => {
  const { calls, small } = against(() => ({ inBlocks: true }), { inlineBytes: 2 })
  expect(small.takes(3)).toBe(true)
  expect(await small.write('/a', rye, {})).toBeUndefined()
  expect([small.takes(3), small.takes(2), await small.write('/a', rye, {}), calls]).toEqual([false, true, undefined, [1]])
  const one = against(() => ({}), { own: 1 })
  expect([one.small.takes(1), one.small.takes(2), against(() => ({}), { own: 0 }).small.takes(0)]).toEqual([true, false, false])
})

test('a process that inlines nothing, and a namenode of an earlier version, are not asked again', async () => {
  const none = against(() => ({}), { own: 0 })
  expect([none.small.takes(0), await none.small.write('/a', rye, {}), none.calls, none.small.boundOf(4096)])
    .toEqual([false, undefined, [], 0])
  const old = against(() => ({}), { inlineBytes: -1 })
  expect([await old.small.write('/a', rye, {}), old.small.takes(1), old.small.boundOf(undefined)]).toEqual([undefined, false, 0])
})

test('what is said of CSV goes with its file, in any format', async () => {
  const asked: SmallFile[] = []
  const { small } = against(file => { asked.push(file); return { status: statusOf(file.path, 3) } })
  await small.write('/a.csv', rye, { format: 'csv', delimiter: ';', header: false })
  await small.write('/b.csv', rye, { format: 'csv', header: true })
  await small.write('/c.txt', rye, { format: 'lines', delimiter: ';', header: true })
  expect(asked.map(({ path, delimiter, header }) => [path, delimiter, header])).toEqual([
    ['/a.csv', ';', false], ['/b.csv', undefined, true], ['/c.txt', ';', true],
  ])
})

test('damaged bytes are not returned: the reader asks by itself', async () => {
  const damaged = { ...contentOf(rye), crc: 1 }
  const { small } = against(({ path }) => ({ status: statusOf(path, 3), content: path === '/bad' ? damaged : contentOf(rye) }))
  const read = async (path: string) => (await small.read({ path }, { length: 3 })).bytes?.toString()
  expect(await Promise.all([read('/good'), read('/bad')])).toEqual(['rye', undefined])
  expect(() => bytesOf(damaged, statusOf('/bad', 3))).toThrow(expect.objectContaining({ code: 'CORRUPT', details: { path: '/bad' } }))
  expect(() => bytesOf(contentOf(rye), statusOf('/short', 4))).toThrow(expect.objectContaining({ code: 'CORRUPT' }))
})

test('a call that answers for some asks again for the others; a failed call is the outcome of all in it; an abort takes its own out', async () => {
  const sent: number[][] = []
  const batch = new CallBatch<number, number>({
    clock, countMax: 4, sizeMax: 100, callsMax: 1,
    send: async things => {
      sent.push([...things])
      await Promise.resolve()
      if (things.includes(9)) throw new GristmillError('UNAVAILABLE', 'away')
      return things.slice(0, 3).map(value => ({ value }))
    },
  })
  const add = (thing: number, signal?: AbortSignal, size = 1): Promise<number> => batch.add(thing, { size, signal })
  const ending = new AbortController()
  const left = add(7, ending.signal)
  ending.abort(new Error('enough'))
  await expect(left).rejects.toThrow()
  await expect(add(7, ending.signal)).rejects.toThrow()
  expect(await Promise.all([add(1), add(2), add(3), add(4), add(5, undefined, 100), add(6)])).toEqual([1, 2, 3, 4, 5, 6])
  expect(sent).toEqual([[1, 2, 3, 4], [4], [5], [6]])
  await expect(Promise.all([add(9), add(8)])).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  expect(await add(1)).toBe(1)
  // A signal of many calls keeps none of them.
  const lasting = new AbortController()
  expect(await Promise.all([add(1, lasting.signal), add(2, lasting.signal)])).toEqual([1, 2])
  expect(getEventListeners(lasting.signal, 'abort')).toEqual([])
})

test('a call is aborted when all who wait for it have given up, and what waits behind it is sent', async () => {
  const sent: number[][] = []
  const batch = new CallBatch<number, number>({
    clock, countMax: 2, sizeMax: 100, callsMax: 1,
    send: (things, signal) => {
      sent.push([...things])
      if (things.includes(3)) return Promise.resolve(things.map(value => ({ value })))
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    },
  })
  const [first, second] = [new AbortController(), new AbortController()]
  const ends = [batch.add(1, { size: 1, signal: first.signal }), batch.add(2, { size: 1, signal: second.signal })]
    .map(each => each.catch(({ code }: GristmillError) => code))
  const third = batch.add(3, { size: 1 })
  await Promise.resolve()
  first.abort()
  expect([await ends[0], sent]).toEqual(['ABORTED', [[1, 2]]])
  second.abort()
  expect([await ends[1], await third, sent]).toEqual(['ABORTED', 3, [[1, 2], [3]]])
})
