// Access keys as the gateway knows them. A key that is removed is refused within the time that the cache keeps.

import type { Clock } from '../../src/ports/clock.ts'
import { TimedCache } from './timedcache.ts'

export interface UserKey { readonly user: string; readonly secret: string }

type Find = (id: string) => Promise<UserKey | undefined>

export class AccessKeys {
  readonly #known: TimedCache<UserKey | undefined>
  readonly #find: Find

  constructor({ clock, find }: { readonly clock: Pick<Clock, 'mono'>; readonly find: Find }) {
    this.#known = new TimedCache({ clock })
    this.#find = find
  }

  find(id: string): Promise<UserKey | undefined> { return this.#known.get(id, () => this.#find(id)) }
}
