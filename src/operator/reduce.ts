// Calls the user's reduce once a key. Its values come one by one from the merge; those that it leaves unread are passed over.

import type { Group } from '../shuffle/groups.ts'
import { FunctionFailed, isPromise, type Emit, type Key, type Operator } from './operator.ts'

/** (key, values, emit, context) */
export type ReduceFunction = (key: Key, values: Iterable<unknown>, emit: Emit, context: unknown) => unknown

const shownMax = 200

export class ReduceOperator implements Operator<Group> {
  readonly #reduce: ReduceFunction
  readonly #emit: Emit
  readonly #context: unknown

  constructor(reduce: ReduceFunction, emit: Emit, context: unknown) {
    this.#reduce = reduce
    this.#emit = emit
    this.#context = context
  }

  push(group: Group): void | Promise<void> {
    const reduce = this.#reduce
    try {
      const result = reduce(group.key, group.values, this.#emit, this.#context)
      if (result !== undefined && isPromise(result)) return this.#await(result, group.key)
    } catch (error) {
      throw failed(error, group.key)
    }
  }

  async #await(result: PromiseLike<unknown>, key: Key): Promise<void> {
    try {
      await result
    } catch (error) {
      throw failed(error, key)
    }
  }
}

function failed(error: unknown, key: Key): FunctionFailed {
  const shown = JSON.stringify(key)
  return new FunctionFailed(error, { key: shown.length > shownMax ? `${shown.slice(0, shownMax)}…` : shown })
}
