// SIGKILL at every named failpoint of real processes, while files are written, changed and removed and a job runs. After a restart all
// acknowledged data is present and whole, and no partial data is visible. One cluster for all points, so that damage by an earlier point is
// noticed at a later one.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { failpoints, type Failpoint } from '../../src/base/failpointnames.ts'
import type { Mill } from '../../client/mill.ts'
import { ProcessCluster } from '../kit/process/cluster.ts'
import type { ProcessNode } from '../kit/process/node.ts'
import { until } from '../kit/cluster.ts'

let cluster: ProcessCluster
let mill: Mill
let dir: string
/** Acknowledged contents by path; undefined: acknowledged as removed. */
const acknowledged = new Map<string, Buffer | undefined>()
let files = 0

const content = (n: number): Buffer =>
  Buffer.from(Array.from({ length: 4_000 }, (_, line) => `file ${n} line ${line} rye oats wheat\n`).join(''))

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gristmill-crash-'))
  await writeFile(join(dir, 'words.ts'), [
    `import { mapReduce, sum } from 'gristmill'`,
    `export default mapReduce({`,
    `  map(line: string, emit) { for (const word of line.split(' ')) emit(word, 1) },`,
    `  reduce(word, counts, emit) { emit(word, sum(counts)) },`,
    `})`,
  ].join('\n'))
  cluster = await ProcessCluster.start({ datanodes: 3, settings: { blockSize: '64KiB', nodeDead: '2s', replication: '2', slots: '1' } })
  mill = cluster.mill
})

afterAll(async () => {
  await cluster?.stop()
  await rm(dir, { recursive: true, force: true })
})

/** Makes one change of each kind and records those acknowledged. */
async function work(): Promise<void> {
  const n = ++files
  const body = content(n)
  const path = `/files/${n}`
  await mill.mkdir('/files', { recursive: true })
  await mill.writeFile(path, body)
  acknowledged.set(path, body)
  await mill.rename(path, `${path}.renamed`)
  acknowledged.set(path, undefined)
  acknowledged.set(`${path}.renamed`, body)
  const old = `/files/${n - 3}.renamed`
  if (!acknowledged.get(old)) return
  await mill.rm(old, { skipTrash: true })
  acknowledged.set(old, undefined)
}

async function whole(): Promise<void> {
  for (const [path, body] of acknowledged) {
    if (!body) await expect(mill.stat(path), path).rejects.toMatchObject({ code: 'ENOENT' })
    else expect((await mill.readFile(path)).equals(body), path).toBe(true)
  }
  // Unacknowledged files are whole, or do not exist.
  for await (const { path, length } of mill.list('/files'))
    if (!acknowledged.has(path)) expect((await mill.readFile(path)).length, path).toBe(length)
}

/** Works until the armed process is dead, restarts it, and checks everything. */
async function survive(node: ProcessNode, name: Failpoint): Promise<void> {
  await node.failpoint(name, 'kill')
  // Calls to a namenode that dies wait for the next one.
  const returned = node.gone().then(() => node.start())
  await until(`${node.name} dies at ${name}`, async () => {
    await work()
    return node.ended === 'SIGKILL' || node.pid !== before
  })
  await returned
  await cluster.waitActive()
  await whole()
}
let before = 0

const ofNamenode = failpoints.filter(name => name.startsWith('journal.'))
const ofJobs: readonly Failpoint[] = ['task.commit.before', 'job.publish.before']
const ofDatanode = failpoints.filter(name => name.startsWith('block.'))

test('every failpoint is of one of these kinds', () => {
  expect([...ofNamenode, ...ofDatanode, ...ofJobs].sort()).toEqual([...failpoints].sort())
})

test.each(ofNamenode)('a namenode that dies at %s has everything that it acknowledged, and acts once', async name => {
  before = cluster.namenode.pid
  await survive(cluster.namenode, name)
})

test.each(ofDatanode)('a datanode that dies at %s serves nothing that is not whole', async name => {
  const [node] = cluster.datanodes
  before = node!.pid
  if (name === 'block.replicate.before') {
    // The only replica is on this node, so a second one must be copied from it.
    const beside = await cluster.connect({ hostName: 'host1' })
    const body = content(0)
    await beside.writeFile('/files/alone', body, { replication: 1 })
    acknowledged.set('/files/alone', body)
    await node!.failpoint(name, 'kill')
    await mill.setReplication('/files/alone', 2)
    await node!.gone()
    await node!.start()
    await cluster.waitActive()
    return whole()
  }
  await survive(node!, name)
})

test.each(ofJobs)('a job outlives a namenode that dies at %s, and its output is the same', async name => {
  await mill.mkdir('/in', { recursive: true })
  await mill.writeFile('/in/a.txt', 'rye oats\nrye wheat\n')
  await mill.writeFile('/in/b.txt', 'oats rye\n')
  const output = `/out-${name}`
  await cluster.namenode.failpoint(name, 'kill')
  const returned = cluster.namenode.gone().then(() => cluster.namenode.start())
  const job = await mill.run(join(dir, 'words.ts'), { input: '/in', output })
  await job.wait()
  await returned
  const parts = (await Array.fromAsync(mill.list(output))).filter(one => one.path.includes('/part-'))
  expect(parts).toHaveLength(1)
  expect(await mill.readFile(parts[0]!.path, 'utf8')).toBe('oats\t2\nrye\t3\nwheat\t1\n')
  await cluster.waitActive()
  await whole()
})

test('after all these deaths the cluster comes to rest with every invariant whole', async () => {
  await cluster.waitQuiet()
  // Leftovers of the death on a disk are found by reports and removed soon after.
  let verdict = await cluster.check()
  await until('all invariants hold', async () => (verdict = await cluster.check()).ok).catch(() => {})
  expect(String(verdict)).toBe('all invariants hold')
})

test('a namenode whose journal cannot be synced stops at once, and its next life has everything', async () => {
  await cluster.namenode.failSync()
  const returned = cluster.namenode.gone().then(() => cluster.namenode.ended)
  const working = work()
  // It does not say that it was killed, and does not say that all is well.
  expect(await returned).toMatch(/^exit code [1-9]/)
  await cluster.namenode.start()
  await working
  await cluster.waitActive()
  await whole()
})

test('a datanode whose only disk refuses a sync stops at once, and the write goes on without it', async () => {
  const [node] = cluster.datanodes
  await node!.failSync()
  await until('its process ends', async () => {
    await work()
    return !node!.running
  })
  expect(node!.ended).toMatch(/^exit code [1-9]/)
  await whole()
  await node!.start()
  await cluster.waitActive()
  await whole()
})
