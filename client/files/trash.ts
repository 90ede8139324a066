// What was removed and can come back: `mill.trash`. Everybody has a trash of their own, in which nobody else looks.

import { GristmillError } from '../../src/base/errors.ts'
import { normalise } from '../../src/base/paths.ts'
import type { ReplyOf } from '../../src/protocol/message.ts'
import * as trash from '../../src/protocol/trash.ts'
import type { TrashItem } from '../../src/protocol/trash.ts'
import type { Ask } from '../jobs/ask.ts'
import { within } from '../within.ts'
import { during } from './describe.ts'
import type { CallOptions } from './names.ts'

export class Trash {
  readonly #ask: Ask

  constructor(ask: Ask) { this.#ask = ask }

  /** What this user has removed, the newest first; with `all`, what everybody has (EACCES unless superuser). Its `path` can be read. */
  async *list({ all = false, signal }: CallOptions & { readonly all?: boolean } = {}): AsyncGenerator<TrashItem, void, undefined> {
    let after: string | undefined
    do {
      const page: ReplyOf<typeof trash.list> = await this.#ask(trash.list, { all, ...after !== undefined && { after } }, signal)
      yield* page.items
      after = page.next
    } while (after !== undefined)
  }

  /**
   * Puts something back where it was, or at `to`, and gives that path. `what` is an item's name, or the path that it had: then the
   * newest of that path comes back. Missing directories above it are made. Throws ENOENT, EACCES, and EEXIST if something is
   * there, unless `overwrite` lets a file take the place of a file.
   */
  restore(what: string, { to, overwrite = false, signal }: CallOptions & { readonly to?: string; readonly overwrite?: boolean } = {}): Promise<string> {
    return during('restore', what, async () => {
      if (typeof what !== 'string') throw new GristmillError('EINVAL', `what is restored is a path or an item of the trash, not ${what === null ? 'null' : typeof what}`)
      const item = what.startsWith('/') ? await this.#newest(normalise(what), signal) : what
      const reply = await this.#ask(trash.restore, { item, overwrite, ...to !== undefined && { to: normalise(to) } }, signal)
      return reply.path
    })
  }

  /** Removes for good what is in the trash, or what was removed at least `olderThanMs` ago. Gives the number of items. */
  async empty({ olderThanMs = 0, all = false, signal }: CallOptions & { readonly olderThanMs?: number; readonly all?: boolean } = {}): Promise<number> {
    within('age in milliseconds', olderThanMs, 0)
    let removed = 0
    let beforeMs: number | undefined
    let from: string | undefined
    do {
      const page: ReplyOf<typeof trash.empty> = await this.#ask(trash.empty, { all, olderThanMs, ...beforeMs !== undefined && { beforeMs }, ...from !== undefined && { from } }, signal)
      removed += page.removed
      beforeMs = page.beforeMs
      from = page.next
    } while (from !== undefined)
    return removed
  }

  async #newest(path: string, signal: AbortSignal | undefined): Promise<string> {
    for await (const { item, from } of this.list({ signal })) if (from === path) return item
    throw new GristmillError('ENOENT', `nothing in your trash was at ${path}; trash ls shows what there is`, { details: { path, item: path } })
  }
}
