// Quotas: no operation exceeds a bound, and reported usage equals the content.

import { expect, test } from 'vitest'
import { mkdir, remove, rename, setAttributes, touch } from '../../../../namenode/namespace/names.ts'
import { list, stat } from '../../../../namenode/namespace/read.ts'
import { entryAt, pathOf } from '../../../../namenode/namespace/resolve.ts'
import { sweep } from '../../../../namenode/namespace/sweep.ts'
import { addDirectory, detach } from '../../../../namenode/namespace/tree.ts'
import { toCount, usageAt } from '../../../../namenode/quotas/usage.ts'
import { counted, setQuota } from '../../../../namenode/quotas/mutations.ts'
import { sweepHistory } from '../../../../namenode/snapshots/historysweep.ts'
import { createSnapshot, removeSnapshot } from '../../../../namenode/snapshots/mutations.ts'
import { discard, restore } from '../../../../namenode/trash/mutations.ts'
import { complete, create } from '../../../../namenode/writing/mutations.ts'
import { publishOutput } from '../../../../namenode/jobs/publish/publish.ts'
import { openStaging } from '../../../../namenode/jobs/publish/staging.ts'
import { Draft } from '../../../../namenode/journal/draft.ts'
import { idKey, readId } from '../../../../namenode/journal/keys.ts'
import type { View } from '../../../../namenode/journal/view.ts'
import { inodeId, jobId, type InodeId } from '../../../../src/base/ids.ts'
import { limits } from '../../../../src/base/limits.ts'
import { seeded } from '../../../../src/world/random.ts'
import { as, type Bench, countUsage, differencesIn, file, limitUsage, openBench, replayed, root, sweepAll } from '../kit.ts'

const full = { code: 'EDQUOT' }

async function write(bench: Bench, path: string, length: number, replication = 2): Promise<void> {
  const made = await bench.do(create, { path, overwrite: true, replication, blockBytes: 1 << 20, blocks: 1 })
  try {
    await bench.do(complete, { lease: made.lease, blocks: [{ id: made.blocks[0]!, length, crc: 1, aligned: false }] })
  } catch (error) {
    await bench.journal.submit((await import('../../../../namenode/writing/mutations.ts')).abandon, { lease: made.lease, ...root })
    throw error
  }
}

const usage = (bench: Bench, path: string) =>
  usageAt(
    bench.journal.view,
    list(bench.journal.view, root, { path: path === '/' ? '/' : path.slice(0, path.lastIndexOf('/')) || '/' }).entries.find(
      entry => entry.path === path,
    )?.id ?? inodeId(1),
  )

function below(view: View, path: string): { names: number; bytes: number } {
  let [names, bytes] = [0, 0]
  for (const entry of list(view, root, { path }).entries) {
    names++
    bytes += entry.length * entry.replication
    if (entry.type === 'directory') {
      const deeper = below(view, entry.path)
      names += deeper.names
      bytes += deeper.bytes
    }
  }
  return { names, bytes }
}

test('so many directories may have quotas, and no more; one that has a quota may have another', async () => {
  const bench = await openBench()
  for (const path of ['/a', '/b']) await bench.do(mkdir, { path })
  const draft = new Draft(bench.journal.view)
  draft.counters.quotas = limits.quotasMax - 1
  const ask = (path: string, names: number | null): undefined => setQuota.mutate(draft, { path, names, nowMs: 0, ...root })
  ask('/a', 1)
  expect(draft.counters.quotas).toBe(limits.quotasMax)
  expect(() => ask('/b', 1)).toThrow(
    expect.objectContaining({ code: 'EINVAL', message: expect.stringContaining(String(limits.quotasMax)) }),
  )
  ask('/a', 2)
  ask('/a', null)
  ask('/b', 1)
})

test('names and bytes are bounded, by whatever way they come', async () => {
  const bench = await openBench()
  await bench.do(mkdir, { path: '/q/d', parents: true })
  await bench.do(mkdir, { path: '/other/x', parents: true })
  await bench.do(touch, file('/other/x/f'))
  await limitUsage(bench, '/q', { names: 3, bytes: 1000 })
  expect(usage(bench, '/q')).toMatchObject({ known: true, used: { names: 1, bytes: 0 } })
  await bench.do(touch, file('/q/a'))
  await expect(bench.do(rename, { from: '/other/x', to: '/q/d/x' })).rejects.toMatchObject(full)
  await bench.do(touch, file('/q/d/b'))
  for (const path of ['/q/c', '/q/d/c']) {
    await expect(bench.do(touch, file(path))).rejects.toMatchObject(full)
    await expect(bench.do(mkdir, { path })).rejects.toMatchObject(full)
    await expect(bench.do(create, { ...file(path), blocks: 1 })).rejects.toMatchObject(full)
    await expect(bench.do(rename, { from: '/other/x/f', to: path })).rejects.toMatchObject(full)
  }
  // Overwrites a file of the directory: the number of names is unchanged.
  await bench.do(rename, { from: '/other/x/f', to: '/q/a', overwrite: true })
  expect(usage(bench, '/q')!.used).toEqual({ names: 3, bytes: 0 })
  await write(bench, '/q/a', 400)
  await expect(write(bench, '/q/d/b', 200)).rejects.toMatchObject(full)
  await write(bench, '/q/d/b', 100)
  expect(usage(bench, '/q')!.used).toEqual({ names: 3, bytes: 1000 })
  await expect(bench.do(setAttributes, { path: '/q/a', replication: 3 })).rejects.toMatchObject(full)
  await bench.do(setAttributes, { path: '/q/a', replication: 1 })
  expect(usage(bench, '/q')!.used).toEqual({ names: 3, bytes: 600 })
  // A move within the directory is not counted twice, and a removal frees usage at once.
  await bench.do(rename, { from: '/q/d', to: '/q/e' })
  const item = await bench.do(discard, { path: '/q/e', recursive: true })
  expect(usage(bench, '/q')!.used).toEqual({ names: 1, bytes: 400 })
  await write(bench, '/q/g', 250)
  await expect(bench.do(restore, { item })).rejects.toMatchObject(full)
  await bench.do(remove, { path: '/q/g' })
  expect(await bench.do(restore, { item })).toBe('/q/e')
  expect(usage(bench, '/q')!.used).toEqual({ names: 3, bytes: 600 })
  await replayed(bench)
})

test('a job\'s output is published whole within the quota, or not at all', async () => {
  const bench = await openBench()
  await bench.do(mkdir, { path: '/q' })
  await limitUsage(bench, '/q', { names: 2 })
  const draft = new Draft(bench.journal.view)
  openStaging(draft, jobId('job-1'), 'grace', { nowMs: 0 })
  const publish = (path: string): void =>
    publishOutput(draft, { job: jobId('job-1'), actor: root, owner: 'grace', output: { path, overwrite: false }, nowMs: 0 })
  publish('/q/out')
  expect(usageAt(draft, list(bench.journal.view, root, { path: '/' }).entries[0]!.id)!.used.names).toBe(2)
  await bench.do(touch, file('/q/one'))
  draft.reset()
  openStaging(draft, jobId('job-1'), 'grace', { nowMs: 0 })
  expect(() => publish('/q/out')).toThrow(expect.objectContaining(full))
})

test('quotas are the superuser\'s to set, of directories, and can be changed and taken away', async () => {
  const bench = await openBench()
  await bench.do(mkdir, { path: '/q', ...as('alice') })
  await bench.do(touch, file('/f'))
  await expect(bench.do(setQuota, { path: '/q', names: 1, ...as('alice') })).rejects.toMatchObject({ code: 'EACCES' })
  await expect(bench.do(setQuota, { path: '/f', names: 1 })).rejects.toMatchObject({ code: 'ENOTDIR' })
  await expect(bench.do(setQuota, { path: '/none', names: 1 })).rejects.toMatchObject({ code: 'ENOENT' })
  await expect(bench.do(setQuota, { path: '/.gristmill/jobs', names: 1 })).rejects.toMatchObject({ code: 'EACCES' })
  await limitUsage(bench, '/q', { names: 1 })
  await bench.do(touch, file('/q/a'))
  await expect(bench.do(touch, file('/q/b'))).rejects.toMatchObject(full)
  await bench.do(setQuota, { path: '/q', names: 2, bytes: 5 })
  await bench.do(touch, file('/q/b'))
  // A bound below the usage: nothing can be added, and nothing is removed.
  await bench.do(setQuota, { path: '/q', names: 1 })
  await expect(bench.do(touch, file('/q/c'))).rejects.toMatchObject(full)
  await bench.do(setQuota, { path: '/q', names: null })
  await bench.do(touch, file('/q/c'))
  expect(usage(bench, '/q')).toMatchObject({ limit: { bytes: 5 }, used: { names: 3, bytes: 0 } })
  await bench.do(setQuota, { path: '/q', bytes: null })
  expect(bench.journal.view.counters).toMatchObject({ quotas: 0, snapshots: 0 })
  expect(usage(bench, '/q')).toBeUndefined()
})

test('while a directory is counted its files come and go, and the count is what is there', async () => {
  const bench = await openBench()
  const { view } = bench.journal
  await bench.do(mkdir, { path: '/q/a/b', parents: true })
  for (let i = 0; i < 20; i++) await write(bench, `/q/a/b/f${i}`, 10 + i)
  await bench.do(setQuota, { path: '/q', names: 30 })
  const [{ directory, seq }] = [...toCount(view)] as [{ directory: ReturnType<typeof inodeId>; seq: number }]
  // The usage is not counted yet: the bound does not apply.
  for (let i = 0; i < 15; i++) await write(bench, `/q/n${i}`, 7)
  await bench.do(remove, { path: '/q/a/b/f3' })
  await bench.do(discard, { path: '/q/a', recursive: true })
  await bench.do(setAttributes, { path: '/q/n1', replication: 5 })
  expect(usageAt(view, directory)).toMatchObject({ known: false })
  await countUsage(bench)
  expect(usageAt(view, directory)).toEqual({ limit: { names: 30 }, known: true, used: below(view, '/q') })
  // An outdated count changes nothing.
  await bench.journal.submit(counted, { directory, seq, names: 1, bytes: 1 })
  expect(usageAt(view, directory)!.used).toEqual(below(view, '/q'))
  await sweepAll(bench, 50)
  expect(view.counters).toMatchObject({ snapshots: 0, history: 0, marks: 0 })
})

test('a large tree that leaves is counted afterwards, and the content never exceeds the recorded usage', async () => {
  const bench = await openBench()
  const { view } = bench.journal
  await bench.do(mkdir, { path: '/q/heap', parents: true })
  await Promise.all(Array.from({ length: 10_001 }, (_, i) => bench.do(touch, file(`/q/heap/f${i}`))))
  await bench.do(touch, file('/q/stays'))
  await limitUsage(bench, '/q', { names: 10_010 })
  await bench.do(remove, { path: '/q/heap', recursive: true })
  expect(usage(bench, '/q')).toMatchObject({ known: true, used: { names: 10_003 } })
  for (let i = 0; i < 7; i++) await bench.do(touch, file(`/q/g${i}`))
  await expect(bench.do(touch, file('/q/more'))).rejects.toMatchObject(full)
  await countUsage(bench)
  expect(usage(bench, '/q')).toEqual({ limit: { names: 10_010 }, known: true, used: { names: 8, bytes: 0 } })
  expect(below(view, '/q').names).toBe(8)
})

test('entries added in the same operation in which a large tree left are counted once', async () => {
  const bench = await openBench()
  await bench.do(mkdir, { path: '/q/heap', parents: true })
  await Promise.all(Array.from({ length: 10_001 }, (_, i) => bench.do(touch, file(`/q/heap/f${i}`))))
  await limitUsage(bench, '/q', { names: 20_000 })
  const [q, heap] = ['/q', '/q/heap'].map(path => stat(bench.journal.view, root, path).id) as [InodeId, InodeId]
  const draft = new Draft(bench.journal.view)
  detach(draft, q, 'heap', entryAt(draft, root, '/q/heap'))
  addDirectory(draft, q, 'new', { owner: 'grace', group: 'grace', mode: 0o755, nowMs: 0 })
  expect(heap).not.toBe(q)
  // The count reads the state after this operation, and includes its new names.
  expect(usageAt(draft, q)).toMatchObject({ used: { names: 10_003 }, counting: { names: 0, bytes: 0 } })
})

for (const seed of [1, 2, 3, 4]) {
  test(`whatever is done, a quota knows what is below it (seed ${seed})`, async () => {
    const random = seeded(seed)
    const bench = await openBench()
    const { view } = bench.journal
    const path = (): string => Array.from({ length: 1 + random.below(4) }, () => `/${'abc'[random.below(3)]}`).join('')
    const quietly = async (work: Promise<unknown>): Promise<void> => {
      await work.catch((error: { code?: string }) => {
        if (error.code === undefined) throw error
      })
    }
    let refused = 0
    for (let round = 0; round < 400; round++) {
      bench.clock.pass(10)
      const [a, b] = [path(), path()]
      switch (random.below(13)) {
        case 0:
        case 1:
          await quietly(bench.do(mkdir, { path: a, parents: true }))
          break
        case 2:
        case 3:
        case 4:
          await quietly(
            write(bench, a, 1 + random.below(50)).catch((error: { code: string }) => {
              if (error.code === 'EDQUOT') refused++
              throw error
            }),
          )
          break
        case 5:
          await quietly(bench.do(remove, { path: a, recursive: true }))
          break
        case 6:
          await quietly(bench.do(discard, { path: a, recursive: true }))
          break
        case 7:
        case 8:
          await quietly(bench.do(rename, { from: a, to: b, overwrite: random.below(2) === 0 }))
          break
        case 9:
          await quietly(bench.do(setAttributes, { path: a, replication: 1 + random.below(4) }))
          break
        case 10:
          await quietly(
            bench.do(setQuota, {
              path: random.below(6) === 0 ? '/' : a,
              names: random.below(4) === 0 ? null : 3 + random.below(10),
              bytes: random.below(2) === 0 ? null : random.below(500),
            }),
          )
          break
        case 11:
          await (random.below(2) === 0 ? bench.journal.submit(sweep, { limit: 3 }) : bench.journal.submit(sweepHistory, { limit: 3 }))
          break
        default:
          if (random.below(3) === 0) await countUsage(bench)
          else
            await quietly(
              random.below(2) === 0 ? bench.do(createSnapshot, { path: a, name: 's' }) : bench.do(removeSnapshot, { path: a, name: 's' }),
            )
      }
      for (const { key } of view.range('quotas', {})) {
        const id = inodeId(readId(key))
        const at = pathOf(view, id)
        const { known, used, counting: open } = usageAt(view, id)!
        if (at !== undefined && known && !open) expect(used, `round ${round}, ${at}`).toEqual(below(view, at))
      }
      expect(view.get('quotas', idKey(0))).toBeUndefined()
      expect(differencesIn(bench), `round ${round}`).toEqual([])
    }
    expect(refused).toBeGreaterThan(0)
    await replayed(bench)
  })
}

test('entries added right after a quota was set, before its count, are counted too', async () => {
  const bench = await openBench()
  await bench.do(mkdir, { path: '/q' })
  await bench.do(touch, file('/q/before'))
  await bench.do(setQuota, { path: '/q', names: 10 })
  await bench.do(touch, file('/q/first'))
  await bench.do(touch, file('/q/second'))
  await countUsage(bench)
  expect(usageAt(bench.journal.view, stat(bench.journal.view, root, '/q').id)).toMatchObject({ known: true, used: { names: 3 } })
})

test('over a bound that was lowered nothing comes in, and what is there may change as long as it takes no more', async () => {
  const bench = await openBench()
  await bench.do(mkdir, { path: '/q' })
  for (const name of ['a', 'b']) await write(bench, `/q/${name}`, 100, 1)
  await limitUsage(bench, '/q', { names: 1, bytes: 300 })
  await expect(bench.do(touch, file('/q/c'))).rejects.toMatchObject(full)
  await bench.do(setAttributes, { path: '/q/a', replication: 2 })
  await expect(bench.do(setAttributes, { path: '/q/b', replication: 2 })).rejects.toMatchObject(full)
  await bench.do(rename, { from: '/q/a', to: '/q/d' })
  expect(usageAt(bench.journal.view, stat(bench.journal.view, root, '/q').id)!.used).toEqual({ names: 2, bytes: 300 })
})
