// A file being written, from its creation to its end, on a scripted namenode: which calls are made, and no lease or block is left behind in
// any case.

import { expect, test } from 'vitest'
import { GristmillError } from '../../../../src/base/errors.ts'
import { address, leaseId, requestId } from '../../../../src/base/ids.ts'
import { limits } from '../../../../src/base/limits.ts'
import type { CreateOptions } from '../../../../src/file/createoptions.ts'
import { OpenFile } from '../../../../src/file/open.ts'
import { turns } from './reading.ts'

function bench() {
  const calls: Array<{ name: string; request: Record<string, unknown> }> = []
  const events: string[] = []
  let lost: (() => void) | undefined
  const settled = Promise.withResolvers<void>()
  settled.resolve()
  const world = { settled: settled.promise, answer: async (): Promise<unknown> => ({ path: '/f' }) }
  const leases = {
    settled: (path: string) => { events.push(`settled ${path}`); return world.settled },
    hold: (_: unknown, onLost: () => void) => { events.push('hold'); lost = onLost },
    holds: () => lost !== undefined, drop: () => { events.push('drop'); lost = undefined },
    giveBack: async (path: string) => { events.push(`give back ${path}`); lost = undefined }, ending: () => {},
  }
  const reply = { lease: leaseId(5), blockBytes: 100, replication: 2, blocks: [] }
  const tools = {
    small: { boundOf: () => 0 }, namenode: address('n:1'), host: 'client', requestId: () => requestId('c:1'),
    caller: {
      callOrUndo: async (_: unknown, { name }: { name: string }, request: object) => {
        calls.push({ name, request: request as never })
        return reply
      },
      call: (_: unknown, { name }: { name: string }, request: object) => {
        calls.push({ name, request: request as never })
        return world.answer()
      },
    },
  }
  const create = (options: CreateOptions & { blocks?: number; bytes?: number } = {}) =>
    OpenFile.create(tools as never, leases as never, '/f', { blocks: 0, ...options })
  return { calls, events, world, create, lose: () => lost!() }
}

test('the request contains the given options and no others; a delimiter goes with any format', async () => {
  for (const [options, more] of [
    [{}, {}],
    [
      { overwrite: false, parents: true, mode: 0, replication: 3, blockBytes: 7, bytes: 0, blocks: 2, format: 'lines' },
      { overwrite: false, parents: true, mode: 0, replication: 3, blockBytes: 7, bytes: 0, blocks: 2, format: 'lines' },
    ],
    [
      { format: 'csv', delimiter: ';' }, { format: 'csv', delimiter: ';' },
    ],
    [{ format: 'csv' }, { format: 'csv' }],
    [{ format: 'lines', delimiter: ';' }, { format: 'lines', delimiter: ';' }],
    [{ delimiter: ';', header: false }, { delimiter: ';', header: false }],
  ] as const) {
    const { calls, events, create } = bench()
    const file = await create(options as never)
    expect(calls).toEqual([{ name: 'writing.create', request: { requestId: 'c:1', path: '/f', host: 'client', blocks: 0, ...more } }])
    expect([file.path, file.blockBytes, file.replication, file.signal.aborted, file.givenUp]).toEqual(['/f', 100, 2, false, false])
    // First the pending return of the same path's lease.
    expect(events).toEqual(['settled /f', 'hold'])
  }
})

test('a complete file is visible, and nothing is held or given back', async () => {
  const { calls, events, create } = bench()
  const file = await create()
  expect(await file.complete({ blocks: [] }, 12.6)).toEqual({ path: '/f' })
  expect(calls.at(-1)).toEqual({ name: 'writing.complete', request: { requestId: 'c:1', lease: 5, blocks: [], mtimeMs: 13 } })
  expect([events.slice(2), file.signal.aborted, file.signal.reason]).toEqual([['drop'], true, expect.objectContaining({ code: 'ABORTED' })])
  await file.abandon()
  await expect(file.complete({ blocks: [] })).rejects.toMatchObject({ code: 'ABORTED' })
  expect([events.slice(2), calls.length]).toEqual([['drop'], 2])
  const plain = bench()
  await (await plain.create()).complete({ blocks: [] })
  expect(plain.calls.at(-1)!.request).toEqual({ requestId: 'c:1', lease: 5, blocks: [] })
})

test('a published file is visible elsewhere with what is said of it, and nothing is held or given back', async () => {
  const { calls, events, create } = bench()
  const file = await create()
  expect(await file.publish({ blocks: [] }, { to: '/g', attributes: { a: 'b' } } as never)).toEqual({ path: '/f' })
  expect(calls.at(-1)!.request).toEqual({ requestId: 'c:1', lease: 5, blocks: [], to: '/g', attributes: { a: 'b' } })
  expect([events.slice(2), file.signal.aborted]).toEqual([['drop'], true])
  await expect(file.publish({ blocks: [] }, { to: '/g' } as never)).rejects.toMatchObject({ code: 'ABORTED' })
  // Its lease may be lost while the answer is on its way.
  const publishing = bench()
  const answer = Promise.withResolvers<unknown>()
  publishing.world.answer = () => answer.promise
  const other = await publishing.create()
  const published = other.publish({ blocks: [] }, { to: '/g' } as never)
  publishing.lose()
  expect(other.signal.aborted).toBe(false)
  answer.resolve({ path: '/g' })
  expect(await published).toEqual({ path: '/g' })
})

test('a file that is given up gives its lease back, once', async () => {
  const { events, create } = bench()
  const file = await create()
  await Promise.all([file.abandon(), file.abandon()])
  await file.abandon()
  expect([events.slice(2), file.signal.aborted]).toEqual([['drop', 'give back /f'], true])
})

test('a writer whose completion failed may still abandon the file', async () => {
  const { events, world, create } = bench()
  const file = await create()
  world.answer = async () => { throw new GristmillError('EACCES', 'no') }
  await expect(file.complete({ blocks: [] })).rejects.toMatchObject({ code: 'EACCES' })
  expect([events.slice(2), file.signal.aborted]).toEqual([[], false])
  await file.abandon()
  expect(events.slice(2)).toEqual(['drop', 'give back /f'])
})

test('a lost lease ends the writing, but not a completion that is on its way: that answer will tell', async () => {
  const writing = bench()
  const file = await writing.create()
  writing.lose()
  expect([file.signal.aborted, file.signal.reason]).toEqual([
    true,
    expect.objectContaining({ code: 'LEASE_EXPIRED', details: { path: '/f' } }),
  ])
  const completing = bench()
  const answer = Promise.withResolvers<unknown>()
  completing.world.answer = () => answer.promise
  const other = await completing.create()
  const completed = other.complete({ blocks: [] })
  completing.lose()
  expect(other.signal.aborted).toBe(false)
  answer.resolve({ path: '/f' })
  expect(await completed).toEqual({ path: '/f' })
})

test('an abort of the caller abandons the file at every step, and rejects with the reason of the signal', async () => {
  const writing = bench()
  const aborting = new AbortController()
  const file = await writing.create({ signal: aborting.signal })
  aborting.abort(new Error('enough'))
  await turns()
  expect([file.givenUp, file.signal.aborted, writing.events.slice(2)]).toEqual([true, true, ['drop', 'give back /f']])
  await expect(file.complete({ blocks: [] })).rejects
    .toMatchObject({ code: 'ABORTED', message: expect.stringContaining('enough') as string })
  // Without effect after the end.
  const done = bench()
  const late = new AbortController()
  const complete = await done.create({ signal: late.signal })
  await complete.complete({ blocks: [] })
  late.abort()
  await turns()
  expect(done.events.slice(2)).toEqual(['drop'])
  // While it waits for the old lease of its own process, nothing is sent.
  const waiting = bench()
  waiting.world.settled = new Promise(() => {})
  const early = new AbortController()
  const created = waiting.create({ signal: early.signal })
  early.abort(new Error('enough'))
  await expect(created).rejects.toMatchObject({ code: 'ABORTED' })
  expect(waiting.calls).toEqual([])
})

test('a file has as many blocks as a file may have, and not one more', async () => {
  const file = await bench().create()
  expect(() => file.checkBlocks(limits.fileBlocksMax)).not.toThrow()
  expect(() => file.checkBlocks(limits.fileBlocksMax + 1)).toThrow(
    expect.objectContaining({ code: 'TOO_LARGE', message: expect.stringContaining('larger blocks than 100 bytes') as string }),
  )
})
