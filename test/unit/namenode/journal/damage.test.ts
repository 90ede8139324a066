// Damage of log and store, in memory: it is never served, the process ends, and a start is refused with the place and what to do.

import { expect, test } from 'vitest'
import { frameBehind, headerBytes } from '../../../../namenode/journal/journalframe.ts'
import { MemoryDisk } from '../../../kit/memory-disk.ts'
import { MemoryStore } from '../../../kit/memory-store.ts'
import { openBench, type Bench } from '../kit.ts'
import { lastSegment, make, names, outcome } from './journalkit.ts'

test('a damaged frame with later ones behind it is refused with the place and what to do', async () => {
  const bench = await openBench()
  for (const path of ['/a', '/b', '/c']) await make(bench, path)
  const path = lastSegment(bench.disk)
  const whole = bench.disk.files.get(path)!.bytes
  for (const at of [headerBytes + 40, headerBytes + 5, headerBytes + 10]) {
    const disk = bench.disk.cut()
    const bytes = disk.files.get(path)!.bytes
    bytes[at]! ^= 0x40
    await expect(openBench({ store: new MemoryStore(), disk, fresh: false })).rejects.toMatchObject({
      code: 'CORRUPT',
      message: expect.stringMatching(/journal is damaged.*byte 32.*namenode recover/s),
    })
  }
  expect(frameBehind(whole, headerBytes, 2)).toBeGreaterThan(headerBytes)
})

test('a segment that is missing in the middle, or at the end, is refused', async () => {
  const segmentLimits = { segmentBytes: 200, heldBytes: 1e9, keptBytes: 1e9, keptFiles: 100 }
  const bench = await openBench({ segmentLimits })
  for (let i = 0; i < 10; i++) await make(bench, `/d${i}`)
  const paths = [...bench.disk.files.keys()].sort()
  expect(paths.length).toBeGreaterThan(3)
  const middle = bench.disk.cut()
  middle.files.delete(paths[1]!)
  await expect(openBench({ disk: middle, fresh: false })).rejects.toMatchObject({
    code: 'CORRUPT', message: expect.stringContaining('nowhere'),
  })
  // The store contains them all, so a missing old segment does not matter...
  await openBench({ store: bench.store.reopened(), disk: middle })
  // ...but a log that ends before the store does is not this store's log.
  const end = bench.disk.cut()
  end.files.delete(paths.at(-1)!)
  await expect(openBench({ store: bench.store.reopened(), disk: end })).rejects.toMatchObject({
    code: 'CORRUPT',
    message: expect.stringContaining('it ends at operation'),
  })
})

test('without the log directory the store goes on from where it is', async () => {
  const bench = await openBench()
  await make(bench, '/a')
  const again = await openBench({ store: bench.store.reopened(), disk: new MemoryDisk() })
  await make(again, '/b')
  expect(names(again)).toEqual(['/a', '/b'])
  const third = await openBench({ store: again.store.reopened(), disk: again.disk.cut() })
  expect(names(third)).toEqual(['/a', '/b'])
})

/** Changes the stored value of a name, as a bad disk would. */
function rot(bench: Bench, name: string): void {
  const table = bench.store.table('children')
  bench.store.transact(() => {
    for (const { key, value } of [...table.range({})]) {
      value[3]! ^= 1
      if (key.toString().endsWith(name)) table.put(key, value)
    }
  })
}

test('a value that changed on disk is never served: from then on nothing is read or changed, and the process ends', async () => {
  const bench = await openBench()
  await make(bench, '/a')
  await make(bench, '/b')
  rot(bench, 'a')
  expect(names(bench, '/b')).toEqual([])
  expect(() => names(bench)).toThrow(
    expect.objectContaining({ code: 'CORRUPT', message: expect.stringContaining('gristmill namenode recover') }),
  )
  expect(() => names(bench, '/b')).toThrow(expect.objectContaining({ code: 'CORRUPT' }))
  expect(await outcome(make(bench, '/c'))).toBe('CORRUPT')
  expect(bench.fatal.map(error => error.code)).toEqual(['CORRUPT'])
})

test('a mutation that comes upon damage takes its whole group with it, and nothing of the group happens', async () => {
  const bench = await openBench()
  await make(bench, '/a')
  const { store, disk } = bench
  const sound = store.reopened()
  rot(bench, 'a')
  expect(await Promise.all([make(bench, '/b'), make(bench, '/a/x'), make(bench, '/c')].map(outcome))).toEqual([
    'CORRUPT', 'CORRUPT', 'CORRUPT',
  ])
  expect(bench.fatal).toHaveLength(1)
  const again = await openBench({ store: sound, disk: disk.cut() })
  expect(names(again)).toEqual(['/a'])
})

test('a store that fails a read in its own words is damaged too', async () => {
  const bench = await openBench()
  bench.store.table('children').get = () => { throw new Error('MDB_CORRUPTED: Located page was wrong type') }
  expect(await outcome(make(bench, '/a'))).toBe('CORRUPT')
  expect(bench.fatal).toMatchObject([{ code: 'CORRUPT', message: expect.stringContaining('MDB_CORRUPTED') }])
})
