// Copies extended attributes and the access control lists of a source to its copy. A file appears with them; a directory gets them after
// it was made, because it stays open to its copier until its contents are there.
// INVARIANT: a copy with the rights of its source has no entries that the source does not have: the target may have inherited them, or have
// those of a file that it replaces.

import { aclText, defaultsOf, wholeAcl, type AclEntry } from '../../src/base/acl.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'
import type { Appearance } from '../../src/protocol/writing.ts'
import type { Names } from './names.ts'

type Lists = Pick<Names, 'acls' | 'xattrs' | 'status'>

interface Target { readonly path: string; readonly signal: AbortSignal | undefined }

export async function keepAttributes({ xattrs }: Lists, source: FileStatus, { path, signal }: Target): Promise<void> {
  for (const [name, value] of await xattrs.list(source.path, { signal })) await xattrs.set(path, name, value, { signal })
}

/** Gives the directory the lists of its source in the cluster, and with them the mode. */
export async function keepList(names: Lists, source: FileStatus, target: Target): Promise<void> {
  const made = await names.status(target.path, { signal: target.signal })
  if (!source.acl && !made.acl) return
  const entries = source.acl ? (await names.acls.get(source.path, { signal: target.signal })).entries : wholeAcl(source.mode)
  await setLists(names, entries, { ...target, made })
}

/** Leaves the directory without lists, as a source that can have none, with this mode. */
export async function dropList(names: Lists, mode: number, target: Target): Promise<void> {
  const made = await names.status(target.path, { signal: target.signal })
  if (made.acl) await setLists(names, wholeAcl(mode), { ...target, made })
}

/** Rights and attributes of the source, with which a copy of a file appears. */
export async function appearanceOf(
  { acls, xattrs }: Pick<Lists, 'acls' | 'xattrs'>, source: FileStatus, signal: AbortSignal | undefined,
): Promise<Appearance> {
  const found = await xattrs.list(source.path, { signal })
  const entries = source.acl ? (await acls.get(source.path, { signal })).entries : wholeAcl(source.mode)
  const attributes = [...found].map(([name, value]) => ({ name, value: value.toString('base64') }))
  return { acl: entries.map(aclText), ...attributes.length > 0 && { attributes } }
}

/** Rights of this mode alone, without a list, with which a copy of a file appears. */
export const withoutList = (mode: number): Appearance => ({ acl: wholeAcl(mode).map(aclText) })

async function setLists(
  { acls }: Lists, entries: readonly AclEntry[], { path, made, signal }: Target & { readonly made: FileStatus },
): Promise<void> {
  await acls.set(path, entries.map(aclText), { signal })
  if (made.acl && defaultsOf(entries).length === 0) await acls.removeDefault(path, { signal })
}

/**
 * Mode of the source as it is without its list. The group bits of a mode with a list are the mask, which may permit more than the group
 * has: in a copy without the list they would be the group's.
 */
export async function modeAlone({ acls }: Pick<Lists, 'acls'>, source: FileStatus, signal: AbortSignal | undefined): Promise<number> {
  if (!source.acl) return source.mode
  const { mode, entries } = await acls.get(source.path, { signal })
  const { perm } = entries.find(({ scope, type, name }) => scope === 'access' && type === 'group' && name === undefined)!
  return mode & ~0o070 | (perm & mode >> 3) << 3
}
