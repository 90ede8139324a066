// Contact of datanodes with a fake namenode, on loopback and temporary directories: registration, full and change reports, orders, older
// epochs and foreign clusters. No change of a block goes unreported.

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { blockId, blockName, clusterId, nodeId, type BlockId } from '../../../../src/base/ids.ts'
import { Changes } from '../../../../datanode/heartbeat/changes.ts'
import { Datanode } from '../../../../datanode/datanode.ts'
import type { NodePlace } from '../../../../src/protocol/fields.ts'
import { noise } from '../../src/block/kit.ts'
import { localDisk } from '../../../../src/world/disk.ts'
import { collect, Mill, testWorld, until } from '../kit.ts'
import { nowhere } from '../namenode.ts'

async function file(mill: Mill, path = '/file', options: object = {}): Promise<BlockId[]> {
  const writer = await mill.client.create(path, options)
  await writer.write(noise(300_000))
  await writer.close()
  return mill.namenode.files.get(path)!.blocks.map(({ id }) => id)
}

const pathOf = (mill: Mill, node: number, id: BlockId): string => join(mill.dirOf(node), 'blocks', blockName(id).slice(-2), blockName(id))

test('a node that starts is known with all its blocks before it says that it is ready', async () => {
  await using mill = await Mill.start({ datanodes: 1 })
  const blocks = await file(mill)
  await mill.datanodes[0]!.stop()
  expect(mill.namenode.left).toEqual([mill.datanodes[0]!.node])
  const id = mill.datanodes[0]!.node
  mill.namenode.nodes.clear()
  mill.datanodes[0] = await mill.datanode(0)
  expect(mill.datanodes[0].node).toBe(id)
  expect(mill.namenode.holders(blocks[0]!)).toEqual([id])
})

test('a node that is forgotten registers again and reports everything', async () => {
  await using mill = await Mill.start({ datanodes: 1 })
  const blocks = await file(mill)
  mill.namenode.calls.length = 0
  mill.namenode.forgetful = true
  await until(
    'it has registered and reported',
    () => ['register', 'full'].every(call => mill.namenode.calls.includes(call)) && mill.namenode.holders(blocks[0]!).length === 1,
  )
  await until('it beats again', () => mill.namenode.calls.lastIndexOf('beat') > mill.namenode.calls.lastIndexOf('full'))
})

test('a node whose session ends before its first full report has arrived registers again, however often that happens', async () => {
  await using mill = await Mill.start({ datanodes: 1 })
  const blocks = await file(mill)
  const told = mill.datanodes[0]!.report().then(() => 'told', (error: { code: string }) => error.code)
  mill.namenode.forgetsRegistered = 3
  mill.namenode.calls.length = 0
  mill.namenode.forgetful = true
  await until(
    'it has reported after four registrations',
    () => mill.namenode.calls.filter(call => call === 'register').length === 4 && mill.namenode.holders(blocks[0]!).length === 1,
  )
  // A caller that waits for a report of an ended session gets a result.
  expect(['told', 'UNREGISTERED']).toContain(await told)
  mill.namenode.give(mill.datanodes[0]!.node, { kind: 'delete', blocks: [blocks[0]!] })
  await until('it does what it is ordered to', () => mill.namenode.holders(blocks[0]!).length === 0)
})

test('a change report that the namenode refuses permanently is replaced by a full report and blocks no later changes', async () => {
  await using mill = await Mill.start({ datanodes: 1 })
  const { namenode } = mill
  const [first] = await file(mill)
  namenode.refusesChanges = true
  namenode.give(mill.datanodes[0]!.node, { kind: 'delete', blocks: [first!] })
  await until(
    'it has told of the removal in another way',
    () => namenode.calls.includes('changes') && namenode.holders(first!).length === 0,
  )
  namenode.refusesChanges = false
  namenode.calls.length = 0
  const [second] = await file(mill, '/second')
  await until('it tells of changes again', () => namenode.calls.includes('changes') && namenode.holders(second!).length === 1)
  expect(namenode.calls).not.toContain('full')
})

test('a node that stops before its first full report has arrived does stop', async () => {
  await using mill = await Mill.start({ datanodes: 0 })
  mill.namenode.forgetsRegistered = 1e9
  const giveUp = new AbortController()
  const starting = mill.datanode(0, { signal: giveUp.signal })
  await until('it has tried more than once', () => mill.namenode.calls.filter(call => call === 'register').length >= 2)
  giveUp.abort()
  await expect(starting).rejects.toMatchObject({ code: 'ABORTED' })
})

test('a namenode of an older epoch is not obeyed, and the newest epoch is remembered over a restart', async () => {
  await using mill = await Mill.start({ datanodes: 1 })
  const [block] = await file(mill)
  mill.namenode.epoch = 5
  await until(
    'the epoch is on disk',
    () => existsSync(join(mill.dirOf(0), 'epoch.json')) && readFileSync(join(mill.dirOf(0), 'epoch.json'), 'utf8').includes('5'),
  )
  mill.namenode.epoch = 4
  mill.namenode.give(mill.datanodes[0]!.node, { kind: 'delete', blocks: [block!] })
  mill.namenode.calls.length = 0
  await until('it has turned to the namenode again and again', () => mill.namenode.calls.filter(call => call === 'register').length >= 2)
  expect(existsSync(pathOf(mill, 0, block!))).toBe(true)
  await mill.datanodes[0]!.stop()
  await expect(mill.datanode(0)).rejects.toMatchObject({ code: 'STALE_EPOCH' })
  mill.namenode.epoch = 5
  mill.datanodes[0] = await mill.datanode(0)
})

test('a node of another cluster, or with another secret, is refused when it starts', async () => {
  await using mill = await Mill.start({ datanodes: 1 })
  await mill.datanodes[0]!.stop()
  await expect(mill.datanode(0, { cluster: clusterId('another') })).rejects.toMatchObject({ code: 'DIR_FOREIGN' })
  await expect(mill.datanode(1, { secret: Buffer.alloc(32, 9) })).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
  // A refused datanode has released its directory.
  mill.datanodes[0] = await mill.datanode(0)
})

test('a node waits for its namenode until its start is aborted', async () => {
  await using mill = await Mill.start({ datanodes: 0 })
  const giveUp = new AbortController()
  const starting = Datanode.start(testWorld(), {
    dirs: [mill.dirOf(0)], host: '127.0.0.1', port: 0, namenode: nowhere, rack: '/r', hostName: 'h', secret: Buffer.alloc(32, 7), slots: 0,
    memoryBytes: 0, signal: giveUp.signal,
  })
  const early = await Promise.race([
    starting.then(
      () => 'started', () => 'failed',
    ),
    new Promise(resolve => setTimeout(() => resolve('waits'), 300)),
  ])
  expect(early).toBe('waits')
  giveUp.abort()
  await expect(starting).rejects.toMatchObject({ code: 'ABORTED' })
  mill.datanodes[0] = await mill.datanode(0)
})

test('a node without contact takes no new blocks, but serves the ones it has', async () => {
  // Long beside a pause of a busy machine: the node must have contact while the file is written and the pipeline of the other one opened.
  await using mill = await Mill.start({ datanodes: 1, config: { times: { nodeDeadMs: 3_000 } } })
  await file(mill)
  const located = await mill.client.locate('/file')
  const writer = await mill.client.create('/late', { eager: true })
  await mill.namenode.stop()
  await until('it has noticed', async () => (await fetch(`http://${mill.datanodes[0]!.address}/healthz`)).status === 503)
  expect((await collect(mill.client.read(located))).equals(noise(300_000))).toBe(true)
  await writer.write(noise(10))
  const allocated = mill.namenode.allocated.at(-1)!
  expect(allocated.targets).toHaveLength(1)
  const refused = await fetch(`http://${mill.datanodes[0]!.address}/v1/block/${blockName(allocated.id)}`, {
    method: 'PUT', body: 'x', headers: { authorization: `Bearer ${mill.namenode.tokens.issue({ mode: 'write', block: allocated.id })}` },
  })
  expect(refused.status).toBe(503)
  void writer.abort()
})

test('ordered copies are made, deletions done, and each order once', async () => {
  await using mill = await Mill.start({ datanodes: 3 })
  const [block] = await file(mill, '/file', { replication: 1 })
  const [holder] = mill.namenode.files.get('/file')!.blocks[0]!.nodes
  await until('the block is reported', () => mill.namenode.holders(block!).length === 1)
  const targets = [...mill.namenode.nodes.values()].map(({ place }) => place).filter(({ node }) => node !== holder)
  mill.namenode.give(holder!, {
    kind: 'replicate', block: block!, length: 300_000, targets,
    token: mill.namenode.tokens.issue({ mode: 'write', block: block! }),
  })
  await until('three have it', () => mill.namenode.holders(block!).length === 3)
  mill.namenode.give(holder!, { kind: 'delete', blocks: [block!] })
  await until('two have it', () => mill.namenode.holders(block!).length === 2)
  const first = mill.datanodes.findIndex(({ node }) => node === holder)
  await until('its files are gone', () => !existsSync(pathOf(mill, first, block!)) && !existsSync(`${pathOf(mill, first, block!)}.meta`))
  expect((await collect(mill.client.read('/file'))).equals(noise(300_000))).toBe(true)
  await until('all orders are acknowledged', () => mill.namenode.nodes.get(holder!)!.acknowledged === 2)
  // If the target of a copy already has the block, the target tells the namenode.
  mill.namenode.nodes.get(targets[1]!.node)!.blocks.delete(block!)
  mill.namenode.give(targets[0]!.node, {
    kind: 'replicate', block: block!, length: 300_000, targets: [targets[1]!],
    token: mill.namenode.tokens.issue({ mode: 'write', block: block! }),
  })
  await until('the namenode knows again', () => mill.namenode.holders(block!).length === 2)
})

test('damage is not copied: a node that is ordered to copy a damaged block reports it, and a check finds it too', async () => {
  await using mill = await Mill.start({ datanodes: 2 })
  const [one] = await file(mill, '/one', { replication: 1 })
  const [two] = await file(mill, '/two', { replication: 1 })
  const [holder] = mill.namenode.files.get('/one')!.blocks[0]!.nodes
  const at = mill.datanodes.findIndex(({ node }) => node === holder)
  for (const id of [one!, two!]) {
    const bytes = readFileSync(pathOf(mill, at, id))
    bytes[200_000]! ^= 1
    writeFileSync(pathOf(mill, at, id), bytes)
  }
  const target = [...mill.namenode.nodes.values()].map(({ place }) => place).find(({ node }) => node !== holder)!
  mill.namenode.give(holder!, {
    kind: 'replicate', block: one!, length: 300_000, targets: [target],
    token: mill.namenode.tokens.issue({ mode: 'write', block: one! }),
  })
  mill.namenode.give(holder!, { kind: 'verify', block: two! })
  await until('both are reported', () => mill.namenode.reportedBad.length === 2)
  expect(mill.namenode.reportedBad.map(({ block }) => block).sort()).toEqual([one, two].sort())
  expect(mill.namenode.holders(one!)).toEqual([])
})

test('a node that gets a request for a block which it does not have reports that, and one that has it reports that too', async () => {
  await using mill = await Mill.start({ datanodes: 2 })
  const [one] = await file(mill, '/one', { replication: 1 })
  const [holder] = mill.namenode.files.get('/one')!.blocks[0]!.nodes
  const other = [...mill.namenode.nodes.values()].find(({ place }) => place.node !== holder)!
  const listed = { length: 300_000, crc: 1 }
  // The namenode's list contains a block that the node does not have, and lacks one that it has.
  other.blocks.set(one!, listed)
  mill.namenode.nodes.get(holder!)!.blocks.delete(one!)
  mill.namenode.give(other.place.node, { kind: 'verify', block: one! })
  mill.namenode.give(holder!, { kind: 'verify', block: one! })
  await until('both have said how it is', () => !other.blocks.has(one!) && mill.namenode.holders(one!).length === 1)
  // A source without the block cannot copy it: the namenode does not order it for ever.
  other.blocks.set(one!, listed)
  mill.namenode.give(other.place.node, {
    kind: 'replicate', block: one!, length: 300_000,
    targets: [mill.namenode.nodes.get(holder!)!.place],
    token: mill.namenode.tokens.issue({ mode: 'write', block: one! }),
  })
  await until('it has said so', () => !other.blocks.has(one!))
  expect(mill.namenode.reportedBad).toEqual([])
})

test('a failed copy is reported at once, and whether source or target is at fault', async () => {
  await using mill = await Mill.start({ datanodes: 2 })
  const [one] = await file(mill, '/one', { replication: 1 })
  const [holder] = mill.namenode.files.get('/one')!.blocks[0]!.nodes
  const order = (block: BlockId, targets: NodePlace[]): void =>
    mill.namenode.give(holder!, {
      kind: 'replicate', block, length: 300_000, targets,
      token: mill.namenode.tokens.issue({ mode: 'write', block }),
    })
  const gone: NodePlace = { node: nodeId('gone'), address: nowhere, rack: '/r', host: 'h' }
  const there = [...mill.namenode.nodes.values()].map(({ place }) => place).find(({ node }) => node !== holder)!
  order(one!, [gone])
  await until('the failure is told', () => mill.namenode.copiesFailed.length === 1)
  expect(mill.namenode.copiesFailed[0]).toEqual({ from: holder, block: one, targets: ['gone'], source: false })
  // One of two targets is unreachable: the other gets its copy, and only the first is reported.
  order(one!, [there, gone])
  await until('the rest is told', () => mill.namenode.copiesFailed.length === 2)
  expect(mill.namenode.copiesFailed[1]).toEqual({ from: holder, block: one, targets: ['gone'], source: false })
  await until('the copy is reported', () => mill.namenode.holders(one!).length === 2)
  order(blockId(999_999), [there])
  await until('what is not there is told', () => mill.namenode.copiesFailed.length === 3)
  expect(mill.namenode.copiesFailed[2]).toEqual({ from: holder, block: 999_999, targets: [there.node], source: true })
})

test('a node whose only disk refuses a sync says that it cannot go on', async () => {
  let refuse = false
  await using mill = await Mill.start({ datanodes: 1, disks: () => ({ ...localDisk, syncDir: async path => {
    if (refuse && path.includes('/blocks')) throw Object.assign(new Error('EIO'), { code: 'EIO' })
    await localDisk.syncDir(path)
  } }) })
  refuse = true
  const writing = file(mill).catch((error: { code: string }) => error.code)
  await expect(mill.datanodes[0]!.failed).rejects.toMatchObject({ code: 'INTERNAL' })
  expect(['ENOSPC', 'UNAVAILABLE']).toContain(await writing)
})

test('of several changes of a block only the newest is reported, and none is lost that comes while others are being sent', () => {
  const changes = new Changes()
  const replica = (id: number): Parameters<Changes['added']>[0] => ({ id: id as BlockId, length: 1, crc: 1, storage: 's' as never })
  changes.added(replica(1))
  changes.added(replica(2))
  changes.removed(2 as BlockId)
  changes.bad(3 as BlockId)
  const batch = changes.batch()
  expect(batch).toEqual({ added: [replica(1)], removed: [2], bad: [3] })
  changes.removed(1 as BlockId)
  changes.added(replica(3))
  changes.settle(batch)
  expect(changes.batch()).toEqual({ added: [replica(3)], removed: [1], bad: [] })
})
