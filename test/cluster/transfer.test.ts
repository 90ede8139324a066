// Transfer of blocks between three real datanodes that a reader must reach over the network: a file survives killed datanodes and damaged
// replicas, and a datanode with a full disk (a small mounted file system) lives on.

import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connect, type Mill } from '../../client/index.ts'
import { startCluster, until, type TestCluster } from '../kit/cluster.ts'

const MiB = 1024 * 1024
const random = (bytes: number, seed: string): Buffer => createHash('shake256', { outputLength: bytes }).update(seed).digest()

/** Names of all sealed blocks of a datanode, read from its directory, independently of the cluster's reports. */
async function blocksIn(dir: string): Promise<string[]> {
  const names = await readdir(join(dir, 'blocks'), { recursive: true })
  return names.filter(name => /^..\/[0-9a-f]{16}$/.test(name)).map(name => name.slice(3)).sort()
}

const pathIn = (dir: string, block: string): string => join(dir, 'blocks', block.slice(-2), block)

const open = (cluster: TestCluster): Promise<Mill> =>
  connect({ address: `gristmill://${cluster.namenode.address}`, secretFile: cluster.secretFile })

describe('three datanodes', () => {
  let cluster: TestCluster
  let mill: Mill
  let dir: string
  let local: string
  const bytes = random(48 * MiB, 'transfer')

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'gristmill-transfer-'))
    local = join(dir, 'local')
    await writeFile(local, bytes)
    // Host names of their own, so that no reader uses local files.
    cluster = await startCluster({
      datanodes: 3, hosts: ['host1', 'host2', 'host3'],
      settings: { GRISTMILL_HEARTBEAT: '100ms', GRISTMILL_NODE_STALE: '1s', GRISTMILL_NODE_DEAD: '4s' },
    })
    mill = await open(cluster)
  })

  afterAll(async () => {
    await mill?.close()
    await cluster?.stop()
    await rm(dir, { recursive: true, force: true })
  })

  const held = (): Promise<string[][]> => Promise.all(cluster.datanodes.map(node => blocksIn(node.dir)))

  /** The blocks that came since, once there are so many and each is on all three nodes: one that has just started gets its copies later. */
  async function newBlocks(before: ReadonlySet<string>, count: number): Promise<string[]> {
    let blocks: string[] = []
    await until(`${count} new blocks are on all three nodes`, async () => {
      const all = await held()
      blocks = [...new Set(all.flat())].filter(name => !before.has(name)).sort()
      return blocks.length === count && all.every(names => blocks.every(block => names.includes(block)))
    })
    return blocks
  }

  for (const [member, fraction] of [[0, 0.2], [1, 0.5], [2, 0.8]] as const) {
    test(`a put goes on when a datanode is killed after ${fraction * 100} % of it, and is whole again once the node is back`, async () => {
      const victim = cluster.datanodes[member]!
      const path = `/killed${member}`
      let killed: Promise<void> | undefined
      await mill.put(local, path, {
        blockSize: 4 * MiB, replication: 3,
        onProgress: progress => {
          if (progress.bytes > bytes.length * fraction) killed ??= victim.kill()
        },
      })
      await killed
      expect(killed).toBeDefined()
      expect((await mill.readFile(path)).equals(bytes)).toBe(true)
      await victim.start()
      const blocks = new Set((await held()).flat())
      // Blocks of broken pipelines belong to no file and are deleted; blocks of the file are copied to three nodes again.
      await until('three nodes hold the same blocks', async () => {
        const all = await held()
        return all.every(names => names.join() === all[0]!.join()) && all[0]!.length <= blocks.size && all[0]!.length > 0
      })
      expect((await mill.readFile(path)).equals(bytes)).toBe(true)
      await mill.rm(path, { skipTrash: true })
    })
  }

  test('an acknowledged file survives the death of every datanode at once', async () => {
    await mill.put(local, '/acknowledged', { blockSize: 4 * MiB, replication: 3 })
    await Promise.all(cluster.datanodes.map(node => node.kill()))
    await Promise.all(cluster.datanodes.map(node => node.start()))
    expect((await mill.readFile('/acknowledged')).equals(bytes)).toBe(true)
  })

  for (const [what, spoil] of [
    [
      'a flipped byte',
      async (path: string) => {
        const file = await readFile(path)
        file[1_000_000]! ^= 1
        await writeFile(path, file)
      },
    ],
    [
      'a flipped byte in its meta file',
      async (path: string) => {
        const file = await readFile(`${path}.meta`)
        file[50]! ^= 1
        await writeFile(`${path}.meta`, file)
      },
    ],
    ['a lost end', (path: string) => truncate(path, 70_000)],
    ['no file any more', (path: string) => rm(path)],
  ] as const) {
    test(`replicas with ${what} are never read, and are replaced by good ones`, async () => {
      const content = random(6 * MiB, what)
      const before = new Set((await held()).flat())
      await mill.writeFile('/damaged', content, { replication: 3, blockSize: 2 * MiB })
      const blocks = await newBlocks(before, 3)
      // One damaged block on each node: every reader meets damage, whichever node is first.
      const spoilt = cluster.datanodes.map((node, i) => pathIn(node.dir, blocks[i]!))
      const files = spoilt.flatMap(path => [path, `${path}.meta`])
      const good = await Promise.all(files.map(file => readFile(file)))
      for (const path of spoilt) await spoil(path)
      const mended = async (): Promise<boolean> =>
        (await Promise.all(files.map(async (file, i) => (await readFile(file).catch(() => undefined))?.equals(good[i]!)))).every(Boolean)
      expect(await mended()).toBe(false)
      await until('readers have met all of it, and all is mended', async () => {
        expect((await mill.readFile('/damaged')).equals(content)).toBe(true)
        return mended()
      })
      for (const node of cluster.datanodes) expect(await readdir(join(node.dir, 'incoming'))).toEqual([])
      await mill.rm('/damaged', { skipTrash: true })
    })
  }
})

/** Mounts a filesystem of 24 MiB on a directory; returns false where this user may not mount. */
function mountSmall(dir: string): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', dir], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

test('a datanode whose disk is full lives on, and its blocks go to the others', async context => {
  const dir = await mkdtemp(join(tmpdir(), 'gristmill-full-'))
  const small = join(dir, 'datanode1')
  await mkdir(small, { mode: 0o700 })
  const mounted = mountSmall(small)
  try {
    if (!mounted) return context.skip('this user may not mount a small filesystem')
    await writeFile(join(dir, 'secret'), randomBytes(32).toString('hex'), { mode: 0o600 })
    await using cluster = await startCluster({ dir, datanodes: 2, hosts: ['host1', 'host2'] })
    const mill = await open(cluster)
    try {
      const bytes = random(40 * MiB, 'full')
      await mill.writeFile('/large', bytes, { replication: 2, blockSize: 4 * MiB })
      expect((await mill.readFile('/large')).equals(bytes)).toBe(true)
      expect(cluster.datanodes[0]!.running).toBe(true)
      expect((await blocksIn(small)).length).toBeLessThan(7)
      expect(await blocksIn(cluster.datanodes[1]!.dir)).toHaveLength(10)
      await mill.rm('/large', { skipTrash: true })
      await until('the room is given back', async () => (await blocksIn(small)).length === 0)
      await mill.writeFile('/small', bytes.subarray(0, MiB), { replication: 2 })
      // At once if its last heartbeat has told of the room; else it is copied there soon after the next one.
      await until('the small disk takes blocks again', async () => (await blocksIn(small)).length === 1)
    } finally {
      await mill.close()
    }
  } finally {
    if (mounted) execFileSync('umount', ['-l', small])
    await rm(dir, { recursive: true, force: true })
  }
})
