// Client's end of a write pipeline, over scripted wires: members contacted, unreachable members reported, and outcomes.

import { expect, test } from 'vitest'
import { GristmillError } from '../../../../src/base/errors.ts'
import { address, blockId, clusterId, nodeId } from '../../../../src/base/ids.ts'
import { limits } from '../../../../src/base/limits.ts'
import { patience, Pipe } from '../../../../src/file/pipe.ts'
import { turns } from './reading.ts'

interface Member { readonly take?: Error; readonly request?: Error; readonly used?: boolean }

const places = ['a', 'b', 'c'].map(name => ({ node: nodeId(name), address: address(`${name}:1`), rack: '/r', host: name }))

/** Each wire taken to a member follows the next of its scripts. */
function bench(ways: Readonly<Record<string, Member[]>> = {}) {
  const takes: Array<[string, boolean, number]> = []
  const requests: unknown[] = []
  const ends: unknown[] = []
  const destroyed: string[] = []
  const given: string[] = []
  const answers: Array<PromiseWithResolvers<unknown>> = []
  const wires = {
    take: async (to: string, { fresh, progressMs }: { fresh: boolean; progressMs: number }) => {
      const name = to.split(':')[0]!
      takes.push([name, fresh, Math.round(progressMs)])
      const way = ways[name]?.shift() ?? {}
      if (way.take) throw way.take
      const answer = Promise.withResolvers<unknown>()
      answer.promise.catch(() => {})
      answers.push(answer)
      return {
        address: to, used: way.used === true,
        channel: {
          wire: {
            destroy: (error?: Error) => {
              destroyed.push(name)
              answer.reject(error ?? new Error('gone'))
            },
          },
          request: async (request: unknown) => {
            requests.push(request)
            if (way.request) throw way.request
          },
          send: async () => {},
          end: async (value: unknown) => {
            ends.push(value)
          },
          receive: () => answer.promise,
        },
      }
    },
    give: ({ address: to }: { address: string }) => { given.push(to.split(':')[0]!) },
  }
  const open = (options = {}) =>
    Pipe.open(wires as never, { cluster: clusterId('c'), block: blockId(7), bytesMax: 10, token: 't', members: places }, options)
  return { open, takes, requests, ends, destroyed, given, answers }
}

const no = (message: string): GristmillError => new GristmillError('UNAVAILABLE', message)
const written = (nodes: string[], failed: unknown[] = []) => ({ kind: 'reply', value: { op: 'written', nodes, failed } })

test('the first member is asked, over a kept wire if there is one, with those behind it and patience for them', async () => {
  const { open, takes, requests } = bench()
  const pipe = await open()
  expect(takes).toEqual([['a', false, Math.round(patience(limits.progressTimeoutMs, 2))]])
  expect(requests).toEqual([{ op: 'write', cluster: 'c', block: 7, bytesMax: 10, token: 't', pipeline: places.slice(1) }])
  expect([pipe.first.node, pipe.skipped, pipe.used, pipe.error]).toEqual(['a', [], false, undefined])
  const quick = bench()
  await quick.open({ progressMs: 30 })
  expect(quick.takes[0]![2]).toBe(60)
})

test('a kept wire that fails is replaced by a new one; a new one that fails leaves its member out, with the reason', async () => {
  const { open, takes, requests, destroyed } = bench({
    a: [{ used: true, request: no('old') }, { request: no('a is gone') }],
    b: [{ take: no('b is gone') }], c: [{ used: true }],
  })
  const pipe = await open({ progressMs: 30 })
  expect(takes).toEqual([['a', false, 60], ['a', true, 60], ['b', false, 50], ['c', false, 40]])
  expect(pipe.skipped).toEqual([{ node: 'a', message: 'a is gone' }, { node: 'b', message: 'b is gone' }])
  expect([pipe.first.node, pipe.used, destroyed, (requests.at(-1) as { pipeline: unknown }).pipeline]).toEqual(['c', true, ['a', 'a'], []])
})

test('if no member can be reached, the last reason is reported, with the names of all members', async () => {
  const last = no('c is gone')
  await expect(bench({ a: [{ take: no('a') }], b: [{ take: no('b') }], c: [{ take: last }] }).open()).rejects.toMatchObject({
    code: 'UNAVAILABLE', cause: last, details: { block: 7, nodes: ['a', 'b', 'c'] },
  })
  const aborted = bench({ a: [{ take: no('a') }] })
  await expect(aborted.open({ signal: AbortSignal.abort(new Error('enough')) })).rejects.toMatchObject({ code: 'ABORTED' })
  expect(aborted.takes).toHaveLength(1)
})

test('the result names the lost members, and the wire serves the next transfer', async () => {
  const { open, ends, answers, given, destroyed } = bench({ a: [{ take: no('a is gone') }] })
  const pipe = await open()
  await pipe.send({} as never)
  answers[0]!.resolve(written(['b'], [{ node: 'c', message: 'lost' }]))
  expect(await pipe.finish({ length: 5, crc: 6 })).toEqual({
    nodes: ['b'],
    failed: [
      { node: 'a', message: 'a is gone' }, { node: 'c', message: 'lost' },
    ],
  })
  expect([ends, given]).toEqual([[{ length: 5, crc: 6 }], ['b']])
  // An abort afterwards changes nothing.
  pipe.abort()
  expect([destroyed, pipe.error]).toEqual([[], undefined])
})

test.each<[string, unknown, object]>([
  ['closes the connection', undefined, { code: 'UNAVAILABLE', details: { node: 'a' } }],
  ['answers with something else', { kind: 'reply', value: { op: 'segment' } }, { code: 'CORRUPT', details: { node: 'a' } }],
  ['answers with data', { kind: 'data' }, { code: 'CORRUPT' }],
  [
    'says that one behind it failed',
    { kind: 'reply', value: { op: 'error', error: { code: 'ENOSPC', message: 'full', node: 'b' } } },
    { code: 'ENOSPC', message: 'full', details: { node: 'b', block: 7 } },
  ],
  [
    'says that it failed',
    { kind: 'reply', value: { op: 'error', error: { code: 'NO_CODE', message: 'odd' } } },
    { code: 'INTERNAL', details: { node: 'a' } },
  ],
])('a member that %s ends the pipeline at once, for every call from then on', async (_, answer, error) => {
  const { open, answers, destroyed, given } = bench()
  const pipe = await open()
  answers[0]!.resolve(answer)
  await turns()
  expect(pipe.error).toMatchObject(error)
  await expect(pipe.send({} as never)).rejects.toBe(pipe.error)
  await expect(pipe.finish({ length: 1, crc: 1 })).rejects.toBe(pipe.error)
  expect([destroyed, given]).toEqual([['a'], []])
  expect(pipe.lost).toEqual(places.map(({ node }) => ({ node, message: pipe.error!.message.slice(0, 500) })))
})

test('a pipeline that is given up says why, or that it was, and ends its wire', async () => {
  const { open, destroyed } = bench()
  const pipe = await open()
  expect(pipe.lost[0]!.message).toBe('the pipeline was given up')
  pipe.abort()
  pipe.abort(new Error('later'))
  expect([pipe.error, destroyed]).toEqual([
    expect.objectContaining({ code: 'ABORTED', details: expect.objectContaining({ node: 'a', block: 7 }) as object }),
    ['a'],
  ])
  const other = await bench().open()
  other.abort(no('enough'))
  await expect(other.finish({ length: 1, crc: 1 })).rejects.toMatchObject({ code: 'UNAVAILABLE', message: 'enough' })
})
