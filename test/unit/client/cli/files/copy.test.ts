// Command `mv` on an in-memory cluster: renames, moves into directories, and replaces a file only with `-f`.

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
