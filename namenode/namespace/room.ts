// Room of files and directories by name, and of the sweep that removes what no name leads to any more.

import type { World } from '../../src/ports/world.ts'
import type { BlockTokens } from '../../src/rpc/token.ts'
import type { Blocks } from '../blocks/blocks.ts'
import type { Journal } from '../journal/journal.ts'
import type { Actor } from '../journal/operation.ts'
import type { Authority } from '../succession/authority.ts'
import type { NodeRegistry } from '../nodes/registry.ts'
import { room } from '../room.ts'
import { continuesFile } from '../writing/lease.ts'
import { aclRoutes, setAcl } from './acls.ts'
import { formatMutations } from './format.ts'
import { nameMutations } from './names.ts'
import { namespaceRoutes } from './routes.ts'
import { sweepMutations } from './sweep.ts'
import { NamespaceSweeper } from './sweeper.ts'

interface NamespaceNeeds {
  readonly world: Pick<World, 'clock' | 'log' | 'random'>
  readonly config: { readonly defaults: { readonly replication: number; readonly blockBytes: number } }
  readonly trashKeepMs: number
  readonly journal: Journal
  readonly tokens: BlockTokens
  readonly actor: (user: string) => Actor
  readonly registry: NodeRegistry
  readonly authority: Authority
  readonly blocks: Blocks
}

export const namespaceRoom = room({
  name: 'namespace',
  mutations: [...formatMutations, ...nameMutations, setAcl, ...sweepMutations],
  open({ world, config: { defaults }, trashKeepMs, journal, tokens, actor, registry, authority, blocks }: NamespaceNeeds) {
    const { clock, log, random } = world
    const sweeper = new NamespaceSweeper({ journal, clock, log, onBlocksFreed: ids => blocks.invalidate(ids) })
    // Repeated removals are answered in safe mode as well; they must not start the sweep then.
    const removed = (): void => { if (!authority.frozen) sweeper.wake() }
    return {
      /** `removed`: called when something was removed, so that there is work for the sweeper. */
      made: { removed },
      routes: [...aclRoutes({ journal, clock, actor }), ...namespaceRoutes({
        journal, view: journal.view, map: blocks.map, registry, tokens, random, clock, log, defaults, actor, removed, trashKeepMs,
        continues: (lease, user, file) => continuesFile(journal.view, lease, { user, file }),
        suspect: (id, address, message) => blocks.suspect(id, address, message),
      })],
      chores: [{ name: 'sweep removed entries', everyMs: 500, work: removed }],
      stop: () => sweeper.stop(),
    }
  },
})
