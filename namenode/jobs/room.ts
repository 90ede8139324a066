// Room of jobs: the messages `job.*` and `task.*`, and the take-over of the jobs of the last namenode. It also refuses requests of all
// rooms that would take the output path of a running job.

import type { JobQueue } from '../../src/base/jobqueues.ts'
import type { World } from '../../src/ports/world.ts'
import type { BlockTokens } from '../../src/rpc/token.ts'
import type { Blocks } from '../blocks/blocks.ts'
import type { Journal } from '../journal/journal.ts'
import type { Actor } from '../journal/operation.ts'
import type { Authority } from '../succession/authority.ts'
import type { NodeRegistry } from '../nodes/registry.ts'
import type { Succession } from '../succession/succession.ts'
import { room } from '../room.ts'
import { Jobs } from './jobs.ts'
import { reserving } from './publish/reservations.ts'
import type { KeptBounds } from './store/jobindex.ts'
import { formerJobMutations } from './store/legacy.ts'
import { jobMutations } from './store/mutations.ts'

interface JobsNeeds {
  readonly world: Pick<World, 'clock' | 'failpoints' | 'log' | 'checked'>
  readonly config: {
    readonly kept?: KeptBounds | undefined
    readonly queues?: readonly JobQueue[] | undefined
    readonly jobsPerUser?: number | undefined
  }
  readonly trashKeepMs: number
  readonly versionBounds: { readonly keep: number }
  readonly journal: Journal
  readonly tokens: BlockTokens
  readonly actor: (user: string) => Actor
  readonly registry: NodeRegistry
  readonly succession: Succession
  readonly authority: Authority
  readonly blocks: Blocks
}

export const jobsRoom = room({
  name: 'jobs',
  mutations: [...jobMutations, ...formerJobMutations],
  open(needs: JobsNeeds) {
    const { world, config: { kept, queues, jobsPerUser }, trashKeepMs, versionBounds, journal, tokens, actor, registry } = needs
    const { succession, authority, blocks } = needs
    const { clock, failpoints, log, checked } = world
    const jobs = new Jobs({
      clock, failpoints, log, checked, journal, registry, tokens, actor, kept, queues, jobsPerUser, trash: trashKeepMs > 0,
      versions: versionBounds.keep, frozen: () => authority.frozen, holders: block => blocks.holders(block),
    })
    succession.listen({ sure: () => jobs.start() })
    blocks.listen({ settled: () => jobs.open() })
    return {
      made: { jobs },
      routes: jobs.routes,
      gate: route => reserving(route, { journal, outputs: jobs.outputs, actor }),
      // Callers that wait for a job are answered, and do not keep the port open until their timeout.
      quit: () => jobs.stop(),
      checkState: () => jobs.checkState(),
    }
  },
})
