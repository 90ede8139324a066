// Mutations of quotas: set, and the end of a count. A directory that gets its first quota is counted in the background, from a
// snapshot that only the count sees; changes during the count are added separately. The sum is exact for any duration of the
// count, and no caller waits for it.

import { GristmillError } from '../../src/base/errors.ts'
import type { InodeId, RequestId } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import { isWithin, systemDirectory } from '../../src/base/paths.ts'
import { mutation, type Actor, type AnyMutation } from '../journal/operation.ts'
import { entryAt } from '../namespace/resolve.ts'
import { countAnew, dropUsage, endCount, putUsage, usageAt, type Amounts, type Usage } from './usage.ts'
import { noteStale } from '../snapshots/historysweep.ts'

export const setQuota = mutation<
  Actor & {
    requestId?: RequestId | undefined
    nowMs: number
    path: string
    names?: number | null | undefined
    bytes?: number | null | undefined
  },
  undefined
>({
  kind: 'quota.set',
  mutate(draft, { path, names, bytes, user, root }) {
    if (!root) throw new GristmillError('EACCES', `${user} may not set quotas; only the cluster's superuser may`, { details: { path } })
    const entry = entryAt(draft, { user, root }, path)
    if (!entry.directory) throw new GristmillError('ENOTDIR', `${path} is a file; quotas are of directories`, { details: { path } })
    if (path !== '/' && isWithin(path, systemDirectory))
      throw new GristmillError('EACCES', `there is no quota of ${path}: it is the system's own`, { details: { path } })
    const old = usageAt(draft, entry.id)
    const merged = {
      names: names === undefined ? old?.limit.names : (names ?? undefined),
      bytes: bytes === undefined ? old?.limit.bytes : (bytes ?? undefined),
    }
    const limit: Usage['limit'] = {
      ...(merged.names !== undefined && { names: merged.names }),
      ...(merged.bytes !== undefined && { bytes: merged.bytes }),
    }
    if (Object.keys(limit).length === 0) {
      dropUsage(draft, entry.id)
      draft.forgetDirectories()
      noteStale(draft)
    } else if (old) {
      putUsage(draft, entry.id, { ...old, limit })
    } else {
      if (draft.counters.quotas >= limits.quotasMax)
        throw new GristmillError('EINVAL', `${limits.quotasMax} directories have quotas, and there may not be more`, { details: { path } })
      draft.count('quotas', 1)
      countAnew(draft, entry.id, { limit, used: { names: 0, bytes: 0 }, known: false })
    }
    return undefined
  },
})

/** Ends a count with the amounts after operation `seq`. No effect if that count is no longer needed. */
export const counted = mutation<{ directory: InodeId; seq: number } & Amounts, undefined>({
  kind: 'quota.counted',
  mutate(draft, { directory, seq, names, bytes }) {
    const usage = usageAt(draft, directory)
    if (usage?.counting?.seq !== seq) return undefined
    endCount(draft, directory, usage)
    putUsage(draft, directory, {
      limit: usage.limit, known: true,
      used: { names: names + usage.counting.names, bytes: bytes + usage.counting.bytes },
    })
    noteStale(draft)
    return undefined
  },
})

export const quotaMutations: readonly AnyMutation[] = [setQuota, counted]
