// Operator of a branch that reads a shuffle or a join: passes each group to the branch's first step, and ends the group afterwards.

import type { Key } from '../base/pair.ts'
import { showValue } from '../base/show.ts'
import { FunctionFailed, type Operator, type Push } from './operator.ts'

interface Group { readonly key: Key; end(): void }

const shownMax = 200

export class GroupsOperator<G extends Group> implements Operator<G> {
  readonly #push: Push<G>
  readonly #onGroup: () => void

  /** `onGroup`: called after each group. */
  constructor(push: Push<G>, onGroup: () => void = () => {}) {
    this.#push = push
    this.#onGroup = onGroup
  }

  push(group: G): void | Promise<void> {
    try {
      const waiting = this.#push(group)
      if (waiting) return this.#await(waiting, group)
    } catch (error) {
      throw failed(error, group.key)
    }
    this.#end(group)
  }

  async #await(waiting: Promise<void>, group: G): Promise<void> {
    try {
      await waiting
    } catch (error) {
      throw failed(error, group.key)
    }
    this.#end(group)
  }

  #end(group: G): void {
    this.#onGroup()
    group.end()
  }
}

const failed = (error: unknown, key: Key): FunctionFailed =>
  error instanceof FunctionFailed ? error : new FunctionFailed(error, { key: showValue(key, shownMax) })
