// Where a writer's blocks may go: to nodes in service, with room for as much as it says will come.

import { expect, test } from 'vitest'
import { Lifetimes } from '../../../namenode/writing/lifetimes.ts'
import { writingRoutes } from '../../../namenode/writing/conversation.ts'
import { timesFrom } from '../../../namenode/times.ts'
import { requestId, type LeaseId } from '../../../src/base/ids.ts'
import { MiB } from '../../../src/base/units.ts'
import type { Message, ReplyOf, RequestOf } from '../../../src/protocol/message.ts'
import { decommission, maintenance, recommission } from '../../../src/protocol/service.ts'
import { allocate, create } from '../../../src/protocol/writing.ts'
import { BlockTokens } from '../../../src/rpc/token.ts'
import { root } from './kit.ts'
import { Sim } from './house.ts'

let requests = 0
const ask = (): { requestId: ReturnType<typeof requestId> } => ({ requestId: requestId(`test:${++requests}`) })

type Write = <M extends Message>(message: M, request: RequestOf<M>) => Promise<ReplyOf<M>>

async function writing(seed: number, nodes: number): Promise<{ sim: Sim; write: Write }> {
  const sim = await Sim.calm(seed, nodes, 1)
  const { bench, registry, keeper } = sim.house
  const { journal, clock } = bench
  const routes = writingRoutes({
    journal, registry, clock, map: keeper.map, lifetimes: new Lifetimes({ clock, view: journal.view, times: timesFrom() }), tokens: new BlockTokens({ secret: Buffer.alloc(32), clock }),
    random: sim.random, defaults: { replication: 2, blockBytes: 128 * MiB }, actor: () => root, discard: blocks => keeper.discard(blocks),
  })
  const write: Write = async (message, request) => {
    const handler = routes.find(each => each.message.name === message.name)!.handler as unknown as (request: unknown, context: unknown) => unknown
    return await handler(request, { user: 'grace' }) as never
  }
  return { sim, write }
}

test('on nodes with less room than a whole block small files are still written, and large ones refused', async () => {
  const { sim, write } = await writing(90, 2)
  for (const node of sim.nodes) node.capacityBytes = 10 * MiB
  await sim.pass(500)
  const small = await write(create, { ...ask(), path: '/small', blocks: 1, bytes: 1000 })
  expect(small.blocks[0]!.targets).toHaveLength(2)
  await expect(write(create, { ...ask(), path: '/large', blocks: 1, bytes: 100 * MiB })).rejects.toMatchObject({ code: 'ENOSPC', details: { blockBytes: 100 * MiB } })
  // A stream does not know: it gets what there is.
  const stream = await write(create, { ...ask(), path: '/stream', blocks: 1 })
  expect(stream.blocks[0]!.targets).toHaveLength(2)
  expect((await write(allocate, { ...ask(), lease: stream.lease as LeaseId, count: 1, bytes: 5 * MiB })).blocks[0]!.targets).toHaveLength(2)
  await expect(write(allocate, { ...ask(), lease: stream.lease as LeaseId, count: 1, bytes: 20 * MiB })).rejects.toMatchObject({ code: 'ENOSPC' })
  for (const node of sim.nodes) node.capacityBytes = MiB / 2
  await sim.pass(500)
  await expect(write(create, { ...ask(), path: '/stream2', blocks: 1 })).rejects.toMatchObject({ code: 'ENOSPC', details: { blockBytes: MiB } })
  await sim.house.stop()
})

test('a full node is passed over for what does not fit on it, and taken for what does', async () => {
  const { sim, write } = await writing(91, 2)
  sim.nodes[0]!.capacityBytes = 10 * MiB
  await sim.pass(500)
  const targets = async (path: string, bytes: number): Promise<string[]> =>
    (await write(create, { ...ask(), path, blocks: 1, bytes })).blocks[0]!.targets.map(each => each.node as string).sort()
  expect(await targets('/a', 1000)).toEqual(['n0', 'n1'])
  expect(await targets('/b', 64 * MiB)).toEqual(['n1'])
  await sim.house.stop()
})

test('writers are never sent to nodes that are being emptied or are in maintenance', async () => {
  const { sim, write } = await writing(92, 4)
  const [a, b] = sim.nodes
  await sim.house.call(decommission, { ...ask(), node: a!.id })
  await sim.house.call(maintenance, { ...ask(), node: b!.id, forMs: 60_000 })
  for (let i = 0; i < 20; i++) {
    const { blocks } = await write(create, { ...ask(), path: `/f${i}`, replication: 3, blocks: 1, bytes: 10, host: i % 2 === 0 ? 'n0' : 'n1' })
    expect(blocks[0]!.targets.map(each => each.node).sort()).toEqual(['n2', 'n3'])
  }
  await sim.house.call(recommission, { ...ask(), node: a!.id })
  expect((await write(create, { ...ask(), path: '/g', replication: 3, blocks: 1, bytes: 10, host: 'n0' })).blocks[0]!.targets[0]!.node).toBe('n0')
  await sim.house.stop()
})
