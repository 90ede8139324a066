// Output of `status` and its list of problems, from fixed cluster states: a healthy cluster is called healthy, and each problem gets one
// line.

import { expect, test } from 'vitest'
import { processLines, statusLines, troubles } from '../../../../../client/cli/cluster/view.ts'
import { address, clusterId, nodeId, storageId } from '../../../../../src/base/ids.ts'
import type { ClusterStatus, NodeStatus } from '../../../../../src/protocol/admin.ts'

const node = (more: Partial<NodeStatus> = {}): NodeStatus => ({
  node: nodeId('n1'), address: address('127.0.0.1:9001'), rack: '/default', host: 'mill', pid: 1, version: '1', state: 'live', slots: 2,
  running: 1, transfers: 0, sinceContactMs: 120, blocks: 12,
  storages: [
    { id: storageId('s1'), dir: '/d1', capacityBytes: 1 << 30, freeBytes: 1 << 29, usedBytes: 1 << 20, blocks: 12, failed: false },
  ],
  ...more,
})

const status = (more: Partial<ClusterStatus> = {}): ClusterStatus => ({
  cluster: clusterId('c1'), epoch: 1, version: '1.2.3', pid: 1, address: address('127.0.0.1:8620'), dir: '/nn', startedMs: 0, nowMs: 65_000,
  safeMode: false, files: 1234, directories: 5, blocks: 40, missing: 0, underReplicated: 0, overReplicated: 0, pendingReplications: 0,
  pendingDeletions: 0, jobsRunning: 0, nodes: [node()],
  defaults: { replication: 3, blockBytes: 128 << 20 },
  ...more,
})

test('a healthy cluster says so', () => {
  expect(troubles(status())).toEqual([])
  const text = statusLines(status()).join('\n')
  expect(text).toContain('health    healthy')
  expect(text).toContain('stored    1,234 files in 5 directories, 40 blocks')
  expect(text).toMatch(/^127\.0\.0\.1:9001 +live +\/default +12 +1\.0 MiB +512 MiB +1\/2 +120 ms$/m)
})

test('every trouble is a line: missing and thin blocks, nodes and disks that fail, safe mode', () => {
  const found = troubles(status({
    safeMode: true, missing: 2, underReplicated: 7, pendingReplications: 5, pendingMoves: 2,
    nodes: [node({ state: 'dead', sinceContactMs: 15_000 }), node({ storages: [{ ...node().storages[0]!, failed: true }] })],
  }))
  expect(found).toEqual([
    'safe mode: all datanodes have reported, and too many blocks are missing; repairs and deletions wait until they are reported, or until gristmill safemode leave',
    '2 blocks have no live replica: bring back the datanodes that hold them',
    'datanode 127.0.0.1:9001 is dead: last heartbeat 15.0 s ago',
    'disk /d1 of datanode 127.0.0.1:9001 has failed',
    '7 blocks have too few replicas; 3 copies are in progress',
  ])
})

test('numbers of one are singular, damaged blocks are reported apart from missing ones, and safe mode of an operator as such', () => {
  const found = troubles(
    status({
      safeMode: true, safeModeManual: true, missing: 2, corrupt: 1, awaited: 1, underReplicated: 1, pendingReplications: 1, misplaced: 1,
      nodes: [node({ state: 'dead', pid: 0, refused: 1 })],
    }),
  )
  expect(found).toEqual([
    'safe mode, entered by an operator: reads work, changes are refused until gristmill safemode leave',
    '1 block has no live replica: bring back the datanodes that hold it',
    '1 block has only damaged replicas: gristmill fsck names the files',
    '1 block is on datanodes that have not reported yet',
    'datanode 127.0.0.1:9001 is dead: no heartbeat since the namenode started',
    'datanode 127.0.0.1:9001 refuses to delete 1 block, because the namenode has just started: stop the namenode if its state may be outdated, or run gristmill namenode allow-deletions',
    '1 block has too few replicas; 1 copy is in progress',
    '1 block has all replicas in one rack; they are copied to another rack if it has space',
  ])
})

test('a datanode that stays in service although a hosts file excludes it is named with the reason', () => {
  expect(troubles(status({ nodes: [node({ notDecommissioned: 'n1 is the last datanode in service; add another one first' })] }))).toEqual([
    'datanode 127.0.0.1:9001 is excluded by a hosts file, and still in service: n1 is the last datanode in service; add another one first',
  ])
})

test('a namenode that waits for its datanodes says so, before it knows what is missing', () => {
  expect(troubles(status({ safeMode: true, missing: 1, awaited: 3 }))[0]).toBe(
    'safe mode: the namenode waits for its datanodes; reads work, repairs and deletions wait',
  )
  expect(troubles(status({ safeMode: true }))[0]).toContain('waits for its datanodes')
})

test('a disk that is full, and one without room for a whole block, is told', () => {
  const [disk] = node().storages
  const found = (freeBytes: number): string[] => troubles(status({ nodes: [node({ storages: [{ ...disk!, freeBytes }] })] }))
  expect(found(128 << 20)).toEqual([])
  expect(found(100 << 20)).toEqual([
    'disk /d1 of datanode 127.0.0.1:9001 has 100 MiB free, which is less than a whole block (128 MiB): only smaller ones fit',
  ])
  expect(
    troubles(
      status({
        nodes: [
          node({
            state: 'dead', sinceContactMs: 15_000,
            storages: [
              { ...disk!, freeBytes: 0 }, { ...disk!, failed: true },
            ],
          }),
        ],
      }),
    ),
  ).toEqual(['datanode 127.0.0.1:9001 is dead: last heartbeat 15.0 s ago'])
  expect(found(0)).toEqual(['disk /d1 of datanode 127.0.0.1:9001 is full'])
})

test('a process of `up` that has ended is a problem, unless its node is decommissioned: the namenode knows no gateway', () => {
  const gateway = { role: 'gateway', id: 'gateway', address: '127.0.0.1:9870', pid: 78, dir: '/x' }
  const datanode = { role: 'datanode', id: 'n1', address: '127.0.0.1:9001', pid: 79, dir: '/y', state: 'gone' }
  const health = (more: Partial<NodeStatus>, ...processes: Parameters<typeof processLines>[0]): string[] =>
    statusLines(status({ nodes: [node(more)] }), undefined, processes).filter(line => /^health|has ended/.test(line))
  expect(health({}, { ...gateway, state: 'live' })).toEqual(['health    healthy'])
  expect(health({}, { ...gateway, state: 'gone' }, datanode)).toEqual([
    'health    gateway 127.0.0.1:9870 has ended (process 78): gristmill up --detach starts it again',
    '          datanode 127.0.0.1:9001 has ended (process 79): gristmill up --detach starts it again',
  ])
  expect(health({ service: 'decommissioned' }, datanode)).toEqual(['health    healthy'])
})

test('a cluster without datanodes says that too', () => {
  expect(statusLines(status({ nodes: [] })).at(-1)).toBe('no datanode is registered')
})

test('processes have a row each', () => {
  expect(processLines([{ role: 'namenode', id: 'nn', address: '127.0.0.1:8620', pid: 77, dir: '/x' }])[1]).toMatch(
    /^namenode +127\.0\.0\.1:8620 +77 +nn +live +\/x$/,
  )
})

test('the addresses of a gateway are told behind the table of processes, each with its dialect', () => {
  const endpoints = { webhdfs: 'http://127.0.0.1:9870/webhdfs/v1', s3: 'http://127.0.0.1:9000' }
  const lines = processLines([{ role: 'gateway', id: 'gateway', address: '127.0.0.1:9870', pid: 78, dir: '/x', endpoints }])
  expect(lines.slice(2)).toEqual(['webhdfs is at http://127.0.0.1:9870/webhdfs/v1', 's3 is at http://127.0.0.1:9000'])
})
