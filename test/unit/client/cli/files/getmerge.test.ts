// Command `getmerge`: files in the order of their names become one local file, which appears complete or not at all.

import { expect, test } from 'vitest'
import { MemoryDisk } from '../../../../kit/memory-disk.ts'
import { FakeMill, runFake } from '../fake.ts'

const parts = () => new FakeMill({
  '/out/part-0': 'town,n\nUlm,1\n', '/out/part-1': 'town,n\nBern,2', '/out/part-2': '', '/out/part-3': 'town,n', '/out/_SUCCESS': 'x',
  '/out/.tmp': 'x', '/out/sub/deep': 'x', '/other': 'more\n',
})

async function merged(...words: string[]): Promise<string | undefined> {
  const disk = new MemoryDisk()
  const { code, err } = await runFake(parts(), ['getmerge', ...words, '/all'], { disk })
  expect([code, err]).toEqual([0, ''])
  expect([...disk.files.keys()]).toEqual(['/all'])
  return disk.files.get('/all')?.bytes.toString()
}

test('a directory stands for its files, without hidden ones and without directories', async () => {
  expect(await merged('/out')).toBe('town,n\nUlm,1\ntown,n\nBern,2town,n')
  expect(await merged('/out/part-[01]', '/other')).toBe('town,n\nUlm,1\ntown,n\nBern,2more\n')
})

test('--newline ends files, and --skip-header leaves out all headers but the first', async () => {
  expect(await merged('-n', '/out')).toBe('town,n\nUlm,1\ntown,n\nBern,2\ntown,n\n')
  expect(await merged('-n', '--skip-header', '/out')).toBe('town,n\nUlm,1\nBern,2\n')
})

test('- is stdout', async () => {
  expect((await runFake(parts(), ['getmerge', '/out/part-0', '/other', '-'])).out).toBe('town,n\nUlm,1\nmore\n')
})

test('an existing file is replaced with -f only, and a failure leaves nothing', async () => {
  const disk = new MemoryDisk()
  await disk.writeFileDurable('/all', Buffer.from('mine'))
  const refused = await runFake(parts(), ['getmerge', '/out', '/all'], { disk })
  expect(refused).toMatchObject({ code: 1, err: 'gristmill: getmerge: /all: file exists; add -f to replace it\n' })
  const broken = Object.assign(parts(), { createReadStream: () => { throw new Error('torn') } })
  expect((await runFake(broken, ['getmerge', '-f', '/out', '/all'], { disk })).code).not.toBe(0)
  expect((await runFake(parts(), ['getmerge', '/out', '/nope*', '/new'], { disk })).code).toBe(1)
  expect([...disk.files].map(([path, { bytes }]) => [path, bytes.toString()])).toEqual([['/all', 'mine']])
  expect((await runFake(parts(), ['getmerge', '-f', '/other', '/all'], { disk })).code).toBe(0)
  expect(disk.files.get('/all')!.bytes.toString()).toBe('more\n')
})
