// Handlers of `version.*`: the history of an output, rollback, tags, what is kept, and the versions computed from given inputs. The gate
// refuses changes of an older version with EROFS. Listed in room.ts.

import { GristmillError } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import type { Clock } from '../../src/ports/clock.ts'
import * as protocol from '../../src/protocol/version.ts'
import { route, type Route } from '../../src/rpc/serve.ts'
import type { Journal } from '../journal/journal.ts'
import type { Actor } from '../journal/operation.ts'
import { checkMay, mayRead, maySearch } from '../namespace/access.ts'
import { checkFree } from '../namespace/reserved.ts'
import { isIntact } from './intact.ts'
import { describe } from './describe.ts'
import { keepNewest, named, outputAt, remove, rollback, setTag } from './mutations.ts'
import { outputNow, uses } from './uses.ts'

export interface VersionsOptions {
  readonly journal: Journal
  readonly clock: Clock
  readonly actor: (user: string) => Actor
  readonly bounds: { readonly keep: number; readonly keepMs: number }
  /** Wakes the sweeper. */
  readonly removed: () => void
}

export function versionRoutes({ journal, clock, actor, bounds, removed }: VersionsOptions): Route[] {
  const { view } = journal
  const output = (user: string, path: string) => {
    const found = outputAt(view, actor(user), path)
    checkMay(actor(user), found.entry, mayRead, path)
    checkMay(actor(user), found.entry, maySearch, path)
    return found
  }
  return [
    route(protocol.list, ({ path: asked, id, before = Infinity }, { user }) => {
      const path = id === undefined ? asked : outputNow(view, actor(user), { path: asked, id })
      const versions = output(user, path).versions
        .filter(each => each.number.number < before && (id === undefined || each.id === id)).map(describe)
      const page = versions.slice(0, limits.listPageMax)
      return { path, versions: page, ...page.length < versions.length && { next: page.at(-1)!.number } }
    }),
    route(protocol.show, ({ path, version }, { user }) => {
      const found = output(user, path)
      const one = version === undefined ? found.versions.find(({ isHead }) => isHead) : named(view, found, version)
      if (!one) throw new GristmillError('EINVAL', `no job has published ${path} as it is`, { details: { path } })
      const { program, job: _, rows: _rows, bytes: _bytes, files: _files, digest: _digest, check: _check, ...made } = one.record.made
      const intact = isIntact(view, one)
      return {
        version: describe(one),
        made: { ...made, ...program && { programPath: program.path } } as protocol.Made,
        ...intact !== undefined && { intact },
      }
    }),
    route(protocol.rollback, async ({ requestId, path, to }, { user }) => {
      checkFree(path)
      const done = await journal.submit(rollback, {
        requestId, path, to, keep: bounds.keep, nowMs: clock.now(), replacedMs: journal.nowMs(), told: true, ...actor(user),
      })
      removed()
      return done
    }),
    route(protocol.setTag, async ({ requestId, path, version, tag }, { user }) => {
      checkFree(path)
      await journal.submit(setTag, { requestId, path, version, tag, nowMs: clock.now(), ...actor(user) })
      return {}
    }),
    route(protocol.remove, async ({ requestId, path, version }, { user }) => {
      checkFree(path)
      await journal.submit(remove, { requestId, path, version, nowMs: clock.now(), ...actor(user) })
      removed()
      return {}
    }),
    route(protocol.keep, async ({ requestId, path, keep }, { user }) => {
      checkFree(path)
      const done = await journal.submit(keepNewest, { requestId, path, keep, nowMs: clock.now(), ...actor(user) })
      removed()
      return done
    }),
    route(protocol.uses, ({ ids, run, after }, { user }) => uses(view, actor(user), { ids: new Set(ids), run }, after)),
  ]
}
