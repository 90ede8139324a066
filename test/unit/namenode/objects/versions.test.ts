// Versions of objects on a namenode's state in memory, against a model: writes and removals by S3 and by other doors, in a bucket whose
// versioning changes. Lists, reads, counters and the replay of the journal agree after each story.

import { expect, test, vi } from 'vitest'
import { actors } from '../../../../namenode/journal/actors.ts'
import { publish } from '../../../../namenode/objects/mutations.ts'
import { remove, removeVersion } from '../../../../namenode/objects/removal.ts'
import { objectRoutes } from '../../../../namenode/objects/routes.ts'
import { describeVersion, setVersioning } from '../../../../namenode/objects/versioning.ts'
import { setAcl } from '../../../../namenode/namespace/acls.ts'
import { find } from '../../../../namenode/namespace/asof.ts'
import { mkdir, remove as removeName, rename, setAttributes } from '../../../../namenode/namespace/names.ts'
import { list, stat, summary } from '../../../../namenode/namespace/read.ts'
import { createSnapshot } from '../../../../namenode/snapshots/mutations.ts'
import { snapshotRoutes } from '../../../../namenode/snapshots/routes.ts'
import { abandon, complete, create } from '../../../../namenode/writing/mutations.ts'
import { setAttribute } from '../../../../namenode/xattrs/mutations.ts'
import { attributesOf } from '../../../../namenode/xattrs/rows.ts'
import { xattrRoutes } from '../../../../namenode/xattrs/routes.ts'
import { permits } from '../../../../src/base/acl.ts'
import type { ReplyOf, RequestOf } from '../../../../src/protocol/message.ts'
import * as protocol from '../../../../src/protocol/object.ts'
import { compareKeys } from '../../../../src/protocol/objectkey.ts'
import { seeded } from '../../../../src/world/random.ts'
import { as, ask as asked, differencesIn, limitUsage, replayed, root, sweepAll, type Bench } from '../kit.ts'
import { bucket, openObjects, pathOfKey, upload } from './kit.ts'

type Page = ReplyOf<typeof protocol.versions>

function asker<M extends typeof protocol.versions | typeof protocol.list>({ journal, clock }: Bench, message: M) {
  const routes = objectRoutes({ journal, clock, actor: actors('grace') } as never)
  const { handler } = routes.find(each => each.message.name === message.name)!
  return (request: Partial<RequestOf<M>> = {}, user = 'grace') =>
    handler({ path: bucket, prefix: '', limit: 1000, attributes: [], ...request } as never, { user } as never) as ReplyOf<M>
}

/** All pages of so many entries. */
function versionsOf(bench: Bench, request: Partial<RequestOf<typeof protocol.versions>> = {}): Page['entries'] {
  const ask = asker(bench, protocol.versions)
  const seen: Page['entries'] = []
  for (let after = request.after; ;) {
    const page = ask({ ...request, ...after && { after } })
    seen.push(...page.entries)
    if (!page.next) return seen
    expect(page.entries.length).toBe(request.limit)
    after = page.next
  }
}

const shown = (entries: Page['entries']): string[] => entries.map(({ key, version, latest, marker, rolled, status }) =>
  (rolled ? `${key} *` : `${key} ${marker ? 'marker' : status!.length} ${version === 'null' ? 'null' : 'id'}${latest ? ' latest' : ''}`))

async function sound(bench: Bench): Promise<void> {
  expect(differencesIn(bench)).toEqual([])
  await sweepAll(bench)
  expect(differencesIn(bench)).toEqual([])
  await replayed(bench)
}

let lengths = 0

/** Stores an object of a length that no other one has, in as many blocks. */
async function store(bench: Bench, key: string, actor = root) {
  const written = await upload(bench, 1, actor)
  const length = ++lengths
  const blocks = written.blocks.map(each => ({ ...each, length }))
  return (await bench.do(publish, { ...written, blocks, to: pathOfKey(key), base: bucket, parents: true, ...actor })).status
}

const drop = (bench: Bench, key: string, actor = root) =>
  bench.do(remove, { path: pathOfKey(key), keep: bucket, directory: false, ...actor })
const dropDirectory = (bench: Bench, key: string) => bench.do(remove, { path: pathOfKey(key), keep: bucket, directory: true, ...root })
const dropVersion = (bench: Bench, key: string, version: string, actor = root) =>
  bench.do(removeVersion, { path: pathOfKey(key), keep: bucket, version, oneNull: true, isOwed: true, ...actor })
const setState = (bench: Bench, state: 'Enabled' | 'Suspended', actor = root) =>
  bench.do(setVersioning, { path: bucket, state, ...actor })
const refusal = (work: Promise<unknown>): Promise<string> => work.then(() => 'ok', (error: { code: string }) => error.code)

async function openBucket(state?: 'Enabled' | 'Suspended'): Promise<Bench> {
  const bench = await openObjects()
  await bench.do(mkdir, { path: bucket })
  if (state) await setState(bench, state)
  return bench
}

test('what is replaced or deleted stays as an older version; the marker, and then each version, is removed by its id', async () => {
  const bench = await openBucket()
  const first = await store(bench, 'a/b')
  await setState(bench, 'Enabled')
  const second = await store(bench, 'a/b')
  const third = await store(bench, 'a/b')
  const { marker } = (await drop(bench, 'a/b'))!
  const all = versionsOf(bench)
  expect(shown(all)).toEqual([
    'a/b marker id latest', `a/b ${third.length} id`, `a/b ${second.length} id`, `a/b ${first.length} null`,
  ])
  expect(all[0]!.version).toBe(marker)
  expect(asker(bench, protocol.list)({ delimiter: '/' }).entries).toEqual([])
  expect(list(bench.journal.view, root, { path: `${bucket}/a` }).entries).toEqual([])
  // Each is read at its path, by rights of its own.
  for (const { status } of all.slice(1)) expect(stat(bench.journal.view, as('ada'), status!.path)).toEqual(status)
  expect(all[3]!.status!.path).toBe(`${bucket}/a/.snapshot/.objects/b/null`)
  await dropVersion(bench, 'a/b', marker)
  expect(stat(bench.journal.view, root, `${bucket}/a/b`).id).toBe(third.id)
  expect(stat(bench.journal.view, root, `${bucket}/a/.snapshot/.objects/b/${all[1]!.version}`).id).toBe(third.id)
  await dropVersion(bench, 'a/b', all[1]!.version!)
  expect(stat(bench.journal.view, root, `${bucket}/a/b`).id).toBe(second.id)
  await dropVersion(bench, 'a/b', 'null')
  expect(shown(versionsOf(bench))).toEqual([`a/b ${second.length} id latest`])
  expect(await refusal(dropVersion(bench, 'a/b', all[1]!.version!))).toBe('ENOENT')
  await dropVersion(bench, 'a/b', all[2]!.version!)
  expect(versionsOf(bench)).toEqual([])
  // The directory went with its last version.
  expect(list(bench.journal.view, root, { path: bucket }).entries).toEqual([])
  await sound(bench)
  expect(bench.journal.view.counters).toMatchObject({ files: 0, attributes: 1 })
})

test('an older version keeps the list that it had, and the object that replaces it has it too; a version comes back with its own', async () => {
  const bench = await openBucket('Enabled')
  const { view } = bench.journal
  await store(bench, 'k')
  const mayRead = (path: string): boolean => permits('ada', find(view, root, path).entry, 4)
  await bench.do(setAttributes, { path: pathOfKey('k'), mode: 0o600, ...root })
  await bench.do(setAcl, { path: pathOfKey('k'), kind: 'modify', entries: ['user:ada:r--'], ...root })
  await store(bench, 'k')
  await bench.do(setAcl, { path: pathOfKey('k'), kind: 'clear', ...root })
  const [now, before] = versionsOf(bench)
  expect([mayRead(now!.status!.path), mayRead(before!.status!.path)]).toEqual([false, true])
  await dropVersion(bench, 'k', now!.version!)
  expect(stat(view, root, pathOfKey('k'))).toMatchObject({ mode: 0o640, acl: true })
  expect(mayRead(pathOfKey('k'))).toBe(true)
  await store(bench, 'k')
  expect(mayRead(pathOfKey('k'))).toBe(true)
  await sound(bench)
})

test('with the version null that another door has written, the one that it has hidden is removed for good', async () => {
  const bench = await openBucket('Enabled')
  const write = async () => {
    const { lease } = await bench.do(create, { path: pathOfKey('k'), overwrite: true, replication: 1, blockBytes: 4096 })
    await bench.do(complete, { lease, blocks: [] })
  }
  await write()
  const second = await store(bench, 'k')
  expect(shown(versionsOf(bench))).toEqual([`k ${second.length} id latest`, 'k 0 null'])
  await write()
  expect(shown(versionsOf(bench))).toEqual(['k 0 null latest'])
  await dropVersion(bench, 'k', 'null')
  expect(versionsOf(bench)).toEqual([])
  await sound(bench)
  expect(bench.journal.view.counters.files).toBe(0)
  // An operation of a version that left it there has the result that it had.
  await write()
  await store(bench, 'k')
  await write()
  await bench.do(removeVersion, { path: pathOfKey('k'), keep: bucket, version: 'null' })
  expect(shown(versionsOf(bench))).toEqual(['k 0 null latest'])
  await sound(bench)
})

test('while versioning is suspended, the version null is replaced, and the others stay', async () => {
  const bench = await openBucket('Enabled')
  const first = await store(bench, 'k')
  await setState(bench, 'Suspended')
  await store(bench, 'k')
  const second = await store(bench, 'k')
  expect(shown(versionsOf(bench))).toEqual([`k ${second.length} null latest`, `k ${first.length} id`])
  expect(await drop(bench, 'k')).toEqual({ marker: 'null' })
  expect(shown(versionsOf(bench))).toEqual(['k marker null latest', `k ${first.length} id`])
  await setState(bench, 'Enabled')
  const third = await store(bench, 'k')
  // The marker null keeps its place in the order.
  expect(shown(versionsOf(bench))).toEqual([`k ${third.length} id latest`, 'k marker null', `k ${first.length} id`])
  expect(shown(versionsOf(bench, { limit: 1 }))).toEqual(shown(versionsOf(bench)))
  await dropVersion(bench, 'k', 'null')
  expect(shown(versionsOf(bench))).toEqual([`k ${third.length} id latest`, `k ${first.length} id`])
  await sound(bench)
})

test('a condition, rights, a quota and a writer hold as for every other object', async () => {
  const bench = await openBucket('Enabled')
  const first = await store(bench, 'd/k')
  const asked = { path: pathOfKey('d/k'), keep: bucket, directory: false }
  expect(await refusal(bench.do(remove, { ...asked, expect: { id: first.id + 1 } as never }))).toBe('ESTALE')
  expect(await refusal(drop(bench, 'd/k', as('ada')))).toBe('EACCES')
  expect(await refusal(drop(bench, 'none', as('ada')))).toBe('EACCES')
  expect(await refusal(store(bench, 'd/k', as('ada')))).toBe('EACCES')
  const { version } = versionsOf(bench)[0]!
  expect(await refusal(dropVersion(bench, 'd/k', version!, as('ada')))).toBe('EACCES')
  expect(await refusal(dropVersion(bench, 'none/k', 'null'))).toBe('ENOENT')
  expect(await refusal(setState(bench, 'Suspended', as('ada')))).toBe('EACCES')
  expect(await refusal(bench.do(setVersioning, { path: pathOfKey('d/k'), state: 'Enabled' }))).toBe('ENOTDIR')
  await limitUsage(bench, bucket, { bytes: first.length + lengths + 1 })
  await store(bench, 'd/k')
  // Older versions count.
  expect(await refusal(store(bench, 'd/k'))).toBe('EDQUOT')
  await dropVersion(bench, 'd/k', version!)
  await sound(bench)
})

test('what other doors write is the version null; what they remove leaves no marker, and no version is the latest one then', async () => {
  const bench = await openBucket('Enabled')
  const first = await store(bench, 'k')
  await bench.do(removeName, { path: pathOfKey('k') })
  const second = await store(bench, 'k')
  const third = await store(bench, 'k')
  await bench.do(removeName, { path: pathOfKey('k') })
  expect(shown(versionsOf(bench))).toEqual([`k ${second.length} id`])
  expect(first.id).not.toBe(second.id)
  const foreign = await upload(bench, 1)
  await bench.do(publish, { ...foreign, to: pathOfKey('k') })
  expect(shown(versionsOf(bench))).toEqual(['k 10 null latest', `k ${second.length} id`])
  const fourth = await store(bench, 'k')
  expect(shown(versionsOf(bench))).toEqual([`k ${fourth.length} id latest`, 'k 10 null', `k ${second.length} id`])
  // Another door again: the older null is not shown, and goes with the next write.
  await bench.do(removeName, { path: pathOfKey('k') })
  await bench.do(publish, { ...await upload(bench, 1), to: pathOfKey('k') })
  expect(shown(versionsOf(bench))).toEqual(['k 10 null latest', `k ${second.length} id`])
  await store(bench, 'k')
  expect(shown(versionsOf(bench)).slice(1)).toEqual(['k 10 null', `k ${second.length} id`])
  expect(third.id).not.toBe(second.id)
  await sound(bench)
})

test('a key and keys below it: the older versions of both stay, and none is brought back over a directory', async () => {
  const bench = await openBucket('Enabled')
  const one = await store(bench, 'a')
  const { marker } = (await drop(bench, 'a'))!
  const below = await store(bench, 'a/b')
  expect(shown(versionsOf(bench))).toEqual(['a marker id latest', `a ${one.length} id`, `a/b ${below.length} id latest`])
  expect(shown(versionsOf(bench, { delimiter: '/' }))).toEqual(['a marker id latest', `a ${one.length} id`, 'a/ *'])
  await dropVersion(bench, 'a', marker)
  expect(shown(versionsOf(bench))).toEqual([`a ${one.length} id`, `a/b ${below.length} id latest`])
  expect(await refusal(store(bench, 'a'))).toBe('EISDIR')
  // A directory with nothing but older versions is no common prefix, and no key.
  await drop(bench, 'a/b')
  expect(asker(bench, protocol.list)({ delimiter: '/' }).entries).toEqual([])
  expect(asker(bench, protocol.list)().entries).toEqual([])
  await expect(bench.do(removeName, { path: `${bucket}/a` })).rejects.toThrow(/holds older versions of objects/)
  const routes = snapshotRoutes({ journal: bench.journal, clock: bench.clock, actor: actors('grace'), removed: () => {} })
  const { handler } = routes.find(each => each.message.name === 'snapshot.create')!
  expect(() => handler({ ...asked(), path: bucket, name: '.objects' } as never, { user: 'grace' } as never)).toThrow(/cannot be called/)
  await sound(bench)
})

/** A key `a` with one version, whose delete marker was removed while `a` was the directory of the key `a/b`. */
async function openCovered() {
  const bench = await openBucket('Enabled')
  const one = await store(bench, 'a')
  const { marker } = (await drop(bench, 'a'))!
  await store(bench, 'a/b')
  await dropVersion(bench, 'a', marker)
  expect(shown(versionsOf(bench, { prefix: 'a' }))[0]).toBe(`a ${one.length} id`)
  return { bench, one, ids: versionsOf(bench, { prefix: 'a/' }).map(({ version }) => version!), marker }
}

test('a version whose delete marker was removed while a directory had the name is the object when S3 removes the directory', async () => {
  const { bench, one, ids } = await openCovered()
  await dropVersion(bench, 'a/b', ids[0]!)
  expect(shown(versionsOf(bench))).toEqual([`a ${one.length} id latest`])
  expect(stat(bench.journal.view, root, pathOfKey('a')).id).toBe(one.id)
  await sound(bench)
  expect(bench.journal.view.counters).toMatchObject({ files: 1, attributes: 2 })
})

test('an empty directory that stays is the key with a slash; with the removal of that key the version before it is the object', async () => {
  const { bench, one } = await openCovered()
  await bench.do(setAttributes, { path: pathOfKey('a'), mode: 0o700 })
  await bench.do(removeName, { path: pathOfKey('a/b') })
  expect(shown(versionsOf(bench))[0]).toBe(`a ${one.length} id`)
  await dropDirectory(bench, 'a')
  expect(shown(versionsOf(bench))).toEqual([`a ${one.length} id latest`])
  await sound(bench)
})

test('what another door has removed does not come back: neither an object, nor the version that a directory has covered', async () => {
  const { bench, one } = await openCovered()
  await bench.do(removeName, { path: pathOfKey('a'), recursive: true })
  const again = async () => {
    await store(bench, 'a/b')
    await dropVersion(bench, 'a/b', versionsOf(bench, { prefix: 'a/b' })[0]!.version!)
  }
  await again()
  expect(shown(versionsOf(bench))).toEqual([`a ${one.length} id`])
  const two = await store(bench, 'a')
  const three = await store(bench, 'a')
  await bench.do(removeName, { path: pathOfKey('a') })
  await again()
  expect(shown(versionsOf(bench))).toEqual([`a ${two.length} id`, `a ${one.length} id`])
  expect(three.id).not.toBe(two.id)
  await sound(bench)
})

test('a directory that comes back under its former name covers what it did, unless S3 has written the key meanwhile', async () => {
  for (const isWritten of [false, true]) {
    const { bench, one, ids } = await openCovered()
    const aside = pathOfKey('aside')
    await bench.do(rename, { from: pathOfKey('a'), to: aside, overwrite: false })
    if (isWritten) {
      await store(bench, 'a')
      await store(bench, 'a')
      await bench.do(removeName, { path: pathOfKey('a') })
    }
    await bench.do(rename, { from: aside, to: pathOfKey('a'), overwrite: false })
    await dropVersion(bench, 'a/b', ids[0]!)
    expect(shown(versionsOf(bench)).filter(each => each.endsWith('latest'))).toEqual(isWritten ? [] : [`a ${one.length} id latest`])
    await sound(bench)
  }
})

test('a key that is deleted again while a directory covers it stays deleted, and the versions that go meanwhile are passed over', async () => {
  const { bench, ids, one } = await openCovered()
  const { marker } = (await drop(bench, 'a'))!
  await dropVersion(bench, 'a/b', ids[0]!)
  expect(shown(versionsOf(bench))).toEqual(['a marker id latest', `a ${one.length} id`])
  await dropVersion(bench, 'a', marker)
  const two = await store(bench, 'a')
  const last = (await drop(bench, 'a'))!.marker
  await store(bench, 'a/b')
  await dropVersion(bench, 'a', last)
  await dropVersion(bench, 'a', versionsOf(bench).find(({ status }) => status?.id === two.id)!.version!)
  await dropVersion(bench, 'a/b', versionsOf(bench, { prefix: 'a/b' })[0]!.version!)
  expect(shown(versionsOf(bench))).toEqual([`a ${one.length} id latest`])
  await sound(bench)
})

test('while a file of the key is being written, no version becomes the object: the removal that asks for that is refused', async () => {
  const bench = await openBucket('Enabled')
  const one = await store(bench, 'k')
  const two = await store(bench, 'k')
  const { marker } = (await drop(bench, 'k'))!
  const { lease } = await bench.do(create, { path: pathOfKey('k'), overwrite: true, replication: 1, blockBytes: 4096 })
  expect(await refusal(dropVersion(bench, 'k', marker))).toBe('EBUSY')
  expect(shown(versionsOf(bench))).toEqual(['k marker id latest', `k ${two.length} id`, `k ${one.length} id`])
  // An operation of a version that left it an older one for good has the result that it had.
  await bench.do(removeVersion, { path: pathOfKey('k'), keep: bucket, version: marker, oneNull: true })
  await bench.do(abandon, { lease, ...root })
  expect(shown(versionsOf(bench))).toEqual([`k ${two.length} id`, `k ${one.length} id`])
  await sound(bench)
})

test('a directory that covers a version stays while a file of its name is being written', async () => {
  const bench = await openBucket('Enabled')
  const one = await store(bench, 'a')
  const { marker } = (await drop(bench, 'a'))!
  const { lease } = await bench.do(create, { path: pathOfKey('a'), overwrite: true, replication: 1, blockBytes: 4096 })
  await store(bench, 'a/b')
  await dropVersion(bench, 'a', marker)
  await dropVersion(bench, 'a/b', versionsOf(bench, { prefix: 'a/b' })[0]!.version!)
  expect(stat(bench.journal.view, root, pathOfKey('a')).type).toBe('directory')
  expect(await refusal(dropDirectory(bench, 'a'))).toBe('EBUSY')
  await bench.do(abandon, { lease, ...root })
  await dropDirectory(bench, 'a')
  expect(shown(versionsOf(bench))).toEqual([`a ${one.length} id latest`])
  await sound(bench)
})

test('snapshots keep what they saw; totals count older versions apart; attributes of one version change that one', async () => {
  const bench = await openBucket('Enabled')
  const first = await store(bench, 'k')
  const second = await store(bench, 'k')
  await bench.do(createSnapshot, { path: bucket, name: 's' })
  await drop(bench, 'k')
  const names = list(bench.journal.view, root, { path: `${bucket}/.snapshot/s` }).entries.map(({ path }) => path)
  expect(names).toEqual([`${bucket}/.snapshot/s/k`])
  const world = { yield: () => Promise.resolve(), signal: new AbortController().signal }
  expect(await summary(bench.journal.view, root, bucket, world, true))
    .toMatchObject({ files: 0, versions: { files: 2, bytes: first.length + second.length } })
  const [, newer, older] = versionsOf(bench)
  const value = Buffer.from('rye').toString('base64')
  const described = { path: pathOfKey('k'), replaces: ['user.old'], attributes: [{ name: 'user.tag', value }] }
  await bench.do(describeVersion, { ...described, version: newer!.version! })
  const [marker, changed, other] = asker(bench, protocol.versions)({ attributes: ['user.tag'] }).entries
  expect([changed!.attributes, other!.attributes]).toEqual([[{ name: 'user.tag', value }], undefined])
  expect(await refusal(bench.do(describeVersion, { ...described, version: marker!.version! }))).toBe('EISDIR')
  expect(await refusal(bench.do(describeVersion, { ...described, version: 'ffffffffffff' }))).toBe('ENOENT')
  expect(await refusal(bench.do(describeVersion, { ...described, version: newer!.version!, ...as('ada') }))).toBe('EACCES')
  // Ids are the system's: no user sees or sets them.
  const name = 'system.s3.version'
  expect([...attributesOf(bench.journal.view, newer!.status!.id)].map(each => each.name)).toEqual([name, 'user.tag'])
  const shownOf = xattrRoutes({ journal: bench.journal, actor: actors('grace') }).find(each => each.message.name === 'xattr.list')!
  expect(shownOf.handler({ path: newer!.status!.path } as never, { user: 'grace' } as never))
    .toEqual({ attributes: [{ name: 'user.tag', value }] })
  expect(await refusal(bench.do(setAttribute, { path: bucket, name, value }))).toBe('EINVAL')
  // Versions that are removed for good are gone, and the object of the snapshot is not.
  for (const { version } of versionsOf(bench)) await dropVersion(bench, 'k', version!)
  expect(stat(bench.journal.view, root, `${bucket}/.snapshot/s/k`)).toMatchObject({ id: second.id, length: second.length })
  expect(list(bench.journal.view, root, { path: `${bucket}/.snapshot/s` }).entries.length).toBe(1)
  expect(() => stat(bench.journal.view, root, `${bucket}/.snapshot/s/.snapshot/.objects/k/${older!.version}`))
    .toThrow(expect.objectContaining({ code: 'ENOENT' }))
  await sound(bench)
})

test('a version is removed only if it is still what the caller has seen', async () => {
  const bench = await openBucket('Enabled')
  await store(bench, 'k')
  await store(bench, 'k')
  const only = (which: 'older' | 'marker', version: string) =>
    refusal(bench.do(removeVersion, { path: pathOfKey('k'), keep: bucket, version, only: which }))
  const [object, older] = versionsOf(bench).map(({ version }) => version!)
  expect(await only('older', object!)).toBe('ESTALE')
  const { marker } = (await drop(bench, 'k'))!
  expect([await only('marker', marker), await only('marker', object!)]).toEqual(['ESTALE', 'ESTALE'])
  expect([await only('older', object!), await only('older', older!), await only('marker', marker)]).toEqual(['ok', 'ok', 'ok'])
  expect(versionsOf(bench)).toEqual([])
  await sound(bench)
})

test('a page reads about as many rows as it returns, wherever it starts among the versions of one key', async () => {
  const bench = await openBucket('Enabled')
  for (let i = 0; i < 60; i++) await store(bench, 'k')
  const all = versionsOf(bench)
  const { view } = bench.journal
  const range = view.range.bind(view)
  let rows = 0
  vi.spyOn(view, 'range').mockImplementation(function* counted(...asked) {
    for (const row of range(...asked)) { rows++; yield row }
  })
  const page = asker(bench, protocol.versions)({ limit: 5, after: { key: 'k', version: all[30]!.version! } })
  expect(page.entries).toEqual(all.slice(31, 36))
  expect(rows).toBeLessThan(12)
})

test('a directory of another user is listed and changed by its own rights only', async () => {
  const bench = await openBucket('Enabled')
  await store(bench, 'k')
  await store(bench, 'k')
  await bench.do(setAttributes, { path: bucket, mode: 0o700 })
  expect(() => asker(bench, protocol.versions)({}, 'ada')).toThrow(/ada/)
  const code = (path: string): string => {
    try {
      stat(bench.journal.view, as('ada'), path)
      return 'ok'
    } catch (error) {
      return (error as { code: string }).code
    }
  }
  expect(code(`${bucket}/.snapshot/.objects`)).toBe('EACCES')
  await bench.do(setAttributes, { path: bucket, mode: 0o755 })
  expect(code(`${bucket}/.snapshot/.objects`)).toBe('ok')
  for (const each of ['none', 'k/none', 'k/null/more'])
    expect([each, code(`${bucket}/.snapshot/.objects/${each}`)]).toEqual([each, 'ENOENT'])
})

interface Version { readonly id: number; readonly isNull: boolean; readonly marker: boolean }
/** `covered`: id of the directory that has the name of a key whose newest older version is to be the object. */
interface ModelKey { file?: Version; older: Version[]; covered?: number | undefined }
type State = 'Enabled' | 'Suspended' | undefined

/** Keys as AWS describes them, and what other doors do to them. */
class Model {
  readonly keys = new Map<string, ModelKey>()
  state: State

  of(key: string): ModelKey {
    const found = this.keys.get(key) ?? { older: [] }
    this.keys.set(key, found)
    return found
  }

  #aside(of: ModelKey): void {
    if (this.state === 'Suspended' || of.file?.isNull) of.older = of.older.filter(({ isNull }) => !isNull)
    if (of.file && !(this.state === 'Suspended' && of.file.isNull)) of.older.unshift(of.file)
    delete of.file
  }

  put(key: string, id: number): void {
    const of = this.of(key)
    delete of.covered
    if (this.state) this.#aside(of)
    of.file = { id, isNull: this.state !== 'Enabled', marker: false }
  }

  drop(key: string, id: number): void {
    const of = this.of(key)
    if (!this.state) return void delete of.file
    delete of.covered
    this.#aside(of)
    of.older.unshift({ id, isNull: this.state === 'Suspended', marker: true })
  }

  /** `directory`: id of the one that has the key's name. */
  dropVersion(key: string, version: Version, directory: number | undefined): void {
    const of = this.of(key)
    const wasNewest = of.file ? of.file === version : version.marker && of.older[0] === version
    if (of.file === version) delete of.file
    else of.older = of.older.filter(each => each !== version)
    if (!wasNewest || of.file || !of.older[0] || of.older[0].marker) return
    if (directory === undefined) of.file = of.older.shift()!
    else of.covered = directory
  }

  /** S3 has removed directories: `directoryAt` tells which remain. Returns the number of objects that are there again. */
  uncover(directoryAt: (key: string) => number | undefined): number {
    let count = 0
    for (const [key, of] of this.keys) {
      if (of.covered === undefined || of.covered === directoryAt(key)) continue
      delete of.covered
      if (of.older[0] && !of.older[0].marker) {
        of.file = of.older.shift()!
        count++
      }
    }
    return count
  }

  /** Another door has removed a directory. Its id is never used again. */
  removeBelow(above: string): void {
    for (const [key, of] of this.keys) {
      if (key.startsWith(`${above}/`)) this.keys.delete(key)
      if (key === above) delete of.covered
    }
  }

  /** `length` stands for a version; a marker has none. */
  get lines(): string[] {
    return [...this.keys].sort(([a], [b]) => compareKeys(a, b)).flatMap(([key, { file, older }]) => [
      ...file ? [line(key, file, true)] : [],
      ...older.filter(each => !(each.isNull && file?.isNull)).map((each, i) => line(key, each, !file && i === 0 && each.marker)),
    ])
  }
}

const line = (key: string, { id, isNull, marker }: Version, latest: boolean): string =>
  `${key} ${marker ? 'marker' : id} ${isNull ? 'null' : 'id'}${latest ? ' latest' : ''}`

const keys = ['a', 'a.b', 'a/b', 'a/b/c', 'a//b', 'é', 'z/', 'z/.']

test('random changes of a bucket leave the versions of the model', async () => {
  let restored = 0
  for (let seed = 1; seed <= 8; seed++) restored += await change(seed)
  expect(restored).toBeGreaterThan(0)
})

/** A random story, compared with the model behind each step. Returns the number of objects that came back behind a directory. */
async function change(seed: number): Promise<number> {
  const random = seeded(seed)
  const bench = await openBucket()
  const model = new Model()
  const directoryAt = (key: string): number | undefined => {
    try {
      const { id, type } = stat(bench.journal.view, root, pathOfKey(key))
      return type === 'directory' ? id : undefined
    } catch {
      return undefined
    }
  }
  let restored = 0
  // Every other story is of a key and one below it, which is often without versions.
  const few = seed % 2 === 0 ? ['a', 'a/b'] : keys
  if (seed % 2 === 0) await setState(bench, model.state = 'Enabled')
  for (let i = 0; i < 120; i++) {
    const key = few[random.below(few.length)]!
    const step = random.below(15)
    await (step < 13 ? byS3(step) : byOthers(step))
    if (step < 13) restored += model.uncover(directoryAt)
    // Directories that other doors have emptied are keys with a slash at the end.
    const found = versionsOf(bench, { limit: 1 + random.below(5) })
      .filter(({ status }) => status!.type === 'file' || status!.path.includes('/.snapshot/'))
    expect([seed, i, ...shown(found)]).toEqual([seed, i, ...model.lines])

    async function byS3(drawn: number): Promise<void> {
      if (drawn < 3) return store(bench, key).then(({ length }) => model.put(key, length), () => {})
      if (drawn < 5) return drop(bench, key).then(done => { if (done || model.of(key).file) model.drop(key, 0) }, () => {})
      if (drawn === 5) return dropDirectory(bench, key).then(() => {}, () => {})
      if (drawn === 6) {
        model.state = random.below(2) === 0 ? 'Enabled' : 'Suspended'
        return void await setState(bench, model.state)
      }
      // All of a key below others, so that its directory goes too; or one, mostly a delete marker.
      const isAll = drawn > 10 && key.includes('/')
      do {
        const { file, older } = model.of(key)
        const all = [...file ? [file] : [], ...older.filter(each => !(each.isNull && file?.isNull))]
        if (all.length === 0 || (!isAll && !all[0]!.marker && random.below(3) > 0)) return
        const index = isAll || random.below(2) === 0 ? 0 : random.below(all.length)
        const { version } = versionsOf(bench, { prefix: key }).filter(each => each.key === key)[index]!
        const directory = directoryAt(key)
        await dropVersion(bench, key, version!)
        model.dropVersion(key, all[index]!, directory)
      } while (isAll)
    }

    async function byOthers(drawn: number): Promise<void> {
      const path = pathOfKey(key)
      if (directoryAt(key) === undefined) await bench.do(removeName, { path }).then(() => { delete model.of(key).file }, () => {})
      else if (drawn === 14) await bench.do(removeName, { path, recursive: true }).then(() => model.removeBelow(key), () => {})
    }
  }
  const live = asker(bench, protocol.list)().entries.filter(({ status }) => status!.type === 'file').map(({ key }) => key)
  expect(live).toEqual([...model.keys].filter(([, { file }]) => file).map(([key]) => key).sort(compareKeys))
  await sound(bench)
  return restored
}
