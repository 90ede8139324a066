// Handlers of `version.*`: the history of an output, rollback, tags, and the versions computed from given inputs. The gate refuses
// changes of an older version with EROFS. Listed in room.ts.

import { GristmillError, hasCode } from '../../src/base/errors.ts'
import { inodeId, type InodeId } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import { namesOf } from '../../src/base/paths.ts'
import type { Clock } from '../../src/ports/clock.ts'
import * as protocol from '../../src/protocol/version.ts'
import type { Version } from '../../src/protocol/version.ts'
import { route, type Route } from '../../src/rpc/serve.ts'
import type { Journal } from '../journal/journal.ts'
import { decodeValue } from '../journal/codec.ts'
import { idKey, readId } from '../journal/keys.ts'
import type { Actor } from '../journal/operation.ts'
import { checkMay, mayRead, maySearch } from '../namespace/access.ts'
import { find } from '../namespace/asof.ts'
import { checkFree } from '../namespace/reserved.ts'
import { hookOf, pathOf, shelfName } from '../namespace/resolve.ts'
import { isIntact } from './intact.ts'
import { versionsOf, type FoundVersion } from './lookup.ts'
import { keepNewest, named, outputAt, rollback, setTag } from './mutations.ts'
import type { VersionRecord } from './rows.ts'

/** Records looked through for one page of uses, about 10 µs each. */
const scannedMax = 500

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
    route(protocol.list, ({ path, before = Infinity }, { user }) => {
      const versions = output(user, path).versions.filter(({ number }) => number.number < before).map(describe)
      const page = versions.slice(0, limits.listPageMax)
      return { path, versions: page, ...page.length < versions.length && { next: page.at(-1)!.number } }
    }),
    route(protocol.show, ({ path, version }, { user }) => {
      const found = output(user, path)
      const one = version === undefined ? found.versions.find(({ isHead }) => isHead) : named(view, found, version)
      if (!one) throw new GristmillError('EINVAL', `no job has published ${path} as it is`, { details: { path } })
      const { program, job: _, rows: _rows, bytes: _bytes, files: _files, digest: _digest, ...made } = one.record.made
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
        requestId, path, to, keep: bounds.keep, nowMs: clock.now(), replacedMs: journal.nowMs(), ...actor(user),
      })
      removed()
      return done
    }),
    route(protocol.setTag, async ({ requestId, path, version, tag }, { user }) => {
      checkFree(path)
      await journal.submit(setTag, { requestId, path, version, tag, nowMs: clock.now(), ...actor(user) })
      return {}
    }),
    route(protocol.keep, async ({ requestId, path, keep }, { user }) => {
      checkFree(path)
      const done = await journal.submit(keepNewest, { requestId, path, keep, nowMs: clock.now(), ...actor(user) })
      removed()
      return done
    }),
    route(protocol.uses, ({ ids, after }, { user }) => uses(actor(user), new Set(ids), after)),
  ]

  function uses(who: Actor, ids: ReadonlySet<InodeId>, after: InodeId | undefined) {
    const found: Array<{ path: string; version: Version }> = []
    let count = 0
    let levels = 0
    for (const { key, value } of view.range('versions', { start: idKey((after ?? 0) + 1), limit: scannedMax })) {
      count++
      const id = inodeId(readId(key))
      const record = decodeValue<VersionRecord>(value)
      const path = reads(record, ids) ? outputOf(id) : undefined
      if (path !== undefined && isSeen(who, path)) {
        const one = versionsOf(view, find(view, who, path).entry).find(each => each.id === id)
        if (one) found.push({ path, version: describe(one) })
        levels += namesOf(path).length
      }
      if (count === scannedMax || levels > limits.pageLevelsMax) return { uses: found, next: id }
    }
    return { uses: found }
  }

  /** Path of the output of which a directory is a version; undefined if it was removed. */
  function outputOf(id: InodeId): string | undefined {
    const hook = hookOf(view, id)
    // The path of a shelf is that of its output.
    return hook && pathOf(view, hookOf(view, hook.parent)?.name === shelfName ? hook.parent : id)
  }

  function isSeen(who: Actor, path: string): boolean {
    try {
      const { entry } = find(view, who, path)
      checkMay(who, entry, mayRead, path)
      return true
    } catch (error) {
      if (hasCode(error, 'EACCES', 'ENOENT', 'ENOTDIR')) return false
      throw error
    }
  }
}

const reads = ({ made: { origin } }: VersionRecord, ids: ReadonlySet<InodeId>): boolean =>
  origin?.pins.some(({ outputs = [], list = [] }) => [...outputs, ...list].some(({ id }) => ids.has(id))) ?? false

function describe({ id, number: { number, madeMs, user, from, replacedMs, tag }, isHead, record: { made } }: FoundVersion): Version {
  const { job, program, rows, bytes } = made
  return {
    number, id, head: isHead, madeMs, user, ...from !== undefined && { from }, ...replacedMs !== undefined && { replacedMs },
    ...tag !== undefined && { tag }, ...job !== undefined && { job }, ...program && { program: program.id },
    ...rows !== undefined && { rows }, ...bytes !== undefined && { bytes },
  }
}
