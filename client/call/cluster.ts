// How the rooms of jobs talk to the cluster. A mutation's request id is put in here, once for all its repeats: what is
// sent again after a lost answer has one effect.

import type { Background } from '../../src/base/background.ts'
import { requestId, type Address } from '../../src/base/ids.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Random } from '../../src/ports/random.ts'
import type { Message, ReplyOf, RequestOf } from '../../src/protocol/message.ts'
import type { Caller } from '../../src/rpc/call.ts'

/** What one wants, without the request id. */
export type MessageRequest<M extends Message> = Omit<RequestOf<M>, 'requestId'>

/**
 * A call to the namenode. `undo` takes back what the call has done if the signal aborts while it is on its way and the answer comes
 * later (see Caller.callOrUndo); without it, a mutation that was sent may have happened.
 */
export type CallMessage = <M extends Message>(
  message: M, request: MessageRequest<M>, signal?: AbortSignal, undo?: (reply: ReplyOf<M>) => Promise<unknown>,
) => Promise<ReplyOf<M>>

/** The cluster, as jobs need it. */
export interface Cluster {
  readonly ask: CallMessage
  /** A call to a datanode: one try, for logs. */
  readonly askNode: <M extends Message>(
    address: Address, message: M, request: MessageRequest<M>, signal?: AbortSignal,
  ) => Promise<ReplyOf<M>>
  readonly clock: Clock
  readonly random: Random
  /** In whose name it is asked; undefined: not known. */
  readonly user?: string | undefined
}

export interface ClusterOptions {
  readonly caller: Caller
  /** Asked before each call: an embedded namenode may move. */
  readonly namenode: () => Address | Promise<Address>
  readonly clock: Clock
  readonly random: Random
  readonly user?: string | undefined
  /** Takes over what undoes aborted calls. */
  readonly background: Pick<Background, 'add'>
}

export function clusterOf({ caller, namenode, clock, random, user, background }: ClusterOptions): Cluster {
  const client = random.id()
  let seq = 0
  const full = <M extends Message>(message: M, request: MessageRequest<M>): RequestOf<M> =>
    (message.mutation ? { ...request, requestId: requestId(`${client}:${++seq}`) } : request) as RequestOf<M>
  return {
    clock, random, user,
    ask: async (message, request, signal, undo) => {
      const to = await namenode()
      if (undo) return caller.callOrUndo(to, message, full(message, request), { signal, peer: 'namenode', undo, background })
      return caller.call(to, message, full(message, request), { signal, peer: 'namenode' })
    },
    askNode: (address, message, request, signal) =>
      caller.call(address, message, full(message, request), { signal, peer: 'datanode', retry: false }),
  }
}
