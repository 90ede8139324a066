// Routes for writers: create, allocate, complete, abandon, renew. The journal decides about files; this file chooses the
// datanodes of blocks (targets.ts) and keeps the soft state (lease lifetimes, replica locations) in step with the journal.

import { GristmillError, hasCode } from '../../src/base/errors.ts'
import type { BlockId, LeaseId, NodeId } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import { isWithin, programsDirectory } from '../../src/base/paths.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Random } from '../../src/ports/random.ts'
import * as protocol from '../../src/protocol/writing.ts'
import type { ReplyOf, RequestOf } from '../../src/protocol/message.ts'
import type { FileContent } from '../../src/protocol/fields.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'
import { delimiterCode } from '../../src/record/records.ts'
import type { CallContext } from '../../src/rpc/context.ts'
import { route, type Route } from '../../src/rpc/serve.ts'
import type { BlockTokens } from '../../src/rpc/token.ts'
import { unlessRepeated, type Journal } from '../journal/journal.ts'
import { systemActor, type Actor } from '../journal/operation.ts'
import type { BlockMap } from '../blocks/map.ts'
import type { DataNode } from '../nodes/node.ts'
import type { NodeRegistry } from '../nodes/registry.ts'
import { checkContent } from '../namespace/content.ts'
import { blocksOf, knownBlock, type Block } from '../namespace/file.ts'
import { stat } from '../namespace/read.ts'
import { checkFree } from '../namespace/reserved.ts'
import { pathOf } from '../namespace/resolve.ts'
import { checkPublishing } from '../quotas/publishing.ts'
import { trashDirectory } from '../trash/items.ts'
import { checkAttribute } from '../xattrs/rows.ts'
import { anyFormatOf } from './csvfacts.ts'
import { leaseAt } from './lease.ts'
import type { Lifetimes } from './lifetimes.ts'
import { abandon, allocate, complete, completeInline, create, directoryOf, type Created } from './mutations.ts'
import { concat } from './concat.ts'
import { put, putAll } from './put.ts'
import { sizesOf, Targets } from './targets.ts'

interface WritingOptions {
  readonly journal: Journal
  readonly registry: NodeRegistry
  readonly map: BlockMap
  readonly lifetimes: Lifetimes
  readonly tokens: BlockTokens
  readonly clock: Clock
  readonly random: Random
  readonly defaults: { readonly replication: number; readonly blockBytes: number }
  readonly actor: (user: string) => Actor
  /** Length up to which small files are inlined. */
  readonly inlineBytes: number
  /** Deletes replicas of allocated blocks that belong to no file. */
  readonly invalidate: (blocks: readonly BlockId[]) => void
}

type Request<Name extends keyof typeof protocol> = (typeof protocol)[Name] extends infer M extends Parameters<typeof route>[0]
  ? RequestOf<M>
  : never

const noNodes: ReadonlySet<NodeId> = new Set()

export function writingRoutes(options: WritingOptions): Route[] {
  const writers = new Writers(options)
  return [
    route(protocol.create, (request, context) => writers.create(request, context)),
    route(protocol.allocate, (request, context) => writers.allocate(request, context)),
    route(protocol.complete, (request, context) => writers.complete(request, context)),
    route(protocol.put, (request, context) => writers.put(request, context)),
    route(protocol.concat, (request, context) => writers.concat(request, context)),
    route(protocol.abandon, (request, context) => writers.abandon(request, context)),
    route(protocol.renew, request => writers.renew(request)),
  ]
}

class Writers {
  readonly #options: WritingOptions
  readonly #targets: Targets

  constructor(options: WritingOptions) {
    this.#options = options
    this.#targets = new Targets(options)
  }

  async create(request: Request<'create'>, { user }: CallContext): Promise<ReplyOf<typeof protocol.create>> {
    const { lease, blockBytes, replication, blocks } = await this.#open(request, user)
    this.#opened(lease, blocks)
    const sizes = sizesOf(blockBytes, request.bytes)
    const located = blocks.length === 0 ? [] : this.#targets.locate(blocks, { replication, sizes, host: request.host, exclude: noNodes })
    return { lease, blockBytes, replication, blocks: located, inlineBytes: this.#options.inlineBytes }
  }

  put(request: Request<'put'>, { user }: CallContext): Promise<ReplyOf<typeof protocol.put>> {
    const { journal, clock, actor, defaults, inlineBytes } = this.#options
    return putAll(request, {
      inlineBytes,
      submit: ({ number: _, ...file }, requestId) => {
        checkPlace(file)
        const operation = {
          ...defaults, ...file, ...anyFormatOf(file), requestId, mode: this.#modeFor(file, user), nowMs: clock.now(), ...actor(user),
        }
        return this.#takingOver(replace => journal.submit(put, { ...operation, ...replace }))
      },
    })
  }

  async allocate(request: Request<'allocate'>, { user }: CallContext): Promise<ReplyOf<typeof protocol.allocate>> {
    const { journal, defaults, clock, actor } = this.#options
    const { requestId, lease, count, bytes, host } = request
    const exclude = new Set(request.exclude)
    const known = leaseAt(journal.view, lease)
    const sizes = sizesOf(known?.blockBytes ?? defaults.blockBytes, bytes)
    unlessRepeated(journal, requestId, () => {
      // A writer whose directory was removed learns it before it sends more data.
      if (known) directoryOf(journal.view, known)
      this.#checkCount(lease, count)
      this.#targets.check(count, sizes, exclude)
    })
    const { blocks, replication } = await journal.submit(allocate, { requestId, lease, count, nowMs: clock.now(), ...actor(user) })
    this.#opened(lease, blocks)
    return { blocks: this.#targets.locate(blocks, { replication, sizes, host, exclude }) }
  }

  async complete(request: Request<'complete'>, { user }: CallContext): Promise<FileStatus> {
    const { journal, clock, actor } = this.#options
    const { requestId, lease, blocks, content, mtimeMs, attributes, keepsAttributes, acl } = request
    const name = `the file of lease ${lease}`
    checkBody(content, blocks, name)
    for (const each of attributes ?? []) checkAttribute(name, each.name, each.value)
    const asked = {
      requestId, lease, mtimeMs, ...attributes && { attributes }, ...keepsAttributes && { keepsAttributes }, ...acl && { acl },
      nowMs: clock.now(), ...actor(user),
    }
    const { status, unused } = content
      ? await journal.submit(completeInline, { ...asked, content })
      : await journal.submit(complete, { ...asked, blocks: sealedOf(blocks) })
    noteSealed(this.#options, { lease, blocks, status, unused })
    return status
  }

  async concat({ requestId, path, id, sources }: Request<'concat'>, { user }: CallContext): Promise<FileStatus> {
    const { journal, map, clock, actor } = this.#options
    const paths = [path, ...sources.map(source => source.path)]
    const levels = paths.reduce((sum, each) => sum + each.split('/').length, 0)
    if (levels > limits.pageLevelsMax)
      throw new GristmillError('TOO_LARGE', `the paths of the call have ${levels} levels; at most ${limits.pageLevelsMax} are allowed`)
    for (const each of paths) checkPlace({ path: each })
    const status = await journal.submit(concat, { requestId, path, id, sources, nowMs: clock.now(), ...actor(user) })
    // Blocks that were written with another number of replicas have the file's now.
    for (const chunk of blocksOf(journal.view, status.id)) for (const block of chunk) map.know(block.id, status.replication)
    return status
  }

  async abandon({ requestId, lease }: Request<'abandon'>, { user }: CallContext): Promise<Record<string, never>> {
    const { unused } = await this.#options.journal.submit(abandon, { requestId, lease, ...this.#options.actor(user) })
    this.#closed(lease, unused)
    return {}
  }

  renew({ leases }: Request<'renew'>): ReplyOf<typeof protocol.renew> {
    const { journal, lifetimes } = this.#options
    const lost = leases.filter(lease => leaseAt(journal.view, lease) === undefined)
    const gone = new Set(lost)
    for (const lease of leases) if (!gone.has(lease)) lifetimes.renewed(lease)
    return { lost }
  }

  /** Opens a lease; takes over one past its soft limit. */
  async #open(request: Request<'create'>, user: string): Promise<Created> {
    const { journal, clock, actor, defaults } = this.#options
    const { path, overwrite, parents, unmasked, format, delimiter, header, blocks, requestId, keepsOwner } = request
    checkPlace(request)
    checkKeeping(request)
    const replication = request.replication ?? this.#replicationAt(path)
    const blockBytes = request.blockBytes ?? defaults.blockBytes
    if (blocks) unlessRepeated(journal, requestId, () => this.#targets.check(blocks, sizesOf(blockBytes, request.bytes), noNodes))
    const { publishes } = request
    if (publishes) unlessRepeated(journal, requestId, () => checkPublishing(journal.view, actor(user), publishes, replication))
    const operation = {
      requestId, path, overwrite, parents, format, ...delimiter !== undefined && { delimiter }, blocks, replication, blockBytes,
      ...header !== undefined && { header }, ...anyFormatOf(request),
      ...unmasked !== undefined && { unmasked }, ...keepsOwner && { keepsOwner },
      mode: this.#modeFor(request, user), nowMs: clock.now(), ...actor(user),
    }
    return this.#takingOver(replace => journal.submit(create, { ...operation, ...replace }))
  }

  /**
   * Default replication of a new file. Programs are stored by every submission, not by the user's choice: they get no more replicas than
   * there are datanodes, because `fsck` would call the cluster degraded for each program that was run.
   */
  #replicationAt(path: string): number {
    const { defaults, registry } = this.#options
    return isWithin(path, programsDirectory) ? Math.max(1, Math.min(defaults.replication, registry.expectedCount)) : defaults.replication
  }

  /** Submits a new file; if its path has a writer past its soft limit, submits it once more to end that writer's lease. */
  async #takingOver<T>(submit: (replace: { readonly replace?: LeaseId }) => Promise<T>): Promise<T> {
    const { journal, lifetimes } = this.#options
    try {
      return await submit({})
    } catch (error) {
      const stale = hasCode(error, 'EBUSY') ? error.details['lease'] as LeaseId : undefined
      if (stale === undefined || !lifetimes.isSoft(stale)) throw error
      const old = leaseAt(journal.view, stale)
      const created = await submit({ replace: stale })
      this.#closed(stale, old?.blocks ?? [])
      return created
    }
  }

  /** Default: the mode of the replaced file, so that it stays as private as it was. */
  #modeFor({ path, mode, overwrite }: Pick<Request<'create'>, 'path' | 'mode' | 'overwrite'>, user: string): number | undefined {
    return mode === undefined && overwrite ? this.#modeAt(path, user) : mode
  }

  #modeAt(path: string, user: string): number | undefined {
    const { journal, actor } = this.#options
    try {
      const { type, mode } = stat(journal.view, actor(user), path)
      return type === 'file' ? mode : undefined
    } catch (error) {
      // `create` reports the error of the path.
      if (error instanceof GristmillError) return undefined
      throw error
    }
  }

  /** Twice the maximum of a file may be allocated: blocks of failed pipelines are sent again under new ids. */
  #checkCount(id: LeaseId, count: number): void {
    const lease = leaseAt(this.#options.journal.view, id)
    if (!lease || lease.blocks.length + count <= limits.fileBlocksMax * 2) return
    const advice = `write it with larger blocks than ${lease.blockBytes} bytes (--block-size)`
    throw new GristmillError(
      'TOO_LARGE',
      `a file has at most ${limits.fileBlocksMax} blocks, and ${lease.name} would have more; ${advice}`,
      { details: { lease: id } },
    )
  }

  /** Registers a lease; a repeated request may name one that has ended. */
  #opened(lease: LeaseId, blocks: readonly BlockId[]): void {
    if (leaseAt(this.#options.journal.view, lease)) this.#options.lifetimes.opened(lease, blocks)
  }

  /** The lease has ended; these blocks belong to no file. */
  #closed(lease: LeaseId, unused: readonly BlockId[]): void {
    this.#options.lifetimes.closed(lease)
    this.#options.invalidate(unused)
  }
}

/** Blocks of a file as its writer reports them. Throws EINVAL for one that is on no datanode. */
export function sealedOf(blocks: readonly protocol.SealedBlock[]): Block[] {
  for (const { id, nodes } of blocks) {
    if (nodes.length === 0)
      throw new GristmillError('EINVAL', `block ${id} is on no datanode; it must be on at least one`, { details: { block: id } })
  }
  return blocks.map(({ id, length, crc, aligned }) => ({ id, length, crc, aligned }))
}

/** Tells the soft state that a lease has ended with a file. */
export function noteSealed(
  { journal, registry, map, lifetimes, invalidate }: Pick<WritingOptions, 'journal' | 'registry' | 'map' | 'lifetimes' | 'invalidate'>,
  { lease, blocks, status, unused }: {
    lease: LeaseId; blocks: readonly protocol.SealedBlock[]; status: FileStatus; unused: readonly BlockId[]
  },
): void {
  // At a repeated request the file may have been removed already: its blocks then belong to no file.
  if (blocks.length > 0 && !knownBlock(journal.view, blocks[0]!.id)) return
  const holders: DataNode[] = []
  for (const { id, nodes } of blocks) {
    holders.length = 0
    for (const node of nodes) {
      const holder = registry.get(node)
      if (holder?.serves) holders.push(holder)
    }
    map.sealed(id, status.replication, holders)
  }
  lifetimes.closed(lease)
  invalidate(unused)
}

/** Checks the bytes of a small file that come in place of blocks. Throws EINVAL, CORRUPT. */
export function checkBody(content: FileContent | undefined, blocks: readonly unknown[], name: string): void {
  if (!content) return
  if (blocks.length > 0) throw new GristmillError('EINVAL', `${name} is given in blocks and by its bytes; it must be one of both`)
  checkContent(content, name)
}

/** A new state of a file that is there takes its mode from it. */
function checkKeeping({ path, overwrite, mode, unmasked, keepsOwner }: Request<'create'>): void {
  if (!keepsOwner || (overwrite !== false && mode === undefined && unmasked === undefined)) return
  const other = overwrite === false ? 'a file that is not there yet' : 'another mode'
  throw new GristmillError('EINVAL', `a new state of ${path} keeps its owner and its mode, and ${other} is asked for`, {
    details: { path },
  })
}

function checkPlace({ path, delimiter }: Pick<Request<'create'>, 'path' | 'delimiter'>): void {
  if (delimiter !== undefined) delimiterCode(delimiter) // throws EINVAL for an invalid delimiter
  checkFree(path)
  if (isWithin(path, trashDirectory)) {
    throw new GristmillError('EACCES', `${path} is in the trash, where nothing is written; restore the directory first (trash restore)`, {
      details: { path },
    })
  }
}

/** Leases per call that are ended, and silent ones whose directories are looked up. */
const endedMax = 100
const lookedUpMax = 500

/**
 * Ends leases past the hard limit, and those past the soft limit whose directory was removed for good: nothing can complete them. Such are
 * those of attempts that were killed, once their job is over. Returns their number.
 */
export async function expireLeases({
  journal, lifetimes, invalidate,
}: Pick<WritingOptions, 'journal' | 'lifetimes' | 'invalidate'>): Promise<number> {
  const { view } = journal
  const isHomeless = (id: LeaseId): boolean => {
    const lease = leaseAt(view, id)
    return lease !== undefined && pathOf(view, lease.parent) === undefined
  }
  const late = new Set(lifetimes.expired(endedMax))
  const homeless = lifetimes.soft(lookedUpMax).filter(id => !late.has(id) && isHomeless(id))
  const expired = [...late, ...homeless].slice(0, endedMax)
  await Promise.all(
    expired.map(async lease => {
      const { unused } = await journal.submit(abandon, { lease, ...systemActor })
      lifetimes.closed(lease)
      invalidate(unused)
    }),
  )
  return expired.length
}
