// Reads the logs of a job's attempts. Logs are stored on the nodes that ran the attempts; the namenode knows the locations. The
// logs of a node that does not answer are reported as unreachable, and the others are still read. A reader that follows a job
// continues such a log where it stopped once the node is back, and reports it at the end of the job.

import { asError, hasCode } from '../../src/base/errors.ts'
import { attemptParts, type AttemptId, type JobId, type NodeId } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import { logPlaces, watch } from '../../src/protocol/job.ts'
import type { ReplyOf } from '../../src/protocol/message.ts'
import { log } from '../../src/protocol/task.ts'
import type { Cluster } from '../call/cluster.ts'
import { paged } from '../call/pages.ts'

export interface LogOptions {
  readonly stage?: number | undefined
  readonly task?: number | undefined
  readonly attempt?: AttemptId | undefined
  /** Continues until the job has ended. */
  readonly follow?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

/** Part of one attempt's log. `unreachable`: reason why it could not be read. */
export interface LogPiece {
  readonly attempt: AttemptId
  readonly node: NodeId
  readonly text: string
  readonly unreachable?: string
}

type LogPlace = ReplyOf<typeof logPlaces>['attempts'][number]

/** Poll interval of a log that still grows. */
const followMs = 500
/** Pause after a log that could not be read, while the job runs: its node may be starting again. */
const againMs = 3_000

interface Reading {
  /** Offset to continue at. */
  offset: number
  /** The log is complete. */
  over: boolean
  /** Reason why it cannot be read now, and when it is tried again. */
  unreachable?: string | undefined
  againMs: number
}

export async function* readLogs(cluster: Cluster, job: JobId, options: LogOptions): AsyncGenerator<LogPiece, void, undefined> {
  const { signal, follow = false } = options
  const { clock } = cluster
  const read = new Map<AttemptId, Reading>()
  for (let last = !follow; ;) {
    // Fetched before the logs, so that output written up to the end of the job is read.
    const status = await patiently(cluster, follow, () => cluster.ask(watch, { job }, signal), signal)
    last ||= status.finishedMs !== undefined
    const pages = paged((from: number = 0) => patiently(cluster, follow, () => cluster.ask(logPlaces, { job, from }, signal), signal))
    for await (const { attempts } of pages) {
      for (const place of attempts.filter(each => wanted(each.attempt, options))) {
        const state = read.get(place.attempt) ?? { offset: 0, over: false, againMs: 0 }
        read.set(place.attempt, state)
        if (state.over || (!last && clock.mono() < state.againMs)) continue
        yield* readOne(cluster, place, state, signal)
        if (state.unreachable === undefined) continue
        // While the job runs the node may come back, and the rest of the log with it.
        if (!last) state.againMs = clock.mono() + againMs
        else yield { attempt: place.attempt, node: place.node, text: '', unreachable: state.unreachable }
      }
    }
    if (last) return
    await clock.sleep(followMs, signal)
  }
}

/** Calls of a reader that follows a job go on across a restart of the namenode, as long as those of `Job.watch`. */
async function patiently<T>(
  { clock }: Cluster, follow: boolean, call: () => Promise<T>, signal: AbortSignal | undefined,
): Promise<T> {
  const until = clock.mono() + limits.requestRetryMs
  for (;;) {
    try {
      return await call()
    } catch (error) {
      const passing = hasCode(error, 'UNAVAILABLE', 'TIMEOUT', 'SAFE_MODE', 'OVERLOADED')
      if (!follow || !passing || signal?.aborted || clock.mono() > until) throw error
      await clock.sleep(followMs, signal)
    }
  }
}

function wanted(id: AttemptId, { stage, task, attempt }: LogOptions): boolean {
  if (attempt !== undefined) return id === attempt
  const parts = attemptParts(id)
  return (stage === undefined || parts.stage === stage) && (task === undefined || parts.task === task)
}

/** Yields what is available now, from the saved offset. Sets `unreachable` if the node does not answer. */
async function* readOne(
  cluster: Cluster, { attempt, node, address, alive, ended }: LogPlace, state: Reading, signal?: AbortSignal,
): AsyncGenerator<LogPiece, void, undefined> {
  state.unreachable = undefined
  if (!alive) {
    state.unreachable = `node ${node} is not connected to the namenode; its logs can be read once it is back`
    return
  }
  for (;;) {
    let piece: ReplyOf<typeof log>
    try {
      piece = await cluster.askNode(address, log, { attempt, offset: state.offset }, signal)
    } catch (thrown) {
      if (signal?.aborted) throw thrown
      state.unreachable = asError(thrown).message
      return
    }
    if (piece.text !== '') yield { attempt, node, text: piece.text }
    state.over = piece.next === undefined
    if (piece.next === undefined) return
    if (piece.next === state.offset) {
      // The node has no file, else it would say that the log is complete.
      if (ended === true)
        state.unreachable = `node ${node} no longer has this log: a datanode keeps the logs of its last ${limits.jobsKept} jobs, and its disk may have been replaced`
      return
    }
    state.offset = piece.next
  }
}
