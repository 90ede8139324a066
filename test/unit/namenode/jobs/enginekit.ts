// Job engine on the fakes of deps.ts, called through its routes as src/rpc calls them, with nodes of one slot that record their orders.

import type { Engine } from '../../../../namenode/jobs/engine.ts'
import { jobRoutes } from '../../../../namenode/jobs/routes.ts'
import type { JobsDeps } from '../../../../namenode/jobs/deps.ts'
import { nodeId, type NodeId, type RequestId } from '../../../../src/base/ids.ts'
import type { Message, ReplyOf } from '../../../../src/protocol/message.ts'
import type { Order } from '../../../../src/protocol/order.ts'
import { Repeats } from '../../../../src/rpc/repeats.ts'
import type { FakeDeps } from './deps.ts'

let requests = 0

export type Ask = <M extends Message>(
  message: M, request: Record<string, unknown>, caller?: { user?: string; requestId?: string },
) => Promise<ReplyOf<M>>

/** Calls the routes of an engine. `repeats` outlives the engine if the server does. */
export function callerOf(engine: Engine, deps: JobsDeps, repeats = new Repeats()): Ask {
  const routes = jobRoutes(engine, deps)
  return async (message, request, { user = 'ann', requestId = `c:${++requests}` } = {}) => {
    const { handler } = routes.find(each => each.message.name === message.name)!
    const answer = (): unknown => handler(request as never, { user, requestId, signal: new AbortController().signal } as never)
    try {
      return (await (message.mutation ? repeats.run(requestId as RequestId, answer) : answer())) as never
    } finally {
      engine.checkState()
    }
  }
}

/** Lets an engine give out tasks, to these nodes. */
export function openTo(engine: Engine, ...nodes: string[]): void {
  engine.feed({ kind: 'opened' })
  for (const node of nodes) engine.feed({ kind: 'joined', node: nodeId(node), rack: 'r', host: node, slots: 1, attempts: [] })
}

/** Orders to run a task, oldest first. */
export const runsOf = (deps: FakeDeps): Array<{ node: NodeId; work: (Order & { kind: 'run' })['work'] }> =>
  deps.orders.flatMap(({ node, order }) => (order.kind === 'run' ? [{ node, work: order.work }] : []))
