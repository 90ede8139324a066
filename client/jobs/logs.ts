// Reads the logs of a job's attempts. Logs are stored on the nodes that ran the attempts; the namenode knows the locations. The
// logs of a node that does not answer are reported as unreachable, and the others are still read. A reader that follows a job
// continues such a log where it stopped once the node is back, and reports it at the end of the job.
// INVARIANT: of a job that has ended, each attempt that the namenode has listed is read to the end of its log, or reported.

import { asError, isTransient } from '../../src/base/errors.ts'
import { attemptParts, type AttemptId, type JobId, type NodeId } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import { retry } from '../../src/base/retry.ts'
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

/** Time that an attempt gets to end after its job has: its node has been told to kill it, or will be. */
const endingMs = limits.killSilentMs

interface Reading {
  place: LogPlace
  /** Round in which the namenode last listed it. */
  round: number
  /** Offset to continue at. */
  offset: number
  /** The log is complete, or there is none. */
  over: boolean
  /** Reason why it cannot be read now, and when it is tried again. */
  unreachable?: string | undefined
  againMs: number
}

export async function* readLogs(cluster: Cluster, job: JobId, options: LogOptions): AsyncGenerator<LogPiece, void, undefined> {
  const { signal, follow = false } = options
  const { clock } = cluster
  const read = new Map<AttemptId, Reading>()
  let endMs = Infinity
  for (let round = 0; ; round++) {
    // Fetched before the logs, so that output written up to the end of the job is read.
    const { finishedMs } = await patiently(cluster, follow, () => cluster.ask(watch, { job }, signal), signal)
    const isEnded = finishedMs !== undefined
    if (isEnded && endMs === Infinity) endMs = clock.mono() + endingMs
    const pages = paged((from: number = 0) => patiently(cluster, follow, () => cluster.ask(logPlaces, { job, from }, signal), signal))
    for await (const { attempts } of pages) {
      for (const place of attempts.filter(each => wanted(each.attempt, options))) {
        const state: Reading = read.get(place.attempt) ?? { place, round, offset: 0, over: false, againMs: 0 }
        Object.assign(state, { place, round } satisfies Partial<Reading>)
        read.set(place.attempt, state)
        yield* readNow(state, isEnded)
      }
    }
    // The namenode lists the last attempts of a task; those before them are read to their end too.
    for (const state of read.values()) if (state.round !== round) yield* readNow(state, isEnded)
    const open = [...read.values()].filter(({ over }) => !over)
    const isLast = isEnded ? clock.mono() >= endMs || open.every(({ unreachable }) => unreachable !== undefined) : !follow
    if (isLast) {
      for (const { place: { attempt, node }, unreachable } of open) {
        const running = isEnded ? `its process on node ${node} has not ended with its job; read the rest later` : undefined
        const why = unreachable ?? running
        if (why !== undefined) yield { attempt, node, text: '', unreachable: why }
      }
      return
    }
    await clock.sleep(followMs, signal)
  }

  async function* readNow(state: Reading, isEnded: boolean): AsyncGenerator<LogPiece, void, undefined> {
    if (state.over || (!isEnded && clock.mono() < state.againMs)) return
    yield* readOne(cluster, state, { isEnded, signal })
    // While the job runs the node may come back, and the rest of the log with it.
    if (state.unreachable !== undefined) state.againMs = clock.mono() + againMs
  }
}

/** Calls of a reader that follows a job go on across a restart of the namenode, as long as those of `Job.watch`. */
const patiently = <T>({ clock }: Cluster, follow: boolean, call: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> =>
  retry(call, {
    clock, signal, pauseMs: followMs, untilMs: clock.mono() + limits.requestRetryMs, again: error => follow && isTransient(error),
  })

function wanted(id: AttemptId, { stage, task, attempt }: LogOptions): boolean {
  if (attempt !== undefined) return id === attempt
  const parts = attemptParts(id)
  return (stage === undefined || parts.stage === stage) && (task === undefined || parts.task === task)
}

/** Yields what is available now, from the saved offset. Sets `unreachable` if the node does not answer, or no longer has the log. */
async function* readOne(
  cluster: Cluster, state: Reading, { isEnded, signal }: { isEnded: boolean; signal: AbortSignal | undefined },
): AsyncGenerator<LogPiece, void, undefined> {
  const { attempt, node, address, alive, ended } = state.place
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
    if (piece.absent === true) {
      // Before the end of its job, the order to run it may be on its way; after it, an attempt that never began has no log.
      if (ended === true || state.offset > 0)
        state.unreachable = `node ${node} no longer has this log: a datanode keeps the logs of its last ${limits.jobsKept} jobs, and its disk may have been replaced`
      else state.over = isEnded
      return
    }
    if (piece.next === undefined || piece.next === state.offset) return
    state.offset = piece.next
  }
}
