// Snapshots: a directory as it was, whatever changed since, kept as long as needed and not a row longer.

import { expect, test } from 'vitest'
import { encodeEntry, decodeEntry, sinceOf, type NameEntry } from '../../../../namenode/namespace/entry.ts'
import { attributesOf } from '../../../../namenode/xattrs/rows.ts'
import { blocksOf, knownBlock, targetOf } from '../../../../namenode/namespace/file.ts'
import { historyKey } from '../../../../namenode/snapshots/history.ts'
import { mkdir, remove, rename, setAttributes, touch } from '../../../../namenode/namespace/names.ts'
import { list, stat, summary } from '../../../../namenode/namespace/read.ts'
import { checkFree } from '../../../../namenode/namespace/reserved.ts'
import { pathOf } from '../../../../namenode/namespace/resolve.ts'
import { sweep } from '../../../../namenode/namespace/sweep.ts'
import { sweepHistory } from '../../../../namenode/snapshots/historysweep.ts'
import { createSnapshot, removeSnapshot } from '../../../../namenode/snapshots/mutations.ts'
import { discard, purge } from '../../../../namenode/trash/mutations.ts'
import type { View } from '../../../../namenode/journal/view.ts'
import { setAttribute } from '../../../../namenode/xattrs/mutations.ts'
import { setQuota } from '../../../../namenode/quotas/mutations.ts'
import { inodeId } from '../../../../src/base/ids.ts'
import { limits } from '../../../../src/base/limits.ts'
import { seeded } from '../../../../src/world/random.ts'
import { as, type Bench, openBench, replayed, root, sweepAll, writeFile } from '../kit.ts'

/** Everything at and below a path, as a reader sees it, with the blocks of each file. */
function dump(view: View, path: string, top = path): string[] {
  return list(view, root, { path }).entries.flatMap(({ path: at, id, type, mode, length, owner, mtimeMs }) => [
    [
      at.slice(top.length), type, id, mode, length, owner, mtimeMs,
      ...(type === 'file' ? [...blocksOf(view, id)].flat().map(block => `b${block.id}${knownBlock(view, block.id) ? '' : ' LOST'}`) : []),
    ].join(' '),
    ...(type === 'directory' ? dump(view, at, top) : []),
  ])
}

/** The directory itself as a reader sees it, but for its time, which in a snapshot is that of the snapshot. */
function shownTop(view: View, path: string): string {
  const { id, type, mode, owner, group } = stat(view, root, path)
  return [type, id, mode, owner, group].join(' ')
}

const rowsOf = (bench: Bench, table: string): string[] => bench.store.dump().split('\n').filter(line => line.startsWith(`${table} `))

test('a snapshot shows what was there: files that went, names that changed, modes and times', async () => {
  const bench = await openBench()
  const { view } = bench.journal
  await writeFile(bench, '/d/x/f')
  await writeFile(bench, '/d/g', 3)
  await bench.do(mkdir, { path: '/d/y' })
  const before = dump(view, '/d')
  await bench.do(createSnapshot, { path: '/d', name: 'one' })
  expect(dump(view, '/d/.snapshot/one')).toEqual(before)
  await bench.do(setAttributes, { path: '/d/g', mode: 0o600 })
  await bench.do(remove, { path: '/d/g' })
  await bench.do(rename, { from: '/d/x', to: '/d/y/z' })
  await writeFile(bench, '/d/y/z/f', 2)
  await writeFile(bench, '/d/new')
  await sweepAll(bench)
  expect(dump(view, '/d/.snapshot/one')).toEqual(before)
  expect(stat(view, root, '/d/.snapshot/one/x/f')).toMatchObject({ path: '/d/.snapshot/one/x/f', length: 10, mode: 0o644 })
  expect(() => stat(view, root, '/d/.snapshot/one/new')).toThrow(expect.objectContaining({ code: 'ENOENT' }))
  expect(() => stat(view, root, '/d/.snapshot/one/x/f/g')).toThrow(expect.objectContaining({ code: 'ENOTDIR' }))
  for (const [path, what] of [['x/f/g', 'x/f is a file'], ['x/none/g', 'x/none was not there']] as const) {
    expect(() => stat(view, root, `/d/.snapshot/one/${path}`)).toThrow(
      expect.objectContaining({ message: expect.stringContaining(`/d/.snapshot/one/${what}`) }),
    )
  }
  expect(() => stat(view, root, '/d/.snapshot/two')).toThrow(expect.objectContaining({ code: 'ENOENT' }))
  expect(() => stat(view, root, '/d/y/.snapshot')).toThrow(expect.objectContaining({ code: 'ENOENT' }))
  expect(list(view, root, { path: '/d/.snapshot' }).entries.map(entry => entry.path)).toEqual(['/d/.snapshot/one'])
  expect(list(view, root, { path: '/d' }).entries.map(entry => entry.path)).toEqual(['/d/new', '/d/y'])
  const world = { yield: () => bench.clock.yield(), signal: new AbortController().signal }
  expect(await summary(view, root, '/d/.snapshot/one', world)).toEqual({ files: 2, directories: 3, bytes: 40, stored: 40 })
  expect(await summary(view, root, '/d', world)).toEqual({ files: 2, directories: 3, bytes: 30, stored: 30 })
  await bench.do(removeSnapshot, { path: '/d', name: 'one' })
  await sweepAll(bench)
  expect(view.counters).toMatchObject({ snapshots: 0, history: 0, marks: 0, doomed: 0, files: 2, blocks: 3 })
  expect(['history', 'held', 'marks', 'snapshots'].flatMap(table => rowsOf(bench, table))).toEqual([])
  await replayed(bench)
})

test('a listing of a snapshot comes in pages, each name once and in order', async () => {
  const bench = await openBench()
  const { view } = bench.journal
  await bench.do(mkdir, { path: '/d' })
  const names = Array.from({ length: 60 }, (_, i) => `n${String(i).padStart(2, '0')}`)
  for (const name of names) await bench.do(touch, { path: `/d/${name}`, replication: 1, blockBytes: 4096 })
  await bench.do(createSnapshot, { path: '/d', name: 's' })
  for (const [i, name] of names.entries()) {
    if (i % 3 === 0) await bench.do(remove, { path: `/d/${name}` })
    if (i % 3 === 1) await bench.do(setAttributes, { path: `/d/${name}`, mode: 0o600 })
    await bench.do(touch, { path: `/d/${name}x`, replication: 1, blockBytes: 4096 })
    await bench.do(touch, { path: `/d/${name}\u0001`, replication: 1, blockBytes: 4096 })
  }
  for (const limit of [1, 2, 7, 1000]) {
    const seen: string[] = []
    for (let after: string | undefined; ;) {
      const page = list(view, root, { path: '/d/.snapshot/s', after, limit })
      seen.push(...page.entries.map(entry => entry.path.slice('/d/.snapshot/s/'.length)))
      expect(page.entries.every(entry => entry.mode === 0o644)).toBe(true)
      if (page.next === undefined) break
      after = page.next
    }
    expect(seen).toEqual(names)
  }
})

test('a directory that moves on from a place which an older snapshot sees stays in the newer one that it was in itself', async () => {
  const bench = await openBench()
  const { view } = bench.journal
  for (const path of ['/s/p', '/s/deep/d', '/q']) await bench.do(mkdir, { path, parents: true })
  await bench.do(createSnapshot, { path: '/s', name: 'older' })
  await bench.do(rename, { from: '/s/deep/d', to: '/s/d' })
  expect(view.counters.marks).toBe(0)
  await bench.do(rename, { from: '/s/p', to: '/p' })
  await writeFile(bench, '/s/d/f')
  await bench.do(createSnapshot, { path: '/s', name: 'newer' })
  const [older, newer] = ['older', 'newer'].map(name => dump(view, `/s/.snapshot/${name}`))
  await bench.do(createSnapshot, { path: '/q', name: 'of another directory' })
  await bench.do(rename, { from: '/s/d', to: '/p/d' })
  await bench.do(rename, { from: '/p/d', to: '/q/d' })
  expect(view.counters.marks).toBe(2)
  await bench.do(remove, { path: '/q/d/f' })
  await sweepAll(bench)
  expect(dump(view, '/s/.snapshot/newer')).toEqual(newer)
  expect(dump(view, '/s/.snapshot/older')).toEqual(older)
  // Files created and removed between two snapshots leave nothing behind.
  const { history } = view.counters
  await writeFile(bench, '/q/d/g')
  await bench.do(remove, { path: '/q/d/g' })
  await bench.do(rename, { from: '/q/d', to: '/q/e' })
  expect([view.counters.history, view.counters.marks]).toEqual([history, 2])
  // Moved back in, and out again: its state at its last snapshot is kept.
  await bench.do(rename, { from: '/q/e', to: '/s/e' })
  await writeFile(bench, '/s/e/h')
  await bench.do(createSnapshot, { path: '/s', name: 'newest' })
  const newest = dump(view, '/s/.snapshot/newest')
  await bench.do(rename, { from: '/s/e', to: '/e' })
  await bench.do(remove, { path: '/e/h' })
  expect(view.counters.marks).toBe(3) // and /q's, whose snapshot it was not in
  expect(dump(view, '/s/.snapshot/newest')).toEqual(newest)
})

test('an entry moved out of a directory stays in its snapshots, without its later changes', async () => {
  const bench = await openBench()
  const { view } = bench.journal
  await writeFile(bench, '/a/in/deep/f')
  await bench.do(mkdir, { path: '/b' })
  await bench.do(createSnapshot, { path: '/a', name: 's' })
  const before = dump(view, '/a')
  await bench.do(rename, { from: '/a/in', to: '/b/out' })
  await bench.do(rename, { from: '/b/out/deep', to: '/b/deep' })
  await bench.do(remove, { path: '/b/deep/f' })
  await writeFile(bench, '/b/deep/g')
  await bench.do(remove, { path: '/b', recursive: true })
  await sweepAll(bench)
  expect(dump(view, '/a/.snapshot/s')).toEqual(before)
  await bench.do(removeSnapshot, { path: '/a', name: 's' })
  await sweepAll(bench)
  expect(view.counters).toMatchObject({ history: 0, marks: 0, files: 0, blocks: 0, doomed: 0 })
  await replayed(bench)
})

test('a directory with snapshots is not removed by any operation', async () => {
  const bench = await openBench()
  await bench.do(mkdir, { path: '/a/b/c', parents: true })
  await bench.do(createSnapshot, { path: '/a/b', name: 's' })
  for (const path of ['/a', '/a/b']) {
    await expect(bench.do(remove, { path, recursive: true })).rejects.toMatchObject({ code: 'EBUSY' })
    await expect(bench.do(discard, { path, recursive: true })).rejects.toMatchObject({ code: 'EBUSY' })
    await expect(bench.do(rename, { from: path, to: '/.gristmill/jobs/x' })).rejects.toMatchObject({ code: 'EBUSY' })
  }
  await bench.do(mkdir, { path: '/empty' })
  await bench.do(createSnapshot, { path: '/empty', name: 's' })
  await bench.do(mkdir, { path: '/other' })
  await expect(bench.do(rename, { from: '/other', to: '/empty', overwrite: true })).rejects.toMatchObject({ code: 'EBUSY' })
  await bench.do(remove, { path: '/a/b/c' })
  await bench.do(rename, { from: '/a', to: '/z' })
  expect(list(bench.journal.view, root, { path: '/z/b/.snapshot/s' }).entries.map(entry => entry.path)).toEqual(['/z/b/.snapshot/s/c'])
  await bench.do(removeSnapshot, { path: '/z/b', name: 's' })
  await bench.do(remove, { path: '/z', recursive: true })
  await sweepAll(bench)
  expect(bench.journal.view.counters).toMatchObject({ history: 0, doomed: 0, directories: 6 })
})

test('snapshots are the owner\'s to take, have names that differ, and are of no file and nothing of the system\'s', async () => {
  const bench = await openBench()
  const [alice, bob] = [as('alice'), as('bob')]
  await bench.do(mkdir, { path: '/d', mode: 0o700, ...alice })
  await bench.do(touch, { path: '/d/f', replication: 1, blockBytes: 4096, ...alice })
  expect(await bench.do(createSnapshot, { path: '/d', nowMs: Date.UTC(2026, 10, 23, 1, 2, 3, 4), ...alice })).toMatchObject({
    name: 's20261123T010203.004Z', owner: 'alice',
  })
  await bench.do(createSnapshot, { path: '/d', name: 's', ...alice })
  await expect(bench.do(createSnapshot, { path: '/d', name: 's', ...alice })).rejects.toMatchObject({ code: 'EEXIST' })
  await expect(bench.do(createSnapshot, { path: '/d', name: 't', ...bob })).rejects.toMatchObject({ code: 'EACCES' })
  await expect(bench.do(removeSnapshot, { path: '/d', name: 's', ...bob })).rejects.toMatchObject({ code: 'EACCES' })
  await expect(bench.do(createSnapshot, { path: '/d/f', ...alice })).rejects.toMatchObject({ code: 'ENOTDIR' })
  await expect(bench.do(createSnapshot, { path: '/none' })).rejects.toMatchObject({ code: 'ENOENT' })
  await expect(bench.do(createSnapshot, { path: '/.gristmill/jobs' })).rejects.toMatchObject({ code: 'EACCES' })
  await expect(bench.do(createSnapshot, { path: '/d', name: 'a/b', ...alice })).rejects.toMatchObject({ code: 'EINVAL' })
  await expect(bench.do(removeSnapshot, { path: '/d', name: 'none', ...alice })).rejects.toMatchObject({ code: 'ENOENT' })
  expect(() => stat(bench.journal.view, bob, '/d/.snapshot/s/f')).toThrow(expect.objectContaining({ code: 'EACCES' }))
  for (const path of ['/d/.snapshot', '/d/.snapshot/s/f']) expect(() => checkFree(path)).toThrow(expect.objectContaining({ code: 'EROFS' }))
  expect(() => checkFree('/d/.snapshots')).not.toThrow()
})

test('a snapshot shows the replicas that a file was to have, and its blocks have those that the file is to have now, or had last', async () => {
  const bench = await openBench()
  const { view } = bench.journal
  await writeFile(bench, '/d/f')
  await bench.do(setAttribute, { path: '/d/f', name: 'user.a', value: 'b2xk' })
  const { id } = stat(view, root, '/d/f')
  await bench.do(setAttributes, { path: '/d/f', replication: 3 })
  await bench.do(createSnapshot, { path: '/d', name: 's' })
  await bench.do(setAttributes, { path: '/d/f', replication: 2 })
  expect([stat(view, root, '/d/.snapshot/s/f').replication, stat(view, root, '/d/f').replication, targetOf(view, id)]).toEqual([3, 2, 2])
  // Attributes belong to the current file, also when read through a snapshot.
  await bench.do(setAttribute, { path: '/d/f', name: 'user.a', value: 'bmV3' })
  expect([...attributesOf(view, stat(view, root, '/d/.snapshot/s/f').id)].map(({ value }) => value.toString())).toEqual(['new'])
  // A removed file keeps its last attributes, as long as the snapshot shows it.
  await bench.do(remove, { path: '/d/f' })
  await sweepAll(bench)
  expect([stat(view, root, '/d/.snapshot/s/f').replication, targetOf(view, id), [...attributesOf(view, id)].length]).toEqual([3, 2, 1])
  await bench.do(removeSnapshot, { path: '/d', name: 's' })
  await sweepAll(bench)
  expect([targetOf(view, id), [...attributesOf(view, id)].length, view.counters.attributes]).toEqual([undefined, 0, 0])
})

test('a snapshot of the root has everything but what is the system\'s', async () => {
  const bench = await openBench()
  const { view } = bench.journal
  await writeFile(bench, '/a/f')
  await bench.do(createSnapshot, { path: '/', name: 's' })
  const item = await bench.do(discard, { path: '/a', recursive: true })
  await bench.do(purge as never, { beforeMs: 1e15, limit: 10 } as never)
  await sweepAll(bench)
  expect(item).toMatch(/Z-\d+$/)
  expect(list(view, root, { path: '/' }).entries).toEqual([])
  expect(dump(view, '/.snapshot/s').map(line => line.split(' ')[0])).toEqual(['/a', '/a/f'])
  expect(() => stat(view, root, '/.snapshot/s/.gristmill')).toThrow(expect.objectContaining({ code: 'ENOENT' }))
  await bench.do(removeSnapshot, { path: '/', name: 's' })
  await sweepAll(bench)
  expect(view.counters).toMatchObject({ history: 0, marks: 0, files: 0, blocks: 0 })
})

test('without snapshots, names are written in their former format', async () => {
  const bench = await openBench()
  await bench.do(touch, { path: '/f', replication: 1, blockBytes: 4096 })
  const entry: NameEntry = decodeEntry(
    encodeEntry({
      id: inodeId(9), directory: false, mode: 0o644, owner: 'a', group: 'a', mtimeMs: 5, replication: 1, blockBytes: 4096, format: 'csv',
      length: 1, blocks: 1,
    }),
  )
  expect(sinceOf(encodeEntry(entry))).toBe(0)
  expect(sinceOf(encodeEntry(entry, 77))).toBe(77)
  expect(decodeEntry(encodeEntry(entry, 77))).toEqual(entry)
  expect(encodeEntry(entry, 77)).toHaveLength(encodeEntry(entry).length + 6)
  expect(historyKey(3, 'a', 9).compare(historyKey(3, 'a', 10))).toBe(-1)
  expect(historyKey(3, 'a', 2 ** 40).compare(historyKey(3, 'a\u0001', 1))).toBe(-1)
  await bench.do(mkdir, { path: '/d' })
  await bench.do(createSnapshot, { path: '/d', name: 's' })
  await bench.do(touch, { path: '/g', replication: 1, blockBytes: 4096 })
  await bench.do(remove, { path: '/f' })
  // Outside of the directory: nothing is kept.
  expect(rowsOf(bench, 'history')).toEqual([])
})

for (const seed of [1, 2, 3, 4, 5, 6]) {
  test(`whatever is done, every snapshot stays as it was taken, and nothing is kept for none (seed ${seed})`, async () => {
    const random = seeded(seed)
    const bench = await openBench({ segmentLimits: { segmentBytes: 20_000, heldBytes: 1e9, keptBytes: 1e9, keptFiles: 1e6 } })
    const { view } = bench.journal
    const path = (): string => Array.from({ length: 1 + random.below(4) }, () => `/${'abc'[random.below(3)]}`).join('')
    const taken = new Map<string, { directory: number; name: string; lines: string[] }>()
    const quietly = async (work: Promise<unknown>): Promise<void> => {
      await work.catch((error: { code?: string }) => {
        if (error.code === undefined) throw error
      })
    }
    let done = 0
    for (let round = 0; round < 400; round++) {
      bench.clock.pass(10)
      const [a, b] = [path(), path()]
      switch (random.below(15)) {
        case 0:
        case 1:
          await quietly(bench.do(mkdir, { path: a, parents: true }))
          break
        case 2:
        case 3:
        case 4:
          await quietly(writeFile(bench, a, 1 + random.below(2)))
          break
        case 5:
          await quietly(bench.do(remove, { path: a, recursive: true }))
          break
        case 6:
          await quietly(bench.do(discard, { path: a, recursive: true }))
          break
        case 7:
        case 8:
        case 9:
          await quietly(bench.do(rename, { from: a, to: b, overwrite: random.below(2) === 0 }))
          break
        case 10:
          await quietly(bench.do(setAttributes, { path: a, mode: random.below(2) === 0 ? 0o700 : 0o755 }))
          break
        case 11:
          await (random.below(2) === 0
            ? bench.journal.submit(sweep, { limit: 1 + random.below(5) })
            : bench.journal.submit(sweepHistory, { limit: 1 + random.below(5) }))
          break
        case 12:
        case 13: {
          const at = random.below(8) === 0 ? '/' : a
          const name = `s${round}`
          await quietly(
            bench.do(createSnapshot, { path: at, name, keepsEntry: true }).then(() => {
              const lines = [shownTop(view, at), ...dump(view, at, at === '/' ? '' : at)]
              taken.set(name, { directory: stat(view, root, at).id, name, lines })
            }),
          )
          break
        }
        default: {
          if (random.below(3) === 0) await bench.journal.submit(purge, { beforeMs: bench.clock.now() - 300, limit: 10 })
          const one = [...taken.values()][random.below(Math.max(1, taken.size))]
          if (one && taken.size > 2) {
            await bench.do(removeSnapshot, { path: pathOf(view, inodeId(one.directory))!, name: one.name })
            taken.delete(one.name)
            done++
          }
        }
      }
      if (round % 5 === 0) {
        for (const { directory, name, lines } of taken.values()) {
          const at = pathOf(view, inodeId(directory))!
          const top = `${at === '/' ? '' : at}/.snapshot/${name}`
          expect([shownTop(view, top), ...dump(view, top)], `round ${round}, ${top}`).toEqual(lines)
        }
      }
    }
    expect(done).toBeGreaterThan(2)
    for (const { directory, name } of taken.values()) await bench.do(removeSnapshot, { path: pathOf(view, inodeId(directory))!, name })
    await bench.journal.submit(purge, { beforeMs: 1e15, limit: 1e6 })
    await sweepAll(bench)
    const live = dump(view, '/', '')
    const blocks = live.flatMap(line => line.match(/ b\d+/g) ?? [])
    expect(live.some(line => line.includes('LOST'))).toBe(false)
    expect(view.counters).toMatchObject({
      snapshots: 0, history: 0, marks: 0, doomed: 0, blocks: blocks.length,
      files: live.filter(line => line.split(' ')[1] === 'file').length,
    })
    expect(['history', 'held', 'marks', 'snapshots', 'doomed'].flatMap(table => rowsOf(bench, table))).toEqual([])
    expect(rowsOf(bench, 'blocks')).toHaveLength(blocks.length)
    await replayed(bench)
  })
}

test('so many directories may have snapshots, and running counts of quotas are none of them', async () => {
  const bench = await openBench()
  for (let i = 0; i < limits.snapshotDirectoriesMax + 2; i++) await bench.do(mkdir, { path: `/d${i}` })
  // Two counts of quotas are under way.
  for (const i of [0, 1]) await bench.do(setQuota, { path: `/d${limits.snapshotDirectoriesMax + i}`, names: 5 })
  for (let i = 0; i < limits.snapshotDirectoriesMax; i++) await bench.do(createSnapshot, { path: `/d${i}`, name: 's' })
  const more = { path: `/d${limits.snapshotDirectoriesMax}`, name: 's' }
  await expect(bench.do(createSnapshot, more)).rejects.toMatchObject({
    code: 'EINVAL', message: expect.stringContaining(`${limits.snapshotDirectoriesMax} directories have snapshots`),
  })
  await bench.do(createSnapshot, { path: '/d0', name: 't' })
  await bench.do(removeSnapshot, { path: '/d1', name: 's' })
  await bench.do(createSnapshot, more)
})
