// Command `rm` on an in-memory cluster: directories need `-r`, the root is never removed, and an operand contains no pattern beyond the
// documented ones.

import { expect, test } from 'vitest'
import { FakeMill, runFake, someFiles } from '../fake.ts'

test('rm wants -r for directories, heeds -f for missing files, and never removes the root', async () => {
  const mill = someFiles()
  expect((await runFake(mill, ['rm', '/logs'])).err).toBe(
    'gristmill: rm: /logs: is a directory; add -r to remove it recursively\n',
  )
  expect((await runFake(mill, ['rm', '-f', '/nope', '/zero.bin', '/no*such'])).code).toBe(0)
  expect((await runFake(mill, ['rm', '/nope'])).code).toBe(1)
  expect((await runFake(mill, ['rm', '-rf', '/'])).code).toBe(1)
  for (const path of ['/logs/..', '/logs/.', '/nope/../', '/logs/*/..'])
    expect((await runFake(mill, ['rm', '-rf', path])).err).toContain('"." and ".." are not removed; name the directory itself')
  expect((await runFake(mill, ['rm', '-r', '/logs/*'])).code).toBe(0)
  expect(mill.paths()).toEqual(['/empty', '/logs', '/logs/.hidden'])
})

test('no character beyond the documented language means anything in an operand', async () => {
  const mill = new FakeMill({
    '/n/old': 'o', '/n/new': 'n', '/n/!o1': 'x', '/n/+(a)b': 'y', [`/n/${'a'.repeat(41)}`]: 'z', '/d/f': 'f', '/d/sub/g': 'g',
  })
  expect((await runFake(mill, ['rm', '/n/!o*'])).code).toBe(0)
  expect(mill.paths().filter(path => path.startsWith('/n/'))).toEqual(['/n/+(a)b', `/n/${'a'.repeat(41)}`, '/n/new', '/n/old'])
  expect((await runFake(mill, ['ls', '/n/+(a*)b'])).out).toBe('/n/+(a)b\n')
  expect((await runFake(mill, ['rm', '-r', '/d/*/'])).code).toBe(0)
  expect(mill.paths().filter(path => path.startsWith('/d'))).toEqual(['/d', '/d/f'])
  expect(await runFake(mill, ['rm', '/d/f/'])).toMatchObject({ code: 1, err: 'gristmill: rm: /d/f/: not a directory\n' })
  expect(await runFake(mill, ['cat', '/d/f/'])).toMatchObject({ code: 1, out: '', err: 'gristmill: cat: /d/f/: not a directory\n' })
  expect((await runFake(mill, ['find', '/n', '-name', '{old,n*}'])).out).toBe('/n\n/n/new\n/n/old\n')
})
