// Quotas of an object before its bytes are sent. What is written aside, an object or the parts of an upload, counts for no quota until it
// appears under its key; whether it would fit then is looked at when an upload begins, and for each part, so that no more is sent in vain
// than the parts that are under way. The operation that publishes decides.

import type { InodeId } from '../../src/base/ids.ts'
import { isWithin, nameOf, namesOf, parentOf } from '../../src/base/paths.ts'
import { uploadsDirectory } from '../../src/protocol/object.ts'
import type { Publishing } from '../../src/protocol/writing.ts'
import { childKey, idKey, nameOfKey } from '../journal/keys.ts'
import type { Actor } from '../journal/operation.ts'
import type { View } from '../journal/view.ts'
import { decodeSize } from '../namespace/entry.ts'
import { versioningOf } from '../namespace/keyversions.ts'
import { child, directoryAt, lowestAt } from '../namespace/resolve.ts'
import { amountsOf, checkQuota } from './usage.ts'

/** Attribute of the directory of an upload: where its parts will be published. No user sets it. */
const targetAttribute = 'system.s3.target'

type Target = Omit<Publishing, 'bytes'>

/** The attribute, in the form of a message. */
export const targetOf = (target: Target): { readonly name: string; readonly value: string } =>
  ({ name: targetAttribute, value: Buffer.from(JSON.stringify(target)).toString('base64') })

/** Throws EDQUOT if so many bytes could not be published there now, and ENOTDIR, EACCES, ENOENT for a path that cannot be reached. */
export function checkPublishing(view: View, actor: Actor, { bytes, ...target }: Publishing, replication: number): void {
  if (view.counters.quotas === 0) return
  const coming = bytes * replication
  const { to } = target
  if (!isWithin(to, uploadsDirectory)) return checkTarget(view, actor, target, coming)
  const upload = directoryAt(view, actor, parentOf(to)).entry.id
  const known = view.get('attributes', childKey(upload, targetAttribute))
  // One that an earlier version has begun.
  if (known) checkTarget(view, actor, JSON.parse(known.toString()) as Target, coming + partsOf(view, upload, nameOf(to)))
}

/** Bytes of the parts of an upload with all replicas, without the part that is replaced. */
function partsOf(view: View, upload: InodeId, replaced: string): number {
  let bytes = 0
  for (const { key, value } of view.range('children', { start: childKey(upload, ''), end: idKey(upload + 1) }))
    if (nameOfKey(key) !== replaced) bytes += amountsOf(decodeSize(value)).bytes
  return bytes
}

function checkTarget(view: View, actor: Actor, { to, base }: Target, coming: number): void {
  const above = parentOf(to)
  const { entry, path } = lowestAt(view, actor, above, to)
  const missing = namesOf(above).length - namesOf(path).length
  const there = missing === 0 ? child(view, entry.id, nameOf(to)) : undefined
  const replaced = there && !there.directory && !isKept(view, actor, base) ? amountsOf(there).bytes : 0
  checkQuota(view, entry.id, { names: there ? 0 : missing + 1, bytes: Math.max(0, coming - replaced) })
}

/** True if a file that is replaced stays as an older version. */
const isKept = (view: View, actor: Actor, base: string | undefined): boolean =>
  base !== undefined && versioningOf(view, directoryAt(view, actor, base).entry) !== undefined
