// getfacl and setfacl on an in-memory cluster: the output of `hdfs dfs -getfacl`, the forms of entries, and which paths a change reaches.

import { expect, test } from 'vitest'
import { longForm } from '../../../../../client/cli/files/acl.ts'
import { runFake } from '../fake.ts'
import { Recorder } from '../recorder.ts'

const cluster = () => new Recorder({ '/d/f': 'x', '/d/sub/g': 'x', '/t': { mode: 0o1750 } }, 'bob')

test('getfacl prints as HDFS does; --json has each entry with its permissions and those that the mask leaves', async () => {
  const { out } = await runFake(cluster(), ['getfacl', '/t', '/d/f'])
  expect(out).toBe(
    '# file: /t\n# owner: ada\n# group: staff\n# flags: --T\nuser::rwx\nuser:bob:rw-\t#effective:r--\ngroup::r-x\nmask::r-x\nother::---\n\n' +
    '# file: /d/f\n# owner: ada\n# group: staff\nuser::rw-\nuser:bob:rw-\t#effective:r--\ngroup::r-x\t#effective:r--\nmask::r--\nother::r--\n\n',
  )
  const json = (await runFake(cluster(), ['getfacl', '-R', '--json', '/d'])).out.trim().split('\n').map(line => JSON.parse(line) as object)
  expect(json.map(each => (each as { path: string }).path)).toEqual(['/d', '/d/f', '/d/sub', '/d/sub/g'])
  expect(json[1]).toEqual({
    path: '/d/f', owner: 'ada', group: 'staff', mode: 0o644,
    entries: [
      { scope: 'access', type: 'user', permissions: 'rw-', effective: 'rw-' },
      { scope: 'access', type: 'user', name: 'bob', permissions: 'rw-', effective: 'r--' },
      { scope: 'access', type: 'group', permissions: 'r-x', effective: 'r--' },
      { scope: 'access', type: 'mask', permissions: 'r--', effective: 'r--' },
      { scope: 'access', type: 'other', permissions: 'r--', effective: 'r--' },
    ],
  })
})

test('setfacl -R reaches everything below, a directory after its entries; files leave out default entries', async () => {
  const done = async (...words: string[]) => {
    const mill = cluster()
    const { code, err } = await runFake(mill, ['setfacl', ...words])
    expect(code, err).toBe(0)
    return mill.calls.filter(([name]) => name.startsWith('acls')).map(([name, path, given]) =>
      `${name.slice(5)} ${String(path)}${Array.isArray(given) ? ` ${given.join(',')}` : ''}`)
  }
  expect(await done('-R', '-m', 'u:eve:rx,d:g:staff:7', '/d')).toEqual([
    'modify /d/f user:eve:r-x', 'modify /d/sub/g user:eve:r-x', 'modify /d/sub user:eve:r-x,default:group:staff:rwx',
    'modify /d user:eve:r-x,default:group:staff:rwx',
  ])
  expect(await done('-R', '-k', '/d')).toEqual(['removeDefault /d/sub', 'removeDefault /d'])
  expect(await done('-R', '--set', 'default:user::rwx', '/d')).toEqual(['set /d/sub default:user::rwx', 'set /d default:user::rwx'])
  expect(await done('-x', 'mask,default:user:eve', '/d')).toEqual(['remove /d mask:,default:user:eve'])
  // Without -R the namenode refuses what a file cannot have.
  expect(await done('-m', 'default:user:eve:rwx', '/d/f')).toEqual(['modify /d/f default:user:eve:rwx'])
})

test('one change at a time, of entries in a right form', async () => {
  for (const words of [[], ['-b', '-k'], ['-m', 'user:eve:rwx', '-x', 'user:eve'], ['-m', ''], ['-m', ','], ['-m', 'eve:rwx'],
    ['-m', 'user:eve'], ['-x', 'user:eve:rwx'], ['--set', 'user:eve:rwz']]) {
    const mill = cluster()
    const { code, err } = await runFake(mill, ['setfacl', ...words, '/d'])
    expect([words, code]).toEqual([words, 2])
    expect(err).toMatch(/setfacl/)
    expect(mill.calls).toEqual([])
  }
})

test('entries have the forms of HDFS and the short ones of setfacl(1)', () => {
  const forms: [string, string][] = [
    ['user:bob:rw-', 'user:bob:rw-'], ['u:bob:6', 'user:bob:rw-'], ['USER::rwx', 'user::rwx'], ['g::x', 'group::--x'],
    ['m:rx', 'mask::r-x'], ['m::rx', 'mask::r-x'], ['other:---', 'other::---'], ['o::0', 'other::---'],
    ['d:u:bob:wr', 'default:user:bob:rw-'], ['default:mask::r--', 'default:mask::r--'],
  ]
  for (const [given, long] of forms) expect(longForm(given, true), given).toBe(long)
  expect(['u:bob', 'd:g:staff', 'm', 'mask::', 'user:'].map(text => longForm(text, false)))
    .toEqual(['user:bob', 'default:group:staff', 'mask:', 'mask:', 'user:'])
  for (const bad of [
    '', 'bob', 'user', 'user:bob', 'user:bob:', 'user:bob:rr', 'user:bob:8', 'user:bob:rwxr', 'user:bob:xw-', 'u:bob:rwx:x', 'd:bob:rwx',
  ])
    expect(() => longForm(bad, true), bad).toThrow(expect.objectContaining({ code: 'USAGE' }))
  for (const bad of ['bob', 'user:bob:rwx', 'user:a:b:c']) expect(() => longForm(bad, false), bad).toThrow('without permissions')
})
