// Commands `du` and `count` on an in-memory cluster: sums of directories, files, bytes and stored bytes.

import { expect, test } from 'vitest'
import { runFake, someFiles } from '../fake.ts'

test('du prints directories after what is in them, or one total, or every replica', async () => {
  expect((await runFake(someFiles(), ['du', '/logs'])).out).toBe('2\t/logs/deep\n38\t/logs\n')
  expect((await runFake(someFiles(), ['du', '-s', '/logs', '/zero.bin'])).out).toBe('38\t/logs\n0\t/zero.bin\n')
  expect((await runFake(someFiles(), ['du', '-d', '1', '/'])).out).toBe('0\t/empty\n38\t/logs\n38\t/\n')
  expect((await runFake(someFiles(), ['du', '-s', '--stored', '-c', '/logs'])).out).toBe('114\t/logs\n114\ttotal\n')
})

test('count sums up directories, files and bytes', async () => {
  expect((await runFake(someFiles(), ['count', '/logs'])).out).toBe('2  4  38  /logs\n')
  expect(JSON.parse((await runFake(someFiles(), ['count', '--json', '/logs'])).out)).toEqual({
    path: '/logs', files: 4, directories: 2, bytes: 38, stored: 114,
  })
})
