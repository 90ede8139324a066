// Access control lists of a namenode's state in memory: who may change them, what they permit, what new names inherit, and where they go
// with their entry.

import { expect, test } from 'vitest'
import { setAcl } from '../../../../namenode/namespace/acls.ts'
import { find } from '../../../../namenode/namespace/asof.ts'
import { mkdir, rename, setAttributes, touch } from '../../../../namenode/namespace/names.ts'
import { list, stat } from '../../../../namenode/namespace/read.ts'
import { storeDirectory } from '../../../../namenode/objects/directories.ts'
import { put as putObject } from '../../../../namenode/objects/mutations.ts'
import { remove as removeObject } from '../../../../namenode/objects/removal.ts'
import { setVersioning } from '../../../../namenode/objects/versioning.ts'
import { createSnapshot } from '../../../../namenode/snapshots/mutations.ts'
import { items } from '../../../../namenode/trash/items.ts'
import { discard, restore } from '../../../../namenode/trash/mutations.ts'
import { complete, create } from '../../../../namenode/writing/mutations.ts'
import { put } from '../../../../namenode/writing/put.ts'
import { aclText, wholeAcl } from '../../../../src/base/acl.ts'
import { crc32c } from '@node-rs/crc32'
import { commitTask, publishJob } from '../../../../namenode/jobs/store/mutations.ts'
import { computed, published } from '../jobs/publish/publishkit.ts'
import { mapOnly, open, over, record, runTask, submit, write } from '../jobs/store/storekit.ts'
import { as, ask, differencesIn, file, openBench, replayed, root, sweepAll, type Bench } from '../kit.ts'

const [ann, bob, eve] = [as('ann'), as('bob'), as('eve')] as const
const denied = { code: 'EACCES' }

function aclOf(bench: Bench, path: string): string {
  const { entry } = find(bench.journal.view, root, path)
  return wholeAcl(entry.mode, entry.acl).map(aclText).join(',')
}

const modify = (bench: Bench, path: string, ...entries: string[]) => bench.do(setAcl, { path, kind: 'modify', entries, ...ann })
const content = { data: Buffer.from('x').toString('base64'), crc: crc32c(Buffer.from('x')) }

test('a list permits and denies at every operation, and the mask bounds it; chmod changes the mask', async () => {
  const bench = await openBench()
  await bench.do(mkdir, { path: '/d', mode: 0o700, ...ann })
  const look = (user = bob) => list(bench.journal.view, user, { path: '/d' })
  expect(() => look()).toThrow(expect.objectContaining(denied))
  await modify(bench, '/d', 'user:bob:rwx')
  expect(look().entries).toEqual([])
  await bench.do(touch, file('/d/f', bob))
  expect(() => look(eve)).toThrow(expect.objectContaining(denied))
  expect(stat(bench.journal.view, root, '/d')).toMatchObject({ mode: 0o770, acl: true })
  // The group has what it had: the bits of the mode are the mask.
  expect(aclOf(bench, '/d')).toBe('user::rwx,user:bob:rwx,group::---,mask::rwx,other::---')
  await bench.do(setAttributes, { path: '/d', mode: 0o750, ...ann })
  await expect(bench.do(touch, file('/d/g', bob))).rejects.toMatchObject({ ...denied, message: expect.stringContaining('and an ACL') })
  expect(aclOf(bench, '/d')).toBe('user::rwx,user:bob:rwx,group::---,mask::r-x,other::---')
  await bench.do(setAcl, { path: '/d', kind: 'clear', ...ann })
  expect(() => look()).toThrow(expect.objectContaining(denied))
  expect(stat(bench.journal.view, root, '/d')).not.toHaveProperty('acl')
  expect(stat(bench.journal.view, root, '/d').mode).toBe(0o700)
  await replayed(bench)
})

test('only the owner and the superuser change a list, and only to one that can be', async () => {
  const bench = await openBench()
  await bench.do(touch, file('/f', ann))
  await expect(bench.do(setAcl, { path: '/f', kind: 'modify', entries: ['user:bob:rwx'], ...bob })).rejects.toMatchObject(denied)
  await modify(bench, '/f', 'user:bob:rwx')
  // A named user who may write is no owner.
  await expect(bench.do(setAcl, { path: '/f', kind: 'clear', ...bob })).rejects.toMatchObject(denied)
  await expect(modify(bench, '/f', 'default:user:bob:rwx')).rejects.toMatchObject({ code: 'EINVAL', message: /only directories/ })
  await expect(modify(bench, '/f', 'user:b\u0007:rwx')).rejects.toMatchObject({ code: 'EINVAL' })
  await expect(modify(bench, '/f', `user:${'b'.repeat(256)}:rwx`)).rejects.toMatchObject({ code: 'EINVAL' })
  await expect(bench.do(setAcl, { path: '/f', kind: 'clear', entries: ['user:bob:'], ...ann })).rejects.toMatchObject({ code: 'EINVAL' })
  await expect(bench.do(setAcl, { path: '/f', kind: 'set', ...ann })).rejects.toMatchObject({ code: 'EINVAL' })
  await expect(bench.do(setAcl, { path: '/g', kind: 'clear', ...ann })).rejects.toMatchObject({ code: 'ENOENT' })
  await bench.do(setAcl, { path: '/', kind: 'modify', entries: ['user:bob:rwx'], ...root })
  expect(aclOf(bench, '/')).toContain('user:bob:rwx')
  // A repeated request gets the first answer.
  const asked = { path: '/f', kind: 'clear' as const, ...ann, ...ask() }
  const first = await bench.do(setAcl, asked)
  await modify(bench, '/f', 'user:eve:r--')
  expect(await bench.do(setAcl, asked)).toEqual(first)
  expect(aclOf(bench, '/f')).toContain('eve')
  const again = { path: '/f', kind: 'modify' as const, entries: ['user:bob:r--'], ...ann, ...ask() }
  expect(await bench.do(setAcl, again)).toEqual(await bench.do(setAcl, again))
})

test('every way to make a name inherits the default list; a mode that was asked for bounds it', async () => {
  const bench = await openBench()
  await bench.do(mkdir, { path: '/d', mode: 0o777, ...ann })
  await modify(bench, '/d', 'default:user:bob:rwx', 'default:other::---')
  const defaults = 'default:user::rwx,default:user:bob:rwx,default:group::rwx,default:mask::rwx,default:other::---'
  const plain = { replication: 1, blockBytes: 4096, ...ann }
  const write = async (path: string, more: object = {}) => {
    const { lease } = await bench.do(create, { ...plain, path, ...more })
    await bench.do(complete, { lease, blocks: [], ...ann })
  }
  await bench.do(touch, { ...plain, path: '/d/touched' })
  await write('/d/written')
  await bench.do(put, { ...plain, path: '/d/put', content })
  await bench.do(putObject, { ...plain, to: '/d/object', content, path: '/d/object' } as never)
  for (const name of ['touched', 'written', 'put', 'object'])
    expect([name, aclOf(bench, `/d/${name}`)]).toEqual([name, 'user::rw-,user:bob:rwx,group::rwx,mask::rw-,other::---'])
  await write('/d/private', { mode: 0o600 })
  await bench.do(put, { ...plain, path: '/d/private2', content, mode: 0o600 })
  for (const name of ['private', 'private2']) expect(aclOf(bench, `/d/${name}`)).toContain('mask::---,other::---')
  await bench.do(mkdir, { path: '/d/made', ...ann })
  await bench.do(mkdir, { path: '/d/deep/er', parents: true, ...ann })
  await write('/d/with/parents/f', { parents: true })
  for (const name of ['made', 'deep', 'deep/er', 'with', 'with/parents'])
    expect([name, aclOf(bench, `/d/${name}`)]).toEqual([name, `user::rwx,user:bob:rwx,group::rwx,mask::rwx,other::---,${defaults}`])
  await bench.do(mkdir, { path: '/d/closed', mode: 0o700, ...ann })
  expect(aclOf(bench, '/d/closed')).toBe(`user::rwx,user:bob:rwx,group::rwx,mask::---,other::---,${defaults}`)
  // Elsewhere nothing is inherited.
  await write('/plain')
  expect(stat(bench.journal.view, root, '/plain')).toMatchObject({ mode: 0o644 })
  expect(stat(bench.journal.view, root, '/plain')).not.toHaveProperty('acl')
  expect(differencesIn(bench)).toEqual([])
  await replayed(bench)
})

test('a file that replaces another one keeps its list, with the mode that is asked for, and inherits none', async () => {
  const bench = await openBench()
  await bench.do(mkdir, { path: '/d', mode: 0o777, ...ann })
  await bench.do(touch, file('/d/old', ann))
  await bench.do(touch, file('/d/listed', ann))
  await modify(bench, '/d/listed', 'user:bob:rw-')
  await modify(bench, '/d', 'default:user:eve:rwx')
  const plain = { replication: 1, blockBytes: 4096, overwrite: true, ...ann }
  for (const name of ['old', 'listed']) {
    const { lease } = await bench.do(create, { ...plain, path: `/d/${name}` })
    await bench.do(complete, { lease, blocks: [], ...ann })
  }
  expect(stat(bench.journal.view, root, '/d/old')).not.toHaveProperty('acl')
  expect(stat(bench.journal.view, root, '/d/old').mode).toBe(0o644)
  // Without a mode the mask stays too, in both ways to write a file.
  const kept = 'user::rw-,user:bob:rw-,group::r--,mask::rw-,other::r--'
  expect(aclOf(bench, '/d/listed')).toBe(kept)
  await bench.do(put, { ...plain, path: '/d/listed', content })
  expect(aclOf(bench, '/d/listed')).toBe(kept)
  await bench.do(put, { ...plain, path: '/d/listed', content, mode: 0o600 })
  expect(aclOf(bench, '/d/listed')).toBe('user::rw-,user:bob:rw-,group::r--,mask::---,other::---')
})

test('of two modes the whole one bounds a default list, and the other one is that of files and directories without', async () => {
  const bench = await openBench()
  const modes = { mode: 0o640, unmasked: 0o666 }
  for (const path of ['/d', '/p']) await bench.do(mkdir, { path, mode: 0o777, ...ann })
  await bench.do(touch, file('/d/old', ann))
  await bench.do(touch, file('/d/listed', ann))
  await modify(bench, '/d/listed', 'user:bob:r--')
  await modify(bench, '/d', 'default:group::r-x', 'default:user:bob:rwx', 'default:other::---')
  const plain = { replication: 1, blockBytes: 4096, overwrite: true, ...ann }
  const opened = (path: string, more: object = modes) => bench.do(create, { ...plain, path, ...more })
  const write = async (path: string, more?: object) => bench.do(complete, { ...await opened(path, more), blocks: [], ...ann })
  const inherited = 'user::rw-,user:bob:rwx,group::r-x,mask::rw-,other::---'
  const own = 'user::rw-,group::r--,other::---'
  await write('/d/new', { ...modes, format: 'csv', delimiter: ';' })
  expect(stat(bench.journal.view, root, '/d/new')).toMatchObject({ format: 'csv', delimiter: ';' })
  await bench.do(put, { ...plain, path: '/d/put', content, ...modes })
  for (const name of ['new', 'put']) expect([name, aclOf(bench, `/d/${name}`)]).toEqual([name, inherited])
  await write('/p/new')
  await bench.do(put, { ...plain, path: '/p/put', content, ...modes })
  for (const name of ['new', 'put']) expect([name, aclOf(bench, `/p/${name}`)]).toEqual([name, own])
  // A replaced file inherits none: neither the whole mode nor the mask of its list becomes that of the new one.
  for (const writes of [() => write('/d/old'), () => bench.do(put, { ...plain, path: '/d/old', content, ...modes })]) {
    await writes()
    expect(aclOf(bench, '/d/old')).toBe(own)
  }
  await write('/d/listed')
  expect(aclOf(bench, '/d/listed')).toBe('user::rw-,user:bob:r--,group::r--,mask::r--,other::---')
  // Also if the other file, or the default list, appears or goes while it is written.
  const late = await opened('/d/late')
  await bench.do(touch, file('/p/other', ann))
  await bench.do(rename, { from: '/p/other', to: '/d/late', ...ann })
  await modify(bench, '/p', 'default:user:bob:rwx', 'default:other::---', 'default:group::r-x')
  await bench.do(setAcl, { path: '/p', kind: 'removeDefault', ...ann })
  const gone = await opened('/p/gone')
  const came = await opened('/p/came')
  await bench.do(complete, { ...gone, blocks: [], ...ann })
  await modify(bench, '/p', 'default:user:bob:rwx', 'default:other::---', 'default:group::r-x')
  await bench.do(complete, { ...late, blocks: [], ...ann })
  await bench.do(complete, { ...came, blocks: [], ...ann })
  for (const [path, list] of [['/d/late', own], ['/p/gone', own], ['/p/came', inherited]] as const)
    expect([path, aclOf(bench, path)]).toEqual([path, list])
  // Without the other mode a replaced file keeps its own, and a new one outside has 0644.
  await bench.do(put, { ...plain, path: '/d/bounded', content, unmasked: 0o640 })
  expect(aclOf(bench, '/d/bounded')).toContain('mask::r--,other::---')
  await bench.do(mkdir, { path: '/d/made', mode: 0o700, unmasked: 0o777, ...ann })
  await bench.do(mkdir, { path: '/plain', mode: 0o700, unmasked: 0o777, ...ann })
  expect([aclOf(bench, '/d/made').split(',default')[0], aclOf(bench, '/plain')])
    .toEqual(['user::rwx,user:bob:rwx,group::r-x,mask::rwx,other::---', 'user::rwx,group::---,other::---'])
  expect(differencesIn(bench)).toEqual([])
  await replayed(bench)
})

test('a list goes with its entry through renames, and a snapshot shows the one of its time', async () => {
  const bench = await openBench()
  await bench.do(mkdir, { path: '/d', ...ann })
  await bench.do(mkdir, { path: '/d/sub', mode: 0o700, ...ann })
  await bench.do(touch, file('/d/sub/f', ann))
  await modify(bench, '/d/sub', 'user:bob:r-x')
  await modify(bench, '/d/sub/f', 'user:bob:r--')
  await bench.do(createSnapshot, { path: '/d', name: 's', ...ann })
  await bench.do(setAcl, { path: '/d/sub', kind: 'clear', ...ann })
  await bench.do(setAcl, { path: '/d/sub/f', kind: 'modify', entries: ['user:eve:rw-'], ...ann })
  await bench.do(rename, { from: '/d/sub/f', to: '/d/g', ...ann })
  expect(aclOf(bench, '/d/g')).toBe('user::rw-,user:bob:r--,user:eve:rw-,group::r--,mask::rw-,other::r--')
  expect(aclOf(bench, '/d/.snapshot/s/sub/f')).toBe('user::rw-,user:bob:r--,group::r--,mask::r--,other::r--')
  expect(list(bench.journal.view, bob, { path: '/d/.snapshot/s/sub' }).entries).toHaveLength(1)
  expect(() => list(bench.journal.view, bob, { path: '/d/sub' })).toThrow(expect.objectContaining(denied))
  expect(() => list(bench.journal.view, eve, { path: '/d/.snapshot/s/sub' })).toThrow(expect.objectContaining(denied))
  await sweepAll(bench)
  expect(differencesIn(bench)).toEqual([])
  await replayed(bench)
})

test('an output of a job and its files inherit as a directory and files that are created there', async () => {
  const opened = await open(undefined, { versions: 10 })
  const { bench, store } = opened
  await bench.do(mkdir, { path: '/w', mode: 0o777, ...ann })
  await modify(bench, '/w', 'default:user:bob:rwx', 'default:other::---')
  await bench.do(mkdir, { path: '/w/made', ...ann })
  await bench.do(touch, file('/w/made/f', ann))
  const [directory, inherited] = [aclOf(bench, '/w/made'), aclOf(bench, '/w/made/f')]
  const names = ['part-0', 'part-1', '_SUCCESS']
  // Also where the directories above the output are made with it.
  for (const path of ['/w/out', '/w/deep/er/out']) {
    await published(opened, mapOnly(path))
    expect([path, aclOf(bench, path)]).toEqual([path, directory])
    for (const name of names) expect([name, aclOf(bench, `${path}/${name}`)]).toEqual([name, inherited])
  }
  // In place of an older output its own list decides.
  await bench.do(setAcl, { path: '/w/out', kind: 'set', entries: ['default:user:eve:r--'], ...ann })
  await published(opened, mapOnly('/w/out', true))
  for (const name of names)
    expect([name, aclOf(bench, `/w/out/${name}`)]).toEqual([name, 'user::rw-,user:eve:r--,group::rwx,mask::rw-,other::---'])
  expect(aclOf(bench, '/w/out@1/part-0')).toBe(inherited)
  // A file in the way of the output is not the task's fault.
  const job = await computed(opened, mapOnly('/w/later'))
  await bench.do(touch, file('/w/later', ann))
  const spec = mapOnly('/w/last')
  const blocked = await submit(store, spec)
  await bench.do(touch, file('/w/last', ann))
  for (const task of [0, 1]) expect(await runTask(bench, store, blocked, task)).toBeUndefined()
  expect(await store.publish(job, over(store, job, 'succeeded'))).toMatchObject({ code: 'EEXIST' })
  await published(opened, mapOnly('/plain'))
  for (const name of names) expect(aclOf(bench, `/plain/${name}`)).toBe('user::rw-,group::r--,other::r--')
  expect(differencesIn(bench)).toEqual([])
  await replayed(bench)
})

test('operations of earlier versions leave the files of outputs without lists', async () => {
  const opened = await open(undefined, { versions: 10 })
  const { bench, store } = opened
  await bench.do(mkdir, { path: '/w', mode: 0o777, ...ann })
  await modify(bench, '/w', 'default:user:bob:rwx')
  const job = await submit(store, mapOnly('/w/out'))
  const staged = `/.gristmill/jobs/${job}`
  for (const task of [0, 1]) {
    const done = record(job, task, [])
    const files = [await write(bench, `${staged}/${done.won!.attempt}/part-0000${task}`)]
    await bench.journal.submit(commitTask, { job, record: record(job, task, files) })
  }
  await bench.journal.submit(publishJob, { job, status: over(store, job, 'succeeded'), nowMs: 1 })
  expect(aclOf(bench, '/w/out')).toContain('user:bob')
  for (const name of ['part-00000', 'part-00001', '_SUCCESS']) expect(aclOf(bench, `/w/out/${name}`)).not.toContain('bob')
  await replayed(bench)
})

test('a list comes back from the trash, and a job that replaces an output keeps it, for its older versions too', async () => {
  const opened = await open(undefined, { versions: 10 })
  const { bench } = opened
  await bench.do(mkdir, { path: '/w', mode: 0o777, ...ann })
  await published(opened, mapOnly('/w/out'))
  await bench.do(setAttributes, { path: '/w/out', mode: 0o700, ...ann })
  await modify(bench, '/w/out', 'user:bob:r-x', 'default:user:bob:r-x')
  await published(opened, mapOnly('/w/out', true))
  const names = (user: typeof bob, path: string) => list(bench.journal.view, user, { path }).entries.length
  for (const path of ['/w/out', '/w/out@1', '/w/out@2']) {
    expect([path, names(bob, path)]).toEqual([path, 3])
    expect(() => names(eve, path), path).toThrow(expect.objectContaining(denied))
  }
  // The list of the output counts for a version, not the one that the version had.
  await bench.do(setAcl, { path: '/w/out', kind: 'clear', ...ann })
  await bench.do(setAttributes, { path: '/w/out', mode: 0o750, ...ann })
  for (const path of ['/w/out', '/w/out@1']) expect(() => names(bob, path), path).toThrow(expect.objectContaining(denied))
  await modify(bench, '/w/out', 'user:eve:r-x')
  expect(names(eve, '/w/out@1')).toBe(3)
  await bench.do(mkdir, { path: '/w/d', mode: 0o700, ...ann })
  await modify(bench, '/w/d', 'user:bob:r-x')
  await bench.do(discard, { path: '/w/d', recursive: true, ...ann })
  const [item] = [...items(bench.journal.view, {})]
  await bench.do(restore, { item: item!.name, to: '/w/e', ...ann })
  expect(aclOf(bench, '/w/e')).toBe('user::rwx,user:bob:r-x,group::---,mask::r-x,other::---')
  await replayed(bench)
})

test('an output below a default list inherits it as a directory', async () => {
  const opened = await open()
  const { bench } = opened
  await bench.do(mkdir, { path: '/w', mode: 0o777, ...ann })
  await modify(bench, '/w', 'default:user:bob:rwx', 'default:other::---')
  await published(opened, mapOnly('/w/out'))
  expect(aclOf(bench, '/w/out')).toContain('user:bob:rwx')
  expect(aclOf(bench, '/w/out')).toContain('default:user:bob:rwx')
  await replayed(bench)
})

test('rights are checked where missing directories begin: a list that shuts out their maker does not stop an operation halfway', async () => {
  const opened = await open()
  const { bench } = opened
  const { view } = bench.journal
  await bench.do(mkdir, { path: '/b', mode: 0o777 })
  await bench.do(setVersioning, { path: '/b', state: 'Enabled' })
  await bench.do(mkdir, { path: '/b/ro', mode: 0o777 })
  await bench.do(setAcl, { path: '/b/ro', kind: 'modify', entries: ['default:user::r--', 'default:group::r-x', 'default:other::---'] })
  await bench.do(mkdir, { path: '/b/ro/dirs/a/b', parents: true, searched: true, ...ann })
  const { lease } = await bench.do(create, { ...file('/b/ro/created/a/f', ann), parents: true })
  await bench.do(complete, { lease, blocks: [], ...ann })
  await bench.do(put, { ...file('/b/ro/put/a/f', ann), parents: true, content })
  await bench.do(putObject, { ...file('', ann), to: '/b/ro/object/a/f', base: '/b', parents: true, content })
  await bench.do(storeDirectory, { path: '/b/ro/key/a', base: '/b', attributes: [], replaces: [], ...ann })
  await bench.do(removeObject, { path: '/b/ro/marked/a/f', keep: '/b', directory: false, ...ann })
  await published(opened, mapOnly('/b/ro/job/a/out'))
  await bench.do(mkdir, { path: '/mine' })
  await bench.do(setAttributes, { path: '/mine', owner: 'ann' })
  await bench.do(mkdir, { path: '/mine/d', ...ann })
  await bench.do(discard, { path: '/mine/d', recursive: true, ...ann })
  const [item] = [...items(view, {})]
  await bench.do(restore, { item: item!.name, to: '/b/ro/back/a/d', ...ann })
  for (const [path, type] of [
    ['dirs/a/b', 'directory'], ['created/a/f', 'file'], ['put/a/f', 'file'], ['object/a/f', 'file'], ['key/a', 'directory'],
    ['job/a/out/_SUCCESS', 'file'], ['back/a/d', 'directory'],
  ] as const)
    expect(stat(view, root, `/b/ro/${path}`), path).toMatchObject({ type, ...!path.startsWith('job') && { owner: 'ann' } })
  // The list decides about what has been made, and about the next operation.
  expect(aclOf(bench, '/b/ro/dirs/a').split(',default')[0]).toBe('user::r--,group::r-x,other::---')
  await expect(bench.do(mkdir, { path: '/b/ro/dirs/c/d', parents: true, searched: true, ...ann })).rejects.toMatchObject(denied)
  await expect(bench.do(put, { ...file('/b/ro/put/f', ann), parents: true, content })).rejects.toMatchObject(denied)
  // Both rights are needed in the lowest directory that exists.
  for (const mode of [0o555, 0o766]) {
    await bench.do(mkdir, { path: `/m${mode}`, mode })
    const asked = { parents: true, ...ann }
    await expect(bench.do(mkdir, { path: `/m${mode}/a/b`, searched: true, ...asked }), `${mode}`).rejects.toMatchObject(denied)
    await expect(bench.do(put, { ...file(`/m${mode}/a/f`), content, ...asked }), `${mode}`).rejects.toMatchObject(denied)
    await expect(bench.do(create, { ...file(`/m${mode}/a/f`), ...asked }), `${mode}`).rejects.toMatchObject(denied)
  }
  // An operation of earlier versions did not need to search it.
  await bench.do(mkdir, { path: `/m${0o766}/a/b`, parents: true, ...ann })
  expect(differencesIn(bench)).toEqual([])
  await replayed(bench)
})
