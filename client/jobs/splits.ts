// Cuts a job's input into splits, one a task. A block that begins and ends at record boundaries is a split of its own, and so
// is any block of lines or JSON lines (a record belongs to the block in which it starts). CSV whose blocks are cut
// anywhere, and files that are one record, are read by one task from end to end. Small pieces are packed together.

import { GristmillError } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import { Semaphore } from '../../src/base/queue.ts'
import { locate, type FileStatus, type LocatedBlock } from '../../src/protocol/namespace.ts'
import type { InputFormat, Split, SplitRange } from '../../src/protocol/task.ts'
import { splittable } from '../../src/record/format.ts'
import type { Ask } from './ask.ts'
import { findInputs, type InputsOptions } from './inputs.ts'
import { pack, type Piece } from './pack.ts'

/** Calls for the places of blocks at a time. */
const callsAtOnce = 32
const splitsMax = limits.stageTasksMax

/** The splits of everything that `paths` mean. The same files give the same splits in the same order. */
export async function splitInputs(ask: Ask, paths: readonly string[], format: InputFormat, { signal, onLeftOut }: InputsOptions = {}): Promise<Split[]> {
  const files = await findInputs(ask, paths, { signal, onLeftOut })
  const gate = new Semaphore(callsAtOnce)
  const pieces = await settled(files.map(file => gate.run(async () => piecesOf(file, await blocksOf(ask, file, signal), format), signal)))
  const blockBytes = files.reduce((most, file) => Math.max(most, file.blockBytes), limits.blockBytesMin)
  const flat = pieces.flat()
  // Of an input with more blocks than tasks each task reads several.
  let splits = pack(flat, blockBytes)
  for (let bytes = blockBytes * 2; splits.length > splitsMax; bytes *= 2) splits = pack(flat, bytes)
  return splits
}

async function blocksOf(ask: Ask, file: FileStatus, signal?: AbortSignal): Promise<LocatedBlock[]> {
  const blocks: LocatedBlock[] = []
  let offset: number | undefined = 0
  while (offset !== undefined && file.length > 0) {
    const page: { status: FileStatus; blocks: LocatedBlock[]; next?: number } = await ask(locate, { path: file.path, offset }, signal)
    if (page.status.id !== file.id || page.status.length !== file.length) {
      throw new GristmillError('EBUSY', `${file.path} was replaced while the job was being planned; submit it again`, { details: { path: file.path } })
    }
    blocks.push(...page.blocks)
    offset = page.next
  }
  return blocks
}

/** The pieces of one file, in order. Together they are the whole file, once. */
export function piecesOf(file: FileStatus, blocks: readonly LocatedBlock[], format: InputFormat): Piece[] {
  // No bytes are no records, except where the file itself is the record.
  if (file.length === 0 && format !== 'whole') return []
  const aligned = fits(file, format) && blocks.every(block => block.aligned)
  if (blocks.length <= 1 || !splittable(format, aligned)) return [piece(file, blocks, { start: 0, end: file.length, aligned: true })]
  return blocks.map((block, index) => {
    const start = block.offset
    const end = block.offset + block.length
    if (aligned) return piece(file, [block], { start, end, aligned: true })
    // A reader looks at the byte before its range, and reads on to the end of its last record.
    return piece(file, blocks.slice(Math.max(0, index - 1), index + 2), { start, end, aligned: false })
  })
}

/** Are the boundaries that the writer of the file kept boundaries of this format's records? */
function fits(file: FileStatus, format: InputFormat): boolean {
  switch (format) {
    // A row of CSV ends at the end of a line, but a line may end inside a row.
    case 'lines': case 'jsonl': return file.format !== 'bytes'
    case 'csv': return file.format === 'csv'
    case 'whole': return true
  }
}

function piece(file: FileStatus, blocks: readonly LocatedBlock[], range: Pick<SplitRange, 'start' | 'end' | 'aligned'>): Piece {
  const bytes = new Map<LocatedBlock['nodes'][number]['node'], number>()
  for (const block of blocks) {
    const own = Math.min(range.end, block.offset + block.length) - Math.max(range.start, block.offset)
    if (own > 0) for (const { node } of block.nodes) bytes.set(node, (bytes.get(node) ?? 0) + own)
  }
  const most = Math.max(0, ...bytes.values())
  return {
    range: {
      path: file.path, inode: file.id, fileBytes: file.length, ...range,
      blocks: blocks.map(({ id, offset, length, crc }) => ({ id, offset, length, crc })),
    },
    // Nodes that hold nearly all of it; for one block that is all its holders.
    nodes: [...bytes].filter(([, held]) => held * 10 >= most * 9).map(([node]) => node),
  }
}

/** All results, or the first failure once everything has come to its end. */
async function settled<T>(work: ReadonlyArray<Promise<T>>): Promise<T[]> {
  const results = await Promise.allSettled(work)
  return results.map(result => {
    if (result.status === 'rejected') throw result.reason
    return result.value
  })
}
