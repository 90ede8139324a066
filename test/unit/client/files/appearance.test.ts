// Files that copies, appends and joins write, on a fake cluster: attributes and access control lists go along in the call that makes the
// file visible. A call that sets them afterwards would fail.

import { expect, test } from 'vitest'
import { appendTo } from '../../../../client/files/append.ts'
import { concatenate } from '../../../../client/files/concat.ts'
import type { CopyTools } from '../../../../client/files/walk.ts'
import { walkIn } from '../../../../client/files/walkin.ts'
import { walkInside } from '../../../../client/files/walkinside.ts'
import { createOptions, WriteStream } from '../../../../client/files/write.ts'
import { parseAcl } from '../../../../src/base/acl.ts'
import { inodeId } from '../../../../src/base/ids.ts'
import type { FileStatus } from '../../../../src/protocol/namespace.ts'

const statusOf = (path: string, more: Partial<FileStatus> = {}): FileStatus => ({
  path, id: inodeId(5), type: 'file', length: 3, replication: 1, blockBytes: 4096, blocks: 1, format: 'bytes', owner: 'a', group: 'a',
  mode: 0o640, mtimeMs: 7, ...more,
})

interface Made { readonly path: string; readonly appearance: unknown; readonly keepsOwner?: true }

/** `source`: status of the file that is copied. */
function fake(source: FileStatus, { attributes = {}, entries = '' }: { attributes?: Record<string, string>; entries?: string } = {}) {
  const made: Made[] = []
  const names = {
    status: async () => source, exists: async () => false,
    xattrs: { list: async () => new Map(Object.entries(attributes).map(([name, value]) => [name, Buffer.from(value)])) },
    acls: { get: async () => ({ mode: source.mode, entries: parseAcl(entries, true) }) },
  }
  const files = {
    create: async (path: string, { appearance, keepsOwner }: { appearance?: unknown; keepsOwner?: true }) => ({
      write: async () => {}, close: async () => {
        made.push({ path, appearance, ...keepsOwner && { keepsOwner } })
        return source
      }, abort: async () => {}, drop: async () => {},
    }),
    writeSmall: async () => undefined, locate: async () => ({ status: source }),
    putFile: async (_: string, path: string, { appearance }: { appearance?: unknown }) => {
      made.push({ path, appearance })
      return source
    },
    async *read() { yield Buffer.from('rye') }, small: { takes: () => false },
  }
  return { made, names, files, tools: { names, files } as unknown as CopyTools }
}

async function copied(walk: ReturnType<typeof walkInside>): Promise<void> {
  for await (const step of walk.steps) await step.run(() => {})
  await walk.finish()
}

test('a copy with the rights of its source is made with its attributes and its list, or with its mode alone', async () => {
  const attributes = { 'user.a': 'one' }
  const listed = fake(statusOf('/f', { acl: true }), { attributes, entries: 'user::rw-,user:bob:r--,group::---,mask::r--,other::---' })
  await copied(walkInside(listed.tools, '/f', '/to', { preserve: true }))
  expect(listed.made).toEqual([{ path: '/to', appearance: {
    acl: ['user::rw-', 'user:bob:r--', 'group::---', 'mask::r--', 'other::---'],
    attributes: [{ name: 'user.a', value: Buffer.from('one').toString('base64') }],
  } }])
  const plain = fake(statusOf('/f'))
  await copied(walkInside(plain.tools, '/f', '/to', { preserve: true }))
  expect(plain.made).toEqual([{ path: '/to', appearance: { acl: ['user::rw-', 'group::r--', 'other::---'] } }])
  const other = fake(statusOf('/f', { acl: true }), { attributes, entries: 'user::rw-,user:bob:r--,group::---,mask::r--,other::---' })
  await copied(walkInside(other.tools, '/f', '/to', {}))
  expect(other.made).toEqual([{ path: '/to', appearance: undefined }])
})

test('a local file that is put with its mode appears without a list', async () => {
  const { tools, made } = fake(statusOf('/to'))
  const disk = {
    stat: async () => ({ kind: 'file', bytes: 3, mode: 0o600, mtimeMs: 7 }),
    openRead: async () => ({ bytes: 3, read: async () => 1, close: async () => {} }),
  }
  for (const preserve of [true, false]) await copied(walkIn({ ...tools, disk } as unknown as CopyTools, 'f', '/to', { preserve }))
  const appearance = { acl: ['user::rw-', 'group::---', 'other::---'] }
  expect(made).toEqual([{ path: '/to', appearance }, { path: '/to', appearance: undefined }])
})

test('what is appended to, and a small file that is joined, keeps its owner and its attributes in the same step', async () => {
  const before = statusOf('/f', { inlined: true })
  const { made, files, names } = fake(before)
  const cluster = {
    status: async () => before, async *createReadStream() { yield Buffer.from('rye') },
    createWriteStream: (path: string, options: object) => new WriteStream(files as never, path, options),
  }
  const more = async function* () { yield Buffer.from('more') }
  for (const each of [before, undefined])
    await appendTo(cluster as never, { path: '/f', before: each, more, signal: new AbortController().signal })
  await concatenate({ ask: async () => before, files, names } as never, { path: '/f', sources: [], signal: undefined })
  const keeping = { path: '/f', appearance: { keepsAttributes: true }, keepsOwner: true }
  expect(made).toEqual([keeping, { path: '/f', appearance: undefined }, keeping])
  expect(createOptions({ keepAttributes: true }).appearance).toEqual({ keepsAttributes: true })
  expect(createOptions({})).not.toHaveProperty('appearance')
  expect([createOptions({ keepOwner: true }).keepsOwner, createOptions({ keepOwner: false })]).toEqual([
    true, expect.not.objectContaining({ keepsOwner: expect.anything() }),
  ])
  expect(() => createOptions({ keepOwner: 1 as never })).toThrow(expect.objectContaining({ code: 'EINVAL' }))
  expect(() => createOptions({ keepAttributes: 'yes' as never })).toThrow(expect.objectContaining({ code: 'EINVAL' }))
})

test('a new state of a file that keeps its owner is no new file, and has no mode of its own', () => {
  const others = [
    { flag: 'wx' }, { overwrite: false }, { mode: 0o600 }, { mode: '600' }, { unmaskedMode: 0o666 }, { parents: true },
  ] as const
  for (const other of others)
    expect(() => createOptions({ keepOwner: true, ...other }), JSON.stringify(other))
      .toThrow(expect.objectContaining({ code: 'EINVAL', message: expect.stringMatching(/^keepOwner .* is asked for; leave out one of both$/) }))
  for (const other of [{ flag: 'w' }, { overwrite: true }, { parents: false }, { mode: undefined }] as const)
    expect(createOptions({ keepOwner: true, ...other })).toMatchObject({ keepsOwner: true, overwrite: true })
})
