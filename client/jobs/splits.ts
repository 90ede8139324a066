// Divides a job's input into splits, one per task. A block that begins and ends at record boundaries is a split of its own, and so
// is any block of lines or JSON lines (a record belongs to the block in which it starts). One task reads a whole file if it is CSV
// whose blocks end anywhere or at boundaries of another delimiter, if it is a single record, compressed, or in UTF-16. Blocks of Avro are
// splits, too: a reader goes on to the next marker. Small pieces are packed together. A file outside of the cluster is divided at such
// places as if its blocks ended anywhere. Lines of an input of few blocks are divided within them, so that it occupies more than a core or
// two. Sizes decide alone, and not the cluster: the same input has the same tasks everywhere. A file that is
// a partition of a cached Dataset is one split.

import { GristmillError } from '../../src/base/errors.ts'
import { isBinary, isDelimited, recordEnd, type InputOptions } from '../../src/base/formats.ts'
import { limits } from '../../src/base/limits.ts'
import { Semaphore } from '../../src/base/queue.ts'
import { isReference } from '../../src/base/reference.ts'
import { MiB } from '../../src/base/units.ts'
import { locate, type FileStatus, type LocatedBlock } from '../../src/protocol/namespace.ts'
import type { Split, SplitRange } from '../../src/protocol/task.ts'
import { splittable } from '../../src/record/records.ts'
import { headBytes, isDoubtful } from '../../src/record/sniff.ts'
import { inspect } from '../../src/record/source.ts'
import type { CallMessage } from '../call/cluster.ts'
import { paged } from '../call/pages.ts'
import { findInputs, type InputsOptions } from './inputs.ts'
import { pack, type SplitPiece } from './pack.ts'
import { referredBlocks } from './references.ts'

/** Maximum concurrent calls for block locations. */
const callsAtOnce = 32
const splitsMax = limits.stageTasksMax
/** Splits of an input of few blocks, as far as they are of `splitBytesMin`: the time that its last task runs alone is short then. */
const splitsWanted = 16
/** A task takes some milliseconds to begin and to end: it should have a tenth of a second's work. */
const splitBytesMin = 8 * MiB

/** Reads the first bytes of a file. */
export type ReadHead = (file: FileStatus, bytes: number, signal?: AbortSignal) => Promise<Buffer>

interface SplitOptions extends InputsOptions {
  readonly input: InputOptions
  readonly head: ReadHead
  /** Each file is a partition: a split of its own, in the order of the files. Default: files are divided, small ones packed together. */
  readonly isApart?: boolean | undefined
}

/** The splits of all files that `paths` resolve to. Deterministic: the same files give the same splits in the same order. */
export async function splitInputs(ask: CallMessage, paths: readonly string[], options: SplitOptions): Promise<Split[]> {
  const { signal, onLeftOut, keep, onFound, nameOf, isApart } = options
  const files = await findInputs(ask, paths, { signal, onLeftOut, keep, onFound, nameOf })
  const gate = new Semaphore(callsAtOnce)
  const blockBytes = files.reduce((most, file) => Math.max(most, file.blockBytes), limits.blockBytesMin)
  const all = files.reduce((sum, { length }) => sum + length, 0)
  const splitBytes = Math.min(blockBytes, Math.max(splitBytesMin, Math.ceil(all / splitsWanted)))
  const pieces = await settled(files.map(file =>
    gate.run(async () => piecesOf(file, await blocksOf(ask, file, signal), splitBytes, options), signal)))
  const flat = pieces.flat()
  // With more blocks than tasks, each task reads several.
  let splits = isApart ? flat.map(each => pack([each], splitBytes)[0]!) : pack(flat, splitBytes)
  for (let bytes = blockBytes * 2; splits.length > splitsMax; bytes *= 2) {
    if (bytes > (all + blockBytes) * 4)
      throw new GristmillError(
        'TOO_LARGE',
        `the input is ${flat.length} files and blocks, more than ${splitsMax} tasks can read; run several jobs over parts of it, store it in larger blocks, or join small files`,
      )
    splits = pack(flat, bytes)
  }
  return splits
}

export async function blocksOf(ask: CallMessage, file: FileStatus, signal?: AbortSignal): Promise<LocatedBlock[]> {
  if (isReference(file.path)) return referredBlocks(file)
  const blocks: LocatedBlock[] = []
  // An inlined file has none: its bytes come from the namenode, wherever the task runs.
  if (file.length === 0 || file.inlined) return blocks
  for await (const page of paged((offset: number = 0) => ask(locate, { path: file.path, offset }, signal))) {
    if (page.status.id !== file.id || page.status.length !== file.length) {
      throw new GristmillError('EBUSY', `${file.path} was replaced while the job was being planned; submit it again`, {
        details: { path: file.path },
      })
    }
    blocks.push(...page.blocks)
  }
  return blocks
}

/** The pieces of one file, in order. Together they cover the file exactly once. */
async function piecesOf(
  file: FileStatus, blocks: readonly LocatedBlock[], splitBytes: number, { input, head, isApart, signal }: SplitOptions,
): Promise<SplitPiece[]> {
  const { format } = input
  // An empty file has no records, except where the file itself is the record.
  if (file.length === 0 && recordEnd(format) !== 'file') return []
  if (isDelimited(format) && input.header === undefined && file.header === false) throw unnamed(file.path)
  const claimed = isDelimited(format) && input.delimiter === undefined ? file.delimiter : undefined
  const whole = (): SplitPiece[] => [
    piece(file, blocks, { start: 0, end: file.length, aligned: true, ...(claimed !== undefined && { delimiter: claimed }) }),
  ]
  const aligned = blocks.every(block => block.aligned)
  // A single task reads the whole file and inspects it by itself. A file that most readers refuse is inspected before the job starts.
  const divided = recordEnd(format) === 'newline' && !isReference(file.path) ? dividedPieces(file, blocks, splitBytes) : []
  const single = Math.max(blocks.length, divided.length) <= 1 || !splittable(format, aligned && fits(file, input, claimed))
  if (input.bytes || isApart || (single && (isBinary(format) || !isDoubtful(file.path)))) return whole()
  if (isBinary(format)) return unalignedPieces(file, blocks)
  const bytes = await head(file, Math.min(headBytes, file.length), signal)
  const { divisible, dialect } = inspect(bytes, { path: file.path, isAll: bytes.length >= file.length, input, delimiter: claimed })
  if (single || !divisible || !splittable(format, aligned && fits(file, input, dialect.delimiter))) return whole()
  const separated =
    isDelimited(format) && input.delimiter === undefined && dialect.delimiter !== undefined ? { delimiter: dialect.delimiter } : {}
  if (divided.length > blocks.length) return divided
  const kept = aligned && fits(file, input, dialect.delimiter)
  if (!kept) return unalignedPieces(file, blocks)
  return blocks.map(block =>
    piece(file, [block], { start: block.offset, end: block.offset + block.length, aligned: true, ...separated }))
}

const unnamed = (path: string): GristmillError => new GristmillError(
  'EINVAL',
  `${path} was written without a row of names, so its first row is a record; set header: false in the program's input to get arrays, or `
  + 'header: true to take the first row for names',
  { details: { path } },
)

/**
 * True if the block boundaries kept by the file's writer are record boundaries for this input. `delimiter`: the one CSV is read
 * with.
 */
function fits(file: FileStatus, { format, delimiter: asked }: InputOptions, delimiter: string | undefined): boolean {
  const ends = recordEnd(file.format)
  switch (recordEnd(format)) {
    // A CSV row ends at the end of a line, but a line may end inside a row.
    case 'newline': return ends === 'newline' || ends === 'row'
    // Row ends depend on the delimiter: a quote is special only at the start of a field. Files without a known delimiter were
    // written with commas.
    case 'row': return ends === 'row' && (file.delimiter ?? ',') === (asked ?? delimiter ?? ',')
    default: return true
  }
}

/** A piece for each block, whose reader looks at the bytes before its range, and reads on to the end of its last record. */
export const unalignedPieces = (file: FileStatus, blocks: readonly LocatedBlock[]): SplitPiece[] =>
  blocks.map(({ offset, length }, index) =>
    piece(file, blocks.slice(Math.max(0, index - 1), index + 2), { start: offset, end: offset + length, aligned: false }))

/** Pieces of about `bytes` within each block, whose readers look at the bytes before their ranges as those of unaligned blocks do. */
const dividedPieces = (file: FileStatus, blocks: readonly LocatedBlock[], bytes: number): SplitPiece[] =>
  blocks.flatMap(({ offset, length }, index) => {
    const count = Math.max(1, Math.round(length / bytes))
    const at = (i: number): number => offset + Math.floor(length * i / count)
    const near = blocks.slice(Math.max(0, index - 1), index + 2)
    return Array.from({ length: count }, (_, i) => piece(file, near, { start: at(i), end: at(i + 1), aligned: false }))
  })

export function piece(
  file: FileStatus, blocks: readonly LocatedBlock[],
  range: Pick<SplitRange, 'start' | 'end' | 'aligned' | 'delimiter'>,
): SplitPiece {
  const bytes = new Map<LocatedBlock['nodes'][number]['node'], number>()
  for (const block of blocks) {
    const own = Math.min(range.end, block.offset + block.length) - Math.max(range.start, block.offset)
    if (own > 0) for (const { node } of block.nodes) bytes.set(node, (bytes.get(node) ?? 0) + own)
  }
  const most = Math.max(0, ...bytes.values())
  return {
    range: {
      path: file.path, inode: file.id, fileBytes: file.length, ...range,
      blocks: isReference(file.path) ? [] : blocks.map(({ id, offset, length, crc }) => ({ id, offset, length, crc })),
    },
    // Nodes that hold at least 90 % of the maximum; for one block these are all its holders.
    nodes: [...bytes].filter(([, held]) => held * 10 >= most * 9).map(([node]) => node),
  }
}

/** All results; throws the first failure once all have settled. */
export async function settled<T>(work: ReadonlyArray<Promise<T>>): Promise<T[]> {
  const results = await Promise.allSettled(work)
  return results.map(result => {
    if (result.status === 'rejected') throw result.reason
    return result.value
  })
}
