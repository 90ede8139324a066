// Settings in effect and their sources, for a home without a cluster, one whose cluster is stopped, and one whose servers run.

import { expect, test } from 'vitest'
import { entryLines, serverParagraphs } from '../../../../client/cli/cluster/config.ts'
import { effectiveConfig, withLevels, type ConfigEntry, type EffectiveConfig } from '../../../../client/process/config.ts'
import { notYetInEffect } from '../../../../client/process/held.ts'
import { findSettings } from '../../../../client/discovery/readsettings.ts'
import { remember } from '../../../../client/discovery/remembered.ts'
import { writeCluster } from '../../../../client/discovery/running.ts'
import { address, clusterId } from '../../../../src/base/ids.ts'
import type { Machine } from '../../../../src/ports/machine.ts'
import { MemoryDisk } from '../../../kit/memory-disk.ts'

interface Given { flags?: Record<string, unknown>; env?: Record<string, string> }

async function configOf(disk: MemoryDisk, { flags = {}, env = {} }: Given = {}): Promise<EffectiveConfig> {
  const machine = {
    environment: env, workingDirectory: '/cwd', userDirectory: '/home/ada', user: 'ada', hostName: 'mill', cores: 4,
    memoryBytes: 8 * 2 ** 30,
    born: (pid: number) => (pid < 10 ? String(pid) : undefined),
  } as unknown as Machine
  return effectiveConfig({ disk, machine }, await findSettings({ disk, machine }, flags))
}

const entry = (entries: readonly ConfigEntry[] | undefined, name: string): ConfigEntry | undefined =>
  entries?.find(one => one.name === name)

const home = '/home/ada/.gristmill'

test('option, variable, file and default are told apart, the strongest first', async () => {
  const disk = new MemoryDisk()
  await disk.writeFileDurable(`${home}/config.json`, Buffer.from('{ "user": "bo", "hostName": "other", "logKeep": 7 }'))
  const { client, file, isFilePresent } = await configOf(disk, {
    flags: { cluster: 'namenode:8620' }, env: { GRISTMILL_USER: 'cleo', GRISTMILL_CLUSTER: 'elsewhere:1' },
  })
  expect([file, isFilePresent]).toEqual([`${home}/config.json`, true])
  expect(entry(client, 'cluster')).toEqual({ name: 'cluster', value: 'namenode:8620', from: '--cluster' })
  expect(entry(client, 'user')).toEqual({ name: 'user', value: 'cleo', from: 'GRISTMILL_USER' })
  expect(entry(client, 'hostName')).toEqual({ name: 'hostName', value: 'other', from: `file ${home}/config.json` })
  expect(entry(client, 'logKeep')).toEqual({ name: 'logKeep', value: 7, from: `file ${home}/config.json` })
  expect(entry(client, 'home')).toEqual({ name: 'home', value: home, from: 'default' })
  expect(entry(client, 'debug')).toEqual({ name: 'debug', value: false, from: 'default' })
  // A setting of servers alone has no effect on a command.
  expect(entry(client, 'scrubRate')).toBeUndefined()
})

test('without a cluster the embedded one is named, with the settings that it would get', async () => {
  const { client, servers, isFilePresent } = await configOf(new MemoryDisk(), { env: { GRISTMILL_BLOCK_SIZE: '1MiB' } })
  expect(isFilePresent).toBe(false)
  expect(entry(client, 'cluster')).toEqual({ name: 'cluster', value: 'embedded', from: 'default' })
  expect(servers.map(({ name }) => name)).toEqual(['embedded'])
  expect(entry(servers[0]!.settings, 'blockSize')).toEqual({ name: 'blockSize', value: 1 << 20, from: 'GRISTMILL_BLOCK_SIZE' })
  expect(entry(servers[0]!.settings, 'replication')).toEqual({ name: 'replication', value: 1, from: 'default' })
  expect(entry(servers[0]!.settings, 'port')).toBeUndefined()
})

test('a stopped cluster, and one of other machines, are named with the reason why their servers are not listed', async () => {
  const disk = new MemoryDisk()
  await disk.writeFileDurable('/data/gristmill.json', Buffer.from('{}'))
  await remember(disk, home, { format: 1, dir: '/data', ports: {}, said: {} })
  const stopped = await configOf(disk)
  expect(entry(stopped.client, 'cluster')).toEqual({ name: 'cluster', text: 'the cluster in /data, which does not run', from: 'up' })
  expect([stopped.servers, stopped.notes]).toEqual([[], [expect.stringMatching(/does not run: "gristmill up --detach"/)]])
  const remote = await configOf(disk, { flags: { cluster: 'namenode:8620' } })
  expect([remote.servers, remote.notes]).toEqual([[], [expect.stringMatching(/^the servers of namenode:8620 were not started by "up"/)]])
})

test('servers of up show what they were given, by an option of up, by up itself, or by default', async () => {
  const disk = new MemoryDisk()
  await disk.writeFileDurable('/data/gristmill.json', Buffer.from('{}'))
  await remember(disk, home, { format: 1, dir: '/data', ports: {}, said: { trashKeep: '7200000' } })
  const server = (role: 'namenode' | 'datanode', name: string, pid: number) =>
    ({ role, id: name, address: address(`127.0.0.1:86${20 + pid}`), pid, born: String(pid), dir: `/data/${name}` })
  await writeCluster(disk, home, {
    format: 1, namenode: address('127.0.0.1:8621'), cluster: clusterId('c1'), secretFile: '/data/secret', dir: '/data',
    processes: [
      server('namenode', 'namenode', 1), server('datanode', 'datanode1', 2), server('datanode', 'datanode2', 3),
      server('datanode', 'datanode3', 12),
    ],
  })
  const ready = (name: string, settings: object): Promise<void> =>
    disk.writeFileDurable(`/data/log/${name}.ready`, Buffer.from(`noise\n${JSON.stringify({ role: 'x', settings })}\n`))
  await ready('namenode', { port: 8621, trashKeep: 7_200_000 })
  await ready('datanode1', { port: 8622, slots: 2 })
  await disk.writeFileDurable('/data/log/datanode2.ready', Buffer.from('{"role":"datanode"}\n'))
  const { client, servers, notes } = await configOf(disk)
  expect(notes).toEqual([])
  expect(entry(client, 'cluster')).toEqual({ name: 'cluster', value: '127.0.0.1:8621', from: 'up' })
  expect(entry(client, 'secretFile')).toEqual({ name: 'secretFile', value: '/data/secret', from: 'up' })
  // datanode3 has ended.
  expect(servers.map(({ name, address: at }) => [name, at])).toEqual([
    ['namenode', '127.0.0.1:8621'], ['datanode1', '127.0.0.1:8622'], ['datanode2', '127.0.0.1:8623'],
  ])
  expect(entry(servers[0]!.settings, 'trashKeep')).toEqual({ name: 'trashKeep', value: 7_200_000, from: 'up --trash-keep' })
  expect(entry(servers[0]!.settings, 'port')).toEqual({ name: 'port', value: 8621, from: 'up' })
  expect(entry(servers[0]!.settings, 'leaseSoft')).toEqual({ name: 'leaseSoft', text: '30s', from: 'default' })
  expect(entry(servers[1]!.settings, 'slots')).toEqual({ name: 'slots', value: 2, from: 'up' })
  // Defaults that are computed are shown as what they are: with two of the machine's four cores, half of its memory is shared out.
  expect(entry(servers[0]!.settings, 'nodeStale')).toEqual({ name: 'nodeStale', value: 3000, from: 'default' })
  expect(entry(servers[1]!.settings, 'nodeMemory')).toEqual({ name: 'nodeMemory', value: 3 * 2 ** 30, from: 'default' })
  expect(entry(servers[1]!.settings, 'drives')).toEqual({ name: 'drives', value: 4, from: 'default' })
  expect(servers[2]!.settings).toBeUndefined()
})

test('servers of up show the sources that up has recorded for them, and the levels that their logs have now', async () => {
  const disk = new MemoryDisk()
  await disk.writeFileDurable('/data/gristmill.json', Buffer.from('{}'))
  // As remembered since the namenode was started.
  await remember(disk, home, { format: 1, dir: '/data', ports: {}, said: { replication: '2' } })
  await writeCluster(disk, home, {
    format: 1, namenode: address('127.0.0.1:8621'), cluster: clusterId('c1'), secretFile: '/data/secret', dir: '/data',
    processes: [{
      role: 'namenode', id: 'n', address: address('127.0.0.1:8621'), pid: 1, born: '1', dir: '/data/namenode',
      origins: { replication: `file ${home}/config.json`, blockSize: 'GRISTMILL_BLOCK_SIZE' },
    }],
  })
  await disk.writeFileDurable('/data/log/namenode.ready', Buffer.from('{"settings":{"port":8621,"replication":1,"blockSize":512}}\n'))
  const { servers } = await configOf(disk)
  expect(['replication', 'blockSize', 'port'].map(name => entry(servers[0]!.settings, name)?.from)).toEqual([
    `file ${home}/config.json`, 'GRISTMILL_BLOCK_SIZE', 'up',
  ])
  const level = (logLevel?: 'debug' | 'info'): ConfigEntry | undefined => entry(withLevels(servers, [
    { role: 'namenode', id: 'namenode', address: address('127.0.0.1:8621'), version: '1', ...logLevel && { logLevel } },
  ])[0]!.settings, 'logLevel')
  expect(level('debug')).toEqual({ name: 'logLevel', value: 'debug', from: 'gristmill loglevel' })
  expect([level('info'), level()]).toEqual(Array.from({ length: 2 }, () => ({ name: 'logLevel', value: 'info', from: 'default' })))
})

test('what `up` is given for a process that runs already is told, if the process has another value', async () => {
  const disk = new MemoryDisk()
  const machine = { born: (pid: number) => (pid < 10 ? String(pid) : undefined) } as unknown as Machine
  const one = (role: 'namenode' | 'datanode', name: string, pid: number) =>
    ({ role, id: name, address: address(`127.0.0.1:${pid}`), pid, born: String(pid), dir: `/data/${name}` })
  const left = {
    format: 1, namenode: address('127.0.0.1:1'), cluster: clusterId('c1'), secretFile: '/data/secret', dir: '/data',
    processes: [one('namenode', 'namenode', 1), one('datanode', 'datanode2', 2), one('datanode', 'datanode3', 12)],
  } as const
  await disk.writeFileDurable('/data/log/namenode.ready', Buffer.from('{"settings":{"replication":3,"trashKeep":7,"logKeep":5}}\n'))
  await disk.writeFileDurable('/data/log/datanode2.ready', Buffer.from('{"settings":{"rack":"/r2","logKeep":5}}\n'))
  const told = (racks: string[], logKeep = 5) => notYetInEffect({ disk, machine }, {
    settings: { home, replication: 2, trashKeep: 7, slots: 5, racks, logKeep },
    origins: {
      home: 'up --home', replication: 'up --replication', trashKeep: 'up --trash-keep', racks: 'up --racks', rack: 'up --racks',
      logKeep: 'up --log-keep',
    },
  }, left)
  const namenode = '--replication 2: namenode (process 1) runs without it, and takes it when it is started again: gristmill down, then gristmill up'
  expect(await told(['/r1', '/r2'])).toEqual([namenode])
  expect(await told(['/r1', '/r3'])).toEqual([namenode, expect.stringMatching(/^--racks: datanode2 \(process 2\) runs without it/)])
  // A setting of all processes.
  expect(await told(['/r1', '/r2'], 2)).toEqual([
    expect.stringMatching(/^--replication 2, --log-keep 2: namenode \(process 1\) runs without them/),
    expect.stringMatching(/^--log-keep 2: datanode2 \(process 2\) runs without it/),
  ])
})

test('settings with long values fit a terminal of 80 columns; in a pipe each is a line', () => {
  const entries = [{ name: 'auditLog' as const, value: `/var/lib/${'deep/'.repeat(8)}audit.log`, from: 'GRISTMILL_AUDIT_LOG' }]
  expect(Math.max(...entryLines(entries, 80).map(line => line.length))).toBeLessThanOrEqual(80)
  expect(entryLines(entries, 80).join('\n')).toContain(entries[0]!.value)
  expect(entryLines(entries, undefined)).toHaveLength(2)
})

test('a datanode is printed by its difference from the first one', () => {
  const server = (name: string, port: number) => ({
    name, settings: [{ name: 'port' as const, value: port, from: 'up' }, { name: 'slots' as const, value: 1, from: 'up' }],
  })
  const second = { ...server('datanode2', 3), address: 'a:3' }
  const printed = serverParagraphs([server('namenode', 1), server('datanode1', 2), second, { name: 'datanode3', settings: undefined }])
  expect(printed).toEqual([
    { title: 'namenode', settings: server('', 1).settings }, { title: 'datanode1', settings: server('', 2).settings },
    { title: 'datanode2 at a:3: as datanode1, but', settings: [server('', 3).settings[0]] },
    { title: 'datanode3: not known, it is of an earlier version or in another process of yours', settings: [] },
  ])
})
