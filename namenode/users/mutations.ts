// Mutations of users and access keys. The secret of a key comes sealed in the operation, so that journal, store and backups never have it
// in plain text.

import { GristmillError } from '../../src/base/errors.ts'
import { systemUser } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import { faultOfName } from '../../src/base/username.ts'
import { userNameBytesMax } from '../../src/protocol/user.ts'
import { textKey } from '../journal/keys.ts'
import { mutation, type AnyMutation, type UserOperation } from '../journal/operation.ts'
import type { View } from '../journal/view.ts'
import { accessKeyAt, putAccessKey, putUser, userAt, type UserRow } from './rows.ts'
import { tokensOf } from './tokenrows.ts'

type Named = UserOperation & { readonly name: string }

export const addUser = mutation<Named, undefined>({
  kind: 'user.add',
  mutate(draft, { name, nowMs, user, root }) {
    if (!root) throw new GristmillError('EACCES', `${user} may not add users; only the cluster's superuser may`)
    const fault = name === systemUser ? 'it is the name of the cluster\'s own processes' : faultOfName(name)
    if (fault !== undefined || Buffer.byteLength(name) > userNameBytesMax)
      throw new GristmillError('EINVAL', `${JSON.stringify(name)} cannot be the name of a user: ${fault ?? 'it is too long'}`)
    if (userAt(draft, name)) throw new GristmillError('EEXIST', `there is a user ${name} already`, { details: { user: name } })
    putUser(draft, name, { createdMs: Math.floor(nowMs), keys: [] })
    return undefined
  },
})

export const removeUser = mutation<Named, undefined>({
  kind: 'user.remove',
  mutate(draft, { name, user, root }) {
    if (!root) throw new GristmillError('EACCES', `${user} may not remove users; only the cluster's superuser may`)
    for (const id of existing(draft, name).keys) draft.remove('accesskeys', textKey(id))
    for (const { key } of [...tokensOf(draft, name)]) draft.remove('tokens', key)
    draft.remove('users', textKey(name))
    return undefined
  },
})

export const addKey = mutation<Named & { readonly id: string; readonly sealed: string }, undefined>({
  kind: 'user.addKey',
  mutate(draft, { name, id, sealed, nowMs, user, root }) {
    if (!root && user !== name)
      throw new GristmillError('EACCES', `${user} may not make keys of ${name}; ${name} and the cluster's superuser may`)
    const row = existing(draft, name)
    if (accessKeyAt(draft, id)) throw new GristmillError('EEXIST', `there is an access key ${id} already; choose another id`)
    if (row.keys.length >= limits.userKeysMax)
      throw new GristmillError(
        'EINVAL', `${name} has ${row.keys.length} access keys, and may not have more; remove one (user key ${name} --rm ID)`,
        { details: { user: name } },
      )
    putUser(draft, name, { ...row, keys: [...row.keys, id] })
    putAccessKey(draft, id, { user: name, sealed, createdMs: Math.floor(nowMs) })
    return undefined
  },
})

export const removeKey = mutation<UserOperation & { readonly id: string }, undefined>({
  kind: 'user.removeKey',
  mutate(draft, { id, user, root }) {
    const key = accessKeyAt(draft, id)
    // The owner of a key is not revealed to others.
    if (!key || (!root && user !== key.user)) throw new GristmillError('ENOENT', `${root ? 'there is' : `${user} has`} no access key ${id}`)
    const row = existing(draft, key.user)
    putUser(draft, key.user, { ...row, keys: row.keys.filter(each => each !== id) })
    draft.remove('accesskeys', textKey(id))
    return undefined
  },
})

/** Seals keys anew, each of which is still sealed as `was`. */
export const sealKeys = mutation<
  { readonly keys: ReadonlyArray<{ readonly id: string; readonly was: string; readonly sealed: string }> }, undefined
>({
  kind: 'user.sealKeys',
  mutate(draft, { keys }) {
    for (const { id, was, sealed } of keys) {
      const key = accessKeyAt(draft, id)
      if (key?.sealed === was) putAccessKey(draft, id, { ...key, sealed })
    }
    return undefined
  },
})

/** `hashed` undefined: the user has no password any more. */
export const setPassword = mutation<Named & { readonly hashed?: string | undefined }, undefined>({
  kind: 'user.setPassword',
  mutate(draft, { name, hashed, user, root }) {
    if (!root && user !== name)
      throw new GristmillError('EACCES', `${user} may not set the password of ${name}; ${name} and the cluster's superuser may`)
    putUser(draft, name, { ...existing(draft, name), password: hashed })
    return undefined
  },
})

function existing(view: View, name: string): UserRow {
  const row = userAt(view, name)
  if (!row) throw new GristmillError('ENOENT', `there is no user ${name}; add one (user add ${name})`, { details: { user: name } })
  return row
}

export const userMutations: readonly AnyMutation[] = [addUser, removeUser, addKey, removeKey, sealKeys, setPassword]
