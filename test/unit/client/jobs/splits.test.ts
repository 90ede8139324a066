// Division of input files into splits, on an in-memory namespace: every byte is in exactly one split, cuts are only where records allow
// them, and small files share splits by node.

import type { InputOptions } from '../../../../src/base/formats.ts'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { pack } from '../../../../client/jobs/pack.ts'
import { splitInputs } from '../../../../client/jobs/splits.ts'
import { inodeId, nodeId } from '../../../../src/base/ids.ts'
import type { Split } from '../../../../src/protocol/task.ts'
import { namespaceOf, type FileShape } from './kit.ts'

/** A split as text: `path[start,end)`, with `~` if it is not aligned, and the numbers of its blocks. */
const show = (split: Split) =>
  split.ranges.map(
    ({ path, start, end, aligned, blocks }) => `${path}[${start},${end})${aligned ? '' : '~'} ${blocks.map(block => block.id).join(',')}`,
  )
/** Content of the files: comma-separated rows by default. */
const rows = Buffer.from('a,b\n1,2\n3,4\n')
const options = (format: InputOptions['format'], more: Partial<InputOptions> = {}, heads: Record<string, Buffer> = {}) =>
  ({ input: { format, ...more }, head: async ({ path }: { path: string }, bytes: number) => (heads[path] ?? rows).subarray(0, bytes) })
const splits = async (files: Record<string, FileShape>, format: InputOptions['format'] = 'lines', paths = ['/']) =>
  (await splitInputs(namespaceOf(files).ask, paths, options(format))).map(show)

const three = [[4000, 'a'], [4000, 'b'], [4000, 'c']] as const

test('aligned blocks are a split each and need no other block', async () => {
  expect(await splits({ '/f': { blocks: three, aligned: true, format: 'lines' } })).toEqual([
    ['/f[0,4000) 1'], ['/f[4000,8000) 2'], ['/f[8000,12000) 3'],
  ])
})

test('blocks of lines that are cut anywhere are a split each, with their neighbours at hand', async () => {
  expect(await splits({ '/f': { blocks: three } })).toEqual([['/f[0,4000)~ 1,2'], ['/f[4000,8000)~ 1,2,3'], ['/f[8000,12000)~ 2,3']])
})

test('CSV is split only where its writer kept rows whole; a file of lines does not count', async () => {
  expect(await splits({ '/f': { blocks: three, aligned: true, format: 'csv' } }, 'csv')).toHaveLength(3)
  expect(await splits({ '/f': { blocks: three, aligned: true, format: 'lines' } }, 'csv')).toEqual([['/f[0,12000) 1,2,3']])
  expect(await splits({ '/f': { blocks: three, format: 'csv' } }, 'csv')).toEqual([['/f[0,12000) 1,2,3']])
  // Rows end at the end of a line: read as lines, a CSV file is aligned.
  expect(await splits({ '/f': { blocks: three, aligned: true, format: 'csv' } }, 'lines')).toEqual([
    ['/f[0,4000) 1'], ['/f[4000,8000) 2'], ['/f[8000,12000) 3'],
  ])
})

test('a file that is one record is one range, even if it is empty; empty files have no other records', async () => {
  const files = { '/e': {}, '/f': { blocks: three } }
  expect(await splits(files, 'whole')).toEqual([['/e[0,0) '], ['/f[0,12000) 1,2,3']])
  expect(await splits({ '/e': {} }, 'lines')).toEqual([])
})

test('blocks of Avro are a split each, wherever they were cut, and their beginning is not looked at', async () => {
  expect(await splits({ '/f.avro': { blocks: three } }, 'avro')).toEqual([
    ['/f.avro[0,4000)~ 1,2'], ['/f.avro[4000,8000)~ 1,2,3'], ['/f.avro[8000,12000)~ 2,3'],
  ])
  expect(await splits({ '/f.avro': { blocks: [[4000, 'a']] } }, 'avro')).toEqual([['/f.avro[0,4000) 1']])
  const none = () => { throw new Error('it was looked at') }
  const { ask } = namespaceOf({ '/f.avro': { blocks: three } })
  expect(await splitInputs(ask, ['/'], { input: { format: 'avro' }, head: none })).toHaveLength(3)
})

describe('an input of few large blocks', () => {
  const MiB = 2 ** 20
  const large = (count: number, bytes = 128 * MiB): FileShape => ({
    blocks: Array.from({ length: count }, () => [bytes, 'ab'] as const), blockBytes: 128 * MiB,
  })
  const spans = async (shape: FileShape, format: InputOptions['format'] = 'lines', more: Partial<InputOptions> = {}, head = rows) =>
    (await splitInputs(namespaceOf({ '/f': shape }).ask, ['/'], options(format, more, { '/f': head })))
      .map(({ ranges }) =>
        ranges.map(({ start, end, aligned, blocks }) => ({ start, end, aligned, blocks: blocks.map(block => block.id) })))
  const bytesOf = (ranges: Array<{ start: number; end: number }>) => (ranges[0]!.end - ranges[0]!.start) / MiB

  test('of lines or JSON lines is divided within its blocks', async () => {
    for (const format of ['lines', 'jsonl'] as const) {
      for (const aligned of [true, false]) {
        const one = await spans({ ...large(1, 64 * MiB), aligned, ...aligned && { format } }, format)
        expect(one).toEqual(Array.from({ length: 8 }, (_, i) =>
          [{ start: i * 8 * MiB, end: (i + 1) * 8 * MiB, aligned: false, blocks: [1] }]))
        const four = await spans({ ...large(4), aligned, ...aligned && { format } }, format)
        expect(four.map(bytesOf)).toEqual(Array.from({ length: 16 }, () => 32))
        // Of a piece in the middle of a block the next block may be needed, for its last record, and the one before for its first.
        expect(four[5]![0]!.blocks).toEqual([1, 2, 3])
      }
    }
  })

  test('is not where each file is a partition, which mapPartitions sees: each is a split, also if it has several blocks', async () => {
    const small = { ...large(1, 100), aligned: true, format: 'lines' as const }
    const files = { '/c/0': large(1, 64 * MiB), '/c/1': large(3), '/c/2': small, '/c/3': {} }
    const found = await splitInputs(namespaceOf(files).ask, Object.keys(files), { ...options('lines', {}, { '/c': rows }), isApart: true })
    expect(found.map(({ ranges }) => ranges.map(({ path, start, end }) => [path, start, end / MiB])))
      .toEqual([[['/c/0', 0, 64]], [['/c/1', 0, 384]], [['/c/2', 0, 100 / MiB]]])
  })

  test('is not where there are enough of them, or where they are small', async () => {
    expect((await spans(large(16))).map(bytesOf)).toEqual(Array.from({ length: 16 }, () => 128))
    expect((await spans({ ...large(20), aligned: true, format: 'lines' })).every(([range]) => range!.aligned)).toBe(true)
    expect(await spans(large(1, 11 * MiB))).toHaveLength(1)
    expect(await spans(large(1, 12 * MiB))).toHaveLength(2)
  })

  test('is not where a record can be found only from the beginning of a block or a file', async () => {
    expect(await spans({ ...large(2), aligned: true, format: 'csv' }, 'csv')).toHaveLength(2)
    expect(await spans(large(1), 'csv')).toHaveLength(1)
    expect(await spans(large(1), 'whole')).toHaveLength(1)
    expect(await spans(large(1), 'lines', {}, gzipSync(rows))).toHaveLength(1)
    expect(await spans(large(1), 'lines', {}, zstdCompressSync(rows))).toHaveLength(1)
    expect(await spans(large(1), 'lines', { encoding: 'utf16le' }, Buffer.from('\ufeffa\n', 'utf16le'))).toHaveLength(1)
  })

  test('leaves files of a few bytes together, however many there are', async () => {
    const small: FileShape = { blocks: [[4000, 'ab']], blockBytes: 128 * MiB }
    const files = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`/s/${i}`, small]))
    expect(await splits({ ...files, '/large': large(1) }, 'lines', ['/s', '/large'])).toHaveLength(16 + 1)
  })
})

test('a single block is aligned whatever its writer claimed: both its ends are the ends of the file', async () => {
  expect(await splits({ '/f': { blocks: [[4000, 'a']] } }, 'csv')).toEqual([['/f[0,4000) 1']])
})

test('small files are packed into splits of a block, each split on one node', async () => {
  const files = Object.fromEntries(
    Array.from({ length: 12 }, (_, n) => [`/s/${String(n).padStart(2, '0')}`, { blocks: [[1000, n % 2 ? 'a' : 'b']] as const }]),
  )
  const packed = await splitInputs(namespaceOf(files).ask, ['/s'], options('lines'))
  expect(packed.map(split => split.bytes)).toEqual([4000, 4000, 2000, 2000])
  for (const { ranges } of packed) expect(new Set(ranges.map(range => Number(range.path.slice(3)) % 2)).size).toBe(1)
  expect(packed.flatMap(split => split.ranges.map(range => range.path)).sort()).toEqual(Object.keys(files))
})

test('with every file everywhere, splits get full one after the other', async () => {
  const files = Object.fromEntries(Array.from({ length: 10 }, (_, n) => [`/s/${n}`, { blocks: [[1000, 'abc']] as const }]))
  const packed = await splitInputs(namespaceOf(files).ask, ['/s'], options('lines'))
  expect(packed.map(split => split.bytes)).toEqual([4000, 4000, 2000])
})

test('tiny files on many nodes share splits', async () => {
  const files = Object.fromEntries(
    Array.from({ length: 20 }, (_, n) => [`/s/${n}`, { blocks: [[10, String.fromCharCode(97 + n)]] as const }]),
  )
  expect(await splits(files, 'lines', ['/s'])).toHaveLength(1)
})

test('ten thousand tiny files are a few tasks, and each is read once', () => {
  const paths = Array.from({ length: 10_000 }, (_, n) => `/s/${String(n).padStart(4, '0')}`)
  const packed = pack(paths.map((path, n) => ({
    range: { path, inode: inodeId(n + 1), fileBytes: 1, start: 0, end: 1, aligned: true, blocks: [] }, nodes: [nodeId('abc'[n % 3]!)],
  })), 4000)
  expect(packed.length).toBeLessThan(20)
  expect(packed.flatMap(split => split.ranges.map(range => range.path)).sort()).toEqual(paths)
})

test('the same files give the same splits in whatever order they are named', async () => {
  const files = Object.fromEntries(
    Array.from({ length: 30 }, (_, n) => [`/s/${n}`, { blocks: [[100 + 37 * n, 'abcde'.slice(n % 4, (n % 4) + 2)]] as const }]),
  )
  const { ask } = namespaceOf(files)
  const one = await splitInputs(ask, Object.keys(files), options('lines'))
  expect(await splitInputs(ask, Object.keys(files).reverse(), options('lines'))).toEqual(one)
})

test('every byte of every file is in exactly one split', async () => {
  const files = {
    '/a': { blocks: [[4000, 'ab'], [4000, 'bc'], [17, 'c']] as const, aligned: true, format: 'lines' as const },
    '/b': { blocks: [[4096, 'a'], [4096, 'a'], [1, 'b']] as const },
    '/c': { blocks: [[3, 'a']] as const },
    '/d': {},
  }
  const all = (await splitInputs(namespaceOf(files).ask, ['/'], options('lines'))).flatMap(split => split.ranges)
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
    return message.name === 'namespace.locate'
      ? ({ ...(reply as object), status: { ...(reply as { status: object }).status, id: 999 } } as never)
      : reply
  }
  await expect(splitInputs(changing, ['/f'], options('lines'))).rejects.toMatchObject({ code: 'EBUSY' })
})

describe('format detection from the beginning of a file', () => {
  const rest = 'x'.repeat(100)
  const heads = {
    gzip: gzipSync(rest), zstd: zstdCompressSync(Buffer.from(rest)), semicolons: Buffer.from('a;b\n1;2\n3;4\n'), commas: rows,
    returns: Buffer.from('a,b\r1,2\r3,4\r'), wide: Buffer.from('\ufeffa,b\n1,2\n', 'utf16le'),
    bzip2: Buffer.from('425a6839314159265359', 'hex'), words: Buffer.from('word\nother\n'),
  }
  const cut = async (
    head: Buffer, input: InputOptions,
    file: FileShape = { blocks: three, aligned: true, format: input.format === 'csv' ? 'csv' : 'lines' },
  ) => {
    const { format, ...more } = input
    const found = await splitInputs(namespaceOf({ '/f': file }).ask, ['/f'], options(format, more, { '/f': head }))
    return found
      .flatMap(split => split.ranges)
      .map(({ start, end, aligned, delimiter }) => `[${start},${end})${aligned ? '' : '~'}${delimiter ?? ''}`)
  }
  const all = ['[0,12000)']
  const each = (delimiter = '') => [`[0,4000)${delimiter}`, `[4000,8000)${delimiter}`, `[8000,12000)${delimiter}`]

  test.each(['lines', 'jsonl', 'csv'] as const)('compressed files are one split, whatever their blocks claim: %s', async format => {
    expect(await cut(heads.gzip, { format })).toEqual(all)
    expect(await cut(heads.zstd, { format })).toEqual(all)
    expect(await cut(heads.gzip, { format }, { blocks: three })).toEqual(all)
  })

  test('UTF-16 is one split if the program says so, and refused before the job begins if not', async () => {
    expect(await cut(heads.wide, { format: 'lines', encoding: 'utf16le' })).toEqual(all)
    expect(await cut(heads.words, { format: 'lines', encoding: 'utf16be' })).toEqual(all)
    await expect(cut(heads.wide, { format: 'lines' })).rejects.toMatchObject({
      code: 'EINVAL',
      message: expect.stringMatching(/^\/f is UTF-16.*encoding: "utf16le"/) as string,
    })
    expect(await cut(Buffer.from('caf\u00e9\n', 'latin1'), { format: 'lines', encoding: 'latin1' })).toEqual(each())
  })

  test('CSV is split at its blocks only if they were cut by what separates its fields; each range says by what', async () => {
    const claimed = { blocks: three, aligned: true, format: 'csv', delimiter: ';' } as const
    expect(await cut(heads.commas, { format: 'csv' })).toEqual(each(','))
    expect(await cut(heads.semicolons, { format: 'csv' })).toEqual(all)
    expect(await cut(heads.semicolons, { format: 'csv' }, claimed)).toEqual(each(';'))
    expect(await cut(heads.semicolons, { format: 'csv', delimiter: ';' })).toEqual(all)
    expect(await cut(heads.semicolons, { format: 'csv', delimiter: ';' }, claimed)).toEqual(each())
    expect(await cut(heads.semicolons, { format: 'csv', delimiter: '|' }, claimed)).toEqual(all)
    expect(await cut(heads.commas, { format: 'csv', delimiter: ',' })).toEqual(each())
    expect(await cut(heads.returns, { format: 'csv' })).toEqual(all)
    expect(await cut(heads.words, { format: 'csv' })).toEqual(each(','))
    // The writer's claim decides where rows fit several delimiters.
    expect(await cut(Buffer.from('1,5;2,5\n3,5;4,5\n'), { format: 'csv', header: false }, claimed)).toEqual(each(';'))
    expect(await cut(heads.commas, { format: 'csv' }, { blocks: [[4000, 'a']], delimiter: ';', format: 'csv' })).toEqual(['[0,4000);'])
  })

  test('CSV that was written without names is read as arrays, or with its first row for names, as the program says, and never unsaid', async () => {
    const unnamed = { blocks: three, aligned: true, format: 'csv', delimiter: ',', header: false } as const
    await expect(cut(heads.commas, { format: 'csv' }, unnamed)).rejects.toMatchObject({
      code: 'EINVAL', message: expect.stringMatching(/^\/f was written without a row of names.*set header: false/), details: { path: '/f' },
    })
    await expect(cut(heads.commas, { format: 'csv' }, { ...unnamed, blocks: [[9, 'a']] })).rejects.toMatchObject({ code: 'EINVAL' })
    expect(await cut(heads.commas, { format: 'csv', header: false }, unnamed)).toEqual(each(','))
    expect(await cut(heads.commas, { format: 'csv', header: true }, unnamed)).toEqual(each(','))
    expect(await cut(heads.commas, { format: 'lines' }, unnamed)).toEqual(each())
    expect(await cut(heads.commas, { format: 'csv' }, { ...unnamed, header: true })).toEqual(each(','))
  })

  test('files that one task reads are looked at by that task, except those whose names promise nothing good', async () => {
    const looked: string[] = []
    const { ask } = namespaceOf({
      '/a.gz': { blocks: [[10, 'a']] }, '/b': { blocks: [[10, 'a']] }, '/c.bz2': { blocks: [[10, 'a']] }, '/d': { blocks: three },
    })
    const head = async ({ path }: { path: string }, bytes: number) => {
      looked.push(`${path} ${bytes}`)
      return path === '/c.bz2' ? heads.bzip2 : heads.words
    }
    await splitInputs(ask, ['/a.gz', '/b', '/d'], { input: { format: 'lines' }, head })
    expect(looked).toEqual(['/d 12000'])
    await expect(splitInputs(ask, ['/'], { input: { format: 'lines' }, head })).rejects.toMatchObject({
      code: 'EINVAL',
      message: expect.stringMatching(/c\.bz2 is not text but bzip2/) as string,
    })
    looked.length = 0
    expect(
      await splitInputs(ask, ['/'], { input: { format: 'whole', bytes: true }, head }).then(found => found.flatMap(split => split.ranges)),
    ).toHaveLength(4)
    expect(looked).toEqual([])
  })
})
