// Rights that a running job needs to publish: a change of mode, access control list, owner or group that would take them is refused with
// EBUSY, for callers who could kill the job instead: its user and the superuser. Another user's change is carried out, because a job must
// not keep an owner from closing a directory: publishing then fails, and the output is kept. Its attempts also need the directories above
// their staging.

import { GristmillError } from '../../../src/base/errors.ts'
import { isWithin, parentOf, systemDirectory } from '../../../src/base/paths.ts'
import type * as acl from '../../../src/protocol/acl.ts'
import type { RequestOf } from '../../../src/protocol/message.ts'
import type { setAttributes } from '../../../src/protocol/namespace.ts'
import { systemActor, type Actor } from '../../journal/operation.ts'
import type { View } from '../../journal/view.ts'
import { findNamed } from '../../namespace/asof.ts'
import { aclAfter } from '../../namespace/acls.ts'
import { may, maySearch, mayWrite, stickyBit } from '../../namespace/access.ts'
import type { NameEntry } from '../../namespace/entry.ts'
import { stagingDirectory } from '../../namespace/format.ts'
import type { Outputs, ReservedOutput } from './outputs.ts'

/** Outputs that are looked at, about 20 µs each. Those beyond are checked by publishing alone. */
const lookedAtMax = 500

/** Outputs of jobs that may need the rights to this path: those at and below it; all, if their staging is below it. */
export const outputsBehind = (path: string, outputs: Outputs): Iterable<ReservedOutput> =>
  outputs.within(isWithin(stagingDirectory, path) ? '/' : path)

interface RightsChange {
  readonly view: View
  /** The caller. */
  readonly caller: Actor
  readonly actor: (user: string) => Actor
  /** See outputsBehind. */
  readonly outputs: Iterable<ReservedOutput>
}

export type RightsRequest = RequestOf<typeof setAttributes> | RequestOf<typeof acl.change>

/** The entry as the request makes it; undefined: its rights stay, or the request is refused for what it asks. */
function afterwards(before: NameEntry, request: RightsRequest): NameEntry | undefined {
  if ('kind' in request) {
    try {
      return { ...before, ...aclAfter(before, request) }
    } catch {
      return undefined
    }
  }
  const { mode, owner, group } = request
  if (mode === undefined && owner === undefined && group === undefined) return undefined
  return { ...before, ...mode !== undefined && { mode }, ...owner !== undefined && { owner }, ...group !== undefined && { group } }
}

/** Throws EBUSY if the change would keep a job of the caller from publishing. */
export function checkRights(request: RightsRequest, { view, caller, actor, outputs }: RightsChange): void {
  const { path } = request
  const before = entryOf(view, path)
  const after = before?.directory && afterwards(before, request)
  if (!before || !after) return
  let looked = 0
  for (const { job, output, user } of outputs) {
    if (++looked > lookedAtMax) return
    if (!caller.root && caller.user !== user) continue
    const can = (entry: NameEntry): boolean => mayPublish(view, actor(user), { path, entry, output })
    if (!can(before) || can(after)) continue
    throw new GristmillError(
      'EBUSY',
      `${path} has to stay open to ${user} while ${job} runs, which will publish ${output}; wait for its end ("gristmill job ${job}"), ` +
      `or kill it ("gristmill kill ${job}")`,
      { details: { path, job } },
    )
  }
}

/** True if the entry at `path`, the output or a directory above it or above the staging, lets the actor write and publish. */
function mayPublish(view: View, actor: Actor, { path, entry, output }: { path: string; entry: NameEntry; output: string }): boolean {
  const has = (...requests: Parameters<typeof may>[2][]): boolean => requests.every(each => may(actor, entry, each))
  const above = parentOf(output)
  if (isWithin(path, systemDirectory)) return has(maySearch)
  if (path === output) return has(maySearch, mayWrite) && isRemovable(actor, entryOf(view, above), entry)
  if (path === above) return has(maySearch, mayWrite) && isRemovable(actor, entry, entryOf(view, output))
  // Missing directories are made in the lowest one that is there.
  const next = `${path === '/' ? '' : path}/${output.slice(path === '/' ? 1 : path.length + 1).split('/')[0]}`
  return entryOf(view, next) ? has(maySearch) : has(maySearch, mayWrite)
}

const isRemovable = (actor: Actor, parent: NameEntry | undefined, entry: NameEntry | undefined): boolean =>
  !parent || !entry || actor.root || (parent.mode & stickyBit) === 0 || actor.user === entry.owner || actor.user === parent.owner

/** undefined: nothing exists there, or the path is invalid, which the route checks itself. */
function entryOf(view: View, path: string): NameEntry | undefined {
  try {
    return findNamed(view, systemActor, path).entry
  } catch {
    return undefined
  }
}
