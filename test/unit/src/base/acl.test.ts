// Access control lists: the results of changes and of inheritance by the rules of HDFS, as a table; the check of permissions against a
// plain model of POSIX.1e, for random lists and users.

import { expect, test } from 'vitest'
import {
  aclText, changeAcl, inheritedAcl, parseAcl, permits, permText, wholeAcl, type AclChange, type AclEntry,
} from '../../../../src/base/acl.ts'
import { seeded } from '../../../../src/world/random.ts'

const listOf = (mode: number, acl: readonly AclEntry[] = []): string => wholeAcl(mode, acl).map(aclText).join(',')
const extendedOf = (acl: readonly AclEntry[] | undefined): string => (acl ?? []).map(aclText).join(',')

/** `remove` names places; the others have permissions. */
function change(kind: AclChange['kind'], spec = ''): AclChange {
  return kind === 'clear' || kind === 'removeDefault' ? { kind } : { kind, entries: parseAcl(spec, kind !== 'remove') }
}

const base = 'user::rwx,group::r-x,other::r-x'

test.each<readonly [title: string, ...changes: readonly (readonly [AclChange['kind'], string?])[], whole: string]>([
  ['a named user brings a mask, the union of the group class', ['modify', 'user:bob:rw-'],
    'user::rwx,user:bob:rw-,group::r-x,mask::rwx,other::r-x'],
  ['a given mask stays as given', ['modify', 'user:bob:rw-,mask::r--'], 'user::rwx,user:bob:rw-,group::r-x,mask::r--,other::r-x'],
  ['another change computes the mask anew', ['modify', 'user:bob:rw-,mask::r--'], ['modify', 'user:eve:--x'],
    'user::rwx,user:bob:rw-,user:eve:--x,group::r-x,mask::rwx,other::r-x'],
  ['users go before groups, each by name', ['modify', 'group:a:r--,user:b:r--,user:a:r--'],
    'user::rwx,user:a:r--,user:b:r--,group::r-x,group:a:r--,mask::r-x,other::r-x'],
  ['an entry replaces that of the same name', ['modify', 'user:bob:rw-'], ['modify', 'user:bob:---'],
    'user::rwx,user:bob:---,group::r-x,mask::r-x,other::r-x'],
  ['without its last named entry a list keeps its mask, computed anew', ['modify', 'user:bob:rwx'], ['remove', 'user:bob'],
    'user::rwx,group::r-x,mask::r-x,other::r-x'],
  ['named entry and mask go together', ['modify', 'user:bob:rwx'], ['remove', 'user:bob,mask'], base],
  ['an entry that is not there is removed without effect', ['modify', 'user:bob:rw-'], ['remove', 'user:eve'],
    'user::rwx,user:bob:rw-,group::r-x,mask::rwx,other::r-x'],
  ['set replaces the access list', ['modify', 'user:bob:rw-'], ['set', 'user::r--,group::---,other::---,group:staff:rwx'],
    'user::r--,group::---,group:staff:rwx,mask::rwx,other::---'],
  ['set with three entries is a mode', ['modify', 'user:bob:rw-'], ['set', 'user::rw-,group::r--,other::---'],
    'user::rw-,group::r--,other::---'],
  ['set of the default list keeps the access list, and its mask', ['modify', 'user:bob:rw-,mask::r--'], ['set', 'default:user:eve:r-x'],
    'user::rwx,user:bob:rw-,group::r-x,mask::r--,other::r-x,default:user::rwx,default:user:eve:r-x,default:group::r-x,default:mask::r-x,default:other::r-x'],
  ['a default list gets the base entries that it lacks', ['modify', 'default:other::---'],
    `${base},default:user::rwx,default:group::r-x,default:other::---`],
  ['the default list goes alone', ['modify', 'user:bob:rw-,mask::r--,default:user:bob:rwx'], ['removeDefault'],
    'user::rwx,user:bob:rw-,group::r-x,mask::r--,other::r-x'],
  ['clear gives the group back what it had', ['modify', 'user:bob:rwx,default:user:bob:rwx'], ['clear'], base],
] as never)('%s', (...given: readonly unknown[]) => {
  const changes = given.slice(1, -1) as [AclChange['kind'], string?][]
  let at: { mode: number; acl?: readonly AclEntry[] } = { mode: 0o1755 }
  for (const [kind, spec] of changes) at = changeAcl(at, change(kind, spec), true)
  expect(listOf(at.mode, at.acl)).toBe(given.at(-1))
  expect(at.mode & 0o1000).toBe(0o1000)
})

test.each([
  ['modify', 'default:user:bob:rwx', false, /only directories may have a default ACL/],
  ['set', 'user:bob:rwx', true, /the user, group and other entries are required/],
  ['set', 'user::rwx,group::r--', true, /the user, group and other entries are required/],
  ['modify', 'user:bob:rwx,user:bob:r--', true, /multiple entries with same scope, type and name/],
  ['remove', 'user:', true, /the user, group and other entries are required/],
  ['modify', Array.from({ length: 29 }, (_, i) => `user:u${i}:r--`).join(','), true, /has 33 access entries, which exceeds maximum of 32/],
] as const)('%s %s is no list', (kind, spec, isDirectory, message) => {
  expect(() => changeAcl({ mode: 0o755 }, change(kind, spec), isDirectory)).toThrow(message)
})

test('a mask that named entries need cannot be removed; 32 entries fit', () => {
  const named = changeAcl({ mode: 0o755 }, change('modify', 'user:bob:rwx'), false)
  expect(() => changeAcl(named, change('remove', 'mask'), false)).toThrow('Invalid ACL: mask is required and cannot be deleted.')
  const full = changeAcl({ mode: 0o755 }, change('modify', Array.from({ length: 28 }, (_, i) => `user:u${i}:r--`).join(',')), false)
  expect(wholeAcl(full.mode, full.acl)).toHaveLength(32)
})

test('texts that are no entries are refused', () => {
  for (const text of ['', ',', 'bob', 'user', 'user:bob', 'user:bob:rwz', 'user:bob:r', 'user:bob:rwx:x', 'owner::rwx', 'default:',
    'mask:bob:rwx', 'other:x:r--', 'user:bob:rwx,,x'])
    expect(() => parseAcl(text), text).toThrow(expect.objectContaining({ code: 'EINVAL' }))
  expect(() => parseAcl('user:bob:rwx', false)).toThrow(/without permissions/)
  expect(parseAcl(' default:USER:bob:r-x , user::rw-').map(aclText)).toEqual(['default:user:bob:r-x', 'user::rw-'])
  expect(parseAcl('user:bob,mask,default:group:staff:', false).map(({ scope, type, name }) => [scope, type, name])).toEqual([
    ['access', 'user', 'bob'], ['access', 'mask', undefined], ['default', 'group', 'staff']])
})

test('new names get the default list, bounded by the mode that was asked for', () => {
  const { acl } = changeAcl({ mode: 0o755 }, change('modify', 'default:user:bob:rwx,default:other::---'), true)
  const file = inheritedAcl(acl, 0o644, false)
  expect(listOf(file.mode, file.acl)).toBe('user::rw-,user:bob:rwx,group::r-x,mask::r--,other::---')
  const made = inheritedAcl(acl, 0o777, true)
  expect(listOf(made.mode, made.acl)).toBe(`user::rwx,user:bob:rwx,group::r-x,mask::rwx,other::---,${extendedOf(acl)}`)
  // A default list without named entries is a mode for files; a directory passes it on.
  const plain = changeAcl({ mode: 0o755 }, change('modify', 'default:user::rw-,default:group::---,default:other::r--'), true).acl
  expect(inheritedAcl(plain, 0o666, false)).toEqual({ mode: 0o604 })
  expect(inheritedAcl(plain, 0o1777, true)).toEqual({ mode: 0o1604, acl: plain })
  expect(inheritedAcl(undefined, 0o640, true)).toEqual({ mode: 0o640 })
})

/** POSIX.1e, 23.1.5, word by word, on the whole list; each user is in the group of the user's name. */
function model(user: string, { owner, group, whole }: { owner: string; group: string; whole: readonly AclEntry[] }, bits: number): boolean {
  const access = whole.filter(({ scope }) => scope === 'access')
  const permOf = (type: string, name?: string) => access.find(each => each.type === type && each.name === name)?.perm
  const mask = permOf('mask') ?? 7
  const has = (perm: number): boolean => (perm & bits) === bits
  if (user === owner) return has(permOf('user')!)
  const named = permOf('user', user)
  if (named !== undefined) return has(named & mask)
  const groups = access.filter(({ type, name }) => type === 'group' && (name ?? group) === user)
  if (groups.length > 0) return groups.some(({ perm }) => has(perm & mask))
  return has(permOf('other')!)
}

test('the check of permissions is that of POSIX.1e, whatever the list', () => {
  const bytes = seeded(12)
  const below = (n: number): number => bytes.bytes(1)[0]! % n
  const names = ['ann', 'bob', 'eve', 'max']
  let asked = 0
  for (let round = 0; round < 400; round++) {
    let at: { mode: number; acl?: readonly AclEntry[] } = { mode: below(8) << 6 | below(8) << 3 | below(8) }
    const isDirectory = below(2) === 0
    for (let step = below(4); step > 0; step--) {
      const entries = Array.from({ length: 1 + below(3) }, () => {
        const type = (['user', 'group', 'mask', 'other'] as const)[below(4)]!
        const name = (type === 'user' || type === 'group') && below(4) > 0 ? names[below(4)]! : ''
        return `${isDirectory && below(4) === 0 ? 'default:' : ''}${type}:${name}:${permText(below(8))}`
      })
      try {
        at = changeAcl(at, below(4) === 0
          ? change('remove', entries.map(text => text.slice(0, -4)).join(',')) : change('modify', entries.join(',')), isDirectory)
      } catch (error) {
        expect(error).toMatchObject({ code: 'EINVAL' })
      }
    }
    const [owner, group] = [names[below(4)]!, names[below(4)]!]
    const whole = wholeAcl(at.mode, at.acl)
    for (const user of [...names, 'stranger'])
      for (let bits = 0; bits < 8; bits++) {
        asked++
        expect(permits(user, { ...at, owner, group }, bits), `${user} ${bits}: ${owner} ${group} ${whole.map(aclText).join(',')}`)
          .toBe(model(user, { owner, group, whole }, bits))
      }
  }
  expect(asked).toBe(16_000)
})

test('one entry of a group grants all that is asked for; two that grant a part each do not', () => {
  const { mode, acl } = changeAcl({ mode: 0o640 }, change('modify', 'group:staff:-w-,mask::rw-'), false)
  const may = (wanted: number): boolean => permits('staff', { mode, acl, owner: 'ann', group: 'staff' }, wanted)
  expect([4, 2, 6, 0].map(may)).toEqual([true, true, false, true])
})
