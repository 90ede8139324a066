// Checks the input of a submitted job. The namenode issues tokens for the blocks that a job names, so each block must belong
// to a file that the job's user may read, unchanged since the splits were made.

import { GristmillError } from '../../../src/base/errors.ts'
import { isReference } from '../../../src/base/reference.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import { inputsOf, type JobSpec } from '../../../src/protocol/job.ts'
import { unpackSplit } from '../../../src/protocol/packed.ts'
import type { Split, SplitRange } from '../../../src/protocol/task.ts'
import type { Actor } from '../../journal/operation.ts'
import type { View } from '../../journal/view.ts'
import { checkMay, mayRead } from '../../namespace/access.ts'
import { knownBlock } from '../../namespace/file.ts'
import { find } from '../../namespace/asof.ts'
import { checkedRanges } from '../../nodes/worksize.ts'
import { checkRange } from '../spec.ts'

/** Blocks between two turns of the event loop: about 5 ms. */
const slice = 1000
/** Cost of a range, in blocks: its path is resolved. */
const rangeCost = 2
const charsPerBlock = 100

/** Splits contained in a spec. */
export function* splitsOf({ stages }: JobSpec): Iterable<Split> {
  for (const input of stages.flatMap(inputsOf)) {
    if (input.kind === 'splits') yield* input.splits
    else if (input.kind === 'packed') yield* unpacked(input.splits)
  }
}

export function* unpacked(splits: readonly string[]): Iterable<Split> {
  for (const split of splits) yield unpackSplit(split)
}

/** Throws EINVAL, TOO_LARGE, ENOENT, EACCES, or EBUSY if a file has been replaced since. `output`: path of the job's output. */
export async function checkSplits(
  { view, clock }: { view: View; clock: Clock }, actor: Actor, splits: Iterable<Split>, output: string,
): Promise<void> {
  let cost = 0
  for (const split of splits) {
    for (const range of checkedRanges(split)) {
      checkRange(range, output)
      checkFile(view, actor, range)
      cost += rangeCost + range.path.length / charsPerBlock
      for (const { id } of range.blocks) {
        if (knownBlock(view, id)?.inode !== range.inode) throw replaced(range)
        if (++cost < slice) continue
        cost = 0
        await clock.yield()
      }
      if (cost < slice) continue
      cost = 0
      await clock.yield()
    }
    if (++cost < slice) continue
    cost = 0
    await clock.yield()
  }
}

function checkFile(view: View, actor: Actor, range: SplitRange): void {
  const { entry } = find(view, actor, range.path)
  checkMay(actor, entry, mayRead, range.path)
  // The length of a reference is that of the file outside of the cluster, which its tasks check.
  const isSame = entry.id === range.inode && (entry.length === range.fileBytes || (isReference(range.path) && range.blocks.length === 0))
  if (!isSame) throw replaced(range)
}

const replaced = ({ path }: SplitRange): GristmillError =>
  new GristmillError('EBUSY', `${path} was replaced while the job was being planned; submit it again`, { details: { path } })
