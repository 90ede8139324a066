// Paths that must not be created. Checked before the journal, so that replay of old journals is not affected.

import { GristmillError } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import { namesOf } from '../../src/base/paths.ts'

/** Snapshots of a directory are read below this name. */
export const snapshotsName = '.snapshot'

/** Throws EROFS if the path leads into a snapshot, or would hide one; ENAMETOOLONG if it has too many levels. */
export function checkFree(path: string): void {
  // Each level takes at least two bytes.
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
