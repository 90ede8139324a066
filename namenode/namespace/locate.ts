// Locations of a file's blocks: live replicas, nearest to the reader first, and a read token per block.

import { GristmillError } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import { shuffled, type Random } from '../../src/ports/random.ts'
import type { FileStatus, LocatedBlock } from '../../src/protocol/namespace.ts'
import type { BlockTokens } from '../../src/rpc/token.ts'
import type { BlockMap } from '../blocks/map.ts'
import type { Actor } from '../journal/operation.ts'
import type { View } from '../journal/view.ts'
import type { DataNode } from '../nodes/node.ts'
import type { NodeRegistry } from '../nodes/registry.ts'
import { checkMay, mayRead } from './access.ts'
import { statusOf } from './entry.ts'
import { blocksOf } from './file.ts'
import { find } from './asof.ts'

export interface LocateTools {
  readonly view: View
  readonly map: BlockMap
  readonly registry: NodeRegistry
  readonly tokens: BlockTokens
  readonly random: Random
}

interface Range {
  readonly path: string
  readonly offset?: number | undefined
  readonly length?: number | undefined
  readonly host?: string | undefined
}

/** Throws EISDIR, EACCES, ENOENT. A block without a live replica has no nodes; the reader fails if it needs the block. */
export function locate(
  tools: LocateTools, actor: Actor,
  { path, offset = 0, length = Infinity, host }: Range,
): { status: FileStatus; blocks: LocatedBlock[]; next?: number } {
  const { view, map, registry, tokens } = tools
  const { entry } = find(view, actor, path)
  if (entry.directory) throw new GristmillError('EISDIR', `${path} is a directory; only files can be read`, { details: { path } })
  checkMay(actor, entry, mayRead, path)
  const status = statusOf(path, entry)
  const blocks: LocatedBlock[] = []
  if (offset >= entry.length || length === 0) return { status, blocks }
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
