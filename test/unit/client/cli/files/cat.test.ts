// Commands `cat`, `head` and `tail` on an in-memory cluster: they print exactly the lines or bytes asked for, and `head` reads no more of a
// long file than it prints.

import { expect, test } from 'vitest'
import { endOfLines } from '../../../../../client/cli/files/cat.ts'
import { GristmillError } from '../../../../../src/base/errors.ts'
import { inodeId } from '../../../../../src/base/ids.ts'
import { FakeMill, runFake } from '../fake.ts'

test('head and tail show lines or bytes, from the right end, over pieces', async () => {
  const long = Array.from({ length: 40_000 }, (_, i) => `line ${i}\n`).join('')
  const mill = new FakeMill({ '/long': long, '/a': 'one\ntwo\nthree\n', '/b': 'x\ny' })
  const show = async (...words: string[]) => (await runFake(mill, words)).out
  expect(await show('head', '-n', '2', '/a')).toBe('one\ntwo\n')
  expect(await show('head', '-c', '5', '/a')).toBe('one\nt')
  expect(await show('head', '-n', '0', '/a')).toBe('')
  expect(await show('head', '-2', '/a')).toBe('one\ntwo\n')
  expect(await show('tail', '-1', '/a')).toBe('three\n')
  expect(await show('head', '-n', '1', '/a', '/b')).toBe('==> /a <==\none\n\n==> /b <==\nx\n')
  expect(await show('tail', '-n', '1', '/a')).toBe('three\n')
  expect(await show('tail', '-n', '1', '/b')).toBe('y')
  expect(await show('tail', '-n', '9', '/a')).toBe('one\ntwo\nthree\n')
  expect(await show('tail', '-n', '+2', '/a')).toBe('two\nthree\n')
  expect(await show('tail', '-c', '4', '/a')).toBe('ree\n')
  expect(await show('tail', '-n', '0', '/a')).toBe('')
  expect(await show('tail', '-n', '3', '/long')).toBe('line 39997\nline 39998\nline 39999\n')
  expect(await show('tail', '-n', '20000', '/long')).toBe(long.slice(long.indexOf('line 20000\n')))
})

test('head reads no more of a long file than it shows', async () => {
  const mill = new FakeMill({ '/long': 'x\n'.repeat(1_000_000) })
  await runFake(mill, ['head', '/long'])
  expect(Math.max(...mill.reads.map(read => read.end))).toBeLessThanOrEqual(4 * 64 * 1024)
})

test('head finds the end of the n-th line, over several pieces', () => {
  expect(endOfLines(Buffer.from('a\nb\nc'), 2)).toEqual({ bytes: 4, lines: 2 })
  expect(endOfLines(Buffer.from('a\nb\nc'), 5)).toEqual({ bytes: 5, lines: 2 })
  expect(endOfLines(Buffer.from(''), 1)).toEqual({ bytes: 0, lines: 0 })
})

test('tail -f prints what is appended, and of another file the beginning, until it is interrupted', async () => {
  const mill = new FakeMill({ '/log': 'one\ntwo\n' })
  const ending = new AbortController()
  /** Replaces the file, as each writer does. */
  const replace = (text: string): void => {
    const { nodes } = new FakeMill({ '/padding': '', '/log': text })
    mill.nodes.set('/log', { ...nodes.get('/log')!, status: { ...nodes.get('/log')!.status, id: inodeId(100 + steps.length) } })
  }
  const steps: (() => void)[] = [
    () => {}, () => replace('one\ntwo\nthree\n'), () => mill.nodes.delete('/log'), () => replace('one\ntwo\nthree\nfour\n'),
    () => replace('new\n'), () => ending.abort(new GristmillError('ABORTED', 'interrupted')),
  ]
  const sleep = async (): Promise<void> => {
    steps.shift()!()
    ending.signal.throwIfAborted()
  }
  const seen = await runFake(mill, ['tail', '-n', '1', '-f', '/log'], { clock: { sleep }, signal: ending.signal })
  expect(seen).toMatchObject({ code: 'interrupted', out: 'two\nthree\nfour\nnew\n', err: 'gristmill: tail: /log is another file now\n' })
})

test('tail -f follows one file', async () => {
  const seen = await runFake(new FakeMill({ '/a': 'x', '/b': 'y' }), ['tail', '-f', '/a', '/b'])
  expect(seen).toMatchObject({ code: 2, out: '', err: expect.stringContaining('tail -f follows one file') })
})
