// Input of a map task over a fake file client: blocks sent with the task, data beyond them, the header of a CSV file. The task reads the
// file that the job was submitted with, or fails.

import { expect, test } from 'vitest'
import { SplitSource } from '../../../../datanode/executor/input.ts'
import { toFailure } from '../../../../datanode/executor/failure.ts'
import type { ExecutorSession } from '../../../../datanode/executor/session.ts'
import { GristmillError } from '../../../../src/base/errors.ts'
import { blockId, inodeId } from '../../../../src/base/ids.ts'
import type { SplitRange } from '../../../../src/protocol/task.ts'

const text = 'a,b\n1,2\n3,4\n5,6\n7,8\n'
const blockBytes = 8

interface Options {
  /** Inode of the file when it is looked up again. */
  readonly inode?: number | (() => number)
  /** Its block ids then. */
  readonly ids?: readonly number[]
  /** The first read of each block fails at all its locations, and asks for new ones. */
  readonly moved?: boolean
  readonly from?: { readonly node: string; readonly host: string; readonly rack: string }
}

function kitOf({ inode = 7, ids = [0, 1, 2], moved = false, from = { node: 'n', host: 'h', rack: 'r' } }: Options = {}): {
  kit: ExecutorSession
  asked: string[]
} {
  const asked: string[] = []
  const locate = async (path: string, { offset = 0 }: { offset?: number } = {}) => {
    asked.push(`locate ${path} ${offset}`)
    return {
      status: { id: inodeId(typeof inode === 'number' ? inode : inode()), length: text.length },
      blocks: ids.map(id => ({ id: blockId(id), offset: id * blockBytes })),
      offset,
    }
  }
  const files = {
    locate,
    async *readBlock(
      { id }: { id: number },
      {
        start, end, onRead, relocate,
      }: { start: number; end: number; onRead: (bytes: number, place: unknown) => void; relocate: () => Promise<unknown> },
    ) {
      if (moved) await relocate()
      asked.push(`block ${id} ${start}-${end}`)
      const piece = Buffer.from(text.slice(id * blockBytes + start, id * blockBytes + end))
      onRead(piece.length, from)
      yield piece
    },
    async *read(
      _located: unknown,
      { start = 0, end, onRead }: { start?: number; end: number; onRead?: (bytes: number, place: unknown) => void },
    ) {
      asked.push(`read ${start}-${end}`)
      const piece = Buffer.from(text.slice(start, end))
      onRead?.(piece.length, from)
      yield piece
    },
  }
  return { kit: { files, setup: { node: 'n', host: 'h', rack: 'r' } } as unknown as ExecutorSession, asked }
}

const rangeOf = (start: number, end: number, blocks: readonly number[]): SplitRange => ({
  path: '/f', inode: inodeId(7), fileBytes: text.length, start, end, aligned: false,
  blocks: blocks.map(id => ({
    id: blockId(id), offset: id * blockBytes,
    length: Math.min(blockBytes, text.length - id * blockBytes),
    crc: 1,
  })),
})

const sourceOf = (options: Options, ranges: SplitRange[], more: object = { format: 'lines' }) => {
  const { kit, asked } = kitOf(options)
  const places = ranges.flatMap(({ blocks }) => blocks.map(({ id }) => ({ block: id, nodes: [], token: '' })))
  return { source: new SplitSource(kit, { kind: 'split', split: { bytes: 0, ranges }, options: more as never, places }), asked }
}

/** Reads the first range to the end of the file. */
async function readAll(source: SplitSource, from: number): Promise<string> {
  const pieces: Buffer[] = []
  for await (const range of source.ranges()) for await (const piece of range.open(from)) pieces.push(Buffer.from(piece))
  return Buffer.concat(pieces).toString()
}

const replaced = { code: 'ENOENT', message: expect.stringContaining('/f is another file now than when the job was submitted') }

test('the blocks that came with the task are read, and for bytes beyond them the namenode is asked', async () => {
  const { source, asked } = sourceOf({}, [rangeOf(8, 16, [1])])
  expect(await readAll(source, 9)).toBe(text.slice(9))
  expect(asked).toEqual(['locate /f 8', 'block 1 1-8', 'locate /f 16', `read 16-${text.length}`])
})

test("a file that was replaced while a task reads it is not read on, neither beyond the task's blocks nor for places of a block or a header", async () => {
  let looks = 0
  const beyond = sourceOf({ inode: () => (++looks === 1 ? 7 : 8) }, [rangeOf(8, 16, [1])])
  await expect(readAll(beyond.source, 8)).rejects.toMatchObject(replaced)
  expect(beyond.asked.filter(each => each.startsWith('read'))).toEqual([])
  await expect(readAll(sourceOf({ inode: 8, moved: true }, [rangeOf(8, 16, [1])]).source, 8)).rejects.toMatchObject(replaced)
  await expect(readAll(sourceOf({ ids: [0, 5], moved: true }, [rangeOf(8, 16, [1])]).source, 8)).rejects.toMatchObject(replaced)
  await expect(readAll(sourceOf({ inode: 8 }, [rangeOf(8, 16, [1])], { format: 'csv' }).source, 8)).rejects.toMatchObject(replaced)
  expect(await readAll(sourceOf({ moved: true }, [rangeOf(8, 16, [1])]).source, 8)).toBe(text.slice(8))
})

test('a file that was replaced or removed is refused before its first record if the namenode is asked for it later', async () => {
  const changed = sourceOf({ inode: 8 }, [rangeOf(8, 16, [1])])
  await expect(readAll(changed.source, 8)).rejects.toMatchObject(replaced)
  expect(changed.asked).toEqual(['locate /f 8'])
  const removed = sourceOf({ inode: () => { throw new GristmillError('ENOENT', 'there is no /f') } }, [rangeOf(8, 16, [1])])
  const error: unknown = await readAll(removed.source, 8).catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ code: 'ENOENT', message: '/f was removed or moved after the job was submitted; submit the job again' })
  expect(removed.asked).toEqual(['locate /f 8'])
  // The namenode ends the job for this code, without further attempts.
  expect(toFailure(error, undefined)).toMatchObject({ cause: 'system', failure: { code: 'ENOENT' } })
  expect(toFailure(new GristmillError('ENOENT', 'there is no /out'), undefined).failure.code).toBe('TASK_FAILED')
})

test('a range of CSV gets the header of its file once, unless it begins there or there is none', async () => {
  const headers = async (ranges: SplitRange[], options: object) => {
    const { source, asked } = sourceOf({}, ranges, { format: 'csv', ...options })
    const found: unknown[] = []
    for await (const range of source.ranges()) found.push(range.header)
    return [found, asked.filter(each => each === 'locate /f 0').length]
  }
  const ranges = [rangeOf(0, 8, [0]), rangeOf(8, 16, [1]), rangeOf(16, 20, [2])]
  expect(await headers(ranges, {})).toEqual([[undefined, ['a', 'b'], ['a', 'b']], 1])
  expect(await headers(ranges, { header: false })).toEqual([[undefined, undefined, undefined], 0])
})

test('bytes are counted by where they came from', async () => {
  for (const [from, read] of [
    [
      { node: 'n', host: 'x', rack: 'x' }, { local: 12, rack: 0, remote: 0 },
    ],
    [
      { node: 'x', host: 'h', rack: 'x' }, { local: 12, rack: 0, remote: 0 },
    ],
    [
      { node: 'x', host: 'x', rack: 'r' }, { local: 0, rack: 12, remote: 0 },
    ],
    [
      { node: 'x', host: 'x', rack: 'x' }, { local: 0, rack: 0, remote: 12 },
    ],
  ] as const) {
    const { source } = sourceOf({ from }, [rangeOf(8, 16, [1])])
    await readAll(source, 8)
    expect(source.read).toEqual({ ...read, inlined: 0, outside: 0 })
  }
})

/** A source over references to files outside of the cluster. */
function outsideOf(content: string, pieceBytes: number, failure?: GristmillError) {
  const asked: string[] = []
  const outside = { bytes: content.length, shown: 'http://h/f' }
  const files = {
    locate: async (path: string) => {
      asked.push(`locate ${path}`)
      return { status: { id: inodeId(7), length: content.length }, blocks: [], outside }
    },
    async *read(_located: unknown, { start, end }: { start: number; end: number }) {
      if (failure) throw failure
      for (let at = start; at < end; at += pieceBytes) yield Buffer.from(content.slice(at, Math.min(end, at + pieceBytes)))
    },
  }
  const path = '/.outside/x/ref/f'
  const range = (start: number, end: number): SplitRange =>
    ({ path, inode: inodeId(7), fileBytes: content.length, start, end, aligned: false, blocks: [] })
  const source = (ranges: SplitRange[]) => new SplitSource(
    { files, setup: { node: 'n', host: 'h', rack: 'r' } } as unknown as ExecutorSession,
    { kind: 'split', split: { bytes: 0, ranges }, options: { format: 'lines' }, places: [] },
  )
  return { source, range, asked }
}

test('ranges of a file outside of the cluster give each line once, wherever they and the pieces that come end', async () => {
  for (const content of ['a\nbb\n\ncccccc\nd\n', 'a\nbb\n\ncccccc\nd', '\n', 'abcdefgh', '\n\n\n']) {
    for (let size = 1; size <= content.length; size++) {
      for (const pieceBytes of [1, 2, 3, 100]) {
        const { source, range } = outsideOf(content, pieceBytes)
        let all = ''
        for (let start = 0; start < content.length; start += size) {
          const part = range(start, Math.min(content.length, start + size))
          const own = Buffer.concat((await Array.fromAsync(source([part]).linesOf(part), piece => Buffer.from(piece)))).toString()
          expect(own === '' || own.endsWith('\n') || all.length + own.length === content.length).toBe(true)
          all += own
        }
        expect([size, pieceBytes, all]).toEqual([size, pieceBytes, content])
      }
    }
  }
})

test('bytes of a file outside of the cluster are counted apart, and one that was replaced ends the job in words', async () => {
  const { source, range, asked } = outsideOf(text, 5)
  const read = source([range(0, text.length)])
  expect(await readAll(read, 0)).toBe(text)
  expect(read.read).toEqual({ local: 0, rack: 0, remote: 0, inlined: 0, outside: text.length })
  expect(asked).toEqual(['locate /.outside/x/ref/f'])
  for (const [code, words] of [['ESTALE', 'replaced'], ['ENOENT', 'removed']] as const) {
    const changed = outsideOf(text, 5, new GristmillError(code, 'what the connector says'))
    const error: unknown = await readAll(changed.source([changed.range(0, 8)]), 0).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'ENOENT', message: `http://h/f was ${words} while it was read; submit the job again` })
    expect(toFailure(error, undefined)).toMatchObject({ cause: 'system', failure: { code: 'ENOENT' } })
  }
})

test('small files outside of the cluster are read some at a time, ahead of their turn, with a bound on files and bytes', async () => {
  const sizes = [10, 20, 900_000, 900_000, 900_000, 900_000, 900_000, 30, ...Array.from({ length: 20 }, () => 40), 3 << 20, 50]
  const pathOf = (i: number): string => `/.outside/x/ref/${i}`
  const ranges = sizes.map((fileBytes, i): SplitRange =>
    ({ path: pathOf(i), inode: inodeId(i + 1), fileBytes, start: 0, end: fileBytes, aligned: false, blocks: [] }))
  const open = new Map<number, () => void>()
  let filesMax = 0
  let bytesMax = 0
  const fails = new Set([12, 27])
  const files = {
    locate: async (path: string) => {
      const i = Number(path.split('/').at(-1))
      return { status: { id: inodeId(i + 1), length: sizes[i] }, blocks: [], outside: { bytes: sizes[i], shown: `http://h/${i}` }, i }
    },
    async *read({ i }: { i: number }, { start, end }: { start: number; end: number }) {
      await new Promise<void>(resolve => {
        open.set(i, resolve)
        filesMax = Math.max(filesMax, open.size)
        bytesMax = Math.max(bytesMax, [...open.keys()].reduce((sum, each) => sum + Math.min(sizes[each]!, 1 << 20), 0))
      })
      open.delete(i)
      if (fails.has(i)) throw new GristmillError('UNAVAILABLE', `${i} is away`)
      yield Buffer.alloc(end - start, i)
    },
  }
  const source = new SplitSource(
    { files, setup: { node: 'n', host: 'h', rack: 'r' } } as unknown as ExecutorSession,
    { kind: 'split', split: { bytes: 0, ranges }, options: { format: 'lines' }, places: [] },
  )
  // The server answers the last question first.
  const serving = setInterval(() => { [...open.values()].at(-1)?.() }, 0)
  try {
    for (const [i, range] of ranges.entries()) {
      const bytes = Array.fromAsync(source.bytesOf(range), piece => Buffer.from(piece)).then(pieces => Buffer.concat(pieces))
      // An error is thrown in its turn.
      if (fails.has(i)) await expect(bytes).rejects.toThrow(`${i} is away`)
      else expect((await bytes).equals(Buffer.alloc(sizes[i]!, i))).toBe(true)
    }
    expect(source.read.outside).toBe(sizes.reduce((sum, size, i) => sum + (fails.has(i) ? 0 : size), 0))
    expect([filesMax, bytesMax <= 5 << 20]).toEqual([8, true])
  } finally {
    clearInterval(serving)
  }
  // Its parts in any order, without another question.
  const again = source.partOf(ranges.at(-1)!, 10, 20)
  expect(Buffer.concat(await Array.fromAsync(again))).toEqual(Buffer.alloc(10, sizes.length - 1))
  await source.close()
})
