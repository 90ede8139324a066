// File `up-failed.json` of a home in which the first `gristmill up` has failed. Without a cluster that is remembered, commands would use a
// new embedded cluster, which has other files than the cluster that the user meant. A home that has an embedded cluster goes on using it.

import { GristmillError } from '../../src/base/errors.ts'
import type { Disk } from '../../src/ports/disk.ts'
import { isText, readHomeFile, writeHomeFile } from './homefile.ts'

interface FailedUp {
  readonly format: 1
  /** Message of its error. */
  readonly why: string
}

const failedFile = (home: string): string => `${home}/up-failed.json`
const whyCharsMax = 1_000

/** REQUIRES: the home exists, and remembers no cluster of `up`. */
export const recordFailedUp = (disk: Disk, home: string, why: string): Promise<void> =>
  writeHomeFile(disk, failedFile(home), { format: 1, why: why.slice(0, whyCharsMax) } satisfies FailedUp)

export const forgetFailedUp = (disk: Disk, home: string): Promise<void> => disk.remove(failedFile(home))

/** Throws UNAVAILABLE if `up` has failed in this home. REQUIRES: the home has no cluster, neither of `up` nor an embedded one. */
export async function refuseFailedUp(disk: Disk, home: string): Promise<void> {
  const failed = await readHomeFile<FailedUp>(disk, {
    path: failedFile(home), format: 1, about: 'an "up" that has failed', advice: 'run "gristmill up" again, or remove the file',
    parse: ({ why }) => (isText(why) ? { format: 1, why } : undefined),
  })
  if (!failed) return
  throw new GristmillError(
    'UNAVAILABLE',
    `this home has no cluster: the last "gristmill up" has failed (${failed.why}); run it again, or make an embedded cluster, with --cluster embedded for the first command`,
    { details: { file: failedFile(home) } },
  )
}
