// Mutations of extended attributes, for users who own the entry or may write to it; some are for the owner alone. Bounded are the size of
// one attribute, the number per inode and their sum, so that a listing fits into one reply.

import { GristmillError } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import type { Draft } from '../journal/draft.ts'
import { mutation, type Actor, type AnyMutation, type Requested } from '../journal/operation.ts'
import { checkOwner, may, mayWrite } from '../namespace/access.ts'
import { attributesOf, checkAttribute, putAttribute, removeAttribute } from './rows.ts'
import type { NameEntry } from '../namespace/entry.ts'
import { entryAt } from '../namespace/resolve.ts'

interface Asked extends Requested, Actor {
  readonly path: string
  readonly name: string
  /** Set by the routes for attributes that only the owner changes (protocol/xattr.ts). */
  readonly owned?: true | undefined
}

/** `value` in base64. */
export const setAttribute = mutation<Asked & { value: string }, undefined>({
  kind: 'xattr.set',
  mutate(draft, { path, name, value: text, owned, user, root }) {
    const value = checkAttribute(path, name, text)
    const entry = writable(draft, { user, root }, { path, owned })
    const others = [...attributesOf(draft, entry.id)].filter(each => each.name !== name)
    const bytes = others.reduce(
      (sum, each) => sum + Buffer.byteLength(each.name) + each.value.length,
      Buffer.byteLength(name) + value.length,
    )
    if (others.length >= limits.attributesMax || bytes > limits.attributesBytesMax) {
      throw new GristmillError(
        'TOO_LARGE',
        `${path} has ${others.length} other attributes, and with this one ${bytes} bytes of names and values; there may be ` +
        `${limits.attributesMax} and ${limits.attributesBytesMax} bytes. Larger things are files`,
        { details: { path, name } },
      )
    }
    putAttribute(draft, entry.id, { name, value })
    return undefined
  },
})

export const dropAttribute = mutation<Asked, undefined>({
  kind: 'xattr.remove',
  mutate(draft, { path, name, owned, user, root }) {
    const entry = writable(draft, { user, root }, { path, owned })
    if (!removeAttribute(draft, entry.id, name))
      throw new GristmillError('ENOENT', `${path} has no attribute ${name}`, { details: { path, name } })
    return undefined
  },
})

function writable(draft: Draft, actor: Actor, { path,
  owned = false }: { readonly path: string; readonly owned?: boolean | undefined }): NameEntry {
  const entry = entryAt(draft, actor, path)
  if (owned || !may(actor, entry, mayWrite)) checkOwner(actor, entry, path)
  return entry
}

export const xattrMutations: readonly AnyMutation[] = [setAttribute, dropAttribute]
