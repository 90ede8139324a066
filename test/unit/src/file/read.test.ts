// Reading a file of several blocks and pages of locations: order of requests, and a file that is replaced meanwhile.

import { expect, test } from 'vitest'
import { GristmillError } from '../../../../src/base/errors.ts'
import { address, blockId } from '../../../../src/base/ids.ts'
import { Locator, readFile, type LocatedFile, type ReadOptions } from '../../../../src/file/read.ts'
import { contentOf } from '../../../../src/file/small.ts'
import { noise } from '../block/kit.ts'
import { Reading, turns } from './reading.ts'

const block = noise(300_000)
const count = 5
/** Each block has the same bytes. */
const whole = Buffer.concat(Array.from({ length: count }, () => block))

interface Page { readonly inode: number; readonly from: number; readonly to: number; readonly type?: 'directory' }

class File {
  readonly reading = new Reading(block, ['a'], { id: blockId(1) })
  readonly asked: Array<{ offset: number; length: number | undefined }> = []
  inode = 1
  /** Blocks on a page. */
  pageBlocks = count
  length = whole.length

  readonly locator = new Locator({
    namenode: address('n:1'), host: 'client',
    caller: {
      call: async (_: unknown, __: unknown, { offset, length }: { offset: number; length?: number }) => {
        this.asked.push({ offset, length })
        const first = Math.floor(offset / block.length)
        return this.page({ inode: this.inode, from: first, to: Math.min(count, first + this.pageBlocks) })
      },
    } as never,
  })

  page({ inode, from, to, type }: Page): LocatedFile {
    const { nodes, token } = this.reading.places
    return {
      status: { id: inode, path: '/f', type: type ?? 'file', length: this.length } as never,
      blocks: Array.from(
        { length: to - from },
        (_, i) =>
          ({
            id: blockId(inode * 100 + from + i), offset: (from + i) * block.length, length: block.length, crc: 0, nodes, token,
            aligned: true,
          }) as never,
      ),
      ...(to < count && { next: to * block.length }),
    }
  }

  read(options: ReadOptions = {}, file: string | LocatedFile = '/f'): AsyncGenerator<Buffer, void, void> {
    return readFile(this.reading.tools, this.locator, file, options)
  }
}

async function collect(pieces: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = []
  for await (const piece of pieces) all.push(Buffer.from(piece))
  return Buffer.concat(all)
}

test('any range of a file comes whole, from blocks on one page of places or on several', async () => {
  const n = block.length
  for (const pageBlocks of [count, 2, 1]) {
    for (const [start, end] of [
      [0, whole.length], [0, n], [n - 1, n + 1], [n, 2 * n], [10, whole.length - 10], [2 * n + 5, 2 * n + 6],
      [whole.length - 1, whole.length], [4 * n, whole.length + 99], [whole.length, whole.length + 5], [7, 7],
    ] as const) {
      const file = new File()
      file.pageBlocks = pageBlocks
      const got = await collect(file.read({ start, end }))
      expect(got.equals(whole.subarray(start, end)), `${start} to ${end}, ${pageBlocks} on a page`).toBe(true)
      expect(file.asked[0]).toEqual({ offset: start, length: end - start })
      // Only blocks of the range are requested.
      const blocks = got.length === 0 ? 0 : Math.ceil((start + got.length) / n) - Math.floor(start / n)
      expect(file.reading.asked).toHaveLength(blocks)
      expect(file.reading.given).toHaveLength(blocks)
    }
  }
  const file = new File()
  file.pageBlocks = 2
  expect((await collect(file.read())).equals(whole)).toBe(true)
  expect(file.asked).toEqual([
    { offset: 0, length: undefined }, { offset: 600_000, length: 900_000 }, { offset: 1_200_000, length: 300_000 },
  ])
})

test('the next block is asked for when the first bytes of this one come, and only that one; who stops early leaves no wire', async () => {
  const file = new File()
  const pieces = file.read()
  await pieces.next()
  await turns()
  expect(file.reading.asked).toHaveLength(2)
  await pieces.return()
  await turns()
  expect([file.reading.asked.length, file.reading.destroyed.length, file.reading.given.length]).toEqual([2, 2, 0])
  // A block that is the last of the range has no next one.
  const one = new File()
  const range = one.read({ end: block.length })
  await range.next()
  await turns()
  expect(one.reading.asked).toHaveLength(1)
  await range.return()
})

test('a range that makes no sense, or a directory, is refused; so is a page that leaves a block out', async () => {
  const file = new File()
  await expect(collect(file.read({ start: -1 }))).rejects.toMatchObject({ code: 'EINVAL' })
  await expect(collect(file.read({ start: 5, end: 4 }))).rejects.toMatchObject({ code: 'EINVAL' })
  await expect(collect(file.read({}, file.page({ inode: 1, from: 0, to: 0, type: 'directory' })))).rejects.toMatchObject({
    code: 'EISDIR', details: { path: '/f' },
  })
  expect(file.asked).toEqual([])
  file.length += 1
  await expect(collect(file.read())).rejects.toMatchObject({
    code: 'INTERNAL',
    message: expect.stringContaining(`no block that holds byte ${whole.length}`) as string,
  })
})

test('a file that is another one on a later page, or whose block is gone from it, is ESTALE', async () => {
  const file = new File()
  file.pageBlocks = 2
  const pieces = file.read()
  await pieces.next()
  file.inode = 2
  await expect(collect(pieces)).rejects.toMatchObject({ code: 'ESTALE', details: { path: '/f' } })
  // A block whose only replica fails is looked up again: it was deleted with its file, or another block has its place.
  let gone = file
  for (const become of [
    () => {
      gone.inode = 2
    },
    () => {
      gone.locator.locate = async () => ({ ...gone.page({ inode: 1, from: 0, to: 1 }), blocks: [] })
    },
  ]) {
    gone = new File()
    gone.reading.act('a', { frames: 0, instead: 'closes' })
    const failing = collect(gone.read({}, gone.page({ inode: 1, from: 0, to: count })))
    failing.catch(() => {})
    await turns()
    become()
    gone.reading.clock.pass(100)
    await expect(failing).rejects.toMatchObject({ code: 'ESTALE' })
  }
})

test('a file that is replaced before its first byte came is read as it is now, ten times at the most, and not when its places were given', async () => {
  const stale = new GristmillError('ESTALE', 'replaced')
  const attempt = (failures: number, given: boolean) => {
    const file = new File()
    let asked = 0
    file.locator.locate = async () => {
      if (++asked <= failures) throw stale
      return file.page({ inode: 1, from: 0, to: count })
    }
    return collect(file.read({}, given ? { ...file.page({ inode: 1, from: 0, to: 0 }), next: 0 } : '/f')).then(
      got => [got.length, asked], (error: unknown) => [error, asked],
    )
  }
  expect(await attempt(9, false)).toEqual([whole.length, 10])
  expect(await attempt(10, false)).toEqual([stale, 10])
  expect(await attempt(1, true)).toEqual([stale, 1])
  // Locations requested in advance serve the first try only.
  const file = new File()
  file.inode = 2
  file.reading.act('a', { opens: new GristmillError('EACCES', 'no') }, {})
  const got = collect(file.read({ located: file.page({ inode: 1, from: 0, to: count }) }))
  await turns()
  file.reading.clock.pass(100)
  expect((await got).equals(whole)).toBe(true)
  // Once for the failed block, once for the new file.
  expect(file.asked).toEqual([
    { offset: 0, length: 1 }, { offset: 0, length: undefined },
  ])
})

test('a small file comes whole or in part; damaged bytes are asked for once more, and those of another file are not given', async () => {
  const rye = Buffer.from('rye and oats')
  const damaged = { ...contentOf(rye), crc: 1 }
  const answer = (content: object | undefined, id = 1): LocatedFile => ({
    status: { id, path: '/s', type: 'file', length: rye.length, inlined: true } as never, blocks: [], content: content as never,
  })
  const { reading } = new File()
  const read = async (answers: readonly LocatedFile[], options: ReadOptions = {}, file: string | LocatedFile = '/s') => {
    const left = [...answers]
    const caller = { call: async () => left.shift() } as never
    const locator = new Locator({ namenode: address('n:1'), host: 'client', caller })
    const text = await collect(readFile(reading.tools, locator, file, options)).then(String, ({ code }: GristmillError) => code)
    return [text, left.length]
  }
  const whole = answer(contentOf(rye))
  expect(await read([whole, whole])).toEqual(['rye and oats', 1])
  expect(await read([whole], { start: 4, end: 7 })).toEqual(['and', 0])
  expect(await read([whole], { start: 12 })).toEqual(['', 0])
  expect(await read([answer(damaged), whole])).toEqual(['rye and oats', 0])
  expect(await read([answer(undefined), whole])).toEqual(['rye and oats', 0])
  expect(await read([answer(damaged), answer(damaged)])).toEqual(['CORRUPT', 0])
  // The path leads to another file, or to one in blocks: a caller that named the path gets that one, and one that named the file ESTALE.
  expect(await read([answer(damaged), answer(contentOf(rye), 2), answer(contentOf(Buffer.from('next is oats')), 2)]))
    .toEqual(['next is oats', 0])
  expect(await read([answer(contentOf(rye), 2)], {}, answer(damaged))).toEqual(['ESTALE', 0])
  expect(await read([answer(undefined)], {}, answer(damaged))).toEqual(['ESTALE', 0])
})
