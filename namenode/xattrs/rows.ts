// Rows of extended attributes: table "attributes", (inode, name) → value. Attributes belong to the inode: renames do not touch
// them, and they are removed with the inode. Without any attributes the cost is one counter read.

import type { InodeId } from '../../src/base/ids.ts'
import type { Draft } from '../journal/draft.ts'
import { childKey, idKey, nameOfKey } from '../journal/keys.ts'
import type { View } from '../journal/view.ts'

interface StoredAttribute { readonly name: string; readonly value: Buffer }

export function* attributesOf(view: View, inode: InodeId): Iterable<StoredAttribute> {
  if (view.counters.attributes === 0) return
  for (const { key, value } of view.range('attributes', { start: childKey(inode, ''), end: idKey(inode + 1) }))
    yield { name: nameOfKey(key), value }
}

export function putAttribute(draft: Draft, inode: InodeId, { name, value }: StoredAttribute): void {
  const key = childKey(inode, name)
  if (!draft.has('attributes', key)) draft.count('attributes', 1)
  draft.put('attributes', key, value)
}

/** Returns false if there is no attribute of this name. */
export function removeAttribute(draft: Draft, inode: InodeId, name: string): boolean {
  const key = childKey(inode, name)
  if (!draft.has('attributes', key)) return false
  draft.remove('attributes', key)
  draft.count('attributes', -1)
  return true
}

/** The inode is removed. */
export function dropAttributes(draft: Draft, inode: InodeId): void {
  for (const { name } of [...attributesOf(draft, inode)]) removeAttribute(draft, inode, name)
}

/** Copies the attributes to an inode that replaces this one. */
export function copyAttributes(draft: Draft, from: InodeId, to: InodeId): void {
  for (const attribute of [...attributesOf(draft, from)]) putAttribute(draft, to, attribute)
}
