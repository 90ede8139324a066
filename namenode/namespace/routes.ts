// Handlers of `namespace.*`: stat, list, locate and the other reads use committed state and never wait; mutations (mkdir, rename, remove,
// attributes) are submitted to the journal, and a removal goes to the trash or wakes the sweeper.

import { inodeId, type BlockId } from '../../src/base/ids.ts'
import { stagesDirectory, stagesMode } from '../../src/base/reference.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Log } from '../../src/ports/log.ts'
import * as protocol from '../../src/protocol/namespace.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'
import { route, type Route } from '../../src/rpc/serve.ts'
import type { Journal } from '../journal/journal.ts'
import { systemActor, type Actor } from '../journal/operation.ts'
import { discard, isFinal } from '../trash/mutations.ts'
import { blocksOf, targetOf } from './file.ts'
import { contentsOf, locate, type LocateTools } from './locate.ts'
import { checkFree } from './reserved.ts'
import { mkdir, remove, rename, setAttributes, touch } from './names.ts'
import { list, stat, summary } from './read.ts'

export interface NamespaceOptions extends LocateTools {
  readonly journal: Journal
  readonly clock: Clock
  readonly log: Log
  readonly defaults: { readonly replication: number; readonly blockBytes: number }
  readonly actor: (user: string) => Actor
  /** Time that removed entries stay in the trash; 0: they do not go there. */
  readonly trashKeepMs: number
  /** Something was removed: there is work for the sweeper. */
  readonly removed: () => void
  /** A reader says that the replica at an address is bad. */
  readonly suspect: (block: BlockId, address: string, message: string) => void
}

export function namespaceRoutes(options: NamespaceOptions): Route[] {
  const { journal, view, clock, log, defaults, actor, trashKeepMs, removed, suspect } = options

  return [
    route(protocol.stat, ({ path }, { user }) => stat(view, actor(user), path)),
    route(protocol.list, (request, { user }) => list(view, actor(user), request)),
    route(protocol.locate, (request, { user }) => locate(options, actor(user), request)),
    route(protocol.contents, ({ files }, { user }) => contentsOf(view, actor(user), files)),
    route(protocol.summary, ({ path, versions }, context) =>
      summary(view, actor(context.user), path, { yield: () => clock.yield(), signal: context.signal }, versions),
    ),

    route(protocol.mkdir, ({ requestId, path, parents, mode, unmasked }, { user }) => {
      checkFree(path)
      // Its owner could rename what others keep in it: it is no user's, also of the one who asks for it first.
      if (path === stagesDirectory)
        return journal.submit(mkdir, { requestId, path, parents, mode: stagesMode, searched: true, nowMs: clock.now(), ...systemActor })
      return journal.submit(mkdir, {
        requestId, path, parents, mode, ...unmasked !== undefined && { unmasked }, searched: true, nowMs: clock.now(), ...actor(user),
      })
    }),
    route(protocol.rename, async ({ requestId, from, to, overwrite }, { user }) => {
      checkFree(from)
      checkFree(to)
      await journal.submit(rename, { requestId, from, to, overwrite, nowMs: clock.now(), ...actor(user) })
      if (overwrite) removed()
      return {}
    }),
    route(protocol.remove, async ({ requestId, path, recursive, skipTrash }, { user }) => {
      checkFree(path)
      const operation = { requestId, path, recursive, searched: true, ...actor(user) }
      const kept = trashKeepMs > 0 && !skipTrash && !isFinal(path)
      // The journal's time: by it things leave the trash again. A repeat gets the first answer, also if the trash was kept then and is not
      // now.
      const item: unknown = kept
        ? await journal.submit(discard, { ...operation, nowMs: journal.nowMs() })
        : await journal.submit(remove, { ...operation, nowMs: clock.now() })
      if (typeof item === 'string') return { item }
      removed()
      return {}
    }),
    route(protocol.setAttributes, async (request, { user }) => {
      checkFree(request.path)
      const status = await journal.submit(setAttributes, { ...request, nowMs: clock.now(), ...actor(user) })
      if (request.replication !== undefined)
        retarget(status, options).catch((error: unknown) =>
          log.error('the new replication of a file did not reach all of its blocks', { error, path: request.path }),
        )
      return status
    }),
    route(protocol.touch, ({ requestId, path, mtimeMs }, { user }) => {
      checkFree(path)
      return journal.submit(touch, { requestId, path, mtimeMs, ...defaults, nowMs: clock.now(), ...actor(user) })
    }),

    route(protocol.reportBad, ({ block, address, proof }) => {
      suspect(block, address, proof.message)
      return {}
    }),
  ]
}

/** Copies a file's new replication to the block map, chunk by chunk. */
async function retarget({ id }: FileStatus, { view, map, clock }: NamespaceOptions): Promise<void> {
  for (let chunk = 0, more = true; more; chunk++) {
    more = false
    for (const blocks of blocksOf(view, inodeId(id), chunk)) {
      // Read for each chunk: the file may have been changed again, or removed.
      const target = targetOf(view, inodeId(id))
      if (target === undefined) return
      for (const block of blocks) map.know(block.id, target)
      more = true
      break
    }
    await clock.yield()
  }
}
