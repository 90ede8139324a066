// What is heard of nodes before the jobs of an earlier process are taken over: of each node its last registration and what has become
// of it since, however much is said. Offers of slots are not kept; nodes offer them again with each waiting call.

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
      // In the order of the last registrations.
      this.#nodes.delete(event.node)
      this.#nodes.set(event.node, { joined: event, state: event.closed ? 'draining' : 'live' })
      return
    }
    const known = this.#nodes.get(event.node)
    if (known) known.state = after(known.state, event.kind)
  }

  /** The events that bring a scheduler to where all of them would have. */
  *events(): Iterable<NodeEvent> {
    for (const [node, { joined, state }] of this.#nodes) {
      yield { ...joined, closed: state === 'draining' }
      if (state === 'stale' || state === 'left' || state === 'lost') yield { kind: state, node }
    }
  }
}

/** As scheduler.ts does it. */
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
