// Copies extended attributes and the access control list of a source to its copy within the cluster.

import { aclText } from '../../src/base/acl.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'
import type { Names } from './names.ts'

type Lists = Pick<Names, 'acls' | 'xattrs'>

type Keep = (names: Lists, source: FileStatus, target: string, signal: AbortSignal | undefined) => Promise<void>

export const keepAttributes: Keep = async ({ xattrs }, source, target, signal) => {
  for (const [name, value] of await xattrs.list(source.path, { signal })) await xattrs.set(target, name, value, { signal })
}

/** Gives the target the list of its source, and with it the mode. A source without a list changes nothing. */
export const keepList: Keep = async ({ acls }, source, target, signal) => {
  if (!source.acl) return
  const { entries } = await acls.get(source.path, { signal })
  await acls.set(target, entries.map(aclText), { signal })
}

export const keepBoth: Keep = async (...args) => {
  await keepAttributes(...args)
  await keepList(...args)
}

/**
 * Mode of the source as it is without its list. The group bits of a mode with a list are the mask, which may permit more than the group
 * has: in a copy without the list they would be the group's.
 */
export async function modeAlone({ acls }: Lists, source: FileStatus, signal: AbortSignal | undefined): Promise<number> {
  if (!source.acl) return source.mode
  const { mode, entries } = await acls.get(source.path, { signal })
  const { perm } = entries.find(({ scope, type, name }) => scope === 'access' && type === 'group' && name === undefined)!
  return mode & ~0o070 | (perm & mode >> 3) << 3
}
