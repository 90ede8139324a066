// Calls of datanodes about tasks: attempts that finished or make progress, and the map outputs that a reduce task has to fetch.

import { GristmillError } from '../../src/base/errors.ts'
import { attemptParts, type AttemptId, type JobId, type NodeId } from '../../src/base/ids.ts'
import type { ReplyOf, RequestOf } from '../../src/protocol/message.ts'
import type * as task from '../../src/protocol/task.ts'
import { inSafeMode } from '../succession/authority.ts'
import type { JobsDeps } from './deps.ts'
import type { Engine } from './engine.ts'
import { unknownAddress } from './lookup.ts'

export class TaskCalls {
  readonly #engine: Engine
  readonly #deps: JobsDeps

  constructor(engine: Engine, deps: JobsDeps) {
    this.#engine = engine
    this.#deps = deps
  }

  async finished(report: task.TaskFinished): Promise<{ committed: boolean }> {
    this.#known(report.node)
    // The datanode repeats its report until it is answered; the output stays there meanwhile.
    if (this.#deps.frozen()) throw inSafeMode()
    const parts = attemptParts(report.attempt)
    if (this.#engine.scheduler.jobs.has(parts.job)) return { committed: await this.#engine.report(report) }
    // The job has ended: only an attempt that was committed before is told so again.
    this.#engine.feed({ kind: 'finished', ...report })
    for (const record of this.#deps.store.tasks(parts.job, parts))
      return { committed: record.stage === parts.stage && record.task === parts.task && record.won?.attempt === report.attempt }
    return { committed: false }
  }

  /** Throws UNAVAILABLE before the datanode has registered with this process of the namenode: it repeats its report. */
  #known(node: NodeId): void {
    if (!this.#engine.scheduler.nodes.has(node))
      throw new GristmillError('UNAVAILABLE', `datanode ${node} has not registered since the namenode started; report again in a moment`)
  }

  outputs(id: JobId, index: number): ReplyOf<typeof task.outputs> {
    const job = this.#engine.scheduler.jobs.get(id)
    const stage = job?.stages[index]
    if (!job || !stage) throw new GristmillError('ENOENT', `job ${id} is not running, or has no stage ${index}`, { details: { job: id } })
    if (stage.state !== 'done')
      throw new GristmillError(
        'BLOCK_MISSING',
        `stage ${index} of job ${id} is not complete: ${stage.done} of ${stage.tasks.length} outputs are there`,
        { details: { job: id } },
      )
    return {
      outputs: stage.tasks.map(({ won }) => {
        const place = this.#deps.nodes.place(won!.node)
        const bytes = won!.output.kind === 'shuffle' ? won!.output.bytes : 0
        return { attempt: won!.attempt, node: won!.node, address: place?.address ?? unknownAddress, host: place?.host ?? won!.host, bytes }
      }),
    }
  }

  /** Returns the attempts that the datanode has to kill. */
  progress({ node, attempts }: RequestOf<typeof task.progress>): { kill: AttemptId[] } {
    this.#known(node)
    return { kill: this.#engine.progress(node, attempts) }
  }
}
