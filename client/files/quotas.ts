// Bounds on what is below directories: `mill.quotas`. Whoever would go over one gets EDQUOT, and nothing has happened.

import { GristmillError } from '../../src/base/errors.ts'
import type { InodeId } from '../../src/base/ids.ts'
import type { ReplyOf } from '../../src/protocol/message.ts'
import * as protocol from '../../src/protocol/quota.ts'
import type { Quota } from '../../src/protocol/quota.ts'
import type { CallMessage } from '../call/cluster.ts'
import { callOptions, optionsOf, pathOf, type CallOptions, type Path } from '../call/arguments.ts'
import { checkInteger } from '../call/integers.ts'
import { during, perform } from '../call/perform.ts'

/** `null`: without bound. What is not named stays as it is. */
export interface QuotaBounds { readonly names?: number | null | undefined; readonly bytes?: number | null | undefined }

export class Quotas {
  readonly #ask: CallMessage

  constructor(ask: CallMessage) { this.#ask = ask }

  /**
   * Bounds the files and directories below a directory, and their bytes with all replicas. For the superuser. Throws EINVAL, ENOENT,
   * ENOTDIR, EACCES.
   */
  set(path: Path, bounds: QuotaBounds, options?: CallOptions | null): Promise<void> {
    return perform('quota', path, callOptions('set', options), async ({ signal }) => {
      const { names, bytes } = optionsOf<QuotaBounds>(bounds, 'set', { names: true, bytes: true })
      if (names === undefined && bytes === undefined)
        throw new GristmillError('EINVAL', 'a quota bounds names, bytes, or both: give at least one of them')
      checkInteger('bound on names', names ?? undefined, 0)
      checkInteger('bound on bytes', bytes ?? undefined, 0)
      await this.#ask(
        protocol.set,
        { path: pathOf(path), ...(names !== undefined && { names }), ...(bytes !== undefined && { bytes }) },
        signal,
      )
    })
  }

  /** The quota of a directory itself, with what is below it; undefined if it has none. Throws ENOENT, ENOTDIR, EACCES. */
  get(path: Path, options?: CallOptions | null): Promise<Quota | undefined> {
    return perform(
      'quota', path, callOptions('get', options),
      async ({ signal }) => (await this.#ask(protocol.get, { path: pathOf(path) }, signal)).quota,
    )
  }

  /** Takes both bounds away. */
  clear(path: Path, options?: CallOptions | null): Promise<void> {
    return this.set(path, { names: null, bytes: null }, options)
  }

  /** All there are, for the superuser. */
  async *list(options?: CallOptions | null): AsyncGenerator<Quota, void, undefined> {
    const { signal } = await during('quota', undefined, async () => callOptions('list', options)())
    let after: InodeId | undefined
    do {
      const page: ReplyOf<typeof protocol.list> = await during(
        'quota', undefined,
        () => this.#ask(protocol.list, after === undefined ? {} : { after }, signal),
        signal,
      )
      yield* page.quotas
      after = page.next
    } while (after !== undefined)
  }
}
