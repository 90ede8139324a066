// Names that nothing new may have. Asked before the journal: what an old journal holds is not judged again.

import { GristmillError } from '../../src/base/errors.ts'
import { namesOf } from '../../src/base/paths.ts'

/** Below a directory of this name its snapshots are read. */
export const snapshotsName = '.snapshot'

/** Throws EROFS if the path leads into a snapshot, or would hide some. */
export function checkFree(path: string): void {
  if (!path.includes(`/${snapshotsName}`) || !namesOf(path).includes(snapshotsName)) return
  throw new GristmillError('EROFS', `${path} cannot be changed: "${snapshotsName}" is where the snapshots of a directory are read, and a snapshot never changes`, { details: { path } })
}
