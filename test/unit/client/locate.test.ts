import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { locate, parseAddress, stoppedCluster } from '../../../client/locate.ts'
import { remember } from '../../../client/remembered.ts'
import { clusterFile, living, readRunning, writeRunning, type Running } from '../../../client/running.ts'
import { address, clusterId } from '../../../src/base/ids.ts'
import { localDisk as disk } from '../../../src/world/disk.ts'
import { localMachine as machine } from '../../../src/world/machine.ts'

let home: string
beforeEach(async () => { home = await fs.mkdtemp(path.join(os.tmpdir(), 'gristmill-locate-')) })
afterEach(() => fs.rm(home, { recursive: true, force: true }))

const running = (born: string): Running => ({
  format: 1, namenode: address('127.0.0.1:7001'), cluster: clusterId('c1'), secretFile: '/up/secret', dir: '/up',
  processes: [{ role: 'namenode', id: 'n', address: address('127.0.0.1:7001'), pid: process.pid, born, dir: '/up/namenode' }],
})

test('with nothing said and nothing running it is the embedded one', async () => {
  expect(await locate({ disk, machine }, { home })).toEqual({ kind: 'embedded', dir: `${home}/embedded` })
})

test('a home whose cluster is stopped means that one, not the embedded one, until its directory is removed', async () => {
  await fs.mkdir(`${home}/cluster/namenode`, { recursive: true })
  // As an earlier version left it.
  expect(await locate({ disk, machine }, { home })).toEqual({ kind: 'stopped', dir: `${home}/cluster` })
  await remember(disk, home, { format: 1, dir: `${home}/elsewhere`, ports: {}, said: {} })
  expect(await locate({ disk, machine }, { home })).toEqual({ kind: 'embedded', dir: `${home}/embedded` })
  await fs.mkdir(`${home}/elsewhere`)
  expect(await locate({ disk, machine }, { home })).toEqual({ kind: 'stopped', dir: `${home}/elsewhere` })
  expect(await locate({ disk, machine }, { home, cluster: 'embedded' })).toMatchObject({ kind: 'embedded' })
  expect(stoppedCluster('/d').message).toMatch(/gristmill up.*--cluster embedded/)
})

test('a cluster of `up` is taken while a process of it lives, and no longer', async () => {
  await writeRunning(disk, clusterFile(home), running(machine.born(process.pid)!))
  expect(await locate({ disk, machine }, { home })).toMatchObject({ kind: 'cluster', namenode: '127.0.0.1:7001', secretFile: '/up/secret' })
  await writeRunning(disk, clusterFile(home), running('another process that had this id'))
  expect(await locate({ disk, machine }, { home })).toMatchObject({ kind: 'embedded' })
  expect(living(machine, (await readRunning(disk, clusterFile(home)))!)).toEqual([])
})

test('explicit settings win over a running cluster, and the secret belongs to the cluster that they name', async () => {
  await writeRunning(disk, clusterFile(home), running(machine.born(process.pid)!))
  expect(await locate({ disk, machine }, { home, cluster: 'embedded' })).toMatchObject({ kind: 'embedded' })
  expect(await locate({ disk, machine }, { home, cluster: 'gristmill://127.0.0.1:7001' })).toMatchObject({
    namenode: '127.0.0.1:7001', secretFile: '/up/secret',
  })
  expect(await locate({ disk, machine }, { home, cluster: 'other:7001' })).toMatchObject({
    namenode: 'other:7001', secretFile: `${home}/secret`, running: undefined,
  })
  expect(await locate({ disk, machine }, { home, cluster: 'other:7001', secretFile: '/s' })).toMatchObject({ secretFile: '/s' })
})

test('a file that is not ours counts as nothing running', async () => {
  for (const text of ['', '{}', '[]', 'null', '{"format":2}']) {
    await fs.writeFile(clusterFile(home), text)
    expect(await readRunning(disk, clusterFile(home)), text).toBeUndefined()
  }
})

test('addresses are read with and without scheme and port', () => {
  expect(['namenode', 'namenode:1', 'gristmill://n.example:9', 'http://10.0.0.1:8620/', '[::1]:5', ' a-b_c '].map(parseAddress))
    .toEqual(['namenode:8620', 'namenode:1', 'n.example:9', '10.0.0.1:8620', '[::1]:5', 'a-b_c:8620'])
  for (const bad of ['', 'not an address', 'a:b', 'a:70000', 'a:0', 'https://a:1', 'a/b', 'user@host:1']) {
    expect(() => parseAddress(bad), bad).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
  }
})
