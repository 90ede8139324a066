// Locations of a file's blocks: live replicas, nearest to the reader first, and a read token per block; and the bytes of inlined files.

import { assert } from '../../src/base/assert.ts'
import { GristmillError } from '../../src/base/errors.ts'
import type { InodeId, LeaseId } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import { shuffled, type Random } from '../../src/ports/random.ts'
import type { FileContent } from '../../src/protocol/fields.ts'
import type { ReplyOf } from '../../src/protocol/message.ts'
import type { contents, FileStatus, LocatedBlock } from '../../src/protocol/namespace.ts'
import { itemErrorOf } from '../../src/rpc/fault.ts'
import type { BlockTokens } from '../../src/rpc/token.ts'
import type { BlockMap } from '../blocks/map.ts'
import type { Actor } from '../journal/operation.ts'
import type { View } from '../journal/view.ts'
import type { DataNode } from '../nodes/node.ts'
import type { NodeRegistry } from '../nodes/registry.ts'
import { checkMay, may, mayRead, mayWrite } from './access.ts'
import { contentOf, sentContent } from './content.ts'
import { isInlined, statusOf, type NameEntry } from './entry.ts'
import { blocksOf } from './file.ts'
import { find } from './asof.ts'

export interface LocateTools {
  readonly view: View
  readonly map: BlockMap
  readonly registry: NodeRegistry
  readonly tokens: BlockTokens
  readonly random: Random
  /** True if the lease is this user's, for a new state of the file, whose owner it keeps. */
  readonly continues: (lease: LeaseId, user: string, file: InodeId) => boolean
}

interface Range {
  readonly path: string
  readonly offset?: number | undefined
  readonly length?: number | undefined
  readonly host?: string | undefined
  /** Of the caller, who writes a new state of the file. */
  readonly lease?: LeaseId | undefined
}

/** Throws EISDIR, EACCES, ENOENT. A block without a live replica has no nodes; the reader fails if it needs the block. */
export function locate(
  tools: LocateTools, actor: Actor,
  { path, offset = 0, length = Infinity, host, lease }: Range,
): { status: FileStatus; blocks: LocatedBlock[]; next?: number; content?: FileContent } {
  const { view, map, registry, tokens } = tools
  const { entry } = find(view, actor, path)
  if (entry.directory) throw new GristmillError('EISDIR', `${path} is a directory; only files can be read`, { details: { path } })
  // An append needs permission to write, as in HDFS, and moves the old content.
  const isAppended = lease !== undefined && may(actor, entry, mayWrite) && tools.continues(lease, actor.user, entry.id)
  if (!isAppended) checkMay(actor, entry, mayRead, path)
  const status = statusOf(path, entry)
  const blocks: LocatedBlock[] = []
  if (offset >= entry.length || length === 0) return { status, blocks }
  if (isInlined(entry)) return { status, blocks, ...storedContent(view, entry) }
  const racks = racksOf(registry, host)
  const end = offset + length
  let at = 0
  for (const chunk of blocksOf(view, entry.id)) {
    for (const block of chunk) {
      const start = at
      at += block.length
      if (at <= offset) continue
      if (start >= end) return { status, blocks }
      if (blocks.length === limits.locatePageMax) return { status, blocks, next: start }
      const nodes = nearest(map.holders(block.id), tools.random, host, racks).map(node => node.place)
      blocks.push({
        id: block.id, offset: start, length: block.length, crc: block.crc, aligned: block.aligned, nodes,
        token: tokens.issue({ mode: 'read', block: block.id }),
      })
    }
  }
  return { status, blocks }
}

/** Bytes of an inlined file, as a reply has them. */
export function storedContent(view: View, { id }: NameEntry): { content: FileContent } {
  const content = contentOf(view, id)
  assert(content, `file ${id} has neither blocks nor bytes`)
  return { content: sentContent(content) }
}

type ContentsReply = ReplyOf<typeof contents>

/** Bytes of the first of these files, as many as a reply may have; at least one. Each file has an outcome of its own. */
export function contentsOf(
  view: View, actor: Actor, files: ReadonlyArray<{ readonly path: string; readonly id?: InodeId }>,
): ContentsReply {
  const found: ContentsReply['files'] = []
  let bytes = 0
  let levels = 0
  for (const { path, id } of files) {
    if (bytes >= limits.contentsBytesMax || levels >= limits.pageLevelsMax) break
    levels += path.split('/').length
    try {
      const { entry } = find(view, actor, path)
      if (entry.directory) throw new GristmillError('EISDIR', `${path} is a directory; only files can be read`, { details: { path } })
      checkMay(actor, entry, mayRead, path)
      if (id !== undefined && entry.id !== id)
        throw new GristmillError('ESTALE', `${path} was replaced meanwhile; read it again`, { details: { path } })
      found.push({ status: statusOf(path, entry), ...isInlined(entry) && storedContent(view, entry) })
      bytes += path.length + (isInlined(entry) ? entry.length : 0)
    } catch (error) {
      // Damage of the store ends the namenode, whichever file is read.
      if (!(error instanceof GristmillError) || error.code === 'CORRUPT') throw error
      found.push({ error: itemErrorOf(error) })
      bytes += path.length + error.message.length
    }
  }
  return { files: found }
}

/** Racks of the datanodes on the reader's host. The reader itself is not registered. */
function racksOf(registry: NodeRegistry, host: string | undefined): ReadonlySet<string> {
  const racks = new Set<string>()
  if (host !== undefined) for (const node of registry.all) if (node.host === host && node.serves) racks.add(node.rack)
  return racks
}

/** Same host first, then same rack, then others; random among equals; stale nodes last. */
function nearest(nodes: readonly DataNode[], random: Random, host: string | undefined, racks: ReadonlySet<string>): DataNode[] {
  const distance = (node: DataNode): number => (node.state === 'live' ? 0 : 10) + (node.host === host ? 0 : racks.has(node.rack) ? 1 : 2)
  if (nodes.length < 2) return [...nodes]
  return shuffled(nodes, random).sort((a, b) => distance(a) - distance(b))
}
