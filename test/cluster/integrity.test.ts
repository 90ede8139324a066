// Damaged replicas of every kind, in a live cluster with readers: readers get correct data, and all replicas are repaired.

import { readdir, readFile, rename, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { ClusterStatus } from '../../src/protocol/admin.ts'
import type { Damage, Replica } from '../kit/contract.ts'
import { until } from '../kit/cluster.ts'
import { runHere as run } from './inprocess.ts'
import { ProcessCluster } from '../kit/process/cluster.ts'
import { root } from '../tidy/source.ts'

const body = (seed: number): Buffer =>
  Buffer.from(Array.from({ length: 30_000 }, (_, i) => `${seed} ${i * seed} the miller's ledger\n`).join(''))
const settings = {
  blockSize: '128KiB', replication: '3', heartbeat: '200ms', nodeStale: '2s', nodeDead: '8s', slots: '0', scrubPeriod: '4s',
  scrubRate: '1GiB',
}

async function replicasOf(cluster: ProcessCluster): Promise<Map<string, Replica[]>> {
  const found = new Map<string, Replica[]>()
  for (const node of cluster.datanodes)
    for (const replica of await node.replicas()) found.set(replica.block, [...(found.get(replica.block) ?? []), replica])
  return found
}

async function quarantined(cluster: ProcessCluster): Promise<number> {
  let count = 0
  for (const { dirs } of cluster.datanodes)
    for (const dir of dirs) count += (await readdir(join(dir, 'quarantine'))).filter(name => /^[0-9a-f]{16}$/.test(name)).length
  return count
}

test(
  'replicas damaged in all ways are found by the scrubbers and made anew, and who reads meanwhile sees nothing of it',
  async () => {
    await using cluster = await ProcessCluster.start({ datanodes: 4, settings })
    const files = new Map([1, 2, 3].map(seed => [`/ledger${seed}`, body(seed)]))
    for (const [path, bytes] of files) await cluster.mill.writeFile(path, bytes)
    await cluster.waitReplicated()

    let over = false
    let reads = 0
    const reading = (async () => {
      while (!over) {
        for (const [path, bytes] of files) {
          expect(Buffer.from(await cluster.mill.readFile(path)).equals(bytes), path).toBe(true)
          reads++
        }
      }
    })()
    reading.catch(() => {})

    const ways: Array<Damage | 'swap'> = ['flip', 'zero', 'truncate', 'lengthen', 'remove', 'unreadable', 'meta', 'swap']
    const blocks = [...(await replicasOf(cluster))].sort(([a], [b]) => (a < b ? -1 : 1))
    expect(blocks.length).toBeGreaterThan(ways.length)
    // One replica of each block; of one block all but one.
    for (const [i, how] of ways.entries()) {
      const [, [victim]] = blocks[i]!
      if (how !== 'swap') await victim!.damage(how)
      else
        await victim!.swap(
          blocks
            .slice(ways.length)
            .flatMap(([, replicas]) => replicas)
            .find(replica => replica.node === victim!.node)!,
        )
    }
    const [, thin] = blocks.at(-1)!
    await thin[1]!.damage('flip')
    await thin[2]!.damage('truncate')

    await until('every replica is sound, and of each block there are three', async () => {
      const now = await replicasOf(cluster)
      for (const [, replicas] of now)
        if (replicas.length !== 3 || !(await Promise.all(replicas.map(replica => replica.sound()))).every(Boolean)) return false
      return now.size === blocks.length
    })
    over = true
    await reading
    expect(reads).toBeGreaterThan(0)
    await cluster.waitQuiet()
    expect(String(await cluster.check())).toBe('all invariants hold')
    // On a disk that is nearly full, nothing is kept in quarantine.
    const { blocks: capacity, bavail } = await statfs(cluster.datanodes[0]!.dirs[0]!)
    if (bavail > capacity * 0.06) expect(await quarantined(cluster)).toBeGreaterThanOrEqual(ways.length)

    // The guide's commands show a healthy cluster, and the damage found before.
    const guide = await readFile(join(root, 'docs/guide/integrity.md'), 'utf8')
    const commands = [...guide.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].flatMap(match => match[1]!.trim().split('\n'))
    expect(commands).toEqual(['gristmill fsck', 'gristmill report'])
    const [fsck, report] = await Promise.all(commands.map(command => run(command.split(' ').slice(1), cluster.env)))
    expect([fsck!.code, report!.code]).toEqual([0, 0])
    expect(report!.stdout).toMatch(/ good, \d+ in quarantine$/m)
  },
)

test(
  'the last replica of a block goes bad: it is reported, kept, reported again after restarts, and served when an operator has mended it',
  async () => {
    await using cluster = await ProcessCluster.start({
      datanodes: 2, disks: 2,
      settings: { ...settings, replication: '1', scrubPeriod: '0s' },
    })
    const bytes = body(5).subarray(0, 100_000)
    await cluster.mill.writeFile('/only', bytes)
    const status = (): Promise<ClusterStatus> => cluster.mill.clusterStatus()
    const [[, [replica]]] = [...(await replicasOf(cluster))] as [[string, [Replica]]]
    const node = cluster.datanodes.find(each => each === replica.node)!
    await replica.damage('flip')
    await node.triggerScrub()
    await until('the namenode knows', async () => (await status()).corrupt === 1)
    const kept = join(node.dirs[replica.disk]!, 'quarantine/last')
    await until('it is kept', async () => (await readdir(kept)).includes(replica.block))
    await expect(cluster.mill.readFile('/only')).rejects.toMatchObject({ code: 'BLOCK_MISSING' })

    // Stays in safe mode, because more than the allowed share of blocks is missing.
    await cluster.namenode.restart()
    await until('the namenode knows again', async () => (await status()).corrupt === 1)
    await node.restart()
    await until('and again', async () => (await status()).nodes.every(each => each.state === 'live') && (await status()).corrupt === 1)
    expect(await readdir(kept)).toContain(replica.block)

    await node.stop()
    const place = join(node.dirs[replica.disk]!, 'blocks', replica.block.slice(-2), replica.block)
    await writeFile(place, bytes)
    await rename(join(kept, `${replica.block}.meta`), `${place}.meta`)
    await node.start()
    await until('it can be read', async () => Buffer.from(await cluster.mill.readFile('/only')).equals(bytes))
    expect(await status()).toMatchObject({ corrupt: 0, missing: 0 })
  },
)

test(
  'a young namenode that wants all blocks removed is not obeyed before an operator says that it is right',
  async () => {
    await using cluster = await ProcessCluster.start({ datanodes: 1, settings: { ...settings, blockSize: '4KiB', replication: '1' } })
    const [node] = cluster.datanodes
    const stored = async (): Promise<number> =>
      (await readdir(join(node!.dirs[0]!, 'blocks'), { recursive: true })).filter(name => name.endsWith('.meta')).length
    const blocks = 520
    await cluster.mill.writeFile('/many', Buffer.alloc(blocks * 4096, 'grain'))
    await cluster.mill.rm('/many', { skipTrash: true })
    const report = async (): Promise<string> => (await run(['report'], cluster.env)).stdout
    // 500 deletions are always allowed; the others are refused.
    const left = await until('its datanode has refused the rest', async () => {
      const { refused = 0 } = (await cluster.mill.clusterStatus()).nodes[0]!
      return refused > 0 && refused === (await stored()) && refused
    })
    expect(left).toBeGreaterThanOrEqual(blocks - 500)
    expect(await report()).toContain('allow-deletions')
    const allowed = await run(['namenode', 'allow-deletions'], cluster.env)
    expect([allowed.code, allowed.stdout]).toEqual([0, expect.stringMatching(new RegExp(` may delete ${left} blocks\\n$`))])
    await until('they are gone', async () => (await stored()) === 0)
    expect(await readdir(join(node!.dirs[0]!, 'trash'))).toHaveLength(blocks * 2)
    expect(await report()).not.toContain('allow-deletions')
  },
)
