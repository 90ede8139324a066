// Buffer for node events before the jobs of an earlier process are taken over: per node, its last registration and its state
// since. Bounded by the number of nodes. Offers of slots are not kept; nodes repeat them with each long poll.

import type { NodeId } from '../../src/base/ids.ts'
import type { Event } from './scheduler/event.ts'

type Joined = Event & { kind: 'joined' }
export type NodeEvent = Joined | Event & { kind: 'offered' | 'closed' | 'stale' | 'returned' | 'left' | 'dead' | 'gone' }
/** As in the scheduler (state.ts); `left` and `dead` last until the node registers again. */
type State = 'live' | 'closed' | 'stale' | 'left' | 'dead'

export class StartupBuffer {
  readonly #nodes = new Map<NodeId, { readonly joined: Joined; state: State }>()

  note(event: NodeEvent): void {
    if (event.kind === 'joined') {
      // Keeps the order of the last registrations.
      this.#nodes.delete(event.node)
      this.#nodes.set(event.node, { joined: event, state: event.closed ? 'closed' : 'live' })
      return
    }
    if (event.kind === 'gone') {
      this.#nodes.delete(event.node)
      return
    }
    const known = this.#nodes.get(event.node)
    if (known) known.state = after(known.state, event.kind)
  }

  /** Events that bring a scheduler to the same state as the full sequence. */
  *events(): Iterable<NodeEvent> {
    for (const [node, { joined, state }] of this.#nodes) {
      yield { ...joined, closed: state === 'closed' }
      if (state === 'stale' || state === 'left' || state === 'dead') yield { kind: state, node }
    }
  }
}

/** Same transitions as in scheduler.ts. */
function after(state: State, event: Exclude<NodeEvent['kind'], 'joined' | 'gone'>): State {
  switch (event) {
    case 'left':
    case 'dead': return event
    case 'offered': return state === 'closed' || state === 'stale' ? 'live' : state
    case 'closed': return state === 'live' || state === 'stale' ? 'closed' : state
    case 'stale': return state === 'live' ? 'stale' : state
    case 'returned': return state === 'stale' ? 'live' : state
  }
}
