// Messages about users and their access keys, client → namenode. A user record exists for those who reach the cluster through a gateway
// that verifies users. The secret of an access key is sealed by its maker (rpc/vault.ts): the namenode stores what it cannot use, and a
// gateway, which has the cluster's secret, opens it. A password is hashed by its maker.

import Type, { type Static } from './schema.ts'
import { instant, requestId } from './fields.ts'
import { message } from './message.ts'

/** Longest name in bytes of UTF-8. */
export const userNameBytesMax = 255
const userName = Type.String({ minLength: 1, maxLength: userNameBytesMax })
/** Letters, digits, `-` and `_`: a slash would divide the credential of a signature. */
export const keyIdForm = /^[A-Za-z0-9_-]{3,128}$/
const keyId = Type.String({ minLength: 3, maxLength: 128, pattern: keyIdForm.source })
/** A secret of at most 128 characters, sealed. */
const sealed = Type.String({ minLength: 1, maxLength: 1000 })

/** Hash of a password, as `rpc/password.ts` makes it: its costs are fixed. */
export const hashedForm = /^scrypt-14-8-1\.([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})$/
const hashed = Type.String({ minLength: 1, maxLength: 200, pattern: hashedForm.source })

const user = Type.Object({
  name: userName,
  createdMs: instant,
  keys: Type.Array(Type.Object({ id: keyId, createdMs: instant })),
  /** True if the user has a password. */
  password: Type.Optional(Type.Literal(true)),
})
export type UserAccount = Static<typeof user>

/** Requires the superuser. EEXIST. */
export const add = message('user.add', {
  callers: 'user',
  audit: ({ name }) => ({ name }),
  mutation: true, paths: 'unchecked',
  request: Type.Object({ requestId, name: userName }),
  reply: Type.Object({}),
})

/** Removes a user with all keys; files keep their owner. Requires the superuser. ENOENT. */
export const remove = message('user.remove', {
  callers: 'user',
  audit: ({ name }) => ({ name }),
  mutation: true, paths: 'unchecked',
  request: Type.Object({ requestId, name: userName }),
  reply: Type.Object({}),
})

/** Users in order of their names; all of them for the superuser, oneself for others. */
export const list = message('user.list', {
  callers: 'user',
  auditRead: () => ({}),
  request: Type.Object({ after: Type.Optional(userName) }),
  reply: Type.Object({ users: Type.Array(user), next: Type.Optional(userName) }),
})

/** Requires the superuser or the user. ENOENT for an unknown user, EEXIST for an id in use. */
export const addKey = message('user.addKey', {
  callers: 'user',
  audit: ({ name, id }) => ({ name, id }),
  mutation: true, paths: 'unchecked',
  request: Type.Object({ requestId, name: userName, id: keyId, sealed }),
  reply: Type.Object({}),
})

/** Requires the superuser or the user of the key. ENOENT. */
export const removeKey = message('user.removeKey', {
  callers: 'user',
  audit: ({ id }) => ({ id }),
  mutation: true, paths: 'unchecked',
  request: Type.Object({ requestId, id: keyId }),
  reply: Type.Object({}),
})

/** User and sealed secret of a key, for gateways. ENOENT. */
export const key = message('user.key', {
  callers: 'node',
  request: Type.Object({ id: keyId }),
  reply: Type.Object({ user: userName, sealed }),
})

/** Sets the password of a user, or removes it if none is given. Requires the superuser or the user. ENOENT for an unknown user. */
export const setPassword = message('user.setPassword', {
  callers: 'user',
  audit: ({ name }) => ({ name }),
  mutation: true, paths: 'unchecked',
  request: Type.Object({ requestId, name: userName, hashed: Type.Optional(hashed) }),
  reply: Type.Object({}),
})

/** Hash of the password of a user, for gateways. ENOENT. */
export const password = message('user.password', {
  callers: 'node',
  request: Type.Object({ name: userName }),
  reply: Type.Object({ hashed }),
})
