// Command `mv` on an in-memory cluster: renames, moves into directories, and replaces a file only with `-f`; and patterns as destinations.

import { expect, test } from 'vitest'
import { runFake, someFiles } from '../fake.ts'

test('mv renames, moves into directories, and replaces only with --force', async () => {
  const mill = someFiles()
  await runFake(mill, ['mv', '/zero.bin', '/empty'])
  await runFake(mill, ['mv', '/logs/*.log', '/empty/'])
  await runFake(mill, ['mv', '/logs/deep', '/other'])
  expect(mill.paths()).toEqual([
    '/empty', '/empty/a.log', '/empty/b.log', '/empty/zero.bin', '/logs', '/logs/.hidden', '/other', '/other/c.txt',
  ])
  const refused = await runFake(mill, ['mv', '/empty/a.log', '/empty/b.log'])
  expect([refused.code, refused.err]).toEqual([1, 'gristmill: mv: /empty/b.log: file exists; add -f to replace it\n'])
  expect((await runFake(mill, ['mv', '-f', '/empty/a.log', '/empty/b.log'])).code).toBe(0)
  expect((await runFake(mill, ['mv', '/empty', '/empty/inside'])).err).toContain('cannot be moved into itself')
  expect((await runFake(mill, ['mv', '/empty/b.log', '/other', '/nowhere'])).err).toContain('no such directory; write /nowhere/ to create it')
})

test('a pattern as a destination stands for the path that it matches; for several it is refused, and without a match it is a name, as a note says', async () => {
  const mill = someFiles()
  expect(await runFake(mill, ['mv', '/zero.bin', '/log*/de*p'])).toMatchObject({ code: 0, err: '' })
  expect(mill.paths()).toContain('/logs/deep/zero.bin')
  const several = await runFake(mill, ['mv', '/logs/deep/zero.bin', '/logs/*.log'])
  expect([several.code, several.err]).toEqual([1, 'gristmill: mv: /logs/*.log: matches /logs/a.log, /logs/b.log; name one of them\n'])
  expect(await runFake(mill, ['mv', '/logs/deep/zero.bin', '/new[1]'])).toMatchObject({
    code: 0, err: 'gristmill: mv: /new[1] matches no path of the cluster; it is taken as a name\n',
  })
  // A name that exists means itself.
  expect(await runFake(mill, ['mv', '-f', '/logs/a.log', '/new[1]'])).toMatchObject({ code: 0, err: '' })
})
