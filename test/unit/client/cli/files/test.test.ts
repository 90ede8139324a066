// Command `test`: the answer is the exit code. Only a path that is not there is a no; every other error keeps its own code.

import { expect, test } from 'vitest'
import { GristmillError } from '../../../../../src/base/errors.ts'
import { FakeMill, runFake } from '../fake.ts'

const mill = () => new FakeMill({ '/d/full': 'x', '/d/empty': '', '/d/sub': {} })

test.each([
  ['/d', 0], ['/nope', 1], ['-e /d/full', 0], ['-e /d/full/below', 1], ['-d /d', 0], ['-d /d/full', 1], ['-f /d/full', 0], ['-f /d', 1],
  ['-z /d/empty', 0], ['-z /d/full', 1], ['-z /d', 1], ['-s /d/full', 0], ['-s /d/empty', 1], ['-f -z /d/empty', 0], ['-f -s /d/empty', 1],
  ['/d/full/', 1], ['/d/', 0], ['-e /d/*', 0], ['-z /d/*', 0], ['-d /d/f*', 1], ['-e /d/n*', 1], ['-e /d/full/*', 1], ['-d /d/*/', 0],
] as const)('gristmill test %s ends with %d and prints nothing', async (line, code) => {
  expect(await runFake(mill(), ['test', ...line.split(' ')])).toMatchObject({ code, out: '', err: '' })
})

test('--json prints the answer', async () => {
  expect((await runFake(mill(), ['test', '-z', '/d/full', '--json'])).out).toBe('{"path":"/d/full","answer":false}\n')
})

test('a cluster that does not answer is no answer', async () => {
  const broken = Object.assign(mill(), { status: async () => { throw new GristmillError('UNAVAILABLE', 'no namenode') } })
  expect(await runFake(broken, ['test', '-e', '/d'])).toMatchObject({ code: 69, err: 'gristmill: test: no namenode\n' })
})
