// Calls of the library to the namenode and the datanodes. Makes the request id of a mutation, once for all its retries: a mutation that is
// sent again after a lost reply takes effect once. A caller that several processes may be gives an id that all of them make.

import type { Background } from '../../src/base/background.ts'
import { requestId, type Address, type RequestId } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Random } from '../../src/ports/random.ts'
import type { Message, ReplyOf, RequestOf } from '../../src/protocol/message.ts'
import type { Caller } from '../../src/rpc/call.ts'

/** A request without its request id, or with one that the caller has made. */
type MessageRequest<M extends Message> = Omit<RequestOf<M>, 'requestId'> & { readonly requestId?: RequestId | undefined }

/**
 * Calls the namenode. `undo` reverts the call if the signal aborts while the call is in flight and a reply arrives later (see
 * Caller.callOrUndo); without `undo`, an aborted mutation may have happened.
 */
export type CallMessage = <M extends Message>(
  message: M, request: MessageRequest<M>, signal?: AbortSignal, undo?: (reply: ReplyOf<M>) => Promise<unknown>,
) => Promise<ReplyOf<M>>

/** The cluster as the job API uses it. */
export interface Cluster {
  readonly ask: CallMessage
  /** Calls a datanode once, without retries. Used for logs. */
  readonly askNode: <M extends Message>(
    address: Address, message: M, request: MessageRequest<M>, signal?: AbortSignal,
  ) => Promise<ReplyOf<M>>
  readonly clock: Clock
  readonly random: Random
  /** User who makes the calls; undefined: unknown. */
  readonly user?: string | undefined
}

interface ClusterOptions {
  readonly caller: Caller
  /** Evaluated before each call: an embedded namenode may move. */
  readonly namenode: () => Address | Promise<Address>
  readonly clock: Clock
  readonly random: Random
  readonly user?: string | undefined
  /** Owns the calls that undo aborted ones. */
  readonly background: Pick<Background, 'add'>
}

export function clusterOf({ caller, namenode, clock, random, user, background }: ClusterOptions): Cluster {
  const client = random.id()
  let seq = 0
  const newId = (): RequestId => requestId(`${client}:${++seq}`)
  const full = <M extends Message>(message: M, request: MessageRequest<M>): RequestOf<M> =>
    (message.mutation ? { ...request, requestId: request.requestId ?? newId() } : request) as unknown as RequestOf<M>
  return {
    clock, random, user,
    ask: async (message, request, signal, undo) => {
      const to = await namenode()
      const options = { signal, peer: 'namenode', unansweredMs: limits.unansweredMs }
      if (undo) return caller.callOrUndo(to, message, full(message, request), { ...options, undo, background })
      return caller.call(to, message, full(message, request), options)
    },
    askNode: (address, message, request, signal) =>
      caller.call(address, message, full(message, request), { signal, peer: 'datanode', retry: false }),
  }
}
