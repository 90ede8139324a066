// put of a local file, on a scripted namenode and datanode: ends of blocks, their claims about records, and progress events.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { GristmillError } from '../../../../src/base/errors.ts'
import { address, blockId, clusterId, leaseId, nodeId, requestId } from '../../../../src/base/ids.ts'
import { limits } from '../../../../src/base/limits.ts'
import { FramePool } from '../../../../src/block/ring.ts'
import type { FrameBuffer } from '../../../../src/block/frame.ts'
import { putFile, type PutFileOptions } from '../../../../src/file/put.ts'
import { silent } from '../../../../src/ports/log.ts'
import { ManualClock } from '../../../kit/manual-clock.ts'
import { countingDisk } from '../../datanode/store/storekit.ts'

const dir = mkdtempSync(join(tmpdir(), 'gristmill-put-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

/** Puts a file of this text into a cluster of one datanode, whose namenode refuses the message `refuses`. */
async function put(text: string, blockBytes: number, options: PutFileOptions = {}, refuses = '') {
  const from = join(dir, 'file')
  writeFileSync(from, text)
  const { disk, open } = countingDisk()
  const calls: Array<{ name: string; request: Record<string, unknown> }> = []
  const blocks = new Map<number, Buffer>()
  let ids = 0
  const allocated = (count: number) =>
    Array.from({ length: count }, () => ({
      id: blockId(++ids), token: 't',
      targets: [{ node: nodeId('a'), address: address('a:1'), rack: '/r', host: 'a' }],
    }))
  const tools = {
    clock: new ManualClock(), random: { float: () => 1 }, log: silent, pool: new FramePool(),
    small: { takes: () => false, boundOf: () => 0 }, namenode: address('n:1'),
    cluster: clusterId('c'), host: 'client', progressMs: undefined, requestId: () => requestId('c:1'),
    caller: {
      callOrUndo: async (_: unknown, { name }: { name: string }, request: { blocks: number }) => {
        calls.push({ name, request: request as never })
        return { lease: leaseId(1), blockBytes, replication: 1, blocks: allocated(request.blocks) }
      },
      call: async (_: unknown, { name }: { name: string }, request: { count?: number }) => {
        calls.push({ name, request: request as never })
        if (name === refuses) throw new GristmillError('ENOSPC', 'no room')
        return name === 'writing.allocate' ? { blocks: allocated(request.count!) } : { path: '/f' }
      },
    },
    wires: {
      take: async () => {
        const answer = Promise.withResolvers<unknown>()
        let block = 0
        const channel = {
          wire: { destroy() {} },
          request: async (request: { block: number }) => {
            block = request.block
            blocks.set(block, Buffer.alloc(0))
          },
          send: async (frame: FrameBuffer) => {
            blocks.set(block, Buffer.concat([blocks.get(block)!, frame.payload]))
          },
          end: async () => answer.resolve({ kind: 'reply', value: { op: 'written', nodes: ['a'], failed: [] } }),
          receive: () => answer.promise,
        }
        return { address: address('a:1'), used: false, channel }
      },
      give() {},
    },
  }
  const leases = {
    settled: async () => {}, hold() {}, holds: () => true, drop() {},
    giveBack: async () => {
      calls.push({ name: 'given back', request: {} })
    },
    ending() {},
  }
  const status = await putFile(tools as never, leases as never, disk, { from, to: '/f', options }).catch((error: unknown) => error)
  const complete = calls.find(({ name }) => name === 'writing.complete')?.request as
    { blocks: Array<{ id: number; aligned: boolean }>; mtimeMs?: number } | undefined
  const parts = complete?.blocks.map(({ id, aligned }) => [blocks.get(id)!.toString(), aligned] as const)
  if (parts) expect(parts.map(([part]) => part).join('')).toBe(text)
  return { status, calls, parts, complete, open: open() }
}

test('bytes are cut at the length of a block; the first blocks are allocated with the file, others one by one', async () => {
  const { status, parts, calls, open } = await put('abcdefghij', 4)
  expect(parts).toEqual([['abcd', false], ['efgh', false], ['ij', false]])
  expect([status, open]).toEqual([{ path: '/f' }, 0])
  expect(calls[0]!.request).toMatchObject({ blocks: 1, bytes: 10 })
  const known = await put('abcdefghij', 4, { blockBytes: 4, mtimeMs: 5 })
  expect(known.calls[0]!.request).toMatchObject({ blocks: limits.parallelBlocks, blockBytes: 4 })
  expect(known.calls.filter(({ name }) => name === 'writing.allocate')).toHaveLength(1)
  expect([known.complete!.mtimeMs, known.complete!.blocks.map(({ id }) => id)]).toEqual([5, [1, 2, 3]])
  expect((await put('abcdefgh', 4)).parts).toEqual([['abcd', false], ['efgh', false]])
  expect((await put('abcd', 4)).parts).toEqual([['abcd', true]])
  expect((await put('a', 4)).calls[0]!.request).toMatchObject({ blocks: 1, bytes: 1 })
  const empty = await put('', 4)
  expect([empty.parts, empty.calls[0]!.request]).toEqual([[], expect.objectContaining({ blocks: 0, bytes: 0 })])
})

test('text is cut behind its last line that fits, however long a block is; a line longer than a block is cut', async () => {
  expect((await put('a\nbb\nccc\ndd\n', 6, { format: 'lines' })).parts).toEqual([['a\nbb\n', true], ['ccc\n', true], ['dd\n', true]])
  expect((await put('a\n1234567890\nb\nc\n', 6, { format: 'lines' })).parts).toEqual([
    ['a\n', true], ['123456', false], ['7890\n', false], ['b\nc\n', true],
  ])
  expect((await put('a\nb', 2, { format: 'jsonl' })).parts).toEqual([['a\n', true], ['b', true]])
  expect((await put('\nabcdefgh', 6, { format: 'lines' })).parts).toEqual([['\n', true], ['abcdef', false], ['gh', false]])
  // The last line end of a block is searched backwards, piece by piece.
  const lines = `${'x'.repeat(70_000)}\n${'y'.repeat(150_000)}\n${'z'.repeat(10)}\n`
  expect((await put(lines, 215_000, { format: 'lines' })).parts!.map(([part, aligned]) => [part.length, aligned])).toEqual([
    [70_001, true], [150_012, true],
  ])
})

test('CSV is cut between rows, whatever stands in quotes, also where a row takes several blocks', async () => {
  const rows = (n: number): string => Array.from({ length: n }, (_, i) => `${i},"a\nb",c\n`).join('')
  const { parts } = await put(`x,y,z\n${rows(9)}`, 30, { format: 'csv' })
  expect(parts!.every(([part, aligned]) => aligned && /^(x,y,z\n)?(\d,"a\nb",c\n)*$/.test(part))).toBe(true)
  expect(parts!.length).toBeGreaterThan(3)
  const long = await put('x,y\n"1\n2\n3\n4\n5\n6\n7",2\nb,c\nd,e\n', 8, { format: 'csv', delimiter: ',' })
  expect(long.parts).toEqual([['x,y\n', true], ['"1\n2\n3\n4', false], ['\n5\n6\n7",', false], ['2\nb,c\n', false], ['d,e\n', true]])
})

test('progress reports the bytes sent and the total', async () => {
  const told: Array<[number, number]> = []
  await put('abcdefghij', 4, { onProgress: (sent, total) => told.push([sent, total]) })
  expect(told).toHaveLength(3)
  expect([told.at(-1), told.every(([sent, total], i) => total === 10 && sent > (told[i - 1]?.[0] ?? 0))]).toEqual([[10, 10], true])
})

test('a file with more blocks than a file may have is given up before anything is sent', async () => {
  const { status, calls, open } = await put('x'.repeat(limits.fileBlocksMax + 1), 1)
  expect(status).toMatchObject({ code: 'TOO_LARGE' })
  expect([calls.map(({ name }) => name), open]).toEqual([['writing.create', 'given back'], 0])
})

test('a file of which one block cannot be stored is not completed: the error is thrown, and the lease given back', async () => {
  const { status, calls, open } = await put('x'.repeat(40), 4, {}, 'writing.allocate')
  expect(status).toMatchObject({ code: 'ENOSPC' })
  const names = calls.map(({ name }) => name)
  const seen = ['writing.allocate', 'writing.complete', 'given back'].map(name => names.includes(name))
  expect([seen, open]).toEqual([[true, false, true], 0])
})
