// Command `append` on a real cluster: the old content and the new one become one file in one step, with the old one's replication and mode;
// other writers are kept away meanwhile, and a failure leaves the old file.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TestCluster } from '../kit/cluster.ts'
import { runHere, startClusterHere } from './inprocess.ts'

let cluster: TestCluster
let dir: string

beforeAll(async () => {
  cluster = await startClusterHere({
    datanodes: 2, settings: { GRISTMILL_BLOCK_SIZE: '64KiB', GRISTMILL_REPLICATION: '1', GRISTMILL_INLINE_BYTES: '4KiB' },
  })
  dir = await mkdtemp(join(tmpdir(), 'gristmill-append-'))
  await writeFile(join(dir, 'a'), 'a\n')
  await writeFile(join(dir, 'b'), 'b\n')
})

afterAll(async () => {
  await cluster[Symbol.asyncDispose]()
  await rm(dir, { recursive: true, force: true })
})

test('a new file is created, and files and stdin are added to it, over block boundaries', async () => {
  await cluster.ok(['append', join(dir, 'a'), '/log'])
  const long = 'x'.repeat(150_000)
  await cluster.ok(['append', join(dir, 'b'), '-', join(dir, 'a'), '/log'], long)
  expect(await cluster.ok(['cat', '/log'])).toBe(`a\nb\n${long}a\n`)
})

test('the new file keeps replication, mode, format and block size', async () => {
  await cluster.ok(['put', '--replication', '2', '--block-size', '128KiB', '--format', 'lines', '-', '/kept'], 'one\n')
  await cluster.ok(['chmod', '640', '/kept'])
  const facts = async (): Promise<unknown> => {
    const { replication, mode, format, blockBytes } = JSON.parse(await cluster.ok(['stat', '--json', '/kept'])) as Record<string, unknown>
    return { replication, mode, format, blockBytes }
  }
  const before = await facts()
  await cluster.ok(['append', '-', '/kept'], 'two\n')
  expect(await facts()).toEqual(before)
  expect(before).toEqual({ replication: 2, mode: 0o640, format: 'lines', blockBytes: 128 * 1024 })
  expect(await cluster.ok(['cat', '/kept'])).toBe('one\ntwo\n')
})

test('the file stays its owner\'s, and a user who may read and write it may append, also where the directory belongs to another', async () => {
  await cluster.ok(['put', '-', '/shared'], 'one\n')
  await cluster.ok(['chmod', '666', '/shared'])
  await cluster.ok(['chown', 'ada:crew', '/shared'])
  const asBob = (words: string[], input: string) => runHere(words, { ...cluster.env, GRISTMILL_USER: 'bob' }, input)
  expect(await asBob(['append', '-', '/shared'], 'two\n')).toMatchObject({ code: 0, stderr: '' })
  const { owner, group, mode } = JSON.parse(await cluster.ok(['stat', '--json', '/shared'])) as Record<string, unknown>
  expect([owner, group, mode]).toEqual(['ada', 'crew', 0o666])
  expect((await asBob(['put', '-f', '-', '/shared'], 'three\n')).code).toBe(1)
  await cluster.ok(['chmod', '644', '/shared'])
  expect((await asBob(['append', '-', '/shared'], 'three\n')).code).toBe(1)
  expect(await cluster.ok(['cat', '/shared'])).toBe('one\ntwo\n')
})

test('permission to write a file suffices to append to it, whether the namenode has its bytes or it has blocks', async () => {
  for (const [path, long] of [['/blind', 'x'.repeat(150_000)], ['/blind-small', 'x']] as const) {
    await cluster.ok(['put', '-', path], long)
    await cluster.ok(['chmod', '602', path])
    const asBob = (words: string[], input = '') => runHere(words, { ...cluster.env, GRISTMILL_USER: 'bob' }, input)
    expect((await asBob(['cat', path])).code).toBe(1)
    expect(await asBob(['append', '-', path], 'bob was here\n')).toMatchObject({ code: 0, stderr: '' })
    expect((await asBob(['cat', path])).code).toBe(1)
    expect(await cluster.ok(['cat', path])).toBe(`${long}bob was here\n`)
  }
})

test('appends at the same time lose nothing: all but one wait or are refused', async () => {
  await cluster.ok(['put', '-', '/counted'], '')
  const done = await Promise.all(Array.from({ length: 6 }, (_, i) => cluster.run(['append', '-', '/counted'], `${i}\n`)))
  const lines = (await cluster.ok(['cat', '/counted'])).trim().split('\n').sort()
  expect(lines).toEqual(done.flatMap(({ code }, i) => (code === 0 ? [String(i)] : [])))
  for (const { code, stderr } of done) if (code !== 0) expect(stderr).toMatch(/\/counted/)
  expect(lines.length).toBeGreaterThan(0)
})

test('a directory and a missing local file are refused, and nothing changes', async () => {
  await cluster.ok(['put', '-', '/same'], 'same\n')
  await cluster.ok(['mkdir', '/d'])
  expect(await cluster.run(['append', join(dir, 'a'), '/d'])).toMatchObject({ code: 1, stderr: 'gristmill: append: /d: is a directory; name a file in it\n' })
  const missing = await cluster.run(['append', join(dir, 'a'), join(dir, 'nope'), '/same'])
  expect(missing).toMatchObject({ code: 1, stderr: `gristmill: append: ${join(dir, 'nope')}: no such file or directory\n` })
  expect(await cluster.ok(['cat', '/same'])).toBe('same\n')
})
