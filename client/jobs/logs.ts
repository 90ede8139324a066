// Reads the logs of a job's attempts. Logs are stored on the nodes that ran the attempts; the namenode knows the locations. The
// logs of a lost node are reported as unreachable, and the others are still read.

import { asError } from '../../src/base/errors.ts'
import { attemptParts, type AttemptId, type JobId, type NodeId } from '../../src/base/ids.ts'
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

export async function* readLogs(cluster: Cluster, job: JobId, options: LogOptions): AsyncGenerator<LogPiece, void, undefined> {
  const { signal, follow = false } = options
  /** Offset to continue at; attempts that are `over` are not read again. */
  const read = new Map<AttemptId, { offset: number; over: boolean }>()
  for (;;) {
    // Fetched before the logs, so that output written up to the end of the job is read.
    const status = await cluster.ask(watch, { job }, signal)
    const ended = status.finishedMs !== undefined
    for await (const { attempts } of paged((from: number = 0) => cluster.ask(logPlaces, { job, from }, signal))) {
      for (const place of attempts.filter(each => wanted(each.attempt, options))) {
        const state = read.get(place.attempt) ?? { offset: 0, over: false }
        read.set(place.attempt, state)
        if (!state.over) yield* readOne(cluster, place, state, signal)
      }
    }
    if (!follow || ended) return
    await cluster.clock.sleep(followMs, signal)
  }
}

function wanted(id: AttemptId, { stage, task, attempt }: LogOptions): boolean {
  if (attempt !== undefined) return id === attempt
  const parts = attemptParts(id)
  return (stage === undefined || parts.stage === stage) && (task === undefined || parts.task === task)
}

/** Yields what is available now, from the saved offset. */
async function* readOne(
  cluster: Cluster, { attempt, node, address, alive }: LogPlace, state: { offset: number; over: boolean }, signal?: AbortSignal,
): AsyncGenerator<LogPiece, void, undefined> {
  if (!alive) {
    state.over = true
    yield { attempt, node, text: '', unreachable: `node ${node} is lost, and its logs with it` }
    return
  }
  for (;;) {
    let piece: ReplyOf<typeof log>
    try {
      piece = await cluster.askNode(address, log, { attempt, offset: state.offset }, signal)
    } catch (thrown) {
      if (signal?.aborted) throw thrown
      state.over = true
      yield { attempt, node, text: '', unreachable: asError(thrown).message }
      return
    }
    if (piece.text !== '') yield { attempt, node, text: piece.text }
    state.over = piece.next === undefined
    if (piece.next === undefined || piece.next === state.offset) return
    state.offset = piece.next
  }
}
