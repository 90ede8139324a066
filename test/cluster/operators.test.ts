// Guides to datanodes, command by command, on a cluster of real processes: decommission and recommission, maintenance, and balancing.
// Each result is as documented.

import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { ClusterStatus, NodeStatus } from '../../src/protocol/admin.ts'
import { until, type TestCluster } from '../kit/cluster.ts'
import { root } from '../tidy/source.ts'
import { startClusterHere } from './inprocess.ts'

const settings = {
  GRISTMILL_HEARTBEAT: '200ms', GRISTMILL_NODE_STALE: '1s', GRISTMILL_NODE_DEAD: '3s', GRISTMILL_BLOCK_SIZE: '64KiB',
  GRISTMILL_REPLICATION: '2', GRISTMILL_SLOTS: '1',
}
const body = Buffer.from(Array.from({ length: 60_000 }, (_, i) => `line ${i} of the harvest\n`).join(''))

/** Commands of a guide's code blocks, with a real datanode's address in place of the example's. */
async function commandsOf(guide: string, address: string): Promise<string[][]> {
  const text = await readFile(join(root, `docs/guide/${guide}.md`), 'utf8')
  return [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].flatMap(match => match[1]!.trim().split('\n'))
    .map(line => line.replaceAll('10.0.0.7:8621', address).split(' ').slice(1))
}

async function statusOf(cluster: TestCluster): Promise<ClusterStatus> {
  return (JSON.parse(await cluster.ok(['status', '--json'])) as { cluster: ClusterStatus }).cluster
}

const nodeOf = (status: ClusterStatus, address: string): NodeStatus => status.nodes.find(node => node.address === address)!

/** Block files on a datanode's disk, without trash and quarantine. */
async function blocksOf(dir: string): Promise<number> {
  const names = await readdir(join(dir, 'blocks'), { recursive: true })
  return names.filter(name => /(^|\/)[0-9a-f]{16}$/.test(name)).length
}

test('the guide to decommission and maintenance', async () => {
  await using cluster = await startClusterHere({ datanodes: 4, settings })
  const [leaver] = cluster.datanodes
  const { address } = leaver!
  await cluster.ok(['put', '-', '/harvest'], body)
  await cluster.ok(['put', '--replication', '1', '-', '/single'], body)
  const commands = await commandsOf('decommission', address)
  expect(commands.map(words => words[0])).toEqual(['decommission', 'recommission', 'maintenance', 'maintenance', 'status', 'report'])
  const [decommission, recommission, maintenance, end, status, report] = commands as [
    string[], string[], string[], string[], string[], string[],
  ]

  // Four nodes, and a file with four replicas: refused, with a reason.
  await cluster.ok(['put', '--replication', '4', '-', '/everywhere'], 'x')
  const refused = await cluster.run(decommission)
  expect([refused.code, refused.stderr]).toEqual([
    1,
    expect.stringMatching(/3 datanodes are in service, and 1 block wants up to 4 replicas/),
  ])
  await cluster.ok(['setrep', '2', '/everywhere'])
  await until('the target is known', async () => (await statusOf(cluster)).overReplicated === 0)

  expect(await cluster.ok(decommission)).toBe(`${address} is decommissioned: it can be switched off\n`)
  const emptied = await statusOf(cluster)
  expect(nodeOf(emptied, address)).toMatchObject({ state: 'live', service: 'decommissioned', held: { remaining: 0 } })
  expect([emptied.missing, emptied.underReplicated]).toEqual([0, 0])
  // Its replica counts neither as live nor as excess, so `setrep -w` ends.
  await cluster.ok(['setrep', '-w', '2', '/single'])
  // Killed without a graceful stop: all data is available, and nothing is copied because of it.
  await leaver!.kill()
  await until('it is dead', async () => nodeOf(await statusOf(cluster), address).state === 'dead')
  expect(Buffer.from(await cluster.ok(['cat', '/harvest', '/single'])).equals(Buffer.concat([body, body]))).toBe(true)
  expect(await statusOf(cluster)).toMatchObject({ missing: 0, underReplicated: 0, pendingReplications: 0 })
  expect(await cluster.ok(status)).toContain('health    healthy')

  await leaver!.start()
  expect(nodeOf(await statusOf(cluster), address).service).toBe('decommissioned')
  expect(await cluster.ok(recommission)).toBe(`${address} is in service\n`)
  await until('what is too much is trimmed', async () => {
    const now = await statusOf(cluster)
    return now.overReplicated === 0 && now.pendingDeletions === 0
  })

  // In maintenance, stopped for longer than a node needs to count as dead.
  expect(await cluster.ok(maintenance)).toMatch(/is in maintenance for another .*: it can be stopped/)
  await leaver!.kill()
  await until('it is away', async () => nodeOf(await statusOf(cluster), address).state === 'away')
  expect(Buffer.from(await cluster.ok(['cat', '/harvest', '/single'])).equals(Buffer.concat([body, body]))).toBe(true)
  expect(await statusOf(cluster)).toMatchObject({ missing: 0, underReplicated: 0, pendingReplications: 0 })
  expect(await cluster.ok(report)).toContain('away, maintenance')
  await leaver!.start()
  expect(await cluster.ok(end)).toBe(`${address} is in service\n`)
  expect((await cluster.run(['decommission', 'nobody'])).stderr).toMatch(/no datanode has the id, address or host "nobody"/)
})

test('the guide to balance', async () => {
  await using cluster = await startClusterHere({ datanodes: 2, settings: { ...settings, GRISTMILL_REPLICATION: '1' } })
  const [full, empty] = cluster.datanodes
  await full!.end()
  await until('it has left', async () => nodeOf(await statusOf(cluster), full!.address).state !== 'live')
  await cluster.ok(['put', '-', '/harvest'], body)
  await full!.start()
  const before = await blocksOf(empty!.dir)
  expect([before, await blocksOf(full!.dir)]).toEqual([expect.any(Number), 0])
  expect(before).toBeGreaterThan(15)
  const [balance, status, stop] = await commandsOf('balance', '')
  expect(await cluster.ok(balance!)).toMatch(/^balance +not running: balanced/)
  // On a disk of many gigabytes a megabyte is a tiny share, so the test needs a tiny threshold.
  await cluster.ok(['balance', '--threshold', '0.000001%', '--wait'])
  // A move that was too slow for its time is counted as failed, and another one is made in its place.
  expect(await cluster.ok(status!)).toMatch(/moved +[\d.]+ (KiB|MiB) in \d+ blocks; 0 on their way, \d+ failed/)
  expect(await cluster.ok(stop!)).toMatch(/not running/)
  await until('the old replicas are gone', async () => (await blocksOf(full!.dir)) + (await blocksOf(empty!.dir)) === before)
  const [one, other] = [await blocksOf(full!.dir), await blocksOf(empty!.dir)]
  expect(Math.abs(one - other)).toBeLessThanOrEqual(4)
  expect(Buffer.from(await cluster.ok(['cat', '/harvest'])).equals(body)).toBe(true)
})
