// Older versions of objects in an older version of an output: in memory, read by their path, shown by fsck once, and with the rights of the
// directory that has them.

import { crc32c } from '@node-rs/crc32'
import { expect, test } from 'vitest'
import { fsckPage } from '../../../../namenode/admin/fsck.ts'
import { setAcl } from '../../../../namenode/namespace/acls.ts'
import { mkdir, setAttributes } from '../../../../namenode/namespace/names.ts'
import { list, stat } from '../../../../namenode/namespace/read.ts'
import { put } from '../../../../namenode/objects/mutations.ts'
import { setVersioning } from '../../../../namenode/objects/versioning.ts'
import { createSnapshot } from '../../../../namenode/snapshots/mutations.ts'
import { published } from '../jobs/publish/publishkit.ts'
import { mapOnly, open } from '../jobs/store/storekit.ts'
import { as, file, replayed, root, type Bench } from '../kit.ts'

const [ann, bob, eve] = [as('ann'), as('bob'), as('eve')] as const

const store = (bench: Bench, key: string, text: string) => {
  const content = { data: Buffer.from(text).toString('base64'), crc: crc32c(Buffer.from(text)) }
  return bench.do(put, { ...file('', ann), to: `/b/${key}`, base: '/b', parents: true, content })
}

/** Paths of all files at and below a path, from page to page. */
async function checked({ journal: { view } }: Bench, path: string): Promise<string[]> {
  const found: string[] = []
  const tools = {
    view, map: { holders: () => [], target: () => 1, health: () => undefined }, isCorrupt: () => false, yield: () => Promise.resolve(),
  } as unknown as Parameters<typeof fsckPage>[0]
  for (let after; ;) {
    const page = await fsckPage(tools, root, { path, healthy: true, ...after && { after } })
    found.push(...page.files.map(each => each.path))
    if (!page.next) return found
    after = page.next
  }
}

test('an object that was replaced in an output before a job replaced the output is read, and found by fsck, once', async () => {
  const opened = await open(undefined, { versions: 10 })
  const { bench } = opened
  const { view } = bench.journal
  await bench.do(mkdir, { path: '/b', mode: 0o777 })
  await bench.do(setVersioning, { path: '/b', state: 'Enabled' })
  await published(opened, mapOnly('/b/out'))
  for (const text of ['one', 'second']) for (const key of ['out/k', 'out/day=1/k']) await store(bench, key, text)
  const versionsIn = (directory: string): string[] =>
    list(view, root, { path: `${directory}/.snapshot/.objects/k` }).entries.map(({ path }) => path)
  const before = [versionsIn('/b/out'), versionsIn('/b/out/day=1')].flat()
  expect(before).toHaveLength(2)
  await bench.do(createSnapshot, { path: '/b', name: 's' })
  await published(opened, mapOnly('/b/out', true, { force: true }))
  const moved = before.map(path => path.replace('/b/out', '/b/out@1'))
  expect([versionsIn('/b/out@1'), versionsIn('/b/out@1/day=1')].flat()).toEqual(moved)
  for (const path of moved) expect(stat(view, root, path)).toMatchObject({ path, length: 3, type: 'file' })
  for (const path of ['/b', '/b/out@1']) {
    const found = await checked(bench, path)
    expect(found.filter(each => each.includes('/.snapshot/')), path).toEqual(moved)
    expect(new Set(found).size).toBe(found.length)
  }
  expect(await checked(bench, moved[0]!)).toEqual([moved[0]])
  // No snapshot has them, of a version either.
  expect(() => stat(view, root, moved[0]!.replace('/b/', '/b/.snapshot/s/'))).toThrow(expect.objectContaining({ code: 'ENOENT' }))
  expect((await checked(bench, '/b/.snapshot/s')).filter(path => path.includes('.objects'))).toEqual([])
  for (const path of ['none', 'k/none', `k/${moved[0]!.split('/').at(-1)}/more`])
    expect(() => stat(view, root, `/b/out@1/.snapshot/.objects/${path}`), path).toThrow(expect.objectContaining({ code: 'ENOENT' }))
  await replayed(bench)
})

test('keys with older versions are listed by the rights to their directory, its access control list among them', async () => {
  const opened = await open(undefined, { versions: 10 })
  const { bench } = opened
  await bench.do(mkdir, { path: '/b', mode: 0o777 })
  await bench.do(setVersioning, { path: '/b', state: 'Enabled' })
  await published(opened, mapOnly('/b/out'))
  for (const text of ['one', 'second']) await store(bench, 'out/k', text)
  await bench.do(setAttributes, { path: '/b/out', mode: 0o710, group: 'eve' })
  await bench.do(setAcl, { path: '/b/out', kind: 'modify', entries: ['user:bob:r-x', 'group::--x'] })
  const names = (user: typeof bob, directory: string) =>
    list(bench.journal.view, user, { path: `${directory}/.snapshot/.objects` }).entries.length
  for (const directory of ['/b/out', '/b/out@1']) {
    expect([directory, names(bob, directory)]).toEqual([directory, 1])
    // The bits of the mode for the group are the mask, and not what the group may do.
    expect(() => names(eve, directory), directory).toThrow(expect.objectContaining({ code: 'EACCES' }))
    if (directory === '/b/out') await published(opened, mapOnly('/b/out', true))
  }
})
