// Clients of the cluster, one for each user whom a gateway acts for. An idle one is kept for the user's next request; the number of idle
// ones is bounded.

import type { ClusterId } from '../../src/base/ids.ts'
import type { ShownToken } from '../../src/protocol/token.ts'
import type { Vault } from '../../src/rpc/vault.ts'
import type { Mill } from '../mill.ts'

/** A connection to one cluster from which a client for any user is made. */
export interface Mills {
  /** A client that calls as this user. REQUIRES: the caller closes it. */
  of(user: string): Mill
  /** User and secret of an access key; undefined: there is none with this id. Throws CORRUPT for one that cannot be opened. */
  accessKey(id: string): Promise<{ readonly user: string; readonly secret: string } | undefined>
  /** Hash of the password of a user; undefined: there is none. */
  password(name: string): Promise<string | undefined>
  /** Throws ENOENT for a delegation token that is not valid now. */
  isValidToken(token: ShownToken): Promise<void>
  readonly cluster: ClusterId
  /** User of this process, by whom settings of buckets are read. */
  readonly own: string
  /** Seals texts with a key of the cluster. */
  readonly vault: Pick<Vault, 'seal' | 'open'>
  close(): Promise<void>
}

interface Client { readonly mill: Mill; requests: number }

/** A client holds pooled wires and no other state: making one again costs two connections. */
const idleMax = 64

export class Users {
  readonly #mills: Mills
  /** In the order of their last requests. */
  readonly #clients = new Map<string, Client>()
  readonly #closing = new Set<Promise<void>>()

  constructor(mills: Mills) { this.#mills = mills }

  get own(): string { return this.#mills.own }

  /** Runs the work with the client of a user. */
  async as<T>(user: string, work: (mill: Mill) => Promise<T>): Promise<T> {
    const client = this.#clients.get(user) ?? { mill: this.#mills.of(user), requests: 0 }
    this.#clients.delete(user)
    this.#clients.set(user, client)
    client.requests++
    try {
      return await work(client.mill)
    } finally {
      client.requests--
      this.#prune()
    }
  }

  /** REQUIRES: no work runs. */
  async close(): Promise<void> {
    for (const { mill } of this.#clients.values()) this.#end(mill)
    this.#clients.clear()
    await Promise.all(this.#closing)
    await this.#mills.close()
  }

  #prune(): void {
    for (const [user, { mill, requests }] of this.#clients) {
      if (this.#clients.size <= idleMax) return
      if (requests > 0) continue
      this.#clients.delete(user)
      this.#end(mill)
    }
  }

  #end(mill: Mill): void {
    const closing = mill.close().catch(() => {}).finally(() => { this.#closing.delete(closing) })
    this.#closing.add(closing)
  }
}
