// Cuts of power at any moment and syncs that fail, on a store and a disk in memory: acknowledged operations survive, others are whole or
// absent, and the journal stops when the outcome is unknown.

import { expect, test } from 'vitest'
import { remove } from '../../../../namenode/namespace/names.ts'
import { seeded } from '../../../../src/world/random.ts'
import { MemoryDisk } from '../../../kit/memory-disk.ts'
import { MemoryStore } from '../../../kit/memory-store.ts'
import { openBench } from '../kit.ts'
import { lastSegment, make, names, outcome } from './journalkit.ts'

test('a cut between sync and commit loses nothing: the next start replays the log, and a retry gets the first answer', async () => {
  const bench = await openBench()
  await make(bench, '/before')
  let disk: MemoryDisk | undefined
  let store: MemoryStore | undefined
  bench.store.onCommit = () => { disk = bench.disk.cut() }
  const commit = bench.store.reopened()
  bench.store.failCommit = { error: new Error('MDB_EIO'), kept: false }
  expect(await outcome(make(bench, '/a', 'c1:1'))).toBe('TIMEOUT')
  store = commit
  expect(bench.fatal).toHaveLength(1)
  const again = await openBench({ store, disk: disk! })
  expect(names(again)).toEqual(['/a', '/before'])
  const status = await make(again, '/a', 'c1:1')
  expect(status).toMatchObject({ path: '/a', type: 'directory' })
  expect(names(again)).toEqual(['/a', '/before'])
})

test('a cut before the sync leaves nothing of the group, and what was torn does not stand in the way of what comes after', async () => {
  for (const torn of [0, 1, 20, 35, 60]) {
    const bench = await openBench()
    await make(bench, '/before')
    let cut: MemoryDisk | undefined
    bench.disk.onSync = () => { cut ??= bench.disk.cut((_, unsynced) => Math.min(torn, unsynced - 1)) }
    const store = bench.store.reopened()
    await make(bench, '/lost')
    const again = await openBench({ store, disk: cut! })
    expect(names(again)).toEqual(['/before'])
    await make(again, '/after')
    const third = await openBench({ store: store.reopened(), disk: again.disk.cut() })
    expect(names(third)).toEqual(['/after', '/before'])
    // The store is lost entirely: the log alone, with its torn end in the middle, gives the same state.
    const rebuilt = await openBench({ disk: third.disk.cut(), fresh: false })
    expect(rebuilt.store.dump()).toBe(third.store.dump())
  }
})

test('a sync that fails stops the journal: the outcome is unknown, and nothing is accepted afterwards', async () => {
  const bench = await openBench()
  bench.disk.onSync = () => { throw Object.assign(new Error('EIO'), { code: 'EIO' }) }
  expect(await outcome(make(bench, '/a'))).toBe('TIMEOUT')
  bench.disk.onSync = undefined
  expect(await outcome(make(bench, '/b'))).toBe('TIMEOUT')
  expect(bench.fatal).toHaveLength(1)
  expect(names(bench)).toEqual([])
})

test('a sync that fails when a segment begins stops the journal too: at the first failure, without any reply', async () => {
  const bench = await openBench({ segmentLimits: { segmentBytes: 200, heldBytes: 1e9, keptBytes: 1e9, keptFiles: 100 } })
  let syncs = 0
  for (let i = 0; bench.fatal.length === 0 && i < 20; i++) {
    const before = lastSegment(bench.disk)
    bench.disk.onSync = path => {
      syncs++
      if (path !== before) throw Object.assign(new Error('EIO'), { code: 'EIO' })
    }
    const result = await outcome(make(bench, `/d${i}`))
    expect(result).toBe(bench.fatal.length > 0 ? 'TIMEOUT' : 'ok')
  }
  expect(bench.fatal).toHaveLength(1)
  const seen = syncs
  bench.disk.onSync = undefined
  expect(await outcome(make(bench, '/after'))).toBe('TIMEOUT')
  expect(syncs).toBe(seen)
})

test('a segment that cannot begin for want of a descriptor refuses its group, and the journal goes on', async () => {
  const bench = await openBench({ segmentLimits: { segmentBytes: 200, heldBytes: 1e9, keptBytes: 1e9, keptFiles: 100 } })
  const outcomes: string[] = []
  const made: string[] = []
  for (let i = 0; i < 20; i++) {
    let refused = false
    const before = lastSegment(bench.disk)
    bench.disk.onSync = path => {
      if (path === before || refused) return
      refused = true
      throw Object.assign(new Error('EMFILE'), { code: 'EMFILE', syscall: 'open' })
    }
    const result = await outcome(make(bench, `/d${String(i).padStart(2, '0')}`))
    outcomes.push(result)
    if (result === 'ok') made.push(`/d${String(i).padStart(2, '0')}`)
  }
  expect(new Set(outcomes)).toEqual(new Set(['ok', 'UNAVAILABLE']))
  expect(bench.fatal).toEqual([])
  expect(names(bench)).toEqual(made)
})

test('a commit that fails with the group on disk is replayed into the same state, once', async () => {
  const bench = await openBench()
  bench.store.failCommit = { error: new Error('lost answer'), kept: true }
  expect(await outcome(make(bench, '/a'))).toBe('TIMEOUT')
  const again = await openBench({ store: bench.store.reopened(), disk: bench.disk.cut() })
  expect(names(again)).toEqual(['/a'])
  expect(again.journal.view.counters.directories).toBe(bench.journal.view.counters.directories + 1)
})

test('whatever happens at whatever moment, acknowledged operations survive and others are whole or absent', async () => {
  const seed = 20260 // one of many that were tried
  const random = seeded(seed)
  let store = new MemoryStore()
  let disk = new MemoryDisk()
  const acknowledged = new Set<string>()
  const gone = new Set<string>()
  let count = 0
  for (let life = 0; life < 60; life++) {
    const bench = await openBench({ store, disk, segmentLimits: { segmentBytes: 2000, heldBytes: 1e9, keptBytes: 1e9, keptFiles: 1e6 } })
    const present = new Set(names(bench))
    for (const path of acknowledged) expect(present.has(path), `seed ${seed}, life ${life}: ${path}`).toBe(true)
    for (const path of gone) expect(present.has(path), `seed ${seed}, life ${life}: ${path}`).toBe(false)
    // A cut at a random moment: before or after a sync, or before a commit.
    let left = random.below(8)
    let after: { store: MemoryStore; disk: MemoryDisk } | undefined
    const strike = (): void => {
      if (left-- === 0) after = { store: committed, disk: disk.cut((_, unsynced) => random.below(unsynced + 1)) }
    }
    let committed = store.reopened()
    bench.disk.onSync = strike
    bench.store.onCommit = strike
    while (!after) {
      const paths = Array.from({ length: 1 + random.below(4) }, () => `/n${count++}`)
      const victims = [...acknowledged].slice(0, random.below(2))
      const done = Promise.allSettled([...paths.map(path => make(bench, path)), ...victims.map(path => bench.do(remove, { path }))])
      await done
      if (after) {
        for (const path of victims) acknowledged.delete(path)
        break
      }
      committed = store.reopened()
      for (const path of paths) acknowledged.add(path)
      for (const path of victims) {
        acknowledged.delete(path)
        gone.add(path)
      }
    }
    store = (after as { store: MemoryStore }).store
    disk = (after as { disk: MemoryDisk }).disk
  }
  const last = await openBench({ store, disk })
  const rebuilt = await openBench({ disk: last.disk.cut(), fresh: false })
  expect(rebuilt.store.dump()).toBe(last.store.dump())
})

test('frames of a process that died before its sync are durable before the store applies them: a later power cut leaves no hole', async () => {
  for (const failing of [false, true]) {
    const bench = await openBench()
    await make(bench, '/before')
    const store = bench.store.reopened()
    // The process dies in its sync; `failing`: because the sync failed, and its data is never written.
    bench.disk.onSync = () => { throw Object.assign(new Error('EIO'), { code: 'EIO' }) }
    await outcome(make(bench, '/a'))
    bench.disk.onSync = undefined
    const file = bench.disk.files.get(lastSegment(bench.disk))!
    if (!failing) Object.assign(file, { synced: file.dropped![0]![0], dropped: [] })
    const again = await openBench({ store, disk: bench.disk })
    expect(names(again)).toEqual(['/a', '/before'])
    await make(again, '/after')
    const disk = again.disk.cut()
    // The store is lost: the log alone leads to its state.
    expect((await openBench({ disk, fresh: false })).store.dump()).toBe(again.store.dump())
  }
})

test('a log whose end must be written anew and cannot be is no start: the message says how much room is missing', async () => {
  const bench = await openBench()
  const store = bench.store.reopened()
  await make(bench, '/a')
  const full: MemoryDisk = Object.assign(bench.disk.cut(), {
    writeFileDurable: () => Promise.reject(Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' })),
  })
  await expect(openBench({ store, disk: full })).rejects.toMatchObject({ code: 'ENOSPC', message: expect.stringMatching(/free \d+ bytes/) })
  // A log that is already in the store needs no space.
  expect(names(await openBench({ store: bench.store.reopened(), disk: full }))).toEqual(['/a'])
})

test('the directory of the log has a durable name before the log is used', async () => {
  const bench = await openBench()
  await make(bench, '/a')
  expect([...bench.disk.cut().directories.keys()]).toContain('/journal')
  expect([...bench.disk.cut().files.keys()]).toHaveLength(1)
})
