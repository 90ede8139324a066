// The keeping of replicas under faults: a namenode's rooms with datanodes made of a few lines, time moved by hand. Nodes
// die, come back with or without their disks, lose answers, corrupt blocks; files come and go and change their
// replication. Afterwards everything must be as the rules say: every block with its replicas on different nodes, no more,
// nothing that is nobody's, and never a delete of the last good copy.

import { expect, test } from 'vitest'
import { Keeper } from '../../../namenode/blocks/keeper.ts'
import { Housekeeping } from '../../../namenode/housekeeping.ts'
import { blocksOf, knownBlock } from '../../../namenode/namespace/file.ts'
import { remove, setAttributes } from '../../../namenode/namespace/names.ts'
import { list } from '../../../namenode/namespace/read.ts'
import { sweep } from '../../../namenode/namespace/sweep.ts'
import type { DataNode } from '../../../namenode/nodes/node.ts'
import { nodesRoutes } from '../../../namenode/nodes/conversation.ts'
import { forgetGone, knownNodes } from '../../../namenode/nodes/known.ts'
import { Registry } from '../../../namenode/nodes/registry.ts'
import { Terms } from '../../../namenode/nodes/terms.ts'
import { complete, create } from '../../../namenode/writing/mutations.ts'
import { address, blockId, clusterId, nodeId, storageId, type BlockId } from '../../../src/base/ids.ts'
import { silent } from '../../../src/ports/log.ts'
import type { Random } from '../../../src/ports/random.ts'
import type { Message, ReplyOf, RequestOf } from '../../../src/protocol/message.ts'
import * as heartbeat from '../../../src/protocol/heartbeat.ts'
import { orders as wait, type Order } from '../../../src/protocol/order.ts'
import * as report from '../../../src/protocol/report.ts'
import { BlockTokens } from '../../../src/rpc/token.ts'
import { seeded } from '../../../src/world/random.ts'
import { ManualClock, openBench, root, type Bench } from './kit.ts'

const times = { nodeStaleMs: 1000, nodeDeadMs: 4000, longPollMs: 500 }

/** What a namenode is of its block keeping, over a journal that lives on when it restarts. */
class House {
  readonly bench: Bench
  readonly registry: Registry
  readonly keeper: Keeper
  readonly chores: Housekeeping
  readonly open = new Set<BlockId>()
  settled = 0
  readonly #routes = new Map<string, (request: unknown, context: unknown) => unknown>()

  constructor(bench: Bench, random: Random) {
    this.bench = bench
    const { clock, journal } = bench
    const terms = new Terms()
    this.registry = new Registry({ clock, log: silent, random }, terms, times)
    this.keeper = new Keeper({
      view: journal.view, registry: this.registry, terms, tokens: new BlockTokens({ secret: Buffer.alloc(32), clock }), clock, log: silent, random,
      nodeDeadMs: times.nodeDeadMs, isOpen: id => this.open.has(id), onSettled: () => { this.settled++ },
    })
    for (const known of knownNodes(journal.view)) this.registry.expect(known)
    const { keeper, registry } = this
    for (const { message, handler } of nodesRoutes({ cluster: clusterId('test'), journal, registry, terms, reports: keeper.reports, clock, taken: (node, taken) => keeper.taken(node, taken) })) {
      this.#routes.set(message.name, handler as never)
    }
    this.chores = new Housekeeping(clock, silent, [{ name: 'silence', everyMs: 100, work: () => this.registry.check() }, ...keeper.chores])
    this.chores.start()
    keeper.start()
  }

  call<M extends Message>(message: M, request: RequestOf<M>): Promise<ReplyOf<M>> {
    return Promise.resolve().then(() => this.#routes.get(message.name)!(request, { signal: new AbortController().signal })) as Promise<ReplyOf<M>>
  }

  async stop(): Promise<void> {
    await this.chores.stop()
    await this.keeper.stop()
    this.registry.stop()
  }
}

/** A datanode: a map of blocks, and the loop that a real one runs, a step at a time. */
class Fake {
  readonly id
  readonly rack: string
  readonly blocks = new Map<BlockId, { length: number; crc: number }>()
  readonly changes: Array<['added' | 'removed' | 'bad', BlockId]> = []
  session = 0
  seq = 0
  acknowledged = 0
  up = true
  fullDue = true
  /** Orders that it has deleted the last good copy by. */
  readonly sim: Sim
  polling = false
  /** It does not hear orders. */
  deaf = false

  constructor(sim: Sim, name: string, rack: string) {
    this.sim = sim
    this.id = nodeId(name)
    this.rack = rack
  }

  async step(): Promise<void> {
    if (!this.up) return
    const { house } = this.sim
    try {
      if (this.session === 0) {
        const reply = await house.call(heartbeat.register, {
          node: this.id, address: address(`${this.id}:1`), rack: this.rack, host: this.id, pid: 1, version: '', slots: 0, attempts: [], storages: [this.#storage()],
        })
        this.session = reply.session
        this.seq = 0
        this.acknowledged = 0
        this.fullDue = true
      }
      const who = { node: this.id, session: this.session }
      await house.call(heartbeat.beat, { ...who, storages: [this.#storage()], transfers: 0, running: 0 })
      if (this.fullDue) {
        this.fullDue = false
        this.changes.length = 0
        const ids = [...this.blocks.keys()].sort((a, b) => a - b)
        const half = Math.ceil(ids.length / 2)
        for (const [i, page] of [ids.slice(0, half), ids.slice(half)].entries()) {
          const rows = page.map(id => [id, this.blocks.get(id)!.length, this.blocks.get(id)!.crc] as [BlockId, number, number])
          await this.#send(report.full, { ...who, seq: ++this.seq, first: i === 0, last: i === 1, storages: [{ id: storageId('s'), blocks: rows }] })
        }
      }
      const batch = this.changes.splice(0)
      if (batch.length > 0) {
        const of = (kind: string): BlockId[] => batch.filter(([what]) => what === kind).map(([, id]) => id)
        await this.#send(report.changes, {
          ...who, seq: ++this.seq, removed: of('removed'), bad: of('bad'),
          added: of('added').filter(id => this.blocks.has(id)).map(id => ({ id, ...this.blocks.get(id)!, storage: storageId('s') })),
        })
      }
      this.#poll()
    } catch (error) {
      if ((error as { code?: string }).code !== 'UNREGISTERED') throw error
      this.session = 0
    }
  }

  /** Sends, now and then twice, as if an answer had been lost. */
  async #send<M extends Message>(message: M, request: RequestOf<M>): Promise<void> {
    await this.sim.house.call(message, request)
    if (this.sim.random.below(4) === 0) await this.sim.house.call(message, request)
  }

  #poll(): void {
    if (this.polling || this.deaf) return
    this.polling = true
    const { session } = this
    this.sim.house.call(wait, { node: this.id, session, acknowledged: this.acknowledged, freeSlots: 0 }).then(({ orders }) => {
      // The answer is lost with the process, or on the way.
      if (!this.up || this.deaf || this.session !== session || this.sim.random.below(8) === 0) return
      for (const { seq, order } of orders) {
        if (seq <= this.acknowledged) continue
        this.acknowledged = seq
        this.#carryOut(order)
      }
    }, () => { if (this.session === session) this.session = 0 }).finally(() => { this.polling = false })
  }

  #carryOut(order: Order): void {
    switch (order.kind) {
      case 'delete':
        for (const id of order.blocks) {
          if (!this.blocks.has(id)) continue
          this.sim.checkDelete(this, id)
          this.sim.stats.deleted++
          this.blocks.delete(id)
          this.changes.push(['removed', id])
        }
        return
      case 'replicate': {
        const mine = this.blocks.get(order.block)
        if (!mine || this.sim.random.below(6) === 0) return // a copy that comes to nothing
        for (const { node } of order.targets) {
          const target = this.sim.nodes.find(each => each.id === node)!
          if (!target.up || target.blocks.has(order.block)) continue
          target.blocks.set(order.block, { ...mine })
          target.changes.push(['added', order.block])
          this.sim.stats.copied++
        }
        return
      }
      case 'verify':
        if (this.blocks.get(order.block)?.crc !== 7) {
          this.blocks.delete(order.block)
          this.changes.push(['bad', order.block])
          this.sim.stats.bad++
        }
        return
      case 'report': this.fullDue = true
    }
  }

  kill(): void {
    this.up = false
    this.session = 0
  }

  #storage() { return { id: storageId('s'), dir: '/d', capacityBytes: 1e12, freeBytes: 5e11 - this.blocks.size * 1e6, usedBytes: 0, blocks: this.blocks.size, failed: false } }
}

class Sim {
  readonly random: Random
  readonly clock = new ManualClock()
  readonly nodes: Fake[]
  house!: House
  files = 0
  readonly wrongs: string[] = []
  readonly stats = { copied: 0, deleted: 0, restarts: 0, bad: 0 }

  constructor(seed: number, nodes: number) {
    this.random = seeded(seed)
    this.nodes = Array.from({ length: nodes }, (_, i) => new Fake(this, `n${i}`, `/r${i % 2}`))
  }

  async start(): Promise<void> { this.house = new House(await openBench({ clock: this.clock }), this.random) }

  /** The namenode dies and starts again; what it knew of replicas is gone. */
  async restart(): Promise<void> {
    this.stats.restarts++
    await this.house.stop()
    const { store, disk } = this.house.bench
    this.house = new House(await openBench({ store: store.reopened(), disk: disk.cut(), clock: this.clock }), this.random)
    for (const node of this.nodes) node.session = 0
  }

  async pass(ms: number): Promise<void> {
    for (let at = 0; at < ms; at += 100) {
      this.clock.pass(100)
      for (const node of this.nodes) await node.step()
      for (let i = 0; i < 6; i++) await this.clock.yield()
    }
  }

  async put(replication: number, blocks: number): Promise<void> {
    const { bench, keeper, registry, open } = this.house
    const path = `/f${this.files++}`
    const made = await bench.do(create, { path, replication, blockBytes: 4096, blocks })
    const live = this.nodes.filter(node => node.up && node.session !== 0 && registry.get(node.id)?.state === 'live')
    for (const id of made.blocks) open.add(id)
    const sealed = made.blocks.map(id => {
      const holders = [...live].sort(() => this.random.float() - 0.5).slice(0, 1 + this.random.below(replication))
      for (const node of holders) {
        node.blocks.set(id, { length: 100, crc: 7 })
        node.changes.push(['added', id])
      }
      return { id, length: 100, crc: 7, aligned: true, holders }
    })
    // Some writers give up, or leave blocks unused: those are garbage.
    const kept = this.random.below(5) === 0 ? sealed.slice(1) : sealed
    if (live.length > 0) await bench.do(complete, { lease: made.lease, blocks: kept.map(({ id, length, crc, aligned }) => ({ id, length, crc, aligned })) })
    for (const { id } of sealed) open.delete(id)
    for (const { id, holders } of kept) {
      for (const node of holders) {
        const there = registry.get(node.id)
        if (there?.serves) keeper.map.add(id, there)
      }
      keeper.map.know(id, replication)
    }
    keeper.discard(sealed.filter(each => !kept.includes(each)).map(each => each.id))
  }

  paths(): string[] { return list(this.house.bench.journal.view, root, { path: '/' }).entries.map(entry => entry.path) }

  async rm(): Promise<void> {
    const path = this.#any(this.paths())
    if (path === undefined) return
    const { bench, keeper } = this.house
    await bench.do(remove, { path })
    for (let more = true; more;) {
      const swept = await bench.journal.submit(sweep, { limit: 3 })
      keeper.discard(swept.blocks)
      more = swept.more
    }
  }

  async setrep(): Promise<void> {
    const path = this.#any(this.paths())
    if (path === undefined) return
    const { bench, keeper } = this.house
    const replication = 1 + this.random.below(4)
    const { id } = await bench.do(setAttributes, { path, replication })
    for (const chunk of blocksOf(bench.journal.view, id)) for (const block of chunk) keeper.map.know(block.id, replication)
  }

  #any<T>(items: readonly T[]): T | undefined { return items[this.random.below(Math.max(1, items.length))] }

  /** Rule 5: what the system deletes is nobody's, or there are other good copies on nodes that live. */
  checkDelete(node: Fake, id: BlockId): void {
    if (!knownBlock(this.house.bench.journal.view, id)) return
    const good = (each: Fake): boolean => each.blocks.get(id)?.crc === 7
    if (good(node) && !this.nodes.some(each => each !== node && good(each))) this.wrongs.push(`${node.id} deleted the last good copy of ${id}`)
  }

  /** Everything of the rules that does not hold, now that all is quiet. */
  unwell(): string[] {
    const { view } = this.house.bench.journal
    const wrong = [...this.wrongs]
    const known = new Set<BlockId>()
    for (const { id, replication, path } of list(view, root, { path: '/' }).entries) {
      for (const chunk of blocksOf(view, id)) {
        for (const block of chunk) {
          known.add(block.id)
          const holders = this.nodes.filter(node => node.up && node.blocks.get(block.id)?.crc === 7)
          const want = Math.min(replication, this.nodes.filter(node => node.up).length)
          if (holders.length !== want && holders.length > 0) wrong.push(`${path} block ${block.id} is on ${holders.map(node => node.id).join(' ') || 'nothing'}, wanted ${want}`)
        }
      }
    }
    for (const node of this.nodes) if (node.up) for (const id of node.blocks.keys()) if (!known.has(id) && id < view.counters.nextBlock) wrong.push(`${node.id} holds ${id}, which is nobody's`)
    return wrong
  }
}

for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
  test(`after nodes and namenodes have died and disks have lied, every block has its replicas and nothing is left over (seed ${seed})`, async () => {
    const sim = new Sim(seed, 6)
    const { random, nodes } = sim
    await sim.start()
    await sim.pass(500)
    for (let i = 0; i < 10; i++) await sim.put(3, 1 + random.below(3))
    for (let round = 0; round < 40; round++) {
      const victim = nodes[random.below(nodes.length)]!
      const away = nodes.filter(node => !node.up)
      switch (random.below(9)) {
        case 0: if (away.length < 2) victim.kill(); break
        case 1: for (const node of away) node.up = true; break
        case 2: await sim.rm(); break
        case 3: await sim.setrep(); break
        case 4: await sim.restart(); break
        case 5: {
          // A block rots; a reader finds out. Only where another good copy is: else it is lost, and rightly so.
          const id = [...victim.blocks.keys()][random.below(Math.max(1, victim.blocks.size))]
          if (id !== undefined && nodes.some(node => node !== victim && node.up && node.blocks.get(id)?.crc === 7)) {
            victim.blocks.set(id, { length: 100, crc: 8 })
            sim.house.keeper.suspect(id, `${victim.id}:1`, 'it is wrong')
            if (!victim.up) victim.blocks.delete(id)
          }
          break
        }
        case 6: {
          // It restarts: a new session, the same blocks but for one that its disk has forgotten.
          victim.session = 0
          const lost = [...victim.blocks.keys()].find(id => nodes.some(node => node !== victim && node.up && node.blocks.get(id)?.crc === 7))
          if (lost !== undefined) victim.blocks.delete(lost)
          break
        }
        default: await sim.put(1 + random.below(4), 1 + random.below(3))
      }
      await sim.pass(200 + random.below(3000))
    }
    for (const node of nodes) node.up = true
    await sim.pass(60_000)
    for (const [what, count] of Object.entries(sim.stats)) if (what !== 'restarts' && what !== 'bad') expect(count, what).toBeGreaterThan(10)
    expect(sim.unwell()).toEqual([])
    expect(sim.house.keeper.safe.on).toBe(false)
    expect(sim.house.keeper.deletions.pending).toBe(0)
    expect(sim.house.keeper.repair.pending).toBe(0)
    for (const node of sim.house.registry.all) expect([node.sending, node.receiving]).toEqual([0, 0])
    await sim.house.stop()
  }, 60_000)
}

test('blocks of a dead node are copied, those with one replica left before the others', async () => {
  const sim = new Sim(20, 4)
  await sim.start()
  await sim.pass(300)
  const { registry, keeper } = sim.house
  const ordered: BlockId[] = []
  for (const node of registry.all) {
    const push = node.orders.push.bind(node.orders)
    node.orders.push = order => { if (order.kind === 'replicate') ordered.push(order.block); return push(order) }
  }
  const dead = sim.nodes[0]!
  const files = [[0, 1, 2], [0, 1], [0, 2, 3], [0, 3], [0, 1, 3]]
  for (const on of files) await place(sim, 3, on)
  const weak = [blockId(2), blockId(4)]
  dead.kill()
  sim.clock.pass(100)
  for (let i = 0; i < 3; i++) for (const node of sim.nodes.slice(1)) await node.step()
  await sim.pass(times.nodeDeadMs + 60_000)
  expect(new Set(ordered.slice(0, 2))).toEqual(new Set(weak))
  expect(sim.unwell()).toEqual([])
  expect(keeper.map.counts).toEqual([0, 0, 0, 5, 0])
  await sim.house.stop()
})

/** A file of one block on these nodes, known to everybody. */
async function place(sim: Sim, replication: number, on: number[]): Promise<BlockId> {
  const { bench, keeper, registry } = sim.house
  const { lease, blocks: [id] } = await bench.do(create, { path: `/p${sim.files++}`, replication, blockBytes: 4096, blocks: 1 })
  await bench.do(complete, { lease, blocks: [{ id: id!, length: 100, crc: 7, aligned: true }] })
  for (const i of on) {
    sim.nodes[i]!.blocks.set(id!, { length: 100, crc: 7 })
    keeper.map.add(id!, registry.get(sim.nodes[i]!.id)!)
  }
  keeper.map.know(id!, replication)
  return id!
}

test('after a restart nothing is deleted or copied before it is known where blocks lie', async () => {
  const sim = new Sim(21, 4)
  await sim.start()
  await sim.pass(300)
  for (let i = 0; i < 20; i++) await place(sim, 2, [i % 4, (i + 1) % 4])
  await sim.pass(1000)
  const given: Order[] = []
  for (const node of sim.nodes) node.kill()
  await sim.restart()
  expect(sim.house.keeper.safe.on).toBe(true)
  const listen = (node: DataNode): void => {
    const push = node.orders.push.bind(node.orders)
    node.orders.push = order => { given.push(order); return push(order) }
  }
  sim.house.registry.listen({ joined: listen })
  // Garbage on a node that comes first, and half of the replicas of everything on nodes that are not here yet.
  for (let i = 0; i < 5; i++) await sim.house.bench.do(create, { path: `/g${i}`, replication: 1, blockBytes: 4096, blocks: 1 })
  sim.nodes[0]!.blocks.set(blockId(21), { length: 1, crc: 1 })
  sim.nodes[0]!.up = true
  await sim.pass(1500)
  expect(given).toEqual([])
  expect(sim.house.settled).toBe(0)
  for (const node of sim.nodes) node.up = true
  await sim.pass(3000)
  expect(sim.house.keeper.safe.on).toBe(false)
  expect(sim.house.settled).toBe(1)
  expect(given).toEqual([{ kind: 'delete', blocks: [21] }])
  expect(sim.unwell()).toEqual([])
  await sim.house.stop()
})

test('a cluster that has lost files copies what it has, and deletes nothing until the lost files are removed', async () => {
  const sim = new Sim(22, 3)
  await sim.start()
  await sim.pass(300)
  await place(sim, 1, [0])
  await place(sim, 3, [0, 1])
  await sim.pass(1000)
  for (const node of sim.nodes) node.kill()
  await sim.restart()
  sim.nodes[1]!.up = true
  sim.nodes[2]!.up = true
  sim.nodes[2]!.blocks.set(blockId(9), { length: 1, crc: 1 })
  await sim.house.bench.do(create, { path: '/g', replication: 1, blockBytes: 4096, blocks: 8 })
  await sim.pass(times.nodeDeadMs + 5000)
  const { keeper } = sim.house
  expect(keeper.safe.on).toBe(true)
  expect(sim.nodes[2]!.blocks.has(blockId(2)), 'copied').toBe(true)
  expect(sim.nodes[2]!.blocks.has(blockId(9)), 'not deleted').toBe(true)
  expect(keeper.map.counts.slice(1)).toEqual([1, 1, 0, 0])
  await sim.house.bench.do(remove, { path: '/p0' })
  keeper.discard((await sim.house.bench.journal.submit(sweep, { limit: 100 })).blocks)
  await sim.pass(3000)
  expect(keeper.safe.on).toBe(false)
  expect(sim.nodes[2]!.blocks.has(blockId(9)), 'deleted').toBe(false)
  await sim.house.stop()
})

test('of two replicas the one on a silent node is not counted on when the other could go', async () => {
  const sim = new Sim(26, 2)
  await sim.start()
  await sim.pass(300)
  const ids: BlockId[] = []
  for (let i = 0; i < 20; i++) ids.push(await place(sim, 2, [0, 1]))
  await sim.pass(500)
  sim.nodes[0]!.kill()
  await sim.pass(times.nodeStaleMs + 500)
  for (const id of ids) sim.house.keeper.map.know(id, 1)
  await sim.pass(times.nodeDeadMs + 2000)
  expect([...sim.nodes[1]!.blocks.keys()]).toEqual(ids)
  await sim.house.stop()
})

test('a replica that was to go stays when the others have died before the order went out', async () => {
  const sim = new Sim(27, 3)
  await sim.start()
  await sim.pass(300)
  const [a, b] = [sim.nodes[0]!, sim.nodes[1]!]
  const ids: BlockId[] = []
  for (let i = 0; i < 20; i++) ids.push(await place(sim, 2, [0, 1]))
  await sim.pass(500)
  // b has its hands full with deletions that it does not take over.
  b.deaf = true
  const { keeper, registry } = sim.house
  for (const id of [100_001, 100_002, 100_003]) keeper.deletions.add(registry.get(b.id)!, [blockId(id)])
  for (const id of ids) keeper.map.know(id, 1)
  await sim.pass(800)
  const kept = [...a.blocks.keys()]
  expect(kept.length, 'some are to go from each').toBeGreaterThan(0)
  expect(kept.length).toBeLessThan(20)
  a.kill()
  await sim.pass(times.nodeDeadMs + 1000)
  b.deaf = false
  await sim.pass(5000)
  expect([...b.blocks.keys()].sort((x, y) => x - y)).toEqual(ids)
  expect(sim.wrongs).toEqual([])
  await sim.house.stop()
})

test('what a node no longer mentions in its full report is gone, and is copied to it or elsewhere', async () => {
  const sim = new Sim(28, 3)
  await sim.start()
  await sim.pass(300)
  for (let i = 0; i < 5; i++) await place(sim, 3, [0, 1, 2])
  await sim.pass(500)
  const node = sim.nodes[1]!
  node.session = 0
  node.blocks.clear()
  await sim.pass(60_000)
  expect(node.blocks.size).toBe(5)
  expect(sim.unwell()).toEqual([])
  await sim.house.stop()
})

test('a block that was never given out is never deleted', async () => {
  const sim = new Sim(23, 2)
  await sim.start()
  sim.nodes[0]!.blocks.set(blockId(999), { length: 1, crc: 1 })
  await sim.pass(10_000)
  expect(sim.nodes[0]!.blocks.has(blockId(999))).toBe(true)
  expect(sim.house.keeper.reports.strangers).toBeGreaterThan(0)
  await sim.house.stop()
})

test('a replica with another checksum does not count, and goes as soon as there is a good one', async () => {
  const sim = new Sim(24, 4)
  await sim.start()
  await sim.pass(300)
  const id = await place(sim, 3, [0, 1])
  sim.nodes[2]!.blocks.set(id, { length: 100, crc: 99 })
  sim.nodes[2]!.changes.push(['added', id])
  await sim.pass(60_000)
  expect(sim.nodes.filter(node => node.blocks.get(id)?.crc === 7)).toHaveLength(3)
  expect(sim.nodes.some(node => node.blocks.get(id)?.crc === 99)).toBe(false)
  await sim.house.stop()
})

test('a node that is gone for good is not waited for after the next restart; one that comes back is', async () => {
  const sim = new Sim(29, 3)
  await sim.start()
  await sim.pass(300)
  const expected = (): string[] => [...knownNodes(sim.house.bench.journal.view)].map(known => known.node)
  const forget = (): Promise<void> => forgetGone({ journal: sim.house.bench.journal, registry: sim.house.registry, clock: sim.clock })
  sim.nodes[0]!.kill()
  await sim.pass(times.nodeDeadMs + 1000)
  await forget()
  expect(expected()).toEqual(['n0', 'n1', 'n2'])
  sim.clock.pass(600_000)
  for (const node of sim.nodes) await node.step()
  await forget()
  expect(expected()).not.toContain('n0')
  sim.nodes[0]!.up = true
  await sim.pass(1000)
  expect(expected()).toContain('n0')
  await sim.house.stop()
})

test('a silent node that is heard of again is asked for its free slots at once', async () => {
  const sim = new Sim(30, 1)
  await sim.start()
  await sim.pass(200)
  const [node] = sim.house.registry.all
  const answered = node!.orders.wait(new AbortController().signal)
  sim.clock.ms += times.nodeStaleMs + 100
  sim.house.registry.check()
  expect(node!.state).toBe('stale')
  sim.house.registry.heard(node!.node, node!.session)
  expect(await answered).toEqual([])
  await sim.house.stop()
})

test('who speaks of an old session is told to register, and a node that was dead too', async () => {
  const sim = new Sim(25, 1)
  await sim.start()
  await sim.pass(200)
  const node = sim.nodes[0]!
  const { session } = node
  const beat = (of: number): Promise<unknown> => sim.house.call(heartbeat.beat, { node: node.id, session: of, storages: [], transfers: 0, running: 0 })
  await expect(beat(session + 1)).rejects.toMatchObject({ code: 'UNREGISTERED' })
  await beat(session)
  node.up = false
  await sim.pass(times.nodeDeadMs + 500)
  await expect(beat(session)).rejects.toMatchObject({ code: 'UNREGISTERED' })
  await expect(sim.house.call(heartbeat.register, {
    cluster: clusterId('other'), node: node.id, address: address('a:1'), rack: '/r', host: 'h', pid: 1, version: '', slots: 1, storages: [], attempts: [],
  })).rejects.toMatchObject({ code: 'WRONG_CLUSTER' })
  await sim.house.stop()
})
