// Arguments of trash, snapshot, quota and xattr: invalid ones are refused before any call to a cluster. Effects of the commands are tested
// in test/cluster/care.test.ts.

import { expect, test } from 'vitest'
import { FakeMill, runFake } from './fake.ts'

test.each([
  ['trash', 'fly'], ['trash', 'ls', 'x'], ['trash', 'restore'], ['trash', 'restore', 'a', 'b', '--to', '/c'], ['trash', 'empty', 'x'],
  ['trash', 'empty', '--older-than', 'soon'], ['snapshot', 'fly', '/a'], ['snapshot', 'create'], ['snapshot', 'create', '/a', 'b', 'c'],
  ['snapshot', 'diff', '/a'], ['snapshot', 'rm', '/a'], ['snapshot', 'toString', '/a'], ['quota', 'fly'], ['quota', 'set', '/a'],
  ['quota', 'set', '--names', '3'], ['quota', 'set', '/a', '--names', '-3'], ['quota', 'clear'], ['xattr', 'get', '/a'],
  ['xattr', 'set', '/a', 'user.b'], ['xattr', 'ls', '/a', 'b'], ['xattr', 'rm', '/a'], ['xattr', 'constructor', '/a'],
])('%s %s %s %s is not understood', async (...words) => {
  const seen = await runFake(
    new FakeMill({}), words.filter(word => word !== undefined),
  )
  expect(seen).toMatchObject({ code: 2, out: '' })
  expect(seen.err).toMatch(/^gristmill: (trash|snapshot|quota|xattr): \S/)
})
