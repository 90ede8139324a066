// Replication while datanodes are stale, paused or replaced, on a simulated cluster around a whole namenode: replicas on a stale node count
// for nothing that deletes others, and a paused namenode declares no node dead.

import { expect, test } from 'vitest'
import { knownNodes } from '../../../../namenode/nodes/known.ts'
import { address, clusterId } from '../../../../src/base/ids.ts'
import * as heartbeat from '../../../../src/protocol/heartbeat.ts'
import * as order from '../../../../src/protocol/order.ts'
import { Fake, place, Sim, times } from '../house.ts'

test('no block is copied from a stale node; blocks that only it has are copied when its heartbeats return', async () => {
  const sim = await Sim.calm(34, 4)
  const { house, nodes: [silent, other] } = sim
  const [alone, both] = [await place(sim, 1, [0]), await place(sim, 2, [0, 1])]
  await sim.pass(300)
  silent!.up = false // its session goes on
  await sim.until('it is silent', () => house.node(silent!).state === 'stale')
  // Both have capacity, and the stale one is first among the holders.
  await sim.setrep('/p0', 2)
  await sim.setrep('/p1', 3)
  await sim.pass(1_000)
  expect(house.node(silent!).state).toBe('stale')
  const copies = (): string[] =>
    house.given.flatMap(({ node, order }) => (order.kind === 'replicate' ? [`${order.block} from ${node}`] : []))
  expect(copies()).toEqual([`${both} from ${other!.id}`])
  silent!.up = true
  await sim.until('what it alone has is copied', () => sim.holders(alone).length === 2)
  expect(copies()).toEqual([`${both} from ${other!.id}`, `${alone} from ${silent!.id}`])
  await house.stop()
})

test('while an excess replica is on a stale node none is deleted, and one is when its heartbeats return', async () => {
  const sim = await Sim.calm(35, 4)
  const { house, nodes: [silent] } = sim
  const id = await place(sim, 3, [0, 1, 2])
  await sim.pass(300)
  silent!.up = false // its session goes on
  await sim.until('it is silent', () => house.node(silent!).state === 'stale')
  await sim.setrep('/p0', 2)
  await sim.pass(1_500)
  expect(house.node(silent!).state).toBe('stale')
  expect(house.blocks.map.holders(id)).toHaveLength(3)
  expect(house.count('delete')).toBe(0)
  silent!.up = true
  await sim.until('one has gone', () => sim.holders(id).length === 2)
  expect(house.count('delete')).toBe(1)
  await house.stop()
})

test('a stale node whose heartbeats return is asked for its free slots at once', async () => {
  const sim = new Sim(30, 1)
  await sim.start()
  await sim.pass(200)
  const [node] = sim.house.registry.all
  const answered = node!.orders.wait(new AbortController().signal)
  sim.nodes[0]!.kill()
  await sim.until('it is silent', () => node!.state === 'stale')
  sim.house.registry.contact(node!.node, node!.session)
  expect(await answered).toEqual([])
  await sim.house.stop()
})

test('a node whose waiting call breaks off, without further heartbeats, is stale after a third of the time', async () => {
  const sim = new Sim(31, 2)
  await sim.start()
  await sim.pass(200)
  const heard: string[] = []
  sim.house.registry.listen({
    stale: ({ node }) => {
      heard.push(`${node} is silent`)
    },
    returned: ({ node }) => {
      heard.push(`${node} is back`)
    },
  })
  const [gone, alive] = [...sim.house.registry.all]
  const hangUp = async ({ node, session }: typeof gone & object): Promise<void> => {
    const connection = new AbortController()
    const call = sim.house.call(order.orders, { node, session, acknowledged: 0, freeSlots: 0 }, connection.signal)
    await Promise.resolve()
    connection.abort()
    await call
  }
  await hangUp(gone!)
  await hangUp(alive!)
  sim.house.registry.contact(alive!.node, alive!.session) // it calls again
  sim.clock.ms += times.nodeStaleMs / 3 + 1
  sim.house.registry.check()
  expect([gone!.state, alive!.state]).toEqual(['stale', 'live'])
  sim.house.registry.contact(gone!.node, gone!.session)
  expect(heard).toEqual([`${gone!.node} is silent`, `${gone!.node} is back`])
  await sim.house.stop()
})

test('a namenode that was paused declares no datanode dead because of it, and still finds those that are', async () => {
  const sim = await Sim.calm(33, 3)
  const [gone, ...alive] = sim.nodes
  gone!.kill()
  const states = (): string[] => sim.nodes.map(node => sim.house.node(node).state)
  await sim.until('the first is silent', () => states()[0] === 'stale')
  // Timers run before unread data in sockets: the check for stale nodes comes first.
  sim.clock.ms += 100 * times.nodeDeadMs
  sim.house.registry.check()
  expect(states()).toEqual(['stale', 'live', 'live'])
  await sim.pass(times.nodeStaleMs)
  expect(states()).toEqual(['stale', 'live', 'live'])
  await sim.until('the first is dead', () => states()[0] === 'dead', times.nodeDeadMs)
  expect(alive.map(node => node.session)).not.toContain(0)
  await sim.house.stop()
})

test('a namenode that is paused just after its start still waits for the reports of its datanodes', async () => {
  const sim = await Sim.calm(34, 3)
  const id = await place(sim, 2, [0, 1])
  const late = sim.nodes[1]!
  late.up = false
  await sim.restart()
  await sim.pass(times.nodeDeadMs / 2)
  sim.clock.ms += times.nodeDeadMs
  await sim.pass(times.nodeDeadMs / 4)
  expect([sim.house.blocks.safe.settled, sim.house.count('replicate')]).toEqual([false, 0])
  late.up = true
  await sim.until('it has reported', () => sim.house.blocks.map.holders(id).length === 2)
  await sim.pass(times.nodeDeadMs)
  expect([sim.house.blocks.safe.settled, sim.house.count('replicate')]).toEqual([true, 0])
  await sim.house.stop()
})

test('an address belongs to one node: another identity is admitted there when the first is stale, and replaces it', async () => {
  const sim = await Sim.calm(32, 3)
  const { registry, blocks } = sim.house
  const [first] = sim.nodes
  const id = await place(sim, 3, [0, 1, 2])
  await sim.pass(200)
  const second = new Fake(sim, 'second', first!.rack)
  second.address = first!.address
  await expect(second.step()).rejects.toMatchObject({ code: 'EADDRINUSE', details: { holder: first!.id } })
  // It is neither recorded in the journal nor awaited after a restart.
  expect([...knownNodes(sim.house.bench.journal.view)].map(({ node }) => node as string).sort()).toEqual(['n0', 'n1', 'n2'])
  expect(sim.house.node(first!).state).toBe('live')
  first!.kill()
  await sim.until('the first is silent', () => sim.house.node(first!).state === 'stale')
  sim.nodes.push(second)
  await sim.pass(100)
  // If both were live, they would be given two replicas of one block on one disk.
  expect(registry.get(second.id)!.state).toBe('live')
  expect(sim.house.node(first!).state).toBe('dead')
  await sim.until('what the first had is copied to the second', () => sim.holders(id).includes('second'), times.nodeDeadMs)
  expect(blocks.map.holders(id).map(({ node }) => node as string).sort()).toEqual(['n1', 'n2', 'second'])
  // A slow process that has lost its address gets an error and takes nothing from the current one.
  first!.up = true
  first!.session = 0
  await expect(first!.step()).rejects.toMatchObject({ code: 'EADDRINUSE', details: { holder: second.id } })
  await sim.house.stop()
})

test('a call with an old session gets UNREGISTERED, and so does a node that was dead', async () => {
  const sim = new Sim(25, 1)
  await sim.start()
  await sim.pass(200)
  const node = sim.nodes[0]!
  const { session } = node
  const beat = (of: number): Promise<unknown> =>
    sim.house.call(heartbeat.beat, { node: node.id, session: of, storages: [], transfers: 0, running: 0 })
  await expect(beat(session + 1)).rejects.toMatchObject({ code: 'UNREGISTERED' })
  await beat(session)
  node.up = false
  await sim.pass(times.nodeDeadMs + 500)
  await expect(beat(session)).rejects.toMatchObject({ code: 'UNREGISTERED' })
  await expect(
    sim.house.call(heartbeat.register, {
      cluster: clusterId('other'), node: node.id, address: address('a:1'), rack: '/r', host: 'h', pid: 1, version: '', slots: 1,
      storages: [], attempts: [],
    }),
  ).rejects.toMatchObject({ code: 'WRONG_CLUSTER' })
  await sim.house.stop()
})
