// `mill.trash`: removed entries that can be restored. Every user has a trash of their own, which other users cannot read.

import { GristmillError } from '../../src/base/errors.ts'
import * as trash from '../../src/protocol/trash.ts'
import type { TrashItem } from '../../src/protocol/trash.ts'
import type { CallMessage } from '../call/cluster.ts'
import { checkNamed, flagsOf, namesDirectory, optionsOf, pathOf, shown, textOf, type CallOptions } from '../call/arguments.ts'
import { checkInteger } from '../call/integers.ts'
import { paged } from '../call/pages.ts'
import { during, perform } from '../call/perform.ts'

interface RestoreOptions extends CallOptions {
  /** Path to restore to; default: the original path. */
  readonly to?: string | undefined
  readonly overwrite?: boolean | undefined
}

interface EmptyOptions extends CallOptions {
  readonly olderThanMs?: number | undefined
  /** Empties the trash of all users. Requires the superuser. */
  readonly all?: boolean | undefined
}

export class Trash {
  readonly #ask: CallMessage

  constructor(ask: CallMessage) { this.#ask = ask }

  /**
   * Entries that this user removed, newest first; with `all`, those of all users (EACCES unless superuser). The `path` of an entry
   * can be read.
   */
  async *list(options?: CallOptions & { readonly all?: boolean | undefined } | null): AsyncGenerator<TrashItem, void, undefined> {
    const { all = false, signal } = await during('trash', undefined, async () => {
      const given = optionsOf<CallOptions & { readonly all?: boolean | undefined }>(options, 'list', { all: true, signal: true })
      flagsOf(given, 'all')
      return given
    })
    const ask = (after?: string) => this.#ask(trash.list, { all, ...(after !== undefined && { after }) }, signal)
    for await (const page of paged((after?: string) => during('trash', undefined, () => ask(after), signal))) yield* page.items
  }

  /**
   * Restores an entry to its original path, or to `to`, and returns that path. `what` is an item name, or an original path, which
   * selects the newest entry of that path. Missing parent directories are created. Throws ENOENT, EACCES, and EEXIST if the target
   * exists, unless `overwrite` allows a file to replace a file.
   */
  restore(what: string, options?: RestoreOptions | null): Promise<string> {
    return perform(
      'restore', what,
      () => optionsOf<RestoreOptions>(options, 'restore', { to: true, overwrite: true, signal: true }),
      async ({ to, overwrite = false, signal }) => {
        if (typeof what !== 'string')
          throw new GristmillError('EINVAL', `restore takes a path or an item of the trash, not ${shown(what)}`)
        flagsOf({ overwrite }, 'overwrite')
        const target = to === undefined ? undefined : pathOf(to, 'new path')
        const byPath = what.startsWith('/')
        const asked = byPath ? pathOf(what) : textOf(what, 'item of the trash', { max: 64 })
        const toDirectory = to !== undefined && namesDirectory(to)
        const found = byPath || toDirectory ? await this.#newest(asked, byPath ? 'from' : 'item', signal) : undefined
        if (byPath && !found)
          throw new GristmillError('ENOENT', `nothing in your trash was at ${asked}; trash ls lists the entries`, {
            details: { path: asked, item: asked },
          })
        for (const named of [...(byPath ? [what] : []), ...(toDirectory ? [to] : [])])
          if (found) checkNamed(named, { path: found.from, type: found.type })
        const reply = await this.#ask(
          trash.restore,
          { item: found?.item ?? asked, overwrite, ...(target !== undefined && { to: target }) },
          signal,
        )
        return reply.path
      },
    )
  }

  /** Permanently deletes all entries, or those removed at least `olderThanMs` ago. Returns the number of items. */
  empty(options?: EmptyOptions | null): Promise<number> {
    return perform(
      'trash', undefined,
      () => optionsOf<EmptyOptions>(options, 'empty', { olderThanMs: true, all: true, signal: true }),
      async ({ olderThanMs = 0, all = false, signal }) => {
        flagsOf({ all }, 'all')
        checkInteger('age in milliseconds', olderThanMs ?? Number.NaN, 0)
        let removed = 0
        let beforeMs: number | undefined
        const ask = (from?: string) =>
          this.#ask(
            trash.empty,
            { all, olderThanMs, ...(beforeMs !== undefined && { beforeMs }), ...(from !== undefined && { from }) },
            signal,
          )
        for await (const page of paged(ask)) {
          removed += page.removed
          beforeMs = page.beforeMs
        }
        return removed
      },
    )
  }

  async #newest(value: string, by: 'from' | 'item', signal: AbortSignal | undefined): Promise<TrashItem | undefined> {
    for await (const each of this.list({ signal })) if (each[by] === value) return each
    return undefined
  }
}
