// Command `ls` on an in-memory cluster: columns, order, hidden names, titles and colours are those of ls(1).

import { expect, test } from 'vitest'
import { FakeMill, nowMs, runFake, someFiles } from '../fake.ts'

test('ls lists names, hides dotted ones, and titles directories when there are several', async () => {
  expect((await runFake(someFiles(), ['ls'])).out).toBe('empty\nlogs\nzero.bin\n')
  expect((await runFake(someFiles(), ['ls', '/logs'])).out).toBe('a.log\nb.log\ndeep\n')
  expect((await runFake(someFiles(), ['ls', '-a', '/logs'])).out).toBe('.hidden\na.log\nb.log\ndeep\n')
  expect((await runFake(someFiles(), ['ls', '/logs', '/zero.bin', 'empty'])).out).toBe('/zero.bin\n\n/logs:\na.log\nb.log\ndeep\n\n/empty:\n')
  expect((await runFake(someFiles(), ['ls', '-d', '/logs'])).out).toBe('/logs\n')
  expect((await runFake(someFiles(), ['ls', '-R', '/logs'])).out).toBe('/logs:\na.log\nb.log\ndeep\n\n/logs/deep:\nc.txt\n')
})

test('ls -l lines up mode, replicas, owner, size, time and name', async () => {
  const { out } = await runFake(someFiles(), ['ls', '-l', '/logs'])
  expect(out.split('\n')[0]).toMatch(/^-rw-r--r-- {2}3 {2}ada {2}staff {2}14 {2}Nov 22 \d\d:\d\d {2}a\.log$/)
  expect(out.split('\n')[2]).toMatch(/^drwxr-xr-x {2}- {2}ada {2}staff {3}0 {2}Nov 22 \d\d:\d\d {2}deep$/)
})

test('ls sorts by size and time, reversed or not', async () => {
  const mill = new FakeMill({
    '/d/a': { type: 'file', length: 5, mtimeMs: nowMs - 10 },
    '/d/b': { type: 'file', length: 9, mtimeMs: nowMs - 30 },
    '/d/c': { type: 'file', length: 1, mtimeMs: nowMs - 20 },
  })
  const order = async (...words: string[]) => (await runFake(mill, ['ls', ...words, '/d'])).out.trim().replaceAll('\n', '')
  expect(await order('-S')).toBe('bac')
  expect(await order('-t')).toBe('acb')
  expect(await order('-tr')).toBe('bca')
  expect(await order('-r')).toBe('cba')
})

test('on a terminal names come in columns and directories are coloured, unless NO_COLOR is set', async () => {
  const plain = await runFake(someFiles(), ['ls', '/'], { terminal: { columns: 60 }, env: { NO_COLOR: '1' } })
  expect(plain.out).toBe('empty  logs  zero.bin\n')
  expect((await runFake(someFiles(), ['ls', '/'], { terminal: { columns: 60 } })).out).toContain('\u001b[1m\u001b[34mempty')
})
