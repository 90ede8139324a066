// Versions of outputs: what is kept when a job replaces an output, how it is read, rolled back, tagged and freed.

import { expect, test } from 'vitest'
import { fsckPage } from '../../../../namenode/admin/fsck.ts'
import { rename, mkdir, remove, setAttributes } from '../../../../namenode/namespace/names.ts'
import { list, stat, summary } from '../../../../namenode/namespace/read.ts'
import { items } from '../../../../namenode/trash/items.ts'
import { discard, restore } from '../../../../namenode/trash/mutations.ts'
import { usageAt } from '../../../../namenode/quotas/usage.ts'
import { createSnapshot, removeSnapshot } from '../../../../namenode/snapshots/mutations.ts'
import { isIntact } from '../../../../namenode/versions/intact.ts'
import { versionNamed, versionsOf } from '../../../../namenode/versions/lookup.ts'
import { expire, keepNewest, remove as removeVersion, rollback, setTag } from '../../../../namenode/versions/mutations.ts'
import { expiries } from '../../../../namenode/versions/rows.ts'
import { entryAt, pathOf } from '../../../../namenode/namespace/resolve.ts'
import { publishKept, unpublished, published, ann, type Opened } from '../jobs/publish/publishkit.ts'
import { mapOnly, names, open, over, runTask, submit, write } from '../jobs/store/storekit.ts'
import { as, differencesIn, limitUsage, replayed, root, sweepAll } from '../kit.ts'

const back = (path: string, to?: string) => ({ path, ...to !== undefined && { to }, keep: 10, replacedMs: 0 })
const ids = ({ bench }: Opened, path: string): number[] => list(bench.journal.view, root, { path }).entries.map(({ id }) => id)
const numbers = ({ bench }: Opened, path = '/out'): number[] =>
  versionsOf(bench.journal.view, entryAt(bench.journal.view, root, path)).map(({ number }) => number.number)

async function settled(opened: Opened): Promise<void> {
  expect(differencesIn(opened.bench)).toEqual([])
  await replayed(opened.bench)
}

/** `count` versions of /out; returns the inodes of their files. */
async function history(opened: Opened, count: number, path = '/out'): Promise<number[][]> {
  const files: number[][] = []
  for (let i = 0; i < count; i++) {
    await published(opened, mapOnly(path, i > 0))
    files.push(ids(opened, path))
  }
  return files
}

/** Files that fsck names, on one page behind the position `after`. */
async function checkedFiles({ journal: { view } }: Opened['bench'], after?: { readonly path: string }): Promise<string[]> {
  const map = { holders: () => [], target: () => 1, health: () => undefined }
  const tools = { view, map: map as never, isCorrupt: () => false, yield: async () => {} }
  const page = await fsckPage(tools, root, { path: '/', healthy: true, after })
  return page.files.map(({ path }) => path).filter(path => path.startsWith('/out')).sort()
}

test('a replaced output of a job is read as PATH@NUMBER, wherever a path is read, and is not in the trash', async () => {
  const opened = await open(undefined, { versions: 10 })
  const { bench } = opened
  const { view } = bench.journal
  const files = await history(opened, 3)
  expect([...items(view, {})]).toEqual([])
  expect(numbers(opened)).toEqual([3, 2, 1])
  for (const number of [1, 2, 3]) {
    expect(ids(opened, `/out@${number}`)).toEqual(files[number - 1])
    expect(stat(view, root, `/out@${number}`)).toMatchObject({ path: `/out@${number}`, type: 'directory', version: number })
    expect(stat(view, root, `/out@${number}/part-0`)).toMatchObject({ id: files[number - 1]![1], path: `/out@${number}/part-0` })
  }
  expect(stat(view, root, '/out').version).toBe(3)
  // No listing shows older versions.
  expect(names(bench, '/')).toEqual(['/out'])
  expect(names(bench, '/out')).toEqual(['/out/_SUCCESS', '/out/part-0', '/out/part-1'])
  for (const path of ['/out@4', '/out@0', '/out@01', '/out@x', '/out/@1', '/@1', '/out@1/part-7', '/out@1@1'])
    expect(() => stat(view, root, path)).toThrow(expect.objectContaining({ code: 'ENOENT' }))
  await settled(opened)
})

test('an entry of the very name wins over a version, and gives it back when it goes', async () => {
  const opened = await open(undefined, { versions: 10 })
  const { bench } = opened
  const [first] = await history(opened, 2)
  const file = await write(bench, '/out@1')
  expect(stat(bench.journal.view, root, '/out@1')).toMatchObject({ id: file.inode, type: 'file' })
  expect(ids(opened, '/out@2')).toHaveLength(3)
  await bench.do(remove, { path: '/out@1' })
  expect(ids(opened, '/out@1')).toEqual(first)
})

test('a path that a version does not have is refused with the name that is missing, not with that of the version', async () => {
  const opened = await open(undefined, { versions: 10 })
  const { bench: { journal: { view } } } = opened
  await history(opened, 2)
  const refused = (path: string, code: string, message: string) =>
    expect(() => stat(view, root, path)).toThrow(expect.objectContaining({ code, message }))
  refused('/out@1/no', 'ENOENT', 'there is no /out@1/no')
  refused('/out@1/no/file', 'ENOENT', 'there is no /out@1/no/file: /out@1/no does not exist')
  refused('/out@1/part-0/x', 'ENOTDIR', 'there is no /out@1/part-0/x: /out@1/part-0 is a file, not a directory')
  refused('/out@7/no', 'ENOENT', 'there is no /out@7/no: /out@7 does not exist')
})

test('a version records its job, what it computed, and when and by whom it was made and replaced', async () => {
  const opened = await open(undefined, { versions: 10 })
  const { bench, store } = opened
  const origin = {
    key: 'k', options: { reducers: 2 },
    pins: [{ path: '/in', files: 1, bytes: 5, digest: 'd', list: [{ path: '/in/a', id: 77 as never, length: 5, mtimeMs: 1 }] }],
  }
  const job = await submit(store, mapOnly('/out', false, { origin, params: { limit: 3 }, env: { KEY: 'hidden' }, inputs: ['/in'] }))
  for (const task of [0, 1]) await runTask(bench, store, job, task)
  await store.publish(job, { ...over(store, job, 'succeeded'), counters: { recordsOut: 7, bytesOut: 10 } })
  await published(opened, mapOnly('/out', true))
  const { view } = bench.journal
  const [second, first] = versionsOf(view, entryAt(view, root, '/out'))
  expect(first).toMatchObject({
    isHead: false,
    number: { number: 1, user: 'ann', madeMs: bench.clock.now(), replacedMs: Math.floor(bench.journal.nowMs()) },
    record: {
      made: {
        job, params: { limit: 3 }, env: ['KEY'], inputs: ['/in'], origin, rows: 7, bytes: 10, name: mapOnly().name,
        program: mapOnly().program, seed: mapOnly().seed, fingerprint: mapOnly().fingerprint, format: mapOnly().output.format,
      },
    },
  })
  expect(JSON.stringify(first!.record)).not.toContain('hidden')
  expect(second).toMatchObject({ isHead: true, number: { number: 2 } })
  expect(second!.number.replacedMs).toBeUndefined()
  expect([first, second].map(each => isIntact(view, each!))).toEqual([true, true])
  await write(bench, '/out/extra')
  expect(isIntact(view, versionNamed(view, entryAt(view, root, '/out'), '2')!)).toBe(false)
  await settled(opened)
})

test('a rollback makes an older version the head under a new number; a rollback of a rollback returns; nothing is lost', async () => {
  const opened = await open(undefined, { versions: 10 })
  const { bench } = opened
  const [one, two, three] = await history(opened, 3)
  expect(await bench.do(rollback, { ...back('/out', '1'), ...ann })).toEqual({ version: 4, from: 1 })
  expect(ids(opened, '/out')).toEqual(one)
  expect(numbers(opened)).toEqual([4, 3, 2, 1])
  for (const [number, files] of [[1, one], [2, two], [3, three], [4, one]] as const) expect(ids(opened, `/out@${number}`)).toEqual(files)
  // The version before the head is the one that was rolled back.
  expect(await bench.do(rollback, { ...back('/out'), ...ann })).toEqual({ version: 5, from: 3 })
  expect(ids(opened, '/out')).toEqual(three)
  for (const [number, files] of [[1, one], [2, two], [3, three], [4, one], [5, three]] as const)
    expect(ids(opened, `/out@${number}`)).toEqual(files)
  await published(opened, mapOnly('/out', true))
  expect(numbers(opened)).toEqual([6, 5, 4, 3, 2, 1])
  expect(ids(opened, '/out@5')).toEqual(three)
  await settled(opened)
})

test('a rollback names the versions that it has pushed out', async () => {
  const opened = await open(undefined, { versions: 10 })
  await history(opened, 4)
  const { bench } = opened
  expect(await bench.do(rollback, { ...back('/out', '2'), keep: 3, told: true, ...ann })).toEqual({ version: 5, from: 2, freed: [1] })
  expect(await bench.do(rollback, { ...back('/out', '3'), keep: 1, told: true, ...ann })).toEqual({ version: 6, from: 3, freed: [4, 3, 2] })
  expect(numbers(opened)).toEqual([6, 5])
  // An operation of an earlier version keeps its result.
  expect(await bench.do(rollback, { ...back('/out', '5'), keep: 1, ...ann })).toEqual({ version: 7, from: 5 })
  await settled(opened)
})

test('fsck names each file of all versions once, also one that a directory with two numbers shows under the older number only', async () => {
  const opened = await open(undefined, { versions: 10 })
  const { bench } = opened
  await history(opened, 3)
  await bench.do(rollback, { ...back('/out', '1'), ...ann })
  await bench.do(remove, { path: '/out/part-0', recursive: false, ...ann })
  await write(bench, '/out/more')
  const named = (versions: Record<string, string[]>): string[] =>
    Object.entries(versions).flatMap(([version, files]) => files.map(file => `/${version}/${file}`)).sort()
  const parts = ['_SUCCESS', 'part-0', 'part-1']
  const all = await checkedFiles(bench)
  expect(all).toEqual(named({ out: ['_SUCCESS', 'more', 'part-1'], 'out@3': parts, 'out@2': parts, 'out@1': ['part-0'] }))
  // A page may end anywhere.
  for (const path of ['/out@3/_SUCCESS', '/out@2/part-1', '/out@1/part-0']) {
    const rest = await checkedFiles(bench, { path })
    expect(rest).toEqual(all.filter(each => rest.includes(each)))
    expect(rest.filter(each => each.startsWith('/out@1/'))).toEqual(path.startsWith('/out@1/') ? [] : ['/out@1/part-0'])
  }
  await settled(opened)
})

test('a change of the head after a rollback does not change the version that it came from', async () => {
  const opened = await open(undefined, { versions: 10 })
  const { bench } = opened
  const [one] = await history(opened, 2)
  await bench.do(rollback, { ...back('/out', '1'), ...ann })
  await write(bench, '/out/added')
  await bench.do(discard, { path: '/out/part-0', ...ann })
  expect(ids(opened, '/out@1')).toEqual(one)
  expect(names(bench, '/out@1')).toEqual(['/out@1/_SUCCESS', '/out@1/part-0', '/out@1/part-1'])
  expect(names(bench, '/out@3')).toEqual(['/out@3/_SUCCESS', '/out@3/added', '/out@3/part-1'])
  await expect(bench.do(rollback, { ...back('/out', '1'), ...ann })).rejects.toMatchObject({
    code: 'EINVAL', message: expect.stringContaining('files in it were changed since; copy it instead ("gristmill cp -r /out@1 NEW")'),
  })
  // What is freed is freed with its view: files that only the view has go.
  await bench.do(keepNewest, { path: '/out', keep: 1, ...ann })
  expect(numbers(opened)).toEqual([3, 2])
  expect(bench.journal.view.counters.snapshots).toBe(0)
  await sweepAll(bench)
  expect(bench.journal.view.counters.history).toBe(0)
  await settled(opened)
})

test('rolling back to what the output is already is refused, and names its version', async () => {
  const opened = await open(undefined, { versions: 10 })
  const { bench } = opened
  await history(opened, 2)
  await bench.do(rollback, { ...back('/out', '1'), ...ann })
  for (const to of ['1', '3'])
    await expect(bench.do(rollback, { ...back('/out', to), ...ann })).rejects.toMatchObject({
      code: 'EINVAL', message: `/out has the contents of version ${to} already: it is version 3`,
    })
  await expect(bench.do(rollback, { ...back('/out', '9'), ...ann })).rejects.toMatchObject({ code: 'ENOENT' })
  await bench.do(mkdir, { path: '/plain', ...ann })
  await expect(bench.do(rollback, { ...back('/plain'), ...ann })).rejects.toMatchObject({
    code: 'EINVAL', message: '/plain has no versions: no job has published it',
  })
  await published(opened, mapOnly('/single'))
  await expect(bench.do(rollback, { ...back('/single'), ...ann })).rejects.toMatchObject({
    code: 'EINVAL', message: '/single has no version before the newest one',
  })
  await settled(opened)
})

test('the newest versions are kept by count, tagged ones beside them; what is freed leaves no rows and no blocks', async () => {
  const opened = await open(undefined, { versions: 2 })
  const { bench } = opened
  const { view } = bench.journal
  await history(opened, 2)
  await bench.do(setTag, { path: '/out', version: '1', tag: 'good', ...ann })
  const before = view.counters.blocks
  for (let i = 0; i < 4; i++) await published(opened, mapOnly('/out', true))
  expect(numbers(opened)).toEqual([6, 5, 4, 1])
  expect(ids(opened, '/out@good')).toEqual(ids(opened, '/out@1'))
  await sweepAll(bench)
  expect(view.counters.blocks).toBe(before + 4) // two more versions of two blocks
  await bench.do(setTag, { path: '/out', version: 'good', ...ann })
  expect(await bench.do(keepNewest, { path: '/out', keep: 0, ...ann })).toEqual({ freed: 3, more: false })
  await sweepAll(bench)
  expect(numbers(opened)).toEqual([6])
  expect(view.counters).toMatchObject({ blocks: 2, versions: 1, expiries: 0, doomed: 0 })
  await settled(opened)
})

test('one version is freed by its number: neither the newest one, nor one with a tag, nor for another user', async () => {
  const opened = await open(undefined, { versions: 10 })
  const { bench } = opened
  const { view } = bench.journal
  await history(opened, 3)
  await bench.do(rollback, { ...back('/out', '1'), ...ann })
  const drop = (version: string, user = ann) => bench.do(removeVersion, { path: '/out', version, ...user })
  await expect(drop('4')).rejects.toMatchObject({ code: 'EINVAL', message: expect.stringContaining('it is the newest version') })
  await expect(drop('7')).rejects.toMatchObject({ code: 'ENOENT' })
  await expect(drop('2', as('bob'))).rejects.toMatchObject({ code: 'EACCES' })
  await bench.do(setTag, { path: '/out', version: '2', tag: 'good', ...ann })
  for (const name of ['2', 'good'])
    await expect(drop(name)).rejects.toMatchObject({ code: 'EINVAL', message: expect.stringContaining('untag /out@good') })
  await bench.do(setTag, { path: '/out', version: '2', ...ann })
  await drop('2')
  expect(numbers(opened)).toEqual([4, 3, 1])
  expect(() => stat(view, root, '/out@2')).toThrow(expect.objectContaining({ code: 'ENOENT' }))
  // Version 1 is the directory of the newest one, which stays.
  const files = ids(opened, '/out')
  await drop('1')
  await sweepAll(bench)
  expect(ids(opened, '/out')).toEqual(files)
  expect(numbers(opened)).toEqual([4, 3])
  expect(view.counters).toMatchObject({ blocks: 4, versions: 2, doomed: 0 })
  await settled(opened)
})

test('versions expire by age, the oldest first; tagged ones do not', async () => {
  const opened = await open(undefined, { versions: 10 })
  const { bench } = opened
  for (let i = 0; i < 4; i++) {
    await published(opened, mapOnly('/out', i > 0))
    bench.clock.pass(1000)
  }
  await bench.do(setTag, { path: '/out', version: '2', tag: 'kept', ...ann })
  const [oldest] = [...expiries(bench.journal.view, 1)]
  await bench.journal.submit(expire, { beforeMs: oldest!.replacedMs })
  expect(numbers(opened)).toEqual([4, 3, 2, 1])
  await bench.journal.submit(expire, { beforeMs: oldest!.replacedMs + 1 })
  expect(numbers(opened)).toEqual([4, 3, 2])
  await bench.journal.submit(expire, { beforeMs: oldest!.replacedMs + 1_000_000 })
  expect(numbers(opened)).toEqual([4, 2])
  await sweepAll(bench)
  await settled(opened)
})

test('history goes with its output: to another name, to the trash, and back', async () => {
  const opened = await open(undefined, { versions: 10 })
  const { bench } = opened
  const [one, two] = await history(opened, 2)
  await bench.do(mkdir, { path: '/archive', ...ann })
  await bench.do(rename, { from: '/out', to: '/archive/sums', ...ann })
  expect(ids(opened, '/archive/sums@1')).toEqual(one)
  expect(() => stat(bench.journal.view, root, '/out@1')).toThrow(expect.objectContaining({ code: 'ENOENT' }))
  await bench.do(discard, { path: '/archive/sums', recursive: true, ...ann })
  // A new output of the name has a history of its own.
  await published(opened, mapOnly('/archive/sums'))
  expect(numbers(opened, '/archive/sums')).toEqual([1])
  const [item] = [...items(bench.journal.view, {})]
  await bench.do(restore, { item: item!.name, to: '/out', ...ann })
  expect(ids(opened, '/out')).toEqual(two)
  expect(ids(opened, '/out@1')).toEqual(one)
  expect(numbers(opened)).toEqual([2, 1])
  // Removed for good, the versions go too.
  await bench.do(remove, { path: '/out', recursive: true })
  await sweepAll(bench)
  expect(bench.journal.view.counters).toMatchObject({ versions: 1, expiries: 0, blocks: 2 })
  await settled(opened)
})

test('a snapshot above an output reads it and its versions as they were, and holds the space of those that are freed', async () => {
  const opened = await open(undefined, { versions: 2 })
  const { bench } = opened
  await bench.do(mkdir, { path: '/d', ...root })
  await bench.do(setAttributes, { path: '/d', mode: 0o777 })
  const [one, two] = await history(opened, 2, '/d/out')
  await bench.do(createSnapshot, { path: '/d', name: 's' })
  await published(opened, mapOnly('/d/out', true))
  expect(ids(opened, '/d/.snapshot/s/out')).toEqual(two)
  expect(ids(opened, '/d/.snapshot/s/out@1')).toEqual(one)
  expect(() => stat(bench.journal.view, root, '/d/.snapshot/s/out@3')).toThrow(expect.objectContaining({ code: 'ENOENT' }))
  await published(opened, mapOnly('/d/out', true))
  await sweepAll(bench)
  expect(numbers(opened, '/d/out')).toEqual([4, 3, 2])
  expect(ids(opened, '/d/.snapshot/s/out')).toEqual(two)
  // Version 1 was freed: its files and its record are kept for the snapshot.
  expect(ids(opened, '/d/.snapshot/s/out@1')).toEqual(one)
  expect(bench.journal.view.counters.blocks).toBe(8)
  expect(differencesIn(bench)).toEqual([])
  await bench.do(removeSnapshot, { path: '/d', name: 's' })
  await sweepAll(bench)
  expect(bench.journal.view.counters).toMatchObject({ history: 0, snapshots: 0, blocks: 6 })
  await settled(opened)
})

test('versions count for quotas, and du shows them apart', async () => {
  const opened = await open(undefined, { versions: 10 })
  const { bench } = opened
  const { view } = bench.journal
  await bench.do(mkdir, { path: '/q', ...ann })
  await history(opened, 1, '/q/out')
  await limitUsage(bench, '/q', { names: 20, bytes: 25 })
  const used = () => usageAt(view, stat(view, root, '/q').id)!.used
  expect(used()).toEqual({ names: 4, bytes: 10 })
  await published(opened, mapOnly('/q/out', true))
  // The shelf is a name as well.
  expect(used()).toEqual({ names: 9, bytes: 20 })
  const totals = await summary(view, root, '/q', { yield: async () => {}, signal: new AbortController().signal }, true)
  expect(totals).toMatchObject({ bytes: 10, files: 3, directories: 2, versions: { bytes: 10, stored: 10, files: 3, directories: 1 } })
  const job = await unpublished(opened, mapOnly('/q/out', true), async () => {})
  expect(opened.store.head(job)!.status.failure).toMatchObject({ code: 'EDQUOT' })
  await bench.do(keepNewest, { path: '/q/out', keep: 0, ...ann })
  expect(used()).toEqual({ names: 5, bytes: 10 })
  await publishKept(opened, job, '/q/out', { overwrite: true })
  expect(used()).toEqual({ names: 9, bytes: 20 })
  await settled(opened)
})

test('an overwrite that fits once retention has freed the oldest version is published; a refusal says that versions may be freed', async () => {
  const opened = await open(undefined, { versions: 2 })
  const { bench, store } = opened
  const { view } = bench.journal
  await bench.do(mkdir, { path: '/q', ...ann })
  await history(opened, 3, '/q/out')
  await limitUsage(bench, '/q', { bytes: 30 })
  const used = () => usageAt(view, stat(view, root, '/q').id)!.used
  expect(used()).toMatchObject({ bytes: 30 })
  await published(opened, mapOnly('/q/out', true))
  expect(numbers(opened, '/q/out')).toEqual([4, 3, 2])
  expect(used()).toMatchObject({ bytes: 30 })
  // A head with a tag takes no version's place.
  await bench.do(setTag, { path: '/q/out', version: '4', tag: 'good', ...ann })
  const job = await unpublished(opened, mapOnly('/q/out', true), async () => {})
  expect(store.head(job)!.status.failure).toMatchObject({
    code: 'EDQUOT',
    message: expect.stringContaining('; 2 older versions of /q/out count for it: free them with "gristmill history /q/out --keep N"'),
  })
  expect(numbers(opened, '/q/out')).toEqual([4, 3, 2])
  await bench.do(setTag, { path: '/q/out', version: '4', ...ann })
  await publishKept(opened, job, '/q/out', { overwrite: true })
  expect(numbers(opened, '/q/out')).toEqual([5, 4, 3])
  // A kept output is known to be as its job has written it, and to have been changed since.
  const head = (): boolean | undefined => isIntact(view, versionsOf(view, entryAt(view, root, '/q/out'))[0]!)
  expect(head()).toBe(true)
  await bench.do(remove, { path: '/q/out/part-0' })
  expect(head()).toBe(false)
  expect(list(view, root, { path: '/q/out@3' }).entries).toHaveLength(3)
  await settled(opened)
})

test('who may replace an output may roll it back; who may read it may read its versions', async () => {
  const opened = await open(undefined, { versions: 10 })
  const { bench } = opened
  const { view } = bench.journal
  await bench.do(mkdir, { path: '/w', mode: 0o777, ...as('bob') })
  await history(opened, 2, '/w/out')
  await expect(bench.do(rollback, { ...back('/w/out'), ...as('bob') })).rejects.toMatchObject({ code: 'EACCES' })
  await expect(bench.do(setTag, { path: '/w/out', version: '1', tag: 't', ...as('bob') })).rejects.toMatchObject({ code: 'EACCES' })
  await expect(bench.do(keepNewest, { path: '/w/out', keep: 0, ...as('bob') })).rejects.toMatchObject({ code: 'EACCES' })
  expect(list(view, as('bob'), { path: '/w/out@1' }).entries).toHaveLength(3)
  await bench.do(setAttributes, { path: '/w/out', mode: 0o700, ...ann })
  for (const path of ['/w/out@1', '/w/out@2'])
    expect(() => list(view, as('bob'), { path })).toThrow(expect.objectContaining({ code: 'EACCES' }))
  expect(() => stat(view, as('bob'), '/w/out@1/part-0')).toThrow(expect.objectContaining({ code: 'EACCES' }))
  await bench.do(rollback, { ...back('/w/out'), ...ann })
  expect(stat(view, root, '/w/out')).toMatchObject({ mode: 0o700, owner: 'ann' })
  await settled(opened)
})

test('an output with snapshots of its own is not rolled back, and keeps its place', async () => {
  const opened = await open(undefined, { versions: 10 })
  await history(opened, 2)
  await opened.bench.do(createSnapshot, { path: '/out', name: 's', ...ann })
  await expect(opened.bench.do(rollback, { ...back('/out'), ...ann })).rejects.toMatchObject({ code: 'EBUSY' })
  await settled(opened)
})

test('what is no output goes to the trash under --force; so does every output if no versions are kept', async () => {
  const opened = await open(undefined, { versions: 10 })
  const { bench } = opened
  await write(bench, '/mine/file')
  await published(opened, mapOnly('/mine', true, { force: true }))
  expect([...items(bench.journal.view, {})].map(({ from }) => from)).toEqual(['/mine'])
  expect(numbers(opened, '/mine')).toEqual([1])
  // A user's files in an output stay with its version.
  await write(bench, '/mine/sub/file')
  await published(opened, mapOnly('/mine', true, { force: true }))
  expect(names(bench, '/mine@1/sub')).toEqual(['/mine@1/sub/file'])
  await settled(opened)
  const without = await open(undefined, { versions: 0 })
  await history(without, 2)
  expect([...items(without.bench.journal.view, {})]).toHaveLength(1)
  expect(numbers(without)).toEqual([2])
  await settled(without)
})

test('an output of an earlier version of gristmill becomes version 1', async () => {
  const before = await open()
  await published(before, mapOnly('/out'))
  const old = ids(before, '/out')
  const opened = await open(before.bench, { versions: 10 })
  await published(opened, mapOnly('/out', true))
  expect(numbers(opened)).toEqual([2, 1])
  expect(ids(opened, '/out@1')).toEqual(old)
  await opened.bench.do(rollback, { ...back('/out'), ...ann })
  expect(ids(opened, '/out')).toEqual(old)
  await settled(opened)
})

test('tags are unique in an output, are no numbers, and name the place where one is taken', async () => {
  const opened = await open(undefined, { versions: 10 })
  const { bench } = opened
  await history(opened, 2)
  await bench.do(setTag, { path: '/out', version: '2', tag: 'good', ...ann })
  await bench.do(setTag, { path: '/out', version: '2', tag: 'good', ...ann })
  await expect(bench.do(setTag, { path: '/out', version: '1', tag: 'good', ...ann })).rejects.toMatchObject({
    code: 'EEXIST', message: expect.stringContaining('/out@2 has the tag good'),
  })
  for (const tag of ['1', '-x', 'a/b', 'a b', ''])
    await expect(bench.do(setTag, { path: '/out', version: '1', tag, ...ann })).rejects.toMatchObject({ code: 'EINVAL' })
  // The head keeps its tag when it is replaced.
  await published(opened, mapOnly('/out', true))
  expect(versionNamed(bench.journal.view, entryAt(bench.journal.view, root, '/out'), 'good')?.number.number).toBe(2)
  await settled(opened)
})

test('the path of a version on its shelf is the one by which it is read', async () => {
  const opened = await open(undefined, { versions: 10 })
  await history(opened, 2)
  const { view } = opened.bench.journal
  expect(pathOf(view, versionNamed(view, entryAt(view, root, '/out'), '1')!.id)).toBe('/out@1')
})

test('no job publishes at the path of a version, or below it, also with overwrite; a directory of that name is replaced', async () => {
  const opened = await open(undefined, { versions: 10 })
  const { bench, store } = opened
  await history(opened, 2)
  const asked = [['/out@1', false], ['/out@1', true], ['/out@2', true], ['/out@1/sub', false], ['/out@1/a/b', true]] as const
  for (const [path, overwrite] of asked)
    await expect(submit(store, mapOnly(path, overwrite)), path).rejects.toMatchObject({
      code: 'EROFS',
      message: expect.stringContaining(`the output ${path} cannot be published: ${path.slice(0, 6)} is a version of an output`),
    })
  expect(names(bench, '/')).toEqual(['/out'])
  for (const path of ['/out@3', '/none@1', '/out/sub@1'])
    expect(store.head(await submit(store, mapOnly(path)))!.status.state).toBe('running')
  await bench.do(mkdir, { path: '/out@1', ...ann })
  await published(opened, mapOnly('/out@1', true))
  expect(numbers(opened, '/out@1')).toEqual([1])
  await settled(opened)
})
