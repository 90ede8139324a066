// Namenode's block rooms with fake datanodes and manual time, for tests of replication, excess replicas, balancing and deletion. Replies
// are lost and reports are repeated, as on a bad network.

import { Balancer } from '../../../namenode/balance/balancer.ts'
import { BalanceControl } from '../../../namenode/balance/routes.ts'
import { Blocks } from '../../../namenode/blocks/blocks.ts'
import { Chores } from '../../../namenode/chores.ts'
import { blocksOf, knownBlock } from '../../../namenode/namespace/file.ts'
import { remove, setAttributes } from '../../../namenode/namespace/names.ts'
import { list } from '../../../namenode/namespace/read.ts'
import { sweep } from '../../../namenode/namespace/sweep.ts'
import type { DataNode } from '../../../namenode/nodes/node.ts'
import { nodesRoutes } from '../../../namenode/nodecalls/routes.ts'
import { knownNodes } from '../../../namenode/nodes/known.ts'
import { HostLists } from '../../../namenode/service/hosts.ts'
import { ServiceStates } from '../../../namenode/service/servicestates.ts'
import { NodeRegistry } from '../../../namenode/nodes/registry.ts'
import { ReportIds } from '../../../namenode/nodes/reportids.ts'
import { complete, create } from '../../../namenode/writing/mutations.ts'
import { address, clusterId, nodeId, storageId, type BlockId } from '../../../src/base/ids.ts'
import { silent, type LogFields } from '../../../src/ports/log.ts'
import type { Random } from '../../../src/ports/random.ts'
import type { Message, ReplyOf, RequestOf } from '../../../src/protocol/message.ts'
import * as heartbeat from '../../../src/protocol/heartbeat.ts'
import { copyFailed, orders as wait, type Order } from '../../../src/protocol/order.ts'
import * as report from '../../../src/protocol/report.ts'
import { BlockTokens } from '../../../src/rpc/token.ts'
import { seeded } from '../../../src/world/random.ts'
import { ManualClock } from '../../kit/manual-clock.ts'
import { MemoryDisk } from '../../kit/memory-disk.ts'
import { openBench, root, type Bench } from './kit.ts'

export const times = { nodeStaleMs: 1000, nodeDeadMs: 4000, longPollMs: 500 }

/** The block-keeping part of a namenode, over a journal that outlives its restarts. */
export class House {
  readonly bench: Bench
  readonly registry: NodeRegistry
  readonly blocks: Blocks
  readonly balancer: Balancer
  readonly chores: Chores
  readonly open = new Set<BlockId>()
  /** All orders given, in order. */
  readonly given: Array<{ readonly node: string; readonly order: Order }> = []
  settled = 0
  /** Has the hosts files `/include` and `/exclude`, if a test writes them. */
  readonly disk = new MemoryDisk()
  /** Errors of chores, which only log them. */
  readonly findings: string[] = []
  #looks = 0
  readonly #routes = new Map<string, (request: unknown, context: unknown) => unknown>()

  constructor(bench: Bench, random: Random) {
    this.bench = bench
    const { clock, journal } = bench
    const reportIds = new ReportIds()
    this.registry = new NodeRegistry({ clock, log: silent, random }, reportIds, times)
    this.blocks = new Blocks({
      view: journal.view, registry: this.registry, reportIds,
      tokens: new BlockTokens({ secret: Buffer.alloc(32), clock }),
      clock, log: silent, random, nodeDeadMs: times.nodeDeadMs, isOpen: id => this.open.has(id),
    })
    this.blocks.listen({ settled: () => { this.settled++ } })
    for (const known of knownNodes(journal.view)) this.registry.expect(known)
    const { blocks, registry } = this
    const actor = () => root
    const hosts = new HostLists({ disk: this.disk, log: silent }, { include: '/include', exclude: '/exclude' })
    const states = new ServiceStates({ journal, registry, blocks, clock, actor, hosts, log: silent })
    this.balancer = new Balancer({ view: journal.view, blocks, registry, clock, log: silent, random })
    const balancing = new BalanceControl({ journal, balancer: this.balancer, clock, log: silent, actor })
    for (const { message, handler } of [...states.routes, ...balancing.routes]) this.#routes.set(message.name, handler as never)
    for (const { message, handler } of nodesRoutes({
      succession: { command: { epoch: 1 }, meet: async () => {} },
      authority: { unsure: undefined }, cluster: clusterId('test'), journal, registry, reportIds, reports: blocks.reports, clock,
      admit: place => hosts.admit(place),
      nowMs: () => clock.now(), taken: (node, taken) => blocks.taken(node, taken),
      copyFailed: (node, failure) => blocks.repair.failed(node, failure),
    })) {
      this.#routes.set(message.name, handler as never)
    }
    const log = { ...silent, error: (_: string, fields?: LogFields) => void this.findings.push(String(fields?.['error'])) }
    this.chores = new Chores(clock, log, [
      { name: 'silence', everyMs: 100, work: () => this.registry.check() },
      ...blocks.chores, ...states.chores, balancing.chore,
    ].map(chore => ({ ...chore, work: () => this.#looked(() => chore.work()) })))
    this.registry.listen({
      joined: ({ node, orders }) => {
        const push = orders.push.bind(orders)
        orders.push = order => {
          this.given.push({ node, order })
          return push(order)
        }
      },
    })
    this.chores.start()
    blocks.start()
  }

  /** Number of orders of a kind so far. */
  count(kind: Order['kind']): number { return this.given.filter(({ order }) => order.kind === kind).length }

  node(fake: Fake): DataNode { return this.registry.get(fake.id)! }

  call<M extends Message>(message: M, request: RequestOf<M>, signal: AbortSignal = new AbortController().signal): Promise<ReplyOf<M>> {
    return Promise.resolve().then(() => this.#looked(() => this.#routes.get(message.name)!(request, { signal }))) as Promise<ReplyOf<M>>
  }

  /** Looks at the state that is kept by hand, after `work` and when its promise has settled, which comes no later for it. */
  #looked<T>(work: () => T): T {
    const look = (): void => {
      // A look at thousands of blocks takes a millisecond.
      if (this.blocks.map.table.size > 500 && ++this.#looks % 50 !== 0) return
      this.blocks.checkState()
      this.registry.checkState()
    }
    const result = work()
    look()
    if (result instanceof Promise) void result.then(look, look)
    return result
  }

  async stop(): Promise<void> {
    await this.chores.stop()
    await this.blocks.stop()
    this.registry.stop()
  }
}

/** Fake datanode: a map of blocks, and the loop of a real one, one step at a time. */
export class Fake {
  readonly id
  readonly rack: string
  /** Address and host that it registers with. */
  address: string
  host: string
  readonly blocks = new Map<BlockId, { length: number; crc: number }>()
  readonly changes: Array<['added' | 'removed' | 'bad', BlockId]> = []
  session = 0
  seq = 0
  acknowledged = 0
  up = true
  fullDue = true
  readonly sim: Sim
  polling = false
  /** Receives no orders. */
  deaf = false
  /** Disk size, for small disks: only then is the content counted. */
  capacityBytes: number | undefined
  /** Copies to it fail, and the sender reports it. */
  refuses = false
  /** One in six of the copies that it should make fails without a report. */
  careless = true

  constructor(sim: Sim, name: string, rack: string) {
    this.sim = sim
    this.id = nodeId(name)
    this.rack = rack
    this.address = `${name}:1`
    this.host = name
  }

  async step(): Promise<void> {
    if (!this.up) return
    const { house } = this.sim
    try {
      if (this.session === 0) {
        const reply = await house.call(heartbeat.register, {
          node: this.id, address: address(this.address), rack: this.rack, host: this.host, pid: 1, version: '', slots: 0, attempts: [],
          storages: [this.#storage()],
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
          await this.#send(report.full, {
            ...who, seq: ++this.seq, taken: this.acknowledged, first: i === 0, last: i === 1,
            storages: [{ id: storageId('s'), blocks: rows }],
          })
        }
      }
      // The newest change of each block, as from a datanode.
      const batch = [...new Map(this.changes.splice(0).map(([kind, id]) => [id, kind]))].map(([id, kind]) => [kind, id] as const)
      if (batch.length > 0) {
        const of = (kind: string): BlockId[] => batch.filter(([what]) => what === kind).map(([, id]) => id)
        await this.#send(report.changes, {
          ...who, seq: ++this.seq, taken: this.acknowledged, removed: of('removed'), bad: of('bad'),
          added: of('added').filter(id => this.blocks.has(id)).map(id => ({ id, ...this.blocks.get(id)!, storage: storageId('s') })),
        })
      }
      this.#poll()
    } catch (error) {
      if ((error as { code?: string }).code !== 'UNREGISTERED') throw error
      this.session = 0
    }
  }

  /** Sends, sometimes twice, as after a lost reply. */
  async #send<M extends Message>(message: M, request: RequestOf<M>): Promise<void> {
    await this.sim.house.call(message, request)
    if (this.sim.random.below(4) === 0) await this.sim.house.call(message, request)
  }

  #poll(): void {
    if (this.polling || this.deaf) return
    this.polling = true
    const { session } = this
    this.sim.house.call(wait, { node: this.id, session, acknowledged: this.acknowledged, freeSlots: 0 }).then(({ orders }) => {
      // The reply is lost with the process, or on the way.
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
          this.changes.push(['removed', id])
          if (!this.blocks.has(id)) continue
          this.sim.checkDelete(this, id)
          this.sim.stats.deleted++
          this.blocks.delete(id)
        }
        return
      case 'replicate': {
        const mine = this.blocks.get(order.block)
        if (!mine) this.changes.push(['removed', order.block])
        if (!mine || this.careless && this.sim.random.below(6) === 0) return // a copy that fails silently
        for (const { node } of order.targets) {
          const target = this.sim.nodes.find(each => each.id === node)!
          if (target.refuses) {
            void this.sim.house
              .call(copyFailed, { node: this.id, session: this.session, block: order.block, targets: [node], source: false, message: 'no' })
              .catch(() => {})
            continue
          }
          if (!target.up || target.blocks.has(order.block)) continue
          target.blocks.set(order.block, { ...mine })
          target.changes.push(['added', order.block])
          this.sim.stats.copied++
        }
        return
      }
      case 'verify':
        if (!this.blocks.has(order.block)) {
          this.changes.push(['removed', order.block])
        } else if (this.blocks.get(order.block)?.crc === 7) {
          this.changes.push(['added', order.block])
        } else {
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

  #storage() {
    const { capacityBytes, blocks } = this
    const usedBytes = [...blocks.values()].reduce((sum, { length }) => sum + length, 0)
    if (capacityBytes !== undefined)
      return {
        id: storageId('s'), dir: '/d', capacityBytes, freeBytes: capacityBytes - usedBytes, usedBytes, blocks: blocks.size, failed: false,
      }
    return {
      id: storageId('s'), dir: '/d', capacityBytes: 1e12, freeBytes: 5e11 - this.blocks.size * 1e6, usedBytes, blocks: this.blocks.size,
      failed: false,
    }
  }
}

export class Sim {
  readonly random: Random
  readonly clock = new ManualClock()
  readonly nodes: Fake[]
  house!: House
  files = 0
  readonly wrongs: string[] = []
  readonly stats = { copied: 0, deleted: 0, restarts: 0, bad: 0 }

  constructor(seed: number, nodes: number, racks = 2) {
    this.random = seeded(seed)
    this.nodes = Array.from({ length: nodes }, (_, i) => new Fake(this, `n${i}`, `/r${i % racks}`))
  }

  /** A cluster without random faults. */
  static async calm(seed: number, nodes: number, racks = 2): Promise<Sim> {
    const sim = new Sim(seed, nodes, racks)
    for (const node of sim.nodes) node.careless = false
    await sim.start()
    await sim.pass(500)
    return sim
  }

  /** Moves time until the condition holds; fails after a while. */
  async until(what: string, holds: () => boolean, ms = 60_000): Promise<void> {
    for (let at = 0; !holds(); at += 100) {
      if (at >= ms) throw new Error(`not within ${ms} ms: ${what}`)
      await this.pass(100)
    }
  }

  holders(id: BlockId): string[] { return this.nodes.filter(node => node.up && node.blocks.has(id)).map(node => node.id as string) }

  async start(): Promise<void> { this.house = new House(await openBench({ clock: this.clock }), this.random) }

  /** Kills and restarts the namenode, which loses its knowledge of replicas. */
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
      if (this.house.findings.length > 0) throw new Error(`a chore failed: ${this.house.findings[0]}`)
    }
  }

  async put(replication: number, count: number): Promise<void> {
    const { bench, blocks, registry, open } = this.house
    const path = `/f${this.files++}`
    const made = await bench.do(create, { path, replication, blockBytes: 4096, blocks: count })
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
    // Some writers abandon their files, or leave blocks unused: those are garbage.
    const kept = this.random.below(5) === 0 ? sealed.slice(1) : sealed
    if (live.length > 0)
      await bench.do(complete, { lease: made.lease, blocks: kept.map(({ id, length, crc, aligned }) => ({ id, length, crc, aligned })) })
    for (const { id } of sealed) open.delete(id)
    for (const { id, holders } of kept) {
      for (const node of holders) {
        const there = registry.get(node.id)
        if (there?.serves) blocks.map.add(id, there)
      }
      blocks.map.know(id, replication)
    }
    blocks.invalidate(sealed.filter(each => !kept.includes(each)).map(each => each.id))
  }

  paths(): string[] { return list(this.house.bench.journal.view, root, { path: '/' }).entries.map(entry => entry.path) }

  async rm(): Promise<void> {
    const path = this.#any(this.paths())
    if (path === undefined) return
    const { bench, blocks } = this.house
    await bench.do(remove, { path })
    for (let more = true; more;) {
      const swept = await bench.journal.submit(sweep, { limit: 3 })
      blocks.invalidate(swept.blocks)
      more = swept.more
    }
  }

  async setrep(path = this.#any(this.paths()), replication = 1 + this.random.below(4)): Promise<void> {
    if (path === undefined) return
    const { bench, blocks } = this.house
    const { id } = await bench.do(setAttributes, { path, replication })
    for (const chunk of blocksOf(bench.journal.view, id)) for (const block of chunk) blocks.map.know(block.id, replication)
  }

  #any<T>(items: readonly T[]): T | undefined { return items[this.random.below(Math.max(1, items.length))] }

  /** Rule 5: a deleted replica belongs to no file, or there are other good replicas on live nodes. */
  checkDelete(node: Fake, id: BlockId): void {
    if (!knownBlock(this.house.bench.journal.view, id)) return
    const good = (each: Fake): boolean => each.blocks.get(id)?.crc === 7
    if (good(node) && !this.nodes.some(each => each !== node && good(each)))
      this.wrongs.push(`${node.id} deleted the last good copy of ${id}`)
  }

  /** Violations of the rules in a quiet cluster. */
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
          const racks = (nodes: readonly Fake[]): number => new Set(nodes.map(node => node.rack)).size
          if (want > 1 && racks(holders) === 1 && racks(this.nodes.filter(node => node.up)) > 1)
            wrong.push(`${path} block ${block.id} is in one rack`)
          if (holders.length !== want && holders.length > 0)
            wrong.push(`${path} block ${block.id} is on ${holders.map(node => node.id).join(' ') || 'nothing'}, wanted ${want}`)
        }
      }
    }
    for (const node of this.nodes)
      if (node.up)
        for (const id of node.blocks.keys())
          if (!known.has(id) && id < view.counters.nextBlock) wrong.push(`${node.id} holds ${id}, which is nobody's`)
    return wrong
  }
}

/** Creates a file of one block on these nodes, reported by them. */
export async function place(sim: Sim, replication: number, on: number[]): Promise<BlockId> {
  const { bench, blocks, registry } = sim.house
  const { lease, blocks: [id] } = await bench.do(create, { path: `/p${sim.files++}`, replication, blockBytes: 4096, blocks: 1 })
  await bench.do(complete, { lease, blocks: [{ id: id!, length: 100, crc: 7, aligned: true }] })
  for (const i of on) {
    sim.nodes[i]!.blocks.set(id!, { length: 100, crc: 7 })
    blocks.map.add(id!, registry.get(sim.nodes[i]!.id)!)
  }
  blocks.map.know(id!, replication)
  return id!
}
