// `mill.quotas`: limits on names and bytes below directories. An operation that would exceed one throws EDQUOT and changes nothing.

import { GristmillError } from '../../src/base/errors.ts'
import type { InodeId } from '../../src/base/ids.ts'
import * as protocol from '../../src/protocol/quota.ts'
import type { Quota } from '../../src/protocol/quota.ts'
import type { CallMessage } from '../call/cluster.ts'
import { callOptions, optionsOf, pathOf, type CallOptions, type Path } from '../call/arguments.ts'
import { checkInteger } from '../call/integers.ts'
import { paged } from '../call/pages.ts'
import { during, perform } from '../call/perform.ts'

/** `null`: no limit. An omitted limit does not change. */
export interface QuotaBounds { readonly names?: number | null | undefined; readonly bytes?: number | null | undefined }

export class Quotas {
  readonly #ask: CallMessage

  constructor(ask: CallMessage) { this.#ask = ask }

  /**
   * Limits the number of files and directories below a directory, and their bytes with all replicas. Requires the superuser.
   * Throws EINVAL, ENOENT, ENOTDIR, EACCES.
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

  /** Quota of the directory itself, with its usage; undefined if it has none. Throws ENOENT, ENOTDIR, EACCES. */
  get(path: Path, options?: CallOptions | null): Promise<Quota | undefined> {
    return perform(
      'quota', path, callOptions('get', options),
      async ({ signal }) => (await this.#ask(protocol.get, { path: pathOf(path) }, signal)).quota,
    )
  }

  /** Removes both limits. */
  clear(path: Path, options?: CallOptions | null): Promise<void> {
    return this.set(path, { names: null, bytes: null }, options)
  }

  /** Lists all quotas. Requires the superuser. */
  async *list(options?: CallOptions | null): AsyncGenerator<Quota, void, undefined> {
    const { signal } = await during('quota', undefined, async () => callOptions('list', options)())
    const ask = (after?: InodeId) => this.#ask(protocol.list, after === undefined ? {} : { after }, signal)
    for await (const page of paged((after?: InodeId) => during('quota', undefined, () => ask(after), signal))) yield* page.quotas
  }
}
