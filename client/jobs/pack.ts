// Packs small pieces of input into splits: with a million small files, one task per file would mostly spend its time starting. The
// pieces of a split share a node, so that its task can run beside all of them. Deterministic: the same pieces give the same splits
// in the same order. Consecutive pieces of one file become one range.

import type { NodeId } from '../../src/base/ids.ts'
import { KiB } from '../../src/base/units.ts'
import { splitRangesMax } from '../../src/protocol/packed.ts'
import type { Split, SplitRange } from '../../src/protocol/task.ts'

/** A contiguous range of a file, with the nodes that hold it. */
export interface SplitPiece {
  readonly range: SplitRange
  readonly nodes: readonly NodeId[]
}

/** Maximum total length of the paths of a split, so that a packed split fits into one page. */
const pathCharsMax = 64 * KiB

interface Bin { bytes: number; pathChars: number; readonly pieces: SplitPiece[] }

/**
 * Splits of at most `bytesMax`, except for a single larger piece. Pieces of at least half of `bytesMax` get a split of their own.
 */
export function pack(pieces: readonly SplitPiece[], bytesMax: number): Split[] {
  const full: Bin[] = []
  const open = new Map<NodeId | undefined, Bin>()
  for (const piece of pieces) {
    const bytes = sizeOf(piece)
    if (bytes * 2 >= bytesMax) { full.push(binOf(piece)); continue }
    put(open, full, fullest(open, piece), binOf(piece), bytesMax)
  }
  // Remainders per node: a split of their own if at least an eighth of `bytesMax`, otherwise combined across nodes.
  const rest = new Map<undefined, Bin>()
  for (const bin of open.values()) {
    if (bin.bytes * 8 >= bytesMax) full.push(bin)
    else put(rest, full, undefined, bin, bytesMax)
  }
  full.push(...rest.values())
  return full.map(toSplit).sort((a, b) => before(a.ranges[0]!, b.ranges[0]!))
}

/** Adds to the bin under `key`; a bin that would overflow is moved to `full` and replaced. */
function put<K>(open: Map<K, Bin>, full: Bin[], key: K, more: Bin, bytesMax: number): void {
  const bin = open.get(key)
  if (
    bin
    && bin.bytes + more.bytes <= bytesMax
    && bin.pieces.length + more.pieces.length <= splitRangesMax
    && bin.pathChars + more.pathChars <= pathCharsMax
  ) {
    bin.bytes += more.bytes
    bin.pathChars += more.pathChars
    bin.pieces.push(...more.pieces)
    return
  }
  if (bin) full.push(bin)
  open.set(key, more)
}

/** The holder of the piece with the fullest bin, so that splits fill up one after the other. */
function fullest(open: ReadonlyMap<NodeId | undefined, Bin>, { nodes }: SplitPiece): NodeId | undefined {
  let best: NodeId | undefined
  let bestBytes = -1
  for (const node of nodes.toSorted()) {
    const bytes = open.get(node)?.bytes ?? 0
    if (bytes > bestBytes) { best = node; bestBytes = bytes }
  }
  return best
}

const binOf = (piece: SplitPiece): Bin => ({ bytes: sizeOf(piece), pathChars: piece.range.path.length, pieces: [piece] })

const sizeOf = ({ range }: SplitPiece): number => range.end - range.start

const toSplit = ({ bytes, pieces }: Bin): Split => ({ bytes, ranges: rangesOf(pieces.sort((a, b) => before(a.range, b.range))) })

/** Ranges of the pieces in their order; those that follow one another in a file are one. */
export function rangesOf(pieces: readonly SplitPiece[]): SplitRange[] {
  const ranges: SplitRange[] = []
  for (const { range } of pieces) {
    const last = ranges.at(-1)
    if (last && follows(last, range)) ranges[ranges.length - 1] = joined(last, range)
    else ranges.push(range)
  }
  return ranges
}

/** True if both ranges can be read as one. */
const follows = (a: SplitRange, b: SplitRange): boolean =>
  a.inode === b.inode && a.path === b.path && a.end === b.start && a.aligned === b.aligned && a.delimiter === b.delimiter

function joined(a: SplitRange, b: SplitRange): SplitRange {
  const known = new Set(a.blocks.map(({ id }) => id))
  // Ranges that are not aligned also list the adjacent blocks, so blocks may repeat.
  const blocks = [...a.blocks, ...b.blocks.filter(({ id }) => !known.has(id))]
  return { ...a, end: b.end, blocks: blocks.sort((one, other) => one.offset - other.offset) }
}

function before(a: SplitRange, b: SplitRange): number {
  return a.path < b.path ? -1 : a.path > b.path ? 1 : a.start - b.start
}
