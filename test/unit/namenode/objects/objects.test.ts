// Objects on a namenode's state in memory: publishing, conditions, joining the parts of an upload, removal with the directories above.
// Counters and replay agree after each story.

import { expect, test, vi } from 'vitest'
import { Draft } from '../../../../namenode/journal/draft.ts'
import { join } from '../../../../namenode/objects/join.ts'
import { prepare, publish } from '../../../../namenode/objects/mutations.ts'
import { remove } from '../../../../namenode/objects/removal.ts'
import { blocksOf, knownBlock } from '../../../../namenode/namespace/file.ts'
import { setAcl } from '../../../../namenode/namespace/acls.ts'
import { mkdir, rename, setAttributes } from '../../../../namenode/namespace/names.ts'
import { list, stat } from '../../../../namenode/namespace/read.ts'
import { createSnapshot } from '../../../../namenode/snapshots/mutations.ts'
import { abandon, create } from '../../../../namenode/writing/mutations.ts'
import { setAttribute } from '../../../../namenode/xattrs/mutations.ts'
import { attributesOf } from '../../../../namenode/xattrs/rows.ts'
import { inodeId } from '../../../../src/base/ids.ts'
import { limits } from '../../../../src/base/limits.ts'
import { uploadsDirectory } from '../../../../src/protocol/object.ts'
import { as, differencesIn, file, limitUsage, replayed, root, sweepAll, type Bench } from '../kit.ts'
import { openObjects, put, upload } from './kit.ts'

const at = ({ journal }: Bench, path: string) => stat(journal.view, root, path)
const names = ({ journal }: Bench, path: string): string[] =>
  list(journal.view, root, { path }).entries.map(each => each.path.split('/').pop()!)

async function sound(bench: Bench): Promise<void> {
  expect(differencesIn(bench)).toEqual([])
  await sweepAll(bench)
  expect(differencesIn(bench)).toEqual([])
  await replayed(bench)
}

const attribute = (name: string, text: string) => ({ name, value: Buffer.from(text).toString('base64') })
const attributesAt = (bench: Bench, path: string): Record<string, string> =>
  Object.fromEntries([...attributesOf(bench.journal.view, at(bench, path).id)].map(({ name, value }) => [name, value.toString()]))

test('an object has what its writer has said about it as CSV; one of an operation of an earlier version has not', async () => {
  const bench = await openObjects()
  for (const [to, keepsCsv] of [['/b/new', true], ['/b/old', undefined]] as const) {
    const csv = { format: 'csv', delimiter: ';', header: false } as const
    const { lease } = await bench.do(create, { ...file(`${uploadsDirectory}/${to.slice(3)}`, root), ...csv })
    await bench.do(publish, { ...root, lease, blocks: [], to, parents: true, ...keepsCsv && { keepsCsv } })
    const { delimiter, header, format } = at(bench, to)
    expect([delimiter, header, format]).toEqual(keepsCsv ? [';', false, 'csv'] : [undefined, undefined, 'csv'])
  }
  await sound(bench)
})

test('an object appears with its directories and attributes; the last writer wins, and keeps the mode of the replaced file', async () => {
  const bench = await openObjects()
  const [first, second] = [await upload(bench, 2), await upload(bench, 1)]
  await bench.do(publish, { ...first, to: '/b/x/y', parents: true, attributes: [attribute('user.a', 'one')] })
  await bench.do(setAttributes, { path: '/b/x/y', mode: 0o600 })
  await bench.do(publish, { ...second, to: '/b/x/y', parents: true, attributes: [attribute('user.b', 'two')] })
  expect(at(bench, '/b/x/y')).toMatchObject({ length: 10, mode: 0o600, owner: 'grace', id: second.lease })
  expect(attributesAt(bench, '/b/x/y')).toEqual({ 'user.b': 'two' })
  expect(bench.journal.view.counters.leases).toBe(0)
  await sound(bench)
  expect(knownBlock(bench.journal.view, first.blocks[0]!.id)).toBeUndefined()
})

test('a publication is refused where a write would be, and its lease stays open', async () => {
  const bench = await openObjects()
  await bench.do(mkdir, { path: '/b' })
  await put(bench, '/b/file')
  await bench.do(mkdir, { path: '/b/directory' })
  const written = await upload(bench, 1, as('ada'))
  const refusal = (to: string, more: object = {}) =>
    bench.do(publish, { ...written, to, ...as('ada'), ...more }).then(() => 'ok', (error: { code: string }) => error.code)
  expect(await refusal('/b/new')).toBe('EACCES')
  expect(await refusal('/b/new/below', { parents: true })).toBe('EACCES')
  await bench.do(setAttributes, { path: '/b', mode: 0o777 })
  expect(await refusal('/b/file')).toBe('EACCES')
  expect(await refusal('/b/directory')).toBe('EISDIR')
  expect(await refusal('/b/file/x', { parents: true })).toBe('ENOTDIR')
  expect(await refusal('/b/none/x')).toBe('ENOENT')
  expect(await refusal('/c/x/y', { base: '/c', parents: true })).toBe('ENOENT')
  await bench.do(create, { ...file('/b/busy'), overwrite: true })
  expect(await refusal('/b/busy')).toBe('EBUSY')
  expect(await refusal('/b/other', as('grete'))).toBe('EACCES')
  await limitUsage(bench, '/b', { bytes: 10 })
  expect(await refusal('/b/other')).toBe('EDQUOT')
  await limitUsage(bench, '/b', { bytes: 1000 })
  expect(bench.journal.view.counters.leases).toBe(2)
  expect(await refusal('/b/other')).toBe('ok')
  expect(at(bench, '/b/other')).toMatchObject({ owner: 'ada', group: 'grace' })
  await sound(bench)
})

test('a condition holds in the transaction: absent, or the file that the caller has seen', async () => {
  const bench = await openObjects()
  const seen = await put(bench, '/b/k', { expect: { absent: true } })
  await expect(put(bench, '/b/k', { expect: { absent: true } })).rejects.toMatchObject({ code: 'EEXIST' })
  const next = await put(bench, '/b/k', { expect: { id: seen.id } })
  await expect(put(bench, '/b/k', { expect: { id: seen.id } })).rejects.toMatchObject({ code: 'ESTALE' })
  await expect(put(bench, '/b/none', { expect: { id: seen.id } })).rejects.toMatchObject({ code: 'ENOENT' })
  await expect(bench.do(remove, { path: '/b/k', keep: '/b', directory: false,
    expect: { id: seen.id } })).rejects.toMatchObject({ code: 'ESTALE' })
  await bench.do(remove, { path: '/b/k', keep: '/b', directory: false, expect: { id: next.id } })
  expect(names(bench, '/b')).toEqual([])
})

/** An upload with these parts, each of so many blocks. */
async function uploadOf(bench: Bench, parts: Record<string, number>, actor = root) {
  const path = `${uploadsDirectory}/upload-${actor.user}`
  await bench.do(mkdir, { path, mode: 0o700, ...actor })
  const made: { name: string; id: ReturnType<typeof inodeId>; ids: readonly number[] }[] = []
  for (const [name, blocks] of Object.entries(parts)) {
    const written = await upload(bench, blocks, actor)
    const { status } = await bench.do(publish, { ...written, to: `${path}/${name}`, ...actor,
      attributes: [attribute('user.s3.etag', name)] })
    made.push({ name, id: status.id, ids: written.blocks.map(({ id }) => id) })
  }
  return { path, parts: made }
}

test.each([true, undefined])('parts are joined in the order that is asked for, without new blocks (left to the sweep: %s)', async leavesParts => {
  const bench = await openObjects()
  const { path, parts: [one, two, three] } = await uploadOf(bench, { 1: 2, 2: 300, 3: 1 })
  await put(bench, '/b/k')
  const before = bench.journal.view.counters.nextBlock
  const { status } = await bench.do(join, {
    upload: path, parts: [two!, one!].map(({ name, id }) => ({ name, id })), to: '/b/k', attributes: [attribute('user.s3.etag', 'joined')],
    ...leavesParts && { leavesParts },
  })
  expect(bench.journal.view.counters.nextBlock).toBe(before)
  const blocks = [...blocksOf(bench.journal.view, status.id)].flat()
  expect(blocks.map(({ id }) => id)).toEqual([...two!.ids, ...one!.ids])
  expect(blocks.every(({ id }) => knownBlock(bench.journal.view, id)?.inode === status.id)).toBe(true)
  expect(at(bench, '/b/k')).toMatchObject({ length: 3020, blocks: 302, owner: 'grace' })
  expect(attributesAt(bench, '/b/k')).toEqual({ 'user.s3.etag': 'joined' })
  expect(names(bench, uploadsDirectory)).toEqual([])
  await sound(bench)
  expect(knownBlock(bench.journal.view, three!.ids[0] as never)).toBeUndefined()
  expect([...blocksOf(bench.journal.view, status.id)].flat()).toHaveLength(302)
  await expect(bench.do(join, { upload: path, parts: [{ name: '1', id: one!.id }], to: '/b/k' })).rejects.toMatchObject({ code: 'ENOENT' })
})

test('a join that is refused changes nothing: a replaced part, another user\'s upload, a condition, too many blocks', async () => {
  const bench = await openObjects()
  const { path, parts } = await uploadOf(bench, { 1: 1, 2: 1 }, as('ada'))
  await put(bench, '/b/k')
  await bench.do(mkdir, { path: '/open', mode: 0o777 })
  const asked = { upload: path, parts: parts.map(({ name, id }) => ({ name, id })), to: '/open/k' }
  await expect(bench.do(join, { ...asked, ...as('grete') })).rejects.toMatchObject({ code: 'EACCES' })
  await expect(bench.do(join, { ...asked, parts: [{ name: '1', id: inodeId(1) }], ...as('ada') })).rejects.toMatchObject({ code: 'ESTALE' })
  await expect(bench.do(join, { ...asked, to: '/b/k', ...as('ada') })).rejects.toMatchObject({ code: 'EACCES' })
  await expect(bench.do(join, { ...asked, upload: '/b', ...as('ada') })).rejects.toMatchObject({ code: 'ENOENT' })
  await expect(bench.do(join, { ...asked, expect: { id: inodeId(1) }, ...as('ada') })).rejects.toMatchObject({ code: 'ENOENT' })
  await expect(bench.do(join, { ...asked, parts: [...asked.parts, asked.parts[0]!],
    ...as('ada') })).rejects.toMatchObject({ code: 'ESTALE' })
  expect(names(bench, path)).toEqual(['1', '2'])
  await bench.do(join, { ...asked, leavesParts: true, ...as('ada') })
  expect(at(bench, '/open/k')).toMatchObject({ owner: 'ada', length: 20 })
  await sound(bench)
})

test('a file that was moved among the parts is joined only if its user may read it, and nothing else needs its blocks', async () => {
  const bench = await openObjects()
  const { path } = await uploadOf(bench, {}, as('ada'))
  await bench.do(mkdir, { path: '/open', mode: 0o777 })
  const asked = (name: string) => ({
    upload: path, parts: [{ name, id: at(bench, `${path}/${name}`).id }], to: '/open/k', leavesParts: true as const, ...as('ada'),
  })
  const moved = async (name: string) => {
    await bench.do(rename, { from: `/open/${name}`, to: `${path}/${name}`, ...as('ada') })
    return bench.do(join, asked(name))
  }
  await put(bench, '/open/1')
  await bench.do(setAttributes, { path: '/open/1', mode: 0o600 })
  await expect(moved('1')).rejects.toMatchObject({ code: 'EACCES' })
  await put(bench, '/open/2')
  await bench.do(createSnapshot, { path: '/open', name: 's' })
  await expect(moved('2')).rejects.toMatchObject({ code: 'EBUSY', message: expect.stringContaining('in a snapshot') as string })
  const kept = at(bench, '/open/.snapshot/s/2')
  expect([...blocksOf(bench.journal.view, kept.id)].flat()).toHaveLength(kept.blocks)
  await put(bench, '/open/3')
  await bench.do(rename, { from: '/open/3', to: `${path}/3`, ...root })
  const { lease } = await bench.do(create, { ...file(`${path}/3`, root), overwrite: true })
  await expect(bench.do(join, asked('3'))).rejects
    .toMatchObject({ code: 'EBUSY', message: expect.stringContaining('being written') as string })
  await bench.do(abandon, { lease, ...root })
  await bench.do(join, asked('3'))
  await sound(bench)
  expect([...blocksOf(bench.journal.view, kept.id)].flat()).toHaveLength(kept.blocks)
})

test('a file has so many blocks, joined or not', async () => {
  const bench = await openObjects()
  const half = limits.fileBlocksMax / 2
  const { path, parts } = await uploadOf(bench, { 1: half, 2: half, 3: 1 })
  const asked = (count: number) => ({ upload: path, parts: parts.slice(0, count).map(({ name, id }) => ({ name, id })), to: '/k' })
  await expect(bench.do(join, asked(3))).rejects.toMatchObject({ code: 'TOO_LARGE' })
  expect((await bench.do(join, asked(2))).status.blocks).toBe(limits.fileBlocksMax)
})

test('a part costs a join two lookups before its first edit, and two edits; entries and attributes are left to the sweep', async () => {
  const bench = await openObjects()
  const { path, parts } = await uploadOf(bench, Object.fromEntries(Array.from({ length: 40 }, (_, i) => [String(i), 1])))
  const draft = new Draft(bench.journal.view)
  const lookups: number[] = []
  const [get, range] = [draft.get.bind(draft), draft.range.bind(draft)]
  vi.spyOn(draft, 'get').mockImplementation((...asked) => { lookups.push(draft.edits.length); return get(...asked) })
  vi.spyOn(draft, 'range').mockImplementation((...asked) => { lookups.push(draft.edits.length); return range(...asked) })
  const asked = { upload: path, parts: parts.map(({ name, id }) => ({ name, id })), to: '/k', nowMs: 1, ...root }
  join.mutate(draft, { ...asked, leavesParts: true })
  expect(lookups.length).toBeLessThan(2 * 40 + 20)
  expect(draft.edits.length).toBeLessThan(2 * 40 + 20)
  expect(Math.max(...lookups)).toBeLessThan(10)
})

test('an operation of an earlier version removes the parts itself, behind all lookups', async () => {
  const bench = await openObjects()
  const { path, parts } = await uploadOf(bench, Object.fromEntries(Array.from({ length: 40 }, (_, i) => [String(i), 1])))
  const asked = { upload: path, parts: parts.map(({ name, id }) => ({ name, id })), to: '/k' }
  const draft = new Draft(bench.journal.view)
  const counts: number[] = []
  const range = draft.range.bind(draft)
  vi.spyOn(draft, 'range').mockImplementation((...asked) => { counts.push(draft.edits.length); return range(...asked) })
  join.mutate(draft, { ...asked, nowMs: 1, ...root })
  expect(draft.edits.length).toBeGreaterThan(4 * 40)
  expect(Math.max(...counts)).toBeLessThan(10)
  await bench.do(join, asked)
  expect(bench.journal.view.counters.files).toBe(1)
  await sound(bench)
})

test('with the last key of a directory the directories go that the next key would make again, and no others', async () => {
  const bench = await openObjects()
  await put(bench, '/b/a/b/c/k')
  await put(bench, '/b/a/other')
  await bench.do(remove, { path: '/b/a/b/c/k', keep: '/b', directory: false })
  expect(names(bench, '/b/a')).toEqual(['other'])
  await bench.do(remove, { path: '/b/a/other', keep: '/b', directory: false })
  expect(names(bench, '/b')).toEqual([])
  const stays: Record<string, (path: string) => Promise<unknown>> = {
    mode: path => bench.do(setAttributes, { path, mode: 0o750 }),
    owner: path => bench.do(setAttributes, { path, owner: 'ada' }),
    attribute: path => bench.do(setAttribute, { path, ...attribute('user.x', 'y') }),
    quota: path => limitUsage(bench, path, { names: 5 }),
    snapshot: path => bench.do(createSnapshot, { path, name: 's' }),
    writer: path => bench.do(create, file(`${path}/other`)),
  }
  for (const [name, prepared] of Object.entries(stays)) {
    const path = `/b/${name}`
    await put(bench, `${path}/k`)
    await prepared(path)
    await bench.do(remove, { path: `${path}/k`, keep: '/b', directory: false })
  }
  expect(names(bench, '/b')).toEqual(Object.keys(stays).sort())
  await expect(bench.do(remove, { path: '/b/none', keep: '/b', directory: false })).rejects.toMatchObject({ code: 'ENOENT' })
  await put(bench, '/b/full/k')
  await expect(bench.do(remove, { path: '/b/full', keep: '/b', directory: true })).rejects.toMatchObject({ code: 'ENOTEMPTY' })
  await expect(bench.do(remove, { path: '/b/full', keep: '/b', directory: false })).rejects.toMatchObject({ code: 'ENOENT' })
  // A key that is a directory with other keys in it, and the last of these: in either order nothing is left.
  for (const [first, second] of [['/b/two', '/b/two/k'], ['/b/two/k', '/b/two']] as const) {
    await put(bench, '/b/two/k')
    await bench.do(setAttribute, { path: '/b/two', ...attribute('user.s3.etag', 'x') })
    for (const path of [first, second]) await bench.do(remove,
      { path, keep: '/b', directory: !path.endsWith('k'), attributes: ['user.s3.etag'] }).catch(() => {})
    expect(names(bench, '/b'), first).not.toContain('two')
  }
  await expect(bench.do(remove, { path: '/b/full/k', keep: '/b', directory: false,
    ...as('ada') })).rejects.toMatchObject({ code: 'EACCES' })
})

test('directories that have inherited a list go with their last key too, and those with a list of their own stay', async () => {
  const bench = await openObjects()
  const acl = (path: string, ...entries: string[]) => bench.do(setAcl, { path, kind: 'modify', entries })
  const removed = (path: string, more: object = { forgetsLists: true }) => bench.do(remove, { path, keep: '/b', directory: false, ...more })
  await put(bench, '/b/old/k')
  await acl('/b', 'default:user:bob:r-x')
  await put(bench, '/b/deep/er/k')
  await removed('/b/deep/er/k')
  await removed('/b/old/k')
  expect(names(bench, '/b')).toEqual([])
  await put(bench, '/b/other/k')
  await acl('/b/other', 'user:eve:r-x')
  await put(bench, '/b/fewer/k')
  await acl('/b/fewer', 'default:user:bob:---')
  await put(bench, '/b/mode/k')
  await bench.do(setAttributes, { path: '/b/mode', mode: 0o750 })
  for (const name of ['other', 'fewer', 'mode']) await removed(`/b/${name}/k`)
  expect(names(bench, '/b')).toEqual(['fewer', 'mode', 'other'])
  // An operation in a journal of an earlier version has its old result.
  await put(bench, '/b/early/k')
  await removed('/b/early/k', {})
  expect(names(bench, '/b/early')).toEqual([])
  await replayed(bench)
})

test('the directory of uploads is made once; every user writes in it, and changes the own files only', async () => {
  const bench = await openObjects()
  const { id } = at(bench, uploadsDirectory)
  await bench.do(prepare, {})
  expect(at(bench, uploadsDirectory)).toMatchObject({ id, mode: 0o1777 })
  const { lease } = await upload(bench, 1, as('ada'))
  await expect(bench.do(abandon, { lease, ...as('grete') })).rejects.toMatchObject({ code: 'EACCES' })
  await bench.do(abandon, { lease, ...as('ada') })
})
