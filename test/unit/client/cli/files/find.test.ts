// Command `find` on an in-memory cluster: tests combine as in find(1), with one dash or two, and a misspelt test is refused with the
// nearest name.

import { expect, test } from 'vitest'
import { FakeMill, nowMs, runFake } from '../fake.ts'

test('find combines its tests, with one dash or two', async () => {
  const mill = new FakeMill({
    '/a/big.LOG': { type: 'file', length: 3 << 20 },
    '/a/small.log': { type: 'file', length: 10, mtimeMs: nowMs - 9 * 86_400_000 },
    '/a/b/.x.log': { type: 'file', length: 1 }, '/a/e': {},
  })
  const find = async (...words: string[]) => (await runFake(mill, ['find', ...words])).out.trim().split('\n')
  expect(await find('/a', '-name', '*.log')).toEqual(['/a/b/.x.log', '/a/small.log'])
  expect(await find('/a', '-iname', '*.log', '-size', '+1m')).toEqual(['/a/big.LOG'])
  expect(await find('/a', '--type', 'd')).toEqual(['/a', '/a/b', '/a/e'])
  expect(await find('/', '-type', 'd', '-empty')).toEqual(['/a/e'])
  expect(await find('/', '-mtime', '+7')).toEqual(['/a/small.log'])
  expect(await find('/', '-mtime', '-1', '-type', 'f')).toEqual(['/a/b/.x.log', '/a/big.LOG'])
  expect(await find('/', '-maxdepth', '1')).toEqual(['/', '/a'])
  expect(await find('/', '-mindepth', '3')).toEqual(['/a/b/.x.log'])
  expect(await find('/', '-size', '10c')).toEqual(['/a/small.log'])
  expect((await runFake(mill, ['find', '/a/e', '-print0'])).out).toBe('/a/e\0')
  expect((await runFake(mill, ['find', '/', '-size', 'big'])).code).toBe(2)
})

test('the value of a test may look like a test, and a misspelt test is answered with the nearest', async () => {
  const mill = new FakeMill({ '/a/-empty': 'x', '/a/-x': 'y' })
  expect((await runFake(mill, ['find', '/', '-name', '-empty'])).out).toBe('/a/-empty\n')
  expect((await runFake(mill, ['find', '/', '-name', '-x', '-type', 'f'])).out).toBe('/a/-x\n')
  expect((await runFake(mill, ['find', '/', '-nam', 'x'])).err).toContain("unknown option '--nam' (Did you mean --name?)")
})
