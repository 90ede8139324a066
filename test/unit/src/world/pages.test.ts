// Damaged store files: for every change of bytes, the file is refused, or gives its former content.

import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { crc32c } from '@node-rs/crc32'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { RowCheck } from '../../../../src/ports/store.ts'
import { inspectStore } from '../../../../src/world/pages.ts'
import { seeded } from '../../../../src/world/random.ts'
import { openStore } from '../../../../src/world/store.ts'

const seed = 4711
let home = ''
/** The undamaged file, and its rows by table. */
let whole = Buffer.alloc(0)
const rows = new Map<string, string>()

const sealed = (key: Buffer, value: Buffer): Buffer => {
  const bytes = Buffer.alloc(value.length + 4)
  value.copy(bytes)
  bytes.writeUInt32LE(crc32c(value, crc32c(key)), value.length)
  return bytes
}
const sound: RowCheck = (_, bytes, keyAt, valueAt, end) => {
  if (end - valueAt < 4 || crc32c(bytes.subarray(keyAt, end - 4)) !== bytes.readUInt32LE(end - 4))
    throw Object.assign(new Error('row'), { code: 'CORRUPT' })
}
const keyOf = (i: number): Buffer => {
  const key = Buffer.alloc(12, 'k')
  key.writeUInt32BE(i, 8)
  return key
}

beforeAll(async () => {
  home = fs.mkdtempSync(path.join(os.tmpdir(), 'gristmill-pages-'))
  const store = await openStore(path.join(home, 'first'), { sync: false })
  const tables = ['children', 'files', 'meta'].map(name => ({ name, table: store.table(name) }))
  const random = seeded(seed)
  for (let step = 0; step < 30; step++) {
    store.transact(() => {
      for (const { table } of tables.slice(0, 2)) {
        for (let i = 0; i < 60; i++) {
          const key = keyOf(random.below(2000))
          const value = sealed(key, Buffer.alloc(random.below(100) < 100 * 0.03 ? 9_000 + random.below(9_000) : random.below(90), step))
          if (random.below(100) < 100 * 0.3) table.remove(key)
          else table.put(key, value)
        }
      }
      tables[2]!.table.put(Buffer.from('counters'), sealed(Buffer.from('counters'), Buffer.alloc(72, step)))
    })
  }
  rows.clear()
  for (const { name, table } of tables)
    for (const { key, value } of table.range({})) rows.set(`${name} ${key.toString('hex')}`, value.toString('hex'))
  await store.close()
  whole = fs.readFileSync(path.join(home, 'first/data.mdb'))
})
afterAll(() => fs.rmSync(home, { recursive: true, force: true }))

function put(bytes: Buffer, name: string): string {
  const dir = path.join(home, name)
  fs.mkdirSync(dir)
  fs.writeFileSync(path.join(dir, 'data.mdb'), bytes)
  return dir
}

/** `refused`, or `same` after all kinds of reads and a write to the store. */
async function verdict(bytes: Buffer, name: string): Promise<'refused' | 'same'> {
  const dir = put(bytes, name)
  try {
    try {
      await inspectStore(dir, sound)
    } catch (error) {
      expect(error).toMatchObject({ code: 'CORRUPT' })
      return 'refused'
    }
    const store = await openStore(dir, { sync: false })
    try {
      const left = new Map(rows)
      const expectAll = (): void => {
        for (const table of ['children', 'files', 'meta']) {
          const found: string[] = []
          for (const { key, value } of store.table(table).range({})) {
            found.push(`${table} ${key.toString('hex')}`)
            if (left.get(found.at(-1)!) !== value.toString('hex')) throw new Error(`${name}: a wrong row ${found.at(-1)}`)
          }
          const wanted = [...left.keys()].filter(each => each.startsWith(`${table} `))
          if (wanted.length !== found.length) throw new Error(`${name}: ${found.length} rows of ${wanted.length} in ${table}`)
          for (let i = 0; table !== 'meta' && i < 2000; i += 3) {
            const key = keyOf(i)
            if (store.table(table).get(key)?.toString('hex') !== left.get(`${table} ${key.toString('hex')}`))
              throw new Error(`${name}: a wrong answer for ${i} in ${table}`)
          }
        }
      }
      expectAll()
      for (let step = 0; step < 3; step++) {
        store.transact(() => {
          for (let i = 0; i < 50; i++) {
            const key = keyOf(i * 40 + step)
            const value = sealed(key, Buffer.alloc(50 + i, 200 + step))
            store.table('children').put(key, value)
            left.set(`children ${key.toString('hex')}`, value.toString('hex'))
          }
        })
      }
      expectAll()
    } finally {
      await store.close()
    }
    return 'same'
  } finally {
    fs.rmSync(dir, { recursive: true })
  }
}

test('a sound file passes, and every row is shown once, in the order of its table', async () => {
  const shown: string[] = []
  await inspectStore(path.join(home, 'first'), (table, bytes, keyAt, valueAt, end) => {
    sound(table, bytes, keyAt, valueAt, end)
    shown.push(`${table} ${bytes.toString('hex', keyAt, valueAt)}`)
    expect(rows.get(shown.at(-1)!), shown.at(-1)).toBe(bytes.toString('hex', valueAt, end))
  })
  expect(shown).toEqual([...rows.keys()])
  expect(shown.length).toBeGreaterThan(500)
})

test('a missing store passes the check', async () => {
  const calls: string[] = []
  await inspectStore(path.join(home, 'nowhere'), table => calls.push(table))
  await inspectStore(put(Buffer.alloc(0), 'empty'), table => calls.push(table))
  expect(calls).toEqual([])
})

test('a flipped bit anywhere is found, or changes nothing', async () => {
  const random = seeded(seed)
  const verdicts = { refused: 0, same: 0 }
  for (let i = 0; i < 200; i++) {
    const bytes = Buffer.from(whole)
    // Half of the flips in page headers and in the first pages, where every bit counts.
    const at = random.below(100) < 100 * 0.5 ? random.below(bytes.length) : random.below(bytes.length / 4096) * 4096 + random.below(80)
    bytes[at]! ^= 1 << random.below(8)
    verdicts[await verdict(bytes, `flip-${at}`)]++
  }
  // Some pages are free and some bytes are padding: not every flip can matter.
  expect(verdicts.refused).toBeGreaterThan(50)
  expect(verdicts.same).toBeGreaterThan(10)
})

test('zeroed pages, pages written to the wrong place and stale pages are found, or change nothing', async () => {
  const random = seeded(seed + 1)
  const pages = whole.length / 4096
  const verdicts = { refused: 0, same: 0 }
  for (let i = 0; i < 120; i++) {
    const bytes = Buffer.from(whole)
    const page = random.below(pages)
    if (i % 3 === 0) bytes.fill(0, page * 4096, (page + 1) * 4096)
    else if (i % 3 === 1) whole.copy(bytes, page * 4096, random.below(pages) * 4096, whole.length)
    else bytes.fill(0, page * 4096 + 512 * random.below(8), (page + 1) * 4096)
    verdicts[await verdict(bytes, `page-${i}-${page}`)]++
  }
  expect(verdicts.refused).toBeGreaterThan(40)
})

test('a file that was cut off anywhere is refused before it is mapped', async () => {
  const random = seeded(seed + 2)
  for (let i = 0; i < 40; i++) {
    const length = 1 + random.below(whole.length - 1)
    expect(await verdict(whole.subarray(0, length), `cut-${length}`), `cut at ${length}`).toBe('refused')
  }
})

test('a file of something else is refused', async () => {
  expect(await verdict(Buffer.from('this is not a store\n'.repeat(1000)), 'text')).toBe('refused')
  expect(await verdict(Buffer.alloc(65_536), 'zeroes')).toBe('refused')
})
