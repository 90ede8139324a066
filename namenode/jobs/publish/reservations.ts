// The output of a running job is reserved against everybody: what would take its place, or be written below it and go away with what the
// job replaces, is refused while the job runs. Asked by routes, before the journal: a change that slips through, because it was accepted
// just before the job, is met by the publishing itself, which refuses and keeps the job's output.
// The same place refuses names in the directory of stagings: only the start of a job makes them.

import { GristmillError } from '../../../src/base/errors.ts'
import type { JobId, RequestId } from '../../../src/base/ids.ts'
import { parentOf, systemDirectory } from '../../../src/base/paths.ts'
import type { Message, RequestOf } from '../../../src/protocol/message.ts'
import * as namespace from '../../../src/protocol/namespace.ts'
import * as trash from '../../../src/protocol/trash.ts'
import * as writing from '../../../src/protocol/writing.ts'
import type { Route } from '../../../src/rpc/serve.ts'
import { unlessRepeated, type Journal } from '../../journal/journal.ts'
import type { View } from '../../journal/view.ts'
import { stagingDirectory } from '../../namespace/format.ts'
import { find } from '../../namespace/asof.ts'
import { itemAt } from '../../trash/items.ts'

/** Paths at which running jobs will publish. */
export type Outputs = ReadonlyMap<string, JobId>

/** Where a request would make something new; undefined if it is there already, or nowhere. */
type Makes<M extends Message> = (request: RequestOf<M>, view: View, user: string) => string | undefined

const made = new Map<Message, Makes<Message>>()
const making = <M extends Message>(message: M, makes: Makes<M>): void => void made.set(message, makes as Makes<Message>)
making(namespace.mkdir, ({ path }, view) => unlessThere(view, path))
making(namespace.touch, ({ path }, view) => unlessThere(view, path))
making(namespace.rename, ({ to }) => to)
making(writing.create, ({ path }) => path)
making(trash.restore, ({ item, to }, view, user) => {
  const found = to === undefined ? itemAt(view, item) : undefined
  // Where something of another user was is not told.
  return to ?? (found?.user === user ? found.from : undefined)
})

const system = { user: 'gristmill', root: true }

function unlessThere(view: View, path: string): string | undefined {
  try {
    find(view, system, path)
    return undefined
  } catch {
    // Missing, or no path at all, which the route finds out by itself.
    return path
  }
}

/** Routes, of which those that make something refuse to make it where a running job will publish. */
export const reserving = (routes: readonly Route[], { journal, outputs }: { readonly journal: Pick<Journal, 'hasAnswer' | 'view'>; readonly outputs: Outputs }): Route[] => routes.map(each => {
  const makes = made.get(each.message)
  if (!makes) return each
  return {
    ...each,
    handler: (request, context) => {
      const path = makes(request, journal.view, context.user)
      if (path !== undefined) {
        unlessRepeated(journal, (request as { requestId?: RequestId }).requestId, () => {
          checkUnreserved(outputs, path)
          checkStaged(journal.view, path)
        })
      }
      return each.handler(request, context)
    },
  }
})

/** Throws EACCES for a new name in the directory of stagings, ENOENT for one below a staging that is not there. */
function checkStaged(view: View, path: string): void {
  if (!path.startsWith(`${stagingDirectory}/`)) return
  const [name = '', ...below] = path.slice(stagingDirectory.length + 1).split('/')
  const staging = `${stagingDirectory}/${name}`
  if (unlessThere(view, staging) === undefined) return
  throw below.length === 0
    ? new GristmillError('EACCES', `${path} cannot be made: names in ${stagingDirectory} are those of jobs, and only the start of a job makes them; use another directory`, { details: { path } })
    : new GristmillError('ENOENT', `there is no ${staging}: a job of this name has ended, or has not begun; only the start of a job makes a name in ${stagingDirectory}`, { details: { path } })
}

/** Throws EBUSY if a running job will publish at this path, or above it. */
function checkUnreserved(outputs: Outputs, path: string): void {
  if (!path.startsWith('/') || path.startsWith(`${systemDirectory}/`)) return
  for (let at = path; at !== '/'; at = parentOf(at)) {
    const job = outputs.get(at)
    if (job === undefined) continue
    throw new GristmillError('EBUSY', `${path} is reserved: ${job}, which runs, will publish ${at === path ? 'there' : at}; wait for its end ("gristmill job ${job}"), kill it ("gristmill kill ${job}"), or use another path`, { details: { path, job } })
  }
}
