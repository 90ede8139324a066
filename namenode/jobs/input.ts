// A job names blocks, and the namenode hands out tokens for them: so each must belong to a file that the job's user may
// read, and the file must be as it was when the splits were cut.

import { GristmillError } from '../../src/base/errors.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { JobSpec } from '../../src/protocol/job.ts'
import type { SplitRange } from '../../src/protocol/task.ts'
import type { Actor } from '../journal/operation.ts'
import type { View } from '../journal/view.ts'
import { checkMay, mayRead } from '../namespace/access.ts'
import { knownBlock } from '../namespace/file.ts'
import { find } from '../namespace/past.ts'

/** Ranges between two looks at what else waits. */
const slice = 500

/** Throws ENOENT, EACCES, or EBUSY where a file has been replaced since. */
export async function checkInputs({ view, clock }: { view: View; clock: Clock }, actor: Actor, spec: JobSpec): Promise<void> {
  let count = 0
  for (const { input } of spec.stages) {
    if (input.kind !== 'splits') continue
    for (const { ranges } of input.splits) {
      for (const range of ranges) {
        if (++count % slice === 0) await clock.yield()
        checkRange(view, actor, range)
      }
    }
  }
}

function checkRange(view: View, actor: Actor, { path, inode, fileBytes, blocks }: SplitRange): void {
  const { entry } = find(view, actor, path)
  checkMay(actor, entry, mayRead, path)
  const same = entry.id === inode && entry.length === fileBytes && blocks.every(({ id }) => knownBlock(view, id)?.inode === inode)
  if (!same) throw new GristmillError('EBUSY', `${path} was replaced while the job was being planned; submit it again`, { details: { path } })
}
