// Calls the user's map for each record of a batch. The loop is all that runs a million times a second: nothing is caught,
// counted or awaited inside of it. Which record was being worked on is known afterwards, from the loop's own counter.
// A map that returns nothing at once has one turn a batch: no other code of the program runs meanwhile. From the first promise on
// each record has a turn of its own.

import type { Batch } from '../record/format.ts'
import { FunctionFailed, type Emit, type Operator } from './operator.ts'
import { receive, type Turn, type Turns } from './turn.ts'

/** (record, emit, context) */
export type MapFunction = (record: unknown, emit: Emit, context: unknown) => unknown

export class MapOperator implements Operator<Batch> {
  readonly #map: MapFunction
  readonly #turns: Turns
  readonly #context: unknown
  #turn: Turn
  #waits = false

  constructor(map: MapFunction, turns: Turns, context: unknown) {
    this.#map = map
    this.#turns = turns
    this.#context = context
    this.#turn = turns.begin('map')
  }

  push(batch: Batch): void | Promise<void> {
    if (this.#waits) return this.#await(undefined, batch, -1)
    const map = this.#map
    const turn = this.#turn
    const { emit } = turn
    const context = this.#context
    const { values } = batch
    turn.open = true
    let index = 0
    try {
      for (; index < values.length; index++) {
        const result = map(values[index], emit, context)
        if (result === undefined) continue
        const receiving = receive(result, emit, 'map')
        if (receiving) {
          this.#waits = true
          return this.#await(receiving, batch, index)
        }
      }
    } catch (error) {
      throw failed(error, batch, index)
    }
    turn.open = false
  }

  /** The rest of the batch, for a function that takes its time: one record after the other, so that order is kept. */
  async #await(first: Promise<void> | undefined, batch: Batch, from: number): Promise<void> {
    const map = this.#map
    const { values } = batch
    let index = from
    try {
      if (first) {
        await first
        this.#turn.open = false
      }
      for (index++; index < values.length; index++) {
        const turn = this.#turn = this.#turns.begin('map')
        const result = map(values[index], turn.emit, this.#context)
        const receiving = result === undefined ? undefined : receive(result, turn.emit, 'map')
        if (receiving) await receiving
        turn.open = false
      }
    } catch (error) {
      throw failed(error, batch, index)
    }
  }
}

const failed = (error: unknown, batch: Batch, index: number): FunctionFailed =>
  new FunctionFailed(error, { place: { path: batch.path, offset: batch.offset(index) } })
