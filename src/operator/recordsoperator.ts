// Operator of a branch that reads records: passes each record of a batch to the branch's first step. The loop runs up to a million times
// per second, so it does not catch or count per record; after an error the loop counter identifies the record.

import type { Batch } from '../record/records.ts'
import { Enough, FunctionFailed, type Operator, type Push } from './operator.ts'

export class RecordsOperator implements Operator<Batch> {
  readonly #push: Push<unknown>
  readonly #onBatch: () => void
  isFull = false
  #batch: Batch | undefined
  #index = 0

  /** `onBatch`: called after the last record of each batch. */
  constructor(push: Push<unknown>, onBatch: () => void = () => {}) {
    this.#push = push
    this.#onBatch = onBatch
  }

  /** Place of the record that is being passed on; found when it is called, which scans the bytes of the batch. */
  placeLater(): (() => FunctionFailed['place']) | undefined {
    const batch = this.#batch
    const index = this.#index
    return batch && (() => placeOf(batch, index))
  }

  push(batch: Batch): void | Promise<void> {
    const push = this.#push
    const { values } = batch
    this.#batch = batch
    let index = 0
    try {
      for (; index < values.length; index++) {
        this.#index = index
        const waiting = push(values[index])
        if (waiting) return this.#await(waiting, batch, index)
      }
    } catch (error) {
      this.#caught(error, batch, index)
    }
    this.#onBatch()
  }

  /** The rest of the batch, after a record that has to be waited for: one record at a time, so that order is kept. */
  async #await(first: Promise<void>, batch: Batch, from: number): Promise<void> {
    const push = this.#push
    const { values } = batch
    let index = from
    try {
      await first
      for (index++; index < values.length; index++) {
        this.#index = index
        const waiting = push(values[index])
        if (waiting) await waiting
      }
    } catch (error) {
      this.#caught(error, batch, index)
    }
    this.#onBatch()
  }

  #caught(error: unknown, batch: Batch, index: number): void {
    if (!(error instanceof Enough)) throw failed(error, batch, index)
    this.isFull = true
  }
}

/** Values that come from no file have no place. */
const placeOf = (batch: Batch, index: number): FunctionFailed['place'] =>
  (batch.path === '' ? undefined : { path: batch.path, offset: batch.offset(index) })

const failed = (error: unknown, batch: Batch, index: number): FunctionFailed =>
  error instanceof FunctionFailed ? error : new FunctionFailed(error, { place: placeOf(batch, index) })
