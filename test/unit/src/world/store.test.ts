// Store on LMDB in temporary directories: transactions are atomic, durable when they return, visible to later reads, and ranges agree with
// a sorted list.

import { spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Store } from '../../../../src/ports/store.ts'
import { seeded } from '../../../../src/world/random.ts'
import { openStore } from '../../../../src/world/store.ts'

let directory = ''
const stores: Store[] = []
const b = (text: string): Buffer => Buffer.from(text)

async function open(at = directory, options: { mapBytes?: number; sync?: boolean } = {}): Promise<Store> {
  const store = await openStore(at, options)
  stores.push(store)
  return store
}

beforeEach(() => { directory = fs.mkdtempSync(path.join(os.tmpdir(), 'gristmill-store-')) })
afterEach(async () => {
  for (const store of stores.splice(0)) await store.close()
  fs.rmSync(directory, { recursive: true, force: true })
})

test('a transaction is visible inside of itself, and to all readers once it has returned', async () => {
  const store = await open()
  const table = store.table('a')
  expect(store.table('a')).toBe(table)
  const result = store.transact(() => {
    table.put(b('k'), b('v'))
    expect(table.get(b('k'))).toEqual(b('v'))
    table.remove(b('missing'))
    return 42
  })
  expect(result).toBe(42)
  expect(table.get(b('k'))).toEqual(b('v'))
  expect(table.get(b('none'))).toBeUndefined()
  store.transact(() => table.remove(b('k')))
  expect(table.get(b('k'))).toBeUndefined()
})

test('work that throws writes nothing and its error comes out', async () => {
  const store = await open()
  const table = store.table('a')
  store.transact(() => table.put(b('k'), b('before')))
  const thrown = new Error('no')
  expect(() => store.transact(() => {
    table.put(b('k'), b('after'))
    table.put(b('other'), b('x'))
    throw thrown
  })).toThrow(thrown)
  expect(table.get(b('k'))).toEqual(b('before'))
  expect(table.get(b('other'))).toBeUndefined()
  store.transact(() => table.put(b('k'), b('later')))
  expect(table.get(b('k'))).toEqual(b('later'))
})

test('work that is asynchronous is refused and writes nothing', async () => {
  const store = await open()
  const table = store.table('a')
  expect(() => store.transact(async () => { table.put(b('k'), b('v')) })).toThrow('synchronous')
  expect(table.get(b('k'))).toBeUndefined()
})

test('writing outside of a transaction, nesting, and bad keys are our own mistakes', async () => {
  const store = await open()
  const table = store.table('a')
  expect(() => table.put(b('k'), b('v'))).toThrow('inside transact')
  expect(() => table.remove(b('k'))).toThrow('inside transact')
  expect(() => store.transact(() => store.transact(() => 1))).toThrow('nest')
  expect(() => store.transact(() => table.put(Buffer.alloc(512), b('v')))).toThrow('511')
  expect(() => store.transact(() => table.put(Buffer.alloc(0), b('v')))).toThrow('511')
  store.transact(() => table.put(Buffer.alloc(511, 0xff), b('v')))
  expect(table.get(Buffer.alloc(511, 0xff))).toEqual(b('v'))
})

test('values are the caller\'s own: a later read or write does not change them', async () => {
  const store = await open()
  const table = store.table('a')
  const large = Buffer.alloc(200_000, 1)
  store.transact(() => {
    table.put(b('1'), b('first'))
    table.put(b('2'), b('other'))
    table.put(b('3'), large)
    table.put(b('4'), Buffer.alloc(0))
  })
  const first = table.get(b('1'))!
  const big = table.get(b('3'))!
  table.get(b('2'))
  store.transact(() => { table.put(b('1'), b('FIRST')); table.put(b('3'), Buffer.alloc(200_000, 2)) })
  table.get(b('1'))
  table.get(b('3'))
  expect(first).toEqual(b('first'))
  expect(big.equals(large)).toBe(true)
  expect(table.get(b('4'))?.length).toBe(0)
})

test.each([1, 2, 3, 4, 5])('ranges give what a sorted list gives, forwards and backwards (seed %i)', async seed => {
  const random = seeded(seed)
  const store = await open(directory, { sync: false })
  const table = store.table('a')
  const neighbour = store.table('b')
  const model = new Map<string, Buffer>()
  const key = (): Buffer => Buffer.from(Array.from({ length: 1 + random.below(3) }, () => [0, 1, 0x61, 0xff][random.below(4)]!))
  store.transact(() => {
    for (let i = 0; i < 60; i++) {
      const k = key()
      if (random.below(4) === 0) { table.remove(k); model.delete(k.toString('hex')) } else {
        const value = Buffer.from(random.bytes(random.below(50)))
        table.put(k, value)
        model.set(k.toString('hex'), value)
      }
      neighbour.put(key(), b('not ours'))
    }
  })
  const sorted = [...model.keys()].sort()
  for (let i = 0; i < 300; i++) {
    const start = random.below(4) === 0 ? undefined : key()
    const end = random.below(4) === 0 ? undefined : key()
    const limit = random.below(3) === 0 ? random.below(5) : undefined
    const reverse = random.below(2) === 0
    let expected = sorted.filter(k => (!start || k >= start.toString('hex')) && (!end || k < end.toString('hex')))
    if (reverse) expected = expected.reverse()
    if (limit !== undefined) expected = expected.slice(0, limit)
    const found = [...table.range({ ...(start && { start }), ...(end && { end }), ...(limit !== undefined && { limit }), reverse })]
    expect(found.map(entry => entry.key.toString('hex'))).toEqual(expected)
    for (const entry of found) expect(entry.value).toEqual(model.get(entry.key.toString('hex')))
  }
})

test('keys and bounds that are longer than any key of the store are looked up like others', async () => {
  const table = (await open()).table('a')
  const [longest, long, longer] = [b('m'.repeat(511)), b('m'.repeat(512)), b('m'.repeat(5000))]
  stores[0]!.transact(() => { for (const key of [b('a'), longest, b('z')]) table.put(key, b('1')) })
  const names = (bounds: Parameters<typeof table.range>[0]): string[] =>
    [...table.range(bounds)].map(({ key }) => `${key.toString()[0]}${key.length}`)
  for (const bound of [long, longer]) {
    expect(table.get(bound)).toBeUndefined()
    expect(names({ start: bound })).toEqual(['z1'])
    expect(names({ end: bound })).toEqual(['a1', 'm511'])
    expect(names({ end: bound, reverse: true })).toEqual(['m511', 'a1'])
    expect(names({ start: bound, reverse: true })).toEqual(['z1'])
    expect(names({ start: bound, end: bound })).toEqual([])
  }
})

test('a range inside a transaction sees its writes; one that is left early can be followed by writes', async () => {
  const store = await open()
  const table = store.table('a')
  store.transact(() => {
    for (const k of ['a', 'b', 'c']) table.put(b(k), b(k))
    expect([...table.range({})].map(entry => entry.key.toString())).toEqual(['a', 'b', 'c'])
  })
  for (const entry of table.range({})) {
    expect(entry.key.toString()).toBe('a')
    break
  }
  store.transact(() => table.put(b('0'), b('0')))
  expect([...table.range({ limit: 1 })].map(entry => entry.key.toString())).toEqual(['0'])
  // The snapshot of a range that is being read does not change.
  const seen: string[] = []
  for (const entry of table.range({})) {
    seen.push(entry.key.toString())
    if (seen.length === 1) store.transact(() => { table.put(b('z'), b('z')); table.remove(b('b')) })
  }
  expect(seen).toEqual(['0', 'a', 'b', 'c'])
})

test('the rows of a transaction are present if the process is killed the moment it returned', async () => {
  const url = new URL('../../../../src/world/store.ts', import.meta.url).href
  const script = `const { openStore } = await import(${JSON.stringify(url)})
    const store = await openStore(${JSON.stringify(directory)}); const table = store.table('t')
    for (let i = 0; i < 50; i++) store.transact(() => { table.put(Buffer.from('last'), Buffer.from(String(i))); table.put(Buffer.from('k' + i), Buffer.from('v')) })
    process.kill(process.pid, 'SIGKILL')`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' })
  const signal = await new Promise(resolve => child.once('exit', (_, by) => resolve(by)))
  expect(signal).toBe('SIGKILL')
  const table = (await open()).table('t')
  expect(table.get(b('last'))?.toString()).toBe('49')
  expect([...table.range({})]).toHaveLength(51)
})

test.runIf(fs.existsSync('/usr/bin/strace'))('each transaction is on the disk (fdatasync) before it returns, and not in the profile without sync', async () => {
  const url = new URL('../../../../src/world/store.ts', import.meta.url).href
  for (const sync of [true, false]) {
    const at = path.join(directory, String(sync))
    const trace = path.join(directory, `${sync}.trace`)
    // Unlinks of missing names mark, in the trace, the start and the return of each transaction.
    const script = `const { openStore } = await import(${JSON.stringify(url)}); const fs = (await import('node:fs')).default
      const store = await openStore(${JSON.stringify(at)}, { sync: ${sync} }); const table = store.table('t')
      const mark = name => { try { fs.unlinkSync('/nowhere-' + name) } catch {} }
      for (let i = 0; i < 5; i++) { mark('begin'); store.transact(() => table.put(Buffer.from('k' + i), Buffer.from('v'))); mark('end') }
      process.kill(process.pid, 'SIGKILL')`
    const child = spawn(
      '/usr/bin/strace',
      ['-f', '-o', trace, '-e', 'trace=fdatasync,fsync,msync,unlink,unlinkat', process.execPath, '--input-type=module', '-e', script],
      { stdio: 'ignore' },
    )
    await new Promise(resolve => child.once('exit', resolve))
    const lines = fs.readFileSync(trace, 'utf8').split('\n')
    const transactions = lines.join('\n').split('nowhere-begin').slice(1).map(part => part.split('nowhere-end')[0]!)
    expect(transactions).toHaveLength(5)
    for (const part of transactions) expect(/fdatasync|fsync|msync/.test(part)).toBe(sync)
  }
})

test.runIf(fs.existsSync('/usr/bin/strace'))('tables that are named when a store is opened are made by one transaction, and are there after a kill', async () => {
  const url = new URL('../../../../src/world/store.ts', import.meta.url).href
  const names = Array.from({ length: 25 }, (_, i) => `t${i}`)
  const syncs = async (at: string, tables: readonly string[]): Promise<number> => {
    const trace = path.join(directory, 'trace')
    const script = `const { openStore } = await import(${JSON.stringify(url)})
      const store = await openStore(${JSON.stringify(at)}, { tables: ${JSON.stringify(tables)} })
      for (const name of ${JSON.stringify(names)}) store.table(name)
      store.transact(() => store.table('t7').put(Buffer.from('k'), Buffer.from('v')))
      process.kill(process.pid, 'SIGKILL')`
    const child = spawn(
      '/usr/bin/strace', ['-f', '-o', trace, '-e', 'trace=fdatasync,fsync,msync', process.execPath, '--input-type=module', '-e', script],
      { stdio: 'ignore' },
    )
    await new Promise(resolve => child.once('exit', resolve))
    return fs.readFileSync(trace, 'utf8').match(/(?:fdatasync|fsync|msync)\(/g)!.length
  }
  const [oneByOne, together] = [await syncs(path.join(directory, 'a'), []), await syncs(path.join(directory, 'b'), names)]
  expect(oneByOne - together).toBeGreaterThanOrEqual(names.length - 2)
  const store = await openStore(path.join(directory, 'b'), { tables: [...names, 'new'] })
  expect(store.table('t7').get(b('k'))?.toString()).toBe('v')
  store.transact(() => store.table('new').put(b('x'), b('y')))
  expect(store.table('new').get(b('x'))?.toString()).toBe('y')
  await store.close()
})

test('a map grows past the size that it was opened with', async () => {
  const store = await open(directory, { mapBytes: 1 << 20 })
  const table = store.table('t')
  store.transact(() => { for (let i = 0; i < 1000; i++) table.put(b(`k${i}`), Buffer.alloc(10_000, i)) })
  expect([...table.range({})]).toHaveLength(1000)
  expect(table.get(b('k999'))).toEqual(Buffer.alloc(10_000, 999))
})

test('a backup is a store of its own with the state of its moment', async () => {
  const store = await open()
  const table = store.table('t')
  store.transact(() => { for (let i = 0; i < 500; i++) table.put(b(`k${i}`), Buffer.alloc(100, i)) })
  const copy = path.join(directory, 'copy')
  await store.backup(copy)
  store.transact(() => table.put(b('later'), b('x')))
  const again = (await open(copy)).table('t')
  expect([...again.range({})]).toHaveLength(500)
  expect(again.get(b('k7'))).toEqual(Buffer.alloc(100, 7))
  expect(again.get(b('later'))).toBeUndefined()
  await expect(store.backup(copy)).rejects.toMatchObject({ code: 'EEXIST' })
})

test('a store that gives memory back holds what it held, and waits for who reads a range', async () => {
  const store = await open()
  const table = store.table('a')
  const rows = 60_000
  store.transact(() => { for (let i = 0; i < rows; i++) table.put(b(String(i).padStart(8, '0')), Buffer.alloc(2000, i)) })
  const shared = (): number => Number(fs.readFileSync('/proc/self/statm', 'latin1').split(' ')[2]) * 4096
  for (const { value } of table.range({})) expect(value[0]).toBe(value[1999])
  // All of it is mapped now; during the range nothing may move.
  let count = 0
  for (const { value } of table.range({})) {
    if (count++ === rows / 2) store.relax()
    expect(value.length).toBe(2000)
  }
  expect(count).toBe(rows)
  const before = shared()
  store.relax()
  expect(shared()).toBeLessThan(before - 64 * 1024 * 1024)
  expect(table.get(b('00000007'))).toEqual(Buffer.alloc(2000, 7))
  store.transact(() => table.put(b('new'), b('v')))
  expect([...store.table('a').range({ start: b('new') })]).toHaveLength(1)
  await store.close()
  const again = await open()
  expect(again.table('a').get(b('new'))).toEqual(b('v'))
})
