// Identity of a datanode with several disks, when some of them are missing, new, or another node's.

import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Datanode } from '../../../datanode/datanode.ts'
import { openHomes, stampAll, type Homes } from '../../../datanode/homes.ts'
import { clusterId } from '../../../src/base/ids.ts'
import { silent } from '../../../src/ports/log.ts'
import { localDisk } from '../../../src/world/disk.ts'
import { systemRandom } from '../../../src/world/random.ts'
import { Mill, testWorld } from './kit.ts'
import { secret } from './namenode.ts'

let dir: string
beforeEach(async () => { dir = await mkdtemp(join(tmpdir(), 'gristmill-homes-')) })
afterEach(async () => { await rm(dir, { recursive: true, force: true }) })

const cluster = clusterId('c1')
const names = (...list: string[]): string[] => list.map(name => join(dir, name))

async function open(dirs: readonly string[], dead: readonly string[] = []): Promise<Homes> {
  const lock = async (path: string) => {
    if (dead.includes(path)) throw Object.assign(new Error('EIO'), { code: 'EIO' })
    return localDisk.lock(path)
  }
  return openHomes({ disk: { ...localDisk, lock }, random: systemRandom(), log: silent }, dirs, undefined)
}

/** Node id of a datanode with these directories, after it has served or not. */
async function who(dirs: readonly string[], { dead = [] as readonly string[], joins = false } = {}): Promise<string> {
  const homes = await open(dirs, dead)
  if (joins) await stampAll(homes, cluster, { log: silent })
  for (const home of homes.all) await home.release()
  return homes.node
}

test('every disk of a node that has served holds the node id, so any of them may fail', async () => {
  const dirs = names('a', 'b', 'c')
  const node = await who(dirs, { joins: true })
  expect(JSON.parse(await readFile(join(dirs[2]!, 'gristmill.json'), 'utf8'))).toMatchObject({ role: 'storage', cluster, node })
  for (const dead of [[0], [1], [0, 1], [0, 2]]) expect(await who(dirs, { dead: dead.map(i => dirs[i]!) })).toBe(node)
  await expect(who(dirs, { dead: dirs })).rejects.toMatchObject({ code: 'EACCES' })
})

test('a new disk that replaces the first one gets the node id', async () => {
  const dirs = names('a', 'b')
  const node = await who(dirs, { joins: true })
  await rm(dirs[0]!, { recursive: true })
  expect(await who(dirs)).toBe(node)
  expect(await who(dirs)).toBe(node)
  // Without any of its directories, it is a new node.
  for (const each of dirs) await rm(each, { recursive: true })
  expect(await who(dirs, { joins: true })).not.toBe(node)
})

test('disks of a release without node ids in their stamps are stamped, and a moved disk belongs to its new node', async () => {
  const [a, b, c, d] = names('a', 'b', 'c', 'd') as [string, string, string, string]
  const one = await who([a, b], { joins: true })
  const two = await who([c, d], { joins: true })
  expect(await who([a, d])).toBe(one)
  expect(await who([a, d], { dead: [a] })).toBe(one)
  expect(await who([c])).toBe(two)
  // The identity is ambiguous.
  await who([c, d])
  await expect(who([a, b, d], { dead: [a] })).rejects.toMatchObject({ code: 'EACCES' })
})

test('a directory of another cluster is refused, whichever it is, and none stays locked', async () => {
  const dirs = names('a', 'b')
  await who(dirs, { joins: true })
  const other = names('x', 'y')
  const homes = await open(other)
  await stampAll(homes, clusterId('c2'), { log: silent })
  for (const home of homes.all) await home.release()
  await expect(who([dirs[0]!, other[1]!])).rejects.toMatchObject({ code: 'DIR_FOREIGN' })
  await expect(who([other[0]!, dirs[1]!])).rejects.toMatchObject({ code: 'DIR_FOREIGN' })
  await who(dirs)
  await who(other)
})

test('a node starts without a failed disk; a new node does not', async () => {
  await using mill = await Mill.start({ datanodes: 0 })
  const dirs = [join(mill.dir, 'one'), join(mill.dir, 'two')]
  const disk = (unusable: string) => {
    const { disk: local, ...rest } = testWorld()
    return {
      ...rest,
      disk: {
        ...local,
        lock: async (path: string) => {
          if (path === unusable) throw Object.assign(new Error('EROFS'), { code: 'EROFS' })
          return local.lock(path)
        },
      },
    }
  }
  const config = {
    dirs, host: '127.0.0.1', port: 0, namenode: mill.namenode.address, rack: '/default', hostName: 'h', secret, slots: 0, memoryBytes: 0,
    times: { heartbeatMs: 5_000, drainMs: 1000 },
  }
  for (const dir of dirs) await expect(Datanode.start(disk(dir), config)).rejects.toMatchObject({ code: 'EACCES' })
  const whole = await Datanode.start(disk(''), config)
  await whole.stop()
  // The first disk, which has the node's stamp, is treated like the others.
  for (const dir of dirs) {
    await using datanode = await Datanode.start(disk(dir), config)
    expect(datanode.node).toBe(whole.node)
    expect(await (await fetch(`http://${datanode.address}/metrics`)).text()).toMatch(
      new RegExp(`gristmill_storage_failed\\{dir="${dir}"\\} 1`),
    )
    await datanode.beat()
    mill.namenode.epoch++
    await datanode.beat() // a new epoch needs one disk, not this one
  }
})
