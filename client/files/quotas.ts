// Bounds on what is below directories: `mill.quotas`. Whoever would go over one gets EDQUOT, and nothing has happened.

import { normalise } from '../../src/base/paths.ts'
import type { InodeId } from '../../src/base/ids.ts'
import type { ReplyOf } from '../../src/protocol/message.ts'
import * as protocol from '../../src/protocol/quota.ts'
import type { Quota } from '../../src/protocol/quota.ts'
import type { Ask } from '../jobs/ask.ts'
import { within } from '../within.ts'
import { during } from './describe.ts'
import type { CallOptions } from './names.ts'

/** `null`: without bound. What is not named stays as it is. */
export interface Bounds { readonly names?: number | null; readonly bytes?: number | null }

export class Quotas {
  readonly #ask: Ask

  constructor(ask: Ask) { this.#ask = ask }

  /** Bounds the files and directories below a directory, and their bytes with all replicas. For the superuser. Throws EINVAL, ENOENT, ENOTDIR, EACCES. */
  set(path: string, { names, bytes }: Bounds, { signal }: CallOptions = {}): Promise<void> {
    return during('quota', path, async () => {
      within('bound on names', names, 0)
      within('bound on bytes', bytes, 0)
      await this.#ask(protocol.set, { path: normalise(path), ...names !== undefined && { names }, ...bytes !== undefined && { bytes } }, signal)
    })
  }

  /** The quota of a directory itself, with what is below it; undefined if it has none. Throws ENOENT, ENOTDIR, EACCES. */
  get(path: string, { signal }: CallOptions = {}): Promise<Quota | undefined> {
    return during('quota', path, async () => (await this.#ask(protocol.get, { path: normalise(path) }, signal)).quota)
  }

  /** Takes both bounds away. */
  clear(path: string, options: CallOptions = {}): Promise<void> {
    return this.set(path, { names: null, bytes: null }, options)
  }

  /** All there are, for the superuser. */
  async *list({ signal }: CallOptions = {}): AsyncGenerator<Quota, void, undefined> {
    let after: InodeId | undefined
    do {
      const page: ReplyOf<typeof protocol.list> = await this.#ask(protocol.list, after === undefined ? {} : { after }, signal)
      yield* page.quotas
      after = page.next
    } while (after !== undefined)
  }
}
