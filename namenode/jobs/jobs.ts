// The jobs room: connects scheduler, job engine, store and routes to the namenode's other rooms.
// Life cycle: construct; `start` once this namenode is known to be the latest of its cluster, before any job is submitted;
// `open` once the locations of blocks are known; `stop` before the journal closes. Node events before `start` are buffered
// (startupbuffer.ts): otherwise a node that registers early would be told to kill the attempts of jobs that are not taken over
// yet.

import type { JobQueue } from '../../src/base/jobqueues.ts'
import type { BlockId } from '../../src/base/ids.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Failpoints } from '../../src/ports/failpoints.ts'
import type { Log } from '../../src/ports/log.ts'
import type { Route } from '../../src/rpc/serve.ts'
import type { BlockTokens } from '../../src/rpc/token.ts'
import type { Journal } from '../journal/journal.ts'
import type { Actor } from '../journal/operation.ts'
import type { DataNode } from '../nodes/node.ts'
import type { NodeRegistry } from '../nodes/registry.ts'
import { JournalJobStore } from './store/store.ts'
import type { KeptBounds } from './store/jobindex.ts'
import { jobRoutes } from './routes.ts'
import { Engine } from './engine.ts'
import { StartupBuffer, type NodeEvent } from './startupbuffer.ts'
import { tooLarge } from '../nodes/worksize.ts'
import { checkSplits } from './splits/input.ts'
import type { Outputs } from './publish/outputs.ts'

interface JobsDeps {
  readonly clock: Clock
  readonly failpoints?: Failpoints | undefined
  readonly log: Log
  /** World.checked. */
  readonly checked?: boolean | undefined
  readonly journal: Journal
  readonly registry: NodeRegistry
  readonly tokens: BlockTokens
  /** Nodes that hold a block and can serve it now. */
  readonly holders: (block: BlockId) => readonly DataNode[]
  /** Maps a user to an actor, which says if permissions apply. */
  readonly actor: (user: string) => Actor
  /** True while nothing may be changed: jobs wait. */
  readonly frozen: () => boolean
  /** true: a replaced output goes to the trash; false: it is deleted. */
  readonly trash: boolean
  /** Older versions of an output that are kept. */
  readonly versions?: number | undefined
  /** Queues of jobs, beside the default one. */
  readonly queues?: readonly JobQueue[] | undefined
  readonly jobsPerUser?: number | undefined
  /** Bounds of kept outputs. */
  readonly kept?: KeptBounds | undefined
}

export class Jobs {
  readonly routes: readonly Route[]
  readonly #engine: Engine
  readonly #store: JournalJobStore
  /** Set until `start`. */
  #early: StartupBuffer | undefined = new StartupBuffer()
  #toOpen = false

  constructor(
    {
      clock, failpoints, log, checked, journal, registry, tokens, holders, actor, frozen, trash, versions, kept, queues, jobsPerUser,
    }: JobsDeps,
  ) {
    this.#store = new JournalJobStore({ journal, clock, failpoints, trash, versions, kept })
    const deps = {
      clock, awake: registry.awake, log, checked, queues, jobsPerUser, store: this.#store, actor, frozen,
      nodes: {
        order: (node, order) => {
          const refused = order.kind === 'run' ? tooLarge(order.work) : undefined
          if (!refused || order.kind !== 'run') return void registry.get(node)?.orders.push(order)
          const { attempt } = order.work
          log.error('a task is too large to be ordered', { error: refused, attempt, node })
          engine.feed({
            kind: 'finished', node, attempt,
            outcome: { kind: 'failed', cause: 'program', failure: { code: refused.code, message: refused.message }, counters: {} },
          })
        },
        place: id => {
          const node = registry.get(id)
          return node && { ...node.place, alive: node.serves }
        },
      },
      blocks: {
        holders: block => holders(block).map(node => node.node),
        token: block => tokens.issue({ mode: 'read', block }),
      },
      checkSplits: (who, splits, output) => checkSplits({ view: journal.view, clock }, who, splits, output),
    } satisfies ConstructorParameters<typeof Engine>[0]
    const engine = this.#engine = new Engine(deps)
    this.routes = jobRoutes(engine, deps)
    registry.listen({
      joined: ({ node, rack, host, slots, features, memory, drives, inService }, attempts) =>
        this.#feed({
          kind: 'joined', node, rack, host, slots, features, ...memory && { memory }, ...drives !== undefined && { drives }, attempts,
          closed: !inService,
        }),
      offered: ({ node }) => this.#feed({ kind: 'offered', node }),
      left: ({ node }) => this.#feed({ kind: 'left', node }),
      stale: ({ node }) => this.#feed({ kind: 'stale', node }),
      returned: ({ node }) => this.#feed({ kind: 'returned', node }),
      dead: ({ node }) => {
        this.#feed({ kind: 'dead', node })
        engine.blocksChanged()
      },
      forgotten: ({ node }) => this.#feed({ kind: 'gone', node }),
      away: ({ node }) => this.#feed({ kind: 'dead', node }),
      // A node that returns to service offers its slots itself.
      reassigned: ({ node, inService }) => {
        if (!inService) this.#feed({ kind: 'closed', node })
      },
      reported: () => engine.blocksChanged(),
    })
  }

  #feed(event: NodeEvent): void {
    if (this.#early) this.#early.note(event)
    else this.#engine.feed(event)
  }

  /** Output paths reserved by running jobs. */
  get outputs(): Outputs { return this.#engine.outputs }

  /** Number of jobs that have not ended. */
  get running(): number { return this.#engine.scheduler.jobs.size }

  /** Takes over the jobs that ran when the last namenode ended. Throws errors of the journal; may then be called again. */
  async start(): Promise<void> {
    await this.#engine.start()
    const early = this.#early
    this.#early = undefined
    for (const event of early?.events() ?? []) this.#engine.feed(event)
    if (this.#toOpen) this.open()
  }

  /** The locations of blocks are known well enough: tasks may start. */
  open(): void {
    if (this.#early) this.#toOpen = true
    else void this.#engine.open()
  }

  /** Throws AssertionFailed if state kept by hand differs from a recount. For tests and simulations. */
  checkState(): void {
    this.#engine.checkState()
    this.#store.checkState()
  }

  /** Answers all waiting calls. Pending entries of the scheduler are written as long as the journal accepts them. */
  stop(): void {
    this.#engine.stop()
    this.#store.close()
  }
}
