// Journal segments: which files a start reads, which are kept, and what counts as damage. One operation a frame, one frame a file, so that
// each bound can be met exactly.

import { expect, test } from 'vitest'
import { encodeFrame, headerBytes } from '../../../../namenode/journal/journalframe.ts'
import { Segments, type SegmentLimits } from '../../../../namenode/journal/segments.ts'
import { reach, salvage } from '../../../../namenode/journal/salvage.ts'
import { silent } from '../../../../src/ports/log.ts'
import { MemoryDisk } from '../../../kit/memory-disk.ts'

const each: SegmentLimits = { segmentBytes: 1, keptBytes: 1e9, keptFiles: 1e6, heldBytes: 1e9 }
const frame = (seq: number, operations = 1): Buffer =>
  encodeFrame({ seq, epoch: 1, timeMs: 1, operations: Array.from({ length: operations }, () => '["x",{}]') })
const open = (disk: MemoryDisk, limits = each): Promise<Segments> => Segments.open({ disk, log: silent }, '/journal', limits)
const firsts = (disk: MemoryDisk): number[] =>
  [...disk.files.keys()].map(path => Number.parseInt(path.slice('/journal/'.length), 16)).sort((a, b) => a - b)
const pathOf = (seq: number): string => `/journal/${seq.toString(16).padStart(16, '0')}.log`

async function append(segments: Segments, from: number, to: number): Promise<void> {
  for (let seq = from; seq <= to; seq++) {
    await segments.prepare(seq)
    segments.append(frame(seq))
    segments.sync()
  }
}

async function read(disk: MemoryDisk, appliedSeq: number): Promise<number[]> {
  const found: number[] = []
  for await (const { seq, operations } of (await open(disk)).after(appliedSeq)) found.push(...operations.map((_, i) => seq + i))
  return found
}

test('a single operation that is nowhere is damage, wherever it is missing', async () => {
  const disk = new MemoryDisk()
  await append(await open(disk), 1, 6)
  expect(await read(disk, 2)).toEqual([3, 4, 5, 6])
  for (const gone of [3, 5]) {
    const bytes = disk.files.get(pathOf(gone))!
    disk.files.delete(pathOf(gone))
    await expect(read(disk, 2)).rejects.toMatchObject({ code: 'CORRUPT', message: expect.stringContaining(`operation ${gone} is nowhere`) })
    disk.files.set(pathOf(gone), bytes)
  }
})

test('an unfinished frame of a dead process is skipped if the next process continued there, in whichever file that is', async () => {
  for (const torn of [1, 2, 3]) {
    const disk = new MemoryDisk()
    await append(await open(disk), 1, 5)
    const file = disk.files.get(pathOf(torn))!
    file.bytes = Buffer.concat([file.bytes, frame(torn + 1).subarray(0, 20)])
    expect(await read(disk, 0)).toEqual([1, 2, 3, 4, 5])
    disk.files.delete(pathOf(torn + 1))
    await expect(read(disk, 0)).rejects.toMatchObject({
      code: 'CORRUPT',
      message: expect.stringContaining(`where operation ${torn + 1} should begin`),
    })
  }
})

test('a start does not read files whose operations are all in the store: damage there is no damage to it', async () => {
  const disk = new MemoryDisk()
  await append(await open(disk), 1, 6)
  disk.files.get(pathOf(4))!.bytes[headerBytes + 40]! ^= 1
  expect(await read(disk, 4)).toEqual([5, 6])
  await expect(read(disk, 3)).rejects.toMatchObject({ code: 'CORRUPT' })
})

test('a frame that the store has in part yields the remaining operations', async () => {
  const disk = new MemoryDisk()
  const segments = await open(disk, { ...each, segmentBytes: 1e9 })
  await segments.prepare(1)
  for (const [seq, count] of [[1, 3], [4, 3], [7, 1]] as const) segments.append(frame(seq, count))
  segments.sync()
  for (let applied = 0; applied <= 7; applied++) expect(await read(disk, applied)).toEqual([1, 2, 3, 4, 5, 6, 7].slice(applied))
})

test('exactly as many files are kept as are allowed, beside the one that is written to', async () => {
  const disk = new MemoryDisk()
  await append(await open(disk, { ...each, keptFiles: 3 }), 1, 9)
  expect(firsts(disk)).toEqual([6, 7, 8, 9])
})

test('exactly as many bytes are kept as are allowed', async () => {
  const one = headerBytes + frame(1).length
  const disk = new MemoryDisk()
  await append(await open(disk, { ...each, keptBytes: 3 * one }), 1, 9)
  expect(firsts(disk)).toEqual([6, 7, 8, 9])
})

test('segments that a backup needs stay, from its next operation on and no further back, up to the limit', async () => {
  const one = headerBytes + frame(1).length
  for (const [heldBytes, kept] of [[1e9, [4, 5, 6, 7, 8, 9]], [5 * one, [4, 5, 6, 7, 8, 9]], [4 * one, [5, 6, 7, 8, 9]]] as const) {
    const disk = new MemoryDisk()
    const segments = await open(disk, { ...each, keptFiles: 2, heldBytes })
    await append(segments, 1, 3)
    segments.hold(3) // the backup ends with operation 3
    await append(segments, 4, 9)
    expect(firsts(disk), `at most ${heldBytes} bytes`).toEqual(kept)
    expect(segments.firstSeq).toBe(kept[0])
  }
})

test('the size of the log above an operation is that of the files that hold such operations', async () => {
  const one = headerBytes + frame(1).length
  const disk = new MemoryDisk()
  const segments = await open(disk)
  await append(segments, 1, 4)
  expect([0, 1, 2, 3].map(seq => segments.bytesAfter(seq))).toEqual([4 * one, 3 * one, 2 * one, one])
})

test('a file is ended when it has reached its size, not later', async () => {
  const disk = new MemoryDisk()
  await append(await open(disk, { ...each, segmentBytes: headerBytes + 2 * frame(1).length }), 1, 6)
  expect(firsts(disk)).toEqual([1, 3, 5])
})

test('a file is used once its header and its name are durable', async () => {
  const disk = new MemoryDisk()
  const segments = await open(disk)
  await segments.prepare(1)
  const cut = disk.cut()
  expect(firsts(cut)).toEqual([1])
  expect(cut.files.get(pathOf(1))!.bytes).toHaveLength(headerBytes)
})

test('the last file with frames is made durable before it is replayed, though a later process has begun a file behind it', async () => {
  const disk = new MemoryDisk()
  const first = await open(disk)
  await append(first, 1, 2)
  await first.prepare(3)
  first.append(frame(3)) // its process dies before the sync
  const next = await open(disk)
  await next.prepare(4) // and this one before its first frame
  expect(await read(disk, 2)).toEqual([3])
  expect(await read(disk.cut(), 2)).toEqual([3])
})

test('a torn end on which a later process has gone on is no damage; one that leaves a gap is', async () => {
  const disk = new MemoryDisk()
  const first = await open(disk, { ...each, segmentBytes: 1e9 })
  await first.prepare(1)
  for (const seq of [1, 2]) first.append(frame(seq))
  first.append(frame(3).subarray(0, 20)) // torn
  await first.end()
  await append(await open(disk), 3, 3)
  expect(await salvage(disk, '/journal')).toMatchObject({
    damages: [], torn: undefined,
    stretches: [
      { from: 1, to: 3 }, { from: 3, to: 4 },
    ],
  })
  expect(reach(await salvage(disk, '/journal'), 0)).toBe(3)
  // The same end, and the next file continues elsewhere.
  disk.files.delete(pathOf(3))
  await append(await open(disk), 4, 4)
  const { damages } = await salvage(disk, '/journal')
  expect(damages).toMatchObject([{ path: pathOf(1) }])
  expect(reach(await salvage(disk, '/journal'), 0)).toBe(2)
})
