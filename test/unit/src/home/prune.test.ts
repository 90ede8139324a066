// Removal of old bundles and other cached entries, in a temporary directory: the oldest go first, beyond a count or a size, and entries in
// use stay.

import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Plans } from '../../../../client/load/plans.ts'
import { prune } from '../../../../src/home/prune.ts'
import type { Disk } from '../../../../src/ports/disk.ts'
import { silent } from '../../../../src/ports/log.ts'
import { localDisk as disk } from '../../../../src/world/disk.ts'

let dir: string
beforeEach(async () => { dir = await mkdtemp(join(tmpdir(), 'gristmill-prune-')) })
afterEach(() => rm(dir, { recursive: true, force: true }))

/** The first is the oldest. */
async function fill(entries: Readonly<Record<string, number>>): Promise<void> {
  for (const [i, [name, bytes]] of Object.entries(entries).entries()) {
    const path = join(dir, name)
    if (name.endsWith('.assets')) {
      await mkdir(join(path, 'below'), { recursive: true })
      await writeFile(join(path, 'below', 'file'), 'x'.repeat(bytes))
    } else await writeFile(path, 'x'.repeat(bytes))
    await utimes(path, 1000 + i, 1000 + i)
  }
}
const left = async (): Promise<string[]> => (await readdir(dir)).sort()

test('the oldest entries beyond the count limit are removed, whatever their size', async () => {
  await fill({ c: 1, 'b.assets': 1, a: 1, d: 1 })
  await prune({ disk, log: silent }, dir, { entries: 2 })
  expect(await left()).toEqual(['a', 'd'])
  await prune({ disk, log: silent }, join(dir, 'nowhere'), { entries: 2, bytes: 1 })
})

test('the oldest entries beyond the byte limit are removed, and files in directories count', async () => {
  await fill({ a: 10, 'b.assets': 500, c: 10, d: 100 })
  await prune({ disk, log: silent }, dir, { entries: 100, bytes: 620 })
  expect(await left()).toEqual(['a', 'b.assets', 'c', 'd'])
  await prune({ disk, log: silent }, dir, { entries: 100, bytes: 615 })
  expect(await left()).toEqual(['b.assets', 'c', 'd'])
  await prune({ disk, log: silent }, dir, { entries: 100, bytes: 150 })
  expect(await left()).toEqual(['c', 'd'])
})

test('entries in use are kept', async () => {
  await fill({ a: 10, 'a.assets': 100, b: 10, c: 10 })
  await prune({ disk, log: silent }, dir, { entries: 1, bytes: 10, keep: name => name.startsWith('a') })
  expect(await left()).toEqual(['a', 'a.assets'])
})

test('an entry that cannot be removed is logged and keeps no other one, and no newer entry is removed in its place', async () => {
  await fill({ a: 10, 'b.assets': 500, c: 10, d: 10 })
  const told: unknown[] = []
  const room = (broken: Partial<Disk>) => ({
    disk: { ...disk, ...broken },
    log: {
      ...silent,
      warn: (_: string, fields: unknown) => {
        told.push(fields)
      },
    },
  })
  const removeTree = async (path: string): Promise<void> => {
    if (path.endsWith('.assets')) throw Object.assign(new Error('not ours'), { code: 'EACCES' })
    await disk.removeTree(path)
  }
  await prune(room({ removeTree }), dir, { entries: 2 })
  expect(await left()).toEqual(['b.assets', 'c', 'd'])
  await prune(room({ removeTree }), dir, { entries: 100, bytes: 25 })
  expect(await left()).toEqual(['b.assets', 'c', 'd'])
  await prune(room({ list: async () => { throw new Error('no') } }), dir, { entries: 2 })
  expect(told).toEqual([
    ...[1, 2].map(() => ({ directory: dir, entries: 1, first: 'b.assets', error: expect.objectContaining({ message: 'not ours' }) })),
    { directory: dir, error: expect.objectContaining({ message: 'no' }) },
  ])
})

test('bundles are looked at with the first of each so many programs, and those that are being loaded are known', async () => {
  const plans = new Plans()
  expect(Array.from({ length: 7 }, () => plans.begin(3))).toEqual([true, false, false, true, false, false, true])
  await plans.using('a', async () => {
    await expect(plans.using('a', async () => { throw new Error('no') })).rejects.toThrow('no')
    expect([plans.isUsed('a'), plans.isUsed('b')]).toEqual([true, false])
  })
  expect(plans.isUsed('a')).toBe(false)
})

test('plans of programs are remembered for the last hundred, and so are their files', () => {
  const plans = new Plans()
  for (let i = 0; i < 150; i++) plans.put(`/p${i}.ts`, `key ${i}`, {} as never)
  expect([plans.knows('/p49.ts'), plans.knows('/p50.ts'), plans.get('key 49'), plans.get('key 50')]).toEqual([false, true, undefined, {}])
})
