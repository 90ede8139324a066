// Handlers of `object.*`. The journal decides (objects/mutations.ts); this file pages the list, checks attributes, and keeps the soft state
// of blocks and leases in step.

import { GristmillError } from '../../src/base/errors.ts'
import type { BlockId } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { ReplyOf, RequestOf } from '../../src/protocol/message.ts'
import * as protocol from '../../src/protocol/object.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'
import type { StoredStatus } from '../../src/protocol/object.ts'
import { isOwned } from '../../src/protocol/xattr.ts'
import { itemErrorOf } from '../../src/rpc/fault.ts'
import { route, type Route } from '../../src/rpc/serve.ts'
import type { BlockMap } from '../blocks/map.ts'
import { unlessRepeated, type Journal } from '../journal/journal.ts'
import type { Actor } from '../journal/operation.ts'
import type { View } from '../journal/view.ts'
import { checkMay, mayRead } from '../namespace/access.ts'
import { find } from '../namespace/asof.ts'
import { isInlined, statusOf, type NameEntry } from '../namespace/entry.ts'
import { blocksOf } from '../namespace/file.ts'
import { checkFree } from '../namespace/reserved.ts'
import { storedContent } from '../namespace/locate.ts'
import { nullVersion, versionOf } from '../namespace/keyversions.ts'
import type { NodeRegistry } from '../nodes/registry.ts'
import { checkPublishing, targetOf } from '../quotas/publishing.ts'
import { trashDirectory } from '../trash/items.ts'
import { isWithin } from '../../src/base/paths.ts'
import type { Lifetimes } from '../writing/lifetimes.ts'
import { putEach } from '../writing/put.ts'
import { checkBody, noteSealed, sealedOf } from '../writing/routes.ts'
import { checkAttribute } from '../xattrs/rows.ts'
import { begin, storeDirectory } from './directories.ts'
import { leaseAt } from '../writing/lease.ts'
import { join } from './join.ts'
import { prepare, publish, publishInline, put } from './mutations.ts'
import { remove, removeVersion } from './removal.ts'
import { describeVersion, setVersioning } from './versioning.ts'
import { listObjects, listVersions, namedOf } from './lists.ts'
import { isKey } from './walk.ts'

interface ObjectOptions {
  readonly journal: Journal
  readonly clock: Clock
  readonly actor: (user: string) => Actor
  readonly registry: NodeRegistry
  readonly map: BlockMap
  readonly lifetimes: Lifetimes
  readonly invalidate: (blocks: readonly BlockId[]) => void
  /** Length up to which small objects are inlined. */
  readonly inlineBytes: number
  readonly defaults: { readonly replication: number; readonly blockBytes: number }
}

export function objectRoutes(options: ObjectOptions): Route[] {
  const { journal, clock, actor, map } = options
  const { view } = journal
  const by = (user: string) => ({ nowMs: clock.now(), ...actor(user) })
  /** With the version that the file has; read behind the operation, so that a repeat tells it too, while the file is there. */
  const stored = (status: FileStatus): StoredStatus => {
    const objectVersion = versionOf(view, status)
    return objectVersion === nullVersion ? status : { ...status, objectVersion }
  }
  return [
    route(protocol.get, (asked, { user }) => getObject(view, actor(user), asked).found),
    route(protocol.read, ({ objects }, { user }) => readObjects(view, actor(user), objects)),
    route(protocol.list, (request, { user }) => listObjects(view, actor(user), request)),
    route(protocol.prepare, async ({ requestId }) => {
      await journal.submit(prepare, { requestId, nowMs: clock.now() })
      return {}
    }),
    route(protocol.begin, async ({ requestId, upload, ...asked }, { user }) => {
      checkAttributes(upload, asked.attributes)
      const { to, base } = asked
      if (to !== undefined) checkTarget({ to })
      const target = to === undefined ? undefined : { to, ...base !== undefined && { base } }
      if (target) unlessRepeated(journal, requestId, () => checkPublishing(view, actor(user), { ...target, bytes: 1 }, 1))
      const attributes = [...asked.attributes, ...target ? [targetOf(target)] : []]
      // The age of an upload does not follow jumps of the wall clock.
      await journal.submit(begin, { requestId, upload, ...asked, attributes, nowMs: journal.nowMs(), ...actor(user) })
      return {}
    }),
    route(protocol.directory, ({ requestId, path, base, attributes, replaces, expect }, { user }) => {
      checkTarget({ to: path, attributes })
      checkNotOwned(path, [...attributes.map(({ name }) => name), ...replaces])
      return journal.submit(storeDirectory, { requestId, path, base, attributes, replaces, expect, replacesContent: true, ...by(user) })
    }),
    route(protocol.publish, async ({ requestId, lease, blocks, content, ...asked }, { user }) => {
      checkTarget(asked)
      checkBody(content, blocks, asked.to)
      const opened = leaseAt(journal.view, lease)
      const isCsv = opened?.delimiter !== undefined || opened?.header !== undefined
      const operation = { requestId, lease, ...asked, ...isCsv && { keepsCsv: true as const }, ...by(user) }
      const done = content
        ? await journal.submit(publishInline, { ...operation, content })
        : await journal.submit(publish, { ...operation, blocks: sealedOf(blocks) })
      noteSealed(options, { lease, blocks, ...done })
      return stored(done.status)
    }),
    route(protocol.put, async ({ requestId, objects }, { user }) => {
      const { inlineBytes, defaults } = options
      const files = objects.map(each => [each.to, each] as const)
      const submit = ({ number: _, ...asked }: protocol.SmallObject, id: typeof requestId) => {
        checkTarget(asked)
        return journal.submit(put, { ...asked, ...defaults, requestId: id, ...by(user) })
      }
      const outcomes = await putEach({ requestId, files }, { inlineBytes, submit })
      return { inlineBytes, objects: outcomes.map(each => (each.status ? { ...each, status: stored(each.status) } : each)) }
    }),
    route(protocol.join, async ({ requestId, upload, parts, ...asked }, { user }) => {
      checkTarget(asked)
      const { status } = await journal.submit(join, { requestId, upload, parts, ...asked, leavesParts: true, ...by(user) })
      // Parts that were written with another number of replicas have the file's now.
      for (const chunk of blocksOf(view, status.id)) for (const { id } of chunk) map.know(id, status.replication)
      return stored(status)
    }),
    ...removalRoutes(options),
  ]
}

/** Handlers of what removes objects, and of what is about versions. */
function removalRoutes({ journal, clock, actor }: Pick<ObjectOptions, 'journal' | 'clock' | 'actor'>): Route[] {
  const { view } = journal
  const by = (user: string) => ({ nowMs: clock.now(), ...actor(user) })
  return [
    route(protocol.remove, async ({ requestId, path, keep, directory, attributes, expect }, { user }) => {
      checkFree(path)
      checkNotOwned(path, attributes ?? [])
      const asked = { requestId, path, keep, directory, attributes, expect, forgetsLists: true, removesKey: true } as const
      return await journal.submit(remove, { ...asked, ...by(user) }) ?? {}
    }),
    route(protocol.removeVersion, ({ requestId, path, keep, version, only, attributes }, { user }) => {
      checkFree(path)
      return journal.submit(removeVersion, {
        requestId, path, keep, version, only, attributes, oneNull: true, isOwed: true, forgetsLists: true, ...by(user),
      })
    }),
    route(protocol.versions, (request, { user }) => listVersions(view, actor(user), request)),
    route(protocol.versioning, async ({ requestId, path, state }, { user }) => {
      checkFree(path)
      await journal.submit(setVersioning, { requestId, path, state, ...by(user) })
      return {}
    }),
    route(protocol.describe, async ({ requestId, path, version, attributes, replaces }, { user }) => {
      checkFree(path)
      checkAttributes(path, attributes)
      checkNotOwned(path, [...attributes.map(({ name }) => name), ...replaces])
      await journal.submit(describeVersion, { requestId, path, version, attributes, replaces, ...by(user) })
      return {}
    }),
  ]
}

interface ObjectAsked { readonly path: string; readonly attributes: readonly string[] }

/** Throws ENOENT, ENOTDIR, EACCES. */
function getObject(
  view: View, actor: Actor, { path, attributes }: ObjectAsked,
): { readonly entry: NameEntry; readonly found: ReplyOf<typeof protocol.get> } {
  const { entry } = find(view, actor, path)
  checkMay(actor, entry, mayRead, path)
  return {
    entry,
    found: {
      status: statusOf(path, entry), attributes: namedOf(view, entry, attributes),
      ...entry.directory && { isKey: isKey({ view, attributes }, entry.id) },
    },
  }
}

/** The first of these objects, as many as a reply may have; at least one. Each has an outcome of its own. */
function readObjects(
  view: View, actor: Actor, objects: RequestOf<typeof protocol.read>['objects'],
): ReplyOf<typeof protocol.read> {
  const answers: ReplyOf<typeof protocol.read>['objects'] = []
  let [text, levels] = [0, 0]
  for (const asked of objects) {
    if (text >= limits.contentsBytesMax || levels >= limits.pageLevelsMax) break
    levels += asked.path.split('/').length
    try {
      const { entry, found } = getObject(view, actor, asked)
      const content = asked.content && isInlined(entry) ? storedContent(view, entry) : undefined
      answers.push({ ...found, ...content })
      text += asked.path.length + (content?.content.data.length ?? 0)
        + found.attributes.reduce((sum, { name, value }) => sum + name.length + value.length, 0)
    } catch (error) {
      // Damage of the store ends the namenode, whichever object is read.
      if (!(error instanceof GristmillError) || error.code === 'CORRUPT') throw error
      answers.push({ error: itemErrorOf(error) })
      text += asked.path.length + error.message.length
    }
  }
  return { objects: answers }
}

function checkTarget({ to, attributes = [] }: Pick<RequestOf<typeof protocol.publish>, 'to' | 'attributes'>): void {
  checkFree(to)
  if (isWithin(to, trashDirectory))
    throw new GristmillError('EACCES', `${to} is in the trash, where nothing is written`, { details: { path: to } })
  checkAttributes(to, attributes)
}

/** A directory may belong to another user than the caller. Throws EACCES. */
function checkNotOwned(path: string, names: readonly string[]): void {
  const owned = names.find(isOwned)
  if (owned !== undefined)
    throw new GristmillError('EACCES', `the attribute ${owned} of ${path} is for its owner, by itself: set and remove it with \`xattr\``,
      { details: { path, name: owned } })
}

function checkAttributes(to: string, attributes: NonNullable<RequestOf<typeof protocol.publish>['attributes']>): void {
  for (const { name, value } of attributes) checkAttribute(to, name, value)
  const bytes = attributes.reduce((sum, { name, value }) => sum + Buffer.byteLength(name) + Buffer.byteLength(value, 'base64'), 0)
  if (bytes > limits.attributesBytesMax || new Set(attributes.map(({ name }) => name)).size < attributes.length)
    throw new GristmillError('TOO_LARGE', `the attributes of ${to} have ${bytes} bytes, or one of them comes twice`,
      { details: { path: to } })
}
