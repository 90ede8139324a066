// Map operator: calls the user's map for each record of a batch. The loop runs up to a million times per second, so it does not catch,
// count or await per record; after an error the loop counter identifies the record. Each record has its own turn, which ends when the
// next one begins.

import type { Emit } from '../base/pair.ts'
import type { Batch } from '../record/records.ts'
import { FunctionFailed, type Operator } from './operator.ts'
import { receive, type Turns } from './turn.ts'

/** (record, emit, context) */
export type MapFunction = (record: unknown, emit: Emit, context: unknown) => unknown

export class MapOperator implements Operator<Batch> {
  readonly #map: MapFunction
  readonly #turns: Turns
  readonly #context: unknown

  constructor(map: MapFunction, turns: Turns, context: unknown) {
    this.#map = map
    this.#turns = turns
    this.#context = context
  }

  push(batch: Batch): void | Promise<void> {
    const map = this.#map
    const turns = this.#turns
    const context = this.#context
    const { values } = batch
    let index = 0
    try {
      for (; index < values.length; index++) {
        const emit = turns.begin('map')
        const result = map(values[index], emit, context)
        if (result === undefined) continue
        const receiving = receive(result, emit, 'map')
        if (receiving) return this.#await(receiving, batch, index)
      }
    } catch (error) {
      throw failed(error, batch, index)
    }
    turns.end()
  }

  /** The rest of the batch, for a function that returned a promise: one record at a time, so that order is kept. */
  async #await(first: Promise<void>, batch: Batch, from: number): Promise<void> {
    const map = this.#map
    const turns = this.#turns
    const { values } = batch
    let index = from
    try {
      await first
      for (index++; index < values.length; index++) {
        const emit = turns.begin('map')
        const result = map(values[index], emit, this.#context)
        const receiving = result === undefined ? undefined : receive(result, emit, 'map')
        if (receiving) await receiving
      }
    } catch (error) {
      throw failed(error, batch, index)
    }
    turns.end()
  }
}

const failed = (error: unknown, batch: Batch, index: number): FunctionFailed =>
  new FunctionFailed(error, { place: { path: batch.path, offset: batch.offset(index) } })
