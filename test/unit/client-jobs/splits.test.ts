import { expect, test } from 'vitest'
import { splitInputs } from '../../../client/jobs/splits.ts'
import type { Split } from '../../../src/protocol/task.ts'
import { namespaceOf, type FileShape } from './kit.ts'

/** A split as text: `path[start,end)`, with `~` if it is not aligned, and the numbers of its blocks. */
const show = (split: Split) => split.ranges.map(({ path, start, end, aligned, blocks }) => `${path}[${start},${end})${aligned ? '' : '~'} ${blocks.map(block => block.id).join(',')}`)
const splits = async (files: Record<string, FileShape>, format: Parameters<typeof splitInputs>[2] = 'lines', paths = ['/']) =>
  (await splitInputs(namespaceOf(files).ask, paths, format)).map(show)

const three = [[4000, 'a'], [4000, 'b'], [4000, 'c']] as const

test('aligned blocks are a split each and need no other block', async () => {
  expect(await splits({ '/f': { blocks: three, aligned: true, format: 'lines' } })).toEqual([['/f[0,4000) 1'], ['/f[4000,8000) 2'], ['/f[8000,12000) 3']])
})

test('blocks of lines that are cut anywhere are a split each, with their neighbours at hand', async () => {
  expect(await splits({ '/f': { blocks: three } })).toEqual([['/f[0,4000)~ 1,2'], ['/f[4000,8000)~ 1,2,3'], ['/f[8000,12000)~ 2,3']])
})

test('CSV is split only where its writer kept rows whole; a file of lines does not count', async () => {
  expect(await splits({ '/f': { blocks: three, aligned: true, format: 'csv' } }, 'csv')).toHaveLength(3)
  expect(await splits({ '/f': { blocks: three, aligned: true, format: 'lines' } }, 'csv')).toEqual([['/f[0,12000) 1,2,3']])
  expect(await splits({ '/f': { blocks: three, format: 'csv' } }, 'csv')).toEqual([['/f[0,12000) 1,2,3']])
  // Rows end at the end of a line: read as lines, a CSV file is aligned.
  expect(await splits({ '/f': { blocks: three, aligned: true, format: 'csv' } }, 'lines')).toEqual([['/f[0,4000) 1'], ['/f[4000,8000) 2'], ['/f[8000,12000) 3']])
})

test('a file that is one record is one range, even if it is empty; empty files have no other records', async () => {
  const files = { '/e': {}, '/f': { blocks: three } }
  expect(await splits(files, 'whole')).toEqual([['/e[0,0) '], ['/f[0,12000) 1,2,3']])
  expect(await splits({ '/e': {} }, 'lines')).toEqual([])
})

test('one block is aligned whatever its writer said: both its ends are the ends of the file', async () => {
  expect(await splits({ '/f': { blocks: [[4000, 'a']] } }, 'csv')).toEqual([['/f[0,4000) 1']])
})

test('small files are packed into splits of a block, each split on one node', async () => {
  const files = Object.fromEntries(Array.from({ length: 12 }, (_, n) => [`/s/${String(n).padStart(2, '0')}`, { blocks: [[1000, n % 2 ? 'a' : 'b']] as const }]))
  const packed = await splitInputs(namespaceOf(files).ask, ['/s'], 'lines')
  expect(packed.map(split => split.bytes)).toEqual([4000, 4000, 2000, 2000])
  for (const { ranges } of packed) expect(new Set(ranges.map(range => Number(range.path.slice(3)) % 2)).size).toBe(1)
  expect(packed.flatMap(split => split.ranges.map(range => range.path)).sort()).toEqual(Object.keys(files))
})

test('with every file everywhere, splits get full one after the other', async () => {
  const files = Object.fromEntries(Array.from({ length: 10 }, (_, n) => [`/s/${n}`, { blocks: [[1000, 'abc']] as const }]))
  const packed = await splitInputs(namespaceOf(files).ask, ['/s'], 'lines')
  expect(packed.map(split => split.bytes)).toEqual([4000, 4000, 2000])
})

test('crumbs on many nodes are thrown together', async () => {
  const files = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`/s/${n}`, { blocks: [[10, String.fromCharCode(97 + n)]] as const }]))
  expect(await splits(files, 'lines', ['/s'])).toHaveLength(1)
})

test('the same files give the same splits in whatever order they are named', async () => {
  const files = Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`/s/${n}`, { blocks: [[100 + 37 * n, 'abcde'.slice(n % 4, n % 4 + 2)]] as const }]))
  const { ask } = namespaceOf(files)
  const one = await splitInputs(ask, Object.keys(files), 'lines')
  expect(await splitInputs(ask, Object.keys(files).reverse(), 'lines')).toEqual(one)
})

test('every byte of every file is in exactly one split', async () => {
  const files = {
    '/a': { blocks: [[4000, 'ab'], [4000, 'bc'], [17, 'c']] as const, aligned: true, format: 'lines' as const },
    '/b': { blocks: [[4096, 'a'], [4096, 'a'], [1, 'b']] as const },
    '/c': { blocks: [[3, 'a']] as const },
    '/d': {},
  }
  const all = (await splitInputs(namespaceOf(files).ask, ['/'], 'lines')).flatMap(split => split.ranges)
  for (const [path, { blocks = [] }] of Object.entries(files as Record<string, FileShape>)) {
    const ranges = all.filter(range => range.path === path).sort((a, b) => a.start - b.start)
    let at = 0
    for (const range of ranges) { expect(range.start).toBe(at); at = range.end }
    expect(at).toBe(blocks.reduce((sum, [length]) => sum + length, 0))
  }
})

test('a file that is replaced while it is being looked at is not read half from each', async () => {
  const { ask } = namespaceOf({ '/f': { blocks: three } })
  const changing: typeof ask = async (message, request, signal) => {
    const reply = await ask(message, request, signal)
    return message.name === 'namespace.locate' ? { ...reply as object, status: { ...(reply as { status: object }).status, id: 999 } } as never : reply
  }
  await expect(splitInputs(changing, ['/f'], 'lines')).rejects.toMatchObject({ code: 'EBUSY' })
})
