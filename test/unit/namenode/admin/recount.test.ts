// Recount: whatever number the namenode keeps of its state, a wrong one is found; a right one is not.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Recounts } from '../../../../namenode/admin/recounts.ts'
import { seal, unseal } from '../../../../namenode/journal/codec.ts'
import { counterNames, countersKey, decodeCounters, encodeCounters, type CounterName } from '../../../../namenode/journal/counters.ts'
import { childKey, idKey, readId, type TableName } from '../../../../namenode/journal/keys.ts'
import { decodeEntry, encodeEntry } from '../../../../namenode/namespace/entry.ts'
import { usageAt } from '../../../../namenode/quotas/usage.ts'
import { encodeValue } from '../../../../namenode/journal/codec.ts'
import { JournalJobStore } from '../../../../namenode/jobs/store/store.ts'
import { mkdir, remove, rename } from '../../../../namenode/namespace/names.ts'
import { stat } from '../../../../namenode/namespace/read.ts'
import { setQuota } from '../../../../namenode/quotas/mutations.ts'
import { decodeVersion, nameOfHistory } from '../../../../namenode/snapshots/history.ts'
import { createSnapshot } from '../../../../namenode/snapshots/mutations.ts'
import { discard } from '../../../../namenode/trash/mutations.ts'
import { issueToken } from '../../../../namenode/users/tokenmutations.ts'
import { create } from '../../../../namenode/writing/mutations.ts'
import { put } from '../../../../namenode/writing/put.ts'
import { setAttribute } from '../../../../namenode/xattrs/mutations.ts'
import { inodeId } from '../../../../src/base/ids.ts'
import { openStore } from '../../../../src/world/store.ts'
import { published } from '../jobs/publish/publishkit.ts'
import { mapOnly } from '../jobs/store/storekit.ts'
import { countUsage, differencesIn, openBench, root, writeFile, type Bench } from '../kit.ts'

const write = (bench: Bench, path: string, blocks = 2) => writeFile(bench, path, blocks, 2)

/** Something of everything that is counted: files, a lease, removed entries not yet swept, snapshots with history, a quota, a version. */
async function lived(): Promise<Bench> {
  const bench = await openBench()
  for (const path of ['/a/b/one', '/a/b/two', '/a/c/three', '/d/four', '/e/five', '/large']) await write(bench, path)
  await write(bench, '/large', 600)
  await bench.do(setQuota, { path: '/a', names: 100, bytes: 10_000 })
  await countUsage(bench)
  await bench.do(createSnapshot, { path: '/a', name: 'monday' })
  await bench.do(rename, { from: '/a/b', to: '/d/b' })
  await bench.do(remove, { path: '/a/c', recursive: true })
  await write(bench, '/d/b/one', 1)
  await bench.do(discard, { path: '/e', recursive: true })
  await bench.do(remove, { path: '/large' })
  await bench.do(mkdir, { path: '/a/new' })
  await bench.do(setAttribute, { path: '/a', name: 'user.n', value: Buffer.from('v').toString('base64') })
  const content = { data: Buffer.from('rye').toString('base64'), crc: 1 }
  await bench.do(put, { path: '/d/small', replication: 2, blockBytes: 4096, content })
  await bench.do(create, { path: '/open', overwrite: false, replication: 2, blockBytes: 4096, blocks: 1 })
  await bench.do(issueToken, { renewer: 'ada', digest: 'd', maxMs: 2, untilMs: 1 })
  const store = new JournalJobStore({ journal: bench.journal, clock: bench.clock, versions: 10 })
  for (const overwrite of [false, true]) await published({ bench, store }, mapOnly('/out', overwrite))
  return bench
}

function bend(bench: Bench, table: TableName, key: Buffer, change: (bytes: Buffer) => Buffer | undefined): void {
  bench.store.transact(() => {
    const rows = bench.store.table(table)
    const changed = change(unseal(table, key, rows.get(key)!))
    if (changed) rows.put(key, seal(key, changed))
    else rows.remove(key)
  })
}

const bendCounter = (bench: Bench, name: CounterName, by: number): void =>
  bend(bench, 'meta', countersKey, bytes => {
    const counters = decodeCounters(bytes)
    counters[name] += by
    return encodeCounters(counters)
  })

test('a state with removed entries, snapshots, history, a lease, trash and a quota is as it is counted', async () => {
  const bench = await lived()
  const { counters } = bench.journal.view
  for (const name of counterNames) expect(counters[name], name).toBeGreaterThan(0)
  expect(differencesIn(bench)).toEqual([])
})

test.each(counterNames.filter(name => !['appliedSeq', 'epoch', 'nextInode', 'nextBlock', 'tokens'].includes(name)))(
  'a counter of %s that is one too high or too low is found',
  async name => {
    for (const by of [1, -1]) {
      const bench = await lived()
      const right = bench.journal.view.counters[name]
      bendCounter(bench, name, by)
      expect(differencesIn(bench)).toEqual([{ what: name, kept: right + by, found: right }])
    }
  },
)

test.each(['nextInode', 'nextBlock'] as const)('%s that would give out an id again is found', async name => {
  const bench = await lived()
  await write(bench, '/last', 1)
  bendCounter(bench, name, -bench.journal.view.counters[name] + 2)
  expect(differencesIn(bench)).toEqual([expect.objectContaining({ kept: 2 })])
})

test('a number of a token that would be given out again is found', async () => {
  const bench = await lived()
  bendCounter(bench, 'tokens', -1)
  expect(differencesIn(bench)).toEqual([{ what: 'last token', kept: 0, found: 1 }])
})

test('a file whose length or blocks are not those of its entry is named', async () => {
  const bench = await lived()
  const { id } = stat(bench.journal.view, root, '/d')
  bend(bench, 'children', childKey(id, 'four'), bytes => encodeEntry({ ...decodeEntry(bytes), length: 21, blocks: 1 }))
  expect(differencesIn(bench)).toEqual([
    { what: 'blocks of a file', kept: 1, found: 2, path: '/d/four' }, { what: 'bytes of a file', kept: 21, found: 20, path: '/d/four' },
  ])
})

test('a file that only a snapshot sees, and whose blocks have gone to another one, is named', async () => {
  const bench = await lived()
  const { key,
    value } = [...bench.journal.view.range('history',
    {})].find(row => nameOfHistory(row.key) === 'two' || nameOfHistory(row.key) === 'one')!
  const { entry: { id, length } } = decodeVersion(value)
  bend(bench, 'files', [...bench.journal.view.range('files', { start: idKey(id), end: idKey(id + 1) })][0]!.key, () => undefined)
  expect(differencesIn(bench)).toContainEqual(
    { what: 'bytes of a file in a snapshot', kept: length, found: 0, path: expect.stringContaining(nameOfHistory(key)) as string })
})

test('usage of a quota that is not what is there is named with its directory', async () => {
  const bench = await lived()
  const { id } = stat(bench.journal.view, root, '/a')
  const usage = usageAt(bench.journal.view, id)!
  bend(bench, 'quotas', Buffer.from(keyOfQuota(bench, id)), () =>
    encodeValue({ ...usage, used: { names: usage.used.names + 1, bytes: usage.used.bytes - 1 } }))
  expect(differencesIn(bench)).toEqual([
    { what: 'names under a quota', kept: usage.used.names + 1, found: usage.used.names, path: '/a' },
    { what: 'bytes under a quota', kept: usage.used.bytes - 1, found: usage.used.bytes, path: '/a' },
  ])
})

const keyOfQuota = (bench: Bench, id: number): Buffer => {
  for (const { key } of bench.journal.view.range('quotas', {})) if (inodeId(readId(key)) === id) return key
  throw new Error(`directory ${id} has no quota`)
}

test('a name whose row is gone leaves a file or a directory that is counted and cannot be found', async () => {
  const bench = await lived()
  const { id } = stat(bench.journal.view, root, '/d')
  bend(bench, 'children', childKey(id, 'four'), () => undefined)
  expect(differencesIn(bench)).toEqual([expect.objectContaining({ what: 'files' })])
})

test('callers that come during a recount get its result; changes meanwhile are no differences, and a stop ends it', async () => {
  const bench = await lived()
  const recounts = new Recounts({ journal: bench.journal, clock: bench.clock })
  const asked = [recounts.ask(undefined), recounts.ask(undefined)]
  await bench.do(remove, { path: '/d', recursive: true })
  const [first, second] = await Promise.all(asked)
  expect(first).toEqual(second)
  const { files, directories } = bench.journal.view.counters
  expect(first).toMatchObject({ recount: 1, result: { differences: [], more: 0, files, directories } })
  expect(await recounts.ask(1)).toEqual(first)
  bendCounter(bench, 'files', 1)
  expect(await recounts.ask(undefined)).toMatchObject({ recount: 2, result: { differences: [{ what: 'files' }] } })
  const last = recounts.ask(undefined)
  const end = recounts.stop()
  await expect(last).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  await end
})

test('a snapshot of the store on disk shows one state, whatever is written meanwhile', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'gristmill-test-'))
  const store = await openStore(dir)
  try {
    const table = store.table('children')
    const key = (i: number): Buffer => Buffer.from(String(i).padStart(6, '0'))
    store.transact(() => { for (let i = 0; i < 2000; i++) table.put(key(i), Buffer.from('old')) })
    const snapshot = store.snapshot()
    const seen: string[] = []
    for (const { key: at, value } of snapshot.table('children').range({})) {
      if (seen.length % 100 === 0) {
        store.transact(() => {
          for (let i = 0; i < 3000; i++) table.put(key(i), Buffer.from('new'))
          table.remove(key(1999 - seen.length))
        })
        await new Promise(resolve => { setImmediate(resolve) })
      }
      seen.push(`${at} ${value}`)
    }
    expect(seen).toEqual(Array.from({ length: 2000 }, (_, i) => `${key(i)} old`))
    expect(String(snapshot.table('children').get(key(7)))).toBe('old')
    expect(String(table.get(key(7)))).toBe('new')
    snapshot.close()
    snapshot.close()
    const later = store.snapshot()
    expect(String(later.table('children').get(key(7)))).toBe('new')
    later.close()
  } finally {
    await store.close()
    await rm(dir, { recursive: true })
  }
})
