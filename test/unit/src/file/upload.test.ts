// Upload of one block with failing datanodes: nodes excluded from the next try, waiting times, counts, progress events, and
// leftovers.

import { expect, test } from 'vitest'
import { GristmillError } from '../../../../src/base/errors.ts'
import { address, blockId, clusterId, leaseId, nodeId, requestId } from '../../../../src/base/ids.ts'
import { FramePool } from '../../../../src/block/ring.ts'
import { crcOf } from '../../../../src/block/checksum.ts'
import type { FrameBuffer } from '../../../../src/block/frame.ts'
import { GrowingSource, MemorySource, type BlockSource } from '../../../../src/file/source.ts'
import { upload, type UploadOptions, type UploadTools } from '../../../../src/file/upload.ts'
import { silent } from '../../../../src/ports/log.ts'
import { ManualClock } from '../../../kit/manual-clock.ts'
import { noise } from '../block/kit.ts'
import { turns } from './reading.ts'

const bytes = noise(600_000)
const frames = [262_144, 262_144, 75_712]

/** Script of the pipeline of one try. */
interface Try {
  /** Members that cannot be reached. */
  readonly unreachable?: boolean
  readonly used?: boolean
  /** Number of frames accepted before this reply. */
  readonly takes?: number
  readonly fails?: GristmillError
  /** Its wire accepts nothing. */
  readonly stuck?: boolean
}

const failure = (
  code: 'UNAVAILABLE' | 'EINVAL' | 'ENOSPC' | 'WRONG_CLUSTER' | 'LEASE_EXPIRED' | 'ABORTED' | 'TOO_LARGE' | 'EACCES' | 'ENOENT',
  node?: string,
): GristmillError => new GristmillError(code, 'it fails', node === undefined ? {} : { details: { node: nodeId(node) } })

class Uploading {
  readonly clock = new ManualClock()
  readonly asked: Array<{ exclude: string[]; bytes: number }> = []
  readonly sent: number[] = []
  readonly taken: Buffer[] = []
  given = 0
  destroyed = 0
  /** True for calls to which the namenode replies ENOSPC. */
  nowhere: (exclude: readonly string[]) => boolean = () => false
  readonly tools: UploadTools
  #tries: Try[]
  #current: Try = {}
  #id = 0

  constructor(...tries: Try[]) {
    this.#tries = tries
    this.tools = {
      clock: this.clock, random: { float: () => 1 } as never, log: silent, small: undefined as never,
    pool: new FramePool(), namenode: address('namenode:1'),
      cluster: clusterId('c'), host: 'client', progressMs: undefined, requestId: () => requestId('client:1'),
      caller: {
        call: async (_: unknown, __: unknown, { exclude, bytes: announced }: { exclude: string[]; bytes: number }) => {
          this.asked.push({ exclude, bytes: announced })
          if (this.nowhere(exclude)) throw failure('ENOSPC')
          return { blocks: [this.block()] }
        },
      } as never,
      wires: {
        take: async (to: string) => {
          if (this.#current.unreachable) throw failure('UNAVAILABLE')
          return { address: to, used: this.#current.used === true, channel: this.#channel(this.#current) }
        },
        give: () => {
          this.given++
        },
      } as never,
    }
  }

  /** The next block, with a pipeline of three nodes named after it. */
  block() {
    this.#current = this.#tries.shift() ?? {}
    const id = ++this.#id
    return {
      id: blockId(id), token: 't',
      targets: ['x', 'y', 'z'].map(name => ({ node: nodeId(`${name}${id}`), address: address(`${name}${id}:1`), rack: '/r', host: name })),
    }
  }

  run(options: Partial<UploadOptions> = {}, source: BlockSource = new MemorySource([bytes], bytes.length)): Promise<unknown> {
    const result = upload(this.tools, source, { lease: leaseId(1), onSent: count => this.sent.push(count), ...options }).catch(
      (thrown: unknown) => thrown,
    )
    return result
  }

  #channel({ takes = Infinity, fails, stuck }: Try) {
    const answer = Promise.withResolvers<unknown>()
    let took = 0
    const nodes = ['x', 'y', 'z'].map(name => nodeId(`${name}${this.#id}`))
    if (takes === 0 && fails) answer.reject(fails)
    return {
      wire: { destroy: () => { this.destroyed++; answer.reject(failure('UNAVAILABLE')) } },
      request: async () => {},
      send: async (frame: FrameBuffer) => {
        if (stuck) throw failure('UNAVAILABLE')
        this.taken.push(Buffer.from(frame.payload))
        if (++took === takes) answer.reject(fails)
      },
      end: async () => { if (!stuck) answer.resolve({ kind: 'reply', value: { op: 'written', nodes, failed: [] } }) },
      receive: () => answer.promise,
    }
  }
}

test('a block is sent once, with its length and checksum, and counted as it goes; one that was allocated before is used first', async () => {
  const uploading = new Uploading()
  expect(await uploading.run()).toEqual({ id: 1, length: bytes.length, crc: crcOf(bytes), nodes: ['x1', 'y1', 'z1'] })
  expect([uploading.asked, uploading.sent, uploading.given, uploading.destroyed]).toEqual([
    [{ exclude: [], bytes: bytes.length }], frames, 1, 0,
  ])
  const before = new Uploading()
  const block = before.block()
  expect(await before.run({ block })).toMatchObject({ id: 1 })
  expect(before.asked).toEqual([])
})

test('a pipeline that fails is replaced by another one, without the node that failed, after a pause that doubles; what was sent is taken back', async () => {
  const node = (name: string): Try => ({ takes: 1, fails: failure('UNAVAILABLE', name) })
  const uploading = new Uploading(
    node('y1'), node('z2'), { takes: 1, fails: failure('UNAVAILABLE') }, { unreachable: true },
    { takes: 0, fails: failure('UNAVAILABLE', 'x5') }, {},
  )
  const result = uploading.run()
  for (const ms of [50, 100, 200, 400, 800]) {
    await turns()
    const before = uploading.asked.length
    uploading.clock.pass(ms - 1)
    await turns()
    expect(uploading.asked, `before ${ms} ms`).toHaveLength(before)
    uploading.clock.pass(1)
  }
  expect(await result).toMatchObject({ id: 6, crc: crcOf(bytes) })
  // A missing reply is blamed on the first member; all unreachable members are excluded.
  expect(uploading.asked.map(({ exclude }) => exclude)).toEqual([
    [], ['y1'], ['y1', 'z2'], ['y1', 'z2', 'x3'], ['y1', 'z2', 'x3', 'x4', 'y4', 'z4'], ['y1', 'z2', 'x3', 'x4', 'y4', 'z4', 'x5'],
  ])
  expect(uploading.sent.reduce((sum, count) => sum + count, 0)).toBe(bytes.length)
  expect(uploading.sent.filter(count => count < 0).length).toBeGreaterThanOrEqual(3)
  expect(Buffer.concat(uploading.taken.slice(-3)).equals(bytes)).toBe(true)
  expect([uploading.given, uploading.destroyed]).toEqual([1, 4])
})

test('after six tries the last failure is thrown; a failure that another pipeline would meet too, at once', async () => {
  const uploading = new Uploading(
    ...Array.from({ length: 6 }, (_, i): Try => ({ takes: 0, fails: new GristmillError('UNAVAILABLE', `try ${i + 1}`) })),
  )
  const result = uploading.run()
  for (const ms of [50, 100, 200, 400, 800]) { await turns(); uploading.clock.pass(ms) }
  expect(await result).toMatchObject({ code: 'UNAVAILABLE', message: 'try 6' })
  expect(uploading.asked).toHaveLength(6)
  for (const code of ['WRONG_CLUSTER', 'LEASE_EXPIRED', 'ABORTED', 'TOO_LARGE', 'EACCES', 'ENOENT', 'EINVAL'] as const) {
    const refused = new Uploading({ takes: 0, fails: failure(code) })
    expect(await refused.run(), code).toMatchObject({ code })
    expect([refused.asked.length, refused.clock.waiting]).toEqual([1, 0])
  }
})

test('a wire that had been kept may just have been old: its node is left out only when it fails again', async () => {
  const used = (name?: string): Try => ({ used: true, takes: 0, fails: failure('UNAVAILABLE', name) })
  const uploading = new Uploading(used('y1'), used('y2'), {})
  const result = uploading.run()
  for (const ms of [50, 100]) { await turns(); uploading.clock.pass(ms) }
  await result
  expect(uploading.asked.map(({ exclude }) => exclude)).toEqual([[], [], ['y2']])
})

test('when only failed nodes are left, they are tried again; when there is none at all, the error says so', async () => {
  const uploading = new Uploading({ takes: 0, fails: failure('UNAVAILABLE', 'y1') }, {})
  uploading.nowhere = exclude => exclude.length > 0
  const result = uploading.run()
  await turns()
  uploading.clock.pass(50)
  expect(await result).toMatchObject({ id: 2 })
  expect(uploading.asked.map(({ exclude }) => exclude)).toEqual([[], ['y1'], []])
  const full = new Uploading()
  full.nowhere = () => true
  // Before the first block there is no other pipeline to try.
  expect(await full.run()).toMatchObject({ code: 'ENOSPC' })
  expect(full.asked).toHaveLength(1)
})

test('a source that fails ends it with its own error, and what was read of it is not sent again', async () => {
  const uploading = new Uploading()
  const source: BlockSource = {
    bytes: bytes.length,
    fill(target, position) {
      if (position > 0) throw failure('EINVAL')
      bytes.copy(target, 0, position)
    },
  }
  expect(await uploading.run({}, source)).toMatchObject({ code: 'EINVAL', message: 'it fails' })
  expect([uploading.asked.length, uploading.given, uploading.destroyed]).toEqual([1, 0, 1])
})

test('an abort ends it at once, in a pause too, as ABORTED, and ends its wire', async () => {
  for (const when of ['before', 'in the pause'] as const) {
    const aborting = new AbortController()
    const uploading = new Uploading({ takes: 1, fails: failure('UNAVAILABLE') })
    if (when === 'before') aborting.abort(new Error('enough'))
    const result = uploading.run({ signal: aborting.signal })
    await turns()
    aborting.abort(new Error('enough'))
    expect(await result, when).toMatchObject({ code: 'ABORTED', message: expect.stringContaining('enough') as string })
    expect([uploading.clock.waiting, uploading.given]).toEqual([0, 0])
  }
})

test('a source in memory gives any range of its parts, empty ones among them', () => {
  const parts = [Buffer.from('ab'), Buffer.alloc(0), Buffer.from('cdefg'), Buffer.from('h')]
  const source = new MemorySource(parts, 8)
  for (let from = 0; from <= 8; from++) {
    for (let to = from; to <= 8; to++) {
      const target = Buffer.alloc(to - from, '.')
      source.fill(target, from)
      expect(target.toString()).toBe('abcdefgh'.slice(from, to))
    }
  }
})

test('a wire that takes no frame fails its pipeline, and gives every buffer back', async () => {
  const uploading = new Uploading({ stuck: true }, {})
  const { pool } = uploading.tools
  let out = 0
  const { take, give } = pool
  pool.take = () => { out++; return take.call(pool) }
  pool.give = buffer => { out--; give.call(pool, buffer) }
  const result = uploading.run()
  await turns()
  expect(out).toBe(0)
  uploading.clock.pass(50)
  expect(await result).toMatchObject({ id: 2, crc: crcOf(bytes) })
  expect([uploading.asked.map(({ exclude }) => exclude), uploading.sent, out]).toEqual([[[], ['x1']], frames, 0])
})

/** A block that comes: its first bytes are there. */
function growing(there: number): GrowingSource {
  const reader = { readSync: (target: Buffer, at: number) => bytes.copy(target, 0, at, at + target.length) }
  const source = new GrowingSource(reader as never, bytes.length)
  source.grow(there)
  return source
}

test('a block is sent as it comes; without bytes for a second its pipeline ends, and it is sent again when it is whole', async () => {
  for (const stalls of [false, true]) {
    const uploading = new Uploading()
    const source = growing(300_000)
    const result = uploading.run({}, source)
    await turns()
    expect(uploading.taken.map(({ length }) => length)).toEqual(frames.slice(0, 1))
    uploading.clock.pass(900)
    await turns()
    source.grow(530_000)
    await turns()
    uploading.clock.pass(900)
    await turns()
    expect([uploading.taken.length, uploading.destroyed]).toEqual([2, 0])
    if (stalls) {
      for (let i = 0; i < 20; i++) {
        uploading.clock.pass(500)
        await turns()
      }
      expect([uploading.destroyed, uploading.asked.length]).toEqual([1, 1])
    }
    source.end(bytes.length)
    await turns()
    expect(await result).toMatchObject({ id: stalls ? 2 : 1, length: bytes.length, crc: crcOf(bytes) })
    expect(uploading.asked.map(({ exclude }) => exclude)).toEqual(stalls ? [[], []] : [[]])
    expect(Buffer.concat(uploading.taken.slice(-3)).equals(bytes)).toBe(true)
  }
})

test('a block whose writer gives up, or that ends early, is not sent again', async () => {
  for (const stalls of [false, true]) {
    for (const end of ['gives up', 'is short'] as const) {
      const uploading = new Uploading()
      const source = growing(300_000)
      const result = uploading.run({}, source)
      await turns()
      if (stalls) uploading.clock.pass(1_000)
      await turns()
      const why = failure('ABORTED')
      if (end === 'gives up') source.giveUp(why)
      else source.end(400_000)
      for (let i = 0; i < 10; i++) {
        uploading.clock.pass(500)
        await turns()
      }
      if (end === 'gives up') expect(await result).toBe(why)
      else expect(await result).toMatchObject({ code: 'INTERNAL' })
      expect([uploading.destroyed > 0, uploading.given, source.isShort]).toEqual([true, 0, end === 'is short'])
    }
  }
})
