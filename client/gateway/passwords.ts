// HTTP Basic: a request that names a user by an access key, the id as the name and the secret as the password, or by the user's name and
// password. It needs no proxy. A secret is taken only where it was not readable on its way: over TLS, from this machine, or from a trusted
// proxy.

import { createHash, timingSafeEqual } from 'node:crypto'
import { GristmillError } from '../../src/base/errors.ts'
import type { AccessKeys } from './accesskeys.ts'
import type { Exchange } from './exchange.ts'
import type { UserPasswords } from './userpasswords.ts'
import type { Trust } from './identity.ts'

interface PasswordsDeps {
  readonly keys: Pick<AccessKeys, 'find'>
  readonly passwords: Pick<UserPasswords, 'isRight'>
  readonly trust: Pick<Trust, 'checkSecret' | 'checkPage'>
}

/** `id` and `user` are both names by which the client may mean itself. */
export interface Authenticated { readonly user: string; readonly id: string }

export class Passwords {
  readonly #deps: PasswordsDeps

  constructor(deps: PasswordsDeps) { this.#deps = deps }

  /** undefined: the request has no password. Throws UNAUTHENTICATED, EACCES. */
  async userOf(exchange: Exchange): Promise<Authenticated | undefined> {
    const { keys, passwords, trust } = this.#deps
    const given = basicOf(exchange.headers.authorization)
    if (given === undefined) return undefined
    trust.checkPage(exchange)
    trust.checkSecret(exchange)
    const key = await keys.find(given.id)
    if (key && same(key.secret, given.secret)) return { user: key.user, id: given.id }
    if (await passwords.isRight(given.id, given.secret)) return { user: given.id, id: given.id }
    throw new GristmillError(
      'UNAUTHENTICATED',
      'the name and the password of the request are neither those of a user (`gristmill user passwd NAME`) nor the id and the secret of an access key (`gristmill user key NAME`)',
    )
  }
}

/** Name and password of the scheme Basic; undefined for another scheme. Throws UNAUTHENTICATED if it is malformed. */
function basicOf(header: string | undefined): { readonly id: string; readonly secret: string } | undefined {
  const [, text] = /^basic +([A-Za-z0-9+/=]{1,2048})$/i.exec(header ?? '') ?? []
  if (text === undefined) return undefined
  const decoded = Buffer.from(text, 'base64').toString()
  const end = decoded.indexOf(':')
  if (end < 1) throw new GristmillError('UNAUTHENTICATED', 'the Authorization header of the request is not of the form Basic NAME:PASSWORD')
  return { id: decoded.slice(0, end), secret: decoded.slice(end + 1) }
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/** Takes the same time whatever the difference. */
const same = (a: string, b: string): boolean => timingSafeEqual(digest(a), digest(b))
