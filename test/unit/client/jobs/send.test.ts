// Pages in which a client sends splits, recorded by a fake cluster: each fits one message, in order, and the last goes with the submit.

import { expect, test } from 'vitest'
import type { Cluster } from '../../../../client/call/cluster.ts'
import { pack, type SplitPiece } from '../../../../client/jobs/pack.ts'
import { pagesOf, sendPages } from '../../../../client/jobs/send.ts'
import { blockId, inodeId, nodeId } from '../../../../src/base/ids.ts'
import { unpackSplit } from '../../../../src/protocol/packed.ts'
import type { Split, SplitRange } from '../../../../src/protocol/task.ts'

const range = (path: string, start = 0, end = 100, more: Partial<SplitRange> = {}): SplitRange => ({
  path, inode: inodeId(1), fileBytes: 1000, start, end, aligned: true,
  blocks: [{ id: blockId(start + 1), offset: start, length: end - start, crc: 1 }],
  ...more,
})
const split = (n: number): Split => ({ bytes: 100, ranges: [range(`/in/"${n}"`)] })

test('splits that have room in one page go with their job; of others all pages but the last go before it, in order', async () => {
  const asked: unknown[] = []
  const cluster = {
    random: { id: () => 'a1b2c3d4' },
    ask: async (message: { name: string }, request: object) => void asked.push({ name: message.name, ...request }),
  } as unknown as Cluster
  const splits = [1, 2, 3, 4, 5].map(split)
  expect(await sendPages(cluster, pagesOf(splits), { output: '/out' })).toEqual({ splits: pagesOf(splits)[0] })
  expect(await sendPages(cluster, pagesOf([]), { output: '/out' })).toEqual({ splits: [] })
  expect(asked).toEqual([])
  // Bytes are counted as sent, where a quote takes two.
  const bytes = Buffer.byteLength(JSON.stringify(pagesOf(splits)[0]!.slice(0, 2)))
  const pages = pagesOf(splits, bytes)
  expect(pages.map(page => page.length)).toEqual([2, 2, 1])
  expect(pages.flat().map(unpackSplit)).toEqual(splits)
  expect(await sendPages(cluster, pages, { output: '/out' })).toEqual({ sent: { id: 'a1b2c3d4', pages: 2, tasks: 4 }, splits: pages[2] })
  expect(asked).toEqual([0, 1].map(page => ({ name: 'job.splits', id: 'a1b2c3d4', page, output: '/out', splits: pages[page] })))
  expect(() => pagesOf(splits, 10)).toThrow(
    expect.objectContaining({ code: 'TOO_LARGE', message: expect.stringContaining('larger blocks') }),
  )
})

test('pieces of a file that follow each other are one range, with each block once', () => {
  const piece = (each: SplitRange): SplitPiece => ({ range: each, nodes: [nodeId('a')] })
  const block = (id: number) => ({ id: blockId(id), offset: id * 100, length: 100, crc: 1 })
  const cut = (start: number, blocks: number[]) => range('/cut', start, start + 100, { aligned: false, blocks: blocks.map(block) })
  const pieces = [
    range('/f', 100, 200), range('/f', 0, 100), range('/f', 300, 400), range('/g', 0, 100), range('/g', 100, 200, { delimiter: ';' }),
    cut(0, [0, 1]), cut(100, [0, 1, 2]), cut(200, [1, 2]),
  ]
  const [all, ...more] = pack(pieces.map(piece), 10_000)
  expect(more).toEqual([])
  expect(all!.ranges.map(each => `${each.path} ${each.start}-${each.end} ${each.blocks.map(({ id }) => id).join()}`)).toEqual([
    '/cut 0-300 0,1,2', '/f 0-200 1,101', '/f 300-400 301', '/g 0-100 1', '/g 100-200 101',
  ])
})

test('a split has so many files only that it fits into a page, however long their paths are', () => {
  const pieces = Array.from({ length: 40 }, (_, i): SplitPiece => ({
    range: range(`/${String(i).padStart(2, '0')}${'/n'.repeat(4000)}`),
    nodes: [nodeId('a')],
  }))
  const splits = pack(pieces, 1_000_000)
  expect(splits.flatMap(each => each.ranges)).toHaveLength(40)
  expect(Math.max(...splits.map(each => each.ranges.length))).toBeLessThan(10)
})
