// Handlers of the calls of datanodes (`heartbeat.*`, `report.*`, `order.*`): register, beat, leave, reports, orders. A report is applied in
// slices with yields between them, so that a node with a million blocks does not delay other callers; pages of one node are applied in
// order.

import { GristmillError, hasCode } from '../../src/base/errors.ts'
import type { BlockId, ClusterId } from '../../src/base/ids.ts'
import type { Clock } from '../../src/ports/clock.ts'
import * as heartbeat from '../../src/protocol/heartbeat.ts'
import * as order from '../../src/protocol/order.ts'
import type { RequestOf } from '../../src/protocol/message.ts'
import * as report from '../../src/protocol/report.ts'
import type { CallContext } from '../../src/rpc/context.ts'
import { route, type Route } from '../../src/rpc/serve.ts'
import type { Reports } from '../blocks/reports.ts'
import type { Authority } from '../succession/authority.ts'
import type { Journal } from '../journal/journal.ts'
import { noteNode } from '../nodes/known.ts'
import type { DataNode } from '../nodes/node.ts'
import type { NumberedOrder } from '../nodes/orders.ts'
import type { NodeRegistry } from '../nodes/registry.ts'
import type { Succession } from '../succession/succession.ts'
import type { ReportIds } from '../nodes/reportids.ts'

interface NodesOptions {
  readonly cluster: ClusterId
  readonly succession: Pick<Succession, 'command' | 'meet'>
  readonly authority: Pick<Authority, 'unsure'>
  readonly journal: Journal
  readonly registry: NodeRegistry
  /** Throws EACCES for a datanode that may not join. */
  readonly admit: (place: Pick<RequestOf<typeof heartbeat.register>, 'node' | 'address' | 'host'>) => void
  readonly reportIds: ReportIds
  readonly reports: Reports
  readonly clock: Clock
  /** Orders that a node has taken over. */
  readonly taken: (node: DataNode, orders: readonly NumberedOrder[]) => void
  /** The time that tokens go by. */
  readonly nowMs: () => number
  /** A copy that a node was ordered to make came to nothing. */
  readonly copyFailed: (node: DataNode, failure: order.CopyFailed) => void
}

/** Replicas of a report between two turns of the event loop: some two milliseconds. */
const sliceMax = 1_000

export function nodesRoutes(options: NodesOptions): Route[] {
  const { cluster, succession, registry, clock, nowMs, copyFailed } = options
  const calls = new NodeCalls(options)
  const startMs = clock.mono()
  return [
    route(heartbeat.register, async request => {
      const { node, kill } = await calls.register(request)
      return { cluster, ...succession.command, session: node.session, upMs: Math.floor(clock.mono() - startMs), nowMs: nowMs(), kill }
    }),
    route(heartbeat.beat, request => {
      registry.beat(request)
      return { ...succession.command, nowMs: nowMs() }
    }),
    route(heartbeat.leave, ({ node, session }) => {
      registry.leave(node, session)
      return { epoch: succession.command.epoch }
    }),
    route(report.changes, request => calls.changes(request)),
    route(report.full, async request => {
      await calls.full(request)
      return {}
    }),
    route(order.copyFailed, ({ node, session, ...failure }) => {
      copyFailed(registry.contact(node, session), failure)
      return {}
    }),
    route(order.orders, async (request, context) => {
      const orders = [...(await calls.wait(request, context))]
      return { ...succession.command, orders }
    }),
  ]
}

class NodeCalls {
  readonly #options: NodesOptions

  constructor(options: NodesOptions) {
    this.#options = options
  }

  async register(
    request: RequestOf<typeof heartbeat.register>,
  ): Promise<{ node: DataNode; kill: ReturnType<NodeRegistry['register']>['kill'] }> {
    const { cluster, succession, authority, journal, registry, clock, admit } = this.#options
    const { node: id, address, rack, host } = request
    if (request.cluster !== undefined && request.cluster !== cluster) {
      throw new GristmillError(
        'WRONG_CLUSTER',
        `the datanode ${id} belongs to cluster ${request.cluster}, and this is the namenode of ${cluster}; check its namenode's address`,
        { details: { expected: cluster, found: request.cluster } },
      )
    }
    admit(request)
    registry.admit(request)
    const before = registry.get(id)
    await succession.meet(id, request.seen)
    let noted = before !== undefined && before.noted && before.address === address && before.rack === rack && before.host === host
    try {
      // While nothing may be changed, that waits; `noteRegistered` makes up for it.
      if (!noted && !authority.unsure) {
        await journal.submit(noteNode, { node: id, address, rack, host, sinceMs: Math.floor(clock.now()) })
        noted = true
      }
    } catch (error) {
      // A full disk of ours is no reason to do without the datanode: it would only not be waited for after a restart.
      if (!hasCode(error, 'ENOSPC')) throw error
    }
    const registered = registry.register(request)
    registered.node.note(noted)
    return registered
  }

  /** Takes a report in; its caller must wait, for the next one builds on it. False: this one has been taken in before. */
  async #take(node: DataNode, seq: number, work: Iterable<() => void>): Promise<boolean> {
    const { registry, clock } = this.#options
    if (seq <= node.seq) return false
    const { session } = node
    let count = 0
    for (const each of work) {
      each()
      if (++count % sliceMax !== 0) continue
      await clock.yield()
      // It registered again, or died, while this page was read.
      if (node.session !== session || !node.holds) registry.contact(node.node, session)
    }
    node.took(seq)
    return true
  }

  * #changesOf(node: DataNode, { taken, added, removed, bad }: RequestOf<typeof report.changes>): Iterable<() => void> {
    const { reports } = this.#options
    for (const replica of added) yield () => reports.held(node, replica, taken)
    for (const id of removed) yield () => reports.removed(node, id, taken)
    for (const id of bad) yield () => reports.bad(node, id, taken)
  }

  * #rowsOf(node: DataNode, { taken, storages }: RequestOf<typeof report.full>): Iterable<() => void> {
    const { reports } = this.#options
    for (const { blocks } of storages) for (const [id, length, crc] of blocks) yield () => reports.held(node, { id, length, crc }, taken)
  }

  async full(request: RequestOf<typeof report.full>): Promise<void> {
    const { registry, reportIds } = this.#options
    const node = registry.contact(request.node, request.session)
    // A second full report of a session replaces what the first has said.
    if (request.first && request.seq > node.seq && node.reported) node.reportAgain(reportIds.grant(node))
    if (!(await this.#take(node, request.seq, this.#rowsOf(node, request))) || !request.last) return
    this.#options.reports.complete(node, request.taken)
    registry.reported(node)
  }

  async wait(
    { node: id, session, acknowledged, freeSlots }: RequestOf<typeof order.orders>,
    context: CallContext,
  ): Promise<readonly NumberedOrder[]> {
    const { registry, taken } = this.#options
    const node = registry.contact(id, session)
    const { orders } = node
    taken(node, orders.acknowledge(acknowledged))
    if (freeSlots > 0) registry.offered(node, freeSlots)
    const found = await orders.wait(context.signal)
    if (context.signal.aborted && node.session === session && node.state === 'live') registry.hungUp(node)
    // Orders of a session that is over are not sent.
    if (node.session !== session || !node.holds)
      throw new GristmillError('UNREGISTERED', `the session ${session} of datanode ${id} is over; it must register again`)
    return found
  }

  /** `only`: reported damaged replicas that are the last known copies of their blocks. A repeated report is answered as things are then. */
  async changes(request: RequestOf<typeof report.changes>): Promise<{ only?: BlockId[] }> {
    const { registry, reports } = this.#options
    const node = registry.contact(request.node, request.session)
    await this.#take(node, request.seq, this.#changesOf(node, request))
    const only = request.bad.filter(id => reports.isLast(id))
    return only.length > 0 ? { only } : {}
  }
}
