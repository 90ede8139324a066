// Files whose bytes are in the namenode's store: written many in one call, each with its own outcome; kept by their inode through renames,
// snapshots, trash and versions; counted; and the same after a replay.

import { expect, test } from 'vitest'
import { fsckPage } from '../../../../namenode/admin/fsck.ts'
import { contentsOf, locate } from '../../../../namenode/namespace/locate.ts'
import { remove, rename, setAttributes } from '../../../../namenode/namespace/names.ts'
import { stat, summary } from '../../../../namenode/namespace/read.ts'
import { sweep } from '../../../../namenode/namespace/sweep.ts'
import { mutation } from '../../../../namenode/journal/operation.ts'
import { idKey } from '../../../../namenode/journal/keys.ts'
import { createSnapshot, removeSnapshot } from '../../../../namenode/snapshots/mutations.ts'
import { completeInline, create } from '../../../../namenode/writing/mutations.ts'
import { anyFormatOf } from '../../../../namenode/writing/csvfacts.ts'
import { put, putAll } from '../../../../namenode/writing/put.ts'
import { GristmillError } from '../../../../src/base/errors.ts'
import { inodeId, requestId } from '../../../../src/base/ids.ts'
import { bytesOf, contentOf as sent } from '../../../../src/file/small.ts'
import type { SmallFile } from '../../../../src/protocol/writing.ts'
import { as, ask, differencesIn, limitUsage, openBench, replayed, root, sweepAll, type Bench } from '../kit.ts'

const defaults = { replication: 3, blockBytes: 1 << 20 }
const file = (path: string, text: string, more: Partial<SmallFile> = {}): SmallFile => ({
  path, number: 0, content: sent(Buffer.from(text)), ...more,
})

const putFile = (bench: Bench, path: string, text: string, more: object = {}) =>
  bench.do(put, { path, content: sent(Buffer.from(text)), ...defaults, ...more })

const none = { map: {} as never, registry: { all: [] } as never, tokens: {} as never, random: {} as never, continues: () => false }
const read = (bench: Bench, path: string): string => {
  const { status, content, blocks } = locate({ view: bench.journal.view, ...none }, root, { path })
  expect(blocks).toEqual([])
  return bytesOf(content!, status).toString()
}

test('the files of a call have their own outcomes, and a repeat gets the first answers', async () => {
  const bench = await openBench()
  await putFile(bench, '/there', 'old')
  const tools = {
    inlineBytes: 10,
    submit: ({ number: _, ...each }: SmallFile, id: ReturnType<typeof requestId>) =>
      bench.do(put, { ...each, ...defaults, requestId: id, ...as('ada') }),
  }
  const damaged = file('/damaged', 'rye', { number: 3 })
  const request = {
    requestId: requestId('c:1'), files: [
      file('/a', 'rye'), file('/there', 'new', { number: 1 }), file('/no/such', 'x', { number: 2 }),
      { ...damaged, content: { ...damaged.content, crc: damaged.content.crc ^ 1 } }, file('/long', 'more than ten', { number: 4 }),
      file('/empty', '', { number: 5 }), { ...file('/text', '', { number: 6 }), content: { data: 'no base64!', crc: 0 } },
    ],
  }
  const { files: first, inlineBytes } = await putAll(request, tools)
  const outcomes = first.map(({ status, error, inBlocks }) => status?.length ?? error?.code ?? inBlocks)
  expect([outcomes, inlineBytes]).toEqual([[3, 'EEXIST', 'ENOENT', 'CORRUPT', true, 0, 'EINVAL'], 10])
  expect(first[0]!.status).toMatchObject({ owner: 'ada', inlined: true, blocks: 0, replication: 3 })
  expect(first[5]!.status).not.toHaveProperty('inlined')
  const { appliedSeq } = bench.journal.view.counters
  const repeat = await putAll(request, tools)
  expect([repeat.files, bench.journal.view.counters.appliedSeq]).toEqual([first, appliedSeq])
  await expect(putAll({ ...request, files: [request.files[0]!, request.files[0]!] }, tools)).rejects.toMatchObject({ code: 'EINVAL' })
  expect([read(bench, '/a'), read(bench, '/there')]).toEqual(['rye', 'old'])
  expect(differencesIn(bench)).toEqual([])
  await replayed(bench)
})

test('what a writer says about its file as CSV is kept in any format; operations of earlier versions kept it for CSV alone', async () => {
  const bench = await openBench()
  const csv = { delimiter: ';', header: false } as const
  const facts = (path: string): unknown => {
    const { delimiter, header, format } = stat(bench.journal.view, root, path)
    return { delimiter, header, format }
  }
  for (const format of ['bytes', 'lines', 'jsonl', 'csv'] as const) {
    for (const mark of [{ anyFormat: true }, {}] as const) {
      const path = `/${format}-${mark.anyFormat ?? false}`
      await putFile(bench, path, 'a;b', { format, ...csv, ...mark })
      const { lease } = await bench.do(create, { path: `${path}-leased`, ...defaults, format, ...csv, ...mark })
      await bench.do(completeInline, { lease, content: sent(Buffer.from('a;b')), ...ask() })
      const kept = mark.anyFormat || format === 'csv' ? csv : { delimiter: undefined, header: undefined }
      expect([facts(path), facts(`${path}-leased`)]).toEqual([{ ...kept, format }, { ...kept, format }])
    }
    expect(anyFormatOf({ format, ...csv })).toEqual(format === 'csv' ? {} : { anyFormat: true })
    expect(anyFormatOf({ format })).toEqual({})
  }
  await replayed(bench)
})

test('an error that concerns the namenode, not a file, is that of the call', async () => {
  for (const code of ['OVERLOADED', 'UNAVAILABLE', 'TIMEOUT'] as const) {
    const submit = () => Promise.reject(new GristmillError(code, 'not now'))
    await expect(putAll({ requestId: requestId('c:2'), files: [file('/a', 'rye')] }, { inlineBytes: 10, submit }))
      .rejects.toMatchObject({ code })
  }
})

test('bytes belong to the inode: kept over a rename and in a snapshot, gone with the last name', async () => {
  const bench = await openBench()
  await putFile(bench, '/d/a', 'first', { parents: true })
  await bench.do(createSnapshot, { path: '/d', name: 's' })
  await bench.do(rename, { from: '/d/a', to: '/d/b' })
  await bench.do(setAttributes, { path: '/d/b', replication: 2 })
  expect([read(bench, '/d/b'), stat(bench.journal.view, root, '/d/b').replication]).toEqual(['first', 2])
  await putFile(bench, '/d/b', 'second', { overwrite: true })
  expect([read(bench, '/d/b'), read(bench, '/d/.snapshot/s/a')]).toEqual(['second', 'first'])
  expect(bench.journal.view.counters).toMatchObject({ contents: 2, contentBytes: 11 })
  expect(differencesIn(bench)).toEqual([])
  await bench.do(removeSnapshot, { path: '/d', name: 's' })
  await sweepAll(bench)
  expect(bench.journal.view.counters).toMatchObject({ contents: 1, contentBytes: 6 })
  await bench.do(remove, { path: '/d', recursive: true, searched: true })
  await bench.journal.submit(sweep, { limit: 1000 })
  expect(bench.journal.view.counters).toMatchObject({ contents: 0, contentBytes: 0 })
  expect(differencesIn(bench)).toEqual([])
  await replayed(bench)
})

test('a writer that gives bytes in place of blocks ends its lease with an inlined file', async () => {
  const bench = await openBench()
  const { lease, blocks } = await bench.do(create, { path: '/a', ...defaults, blocks: 1 })
  const request = { lease, content: sent(Buffer.from('rye')), ...ask() }
  const done = await bench.do(completeInline, request)
  expect(done).toMatchObject({ unused: blocks, status: { length: 3, blocks: 0, inlined: true } })
  expect(read(bench, '/a')).toBe('rye')
  expect(await bench.do(completeInline, request)).toEqual({ ...done, unused: [] })
  expect(differencesIn(bench)).toEqual([])
})

test('quotas and sums count an inlined file with its replicas, as any other', async () => {
  const bench = await openBench()
  await putFile(bench, '/q/a', '12345', { parents: true })
  await limitUsage(bench, '/q', { bytes: 20 })
  await expect(putFile(bench, '/q/b', '12')).rejects.toMatchObject({ code: 'EDQUOT' })
  await putFile(bench, '/q/b', '1')
  const world = { yield: async () => {}, signal: new AbortController().signal }
  expect(await summary(bench.journal.view, root, '/q', world)).toMatchObject({ bytes: 6, stored: 18, files: 2 })
  expect(differencesIn(bench)).toEqual([])
})

/** Damages stored bytes in a way that the row's own checksum does not show. */
const spoil = mutation<{ id: number }, undefined>({
  kind: 'test.spoil',
  mutate(draft, { id }) {
    const row = Buffer.from(draft.get('contents', idKey(id))!)
    row[row.length - 1]! ^= 1
    draft.put('contents', idKey(id), row)
    return undefined
  },
})

test('fsck calls an inlined file healthy, and names one whose bytes do not match their checksum; a reader refuses it', async () => {
  const bench = await openBench()
  await putFile(bench, '/good', 'rye')
  const { id } = await putFile(bench, '/bad', 'rye')
  await bench.journal.submit(spoil, { id })
  const { files, counts } = await fsckPage(
    { view: bench.journal.view, map: {} as never, isCorrupt: () => false, yield: async () => {} }, root, { path: '/' },
  )
  expect([files.map(({ path, inlined }) => [path, inlined]), counts.inlined, counts.corrupt]).toEqual([[['/bad', 'corrupt']], 2, 1])
  expect(() => read(bench, '/bad')).toThrow(expect.objectContaining({ code: 'CORRUPT' }))
})

test('many files are read in one call, each with its outcome; a reply ends when it has enough bytes', async () => {
  const bench = await openBench()
  const { id } = await putFile(bench, '/a', 'rye')
  await putFile(bench, '/mine', 'x', { mode: 0o600 })
  await putFile(bench, '/d/a', '', { parents: true })
  const asked = [
    { path: '/a' }, { path: '/a', id }, { path: '/a', id: inodeId(id + 1) }, { path: '/mine' }, { path: '/d' }, { path: '/d/a' },
  ]
  const { files } = contentsOf(bench.journal.view, as('ada'), asked)
  expect(files.map(({ content, error }) => (content ? Buffer.from(content.data, 'base64').toString() : error?.code)))
    .toEqual(['rye', 'rye', 'ESTALE', 'EACCES', 'EISDIR', undefined])
  const text = 'x'.repeat(16_000)
  await Promise.all(Array.from({ length: 80 }, (_, i) => putFile(bench, `/big${i}`, text)))
  const big = contentsOf(bench.journal.view, root, Array.from({ length: 80 }, (_, i) => ({ path: `/big${i}` })))
  expect(big.files.length).toBe(66)
})
