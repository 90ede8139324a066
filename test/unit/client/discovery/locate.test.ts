// Choice of the cluster that a command or `open` means, from files of a home in a temporary directory: a stopped, moved or unreadable
// cluster is named and never replaced by another.

import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { recordFailedUp } from '../../../../client/discovery/failedup.ts'
import { locate, parseAddress, portDefaults, stoppedCluster } from '../../../../client/discovery/locate.ts'
import { refuseLostNamenode } from '../../../../client/discovery/lostnamenode.ts'
import { planUp, type UpPlan } from '../../../../client/process/plan.ts'
import { readStarting } from '../../../../client/process/starting.ts'
import { readRemembered, remember } from '../../../../client/discovery/remembered.ts'
import { living, readCluster, readOwner, writeCluster, writeOwner, type Running } from '../../../../client/discovery/running.ts'
import type { SettingOrigin } from '../../../../src/base/config.ts'
import { address, clusterId } from '../../../../src/base/ids.ts'
import { settings, type SettingName, type Settings } from '../../../../src/base/settings.ts'
import { localDisk as disk } from '../../../../src/world/disk.ts'
import { localMachine as machine } from '../../../../src/world/machine.ts'

let home: string
beforeEach(async () => { home = await fs.mkdtemp(path.join(os.tmpdir(), 'gristmill-locate-')) })
afterEach(() => fs.rm(home, { recursive: true, force: true }))

const running = (born: string): Running => ({
  format: 1, namenode: address('127.0.0.1:7001'), cluster: clusterId('c1'), secretFile: '/up/secret', dir: '/up',
  processes: [{ role: 'namenode', id: 'n', address: address('127.0.0.1:7001'), pid: process.pid, born, dir: '/up/namenode' }],
})

const planOf = (given: Settings, flags: Record<string, unknown> = {}, cores = 2): Promise<UpPlan> =>
  planUp({ disk, cores }, { settings: given, flags, origins: new Map() })

/** A data directory, as a process leaves it. */
async function stamp(dir: string, cluster?: string): Promise<void> {
  await fs.mkdir(dir, { recursive: true })
  await fs.writeFile(`${dir}/gristmill.json`, JSON.stringify({ format: 1, role: 'any', id: 'any', cluster }))
}

test('with nothing said and nothing running it is the embedded one', async () => {
  expect(await locate({ disk, machine }, { home })).toEqual({ kind: 'embedded', dir: `${home}/embedded` })
})

test('a home whose cluster is stopped means that one, not the embedded one, as long as the home remembers it', async () => {
  await fs.mkdir(`${home}/cluster/namenode`, { recursive: true })
  // As an earlier version left it.
  expect(await locate({ disk, machine }, { home })).toEqual({ kind: 'stopped', dir: `${home}/cluster` })
  const dir = `${home}/elsewhere`
  await remember(disk, home, { format: 1, dir, ports: {}, said: {} })
  const away = (why: string) =>
    expect.objectContaining({ code: 'UNAVAILABLE', message: expect.stringContaining(`its data in ${dir}, and ${why}`) })
  await expect(locate({ disk, machine }, { home })).rejects.toEqual(away('that directory is not there'))
  // The mount point of a disk, and a file.
  await fs.mkdir(dir)
  await expect(locate({ disk, machine }, { home })).rejects.toEqual(away('that directory has no gristmill.json'))
  await fs.rmdir(dir)
  await fs.writeFile(dir, '')
  await expect(locate({ disk, machine }, { home })).rejects.toEqual(away('that is not a directory'))
  await fs.rm(dir)
  await stamp(dir)
  expect(await locate({ disk, machine }, { home })).toEqual({ kind: 'stopped', dir })
  // A directory that cannot be looked into is not one that is missing.
  const failing = { ...disk, stat: async (file: string) => { throw Object.assign(new Error('EIO'), { code: 'EIO', path: file }) } }
  await expect(locate({ disk: failing, machine }, { home })).rejects.toEqual(away('that directory cannot be read (EIO)'))
  expect(await locate({ disk, machine }, { home, cluster: 'embedded' })).toMatchObject({ kind: 'embedded' })
  expect(stoppedCluster('/d').message).toMatch(/gristmill up.*--cluster embedded/)
})

test('a home whose first `up` has failed means no embedded cluster that it does not have, unless the user asks for it', async () => {
  await recordFailedUp(disk, home, 'cannot use the directory /proc/nope')
  await expect(locate({ disk, machine }, { home })).rejects.toMatchObject({
    code: 'UNAVAILABLE', message: expect.stringMatching(/the last "gristmill up" has failed \(cannot use the directory \/proc\/nope\)/),
  })
  const embedded = { kind: 'embedded', dir: `${home}/embedded` }
  expect(await locate({ disk, machine }, { home, cluster: 'embedded' })).toEqual(embedded)
  await fs.mkdir(`${home}/embedded`)
  expect(await locate({ disk, machine }, { home })).toEqual(embedded)
})

test('a home that was moved names the cluster in it, which `up --dir` then starts', async () => {
  await stamp(`${home}/cluster`, 'c1')
  await remember(disk, home, { format: 1, dir: '/old/home/cluster', ports: {}, said: {} })
  const moved = { code: 'UNAVAILABLE', message: expect.stringContaining(`if this home was moved, start that one with "gristmill up --dir ${home}/cluster")`) }
  await expect(locate({ disk, machine }, { home })).rejects.toMatchObject(moved)
  await expect(planOf({ home })).rejects.toMatchObject(moved)
  expect(await planOf({ home, dir: [`${home}/cluster`] })).toMatchObject({ dir: `${home}/cluster` })
})

test('`up` makes no cluster where one has been, and says what it leaves behind', async () => {
  const plan = (dir?: string) => planOf({ home, ...dir !== undefined && { dir: [dir] } })
  const [first, second] = [`${home}/first`, `${home}/second`]
  await stamp(first)
  await remember(disk, home, { format: 1, dir: first, ports: { namenode: 7 }, said: { replication: '2' } })
  const { remembered, notes } = await plan(second)
  expect(remembered).toMatchObject({ dir: second, ports: {}, earlier: [first] })
  expect(notes.join()).toContain(`the previous one stays in ${first} and can be started with --dir ${first}`)
  await remember(disk, home, remembered)
  await stamp(second)
  expect((await plan(first)).remembered).toMatchObject({ dir: first, earlier: [second] })
  await fs.rename(first, `${home}/away`)
  await expect(plan(first)).rejects.toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining(`an earlier cluster of this home has its data in ${first}`) })
  await fs.rename(second, `${home}/away too`)
  for (const dir of [undefined, second])
    await expect(plan(dir)).rejects.toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining(`the cluster of this home has its data in ${second}`) })
  const third = await plan(`${home}/third`)
  expect(third.notes.join()).toContain('once it is back')
  expect(third.remembered.earlier).toEqual([second, first])
})

test('a data directory of `up` is known again under another path to it', async () => {
  const [first, second, link] = [`${home}/first`, `${home}/second`, `${home}/link`]
  await stamp(first)
  await fs.symlink(first, link)
  await remember(disk, home, { format: 1, dir: first, ports: { namenode: 7 }, said: { replication: '2' } })
  const again = await planOf({ home, dir: [link] })
  expect(again).toMatchObject({ dir: first, ports: { namenode: 7 }, remembered: { dir: first, said: { replication: '2' } } })
  expect(again.remembered.earlier).toBeUndefined()
  await stamp(second)
  await remember(disk, home, { format: 1, dir: second, ports: {}, said: {}, earlier: [first] })
  expect((await planOf({ home, dir: [link] })).remembered).toMatchObject({ dir: first, earlier: [second] })
  // The mount point of the first one's disk.
  await fs.rm(`${first}/gristmill.json`)
  await expect(planOf({ home, dir: [link] })).rejects.toMatchObject({
    message: expect.stringContaining(`earlier cluster of this home has its data in ${first}`),
  })
})

test('a namenode is not made anew beside datanodes that belong to one', async () => {
  const dir = `${home}/cluster`
  await stamp(dir)
  // A datanode that has never registered has no blocks.
  await stamp(`${dir}/datanode1`)
  await refuseLostNamenode(disk, dir)
  await stamp(`${dir}/datanode2`, 'c1')
  const refused = { code: 'CONFIG_INVALID', message: expect.stringMatching(/namenode holds no namenode, and .*datanode2 has blocks of cluster c1.*namenode recover/) }
  await expect(refuseLostNamenode(disk, dir)).rejects.toMatchObject(refused)
  // As a recovery without a backup, or a first start that failed, leaves it.
  await stamp(`${dir}/namenode`)
  await expect(refuseLostNamenode(disk, dir)).rejects.toMatchObject(refused)
  await expect(planOf({ home })).rejects.toMatchObject(refused)
  await stamp(`${dir}/namenode`, 'c1')
  await refuseLostNamenode(disk, dir)
  // A datanode whose directory is empty is begun anew, and the user is told.
  await remember(disk, home, { format: 1, dir, ports: { namenode: 7, datanode3: 8 }, said: {}, datanodes: 3 })
  expect((await planOf({ home })).notes.join()).toContain('datanode3 had data')
})

test('a cluster of `up` is taken while a process of it lives, and no longer', async () => {
  await writeCluster(disk, home, running(machine.born(process.pid)!))
  expect(await locate({ disk, machine }, { home })).toMatchObject({ kind: 'cluster', namenode: '127.0.0.1:7001', secretFile: '/up/secret' })
  await writeCluster(disk, home, running('another process that had this id'))
  expect(await locate({ disk, machine }, { home })).toMatchObject({ kind: 'embedded' })
  expect(living(machine, (await readCluster(disk, home))!)).toEqual([])
})

test('explicit settings win over a running cluster, and the secret belongs to the cluster that they name', async () => {
  await writeCluster(disk, home, running(machine.born(process.pid)!))
  expect(await locate({ disk, machine }, { home, cluster: 'embedded' })).toMatchObject({ kind: 'embedded' })
  expect(await locate({ disk, machine }, { home, cluster: 'gristmill://127.0.0.1:7001' })).toMatchObject({
    namenode: '127.0.0.1:7001', secretFile: '/up/secret',
  })
  expect(await locate({ disk, machine }, { home, cluster: 'other:7001' })).toMatchObject({
    namenode: 'other:7001', secretFile: `${home}/secret`, running: undefined,
  })
  expect(await locate({ disk, machine }, { home, cluster: 'other:7001', secretFile: '/s' })).toMatchObject({ secretFile: '/s' })
})

const unreadable = {
  '': 'it is empty', '{': 'not JSON', '[]': 'not a JSON object', null: 'not a JSON object',
  '{}': 'a field is missing', '{"format":1}': 'a field is missing', '{"format":2}': 'its format is 2',
}

test('a file of the home that cannot be read is named with the way on, and is never taken for none', async () => {
  const files = {
    'up.json': () => readRemembered(disk, home), 'cluster.json': () => readCluster(disk, home),
    'starting.json': () => readStarting(disk, machine, home),
  }
  for (const [name, read] of Object.entries(files)) {
    expect(await read(), name).toBeUndefined()
    for (const [text, why] of Object.entries(unreadable)) {
      await fs.writeFile(`${home}/${name}`, text)
      await expect(read(), `${name} ${text}`).rejects.toMatchObject({
        code: 'CONFIG_INVALID', message: expect.stringMatching(new RegExp(`^${home}/${name}, which records .* cannot be read: .*${why}.*; .+`)),
      })
    }
    await fs.rm(`${home}/${name}`)
    await fs.mkdir(`${home}/${name}`)
    await expect(read(), name).rejects.toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining('EISDIR') })
    await fs.rmdir(`${home}/${name}`)
  }
  for (const name of ['up.json', 'cluster.json']) {
    await fs.writeFile(`${home}/${name}`, '')
    await expect(locate({ disk, machine }, { home })).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    // A named cluster needs neither.
    expect(await locate({ disk, machine }, { home, cluster: 'other:7001' })).toMatchObject({ namenode: 'other:7001' })
    expect(await locate({ disk, machine }, { home, cluster: 'embedded' })).toMatchObject({ kind: 'embedded' })
    await fs.rm(`${home}/${name}`)
  }
})

test('the lock of an embedded cluster decides who owns it, whatever its file says', async () => {
  await writeOwner(disk, home, running('b'))
  expect(await readOwner(disk, home)).toMatchObject({ dir: '/up' })
  for (const text of Object.keys(unreadable)) {
    await fs.writeFile(`${home}/embedded.json`, text)
    expect(await readOwner(disk, home), text).toBeUndefined()
  }
})

test('addresses are read with and without scheme and port', () => {
  expect(['namenode', 'namenode:1', 'gristmill://n.example:9', 'http://10.0.0.1:8620/', '[::1]:5', ' a-b_c '].map(parseAddress))
    .toEqual(['namenode:8620', 'namenode:1', 'n.example:9', '10.0.0.1:8620', '[::1]:5', 'a-b_c:8620'])
  for (const bad of ['', 'not an address', 'a:b', 'a:70000', 'a:0', 'https://a:1', 'a/b', 'user@host:1']) {
    expect(() => parseAddress(bad), bad).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
  }
})

test('no default port is one that `up` gives to its datanodes', async () => {
  const { namenode, datanode, ...others } = portDefaults
  expect(datanode).toBe(namenode + 1)
  const datanodesMax = 64
  expect(() => settings.datanodes.parse(String(datanodesMax + 1))).toThrow()
  for (const [name, port] of Object.entries(others))
    expect([name, port < namenode || port > namenode + datanodesMax]).toEqual([name, true])
  expect(new Set(Object.values(portDefaults)).size).toBe(Object.keys(portDefaults).length)
})

test('two servers of one command with the same port are refused before `up` remembers them', async () => {
  const twice = { home, gateway: true, s3: 9_000, console: 9_000 }
  await expect(planOf(twice)).rejects.toThrow('--s3 and --console name the same port, 9000')
  const alone = { ...twice, gateway: false, console: undefined }
  await expect(planOf(alone, { s3: '9000' })).rejects.toThrow('--s3 names a port of a gateway, and "up" starts none; give --gateway, too')
  await expect(planOf({ ...twice, gateway: false })).resolves.toBeDefined()
})

test('options of `up` are remembered once the cluster is ready, and until then those of the last time', async () => {
  const dir = `${home}/first`
  await stamp(dir)
  await remember(disk, home, { format: 1, dir, ports: {}, datanodes: 3, said: { replication: '2' } })
  const given = { gateway: true, console: 9_000, datanodes: 2 }
  const { begun, remembered } = await planOf({ home, ...given }, given)
  expect(begun).toEqual({ format: 1, dir, ports: {}, datanodes: 3, said: { replication: '2' } })
  expect(remembered).toMatchObject({ dir, datanodes: 2, said: { replication: '2', gateway: 'true', console: '9000' } })
})

test('options of an earlier `up` hold over variables and the settings file, as options do, until they are given again', async () => {
  const dir = `${home}/first`
  await stamp(dir)
  await remember(disk, home, { format: 1, dir, ports: {}, said: { replication: '2', datanodes: '4', logLevel: 'debug', port: '9000' } })
  const given = { home, replication: 1, datanodes: 2, port: 8_000, trashKeep: 7, blockSize: 512 }
  const file = { kind: 'file', name: '/config.json' } as const
  const origins = new Map<SettingName, SettingOrigin>([
    ['replication', file], ['datanodes', file], ['port', file], ['trashKeep', file],
    ['blockSize', { kind: 'variable', name: 'GRISTMILL_BLOCK_SIZE' }],
  ])
  const plan = await planUp({ disk, cores: 2 }, { settings: given, flags: {}, origins })
  expect(plan.settings).toMatchObject({ replication: 2, logLevel: 'debug', trashKeep: 7 })
  // Another port than that of the last time is not asked for.
  expect([plan.datanodes.length, plan.settings.port]).toEqual([4, undefined])
  expect(plan.origins).toEqual({
    replication: 'up --replication', logLevel: 'up --log-level', trashKeep: 'file /config.json', blockSize: 'GRISTMILL_BLOCK_SIZE',
  })
  expect(plan.notes).toContain('--replication 2 of an earlier "up" is in effect, and not 1 (file /config.json); give --replication again to change it')
  const equal = await planUp({ disk, cores: 2 }, { settings: { ...given, replication: 2 }, flags: {}, origins })
  expect(equal.notes.filter(note => note.startsWith('--replication'))).toEqual([])
  const again = await planUp({ disk, cores: 2 }, { settings: { ...given, replication: 3 }, flags: { replication: 3, logKeep: 2 }, origins })
  expect(again.settings.replication).toBe(3)
  expect(again.remembered.said).toMatchObject({ replication: '3', logLevel: 'debug', datanodes: '4' })
})

test('the datanodes of `up` share the processor, unless their slots are given', async () => {
  const slots = async (cores: number, datanodes: number, given?: number) =>
    (await planOf({ home, datanodes, ...given !== undefined && { slots: given } }, {}, cores)).settings.slots
  expect(await Promise.all([slots(8, 3), slots(2, 3), slots(2, 1), slots(8, 3, 5), slots(8, 3, 0)])).toEqual([2, 1, 2, 5, 0])
})

test('of fewer datanodes than there were, those with blocks are started', async () => {
  for (const name of ['datanode2', 'datanode3']) {
    await stamp(`${home}/cluster/${name}`, 'c')
    await fs.mkdir(`${home}/cluster/${name}/blocks/00`, { recursive: true })
    await fs.writeFile(`${home}/cluster/${name}/blocks/00/1`, '')
  }
  await stamp(`${home}/cluster/namenode`, 'c')
  const datanodesOf = async (datanodes: number) => (await planOf({ home, datanodes }, { datanodes })).datanodes
  expect(await datanodesOf(2)).toEqual(['datanode2', 'datanode3'])
  expect(await datanodesOf(3)).toEqual(['datanode1', 'datanode2', 'datanode3'])
  expect(await datanodesOf(1)).toEqual(['datanode2', 'datanode3'])
})

test('a remembered value that is out of bounds now is named, with the option that replaces it', async () => {
  await stamp(`${home}/cluster`, 'c')
  await stamp(`${home}/cluster/namenode`, 'c')
  await remember(disk, home, { format: 1, dir: `${home}/cluster`, ports: {}, said: { blockSize: '1' } })
  await expect(planOf({ home })).rejects.toMatchObject({
    code: 'CONFIG_INVALID', message: expect.stringMatching(/^--block-size of an earlier "up": "1" is not from 512 bytes .* give --block-size/),
  })
  expect((await planOf({ home, blockSize: 2 ** 20 }, { blockSize: '1MiB' })).settings.blockSize).toBe(2 ** 20)
})
