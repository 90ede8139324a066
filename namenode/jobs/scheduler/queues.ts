// Shares of the queues: which job comes next when a slot is free. A queue has the fewer claims the more of its tasks run for its weight; a
// queue that has reached its bound gets no slot. Nothing is taken from tasks that run.

import { defaultQueue, type JobQueue } from '../../../src/base/jobqueues.ts'

/** Fields of a job by which slots are shared. */
interface QueuedJob {
  readonly spec: { readonly queue?: string | undefined }
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
      const queue = this.#of(job)
      this.#running.set(queue, (this.#running.get(queue) ?? 0) + job.running)
    }
  }

  /** A task of the job has started. */
  started(job: QueuedJob): void {
    const queue = this.#of(job)
    this.#running.set(queue, (this.#running.get(queue) ?? 0) + 1)
  }

  isFull(job: QueuedJob): boolean {
    const queue = this.#of(job)
    return queue.slotsMax !== undefined && this.#running.get(queue)! >= queue.slotsMax
  }

  /**
   * Order of jobs: that whose queue has the smallest share for its weight; of one queue, that with the fewest running tasks; among equals
   * that which got a slot, or was submitted, least recently.
   */
  readonly order = (a: QueuedJob, b: QueuedJob): number =>
    this.#shareOf(a) - this.#shareOf(b) || a.running - b.running || a.turn - b.turn

  #shareOf(job: QueuedJob): number {
    const queue = this.#of(job)
    return (this.#running.get(queue) ?? 0) / queue.weight
  }

  #of({ spec: { queue = defaultQueue } }: QueuedJob): JobQueue { return this.#table.get(queue) ?? this.#table.get(defaultQueue)! }
}
