// Draft with many edits: it reads as if they were made, whenever its index is built, and costs no more than the number of edits.

import { expect, test } from 'vitest'
import { seal } from '../../../../namenode/journal/codec.ts'
import { childKey, idKey } from '../../../../namenode/journal/keys.ts'
import { emptyCounters } from '../../../../namenode/journal/counters.ts'
import { Draft } from '../../../../namenode/journal/draft.ts'
import { Memo, StoreView, type Row } from '../../../../namenode/journal/view.ts'
import { seeded } from '../../../../src/world/random.ts'
import { MemoryStore } from '../../../kit/memory-store.ts'

const tables = ['meta', 'children'] as const
type Table = (typeof tables)[number]
type Entry = readonly [table: Table, key: string | Buffer, value: string]

function viewOf(rows: readonly Entry[]): StoreView {
  const store = new MemoryStore()
  store.transact(() => {
    for (const [table, key, value] of rows) store.table(table).put(Buffer.from(key), seal(Buffer.from(key), Buffer.from(value)))
  })
  return new StoreView(store, emptyCounters(), new Memo(), () => {})
}

test.each([0, 0.05, 0.5, 1])('after any number of edits the last one of each key counts, with a lookup after each with probability %d', often => {
  const random = seeded(11)
  for (let round = 0; round < 60; round++) {
    const before = tables.flatMap(table => [...'abcdefgh'].map((key): Entry => [table, key, `old ${table} ${key}`]))
    const draft = new Draft(viewOf(before))
    // One draft serves all operations: the edits of the operation before must leave nothing.
    for (const operation of ['first', 'second']) {
      draft.reset()
      const model = Object.fromEntries(tables.map(table =>
        [table, new Map(before.filter(([of]) => of === table).map(([, key, value]) => [key, value]))]))
      const lookUp = (table: Table, key: string): void => {
        expect(draft.get(table, Buffer.from(key))?.toString()).toBe(model[table]!.get(key))
        expect(draft.has(table, Buffer.from(key))).toBe(model[table]!.has(key))
      }
      const count = random.below(50)
      for (let n = 0; n < count; n++) {
        const table = tables[random.below(2)]!
        const key = 'abcdefghijklmnop'[random.below(16)]!
        if (random.below(3) === 0) {
          model[table]!.delete(key)
          draft.remove(table, Buffer.from(key))
        } else {
          model[table]!.set(key, `${operation} ${n}`)
          draft.put(table, Buffer.from(key), Buffer.from(`${operation} ${n}`))
        }
        if (random.float() < often) lookUp(tables[random.below(2)]!, 'abcdefghijklmnop'[random.below(16)]!)
      }
      // Ranges before the first lookup, if there was none, and after all of them.
      for (const look of [false, true]) {
        for (const table of tables) {
          if (look) for (const key of 'abcdefghijklmnop') lookUp(table, key)
          const [limit, reverse] = [random.below(8), random.below(2) === 0]
          const bounds = { start: Buffer.from('c'), end: Buffer.from('o') }
          const textOf = (rows: Iterable<Row>): string[][] => [...rows].map(({ key, value }) => [key.toString(), value.toString()])
          const want = [...model[table]!].filter(([key]) => key >= 'c' && key < 'o').sort(([a], [b]) => (a < b ? -1 : 1))
          expect(textOf(draft.range(table, bounds))).toEqual(want)
          if (reverse) want.reverse()
          expect(textOf(draft.range(table, { ...bounds, limit, reverse }))).toEqual(want.slice(0, limit))
        }
      }
      expect(draft.edits).toHaveLength(count)
    }
  }
})

/** Key that counts how often it is compared, and turned into a text for the index. */
function countingKey(text: string, uses: { compared: number; indexed: number }): Buffer {
  const key = Buffer.from(text)
  const { equals, toString } = key
  key.equals = other => { uses.compared++; return equals.call(key, other) }
  key.toString = (...given) => { uses.indexed++; return toString.apply(key, given) }
  return key
}

test('many edits without a lookup build no index; with lookups, each edit is indexed once and compared with no key', () => {
  const draft = new Draft(viewOf([]))
  const uses = { compared: 0, indexed: 0 }
  const put = (n: number): void => draft.put('meta', countingKey(`k${n}`, uses), Buffer.from(String(n)))
  const read = (n: number): string | undefined => draft.get('meta', Buffer.from(`k${n}`))?.toString()
  for (let n = 0; n < 1000; n++) put(n)
  expect(uses).toEqual({ compared: 0, indexed: 0 })
  for (let n = 0; n < 1000; n++) expect(read(n)).toBe(String(n))
  expect(uses).toEqual({ compared: 0, indexed: 1000 })
  for (let n = 1000; n < 2000; n++) {
    put(n)
    expect(read(n)).toBe(String(n))
  }
  expect([read(2000), uses]).toEqual([undefined, { compared: 0, indexed: 2000 }])
  expect([...draft.range('children', {})]).toEqual([])
  // The next operation with few edits has no index.
  draft.reset()
  for (let n = 0; n < 3; n++) put(n)
  expect([read(1), read(999)]).toEqual(['1', undefined])
  expect(uses).toEqual({ compared: 2 + 3, indexed: 2000 })
})

test('a range of one id shows the edits of its keys, and reads those of other ids only as long as they are few', () => {
  const random = seeded(12)
  const ids = [1, 2, 254, 255, 256, 257]
  const keys = [...ids.flatMap(id => ['', 'a', 'b'].map(name => childKey(id, name))), idKey(256).subarray(0, 7), Buffer.from('z')]
  for (let round = 0; round < 100; round++) {
    const model = new Map(keys.filter(() => random.below(2) === 0).map(key => [key.toString('hex'), 'old']))
    const draft = new Draft(viewOf([...model].map(([key, value]) => ['children', Buffer.from(key, 'hex'), value] as const)))
    for (let n = 0; n < 60; n++) {
      const key = keys[random.below(keys.length)]!
      const removed = random.below(3) === 0
      if (removed) draft.remove('children', key)
      else draft.put('children', key, Buffer.from(String(n)))
      if (removed) model.delete(key.toString('hex'))
      else model.set(key.toString('hex'), String(n))
      const id = ids[random.below(ids.length)]!
      const [start, end] = [childKey(id, random.below(2) === 0 ? '' : 'a'), idKey(id + random.below(2) + 1)]
      const reverse = random.below(2) === 0
      const [from, to] = [start.toString('hex'), end.toString('hex')]
      const want = [...model].filter(([key]) => key >= from && key < to).sort(([a], [b]) => (a < b ? -1 : 1))
      if (reverse) want.reverse()
      expect([...draft.range('children', { start, end, reverse })].map(({ key, value }) => [key.toString('hex'), value.toString()]))
        .toEqual(want)
    }
  }
})

test('the ranges of many ids behind the edits of all of them cost as many steps as there are edits', () => {
  const draft = new Draft(viewOf([]))
  let compared = 0
  for (let id = 1; id <= 300; id++) {
    const key = childKey(id, 'a')
    const compare = key.compare.bind(key)
    key.compare = (...asked: Parameters<typeof compare>) => { compared++; return compare(...asked) }
    draft.put('children', key, Buffer.from('x'))
    expect([...draft.range('children', { start: childKey(id, ''), end: idKey(id + 1) })]).toHaveLength(1)
  }
  expect(compared).toBeLessThan(300 * 10)
})
