// Data directories and secrets in temporary directories: each is private, locked by one process, tied to one role and cluster, and never
// overwritten when it cannot be read.

import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { clusterId } from '../../../../src/base/ids.ts'
import { openHome, stampName } from '../../../../src/home/home.ts'
import { loadOrCreateSecrets, loadSecrets } from '../../../../src/home/secret.ts'
import { localDisk as disk } from '../../../../src/world/disk.ts'
import { systemRandom } from '../../../../src/world/random.ts'

const world = { disk, random: systemRandom() }
let base: string
beforeEach(async () => { base = await fs.mkdtemp(path.join(os.tmpdir(), 'gristmill-home-')) })
afterEach(() => fs.rm(base, { recursive: true, force: true }))

test('a fresh directory gets an id that stays, and is private', async () => {
  const dir = path.join(base, 'deep', 'data')
  const first = await openHome(world, dir, { role: 'datanode' })
  expect(first.id).toMatch(/^datanode-[0-9a-f]{12}$/)
  expect(first.cluster).toBeUndefined()
  await first.release()
  const again = await openHome(world, dir, { role: 'datanode' })
  expect(again.id).toBe(first.id)
  await again.release()
  expect((await fs.stat(dir)).mode & 0o777).toBe(0o700)
  expect((await fs.stat(path.join(dir, stampName))).mode & 0o777).toBe(0o600)
})

test('a directory that is in use is refused until it is released', async () => {
  const dir = path.join(base, 'data')
  const first = await openHome(world, dir, { role: 'namenode', cluster: clusterId('c1') })
  await expect(openHome(world, dir, { role: 'namenode' })).rejects.toMatchObject({
    code: 'DIR_IN_USE', message: expect.stringContaining(`another process (${process.pid}) uses the directory ${dir}`),
    details: { dir, pid: process.pid },
  })
  await first.release()
  await (await openHome(world, dir, { role: 'namenode' })).release()
})

test('its owner removes files that a killed process has not finished, and no others', async () => {
  const dir = path.join(base, 'data')
  await (await openHome(world, dir, { role: 'datanode' })).release()
  const names = ['.epoch.json.77.7.tmp', `.epoch.json.${process.pid}.1.tmp`, '.epoch.json.tmp', 'epoch.json.77.7.tmp']
  for (const name of names) await fs.writeFile(path.join(dir, name), '{')
  await fs.mkdir(path.join(dir, '.d.1.1.tmp'))
  const before = await fs.readdir(dir)
  await (await openHome(world, dir, { role: 'datanode' })).release()
  expect(await fs.readdir(dir)).toEqual(before.filter(name => !names.slice(0, 2).includes(name)))
})

test('a directory is tied to its first cluster for good', async () => {
  const dir = path.join(base, 'data')
  const home = await openHome(world, dir, { role: 'datanode' })
  await home.stamp(clusterId('c1'))
  await home.stamp(clusterId('c1'))
  await expect(home.stamp(clusterId('c2'))).rejects.toMatchObject({ code: 'DIR_FOREIGN' })
  await home.release()
  await expect(openHome(world, dir, { role: 'datanode', cluster: clusterId('c2') })).rejects.toMatchObject({
    code: 'DIR_FOREIGN', message: expect.stringMatching(/c1.*c2/),
  })
  const again = await openHome(world, dir, { role: 'datanode', cluster: clusterId('c1') })
  expect(again.cluster).toBe('c1')
  await again.release()
})

test('another role or another id is refused, and the lock is not kept', async () => {
  const dir = path.join(base, 'data')
  await (await openHome(world, dir, { role: 'datanode', id: 'node-1' })).release()
  await expect(openHome(world, dir, { role: 'namenode' })).rejects.toMatchObject({
    code: 'DIR_FOREIGN',
    message: expect.stringMatching(/datanode.*namenode/),
  })
  await expect(openHome(world, dir, { role: 'datanode', id: 'node-2' })).rejects.toMatchObject({ code: 'DIR_FOREIGN' })
  await (await openHome(world, dir, { role: 'datanode', id: 'node-1' })).release()
})

test('a directory with foreign files is refused and left as it is', async () => {
  const dir = path.join(base, 'photos')
  await fs.mkdir(dir)
  await fs.writeFile(path.join(dir, 'holiday.jpg'), 'x')
  await expect(openHome(world, dir, { role: 'datanode' })).rejects.toMatchObject({
    code: 'DIR_FOREIGN', message: expect.stringContaining('holiday.jpg'),
  })
  expect((await fs.readdir(dir)).filter(name => !name.startsWith('lock'))).toEqual(['holiday.jpg'])
})

test('a stamp that cannot be understood is refused, never replaced', async () => {
  const dir = path.join(base, 'data')
  await fs.mkdir(dir)
  for (const text of ['', '{', '{"format":2,"role":"datanode","id":"x"}', 'null']) {
    await fs.writeFile(path.join(dir, stampName), text)
    await expect(openHome(world, dir, { role: 'datanode' }), text).rejects.toMatchObject({ code: 'DIR_FOREIGN' })
    expect(await fs.readFile(path.join(dir, stampName), 'utf8')).toBe(text)
  }
})

test('a directory that cannot be made is refused with the system\'s reason', async () => {
  await fs.writeFile(path.join(base, 'file'), '')
  await expect(openHome(world, path.join(base, 'file', 'data'), { role: 'datanode' })).rejects.toMatchObject({
    code: 'EACCES', message: expect.stringContaining('ENOTDIR'),
  })
})

test('a secret is made once, private, and read back', async () => {
  const file = path.join(base, 'secret')
  const made = await loadOrCreateSecrets(world, file)
  expect(made.secret.length).toBe(64)
  expect((await fs.stat(file)).mode & 0o777).toBe(0o600)
  expect(await loadOrCreateSecrets(world, file)).toEqual(made)
  expect(await loadSecrets(disk, file)).toEqual(made)
})

test('a secret that is missing, short, a link, or open to others is refused', async () => {
  const file = path.join(base, 'secret')
  await expect(loadSecrets(disk, file)).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringContaining('there is no secret file'),
  })
  await fs.writeFile(file, `${'a'.repeat(31)}\n`, { mode: 0o600 })
  await expect(loadSecrets(disk, file)).rejects.toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining('31 bytes') })
  await fs.writeFile(file, 'a'.repeat(32))
  expect((await loadSecrets(disk, file)).secret.length).toBe(32)
  await fs.chmod(file, 0o640)
  await expect(loadSecrets(disk, file)).rejects.toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining('mode 640') })
  await fs.chmod(file, 0o600)
  await fs.symlink(file, path.join(base, 'link'))
  await expect(loadSecrets(disk, path.join(base, 'link'))).rejects.toMatchObject({
    code: 'CONFIG_INVALID', message: expect.stringContaining('not a file'),
  })
})

test('a second secret lies beside the first one while that is changed, and is checked like it', async () => {
  const file = path.join(base, 'secret')
  await fs.writeFile(file, 'a'.repeat(32), { mode: 0o600 })
  await fs.writeFile(`${file}.other`, 'b'.repeat(32), { mode: 0o600 })
  expect(await loadSecrets(disk, file)).toEqual({ secret: Buffer.from('a'.repeat(32)), otherSecret: Buffer.from('b'.repeat(32)) })
  await fs.chmod(`${file}.other`, 0o644)
  await expect(loadSecrets(disk, file)).rejects.toMatchObject({
    code: 'CONFIG_INVALID', message: expect.stringContaining(`chmod 600 ${file}.other`),
  })
  await fs.chmod(`${file}.other`, 0o600)
  await fs.writeFile(`${file}.other`, 'short')
  await expect(loadSecrets(disk, file)).rejects.toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining('5 bytes') })
  await fs.writeFile(`${file}.other`, `${'a'.repeat(32)}\n`)
  expect(await loadSecrets(disk, file)).toEqual({ secret: Buffer.from('a'.repeat(32)) })
})
