// Passwords of users as the gateway checks them: the hash is asked of the namenode and remembered for a few seconds, and so is a password
// that was right, because clients send it with each request.
// INVARIANT: one password is hashed at a time, and few wait: clients who guess take no more than one core, and no memory. Names take turns:
// guesses of one name do not keep other users out. All names without a password count as one.

import { createHash } from 'node:crypto'
import { GristmillError } from '../../src/base/errors.ts'
import type { Clock } from '../../src/ports/clock.ts'
import { isPassword } from '../../src/rpc/password.ts'
import { FairTurns } from './fairturns.ts'
import { TimedCache } from './timedcache.ts'

/** Requests that wait for their turn, of all names: two seconds of hashing. */
const waitingMax = 50
/** Right passwords that are remembered. */
const knownMax = 1_000

interface UserPasswordsDeps {
  readonly clock: Pick<Clock, 'mono'>
  /** Hash of the password of a user; undefined: there is none. */
  readonly find: (name: string) => Promise<string | undefined>
  /** Default: by scrypt. */
  readonly check?: (hashed: string | undefined, password: string) => Promise<boolean>
}

export class UserPasswords {
  readonly #find: UserPasswordsDeps['find']
  readonly #hashes: TimedCache<string | undefined>
  /** Digests of user, hash and password, in the order of their last use. */
  readonly #right = new Set<string>()
  readonly #turns = new FairTurns({
    max: waitingMax,
    full: () => new GristmillError('OVERLOADED',
      'many requests with passwords wait to be checked; send the request again later, or an access key'),
  })
  readonly #check: NonNullable<UserPasswordsDeps['check']>

  constructor({ clock, find, check = isPassword }: UserPasswordsDeps) {
    this.#check = check
    this.#find = find
    this.#hashes = new TimedCache({ clock })
  }

  /** Throws OVERLOADED. */
  async isRight(name: string, password: string): Promise<boolean> {
    const hashed = await this.#hashes.get(name, () => this.#find(name))
    const digest = createHash('sha256').update(JSON.stringify([name, hashed, password])).digest('base64')
    if (hashed !== undefined && this.#right.delete(digest)) {
      this.#right.add(digest)
      return true
    }
    // Anyone can think of names: those of users who have a password are not many.
    const turn = hashed === undefined ? '' : name
    if (!await this.#turns.run(turn, () => this.#check(hashed, password))) return false
    this.#right.add(digest)
    for (const oldest of this.#right) {
      if (this.#right.size <= knownMax) break
      this.#right.delete(oldest)
    }
    return true
  }
}
