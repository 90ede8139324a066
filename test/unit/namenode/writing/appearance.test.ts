// Attributes and access control lists that appear with a file: in the operation that makes it visible, or not at all.

import { expect, test } from 'vitest'
import { setAcl } from '../../../../namenode/namespace/acls.ts'
import { find } from '../../../../namenode/namespace/asof.ts'
import { mkdir, setAttributes } from '../../../../namenode/namespace/names.ts'
import { stat } from '../../../../namenode/namespace/read.ts'
import { abandon, complete, completeInline, create } from '../../../../namenode/writing/mutations.ts'
import { put } from '../../../../namenode/writing/put.ts'
import { setAttribute } from '../../../../namenode/xattrs/mutations.ts'
import { attributesOf } from '../../../../namenode/xattrs/rows.ts'
import { aclText, wholeAcl } from '../../../../src/base/acl.ts'
import { limits } from '../../../../src/base/limits.ts'
import { contentOf } from '../../../../src/file/small.ts'
import type { Appearance } from '../../../../src/protocol/writing.ts'
import { as, differencesIn, file, openBench, replayed, root, sweepAll, type Bench } from '../kit.ts'

const [ann, bob] = [as('ann'), as('bob')] as const
const content = contentOf(Buffer.from('x'))
const base64 = (text: string): string => Buffer.from(text).toString('base64')

const attributesAt = ({ journal: { view } }: Bench, path: string): Record<string, string> =>
  Object.fromEntries([...attributesOf(view, stat(view, root, path).id)].map(({ name, value }) => [name, value.toString()]))

function aclOf({ journal: { view } }: Bench, path: string): string {
  const { entry } = find(view, root, path)
  return wholeAcl(entry.mode, entry.acl).map(aclText).join(',')
}

/** Writes a file in blocks, or small; `before` runs while it is open. */
async function write(
  bench: Bench, path: string, appearance: Appearance, { small = false, actor = ann, before = async () => {} } = {},
): Promise<void> {
  const { lease, blocks } = await bench.do(create, { ...file(path, actor), overwrite: true, blocks: small ? 0 : 1 })
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
