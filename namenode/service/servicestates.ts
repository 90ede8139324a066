// Service states of datanodes, set by operators, and their transitions: a node is decommissioned once all its blocks are
// copied elsewhere; a node whose maintenance time is over returns to service; a dead node is forgotten. Every change is journalled first.

import { GristmillError, hasCode } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import { formatDuration } from '../../src/base/units.ts'
import type { NodeStatus } from '../../src/protocol/admin.ts'
import type { NodeId, RequestId } from '../../src/base/ids.ts'
import * as protocol from '../../src/protocol/service.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Log } from '../../src/ports/log.ts'
import { route } from '../../src/rpc/serve.ts'
import { nodeStatus } from '../nodes/nodestatus.ts'
import { countHeld } from './held.ts'
import type { Blocks } from '../blocks/blocks.ts'
import type { Chore } from '../chores.ts'
import { unlessRepeated, type Journal } from '../journal/journal.ts'
import type { Actor } from '../journal/operation.ts'
import { dropNode, noteNode } from '../nodes/known.ts'
import type { DataNode } from '../nodes/node.ts'
import type { HostLists } from './hosts.ts'
import { checkSuperuser } from '../namespace/access.ts'
import type { NodeRegistry } from '../nodes/registry.ts'
import { answered, type RoomRoute } from '../room.ts'
import { inService, sameService, serviceOf, setService, type NodeService } from './rows.ts'

interface ServiceStatesDeps {
  readonly journal: Journal
  readonly registry: NodeRegistry
  readonly blocks: Blocks
  readonly clock: Clock
  readonly actor: (user: string) => Actor
  readonly hosts: HostLists
  readonly log: Log
}

/** Finds a node by id, address or host. Throws ENOENT, or EINVAL if several match. */
export function findNode(registry: NodeRegistry, text: string): DataNode {
  const all = [...registry.all]
  const exact = all.find(node => node.node === text || node.address === text)
  if (exact) return exact
  const onHost = all.filter(node => node.host === text || node.address.startsWith(`${text}:`))
  if (onHost.length === 1) return onHost[0]!
  if (onHost.length > 1) {
    throw new GristmillError(
      'EINVAL',
      `"${text}" has ${onHost.length} datanodes: ${onHost.map(node => `${node.node} (${node.address})`).join(', ')}; say which one by ` +
      'its id or address',
      { details: { node: text } },
    )
  }
  throw new GristmillError('ENOENT', `no datanode has the id, address or host "${text}"; gristmill status shows them all`, {
    details: { node: text },
  })
}

export class ServiceStates {
  readonly routes: readonly RoomRoute[]
  readonly chores: readonly Chore[]
  readonly #options: ServiceStatesDeps

  constructor(options: ServiceStatesDeps) {
    this.#options = options
    const { registry, actor } = options
    const nodeFor = (user: string, name: string, what: string): DataNode => {
      checkSuperuser(actor(user), what)
      return findNode(registry, name)
    }
    this.routes = answered('safemode', [
      route(protocol.decommission, ({ requestId, node }, { user }) =>
        this.#decommission(requestId, nodeFor(user, node, 'decommission datanodes')),
      ),
      route(protocol.recommission, ({ requestId, node: name }, { user }) => {
        const node = nodeFor(user, name, 'put datanodes into service')
        unlessRepeated(options.journal, requestId, () => this.#checkNotExcluded(node))
        return this.#set(requestId, node, inService)
      }),
      route(protocol.maintenance, ({ requestId, node, forMs }, { user }) =>
        this.#maintain(requestId, nodeFor(user, node, 'put datanodes into maintenance'), forMs),
      ),
      route(protocol.forget, ({ requestId, node, force = false }, { user }) => {
        checkSuperuser(actor(user), 'forget datanodes')
        return this.#forget(requestId, node, force)
      }),
    ])
    this.chores = [
      { name: 'check decommissioning nodes', everyMs: 500, records: true, work: () => this.#look() },
      ...options.hosts.isUsed ? [{ name: 'read the hosts files', everyMs: 2_000, records: true, work: () => this.#followHosts() }] : [],
    ]
  }

  /** Reads the hosts files; nodes that they exclude are decommissioned, and those that they excluded before are put into service. */
  async #followHosts(): Promise<void> {
    const { hosts, registry, log } = this.#options
    await hosts.reload()
    hosts.warnOfUnmatched([...registry.all])
    for (const node of [...registry.all]) {
      const file = hosts.excluding(node)
      if (file === undefined) {
        node.setNotDecommissioned(undefined)
        if (node.service.by === 'hosts') await this.#set(undefined, node, inService)
        continue
      }
      try {
        // Nothing happens if it is decommissioned.
        await this.#decommission(undefined, node, 'hosts')
        node.setNotDecommissioned(undefined)
      } catch (thrown) {
        if (!hasCode(thrown, 'EINVAL', 'SAFE_MODE')) throw thrown
        const why = thrown.message.slice(0, limits.nodeReasonCharsMax)
        // Each reason is logged once.
        if (node.notDecommissioned !== why)
          log.warn('a datanode that a hosts file excludes is not decommissioned yet', { node: node.node, file, error: thrown })
        node.setNotDecommissioned(why)
      }
    }
  }

  #checkNotExcluded(node: DataNode): void {
    const file = this.#options.hosts.excluding(node)
    if (file === undefined) return
    throw new GristmillError(
      'EINVAL', `${node.node} is in ${file}, which excludes datanodes: remove it there, and it is put into service within seconds`,
      { details: { node: node.node } },
    )
  }

  async #set(requestId: RequestId | undefined, node: DataNode, service: NodeService): Promise<NodeStatus> {
    const { journal, clock } = this.#options
    if (!node.noted) {
      // The node was forgotten after a long absence. A forgotten node counts as in service; any other state must be recorded.
      if (sameService(service, inService)) return nodeStatus(node, clock)
      const { node: id, address, rack, host } = node
      await journal.submit(noteNode, { node: id, address, rack, host, sinceMs: Math.floor(clock.now()) })
      node.note(true)
    }
    await journal.submit(setService, { requestId, node: node.node, service })
    this.#follow(node)
    return nodeStatus(node, this.#options.clock)
  }

  async #decommission(requestId: RequestId | undefined, node: DataNode, by?: 'hosts'): Promise<NodeStatus> {
    const { journal, blocks, clock } = this.#options
    if (node.service.state === 'decommissioning' || node.service.state === 'decommissioned') return nodeStatus(node, clock)
    const check = (): void => {
      if (!blocks.ready)
        throw new GristmillError(
          'SAFE_MODE',
          'the locations of blocks are not known yet, so this datanode cannot be decommissioned; try again in a moment',
        )
      if (node.holds) this.#checkEnough(node)
    }
    if (requestId === undefined) check()
    else unlessRepeated(journal, requestId, check)
    return this.#set(requestId, node, { state: 'decommissioning', ...by && { by } })
  }

  /** Throws EINVAL if blocks need more nodes than would be left. */
  #checkEnough(node: DataNode): void {
    const { registry, blocks: { map: { targets } } } = this.#options
    const left = [...registry.all].filter(each => each !== node && each.inService && each.holds).length
    const target = targets.findLastIndex(count => count > 0)
    if (left >= Math.max(1, target)) return
    const blocks = targets.slice(left + 1).reduce((sum, count) => sum + count, 0)
    throw new GristmillError('EINVAL', target <= 0
      ? `${node.node} is the last datanode in service; add another one first`
      : `without ${node.node} ${left === 1 ? '1 datanode is' : `${left} datanodes are`} in service, and ` +
        `${blocks === 1 ? '1 block wants' : `${blocks} blocks want`} up to ${target} replicas on as many; add datanodes, or lower the replication of those files (gristmill setrep), then decommission`,
    { details: { node: node.node, left, target, blocks } })
  }

  async #maintain(requestId: RequestId, node: DataNode, forMs: number): Promise<NodeStatus> {
    const { journal, clock } = this.#options
    unlessRepeated(journal, requestId, () => this.#checkThere(node))
    return this.#set(requestId, node, { state: 'maintenance', untilMs: Math.floor(clock.now()) + forMs })
  }

  async #forget(requestId: RequestId, name: string, force: boolean): Promise<object> {
    const { journal, registry } = this.#options
    let node: DataNode | undefined
    unlessRepeated(journal, requestId, () => {
      const found = findNode(registry, name)
      this.#checkGone(found, force)
      node = found
    })
    // If it registers meanwhile, it is recorded anew.
    node?.note(false)
    await journal.submit(dropNode, { requestId, node: node?.node ?? name as NodeId })
    if (node?.state === 'dead' && !node.noted) registry.forget(node)
    return {}
  }

  /** Throws EINVAL for a node that may come back with what only it has, or without which the namenode would know no datanode. */
  #checkGone(node: DataNode, force: boolean): void {
    const { registry, blocks, clock } = this.#options
    const refused = (why: string): GristmillError => new GristmillError('EINVAL', why, { details: { node: node.node } })
    if (node.state !== 'dead') {
      const ago = formatDuration(clock.mono() - node.contactMs)
      throw refused(node.state === 'live'
        ? `${node.node} at ${node.address} is live; decommission it, and stop it, before it is forgotten`
        : `${node.node} was heard of ${ago} ago, and is not dead yet; try again in a moment`)
    }
    if (![...registry.all].some(each => each !== node && (each.noted || each.serves)))
      throw refused(`${node.node} is the last datanode that is known: without it the namenode could not tell whether its directory is the newest`)
    const { missing } = blocks.unseen
    if (missing > 0 && !force)
      throw refused(`${missing === 1 ? '1 block has' : `${missing} blocks have`} no replica, which may be on ${node.node}; start it again, or forget it with --force`)
  }

  /** Throws EINVAL for a node that is decommissioning, decommissioned or dead. */
  #checkThere(node: DataNode): void {
    const { state } = node.service
    if (state === 'decommissioning' || state === 'decommissioned') {
      throw new GristmillError(
        'EINVAL',
        `${node.node} is ${state}: its blocks are copied elsewhere in any case; recommission it if it is to stay`,
        { details: { node: node.node } },
      )
    }
    if (node.state === 'dead') {
      throw new GristmillError(
        'EINVAL',
        `${node.node} has been dead for ${formatDuration(this.#options.clock.mono() - node.contactMs)}, and its blocks are being copied; only nodes that are not dead can be put into maintenance`,
        { details: { node: node.node } },
      )
    }
  }

  async #look(): Promise<void> {
    const { registry, blocks, clock, hosts } = this.#options
    const leaving: DataNode[] = []
    for (const node of registry.all) {
      if (node.inService) node.setHeld(undefined)
      else leaving.push(node)
    }
    if (leaving.length === 0) return
    // This namenode was started without the files that excluded them.
    if (!hosts.isUsed) for (const node of leaving) if (node.service.by === 'hosts') await this.#become(node, inService)
    for (const node of leaving) if (node.inMaintenance && clock.mono() >= node.maintenanceUntilMs) await this.#become(node, inService)
    // Nodes that died recently may come back and count; forgotten ones do not.
    const places = [...registry.all].filter(node => node.inService && (node.holds || node.noted)).length
    const held = await countHeld({ map: blocks.map, clock, places }, leaving)
    if (!held) return
    for (const node of leaving) {
      if (node.inService) continue
      node.setHeld(held.get(node))
      if (node.service.state !== 'decommissioning' || node.held?.remaining !== 0 || !blocks.ready) continue
      // The blocks of a dead node are unknown: it may be decommissioned if no block is missing.
      const spared = node.state === 'dead' ? blocks.unseen.missing === 0 : node.serves && node.reported
      if (!spared) continue
      await this.#become(node, { state: 'decommissioned', ...node.service.by && { by: node.service.by } })
      node.setHeld(held.get(node))
    }
  }

  /** Changes the state, except if an operator has changed it in the meantime. */
  async #become(node: DataNode, service: NodeService): Promise<void> {
    await this.#options.journal.submit(setService, { node: node.node, service, was: node.service })
    this.#follow(node)
  }

  /** Applies the journalled state: a repeated request gets its first answer and does not undo later changes. */
  #follow(node: DataNode): void {
    const { journal, registry } = this.#options
    const service = serviceOf(journal.view, node.node)
    if (!sameService(node.service, service)) registry.assign(node, service)
  }
}
