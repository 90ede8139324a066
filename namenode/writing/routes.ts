// The conversation of writers, as routes: the journal decides what a file is, this room chooses where its blocks go, and
// keeps the soft state (lifetimes of leases, places of replicas) in step with what the journal has made durable.

import { GristmillError, hasCode } from '../../src/base/errors.ts'
import type { BlockId, LeaseId, NodeId } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import { isWithin } from '../../src/base/paths.ts'
import { MiB } from '../../src/base/units.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Random } from '../../src/ports/random.ts'
import * as protocol from '../../src/protocol/writing.ts'
import type { AllocatedBlock } from '../../src/protocol/writing.ts'
import type { RequestOf } from '../../src/protocol/message.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'
import { delimiterCode } from '../../src/record/format.ts'
import type { CallContext } from '../../src/rpc/context.ts'
import { route, type Route } from '../../src/rpc/serve.ts'
import type { BlockTokens } from '../../src/rpc/token.ts'
import { unlessRepeated, type Journal } from '../journal/journal.ts'
import type { Actor } from '../journal/operation.ts'
import { place, type Candidate, type PlacementRequest } from '../blocks/placement.ts'
import type { BlockMap } from '../blocks/map.ts'
import type { NodeRegistry } from '../nodes/registry.ts'
import { knownBlock } from '../namespace/file.ts'
import { stat } from '../namespace/read.ts'
import { checkFree } from '../namespace/reserved.ts'
import { trashDirectory } from '../trash/items.ts'
import { leaseAt } from './lease.ts'
import type { Lifetimes } from './lifetimes.ts'
import { abandon, allocate, complete, create, directoryOf, type Created } from './mutations.ts'

export interface WritingOptions {
  readonly journal: Journal
  readonly registry: NodeRegistry
  readonly map: BlockMap
  readonly lifetimes: Lifetimes
  readonly tokens: BlockTokens
  readonly clock: Clock
  readonly random: Random
  readonly defaults: { readonly replication: number; readonly blockBytes: number }
  readonly actor: (user: string) => Actor
  /** Removes replicas of blocks that were given out and are no file's. */
  readonly discard: (blocks: readonly BlockId[]) => void
}

/** A writer that does not know how much will come may find a full block's room nowhere; then it gets what there is. */
const unknownBytes = MiB

const sizesOf = (blockBytes: number, bytes: number | undefined): readonly number[] =>
  (bytes === undefined ? [blockBytes, Math.min(blockBytes, unknownBytes)] : [Math.min(blockBytes, bytes)])

export function writingRoutes(options: WritingOptions): Route[] {
  const { journal, registry, map, lifetimes, tokens, clock, random, defaults, actor, discard } = options

  /** Nodes for the replicas of a block, of the first of these sizes for which there is one; none if there is none for any. */
  function targetsFor(wanted: Omit<PlacementRequest, 'held' | 'blockBytes'>, sizes: readonly number[]): Candidate[] {
    const nodes = registry.open
    for (const blockBytes of sizes) {
      const targets = place(nodes, { ...wanted, blockBytes, held: [] }, random)
      if (targets.length > 0) return targets
    }
    return []
  }

  /** ENOSPC if no node can take even one replica, UNAVAILABLE while none has had the time to come; asked before ids are given out. */
  function checkRoom(count: number, sizes: readonly number[], exclude: ReadonlySet<NodeId>): void {
    if (count === 0 || targetsFor({ count: 1, exclude }, sizes).length > 0) return
    const nodes = registry.open.length
    const blockBytes = sizes.at(-1)!
    if (registry.settling) throw new GristmillError('UNAVAILABLE', 'the namenode has just started and no datanode has registered yet; start one, or ask again in a moment')
    throw new GristmillError('ENOSPC', nodes === 0
      ? 'no datanode is there to take a block; start one, or wait until it has registered'
      : `none of the ${nodes} live datanodes can take a block of ${blockBytes} bytes${exclude.size > 0 ? ` (${exclude.size} have just failed for this writer)` : ''}; free some space, or add a datanode`, { details: { nodes, blockBytes } })
  }

  function located(blocks: readonly BlockId[], { replication, sizes, host, exclude }: { replication: number; sizes: readonly number[]; host: string | undefined; exclude: ReadonlySet<NodeId> }): AllocatedBlock[] {
    return blocks.map(id => {
      const targets = targetsFor({ count: replication, host, exclude }, sizes)
      if (targets.length === 0) throw new GristmillError('ENOSPC', 'the datanodes that could take a block are gone; try again in a moment', { details: { block: id } })
      return { id, targets: targets.map(each => registry.get(each.node)!.place), token: tokens.issue({ mode: 'write', block: id }) }
    })
  }

  const nobody: ReadonlySet<NodeId> = new Set()

  function modeAt(path: string, user: string): number | undefined {
    try {
      const { type, mode } = stat(journal.view, actor(user), path)
      return type === 'file' ? mode : undefined
    } catch (error) {
      // What is wrong with the path is told by who makes the file.
      if (error instanceof GristmillError) return undefined
      throw error
    }
  }

  async function open(request: RequestOf<typeof protocol.create>, { user }: CallContext): Promise<Created> {
    const { path, overwrite, parents, mode, format, delimiter, blocks, requestId } = request
    if (delimiter !== undefined) delimiterCode(delimiter) // throws EINVAL for what cannot be one
    checkFree(path)
    if (isWithin(path, trashDirectory)) throw new GristmillError('EACCES', `${path} is in the trash, where nothing is written; restore the directory first (trash restore)`, { details: { path } })
    const replication = request.replication ?? defaults.replication
    const blockBytes = request.blockBytes ?? defaults.blockBytes
    if (blocks) unlessRepeated(journal, requestId, () => checkRoom(blocks, sizesOf(blockBytes, request.bytes), nobody))
    // A file that replaces another one is as private as that was, unless the writer says otherwise.
    const kept = mode === undefined && overwrite ? modeAt(path, user) : mode
    const operation = { requestId, path, overwrite, parents, mode: kept, format, ...delimiter !== undefined && { delimiter }, blocks, replication, blockBytes, nowMs: clock.now(), ...actor(user) }
    try {
      return await journal.submit(create, operation)
    } catch (error) {
      const silent = hasCode(error, 'EBUSY') ? error.details['lease'] as LeaseId : undefined
      if (silent === undefined || !lifetimes.isSoft(silent)) throw error
      const old = leaseAt(journal.view, silent)
      const created = await journal.submit(create, { ...operation, replace: silent })
      close(silent, old?.blocks ?? [])
      return created
    }
  }

  /** As many again may be given out as a file can have: some of them fail, and are sent again under new ids. */
  function checkCount(id: LeaseId, count: number): void {
    const lease = leaseAt(journal.view, id)
    if (!lease || lease.blocks.length + count <= limits.fileBlocksMax * 2) return
    throw new GristmillError('TOO_LARGE', `a file has at most ${limits.fileBlocksMax} blocks, and ${lease.name} would have more; write it with larger blocks than ${lease.blockBytes} bytes (--block-size)`, { details: { lease: id } })
  }

  /** A repeated request may be of a lease that has ended since. */
  function opened(lease: LeaseId, blocks: readonly BlockId[]): void {
    if (leaseAt(journal.view, lease)) lifetimes.opened(lease, blocks)
  }

  /** The lease is no more; none of these blocks is a file's. */
  function close(lease: LeaseId, unused: readonly BlockId[]): void {
    lifetimes.closed(lease)
    discard(unused)
  }

  async function seal({ requestId, lease, blocks, mtimeMs }: RequestOf<typeof protocol.complete>, { user }: CallContext): Promise<FileStatus> {
    for (const { id, nodes } of blocks) if (nodes.length === 0) throw new GristmillError('EINVAL', `block ${id} is on no datanode; it must be on at least one`, { details: { block: id } })
    const operation = { requestId, lease, mtimeMs, blocks: blocks.map(({ id, length, crc, aligned }) => ({ id, length, crc, aligned })), nowMs: clock.now(), ...actor(user) }
    const { status, unused } = await journal.submit(complete, operation)
    // A repeated request may find that the file is gone again: then these are nobody's blocks.
    if (blocks.length > 0 && !knownBlock(journal.view, blocks[0]!.id)) return status
    for (const { id, nodes } of blocks) {
      for (const node of nodes) {
        const holder = registry.get(node)
        if (holder?.serves) map.add(id, holder)
      }
      map.know(id, status.replication)
    }
    close(lease, unused)
    return status
  }

  return [
    route(protocol.create, async (request, context) => {
      const { lease, blockBytes, replication, blocks } = await open(request, context)
      opened(lease, blocks)
      return { lease, blockBytes, replication, blocks: blocks.length === 0 ? [] : located(blocks, { replication, sizes: sizesOf(blockBytes, request.bytes), host: request.host, exclude: nobody }) }
    }),

    route(protocol.allocate, async ({ requestId, lease, count, exclude: failed = [], bytes, host }, { user }) => {
      const exclude = new Set(failed)
      const known = leaseAt(journal.view, lease)
      const sizes = sizesOf(known?.blockBytes ?? defaults.blockBytes, bytes)
      unlessRepeated(journal, requestId, () => {
        // A writer whose directory has gone hears of it before it sends more.
        if (known) directoryOf(journal.view, known)
        checkCount(lease, count)
        checkRoom(count, sizes, exclude)
      })
      const { blocks, replication } = await journal.submit(allocate, { requestId, lease, count, nowMs: clock.now(), ...actor(user) })
      opened(lease, blocks)
      return { blocks: located(blocks, { replication, sizes, host, exclude }) }
    }),

    route(protocol.complete, seal),

    route(protocol.abandon, async ({ requestId, lease }, { user }) => {
      const { unused } = await journal.submit(abandon, { requestId, lease, ...actor(user) })
      close(lease, unused)
      return {}
    }),

    route(protocol.renew, ({ leases }) => {
      const lost = leases.filter(lease => leaseAt(journal.view, lease) === undefined)
      const gone = new Set(lost)
      for (const lease of leases) if (!gone.has(lease)) lifetimes.heard(lease)
      return { lost }
    }),
  ]
}

/** Ends the leases of writers that have been silent for too long; some at a time. */
export async function expireLeases({ journal, lifetimes, discard }: Pick<WritingOptions, 'journal' | 'lifetimes' | 'discard'>): Promise<number> {
  const silent = lifetimes.expired(100)
  await Promise.all(silent.map(async lease => {
    const { unused } = await journal.submit(abandon, { lease, user: 'gristmill', root: true })
    lifetimes.closed(lease)
    discard(unused)
  }))
  return silent.length
}
