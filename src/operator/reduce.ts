// Calls the user's reduce once a key. Its values come one by one from the merge; those that it leaves unread are passed over.

import type { Group } from '../shuffle/groups.ts'
import { FunctionFailed, type Emit, type Key, type Operator } from './operator.ts'
import { receive, type Turn, type Turns } from './turn.ts'

/** (key, values, emit, context) */
export type ReduceFunction = (key: Key, values: Iterable<unknown>, emit: Emit, context: unknown) => unknown

const shownMax = 200

export class ReduceOperator implements Operator<Group> {
  readonly #reduce: ReduceFunction
  readonly #turns: Turns
  readonly #context: unknown
  /** Of all calls that return at once; one that takes its time is the last of its turn. */
  #turn: Turn | undefined

  constructor(reduce: ReduceFunction, turns: Turns, context: unknown) {
    this.#reduce = reduce
    this.#turns = turns
    this.#context = context
  }

  push(group: Group): void | Promise<void> {
    const reduce = this.#reduce
    const turn = this.#turn ??= this.#turns.begin('reduce')
    turn.open = true
    try {
      const result = reduce(group.key, group.values, turn.emit, this.#context)
      const receiving = result === undefined ? undefined : receive(result, turn.emit, 'reduce')
      if (receiving) return this.#await(receiving, turn, group.key)
    } catch (error) {
      throw failed(error, group.key)
    }
    turn.open = false
  }

  async #await(receiving: Promise<void>, turn: Turn, key: Key): Promise<void> {
    this.#turn = undefined
    try {
      await receiving
    } catch (error) {
      throw failed(error, key)
    }
    turn.open = false
  }
}

function failed(error: unknown, key: Key): FunctionFailed {
  const shown = JSON.stringify(key)
  return new FunctionFailed(error, { key: shown.length > shownMax ? `${shown.slice(0, shownMax)}…` : shown })
}
