// Calls of a process that drives a program wait while the namenode refuses them because it is overloaded, because the user has as many jobs
// as one user may have, or because the namenode's disk is full: other jobs end, or its operator makes room, and then the step is taken. A
// process that ended instead would be replaced by another one, which calls the program again from its beginning, without end.

import { backoffMs, type Backoff } from '../../src/base/backoff.ts'
import { hasCode, type GristmillError } from '../../src/base/errors.ts'
import { isOfFullNamenode } from '../../src/base/exhaustion.ts'
import { retry } from '../../src/base/retry.ts'
import type { Cluster } from '../call/cluster.ts'

/** Between two calls, each of which src/rpc/call.ts has tried for some time. */
const pauses: Backoff = { firstMs: 100, maxMs: 2_000 }

/** A full datanode is not waited for: what a program writes may be too much for the cluster. */
const isWaitedFor = (error: unknown): error is GristmillError =>
  hasCode(error, 'OVERLOADED') || isOfFullNamenode(error)

/** `onWait`: called once for each call that waits, with the reason. Only the signal of a call ends its wait. */
export function patient(cluster: Cluster, onWait: (why: string) => void): Cluster {
  const { ask, clock, random } = cluster
  return {
    ...cluster,
    ask: (message, request, signal, undo) => retry(() => ask(message, request, signal, undo), {
      clock, signal, pauseMs: attempt => backoffMs(attempt, pauses, random),
      again: (error, attempt) => {
        if (!isWaitedFor(error)) return false
        if (attempt === 1) onWait(error.message)
        return true
      },
    }),
  }
}
