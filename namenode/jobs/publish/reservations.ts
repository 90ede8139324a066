// Reservation of output paths while jobs run. Requests of these kinds are refused:
//   at the path      to create it, or to bring a directory in which it exists
//   below the path   to write: the entry would go with the directory that the job replaces
//   above the path   to move a directory, to put a file in its place, or to take rights from the job (rights.ts)
//   snapshots        of a directory that the job replaces
// Routes make the check before the journal. A change that was accepted just before the job is found by publishing, which refuses and keeps
// the job's output. The same check guards the names in the staging of jobs (stagednames.ts).

import { assert } from '../../../src/base/assert.ts'
import { GristmillError, hasCode } from '../../../src/base/errors.ts'
import type { RequestId } from '../../../src/base/ids.ts'
import { limits } from '../../../src/base/limits.ts'
import { namesOf, parentOf, systemDirectory } from '../../../src/base/paths.ts'
import * as acl from '../../../src/protocol/acl.ts'
import type { Message, RequestOf } from '../../../src/protocol/message.ts'
import * as namespace from '../../../src/protocol/namespace.ts'
import * as object from '../../../src/protocol/object.ts'
import * as snapshot from '../../../src/protocol/snapshot.ts'
import * as trash from '../../../src/protocol/trash.ts'
import * as version from '../../../src/protocol/version.ts'
import * as writing from '../../../src/protocol/writing.ts'
import { itemErrorOf } from '../../../src/rpc/fault.ts'
import { partId } from '../../../src/rpc/repeats.ts'
import type { Route } from '../../../src/rpc/serve.ts'
import { unlessRepeated, type Journal } from '../../journal/journal.ts'
import { systemActor, type Actor } from '../../journal/operation.ts'
import type { View } from '../../journal/view.ts'
import { findNamed } from '../../namespace/asof.ts'
import type { NameEntry } from '../../namespace/entry.ts'
import { versioningOf } from '../../namespace/keyversions.ts'
import { child } from '../../namespace/resolve.ts'
import { contentOf, itemAt } from '../../trash/items.ts'
import type { Outputs } from './outputs.ts'
import { checkRights, outputsBehind, type RightsRequest } from './rights.ts'
import { checkStaged, type StagedUse } from './stagednames.ts'

/** Path that a request would create; undefined if it exists already, or the request creates none. */
type Makes<M extends Message> = (request: RequestOf<M>, view: View, user: string) => string | undefined

const made = new Map<Message, Makes<Message>>()
const making = <M extends Message>(message: M, makes: Makes<M>): void => void made.set(message, makes as Makes<Message>)
making(namespace.mkdir, ({ path }, view) => unlessThere(view, path))
making(namespace.touch, ({ path }, view) => unlessThere(view, path))
making(namespace.rename, ({ to }) => to)
making(writing.create, ({ path }) => path)
making(writing.concat, ({ path }) => path)
making(object.publish, ({ to }) => to)
// In a bucket with versioning a deletion writes a delete marker, also for a key that is not there.
making(object.remove, ({ path, keep, directory }, view) => (!directory && hasVersioning(view, keep) ? path : undefined))
// The version before a removed one may take the name.
making(object.removeVersion, ({ path }) => path)
making(object.directory, ({ path }, view) => unlessThere(view, path))
making(object.join, ({ to }) => to)
// A directory with snapshots is not replaced.
making(snapshot.create, ({ path }) => path)
making(version.rollback, ({ path }) => path)
making(trash.restore, (request, view, user) => restored(request, view, user))

function restored({ item, to }: RequestOf<typeof trash.restore>, view: View, user: string): string | undefined {
  const found = to === undefined ? itemAt(view, item) : undefined
  // The former path of another user's item must not be revealed.
  return to ?? (found?.user === user ? found.from : undefined)
}

/**
 * Effect of a request on a directory above an output: it is moved, a file takes its name, or a directory does that is moved there with what
 * it holds.
 */
type Harms<M extends Message> = (
  request: RequestOf<M>, view: View, user: string,
) => Harm

interface Harm {
  readonly moves?: string | undefined
  readonly files?: string | undefined
  readonly brings?: { readonly to: string; readonly directory: NameEntry } | undefined
}

const harmful = new Map<Message, Harms<Message>>()
const harming = <M extends Message>(message: M, harms: Harms<M>): void => void harmful.set(message, harms as Harms<Message>)
harming(namespace.rename, ({ from, to }, view) => {
  const entry = entryOf(view, from)
  return entry ? { moves: from, ...placed(to, entry) } : {}
})
harming(namespace.remove, ({ path }, view) => ({ moves: entryOf(view, path) && path }))
harming(namespace.touch, ({ path }, view) => ({ files: unlessThere(view, path) }))
harming(writing.create, ({ path }) => ({ files: path }))
harming(object.publish, ({ to }) => ({ files: to }))
harming(object.join, ({ to }) => ({ files: to }))
harming(object.remove, ({ path }, view) => ({ moves: entryOf(view, path) && path }))
harming(object.removeVersion, ({ path }, view) => ({ moves: entryOf(view, path) && path }))
harming(trash.restore, ({ item, to }, view, user) => {
  const found = itemAt(view, item)
  const entry = found?.user === user ? contentOf(view, found)?.entry : undefined
  return entry ? placed(to ?? found!.from, entry) : {}
})

const placed = (to: string, entry: NameEntry): Harm => (entry.directory ? { brings: { to, directory: entry } } : { files: to })

/** undefined: nothing exists there, or the path is invalid, which the route checks itself. */
function entryOf(view: View, path: string): NameEntry | undefined {
  try {
    return findNamed(view, systemActor, path).entry
  } catch {
    return undefined
  }
}

function hasVersioning(view: View, bucket: string): boolean {
  const entry = entryOf(view, bucket)
  return entry !== undefined && versioningOf(view, entry) !== undefined
}

const unlessThere = (view: View, path: string): string | undefined => (entryOf(view, path) ? undefined : path)

/** Paths of a request, and its use of them, for the check of names in the staging of jobs. */
type Uses<M extends Message> = (request: RequestOf<M>, view: View, user: string) => ReadonlyArray<readonly [string, StagedUse]>

const used = new Map<Message, Uses<Message>>()
const using = <M extends Message>(message: M, uses: Uses<M>): void => void used.set(message, uses as Uses<Message>)
using(namespace.mkdir, ({ path }) => [[path, 'makes']])
using(namespace.touch, ({ path }) => [[path, 'makes']])
using(namespace.rename, ({ from, to }) => [[from, 'changes'], [to, 'makes']])
using(namespace.remove, ({ path }) => [[path, 'removes']])
using(namespace.setAttributes, ({ path }) => [[path, 'changes']])
using(acl.change, ({ path }) => [[path, 'changes']])
using(writing.create, ({ path }) => [[path, 'opens']])
using(writing.concat, ({ path, sources }) => [[path, 'changes'], ...sources.map(each => [each.path, 'removes'] as const)])
using(object.publish, ({ to }) => [[to, 'makes']])
using(object.directory, ({ path }) => [[path, 'makes']])
using(object.join, ({ upload, to }) => [[upload, 'changes'], [to, 'makes']])
using(object.remove, ({ path }) => [[path, 'removes']])
using(object.removeVersion, ({ path }) => [[path, 'removes']])
using(snapshot.create, ({ path }) => [[path, 'changes']])
using(version.rollback, ({ path }) => [[path, 'changes']])
using(trash.restore, (request, view, user) => {
  const to = restored(request, view, user)
  return to === undefined ? [] : [[to, 'makes']]
})

/** Wraps a route: a message that is declared as `checked` refuses reserved paths. */
export function reserving<R extends Route>(
  route: R,
  { journal, outputs, actor }: {
    readonly journal: Pick<Journal, 'hasAnswer' | 'view'>
    readonly outputs: Outputs
    readonly actor: (user: string) => Actor
  },
): R {
  const { message } = route
  const makes = made.get(message)
  const harms = harmful.get(message)
  const uses = used.get(message)
  const changesRights = message === namespace.setAttributes || message === acl.change
  const batch = batches.get(message)
  const isBatch = batch !== undefined
  const hasRule = makes !== undefined || harms !== undefined || changesRights || isBatch
  assert((message.paths === 'checked') === hasRule && hasRule === (uses !== undefined || isBatch),
    `${message.name} is declared with paths: '${message.paths}', and the rules of reservations.ts say something else`)
  if (changesRights) return keepingRights(route, { journal, outputs, actor })
  if (batch) return reservingEach(route, batch, { journal, outputs })
  if (!uses) return route
  return {
    ...route,
    handler: (request, context) => {
      const { view } = journal
      const { user } = context
      unlessRepeated(journal, (request as { requestId?: RequestId }).requestId, () => {
        for (const [path, use] of uses(request, view, user)) checkStaged(view, path, use)
        const path = makes?.(request, view, user)
        const { moves, files, brings } = harms?.(request, view, user) ?? {}
        if (path !== undefined) checkUnreserved(outputs, path)
        if (moves !== undefined) checkNotAbove(outputs, moves, 'has to stay')
        if (files !== undefined) checkNotAbove(outputs, files, 'cannot be a file')
        if (brings !== undefined) checkNotBrought(outputs, view, brings)
      })
      return route.handler(request, context)
    },
  }
}

/** Field with the path of each part of a message that writes many files. */
interface Batch { readonly path: 'path' | 'to'; readonly use: StagedUse }

const batches = new Map<Message, Batch>([
  [writing.put, { path: 'path', use: 'opens' }], [object.put, { path: 'to', use: 'makes' }],
])

type BatchItem = { readonly number: number } & Readonly<Partial<Record<Batch['path'], string>>>

/** Checks each file of a call by itself: those of reserved paths are refused, and the others are written. */
const reservingEach = <R extends Route>(
  route: R, { path: at, use }: Batch,
  { journal, outputs }: { readonly journal: Pick<Journal, 'hasAnswer' | 'view'>; readonly outputs: Outputs },
): R => ({
  ...route,
  handler: async (request, context) => {
    const { requestId } = request as { requestId: RequestId }
    const field = route.message.parts!
    const items = (request as Record<string, readonly BatchItem[]>)[field]!
    const levels = items.reduce((sum, item) => sum + item[at]!.split('/').length, 0)
    if (items.length > 1 && levels > limits.pageLevelsMax)
      throw new GristmillError('TOO_LARGE', `the paths of one call have ${levels} levels; at most ${limits.pageLevelsMax} are allowed`)
    const refused = new Map<number, GristmillError>()
    for (const [i, item] of items.entries()) {
      const path = item[at]!
      try {
        unlessRepeated(journal, partId(requestId, item.number), () => {
          checkStaged(journal.view, path, use)
          checkUnreserved(outputs, path)
          checkNotAbove(outputs, path, 'cannot be a file')
        })
      } catch (error) {
        if (!hasCode(error, 'EBUSY', 'EACCES', 'ENOENT')) throw error
        refused.set(i, error)
      }
    }
    if (refused.size === 0) return route.handler(request, context)
    const left = items.filter((_, i) => !refused.has(i))
    const reply = await route.handler({ ...request as object, [field]: left } as never, context) as Record<string, readonly object[]>
    const answers = reply[field]!.values()
    return {
      ...reply,
      [field]: items.map((_, i) => {
        const error = refused.get(i)
        return error ? { error: itemErrorOf(error) } : answers.next().value!
      }),
    }
  },
})

const keepingRights = <R extends Route>(
  route: R,
  { journal, outputs, actor }: {
    readonly journal: Pick<Journal, 'hasAnswer' | 'view'>
    readonly outputs: Outputs
    readonly actor: (user: string) => Actor
  },
): R => ({
  ...route,
  handler: (request, context) => {
    const asked = request as RightsRequest
    unlessRepeated(journal, asked.requestId, () => {
      checkStaged(journal.view, asked.path, 'changes')
      checkRights(asked, { view: journal.view, caller: actor(context.user), actor, outputs: outputsBehind(asked.path, outputs) })
    })
    return route.handler(request, context)
  },
})

/** Throws EBUSY if a running job has reserved this path, or one above it. */
function checkUnreserved(outputs: Outputs, path: string): void {
  if (!path.startsWith('/') || path.startsWith(`${systemDirectory}/`)) return
  for (let at = path; at !== '/'; at = parentOf(at)) {
    const job = outputs.at(at)
    if (job === undefined) continue
    throw new GristmillError(
      'EBUSY',
      `${path} is reserved: ${job}, which runs, will publish ${at === path ? 'there' : at}; wait for its end ("gristmill job ${job}"), ` +
      `kill it ("gristmill kill ${job}"), or use another path`,
      { details: { path, job } },
    )
  }
}

/** Throws EBUSY if a running job has reserved a path below this one. */
function checkNotAbove(outputs: Outputs, path: string, why: string): void {
  const found = outputs.below(path)
  if (!found) return
  const { job, output } = found
  throw new GristmillError(
    'EBUSY',
    `${path} ${why} while ${job} runs, which will publish ${output}; wait for its end ("gristmill job ${job}"), ` +
    `or kill it ("gristmill kill ${job}")`,
    { details: { path, job } },
  )
}

/** Throws EBUSY if the path of an output below `to` would be taken by what the directory holds, or lead through a file of it. */
function checkNotBrought(outputs: Outputs, view: View, { to, directory }: NonNullable<Harm['brings']>): void {
  for (const { job, output } of outputs.within(to)) {
    const taken = takenIn(view, directory, namesOf(output).slice(namesOf(to).length))
    if (taken === undefined) continue
    throw new GristmillError(
      'EBUSY',
      `the directory cannot become ${to} while ${job} runs, which will publish ${output}: it holds ${taken}; wait for its end ` +
      `("gristmill job ${job}"), kill it ("gristmill kill ${job}"), or use another path`,
      { details: { path: to, job } },
    )
  }
}

/** The part of `names` that is there in the directory, if it leads to an entry or to a file on the way; else undefined. */
function takenIn(view: View, directory: NameEntry, names: readonly string[]): string | undefined {
  let at = directory
  for (const [i, name] of names.entries()) {
    const next = child(view, at.id, name)
    if (!next) return undefined
    if (!next.directory || i === names.length - 1) return names.slice(0, i + 1).join('/')
    at = next
  }
  return undefined
}
