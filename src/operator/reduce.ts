// Reduce operator: calls the user's reduce once per key. Values are read one by one from the merge; unread ones are skipped.

import type { Emit, Key } from '../base/pair.ts'
import { showValue } from '../base/show.ts'
import type { KeyGroup } from '../shuffle/groups.ts'
import { FunctionFailed, type Operator } from './operator.ts'
import { receive, type Turns } from './turn.ts'

/** (key, values, emit, context) */
export type ReduceFunction = (key: Key, values: Iterable<unknown>, emit: Emit, context: unknown) => unknown

const shownMax = 200

export class ReduceOperator implements Operator<KeyGroup> {
  readonly #reduce: ReduceFunction
  readonly #turns: Turns
  readonly #context: unknown

  constructor(reduce: ReduceFunction, turns: Turns, context: unknown) {
    this.#reduce = reduce
    this.#turns = turns
    this.#context = context
  }

  push(group: KeyGroup): void | Promise<void> {
    const reduce = this.#reduce
    const emit = this.#turns.begin('reduce')
    try {
      const result = reduce(group.key, group.values, emit, this.#context)
      const receiving = result === undefined ? undefined : receive(result, emit, 'reduce')
      if (receiving) return this.#await(receiving, group)
    } catch (error) {
      throw failed(error, group.key)
    }
    this.#end(group)
  }

  async #await(receiving: Promise<void>, group: KeyGroup): Promise<void> {
    try {
      await receiving
    } catch (error) {
      throw failed(error, group.key)
    }
    this.#end(group)
  }

  #end(group: KeyGroup): void {
    this.#turns.end()
    group.end()
  }
}

function failed(error: unknown, key: Key): FunctionFailed {
  return new FunctionFailed(error, { key: showValue(key, shownMax) })
}
