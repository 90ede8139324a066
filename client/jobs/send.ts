// Sends packed splits to the namenode: within the submit message if they fit into one page, else in pages before it. The namenode
// discards pages that no job takes over because the submission was aborted.

import { GristmillError } from '../../src/base/errors.ts'
import { splitsId } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import { KiB } from '../../src/base/units.ts'
import * as protocol from '../../src/protocol/job.ts'
import type { StageSpec } from '../../src/protocol/job.ts'
import { packSplit } from '../../src/protocol/packed.ts'
import type { Split } from '../../src/protocol/task.ts'
import type { Cluster } from '../call/cluster.ts'

type Packed = Extract<StageSpec['input'], { kind: 'packed' }>
type PackedSplits = Pick<Packed, 'splits' | 'sent'>

/** Maximum bytes of one page; the rest of its message is an output path, which JSON escapes may make six times as long. */
const pageBytesMax = limits.splitsBodyBytesMax - 64 * KiB

/** Splits as texts, in pages. The last page is sent with the job. Throws TOO_LARGE. */
export function pagesOf(splits: readonly Split[], bytesMax = pageBytesMax): string[][] {
  const pages: string[][] = []
  let page: string[] = []
  let room = bytesMax
  let chars = 0
  for (const split of splits) {
    const text = packSplit(split)
    // Including its quotes and a comma.
    const bytes = Buffer.byteLength(JSON.stringify(text)) + 1
    chars += text.length
    if (bytes > bytesMax) {
      const { path } = split.ranges[0]!
      throw new GristmillError(
        'TOO_LARGE',
        `${path} has too many blocks for one task, which has to read all of it; store it in larger blocks`,
        { details: { path } },
      )
    }
    if (bytes > room) {
      pages.push(page)
      page = []
      room = bytesMax
    }
    page.push(text)
    room -= bytes
  }
  if (chars > limits.jobSplitsBytesMax) {
    const ranges = splits.reduce((sum, each) => sum + each.ranges.length, 0)
    throw new GristmillError(
      'TOO_LARGE',
      `the input is ${ranges} files and blocks, more than one job can have; run several jobs over parts of it, or join small files`,
    )
  }
  return [...pages, page]
}

/** Sends all pages but the last. Throws ESTALE if the namenode has lost some of them: the caller sends them again. */
export async function sendPages(
  cluster: Pick<Cluster, 'ask' | 'random'>, pages: readonly (readonly string[])[],
  { output, signal }: { readonly output: string; readonly signal?: AbortSignal | undefined },
): Promise<PackedSplits> {
  const last = [...pages.at(-1)!]
  const before = pages.slice(0, -1)
  if (before.length === 0) return { splits: last }
  const id = splitsId(cluster.random.id())
  for (const [page, splits] of before.entries()) await cluster.ask(protocol.splits, { id, page, output, splits: [...splits] }, signal)
  return { sent: { id, pages: before.length, tasks: before.reduce((sum, { length }) => sum + length, 0) }, splits: last }
}
