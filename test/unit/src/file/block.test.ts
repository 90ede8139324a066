// Reader of one block from datanodes that fail in every way: order of requests, waiting times, reports, and release of resources.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { GristmillError } from '../../../../src/base/errors.ts'
import { blockId, nodeId } from '../../../../src/base/ids.ts'
import { crcOf } from '../../../../src/block/checksum.ts'
import { encodeMeta, metaBytes } from '../../../../src/block/meta.ts'
import { localReplica } from '../../../../src/file/inplace.ts'
import type { Disk } from '../../../../src/ports/disk.ts'
import { noise } from '../block/kit.ts'
import { countingDisk, tableOf } from '../../datanode/store/storekit.ts'
import { Reading, readAll, turns, type Act } from './reading.ts'

const KiB = 1024
const bytes = noise(700 * KiB + 5)
const id = blockId(7)
const table = tableOf(bytes)
const other = Buffer.concat([Buffer.of(bytes[0]! ^ 1), bytes.subarray(1)])
const metaOf = (of: Buffer, block = 7): Buffer => {
  const { crc, crcs } = tableOf(of)
  return encodeMeta({ id: blockId(block), length: of.length, crc, crcs })
}

const open = (nodes = ['a', 'b', 'c'], options: { host?: string; disk?: Disk } = {}): Reading =>
  new Reading(bytes, nodes, { id, crc: table.crc, ...options })
const asked = (reading: Reading): string[] =>
  reading.asked.map(({ node, offset, length }) => (offset < 0 ? node : `${node} ${offset / KiB}+${length}`))
const error = (code: string, message = 'no') => ({ kind: 'reply' as const, value: { op: 'error', error: { code, message } } })
const whole = bytes.length

test('a range is asked for in whole chunks from one node, each byte comes once, and the wire serves the next one', async () => {
  for (const [start, end, offset, length] of [
    [0, whole, 0, whole], [0, 1, 0, 64 * KiB], [64 * KiB - 1, 64 * KiB + 1, 0, 128 * KiB], [64 * KiB, 128 * KiB, 64, 64 * KiB],
    [70_000, 600_000, 64, 576 * KiB], [whole - 1, whole, 640, whole - 640 * KiB],
  ] as const) {
    const reading = open()
    const read: Array<[number, string, boolean]> = []
    const got = await readAll(reading.reader({ start, end, onRead: (count, from, inPlace) => read.push([count, from.node, inPlace]) }))
    expect(got.equals(bytes.subarray(start, end))).toBe(true)
    expect(asked(reading)).toEqual([`a ${offset}+${length}`])
    expect(reading.requests).toEqual([
      { op: 'read', cluster: 'c', block: 7, offset: offset * KiB, length, token: 't', expected: { length: whole, crc: table.crc } },
    ])
    expect([reading.given, reading.destroyed, reading.reported]).toEqual([['a'], [], []])
    expect(read.reduce((sum, [count]) => sum + count, 0)).toBe(end - start)
    expect(new Set(read.map(each => each.slice(1).join()))).toEqual(new Set(['a,false']))
    expect(reading.clock.waiting).toBe(0)
  }
  const empty = open()
  expect(await empty.reader({ start: 5, end: 5 }).next()).toBeUndefined()
  expect(empty.asked).toEqual([])
})

test('with `reuse` all pieces lie in one buffer, without it each in its own', async () => {
  for (const reuse of [true, false]) {
    const reader = open().reader({ reuse })
    const buffers = new Set<ArrayBufferLike>()
    for (let piece = await reader.next(); piece; piece = await reader.next()) buffers.add(piece.buffer)
    expect(buffers.size).toBe(reuse ? 1 : 3)
  }
})

test.each<[string, Act, object | undefined, boolean]>([
  ['breaks', { frames: 1, instead: new GristmillError('UNAVAILABLE', 'gone') }, undefined, true],
  ['closes the connection', { frames: 1, instead: 'closes' }, undefined, true],
  [
    'sends a frame that is damaged',
    {
      spoil: (frame, i) => {
        if (i === 1) frame.room[2 * 64 * KiB + 3]! ^= 1
      },
    },
    {
      offset: (256 + 128) * KiB,
      expected: crcOf(bytes.subarray(384 * KiB, 448 * KiB)),
      message: expect.stringMatching(/damaged: its chunk at byte 393216 /) as string,
    },
    false,
  ],
  [
    'finds damage itself',
    { frames: 1, instead: error('CORRUPT', 'm'.repeat(600)) },
    { offset: 256 * KiB, expected: 0, found: 0, message: 'm'.repeat(500) },
    false,
  ],
  [
    'ends too early',
    { frames: 1, instead: { kind: 'end', value: { length: 5, crc: 0 } } },
    { offset: 256 * KiB, expected: whole, found: 5, message: `block 0000000000000007 ended after 262144 bytes of ${whole}` },
    false,
  ],
  [
    'does not have the block',
    { frames: 1, instead: error('BLOCK_MISSING', 'not here') },
    { offset: 0, expected: whole, found: 0, message: 'not here' },
    false,
  ],
  ['has too much to do', { frames: 1, instead: error('UNAVAILABLE') }, undefined, true],
  ['refuses', { frames: 1, instead: error('EACCES') }, undefined, false],
  ['says what is no code', { frames: 1, instead: error('WHATEVER') }, undefined, false],
  [
    'sends other bytes',
    {
      spoil: (frame, i) => {
        if (i === 1) frame.seal(512 * KiB, 5)
      },
    },
    undefined, true,
  ],
  [
    'answers with something else',
    { frames: 1, instead: { kind: 'reply', value: { op: 'written', nodes: [], failed: [] } } },
    undefined, true,
  ],
  ['ends with something else', { frames: 1, instead: { kind: 'end', value: 'end' } }, undefined, true],
])("a node that %s is left at that very byte, and told of where it is its replica's fault", async (_, act, proof, inDoubt) => {
  const reading = open().act('a', act)
  expect((await readAll(reading.reader())).equals(bytes)).toBe(true)
  expect(asked(reading)).toEqual([`a 0+${whole}`, `b 256+${whole - 256 * KiB}`])
  expect(reading.reported).toEqual(proof ? [{ block: 7, address: 'a:1', proof: expect.objectContaining(proof) as object }] : [])
  expect([reading.destroyed, reading.given]).toEqual([['a'], ['b']])
  expect(reading.suspectNodes.has(reading.place('a').node)).toBe(inDoubt)
})

test('damage is proved with the checksum that was expected and the one that was found', async () => {
  const reading = open().act('a', { spoil: (frame, i) => { if (i === 1) frame.room[3]! ^= 1 } })
  await readAll(reading.reader())
  const spoilt = Buffer.from(bytes.subarray(256 * KiB, 320 * KiB))
  spoilt[3]! ^= 1
  expect(reading.reported[0]!.proof).toMatchObject({
    offset: 256 * KiB,
    expected: crcOf(bytes.subarray(256 * KiB, 320 * KiB)),
    found: crcOf(spoilt),
  })
})

test('from an unaligned byte on, another node is asked for the chunk that holds it, and gives just what is missing', async () => {
  const reading = open().act('a', { frames: 1, instead: 'closes' }).act('b', { opens: new GristmillError('UNAVAILABLE', 'no') })
  const got = await readAll(reading.reader({ start: 70_000, end: 600_001 }))
  expect(got.equals(bytes.subarray(70_000, 600_001))).toBe(true)
  expect(asked(reading)).toEqual([`a 64+${576 * KiB}`, 'b', `c 320+${320 * KiB}`])
})

test('a node that says nothing is left after 0.8 s for another one, the last one after four times that, and each further round has four times the patience', async () => {
  const reading = open(['a', 'b'])
  for (const node of ['a', 'b']) reading.act(node, { frames: 0, instead: 'is silent' })
  let relocated = 0
  const failed = readAll(
    reading.reader({
      relocate: async () => {
        relocated++
        return reading.places
      },
    }),
  ).catch((thrown: unknown) => thrown)
  const { clock } = reading
  const waits = async (ms: number): Promise<void> => {
    const before = [reading.asked.length, relocated].join()
    await turns()
    clock.pass(ms - 1)
    await turns()
    expect([reading.asked.length, relocated].join(), `before ${ms} ms`).toBe(before)
    clock.pass(1)
    await turns()
  }
  await turns()
  for (let round = 0; round < 6; round++) {
    expect([asked(reading).length, relocated]).toEqual([round * 2 + 1, round])
    await waits(800 * 4 ** round)
    expect(asked(reading)).toHaveLength(round * 2 + 2)
    await waits(800 * 4 ** (round + 1))
    // A tenth of a second, doubled in each further round.
    if (round < 5) await waits(100 * 2 ** round)
  }
  expect(await failed).toMatchObject({
    code: 'BLOCK_MISSING',
    message: expect.stringMatching(/all 2 replicas failed, the last one with: the datanode at b:1 sent no data for 3276800 ms/) as string,
    details: { block: 7 },
  })
  expect([relocated, clock.waiting, reading.reported]).toEqual([5, 0, []])
  expect(reading.destroyed).toHaveLength(12)
})

test('waiting between rounds never takes longer than two seconds, and ends with the signal', async () => {
  const reading = open(['a']).act('a', { opens: new GristmillError('EACCES', 'no') })
  const aborting = new AbortController()
  const failed = readAll(reading.reader({ relocate: async () => reading.places, signal: aborting.signal })).catch(
    (thrown: unknown) => thrown,
  )
  for (const ms of [100, 200, 400, 800]) { await turns(); reading.clock.pass(ms) }
  await turns()
  expect([reading.asked.length, reading.clock.waiting]).toEqual([5, 1])
  aborting.abort(new Error('enough'))
  expect(await failed).toMatchObject({ code: 'ABORTED' })
  expect(reading.clock.waiting).toBe(0)
})

test('with fresh locations nodes that failed before are asked again; without, their failure is the end', async () => {
  const reading = open(['a', 'b'])
  for (const node of ['a', 'b']) reading.act(node, { opens: new GristmillError('EACCES', `${node} says no`) }, {})
  await expect(readAll(reading.reader())).rejects.toMatchObject({
    code: 'BLOCK_MISSING',
    message: expect.stringContaining('all 2 replicas failed, the last one with: b says no') as string,
    cause: { message: 'b says no' },
  })
  const again = open(['a', 'b'])
  for (const node of ['a', 'b']) again.act(node, { opens: new GristmillError('EACCES', 'no') }, {})
  const got = readAll(again.reader({ relocate: async () => ({ ...again.places, nodes: [again.place('b'), again.place('a')] }) }))
  await turns()
  again.clock.pass(100)
  expect((await got).equals(bytes)).toBe(true)
  expect(again.asked.map(({ node }) => node)).toEqual(['a', 'b', 'b'])
  const nobody = open([])
  await expect(readAll(nobody.reader())).rejects.toMatchObject({
    code: 'BLOCK_MISSING',
    message: expect.stringContaining('no live datanode has a good replica') as string,
  })
})

test('a node that did not answer is asked last by other readers, for ten seconds or until it answers', async () => {
  const reading = open(['a', 'b'])
  reading.act('a', { opens: new GristmillError('UNAVAILABLE', 'no') }, {})
  await readAll(reading.reader())
  reading.asked.length = 0
  await readAll(reading.reader())
  reading.clock.pass(9_999)
  await readAll(reading.reader())
  reading.clock.pass(1)
  await readAll(reading.reader())
  expect(reading.asked.map(({ node }) => node)).toEqual(['b', 'b', 'a'])
  // A suspect node is asked because the other one fails: it replies, and is trusted again.
  reading.act('a', { opens: new GristmillError('TIMEOUT', 'no') }, {})
  await readAll(reading.reader())
  reading.act('b', { opens: new GristmillError('EACCES', 'no') }, {})
  await readAll(reading.reader())
  reading.asked.length = 0
  await readAll(reading.reader())
  expect(reading.asked.map(({ node }) => node)).toEqual(['a'])
})

test('a wire that had been kept and fails before anything came says nothing about its node, which is asked again over a new one', async () => {
  for (const instead of ['closes', new GristmillError('UNAVAILABLE', 'reset')] as const) {
    const reading = open().act('a', { used: true, frames: 0, instead }, {})
    expect((await readAll(reading.reader())).equals(bytes)).toBe(true)
    expect(reading.asked.map(({ node, fresh }) => [node, fresh])).toEqual([
      ['a', false], ['a', true],
    ])
    expect([reading.destroyed, reading.suspectNodes.has(reading.place('a').node)]).toEqual([['a'], false])
  }
  // After the first frame it is the node's failure; and the next node may be asked over a kept wire.
  const heard = open().act('a', { used: true, frames: 1, instead: 'closes' }, {})
  await readAll(heard.reader())
  expect(heard.asked.map(({ node, fresh }) => [node, fresh])).toEqual([
    ['a', false], ['b', false],
  ])
  // The same if nothing arrives in time.
  const silent = open().act('a', { used: true, frames: 0, instead: 'is silent' }, {})
  const got = readAll(silent.reader())
  await turns()
  silent.clock.pass(800)
  await got
  expect(silent.asked.map(({ node }) => node)).toEqual(['a', 'b'])
})

test('a wire that is there too late, or when its reader has been closed, is closed', async () => {
  const late = Promise.withResolvers<void>()
  const reading = open().act('a', { opens: late.promise })
  const got = readAll(reading.reader())
  await turns()
  reading.clock.pass(800)
  expect((await got).equals(bytes)).toBe(true)
  expect(reading.destroyed).toEqual([])
  late.resolve()
  await turns()
  expect(reading.destroyed).toEqual(['a'])

  const closed = Promise.withResolvers<void>()
  const given = open().act('a', { opens: closed.promise })
  const reader = given.reader()
  reader.prepare()
  reader.prepare()
  await turns()
  reader.close()
  closed.resolve()
  await turns()
  expect([given.asked.length, given.destroyed]).toEqual([2, ['a']])

  const open2 = open()
  const half = open2.reader()
  await half.next()
  half.close()
  expect([open2.destroyed, open2.given]).toEqual([['a'], []])
})

test('a prepared connection is used, once; none is prepared for an empty range, nor while a replica is open', async () => {
  const reading = open()
  const reader = reading.reader()
  reader.prepare()
  await turns()
  expect(reading.asked).toHaveLength(1)
  const first = await reader.next()
  reader.prepare()
  expect(Buffer.concat([first!, await readAll(reader)]).length).toBe(whole)
  expect(reading.asked).toHaveLength(1)
  const empty = open()
  empty.reader({ start: 9, end: 9 }).prepare()
  await turns()
  expect(empty.asked).toEqual([])
  // A failure of a prepared connection is handled like any other.
  const failing = open().act('a', { opens: new GristmillError('UNAVAILABLE', 'no') })
  const prepared = failing.reader()
  prepared.prepare()
  await turns()
  expect((await readAll(prepared)).equals(bytes)).toBe(true)
  expect(failing.asked.map(({ node }) => node)).toEqual(['a', 'b'])
})

test('an abort ends a read at once, whatever it waits for, and closes its wire', async () => {
  const reasons: Array<[string, Act]> = [['bytes', { frames: 1, instead: 'is silent' }], ['the end', { end: 'is silent' }]]
  for (const [what, act] of reasons) {
    const reading = open().act('a', act)
    const aborting = new AbortController()
    const got = readAll(reading.reader({ signal: aborting.signal })).then(all => all.length, (thrown: unknown) => thrown)
    await turns()
    aborting.abort(new Error('enough'))
    // Only the end was missing: all bytes had been checked.
    expect(await got, what).toEqual(what === 'the end' ? whole : expect.objectContaining({ code: 'ABORTED' }))
    expect([reading.asked.length, reading.destroyed, reading.given], what).toEqual([1, ['a'], []])
  }
  const before = open()
  await expect(readAll(before.reader({ signal: AbortSignal.abort(new Error('enough')) }))).rejects.toMatchObject({ code: 'ABORTED' })
  expect(before.asked).toEqual([])
})

test('a wire with a wrong end after the last byte is not used again, and no node is reported', async () => {
  for (const end of [
    { kind: 'reply', value: { op: 'error', error: { code: 'CORRUPT', message: 'no' } } },
    new GristmillError('UNAVAILABLE', 'reset'),
  ] as const) {
    const reading = open().act('a', { end })
    expect((await readAll(reading.reader())).equals(bytes)).toBe(true)
    expect([reading.asked.length, reading.given, reading.destroyed, reading.reported]).toEqual([1, [], ['a'], []])
  }
})

let dir: string
beforeAll(() => { dir = mkdtempSync(join(tmpdir(), 'gristmill-reader-')) })
afterAll(() => { rmSync(dir, { recursive: true, force: true }) })

/** A reader on node a's host, with files that the test damages. */
function here(spoil: { data?: Buffer; meta?: Buffer } = {}, disk?: Disk): Reading {
  const reading = open(undefined, { host: 'host-a', ...disk && { disk } })
  const files = { data: join(dir, 'data'), meta: join(dir, 'meta') }
  writeFileSync(files.data, spoil.data ?? bytes)
  writeFileSync(files.meta, spoil.meta ?? metaOf(bytes))
  reading.files = files
  return reading
}

test('on the same host the files are read in place, in any range, and closed', async () => {
  for (const [start, end] of [[0, whole], [70_000, 600_000], [whole - 1, whole]] as const) {
    const { disk, open: left } = countingDisk()
    const reading = here({}, disk)
    const read: unknown[] = []
    expect(
      (await readAll(reading.reader({ start, end, onRead: (count, from, inPlace) => read.push([from.node, inPlace, count > 0]) }))).equals(
        bytes.subarray(start, end),
      ),
    ).toBe(true)
    expect([reading.asked, reading.local, left()]).toEqual([[], ['a'], 0])
    expect(new Set(read.map(String))).toEqual(new Set(['a,true,true']))
  }
})

test.each<[string, { data?: Buffer; meta?: Buffer }, object]>([
  [
    'a byte of the first frame',
    { data: Buffer.concat([Buffer.of(bytes[0]! ^ 1), bytes.subarray(1)]) },
    { offset: 0, expected: table.crcs[0] },
  ],
  [
    'a byte of a later chunk',
    { data: Buffer.concat([bytes.subarray(0, 400 * KiB), Buffer.of(bytes[400 * KiB]! ^ 1), bytes.subarray(400 * KiB + 1)]) },
    { offset: 384 * KiB, expected: table.crcs[6] },
  ],
  ['a cut', { data: bytes.subarray(0, 1000) }, { offset: 1000, expected: whole, found: 1000 }],
  ['bytes too many', { data: Buffer.concat([bytes, Buffer.alloc(3)]) }, { offset: whole, expected: whole, found: whole + 3 }],
  ['a meta file of nothing', { meta: Buffer.alloc(9) }, { offset: 0, expected: metaBytes(whole), found: 9 }],
  [
    'the meta file of other bytes of the same length', { meta: metaOf(other) },
    { offset: 0, expected: table.crc, found: tableOf(other).crc },
  ],
  [
    'the meta file of another length', { meta: metaOf(bytes.subarray(0, whole - 1)) },
    { offset: 0, expected: table.crc, found: tableOf(bytes.subarray(0, whole - 1)).crc },
  ],
  ['the meta file of another block', { meta: metaOf(bytes, 8) }, { offset: 0, expected: metaBytes(whole), found: metaBytes(whole) }],
])('%s in files of the same host is told of with its proof, and another node serves', async (_, spoil, proof) => {
  const { disk, open: left } = countingDisk()
  const reading = here(spoil, disk)
  expect((await readAll(reading.reader())).equals(bytes)).toBe(true)
  expect(reading.reported).toEqual([{ block: 7, address: 'a:1', proof: expect.objectContaining(proof) as object }])
  expect([reading.asked.map(({ node }) => node), left()]).toEqual([['b'], 0])
})

test('files of the same host that cannot be opened are asked of its datanode, at once and from then on', async () => {
  for (const lost of ['data', 'meta'] as const) {
    const { disk, open: left } = countingDisk()
    const reading = here({}, disk)
    Object.assign(reading.files, { [lost]: join(dir, 'nothing') })
    reading.act('a', { frames: 1, instead: 'closes', used: true }, {})
    expect((await readAll(reading.reader({ relocate: async () => reading.places }))).equals(bytes)).toBe(true)
    expect([reading.asked.map(({ node }) => node), reading.local, left(), reading.reported]).toEqual([['a', 'b'], ['a'], 0, []])
  }
  // A failed request for its files counts as a failure of the node; a suspect node is not asked for files while there are others.
  const refusing = here()
  refusing.files = new GristmillError('UNAVAILABLE', 'no')
  await readAll(refusing.reader())
  await readAll(refusing.reader())
  expect([refusing.local, refusing.asked.map(({ node }) => node)]).toEqual([['a'], ['b', 'b']])
})

test('a program that reads some ranges of a replica of its host is given the file once their chunks are checked, each once', async () => {
  const chunk = 64 * KiB
  const ranges = [{ start: 1, end: 2 }, { start: 10, end: chunk + 1 }, { start: whole - 1, end: whole }]
  const find = async (flipped: number): Promise<[file: string | undefined, read: number, reported: number]> => {
    const data = Buffer.from(bytes)
    data[flipped]! ^= 1
    const reading = here({ data })
    let read = 0
    const file = await localReplica(reading.tools, reading.places, { ranges, onRead: count => { read += count } })
    return [file, read, reading.reported.length]
  }
  const last = whole % chunk || chunk
  // A byte that is not read may be damaged.
  expect(await find(2 * chunk)).toEqual([join(dir, 'data'), 2 * chunk + last, 0])
  for (const flipped of [0, chunk - 1, 2 * chunk - 1, whole - 1]) {
    const [file, , reported] = await find(flipped)
    expect([file, reported], String(flipped)).toEqual([undefined, 1])
  }
})

test('a program is given the file of a replica of its host once every byte is checked, and none that is damaged, away or of a suspect node', async () => {
  const find = async (reading: Reading, options = {}): Promise<string | undefined> => localReplica(reading.tools, reading.places, options)
  const { disk, open: left } = countingDisk()
  const read: number[] = []
  let pauses = 0
  const good = here({}, disk)
  const onRead = (count: number, _: unknown, inPlace: boolean): void => { read.push(inPlace ? count : -1) }
  expect(await find(good, { onRead, pause: () => { pauses++ } })).toBe(join(dir, 'data'))
  expect([read.reduce((sum, count) => sum + count, 0), pauses, left(), good.reported]).toEqual([whole, read.length, 0, []])
  const damaged = here({ data: Buffer.concat([bytes.subarray(0, whole - 1), Buffer.of(bytes[whole - 1]! ^ 1)]) }, disk)
  expect(await find(damaged)).toBeUndefined()
  expect([damaged.reported.map(({ block, address }) => [block, address]), left()]).toEqual([[[7, 'a:1']], 0])
  for (const code of ['BLOCK_MISSING', 'UNAVAILABLE', 'TIMEOUT'] as const) {
    const refusing = here()
    refusing.files = new GristmillError(code, 'no')
    expect(await find(refusing), code).toBeUndefined()
  }
  const denied = here()
  denied.files = new GristmillError('EACCES', 'no')
  await expect(find(denied)).rejects.toMatchObject({ code: 'EACCES' })
  const gone = here()
  Object.assign(gone.files, { data: join(dir, 'nothing') })
  expect(await find(gone)).toBeUndefined()
  const suspect = here()
  suspect.suspectNodes.add(nodeId('a'))
  expect([await find(suspect), await find(open()), suspect.local]).toEqual([undefined, undefined, []])
})
