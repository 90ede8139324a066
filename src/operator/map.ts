// Calls the user's map for each record of a batch. The loop is all that runs a million times a second: nothing is caught,
// counted or awaited inside of it. Which record was being worked on is known afterwards, from the loop's own counter.

import type { Batch } from '../record/format.ts'
import { FunctionFailed, isPromise, type Emit, type Operator } from './operator.ts'

/** (record, emit, context) */
export type MapFunction = (record: unknown, emit: Emit, context: unknown) => unknown

export class MapOperator implements Operator<Batch> {
  readonly #map: MapFunction
  readonly #emit: Emit
  readonly #context: unknown

  constructor(map: MapFunction, emit: Emit, context: unknown) {
    this.#map = map
    this.#emit = emit
    this.#context = context
  }

  push(batch: Batch): void | Promise<void> {
    const map = this.#map
    const emit = this.#emit
    const context = this.#context
    const { values } = batch
    let index = 0
    try {
      for (; index < values.length; index++) {
        const result = map(values[index], emit, context)
        if (result !== undefined && isPromise(result)) return this.#await(result, batch, index)
      }
    } catch (error) {
      throw failed(error, batch, index)
    }
  }

  /** The rest of the batch, for a function that takes its time: one record after the other, so that order is kept. */
  async #await(first: PromiseLike<unknown>, batch: Batch, from: number): Promise<void> {
    const map = this.#map
    const { values } = batch
    let index = from
    try {
      await first
      for (index++; index < values.length; index++) {
        const result = map(values[index], this.#emit, this.#context)
        if (isPromise(result)) await result
      }
    } catch (error) {
      throw failed(error, batch, index)
    }
  }
}

const failed = (error: unknown, batch: Batch, index: number): FunctionFailed =>
  new FunctionFailed(error, { place: { path: batch.path, offset: batch.offset(index) } })
