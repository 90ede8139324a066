// Versions whose jobs have read given files or outputs, or belong to a run of a program, found by a walk over the records of all versions;
// and the present path of a version's output.

import { GristmillError, hasCode } from '../../src/base/errors.ts'
import { inodeId, type InodeId } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import { namesOf } from '../../src/base/paths.ts'
import type { uses as message } from '../../src/protocol/version.ts'
import type { ReplyOf } from '../../src/protocol/message.ts'
import { decodeValue } from '../journal/codec.ts'
import { idKey, readId } from '../journal/keys.ts'
import type { Actor } from '../journal/operation.ts'
import type { View } from '../journal/view.ts'
import { checkMay, mayRead } from '../namespace/access.ts'
import { find } from '../namespace/asof.ts'
import { hookOf, pathOf, shelfName } from '../namespace/resolve.ts'
import { describe } from './describe.ts'
import { versionsOf } from './lookup.ts'
import { recordOf, type VersionRecord } from './rows.ts'

/** Records looked through for one page, about 10 µs each. */
const scannedMax = 500

/** What a version is asked for: to have read one of these inodes, or to belong to this run of a program. */
interface Wanted { readonly ids: ReadonlySet<InodeId>; readonly run?: string | undefined }

/** One page, in the order of inodes, after the directory `after`. */
export function uses(view: View, actor: Actor, wanted: Wanted, after: InodeId = inodeId(0)): ReplyOf<typeof message> {
  const found: Array<ReplyOf<typeof message>['uses'][number]> = []
  let count = 0
  let levels = 0
  for (const { key, value } of view.range('versions', { start: idKey(after + 1), limit: scannedMax })) {
    count++
    const id = inodeId(readId(key))
    const path = isWanted(decodeValue<VersionRecord>(value), wanted) ? outputOf(view, id) : undefined
    if (path !== undefined && isSeen(view, actor, path)) {
      for (const one of versionsOf(view, find(view, actor, path).entry))
        if (one.id === id) found.push({ path, version: describe(one) })
      levels += namesOf(path).length
    }
    if (count === scannedMax || levels > limits.pageLevelsMax) return { uses: found, next: id }
  }
  return { uses: found }
}

const isWanted = ({ made: { origin } }: VersionRecord, { ids, run }: Wanted): boolean =>
  (run !== undefined && origin?.run?.id === run)
  || (origin?.pins.some(({ outputs = [], list = [] }) => [...outputs, ...list].some(({ id }) => ids.has(id))) ?? false)

/** Path of the output of which a directory is a version; undefined if it was removed. */
function outputOf(view: View, id: InodeId): string | undefined {
  const hook = hookOf(view, id)
  // The path of a shelf is that of its output.
  return hook && pathOf(view, hookOf(view, hook.parent)?.name === shelfName ? hook.parent : id)
}

/** Present path of the output that has a version in the directory `id`, which was at `path`. Throws ENOENT. */
export function outputNow(view: View, actor: Actor, { path, id }: { readonly path: string; readonly id: InodeId }): string {
  const now = recordOf(view, id) && outputOf(view, id)
  if (now !== undefined && isSeen(view, actor, now)) return now
  throw new GristmillError('ENOENT', `no version that you may read is the directory with inode ${id}, which was a version of ${path}`, {
    details: { path },
  })
}

function isSeen(view: View, actor: Actor, path: string): boolean {
  try {
    checkMay(actor, find(view, actor, path).entry, mayRead, path)
    return true
  } catch (error) {
    if (hasCode(error, 'EACCES', 'ENOENT', 'ENOTDIR')) return false
    throw error
  }
}
