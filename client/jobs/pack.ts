// Packs small pieces of input into splits: a task for each of a million small files would spend its time starting.
// A split is filled from pieces that lie on one node, so that it can run beside all of them. The same pieces give
// the same splits, in the same order. Pieces of one file that follow each other are one range.

import type { NodeId } from '../../src/base/ids.ts'
import { KiB } from '../../src/base/units.ts'
import { splitRangesMax } from '../../src/protocol/packed.ts'
import type { Split, SplitRange } from '../../src/protocol/task.ts'

/** A range that is read as one, with the nodes that hold it. */
export interface SplitPiece {
  readonly range: SplitRange
  readonly nodes: readonly NodeId[]
}

/** Characters of all paths of a split: a packed split has to fit into one page. */
const pathCharsMax = 64 * KiB

interface Bin { bytes: number; pathChars: number; readonly pieces: SplitPiece[] }

/** Splits of at most `bytesMax`, unless one piece alone has more. Pieces of at least half of it stay alone. */
export function pack(pieces: readonly SplitPiece[], bytesMax: number): Split[] {
  const full: Bin[] = []
  const open = new Map<NodeId | undefined, Bin>()
  for (const piece of pieces) {
    const bytes = sizeOf(piece)
    if (bytes * 2 >= bytesMax) { full.push(binOf(piece)); continue }
    put(open, full, fullest(open, piece), binOf(piece), bytesMax)
  }
  // What is left over on each node: enough to be worth a task near it, or thrown together whatever its place.
  const rest = new Map<undefined, Bin>()
  for (const bin of open.values()) {
    if (bin.bytes * 8 >= bytesMax) full.push(bin)
    else put(rest, full, undefined, bin, bytesMax)
  }
  full.push(...rest.values())
  return full.map(toSplit).sort((a, b) => before(a.ranges[0]!, b.ranges[0]!))
}

/** Adds to the bin of a node; one that would overflow is closed, and a new one begun. */
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

/** The holder of the piece whose bin is fullest: splits get full one after the other, not all at the end. */
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

function toSplit({ bytes, pieces }: Bin): Split {
  const ranges: SplitRange[] = []
  for (const { range } of pieces.sort((a, b) => before(a.range, b.range))) {
    const last = ranges.at(-1)
    if (last && follows(last, range)) ranges[ranges.length - 1] = joined(last, range)
    else ranges.push(range)
  }
  return { bytes, ranges }
}

/** Is it the same to read both ranges, and to read them as one? */
const follows = (a: SplitRange, b: SplitRange): boolean =>
  a.inode === b.inode && a.path === b.path && a.end === b.start && a.aligned === b.aligned && a.delimiter === b.delimiter

function joined(a: SplitRange, b: SplitRange): SplitRange {
  const known = new Set(a.blocks.map(({ id }) => id))
  // Ranges that are not aligned name the blocks beside them too.
  return { ...a, end: b.end, blocks: [...a.blocks, ...b.blocks.filter(({ id }) => !known.has(id))] }
}

function before(a: SplitRange, b: SplitRange): number {
  return a.path < b.path ? -1 : a.path > b.path ? 1 : a.start - b.start
}
