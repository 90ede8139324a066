import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { clusterId } from '../../../src/base/ids.ts'
import { openHome } from '../../../src/home/home.ts'
import { loadOrCreateSecret, loadSecret } from '../../../src/home/secret.ts'
import { localDisk } from '../../../src/world/disk.ts'
import { seeded } from '../../../src/world/random.ts'

const world = { disk: localDisk, random: seeded(1) }
const ours = clusterId('cluster-a')
let dir: string

beforeEach(async () => { dir = await mkdtemp(join(tmpdir(), 'gristmill-home-')) })
afterEach(async () => { await rm(dir, { recursive: true, force: true }) })

test('a fresh directory is stamped, and is the same one when it is opened again', async () => {
  const first = await openHome(world, join(dir, 'new'), { role: 'datanode' })
  expect(first.id).toMatch(/^datanode-[0-9a-f]{12}$/)
  expect(first.cluster).toBeUndefined()
  await first.stamp(ours)
  await first.release()
  const second = await openHome(world, join(dir, 'new'), { role: 'datanode', cluster: ours })
  expect(second.id).toBe(first.id)
  expect(second.cluster).toBe(ours)
  await second.release()
})

test('a directory in use is refused, and is free again after its release', async () => {
  const first = await openHome(world, dir, { role: 'namenode' })
  await expect(openHome(world, dir, { role: 'namenode' })).rejects.toMatchObject({ code: 'DIR_IN_USE', message: expect.stringContaining(dir) })
  await first.release()
  await (await openHome(world, dir, { role: 'namenode' })).release()
})

test('a directory of another role, node or cluster is refused and stays as it was', async () => {
  const home = await openHome(world, dir, { role: 'datanode', cluster: ours })
  await home.release()
  const before = await readFile(join(dir, 'gristmill.json'), 'utf8')
  await expect(openHome(world, dir, { role: 'namenode' })).rejects.toMatchObject({ code: 'DIR_FOREIGN' })
  await expect(openHome(world, dir, { role: 'datanode', id: 'datanode-other' })).rejects.toMatchObject({ code: 'DIR_FOREIGN' })
  await expect(openHome(world, dir, { role: 'datanode', cluster: clusterId('cluster-b') })).rejects.toMatchObject({ code: 'DIR_FOREIGN', message: expect.stringContaining('cluster-b') })
  expect(await readFile(join(dir, 'gristmill.json'), 'utf8')).toBe(before)
  await (await openHome(world, dir, { role: 'datanode' })).release() // a refusal keeps no lock
})

test("a directory with somebody else's files is not taken over", async () => {
  await writeFile(join(dir, 'thesis.tex'), 'mine')
  await expect(openHome(world, dir, { role: 'namenode' })).rejects.toMatchObject({ code: 'DIR_FOREIGN', message: expect.stringContaining('thesis.tex') })
})

test('a stamp that cannot be understood is refused', async () => {
  await writeFile(join(dir, 'gristmill.json'), '{"format":2}')
  await expect(openHome(world, dir, { role: 'namenode' })).rejects.toMatchObject({ code: 'DIR_FOREIGN' })
})

test('a secret is made once with mode 0600, and refused when short or open to others', async () => {
  const path = join(dir, 'secret')
  await expect(loadSecret(world.disk, path)).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  const secret = await loadOrCreateSecret(world, path)
  expect(secret.length).toBe(64)
  expect(await loadOrCreateSecret(world, path)).toEqual(secret)
  await chmod(path, 0o644)
  await expect(loadSecret(world.disk, path)).rejects.toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining('chmod 600') })
  await chmod(path, 0o600)
  await writeFile(path, 'short')
  await expect(loadSecret(world.disk, path)).rejects.toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining('at least 32') })
})
