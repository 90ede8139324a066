// Encoded values, and an operation's view of its own edits: each compared with the plainest equivalent.

import { crc32c } from '@node-rs/crc32'
import { expect, test } from 'vitest'
import { checkRow, Packer, seal, unseal, Unpacker } from '../../../../namenode/journal/codec.ts'
import {
  copyCounters, counterNames, decodeCounters, emptyCounters, encodeCounters, type StateCounters,
} from '../../../../namenode/journal/counters.ts'
import { Draft } from '../../../../namenode/journal/draft.ts'
import { Memo, type KeyRange, type View } from '../../../../namenode/journal/view.ts'
import { seeded } from '../../../../src/world/random.ts'
import { openBench } from '../kit.ts'

test('a sealed value ends in the CRC32C of its key and itself, however long they are', () => {
  for (let keyBytes = 0; keyBytes <= 9; keyBytes++) {
    for (const valueBytes of [0, 1, 2, 3, 4, 5, 7, 8, 100, 118, 119, 120, 121, 127, 128, 129, 130, 1000]) {
      const key = Buffer.from(Array.from({ length: keyBytes }, (_, i) => 250 - i * 29 & 255))
      const value = Buffer.from(Array.from({ length: valueBytes }, (_, i) => i * 37 + 201 & 255))
      const sealed = seal(key, value)
      expect([sealed.length, sealed.readUInt32LE(valueBytes)]).toEqual([valueBytes + 4, crc32c(value, crc32c(key))])
      expect(unseal('meta', key, sealed).equals(value)).toBe(true)
      const row = Buffer.concat([Buffer.from('before'), key, sealed, Buffer.from('behind')])
      checkRow('meta', row, 6, 6 + keyBytes, 6 + keyBytes + sealed.length)
    }
  }
})

test('one changed bit of a key, a value or its checksum is detected, and so is a value that is too short for a checksum', () => {
  for (const length of [10, 200]) {
    const key = Buffer.from('key')
    const sealed = seal(key, Buffer.alloc(length, 7))
    const damage = expect.objectContaining({ code: 'CORRUPT', details: { table: 'files', key: expect.stringMatching(/^[0-9a-f]+$/) } })
    const look = (changedKey: Buffer, changed: Buffer): void => {
      expect(() => unseal('files', changedKey, changed)).toThrow(damage)
      expect(() => {
        checkRow('files', Buffer.concat([changedKey, changed]), 0, changedKey.length, changedKey.length + changed.length)
      }).toThrow(damage)
    }
    for (let bit = 0; bit < sealed.length * 8; bit += 7) {
      const changed = Buffer.from(sealed)
      changed[bit >> 3]! ^= 1 << (bit & 7)
      look(key, changed)
    }
    look(Buffer.from('kez'), sealed)
    for (const short of [0, 1, 3]) look(key, sealed.subarray(0, short))
  }
})

test('fields come out as they were packed, at the bounds of each, and a packer begins anew after each value', () => {
  const packer = new Packer()
  const varints = [0, 1, 127, 128, 129, 255, 16_383, 16_384, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 48, Number.MAX_SAFE_INTEGER]
  const wide = [0, 1, 2 ** 16 - 1, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 5, 2 ** 48 - 1]
  const texts = ['', 'a', 'ä€😀', 'x'.repeat(5_000), 'y'.repeat(20_000)]
  for (let round = 0; round < 2; round++) {
    packer.u8(0).u8(255).u16(0).u16(65_535).u32(0).u32(2 ** 32 - 1)
    for (const value of wide) packer.u48(value)
    for (const value of varints) packer.varint(value)
    for (const text of texts) packer.text(text)
    const bytes = packer.u8(9).u8(8).done()
    const unpacker = new Unpacker(bytes)
    expect([unpacker.u8(), unpacker.u8(), unpacker.u16(), unpacker.u16(), unpacker.u32(), unpacker.u32()]).toEqual([
      0, 255, 0, 65_535, 0, 2 ** 32 - 1,
    ])
    expect(wide.map(() => unpacker.u48())).toEqual(wide)
    expect(varints.map(() => unpacker.varint())).toEqual(varints)
    expect(texts.map(() => unpacker.text())).toEqual(texts)
    expect([unpacker.more, [...unpacker.rest()], unpacker.u8(), unpacker.more, unpacker.u8(), unpacker.more]).toEqual([
      true, [9, 8], 9, true, 8, false,
    ])
    expect(() => unpacker.u8()).toThrow(RangeError)
  }
  expect([127, 128, 16_383, 16_384].map(value => packer.varint(value).done().length)).toEqual([1, 2, 2, 3])
  // Values at the end of the packer's buffer, which grows then.
  const puts: Array<[number, (fresh: Packer) => Packer]> = [
    [1, fresh => fresh.u8(7)], [2, fresh => fresh.u16(0x0707)], [4, fresh => fresh.u32(0x0707_0707)],
    [6, fresh => fresh.u48(0x0707_0707_0707)],
    [8, fresh => fresh.varint(Number.MAX_SAFE_INTEGER)],
    [4, fresh => fresh.text('abc')],
  ]
  for (let before = 4_087; before <= 4_097; before++) {
    for (const [size, put] of puts) {
      const fresh = new Packer()
      for (let i = 0; i < before; i++) fresh.u8(i & 255)
      const once = put(new Packer()).done()
      const packed = put(fresh).done()
      expect([packed.length, packed[0], packed[before - 1], packed.subarray(before).equals(once)]).toEqual([
        before + size, 0, (before - 1) & 255, true,
      ])
    }
  }
  for (const value of [-1, 2 ** 48, 1.5]) expect(() => packer.u48(value)).toThrow('48 bits')
  for (const value of [-1, 2 ** 53, 0.5]) expect(() => packer.varint(value)).toThrow('count')
})

test('counters come back by their places; those that a state of an earlier version lacks are 0', () => {
  const counters = Object.fromEntries(counterNames.map((name, i) => [name, 2 ** 40 + i])) as StateCounters
  const bytes = encodeCounters(counters)
  expect(decodeCounters(bytes)).toEqual(counters)
  expect(decodeCounters(bytes.subarray(0, 24))).toEqual({
    ...emptyCounters(), appliedSeq: 2 ** 40, epoch: 2 ** 40 + 1, nextInode: 2 ** 40 + 2,
  })
  expect(decodeCounters(bytes.subarray(0, 31))).toEqual(decodeCounters(bytes.subarray(0, 24)))
  const copy = emptyCounters()
  copyCounters(counters, copy)
  expect(copy).toEqual(counters)
  for (const bad of [-1, 0.5, Number.NaN]) expect(() => encodeCounters({ ...counters, files: bad })).toThrow('files')
  expect(decodeCounters(encodeCounters({ ...counters, files: 0, epoch: Number.MAX_SAFE_INTEGER }))).toMatchObject({
    files: 0, epoch: Number.MAX_SAFE_INTEGER,
  })
})

/** A sorted table, read in the plainest way. */
function* rows(
  table: ReadonlyMap<string, Buffer>,
  { start, end, limit = Infinity, reverse = false }: KeyRange,
): Iterable<{ key: Buffer; value: Buffer }> {
  const keys = [...table.keys()].map(key => Buffer.from(key, 'latin1')).sort(Buffer.compare)
  if (reverse) keys.reverse()
  let count = 0
  for (const key of keys) {
    if ((start && key.compare(start) < 0) || (end && key.compare(end) >= 0)) continue
    if (count++ >= limit) return
    yield { key, value: table.get(key.toString('latin1'))! }
  }
}

test.each([1, 2, 3, 4])('an operation sees its own edits over the state, in every range, from either side (seed %i)', seed => {
  const random = seeded(seed)
  const keyOf = (): Buffer => Buffer.from(Array.from({ length: 1 + random.below(2) }, () => random.below(6)))
  const base = new Map<string, Buffer>()
  const view: View = {
    get: (table, key) => (table === 'files' ? base.get(key.toString('latin1')) : undefined),
    range: (table, bounds) => (table === 'files' ? rows(base, bounds) : []),
    counters: emptyCounters(), memo: new Memo(),
  }
  const draft = new Draft(view)
  for (let round = 0; round < 60; round++) {
    base.clear()
    for (let i = random.below(12); i > 0; i--) base.set(keyOf().toString('latin1'), Buffer.from(`base ${i}`))
    draft.reset()
    const expected = new Map(base)
    for (let i = random.below(40); i > 0; i--) {
      const key = keyOf()
      if (random.below(3) === 0) {
        draft.remove('files', key)
        expected.delete(key.toString('latin1'))
      } else {
        draft.put('files', key, Buffer.from(`edit ${i}`))
        expected.set(key.toString('latin1'), Buffer.from(`edit ${i}`))
      }
      if (random.below(4) === 0) draft.put('blocks', key, Buffer.from('of another table'))
      const asked = keyOf()
      expect([draft.get('files', asked), draft.has('files', asked)]).toEqual([
        expected.get(asked.toString('latin1')), expected.has(asked.toString('latin1')),
      ])
    }
    for (let i = 0; i < 12; i++) {
      const bounds = {
        ...(random.below(2) === 0 && { start: keyOf() }), ...(random.below(2) === 0 && { end: keyOf() }),
        ...(random.below(2) === 0 && { limit: random.below(6) }),
        reverse: random.below(2) === 0,
      }
      expect([...draft.range('files', bounds)].map(({ key, value }) => [[...key], value.toString()])).toEqual(
        [...rows(expected, bounds)].map(({ key, value }) => [[...key], value.toString()]),
      )
    }
  }
})

test('a draft that begins anew has the counters of the state, and no edits of before', () => {
  const counters = { ...emptyCounters(), nextBlock: 7, files: 3 }
  const memo = new Memo()
  const draft = new Draft({ get: () => undefined, range: () => [], counters, memo })
  expect([draft.take('nextBlock'), draft.take('nextBlock'), draft.counters.nextBlock, draft.moved]).toEqual([7, 8, 9, false])
  draft.count('files', -2)
  draft.put('files', Buffer.from('a'), Buffer.from('b'))
  memo.set('/a', 1)
  draft.forgetDirectories()
  expect([draft.counters.files, draft.edits.length, draft.moved, memo.get('/a')]).toEqual([1, 1, true, undefined])
  draft.reset()
  expect([draft.counters, draft.edits, draft.moved, draft.get('files', Buffer.from('a'))]).toEqual([counters, [], false, undefined])
})

test('a group of which everything was refused or answered before writes nothing', async () => {
  const bench = await openBench()
  let puts = 0
  for (const name of bench.store.names) {
    const table = bench.store.table(name)
    const put = table.put.bind(table)
    table.put = (...args) => {
      puts++
      put(...args)
    }
  }
  const refused = { kind: 'test.refused', mutate: () => { throw new Error('no') } }
  await expect(bench.journal.submit(refused, {})).rejects.toThrow('no')
  expect(puts).toBe(0)
  await bench.journal.submit({ kind: 'test.nothing', mutate: () => undefined }, {})
  expect(puts).toBe(1)
})
