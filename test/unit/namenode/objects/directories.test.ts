// Directories of object stores on a namenode's state in memory: uploads that are begun with the right to publish, and expire; keys with a
// slash at their end, whose attributes change in one operation.

import { expect, test } from 'vitest'
import { begin, expire, storeDirectory } from '../../../../namenode/objects/directories.ts'
import { expiring } from '../../../../namenode/objects/expiry.ts'
import { publish } from '../../../../namenode/objects/mutations.ts'
import { remove } from '../../../../namenode/objects/removal.ts'
import { setVersioning } from '../../../../namenode/objects/versioning.ts'
import { mkdir, setAttributes, touch } from '../../../../namenode/namespace/names.ts'
import { list, stat } from '../../../../namenode/namespace/read.ts'
import { attributesOf } from '../../../../namenode/xattrs/rows.ts'
import { inodeId } from '../../../../src/base/ids.ts'
import { limits } from '../../../../src/base/limits.ts'
import { uploadsDirectory, type Expected } from '../../../../src/protocol/object.ts'
import { as, differencesIn, file, replayed, root, sweepAll, type Bench } from '../kit.ts'
import { bucket, openObjects, pathOfKey, put, upload } from './kit.ts'

const attribute = (name: string, text: string) => ({ name, value: Buffer.from(text).toString('base64') })
const attributesAt = ({ journal }: Bench, path: string): Record<string, string> =>
  Object.fromEntries([...attributesOf(journal.view, stat(journal.view, root, path).id)].map(({ name, value }) => [name, value.toString()]))
const uploadsIn = ({ journal }: Bench): string[] =>
  list(journal.view, root, { path: uploadsDirectory }).entries.map(({ path }) => path.slice(uploadsDirectory.length + 1))

const codeOf = (work: Promise<unknown>): Promise<string> => work.then(() => 'ok', (error: { code: string }) => error.code)

async function sound(bench: Bench): Promise<void> {
  await sweepAll(bench)
  expect(differencesIn(bench)).toEqual([])
  await replayed(bench)
}

test('a condition on a key with a slash at its end is about its content or the directory, in the operation itself', async () => {
  const bench = await openObjects()
  await bench.do(mkdir, { path: '/b', mode: 0o777 })
  const [keyAttributes, path, content] = [['user.s3.etag'], '/b/k', pathOfKey('k/').replace(bucket, '/b')]
  const absent = { absent: true } as const
  const directory = (expect: Expected): Promise<string> => codeOf(bench.do(storeDirectory, {
    path, base: '/b', attributes: [attribute('user.s3.etag', 'x')], replaces: keyAttributes, replacesContent: true, expect,
  }))
  const written = (expect: Expected): Promise<string> => codeOf(put(bench, content, { base: '/b', expect, keyAttributes }))
  const removed = (expect?: Expected): Promise<string> =>
    codeOf(bench.do(remove, { path: content, keep: '/b', directory: false, attributes: keyAttributes, removesKey: true, expect }))
  const names = (at: string): string[] => list(bench.journal.view, root, { path: at }).entries.map(({ path: each }) => each)
  const idOf = (at: string) => ({ id: stat(bench.journal.view, root, at).id })
  // Of two writers that each wait for an absent key the second is refused, in either order.
  expect([await directory(absent), await written(absent)]).toEqual(['ok', 'EEXIST'])
  const first = idOf(path)
  expect([await removed({ id: inodeId(first.id + 100) }), await removed(first), names('/b')]).toEqual(['ESTALE', 'ok', []])
  expect([await written(absent), await directory(absent), await written(absent)]).toEqual(['ok', 'EEXIST', 'EEXIST'])
  expect([await removed(idOf(path)), await removed(idOf(content)), names('/b')]).toEqual(['ESTALE', 'ok', []])
  // An empty directory is the key, too, and one that is missing is not made for a refused write.
  await bench.do(mkdir, { path, mode: 0o755 })
  expect([await written(absent), await written(first)]).toEqual(['EEXIST', 'ESTALE'])
  const second = idOf(path)
  expect([await removed(), await written(second), names('/b')]).toEqual(['ok', 'ENOENT', []])
  // The directory that was seen is replaced by content; then it is not the key any more.
  expect(await directory(absent)).toBe('ok')
  const third = idOf(path)
  expect([await written(third), await written(third), await removed(third)]).toEqual(['ok', 'ESTALE', 'ESTALE'])
  expect(await removed()).toBe('ok')
  // A directory with other keys in it stays, and is none.
  expect(await directory(absent)).toBe('ok')
  await put(bench, '/b/k/other')
  expect([await removed(idOf(path)), attributesAt(bench, path), await removed(), names('/b/k')])
    .toEqual(['ok', {}, 'ENOENT', ['/b/k/other']])
  // In a bucket with versioning the key gets a delete marker in the same operation.
  await bench.do(setVersioning, { path: '/b', state: 'Enabled' })
  expect(await directory(absent)).toBe('ok')
  expect([await removed({ id: inodeId(1) }), await written(absent), await removed(idOf(path)), attributesAt(bench, path)])
    .toEqual(['ESTALE', 'EEXIST', 'ok', {}])
  expect([await removed(third), await written(absent)]).toEqual(['ENOENT', 'ok'])
  // Operations in a journal of an earlier version have their old result.
  await bench.do(mkdir, { path: '/c', mode: 0o777 })
  await bench.do(mkdir, { path: '/c/k', mode: 0o777 })
  const early = content.replace('/b', '/c')
  expect(await codeOf(bench.do(remove, { path: early, keep: '/c', directory: false, attributes: keyAttributes }))).toBe('ENOENT')
  await put(bench, early, { base: '/c', expect: absent })
  await sound(bench)
})

test('an upload is begun, with its attributes, by a user who could publish at its target now', async () => {
  const bench = await openObjects()
  await bench.do(mkdir, { path: '/b', mode: 0o777 })
  await put(bench, '/b/file')
  await bench.do(mkdir, { path: '/b/directory', mode: 0o755 })
  let uploads = 0
  const beginning = (to: string, more: object = {}): Promise<string> => codeOf(bench.do(begin, {
    upload: `${uploadsDirectory}/u${++uploads}`, attributes: [attribute('user.a', to)], to, base: '/b', ...as('ada'), ...more,
  }))
  const answers: Record<string, string> = {}
  for (const to of ['/b/new', '/b/not/yet/there', '/b/file', '/b/directory', '/b/directory/x', '/b/directory/y/z', '/b/file/x'])
    answers[to] = await beginning(to)
  expect(answers).toEqual({
    '/b/new': 'ok', '/b/not/yet/there': 'ok', '/b/file': 'EACCES', '/b/directory': 'EISDIR', '/b/directory/x': 'EACCES',
    '/b/directory/y/z': 'EACCES', '/b/file/x': 'ENOTDIR',
  })
  expect(await beginning('/c/x', { base: '/c' })).toBe('ENOENT')
  expect(await beginning('/b/x', { upload: `${uploadsDirectory}/u1` })).toBe('EEXIST')
  expect(await beginning('/b/x', { upload: '/b/elsewhere' })).toBe('EINVAL')
  expect(uploadsIn(bench)).toEqual(['u1', 'u2'])
  expect(stat(bench.journal.view, root, `${uploadsDirectory}/u1`)).toMatchObject({ owner: 'ada', mode: 0o700 })
  expect(attributesAt(bench, `${uploadsDirectory}/u1`)).toEqual({ 'user.a': '/b/new' })
  await sound(bench)
})

test('a key with a slash at its end has the attributes of its last writer, and others keep theirs', async () => {
  const bench = await openObjects()
  await bench.do(mkdir, { path: '/b', mode: 0o777 })
  const storing = (path: string, attributes: readonly ReturnType<typeof attribute>[], more: object = {}): Promise<unknown> =>
    bench.do(storeDirectory, { path, base: '/b', attributes, replaces: ['user.a', 'user.b'], ...as('ada'), ...more })
  await storing('/b/x/y', [attribute('user.a', 'one'), attribute('user.c', 'kept')])
  await storing('/b/x/y', [attribute('user.b', 'two')])
  expect(attributesAt(bench, '/b/x/y')).toEqual({ 'user.b': 'two', 'user.c': 'kept' })
  expect(stat(bench.journal.view, root, '/b/x')).toMatchObject({ owner: 'ada' })
  await put(bench, '/b/file')
  expect(await codeOf(storing('/b/file', []))).toBe('ENOTDIR')
  expect(await codeOf(storing('/c/x', [], { base: '/c' }))).toBe('ENOENT')
  expect(await codeOf(storing('/b/x/y', [], as('grete')))).toBe('EACCES')
  const large = Array.from({ length: limits.attributesBytesMax / 4096 }, (_, i) => attribute(`user.${i}`, 'x'.repeat(4096)))
  expect(await codeOf(storing('/b/x/y', large))).toBe('TOO_LARGE')
  // Of a refused change nothing is left.
  expect(attributesAt(bench, '/b/x/y')).toEqual({ 'user.b': 'two', 'user.c': 'kept' })
  await sound(bench)
})

test('uploads that were begun long ago are removed with their parts, whatever the wall clock says', async () => {
  const bench = await openObjects()
  let told = 0
  const chore = (keepMs: number, frozen = false) =>
    expiring({ journal: bench.journal, clock: bench.clock, keepMs, frozen: () => frozen, removed: () => { told++ } })
  const starting = (name: string) =>
    bench.do(begin, { upload: `${uploadsDirectory}/${name}`, attributes: [], nowMs: bench.journal.nowMs() })
  await starting('old')
  const part = await upload(bench, 2)
  await bench.do(publish, { ...part, to: `${uploadsDirectory}/old/00001` })
  await bench.do(touch, { ...file(`${uploadsDirectory}/stray`), nowMs: bench.journal.nowMs() })
  bench.clock.pass(5_000)
  await starting('young')
  bench.clock.wallMs += 1e10
  await chore(10_000).work()
  bench.clock.pass(5_001)
  await chore(0).work()
  await chore(10_000, true).work()
  // One of the same name was begun since the chore has looked.
  await bench.do(expire, { names: ['young', 'stray', 'none'], beforeMs: bench.journal.nowMs() - 10_000 })
  expect([told, uploadsIn(bench)]).toEqual([0, ['old', 'stray', 'young']])
  await chore(10_000).work()
  expect(uploadsIn(bench)).toEqual(['stray', 'young'])
  expect(told).toBe(1)
  expect(await codeOf(bench.do(setAttributes, { path: `${uploadsDirectory}/old`, mode: 0o700 }))).toBe('ENOENT')
  await sound(bench)
})

const stored = (bench: Bench, path: string, more: object = {}) =>
  bench.do(storeDirectory, { path, base: '/b', attributes: [attribute('user.a', 'x')], replaces: [], ...more })
const namesIn = ({ journal }: Bench, path: string): string[] =>
  list(journal.view, root, { path }).entries.map(entry => entry.path.slice(path.length + 1))

test('a key that was stored with content and then without has none; an operation of an earlier version has left it', async () => {
  const bench = await openObjects()
  await bench.do(mkdir, { path: '/b', mode: 0o777 })
  for (const key of ['new', 'old', 'private']) await put(bench, `/b/${key}/%empty`)
  for (const key of ['new', 'old', 'private']) await bench.do(setAttributes, { path: `/b/${key}`, mode: 0o777 })
  await bench.do(setAttributes, { path: '/b/new/%empty', mode: 0o666 })
  await stored(bench, '/b/new', { replacesContent: true, ...as('ada') })
  await stored(bench, '/b/old', as('ada'))
  expect(await codeOf(stored(bench, '/b/private', { replacesContent: true, ...as('ada') }))).toBe('EACCES')
  expect(['new', 'old', 'private'].map(key => namesIn(bench, `/b/${key}`))).toEqual([[], ['%empty'], ['%empty']])
  // A directory of that name is the key with one more slash.
  await put(bench, '/b/two/%empty/k')
  await stored(bench, '/b/two', { replacesContent: true })
  expect(namesIn(bench, '/b/two')).toEqual(['%empty'])
  await sound(bench)
})

test('with the content of a key goes the directory that was stored under it before, and no other directory loses its attributes', async () => {
  const bench = await openObjects()
  await bench.do(mkdir, { path: '/b' })
  for (const name of ['%empty', 'k']) {
    await stored(bench, '/b/d')
    await put(bench, `/b/d/${name}`)
    await bench.do(remove, { path: `/b/d/${name}`, keep: '/b', directory: false, attributes: ['user.a'] })
    expect(namesIn(bench, '/b')).toEqual(name === 'k' ? ['d'] : [])
  }
  expect(attributesAt(bench, '/b/d')).toEqual({ 'user.a': 'x' })
  await sound(bench)
})

test('all pages of the directory of uploads are looked at', async () => {
  const bench = await openObjects()
  for (let i = 0; i < 1001; i++)
    await bench.do(begin, { upload: `${uploadsDirectory}/${String(i).padStart(4, '0')}`, attributes: [], nowMs: i === 1000 ? 0 : 1e14 })
  await expiring({ journal: bench.journal, clock: bench.clock, keepMs: 1, frozen: () => false, removed: () => {} }).work()
  // A list of names would end before it.
  expect(() => stat(bench.journal.view, root, `${uploadsDirectory}/1000`)).toThrow(/no/)
  expect(stat(bench.journal.view, root, `${uploadsDirectory}/0999`).type).toBe('directory')
})
