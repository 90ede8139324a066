// Map outputs of one node, served to a wire that the test controls: frames sent, outputs reported missing, files kept and removed.

import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { MapOutputs } from '../../../../datanode/shuffle/mapoutputs.ts'
import { attemptId, attemptParts, jobId, type AttemptId } from '../../../../src/base/ids.ts'
import type { FrameBuffer } from '../../../../src/block/frame.ts'
import { FramePool } from '../../../../src/block/ring.ts'
import type { Disk } from '../../../../src/ports/disk.ts'
import { silent } from '../../../../src/ports/log.ts'
import { encodeIndex, type Extent } from '../../../../src/shuffle/segment.ts'
import { localDisk } from '../../../../src/world/disk.ts'
import { noise } from '../../src/block/kit.ts'
import { countingDisk, refusal } from '../store/storekit.ts'
import { checked } from '../../checked.ts'

let dir: string
beforeEach(() => { dir = mkdtempSync(join(tmpdir(), 'gristmill-serving-')) })
afterEach(() => { rmSync(dir, { recursive: true, force: true }) })

const job = jobId('job-1')
const attempt = (task: number, number = 0): AttemptId => attemptId({ job, stage: 0, task, attempt: number })
const nameOf = (id: AttemptId, kind: string): string => join(dir, 'shuffle', attemptParts(id).job, `${id}.${kind}`)

/** Writes an output whose partitions have these lengths; returns the bytes of each. */
function write(id: AttemptId, lengths: readonly number[]): Buffer[] {
  mkdirSync(join(dir, 'shuffle', attemptParts(id).job), { recursive: true })
  const parts = lengths.map((length, i) => noise(length, i + 1))
  let offset = 8
  const extents = lengths.map((bytes, i): Extent => {
    const extent = { offset, bytes, records: i + 1, crc: 100 + i }
    offset += bytes
    return extent
  })
  writeFileSync(nameOf(id, 'data'), Buffer.concat([Buffer.alloc(8), ...parts]))
  writeFileSync(nameOf(id, 'index'), encodeIndex(extents))
  return parts
}

const open = async (disk: Disk = localDisk, pool = new FramePool()): Promise<MapOutputs> =>
  checked(await MapOutputs.open({ disk, dir, pool, log: silent }))

/** Frames that a reducer receives; `refuse`: sending fails from that frame on. */
async function heard(outputs: MapOutputs, partition: number, attempts: readonly AttemptId[], { refuse = Infinity, of = job } = {}) {
  const replies: Array<Record<string, unknown>> = []
  const frames: Array<{ offset: number; bytes: Buffer }> = []
  let sent = 0
  let end: unknown
  const channel = {
    reply: async (value: Record<string, unknown>) => { replies.push(value) },
    send: async (frame: FrameBuffer) => {
      const { offset } = frame
      const bytes = Buffer.from(frame.payload)
      await new Promise(resolve => { setImmediate(resolve) })
      if (++sent > refuse) throw new Error('the wire is gone')
      frames.push({ offset, bytes })
    },
    end: async (value: unknown) => { end = value },
  }
  await outputs.serve({ op: 'shuffle', cluster: 'c' as never, token: '', job: of, partition, attempts: [...attempts] }, channel as never)
  return { replies, frames, end }
}

test('segments come in the order of the request, in frames of 256 KiB; outputs that are not here, or damaged, are sent as missing', async () => {
  const large = write(attempt(0), [10, 600_000, 0])
  const small = write(attempt(1), [10, 7, 0])
  write(attempt(2), [10, 5, 0])
  rmSync(nameOf(attempt(2), 'data'))
  write(attempt(3), [10, 5, 0])
  truncateSync(nameOf(attempt(3), 'index'), 40)
  const outputs = await open()
  write(attempt(2), [10, 5, 0])
  rmSync(nameOf(attempt(2), 'data'))
  const missing = (task: number) => ({ op: 'segment', attempt: attempt(task), bytes: 0, records: 0, crc: 0, missing: true })
  const { replies, frames, end } = await heard(outputs, 1, [1, 0, 2, 3, 4].map(task => attempt(task)))
  expect(replies).toEqual([
    { op: 'segment', attempt: attempt(1), bytes: 7, records: 2, crc: 101 },
    { op: 'segment', attempt: attempt(0), bytes: 600_000, records: 2, crc: 101 },
    missing(2), missing(3), missing(4),
  ])
  expect(frames.map(({ offset, bytes }) => [offset, bytes.length])).toEqual([[0, 7], [0, 262_144], [262_144, 262_144], [524_288, 75_712]])
  expect(frames[0]!.bytes.equals(small[1]!)).toBe(true)
  expect(Buffer.concat(frames.slice(1).map(({ bytes }) => bytes)).equals(large[1]!)).toBe(true)
  expect([end, outputs.bytesOut]).toEqual([{ length: 600_007, crc: 0 }, 600_007])
  // An empty segment needs no file; a partition that the output does not have is none.
  const empty = await heard(outputs, 2, [attempt(2), attempt(0)])
  expect([empty.replies.map(({ bytes, missing: is }) => [bytes, is]), empty.frames, empty.end]).toEqual([
    [
      [0, undefined], [0, undefined],
    ],
    [], { length: 0, crc: 0 },
  ])
  expect((await heard(outputs, 3, [attempt(0)])).replies).toEqual([missing(0)])
  await expect(heard(outputs, 1, [attempt(0)], { of: jobId('job-2') })).rejects.toMatchObject({ code: 'EINVAL' })
})

test('an index that several reducers need at the same moment is kept once', async () => {
  write(attempt(0), [10, 20, 30])
  const outputs = await open()
  const all = await Promise.all([0, 1, 2, 1].map(partition => heard(outputs, partition, [attempt(0)])))
  expect(all.map(({ frames }) => frames[0]!.bytes.length)).toEqual([10, 20, 30, 20])
  outputs.checkState()
  await outputs.forget(job)
  outputs.checkState()
})

test('a file that is shorter than its index says is CORRUPT, and a wire that breaks ends the sending; buffers and files are given back', async () => {
  const { disk, open: files } = countingDisk()
  const pool = new FramePool()
  let out = 0
  const { take, give } = pool
  pool.take = () => {
    out++
    return take.call(pool)
  }
  pool.give = buffer => {
    out--
    give.call(pool, buffer)
  }
  write(attempt(0), [4_000_000])
  const outputs = await open(disk, pool)
  await expect(heard(outputs, 0, [attempt(0)], { refuse: 2 })).rejects.toThrow('the wire is gone')
  await expect.poll(() => out, { timeout: 120_000 }).toBe(0)
  truncateSync(nameOf(attempt(0), 'data'), 1_000_000)
  await expect(heard(outputs, 0, [attempt(0)])).rejects.toMatchObject({ code: 'CORRUPT' })
  await expect.poll(() => out, { timeout: 120_000 }).toBe(0)
  expect(files()).toBe(0)
})

test('an output that cannot be opened because no descriptor is free does not count as missing', async () => {
  let exhausted: RegExp | undefined
  const refuse = (path: string): void => { if (exhausted?.test(path)) throw Object.assign(refusal('EMFILE'), { syscall: 'open' }) }
  const outputs = await open({
    ...localDisk,
    async openRead(path) {
      refuse(path)
      return localDisk.openRead(path)
    },
    async readFile(path) {
      refuse(path)
      return localDisk.readFile(path)
    },
  })
  write(attempt(0), [5])
  for (exhausted of [/index$/, /data$/]) await expect(heard(outputs, 0, [attempt(0)])).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  exhausted = undefined
  expect((await heard(outputs, 0, [attempt(0)])).frames).toHaveLength(1)
})

test('an index is read once, until its output is removed or the cache is full: then the oldest is read again', async () => {
  const read: string[] = []
  const outputs = await open({ ...localDisk, async readFile(path) { read.push(path.split('.').at(-3)!); return localDisk.readFile(path) } })
  const many = [5, ...new Array<number>(65_534).fill(0)]
  for (const task of [0, 1, 2, 3]) write(attempt(task), many)
  const ask = async (...tasks: number[]): Promise<string[]> => {
    read.length = 0
    await heard(
      outputs, 0, tasks.map(task => attempt(task)),
    )
    return read
  }
  expect(await ask(0, 1, 2)).toEqual(['0', '1', '2'])
  expect(await ask(0, 1, 2)).toEqual([])
  // The limit is 200,000 entries; each output has 65,535.
  expect(await ask(3, 1, 2, 3)).toEqual(['3'])
  expect(await ask(0)).toEqual(['0'])
  expect(await ask(2, 3, 0, 1)).toEqual(['1'])
  // A removed output is dropped from the cache and makes room.
  await outputs.discard(attempt(3))
  expect(await ask(2)).toEqual(['2'])
  expect(await ask(0, 1, 2)).toEqual([])
  write(attempt(3), [7])
  expect((await heard(outputs, 0, [attempt(3)])).replies).toMatchObject([{ bytes: 7 }])
  expect(await ask(0, 1, 2, 3)).toEqual([])
  await outputs.forget(job)
  write(attempt(0), [9])
  expect((await heard(outputs, 0, [attempt(0), attempt(1)])).replies).toMatchObject([{ bytes: 9 }, { missing: true }])
})

test('an output whose file was removed is found again after another attempt has written it', async () => {
  write(attempt(0), [5])
  const outputs = await open()
  await heard(outputs, 0, [attempt(0)])
  rmSync(nameOf(attempt(0), 'data'))
  expect((await heard(outputs, 0, [attempt(0)])).replies).toMatchObject([{ missing: true }])
  write(attempt(0), [6])
  expect((await heard(outputs, 0, [attempt(0)])).replies).toMatchObject([{ bytes: 6 }])
})

test('the files of an attempt are removed, and no others; a job is forgotten with all of its own', async () => {
  const outputs = await open()
  await outputs.discard(attempt(9)) // of a job without outputs here
  await outputs.prepare(job)
  expect(await outputs.jobs()).toEqual([job])
  for (const number of [1, 10, 11]) write(attempt(0, number), [5])
  write(attemptId({ job: jobId('job-11'), stage: 0, task: 0, attempt: 1 }), [5])
  writeFileSync(nameOf(attempt(0, 1), 'spill'), 'half')
  await outputs.discard(attempt(0, 1))
  expect(readdirSync(join(dir, 'shuffle/job-1')).sort()).toEqual(
    ['data', 'index'].flatMap(kind => [10, 11].map(number => `job-1.0.0.${number}.${kind}`)).sort(),
  )
  await outputs.forget(job)
  expect((await outputs.jobs()).sort()).toEqual(['job-11'])
  expect(existsSync(join(dir, 'shuffle/job-11/job-11.0.0.1.data'))).toBe(true)
})

test('incomplete outputs are removed at the start: data without an index, an index without data, and other files', async () => {
  for (const task of [0, 1, 2]) write(attempt(task), [5])
  rmSync(nameOf(attempt(1), 'index'))
  rmSync(nameOf(attempt(2), 'data'))
  writeFileSync(nameOf(attempt(0), 'spill'), 'half')
  writeFileSync(join(dir, 'shuffle', 'note'), 'no job')
  const outputs = await open()
  expect(readdirSync(join(dir, 'shuffle', job)).sort()).toEqual([`${attempt(0)}.data`, `${attempt(0)}.index`])
  expect([await outputs.jobs(), existsSync(join(dir, 'shuffle/note'))]).toEqual([[job], true])
})
