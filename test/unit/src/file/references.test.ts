// References to files outside of the cluster: which file one stands for, what a plain file among them is, for readers and for planners, and
// the addresses in messages.

import { expect, test } from 'vitest'
import { referred } from '../../../../client/jobs/references.ts'
import { inodeId } from '../../../../src/base/ids.ts'
import { referenceAttribute } from '../../../../src/base/reference.ts'
import { References } from '../../../../src/file/references.ts'
import type { FileStatus } from '../../../../src/protocol/namespace.ts'

const paths = ['/.outside/x/ref/a', '/.outside/x/ref/a.jsonl', '/.outside/x/ref/evil.jsonl']
const statusOf = (path: string): FileStatus =>
  ({ path, id: inodeId(paths.indexOf(path) + 1), type: 'file', length: 4 }) as FileStatus
const attributesOf = (path: string) =>
  (path === paths[2] ? [] : [{ name: referenceAttribute, value: Buffer.from(`{"v":1,"bytes":9,"sealed":"${path}"}`).toString('base64') }])

const references = new References({
  locator: { locate: async (path: string) => ({ status: statusOf(path), blocks: [] }) } as never,
  objects: { read: async ({ path }: { path: string }) => ({ status: statusOf(path), attributes: attributesOf(path) }) } as never,
  open: async (_, path) => ({
    bytes: 9, shown: `http://h/${path.split('/').at(-1)}`, read: async function* () { yield Buffer.from('content') },
  }),
})

test('a reference is read as the file for which it stands', async () => {
  const located = await references.locate(paths[1]!)
  expect(located).toMatchObject({ status: { length: 9 }, blocks: [], outside: { shown: 'http://h/a.jsonl' } })
  expect(Buffer.concat(await Array.fromAsync(references.read(located, {}))).toString()).toBe('content')
})

test('a plain file that lies among references is refused by readers and by planners', async () => {
  const words = /^\/\.outside\/x\/ref\/evil\.jsonl stands for no file outside/
  const refused = { code: 'CORRUPT', message: expect.stringMatching(words) as string }
  await expect(references.locate(paths[2]!)).rejects.toMatchObject(refused)
  await expect(Array.fromAsync(references.read(paths[2]!, {}))).rejects.toMatchObject(refused)
  const ask = async (_: unknown, { objects }: { objects: ReadonlyArray<{ path: string }> }) =>
    ({ objects: objects.map(({ path }) => ({ status: statusOf(path), attributes: attributesOf(path) })) })
  expect(await referred(ask as never, [statusOf(paths[0]!), statusOf('/plain')], undefined)).toMatchObject([{ length: 9 }, { length: 4 }])
  await expect(referred(ask as never, paths.map(statusOf), undefined)).rejects.toMatchObject(refused)
})

test('messages name files by their addresses, also where one path begins with another', async () => {
  for (const path of paths.slice(0, 2)) await references.locate(path)
  expect(references.named(`${paths[1]} and ${paths[0]}: byte 8`)).toBe('http://h/a.jsonl and http://h/a: byte 8')
  expect(references.named('/a/b: byte 8')).toBe('/a/b: byte 8')
})
