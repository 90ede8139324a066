// Shares of the queues: which job comes next when a slot is free. A queue has the fewer claims the more of its tasks run for its weight; a
// queue that has reached its bound gets no slot. A task that drives a program takes no slot, and is not counted. Within a
// queue priorities decide, then fairness. Nothing is taken from tasks that run.

import { defaultQueue, type JobQueue } from '../../../src/base/jobqueues.ts'
import { isDrive, type Driver } from '../../../src/protocol/task.ts'

/** Fields of a job by which slots are shared. */
interface QueuedJob {
  readonly spec: {
    readonly queue?: string | undefined; readonly priority?: number | undefined; readonly driver?: Pick<Driver, 'method'> | undefined
  }
  /** Running attempts. */
  readonly running: number
  /** Sequence number of its last slot or of its submission. */
  readonly turn: number
}

export type QueueTable = ReadonlyMap<string, JobQueue>

/** `declared`: by the operator. */
export function queueTable(declared: readonly JobQueue[]): QueueTable {
  const table = new Map<string, JobQueue>([[defaultQueue, { name: defaultQueue, weight: 1, slotsMax: undefined }]])
  for (const queue of declared) table.set(queue.name, queue)
  return table
}

/** Tasks that run, by queue. A job whose queue is not declared any more is in the default one. */
export class QueueShares {
  readonly #table: QueueTable
  readonly #running = new Map<JobQueue, number>()

  constructor(table: QueueTable, jobs: Iterable<QueuedJob>) {
    this.#table = table
    for (const job of jobs) {
      const queue = this.queueOf(job)
      this.#running.set(queue, (this.#running.get(queue) ?? 0) + slotsTaken(job))
    }
  }

  /** A task of the job has started. */
  started(job: QueuedJob): void {
    if (isDrive(job.spec)) return
    const queue = this.queueOf(job)
    this.#running.set(queue, (this.#running.get(queue) ?? 0) + 1)
  }

  isFull(job: QueuedJob): boolean {
    const queue = this.queueOf(job)
    return queue.slotsMax !== undefined && this.#running.get(queue)! >= queue.slotsMax
  }

  /**
   * Orders jobs: first the queue with the smallest share for its weight; among equal ones that with the job which comes first by `fair`. Of
   * one queue the job with the highest priority, and among equals by `fair`.
   */
  sort(jobs: QueuedJob[]): void {
    const places = new Map<JobQueue, { readonly share: number; first: QueuedJob }>()
    for (const job of jobs) {
      const queue = this.queueOf(job)
      const place = places.get(queue)
      if (!place) places.set(queue, { share: this.#running.get(queue)! / queue.weight, first: job })
      else if (fair(job, place.first) < 0) place.first = job
    }
    jobs.sort((a, b) => {
      const [one, other] = [places.get(this.queueOf(a))!, places.get(this.queueOf(b))!]
      if (one === other) return priorityOf(b) - priorityOf(a) || fair(a, b)
      return one.share - other.share || fair(one.first, other.first)
    })
  }

  /** Its queue, or the default one. */
  queueOf({ spec: { queue = defaultQueue } }: Pick<QueuedJob, 'spec'>): JobQueue {
    return this.#table.get(queue) ?? this.#table.get(defaultQueue)!
  }
}

/** Tasks of the job that run in slots. */
export const slotsTaken = ({ spec, running }: Pick<QueuedJob, 'spec' | 'running'>): number => (isDrive(spec) ? 0 : running)

/** The job with the fewest running tasks; among equals that which got a slot, or was submitted, least recently. */
const fair = (a: QueuedJob, b: QueuedJob): number => a.running - b.running || a.turn - b.turn

const priorityOf = ({ spec: { priority = 0 } }: QueuedJob): number => priority
