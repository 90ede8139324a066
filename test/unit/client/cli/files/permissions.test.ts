// Command `chmod` on an in-memory cluster, and the parser of modes: octal and symbolic modes change what chmod(1) changes.

import { expect, test } from 'vitest'
import { parseMode } from '../../../../../client/cli/files/permissions.ts'
import { GristmillError } from '../../../../../src/base/errors.ts'
import { runFake, someFiles } from '../fake.ts'

test('chmod changes letters below a directory, directories after their entries', async () => {
  const mill = someFiles()
  await runFake(mill, ['chmod', '-R', 'go-r,a+X', '/logs'])
  expect([mill.mode('/logs'), mill.mode('/logs/deep'), mill.mode('/logs/a.log')]).toEqual(['711', '711', '600'])
  await runFake(mill, ['chmod', '-w', '/zero.bin'])
  expect(mill.mode('/zero.bin')).toBe('444')
  expect((await runFake(mill, ['chmod', 'rubbish', '/logs'])).code).toBe(2)
})

test('of a path that is not there a change of letters is not sent: one that has come since would lose its other bits', async () => {
  for (const [mode, expected] of [['600', '600'], ['u=rw,go=', '644'], ['g+w', '644'], ['+X', '644']] as const) {
    const mill = someFiles()
    const find = mill.status.bind(mill)
    let looks = 0
    mill.status = async path => { if (looks++ === 0) throw new GristmillError('ENOENT', 'not there yet'); return find(path) }
    await runFake(mill, ['chmod', mode, '/zero.bin'])
    expect([mode, mill.mode('/zero.bin')]).toEqual([mode, expected])
  }
})

test('modes are octal, or letters that change what is there as chmod does', () => {
  const cases: [string, number, boolean, number][] = [
    ['640', 0o777, false, 0o640], ['1777', 0o755, true, 0o1777], ['u+x', 0o644, false, 0o744], ['go-w', 0o666, false, 0o644],
    ['a=r', 0o777, false, 0o444], ['+x', 0o644, false, 0o755], ['u=rwx,go=rx', 0, false, 0o755], ['a+X', 0o644, false, 0o644],
    ['a+X', 0o644, true, 0o755], ['a+X', 0o744, false, 0o755], ['+t', 0o755, true, 0o1755], ['-t', 0o1755, true, 0o755],
    ['o=', 0o777, false, 0o770], ['ug+rw,o-rwx', 0o007, false, 0o660],
  ]
  for (const [text, before, directory, after] of cases) expect(parseMode(text)(before, directory).toString(8), text).toBe(after.toString(8))
  for (const bad of ['', '999', '12345', 'u+q', 'x+r', 'u', '2777']) expect(() => parseMode(bad), bad).toThrow('is not a mode')
})
