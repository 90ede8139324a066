// Journal under crashes: acknowledged operations are present afterwards; others are present whole or not at all.

import { expect, test } from 'vitest'
import { frameBehind, headerBytes } from '../../../../namenode/journal/frame.ts'
import { mutation } from '../../../../namenode/journal/operation.ts'
import { mkdir, remove } from '../../../../namenode/namespace/names.ts'
import { list } from '../../../../namenode/namespace/read.ts'
import { create } from '../../../../namenode/writing/mutations.ts'
import { GristmillError } from '../../../../src/base/errors.ts'
import { requestId } from '../../../../src/base/ids.ts'
import { limits } from '../../../../src/base/limits.ts'
import { scopedId } from '../../../../src/rpc/repeats.ts'
import { seeded } from '../../../../src/world/random.ts'
import { MemoryDisk } from '../../../kit/memory-disk.ts'
import { MemoryStore } from '../../../kit/memory-store.ts'
import { openBench, root, type Bench } from '../kit.ts'

const names = (bench: Bench, path = '/'): string[] => list(bench.journal.view, root, { path }).entries.map(entry => entry.path)
const make = (bench: Bench, path: string, id?: string): Promise<unknown> => bench.do(mkdir, { path, ...id && { requestId: requestId(id) } })

/** Path of the last segment. */
const lastSegment = (disk: MemoryDisk): string => [...disk.files.keys()].sort().at(-1)!

async function outcome(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'ok'
  } catch (error) {
    return (error as { code: string }).code
  }
}

test('operations that wait together are one group: one commit for all of them, and each gets its own answer', async () => {
  const bench = await openBench()
  const before = bench.store.commits
  const outcomes = await Promise.all([make(bench, '/a'), make(bench, '/b'), make(bench, '/a'), make(bench, '/a/c')].map(outcome))
  expect(outcomes).toEqual(['ok', 'ok', 'EEXIST', 'ok'])
  expect(bench.store.commits).toBe(before + 1)
  expect(names(bench)).toEqual(['/a', '/b'])
  expect(names(bench, '/a')).toEqual(['/a/c'])
})

test('no reply is sent before the log is synced and the store has committed', async () => {
  const bench = await openBench()
  const events: string[] = []
  bench.disk.onSync = () => events.push('sync')
  bench.store.onCommit = () => events.push('commit')
  await make(bench, '/a').then(() => events.push('answer'))
  expect(events).toEqual(['sync', 'commit', 'answer'])
})

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

test('a request that has been answered is answered again, however full the disk is now', async () => {
  const first = await openBench()
  const answer = await make(first, '/a', 'client:1')
  // After a restart the next group needs a new segment, which the disk refuses.
  const bench = await openBench({ disk: first.disk.cut(), fresh: false })
  bench.disk.freeBytes = 0
  expect(await make(bench, '/a', 'client:1')).toEqual(answer)
  expect(await outcome(make(bench, '/b', 'client:2'))).toBe('ENOSPC')
  expect(await make(bench, '/a', 'client:1')).toEqual(answer)
  expect(names(bench)).toEqual(['/a'])
})

test('a full disk refuses a group, nothing of it happens, and all is well again once there is space', async () => {
  const bench = await openBench()
  await make(bench, '/before')
  bench.disk.freeBytes = 50
  expect(await outcome(make(bench, '/a'))).toBe('ENOSPC')
  expect(await outcome(make(bench, '/a'))).toBe('ENOSPC')
  expect(bench.fatal).toEqual([])
  expect(names(bench)).toEqual(['/before'])
  bench.disk.freeBytes = Infinity
  await make(bench, '/a')
  const again = await openBench({ disk: bench.disk.cut(), fresh: false })
  expect(names(again)).toEqual(['/a', '/before'])
  expect(again.store.dump()).toBe(bench.store.dump())
})

test('a commit that fails with the group on disk is replayed into the same state, once', async () => {
  const bench = await openBench()
  bench.store.failCommit = { error: new Error('lost answer'), kept: true }
  expect(await outcome(make(bench, '/a'))).toBe('TIMEOUT')
  const again = await openBench({ store: bench.store.reopened(), disk: bench.disk.cut() })
  expect(names(again)).toEqual(['/a'])
  expect(again.journal.view.counters.directories).toBe(bench.journal.view.counters.directories + 1)
})

test('a repeated request has one effect and one answer: in the same group, later, and after a restart', async () => {
  const bench = await openBench()
  const ask = (at: Bench): Promise<unknown> =>
    at.do(create, { path: '/f', replication: 3, blockBytes: 4096, blocks: 2, requestId: requestId('c1:7') })
  const [first, speculative] = await Promise.all([ask(bench), ask(bench)])
  expect(speculative).toEqual(first)
  expect(first).toMatchObject({ blocks: [1, 2] })
  expect(await ask(bench)).toEqual(first)
  const again = await openBench({ store: bench.store.reopened(), disk: bench.disk.cut() })
  expect(await ask(again)).toEqual(first)
  expect(again.journal.view.counters.nextBlock).toBe(3)
})

test('a repeat of a request that is queued gets its outcome, a refusal too, and never runs by itself', async () => {
  const bench = await openBench()
  await make(bench, '/a')
  let runs = 0
  const counted = { ...mkdir, mutate: (...given: Parameters<typeof mkdir.mutate>) => { runs++; return mkdir.mutate(...given) } }
  const ask = (path: string): Promise<unknown> => bench.journal.submit(counted, { requestId: requestId('c:9'), path, nowMs: 1, ...root })
  const first = ask('/a')
  expect(bench.journal.hasAnswer(requestId('c:9'))).toBe(true)
  // Unchecked by a route, because the request is known.
  const repeat = ask('/a/b')
  expect(await Promise.allSettled([first, repeat])).toMatchObject([{ reason: { code: 'EEXIST' } }, { reason: { code: 'EEXIST' } }])
  expect([runs, bench.journal.hasAnswer(requestId('c:9'))]).toEqual([1, false])
  expect(names(bench)).toEqual(['/a'])
})

test('an answer that an earlier version kept, under the id as it came, is found by the scoped id; one of another caller is not', async () => {
  const bench = await openBench()
  const before = await make(bench, '/a', 'c:1')
  expect(await make(bench, '/a', scopedId('namespace.mkdir', 'ann', requestId('c:1')))).toEqual(before)
  await make(bench, '/b', scopedId('namespace.mkdir', 'ann', requestId('c:2')))
  expect(await outcome(make(bench, '/b', scopedId('namespace.mkdir', 'bob', requestId('c:2'))))).toBe('EEXIST')
  // Nor if that caller sends the scoped id of the other one, with whatever message.
  const crafted = scopedId('namespace.remove', 'bob', scopedId('namespace.mkdir', 'ann', requestId('c:2')))
  expect(bench.journal.hasAnswer(crafted)).toBe(false)
  expect(await outcome(make(bench, '/b', crafted))).toBe('EEXIST')
})

/** Takes `ms` of the journal's time. */
const slowly = (bench: Bench, path: string, ms: number): Promise<unknown> => {
  const slow = { ...mkdir, mutate: (...given: Parameters<typeof mkdir.mutate>) => { bench.clock.pass(ms); return mkdir.mutate(...given) } }
  return bench.journal.submit(slow, { path, nowMs: 1, ...root })
}

test('a group ends when its operations have taken long; the others wait for the next one, and others are served in between', async () => {
  const bench = await openBench()
  let commits = 0
  bench.store.onCommit = () => { commits++ }
  await Promise.all(['/a', '/b', '/a', '/c', '/d'].map(path => outcome(slowly(bench, path, 7))))
  expect(commits).toBe(3)
  // A slow operation is a group of its own.
  await Promise.all([slowly(bench, '/e', 500), slowly(bench, '/f', 500)])
  expect(commits).toBe(5)
  await Promise.all(['/g', '/h', '/i'].map(path => make(bench, path)))
  expect(commits).toBe(6)
  expect(names(await openBench({ store: bench.store.reopened(), disk: bench.disk.cut() }))).toHaveLength(9)
})

test('operations waiting behind a group that finds no space in the store are refused, and not kept waiting', async () => {
  const bench = await openBench()
  bench.store.onCommit = () => { throw full() }
  const [first, second] = [slowly(bench, '/a', 50), outcome(slowly(bench, '/b', 50))]
  expect(await second).toBe('ENOSPC')
  bench.store.onCommit = undefined
  bench.clock.pass(500)
  await first
  expect(names(bench)).toEqual(['/a'])
})

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

test('old segments go, the newest stay', async () => {
  const bench = await openBench({ segmentLimits: { segmentBytes: 200, heldBytes: 1e9, keptBytes: 1e9, keptFiles: 3 } })
  for (let i = 0; i < 20; i++) await make(bench, `/d${i}`)
  expect(bench.disk.files.size).toBeLessThanOrEqual(4)
  const again = await openBench({ store: bench.store.reopened(), disk: bench.disk.cut() })
  expect(names(again)).toHaveLength(20)
})

test('an operation of a newer version is refused by its name', async () => {
  const bench = await openBench()
  const strange = { kind: 'future.fly', mutate: () => undefined }
  await bench.journal.submit(strange, {})
  await expect(openBench({ disk: bench.disk.cut(), fresh: false })).rejects.toMatchObject({
    code: 'CORRUPT', message: expect.stringContaining('future.fly'),
  })
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

const full = (): Error => new GristmillError('ENOSPC', 'the disk under /store is full, nothing was written')

test('a store without room for a commit: reads go on, changes are refused, and what the log has happens once there is room', async () => {
  const bench = await openBench()
  await make(bench, '/before')
  bench.store.onCommit = () => { throw full() }
  const waits = make(bench, '/a', 'c1:1')
  const also = make(bench, '/b')
  await bench.clock.yield()
  await bench.clock.yield()
  expect(names(bench)).toEqual(['/before'])
  expect(await outcome(make(bench, '/c'))).toBe('ENOSPC')
  const retry = make(bench, '/a', 'c1:1')
  for (let i = 0; i < 3; i++) {
    bench.clock.pass(500)
    await bench.clock.yield()
  }
  expect(names(bench)).toEqual(['/before'])
  expect(bench.fatal).toEqual([])
  bench.store.onCommit = undefined
  bench.clock.pass(500)
  const [first, again] = await Promise.all([waits, retry, also])
  expect(again).toEqual(first)
  expect(names(bench)).toEqual(['/a', '/b', '/before'])
  await make(bench, '/c')
  // The log contains each operation once, and gives the same state to the byte, including the times of kept replies.
  const rebuilt = await openBench({ disk: bench.disk.cut(), fresh: false })
  expect(rebuilt.store.dump()).toBe(bench.store.dump())
})

test('repeats that wait while a group finds no room get the answers of their first copies', async () => {
  const bench = await openBench()
  const before = await make(bench, '/before', 'c:0')
  let late: Array<Promise<unknown>> | undefined
  bench.store.onCommit = () => {
    late ??= [make(bench, '/before', 'c:0'), make(bench, '/a', 'c:1')]
    throw full()
  }
  const first = make(bench, '/a', 'c:1')
  while (!late) await new Promise(resolve => { setImmediate(resolve) })
  expect(await late[0]).toEqual(before)
  bench.store.onCommit = undefined
  bench.clock.pass(500)
  expect(await late[1]).toEqual(await first)
  expect(names(bench)).toEqual(['/a', '/before'])
})

test('a queue that is full refuses what is new, and answers repeats of what has happened and of what waits', async () => {
  const bench = await openBench()
  const before = await make(bench, '/a', 'c:0')
  const first = make(bench, '/b', 'c:1')
  const others: Array<Promise<string>> = []
  while (bench.journal.waiting < limits.mutationQueueMax) others.push(outcome(make(bench, '/b/c')))
  const answers = [make(bench, '/a', 'c:0'), make(bench, '/b', 'c:1')]
  const refused = outcome(make(bench, '/c', 'c:2'))
  expect([bench.journal.hasAnswer(requestId('c:1')), bench.journal.hasAnswer(requestId('c:2'))]).toEqual([true, false])
  expect(await Promise.all(answers)).toEqual([before, await first])
  expect(await refused).toBe('OVERLOADED')
  await Promise.all(others)
})

test('a namenode that ends while its disk is full says that the outcome is unknown, and the next one has it', async () => {
  const bench = await openBench()
  const before = bench.store.reopened()
  bench.store.onCommit = () => { throw full() }
  const waits = outcome(make(bench, '/a'))
  await bench.clock.yield()
  await bench.clock.yield()
  await bench.journal.close()
  expect(await waits).toBe('TIMEOUT')
  expect(bench.fatal).toEqual([])
  const again = await openBench({ store: before, disk: bench.disk.cut() })
  expect(names(again)).toEqual(['/a'])
})

test('a commit that fails for another reason after the disk was full ends the process', async () => {
  const bench = await openBench()
  let error = full()
  bench.store.onCommit = () => { throw error }
  const waits = outcome(make(bench, '/a'))
  await bench.clock.yield()
  await bench.clock.yield()
  error = new Error('MDB_EIO')
  bench.clock.pass(500)
  expect(await waits).toBe('TIMEOUT')
  expect(bench.fatal).toHaveLength(1)
  expect(await outcome(make(bench, '/b'))).toBe('TIMEOUT')
})

test('a mistake in one mutation fails that operation only', async () => {
  const bench = await openBench()
  const broken = { kind: 'test.broken', mutate: (): undefined => { throw new TypeError('oops') } }
  const outcomes = await Promise.allSettled([make(bench, '/a'), bench.journal.submit(broken, {}), make(bench, '/b')])
  expect(outcomes.map(each => each.status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  expect(names(bench)).toEqual(['/a', '/b'])
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

test('a journal that has been closed says so, to those who read and to those who write, and calls nothing a failure', async () => {
  const bench = await openBench()
  await make(bench, '/a')
  await bench.journal.close()
  expect(await outcome(make(bench, '/b'))).toBe('UNAVAILABLE')
  expect(() => names(bench)).toThrow(expect.objectContaining({ code: 'UNAVAILABLE' }))
  expect(bench.fatal).toEqual([])
  expect([...bench.disk.cut().files.keys()]).toHaveLength(1)
})

test('an operation that comes while a group finds no room is refused, and does not wait for ever', async () => {
  const bench = await openBench()
  let late: Promise<string> | undefined
  bench.store.onCommit = () => {
    late ??= outcome(make(bench, '/late'))
    bench.store.failCommit ??= { error: new GristmillError('ENOSPC', 'full'), kept: false }
  }
  const first = outcome(make(bench, '/a'))
  while (!late) await new Promise(resolve => { setImmediate(resolve) })
  expect(await late).toBe('ENOSPC')
  bench.store.onCommit = undefined
  bench.store.failCommit = undefined
  for (let tries = 0; tries < 100 && bench.journal.view.counters.appliedSeq < 2; tries++) {
    bench.clock.pass(500)
    await new Promise(resolve => { setImmediate(resolve) })
  }
  expect(await first).toBe('ok')
  expect(names(bench)).toEqual(['/a'])
})

test('a group of more than one frame has its operations numbered one after the other', async () => {
  const bench = await openBench()
  const pad = 'x'.repeat(17 * 2 ** 20)
  await Promise.all(['/a', '/b', '/c'].map(path => bench.do(mkdir, { path, pad } as never)))
  await make(bench, '/d')
  const again = await openBench({ disk: bench.disk.cut(), fresh: false })
  expect(again.store.dump()).toBe(bench.store.dump())
}, 60_000)

test('directories that a refused operation would have made are not there for the next one', async () => {
  const bench = await openBench()
  const half = mutation<{ path: string; nowMs: number; user: string; root: boolean }, undefined>({
    kind: 'test.half',
    mutate(draft, operation) {
      mkdir.mutate(draft, operation as never)
      list(draft, root, { path: operation.path }) // looked up, and so cached
      throw new GristmillError('EINVAL', 'and now it is refused')
    },
  })
  expect(await outcome(bench.do(half, { path: '/a' }))).toBe('EINVAL')
  expect(await outcome(make(bench, '/a/b'))).toBe('ENOENT')
})
