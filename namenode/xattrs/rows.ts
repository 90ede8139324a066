// Rows of extended attributes: table "attributes", (inode, name) → value. Attributes belong to the inode: renames do not touch
// them, and they are removed with the inode. Without any attributes the cost is one counter read. Names of users begin with `user.`; others
// are the system's. Bounded are the size of one attribute, the number per inode and their sum.

import { GristmillError } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import { checkName } from '../../src/base/paths.ts'
import type { InodeId } from '../../src/base/ids.ts'
import type { Draft } from '../journal/draft.ts'
import { childKey, idKey, nameOfKey } from '../journal/keys.ts'
import type { View } from '../journal/view.ts'

interface StoredAttribute { readonly name: string; readonly value: Buffer }

/** Values in base64. */
export type GivenAttributes = ReadonlyArray<{ readonly name: string; readonly value: string }>

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
  const names = [...attributesOf(draft, inode)].map(({ name }) => name)
  for (const name of names) draft.remove('attributes', childKey(inode, name))
  if (names.length > 0) draft.count('attributes', -names.length)
}

/** Copies the attributes to an inode that replaces this one. */
export function copyAttributes(draft: Draft, from: InodeId, to: InodeId): void {
  for (const attribute of [...attributesOf(draft, from)]) putAttribute(draft, to, attribute)
}

/** All names that users give begin with it. */
const prefix = 'user.'

/** Checks name and value (in base64) of an attribute; returns the value. Throws EINVAL, ENAMETOOLONG, TOO_LARGE. */
export function checkAttribute(path: string, name: string, text: string): Buffer {
  if (!name.startsWith(prefix) || name === prefix)
    throw new GristmillError(
      'EINVAL',
      `an attribute's name starts with "${prefix}" and goes on: "${prefix}${name}", for instance, instead of "${name}"`,
      { details: { path, name } },
    )
  checkName(name)
  if (!name.isWellFormed())
    throw new GristmillError('EINVAL', `the name ${JSON.stringify(name)} is not valid Unicode`, { details: { path, name } })
  const value = Buffer.from(text, 'base64')
  if (value.toString('base64') !== text)
    throw new GristmillError('EINVAL', 'the value of an attribute travels in base64, and this is none', { details: { path, name } })
  if (value.length > limits.attributeBytesMax)
    throw new GristmillError(
      'TOO_LARGE',
      `the attribute ${name} of ${path} would have ${value.length} bytes; one may have ${limits.attributeBytesMax}`,
      { details: { path, name } },
    )
  return value
}

/** Sets attributes. Throws TOO_LARGE for more than one inode may have. */
export function putAttributes(draft: Draft, id: InodeId, attributes: GivenAttributes, path: string): void {
  for (const { name, value } of attributes) putAttribute(draft, id, { name, value: Buffer.from(value, 'base64') })
  const all = [...attributesOf(draft, id)]
  const bytes = all.reduce((sum, { name, value }) => sum + Buffer.byteLength(name) + value.length, 0)
  if (all.length > limits.attributesMax || bytes > limits.attributesBytesMax)
    throw new GristmillError(
      'TOO_LARGE',
      `${path} would have ${all.length} attributes of ${bytes} bytes; there may be ${limits.attributesMax} and ` +
      `${limits.attributesBytesMax} bytes`,
      { details: { path } },
    )
}

/** Attributes that users have given an inode, to be given to another one. */
export const userAttributesOf = (view: View, inode: InodeId): GivenAttributes =>
  [...attributesOf(view, inode)].filter(({ name }) => name.startsWith(prefix))
    .map(({ name, value }) => ({ name, value: value.toString('base64') }))
