// Key-value tables: a reader finds each key that a writer was given, and no other; damage is an error; pairs that a table cannot hold are
// refused where they are saved.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { KeyValueStore } from '../../../../client/serving/store.ts'
import { KeyValueTable } from '../../../../client/serving/table.ts'
import { keyValueSaving, TableWriter } from '../../../../src/program/keyvalue.ts'
import { MemoryDisk } from '../../../kit/memory-disk.ts'
import { root } from '../../../tidy/source.ts'
import type { Recipe } from '../../../../src/program/recipe.ts'

const inOrder = (keys: readonly string[]): string[] => [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))

function bytesOf(pairs: ReadonlyArray<readonly [string, string | Uint8Array]>): Buffer {
  const writer = new TableWriter()
  const pieces: Buffer[] = []
  for (const [key, value] of pairs) {
    const block = typeof value === 'string' ? writer.add(key, Buffer.from(value), 'json') : writer.add(key, value, 'bytes')
    if (block) pieces.push(block)
  }
  return Buffer.concat([...pieces, ...writer.end()])
}

async function open(bytes: Buffer): Promise<KeyValueTable> {
  const disk = new MemoryDisk()
  await disk.writeFileDurable('/t', bytes)
  return KeyValueTable.open('/t', await disk.openRead('/t'))
}

test('each key is found, whatever its bytes and the size of its value, and no other is', async () => {
  const names = Array.from({ length: 3000 }, (_, i) => String(i * 7 % 10_007))
  const odd = ['', ' ', 'ü', '\u{1f33e}', '\uff5e', 'a\0b', 'x'.repeat(1024), 'é', 'e\u0301']
  const keys = inOrder([...new Set([...names, ...odd])])
  const value = (key: string): string => JSON.stringify({ key, more: 'y'.repeat(key.length % 300) })
  const large = Buffer.alloc(100_000, 7)
  const table = await open(bytesOf(keys.map(key => [key, key === '21' ? large : value(key)])))
  expect([table.records, table.firstKey.toString()]).toEqual([keys.length, keys[0]])
  for (const key of keys) {
    const found = table.get(Buffer.from(key))!
    expect(found.isJson).toBe(key !== '21')
    expect(found.bytes.equals(key === '21' ? large : Buffer.from(value(key))), key).toBe(true)
  }
  const known = new Set(keys)
  for (const key of ['A', '10007', '21 ', '2', 'zzz', '\uffff', 'x'.repeat(1023)].filter(each => !known.has(each)))
    expect(table.get(Buffer.from(key)), key).toBeUndefined()
})

test('a store looks into the table whose keys begin before the key; an empty one has no key', async () => {
  const tables = await Promise.all([['m', 'p'], ['a', 'c'], ['x']].map(keys => open(bytesOf(keys.map(key => [key, `"${key}"`])))))
  const store = new KeyValueStore({ id: 1 }, tables)
  expect(store.records).toBe(5)
  for (const key of ['a', 'c', 'm', 'p', 'x']) expect(store.get(Buffer.from(key))!.bytes.toString()).toBe(`"${key}"`)
  for (const key of ['', 'b', 'd', 'n', 'q', 'z']) expect(store.get(Buffer.from(key))).toBeUndefined()
  expect(new KeyValueStore({ id: 1 }, []).get(Buffer.from('a'))).toBeUndefined()
  expect(() => new KeyValueStore({ id: 1 }, [tables[0]!, tables[0]!])).toThrow('begin with the same key')
})

test('a changed byte, a shorter file and a file of another kind are errors, and never another value', async () => {
  const bytes = bytesOf(inOrder(Array.from({ length: 50 }, (_, i) => `k${i}`)).map(key => [key, `"${key}"`]))
  for (let at = 0; at < bytes.length; at += 7) {
    const bad = Buffer.from(bytes)
    bad[at]! ^= 1
    let error: unknown
    try {
      const table = await open(bad)
      for (let i = 0; i < 50; i++) {
        try {
          expect(table.get(Buffer.from(`k${i}`))!.bytes.toString()).toBe(`"k${i}"`)
        } catch (thrown) {
          error = thrown
        }
      }
    } catch (thrown) {
      error = thrown
    }
    expect(error, `byte ${at}`).toMatchObject({ code: expect.stringMatching(/^(CORRUPT|EINVAL)$/) as string })
  }
  for (const cut of [0, 10, bytes.length - 1]) await expect(open(bytes.subarray(0, cut))).rejects.toMatchObject({ code: 'EINVAL' })
})

test('the example in docs/format/kvtable.md is what the code writes', () => {
  const page = readFileSync(join(root, 'docs/format/kvtable.md'), 'utf8')
  const hex = [...page.matchAll(/^ {4}((?:[0-9a-f]{2} ?)+)$/gm)].map(match => match[1]!.replaceAll(' ', '')).join('')
  expect(bytesOf([['ada', '{"points":7}'], ['bob', Buffer.from([1, 2])]]).toString('hex')).toBe(hex)
})

/** Functions of the recipe: from a pair to an entry, and from entries to the bytes of a table. */
function functionsOf(): { entry: (pair: unknown) => unknown; table: (entries: AsyncIterable<unknown>) => AsyncIterable<Buffer> } {
  const found: Record<string, unknown> = {}
  const visit = (node: Recipe): void => {
    found[node.kind] = node['fn']
    node.inputs.forEach(visit)
  }
  visit(keyValueSaving({ kind: 'values', inputs: [] }, '/x', {}).root)
  return { entry: found['each'] as never, table: found['partition'] as never }
}

test('pairs that a store cannot hold are refused with their key, and a key with two values too', async () => {
  const { entry, table } = functionsOf()
  expect(entry(['a', { n: [1, null, 'x'] }])).toEqual(['a', '{"n":[1,null,"x"]}'])
  expect(entry([1.5, new Date(0)])).toEqual(['1.5', '"1970-01-01T00:00:00.000Z"'])
  for (const [pair, message] of [
    ['text', /pairs/], [['a'], /pairs/], [[null, 1], /a key is a text or a number/], [[NaN, 1], /a key is/], [['\ud800', 1], /well-formed/],
    [['x'.repeat(1025), 1], /1024 bytes/], [['a', undefined], /"a" has undefined/], [['a', { b: [NaN] }], /NaN/], [['a', 10n], /bigint/],
    [['a', [1, undefined, 2]], /undefined/],
    [['a', new Map()], /Map/], [['a', { b: new Uint8Array(1) }], /bytes/],
  ] as const) expect(() => entry(pair), String(message)).toThrow(message)
  const twice = async function* () { yield ['a', '1']; yield ['a', '2'] }
  await expect(Array.fromAsync(table(twice()))).rejects.toThrow('the key "a" has two values')
  expect(await Array.fromAsync(table((async function* () {})()))).toEqual([])
  for (const [path, options] of [['', {}], ['/x', { partitions: 0 }], ['/x', { format: 'csv' }]] as const)
    expect(() => keyValueSaving({ kind: 'values', inputs: [] }, path, options as object)).toThrow(TypeError)
})
