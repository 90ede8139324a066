// `mill.users`: users who reach the cluster through a gateway that verifies them, and their access keys. The secret of a key is made here
// and sent sealed: it is shown once, to the caller who made it, and travels on no connection.

import { GristmillError } from '../../src/base/errors.ts'
import type { Random } from '../../src/ports/random.ts'
import * as protocol from '../../src/protocol/user.ts'
import { keyIdForm, userNameBytesMax, type UserAccount } from '../../src/protocol/user.ts'
import { hashPassword } from '../../src/rpc/password.ts'
import type { Vault } from '../../src/rpc/vault.ts'
import type { CallMessage } from '../call/cluster.ts'
import { callOptions, optionsOf, shown, textOf, type CallOptions } from '../call/arguments.ts'
import { paged } from '../call/pages.ts'
import { during, perform } from '../call/perform.ts'

interface KeyOptions extends CallOptions {
  /** Id of the key; default: a new one. */
  readonly id?: string | undefined
  /** Secret of the key, 8 to 128 characters of printable ASCII; default: a new one. */
  readonly secret?: string | undefined
}

interface AccessKey { readonly id: string; readonly secret: string }

interface AccountsDeps { readonly ask: CallMessage; readonly random: Random; readonly vault: Vault }

const passwordForm = /^[^\p{Cc}]{8,128}$/u
const secretForm = /^[!-~]{8,128}$/

export class Accounts {
  readonly #deps: AccountsDeps

  constructor(deps: AccountsDeps) { this.#deps = deps }

  /** Requires the superuser. Throws EEXIST, EACCES, EINVAL. */
  add(name: string, options?: CallOptions | null): Promise<void> {
    return perform('user', undefined, callOptions('add', options), async ({ signal }) => {
      await this.#deps.ask(protocol.add, { name: userNameOf(name) }, signal)
    })
  }

  /** Removes a user and the access keys; files keep their owner. Requires the superuser. Throws ENOENT, EACCES. */
  rm(name: string, options?: CallOptions | null): Promise<void> {
    return perform('user', undefined, callOptions('rm', options), async ({ signal }) => {
      await this.#deps.ask(protocol.remove, { name: userNameOf(name) }, signal)
    })
  }

  /** Users with the ids of their keys, in order of their names: all for the superuser, oneself for others. */
  async *list(options?: CallOptions | null): AsyncGenerator<UserAccount, void, undefined> {
    const { signal } = await during('user', undefined, async () => callOptions('list', options)())
    const ask = (after?: string) => this.#deps.ask(protocol.list, after === undefined ? {} : { after }, signal)
    for await (const page of paged((after?: string) => during('user', undefined, () => ask(after), signal))) yield* page.users
  }

  /**
   * Makes an access key of a user. The secret cannot be read later. Requires the superuser or the user. Throws ENOENT for an unknown user,
   * EEXIST for an id in use, EACCES, EINVAL.
   */
  addKey(name: string, options?: KeyOptions | null): Promise<AccessKey> {
    return perform(
      'user', undefined, () => optionsOf<KeyOptions>(options, 'addKey', { id: true, secret: true, signal: true }),
      async ({ id = this.#newId(), secret = this.#newSecret(), signal }) => {
        const { ask, vault } = this.#deps
        const key = keyIdOf(id)
        if (typeof secret !== 'string' || !secretForm.test(secret))
          throw new GristmillError('EINVAL', 'the secret of an access key has 8 to 128 characters of printable ASCII without spaces')
        await ask(protocol.addKey, { name: userNameOf(name), id: key, sealed: vault.seal(secret, key) }, signal)
        return { id, secret }
      },
    )
  }

  /** Requires the superuser or the user of the key. Gateways refuse it within some seconds. Throws ENOENT. */
  rmKey(id: string, options?: CallOptions | null): Promise<void> {
    return perform('user', undefined, callOptions('rmKey', options), async ({ signal }) => {
      await this.#deps.ask(protocol.removeKey, { id: keyIdOf(id) }, signal)
    })
  }

  /**
   * Sets the password with which gateways take the user's name by HTTP Basic, 8 to 128 characters; null removes it. Only its hash is sent.
   * Requires the superuser or the user. Throws ENOENT for an unknown user, EACCES, EINVAL.
   */
  passwd(name: string, password: string | null, options?: CallOptions | null): Promise<void> {
    return perform('user', undefined, callOptions('passwd', options), async ({ signal }) => {
      const { ask, random } = this.#deps
      if (password !== null && (typeof password !== 'string' || !passwordForm.test(password) || !password.isWellFormed()))
        throw new GristmillError('EINVAL', 'a password has 8 to 128 characters, without control characters; null removes it')
      const user = userNameOf(name)
      await ask(protocol.setPassword, { name: user, ...password !== null && { hashed: await hashPassword(password, random) } }, signal)
    })
  }

  /** 20 characters, as AWS's have. */
  #newId(): string {
    const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
    return `GM${[...this.#deps.random.bytes(18)].map(byte => letters[byte & 31]).join('')}`
  }

  /** 240 bits in 40 characters. */
  #newSecret(): string { return Buffer.from(this.#deps.random.bytes(30)).toString('base64url') }
}

function userNameOf(name: string): string {
  if (Buffer.byteLength(textOf(name, 'name of the user')) <= userNameBytesMax) return name
  throw new GristmillError('EINVAL', `the name of a user has at most ${userNameBytesMax} bytes`)
}

function keyIdOf(id: string): string {
  if (typeof id === 'string' && keyIdForm.test(id)) return id
  throw new GristmillError('EINVAL', `the id of an access key has 3 to 128 letters, digits, "-" and "_"; it is ${shown(id)}`)
}
