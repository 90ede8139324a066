// Transactions of a producer of Kafka. Messages come in batches and go in transactions of bounded size and time, each with a record of the
// progress in it, at a rate that may be bounded.
// INVARIANT: a transaction has whole batches and the record of the last one's end: all of it is there, or nothing.

import type { Clock } from '../../ports/clock.ts'
import type { KafkaMessage, KafkaProducer } from '../../ports/kafka.ts'

/** Bounds of a transaction, and of a batch. */
export interface TransactionBounds {
  readonly rows: number
  readonly bytes: number
  readonly ms: number
  readonly batchBytes: number
  readonly batchRows: number
}

/** Place in an export: rows of a file that are done. */
export interface ExportPosition { readonly part: number; readonly rows: number }

export interface MessageBatch {
  readonly messages: KafkaMessage[]
  bytes: number
  end: ExportPosition
  /** Row of the first message. */
  readonly first: { readonly name: string; readonly number: number }
}

interface TransactionOptions {
  readonly bounds: TransactionBounds
  readonly rate: number | undefined
  readonly clock: Pick<Clock, 'mono' | 'sleep'>
  readonly signal: AbortSignal | undefined
  readonly progress: (position: ExportPosition, done: boolean) => KafkaMessage
  readonly onCommit: (rows: number) => void
  readonly failed: (error: unknown, batch: MessageBatch | undefined, openMs: number) => unknown
}

interface Open { rows: number; bytes: number; readonly sinceMs: number; end: ExportPosition }

/** Transactions of one producer, with the progress in each. */
export class Transactions {
  readonly #producer: KafkaProducer
  readonly #options: TransactionOptions
  #open: Open | undefined
  #paidMs: number

  constructor(producer: KafkaProducer, options: TransactionOptions) {
    this.#producer = producer
    this.#options = options
    this.#paidMs = options.clock.mono()
  }

  async send(batch: MessageBatch): Promise<void> {
    const { bounds, clock } = this.#options
    await this.#pace(batch.messages.length)
    const open = await this.#begun(batch.end)
    await this.#tried(() => this.#producer.send(batch.messages), batch)
    open.rows += batch.messages.length
    open.bytes += batch.bytes
    open.end = batch.end
    if (open.rows >= bounds.rows || open.bytes >= bounds.bytes || clock.mono() - open.sinceMs >= bounds.ms)
      await this.#commit(open.end, false)
  }

  /** The last transaction says that all is there. */
  async finish(end: ExportPosition): Promise<void> {
    await this.#begun(end)
    await this.#commit(end, true)
  }

  async #begun(end: ExportPosition): Promise<Open> {
    if (this.#open) return this.#open
    await this.#tried(() => this.#producer.begin())
    return this.#open = { rows: 0, bytes: 0, sinceMs: this.#options.clock.mono(), end }
  }

  async #commit(end: ExportPosition, done: boolean): Promise<void> {
    const { rows } = this.#open!
    await this.#tried(() => this.#producer.send([this.#options.progress(end, done)]))
    await this.#tried(() => this.#producer.commit())
    this.#open = undefined
    this.#options.onCommit(rows)
  }

  /** Waits until the rate allows so many rows. An open transaction is not kept open for longer than its time. */
  async #pace(rows: number): Promise<void> {
    const { rate, clock, signal, bounds } = this.#options
    if (rate === undefined) return
    const nowMs = clock.mono()
    const waitMs = this.#paidMs - nowMs
    this.#paidMs = Math.max(this.#paidMs, nowMs) + rows / rate * 1000
    if (waitMs <= 0) return
    if (this.#open && nowMs + waitMs - this.#open.sinceMs > bounds.ms) await this.#commit(this.#open.end, false)
    await clock.sleep(waitMs, signal)
  }

  async #tried(work: () => Promise<void>, batch?: MessageBatch): Promise<void> {
    this.#options.signal?.throwIfAborted()
    try {
      await work()
    } catch (error) {
      throw this.#options.failed(error, batch, this.#open ? this.#options.clock.mono() - this.#open.sinceMs : 0)
    }
  }
}

/** Makes one item while the caller works on the one before. */
export async function* ahead<T>(items: AsyncGenerator<T>): AsyncGenerator<T> {
  let next = items.next()
  try {
    for (;;) {
      const { value, done } = await next
      if (done) return
      next = items.next()
      next.catch(() => {})
      yield value
    }
  } finally {
    await next.catch(() => {})
    await items.return(undefined)
  }
}
