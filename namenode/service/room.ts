// Room of the service states of datanodes, decommission and maintenance, which operators and hosts files set. The copies are made by the
// room of blocks.

import type { World } from '../../src/ports/world.ts'
import type { Blocks } from '../blocks/blocks.ts'
import type { Journal } from '../journal/journal.ts'
import type { Actor } from '../journal/operation.ts'
import type { NodeRegistry } from '../nodes/registry.ts'
import { room } from '../room.ts'
import { HostLists, type HostFiles } from './hosts.ts'
import { serviceMutations } from './rows.ts'
import { ServiceStates } from './servicestates.ts'

interface ServiceNeeds {
  readonly world: Pick<World, 'clock' | 'disk' | 'log'>
  readonly config: { readonly hosts?: HostFiles | undefined }
  readonly journal: Journal
  readonly actor: (user: string) => Actor
  readonly registry: NodeRegistry
  readonly blocks: Blocks
}

export const serviceRoom = room({
  name: 'service',
  mutations: serviceMutations,
  open({ world: { clock, disk, log }, config, journal, actor, registry, blocks }: ServiceNeeds) {
    const hosts = new HostLists({ disk, log }, config.hosts)
    const { routes, chores } = new ServiceStates({ journal, registry, blocks, clock, actor, hosts, log })
    return { made: { hosts }, routes, chores, begin: () => hosts.open() }
  },
})
