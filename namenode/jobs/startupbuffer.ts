// Buffer for node events before the jobs of an earlier process are taken over: per node, its last registration and its state
// since. Bounded by the number of nodes. Offers of slots are not kept; nodes repeat them with each long poll.

import type { NodeId } from '../../src/base/ids.ts'
import type { Event } from './scheduler/event.ts'

type Joined = Event & { kind: 'joined' }
export type NodeEvent = Joined | Event & { kind: 'offered' | 'draining' | 'stale' | 'returned' | 'left' | 'lost' }
/** As in the scheduler (state.ts); `left` and `lost` last until the node registers again. */
type State = 'live' | 'draining' | 'stale' | 'left' | 'lost'

export class StartupBuffer {
  readonly #nodes = new Map<NodeId, { readonly joined: Joined; state: State }>()

  note(event: NodeEvent): void {
    if (event.kind === 'joined') {
      // Keeps the order of the last registrations.
      this.#nodes.delete(event.node)
      this.#nodes.set(event.node, { joined: event, state: event.closed ? 'draining' : 'live' })
      return
    }
    const known = this.#nodes.get(event.node)
    if (known) known.state = after(known.state, event.kind)
  }

  /** Events that bring a scheduler to the same state as the full sequence. */
  *events(): Iterable<NodeEvent> {
    for (const [node, { joined, state }] of this.#nodes) {
      yield { ...joined, closed: state === 'draining' }
      if (state === 'stale' || state === 'left' || state === 'lost') yield { kind: state, node }
    }
  }
}

/** Same transitions as in scheduler.ts. */
function after(state: State, event: Exclude<NodeEvent['kind'], 'joined'>): State {
  switch (event) {
    case 'left':
    case 'lost': return event
    case 'offered': return state === 'draining' || state === 'stale' ? 'live' : state
    case 'draining': return state === 'live' || state === 'stale' ? 'draining' : state
    case 'stale': return state === 'live' ? 'stale' : state
    case 'returned': return state === 'stale' ? 'live' : state
  }
}
