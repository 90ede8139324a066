// The scheduler: events in, effects out, nothing else. It is deterministic and owns its state; the shell (engine.ts)
// feeds it one event at a time, carries the effects out in their order, and answers them with events.

import { unreachable } from '../../src/base/assert.ts'
import type { JobId } from '../../src/base/ids.ts'
import type { Effect, Event, Moment } from './event.ts'
import { ended, kill, placed, resumed, submitted, unpublished } from './life.ts'
import { draining, joined, left, nodeLost, returned, silent, tick } from './loss.ts'
import { hungry, offer } from './offer.ts'
import { committed, finished, progressed } from './report.ts'
import type { Job, Node, State } from './state.ts'

export class Machine {
  readonly #state: State = { nodes: new Map(), jobs: new Map(), open: false, turns: 0, at: { nowMs: 0, monoMs: 0 }, effects: [] }

  /** For those who show it; never changed from outside. */
  get jobs(): ReadonlyMap<JobId, Job> { return this.#state.jobs }
  get nodes(): ReadonlyMap<Node['id'], Node> { return this.#state.nodes }

  /** Some task could start after some more offers, or an attempt may turn out to be slow: send `tick` soon. */
  get hungry(): boolean { return hungry(this.#state) }

  apply(event: Event, at: Moment): Effect[] {
    const state = this.#state
    state.at = at
    state.effects = []
    this.#dispatch(state, event)
    return state.effects
  }

  #dispatch(state: State, event: Event): void {
    switch (event.kind) {
      case 'submitted': return submitted(state, event)
      case 'resumed': return resumed(state, event)
      case 'opened':
        state.open = true
        return offer(state)
      case 'joined': return joined(state, event)
      case 'offered': return withNode(state, event, node => {
        // A node that was only silent for a while asks for work again.
        if (node.state === 'draining' || node.state === 'silent') node.state = 'live'
        offer(state, [node])
      })
      case 'draining': return withNode(state, event, node => draining(state, node))
      case 'silent': return withNode(state, event, node => silent(state, node))
      case 'returned': return withNode(state, event, node => returned(state, node))
      case 'left': return withNode(state, event, node => left(state, node))
      case 'lost': return withNode(state, event, node => nodeLost(state, node))
      case 'placed': return withJob(state, event, job => {
        const stage = job.stages[event.stage]
        if (stage) placed(state, stage, event.places)
      })
      case 'progressed': return progressed(state, event)
      case 'finished': return finished(state, event)
      case 'committed': return committed(state, event)
      case 'kill': return withJob(state, event, job => kill(state, job))
      case 'unpublished': return withJob(state, event, job => unpublished(state, job, event.failure))
      case 'ended': return withJob(state, event, job => ended(state, job))
      case 'tick': return tick(state)
      default: unreachable(event)
    }
  }
}

/** Events about nodes and jobs that are gone are no events. */
function withNode(state: State, { node: id }: { node: Node['id'] }, work: (node: Node) => void): void {
  const node = state.nodes.get(id)
  if (node) work(node)
}

function withJob(state: State, { job: id }: { job: JobId }, work: (job: Job) => void): void {
  const job = state.jobs.get(id)
  if (job) work(job)
}
