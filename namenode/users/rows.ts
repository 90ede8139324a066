// Rows of users and access keys. Table "users": name → when it was added and the ids of its keys; table "accesskeys": id → its user and
// sealed secret. INVARIANT: a key is listed by exactly the user that its row names.

import type { Draft } from '../journal/draft.ts'
import { decodeValue, encodeValue } from '../journal/codec.ts'
import { textKey } from '../journal/keys.ts'
import type { View } from '../journal/view.ts'

export interface UserRow {
  readonly createdMs: number
  /** Ids of access keys, oldest first. */
  readonly keys: readonly string[]
  /** Hash of the password; undefined: the user has none. */
  readonly password?: string | undefined
}

interface AccessKeyRow {
  readonly user: string
  readonly sealed: string
  readonly createdMs: number
}

export function userAt(view: View, name: string): UserRow | undefined {
  const bytes = view.get('users', textKey(name))
  return bytes && decodeValue<UserRow>(bytes)
}

export const putUser = (draft: Draft, name: string, { createdMs, keys, password }: UserRow): void =>
  draft.put('users', textKey(name), encodeValue({ createdMs, keys, ...password !== undefined && { password } }))

/** Users in byte order of their names, after `after`. */
export function* usersAfter(view: View, after: string | undefined, limit: number): Iterable<readonly [string, UserRow]> {
  // Names contain no NUL.
  const start = after === undefined ? undefined : textKey(`${after}\0`)
  for (const { key, value } of view.range('users', { start, limit })) yield [key.toString(), decodeValue<UserRow>(value)]
}

export function accessKeyAt(view: View, id: string): AccessKeyRow | undefined {
  const bytes = view.get('accesskeys', textKey(id))
  return bytes && decodeValue<AccessKeyRow>(bytes)
}

/** Access keys in byte order of their ids, after `after`. */
export function* accessKeysAfter(view: View, after: string | undefined, limit: number): Iterable<readonly [string, AccessKeyRow]> {
  // Ids contain no NUL.
  const start = after === undefined ? undefined : textKey(`${after}\0`)
  for (const { key, value } of view.range('accesskeys', { start, limit })) yield [key.toString(), decodeValue<AccessKeyRow>(value)]
}

export const putAccessKey = (draft: Draft, id: string, { user, sealed, createdMs }: AccessKeyRow): void =>
  draft.put('accesskeys', textKey(id), encodeValue({ user, sealed, createdMs }))
