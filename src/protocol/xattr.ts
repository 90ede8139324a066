// Messages about extended attributes, client → namenode: small values under user-defined names, kept with a file or directory
// across renames. Names start with `user.`; values are bytes, in base64 here.

import Type from './schema.ts'
import { limits } from '../base/limits.ts'
import { empty, path, requestId } from './fields.ts'
import { message } from './message.ts'

const name = Type.String({ minLength: 1, maxLength: limits.nameBytesMax })
const value = Type.String({ maxLength: Math.ceil(limits.attributeBytesMax / 3) * 4 })

/**
 * Attributes that decide about the rights of others, or remove files: settings of buckets. Only the owner of the entry, and the superuser,
 * set and remove them, by `xattr.set` and `xattr.remove` alone.
 */
export const isOwned = (name: string): boolean => name.startsWith('user.s3.bucket.') || name === 'user.s3.cors'

export const attribute = Type.Object({ name, value })

/** Creates or replaces an attribute. */
export const set = message('xattr.set', {
  callers: 'user',
  audit: ({ path, name }) => ({ path, name }),
  mutation: true, paths: 'unchecked',
  request: Type.Object({ requestId, path, name, value }),
  reply: empty,
})

/** ENOENT if the attribute does not exist. */
export const remove = message('xattr.remove', {
  callers: 'user',
  audit: ({ path, name }) => ({ path, name }),
  mutation: true, paths: 'unchecked',
  request: Type.Object({ requestId, path, name }),
  reply: empty,
})

/** All attributes of a path, in byte order of their names. */
export const list = message('xattr.list', {
  callers: 'user',
  auditRead: ({ path }) => ({ path }),
  request: Type.Object({ path }),
  reply: Type.Object({ attributes: Type.Array(attribute) }),
})
