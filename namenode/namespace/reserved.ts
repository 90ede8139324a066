// Names that nothing new may have. Asked before the journal: what an old journal holds is not judged again.

import { GristmillError } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import { namesOf } from '../../src/base/paths.ts'

/** Below a directory of this name its snapshots are read. */
export const snapshotsName = '.snapshot'

/** Throws EROFS if the path leads into a snapshot, or would hide some; ENAMETOOLONG if it has too many levels. */
export function checkFree(path: string): void {
  // A level has two bytes at the least.
  if (path.length > limits.pathDepthMax * 2) checkDepth(path)
  if (!path.includes(`/${snapshotsName}`) || !namesOf(path).includes(snapshotsName)) return
  throw new GristmillError(
    'EROFS',
    `${path} cannot be changed: "${snapshotsName}" is where the snapshots of a directory are read, and a snapshot never changes`,
    { details: { path } },
  )
}

function checkDepth(path: string): void {
  const levels = namesOf(path).length
  if (levels > limits.pathDepthMax)
    throw new GristmillError(
      'ENAMETOOLONG',
      `the path has ${levels} levels, at most ${limits.pathDepthMax} are allowed: ${path.slice(0, 60)}…`,
      { details: { levels } },
    )
}
