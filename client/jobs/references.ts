// Inputs that stand for files outside of the cluster (src/base/reference.ts), as a planner of jobs sees them: with the length of these
// files, and blocks that no node holds.

import { fromItemError } from '../../src/rpc/fault.ts'
import { blockId } from '../../src/base/ids.ts'
import { isReference, referenceAttribute } from '../../src/base/reference.ts'
import { referredBytes } from '../../src/connector/reference.ts'
import { noReference } from '../../src/file/references.ts'
import type { FileStatus, LocatedBlock } from '../../src/protocol/namespace.ts'
import { read } from '../../src/protocol/object.ts'
import type { CallMessage } from '../call/cluster.ts'

/** References that one call looks up: each has up to some KiB. */
const batchMax = 100

/**
 * The same entries; those of references have the lengths of the files for which they stand. Throws what a stat of them would, and
 * CORRUPT for a file among them that stands for none.
 */
export async function referred(
  ask: CallMessage, entries: readonly FileStatus[], signal: AbortSignal | undefined,
): Promise<readonly FileStatus[]> {
  const references = entries.filter(({ type, path }) => type === 'file' && isReference(path))
  if (references.length === 0) return entries
  const lengths = new Map<string, number>()
  for (let at = 0; at < references.length; at += batchMax) {
    const asked = references.slice(at, at + batchMax).map(({ path }) => ({ path, attributes: [referenceAttribute] }))
    const { objects } = await ask(read, { objects: asked }, signal)
    for (const [i, { attributes = [], error }] of objects.entries()) {
      if (error) throw fromItemError(error)
      const [found] = attributes
      if (!found) throw noReference(asked[i]!.path)
      lengths.set(asked[i]!.path, referredBytes(Buffer.from(found.value, 'base64').toString()))
    }
  }
  return entries.map(({ inlined, ...entry }) => {
    const length = lengths.get(entry.path)
    return length === undefined ? { ...entry, ...inlined && { inlined } } : { ...entry, length }
  })
}

/** Blocks of the file for which a reference stands, by which it is divided. They end anywhere, and are in no range of a split. */
export function referredBlocks({ length, blockBytes }: Pick<FileStatus, 'length' | 'blockBytes'>): LocatedBlock[] {
  const blocks: LocatedBlock[] = []
  for (let offset = 0; offset < length; offset += blockBytes)
    blocks.push({ id: blockId(0), offset, length: Math.min(blockBytes, length - offset), crc: 0, aligned: false, nodes: [], token: '' })
  return blocks
}
