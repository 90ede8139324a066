// Handlers of `quota.*`: check the caller's permissions, submit the mutations (quotas/mutations.ts), and page the list. A new quota is
// counted by a chore. Listed in room.ts.

import { GristmillError } from '../../src/base/errors.ts'
import { inodeId, type InodeId } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import { namesOf } from '../../src/base/paths.ts'
import type { Clock } from '../../src/ports/clock.ts'
import * as protocol from '../../src/protocol/quota.ts'
import type { Quota } from '../../src/protocol/quota.ts'
import { route, type Route } from '../../src/rpc/serve.ts'
import { decodeValue } from '../journal/codec.ts'
import type { Journal } from '../journal/journal.ts'
import { idKey, readId } from '../journal/keys.ts'
import type { Actor } from '../journal/operation.ts'
import { checkMay, mayRead } from '../namespace/access.ts'
import { checkFree } from '../namespace/reserved.ts'
import { entryAt, pathOf } from '../namespace/resolve.ts'
import { usageAt, type Usage } from './usage.ts'
import { setQuota } from './mutations.ts'

const pageMax = 1000

interface QuotaOptions {
  readonly journal: Journal
  readonly clock: Clock
  readonly actor: (user: string) => Actor
}

export function quotaRoutes({ journal, clock, actor }: QuotaOptions): Route[] {
  const { view } = journal
  return [
    route(protocol.set, async ({ requestId, path, names, bytes }, { user }) => {
      checkFree(path)
      await journal.submit(setQuota, { requestId, path, names, bytes, nowMs: clock.now(), ...actor(user) })
      return {}
    }),
    route(protocol.get, ({ path }, { user }) => {
      const who = actor(user)
      const entry = entryAt(view, who, path)
      if (!entry.directory) throw new GristmillError('ENOTDIR', `${path} is a file; quotas are of directories`, { details: { path } })
      checkMay(who, entry, mayRead, path)
      const usage = usageAt(view, entry.id)
      return usage ? { quota: describe(path, usage) } : {}
    }),
    route(protocol.list, ({ after = inodeId(0) }, { user }) => {
      if (!actor(user).root)
        throw new GristmillError('EACCES', `${user} may not list all quotas; name a directory, or ask as the cluster's superuser`)
      const quotas: Quota[] = []
      let last: InodeId | undefined
      let count = 0
      let levels = 0
      for (const { key, value } of view.range('quotas', { start: idKey(after + 1), limit: pageMax })) {
        count++
        last = inodeId(readId(key))
        // A removed directory that is still to be swept has no path.
        const path = pathOf(view, last)
        if (path === undefined) continue
        quotas.push(describe(path, decodeValue<Usage>(value)))
        levels += namesOf(path).length
        if (levels > limits.pageLevelsMax) break
      }
      return { quotas, ...(count === pageMax || levels > limits.pageLevelsMax) && { next: last! } }
    }),
  ]
}

const describe = (path: string, { limit, used, counting, known }: Usage): Quota => ({
  path, limit, used: known ? used : { names: 0, bytes: 0 }, counting: counting !== undefined,
})
