// Attributes and access control lists that appear with a file: in the operation that makes it visible, or not at all.

import { expect, test } from 'vitest'
import { setAcl } from '../../../../namenode/namespace/acls.ts'
import { find } from '../../../../namenode/namespace/asof.ts'
import { mkdir, remove, setAttributes } from '../../../../namenode/namespace/names.ts'
import { stat } from '../../../../namenode/namespace/read.ts'
import { abandon, complete, completeInline, create } from '../../../../namenode/writing/mutations.ts'
import { put } from '../../../../namenode/writing/put.ts'
import { setAttribute } from '../../../../namenode/xattrs/mutations.ts'
import { attributesOf } from '../../../../namenode/xattrs/rows.ts'
import { aclText, wholeAcl } from '../../../../src/base/acl.ts'
import { limits } from '../../../../src/base/limits.ts'
import { contentOf } from '../../../../src/file/small.ts'
import type { Appearance } from '../../../../src/protocol/writing.ts'
import { as, differencesIn, file, limitUsage, openBench, replayed, root, sweepAll, type Bench } from '../kit.ts'

const [ann, bob] = [as('ann'), as('bob')] as const
const content = contentOf(Buffer.from('x'))
const base64 = (text: string): string => Buffer.from(text).toString('base64')

const attributesAt = ({ journal: { view } }: Bench, path: string): Record<string, string> =>
  Object.fromEntries([...attributesOf(view, stat(view, root, path).id)].map(({ name, value }) => [name, value.toString()]))

function aclOf({ journal: { view } }: Bench, path: string): string {
  const { entry } = find(view, root, path)
  return wholeAcl(entry.mode, entry.acl).map(aclText).join(',')
}

interface Writing {
  readonly small?: boolean
  readonly actor?: ReturnType<typeof as>
  readonly before?: () => Promise<unknown>
  readonly keepsOwner?: true
}

/** Writes a file in blocks, or small; `before` runs while it is open. */
async function write(
  bench: Bench, path: string, appearance: Appearance, { small = false, actor = ann, before = async () => {}, keepsOwner }: Writing = {},
): Promise<void> {
  const { lease, blocks } = await bench.do(create, {
    ...file(path, actor), overwrite: true, blocks: small ? 0 : 1, ...keepsOwner && { keepsOwner },
  })
  await before()
  const asked = { lease, ...appearance, ...actor }
  try {
    if (small) await bench.do(completeInline, { ...asked, content })
    else await bench.do(complete, { ...asked, blocks: blocks.map(id => ({ id, length: 10, crc: id, aligned: false })) })
  } catch (error) {
    await bench.do(abandon, asked)
    throw error
  }
}

for (const small of [false, true]) {
  test(`a file ${small ? 'whose bytes are in the namenode' : 'in blocks'} appears with its attributes and its list`, async () => {
    const bench = await openBench()
    await bench.do(mkdir, { path: '/d', mode: 0o777 })
    await bench.do(setAcl, { path: '/d', kind: 'modify', entries: ['default:user:bob:rwx', 'default:other::rwx'] })
    const attributes = [{ name: 'user.a', value: base64('one') }, { name: 'user.b', value: '' }]
    const acl = ['user::rw-', 'user:eve:r--', 'group::---', 'mask::r--', 'other::---']
    await write(bench, '/d/f', { attributes, acl }, { small })
    expect([attributesAt(bench, '/d/f'), aclOf(bench, '/d/f')]).toEqual([{ 'user.a': 'one', 'user.b': '' }, acl.join(',')])
    // The list of a mode alone: neither the inherited list, nor that of the replaced file.
    const plain = ['user::rw-', 'group::r--', 'other::---']
    for (const path of ['/d/f', '/d/g']) {
      await write(bench, path, { acl: plain }, { small })
      expect([aclOf(bench, path), stat(bench.journal.view, root, path).acl, attributesAt(bench, path)])
        .toEqual([plain.join(','), undefined, {}])
    }
    await write(bench, '/d/h', {}, { small })
    expect(aclOf(bench, '/d/h')).toContain('user:bob:rwx')
    // A list or attributes that cannot be: the file does not appear, and the old one stays.
    const many = Array.from({ length: limits.attributesMax + 1 }, (_, i) => ({ name: `user.${i}`, value: '' }))
    for (const [path, appearance, code] of [
      ['/d/g', { acl: ['user::rw-'.repeat(2)] }, 'EINVAL'], ['/d/new', { acl: ['default:user::rwx'] }, 'EINVAL'],
      ['/d/g', { attributes: many }, 'TOO_LARGE'],
    ] as const) {
      await expect(write(bench, path, appearance as Appearance, { small }), path).rejects.toMatchObject({ code })
      expect(() => stat(bench.journal.view, root, '/d/new')).toThrow(expect.objectContaining({ code: 'ENOENT' }))
    }
    expect([aclOf(bench, '/d/g'), attributesAt(bench, '/d/g')]).toEqual([plain.join(','), {}])
    expect(differencesIn(bench)).toEqual([])
    await replayed(bench)
  })

  test(`a file ${small ? 'whose bytes are in the namenode' : 'in blocks'} keeps the attributes that the replaced one has then`, async () => {
    const bench = await openBench()
    await bench.do(mkdir, { path: '/d', mode: 0o777 })
    await write(bench, '/d/f', {}, { small: !small })
    await bench.do(setAttributes, { path: '/d/f', mode: 0o666, ...ann })
    await bench.do(setAttribute, { path: '/d/f', name: 'user.a', value: base64('old'), ...ann })
    const keeping = { keepsAttributes: true } as const
    await write(bench, '/d/f', keeping, {
      small, actor: bob, before: () => bench.do(setAttribute, { path: '/d/f', name: 'user.a', value: base64('new'), ...ann }),
    })
    expect([attributesAt(bench, '/d/f'), stat(bench.journal.view, root, '/d/f').owner]).toEqual([{ 'user.a': 'new' }, 'bob'])
    await write(bench, '/d/f', { ...keeping, attributes: [{ name: 'user.b', value: base64('more') }] }, { small, actor: bob })
    expect(attributesAt(bench, '/d/f')).toEqual({ 'user.a': 'new', 'user.b': 'more' })
    await write(bench, '/d/first', keeping, { small })
    await write(bench, '/d/f', {}, { small, actor: bob })
    expect([attributesAt(bench, '/d/first'), attributesAt(bench, '/d/f')]).toEqual([{}, {}])
    await sweepAll(bench)
    expect(bench.journal.view.counters.attributes).toBe(0)
    expect(differencesIn(bench)).toEqual([])
    await replayed(bench)
  })
}

test.each([true, false])('a new state keeps owner, group, mode and list; it takes the permission to write the file (small: %s)', async small => {
  const bench = await openBench()
  await bench.do(mkdir, { path: '/d', mode: 0o755 })
  for (const path of ['/d/f', '/d/listed', '/d/closed']) await write(bench, path, {}, { small, actor: root })
  const facts = (path: string): unknown => {
    const { owner, group, mode } = stat(bench.journal.view, root, path)
    return { owner, group, mode }
  }
  for (const path of ['/d/f', '/d/listed']) await bench.do(setAttributes, { path, owner: 'ann', group: 'crew', mode: 0o666 })
  await bench.do(setAcl, { path: '/d/listed', kind: 'modify', entries: ['user:bob:rw-', 'group::---'] })
  const list = aclOf(bench, '/d/listed')
  // The directory is the superuser's: bob makes and replaces nothing in it.
  await expect(write(bench, '/d/f', {}, { small, actor: bob })).rejects.toMatchObject({ code: 'EACCES' })
  const keeping = { small, actor: bob, keepsOwner: true } as const
  for (const path of ['/d/f', '/d/listed']) {
    const [before, { id }] = [facts(path), stat(bench.journal.view, root, path)]
    await write(bench, path, {}, keeping)
    expect(facts(path)).toEqual(before)
    expect(stat(bench.journal.view, root, path).id).not.toBe(id)
  }
  expect(aclOf(bench, '/d/listed')).toBe(list)
  // Owner and permissions are those that it has at the end.
  await write(bench, '/d/f', {}, {
    ...keeping, before: () => bench.do(setAttributes, { path: '/d/f', owner: 'eve', mode: 0o622 }),
  })
  expect(facts('/d/f')).toEqual({ owner: 'eve', group: 'crew', mode: 0o622 })

  // Nobody gets more than the permission to write: no file that is closed or new, and no other list.
  const refused = async (path: string, code: string, { before, ...appearance }: Appearance & Pick<Writing, 'before'> = {}) =>
    expect(write(bench, path, appearance, { ...keeping, ...before && { before } }), path).rejects.toMatchObject({ code })
  await refused('/d/closed', 'EACCES')
  await refused('/d/none', 'ENOENT')
  await refused('/d', 'EISDIR')
  await refused('/d/f', 'EINVAL', { acl: ['user::rw-', 'group::rw-', 'other::rw-'] })
  await refused('/d/f', 'EACCES', { before: () => bench.do(setAttributes, { path: '/d/f', mode: 0o600 }) })
  await bench.do(setAttributes, { path: '/d/f', mode: 0o666 })
  await refused('/d/f', 'ENOENT', { before: () => bench.do(remove, { path: '/d/f' }) })
  expect(() => stat(bench.journal.view, root, '/d/f')).toThrow(expect.objectContaining({ code: 'ENOENT' }))

  // A sticky directory keeps others from replacing the file, and not from writing it.
  await bench.do(setAttributes, { path: '/d', mode: 0o1777 })
  await expect(write(bench, '/d/listed', {}, { small, actor: bob })).rejects.toMatchObject({ code: 'EACCES' })
  await write(bench, '/d/listed', {}, keeping)
  expect(facts('/d/listed')).toMatchObject({ owner: 'ann' })
  expect(differencesIn(bench)).toEqual([])
  await replayed(bench)
})

test('the bytes that a new state has more than the old one are charged to the quota', async () => {
  const bench = await openBench()
  await bench.do(mkdir, { path: '/d', mode: 0o755 })
  await write(bench, '/d/f', {}, { actor: root })
  await bench.do(setAttributes, { path: '/d/f', mode: 0o666 })
  const { replication } = stat(bench.journal.view, root, '/d/f')
  await limitUsage(bench, '/d', { bytes: 15 * replication! })
  const grow = async (length: number): Promise<void> => {
    const { lease, blocks } = await bench.do(create, { ...file('/d/f', bob), keepsOwner: true, blocks: 1 })
    const asked = { lease, ...bob }
    try {
      await bench.do(complete, { ...asked, blocks: blocks.map(id => ({ id, length, crc: id, aligned: false })) })
    } catch (error) {
      await bench.do(abandon, asked)
      throw error
    }
  }
  await expect(grow(16)).rejects.toMatchObject({ code: 'EDQUOT' })
  await grow(15)
  expect(stat(bench.journal.view, root, '/d/f')).toMatchObject({ length: 15, owner: root.user })
  expect(differencesIn(bench)).toEqual([])
})

test('a small file in a call of many has the list that is given', async () => {
  const bench = await openBench()
  await bench.do(mkdir, { path: '/d', mode: 0o777 })
  await bench.do(setAcl, { path: '/d', kind: 'modify', entries: ['default:user:bob:rwx'] })
  const acl = ['user::rw-', 'group::---', 'other::---']
  await bench.do(put, { ...file('/d/f', ann), content, acl })
  expect([aclOf(bench, '/d/f'), stat(bench.journal.view, root, '/d/f').acl]).toEqual([acl.join(','), undefined])
  await bench.do(put, { ...file('/d/g', ann), content })
  expect(aclOf(bench, '/d/g')).toContain('user:bob')
  await expect(bench.do(put, { ...file('/d/h', ann), content, acl: ['bad'] })).rejects.toMatchObject({ code: 'EINVAL' })
  await replayed(bench)
})
