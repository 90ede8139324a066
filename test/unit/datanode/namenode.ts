// Fake namenode for tests of the data plane: in memory, trusts its callers, sends the orders that a test adds. It does not check names; of
// blocks it knows just enough to place, locate and complete.

import { address, blockId, clusterId, inodeId, leaseId, type Address, type BlockId, type NodeId } from '../../../src/base/ids.ts'
import { GristmillError } from '../../../src/base/errors.ts'
import { systemClock } from '../../../src/world/clock.ts'
import { systemNet } from '../../../src/world/net.ts'
import { silent } from '../../../src/ports/log.ts'
import type { Listening } from '../../../src/ports/net.ts'
import type { NodePlace } from '../../../src/protocol/fields.ts'
import * as heartbeat from '../../../src/protocol/heartbeat.ts'
import * as namespace from '../../../src/protocol/namespace.ts'
import type { ReplyOf } from '../../../src/protocol/message.ts'
import * as order from '../../../src/protocol/order.ts'
import * as report from '../../../src/protocol/report.ts'
import * as writing from '../../../src/protocol/writing.ts'
import { Authenticator } from '../../../src/rpc/auth.ts'
import { Registry } from '../../../src/rpc/metrics.ts'
import { route, serve, type Route } from '../../../src/rpc/serve.ts'
import { BlockTokens } from '../../../src/rpc/token.ts'

export const secret = Buffer.alloc(32, 7)
export const cluster = clusterId('cluster-test')

interface Node {
  place: NodePlace
  session: number
  blocks: Map<BlockId, { length: number; crc: number }>
  orders: Array<{ seq: number; order: order.Order }>
  seq: number
  acknowledged: number
}
interface File { status: namespace.FileStatus; blocks: writing.SealedBlock[] }
interface Lease {
  path: string
  blockBytes: number
  replication: number
  format: namespace.FileStatus['format']
  delimiter?: string | undefined
}

export class FakeNamenode {
  readonly tokens = new BlockTokens({ secret, clock: systemClock })
  readonly net = systemNet(silent)
  readonly nodes = new Map<NodeId, Node>()
  readonly files = new Map<string, File>()
  readonly leases = new Map<number, Lease>()
  readonly calls: string[] = []
  readonly bad: Array<{ block: BlockId; node: NodeId | undefined; message: string }> = []
  readonly reportedBad: Array<{ block: BlockId; node: NodeId }> = []
  readonly copiesFailed: Array<{ from: NodeId; block: BlockId; targets: readonly NodeId[]; source: boolean }> = []
  /** Runs between the lookup of a file's location and the reply. */
  onLocate: (() => Promise<void>) | undefined
  readonly allocated: Array<{ id: BlockId; exclude: readonly NodeId[]; targets: NodeId[] }> = []
  /** Nodes that stopped gracefully. */
  readonly left: NodeId[] = []
  /** Additional routes; set before it starts. */
  readonly extra: Route[] = []
  stopped = false
  epoch = 1
  blockBytes = 1024 * 1024
  replication = 3
  /** Nodes for a new block, in order; default: all that are not excluded. */
  place: (nodes: NodePlace[]) => NodePlace[] = nodes => nodes
  /** Order in which replicas are offered to readers. */
  order: (nodes: NodePlace[]) => NodePlace[] = nodes => nodes
  /** Answer UNREGISTERED to everything until a node registers again. */
  forgetful = false
  /** Number of sessions to forget between the reply to register and the next call, as by a namenode killed there. */
  forgetsRegistered = 0
  /** Refuses reports of changes. */
  refusesChanges = false
  lostLeases = new Set<number>()
  #listening: Listening | undefined
  #ids = 0
  /** Replies by request id: a repeat gets the first one. */
  readonly #created = new Map<string, ReplyOf<typeof writing.create>>()
  #sessions = 0
  #wake = new Map<NodeId, () => void>()

  get address(): Address { return this.#listening!.address }

  async start(port = 0): Promise<this> {
    const nodeOf = ({ node, session }: { node: NodeId; session: number }): Node => {
      const found = this.nodes.get(node)
      if (!found || found.session !== session || this.forgetful) throw new GristmillError('UNREGISTERED', 'register again')
      return found
    }
    const placed = (exclude: readonly NodeId[] = [], replication = this.replication): writing.AllocatedBlock => {
      const id = blockId(++this.#ids)
      const targets = this.place([...this.nodes.values()].map(({ place }) => place).filter(({ node }) => !exclude.includes(node))).slice(
        0, replication,
      )
      if (targets.length === 0) throw new GristmillError('ENOSPC', 'no datanode is left')
      this.allocated.push({ id, exclude, targets: targets.map(({ node }) => node) })
      return { id, targets, token: this.tokens.issue({ mode: 'write', block: id }) }
    }
    const server = serve({
      clock: systemClock, log: silent, registry: new Registry(),
      auth: new Authenticator({ secret, cluster, loopback: true, clock: systemClock }),
      routes: [
        ...this.extra,
        route(heartbeat.register, request => {
          this.calls.push('register')
          this.forgetful = false
          const session = ++this.#sessions
          this.nodes.set(request.node, {
            place: { node: request.node, address: request.address, rack: request.rack, host: request.host },
            session, blocks: new Map(), orders: [], seq: 0, acknowledged: 0,
          })
          if (this.forgetsRegistered > 0) {
            this.forgetsRegistered--
            this.forgetful = true
          }
          return { cluster, epoch: this.epoch, session, kill: [] }
        }),
        route(heartbeat.beat, request => {
          this.calls.push('beat')
          nodeOf(request)
          return { epoch: this.epoch }
        }),
        route(heartbeat.leave, request => {
          this.left.push(request.node)
          return { epoch: this.epoch }
        }),
        route(report.full, request => {
          this.calls.push('full')
          const node = nodeOf(request)
          if (request.first) node.blocks.clear()
          for (const { blocks } of request.storages) for (const [id, length, crc] of blocks) node.blocks.set(id, { length, crc })
          return {}
        }),
        route(report.changes, request => {
          this.calls.push('changes')
          if (this.refusesChanges) throw new GristmillError('EINVAL', 'these changes cannot be right')
          const { blocks } = nodeOf(request)
          for (const { id, length, crc } of request.added) blocks.set(id, { length, crc })
          for (const id of [...request.removed, ...request.bad]) blocks.delete(id)
          for (const block of request.bad) this.reportedBad.push({ block, node: request.node })
          return {}
        }),
        route(order.copyFailed, request => {
          const { place } = nodeOf(request)
          this.copiesFailed.push({ from: place.node, block: request.block, targets: request.targets, source: request.source })
          return {}
        }),
        route(order.orders, async (request, context) => {
          const node = nodeOf(request)
          node.acknowledged = request.acknowledged
          node.orders = node.orders.filter(({ seq }) => seq > request.acknowledged)
          if (node.orders.length === 0) {
            await new Promise<void>(resolve => {
              this.#wake.set(request.node, resolve)
              context.signal.addEventListener('abort', () => resolve())
              systemClock.after(500, resolve)
            })
          }
          return { epoch: this.epoch, orders: node.orders }
        }),
        route(writing.create, request => {
          const known = this.#created.get(request.requestId)
          if (known) return known
          if (this.files.has(request.path) && !request.overwrite) throw new GristmillError('EEXIST', `${request.path} exists`)
          const lease = leaseId(++this.#ids)
          const blockBytes = request.blockBytes ?? this.blockBytes
          const replication = request.replication ?? this.replication
          this.leases.set(lease, {
            path: request.path, blockBytes, replication, format: request.format ?? 'bytes', delimiter: request.delimiter,
          })
          const created = {
            lease, blockBytes, replication,
            blocks: Array.from({ length: request.blocks ?? 0 }, () => placed([], replication)),
          }
          this.#created.set(request.requestId, created)
          return created
        }),
        route(writing.allocate, request => {
          const lease = this.leases.get(request.lease)
          if (!lease) throw new GristmillError('LEASE_EXPIRED', 'the lease is gone')
          return { blocks: Array.from({ length: request.count }, () => placed(request.exclude, lease.replication)) }
        }),
        route(writing.complete, ({ lease, blocks, mtimeMs }) => {
          const open = this.leases.get(lease)
          if (!open) throw new GristmillError('LEASE_EXPIRED', 'the lease is gone')
          this.leases.delete(lease)
          const status = this.#status(open, lease, blocks, mtimeMs)
          this.files.set(open.path, { status, blocks })
          return status
        }),
        route(writing.abandon, ({ lease }) => {
          this.leases.delete(lease)
          return {}
        }),
        route(writing.renew, ({ leases }) => {
          this.calls.push('renew')
          for (const lease of this.lostLeases) this.leases.delete(lease)
          return { lost: leases.filter(lease => !this.leases.has(lease)) }
        }),
        route(namespace.locate, async ({ path, offset = 0, length }) => {
          this.calls.push('locate')
          const file = this.files.get(path)
          if (!file) throw new GristmillError('ENOENT', `no such file: ${path}`)
          const blocks: namespace.LocatedBlock[] = []
          let at = 0
          for (const block of file.blocks) {
            if (at + block.length > offset && (length === undefined || at < offset + length))
              blocks.push({ ...this.locate(block), offset: at })
            at += block.length
          }
          const answer = { status: file.status, blocks }
          await this.onLocate?.()
          return answer
        }),
        route(namespace.reportBad, ({ block, address: where, proof }) => {
          this.bad.push({
            block,
            node: [...this.nodes.values()].find(({ place }) => place.address === where)?.place.node,
            message: proof.message,
          })
          return {}
        }),
      ],
    })
    this.#listening = await this.net.listen({ http: server.http }, { host: '127.0.0.1', port })
    return this
  }

  locate(block: writing.SealedBlock): Omit<namespace.LocatedBlock, 'offset'> {
    const nodes = this.order([...this.nodes.values()].filter(({ blocks }) => blocks.has(block.id)).map(({ place }) => place))
    return {
      id: block.id, length: block.length, crc: block.crc, aligned: block.aligned, nodes,
      token: this.tokens.issue({ mode: 'read', block: block.id }),
    }
  }

  give(node: NodeId, what: order.Order): void {
    const to = this.nodes.get(node)!
    to.orders.push({ seq: ++to.seq, order: what })
    this.#wake.get(node)?.()
  }

  holders(block: BlockId): NodeId[] {
    return [...this.nodes.values()].filter(({ blocks }) => blocks.has(block)).map(({ place }) => place.node)
  }

  #status(
    { path, blockBytes, replication, format, delimiter }: Lease,
    id: number, blocks: readonly writing.SealedBlock[], mtimeMs = 0,
  ): namespace.FileStatus {
    return {
      path, id: inodeId(id), type: 'file',
      length: blocks.reduce((sum, { length }) => sum + length, 0),
      replication, blockBytes, blocks: blocks.length, format, ...(delimiter !== undefined && { delimiter }), owner: 'tester',
      group: 'tester', mode: 0o644, mtimeMs,
    }
  }

  async stop(): Promise<void> {
    const listening = this.#listening
    if (!listening || this.stopped) return
    this.stopped = true
    await listening.close(0)
    await this.net.close()
  }
}

export const nowhere = address('127.0.0.1:1')
